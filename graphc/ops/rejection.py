"""Numbers of gamma and Poisson distributions: TensorFlow 1's, drawn by rejection in native code.

Each result has a stream of its own, 256 blocks of the op's Philox stream further than that of the
result before. Uniform and normal numbers are float64, two of a block, of which the second is used
first (`graphc.runtime.llvm.rejection_emit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import as_dtype
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.ops import fills, math, reduce, shapes, spaced, special
from graphc.ops.convert import convert_to_tensor
from graphc.ops.random import _seeds, seeds_of
from graphc.ops.record import Attrs, Op, Types, op
from graphc.ops.rejection_loops import OWN, gamma_numbers_op, poisson_numbers_op

__all__ = ["random_gamma", "random_poisson"]

Array = np.ndarray[Any, Any]

#: Types that Poisson numbers may have.
_COUNTS = (dtypes.float16, dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64)


def _state(context: Any, count: int) -> Array:
    """The blocks drawn before, and the seeds; streams of `count` results are taken."""
    node = context.node
    state = context.resource(f"draws/{node.name}", lambda: {"seeds": seeds_of(node), "skip": 0})
    words = [int(x) % 2**64 for x in (state["skip"], *state["seeds"])]
    state["skip"] += count * OWN
    return np.array(words, np.uint64).view(np.int64)


def _numbers(context: Any, record: Op, shape: Any, parameter: Array, *more: Any) -> Array:
    """`shape` numbers for each parameter, a parameter's side by side in the stream of results."""
    many = int(np.prod(shape, dtype=np.int64))
    each = np.repeat(parameter.reshape(-1).astype(np.float64), many)
    state = _state(context, each.size)
    (out,) = context.native(record, (state, each, *more)) if each.size else (each,)
    rows = out.reshape(parameter.size, many).T
    made: Array = rows.reshape((*shape.tolist(), *parameter.shape))
    return made


def _gamma(context: Any, shape: Any, alpha: Any, **seeds: Any) -> Any:
    with np.errstate(all="ignore"):
        return _numbers(context, gamma_numbers_op, shape, alpha).astype(alpha.dtype)


def _poisson(context: Any, shape: Any, rate: Any, *, dtype: Any, **seeds: Any) -> Any:
    most = float(np.finfo(dtype.np).max if dtype.is_floating else np.iinfo(dtype.np).max)
    bad = np.flatnonzero(~(rate.reshape(-1).astype(np.float64) <= most))
    if bad.size:  # TensorFlow draws such numbers for ever
        raise InvalidArgumentError(
            None, None,
            f"The rate of a Poisson distribution must be a number that {dtype.name} has: rate "
            f"{bad[0]} is {rate.reshape(-1)[bad[0]]}",
        )  # fmt: skip
    largest = np.array(most, np.float64)
    return _numbers(context, poisson_numbers_op, shape, rate, largest).astype(dtype.np)


def _drawn(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape, rate = inputs
    k = known(shape)
    n = None if shape.static_shape is None else shape.static_shape[0]
    first: Any = None
    if isinstance(k, tuple):
        first = tuple(D.fresh() if d is None else d for d in k)
    elif type(n) is int:
        first = tuple(D.fresh() for _ in range(n))
    s = None if first is None or rate.static_shape is None else (*first, *rate.static_shape)
    return [(attrs.get("dtype", rate.dtype), s)]


def _gamma_grad(y: Value, dy: Value, shape: Value, alpha: Value, **attrs: Any) -> Any:
    """The derivative of a number by alpha, its place in the distribution held, over all draws."""
    slope = build(special.random_gamma_grad_op, (alpha, y)).outputs[0]
    drawn = spaced.range(shapes.size(shape))
    return None, reduce.reduce_sum(dy * slope, drawn)


gamma_op = op(
    "random_gamma", "RandomGamma", "host", doc="Numbers of the gamma distribution.",
    args=("shape", "alpha"), types="fi", stateful=True, infer=_drawn, host=_gamma,
    grad=_gamma_grad, facts={"effect": True},
)  # fmt: skip
poisson_op = op(
    "random_poisson", "RandomPoissonV2", "host", doc="Numbers of the Poisson distribution.",
    args=("shape", "rate"), types="fi", stateful=True, infer=_drawn, host=_poisson,
    facts={"effect": True, "no_gradient_error": True},
)  # fmt: skip


def _shape(x: Any) -> Value:
    return convert_to_tensor(x, None if isinstance(x, Value) else dtypes.int32, "shape")


def random_gamma(
    shape: Any, alpha: Any, beta: Any = None, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of gamma distributions, `shape` of them for each pair of `alpha` and `beta`.

    Parameters
    ----------
    alpha : tensor
        The shape of the distribution. Gradients go there as to `beta`.
    beta : tensor, optional
        Its rate, 1 by default.
    """
    t = as_dtype(dtype).base_dtype
    with current().scope(name, "random_gamma"):
        sizes = _shape(shape)
        a = convert_to_tensor(alpha, t, "alpha")
        b = convert_to_tensor(1 if beta is None else beta, t, "beta")
        wide = a + fills.zeros_like(b)
        drawn = build(gamma_op, (sizes, wide), _seeds(seed), "RandomGamma").outputs[0]
        least = np.finfo(a.dtype.np).tiny
        return math.maximum(least, drawn / b)  # type: ignore[no-any-return]


def random_poisson(
    lam: Any, shape: Any, dtype: Any = dtypes.float32, seed: int | None = None,
    name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers of Poisson distributions, `shape` of them for each rate in `lam`.

    Raises
    ------
    InvalidArgumentError
        In a run, for a rate that is not a number, or larger than all numbers of `dtype`.
    """
    with current().scope(name, "random_poisson"):
        sizes = _shape(shape)
        rate = convert_to_tensor(lam, None if isinstance(lam, Value) else dtypes.float32, "rate")
        kind = as_dtype(dtype).base_dtype
        if kind not in _COUNTS:
            raise TypeError(
                f"Value passed to parameter 'dtype' has DataType {kind.name} not in list of "
                f"allowed values: {', '.join(t.name for t in _COUNTS)}"
            )
        attrs = {"dtype": kind, **_seeds(seed)}
        return build(poisson_op, (sizes, rate), attrs, "RandomPoissonV2").outputs[0]
