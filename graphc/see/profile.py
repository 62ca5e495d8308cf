"""Where the time of a run goes: nanoseconds, bytes and flops of each step of its plan."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.ir.dims import Symbol
from graphc.ir.node import Node
from graphc.runtime import trace
from graphc.runtime.steps import StepSpec
from graphc.runtime.trace import Native, Tracer
from graphc.runtime.work import Work, kernel_work

__all__ = ["StepProfile", "nodes_of", "profile_run", "table", "trace_run", "user_lines", "work_of"]


@dataclass(frozen=True, eq=False)
class StepProfile:
    """One step of a run: a kernel that native code called, or an op that the host applied.

    Attributes
    ----------
    part : int
        Which native part of the run the step belongs to, from 0.
    step : int
        Its place in the plan of that part; -1 for an op of the host.
    kernel : str
        The name of the kernel, or of the op.
    phase : str
        Of a matrix product, which of its kernels: ``"pack_b"``, ``"packed"``, …
    nodes : tuple of Node
        The operations it computes.
    lines : tuple of str
        Lines of the user's program, ``file:line``.
    calls : int
        In one run.
    nanoseconds : float
        Of all its calls in one run: the median over the runs.
    bytes, flops : int
        Of all its calls in one run (`graphc.runtime.work` says what counts).
    spec : StepSpec or None
        The step itself.
    """

    part: int
    step: int
    kernel: str
    phase: str
    nodes: tuple[Node, ...]
    lines: tuple[str, ...]
    calls: int
    nanoseconds: float
    bytes: int
    flops: int
    spec: StepSpec | None = None

    @property
    def gigabytes(self) -> float:
        """GB moved in a second."""
        return self.bytes / self.nanoseconds if self.nanoseconds else 0.0

    @property
    def gigaflops(self) -> float:
        """GFLOP done in a second."""
        return self.flops / self.nanoseconds if self.nanoseconds else 0.0


def nodes_of(n: Node) -> tuple[Node, ...]:
    """What a node of a plan computes: the nodes of its body, or itself."""
    body = n.attrs.get("body") if n.op.name == "fused" else None
    if body is None:
        return (n,)
    return tuple(m for m in body.nodes() if m.op.name not in ("input", "constant"))


def user_lines(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """The lines of the user's program that nodes come from, each once."""
    return tuple(dict.fromkeys(str(s) for n in nodes for s in n.source))


def work_of(s: StepSpec, phase: str, env: Mapping[Symbol, int]) -> Work:
    """What one call of a step does, with these sizes."""
    if not s.calls:
        return Work(0, 0)
    sizes = dict(env)
    for k, v in s.attrs.items():
        sizes[Symbol(k)] = _value(v, env)
    if phase == "pack_b":
        b = s.binds[1]
        return Work(0, 2 * _value(b.count, env) * b.dtype.size)
    return kernel_work(s.code.kernel, sizes)


def _value(d: Any, env: Mapping[Symbol, int]) -> int:
    from graphc.ir import dims as D

    return int(D.evaluate(d, env))


# ------------------------------------------------------------------- running


@contextmanager
def unchanged(state: Any) -> Iterator[None]:
    """Variables and the counters of random ops are afterwards what they were."""
    with state.lock:
        cells = {n: (c, c.ready, c.array.copy()) for n, c in state.cells.items()}
        skips = dict(state.skips)
    try:
        yield
    finally:
        with state.lock:
            moved = state.cells.keys() != cells.keys()
            for name, (c, ready, array) in cells.items():
                moved |= state.cells.get(name) is not c or c.ready != ready
                np.copyto(c.array, array)
                state.learn(c, None)
                c.ready = ready
            state.wrote()
            state.cells.clear()
            state.cells.update({name: c for name, (c, _, _) in cells.items()})
            state.skips.clear()
            state.skips.update(skips)
            if moved:
                state.epoch += 1


def _state(session: Any) -> Any:
    ex = getattr(session, "_executor", None)
    if ex is None:
        if getattr(session, "_closed", False):
            raise RuntimeError("Attempted to use a closed Session.")
        raise TypeError(f"session must be a tf.Session, but got {type(session)}")
    return ex.state


def trace_run(session: Any, fetches: Any, feed_dict: Mapping[Any, Any] | None = None) -> Tracer:
    """Run once and return what was written down; the values are dropped.

    See Also
    --------
    profile_run : the same as a table.
    """
    with trace.tracing(_state(session)) as tracer, tracer.span("run", "Session.run"):
        session.run(fetches, feed_dict)
    return tracer


