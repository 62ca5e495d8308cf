"""Long straight bodies of loops in stages: software pipelining on LLVM instructions.

A body of a hundred instructions that wait for each other fills a processor's window with one
or two iterations, and its units stand still. Cut into stages, each iteration of the loop does
the last stage of its own vector, the stage before for the next vector, and so on: short chains
side by side. Stages are cut by time on the longest chain, not by place in the program, so that
two functions of one value are in the same stage.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from graphc.runtime.llvm.modulo import Work, least_interval, longest_chain, schedule

__all__ = ["Stages", "cut", "pipelined"]

#: Cycles until a result is there, about, on the processors of these years.
_CYCLES = {"fdiv": 12, "fadd": 4, "fsub": 4, "fmul": 4, "fcmp": 3, "mul": 4, "sitofp": 4,
           "uitofp": 4, "fptosi": 4, "fptoui": 4, "fpext": 4, "fptrunc": 4,
           "bitcast": 0}  # fmt: skip
_CALL, _SQRT = 4, 18
#: Cycles of the longest chain to a stage: what is tried. Taken is the number of stages with the
#: smallest sum of these cycles and of the values kept in registers. At most so many stages.
LONGEST, SHORTEST, MOST = 36, 14, 10
LEAST = 64  # cycles of the longest chain from which on stages pay
REGISTERS = 26  # of vectors, at most, to keep values in
#: By modulo scheduling: registers kept up to which an interval is taken as it is, and
#: instructions that LLVM may put in another order.
AROUND, TOGETHER = 18, 8


def _cycles(n: Any) -> int:
    if isinstance(n, ir.CallInstr):
        return _SQRT if "sqrt" in n.callee.name else _CALL
    return _CYCLES.get(n.opname, 1)


def _registers(t: Any) -> int:
    """Registers of 64 bytes that a value of a type takes."""
    if not isinstance(t, ir.VectorType):
        return 0
    lanes = int(t.count)
    return max(1, lanes * _BYTES.get(str(t.element), 4) // 64)


_BYTES = {"double": 8, "i64": 8, "half": 2, "i16": 2, "i8": 1, "i1": 0}


def _address(n: Any) -> Any:
    """Where an instruction reads memory; None for others."""
    reads = n.opname == "load" or (n.opname == "call" and "masked.load" in n.callee.name)
    return n.operands[0] if reads else None


class Stages:
    """The instructions of a body by stage.

    Attributes
    ----------
    count : int
    live : list of list of instruction
        What each stage but the last leaves to those after it.
    registers : int
        How many registers that takes.
    order : list of instruction
        What is not free, in the order in which it is begun.
    ordered : bool
        Whether that order is to be kept.
    """

    def __init__(
        self, body: Sequence[Any], free: set[Any], stage: Mapping[Any, int], count: int,
        results: Iterable[Any], order: Sequence[Any] | None = None,
    ) -> None:  # fmt: skip
        self.body = body
        self.free = free
        self.stage = stage
        self.count = count
        self.ordered = order is not None
        self.order = sorted(stage, key=lambda n: stage[n]) if order is None else order
        last_use: dict[Any, int] = {}
        for n in body:
            if n not in free:
                for v in n.operands:
                    if v in stage:
                        last_use[v] = max(last_use.get(v, 0), stage[n])
        for v in results:
            if v in stage:
                last_use[v] = count - 1
        self.live: list[list[Any]] = [
            [v for v in body if v in stage and stage[v] <= b < last_use.get(v, 0)]
            for b in range(count - 1)
        ]
        self.registers = sum(_registers(v.type) for part in self.live for v in part)
        #: Whether a later stage reads memory at a kept address: of the first vectors that is zero.
        self.strays = any(stage.get(n, 0) > 0 and _address(n) in stage for n in body)

    def emit(
        self, builder: Any, known: Sequence[dict[Any, Any]], results: Iterable[Any] = ()
    ) -> None:
        """Add the instructions of the first `len(known)` stages, each of a vector of its own.

        `known` has for each stage what comes from outside, and learns.
        """
        for i, n in enumerate(self.order):
            b = self.stage[n]
            if b < len(known):
                self._add(n, builder, known[b])
                if self.ordered and i % TOGETHER == 0:
                    _label(builder)
        for v in results:
            self._add(v, builder, known[-1])
        builder.position_at_end(builder.block)

    def _add(self, n: Any, builder: Any, known: dict[Any, Any]) -> None:
        """Add `n` after what costs nothing: that is made where it is used."""
        waiting = [n]
        while waiting:
            v = waiting[-1]
            before = (
                [] if v in known else [o for o in v.operands if o in self.free and o not in known]
            )
            if before:
                waiting += before
                continue
            waiting.pop()
            if v not in known and (v in self.free or v in self.stage):
                known[v] = _copied(v, builder.block, known)


def _label(builder: Any) -> None:
    """A label without code: LLVM's scheduler moves nothing across.

    It would make chains of what stands side by side, as that takes less registers (measured: a
    tenth of the time, with 8 instructions between labels or with 2).
    """
    builder.position_at_end(builder.block)
    module = builder.module
    f = module.globals.get(_LABEL)
    if f is None:
        f = ir.Function(module, ir.FunctionType(ir.VoidType(), [ir.MetaDataType()]), _LABEL)
    builder.call(f, [module.add_metadata(["order"])])


_LABEL = "llvm.codeview.annotation"


def _copied(n: Any, block: Any, known: Mapping[Any, Any]) -> Any:
    """`n` on other operands at the end of a block."""
    new = copy.copy(n)
    for cached in ("_StrCaching__cached_str", "_StringReferenceCaching__cached_refstr"):
        new.__dict__.pop(cached, None)
    new.parent = block
    new.operands = [known.get(v, v) for v in n.operands]
    if isinstance(n, ir.GEPInstr):
        new.pointer, new.indices = new.operands[0], new.operands[1:]
    if not isinstance(n.type, ir.VoidType):
        new.name = n.name
    block.instructions.append(new)
    return new


def pipelined(body: Sequence[Any], results: Sequence[Any]) -> Stages | None:
    """The stages of a body by modulo scheduling, in the order in which they are best begun.

    For loops of which several iterations are written out: else each value that waits for longer
    than an iteration costs a move. None for what is too short or has too many values.
    """
    free = _free(body)
    used = set(results)  # the others, such as products by a sigmoid's factor, LLVM drops
    for n in reversed(body):
        if n in used or isinstance(n.type, ir.VoidType):
            used.add(n)
            used.update(n.operands)
    body = [n for n in body if n in free or n in used]
    nodes = [n for n in body if n not in free]
    number = {n: i for i, n in enumerate(nodes)}
    users: dict[Any, list[Any]] = {n: [] for n in nodes}
    before = {}
    for i, n in enumerate(nodes):
        before[i] = [number[v] for v in n.operands if v in number]
        for j in before[i]:
            users[nodes[j]].append(n)
    works = [_work(n, users[n]) for n in nodes]
    if longest_chain(works, before) < LEAST:
        return None
    least, wanted = least_interval(works), set(results)
    best: Stages | None = None
    for interval in range(least, least + max(4, least // 2)):
        at = schedule(works, before, interval)
        if at is None:
            continue
        end = max(at)
        lives = [
            (t, end if n in wanted else max((at[number[u]] for u in users[n]), default=t), size)
            for n, t in zip(nodes, at, strict=True)
            if (size := _registers(n.type))
        ]
        shift = min(range(interval), key=lambda s: _kept_over(lives, s, interval))
        when = dict(zip(nodes, (t + shift for t in at), strict=True))
        stage = {n: t // interval for n, t in when.items()}
        order = sorted(nodes, key=lambda n: (when[n] % interval, number[n]))
        one = Stages(body, free, stage, max(stage.values()) + 1, results, order)
        if not one.strays and (best is None or one.registers < best.registers):
            best = one
        if best is not None and best.registers <= AROUND:
            break
    return best if best is not None and best.registers <= REGISTERS else None


def _kept_over(lives: Sequence[tuple[int, int, int]], shift: int, interval: int) -> int:
    """Registers that go on to the next iteration where it begins `shift` cycles earlier."""
    return sum(
        size * ((last + shift) // interval - (first + shift) // interval)
        for first, last, size in lives
    )


def _work(n: Any, users: Sequence[Any]) -> Work:
    """What an instruction takes, of which each is as many as its values have registers."""
    one = _work_of_one(n, users)
    times = max([_registers(v.type) for v in (n, *n.operands)], default=1) or 1
    return Work(one.cycles, *(times * units for units in one[1:]))


def _work_of_one(n: Any, users: Sequence[Any]) -> Work:
    """What an instruction takes of processors with vectors of 64 bytes (measured on Zen 5).

    A tenth less than the cycles until a result is there: what waits, the processor keeps.
    """
    match n.opname:
        case "fdiv":
            return Work(10, multiply=2)
        case "fmul" | "fadd" | "fsub":
            return Work(3, multiply=n.opname == "fmul", add=n.opname != "fmul")
        case "bitcast" | "fneg":
            return Work(0)
        case "fcmp":
            if all(u.opname == "select" and set(u.operands[1:]) == set(n.operands) for u in users):
                return Work(0)  # a minimum or maximum
            return Work(4, add=2)
        case "select" | "lshr" | "ashr" | "shl":
            return Work(2, add=1)
        case "call":
            name = n.callee.name
            return next((w for part, w in _CALLS.items() if part in name), Work(3, add=1))
    return Work(1)


_CALLS = {"fma": Work(4, multiply=1), "perm": Work(4, permute=1), "scalef": Work(5, add=2),
          "sqrt": Work(16, multiply=4)}  # fmt: skip


def cut(body: Sequence[Any], results: Sequence[Any], trips: int | None = None) -> Stages | None:
    """The stages of a body without branches; None when it is too short for them.

    Parameters
    ----------
    body : list of instruction
        The first is the number of the iteration.
    results : list of value
        What is needed after the last stage.
    trips : int, optional
        Iterations of the loop: each stage after the first takes the time of one more.
    """
    free = _free(body)
    ready: dict[Any, int] = {}  # when the operands of an instruction are there
    users: dict[Any, list[Any]] = {}
    total = 0
    for n in body:
        if n in free:
            continue
        operands = [v for v in n.operands if v in ready]
        ready[n] = max([ready[v] + _cycles(v) for v in operands], default=0)
        total = max(total, ready[n] + _cycles(n))
        for v in operands:
            users.setdefault(v, []).append(n)
    if total < LEAST:
        return None
    counts = range(max(2, total // LONGEST), min(MOST, total // SHORTEST) + 1)
    tried = [Stages(body, free, _placed(body, ready, users, total, c), c, results) for c in counts]
    tried = [s for s in tried if s.registers <= REGISTERS and not s.strays]

    def cost(s: Stages) -> float:
        more = s.count / trips if trips else 0
        return (total // s.count + s.registers) * (1 + more)

    return min(tried, key=cost, default=None)


def _placed(
    body: Sequence[Any], ready: Mapping[Any, int], users: Mapping[Any, Sequence[Any]], total: int,
    count: int,
) -> dict[Any, int]:  # fmt: skip
    """The stage of each instruction that has one."""
    last = count - 1
    stage = {n: min(last, t * count // total) for n, t in ready.items()}
    late: dict[Any, int] = {}  # when it must be begun
    for n in reversed(body):
        if n not in ready:
            continue
        if isinstance(n.type, ir.VoidType):
            late[n], stage[n] = total, last
            continue
        late[n] = min([late[u] for u in users.get(n, ())], default=total) - _cycles(n)
        latest = min([stage[u] for u in users.get(n, ())], default=last)
        latest = min(latest, late[n] * count // total)
        while stage[n] < latest and not _kept(n, stage, users):
            stage[n] += 1  # it waits where that takes no register more than to keep it
    return stage


def _kept(n: Any, stage: Mapping[Any, int], users: Mapping[Any, Sequence[Any]]) -> bool:
    """Whether an operand of `n` would have to be kept for it alone, were it done a stage later."""
    now = stage[n]
    return any(v in stage and all(u is n or stage[u] <= now for u in users[v]) for v in n.operands)


_DIVISIONS = frozenset({"sdiv", "udiv", "srem", "urem"})
_SLOW = _DIVISIONS | {"fdiv", "frem", "call", "store"}


# of one number loaded: a part of the load, or of what uses it
_SPREAD = frozenset({"bitcast", "insertelement", "shufflevector"})


def _is_slow(n: Any) -> bool:
    by_constant = n.opname in _DIVISIONS and isinstance(n.operands[1], ir.Constant)
    return n.opname in _SLOW and not by_constant


def _free(body: Sequence[Any]) -> set[Any]:
    """What is not worth keeping: index arithmetic, what no iteration changes, loads by index."""
    inside = set(body)
    free: set[Any] = {body[0]}
    loaded: set[Any] = set()
    for n in body[1:]:
        operands = [v for v in n.operands if v in inside]
        if _is_slow(n) or not free.issuperset(operands):
            continue
        if n.opname == "load":
            loaded.add(n)
            free.add(n)
        elif loaded.isdisjoint(operands) or n.opname in _SPREAD:
            free.add(n)
            if not loaded.isdisjoint(operands):
                loaded.add(n)
    return free
