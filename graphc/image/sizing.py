"""Pictures in other sizes: every method reads a few rows, then a few columns, with weights."""

from __future__ import annotations

import enum
from typing import Any

import numpy as np

from graphc.face.current import name_scope
from graphc.image.common import batched, of_rank, sizes, tensor
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import arrays, linalg, math, shapes, spaced, state, tiling

__all__ = [
    "ResizeMethod", "resize", "resize_area", "resize_bicubic", "resize_bilinear",
    "resize_image_with_pad", "resize_images", "resize_nearest_neighbor",
]  # fmt: skip


class ResizeMethod:
    """How `resize_images` finds a pixel of the new picture."""

    BILINEAR = 0
    NEAREST_NEIGHBOR = 1
    BICUBIC = 2
    AREA = 3


class _Axis(enum.IntEnum):
    HEIGHT = 1
    WIDTH = 2


def _target(size: Any) -> list[Any]:
    """Height and width of the result: numbers where they are known."""
    found: Any = None
    if isinstance(size, Value):
        found = known(size)
    elif not (isinstance(size, (list, tuple)) and any(isinstance(s, Value) for s in size)):
        found = tuple(int(v) for v in np.ravel([getattr(s, "value", s) for s in np.ravel(size)]))
    if isinstance(found, tuple) and len(found) == 2 and all(isinstance(v, int) for v in found):
        return list(found)
    both = of_rank(tensor(size, dtype=dtypes.int32, name="size"), 1)
    if not both.get_shape().is_compatible_with([2]):
        raise ValueError("'size' must be a 1-D int32 Tensor of 2 elements: new_height, new_width")
    return [both[0], both[1]]


def _scale(old: Any, new: Any, align_corners: bool) -> Any:
    """Pixels of the old picture for one of the new, in float32 as TensorFlow computes it."""
    if isinstance(old, int) and isinstance(new, int):
        aligned = align_corners and new > 1
        top, bottom = (old - 1, new - 1) if aligned else (old, new)
        out: Any = tensor(np.float32(np.float32(top) / np.float32(bottom)))
        return out
    old, new = (math.cast(tensor(v), dtypes.float32) for v in (old, new))
    plain: Any = old / new
    if not align_corners:
        return plain
    made: Any = math.select(
        math.greater(new, 1.0), (old - 1.0) / math.maximum(new - 1.0, 1.0), plain
    )
    return made


def _places(old: Any, new: Any, align_corners: bool, half_pixel: bool) -> Any:
    """Where each new pixel is among the old ones."""
    steps = math.cast(spaced.range(new), dtypes.float32)
    scale = _scale(old, new, align_corners)
    return (steps + 0.5) * scale - 0.5 if half_pixel else steps * scale


#: Channels up to which a column's pixels are picked with those of its neighbours.
FEW = 15


class _Lines:
    """The rows or columns of pictures, as they are picked and weighted.

    Where sizes are known, what lies behind the axis is one axis with it or behind it: loops over
    the elements of a row are longer than those over the channels of a pixel.
    """

    def __init__(self, x: Any, axis: int, new: Any) -> None:
        self.axis = axis
        n, h, w, c = sizes(x)
        self.size = (n, h, w, c)[axis]
        self.channels = c
        fixed = all(isinstance(v, int) and v > 0 for v in (h, w, c, new))
        self.rows = fixed and axis == _Axis.HEIGHT
        self.columns = fixed and axis == _Axis.WIDTH and c <= FEW
        many = n if isinstance(n, int) else -1
        self.shape = [many, new, w, c] if self.rows else [many, h, new, c]
        self.x = shapes.reshape(x, [many, h, w * c]) if self.rows or self.columns else x

    def pick(self, index: Any) -> Any:
        """The lines of these numbers."""
        if self.columns:
            c = self.channels
            index = shapes.reshape(shapes.expand_dims(index * c, 1) + np.arange(c), [-1])
        return arrays.gather(self.x, index, axis=self.axis)

    def along(self, values: Any) -> Any:
        """A weight for each picked line."""
        if self.columns:
            each = shapes.expand_dims(values, 1) + np.zeros(self.channels, np.float32)
            return shapes.reshape(each, [1, 1, -1])
        if self.rows:
            return shapes.reshape(values, [1, -1, 1])
        shape = [1, -1, 1, 1] if self.axis == _Axis.HEIGHT else [1, 1, -1, 1]
        return shapes.reshape(values, shape)

    def made(self, x: Any) -> Any:
        """The pictures, made of such lines."""
        return shapes.reshape(x, self.shape) if self.rows or self.columns else x


