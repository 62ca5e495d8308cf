"""Which control flow runs natively; what cannot is driven from Python, region by region."""

from __future__ import annotations

from graphc.ir.node import Node

__all__ = ["native"]

#: Whether plans can hold control flow at all.
NATIVE = True


def native(n: Node) -> bool:
    """Whether a plan may hold this ``while`` or ``cond`` node."""
    return NATIVE
