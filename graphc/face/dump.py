"""Seeing what the compiler did: `optimize`, `dump`, and a folder a compilation (GRAPHC_DUMP)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.errors import FailedPreconditionError, InvalidArgumentError
from graphc.face.graph import Graph, get_default_graph
from graphc.face.guesses import made_shapes, result_shapes
from graphc.face.variables import Variable
from graphc.ir import graph as irgraph
from graphc.ir import journal
from graphc.ir.dims import Expr, Shape
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value, reachable, type_text
from graphc.ir.text import attribute_text, print_graph

__all__ = ["dump", "optimize"]

#: Stages that "all" leaves out.
_LONG = ("llvm", "optimized", "asm")


class Part(NamedTuple):
    """One native part of a run: its compilation, what it computes, and what comes after it."""

    compilation: Any
    elements: Sequence[Value | Node]
    title: str


def _elements(fetches: Any, graph: Graph) -> list[Value | Node]:
    """The tensors and operations of fetches; sparse and ragged tensors are several."""
    from graphc.face.fetches import expansion

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
        elif (made := expansion(f)) is not None:
            stack += reversed(made.fetch(f)[0])
        else:
            out.append(graph.as_graph_element(f))
    return out


def _some(elements: list[Value | Node]) -> list[Value | Node]:
    if not elements:
        raise ValueError("there is nothing to show: no tensor or operation is fetched")
    return elements


def _example(
    v: Value, sizes: Sequence[int], number: int, known: Shape | None = None
) -> np.ndarray[Any, Any]:
    """An array of the static shape of `v`; the i-th size is the i-th of `sizes` where unknown."""
    static = v.static_shape
    if known is not None and static is not None and len(known) == len(static):
        static = tuple([k if type(k) is int else d for k, d in zip(known, static, strict=True)])
    elif known is not None:
        static = known
    shape = [d if type(d) is int else sizes[i % len(sizes)] for i, d in enumerate(static or ())]
    if v.dtype.kind == "s":
        return np.full(shape, b"", object)
    return np.full(shape, number if v.dtype.kind in "iu" else 0, v.dtype.np)


#: Sizes and integers to try for what is not fed: told apart by axis, all equal; integers that
#: could be sizes, then zeros, which could be axes or rows.
_GUESSES = [((5, 7, 11, 13), 3), ((3,), 3), ((5, 7, 11, 13), 0), ((3,), 0)]


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


def _executor(
    session: Any, graph: Graph | None, level: int, passes: Any, off: Iterable[str]
) -> tuple[Graph, Any]:
    """The graph, and what prepares its runs: of a session, or without any state."""
    from graphc.passes.pipeline import named, of_level
    from graphc.runtime.executor import Executor
    from graphc.runtime.options import Options
    from graphc.runtime.state import State

    if session is not None:
        graph, ex = session.graph, session._executor
        if ex is None:
            raise RuntimeError("Attempted to use a closed Session.")
        if journal.current() is not None:  # what is compiled already would not be written down
            ex = Executor(graph, ex.state, ex.options)
    else:
        graph = graph or get_default_graph()
        of_level(level)
        text = passes if passes is None or isinstance(passes, str) else ",".join(passes)
        ex = Executor(graph, State(), Options(level, text, tuple(named(off))))
    return graph, ex


def compile_run(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None, *,
    graph: Graph | None = None, level: int = 2, passes: Any = None, off: Iterable[str] = (),
) -> list[Part]:  # fmt: skip
    """The native parts of a run, compiled without running anything.

    Placeholders that are not fed take examples of their static shape. While a journal is kept,
    everything is compiled, also what the session has compiled before.
    """
    from graphc.face.fetches import flattened

    graph, ex = _executor(session, graph, level, passes, off)
    elements = _some(_elements(fetches, graph))
    feeds: dict[Value, Any] = {}
    for k, x in flattened(feed_dict or {}):
        key = k._ref() if isinstance(k, Variable) else graph.as_graph_element(k)
        feeds[key] = x
    missing = _placeholders(elements, feeds)
    lookup = _static_variables(graph, ex)
    for i, (sizes, number) in enumerate(_GUESSES):
        for v in missing:
            feeds[v] = _example(v, sizes, number)
        run = ex.prepare(tuple(elements), tuple(feeds))
        run = getattr(run, "main", run)  # what the host does afterwards is not compiled
        try:
            between: list[Value] = []
            parts = _parts(run, list(feeds.values()), lookup, (sizes, number), between)
        except InvalidArgumentError as e:
            if not missing and not between:
                raise
            if i + 1 < len(_GUESSES):
                continue
            names = ", ".join(v.name for v in missing)
            guessed = f"for {names}; pass a feed_dict" if missing else "for what the host computes"
            raise InvalidArgumentError(
                None, e.op, f"{e.message}\nSizes and numbers were guessed {guessed}."
            ) from None
        break
    parts[-1] = parts[-1]._replace(elements=elements)
    if len(parts) == 1:
        return parts
    return [p._replace(title=f"part {i} of {len(parts)}{p.title}") for i, p in enumerate(parts, 1)]


def compile_graph(g: irgraph.Graph, level: int = 2, passes: Any = None) -> Any:
    """The compilation of a pure graph (of IR text, say); nothing is run.

    Raises
    ------
    ValueError
        For a pass there is not.
    """
    from graphc.passes.functionalize import Frozen
    from graphc.runtime.executor import Executor
    from graphc.runtime.options import Options
    from graphc.runtime.state import State

    ex = Executor(None, State(), Options(level, passes))
    reads = [n.attrs["var"] for n in g.nodes() if n.op.name == "read"]
    drawn = [(n, n) for n in g.nodes() if n.op.family == "random"]
    frozen = Frozen(g, reads, drawn, [None] * len(g.outputs))
    return ex.part((), (), ()).finish(frozen)


def _parts(
    run: Any, values: list[Any], lookup: Any, guess: tuple[Sequence[int], int],
    between: list[Value],
) -> list[Part]:  # fmt: skip
    """The parts of a run that values cut; what is `between` is not run, examples stand for it."""
    from graphc.passes.cuts import Cut
    from graphc.runtime.parts import Parts
    from graphc.runtime.runs import compile_only

    out: list[Part] = []
    sizes: dict[Value, Shape] = {}
    while True:
        try:
            c = compile_only(run, values, lookup)
        except Cut as e:
            parts = Parts(run, e)
            between += parts.fed
            given = dict(zip(run.feeds, values, strict=True))
            if parts.first is not None and parts.first.fetches:
                names = ", ".join(h.name for h in e.hosts)
                what = f", before {names:.60}" if names else ", makes a size"
                operands = [given[v] for v in parts.first.feeds]
                made = _parts(parts.first, operands, lookup, guess, between)
                sizes.update(result_shapes(parts.first, made[-1].compilation))
                made[-1] = made[-1]._replace(title=what)
                out += made
            sizes.update((v, np.shape(a)) for v, a in given.items())
            sizes.update(made_shapes(e.hosts, sizes))
            given.update((v, _example(v, *guess, known=sizes.get(v))) for v in parts.fed)
            run = parts.rest
            values = [given[v] for v in run.feeds]
            continue
        return [*out, Part(c, [*run.fetches, *run.targets], "")]


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
            raise FailedPreconditionError(
                None,
                None,
                f"the shape of variable {name!r} is not known before it is initialized; "
                "pass a session in which it is",
            )
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
        For a pass there is not; the message lists them. For a run in several parts (an op that
        only the host can do, or a size that depends on data): `dump` shows each.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     x = tf.placeholder(tf.float32, [None], name="x")
    ...     y = tf.identity(x * 1.0 + 0.5, name="y")
    ...     pure = tf.optimize(g, y, passes="simplify")
    >>> [n.op.name for n in pure.nodes()]
    ['input', 'constant', 'add']
    """
    from graphc.passes.functionalize import Frozen
    from graphc.passes.pipeline import optimize_ir, pipeline

    names = pipeline(passes, level, off)
    parts = compile_run(fetches, feed_dict, graph=graph)
    if len(parts) > 1:
        titles = "; ".join(p.title for p in parts)
        raise ValueError(f"this run has {len(parts)} parts ({titles}): see each with graphc.dump")
    frozen: Frozen = parts[0].compilation.frozen
    return optimize_ir(frozen.graph, names, check=True)


