"""`graphc.explain`: what the compiler did with a tensor or a line, and why not something else.

The reasons were written down where the decisions are made (`graphc.ir.journal`): the run is
compiled once more with a journal, and `Explainer` gathers what it says. Why a session compiled
something is asked of the session itself, which keeps the last causes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import CompileError, OpError
from graphc.face import dump
from graphc.face.default_session import get_default_session
from graphc.face.graph import Graph, get_default_graph
from graphc.ir import dims as D
from graphc.ir import journal
from graphc.ir.journal import Reason
from graphc.ir.node import Node, Value, reachable
from graphc.passes.cuts import on_host
from graphc.see.explanation import Explainer, Explanation

__all__ = ["explain", "nodes_of_line", "resolve", "watched", "with_causes"]


def explain(
    what: Any = None, fetches: Any = None, feed_dict: Mapping[Any, Any] | None = None,
    session: Any = None, *, graph: Graph | None = None, profile: bool = False,
) -> Explanation:  # fmt: skip
    """What the compiler did with a tensor, an operation or a line, and why.

    Parameters
    ----------
    what : Tensor, Operation, Variable, str or int, optional
        A tensor or operation, the name of one, ``"file.py:12"``, or the number of a line of the
        caller's file. Without it: why the session compiled what it did.
    fetches, feed_dict : optional
        The run in question. By default the last run of the session that needs it; without a
        session all that is computed from it in the graph.
    session : Session, optional
        Whose runs, variables and configuration to use; by default the default session.
    graph : Graph, optional
        Without a session; by default the default graph.
    profile : bool
        Measure the kernels too: the run is made several times with `feed_dict` (which is needed
        where anything is fed), and variables are put back.

    Returns
    -------
    Explanation
        Print it: which kernels, together with what, what stopped the neighbours, and for each
        reason the smallest change that would alter it. It has fields for programs.

    Raises
    ------
    ValueError
        When nothing was recorded at the line, or there is no run to explain.
    KeyError
        When the graph has nothing of that name.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.placeholder(tf.float32, [None, 16], name="x")
    ...     m = tf.reduce_max(x, axis=0, name="m")
    ...     why = tf.explain(m, x - m)
    >>> print(why.because("fuse")[0].remedy)
    reduce with keepdims=True
    """
    caller = sys._getframe(1).f_code.co_filename
    if session is None and graph is None:
        session = get_default_session()
        of = getattr(what, "graph", None)
        if session is not None and of is not None and of is not session.graph:
            session = None
    if session is not None and session._executor is None:
        raise RuntimeError("Attempted to use a closed Session.")
    if what is None:
        return _compilations(session)
    graph = session.graph if session is not None else graph or _graph_of(what)
    title, nodes = resolve(what, graph, caller)
    fetches, feeds = _run(nodes, fetches, feed_dict, session, graph)
    found, error = _compiled(fetches, feeds, session, graph, nodes)
    if profile:
        found.profile = _measured(session, fetches, feed_dict)
    answer = found.about(title, nodes, error)
    return answer if session is None else with_causes(answer, session._executor)


# ------------------------------------------------------------------------- what is meant


def _graph_of(what: Any) -> Graph:
    of = getattr(what, "graph", None)
    return of if isinstance(of, Graph) else get_default_graph()


def resolve(what: Any, graph: Graph, caller: str = "") -> tuple[str, list[Node]]:
    """The title and the recorded operations of what was asked about."""
    if isinstance(what, str):
        file, _, line = what.rpartition(":")
        output = _has_name(graph, file) and "." not in file  # no file, but an operation
        if file and line.isdigit() and not output and not _has_name(graph, what):
            return f"line {what}", nodes_of_line(graph, file, int(line))
    if isinstance(what, int) and not isinstance(what, bool):
        here = [n for n in graph.get_operations() if n.source and n.source[0].file == caller]
        file = caller if any(n.source[0].line == what for n in here) else ""
        return f"line {Path(file).name}:{what}", nodes_of_line(graph, file, what)
    elements = dump._elements(what, graph)  # those of a sparse or ragged tensor
    nodes = [n for e in elements for n in _grouped(e if isinstance(e, Node) else e.node)]
    return ", ".join(e.name for e in elements), list(dict.fromkeys(nodes))


def _grouped(n: Node) -> list[Node]:
    """The operation; of a group those that it makes run, of a loop's result the loop, too."""
    found: dict[Node, None] = {}
    stack = [n]
    while stack:
        m = stack.pop()
        if m not in found:
            found[m] = None
            stack += reversed(m.control if m.op.name == "no_op" else ())
            stack += [v.node for v in m.inputs if v.node.op.facts.get("contexts")]
    return list(found)


