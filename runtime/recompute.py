"""Plans that keep to a limit of memory: other orders of steps, and values computed twice.

A value that is made early and read late (an activation that its gradient needs) holds memory in
between. Where the arena would be larger than the limit, such a value is let go of, and the step
that made it runs once more before the late reader: the same kernel on the same operands, so the
same bits. Cheap steps are taken first (elementwise work before matrix products), by the time that
each byte saved costs. Operands that are gone by then are computed again themselves.

Before that, steps are put in an order in which memory is free earlier: a new value of a variable
is written as soon as nobody reads the old one. From the first such step on a run cannot be
interrupted, and so no step that may fail, and no loop, comes after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.dims import Symbol
from graphc.runtime.arena import Piece, Sizes, gemm_plan, pack_tight, padded, pieces
from graphc.runtime.plan import Plan
from graphc.runtime.steps import Buf, StepSpec, lifetimes
from graphc.runtime.work import kernel_work

__all__ = ["TooLittle", "fit"]

#: Entries looked at in the search, at most (some seconds).
BUDGET = 4_000_000
#: How deep values are computed again for others that are.
DEPTH = 200
#: What a step costs: nanoseconds a call, a flop, a byte.
CALL_NS, FLOP_NS, BYTE_NS = 200.0, 0.02, 0.1


class TooLittle(Exception):
    """The limit cannot be kept; the text says what is missing, and what takes most."""


class _Impossible(Exception):
    """A value cannot be computed again."""


@dataclass(eq=False)
class _Unit:
    """Steps that stay together: one, or all of a loop or condition."""

    steps: list[StepSpec]
    block: bool = False
    revocable: bool = False  # any kernel may fail
    watched: bool = False  # for numbers that are none
    reads: dict[Buf, None] = field(default_factory=dict)
    writes: dict[Buf, None] = field(default_factory=dict)
    touched: dict[Buf, None] = field(default_factory=dict)

    @property
    def commit(self) -> bool:
        return any(s.commit for s in self.steps)

    @property
    def fails(self) -> bool:
        """Whether it may end the run, or take long without a stop."""
        return self.block or self.watched or any(s.checks for s in self.steps)


@dataclass(slots=True)
class _Entry:
    """A step of the new plan: at which time, and which versions of buffers it works on."""

    step: StepSpec
    time: float
    again: bool
    versions: dict[Buf, int]


def fit(plan: Plan, limit: int, threads: int, revocable: bool = False) -> None:
    """Change `plan` so that its arena takes at most `limit` bytes, with the sizes at hand.

    With `revocable` any kernel may fail, so that no variable changes before all is computed.

    Raises
    ------
    TooLittle
        When that cannot be done; the plan is then spoilt.
    """
    plan.limit = limit
    size = sizes_of(plan.facts.env)
    if _arena(plan.steps, size, threads)[0] <= limit:
        return
    search = _Search(plan, size, threads, revocable)
    target = limit
    while True:
        live = search.lower(target)
        steps, loops = search.realize(plan.loops)
        lifetimes(steps, loops)
        total, items = _arena(steps, size, threads)
        if total <= limit or live > target:
            break
        target = live - max(64, total - limit)  # gaps between buffers: aim lower
    plan.steps[:], plan.loops[:] = steps, loops
    if total > limit:
        raise TooLittle(_missing(steps, items, total, limit))
    log = journal.current()
    if log is not None:
        for s in search.again():
            text = f"{s.node.name!r} is computed again for later readers, to keep to memory_limit"
            log.because("buffer", (s.node,), text, "allow more memory")


def _arena(steps: Sequence[StepSpec], size: Sizes, threads: int) -> tuple[int, list[Piece]]:
    """The bytes of the arena, and all that is in it."""
    gemms = {i: gemm_plan(s, size, threads)[1] for i, s in enumerate(steps) if s.code.contraction}
    items = pieces(steps, size, threads, gemms)
    return pack_tight(items, {}), items


def _missing(
    steps: Sequence[StepSpec], items: Sequence[Piece], total: int, limit: int
) -> str:  # fmt: skip
    """What to say where the limit cannot be kept."""
    makers = {b: s.node for s in steps for b in s.writes}
    lines = [
        f"the temporaries of this run need {total:,} bytes even with values computed a second "
        f"time, {total - limit:,} more than memory_limit={limit:,}. The largest at the peak:"
    ]
    for p in _at_peak(items)[:5]:
        n = steps[p.first].node if p.buf is None else makers.get(p.buf)
        name = p.buf.name if p.buf and p.kind == "arena" else f"working memory of {n and n.name}"
        where = f" ({n.source[0]})" if n is not None and n.source else ""
        lines.append(f"  {p.bytes:,} bytes: {name}{where}")
    return "\n".join(lines)


def _at_peak(items: Sequence[Piece]) -> list[Piece]:
    """What is alive when most is."""
    changes: dict[int, int] = {}
    for p in items:
        changes[p.first] = changes.get(p.first, 0) + p.bytes
        changes[p.last + 1] = changes.get(p.last + 1, 0) - p.bytes
    now = most = at = 0
    for i in sorted(changes):
        now += changes[i]
        if now > most:
            most, at = now, i
    return sorted((p for p in items if p.first <= at <= p.last), key=lambda p: -p.bytes)


# ------------------------------------------------------------------- units and their order


def _units(steps: Sequence[StepSpec], revocable: bool = False) -> list[_Unit]:
    """The steps, those between a branch and its target together."""
    place = {s: i for i, s in enumerate(steps)}
    end = list(range(len(steps)))
    for i, s in enumerate(steps):
        if s.target is not None:
            a, b = sorted((i, place[s.target]))
            end[a] = max(end[a], b)
    out: list[_Unit] = []
    i = 0
    while i < len(steps):
        j = k = i
        while k <= j:
            j = max(j, end[k])
            k += 1
        unit = _Unit(list(steps[i : j + 1]), j > i, revocable)
        unit.watched = revocable and any(s.watched() for s in unit.steps)
        for s in unit.steps:
            unit.touched.update(dict.fromkeys(b for b in s.binds if b.kind == "arena"))
            unit.reads.update(dict.fromkeys(s.reads))
            unit.writes.update(dict.fromkeys(s.writes))
        out.append(unit)
        i = j + 1
    return out


def _places(bufs: Mapping[Buf, None]) -> Iterator[Any]:
    """What of a run's memory buffers are: a variable is one place, read and written."""
    for b in bufs:
        if b.kind in ("var", "out"):
            yield b.kind, b.name if b.kind == "var" else b.index
        elif b.kind in ("arena", "counters"):
            yield b if b.kind == "arena" else ("counters", b.index)


