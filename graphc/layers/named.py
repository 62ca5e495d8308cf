"""Objects that programs have given names: Keras's ``get_custom_objects``."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["OBJECTS", "named"]

#: Name → a class or a function of the program's. They come before Keras's own of that name.
OBJECTS: dict[str, Any] = {}


def named(identifier: Any) -> Any:
    """What a program's name, or a configuration with one, stands for; None for all others.

    Classes are made, with the configuration where there is one; functions are what they are.
    """
    if isinstance(identifier, str):
        found = OBJECTS.get(identifier)
        return found() if inspect.isclass(found) else found
    if not isinstance(identifier, dict) or "config" not in identifier:
        return None
    found = OBJECTS.get(identifier.get("class_name", ""))
    if found is None:
        return None
    return getattr(found, "from_config", lambda config: found(**config))(identifier["config"])
