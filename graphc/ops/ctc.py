"""Connectionist temporal classification: the loss with its gradient, and two decoders.

A. Graves and others, Connectionist temporal classification, ICML 2006. The host applies them, for
a whole batch at once; sums are in float64.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import FailedPreconditionError, InvalidArgumentError, OpError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import shapes
from graphc.ops.ctc_loops import paths_op
from graphc.ops.record import Attrs, Types, op, quiet, shape_error

__all__ = ["beam_op", "greedy_op", "loss_op"]

Array = np.ndarray[Any, Any]
_NONE = -np.inf


def _log_softmax(x: Array) -> Array:
    z = x.astype(np.float64)
    z = z - z.max(-1, keepdims=True)
    out: Array = z - np.log(np.exp(z).sum(-1, keepdims=True))
    return out


def _shift(a: Array, by: int) -> Array:
    """Columns moved right (or left), with nothing coming in."""
    out = np.full_like(a, _NONE)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def _extended(labels: Sequence[Sequence[int]], blank: int) -> tuple[Array, Array]:
    """Labels with a blank before, between and behind them; and how many that are."""
    most = max([len(x) for x in labels], default=0)
    out = np.full((len(labels), 2 * most + 1), blank, np.int64)
    for row, given in zip(out, labels, strict=True):
        row[1 : 2 * len(given) : 2] = given
    return out, np.array([2 * len(x) + 1 for x in labels], np.int64)


def _collapsed(labels: Sequence[int]) -> list[int]:
    return [x for i, x in enumerate(labels) if i == 0 or x != labels[i - 1]]


def _steps(extended: Array, blank: int, merge: bool) -> tuple[Array, Array]:
    """Which of the extended labels a path may stay at, and which it may reach past one."""
    stays = np.full(extended.shape, True) if merge else extended == blank
    before = np.full_like(extended, -1)
    before[:, 2:] = extended[:, :-2]
    skips = (extended != blank) & (np.arange(extended.shape[1])[None, :] > 1)
    if merge:
        skips &= extended != before
    return stays, skips


def forward_backward(
    x: Array, labels: Sequence[Sequence[int]], lengths: Array, blank: int, merge: bool
) -> tuple[Array, Array]:
    """The loss of each row of ``x[time, batch, classes]``, and its gradient by `x`."""
    steps, batch, classes = x.shape
    logs = _log_softmax(x)
    extended, count = _extended(labels, blank)
    width = extended.shape[1]
    rows = np.arange(batch)[:, None]
    inside = np.arange(width)[None, :] < count[:, None]
    spoken = logs[:, rows, extended]  # [time, batch, width]
    stays, skips = _steps(extended, blank, merge)
    alpha = np.full((steps, batch, width), _NONE)
    live: Array = np.asarray(lengths > 0)
    if steps:
        first = np.full((batch, width), _NONE)
        first[:, :2] = spoken[0][:, :2]
        alpha[0] = np.where(inside & live[:, None], first, _NONE)
    for t in range(1, steps):
        old = alpha[t - 1]
        total = np.logaddexp(np.where(stays, old, _NONE), _shift(old, 1))
        total = np.logaddexp(total, np.where(skips, _shift(old, 2), _NONE))
        new = np.where(inside, total + spoken[t], _NONE)
        alpha[t] = np.where((t < lengths)[:, None], new, _NONE)
    beta = np.full((steps, batch, width), _NONE)
    ends = np.arange(width)[None, :]
    final = np.where((ends == count[:, None] - 1) | (ends == count[:, None] - 2), 0.0, _NONE)
    for t in range(steps - 1, -1, -1):
        if t + 1 < steps:
            ahead = beta[t + 1] + spoken[t + 1]
            total = np.logaddexp(np.where(stays, ahead, _NONE), _shift(ahead, -1))
            total = np.logaddexp(total, _shift(np.where(skips, ahead, _NONE), -2))
            beta[t] = np.where(inside, total, _NONE)
        beta[t] = np.where(np.equal(lengths, t + 1)[:, None], final, beta[t])
        beta[t] = np.where((t < lengths)[:, None], beta[t], _NONE)
    both = alpha + beta
    last = np.maximum(lengths - 1, 0)
    log_p: Array = np.asarray(np.logaddexp.reduce(both[last, np.arange(batch)], axis=1))
    log_p = np.where(live, log_p, np.where(count == 1, 0.0, _NONE))
    finite = np.asarray(np.isfinite(log_p))
    share = np.where(finite.reshape(1, -1, 1), np.exp(both - log_p[None, :, None]), 0.0)
    posterior = np.zeros((batch, classes, steps))
    np.add.at(posterior, (rows, extended), share.transpose(1, 2, 0))
    posterior = posterior.transpose(2, 0, 1)
    used = (np.arange(steps)[:, None] < lengths[None, :])[:, :, None]
    gradient = np.where(used, np.exp(logs) - posterior, 0.0)
    return -log_p, gradient


def _rows(indices: Array, values: Array, batch: int) -> list[list[int]]:
    out: list[list[int]] = [[] for _ in range(batch)]
    for (b, _), v in zip(indices, values, strict=True):
        if not 0 <= b < batch:
            raise InvalidArgumentError(None, None, f"labels have row {b}, the batch {batch} rows")
        out[int(b)].append(int(v))
    return out


def _refuse(text: str, kind: type[OpError] = InvalidArgumentError) -> None:
    raise kind(None, None, text)


#: What `_check` asks of decoders, which have no labels.
_DECODES = {"strict": False, "blank": -1, "ignore": True, "decodes": True}


def _check(labels: Sequence[Sequence[int]], x: Array, lengths: Array, attrs: Attrs) -> None:
    steps, batch, classes = x.shape
    if lengths.shape != (batch,):
        _refuse(f"len(sequence_length) != batch_size.  len(sequence_length):  {lengths.size} "
                f"batch_size: {batch}")  # fmt: skip
    if (lengths > steps).any():
        kind = FailedPreconditionError if attrs.get("decodes") else InvalidArgumentError
        _refuse(f"sequence_length({int(np.argmax(lengths > steps))}) <= {steps}", kind)
    for b, given in enumerate(labels):
        if attrs["strict"]:
            _check_row(b, given, classes)
        for v in () if attrs["strict"] else given:
            if not 0 <= v < classes or v == attrs["blank"] % classes:
                _refuse(f"Saw a blank or an unknown class in batch {b}: {v}, num_classes: "
                        f"{classes}, blank: {attrs['blank'] % classes}")  # fmt: skip
        if len(given) > lengths[b] and not attrs["ignore"]:
            _refuse(
                f"Not enough time for target transition sequence (required: {len(given)}, "
                f"available: {int(lengths[b])}){b}You can turn this error into a warning by using "
                "the flag ignore_longer_outputs_than_inputs"
            )


def _check_row(b: int, labels: Sequence[int], classes: int) -> None:
    if not labels:
        _refuse(f"Labels length is zero in batch {b}")
    kept = _before_null(labels, classes)
    shown = ",".join(map(str, labels))
    if any(v < classes - 1 for v in labels[len(kept) :]):
        _refuse(f"Saw a non-null label (index >= num_classes - 1) following a null label, batch: "
                f"{b} num_classes: {classes} labels: {shown} labels seen so far: "
                f"{','.join(map(str, kept))}")  # fmt: skip
    if any(v < 0 for v in kept):
        _refuse(f"All labels must be nonnegative integers, batch: {b} labels: "
                f"{','.join(map(str, kept))}")  # fmt: skip


def _before_null(labels: Sequence[int], classes: int) -> list[int]:
    """Labels that are classes: a row may be filled up with the blank, or what is above it."""
    return list(itertools.takewhile(lambda v: v < classes - 1, labels))


def _blank_last(labels: Sequence[int], blank: int) -> list[int]:
    """Labels as TensorFlow numbers them, which puts the blank behind all other classes."""
    return [v if v < blank else v - 1 for v in labels]


Solve = Callable[[Array, Sequence[Sequence[int]], Array, int, bool], tuple[Array, Array]]


def _loss(
    x: Array, indices: Array, values: Array, lengths: Array, solve: Solve = forward_backward,
    **attrs: Any,
) -> Any:  # fmt: skip
    batch, classes = x.shape[1:]
    labels = _rows(indices, values, batch)
    blank = attrs["blank"] % classes
    moved = attrs["strict"] and blank != classes - 1
    if moved:
        labels = [_blank_last(row, blank) for row in labels]
    _check(labels, x, lengths, attrs)
    long = np.array([len(row) > n for row, n in zip(labels, lengths, strict=True)], bool)
    if attrs["strict"]:
        labels = [_before_null(row, classes) for row in labels]
    if moved:
        labels = [[v if v < blank else v + 1 for v in row] for row in labels]
    if attrs["collapse"]:
        labels = [_collapsed(row) for row in labels]
    labels = [[] if z else row for row, z in zip(labels, long, strict=True)]
    loss, gradient = solve(x, labels, lengths.astype(np.int64), blank, attrs["merge"])
    for b in [b for b, row in enumerate(labels) if not row and attrs["strict"] and lengths[b] > 1]:
        # nothing but blanks: TensorFlow 1.15 lets a path end before the last step as well
        p = np.exp(_log_softmax(x[lengths[b] - 1, b])[blank])
        loss[b] -= np.log1p(1 / p)
        gradient[lengths[b] - 1, b, blank] = p - p / (1 + p)
    loss[long] = 0.0  # left out
    gradient[:, long] = 0.0
    return loss.astype(x.dtype), gradient.astype(x.dtype)


def _quick_loss(
    context: Any, x: Array, indices: Array, values: Array, lengths: Array, **attrs: Any
) -> Any:
    """As `_loss`, each example of the batch by a thread of native code."""

    def solve(
        x: Array, labels: Sequence[Sequence[int]], lengths: Array, blank: int, merge: bool
    ) -> tuple[Array, Array]:
        extended, count = _extended(labels, blank)
        small = [a.astype(np.int32) for a in (extended, count, np.maximum(lengths, 0))]
        log_p, gradient = context.native(paths_op, (x, *small, *_steps(extended, blank, merge)))
        return -log_p, gradient

    known = x.dtype == np.float32 and x.size
    return _loss(x, indices, values, lengths, solve if known else forward_backward, **attrs)


def _loss_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    if x.rank not in (3, None):
        raise shape_error(f"Shape must be rank 3 but is rank {x.rank}")
    s = x.static_shape
    return [(x.dtype, None if s is None else (s[1],)), (x.dtype, s)]


def _loss_grad(y: Any, dy: Any, x: Value, *rest: Value, **attrs: Any) -> Any:
    none = (None,) * len(rest)
    if dy[0] is None:
        return (None, *none)
    wide = shapes.expand_dims(shapes.expand_dims(dy[0], 0), -1)
    return (y[1] * wide, *none)


loss_op = op(
    "ctc_loss", "CTCLoss", "host", doc="The CTC loss of logits, and its gradient by them.",
    args=("inputs", "labels_indices", "labels_values", "sequence_length"), types="fi",
    infer=_loss_infer, numpy=quiet(_loss), host=quiet(_quick_loss), grad=_loss_grad,
    facts={"partial_gradients": True},
)  # fmt: skip


# ------------------------------------------------------------------------- decoders


def _sparse(rows: Sequence[Sequence[int]]) -> tuple[Array, Array, Array]:
    indices = [(b, i) for b, row in enumerate(rows) for i in range(len(row))]
    values = [v for row in rows for v in row]
    most = max([len(row) for row in rows], default=0)
    return (
        np.array(indices, np.int64).reshape(-1, 2), np.array(values, np.int64),
        np.array([len(rows), most], np.int64),
    )  # fmt: skip


def _greedy(x: Array, lengths: Array, *, merge: bool) -> Any:
    steps, batch, classes = x.shape
    _check([[]] * batch, x, lengths, _DECODES)
    best = x.argmax(-1) if steps else np.zeros((0, batch), np.int64)
    used = np.arange(steps)[:, None] < lengths[None, :]
    kept = used & (best != classes - 1)
    if merge:
        kept[1:] &= best[1:] != best[:-1]
    found = np.take_along_axis(x, best[..., None], -1)[..., 0] if steps else np.zeros((0, batch))
    most = np.where(used, found, 0)
    score = -most.sum(0, dtype=np.float64)[:, None].astype(x.dtype)
    row, step = np.nonzero(kept.T)
    counts = np.bincount(row, minlength=batch)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    shape = np.array([batch, counts.max(initial=0)], np.int64)
    return np.stack([row, place], 1), best[step, row], shape, score


def _decoded() -> Types:
    found = D.fresh()
    return [(dtypes.int64, (found, 2)), (dtypes.int64, (found,)), (dtypes.int64, (2,))]


def _batch(x: Value) -> Any:
    if x.rank not in (3, None):
        raise shape_error(f"Shape must be rank 3 but is rank {x.rank}")
    return D.fresh() if x.static_shape is None else x.static_shape[1]


greedy_op = op(
    "ctc_greedy_decoder", "CTCGreedyDecoder", "host", doc="The most probable class of each step.",
    args=("inputs", "sequence_length"), types="fi", numpy=_greedy,
    infer=lambda inputs, attrs: [*_decoded(), (inputs[0].dtype, (_batch(inputs[0]), 1))],
)  # fmt: skip

Prefix = tuple[int, ...]


def beams(logs: Array, width: int) -> list[tuple[Prefix, float]]:
    """The most probable label sequences of ``logs[time, classes]``, best first."""
    blank = logs.shape[1] - 1
    live: list[Prefix] = [()]
    silent, spoken = np.zeros(1), np.full(1, _NONE)  # of those that end in a blank, or do not
    for p in logs:
        if not live:  # no sequence has a probability
            break
        total = np.logaddexp(silent, spoken)
        place = {prefix: i for i, prefix in enumerate(live)}
        last = np.array([prefix[-1] if prefix else -1 for prefix in live])
        parent = np.array([place.get(prefix[:-1], -1) if prefix else -1 for prefix in live])
        again = np.array([len(prefix) > 1 and prefix[-1] == prefix[-2] for prefix in live])
        longer = total[:, None] + p[None, :blank]  # each prefix with one class more
        named = np.flatnonzero((last >= 0) & (last < blank))
        longer[named, last[named]] = silent[named] + p[last[named]]
        child = np.flatnonzero(parent >= 0)  # those that are live already gain instead
        more = np.full(len(live), _NONE)
        more[child] = np.where(again[child], silent[parent[child]], total[parent[child]])
        longer[parent[child], last[child]] = _NONE
        same = np.where(last >= 0, np.logaddexp(spoken, more) + p[last], _NONE)
        ended = total + p[blank]
        score = np.concatenate([np.logaddexp(ended, same), longer.reshape(-1)])
        best = np.argsort(-score, kind="stable")[:width]
        best = best[score[best] > _NONE]
        old, new = best < len(live), np.maximum(best - len(live), 0)
        prefixes = []
        for i, kept, at in zip(best.tolist(), old.tolist(), new.tolist(), strict=True):
            prefixes.append(live[i] if kept else (*live[at // blank], at % blank))
        own = np.where(old, best, 0)
        silent = np.where(old, ended[own], _NONE)
        spoken = np.where(old, same[own], longer.reshape(-1)[new] if blank else _NONE)
        live = prefixes
    ends = np.logaddexp(silent, spoken).tolist()
    return sorted(zip(live, ends, strict=True), key=lambda pair: -pair[1])


def _beam(x: Array, lengths: Array, *, width: int, top: int, merge: bool) -> Any:
    batch = x.shape[1]
    _check([[]] * batch, x, lengths, _DECODES)
    paths: list[list[Sequence[int]]] = [[] for _ in range(top)]
    score = np.zeros((batch, top), x.dtype)
    logs = _log_softmax(x)
    for b in range(batch):
        found = beams(logs[: int(lengths[b]), b], width)
        if len(found) < top:
            _refuse("Less leaves in the beam search than requested.")
        for k, (prefix, p) in enumerate(found[:top]):
            paths[k].append(_collapsed(prefix) if merge else prefix)
            score[b, k] = p
    parts = [_sparse(rows) for rows in paths]
    return (*(a for part in parts for a in part), score)


def _beam_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    out = [t for _ in range(attrs["top"]) for t in _decoded()]
    return [*out, (inputs[0].dtype, (_batch(inputs[0]), attrs["top"]))]


beam_op = op(
    "ctc_beam_search_decoder", "CTCBeamSearchDecoder", "host",
    doc="The most probable label sequences.", args=("inputs", "sequence_length"), types="fi",
    infer=_beam_infer, numpy=quiet(_beam),
)  # fmt: skip
