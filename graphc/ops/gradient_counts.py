"""How many operations TensorFlow 1.15 makes for the gradient of an op.

A random op without a seed of its own takes the number of operations made before it, so what is
drawn after `tf.gradients` or a `minimize` depends on these numbers. Gradients here are other
operations than TensorFlow's; they are recorded, then counted by the facts below, one line an op.
Ops without a line count what is recorded. Gradients of gradients count so too.

A fact is what a gradient function of TensorFlow makes: the number of operations, and how many
gradients it returns (of several, `gate_gradients` makes a group and an identity for each).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from graphc.ir.node import Node

__all__ = [
    "DENSE", "Block", "Call", "aggregation", "also", "gate", "known", "operations", "origin",
    "zeros",
]  # fmt: skip

#: Operations, and gradients returned.
Fact = tuple[int, int]
Facts = int | Fact | list[Fact]

Sizes = tuple[int, ...] | None

#: Making a tensor of rows: its first size is read (a slice with three constants), rows are summed.
DENSE = 5


class Call:
    """A gradient to be counted: the node, and the gradients of its outputs that there are."""

    def __init__(
        self, node: Node, outs: Sequence[Any], nodes: set[Node], stop: set[Any], seen: set[Any]
    ) -> None:
        self.node = node
        #: Those that the gradient reaches.
        self.nodes = nodes
        self.outs, self.stop = outs, stop
        #: What TensorFlow keeps of a graph's earlier gradients, so does not make again.
        self.seen = seen

    @property
    def missing(self) -> int:
        return sum(g is None and v.dtype.kind in "fc"
                   for g, v in zip(self.outs, self.node.outputs, strict=False))  # fmt: skip

    @property
    def given(self) -> int:
        return len(self.outs) - self.missing

    @property
    def active(self) -> list[bool]:
        """Of each input, whether the gradient goes on from there."""
        return [v.node in self.nodes and v not in self.stop for v in self.node.inputs]

    def first(self, *key: Any) -> bool:
        """Whether something is made the first time in this graph."""
        new = key not in self.seen
        self.seen.add(key)
        return new

    def known(self, i: int) -> Sizes:
        """The shape of an input if all its sizes are known."""
        return known(self.node.inputs[i])

    @property
    def out(self) -> Sizes:
        return known(self.node.outputs[0])

    def rank(self, i: int) -> int | None:
        return self.node.inputs[i].rank


class Block:
    """Nodes that TensorFlow has other operations for, whose gradient is counted at the last."""

    __slots__ = ("facts", "result", "through")

    def __init__(
        self, facts: Sequence[Fact], result: Node | None,
        through: Sequence[tuple[Any, Fact]] = (),
    ) -> None:  # fmt: skip
        self.facts, self.result = facts, result
        #: Operands, and what is made for each that the gradient goes on to.
        self.through = through


def origin(n: Node, number: Any) -> Any:
    """What gives a gradient: a block gives one of each operand, other nodes any number."""
    block = None if n.graph is None else getattr(n.graph, "blocks", {}).get(n)
    return number if block is None else block


def also(v: Any, *facts: Fact) -> None:
    """TensorFlow has operations behind this value, whose gradient counts besides its own."""
    made = getattr(v.node.graph, "more_gradients", None)
    if made is not None:
        made.setdefault(v.node, []).extend(facts)


def known(v: Any) -> Sizes:
    """The shape of a value if all its sizes are numbers."""
    s = v.static_shape
    return s if s is not None and all(type(d) is int for d in s) else None


def zeros(shape: Sizes) -> int:
    """Operations of ``zeros_like``: large constants are filled when run."""
    return 3 if shape is not None and math.prod(shape) >= 1000 else 1


# ------------------------------------------------------------------------- broadcasting


def _summed(c: Call, x: Sizes, y: Sizes, out: Sizes) -> int:
    """Sums over what two operands were broadcast along, for ops that leave out needless ones."""
    if x is None or y is None:
        return 3 + 2 + 2
    made = 3 if c.first("broadcast", x, y) else 0
    return made + 4 * (x != out) + 4 * (y != out)


def _same(c: Call) -> bool:
    x = c.known(0)
    return x is not None and x == c.known(1)


def _light(each: int, alike: bool = True) -> Callable[[Call], Fact]:
    """Arithmetic of which `each` are made; `alike`: nothing else where all shapes are equal."""

    def rule(c: Call) -> Fact:
        if alike and _same(c):
            return each, 2
        return each + _summed(c, c.known(0), c.known(1), c.out), 2

    return rule


def _multiply(c: Call) -> Fact:
    plain = c.node.outputs[0].dtype.name in ("float32", "int32")
    return _light(2, plain)(c)


def _multiply_no_nan(c: Call) -> Fact:
    return (2, 2) if _same(c) else (9, 2)


def _pow(c: Call) -> Fact:
    return 15 + zeros(c.known(0)) + _summed(c, c.known(0), c.known(1), c.out), 2


# ------------------------------------------------------------------------- transforms


def _transformed(c: Call) -> bool:
    """Whether the axes that are transformed have known sizes."""
    s = c.node.inputs[0].static_shape
    return s is not None and all(isinstance(d, int) for d in s[len(s) - c.node.attrs["n"] :])


def _rfft(c: Call) -> int:
    more = 0 if c.node.attrs["n"] == 1 else 58
    if _transformed(c):
        return 49 + more
    return (58 if c.node.attrs["lengths"] else 95) + more


def _irfft(c: Call) -> int:
    return 44 if _transformed(c) else 76


# ------------------------------------------------------------------------- reductions


def _axes(n: Node) -> tuple[int, ...] | int | None:
    """The axes as the user gave them, or the list of all."""
    given = getattr(n.graph, "given_axes", {}).get(n)
    if given is not None:
        return given  # type: ignore[no-any-return]
    axis = n.attrs.get("axis")
    if axis is None and n.inputs[0].rank is not None:
        return tuple(range(n.inputs[0].rank))
    return axis


def _sum(c: Call) -> int:
    n = c.node
    rank, shape = c.rank(0), c.known(0)
    axis = _axes(n) if len(n.inputs) == 1 else None
    if rank is None or axis is None:
        return 16
    if axis == tuple(range(rank)):
        return 4
    if shape is None:
        return 16
    key = axis if isinstance(axis, tuple) else (axis,)
    return 4 + (17 if c.first("reduced", shape, key) else 0)


def _mean(c: Call) -> int:
    return _sum(c) + (2 if c.known(0) is not None and c.out is not None else 11)


def _logsumexp(c: Call) -> list[Fact]:
    """The sum of exponentials of differences to the largest, to which no gradient goes."""
    n = c.node
    x, out = c.known(0), c.out
    rank, axis = c.rank(0), n.attrs.get("axis")
    over = range(rank or 0) if axis is None else axis
    kept = None if x is None else tuple([1 if i in over else d for i, d in enumerate(x)])
    again = 0 if n.attrs["keepdims"] else 2
    add = 0 if out is not None else _summed(c, out, out, out)
    sub = 1 + (0 if x is not None and x == kept else _summed(c, x, kept, x))
    return [(add, 2), (2, 1), (again, 1), (_sum(c), 1), (1, 1), (sub, 2), (1, 0)]


# ------------------------------------------------------------------------- products


def _matmul(c: Call) -> Fact:
    ranks = [c.rank(i) for i in (0, 1)]
    if any(r == 2 for r in ranks):
        return 2, 2
    return (2, 2) if _same(c) else (17, 2)


# ------------------------------------------------------------------------- moving


def _concat(c: Call) -> Fact:
    count = len(c.node.inputs)
    if count == 1:
        return 0, 1
    shapes = [c.known(i) for i in range(count)]
    sizes = count if None not in shapes else shapes.index(None) + 2
    if count > 16:
        return 2 + sizes + 7, count
    return 2 + sizes + 1 + count, count


def _gather(c: Call) -> int:
    axis = c.node.attrs.get("axis", 0)
    return 13 if axis == 0 else 55


def _select(c: Call) -> Fact:
    return zeros(c.known(1)) + 2, 2


def _matrix_diag_part(c: Call) -> int:
    s = c.node.inputs[0].static_shape
    if s is not None and type(s[-1]) is int and s[-1] == s[-2]:
        return 1
    return 1 + zeros(c.known(0))


# ------------------------------------------------------------------------- nets


def _softmax(c: Call) -> list[Fact]:
    """Along another axis than the last there is a transposition before and behind."""
    axis, rank = c.node.attrs["axis"], c.rank(0)
    last = axis == -1 or (rank is not None and axis % rank == rank - 1)
    return [(5, 1)] if last else [(2, 1), (5, 1), (2, 1)]


def _cross_entropy(c: Call) -> list[Fact]:
    """Both operands and the result are reshaped."""
    return [(2, 1), (9, 2), *[(2, 1)] * sum(c.active[:2])]


def _fused_batch_norm(c: Call) -> Fact:
    return 5 - (c.given - 1) + 1, 5 if c.node.attrs.get("is_training", True) else 3


def _random(c: Call) -> list[Fact]:
    """Numbers times a deviation plus a mean."""
    return [(_summed(c, None, None, None), 2), (2 + _summed(c, None, None, None), 2)]


def _parts(n: int) -> Callable[[Call], Fact]:
    """`n` operations, a gradient for each input."""
    return lambda c: (n, len(c.node.inputs))


#: By the name of the record.
RULES: dict[str, Facts | Callable[[Call], Facts]] = {
    # of one operand
    **dict.fromkeys(["ceil", "floor", "identity", "rint", "round", "stop_gradient", "zeros_like",
                     "placeholder_with_default", "print", "exit"], 0),
    **dict.fromkeys(["cast", "check_numerics", "elu", "exp", "l2_loss", "leaky_relu", "negative",
                     "reciprocal", "relu", "relu6", "rsqrt", "selu", "sigmoid", "softsign", "sqrt",
                     "tanh", "max_pool", "lrn", "diag", "diag_part", "matrix_diag", "cumsum",
                     "matrix_band_part", "reverse", "reverse_sequence", "mirror_pad", "max_pool3d",
                     "depth_to_space", "space_to_depth"], 1),
    **dict.fromkeys(["abs", "acosh", "asinh", "avg_pool", "avg_pool3d", "cosh", "expm1", "lgamma",
                     "log", "sin", "sinh", "softplus", "expand_dims", "squeeze", "reshape", "roll",
                     "reshape_like", "strided_slice", "strided_slice_at", "transpose"], 2),
    **dict.fromkeys(["cos", "digamma", "sign", "square"], 3),
    **dict.fromkeys(["broadcast_to", "cumprod", "log1p", "log_sigmoid", "tan"], 4),
    **dict.fromkeys(["atan", "atanh"], 5),
    **dict.fromkeys(["asin", "erf", "erfc"], 6),
    "acos": 7, "matrix_determinant": 8, "pad": 9, "pad_v2": 9, "slice": 12, "tile": 12,
    "fft": 10, "ifft": 13, "rfft": _rfft, "irfft": _irfft,
    "slogdet": lambda c: 7 + c.missing,
    "cholesky": 33, "gather": _gather, "matrix_diag_part": _matrix_diag_part,
    "extract_image_patches": 97, "top_k": (43, 2),
    # of two, broadcast
    "add": _light(0), "subtract": _light(1), "multiply": _multiply, "squared_difference": _light(5),
    "pow": _pow, "multiply_no_nan": _multiply_no_nan, "atan2": (7, 2), "floormod": (10, 2),
    "realdiv": (12, 2), "div_no_nan": (12, 2), "maximum": (13, 2), "minimum": (13, 2),
    "xlogy": (14, 2), "dynamic_partition": lambda c: 11 + c.missing, "igamma": (19, 2),
    "igammac": (21, 2), "random_gamma": 20,
    "merge": (1, 2),
    "select": _select, "select_rows": _select,
    # of several
    "add_n": _parts(0), "stack": _parts(1), "concat": _concat,
    "unstack": lambda c: 1 + c.missing, "split": lambda c: 1 + c.missing,
    "split_v": lambda c: 1 + c.missing,
    # reductions
    "reduce_sum": _sum, "reduce_mean": _mean, "reduce_max": 19, "reduce_min": 19,
    "reduce_prod": 49, "reduce_logsumexp": _logsumexp,
    # arrays
    "array_get": 3, "array_stack": 3, "array_set": (3, 2), "array_unstack": (3, 2),
    "array_scatter": (3, 2),
    # products
    "matmul": _matmul, "conv2d": (3, 2), "conv2d_backprop_input": (3, 2), "conv3d": (4, 2),
    "depthwise_conv2d_native": (4, 2), "bias_add": (1, 2), "matrix_solve": (3, 2),
    "matrix_triangular_solve": (6, 2),
    # nets
    "softmax": _softmax, "log_softmax": _softmax, "softmax_cross_entropy": _cross_entropy,
    "sparse_softmax_cross_entropy": lambda c: 5 if c.node.inputs[0].rank == 2 else 9,
    "fused_batch_norm": _fused_batch_norm,
    "random_normal": _random, "truncated_normal": _random,
}  # fmt: skip


def operations(
    n: Node, outs: Sequence[Any], nodes: set[Node], stop: set[Any], gated: bool
) -> int | None:
    """How many operations the gradient takes; None where that is not known.

    Parameters
    ----------
    n : Node
        What the gradient is of.
    outs : sequence
        The gradients of its outputs that there are, None for others.
    nodes, stop : set
        Nodes that the gradient reaches; values at which it ends.
    gated : bool
        Whether the gradients of an op are held back until all of them are there.
    """
    graph: Any = n.graph
    block = graph.blocks.get(n)
    if block is not None:
        if n is not block.result:
            return 0
        more = [fact for v, fact in block.through if v.node in nodes]
        return total([*block.facts, *more], gated)
    rule = RULES.get(n.op.name)
    if rule is None:
        return None
    made = rule(Call(n, outs, nodes, stop, graph.seen_shapes)) if callable(rule) else rule
    facts = made if isinstance(made, list) else [made if isinstance(made, tuple) else (made, 1)]
    return total([*facts, *graph.more_gradients.get(n, ())], gated)


def total(facts: Sequence[Fact], gated: bool) -> int:
    """All operations of several gradients."""
    return sum(n + (gate(parts) if gated else 0) for n, parts in facts)


def gate(parts: int) -> int:
    """Operations that hold gradients back until all of them are there."""
    return parts + 1 if parts > 1 else 0


def aggregation(whole: int, rows: int) -> int:
    """Operations that add gradients of one tensor, `rows` of them given as rows."""
    if whole + rows < 2:
        return 0
    return 1 + rows * DENSE if whole else 4
