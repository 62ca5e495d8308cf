"""`graphc.derive`: derivatives, simplified by the compiler's rules, as formulas to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.ir import dims as D
from graphc.ir.dims import Expr, Facts
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, reachable
from graphc.ops.record import no_grad
from graphc.see import algebra as A
from graphc.see.algebra import Formula, Num, Sym
from graphc.see.formula_text import latex, text
from graphc.see.portable import identifier

__all__ = ["Derivative", "derive"]

#: Rounding is free to differ: formulas are to be short.
PASSES = (
    "sizes,fold,cse,simplify:REASSOC+NO_NAN+NO_SIGNED_ZERO+SAME_ROUNDING+SUM_ORDER,"
    "sizes,fold,cse,simplify:REASSOC+NO_NAN+NO_SIGNED_ZERO+SAME_ROUNDING+SUM_ORDER"
)
FORMS = ("text", "latex", "numpy")
#: Parts of this size or more that appear more than once get a name.
_LARGE, _DEEP = 5, 24
#: A value of this length that is read more than once is not multiplied out.
_LONG = 60


class Derivative(str):
    """The text of a derivative; a notebook sets it as a formula when it is LaTeX."""

    form: str = "text"

    def _repr_latex_(self) -> str | None:
        return f"$${self}$$" if self.form == "latex" else None


def derive(y: Any, x: Any, form: str = "text") -> Any:
    """The derivative of (the sum of) `y` with respect to `x`, as a formula; nothing is run.

    Parameters
    ----------
    y : tensor
    x : tensor, variable, or list of them
    form : {"text", "latex", "numpy"}
        ``"numpy"`` is a program with a function ``derivative`` of the tensors that the formula
        names, in the order of its parameters.

    Returns
    -------
    str
        For a list, a list. Of elements, ``*`` is the product and ``@`` that of matrices, ``X^T`` is
        transposed, ``[a > b]`` is 1 where the condition holds, else 0; sums along an axis
        keep it. The compiler's rules simplify with all licences, so at single points (0 / 0)
        and in rounding the formula may differ from what a run gives.

    Raises
    ------
    ValueError
        For another form, or where the derivative goes through a loop or an op of the host.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.placeholder(tf.float32, [], name="x")
    ...     print(tf.derive(tf.exp(-x * x) * tf.sin(x), x))
    exp(-x^2) * cos(x) - 2 * x * sin(x) * exp(-x^2)
    """
    if form not in FORMS:
        raise ValueError(f"form must be one of {', '.join(FORMS)}, not {form!r}")
    if isinstance(x, (list, tuple)):
        return [derive(y, e, form) for e in x]
    made = Derivative(_derived(y, x, form))
    made.form = form
    return made


def _derived(y: Any, x: Any, form: str) -> str:
    from graphc.face.gradients import gradients
    from graphc.face.variables import Variable

    value = y._ref() if isinstance(y, Variable) else y
    if not isinstance(value, Value):
        raise TypeError(f"y must be a tensor, not {type(y).__name__}")
    graph: Any = value.node.graph
    at = x._ref() if isinstance(x, Variable) else graph.as_graph_element(x)
    if not isinstance(at, Value):
        raise TypeError(f"x must be a tensor or a variable, not {type(x).__name__}")
    mark, closed = graph._begin(), graph._finalized
    graph._finalized = False
    try:  # what is recorded here is taken back
        with graph.as_default():
            (g,) = gradients(y, x)
            if g is not None and not isinstance(g, Value):  # rows of what was gathered from
                from graphc.ops.record import as_value

                g = as_value(g)
            if g is None:
                _no_script_between(value, at)
                return "0" if form != "numpy" else _ZERO.format(np=at.dtype.np.name)
            pure = _pure(g, at, graph)
    finally:
        graph._end(mark, True)
        graph._finalized = closed
    if form == "numpy":
        from graphc.see.numpy_source import numpy_source

        title = f"The derivative of {value.node.name!r} with respect to {at.node.name!r}."
        return numpy_source({"derivative": pure}, title=title).text
    return _written(pure, latex if form == "latex" else text)


def _no_script_between(y: Value, x: Value) -> None:
    """Refuse to call a derivative zero that nobody knows: of what Python computes from `x`."""
    depends = {x.node}
    for n in reachable([y.node]):
        if n not in depends and any(v.node in depends for v in n.inputs):
            depends.add(n)
            if n.op.family == "host" and n.op.grad in (None, no_grad):
                raise ValueError(
                    f"y depends on x through {n.name!r} ({n.op.name}), which Python computes and "
                    "which has no gradient: give it one with tf.custom_gradient"
                )


_ZERO = "import numpy as np\n\n\ndef derivative():\n    return (np.{np}(0),)\n"


def _pure(g: Value, at: Value, graph: Any) -> Graph:
    """The pure graph of a gradient: functions of `at`, placeholders and variables, simplified."""
    from graphc.face import dump
    from graphc.passes.cuts import Cut
    from graphc.passes.functionalize import functionalize
    from graphc.passes.patterns import pattern
    from graphc.passes.pipeline import optimize_ir, pipeline
    from graphc.runtime.executor import Executor
    from graphc.runtime.options import Options
    from graphc.runtime.state import State

    found = [n for n in reachable([g.node], [at.node]) if n.op.name in ("placeholder", "variable")]
    leaves = [at, *(n.outputs[0] for n in found if n.outputs[0] is not at)]
    examples = [dump._example(v, (5, 7, 11, 13), 3) for v in leaves]
    shapes, env, _ = pattern(
        (v.static_shape, a.shape) for v, a in zip(leaves, examples, strict=True)
    )
    ex = Executor(graph, State(), Options(0))
    run = ex.part((g,), (), tuple(leaves))
    feeds = {v: (v.dtype, s) for v, s in zip(leaves, shapes, strict=True)}
    try:
        frozen = functionalize(
            run.fetches, run.targets, feeds, dump._static_variables(graph, ex), Facts(env)
        )
    except Cut as e:
        names = ", ".join(h.name for h in e.hosts) or "a size that data decides"
        raise ValueError(
            f"the derivative has no formula: it needs {names}, known in a run"
        ) from None
    return optimize_ir(frozen.graph, pipeline(PASSES, 2))


# ------------------------------------------------------------------- from graph to formula


def _written(g: Graph, write: Callable[[Formula], str]) -> str:
    """The formula of a graph's result, with names for large parts that come again."""
    reader = _Reader(g)
    result = reader.result()
    roots = [*(f for _, f in reader.lets), result]
    names = {f: n for n, f in reader.lets}
    uses: Counter[Formula] = Counter()
    order: list[Formula] = []
    seen: set[Formula] = set()
    for root in roots:
        _count(root, uses, order, seen)
    named: dict[Formula, Sym] = {}
    used = set(reader.used)
    lines: list[tuple[Sym, Formula]] = []
    depth: dict[Formula, int] = {}
    size: dict[Formula, int] = {}
    for f in order:  # parts before what they are in
        depth[f] = 1 + max((0 if p in named else depth[p] for p in A.parts(f)), default=0)
        size[f] = 1 + sum(1 if p in named else size[p] for p in A.parts(f))
        again = uses[f] > 1 and size[f] >= _LARGE and A.parts(f)
        if f in names or (f is not result and (again or depth[f] >= _DEEP)):
            name = names.get(f) or Sym(identifier("t", used), None)
            lines.append((name, _replaced(f, named)))
            named[f] = name
    body = write(_replaced(result, named))
    if not lines:
        return body
    where = [f"{write(n)} = {write(f)}" for n, f in lines]
    if write is latex:
        return body + r",\quad " + r",\; ".join(where)
    return "\n".join([body, "where " + "\n      ".join(where)])


