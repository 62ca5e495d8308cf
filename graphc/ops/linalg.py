"""Products of matrices and what is made of them: tensordot, einsum, norms, bands."""

from __future__ import annotations

import math as pymath
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.build import build, current
from graphc.ir.dims import Dim, Shape
from graphc.ir.known import static
from graphc.ir.node import Node, Value
from graphc.ops import (
    arrays,
    broadcasting,
    diagonal,
    math,
    operands,
    reduce,
    shapes,
    spaced,
    transposing,
)
from graphc.ops.convert import convert
from graphc.ops.counting import made
from graphc.ops.operands import fail, less, make, show, text
from graphc.ops.ordering import setdiff1d
from graphc.ops.record import (
    OPS,
    Attrs,
    InferError,
    Types,
    as_operand,
    as_value,
    broadcast,
    check_kind,
    no_grad,
    op,
    shape_error,
)  # fmt: skip
from graphc.ops.shapes import _number

__all__ = [
    "band_part", "batch_matmul", "cross", "einsum", "matmul", "matrix_band_part", "matvec", "norm",
    "tensordot", "trace",
]  # fmt: skip


# ------------------------------------------------------------------------- matmul


def _batched(inputs: Sequence[Value], attrs: Attrs) -> bool:
    return any(v.static_shape is None or len(v.static_shape) > 2 for v in inputs)


def _matrix(s: Shape | None, flip: bool) -> tuple[Dim, Dim] | None:
    """Rows and columns of a factor as it enters the product."""
    if s is None:
        return None
    return (s[-1], s[-2]) if flip else (s[-2], s[-1])


def _matmul_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = inputs
    batched = _batched(inputs, attrs)
    for v in inputs:
        if v.static_shape is not None and len(v.static_shape) < 2:
            least = "at least rank 2" if batched else "rank 2"
            raise shape_error(f"Shape must be {least} but is rank {len(v.static_shape)}")
    left = _matrix(a.static_shape, attrs["transpose_a"])
    right = _matrix(b.static_shape, attrs["transpose_b"])
    if left is None or right is None or a.static_shape is None or b.static_shape is None:
        return [(a.dtype, None)]
    if D.same(left[1], right[0]) is False:
        raise fail(
            f"Dimensions must be equal, but are {show(left[1])} and {show(right[0])}",
            f"Matrix size-incompatible: In[0]: {text(a.static_shape)}, In[1]: "
            f"{text(b.static_shape)}",
        )
    outer = broadcast(a.static_shape[:-2], b.static_shape[:-2])
    assert outer is not None
    return [(a.dtype, (*outer, left[0], right[1]))]


def _matmul_numpy(a: Any, b: Any, *, transpose_a: bool, transpose_b: bool) -> np.ndarray[Any, Any]:
    x = np.swapaxes(a, -1, -2) if transpose_a else a
    y = np.swapaxes(b, -1, -2) if transpose_b else b
    if a.dtype == np.float16:
        return np.asarray(np.matmul(x.astype(np.float32), y.astype(np.float32)), np.float16)
    with np.errstate(all="ignore"):
        return np.asarray(np.matmul(x, y))


def _matmul_grad(
    y: Value, dy: Value, a: Value, b: Value, *, transpose_a: bool, transpose_b: bool
) -> Any:
    def product(p: Value, q: Value, tp: bool, tq: bool, like: Value) -> Value:
        g = build(matmul_op, (p, q), {"transpose_a": tp, "transpose_b": tq}).outputs[0]
        if g.rank == 2 == like.rank:
            return g
        return broadcasting.sum_to_like(g, like)

    if transpose_a:
        da = product(b, dy, transpose_b, True, a)
    else:
        da = product(dy, b, False, not transpose_b, a)
    if transpose_b:
        db = product(dy, a, True, transpose_a, b)
    else:
        db = product(a, dy, not transpose_a, False, b)
    return da, db


