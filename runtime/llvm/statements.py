"""Facts about the statements of a kernel, before anything is emitted for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphc.ir.dims import Expr
from graphc.ir.kernel import (
    Let,
    Load,
    Loop,
    Reduce,
    Stmt,
    Store,
    Value,
    bodies,
    defined,
    indices,
    operands,
)  # fmt: skip

__all__ = [
    "cost_of",
    "has_vectors",
    "index_names",
    "names_of",
    "reads_of",
    "results_of",
    "streams",
    "sums_of",
]


def names_of(s: Stmt) -> set[str]:
    """Loop variables and %values that `s` itself uses."""
    names = {"%" + o.name for o in operands(s) if isinstance(o, Value)}
    for d in indices(s):
        if isinstance(d, Expr):
            names |= {x.name for x in d.symbols()}
    return names


def has_vectors(body: Sequence[Stmt]) -> bool:
    """Whether a loop inside works on vectors."""
    return any(
        (isinstance(s, Loop | Reduce) and s.kind == "vector")
        or any(has_vectors(inner) for inner in bodies(s))
        for s in body
    )


def streams(body: Sequence[Stmt]) -> bool:
    """Whether a store wishes to bypass the cache."""
    return any(
        s.stream if isinstance(s, Store) else any(streams(inner) for inner in bodies(s))
        for s in body
    )


def results_of(s: Stmt) -> set[str]:
    return {"%" + v.name for v in defined(s)}


_CHEAP = frozenset(
    "add sub mul div neg abs square maximum minimum select cast const index equal not_equal less "
    "less_equal greater greater_equal logical_and logical_or logical_not where sign relu".split()
)


def cost_of(body: Sequence[Stmt]) -> int:
    """About how many instructions a vector of the body takes."""
    total = 0
    for s in body:
        total += 1 if not isinstance(s, Let) or s.op in _CHEAP else 12
        for inner in bodies(s):
            total += cost_of(inner)
    return total


def index_names(s: Stmt) -> set[str]:
    return {x.name for d in indices(s) if isinstance(d, Expr) for x in d.symbols()}


def reads_of(body: Sequence[Stmt]) -> Counter[str]:
    """How many statements read each buffer."""
    found = Counter(s.buf for s in body if isinstance(s, Load))
    for s in body:
        for inner in bodies(s):
            found += reads_of(inner)
    return found


def sums_of(body: Sequence[Stmt]) -> int:
    """How many reductions there are."""
    inner = sum(sums_of(b) for s in body for b in bodies(s))
    return inner + sum(isinstance(s, Reduce) for s in body)