def _count(f: Formula, uses: Counter[Formula], order: list[Formula], seen: set[Formula]) -> None:
    """How often each part appears, and all parts, inner ones first."""
    stack: list[tuple[Formula, bool]] = [(f, False)]
    while stack:
        x, done = stack.pop()
        if done:
            order.append(x)
            continue
        uses[x] += 1
        if x in seen:
            continue
        seen.add(x)
        stack.append((x, True))
        stack += [(p, False) for p in A.parts(x)]


def _replaced(f: Formula, named: dict[Formula, Sym]) -> Formula:
    """`f` with names in the place of named parts."""

    def of(x: Formula) -> Formula:
        return named.get(x) or _replaced(x, named)

    if isinstance(f, A.Sum):
        return A.Sum(tuple((c, None if t is None else of(t)) for c, t in f.terms))
    if isinstance(f, A.Product):
        return A.Product(f.coefficient, tuple(of(x) for x in f.factors))
    if isinstance(f, A.MatMul):
        return A.MatMul(tuple(of(x) for x in f.factors))
    if isinstance(f, A.Power):
        return A.Power(of(f.base), f.exponent)
    if isinstance(f, A.Turned):
        return A.Turned(of(f.of))
    if isinstance(f, A.Call):
        return A.Call(f.name, tuple(of(x) for x in f.args), f.words)
    return f


