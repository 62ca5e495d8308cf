"""What is known of small integer tensors before the run: sizes that are themselves values.

`known(v)` is a `Dim` for a scalar, a tuple of them (None where one is not known) for a
vector, or None. Ops say how they act on sizes in their record's `dims`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import InferError
from graphc.ir.dims import Dim
from graphc.ir.node import Value
from graphc.ir.region import Branch

__all__ = ["LIMIT", "Known", "NeedsValue", "known", "known_operand", "resolve", "static"]

Known = Any  # Dim | tuple[Dim | None, ...] | None

#: Longest vector treated as sizes; longer ones are data.
LIMIT = 64


#: Only these types hold sizes; anything a value of them cannot be is not known (it wraps).
_RANGE = {"i32": 2**31, "i64": 2**63}

#: How many axes operands of sizes have, by name; the others are what their op makes of them.
_RANKS = {
    "begin": 1, "delta": 0, "depth": 0, "dims": 1, "k": 0, "limit": 0, "multiples": 1, "num": 0,
    "num_samples": 0, "num_segments": 0, "perm": 1, "shape": 1, "sizes": 1, "start": 0,
}  # fmt: skip
#: Those that are one number or a vector of them.
_AXES = ("axis", "shift")


class NeedsValue(Exception):
    """A size depends on the elements of `value`, which this plan does not know.

    The session computes `value` first and makes the rest of the plan when it is known.
    """

    def __init__(self, value: Value) -> None:
        super().__init__(f"the elements of {value!r} decide a shape")
        self.value = value


def known(value: Value) -> Known:
    """The sizes `value` holds, as far as they are known (no recursion over the graph)."""
    f = D.facts()
    memo: dict[Value, Known] = f.known if f is not None else {}
    stack = [value]
    while stack:
        v = stack[-1]
        if v in memo:
            stack.pop()
            continue
        if not _candidate(v):
            memo[v] = None
            continue
        if v.node.op.dims is None:
            memo[v] = _leaf(v, f)
            continue
        deps = (
            [] if v.node.op.facts.get("shape_only") else [x for x in v.node.inputs if x not in memo]
        )
        if deps and len(stack) < 10_000:
            stack.extend(deps)
            continue
        memo[v] = _within(_apply(v, memo, f), _RANGE[v.dtype.code])
    return memo[value]


def _seen(v: Value, x: Value, k: Known) -> Known:
    """What the op of `v` knows of its operand `x`, of which `k` is known, in a recorded graph.

    TensorFlow follows no value through the edge of a construct, so that a branch for other sizes
    than those at hand is not refused. Only operands themselves are known, and what is packed in
    a loop: when their op was made they had not come through that edge yet.
    """
    contexts = getattr(v.node.graph, "contexts", None)
    if not contexts:
        return k
    home = contexts.get(x.node)
    inner = contexts.get(v.node)
    while inner is not home and inner is not None:
        if isinstance(inner, Branch) or v.node.op.name != "stack":
            return None
        inner = inner.outer
    return k


def _within(k: Known, end: int) -> Known:
    """`k` without the numbers that its type does not hold."""
    if isinstance(k, tuple):
        return tuple([_within(e, end) for e in k])
    return None if type(k) is int and not -end <= k < end else k


def _candidate(v: Value) -> bool:
    s = v.static_shape
    if v.dtype.code not in _RANGE:
        return False
    return s is not None and len(s) <= 1 and (not s or (type(s[0]) is int and s[0] <= LIMIT))


def _leaf(v: Value, f: D.Facts | None) -> Known:
    name = v.node.op.name
    if name == "constant":
        return _from_array(v.node.attrs["value"])
    if name == "input" and f is not None:
        if v in f.inner:  # of a region
            outer = f.inner[v]
            return None if outer is None else known(outer)
        return f.fed_value(v)
    return None


def _from_array(a: np.ndarray[Any, Any]) -> Known:
    if a.ndim == 0:
        return int(a)
    return tuple(int(e) for e in a)


def _apply(v: Value, memo: dict[Value, Known], f: D.Facts | None) -> Known:
    n = v.node
    if n.op.facts.get("shape_only"):
        return _of_output(v, n.op.dims(*n.inputs, **n.attrs) if n.op.dims else None)
    args = [memo.get(x) for x in n.inputs]
    if f is None:
        args = [_seen(v, x, k) for x, k in zip(n.inputs, args, strict=True)]
    assert n.op.dims is not None
    if n.op.family != "elementwise":
        args = [
            _unknown_elements(x) if a is None else a for x, a in zip(n.inputs, args, strict=True)
        ]
        return _of_output(v, n.op.dims(*args, **n.attrs))
    if any(a is None for a in args):
        return None
    if not any(isinstance(a, tuple) for a in args):
        return n.op.dims(*args, **n.attrs)
    if () in args:
        return ()
    length = max(len(a) for a in args if isinstance(a, tuple))
    columns = [
        a
        if isinstance(a, tuple) and len(a) == length
        else (a[0] if isinstance(a, tuple) else a,) * length
        for a in args
    ]
    return tuple(
        None if any(e is None for e in es) else n.op.dims(*es, **n.attrs)
        for es in zip(*columns, strict=True)
    )


def _of_output(v: Value, out: Any) -> Known:
    """What `v` holds, by what the `dims` of its op says."""
    return out[v.index] if out is not None and v.node.op.facts.get("dims_of_each") else out


def known_operand(inputs: Sequence[Value], attrs: Any, name: str) -> Known:
    """A size operand of a node: its attribute, or what is known of the tensor given for it.

    Returns None where nothing is known; a vector of known length may hold None entries.

    Raises
    ------
    InferError
        Where the tensor has another number of axes than the operand.
    """
    if name in attrs:
        given = attrs[name]
        if name in _AXES and isinstance(given, tuple) and any(isinstance(e, tuple) for e in given):
            raise InferError("Shape must be at most rank 1 but is rank 2")
        return given
    dynamic = attrs["dynamic"]
    v = inputs[len(inputs) - len(dynamic) + dynamic.index(name)]
    rank = _RANKS.get(name)
    has = None if v.static_shape is None else len(v.static_shape)
    if rank is not None and has is not None and has != rank:
        raise InferError(f"Shape must be rank {rank} but is rank {has}")
    if name in _AXES and has is not None and has > 1:
        raise InferError(f"Shape must be at most rank 1 but is rank {has}")
    _settle(v)
    k = known(v)
    return _unknown_elements(v) if k is None else k


def _settle(v: Value) -> None:
    """A vector fed as a size operand itself may be of any length: the plan is for that one."""
    f = D.facts()
    while f is not None and f.inner.get(v) is not None:
        v = f.inner[v]
    if f is None or f.feeds is None or v.node.op.name != "input" or v.dtype.code not in _RANGE:
        return
    if v in f.inner:
        return
    s = v.static_shape
    if s is not None and len(s) == 1 and not _candidate(v) and f.equal(s[0], f.value(s[0])):
        f.known[v] = f.fed_value(v)


def _unknown_elements(v: Value) -> Known:
    """A short integer vector of known length has that many unknown elements."""
    if v.dtype.kind in "iu" and v.static_shape is not None and len(v.static_shape) == 1:
        d: Dim = v.static_shape[0]
        if type(d) is int and d <= LIMIT:
            return (None,) * d
    return None


def static(inputs: Sequence[Value], attrs: Any, name: str) -> Known:
    """As `known_operand`; while a plan is made, everything must be known.

    Raises
    ------
    NeedsValue
        While a plan is made, when the operand is not known.
    """
    k = known_operand(inputs, attrs, name)
    if (
        D.facts() is not None
        and name not in attrs
        and (k is None or (isinstance(k, tuple) and None in k))
    ):
        dynamic = attrs["dynamic"]
        raise NeedsValue(inputs[len(inputs) - len(dynamic) + dynamic.index(name)])
    return k


#: Operands that say which axes are meant: numbers, not sizes.
_PLACES = frozenset({"axis", "perm"})


def _number(k: Known) -> Known:
    """`k` as numbers: what is fed is what it is in this run, and the plan is for that."""
    if isinstance(k, tuple):
        return tuple([_number(e) for e in k])
    f = D.facts()
    if f is None or type(k) is int:
        return k
    given = f.value(k)
    f.equal(k, given)
    return given


def resolve(
    inputs: Sequence[Value], attrs: Mapping[str, Any]
) -> tuple[tuple[Value, ...], dict[str, Any]]:
    """Inputs and attributes of a node once every dynamic operand has become an attribute.

    The attribute ``soft`` names vectors some of whose elements need not be known, as (name, mask of
    these elements, keep): the attribute then has None in their places, and with `keep` the vector
    stays an input.

    Raises
    ------
    NeedsValue
        When one is not known.
    """
    names = attrs.get("dynamic", ())
    out = {k: a for k, a in attrs.items() if k != "dynamic"}
    first = len(inputs) - len(names)
    kept = list(inputs[:first])
    open_: list[str] = []
    soft = {name: (mask, keep) for name, mask, keep in attrs.get("soft", ())}
    for name, v in zip(names, inputs[first:], strict=True):
        if name not in soft:
            k = static(inputs, attrs, name)
            out[name] = _number(k) if name in _PLACES else k
            continue
        mask, keep = soft[name]
        k = out[name] = known_operand(inputs, attrs, name)
        if k is None or any(e is None and not mask >> i & 1 for i, e in enumerate(k)):
            raise NeedsValue(v)
        if keep and None in k:
            kept.append(v)
            open_.append(name)
    if open_:
        out["dynamic"] = tuple(open_)
    return tuple(kept), out
