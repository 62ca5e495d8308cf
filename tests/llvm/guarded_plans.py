"""Plans of one op on arrays between guard pages, run kernel by kernel."""

from __future__ import annotations

import ctypes
import functools
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import build, dtypes
from graphc.ir import dims as D
from graphc.ir.graph import Graph
from graphc.ops.pure import input_op
from graphc.ops.record import Op
from graphc.passes.fuse import fuse
from graphc.runtime.common import common
from graphc.runtime.llvm import codegen
from graphc.runtime.llvm.jit import compile_kernels
from graphc.runtime.llvm.kernel_options import Options
from graphc.runtime.llvm.walk import emit_kernel
from graphc.runtime.plan import Plan, make_plan

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
Array = np.ndarray[Any, Any]


def guarded(like: Array, high: bool) -> Array:
    """A copy that ends (`high`) or begins at a page that faults."""
    pages = -(-max(like.nbytes, 1) // PAGE)
    m = mmap.mmap(-1, (pages + 2) * PAGE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(m))
    for at in (base, base + (pages + 1) * PAGE):
        assert LIBC.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(PAGE), 0) == 0
    start = PAGE + (pages * PAGE - like.nbytes if high else 0)
    a = np.frombuffer(m, like.dtype, like.size, start).reshape(like.shape)
    a[...] = like
    return a


def type_of(a: Array) -> dtypes.DType:
    """What an array holds: 16 bits are of bfloat16, which numpy does not have."""
    return dtypes.bfloat16 if a.dtype == np.uint16 else dtypes.as_dtype(a.dtype)


def plan_of(op: Op, arrays: Sequence[Array], attrs: dict[str, Any], known: bool) -> Plan:
    """The plan of one op; without `known` the batch is a run-time size."""
    shapes: list[Any] = [a.shape for a in arrays]
    env: dict[D.Symbol, int] = {}
    if not known:
        n = arrays[1 if op.name.endswith("_input") else 0].shape[0]
        env[D.Symbol("b")] = n
        b = D.Expr.symbol("b")
        which = {"input": (1,), "filter": (0, 1)}.get(op.name.partition("_")[2], (0,))
        shapes = [(b, *s[1:]) if i in which else s for i, s in enumerate(shapes)]
    facts = D.Facts(env)
    with D.assuming(facts), build.use(build.Rewriter()):
        inputs = [
            build.build(
                input_op, (),
                {"index": i, "dtype": type_of(a), "shape": tuple(s)}, f"x{i}",
            ).outputs[0]
            for i, (a, s) in enumerate(zip(arrays, shapes, strict=True))
        ]  # fmt: skip
        y = build.build(op, inputs, attrs).outputs[0]
    return make_plan(fuse(Graph((y,), (), tuple(inputs), "main", facts)))


@functools.cache
def _compiled(text: str, level: str, kernel: Any) -> Any:
    def emit(module: Any) -> None:
        emit_kernel(module, kernel, "kernel", codegen.scalar_table(), codegen.templates())

    c = compile_kernels({text: emit}, Options(level=level, opt=2, cache_dir=""))[text]
    i64 = ctypes.c_int64
    return c.function(ctypes.c_int32, ctypes.c_void_p, i64, i64, i64, name="kernel")


def run(
    op: Op, arrays: Sequence[Array], attrs: dict[str, Any], out: Sequence[int], *,
    level: str = "", high: bool = True, known: bool = True, parts: int = 1,
) -> Array:  # fmt: skip
    """The op's kernels on guarded copies of `arrays`, their units cut in `parts`."""
    p = plan_of(op, arrays, attrs, known)
    made: dict[int, Array] = {}
    y = guarded(np.full(out, 77, arrays[0].dtype), high)

    def buffer(b: Any) -> Array:
        if b.kind == "out":
            return y
        a = made.get(id(b))
        if a is None:
            if b.kind == "feed":
                a = guarded(arrays[b.index], high)
            elif b.kind == "scratch":
                stride = D.evaluate(b.data, p.facts.env)
                a = guarded(np.full(stride * parts, 255, np.uint8), high)
            else:
                n = D.evaluate(b.count, p.facts.env)
                like = np.full(n, 0x7FC0, np.uint16) if b.dtype.code == "bf16" else None
                a = guarded(np.full(n, np.nan, b.dtype.np) if like is None else like, high)
            made[id(b)] = a
        return a

    for s in p.steps:
        k, numbers = common(s.code.kernel)
        f = _compiled(codegen.kernel_key(k), level, k)
        symbols = [D.Expr.symbol(x.name) for x in s.code.kernel.sizes]
        sizes = [D.evaluate(d, p.facts.env) for d in (*symbols, *numbers)]
        words = np.array([0, *(buffer(b).ctypes.data for b in s.binds), *sizes], np.int64)
        units = D.evaluate(s.code.kernel.units, p.facts.env)
        cuts = [units * i // parts for i in range(parts + 1)]
        for i in range(parts):
            assert f(words.ctypes.data, cuts[i], cuts[i + 1], i) == 0
    return y
