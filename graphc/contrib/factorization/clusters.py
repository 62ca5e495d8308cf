"""``tf.contrib.factorization.KMeans``: the graph that finds clusters of points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.contrib.factorization.seeding import chain, plus_plus
from graphc.face.asserts import assert_equal
from graphc.face.control import group
from graphc.face.current import control_dependencies
from graphc.face.flow import cond
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ops import (
    arrays,
    fills,
    gathers,
    linalg,
    math,
    nn,
    partition,
    random,
    reduce,
    shapes,
    transposing,
)
from graphc.ops import state as updates
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.scatter import scatter_add
from graphc.ops.script import py_func

__all__ = [
    "COSINE_DISTANCE",
    "KMEANS_PLUS_PLUS_INIT",
    "RANDOM_INIT",
    "SQUARED_EUCLIDEAN_DISTANCE",
    "KMeans",
]  # fmt: skip

SQUARED_EUCLIDEAN_DISTANCE = "squared_euclidean"
COSINE_DISTANCE = "cosine"
RANDOM_INIT = "random"
KMEANS_PLUS_PLUS_INIT = "kmeans_plus_plus"
KMC2_INIT = "kmc2"


class KMeans:
    """The graph of k-means: centres, what is nearest to them, and the steps that move them.

    Parameters
    ----------
    inputs : tensor or list of tensors
        Points, one a row; a list is points in several parts.
    num_clusters : int
    initial_clusters : str, array or callable
        ``"random"``, ``"kmeans_plus_plus"`` or ``"kmc2"``; the centres; or a function
        ``(inputs, k)`` that gives up to k of them.
    distance_metric : str
        ``"squared_euclidean"`` or ``"cosine"``.
    use_mini_batch : bool
        Whether a step moves centres by a part of the points.
    mini_batch_steps_per_iteration : int
        After how many steps the moved centres become those that points are compared with.
    random_seed : int
    kmeans_plus_plus_num_retries : int
        How many more points to draw for each; negative: a number that grows with the clusters.
    kmc2_chain_length : int

    Raises
    ------
    ValueError
        When the way of choosing centres or the distance is unknown.
    """

    def __init__(
        self, inputs: Any, num_clusters: Any, initial_clusters: Any = RANDOM_INIT,
        distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE, use_mini_batch: bool = False,
        mini_batch_steps_per_iteration: int = 1, random_seed: int = 0,
        kmeans_plus_plus_num_retries: int = 2, kmc2_chain_length: int = 200,
    ) -> None:  # fmt: skip
        known = (RANDOM_INIT, KMEANS_PLUS_PLUS_INIT, KMC2_INIT)
        if isinstance(initial_clusters, str) and initial_clusters not in known:
            raise ValueError(f"Unsupported initialization algorithm '{initial_clusters}'")
        if distance_metric not in (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE):
            raise ValueError(f"Unsupported distance metric '{distance_metric}'")
        self._inputs = [convert_to_tensor(x) for x in _listed(inputs)]
        self._first = initial_clusters
        self._count = num_clusters
        self._cosine = distance_metric == COSINE_DISTANCE
        self._batches = use_mini_batch
        self._period = int(mini_batch_steps_per_iteration) if use_mini_batch else 1
        self._seed = random_seed
        self._retries = kmeans_plus_plus_num_retries
        self._chain = kmc2_chain_length

    def training_graph(self) -> tuple[Any, ...]:
        """Build it.

        Returns
        -------
        all_scores, cluster_idx, scores : tuple of tensors
            For each part of the inputs: distances to all centres, the nearest, its distance.
        cluster_centers_initialized : Variable
            Whether all centres are chosen.
        init_op : Operation
            Chooses centres; to be run until they are all chosen.
        training_op : Operation
        """
        given = self._first
        if not (isinstance(given, str) or callable(given)):
            given = convert_to_tensor(given)
            many: Any = shapes.shape(given)[0]
        else:
            many = convert_to_tensor(self._count)
        self._make_variables(many)
        init = _Chooser(self, given, many).op()
        points, centres = self._inputs, self._centres
        if self._cosine:
            points = [nn.l2_normalize(x, 1) for x in points]
            if not self._normalized:
                centres = nn.l2_normalize(centres, 1)
        everything, nearest, index = self._compared(points, centres)
        if not self._batches:
            return everything, index, nearest, self._ready, init, self._full(points, index, many)
        with control_dependencies([self._synchronized()]):
            step = self._partial(points, index)
        return everything, index, nearest, self._ready, init, step

    @property
    def _normalized(self) -> bool:
        """Whether the centres that are kept have length one."""
        return self._cosine and not (self._batches and self._period == 1)

    def _make_variables(self, many: Any) -> None:
        empty = constant([], dtypes.float32)
        self._centres: Any = Variable(empty, name="clusters", validate_shape=False)
        self._ready: Any = Variable(False, dtype=dtypes.bool_, name="initialized")
        self._moving: Any = self._centres
        self._counts: Any = None
        if self._period > 1:
            self._moving = Variable(empty, name="clusters_updated", validate_shape=False)
            self._left: Any = Variable(self._period, dtype=dtypes.int64, name="update_in_steps")
            self._counts = Variable(fills.zeros([many], dtypes.int64))
        elif self._batches:
            self._counts = Variable(fills.ones([many], dtypes.int64))

    def _compared(self, points: Sequence[Any], centres: Any) -> Any:
        """Of each part: all distances, the least, and whose it is."""
        found = []
        for x in points:
            inner = linalg.matmul(x, centres, transpose_b=True)
            if self._cosine:
                far: Any = 1.0 - inner
            else:
                far = _lengths(x) - 2.0 * inner + transposing.transpose(_lengths(centres))
            index = reduce.argmin(far, 1)
            near = math.maximum(reduce.reduce_min(far, 1), 0.0)
            found.append((far, near, index))
        return tuple(zip(*found, strict=True))

    # ---- steps

    def _full(self, points: Sequence[Any], index: Sequence[Any], many: Any) -> Any:
        sums, counts = [], []
        for x, i in zip(points, index, strict=True):
            sums.append(gathers.unsorted_segment_sum(x, i, many))
            one = fills.ones([shapes.shape(x)[0], 1])
            counts.append(gathers.unsorted_segment_sum(one, i, many))
        made = math.add_n(sums) / (math.add_n(counts) + 1e-6)
        if self._normalized:
            made = nn.l2_normalize(made, 1)
        return updates.assign(self._centres, made)

    def _partial(self, points: Sequence[Any], index: Sequence[Any]) -> Any:
        """Each centre moves towards the mean of all its points so far."""
        steps = []
        for x, i in zip(points, index, strict=True):
            ids, place = partition.unique(shapes.reshape(i, [-1]))[:2]
            n = shapes.size(ids)
            new = gathers.unsorted_segment_sum(fills.ones_like(place, dtype=dtypes.int64), place, n)
            old = arrays.gather(self._counts, ids)
            moved: Any = gathers.unsorted_segment_sum(x, place, n)
            before = arrays.gather(self._moving, ids)
            moved = moved - shapes.expand_dims(math.cast(new, x.dtype), 1) * before
            moved = moved / shapes.expand_dims(math.cast(old + new, x.dtype), 1)
            steps.append(scatter_add(self._counts, ids, new))
            steps.append(scatter_add(self._moving, ids, moved))
        return group(*steps)

    def _synchronized(self) -> Any:
        """What lets the moved centres be the ones that count, each time a period has passed."""
        if self._period == 1:
            return updates.no_op()

        def begin() -> Any:
            with control_dependencies([updates.assign(self._left, self._period - 1)]):
                moved: Any = self._moving
                if self._cosine:
                    moved = nn.l2_normalize(moved, 1)
                with control_dependencies([updates.assign(self._centres, moved)]):
                    cleared = updates.assign(self._counts, fills.zeros_like(self._counts))
                    with control_dependencies([cleared]):
                        return updates.identity(self._left)

        return cond(self._left <= 0, begin, lambda: updates.assign_sub(self._left, 1))


class _Chooser:
    """What chooses centres that are still missing, in one or several runs."""

    def __init__(self, model: KMeans, given: Any, many: Any) -> None:
        self._model, self._given, self._many = model, given, many
        self._points = model._inputs
        self._have: Any = shapes.shape(model._centres)[0]
        self._missing: Any = many - self._have
        self._total: Any = math.add_n([shapes.shape(x)[0] for x in self._points])

    def op(self) -> Any:
        ready = self._model._ready
        return cond(math.equal(self._missing, 0), lambda: assert_equal(ready, True), self._choose)

    def _choose(self) -> Any:
        m = self._model
        made: Any = self._new()
        if m._cosine:
            made = nn.l2_normalize(made, 1)
        everything = cond(
            math.equal(self._have, 0), lambda: made, lambda: arrays.concat([m._centres, made], 0)
        )
        kept = updates.assign(m._centres, everything, validate_shape=False)
        if m._moving is not m._centres:
            kept = updates.assign(m._moving, kept, validate_shape=False)
        left = self._many - shapes.shape(kept)[0]
        return cond(
            math.equal(left, 0),
            lambda: group(updates.assign(m._ready, True)),
            lambda: updates.no_op(),
        )

    def _new(self) -> Any:
        """Up to as many centres as are missing."""
        if callable(self._given):
            return self._given(self._points, self._missing)
        if not isinstance(self._given, str):
            same = assert_equal(self._missing, shapes.shape(self._given)[0])
            with control_dependencies([same]):
                return updates.identity(self._given)
        if self._given == RANDOM_INIT:
            return cond(
                self._total <= self._missing, lambda: arrays.concat(self._points, 0), self._random
            )
        work = self._plus_plus if self._given == KMEANS_PLUS_PLUS_INIT else self._chained
        return _points_of(work, [self._points[0], self._model._centres, self._missing])

    def _random(self) -> Any:
        which = random.random_uniform(
            shapes.reshape(self._missing, [-1]), 0, math.cast(self._total, dtypes.int64),
            dtypes.int64, self._model._seed,
        )  # fmt: skip
        return arrays.gather(arrays.concat(self._points, 0), which)

    def _plus_plus(self, points: Any, centres: Any, missing: Any) -> Any:
        if self._model._cosine:
            points = _unit(points)
        return plus_plus(points, missing, self._model._seed, self._model._retries)

    def _chained(self, points: Any, centres: Any, missing: Any) -> Any:
        """One centre, far from those before it: the end of a chain over a stretch of the points.

        There are as many stretches as centres are missing; as in TensorFlow the last one counts.
        """
        length = self._model._chain
        if not len(centres):
            return points[:1]
        i = max(min(int(missing), len(points) // length), 1) - 1
        part = points[i * length : (i + 1) * length]
        far = np.square(part[:, None] - centres[None]).sum(2).min(1)
        at = chain(far.astype(np.float32), self._model._seed)
        return part[at : at + 1]


def _points_of(work: Callable[..., Any], inputs: list[Any]) -> Any:
    made: Any = py_func(work, inputs, dtypes.float32)
    made.set_shape([None, inputs[0].shape[1]])
    return made


def _unit(points: Any) -> Any:
    long = np.square(points).sum(1, keepdims=True)
    return points / np.sqrt(np.maximum(long, np.float32(1e-12)))


def _lengths(x: Any) -> Any:
    return reduce.reduce_sum(math.square(x), 1, keepdims=True)


def _listed(inputs: Any) -> list[Any]:
    return inputs if isinstance(inputs, list) else [inputs]
