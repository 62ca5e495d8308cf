"""``tf.bitcast`` between types of other sizes: one element as several, or several as one."""

from __future__ import annotations

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import arrays, math, shapes
from graphc.ops.convert import constant
from graphc.ops.record import apply

__all__ = ["as_other_size"]


def _same_size(x: Value, to: DType, name: str | None = None) -> Value:
    return apply(math.bitcast, (x,), {"type": to}, name).outputs[0]


_WORDS = {1: dtypes.uint8, 2: dtypes.uint16, 4: dtypes.uint32, 8: dtypes.uint64}


def as_other_size(x: Value, to: DType, name: str | None) -> Value:
    """The bits of `x` as elements of another size; the least significant come first.

    Parameters
    ----------
    to : DType
        A smaller one adds an axis to the end, a larger one takes the last axis away.

    Raises
    ------
    ValueError
        When the last axis does not make one element.
    """
    if dtypes.bfloat16 in (x.dtype, to) or not {x.dtype.kind, to.kind} <= set("fiu"):
        raise ValueError(f"Cannot bitcast from {x.dtype.name} to {to.name}")
    with current().scope(name, "Bitcast") as scope, current().counts_as(1):
        made = _split(x, to) if x.dtype.size > to.size else _joined(x, to)
        return _same_size(made, to, scope or name)


def _split(x: Value, to: DType) -> Value:
    """Words of the size of `to`: a new last axis."""
    word, n, bits = _WORDS[x.dtype.size], x.dtype.size // to.size, 8 * to.size
    whole: Value = shapes.expand_dims(_same_size(x, word), -1)
    by = constant([i * bits for i in range(n)], word)
    parts = math.bitwise_and(math.right_shift(whole, by), constant(2**bits - 1, word))
    words: Value = math.cast(parts, _WORDS[to.size])
    return words


def _joined(x: Value, to: DType) -> Value:
    """Words of the size of `to`, each of the elements along the last axis."""
    word, n, bits = _WORDS[to.size], to.size // x.dtype.size, 8 * x.dtype.size
    s = x.static_shape
    if s is not None and (not s or (type(s[-1]) is int and s[-1] != n)):
        there = s[-1] if s else "a scalar"
        raise ValueError(f"Cannot bitcast due to shape. {there} does not match {n}")
    if s is None or type(s[-1]) is not int:
        outer = arrays.getitem(shapes.shape(x), slice(None, -1))
        x = shapes.reshape(x, arrays.concat([outer, constant([n])], 0))
    parts = math.cast(_same_size(x, _WORDS[x.dtype.size]), word)
    made = arrays.getitem(parts, (..., 0))
    for i in range(1, n):
        part = math.left_shift(arrays.getitem(parts, (..., i)), constant(i * bits, word))
        made = math.bitwise_or(made, part)
    return made
