"""Bijectors of numbers."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

from graphc.distributions.bijector import Bijector
from graphc.distributions.helpers import (
    softplus_inverse,
)
from graphc.face.current import name_scope
from graphc.ops import math, nn
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "AbsoluteValue", "AffineScalar", "Exp", "Gumbel", "Kumaraswamy", "PowerTransform", "Sigmoid",
    "SinhArcsinh", "Softplus", "Softsign", "Square",
]  # fmt: skip


# ------------------------------------------------------------------------- of numbers


def _of_numbers(
    cls: str, name: str, doc: str, forward: Callable[[Any], Any], inverse: Callable[[Any], Any],
    fldj: Callable[[Any], Any], ildj: Callable[[Any], Any] | None = None,
) -> type:  # fmt: skip
    """A bijector without parameters, by its formulas."""

    def __init__(self: Any, validate_args: bool = False, name: str = name) -> None:
        Bijector.__init__(self, validate_args=validate_args, forward_min_event_ndims=0, name=name)

    body = {
        "__doc__": doc, "__init__": __init__, "__module__": __name__,
        "_forward": lambda self, x: forward(x), "_inverse": lambda self, y: inverse(y),
        "_forward_log_det_jacobian": lambda self, x: fldj(x),
    }  # fmt: skip
    if ildj is not None:
        body["_inverse_log_det_jacobian"] = lambda self, y: ildj(y)
    return type(cls, (Bijector,), body)


Sigmoid = _of_numbers(
    "Sigmoid", "sigmoid", "``1 / (1 + exp(-x))``.", math.sigmoid,
    lambda y: math.log(y) - math.log1p(-y), lambda x: -nn.softplus(-x) - nn.softplus(x),
    lambda y: -math.log(y) - math.log1p(-y),
)  # fmt: skip
Softsign = _of_numbers(
    "Softsign", "softsign", "``x / (1 + |x|)``.", lambda x: x / (1.0 + math.abs(x)),
    lambda y: y / (1.0 - math.abs(y)), lambda x: -2.0 * math.log1p(math.abs(x)),
    lambda y: -2.0 * math.log1p(-math.abs(y)),
)  # fmt: skip
Square = _of_numbers(
    "Square", "square", "``x ** 2`` of positive numbers.", math.square, math.sqrt,
    lambda x: _math.log(2.0) + math.log(x),
)  # fmt: skip


class AbsoluteValue(Bijector):
    """``|x|``, which two numbers share."""

    _is_injective = False

    def __init__(self, validate_args: bool = False, name: str = "absolute_value") -> None:
        super().__init__(validate_args=validate_args, forward_min_event_ndims=0, name=name)

    def _forward(self, x: Any) -> Any:
        return math.abs(x)

    def _inverse(self, y: Any) -> Any:
        return -y, y

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        zero = convert_to_tensor(0.0, y.dtype)
        return zero, zero


class _Numbers(Bijector):
    """Of numbers, with parameters that are tensors."""

    _values: dict[str, Any]

    def _start(self, name: str, validate_args: bool, **given: Any) -> None:
        dtype = next(
            (getattr(v, "dtype", None) for v in given.values() if hasattr(v, "dtype")), None
        )
        with name_scope(name):
            self._values = {
                k: None if v is None else convert_to_tensor(v, dtype, name=k)
                for k, v in given.items()
            }
        parents = [v for v in self._values.values() if v is not None]
        Bijector.__init__(
            self, parents, validate_args=validate_args, forward_min_event_ndims=0, name=name
        )

    def __getattr__(self, word: str) -> Any:
        values = self.__dict__.get("_values", {})
        if word in values:
            return values[word]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {word!r}")


class PowerTransform(Bijector):
    """``(1 + power x) ** (1 / power)``, and ``exp(x)`` for power 0."""

    def __init__(
        self, power: float = 0.0, validate_args: bool = False, name: str = "power_transform"
    ) -> None:
        from graphc.face.more import constant_value

        given = power if isinstance(power, (int, float)) else constant_value(power)
        if given is None or given < 0:
            raise ValueError("`power` must be a non-negative TF constant.")
        self._power = float(given)
        super().__init__(validate_args=validate_args, forward_min_event_ndims=0, name=name)

    @property
    def power(self) -> float:
        return self._power

    def _forward(self, x: Any) -> Any:
        p = self._power
        return math.exp(x) if p == 0.0 else math.exp(math.log1p(x * p) / p)

    def _inverse(self, y: Any) -> Any:
        p = self._power
        return math.log(y) if p == 0.0 else math.expm1(math.log(y) * p) / p

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return (self._power - 1.0) * math.log(y)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        p = self._power
        return x if p == 0.0 else (1.0 / p - 1.0) * math.log1p(x * p)


class Exp(PowerTransform):
    """``exp(x)``."""

    def __init__(self, validate_args: bool = False, name: str = "exp") -> None:
        super().__init__(0.0, validate_args, name)


class Softplus(_Numbers):
    """``log(1 + exp(x))``; with `hinge_softness` c it is ``c log(1 + exp(x / c))``."""

    hinge_softness: Any

    def __init__(
        self, hinge_softness: Any = None, validate_args: bool = False, name: str = "softplus"
    ) -> None:
        self._start(name, validate_args, hinge_softness=hinge_softness)

    def _scaled(self, x: Any) -> Any:
        c = self.hinge_softness
        return x if c is None else x / math.cast(c, x.dtype)

    def _back(self, y: Any) -> Any:
        c = self.hinge_softness
        return y if c is None else y * math.cast(c, y.dtype)

    def _forward(self, x: Any) -> Any:
        return self._back(nn.softplus(self._scaled(x)))

    def _inverse(self, y: Any) -> Any:
        return self._back(softplus_inverse(self._scaled(y)))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return -math.log(-math.expm1(-self._scaled(y)))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return -nn.softplus(-self._scaled(x))


class Gumbel(_Numbers):
    """``exp(-exp(-(x - loc) / scale))``: the distribution function of Gumbel's distribution."""

    loc: Any
    scale: Any

    def __init__(
        self, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool = False, name: str = "gumbel"
    ) -> None:
        self._start(name, validate_args, loc=loc, scale=scale)

    def _forward(self, x: Any) -> Any:
        return math.exp(-math.exp(-(x - self.loc) / self.scale))

    def _inverse(self, y: Any) -> Any:
        return self.loc - self.scale * math.log(-math.log(y))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return math.log(self.scale / (-math.log(y) * y))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        return -z - math.exp(-z) - math.log(self.scale)


