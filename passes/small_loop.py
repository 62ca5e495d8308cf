"""Loops on single numbers become one kernel: all that is carried stays in registers.

Arrays may be read and written one element at a time. A call makes at most so many rounds as take a
few milliseconds, leaves the carried values in memory and says whether the loop has ended, so that
the run can be interrupted between calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.ir import dims as D
from graphc.ir import dtypes, journal
from graphc.ir.dims import Dim, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Buffer, Kernel, Operand, lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.control import no_room
from graphc.passes.groups import COSTLY, is_alias, is_pointwise
from graphc.passes.scalar import Scalar, check_operands

__all__ = ["SmallLoop", "lower_loop"]

Index = tuple[Dim, ...]

#: Nodes of a loop that is still small.
LIMIT = 200
#: Nanoseconds that the rounds of one call may take, about.
CALL_NS = 4_000_000
#: Nanoseconds, about, of a side of a condition that is computed whether it is chosen or not.
SIDES = 60


@dataclass
class SmallLoop:
    """A loop as one kernel.

    Attributes
    ----------
    bind : list of (str, int)
        For each parameter ``("carried", i)``, ``("captured", i)`` (numbers of the node's inputs)
        or ``("stop", 0)``, a bool that is true when the loop has ended.
    checks : list of (Node, message)
        Code ``i + 1`` of the kernel is entry ``i``.
    """

    kernel: Kernel
    bind: list[tuple[str, int]] = field(default_factory=list)
    checks: list[tuple[Node, str]] = field(default_factory=list)


class _NotSmall(Exception):
    """Something that needs kernels of its own: a word of `REMEDIES`, why, and the node."""

    def __init__(self, word: str, why: str, node: Node | None = None) -> None:
        super().__init__(why)
        self.word = word
        self.nodes = () if node is None else (node,)


#: What makes a loop one kernel, by what keeps it from that.
REMEDIES: dict[str, str] = {
    "many": "do less in each iteration, or the rest on whole arrays outside of the loop",
    "shape": "give it a shape that is known (tf.ensure_shape, set_shape)",
    "array": "carry single numbers, and take or set one element of an array in an iteration",
    "kernel": "use elementwise ops on single numbers, or do it outside of the loop",
    "cond": "let both sides be a few elementwise ops, or use tf.where",
}


def _label(n: Node) -> str:
    return f"{n.name!r} ({n.op.name})"


def _tell(n: Node, word: str, why: str, nodes: Sequence[Node]) -> None:
    """Write down why a loop is not one kernel, for whoever asks."""
    log = journal.current()
    if log is not None:
        text = f"the loop {n.name!r} is several kernels, which each iteration calls: {why}"
        log.because("loop", (n, *nodes), text, REMEDIES[word])


def lower_loop(n: Node, order: Sequence[Node], name: str) -> SmallLoop | None:
    """The kernel of a ``while`` node, None where it is no small loop.

    Parameters
    ----------
    order : sequence of Node
        The nodes of the body: readers of an array before who writes it.
    """
    if sum(_weight(m) for m in (*order, *n.attrs["cond"].nodes())) > LIMIT:
        _tell(n, "many", f"it has more than {LIMIT} nodes (graphc.passes.small_loop.LIMIT)", ())
        return None
    try:
        return _Lower(n, order, name).run()
    except _NotSmall as e:
        _tell(n, e.word, str(e), e.nodes)
        return None


def _weight(n: Node) -> int:
    return sum(map(_weight, n.attrs["body"].nodes())) if n.op.name == "fused" else 1


def base(v: Value) -> Value:
    """The value whose bytes `v` is."""
    while is_alias(v.node):
        v = v.node.inputs[0]
    return v


def is_single(v: Value) -> bool:
    """Whether `v` is known to have one element."""
    return v.static_shape is not None and D.product(v.static_shape) == 1


class _Lower:
    def __init__(self, n: Node, order: Sequence[Node], name: str) -> None:
        self.node = n
        self.order = order
        self.k = KernelBuilder(name)
        self.bind: list[tuple[str, int]] = []
        self.checks: list[tuple[Node, str]] = []
        #: The operands of values of one element, the buffers of arrays.
        self.single: dict[Value, Operand] = {}
        self.array: dict[Value, Buffer] = {}
        #: The value that a buffer of the loop holds now, and what values are called elsewhere.
        self.holds: dict[Buffer, Value] = {}
        self.other_name: dict[Value, Value] = {}
        self.offsets: dict[Symbol, Dim] = {}
        #: Where this holds, a check that fails does not matter.
        self.unless: Operand | None = None

    def run(self) -> SmallLoop:
        cond: Graph = self.node.attrs["cond"]
        body: Graph = self.node.attrs["body"]
        size = len(self.node.outputs)
        carried = [self.carry(i, v) for i, v in enumerate(body.inputs[:size])]
        singles = [i for i in range(size) if is_single(body.inputs[i])]
        arrays = [i for i in range(size) if i not in singles]
        self.capture(cond, body, size)
        start = [self.k.load(carried[i], _zeros(carried[i])) for i in singles]
        with self.k.repeat(start, self.rounds()) as r:
            for g in (cond, body):
                for i, v in zip(singles, r.before, strict=True):
                    self.single[g.inputs[i]] = v
                for i in arrays:
                    self.array[g.inputs[i]] = carried[i]
                    self.holds[carried[i]] = g.inputs[i]
                for m in cond.nodes() if g is cond else self.order:
                    self.compute(m)
                if g is cond:
                    r.test(self.number(cond.outputs[0]))
            r.next(*[self.number(body.outputs[i]) for i in singles])
            if any(self.holds[carried[i]] is not base(body.outputs[i]) for i in arrays):
                raise _NotSmall("array", "it makes whole arrays anew in each iteration")
        for i, x in zip(singles, r.results, strict=True):
            self.k.store(carried[i], _zeros(carried[i]), x)
        stop = self.param("stop", 0, dtypes.bool_, (), "out")
        self.k.store(stop, (), self.k.let("logical_not", r.go, dtype=dtypes.bool_))
        return SmallLoop(self.k.build(), self.bind, self.checks)

    def rounds(self) -> int:
        """How many rounds fit into a call."""
        ns, limit = 2 + sum(map(_cost, self.order)), 16
        while 2 * limit * ns < CALL_NS:
            limit *= 2
        return limit

    # ------------------------------------------------------------- buffers

    def param(
        self, kind: str, i: int, dtype: DType, shape: Sequence[Dim], direction: str
    ) -> Buffer:
        b = self.k.param(f"{kind[0]}{len(self.bind)}", dtype, tuple(shape), direction)
        self.bind.append((kind, i))
        return b

    def carry(self, i: int, v: Value) -> Buffer:
        if v.static_shape is None:
            raise _NotSmall("shape", f"the rank of {v.node.name!r} is not known", v.node)
        return self.param("carried", i, v.dtype, v.static_shape, "inout")

    def capture(self, cond: Graph, body: Graph, size: int) -> None:
        """Captured values: numbers are read before the loop, arrays where they are used."""
        used = {m.outputs[0] for g in (cond, body) for m in g.nodes() if m.op.name == "input"}
        for i, (a, b) in enumerate(zip(cond.inputs[size:], body.inputs[size:], strict=True)):
            if a not in used and b not in used:
                continue
            if a.static_shape is None:
                raise _NotSmall("shape", f"the rank of {a.node.name!r} is not known", a.node)
            buf = self.param("captured", i + size, a.dtype, a.static_shape, "in")
            self.enter(buf, a, b)

    def enter(self, buf: Buffer, *values: Value) -> None:
        """What is in memory already and stays as it is."""
        if is_single(values[0]):
            x = self.k.load(buf, _zeros(buf))
            self.single.update((v, x) for v in values)
        else:
            self.array.update((v, buf) for v in values)

    # ------------------------------------------------------------- values

    def number(self, v: Value) -> Operand:
        """The one element of a value."""
        v = base(v)
        x = self.single.get(v)
        if x is not None:
            return x
        n = v.node
        if n.op.name == "constant" and n.attrs["value"].size == 1:
            return lit(n.attrs["value"].reshape(-1)[0], v.dtype)
        raise _NotSmall("array", f"{_label(n)} is no single number where one is needed", n)

    def compute(self, n: Node) -> None:
        """The results of a node, where they are single numbers; others are read when asked for."""
        name = n.op.name
        if name in ("input", "constant") or is_alias(n):
            return
        if name == "fused":
            self.fused(n)
        elif name == "array_set":
            self.put(n)
        elif name == "cond":
            self.choose(n)
        elif not (is_pointwise(n) or n.op.element is not None):
            raise _NotSmall("kernel", f"{_label(n)} needs a kernel of its own", n)
        elif is_single(n.outputs[0]):
            out = n.outputs[0]
            self.single[out] = self.element(out, (0,) * len(out.static_shape or ()), None, 0)

    def fused(self, n: Node) -> None:
        body: Graph = n.attrs["body"]
        for inner, outer in zip(body.inputs, n.inputs, strict=True):
            self.name(inner, base(outer))
        self.offsets = {Symbol(k): d for k, d in n.attrs.get("offsets", {}).items()}
        for m in body.nodes():
            self.compute(m)
        for a, b in zip(n.outputs, body.outputs, strict=True):
            self.name(a, base(b))

    def name(self, a: Value, b: Value) -> None:
        """Let `a` be another name of `b`."""
        if is_single(b):
            self.single[a] = self.number(b)
        elif b in self.array:
            self.array[a] = self.array[b]
            self.other_name[a] = self.other_name.get(b, b)
        else:
            raise _NotSmall("array", f"{_label(b.node)} is an array made in the loop", b.node)

    def element(self, v: Value, index: Index, where: Operand | None, other: Any) -> Operand:
        """One element of the result of an op."""
        n = v.node
        if n.op.element is not None:
            attrs = {k: _at(a, self.offsets) for k, a in n.attrs.items()}
            x: Operand = n.op.element(Scalar(self, n), index, *n.inputs, **attrs)
        else:
            if n.op.fails and not is_single(v):
                raise _NotSmall("array", f"{_label(n)} can fail, and is no single number", n)
            full = n.outputs[0].static_shape or ()
            args = [self.read(o, _aligned(o, index, full), where, 0) for o in n.inputs]
            x = self.apply(n, args)
        return x if where is None else self.k.select(where, x, lit(other, v.dtype))

    def apply(self, n: Node, args: list[Operand]) -> Operand:
        out = n.outputs[0]
        with self.k.of(n):
            if n.op.name == "cast":
                return self.k.cast(args[0], out.dtype)
            if n.op.fails:
                check_operands(self, n, args)
            attrs = {k: a for k, a in n.attrs.items() if k != "dtype"}
            return self.k.let(n.op.in_kernels, *args, dtype=out.dtype, **attrs)

    def read(self, v: Value, index: Index, where: Operand | None, other: Any) -> Operand:
        """An element of a value, `other` where `where` is false."""
        if is_single(v):
            x = self.number(v)
            return x if where is None else self.k.select(where, x, lit(other, v.dtype))
        buf = self.array.get(v)
        if buf is not None:
            if buf in self.holds and self.holds[buf] is not self.other_name.get(v, v):
                why = f"{_label(v.node)} is read after it was overwritten"
                raise _NotSmall("array", why, v.node)
            return self.k.load(buf, tuple(index), where, other)
        if v.node.op.name in ("input", "constant", "fused", "cond") or is_alias(v.node):
            why = f"{_label(v.node)} is an array whose elements are not computed one by one"
            raise _NotSmall("array", why, v.node)
        return self.element(v, tuple(index), where, other)

    def check(self, n: Node, ok: Operand, message: str, position: Dim) -> None:
        if self.unless is not None:
            ok = self.k.let("logical_or", self.unless, ok, dtype=dtypes.bool_)
        self.checks.append((n, message))
        self.k.check(ok, len(self.checks), position)

    # ------------------------------------------------------------- arrays and conditions

    def put(self, n: Node) -> None:
        """One element of an array of the loop."""
        array, at, value = (base(v) for v in n.inputs)
        buf = self.array.get(array)
        if buf is None or self.holds.get(buf) is not array or not is_single(value):
            why = f"{_label(n)} sets more than one element, or not of an array the loop carries"
            raise _NotSmall("array", why, n)
        k = Scalar(self, n)
        i = k.as_index(self.number(at))
        size = k.shape(array)[0]
        inside = k.both(k.compare("less_equal", 0, i), k.compare("less", i, size))
        k.check(inside, no_room("<position>", f"<{size}>"), i)
        rest = (0,) * (len(buf.shape) - 1)
        self.k.store(buf, (i, *rest), self.number(value))
        out = n.outputs[0]
        self.array[out] = buf
        self.holds[buf] = out

    def choose(self, n: Node) -> None:
        """Both sides of a condition, where they are cheap; only the chosen one can fail."""
        pred, outer = self.number(n.inputs[0]), self.unless
        sides: list[list[Operand]] = []
        for key in ("then", "orelse"):
            g: Graph = n.attrs[key]
            if any(m.op.name == "array_set" for m in g.nodes()):
                why = f"a side of {_label(n)} sets elements, which cannot be undone"
                raise _NotSmall("cond", why, n)
            if sum(map(_cost, g.nodes())) > SIDES:
                why = f"a side of {_label(n)} takes too long to be computed in vain"
                raise _NotSmall("cond", why, n)
            for inner, given in zip(g.inputs, n.inputs[1:], strict=True):
                self.name(inner, base(given))
            off = self.k.let("logical_not", pred, dtype=dtypes.bool_) if key == "then" else pred
            if outer is not None:
                off = self.k.let("logical_or", outer, off, dtype=dtypes.bool_)
            self.unless = off
            for m in g.nodes():
                self.compute(m)
            self.unless = outer
            sides.append([self.number(v) for v in g.outputs])
        for out, x, y in zip(n.outputs, *sides, strict=True):
            self.single[out] = self.k.select(pred, x, y)


def _cost(n: Node) -> int:
    """Nanoseconds that a node takes, about."""
    if n.op.name in ("fused", "cond"):
        graphs = [g for g in n.attrs.values() if isinstance(g, Graph)]
        return sum(_cost(m) for g in graphs for m in g.nodes())
    return 0 if n.op.name in ("input", "constant") else 20 if n.op.name in COSTLY else 1


def _zeros(b: Buffer) -> Index:
    return (0,) * len(b.shape)


def _aligned(v: Value, index: Index, full: Index) -> Index:
    """The index of an operand for an index of the result it is broadcast to."""
    shape = v.static_shape or ()
    pad = len(index) - len(shape)
    return tuple(
        0 if d == 1 or D.repeats(d, full[pad + i]) else index[pad + i] for i, d in enumerate(shape)
    )


def _at(a: Any, offsets: Mapping[Symbol, Dim]) -> Any:
    if offsets and type(a) is tuple:
        return tuple([_at(x, offsets) for x in a])
    return D.substitute(a, offsets) if offsets and isinstance(a, D.Expr) else a
