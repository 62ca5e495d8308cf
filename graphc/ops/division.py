"""Division as Python's operators and TensorFlow's functions spell it."""

from __future__ import annotations

from typing import Any

from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.ops.arithmetic import floordiv_op, multiply, realdiv
from graphc.ops.casting import cast
from graphc.ops.record import apply, as_value

__all__ = ["div", "divide", "floordiv", "scalar_mul", "truediv"]


# ------------------------------------------------------------------------- division by TF1's rules

#: The float type in which ``/`` divides: integers of up to 16 bits in float32, wider in float64.
_TRUEDIV = {
    dtypes.uint8: dtypes.float32, dtypes.int8: dtypes.float32, dtypes.uint16: dtypes.float32,
    dtypes.int16: dtypes.float32, dtypes.int32: dtypes.float64, dtypes.int64: dtypes.float64,
    dtypes.bfloat16: None, dtypes.float16: None, dtypes.float32: None, dtypes.float64: None,
    dtypes.complex64: None, dtypes.complex128: None,
}  # fmt: skip


def _both(x: Any, y: Any) -> tuple[Value, Value]:
    """`x` and `y` as tensors; a mismatch is reported as the binary operators do."""
    a = as_value(x, name="x")
    try:
        return a, y if isinstance(y, Value) else as_value(y, a.dtype.base_dtype, "y")
    except ValueError:
        return a, as_value(y, None, "y")


def truediv(x: Any, y: Any, name: str | None = None) -> Value:
    """x / y element-wise as Python 3 divides: integers give floats."""
    with current().scope(name, "truediv") as scope:
        a, b = _both(x, y)
        if a.dtype is not b.dtype:
            raise TypeError(f"x and y must have the same dtype, got {a.dtype!r} != {b.dtype!r}")
        if a.dtype not in _TRUEDIV:
            raise TypeError(f"Invalid dtype {a.dtype!r} in __truediv__.")
        to = _TRUEDIV[a.dtype]
        if to is not None:
            a, b = cast(a, to), cast(b, to)
        return apply(realdiv, (a, b), None, scope or name).outputs[0]


def div(x: Any, y: Any, name: str | None = None) -> Value:
    """x / y element-wise as Python 2 divides: integers give the floor."""
    with current().scope(name, "div") as scope:
        a, b = _both(x, y)
        if a.dtype is not b.dtype:
            raise TypeError(f"x and y must have the same dtype, got {a.dtype!r} != {b.dtype!r}")
        record = realdiv if a.dtype.kind in "fc" else floordiv_op
        return apply(record, (a, b), None, scope or name).outputs[0]


def divide(x: Any, y: Any, name: str | None = None) -> Any:
    """x / y as Python 3 divides; two Python numbers give a Python number."""
    return truediv(x, y, name) if name is not None else x / y


def floordiv(x: Any, y: Any, name: str | None = None) -> Value:
    """floor(x / y) element-wise."""
    with current().scope(name, "floordiv") as scope:
        return apply(floordiv_op, _both(x, y), None, scope or name).outputs[0]


def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Value:
    """`x` times a scalar.

    Raises
    ------
    ValueError
        When `scalar` is not a scalar.
    """
    s = as_value(scalar, None if isinstance(scalar, Value) else as_value(x).dtype, "scalar")
    if s.rank != 0:
        raise ValueError(f"Only scalar multiply works, got shape {s.static_shape}")
    return multiply(s, x, name)  # type: ignore[no-any-return]
