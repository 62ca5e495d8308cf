"""Mixtures of Gaussians: ``gmm``, the graph of it (``GmmAlgorithm``) and an estimator (``GMM``)."""

from __future__ import annotations

import math as pymath
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.contrib.factorization.clusters import RANDOM_INIT, _listed
from graphc.contrib.factorization.kmeans import _Begin, _points
from graphc.contrib.learn.estimator import Estimator
from graphc.contrib.learn.model_fn import ModelFnOps
from graphc.face.control import group
from graphc.face.current import control_dependencies
from graphc.face.flow import cond
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ops import (
    arrays,
    diagonal,
    factor,
    fills,
    linalg,
    math,
    random,
    reduce,
    shapes,
    state,
    transposing,
)
from graphc.ops.convert import constant, convert_to_tensor
from graphc.train.steps import get_global_step

__all__ = ["GMM", "GmmAlgorithm", "gmm"]

#: What is added to variances, so that no Gaussian becomes a point.
_LEAST = 1e-3


class GmmAlgorithm:
    """The graph of a mixture: its variables, what it says of points, and a step of EM.

    Parameters
    ----------
    data : tensor or list of tensors
        Points, one a row.
    num_classes : int
    initial_means : array, str or callable
        The first means, ``"random"``, or a function as `KMeans` takes.
    params : str
        What training changes: ``w``\\ eights, ``m``\\ eans, ``c``\\ ovariances.
    covariance_type : str
        ``"full"`` or ``"diag"``.
    random_seed : int
    """

    CLUSTERS_WEIGHT = "alphas"
    CLUSTERS_VARIABLE = "clusters"
    CLUSTERS_COVS_VARIABLE = "clusters_covs"

    def __init__(
        self, data: Any, num_classes: int, initial_means: Any = None, params: str = "wmc",
        covariance_type: str = "full", random_seed: int = 0,
    ) -> None:  # fmt: skip
        if covariance_type not in ("full", "diag"):
            raise Exception(f"programmer error: Invalid covariance type: {covariance_type}")
        self._diagonal = covariance_type == "diag"
        self._params, self._count = params, num_classes
        parts = [convert_to_tensor(x, dtypes.float32) for x in _listed(data)]
        self._points: Any = parts[0] if len(parts) == 1 else arrays.concat(parts, 0)
        points: Any = self._points
        width = int(points.shape[1])
        empty = constant([], dtypes.float32)

        def variable(name: str) -> Any:
            return Variable(empty, name=name, validate_shape=False)

        self._means = variable(self.CLUSTERS_VARIABLE)
        self._spreads = variable(self.CLUSTERS_COVS_VARIABLE)
        self._shares = variable(self.CLUSTERS_WEIGHT)
        self._ready: Any = Variable(False, dtype=dtypes.bool_, name="initialized")
        self._shapes = (
            [num_classes, 1, width],
            [num_classes, width] if self._diagonal else [num_classes, width, width],
            [num_classes],
        )
        self._begin = self._chosen(parts, initial_means, random_seed)
        self._log = self._densities()
        self._each: Any = reduce.reduce_logsumexp(self._log, 1, keepdims=True)

    def _chosen(self, parts: Any, given: Any, seed: int) -> Any:
        if given is None:
            given = RANDOM_INIT
        if not (isinstance(given, str) or callable(given)):
            given = convert_to_tensor(given, dtypes.float32)
        if isinstance(given, str) and given != RANDOM_INIT:
            raise TypeError(f"Expected float32, got {given!r} of type 'str' instead.")
        x: Any = self._points
        if callable(given):
            first: Any = given(parts, self._count)
        elif isinstance(given, str):
            many = math.cast(shapes.shape(x)[0], dtypes.int64)
            which = random.random_uniform([self._count], 0, many, dtypes.int64, seed)
            first = arrays.gather(x, which)
        else:
            first = given
        x = x - reduce.reduce_mean(x, 0)
        degrees = math.cast(shapes.shape(x)[0] - 1, dtypes.float32)
        spread: Any = linalg.matmul(x, x, transpose_a=True) / degrees
        spread = diagonal.diag_part(spread) + _LEAST if self._diagonal else spread + self._least(x)
        spreads = fills.zeros([self._count] + [1] * (1 if self._diagonal else 2)) + spread
        values = (
            shapes.expand_dims(first, 1), spreads, fills.fill([self._count], 1.0 / self._count)
        )  # fmt: skip
        variables = (self._means, self._spreads, self._shares)

        def begin() -> Any:
            pairs = zip(variables, values, strict=True)
            steps = [state.assign(v, y, validate_shape=False) for v, y in pairs]
            return group(*steps, state.assign(self._ready, True))

        return group(cond(self._ready, lambda: group(), begin))

    @staticmethod
    def _least(x: Any) -> Any:
        return np.eye(int(x.shape[1]), dtype=np.float32) * np.float32(_LEAST)

    def _now(self) -> tuple[Any, Any, Any]:
        found = []
        variables = (self._means, self._spreads, self._shares)
        for v, shape in zip(variables, self._shapes, strict=True):
            x: Any = state.identity(v)
            x.set_shape(shape)
            found.append(x)
        return found[0], found[1], found[2]

    def _densities(self) -> Any:
        """Logarithms of the densities of the points with each Gaussian, times its share."""
        means, spreads, shares = self._now()
        away: Any = shapes.expand_dims(self._points, 0) - means
        if self._diagonal:
            spreads = spreads + _LEAST
            far: Any = reduce.reduce_sum(math.square(away) / shapes.expand_dims(spreads, 1), 2)
            volume: Any = reduce.reduce_sum(math.log(spreads), 1)
        else:
            root = factor.cholesky(spreads + self._least(self._points))
            solved = factor.matrix_triangular_solve(root, transposing.matrix_transpose(away))
            far = reduce.reduce_sum(math.square(solved), 1)
            volume = 2.0 * reduce.reduce_sum(math.log(diagonal.matrix_diag_part(root)), 1)
        points: Any = self._points
        width = int(points.shape[1])
        flat = -0.5 * (far + shapes.expand_dims(volume, 1) + width * pymath.log(2 * pymath.pi))
        return transposing.matrix_transpose(flat) + math.log(shares)

    # ---- what users ask for

    def init_ops(self) -> Any:
        """The operation that makes the first Gaussians."""
        return self._begin

    def is_initialized(self) -> Any:
        """Whether there are any."""
        return self._ready

    def alphas(self) -> Any:
        """The share of each Gaussian."""
        return self._shares

    def clusters(self) -> Any:
        """The means."""
        return self._means

    def covariances(self) -> Any:
        """The covariances, or variances where they are diagonal."""
        return self._spreads

    def assignments(self) -> list[list[Any]]:
        """The Gaussian that each point most likely comes from."""
        return [[reduce.argmax(self._log, 1)]]

    def scores(self) -> Any:
        """The logarithm of each point's density, ``[n, 1]``."""
        return self._each

    def log_likelihood_op(self) -> Any:
        """The logarithm of the sum of all densities."""
        return reduce.reduce_logsumexp(self._each)

    def training_ops(self) -> Any:
        """A step of EM over all points."""
        means, _, _ = self._now()
        mine: Any = math.exp(self._log - self._each)
        weight: Any = reduce.reduce_sum(mine, 0)
        made: Any = linalg.matmul(mine, self._points, transpose_a=True)
        made = shapes.expand_dims(made / shapes.expand_dims(weight, 1), 1)
        steps = []
        if "w" in self._params:
            many = math.cast(shapes.shape(self._points)[0], dtypes.float32)
            steps.append(state.assign(self._shares, weight / many, validate_shape=False))
        if "m" in self._params:
            steps.append(state.assign(self._means, made, validate_shape=False))
            means = made
        if "c" in self._params:
            away: Any = shapes.expand_dims(self._points, 0) - means
            part = shapes.expand_dims(transposing.matrix_transpose(mine), 2) * away
            if self._diagonal:
                spread: Any = reduce.reduce_sum(part * away, 1) / shapes.expand_dims(weight, 1)
                spread = spread + _LEAST
            else:
                spread = linalg.matmul(part, away, transpose_a=True)
                spread = spread / shapes.reshape(weight, [-1, 1, 1]) + self._least(self._points)
            steps.append(state.assign(self._spreads, spread, validate_shape=False))
        return group(*steps)


