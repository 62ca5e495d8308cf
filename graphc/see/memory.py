"""What the memory of a run is for: the buffers of the arena, and what is alive at the peak.

>>> import graphc as tf
>>> from graphc.see.memory import memory_report
>>> with tf.Graph().as_default():
...     x = tf.placeholder(tf.float32, [256, 256], name="x")
...     h = tf.matmul(x, x, name="h")
...     (m,) = memory_report(tf.matmul(h, tf.nn.softmax(h), name="y"))
>>> [(b.name, b.bytes, b.first, b.last) for b in m.buffers if b.kind == "value"]
[('h', 262144, 0, 2), ('Softmax', 262144, 1, 2)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim
from graphc.ir.node import Node
from graphc.runtime.arena import Piece, gemm_plan, pieces, place
from graphc.runtime.steps import Buf, StepSpec
from graphc.see.profile import nodes_of, user_lines

__all__ = ["BufferUse", "Memory", "memory_of", "memory_report"]

#: What a buffer is for, by the kind of its piece.
_KINDS = {
    "arena": "value",
    "scratch": "working memory",
    "gemm": "working memory",
    "panels": "packed operand",
}


@dataclass(frozen=True, eq=False)
class BufferUse:
    """A piece of the arena.

    Attributes
    ----------
    kind : str
        ``"value"``, ``"inner"`` (what kernels of one operation hand on), ``"working memory"`` of a
        kernel (for all threads), or ``"packed operand"`` of a matrix product.
    name : str
        The operation whose value it holds, or the kernel it belongs to.
    offset, bytes : int
        Its place in the arena.
    first, last : int
        The steps of the plan from which and to which it is needed.
    node : Node or None
        What makes it.
    lines : tuple of str
        Lines of the user's program that make it.
    readers : tuple of int
        The steps that read it.
    """

    kind: str
    name: str
    offset: int
    bytes: int
    first: int
    last: int
    node: Node | None
    lines: tuple[str, ...]
    readers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Memory:
    """The memory of one native part of a run.

    Attributes
    ----------
    arena : int
        Bytes of all temporaries together.
    buffers : tuple of BufferUse
        The largest first.
    steps : tuple of str
        The kernel of each step.
    outside : dict
        Bytes outside of the arena: ``"variables"``, ``"feeds"``, ``"results"``, ``"constants"``,
        and what is made of variables alone and ``"kept"`` between runs.
    """

    arena: int
    buffers: tuple[BufferUse, ...]
    steps: tuple[str, ...]
    outside: dict[str, int]

    def alive(self, step: int) -> list[BufferUse]:
        """The buffers in use at a step, the largest first."""
        return [b for b in self.buffers if b.first <= step <= b.last]

    def timeline(self) -> list[int]:
        """Bytes in use at each step."""
        changes = [0] * (len(self.steps) + 1)
        for b in self.buffers:
            changes[b.first] += b.bytes
            changes[b.last + 1] -= b.bytes
        out, now = [], 0
        for c in changes[:-1]:
            now += c
            out.append(now)
        return out

    @property
    def peak(self) -> int:
        """The step at which most bytes are in use; -1 where there is none."""
        live = self.timeline()
        return max(range(len(live)), key=live.__getitem__, default=-1)

    def by_line(self, step: int | None = None) -> dict[str, int]:
        """Bytes for each line of the user's program, at a step or (None) at the peak.

        What comes from several lines counts for the first.
        """
        out: dict[str, int] = {}
        for b in self.alive(self.peak if step is None else step):
            line = b.lines[0] if b.lines else "?"
            out[line] = out.get(line, 0) + b.bytes
        return dict(sorted(out.items(), key=lambda p: -p[1]))

    def __str__(self) -> str:
        return self.text()

    def text(self, rows: int = 20) -> str:
        """A table of what is alive at the peak, then of the user's lines."""
        lines = [f"arena {self.arena:,} bytes"]
        lines += [f"{k} {n:,} bytes" for k, n in self.outside.items() if n]
        at = self.peak
        if at < 0 or not self.buffers:
            return "\n".join(lines)
        alive = self.alive(at)
        live = sum(b.bytes for b in alive)
        lines.append(
            f"most at step {at} ({self.steps[at]}): {live:,} bytes in {len(alive)} buffers"
        )
        lines.append(f"{'bytes':>14}  {'offset':>12}  {'steps':>11}  what")
        for b in alive[:rows]:
            where = f"  {b.lines[0]}" if b.lines else ""
            steps = f"{b.first}-{b.last}"
            lines.append(f"{b.bytes:14,}  {b.offset:12,}  {steps:>11}  {b.kind} {b.name}{where}")
        if len(alive) > rows:
            rest = sum(b.bytes for b in alive[rows:])
            lines.append(f"{rest:14,}  in {len(alive) - rows} smaller ones")
        lines.append("by line:")
        lines += [f"{n:14,}  {line}" for line, n in list(self.by_line(at).items())[:rows]]
        return "\n".join(lines)


