"""Stepping through runs node by node: the debugger behind ``tfdbg`` and ``python -m graphc step``.

A run that is debugged is computed with numpy first, node by node as recorded, loops included; it
stands still where the user wants to look. Then it runs natively, as always.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.node import Node
from graphc.runtime.numerics import describe
from graphc.runtime.replay import Path, Replay
from graphc.see.native import Part

__all__ = ["Datum", "Debugger", "Leave", "has_inf_or_nan"]

Array = np.ndarray[Any, Any]
_SOURCES = frozenset({"constant", "input", "read", "sizes"})


def has_inf_or_nan(datum: Any, tensor: Any) -> bool:
    """A tensor filter: whether a tensor has an infinity or a NaN.

    Parameters
    ----------
    datum : Datum
        Not looked at.
    tensor : array or None
    """
    a = np.asarray(tensor) if tensor is not None else np.zeros(())
    return bool(a.dtype.kind in "fc" and not np.isfinite(a).all())


class Leave(SystemExit):
    """The user has left the debugger, and the program with it."""


@dataclass(frozen=True, eq=False)
class Datum:
    """A tensor's value at one moment of a run.

    Attributes
    ----------
    node_name : str
    output_slot : int
    array : array
    node : Node
    path : tuple
        The loops around it, each with the number of the turn.
    timestamp : int
        Microseconds since the epoch.
    """

    node_name: str
    output_slot: int
    array: Array
    node: Node
    path: Path
    timestamp: int
    debug_op: str = "DebugIdentity"

    @property
    def tensor_name(self) -> str:
        return f"{self.node_name}:{self.output_slot}"

    @property
    def watch_key(self) -> str:
        return f"{self.tensor_name}:{self.debug_op}"

    @property
    def dump_size_bytes(self) -> int:
        return int(self.array.nbytes)

    @property
    def turn(self) -> str:
        """In which iterations."""
        return ", ".join(f"{n.name} turn {k}" for n, k in self.path)

    def get_tensor(self) -> Array:
        return self.array


class _Watched(Replay):
    """A replay that shows the debugger what it computes."""

    def __init__(self, debugger: Debugger, *args: Any) -> None:
        super().__init__(*args)
        self.debugger = debugger

    def after(self, n: Node, inputs: Sequence[Array], out: list[Array], path: Path) -> list[Array]:
        """Tell the debugger."""
        self.debugger.computed(n, out, path)
        return out


class Debugger:
    """What stops where, and what was computed so far.

    Parameters
    ----------
    ask : callable
        ``ask(debugger, kind)`` lets the user give commands: at the ``"start"`` of a run, ``"at"`` a
        node, at the ``"end"`` of a run. It sets `mode` and what goes with it.

    Attributes
    ----------
    mode : str
        ``"run"`` stops at breakpoints only, ``"step"`` after `steps` nodes, ``"next"`` at the next
        node that is not deeper in loops, ``"until"`` where `target` holds, ``"plain"`` not at all.
    filters : dict
        Tensor filters by name.
    values : dict of str to Datum
        The last value of each tensor of the run.
    current : Node or None
        Where the run stands.
    """

    def __init__(self, ask: Callable[[Debugger, str], None]) -> None:
        self.ask = ask
        self.filters: dict[str, Callable[[Any, Any], Any]] = {"has_inf_or_nan": has_inf_or_nan}
        self.breakpoints: set[str] = set()
        self.mode = "run"
        self.steps = 0
        self.depth = 0
        self.target: Callable[[Node, Sequence[Datum]], bool] | None = None
        self.pass_filter = ""
        self.skip = 0
        self.detached = False
        self.count = 0
        self.title = ""
        self.error: BaseException | None = None
        self.graph: Any = None
        self.clear()

    def clear(self) -> None:
        """Forget the values of the last run."""
        self.values: dict[str, Datum] = {}
        self.current: Node | None = None
        self.hit = False

    def add_filter(self, name: str, f: Callable[[Any, Any], Any]) -> None:
        """Enter a tensor filter.

        Raises
        ------
        ValueError, TypeError
            For a name that is none, or what cannot be called.
        """
        if not isinstance(name, str):
            raise TypeError("Input argument filter_name is expected to be str, but is not.")
        if not name:
            raise ValueError("Input argument filter_name cannot be empty.")
        if not callable(f):
            raise TypeError(
                "Input argument filter_callable is expected to be callable, but is not."
            )
        self.filters[name] = f

    # ------------------------------------------------------------- runs

    def run(self, session: Any, title: str, call: Callable[[], Any]) -> Any:
        """Run `call`, which runs the session once, under the eyes of the user."""
        with contextmanager(self.watching)(session, title):
            return call()

    def watching(self, session: Any, title: str) -> Iterator[None]:
        """Around one run of a session."""
        self.count += 1
        executor = getattr(session, "_executor", None)
        if self.detached or executor is None or self.graph is not None:
            yield
            return
        if self.skip:
            self.skip -= 1
            yield
            return
        self.clear()
        self.title, self.graph, self.error = title, session.graph, None
        try:
            if not self.pass_filter:
                self.ask(self, "start")
            if self.mode == "plain" or self.detached:
                yield
                return
            yield from self.watched(executor)
            if not self.pass_filter and not self.detached:
                self.ask(self, "end")
        finally:
            self.graph = None

    def watched(self, executor: Any) -> Iterator[None]:
        """Around a run that is computed node by node."""
        before, executor.checker = executor.checker, self.part
        executor.state.slowly(1)
        try:
            yield
        except Exception as e:
            self.error = e
            if not self.detached:
                self.ask(self, "end")
            raise
        finally:
            executor.checker = before
            executor.state.slowly(-1)

    def part(self, run: Any, c: Any, env: Any, arrays: Any) -> Any:
        """An executor's `checker`: a native part is about to run."""
        part = Part(run, c, env, arrays)
        replay = _Watched(self, env, part.variables, part.streams())
        try:
            for v, a in zip(c.frozen.graph.inputs, part.given, strict=True):
                self.keep(v.node, [a], ())
            replay.graph(c.frozen.graph, part.given)
        except Leave:
            raise
        except Exception:  # the run itself says it, with the user's line
            pass
        return c, env

    # ------------------------------------------------------------- nodes

    def computed(self, n: Node, out: Sequence[Array], path: Path) -> None:
        """A node was computed: stand still if that is wanted."""
        made = self.keep(n, out, path)
        self.current = n
        if not self.detached and self.stops(n, made, path):
            self.depth = len(path)
            self.ask(self, "at")

    def keep(self, n: Node, out: Sequence[Array], path: Path) -> list[Datum]:
        """Remember the values of a node."""
        now = time.time_ns() // 1000
        made = [Datum(n.name, i, np.asarray(a), n, path, now) for i, a in enumerate(out)]
        self.values.update((d.tensor_name, d) for d in made)
        return made

    def stops(self, n: Node, made: Sequence[Datum], path: Path) -> bool:
        """Whether to stand still after a node."""
        if self.pass_filter and any(self.passes(self.pass_filter, d) for d in made):
            self.pass_filter, self.hit = "", True
            return True
        if n.name in self.breakpoints:
            return True
        if self.mode == "until":
            return self.target is not None and self.target(n, made)
        if n.op.name in _SOURCES:
            return False
        if self.mode == "next":
            return len(path) <= self.depth
        if self.mode == "step":
            self.steps -= 1
            return self.steps <= 0
        return False

    def passes(self, name: str, d: Datum) -> bool:
        """Whether a tensor passes a filter."""
        return bool(self.filters[name](d, d.array))

    # ------------------------------------------------------------- looking

    def tensors(self, name: str = "", op: str = "", passing: str = "") -> list[Datum]:
        """Values whose names and ops match, in the order in which they were computed.

        Raises
        ------
        KeyError
            For a filter there is not.
        """
        if passing and passing not in self.filters:
            raise KeyError(passing)
        return [
            d for d in self.values.values()
            if re.search(name, d.tensor_name) and re.search(op, d.node.op.tf or d.node.op.name)
            and (not passing or self.passes(passing, d))
        ]  # fmt: skip

    def operation(self, name: str) -> Any:
        """The recorded operation of a name, or of the name of a tensor; None if there is none."""
        try:
            return self.graph.get_operation_by_name(name.partition(":")[0])
        except (KeyError, ValueError, AttributeError):
            return None


