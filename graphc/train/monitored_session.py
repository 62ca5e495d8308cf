"""Sessions with hooks: `MonitoredTrainingSession` and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import AbortedError, OutOfRangeError, UnavailableError
from graphc.face import logging
from graphc.face.control import group
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.session import Session
from graphc.face.variables import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)
from graphc.ops.state import no_op
from graphc.train.coordinator import Coordinator
from graphc.train.hooked import run_with_hooks
from graphc.train.hooks import CheckpointSaverHook, StepCounterHook, SummarySaverHook
from graphc.train.queue_runner import start_queue_runners
from graphc.train.resources import initialize_resources, shared_resources
from graphc.train.session_manager import SessionManager
from graphc.train.session_run_hook import SessionRunHook

__all__ = [
    "ChiefSessionCreator", "MonitoredSession", "MonitoredTrainingSession", "Scaffold",
    "SessionCreator", "SingularMonitoredSession", "WorkerSessionCreator",
]  # fmt: skip

_DEFAULT: Any = object()


def collected(key: Any, make: Callable[[], Any]) -> Any:
    """The one item of a collection; made and put there where it has none.

    Raises
    ------
    RuntimeError
        When there are several.
    """
    graph = get_default_graph()
    found = graph.get_collection(key)
    if len(found) > 1:
        raise RuntimeError(f"More than one item found in the collection {key}: {found}")
    if found:
        return found[0]
    made = make()
    if made is not None:
        graph.add_to_collection(key, made)
    return made


class Scaffold:
    """What a session needs to begin: initialisers, checks, a saver, summaries.

    What is not given is taken from its collection in the graph, or made.

    Parameters
    ----------
    init_op, local_init_op : Operation, optional
    init_feed_dict : dict, optional
    init_fn : callable, optional
        ``(scaffold, session)``, after `init_op`.
    ready_op, ready_for_local_init_op : tensor, optional
        Names of variables without a value.
    summary_op : tensor, optional
    saver : Saver, optional
    copy_from_scaffold : Scaffold, optional
        Where to take from what is not given.
    """

    def __init__(
        self, init_op: Any = None, init_feed_dict: Any = None, init_fn: Any = None,
        ready_op: Any = None, ready_for_local_init_op: Any = None, local_init_op: Any = None,
        summary_op: Any = None, saver: Any = None, copy_from_scaffold: Scaffold | None = None,
    ) -> None:  # fmt: skip
        given = {
            "init_op": init_op, "init_feed_dict": init_feed_dict, "ready_op": ready_op,
            "ready_for_local_init_op": ready_for_local_init_op, "local_init_op": local_init_op,
            "summary_op": summary_op, "saver": saver,
        }  # fmt: skip
        user_fn: Any = init_fn
        if copy_from_scaffold is not None:
            if not isinstance(copy_from_scaffold, Scaffold):
                raise TypeError("copy_from_scaffold is not a Scaffold instance.")
            other = copy_from_scaffold
            given = {k: getattr(other, f"_{k}") if v is None else v for k, v in given.items()}
            user_fn = other._user_init_fn if user_fn is None else user_fn
        self._init_op = given["init_op"]
        self._init_feed_dict = given["init_feed_dict"]
        self._ready_op = given["ready_op"]
        self._ready_for_local_init_op = given["ready_for_local_init_op"]
        self._local_init_op = given["local_init_op"]
        self._summary_op = given["summary_op"]
        self._saver = given["saver"]
        self._user_init_fn: Any = user_fn
        self._init_fn = None if user_fn is None else lambda sess: user_fn(self, sess)

    def finalize(self) -> Scaffold:
        """Make what is missing, and finish the graph."""
        if self._init_op is None:
            self._init_op = Scaffold.get_or_default(
                "init_op",
                GraphKeys.INIT_OP,
                lambda: group(
                    global_variables_initializer(), initialize_resources(shared_resources())
                ),
            )
        if self._ready_op is None:
            self._ready_op = Scaffold.get_or_default(
                "ready_op", GraphKeys.READY_OP, report_uninitialized_variables
            )
        if self._ready_for_local_init_op is None:
            self._ready_for_local_init_op = Scaffold.get_or_default(
                "ready_for_local_init_op", GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: report_uninitialized_variables(global_variables()),
            )  # fmt: skip
        if self._local_init_op is None:
            self._local_init_op = Scaffold.get_or_default(
                "local_init_op", GraphKeys.LOCAL_INIT_OP, Scaffold.default_local_init_op
            )
        if self._summary_op is None:
            self._summary_op = Scaffold.get_or_default(
                "summary_op", GraphKeys.SUMMARY_OP, merged_summaries
            )
        if self._saver is None:
            self._saver = collected(GraphKeys.SAVERS, default_saver)
        if hasattr(self._saver, "build"):
            self._saver.build()
        get_default_graph().finalize()
        logging.info("Graph was finalized.")
        return self

    @property
    def init_fn(self) -> Any:
        return self._init_fn

    @property
    def init_op(self) -> Any:
        return self._init_op

    @property
    def ready_op(self) -> Any:
        return self._ready_op

    @property
    def ready_for_local_init_op(self) -> Any:
        return self._ready_for_local_init_op

    @property
    def local_init_op(self) -> Any:
        return self._local_init_op

    @property
    def summary_op(self) -> Any:
        return self._summary_op

    @property
    def saver(self) -> Any:
        return self._saver

    @property
    def init_feed_dict(self) -> Any:
        return self._init_feed_dict

    @staticmethod
    def get_or_default(arg_name: str, collection_key: Any, default_constructor: Any) -> Any:
        """The one item of a collection, made where there is none."""
        graph = get_default_graph()
        found = graph.get_collection(collection_key)
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item found in the collection {collection_key}: please provide "
                f"{arg_name} to the Scaffold."
            )
        return collected(collection_key, default_constructor)

    @staticmethod
    def default_local_init_op() -> Any:
        """Initialises local variables and tables."""
        return group(local_variables_initializer(), tables_initializer())


def tables_initializer() -> Any:
    """The operation that initialises all lookup tables."""
    found = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(*found, name="init_all_tables") if found else no_op(name="init_all_tables")


def merged_summaries() -> Any:
    """All summaries as one; None where there are none, or no way to make them."""
    graph = get_default_graph()
    if not graph.get_collection(GraphKeys.SUMMARIES):
        return None
    import graphc

    return graphc.summary.merge_all()


def default_saver() -> Any:
    """A saver of all variables."""
    from graphc.train.saver import Saver

    return Saver(sharded=True, allow_empty=True)


# ------------------------------------------------------------------------- creators


class SessionCreator:
    """Makes the session of a `MonitoredSession`."""

    def create_session(self) -> Session:
        """A new session, ready to run."""
        raise NotImplementedError(f"create_session is not implemented for {self}.")


class _Scaffolded(SessionCreator):
    """A creator that builds the scaffold's operations when it makes its first session."""

    def __init__(self, scaffold: Scaffold | None) -> None:
        self._scaffold = scaffold or Scaffold()
        self._made: SessionManager | None = None

    def _manager(self) -> SessionManager:
        if self._made is None:
            s = self._scaffold
            s.finalize()
            self._made = SessionManager(
                s.local_init_op, s.ready_op, s.ready_for_local_init_op, get_default_graph()
            )
        return self._made


