"""Arguments of datasets as tensors, with the operations that TF1 makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.data.function import Context
from graphc.data.structure import (
    flatten,
    pack,
    parts,
    spec_of,
)
from graphc.errors import InvalidArgumentError
from graphc.face.current import get_seed
from graphc.ir.build import current
from graphc.ir.dtypes import int64
from graphc.ir.node import Value
from graphc.ops.convert import constant, constant_op, convert_to_tensor
from graphc.sparse.tensor import SparseTensor

__all__ = [
    "batch_numbers",
    "batch_tensors",
    "components",
    "int64_tensor",
    "seed_tensors",
    "static_rows",
]


def int64_tensor(x: Any, name: str) -> Value:
    """An integer argument as TF1 takes it: an int64 scalar, which may be a tensor."""
    if isinstance(x, Value) and x.dtype is int64:
        return x
    if isinstance(x, Value):
        raise TypeError(f"Input {name!r} of a dataset has type {x.dtype.name}, int64 is needed.")
    return convert_to_tensor(x, int64, name)


def components(tensors: Any, scope: str = "normalize_element") -> tuple[Any, list[Value]]:
    """The structure of `tensors` and its leaves as tensors, with TF1's names."""
    with current().scope(None, scope):
        leaves = [
            t if isinstance(t, SparseTensor) else convert_to_tensor(t, name=f"component_{i}")
            for i, t in enumerate(flatten(tensors))
        ]
    flat = [p for x in leaves for p in parts(x)]
    if not isinstance(tensors, (tuple, Mapping)):
        return spec_of(leaves[0]), flat
    return pack(tensors, [spec_of(x) for x in leaves]), flat


def seed_tensors(seed: Any) -> list[Value]:
    """The two seeds of a dataset, with the operations that TF1 makes of them."""
    first, second = get_seed(seed)
    builder = current()
    a = (
        constant(0, int64, name="seed")
        if first is None
        else convert_to_tensor(first, int64, "seed")
    )
    if second is None:
        return [a, constant(0, int64, name="seed2")]
    with builder.scope(None, "seed2") as scope:
        builder.reserve(
            "Const", "Equal/y", "Equal", "Equal_1/y", "Equal_1", "LogicalAnd", "Const_1"
        )
        if isinstance(second, Value):
            return [a, second]
        both = (first, second) == (0, 0)
        return [a, constant(2**31 - 1 if both else second, int64, name=scope)]


def batch_tensors(batch_size: Any, drop_remainder: Any) -> list[Value]:
    """The two arguments of a batch as tensors."""
    size = int64_tensor(batch_size, "batch_size")
    return [size, convert_to_tensor(drop_remainder, "bool", "drop_remainder")]


def batch_numbers(context: Context, size: Value, drop: Value) -> tuple[int, bool]:
    """The two arguments of a batch in a run."""
    n = context.number(size)
    if n < 1:
        raise InvalidArgumentError(None, None, "Batch size must be greater than zero.")
    return n, bool(context.value(drop))


def static_rows(size: Value, drop: Value) -> int | None:
    """The batch size where it is known and no batch is smaller."""
    if size.node.op is not constant_op or drop.node.op is not constant_op:
        return None
    return int(size.node.attrs["value"]) if bool(drop.node.attrs["value"]) else None
