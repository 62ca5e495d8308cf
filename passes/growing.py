"""Arrays that a loop makes longer, given all their elements before it starts.

Where each iteration writes at a counter, the number of iterations says how long an array will be.
A plan holds such a loop; one that only a run can count is counted first. All else that makes an
array longer in a loop is driven from Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc.ir.dims import Dim, Facts
from graphc.ir.node import Node, Value
from graphc.ir.region import Context, Loop, context_of
from graphc.ops import flow
from graphc.passes.reach import Reach, first_inputs, is_construct

__all__ = ["Write", "asked", "grown", "only_counted", "tested", "writes"]

#: What may read an array of a loop without seeing how long it is.
_BLIND = frozenset({"array_get", "array_grow", "array_set", "identity"})


@dataclass(frozen=True)
class Write:
    """A write in each iteration: at a loop variable that counts by `step`, plus `offset`.

    Attributes
    ----------
    node : Node
        What makes the array longer for it.
    array, counter : int
        Which loop variables these are.
    """

    node: Node
    array: int
    counter: int
    step: int
    offset: int


def writes(loop: Loop, reach: Reach) -> list[Write]:
    """The writes that make arrays of a loop longer; none where they are not known to be enough."""
    inner = [m for c, ms in reach.inner.items() if c.within(loop) for m in ms]
    nodes = [m for m in inner if m.op.name == "array_grow"]
    found = []
    for m in nodes:
        array, at = _array(m.inputs[0], loop), _counted(m.inputs[1], loop)
        if context_of(m) is not loop or array is None or at is None or m.outputs[0].dtype.hosted:
            return []
        if _array(loop.results[array], loop) != array:
            return []
        found.append(Write(m, array, *at))
    growing = {w.array for w in found}
    if any(_array(v, loop) in growing for v in _looked_at(inner)):
        return []
    return found


def _looked_at(inner: Sequence[Node]) -> Iterator[Value]:
    """What something in a loop reads that may see how long an array is."""
    for m in inner:
        if m.op.name in _BLIND:
            yield from m.inputs[1:]
        elif m.op.name not in ("saved", "trips"):
            yield from first_inputs(m) if is_construct(m) else m.inputs


def _array(v: Value, loop: Loop) -> int | None:
    """Which loop variable `v` is, with some of its elements written."""
    while v.node.op.name in ("identity", "array_grow", "array_set"):
        v = v.node.inputs[0]
    return loop.params.index(v) if v in loop.params else None


def _counted(v: Value, loop: Loop) -> tuple[int, int, int] | None:
    """The loop variable that counts, its step, and what `v` is more than it."""
    base, offset = _plus(v)
    if base not in loop.params:
        return None
    k = loop.params.index(base)
    after, step = _plus(loop.results[k])
    return (k, step, offset) if after is base and step > 0 else None


def _plus(v: Value) -> tuple[Value, int]:
    """A value and a number whose sum `v` is."""
    offset = 0
    while True:
        n = v.node
        if n.op.name == "identity" and not n.control:
            v = n.inputs[0]
            continue
        if n.op.name not in ("add", "subtract") or v.dtype.kind != "i":
            return v, offset
        a, b = n.inputs
        if a.node.op.name == "constant" and n.op.name == "add":
            a, b = b, a
        number = b.node.attrs["value"] if b.node.op.name == "constant" else None
        if number is None or number.ndim:
            return v, offset
        offset += int(number) if n.op.name == "add" else -int(number)
        v = a


def tested(loop: Loop, reach: Reach) -> set[int]:
    """The loop variables that the condition depends on, over all iterations."""
    assert loop.test is not None
    live: set[int] = set()
    while True:
        roots = [loop.test, *[loop.results[i] for i in sorted(live)]]
        read = {v for m in reach.closure(roots, loop) for v in _reads(m, reach)} | {*roots}
        more = {i for i, p in enumerate(loop.params) if p in read} - live
        if not more:
            return live
        live |= more


def _reads(n: Node, reach: Reach) -> Sequence[Value]:
    if not is_construct(n):
        return n.inputs
    return [*first_inputs(n), *[v for v in n.inputs if v in reach.read]]


def only_counted(n: Node, reach: Reach) -> bool:
    """Whether a run wants nothing of a loop but the number of its iterations."""
    loop: Loop = n.attrs["loop"]
    if loop not in reach.counted or loop in reach.saves or n.attrs["updates"]:
        return False
    at: Context | None = context_of(n)
    around = reach.nodes if at is None or at is reach.home else reach.inner.get(at, [])
    mine = set(n.outputs)
    readers = [m for m in around if m.op.name != "trips" and mine.intersection(m.inputs)]
    return not readers and not mine.intersection(reach.read - set(n.outputs[:1]))


def asked(n: Node) -> Node:
    """A node that gives the number of iterations of a loop; it is in no graph's list."""
    loop: Loop = n.attrs["loop"]
    if loop.count is None:
        attrs = {"loop": loop}
        types = flow.trips_op.infer(n.outputs[:1], attrs)
        made = Node(flow.trips_op, n.outputs[:1], attrs, types, f"{n.name}/count", (), n.source)
        made.graph = n.graph
        if loop.outer is not None and n.graph is not None:
            n.graph.contexts[made] = loop.outer
        loop.count = made
    return loop.count


def grown(rows: Dim, at: Sequence[Write], first: Sequence[Dim], trips: Dim, facts: Facts) -> Dim:
    """How many elements an array has after a loop.

    Parameters
    ----------
    rows : Dim
        How many before.
    first : sequence of Dim
        What the counter of each write begins with.
    """
    if trips == 0 if type(trips) is int else facts.equal(trips, 0):
        return rows
    for w, start in zip(at, first, strict=True):
        need = start + (trips - 1) * w.step + (w.offset + 1)
        if facts.less(rows, need):
            rows = need
    return rows
