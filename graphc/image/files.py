"""Pictures in files: PNG, JPEG, GIF and BMP, read and written on the host by Pillow."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.image.colour import convert_image_dtype
from graphc.image.common import tensor
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import math, pictures, random
from graphc.ops.counting import as_many

__all__ = [
    "adjust_jpeg_quality", "decode_and_crop_jpeg", "decode_bmp", "decode_gif", "decode_image",
    "decode_jpeg", "decode_png", "encode_jpeg", "encode_png", "extract_jpeg_shape", "is_jpeg",
    "random_jpeg_quality",
]  # fmt: skip


def _decoded(
    contents: Any, format: str, channels: int | None, dtype: Any, frames: bool, name: str | None
) -> Any:
    count = channels or 0
    if count not in (0, 1, 3, 4):
        raise ValueError(f"channels must be 0, 1, 3 or 4, not {channels}")
    text = tensor(contents, dtype=dtypes.string, name="contents")
    attrs = {"format": format, "channels": count, "dtype": dtypes.as_dtype(dtype), "frames": frames}
    return build(pictures.decode_op, [text], attrs, name).outputs[0]


def decode_png(
    contents: Any, channels: int = 0, dtype: Any = dtypes.uint8, name: str | None = None
) -> Any:
    """Pixels (height, width, channels) of a PNG file's bytes, as uint8 or uint16.

    Parameters
    ----------
    contents : string Tensor
        JPEG, and a GIF of one frame, are read too.
    channels : int
        1, 3 or 4; 0: as many as the file has.
    """
    return _decoded(contents, "PNG", channels, dtype, False, name or "DecodePng")


def decode_jpeg(
    contents: Any, channels: int = 0, ratio: int = 1, fancy_upscaling: bool = True,
    try_recover_truncated: bool = False, acceptable_fraction: float = 1, dct_method: str = "",
    name: str | None = None,
) -> Any:  # fmt: skip
    """Pixels (height, width, channels) of a JPEG file's bytes.

    `ratio` keeps every pixel (1) or one of 2, 4 or 8; the settings of the decoder after it have
    no effect.
    """
    if ratio not in (1, 2, 4, 8):
        raise ValueError(f"ratio must be 1, 2, 4, 8, got {ratio}")
    out = _decoded(contents, "JPEG", channels, dtypes.uint8, False, name or "DecodeJpeg")
    return out if ratio == 1 else out[::ratio, ::ratio]


def decode_gif(contents: Any, name: str | None = None) -> Any:
    """Pixels (frames, height, width, 3) of a GIF file's bytes."""
    return _decoded(contents, "GIF", 3, dtypes.uint8, True, name or "DecodeGif")


def decode_bmp(contents: Any, channels: int = 0, name: str | None = None) -> Any:
    """Pixels (height, width, channels) of a BMP file's bytes."""
    return _decoded(contents, "BMP", channels, dtypes.uint8, False, name or "DecodeBmp")


def _image_count(contents: Any, channels: Any = None, dtype: Any = dtypes.uint8, *more: Any,
                 **named: Any) -> int | None:  # fmt: skip
    return 76 if dtype is dtypes.uint8 and isinstance(contents, Value) else None


@as_many(_image_count)
def decode_image(
    contents: Any, channels: int | None = None, dtype: Any = dtypes.uint8,
    name: str | None = None, expand_animations: bool = True,
) -> Any:  # fmt: skip
    """Pixels of a file of any of the four kinds; of a GIF all frames.

    The rank is not known before the run, unless `expand_animations` is off.
    """
    with name_scope(name, "decode_image"):
        pixels = _decoded(contents, "image", channels, dtypes.uint8, expand_animations, None)
        return convert_image_dtype(pixels, dtype)


def decode_and_crop_jpeg(
    contents: Any, crop_window: Any, channels: int = 0, ratio: int = 1,
    fancy_upscaling: bool = True, try_recover_truncated: bool = False,
    acceptable_fraction: float = 1, dct_method: str = "", name: str | None = None,
) -> Any:  # fmt: skip
    """A part of a JPEG picture; the window is (top, left, height, width)."""
    with name_scope(name, "DecodeAndCropJpeg"):
        window = tensor(crop_window, dtype=dtypes.int32)
        top, left, height, width = (window[i] for i in range(4))
        whole = decode_jpeg(contents, channels, ratio)
        return whole[top : top + height, left : left + width]


