"""Monitors of ``tf.contrib.learn``: the older form of hooks."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import graphc
from graphc.estimator.estimator import Estimator as Core
from graphc.face import logging
from graphc.train.hooks import NanLossDuringTrainingError
from graphc.train.session_run_hook import SessionRunHook

__all__ = [
    "BaseMonitor", "CaptureVariable", "CheckpointSaver", "EveryN", "GraphDump", "LoggingTrainable",
    "NanLoss", "NanLossDuringTrainingError", "PrintTensor", "RunHookAdapterForMonitors",
    "StepCounter", "StopAtStep", "SummarySaver", "ValidationMonitor", "get_default_monitors",
    "replace_monitors_with_hooks",
]  # fmt: skip

tf: Any = graphc


class BaseMonitor:
    """Base of monitors; steps are counted from one."""

    run_on_all_workers = False

    def __init__(self) -> None:
        self._begun = False
        self._current_epoch: int | None = None
        self._current_step: int | None = None
        self._max_steps: int | None = None
        self._estimator: Any = None

    def set_estimator(self, estimator: Any) -> None:
        """What is being trained."""
        if estimator is None:
            raise ValueError("there is no estimator")
        self._estimator = estimator

    def begin(self, max_steps: int | None = None) -> None:
        """Once, before the first step."""
        if self._begun:
            raise ValueError("begin was called a second time before end")
        self._max_steps, self._begun = max_steps, True

    def end(self, session: Any = None) -> None:
        """Once, after the last step."""
        if not self._begun:
            raise ValueError("end was called before begin")
        self._max_steps, self._begun = None, False

    def epoch_begin(self, epoch: int) -> None:
        """Before an epoch."""
        if self._current_epoch is not None:
            raise ValueError("epoch_begin was called a second time before epoch_end")
        if epoch < 0:
            raise ValueError(f"{epoch} is no epoch")
        self._current_epoch = epoch

    def epoch_end(self, epoch: int) -> None:
        """After an epoch."""
        if self._current_epoch != epoch:
            raise ValueError(f"epoch {epoch} ends, but {self._current_epoch} was begun")
        self._current_epoch = None

    def step_begin(self, step: int) -> Any:
        """Before a step; gives tensors, or names of them, to fetch."""
        if step < 0 or (self._max_steps is not None and step > self._max_steps):
            raise ValueError(f"{step} is no step")
        self._current_step = step
        return []

    def step_end(self, step: int, output: Any) -> bool:
        """After a step, with what was fetched; gives whether to stop."""
        if self._current_step != step:
            raise ValueError(f"step {step} ends, but {self._current_step} was begun")
        self._current_step = None
        return False

    def post_step(self, step: int, session: Any) -> None:
        """After a step and after all monitors' `step_end`."""


def _value(outputs: Mapping[Any, Any], request: Any) -> Any:
    return outputs[request] if request in outputs else outputs[request.name]


class EveryN(BaseMonitor):
    """Does something in every n-th step, in the first few and in the last.

    Parameters
    ----------
    every_n_steps, first_n_steps : int
    """

    def __init__(self, every_n_steps: int = 100, first_n_steps: int = 1) -> None:
        super().__init__()
        self._every, self._first = every_n_steps, first_n_steps
        self._last_successful: int | None = None
        self._last_active = 0
        self._active = False

    def every_n_step_begin(self, step: int) -> Any:
        """Before a step that counts."""
        return []

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        """After a step that counts; gives whether to stop."""
        return False

    def every_n_post_step(self, step: int, session: Any) -> None:
        """After a step that counts and all `every_n_step_end`."""

    def step_begin(self, step: int) -> Any:
        super().step_begin(step)
        due = step >= self._every + self._last_active or step == self._max_steps
        self._active = step <= self._first or due
        return self.every_n_step_begin(step) if self._active else []

    def step_end(self, step: int, output: Any) -> bool:
        super().step_end(step, output)
        return bool(self._active and self.every_n_step_end(step, output))

    def post_step(self, step: int, session: Any) -> None:
        super().post_step(step, session)
        if self._active:
            self.every_n_post_step(step, session)
            self._last_active = step
        self._last_successful = step

    def end(self, session: Any = None) -> None:
        super().end(session)
        if self._last_successful is not None and self._last_successful != self._last_active:
            self.every_n_post_step(self._last_successful, session)


class StopAtStep(BaseMonitor):
    """Stops after a number of steps, or at a step."""

    run_on_all_workers = True

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        super().__init__()
        if num_steps is None and last_step is None:
            raise ValueError("num_steps or last_step has to be given")
        if num_steps is not None and last_step is not None:
            raise ValueError("num_steps and last_step exclude each other")
        self._steps, self._last = num_steps, last_step

    def step_begin(self, step: int) -> Any:
        super().step_begin(step)
        if self._last is None:
            assert self._steps is not None
            self._last = step + self._steps - 1
        return []

    def step_end(self, step: int, output: Any) -> bool:
        super().step_end(step, output)
        return self._last is not None and step >= self._last