#: Ops that change no element: in a formula broadcasting goes without saying.
_CLEAR = frozenset(
    "broadcast_to broadcast_like fill expand_dims squeeze identity stop_gradient cast ones_like"
    " placeholder_with_default prevent_gradient ensure_shape".split()
)
_COMPARED = {
    "equal": "=", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "logical_and": "and", "logical_or": "or",
}  # fmt: skip
_REDUCED = {
    "reduce_sum": "sum", "reduce_mean": "mean", "reduce_max": "max", "reduce_min": "min",
    "reduce_prod": "prod", "reduce_any": "any", "reduce_all": "all",
    "reduce_logsumexp": "logsumexp",
}  # fmt: skip


class _Reader:
    def __init__(self, g: Graph) -> None:
        self.graph = g
        self.done: dict[Value, Formula] = {}
        self.used: set[str] = set()
        self.sizes: dict[Any, D.Dim] = {}
        self.lets: list[tuple[Sym, Formula]] = []

    def result(self) -> Formula:
        """The formula; values that are long and read more than once are named in `lets`."""
        users = self.graph.users()
        for v in self.graph.inputs:
            self.done[v] = Sym(identifier(v.node.name, self.used), v.rank)
        for n in self.graph.nodes():
            for v in n.outputs:
                if v not in self.done:
                    made = self.done[v] = self.value(n, v)
                    if len(users.get(v, ())) > 1 and self.length(made) > _LONG:
                        name = self.done[v] = Sym(identifier("t", self.used), v.rank)
                        self.lets.append((name, made))
        return self.done[self.graph.outputs[0]]

    def length(self, f: Formula) -> int:
        """How many names, numbers and functions a formula has."""
        stack, count = [f], 0
        while stack and count <= _LONG:
            count += 1
            stack += A.parts(stack.pop())
        return count

    def value(self, n: Node, v: Value) -> Formula:
        name = n.op.name
        args = [self.done[x] for x in n.inputs]
        if name == "constant":
            return self.constant(n)
        if name in ("while", "cond"):
            raise ValueError(f"the derivative has no formula: it goes through {n.name!r}, a {name}")
        f = getattr(self, f"op_{name}", None)
        if f is not None:
            made: Formula = f(n, args)
            return made
        if name in _CLEAR:
            return args[0]
        if name in _COMPARED:
            return A.Call(_COMPARED[name], tuple(args))
        if name in _REDUCED:
            return A.call(_REDUCED[name], args, self.axes(n))
        if name == "softmax_cross_entropy" and v.index == 1:
            return A.add([A.Call("softmax", (args[0],)), A.mul([Num(-1), args[1]])])
        if name == "sparse_softmax_cross_entropy" and v.index == 1:
            hot = A.mul([Num(-1), A.Call("one_hot", (args[1],))])
            return A.add([A.Call("softmax", (args[0],)), hot])
        words = [(k, _shown(a)) for k, a in sorted(n.attrs.items()) if _matters(n, k, a)]
        return A.Call(name if v.index == 0 else f"{name}:{v.index}", tuple(args), tuple(words))

    # ------------------------------------------------------------- leaves

    def constant(self, n: Node) -> Formula:
        a = n.attrs["value"]
        if a.dtype == object:
            return Sym(repr(n.name), a.ndim)
        if a.size and (a == a.flat[0]).all():
            return Num(_number(a.flat[0]))
        if 0 < a.size <= 6 and a.ndim == 1:
            return Sym("[" + ", ".join(_digits(x) for x in a) + "]", a.ndim)
        return Sym(identifier(n.name or "c", self.used), a.ndim)

    def op_sizes(self, n: Node, x: list[Formula]) -> Formula:
        value = n.attrs["value"]
        if isinstance(value, Expr):
            return self.size(value)
        return Num(value) if isinstance(value, int) else Sym(str(value).replace("'", ""), 1)

    def size(self, d: D.Dim) -> Formula:
        """A size, its symbols under names that nothing else has."""
        if not isinstance(d, Expr):
            return Num(d)
        for s in sorted(d.symbols(), key=str):
            if s not in self.sizes:
                self.sizes[s] = Expr.symbol(identifier(s.name, self.used, "n"))
        made = [[Num(c), *(self.atom(a) for a in m)] for m, c in d.terms]
        return A.add(A.mul(row) for row in made)

    def atom(self, a: Any) -> Formula:
        return Sym(str(D.substitute(Expr.atom(a), self.sizes)))

    # ------------------------------------------------------------- arithmetic

    def op_add(self, n: Node, x: list[Formula]) -> Formula:
        return A.add(x)

    op_add_n = op_add

    def op_subtract(self, n: Node, x: list[Formula]) -> Formula:
        return A.add([x[0], A.mul([Num(-1), x[1]])])

    def op_negative(self, n: Node, x: list[Formula]) -> Formula:
        return A.mul([Num(-1), x[0]])

    def op_multiply(self, n: Node, x: list[Formula]) -> Formula:
        return A.mul(x)

    def op_realdiv(self, n: Node, x: list[Formula]) -> Formula:
        return A.mul([x[0], A.power(x[1], -1)])

    def op_reciprocal(self, n: Node, x: list[Formula]) -> Formula:
        return A.power(x[0], -1)

    def op_square(self, n: Node, x: list[Formula]) -> Formula:
        return A.power(x[0], 2)

    def op_sqrt(self, n: Node, x: list[Formula]) -> Formula:
        return A.power(x[0], Fraction(1, 2))

    def op_rsqrt(self, n: Node, x: list[Formula]) -> Formula:
        return A.power(x[0], Fraction(-1, 2))

    def op_squared_difference(self, n: Node, x: list[Formula]) -> Formula:
        return A.power(self.op_subtract(n, x), 2)

    def op_pow(self, n: Node, x: list[Formula]) -> Formula:
        if isinstance(x[1], Num):
            return A.power(x[0], x[1].value)
        return A.Call("^", (x[0], x[1]))

    def op_zeros_like(self, n: Node, x: list[Formula]) -> Formula:
        return Num(0)

    def op_count(self, n: Node, x: list[Formula]) -> Formula:
        shape = n.inputs[0].static_shape
        if shape is None:
            return A.Call("size", tuple(x))
        over = n.attrs["axis"]
        made = D.product([shape[a] for a in (range(len(shape)) if over is None else over)])
        return self.size(made)

    # ------------------------------------------------------------- conditions

    def op_select(self, n: Node, x: list[Formula]) -> Formula:
        if x[2] == Num(0):
            return A.mul([A.Call("[]", (x[0],)), x[1]])
        if x[1] == Num(0):
            return A.mul([A.Call("[]", (A.Call("not", (x[0],)),)), x[2]])
        return A.Call("where", tuple(x))

    def op_relu_grad(self, n: Node, x: list[Formula]) -> Formula:
        y = x[1]
        if isinstance(y, A.Call) and y.name == "relu":
            y = y.args[0]  # it is positive where its operand is
        return A.mul([A.Call("[]", (A.Call(">", (y, Num(0))),)), x[0]])

    def op_cast(self, n: Node, x: list[Formula]) -> Formula:
        if n.inputs[0].dtype.kind == "b" and n.attrs["dtype"].kind != "b":
            return A.Call("[]", (x[0],))
        return x[0]

    # ------------------------------------------------------------- matrices and shapes

    def op_matmul(self, n: Node, x: list[Formula]) -> Formula:
        flags = (n.attrs["transpose_a"], n.attrs["transpose_b"])
        number: list[Formula] = []
        factors: list[Formula] = []
        for f, turn, v in zip(x, flags, n.inputs, strict=True):
            numbers, rest = A.apart(f)
            number += numbers
            if rest is None:  # a matrix of equal numbers
                rest = A.Call("ones", (), (("shape", _shown(v.static_shape)),))
            made = A.turned(rest) if turn else rest
            factors += made.factors if isinstance(made, A.MatMul) else [made]
        return A.mul([*number, A.MatMul(tuple(factors))])

    def op_transpose(self, n: Node, x: list[Formula]) -> Formula:
        perm = n.attrs["perm"]
        if n.inputs[0].rank == 2 and perm in (None, (1, 0)):
            return A.turned(x[0])
        return A.Call("transpose", (x[0],), (("perm", _shown(perm)),))

    def op_reshape(self, n: Node, x: list[Formula]) -> Formula:
        before, after = n.inputs[0].static_shape, n.outputs[0].static_shape
        bare = [tuple(d for d in s or () if d != 1) for s in (before, after)]
        if (before is not None and after is not None and bare[0] == bare[1]) or isinstance(
            x[0], Num
        ):
            return x[0]
        return A.Call("reshape", (x[0],), (("shape", _shown(after)),))

    def op_reshape_like(self, n: Node, x: list[Formula]) -> Formula:
        return self.op_reshape(n, x)

    def op_sum_to_like(self, n: Node, x: list[Formula]) -> Formula:
        if n.inputs[0].static_shape == n.outputs[0].static_shape:
            return x[0]
        return A.call("sum", [x[0]])

    def axes(self, n: Node) -> list[tuple[str, str]]:
        axis, rank = n.attrs.get("axis"), n.inputs[0].rank
        if axis is None or (rank is not None and len(axis) == rank):
            return []
        return [("axis", str(axis[0]) if len(axis) == 1 else str(axis))]

    def op_strided_slice(self, n: Node, x: list[Formula]) -> Formula:
        return A.Call("slice", tuple(x[:1]), (("", _index(n)),))

    def op_strided_slice_grad(self, n: Node, x: list[Formula]) -> Formula:
        return A.Call("place", tuple(x[:1]), (("at", _index(n)),))


