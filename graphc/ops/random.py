"""Random numbers: pure functions of the two seeds of an op and of how much it drew before.

A record's meaning takes the keyword `skip`, the blocks that earlier runs of the op in the session
have reserved; `reserved` says how many one run adds to it (`graphc.ops.philox` has the rules).
An op whose attributes are ``seed=0, seed2=0`` takes new seeds in each session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Dim
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.kernel import lit
from graphc.ir.kernel_builder import KernelBuilder
from graphc.ir.known import static
from graphc.ir.node import Node, Value
from graphc.ops import arrays, math, philox, shapes
from graphc.ops.lowering import Site
from graphc.ops.operands import known_shape, less, make, show, static_operand
from graphc.ops.record import Attrs, Op, Types, as_value, check_kind, no_grad, op, shape_error

__all__ = [
    "categorical", "multinomial", "random_crop", "random_normal", "random_shuffle",
    "random_uniform",
    "reserved", "truncated_normal",
]  # fmt: skip


def _seeds(seed: int | None) -> dict[str, int]:
    """The attributes ``seed`` and ``seed2`` of a random op made now."""
    graph = current()
    made = philox.op_seeds(getattr(graph, "seed", None), seed, getattr(graph, "_last_id", 0))
    first, second = made or (0, 0)
    return {"seed": first, "seed2": second}


def seeds_of(node: Node) -> tuple[int, int]:
    """The seeds of an op for a new session: its attributes, or new ones where both are 0."""
    pair = node.attrs["seed"], node.attrs["seed2"]
    return philox.fresh_seeds() if pair == (0, 0) else pair


def reserved(node: Node) -> Dim:
    """How many Philox blocks a run of `node` reserves: what it adds to the op's counter."""
    s = node.outputs[0].static_shape
    if s is None:
        raise ValueError(f"the rank of {node.name!r} is not known")
    n = D.product(s)
    if "blocks" in node.op.facts:
        return node.op.facts["blocks"](node)  # type: ignore[no-any-return]
    if node.op is shuffle_op:
        rows = s[0] if s else 0
        empty = D.same(n, 0)
        return 0 if empty or not s else D.ceildiv(D.maximum(rows - 1, 0), 4)
    if node.op is multinomial_op:
        return 2 * philox.BLOCKS_PER_OUTPUT * s[0] * (D.ceildiv(s[1], 4) * 4)
    return n * philox.BLOCKS_PER_OUTPUT


# ------------------------------------------------------------------------- native form

#: Blocks (or groups of a truncated normal) of a unit of work.
UNIT = 1024


def per_block(dtype: DType) -> int:
    """How many numbers of `dtype` a block gives."""
    return 2 if dtype.size == 8 else 4


def state_of(k: KernelBuilder, n: Node, s: Site) -> tuple[Any, Any]:
    """The op's state, a parameter of the kernel and what it is bound to.

    Three words: the blocks drawn before, and the two seeds as 64-bit integers.
    """
    return k.input("state", dtypes.int64, (3,)), s.counters(n.attrs["stream"])


def _fill(n: Node, s: Site) -> None:
    """The kernel of an op that fills a tensor."""
    draw = n.op.facts["draw"]
    y = n.outputs[0]
    numbers(n, s, draw, y.dtype, D.product(_sized(y)), s.output(), _bounds(n))


def _bounds(n: Node) -> list[int]:
    return [0, 1] if n.op is uniform_int_op else []


def numbers(
    n: Node, s: Site, draw: str, dtype: DType, count: Dim, out: Any, ends: Sequence[int],
    given: Any = None,
) -> None:  # fmt: skip
    """Lower to `count` numbers in `out`: the op's own state moves on, or one is `given`.

    Integers lie between the operands that `ends` names.
    """
    k = KernelBuilder(n.op.name)
    if given is None:
        state, bound = state_of(k, n, s)
    else:
        state, bound = k.input("state", dtypes.int64, (3,)), given
    y = k.output("y", dtype, (count,))
    more = [k.input(name, dtype, ()) for name, _ in zip(("lo", "hi"), ends, strict=False)]
    truncated = draw == "truncated_normal"
    with k.loop("parallel", "u", D.ceildiv(count, UNIT * per_block(dtype))) as u:
        if more:
            ok = k.let("less", k.load(more[0], ()), k.load(more[1], ()), dtype=dtypes.bool_)
            k.check(ok, 1, 0)
        if truncated:
            k.template("philox_truncated", [state, y], (u, count))
        else:
            k.template("philox", [state, y, *more], (u, count), draw=draw)
    binds = [bound, out, *(s.input(i) for i in ends)]
    s.step(k.build(), binds, ["Need minval < maxval"] if more else [])


