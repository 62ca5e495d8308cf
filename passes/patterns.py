"""Symbols for the sizes of a run, and what their form says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.ir.dims import Dim, Expr, Shape, Symbol

__all__ = ["may_be_negative", "pattern"]


def pattern(
    shapes: Iterable[tuple[Shape | None, Sequence[int]]],
) -> tuple[list[tuple[Dim, ...]], dict[Symbol, int], tuple[int, ...]]:
    """Symbols for the unknown sizes of feeds: equal sizes share one, 0 and 1 are constants.

    Parameters
    ----------
    shapes : pairs of (static shape, actual shape)

    Returns
    -------
    shapes, sizes, key
        The symbolic shape of each feed, the value of each symbol, and the pattern itself.
    """
    out: list[tuple[Dim, ...]] = []
    env: dict[Symbol, int] = {}
    by_size: dict[int, Expr] = {}
    key: list[int] = []
    for static, actual in shapes:
        shape: list[Dim] = []
        key.append(-len(actual) - 2)
        for i, n in enumerate(actual):
            s = None if static is None else static[i]
            if type(s) is int:
                shape.append(s)
            elif n <= 1:
                shape.append(n)
                key.append(-1 if n == 0 else -2)
            else:
                d = by_size.get(n)
                if d is None:
                    d = by_size[n] = Expr.symbol(
                        _NAMES[len(by_size)] if len(by_size) < len(_NAMES) else f"n{len(by_size)}"
                    )
                    env[Symbol(str(d))] = n
                shape.append(d)
                key.append(list(by_size).index(n))
        out.append(tuple(shape))
    return out, env, tuple(key)


_NAMES = ("b", "n", "m", "p", "q", "r", "s", "t")


def may_be_negative(d: Dim) -> bool:
    """Whether the form of a size leaves open that it is below zero."""
    if type(d) is int:
        return d < 0
    return any(c < 0 or any(map(_atom_below, m)) for m, c in d.terms)  # type: ignore[union-attr]


def _atom_below(a: Any) -> bool:
    if isinstance(a, Symbol):
        return a.name.startswith("v")  # a fed number; all others are sizes
    ends = [may_be_negative(a.a), may_be_negative(a.b)]
    return all(ends) if a.op == "max" else any(ends)
