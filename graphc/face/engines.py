"""Servers of this process: what a session's target can name.

As in TensorFlow, sessions of one cluster share the values of its variables, by name, whatever their
graphs, and these outlive each session. Queues and iterators last as long as a session is open.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any

from graphc.errors import UnimplementedError

__all__ = ["Engine", "engine_at", "serve"]


class Engine:
    """What the servers of one cluster hold in this process."""

    def __init__(self) -> None:
        #: The runtime's `State`, made with the first session.
        self.state: Any = None
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        self._lock = threading.Lock()

    def enter(self, session: Any, made: Any) -> Any:
        """The state that `session` runs on; `made` is a new one."""
        with self._lock:
            if self.state is None:
                self.state = made
            if not self._open:  # each session draws its random numbers from their beginning
                with self.state.lock:
                    self.state.skips.clear()
            self._open.add(session)
            return self.state

    def leave(self, session: Any) -> None:
        """`session` is closed; queues and iterators go with the last one."""
        with self._lock:
            if session in self._open:
                self._open.discard(session)
                if self._open:
                    self.state.wake()
                else:
                    self.state.close()

    def reset(self) -> None:
        """Forget the variables: sessions made from now on find none."""
        with self._lock:
            self.state = None
            self._open = weakref.WeakSet()


_engines: dict[str, Engine] = {}  # for ever: TensorFlow's servers do not stop either
_ports = itertools.count(40001)


def serve(address: str, others: list[str]) -> tuple[str, Engine]:
    """The address at which a server listens, with a port for port 0, and its cluster's engine."""
    host, _, port = address.rpartition(":")
    if port == "0":
        address = f"{host}:{next(_ports)}"
    known = [e for a in (address, *others) if (e := _engines.get(a)) is not None]
    engine = _engines[address] = known[0] if known else Engine()
    return address, engine


def engine_at(target: str) -> Engine:
    """The engine that a target such as ``grpc://localhost:2222`` names.

    Raises
    ------
    UnimplementedError
        When no server of this process has the address.
    """
    found = _engines.get(target.partition("://")[2].rstrip("/"))
    if found is None:
        raise UnimplementedError(
            None, None, f"The target {target!r} is a remote engine; graphc has none but the "
            "tf.train.Server objects of this process. Use tf.Session() without a target.",
        )  # fmt: skip
    return found
