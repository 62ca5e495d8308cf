"""Variables beside variables: TF1's slot creator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face import scopes
from graphc.face.graph_contexts import nothing
from graphc.face.resource_variable import is_resource_variable
from graphc.face.variables import SaveSliceInfo, Variable
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops import fills, shapes
from graphc.ops.convert import constant

__all__ = ["create_slot", "create_slot_with_initializer", "create_zeros_slot", "fill"]


def fill(value: float) -> Callable[..., Value]:
    """An initializer that fills with a number."""

    def initializer(shape: Any, dtype: Any = None, partition_info: Any = None) -> Value:
        dims = [int(d) for d in shape]
        if value == 0.0:
            return fills.zeros(dims, dtype)
        return constant(np.full(dims, value, dtype.np), dtype)

    return initializer


def _slot(
    primary: Any, name: str, initializer: Any, validate: bool, together: bool, shape: Any = None,
    dtype: Any = None,
) -> Variable:  # fmt: skip
    """A variable in a scope ``primary/name`` of its own (a number is added where it is taken)."""
    graph = primary.op.graph
    with (
        scopes.variable_scope(None, f"{primary.op.name}/{name}") as scope,
        graph.colocate_with(primary) if together else nothing,
    ):
        scope.set_partitioner(None)
        made: Variable = scopes.get_variable(
            "", shape=shape, dtype=dtype, initializer=initializer, trainable=False,
            validate_shape=validate, use_resource=is_resource_variable(primary),
        )  # fmt: skip
    info = getattr(primary, "_save_slice_info", None)
    if info is not None:  # of a part: saved as the same part of the whole variable's slot
        # TF1 cuts the length of the part's name off, whatever scope the slot is in
        rest = made.op.name[len(primary.op.name) + 1 :]
        made._set_save_slice_info(
            SaveSliceInfo(f"{info.full_name}/{rest}", info.full_shape, info.var_offset,
                          info.var_shape)
        )  # fmt: skip
    return made


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Variable:
    """A slot of `primary` with the initial value `val`, a tensor."""
    defined = bool(val.get_shape().is_fully_defined())
    return _slot(primary, name, val, defined, colocate_with_primary)


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: Any, dtype: Any, name: str,
    colocate_with_primary: bool = True,
) -> Variable:  # fmt: skip
    """A slot of `primary` with an initializer."""
    return _slot(primary, name, initializer, True, colocate_with_primary, shape, dtype)


def create_zeros_slot(
    primary: Any, name: str, dtype: DType | None = None, colocate_with_primary: bool = True
) -> Variable:
    """A slot of zeros with the shape of `primary`, also where that is not known yet."""
    dtype = (dtype or primary.dtype).base_dtype
    shape = primary.get_shape()
    if shape.is_fully_defined():
        return create_slot_with_initializer(
            primary, fill(0.0), shape, dtype, name, colocate_with_primary
        )
    like = primary.initialized_value() if isinstance(primary, Variable) else primary
    zeros = fills.zeros(shapes.shape(like), dtype)
    return create_slot(primary, zeros, name, colocate_with_primary)
