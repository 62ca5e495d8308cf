"""What a run needs of a recorded graph, inside of loops and conds too."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from operator import attrgetter

from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of, home_of, is_inside
from graphc.passes.cuts import is_effect, operands

__all__ = ["Reach", "first_inputs", "insides", "is_construct", "live", "needed"]


def is_construct(n: Node) -> bool:
    """Whether `n` is a recorded loop or cond."""
    return "contexts" in n.op.facts


def insides(n: Node) -> list[Context]:
    """The contexts of a recorded loop or cond."""
    return [n.attrs[k] for k in n.op.facts["contexts"]]


def first_inputs(n: Node) -> tuple[Value, ...]:
    """The operands of a construct that are no captures."""
    (inside, *_) = insides(n)
    return n.inputs[: len(inside.params) if isinstance(inside, Loop) else 1]


class Reach:
    """The nodes that must run, those behind fed values and behind `done` nodes left out.

    Parameters
    ----------
    home : Context, optional
        The inside of a construct that is run by itself; nodes inside of this are inner ones.

    Attributes
    ----------
    nodes : list of Node
        Those that are in no construct, in order.
    read : set of Value
        What they and the fetches read.
    inner : dict
        For each context the nodes in it, in order.
    escapes : dict
        For each branch the values in it that are read outside.
    saves : dict
        For each loop the values in it of which all that they had is wanted (its keys), and the
        ``saved`` nodes that ask for them.
    counted : dict
        For each loop whose number of iterations is wanted the nodes that ask for it.
    """

    def __init__(
        self,
        fetches: Iterable[Value],
        targets: Iterable[Node],
        fed: Container[Value] = (),
        done: Container[Node] = (),
        home: Context | None = None,
    ) -> None:
        self.fed, self.done, self.home = fed, done, home
        self.inner: dict[Context, list[Node]] = {}
        self.escapes: dict[Branch, dict[Value, None]] = {}
        self.saves: dict[Loop, dict[Value, list[Node]]] = {}
        self.counted: dict[Loop, list[Node]] = {}
        self.nodes: list[Node] = []
        self.read: set[Value] = set()
        self._seen: set[Node] = set()
        self._stack: list[Node] = list(targets)
        for v in fetches:
            self._read(v, home)
        if home is None and not any(getattr(n.graph, "contexts", True) for n in self._stack):
            self._walk_plainly()
        else:
            self._walk()
        self.nodes.sort(key=_by_id)
        for nodes in self.inner.values():
            nodes.sort(key=_by_id)

    def _walk_plainly(self) -> None:
        """`_walk` where the graph has no construct at all."""
        seen, stack, fed, done = self._seen, self._stack, self.fed, self.done
        read, nodes = self.read, self.nodes
        while stack:
            n = stack.pop()
            if n in seen or n in done:
                continue
            if n.op.name == "placeholder" and n.outputs[0] in fed:
                continue  # something waits for it
            seen.add(n)
            nodes.append(n)
            for v in n.inputs if "lazy" not in n.op.facts else operands(n):
                read.add(v)
                if v.node not in seen and v not in fed:
                    stack.append(v.node)
            if n.control:
                stack.extend(n.control)

    def _walk(self) -> None:
        seen, stack, home = self._seen, self._stack, self.home
        while stack:
            n = stack.pop()
            if n in seen or n in self.done:
                continue
            if n.op.name == "placeholder" and n.outputs[0] in self.fed:
                continue  # something waits for it
            seen.add(n)
            at = home_of(n, home)
            if at is home:
                self.nodes.append(n)
            else:
                self.inner.setdefault(at, []).append(n)  # type: ignore[arg-type]
                assert at is not None
                assert at.node is not None
                stack.append(at.node)
            if n.op.family == "control" and is_construct(n):
                self._construct(n, at)
            else:
                for v in operands(n):
                    self._read(v, at)
                if n.op.name == "saved" or n.op.name == "trips":
                    self._asked(n)
            stack.extend(
                n.control if home is None else [m for m in n.control if is_inside(m, home)]
            )

    def _construct(self, n: Node, at: Context | None) -> None:
        for v in first_inputs(n):
            self._read(v, at)
        for c in insides(n):
            for v in c.results:
                self._read(v, c)
            if isinstance(c, Loop) and c.test is not None:
                self._read(c.test, c)
                if c.count is not None:  # a part of the run may be given it
                    self.read.add(c.count.outputs[0])

    def _asked(self, n: Node) -> None:
        loop: Loop = n.attrs["loop"]
        assert loop.node is not None
        self._stack.append(loop.node)
        if n.op.name == "trips":
            self.counted.setdefault(loop, []).append(n)
        else:
            v = n.attrs["value"]
            self.read.update(n.attrs["capacities"])
            self.saves.setdefault(loop, {}).setdefault(v, []).append(n)
            self._read(v, loop)

    def _read(self, v: Value, at: Context | None) -> None:
        """`v` is read by something in `at`."""
        self.read.add(v)
        if v in self.fed:
            return
        self._stack.append(v.node)
        c, home = home_of(v.node, self.home), self.home
        while c is not home and (at is home or at is None or not at.within(c)):
            assert c is not None
            if isinstance(c, Branch):
                self.escapes.setdefault(c, {})[v] = None
            c = home_of(c.node, home) if c.node is not None else home

    def closure(self, roots: Sequence[Value], context: Context) -> set[Node]:
        """The nodes of `context` that `roots` need."""
        inside = set(self.inner.get(context, ()))
        out: set[Node] = set()
        stack = [v.node for v in roots]
        while stack:
            n = self.level(stack.pop(), context)
            if n is None or n in out or n not in inside:
                continue
            out.add(n)
            stack += [v.node for v in n.inputs]
            stack += n.control
            if n.op.family == "control":
                for c in insides(n) if is_construct(n) else ():
                    stack += [v.node for v in c.results]
                    stack += [m for m in self.inner.get(c, ()) for m in m.control]
                if n.op.name == "saved":
                    stack.append(n.attrs["value"].node)
        return out

    @staticmethod
    def level(n: Node, context: Context | None) -> Node | None:
        """`n`, or the construct of `context` in which it is; None where it is outside of that."""
        c = context_of(n)
        while c is not context:
            if c is None or c.node is None:
                return None
            n = c.node
            c = c.outer
        return n


_by_id = attrgetter("id")


def needed(
    fetches: Iterable[Value],
    targets: Iterable[Node],
    fed: Container[Value],
    done: Container[Node] = (),
    home: Context | None = None,
) -> list[Node]:
    """Nodes that must run, those behind fed values and behind `done` nodes left out."""
    return Reach(fetches, targets, fed, done, home).nodes


def live(
    fetches: Sequence[Value],
    targets: Sequence[Node],
    given: Container[Value],
    fed: Container[Value],
    done: Container[Node],
    home: Context | None = None,
) -> Reach:
    """What a later part of a run must still do: its results, and its effects not done yet."""
    effects = [n for n in needed(fetches, targets, given, (), home) if is_effect(n)]
    return Reach(fetches, [*targets, *effects], fed, done, home)