def gmm(
    inp: Any, initial_clusters: Any, num_clusters: int, random_seed: int,
    covariance_type: str = "full", params: str = "wmc",
) -> tuple[Any, ...]:  # fmt: skip
    """The graph of a mixture of Gaussians: see `GmmAlgorithm`.

    Returns
    -------
    loss : tensor
        The logarithm of the sum of all densities.
    scores : tensor
        The logarithm of each point's density.
    assignments : list of lists of tensors
    training_op, init_op : Operation
    is_initialized : Variable
    """
    made = GmmAlgorithm(inp, num_clusters, initial_clusters, params, covariance_type, random_seed)
    return (
        made.log_likelihood_op(), made.scores(), made.assignments(), made.training_ops(),
        made.init_ops(), made.is_initialized(),
    )  # fmt: skip


class GMM(Estimator):
    """A mixture of Gaussians with fit, evaluate and predict: see `GmmAlgorithm`.

    Parameters
    ----------
    num_clusters : int
    params : str
        What training changes.
    initial_clusters : array, str or callable
    covariance_type : str
    """

    SCORES = "scores"
    LOG_LIKELIHOOD = "loss"
    ASSIGNMENTS = "assignments"

    def __init__(
        self, num_clusters: int, model_dir: str | None = None, random_seed: int = 0,
        params: str = "wmc", initial_clusters: Any = "random", covariance_type: str = "full",
        config: Any = None,
    ) -> None:  # fmt: skip
        def model_fn(features: Any, labels: Any, mode: Any) -> ModelFnOps:
            made = GmmAlgorithm(
                _points(features, None), num_clusters, initial_clusters, params,
                covariance_type, random_seed,
            )  # fmt: skip
            loss = made.log_likelihood_op()
            steps = [made.training_ops(), state.assign_add(get_global_step(), 1)]
            with control_dependencies(steps):
                train = state.identity(loss)
            hooks = [_Begin(made.init_ops(), made.is_initialized())]
            return ModelFnOps(
                mode, {self.ASSIGNMENTS: made.assignments()[0][0]}, loss, train,
                {self.SCORES: _sum_of(made.scores())}, training_hooks=hooks,
            )  # fmt: skip

        super().__init__(model_fn, model_dir, config)

    def predict_assignments(
        self, input_fn: Any = None, batch_size: int | None = None, outputs: Any = None
    ) -> Iterator[Any]:
        """The Gaussian that each point most likely comes from."""
        for row in self.predict(input_fn=input_fn, batch_size=batch_size, outputs=outputs):
            yield row[self.ASSIGNMENTS]

    def score(
        self, input_fn: Any = None, batch_size: int | None = None, steps: int | None = None
    ) -> Any:
        """The logarithm of the sum of the points' densities."""
        found = self.evaluate(input_fn=input_fn, batch_size=batch_size, steps=steps)
        return np.sum(found[self.LOG_LIKELIHOOD])

    def weights(self) -> Any:
        """The share of each Gaussian."""
        return self.get_variable_value(GmmAlgorithm.CLUSTERS_WEIGHT)

    def clusters(self) -> Any:
        """The means."""
        return np.squeeze(self.get_variable_value(GmmAlgorithm.CLUSTERS_VARIABLE), 1)

    def covariances(self) -> Any:
        """The covariances."""
        return self.get_variable_value(GmmAlgorithm.CLUSTERS_COVS_VARIABLE)


def _sum_of(scores: Any) -> tuple[Any, Any]:
    """A metric: the scores of all batches, added."""
    total = Variable(
        fills.zeros(scores.shape), trainable=False, collections=[GraphKeys.LOCAL_VARIABLES],
        name="total",
    )  # fmt: skip
    return state.identity(total), state.assign_add(total, scores)
