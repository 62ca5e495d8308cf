"""`SessionManager`: makes a session whose variables are restored or initialised."""

from __future__ import annotations

import time
from typing import Any

from graphc.errors import DeadlineExceededError
from graphc.face import logging
from graphc.face.graph import Graph, get_default_graph
from graphc.face.session import Session
from graphc.train.checkpoints import get_checkpoint_state

__all__ = ["SessionManager"]


class SessionManager:
    """Makes sessions: variables come from a checkpoint where there is one, else from `init_op`.

    Parameters
    ----------
    local_init_op : Operation, optional
        Run in every new session.
    ready_op : tensor, optional
        Names of variables that have no value: the model is ready when there are none.
    ready_for_local_init_op : tensor, optional
        The same, before `local_init_op`.
    graph : Graph, optional
    recovery_wait_secs : int
        Seconds between looks at what is not ready yet.
    """

    def __init__(
        self, local_init_op: Any = None, ready_op: Any = None, ready_for_local_init_op: Any = None,
        graph: Graph | None = None, recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
    ) -> None:  # fmt: skip
        self._local_init_op = local_init_op
        self._ready_op = ready_op
        self._ready_for_local_init_op = ready_for_local_init_op
        self._graph = graph if graph is not None else get_default_graph()
        self._wait = recovery_wait_secs

    def _restore(
        self, master: str, saver: Any, folder: str | None, path: str | None,
        wait_for_checkpoint: bool, max_wait_secs: float, config: Any,
    ) -> tuple[Session, bool]:  # fmt: skip
        sess = Session(master, graph=self._graph, config=config)
        if folder and path:
            raise ValueError("Can not provide both checkpoint_dir and "
                             "checkpoint_filename_with_path.")  # fmt: skip
        if path and saver:
            saver.restore(sess, path)
            return sess, True
        if not saver or not folder:
            return sess, False
        end = time.monotonic() + max_wait_secs
        found = get_checkpoint_state(folder)
        while wait_for_checkpoint and not (found and found.model_checkpoint_path):
            if time.monotonic() > end:
                return sess, False
            time.sleep(min(self._wait, 1.0))
            found = get_checkpoint_state(folder)
        if not found or not found.model_checkpoint_path:
            return sess, False
        saver.restore(sess, found.model_checkpoint_path)
        saver.recover_last_checkpoints(found.all_model_checkpoint_paths)
        return sess, True

    def prepare_session(
        self, master: str, init_op: Any = None, saver: Any = None,
        checkpoint_dir: str | None = None, checkpoint_filename_with_path: str | None = None,
        wait_for_checkpoint: bool = False, max_wait_secs: float = 7200, config: Any = None,
        init_feed_dict: Any = None, init_fn: Any = None,
    ) -> Session:  # fmt: skip
        """A session that is ready: restored, else initialised by `init_op` and `init_fn`.

        Raises
        ------
        RuntimeError
            When variables have no value afterwards; the message names them.
        """
        sess, loaded = self._restore(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        if not loaded:
            if init_op is None and not init_fn and self._local_init_op is None:
                raise RuntimeError("Model is not initialized and no init_op or init_fn or "
                                   "local_init_op was given")  # fmt: skip
            if init_op is not None:
                sess.run(init_op, feed_dict=init_feed_dict)
            if init_fn:
                init_fn(sess)
        what = (
            f"Init op: {_name(init_op)}, init fn: {init_fn}, "
            f"local_init_op: {_name(self._local_init_op)}"
        )
        message = self._local_init(sess)
        if message:
            raise RuntimeError("Init operations did not make model ready for local_init.  "
                               f"{what}, error: {message}")  # fmt: skip
        message = self._missing(sess, self._ready_op)
        if message:
            raise RuntimeError(f"Init operations did not make model ready.  {what}, error: "
                               f"{message}")  # fmt: skip
        return sess

    def recover_session(
        self, master: str, saver: Any = None, checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None, wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200, config: Any = None,
    ) -> tuple[Session, bool]:  # fmt: skip
        """A session, restored where there is a checkpoint, and whether it is ready."""
        sess, loaded = self._restore(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        if not loaded:
            return sess, False
        message = self._local_init(sess) or self._missing(sess, self._ready_op)
        if message:
            logging.info("Restored model is not ready: %s", message)
            return sess, False
        return sess, True

    def wait_for_session(
        self, master: str, config: Any = None, max_wait_secs: float = float("inf")
    ) -> Session:
        """A session, once the model is ready in it.

        There is no remote session that another process makes ready: unless the local initialiser
        is enough, this ends with DeadlineExceededError.
        """
        end = time.monotonic() + (max_wait_secs if max_wait_secs is not None else float("inf"))
        while True:
            sess = Session(master, graph=self._graph, config=config)
            message = self._local_init(sess) or self._missing(sess, self._ready_op)
            if not message:
                return sess
            sess.close()
            if time.monotonic() + self._wait > end:
                raise DeadlineExceededError(
                    None, None, f"Session was not ready after waiting {max_wait_secs} secs: "
                    f"{message}",
                )  # fmt: skip
            logging.info("Waiting for model to be ready: %s", message)
            time.sleep(self._wait)

    def _local_init(self, sess: Session) -> str:
        """Run the local initialiser; what is missing for it."""
        if self._local_init_op is None:
            return ""
        message = self._missing(sess, self._ready_for_local_init_op)
        if not message:
            logging.info("Running local_init_op.")
            sess.run(self._local_init_op)
            logging.info("Done running local_init_op.")
        return message

    @staticmethod
    def _missing(sess: Session, ready_op: Any) -> str:
        if ready_op is None:
            return ""
        names = sess.run(ready_op)
        if names is None or not getattr(names, "size", 0):
            return ""
        return "Variables not initialized: " + ", ".join(n.decode() for n in names)


def _name(op: Any) -> str:
    if isinstance(op, (list, tuple)):
        return ", ".join(_name(o) for o in op)
    return str(getattr(op, "name", op))
