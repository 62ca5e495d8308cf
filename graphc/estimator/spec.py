"""What a model function gives, and how an estimator runs: `EstimatorSpec`, `RunConfig`, specs."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import local_variables
from graphc.ops.convert import convert_to_tensor
from graphc.ops.shapes import reshape
from graphc.train.warm import VocabInfo

__all__ = ["EstimatorSpec", "EvalSpec", "ModeKeys", "RunConfig", "TrainSpec", "VocabInfo",
           "WarmStartSettings"]  # fmt: skip


class ModeKeys:
    """What a model function is called for."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


class _Spec(NamedTuple):
    mode: Any
    predictions: Any
    loss: Any
    train_op: Any
    eval_metric_ops: Any
    export_outputs: Any
    training_chief_hooks: Any
    training_hooks: Any
    scaffold: Any
    evaluation_hooks: Any
    prediction_hooks: Any


class EstimatorSpec(_Spec):
    """What a model function gives.

    Parameters
    ----------
    mode : one of `ModeKeys`
    predictions : tensor or dict of tensors
        Needed to predict.
    loss : scalar tensor
        Needed to train and to evaluate.
    train_op : Operation or tensor
        Needed to train.
    eval_metric_ops : dict from name to (value, update operation), optional
        Or to a metric of Keras that was updated.
    training_hooks, training_chief_hooks, evaluation_hooks, prediction_hooks : optional
    scaffold : Scaffold, optional

    Raises
    ------
    ValueError
        When something needed is missing.
    """

    __slots__ = ()

    def __new__(
        cls, mode: Any, predictions: Any = None, loss: Any = None, train_op: Any = None,
        eval_metric_ops: Any = None, export_outputs: Any = None, training_chief_hooks: Any = None,
        training_hooks: Any = None, scaffold: Any = None, evaluation_hooks: Any = None,
        prediction_hooks: Any = None,
    ) -> EstimatorSpec:  # fmt: skip
        if train_op is None and mode == ModeKeys.TRAIN:
            raise ValueError("Missing train_op.")
        if loss is None and mode in (ModeKeys.TRAIN, ModeKeys.EVAL):
            raise ValueError("Missing loss.")
        if predictions is None and mode == ModeKeys.PREDICT:
            raise ValueError("Missing predictions.")
        if loss is not None:
            loss = _scalar(loss)
        predictions = {} if predictions is None else predictions
        metrics = dict(eval_metric_ops or {})
        for key, value in metrics.items():
            if not isinstance(value, tuple) and not hasattr(value, "result"):
                raise TypeError(
                    "Values of eval_metric_ops must be (metric_value, update_op) tuples, given: "
                    f"{value} for key: {key}"
                )
            for v in getattr(value, "variables", ()):  # of a metric of Keras
                if v not in local_variables():
                    v.graph.add_to_collection(GraphKeys.LOCAL_VARIABLES, v)
        hooks = [
            tuple(h or ()) for h in (training_chief_hooks, training_hooks, evaluation_hooks,
                                     prediction_hooks)
        ]  # fmt: skip
        return super().__new__(
            cls, mode, predictions, loss, train_op, metrics, export_outputs, hooks[0], hooks[1],
            scaffold, hooks[2], hooks[3],
        )  # fmt: skip


def _scalar(loss: Any) -> Any:
    t: Any = convert_to_tensor(loss)
    if not t.shape.is_compatible_with([]) and t.shape.num_elements() != 1:
        raise ValueError(f"Loss must be scalar, given: {t}")
    return t if t.shape.ndims == 0 else reshape(t, [])


