"""Algebra: the rule table, each rule one line with its licence.

A pattern is a graph built with the user's own functions on wildcards. A rule without a
licence is exact to the bit for every value, NaN, infinities and -0.0 included; any other
names in ``needs`` what it assumes. The right side is smaller in a fixed order (fewer and
cheaper nodes), so rules end and cannot fight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from graphc.ir import build, dtypes
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ops.record import op

__all__ = [
    "DEFAULT", "LICENCES", "RULES", "Match", "Rule", "any_of", "apply_rules", "constant_wild", "node", "rule",
    "simplify", "wild",
]  # fmt: skip

#: What a rule may assume, and what that changes.
LICENCES: dict[str, str] = {
    "NO_SIGNED_ZERO": "the sign of a zero result may change",
    "REASSOC": "a sum or product is grouped differently: rounding may change",
    "STABLER": "the result has a smaller error than the formula as written",
    "NO_NAN": "a NaN or infinity may become a number",
    "SAME_ROUNDING": "one rounding fewer: the result may differ in the last bit",
}

#: The licences in force unless a session says otherwise.
DEFAULT: frozenset[str] = frozenset({"STABLER"})

Match = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rewrite: `left` becomes `right`.

    Attributes
    ----------
    name : str
        The left side as text.
    left : Value
        The pattern.
    right : Value or callable
        Another pattern over the same wildcards, or ``f(**captures)`` that builds the
        replacement (None: it does not apply).
    needs : str
        A licence of `LICENCES`, or "".
    kinds : str
        Element kinds of the result for which the rule holds.
    """

    name: str
    left: Value
    right: Any
    needs: str = ""
    kinds: str = "fiubs"
    source: str = field(default="", compare=False)


# ------------------------------------------------------------------------- patterns


def _wild_infer(inputs: Sequence[Value], attrs: Mapping[str, Any]) -> Any:
    return [(attrs["dtype"], None)]


_wildcard = op(
    "wildcard", "Wildcard", "state", doc="Stands for any value in a pattern.", infer=_wild_infer, types="fiubs"
)  # fmt: skip


def wild(name: str, dtype: DType = dtypes.float32) -> Value:
    """A wildcard: any value; one name stands for one value throughout a rule."""
    return Node(_wildcard, (), {"name": name, "dtype": dtype, "constant": False}, [(dtype, None)], name).outputs[0]


def constant_wild(name: str, dtype: DType = dtypes.float32) -> Value:
    """A wildcard that stands for constants only."""
    return Node(_wildcard, (), {"name": name, "dtype": dtype, "constant": True}, [(dtype, None)], name).outputs[0]


class _AnyAttr:
    """An attribute that a pattern captures under a name."""

    def __init__(self, name: str) -> None:
        self.name = name


def any_of(name: str) -> Any:
    """In `node`: capture this attribute."""
    return _AnyAttr(name)


def node(op_name: str, *inputs: Value, **attrs: Any) -> Value:
    """A pattern node by its op's name; attributes not given match anything."""
    from graphc.ops.record import OPS

    return Node(OPS[op_name], inputs, {**attrs, "_partial": True}, [(dtypes.float32, None)], op_name).outputs[0]


COMMUTATIVE = frozenset(
    "add multiply maximum minimum logical_and logical_or logical_xor equal not_equal"
    " bitwise_and bitwise_or bitwise_xor squared_difference".split()
)


def match(pattern: Value, v: Value, found: Match) -> bool:
    """Whether `v` has the form of `pattern`; captures go to `found`."""
    p = pattern.node
    if p.op is _wildcard:
        name = p.attrs["name"]
        if name in found:
            return same_value(found[name], v)
        if p.attrs["constant"] and v.node.op.name != "constant":
            return False
        found[name] = v
        return True
    n = v.node
    if p.op.name == "constant":
        return n.op.name == "constant" and same_constant(p.attrs["value"], n.attrs["value"])
    if p.op is not n.op or pattern.index != v.index or len(p.inputs) != len(n.inputs):
        return False
    if not match_attrs(p, n, found):
        return False
    if p.op.name in COMMUTATIVE:
        before = dict(found)
        if match(p.inputs[0], n.inputs[0], found) and match(p.inputs[1], n.inputs[1], found):
            return True
        found.clear()
        found.update(before)
        return match(p.inputs[0], n.inputs[1], found) and match(p.inputs[1], n.inputs[0], found)
    return all(match(a, b, found) for a, b in zip(p.inputs, n.inputs, strict=True))


