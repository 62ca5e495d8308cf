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
from graphc.ops.suppression_loops import choose_best_op, choose_ranked_op

__all__ = ["suppress_classes_op", "suppress_op"]

Similarity = Callable[[int, list[int]], Any]


def _overlap(box: Any, others: Any) -> Any:
    """Intersection over union of a box with each of several."""
    (y1, x1, y2, x2), o = box, others
    # as ``std::min`` and ``min``: where the second corner is no number, both are the first
    ys, ye = (np.where(t, o[:, 2], o[:, 0]) for t in (o[:, 2] < o[:, 0], o[:, 2] > o[:, 0]))
    xs, xe = (np.where(t, o[:, 3], o[:, 1]) for t in (o[:, 3] < o[:, 1], o[:, 3] > o[:, 1]))
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
    1.15: one without area is not like itself, and is chosen again and again. Where the likeness is
    no number (of boxes without end), the score shrinks to 0.
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
            factors = np.exp(-0.5 / np.float32(sigma) * likeness**2)
            for factor in np.where(np.isnan(likeness), 0, factors)[::-1]:
                score *= scores.dtype.type(factor)
        elif np.isnan(likeness).any():
            score *= scores.dtype.type(0)
        compared = len(places)
        if score == before:
            places.append(i)
            kept.append(score)
        if score > least:
            heapq.heappush(heap, _Candidate(score, i, compared))
    return places, kept


def _refuse(text: str) -> None:
    raise InvalidArgumentError(None, None, text)


def _check(limit: int, threshold: float, pad: bool = True) -> None:
    if limit < 0 and pad:
        _refuse(f"max_output_size must be >= 0, got {limit}")
    if not 0 <= threshold <= 1:
        _refuse(f"iou_threshold must be in [0, 1], got {threshold}")


def _fit(boxes: Any, scores: Any, count: Any, matrix: bool) -> None:
    """Refuse operands of other shapes, as TensorFlow's kernels do."""
    label = "overlaps" if matrix else "boxes"
    if np.ndim(count):
        _refuse(f"max_output_size must be 0-D, got shape {_text(count)}")
    if boxes.ndim != 2:
        _refuse(f"{label} must be 2-D{_text(boxes)}")
    if matrix and boxes.shape[0] != boxes.shape[1]:
        _refuse(f"overlaps must be square{_text(boxes)}")
    if not matrix and boxes.shape[1] != 4:
        _refuse("boxes must have 4 columns")
    if scores.ndim != 1:
        _refuse(f"scores must be 1-D{_text(scores)}")
    if len(scores) != len(boxes):
        _refuse("scores has incompatible shape")


def _text(a: Any) -> str:
    return f"[{','.join(map(str, np.shape(a)))}]"


def _suppress(
    boxes: Any, scores: Any, count: Any, iou: Any, least: Any, *, matrix: bool, pad: bool,
    sigma: float,
) -> Any:  # fmt: skip
    """Places of the best boxes, their scores, and how many there are."""
    _fit(boxes, scores, count, matrix)
    limit, n = int(count), len(scores)
    _check(limit, float(iou), pad)

    def similar(i: int, others: list[int]) -> Any:
        return boxes[i, others] if matrix else _overlap(boxes[i], boxes[others])

    most = n + 1 if limit < 0 else limit  # below zero TensorFlow takes all
    places, kept = _chosen(similar, scores, most, float(iou), float(least), sigma)
    if limit < 0 and len(places) > n:
        _refuse(f"max_output_size must be >= 0, got {limit}: a box without area is taken endlessly")
    return _results(np.array(places, np.int32), np.array(kept, scores.dtype), limit, pad)


def _results(places: Any, kept: Any, limit: int, pad: bool) -> Any:
    n = len(places)
    if pad:
        places, kept = (np.pad(a, (0, limit - n)) for a in (places, kept))
    return places, kept, np.array(n, np.int32)


#: Results for each box up to which native code looks for them, and some for few boxes: more are
#: only wanted where nobody counted, and memory is not taken for them.
PLENTY = 2
#: The area of a box with smaller edges is a number.
MOST = 1e18


def _quick_suppress(
    context: Any, boxes: Any, scores: Any, count: Any, iou: Any, least: Any, *, matrix: bool,
    pad: bool, sigma: float,
) -> Any:  # fmt: skip
    """As `_suppress`, in native code where scores stay as they are."""
    _fit(boxes, scores, count, matrix)
    limit = int(count)
    known = boxes.dtype == scores.dtype == np.float32 and boxes.shape[0] == len(scores)
    known = known and boxes.shape[1] == (len(scores) if matrix else 4)
    known = known and np.abs(boxes).max(initial=0) < MOST
    if sigma > 0 or not known or not 0 < limit <= PLENTY * len(scores) + 1024:
        return _suppress(
            boxes, scores, count, iou, least, matrix=matrix, pad=pad, sigma=sigma
        )  # fmt: skip
    _check(limit, float(iou))
    room = np.empty(limit, np.int32)
    places, n = context.native(choose_best_op, (boxes, scores, iou, least, room), matrix=matrix)
    found = places[: int(n)]
    return _results(found, scores[found], limit, pad)


def _ranked_as(inputs: Sequence[Value], ranks: Sequence[int]) -> None:
    for v, rank in zip(inputs, ranks, strict=False):
        if v.rank not in (None, rank):
            raise shape_error(f"Shape must be rank {rank} but is rank {v.rank}")


