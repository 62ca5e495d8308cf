"""tf.contrib.slim.evaluation: checkpoints evaluated with summaries of the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.train.checkpoints import checkpoints_iterator
from graphc.train.evaluation import (
    StopAfterNEvalsHook,
    SummaryAtEndHook,
    evaluate_repeatedly,
    wait_for_new_checkpoint,
)
from graphc.train.evaluation import evaluate_once as _evaluate_once
from graphc.train.monitored_session import Scaffold
from graphc.train.saver import Saver

__all__ = ["checkpoints_iterator", "evaluate_once", "evaluation_loop", "wait_for_new_checkpoint"]

_DEFAULT = 0


def _hooks(num_evals: int, logdir: str, summary_op: Any, feed_dict: Any, more: Any) -> list[Any]:
    found: list[Any] = [StopAfterNEvalsHook(num_evals)]
    if summary_op is not None:
        given = None if type(summary_op) is int and summary_op == _DEFAULT else summary_op
        found.append(SummaryAtEndHook(logdir, summary_op=given, feed_dict=feed_dict))
    return [*found, *(more or ())]


def _saver(variables_to_restore: Any) -> Saver | None:
    return None if variables_to_restore is None else Saver(variables_to_restore)


def evaluate_once(
    master: str, checkpoint_path: str, logdir: str, num_evals: int = 1, initial_op: Any = None,
    initial_op_feed_dict: Any = None, eval_op: Any = None, eval_op_feed_dict: Any = None,
    final_op: Any = None, final_op_feed_dict: Any = None, summary_op: Any = _DEFAULT,
    summary_op_feed_dict: Any = None, variables_to_restore: Any = None,
    session_config: Any = None, hooks: Any = None,
) -> Any:  # fmt: skip
    """Evaluate a checkpoint: `eval_op` `num_evals` times, then `final_op`, then summaries.

    Parameters
    ----------
    logdir : str
        Where summaries go.
    summary_op : tensor, optional
        All summaries by default; None for none.
    variables_to_restore : list or dict of variables, optional

    Returns
    -------
    The value of `final_op`.
    """
    return _evaluate_once(
        checkpoint_path, master,
        Scaffold(initial_op, initial_op_feed_dict, saver=_saver(variables_to_restore)),
        eval_op, eval_op_feed_dict, final_op, final_op_feed_dict,
        _hooks(num_evals, logdir, summary_op, summary_op_feed_dict, hooks), session_config,
    )  # fmt: skip


def evaluation_loop(
    master: str, checkpoint_dir: str, logdir: str, num_evals: int = 1, initial_op: Any = None,
    initial_op_feed_dict: Any = None, init_fn: Any = None, eval_op: Any = None,
    eval_op_feed_dict: Any = None, final_op: Any = None, final_op_feed_dict: Any = None,
    summary_op: Any = _DEFAULT, summary_op_feed_dict: Any = None,
    variables_to_restore: Any = None, eval_interval_secs: float = 60,
    max_number_of_evaluations: int | None = None, session_config: Any = None,
    timeout: float | None = None, timeout_fn: Callable[[], bool] | None = None,
    hooks: Any = None,
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
    The last value of `final_op`.
    """
    return evaluate_repeatedly(
        checkpoint_dir, master,
        Scaffold(initial_op, initial_op_feed_dict, init_fn,
                 saver=_saver(variables_to_restore)),
        eval_op, eval_op_feed_dict, final_op, final_op_feed_dict, eval_interval_secs,
        _hooks(num_evals, logdir, summary_op, summary_op_feed_dict, hooks), session_config,
        max_number_of_evaluations, timeout, timeout_fn,
    )  # fmt: skip
