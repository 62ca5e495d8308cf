"""Seeing what the compiler did: `optimize` and `dump`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from graphc.errors import FailedPreconditionError
from graphc.face.graph import Graph, get_default_graph
from graphc.face.variables import Variable
from graphc.ir import graph as irgraph
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value
from graphc.ir.text import print_graph

__all__ = ["STAGES", "dump", "optimize"]

#: Stages besides the passes, in order.
STAGES = ("graph", "pure", "kernels", "plan", "llvm", "optimized", "asm")


def _elements(fetches: Any, graph: Graph) -> list[Value | Node]:
    out: list[Value | Node] = []
    stack = [fetches]
    while stack:
        f = stack.pop()
        if isinstance(f, Mapping):
            stack += reversed(list(f.values()))
        elif isinstance(f, (list, tuple)):
            stack += reversed(f)
        elif isinstance(f, Variable):
            out.append(f._ref())
        else:
            out.append(graph.as_graph_element(f))
    return out


def _example(v: Value, unknown: int) -> np.ndarray[Any, Any]:
    """Zeros of the static shape of `v`; unknown sizes are `unknown`."""
    shape = [d if type(d) is int else unknown for d in v.static_shape or ()]
    return np.zeros(shape, v.dtype.np)


def _placeholders(elements: Sequence[Value | Node], fed: Iterable[Value]) -> list[Value]:
    given = set(fed)
    seen: set[Node] = set()
    found: list[Value] = []
    stack = [e if isinstance(e, Node) else e.node for e in elements if e not in given]
    while stack:
        n = stack.pop()
        if n in seen:
            continue
        seen.add(n)
        if n.op.name == "placeholder" and n.outputs[0] not in given:
            found.append(n.outputs[0])
        stack += [v.node for v in n.inputs if v not in given] + list(n.control)
    return sorted(found, key=lambda v: v.node.id)


def compile_run(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None, *,
    graph: Graph | None = None, level: int = 2, passes: Any = None, off: Iterable[str] = (),
) -> tuple[Any, list[Value | Node]]:  # fmt: skip
    """The compilation of a run, without running it, and the elements fetched.

    Placeholders that are not fed take zeros of their static shape, unknown sizes 3 (5, 7, …).
    """
    from graphc.runtime import executor as rt

    if session is not None:
        graph, ex = session.graph, session._executor
    else:
        graph = graph or get_default_graph()
        text = passes if passes is None or isinstance(passes, str) else ",".join(passes)
        ex = rt.Executor(graph, rt.State(), rt.Options(level, text, tuple(off)))
    elements = _elements(fetches, graph)
    feeds: dict[Value, Any] = {}
    for k, x in (feed_dict or {}).items():
        key = k._ref() if isinstance(k, Variable) else graph.as_graph_element(k)
        feeds[key] = x
    for v in _placeholders(elements, feeds):
        feeds[v] = _example(v, 3)
    run = ex.prepare(tuple(elements), tuple(feeds))
    return rt.compile_only(run, list(feeds.values()), _static_variables(graph, ex)), elements


def _static_variables(graph: Graph, ex: Any) -> Any:
    """Type and shape of a variable: as the session holds it, else as the graph declares it."""
    declared = {
        n.attrs["var"]: n.outputs[0] for n in graph.get_operations() if n.op.name == "variable"
    }

    def lookup(name: str) -> tuple[DType, tuple[int, ...]]:
        cell = ex.state.cells.get(name)
        if cell is not None:
            return cell.dtype, cell.shape
        v = declared.get(name)
        if v is None or v.static_shape is None or not all(type(d) is int for d in v.static_shape):
            raise FailedPreconditionError(None, None, f"variable {name} has no known shape yet")
        return v.dtype, tuple(int(str(d)) for d in v.static_shape)

    return lookup


def optimize(
    graph: Graph | None = None, fetches: Any = None, passes: Any = None, *,
    feed_dict: Mapping[Any, Any] | None = None, level: int = 2, off: Iterable[str] = (),
) -> irgraph.Graph:  # fmt: skip
    """The pure graph of a run after the passes.

    Parameters
    ----------
    graph : Graph, optional
        By default the default graph.
    fetches : tensor, operation, or nested lists of them
    passes : str or list of str, optional
        The pipeline, ``"sizes,fold,cse"``; by default that of `level`.
    off : iterable of str
        Passes to leave out.

    Returns
    -------
    graphc.ir.graph.Graph
        Print it with `graphc.ir.text.print_graph`.

    Raises
    ------
    ValueError
        For a pass there is not; the message lists them.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     x = tf.placeholder(tf.float32, [None], name="x")
    ...     y = tf.identity(x * 1.0 + 0.5, name="y")
    ...     pure = tf.optimize(g, y, passes="simplify")
    >>> [n.op.name for n in pure.nodes()]
    ['constant', 'input', 'add']
    """
    from graphc.passes.functionalize import Frozen
    from graphc.passes.pipeline import optimize_ir, pipeline

    names = pipeline(passes, level, off)
    c, _ = compile_run(fetches, feed_dict, graph=graph)
    frozen: Frozen = c.frozen
    return optimize_ir(frozen.graph, names, check=True)


def dump(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None, stage: str = "all", *,
    graph: Graph | None = None, level: int = 2, passes: Any = None, off: Iterable[str] = (),
) -> str:  # fmt: skip
    """What the compiler makes of a run, as text; nothing is run.

    Parameters
    ----------
    fetches : tensor, operation, or nested lists of them
    feed_dict : dict, optional
        Values of placeholders; only their shapes matter. By default unknown sizes are some size.
    session : Session, optional
        Whose variables and configuration to use.
    stage : str
        ``"graph"`` as recorded, ``"pure"``, the name of a pass (the graph after it), ``"kernels"``,
        ``"plan"``, ``"llvm"``, ``"optimized"`` (LLVM IR after its optimiser), ``"asm"``, or
        ``"all"`` (all but the last three). Several with commas.

    Raises
    ------
    ValueError
        For a stage there is not; the message lists them.
    """
    c, elements = compile_run(
        fetches, feed_dict, session, graph=graph, level=level, passes=passes, off=off
    )
    parts = dict(stages(c, elements))
    if stage == "all":
        wanted = [s for s in parts if s not in ("llvm", "optimized", "asm")]
    else:
        wanted = [s.strip() for s in stage.split(",")]
        for s in wanted:
            if s not in parts:
                raise ValueError(f"unknown stage {s!r}; there are: {', '.join(parts)}")
    if len(wanted) == 1:
        return str(parts[wanted[0]]())
    return "\n\n".join(f"# ---- {s}\n{parts[s]()}" for s in wanted)


def stages(c: Any, elements: Sequence[Value | Node]) -> list[tuple[str, Any]]:
    """Each stage of a compilation with what makes its text."""
    out: list[tuple[str, Any]] = [
        ("graph", lambda: recorded(elements)),
        ("pure", lambda: print_graph(c.frozen.graph)),
    ]
    count: dict[str, int] = {}
    for r in c.trace.records:
        count[r.name] = k = count.get(r.name, 0) + 1
        name = r.name if k == 1 else f"{r.name}.{k}"
        out.append((name, lambda g=r.graph: print_graph(g)))
    out += [
        ("kernels", lambda: kernels(c)),
        ("plan", lambda: plan_text(c)),
        ("llvm", lambda: native(c, "llvm_ir")),
        ("optimized", lambda: native(c, "optimized_ir")),
        ("asm", lambda: native(c, "assembly")),
    ]
    return out


def recorded(elements: Sequence[Value | Node]) -> str:
    """The recorded nodes that a run needs, with control inputs, in order of recording."""
    from graphc.ir.node import reachable, type_text

    nodes = reachable([e if isinstance(e, Node) else e.node for e in elements])
    lines = []
    for n in nodes:
        left = ", ".join("%" + (v.node.name if v.index == 0 else v.name) for v in n.outputs)
        ins = [("%" + (v.node.name if v.index == 0 else v.name)) for v in n.inputs]
        ins += ["^" + m.name for m in n.control]
        types = ", ".join(type_text((v.dtype, _known(v))) for v in n.outputs)
        where = f"  # {n.source[0]}" if n.source else ""
        lines.append(
            f"  {left or '^' + n.name} = {n.op.name} {', '.join(ins)}{' : ' + types if types else ''}{where}"
        )
    return "\n".join(lines)


def _known(v: Value) -> Any:
    """Unknown sizes as ``?``, as the user sees them."""
    from graphc.ir.dims import Expr

    if v.static_shape is None:
        return None
    return tuple(d if type(d) is int else Expr.symbol("?") for d in v.static_shape)


def kernels(c: Any) -> str:
    """Every distinct kernel of the plan as loops."""
    from graphc.ir.kernel_text import print_kernel

    seen: dict[str, str] = {}
    for s in c.plan.steps:
        seen.setdefault(s.code.name, print_kernel(s.code.kernel))
    return "\n\n".join(t.rstrip() for t in seen.values())


def plan_text(c: Any) -> str:
    """The plan: buffers and calls with sizes."""
    lines = []
    facts = c.plan.facts
    sizes = ", ".join(f"{s}={n}" for s, n in facts.env.items())
    lines.append(f"plan {c.plan.graph.name}({sizes}) {{")
    for (op, a, b), answer in facts.guards.items():
        lines.append(f"  holds {'' if answer else 'not '}{a} {op} {b}")
    offset = c.offsets() if hasattr(c, "offsets") else {}
    for i, s in enumerate(c.plan.steps):
        args = []
        for p, b in zip(s.code.kernel.params, s.binds, strict=False):
            place = {"feed": "feed ", "var": "var ", "const": "const ", "out": "out "}.get(
                b.kind, b.kind + " "
            )
            name = b.name if b.kind in ("feed", "var") else str(b.index)
            at = offset.get(id(b))
            args.append(
                f"{p.name}={place}{name}{'' if at is None else f' @{at}'}: {b.dtype.code}[{b.count}]"
            )
        lines.append(
            f"  {i:3d} {'commit ' if s.commit else ''}call {s.code.name}({', '.join(args)})"
        )
    for i, (dtype, shape) in enumerate(c.plan.out_types):
        lines.append(f"  return {i}: {dtype.code}[{', '.join(map(str, shape))}]")
    return "\n".join([*lines, "}"])


def native(c: Any, what: str) -> str:
    """LLVM IR or assembly of every distinct kernel."""
    out: dict[str, str] = {}
    for i, s in enumerate(c.plan.steps):
        for variant, (owner, _) in c.owners[i].items():
            name = s.code.name if variant == "kernel" else f"{s.code.name} ({variant})"
            if name not in out:
                out[name] = f"; kernel {name}\n{getattr(owner, what)}"
    return "\n".join(out.values())


__all__ += ["compile_run", "stages"]
