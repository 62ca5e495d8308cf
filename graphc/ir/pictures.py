"""Pictures of graphs, kernels and plans for notebooks: what draws them says so here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Pictured", "draw"]

#: The function that draws, once there is one (`graphc.see.notebook`).
draw: list[Callable[[Any], str]] = []


class Pictured:
    """Something that a notebook shows as a picture."""

    __slots__ = ()

    def _repr_svg_(self) -> str | None:
        return draw[0](self) if draw else None
