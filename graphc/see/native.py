"""Native results beside numpy's: a compiled part of a run, tried without committing anything."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dtypes, journal
from graphc.ir.dims import Facts, Symbol
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.permit import granting
from graphc.ops.random import seeds_of
from graphc.passes.functionalize import Frozen
from graphc.passes.groups import is_alias
from graphc.passes.pipeline import LEVELS, Trace, optimize_ir, pipeline
from graphc.runtime import numerics, reference
from graphc.runtime.binding import Binder
from graphc.runtime.compilation import Compilation
from graphc.runtime.executor import Executor
from graphc.runtime.feeds import from_storage, to_storage
from graphc.runtime.generating import generate
from graphc.runtime.llvm.entry import OK
from graphc.runtime.options import Options
from graphc.runtime.plan import make_plan
from graphc.runtime.runs import Run
from graphc.runtime.state import State

__all__ = ["Part", "every_value", "of_graph", "trial"]

Array = np.ndarray[Any, Any]


class Part(NamedTuple):
    """A compiled native part of a run with what it is given."""

    run: Any
    compilation: Any
    env: dict[Symbol, int]
    arrays: Sequence[Array]

    @property
    def given(self) -> list[Array]:
        """The arrays of its inputs, in order, as numpy has them."""
        g = self.compilation.frozen.graph
        return [from_storage(self.arrays[v.node.attrs["index"]], v.dtype) for v in g.inputs]

    def given_of(self, v: Value) -> Array:
        """The array of one input."""
        return np.asarray(from_storage(self.arrays[v.node.attrs["index"]], v.dtype))

    @property
    def variables(self) -> dict[str, Array]:
        """The values of the variables it reads."""
        return {k: a.copy() for k, a in numerics.variables_of(self.run, self.compilation).items()}

    def streams(self) -> list[tuple[int, int, int]]:
        """Counters and seeds of its random ops."""
        draws, seeds = self.run.state.draws(), self.run.state.seeds
        out = []
        for n, _ in self.compilation.frozen.random:
            if n not in seeds:
                seeds[n] = seeds_of(n)
            out.append((draws.get(n, 0), *seeds[n]))
        return out


def trial(part: Part) -> tuple[list[Array], dict[str, Array]] | None:
    """Results and new values of variables; the state is afterwards as before.

    None where the run fails, as an assertion does.
    """
    run, c, state = part.run, part.compilation, part.run.state
    b = Binder(run, c, part.env).run()
    saved = {name: state.cells[name].array.copy() for name, _, _ in c.plan.updates}
    outs = [np.zeros(e.shape, e.dtype) for e in (make() for make in b.makers)]
    draws = state.draws()
    if b.streams:
        b.counters[:, 0] = [draws.get(n, 0) for n, _ in b.streams]
    try:
        code = b.program.run(*part.arrays, *outs)
        new = {}
        for name, dtype, _ in c.plan.updates:
            cell = b.fresh.get(name) or state.cells[name]
            new[name] = np.array(from_storage(cell.array, dtype))
    finally:
        state.moved()
        for name, a in saved.items():
            np.copyto(state.cells[name].array, a)
        state.wrote()
    if code != OK:
        return None
    types = [t for t, _ in c.plan.out_types]
    return [np.asarray(from_storage(o, t)) for o, t in zip(outs, types, strict=True)], new


def every_value(part: Part, g: Graph, env: Mapping[Symbol, int]) -> dict[Value, Array]:
    """What native code gives for every node of a fused graph, for inputs `part.arrays`."""
    wanted = [
        v for n in g.nodes() for v in n.outputs
        if n.op.name not in ("input", "read", "constant", "blank") and not is_alias(n)
    ]  # fmt: skip
    run = copy.copy(part.run)
    run.pure, run.plans, run.bound = True, {}, None
    whole = replace(g, outputs=tuple(wanted), updates=())
    frozen = replace(part.compilation.frozen, graph=whole, checks=0)
    c = Compilation(frozen, Trace(), make_plan(whole))
    generate(run.executor, c)
    got = trial(Part(run, c, dict(env), part.arrays))
    return {} if got is None else dict(zip(wanted, got[0], strict=True))


def of_graph(
    g: Graph, arrays: Sequence[Array], passes: Any = None, level: int = 2,
    code: bool = True, variables: Mapping[str, Any] | None = None,
) -> Part:  # fmt: skip
    """A pure graph without variables, compiled for these arrays; without `code` no kernels."""
    env: dict[Symbol, int] = {}
    for v, a in zip(g.inputs, arrays, strict=True):
        reference._learn(v, np.asarray(a), env)
    g = replace(g, facts=Facts(env))
    names = LEVELS[level] if passes is None else passes
    ex = Executor(None, State(), Options(level, names))
    run = Run(ex, (), (), ())
    reads = {n.attrs["var"]: n.outputs[0] for n in g.nodes() if n.op.name == "read"}
    for name, a in (variables or {}).items():
        dtype = reads[name].dtype if name in reads else dtypes.as_dtype(np.asarray(a).dtype)
        ex.state.load(name, dtype, np.asarray(a))
    with granting(None), journal.recording():
        trace = Trace()
        fused = optimize_ir(g, pipeline(names), trace)
    c = Compilation(Frozen(g), trace, make_plan(fused) if code else None)  # type: ignore[arg-type]
    c.variables = {name: np.shape(a) for name, a in (variables or {}).items()}
    if code:
        generate(run.executor, c)
    held = [np.ascontiguousarray(to_storage(np.asarray(a), v.dtype))
            for v, a in zip(g.inputs, arrays, strict=True)]  # fmt: skip
    return Part(run, c, {**env, **g.facts.env}, held)


def alone(n: Node, arrays: Sequence[Array]) -> Part:
    """One node by itself, compiled without optimisation."""
    from graphc.ops.pure import input_op

    inputs = []
    for i, (v, a) in enumerate(zip(n.inputs, arrays, strict=True)):
        attrs = {"index": i, "dtype": v.dtype, "shape": tuple(a.shape)}
        inputs.append(Node(input_op, (), attrs, [(v.dtype, tuple(a.shape))], f"x{i}").outputs[0])
    made = Node(n.op, inputs, n.attrs, n.op.infer(inputs, n.attrs), n.name, (), n.source)
    g = Graph(tuple(made.outputs), (), tuple(inputs))
    return of_graph(g, arrays, level=0)
