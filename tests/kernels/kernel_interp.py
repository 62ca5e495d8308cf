"""What a kernel means: its statements run as plain Python loops, one element at a time.

Slow, and simple enough to believe: native code is tested against it. Float sums are exact
before one rounding (native sums have a fixed order and an error bound instead).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import kernel as K
from graphc.ir.dims import Dim, Symbol, evaluate
from graphc.ir.dtypes import DType

__all__ = ["Interpreter", "bf16_decode", "bf16_encode", "run_kernel"]

ScalarTable = Mapping[str, Callable[..., Any]]
TemplateTable = Mapping[str, Callable[["Interpreter", K.Template], None]]


class _Failed(Exception):
    """A check that failed."""


def run_kernel(
    kernel: K.Kernel,
    buffers: Mapping[str, Any],
    sizes: Mapping[str, int],
    scalar: ScalarTable,
    *,
    templates: TemplateTable | None = None,
    units: tuple[int, int] | None = None,
) -> tuple[int, int]:
    """Run units [begin, end) (all by default) on arrays; the status code and failed position.

    Parameters
    ----------
    buffers : mapping
        An array for each parameter, as in memory (bfloat16 as uint16); outputs are filled.
    sizes : mapping
        The values of the kernel's sizes, by name.
    scalar : mapping
        For each op name, ``f(*args, **attrs)`` on numpy scalars.
    """
    it = Interpreter(kernel, buffers, sizes, scalar, templates or {})
    first, last = units or (0, evaluate(kernel.units, it.symbols))
    try:
        with np.errstate(all="ignore"):
            it.run(first, last)
    except _Failed as e:
        code, position = e.args
        return code, position
    return 0, 0


class Interpreter:
    """The state of one run: arrays, values by name, symbols."""

    def __init__(
        self,
        kernel: K.Kernel,
        buffers: Mapping[str, Any],
        sizes: Mapping[str, int],
        scalar: ScalarTable,
        templates: TemplateTable,
    ) -> None:
        self.kernel = kernel
        self.scalar = scalar
        self.templates = templates
        self.symbols = {s: int(sizes[s.name]) for s in kernel.sizes}
        self.values: dict[str, Any] = {}
        self.buffers: dict[str, K.Buffer] = {p.name: p for p in kernel.params}
        self.arrays: dict[str, Any] = {}
        for p in kernel.params:
            shape = tuple(evaluate(d, self.symbols) for d in p.shape)
            a = np.asarray(buffers[p.name])
            if a.shape != shape or a.itemsize != p.dtype.size:
                raise ValueError(f"{p.name} is {a.dtype}{a.shape}, not {p.dtype.code}{shape}")
            self.arrays[p.name] = a

    def run(self, begin: int, end: int) -> None:
        loop = self.kernel.parallel
        if loop is None:
            if begin <= 0 < end:
                self.body(self.kernel.body)
            return
        if begin >= end:
            return
        self.body(self.kernel.body[:-1])
        if loop.kind == "parallel vector":
            block = loop.block or K.BLOCK
            begin, end = begin * block, min(end * block, self.dim(loop.extent))
        self.iterate(loop.var, range(begin, end), loop.body)

    def iterate(self, var: str, values: range, body: Sequence[K.Stmt]) -> None:
        for i in values:
            self.symbols[Symbol(var)] = i
            self.body(body)

    def body(self, body: Sequence[K.Stmt]) -> None:
        for s in body:
            _RUN[type(s)](self, s)

    def dim(self, d: Dim) -> int:
        return evaluate(d, self.symbols)

    def define(self, v: K.Value, x: Any) -> None:
        self.values[v.name] = x
        if v.dtype.code == "i64":
            self.symbols[Symbol("%" + v.name)] = int(x)

    def operand(self, o: K.Operand) -> Any:
        return typed(o.value, o.dtype) if isinstance(o, K.Literal) else self.values[o.name]

    # statements

    def loop(self, s: K.Loop) -> None:
        self.iterate(s.var, range(self.dim(s.extent)), s.body)

    def let(self, s: K.Let) -> None:
        args = [self.operand(a) for a in s.args]
        if s.op == "index":
            x: Any = self.dim(s.expr)
        elif s.op == "select":
            x = args[1] if args[0] else args[2]
        elif s.op == "cast":
            x = cast(args[0], s.dtype)
        elif s.op == "const":
            x = args[0]
        else:
            x = self.scalar[s.op](*args, **dict(s.attrs))
        self.define(s.value, typed(x, s.dtype))

    def place(self, s: K.Load | K.Store) -> tuple[int, ...]:
        """The index into the array, from the element number (as native code computes it)."""
        at = 0
        shape = self.arrays[s.buf].shape
        for size, d in zip(shape, s.index, strict=True):
            at = at * size + self.dim(d)
        if not 0 <= at < max(self.arrays[s.buf].size, 0):
            raise IndexError(f"{s.buf}{list(s.index)} is element {at} of {shape}")
        return tuple(int(i) for i in np.unravel_index(at, shape)) if shape else ()

    def load(self, s: K.Load) -> None:
        if s.where is not None and not self.operand(s.where):
            self.define(s.value, typed(s.other, s.dtype))
            return
        x = self.arrays[s.buf][self.place(s)]
        self.define(s.value, bf16_decode(x) if s.dtype.code == "bf16" else typed(x, s.dtype))

    def store(self, s: K.Store) -> None:
        if s.where is not None and not self.operand(s.where):
            return
        x, a, at = self.operand(s.value), self.arrays[s.buf], self.place(s)
        bf16 = s.value.dtype.code == "bf16"
        if s.mode == "add":
            x = typed((bf16_decode(a[at]) if bf16 else a[at]) + x, s.value.dtype)
        a[at] = bf16_encode(x) if bf16 else x

    def check(self, s: K.Check) -> None:
        if not self.operand(s.value):
            raise _Failed(s.code, self.dim(s.position))

    def alloc(self, s: K.Alloc) -> None:
        shape = tuple(self.dim(d) for d in s.buffer.shape)
        np_type = np.uint16 if s.buffer.dtype.code == "bf16" else s.buffer.dtype.np
        self.buffers[s.buffer.name] = s.buffer
        self.arrays[s.buffer.name] = np.zeros(shape, np_type)

    def reduce(self, s: K.Reduce) -> None:
        seen: list[list[Any]] = [[] for _ in s.names]
        n = self.dim(s.extent)
        for i in range(n):
            self.symbols[Symbol(s.var)] = i
            self.body(s.body)
            for xs, o in zip(seen, s.values, strict=True):
                xs.append(self.operand(o))
        for v, kind, xs, o in zip(s.results, s.kinds, seen, s.values, strict=True):
            self.define(v, typed(reduced(kind, xs, o.dtype), v.dtype))

    def scan(self, s: K.Scan) -> None:
        carries = [
            identity(k, b.dtype) if o is None else self.operand(o)
            for k, b, o in zip(s.kinds, s.before, s.init, strict=True)
        ]
        for i in range(self.dim(s.extent)):
            self.symbols[Symbol(s.var)] = i
            for v, c in zip(s.before, carries, strict=True):
                self.define(v, c)
            self.body(s.body)
            xs = [self.operand(o) for o in s.values]
            carries = [
                typed(_COMBINE[k](c, x), b.dtype)
                for k, c, x, b in zip(s.kinds, carries, xs, s.before, strict=True)
            ]
            for v, c in zip(s.after, carries, strict=True):
                self.define(v, c)
            self.body(s.tail)
        for v, c in zip(s.results, carries, strict=True):
            self.define(v, c)

    def repeat(self, s: K.Repeat) -> None:
        carries = [self.operand(o) for o in s.init]
        rounds = 0
        while True:
            for v, c in zip(s.before, carries, strict=True):
                self.define(v, c)
            self.body(s.head)
            go = bool(self.operand(s.cond))
            if not go or rounds >= s.limit:
                break
            self.body(s.body)
            carries = [self.operand(o) for o in s.values]
            rounds += 1
        for v, c in zip(s.results, [*carries, go], strict=True):
            self.define(v, typed(c, v.dtype))

    def template(self, s: K.Template) -> None:
        self.templates[s.kind](self, s)

    def epilogue(self, e: K.Epilogue, params: Sequence[Any], vars: Sequence[int]) -> list[Any]:
        """The values of an epilogue for one element."""
        self.symbols.update((Symbol(n), i) for n, i in zip(e.vars, vars, strict=True))
        for p, x in zip(e.params, params, strict=True):
            self.define(p, typed(x, p.dtype))
        self.body(e.body)
        return [self.operand(o) for o in e.values]


# ------------------------------------------------------------------- scalars


def typed(x: Any, dtype: DType) -> Any:
    """`x` as a numpy scalar of `dtype` (bfloat16: a float32 that bfloat16 holds)."""
    if dtype.code == "bf16":
        return bf16_decode(bf16_encode(np.float32(x)))
    if dtype.kind in "iu" and isinstance(x, int):
        return np.array(x & (2 ** (8 * dtype.size) - 1), f"u{dtype.size}").view(dtype.np)[()]
    return dtype.np.type(x)


def cast(x: Any, dtype: DType) -> Any:
    """Conversion by the rules of the graph: floats to integers saturate, NaN becomes 0."""
    if dtype.kind in "iu" and isinstance(x, np.floating):
        if np.isnan(x):
            return 0
        return int(min(max(float(x), float(dtype.min)), float(dtype.max))) if np.isfinite(x) else (
            dtype.max if x > 0 else dtype.min
        )  # fmt: skip
    if dtype.kind in "iu":
        return int(x)
    return x != 0 if dtype.kind == "b" else x


def bf16_encode(x: Any) -> Any:
    """Float32 values as the uint16 bits of the nearest bfloat16, ties to even."""
    u = np.atleast_1d(np.asarray(x, np.float32)).view(np.uint32)
    r = (u + ((u >> 16) & 1) + np.uint32(0x7FFF)) >> 16
    r = np.where(np.isnan(x), (u >> 16) | 0x40, r).astype(np.uint16)
    return r.reshape(np.shape(x))[()]


def bf16_decode(u: Any) -> Any:
    """The float32 values of bfloat16 bits."""
    wide = np.atleast_1d(np.asarray(u)).astype(np.uint32) << 16
    return wide.view(np.float32).reshape(np.shape(u))[()]


_COMBINE: dict[str, Callable[[Any, Any], Any]] = {
    "sum": lambda a, b: a + b,
    "prod": lambda a, b: a * b,
    "max": np.maximum,
    "min": np.minimum,
    "any": lambda a, b: a | b,
    "all": lambda a, b: a & b,
    "last": lambda a, b: b,
}


def identity(kind: str, dtype: DType) -> Any:
    """The value of an empty reduction."""
    if kind in ("max", "min"):
        low, high = (-np.inf, np.inf) if dtype.kind == "f" else (dtype.min, dtype.max)
        return typed(low if kind == "max" else high, dtype)
    return typed(kind in ("prod", "all"), dtype)


def reduced(kind: str, xs: Sequence[Any], dtype: DType) -> Any:
    """The reduction of a list of scalars of `dtype`."""
    if kind.startswith("arg"):
        if not xs:
            return 0
        return int(np.argmax(xs) if kind == "argmax" else np.argmin(xs))
    if kind == "sum" and dtype.kind == "f":
        try:
            return math.fsum(map(float, xs))
        except (OverflowError, ValueError):  # infinities of both signs, or a sum that is one
            return sum(map(float, xs))
    out = identity(kind, dtype)
    for x in xs:
        out = typed(_COMBINE[kind](out, x), dtype)
    return out


_RUN: dict[type, Callable[[Interpreter, Any], None]] = {
    K.Let: Interpreter.let, K.Load: Interpreter.load, K.Store: Interpreter.store,
    K.Check: Interpreter.check, K.Alloc: Interpreter.alloc, K.Loop: Interpreter.loop,
    K.Reduce: Interpreter.reduce, K.Scan: Interpreter.scan, K.Repeat: Interpreter.repeat,
    K.Template: Interpreter.template,
}  # fmt: skip
