"""Python's operators on values, with TF1's names, conversions and errors.

Only this module gives `Value` its operators; `graphc.ir.node.Value` declares their types.
`==` and `!=` stay identity, so that values are dictionary keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from graphc import ops
from graphc.ir.build import Rewriter, build, current
from graphc.ir.node import Value
from graphc.ops import arithmetic, math
from graphc.ops.record import Op, as_value, check_kind

__all__ = ["OPERATORS"]


def _named(record: Op, x: Value, y: Value, name: str) -> Value:
    """`record` on two values; a rewriter gives its own name."""
    builder = current()
    return builder.add(record, (x, y), {}, None if isinstance(builder, Rewriter) else name).outputs[
        0
    ]


def _second(x: Value, y: Any) -> Any:
    """`y` as a tensor of the type of `x` where it has one, else of its own."""
    try:
        return as_value(y, x.dtype, "y")
    except (TypeError, ValueError):
        return as_value(y, None, "y")


def _check(record: Op, x: Value, y: Value) -> None:
    if x.dtype is not y.dtype:
        shown = "AddV2" if record.tf == "Add" else record.tf
        raise TypeError(
            f"Input 'y' of '{shown}' Op has type {y.dtype.name} that does not match type "
            f"{x.dtype.name} of argument 'x'."
        )
    check_kind(record, "x", x.dtype, record.types)


def _binary(record: Op, name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The operator and its reflected form."""

    def forward(self: Value, other: Any) -> Any:
        if isinstance(other, Value):
            if other.dtype is not self.dtype or self.dtype.kind not in record.types:
                _check(record, self, other)
            return _named(record, self, other, name)
        with current().scope(None, name) as scope:
            try:
                y = _second(self, other)
            except TypeError:
                if hasattr(type(other), "__radd__"):
                    return NotImplemented
                raise
            _check(record, self, y)
            return build(record, (self, y), None, scope or None).outputs[0]

    def reflected(self: Value, other: Any) -> Any:
        with current().scope(None, name) as scope:
            x = as_value(other, self.dtype, "x")
            _check(record, x, self)
            return build(record, (x, self), None, scope or None).outputs[0]

    return forward, reflected


def _truediv(self: Value, other: Any) -> Any:
    if isinstance(other, Value) and other.dtype is self.dtype and self.dtype.is_floating:
        return _named(math.realdiv, self, other, "truediv")
    if isinstance(other, Value):
        return math.truediv(self, other)
    with current().scope(None, "truediv") as scope:
        return math.truediv(self, _second(self, other), scope or None)


def _rtruediv(self: Value, other: Any) -> Any:
    with current().scope(None, "truediv") as scope:
        return math.truediv(as_value(other, self.dtype, "x"), self, scope or None)


def _matmul(self: Value, other: Any) -> Any:
    return ops.linalg.matmul(self, other, name="matmul")


def _rmatmul(self: Value, other: Any) -> Any:
    return ops.linalg.matmul(as_value(other, self.dtype, "x"), self, name="matmul")


def _compare(record: Op) -> Callable[..., Any]:
    return lambda self, other: record(self, other)


def _xor(self: Value, other: Any) -> Any:
    with current().scope(None, "xor") as scope:
        y = as_value(other, self.dtype, "y")
        return math.logical_xor(self, y, name=scope or None)


def _rxor(self: Value, other: Any) -> Any:
    with current().scope(None, "xor") as scope:
        return math.logical_xor(as_value(other, self.dtype, "x"), self, name=scope or None)


def _getitem(self: Value, key: Any) -> Any:
    return ops.arrays.getitem(self, key)


def _bool(self: Value) -> NoReturn:
    raise TypeError(
        "Using a `tf.Tensor` as a Python `bool` is not allowed. "
        "Use `if t is not None:` instead of `if t:` to test if a tensor is defined, and "
        "use TensorFlow ops such as tf.cond to execute subgraphs conditioned on the value of "
        "a tensor."
    )


def _iter(self: Value) -> Iterator[Any]:
    raise TypeError(
        "Tensor objects are only iterable when eager execution is enabled. To iterate over this "
        "tensor use tf.map_fn."
    )


def _len(self: Value) -> int:
    raise TypeError(
        f"len is not well defined for symbolic Tensors. ({self.name}) "
        "Please call `x.shape` rather than `len(x)` for shape information."
    )


def _operators() -> dict[str, Callable[..., Any]]:
    pairs = {
        "add": (math.add, "add"), "sub": (math.subtract, "sub"), "mul": (math.multiply, "mul"),
        "floordiv": (arithmetic.floordiv_op, "floordiv"), "mod": (math.floormod, "mod"),
        "pow": (math.pow, "pow"), "and": (math.logical_and, "and"), "or": (math.logical_or, "or"),
    }  # fmt: skip
    table: dict[str, Callable[..., Any]] = {}
    for method, (record, name) in pairs.items():
        table[f"__{method}__"], table[f"__r{method}__"] = _binary(record, name)
    table |= {
        "__truediv__": _truediv, "__rtruediv__": _rtruediv, "__div__": _truediv,
        "__rdiv__": _rtruediv, "__matmul__": _matmul, "__rmatmul__": _rmatmul,
        "__xor__": _xor, "__rxor__": _rxor,
        "__neg__": lambda self: math.negative(self), "__abs__": lambda self: math.abs(self),
        "__invert__": lambda self: math.logical_not(self), "__getitem__": _getitem,
        "__lt__": _compare(math.less), "__le__": _compare(math.less_equal),
        "__gt__": _compare(math.greater), "__ge__": _compare(math.greater_equal),
    }  # fmt: skip
    return table


#: Method name → function; the face gives variables the same ones.
OPERATORS: dict[str, Callable[..., Any]] = _operators()


def _install() -> None:
    for method, f in OPERATORS.items():
        setattr(Value, method, f)
    for method, g in {"__bool__": _bool, "__iter__": _iter, "__len__": _len}.items():
        setattr(Value, method, g)
    # numpy arrays and scalars on the left leave the operation to the value
    Value.__array_priority__ = 100  # type: ignore[attr-defined]


_install()
