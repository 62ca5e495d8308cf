"""Evaluation of checkpoints: once, or whenever a new one is there (``tf.contrib.training``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.face import logging
from graphc.face.current import get_collection
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ops import state
from graphc.train.checkpoints import _wait, checkpoints_iterator
from graphc.train.hooks import FinalOpsHook, summary_writer_for
from graphc.train.monitored_session import (
    ChiefSessionCreator,
    MonitoredSession,
    MonitoredTrainingSession,
    Scaffold,
    merged_summaries,
)
from graphc.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from graphc.train.steps import get_global_step

__all__ = [
    "StopAfterNEvalsHook", "SummaryAtEndHook", "evaluate_once", "evaluate_repeatedly",
    "get_or_create_eval_step", "train", "wait_for_new_checkpoint",
]  # fmt: skip


def get_or_create_eval_step() -> Any:
    """The variable that counts the runs of an evaluation.

    Raises
    ------
    ValueError
        When there is more than one.
    """
    found = get_collection(GraphKeys.EVAL_STEP)
    if len(found) > 1:
        raise ValueError("Multiple tensors added to tf.GraphKeys.EVAL_STEP")
    if found:
        return found[0]
    from graphc.face.initializers import zeros_initializer
    from graphc.face.scopes import get_variable, variable_scope

    with variable_scope("", reuse=None, auxiliary_name_scope=False):
        return get_variable(
            "eval_step", [], dtypes.int64, zeros_initializer(), trainable=False,
            collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.EVAL_STEP],
        )  # fmt: skip


class StopAfterNEvalsHook(SessionRunHook):
    """Stops an evaluation after some runs.

    Parameters
    ----------
    num_evals : int, optional
        How many; None for as long as there is data.
    log_progress : bool
    """

    def __init__(self, num_evals: int | None, log_progress: bool = True) -> None:
        self._runs, self._log = num_evals, log_progress
        self._done: Any = None

    def _set_evals_completed_tensor(self, updated_eval_step: Any) -> None:
        self._done = updated_eval_step

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs:
        return SessionRunArgs({"evals_completed": self._done})

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        done = int(run_values.results["evals_completed"])
        if self._log:
            of = "" if self._runs is None else f"/{self._runs}"
            logging.info("Evaluation [%d%s]", done, of)
        if self._runs is not None and done >= self._runs:
            run_context.request_stop()


class SummaryAtEndHook(SessionRunHook):
    """Writes summaries when a session ends.

    Parameters
    ----------
    log_dir : str, or summary_writer : FileWriter
        Where to.
    summary_op : tensor, optional
        All summaries of the graph by default.
    feed_dict : dict, optional

    Raises
    ------
    ValueError
        When neither place is given.
    """

    def __init__(
        self, log_dir: str | None = None, summary_writer: Any = None, summary_op: Any = None,
        feed_dict: Any = None,
    ) -> None:  # fmt: skip
        if log_dir is None and summary_writer is None:
            raise ValueError("log_dir and summary_writer should not both be None.")
        self._dir, self._writer, self._op, self._feed = (
            log_dir,
            summary_writer,
            summary_op,
            feed_dict,
        )

    def begin(self) -> None:
        if self._dir is not None and self._writer is None:
            self._writer = summary_writer_for(self._dir)
        self._step = get_global_step()
        if self._op is None:
            self._op = merged_summaries()

    def end(self, session: Any) -> None:
        fetches = {k: v for k, v in (("summary", self._op), ("step", self._step)) if v is not None}
        values = session.run(fetches, feed_dict=self._feed) if fetches else {}
        if self._writer is not None:
            if "summary" in values:
                self._writer.add_summary(values["summary"], values.get("step"))
            self._writer.flush()


def _counting(eval_ops: Any, hooks: list[Any]) -> Any:
    """`eval_ops` with a run counted, and the hooks that stop told where."""
    step = get_or_create_eval_step()
    if eval_ops is None:
        for hook in hooks:
            if isinstance(hook, StopAfterNEvalsHook):
                hook._set_evals_completed_tensor(step)
        return None
    update = state.assign_add(step, 1, use_locking=True)
    if isinstance(eval_ops, Mapping):
        eval_ops = {**eval_ops, "update_eval_step": update}
        ops = list(eval_ops.values())
    elif isinstance(eval_ops, tuple | list):
        eval_ops = ops = [*eval_ops, update]
    else:
        eval_ops = ops = [eval_ops, update]
    with get_default_graph().control_dependencies(ops):
        done = state.identity(step.read_value() if isinstance(step, Variable) else step)
    for hook in hooks:
        if isinstance(hook, StopAfterNEvalsHook):
            hook._set_evals_completed_tensor(done)
    return eval_ops


class _Evaluation:
    """The operations of an evaluation, made once; called with checkpoints."""

    def __init__(
        self, master: str, scaffold: Any, eval_ops: Any, feed_dict: Any, final_ops: Any,
        final_ops_feed_dict: Any, hooks: Any, config: Any,
    ) -> None:  # fmt: skip
        self.hooks = list(hooks or ())
        self.ops, self.feed = _counting(eval_ops, self.hooks), feed_dict
        self.final = FinalOpsHook(final_ops, final_ops_feed_dict)
        self.scaffold, self.master, self.config = scaffold or Scaffold(), master, config

    def __call__(self, path: Any) -> Any:
        creator = ChiefSessionCreator(
            self.scaffold, self.master, self.config, checkpoint_filename_with_path=path
        )
        with MonitoredSession(creator, [*self.hooks, self.final]) as session:
            while self.ops is not None and not session.should_stop():
                session.run(self.ops, self.feed)
        return self.final.final_ops_values


def evaluate_once(
    checkpoint_path: Any, master: str = "", scaffold: Any = None, eval_ops: Any = None,
    feed_dict: Any = None, final_ops: Any = None, final_ops_feed_dict: Any = None,
    hooks: Any = None, config: Any = None,
) -> Any:  # fmt: skip
    """Evaluate a checkpoint.

    Parameters
    ----------
    checkpoint_path : str
    scaffold : Scaffold, optional
    eval_ops : operations, list or dict of them, optional
        Run again and again, until a hook stops it or the data ends.
    final_ops : tensor or structure of tensors, optional
        What is asked for in the end.
    hooks : list of SessionRunHook, optional

    Returns
    -------
    The values of `final_ops`.
    """
    once = _Evaluation(
        master, scaffold, eval_ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config
    )
    return once(checkpoint_path)


def evaluate_repeatedly(
    checkpoint_dir: str, master: str = "", scaffold: Any = None, eval_ops: Any = None,
    feed_dict: Any = None, final_ops: Any = None, final_ops_feed_dict: Any = None,
    eval_interval_secs: float = 60, hooks: Any = None, config: Any = None,
    max_number_of_evaluations: int | None = None, timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Any:  # fmt: skip
    """Evaluate each new checkpoint of a folder, as `evaluate_once`.

    Parameters
    ----------
    eval_interval_secs : float
        Least time between two.
    max_number_of_evaluations : int, optional
    timeout : float, optional
        How long to wait for a new one.

    Returns
    -------
    The last values of `final_ops`.
    """
    evaluation = _Evaluation(
        master, scaffold, eval_ops, feed_dict, final_ops, final_ops_feed_dict, hooks, config
    )
    found, count = None, 0
    for path in checkpoints_iterator(checkpoint_dir, eval_interval_secs, timeout, timeout_fn):
        found = evaluation(path)
        count += 1
        if max_number_of_evaluations is not None and count >= max_number_of_evaluations:
            break
    return found


def wait_for_new_checkpoint(
    checkpoint_dir: str, last_checkpoint: str | None = None, seconds_to_sleep: float = 1,
    timeout: float | None = None,
) -> str | None:  # fmt: skip
    """The next checkpoint that is not `last_checkpoint`; None after `timeout`."""
    return _wait(checkpoint_dir, last_checkpoint, timeout)


def train(
    train_op: Any, logdir: str | None, master: str = "", is_chief: bool = True,
    scaffold: Any = None, hooks: Any = None, chief_only_hooks: Any = None,
    save_checkpoint_secs: float = 600, save_summaries_steps: int = 100, config: Any = None,
    max_wait_secs: float = 7200, run_metadata: Any = None,
) -> Any:  # fmt: skip
    """Run a training operation until a hook stops it; the loss of the last run.

    Raises
    ------
    ValueError
        When nothing could stop it or keep what it learns.
    """
    if logdir is None and is_chief and (save_summaries_steps or save_checkpoint_secs):
        raise ValueError(
            "logdir cannot be None when save_summaries_steps or save_checkpoint_secs are set"
        )
    with MonitoredTrainingSession(
        master, is_chief, logdir, scaffold, hooks, chief_only_hooks, save_checkpoint_secs,
        save_summaries_steps, config=config, max_wait_secs=max_wait_secs,
    ) as session:  # fmt: skip
        loss = None
        while not session.should_stop():
            loss = session.run(train_op, run_metadata=run_metadata)
    return loss
