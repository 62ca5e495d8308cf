"""``python -m graphc report``: a page about what a script compiled."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphc.cli import Misuse, say
from graphc.commands import script

__all__ = ["arguments", "execute"]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    parser.add_argument(
        "--out", type=Path, default=Path("report.html"), metavar="FILE",
        help="where the page is written (default: report.html)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=int, default=10, metavar="N",
        help="how often the run is measured after the script has ended (default: 10; 0: not)",
    )  # fmt: skip
    script.arguments(parser)


def execute(args: argparse.Namespace) -> int:
    """Run the script, then write the page; by default about the largest thing it compiled."""
    from graphc.ir import journal
    from graphc.see.report import write
    from graphc.see.report.gather import Run, gather_run

    if args.runs < 0:
        raise Misuse(f"--runs takes a number from 0, not {args.runs}")
    script.check_run(args.script, args.run)
    script.writable_file(args.out)
    log = journal.Journal()
    errors: list[BaseException] = []
    with _last_feeds() as feeds, _failures() as failed, journal.recording(log):
        status, seen = script.observed(args.script, args.args, errors)
    if errors and failed and _came_of(errors[-1], failed[-1][2]):
        one_run, c, _ = failed[-1]
        run = Run([(c, [*one_run.fetches, *one_run.targets], "")], log, errors[-1], threads=1)
    else:
        if not seen and status:
            return status
        (one,) = script.pick(seen, -1 if args.run is None else args.run)
        pair = one.run, one.compilation
        run = Run([(one.compilation, one.elements, "")], log, pairs=[pair])
        run.threads = one.run.executor.threads
        _time(run, one, feeds.get(id(one.compilation)), args.runs)
        if len(seen) > 1 and args.run is None:
            say(
                f"the page is about compilation {one.number} of {len(seen)}, the largest; "
                "--run N shows another"
            )
    file = write(gather_run(run, title=f"{Path(args.script).name}"), args.out)
    if file is None:
        return status or 1
    say(f"written: {file}")
    return status


@contextmanager
def _failures() -> Iterator[list[tuple[Any, Any, BaseException]]]:
    """The runs that do not compile, with what there is of their compilations."""
    from graphc.runtime import listeners

    found: list[tuple[Any, Any, BaseException]] = []

    def failed(run: Any, c: Any, error: BaseException) -> None:
        found.append((run, c, error))

    listeners.failures.append(failed)
    try:
        yield found
    finally:
        listeners.failures.remove(failed)


def _came_of(error: BaseException | None, cause: BaseException) -> bool:
    """Whether an error is the other one, or was raised for it."""
    while error is not None and error is not cause:
        error = error.__cause__ or error.__context__
    return error is cause


@contextmanager
def _last_feeds() -> Iterator[dict[Any, Sequence[Any]]]:
    """The arrays with which each compilation was run first."""
    from graphc.runtime import listeners

    feeds: dict[Any, Sequence[Any]] = {}

    def observer(run: Any, c: Any) -> None:
        run_it = run.execute

        def execute(c: Any, bound: Any, arrays: Any) -> Any:
            feeds.setdefault(id(c), [a.copy() for a in arrays])
            return run_it(c, bound, arrays)

        if "execute" not in vars(run):
            run.execute = execute

    listeners.observers.append(observer)
    try:
        yield feeds
    finally:
        listeners.observers.remove(observer)


def _time(run: Any, one: Any, values: Sequence[Any] | None, runs: int) -> None:
    """Measure a prepared run with the feeds that it had."""
    from graphc.see.profile import summarize, unchanged

    if values is None or not runs:
        run.untimed = "There are no times: " + ("it was never run." if runs else "--runs 0.")
        return
    try:
        with unchanged(one.run.state):
            traced = [_traced(one.run, values) for _ in range(runs + 2)]
    except Exception as e:
        run.untimed = f"There are no times: {type(e).__name__}: {e}"
        return
    run.profile, run.runs = summarize(traced[2:]), runs


def _traced(run: Any, values: Sequence[Any]) -> Any:
    from graphc.runtime import trace

    with trace.tracing(run.state) as tracer:
        run.native(values)
    return tracer
