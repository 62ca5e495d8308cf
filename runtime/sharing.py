"""How much of a step one thread takes, and why a step is one thread's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Symbol
from graphc.ir.journal import Journal
from graphc.runtime.arena import gemm_plan
from graphc.runtime.pool import AWAKE_NS
from graphc.runtime.steps import StepSpec
from graphc.runtime.work import kernel_work

__all__ = ["ALONE", "alone", "grain_of", "tell"]

#: Why a kernel runs on one thread: in words, and what would alter it.
ALONE: dict[str, tuple[str, str]] = {
    "session": (
        "the session has one thread",
        "tf.ConfigProto(intra_op_parallelism_threads=2), or 0 for all cores",
    ),
    "one": (
        "its loops are one unit of work: a sequence, or too little for more",
        "let it compute more rows, or larger ones, at once",
    ),
    "little": (
        "it has {units} units of work, and a thread takes {grain} at a time, so that waking another"
        " one pays",
        "compute more at once: from {least} units on it is shared",
    ),
    "short": (
        "it is thought to take {us:.1f} us, and below {awake:.0f} us handing a part of it to"
        " another thread takes as long",
        "compute more at once",
    ),
}

#: Tasks that a step of enough units is cut in; whether they are shared, measured time decides.
TASKS = 8
#: Of one thread, for guesses: flops and bytes that take a nanosecond.
FLOPS, BYTES = 50.0, 20.0


def grain_of(s: StepSpec, size: Callable[[Dim], int], units: int) -> tuple[int, float]:
    """How many units of a kernel of loops make a task, and a guess of nanoseconds for each."""
    sizes = (size(b.count) for b in s.binds if b.kind != "scratch")
    each = max(sizes, default=1) / max(units, 1)
    grain = max(1, int(32768 / max(each * (1 + s.weight / 16), 1)))
    grain = min(grain, max(1, units // TASKS))
    return grain if units > 1 else 0, max(1.0, each * 0.05 * (1 + s.weight / 4))


def alone(units: int, grain: int, threads: int, ns: float = math.inf) -> str:
    """What keeps a step of `ns` nanoseconds on one thread: a word of `ALONE`, "" for nothing.

    Steps that pass are shared where their measured time is worth it (`stepping._share`).
    """
    if threads < 2:
        return "session"
    if units < 2 or not grain:
        return "one"
    if units < 2 * grain:
        return "little"
    return "short" if ns < AWAKE_NS else ""


def tell(log: Journal, c: Any, threads: int) -> None:
    """Write down which steps of a compilation one thread runs, for whoever asks."""
    env: Mapping[Symbol, int] = c.plan.facts.env

    def size(d: Dim) -> int:
        return d if type(d) is int else D.evaluate(d, env)

    for i, s in enumerate(c.plan.steps):
        if not s.calls:
            continue
        if s.code.contraction is not None:
            phases = gemm_plan(s, size, threads, c.variants[i])[1].phases
            units, grain, ns = phases[-1].units, phases[-1].grain, math.inf
        else:
            here = {**env, **{Symbol(k): size(v) for k, v in s.attrs.items()}}
            units = D.evaluate(s.code.kernel.units, here)
            grain, _ = grain_of(s, size, units)
            work = kernel_work(s.code.kernel, here)
            ns = max(work.flops / FLOPS, work.bytes / BYTES)
        word = alone(units, grain, threads, ns)
        if word:
            text, remedy = ALONE[word]
            numbers = {
                "units": units, "grain": grain, "least": 2 * grain,
                "us": ns / 1e3, "awake": AWAKE_NS / 1e3,
            }  # fmt: skip
            log.because(
                "thread", (s.node,),
                f"kernel {s.code.name} runs on one thread: {text.format(**numbers)}",
                remedy.format(**numbers),
            )  # fmt: skip
