"""What all image functions share: pictures of three or four axes, sizes as numbers or tensors."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import fills, math, shapes
from graphc.ops.check import ensure_shape
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made, sized

__all__ = [
    "as_images",
    "batched",
    "check_rank",
    "checked",
    "chosen",
    "of_rank",
    "one_if_unknown",
    "sizes",
    "tensor",
]


def as_images(image: Any, name: str = "image") -> Any:
    """A picture (height, width, channels) or a batch of them as a tensor."""
    out: Any = tensor(image, name=name)
    check_rank(out)
    return out


def tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """`value` as a tensor of the face."""
    return convert_to_tensor(value, dtype, name)


def check_rank(image: Any) -> None:
    """Refuse what cannot be pictures."""
    if image.get_shape().ndims not in (None, 3, 4):
        raise ValueError(
            f"'image' must have either 3 or 4 dimensions, but has {image.get_shape()}."
        )


def of_rank(image: Any, rank: int) -> Any:
    """`image`; one of unknown rank with a rank that a run checks. TF1 makes no operation of it."""
    if not isinstance(image, Value) or image.static_shape is not None:
        return image
    with current().counts_as(0):
        return ensure_shape(image, [None] * rank, name=f"{image.node.name}/picture")


def one_if_unknown(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which takes a tensor of unknown rank for one picture, as TF1 does."""

    @wraps(f)
    def call(image: Any, *args: Any, **named: Any) -> Any:
        return f(of_rank(image, 3), *args, **named)

    return call


def checked(image: Any) -> Any:
    """`as_images` where TF1 makes sure that there are sizes, in a run if need be."""
    x = as_images(image)
    made(1 if sized(x) else 23)
    return x


def batched(image: Any, body: Callable[[Any], Any], name: str = "images") -> Any:
    """Apply `body`, which takes four axes, to a picture or a batch."""
    given = as_images(image, name)
    if given.get_shape().ndims is None:
        raise ValueError("'images' contains no shape.")
    if given.get_shape().ndims == 4:
        return body(given)
    one: Any = shapes.squeeze(body(shapes.expand_dims(given, 0)), axis=[0])
    return one


def chosen(condition: Any, yes: Any, no: Any) -> Any:
    """`yes` where a condition holds that is broadcast to their shape, else `no`."""
    return math.select(math.logical_and(condition, fills.ones_like(yes, dtypes.bool_)), yes, no)


def sizes(image: Any) -> list[Any]:
    """Sizes of the axes: numbers where they are known, else scalar tensors."""
    static = image.get_shape().as_list()
    if all(s is not None for s in static):
        return list(static)
    dynamic = shapes.shape(image)
    return [dynamic[i] if s is None else s for i, s in enumerate(static)]
