"""Slices and concats on the other side of reshapes, where they meet the transposes of heads.

Attention cuts ``[b n, 3 h d]`` in three, splits each part into heads ``[b, n, h, d]``, and turns
those to ``[b, h, n, d]``; its gradient does the reverse. A reshape between a slice and a transpose
keeps them from being one kernel, so the reshape goes first: it costs nothing there either.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import dims as D
from graphc.ir.build import build
from graphc.ir.dims import Dim
from graphc.ir.node import Value
from graphc.ops.arrays import slice_static
from graphc.ops.record import OPS
from graphc.ops.shapes import reshape_static
from graphc.passes.views import reshaped, transposed, true_perm

__all__ = ["joined_before_reshape", "sliced_after_reshape"]

_RESHAPES = frozenset({"reshape", "expand_dims", "squeeze"})
#: Axes of two shapes that hold the same elements.
_Groups = list[tuple[range, range]]


def groups(s: Sequence[Dim], t: Sequence[Dim]) -> _Groups | None:
    """The axes of `s` and `t`, two shapes of one tensor, cut where both can be."""
    out: _Groups = []
    i = j = 0
    while i < len(s) and j < len(t):
        found = _first(s[i:], t[j:])
        if found is None:
            return None
        p, q = found
        out.append((range(i, i + p), range(j, j + q)))
        i, j = i + p, j + q
    return out if i == len(s) and j == len(t) and out else None


def _first(s: Sequence[Dim], t: Sequence[Dim]) -> tuple[int, int] | None:
    """How many axes of each have the same number of elements, as few as there can be."""
    for total in range(2, len(s) + len(t) + 1):
        for p in range(max(1, total - len(t)), min(len(s), total - 1) + 1):
            if D.product(s[:p]) == D.product(t[: total - p]):
                return p, total - p
    return None


def sliced_after_reshape(v: Value) -> Value | None:
    """``transpose(reshape(slice(x)))`` as ``transpose(slice(reshape(x)))``."""
    n = v.node
    if n.op.name != "transpose" or n.inputs[0].node.op.name not in _RESHAPES:
        return None
    middle = n.inputs[0]
    cut = middle.node.inputs[0]
    if cut.node.op.name != "slice" or len(cut.node.inputs) != 1:
        return None
    x, begin = cut.node.inputs[0], cut.node.attrs["begin"]
    full, small, shape = x.static_shape, cut.static_shape, middle.static_shape
    assert full is not None
    assert small is not None
    assert shape is not None
    whole: list[Dim] = []
    first: list[Dim] = []
    for old, new in groups(small, shape) or ():
        sizes = [shape[i] for i in new]
        if any(full[i] != small[i] or begin[i] != 0 for i in old):
            inner = D.product(sizes[1:])
            a, b = full[old[0]], begin[old[0]]
            if len(old) > 1 or type(a) is not int or type(b) is not int or type(inner) is not int:
                return None
            if inner == 0 or a % inner or b % inner:
                return None
            sizes[0] = a // inner
            first.append(b // inner)
        else:
            first.append(0)
        first += [0] * (len(new) - 1)
        whole += sizes
    if len(whole) != len(shape):
        return None
    made = slice_static(reshape_static(x, whole), first, shape)
    return transposed(made, true_perm(n.attrs["perm"], len(shape)))


def joined_before_reshape(out: Value) -> Value | None:
    """A concat of reshaped transposes as the reshape of a concat, whose parts are the transposes.

    Their last axis has to stay where it is: else their own kernel moves squares of elements.
    """
    n, inputs = out.node, out.node.inputs
    if n.op.name != "concat" or n.attrs.get("dynamic") or len(inputs) < 2:
        return None
    parts = [v.node.inputs[0] for v in inputs if v.node.op.name in _RESHAPES]
    if len(parts) != len(inputs) or any(v.node.op.name != "transpose" for v in parts):
        return None
    axis = n.attrs["axis"] % len(out.static_shape or ())
    at: set[int] = set()
    for u, v in zip(parts, inputs, strict=True):
        s, t = u.static_shape, v.static_shape
        assert s is not None
        assert t is not None
        if true_perm(u.node.attrs["perm"], len(s))[-1] != len(s) - 1:
            return None
        found = [old[0] for old, new in groups(s, t) or () if list(new) == [axis]]
        if not found:
            return None
        at.add(found[0])
    if len(at) != 1 or len({len(u.static_shape or ()) for u in parts}) != 1:
        return None
    along = at.pop()
    rest = {tuple(d for i, d in enumerate(u.static_shape or ()) if i != along) for u in parts}
    if len(rest) != 1 or along == len(parts[0].static_shape or ()) - 1:
        return None
    return reshaped(build(OPS["concat"], parts, {"axis": along}).outputs[0], out)
