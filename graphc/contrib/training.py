"""``tf.contrib.training``: `HParams`, and the text that they are read from."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from graphc import proto

__all__ = ["HParams", "parse_values"]

#: How a message calls values of a type.
_KINDS = {bool: "bool", int: "int64", float: "float", str: "bytes"}

_ASSIGNMENT = re.compile(
    r"\s*(?P<name>[a-zA-Z][\w.]*)\s*(?:\[\s*(?P<index>\d+)\s*\])?\s*="
    r"\s*(?:\[(?P<list>[^\]]*)\]|(?P<value>[^,\[]*))\s*(?:,|$)"
)


def parse_values(
    values: str, type_map: Mapping[str, type[Any]], ignore_unknown: bool = False
) -> dict[str, Any]:
    """Values from text such as ``"rate=0.1,layers=[1,2],sizes[0]=3"``.

    Parameters
    ----------
    type_map : dict
        Name → type of its value, or of each of its values.
    ignore_unknown : bool
        Leave out names without a type.

    Returns
    -------
    dict
        Name → value, list, or for elements of lists a dict from index to value.

    Raises
    ------
    ValueError
        When the text does not parse, or a name is not known.

    Examples
    --------
    >>> import graphc as tf
    >>> tf.contrib.training.parse_values("a=1,b=[0.5,2]", {"a": int, "b": float})
    {'a': 1, 'b': [0.5, 2.0]}
    """
    rest = values
    found: dict[str, Any] = {}
    while rest.strip():
        m = _ASSIGNMENT.match(rest)
        if m is None:
            raise ValueError(f"Malformed hyperparameter value: {rest}")
        rest = rest[m.end() :]
        name = m["name"]
        if name not in type_map:
            if ignore_unknown:
                continue
            raise ValueError(f"Unknown hyperparameter type for {name}")
        kind, index = type_map[name], m["index"]
        before = found.get(name)
        if before is not None and (
            index is None or not isinstance(before, dict) or int(index) in before
        ):
            raise ValueError(f"Multiple assignments to variable '{name}' in {values}")
        if m["list"] is not None:
            parts = [p.strip() for p in m["list"].split(",") if p.strip()]
            found[name] = [_read(name, kind, p, values) for p in parts]
        elif index is None:
            found[name] = _read(name, kind, m["value"] or "", values)
        else:
            each = found.setdefault(name, {})
            each[int(index)] = _read(name, kind, m["value"] or "", values)
    return found


def _read(name: str, kind: type[Any], text: str, values: str) -> Any:
    """A value of a type."""
    text = text.strip()
    known = {"true": True, "1": True, "false": False, "0": False}
    try:
        if kind is bool:
            return known[text.lower()]
        return text if kind in (str, type(None)) else kind(text)
    except (KeyError, ValueError):
        raise ValueError(
            f"Could not parse hparam {name!r} of type {kind.__name__!r} with value {text!r} in "
            f"{values}"
        ) from None


def _held(entry: Any) -> Any:
    """The value of an entry of a message."""
    key = entry.WhichOneof("kind")
    value = getattr(entry, key)
    found = list(value.value) if key.endswith("_list") else value
    if not key.startswith("bytes"):
        return found
    return [v.decode() for v in found] if isinstance(found, list) else found.decode()


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
        self._names: dict[str, type[Any]] = {}
        self._model_structure = model_structure
        for name, entry in hparam_def.hparam.items() if hparam_def is not None else ():
            self.add_hparam(name, _held(entry))
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
        for name, value in parse_values(values, self._names).items():
            if isinstance(value, dict):
                for index, x in value.items():
                    getattr(self, name)[index] = x
            else:
                self.set_hparam(name, value)
        return self

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The values as an ``HParamDef`` message."""
        made = proto.message("HParamDef")()
        for name, kind in self._names.items():
            word = _KINDS[kind]
            value = getattr(self, name)
            entry = made.hparam[name]
            if isinstance(value, list):
                coded = [v.encode() if kind is str else v for v in value]
                getattr(entry, f"{word}_list").value.extend(coded)
            else:
                setattr(entry, f"{word}_value", value.encode() if kind is str else value)
        return made

    @staticmethod
    def from_proto(hparam_def: Any, import_scope: str | None = None) -> HParams:
        """What an ``HParamDef`` message holds."""
        return HParams(hparam_def=hparam_def)

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
