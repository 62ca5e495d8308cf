"""Gradients of loops and conds, recorded as loops and conds."""

from __future__ import annotations

from graphc.ir.node import Value
from graphc.ir.region import Loop

__all__ = ["read_back"]


def read_back(back: Loop, v: Value) -> Value:
    """What stands in `back`, a loop that goes back through another, for a value inside of that."""
    raise LookupError(f"No gradient defined for the loop of '{v.node.name}'")
