"""`SessionRunHook` and what it is given: code that goes with each run of a monitored session."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["SessionRunArgs", "SessionRunContext", "SessionRunHook", "SessionRunValues"]


class SessionRunArgs(NamedTuple):
    """What a hook adds to a run: things to fetch, values to feed, options."""

    fetches: Any
    feed_dict: Any = None
    options: Any = None


class SessionRunValues(NamedTuple):
    """What a run gave for the fetches of a hook."""

    results: Any
    options: Any = None
    run_metadata: Any = None


class SessionRunContext:
    """The run that a hook goes with.

    Attributes
    ----------
    original_args : SessionRunArgs
        What the user asked for.
    session : Session
    stop_requested : bool
    """

    def __init__(self, original_args: SessionRunArgs, session: Any) -> None:
        self._original_args = original_args
        self._session = session
        self._stop_requested = False

    @property
    def original_args(self) -> SessionRunArgs:
        return self._original_args

    @property
    def session(self) -> Any:
        return self._session

    @property
    def stop_requested(self) -> bool:
        return self._stop_requested

    def request_stop(self) -> None:
        """Let ``should_stop`` of the session be true from now on."""
        self._stop_requested = True


class SessionRunHook:
    """Base of hooks; each method does nothing unless it is overridden."""

    def begin(self) -> None:
        """Once, before the session is made: operations may be added."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """When a session is made; the graph is finished."""

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Before each run; what to add to it."""
        return None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """After each run, with the values of what was added."""

    def end(self, session: Any) -> None:
        """Once, when the session ends without an error."""