def _after(units: Sequence[_Unit]) -> list[dict[int, None]]:
    """For each unit those that must come after it."""
    then: list[dict[int, None]] = [{} for _ in units]
    wrote: dict[Any, int] = {}
    read: dict[Any, list[int]] = {}
    commits = [i for i, u in enumerate(units) if u.commit]
    for i, u in enumerate(units):
        before: list[int] = []
        reads = dict.fromkeys(_places(u.reads))
        for p in reads:
            before += [wrote[p]] if p in wrote else []
            read.setdefault(p, []).append(i)
        for p in (*_places(u.writes), *[p for p in _places(u.touched) if p not in reads]):
            before += read.pop(p, ())
            before += [wrote[p]] if p in wrote else []
            wrote[p] = i
        for j in before:
            if j != i:
                then[j][i] = None
        if u.fails and not u.commit:
            then[i].update((j, None) for j in commits if j > i)
    return then


def _order(units: list[_Unit], size: Callable[[Buf], int]) -> list[_Unit]:
    """The units in an order that frees memory early: who frees goes first, else as they were."""
    then = _after(units)
    waits = [0] * len(units)
    for later in then:
        for j in later:
            waits[j] += 1
    uses: dict[Buf, int] = {}
    for u in units:
        for b in u.touched:
            uses[b] = uses.get(b, 0) + 1
    alive: set[Buf] = set()
    little = max(map(size, uses), default=0) // 256  # what hardly grows may be waited for

    def growth(i: int) -> int:
        made = sum(size(b) for b in units[i].touched if b not in alive)
        return made - sum(size(b) for b in units[i].touched if uses[b] == 1)

    ready = [i for i, n in enumerate(waits) if not n]
    out: list[_Unit] = []
    while ready:
        best = next((i for i in sorted(ready) if growth(i) <= little), min(ready))
        ready.remove(best)
        out.append(units[best])
        for b in units[best].touched:
            uses[b] -= 1
            alive.add(b)
        for j in then[best]:
            waits[j] -= 1
            if not waits[j]:
                ready.append(j)
    return out


