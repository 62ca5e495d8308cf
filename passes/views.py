"""Rules about ops that only move elements, and about reductions: all shared with `layout`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.build import build
from graphc.ir.dims import Dim
from graphc.ir.node import Value
from graphc.ops import arrays, shapes
from graphc.ops.record import OPS
from graphc.passes.rewrite import RULES, VIEWS, attr, many, ops, rule, wild

__all__ = ["axis_tuple", "enter", "reshaped", "transposed", "true_perm"]

x, y = wild("x"), wild("y")
p, q, a, b, k = attr("p"), attr("q"), attr("a"), attr("b"), attr("k")


def view(left: Value, right: Any, needs: str = "", kinds: str = "fiubs") -> None:
    rule(left, right, needs, kinds, VIEWS)


# ------------------------------------------------------------------------- helpers


def reshaped(x: Value, result: Value) -> Value:
    """`x` in the shape of `result`."""
    assert result.static_shape is not None
    if x.static_shape == result.static_shape:
        return x
    return shapes.reshape_static(x, result.static_shape)


def true_perm(perm: Sequence[int] | None, rank: int) -> tuple[int, ...]:
    """A permutation counted from the front; None reverses all axes."""
    if perm is None:
        return tuple(range(rank))[::-1]
    return tuple([shapes.axis_number(i) % rank for i in perm])


def transposed(x: Value, perm: Sequence[int]) -> Value:
    """`x` with its axes in the order `perm`: nothing, a reshape, or a transpose."""
    s = x.static_shape
    assert s is not None
    if tuple(perm) == tuple(range(len(s))):
        return x
    moved = [i for i in perm if s[i] != 1]
    if moved == sorted(moved):  # only axes of size 1 move
        return shapes.reshape_static(x, [s[i] for i in perm])
    return build(OPS["transpose"], (x,), {"perm": tuple(perm)}).outputs[0]


def one_transpose(x: Value, p: Any) -> Value | None:
    perm = true_perm(p, len(x.static_shape or ()))
    made = transposed(x, perm)
    return made if made.node.op.name != "transpose" or perm != p else None


def two_transposes(x: Value, p: Any, q: Any) -> Value:
    n = len(x.static_shape or ())
    p, q = true_perm(p, n), true_perm(q, n)
    return transposed(x, [p[i] for i in q])


def same_if_whole(x: Value, result: Value) -> Value | None:
    return x if x.static_shape == result.static_shape else None


def refill(x: Value, result: Value) -> Value:
    """A tensor of one value in another shape."""
    if result.static_shape == ():
        return x
    return build(OPS["fill"], (x,), {"dims": result.static_shape}).outputs[0]


def rebroadcast(x: Value, result: Value) -> Value:
    return build(OPS["broadcast_to"], (x,), {"shape": result.static_shape}).outputs[0]


def axis_tuple(axis: Any, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    return tuple(sorted(i % rank for i in (axis if isinstance(axis, tuple) else (axis,))))


def two_slices(x: Value, a: Any, b: Any, result: Value) -> Value | None:
    assert result.static_shape is not None
    return arrays.slice_static(x, [i + j for i, j in zip(a, b, strict=True)], result.static_shape)


def two_reverses(x: Value, a: Any, b: Any) -> Value:
    n = len(x.static_shape or ())
    left = sorted(set(axis_tuple(a, n)) ^ set(axis_tuple(b, n)))
    return build(OPS["reverse"], (x,), {"axis": tuple(left)}).outputs[0] if left else x


def one_reverse(x: Value, a: Any) -> Value | None:
    """An axis of size 1 reads the same both ways."""
    s = x.static_shape or ()
    axes = axis_tuple(a, len(s))
    left = tuple(i for i in axes if s[i] != 1)
    if len(left) == len(axes):
        return None
    return build(OPS["reverse"], (x,), {"axis": left}).outputs[0] if left else x


def pad_pairs(p: Any) -> list[tuple[Dim, Dim]]:
    return (
        [(r[0], r[1]) for r in p]
        if p and isinstance(p[0], tuple)
        else list(zip(p[::2], p[1::2], strict=True))
    )


def two_pads(x: Value, p: Any, q: Any) -> Value:
    pairs = zip(pad_pairs(p), pad_pairs(q), strict=True)
    both = tuple((i + m, j + n) for (i, j), (m, n) in pairs)
    return build(OPS["pad"], (x,), {"paddings": both}).outputs[0]


def tile_in_place(x: Value, result: Value) -> Value | None:
    """Repeating axes of size 1 is broadcasting; so is a longer last axis, with one before it.

    Of that the elements of a vector would be read one by one: where each is comes of a division.
    """
    s, t = x.static_shape, result.static_shape
    assert s is not None
    assert t is not None
    if x.dtype.hosted or not s:
        return None
    if all(i in (1, j) for i, j in zip(s, t, strict=True)):
        return x if s == t else rebroadcast(x, result)
    m = result.node.attrs.get("multiples")
    if m is None or s[-1] in (1, t[-1]) or 0 in t:
        return None
    apart: list[Dim] = []
    wide: list[Dim] = []
    for size, times in zip(s, m, strict=True):
        if size == 1 or times == 1:
            apart.append(size)
            wide.append(size * times)
        else:
            apart += [1, size]
            wide += [times, size]
    each = build(OPS["broadcast_to"], (shapes.reshape_static(x, apart),), {"shape": tuple(wide)})
    return shapes.reshape_static(each.outputs[0], t)


def joined(xs: tuple[Value, ...], a: Any, result: Value) -> Value | None:
    """A concat with nothing to spare: no empty pieces, no concat inside, no slices that meet."""
    assert result.static_shape is not None
    axis = a % len(result.static_shape)
    if len(xs) == 1:
        return xs[0]
    out: list[Value] = []
    for v in xs:
        n = v.node
        s = v.static_shape
        assert s is not None
        if s[axis] == 0:
            continue
        inner = (
            n.op.name == "concat" and "dynamic" not in n.attrs and n.attrs["axis"] % len(s) == axis
        )
        pieces = list(n.inputs) if inner else [v]
        if not inner and out:
            met = _adjacent(out[-1], v, axis)
            if met is not None:
                out[-1] = met
                continue
        out += pieces
    if len(out) == len(xs) and all(u is v for u, v in zip(out, xs, strict=True)):
        return None
    if not out:
        return xs[0]
    return out[0] if len(out) == 1 else build(OPS["concat"], out, {"axis": axis}).outputs[0]


def _adjacent(u: Value, v: Value, axis: int) -> Value | None:
    """Two slices of one tensor that lie side by side, as one."""
    m, n = u.node, v.node
    if m.op.name != "slice" or n.op is not m.op or m.inputs != n.inputs or len(m.inputs) != 1:
        return None
    s, t = u.static_shape, v.static_shape
    i, j = m.attrs["begin"], n.attrs["begin"]
    assert s is not None
    assert t is not None
    for at, (e, f) in enumerate(zip(i, j, strict=True)):
        if (e + s[at] != f) if at == axis else (e != f or s[at] != t[at]):
            return None
    size = [d + t[axis] if at == axis else d for at, d in enumerate(s)]
    return arrays.slice_static(m.inputs[0], i, size)


def slice_of_concat(xs: tuple[Value, ...], a: Any, b: Any, result: Value) -> Value | None:
    """The piece of a concat that a slice lies in."""
    t = result.static_shape
    assert t is not None
    axis = a % len(t)
    start: Dim = 0
    for v in xs:
        s = v.static_shape
        assert s is not None
        at = b[axis] - start
        if type(at) is int and type(s[axis]) is int and type(t[axis]) is int:
            if 0 <= at and at + t[axis] <= s[axis]:
                begin = [at if i == axis else e for i, e in enumerate(b)]
                return arrays.slice_static(v, begin, t)
        elif at == 0 and t[axis] == s[axis]:
            return arrays.slice_static(v, [0 if i == axis else e for i, e in enumerate(b)], t)
        start = start + s[axis]
    return None


# ------------------------------------------------------------------------- reductions


def ones_reduced(x: Value, a: Any, result: Value, start: Callable[[Value], Value]) -> Value | None:
    """A reduction over axes of size 1 (or none) only renames."""
    s = x.static_shape
    assert s is not None
    if any(s[i] != 1 for i in axis_tuple(a, len(s))):
        return None
    return start(reshaped(x, result))


def two_reductions(name: str, x: Value, a: Any, b: Any, k: Any, result: Value) -> Value | None:
    """One reduction over the axes of both."""
    n = len(x.static_shape or ())
    first = axis_tuple(a, n)
    rest = tuple(range(n)) if k else tuple(i for i in range(n) if i not in first)
    second = axis_tuple(b, len(rest))
    axes = tuple(sorted({*first, *[rest[i] for i in second]}))
    made = build(OPS[name], (x,), {"axis": axes, "keepdims": False}).outputs[0]
    return reshaped(made, result)


def whole_reduction(name: str, x: Value, a: Any, result: Value) -> Value | None:
    """The order of axes and the shape do not matter where all are reduced."""
    moved = result.node.inputs[0]
    if moved.node.op.name == "reshape" and result.static_shape != ():
        return None
    if len(axis_tuple(a, len(moved.static_shape or ()))) != len(moved.static_shape or ()):
        return None
    made = build(
        OPS[name], (x,), {"axis": tuple(range(len(x.static_shape or ()))), "keepdims": False}
    ).outputs[0]
    return reshaped(made, result)


def _reductions() -> None:
    for name in (
        "reduce_sum",
        "reduce_prod",
        "reduce_max",
        "reduce_min",
        "reduce_any",
        "reduce_all",
    ):
        f = getattr(ops, name)
        if name == "reduce_sum":  # a sum starts at +0.0
            view(
                f(x, axis=a),
                lambda x, a, result: ones_reduced(
                    x,
                    a,
                    result,
                    lambda v: v + v.dtype.as_numpy_dtype(0) if v.dtype.kind == "f" else v,
                ),
            )
        else:
            view(f(x, axis=a), lambda x, a, result: ones_reduced(x, a, result, lambda v: v))
        # of a sum the rounding, of least and greatest the sign of a zero depends on the order
        float_needs = "NO_SIGNED_ZERO" if name in ("reduce_max", "reduce_min") else "SUM_ORDER"
        numeric = (("", "iu"), (float_needs, "f"))
        for needs, kinds in numeric if name not in ("reduce_any", "reduce_all") else (("", "b"),):
            view(
                f(f(x, axis=a, keepdims=k), axis=b),
                lambda x, a, b, k, result, n=name: two_reductions(n, x, a, b, k, result),
                needs, kinds,
            )  # fmt: skip
            for mover in (ops.transpose(x), ops.reshape(x), ops.reverse(x)):
                view(
                    f(mover, axis=a),
                    lambda x, a, result, n=name: whole_reduction(n, x, a, result),
                    needs, kinds,
                )  # fmt: skip


# ------------------------------------------------------------------------- products


def matmul_transposed(x: Value, y: Value, p: Any, a: Any, b: Any, left: bool) -> Value | None:
    """A product that reads its factor the other way round.

    Of a longer permutation what is left keeps rows together: copying those is quick.
    """
    v = x if left else y
    n = len(v.static_shape or ())
    perm = true_perm(p, n)
    if n < 2 or perm[-2] != n - 1:
        return None
    if perm != (*range(n - 2), n - 1, n - 2):
        given = (x if left else y, (*perm[:-2], perm[-1], perm[-2]))
        x, y = (transposed(*given), y) if left else (x, transposed(*given))
    attrs = {"transpose_a": a != left, "transpose_b": b == left}
    return build(OPS["matmul"], (x, y), attrs).outputs[0]


def product_transposed(x: Value, y: Value, p: Any, a: Any, b: Any) -> Value | None:
    """The transpose of a product is the product of the transposes, turned round."""
    n = max(len(x.static_shape or ()), len(y.static_shape or ()))
    if true_perm(p, n) != (*range(n - 2), n - 1, n - 2):
        return None
    return build(OPS["matmul"], (y, x), {"transpose_a": not b, "transpose_b": not a}).outputs[0]


def enter() -> None:
    """Enter the rules of this file."""
    # ---- same bytes: all are reshapes, and one is enough
    for f in (ops.expand_dims, ops.squeeze):
        view(f(x), reshaped)
    view(ops.reshape(x), same_if_whole)
    view(ops.reshape(ops.reshape(x)), reshaped)

    # ---- transposes
    view(ops.transpose(x, perm=p), one_transpose)
    view(ops.transpose(ops.transpose(x, perm=p), perm=q), two_transposes)
    view(ops.matmul(ops.transpose(x, perm=p), y, transpose_a=a, transpose_b=b),
         lambda x, y, p, a, b: matmul_transposed(x, y, p, a, b, True))  # fmt: skip
    view(ops.matmul(x, ops.transpose(y, perm=p), transpose_a=a, transpose_b=b),
         lambda x, y, p, a, b: matmul_transposed(x, y, p, a, b, False))  # fmt: skip
    product = ops.matmul(x, y, transpose_a=a, transpose_b=b)
    view(ops.transpose(product, perm=p), product_transposed, kinds="iu")
    view(ops.transpose(product, perm=p), product_transposed, needs="SUM_ORDER", kinds="f")

    # ---- one value everywhere
    for f in (ops.reshape, ops.transpose, ops.broadcast_to, ops.slice, ops.reverse, ops.tile):
        view(f(ops.fill(x)), refill)
    view(ops.fill(x), lambda x, result: x if result.static_shape == () else None)
    view(ops.broadcast_to(x), same_if_whole)
    view(ops.broadcast_to(ops.broadcast_to(x)), rebroadcast)
    view(ops.tile(x), tile_in_place)

    # ---- parts
    view(ops.slice(x), same_if_whole)
    view(ops.slice(ops.slice(x, begin=a), begin=b), two_slices)
    view(ops.concat(many("xs"), axis=a), joined)
    view(ops.slice(ops.concat(many("xs"), axis=a), begin=b), slice_of_concat)
    view(ops.reverse(x, axis=a), one_reverse)
    view(ops.reverse(ops.reverse(x, axis=a), axis=b), two_reverses)
    view(ops.pad(x), same_if_whole)
    view(ops.pad(ops.pad(x, paddings=p), paddings=q), two_pads)
    view(ops.mirror_pad(x), same_if_whole)
    _reductions()
    RULES.extend(VIEWS)
