"""Golden files: every ``tests/**/*.gc`` is a test; ``pytest --bless`` writes what they expect.

A file holds cases split by ``// -----``. A case is a graph in text behind some directives::

    // passes: cse,simplify:REASSOC     run these passes; the dump follows ``// expect``
    // run:                             run on numpy and natively with random feeds, compare
    // error: 3:9 what it says          parsing fails there (line of the graph's text:column)

Any other ``//`` line is a remark and stays.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# tests plant faults in the compiler, and look at what it does: every one compiles for itself
os.environ.setdefault("GRAPHC_PLANS", "0")

# a job in the background ignores Ctrl-C, and what it starts inherits that
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "passes"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="write what .gc files expect")


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    return GoldenFile.from_parent(parent, path=file_path) if file_path.suffix == ".gc" else None


class GoldenFile(pytest.File):
    """A file of cases."""

    def collect(self) -> Iterator[pytest.Item]:
        from golden import read_cases

        for i, case in enumerate(read_cases(self.path.read_text())):
            yield GoldenCase.from_parent(self, name=case.title or str(i), number=i)


class GoldenCase(pytest.Item):
    """One case of a file."""

    def __init__(self, *, number: int, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.number = number

    def runtest(self) -> None:
        from golden import bless_case, read_cases, run_case

        case = read_cases(self.path.read_text())[self.number]
        if self.config.getoption("--bless"):
            bless_case(self.path, self.number)
        else:
            run_case(case)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:  # type: ignore[override]
        if excinfo.errisinstance(AssertionError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}: {self.name}"