def _bilinear_axis(x: Any, new: Any, axis: int, align: bool, half: bool) -> Any:
    lines = _Lines(x, axis, new)
    place = _places(lines.size, new, align, half)
    floor = math.floor(place)
    low = math.cast(math.maximum(floor, 0.0), dtypes.int32)
    high = math.minimum(math.cast(math.ceil(place), dtypes.int32), lines.size - 1)
    first, second = lines.pick(low), lines.pick(high)
    return lines.made(first + (second - first) * lines.along(place - floor))


def _times(old: Any, new: Any, align: bool, half: bool) -> int:
    """How often each old line is there among the new ones, all side by side; 0: not so."""
    if (
        not (isinstance(old, int) and isinstance(new, int))
        or align
        or min(old, new) <= 0
        or new % old
    ):
        return 0
    place = (np.arange(new, dtype=np.float32) + np.float32(0.5 if half else 0)) * (
        np.float32(old) / np.float32(new)
    )
    same = np.array_equal(np.floor(place), np.arange(new) // (new // old))
    return new // old if same else 0


def _repeated(x: Any, new: Any, align: bool, half: bool) -> Any:
    """Pictures in which each pixel is there several times; None for other sizes.

    So the gradient is a sum of neighbours, where that of picked lines adds each to its line.
    """
    n, h, w, c = sizes(x)
    down, along = (_times(old, to, align, half) for old, to in zip((h, w), new, strict=True))
    if not down or not along or not isinstance(c, int):
        return None
    many = n if isinstance(n, int) else -1
    each = shapes.reshape(x, [many, h, 1, w, 1, c])
    return shapes.reshape(
        tiling.tile(each, [1, 1, down, 1, along, 1]), [many, h * down, w * along, c]
    )


def _nearest_axis(x: Any, new: Any, axis: int, align: bool, half: bool) -> Any:
    lines = _Lines(x, axis, new)
    old = lines.size
    steps = math.cast(spaced.range(new), dtypes.float32)
    place = (steps + 0.5 if half else steps) * _scale(old, new, align)
    # to the nearest, halves up: TensorFlow's roundf, for places that are never negative
    index = math.cast(math.floor(place + 0.5) if align else math.floor(place), dtypes.int32)
    return lines.made(lines.pick(math.minimum(index, old - 1)))


def _bicubic_axis(x: Any, new: Any, axis: int, align: bool, half: bool) -> Any:
    """Keys' cubic on four neighbours; distances are rounded to 1/1024 as in TensorFlow's table."""
    lines = _Lines(x, axis, new)
    old = lines.size
    place = _places(old, new, align, half)
    floor = math.floor(place)
    d = math.rint((place - floor) * 1024.0) / 1024.0
    a = -0.5 if half else -0.75

    def near(t: Any) -> Any:
        out: Any = ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
        return out

    def far(t: Any) -> Any:
        out: Any = ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a
        return out

    weights = [far(d + 1.0), near(d), near(1.0 - d), far(2.0 - d)]
    base = math.cast(floor, dtypes.int32)
    indices = [base + k for k in (-1, 0, 1, 2)]
    inside = [math.maximum(math.minimum(i, old - 1), 0) for i in indices]
    if half:  # neighbours outside have no weight, the others share it
        kept = [
            math.cast(math.equal(i, j), dtypes.float32)
            for i, j in zip(indices, inside, strict=True)
        ]
        weights = [w * k for w, k in zip(weights, kept, strict=True)]
        total = weights[0] + weights[1] + weights[2] + weights[3]
        weights = [w / total for w in weights]
    return _weighted(lines, inside, weights)


def _weighted(lines: _Lines, indices: list[Any], weights: list[Any]) -> Any:
    """The sum of some lines for each new one."""
    out = lines.pick(indices[0]) * lines.along(weights[0])
    for i, w in zip(indices[1:], weights[1:], strict=True):
        out = out + lines.pick(i) * lines.along(w)
    return lines.made(out)


#: Old pixels of a new one up to which they are picked; of more, a product of matrices is made.
COVERED = 8


def _covered(old: Any, start: Any, pixel: Any, scale: Any) -> Any:
    """How much of `pixel` is between `start` and `start` + `scale`, as a share of `scale`."""
    # what is beyond the picture counts as its last pixel
    beyond = math.cast(math.equal(pixel, math.cast(old - 1, dtypes.float32)), dtypes.float32)
    covered = math.minimum(pixel + 1.0 + beyond * 1e9, start + scale) - math.maximum(pixel, start)
    out: Any = math.maximum(covered, 0.0) / scale
    return out


def _area_axis(x: Any, new: Any, axis: int, align: bool) -> Any:
    """The mean of what each new line covers."""
    lines = _Lines(x, axis, new)
    old = lines.size
    scale = _scale(old, new, align)
    start = math.cast(spaced.range(new), dtypes.float32) * scale
    many = _most_covered(old, new, align)
    if many is None or many > COVERED:
        pixels = shapes.expand_dims(math.cast(spaced.range(old), dtypes.float32), 0)
        shares = _covered(old, shapes.expand_dims(start, 1), pixels, scale)
        return linalg.einsum(
            "ph,nhwc->npwc" if axis == _Axis.HEIGHT else "qw,npwc->npqc", shares, x
        )
    first = math.floor(start)
    base = math.cast(first, dtypes.int32)
    indices = [math.minimum(base + k, old - 1) for k in range(many)]
    shares = [_covered(old, start, first + float(k), scale) for k in range(many)]
    shares = [math.select(base + k < old, s, 0.0) for k, s in enumerate(shares)]
    return _weighted(lines, indices, shares)


def _most_covered(old: Any, new: Any, align: bool) -> int | None:
    """How many old pixels a new one covers at most; None where sizes are not known."""
    if not (isinstance(old, int) and isinstance(new, int) and new > 0):
        return None
    scale = (old - 1) / (new - 1) if align and new > 1 else old / new
    return int(scale) if scale.is_integer() and scale > 0 else int(np.ceil(scale)) + 1


def _one(size: Any, *facts: tuple[int, int]) -> Any:
    """TF1 has one operation for a new size, and a constant where that is numbers."""
    return current().counts_as(1 if isinstance(size, Value) else 2, facts)


def resize_area(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None
) -> Any:
    """The mean of the part of the picture that each new pixel covers; a float32 batch."""
    with name_scope(name, "ResizeArea", [images]), _one(size):
        x = math.cast(of_rank(tensor(images, name="images"), 4), dtypes.float32)
        new = _target(size)
        for axis in _Axis:
            x = _area_axis(x, new[axis - 1], int(axis), align_corners)
        return x


def _method(kind: Any, tf_name: str, keep: bool = False) -> Any:
    def resized(
        images: Any, size: Any, align_corners: bool = False, name: str | None = None,
        half_pixel_centers: bool = False,
    ) -> Any:  # fmt: skip
        if align_corners and half_pixel_centers:
            raise ValueError("If half_pixel_centers is True, align_corners must be False.")
        with name_scope(name, tf_name, [images]) as scope:
            x = of_rank(tensor(images, name="images"), 4)
            fixed = x.rank == 4 and x.get_shape()[1:3].is_fully_defined()
            facts = ((2, 1) if fixed else (6, 1)) if keep else (1, 1)
            if x.get_shape().ndims != 4:
                raise ValueError(f"Shape must be rank 4 but is rank {x.get_shape().ndims}")
            with _one(size, facts):
                if not keep:
                    x = math.cast(x, dtypes.float32)
                new = _target(size)
                quick = _repeated(x, new, align_corners, half_pixel_centers) if keep else None
                if quick is not None:
                    x = quick
                for axis in _Axis if quick is None else ():
                    x = kind(x, new[axis - 1], int(axis), align_corners, half_pixel_centers)
                out: Any = state.identity(x, name=scope)
            return out

    return resized


# columns first would round otherwise: TensorFlow mixes along a row, then between rows
def _bilinear(images: Any, size: Any, align: bool, name: str | None, half: bool) -> Any:
    with name_scope(name, "ResizeBilinear", [images]) as scope:
        x = of_rank(tensor(images, name="images"), 4)
        if x.get_shape().ndims != 4:
            raise ValueError(f"Shape must be rank 4 but is rank {x.get_shape().ndims}")
        with _one(size, (1, 1)):
            x = math.cast(x, dtypes.float32)
            new = _target(size)
            x = _bilinear_axis(x, new[1], _Axis.WIDTH, align, half)
            x = _bilinear_axis(x, new[0], _Axis.HEIGHT, align, half)
            out: Any = state.identity(x, name=scope)
        return out


def resize_bilinear(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None,
    half_pixel_centers: bool = False,
) -> Any:  # fmt: skip
    """A mixture of the four old pixels around each new one; a float32 batch.

    Parameters
    ----------
    images : Tensor
        Of shape (batch, height, width, channels).
    size : (int, int) or Tensor
        New height and width.
    align_corners : bool
        The corners of the new picture are those of the old one.
    half_pixel_centers : bool
        A pixel is at its middle, not at its upper left corner.
    """
    return _bilinear(images, size, align_corners, name, half_pixel_centers)


_nearest = _method(_nearest_axis, "ResizeNearestNeighbor", keep=True)
_bicubic = _method(_bicubic_axis, "ResizeBicubic")


def resize_nearest_neighbor(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None,
    half_pixel_centers: bool = False,
) -> Any:  # fmt: skip
    """The old pixel nearest to each new one; see `resize_bilinear`. The dtype stays."""
    out: Any = _nearest(images, size, align_corners, name, half_pixel_centers)
    return out


def resize_bicubic(
    images: Any, size: Any, align_corners: bool = False, name: str | None = None,
    half_pixel_centers: bool = False,
) -> Any:  # fmt: skip
    """A cubic through sixteen old pixels around each new one; see `resize_bilinear`."""
    out: Any = _bicubic(images, size, align_corners, name, half_pixel_centers)
    return out


_METHODS = {
    ResizeMethod.BILINEAR: resize_bilinear,
    ResizeMethod.NEAREST_NEIGHBOR: resize_nearest_neighbor,
    ResizeMethod.BICUBIC: resize_bicubic,
    ResizeMethod.AREA: resize_area,
}


def resize_images(
    images: Any, size: Any, method: Any = ResizeMethod.BILINEAR, align_corners: bool = False,
    preserve_aspect_ratio: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """A picture or a batch in another size.

    Parameters
    ----------
    images : Tensor
        Of three or four axes.
    size : (int, int) or Tensor
        New height and width.
    method : int
        One of `ResizeMethod`.
    align_corners : bool
        The corners of the new picture are those of the old one.
    preserve_aspect_ratio : bool
        Make the largest picture of the old proportions that fits.

    Returns
    -------
    Tensor
        float32, except for the nearest neighbour and where the size stays.
    """
    if method not in _METHODS:
        raise ValueError("Resize method is not implemented.")

    def body(x: Any) -> Any:
        if preserve_aspect_ratio:  # TensorFlow computes it, even where the size stays
            given = 0 if isinstance(size, Value) else 1
            with current().counts_as(_proportional_count(x.get_shape().as_list()) + given):
                new = _proportional(sizes(x)[1:3], _target(size))
                packed = tensor(_packed(new), dtype=dtypes.int32)
            return _METHODS[method](x, packed, align_corners)
        with current().counts_as(0):
            new = _target(size)
        if all(isinstance(v, int) for v in new) and x.get_shape().as_list()[1:3] == new:
            current().reserve(*[] if isinstance(size, Value) else ["size"])
            return x
        with current().counts_as(0):
            packed = _packed(new)
        # numbers of a tensor are no constant
        if isinstance(size, Value) and not isinstance(packed, Value):
            packed = size
        return _METHODS[method](x, packed, align_corners)

    with name_scope(name, "resize", [images, size]):
        return batched(images, body)


resize = resize_images


def _packed(size: list[Any]) -> Any:
    return size if all(isinstance(v, int) for v in size) else arrays.stack(size)


def _proportional(old: list[Any], new: list[Any]) -> list[Any]:
    """The largest size of the proportions `old` within `new`."""
    if all(isinstance(v, int) for v in [*old, *new]):
        scale = min(np.float32(n) / np.float32(o) for o, n in zip(old, new, strict=True))
        return [round(float(np.float32(scale) * np.float32(o))) for o in old]
    floats = [math.cast(tensor(v), dtypes.float32) for v in [*old, *new]]
    factor = math.minimum(floats[2] / floats[0], floats[3] / floats[1])
    return [math.cast(math.rint(factor * o), dtypes.int32) for o in floats[:2]]


def _proportional_count(shape: list[int | None]) -> int:
    """How many operations TF1 makes for that size, of pictures of this shape."""
    return 22 + 2 * (None in shape) - 2 * shape[1:3].count(None)


def resize_image_with_pad(
    image: Any, target_height: int, target_width: int, method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
) -> Any:  # fmt: skip
    """The largest picture of the old proportions, in the middle of zeros."""
    from graphc.image.geometry import pad_to_bounding_box

    if target_height <= 0 or target_width <= 0:
        raise ValueError("target_height and target_width must be > 0.")

    def body(x: Any) -> Any:
        old = x.get_shape().as_list()[1:3]
        if None in old:
            raise ValueError("resize_image_with_pad needs a picture of known height and width")
        ratio = max(old[1] / target_width, old[0] / target_height)
        height, width = (int(np.floor(s / ratio)) for s in old)
        top = max(0, int(np.floor((target_height - old[0] / ratio) / 2)))
        left = max(0, int(np.floor((target_width - old[1] / ratio) / 2)))
        small = resize_images(x, [height, width], method, align_corners)
        return pad_to_bounding_box(small, top, left, target_height, target_width)

    with name_scope(None, "resize_image_with_pad", [image]):
        return batched(image, body)