def _sized(v: Value) -> tuple[Dim, ...]:
    assert v.static_shape is not None
    return v.static_shape


def _shuffle(n: Node, s: Site) -> None:
    """A permutation, then the rows in its order."""
    (x,) = n.inputs
    shape = _sized(x)
    rows: Dim = shape[0] if shape else 1
    inner = D.product(shape[1:])
    order = s.temp(dtypes.int64, rows)
    k = KernelBuilder("shuffle")
    state, bound = state_of(k, n, s)
    p = k.output("order", dtypes.int64, (rows,))
    k.template("philox_shuffle", [state, p], (rows,))
    s.step(k.build(), [bound, order])
    k = KernelBuilder("shuffled_rows")
    a = k.input("x", x.dtype, (rows, inner))
    at = k.input("order", dtypes.int64, (rows,))
    y = k.output("y", x.dtype, (rows, inner))
    with k.loop("parallel", "i", rows) as i:
        row = k.load(at, (i,))
        with k.loop("vector", "j", inner) as j:
            k.store(y, (i, j), k.load(a, (row.index, j)))
    s.step(k.build(), [s.input(0), order, s.output()])


def _multinomial(n: Node, s: Site) -> None:
    """Uniform numbers, then for each the number of running sums that do not exceed it."""
    x, y = n.inputs[0], n.outputs[0]
    rows, classes = _sized(x)
    samples = _sized(y)[1]
    t = dtypes.float64
    draws, sums = s.temp(t, rows * samples), s.temp(t, rows * classes)
    numbers(n, s, "uniform", t, rows * samples, draws, [])
    k = KernelBuilder("multinomial")
    a = k.input("logits", x.dtype, (rows, classes))
    u = k.input("u", t, (rows, samples))
    running = k.param("running", t, (rows, classes), "inout")
    out = k.output("y", y.dtype, (rows, samples))

    def finite(r: Dim, c: Dim) -> Any:
        v = k.cast(k.load(a, (r, c)), t)
        ok = k.let("is_finite", v, dtype=dtypes.bool_)
        return ok, k.select(ok, v, lit(-np.inf, t))

    with k.loop("parallel", "r", rows) as r:
        some = k.let("less", lit(0, dtypes.int64), k.index(classes), dtype=dtypes.bool_)
        k.check(some, 1, 0)
        with k.reduce("vector", "c", classes) as m:
            ok, v = finite(r, m.var)
            m.yields(max=v, any=ok)
        top = k.select(m.results[1], m.results[0], lit(0.0, t))
        with k.loop("vector", "e", classes) as e:
            _, v = finite(r, e)
            k.store(running, (r, e), k.let("exp", k.let("subtract", v, top, dtype=t), dtype=t))
        with k.scan("c", classes, [("sum", t)]) as sc:
            (after,) = sc.step(k.load(running, (r, sc.var)))
            k.store(running, (r, sc.var), after)
        total = k.load(running, (r, classes - 1))
        with k.loop("for", "j", samples) as j:
            target = k.let("multiply", k.load(u, (r, j)), total, dtype=t)
            with k.reduce("vector", "i", classes) as m:
                below = k.let("less_equal", k.load(running, (r, m.var)), target, dtype=dtypes.bool_)
                m.yields(sum=k.cast(below, dtypes.int64))
            k.store(out, (r, j), k.cast(m.results[0], y.dtype))
    s.step(k.build(), [s.input(0), draws, sums, s.output()], ["num_classes should be positive"])


# ------------------------------------------------------------------------- a shape of numbers


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(attrs["dtype"], known_shape(inputs, attrs, "shape"))]


_KINDS = {"float32": "f32", "float64": "f64", "float16": "f16", "bfloat16": "bf16"}


def _numpy(family: str) -> Callable[..., Any]:
    def meaning(
        *, shape: Any, dtype: DType, seed: int, seed2: int, skip: int = 0, stream: int = 0
    ) -> Any:
        f = getattr(philox, f"{family}_{_KINDS[dtype.name]}")
        return f(seed, seed2, skip, int(np.prod(shape, dtype=np.int64))).reshape(shape)

    return meaning


def _random(name: str, tf: str, family: str, doc: str) -> Op:
    return op(
        name, tf, "random", doc=doc, types="f", infer=_infer, numpy=_numpy(family), stateful=True,
        grad=lambda y, dy, *rest, **a: (None,) * len(rest), lower=_fill, facts={"draw": family},
    )  # fmt: skip


uniform_op = _random("random_uniform", "RandomUniform", "uniform", "Uniform numbers in [0, 1).")
normal_op = _random("random_normal", "RandomStandardNormal", "normal", "Normal numbers.")
truncated_op = _random(
    "truncated_normal",
    "TruncatedNormal",
    "truncated_normal",
    "Normal numbers of magnitude below 2.",
)


