"""`QueueRunner`: threads that keep a queue filled."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from typing import Any

from graphc.errors import (
    CancelledError,
    OpError,
    OutOfRangeError,
    exception_type_from_error_code,
)  # fmt: skip
from graphc.face.default_session import get_default_session
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.logging import error, info, warning
from graphc.face.session import BaseSession
from graphc.proto import message

__all__ = ["QueueRunner", "add_queue_runner", "start_queue_runners"]


class QueueRunner:
    """Fills a queue: one thread for each of its enqueue operations.

    A thread ends when a coordinator asks it to, or when the data has ended; the last one closes
    the queue. What else it raises goes to the coordinator.

    Parameters
    ----------
    queue : QueueBase
    enqueue_ops : list of Operation
        An operation may be listed several times.
    close_op, cancel_op : Operation, optional
        How to close the queue when the data has ended, and when a stop is requested.
    queue_closed_exception_types : tuple of type, optional
        Errors that mean that the data has ended.
    """

    def __init__(
        self, queue: Any = None, enqueue_ops: Sequence[Any] | None = None, close_op: Any = None,
        cancel_op: Any = None, queue_closed_exception_types: Any = None,
        queue_runner_def: Any = None, import_scope: str | None = None,
    ) -> None:  # fmt: skip
        if queue_runner_def is not None:
            if queue is not None or enqueue_ops:
                raise ValueError("queue_runner_def and queue are mutually exclusive.")
            queue, enqueue_ops, close_op, cancel_op, queue_closed_exception_types = _read(
                queue_runner_def, import_scope
            )
        if queue is None or not enqueue_ops:
            raise ValueError("Must provide queue and enqueue_ops.")
        kinds = queue_closed_exception_types or (OutOfRangeError,)
        if not isinstance(kinds, tuple) or not all(
            isinstance(k, type) and issubclass(k, OpError) for k in kinds
        ):
            raise TypeError("queue_closed_exception_types, when provided, must be a tuple of "
                            "tf.error types, and must be non-empty")  # fmt: skip
        self._queue = queue
        self._enqueue_ops = list(enqueue_ops)
        self._close_op = queue.close() if close_op is None else close_op
        self._cancel_op = queue.close(cancel_pending_enqueues=True) if cancel_op is None else (
            cancel_op
        )  # fmt: skip
        self._kinds = kinds
        self._lock = threading.Lock()
        #: Sessions, and how many threads fill the queue in each.
        self._runs: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._raised: list[BaseException] = []

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The runner as a message; None where its queue is outside of the scope."""
        prefix = export_scope.rstrip("/") + "/" if export_scope else ""
        if not self.name.startswith(prefix):
            return None
        made = message("QueueRunnerDef")()
        made.queue_name = self.name.removeprefix(prefix)
        made.enqueue_op_name.extend([o.name.removeprefix(prefix) for o in self._enqueue_ops])
        made.close_op_name = self._close_op.name.removeprefix(prefix)
        made.cancel_op_name = self._cancel_op.name.removeprefix(prefix)
        made.queue_closed_exception_types.extend([k.code for k in self._kinds])
        return made

    @staticmethod
    def from_proto(queue_runner_def: Any, import_scope: str | None = None) -> QueueRunner:
        """The runner that a message describes, of operations of the default graph."""
        return QueueRunner(queue_runner_def=queue_runner_def, import_scope=import_scope)

    @property
    def queue(self) -> Any:
        return self._queue

    @property
    def enqueue_ops(self) -> list[Any]:
        return self._enqueue_ops

    @property
    def close_op(self) -> Any:
        return self._close_op

    @property
    def cancel_op(self) -> Any:
        return self._cancel_op

    @property
    def queue_closed_exception_types(self) -> Any:
        return self._kinds

    @property
    def exceptions_raised(self) -> list[BaseException]:
        """What threads raised that no coordinator was told of."""
        return self._raised

    @property
    def name(self) -> str:
        return str(self._queue.name)

    def _run(self, sess: Any, enqueue_op: Any, coord: Any = None) -> None:
        try:
            enqueue = sess.make_callable(enqueue_op)
            while coord is None or not coord.should_stop():
                enqueue()
        except Exception as e:
            ended = isinstance(e, self._kinds)
            closed = isinstance(e, CancelledError) or getattr(sess, "_closed", False)
            if closed and (coord is None or coord.should_stop()):
                ended = True  # the queue was closed from outside, or the session
            if self._left(sess) and ended:
                self._close(sess)
            if not ended:
                self._report(e, coord)
        else:
            self._left(sess)

    def _left(self, sess: Any) -> bool:
        """Note that a thread ends; whether it was the last one."""
        with self._lock:
            self._runs[sess] = self._runs.get(sess, 1) - 1
            return self._runs[sess] == 0

    def _close(self, sess: Any) -> None:
        try:
            sess.run(self._close_op)
        except Exception as e:  # the session may be closed by now
            info("Ignored exception: %s", e)

    def _report(self, e: BaseException, coord: Any) -> None:
        if coord is not None:
            coord.request_stop(e)
            return
        error("Exception in QueueRunner: %s", e)
        with self._lock:
            self._raised.append(e)

    def _close_on_stop(self, sess: Any, cancel_op: Any, coord: Any) -> None:
        coord.wait_for_stop()
        try:
            sess.run(cancel_op)
        except Exception as e:  # the session may be closed by now
            info("Ignored exception: %s", e)

    def create_threads(
        self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False
    ) -> list[threading.Thread]:
        """Threads that fill the queue in a session.

        Parameters
        ----------
        coord : Coordinator, optional
            Stops them, and gets what they raise.
        daemon : bool
            Whether the program may end while they run.
        start : bool
            Whether to start them.

        Returns
        -------
        list of Thread
            Empty when they run already.
        """
        with self._lock:
            if self._runs.get(sess, 0) > 0:
                return []
            self._runs[sess] = len(self._enqueue_ops)
            self._raised = []
        made = [
            threading.Thread(
                target=self._run, args=(sess, op, coord),
                name=f"QueueRunnerThread-{self.name}-{op.name}",
            )
            for op in self._enqueue_ops
        ]  # fmt: skip
        if coord is not None:
            made.append(
                threading.Thread(
                    target=self._close_on_stop, args=(sess, self._cancel_op, coord),
                    name=f"QueueRunnerThread-{self.name}-close_on_stop",
                )
            )  # fmt: skip
        for t in made:
            if coord is not None:
                coord.register_thread(t)
            t.daemon = daemon
            if start:
                t.start()
        return made