def _has_name(graph: Graph, name: str) -> bool:
    try:
        graph.as_graph_element(name)
    except (KeyError, ValueError, TypeError):
        return False
    return True


def nodes_of_line(graph: Graph, file: str, line: int) -> list[Node]:
    """The operations recorded at a line; `file` is a path, the end of one, or "" for any.

    Raises
    ------
    ValueError
        When there are none; names the nearest lines that recorded something.
    """
    parts = Path(file).parts
    lines: dict[int, list[Node]] = {}
    for n in graph.get_operations():
        for s in n.source[:1]:
            if not parts or Path(s.file).parts[-len(parts) :] == parts:
                lines.setdefault(s.line, []).append(n)
    if line in lines:
        return lines[line]
    if not lines:
        raise ValueError(f"no operation of this graph was recorded in {file or 'any file'!r}")
    near = sorted(sorted(lines, key=lambda i: abs(i - line))[:4])
    raise ValueError(
        f"no operation was recorded at line {line}{f' of {file!r}' if file else ''}; the nearest"
        f" lines are {', '.join(map(str, near))}"
    )


# ------------------------------------------------------------------------- which run


def _run(
    nodes: Sequence[Node], fetches: Any, feed_dict: Any, session: Any, graph: Graph
) -> tuple[Any, dict[Any, Any]]:
    """The fetches and feeds to compile."""
    feeds = dict(feed_dict or {})
    if fetches is not None:
        return fetches, feeds
    if session is not None:
        found = _last_run(session, set(nodes))
        if found is not None:
            elements, examples = found
            return elements, {**examples, **feeds}
    return _sinks(nodes, graph), feeds


def _last_run(session: Any, nodes: set[Node]) -> tuple[list[Any], dict[Any, Any]] | None:
    """The last prepared run of a session that needs one of `nodes`, with examples of its feeds."""
    for (fetches, feeds), run in reversed(list(session._executor.prepared.items())):
        fed = set(feeds)
        roots = [f if isinstance(f, Node) else f.node for f in fetches if f not in fed]
        stop = [v.node for v in feeds]
        if nodes.isdisjoint(reachable(roots, stop)) and nodes.isdisjoint(stop):
            continue
        return list(fetches), _examples(getattr(run, "main", run))
    return None


def _examples(run: Any) -> dict[Any, Any]:
    """Arrays of the sizes that the last plan of a run was made for."""
    plans = [c for found in run.plans.values() for c in found]
    if not plans:
        return {}
    facts = plans[-1].plan.facts
    out: dict[Any, Any] = {}
    for v, pure in zip(run.feeds, plans[-1].frozen.graph.inputs, strict=True):
        if v.dtype.kind == "s":
            continue
        a = np.zeros([D.evaluate(d, facts.env) for d in pure.static_shape or ()], v.dtype.np)
        symbols = facts.fed.get(pure)
        if symbols is not None:
            items = symbols if isinstance(symbols, tuple) else (symbols,)
            a.reshape(-1)[: len(items)] = [D.evaluate(s, facts.env) for s in items]
        out[v] = a
    return out


