"""Everything that a report shows as one dictionary of plain data."""

from __future__ import annotations

import datetime
import os
import platform
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import graphc
from graphc.face.default_session import get_default_session
from graphc.face.dump import _elements, _placeholders, compile_run
from graphc.face.fetches import flattened
from graphc.face.graph import Graph, get_default_graph
from graphc.ir.journal import Journal
from graphc.ir.node import Node, Value
from graphc.see.explanation import Explainer
from graphc.see.profile import StepProfile, profile_run
from graphc.see.report.compiled import Limits, compilation
from graphc.see.report.table import Lines
from graphc.see.why import watched

__all__ = ["Run", "gather", "gather_run"]

Element = Value | Node


@dataclass
class Run:
    """What is known of a run.

    Attributes
    ----------
    parts : list of (Compilation or None, elements, title)
        Its native parts.
    log : Journal
        That was recording while they were compiled.
    error : BaseException or None
        Why there is no more.
    pairs : list of (run, Compilation)
        What was compiled for which run; for explanations.
    profile : list of StepProfile
    runs : int
        How often it was run for its times.
    untimed : str
        Why there are no times.
    threads : int
        Of the session.
    """

    parts: list[tuple[Any, Sequence[Element], str]]
    log: Journal
    error: BaseException | None = None
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    profile: list[StepProfile] = field(default_factory=list)
    runs: int = 0
    untimed: str = ""
    threads: int = 0


def gather(
    fetches: Any, feed_dict: Mapping[Any, Any] | None = None, session: Any = None, *,
    graph: Graph | None = None, runs: int = 10, title: str = "", native: bool = True,
    limits: Limits | None = None, **options: Any,
) -> dict[str, Any]:  # fmt: skip
    """Compile a run anew, watching, measure it where it can be run, and say everything about it.

    An error of the compiler is part of the answer: ``error``, with what there is until then.

    Raises
    ------
    ValueError, TypeError
        For what cannot be fetched or fed.
    """
    if session is None and not options and (now := get_default_session()) is not None:
        session = now if graph is None or now.graph is graph else None
    graph = session.graph if session is not None else graph or get_default_graph()
    elements = _elements(fetches, graph)
    if not elements:
        raise ValueError("there is nothing to show: no tensor or operation is fetched")
    for key, _ in flattened(feed_dict or {}):
        graph.as_graph_element(getattr(key, "_ref", lambda key=key: key)())
    run = _compiled(fetches, feed_dict, session, graph, elements, options)
    run.threads = session._executor.threads if session is not None else os.cpu_count() or 1
    if run.error is None:
        _time(run, session, fetches, feed_dict, elements, runs)
    return gather_run(run, title=title, native=native, limits=limits)


def _compiled(
    fetches: Any, feed_dict: Mapping[Any, Any] | None, session: Any, graph: Graph,
    elements: Sequence[Element], options: Mapping[str, Any],
) -> Run:  # fmt: skip
    anew = None if session is None else _anew(session)
    with watched() as (log, pairs):
        try:
            found = compile_run(fetches, feed_dict, anew, graph=graph, **options)
        except Exception as e:
            done = log.compilations[-1:] or [None]
            return Run([(c, elements, "") for c in done], log, e)
    run_of = {c: run for run, c in pairs}
    runs = [(run_of[p.compilation], p.compilation) for p in found]
    return Run([(p.compilation, p.elements, p.title) for p in found], log, pairs=runs)


def _anew(session: Any) -> Any:
    """The session with nothing compiled yet: the same variables, the same options."""
    from graphc.runtime.executor import Executor

    ex = session._executor
    if ex is None:
        raise RuntimeError("Attempted to use a closed Session.")
    return types.SimpleNamespace(
        graph=session.graph, _executor=Executor(session.graph, ex.state, ex.options)
    )


def _time(
    run: Run, session: Any, fetches: Any, feed_dict: Any, elements: Sequence[Element], runs: int
) -> None:
    """Measure the run, where it can be run."""
    if runs < 1:
        run.untimed = "There are no times: none were asked for."
        return
    if session is None:
        run.untimed = "There are no times: without a session nothing is run."
        return
    fed = [
        session.graph.as_graph_element(getattr(k, "_ref", lambda k=k: k)())
        for k, _ in flattened(feed_dict or {})
    ]
    missing = _placeholders(elements, fed)
    if missing:
        names = ", ".join(v.node.name for v in missing[:5])
        run.untimed = f"There are no times: nothing is fed to {names}."
        return
    try:
        run.profile, run.runs = profile_run(session, fetches, feed_dict, runs=runs), runs
    except Exception as e:
        run.untimed = f"There are no times: {type(e).__name__}: {getattr(e, 'message', e)}"


def gather_run(
    run: Run, *, title: str = "", native: bool = True, limits: Limits | None = None
) -> dict[str, Any]:
    """The data of what is known of a run."""
    lines, limits = Lines(), limits or Limits()
    known = Explainer(run.log, run.pairs, run.profile) if run.pairs else None
    made = []
    for i, (c, elements, name) in enumerate(run.parts):
        own = [p for p in run.profile if p.part == i]
        part = compilation(
            c, elements, run.log, lines, limits, native, own, run.threads or 1, known
        )
        part["title"] = name
        made.append(part)
    return {
        "version": 1, "title": title or _title(run.parts[-1][1]), "graphc": graphc.__version__,
        "made": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": _machine(run), "runs": run.runs, "untimed": run.untimed,
        "error": None if run.error is None else _error(run.error),
        "lines": lines.lines, "files": lines.texts(), "parts": made, "left_out": limits.left_out,
    }  # fmt: skip


def _error(e: BaseException) -> dict[str, str]:
    return {"type": type(e).__name__, "message": str(getattr(e, "message", "") or e)}


def _title(elements: Sequence[Element]) -> str:
    names = [e.name if isinstance(e, Node) else e.node.name for e in elements]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


_rates: dict[int, Any] = {}


def _machine(run: Run) -> dict[str, Any]:
    from graphc.runtime.llvm.cpu import host
    from graphc.see import machine

    cpu = host()
    out: dict[str, Any] = {
        "cpu": machine.cpu_name(), "bits": cpu.lanes(4) * 32, "threads": run.threads,
        "python": platform.python_version(), "system": platform.system(),
    }  # fmt: skip
    if run.profile:  # measured once a process
        if run.threads not in _rates:
            _rates[run.threads] = machine.measure(run.threads)
        out["flops"], out["bytes"] = (round(x) for x in _rates[run.threads])
    return out
