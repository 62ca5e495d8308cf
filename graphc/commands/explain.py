"""``python -m graphc explain``: what the compiler did with a line of a script, and why."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from graphc.cli import Misuse
from graphc.commands import script
from graphc.commands.script import Seen, shown

__all__ = ["arguments", "execute"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``explain``."""
    parser.add_argument(
        "--line", default=None, metavar="[FILE:]N",
        help="a line of the script, or of another file of the program",
    )  # fmt: skip
    parser.add_argument(
        "--tensor", default=None, metavar="NAME", help="a tensor or operation by its name"
    )
    parser.add_argument(
        "--profile", action="store_true", help="say how long its kernels took, in the whole script"
    )
    script.arguments(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the script with a journal, then explain each run that needs what was asked about."""
    from graphc.see.why import watched

    if args.line is not None and args.tensor is not None:
        raise Misuse("give --line or --tensor, not both")
    script.check_run(args.script, args.run)
    where = _line(args)
    times: list[Any] = []
    with watched(split=True), _traced(times) if args.profile else nullcontext():
        status, seen = script.observed(args.script, args.args)
    if status and not seen:
        return status
    chosen = script.pick(seen, args.run)
    if where is None and args.tensor is None:
        shown("\n".join(_compiled(chosen)))
    else:
        shown(_about(args.tensor, where, chosen, times))
    return status


@contextmanager
def _traced(times: list[Any]) -> Iterator[None]:
    """Runs of every session inside are timed, step by step; `times` gets the totals."""
    from graphc.runtime import listeners
    from graphc.runtime.trace import Tracer, tracing
    from graphc.see.profile import summarize

    tracer = Tracer()
    states: dict[int, Any] = {}
    with ExitStack() as stack:

        def observer(run: Any, c: Any) -> None:
            if id(run.state) not in states:
                states[id(run.state)] = run.state
                stack.enter_context(tracing(run.state, tracer))

        listeners.observers.append(observer)
        try:
            yield
        finally:
            listeners.observers.remove(observer)
    times += summarize([tracer])


def _line(args: argparse.Namespace) -> tuple[str, int] | None:
    if args.line is None:
        return None
    file, _, number = args.line.rpartition(":")
    if not number.isdigit():
        raise Misuse(f"--line takes a number, or file.py:number, not {args.line!r}")
    if not file or Path(file).resolve() == Path(args.script).resolve():
        count = len(Path(args.script).read_bytes().splitlines())
        if not 1 <= int(number) <= count:
            raise Misuse(f"{args.script} has the lines 1 to {count}, not {number}")
    return file or Path(args.script).name, int(number)


def _compiled(seen: list[Seen]) -> list[str]:
    """Why each compilation was made."""
    executors = {id(s.run.executor): s.run.executor for s in seen}
    return [str(cause) for ex in executors.values() for cause in ex.causes]


def _about(
    tensor: str | None, where: tuple[str, int] | None, seen: list[Seen], times: list[Any]
) -> str:
    """What is to be said about a line or a tensor, in the largest run that computes it."""
    from graphc.see.explanation import Explainer
    from graphc.see.why import nodes_of_line, resolve, with_causes

    best: tuple[tuple[int, int], Any, Seen] | None = None
    computing: list[int] = []
    problem = ""
    for s in seen:
        graph = s.run.executor.graph
        try:
            if where is None:
                title, nodes = resolve(tensor, graph)
            else:
                title, nodes = f"line {where[0]}:{where[1]}", nodes_of_line(graph, *where)
        except (KeyError, ValueError) as e:
            problem = problem or str(e.args[0] if e.args else e)
            continue
        steps = set(s.compilation.plan.steps)
        mine = [t for t in times if t.spec in steps]
        found = Explainer(s.compilation.trace.journal, [(s.run, s.compilation)], mine)
        answer = found.about(title, nodes)
        computing += [s.number] if answer.places else []
        computed = {n for p in answer.places for n in p.nodes}
        rank = len(computed), s.size
        if best is None or rank > best[0]:
            best = rank, answer, s
    if best is None:
        raise Misuse(problem or "there is nothing to explain", 1)
    _, answer, s = best
    others = ", ".join(str(i) for i in computing if i != s.number)
    more = f"\nalso computed in compilations {others}: see them with --run" if others else ""
    return f"compilation {s.number}: {with_causes(answer, s.run.executor)}{more}"