class PrintTensor(EveryN):
    """Logs tensors.

    Parameters
    ----------
    tensor_names : list of names, or dict from a word to a name
    """

    _title = "Step"

    def __init__(self, tensor_names: Any, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__(every_n, first_n)
        self._names = tensor_names
        if not isinstance(tensor_names, dict):
            self._names = {n: n for n in tensor_names}

    def every_n_step_begin(self, step: int) -> Any:
        return list(self._names.values())

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        shown = [f"{k} = {_value(outputs, n)}" for k, n in self._names.items() if n in outputs]
        logging.info("%s %d: %s", self._title, step, ", ".join(shown))


class LoggingTrainable(PrintTensor):
    """Logs all trainable variables, or those of a scope."""

    _title = "Logging Trainable: Step"

    def __init__(self, scope: str | None = None, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__([], every_n, first_n)
        self._scope = scope

    def every_n_step_begin(self, step: int) -> Any:
        found = tf.get_collection(tf.GraphKeys.TRAINABLE_VARIABLES, scope=self._scope)
        self._names = {v.name: v.value().name for v in found}
        return list(self._names.values())


class SummarySaver(EveryN):
    """Saves summaries."""

    def __init__(
        self, summary_op: Any, save_steps: int = 100, output_dir: Any = None,
        summary_writer: Any = None, scaffold: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(save_steps)
        self._op, self._scaffold = summary_op, scaffold
        self._writer = summary_writer
        if summary_writer is None and output_dir:
            self._writer = tf.summary.FileWriter(output_dir)

    def set_estimator(self, estimator: Any) -> None:
        super().set_estimator(estimator)
        if self._writer is None:
            self._writer = tf.summary.FileWriter(estimator.model_dir)

    def every_n_step_begin(self, step: int) -> Any:
        if self._op is None and self._scaffold is not None:
            self._op = self._scaffold.summary_op
        return [] if self._op is None else [self._op]

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if self._op is not None and self._writer:
            self._writer.add_summary(_value(outputs, self._op), step)

    def end(self, session: Any = None) -> None:
        super().end(session)
        if self._writer:
            self._writer.flush()


class ValidationMonitor(EveryN):
    """Evaluates while an estimator trains, whenever there is a new checkpoint.

    Parameters
    ----------
    x, y, input_fn, batch_size, eval_steps, metrics, hooks, name
        As `evaluate` takes them.
    every_n_steps : int
    early_stopping_rounds : int, optional
        Training stops when the metric was not better for that many steps.
    early_stopping_metric : str
    early_stopping_metric_minimize : bool
        Whether less is better.
    check_interval_secs : float
        Evaluations are that far apart at least.
    """

    def __init__(
        self, x: Any = None, y: Any = None, input_fn: Any = None, batch_size: Any = None,
        eval_steps: Any = None, every_n_steps: int = 100, metrics: Any = None, hooks: Any = None,
        early_stopping_rounds: int | None = None, early_stopping_metric: str = "loss",
        early_stopping_metric_minimize: bool = True, name: Any = None,
        check_interval_secs: float | None = 5,
    ) -> None:  # fmt: skip
        super().__init__(every_n_steps, -1)
        if x is None and input_fn is None:
            raise ValueError("x or input_fn has to be given")
        self.x, self.y, self.input_fn, self.batch_size = x, y, input_fn, batch_size
        self.eval_steps, self.metrics, self.hooks, self.name = eval_steps, metrics, hooks, name
        self.early_stopping_rounds = early_stopping_rounds
        self.early_stopping_metric = early_stopping_metric
        self.early_stopping_metric_minimize = early_stopping_metric_minimize
        self.early_stopped = False
        self.best_step: int | None = None
        self.best_value: Any = None
        self.best_metrics: Any = None
        self._path: str | None = None
        self._checked: float | None = None
        self._interval = check_interval_secs

    def _evaluate(self) -> Any:
        given = {"input_fn": self.input_fn, "steps": self.eval_steps, "hooks": self.hooks,
                 "name": self.name}  # fmt: skip
        more = {"x": self.x, "y": self.y, "batch_size": self.batch_size, "metrics": self.metrics}
        if not isinstance(self._estimator, Core):
            return self._estimator.evaluate(**given, **more)
        if any(v is not None for v in more.values()):
            raise ValueError(
                "a tf.estimator.Estimator is evaluated from input_fn alone: leave out x, y,"
                " batch_size and metrics"
            )
        return self._estimator.evaluate(**given)

    def _due(self) -> bool:
        """Whether there is a checkpoint that was not evaluated, and time enough has passed."""
        now = time.time()
        if None not in (self._interval, self._checked) and now - self._checked <= self._interval:  # type: ignore[operator]
            return False
        self._checked = now
        path = tf.train.latest_checkpoint(self._estimator.model_dir)
        if path is None or path == self._path:
            return False
        self._path = path
        return True

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if self._estimator is None:
            raise ValueError("set_estimator has not been called")
        if not self._due():
            return False
        found = self._evaluate()
        shown = ", ".join(f"{k} = {v}" for k, v in found.items())
        logging.info("Validation (step %d): %s", step, shown)
        if self.early_stopping_rounds is None:
            return False
        if self.early_stopping_metric not in found:
            raise ValueError(
                f"the evaluation gives {sorted(found)}, and no {self.early_stopping_metric}"
            )
        value = found[self.early_stopping_metric]
        best, less = self.best_value, self.early_stopping_metric_minimize
        if best is None or (value < best if less else value > best):
            self.best_value, self.best_step = value, step
            self.best_metrics = copy.deepcopy(found)
        assert self.best_step is not None
        if step - self.best_step < self.early_stopping_rounds:
            return False
        logging.info("Stopping. Best step: %s with %s = %s.", self.best_step,
                     self.early_stopping_metric, self.best_value)  # fmt: skip
        self.early_stopped = True
        return True


class CaptureVariable(EveryN):
    """Keeps the values that a variable, named ``"v:0"``, had: `values` by step."""

    def __init__(self, var_name: str, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__(every_n, first_n)
        self._name = var_name
        self.values: dict[int, Any] = {}

    def every_n_step_begin(self, step: int) -> Any:
        return [self._name]

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        self.values[step] = _value(outputs, self._name)


def get_default_monitors(
    loss_op: Any = None, summary_op: Any = None, save_summary_steps: int = 100,
    output_dir: Any = None, summary_writer: Any = None,
) -> list[BaseMonitor]:  # fmt: skip
    """What logs a loss and saves summaries."""
    out: list[BaseMonitor] = []
    if loss_op is not None:
        out.append(PrintTensor({"loss": loss_op.name}))
    if summary_op is not None:
        out.append(SummarySaver(summary_op, save_summary_steps, output_dir, summary_writer))
    return out


class GraphDump(BaseMonitor):
    """Keeps the values of almost all tensors in each step: `data`.

    Parameters
    ----------
    ignore_ops : list of str, optional
        Types of operations that are left out.
    """

    IGNORE_OPS = ("Const", "Assign", "Identity", "Placeholder", "RandomUniform", "Cast",
                  "RestoreSlice")  # fmt: skip

    def __init__(self, ignore_ops: Any = None) -> None:
        super().__init__()
        self._ignored = ignore_ops or GraphDump.IGNORE_OPS
        self.data: dict[int, Any] = {}

    def begin(self, max_steps: int | None = None) -> None:
        super().begin(max_steps)
        found = (o for o in tf.get_default_graph().get_operations() if o.type not in self._ignored)
        self._tensors = [o.outputs[0] for o in found if o.outputs]

    def step_begin(self, step: int) -> Any:
        super().step_begin(step)
        return self._tensors

    def step_end(self, step: int, output: Any) -> bool:
        super().step_end(step, output)
        self.data[step] = output
        return False

    def compare(
        self, other_dump: GraphDump, step: int, atol: float = 1e-06
    ) -> tuple[list[str], dict[str, Any]]:
        """Names of what agrees with another dump in a step, and the differences of the rest."""
        matched, different = [], {}
        others = other_dump.data.get(step, {})
        for key, value in self.data.get(step, {}).items():
            if not isinstance(key, str):
                continue
            if key not in others:
                raise ValueError(f"step {step} gave no {key}")
            if isinstance(value, np.ndarray):
                if np.allclose(value, others[key], atol=atol):
                    matched.append(key)
                else:
                    different[key] = value - others[key]
            elif value == others[key]:
                matched.append(key)
            else:
                different[key] = value, others[key]
        return matched, different


class CheckpointSaver(BaseMonitor):
    """Saves checkpoints every so many steps or seconds, and at the end."""

    def __init__(
        self, checkpoint_dir: str, save_secs: float | None = None, save_steps: int | None = None,
        saver: Any = None, checkpoint_basename: str = "model.ckpt", scaffold: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if save_steps is None and save_secs is None:
            raise ValueError("save_steps or save_secs has to be given")
        if save_steps is not None and save_secs is not None:
            raise ValueError("save_steps and save_secs exclude each other")
        self._saver, self._scaffold = saver, scaffold
        self._path = os.path.join(checkpoint_dir, checkpoint_basename)
        self._secs, self._steps = save_secs, save_steps
        self._time: float | None = None
        self._begun_step: int | None = None
        self._saved_step: int | None = None

    def step_begin(self, step: int) -> Any:
        self._begun_step = step
        return super().step_begin(step)

    def post_step(self, step: int, session: Any) -> None:
        if self._time is None or self._saved_step is None:
            self._save(step, session)
        elif self._steps is not None:
            if step >= self._saved_step + self._steps:
                self._save(step, session)
        elif self._secs is not None and time.time() >= self._time + self._secs:
            self._save(step, session)

    def end(self, session: Any = None) -> None:
        super().end(session)
        self._save(self._begun_step, session)

    def _save(self, step: int | None, session: Any) -> None:
        if step == self._saved_step:
            return
        self._time, self._saved_step = time.time(), step
        saver = self._scaffold.saver if self._saver is None else self._saver
        saver.save(session, self._path, global_step=step)


class StepCounter(EveryN):
    """Writes the number of steps a second as a summary."""

    def __init__(
        self, every_n_steps: int = 100, output_dir: Any = None, summary_writer: Any = None
    ) -> None:
        super().__init__(every_n_steps)
        self._writer = summary_writer
        if summary_writer is None and output_dir:
            self._writer = tf.summary.FileWriter(output_dir)
        self._then: tuple[float, int] | None = None

    def set_estimator(self, estimator: Any) -> None:
        super().set_estimator(estimator)
        if self._writer is None:
            self._writer = tf.summary.FileWriter(estimator.model_dir)

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        now = time.time()
        if self._then is not None and self._writer:
            rate = (step - self._then[1]) / max(now - self._then[0], 1e-9)
            s = tf.Summary()
            s.value.add(tag="global_step/sec", simple_value=rate)
            self._writer.add_summary(s, step)
        self._then = now, step


class NanLoss(EveryN):
    """Stops, or raises, when a loss is no number."""

    def __init__(
        self, loss_tensor: Any, every_n_steps: int = 100, fail_on_nan_loss: bool = True
    ) -> None:
        super().__init__(every_n_steps)
        self._loss, self._fails = loss_tensor, fail_on_nan_loss

    def every_n_step_begin(self, step: int) -> Any:
        return [self._loss]

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if not np.isnan(_value(outputs, self._loss)):
            return False
        if self._fails:
            logging.error("Model diverged with loss = NaN.")
            raise NanLossDuringTrainingError
        logging.warning("Model diverged with loss = NaN.")
        return True


class RunHookAdapterForMonitors(SessionRunHook):
    """A hook that asks monitors."""

    def __init__(self, monitors: Sequence[BaseMonitor]) -> None:
        self._monitors = monitors

    def begin(self) -> None:
        self._step: int | None = None
        self._counter = tf.train.get_global_step()
        for m in self._monitors:
            m.begin(max_steps=None)

    def before_run(self, run_context: Any) -> Any:
        if self._step is None:
            self._step = int(run_context.session.run(self._counter)) + 1
        wanted: dict[Any, Any] = {}
        g = run_context.session.graph
        for m in self._monitors:
            for t in m.step_begin(self._step) or ():
                t = g.get_tensor_by_name(t if ":" in t else t + ":0") if isinstance(t, str) else t
                wanted[t.name] = t
        return tf.train.SessionRunArgs(wanted) if wanted else None

    def after_run(self, run_context: Any, run_values: Any) -> None:
        found = run_values.results or {}
        assert self._step is not None
        for m in self._monitors:
            if m.step_end(self._step, found):
                run_context.request_stop()
        for m in self._monitors:
            m.post_step(self._step, run_context.session)
        self._step = int(run_context.session.run(self._counter)) + 1

    def end(self, session: Any) -> None:
        self._step = None
        for m in self._monitors:
            if "session" in inspect.signature(m.end).parameters:
                m.end(session=session)
            else:
                m.end()


def replace_monitors_with_hooks(monitors_or_hooks: Any, estimator: Any) -> list[Any]:
    """Hooks as they are, and one for all monitors.

    Raises
    ------
    ValueError
        For what is neither.
    """
    hooks, monitors = [], []
    for x in monitors_or_hooks or ():
        if isinstance(x, SessionRunHook):
            hooks.append(x)
        elif isinstance(x, BaseMonitor):
            monitors.append(x)
        else:
            raise ValueError(f"{x} is neither a SessionRunHook nor a monitor.")
    for m in monitors:
        m.set_estimator(estimator)
    return [*hooks, RunHookAdapterForMonitors(monitors)] if monitors else hooks
