"""Pictures mirrored, turned, cut and padded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import name_scope
from graphc.image.common import as_images, batched, checked, one_if_unknown, sizes, tensor
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import (
    arrays,
    broadcasting,
    math,
    random,
    shapes,
    spaced,
    state,
    transposing,
)
from graphc.ops.counting import as_many, sized
from graphc.ops.pixels import extract_image_patches

__all__ = [
    "central_crop", "crop_to_bounding_box", "extract_patches",
    "flip_left_right", "flip_up_down", "pad_to_bounding_box", "random_flip_left_right",
    "random_flip_up_down", "resize_image_with_crop_or_pad", "resize_with_crop_or_pad", "rot90",
    "transpose", "transpose_image",
]  # fmt: skip


def _flipped(image: Any, axis: int, name: str) -> Any:
    """`image` reversed along an axis, counted from the last of three."""
    with name_scope(None, name, [image]):
        x = checked(image)
        out: Any = arrays.reverse(x, [x.get_shape().ndims + axis])
        return out


@one_if_unknown
def flip_left_right(image: Any) -> Any:
    """The picture in a mirror beside it."""
    return _flipped(image, -2, "flip_left_right")


@one_if_unknown
def flip_up_down(image: Any) -> Any:
    """The picture in a mirror below it."""
    return _flipped(image, -3, "flip_up_down")


def _random_flip(image: Any, axis: int, seed: int | None, name: str) -> Any:
    """Each picture mirrored or not, by a draw of its own."""
    with name_scope(None, name, [image]) as scope:
        x = checked(image)
        rank = x.get_shape().ndims
        if rank == 3:
            draw = random.random_uniform([], 0, 1.0, seed=seed)
            with current().counts_as(11):
                n = sizes(x)[rank + axis]
                places = spaced.range(n)
                index = math.select(
                    broadcasting.broadcast_to(math.less(draw, 0.5), shapes.shape(places)),
                    n - 1 - places, places,
                )  # fmt: skip
                gathered = arrays.gather(x, index, axis=rank + axis)
                out: Any = state.identity(gathered, name=scope)
            return out
        with current().counts_as(5):
            count = sizes(x)[0]
        draws = random.random_uniform([count], 0, 1.0, seed=seed)
        with current().counts_as(13):
            flip = shapes.reshape(math.cast(math.rint(draws), x.dtype), [-1, 1, 1, 1])
            out = flip * arrays.reverse(x, [4 + axis]) + (1 - flip) * x
        return out


@one_if_unknown
def random_flip_left_right(image: Any, seed: int | None = None) -> Any:
    """Mirror left and right with probability one half."""
    return _random_flip(image, -2, seed, "random_flip_left_right")


@one_if_unknown
def random_flip_up_down(image: Any, seed: int | None = None) -> Any:
    """Mirror up and down with probability one half."""
    return _random_flip(image, -3, seed, "random_flip_up_down")


@one_if_unknown
def transpose(image: Any, name: str | None = None) -> Any:
    """Height and width exchanged."""
    with name_scope(name, "transpose", [image]):
        x = checked(image)
        out: Any = transposing.transpose(x, [1, 0, 2] if x.get_shape().ndims == 3 else [0, 2, 1, 3])
        return out


transpose_image = transpose


@one_if_unknown
@as_many(lambda image, *more, **named: 63 if sized(image) else 85)
def rot90(image: Any, k: int = 1, name: str | None = None) -> Any:
    """Turn by `k` times 90 degrees, against the clock; `k` is a number."""
    with name_scope(name, "rot90", [image, k]):
        turn = int(k) % 4

        def body(x: Any) -> Any:
            if turn == 0:
                return x
            if turn == 2:
                both: Any = arrays.reverse(x, [1, 2])
                return both
            swapped = transposing.transpose(x, [0, 2, 1, 3])
            out: Any = arrays.reverse(swapped, [1 if turn == 1 else 2])
            return out

        return batched(image, body)


def _cutting(small: int, known: int, open_: int) -> Callable[..., int | None]:
    """Counts of a function that cuts or pads: of one picture, a batch, pictures of any size."""

    def count(image: Any, *numbers: Any, **named: Any) -> int | None:
        given = image.static_shape if isinstance(image, Value) else None
        if given is None or not all(type(n) is int for n in (*numbers, *named.values())):
            return None
        if sized(image):
            return small if len(given) == 3 else small - 3
        batch = len(given) == 4 and all(type(d) is int for d in given[1:])
        return known if batch else open_ if len(given) == 3 else None

    return count


@one_if_unknown
@as_many(_cutting(7, 28, 41))
def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """The part of `target_height` by `target_width` pixels from a place on."""
    with name_scope(None, "crop_to_bounding_box", [image]):

        def body(x: Any) -> Any:
            height, width = x.get_shape().as_list()[1:3]
            for offset, target, size, what in (
                (offset_width, target_width, width, "width"),
                (offset_height, target_height, height, "height"),
            ):
                if isinstance(offset, int) and offset < 0:
                    raise ValueError(f"offset_{what} must be >= 0.")
                if isinstance(target, int) and target <= 0:
                    raise ValueError(f"target_{what} must be > 0.")
                known = all(isinstance(v, int) for v in (offset, target, size))
                if known and offset + target > size:
                    raise ValueError(f"{what} must be >= target + offset.")
            begin = [0, offset_height, offset_width, 0]
            size = [-1, target_height, target_width, -1]
            out: Any = arrays.slice(x, _vector(begin), _vector(size))
            static = [v if isinstance(v, int) else None for v in (target_height, target_width)]
            out.set_shape([x.get_shape().as_list()[0], *static, x.get_shape().as_list()[3]])
            return out

        return batched(image, body)


def _vector(values: list[Any]) -> Any:
    """Numbers as they are; numbers and tensors as one tensor."""
    if all(isinstance(v, int) for v in values):
        return values
    return arrays.stack([math.cast(tensor(v), dtypes.int32) for v in values])


@one_if_unknown
@as_many(_cutting(8, 29, 52))
def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """The picture at a place in `target_height` by `target_width` zeros."""
    with name_scope(None, "pad_to_bounding_box", [image]):

        def body(x: Any) -> Any:
            _, height, width, _ = sizes(x)
            below = target_height - offset_height - height
            right = target_width - offset_width - width
            for value, text in (
                (offset_height, "offset_height must be >= 0"),
                (offset_width, "offset_width must be >= 0"),
                (right, "width must be <= target - offset"),
                (below, "height must be <= target - offset"),
            ):
                if isinstance(value, int) and value < 0:
                    raise ValueError(text)
            flat = [0, 0, offset_height, below, offset_width, right, 0, 0]
            if all(isinstance(v, int) for v in flat):
                paddings: Any = [flat[i : i + 2] for i in (0, 2, 4, 6)]
            else:
                paddings = shapes.reshape(_vector(flat), [4, 2])
            out: Any = arrays.pad(x, paddings)
            static = [v if isinstance(v, int) else None for v in (target_height, target_width)]
            out.set_shape([x.get_shape().as_list()[0], *static, x.get_shape().as_list()[3]])
            return out

        return batched(image, body)


@one_if_unknown
@as_many(_cutting(14, 85, 176))
def resize_image_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The middle of the picture, with zeros around it where it is smaller."""
    with name_scope(None, "resize_image_with_crop_or_pad", [image]):

        def body(x: Any) -> Any:
            for target, what in ((target_width, "width"), (target_height, "height")):
                if isinstance(target, int) and target <= 0:
                    raise ValueError(f"target_{what} must be > 0.")
            _, height, width, _ = sizes(x)
            cut = crop_to_bounding_box(
                x, _half(height, target_height), _half(width, target_width),
                _least(target_height, height), _least(target_width, width),
            )  # fmt: skip
            return pad_to_bounding_box(
                cut, _half(target_height, height), _half(target_width, width),
                target_height, target_width,
            )  # fmt: skip

        return batched(image, body)


