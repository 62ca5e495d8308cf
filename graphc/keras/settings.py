"""Keras's settings: the default float type, the small number, the order of axes of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir.node import Value
from graphc.ops import math

__all__ = [
    "backend", "cast_to_floatx", "epsilon", "floatx", "image_data_format", "set_epsilon",
    "set_floatx", "set_image_data_format",
]  # fmt: skip

_state: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "format": "channels_last"}


def backend() -> str:
    """The name of the backend."""
    return "tensorflow"


def floatx() -> str:
    """The default float type."""
    return str(_state["floatx"])


def set_floatx(value: str) -> None:
    """Set the default float type."""
    if value not in ("float16", "float32", "float64"):
        raise ValueError(f"Unknown floatx type: {value}")
    _state["floatx"] = value


def epsilon() -> float:
    """A small number for divisions."""
    return float(_state["epsilon"])


def set_epsilon(value: float) -> None:
    """Set the small number."""
    _state["epsilon"] = value


def image_data_format() -> str:
    """``"channels_last"`` or ``"channels_first"``."""
    return str(_state["format"])


def set_image_data_format(data_format: str) -> None:
    """Set the default data format."""
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"Unknown data_format: {data_format}")
    _state["format"] = data_format


def cast_to_floatx(x: Any) -> Any:
    """An array (or tensor) in the default float type."""
    return math.cast(x, floatx()) if isinstance(x, Value) else np.asarray(x, floatx())
