"""A pure graph computed node by node with numpy, its fused bodies and loops too.

Like `reference.evaluate`, but every node is shown to `after` as it is done: what looks for the
first bad number, compares native results or stops at each node begins here.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Symbol
from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.registry import REGIONS
from graphc.ops.random import reserved
from graphc.ops.record import meaning
from graphc.runtime import reference

__all__ = ["Path", "Replay"]

#: Ops that look at the bits of floats.
_OF_BITS = frozenset({"bitcast", "nextafter"})
Array = np.ndarray[Any, Any]
#: Where a node is: the regions around it, outermost first, each with the number of its turn.
Path = tuple[tuple[Node, int], ...]


class Sizes(dict[Symbol, int]):
    """Sizes by symbol; one that nothing is known of is nobody's size."""

    def __missing__(self, s: Symbol) -> int:
        if s.name.startswith("?"):
            return 0
        raise KeyError(s)


class Replay:
    """Evaluates graphs on numpy.

    Parameters
    ----------
    env : mapping
        Values of all symbols.
    variables : mapping
        Arrays by the name of the variable.
    streams : sequence of (skip, seed, seed2)
        Of each random op, by its attribute `stream`.
    wide : bool
        Compute floats in float64.
    """

    def __init__(
        self, env: Mapping[Symbol, int], variables: Mapping[str, Array],
        streams: Sequence[tuple[int, int, int]] = (), wide: bool = False,
    ) -> None:  # fmt: skip
        self.env = Sizes(env)
        self.variables = variables
        self.streams = [list(s) for s in streams]
        self.wide = wide
        self.fill = 0  # what memory holds that nobody has written yet

    # ------------------------------------------------------------- what others look at

    def after(self, n: Node, inputs: Sequence[Array], out: list[Array], path: Path) -> list[Array]:
        """Called with the results of each node; what it returns takes their place."""
        return out

    # ------------------------------------------------------------- evaluation

    def graph(self, g: Graph, given: Sequence[Array], path: Path = ()) -> list[Array]:
        """The arrays of the roots of `g`, for arrays of its inputs."""
        done = dict(zip(g.inputs, map(self.widened, given), strict=True))
        for v, a in done.items():
            self.learn(v, a)
        with np.errstate(all="ignore"):
            self.nodes(g.nodes(), done, path)
        return [done[v] for v in g.roots]

    def nodes(
        self, nodes: Sequence[Node], done: MutableMapping[Value, Array], path: Path = ()
    ) -> None:
        """Compute nodes, inputs before users; what is in `done` already is kept."""
        for n in nodes:
            if n.outputs and n.outputs[0] in done:
                continue
            arrays = [done[v] for v in n.inputs]
            out = self.after(n, arrays, self.node(n, arrays, path), path)
            for v, a in zip(n.outputs, out, strict=True):
                done[v] = a
                self.learn(v, a)

    def node(self, n: Node, arrays: Sequence[Array], path: Path = ()) -> list[Array]:
        """The results of one node."""
        name = n.op.name
        if name == "constant":
            return [self.widened(n.attrs["value"])]
        if name == "read":
            return [self.widened(np.asarray(self.variables[n.attrs["var"]]))]
        if name == "blank":
            shape = reference.resolve(n.attrs["shape"], self.env)
            return [self.widened(np.full(shape, self.fill, n.outputs[0].dtype.np))]
        if name == "fused":
            return self.fused(n, arrays, path)
        if name == "pick":
            at = reference.resolve(n.attrs["at"], self.env)
            return [np.take(arrays[0], at, axis=n.attrs["axis"])]
        if name in REGIONS:
            return self.control(n, arrays, path)
        if self.wide and ("stream" in n.attrs or name in _OF_BITS):
            return self.narrow(n, arrays, path)
        attrs = {k: self.type(reference.resolve(a, self.env)) for k, a in n.attrs.items()}
        if "stream" in attrs:
            stream = self.streams[attrs["stream"]]
            attrs.update(skip=stream[0], seed=stream[1], seed2=stream[2])
            if path:  # each turn of a loop draws new numbers
                stream[0] += D.evaluate(reserved(n), self.env)
        types = [(self.type(v.dtype), v.static_shape) for v in n.outputs]
        return meaning(n.op, arrays, attrs, types)

    def narrow(self, n: Node, arrays: Sequence[Array], path: Path) -> list[Array]:
        """A node whose meaning hangs on its type, in a wide replay."""
        given = [
            a.astype(v.dtype.np) if is_float(a) else a
            for a, v in zip(arrays, n.inputs, strict=True)
        ]
        self.wide = False
        try:
            out = self.node(n, given, path)
        finally:
            self.wide = True
        return [self.widened(a) for a in out]

    def fused(self, n: Node, arrays: Sequence[Array], path: Path) -> list[Array]:
        self.know_offsets(n)
        return self.graph(n.attrs["body"], arrays, path)

    def know_offsets(self, n: Node) -> None:
        """Learn the sizes that the body of a fused node has of its own."""
        for name, at in dict(n.attrs.get("offsets", ())).items():
            self.env[Symbol(name)] = reference.resolve(at, self.env)

    def control(self, n: Node, arrays: Sequence[Array], path: Path) -> list[Array]:
        turns: dict[int, int] = {}

        def run(region: Graph, given: Sequence[Array]) -> list[Array]:
            turn = turns[id(region)] = turns.get(id(region), -1) + 1
            return self.graph(region, given, (*path, (n, turn)))

        return reference.control(n, arrays, run)

    def learn(self, v: Value, a: Array) -> None:
        for d, size in zip(v.static_shape or (), a.shape, strict=False):
            if isinstance(d, D.Expr) and d.is_atom and isinstance(d.terms[0][0][0], Symbol):
                s = d.terms[0][0][0]
                if s.name.startswith("?"):  # says only what it is here
                    self.env[s] = size
                else:
                    self.env.setdefault(s, size)

    # ------------------------------------------------------------- types

    def type(self, x: Any) -> Any:
        return dtypes.float64 if self.wide and isinstance(x, DType) and x.kind == "f" else x

    def widened(self, a: Any) -> Array:
        a = np.asarray(a)
        wide: Array = a.astype(np.float64) if self.wide and is_float(a) else a
        return wide


def is_float(a: Array) -> bool:
    """Whether an array holds floats (bfloat16 is float32 in numpy)."""
    return bool(a.dtype.kind == "f")
