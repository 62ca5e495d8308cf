"""Random numbers that are a function of a seed that is given in the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Node, Value
from graphc.ops import math, philox
from graphc.ops.lowering import Site
from graphc.ops.operands import static_operand
from graphc.ops.random import numbers
from graphc.ops.record import Attrs, Op, Types, as_value, no_grad, op, shape_error

__all__ = [
    "stateless_categorical", "stateless_multinomial", "stateless_normal", "stateless_random_normal",
    "stateless_random_uniform", "stateless_truncated_normal", "stateless_uniform",
]  # fmt: skip

#: The key that mixes the two numbers of a seed.
_MIX = np.array([0x3EC8F720, 0x02461E29], np.uint32)


def _mixed(seed: Any) -> tuple[int, int]:
    """A seed of two numbers as the seeds of a stream."""
    pair = [int(s) & (2**64 - 1) for s in np.reshape(seed, [-1])]
    if len(pair) != 2:
        raise InvalidArgumentError(None, None, f"seed must have shape [2], not [{len(pair)}]")
    words = [w for s in pair for w in (s & 0xFFFFFFFF, s >> 32)]
    mix = philox.philox4x32(np.array([words], np.uint32), _MIX)[0].astype(object)
    return int(mix[0] | mix[1] << 32), int(mix[2] | mix[3] << 32)


def _draw(shape: Any, seed: Any, *, kind: str, dtype: Any, **known: Any) -> Any:
    sizes = tuple(int(n) for n in shape)
    f = getattr(philox, f"{kind}_{'f' + str(8 * dtype.size) if dtype.is_floating else dtype.name}")
    n = int(np.prod(sizes, dtype=np.int64))
    return np.asarray(f(*_mixed(seed), 0, n), dtype.np).reshape(sizes)


def _lower_numbers(n: Node, s: Site) -> None:
    shape, ends = n.outputs[0].static_shape, range(2, len(n.inputs))
    a = n.attrs
    numbers(n, s, a["draw"], a["dtype"], D.product(shape or ()), s.output(), ends, s.input(0))


numbers_op = Op(
    name="stateless_numbers", tf="StatelessNumbers", family="structured",
    doc="Random numbers from a state on, as many as the second operand has elements.",
    args=("state", "room", "*ends"), types="fiu", lower=_lower_numbers,
    infer=lambda inputs, attrs: [(attrs["dtype"], inputs[1].static_shape)],
)  # fmt: skip


def _in_native_code(context: Any, shape: Any, seed: Any, draw: str, dtype: Any, *ends: Any) -> Any:
    sizes = tuple(int(n) for n in shape)
    room = np.empty(int(np.prod(sizes, dtype=np.int64)), np.uint8)
    state = np.array([0, *_mixed(seed)], np.uint64).view(np.int64)
    if not room.size:
        return np.empty(sizes, dtype.np)
    (made,) = context.native(numbers_op, (state, room, *ends), draw=draw, dtype=dtype)
    return made.reshape(sizes)


def _draw_native(
    context: Any, shape: Any, seed: Any, *, kind: str, dtype: Any, **known: Any
) -> Any:
    return _in_native_code(context, shape, seed, kind, dtype)


def _draw_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    known = attrs.get("known")
    if known is not None:
        return [(attrs["dtype"], known)]
    s = inputs[0].static_shape
    rank = None if s is None or type(s[0]) is not int else s[0]
    return [(attrs["dtype"], None if rank is None else tuple(D.fresh() for _ in range(rank)))]


draw_op = op(
    "stateless_random", "StatelessRandomUniform", "host", args=("shape", "seed"), types="i",
    numpy=_draw, host=_draw_native, doc="Random floats of a seed.", infer=_draw_infer,
    grad=no_grad,
)  # fmt: skip


def _draw_int(shape: Any, seed: Any, low: Any, high: Any, *, dtype: Any, known: Any = None) -> Any:
    _check_ends(low, high)
    sizes = tuple(int(n) for n in shape)
    n = int(np.prod(sizes, dtype=np.int64))
    made = philox.uniform_int(*_mixed(seed), 0, n, int(low), int(high), dtype.np)
    return np.asarray(made, dtype.np).reshape(sizes)


def _check_ends(low: Any, high: Any) -> None:
    if not int(low) < int(high):
        raise InvalidArgumentError(None, None, f"Need minval < maxval, got {low} >= {high}")


def _draw_int_native(
    context: Any, shape: Any, seed: Any, low: Any, high: Any, *, dtype: Any, known: Any = None
) -> Any:
    _check_ends(low, high)
    return _in_native_code(context, shape, seed, "uniform_int", dtype, low, high)


draw_int_op = op(
    "stateless_random_int", "StatelessRandomUniformInt", "host",
    args=("shape", "seed", "minval", "maxval"), types="i", numpy=_draw_int, host=_draw_int_native,
    doc="Random integers of a seed.", infer=_draw_infer, grad=no_grad,
)  # fmt: skip


def _classes(logits: Any, count: Any, seed: Any, *, dtype: Any) -> Any:
    if logits.ndim != 2:
        raise InvalidArgumentError(
            None, None, f"logits should be a matrix, got shape {list(logits.shape)}"
        )
    return philox.multinomial(*_mixed(seed), 0, logits, int(count)).astype(dtype.np)


def _classes_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) != 2:
        raise shape_error(f"Shape must be rank 2 but is rank {len(s)}")
    count = inputs[1].node
    known = int(count.attrs["value"]) if count.op.name == "constant" else D.fresh()
    return [(attrs["dtype"], (D.fresh() if s is None else s[0], known))]


classes_op = op(
    "stateless_multinomial", "StatelessMultinomial", "host",
    args=("logits", "num_samples", "seed"), types="fi", numpy=_classes,
    doc="Random classes of a seed.", infer=_classes_infer, grad=no_grad,
)  # fmt: skip


def _operands(shape: Any, seed: Any) -> tuple[Value, Value, Any]:
    known = static_operand(shape, "shape")
    if isinstance(known, Value):
        return known, _seed(seed), None
    return as_value(np.array(known, np.int32), None, "shape"), _seed(seed), tuple(known)


def _seed(seed: Any) -> Value:
    v = as_value(seed, None, "seed")
    if v.dtype.name not in ("int32", "int64"):
        raise TypeError(f"seed must be int32 or int64, not {v.dtype.name}")
    s = v.static_shape
    if s is not None and (len(s) != 1 or D.same(s[0], 2) is False):
        raise ValueError(f"seed must have shape [2], not {list(s)}")
    return v


def _floats(kind: str, tf: str, shape: Any, seed: Any, dtype: Any) -> Any:
    kind_of = as_dtype(dtype)
    if kind_of.name not in ("float16", "float32", "float64", "bfloat16"):
        raise TypeError(f"dtype must be a float type, not {kind_of.name}")
    size, pair, known = _operands(shape, seed)
    inner = dtypes.float32 if kind_of is dtypes.bfloat16 else kind_of
    attrs = {"kind": kind, "dtype": inner, "known": known}
    out: Any = build(draw_op, (size, pair), attrs, tf).outputs[0]
    return math.cast(out, kind_of)


def stateless_random_uniform(
    shape: Any, seed: Any, minval: Any = 0, maxval: Any = None, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Numbers from [minval, maxval) that depend on `seed` (two integers) alone.

    Raises
    ------
    ValueError
        Without `maxval` for integers.
    """
    kind = as_dtype(dtype)
    if kind.is_integer and maxval is None:
        raise ValueError(f"Must specify maxval for integer dtype {kind!r}")
    with current().scope(name, "stateless_random_uniform"):
        if kind.is_integer:
            size, pair, known = _operands(shape, seed)
            low, high = as_value(minval, kind, "min"), as_value(maxval, kind, "max")
            attrs = {"dtype": kind, "known": known}
            return build(draw_int_op, (size, pair, low, high), attrs, None).outputs[0]
        low, high = (as_value(1 if v is None else v, kind, "edge") for v in (minval, maxval))
        made = _floats("uniform", "StatelessRandomUniform", shape, seed, kind)
        return made * (high - low) + low


