"""Algebra: every expression in its simplest form by the rules in force."""

from __future__ import annotations

from graphc.ir.graph import Graph
from graphc.passes import rules
from graphc.passes.rewrite import RULES, apply_rules, licensed

__all__ = ["simplify"]

assert rules.__all__, "importing the rules fills the table"


def simplify(g: Graph, options: str = "", notes: dict[str, int] | None = None) -> Graph:
    """Rewrite by the rules in force until none applies.

    Parameters
    ----------
    options : str
        Licences besides the default ones, ``"REASSOC+NO_NAN"``.
    notes : dict, optional
        Learns how often each rule was used.
    """
    return apply_rules(g, RULES, licensed(options), notes)
