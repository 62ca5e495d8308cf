"""Kernels that write a result into an element of an array: what `array_set` would copy there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.kernel import (
    Buffer,
    Kernel,
    Let,
    Load,
    Loop,
    Reduce,
    Repeat,
    Scan,
    Stmt,
    Store,
    bodies,
)
from graphc.ir.kernel import Value as KernelValue
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.kernel_verify import verify
from graphc.ir.node import Value
from graphc.passes.groups import is_pointwise

__all__ = ["into_slot", "reads_element_only", "within_kernel"]


def into_slot(k: Kernel, name: str, index: DType, rows: Dim, keep: bool) -> Kernel | None:
    """`k` storing what it stores to its result `name` also in row ``index[]`` of an array.

    The kernel gets two more parameters, the index and the array of `rows` rows; without `keep` the
    result itself is stored no more and its parameter is gone. None where that cannot be done.
    """
    p = k.buffer(name)
    if p.direction != "out" or not all(_plain(s, name) for s in _all(k.body)):
        return None
    word = f"slot{len(k.params)}"
    at = Load(f"{word}_at", f"{word}_i", (), index)
    wide = Let(f"{word}_row", "cast", (at.value,), dtypes.int64)
    array = Buffer(word, p.dtype, (rows, *p.shape), "inout")
    body = _stored(k.body, name, word, wide.value.index, keep)
    params = [q for q in k.params if keep or q.name != name]
    sizes = dict.fromkeys(k.sizes)
    if isinstance(rows, Expr):
        sizes.update(dict.fromkeys(sorted(rows.symbols(), key=str)))
    made = Kernel(
        k.name, (*params, Buffer(f"{word}_i", index, ()), array), tuple(sizes),
        (at, wide, *body), k.cost, k.origins,
    )  # fmt: skip
    verify(made)
    return made


def _all(body: Sequence[Stmt]) -> list[Stmt]:
    out: list[Stmt] = []
    for s in body:
        out.append(s)
        for inner in bodies(s):
            out += _all(inner)
    return out


def _plain(s: Stmt, name: str) -> bool:
    """Whether `s` does nothing with the buffer, or sets elements of it."""
    if isinstance(s, Store):
        return s.buf != name or s.mode == "set"
    if isinstance(s, Load):
        return s.buf != name
    return isinstance(s, (Loop, Reduce, Scan, Repeat)) or not hasattr(s, "buffers")


def _stored(body: Sequence[Stmt], name: str, array: str, row: Expr, keep: bool) -> tuple[Stmt, ...]:
    out: list[Stmt] = []

    def inner(b: Sequence[Stmt]) -> tuple[Stmt, ...]:
        return _stored(b, name, array, row, keep)

    for s in body:
        if isinstance(s, Store) and s.buf == name:
            if keep:
                out.append(s)
            out.append(replace(s, buf=array, index=(row, *s.index)))
        elif isinstance(s, (Loop, Reduce)):
            out.append(replace(s, body=inner(s.body)))
        elif isinstance(s, Scan):
            out.append(replace(s, body=inner(s.body), tail=inner(s.tail)))
        elif isinstance(s, Repeat):
            out.append(replace(s, head=inner(s.head), body=inner(s.body)))
        else:
            out.append(s)
    return tuple(out)


def within_kernel(index: DType, rows: Dim) -> Kernel:
    """Fails where an index is outside of [0, rows)."""
    k = KernelBuilder("within")
    x = k.cast(k.load(k.input("index", index, ()), ()), dtypes.int64)
    assert isinstance(x, KernelValue)
    low = k.let("greater_equal", x, k.index(0), dtype=dtypes.bool_)
    high = k.let("less", x, k.index(rows), dtype=dtypes.bool_)
    k.check(k.let("logical_and", low, high, dtype=dtypes.bool_), 1, x.index)
    return k.build()


def reads_element_only(body: Graph, array: Value, index: Value, like: Value) -> bool:
    """Whether a fused body reads `array` at `index` alone, and each element where it is used.

    So the body may write the same element of the same array.
    """
    nodes = body.nodes()
    gets = [n for n in nodes if array in n.inputs]
    for n in gets:
        if n.op.name != "gather" or n.inputs != (array, index) or n.attrs.get("axis") != 0:
            return False
        out = n.outputs[0]
        if out.static_shape != like.static_shape:
            return False
        users = [m for m in nodes if out in m.inputs]
        if not all(is_pointwise(m) for m in users):
            return False
    # what is made of the element must stay at its place
    made = {n.outputs[0] for n in gets}
    for n in nodes:
        if not made.isdisjoint(n.inputs):
            if not is_pointwise(n) or n.outputs[0].static_shape != like.static_shape:
                return False
            made.add(n.outputs[0])
    return array not in body.outputs