def _sinks(nodes: Sequence[Node], graph: Graph) -> list[Any]:
    """All that is computed from `nodes` and that nothing else is computed from."""
    reach = set(nodes)
    read: set[Node] = set()
    for n in graph.get_operations():
        before = [v.node for v in n.inputs] + list(n.control)
        if any(m in reach for m in before) and not on_host(n):
            reach.add(n)
            read.update(before)
    ends = [n for n in graph.get_operations() if n in reach and n not in read]
    ends = [n for n in ends if graph.is_fetchable(n)]  # not what is inside of a loop
    return [n.outputs[0] if len(n.outputs) == 1 and _fetchable(n) else n for n in ends]


def _fetchable(n: Node) -> bool:
    return isinstance(n.outputs[0], Value) and "update" not in n.op.facts


# ------------------------------------------------------------------------- compiling


@contextmanager
def watched(split: bool = False) -> Iterator[tuple[journal.Journal, list[tuple[Any, Any]]]]:
    """A journal, and what this thread compiles inside the block: pairs (run, Compilation).

    With `split` each compilation has a journal of its own, as ``trace.journal``.
    """
    from graphc.runtime import listeners

    with journal.recording() as log:
        runs: list[tuple[Any, Any]] = []

        def observer(run: Any, c: Any) -> None:
            if journal.current() is log:
                runs.append((run, c))
                if split:
                    c.trace.journal = log.take()

        listeners.observers.append(observer)
        try:
            yield log, runs
        finally:
            listeners.observers.remove(observer)


def _compiled(
    fetches: Any, feeds: Any, session: Any, graph: Graph, nodes: Sequence[Node]
) -> tuple[Explainer, str]:
    """What compiling the run writes down; with the error, where it does not compile."""
    error = ""
    with watched() as (log, runs):
        try:
            dump.compile_run(fetches, feeds, session, graph=graph)
        except (OpError, CompileError, ValueError, TypeError) as e:
            error = str(e)
    found = Explainer(log, runs)
    if error and not runs:  # perhaps it is only what comes after it
        first = [n.outputs[0] if n.outputs else n for n in nodes]
        with watched() as (log, runs):
            try:
                dump.compile_run(first, feeds, session, graph=graph)
            except (OpError, CompileError, ValueError, TypeError):
                return found, error
        found = Explainer(log, runs)
    return found, error


def _measured(session: Any, fetches: Any, feed_dict: Any) -> Sequence[Any]:
    from graphc.see.profile import profile_run

    if session is None:
        raise ValueError("profile=True needs a session, in which variables have values")
    return profile_run(session, fetches, feed_dict)


# ------------------------------------------------------------------------- why compiled


def with_causes(answer: Explanation, executor: Any) -> Explanation:
    """The explanation with why an executor compiled what needs these operations."""
    wanted = set(answer.nodes)
    found = [c for c in executor.causes if not wanted.isdisjoint(_needs(c.elements))]
    return _joined(answer, found)


def _needs(elements: Sequence[Any]) -> list[Node]:
    return reachable([e if isinstance(e, Node) else e.node for e in elements])


def _compilations(session: Any) -> Explanation:
    if session is None:
        raise ValueError("nothing to explain: give a tensor, an operation, a line, or a session")
    count = len(session._executor.causes)
    return _joined(Explanation(f"the last {count} compilations of the session", ()),
                   session._executor.causes)  # fmt: skip


def _joined(answer: Explanation, causes: Any) -> Explanation:
    made = []
    for c in causes:
        nodes = tuple(e if isinstance(e, Node) else e.node for e in c.elements)
        text = str(c).split("\n", 1)[0]
        made.append(Reason("compile", nodes, text, c.remedy, c.kind))
    return Explanation(
        answer.about, answer.nodes, answer.places, answer.fates, answer.gradients,
        (*answer.reasons, *made), answer.error,
    )  # fmt: skip
