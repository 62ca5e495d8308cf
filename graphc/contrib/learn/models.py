"""``tf.contrib.learn.models``: linear and logistic regression as functions of tensors."""

from __future__ import annotations

from typing import Any

from graphc.contrib.learn.ops import mean_squared_error_regressor, softmax_classifier
from graphc.face.initializers import RandomNormal
from graphc.face.scopes import get_variable, variable_scope
from graphc.ops.convert import convert_to_tensor
from graphc.summary.ops import histogram

__all__ = [
    "linear_regression", "linear_regression_zero_init", "logistic_regression",
    "logistic_regression_zero_init",
]  # fmt: skip


def _wide(labels: Any) -> int:
    return 1 if labels.shape.ndims == 1 else int(labels.shape[1])


def _variables(x: Any, width: int, mean: Any, deviation: float) -> tuple[Any, Any]:
    size = [int(x.shape[1]), width]
    if mean is None:
        made = get_variable("weights", size, x.dtype), get_variable("bias", [width], x.dtype)
    else:
        start = RandomNormal(mean, deviation, dtype=x.dtype)
        made = (
            get_variable("weights", size, x.dtype, start),
            get_variable("bias", [width], x.dtype, start),
        )
    return made


def _seen(name: str, **values: Any) -> None:
    for key, value in values.items():
        histogram(f"{name}.{key}", value)


def linear_regression(
    x: Any, y: Any, init_mean: float | None = None, init_stddev: float = 1.0
) -> tuple[Any, Any]:
    """Predictions of a linear model, and the mean of their squared errors.

    Parameters
    ----------
    x : tensor
        ``[n, features]``.
    y : tensor
        ``[n]`` or ``[n, outputs]``.
    init_mean, init_stddev : float
        The normal distribution that variables begin with; without a mean the scope's initializer.
    """
    with variable_scope("linear_regression"):
        x, y = convert_to_tensor(x), convert_to_tensor(y)
        _seen("linear_regression", x=x, y=y)
        weights, bias = _variables(x, _wide(y), init_mean, init_stddev)
        _seen("linear_regression", weights=weights, bias=bias)
        return mean_squared_error_regressor(x, y, weights, bias)


def linear_regression_zero_init(x: Any, y: Any) -> tuple[Any, Any]:
    """`linear_regression` that begins with zeros."""
    return linear_regression(x, y, 0.0, 0.0)


def logistic_regression(
    x: Any, y: Any, class_weight: Any = None, init_mean: float | None = None,
    init_stddev: float = 1.0,
) -> tuple[Any, Any]:  # fmt: skip
    """Probabilities of a linear model, and their cross entropy with one-hot labels.

    Parameters
    ----------
    x : tensor
        ``[n, features]``.
    y : tensor
        ``[n, classes]``.
    class_weight : list of float, optional
    init_mean, init_stddev : float
        As for `linear_regression`.
    """
    with variable_scope("logistic_regression"):
        x, y = convert_to_tensor(x), convert_to_tensor(y)
        _seen("logistic_regression", x=x, y=y)
        weights, bias = _variables(x, _wide(y), init_mean, init_stddev)
        _seen("logistic_regression", weights=weights, bias=bias)
        return softmax_classifier(x, y, weights, bias, class_weight)


def logistic_regression_zero_init(x: Any, y: Any) -> tuple[Any, Any]:
    """`logistic_regression` that begins with zeros."""
    return logistic_regression(x, y, None, 0.0, 0.0)
