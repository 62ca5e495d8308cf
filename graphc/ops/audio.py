"""Sound: WAV files, spectra over time, and the coefficients that speech programs learn from."""

from __future__ import annotations

import struct
from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.record import Attrs, InferError, Op, Types, as_value, no_grad, op

__all__ = ["audio_spectrogram", "decode_wav", "encode_wav", "mfcc"]

DecodeWav = namedtuple("DecodeWav", ["audio", "sample_rate"])


def _bad(message: str) -> Exception:
    return InvalidArgumentError(None, None, message)


def _host(
    name: str, tf: str, doc: str, args: tuple[str, ...],
    infer: Callable[[Sequence[Value], Attrs], Types], numpy: Callable[..., Any],
) -> Op:  # fmt: skip
    return op(
        name, tf, "host", doc=doc, args=args, infer=infer, numpy=numpy, grad=no_grad, types="fis"
    )


def _ranked(v: Value, rank: int) -> tuple[Any, ...]:
    if v.static_shape is None:
        return tuple(D.fresh() for _ in range(rank))
    if len(v.static_shape) != rank:
        raise InferError(f"Shape must be rank {rank} but is rank {len(v.static_shape)}")
    return v.static_shape


# ------------------------------------------------------------------------------ files


def _chunks(contents: bytes) -> dict[bytes, bytes]:
    """The parts of a RIFF file, the last of each name."""
    if len(contents) < 12:
        raise _bad("Data too short when trying to read string")
    if contents[:4] != b"RIFF" or contents[8:12] != b"WAVE":
        raise _bad(f"Header mismatch: Expected RIFF but found {contents[:4].decode('latin-1')}")
    out, at = {}, 12
    while at + 8 <= len(contents):
        name, size = contents[at : at + 4], struct.unpack("<I", contents[at + 4 : at + 8])[0]
        if name == b"data" and at + 8 + size > len(contents):
            raise _bad("Data too short when trying to read string")
        out[name] = contents[at + 8 : at + 8 + size]
        at += 8 + size
    return out


