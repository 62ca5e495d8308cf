"""Elements of arrays that a run would read or write twice: TensorFlow has each only once.

Here an array is a value, so nothing is lost by reading it again. TensorFlow refuses it, and so
does graphc where it can be seen before the run: outside of loops and conds, at indices that are
constants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphc.errors import InvalidArgumentError
from graphc.ir.node import Node, Value
from graphc.passes.run_errors import run_error

__all__ = ["USES", "ArrayUse", "refuse_repeated_uses"]

#: Where a graph keeps what its operations do with arrays.
USES = "array uses"


class ArrayUse(NamedTuple):
    """What an operation does with an array.

    Attributes
    ----------
    array : object
        Which array: the same object for all that was made of it by writing.
    name : str
    reads : bool
        Whether it takes elements; else it gives some.
    at : tuple of int and Value, optional
        Which; all of them where None. Of indices that a run computes only the same one is equal.
    """

    array: Any
    name: str
    reads: bool
    at: tuple[int | Value, ...] | None


def refuse_repeated_uses(nodes: Iterable[Node], uses: Mapping[Node, ArrayUse]) -> None:
    """Refuse a run of `nodes` in which an element is read or written twice.

    Parameters
    ----------
    uses : dict
        Of some nodes of the graph what they do with an array.

    Raises
    ------
    InvalidArgumentError
        With TensorFlow's words.
    """
    seen: dict[tuple[Any, bool], dict[int | Value | None, None]] = {}
    for n in sorted([n for n in nodes if n in uses], key=lambda n: n.id):
        use = uses[n]
        before = seen.setdefault((use.array, use.reads), {})
        for k in (None,) if use.at is None else use.at:
            if k in before or (before and k is None) or None in before:
                first = next(iter(before))
                raise InvalidArgumentError(None, n, run_error(n, _words(use, first, k)))
            before[k] = None


def _words(use: ArrayUse, before: int | Value | None, now: int | Value | None) -> str:
    at = before if now is None else now
    index = at.node.name if isinstance(at, Value) else 0 if at is None else at
    array = f"TensorArray {use.name}_0: Could not"
    if use.reads:
        return (
            f"{array} read index {index} twice because it was cleared after a previous read "
            "(perhaps try setting clear_after_read = false?)."
        )
    return f"{array} write to TensorArray index {index} because it has already been written to."
