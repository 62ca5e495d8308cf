"""Running graphs: plans by pattern, bindings by size, one native call a run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graphc.ir import permit
from graphc.ir.dims import Symbol
from graphc.ir.node import Node, Value
from graphc.passes.array_uses import USES, refuse_repeated_uses
from graphc.passes.reach import Reach
from graphc.runtime import causes
from graphc.runtime.compilation import Compilation
from graphc.runtime.llvm import entry
from graphc.runtime.options import Options, available_threads
from graphc.runtime.pool import MAX_THREADS
from graphc.runtime.runs import Run
from graphc.runtime.state import State
from graphc.runtime.tail import Tail, late_nodes

if TYPE_CHECKING:
    from graphc.runtime.beside import Beside

__all__ = ["Executor"]

#: What new executors take as their `checker`.
default_checker: Callable[..., tuple[Any, dict[Symbol, int]]] | None = None


class Executor:
    """Prepares and runs fetches of one recorded graph against one session's state."""

    def __init__(self, graph: Any, state: State, options: Options | None = None) -> None:
        self.graph = graph
        self.state = state
        self.options = options or Options()
        self.threads = min(self.options.threads or available_threads(), MAX_THREADS)
        self._passes: list[str] | None = None
        if self.options.passes is not None or self.options.off:
            self._passes = self.passes  # what is no pass is said at once
        self.prepared: dict[Any, Run | Tail] = {}
        #: Set when the session is closed: runs of it that wait for others give up.
        self.closed = threading.Event()
        #: Why the last plans were made.
        self.causes: deque[causes.Cause] = deque(maxlen=causes.KEPT)
        #: What compilations may apply, where something was switched off.
        self.permit: permit.Permit | None = None
        #: Sees each native part before it runs, as (run, compilation, sizes, arrays), and gives
        #: the compilation to run and its sizes, until that one's `checked` is it.
        self.checker: Callable[..., tuple[Compilation, dict[Symbol, int]]] | None = default_checker
        self._beside: Beside | None = None
        entry.begin()

    @property
    def passes(self) -> list[str]:
        """The names of the passes, in order."""
        if self._passes is None:
            from graphc.passes.pipeline import pipeline  # not for plans from disk

            o = self.options
            # what keeps factors for a product to come takes memory for speed
            off = (*o.off, "accumulate") if o.memory_limit else o.off
            self._passes = pipeline(o.passes, o.level, off)
        return self._passes

    @property
    def beside(self) -> Beside:
        """Native code for host ops."""
        if self._beside is None:
            from graphc.runtime.beside import Beside

            self._beside = Beside(self)
        return self._beside

    def prepare(
        self, fetches: Sequence[Value | Node], feeds: Sequence[Value]
    ) -> Callable[..., list[Any]]:
        """What runs `fetches`: ``run(*feed_values) -> [value of each Value fetched]``.

        Raises
        ------
        InvalidArgumentError
            When a placeholder that the fetches need is not fed.
        """
        key = (tuple(fetches), tuple(feeds))
        run = self.prepared.get(key)
        if run is None:
            values = tuple(f for f in fetches if isinstance(f, Value))
            targets = tuple(f for f in fetches if isinstance(f, Node))
            fed = frozenset(feeds)
            reach = Reach(values, targets, fed)
            uses = getattr(self.graph, "extras", {}).get(USES)
            if uses:
                refuse_repeated_uses(reach.nodes, uses)
            late = late_nodes(reach.nodes, values, fed)
            if late:
                run = Tail(self.part, values, targets, feeds, late)
            else:
                fine = not reach.inner and all([n.op.name != "placeholder" for n in reach.nodes])
                run = Run(self, values, targets, tuple(feeds), checked=fine)
            self.prepared[key] = run
        return run

    def part(
        self, fetches: tuple[Value, ...], targets: tuple[Node, ...], feeds: tuple[Value, ...],
        readers: tuple[Node | None, ...] = (),
    ) -> Run:  # fmt: skip
        """A run that nothing follows."""
        return Run(self, fetches, targets, feeds, readers=readers)