def memory_of(c: Any, env: Mapping[Any, int] | None = None, threads: int = 1) -> Memory:
    """The memory of a compilation.

    Parameters
    ----------
    c : Compilation
    env : mapping, optional
        The sizes of a run (``Bound.env``); by default those it was compiled for.
    threads : int
        Kernels have working memory for each.
    """
    steps: Sequence[StepSpec] = c.plan.steps
    sizes = c.plan.facts.env if env is None else env

    def size(d: Dim) -> int:
        return D.evaluate(d, sizes)

    gemms = {i: gemm_plan(steps[i], size, threads, v)[1] for i, v in c.variants.items()}
    items = pieces(steps, size, threads, gemms)
    offset: dict[int, int] = {}
    total = place(items, offset, c.plan.limit)
    readers: dict[Buf, list[int]] = {}
    makers: dict[Buf, StepSpec] = {}
    for i, s in enumerate(steps):
        for b in dict.fromkeys(s.reads):
            readers.setdefault(b, []).append(i)
        for b in s.writes:
            makers.setdefault(b, s)
    uses = [_use(p, offset[p.key], steps, makers, readers) for p in items if p.bytes]
    uses.sort(key=lambda u: (-u.bytes, u.first, u.offset))
    outside = _outside(steps, size)
    return Memory(total, tuple(uses), tuple(s.code.name for s in steps), outside)


def _use(
    p: Piece, offset: int, steps: Sequence[StepSpec], makers: Mapping[Buf, StepSpec],
    readers: Mapping[Buf, Sequence[int]],
) -> BufferUse:  # fmt: skip
    kind, s = _KINDS[p.kind], steps[p.first]
    name = s.code.name
    read: tuple[int, ...] = (p.first,)
    if p.kind == "arena" and p.buf is not None:
        s = makers.get(p.buf, s)
        name = p.buf.name
        read = tuple(readers.get(p.buf, ()))
        kind = "inner" if p.buf.inner else kind
    lines = user_lines(nodes_of(s.node))
    return BufferUse(kind, name, offset, p.bytes, p.first, p.last, s.node, lines, read)


def _outside(steps: Iterable[StepSpec], size: Callable[[Dim], int]) -> dict[str, int]:
    """Bytes that a run needs besides the arena."""
    words = {"var": "variables", "feed": "feeds", "out": "results", "const": "constants"}
    words["kept"] = "kept"
    seen: dict[tuple[str, Any], int] = {}
    for b in (b for s in steps for b in s.binds):
        if b.kind in words:
            key = b.name if b.kind == "var" else b.index if b.kind in ("feed", "out") else id(b)
            seen[b.kind, key] = size(b.count) * b.dtype.size
    out = dict.fromkeys(words.values(), 0)
    for (kind, _), n in seen.items():
        out[words[kind]] += n
    return out


def memory_report(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None, *,
    graph: Any = None,
) -> list[Memory]:  # fmt: skip
    """What a run would take, one `Memory` for each of its native parts; nothing is run.

    Parameters
    ----------
    fetches, feed_dict
        As for ``Session.run``; sizes of what is not fed are guessed.
    session : Session, optional
        Whose variables and configuration to use.
    graph : Graph, optional
        Without a session: by default the default graph.
    """
    from graphc.face.dump import compile_run

    parts = compile_run(fetches, feed_dict, session, graph=graph)
    threads = 1 if session is None else session._executor.threads
    return [memory_of(p.compilation, threads=threads) for p in parts]
