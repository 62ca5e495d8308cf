"""Learning rates that fall with the step: TF1's formulas."""

from __future__ import annotations

import math as pymath
from collections.abc import Sequence
from typing import Any

from graphc.face.current import name_scope
from graphc.ir.build import current
from graphc.ir.dtypes import int32, int64
from graphc.ir.node import Value
from graphc.ops import fills, math
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made

__all__ = [
    "cosine_decay", "cosine_decay_restarts", "exponential_decay", "inverse_time_decay",
    "linear_cosine_decay", "natural_exp_decay", "noisy_linear_cosine_decay", "piecewise_constant",
    "polynomial_decay",
]  # fmt: skip


def _step(global_step: Any, what: str, dtype: Any) -> Value:
    if global_step is None:
        raise ValueError(f"global_step is required for {what}.")
    step: Value = math.cast(convert_to_tensor(global_step), dtype)
    return step


def _steps(global_step: Any, what: str, dtype: Any, decay_steps: Any, staircase: bool) -> Value:
    """How often `decay_steps` have passed; a whole number with `staircase`."""
    p = _step(global_step, what, dtype) / math.cast(convert_to_tensor(decay_steps), dtype)
    steps: Value = math.floor(p) if staircase else p
    return steps


def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any,
    staircase: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """``learning_rate * decay_rate ** (global_step / decay_steps)``, in steps with `staircase`."""
    with name_scope(name, "ExponentialDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        p = _steps(global_step, "exponential_decay", lr.dtype, decay_steps, staircase)
        rate: Value = math.multiply(
            lr, math.pow(math.cast(convert_to_tensor(decay_rate), lr.dtype), p), name=scope
        )
        return rate


def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any,
    staircase: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """``learning_rate * exp(-decay_rate * global_step / decay_steps)``."""
    rate = math.exp(math.negative(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, rate, staircase, name)


def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any,
    staircase: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """``learning_rate / (1 + decay_rate * global_step / decay_steps)``."""
    with name_scope(name, "InverseTimeDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        p = _steps(global_step, "inverse_time_decay", lr.dtype, decay_steps, staircase)
        made(1)
        rate: Value = math.divide(
            lr, 1 + math.cast(convert_to_tensor(decay_rate), lr.dtype) * p, name=scope
        )
        return rate


def polynomial_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, end_learning_rate: Any = 0.0001,
    power: Any = 1.0, cycle: bool = False, name: str | None = None,
) -> Value:  # fmt: skip
    """``(learning_rate - end) * (1 - step/decay_steps)**power + end``; capped, or cycling."""
    with name_scope(name, "PolynomialDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        step = _step(global_step, "polynomial_decay", lr.dtype)
        steps = math.cast(convert_to_tensor(decay_steps), lr.dtype)
        end = math.cast(convert_to_tensor(end_learning_rate), lr.dtype)
        made(4 if cycle else 1)  # with a cycle there is a cond
        if cycle:
            one = fills.ones_like(step)
            steps = steps * math.select(
                math.less_equal(step, fills.zeros_like(step)), one, math.ceil(step / steps)
            )
        else:
            step = math.minimum(step, steps)
        rest = math.pow(1 - step / steps, math.cast(convert_to_tensor(power), lr.dtype))
        rate: Value = math.add((lr - end) * rest, end, name=scope)
        return rate


def piecewise_constant(
    x: Any, boundaries: Sequence[Any], values: Sequence[Any], name: str | None = None
) -> Value:
    """``values[i]`` where `x` is in the i-th of the intervals that `boundaries` end (inclusive).

    Raises
    ------
    ValueError
        Unless there is one value more than boundaries.
    """
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    with name_scope(name, "PiecewiseConstant", [x, *boundaries, *values]):
        step = convert_to_tensor(x)
        bounds = []
        for b in boundaries:
            b = convert_to_tensor(b)
            if b.dtype is not step.dtype:
                if not (b.dtype is int32 and step.dtype is int64):
                    raise ValueError(
                        f"Boundaries ({b.dtype!r}) must have the same dtype as x ({step.dtype!r})."
                    )
                b = math.cast(b, step.dtype)
            bounds.append(b)
        vals = [convert_to_tensor(v) for v in values]
        if any(v.dtype is not vals[0].dtype for v in vals):
            raise ValueError(
                f"Values must have elements all with the same dtype ({[v.dtype for v in vals]})."
            )
        out, n = vals[-1], len(bounds)
        with current().counts_as(n * n + 11 * n + 25):  # a `case` of conds in TF1
            for b, v in zip(reversed(bounds), reversed(vals[:-1]), strict=True):
                out = math.select(math.less_equal(step, b), v, out)
        return out


def _cosine(fraction: Value) -> Value:
    wave: Value = 0.5 * (1.0 + math.cos(pymath.pi * fraction))
    return wave


def cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    alpha: float = 0.0,
    name: str | None = None,
) -> Value:
    """Cosine from `learning_rate` to ``alpha * learning_rate`` (arXiv:1608.03983)."""
    with name_scope(name, "CosineDecay", [learning_rate, global_step]):
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        steps = math.cast(convert_to_tensor(decay_steps), lr.dtype)
        step = math.minimum(_step(global_step, "cosine decay", lr.dtype), steps)
        rate: Value = math.multiply(lr, (1 - alpha) * _cosine(step / steps) + alpha)
        return rate


def cosine_decay_restarts(
    learning_rate: Any, global_step: Any, first_decay_steps: Any, t_mul: float = 2.0,
    m_mul: float = 1.0, alpha: float = 0.0, name: str | None = None,
) -> Value:  # fmt: skip
    """Cosine decay with warm restarts: each period `t_mul` times longer, `m_mul` times lower."""
    with name_scope(name, "SGDRDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        with current().counts_as(52):
            done = _step(global_step, "cosine decay restarts", lr.dtype) / math.cast(
                convert_to_tensor(first_decay_steps), lr.dtype
            )
            if t_mul == 1.0:
                i = math.floor(done)
                fraction = done - i
            else:
                i = math.floor(math.log(1.0 - done * (1.0 - t_mul)) / pymath.log(t_mul))
                sum_r = (1.0 - t_mul**i) / (1.0 - t_mul)
                fraction = (done - sum_r) / t_mul**i
            factor = (1 - alpha) * (m_mul**i) * _cosine(fraction) + alpha
            rate: Value = math.multiply(lr, factor, name=scope)
        return rate


def linear_cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, num_periods: float = 0.5,
    alpha: float = 0.0, beta: float = 0.001, name: str | None = None,
) -> Value:  # fmt: skip
    """``((alpha + linear) * cosine + beta) * learning_rate`` (Bello et al., arXiv:1709.07417)."""
    with name_scope(name, "LinearCosineDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        steps = math.cast(convert_to_tensor(decay_steps), lr.dtype)
        step = math.minimum(_step(global_step, "linear cosine decay", lr.dtype), steps)
        made(2)
        linear = (steps - step) / steps
        factor = (alpha + linear) * _cosine(2.0 * num_periods * (step / steps)) + beta
        rate: Value = math.multiply(lr, factor, name=scope)
        return rate


def noisy_linear_cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, initial_variance: float = 1.0,
    variance_decay: float = 0.55, num_periods: float = 0.5, alpha: float = 0.0,
    beta: float = 0.001, name: str | None = None,
) -> Value:  # fmt: skip
    """With noise of variance ``initial_variance / (1 + step)**variance_decay``."""
    from graphc.ops import random

    with name_scope(name, "NoisyLinearCosineDecay", [learning_rate, global_step]) as scope:
        lr = convert_to_tensor(learning_rate, name="learning_rate")
        steps = math.cast(convert_to_tensor(decay_steps), lr.dtype)
        step = math.minimum(_step(global_step, "noisy linear cosine decay", lr.dtype), steps)
        variance = initial_variance / math.pow(
            1.0 + step, math.cast(convert_to_tensor(variance_decay), lr.dtype)
        )
        least = convert_to_tensor(beta, dtype=lr.dtype)
        made(2)
        linear = (steps - step) / steps + random.random_normal([], stddev=math.sqrt(variance))
        factor = (alpha + linear) * _cosine(2.0 * num_periods * (step / steps)) + least
        rate: Value = math.multiply(lr, factor, name=scope)
        return rate
