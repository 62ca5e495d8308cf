"""How often a loop runs at most, where that is known before it starts."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Facts
from graphc.ir.known import known
from graphc.ir.node import Value

__all__ = ["counter", "trip_count"]


def trip_count(
    params: Sequence[Value], results: Sequence[Value], test_params: Sequence[Value], test: Value,
    first: Sequence[Value], facts: Facts,
) -> tuple[Dim, bool] | None:  # fmt: skip
    """The most iterations that a loop makes, and whether it makes exactly so many.

    Known of loops that count upwards to a limit: ``i < n`` with a step that is a constant, and
    ``n`` a number, a size, or the smaller of something and one of these; of several such limits
    the least.

    Parameters
    ----------
    params, results : values of the body
        Loop variables, and what they are in the next iteration.
    test_params, test : values of the condition
    first : values outside
        Initial values.
    """
    parts = _conjuncts(test)
    found: list[tuple[Dim, bool]] = []
    for part in parts:
        one = _limit(part, params, results, test_params, first, facts)
        if one is not None:
            found.append(one)
    if not found:
        return None
    least = found[0][0]
    for count, _ in found[1:]:
        least = count if facts.less(count, least) else least
    return (least, len(found) == len(parts) and all(exact for _, exact in found))


def _conjuncts(test: Value) -> list[Value]:
    out, stack = [], [test]
    while stack:
        v = stack.pop()
        if v.node.op.name == "logical_and":
            stack += reversed(v.node.inputs)
        else:
            out.append(v)
    return out


#: Comparisons of a counter with its limit: (the counter is the first operand, limit included).
_FORMS = {
    "less": (True, 0),
    "less_equal": (True, 1),
    "greater": (False, 0),
    "greater_equal": (False, 1),
}


def _limit(
    part: Value, params: Sequence[Value], results: Sequence[Value], test_params: Sequence[Value],
    first: Sequence[Value], facts: Facts,
) -> tuple[Dim, bool] | None:  # fmt: skip
    n = part.node
    form = _FORMS.get(n.op.name)
    if form is None:
        return None
    counter, end = n.inputs if form[0] else (n.inputs[1], n.inputs[0])
    if counter not in test_params:
        return None
    i = list(test_params).index(counter)
    step = _step(params[i], results[i])
    start = _whole(first[i])
    if step is None or start is None:
        return None
    limit, exact = _upper(end, params, results, test_params, first)
    if limit is None:
        return None
    count = D.ceildiv(limit + form[1] - start, step)
    if type(count) is int:
        return max(count, 0), exact
    if facts.less(count, 0):
        return 0, exact
    return count, exact


def _step(param: Value, result: Value) -> int | None:
    """By how much a counter grows."""
    n = result.node
    if n.op.name != "add" or param not in n.inputs:
        return None
    a, b = n.inputs
    k = _whole(b if a is param else a)
    return k if type(k) is int and k > 0 else None


def counter(
    params: Sequence[Value], results: Sequence[Value], first: Sequence[Value]
) -> int | None:
    """Which loop variable is the number of the iteration, if one is."""
    for i, (p, r, v) in enumerate(zip(params, results, first, strict=True)):
        if p.dtype.code == "i32" and p.rank == 0 and v.node.op.name == "constant":
            if int(v.node.attrs["value"]) == 0 and _step(p, r) == 1:
                return i
    return None


def _whole(v: Value) -> Dim | None:
    if v.dtype.code not in ("i32", "i64"):
        return None
    k = known(v)
    return None if isinstance(k, tuple) else k


def _upper(
    v: Value, params: Sequence[Value], results: Sequence[Value], test_params: Sequence[Value],
    first: Sequence[Value],
) -> tuple[Dim | None, bool]:  # fmt: skip
    """A number that `v` is at most in all iterations, and whether it is always that."""
    facts = D.facts()
    exact = True
    for _ in range(20):
        k = _whole(v)
        if k is not None:
            return k, exact
        if v in test_params:  # a loop variable that stays as it is
            i = list(test_params).index(v)
            if results[i] is not params[i]:
                return None, False
            v = first[i]
        elif facts is not None and facts.inner.get(v) is not None:
            v = facts.inner[v]
        elif facts is not None and v in facts.most:
            return facts.most[v], False
        elif v.node.op.name == "minimum":
            exact = False
            a, b = v.node.inputs
            k = _whole(a)
            if k is not None:
                return k, False
            v = b
        else:
            return None, False
    return None, False
