"""`Estimator`: a model function with train, evaluate and predict."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.estimator.folders import copy_extras, fresh_folder
from graphc.estimator.spec import (
    EstimatorSpec,
    EvalSpec,
    ModeKeys,
    RunConfig,
    TrainSpec,
    WarmStartSettings,
)
from graphc.face import logging
from graphc.face.control import group
from graphc.face.current import control_dependencies, set_random_seed
from graphc.face.graph import Graph
from graphc.face.graph_keys import GraphKeys
from graphc.ir.node import Value
from graphc.ops.convert import constant
from graphc.train.checkpoints import latest_checkpoint
from graphc.train.hooks import (
    CheckpointSaverHook,
    CheckpointSaverListener,
    FinalOpsHook,
    LoggingTensorHook,
    NanTensorHook,
    SecondOrStepTimer,
    StopAtStepHook,
    summary_writer_for,
)
from graphc.train.monitored_session import (
    ChiefSessionCreator,
    MonitoredSession,
    MonitoredTrainingSession,
    Scaffold,
)
from graphc.train.steps import count_global_step_read, create_global_step, get_global_step
from graphc.train.warm import warm_start

__all__ = ["Estimator", "arguments_of", "train_and_evaluate"]

#: The modes of saved models, in the order they are written, and their tags.
_TAGS = {ModeKeys.TRAIN: "train", ModeKeys.EVAL: "eval", ModeKeys.PREDICT: "serve"}

#: How signatures of the other modes are called.
_SUPERVISED = {
    ModeKeys.TRAIN: "tensorflow/supervised/training", ModeKeys.EVAL: "tensorflow/supervised/eval",
}  # fmt: skip


class Estimator:
    """Trains, evaluates and predicts with a model function; each call in a graph of its own.

    Parameters
    ----------
    model_fn : callable
        ``(features, labels, mode, params, config) -> EstimatorSpec``; what it does not name in
        its signature is not passed.
    model_dir : str, optional
        Where checkpoints go and come from; a new temporary folder if not given.
    config : RunConfig, optional
    params : dict or object, optional
        Passed to `model_fn`.
    warm_start_from : str or WarmStartSettings, optional
        A checkpoint whose values variables begin with.
    """

    #: Whether TF1 reads the step before it asks for the input; seeds depend on it.
    _reads_step_first = True

    def __init__(
        self, model_fn: Callable[..., Any], model_dir: str | None = None, config: Any = None,
        params: Any = None, warm_start_from: Any = None,
    ) -> None:  # fmt: skip
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        names = arguments_of(model_fn)
        unknown = names - {"features", "labels", "mode", "params", "config", "self"}
        if "features" not in names:
            raise ValueError(f"model_fn ({model_fn}) must include features argument.")
        if unknown and not any(
            p.kind is p.VAR_KEYWORD for p in inspect.signature(model_fn).parameters.values()
        ):
            raise ValueError(f"model_fn ({model_fn}) has following not expected args: {unknown}")
        if params is not None and "params" not in names:
            raise ValueError(f"model_fn ({model_fn}) does not include params argument, but params "
                             f"({params}) is passed to Estimator.")  # fmt: skip
        self._model_fn = model_fn
        self._names = names
        config = config if config is not None else RunConfig()
        folder = model_dir or config.model_dir
        if model_dir and config.model_dir and model_dir != config.model_dir:
            raise ValueError("`model_dir` are set both in constructor and `RunConfig`, but with "
                             f"different values. In constructor: '{model_dir}', in `RunConfig`: "
                             f"'{config.model_dir}' ")  # fmt: skip
        if not folder:
            folder = tempfile.mkdtemp()
            logging.warning("Using temporary folder as model directory: %s", folder)
        self._config = config.replace(model_dir=folder)
        self._dir = folder
        self._params = copy.deepcopy(params or {})
        self._warm_start = warm_start_from

    # ---- what it is

    @property
    def model_dir(self) -> str:
        return self._dir

    @property
    def config(self) -> RunConfig:
        kept: RunConfig = self._config
        return kept

    @property
    def params(self) -> Any:
        """A copy of what was given: a dictionary, or an object such as `HParams`."""
        return copy.deepcopy(self._params)

    @property
    def model_fn(self) -> Callable[..., Any]:
        """``(features, labels, mode, config) -> EstimatorSpec``."""

        def public(features: Any, labels: Any, mode: Any, config: Any) -> Any:
            return self._call_model(features, labels, mode, config)

        return public

    def latest_checkpoint(self) -> str | None:
        """The path of the newest checkpoint."""
        found: str | None = latest_checkpoint(self._dir)
        return found

    def eval_dir(self, name: str | None = None) -> str:
        """Where summaries of an evaluation go."""
        return os.path.join(self._dir, "eval" if not name else f"eval_{name}")

    def _reader(self) -> Any:
        from graphc.train.checkpoints import load_checkpoint

        if self.latest_checkpoint() is None:
            raise ValueError(f"Could not find trained model in model_dir: {self._dir}.")
        return load_checkpoint(self._dir)

    def get_variable_names(self) -> list[str]:
        """Names of the variables in the newest checkpoint."""
        return sorted(self._reader().get_variable_to_shape_map())

    def get_variable_value(self, name: str) -> Any:
        """The value of a variable in the newest checkpoint."""
        return self._reader().get_tensor(name)

    # ---- building

    def _call_input(self, input_fn: Callable[..., Any], mode: Any) -> Any:
        names = arguments_of(input_fn)
        given = {"mode": mode, "params": self.params, "config": self._config}
        return input_fn(**{k: v for k, v in given.items() if k in names})

    def _inputs(self, input_fn: Callable[..., Any], mode: Any) -> tuple[Any, Any, list[Any]]:
        """Features, labels, and hooks that begin their iterators."""
        got = self._call_input(input_fn, mode)
        hooks = []
        if isinstance(got, Dataset):
            it = got.make_initializable_iterator()
            hooks.append(_Initialise(it.initializer))
            got = it.get_next()
        if isinstance(got, (list, tuple)):
            if len(got) != 2:
                raise ValueError(f"input_fn should return (features, labels) as a len 2 tuple, "
                                 f"got {len(got)}.")  # fmt: skip
            return got[0], got[1], hooks
        return got, None, hooks

    def _call_model(self, features: Any, labels: Any, mode: Any, config: Any) -> Any:
        given: dict[str, Any] = {}
        if "labels" in self._names:
            given["labels"] = labels
        elif labels is not None:
            raise ValueError("model_fn does not take labels, but input_fn returns labels.")
        for key, value in (("mode", mode), ("params", self.params), ("config", config)):
            if key in self._names:
                given[key] = value
        logging.info("Calling model_fn.")
        spec = self._model_fn(features=features, **given)
        logging.info("Done calling model_fn.")
        if hasattr(spec, "as_estimator_spec"):
            spec = spec.as_estimator_spec()
        if not isinstance(spec, EstimatorSpec):
            raise ValueError("model_fn should return an EstimatorSpec.")
        return spec

    # ---- training

    def train(
        self, input_fn: Callable[..., Any], hooks: Sequence[Any] | None = None,
        steps: int | None = None, max_steps: int | None = None, saving_listeners: Any = None,
    ) -> Estimator:  # fmt: skip
        """Train until the data ends, or for `steps` more steps, or up to step `max_steps`.

        Parameters
        ----------
        input_fn : callable
            Gives a dataset, or a pair (features, labels).
        """
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        for what, n in (("steps", steps), ("max_steps", max_steps)):
            if n is not None and n <= 0:
                raise ValueError(f"Must specify {what} > 0, given: {n}")
        if max_steps is not None and self._step_so_far() >= max_steps:
            logging.info("Skipping training since max_steps has already saved.")
            return self
        everything = list(hooks or ())
        if steps is not None or max_steps is not None:
            everything.append(StopAtStepHook(steps, max_steps))
        loss = self._train(input_fn, everything, saving_listeners)
        logging.info("Loss for final step: %s.", loss)
        return self

    def _step_so_far(self) -> int:
        path = self.latest_checkpoint()
        if path is None:
            return 0
        try:
            return int(self.get_variable_value(GraphKeys.GLOBAL_STEP))
        except Exception as e:
            logging.info("No global step in %s: %s", path, e)
            return 0

    def _create_global_step(self, graph: Graph) -> Any:
        """The variable that counts the steps: subclasses may make another one."""
        return create_global_step(graph)

    def _train(self, input_fn: Any, hooks: list[Any], listeners: Any) -> Any:
        config = self._config
        with Graph().as_default() as g:
            set_random_seed(config.tf_random_seed)
            self._create_global_step(g)
            if self._reads_step_first:
                count_global_step_read(g)
            features, labels, inputs = self._inputs(input_fn, ModeKeys.TRAIN)
            if not self._reads_step_first:
                count_global_step_read(g)
            spec = self._call_model(features, labels, ModeKeys.TRAIN, config)
            everything = [*inputs, *hooks, NanTensorHook(spec.loss)]
            if config.log_step_count_steps:
                shown = {"loss": spec.loss, "step": get_global_step(g)}
                everything.append(
                    LoggingTensorHook(shown, every_n_iter=config.log_step_count_steps)
                )
            everything += spec.training_hooks
            _summarise_loss(spec.loss)
            self._begin_warm()
            scaffold = spec.scaffold or Scaffold()
            if scaffold.saver is None and not g.get_collection(GraphKeys.SAVERS):
                g.add_to_collection(GraphKeys.SAVERS, self._saver())
            chief = list(spec.training_chief_hooks)
            if listeners and not (config.save_checkpoints_secs or config.save_checkpoints_steps):
                raise ValueError(
                    "There should be a CheckpointSaverHook to use saving_listeners. Please set one "
                    "of the RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
                )
            if config.save_checkpoints_secs or config.save_checkpoints_steps:
                chief.append(
                    CheckpointSaverHook(
                        self._dir, config.save_checkpoints_secs, config.save_checkpoints_steps,
                        scaffold=scaffold, listeners=listeners,
                    )
                )  # fmt: skip
            loss = None
            with MonitoredTrainingSession(
                checkpoint_dir=self._dir, scaffold=scaffold, hooks=everything,
                chief_only_hooks=chief, save_checkpoint_secs=0,
                save_summaries_steps=config.save_summary_steps, config=config.session_config,
                log_step_count_steps=config.log_step_count_steps,
            ) as s:  # fmt: skip
                while not s.should_stop():
                    _, loss = s.run([spec.train_op, spec.loss])
            return loss

    def _saver(self) -> Any:
        from graphc.train.saver import Saver

        return Saver(
            sharded=True, max_to_keep=self._config.keep_checkpoint_max, defer_build=True,
            keep_checkpoint_every_n_hours=self._config.keep_checkpoint_every_n_hours,
            save_relative_paths=True,
        )  # fmt: skip

    def _begin_warm(self) -> None:
        """Let new variables begin with the values of a checkpoint, if the user named one."""
        start = self._warm_start
        if start is None:
            return
        if not isinstance(start, WarmStartSettings):
            saved = os.path.join(start, "variables", "variables")
            start = WarmStartSettings(saved if os.path.exists(saved + ".index") else start)
        warm_start(*start)

    # ---- evaluation

    def evaluate(
        self, input_fn: Callable[..., Any], steps: int | None = None,
        hooks: Sequence[Any] | None = None, checkpoint_path: str | None = None,
        name: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The loss and the metrics over the data, or over `steps` batches.

        Returns
        -------
        dict
            Values by name, with ``loss`` and ``global_step``.
        """
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        path = checkpoint_path or self.latest_checkpoint()
        if path is None:
            logging.info("Could not find trained model in model_dir: %s, running initialization to "
                         "evaluate.", self._dir)  # fmt: skip
        with Graph().as_default() as g:
            set_random_seed(self._config.tf_random_seed)
            step = self._create_global_step(g)
            features, labels, inputs = self._inputs(input_fn, ModeKeys.EVAL)
            spec = self._call_model(features, labels, ModeKeys.EVAL, self._config)
            values, update = _metrics(spec)
            values[GraphKeys.GLOBAL_STEP] = step
            scaffold = spec.scaffold or Scaffold()
            creator = ChiefSessionCreator(
                scaffold, config=self._config.session_config, checkpoint_filename_with_path=path
            )
            final = FinalOpsHook(values)
            everything = [*inputs, *(hooks or ()), *spec.evaluation_hooks, final]
            with MonitoredSession(creator, everything) as s:
                done = 0
                while not s.should_stop() and (steps is None or done < steps):
                    s.run(update)
                    done += 1
            result: dict[str, Any] = final.final_ops_values
        shown = ", ".join(f"{k} = {v!s}" for k, v in sorted(result.items()))
        logging.info("Saving dict for global step %s: %s", result.get("global_step"), shown)
        self._write_result(result, name)
        return result

    def _write_result(self, result: Mapping[str, Any], name: str | None) -> None:
        writer = summary_writer_for(self.eval_dir(name))
        if writer is None:
            return
        import graphc

        s = graphc.Summary()
        for key, value in sorted(result.items()):
            if (
                key != GraphKeys.GLOBAL_STEP
                and np.ndim(value) == 0
                and not isinstance(value, bytes)
            ):
                s.value.add(tag=key, simple_value=float(value))
        writer.add_summary(s, int(result.get(GraphKeys.GLOBAL_STEP, 0)))
        writer.flush()

    # ---- prediction

    def predict(
        self, input_fn: Callable[..., Any], predict_keys: Any = None,
        hooks: Sequence[Any] | None = None, checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:  # fmt: skip
        """Predictions for the data, one example at a time: a generator.

        Parameters
        ----------
        predict_keys : list of str, optional
            Which of a dict of predictions to give.
        yield_single_examples : bool
            Whether to give examples, or whole batches.
        """
        path = checkpoint_path or self.latest_checkpoint()
        if path is None:
            logging.info("Could not find trained model in model_dir: %s, running initialization to "
                         "predict.", self._dir)  # fmt: skip
        with Graph().as_default() as g:
            set_random_seed(self._config.tf_random_seed)
            self._create_global_step(g)
            features, inputs = self._features(input_fn)
            spec = self._call_model(features, None, ModeKeys.PREDICT, self._config)
            wanted = chosen_predictions(spec.predictions, predict_keys, "predict_keys")
            creator = ChiefSessionCreator(
                spec.scaffold or Scaffold(), config=self._config.session_config,
                checkpoint_filename_with_path=path,
            )  # fmt: skip
            everything = [*inputs, *(hooks or ()), *spec.prediction_hooks]
            session = MonitoredSession(creator, everything)
        with session as s:
            while not s.should_stop():
                got = s.run(wanted)
                if not yield_single_examples:
                    yield got
                elif not isinstance(got, dict):
                    yield from got
                else:
                    sizes = {len(v) for v in got.values()}
                    if len(sizes) != 1:
                        raise ValueError("Batch length of predictions should be same. "
                                         f"{ {k: len(v) for k, v in got.items()} }")  # fmt: skip
                    for i in range(sizes.pop()):
                        yield {k: v[i] for k, v in got.items()}

    def _features(self, input_fn: Callable[..., Any]) -> tuple[Any, list[Any]]:
        got = self._call_input(input_fn, ModeKeys.PREDICT)
        hooks = []
        if isinstance(got, Dataset):
            it = got.make_initializable_iterator()
            hooks.append(_Initialise(it.initializer))
            got = it.get_next()
        return (got[0] if isinstance(got, (list, tuple)) else got), hooks

    # ---- export

    def export_saved_model(
        self, export_dir_base: str, serving_input_receiver_fn: Callable[..., Any],
        assets_extra: Any = None, as_text: bool = False, checkpoint_path: str | None = None,
        experimental_mode: str = ModeKeys.PREDICT,
    ) -> Any:  # fmt: skip
        """Write the model for serving: a folder with the graph of predictions and its variables.

        Parameters
        ----------
        export_dir_base : str
            In which the folder is made, named by the time.
        assets_extra : dict, optional
            Path below the folder's ``assets.extra`` → the file that is copied there.
        as_text : bool
            Whether to write the graph as text.
        """
        receivers = {experimental_mode: serving_input_receiver_fn}
        return self._exported(export_dir_base, receivers, assets_extra, as_text, checkpoint_path)

    def experimental_export_all_saved_models(
        self, export_dir_base: str, input_receiver_fn_map: Mapping[str, Callable[..., Any]],
        assets_extra: Any = None, as_text: bool = False, checkpoint_path: str | None = None,
    ) -> Any:  # fmt: skip
        """Write the graphs of several modes into one folder: see `export_saved_model`.

        Parameters
        ----------
        input_receiver_fn_map : dict
            Of each mode that is written, what makes its inputs: for training and evaluation with
            ``labels``.
        """
        found = {m: f for m, f in input_receiver_fn_map.items() if m in _TAGS}
        if not found:
            raise ValueError(
                "No models were exported: give a function for one of the modes "
                f"{sorted(_TAGS)}, found {sorted(input_receiver_fn_map)}"
            )
        return self._exported(export_dir_base, found, assets_extra, as_text, checkpoint_path)

    def _exported(
        self, base: str, receivers: Mapping[str, Callable[..., Any]], extras: Any, as_text: bool,
        checkpoint_path: str | None,
    ) -> bytes:  # fmt: skip
        import graphc
        from graphc.saved_model.models import Builder
        from graphc.train.saver import Saver

        path = checkpoint_path or self.latest_checkpoint()
        if path is None:
            raise ValueError(f"Couldn't find trained model at {self._dir}.")
        folder = fresh_folder(base)
        builder = Builder(folder)
        first = True
        for mode, tag in _TAGS.items():
            if mode not in receivers:
                continue
            with Graph().as_default() as g, graphc.Session() as s:
                self._create_global_step(g)
                receiver = receivers[mode]()
                labels = getattr(receiver, "labels", None)
                spec = self._call_model(receiver.features, labels, mode, self._config)
                signatures = _signatures(spec, receiver.receiver_tensors)
                if first:
                    Saver().restore(s, path)
                    builder.add_meta_graph_and_variables(s, [tag], signatures)
                else:
                    builder.add_meta_graph([tag], signatures)
                first = False
        copy_extras(folder, extras)
        builder.save(as_text)
        return folder.encode()

    def export_savedmodel(
        self, export_dir_base: str, serving_input_receiver_fn: Callable[..., Any],
        assets_extra: Any = None, as_text: bool = False, checkpoint_path: str | None = None,
        strip_default_attrs: bool = False,
    ) -> Any:  # fmt: skip
        """The older spelling of `export_saved_model`; default attributes are never written."""
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )


