"""What is said of a node where a run fails."""

from __future__ import annotations

from graphc.errors import InvalidArgumentError
from graphc.ir.dims import Shape
from graphc.ir.node import Node

__all__ = ["refuse_vector", "run_error"]


def run_error(n: Node, e: object) -> str:
    """The message of an error in a run of `n`: what, the node, and the user's line."""
    where = f"\n  defined at {n.source[0]}" if n.source else ""
    return f"{e}\n\t [[node {n.name}]]{where}"


def refuse_vector(n: Node, shape: Shape | None) -> None:
    """Refuse to go on by a predicate that is more than one bool."""
    if shape:
        sizes = ",".join(map(str, shape))
        message = f"The second input must be a scalar, but it has shape [{sizes}]"
        raise InvalidArgumentError(None, n, run_error(n, message))
