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

__all__ = ["Stages", "cut"]

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
    """

    def __init__(
        self, body: Sequence[Any], free: set[Any], stage: Mapping[Any, int], count: int,
        results: Iterable[Any],
    ) -> None:  # fmt: skip
        self.body = body
        self.free = free
        self.stage = stage
        self.count = count
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
        self, builder: Any, b: int, known: dict[Any, Any], results: Iterable[Any] = ()
    ) -> None:
        """Add the instructions of stage `b`; `known` has what comes from outside, and learns."""
        needed = {n for n in self.body if self.stage.get(n) == b}
        wanted = [v for n in needed for v in n.operands] + list(results)
        while wanted:  # what costs nothing is made where it is used
            v = wanted.pop()
            if v in self.free and v not in needed and v not in known:
                needed.add(v)
                wanted += v.operands
        for n in self.body:
            if n in needed:
                known[n] = _copied(n, builder.block, known)
        builder.position_at_end(builder.block)


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
