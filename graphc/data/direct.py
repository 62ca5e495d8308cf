"""Functions of datasets whose first operations are the host's: those are applied as they are.

Parsing, decoding and cutting strings comes first in such a function. Operations of the host that
need nothing but its arguments are applied here, without a run in parts; what is left is one
native run that is fed with their results.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir.node import Node, Value, behind
from graphc.ir.region import context_of
from graphc.ops.convert import constant_op

__all__ = ["prepared"]

Run = Callable[..., list[Any]]

#: Families whose meaning in numpy is the same numbers as native code: they only move elements.
_MOVES = frozenset({"view"})


def prepared(
    executor: Any, fetches: Sequence[Value], targets: Sequence[Node], feeds: Sequence[Value]
) -> Run:
    """What gives `fetches` for the values of `feeds`, as ``executor.prepare`` does."""
    steps = [] if targets else _steps(fetches, feeds)
    if not steps:
        run: Run = executor.prepare((*fetches, *targets), tuple(feeds))
        return run
    known = {*feeds, *[v for n in steps for v in n.outputs]}
    rest = tuple([v for v in fetches if v not in known])
    fed = _leaves(rest, known)
    native: Run = executor.prepare(rest, tuple(fed)) if rest else lambda *values: []
    apply = importlib.import_module("graphc.runtime.host").apply
    constants = {
        v: np.asarray(v.node.attrs["value"])
        for n in steps for v in n.inputs if v.node.op is constant_op
    }  # fmt: skip
    checks = importlib.import_module("graphc.runtime.feeds")
    read = [(v, checks.given_shape(v)) for v in feeds if any(v in n.inputs for n in steps)]

    def call(*values: Any) -> list[Any]:
        found: dict[Value, Any] = dict(zip(feeds, values, strict=True))
        found.update(constants)
        for v, shape in read:
            found[v] = checks.as_feed(found[v], v.dtype, shape, v.name)
        for n in steps:
            made = apply(n, [found[v] for v in n.inputs], executor.state, executor)
            found.update(zip(n.outputs, made, strict=True))
        found.update(zip(rest, native(*[found[v] for v in fed]), strict=True))
        return [_shown(found[v]) for v in fetches]

    return call


def _shown(x: Any) -> Any:
    return x[()] if type(x) is np.ndarray and x.ndim == 0 else x


def _steps(fetches: Sequence[Value], feeds: Sequence[Value]) -> list[Node]:
    """Operations of the host that arguments are enough for, and what comes before these."""
    ready: set[Value] = set(feeds)
    able: list[Node] = []
    for n in sorted(behind(fetches, set(feeds)), key=lambda n: n.id):
        if n.op is constant_op:
            ready.add(n.outputs[0])
        elif _plain(n) and all(v in ready for v in n.inputs):
            able.append(n)
            ready.update(n.outputs)
    # moves of elements are native, unless something of the host is behind them
    wanted: set[Node] = set()
    for n in reversed(able):
        if n in wanted or _hosted(n):
            wanted.add(n)
            wanted.update([v.node for v in n.inputs])
    return [n for n in able if n in wanted]


def _hosted(n: Node) -> bool:
    values = (*n.inputs, *n.outputs)
    return n.op.family == "host" or any(v.dtype.kind == "s" for v in values)


def _plain(n: Node) -> bool:
    """Whether its numpy meaning is all there is to a node."""
    return (
        n.op.numpy is not None and n.op.host is None
        and not n.op.stateful and not n.control and context_of(n) is None
        and not n.attrs.get("dynamic")
        and (_hosted(n) or n.op.family in _MOVES)
    )  # fmt: skip


def _leaves(fetches: Sequence[Value], known: set[Value]) -> list[Value]:
    """Those of `known` that `fetches` are made of."""
    out: dict[Value, None] = {}
    stack, seen = list(fetches), set(fetches)
    while stack:
        v = stack.pop()
        if v in known:
            out[v] = None
            continue
        more = [*v.node.inputs, *[o for c in v.node.control for o in c.outputs]]
        stack += [x for x in more if x not in seen]
        seen.update(more)
    return list(out)
