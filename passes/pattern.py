"""Patterns: graphs of the user's own functions on wildcards, and whether a value has their form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value
from graphc.ops.record import OPS, Attrs, Types, op

__all__ = [
    "COMMUTATIVE", "Match", "any_of", "attr", "constant_wild", "elements", "many", "match", "node",
    "ops", "pattern_text", "wild", "wildcard",
]  # fmt: skip

#: What a pattern captured: values and attributes by name, and matched parts by pattern value.
Match = dict[Any, Any]


def _wild_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], None)]


wildcard = op(
    "wildcard", "Wildcard", "state", doc="Stands for any value in a pattern.", infer=_wild_infer,
    types="fiubs",
)  # fmt: skip


def _wild(name: str, dtype: DType, **facts: bool) -> Value:
    attrs = {"name": name, "dtype": dtype, **facts}
    return Node(wildcard, (), attrs, [(dtype, None)], name).outputs[0]


def wild(name: str, dtype: DType = dtypes.float32) -> Value:
    """A wildcard: any value (of bool: any bool); one name is one value throughout a rule."""
    return _wild(name, dtype)


def constant_wild(name: str) -> Value:
    """A wildcard that stands for constants only."""
    return _wild(name, dtypes.float32, constant=True)


def many(name: str) -> Value:
    """As the only operand in a pattern: all operands, whatever their number, as a tuple."""
    return _wild(name, dtypes.float32, many=True)


class any_of:
    """An attribute that a pattern captures under a name."""

    def __init__(self, name: str) -> None:
        self.name = name


attr = any_of


def node(op_name: str, *inputs: Value, **attrs: Any) -> Value:
    """A pattern node by its op's name; attributes not given match anything."""
    named = {**attrs, "_partial": True}
    return Node(OPS[op_name], inputs, named, [(dtypes.float32, None)], op_name).outputs[0]


class _Ops:
    """``ops.transpose(x, perm=p)`` is ``node("transpose", x, perm=p)``."""

    def __getattr__(self, name: str) -> Any:
        return lambda *inputs, **attrs: node(name, *inputs, **attrs)


ops = _Ops()

COMMUTATIVE = frozenset(
    "add multiply maximum minimum logical_and logical_or logical_xor equal not_equal"
    " bitwise_and bitwise_or bitwise_xor squared_difference".split()
)


# ------------------------------------------------------------------------- matching


def match(pattern: Value, v: Value, found: Match, kinds: str = "fiubs") -> bool:
    """Whether `v` has the form of `pattern`; captures go to `found`."""
    p = pattern.node
    if p.op is wildcard:
        return _match_wild(p, v, found, kinds)
    n = v.node
    if p.op.name == "constant":
        return n.op is p.op and _same_number(p.attrs["value"], n)
    if p.op is not n.op or pattern.index != v.index:
        return False
    if p.attrs and not _match_attrs(p, n, found):
        return False
    if not _match_inputs(p, n, found, kinds):
        return False
    found[pattern] = v
    return True


def _match_inputs(p: Node, n: Node, found: Match, kinds: str) -> bool:
    a, b = p.inputs, n.inputs
    if len(a) == 1 and "many" in a[0].node.attrs:
        found[a[0].node.attrs["name"]] = b
        return True
    if len(a) != len(b):
        return False
    if p.op.name not in COMMUTATIVE:
        for x, y in zip(a, b, strict=True):
            if not match(x, y, found, kinds):
                return False
        return True
    before = dict(found)
    if match(a[0], b[0], found, kinds) and match(a[1], b[1], found, kinds):
        return True
    found.clear()
    found.update(before)
    return match(a[0], b[1], found, kinds) and match(a[1], b[0], found, kinds)


def _match_wild(p: Node, v: Value, found: Match, kinds: str) -> bool:
    attrs = p.attrs
    name = attrs["name"]
    known = found.get(name)
    if known is not None:
        return same_value(known, v)
    if "constant" in attrs and v.node.op.name != "constant":
        return False
    if v.dtype.kind not in ("b" if attrs["dtype"].kind == "b" else kinds):
        return False
    found[name] = v
    return True


def _match_attrs(p: Node, n: Node, found: Match) -> bool:
    have = n.attrs
    for k, want in p.attrs.items():
        if k == "_partial":
            if "dynamic" in have:  # an operand that is an attribute in patterns
                return False
            continue
        if isinstance(want, any_of):
            if k not in have or (want.name in found and found[want.name] != have[k]):
                return False
            found[want.name] = have[k]
        elif want != have.get(k):
            return False
    return True


def same_value(a: Any, b: Value) -> bool:
    """Whether two captures are one value: the same, or equal constants."""
    if a is b:
        return True
    return (
        isinstance(a, Value) and a.node.op is b.node.op and a.node.op.name == "constant"
        and a.dtype is b.dtype and a.node.attrs["value"].shape == b.node.attrs["value"].shape
        and a.node.attrs["value"].tobytes() == b.node.attrs["value"].tobytes()
        and not a.dtype.hosted
    )  # fmt: skip


def elements(n: Node) -> Any:
    """The Python number that every element of a constant is, sign of zero included, else None."""
    a: np.ndarray[Any, Any] = n.attrs["value"]
    if n.outputs[0].dtype.hosted or not a.size:
        return None
    first = a.reshape(-1)[0].item()
    if a.size == 1:
        return first
    if a.size > 1 << 16 or not bool((a == first).all()):
        return None
    if (
        first == 0
        and a.dtype.kind == "f"
        and bool((np.signbit(a) != np.signbit(a.dtype.type(first))).any())
    ):
        return None
    return first


def _same_number(pattern: np.ndarray[Any, Any], n: Node) -> bool:
    """Every element of the constant is the pattern's number, sign of zero included."""
    have = elements(n)
    if have is None:
        return False
    want = pattern.reshape(-1)[0].item()
    if type(have) is not float and type(want) is float and not want.is_integer():
        return False
    if have != want:
        return False
    return type(have) is not float or have != 0 or _negative(have) == _negative(want)


def _negative(x: Any) -> bool:
    return bool(np.signbit(float(x)))


# ------------------------------------------------------------------------- showing


def pattern_text(v: Value) -> str:
    """A pattern as one writes it."""
    n = v.node
    if n.op is wildcard:
        return str(n.attrs["name"])
    if n.op.name == "constant":
        return f"{n.attrs['value'].reshape(-1)[0]:g}"
    args = [pattern_text(x) for x in n.inputs]
    args += [
        f"{k}={a.name if isinstance(a, any_of) else a}"
        for k, a in n.attrs.items()
        if k != "_partial"
    ]
    return f"{n.op.name}({', '.join(args)})"