def _decode(contents: Any, *, desired_channels: int, desired_samples: int) -> Any:
    parts = _chunks(bytes(contents[()]))
    if len(parts.get(b"fmt ", b"")) < 16:
        raise _bad("Bad file size for WAV: Expected 16 or 18 bytes of format")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", parts[b"fmt "][:16])
    if kind != 1:
        raise _bad(f"Bad audio format for WAV: Expected 1 (PCM), but got {kind}")
    if bits != 16:
        raise _bad(f"Can only read 16-bit WAV files, but received {bits}")
    if b"data" not in parts:
        raise _bad("No data chunk found in WAV")
    data = np.frombuffer(parts[b"data"][: len(parts[b"data"]) // 2 * 2], "<i2")
    audio = data[: len(data) // channels * channels].reshape(-1, channels).astype(np.float32)
    audio /= np.float32(1 << 15)
    wanted = channels if desired_channels == -1 else desired_channels
    audio = audio[:, np.minimum(np.arange(wanted), channels - 1)]
    if desired_samples != -1:
        audio = audio[:desired_samples]
        more = desired_samples - len(audio)
        audio = np.concatenate([audio, np.zeros((more, wanted), np.float32)])
    return audio, np.array(rate, np.int32)


def _decode_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    sizes = [attrs["desired_samples"], attrs["desired_channels"]]
    return [
        (dtypes.float32, tuple(D.fresh() if n == -1 else n for n in sizes)),
        (dtypes.int32, ()),
    ]


decode_op = _host(
    "decode_wav", "DecodeWav", "The samples of a WAV file, and how many there are a second.",
    ("contents",), _decode_infer, _decode,
)  # fmt: skip


def _encode(audio: Any, rate: Any) -> Any:
    if audio.ndim != 2:
        raise _bad(f"audio must be 2-dimensional but got shape {list(audio.shape)}")
    channels, rate = audio.shape[1], int(rate)
    if rate <= 0 or channels <= 0:
        raise _bad("sample_rate and num_channels must be > 0")
    wide = audio.astype(np.float32) * np.float32(1 << 15)
    whole = np.trunc(wide + np.copysign(np.float32(0.5), wide))  # halves away from zero
    data = np.clip(whole, -(1 << 15), (1 << 15) - 1).astype("<i2").tobytes()
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data))
    return np.array(b"RIFF" + struct.pack("<I", len(body) + len(data)) + body + data, object)


encode_op = _host(
    "encode_wav", "EncodeWav", "A WAV file of samples.", ("audio", "sample_rate"),
    lambda inputs, attrs: [(dtypes.string, ())], _encode,
)  # fmt: skip


def decode_wav(
    contents: Any, desired_channels: int = -1, desired_samples: int = -1, name: str | None = None
) -> Any:
    """The samples (samples, channels) of a 16-bit WAV file, from -1 to 1, and the sample rate.

    Parameters
    ----------
    desired_channels : int
        Further channels are left out, missing ones copies of the last; -1: as the file has.
    desired_samples : int
        Later samples are left out, missing ones 0; -1: as the file has.
    """
    attrs = {"desired_channels": int(desired_channels), "desired_samples": int(desired_samples)}
    made = build(decode_op, [as_value(contents, dtypes.string)], attrs, name or "DecodeWav")
    return DecodeWav(*made.outputs)


def encode_wav(audio: Any, sample_rate: Any, name: str | None = None) -> Value:
    """The bytes of a 16-bit WAV file of samples (samples, channels) from -1 to 1."""
    inputs = [as_value(audio, dtypes.float32), as_value(sample_rate, dtypes.int32)]
    return build(encode_op, inputs, {}, name or "EncodeWav").outputs[0]


# ---------------------------------------------------------------------------- spectra


def _width(window: int) -> int:
    """The length of the Fourier transform of a window: the next power of two."""
    return 1 << max(0, (window - 1).bit_length())


def _spectrogram(audio: Any, *, window_size: int, stride: int, magnitude_squared: bool) -> Any:
    if window_size < 2 or stride < 1:
        raise _bad(
            f"Spectrogram initialization failed for window size {window_size} and stride {stride}"
        )
    n = 1 + (len(audio) - window_size) // stride if len(audio) >= window_size else 0
    shape = np.cos(2 * np.pi * np.arange(window_size) / window_size)
    at = np.arange(n)[:, None] * stride + np.arange(window_size)
    frames = audio.astype(np.float64).T[:, at] * (0.5 - 0.5 * shape)
    spectrum = np.fft.rfft(frames, _width(window_size), axis=-1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power if magnitude_squared else np.sqrt(power)


def _spectrogram_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    samples, channels = _ranked(inputs[0], 2)
    window, stride = attrs["window_size"], attrs["stride"]
    count: Any = D.fresh()
    if isinstance(samples, int) and stride >= 1:
        count = 1 + (samples - window) // stride if samples >= window else 0
    return [(dtypes.float32, (channels, count, 1 + _width(window) // 2))]


spectrogram_op = _host(
    "audio_spectrogram", "AudioSpectrogram",
    "How loud each frequency is in windows of samples.", ("input",), _spectrogram_infer,
    _spectrogram,
)  # fmt: skip


def _mel(frequency: Any) -> Any:
    return 1127.0 * np.log1p(frequency / 700.0)


def _bands(bins: int, rate: float, low: float, high: float, count: int) -> Any:
    """What each frequency bin gives to each band of the mel scale: triangles of equal width."""
    start_mel, step = _mel(low), (_mel(high) - _mel(low)) / (count + 1)
    centres = start_mel + step * np.arange(1, count + 2)
    width = 0.5 * rate / (bins - 1)
    first, last = int(1.5 + low / width), int(high / width)
    out = np.zeros((bins, count))
    for i in range(first, min(last, bins - 1) + 1):
        mel = _mel(i * width)
        band = int(np.searchsorted(centres[:count], mel, "left")) - 1
        left = centres[band] if band >= 0 else start_mel
        share = (centres[band + 1] - mel) / (centres[band + 1] - left)
        if band >= 0:
            out[i, band] += share
        if band + 1 < count:
            out[i, band + 1] += 1 - share
    return out


def _mfcc(
    spectrogram: Any, rate: Any, *, upper_frequency_limit: float, lower_frequency_limit: float,
    filterbank_channel_count: int, dct_coefficient_count: int,
) -> Any:  # fmt: skip
    count, kept = filterbank_channel_count, dct_coefficient_count
    low, high, rate = lower_frequency_limit, upper_frequency_limit, float(rate)
    if not (0 < kept <= count and 0 <= low < high and rate > 0 and spectrogram.shape[-1] > 1):
        raise _bad(
            f"Mfcc initialization failed for channel count {spectrogram.shape[-1]} and sample "
            f"rate {rate:g}"
        )
    bands = np.sqrt(spectrogram.astype(np.float64)) @ _bands(
        spectrogram.shape[-1], rate, low, high, count
    )
    j = np.arange(count)
    cosines = np.cos(np.pi / count * np.outer(j + 0.5, np.arange(kept))) * np.sqrt(2.0 / count)
    return (np.log(np.maximum(bands, 1e-12)) @ cosines).astype(np.float32)


def _mfcc_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    channels, steps, _ = _ranked(inputs[0], 3)
    return [(dtypes.float32, (channels, steps, attrs["dct_coefficient_count"]))]


mfcc_op = _host(
    "mfcc", "Mfcc", "Mel-frequency cepstral coefficients of spectra.",
    ("spectrogram", "sample_rate"), _mfcc_infer, _mfcc,
)  # fmt: skip


def audio_spectrogram(
    input: Any, window_size: int, stride: int, magnitude_squared: bool = False,
    name: str | None = None,
) -> Value:  # fmt: skip
    """How loud each frequency is: (channels, windows, frequencies) of (samples, channels).

    Windows are von Hann's, their Fourier transforms as long as the next power of two.
    """
    attrs = {
        "window_size": int(window_size), "stride": int(stride),
        "magnitude_squared": bool(magnitude_squared),
    }  # fmt: skip
    value = as_value(input, dtypes.float32)
    return build(spectrogram_op, [value], attrs, name or "AudioSpectrogram").outputs[0]


def mfcc(
    spectrogram: Any, sample_rate: Any, upper_frequency_limit: float = 4000,
    lower_frequency_limit: float = 20, filterbank_channel_count: int = 40,
    dct_coefficient_count: int = 13, name: str | None = None,
) -> Value:  # fmt: skip
    """Mel-frequency cepstral coefficients of squared spectra (channels, windows, frequencies)."""
    attrs = {
        "upper_frequency_limit": float(upper_frequency_limit),
        "lower_frequency_limit": float(lower_frequency_limit),
        "filterbank_channel_count": int(filterbank_channel_count),
        "dct_coefficient_count": int(dct_coefficient_count),
    }
    inputs = [as_value(spectrogram, dtypes.float32), as_value(sample_rate, dtypes.int32)]
    return build(mfcc_op, inputs, attrs, name or "Mfcc").outputs[0]