# ------------------------------------------------------------------- the search


class _Making:
    """A plan in the making: which versions of values there are by now."""

    def __init__(self, search: _Search) -> None:
        self.makers, self.last = search.makers, search.last
        self.is_cut = search.is_cut
        self.entries: list[_Entry] = []
        self.now: dict[Buf, tuple[int, float]] = {}  # version, and when it was made
        self.count: dict[Buf, int] = {}
        self.committed: set[str] = set()

    def unit(self, t: int, u: _Unit) -> None:
        """The steps of a unit, behind those that compute again what it needs."""
        now = self.now
        versions = {b: self.need(b, t, 0) for b in u.touched if b not in u.writes or b in now}
        now.update((b, (0, t)) for b in u.writes if b.kind == "arena" and b not in now)
        self.entries += [_Entry(s, t, False, versions) for s in u.steps]
        if u.commit:
            self.committed.update(b.name for b in u.writes if b.kind == "var")

    def need(self, b: Buf, time: float, depth: int) -> int:
        """The version of a value that is there at a time."""
        version, born = self.now.get(b, (0, time))  # what nobody has written begins empty
        return self.make(b, time, depth + 1) if self.is_cut(b, born, time) else version

    def make(self, b: Buf, time: float, depth: int) -> int:
        """Compute a value again."""
        s = self.makers.get(b)
        if s is None or depth > DEPTH:
            raise _Impossible
        if any(r.kind == "var" and r.name in self.committed for r in s.reads):
            raise _Impossible
        at = time if time % 1 else time - 0.5
        versions = {r: self.need(r, at, depth) for r in s.reads if r.kind == "arena"}
        for w in s.writes:
            if w.kind != "arena":
                continue
            gone = self.is_cut(w, self.now[w][1], at)
            if w is not b and not gone and self.last[w] > at:
                versions[w] = self.now[w][0]  # it is there still, and gets the same bits again
                continue
            self.count[w] = versions[w] = self.count.get(w, 0) + 1
            if w is b or gone:
                self.now[w] = versions[w], at
        self.entries.append(_Entry(s, at, True, versions))
        return versions[b]