class ChiefSessionCreator(_Scaffolded):
    """Restores the variables, or initialises them.

    Parameters
    ----------
    scaffold : Scaffold, optional
    master : str
        '' (graphc runs in this process).
    config : ConfigProto, optional
    checkpoint_dir, checkpoint_filename_with_path : str, optional
        Where to restore from.
    """

    def __init__(
        self, scaffold: Scaffold | None = None, master: str = "", config: Any = None,
        checkpoint_dir: str | None = None, checkpoint_filename_with_path: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(scaffold)
        self._master, self._config = master, config
        self._dir, self._path = checkpoint_dir, checkpoint_filename_with_path

    def create_session(self) -> Session:
        s = self._scaffold
        return self._manager().prepare_session(
            self._master, s.init_op, s.saver, self._dir, self._path, config=self._config,
            init_feed_dict=s.init_feed_dict, init_fn=s.init_fn,
        )  # fmt: skip


class WorkerSessionCreator(_Scaffolded):
    """Waits until the model is ready: of use where the chief is in this process."""

    def __init__(
        self, scaffold: Scaffold | None = None, master: str = "", config: Any = None,
        max_wait_secs: float = 30 * 60,
    ) -> None:  # fmt: skip
        super().__init__(scaffold)
        self._master, self._config, self._max_wait = master, config, max_wait_secs

    def create_session(self) -> Session:
        return self._manager().wait_for_session(self._master, self._config, self._max_wait)


# ------------------------------------------------------------------------- sessions


class StepContext:
    """What a function given to ``run_step_fn`` may do.

    Attributes
    ----------
    session : Session
        Runs without hooks.
    """

    def __init__(self, session: Any, run_with_hooks_fn: Callable[..., Any]) -> None:
        self._session = session
        self._run = run_with_hooks_fn

    @property
    def session(self) -> Any:
        return self._session

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        """Like ``MonitoredSession.run``."""
        return self._run(*args, **kwargs)

    def request_stop(self) -> None:
        """Leave the loop."""
        raise StopIteration("step_fn has requested the iterations to stop.")


class _MonitoredSession:
    """A session that goes with hooks and a coordinator.

    A session that an error of the system ends (Aborted, Unavailable) is made again where
    `recover` says so.
    """

    StepContext = StepContext

    def __init__(
        self, creator: SessionCreator, hooks: Sequence[SessionRunHook] | None, recover: bool,
        grace: float,
    ) -> None:  # fmt: skip
        self._graph_was_finalized = get_default_graph().finalized
        self._hooks = list(hooks or ())
        self._creator = creator
        self._recover = recover
        self._grace = grace
        self._stop = False
        self._session: Any = None
        self._coord: Coordinator | None = None
        for h in self._hooks:
            h.begin()
        self._make()

    def _make(self) -> None:
        while True:
            try:
                self._session = self._creator.create_session()
                self._coord = Coordinator(clean_stop_exception_types=())
                start_threads(self._session, self._coord)
                for h in self._hooks:
                    h.after_create_session(self._session, self._coord)
                return
            except (AbortedError, UnavailableError) as e:
                if not self._recover:
                    raise
                logging.info("An error was raised while a session was being created: %s", e)

    @property
    def graph(self) -> Graph | None:
        """The graph that runs; None once the session is closed."""
        return None if self._session is None else self._session.graph

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Run, with what the hooks add."""
        if self._session is None:
            raise RuntimeError("Session is already closed.")
        while True:
            try:
                return self._run(fetches, feed_dict, options, run_metadata)
            except (AbortedError, UnavailableError) as e:
                if not self._recover:
                    raise
                logging.info("An error was raised: the session is made again. %s", e)
                self._end_session()
                self._make()

    def _run(self, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any) -> Any:
        if self._stop:
            raise RuntimeError("Run called even after should_stop requested.")
        assert self._coord is not None
        got, stop = run_with_hooks(
            self._session, self._hooks, fetches, feed_dict, options, run_metadata,
            self._coord.raise_requested_exception,  # a thread's error is the cause
        )  # fmt: skip
        self._stop = self._stop or stop
        return got

    def _tf_sess(self) -> Any:
        """The session itself, without hooks."""
        return self._session

    def run_step_fn(self, step_fn: Callable[..., Any]) -> Any:
        """Run ``step_fn(step_context)``, or a method of that signature.

        Raises
        ------
        ValueError
            When the function takes other arguments.
        """
        import inspect

        names = list(inspect.signature(step_fn).parameters)
        if not names or names[-1] != "step_context" or len(names) > 2 or (
            len(names) == 2 and names[0] != "self"
        ):  # fmt: skip
            raise ValueError("`step_fn` may either have one `step_context` argument, or `self` and "
                             "`step_context` arguments if it's an instance method. Got "
                             f"{names} instead.")  # fmt: skip
        if self._session is None:
            raise RuntimeError("Session is already closed.")
        return step_fn(StepContext(self._session, self.run))

    def should_stop(self) -> bool:
        """Whether a hook has asked for a stop, or the session is closed."""
        if self._session is None or self._stop:
            return True
        return self._coord is not None and self._coord.should_stop()

    def close(self) -> None:
        """End: the hooks' ``end``, the threads, the session."""
        self._close(None)

    def _end_session(self) -> None:
        coord, session = self._coord, self._session
        self._coord = self._session = None
        try:
            if coord is not None:
                coord.request_stop()
                coord.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
        finally:
            if session is not None:
                session.close()

    def _close(self, error: Any) -> None:
        if self._session is None:
            return
        try:
            if error is None:
                for h in self._hooks:
                    h.end(self._session)
        finally:
            self._end_session()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> bool:
        if kind is not None and issubclass(kind, (OutOfRangeError, StopIteration)):
            kind = None
        self._close(kind)
        return kind is None


def start_threads(sess: Session, coord: Coordinator) -> None:
    """Start the queue runners of the graph, if it has any."""
    if sess.graph.get_collection(GraphKeys.QUEUE_RUNNERS):
        with sess.graph.as_default():
            start_queue_runners(sess=sess, coord=coord)


class MonitoredSession(_MonitoredSession):
    """A session with hooks; made again where an error of the system ends it.

    As a context it ends quietly at the end of the data.

    Parameters
    ----------
    session_creator : SessionCreator, optional
        `ChiefSessionCreator` by default.
    hooks : list of SessionRunHook, optional
    stop_grace_period_secs : number
        How long threads may take to end.
    """

    def __init__(
        self, session_creator: SessionCreator | None = None,
        hooks: Sequence[SessionRunHook] | None = None, stop_grace_period_secs: float = 120,
    ) -> None:  # fmt: skip
        creator = session_creator or ChiefSessionCreator()
        super().__init__(creator, hooks, True, stop_grace_period_secs)


class SingularMonitoredSession(_MonitoredSession):
    """A session with hooks that is made once; see `MonitoredSession`."""

    def __init__(
        self, hooks: Sequence[SessionRunHook] | None = None, scaffold: Scaffold | None = None,
        master: str = "", config: Any = None, checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120, checkpoint_filename_with_path: str | None = None,
    ) -> None:  # fmt: skip
        creator = ChiefSessionCreator(
            scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path
        )
        super().__init__(creator, hooks, False, stop_grace_period_secs)

    def raw_session(self) -> Any:
        """The session itself, without hooks."""
        return self._session


def MonitoredTrainingSession(
    master: str = "", is_chief: bool = True, checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None, hooks: Sequence[SessionRunHook] | None = None,
    chief_only_hooks: Sequence[SessionRunHook] | None = None,
    save_checkpoint_secs: Any = _DEFAULT, save_summaries_steps: Any = _DEFAULT,
    save_summaries_secs: Any = _DEFAULT, config: Any = None, stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100, max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = _DEFAULT, summary_dir: str | None = None,
) -> MonitoredSession:  # fmt: skip
    """A `MonitoredSession` that saves checkpoints and summaries and logs its speed.

    Parameters
    ----------
    is_chief : bool
        Whether it initialises the variables and saves; else it waits for who does.
    checkpoint_dir : str, optional
        Where to restore from and save to.
    hooks, chief_only_hooks : list of SessionRunHook, optional
    save_checkpoint_secs, save_checkpoint_steps : number, optional
        How often; 600 seconds by default, None for never.
    save_summaries_steps, save_summaries_secs : number, optional
        How often; 100 steps by default, None for never.
    log_step_count_steps : int, optional
    """
    if save_summaries_steps is _DEFAULT and save_summaries_secs is _DEFAULT:
        save_summaries_steps, save_summaries_secs = 100, None
    save_summaries_secs = None if save_summaries_secs is _DEFAULT else save_summaries_secs
    save_summaries_steps = None if save_summaries_steps is _DEFAULT else save_summaries_steps
    if save_checkpoint_steps is _DEFAULT and save_checkpoint_secs is _DEFAULT:
        save_checkpoint_steps, save_checkpoint_secs = None, 600
    save_checkpoint_secs = None if save_checkpoint_secs is _DEFAULT else save_checkpoint_secs
    save_checkpoint_steps = None if save_checkpoint_steps is _DEFAULT else save_checkpoint_steps
    scaffold = scaffold or Scaffold()
    if not is_chief:
        worker = WorkerSessionCreator(scaffold, master, config, max_wait_secs)
        return MonitoredSession(worker, list(hooks or ()), stop_grace_period_secs)
    everything: list[SessionRunHook] = list(chief_only_hooks or ())
    folder = summary_dir or checkpoint_dir
    if folder:
        if log_step_count_steps and log_step_count_steps > 0:
            everything.append(StepCounterHook(log_step_count_steps, output_dir=folder))
        if (save_summaries_steps and save_summaries_steps > 0) or (
            save_summaries_secs and save_summaries_secs > 0
        ):
            everything.append(
                SummarySaverHook(save_summaries_steps, save_summaries_secs, folder,
                                 scaffold=scaffold)
            )  # fmt: skip
    if checkpoint_dir and (
        (save_checkpoint_secs and save_checkpoint_secs > 0)
        or (save_checkpoint_steps and save_checkpoint_steps > 0)
    ):
        everything.append(
            CheckpointSaverHook(
                checkpoint_dir, save_checkpoint_secs, save_checkpoint_steps, scaffold=scaffold
            )
        )
    chief = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    return MonitoredSession(chief, [*everything, *(hooks or ())], stop_grace_period_secs)
