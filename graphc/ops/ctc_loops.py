"""The sums over paths of CTC's loss: native code that the host's op calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Kernel, Operand, lit, scratch_stride
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.node import Node, Value
from graphc.ops.conv_windows import known_shape
from graphc.ops.lowering import Site
from graphc.ops.record import Attrs, Op, Types

__all__ = ["paths_op"]

f32, f64, i32, i64 = dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64
truth = dtypes.bool_
NONE = lit(-np.inf, f64)


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape = known_shape(inputs[0])
    return [(f64, (shape[1],)), (f32, shape)]


class _Sums:
    """What one example's loops are made of: logarithms of probabilities, -inf for none."""

    def __init__(self, k: KernelBuilder) -> None:
        self.k = k

    def test(self, op: str, *operands: Operand) -> KernelValue:
        return self.k.let(op, *operands, dtype=truth)

    def less(self, a: Dim, b: Dim) -> KernelValue:
        return self.test("less", self.k.index(a), self.k.index(b))

    def index(self, v: Operand) -> Dim:
        wide = self.k.cast(v, i64)
        assert isinstance(wide, KernelValue)
        return wide.index

    def plus(self, a: Operand, b: Operand) -> KernelValue:
        return self.k.let("add", a, b)

    def minus(self, a: Operand, b: Operand) -> KernelValue:
        return self.k.let("subtract", a, b)

    def either(self, *terms: Operand) -> KernelValue:
        """The logarithm of a sum."""
        k = self.k
        most: Operand = terms[0]
        for x in terms[1:]:
            most = k.let("maximum", most, x)
        most = k.select(self.test("equal", most, NONE), lit(0, f64), most)
        total: Any = None
        for x in terms:
            part = k.let("exp", self.minus(x, most))
            total = part if total is None else self.plus(total, part)
        return self.plus(most, k.let("log", total))