def _moved(made: Value, mean: Any, stddev: Any) -> Any:
    return made * as_value(stddev, made.dtype, "stddev") + as_value(mean, made.dtype, "mean")


def stateless_random_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Normal numbers that depend on `seed` (two integers) alone."""
    with current().scope(name, "stateless_random_normal"):
        made = _floats("normal", "StatelessRandomNormal", shape, seed, dtype)
        return _moved(made, mean, stddev)


def stateless_truncated_normal(
    shape: Any, seed: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = dtypes.float32,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Normal numbers within two standard deviations, that depend on `seed` alone."""
    with current().scope(name, "stateless_truncated_normal"):
        made = _floats("truncated_normal", "StatelessTruncatedNormal", shape, seed, dtype)
        return _moved(made, mean, stddev)


def stateless_multinomial(
    logits: Any, num_samples: Any, seed: Any, output_dtype: Any = dtypes.int64,
    name: str | None = None,
) -> Any:  # fmt: skip
    """For each row of `logits`, classes drawn by these log-probabilities and `seed` alone."""
    with current().scope(name, "stateless_multinomial"):
        z = as_value(logits, None, "logits")
        count = as_value(num_samples, dtypes.int32, "num_samples")
        attrs = {"dtype": as_dtype(output_dtype)}
        return build(classes_op, (z, count, _seed(seed)), attrs, None).outputs[0]


def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = dtypes.int64, name: str | None = None
) -> Any:
    """`stateless_multinomial` by its newer name."""
    return stateless_multinomial(logits, num_samples, seed, dtype, name or "stateless_categorical")


stateless_uniform, stateless_normal = stateless_random_uniform, stateless_random_normal