def _int_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    for v in inputs[:2]:
        if v.static_shape not in ((), None):
            raise shape_error(f"Shape must be rank 0 but is rank {v.rank}")
    return [(inputs[0].dtype, known_shape(inputs, attrs, "shape"))]


def _int_numpy(
    lo: Any, hi: Any, *, shape: Any, seed: int, seed2: int, skip: int = 0, stream: int = 0
) -> Any:
    n = int(np.prod(shape, dtype=np.int64))
    try:
        got = philox.uniform_int(seed, seed2, skip, n, int(lo), int(hi), lo.dtype)
    except ValueError as e:
        raise InvalidArgumentError(None, None, str(e)) from None
    return got.reshape(shape)


uniform_int_op = op(
    "random_uniform_int", "RandomUniformInt", "random", doc="Uniform integers in [minval, maxval).",
    args=("minval", "maxval"), types="i", infer=_int_infer, numpy=_int_numpy, stateful=True,
    fails=True,
    grad=no_grad, lower=_fill, facts={"draw": "uniform_int"},
)  # fmt: skip


def _draw(record: Op, shape: Any, attrs: dict[str, Any], values: list[Value], name: Any) -> Value:
    """The op itself; the constant for its shape was counted before (`_shape_operand`)."""
    out = dict(attrs)
    tail = list(values)
    if isinstance(shape, Value):
        tail.append(shape)
        out["dynamic"] = ("shape",)
    else:
        out["shape"] = shape
    return build(record, tail, out, name).outputs[0]


class Sizes(tuple[Any, ...]):
    """Sizes for which TF1 has a constant of another name already."""


def _shape_operand(shape: Any) -> Any:
    s = static_operand(shape, "shape")
    if not isinstance(s, Value):
        if not isinstance(shape, Value | Sizes):
            current().reserve("shape")
        if not isinstance(s, tuple):
            raise ValueError(f"Shape must be rank 1 but is rank 0 for a random op: {shape!r}")
        for i, d in enumerate(s):
            if less(d, 0):
                raise ValueError(f"Dimension {show(d)} must be >= 0 (size {i} of a random tensor)")
    return s


def _float_type(dtype: Any) -> DType:
    t = as_dtype(dtype).base_dtype
    if t.kind != "f":
        raise TypeError(
            f"Value passed to parameter 'dtype' has DataType {t.name} not in list of allowed "
            "values: float16, bfloat16, float32, float64"
        )
    return t


def _scaled(
    record: Op,
    default: str,
    shape: Any,
    mean: Any,
    stddev: Any,
    dtype: Any,
    seed: Any,
    name: str | None,
) -> Value:
    t = _float_type(dtype)
    with current().scope(name, default) as scope:
        s = _shape_operand(shape)
        m = as_value(mean, t, "mean")
        d = as_value(stddev, t, "stddev")
        rnd = _draw(record, s, {"dtype": t, **_seeds(seed)}, [], record.tf)
        return math.add(rnd * d, m, name=scope or name)  # type: ignore[no-any-return]


def random_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers from a normal distribution."""
    return _scaled(normal_op, "random_normal", shape, mean, stddev, dtype, seed, name)


def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers from a normal distribution, those beyond two standard deviations drawn again."""
    return _scaled(truncated_op, "truncated_normal", shape, mean, stddev, dtype, seed, name)