class _Search:
    """Which values are let go of, and when."""

    def __init__(self, plan: Plan, size: Sizes, threads: int, revocable: bool) -> None:
        self.sizes = size
        self.env = plan.facts.env
        self.bytes: dict[Buf, int] = {}
        self.extra: dict[StepSpec, int] = {}
        for s in plan.steps:
            more = sum(size(b.data) * threads for b in s.binds if b.kind == "scratch")
            if s.code.contraction is not None:
                p = gemm_plan(s, size, threads)[1]
                more += p.scratch + p.packed
            self.extra[s] = more
            for b in s.binds:
                if b.kind == "arena":
                    self.bytes[b] = padded(b, size)
        self.units = _order(_units(plan.steps, plan.revocable), self.bytes.__getitem__)
        self.spans = {s: u for u in self.units if u.block for s in u.steps}
        self.makers = self._makers()
        #: The last unit that reads each buffer, as long as nothing is computed again.
        self.last = {b: t for t, u in enumerate(self.units) for b in u.touched}
        self.costs: dict[StepSpec, float] = {}
        self.cuts: dict[Buf, list[float]] = {}
        self.next = 1 + max((b.index for b in self.bytes), default=0)
        self.work = 0
        self.entries = self.generate()
        self.live, self.spread = self.profile(self.entries)

    def _makers(self) -> dict[Buf, StepSpec]:
        """The step that makes each buffer, where it can run twice."""
        written: dict[Buf, list[tuple[_Unit, StepSpec]]] = {}
        for u in self.units:
            for s in u.steps:
                for b in dict.fromkeys(s.writes):
                    written.setdefault(b, []).append((u, s))
                if not s.calls:  # a place that holds a buffer: others write it in parts
                    for b in s.binds:
                        written.setdefault(b, []).append((u, s))
        once = {b for b, by in written.items() if len(by) == 1}
        out: dict[Buf, StepSpec] = {}
        for b, by in written.items():
            u, s = by[0]
            if b.kind != "arena" or b not in once or u.block or s.commit or not s.calls:
                continue
            if s.code.name == "draw" or any(
                w not in once or w.kind not in ("arena", "scratch", "out") for w in s.writes
            ):
                continue
            if any(r.kind == "arena" and r not in once for r in s.reads):
                continue
            out[b] = s
        return out

    def cost(self, s: StepSpec) -> float:
        """Nanoseconds of a step, roughly."""
        found = self.costs.get(s)
        if found is None:
            env = dict(self.env)
            env.update((Symbol(k), self.sizes(v)) for k, v in s.attrs.items())
            flops, moved = kernel_work(s.code.kernel, env)
            found = self.costs[s] = CALL_NS + FLOP_NS * flops + BYTE_NS * moved
        return found

    # ------------------------------------------------------------- plans

    def is_cut(self, b: Buf, born: float, used: float) -> bool:
        return any(born < c < used for c in self.cuts.get(b, ()))

    def generate(self) -> list[_Entry]:
        """The steps of a plan with these cuts.

        Raises
        ------
        _Impossible
            When something cannot be computed where it is wanted.
        """
        made = _Making(self)
        for t, u in enumerate(self.units):
            made.unit(t, u)
        self.work += len(made.entries)
        return made.entries

    def spans_of(self, entries: Sequence[_Entry]) -> dict[tuple[Buf, int], list[int]]:
        """The entries that touch each version of a buffer."""
        out: dict[tuple[Buf, int], list[int]] = {}
        ends: dict[_Unit, int] = {}
        for i, e in enumerate(entries):
            if e.step in self.spans:
                ends[self.spans[e.step]] = i
        for i, e in enumerate(entries):
            block = self.spans.get(e.step)
            for b in e.step.binds:
                if b.kind == "arena":
                    at = out.setdefault((b, e.versions.get(b, 0)), [])
                    at.append(i)
                    if block is not None and entries[at[0]].time < e.time:
                        at.append(ends[block])
        return out

    def profile(
        self, entries: Sequence[_Entry]
    ) -> tuple[list[int], dict[tuple[Buf, int], list[int]]]:
        """Bytes in use at each entry."""
        spread = self.spans_of(entries)
        changes = [0] * (len(entries) + 1)
        for (b, _), at in spread.items():
            changes[at[0]] += self.bytes[b]
            changes[max(at) + 1] -= self.bytes[b]
        out, alive = [], 0
        for e, c in zip(entries, changes, strict=False):
            alive += c
            out.append(alive + self.extra[e.step])
        return out, spread

    # ------------------------------------------------------------- looking for cuts

    def lower(self, target: int) -> int:
        """Cut until no step has more than `target` bytes in use, or nothing helps; the most."""
        most = max(self.live)
        while most > target and self.work < BUDGET and self.improve(most):
            most = max(self.live)
        return most

    def improve(self, most: int) -> bool:
        """Make one cut that lowers the peak."""
        at = self.live.index(most)
        tops = self.live.count(most)
        time = self.entries[at].time
        for b in self.candidates(at):
            cut = self.with_operands(b, time)
            for c in cut:
                self.cuts.setdefault(c, []).append(time)
            try:
                entries = self.generate()
                live, spread = self.profile(entries)
                new = max(live)
                if new < most or (new == most and live.count(most) < tops):
                    self.entries, self.live, self.spread = entries, live, spread
                    return True
            except _Impossible:
                pass
            for c in cut:
                self.cuts[c].remove(time)
            if self.work >= BUDGET:
                break
        return False

    def with_operands(self, b: Buf, time: float) -> list[Buf]:
        """A value and those it is made of that would have to be kept for it alone."""
        out, stack = [b], [b]
        while stack and len(out) < DEPTH:
            for r in self.makers[stack.pop()].reads:
                large = r in self.makers and 8 * self.bytes[r] > self.bytes[b]
                if large and self.last[r] < time and r not in out:
                    out.append(r)
                    stack.append(r)
        return out

    def candidates(self, at: int) -> list[Buf]:
        """Values that are alive at an entry and not used there, the best to let go of first."""
        time = self.entries[at].time
        found: list[tuple[float, int, Buf]] = []
        for (b, _), uses in self.spread.items():
            if b not in self.makers or not uses[0] < at < max(uses) or at in uses:
                continue
            later = min(self.entries[i].time for i in uses if i > at)
            before = max(self.entries[i].time for i in uses if i < at)
            if later > time + 0.5 and before < time:
                price = self.price(b, later, 0)
                found.append((price / max(self.bytes[b], 1), uses[0], b))
        return [b for _, _, b in sorted(found, key=lambda f: f[:2])]

    def price(self, b: Buf, time: float, depth: int) -> float:
        """What computing a value again costs, with operands that are gone by then."""
        s = self.makers.get(b)
        if s is None or depth > 20:
            return float("inf")
        total = self.cost(s)
        for r in s.reads:
            gone = r.kind == "arena" and self.last[r] < time and 8 * self.bytes[r] > self.bytes[b]
            if gone or (self.cuts.get(r) and min(self.cuts[r]) < time):
                total += self.price(r, time, depth + 1)
        return total

    # ------------------------------------------------------------- the result

    def again(self) -> list[StepSpec]:
        """Steps that run twice."""
        return [e.step for e in self.entries if e.again]

    def realize(
        self, loops: Sequence[tuple[StepSpec, StepSpec]]
    ) -> tuple[list[StepSpec], list[tuple[StepSpec, StepSpec]]]:
        """Steps with buffers of their own for values that are made again, and the loops."""
        made: dict[tuple[Buf, int], Buf] = {}
        new: dict[StepSpec, StepSpec] = {}  # what stands for a step of the old plan
        out: list[StepSpec] = []
        final = False
        for e in self.entries:
            final |= e.step.commit
            s = dataclasses.replace(e.step, commit=final and e.step.calls)
            for b in dict.fromkeys(s.binds):
                if b.kind == "scratch" and e.again:
                    s.replace(b, Buf(b.kind, b.dtype, b.count, b.index, b.name, b.data))
                    continue
                key = b, e.versions.get(b, 0)
                if key[1]:
                    if key not in made:
                        made[key] = Buf(b.kind, b.dtype, b.count, self.next, b.name, b.data)
                        made[key].inner = b.inner
                        self.next += 1
                    s.replace(b, made[key])
            if not e.again:
                new[e.step] = s
            out.append(s)
        for s in out:
            if s.target is not None:
                s.target = new[s.target]
            s.panels = None  # they would live long: each product packs for itself
            if s.ahead is not None:
                s.ahead = new[s.ahead[0]], new[s.ahead[1]]
        return out, [(new[a], new[b]) for a, b in loops]


def sizes_of(env: Mapping[Symbol, int]) -> Sizes:
    """Sizes in a run, remembered."""
    known: dict[Any, int] = {}

    def size(d: Any) -> int:
        if type(d) is int:
            return d
        n = known.get(d)
        if n is None:
            n = known[d] = D.evaluate(d, env)
        return n

    return size
