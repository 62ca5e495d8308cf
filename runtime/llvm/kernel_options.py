"""How kernels are compiled, and what they may call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from graphc.runtime.llvm.cache import DEFAULT_LIMIT

__all__ = ["EXTERNS", "FORMAT", "Emit", "Options"]


Emit: TypeAlias = "Callable[[Any], object] | str"

FORMAT = 1  # of the cache body; and to be raised when the pipeline below changes

EXTERNS: tuple[str, ...] = (
    "memcpy", "memmove", "memset", "memcmp", "fmod", "fmodf", "acos", "acosf", "acosh", "acoshf",
    "asin", "asinf", "asinh", "asinhf", "atan", "atan2", "atan2f", "atanf", "atanh", "atanhf",
    "cbrt", "cbrtf", "ceil", "ceilf", "copysign", "copysignf", "cos", "cosf", "cosh", "coshf",
    "erf", "erfc", "erfcf", "erff", "exp", "exp2", "exp2f", "expf", "expm1", "expm1f", "fabs",
    "fabsf", "floor", "floorf", "fma", "fmaf", "hypot", "hypotf", "ldexp", "ldexpf", "lgamma",
    "lgammaf", "log", "log10", "log10f", "log1p", "log1pf", "log2", "log2f", "logf", "nextafter",
    "nextafterf", "pow", "powf", "rint", "rintf", "round", "roundf", "sin", "sinf", "sinh", "sinhf",
    "sqrt", "sqrtf", "tan", "tanf", "tanh", "tanhf", "tgamma", "tgammaf", "trunc", "truncf",
    "roundeven", "roundevenf", "nearbyint", "nearbyintf",
)  # fmt: skip
"""The C functions any kernel may call (rule R2)."""


class Options(NamedTuple):
    """How kernels are compiled.

    Attributes
    ----------
    level : str
        Upper bound on the CPU features, one of `cpu.LEVELS`; "" is the host's best.
    opt : int
        2 is normal; 0 runs no IR passes and the quickest code generation.
    cache_dir : str or None
        None is the environment's choice, "" no disk cache.
    cache_limit : int
        Bytes the cache directory may hold.
    version : str
        graphc's version, part of the disk key.
    threads : int
        Compiling threads; 0 is one for each core, at most 8.
    extern_names : tuple of str
        C names (of libc, libm or CPython) allowed besides `EXTERNS`.
    salt : str
        More text for the key: settings that the caller's keys do not cover.
    """

    level: str = ""
    opt: int = 2
    cache_dir: str | None = None
    cache_limit: int = DEFAULT_LIMIT
    version: str = "0.1.0"
    threads: int = 0
    extern_names: tuple[str, ...] = ()
    salt: str = ""