def random_uniform(
    shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32,
    seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers from [minval, maxval), floats or int32 or int64.

    Raises
    ------
    ValueError
        For another type, or when integers are asked for without `maxval`.
    """
    t = as_dtype(dtype).base_dtype
    if t.name not in (*_KINDS, "int32", "int64"):
        raise ValueError(f"Invalid dtype {t!r}")
    if maxval is None:
        if t.is_integer:
            raise ValueError(f"Must specify maxval for integer dtype {t!r}")
        maxval = 1
    with current().scope(name, "random_uniform") as scope:
        s = _shape_operand(shape)
        lo = as_value(minval, t, "min")
        hi = as_value(maxval, t, "max")
        seeds = _seeds(seed)
        if t.is_integer:
            return _draw(uniform_int_op, s, dict(seeds), [lo, hi], scope or name)
        rnd = _draw(uniform_op, s, {"dtype": t, **seeds}, [], uniform_op.tf)
        span = hi - lo
        return math.add(rnd * span, lo, name=scope or name)  # type: ignore[no-any-return]


uniform_op.call, uniform_int_op.call = random_uniform, random_uniform
normal_op.call, truncated_op.call = random_normal, truncated_normal


# ------------------------------------------------------------------------- shuffle and multinomial


def _shuffle_numpy(x: Any, *, seed: int, seed2: int, skip: int = 0, stream: int = 0) -> Any:
    return x[philox.shuffle_permutation(seed, seed2, skip, x.shape[0])] if x.ndim and x.size else x


shuffle_op = op(
    "random_shuffle", "RandomShuffle", "random", doc="Rows in random order.", args=("value",),
    types="fiubs", infer=lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)],
    numpy=_shuffle_numpy, stateful=True, grad=no_grad, lower=_shuffle,
)  # fmt: skip


def random_shuffle(value: Any, seed: int | None = None, name: str | None = None) -> Value:
    """`value` with its rows (slices of the first axis) in random order."""
    attrs = _seeds(seed)
    return make(shuffle_op, [("value", value)], None, name, attrs).outputs[0]


shuffle_op.call = random_shuffle


def _multinomial_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x = inputs[0]
    s = x.static_shape
    if s is not None and len(s) != 2:
        raise shape_error(f"Shape must be rank 2 but is rank {len(s)}")
    n = static(inputs, attrs, "num_samples")
    if n is not None and less(n, 0):
        raise shape_error(f"num_samples should be nonnegative, got {show(n)}")
    rows = D.fresh() if s is None else s[0]
    return [(attrs["output_dtype"], (rows, D.fresh() if n is None else n))]


def _multinomial_numpy(
    x: Any,
    *,
    num_samples: int,
    output_dtype: DType,
    seed: int,
    seed2: int,
    skip: int = 0,
    stream: int = 0,
) -> Any:
    try:
        return philox.multinomial(seed, seed2, skip, x, num_samples).astype(output_dtype.np)
    except ValueError as e:
        raise InvalidArgumentError(None, None, str(e)) from None


multinomial_op = op(
    "multinomial", "Multinomial", "random", doc="Classes drawn by unnormalised log-probabilities.",
    args=("logits",), types="f", infer=_multinomial_infer, numpy=_multinomial_numpy, stateful=True,
    grad=lambda y, dy, x, *rest, **a: (None, *(None for _ in rest)), lower=_multinomial,
)  # fmt: skip


def _categorical(
    default: str, logits: Any, num_samples: Any, dtype: Any, seed: Any, name: str | None
) -> Value:
    with current().scope(name, default):
        x = as_value(logits, None, "logits")
        check_kind(multinomial_op, "logits", x.dtype, "f")
        attrs = {"output_dtype": as_dtype(dtype or dtypes.int64), **_seeds(seed)}
        sizes = {"num_samples": ("num_samples", num_samples)}
        return make(multinomial_op, [("logits", x)], sizes, None, attrs).outputs[0]


def multinomial(
    logits: Any,
    num_samples: Any,
    seed: int | None = None,
    name: str | None = None,
    output_dtype: Any = None,
) -> Value:
    """For each row of `logits`, `num_samples` classes drawn by these log-probabilities."""
    return _categorical("multinomial", logits, num_samples, output_dtype, seed, name)


def categorical(
    logits: Any,
    num_samples: Any,
    dtype: Any = None,
    seed: int | None = None,
    name: str | None = None,
) -> Value:
    """`multinomial` by its newer name."""
    return _categorical("categorical", logits, num_samples, dtype, seed, name)


multinomial_op.call = multinomial


#: TF1's check that there is enough to cut from.
_CROP_CHECK = (
    "GreaterEqual", "Const", "All", "Assert/Const", "Assert/Assert/data_0", "Assert/Assert",
    "control_dependency",
)  # fmt: skip


def random_crop(value: Any, size: Any, seed: int | None = None, name: str | None = None) -> Value:
    """A box of `size` at a random place of `value`.

    Raises
    ------
    ValueError
        When `size` is known to be larger than `value`.
    """
    with current().scope(name, "random_crop") as scope:
        x = as_value(value, None, "value")
        want = static_operand(size, "size")
        n = want if isinstance(want, Value) else as_value(np.array(want, np.int32), None, "size")
        if isinstance(want, tuple) and D.is_known(x.static_shape):
            have = x.static_shape or ()
            if len(have) == len(want) and any(less(h, w) for h, w in zip(have, want, strict=True)):
                raise ValueError(f"Need value.shape >= size, got {list(have)} {list(want)}")
        have_ = shapes.shape(x)
        current().reserve(*_CROP_CHECK)
        limit = have_ - n + 1
        rank = shapes.shape(limit)
        top = np.iinfo(n.dtype.np).max
        offset = random_uniform(rank, dtype=n.dtype, maxval=top, seed=seed) % limit
        return arrays.slice(x, offset, n, name=scope or name)
