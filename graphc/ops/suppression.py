"""Host ops that choose among boxes that overlap, by their scores."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, no_grad, op, shape_error

__all__ = ["suppress_classes_op", "suppress_op"]

Similarity = Callable[[int, list[int]], Any]


def _overlap(box: Any, others: Any) -> Any:
    """Intersection over union of a box with each of several."""
    (y1, x1, y2, x2), o = box, others
    ys, xs = np.minimum(o[:, 0], o[:, 2]), np.minimum(o[:, 1], o[:, 3])
    ye, xe = np.maximum(o[:, 0], o[:, 2]), np.maximum(o[:, 1], o[:, 3])
    y1, y2, x1, x2 = min(y1, y2), max(y1, y2), min(x1, x2), max(x1, x2)
    height = np.maximum(np.minimum(y2, ye) - np.maximum(y1, ys), 0)
    width = np.maximum(np.minimum(x2, xe) - np.maximum(x1, xs), 0)
    area, areas = (y2 - y1) * (x2 - x1), (ye - ys) * (xe - xs)
    inner = height * width
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((area <= 0) | (areas <= 0), 0, inner / (area + areas - inner))


class _Candidate(NamedTuple):
    """A box that waits for its turn: the highest score first, equal ones as a heap has them."""

    score: Any
    place: int
    seen: int  #: How many of the chosen boxes it has been compared with.

    def __lt__(self, other: _Candidate) -> bool:  # type: ignore[override]
        return bool(self.score > other.score)


def _chosen(
    similar: Similarity, scores: Any, limit: int, threshold: float, least: float, sigma: float
) -> tuple[list[int], list[Any]]:
    """Places of the best boxes and their scores.

    Without `sigma` a box goes that is at least `threshold` like a better one.  With it, its score
    shrinks by ``exp(-similarity**2 / (2 sigma))`` for each better one (Bodla et al., *Soft-NMS*,
    2017), and it takes its turn again. A chosen box is compared with itself too, as in TensorFlow
    1.15: one without area is not like itself, and is chosen again and again.
    """
    heap: list[_Candidate] = []
    for i, s in enumerate(scores):
        if s > least:
            heapq.heappush(heap, _Candidate(s, i, 0))
    places: list[int] = []
    kept: list[Any] = []
    while heap and len(places) < limit:
        before, i, seen = heapq.heappop(heap)
        likeness = similar(i, places[seen:])
        if np.any(likeness >= threshold):
            continue
        score = before
        if sigma > 0:
            for factor in np.exp(-0.5 / np.float32(sigma) * likeness**2)[::-1]:
                score *= scores.dtype.type(factor)
        compared = len(places)
        if score == before:
            places.append(i)
            kept.append(score)
        if score > least:
            heapq.heappush(heap, _Candidate(score, i, compared))
    return places, kept


def _chosen_once(
    similar: Similarity, scores: Any, limit: int, threshold: float, least: float
) -> list[int]:
    """Places of the best boxes: one goes that is more than `threshold` like a better one."""
    places: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(places) == limit:
            break
        if scores[i] > least and not np.any(similar(i, places) > threshold):
            places.append(i)
    return places


def _check(limit: int, threshold: float) -> None:
    if limit < 0:
        raise InvalidArgumentError(None, None, f"max_output_size must be >= 0, got {limit}")
    if not 0 <= threshold <= 1:
        raise InvalidArgumentError(None, None, f"iou_threshold must be in [0, 1], got {threshold}")


def _suppress(
    boxes: Any, scores: Any, count: Any, iou: Any, least: Any, *, matrix: bool, pad: bool,
    sigma: float,
) -> Any:  # fmt: skip
    """Places of the best boxes, their scores, and how many there are."""
    limit = int(count)
    _check(limit, float(iou))

    def similar(i: int, others: list[int]) -> Any:
        return boxes[i, others] if matrix else _overlap(boxes[i], boxes[others])

    places, kept = _chosen(similar, scores, limit, float(iou), float(least), sigma)
    n = len(places)
    more = [0] * (limit - n if pad else 0)
    return (
        np.array(places + more, np.int32), np.array(kept + more, scores.dtype),
        np.array(n, np.int32),
    )  # fmt: skip


def _suppress_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    n = D.fresh()
    return [(dtypes.int32, (n,)), (dtypes.float32, (n,)), (dtypes.int32, ())]


suppress_op = op(
    "non_max_suppression", "NonMaxSuppressionV5", "host",
    doc="The best boxes of those that overlap, their scores and their number.",
    args=("boxes", "scores", "max_output_size", "iou_threshold", "score_threshold"),
    infer=_suppress_infer, numpy=_suppress, grad=no_grad, types="fi",
)  # fmt: skip


def _one_picture(
    boxes: Any, scores: Any, limit: int, iou: float, least: float
) -> list[tuple[Any, int, Any]]:
    """(score, class, box) of what each class keeps, the best first."""
    found = []
    for c in range(scores.shape[1]):
        own = boxes[:, c if boxes.shape[1] > 1 else 0]

        def similar(i: int, others: list[int], own: Any = own) -> Any:
            return _overlap(own[i], own[others])

        places = _chosen_once(similar, scores[:, c], limit, iou, least)
        found += [(scores[i, c], c, own[i]) for i in places]
    return sorted(found, key=lambda f: -float(f[0]))


def _suppress_classes(
    boxes: Any, scores: Any, count: Any, total: Any, iou: Any, least: Any, *, pad: bool, clip: bool
) -> Any:
    limit, batch, classes = int(count), len(boxes), scores.shape[2]
    _check(limit, float(iou))
    n = min(int(total), limit * classes) if pad else int(total)
    best = np.zeros((batch, n, 4), boxes.dtype)
    points, kinds = np.zeros((2, batch, n), scores.dtype)
    valid = np.zeros(batch, np.int32)
    for b in range(batch):
        found = _one_picture(boxes[b], scores[b], limit, float(iou), float(least))[:n]
        valid[b] = len(found)
        for k, (score, c, box) in enumerate(found):
            best[b, k], points[b, k], kinds[b, k] = box, score, c
    return np.clip(best, 0, 1) if clip else best, points, kinds, valid


def _classes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    boxes, scores, count, total = inputs[:4]
    for v, rank in ((boxes, 4), (scores, 3), (count, 0), (total, 0)):
        if v.rank not in (None, rank):
            raise shape_error(f"Shape must be rank {rank} but is rank {v.rank}")
    kinds = scores.static_shape[2] if scores.static_shape else D.fresh()
    own = boxes.static_shape[2] if boxes.static_shape else 1
    if isinstance(own, int) and isinstance(kinds, int) and own not in (1, kinds):
        raise shape_error(
            "third dimension of boxes must be either 1 or equal to the third dimension of scores"
        )
    batch = boxes.static_shape[0] if boxes.static_shape else D.fresh()
    n = attrs["size"] if attrs["size"] is not None else D.fresh()
    f = dtypes.float32
    return [(f, (batch, n, 4)), (f, (batch, n)), (f, (batch, n)), (dtypes.int32, (batch,))]


def _classes_numpy(*inputs: Any, size: Any, **attrs: Any) -> Any:
    return _suppress_classes(*inputs, **attrs)


suppress_classes_op = op(
    "combined_non_max_suppression", "CombinedNonMaxSuppression", "host",
    doc="The best boxes of each class of those that overlap, the best of all classes together.",
    args=(
        "boxes", "scores", "max_output_size_per_class", "max_total_size", "iou_threshold",
        "score_threshold",
    ),
    infer=_classes_infer, numpy=_classes_numpy, grad=no_grad, types="fi",
)  # fmt: skip
