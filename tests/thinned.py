"""Parameters of tests of which some are slow: the quick suite has a part of what is alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

__all__ = ["thinned"]


def thinned(rows: Iterable[Any], quick: Callable[..., bool]) -> list[Any]:
    """Rows of parameters, marked slow where `quick` does not hold for a row's values."""
    made = []
    for row in rows:
        values = row if isinstance(row, tuple) else (row,)
        marks: Any = () if quick(*values) else pytest.mark.slow
        made.append(pytest.param(*values, marks=marks))
    return made