@contextmanager
def attached(debugger: Debugger) -> Iterator[None]:
    """Every session's runs inside go through the debugger."""
    from graphc.face.session import BaseSession

    plain = BaseSession.run

    def run(
        self: Any, fetches: Any, feed_dict: Any = None, options: Any = None,
        run_metadata: Any = None,
    ) -> Any:  # fmt: skip
        def call() -> Any:
            return plain(self, fetches, feed_dict, options, run_metadata)

        return debugger.run(self, titled(fetches, feed_dict), call)

    BaseSession.run = run  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseSession.run = plain  # type: ignore[method-assign]


def titled(fetches: Any, feeds: Any) -> str:
    """What a run is of, in words."""
    keys = [getattr(k, "name", str(k)) for k in feeds or ()]
    return f"fetch {named(fetches)}" + (f"; feed {', '.join(keys)}" if keys else "")


def named(fetches: Any) -> str:
    """The names in a structure of fetches."""
    if isinstance(fetches, dict):
        return ", ".join(named(f) for f in fetches.values())
    if isinstance(fetches, list | tuple):
        return ", ".join(named(f) for f in fetches)
    return str(getattr(fetches, "name", fetches))


def summary(d: Datum) -> str:
    """A tensor in one line."""
    return f"{d.tensor_name} = {describe(d.array)}"
