"""tf.contrib.slim.learning: training operations and a training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from graphc.contrib.layers.optimizers import _multiplied
from graphc.contrib.layers.summaries import record
from graphc.face import logging
from graphc.face.control import group, with_dependencies
from graphc.face.current import get_collection, get_collection_ref, name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.lazy import lookup
from graphc.face.variables import (
    global_variables_initializer,
    local_variables_initializer,
    trainable_variables,
)
from graphc.ops import math, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices
from graphc.train import steps

__all__ = [
    "add_gradients_summaries", "clip_gradient_norms", "create_train_op", "multiply_gradients",
    "train", "train_step",
]  # fmt: skip

#: Stands for "what the graph has": 0, as in TF1.
_DEFAULT = 0
Pairs = list[tuple[Any, Any]]


def clip_gradient_norms(gradients_to_variables: Any, max_norm: float) -> Pairs:
    """Each gradient, scaled down to a norm of at most `max_norm`."""
    from graphc.train.clip import clip_by_norm  # here only

    out: Pairs = []
    for g, v in gradients_to_variables:
        if isinstance(g, IndexedSlices):
            g = IndexedSlices(clip_by_norm(g.values, max_norm), g.indices, g.dense_shape)
        elif g is not None:
            g = clip_by_norm(g, max_norm)
        out.append((g, v))
    return out


def multiply_gradients(grads_and_vars: Any, gradient_multipliers: Mapping[Any, Any]) -> Pairs:
    """Gradients times factors, by variable or name.

    Raises
    ------
    ValueError
        For other than a list and a dictionary.
    """
    if not isinstance(grads_and_vars, list):
        raise ValueError("`grads_and_vars` must be a list.")
    if not gradient_multipliers:
        raise ValueError("`gradient_multipliers` is empty.")
    if not isinstance(gradient_multipliers, dict):
        raise ValueError("`gradient_multipliers` must be a dict.")
    factors = dict(gradient_multipliers)
    for _, v in grads_and_vars:
        if v.op.name in factors:
            factors[v.name] = factors[v.op.name]
    return _multiplied(grads_and_vars, factors)


def add_gradients_summaries(grads_and_vars: Any) -> list[Any]:
    """A histogram and the norm of each gradient."""
    from graphc.train.clip import global_norm  # here only

    made = []
    for g, v in grads_and_vars:
        if g is None:
            continue
        values = g.values if isinstance(g, IndexedSlices) else g
        made.append(record("histogram", v.op.name + "/gradient", values))
        made.append(record("scalar", v.op.name + "/gradient_norm", global_norm([values])))
    return made


def create_train_op(
    total_loss: Any, optimizer: Any, global_step: Any = _DEFAULT, update_ops: Any = None,
    variables_to_train: Any = None, clip_gradient_norm: float = 0,
    summarize_gradients: bool = False, gate_gradients: int = 1, aggregation_method: Any = None,
    colocate_gradients_with_ops: bool = False, gradient_multipliers: Any = None,
    check_numerics: bool = True,
) -> Any:  # fmt: skip
    """The loss, after update operations and a step of `optimizer`.

    Parameters
    ----------
    total_loss : tensor
    optimizer : Optimizer
    global_step : variable, optional
        The graph's by default; None for none.
    update_ops : list, optional
        What runs before the loss; ``GraphKeys.UPDATE_OPS`` by default.
    clip_gradient_norm : float
        The largest norm of each gradient, if not 0.
    check_numerics : bool
        Whether a loss that is not finite is an error.
    """
    if type(global_step) is int and global_step == _DEFAULT:
        global_step = steps.get_or_create_global_step()
    loss = convert_to_tensor(total_loss)
    before = get_collection(GraphKeys.UPDATE_OPS) if update_ops is None else list(update_ops)
    if before:
        with get_default_graph().control_dependencies(list(dict.fromkeys(before))):
            barrier = state.no_op(name="update_barrier")
        loss = with_dependencies([barrier], loss)
    variables = trainable_variables() if variables_to_train is None else variables_to_train
    pairs: Pairs = optimizer.compute_gradients(
        loss, variables, gate_gradients=gate_gradients, aggregation_method=aggregation_method,
        colocate_gradients_with_ops=colocate_gradients_with_ops,
    )  # fmt: skip
    if gradient_multipliers:
        with name_scope("multiply_grads"):
            pairs = multiply_gradients(pairs, gradient_multipliers)
    if clip_gradient_norm > 0:
        with name_scope("clip_grads"):
            pairs = clip_gradient_norms(pairs, clip_gradient_norm)
    if summarize_gradients:
        with name_scope("summarize_grads"):
            add_gradients_summaries(pairs)
    done = optimizer.apply_gradients(pairs, global_step=global_step)
    with name_scope("train_op"):
        if check_numerics:
            loss = lookup("", "check_numerics")(loss, "LossTensor is inf or nan")
        with get_default_graph().control_dependencies([done]):
            train_op = state.identity(loss)
    made = get_collection_ref(GraphKeys.TRAIN_OP)
    if train_op not in made:
        made.append(train_op)
    return train_op


def train_step(
    sess: Any, train_op: Any, global_step: Any, train_step_kwargs: Mapping[str, Any]
) -> tuple[Any, bool]:
    """One step: the loss, and whether to stop."""
    started = time.time()
    loss, number = sess.run([train_op, global_step])
    if "should_log" in train_step_kwargs and sess.run(train_step_kwargs["should_log"]):
        logging.info(
            "global step %d: loss = %.4f (%.3f sec/step)", number, loss, time.time() - started
        )
    stop = "should_stop" in train_step_kwargs and bool(sess.run(train_step_kwargs["should_stop"]))
    return loss, stop


def _step_arguments(
    global_step: Any, number_of_steps: int | None, log_every_n_steps: int
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    with name_scope("train_step"):
        if number_of_steps:
            out["should_stop"] = math.greater_equal(global_step, number_of_steps)
        if log_every_n_steps > 0:
            out["should_log"] = math.equal(math.mod(global_step, log_every_n_steps), 0)
    return out


def train(
    train_op: Any, logdir: str | None, train_step_fn: Callable[..., Any] = train_step,
    train_step_kwargs: Any = _DEFAULT, log_every_n_steps: int = 1, graph: Any = None,
    master: str = "", is_chief: bool = True, global_step: Any = None,
    number_of_steps: int | None = None, init_op: Any = _DEFAULT, init_feed_dict: Any = None,
    local_init_op: Any = _DEFAULT, init_fn: Any = None, ready_op: Any = _DEFAULT,
    summary_op: Any = _DEFAULT, save_summaries_secs: int = 600, summary_writer: Any = _DEFAULT,
    startup_delay_steps: int = 0, saver: Any = None, save_interval_secs: int = 600,
    sync_optimizer: Any = None, session_config: Any = None, session_wrapper: Any = None,
    trace_every_n_steps: int | None = None, ignore_live_threads: bool = False,
) -> Any:  # fmt: skip
    """Run `train_op` again and again, with checkpoints and summaries in `logdir`.

    Parameters
    ----------
    train_op : tensor
        What `create_train_op` gave.
    logdir : str or None
        A checkpoint there is restored first.
    number_of_steps : int, optional
        At which global step to stop.
    init_fn : callable, optional
        Called with the session after initialisation.
    session_wrapper : callable, optional
        Gives the session to use for the session there is.
    sync_optimizer, startup_delay_steps, trace_every_n_steps
        Of interest to several machines only.

    Returns
    -------
    float
        The last loss.
    """
    _check(train_op, logdir, summary_op, saver, number_of_steps)
    graph = graph or get_default_graph()
    with graph.as_default():
        step = steps.get_or_create_global_step() if global_step is None else global_step
        with name_scope("init_ops"):
            if _default(init_op):
                init_op = global_variables_initializer()
            if _default(local_init_op):
                local_init_op = _local_init()
        if _default(summary_op):
            summary_op = lookup("summary", "merge_all")() if logdir is not None else None
        kwargs = train_step_kwargs
        if _default(kwargs):
            kwargs = _step_arguments(step, number_of_steps, log_every_n_steps)
        if saver is None and logdir is not None:
            saver = lookup("train", "Saver")()
    options: dict[str, Any] = {} if _default(ready_op) else {"ready_op": ready_op}
    if not _default(summary_writer):
        options["summary_writer"] = summary_writer
    supervisor = lookup("train", "Supervisor")(
        graph=graph, is_chief=is_chief, logdir=logdir, init_op=init_op,
        init_feed_dict=init_feed_dict, local_init_op=local_init_op, summary_op=summary_op,
        global_step=step, saver=saver, save_summaries_secs=save_summaries_secs,
        save_model_secs=save_interval_secs, init_fn=init_fn, **options,
    )  # fmt: skip
    loss = None
    with supervisor.managed_session(
        master, start_standard_services=False, config=session_config
    ) as sess:
        if session_wrapper is not None:
            sess = session_wrapper(sess)
        if is_chief and logdir:
            supervisor.start_standard_services(sess)
        threads = supervisor.start_queue_runners(sess)
        try:
            while not supervisor.should_stop():
                loss, stop = train_step_fn(sess, train_op, step, kwargs)
                if stop:
                    break
        finally:
            # the supervisor's thread that saves has to end first
            supervisor.stop(threads, close_summary_writer=False)
            if saver is not None and supervisor.is_chief and supervisor.save_path:
                supervisor.saver.save(
                    sess, supervisor.save_path, global_step=supervisor.global_step
                )
    return loss


def _check(train_op: Any, logdir: Any, summary_op: Any, saver: Any, steps: Any) -> None:
    if train_op is None:
        raise ValueError("train_op cannot be None.")
    if logdir is None and not _default(summary_op) and summary_op is not None:
        raise ValueError("Cannot provide summary_op because logdir=None")
    if saver is not None and logdir is None:
        raise ValueError("Cannot provide saver because logdir=None")
    if steps is not None and steps <= 0:
        raise ValueError("`number_of_steps` must be either None or a positive number.")


def _local_init() -> Any:
    """Local variables and tables are initialised."""
    tables = lookup("", "tables_initializer")
    return group(local_variables_initializer(), *([tables()] if tables is not None else []))


def _default(x: Any) -> bool:
    return type(x) is int and x == _DEFAULT
