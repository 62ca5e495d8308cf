"""Colours of pictures: brightness, contrast, hue, saturation, colour spaces, types of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.image.common import checked, tensor
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ops import arrays, fills, linalg, math, random, reduce, shapes, state
from graphc.ops.counting import as_many, made, sized

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "convert_image_dtype", "grayscale_to_rgb", "hsv_to_rgb", "per_image_standardization",
    "random_brightness", "random_contrast", "random_hue", "random_saturation", "rgb_to_grayscale",
    "rgb_to_hsv", "rgb_to_yiq", "rgb_to_yuv", "yiq_to_rgb", "yuv_to_rgb",
]  # fmt: skip


def _largest(dtype: Any) -> int:
    return int(np.iinfo(dtype.as_numpy_dtype).max)


def convert_image_dtype(
    image: Any, dtype: Any, saturate: bool = False, name: str | None = None
) -> Any:
    """Pixels of another type: floats are between 0 and 1, integers between 0 and their largest.

    Parameters
    ----------
    image : Tensor
    dtype : DType
    saturate : bool
        Values out of range become the nearest in range.
    """
    x = tensor(image, name="image")
    new = dtypes.as_dtype(dtype)
    if x.dtype.base_dtype == new:
        same: Any = state.identity(x, name=name)
        return same
    with name_scope(name, "convert_image", [x]) as scope:
        cast = math.saturate_cast if saturate else math.cast
        out: Any
        if x.dtype.is_integer and new.is_integer:
            old_top, new_top = _largest(x.dtype), _largest(new)
            if old_top > new_top:
                scale = (old_top + 1) // (new_top + 1)
                out = cast(math.floordiv(x, scale), new, name=scope)
            else:
                scale = (new_top + 1) // (old_top + 1)
                out = math.multiply(cast(x, new), scale, name=scope)
        elif x.dtype.is_floating and new.is_floating:
            out = math.cast(x, new, name=scope)
        elif x.dtype.is_integer:
            out = math.multiply(math.cast(x, new), 1.0 / _largest(x.dtype), name=scope)
        else:
            out = cast(math.multiply(x, _largest(new) + 0.5), new, name=scope)
        return out


def _as_float(image: Any) -> Any:
    if image.dtype in (dtypes.float16, dtypes.float32):
        return image
    return convert_image_dtype(image, dtypes.float32)


def adjust_brightness(image: Any, delta: Any) -> Any:
    """Add `delta` to pixels between 0 and 1."""
    with name_scope(None, "adjust_brightness", [image, delta]):
        x = tensor(image, name="image")
        real = _as_float(x)
        out = math.add(real, math.cast(tensor(delta), real.dtype))
        return convert_image_dtype(out, x.dtype.base_dtype, saturate=True)


def random_brightness(image: Any, max_delta: float, seed: int | None = None) -> Any:
    """`adjust_brightness` by a number drawn between ``-max_delta`` and `max_delta`."""
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_brightness(image, random.random_uniform([], -max_delta, max_delta, seed=seed))


def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    """Distances from the mean of each picture and channel, times a factor."""
    with name_scope(None, "adjust_contrast", [images, contrast_factor]):
        x = tensor(images, name="images")
        real = _as_float(x)
        factor = math.cast(tensor(contrast_factor), real.dtype)
        with current().counts_as(1):
            mean = reduce.reduce_mean(real, axis=[-3, -2], keepdims=True)
            out = (real - mean) * factor + mean
        return convert_image_dtype(out, x.dtype.base_dtype, saturate=True)


def _ordered(lower: float, upper: float) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


def random_contrast(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    """`adjust_contrast` by a factor drawn between two bounds."""
    _ordered(lower, upper)
    return adjust_contrast(image, random.random_uniform([], lower, upper, seed=seed))


def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """``gain * pixel ** gamma`` on pixels between 0 and 1."""
    with name_scope(None, "adjust_gamma", [image, gamma, gain]):
        x = tensor(image, name="image")
        if isinstance(gamma, (int, float)) and gamma < 0:
            raise ValueError("Gamma should be a non-negative real number.")
        real = _as_float(x)
        power = math.pow(real, math.cast(tensor(gamma), real.dtype))
        out = power * math.cast(tensor(gain), real.dtype)
        return convert_image_dtype(out, x.dtype.base_dtype, saturate=True)


def rgb_to_grayscale(images: Any, name: str | None = None) -> Any:
    """The brightness of red, green and blue; one channel."""
    with name_scope(name, "rgb_to_grayscale", [images]) as scope:
        x = tensor(images, name="images")
        real = convert_image_dtype(x, dtypes.float32)
        with current().counts_as(14 if sized(x) else 28):
            if x.get_shape().ndims is None or x.get_shape().as_list()[-1] != 3:
                real = arrays.stack(_split(real), axis=-1)
            weights = tensor(np.array([0.2989, 0.5870, 0.1140]), dtype=real.dtype)
            gray = reduce.reduce_sum(real * weights, axis=[-1], keepdims=True)
        return convert_image_dtype(gray, x.dtype.base_dtype, name=scope)


def grayscale_to_rgb(images: Any, name: str | None = None) -> Any:
    """One channel three times."""
    with name_scope(name, "grayscale_to_rgb", [images]) as scope:
        x = tensor(images, name="images")
        made(1 if sized(x) else 33)
        with current().counts_as(13):
            rank = x.get_shape().ndims
            if rank is None or x.get_shape().as_list()[-1] is None:
                x = shapes.expand_dims(_split(x, 1)[0], -1)
            times: Any = None if rank is None else [1] * (rank - 1) + [3]
            if rank is None:
                times = arrays.concat([fills.ones([shapes.rank(x) - 1], dtypes.int32), [3]], 0)
            out: Any = arrays.tile(x, times, name=scope)
        return out


def _split(x: Any, count: int = 3) -> list[Any]:
    """The channels one by one; where only a run knows how many there are, it is asked."""
    last = x.get_shape()[-1:].as_list() if x.get_shape().ndims is not None else [None]
    if last not in ([count], [None]):
        raise ValueError(
            f"input must have {count} channels but input only has shape {x.get_shape()}"
        )
    if last == [None]:
        return list(arrays.unstack(x, count, axis=-1))
    return [x[..., i] for i in range(count)]


@as_many(1)
def rgb_to_hsv(images: Any, name: str | None = None) -> Any:
    """Hue, saturation and value, all between 0 and 1, of red, green and blue."""
    with name_scope(name, "RGBToHSV", [images]) as scope:
        x = tensor(images, name="images")
        r, g, b = _split(x)
        value = math.maximum(math.maximum(r, g), b)
        spread = value - math.minimum(math.minimum(r, g), b)
        none, black = math.equal(spread, 0.0), math.equal(value, 0.0)
        one = fills.ones_like(value)
        norm = 1.0 / (6.0 * math.select(none, one, spread))
        hue = math.select(
            math.equal(r, value), norm * (g - b),
            math.select(
                math.equal(g, value), norm * (b - r) + 2.0 / 6.0, norm * (r - g) + 4.0 / 6.0
            ),
        )  # fmt: skip
        hue = math.select(none, fills.zeros_like(hue), hue)
        hue = math.select(math.less(hue, 0.0), hue + 1.0, hue)
        saturation = spread / math.select(black, one, value)
        out: Any = arrays.stack([hue, saturation, value], axis=-1, name=scope)
        return out


@as_many(1)
def hsv_to_rgb(images: Any, name: str | None = None) -> Any:
    """Red, green and blue of hue, saturation and value."""
    with name_scope(name, "HSVToRGB", [images]) as scope:
        x = tensor(images, name="images")
        h, s, v = _split(x)
        sixths = h * 6.0

        def part(amount: Any) -> Any:
            clipped = math.minimum(math.maximum(amount, 0.0), 1.0)
            mixed: Any = ((1.0 - s) + s * clipped) * v
            return mixed

        red = part(math.abs(sixths - 3.0) - 1.0)
        green = part(2.0 - math.abs(sixths - 2.0))
        blue = part(2.0 - math.abs(sixths - 4.0))
        out: Any = arrays.stack([red, green, blue], axis=-1, name=scope)
        return out


def _back(out: Any, x: Any) -> Any:
    """Colours as the type of `x`; TF1 takes it that none is out of range."""
    with current().counts_as(3 if x.dtype.is_integer else None):
        return convert_image_dtype(out, x.dtype.base_dtype, saturate=True)


def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Any:
    """Turn the hue by `delta` of the circle of colours."""
    with name_scope(name, "adjust_hue", [image]):
        x = tensor(image, name="image")
        real = _as_float(x)
        angle = math.cast(tensor(delta), real.dtype)
        with current().counts_as(1):
            h, s, v = _split(rgb_to_hsv(real))
            turned = h + angle
            turned = turned - math.floor(turned)
            out = hsv_to_rgb(arrays.stack([turned, s, v], axis=-1))
        return _back(out, x)


def random_hue(image: Any, max_delta: float, seed: int | None = None) -> Any:
    """`adjust_hue` by a number drawn between ``-max_delta`` and `max_delta`."""
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_hue(image, random.random_uniform([], -max_delta, max_delta, seed=seed))


def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Any:
    """The saturation times a factor."""
    with name_scope(name, "adjust_saturation", [image]):
        x = tensor(image, name="image")
        real = _as_float(x)
        factor = math.cast(tensor(saturation_factor), real.dtype)
        with current().counts_as(1):
            h, s, v = _split(rgb_to_hsv(real))
            more = math.minimum(math.maximum(s * factor, 0.0), 1.0)
            out = hsv_to_rgb(arrays.stack([h, more, v], axis=-1))
        return _back(out, x)


def random_saturation(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    """`adjust_saturation` by a factor drawn between two bounds."""
    _ordered(lower, upper)
    return adjust_saturation(image, random.random_uniform([], lower, upper, seed=seed))


def per_image_standardization(image: Any) -> Any:
    """Each picture with mean 0 and variance 1 (a deviation of at least ``1 / sqrt(pixels)``)."""
    with name_scope(None, "per_image_standardization", [image]) as scope:
        given = checked(image)
        made(3 if given.dtype.is_integer else 0)
        with current().counts_as(21):
            x = given  # numbers of integer types are shares of the largest
            if x.dtype.is_integer:
                x = convert_image_dtype(x, dtypes.float32)
            x = math.cast(x, dtypes.float32)
            count = reduce.reduce_prod(shapes.shape(x)[-3:])
            mean = reduce.reduce_mean(x, axis=[-1, -2, -3], keepdims=True)
            variance = reduce.reduce_mean(math.square(x), axis=[-1, -2, -3], keepdims=True)
            variance = math.maximum(variance - math.square(mean), 0.0)
            least = math.rsqrt(math.cast(count, dtypes.float32))
            out = math.divide(x - mean, math.maximum(math.sqrt(variance), least))
        return convert_image_dtype(out, given.dtype.base_dtype, saturate=True, name=scope)


_YIQ = np.array(
    [
        [0.299, 0.59590059, 0.2115],
        [0.587, -0.27455667, -0.52273617],
        [0.114, -0.32134392, 0.31119955],
    ]
)
_FROM_YIQ = np.array(
    [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]]
)
_YUV = np.array(
    [
        [0.299, -0.14714119, 0.61497538],
        [0.587, -0.28886916, -0.51496512],
        [0.114, 0.43601035, -0.10001026],
    ]
)
_FROM_YUV = np.array([[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]])


def _mixed(images: Any, kernel: Any, name: str) -> Any:
    with name_scope(None, name, [images]):
        x = tensor(images, name="images")
        rank = x.get_shape().ndims
        out: Any = linalg.tensordot(x, tensor(kernel, dtype=x.dtype), axes=[[rank - 1], [0]])
        return out


def rgb_to_yiq(images: Any) -> Any:
    """Luma and two colour differences of American television."""
    return _mixed(images, _YIQ, "rgb_to_yiq")


def yiq_to_rgb(images: Any) -> Any:
    """Red, green and blue of `rgb_to_yiq`."""
    return _mixed(images, _FROM_YIQ, "yiq_to_rgb")


def rgb_to_yuv(images: Any) -> Any:
    """Luma and two colour differences of European television."""
    return _mixed(images, _YUV, "rgb_to_yuv")


def yuv_to_rgb(images: Any) -> Any:
    """Red, green and blue of `rgb_to_yuv`."""
    return _mixed(images, _FROM_YUV, "yuv_to_rgb")
