"""How much a kernel does: floating point operations and bytes, counted from its loops.

Every elementwise operation on floats is one, whatever it costs (so does TensorFlow's profiler); a
multiply-add of a matrix product or a convolution is two. Moved is each buffer once, as far as
the kernel touches it: once for reading and once more for writing where it does both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.ir import dims as D
from graphc.ir import kernel as K
from graphc.ir.dims import Dim, Symbol

__all__ = ["Work", "kernel_work"]

#: Steps that compute nothing.
_FREE = frozenset({"cast", "select", "const", "index", "identity", "bitcast"})


class Work(NamedTuple):
    """What one call does."""

    flops: int
    bytes: int


class _Count:
    def __init__(self, env: Mapping[Symbol, int]) -> None:
        self.env: dict[Symbol, int] = dict(env)
        self.flops = 0.0
        self.touched: dict[str, float] = {}  # elements of each buffer, repeats included

    def size(self, d: Dim, unknown: int = 1) -> int:
        """A size; what only data decides is `unknown`."""
        if type(d) is int:
            return d
        try:
            return max(0, D.evaluate(d, self.env))
        except KeyError:
            return unknown

    def body(self, stmts: Sequence[K.Stmt], times: float) -> None:
        for s in stmts:
            if isinstance(s, K.Let) and s.op == "index":
                self.env[Symbol("%" + s.name)] = self.size(s.expr)
            elif isinstance(s, K.Let):
                if s.op not in _FREE and _float(*s.args):
                    self.flops += times * (2 if s.op == "fma" else 1)
            elif isinstance(s, (K.Load, K.Store)):
                self.touched[s.buf] = self.touched.get(s.buf, 0) + times
            elif isinstance(s, (K.Loop, K.Reduce, K.Scan)):
                self.loop(s, times)
            elif isinstance(s, K.Repeat):  # one round: nobody knows how many there are
                self.body(s.head, times)
                self.body(s.body, times)
            elif isinstance(s, K.Template):
                self.template(s)

    def loop(self, s: K.Loop | K.Reduce | K.Scan, times: float) -> None:
        n = self.size(s.extent)
        self.env[Symbol(s.var)] = max(0, n - 1) // 2  # what depends on it: in the middle
        self.body(s.body, times * n)
        if not isinstance(s, K.Loop):
            self.flops += times * n * sum(_float(v) for v in s.values)
        if isinstance(s, K.Scan):
            self.body(s.tail, times * n)

    def template(self, s: K.Template) -> None:
        """All units of code that is no loops."""
        for name in s.buffers:
            self.touched[name] = math.inf
        results = 0.0
        size = [self.size(d) for d in s.sizes]
        a: dict[str, Any] = dict(s.attrs)
        if s.kind == "gemm":
            results = math.prod(size[:3])
            self.flops += 2.0 * math.prod(size)
        elif s.kind == "conv":
            results = size[1] * math.prod(size[8:11]) * a["columns"] * a["groups"]
            self.flops += 2.0 * results * math.prod(a["kernel"]) * a["channels"]
        elif s.kind == "conv_taps":
            results = size[1] * math.prod(size[5:8]) * a["columns"]
            places = size[1] * math.prod(size[2:5]) * math.prod(a["kernel"])
            self.flops += 2.0 * places * a["columns"] * size[14]
        elif s.kind == "winograd":
            tiles = size[1] * math.prod(-(-n // a["side"]) for n in size[9:11])
            results = size[1] * math.prod(size[8:11]) * a["columns"]
            self.flops += 2.0 * tiles * 36 * a["channels"] * a["columns"]
        elif s.kind == "winograd_sums":
            tiles = size[1] * math.prod(-(-n // a["side"]) for n in size[7:9])
            self.flops += 2.0 * tiles * 36 * a["channels"] * a["columns"]
        elif s.kind == "conv_filter":
            places = size[1] * math.prod(size[6:9]) * math.prod(a["kernel"])
            self.flops += 2.0 * places * a["channels"] * a["columns"] * a["groups"]
        elif s.kind == "depthwise":
            places = size[1] * math.prod(size[6:9]) * math.prod(a["kernel"])
            self.flops += 2.0 * places * a["channels"] * a["each"] * a["group"]
        elif s.kind == "sort_rows":
            self.flops += 64.0 * size[1] * size[2]
        if s.epilogue is not None:
            self.body(s.epilogue.body, results)


def _float(*operands: K.Operand) -> bool:
    return any(x.dtype.kind == "f" for x in operands)


def kernel_work(kernel: K.Kernel, env: Mapping[Symbol, int]) -> Work:
    """What a call of `kernel` with these sizes does.

    Parameters
    ----------
    kernel : Kernel
    env : mapping of Symbol to int
        The value of each of its sizes, and of the symbols in the shapes of its buffers.
    """
    count = _Count(env)
    count.body(kernel.body, 1.0)
    moved = 0.0
    for p in kernel.params:
        if p.direction == "scratch":
            continue
        elements = min(count.touched.get(p.name, 0.0), count.size(D.product(p.shape)))
        moved += elements * p.dtype.size * (2 if p.direction == "inout" else 1)
    return Work(int(count.flops), int(moved))
