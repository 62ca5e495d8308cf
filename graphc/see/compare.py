"""Whether two arrays are the same value, computed in two ways; and values of graphs on numpy."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.ir.dims import Symbol
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.registry import REGIONS
from graphc.ir.text import attribute_text
from graphc.runtime import reference
from graphc.runtime.replay import Path, Replay, is_float

__all__ = ["Inside", "Memo", "difference", "within_noise"]

Array = np.ndarray[Any, Any]
#: What may differ, in units of the element, by the size of the type in bytes; then what may differ
#: beside the largest element.
_RELATIVE = {2: 4e-2, 4: 2e-4, 8: 1e-9}
_BESIDE = {2: 4e-3, 4: 2e-6, 8: 1e-13}


#: Turns of a region that are looked at.
TURNS = 3


#: Families of which no node is like another.
_ONCE = frozenset({"state", "fused", "random", "host"})


class Inside(Exception):
    """A value belongs to a region whose inputs are not known."""


def _shown(a: Array, b: Array, wrong: Array) -> str:
    """How two arrays differ, in words."""
    count = int(np.count_nonzero(wrong))
    at = np.unravel_index(int(np.argmax(wrong)), wrong.shape) if wrong.ndim else ()
    where = f" at {[int(i) for i in at]}" if at else ""
    return f"{count} of {wrong.size} elements differ: {b[at]} instead of {a[at]}{where}"


def difference(a: Array, b: Array, loose: bool = False, size: int = 0) -> str:
    """How `b` differs from `a` beyond what rounding explains; "" where it does not.

    With `loose`, an infinity or NaN in `a` may be a number in `b`. `size` is that of the type in
    which the values are computed in a run, where they are wider here.
    """
    if a.shape != b.shape:
        return f"the shape is {list(b.shape)} instead of {list(a.shape)}"
    if a is b or (a.dtype == b.dtype and np.array_equal(a, b)):
        return ""
    if not is_float(a):
        wrong = np.asarray(a != b)
        return _shown(a, b, wrong) if wrong.any() else ""
    size = size or a.dtype.itemsize
    with np.errstate(all="ignore"):
        x, y = a.astype(np.float64), b.astype(np.float64)
        fine = np.isfinite(x)
        largest = np.abs(x[fine]).max() if fine.any() else 0.0
        near = np.abs(x - y) <= _RELATIVE[size] * np.abs(x) + _BESIDE[size] * largest
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        wrong = ~(same | (fine & near) | (~fine if loose else False))
    return _shown(a, b, np.asarray(wrong)) if np.any(wrong) else ""


def within_noise(native: Array, a: Array, wide: Array) -> str:
    """How a native result differs from numpy's `a` by more than `a` differs from the `wide` one."""
    if not is_float(a) or native.shape != a.shape:
        return difference(a, native)
    if not difference(a, native):
        return ""
    size = a.dtype.itemsize
    with np.errstate(all="ignore"):
        fine = np.isfinite(a) & np.isfinite(wide)
        x, y = wide.astype(np.float64), native.astype(np.float64)
        noise = np.abs(a.astype(np.float64) - x)
        most = noise[fine].max() if fine.any() else 0.0
        largest = np.abs(x[fine]).max() if fine.any() else 0.0
        allowed = _RELATIVE[size] * np.abs(x) + _BESIDE[size] * largest + 64 * most
        same = (a == native) | (np.isnan(a) & np.isnan(native))
        edge = np.isfinite(a) != np.isfinite(wide)  # where rounding decides
        wrong = ~(same | edge | (fine & (np.abs(x - y) <= allowed)))
    return _shown(a, native, np.asarray(wrong)) if np.any(wrong) else ""


class Memo(Replay):
    """The values of graphs that share nodes, each computed once when it is asked for.

    Attributes
    ----------
    seen : dict
        What the inputs of regions were in their first turns.
    """

    def __init__(
        self, env: Mapping[Symbol, int], variables: Mapping[str, Array],
        streams: Sequence[tuple[int, int, int]], given: Mapping[Value, Array], wide: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(env, variables, streams, wide)
        self.start = [list(s) for s in self.streams]
        self.done: dict[Value, Array] = {v: self.widened(a) for v, a in given.items()}
        self.seen: dict[Value, list[Array]] = {}
        #: Results of nodes by op, attributes and operands, which are kept so that they stay theirs.
        self.known: dict[Any, tuple[Sequence[Array], list[Array]]] = {}
        #: Values inside of regions, in each of these turns.
        self.turns: list[dict[Value, Array]] = [{} for _ in range(TURNS)]

    def graph(self, g: Graph, given: Sequence[Array], path: Path = ()) -> list[Array]:
        """As `Replay.graph`; remembers the inputs of a region's first turns."""
        if path:
            for v, a in zip(g.inputs, given, strict=True):
                turns = self.seen.setdefault(v, [])
                if len(turns) < TURNS:
                    turns.append(a)
        return super().graph(g, given, path)

    def node(self, n: Node, arrays: Sequence[Array], path: Path = ()) -> list[Array]:
        """As `Replay.node`; each node of the whole graph begins with the same random numbers."""
        if path:
            return super().node(n, arrays, path)
        self.streams = [list(s) for s in self.start]
        if n.op.family in _ONCE or n.op.name in REGIONS:
            return super().node(n, arrays, path)
        attrs = {k: reference.resolve(a, self.env) for k, a in n.attrs.items()}
        text = ", ".join(f"{k}={attribute_text(a, True)}" for k, a in sorted(attrs.items()))
        key = (n.op.name, text, n.outputs[0].dtype, *map(id, arrays))
        known = self.known.get(key)
        if known is None:
            known = self.known[key] = arrays, super().node(n, arrays, path)
        return known[1]

    def unify(self, old: Value, new: Value) -> None:
        """Let two values that are equal be one array, so that what is made of them is made once."""
        try:
            a, b = self.of(old), self.of(new)
        except (Inside, KeyError):
            return
        if a is not b and a.dtype == b.dtype and np.array_equal(a, b):
            self.done[new] = a

    def of(self, v: Value, turn: int | None = None) -> Array:
        """The array of a value; in a `turn` of the region that it belongs to.

        Raises
        ------
        Inside
            Where it cannot be known: it belongs to a region that had no such turn.
        """
        done: Any = ChainMap(self.turns[turn], self.done) if turn is not None else self.done
        stack = [v]
        with np.errstate(all="ignore"):
            while stack:
                u = stack[-1]
                n = u.node
                if u in done:
                    stack.pop()
                    continue
                if n.op.name == "input":
                    turns = self.seen.get(u, ())
                    if turn is None or turn >= len(turns):
                        raise Inside(n.name)
                    done[u] = turns[turn]
                    continue
                missing = [x for x in n.inputs if x not in done]
                if missing:
                    stack += missing
                    continue
                self.nodes([n], done)
        array: Array = done[v]
        return array

    def all(self, values: Iterable[Value]) -> list[Array]:
        """The arrays of several values."""
        return [self.of(v) for v in values]