def match_attrs(p: Node, n: Node, found: Match) -> bool:
    for k, want in p.attrs.items():
        if k == "_partial":
            continue
        have = n.attrs.get(k)
        if isinstance(want, _AnyAttr):
            if want.name in found and found[want.name] != have:
                return False
            found[want.name] = have
        elif want != have:
            return False
    return True


def same_value(a: Any, b: Value) -> bool:
    if a is b:
        return True
    return (
        isinstance(a, Value) and a.node.op.name == "constant" == b.node.op.name
        and a.dtype is b.dtype and np.array_equal(a.node.attrs["value"], b.node.attrs["value"])
    )  # fmt: skip


def same_constant(pattern: np.ndarray[Any, Any], value: np.ndarray[Any, Any]) -> bool:
    """Every element of `value` is the pattern's number, sign of zero included."""
    x = pattern.reshape(-1)[0]
    if not value.size or value.dtype.kind in "SO":
        return False
    with np.errstate(all="ignore"):
        want = np.asarray(x).astype(value.dtype)
    if want.astype(np.float64) != np.float64(x):
        return False
    first = value.reshape(-1)
    if not bool((first == want).all()):
        return False
    return value.dtype.kind != "f" or bool((np.signbit(first) == np.signbit(want)).all())


# ------------------------------------------------------------------------- the table

RULES: list[Rule] = []


def rule(left: Value, right: Any, needs: str = "", kinds: str = "fiubs") -> Rule:
    """Enter a rule in the table."""
    if needs and needs not in LICENCES:
        raise ValueError(f"unknown licence {needs!r}; there are {', '.join(LICENCES)}")
    r = Rule(pattern_text(left), left, right, needs, kinds)
    RULES.append(r)
    return r


def pattern_text(v: Value) -> str:
    """A pattern as one writes it."""
    n = v.node
    if n.op is _wildcard:
        return str(n.attrs["name"])
    if n.op.name == "constant":
        return f"{n.attrs['value'].reshape(-1)[0]:g}"
    return f"{n.op.name}({', '.join(pattern_text(x) for x in n.inputs)})"


def _rank(v: Value) -> str:
    return v.node.op.name


# ------------------------------------------------------------------------- rewriting


def simplify(g: Graph) -> Graph:
    """Rewrite by the rules in force until none applies."""
    from graphc.passes import rules  # fills the table

    del rules
    return apply_rules(g, RULES, DEFAULT)


def apply_rules(
    g: Graph, rules: Iterable[Rule], licences: Iterable[str] = DEFAULT, counts: dict[str, int] | None = None
) -> Graph:
    """`g` rewritten by `rules`; `counts` learns how often each was used."""
    allowed = set(licences)
    table: dict[str, list[Rule]] = {}
    for r in rules:
        if not r.needs or r.needs in allowed:
            table.setdefault(r.left.node.op.name, []).append(r)

    def step(n: Node, inputs: tuple[Value, ...]) -> Value | None:
        if n.op.name not in table or len(n.outputs) != 1:
            return None
        v = n.outputs[0] if inputs == n.inputs else copy(n, inputs).outputs[0]
        changed = False
        for _ in range(8):  # what a rule makes may match again at the root
            made = rewrite(v, table.get(v.node.op.name, ()), counts)
            if made is None:
                break
            v, changed = made, True
        return v if changed or v is not n.outputs[0] else None

    return g.rebuild(step)


def rewrite(v: Value, rules: Sequence[Rule], counts: dict[str, int] | None = None) -> Value | None:
    """What the first rule that applies makes of `v`; None when none does."""
    for r in rules:
        if v.dtype.kind not in r.kinds:
            continue
        found: Match = {}
        if not match(r.left, v, found):
            continue
        made = instantiate(r.right, found, v)
        if made is None or made is v or made.dtype is not v.dtype or made.static_shape != v.static_shape:
            continue
        if counts is not None:
            counts[r.name] = counts.get(r.name, 0) + 1
        return made
    return None


def instantiate(right: Any, found: Match, v: Value) -> Value | None:
    """The right side with the captured values in place."""
    if not isinstance(right, Value):
        made = right(**found)
        return None if made is None else made
    n = right.node
    if n.op is _wildcard:
        return found[n.attrs["name"]]  # type: ignore[no-any-return]
    if n.op.name == "constant":
        from graphc.ops.convert import make_constant

        return make_constant(n.attrs["value"].astype(v.dtype.np), v.dtype)
    inputs = [instantiate(x, found, v) for x in n.inputs]
    if any(x is None for x in inputs):
        return None
    attrs = {k: found[a.name] if isinstance(a, _AnyAttr) else a for k, a in n.attrs.items() if k != "_partial"}
    return build.build(n.op, [x for x in inputs if x is not None], attrs).outputs[0]
