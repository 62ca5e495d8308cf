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
    "quantize_and_dequantize",
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


_ROUNDINGS = ("HALF_TO_EVEN", "HALF_UP")


def quantize_and_dequantize(
    input: Any, input_min: Any, input_max: Any, signed_input: bool = True, num_bits: int = 8,
    range_given: bool = False, round_mode: str = "HALF_TO_EVEN", name: str | None = None,
    narrow_range: bool = False,
) -> Any:  # fmt: skip
    """`input` rounded to steps that integers of `num_bits` can count, zero being one of them.

    Parameters
    ----------
    input : tensor
    input_min, input_max : number or tensor
        The range, where `range_given`; else it is that of the data.
    signed_input : bool
        Whether the integers have a sign.
    num_bits : int
    range_given : bool
    round_mode : {"HALF_TO_EVEN", "HALF_UP"}
    name : str, optional
    narrow_range : bool
        Whether the least integer is left out, so that there are as many below zero as above.

    Raises
    ------
    ValueError
        For another `round_mode`.
    """
    op = "QuantizeAndDequantizeV2"
    if round_mode not in _ROUNDINGS:
        text = ", ".join(f'"{r}"' for r in _ROUNDINGS)
        raise ValueError(
            f"Attr 'round_mode' of '{op}' Op passed string '{round_mode}' not in: {text}."
        )
    with current().scope(name, op) as scope:
        x = as_value(input)
        low, high = (convert_to_tensor(v, x.dtype) for v in (input_min, input_max))
        with current().counts_as(1, gradient=[(0, 1)]):
            if not range_given:
                low, high = reduce.reduce_min(x), reduce.reduce_max(x)
            least = float(signed_input * -(2 ** (num_bits - 1)) + (signed_input and narrow_range))
            most = float(2 ** (num_bits - signed_input) - 1)
            kept, scale = _in_range(x, low, high, least, most, range_given)
            steps = kept * scale
            whole = math.rint(steps) if round_mode == _ROUNDINGS[0] else math.floor(steps + 0.5)
            through = x - state.stop_gradient(x)
            return math.add(state.stop_gradient(whole / scale), through, name=scope)


def _in_range(
    x: Value, low: Any, high: Any, least: float, most: float, clip: bool
) -> tuple[Any, Any]:
    """The numbers inside of the range that the integers reach, and how many of these make one."""
    huge = fills.ones_like(low) * float(dtypes.as_dtype(x.dtype).max)

    def side(end: float, value: Any) -> Any:
        fits = math.greater(value * end, 0.0)
        return math.select(fits, end / math.select(fits, value, fills.ones_like(value)), huge)

    below, above = side(least, low), side(most, high)
    scale = math.minimum(below, above)
    if not clip:
        return x, scale
    first = math.less(below, above)
    high = math.select(first, most / scale, high)
    low = math.select(first, low, least / scale)
    return math.clip_by_value(x, low, high), scale
