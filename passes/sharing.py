"""What shares the memory of a variable, as in TF1, and shows what updates wrote there.

Updates write variables that are no resources in place. An op that hands on its operand's memory
(`graphc.ops.sharing`) is no copy: whoever reads its result after an update sees the update. Here
such a result is made again of what the variable is then. What an update returns is the variable
itself. Nothing is asked before there is an update.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from graphc.errors import FailedPreconditionError
from graphc.ir import build
from graphc.ir import dims as D
from graphc.ir.node import Node, Value
from graphc.ops import math, shapes, sharing
from graphc.passes.references import variable_node

if TYPE_CHECKING:
    from graphc.passes.functionalize import Functionalizer

__all__ = ["again", "kept_by", "late", "memory", "operand"]


def operand(v: Value) -> Value | None:
    """The operand in whose memory `v` may be; the fact ``shares`` says whether it is."""
    n, facts = v.node, v.node.op.facts
    if facts.get("alias"):
        return None if "fit_alias" in facts else n.inputs[0]
    if facts.get("aliases"):
        return n.inputs[v.index]
    return n.inputs[0] if "reshape" in facts or "shares" in facts else None


def late(f: Functionalizer, v: Value, made: Value, reader: Node | None) -> Value:
    """The pure value of `v`, which was `made`, for a reader that may come after later updates."""
    facts = v.node.op.facts
    if not facts or (operand(v) is None and "update" not in facts):
        return made
    mask = f.mask(reader)
    news = mask & ~f.after.get(f.representative(v.node), 0)
    found = again(f, v, mask, news) if news else None
    return made if found is None else found


def again(f: Functionalizer, v: Value, mask: int, news: int) -> Value | None:
    """What is in the memory of `v` after the updates of `mask`.

    None where that is what its node saw: it is a copy, or no update of `news` is of its variable.
    """
    chain, root = [], v
    while (source := operand(root)) is not None and not f.settled(root):
        chain.append(root)
        root = source
    if f.settled(root):
        return None
    if root.node.op.name == "conditional":
        value = _chosen(f, root, mask, news)
    elif root.node.op.name == "variable" or "update" in root.node.op.facts:
        variable = variable_node(root)
        if (chain and "resource" in variable.attrs) or not f.changes(variable.attrs["var"], news):
            return None
        # made before an update that puts another array in the variable's place, or after it
        since = f.after.get(f.representative((chain[-1] if chain else root).node), 0)
        value = memory(f, variable.attrs["var"], mask, since, v.node)
    else:
        return None
    rewriter = build.current()
    assert isinstance(rewriter, build.Rewriter)
    before = rewriter.like
    for w in reversed(chain):
        rewriter.like = w.node
        value = None if value is None else _handed_on(f, w, value)
    rewriter.like = before
    return value


def _handed_on(f: Functionalizer, w: Value, value: Value) -> Value | None:
    """`w` with `value` as the operand whose memory it shares; None where it is a copy."""
    n = w.node
    shares = n.op.facts.get("shares")
    if shares is sharing.itself or (shares is None and "reshape" not in n.op.facts):
        return value
    if value.dtype.hosted or not all(f.has(x) for x in n.inputs[1:]):
        return None
    made = f.remade(n, (value, *[f.value(x, n) for x in n.inputs[1:]]))
    return made.outputs[w.index] if shares is None or shares(made, w.index) else None


def _chosen(f: Functionalizer, v: Value, mask: int, news: int) -> Value | None:
    """A result of a cond, one branch of which may hand on a variable's memory."""
    n = v.node
    sides = [n.attrs[k].results for k in ("then", "orelse")]
    if v.index >= len(sides[0]) or v.dtype.hosted or not f.has(v):
        return None
    made = [again(f, side[v.index], mask, news) for side in sides]
    if made == [None, None] or not f.has(n.inputs[0]):
        return None
    old = f.plain(v, n)
    then, orelse = (old if m is None or not f.alike(m, old) else m for m in made)
    return math.select(f.value(n.inputs[0], n), then, orelse)  # type: ignore[no-any-return]


def memory(f: Functionalizer, var: str, mask: int, since: int, reader: Node) -> Value:
    """What the memory holds that a variable had after the updates of `since`.

    An array of as many elements is copied into it; one of another size is put into other memory,
    and who reads this one sees what was in it before.
    """
    history = f.history.get(var, ())
    if not f.moving or not any(bit & f.moving & mask & ~since for bit, _ in history):
        return f.state(var, mask, reader)
    seen: Value | None = None
    for bit, value in history:
        if not bit & mask:
            continue
        if bit & ~since:
            try:
                seen = f.first(var, reader) if seen is None else seen
            except FailedPreconditionError:  # what is made in this run has one shape
                seen = value
            if not f.alike(seen, value):
                given, made = seen.static_shape, value.static_shape
                if given is None or made is None or not D.same(D.product(given), D.product(made)):
                    return seen
                value = shapes.reshape_static(value, given)
        seen = value
    return f.first(var, reader) if seen is None else seen


def kept_by(v: Value, variables: Container[str]) -> bool:
    """Whether `v` is in the memory of one of `variables`, whatever the sizes of a run are."""
    chain = []
    while (source := operand(v)) is not None:
        chain.append(v)
        v = source
    n = v.node
    if n.op.name != "variable" or "resource" in n.attrs or n.attrs["var"] not in variables:
        return False
    return bool(chain) and all(
        len(w.node.inputs) == 1
        and not w.node.control
        and w.node.op.facts.get("shares", sharing.always)(w.node, w.index)
        for w in chain
    )