def profile_run(
    session: Any, fetches: Any, feed_dict: Mapping[Any, Any] | None = None, *, runs: int = 5,
    warmup: int = 2, restore: bool = True,
) -> list[StepProfile]:  # fmt: skip
    """Run several times and say what each step of the plan took.

    Parameters
    ----------
    session : Session
    fetches, feed_dict
        As for ``Session.run``.
    runs : int
        How many runs are measured.
    warmup : int
        Runs before that: the first compile and learn what steps cost.
    restore : bool
        Put variables and the counters of random ops back afterwards. What ops of the host do
        (queues, files, prints) stays done.

    Returns
    -------
    list of StepProfile
        In the order of the run; steps that were not called are left out.

    Examples
    --------
    >>> import graphc as tf
    >>> from graphc.see.profile import profile_run
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.placeholder(tf.float32, [None, 64])
    ...     y = tf.nn.relu(tf.matmul(x, tf.ones([64, 32])))
    ...     (step,) = profile_run(sess, y, {x: [[1.0] * 64] * 16})
    >>> step.calls, step.flops
    (1, 66048)
    """
    if runs < 1 or warmup < 0:
        raise ValueError(f"runs must be positive and warmup not negative: {runs}, {warmup}")
    if not restore:
        return _profile(session, fetches, feed_dict, runs, warmup)
    with unchanged(_state(session)):
        return _profile(session, fetches, feed_dict, runs, warmup)


def _profile(
    session: Any, fetches: Any, feed_dict: Any, runs: int, warmup: int
) -> list[StepProfile]:
    for _ in range(warmup):
        trace_run(session, fetches, feed_dict)
    return summarize([trace_run(session, fetches, feed_dict) for _ in range(runs)])


def summarize(tracers: list[Tracer]) -> list[StepProfile]:
    """The steps of runs that were traced, each with the median over the runs."""
    parts: dict[Any, int] = {}
    found: dict[tuple[Any, int], list[tuple[int, int]]] = {}
    natives: dict[tuple[Any, int], Native] = {}
    hosts: dict[Node, list[int]] = {}
    for t in tracers:
        for native in t.natives.values():
            c = native.compilation
            parts.setdefault(c, len(parts))
            for row, (calls, ns) in enumerate(native.log.totals.tolist()):
                if calls:
                    found.setdefault((c, row), []).append((calls, ns))
                    natives[c, row] = native
        for s in t.spans:
            if s.kind == "host" and s.node is not None:
                hosts.setdefault(s.node, []).append(s.end - s.begin)
    out = []
    for (c, row), times in found.items():
        out.append(_step(parts[c], natives[c, row], row, times))
    for n, spent in hosts.items():
        each = len(spent) // len(tracers) or 1
        total = statistics.median(spent) * each
        out.append(StepProfile(0, -1, n.op.name, "", (n,), user_lines((n,)), each, total, 0, 0))
    return out


def table(
    steps: Sequence[StepProfile], *, peak: tuple[float, float] | None = None, rows: int = 30
) -> str:  # fmt: skip
    """What steps took as text, the longest first.

    Parameters
    ----------
    peak : (float, float), optional
        The flops and the bytes a second that the machine can do; shown is then the share of what
        is attainable (more than 100 % where data comes from a cache).
    rows : int
        How many steps to show.
    """
    total = sum(s.nanoseconds for s in steps)
    head = f"{'us':>10} {'share':>6} {'calls':>6} {'GFLOP/s':>8} {'GB/s':>7}"
    lines = [head + ("  attained" if peak else "") + "  step"]
    for s in sorted(steps, key=lambda s: -s.nanoseconds)[:rows]:
        line = f"{s.nanoseconds / 1e3:10.1f} {s.nanoseconds / total if total else 0:6.1%}"
        line += f" {s.calls:6} {s.gigaflops:8.1f} {s.gigabytes:7.1f}"
        if peak:
            floor = max(s.flops / peak[0], s.bytes / peak[1])
            line += f"  {floor / s.nanoseconds * 1e9 if s.nanoseconds else 0:8.0%}"
        where = f"  {s.lines[0]}" if s.lines else ""
        lines.append(f"{line}  {s.kernel}{':' * bool(s.phase)}{s.phase}{where}")
    if len(steps) > rows:
        lines.append(f"… and {len(steps) - rows} shorter ones")
    lines.append(f"{total / 1e3:10.1f} in all")
    return "\n".join(lines)


def _step(part: int, native: Native, row: int, times: list[tuple[int, int]]) -> StepProfile:
    b = native.bound
    s, phase = b.steps[row], b.phases[row]
    calls = round(statistics.median(n for n, _ in times))
    work = work_of(s, phase, b.env)
    nodes = nodes_of(s.node)
    return StepProfile(
        part, native.compilation.plan.steps.index(s), s.code.name, phase, nodes, user_lines(nodes),
        calls, statistics.median(ns for _, ns in times), calls * work.bytes, calls * work.flops, s,
    )  # fmt: skip
