"""`Supervisor`: sessions with checkpoints and summaries written by threads of their own."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphc.errors import OutOfRangeError
from graphc.face import logging
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.session import Session
from graphc.face.variables import (
    global_variables,
    global_variables_initializer,
    report_uninitialized_variables,
)
from graphc.train.coordinator import Coordinator, LooperThread
from graphc.train.hooks import (
    scalar_summary,
    session_log,
    summary_writer_for,
    write_graph_text,
)
from graphc.train.monitored_session import Scaffold, collected, merged_summaries
from graphc.train.session_manager import SessionManager
from graphc.train.steps import get_global_step

__all__ = ["Supervisor", "basic_train_loop"]


class Supervisor:
    """Restores or initialises a model, and saves checkpoints and summaries while it trains.

    What is not given is taken from its collection in the graph, or made; None leaves it out. The
    graph is finished afterwards.

    Parameters
    ----------
    graph : Graph, optional
    ready_op, ready_for_local_init_op : tensor, optional
    is_chief : bool
        Whether it initialises and saves.
    init_op, local_init_op : Operation, optional
    init_feed_dict : dict, optional
    logdir : str, optional
        Where checkpoints and summaries go; without it nothing is written.
    summary_op : tensor, optional
    saver : Saver, optional
    global_step : tensor, optional
    save_summaries_secs, save_model_secs : number
        How often; 0 for never.
    recovery_wait_secs, stop_grace_secs : number
    checkpoint_basename : str
    session_manager : SessionManager, optional
    summary_writer : FileWriter, optional
    init_fn : callable, optional
        Called with the session after `init_op`.
    """

    USE_DEFAULT = 0

    def __init__(
        self, graph: Graph | None = None, ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT, is_chief: bool = True,
        init_op: Any = USE_DEFAULT, init_feed_dict: Any = None, local_init_op: Any = USE_DEFAULT,
        logdir: str | None = None, summary_op: Any = USE_DEFAULT, saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT, save_summaries_secs: float = 120,
        save_model_secs: float = 600, recovery_wait_secs: float = 30, stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt", session_manager: SessionManager | None = None,
        summary_writer: Any = USE_DEFAULT, init_fn: Any = None,
        local_init_run_options: Any = None,
    ) -> None:  # fmt: skip
        self._graph = graph if graph is not None else get_default_graph()
        self._is_chief = is_chief
        self._coord = Coordinator()
        self._grace = stop_grace_secs
        self._init_fn, self._init_feed_dict = init_fn, init_feed_dict
        self._logdir = logdir
        self._save_summaries_secs, self._save_model_secs = save_summaries_secs, save_model_secs
        self._save_path = os.path.join(logdir, checkpoint_basename) if logdir else None
        with self._graph.as_default():
            self._ready_op = self._or(ready_op, GraphKeys.READY_OP, report_uninitialized_variables)
            self._ready_for_local_init_op = self._or(
                ready_for_local_init_op, GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )  # fmt: skip
            self._init_op = self._or(init_op, GraphKeys.INIT_OP, global_variables_initializer)
            self._local_init_op = self._or(
                local_init_op, GraphKeys.LOCAL_INIT_OP, Scaffold.default_local_init_op
            )
            self._saver = self._or(saver, GraphKeys.SAVERS, _saver)
            self._global_step = self._or(global_step, GraphKeys.GLOBAL_STEP, get_global_step)
            self._summary_op = self._or(summary_op, GraphKeys.SUMMARY_OP, merged_summaries)
            self._writer: Any = None
            if summary_writer is not Supervisor.USE_DEFAULT:
                self._writer = summary_writer
            elif is_chief:
                self._writer = summary_writer_for(logdir, shared=False)
            self._manager = session_manager or SessionManager(
                self._local_init_op, self._ready_op, self._ready_for_local_init_op, self._graph,
                recovery_wait_secs,
            )  # fmt: skip
        self._graph.finalize()

    @staticmethod
    def _or(given: Any, key: Any, make: Callable[[], Any]) -> Any:
        if given is Supervisor.USE_DEFAULT:
            return collected(key, make)
        return given

    # ---- properties

    @property
    def is_chief(self) -> bool:
        return self._is_chief

    @property
    def session_manager(self) -> SessionManager:
        return self._manager

    @property
    def coord(self) -> Coordinator:
        return self._coord

    @property
    def init_op(self) -> Any:
        return self._init_op

    @property
    def init_feed_dict(self) -> Any:
        return self._init_feed_dict

    @property
    def ready_op(self) -> Any:
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        return self._ready_for_local_init_op

    @property
    def summary_writer(self) -> Any:
        return self._writer

    @property
    def summary_op(self) -> Any:
        return self._summary_op

    @property
    def save_summaries_secs(self) -> float:
        return self._save_summaries_secs

    @property
    def global_step(self) -> Any:
        return self._global_step

    @property
    def saver(self) -> Any:
        return self._saver

    @property
    def save_model_secs(self) -> float:
        return self._save_model_secs

    @property
    def save_path(self) -> str | None:
        return self._save_path

    # ---- sessions

    def prepare_or_wait_for_session(
        self, master: str = "", config: Any = None, wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200, start_standard_services: bool = True,
    ) -> Session:  # fmt: skip
        """A session that is ready; the chief prepares it, others wait for it."""
        self._coord.clear_stop()
        if self._writer is not None:
            self._writer.reopen()
        if not self._is_chief:
            sess = self._manager.wait_for_session(master, config, max_wait_secs)
        else:
            sess = self._manager.prepare_session(
                master, self._init_op, self._saver, self._logdir, None, wait_for_checkpoint,
                max_wait_secs, config, self._init_feed_dict, self._init_fn,
            )  # fmt: skip
            if self._logdir:
                write_graph_text(self._graph, self._logdir)
            if start_standard_services:
                self.start_standard_services(sess)
        if start_standard_services:
            self.start_queue_runners(sess)
        return sess

    @contextlib.contextmanager
    def managed_session(
        self, master: str = "", config: Any = None, start_standard_services: bool = True,
        close_summary_writer: bool = True,
    ) -> Iterator[Session]:  # fmt: skip
        """A context with a session; at its end threads stop and the session is closed.

        What is raised inside is raised again, except the end of the data.
        """
        sess = None
        try:
            sess = self.prepare_or_wait_for_session(
                master, config, start_standard_services=start_standard_services
            )
            yield sess
        except Exception as e:
            self.request_stop(e)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if sess is not None:
                    sess.close()

    # ---- services

    def start_standard_services(self, sess: Session) -> list[LooperThread]:
        """Start the threads that write summaries and checkpoints.

        Raises
        ------
        RuntimeError
            When this is not the chief.
        """
        if not self._is_chief:
            raise RuntimeError("Only chief supervisor can start standard services. Because only "
                               "chief supervisors can write events.")  # fmt: skip
        if not self._logdir:
            logging.warning("Standard services need a 'logdir' passed to the SessionManager")
            return []
        if self._global_step is not None and self._writer is not None:
            self._writer.add_session_log(session_log("START"), sess.run(self._global_step))
        threads = []
        if self._save_summaries_secs and self._writer is not None:
            if self._summary_op is not None:
                threads.append(self._loop(self._save_summaries_secs, self._write_summaries, sess))
            if self._global_step is not None:
                self._last = time.time(), int(sess.run(self._global_step))
                threads.append(self._loop(self._save_summaries_secs, self._count_steps, sess))
        if self._saver is not None and self._save_model_secs:
            threads.append(self._loop(self._save_model_secs, self._save, sess))
        return threads

    def _loop(self, seconds: float, work: Callable[..., Any], sess: Session) -> LooperThread:
        return LooperThread.loop(self._coord, seconds, target=work, args=(sess,))

    def _write_summaries(self, sess: Session) -> None:
        fetches = [self._summary_op]
        if self._global_step is not None:
            fetches.append(self._global_step)
        summary, *step = sess.run(fetches)
        self._writer.add_summary(summary, *step)

    def _count_steps(self, sess: Session) -> None:
        now, step = time.time(), int(sess.run(self._global_step))
        before, last = self._last
        self._last = now, step
        if now > before:
            rate = (step - last) / (now - before)
            tag = f"{self._global_step.op.name}/sec"
            self._writer.add_summary(scalar_summary(tag, rate), step)
            logging.info("%s: %g", tag, rate)

    def _save(self, sess: Session) -> None:
        logging.info("Saving checkpoint to path %s", self._save_path)
        self._saver.save(sess, self._save_path, global_step=self._global_step)

    def start_queue_runners(
        self, sess: Session, queue_runners: Sequence[Any] | None = None
    ) -> list[Any]:
        """Start the threads of queue runners: those of the graph by default."""
        if queue_runners is None:
            queue_runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS)
        threads: list[Any] = []
        for qr in queue_runners:
            threads.extend(qr.create_threads(sess, coord=self._coord, daemon=True, start=True))
        return threads

    def loop(
        self, timer_interval_secs: float | None, target: Callable[..., Any],
        args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:  # fmt: skip
        """Start a thread that calls a function every so many seconds."""
        return LooperThread.loop(self._coord, timer_interval_secs, target, args, kwargs)

    def summary_computed(self, sess: Session, summary: Any, global_step: Any = None) -> None:
        """Write a summary.

        Raises
        ------
        RuntimeError
            Without a writer.
        """
        if not self._writer:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self._global_step is not None:
            global_step = int(sess.run(self._global_step))
        self._writer.add_summary(summary, global_step)

    # ---- stopping

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._coord.should_stop()

    def request_stop(self, ex: Any = None) -> None:
        """Ask all threads to stop."""
        self._coord.request_stop(ex)

    def stop_on_exception(self) -> Any:
        """A context in which an exception requests a stop."""
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        """Wait until a stop is requested."""
        self._coord.wait_for_stop()

    def stop(
        self, threads: Any = None, close_summary_writer: bool = True,
        ignore_live_threads: bool = False,
    ) -> None:  # fmt: skip
        """Stop the threads, and raise what one of them, or the block, raised."""
        self._coord.request_stop()
        try:
            self._coord.join(threads, self._grace, ignore_live_threads)
        finally:
            if close_summary_writer and self._writer is not None:
                self._writer.add_session_log(session_log("STOP"))
                self._writer.close()

    PrepareSession = prepare_or_wait_for_session
    StartStandardServices = start_standard_services
    StartQueueRunners = start_queue_runners
    Loop = loop
    SummaryComputed = summary_computed
    ShouldStop = should_stop
    RequestStop = request_stop
    StopOnException = stop_on_exception
    WaitForStop = wait_for_stop
    Stop = stop


def _saver() -> Any:
    if not global_variables():
        return None
    from graphc.train.saver import Saver

    return Saver()


def basic_train_loop(
    supervisor: Supervisor, train_step_fn: Callable[..., Any], args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None, master: str = "",
) -> None:  # fmt: skip
    """Call ``train_step_fn(session, …)`` until the supervisor stops or the data ends."""
    positional, named = tuple(args or ()), dict(kwargs or {})
    with supervisor.managed_session(master) as sess:
        while not supervisor.should_stop():
            try:
                train_step_fn(sess, *positional, **named)
            except OutOfRangeError:
                supervisor.request_stop()
