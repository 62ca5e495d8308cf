"""``python -m graphc bench``: the suite of ``benchmarks/``, which comes with the sources."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from graphc.cli import say

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run the suite; its exit status."""
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    if not (folder / "suite.py").is_file():
        say(
            "bench: the benchmarks come with graphc's sources, not with the installed package; "
            "run it in a checkout."
        )
        return 2
    sys.path.insert(0, str(folder))
    try:
        return int(importlib.import_module("suite").main(argv))
    finally:
        sys.path.remove(str(folder))
