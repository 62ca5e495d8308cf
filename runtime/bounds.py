"""Updates of variables that cannot make infinities or NaN, shown before anything runs.

A checked run writes its variables in place where it is certain, before the first of them changes,
that all new values will be finite. That takes two things:

* Kernels whose results such an update reads look at what they store, and stop the run where a
  number is 2**20 or more (`watch.SMALL`): far below infinity, far above what networks compute
  with. (Others stop it at what is infinite.)
* Of the kernels that change variables `prove` has shown, with intervals, that from operands below
  2**20 they make finite numbers, whatever these are: products of 2**20 terms, squares of these and
  quotients by a small epsilon all stay below 2**124.

New values are looked at, too. One of 2**20 or more is finite but too large for the next proof, so
a kernel then sets a byte of the state, and the next run is done the slow way
(`graphc.runtime.trust`).

Some kernels need to know more of a variable: that a mean of squares, whose root is taken, is not
negative. It is assumed of the old value where it follows for the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphc.ir.dims import Dim, Expr, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import Literal
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.intervals import Interval, Unknown, hull, product, square
from graphc.runtime.llvm.watch import SMALL
from graphc.runtime.steps import Buf, Code, StepSpec, count
from graphc.runtime.trust import TERMS

__all__ = ["Bounds", "Guard", "prove"]

#: What an old value of a variable may be assumed to be at least.
LEVELS = (2.0**-20, 0.0, -(2.0**SMALL))
#: What no number on the way may reach.
_LIMITS = {"f32": 2.0**124, "bf16": 2.0**124, "f64": 2.0**1000, "f16": 2.0**14}

ANY: Interval = (-(2.0**SMALL), 2.0**SMALL)


@dataclass
class Guard:
    """What must hold for a plan that changes variables in place.

    Attributes
    ----------
    needs : mapping
        What each variable that is read by such a kernel must be at least; all must be small.
    leaves : mapping
        What each that is written is at least afterwards.
    reads : set of Buf
        What such kernels read.
    terms : list of (Dim, Dim)
        Pairs whose quotient is a number of terms.
    """

    needs: dict[str, float] = field(default_factory=dict)
    leaves: dict[str, float] = field(default_factory=dict)
    reads: set[Buf] = field(default_factory=set)
    terms: list[tuple[Dim, Dim]] = field(default_factory=list)


@dataclass
class Proof:
    """That a step makes finite numbers; `least` is what is assumed of old values it replaces."""

    least: Mapping[str, float]
    outputs: Sequence[Interval]
    terms: list[tuple[Dim, Dim]]


def prove(body: Graph, given: Sequence[Interval | str], news: Sequence[str | None]) -> Proof | None:
    """Show that the results of a fused body are finite.

    Parameters
    ----------
    given : sequence
        Where each input is, or the name of the variable whose old value it is.
    news : sequence
        The variable whose new value each output is.
    """
    level = {v: 0 for v in given if isinstance(v, str) and v in news}
    while True:
        least = {v: LEVELS[k] for v, k in level.items()}
        known = [(least.get(v, ANY[0]), ANY[1]) if isinstance(v, str) else v for v in given]
        work = _Work(known)
        try:
            outputs = [work.known[v] for v in work.run(body)]
        except Unknown:
            return None
        made = zip(news, outputs, strict=True)
        worse = [v for v, (low, _) in made if v in least and ANY[0] < least[v] > low]
        if not worse:
            return Proof(least, outputs, work.terms)
        for v in worse:
            assert v is not None
            level[v] += 1


class _Work:
    """The intervals of the values of one body."""

    def __init__(self, given: Sequence[Interval]) -> None:
        self.given = given
        self.known: dict[Value, Interval] = {}
        self.terms: list[tuple[Dim, Dim]] = []

    def run(self, body: Graph) -> Sequence[Value]:
        """Find the intervals of all values; gives the results of `body`."""
        for n in body.nodes():
            if len(n.outputs) != 1:
                raise Unknown
            v = n.outputs[0]
            if n.op.name == "input":
                self.known[v] = self.given[n.attrs["index"]]
                continue
            low, high = self.node(n) if v.dtype.kind == "f" else whole(v.dtype)
            limit = _LIMITS.get(v.dtype.code, 0.0)
            if v.dtype.kind == "f" and not (-limit < low <= high < limit):
                raise Unknown
            self.known[v] = low, high
        return body.outputs

    def node(self, n: Node) -> Interval:
        """The interval of an op's result."""
        name = n.op.name
        ins = [self.known[v] for v in n.inputs]
        if name == "constant":
            a = np.asarray(n.attrs["value"], np.float64)
            return (float(a.min()), float(a.max())) if a.size else (0.0, 0.0)
        if name == "add":
            mean = self.mean(n.inputs[0], n.inputs[1]) or self.mean(n.inputs[1], n.inputs[0])
            if mean is not None:
                return mean
        if name == "multiply" and n.inputs[0] is n.inputs[1]:
            return square(ins[0])
        if name in ("matmul", "matmul_sum", "reduce_sum"):
            self.terms.append(_terms(n))
            x = ins[0] if name == "reduce_sum" else product(*ins)
            return min(0.0, x[0] * TERMS, x[0]), max(0.0, x[1] * TERMS, x[1])
        if n.op.interval is None:
            raise Unknown
        result: Interval = n.op.interval(*ins)
        return result

    def mean(self, x: Value, part: Value) -> Interval | None:
        """``x + (q - x) * c`` with a constant below one lies between `x` and `q`."""
        if part.node.op.name != "multiply":
            return None
        for diff, by in (part.node.inputs, reversed(part.node.inputs)):
            if diff.node.op.name == "subtract" and diff.node.inputs[1] is x:
                low, high = self.known[by]
                if low >= 0.0 and high <= 0.99:
                    return hull(self.known[diff.node.inputs[0]], self.known[x])
        return None


