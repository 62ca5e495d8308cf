"""Attributes of nodes as messages and as JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.graphdef.tensors import array_of, from_array, shape_of, shape_proto
from graphc.ir import dims as D
from graphc.ir.dims import Expr
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.graph import Graph
from graphc.ir.text import parse_graph, print_graph
from graphc.proto import message

__all__ = ["Plain", "decode", "encode", "from_plain", "to_plain"]


class Plain(Exception):
    """An attribute that is no data."""


def encode(value: Any, shape: bool = False) -> Any:
    """A value as an ``AttrValue``; `shape`: it is a static shape."""
    out = message("AttrValue")()
    if shape:
        out.shape.CopyFrom(shape_proto(value))
    elif isinstance(value, bool | np.bool_):
        out.b = bool(value)
    elif isinstance(value, int | np.integer):
        out.i = int(value)
    elif isinstance(value, float | np.floating):
        out.f = float(value)
    elif isinstance(value, str | bytes):
        out.s = value.encode() if isinstance(value, str) else value
    elif isinstance(value, DType):
        out.type = value.base_dtype.enum
    elif isinstance(value, list | tuple):
        _list(out.list, value)
    else:
        raise Plain(f"{type(value).__name__}")
    return out


def _list(out: Any, values: Sequence[Any]) -> None:
    if not values:
        out.SetInParent()
    for v in values:
        if isinstance(v, bool):
            out.b.append(v)
        elif isinstance(v, int | np.integer):
            out.i.append(int(v))
        elif isinstance(v, float):
            out.f.append(v)
        elif isinstance(v, DType):
            out.type.append(v.base_dtype.enum)
        elif isinstance(v, str | bytes):
            out.s.append(v.encode() if isinstance(v, str) else v)
        elif isinstance(v, list | tuple):  # paddings
            _list(out, v)
        else:
            raise Plain(type(v).__name__)


def decode(attr: Any) -> Any:
    """The value of an ``AttrValue``; lists are tuples, tensors (array, type)."""
    kind = attr.WhichOneof("value")
    if kind == "list":
        for name in ("i", "f", "b", "s", "type", "shape"):
            items = getattr(attr.list, name)
            if len(items):
                return tuple([_item(name, x) for x in items])
        return ()
    return None if kind is None else _item(kind, getattr(attr, kind))


def _item(kind: str, x: Any) -> Any:
    if kind == "s":
        return x.decode("utf-8", "surrogateescape")
    if kind == "type":
        return as_dtype(int(x) % 100)
    if kind == "shape":
        return shape_of(x)
    if kind == "tensor":
        return array_of(x)
    return x


# --------------------------------------------------------------------- exactly, as JSON


def to_plain(attrs: Any, numbers: dict[str, str], other: Callable[[Any], Any] | None = None) -> str:
    """Attributes as text that gives them back exactly; unknown sizes are numbered anew.

    Parameters
    ----------
    other : callable, optional
        Gives what else there is as ``{kind: data}``.

    Raises
    ------
    Plain
        When one of them is no data (a Python function).
    """
    made = {k: _plain(v, numbers, other or _no_data) for k, v in attrs.items()}
    return json.dumps(made, sort_keys=True)


def _no_data(v: Any) -> Any:
    raise Plain(type(v).__name__)


def _not_ours(kind: str, x: Any) -> Any:
    raise ValueError(f"an attribute of kind {kind!r}")


#: The name of a size of which nothing is known (`graphc.ir.dims.fresh`).
_UNKNOWN = re.compile(r"\?\d+")


def _plain(v: Any, numbers: dict[str, str], other: Callable[[Any], Any]) -> Any:
    if v is None or isinstance(v, bool | int | str):
        return v
    if isinstance(v, float):
        return {"f": repr(v)}
    if isinstance(v, np.generic):
        return _plain(v.item(), numbers, other)
    if isinstance(v, DType):
        return {"dtype": v.name}
    if isinstance(v, Expr):
        name = _UNKNOWN.sub(lambda m: numbers.setdefault(m[0], f"?{len(numbers)}"), str(v))
        return {"dim": name}
    if isinstance(v, bytes):
        return {"bytes": base64.b64encode(v).decode()}
    if isinstance(v, list | tuple):
        return [_plain(x, numbers, other) for x in v]
    if isinstance(v, np.ndarray):
        raw = from_array(v, as_dtype(v.dtype)).SerializeToString()
        return {"array": base64.b64encode(raw).decode()}
    if isinstance(v, Graph):
        return {"graph": print_graph(v, full=True)}
    return other(v)


def from_plain(
    made: Any, symbols: dict[str, Any], other: Callable[[str, Any], Any] = _not_ours
) -> dict[str, Any]:
    """Attributes from what `to_plain` wrote as JSON; equal sizes are one new symbol.

    Parameters
    ----------
    other : callable, optional
        ``(kind, data) -> value`` for what `to_plain` was given a function for.

    Raises
    ------
    ValueError
        When it is no such data.
    """
    if not isinstance(made, dict):
        raise ValueError("attributes are no mapping")
    return {k: _value(v, symbols, other) for k, v in made.items()}


def _value(v: Any, symbols: dict[str, Any], other: Callable[[str, Any], Any]) -> Any:
    if isinstance(v, list):
        return tuple([_value(x, symbols, other) for x in v])
    if not isinstance(v, dict):
        return v
    ((kind, x),) = v.items()
    if kind == "f":
        return float(x)
    if kind == "dtype":
        return as_dtype(x)
    if kind == "dim":
        if x not in symbols:
            symbols[x] = D.fresh()
        return symbols[x]
    if kind == "bytes":
        return base64.b64decode(x)
    if kind == "array":
        return array_of(message("TensorProto").FromString(base64.b64decode(x)))[0]
    if kind == "graph":
        return parse_graph(x)
    return other(kind, x)