def encode_png(image: Any, compression: int = -1, name: str | None = None) -> Any:
    """A PNG file's bytes of pixels (height, width, channels) in uint8 or uint16."""
    x = tensor(image, name="image")
    if x.dtype.base_dtype not in (dtypes.uint8, dtypes.uint16):
        raise TypeError(f"pixels of a PNG file are uint8 or uint16, not {x.dtype.name}")
    if not -1 <= compression <= 9:
        raise ValueError(f"compression should be in [-1,9], got {compression}")
    options = (("compress_level", compression),) if compression >= 0 else ()
    attrs = {"format": "PNG", "options": options, "mode": ""}
    return build(pictures.encode_op, [x], attrs, name or "EncodePng").outputs[0]


def encode_jpeg(
    image: Any, format: str = "", quality: int = 95, progressive: bool = False,
    optimize_size: bool = False, chroma_downsampling: bool = True, density_unit: str = "in",
    x_density: int = 300, y_density: int = 300, xmp_metadata: str = "", name: str | None = None,
) -> Any:  # fmt: skip
    """A JPEG file's bytes of pixels (height, width, 1 or 3) in uint8."""
    x = tensor(image, dtype=dtypes.uint8, name="image")
    if format not in ("", "grayscale", "rgb"):
        raise ValueError(f"format must be '', 'grayscale' or 'rgb', not {format!r}")
    if not 0 <= quality <= 100:
        raise ValueError(f"quality must be in [0,100], got {quality}")
    dots = (x_density, y_density)
    options = (
        ("quality", quality), ("progressive", progressive), ("optimize", optimize_size),
        ("subsampling", 2 if chroma_downsampling else 0),
        ("dpi", dots if density_unit == "in" else tuple(round(2.54 * d) for d in dots)),
        *((("xmp", xmp_metadata.encode()),) if xmp_metadata else ()),
    )  # fmt: skip
    attrs = {"format": "JPEG", "options": options, "mode": format}
    return build(pictures.encode_op, [x], attrs, name or "EncodeJpeg").outputs[0]


def extract_jpeg_shape(
    contents: Any, output_type: Any = dtypes.int32, name: str | None = None
) -> Any:
    """Height, width and channels of a JPEG file's bytes."""
    text = tensor(contents, dtype=dtypes.string, name="contents")
    found = build(pictures.jpeg_shape_op, [text], {}, name or "ExtractJpegShape").outputs[0]
    out: Any = math.cast(found, output_type)
    return out


def is_jpeg(contents: Any, name: str | None = None) -> Any:
    """Whether bytes begin as a JPEG file does."""
    from graphc.ops.script import py_func

    with name_scope(name, "is_jpeg"):
        found = py_func(lambda b: b[:3] == b"\xff\xd8\xff", [contents], dtypes.bool_, False)
        found.set_shape([])
        out: Any = found
        return out


def adjust_jpeg_quality(image: Any, jpeg_quality: Any, name: str | None = None) -> Any:
    """The picture as it comes back from a JPEG file; the quality is a number."""
    with name_scope(name, "adjust_jpeg_quality"):
        x = tensor(image, name="image")
        channels = x.get_shape().as_list()[-1] or 0
        pixels = convert_image_dtype(x, dtypes.uint8)
        back = decode_jpeg(encode_jpeg(pixels, quality=int(jpeg_quality)), channels)
        back.set_shape(x.get_shape())
        return convert_image_dtype(back, x.dtype.base_dtype)


def random_jpeg_quality(
    image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: int | None = None
) -> Any:
    """The picture as it comes back from JPEG files of a quality drawn for each run."""
    if not 0 <= min_jpeg_quality < max_jpeg_quality <= 100:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    from graphc.ops.script import py_func

    x = tensor(image, name="image")
    quality = random.random_uniform(
        [], min_jpeg_quality, max_jpeg_quality, dtype=dtypes.int32, seed=seed
    )

    def through(pixels: Any, q: Any) -> Any:
        text = pictures._encode(pixels, format="JPEG", options=(("quality", int(q)),), mode="")
        return pictures._decode(
            text, format="JPEG", channels=pixels.shape[2], dtype=dtypes.uint8, frames=False
        )

    back = py_func(through, [convert_image_dtype(x, dtypes.uint8), quality], dtypes.uint8)
    back.set_shape(x.get_shape())
    return convert_image_dtype(back, x.dtype.base_dtype)
