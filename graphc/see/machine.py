"""What the machine can do: the peak rate of multiply-adds and the bandwidth of copies.

Both are measured: multiply-adds by a kernel of ours that keeps twelve vectors in registers,
copies by numpy on arrays that fit no cache.
"""

from __future__ import annotations

import ctypes
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_CHAINS = 12  # independent multiply-adds: latency times units of every current CPU
_ROUNDS = 4_000_000
_COPY = 1 << 27  # bytes a thread copies


class Machine(NamedTuple):
    """Peak rates with a number of threads."""

    flops: float
    bytes: float

    def floor(self, flops: float, moved: float) -> float:
        """Seconds that no implementation can beat, were nothing in a cache."""
        return flops / self.flops + moved / self.bytes


def cpu_name() -> str:
    """The processor as its maker calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def measure(threads: int) -> Machine:
    """The best of several tries, the threads at work at once."""
    from graphc.ir.dtypes import float32
    from graphc.runtime.llvm.cpu import host
    from graphc.runtime.llvm.emit import Fn
    from graphc.runtime.llvm.jit import compile_kernels
    from graphc.runtime.llvm.values import V, i64, ptr

    lanes = host().lanes(4)

    def emit(module: Any) -> None:
        k = Fn(module, "peak", [ptr, i64])
        base = k.args[0]
        a = k.load(base, 0, float32, lanes)
        start: list[V] = [k.load(base, k.index(lanes * i), float32, lanes) for i in range(_CHAINS)]
        with k.loop(0, _ROUNDS, carry=start) as p:
            p.next([k.fma(x, a, a) for x in p.carry])
        for i, x in enumerate(p.results):
            k.store(base, k.index(lanes * i), x)
        k.ret(0)

    key = f"peak {lanes} {_ROUNDS}"
    code = compile_kernels({key: emit})[key]
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_int64)(
        code.address("peak")
    )

    def multiply() -> Callable[[], None]:
        x = np.full(lanes * _CHAINS, 0.5, np.float32)
        return lambda: function(x.ctypes.data, 0)

    def copy() -> Callable[[], None]:
        x, y = np.ones(_COPY, np.uint8), np.zeros(_COPY, np.uint8)
        return lambda: np.copyto(y, x)

    flops = 2.0 * lanes * _CHAINS * _ROUNDS * threads / _together(multiply, threads)
    return Machine(flops, 2.0 * _COPY * threads / _together(copy, threads))


def _together(make: Callable[[], Callable[[], None]], threads: int, tries: int = 12) -> float:
    """The shortest time in which `threads` threads each did the work once."""
    works = [make() for _ in range(threads)]
    best = float("inf")
    for _ in range(tries):
        gate = threading.Barrier(threads + 1)

        def work(f: Callable[[], None], gate: threading.Barrier = gate) -> None:
            gate.wait()
            f()

        running = [threading.Thread(target=work, args=(f,)) for f in works]
        for t in running:
            t.start()
        gate.wait()
        began = time.perf_counter()
        for t in running:
            t.join()
        best = min(best, time.perf_counter() - began)
    return best
