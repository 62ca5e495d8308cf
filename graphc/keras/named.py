"""What Keras finds by name: losses and metrics, as functions, classes or configurations."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from graphc.layers.named import OBJECTS

__all__ = ["deserialized", "found", "serialized"]


def serialized(x: Any) -> Any:
    """The name of a function, or the class and configuration of an object."""
    return getattr(x, "__name__", None) or {
        "class_name": type(x).__name__, "config": x.get_config()
    }  # fmt: skip


def deserialized(config: Any, names: Mapping[str, Any], what: str, custom_objects: Any) -> Any:
    """What a name among `names` stands for, or the object of a configuration.

    Raises
    ------
    ValueError
        For a name there is not.
    """
    if isinstance(config, dict):
        made = deserialized(config["class_name"], names, what, custom_objects)
        return made(**config["config"])
    own = (custom_objects or {}).get(config) or OBJECTS.get(config)
    if own is not None:
        return own
    named = names.get(config)
    if named is None or config.startswith("_"):
        raise ValueError(f"Unknown {what} function:{config}")
    return named


def found(identifier: Any, names: Mapping[str, Any], what: str) -> Any:
    """What an identifier stands for: classes are made, callables are what they are."""
    if not isinstance(identifier, str | dict):
        return identifier
    named = deserialized(identifier, names, what, None)
    return named() if inspect.isclass(named) else named
