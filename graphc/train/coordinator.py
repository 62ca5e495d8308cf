"""`Coordinator`: lets several threads stop together."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

from graphc.errors import OutOfRangeError
from graphc.face.logging import info

__all__ = ["Coordinator", "LooperThread"]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Coordinator:
    """Tells threads to stop, waits for them, and passes on what one of them raised.

    Parameters
    ----------
    clean_stop_exception_types : tuple of type, optional
        Exceptions that mean the end and not a failure; `OutOfRangeError` by default.

    Examples
    --------
    >>> import threading
    >>> import graphc as tf
    >>> coord = tf.train.Coordinator()
    >>> def work():
    ...     while not coord.should_stop():
    ...         coord.request_stop()
    >>> threads = [threading.Thread(target=work)]
    >>> for t in threads:
    ...     t.start()
    >>> coord.join(threads)
    """

    def __init__(
        self, clean_stop_exception_types: tuple[type[BaseException], ...] | None = None
    ) -> None:
        self._clean = (
            (OutOfRangeError,) if clean_stop_exception_types is None
            else tuple(clean_stop_exception_types)
        )  # fmt: skip
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._raised: ExcInfo | None = None
        self._joined = False
        self._threads: set[threading.Thread] = set()

    def request_stop(self, ex: Any = None) -> None:
        """Ask all threads to stop.

        Parameters
        ----------
        ex : exception or ``sys.exc_info()``, optional
            Why: `join` raises it, unless it means a clean end.
        """
        with self._lock:
            if isinstance(ex, tuple):
                found = ex if ex and ex[1] is not None else None
            elif isinstance(ex, BaseException):
                found = (type(ex), ex, ex.__traceback__)
            elif ex is None:
                found = None
            else:
                raise TypeError(f"ex must be an exception or sys.exc_info(), not {ex!r:.60}")
            if self._joined:
                # nobody will join again: say it here
                if found is not None and not isinstance(found[1], self._clean):
                    raise found[1].with_traceback(found[2])
                return
            if not self._stop.is_set():
                if found is not None and isinstance(found[1], self._clean):
                    info("Stopping on %s", found[0].__name__)
                    found = None
                elif found is not None:
                    info("Error reported to Coordinator: %s, %s", found[0], found[1])
                self._raised = found
                self._stop.set()

    def clear_stop(self) -> None:
        """Forget that a stop was requested."""
        with self._lock:
            self._joined = False
            self._raised = None
            self._stop.clear()

    def should_stop(self) -> bool:
        """Whether a stop was requested."""
        return self._stop.is_set()

    @contextlib.contextmanager
    def stop_on_exception(self) -> Iterator[None]:
        """A context in which an exception requests a stop, and goes no further."""
        try:
            yield
        except BaseException:
            self.request_stop(ex=sys.exc_info())

    def wait_for_stop(self, timeout: float | None = None) -> bool:
        """Wait until a stop is requested; whether it was, before `timeout` seconds passed."""
        return self._stop.wait(timeout)

    def register_thread(self, thread: threading.Thread) -> None:
        """Let `join` wait for a thread."""
        with self._lock:
            self._threads.add(thread)

    def join(
        self, threads: Iterable[threading.Thread] | None = None,
        stop_grace_period_secs: float = 120, ignore_live_threads: bool = False,
    ) -> None:  # fmt: skip
        """Wait until all threads have ended; then raise what one of them reported.

        Parameters
        ----------
        threads : list of Thread, optional
            Besides the registered ones.
        stop_grace_period_secs : float
            How long threads may take to end once a stop is requested.
        ignore_live_threads : bool
            Whether those that take longer are no error.

        Raises
        ------
        RuntimeError
            When a thread does not end in time and nothing else is to be raised.
        """
        with self._lock:
            waited = self._threads | set(threads or ())
        me = threading.current_thread()
        while any(t.is_alive() for t in waited if t is not me) and not self.wait_for_stop(0.1):
            pass
        end = time.monotonic() + stop_grace_period_secs
        while any(t.is_alive() for t in waited if t is not me) and time.monotonic() < end:
            for t in waited:
                if t is not me:
                    t.join(0.05)
        late = [t.name for t in waited if t is not me and t.is_alive()]
        with self._lock:
            self._joined = True
            self._threads.clear()
            raised = self._raised
        if raised is not None:
            raise raised[1].with_traceback(raised[2])
        if late and not ignore_live_threads:
            raise RuntimeError("Coordinator stopped with threads still running: " + " ".join(late))
        if late:
            info("Coordinator stopped with threads still running: %s", " ".join(late))

    @property
    def joined(self) -> bool:
        return self._joined

    def raise_requested_exception(self) -> None:
        """Raise what was reported, if anything was."""
        with self._lock:
            raised = self._raised
        if raised is not None:
            raise raised[1].with_traceback(raised[2])


class LooperThread(threading.Thread):
    """A thread that calls a function again and again until a coordinator stops it.

    Parameters
    ----------
    coord : Coordinator
    timer_interval_secs : float or None
        Seconds from one call to the next; None for no pause.
    target, args, kwargs
        What to call; without it, override `run_loop`.
    """

    def __init__(
        self, coord: Coordinator, timer_interval_secs: float | None,
        target: Callable[..., Any] | None = None, args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(coord, Coordinator):
            raise ValueError(f"'coord' argument must be a Coordinator: {coord}")
        super().__init__(daemon=True)
        self._coord = coord
        self._interval = timer_interval_secs
        self._work = target
        self._work_args = tuple(args or ())
        self._work_kwargs = dict(kwargs or {})
        coord.register_thread(self)

    @staticmethod
    def loop(
        coord: Coordinator, timer_interval_secs: float | None, target: Callable[..., Any],
        args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None,
    ) -> LooperThread:  # fmt: skip
        """Start such a thread."""
        made = LooperThread(coord, timer_interval_secs, target, args, kwargs)
        made.start()
        return made

    def run(self) -> None:
        """The life of the thread."""
        with self._coord.stop_on_exception():
            self.start_loop()
            if self._interval is None:
                while not self._coord.should_stop():
                    self.run_loop()
            else:
                due = time.monotonic()
                while not self._coord.wait_for_stop(max(0.0, due - time.monotonic())):
                    due += self._interval
                    self.run_loop()
            self.stop_loop()

    def start_loop(self) -> None:
        """Called before the first call; to be overridden."""

    def stop_loop(self) -> None:
        """Called after the last call; to be overridden."""

    def run_loop(self) -> None:
        """One call."""
        if self._work is not None:
            self._work(*self._work_args, **self._work_kwargs)
