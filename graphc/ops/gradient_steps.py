"""Which operations TensorFlow 1.15 makes for the gradient of an op inside of a loop, one by one.

In a loop the number depends on what a gradient reads: each value of the first loop that the loop
going back reads is kept on a stack, which is six more operations, and each value from outside is
brought in by one more. So a rule here is the gradient function itself, in tokens that stand for
tensors: a `Steps` counts what is made and what is brought in. Outside of loops the numbers of
`graphc.ops.gradient_counts` are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from graphc.ir.node import Node
from graphc.ops.gradient_counts import known

__all__ = ["STEPS", "Rows", "Steps"]

#: What stands for a tensor of TensorFlow's.
Token = Any
Gradients = list[Any]


class Rows:
    """A gradient given as rows."""

    def __init__(self, whole_known: bool) -> None:
        #: Whether all sizes of the rows are known.
        self.known = whole_known


class Steps(Protocol):
    """What a rule makes operations with: they are about one node."""

    node: Node

    def x(self, i: int) -> Token:
        """An operand."""

    def y(self, i: int = 0) -> Token:
        """A result."""

    def handle(self, i: int) -> Token:
        """What names the array that an operand is the flow of."""

    def op(self, *inputs: Token) -> Token:
        """One operation."""

    def const(self, count: int = 1) -> Token:
        """One or more constants."""

    def again(self) -> Token:
        """A constant operand: there is one more in the loop that goes back."""

    def shape(self, value: Token, optimize: bool = True, kind: str = "Shape") -> Token:
        """The shape of a tensor, a constant where it is known and `optimize`."""

    def rank(self, value: Token) -> Token:
        """The rank of a tensor."""

    def zeros_like(self, value: Token) -> Token:
        """Zeros in the shape of a tensor."""

    def first(self, *key: Any) -> bool:
        """Whether something is made the first time in this graph."""


Rule = Callable[[Steps, Sequence[Token]], Gradients]


# ------------------------------------------------------------------------- broadcasting


class _Spread:
    """What two operands were broadcast along."""

    def __init__(self, s: Steps, smart: bool) -> None:
        self.s = s
        n = s.node
        self.sizes = [known(v) for v in n.inputs]
        self.out = known(n.outputs[0])
        self.fixed = smart and None not in self.sizes
        if self.fixed:
            if s.first("broadcast", *self.sizes):
                s.const(3)
            return
        self.shapes = [s.shape(s.x(i), optimize=not smart) for i in (0, 1)]
        self.axes = s.op(*self.shapes)

    def fold(self, g: Token, i: int) -> Token:
        """A gradient summed over what operand `i` was broadcast along."""
        s = self.s
        if not self.fixed:
            return s.op(s.op(g, self.axes), self.shapes[i])
        if self.sizes[i] == self.out:
            return g
        s.const(2)
        return s.op(s.op(g))

    def both(self, gx: Token, gy: Token) -> Gradients:
        return [self.fold(gx, 0), self.fold(gy, 1)]


def _same(n: Node) -> bool:
    x = known(n.inputs[0])
    return x is not None and x == known(n.inputs[1])


def _add(s: Steps, g: Sequence[Token]) -> Gradients:
    return [g[0], g[0]] if _same(s.node) else _Spread(s, True).both(g[0], g[0])


def _subtract(s: Steps, g: Sequence[Token]) -> Gradients:
    if _same(s.node):
        return [g[0], s.op(g[0])]
    spread = _Spread(s, True)
    return [spread.fold(g[0], 0), s.op(spread.fold(g[0], 1))]


def _multiply(s: Steps, g: Sequence[Token]) -> Gradients:
    n = s.node
    if _same(n) and n.outputs[0].dtype.name in ("float32", "int32"):
        return [s.op(g[0], s.x(1)), s.op(g[0], s.x(0))]
    spread = _Spread(s, True)
    return [spread.fold(s.op(g[0], s.x(1)), 0), spread.fold(s.op(s.x(0), g[0]), 1)]


def _squared_difference(s: Steps, g: Sequence[Token]) -> Gradients:
    s.const()
    d = s.op(s.op(g[0]), s.op(s.x(0), s.x(1)))
    if _same(s.node):
        return [d, s.op(d)]
    spread = _Spread(s, True)
    return [spread.fold(d, 0), s.op(spread.fold(d, 1))]


def _realdiv(s: Steps, g: Sequence[Token]) -> Gradients:
    spread = _Spread(s, False)
    gx = s.op(g[0], s.x(1))
    gy = s.op(g[0], s.op(s.op(s.op(s.x(0)), s.x(1)), s.x(1)))
    return spread.both(gx, gy)


def _larger(s: Steps, g: Sequence[Token]) -> Gradients:
    x, y = s.x(0), s.x(1)
    sx, sy = s.shape(x), s.shape(y)
    zeros = s.op(s.shape(g[0]), s.const())
    mask = s.op(x, y)
    axes = s.op(sx, sy)
    gx = s.op(s.op(s.op(mask, g[0], zeros), axes), sx)
    return [gx, s.op(s.op(s.op(mask, zeros, g[0]), axes), sy)]


# ------------------------------------------------------------------------- of one operand


def _by_result(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(s.y(), g[0])]


def _by_operand(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(s.x(0), g[0])]


def _through(s: Steps, g: Sequence[Token]) -> Gradients:
    return [g[0]]


def _none(s: Steps, g: Sequence[Token]) -> Gradients:
    return [None] * len(s.node.inputs)


def _negative(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(g[0])]


def _factor(s: Steps, g: Sequence[Token]) -> Gradients:
    """One function of the operand, times the gradient."""
    return [s.op(g[0], s.op(s.x(0)))]


def _square(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(g[0], s.op(s.x(0), s.const()))]


def _cos(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(g[0], s.op(s.op(s.x(0))))]


def _cast(s: Steps, g: Sequence[Token]) -> Gradients:
    kinds = (s.node.inputs[0].dtype.kind, s.node.outputs[0].dtype.kind)
    return [s.op(g[0])] if set(kinds) <= set("fc") else [None]


def _softmax(s: Steps, g: Sequence[Token]) -> Gradients:
    y = s.y()
    total = s.op(s.op(g[0], y), s.const())
    return [s.op(s.op(g[0], total), y)]


def _log_softmax(s: Steps, g: Sequence[Token]) -> Gradients:
    p = s.op(s.y())
    return [s.op(g[0], s.op(s.op(g[0], s.const()), p))]


# ------------------------------------------------------------------------- products


def _matmul(s: Steps, g: Sequence[Token]) -> Gradients:
    gx, gy = s.op(g[0], s.x(1)), s.op(s.x(0), g[0])
    if 2 in [v.rank for v in s.node.inputs] or _same(s.node):
        return [gx, gy]
    sx, sy = (s.shape(s.x(i)) for i in (0, 1))
    s.const(6)
    axes = s.op(s.op(sx), s.op(sy))
    return [s.op(s.op(gx, axes), sx), s.op(s.op(gy, axes), sy)]


def _bias_add(s: Steps, g: Sequence[Token]) -> Gradients:
    return [g[0], s.op(g[0])]


# ------------------------------------------------------------------------- moving


def _concat(s: Steps, g: Sequence[Token]) -> Gradients:
    count = len(s.node.inputs)
    if count == 1:
        return [g[0]]
    s.op(s.again(), s.rank(s.x(0)))
    xs = [s.x(i) for i in range(count)]
    for v, x in zip(s.node.inputs, xs, strict=True):
        s.shape(x)
        if known(v) is None:
            s.op(*xs)
            break
    if count > 16:  # one split
        s.const(7)
        return [g[0] for _ in xs]
    s.op()
    return [s.op(g[0]) for _ in xs]


def _split(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(*g, s.again())]


def _stack(s: Steps, g: Sequence[Token]) -> Gradients:
    made = s.op(g[0])
    return [made for _ in s.node.inputs]


def _unstack(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(*g)]


def _reshape(s: Steps, g: Sequence[Token]) -> Gradients:
    return [s.op(g[0], s.shape(s.x(0))), *[None] * (len(s.node.inputs) - 1)]


def _transpose(s: Steps, g: Sequence[Token]) -> Gradients:
    if len(s.node.inputs) > 1:
        return [s.op(g[0], s.op(s.x(1))), None]
    return [s.op(g[0], s.op(s.again()))]


def _slice(s: Steps, g: Sequence[Token]) -> Gradients:
    n = s.node
    dynamic = n.attrs.get("dynamic", ())
    begin = s.x(1) if dynamic and dynamic[0] == "begin" else s.again()
    shape = s.op(s.rank(s.x(0)), s.const())
    size, whole = s.shape(s.y()), s.shape(s.x(0))
    before = s.op(begin, shape)
    after = s.op(s.op(s.op(whole, size), begin), shape)
    made = s.op(g[0], s.op(before, after, s.const()))
    return [made, *[None] * (len(n.inputs) - 1)]


def _strided_slice(s: Steps, g: Sequence[Token]) -> Gradients:
    read = len(s.node.inputs) - 1
    ends = [*[s.x(i + 1) for i in range(read)], *[s.again() for _ in range(3 - read)]]
    return [s.op(g[0], s.shape(s.x(0)), *ends), *[None] * read]


def _tile(s: Steps, g: Sequence[Token]) -> Gradients:
    many = s.x(1) if len(s.node.inputs) > 1 else s.again()
    pairs = s.op(many, s.shape(s.x(0)))
    s.const(6)
    made = s.op(s.op(g[0], s.op(s.op(pairs))))
    return [made, *[None] * (len(s.node.inputs) - 1)]


def _select(s: Steps, g: Sequence[Token]) -> Gradients:
    zeros = s.zeros_like(s.x(1))
    return [None, s.op(s.x(0), g[0], zeros), s.op(s.x(0), zeros, g[0])]


def _gather(s: Steps, g: Sequence[Token]) -> Gradients | None:
    n = s.node
    if n.attrs.get("axis", 0) != 0 or n.attrs.get("batch_dims"):
        return None
    shape = s.op(s.shape(s.x(0)))
    count = s.op(s.shape(s.x(1), kind="Size"), s.const())
    s.const(3)
    sizes = s.op(count, s.op(shape), s.const())
    s.op(g[0], sizes)
    s.op(s.x(1), count)
    return [Rows(known(n.outputs[0]) is not None), *[None] * (len(n.inputs) - 1)]


# ------------------------------------------------------------------------- reductions


def _axes(n: Node) -> tuple[int, ...] | None:
    given = getattr(n.graph, "given_axes", {}).get(n)
    if given is not None:
        return given if isinstance(given, tuple) else (given,)
    axis = n.attrs.get("axis")
    if axis is None:
        return None if n.inputs[0].rank is None else tuple(range(n.inputs[0].rank))
    return axis if isinstance(axis, tuple) else (axis,)


def _summed(s: Steps, g: Token) -> Token:
    n = s.node
    rank, sizes = n.inputs[0].rank, known(n.inputs[0])
    axes = _axes(n) if len(n.inputs) == 1 else None
    if rank is not None and axes == tuple(range(rank)):
        whole = s.op(g, s.const())
        return s.op(whole, s.shape(s.x(0)))
    if rank is not None and axes is not None and sizes is not None:
        if s.first("reduced", sizes, axes):
            s.const(17)
        return s.op(s.op(g, s.const()), s.const())
    whole = s.shape(s.x(0))
    # all axes of a tensor of unknown rank are a range that is recorded as an attribute here
    over = s.again() if axes is not None else s.x(1) if len(n.inputs) > 1 else s.y(-1)
    kept = _kept(s, whole, over)
    s.const()
    scale = s.op(whole, s.op(kept))
    return s.op(s.op(g, kept), scale)


def _kept(s: Steps, whole: Token, over: Token) -> Token:
    """The shape with ones for what is reduced."""
    size = s.const()
    s.const(6)
    return s.op(s.op(s.op(over, size), size), whole)


def _sum(s: Steps, g: Sequence[Token]) -> Gradients:
    return [_summed(s, g[0]), *[None] * (len(s.node.inputs) - 1)]


def _mean(s: Steps, g: Sequence[Token]) -> Gradients:
    made = _summed(s, g[0])
    if known(s.node.inputs[0]) is not None and known(s.node.outputs[0]) is not None:
        factor = s.const()
    else:
        whole, out = s.shape(s.x(0)), s.shape(s.y())
        s.const(3)
        factor = s.op(s.op(s.op(whole), s.op(s.op(out))))
    return [s.op(made, factor), *[None] * (len(s.node.inputs) - 1)]


def _largest(s: Steps, g: Sequence[Token]) -> Gradients:
    n = s.node
    whole = s.shape(s.x(0))
    over = s.again() if len(n.inputs) == 1 else s.x(1)
    kept = _kept(s, whole, over)
    y = s.op(s.y(), kept)
    grad = s.op(g[0], kept)
    hits = s.op(s.op(y, s.x(0)))
    count = s.op(s.op(hits, over), kept)
    return [s.op(s.op(hits, count), grad), *[None] * (len(n.inputs) - 1)]


# ------------------------------------------------------------------------- arrays


def _array(s: Steps, flow: Token) -> Token:
    """The array of gradients."""
    return s.op(s.op(s.handle(0), flow), flow)


def _array_get(s: Steps, g: Sequence[Token]) -> Gradients:
    array = _array(s, s.x(0))
    return [s.op(array, s.x(1), g[0]), None]


def _array_set(s: Steps, g: Sequence[Token]) -> Gradients:
    array = _array(s, g[0])
    return [g[0], None, s.op(array, s.x(1))]


def _array_stack(s: Steps, g: Sequence[Token]) -> Gradients:
    array = _array(s, s.x(0))
    return [s.op(array, s.y(-1), g[0])]


def _array_unstack(s: Steps, g: Sequence[Token]) -> Gradients:
    array = _array(s, g[0])
    return [g[0], s.op(array, s.y(-1))]


#: By the name of the record.
STEPS: dict[str, Callable[[Steps, Sequence[Token]], Gradients | None]] = {
    **dict.fromkeys(["identity", "check_numerics", "placeholder_with_default", "print"], _through),
    **dict.fromkeys(["stop_gradient", "zeros_like", "ones_like", "floor", "ceil", "round", "rint"],
                    _none),
    **dict.fromkeys(["tanh", "sigmoid", "sqrt", "rsqrt", "reciprocal", "exp", "relu", "relu6",
                     "elu", "selu"], _by_result),
    **dict.fromkeys(["leaky_relu", "softsign"], _by_operand),
    **dict.fromkeys(["softplus", "abs", "log", "sin", "sinh", "cosh", "expm1"], _factor),
    "negative": _negative, "square": _square, "cos": _cos, "cast": _cast,
    "softmax": _softmax, "log_softmax": _log_softmax,
    "add": _add, "subtract": _subtract, "multiply": _multiply, "realdiv": _realdiv,
    "squared_difference": _squared_difference, "maximum": _larger, "minimum": _larger,
    "add_n": lambda s, g: [g[0] for _ in s.node.inputs],
    "matmul": _matmul, "bias_add": _bias_add,
    "concat": _concat, "split": _split, "split_v": _split, "stack": _stack, "unstack": _unstack,
    "reshape": _reshape, "expand_dims": _reshape, "squeeze": _reshape, "transpose": _transpose,
    "slice": _slice, "tile": _tile,
    "strided_slice": _strided_slice, "strided_slice_at": _strided_slice,
    "select": _select, "select_rows": _select, "gather": _gather,
    "reduce_sum": _sum, "reduce_mean": _mean, "reduce_max": _largest, "reduce_min": _largest,
    "array_get": _array_get, "array_set": _array_set, "array_stack": _array_stack,
    "array_unstack": _array_unstack, "array_scatter": lambda s, g: [*_array_set(s, g)],
}  # fmt: skip
