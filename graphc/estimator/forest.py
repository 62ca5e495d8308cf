"""The graph of boosted trees: what they predict, and the step that grows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.estimator.quantiles import boundaries, summary_of
from graphc.estimator.trees import (
    ARRAYS,
    FEATURE,
    FINAL,
    FIRST,
    LAYER_END,
    LAYER_FIRST,
    LAYERS,
    LAYERS_TRIED,
    LEFT,
    RIGHT,
    THRESHOLD,
    VALUE,
    Ensemble,
    Splits,
)
from graphc.face.asserts import assert_less_equal
from graphc.face.control import group
from graphc.face.current import add_to_collection, control_dependencies
from graphc.face.flow import cond
from graphc.face.gradients import gradients
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ops import (
    arrays,
    cumulative,
    fills,
    gathers,
    math,
    reduce,
    shapes,
    spaced,
    state,
    transposing,
)
from graphc.ops.convert import constant
from graphc.ops.script import py_func
from graphc.train.resources import register_resource
from graphc.train.saveables import SaveableObject, SaveSpec
from graphc.train.steps import get_global_step

__all__ = ["Forest"]

_TYPES = [as_dtype(kind) for kind, _ in ARRAYS]
_NAMES = ("nodes", "values", "trees", "counts")


def _kept(name: str, initial: Any, fixed: bool = True) -> Any:
    """A variable that checkpoints do not have, made when a session begins."""
    made = Variable(
        constant(initial), name=name, trainable=False, validate_shape=fixed, collections=[],
        use_resource=True,
    )  # fmt: skip
    register_resource(made, made.initializer, state.is_variable_initialized(made))
    return made


def _known(x: Any, shape: Any) -> Any:
    """The tensor with the shape of `shape`, where 0 is any size."""
    x.set_shape([n or None for n in shape])
    return x


class _Mean:
    """Arrays that are added up over batches, and used each time there are enough of them."""

    def __init__(self, name: str, sizes: list[tuple[int, ...]], batches: int) -> None:
        self._batches = batches
        if batches <= 1:
            return
        self._sums = [
            _kept(f"{name}_{i}", np.zeros(size, np.float32)) for i, size in enumerate(sizes)
        ]
        self._seen = _kept(name + "_batches", np.int32(0))

    def add(self, parts: list[Any], work: Any) -> Any:
        """The operation that adds a batch; `work` makes the one that uses the means."""
        if self._batches <= 1:
            return work(parts)
        first = math.equal(self._seen % self._batches, 0)
        sums = [
            state.identity(state.assign(v, math.where(first, x, v + x)))
            for v, x in zip(self._sums, parts, strict=True)
        ]
        seen: Any = state.identity(state.assign_add(self._seen, 1))
        share = np.float32(1.0 / self._batches)
        return cond(
            math.equal(seen % self._batches, 0), lambda: work([x * share for x in sums]),
            lambda: group(*sums, seen),
        )  # fmt: skip


class _SavedTrees(SaveableObject):
    """The ensemble under the names of TensorFlow's checkpoints."""

    def __init__(self, forest: Forest, name: str) -> None:
        self._forest = forest

        def message() -> Any:
            text = py_func(
                lambda *a: Ensemble(*a).message(), forest.state, dtypes.string, stateful=False
            )
            text.set_shape([])
            return text

        super().__init__(
            forest.stamp,
            [
                SaveSpec(forest.stamp.value(), "", name + "_stamp", dtypes.int64),
                SaveSpec(message, "", name + "_serialized", dtypes.string),
            ],
            name,
        )

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
        stamp, text = restored_tensors
        found = py_func(
            lambda data: Ensemble.of_message(data).arrays(), [text], _TYPES, stateful=False
        )
        return group(
            state.assign(self._forest.stamp, stamp), self._forest.replaced(found, count=False)
        )


class _SavedLimits(SaveableObject):
    """The limits of buckets that were found in the data."""

    def __init__(self, limits: list[Any], name: str) -> None:
        self._limits = limits
        specs = [
            SaveSpec(v.value(), "", f"{name}_bucket_boundaries_{i}", dtypes.float32)
            for i, v in enumerate(limits)
        ]
        super().__init__(limits[0], specs, name)

    def restore(self, restored_tensors: Any, restored_shapes: Any) -> Any:
        pairs = zip(self._limits, restored_tensors, strict=True)
        return group(*[state.assign(v, x, validate_shape=False) for v, x in pairs])


