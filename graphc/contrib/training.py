"""``tf.contrib.training``: `HParams`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["HParams"]


class HParams:
    """Hyper-parameters: attributes with fixed types.

    Parameters
    ----------
    **kwargs
        Names and values.

    Examples
    --------
    >>> import graphc as tf
    >>> h = tf.contrib.training.HParams(rate=0.1, layers=[1, 2])
    >>> h.parse("rate=0.5,layers=[3,4]").layers
    [3, 4]
    """

    def __init__(self, hparam_def: Any = None, model_structure: Any = None, **kwargs: Any) -> None:
        if hparam_def is not None:
            raise NotImplementedError("graphc reads no HParamDef: give the values")
        self._names: dict[str, type[Any]] = {}
        self._model_structure = model_structure
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name: str, value: Any) -> None:
        """Add a name with its value.

        Raises
        ------
        ValueError
            When the name is taken, or the value an empty list.
        """
        if getattr(self, name, None) is not None:
            raise ValueError(f"Hyperparameter name is reserved: {name}")
        if isinstance(value, (list, tuple)) and not value:
            raise ValueError(f"Multi-valued hyperparameters cannot be empty: {name}")
        kind = type(value[0]) if isinstance(value, (list, tuple)) else type(value)
        self._names[name] = kind
        setattr(self, name, list(value) if isinstance(value, tuple) else value)

    def set_hparam(self, name: str, value: Any) -> None:
        """Give a name another value of its type.

        Raises
        ------
        KeyError
            When there is no such name.
        ValueError
            When the value is of another type.
        """
        if name not in self._names:
            raise KeyError(name)
        several = isinstance(getattr(self, name), list)
        if isinstance(value, (list, tuple)):
            if not several:
                raise ValueError(f"Must not pass a list for single-valued parameter: {name}")
            setattr(self, name, [self._cast(name, v) for v in value])
        elif several:
            raise ValueError(f"Must pass a list for multi-valued parameter: {name}.")
        else:
            setattr(self, name, self._cast(name, value))

    def _cast(self, name: str, value: Any) -> Any:
        kind = self._names[name]
        if kind is type(None) or value is None or isinstance(value, kind):
            if kind is int and isinstance(value, bool):
                raise ValueError(f"Could not cast hparam {name!r} of type {kind} from value "
                                 f"{value!r}")  # fmt: skip
            return value
        text = isinstance(value, (str, bytes))
        bad = (
            (kind in (str, bytes)) != text
            or isinstance(value, bool) != (kind is bool)
            or (kind is int and isinstance(value, float) and value != int(value))
        )  # fmt: skip
        if bad:
            raise ValueError(f"Could not cast hparam {name!r} of type {kind} from value {value!r}")
        return kind(value)

    def del_hparam(self, name: str) -> None:
        """Remove a name."""
        if hasattr(self, name):
            delattr(self, name)
            del self._names[name]

    def parse(self, values: str) -> HParams:
        """Take values from text such as ``"rate=0.1,layers=[1,2],name=a"``.

        Raises
        ------
        ValueError
            When the text does not parse, or a name is not known.
        """
        rest = values
        pattern = re.compile(
            r"\s*(?P<name>[a-zA-Z][\w.]*)\s*(?:\[\s*(?P<index>\d+)\s*\])?\s*="
            r"\s*(?:\[(?P<list>[^\]]*)\]|(?P<value>[^,\[]*))\s*(?:,|$)"
        )
        given: set[tuple[str, str | None]] = set()
        while rest.strip():
            m = pattern.match(rest)
            if m is None:
                raise ValueError(f"Malformed hyperparameter value: {rest}")
            rest = rest[m.end() :]
            if (m["name"], m["index"]) in given:
                raise ValueError(f"Multiple assignments to variable '{m['name']}' in {values}")
            given.add((m["name"], m["index"]))
            self._set(m["name"], m["index"], m["list"], m["value"])
        return self

    def _set(self, name: str, index: str | None, items: str | None, value: str | None) -> None:
        if name not in self._names:
            raise ValueError(f"Unknown hyperparameter type for {name}")
        if items is not None:
            parts = [p.strip() for p in items.split(",") if p.strip()]
            self.set_hparam(name, [self._read(name, p) for p in parts])
        elif index is not None:
            getattr(self, name)[int(index)] = self._read(name, value or "")
        else:
            self.set_hparam(name, self._read(name, value or ""))

    def _read(self, name: str, text: str) -> Any:
        kind, text = self._names[name], text.strip()
        if kind is bool:
            known = {"true": True, "1": True, "false": False, "0": False}
            if text.lower() not in known:
                raise ValueError(f"Could not parse hparam {name!r} of type bool: {text!r}")
            return known[text.lower()]
        try:
            return text if kind in (str, type(None)) else kind(text)
        except ValueError:
            raise ValueError(
                f"Could not parse hparam {name!r} of type {kind.__name__!r} with value {text!r}"
            ) from None

    def set_from_map(self, values_map: Mapping[str, Any]) -> HParams:
        """Take values from a dict."""
        return self.override_from_dict(values_map)

    def override_from_dict(self, values_dict: Mapping[str, Any]) -> HParams:
        """Take values from a dict."""
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse_json(self, values_json: str) -> HParams:
        """Take values from JSON."""
        return self.override_from_dict(json.loads(values_json))

    def to_json(self, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
        """The values as JSON."""
        return json.dumps(self.values(), indent=indent, separators=separators, sort_keys=sort_keys)

    def values(self) -> dict[str, Any]:
        """Names and values."""
        return {n: getattr(self, n) for n in self._names}

    def get(self, key: str, default: Any = None) -> Any:
        """A value, or `default` where there is no such name."""
        return getattr(self, key) if key in self._names else default

    def get_model_structure(self) -> Any:
        return self._model_structure

    def set_model_structure(self, model_structure: Any) -> None:
        self._model_structure = model_structure

    def __contains__(self, key: str) -> bool:
        return key in self._names

    def __str__(self) -> str:
        return ",".join(f"{name}={value}" for name, value in sorted(self.values().items()))

    def __repr__(self) -> str:
        return f"HParams({self!s})"