matmul_op = op(
    "matmul", "MatMul", "contraction", doc="The product of matrices, over any leading axes.",
    args=("a", "b"), types="fic", infer=_matmul_infer, numpy=_matmul_numpy, grad=_matmul_grad,
    facts={"type": lambda inputs, attrs: "BatchMatMulV2" if _batched(inputs, attrs) else "MatMul"},
)  # fmt: skip


def _matmul_sum_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b, _ = inputs
    for v in (a, b):
        if v.static_shape is not None and len(v.static_shape) != 3:
            raise shape_error(f"Shape must be rank 3 but is rank {len(v.static_shape)}")
    if a.static_shape is None or b.static_shape is None:
        return [(a.dtype, None)]
    if any(D.same(x, y) is False for x, y in zip(a.static_shape[:2], b.static_shape, strict=False)):
        raise fail(
            "Sums of products need as many matrices of as many rows",
            f"In[0]: {text(a.static_shape)}, In[1]: {text(b.static_shape)}",
        )
    return [(a.dtype, (a.static_shape[2], b.static_shape[2]))]


def _matmul_sum_numpy(a: Any, b: Any, count: Any) -> np.ndarray[Any, Any]:
    total = np.zeros((a.shape[2], b.shape[2]), a.dtype)
    for x, y in zip(a[: int(count)], b, strict=False):
        total += _matmul_numpy(x, y, transpose_a=True, transpose_b=False)
    return total


# The gradient of a matrix that several products share; made by the pass `accumulate`, behind which
# nothing is differentiated.
matmul_sum_op = op(
    "matmul_sum", "MatMulSum", "contraction",
    doc="The sum of the first `count` products ``transpose(a[i]) @ b[i]``, in their order.",
    args=("a", "b", "count"), types="fi", infer=_matmul_sum_infer, numpy=_matmul_sum_numpy,
    grad=no_grad,
)  # fmt: skip


def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False,
    adjoint_b: bool = False, a_is_sparse: bool = False, b_is_sparse: bool = False,
    name: str | None = None,
) -> Value:  # fmt: skip
    """The matrix product of `a` and `b`; leading axes broadcast.

    Parameters
    ----------
    a, b : tensor
        Of rank 2 or more and one type.
    transpose_a, transpose_b, adjoint_a, adjoint_b : bool
        Whether the last two axes of a factor are exchanged first.
    a_is_sparse, b_is_sparse : bool
        Accepted; they change nothing.

    Raises
    ------
    ValueError
        When the inner sizes differ.
    """
    for end, t, j in (("a", transpose_a, adjoint_a), ("b", transpose_b, adjoint_b)):
        if t and j:
            raise ValueError(f"Only one of transpose_{end} and adjoint_{end} can be True.")
    with current().scope(name, "MatMul") as scope:
        x, y = as_value(a, None, "a"), as_value(b, None, "b")
        attrs = {
            "transpose_a": bool(transpose_a or adjoint_a),
            "transpose_b": bool(transpose_b or adjoint_b)
        }  # fmt: skip
        if x.dtype is not y.dtype:
            batched = _batched((x, y), attrs)
            kind, (p, q) = ("BatchMatMulV2", "xy") if batched else ("MatMul", "ab")
            raise TypeError(
                f"Input '{q}' of '{kind}' Op has type {y.dtype.name} that does not match type "
                f"{x.dtype.name} of argument '{p}'."
            )
        check_kind(matmul_op, "a", x.dtype, "fic")
        if x.dtype.kind == "c":
            x, y = (_conjugate(v) if j else v for v, j in ((x, adjoint_a), (y, adjoint_b)))
        return build(matmul_op, (x, y), attrs, scope or name).outputs[0]


matmul_op.call = matmul


def _conjugate(x: Value) -> Value:
    """The conjugate of what is complex; others as they are."""
    if x.dtype.kind != "c":
        return x
    from graphc.ops.complex import conj  # few programs have complex numbers

    return conj(x)  # type: ignore[no-any-return]


def batch_matmul(
    x: Any, y: Any, adj_x: bool = False, adj_y: bool = False, name: str | None = None
) -> Value:
    """`matmul` by its older name."""
    return matmul(x, y, adjoint_a=adj_x, adjoint_b=adj_y, name=name)


