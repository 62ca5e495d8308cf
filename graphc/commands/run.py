"""``python -m graphc run``: its arguments are the program's, so it reads them itself."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str]) -> int:
    """Run a program; its exit status."""
    from graphc.face.run import run

    return run(argv)