class Forest:
    """Trees in variables, and the examples of a batch as rows of buckets.

    Parameters
    ----------
    inputs : Inputs
    features : dict of tensors
    error : float
        By what share of all examples a limit of a bucket may be off.
    centered : bool
    """

    def __init__(self, inputs: Any, features: Any, error: float, centered: bool) -> None:
        self._inputs, self._error = inputs, error
        self._many = len(inputs.names)
        self._vars = [
            _kept(n, np.zeros(shape, kind), False)
            for n, (kind, shape) in zip(_NAMES, ARRAYS, strict=True)
        ]
        self.stamp = _kept("stamp", np.int64(0))
        add_to_collection(GraphKeys.SAVEABLE_OBJECTS, _SavedTrees(self, "boosted_trees:0"))
        values = inputs.values(features)
        error_buckets = round(1.0 / error) + 2  # a limit or two more than were asked for
        self._streams = [x for x, n in zip(values, inputs.buckets, strict=True) if n is None]
        self._found_limits(error)
        streams = iter(self._limits)
        ids = [
            x if n is not None else _bucket(x, next(streams))
            for x, n in zip(values, inputs.buckets, strict=True)
        ]
        self.rows: Any = arrays.stack(ids, 1)
        each = [error_buckets if n is None else n for n in inputs.buckets]
        #: Features by how many buckets they have.
        self._groups = [
            (n, np.array([i for i, m in enumerate(each) if m == n], np.int32))
            for n in sorted(set(each))
        ]
        self._ready: Any = Variable(
            not self._streams, name="are_boundaries_ready", trainable=False, use_resource=True
        )
        self._off: Any = Variable(
            bool(centered), name="center_bias_needed", trainable=False, use_resource=True
        )
        self._centered = centered

    def _found_limits(self, error: float) -> None:
        name = "QuantileAccumulator"
        self._limits = [
            _kept(f"{name}/limits_{i}", np.zeros(0, np.float32), False)
            for i in range(len(self._streams))
        ]
        if self._limits:
            saved = _SavedLimits(self._limits, f"boosted_trees/{name}:0")
            add_to_collection(GraphKeys.SAVEABLE_OBJECTS, saved)

    @property
    def state(self) -> list[Any]:
        """The arrays of the ensemble."""
        return [
            _known(state.identity(v), shape)
            for v, (_, shape) in zip(self._vars, ARRAYS, strict=True)
        ]

    @staticmethod
    def ensemble(*found: Any) -> Ensemble:
        """The trees in those arrays."""
        return Ensemble(*found)

    @staticmethod
    def stored(message: bytes) -> Ensemble:
        """The trees of a checkpoint."""
        return Ensemble.of_message(message)

    def replaced(self, found: Any, count: bool = True) -> Any:
        """The operation that puts other trees into the place of these."""
        steps = [
            state.assign(v, _known(x, shape), validate_shape=False)
            for v, x, (_, shape) in zip(self._vars, found, ARRAYS, strict=True)
        ]
        return group(*steps, *([state.assign_add(self.stamp, 1)] if count else []))

    def progress(self) -> tuple[Any, Any]:
        """How many trees are finished, and how many layers have been tried."""
        _, _, trees, counts = self.state
        return reduce.reduce_sum(trees[:, FINAL]), counts[LAYERS_TRIED]

    # ---- predicting

    def logits(self, depth: int) -> Any:
        """The sum of what all trees say of each example, ``[n, 1]``.

        Parameters
        ----------
        depth : int
            How many layers trees have at most; a checkpoint with deeper ones is refused in the run.
        """
        nodes, values, trees, counts = self.state
        fits = assert_less_equal(
            trees[:, LAYERS], depth,
            message="the checkpoint's trees are deeper than max_depth of the estimator",
        )  # fmt: skip
        many = shapes.shape(self.rows)[0]
        with control_dependencies([fits]):
            first: Any = state.identity(trees[:, FIRST])
        flat: Any = shapes.reshape(self.rows, [-1])
        row: Any = shapes.expand_dims(spaced.range(many) * self._many, 1)
        at: Any = fills.zeros([many, 1], dtypes.int32) + first
        for _ in range(depth):
            here: Any = arrays.gather(nodes, at)
            x = arrays.gather(flat, row + here[:, :, FEATURE])
            child = math.where(
                math.less_equal(x, here[:, :, THRESHOLD]), here[:, :, LEFT], here[:, :, RIGHT]
            )
            at = math.where(math.greater(here[:, :, LEFT], 0), first + child, at)
        said = arrays.gather(values[:, VALUE], at)
        last = arrays.concat([first, [0]], 0)
        newest = last[math.maximum(shapes.shape(first)[0] - 1, 0)]
        places: Any = arrays.concat([at, fills.zeros([many, 1], dtypes.int32)], 1)
        self._nodes = places[:, math.maximum(shapes.shape(first)[0] - 1, 0)] - newest
        self._counts = counts
        return reduce.reduce_sum(said, 1, keepdims=True)

    # ---- training

    def trained(
        self, loss: Any, logits: Any, batches: int, depth: int, rate: float, l1: float, l2: float,
        complexity: float, least: float, pruning: str,
    ) -> Any:  # fmt: skip
        """The operation that learns from a batch."""
        slope: Any = gradients(loss, logits)[0]
        curve: Any = gradients(slope, logits)[0]
        pair: Any = arrays.concat([slope, curve], 1)
        l1, l2 = float(l1), float(l2)
        self._batches = batches
        layer = _Mean("stats", [
            (len(which), 1 << (depth - 1), buckets, 2) for buckets, which in self._groups
        ], batches)  # fmt: skip
        bias = _Mean("bias", [(2,)], batches) if self._centered else None
        if self._streams:
            self._seen_rows = _kept("quantile_summaries", np.zeros((0, 5), np.float32), False)
            self._seen_batches = _kept("quantile_batches", np.int32(0))

        def grow() -> Any:
            return layer.add(
                self._statistics(pair, depth),
                lambda stats: self._layer(stats, depth, rate, l1, l2, complexity, least, pruning),
            )

        def center() -> Any:
            assert bias is not None
            return bias.add(
                [reduce.reduce_mean(pair, 0)], lambda sums: self._center(sums[0], l1, l2)
            )

        def learn() -> Any:
            step = cond(self._off, center, grow) if self._centered else grow()
            with control_dependencies([step]):
                return group(state.assign_add(get_global_step(), 1))

        return cond(self._ready, learn, self._observe) if self._streams else learn()

    def _layer(
        self, stats: Any, depth: int, rate: float, l1: float, l2: float, complexity: float,
        least: float, pruning: str,
    ) -> Any:  # fmt: skip
        """The trees with one layer more, by the statistics of each group of features."""
        parts = [_best_splits(s, l1, l2) for s in stats]
        order = np.argsort(np.concatenate([which for _, which in self._groups]))
        best = [arrays.gather(arrays.concat(list(column), 0), order)
                for column in zip(*[p[:4] for p in parts], strict=True)]  # fmt: skip
        enough = math.logical_not(math.less(parts[0][4], np.float32(least)))
        cost = np.float32(complexity)

        def work(gains: Any, thresholds: Any, left: Any, right: Any, enough: Any, *now: Any) -> Any:
            ensemble = Ensemble(*now)
            found = Splits(gains - cost, thresholds, left, right, enough)
            ensemble.grow(found, rate, depth, pruning)
            return ensemble.arrays()

        return self.replaced(py_func(work, [*best, enough, *self.state], _TYPES, stateful=False))

    def _statistics(self, pair: Any, depth: int) -> list[Any]:
        """Sums of slopes and curvatures for each feature, node of the layer and bucket.

        A list of ``[features, nodes, buckets, 2]``, features with as many buckets together.
        """
        most = 1 << (depth - 1)
        first, end = self._counts[LAYER_FIRST], self._counts[LAYER_END]
        at: Any = self._nodes - math.cast(first, dtypes.int32)
        inside = math.logical_and(
            math.greater_equal(at, 0), math.less(self._nodes, math.cast(end, dtypes.int32))
        )
        fresh = math.equal(end, 0)  # before the first tree all examples are in its root
        at = math.where(math.logical_or(inside, fresh), at, fills.fill(shapes.shape(at), -1))
        columns: Any = transposing.transpose(self.rows)
        out = []
        for buckets, which in self._groups:
            bucket = columns if len(which) == self._many else arrays.gather(columns, which)
            offset = np.arange(len(which), dtype=np.int32)[:, None] * most
            ids = (offset + at) * buckets + bucket
            ids = math.where(
                math.logical_and(math.greater_equal(at, 0), math.greater_equal(bucket, 0)),
                ids, fills.fill(shapes.shape(ids), -1),
            )  # fmt: skip
            data = fills.zeros([len(which), 1, 1]) + pair
            total = len(which) * most * buckets
            sums = gathers.unsorted_segment_sum(data, ids, total)
            out.append(shapes.reshape(sums, [len(which), most, buckets, 2]))
        return out

    def _center(self, total: Any, l1: float, l2: float) -> Any:
        """The trees with another beginning."""

        def work(total: Any, *now: Any) -> Any:
            ensemble = Ensemble(*now)
            again = ensemble.center(float(total[0]), float(total[1]), l1, l2)
            return (*ensemble.arrays(), np.array(again))

        found = py_func(work, [total, *self.state], [*_TYPES, dtypes.bool_], stateful=False)
        again = found[-1]
        again.set_shape([])
        return group(self.replaced(found[:-1]), state.assign(self._off, again))

    # ---- limits of buckets

    def _observe(self) -> Any:
        """Take a batch of numbers into account; after enough of them there are limits."""
        error, many = self._error, len(self._streams)

        def work(rows: Any, numbers: Any, seen: Any) -> Any:
            fresh = [
                np.insert(summary_of(column, error), 0, i + many * int(seen), 1)
                for i, column in enumerate(numbers)
            ]
            return np.concatenate([rows, *fresh]).astype(np.float32)

        numbers = arrays.stack(self._streams, 0)
        inputs = [self._seen_rows, numbers, self._seen_batches]
        rows = _known(py_func(work, inputs, dtypes.float32, stateful=False), (0, 5))
        if self._batches <= 1:
            return self._settle(rows)
        kept = state.identity(state.assign(self._seen_rows, rows, validate_shape=False))
        count: Any = state.identity(state.assign_add(self._seen_batches, 1))
        return cond(
            count >= self._batches, lambda: self._settle(kept),
            lambda: group(kept, count),
        )  # fmt: skip

    def _settle(self, rows: Any) -> Any:
        error, many = self._error, len(self._streams)

        def work(rows: Any) -> Any:
            return [_limits_of(rows, i, many, error) for i in range(many)]

        found = py_func(work, [rows], [dtypes.float32] * many, stateful=False)
        steps = [
            state.assign(v, _known(x, (0,)), validate_shape=False)
            for v, x in zip(self._limits, found, strict=True)
        ]
        return group(*steps, state.assign(self._ready, True))