def arguments_of(f: Callable[..., Any]) -> set[str]:
    """Names of the arguments that a function takes; those that a partial has bound are left out."""
    if isinstance(f, functools.partial):
        return arguments_of(f.func).intersection(inspect.signature(f).parameters) - set(f.keywords)
    return set(inspect.signature(f).parameters)


class _Initialise(StopAtStepHook):
    """Begins an iterator when a session is made."""

    def __init__(self, initializer: Any) -> None:
        self._initializer = initializer

    def begin(self) -> None:
        pass

    def after_create_session(self, session: Any, coord: Any) -> None:
        session.run(self._initializer)

    def before_run(self, run_context: Any) -> Any:
        return None

    def after_run(self, run_context: Any, run_values: Any) -> None:
        pass


def _metrics(spec: EstimatorSpec) -> tuple[dict[str, Any], Any]:
    """Values of metrics by name, and the operation that takes a batch into account."""
    from graphc.metrics.averages import mean

    pairs = {
        k: (v.result(), v.updates[0]) if hasattr(v, "result") else v
        for k, v in spec.eval_metric_ops.items()
    }
    pairs.setdefault("loss", mean(spec.loss))
    values = {k: v[0] for k, v in pairs.items()}
    updates = [v[1] for v in pairs.values()]
    return values, group(*[u.op if isinstance(u, Value) else u for u in updates])  # type: ignore[attr-defined]


