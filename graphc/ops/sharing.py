"""Which results lie in the memory of the first operand, as in TensorFlow 1.15's kernels.

Updates write variables that are no resources in place, so whoever reads such a result after an
update sees the update (`graphc.passes.sharing`). The fact ``shares`` of a record is a function of
this module, ``(node, index) -> bool`` for a node and one of its outputs; ops with the fact
``alias`` or ``reshape`` share always. What sizes leave open is a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Shape
from graphc.ir.node import Node

__all__ = [
    "alone", "always", "as_it_is", "elements", "in_order", "itself", "rows", "slices", "unchanged",
]  # fmt: skip

#: Parts of arrays are shared where their rows begin at multiples of so many bytes.
ALIGNED = 64


def itself(n: Node, index: int) -> bool:
    """The operand is the result, whatever its elements are."""
    return True


def always(n: Node, index: int) -> bool:
    """The elements lie there in another form."""
    return True


def unchanged(n: Node, index: int) -> bool:
    """The result has the operand's shape."""
    return _same(n.inputs[0].static_shape, n.outputs[index].static_shape)


def elements(n: Node, index: int) -> bool:
    """The result has as many elements as the operand."""
    given, made = n.inputs[0].static_shape, n.outputs[index].static_shape
    if given is None or made is None:
        return False
    return bool(D.same(D.product(given), D.product(made)))


def alone(n: Node, index: int) -> bool:
    """There is one operand."""
    return len(n.inputs) == 1


def in_order(n: Node, index: int) -> bool:
    """Axes that are not of size 1 stay in order."""
    given = n.inputs[0].static_shape
    if given is None or "dynamic" in n.attrs:
        return False
    perm = n.attrs["perm"]
    rank = len(given)
    axes = [p % rank for p in (range(rank - 1, -1, -1) if perm is None else perm)]
    long = [a for a in axes if not D.same(given[a], 1)]
    return long == sorted(long)


def as_it_is(n: Node, index: int) -> bool:
    """Only axes of size 1 are turned round."""
    given = n.inputs[0].static_shape
    if given is None or "dynamic" in n.attrs:
        return False
    return all(D.same(given[a], 1) for a in n.attrs["axis"])


def rows(n: Node, index: int) -> bool:
    """The parts are rows of the first axis that begin at aligned places."""
    given = n.inputs[0].static_shape
    if not given or "dynamic" in n.attrs:
        return False
    if n.op.name != "unstack" and n.attrs["num"] == 1:
        return True
    return n.attrs["axis"] % len(given) == 0 and _aligned(n, given)


def slices(n: Node, index: int) -> bool:
    """The box is the whole, or rows of the first axis that lie at aligned places."""
    given, made = n.inputs[0].static_shape, n.outputs[0].static_shape
    if given is None or made is None:
        return False
    if len(given) == len(made) and _same(given, made):
        return True
    if not made or not _same(given[1:], made[1:]):
        return False
    begin = n.attrs.get("begin")
    return box(n, given, None if begin is None else begin[0], made[0])


def box(n: Node, given: Shape, first: Dim | None, size: Dim) -> bool:
    """Whether `size` rows from `first` on are shared: only of vectors it matters where they are."""
    if len(given) > 1:
        return _aligned(n, given)
    return first is not None and all(_multiple(n, d) for d in (first, size))


def _aligned(n: Node, given: Shape) -> bool:
    return _multiple(n, D.product(given[1:]))


def _multiple(n: Node, elements: Dim) -> bool:
    return bool(D.same(elements * n.inputs[0].dtype.size % ALIGNED, 0))


def _same(a: Sequence[Dim] | None, b: Sequence[Dim] | None) -> bool:
    if a is None or b is None or len(a) != len(b):
        return False
    return all(D.same(x, y) for x, y in zip(a, b, strict=True))