class _Paths(_Sums):
    """The kernel: each example on its own, forward and then back over its steps."""

    def __init__(self, steps: Dim, batch: Dim, classes: Dim, width: Dim) -> None:
        k = KernelBuilder("ctc_paths")
        super().__init__(k)
        self.steps, self.batch, self.classes, self.width = steps, batch, classes, width
        self.x = k.input("x", f32, (steps, batch, classes))
        self.spoken = k.input("classes", i32, (batch, width))
        self.counts, self.lengths = (k.input(name, i32, (batch,)) for name in ("counts", "lengths"))
        self.stays, self.skips = (
            k.input(name, truth, (batch, width)) for name in ("stays", "skips")
        )
        self.said = k.scratch("said", f64, (steps, width))
        self.alpha = k.scratch("alpha", f64, (steps, width))
        self.beta = k.scratch("beta", f64, (2, width))
        self.norms, self.row = k.scratch("norms", f64, (steps,)), k.scratch("row", f64, (classes,))
        self.log_p = k.output("log_p", f64, (batch,))
        self.gradient = k.output("gradient", f32, (steps, batch, classes))

    def build(self) -> Kernel:
        k = self.k
        with k.loop("parallel", "b", self.batch) as b:
            length, count = (
                self.index(k.load(self.lengths, (b,))),
                self.index(k.load(self.counts, (b,))),
            )
            self.softmax(b, length)
            self.forward(b, length, count)
            whole = self.ended(length, count)
            k.store(self.log_p, (b,), whole)
            self.back(b, length, count, whole)
        return k.build()

    def softmax(self, b: Dim, length: Dim) -> None:
        """Logarithms of what softmax gives for the classes of the label."""
        k, x = self.k, self.x
        with k.loop("for", "t", length) as t:
            with k.reduce("vector", "i", self.classes) as r:
                r.yields(max=k.load(x, (t, b, r.var)))
            most = k.cast(r.results[0], f64)
            with k.reduce("vector", "j", self.classes) as r:
                r.yields(sum=k.let("exp", self.minus(k.cast(k.load(x, (t, b, r.var)), f64), most)))
            norm = self.plus(most, k.let("log", r.results[0]))
            k.store(self.norms, (t,), norm)
            with k.loop("vector", "w", self.width) as w:
                own = k.load(x, (t, b, self.index(k.load(self.spoken, (b, w)))))
                k.store(self.said, (t, w), self.minus(k.cast(own, f64), norm))

    def forward(self, b: Dim, length: Dim, count: Dim) -> None:
        """`alpha`: all beginnings of paths that are at a place of the label after a step."""
        k, alpha, said = self.k, self.alpha, self.said
        with k.loop("for", "first", D.minimum(length, 1)) as first:
            with k.loop("vector", "w", self.width) as w:
                begins = self.test("logical_and", self.less(w, 2), self.less(w, count))
                k.store(alpha, (first, w), k.select(begins, k.load(said, (first, w)), NONE))
        with k.loop("for", "u", length - 1) as u, k.loop("vector", "w", self.width) as w:
            stay, skip = k.load(self.stays, (b, w)), k.load(self.skips, (b, w))
            total = self.either(
                k.load(alpha, (u, w), stay, -np.inf),
                k.load(alpha, (u, w - 1), self.less(0, w), -np.inf),
                k.load(alpha, (u, w - 2), skip, -np.inf),
            )
            new = self.plus(total, k.load(said, (u + 1, w)))
            k.store(alpha, (u + 1, w), k.select(self.less(w, count), new, NONE))

    def ended(self, length: Dim, count: Dim) -> KernelValue:
        """All paths: those that end at the last class, or at the blank behind it."""
        k, alpha = self.k, self.alpha
        live = self.less(0, length)
        two = self.test("logical_and", live, self.less(1, count))
        whole = self.either(
            k.load(alpha, (length - 1, count - 1), live, -np.inf),
            k.load(alpha, (length - 1, count - 2), two, -np.inf),
        )
        silent = k.select(self.less(1, count), NONE, lit(0, f64))
        return k.select(live, whole, silent)

    def back(self, b: Dim, length: Dim, count: Dim, whole: KernelValue) -> None:
        """`beta`: all ends of paths from a place on, of two steps in turns; the gradient."""
        k, alpha, beta, row = self.k, self.alpha, self.beta, self.row
        sure = self.test("is_finite", whole)
        with k.loop("vector", "w", self.width) as w:
            ends = self.test("logical_and", self.less(count - 3, w), self.less(w, count))
            k.store(beta, (0, w), k.select(ends, lit(0, f64), NONE))
        with k.loop("for", "r", length) as back:
            step, side = length - 1 - back, back % 2
            norm = k.load(self.norms, (step,))
            with k.loop("vector", "i", self.classes) as i:
                x = k.cast(k.load(self.x, (step, b, i)), f64)
                k.store(row, (i,), k.let("exp", self.minus(x, norm)))
            with k.loop("vector", "w", self.width) as w:
                now = k.load(beta, (side, w))
                both = self.minus(self.plus(k.load(alpha, (step, w)), now), whole)
                share = k.select(sure, k.let("exp", both), lit(0, f64))
                k.store(alpha, (step, w), share)
                k.store(beta, (side, w), self.plus(now, k.load(self.said, (step, w))))
            with k.loop("for", "v", self.width) as v:
                at = self.index(k.load(self.spoken, (b, v)))
                k.store(row, (at,), self.minus(k.load(row, (at,)), k.load(alpha, (step, v))))
            with k.loop("vector", "i", self.classes) as i:
                k.store(self.gradient, (step, b, i), k.cast(k.load(row, (i,)), f32))
            self.before(b, side, count)
        with k.loop("for", "rest", self.steps - length) as rest:
            with k.loop("vector", "i", self.classes) as i:
                k.store(self.gradient, (length + rest, b, i), lit(0, f32))

    def before(self, b: Dim, side: Dim, count: Dim) -> None:
        """`beta` of the step before, on the other side."""
        k, beta, width = self.k, self.beta, self.width
        with k.loop("vector", "w", width) as w:
            stay, one = k.load(self.stays, (b, w)), self.less(w + 1, width)
            skip = k.load(self.skips, (b, w + 2), self.less(w + 2, width))
            total = self.either(
                k.load(beta, (side, w), stay, -np.inf),
                k.load(beta, (side, w + 1), one, -np.inf),
                k.load(beta, (side, w + 2), skip, -np.inf),
            )
            k.store(beta, (1 - side, w), k.select(self.less(w, count), total, NONE))


def _lower(n: Node, s: Site) -> None:
    steps, batch, classes = known_shape(n.inputs[0])
    paths = _Paths(steps, batch, classes, known_shape(n.inputs[1])[1])
    buffers = [paths.said, paths.alpha, paths.beta, paths.norms, paths.row]
    scratch = [s.scratch(scratch_stride(a), f64) for a in buffers]
    s.step(paths.build(), [*(s.input(i) for i in range(6)), *scratch, s.output(0), s.output(1)])


paths_op = Op(
    name="ctc_paths", tf="CTCPaths", family="structured", infer=_infer, lower=_lower, types="fib",
    doc="The logarithm of the probability of all paths, and the gradient of its negative.",
    args=("x", "classes", "counts", "lengths", "stays", "skips"),
)  # fmt: skip
