"""Boxes in pictures, as (top, left, bottom, right) between 0 and 1."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from graphc.face.current import control_dependencies, name_scope
from graphc.face.more import constant_value
from graphc.image.common import chosen, of_rank, sizes, tensor
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, pictures, reduce, shapes, spaced, state, suppression
from graphc.ops.check import Assert
from graphc.ops.counting import as_many, made

__all__ = [
    "combined_non_max_suppression", "crop_and_resize", "draw_bounding_boxes", "non_max_suppression",
    "non_max_suppression_overlaps", "non_max_suppression_padded", "non_max_suppression_with_scores",
    "pixels_at",
]  # fmt: skip

_NEVER = float("-inf")


def _suppressed(
    boxes: Any, scores: Any, count: Any, iou: Any, least: Any, name: str | None, *,
    matrix: bool = False, pad: bool = False, sigma: float = 0.0,
) -> Any:  # fmt: skip
    """Places, scores and number of the boxes that stay."""
    inputs = [tensor(v, dtype=dtypes.float32) for v in (boxes, scores)]
    inputs.append(tensor(count, dtype=dtypes.int32))
    inputs += [tensor(v, dtype=dtypes.float32) for v in (iou, least)]
    attrs = {"matrix": matrix, "pad": pad, "sigma": float(sigma)}
    return build(suppression.suppress_op, inputs, attrs, name).outputs


def non_max_suppression(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER, name: str | None = None,
) -> Any:  # fmt: skip
    """Indices of the boxes with the best scores, without those that overlap a better one.

    Parameters
    ----------
    boxes : Tensor
        Of shape (boxes, 4).
    scores : Tensor
    max_output_size : int
    iou_threshold : float
        Boxes overlap where intersection over union is more than this.
    score_threshold : float
        Boxes of lower scores are not taken.
    """
    name = name or "non_max_suppression"
    return _suppressed(boxes, scores, max_output_size, iou_threshold, score_threshold, name)[0]


def non_max_suppression_padded(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER, pad_to_max_output_size: bool = False, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`non_max_suppression`, filled up with zeros if asked for, and the number of boxes."""
    name = name or "non_max_suppression_padded"
    places, _, count = _suppressed(
        boxes, scores, max_output_size, iou_threshold, score_threshold, name,
        pad=pad_to_max_output_size,
    )  # fmt: skip
    if pad_to_max_output_size and isinstance(max_output_size, int):
        places.set_shape([max_output_size])
    return places, count


def non_max_suppression_overlaps(
    overlaps: Any, scores: Any, max_output_size: Any, overlap_threshold: Any = 0.5,
    score_threshold: Any = _NEVER, name: str | None = None,
) -> Any:  # fmt: skip
    """`non_max_suppression` by a matrix that says how much each two boxes overlap."""
    name = name or "non_max_suppression_overlaps"
    return _suppressed(
        overlaps, scores, max_output_size, overlap_threshold, score_threshold, name, matrix=True
    )[0]