def _matters(n: Node, key: str, a: Any) -> bool:
    """Whether an attribute says something: not where it is the last axis, or nothing."""
    if key in ("dtype", "data_format") or a is None or isinstance(a, Graph):
        return False
    rank = n.inputs[0].rank if n.inputs else None
    return not (key == "axis" and rank is not None and a == rank - 1)


def _index(n: Node) -> str:
    from graphc.see.numpy_forms import FORMS

    shown = {k: _shown(a) for k, a in n.attrs.items()}
    return FORMS["strided_slice"](n, [""], shown) or "[...]"


def _shown(a: Any) -> str:
    if isinstance(a, (tuple, list)):
        inner = ", ".join(_shown(x) for x in a)
        return f"({inner}{',' * (len(a) == 1)})"
    return getattr(a, "name", None) or str(a)


def _number(x: Any) -> A.Number:
    """A number as people write it: 0.1, though 0.1 in single precision is another."""
    if x.dtype.kind in "iub":
        return int(x)
    if not np.isfinite(x):
        return float(x)
    short = float(_digits(x))
    return int(short) if short == int(short) and abs(short) < 2**53 else short


def _digits(x: Any) -> str:
    return str(x) if x.dtype.kind != "f" else np.format_float_positional(x, trim="-") if (
        1e-4 <= abs(float(x)) < 1e7 or x == 0) else str(x)  # fmt: skip