def _signatures(spec: EstimatorSpec, receivers: Any) -> dict[str, Any]:
    """A signature for each export output; without a default, the first is it too."""
    from graphc.saved_model.signatures import predict_signature_def

    inputs = receivers if isinstance(receivers, Mapping) else {"input": receivers}
    if spec.mode in _SUPERVISED:
        return {spec.mode: _supervised_signature(spec, inputs)}
    given = dict(spec.export_outputs or {"serving_default": None})
    given.setdefault("serving_default", next(iter(given.values())))
    made = {}
    for key, output in given.items():
        found = getattr(output, "outputs", spec.predictions)
        outputs = found if isinstance(found, Mapping) else {"output": found}
        made[key] = predict_signature_def(inputs, outputs)
    return made


def _supervised_signature(spec: EstimatorSpec, inputs: Mapping[str, Any]) -> Any:
    """Labels and features beside the loss, the predictions and values of metrics."""
    from graphc.saved_model.signatures import build_signature_def, build_tensor_info

    found = spec.predictions
    found = found if isinstance(found, Mapping) else {"predictions": found}
    outputs = {"loss": spec.loss}
    outputs.update((k if k == "predictions" else f"predictions/{k}", v) for k, v in found.items())
    if spec.mode == ModeKeys.EVAL:
        for name, (value, update) in spec.eval_metric_ops.items():
            if not isinstance(update, Value):
                with control_dependencies([update]):
                    update = constant(True)
            outputs[f"metrics/{name}/value"] = value
            outputs[f"metrics/{name}/update_op"] = update
    return build_signature_def(
        {k: build_tensor_info(v) for k, v in inputs.items()},
        {k: build_tensor_info(v) for k, v in outputs.items()}, _SUPERVISED[spec.mode],
    )  # fmt: skip


