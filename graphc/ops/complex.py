"""Complex numbers: their parts, and how they are made. numpy computes them on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import broadcasting, fills, math
from graphc.ops.record import Attrs, Op, Types, as_value, broadcast, op

__all__ = ["angle", "complex", "conj", "imag", "real", "to_complex64", "to_complex128"]

_WIDE = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}


def _part(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype.real_dtype, inputs[0].static_shape)]


def _whole(inputs: Sequence[Value], attrs: Attrs) -> Types:
    a, b = inputs
    return [(_WIDE[a.dtype], broadcast(a.static_shape, b.static_shape))]


def _record(
    name: str, tf: str, doc: str, numpy: Callable[..., Any], infer: Any, grad: Any,
    args: tuple[str, ...] = ("input",), types: str = "c",
) -> Op:  # fmt: skip
    """A record of one element's meaning; its gradient says the conjugate itself."""
    return op(
        name, tf, "host", doc=doc, args=args, types=types, numpy=numpy, infer=infer, grad=grad,
        facts={"own_conjugate": True},
    )  # fmt: skip


def _made(x: Any, y: Any) -> Any:
    kind = np.complex64 if x.dtype == np.float32 else np.complex128
    x, y = np.broadcast_arrays(x, y)
    out = np.empty(x.shape, kind)
    out.real, out.imag = x, y
    return out


def _complex_grad(y: Value, dy: Value, a: Value, b: Value) -> Any:
    return broadcasting.sum_to_like(real(dy), a), broadcasting.sum_to_like(imag(dy), b)


complex_op = _record(
    "complex", "Complex", "A complex number of its parts.", _made, _whole, _complex_grad,
    ("real", "imag"), "f",
)  # fmt: skip

real_op = _record(
    "real", "Real", "The real part.", lambda x: np.array(x.real), _part,
    lambda y, dy, x: complex(dy, fills.zeros_like(dy)),
)  # fmt: skip

imag_op = _record(
    "imag", "Imag", "The imaginary part.", lambda x: np.array(x.imag), _part,
    lambda y, dy, x: complex(fills.zeros_like(dy), dy),
)  # fmt: skip

conj_op = _record(
    "conj", "Conj", "The conjugate.", np.conj,
    lambda inputs, attrs: [(inputs[0].dtype, inputs[0].static_shape)],
    lambda y, dy, x: conj(dy),
)  # fmt: skip

abs_op = _record(
    "complex_abs", "ComplexAbs", "The absolute value.", np.absolute, _part,
    lambda y, dy, x: _scaled(x, math.div_no_nan(dy, y)), ("x",),
)  # fmt: skip


def _angle_grad(y: Value, dy: Value, x: Value) -> Value:
    """The derivative of atan2(im, re); NaN at 0, as in TF1."""
    a, b = real(x), imag(x)
    g = dy / (a * a + b * b)
    return complex(-b * g, a * g)


angle_op = _record("angle", "Angle", "The angle in radians.", np.angle, _part, _angle_grad)


def _scaled(x: Value, factor: Value) -> Value:
    """Complex times real."""
    return complex(real(x) * factor, imag(x) * factor)


def complex(real: Any, imag: Any, name: str | None = None) -> Value:
    """Complex numbers of their real and imaginary parts, both float32 or both float64.

    Raises
    ------
    TypeError
        For other types, or two different ones.
    """
    with current().scope(name, "Complex") as scope:
        a = as_value(real, name="real")
        b = as_value(imag, None if isinstance(imag, Value) else a.dtype, name="imag")
        if a.dtype not in _WIDE or a.dtype is not b.dtype:
            raise TypeError(f"real and imag have incorrect types: {a.dtype.name} {b.dtype.name}")
        return build(complex_op, (a, b), {}, scope).outputs[0]


def _of(
    record: Op, otherwise: Callable[[Value], Any], x: Any, name: str | None, default: str
) -> Any:
    with current().scope(name, default) as scope:
        v = as_value(x)
        if v.dtype.kind != "c":
            if v.dtype.kind not in "fiu":
                raise TypeError(f"Expected numeric tensor, got dtype {v.dtype!r}")
            return otherwise(v)
        return build(record, (v,), {}, scope).outputs[0]


def real(input: Any, name: str | None = None) -> Any:
    """The real part; real numbers as they are."""
    return _of(real_op, lambda v: v, input, name, "Real")


def imag(input: Any, name: str | None = None) -> Any:
    """The imaginary part; zeros for real numbers."""
    return _of(imag_op, fills.zeros_like, input, name, "Imag")


def conj(x: Any, name: str | None = None) -> Any:
    """The conjugate; real numbers as they are."""
    return _of(conj_op, lambda v: v, x, name, "Conj")


def angle(input: Any, name: str | None = None) -> Any:
    """The angle in radians, in (-pi, pi]; zeros for real numbers, as in TF 1.15."""
    return _of(angle_op, fills.zeros_like, input, name, "Angle")


def _to(dtype: DType, default: str) -> Callable[..., Value]:
    def to(x: Any, name: str | None = default) -> Any:
        return math.cast(x, dtype, name=name)

    to.__doc__ = f"`x` cast to {dtype.name}."
    to.__name__ = to.__qualname__ = f"to_{dtype.name}"
    return to


to_complex64 = _to(dtypes.complex64, "ToComplex64")
to_complex128 = _to(dtypes.complex128, "ToComplex128")
