"""Constant subgraphs are computed once, here, by their numpy meaning and with its checks."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import journal
from graphc.ir.dims import is_known
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.convert import constant_op, make_constant
from graphc.ops.record import meaning

__all__ = ["LIMIT", "fold"]

#: Most elements of a folded result: larger ones are cheaper to compute than to keep.
LIMIT = 1 << 14


def fold(g: Graph) -> Graph:
    """Nodes all of whose inputs are constants become constants.

    A node that can fail is folded only when it does not: the error stays for the run, which
    knows the user's line (an optimiser must not erase it).
    """
    log = journal.current()
    told = None if log is None else _Told(g, log)

    def step(n: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for i, v in enumerate(inputs):
            if v.node.op is not constant_op:
                if told is not None:
                    told.operand(n, n.inputs[i])
                return None
        r = n.op
        if not inputs or r.numpy is None or r.stateful or r.family in ("random", "state", "fused"):
            if told is not None:
                told.kind(n)
            return None
        if any(not is_known(v.static_shape) or _size(v) > LIMIT for v in n.outputs):
            if told is not None:
                told.large(n)
            return None
        try:
            made = meaning(
                n.op, [v.node.attrs["value"] for v in inputs], n.attrs, [v.type for v in n.outputs]
            )
        except Exception as e:
            if told is not None:
                told.failed(n, e)
            return None
        return [make_constant(a, v.dtype, n.name) for a, v in zip(made, n.outputs, strict=True)]

    return g.rebuild(step)


def _size(v: Value) -> int:
    n = 1
    for d in v.static_shape or ():
        n *= int(str(d))
    return n


class _Told:
    """Writes down why nodes are not folded, for whoever asks."""

    def __init__(self, g: Graph, log: journal.Journal) -> None:
        self.g, self.log = g, log
        #: For nodes that are no constants what they depend on, and what would make it one.
        self.cause: dict[Node, tuple[str, str]] = {}

    def put(self, n: Node, text: str, remedy: str) -> None:
        self.cause[n] = text, remedy
        self.log.because("fold", (n,), f"{n.name!r} is not computed before the run: {text}", remedy)

    def operand(self, n: Node, v: Value) -> None:
        """An operand is no constant: the reason is that of the first such value above it."""
        self.put(n, *(self.cause.get(v.node) or self.source(v)))

    def source(self, v: Value) -> tuple[str, str]:
        n = v.node
        if n.op.name == "read":
            return (
                f"it depends on the variable {n.attrs['var']!r}, which any run may change",
                f"make {n.attrs['var']!r} a tf.constant",
            )
        if v in self.g.facts.inner:
            return (
                f"it depends on {n.name!r}, which comes from outside of the loop or condition, or"
                " changes in it",
                "compute it before, from constants",
            )
        if n.op.name == "sizes":
            return "it depends on sizes of what is fed", "declare the sizes of placeholders"
        if n.op.name == "input":
            return f"it depends on {n.name!r}, which is fed", f"make {n.name!r} a tf.constant"
        return f"it depends on {n.name!r} ({n.op.name})", ""

    def kind(self, n: Node) -> None:
        if n.op.name in ("input", "read", "constant"):
            return
        if n.op.family == "random":
            text = f"{n.name!r} is random: each run draws new numbers"
            self.put(n, text, "draw them once with numpy, and make them a tf.constant")
        elif n.op.stateful:
            text = f"{n.name!r} ({n.op.name}) has an effect, or a state of its own"
            self.put(n, text, "compute it with numpy, and make it a tf.constant")
        elif n.inputs:
            self.put(n, f"{n.name!r} ({n.op.name}) has no meaning in numpy by itself", "")
        else:
            self.cause[n] = self.source(n.outputs[0])

    def large(self, n: Node) -> None:
        if any(not is_known(v.static_shape) for v in n.outputs):
            self.put(n, f"the shape of {n.name!r} is not known", "give it a constant shape")
            return
        size = max(map(_size, n.outputs))
        self.put(
            n,
            f"{n.name!r} has {size:,} elements, more than the {LIMIT:,} that are kept as a constant"
            " (graphc.passes.fold.LIMIT)",
            "compute it with numpy, and make it a tf.constant",
        )

    def failed(self, n: Node, e: Exception) -> None:
        words = str(e).split("\n", 1)[0]
        text = f"{n.name!r} fails ({type(e).__name__}: {words}), and an error belongs to the run"
        self.put(n, text, "give it operands for which it does not fail")
