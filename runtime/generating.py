"""Native code for the kernels of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphc.runtime import stored
from graphc.runtime.arena import gemm_plan, gemm_variant
from graphc.runtime.compilation import Compilation
from graphc.runtime.llvm import codegen, perf
from graphc.runtime.llvm.watch import NOTHING, Watch
from graphc.runtime.steps import StepSpec

if TYPE_CHECKING:
    from graphc.runtime.executor import Executor

__all__ = ["generate"]


def generate(ex: Executor, c: Compilation) -> stored.Keys:
    """Compile the kernels of a plan that are neither in memory nor on disk; their keys."""
    wanted: dict[str, Any] = {}
    keys: stored.Keys = {}
    by_kernel: dict[Any, str] = {}
    facts = c.core.facts
    looks = ex.options.numerics
    for i, s in enumerate(c.plan.steps):
        if not s.calls:
            continue
        watch = watch_of(c, s) if looks and i not in c.unwatched else NOTHING
        con = s.code.contraction
        if con is not None:
            c.variants[i] = variant = gemm_variant(s, facts.value)
            keys[i] = []
            for p in gemm_plan(s, facts.value, ex.threads, variant)[1].phases:
                key = codegen.gemm_key(con, p.kernel, watch)
                keys[i].append((p.kernel, key))
                wanted.setdefault(key, codegen.gemm_emitter(con, p.kernel, watch))
            continue
        if s.code.native is not None:
            key, emit = s.code.native
        else:
            known = by_kernel.get((id(s.code.kernel), watch))
            key = known or codegen.kernel_key(s.code.kernel, watch=watch)
            by_kernel[id(s.code.kernel), watch] = key
            emit = None if known else codegen.kernel_emitter(s.code.kernel, watch)
        keys[i] = [("kernel", key)]
        if emit is not None:
            wanted.setdefault(key, emit)
    done = codegen.compile_all(wanted)
    if perf.wanted():
        for i, pairs in keys.items():
            for phase, key in pairs:
                name = c.plan.steps[i].code.name
                perf.note(done[key], name if phase == "kernel" else f"{name}:{phase}")
    for i, pairs in keys.items():
        c.owners[i] = {variant: (done[key], done[key].address("kernel")) for variant, key in pairs}
    return keys


def watch_of(c: Compilation, s: StepSpec) -> Watch:
    """What the kernel of a step looks for."""
    names, guard = s.watched(), c.plan.guard
    if guard is None or not names:
        return Watch(names)
    if s.commit:
        return Watch(names, names, words_of(s))
    if s.code.contraction is not None:
        return Watch(names, names if guard.reads.intersection(s.writes) else frozenset())
    params = zip(s.code.kernel.params, s.binds, strict=True)
    return Watch(names, names & {p.name for p, b in params if b in guard.reads})


def words_of(s: StepSpec) -> int:
    """How many argument words the kernel of a step has."""
    con = s.code.contraction
    if con is None:
        return 1 + len(s.binds) + len(s.code.kernel.sizes) + len(s.code.numbers)
    extra = len(s.binds) - 2 - len(con.outputs) + len(con.kernel.sizes)
    return int(codegen.gemm_of(con).extra_word(extra))