class Kumaraswamy(_Numbers):
    """``(1 - (1 - x) ** (1 / b)) ** (1 / a)``: from the uniform distribution to Kumaraswamy's."""

    concentration1: Any
    concentration0: Any

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, validate_args: bool = False,
        name: str = "kumaraswamy",
    ) -> None:  # fmt: skip
        self._start(
            name, validate_args, concentration1=concentration1, concentration0=concentration0
        )

    def _forward(self, x: Any) -> Any:
        inner = math.log1p(-math.exp(math.log1p(-x) / self.concentration0))
        return math.exp(inner / self.concentration1)

    def _inverse(self, y: Any) -> Any:
        return math.exp(math.log1p(-((1.0 - y**self.concentration1) ** self.concentration0)))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        a, b = self.concentration1, self.concentration0
        out = math.log(a) + math.log(b) + (a - 1.0) * math.log(y)
        return out + (b - 1.0) * math.log1p(-(y**a))


class SinhArcsinh(_Numbers):
    """``sinh((arcsinh(x) + skewness) * tailweight)``."""

    skewness: Any
    tailweight: Any

    def __init__(
        self, skewness: Any = None, tailweight: Any = None, validate_args: bool = False,
        name: str = "SinhArcsinh",
    ) -> None:  # fmt: skip
        self._start(
            name, validate_args, skewness=0.0 if skewness is None else skewness,
            tailweight=1.0 if tailweight is None else tailweight,
        )  # fmt: skip

    def _forward(self, x: Any) -> Any:
        return math.sinh((math.asinh(x) + self.skewness) * self.tailweight)

    def _inverse(self, y: Any) -> Any:
        return math.sinh(math.asinh(y) / self.tailweight - self.skewness)

    @staticmethod
    def _root(x: Any) -> Any:
        """``sqrt(1 + x**2)``."""
        big = math.abs(x) * (float(x.dtype.max) ** -0.5) > 1.0
        return math.select(big, math.abs(x), math.sqrt(math.square(x) + 1.0))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        inner = math.cosh(math.asinh(y) / self.tailweight - self.skewness)
        return math.log(inner / self._root(y)) - math.log(self.tailweight)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        inner = math.cosh((math.asinh(x) + self.skewness) * self.tailweight)
        return math.log(inner / self._root(x)) + math.log(self.tailweight)


class AffineScalar(_Numbers):
    """``scale * x + shift``."""

    shift: Any
    scale: Any

    def __init__(
        self, shift: Any = None, scale: Any = None, validate_args: bool = False,
        name: str = "affine_scalar",
    ) -> None:  # fmt: skip
        self._start(name, validate_args, shift=shift, scale=scale)
        self._is_constant_jacobian = True

    def _forward(self, x: Any) -> Any:
        y = x if self.scale is None else x * self.scale
        return y if self.shift is None else y + self.shift

    def _inverse(self, y: Any) -> Any:
        x = y if self.shift is None else y - self.shift
        return x if self.scale is None else x / self.scale

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if self.scale is None:
            return convert_to_tensor(0.0, x.dtype)
        return math.log(math.abs(self.scale))