def non_max_suppression_with_scores(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5,
    score_threshold: Any = _NEVER, soft_nms_sigma: float = 0.0, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`non_max_suppression` that also gives the scores, lowered where boxes overlap better ones.

    Parameters
    ----------
    soft_nms_sigma : float
        0: boxes that overlap a better one are left out.  More: their scores shrink by
        ``exp(-iou**2 / (2 sigma))`` for each better one instead (soft-NMS of Bodla et al., 2017).

    Returns
    -------
    places, scores : tensors of int32 and float32
    """
    with name_scope(name, "non_max_suppression_with_scores"):
        made(1)  # sigma is a tensor in TF1
        places, kept, _ = _suppressed(
            boxes, scores, max_output_size, iou_threshold, score_threshold, None,
            sigma=soft_nms_sigma,
        )  # fmt: skip
    return places, kept


class CombinedNonMaxSuppression(NamedTuple):
    """What `combined_non_max_suppression` gives."""

    nmsed_boxes: Any
    nmsed_scores: Any
    nmsed_classes: Any
    valid_detections: Any


def combined_non_max_suppression(
    boxes: Any, scores: Any, max_output_size_per_class: Any, max_total_size: Any,
    iou_threshold: Any = 0.5, score_threshold: Any = _NEVER, pad_per_class: bool = False,
    clip_boxes: bool = True, name: str | None = None,
) -> CombinedNonMaxSuppression:  # fmt: skip
    """`non_max_suppression` for each class of each picture of a batch, the best of all classes.

    Parameters
    ----------
    boxes : Tensor
        Of shape (batch, boxes, 1 or classes, 4).
    scores : Tensor
        Of shape (batch, boxes, classes).
    max_output_size_per_class, max_total_size : int or scalar Tensor
    pad_per_class : bool
        Make no more than `max_output_size_per_class` rows for each class.
    clip_boxes : bool
        Keep the results between 0 and 1.

    Returns
    -------
    nmsed_boxes, nmsed_scores, nmsed_classes, valid_detections
        Of shapes (batch, n, 4), (batch, n), (batch, n) and (batch,); rows behind the valid ones
        are zero.
    """
    limit, total = (constant_value(v) for v in (max_output_size_per_class, max_total_size))
    if total is not None and total <= 0:
        raise ValueError(f"max_total_size should be > 0, not {total}")
    least = 1 if pad_per_class else 0
    if limit is not None and limit < least:
        raise ValueError(f"max_output_size_per_class must be >= {least}, not {limit}")
    inputs = [tensor(v, dtype=dtypes.float32) for v in (boxes, scores)]
    inputs += [tensor(v, dtype=dtypes.int32) for v in (max_output_size_per_class, max_total_size)]
    inputs += [tensor(v, dtype=dtypes.float32) for v in (iou_threshold, score_threshold)]
    size = None if total is None else int(total)
    if pad_per_class and size is not None:
        kinds = inputs[1].get_shape().with_rank(3).as_list()[2]
        size = None if limit is None or kinds is None else min(size, int(limit) * kinds)
    attrs = {"pad": bool(pad_per_class), "clip": bool(clip_boxes), "size": size}
    with name_scope(name, "combined_non_max_suppression"):
        found = build(suppression.suppress_classes_op, inputs, attrs).outputs
    return CombinedNonMaxSuppression(*found)


@as_many(lambda images, boxes, *more, **named: 1 + (not isinstance(boxes, Value)))
def draw_bounding_boxes(
    images: Any, boxes: Any, name: str | None = None, colors: Any = None
) -> Any:
    """A batch of pictures with the outlines of each one's boxes."""
    x = tensor(images, name="images")
    own = tensor(boxes, dtype=dtypes.float32, name="boxes")
    paint = np.zeros((0, 4), np.float32) if colors is None else colors
    table = tensor(paint, dtype=dtypes.float32, name="colors")
    return build(pictures.draw_op, [x, own, table], {}, name or "DrawBoundingBoxesV2").outputs[0]


def crop_and_resize(
    image: Any, boxes: Any, box_ind: Any = None, crop_size: Any = None, method: str = "bilinear",
    extrapolation_value: float = 0, name: str | None = None, box_indices: Any = None,
) -> Any:  # fmt: skip
    """The parts of pictures in boxes, all in one size; float32.

    Parameters
    ----------
    image : Tensor
        A batch of pictures.
    boxes : Tensor
        Of shape (boxes, 4); may be partly outside, or upside down.
    box_ind : Tensor
        The picture of each box.
    crop_size : (int, int) or Tensor
        Height and width of the results.
    method : {"bilinear", "nearest"}
    extrapolation_value : float
        Pixels outside of the picture.
    """
    if method not in ("bilinear", "nearest"):
        raise ValueError(f"method must be 'bilinear' or 'nearest', not {method!r}")
    picked = box_indices if box_ind is None else box_ind
    count = 1 + sum(not isinstance(v, Value) for v in (boxes, picked, crop_size))
    with (
        current().counts_as(count, [(3, 2)]),
        name_scope(name, "CropAndResize", [image, boxes]) as scope,
    ):
        x = math.cast(of_rank(tensor(image, name="image"), 4), dtypes.float32)
        box = of_rank(tensor(boxes, dtype=dtypes.float32, name="boxes"), 2)
        which = tensor(picked, dtype=dtypes.int32, name="box_ind")
        size = tensor(crop_size, dtype=dtypes.int32, name="crop_size")
        crop = constant_value(size)
        checks = []
        if crop is None or np.min(crop) <= 0:
            positive = reduce.reduce_all(math.greater(size, 0))
            checks = [Assert(positive, ["crop dimensions must be positive", size])]
        crops = functools.partial(_cropped, which, size, float(extrapolation_value))
        kept = crops(x, box) if method == "bilinear" else _nearest(crops, x, box)
        with control_dependencies(checks):
            made: Any = state.identity(kept, name=scope)
        return made


def _cropped(which: Any, size: Any, beyond: float, x: Any, box: Any, nearest: bool = False) -> Any:
    _, height, width, _ = sizes(x)
    ys = _sampled(box[:, 0], box[:, 2], height, size[0])
    xs = _sampled(box[:, 1], box[:, 3], width, size[1])
    inside = math.logical_and(
        shapes.expand_dims(_within(ys, height), 2), shapes.expand_dims(_within(xs, width), 1)
    )
    if nearest:
        half = [math.floor(v + 0.5) for v in (ys, xs)]
        out = pixels_at(
            x, which, *(_index(v, n) for v, n in zip(half, (height, width), strict=True))
        )
    else:
        out = _between(x, which, ys, xs, height, width)
    outside = fills.zeros_like(out) + beyond
    return chosen(shapes.expand_dims(inside, 3), out, outside)


def _nearest(crops: Any, x: Any, box: Any) -> Any:
    """The nearest pixels; their gradient by the boxes is that of mixtures, as in TF1's kernel."""
    from graphc.face.gradients import custom_gradient, gradients

    @custom_gradient
    def cropped(x: Any, box: Any) -> Any:
        y = crops(x, box, nearest=True)

        def by_both(dy: Any) -> Any:
            with current().counts_as(0):
                return gradients(y, x, dy)[0], gradients(crops(x, box), box, dy)[0]

        return y, by_both

    return cropped(x, box)


def _sampled(start: Any, end: Any, old: Any, new: Any) -> Any:
    """Rows (or columns) of the picture for each of a crop, a row for each box."""
    span = math.cast(tensor(old - 1), dtypes.float32)
    steps = math.cast(spaced.range(new), dtypes.float32)
    count = math.cast(new, dtypes.float32)
    scale = (end - start) * span / math.maximum(count - 1.0, 1.0)
    many = shapes.expand_dims(start * span, 1) + shapes.expand_dims(scale, 1) * steps
    middle = 0.5 * shapes.expand_dims((start + end) * span, 1) + 0.0 * steps
    return chosen(math.less_equal(count, 1.0), middle, many)


def _within(place: Any, size: Any) -> Any:
    last = math.cast(tensor(size - 1), dtypes.float32)
    out: Any = math.logical_and(math.greater_equal(place, 0.0), math.less_equal(place, last))
    return out


def _index(place: Any, size: Any) -> Any:
    last = math.cast(tensor(size - 1), dtypes.float32)
    out: Any = math.cast(math.minimum(math.maximum(place, 0.0), last), dtypes.int32)
    return out


def pixels_at(x: Any, which: Any, rows: Any, columns: Any) -> Any:
    """Pixels at each pair of a row and a column, for each box."""
    out: Any = arrays.gather_nd(x, _pixels(which, rows, columns))
    return out


def _pixels(which: Any, rows: Any, columns: Any) -> Any:
    """Where the pixels are at each pair of a row and a column, for each box."""
    r = shapes.expand_dims(rows, 2) + 0 * shapes.expand_dims(columns, 1)
    c = 0 * shapes.expand_dims(rows, 2) + shapes.expand_dims(columns, 1)
    picture = shapes.reshape(which, [-1, 1, 1]) + 0 * r
    out: Any = arrays.stack([picture, r, c], axis=3)
    return out


def _between(x: Any, which: Any, ys: Any, xs: Any, height: Any, width: Any) -> Any:
    """Bilinear mixtures at places, for each box."""
    top, left = math.floor(ys), math.floor(xs)
    rows = [_index(v, height) for v in (top, math.ceil(ys))]
    columns = [_index(v, width) for v in (left, math.ceil(xs))]
    dy = shapes.reshape(ys - top, arrays.concat([shapes.shape(ys), [1, 1]], 0))
    dx = shapes.expand_dims(shapes.expand_dims(xs - left, 1), 3)
    # picked at once, so that the gradient adds all to one picture
    corners = arrays.stack([_pixels(which, r, c) for r in rows for c in columns])
    picked = arrays.unstack(arrays.gather_nd(x, corners), 4)
    above, below = (picked[i] + (picked[i + 1] - picked[i]) * dx for i in (0, 2))
    out: Any = above + (below - above) * dy
    return out
