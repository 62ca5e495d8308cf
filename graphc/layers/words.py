"""What TF1 lets one say by a word: activations and initializers; and sizes of windows."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from graphc.face import initializers
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.layers.named import OBJECTS, named

__all__ = [
    "activation_of", "initializer_of", "regularizer_of", "sizes_of", "smart_cond", "smart_select",
    "static_flag",
]  # fmt: skip

_ACTIVATIONS = {
    "elu": "graphc.ops.nn:elu", "exponential": "graphc.ops.math:exp",
    "relu": "graphc.ops.nn:relu", "relu6": "graphc.ops.nn:relu6", "selu": "graphc.ops.nn:selu",
    "sigmoid": "graphc.ops.math:sigmoid", "softmax": "graphc.ops.nn:softmax",
    "softplus": "graphc.ops.nn:softplus", "softsign": "graphc.ops.nn:softsign",
    "tanh": "graphc.ops.math:tanh", "swish": "graphc.ops.nn:swish",
}  # fmt: skip

_INITIALIZERS = {
    "zeros": "Zeros", "ones": "Ones", "constant": "Constant", "random_uniform": "RandomUniform",
    "random_normal": "RandomNormal", "uniform": "RandomUniform", "normal": "RandomNormal",
    "truncated_normal": "TruncatedNormal", "variance_scaling": "VarianceScaling",
    "glorot_uniform": "GlorotUniform", "glorot_normal": "GlorotNormal", "he_normal": "he_normal",
    "he_uniform": "he_uniform", "lecun_normal": "lecun_normal", "lecun_uniform": "lecun_uniform",
    "orthogonal": "Orthogonal", "identity": "Identity", "Zeros": "Zeros", "Ones": "Ones",
    "Constant": "Constant", "RandomUniform": "RandomUniform", "RandomNormal": "RandomNormal",
    "TruncatedNormal": "TruncatedNormal", "VarianceScaling": "VarianceScaling",
    "GlorotUniform": "GlorotUniform", "GlorotNormal": "GlorotNormal", "Orthogonal": "Orthogonal",
    "Identity": "Identity",
}  # fmt: skip
#: Keras has other defaults than TF for these.
_NARROW = {
    "RandomUniform": {"minval": -0.05, "maxval": 0.05}, "RandomNormal": {"stddev": 0.05},
    "TruncatedNormal": {"stddev": 0.05},
}  # fmt: skip


def activation_of(word: Any) -> Callable[..., Any] | None:
    """The function for an activation: a callable, one of Keras's words, or None for none.

    Raises
    ------
    ValueError, TypeError
    """
    if word is None or callable(word):
        out: Callable[..., Any] | None = word
        return out
    if not isinstance(word, str):
        raise TypeError(f"Could not interpret activation function identifier: {word!r}")
    if word in OBJECTS:
        given: Callable[..., Any] = named(word)
        return given
    if word == "linear":
        return lambda x: x
    if word not in _ACTIVATIONS:
        raise ValueError(f"Unknown activation function:{word}")
    module, _, name = _ACTIVATIONS[word].partition(":")
    f: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return f


def initializer_of(word: Any) -> Any:
    """The initializer for a callable, or for Keras's word or dict of one; None stays None.

    Raises
    ------
    ValueError
    """
    if word is None or callable(word):
        return word
    own = named(word)
    if own is not None:
        return own
    kind, config = _described(word, "initializer")
    if kind not in _INITIALIZERS:
        raise ValueError(f"Unknown initializer:{kind}")
    name = _INITIALIZERS[kind]
    return getattr(initializers, name)(**{**_NARROW.get(name, {}), **config})


def _described(word: Any, what: str) -> tuple[str, dict[str, Any]]:
    """The name in a word or in ``{"class_name": …, "config": …}``, and the arguments."""
    if isinstance(word, str):
        return word, {}
    if not isinstance(word, dict) or "class_name" not in word or "config" not in word:
        raise ValueError(f"Could not interpret {what} identifier: {word!s}")
    return word["class_name"], word["config"]


def regularizer_of(word: Any) -> Any:
    """The regularizer for a callable, or for Keras's name or dict of one; None stays None.

    Raises
    ------
    ValueError
    """
    if word is None or callable(word):
        return word
    own = named(word)
    if own is not None:
        return own
    kind, config = _described(word, "regularizer")
    if kind not in ("L1L2", "l1", "l2", "l1_l2"):
        raise ValueError(f"Unknown regularizer:{kind}")
    from graphc.layers import keras_words  # it imports this

    return getattr(keras_words, kind)(**config)


def sizes_of(value: Any, n: int, name: str) -> tuple[int, ...]:
    """`n` whole numbers: `value` repeated, or the numbers in it.

    Raises
    ------
    ValueError
    """
    if isinstance(value, int):
        return (value,) * n
    wrong = f"The `{name}` argument must be a tuple of {n} integers. Received: {value}"
    try:
        given = tuple(value)
        if len(given) != n:
            raise ValueError(wrong)
        return tuple([int(v) for v in given])
    except TypeError:
        raise ValueError(wrong) from None
    except ValueError:
        raise ValueError(wrong) from None


def static_flag(flag: Any) -> bool | None:
    """True or False where `flag` says so before the run, else None."""
    if not isinstance(flag, Value):
        flag = getattr(flag, "_AsTensor", lambda: flag)()
    if not isinstance(flag, Value):
        return bool(flag)
    if flag.node.op.name == "constant":
        return bool(flag.node.attrs["value"])
    k = known(flag)
    return bool(k) if type(k) is int else None


def smart_select(flag: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """What one of two functions gives: chosen here where `flag` is known, else in the run.

    Both are computed in the run; the tensors must have one shape.
    """
    fixed = static_flag(flag)
    if fixed is not None:
        return yes() if fixed else no()
    _check_flag(flag)
    from graphc.ops import math  # only for flags that are fed

    a, b = yes(), no()
    return math.select(flag, a, b)


def smart_cond(flag: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """`smart_select`, where only the chosen one is computed."""
    fixed = static_flag(flag)
    if fixed is not None:
        return yes() if fixed else no()
    _check_flag(flag)
    from graphc.face.lazy import lookup  # control flow is a part of its own

    return lookup("", "cond")(flag, yes, no)


def _check_flag(flag: Any) -> None:
    if flag.dtype.base_dtype.name != "bool":
        raise TypeError(f"pred must not be a Python bool, and must be of type bool, got {flag}")
