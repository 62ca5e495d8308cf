"""Numbers rounded to what few bits can hold, with gradients that pass through."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops import broadcasting, fills, math, reduce, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import as_operand, as_value

__all__ = [
    "fake_quant_with_min_max_args", "fake_quant_with_min_max_args_gradient",
    "fake_quant_with_min_max_vars", "fake_quant_with_min_max_vars_gradient",
    "fake_quant_with_min_max_vars_per_channel", "fake_quant_with_min_max_vars_per_channel_gradient",
]  # fmt: skip


def _nudged(low: Value, high: Value, bits: int, narrow: bool) -> tuple[Any, Any, Any]:
    """Range and step, moved so that 0 is one of the steps (rounded half up, as TF1 does)."""
    least, most = float(narrow), float(2**bits - 1)
    scale = (high - low) / (most - least)
    point = least - low / scale
    zero = math.floor(math.clip_by_value(point, least, most) + 0.5)
    return (least - zero) * scale, (most - zero) * scale, scale


def _check(bits: int) -> int:
    if not 2 <= bits <= 16:
        raise ValueError(f"num_bits must be between 2 and 16, inclusive, got {bits}")
    return bits


def _rounded(x: Value, low: Value, high: Value, bits: int, narrow: bool, name: Any) -> Any:
    a, b, scale = _nudged(low, high, _check(bits), narrow)
    kept = math.clip_by_value(x, a, b) - a
    q = math.floor(kept * (1.0 / scale) + 0.5) * scale + a
    nothing = math.equal(low, 0.0) & math.equal(high, 0.0)
    zeros = fills.zeros_like(x)
    q = math.select(broadcasting.broadcast_like(nothing, x), zeros, q)
    # the value is q, the gradient that of x clipped: to x inside, to the ends outside
    wide_a, wide_b = broadcasting.broadcast_like(a, x), broadcasting.broadcast_like(b, x)
    ends_a, ends_b = broadcasting.broadcast_like(low, x), broadcasting.broadcast_like(high, x)
    through = math.select(x < wide_a, ends_a, math.select(x > wide_b, ends_b, x))
    return math.add(state.stop_gradient(q), through - state.stop_gradient(through), name=name)


def fake_quant_with_min_max_args(
    inputs: Any, min: float = -6, max: float = 6, num_bits: int = 8, narrow_range: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`inputs` rounded to the steps that `num_bits` can count from `min` to `max`."""
    with current().scope(name, "FakeQuantWithMinMaxArgs") as scope:
        x = as_operand("FakeQuantWithMinMaxArgs", "inputs", inputs, dtypes.float32)
        with current().counts_as(1):
            ends: Any = [convert_to_tensor(float(v), x.dtype) for v in (min, max)]
            return _rounded(x, ends[0], ends[1], num_bits, narrow_range, scope)


def _between(
    op: str, inputs: Any, low: Any, high: Any, bits: int, narrow: bool, name: str | None
) -> Any:
    with current().scope(name, op) as scope:
        x, a, b = [
            as_operand(op, arg, v, dtypes.float32)
            for arg, v in (("inputs", inputs), ("min", low), ("max", high))
        ]
        with current().counts_as(1):
            return _rounded(x, a, b, bits, narrow, scope)


def fake_quant_with_min_max_vars(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The same with scalars that are learnt; they get the gradients of what lies outside."""
    return _between("FakeQuantWithMinMaxVars", inputs, min, max, num_bits, narrow_range, name)


def fake_quant_with_min_max_vars_per_channel(
    inputs: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The same with one range for each entry of the last axis."""
    return _between(
        "FakeQuantWithMinMaxVarsPerChannel", inputs, min, max, num_bits, narrow_range, name
    )


def _gradients(dy: Any, x: Any, low: Any, high: Any, bits: int, narrow: bool, axes: Any) -> Any:
    x = convert_to_tensor(x, "float32")
    g = convert_to_tensor(dy, "float32")
    a, b, _ = _nudged(low, high, _check(bits), narrow)
    zero = fills.zeros_like(g)
    below, above = x < broadcasting.broadcast_like(a, x), x > broadcasting.broadcast_like(b, x)
    inside = math.select(math.logical_or(below, above), zero, g)
    ends = [reduce.reduce_sum(math.select(m, g, zero), axes) for m in (below, above)]
    return inside, ends[0], ends[1]


def fake_quant_with_min_max_args_gradient(
    gradients: Any, inputs: Any, min: float = -6, max: float = 6, num_bits: int = 8,
    narrow_range: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The gradient of `fake_quant_with_min_max_args` for one of its result."""
    with current().scope(name, "FakeQuantWithMinMaxArgsGradient"):
        ends: Any = [convert_to_tensor(float(v)) for v in (min, max)]
        return _gradients(gradients, inputs, ends[0], ends[1], num_bits, narrow_range, None)[0]


def fake_quant_with_min_max_vars_gradient(
    gradients: Any, inputs: Any, min: Any, max: Any, num_bits: int = 8,
    narrow_range: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Gradients of `fake_quant_with_min_max_vars` to its input, `min` and `max`."""
    with current().scope(name, "FakeQuantWithMinMaxVarsGradient"):
        ends: Any = [convert_to_tensor(v, "float32") for v in (min, max)]
        return _gradients(gradients, inputs, ends[0], ends[1], num_bits, narrow_range, None)


def fake_quant_with_min_max_vars_per_channel_gradient(
    gradients: Any, inputs: Any, min: Any, max: Any, num_bits: int = 8,
    narrow_range: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Gradients of `fake_quant_with_min_max_vars_per_channel`."""
    with current().scope(name, "FakeQuantWithMinMaxVarsPerChannelGradient"):
        ends: Any = [convert_to_tensor(v, "float32") for v in (min, max)]
        x = as_value(inputs)
        assert x.rank is not None
        axes = list(range(x.rank - 1))
        return _gradients(gradients, inputs, ends[0], ends[1], num_bits, narrow_range, axes)