def _read(made: Any, scope: str | None) -> tuple[Any, list[Any], Any, Any, Any]:
    """What a message says: the queue (its operation, as in TensorFlow), and what is done to it."""
    if not isinstance(made, message("QueueRunnerDef")):
        raise TypeError("queue_runner_def must be a QueueRunnerDef message.")
    prefix = scope.rstrip("/") + "/" if scope else ""
    queue, close, cancel, *enqueue = [
        get_default_graph().as_graph_element(prefix + name)
        for name in (
            made.queue_name, made.close_op_name, made.cancel_op_name, *made.enqueue_op_name
        )
    ]  # fmt: skip
    codes = made.queue_closed_exception_types or [OutOfRangeError.code]
    return queue, enqueue, close, cancel, tuple(map(exception_type_from_error_code, codes))


def add_queue_runner(qr: QueueRunner, collection: Any = GraphKeys.QUEUE_RUNNERS) -> None:
    """Add a queue runner to a collection, for `start_queue_runners`."""
    get_default_graph().add_to_collection(collection, qr)


def start_queue_runners(
    sess: Any = None, coord: Any = None, daemon: bool = True, start: bool = True,
    collection: Any = GraphKeys.QUEUE_RUNNERS,
) -> list[threading.Thread]:  # fmt: skip
    """Start the threads of all queue runners of the graph.

    Parameters
    ----------
    sess : Session, optional
        The default session if not given.
    coord : Coordinator, optional
        Stops the threads.

    Raises
    ------
    ValueError
        Without a session.
    """
    if sess is None:
        sess = get_default_session()
        if sess is None:
            raise ValueError(
                "Cannot start queue runners: No default session is registered. Use `with "
                "sess.as_default()` or pass an explicit session to tf.start_queue_runners("
                "sess=sess)"
            )
    if not isinstance(sess, BaseSession):
        if hasattr(sess, "should_stop"):  # a monitored session starts them itself
            return []
        raise TypeError(f"sess must be a `tf.Session` object. Given class: {type(sess)}")
    runners = get_default_graph().get_collection(collection)
    if not runners:
        warning(
            "`tf.train.start_queue_runners()` was called when no queue runners were defined. You "
            "can safely remove the call to this deprecated function."
        )
    with sess.graph.as_default():
        threads: list[threading.Thread] = []
        for qr in runners:
            threads.extend(qr.create_threads(sess, coord=coord, daemon=daemon, start=start))
    return threads
