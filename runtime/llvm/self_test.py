"""Whether a level of vector instructions computes right here, tried in a process of its own."""

from __future__ import annotations

import ctypes
import hashlib
import os
import struct
import sys

from graphc.runtime.llvm.cache import Cache
from graphc.runtime.llvm.cpu import LEVELS, Cpu, host

__all__ = ["self_test", "self_test_child", "trusted"]


# ----------------------------------------------------------------- self-test (rule R8)


def trusted(cpu: Cpu, cache: Cache) -> Cpu:
    """The CPU, at a lower level where a child process died of the code made for it.

    On Linux the kernel and LLVM agree on every feature used, so nothing is run. Elsewhere, a small
    kernel runs in a child process once; the result stays in the disk cache.
    """
    while not cpu.checked and cpu.level not in ("", LEVELS[0]) and _CHILD not in os.environ:
        key = hashlib.sha256(f"graphc self-test\n{cpu.identity}".encode()).digest()
        known = cache.load(key)
        if known is None:
            known = b"good" if self_test(cpu.level) else b"bad"
            cache.store(key, known)
        if known != b"bad":
            break
        cpu = host(LEVELS[LEVELS.index(cpu.level) - 1], cache)
    return cpu


_CHILD = "GRAPHC_SELF_TEST"


def self_test(level: str) -> bool:
    """Compile and run a kernel of a level in a child process; False when it dies or is wrong.

    Parameters
    ----------
    level : str
        One of `cpu.LEVELS`.

    Returns
    -------
    bool
        True also when no child can be started: then nothing is known against the level.
    """
    import subprocess

    code = f"from graphc.runtime.llvm import self_test; self_test.self_test_child({level!r})"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, _CHILD: "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode >= 0 and done.returncode != _WRONG


_WRONG = 77
_SELF_TEST = """
declare <{n} x float> @llvm.fma.v{n}f32(<{n} x float>, <{n} x float>, <{n} x float>)
define i32 @probe(ptr %p) {{
entry:
  %x = load <{n} x float>, ptr %p, align 4
  %y = call <{n} x float> @llvm.fma.v{n}f32(<{n} x float> %x, <{n} x float> %x, <{n} x float> %x)
  %c = fcmp ogt <{n} x float> %y, %x
  %d = fdiv <{n} x float> %y, %x
  %s = select <{n} x i1> %c, <{n} x float> %d, <{n} x float> %x
  %h = fptrunc <{n} x float> %s to <{n} x half>
  %f = fpext <{n} x half> %h to <{n} x float>
  %i = bitcast <{n} x float> %f to <{n} x i32>
  %j = mul <{n} x i32> %i, %i
  %k = xor <{n} x i32> %j, %i
  store <{n} x i32> %k, ptr %p, align 4
  ret i32 0
}}
"""


def self_test_child(level: str) -> None:
    """What the child process of `self_test` does."""
    from graphc.runtime.llvm.jit import compile_kernels  # which needs this module
    from graphc.runtime.llvm.kernel_options import Options

    options = Options(level=level, cache_dir="")
    lanes = {"avx512": 16, "avx2": 8}.get(level, 4)
    kernel = compile_kernels({"probe": _SELF_TEST.format(n=lanes)}, options)["probe"]
    values = (ctypes.c_float * lanes)(*(k - 2.5 for k in range(lanes)))
    kernel.function(ctypes.c_int32, ctypes.c_void_p)(values)
    got = list((ctypes.c_uint32 * lanes).from_buffer(values))
    for k, v in enumerate(got):
        x = k - 2.5
        y = x * x + x
        bits = struct.unpack("<I", struct.pack("<f", y / x if y > x else x))[0]
        if v != ((bits * bits) ^ bits) & 0xFFFFFFFF:
            sys.exit(_WRONG)
