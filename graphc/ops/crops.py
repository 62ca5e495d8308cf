"""Random crops of pictures that keep some of an object in view, drawn as TF1 draws them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops.random import seeds_of
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.ops.sampling import Stream

__all__ = ["crop_op"]

Rectangle = tuple[int, int, int, int]  # top, left, bottom, right, in pixels


def _bad(message: str) -> Exception:
    return InvalidArgumentError(None, None, message)


def _candidate(
    stream: Stream, height: int, width: int, ratio: Any, areas: Sequence[float]
) -> Rectangle | None:
    """A crop whose width is `ratio` times its height, or None where none was hit upon."""
    f = np.float32
    least, most = (f(a) * f(width) * f(height) for a in areas)
    rows, limit = (int(np.rint(np.sqrt(a / ratio))) for a in (least, most))
    if np.rint(limit * ratio) > width:
        limit = int((width + 0.5 - 1e-7) / float(ratio))
    limit = min(limit, height)
    rows = min(rows, limit)
    if rows < limit:
        rows += stream.below(limit - rows + 1)
    columns = int(np.rint(f(rows) * ratio))
    # Rounding can push the area out of its range: one row more or less brings it back.
    step = int(rows * columns < least) or -int(rows * columns > most)
    if step:
        rows += step
        columns = int(np.rint(f(rows) * ratio))
    fits = 0 < columns <= width and 0 < rows <= height
    if not (fits and least <= rows * columns <= most):
        return None
    top = stream.below(height - rows) if rows < height else 0
    left = stream.below(width - columns) if columns < width else 0
    return top, left, top + rows, left + columns


def _area(r: Rectangle) -> int:
    top, left, bottom, right = r
    return max(bottom - top, 0) * max(right - left, 0)


def _covers(crop: Rectangle, objects: Sequence[Rectangle], least: float) -> bool:
    """Whether `least` of the area of one of the objects lies in the crop."""
    if _area(crop) < 1:
        return False
    for o in objects:
        if _area(o) < 1:
            continue
        both = (*map(max, crop[:2], o[:2]), *map(min, crop[2:], o[2:]))
        if np.float32(_area((both[0], both[1], both[2], both[3]))) / np.float32(_area(o)) >= least:
            return True
    return False


def _objects(boxes: Any, height: int, width: int, whole: bool) -> list[Rectangle]:
    outside = boxes[(boxes < 0) | (boxes > 1)]
    if outside.size:
        raise _bad(f"All bounding box coordinates must be in [0.0, 1.0]: {outside[0]}")
    scaled = (boxes.reshape(-1, 4) * np.array([height, width] * 2, np.float32)).astype(np.int32)
    if len(scaled):
        return [(int(a), int(b), int(c), int(d)) for a, b, c, d in scaled]
    if not whole:
        raise _bad(
            "No bounding boxes provided as input. One must enable use_image_if_no_bounding_boxes "
            "if you wish to not provide any bounding boxes."
        )
    return [(0, 0, height, width)]


def _crop(context: Any, size: Any, boxes: Any, least: Any, **attrs: Any) -> Any:
    if boxes.ndim != 3 or boxes.shape[-1] != 4:
        raise _bad(f"bounding_boxes must have shape [batch, boxes, 4], not {list(boxes.shape)}")
    height, width, _ = (int(n) for n in size)
    if height <= 0 or width <= 0:
        raise _bad(f"Image height and width must be positive, got {[height, width]}")
    objects = _objects(boxes, height, width, attrs["whole"])
    state = context.resource(
        f"crops/{context.node.name}", lambda: {"seeds": seeds_of(context.node), "skip": 0}
    )
    stream = Stream(state["seeds"], state["skip"])
    state["skip"] += attrs["max_attempts"]  # as many blocks of four numbers
    low, high = (np.float32(r) for r in attrs["ratios"])
    found: Rectangle | None = None
    for _ in range(attrs["max_attempts"]):
        ratio = np.float32(stream.unit32()) * (high - low) + low
        found = _candidate(stream, height, width, ratio, attrs["areas"])
        if found and _covers(found, objects, float(least)):
            break
        found = None
    top, left, bottom, right = found or (0, 0, height, width)
    box = np.array([top, left, bottom, right], np.float32) / np.array([height, width] * 2, "f")
    kind = size.dtype
    return (
        np.array([top, left, 0], kind), np.array([bottom - top, right - left, -1], kind),
        box.reshape(1, 1, 4),
    )  # fmt: skip


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    kind = inputs[0].dtype
    return [(kind, (3,)), (kind, (3,)), (dtypes.float32, (1, 1, 4))]


crop_op = op(
    "sample_distorted_bounding_box", "SampleDistortedBoundingBoxV2", "host",
    doc="Where a random crop of a picture begins, its size, and the same as a box.",
    args=("image_size", "bounding_boxes", "min_object_covered"), types="fiu", infer=_infer,
    host=_crop, grad=no_grad, stateful=True, facts={"effect": True},
)  # fmt: skip
