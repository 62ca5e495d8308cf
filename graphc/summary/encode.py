"""Arrays as summaries: histograms, images, sound. What summary operations compute."""

from __future__ import annotations

import functools
import io
import struct
import wave
import zlib
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.graphdef.tensors import make_tensor_proto
from graphc.proto import message

__all__ = ["audio", "histogram", "images", "merge", "png", "scalars", "tensor"]

Array = np.ndarray[Any, Any]
_LARGEST = np.finfo(np.float64).max
#: Below this the largest value of an image counts as zero.
_FAINT = 1e-6


def _text(a: Any) -> str:
    x = a[()] if isinstance(a, np.ndarray) else a
    return x.decode() if isinstance(x, bytes) else str(x)


def _refuse(text: str) -> InvalidArgumentError:  # type: ignore[valid-type]
    return InvalidArgumentError(None, None, text)


def _shape(a: Array) -> str:
    return "[" + ",".join(map(str, a.shape)) + "]"


def scalars(tags: Array, values: Array) -> bytes:
    """One number for each tag."""
    if tags.shape != values.shape:
        says = f" (tag '{_text(tags)}')" if not tags.ndim else ""
        raise _refuse(
            f"tags and values not the same shape: {_shape(tags)} != {_shape(values)}{says}"
        )
    s = message("Summary")()
    for tag, value in zip(tags.reshape(-1), values.reshape(-1).tolist(), strict=True):
        s.value.add(tag=_text(tag), simple_value=value)
    return bytes(s.SerializeToString())


@functools.cache
def _limits() -> Array:
    """The upper ends of TensorFlow's buckets: each ten percent above the one before."""
    ends, v = [], 1e-12
    while v < 1e20:
        ends.append(v)
        v *= 1.1
    ends.append(_LARGEST)
    return np.array([-e for e in reversed(ends)] + [0.0] + ends)


def histogram(tag: Array, values: Array) -> bytes:
    """How often values are in each bucket; runs of empty buckets are one."""
    a = values.reshape(-1).astype(np.float64)
    if np.isnan(a).any():
        raise _refuse(f"Nan in summary histogram for: {_text(tag)}")
    if np.isinf(a).any():
        raise _refuse(f"Infinity in summary histogram for: {_text(tag)}")
    limits = _limits()
    place = np.minimum(np.searchsorted(limits, a, "right"), len(limits) - 1)
    counts = np.bincount(place, minlength=len(limits))
    full = counts > 0
    # the last of each run of empty buckets stands for the run
    kept = full | np.append(full[1:], True)
    h = message("HistogramProto")(
        min=a.min() if a.size else _LARGEST, max=a.max() if a.size else -_LARGEST,
        num=a.size, sum=a.sum(), sum_squares=(a * a).sum(),
        bucket_limit=limits[kept].tolist(), bucket=counts[kept].tolist(),
    )  # fmt: skip
    s = message("Summary")()
    s.value.add(tag=_text(tag), histo=h)
    return bytes(s.SerializeToString())


# --------------------------------------------------------------------- pictures


def png(a: Array) -> bytes:
    """Bytes of shape (height, width, 1 to 4 channels) as a PNG file."""
    height, width, channels = a.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each begins with its filter, 0
    rows[:, 1:] = a.reshape(height, -1)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    data = zlib.compress(rows.tobytes())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _as_bytes(image: Array, bad: Array) -> Array:
    """One image of floats as bytes: its largest value is 255, or, with negative ones, 0 is 128."""
    finite = np.isfinite(image).all(axis=-1)
    shown = image[finite]
    out = np.empty(image.shape, np.uint8)
    out[:] = bad[: image.shape[-1]]
    if shown.size:
        t = image.dtype.type
        signed = shown.min() < 0
        largest = np.abs(shown).max() if signed else shown.max()
        scale = t(0) if largest < _FAINT else t(127 if signed else 255) / largest
        out[finite] = (shown * scale + t(128 if signed else 0)).astype(np.uint8)
    return out


def images(tag: Array, tensor: Array, max_images: int, bad_color: Any = (255, 0, 0, 255)) -> bytes:
    """The first images of a batch, each with a number after the tag."""
    if tensor.ndim != 4 or tensor.shape[3] not in (1, 3, 4):
        raise _refuse(f"Tensor must be 4-D with last dim 1, 3, or 4, not {_shape(tensor)}")
    bad = np.array(bad_color, np.uint8)
    s = message("Summary")()
    for i, a in enumerate(tensor[:max_images]):
        pixels = a if a.dtype == np.uint8 else _as_bytes(a, bad)
        picture = message("Summary").Image(
            height=a.shape[0], width=a.shape[1], colorspace=a.shape[2],
            encoded_image_string=png(pixels),
        )  # fmt: skip
        s.value.add(tag=_numbered(tag, "image", i, max_images), image=picture)
    return bytes(s.SerializeToString())


def _numbered(tag: Array, kind: str, i: int, most: int) -> str:
    return f"{_text(tag)}/{kind}" + (f"/{i}" if most > 1 else "")


def audio(tag: Array, tensor: Array, sample_rate: Array, max_outputs: int) -> bytes:
    """The first clips of a batch of (frames) or (frames, channels) in [-1, 1], as WAV files."""
    if tensor.ndim not in (2, 3):
        raise _refuse(f"Tensor must be 3-D or 2-D, got: {_shape(tensor)}")
    rate = float(sample_rate[()])
    s = message("Summary")()
    for i, clip in enumerate(tensor[:max_outputs]):
        frames = clip if clip.ndim == 2 else clip[:, None]
        samples = np.clip(np.round(frames.astype(np.float64) * 32768), -32768, 32767)
        file = io.BytesIO()
        with wave.open(file, "wb") as w:
            w.setnchannels(frames.shape[1])
            w.setsampwidth(2)
            w.setframerate(int(rate))
            w.writeframes(samples.astype("<i2").tobytes())
        sound = message("Summary").Audio(
            sample_rate=rate, num_channels=frames.shape[1], length_frames=frames.shape[0],
            encoded_audio_string=file.getvalue(), content_type="audio/wav",
        )  # fmt: skip
        s.value.add(tag=_numbered(tag, "audio", i, max_outputs), audio=sound)
    return bytes(s.SerializeToString())


def tensor(tag: Array, value: Array, metadata: Array) -> bytes:
    """A tensor as it is, with what plugins want to know of it."""
    s = message("Summary")()
    raw = metadata[()]
    s.value.add(
        tag=_text(tag), tensor=make_tensor_proto(value),
        metadata=message("SummaryMetadata").FromString(raw if isinstance(raw, bytes) else b""),
    )  # fmt: skip
    return bytes(s.SerializeToString())


def merge(*summaries: Array) -> bytes:
    """All values of several summaries.

    Raises
    ------
    InvalidArgumentError
        When two have one tag.
    """
    s = message("Summary")()
    for a in summaries:
        for raw in a.reshape(-1):
            s.MergeFromString(raw)
    seen = set()
    for v in s.value:
        if v.tag in seen:
            raise _refuse(f"Duplicate tag {v.tag} found in summary inputs")
        seen.add(v.tag)
    return bytes(s.SerializeToString())
