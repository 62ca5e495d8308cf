"""``Experiment``: an estimator with the data that it is trained and evaluated with."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import graphc
from graphc.contrib.learn.config import RunConfig
from graphc.contrib.learn.estimator import Evaluable, Trainable
from graphc.contrib.learn.monitors import ValidationMonitor, replace_monitors_with_hooks
from graphc.contrib.learn.serving import ExportStrategy
from graphc.estimator.estimator import Estimator as Core
from graphc.face import logging
from graphc.train.hooks import CheckpointSaverHook, CheckpointSaverListener

__all__ = ["Experiment", "run", "tune"]

tf: Any = graphc


class Experiment:
    """An estimator, its data, and how often to train, evaluate and export.

    Parameters
    ----------
    estimator : an estimator of contrib.learn or of tf.estimator
    train_input_fn, eval_input_fn : callable
    eval_metrics : dict, optional
        More metrics, for estimators of contrib.learn.
    train_steps, eval_steps : int, optional
    train_monitors, eval_hooks : list, optional
    min_eval_frequency : int, optional
        Steps between two evaluations, of new checkpoints; 1 by default, none with 0.
    export_strategies : ExportStrategy or list of them, optional
    train_steps_per_iteration : int, optional
        How many steps `continuous_train_and_eval` trains between two evaluations.
    checkpoint_and_export : bool
        Whether to evaluate and export each checkpoint as it is saved.
    saving_listeners : list, optional
        For estimators of tf.estimator.
    eval_delay_secs, continuous_eval_throttle_secs, check_interval_secs : float
    delay_workers_by_global_step : bool
        Has no meaning in one process.

    Raises
    ------
    ValueError
        When something does not fit the kind of estimator.
    """

    def __init__(
        self, estimator: Any, train_input_fn: Any, eval_input_fn: Any, eval_metrics: Any = None,
        train_steps: int | None = None, eval_steps: int | None = 100, train_monitors: Any = None,
        eval_hooks: Any = None, local_eval_frequency: int | None = None,
        eval_delay_secs: float = 120, continuous_eval_throttle_secs: float = 60,
        min_eval_frequency: int | None = None, delay_workers_by_global_step: bool = False,
        export_strategies: Any = None, train_steps_per_iteration: int | None = None,
        checkpoint_and_export: bool = False, saving_listeners: Any = None,
        check_interval_secs: float = 5,
    ) -> None:  # fmt: skip
        self._core = isinstance(estimator, Core)
        if self._core:
            if eval_metrics is not None:
                raise ValueError(
                    "a tf.estimator.Estimator takes no eval_metrics: give eval_metric_ops to its"
                    " EstimatorSpec"
                )
        else:
            for kind in (Evaluable, Trainable):
                if not isinstance(estimator, kind):
                    raise ValueError(
                        f"estimator is no tf.contrib.learn.{kind.__name__} and no"
                        " tf.estimator.Estimator"
                    )
            if saving_listeners is not None:
                raise ValueError("a tf.contrib.learn.Estimator takes no saving_listeners")
        if train_steps_per_iteration is not None and not isinstance(train_steps_per_iteration, int):
            raise ValueError("train_steps_per_iteration is no integer")
        self._estimator = estimator
        self._train_fn, self._eval_fn = train_input_fn, eval_input_fn
        self._metrics = eval_metrics
        self._train_steps, self._eval_steps = train_steps, eval_steps
        self._local_frequency = local_eval_frequency
        self._delay, self._throttle = eval_delay_secs, continuous_eval_throttle_secs
        self._frequency = 1 if min_eval_frequency is None else min_eval_frequency
        self._interval = check_interval_secs
        self._monitors = list(train_monitors or ())
        self._hooks = list(eval_hooks or ())
        self._each_checkpoint = checkpoint_and_export
        self._listeners = saving_listeners
        self._round = train_steps_per_iteration
        self.reset_export_strategies(export_strategies)

    estimator = property(lambda self: self._estimator)
    eval_metrics = property(lambda self: self._metrics)
    train_steps = property(lambda self: self._train_steps)
    eval_steps = property(lambda self: self._eval_steps)

    def extend_train_hooks(self, additional_hooks: Any) -> None:
        """More hooks for training."""
        self._monitors.extend(additional_hooks)

    def reset_export_strategies(self, new_export_strategies: Any = None) -> Any:
        """Other strategies; gives those that there were."""
        new = new_export_strategies or ()
        new = (new,) if isinstance(new, ExportStrategy) else tuple(new)
        for s in new:
            if not isinstance(s, ExportStrategy):
                raise ValueError(f"export_strategies has {s}, which is no ExportStrategy")
        old, self._strategies = getattr(self, "_strategies", ()), new
        return old

    # ---- what it does

    def train(self, delay_secs: float | None = None) -> Any:
        """Train up to the number of steps."""
        if delay_secs:
            time.sleep(delay_secs)
        return self._call_train(max_steps=self._train_steps, hooks=self._monitors)

    def evaluate(self, delay_secs: float | None = None, name: str | None = None) -> Any:
        """Evaluate once, after a delay."""
        delay = self._delay if delay_secs is None else delay_secs
        if delay:
            logging.info("Waiting %d secs before starting eval.", delay)
            time.sleep(delay)
        return self._call_evaluate(name=name or "one_pass")

    def local_run(self) -> Any:
        """`train_and_evaluate`, evaluating every ``local_eval_frequency`` steps."""
        with self._with("_frequency", self._local_frequency):
            return self.train_and_evaluate()

    def test(self) -> Any:
        """One step of training, one of evaluation, and exports."""
        self._call_train(steps=1, hooks=self._monitors)
        found = self._call_evaluate(steps=1, name="one_pass")
        self._export(found)
        return found

    def run_std_server(self) -> Any:
        """Refused: there is no server to be in one process."""
        raise ValueError(
            "no server can be started: the RunConfig (or TF_CONFIG) lacks a cluster_spec, task_type"
            ", task or master"
        )

    def train_and_evaluate(self) -> tuple[Any, Any]:
        """Train, evaluate now and then and at the end, export.

        Returns
        -------
        metrics, exports
            Of the last evaluation.
        """
        config = self._estimator.config
        saving = config.save_checkpoints_secs or config.save_checkpoints_steps
        if self._each_checkpoint and saving:
            listener = _Exports(self)
            saver = CheckpointSaverHook(
                self._estimator.model_dir, config.save_checkpoints_secs,
                config.save_checkpoints_steps, listeners=[listener],
            )  # fmt: skip
            with self._with("_monitors", [*self._monitors, saver]):
                self.train(delay_secs=0)
            return listener.found, listener.exports
        more = []
        if self._frequency:
            more.append(
                ValidationMonitor(
                    input_fn=self._eval_fn, eval_steps=self._eval_steps, metrics=self._metrics,
                    every_n_steps=self._frequency, hooks=self._hooks,
                    check_interval_secs=self._interval,
                )
            )  # fmt: skip
        with self._with("_monitors", [*self._monitors, *more]):
            self.train(delay_secs=0)
        found = self._call_evaluate()
        return found, self._export(found)

    def continuous_train_and_eval(self, continuous_eval_predicate_fn: Any = None) -> Any:
        """Train some steps and evaluate, in turns, until all steps are done.

        Parameters
        ----------
        continuous_eval_predicate_fn : callable, optional
            From the last metrics to whether to go on.
        """
        goes_on = _predicate(continuous_eval_predicate_fn)
        steps = self._round or (int(self._train_steps / 10) if self._train_steps else 1000)
        found = exports = path = None
        while goes_on(found, path) and not self._finished(found):
            self._call_train(steps=steps, hooks=self._monitors)
            path = tf.train.latest_checkpoint(self._estimator.model_dir)
            found = self._call_evaluate(name="one_pass", checkpoint_path=path)
            exports = self._export(found)
        return found, exports

    def continuous_eval(
        self, delay_secs: float | None = None, throttle_delay_secs: float | None = None,
        evaluate_checkpoint_only_once: bool = True, continuous_eval_predicate_fn: Any = None,
        name: str = "continuous",
    ) -> None:  # fmt: skip
        """Evaluate and export checkpoints as another process saves them, until the last step."""
        self._continuous(
            self._eval_fn, name, delay_secs, throttle_delay_secs, evaluate_checkpoint_only_once,
            continuous_eval_predicate_fn, True,
        )  # fmt: skip

    def continuous_eval_on_train_data(
        self, delay_secs: float | None = None, throttle_delay_secs: float | None = None,
        continuous_eval_predicate_fn: Any = None, name: str = "continuous_on_train_data",
    ) -> None:  # fmt: skip
        """`continuous_eval` with the data for training, without exports."""
        self._continuous(self._train_fn, name, delay_secs, throttle_delay_secs, True,
                         continuous_eval_predicate_fn, False)  # fmt: skip

    # ---- parts

    def _continuous(
        self, input_fn: Any, name: str, delay: float | None, throttle: float | None, once: bool,
        predicate: Any, export: bool,
    ) -> None:  # fmt: skip
        goes_on = _predicate(predicate)
        time.sleep(self._delay if delay is None else delay)
        throttle = self._throttle if throttle is None else throttle
        last: Any = None
        found: Any = None
        while goes_on(found, last) and not self._finished(found):
            began = time.time()
            path = tf.train.latest_checkpoint(self._estimator.model_dir)
            found = {}
            if path and not (once and path == last):
                found = self._call_evaluate(
                    input_fn=input_fn, name=name, checkpoint_path=path
                ) or {}  # fmt: skip
                if export:
                    self._export(found, path)
                last = path
            time.sleep(max(throttle - (time.time() - began), 0))

    def _finished(self, found: Any) -> bool:
        step = (found or {}).get(tf.GraphKeys.GLOBAL_STEP)
        return bool(step and self._train_steps and step >= self._train_steps)

    def _export(self, found: Any, checkpoint_path: Any = None) -> list[Any]:
        base = os.path.join(self._estimator.model_dir, "export")
        return [
            s.export(self._estimator, os.path.join(base, s.name), checkpoint_path=checkpoint_path,
                     eval_result=found)
            for s in self._strategies
        ]  # fmt: skip

    def _call_train(self, hooks: Any = None, **steps: Any) -> Any:
        hooks = replace_monitors_with_hooks(hooks, self._estimator)
        if self._core:
            return self._estimator.train(
                input_fn=self._train_fn, hooks=hooks, saving_listeners=self._listeners, **steps
            )
        return self._estimator.fit(input_fn=self._train_fn, monitors=hooks, **steps)

    def _call_evaluate(self, **given: Any) -> Any:
        given.setdefault("input_fn", self._eval_fn)
        given.setdefault("steps", self._eval_steps)
        if not self._core:
            given["metrics"] = self._metrics
        return self._estimator.evaluate(hooks=self._hooks, **given)

    @contextlib.contextmanager
    def _with(self, name: str, value: Any) -> Iterator[None]:
        """An attribute with another value for a while."""
        saved = getattr(self, name)
        setattr(self, name, value)
        try:
            yield
        finally:
            setattr(self, name, saved)


class _Exports(CheckpointSaverListener):
    """Evaluates and exports each checkpoint as it is saved."""

    def __init__(self, experiment: Experiment) -> None:
        self._of = experiment
        self._path: Any = None
        self.found: Any = None
        self.exports: Any = None

    def after_save(self, session: Any, global_step_value: int) -> None:
        path = tf.train.latest_checkpoint(self._of.estimator.model_dir)
        if not path or path == self._path:
            return
        self._path = path
        self.found = self._of._call_evaluate(name="intermediate_export", checkpoint_path=path)
        self.exports = self._of._export(self.found, path)


def _predicate(f: Any) -> Callable[[Any, Any], bool]:
    """Whether to go on, from the last metrics and their checkpoint."""
    if f is None:
        return lambda found, path: True
    if not callable(f):
        raise ValueError("continuous_eval_predicate_fn has to be a function or None")
    names = getattr(getattr(f, "__code__", None), "co_varnames", ())
    if "checkpoint_path" in names:
        return lambda found, path: bool(f(found, checkpoint_path=path))
    return lambda found, path: bool(f(found))


# ------------------------------------------------------------------------- learn_runner


def run(
    experiment_fn: Any, output_dir: str | None = None, schedule: str | None = None,
    run_config: Any = None, hparams: Any = None,
) -> Any:  # fmt: skip
    """Make an experiment and do what a schedule names: `train_and_evaluate` by default.

    Parameters
    ----------
    experiment_fn : callable
        From a `RunConfig` and hyperparameters, or from `output_dir`, to an `Experiment`.

    Raises
    ------
    ValueError
        When not exactly one of `output_dir` and `run_config` is given, or there is no such task.
    TypeError
        When `experiment_fn` is no function or makes no experiment.
    """
    if output_dir is not None and run_config is not None:
        raise ValueError("output_dir and run_config exclude each other")
    if output_dir is None and run_config is None:
        raise ValueError("output_dir or run_config has to be given")
    if not callable(experiment_fn):
        raise TypeError(f'Experiment builder "{experiment_fn}" is not callable.')
    if run_config is not None:
        made = _built(experiment_fn, run_config, hparams)
    else:
        if not output_dir:
            raise ValueError("an output directory has to be given")
        if hparams is not None:
            raise ValueError("with output_dir, experiment_fn takes no hparams")
        made = _experiment(experiment_fn(output_dir=output_dir))
    schedule = schedule or "train_and_evaluate"
    if not hasattr(made, schedule):
        raise ValueError(f"an experiment has no task {schedule}")
    task = getattr(made, schedule)
    if not callable(task):
        raise TypeError(f"Schedule references non-callable member {schedule}")
    return task()


def tune(experiment_fn: Any, tuner: Any) -> None:
    """Let a tuner run an experiment with hyperparameters of its own, as long as it wants to."""

    def build(run_config: Any, hparams: Any) -> Experiment:
        if hparams is None:
            raise ValueError("hparams is None")
        return _built(experiment_fn, run_config, hparams)

    while tuner.next_trial():
        tuner.run_experiment(build)


def _experiment(made: Any) -> Experiment:
    if not isinstance(made, Experiment):
        raise TypeError("Experiment builder did not return an Experiment instance, got "
                        f"{type(made)} instead.")  # fmt: skip
    return made


def _built(experiment_fn: Any, run_config: Any, hparams: Any) -> Experiment:
    """An experiment whose estimator has the configuration that was given."""
    if not isinstance(run_config, RunConfig):
        raise ValueError("run_config is no tf.contrib.learn.RunConfig")
    if not run_config.model_dir:
        raise ValueError("run_config has no model_dir")
    if hparams is not None and not isinstance(hparams, tf.contrib.training.HParams):
        raise ValueError("hparams is no HParams")
    wanted = run_config.uid()
    made = _experiment(experiment_fn(run_config, hparams))
    config = made.estimator.config
    if not hasattr(config, "uid") or config.uid() != wanted:
        raise RuntimeError("`RunConfig` instance is expected to be used by the `Estimator` inside "
                           f"the `Experiment`. expected {wanted}, but got "
                           f"{config.uid() if hasattr(config, 'uid') else config}")  # fmt: skip
    return made
