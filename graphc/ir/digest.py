"""A digest of a pure graph: what a plan made of it depends on, and nothing else.

Names of nodes and the user's lines are left out; ops, edges, attributes (bytes of constants
included), types, variables and the facts about sizes are in. Python writes the rows (`repr` of
tuples of plain values), so a thousand nodes take a few milliseconds.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from graphc.ir.dims import Expr, Facts, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Value

__all__ = ["digest"]

_PLAIN = frozenset({int, str, bool, float, bytes, complex, type(None), Expr, Symbol})
#: Bytes from which a constant is there by its digest.
LARGE = 256


class _NoText(Exception):
    """An attribute that has no text which says all of it."""


def digest(g: Graph) -> bytes | None:
    """SHA-256 of what `g` computes; None where an attribute says less than it does.

    Functions and other objects are such attributes.
    """
    writer = _Writer()
    try:
        told = writer.graph(g), writer.facts(g.facts)
    except (_NoText, KeyError):  # KeyError: a region reads what is outside
        return None
    return hashlib.sha256(repr(told).encode()).digest()


class _Writer:
    def __init__(self) -> None:
        self.number: dict[Value, int] = {}

    def graph(self, g: Graph) -> Any:
        """Its nodes, what it returns, changes and is fed."""
        number = self.number
        rows: list[Any] = []
        for n in g.nodes():
            if n.control:
                raise _NoText
            attrs = tuple([(k, self.text(v)) for k, v in n.attrs.items()]) if n.attrs else ()
            types = []
            for v in n.outputs:
                number[v] = len(number)
                types.append((v.dtype.name, v.static_shape))
            rows.append((n.op.name, tuple([number[v] for v in n.inputs]), attrs, tuple(types)))
        return (
            rows,
            tuple([number[v] for v in g.outputs]),
            tuple([(name, number[v]) for name, v in g.updates]),
            # an input that nothing reads is fed all the same
            tuple([(v.dtype.name, v.static_shape, number.get(v)) for v in g.inputs]),
        )

    def facts(self, f: Facts) -> Any:
        """What is known of sizes, and which values of regions stand for which outside."""
        if f.fed:
            raise _NoText
        number = self.number
        inner = [
            (number[v], None if outer is None else number.get(outer))
            for v, outer in f.inner.items()
            if v in number
        ]
        most = [(number[v], d) for v, d in f.most.items() if v in number]
        sizes = sorted((s.name, n) for s, n in f.env.items())
        return sizes, list(f.guards.items()), sorted(inner, key=repr), sorted(most, key=repr)

    def text(self, v: Any) -> Any:
        """A value whose `repr` says what an attribute is."""
        kind = type(v)
        if kind in _PLAIN:
            return v
        if kind is tuple:
            return tuple([self.text(x) for x in v])
        if kind is DType:
            return ("dtype", v.name)
        if isinstance(v, np.ndarray | np.generic):
            return _array(np.asarray(v))
        if kind is Graph:
            return ("graph", *self.graph(v))
        raise _NoText


def _array(a: np.ndarray[Any, Any]) -> Any:
    if a.dtype.hasobject:
        raise _NoText
    if a.nbytes < LARGE:
        return (a.dtype.str, a.shape, a.tobytes())
    whole: Any = np.ascontiguousarray(a).reshape(-1).view(np.uint8)
    return (a.dtype.str, a.shape, hashlib.sha256(whole).hexdigest())
