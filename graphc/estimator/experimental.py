"""``tf.estimator.experimental``: hooks that stop training early or evaluate meanwhile, logits."""

from __future__ import annotations

import collections
import glob
import operator
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from graphc.estimator import canned
from graphc.estimator.estimator import Estimator, arguments_of
from graphc.face import logging
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import get_variable, variable_scope
from graphc.feature_column.layers import linear_columns
from graphc.ir.node import Value
from graphc.ops import state
from graphc.ops.convert import constant
from graphc.train.hooks import SecondOrStepTimer, StopAtStepHook
from graphc.train.session_run_hook import SessionRunArgs, SessionRunHook
from graphc.train.steps import get_global_step

__all__ = [
    "InMemoryEvaluatorHook", "call_logit_fn",
    "dnn_logit_fn_builder", "linear_logit_fn_builder", "make_early_stopping_hook",
    "make_stop_at_checkpoint_step_hook", "stop_if_higher_hook", "stop_if_lower_hook",
    "stop_if_no_decrease_hook", "stop_if_no_increase_hook",
]  # fmt: skip

# ------------------------------------------------------------------------- stopping early


class _StopOnPredicate(SessionRunHook):
    """Ends training when a function says so, asked from time to time."""

    def __init__(self, should_stop: Callable[[], bool], secs: Any, steps: Any) -> None:
        if not callable(should_stop):
            raise TypeError("`should_stop_fn` must be callable.")
        self._should_stop = should_stop
        self._timer = SecondOrStepTimer(secs, steps)

    def begin(self) -> None:
        self._step = get_global_step()
        with variable_scope("signal_early_stopping"):
            stop: Any = get_variable(
                "STOP", initializer=constant(False), trainable=False,
                collections=[GraphKeys.GLOBAL_VARIABLES, "signal_early_stopping"],
            )  # fmt: skip
        self._stop = state.assign(stop, True)

    def before_run(self, run_context: Any) -> SessionRunArgs:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        step = run_values.results
        if not self._timer.should_trigger_for_step(step):
            return
        self._timer.update_last_triggered_step(step)
        if self._should_stop():
            logging.info("Requesting early stopping at global step %d", step)
            run_context.session.run(self._stop)
            run_context.request_stop()


def make_early_stopping_hook(
    estimator: Estimator, should_stop_fn: Callable[[], bool], run_every_secs: Any = 60,
    run_every_steps: Any = None,
) -> SessionRunHook:  # fmt: skip
    """A hook that ends training when a function says so.

    Parameters
    ----------
    should_stop_fn : callable
        Takes nothing, gives a bool.
    run_every_secs, run_every_steps : number, optional
        How often it is asked: one of both.

    Raises
    ------
    TypeError
        When `estimator` is none, or the function cannot be called.
    ValueError
        When both or none of the intervals are given.
    """
    if not isinstance(estimator, Estimator):
        raise TypeError(
            "`estimator` must have type `tf.estimator.Estimator`. Got: " + str(type(estimator))
        )
    if run_every_secs is not None and run_every_steps is not None:
        raise ValueError("Only one of `run_every_secs` and `run_every_steps` must be set.")
    return _StopOnPredicate(should_stop_fn, run_every_secs, run_every_steps)


def _evaluations(folder: str) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps and metrics of the evaluations whose summaries are in a folder, in order."""
    from graphc.summary.writer import summary_iterator

    found: dict[int, dict[str, float]] = collections.defaultdict(dict)
    for path in sorted(glob.glob(os.path.join(folder, "*.tfevents.*"))):
        for event in summary_iterator(path):
            for v in event.summary.value if event.HasField("summary") else ():
                if v.HasField("simple_value"):
                    found[event.step][v.tag] = v.simple_value
    return iter(sorted(found.items()))


def _threshold(better: Callable[[float, float], bool], word: str, sign: str) -> Any:
    def hook(
        estimator: Estimator, metric_name: str, threshold: float, eval_dir: str | None = None,
        min_steps: int = 0, run_every_secs: Any = 60, run_every_steps: Any = None,
    ) -> SessionRunHook:  # fmt: skip
        def crossed() -> bool:
            for step, metrics in _evaluations(eval_dir or estimator.eval_dir()):
                if step >= min_steps and better(metrics[metric_name], threshold):
                    logging.info(
                        'At step %s, metric "%s" has value %s which is %s the configured '
                        "threshold (%s) for early stopping.",
                        step, metric_name, metrics[metric_name], word, threshold,
                    )  # fmt: skip
                    return True
            return False

        return make_early_stopping_hook(estimator, crossed, run_every_secs, run_every_steps)

    hook.__name__ = hook.__qualname__ = f"stop_if_{word.partition(' ')[0]}_hook"
    hook.__doc__ = f"""A hook that ends training when a metric of evaluations is {word} a threshold.

    Parameters
    ----------
    metric_name : str
    threshold : float
        Training ends when the metric ``{sign}`` it.
    eval_dir : str, optional
        Where summaries of evaluations are; those of the estimator by default.
    min_steps : int
        Evaluations before that step do not count.
    run_every_secs, run_every_steps
        As for `make_early_stopping_hook`.
    """
    return hook


stop_if_higher_hook = _threshold(operator.gt, "higher than", ">")
stop_if_lower_hook = _threshold(operator.lt, "lower than", "<")


def _unchanged(
    better: Callable[[float, float], bool], estimator: Estimator, metric: str, most: int,
    eval_dir: str | None, min_steps: int, secs: Any, steps: Any,
) -> SessionRunHook:  # fmt: skip
    def stuck() -> bool:
        best: float | None = None
        best_step = 0
        for step, metrics in _evaluations(eval_dir or estimator.eval_dir()):
            if step < min_steps:
                continue
            value = metrics[metric]
            if best is None or better(value, best):
                best, best_step = value, step
            if step - best_step >= most:
                logging.info(
                    'No improvement in metric "%s" for %s steps, which is greater than or equal '
                    "to max steps (%s) configured for early stopping.",
                    metric, step - best_step, most,
                )  # fmt: skip
                return True
        return False

    return make_early_stopping_hook(estimator, stuck, secs, steps)


def stop_if_no_increase_hook(
    estimator: Estimator, metric_name: str, max_steps_without_increase: int,
    eval_dir: str | None = None, min_steps: int = 0, run_every_secs: Any = 60,
    run_every_steps: Any = None,
) -> SessionRunHook:  # fmt: skip
    """A hook that ends training when a metric of evaluations has not grown for some steps.

    Parameters
    ----------
    metric_name : str
    max_steps_without_increase : int
    eval_dir, min_steps, run_every_secs, run_every_steps
        As for `stop_if_higher_hook`.
    """
    return _unchanged(operator.gt, estimator, metric_name, max_steps_without_increase, eval_dir,
                      min_steps, run_every_secs, run_every_steps)  # fmt: skip


def stop_if_no_decrease_hook(
    estimator: Estimator, metric_name: str, max_steps_without_decrease: int,
    eval_dir: str | None = None, min_steps: int = 0, run_every_secs: Any = 60,
    run_every_steps: Any = None,
) -> SessionRunHook:  # fmt: skip
    """A hook that ends training when a metric of evaluations has not become less for some steps.

    Parameters
    ----------
    metric_name : str
    max_steps_without_decrease : int
    eval_dir, min_steps, run_every_secs, run_every_steps
        As for `stop_if_higher_hook`.
    """
    return _unchanged(operator.lt, estimator, metric_name, max_steps_without_decrease, eval_dir,
                      min_steps, run_every_secs, run_every_steps)  # fmt: skip


def make_stop_at_checkpoint_step_hook(
    estimator: Estimator, last_step: int, wait_after_file_check_secs: int = 30
) -> SessionRunHook:
    """A hook that ends training at a step: one process trains, so it is that process's step."""
    return StopAtStepHook(last_step=last_step)


