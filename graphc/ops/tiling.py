"""Tiles, reversal and rolling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Value
from graphc.ops import sharing
from graphc.ops.array_rules import apply, backward_op, bad_value, infer_error, nones
from graphc.ops.joining import concat_op
from graphc.ops.operands import axis_of, fail, less, make, need_vector, show  # fmt: skip
from graphc.ops.record import (
    Attrs,
    Types,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import _number, reshape_static, whole
from graphc.ops.slices import slice_static

__all__ = ["reverse", "reverse_op", "reverse_sequence", "roll", "tile"]


def _tile_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    m = static(inputs, attrs, "multiples")
    s = x.static_shape
    if m is None:
        return [(x.dtype, None if s is None else tuple(D.fresh() for _ in s))]
    need_vector(m)
    if s is None:
        return [(x.dtype, tuple(D.fresh() for _ in m))]
    if len(s) != len(m):
        raise infer_error(f"Shape must be rank {len(s)} but is rank {len(m)}", f", [{len(m)}]")
    out: list[Dim] = []
    for i, (d, n) in enumerate(zip(s, m, strict=True)):
        if n is None:
            out.append(D.fresh())
            continue
        if less(n, 0):
            if n == -1 and D.facts() is None:  # TF1 takes -1 for unknown, and refuses it in the run
                out.append(D.fresh())
                continue
            raise fail(
                f"Dimension {show(d * n)} must be >= 0",
                f"Expected multiples[{i}] >= 0, but got {show(n)}",
            )
        out.append(d * n)
    return [(x.dtype, tuple(out))]


def _tile_element(k: Any, index: Shape, x: Value, *, multiples: Any) -> Any:
    where = [
        0 if d in (0, 1) else i if n == 1 else i % d
        for i, d, n in zip(index, k.shape(x), multiples, strict=True)
    ]
    return k.read(x, tuple(where))


def _untile_expand(dy: Value, like: Value, *, multiples: Any) -> Value:
    from graphc.ops import reduce

    s = whole(like)
    if all(m == 1 for m in multiples):
        return dy
    split_: list[Dim] = []
    for m, d in zip(multiples, s, strict=True):
        split_ += [m, d]
    y = reshape_static(dy, split_)
    return reduce.reduce_sum(y, [2 * i for i in range(len(s))])  # type: ignore[no-any-return]


def _untile_numpy(dy: Any, like: Any, *, multiples: Any) -> Any:
    split_ = [e for m, d in zip(multiples, like.shape, strict=True) for e in (m, d)]
    return np.sum(dy.reshape(split_), tuple(range(0, 2 * like.ndim, 2)), dtype=dy.dtype).reshape(
        like.shape
    )


tile_op = op(
    "tile", "Tile", "view", doc="A tensor repeated along its axes.", args=("input",),
    types="fiubsc",
    infer=_tile_infer, element=_tile_element,
    numpy=lambda x, *, multiples: np.tile(x, multiples) if x.ndim else x,
    dims=lambda x, *rest, **a: x * a["multiples"][0]
    if isinstance(x, tuple) and type(a.get("multiples", (None,))[0]) is int else None,
    grad=lambda y, dy, x, *rest, **attrs: backward_op("tile_grad", dy, x, rest, attrs),
    facts={"shares": sharing.unchanged},
)  # fmt: skip

tile_grad_op = op(
    "tile_grad", "Sum", "composite", doc="The gradient of tile.", args=("dy", "like"), types="fiu",
    infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[1].static_shape)],
    expand=_untile_expand, numpy=_untile_numpy,
    grad=lambda y, dy, g, like, *rest, **attrs: (apply(tile_op, [dy, *rest], attrs), None,
    *nones(rest)),
    facts={"shape_operands": (1,)},
)  # fmt: skip


def tile(input: Any, multiples: Any, name: str | None = None) -> Value:
    """`input` repeated ``multiples[i]`` times along axis ``i``."""
    return make(tile_op, [("input", input)], {"multiples": ("multiples", multiples)}, name).outputs[
        0
    ]


tile_op.call = tile


def _reverse_axes(axes: Any, rank: int) -> list[int]:
    out = []
    for i, a in enumerate(axes):
        a = _number(a)
        at = axis_of(a, rank)
        if at is None:
            shown = " ".join(str(show(e)) for e in axes)
            raise fail(
                f"'axis'[{i}] = {a} is out of valid range [0, {rank - 1}",
                f"'axis'[{i}] = {a} is out of valid range [0, {rank - 1}",
                f", [{len(axes)}] and with computed input tensors: input[1] = <{shown}>",
            )
        if at in out:
            raise shape_error(f"axis {at} specified more than once.")
        out.append(at)
    return out


def _reverse_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    axes = static(inputs, attrs, "axis")
    if axes is not None and None not in axes and x.static_shape is not None:
        _reverse_axes(axes, len(x.static_shape))
    return [(x.dtype, x.static_shape)]


def _reverse_element(k: Any, index: Shape, x: Value, *, axis: Any) -> Any:
    axes = _reverse_axes(axis, len(index))
    return k.read(x, tuple(k.shape(x)[i] - 1 - e if i in axes else e for i, e in enumerate(index)))


def _reverse_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    return (apply(reverse_op, [dy, *rest], attrs), *nones(rest))


reverse_op = op(
    "reverse", "ReverseV2", "view", doc="Axes in reverse order of their elements.", args=("tensor",
    ),
    types="fiubsc", infer=_reverse_infer, element=_reverse_element,
    grad=_reverse_grad,
    numpy=lambda x, *, axis: np.array(np.flip(x, tuple(axis)), order="C"),
    dims=lambda x, *rest, **a: x[::-1] if isinstance(x, tuple) and a.get("axis") else None,
    facts={"shares": sharing.as_it_is},
)  # fmt: skip


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Value:
    """`tensor` with its elements in reverse order along each of `axis`."""
    return make(reverse_op, [("tensor", tensor)], {"axis": ("axis", axis)}, name).outputs[0]


reverse_op.call = reverse


def _reverse_sequence_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, n = inputs
    s, t = x.static_shape, n.static_shape
    if t is not None and len(t) != 1:
        raise shape_error(f"Shape must be rank 1 but is rank {len(t)}")
    if s is not None:
        for key in ("seq_axis", "batch_axis"):
            if not 0 <= attrs[key] < len(s):
                raise shape_error(f"{key} must be < input rank: {attrs[key]} vs. {len(s)}")
        if t is not None and D.same(s[attrs["batch_axis"]], t[0]) is False:
            a, b = show(s[attrs["batch_axis"]]), show(t[0])
            raise shape_error(f"Dimensions must be equal, but are {a} and {b}")
        if t is not None and type(t[0]) is int:  # as many as there are lengths
            i = attrs["batch_axis"]
            s = (*s[:i], t[0], *s[i + 1 :])
    return [(x.dtype, s)]


def _reverse_sequence_element(
    k: Any, index: Shape, x: Value, n: Value, *, seq_axis: int, batch_axis: int
) -> Any:
    b = index[batch_axis]
    count = k.cast(k.read(n, (b,)), dtypes.int64)
    c = k.as_index(count)
    d = k.shape(x)[seq_axis]
    ok = k.both(k.compare("less_equal", 0, c), k.compare("less_equal", c, d))
    k.check(ok, "seq_lens out of range", b)
    i = index[seq_axis]
    inside = k.both(ok, k.compare("less", i, c))
    at = k.as_index(k.select(inside, k.index(c - 1 - i), k.index(i)))
    return k.read(x, (*index[:seq_axis], at, *index[seq_axis + 1 :]))


def _reverse_sequence_numpy(x: Any, n: Any, *, seq_axis: int, batch_axis: int) -> Any:
    d = x.shape[seq_axis]
    for i, c in enumerate(n.tolist()):
        if not 0 <= c <= d:
            raise bad_value(f"seq_lens({i}) {'< 0' if c < 0 else f'> input.dims({seq_axis})'}")
    places = np.arange(d)
    at = np.where(places < n[:, None], n[:, None] - 1 - places, places)
    at = at if batch_axis < seq_axis else at.T
    full = np.expand_dims(at, tuple(a for a in range(x.ndim) if a not in (seq_axis, batch_axis)))
    return np.take_along_axis(x, np.broadcast_to(full, x.shape), seq_axis)


def _reverse_sequence_grad(y: Value, dy: Value, x: Value, n: Value, **attrs: Any) -> Any:
    return apply(reverse_sequence_op, (dy, n), attrs), None


reverse_sequence_op = op(
    "reverse_sequence", "ReverseSequence", "view", doc="The first elements of each row reversed.",
    args=("input", "seq_lengths"), types="fiubc", infer=_reverse_sequence_infer, fails=True,
    element=_reverse_sequence_element, numpy=_reverse_sequence_numpy, grad=_reverse_sequence_grad,
)  # fmt: skip


def reverse_sequence(
    input: Any, seq_lengths: Any, seq_axis: int | None = None, batch_axis: int | None = None,
    name: str | None = None, seq_dim: int | None = None, batch_dim: int | None = None,
) -> Value:  # fmt: skip
    """Reverse the first ``seq_lengths[b]`` elements along `seq_axis` of each batch element b."""
    s = seq_dim if seq_axis is None else seq_axis
    b = batch_dim if batch_axis is None else batch_axis
    values = [("input", input), ("seq_lengths", seq_lengths)]
    attrs = {"seq_axis": int(s or 0), "batch_axis": int(b or 0)}
    return make(reverse_sequence_op, values, None, name, attrs).outputs[0]


reverse_sequence_op.call = reverse_sequence


def _roll_axes(shift: Any, axis: Any, rank: int) -> list[Dim]:
    out: list[Dim] = [0] * rank
    pairs = zip(_vec(shift), _vec(axis), strict=True)
    for n, a in pairs:
        at = axis_of(_number(a), rank)
        if at is None:
            raise shape_error(f"axis {a} is out of range")
        out[at] = out[at] + n
    return out


def _vec(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def _roll_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = static(inputs, attrs, "shift"), static(inputs, attrs, "axis")
    s = inputs[0].static_shape
    if s == ():
        raise shape_error("Shape must be at least rank 1 but is rank 0")
    if a is not None and b is not None and len(_vec(a)) != len(_vec(b)):
        raise shape_error("both shift and axis should have same size")
    return [(inputs[0].dtype, s)]


def _roll_expand(x: Value, *, shift: Any, axis: Any) -> Value:
    """What leaves at the end in front of the rest, axis by axis."""
    shape = whole(x)
    for at, by in enumerate(_roll_axes(shift, axis, len(shape))):
        size = shape[at]
        if by == 0 or size == 0:
            continue
        first = by % size
        if first != 0:
            begin = [0] * len(shape)
            head = slice_static(x, (*begin[:at], size - first, *begin[at + 1 :]),
                                (*shape[:at], first, *shape[at + 1 :]))  # fmt: skip
            tail = slice_static(x, begin, (*shape[:at], size - first, *shape[at + 1 :]))
            x = apply(concat_op, [head, tail], {"axis": at})
    return x


roll_op = op(
    "roll", "Roll", "composite", doc="Elements shifted around along axes.", args=("input",),
    types="fiubc", infer=_roll_infer, expand=_roll_expand,
    numpy=lambda x, *, shift, axis: np.roll(x, shift, axis),
    grad=lambda y, dy, x, *rest, **attrs: _roll_grad(dy, x, rest, attrs),
)  # fmt: skip


def _roll_grad(dy: Value, x: Value, rest: Sequence[Value], attrs: Any) -> Any:
    got = {**attrs, **dict(zip(attrs.get("dynamic", ()), rest, strict=True))}
    n = got["shift"]
    back = -n if isinstance(n, Value) else tuple(-e for e in n) if isinstance(n, tuple) else -n
    return (roll(dy, back, got["axis"]), *nones(rest))


def roll(input: Any, shift: Any, axis: Any, name: str | None = None) -> Value:
    """`input` shifted by `shift` along `axis`; what leaves at one end enters at the other."""
    sizes_ = {"shift": ("shift", shift), "axis": ("axis", axis)}
    return make(roll_op, [("input", input)], sizes_, name).outputs[0]


roll_op.call = roll