def _suppress_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    _ranked_as(inputs, (2, 1, 0, 0, 0))
    boxes, scores = (v.static_shape for v in inputs[:2])
    pairs = [] if boxes is None or scores is None else [(boxes[0], scores[0])]
    if boxes is not None and attrs["matrix"]:
        pairs.insert(0, (boxes[0], boxes[1]))
    for a, b in pairs:
        if D.same(a, b) is False:
            raise shape_error(f"Dimensions must be equal, but are {a} and {b}")
    if boxes is not None and not attrs["matrix"] and D.same(boxes[1], 4) is False:
        raise shape_error(f"Dimension must be 4 but is {boxes[1]}")
    n = D.fresh()
    return [(dtypes.int32, (n,)), (dtypes.float32, (n,)), (dtypes.int32, ())]


suppress_op = op(
    "non_max_suppression", "NonMaxSuppressionV5", "host",
    doc="The best boxes of those that overlap, their scores and their number.",
    args=("boxes", "scores", "max_output_size", "iou_threshold", "score_threshold"),
    infer=_suppress_infer, numpy=_suppress, host=_quick_suppress, grad=no_grad, types="fi",
)  # fmt: skip


def _ranked(scores: Any) -> Any:
    """For each picture and class the places of boxes, the best scores first."""
    turned = np.ascontiguousarray(np.swapaxes(scores, 1, 2))
    return np.argsort(-turned, axis=2, kind="stable").astype(np.int32)


def _chosen_of(boxes: Any, scores: Any, limit: int, iou: float, least: float) -> tuple[Any, Any]:
    """For each picture and class the places of the boxes it keeps, and their number."""
    batch, _, classes = scores.shape
    places = np.zeros((batch, classes, limit), np.int32)
    counts = np.zeros((batch, classes), np.int32)
    order = _ranked(scores)
    for b, c in np.ndindex(batch, classes):
        own = boxes[b, :, c if boxes.shape[2] > 1 else 0]
        kept: list[int] = []
        for i in order[b, c]:
            if len(kept) == limit:
                break
            if scores[b, i, c] > least and not np.any(_overlap(own[i], own[kept]) > iou):
                kept.append(i)
        places[b, c, : len(kept)], counts[b, c] = kept, len(kept)
    return places, counts


def _gathered(
    boxes: Any, scores: Any, places: Any, counts: Any, n: int, clip: bool
) -> tuple[Any, Any, Any, Any]:
    """The best of all classes: boxes, scores, classes and how many there are."""
    batch, _, limit = places.shape
    best = np.zeros((batch, n, 4), boxes.dtype)
    points, kinds = np.zeros((2, batch, n), scores.dtype)
    valid = np.zeros(batch, np.int32)
    for b in range(batch):
        kind, k = np.nonzero(np.arange(limit) < counts[b][:, None])
        at = places[b, kind, k]
        found = scores[b, at, kind]
        first = np.argsort(-found, kind="stable")[:n]
        m = valid[b] = len(first)
        at, kind = at[first], kind[first]
        points[b, :m], kinds[b, :m] = found[first], kind
        best[b, :m] = boxes[b, at, kind if boxes.shape[2] > 1 else 0]
    return np.clip(best, 0, 1) if clip else best, points, kinds, valid


def _rows(count: Any, total: Any, classes: int, pad: bool) -> int:
    return min(int(total), int(count) * classes) if pad else int(total)


def _fit_classes(boxes: Any, scores: Any, total: Any) -> None:
    if boxes.ndim != 4:
        _refuse(f"boxes must be 4-D{_text(boxes)}")
    if scores.ndim != 3:
        _refuse(f"scores must be 3-D{_text(scores)}")
    if len(boxes) != len(scores):
        _refuse("boxes and scores must have same batch size")
    if boxes.shape[1] != scores.shape[1]:
        _refuse("scores has incompatible shape")
    if boxes.shape[2] not in (1, scores.shape[2]):
        _refuse("third dimension of boxes must be either 1 or num classes")
    if boxes.shape[3] != 4:
        _refuse("boxes must have 4 columns")
    if int(total) <= 0:
        _refuse(f"max_total_size must be > 0, got {int(total)}")


def _suppress_classes(
    boxes: Any, scores: Any, count: Any, total: Any, iou: Any, least: Any, *, pad: bool, clip: bool
) -> Any:
    _fit_classes(boxes, scores, total)
    limit = int(count)
    _check(limit, float(iou))
    kept = min(limit, scores.shape[1])
    places, counts = _chosen_of(boxes, scores, kept, float(iou), float(least))
    n = _rows(count, total, scores.shape[2], pad)
    return _gathered(boxes, scores, places, counts, n, clip)


def _quick_suppress_classes(
    context: Any, boxes: Any, scores: Any, count: Any, total: Any, iou: Any, least: Any, *,
    size: Any, pad: bool, clip: bool,
) -> Any:  # fmt: skip
    """As `_suppress_classes`, each class of a picture by a thread of native code."""
    _fit_classes(boxes, scores, total)
    limit = min(int(count), scores.shape[1])
    known = boxes.dtype == scores.dtype == np.float32 and boxes.shape[:2] == scores.shape[:2]
    if not known or boxes.shape[2] not in (1, scores.shape[2]) or limit <= 0:
        return _suppress_classes(boxes, scores, count, total, iou, least, pad=pad, clip=clip)
    _check(limit, float(iou))
    room = np.empty(limit, np.int32)
    order = _ranked(scores)
    places, counts = context.native(choose_ranked_op, (boxes, scores, order, iou, least, room))
    n = _rows(count, total, scores.shape[2], pad)
    return _gathered(boxes, scores, places, counts, n, clip)


def _classes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    boxes, scores = inputs[:2]
    _ranked_as(inputs, (4, 3, 0, 0))
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
    infer=_classes_infer, numpy=_classes_numpy, host=_quick_suppress_classes, grad=no_grad,
    types="fi",
)  # fmt: skip
