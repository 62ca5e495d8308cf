"""``from tensorflow.python import debug as tf_debug``: sessions whose runs stop at a prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.session import BaseSession
from graphc.see.shell import Shell
from graphc.see.stepper import Datum as DebugTensorDatum
from graphc.see.stepper import has_inf_or_nan, titled
from graphc.train.monitored_session import MonitoredSession
from graphc.train.session_run_hook import SessionRunHook

__all__ = [
    "DebugTensorDatum", "LocalCLIDebugHook", "LocalCLIDebugWrapperSession", "has_inf_or_nan",
]  # fmt: skip


class LocalCLIDebugWrapperSession:
    """A session whose runs go through the debugger's prompt.

    Parameters
    ----------
    sess : Session
    dump_root, log_usage, config_file_path
        Accepted: nothing is written to disk.
    ui_type : str
        ``"curses"`` or ``"readline"``; the prompt is the same.
    thread_name_filter : str, optional
        Accepted.
    stdin, stdout : streams, optional
        Where commands come from and answers go.

    Examples
    --------
    >>> import io
    >>> import graphc as tf
    >>> from graphc.see import tfdbg
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     y = tf.log(tf.constant([0.0, 1.0]), name="y")
    ...     out = io.StringIO()
    ...     commands = io.StringIO("run -f has_inf_or_nan\\npt y\\ncontinue\\n")
    ...     debug = tfdbg.LocalCLIDebugWrapperSession(sess, stdin=commands, stdout=out)
    ...     print(debug.run(y))
    [-inf   0.]
    >>> 'Tensor "y:0"' in out.getvalue()
    True
    """

    def __init__(
        self, sess: Any, dump_root: str | None = None, log_usage: bool = True,
        ui_type: str = "curses", thread_name_filter: str | None = None,
        config_file_path: Any = False, *, stdin: Any = None, stdout: Any = None,
    ) -> None:  # fmt: skip
        if not isinstance(sess, BaseSession | MonitoredSession):
            raise TypeError(
                f"Expected type {(BaseSession, MonitoredSession)}; got type {type(sess)}"
            )
        self._sess: Any = sess
        self._shell = Shell(stdin, stdout)

    def add_tensor_filter(self, filter_name: str, tensor_filter: Callable[[Any, Any], Any]) -> None:
        """Enter a filter ``f(datum, array) -> bool`` for ``run -f`` and ``lt -f``."""
        self._shell.debugger.add_filter(filter_name, tensor_filter)

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """As the session's `run`, stopping where the user wants to look."""
        inner = self._sess
        if isinstance(inner, MonitoredSession):
            inner = inner._session

        def call() -> Any:
            if options is None and run_metadata is None:
                return self._sess.run(fetches, feed_dict)
            return self._sess.run(fetches, feed_dict, options, run_metadata)

        return self._shell.debugger.run(inner, titled(fetches, feed_dict), call)

    @property
    def session(self) -> Any:
        return self._sess

    @property
    def graph(self) -> Any:
        return self._sess.graph

    @property
    def run_call_count(self) -> int:
        return self._shell.debugger.count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sess, name)

    def __enter__(self) -> LocalCLIDebugWrapperSession:
        self._sess.__enter__()
        return self

    def __exit__(self, *exc: Any) -> Any:
        return self._sess.__exit__(*exc)


class LocalCLIDebugHook(SessionRunHook):
    """The debugger for monitored sessions and estimators.

    Each run stops at the prompt before and after, and where the commands say in between.
    """

    def __init__(
        self, ui_type: str = "curses", dump_root: str | None = None,
        thread_name_filter: str | None = None, config_file_path: Any = None, *, stdin: Any = None,
        stdout: Any = None,
    ) -> None:  # fmt: skip
        self._shell = Shell(stdin, stdout)
        self._run: Any = (None for _ in range(0))  # around the run under way

    def add_tensor_filter(self, filter_name: str, tensor_filter: Callable[[Any, Any], Any]) -> None:
        """Enter a filter ``f(datum, array) -> bool``."""
        self._shell.debugger.add_filter(filter_name, tensor_filter)

    def before_run(self, run_context: Any) -> Any:
        """Ask at the start of a run, and watch it."""
        self.end(None)
        asked = run_context.original_args
        session, title = run_context.session, titled(asked.fetches, asked.feed_dict)
        self._run = self._shell.debugger.watching(session, title)
        next(self._run)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        """Ask at the end of it."""
        next(self._run, None)

    def end(self, session: Any) -> None:
        """Watch no more what has failed."""
        self._run.close()
