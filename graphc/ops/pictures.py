"""Host ops on pictures: files of pictures (by Pillow), boxes drawn."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Op, Types, no_grad, op

__all__ = ["decode_op", "draw_op", "encode_op", "jpeg_shape_op"]


def _bad(message: str) -> Exception:
    return InvalidArgumentError(None, None, message)


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as e:
        raise ImportError(
            "files of pictures are read and written by Pillow: pip install 'graphc[image]'"
        ) from e


_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def _opened(contents: bytes, what: str) -> Any:
    try:
        picture = _pillow().open(io.BytesIO(contents))
        picture.load()
    except (OSError, SyntaxError, ValueError) as e:
        raise _bad(f"Invalid {what} data, size {len(contents)}: {e}") from None
    return picture


def _decode(contents: Any, *, format: str, channels: int, dtype: dtypes.DType, frames: bool) -> Any:
    """The pixels of a file; `frames`: with an axis of the frames of a GIF in front."""
    picture = _opened(bytes(contents[()]), format)
    kind = picture.format
    if format in ("GIF", "BMP") and kind != format:
        raise _bad(f"Invalid {format} data: it is {kind}")
    if kind == "GIF" and frames:
        return _frames(picture)
    deep = picture.mode.startswith("I;16") or picture.mode == "I"
    if not channels:
        transparent = picture.mode == "P" and "transparency" in picture.info
        channels = 4 if transparent else len(picture.getbands())
        channels = 3 if picture.mode in ("P", "CMYK", "YCbCr") and not transparent else channels
    if deep and channels == 1:
        wide = np.asarray(picture).astype(np.uint16)[..., None]
        return wide if dtype is dtypes.uint16 else (wide >> 8).astype(np.uint8)
    if channels == 1 and len(picture.getbands()) >= 3 and kind == "PNG":
        r, g, b = np.moveaxis(np.asarray(picture.convert("RGB")).astype(np.int32), -1, 0)
        gray = (9798 * r + 19235 * g + 3735 * b) >> 15  # libpng's weights
        return gray[..., None].astype(dtype.np) * (257 if dtype is dtypes.uint16 else 1)
    pixels = np.asarray(picture.convert(_MODES[channels]))
    pixels = pixels.reshape(picture.height, picture.width, channels)
    return pixels.astype(np.uint16) * 257 if dtype is dtypes.uint16 else pixels


def _frames(picture: Any) -> Any:
    sequence = importlib.import_module("PIL.ImageSequence")
    return np.stack([np.asarray(f.convert("RGB")) for f in sequence.Iterator(picture)])


def _decode_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    height, width = D.fresh(), D.fresh()
    if attrs["frames"]:  # only a file known to be a GIF has an axis of frames for sure
        return [
            (attrs["dtype"], (D.fresh(), height, width, 3) if attrs["format"] == "GIF" else None)
        ]
    return [(attrs["dtype"], (height, width, attrs["channels"] or D.fresh()))]


def _host(
    name: str, tf: str, doc: str, args: tuple[str, ...],
    infer: Callable[[Sequence[Value], Attrs], Types], numpy: Callable[..., Any], **facts: Any,
) -> Op:  # fmt: skip
    return op(
        name, tf, "host", doc=doc, args=args, infer=infer, numpy=numpy, grad=no_grad, types="fiubs",
        facts=facts,
    )  # fmt: skip


def _type(verb: str) -> Callable[[Sequence[Value], Attrs], str]:
    """TensorFlow has a type for each format."""
    return lambda inputs, attrs: verb + _FORMATS.get(attrs["format"], "Png")


_FORMATS = {"JPEG": "Jpeg", "GIF": "Gif", "BMP": "Bmp"}


decode_op = _host(
    "decode_picture", "DecodePng", "Pixels of a file of a picture.", ("contents",), _decode_infer,
    _decode, type=_type("Decode"),
)  # fmt: skip


def _encode(image: Any, *, format: str, options: tuple[tuple[str, Any], ...], mode: str) -> Any:
    if image.ndim != 3:
        raise _bad(f"image must be 3-dimensional {list(image.shape)}")
    channels = image.shape[2]
    allowed = (1, 3) if format == "JPEG" else (1, 2, 3, 4)
    if channels not in allowed:
        raise _bad(f"image must have {' or '.join(map(str, allowed))} channels, not {channels}")
    pixels = image[..., 0] if channels == 1 else image
    made = _pillow().fromarray(np.ascontiguousarray(pixels))
    if mode:
        made = made.convert({"grayscale": "L", "rgb": "RGB"}[mode])
    out = io.BytesIO()
    made.save(out, format, **dict(options))
    return np.array(out.getvalue(), object)


encode_op = _host(
    "encode_picture", "EncodePng", "A file of a picture.", ("image",),
    lambda inputs, attrs: [(dtypes.string, ())], _encode, type=_type("Encode"),
)  # fmt: skip


def _jpeg_shape(contents: Any) -> Any:
    picture = _opened(bytes(contents[()]), "JPEG")
    return np.array([picture.height, picture.width, len(picture.getbands())], np.int32)


jpeg_shape_op = _host(
    "jpeg_shape", "ExtractJpegShape", "Height, width and channels of a JPEG file.", ("contents",),
    lambda inputs, attrs: [(dtypes.int32, (3,))], _jpeg_shape,
)  # fmt: skip

#: The colours that boxes get in turn where none are given.
_COLOURS = np.array(
    [
        [1, 1, 0, 1], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 1], [0.5, 0, 0.5, 1], [0.5, 0.5, 0, 1],
        [0.5, 0, 0, 1], [0, 0, 0.5, 1], [0, 1, 1, 1], [1, 0, 1, 1],
    ],
    np.float32,
)  # fmt: skip


def _draw(images: Any, boxes: Any, colours: Any) -> Any:
    out = images.copy()
    _, height, width, channels = out.shape
    table = (colours if colours.size else _COLOURS)[:, :channels].astype(out.dtype)
    if channels == 1:
        table = np.ones_like(table)
    for picture, own in zip(out, boxes, strict=True):
        for k, box in enumerate(own):
            rows = (box[[0, 2]] * (height - 1)).astype(int)
            columns = (box[[1, 3]] * (width - 1)).astype(int)
            (top, bottom), (left, right) = rows, columns
            if top > bottom or left > right or bottom < 0 or right < 0:
                continue
            if top >= height or left >= width:
                continue
            y = slice(max(top, 0), min(bottom, height - 1) + 1)
            x = slice(max(left, 0), min(right, width - 1) + 1)
            for row in (top, bottom):
                if 0 <= row < height:
                    picture[row, x] = table[k % len(table)]
            for column in (left, right):
                if 0 <= column < width:
                    picture[y, column] = table[k % len(table)]
    return out


draw_op = _host(
    "draw_bounding_boxes", "DrawBoundingBoxesV2", "Pictures with the outlines of boxes.",
    ("images", "boxes", "colors"),
    lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)], _draw,
)  # fmt: skip
