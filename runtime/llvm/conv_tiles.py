"""What the kernels of convolutions share: vectors, blocks of registers, taps inside an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.kernel import Template
from graphc.runtime.llvm import pairs
from graphc.runtime.llvm.conv_forms import form_of
from graphc.runtime.llvm.emit import Fn
from graphc.runtime.llvm.values import V
from graphc.runtime.llvm.walk import Walk

__all__ = ["Tiles", "places_inside", "taps_inside"]


class Tiles:
    """What the templates share: the accumulator type, vectors, register blocks.

    A term is a product, or a pair of products where `pairs` is set.

    Attributes
    ----------
    stack : pointer
        The sums of a register block.
    """

    stack: Any

    def __init__(self, w: Walk, s: Template) -> None:
        self.walk = w
        self.fn: Fn = w.k
        self.s = s
        self.a = dict(s.attrs)
        self.size = [w.uniform(d) for d in s.sizes]
        self.buffers = [w.buffers[b] for b in s.buffers]
        self.pointers = [w.pointers[b] for b in s.buffers]
        self.dtype: DType = self.buffers[0].dtype
        self.acc = dtypes.float32 if self.dtype.code in ("f16", "bf16") else self.dtype
        self.form = form_of(self.acc)
        self.lanes, self.registers, self.fma, self.pairs = self.form
        self.pairs &= self.dtype.code == "bf16"

    def load(self, base: Any, at: V | int, lanes: int = 1, mask: V | None = None) -> V:
        """Elements of an operand in the accumulator's type."""
        return self.fn.cast(self.fn.load(base, at, self.dtype, lanes, mask), self.acc)

    def factors(self, base: Any, at: V, lanes: int, mask: V | None, more: V | None) -> V:
        """Factors of a term; the second ones of pairs are `more` behind, 0 without it."""
        if self.pairs:
            return pairs.across(self.fn, base, at, lanes, mask, more)
        return self.load(base, at, lanes, mask)

    def term(self, x: V, y: V, z: V) -> V:
        """Sums `z` with a term of `factors`."""
        return pairs.mul_add(self.fn, x, y, z) if self.pairs else self.mul_add(x, y, z)

    def terms(
        self, low: V | int, high: V, sums: list[V], add: Callable[[V, list[V], bool], list[V]]
    ) -> list[V]:
        """`sums` with the terms of ``add(first, sums, whole)`` from `low` to `high`.

        The last of an odd number is half of a pair.
        """
        fn = self.fn
        stop = high - ((high - low) & 1) if self.pairs else high
        with fn.loop(low, stop, 2 if self.pairs else 1, carry=sums) as e:
            e.next(add(e.i, e.carry, True))
        if not self.pairs:
            return e.results
        return fn.choose(stop < high, lambda: add(stop, e.results, False), lambda: e.results)

    def mul_add(self, x: V, y: V, z: V) -> V:
        return self.fn.fma(x, y, z) if self.fma else z + x * y

    def mad(self, x: V, k: float, z: V) -> V:
        """``x*k + z`` for a number."""
        return self.mul_add(x, self.fn.const(k, self.acc, self.lanes), z)

    def mask(self, left: V) -> V:
        """Lanes below `left`."""
        fn, lanes = self.fn, self.lanes
        top = fn.cast(fn.minimum(left, lanes), dtypes.int32)
        return fn.lane_ids(lanes, dtypes.int32) < fn.splat(top, lanes)

    def zeros(self, n: int) -> list[V]:
        return [self.fn.const(0, self.acc, self.lanes)] * n

    def widest(self, rows: int) -> int:
        """Vectors of the widest register block of so many rows: sums and a row of the filter."""
        registers = 31 if self.registers == 32 else 15
        return max(1, min(4, registers // (rows + 1)))

    def add_to(self, cells: Sequence[int], sums: Sequence[V]) -> None:
        """Add vectors to those on the stack."""
        for i, x in zip(cells, sums, strict=True):
            old = self.fn.load(self.stack, i, self.acc, self.lanes)
            self.fn.store(self.stack, i, old + x)

    def counted(self, columns: V, blocks: Sequence[int]) -> tuple[V, V]:
        """How many blocks `columns` take, and how many of these are of the wider size."""
        fn, wide, thin = self.fn, max(blocks), min(blocks)
        vectors = fn.udiv_index(columns + (self.lanes - 1), fn.index(self.lanes))
        count = fn.udiv_index(vectors + (wide - 1), fn.index(wide))
        return count, count if wide == thin else vectors - count * thin

    def block_loops(self, blocks: list[int]) -> Iterator[tuple[int, V]]:
        """Loops over blocks of two sizes, the larger ones first: the size, and what is before."""
        at = 0
        for size in sorted(set(blocks), reverse=True):
            many = blocks.count(size)
            with self.fn.loop(0, many) as j:
                yield size, j.i * size + at
            at += many * size


def taps_inside(
    fn: Fn, q: V, pad: V, size: V, taps: int, stride: int, dilation: int
) -> tuple[V, V]:
    """The taps of an axis that lie inside the image for place `q` of the results."""
    low = fn.maximum(pad - q * stride, 0)
    high = fn.maximum(size + pad - q * stride, 0)
    if dilation > 1:
        low = fn.udiv_index(low + (dilation - 1), fn.index(dilation))
        high = fn.udiv_index(high + (dilation - 1), fn.index(dilation))
    return fn.minimum(low, taps), fn.minimum(high, taps)


def places_inside(fn: Fn, offset: V, size: V, made: V, stride: int) -> tuple[V, V]:
    """The places of an axis of `made` results that see the image under a tap.

    Place 0 sees what lies `offset` before the image's first element.
    """
    low, high = fn.maximum(offset, 0), fn.maximum(size + offset, 0)
    if stride > 1:
        low = fn.udiv_index(low + (stride - 1), fn.index(stride))
        high = fn.udiv_index(high + (stride - 1), fn.index(stride))
    return fn.minimum(low, made), fn.minimum(high, made)