class RunConfig:
    """How an estimator runs.

    Parameters
    ----------
    model_dir : str, optional
        Where checkpoints and summaries go.
    tf_random_seed : int, optional
    save_summary_steps : int, optional
    save_checkpoints_steps, save_checkpoints_secs : number, optional
        How often to save; every 600 seconds by default.
    session_config : ConfigProto, optional
    keep_checkpoint_max, keep_checkpoint_every_n_hours : number
    log_step_count_steps : int, optional
    """

    task_type = "worker"
    task_id = 0
    global_id_in_cluster = 0
    is_chief = True
    num_ps_replicas = 0
    num_worker_replicas = 1
    master = ""
    evaluation_master = ""
    cluster_spec = None
    service = None

    def __init__(
        self, model_dir: str | None = None, tf_random_seed: int | None = None,
        save_summary_steps: int | None = 100, save_checkpoints_steps: Any = ...,
        save_checkpoints_secs: Any = ..., session_config: Any = None,
        keep_checkpoint_max: int | None = 5, keep_checkpoint_every_n_hours: float = 10000,
        log_step_count_steps: int | None = 100, train_distribute: Any = None,
        device_fn: Any = None, protocol: Any = None, eval_distribute: Any = None,
        experimental_distribute: Any = None, experimental_max_worker_delay_secs: Any = None,
        session_creation_timeout_secs: float = 7200,
    ) -> None:  # fmt: skip
        if save_checkpoints_steps is ... and save_checkpoints_secs is ...:
            save_checkpoints_steps, save_checkpoints_secs = None, 600
        elif save_checkpoints_steps is ...:
            save_checkpoints_steps = None
        elif save_checkpoints_secs is ...:
            save_checkpoints_secs = None
        if save_checkpoints_steps is not None and save_checkpoints_secs is not None:
            raise ValueError("`save_checkpoints_steps` and `save_checkpoints_secs` cannot be both "
                             "set.")  # fmt: skip
        if model_dir is not None and not model_dir:
            raise ValueError("model_dir should be non-empty")
        self.model_dir = model_dir
        self.tf_random_seed = tf_random_seed
        self.save_summary_steps = save_summary_steps
        self.save_checkpoints_steps = save_checkpoints_steps
        self.save_checkpoints_secs = save_checkpoints_secs
        self.session_config = session_config
        self.keep_checkpoint_max = keep_checkpoint_max
        self.keep_checkpoint_every_n_hours = keep_checkpoint_every_n_hours
        self.log_step_count_steps = log_step_count_steps
        self.train_distribute = train_distribute
        self.eval_distribute = eval_distribute
        self.device_fn = device_fn
        self.protocol = protocol
        self.experimental_max_worker_delay_secs = experimental_max_worker_delay_secs
        self.session_creation_timeout_secs = session_creation_timeout_secs

    def replace(self, **kwargs: Any) -> RunConfig:
        """A copy with other values.

        Raises
        ------
        ValueError
            When there is no such property.
        """
        made = copy.copy(self)
        for name, value in kwargs.items():
            if not hasattr(self, name):
                raise ValueError(f"Replacing {name} is not supported.")
            setattr(made, name, value)
        return made


class TrainSpec(NamedTuple):
    """What `train_and_evaluate` trains with."""

    input_fn: Any
    max_steps: int | None = None
    hooks: Sequence[Any] = ()


class _EvalSpec(NamedTuple):
    input_fn: Any
    steps: int | None
    name: str | None
    hooks: Any
    exporters: Any
    start_delay_secs: float
    throttle_secs: float


class EvalSpec(_EvalSpec):
    """What `train_and_evaluate` evaluates with, and exports after evaluations.

    Parameters
    ----------
    input_fn : callable
    steps : int, optional
        Batches of an evaluation; all with None.
    name : str, optional
        Of the evaluation's folder.
    hooks : list of SessionRunHook, optional
    exporters : Exporter or iterable of them, optional
    start_delay_secs : float
        Has no meaning where training and evaluation take turns.
    throttle_secs : float
        The least time between two evaluations.
    """

    __slots__ = ()

    def __new__(
        cls, input_fn: Any, steps: int | None = 100, name: str | None = None, hooks: Any = None,
        exporters: Any = None, start_delay_secs: float = 120, throttle_secs: float = 600,
    ) -> EvalSpec:  # fmt: skip
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"`name` must be string, given: {name}")
        for what, secs in (("start_delay_secs", start_delay_secs),
                           ("throttle_secs", throttle_secs)):  # fmt: skip
            if secs < 0:
                raise ValueError(f"Must specify {what} >= 0, given: {secs}")
        return super().__new__(
            cls, input_fn, steps, name, tuple(hooks or ()), _exporters(exporters),
            start_delay_secs, throttle_secs,
        )  # fmt: skip


def _exporters(given: Any) -> tuple[Any, ...]:
    from graphc.estimator.exporter import Exporter

    if isinstance(given, Exporter):
        return (given,)
    try:
        found = tuple(given or ())
        good = all(isinstance(e, Exporter) for e in found)
    except TypeError:
        good = False
    if not good:
        raise TypeError("`exporters` must be an Exporter, an iterable of Exporter, or `None`, "
                        f"found {given}.")  # fmt: skip
    names = [e.name for e in found]
    if None in names or len(set(names)) != len(names):
        raise ValueError("`exporters` must have unique names. Such a name cannot be `None`. All "
                         f"exporter names: {names}")  # fmt: skip
    return found


class WarmStartSettings(NamedTuple):
    """Which variables begin with the values of a checkpoint."""

    ckpt_to_initialize_from: str
    vars_to_warm_start: Any = ".*"
    var_name_to_vocab_info: Any = None
    var_name_to_prev_var_name: Mapping[str, str] | None = None