def dump(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None,
    stage: str = "all", *, graph: Graph | None = None, level: int = 2, passes: Any = None,
    off: Iterable[str] = (), format: str = "text",
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
        ``"graph"`` as recorded, ``"pure"``, the name of a pass (the graph after it; ``"fold.2"``
        after its second time), ``"kernels"``, ``"plan"``, ``"llvm"``, ``"optimized"`` (LLVM IR
        after its optimiser), ``"asm"``, ``"all"`` (all but the last three) or ``"everything"``.
        Several with commas.
    format : {"text", "json", "dot", "python"}
        As data; in the language of graphviz; or as a program: graphs after passes as one of
        numpy that computes the same, ``main(*feeds, variables)``, the recorded graph as
        TensorFlow 1 source that records it again. By default the program of ``"pure"``.

    Raises
    ------
    ValueError
        For a stage there is not (the message lists them), or that has no such form.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.placeholder(tf.float32, [None], name="x")
    ...     print(tf.dump(tf.nn.relu(x, name="y"), stage="pure"))
    graph main(b) {
      %x = input {index=0} : f32[b]
      %y = relu %x : f32[b]
      return %y
    }
    """
    if [s.strip() for s in str(stage).split(",")] == [
        "graph"
    ]:  # that of what does not compile, too
        graph, _ = _executor(session, graph, level, passes, off)
        parts = [Part(None, _some(_elements(fetches, graph)), "")]
    else:
        parts = compile_run(
            fetches, feed_dict, session, graph=graph, level=level, passes=passes, off=off
        )
    if format != "text":
        from graphc.see import forms

        if format not in forms.FORMATS:
            raise ValueError(f"unknown format {format!r}; there are: {', '.join(forms.FORMATS)}")
        triples = [(p.title, p.compilation, p.elements) for p in parts]
        held = {} if session is None else session._executor.state.seeds
        return forms.formatted(triples, stage, format, held.get)
    texts = []
    for p in parts:
        made = stages(p.compilation, p.elements)
        wanted = chosen(stage, [name for name, _ in made])
        shown = [(name, make()) for name, make in made if name in wanted]
        lines = [f"# ==== {p.title}"] if p.title else []
        if len(shown) == 1:
            lines.append(shown[0][1])
        else:
            did = notes(p.compilation)
            lines += [f"# ---- {name}\n{did.get(name, '')}{text}\n" for name, text in shown]
        texts.append("\n".join(lines).rstrip())
    return "\n\n".join(texts)


def chosen(stage: str, known: Sequence[str]) -> list[str]:
    """The stages that `stage` asks for.

    Raises
    ------
    ValueError
        For one that is not `known`.
    """
    if stage == "everything":
        return list(known)
    if stage == "all":
        return [s for s in known if s not in _LONG]
    wanted = [s.strip() for s in str(stage).split(",")]
    short = {re.sub(r":[^.]*", "", s): s for s in reversed(known)}  # passes without licences
    for i, s in enumerate(wanted):
        if s not in known:
            if s not in short:
                there = f"{', '.join(known)}, all, everything"
                raise ValueError(f"unknown stage {s!r}; there are: {there}")
            wanted[i] = short[s]
    return wanted


def check_stage(word: str) -> None:
    """Refuse what cannot be a stage of any compilation.

    Raises
    ------
    ValueError
    """
    from graphc.passes.pipeline import PASSES

    there = ["graph", "pure", *PASSES, "kernels", "plan", *_LONG, "all", "everything"]
    name, _, count = word.strip().partition(":")[0].partition(".")
    if name not in there or (count and (not count.isdigit() or name not in PASSES)):
        raise ValueError(f"unknown stage {word.strip()!r}; there are: {', '.join(there)}")


def stages(
    c: Any, elements: Sequence[Value | Node], kernel: str = ""
) -> list[tuple[str, Callable[[], str]]]:
    """Each stage of a compilation with what makes its text; of None what was recorded.

    Of kernels those alone whose names have `kernel` in them.
    """
    out: list[tuple[str, Callable[[], str]]] = [("graph", lambda: recorded(elements))]
    if c is None:
        return out
    out.append(("pure", lambda: print_graph(c.frozen.graph)))
    for name, r in passes_of(c):
        out.append((name, lambda g=r.graph: print_graph(g)))  # type: ignore[misc]
    out += [
        ("kernels", lambda: kernels(c, kernel)),
        ("plan", lambda: plan_text(c)),
        ("llvm", lambda: native(c, "llvm_ir", kernel)),
        ("optimized", lambda: native(c, "optimized_ir", kernel)),
        ("asm", lambda: native(c, "assembly", kernel)),
    ]
    return out


def passes_of(c: Any) -> Iterator[tuple[str, Any]]:
    """The records of the passes of a compilation by the names of their stages."""
    count: dict[str, int] = {}
    for r in c.trace.records:
        count[r.name] = k = count.get(r.name, 0) + 1
        yield r.name if k == 1 else f"{r.name}.{k}", r


def notes(c: Any) -> dict[str, str]:
    """What passes say they did, rules by name, as remarks."""
    return {
        name: "".join(f"# {what}: {times}\n" for what, times in r.notes.items())
        for name, r in passes_of(c)
    }


def recorded(elements: Sequence[Value | Node]) -> str:
    """The recorded nodes that a run needs, with control inputs, in order of recording."""
    nodes = reachable([e if isinstance(e, Node) else e.node for e in elements])
    lines = []
    for n in nodes:
        left = ", ".join("%" + _label(v) for v in n.outputs)
        ins = ["%" + _label(v) for v in n.inputs] + ["^" + m.name for m in n.control]
        attrs = {k: v for k, v in n.attrs.items() if k not in ("dtype", "shape") and k[:1] != "_"}
        inner = ", ".join(f"{k}={attribute_text(v)}" for k, v in sorted(attrs.items()))
        words = [f"  {left or '^' + n.name} = {n.op.name}", ", ".join(ins)]
        words += ["{" + inner + "}"] if inner else []
        types = ", ".join(type_text((v.dtype, _known(v))) for v in n.outputs)
        words += [": " + types] if types else []
        words += [" # " + _one_line(n.source[0])] if n.source else []
        lines.append(" ".join(w for w in words if w))
    return "\n".join(lines)


def _label(v: Value) -> str:
    return v.node.name if v.index == 0 else v.name


def _one_line(x: object) -> str:
    """Text that keeps to its line whatever a file or variable is called."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(x))


def _known(v: Value) -> Any:
    """Unknown sizes as ``?``, as the user sees them."""
    if v.static_shape is None:
        return None
    return tuple(d if type(d) is int else Expr.symbol("?") for d in v.static_shape)


def kernels(c: Any, only: str = "") -> str:
    """Every distinct kernel of the plan as loops, or `only` those of a name."""
    from graphc.ir.kernel_text import print_kernel

    seen: dict[str, str] = {}
    for s in c.plan.steps:
        if s.calls and only in s.code.name and s.code.name not in seen:
            seen[s.code.name] = print_kernel(s.code.kernel)
    return "\n\n".join(t.rstrip() for t in seen.values())


def plan_text(c: Any) -> str:
    """The plan: buffers and calls with sizes."""
    lines = []
    facts = c.plan.facts
    sizes = ", ".join(f"{s}={n}" for s, n in facts.env.items())
    lines.append(f"plan {c.plan.graph.name}({sizes}) {{")
    for (op, a, b), answer in facts.guards.items():
        lines.append(f"  holds {'' if answer else 'not '}{a} {op} {b}")
    places = {s: i for i, s in enumerate(c.plan.steps)}
    for i, s in enumerate(c.plan.steps):
        if not s.calls:
            lines.append(f"  {i:3d} {_branch(s, places)}")
            continue
        args = []
        for p, b in zip(s.code.kernel.params, s.binds, strict=False):
            args.append(f"{p.name}={_place(b)}: {b.dtype.code}[{b.count}]")
        commit = "commit " if s.commit else ""
        lines.append(f"  {i:3d} {commit}call {s.code.name}({', '.join(args)})")
    for i, (dtype, shape) in enumerate(c.plan.out_types):
        lines.append(f"  return {i}: {type_text((dtype, shape))}")
    return "\n".join([*lines, "}"])


def _place(b: Any) -> str:
    """What a buffer is called."""
    return f"{b.kind} {_one_line(b.name) if b.kind in ('feed', 'var', 'kept') else b.index}"


def _branch(s: Any, places: dict[Any, int]) -> str:
    """A step that calls no kernel."""
    if s.label:
        return "label"
    where = places[s.target]
    return f"branch {_place(s.binds[0])} else {where}" if s.reads else f"jump {where}"


def native(c: Any, what: str, only: str = "") -> str:
    """LLVM IR or assembly of every distinct kernel, or `only` of those of a name."""
    out: dict[str, str] = {}
    for i, s in enumerate(c.plan.steps):
        for variant, (owner, _) in c.owners.get(i, {}).items():
            name = s.code.name if variant == "kernel" else f"{s.code.name} ({variant})"
            if only in s.code.name and name not in out:
                out[name] = f"; kernel {name}\n{getattr(owner, what)}"
    return "\n".join(out.values())
