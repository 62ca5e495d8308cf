"""``tf.contrib.tpu`` for programs that run without a TPU: the estimator of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from graphc.errors import UnimplementedError
from graphc.estimator import estimator as base
from graphc.estimator import spec as base_spec
from graphc.face.graph import Graph
from graphc.face.scopes import variable_scope
from graphc.train.steps import create_global_step

__all__ = ["CrossShardOptimizer", "InputPipelineConfig", "RunConfig", "TPUConfig", "TPUEstimator",
           "TPUEstimatorSpec"]  # fmt: skip


class InputPipelineConfig:
    """How input reaches the hosts of a TPU: accepted."""

    PER_SHARD_V1 = 1
    PER_HOST_V1 = 2
    PER_HOST_V2 = 3
    BROADCAST = 4
    SLICED = 5


class TPUConfig(NamedTuple):
    """How a TPU is used: accepted."""

    iterations_per_loop: int = 2
    num_shards: int | None = None
    num_cores_per_replica: int | None = None
    per_host_input_for_training: Any = True
    tpu_job_name: str | None = None
    initial_infeed_sleep_secs: int | None = None
    input_partition_dims: Any = None
    eval_training_input_configuration: Any = InputPipelineConfig.PER_HOST_V1
    experimental_host_call_every_n_steps: int = 1


class RunConfig(base_spec.RunConfig):
    """`tf.estimator.RunConfig`, with what is said of a TPU."""

    def __init__(
        self, tpu_config: Any = None, evaluation_master: Any = None, master: Any = None,
        cluster: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.tpu_config = tpu_config or TPUConfig()
        self.cluster = cluster


class TPUEstimatorSpec(NamedTuple):
    """What a model function gives.

    `eval_metrics` is a pair of a function and what it is called with; `scaffold_fn` makes a
    scaffold.
    """

    mode: Any
    predictions: Any = None
    loss: Any = None
    train_op: Any = None
    eval_metrics: Any = None
    export_outputs: Any = None
    scaffold_fn: Any = None
    host_call: Any = None
    training_hooks: Any = None
    evaluation_hooks: Any = None
    prediction_hooks: Any = None

    def as_estimator_spec(self) -> base_spec.EstimatorSpec:
        """The same without a TPU."""
        metrics = None
        if self.eval_metrics is not None:
            f, given = self.eval_metrics
            metrics = f(**given) if isinstance(given, dict) else f(*given)
        scaffold = self.scaffold_fn() if self.scaffold_fn is not None else None
        return base_spec.EstimatorSpec(
            self.mode, self.predictions, self.loss, self.train_op, metrics, self.export_outputs,
            None, self.training_hooks, scaffold, self.evaluation_hooks, self.prediction_hooks,
        )  # fmt: skip


class TPUEstimator(base.Estimator):
    """An estimator whose ``params["batch_size"]`` is the batch size of what is done.

    Parameters
    ----------
    use_tpu : bool
        Must be False: graphc runs on CPUs.
    train_batch_size, eval_batch_size, predict_batch_size : int
    """

    def __init__(
        self, model_fn: Callable[..., Any] | None = None, model_dir: str | None = None,
        config: Any = None, params: Any = None, use_tpu: bool = True,
        train_batch_size: int | None = None, eval_batch_size: int | None = None,
        predict_batch_size: int | None = None, batch_axis: Any = None,
        eval_on_tpu: bool = True, export_to_tpu: bool = True, export_to_cpu: bool = True,
        warm_start_from: Any = None, **more: Any,
    ) -> None:  # fmt: skip
        if use_tpu:
            raise UnimplementedError(None, None, "graphc has no TPU: pass use_tpu=False")
        if params is not None and "batch_size" in params:
            raise ValueError("batch_size are reserved by TPUEstimator: do not give it in params")
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        self._sizes = {
            "train": train_batch_size, "eval": eval_batch_size, "infer": predict_batch_size,
        }  # fmt: skip
        super().__init__(model_fn, model_dir, config, None, warm_start_from)
        self._params = dict(params or {})

    def _create_global_step(self, graph: Graph) -> Any:
        with graph.as_default(), variable_scope("", use_resource=True):
            return create_global_step(graph)

    def _call_input(self, input_fn: Callable[..., Any], mode: Any) -> Any:
        if self._sizes[mode] is not None:
            self._params["batch_size"] = self._sizes[mode]
        return super()._call_input(input_fn, mode)


class CrossShardOptimizer:
    """The optimizer itself: there is one shard."""

    def __new__(cls, opt: Any, *args: Any, **kwargs: Any) -> Any:
        return opt
