"""Runs that only give variables constants, as initialisers often do: no code is made for them.

The values are copied by numpy, and nothing waits for LLVM. Anything else about the run is as ever:
its plan and kernels are made when somebody wants to see them (`Compilation.plan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.ir.dims import is_known
from graphc.ir.dtypes import DType
from graphc.ir.node import Node, Value
from graphc.passes.functionalize import Frozen
from graphc.runtime.state import Cell, State

__all__ = ["Assignment", "assign", "assignments"]

#: The name, type and value of a variable.
Assignment = tuple[str, DType, "np.ndarray[Any, Any]"]


def assignments(f: Frozen) -> list[Assignment] | None:
    """What a run gives its variables, where that is constants and all that it does."""
    g = f.graph
    if g.outputs or f.random or f.string_updates or not g.updates:
        return None
    known: dict[Node, np.ndarray[Any, Any] | None] = {}
    for n in g.nodes():
        value = known[n] = _value(n, known)
        if value is None:
            return None
    found = []
    for name, v in g.updates:
        value = known[v.node]
        if value is None or v.static_shape != value.shape or value.dtype != v.dtype.np:
            return None
        found.append((name, v.dtype, value))
    return found


def _value(
    n: Node, known: Mapping[Node, np.ndarray[Any, Any] | None]
) -> np.ndarray[Any, Any] | None:
    """The value of a constant, or of many equal ones (a view of one, whatever its size)."""
    v: Value = n.outputs[0]
    if n.control or v.dtype.code == "bf16" or v.dtype.hosted or not is_known(v.static_shape):
        return None
    if n.op.name == "constant":
        return np.asarray(n.attrs["value"])
    if n.op.name == "fill":
        one = known[n.inputs[0].node]
        shape: Any = v.static_shape
        return None if one is None else np.broadcast_to(one, shape)
    return None


def assign(state: State, found: list[Assignment]) -> bool:
    """Give variables their first values; False, and nothing is done, where they have values.

    Variables are ready after all have their values, so a run that is interrupted has not been.
    """
    cells: list[Cell] = []
    with state.lock:
        if any((c := state.cells.get(name)) is not None and c.ready for name, _, _ in found):
            return False
        try:
            cells = [state.cell(name, dtype, value.shape) for name, dtype, value in found]
        except MemoryError:
            return False
        for cell, (_, _, value) in zip(cells, found, strict=True):
            np.copyto(cell.array, value)
        for cell in cells:
            cell.ready = True
        state.wrote()
        state.epoch += 1
    return True