resize_with_crop_or_pad = resize_image_with_crop_or_pad


def _half(a: Any, b: Any) -> Any:
    """Half of what `a` is more than `b`; of an odd number of pixels one less is on this side."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a - b, 0) // 2
    return math.maximum(a - b, 0) // 2


def _least(a: Any, b: Any) -> Any:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else math.minimum(a, b)


def _central(image: Any, central_fraction: float) -> int | None:
    if central_fraction == 1.0 or not isinstance(image, Value) or image.rank is None:
        return None
    if sized(image):
        return 4
    return 26 if all(type(d) is int for d in (image.static_shape or ())[-3:]) else 58


@as_many(_central)
def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle of the picture, `central_fraction` of its height and width."""
    with name_scope(None, "central_crop", [image]):
        if central_fraction <= 0.0 or central_fraction > 1.0:
            raise ValueError("central_fraction must be within (0, 1]")
        if central_fraction == 1.0:
            return as_images(image)

        def body(x: Any) -> Any:
            starts, counts = [], []
            for n in sizes(x)[1:3]:
                if isinstance(n, int):
                    start: Any = int((n - n * central_fraction) / 2)
                else:
                    real = math.cast(n, dtypes.float64)
                    start = math.cast((real - real * central_fraction) / 2, dtypes.int32)
                starts.append(start)
                counts.append(n - start * 2)
            return crop_to_bounding_box(x, *starts, *counts)

        return batched(image, body)


def extract_patches(
    images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: str | None = None
) -> Any:
    """Windows of the pictures, each flattened into channels."""
    return extract_image_patches(images, sizes, strides, rates, padding, name)
