"""Small kernels of the native ABI, for the tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dtypes
from graphc.runtime.llvm.jit import compile_kernels
from graphc.runtime.llvm.native_code import Compiled

F32, F64, I64 = dtypes.float32, dtypes.float64, dtypes.int64


def _add_one(f: Any, V: Any) -> None:
    """words: position, x, y; y[i] = x[i] + 1."""
    x, y = f.read_ptr(f.args[0], 1), f.read_ptr(f.args[0], 2)
    with f.loop(V(f, f.args[1], I64), V(f, f.args[2], I64)) as k:
        f.store(y, k.i, f.load(x, k.i, F32) + 1.0)
    f.ret(0)


def _halve(f: Any, V: Any) -> None:
    """words: position, x, y; y[i] = x[i] * 0.5 in float64."""
    x, y = f.read_ptr(f.args[0], 1), f.read_ptr(f.args[0], 2)
    with f.loop(V(f, f.args[1], I64), V(f, f.args[2], I64)) as k:
        f.store(y, k.i, f.load(x, k.i, F64) * 0.5)
    f.ret(0)


def _check(f: Any, V: Any) -> None:
    """words: position, x; fails with code x[i] at the first x[i] that is not 0 (int64)."""
    x = f.read_ptr(f.args[0], 1)
    with f.loop(V(f, f.args[1], I64), V(f, f.args[2], I64)) as k:
        bad = f.load(x, k.i, I64)
        with f.if_(bad.ne(0)):
            f.store(f.args[0], 0, k.i)
            f.ret(f.cast(bad, dtypes.int32))
    f.ret(0)


def _count(f: Any, V: Any) -> None:
    """words: position, hits, workers, widest; counts every unit, and units by worker."""
    hits, workers = f.read_ptr(f.args[0], 1), f.read_ptr(f.args[0], 2)
    one = f.index(1).ll
    begin, end = V(f, f.args[1], I64), V(f, f.args[2], I64)
    with f.loop(begin, end) as k:
        f.b.atomic_rmw("add", f.element_ptr(hits, k.i, I64), one, "seq_cst")
    mine = f.element_ptr(workers, V(f, f.args[3], I64), I64)
    f.b.atomic_rmw("add", mine, (end - begin).ll, "seq_cst")
    f.ret(0)


def _spin(f: Any, V: Any) -> None:
    """words: position, out, turns; a unit makes `turns` steps of xorshift from its number."""
    out, turns = f.read_ptr(f.args[0], 1), f.read_i64(f.args[0], 2)
    with f.loop(V(f, f.args[1], I64), V(f, f.args[2], I64)) as k:
        with f.loop(0, turns, 1, [k.i + 1]) as t:
            s = t.carry[0]
            s = s ^ f.shl(s, 13)
            s = s ^ f.shr(s, 7)
            t.next([s ^ f.shl(s, 17)])
        f.store(out, k.i, t.results[0])
    f.ret(0)


def _tick(f: Any, V: Any) -> None:
    """words: position, x, flag, n; x += 1 (int64), flag = x < n."""
    x, flag = f.read_ptr(f.args[0], 1), f.read_ptr(f.args[0], 2)
    more = f.load(x, 0, I64) + 1
    f.store(x, 0, more)
    f.store(flag, 0, more < f.read_i64(f.args[0], 3))
    f.ret(0)


def _set_mxcsr(f: Any, V: Any) -> None:
    """words: position, new, old; exchanges the control register of the thread."""
    from graphc.runtime.llvm.runner import ptr

    del V, ptr
    from llvmlite import ir

    new, old = f.read_ptr(f.args[0], 1), f.read_ptr(f.args[0], 2)
    f.extern("llvm.x86.sse.stmxcsr", ir.VoidType(), [old])
    f.extern("llvm.x86.sse.ldmxcsr", ir.VoidType(), [new])
    f.ret(0)


def _get_mxcsr(f: Any, V: Any) -> None:
    """words: position, old (int32 by worker)."""
    from llvmlite import ir

    at = f.element_ptr(f.read_ptr(f.args[0], 1), V(f, f.args[3], I64), dtypes.int32)
    f.extern("llvm.x86.sse.stmxcsr", ir.VoidType(), [at])
    f.ret(0)


_BODIES: dict[str, Callable[[Any, Any], None]] = {
    "add_one": _add_one,
    "halve": _halve,
    "check": _check,
    "count": _count,
    "spin": _spin,
    "tick": _tick,
    "set_mxcsr": _set_mxcsr,
    "get_mxcsr": _get_mxcsr,
}


def kernel(name: str) -> Compiled:
    """One of the kernels above, compiled."""

    def emit(module: Any) -> None:
        from graphc.runtime.llvm.emit import Fn
        from graphc.runtime.llvm.values import V, i64, ptr

        _BODIES[name](Fn(module, name, [ptr, i64, i64, i64]), V)

    key = f"tests/native_kernels/3/{name}"
    return compile_kernels({key: emit})[key]
