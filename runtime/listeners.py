"""Who is told of compilations: dumps, reports, profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["failures", "observers"]


#: Called with (run, compilation) after each compilation: dumps and reports listen here.
observers: list[Callable[[Any, Any], None]] = []
#: Called with the run, the compilation as far as it came (None: what was recorded does not fit what
#: is fed), and the error.
failures: list[Callable[[Any, Any, BaseException], None]] = []
