"""One run of a session with hooks, and a session of which every run is one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from graphc.errors import AbortedError, UnavailableError
from graphc.face.config import RunMetadata, RunOptions
from graphc.face.graph import Graph
from graphc.train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)

__all__ = ["HookedSession", "run_with_hooks"]


def run_with_hooks(
    session: Any, hooks: Sequence[SessionRunHook], fetches: Any, feed_dict: Any = None,
    options: Any = None, run_metadata: Any = None, failed: Callable[[], None] = lambda: None,
) -> tuple[Any, bool]:  # fmt: skip
    """Run `fetches` and what the hooks add; what came out, and whether a hook wants to stop.

    Parameters
    ----------
    failed : callable
        Called when the run fails; it may raise what is the cause.
    """
    context = SessionRunContext(SessionRunArgs(fetches, feed_dict, options), session)
    wanted: dict[Any, Any] = {"caller": fetches}
    feeds = dict(feed_dict or {})
    for h in hooks:
        request = h.before_run(context)
        if request is None:
            continue
        if request.fetches is not None:
            wanted[h] = request.fetches
        if request.options is not None:
            options = _merged(options, request.options)
        _feed(feeds, request.feed_dict, feed_dict)
    if options is not None and run_metadata is None:
        run_metadata = importlib.import_module("graphc.see.metadata").RunMetadata()
    try:
        got = session.run(wanted, feeds or None, options, run_metadata)
    except (AbortedError, UnavailableError):
        raise
    except Exception:
        failed()
        raise
    for h in hooks:
        values = SessionRunValues(
            got.get(h), options or RunOptions(), run_metadata or RunMetadata()
        )
        h.after_run(context, values)
    return got["caller"], context.stop_requested


def _merged(options: Any, more: Any) -> RunOptions:
    """The options of a run and those that a hook asks for: of each the larger."""
    names = ("trace_level", "timeout_in_ms", "output_partition_graphs")
    given = [o for o in (options, more) if o is not None]
    return RunOptions(**{n: max(getattr(o, n) for o in given) for n in names})


def _feed(feeds: dict[Any, Any], more: Any, callers: Any) -> None:
    """Add what a hook feeds.

    Raises
    ------
    RuntimeError
        When something is fed already.
    """
    twice = [k for k in more or () if k in feeds]
    if twice:
        by = "a SessionRunHook and user" if twice[0] in (callers or ()) else "two hooks"
        raise RuntimeError(f"Same tensor is fed by {by}. Conflict(s): {twice!r}")
    feeds.update(more or {})


class HookedSession:
    """A session that somebody else made, with hooks around its runs."""

    def __init__(self, sess: Any, hooks: Sequence[SessionRunHook]) -> None:
        self._sess, self._hooks, self._stop = sess, hooks, False

    @property
    def graph(self) -> Graph:
        graph: Graph = self._sess.graph
        return graph

    def should_stop(self) -> bool:
        """Whether a hook has asked for a stop, or the session says so."""
        ask = getattr(self._sess, "should_stop", None)
        return self._stop or bool(ask is not None and ask())

    def run(
        self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None
    ) -> Any:
        """Run, with what the hooks add.

        Raises
        ------
        RuntimeError
            After a hook has asked for a stop.
        """
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")
        got, self._stop = run_with_hooks(
            self._sess, self._hooks, fetches, feed_dict, options, run_metadata
        )
        return got

    def close(self) -> None:
        """Close the session."""
        self._sess.close()