def whole(dtype: DType) -> Interval:
    """All values of an integer type."""
    if dtype.kind == "b":
        return 0.0, 1.0
    info = np.iinfo(dtype.np)
    return float(info.min), float(info.max)


def _terms(n: Node) -> tuple[Dim, Dim]:
    """How many numbers each element of a sum is made of, as a quotient."""
    a = n.inputs[0]
    if n.op.name == "reduce_sum":
        return count(a), count(n.outputs[0])
    shape = a.static_shape or ()
    if n.op.name == "matmul_sum":
        return shape[0] * shape[1], 1
    return shape[-2 if n.attrs.get("transpose_a") else -1], 1


def look_step(src: Buf, found: Buf, node: Node) -> StepSpec:
    """The largest of fed numbers, which the kernel that stores it looks at."""
    b = KernelBuilder("largest")
    n = Expr.symbol("n")
    x, y = b.input("x", src.dtype, (n,)), b.output("y", src.dtype, (1,))
    with b.reduce("vector", "i", n) as r:
        r.yields(max=b.let("abs", b.load(x, (r.var,))))
    zero = Literal(0.0, src.dtype)  # of no numbers the largest is -inf
    b.store(y, (0,), b.let("maximum", r.results[0], zero))
    return StepSpec(
        Code("largest", b.build()), [src, found], node, [], [found], [src], attrs={"n": src.count},
        sizes=(Symbol("n"),),
    )  # fmt: skip


class Bounds:
    """What is shown of the steps of a plan, while it is made.

    Parameters
    ----------
    steps : sequence of StepSpec
    of : callable
        Where a value lives.
    commits : mapping
        The variable whose new value a value is.
    """

    def __init__(
        self, steps: Sequence[StepSpec], of: Callable[[Value], Buf], commits: Mapping[Value, str]
    ) -> None:
        self.of = of
        self.commits = commits
        self.makers: dict[Buf, list[StepSpec]] = {}
        self.parts: dict[Node, int] = {}
        for s in steps:
            if s.calls and s.code.name != "copy":
                self.parts[s.node] = self.parts.get(s.node, 0) + 1
            for b in s.binds if s.label else s.writes:
                self.makers.setdefault(b, []).append(s)
        self.proofs: dict[StepSpec, tuple[Proof, list[Interval | str]] | None] = {}

    def holds(self, s: StepSpec) -> bool:
        """Whether a step makes finite numbers of small ones."""
        if s not in self.proofs:
            self.proofs[s] = self._proof(s)
        return self.proofs[s] is not None

    def _proof(self, s: StepSpec) -> tuple[Proof, list[Interval | str]] | None:
        body = s.node.attrs.get("body")
        if body is None or s.code.native is not None or self.parts.get(s.node) != 1:
            return None
        given = [self._given(self.of(v)) for v in s.node.inputs]
        if None in given:
            return None
        known = [x for x in given if x is not None]
        proof = prove(body, known, [self.commits.get(v) for v in s.node.outputs])
        return None if proof is None else (proof, known)

    def _given(self, b: Buf) -> Interval | str | None:
        """Where the numbers of an operand are; its name, if it is a variable."""
        if b.kind == "var":
            return b.name if b.dtype.kind == "f" else whole(b.dtype)
        if b.dtype.kind != "f":
            return whole(b.dtype)
        if b.kind == "const":
            a = np.asarray(b.data, np.float64)
            return (float(a.min()), float(a.max())) if a.size else (0.0, 0.0)
        return ANY if b.kind == "feed" or self._looked(b) else None

    def _looked(self, b: Buf) -> bool:
        """Whether all kernels that write a buffer look at what they write."""
        makers = self.makers.get(b, ())
        return bool(makers) and not b.inner and all(
            s.calls and s.code.native is None and s.code.name != "copy" for s in makers
        )  # fmt: skip

    def guard(self, steps: Sequence[StepSpec]) -> tuple[Guard, list[Buf]]:
        """What must hold for the steps that change variables in place, and what is to look at."""
        guard, feeds = Guard(), dict[Buf, None]()
        for s in steps:
            found = self.proofs.get(s) if s.commit else None
            if found is None:
                continue
            proof, given = found
            for v in given:
                if isinstance(v, str):
                    least = max(guard.needs.get(v, ANY[0]), proof.least.get(v, ANY[0]))
                    guard.needs[v] = least
            for new, (low, _) in zip(s.node.outputs, proof.outputs, strict=True):
                if new in self.commits:
                    guard.leaves[self.commits[new]] = max(low, ANY[0])
            guard.terms += proof.terms
            guard.reads.update(s.reads)
            feeds.update(dict.fromkeys(b for b in s.reads if b.kind == "feed"))
        return guard, [b for b in feeds if b.dtype.kind == "f"]
