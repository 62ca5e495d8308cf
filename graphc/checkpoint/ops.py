"""Saving and restoring as operations of a graph: ``SaveV2`` and ``RestoreV2``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.checkpoint.bundle import Item, write_bundle
from graphc.checkpoint.slices import parse_spec
from graphc.checkpoint.tables import open_checkpoint
from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.ir import dtypes
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType
from graphc.ir.node import Value
from graphc.ops.convert import constant
from graphc.ops.record import Attrs, Types, apply, as_value, no_grad, op

__all__ = ["restore_v2", "save_v2"]

Array = np.ndarray[Any, Any]

_CPP = {"float32": "float", "float64": "double", "float16": "half"}


def _texts(a: Array) -> list[str]:
    return [s.decode() if isinstance(s, bytes) else str(s) for s in a.reshape(-1).tolist()]


def _save(context: Any, prefix: Array, names: Array, slices: Array, *tensors: Array) -> tuple[()]:
    """Write all tensors as one checkpoint."""
    types = [v.dtype for v in context.node.inputs[3:]]
    items = []
    for name, spec, a, dtype in zip(_texts(names), _texts(slices), tensors, types, strict=True):
        full, part = parse_spec(spec) if spec else (None, None)
        if full is not None and part is not None:
            wanted = tuple([n for _, n in part.resolve(full)])
            if wanted != a.shape:
                raise InvalidArgumentError(
                    None, None,
                    f"Slice spec {spec} of {name} has shape {list(wanted)}, but the tensor has "
                    f"{list(a.shape)}",
                )  # fmt: skip
        items.append(Item(name, a, dtype, full, part))
    (path,) = _texts(prefix)
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise NotFoundError(None, None, f"{folder}; No such file or directory")
    write_bundle(path, items)
    return ()


def _restore(
    context: Any, prefix: Array, names: Array, slices: Array, *, dtypes: Sequence[DType]
) -> tuple[Array, ...]:
    """All tensors, or an error that names each that is missing."""
    wanted = _texts(names)
    reader = open_checkpoint(_texts(prefix)[0])
    missing = reader.missing(wanted)
    if missing:
        keys = "Key " + missing[0] if len(missing) == 1 else "Keys " + ", ".join(missing)
        raise NotFoundError(None, None, f"{keys} not found in checkpoint")
    for name, dtype in zip(wanted, dtypes, strict=True):
        found = reader.entry(name).dtype
        if found is not dtype:
            raise InvalidArgumentError(
                None, None,
                f"tensor_name = {name}; expected dtype {_CPP.get(dtype.name, dtype.name)} does "
                f"not equal original dtype {_CPP.get(found.name, found.name)}",
            )  # fmt: skip
    out = []
    for name, spec in zip(wanted, _texts(slices), strict=True):
        if not spec:
            out.append(reader.tensor(name))
            continue
        full, part = parse_spec(spec)
        if reader.entry(name).shape != full:
            raise InvalidArgumentError(
                None, None,
                f"tensor_name = {name}; shape in shape_and_slice spec {list(full)} does not match "
                f"the shape stored in checkpoint: {list(reader.entry(name).shape)}",
            )  # fmt: skip
        out.append(reader.part(name, part))
    return tuple(out)


def _restored(inputs: Sequence[Value], attrs: Attrs) -> Types:
    """Shapes are known only of slices."""
    known: Any = inputs[2].node.attrs.get("value")
    specs = [""] * len(attrs["dtypes"]) if known is None else _texts(np.asarray(known))
    out = []
    for spec, dtype in zip(specs, attrs["dtypes"], strict=True):
        shape: Shape | None = None
        if spec:
            full, part = parse_spec(spec)
            shape = tuple([n for _, n in part.resolve(full)])
        out.append((dtype, shape))
    return out


save_op = op(
    "save_v2", "SaveV2", "host", doc="Writes tensors to a checkpoint.",
    args=("prefix", "tensor_names", "shape_and_slices", "*tensors"), types="fiubs",
    infer=lambda inputs, attrs: [], host=_save, stateful=True, facts={"effect": True},
)  # fmt: skip

restore_op = op(
    "restore_v2", "RestoreV2", "host", doc="Reads tensors from a checkpoint.",
    args=("prefix", "tensor_names", "shape_and_slices"), types="fiubs", infer=_restored,
    host=_restore, grad=no_grad, stateful=True,
)  # fmt: skip


def _strings(record: Any, values: Sequence[Any]) -> list[Value]:
    named = zip(values, record.args, strict=False)
    head = [v if isinstance(v, Value) else constant(v, dtypes.string, name=n) for v, n in named]
    return [*head, *[as_value(v) for v in values[len(head) :]]]


def save_v2(
    prefix: Any, tensor_names: Any, shape_and_slices: Any, tensors: Sequence[Any],
    name: str | None = None,
) -> Any:  # fmt: skip
    """An operation that writes `tensors` to the checkpoint `prefix`.

    Parameters
    ----------
    tensor_names, shape_and_slices : vectors of strings
        For each tensor its name and, where it is a slice, full shape and extents, as
        ``"5 4 0,3:0,4"``; else an empty string.
    """
    values = [prefix, tensor_names, shape_and_slices, *[_reference(t) for t in tensors]]
    return apply(save_op, values, None, name, _strings)


def _reference(t: Any) -> Any:
    return t._ref() if hasattr(t, "_ref") else t


def restore_v2(
    prefix: Any, tensor_names: Any, shape_and_slices: Any, dtypes: Sequence[Any],
    name: str | None = None,
) -> list[Value]:  # fmt: skip
    """The tensors of those names in the checkpoint `prefix`, with the element types `dtypes`."""
    attrs = {"dtypes": tuple([_as_dtype(t) for t in dtypes])}
    values = [prefix, tensor_names, shape_and_slices]
    return list(apply(restore_op, values, attrs, name, _strings).outputs)


def _as_dtype(t: Any) -> DType:
    return dtypes.as_dtype(t).base_dtype
