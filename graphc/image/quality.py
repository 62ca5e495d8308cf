"""How alike pictures are, how rough they are, and their derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.image.colour import convert_image_dtype
from graphc.image.common import sizes, tensor
from graphc.ir import dtypes
from graphc.ops import arrays, depthwise, math, nn, pool, reduce, shapes, tiling
from graphc.ops.counting import as_many

__all__ = ["image_gradients", "psnr", "sobel_edges", "ssim", "ssim_multiscale", "total_variation"]


def _pair(a: Any, b: Any, max_val: Any) -> tuple[Any, Any, Any]:
    """Two batches and the largest value in float32."""
    x, y = tensor(a, name="a"), tensor(b, name="b")
    for one in (x, y):
        if (one.get_shape().ndims or 3) < 3:
            raise ValueError(f"pictures have at least three axes, not {one.get_shape()}")
    if not x.get_shape().is_compatible_with(y.get_shape()):
        raise ValueError(f"Shapes {x.get_shape()} and {y.get_shape()} are incompatible")
    top = convert_image_dtype(math.cast(tensor(max_val), x.dtype), dtypes.float32)
    return convert_image_dtype(x, dtypes.float32), convert_image_dtype(y, dtypes.float32), top


@as_many(35)
def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Any:
    """Peak signal-to-noise ratio of pairs of pictures, in decibels."""
    with name_scope(name, "PSNR", [a, b]) as scope:
        x, y, top = _pair(a, b, max_val)
        mse = reduce.reduce_mean(math.squared_difference(x, y), axis=[-3, -2, -1])
        tens = np.float32(np.log(10.0))
        out: Any = math.subtract(
            20.0 * math.log(top) / tens, np.float32(10 / np.log(10)) * math.log(mse), name=scope
        )
        return out


def _window(size: int, sigma: float) -> Any:
    places = np.arange(size, dtype=np.float32) - (size - 1.0) / 2
    grid = np.square(places) * (-0.5 / sigma**2)
    flat = (grid[:, None] + grid[None, :]).reshape(-1)
    weights = np.exp(flat - flat.max())
    return (weights / weights.sum()).reshape(size, size, 1, 1).astype(np.float32)


def _structure(
    x: Any, y: Any, top: Any, size: int, sigma: float, k1: float, k2: float
) -> tuple[Any, Any]:
    """Means over the windows of the whole index, and of its part without brightness."""
    channels = x.get_shape()[-1].value
    if channels is None:
        channels = shapes.shape(x)[-1]
        kernel = tiling.tile(tensor(_window(size, sigma)), [1, 1, channels, 1])
    else:
        kernel = tensor(np.tile(_window(size, sigma), [1, 1, channels, 1]))
    before = shapes.shape(x)[:-3]

    def mean(v: Any) -> Any:
        out: Any = depthwise.depthwise_conv2d(
            _flat(v), kernel, strides=[1, 1, 1, 1], padding="VALID"
        )
        return out

    c1, c2 = math.square(k1 * top), math.square(k2 * top)
    mean0, mean1 = mean(x), mean(y)
    num0 = mean0 * mean1 * 2.0
    den0 = math.square(mean0) + math.square(mean1)
    luminance = (num0 + c1) / (den0 + c1)
    num1 = mean(x * y) * 2.0
    den1 = mean(math.square(x) + math.square(y))
    cs = (num1 - num0 + c2) / (den1 - den0 + c2)
    whole = reduce.reduce_mean(luminance * cs, axis=[-3, -2])
    part = reduce.reduce_mean(cs, axis=[-3, -2])
    back = arrays.concat([before, [channels]], 0)
    return shapes.reshape(whole, back), shapes.reshape(part, back)


def _flat(v: Any) -> Any:
    """Any number of leading axes as one."""
    last = arrays.concat([[-1], shapes.shape(v)[-3:]], 0)
    static = [None] * 3 if v.rank is None else v.get_shape().as_list()[-3:]
    out: Any = shapes.reshape(v, last)
    out.set_shape([None, *static])
    return out


def ssim(
    img1: Any, img2: Any, max_val: Any, filter_size: int = 11, filter_sigma: float = 1.5,
    k1: float = 0.01, k2: float = 0.03,
) -> Any:  # fmt: skip
    """Structural similarity of pairs of pictures, by windows of a Gaussian weight."""
    with name_scope(None, "SSIM", [img1, img2]):
        x, y, top = _pair(img1, img2, max_val)
        whole, _ = _structure(x, y, top, filter_size, filter_sigma, k1, k2)
        out: Any = reduce.reduce_mean(whole, axis=[-1])
        return out


_POWERS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def ssim_multiscale(
    img1: Any, img2: Any, max_val: Any, power_factors: Any = _POWERS, filter_size: int = 11,
    filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
) -> Any:  # fmt: skip
    """Structural similarity at several sizes, each half of the one before, multiplied."""
    with name_scope(None, "MS-SSIM", [img1, img2]):
        x, y, top = _pair(img1, img2, max_val)
        before = shapes.shape(x)[:-3]
        x, y = _flat(x), _flat(y)
        parts: list[Any] = []
        for k in range(len(power_factors)):
            if k > 0:
                x, y = (_halved(v) for v in (x, y))
            whole, part = _structure(x, y, top, filter_size, filter_sigma, k1, k2)
            parts.append(nn.relu(part))
        parts[-1] = nn.relu(whole)
        powers = tensor(np.array(power_factors, np.float32))
        product = reduce.reduce_prod(math.pow(arrays.stack(parts, axis=-1), powers), axis=[-1])
        mean = reduce.reduce_mean(product, axis=[-1])
        out: Any = shapes.reshape(mean, before)
        return out


def _halved(v: Any) -> Any:
    """Half the height and width; odd sizes get their last row and column twice."""
    height, width = sizes(v)[1:3]
    v = arrays.pad(v, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]], mode="SYMMETRIC")
    out: Any = pool.avg_pool(v, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")
    return out


def total_variation(images: Any, name: str | None = None) -> Any:
    """The sum of differences between neighbouring pixels, of each picture."""
    with name_scope(name, "total_variation"):
        x = tensor(images, name="images")
        rank = x.get_shape().ndims
        if rank not in (3, 4):
            raise ValueError("'images' must be either 3 or 4-dimensional.")
        down = x[..., 1:, :, :] - x[..., :-1, :, :]
        along = x[..., :, 1:, :] - x[..., :, :-1, :]
        axes = None if rank == 3 else [1, 2, 3]
        out: Any = reduce.reduce_sum(math.abs(down), axis=axes) + reduce.reduce_sum(
            math.abs(along), axis=axes
        )
        return out


@as_many(34)
def image_gradients(image: Any) -> tuple[Any, Any]:
    """Differences to the next pixel downwards and to the right; zero at the last one."""
    x = tensor(image)
    if x.get_shape().ndims != 4:
        raise ValueError(
            f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {x.get_shape()}."
        )
    down = arrays.pad(x[:, 1:] - x[:, :-1], [[0, 0], [0, 1], [0, 0], [0, 0]])
    along = arrays.pad(x[:, :, 1:] - x[:, :, :-1], [[0, 0], [0, 0], [0, 1], [0, 0]])
    return down, along


@as_many(20)
def sobel_edges(image: Any) -> Any:
    """Sobel's derivatives downwards and to the right, on a new last axis."""
    x = tensor(image)
    s = x.get_shape().with_rank(4)
    depth = s.as_list()[3]
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], np.float32)
    kernels = np.stack([down, down.T], -1).reshape(3, 3, 1, 2)
    padded = arrays.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    if depth is None:
        kernel = arrays.tile(tensor(kernels, dtype=x.dtype), [1, 1, shapes.shape(x)[3], 1])
    else:
        kernel = tensor(np.tile(kernels, [1, 1, depth, 1]), dtype=x.dtype)
    edges = depthwise.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")
    out: Any = shapes.reshape(edges, arrays.concat([shapes.shape(x), [2]], 0))
    out.set_shape([*s.as_list(), 2])
    return out
