"""What the host offers: instruction set, vector width, cache sizes, cores.

Features are those LLVM finds usable (CPUID and the registers the OS saves), and on Linux also
listed by the kernel: what only one of the two reports is not used. LLVM itself costs 30 ms to
import, so its answer is kept in the disk cache under the kernel's flags and the library's identity.
"""

from __future__ import annotations

import hashlib
import os
import sys
from functools import lru_cache
from typing import NamedTuple

from graphc.ir.interrupts import Undisturbed
from graphc.runtime.llvm.cache import Cache, open_cache

__all__ = ["LEVELS", "Cpu", "asked", "host"]

#: The oldest LLVM whose calls and texts are written here.
OLDEST = (22, 0, 0)

LEVELS = ("sse2", "avx2", "avx512")

_BASELINE = {"64bit", "cmov", "cx8", "fxsr", "mmx", "sse", "sse2"}
_NEEDS = {
    "avx2": {"avx", "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "popcnt", "movbe"},
    "avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
# LLVM's name to the kernel's, for what a hypervisor or a boot option may take away.
_KERNEL = {
    "avx": "avx", "avx2": "avx2", "fma": "fma", "f16c": "f16c", "bmi": "bmi1", "bmi2": "bmi2",
    "lzcnt": "abm", "popcnt": "popcnt", "movbe": "movbe",
    "avx512f": "avx512f", "avx512bw": "avx512bw", "avx512cd": "avx512cd",
    "avx512dq": "avx512dq", "avx512vl": "avx512vl", "avx512ifma": "avx512ifma",
    "avx512vbmi": "avx512vbmi", "avx512vbmi2": "avx512_vbmi2", "avx512vnni": "avx512_vnni",
    "avx512bf16": "avx512_bf16", "avx512fp16": "avx512_fp16", "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq", "avx512vp2intersect": "avx512_vp2intersect",
    "avxvnni": "avx_vnni", "gfni": "gfni", "vaes": "vaes", "vpclmulqdq": "vpclmulqdq",
    "amx-tile": "amx_tile", "amx-bf16": "amx_bf16", "amx-int8": "amx_int8",
}  # fmt: skip


class Cpu(NamedTuple):
    """The machine code is made for.

    Attributes
    ----------
    triple, name, features : str
        As LLVM wants them; `features` is the whole list, each with ``+`` or ``-``.
    level : str
        The name of the feature level ("" where the architecture has none).
    toolchain : str
        llvmlite and LLVM, with versions.
    vector_bytes : int
        Size of the widest vector register.
    has_fma, has_f16, has_bf16 : bool
        Fused multiply-add; conversion between float16 and float32; products of bfloat16 that are
        added in float32.
    checked : bool
        Whether the operating system confirmed the features.
    l1d, l2, l3 : int
        Cache sizes in bytes.
    cores : int
        Cores this process may use.
    """

    triple: str
    name: str
    features: str
    level: str
    toolchain: str
    vector_bytes: int
    has_fma: bool
    has_f16: bool
    has_bf16: bool
    checked: bool
    l1d: int
    l2: int
    l3: int
    cores: int

    @property
    def identity(self) -> str:
        """Everything here that decides what code is made, as text."""
        return "\n".join((self.toolchain, self.triple, self.name, self.features))

    def lanes(self, size: int) -> int:
        """Elements of `size` bytes in a vector register."""
        return max(1, self.vector_bytes // size)


class _Report(NamedTuple):
    """What LLVM says about the host."""

    triple: str
    name: str
    features: str
    toolchain: str


def host(level: str = "", cache: Cache | None = None) -> Cpu:
    """The host, its features at most those of `level`.

    Parameters
    ----------
    level : str, optional
        One of `LEVELS`: an upper bound. "" means what the environment's GRAPHC_CPU says, and all
        the host has where that says nothing.
    cache : Cache, optional
        Where LLVM's report is kept; by default the environment's.

    Raises
    ------
    ValueError
        For another level.
    """
    level = asked(level)
    if level not in ("", *LEVELS):
        raise ValueError(f"unknown CPU level {level!r}: one of {', '.join(LEVELS)}")
    cpu = _limited(level, cache if cache is not None else open_cache())
    cores = _cores()
    return cpu if cpu.cores == cores else cpu._replace(cores=cores)


def asked(level: str) -> str:
    """The bound that holds: `level`, else what the environment says now."""
    return level or os.environ.get("GRAPHC_CPU", "")


@lru_cache(maxsize=16)
def _limited(level: str, cache: Cache) -> Cpu:
    report, checked = _usable(cache)
    features = dict((f[1:], f[0] == "+") for f in report.features.split(",") if f)
    x86 = report.triple.startswith(("x86_64", "amd64"))
    reached = ""
    if x86:
        on = {f for f, v in features.items() if v}
        reached = "sse2"
        if _NEEDS["avx2"] <= on:
            reached = "avx512" if _NEEDS["avx512"] <= on else "avx2"
        reached = min(reached, level or reached, key=LEVELS.index)
        features = {f: v and _allowed(f, reached) for f, v in features.items()}
    l1d, l2, l3 = _cache_sizes()
    return Cpu(
        triple=report.triple,
        name=report.name,
        features=",".join(("+" if v else "-") + f for f, v in sorted(features.items())),
        level=reached,
        toolchain=report.toolchain,
        vector_bytes={"avx512": 64, "avx2": 32}.get(reached, 16),
        has_fma=features.get("fma", not x86) if x86 else True,
        has_f16=features.get("f16c", False) if x86 else True,
        has_bf16=checked and features.get("avx512bf16", False),
        checked=checked,
        l1d=l1d,
        l2=l2,
        l3=l3,
        cores=1,
    )


def _allowed(feature: str, level: str) -> bool:
    if level == "sse2":
        return feature in _BASELINE
    wide = feature.startswith(("avx512", "avx10", "amx")) or feature == "evex512"
    return level == "avx512" or not wide


def _usable(cache: Cache) -> tuple[_Report, bool]:
    """LLVM's report less what the kernel does not list, and whether the kernel was asked."""
    facts, flags = _kernel_facts()
    report = _remembered(facts, cache) if facts else _ask_llvm()
    if not flags:
        return report, False
    features = []
    for f in report.features.split(","):
        known = _KERNEL.get(f[1:])
        features.append("-" + f[1:] if known is not None and known not in flags else f)
    return report._replace(features=",".join(features)), True


def _remembered(facts: str, cache: Cache) -> _Report:
    key = hashlib.sha256(f"graphc host\n{facts}\n{_library()}".encode()).digest()
    if (body := cache.load(key)) is not None:
        parts = body.decode("utf-8", "replace").split("\n")
        if len(parts) == 4:
            return _Report(*parts)
        cache.reject(key)
    with Undisturbed():
        r = _ask_llvm()
    cache.store(key, "\n".join((r.triple, r.name, r.features, r.toolchain)).encode())
    return r


def _ask_llvm() -> _Report:
    import llvmlite
    from llvmlite import binding

    if binding.llvm_version_info < OLDEST:
        raise ImportError(
            f"graphc needs llvmlite 0.48 or newer (LLVM {OLDEST[0]}), but llvmlite "
            f"{llvmlite.__version__} with LLVM {binding.llvm_version_info[0]} is installed: "
            "pip install --upgrade llvmlite"
        )
    try:
        features = binding.get_host_cpu_features().flatten()
        name = binding.get_host_cpu_name()
    except RuntimeError:  # LLVM cannot tell on this platform: the architecture's baseline
        features, name = "", ""
    version = ".".join(str(v) for v in binding.llvm_version_info)
    return _Report(
        binding.get_process_triple(),
        name,
        features,
        f"llvmlite {llvmlite.__version__} LLVM {version}",
    )


def _library() -> str:
    """What identifies the installed LLVM without loading it."""
    import llvmlite

    where = os.path.join(os.path.dirname(llvmlite.__file__ or ""), "binding")
    for name in ("libllvmlite.so", "libllvmlite.dylib", "llvmlite.dll"):
        try:
            st = os.stat(os.path.join(where, name))
        except OSError:
            continue
        return f"{llvmlite.__version__} {name} {st.st_size} {st.st_mtime_ns}"
    return f"{llvmlite.__version__} {sys.platform}"


def _kernel_facts() -> tuple[str, frozenset[str]]:
    """The identity of the CPU and its flags as Linux reports them; empty elsewhere."""
    if not sys.platform.startswith("linux") or os.uname().machine != "x86_64":
        return "", frozenset()
    try:
        with open("/proc/cpuinfo", "rb", buffering=0) as f:
            block = f.read(16384).split(b"\n\n")[0].decode("ascii", "replace")
    except OSError:
        return "", frozenset()
    wanted = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
    fields = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        if name.strip() in wanted:
            fields[name.strip()] = value.strip()
    if "flags" not in fields:
        return "", frozenset()
    return "\n".join(f"{k}={v}" for k, v in sorted(fields.items())), frozenset(
        fields["flags"].split()
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _cache_sizes() -> tuple[int, int, int]:
    sizes = {1: 0, 2: 0, 3: 0}
    names = {1: "SC_LEVEL1_DCACHE_SIZE", 2: "SC_LEVEL2_CACHE_SIZE", 3: "SC_LEVEL3_CACHE_SIZE"}
    for lv, name in names.items():
        try:
            sizes[lv] = os.sysconf(name)
        except (ValueError, OSError, AttributeError):
            sizes[lv] = 0
    if min(sizes.values()) <= 0:
        for lv, size in _sys_caches().items():
            sizes[lv] = max(sizes.get(lv, 0), size)
    defaults = {1: 32 << 10, 2: 512 << 10, 3: 4 << 20}
    l1d, l2, l3 = (sizes[k] if sizes[k] > 0 else defaults[k] for k in (1, 2, 3))
    return l1d, l2, l3


def _sys_caches() -> dict[int, int]:
    found: dict[int, int] = {}
    base = "/sys/devices/system/cpu/cpu0/cache"
    for k in range(6):
        try:
            fields = []
            for name in ("level", "type", "size"):
                with open(f"{base}/index{k}/{name}") as f:
                    fields.append(f.read().strip())
            if fields[1] != "Instruction":
                unit = {"K": 1 << 10, "M": 1 << 20}.get(fields[2][-1:], 1)
                found[int(fields[0])] = int(fields[2].rstrip("KM")) * unit
        except (OSError, ValueError):
            continue
    return found
