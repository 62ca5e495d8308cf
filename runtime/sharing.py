"""How much of a step one thread takes, and why a step is one thread's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Symbol
from graphc.ir.journal import Journal
from graphc.runtime.arena import gemm_plan
from graphc.runtime.steps import StepSpec

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
}


def grain_of(s: StepSpec, size: Callable[[Dim], int], units: int) -> tuple[int, float]:
    """How many units of a kernel of loops pay for another thread, and nanoseconds for each."""
    sizes = (size(b.count) for b in s.binds if b.kind != "scratch")
    each = max(sizes, default=1) / max(units, 1)
    grain = max(1, int(32768 / max(each * (1 + s.weight / 16), 1)))
    return grain if units > 1 else 0, max(1.0, each * 0.05 * (1 + s.weight / 4))


def alone(units: int, grain: int, threads: int) -> str:
    """What keeps a step on one thread: a word of `ALONE`; "" where nothing does.

    Steps that pass are shared where their measured time is worth it (`runner._share`).
    """
    if threads < 2:
        return "session"
    if units < 2 or not grain:
        return "one"
    return "little" if units < 2 * grain else ""


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
            units, grain = phases[-1].units, phases[-1].grain
        else:
            here = {**env, **{Symbol(k): size(v) for k, v in s.attrs.items()}}
            units = D.evaluate(s.code.kernel.units, here)
            grain, _ = grain_of(s, size, units)
        word = alone(units, grain, threads)
        if word:
            text, remedy = ALONE[word]
            numbers = {"units": units, "grain": grain, "least": 2 * grain}
            log.because(
                "thread", (s.node,),
                f"kernel {s.code.name} runs on one thread: {text.format(**numbers)}",
                remedy.format(**numbers),
            )  # fmt: skip
