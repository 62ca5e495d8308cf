"""What a value is made of, as far as gradients go: through the insides of loops and conds."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.ir.node import Node, Value
from graphc.ir.region import Branch, Context, Loop, context_of
from graphc.ops.record import no_grad

__all__ = ["active_variables", "reaches"]


#: The inputs of constructs that what was asked of them depends on: asked on several ways.
Memo = dict[tuple[Node, frozenset[Value]], list[Value]]


def reaches(
    roots: Iterable[Value], inside: Context, stop: set[Value], memo: Memo | None = None
) -> set[Value]:
    """The float values that `roots` are made of, up to those outside of `inside`.

    Of a construct in between only what its outputs that are read depend on; nothing behind ops
    through which no gradient goes.
    """
    memo = {} if memo is None else memo
    out: set[Value] = set()
    asked: dict[Node, set[Value]] = {}  # outputs of constructs, and values saved in loops
    stack = [v for v in roots if v.dtype.kind in "fc" and v not in stop]
    while stack:
        v = stack.pop()
        if v in out:
            continue
        out.add(v)
        n = v.node
        c = context_of(n)
        if c is None or not c.within(inside):
            continue
        if n.op.name == "saved":
            around = n.attrs["loop"].node
            sources: Iterable[Value] = () if around is None else _sources(
                around, n.attrs["value"], asked, stop, memo
            )  # fmt: skip
        elif "contexts" in n.op.facts:
            sources = _sources(n, v, asked, stop, memo)
        elif n.op.grad is no_grad or n.op.name == "stop_gradient":
            sources = ()
        else:
            sources = n.inputs
        stack += [x for x in sources if x.dtype.kind in "fc" and x not in stop]
    return out


def active_variables(
    n: Node, first: Iterable[int], inner: Iterable[Value], stop: set[Value],
    memo: Memo | None = None,
) -> tuple[set[int], set[Value]]:  # fmt: skip
    """The variables that some of a loop's, and values inside, depend on; and what is reached."""
    loop: Loop = n.attrs["loop"]
    memo = {} if memo is None else memo
    active, inner = set(first), list(inner)
    while True:
        reached = reaches([*[loop.results[j] for j in sorted(active)], *inner], loop, stop, memo)
        more = {j for j, p in enumerate(loop.params) if p in reached} - active
        if not more:
            return active, reached
        active |= more


def _sources(
    n: Node, v: Value, asked: dict[Node, set[Value]], stop: set[Value], memo: Memo
) -> list[Value]:
    """The inputs of a construct that one of its outputs, or a value inside, depends on."""
    known = asked.setdefault(n, set())
    known.add(v)
    key = n, frozenset(known)
    if key not in memo:
        memo[key] = _of_all(n, known, stop, memo)
    return memo[key]


def _of_all(n: Node, known: set[Value], stop: set[Value], memo: Memo) -> list[Value]:
    inside = [x for x in known if x.node is not n]
    given = [x.index for x in known if x.node is n]
    if n.op.name == "loop":
        loop: Loop = n.attrs["loop"]
        count = len(loop.params)
        if not loop.back_prop:
            return []
        if any(j >= count for j in given):  # variables that its inside changes
            return list(n.inputs)
        active, reached = active_variables(n, given, inside, stop, memo)
        return [x for i, x in enumerate(n.inputs) if i in active or (i >= count and x in reached)]
    contexts: tuple[Branch, Branch] = (n.attrs["then"], n.attrs["orelse"])
    if any(j >= len(contexts[0].results) for j in given):
        return list(n.inputs)
    both: set[Value] = set()
    for c in contexts:
        both |= reaches([c.results[j] for j in given], c, stop, memo)
    return [x for x in n.inputs if x in both]