def _limits_of(rows: Any, feature: int, many: int, error: float) -> Any:
    """The limits of one feature, of summaries marked with feature and batch."""
    mine = rows[rows[:, 0] % many == feature]
    parts = [mine[mine[:, 0] == mark, 1:] for mark in np.unique(mine[:, 0])]
    return boundaries(parts, error, round(1.0 / error))


def _bucket(x: Any, limits: Any) -> Any:
    """The first limit that is not below a number, or the last."""
    below = math.less(_known(state.identity(limits), (0,)), shapes.expand_dims(x, 1))
    count: Any = reduce.reduce_sum(math.cast(below, dtypes.int32), 1)
    return math.maximum(math.minimum(count, shapes.shape(limits)[0] - 1), 0)


def _best_splits(stats: Any, l1: float, l2: float) -> tuple[Any, ...]:
    """Of each feature and node: gain, bucket, and what the two sides should add; curvatures."""
    features, nodes, buckets, _ = stats.static_shape
    left: Any = cumulative.cumsum(stats, 2)
    total: Any = left[:, :, -1:]
    both = [_weighed(x, l1, l2) for x in (left, total - left)]
    score = both[0][1] + both[1][1]
    best = reduce.argmax(score, 2)
    place: Any = np.arange(features * nodes, dtype=np.int64) * buckets
    at = shapes.reshape(best, [-1]) + place

    def chosen(x: Any) -> Any:
        return shapes.reshape(arrays.gather(shapes.reshape(x, [-1]), at), [features, nodes])

    gain = chosen(score) - _weighed(total, l1, l2)[1][:, :, 0]
    bucket = math.cast(best, dtypes.int32)
    return gain, bucket, chosen(both[0][0]), chosen(both[1][0]), total[0, :, 0, 1]


def _weighed(pair: Any, l1: float, l2: float) -> tuple[Any, Any]:
    """What a leaf with these sums should add, and what that gains."""
    slope, curve = pair[..., 0], pair[..., 1] + l2
    if l1:
        slope = math.sign(slope) * math.maximum(math.abs(slope) - l1, 0.0)
    some = math.greater(curve, 1e-15)
    curve = math.where(some, curve, fills.ones_like(curve))
    zero = fills.zeros_like(curve)
    return math.where(some, -slope / curve, zero), math.where(some, slope * slope / curve, zero)