# ------------------------------------------------------------------------- evaluating meanwhile


class InMemoryEvaluatorHook(SessionRunHook):
    """Evaluates at the beginning, each some steps and at the end of training.

    Parameters
    ----------
    estimator : Estimator
    input_fn : callable
        What gives the data.
    steps : int, optional
        Batches of an evaluation.
    hooks : list of SessionRunHook, optional
        Of the evaluations.
    name : str, optional
        What the folder of summaries ends with.
    every_n_iter : int

    Raises
    ------
    ValueError
        When `every_n_iter` is None or not positive.
    """

    def __init__(
        self, estimator: Any, input_fn: Callable[..., Any], steps: int | None = None,
        hooks: Any = None, name: str | None = None, every_n_iter: int = 100,
    ) -> None:  # fmt: skip
        if every_n_iter is None or every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._estimator, self._input_fn, self._name = estimator, input_fn, name
        self._steps, self._hooks = steps, hooks
        self._timer = SecondOrStepTimer(every_steps=every_n_iter)
        self._runs = 0

    def begin(self) -> None:
        from graphc.train.saver import Saver

        self._timer.reset()
        self._runs = 0
        self._saver = Saver(max_to_keep=1)

    def after_create_session(self, session: Any, coord: Any) -> None:
        self._evaluate(session)

    def _evaluate(self, session: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = self._saver.save(
                session, os.path.join(folder, "now"), write_meta_graph=False, write_state=False
            )
            self._estimator.evaluate(self._input_fn, self._steps, self._hooks, path, self._name)
        self._timer.update_last_triggered_step(self._runs)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self._runs += 1
        if self._timer.should_trigger_for_step(self._runs):
            self._evaluate(run_context.session)

    def end(self, session: Any) -> None:
        self._evaluate(session)


# ------------------------------------------------------------------------- logits and inputs


def call_logit_fn(logit_fn: Any, features: Any, mode: Any, params: Any, config: Any) -> Any:
    """What a function of logits gives for features; it names the other arguments it wants.

    Raises
    ------
    ValueError
        When it gives something else than a tensor or a dict of tensors.
    """
    given = {"mode": mode, "params": params, "config": config}
    wanted = arguments_of(logit_fn)
    made = logit_fn(features=features, **{k: v for k, v in given.items() if k in wanted})
    if not isinstance(made, (Value, dict)):
        raise ValueError(
            "model_fn should return a Tensor or a dictionary of Tensors. logit_fn gave "
            f"{type(made).__name__}"
        )
    return made


def dnn_logit_fn_builder(
    units: int, hidden_units: Any, feature_columns: Any, activation_fn: Any, dropout: Any,
    input_layer_partitioner: Any, batch_norm: bool,
) -> Callable[[Any, Any], Any]:  # fmt: skip
    """A function of features and mode that gives the logits of a multi-layer perceptron.

    Raises
    ------
    ValueError
        When `units` is no int.
    """
    if not isinstance(units, int):
        raise ValueError(f"units must be an int.  Given type: {type(units)}")

    def dnn_logit_fn(features: Any, mode: Any) -> Any:
        return canned._dnn(features, feature_columns, hidden_units, units, activation_fn, dropout,
                           batch_norm, mode)  # fmt: skip

    return dnn_logit_fn


def linear_logit_fn_builder(
    units: int, feature_columns: Any, sparse_combiner: str = "sum"
) -> Callable[[Any], Any]:
    """A function of features that gives the logits of a linear model."""

    def linear_logit_fn(features: Any) -> Any:
        return linear_columns(features, feature_columns, units, sparse_combiner)

    return linear_logit_fn
