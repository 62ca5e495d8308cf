"""``KMeansClustering``: k-means as an estimator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphc.contrib.factorization.clusters import (
    COSINE_DISTANCE,
    KMEANS_PLUS_PLUS_INIT,
    RANDOM_INIT,
    SQUARED_EUCLIDEAN_DISTANCE,
    KMeans,
)
from graphc.estimator.estimator import Estimator
from graphc.estimator.inputs import PredictOutput
from graphc.estimator.spec import EstimatorSpec
from graphc.face import logging
from graphc.face.current import control_dependencies
from graphc.feature_column.layers import input_layer
from graphc.metrics.averages import mean
from graphc.ops import arrays, reduce, state
from graphc.summary.ops import scalar
from graphc.train.session_run_hook import SessionRunArgs, SessionRunHook
from graphc.train.steps import get_global_step

__all__ = ["KMeansClustering"]


class _Settled(SessionRunHook):
    """Ends training when the loss changes by less than a share of itself."""

    def __init__(self, loss: Any, tolerance: float) -> None:
        self._loss, self._tolerance = loss, tolerance
        self._last: Any = None

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        loss, last = run_values.results, self._last
        if last and abs(loss - last) / (1 + abs(last)) < self._tolerance:
            run_context.request_stop()
        self._last = loss


class _Begin(SessionRunHook):
    """Chooses centres until there are all."""

    def __init__(self, init: Any, ready: Any) -> None:
        self._init, self._ready = init, ready

    def after_create_session(self, session: Any, coord: Any) -> None:
        while not session.run(self._ready):
            try:
                session.run(self._init)
            except RuntimeError as e:
                logging.info(str(e))


class KMeansClustering(Estimator):
    """Clusters of points: `KMeans` with train, evaluate and predict.

    Features are a tensor of points, or a dict of columns.

    Parameters
    ----------
    num_clusters : int
    initial_clusters : str, array or callable
        ``"random"``, ``"kmeans_plus_plus"``, the centres, or a function ``(inputs, k)``.
    distance_metric : str
    use_mini_batch : bool
        Whether a step moves centres by a batch; otherwise a batch is all points.
    relative_tolerance : float, optional
        Training ends when the loss changes by less than this share.
    feature_columns : list, optional
        Which features make a point, and how.

    Raises
    ------
    ValueError
        When the way of choosing centres or the distance is unknown.
    """

    SQUARED_EUCLIDEAN_DISTANCE = SQUARED_EUCLIDEAN_DISTANCE
    COSINE_DISTANCE = COSINE_DISTANCE
    RANDOM_INIT = RANDOM_INIT
    KMEANS_PLUS_PLUS_INIT = KMEANS_PLUS_PLUS_INIT
    SCORE = "score"
    CLUSTER_INDEX = "cluster_index"
    ALL_DISTANCES = "all_distances"
    CLUSTER_CENTERS_VAR_NAME = "clusters"

    def __init__(
        self, num_clusters: Any, model_dir: str | None = None, initial_clusters: Any = RANDOM_INIT,
        distance_metric: str = SQUARED_EUCLIDEAN_DISTANCE, random_seed: int = 0,
        use_mini_batch: bool = True, mini_batch_steps_per_iteration: int = 1,
        kmeans_plus_plus_num_retries: int = 2, relative_tolerance: float | None = None,
        config: Any = None, feature_columns: Any = None,
    ) -> None:  # fmt: skip
        if isinstance(initial_clusters, str) and initial_clusters not in (
            RANDOM_INIT, KMEANS_PLUS_PLUS_INIT,
        ):  # fmt: skip
            raise ValueError(f"Unsupported initialization algorithm '{initial_clusters}'")
        if distance_metric not in (SQUARED_EUCLIDEAN_DISTANCE, COSINE_DISTANCE):
            raise ValueError(f"Unsupported distance metric '{distance_metric}'")

        def model_fn(features: Any, mode: Any, config: Any) -> EstimatorSpec:
            (far,), (index,), near, ready, init, step = KMeans(
                _points(features, feature_columns), num_clusters, initial_clusters,
                distance_metric, use_mini_batch, mini_batch_steps_per_iteration, random_seed,
                kmeans_plus_plus_num_retries,
            ).training_graph()  # fmt: skip
            loss = reduce.reduce_sum(near)
            scalar("loss/raw", loss)
            more = state.assign_add(get_global_step(), 1)
            with control_dependencies([step, more]):
                train = state.identity(loss)
            hooks: list[Any] = [_Begin(init, ready)]
            if relative_tolerance is not None:
                hooks.append(_Settled(loss, relative_tolerance))
            return EstimatorSpec(
                mode, {self.ALL_DISTANCES: far, self.CLUSTER_INDEX: index}, loss, train,
                {self.SCORE: mean(loss)},
                {
                    self.ALL_DISTANCES: PredictOutput(far),
                    self.CLUSTER_INDEX: PredictOutput(index),
                    "serving_default": PredictOutput(index),
                },
                training_hooks=hooks,
            )  # fmt: skip

        super().__init__(model_fn, model_dir, config)

    def _each(self, input_fn: Any, key: str) -> Iterator[Any]:
        for row in self.predict(input_fn, [key]):
            yield row[key]

    def predict_cluster_index(self, input_fn: Any) -> Iterator[Any]:
        """The nearest centre of each point."""
        return self._each(input_fn, self.CLUSTER_INDEX)

    def transform(self, input_fn: Any) -> Iterator[Any]:
        """The distances of each point to all centres (squared, where they are Euclidean)."""
        return self._each(input_fn, self.ALL_DISTANCES)

    def score(self, input_fn: Any) -> Any:
        """The sum of the distances of the first batch to the nearest centres."""
        return self.evaluate(input_fn, steps=1)[self.SCORE]

    def cluster_centers(self) -> Any:
        """The centres."""
        return self.get_variable_value(self.CLUSTER_CENTERS_VAR_NAME)


def _points(features: Any, columns: Any) -> Any:
    """Points from a dict of features, side by side in the order of their names."""
    if not isinstance(features, dict):
        return features
    if columns:
        return input_layer(features, columns)
    return arrays.concat([features[k] for k in sorted(features)], 1)