def chosen_predictions(predictions: Any, keys: Any, argument: str) -> Any:
    """The predictions that `keys` name (all without); `argument` is what the caller calls it."""
    if not keys:
        return predictions
    if not isinstance(predictions, dict):
        raise ValueError(f"{argument} argument is not valid in case of non-dict predictions.")
    found = {k: v for k, v in predictions.items() if k in keys}
    if not found:
        raise ValueError(f"Expected to run at least one output from {list(predictions)}, provided "
                         f"{keys}.")  # fmt: skip
    return found


def _summarise_loss(loss: Any) -> None:
    """The curve of the loss, unless the model has one, where summaries can be made."""
    import graphc
    from graphc.face.graph import get_default_graph

    names = [s.op.name for s in get_default_graph().get_collection(GraphKeys.SUMMARIES)]
    if "loss" not in names:
        try:
            graphc.summary.scalar("loss", loss)
        except (AttributeError, ImportError):
            return


class _Evaluate(CheckpointSaverListener):
    """Evaluates with checkpoints as they are saved, and with the last one in any case."""

    def __init__(self, estimator: Estimator, spec: EvalSpec, last: int | None) -> None:
        self._estimator, self._spec, self._last = estimator, spec, last
        self._timer = SecondOrStepTimer(every_secs=spec.throttle_secs)
        self._trained = False
        self.metrics: Any = None
        self.exports: list[Any] | None = None

    def after_save(self, session: Any, global_step_value: int) -> None:
        if self._trained and self._timer.should_trigger_for_step(global_step_value):
            self._evaluate(global_step_value)
        self._trained = True  # the first checkpoint is that of the beginning

    def end(self, session: Any, global_step_value: int) -> None:
        if global_step_value != self._timer.last_triggered_step():
            self._evaluate(global_step_value)

    def _evaluate(self, step: int) -> None:
        self._timer.update_last_triggered_step(step)
        s = self._spec
        path = self._estimator.latest_checkpoint()
        self.metrics = self._estimator.evaluate(s.input_fn, s.steps, s.hooks, path, s.name)
        final = bool(self._last) and self.metrics[GraphKeys.GLOBAL_STEP] >= self._last
        self.exports = [
            e.export(
                estimator=self._estimator,
                export_path=os.path.join(self._estimator.model_dir, "export", e.name),
                checkpoint_path=path,
                eval_result=self.metrics,
                is_the_final_export=final,
            )
            for e in s.exporters
        ]


def train_and_evaluate(
    estimator: Estimator, train_spec: TrainSpec, eval_spec: EvalSpec
) -> tuple[Any, Any]:
    """Train, in one go, evaluating when a checkpoint is saved and at the end.

    Between two evaluations there are at least ``eval_spec.throttle_secs`` seconds.

    Returns
    -------
    metrics, exports
        Of the last evaluation; (None, None) when there was nothing to train.

    """
    listener = _Evaluate(estimator, eval_spec, train_spec.max_steps)
    estimator.train(
        train_spec.input_fn, train_spec.hooks, max_steps=train_spec.max_steps,
        saving_listeners=[listener],
    )  # fmt: skip
    return listener.metrics, listener.exports
