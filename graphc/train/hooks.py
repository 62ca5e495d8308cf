"""The standard hooks: stop, save, log, count, check, summarise."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face import logging
from graphc.face.config import RunOptions
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.train.steps import get_global_step

__all__ = [
    "CheckpointSaverHook", "CheckpointSaverListener", "FeedFnHook", "FinalOpsHook",
    "GlobalStepWaiterHook", "LoggingTensorHook", "NanLossDuringTrainingError", "NanTensorHook",
    "ProfilerHook", "SecondOrStepTimer", "StepCounterHook", "StopAtStepHook", "SummarySaverHook",
]  # fmt: skip


class SecondOrStepTimer:
    """Says when something is due: every so many seconds, or every so many steps.

    Parameters
    ----------
    every_secs, every_steps : number, optional
        Exactly one of them.
    """

    def __init__(self, every_secs: float | None = None, every_steps: int | None = None) -> None:
        self._every_secs = every_secs
        self._every_steps = every_steps
        if every_secs is None and every_steps is None:
            raise ValueError("Either every_secs or every_steps should be provided.")
        if every_secs is not None and every_steps is not None:
            raise ValueError("Can not provide both every_secs and every_steps.")
        self.reset()

    def reset(self) -> None:
        """Forget the last time: the next step is due."""
        self._last_step: int | None = None
        self._last_time: float | None = None

    def should_trigger_for_step(self, step: int) -> bool:
        """Whether it is due at `step`."""
        if self._last_step is None:
            return True
        if self._last_step == step:
            return False
        if self._every_secs is not None:
            return time.time() >= (self._last_time or 0.0) + self._every_secs
        return step >= self._last_step + (self._every_steps or 1)

    def update_last_triggered_step(self, step: int) -> tuple[float | None, int | None]:
        """Note that it was done at `step`; seconds and steps since the last time."""
        now = time.time()
        if self._last_step is None or self._last_time is None:
            elapsed: tuple[float | None, int | None] = None, None
        else:
            elapsed = now - self._last_time, step - self._last_step
        self._last_time, self._last_step = now, step
        return elapsed

    def last_triggered_step(self) -> int | None:
        """The step of the last time."""
        return self._last_step


def summary_writer_for(folder: str | None, shared: bool = True) -> Any:
    """The writer of summaries to a folder; None where there can be none.

    Parameters
    ----------
    shared : bool
        Whether it is the one that the process keeps for the folder.
    """
    if not folder:
        return None
    import graphc

    try:
        summary = graphc.summary
        return summary.FileWriterCache.get(folder) if shared else summary.FileWriter(folder)
    except (AttributeError, ImportError) as e:
        logging.warning("No summaries are written to %s: %s", folder, e)
        return None


def scalar_summary(tag: str, value: float) -> Any:
    """A summary message with one number."""
    import graphc

    return graphc.Summary(value=[graphc.Summary.Value(tag=tag, simple_value=value)])


def session_log(status: str, **more: Any) -> Any:
    """A message on the life of a session: ``START``, ``STOP``, ``CHECKPOINT``."""
    import graphc

    log = graphc.SessionLog
    return log(status=getattr(log, status), **more)


def write_graph_text(graph: Any, folder: str) -> None:
    """Write ``graph.pbtxt`` into a folder; messages need the package tensorboard."""
    from graphc.train.saver import note_once  # imported with the first saver

    try:
        definition = graph.as_graph_def(add_shapes=True)
        importlib.import_module("graphc.graphdef.meta").write_graph(
            definition, folder, "graph.pbtxt"
        )
    except ImportError as e:
        note_once(f"{os.path.join(folder, 'graph.pbtxt')} is not written: {e}")


def _step_before(step: Any) -> Any:
    """The step before a run that moves it: the variable fetched would be the step behind it.

    One of a graph, which is finalized when it gets a second session.
    """
    graph = step.graph
    made = graph.get_collection_ref("global_step_read_op_cache")
    if not made:
        with graph.as_default(), graph.counts_as(0), graph.name_scope(None):
            made.append(step + 0)
    return made[0]


def _step_tensor(hook: SessionRunHook) -> Any:
    step = get_global_step()
    if step is None:
        raise RuntimeError(f"Global step should be created to use {type(hook).__name__}.")
    return step


def _new_value(run_context: SessionRunContext, tensor: Any) -> int:
    """The step behind this run: other hooks and threads may have moved it."""
    return int(run_context.session.run(tensor))


class StopAtStepHook(SessionRunHook):
    """Stops after a number of steps, or at a step.

    Parameters
    ----------
    num_steps, last_step : int, optional
        Exactly one of them.
    """

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if num_steps is None and last_step is None:
            raise ValueError("One of num_steps or last_step must be specified.")
        if num_steps is not None and last_step is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        self._num_steps = num_steps
        self._last_step = last_step

    def begin(self) -> None:
        self._step = _step_tensor(self)
        self._before = _step_before(self._step)

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._last_step is None:
            self._last_step = int(session.run(self._step)) + (self._num_steps or 0)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._before)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        last = self._last_step or 0
        if run_values.results + 1 >= last and _new_value(run_context, self._step) >= last:
            run_context.request_stop()


class CheckpointSaverListener:
    """What `CheckpointSaverHook` tells of its checkpoints; to be overridden."""

    def begin(self) -> None:
        pass

    def before_save(self, session: Any, global_step_value: int) -> None:
        pass

    def after_save(self, session: Any, global_step_value: int) -> Any:
        """After a checkpoint; True asks for a stop."""

    def end(self, session: Any, global_step_value: int) -> None:
        pass


class CheckpointSaverHook(SessionRunHook):
    """Saves checkpoints: at the beginning, every so often, and at the end.

    Parameters
    ----------
    checkpoint_dir : str
    save_secs, save_steps : number, optional
        Exactly one of them.
    saver : Saver, optional
    checkpoint_basename : str
    scaffold : Scaffold, optional
        Whose saver is used.
    listeners : list of CheckpointSaverListener, optional
    """

    def __init__(
        self, checkpoint_dir: str, save_secs: float | None = None, save_steps: int | None = None,
        saver: Any = None, checkpoint_basename: str = "model.ckpt", scaffold: Any = None,
        listeners: Sequence[CheckpointSaverListener] | None = None,
    ) -> None:  # fmt: skip
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver = saver
        self._scaffold = scaffold
        self._dir = checkpoint_dir
        self._path = os.path.join(checkpoint_dir, checkpoint_basename)
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)
        self._listeners = list(listeners or ())

    def begin(self) -> None:
        self._writer = summary_writer_for(self._dir)
        self._step = _step_tensor(self)
        self._before = _step_before(self._step)
        for x in self._listeners:
            x.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        write_graph_text(session.graph, self._dir)
        self._save(session, int(session.run(self._step)))

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._before)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._timer.should_trigger_for_step(int(run_values.results) + 1):
            step = _new_value(run_context, self._step)
            if self._timer.should_trigger_for_step(step) and self._save(run_context.session, step):
                run_context.request_stop()

    def end(self, session: Any) -> None:
        step = int(session.run(self._step))
        if step != self._timer.last_triggered_step():
            self._save(session, step)
        for x in self._listeners:
            x.end(session, step)

    def _save(self, session: Any, step: int) -> bool:
        """Save a checkpoint; whether a listener asks for a stop."""
        self._timer.update_last_triggered_step(step)
        logging.info("Saving checkpoints for %d into %s.", step, self._path)
        for x in self._listeners:
            x.before_save(session, step)
        self._get_saver().save(session, self._path, global_step=step)
        if self._writer is not None:
            log = session_log("CHECKPOINT", checkpoint_path=self._path)
            self._writer.add_session_log(log, step)
        stop = False
        for x in self._listeners:
            stop = bool(x.after_save(session, step)) or stop
        return stop

    def _get_saver(self) -> Any:
        if self._saver is not None:
            return self._saver
        if self._scaffold is not None and self._scaffold.saver is not None:
            return self._scaffold.saver
        found = get_default_graph().get_collection(GraphKeys.SAVERS)
        if len(found) != 1:
            raise RuntimeError(
                f"{'No' if not found else 'More than one'} item in collection SAVERS: pass a saver "
                "to CheckpointSaverHook."
            )
        self._saver = found[0]
        return self._saver


def _by_tag(tensors: Any) -> dict[str, Any]:
    if isinstance(tensors, Mapping):
        return dict(tensors)
    return {t if isinstance(t, str) else t.name: t for t in tensors}


class LoggingTensorHook(SessionRunHook):
    """Logs values of tensors, every so often or at the end.

    Parameters
    ----------
    tensors : dict from tag to tensor (or its name), or a list of them
    every_n_iter, every_n_secs : number, optional
        At most one of them; one, or `at_end`.
    at_end : bool
    formatter : callable, optional
        From the dict of values to text.
    """

    def __init__(
        self, tensors: Any, every_n_iter: int | None = None, every_n_secs: float | None = None,
        at_end: bool = False, formatter: Callable[[Any], str] | None = None,
    ) -> None:  # fmt: skip
        only_at_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_at_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError(
                "either at_end and/or exactly one of every_n_iter and every_n_secs must be "
                "provided."
            )
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._tensors = _by_tag(tensors)
        self._order = list(self._tensors)
        if isinstance(tensors, Mapping):
            self._order = list(tensors)
        self._timer = (
            None if only_at_end
            else SecondOrStepTimer(every_secs=every_n_secs, every_steps=every_n_iter)
        )  # fmt: skip
        self._formatter = formatter
        self._at_end = at_end

    def begin(self) -> None:
        if self._timer is not None:
            self._timer.reset()
        self._iterations = 0
        graph = get_default_graph()
        self._current = {k: graph.as_graph_element(t) for k, t in self._tensors.items()}

    def _due(self) -> bool:
        return self._timer is not None and self._timer.should_trigger_for_step(self._iterations)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        self._triggered = self._due()
        return SessionRunArgs(self._current) if self._triggered else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._triggered:
            self._log(run_values.results)
        self._iterations += 1

    def end(self, session: Any) -> None:
        if self._at_end:
            self._log(session.run(self._current))

    def _log(self, values: Mapping[str, Any]) -> None:
        elapsed = None
        if self._timer is not None:
            elapsed, _ = self._timer.update_last_triggered_step(self._iterations)
        if self._formatter is not None:
            logging.info(self._formatter(values))
            return
        text = ", ".join(f"{tag} = {values[tag]!s}" for tag in self._order)
        if elapsed is None:
            logging.info(text)
        else:
            logging.info("%s (%.3f sec)", text, elapsed)


class NanLossDuringTrainingError(RuntimeError):
    """The loss is not a number."""

    def __str__(self) -> str:
        return "NaN loss during training."


class NanTensorHook(SessionRunHook):
    """Stops when a loss is not a number.

    Parameters
    ----------
    loss_tensor : tensor
    fail_on_nan_loss : bool
        Whether to raise `NanLossDuringTrainingError`, or only stop.
    """

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True) -> None:
        self._loss = loss_tensor
        self._fail = fail_on_nan_loss

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if not np.isnan(run_values.results):
            return
        if self._fail:
            logging.error("Model diverged with loss = NaN.")
            raise NanLossDuringTrainingError
        logging.warning("Model diverged with loss = NaN.")
        run_context.request_stop()


class StepCounterHook(SessionRunHook):
    """Logs, and writes to the summaries, how many steps are made in a second.

    Parameters
    ----------
    every_n_steps, every_n_secs : number
        How often.
    output_dir : str, or summary_writer : FileWriter, optional
    """

    def __init__(
        self, every_n_steps: int | None = 100, every_n_secs: float | None = None,
        output_dir: str | None = None, summary_writer: Any = None,
    ) -> None:  # fmt: skip
        if (every_n_steps is None) == (every_n_secs is None):
            raise ValueError("exactly one of every_n_steps and every_n_secs should be provided.")
        self._timer = SecondOrStepTimer(every_secs=every_n_secs, every_steps=every_n_steps)
        self._writer = summary_writer
        self._dir = output_dir

    def begin(self) -> None:
        if self._writer is None:
            self._writer = summary_writer_for(self._dir)
        self._step = _step_tensor(self)
        self._before = _step_before(self._step)
        self._tag = f"{self._step.op.name}/sec"

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(self._before)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if not self._timer.should_trigger_for_step(int(run_values.results) + 1):
            return
        step = _new_value(run_context, self._step)
        if self._timer.should_trigger_for_step(step):
            seconds, steps = self._timer.update_last_triggered_step(step)
            if seconds is not None and steps is not None:
                self._log(steps / max(seconds, 1e-9), step)

    def _log(self, rate: float, step: int) -> None:
        if self._writer is not None:
            self._writer.add_summary(scalar_summary(self._tag, rate), step)
        logging.info("%s: %g", self._tag, rate)


class SummarySaverHook(SessionRunHook):
    """Writes summaries every so often.

    Parameters
    ----------
    save_steps, save_secs : number, optional
        Exactly one of them.
    output_dir : str, or summary_writer : FileWriter
    scaffold : Scaffold, or summary_op : tensor or list of tensors
        Exactly one of them.
    """

    def __init__(
        self, save_steps: int | None = None, save_secs: float | None = None,
        output_dir: str | None = None, summary_writer: Any = None, scaffold: Any = None,
        summary_op: Any = None,
    ) -> None:  # fmt: skip
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._op = summary_op
        self._scaffold = scaffold
        self._writer = summary_writer
        self._dir = output_dir
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)

    def begin(self) -> None:
        if self._writer is None:
            self._writer = summary_writer_for(self._dir)
        self._next: int | None = None
        self._step = _step_tensor(self)
        self._before = _step_before(self._step)

    def _ops(self) -> list[Any]:
        found = self._op
        if found is None and self._scaffold.summary_op is not None:
            found = self._scaffold.summary_op
        if found is None:
            return []
        return list(found) if isinstance(found, list) else [found]

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._wanted = self._next is None or self._timer.should_trigger_for_step(self._next)
        fetches = {"global_step": self._before}
        if self._wanted and self._ops():
            fetches["summary"] = self._ops()
        return SessionRunArgs(fetches)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        if self._writer is None:
            return
        step = int(run_values.results["global_step"]) + 1
        if self._next is None or self._wanted:
            step = _new_value(run_context, self._step)
        if self._next is None:
            self._writer.add_session_log(session_log("START"), step)
        if self._wanted:
            self._timer.update_last_triggered_step(step)
            for s in run_values.results.get("summary", ()):
                self._writer.add_summary(s, step)
        self._next = step + 1

    def end(self, session: Any = None) -> None:
        if self._writer is not None:
            self._writer.flush()


class GlobalStepWaiterHook(SessionRunHook):
    """Lets runs wait until other threads have moved the global step to a value."""

    def __init__(self, wait_until_step: int) -> None:
        self._until = wait_until_step

    def begin(self) -> None:
        self._reached = False
        self._step = _step_tensor(self)

    def before_run(self, run_context: SessionRunContext) -> None:
        if self._reached:
            return
        if self._until <= 0:
            self._reached = True
            return
        logging.info("Waiting for global step %d before starting training.", self._until)
        while int(run_context.session.run(self._step)) < self._until:
            time.sleep(0.5)
        self._reached = True


class FinalOpsHook(SessionRunHook):
    """Runs something at the end.

    Attributes
    ----------
    final_ops_values
        What it gave.
    """

    def __init__(self, final_ops: Any, final_ops_feed_dict: Any = None) -> None:
        self._ops = final_ops
        self._feed = final_ops_feed_dict
        self._values: Any = None

    @property
    def final_ops_values(self) -> Any:
        return self._values

    def end(self, session: Any) -> None:
        if self._ops is not None:
            self._values = session.run(self._ops, feed_dict=self._feed)


class FeedFnHook(SessionRunHook):
    """Feeds what a function gives, anew in each run."""

    def __init__(self, feed_fn: Callable[[], Any]) -> None:
        self.feed_fn = feed_fn

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs(fetches=None, feed_dict=self.feed_fn())


class ProfilerHook(SessionRunHook):
    """Writes where the time of runs went, as ``timeline-<step>.json`` for Chrome's trace viewer.

    Parameters
    ----------
    save_steps, save_secs : number, optional
        How often; exactly one of them.
    output_dir : str
    show_dataflow, show_memory : bool
        Whether to draw arrows from steps to their readers, and the memory in use.

    Where nothing can be written, a warning says so, once, and training goes on.
    """

    def __init__(
        self, save_steps: int | None = None, save_secs: float | None = None, output_dir: str = "",
        show_dataflow: bool = True, show_memory: bool = False,
    ) -> None:  # fmt: skip
        self._file = os.path.join(output_dir, "timeline-{}.json")
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)
        self._show = show_dataflow, show_memory
        self._lost = False

    def begin(self) -> None:
        self._next: int | None = None
        self._step = _step_tensor(self)
        self._before = _step_before(self._step)

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        self._wanted = (
            self._next is not None
            and not self._lost
            and self._timer.should_trigger_for_step(self._next)
        )
        options = RunOptions(trace_level=RunOptions.FULL_TRACE) if self._wanted else None
        return SessionRunArgs({"global_step": self._before}, options=options)

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        stale = int(run_values.results["global_step"])
        if self._next is None:
            self._timer.update_last_triggered_step(stale)
        step = stale + 1
        if self._wanted:
            step = _new_value(run_context, self._step)
            self._timer.update_last_triggered_step(step)
            self._save(step, run_values.run_metadata.step_stats)
        self._next = step + 1

    def _save(self, step: int, step_stats: Any) -> None:
        timeline = importlib.import_module("graphc.see.timeline").Timeline(step_stats)
        text = timeline.generate_chrome_trace_format(*self._show)
        folder = os.path.dirname(self._file)
        try:
            if folder:
                os.makedirs(folder, exist_ok=True)
            with open(self._file.format(step), "w", encoding="utf-8") as f:
                f.write(text)
        except OSError as e:  # a trace is not worth a run
            self._lost = True
            logging.warning("No timelines are written to %s: %s", folder or os.curdir, e)
