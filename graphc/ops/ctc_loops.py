"""The sums over paths of CTC's loss: native code that the host's op calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim
from graphc.ir.kernel import Operand, lit, scratch_stride
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


def _lower(n: Node, s: Site) -> None:
    steps, batch, classes = known_shape(n.inputs[0])
    width = known_shape(n.inputs[1])[1]
    k = KernelBuilder("ctc_paths")
    c = _Sums(k)
    x = k.input("x", f32, (steps, batch, classes))
    spoken = k.input("classes", i32, (batch, width))
    counts, lengths = (k.input(name, i32, (batch,)) for name in ("counts", "lengths"))
    stays, skips = (k.input(name, truth, (batch, width)) for name in ("stays", "skips"))
    said = k.scratch("said", f64, (steps, width))
    alpha = k.scratch("alpha", f64, (steps, width))
    beta = k.scratch("beta", f64, (2, width))
    norms, row = k.scratch("norms", f64, (steps,)), k.scratch("row", f64, (classes,))
    log_p, gradient = (
        k.output("log_p", f64, (batch,)),
        k.output("gradient", f32, (steps, batch, classes)),
    )
    with k.loop("parallel", "b", batch) as b:
        length, count = c.index(k.load(lengths, (b,))), c.index(k.load(counts, (b,)))

        def inside(w: Dim) -> KernelValue:
            return c.less(w, count)

        with k.loop("for", "t", length) as t:  # logarithms of what softmax gives
            with k.reduce("vector", "i", classes) as r:
                r.yields(max=k.load(x, (t, b, r.var)))
            most = k.cast(r.results[0], f64)
            with k.reduce("vector", "j", classes) as r:
                r.yields(sum=k.let("exp", c.minus(k.cast(k.load(x, (t, b, r.var)), f64), most)))
            norm = c.plus(most, k.let("log", r.results[0]))
            k.store(norms, (t,), norm)
            with k.loop("vector", "w", width) as w:
                own = k.load(x, (t, b, c.index(k.load(spoken, (b, w)))))
                k.store(said, (t, w), c.minus(k.cast(own, f64), norm))
        with k.loop("for", "first", D.minimum(length, 1)) as first:
            with k.loop("vector", "w", width) as w:
                begins = c.test("logical_and", c.less(w, 2), inside(w))
                k.store(alpha, (first, w), k.select(begins, k.load(said, (first, w)), NONE))
        with k.loop("for", "u", length - 1) as u, k.loop("vector", "w", width) as w:
            stay, skip = k.load(stays, (b, w)), k.load(skips, (b, w))
            total = c.either(
                k.load(alpha, (u, w), stay, -np.inf),
                k.load(alpha, (u, w - 1), c.less(0, w), -np.inf),
                k.load(alpha, (u, w - 2), skip, -np.inf),
            )
            new = c.plus(total, k.load(said, (u + 1, w)))
            k.store(alpha, (u + 1, w), k.select(inside(w), new, NONE))
        live = c.less(0, length)
        two = c.test("logical_and", live, c.less(1, count))
        whole = c.either(
            k.load(alpha, (length - 1, count - 1), live, -np.inf),
            k.load(alpha, (length - 1, count - 2), two, -np.inf),
        )
        silent = k.select(c.less(1, count), NONE, lit(0, f64))
        whole = k.select(live, whole, silent)
        k.store(log_p, (b,), whole)
        sure = c.test("is_finite", whole)
        with k.loop("vector", "w", width) as w:
            ends = c.test("logical_and", c.less(count - 3, w), inside(w))
            k.store(beta, (0, w), k.select(ends, lit(0, f64), NONE))
        with k.loop("for", "r", length) as back:
            step, side = length - 1 - back, back % 2
            norm = k.load(norms, (step,))
            with k.loop("vector", "i", classes) as i:
                k.store(
                    row, (i,), k.let("exp", c.minus(k.cast(k.load(x, (step, b, i)), f64), norm))
                )
            with k.loop("vector", "w", width) as w:
                now = k.load(beta, (side, w))
                both = c.minus(c.plus(k.load(alpha, (step, w)), now), whole)
                share = k.select(sure, k.let("exp", both), lit(0, f64))
                k.store(alpha, (step, w), share)
                k.store(beta, (side, w), c.plus(now, k.load(said, (step, w))))
            with k.loop("for", "v", width) as v:
                at = c.index(k.load(spoken, (b, v)))
                k.store(row, (at,), c.minus(k.load(row, (at,)), k.load(alpha, (step, v))))
            with k.loop("vector", "i", classes) as i:
                k.store(gradient, (step, b, i), k.cast(k.load(row, (i,)), f32))
            with k.loop("vector", "w", width) as w:
                stay, one = k.load(stays, (b, w)), c.less(w + 1, width)
                skip = k.load(skips, (b, w + 2), c.less(w + 2, width))
                total = c.either(
                    k.load(beta, (side, w), stay, -np.inf),
                    k.load(beta, (side, w + 1), one, -np.inf),
                    k.load(beta, (side, w + 2), skip, -np.inf),
                )
                k.store(beta, (1 - side, w), k.select(inside(w), total, NONE))
        with k.loop("for", "rest", steps - length) as rest:
            with k.loop("vector", "i", classes) as i:
                k.store(gradient, (length + rest, b, i), lit(0, f32))
    buffers = [said, alpha, beta, norms, row]
    scratch = [s.scratch(scratch_stride(a), f64) for a in buffers]
    s.step(k.build(), [*(s.input(i) for i in range(6)), *scratch, s.output(0), s.output(1)])


paths_op = Op(
    name="ctc_paths", tf="CTCPaths", family="structured", infer=_infer, lower=_lower, types="fib",
    doc="The logarithm of the probability of all paths, and the gradient of its negative.",
    args=("x", "classes", "counts", "lengths", "stays", "skips"),
)  # fmt: skip