def matvec(
    a: Any, b: Any, transpose_a: bool = False, adjoint_a: bool = False, a_is_sparse: bool = False,
    b_is_sparse: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """The product of matrices `a` and vectors `b`."""
    with current().scope(name, "MatVec"):
        column = shapes.expand_dims(as_value(b), axis=-1)
        return shapes.squeeze(
            matmul(a, column, transpose_a=transpose_a, adjoint_a=adjoint_a), axis=-1
        )


# ------------------------------------------------------------------------- tensordot


def _contracted(a: Value, axes: Any) -> tuple[list[int], list[int]]:
    """The axes of both factors that are summed over."""
    if isinstance(axes, int | np.integer):
        if axes < 0:
            raise ValueError("'axes' must be at least 0.")
        if a.static_shape is None:
            return [i - axes for i in range(int(axes))], list(range(int(axes)))
        n = len(a.static_shape)
        if axes > n:
            raise ValueError(
                f"'axes' must not be larger than the number of dimensions of tensor {a}."
            )
        return list(range(n)[n - axes :]), list(range(int(axes)))
    if isinstance(axes, Value):
        axes = operands.static_operand(axes, "axes")
    pair = axes.tolist() if isinstance(axes, np.ndarray) else axes
    if not isinstance(pair, list | tuple):
        raise ValueError("tensordot needs axes that are known when it is built")
    if len(pair) != 2:
        raise ValueError("'axes' must be an integer or have length 2.")
    x, y = ([int(v)] if not isinstance(v, list | tuple) else [int(e) for e in v] for v in pair)
    if len(x) != len(y):
        raise ValueError(f"Different number of contraction axes 'a' and 'b', {len(x)} != {len(y)}.")
    return x, y


def _as_matrix(a: Value, axes: list[int], flipped: bool) -> tuple[Value, Any, list[Any] | None]:
    """`a` as a matrix with the summed axes last (first, if flipped); its free sizes."""
    s = a.static_shape
    if s is None:
        return _unranked_matrix(a, axes, flipped)
    axes = [i if i >= 0 else i + len(s) for i in axes]
    free = [i for i in range(len(s)) if i not in axes]
    perm = [*axes, *free] if flipped else [*free, *axes]
    if D.is_known(s):
        sized = [D.product(s[i] for i in free), D.product(s[i] for i in axes)]
        free_sizes = [s[i] for i in free]
        m = shapes.reshape(transposing.transpose(a, perm), sized[::-1] if flipped else sized)
        return m, free_sizes, free_sizes
    axes_ = convert(np.array(axes, np.int32), None, "axes")
    free_ = convert(np.array(free, np.int32), None, "free")
    shape = shapes.shape(a)
    free_dims, axes_dims = arrays.gather(shape, free_), arrays.gather(shape, axes_)
    p_free, p_axes = reduce.reduce_prod(free_dims, [0]), reduce.reduce_prod(axes_dims, [0])
    arrays.concat(
        [axes_, free_] if flipped else [free_, axes_], 0
    )  # TF1's name for the permutation
    new = arrays.stack([p_axes, p_free] if flipped else [p_free, p_axes])
    moved = build(transposing.transpose_op, (a,), {"perm": tuple(perm)}, "transpose").outputs[0]
    return shapes.reshape(moved, new), free_dims, [s[i] for i in free]


def _unranked_matrix(a: Value, axes: list[int], flipped: bool) -> tuple[Value, Any, None]:
    """The same of a tensor of unknown rank, whose last or first axes are summed."""
    k = len(axes)
    last = k > 0 and axes == [i - k for i in range(k)]
    if not last and axes != list(range(k)):
        return _turned_matrix(a, axes, flipped)
    shape = shapes.shape(a)
    free, summed = (shape[:-k], shape[-k:]) if last else (shape[k:], shape[:k])
    p_free, p_summed = reduce.reduce_prod(free, [0]), reduce.reduce_prod(summed, [0])
    m = shapes.reshape(a, arrays.stack([p_free, p_summed] if last else [p_summed, p_free]))
    return (transposing.transpose(m, [1, 0]) if last == flipped else m), free, None


def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Value:
    """The product of `a` and `b` summed over pairs of axes.

    Parameters
    ----------
    axes : int or pair of sequences
        How many of the last axes of `a` and first axes of `b` are summed; or which.
    """
    with current().scope(name, "Tensordot") as scope:
        x, y = as_value(a, None, "a"), as_value(b, None, "b")
        xa, ya = _contracted(x, axes)
        left, free_a, known_a = _as_matrix(x, xa, False)
        right, free_b, known_b = _as_matrix(y, ya, True)
        product = matmul(left, right)
        if isinstance(free_a, list) and isinstance(free_b, list):
            return shapes.reshape(product, free_a + free_b, name=scope or name)
        p, q = (
            convert(np.array(f, np.int32), None, None) if isinstance(f, list) else f
            for f in (free_a, free_b)
        )
        out = shapes.reshape(product, arrays.concat([p, q], 0), name=scope or name)
        if D.facts() is None and known_a is not None and known_b is not None:
            out.static_shape = (*known_a, *known_b)
        return out


def _turned_matrix(a: Value, axes: list[int], flipped: bool) -> tuple[Value, Any, None]:
    """The same where axes in the middle are summed: which are free is found in the run."""
    shape, rank = shapes.shape(a), shapes.rank(a)
    summed = arrays.stack([i if i >= 0 else rank + i for i in axes])
    free = setdiff1d(spaced.range(rank), summed)[0]
    first, second = (summed, free) if flipped else (free, summed)
    sizes = [reduce.reduce_prod(arrays.gather(shape, at), [0]) for at in (first, second)]
    turned = transposing.transpose(a, arrays.concat([first, second], 0))
    return shapes.reshape(turned, arrays.stack(sizes)), arrays.gather(shape, free), None


# ------------------------------------------------------------------------- einsum

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _parse(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, ``...`` replaced by letters of their own."""
    eq = equation.replace(" ", "")
    left, arrow, right = eq.partition("->")
    terms = left.split(",")
    legal = set(_LETTERS) | {"."}
    if not set(left.replace(",", "")) <= legal or not set(right) <= legal:
        raise ValueError(f"Indices have incorrect format: {equation}")
    if len(terms) != len(ranks):
        raise ValueError(
            f'Got {len(ranks)} arguments for equation "{equation}", expecting {len(terms)}'
        )
    spare = [c for c in _LETTERS if c not in eq]
    extra = [
        max(0, r - len(t.replace("...", ""))) if "..." in t else 0
        for t, r in zip(terms, ranks, strict=True)
    ]
    dots = "".join(spare[: max(extra, default=0)])
    if any("." in t.replace("...", "", 1) for t in [*terms, right]):
        raise ValueError(f"Unable to resolve ellipsis in equation: {equation}")
    labels = [t.replace("...", dots[len(dots) - e :]) for t, e in zip(terms, extra, strict=True)]
    if arrow:
        return labels, right.replace("...", dots)
    seen = "".join(labels)
    return labels, dots + "".join(
        c for c in sorted(set(seen)) if seen.count(c) == 1 and c not in dots
    )


def _known_or_asked(x: Value) -> list[Any]:
    """The sizes of `x`: numbers, and elements of its shape tensor where they are not known."""
    assert x.static_shape is not None
    sized: list[Any] = list(x.static_shape)
    if not D.is_known(x.static_shape):
        asked = shapes.shape(x)
        sized = [d if type(d) is int else asked[i] for i, d in enumerate(sized)]
    return sized


def _total(sized: Sequence[Any]) -> Any:
    out: Any = 1
    for d in sized:
        if type(out) is int and out == 1:
            if isinstance(d, Value):
                made(2)  # TF1 multiplies by 1
            out = d
        else:
            out = out * d
    return out


def _move(x: Value, perm: list[int]) -> Value:
    return x if perm == sorted(perm) else transposing.transpose(x, perm)


def _resize(x: Value, sized: Sequence[Any]) -> Value:
    s = x.static_shape or ()
    if len(s) == len(sized) and all(
        type(d) is int and d == e for d, e in zip(s, sized, strict=True)
    ):
        return x
    return shapes.reshape(x, list(sized))


def _einsum_pair(x: Value, p: str, y: Value, q: str, summed: set[str]) -> tuple[Value, str]:
    """The product of two operands, summed over `summed`; and its labels."""
    kept = (set(p) & set(q)) - summed
    own = (set(p) - kept - summed, set(q) - kept - summed)

    def key(i: int, c: str) -> tuple[int, str]:
        if c in kept:
            return (-1, c)
        return (0 if (c in own[0] if i == 0 else c in summed) else 1, c)

    order = [sorted(s, key=lambda c, i=i: key(i, c)) for i, s in enumerate((p, q))]  # type: ignore[misc]
    x = _move(x, [p.index(c) for c in order[0]])
    y = _move(y, [q.index(c) for c in order[1]])
    k = len(kept)
    if not summed:
        for _ in own[1]:
            x = shapes.expand_dims(x, -1)
        for _ in own[0]:
            y = shapes.expand_dims(y, k)
        return math.multiply(x, y), "".join(order[0] + order[1][k:])
    s, t = _known_or_asked(x), _known_or_asked(y)
    many = _total(s[len(s) - len(summed) :])
    x = _resize(x, [*s[:k], _total(s[k : len(s) - len(summed)]), many])
    y = _resize(y, [*t[:k], many, _total(t[k + len(summed) :])])
    product = matmul(x, y)
    n = len(own[1])
    out = _resize(product, s[: k + len(own[0])] + t[len(t) - n :])
    return out, "".join(order[0][: k + len(own[0])] + order[1][len(order[1]) - n :])


def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Value:
    """The sum of products that `equation` describes (``"ij,jk->ik"``).

    Raises
    ------
    ValueError
        For an equation that does not fit the operands, or repeats a label in one of them.
    """
    name = kwargs.pop("name", None)
    if kwargs:
        raise TypeError("invalid keyword arguments for this function: " + ", ".join(sorted(kwargs)))
    with current().scope(name, "einsum"):
        xs = [as_value(x) for x in inputs]
        if len(xs) == 1 and xs[0].static_shape is None and "." not in equation:
            term = equation.split("->")[0].replace(" ", "")  # TF1 only transposes and sums it
            with current().counts_as(0):
                from graphc.ops.check import ensure_shape

                xs = [ensure_shape(xs[0], [None] * len(term), name=f"{xs[0].node.name}/terms")]
        if any(x.static_shape is None for x in xs):
            raise ValueError("einsum needs tensors of known rank")
        labels, out = _parse(equation, [len(x.static_shape or ()) for x in xs])
        for s in labels:
            if len(set(s)) != len(s):
                if len(labels) == 1 and s == s[::-1] and "->" not in equation and len(s) == 2:
                    return trace(xs[0])
                raise ValueError(f"Subscript not supported: an axis appears more than once: {s}")
        for x, s in zip(xs, labels, strict=True):
            if len(x.static_shape or ()) != len(s):
                raise ValueError(
                    f"Tensor {x.name} of rank {x.rank} does not match the einsum labels {s!r} of "
                    f"length {len(s)}"
                )
        acc, have = xs[0], labels[0]
        for i, (x, s) in enumerate(zip(xs[1:], labels[1:], strict=True), 1):
            later = set("".join(labels[i + 1 :])) | set(out)
            acc, have = _einsum_pair(acc, have, x, s, (set(have) & set(s)) - later)
        drop = [i for i, c in enumerate(have) if c not in out]
        if drop:
            acc = reduce.reduce_sum(acc, axis=drop)
            have = "".join(c for c in have if c in out)
        if sorted(have) != sorted(out):
            raise ValueError(f"Invalid equation: {equation}")
        return _move(acc, [have.index(c) for c in out])


# ------------------------------------------------------------------------- norms and traces


#: What TF1 makes for a spectral norm: it turns the axes to the end and back again.
SPECTRAL = 141


def _norm_axis(ord: Any, axis: Any) -> tuple[Any, bool]:
    matrix = isinstance(axis, list | tuple) and len(axis) == 2
    if matrix:
        a, b = axis
        if not isinstance(a, int) or not isinstance(b, int) or a == b:
            raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
        allowed = ["euclidean", "fro", 1, 2, np.inf]
        if ord not in allowed:
            raise ValueError(f"'ord' must be a supported matrix norm in {allowed}, got {ord}")
        return tuple(axis), True
    if not (isinstance(axis, int) or axis is None):
        raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
    number = isinstance(ord, int | float | np.number)
    if ord != "euclidean" and (not number or ord <= 0):
        raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
    return (None if axis is None else (axis,)), False


def _spectral(x: Value, axes: Any) -> Value:
    """The largest singular value of the matrices in two axes, which become 1."""
    from graphc.ops.factor import svd  # LAPACK, for few programs

    assert x.rank is not None
    a, b = (i % x.rank for i in axes)
    rest = [i for i in range(x.rank) if i not in (a, b)]
    with current().counts_as(SPECTRAL):
        values = svd(transposing.transpose(x, [*rest, a, b]), compute_uv=False)
        y = reduce.reduce_max(values, axis=-1)
        for i in sorted((a, b)):
            y = shapes.expand_dims(y, i)
    return y  # type: ignore[no-any-return]


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None,
    name: str | None = None, keep_dims: bool | None = None,
) -> Value:  # fmt: skip
    """The norm of vectors (or, with two axes, of matrices).

    Parameters
    ----------
    ord : {"euclidean", "fro", 1, 2, inf} or positive number
    axis : int, pair of int, or None
        None takes all elements as one vector.
    """
    keep = bool(keepdims if keepdims is not None else keep_dims)
    axes, matrix = _norm_axis(ord, axis)
    with current().scope(name, "norm"):
        x = as_value(tensor)
        axis_list = None if axes is None else list(axes)
        if matrix and not isinstance(ord, str) and ord == 2:
            y = _spectral(x, axes)
        elif isinstance(ord, str) or ord == 2:
            y = math.sqrt(reduce.reduce_sum(x * _conjugate(x), axis_list, keepdims=True))
        else:
            y = math.abs(x)
            first = None if axes is None else axes[0]
            if ord == 1:
                y = reduce.reduce_sum(y, first, keepdims=True)
                if matrix:
                    y = reduce.reduce_max(y, axes[-1], keepdims=True)
            elif ord == pymath.inf:
                if matrix:
                    y = reduce.reduce_sum(y, axes[1], keepdims=True)
                y = reduce.reduce_max(y, first, keepdims=True)
            else:
                y = math.pow(
                    reduce.reduce_sum(math.pow(y, ord), axis_list, keepdims=True), 1.0 / ord
                )
        return y if keep else shapes.squeeze(y, axes)


def trace(x: Any, name: str | None = None) -> Value:
    """The sum of the diagonal of the last two axes."""
    with current().scope(name, "Trace") as scope:
        d = diagonal.matrix_diag_part(as_value(x, None, "x"))
        return reduce.reduce_sum(d, [-1], name=scope or name)  # type: ignore[no-any-return]


def _band_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    if s is not None and len(s) < 2:
        raise shape_error(f"Shape must be at least rank 2 but is rank {len(s)}")
    for label, at in (("num_lower", -2), ("num_upper", -1)):
        n = static(inputs, attrs, label)
        if n is not None and s is not None and D.facts() is not None:
            _number(n) if type(n) is int else None
            if less(s[at], n):
                raise InferError(
                    f"{label} must be negative or less or equal to number of "
                    f"{'rows' if at == -2 else 'columns'} ({show(s[at])}) got: {show(n)}"
                )
    return [(x.dtype, s)]


def _band_element(k: Any, index: Shape, x: Value, *, num_lower: Dim, num_upper: Dim) -> Any:
    i, j = index[-2], index[-1]
    ok = None
    if not less(num_lower, 0):
        ok = k.both(ok, k.compare("less_equal", i - j, num_lower))
    if not less(num_upper, 0):
        ok = k.both(ok, k.compare("less_equal", j - i, num_upper))
    return k.read(x, index, ok, 0)


def _band_numpy(x: Any, *, num_lower: int, num_upper: int) -> np.ndarray[Any, Any]:
    i, j = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    ok = ((i - j <= num_lower) | (num_lower < 0)) & ((j - i <= num_upper) | (num_upper < 0))
    return np.asarray(np.where(ok, x, x.dtype.type(0)))


def _band_grad(y: Value, dy: Value, x: Value, *rest: Value, **attrs: Any) -> Any:
    return (build(OPS["matrix_band_part"], [dy, *rest], attrs).outputs[0], *(None for _ in rest))


def _no_band(n: Node, index: int) -> bool:
    """Whether the band is given as the whole, which shares the operand's memory."""
    s = n.inputs[0].static_shape
    if s is None or "dynamic" in n.attrs:
        return False
    numbers = (n.attrs["num_lower"], n.attrs["num_upper"])
    return all(less(k, 0) or D.same(k, d) for k, d in zip(numbers, s[-2:], strict=True))


band_part_op = op(
    "matrix_band_part", "MatrixBandPart", "view", doc="Matrices with zeros outside a central band.",
    args=("input",), types="fiub", infer=_band_infer, element=_band_element, numpy=_band_numpy,
    grad=_band_grad, facts={"shares": _no_band},
)  # fmt: skip


def matrix_band_part(input: Any, num_lower: Any, num_upper: Any, name: str | None = None) -> Value:
    """`input` with zeros outside the central band of its last two axes.

    Parameters
    ----------
    num_lower, num_upper : int
        Diagonals to keep below and above; negative keeps the whole triangle.
    """
    sizes = {"num_lower": ("num_lower", num_lower), "num_upper": ("num_upper", num_upper)}
    return make(band_part_op, [("input", input)], sizes, name).outputs[0]


band_part = matrix_band_part
band_part_op.call = matrix_band_part


def _cross_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = (v.static_shape for v in inputs)
    if a is not None and (not a or D.same(a[-1], 3) is False):
        raise shape_error(f"Dimension must be 3 but is {show(a[-1]) if a else 0}")
    if a is not None and b is not None:
        if len(a) != len(b):
            raise shape_error(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
        for x, y in zip(a, b, strict=True):
            if D.same(x, y) is False:
                raise shape_error(f"Dimensions must be equal, but are {show(x)} and {show(y)}")
    return [(inputs[0].dtype, a if a is not None else b)]


def _cross_expand(a: Value, b: Value) -> Value:
    x, y = ([arrays.getitem(v, (..., i)) for i in range(3)] for v in (a, b))
    return arrays.stack([x[i - 2] * y[i - 1] - x[i - 1] * y[i - 2] for i in range(3)], axis=-1)


cross_op = op(
    "cross", "Cross", "composite", doc="The cross product of vectors of three elements.",
    args=("a", "b"), types="fiu", infer=_cross_infer, expand=_cross_expand,
    numpy=lambda a, b: (
        np.roll(a, -1, -1) * np.roll(b, -2, -1) - np.roll(a, -2, -1) * np.roll(b, -1, -1)
    ),
    grad=lambda y, dy, a, b: (cross(b, dy), cross(dy, a)),
)  # fmt: skip


def cross(a: Any, b: Any, name: str | None = None) -> Value:
    """The cross product of `a` and `b` along their last axis, which has three elements."""
    x = as_value(a, None, "a")
    return make(
        cross_op, [("a", x), ("b", as_operand("Cross", "b", b, x.dtype, "a"))], None, name
    ).outputs[0]


cross_op.call = cross
