"""Values as source text, for the decompiler: types, numbers, arrays (large ones in tables)."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from graphc.ir.dims import Expr
from graphc.ir.dtypes import DType
from graphc.see.numpy_source import _elements
from graphc.see.portable import in_lines

__all__ = ["Cannot", "Literals"]


class Cannot(Exception):
    """This cannot be written (so)."""


class Literals:
    """What writes values; large arrays are written once, under a name.

    Attributes
    ----------
    env : dict
        What the names of the source stand for.
    tables : dict
        Source of large arrays by name.
    """

    def __init__(self) -> None:
        self.env: dict[str, Any] = {}
        self.tables: dict[str, str] = {}

    def literal(self, x: Any) -> str:
        if isinstance(x, Expr):
            return "None"
        if isinstance(x, DType):
            return f"tf.{x.base_dtype.name}" if x.name != "bool" else "tf.bool"
        if isinstance(x, np.ndarray):
            return self.numpy(x)
        if isinstance(x, np.generic):
            return f"np.{type(x).__name__}({x.item()!r})"
        if isinstance(x, (tuple, list)):
            inner = ", ".join(self.literal(e) for e in x)
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{k!r}: {self.literal(v)}" for k, v in x.items()) + "}"
        if isinstance(x, float):
            return repr(x) if np.isfinite(x) else f"float({str(x)!r})"
        if x is None or isinstance(x, (bool, int, str, bytes)):
            return repr(x)
        raise Cannot

    def array(self, a: Any, t: DType) -> str:
        """The value of a constant, and its type."""
        kind = self.literal(t)
        if a.dtype == object:
            return f"{a.tolist()!r}, {kind}"
        if a.size > 1 and (a == a.flat[0]).all():
            return f"{_elements(a.flat[0])}, {kind}, shape={list(a.shape)}"
        return f"{_elements(a) if a.size and a.size <= 64 else self.numpy(a)}, {kind}"

    def numpy(self, a: Any) -> str:
        kind = "np.bool_" if a.dtype == bool else f"np.{a.dtype.name}"
        if a.dtype == object:
            return f"np.array({a.tolist()!r}, object)"
        if not a.size:
            return f"np.zeros({a.shape}, {kind})"
        if a.size <= 64:
            return f"np.array({_elements(a)}, {kind})"
        data = base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()
        lines = "\n".join(f"    {s!r}" for s in in_lines(data))
        text = f"np.frombuffer(base64.b64decode(\n{lines}\n), {kind}).reshape({a.shape})"
        known = next((k for k, v in self.tables.items() if v == text), None)
        if known is None:
            known = f"_TABLE_{len(self.tables)}"
            self.tables[known] = text
            self.env[known] = eval(text, self.env)
        return known
