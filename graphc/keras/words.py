"""What Keras lets one say by a word or a dictionary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.keras import backend as K
from graphc.layers.named import OBJECTS, named
from graphc.layers.words import activation_of as plain_activation
from graphc.ops import math

__all__ = ["activation_of", "exponential", "hard_sigmoid", "linear", "softmax"]

hard_sigmoid = K.hard_sigmoid
softmax = K.softmax


def linear(x: Any) -> Any:
    """`x` itself."""
    return x


def exponential(x: Any) -> Any:
    """The exponential function."""
    return math.exp(x)


def relu(x: Any, alpha: Any = 0.0, max_value: Any = None, threshold: Any = 0) -> Any:
    """See `backend.relu`."""
    return K.relu(x, alpha, max_value, threshold)


def activation_of(word: Any) -> Callable[..., Any]:
    """The function for a word, or the callable itself; None is the identity.

    Raises
    ------
    ValueError
    """
    if isinstance(word, str) and word in OBJECTS:
        given: Callable[..., Any] = named(word)
        return given
    if word is None or word == "linear":
        return linear
    if word == "hard_sigmoid":
        return hard_sigmoid
    found = plain_activation(word)
    assert found is not None
    return found
