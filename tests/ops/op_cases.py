"""Operands and attributes for every op record, drawn from what the record says of itself.

`cases(record)` gives applications of a record: operand arrays by shape and type, with
attributes. Records with attributes have a row in `ATTRS`, those that take more than
broadcasting operands a row in `OPERANDS`; `test_generated` fails for a record without.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import graphc.ops
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ops.record import OPS, Op

__all__ = ["CLOSED", "Case", "cases", "draw", "families"]

Array = np.ndarray[Any, Any]


class Case(NamedTuple):
    """One application: the record, its operands with their types, its attributes."""

    record: Op
    operands: tuple[tuple[Array, DType], ...]
    attrs: dict[str, Any]

    def __str__(self) -> str:
        shown = ",".join(f"{t.code}{list(a.shape)}" for a, t in self.operands)
        return f"{self.record.name}-{shown}" + (f"-{sorted(self.attrs)}" if self.attrs else "")


#: Operand shapes for each arity: rank 0, empty, one, around vector widths, every broadcast.
SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    1: [((),), ((0,),), ((1,),), ((17,),), ((2, 3, 5),), ((3, 0, 2),)],
    2: [
        ((), ()), ((0,), (1,)), ((7,), ()), ((), (5,)), ((33,), (33,)), ((2, 3), (3,)),
        ((3, 1), (1, 4)), ((2, 1, 5), (3, 1)), ((4, 0), (1, 1)), ((1,), (2, 9)),
    ],
    3: [((4,), (4,), (4,)), ((), (2, 3), (3,)), ((2, 1), (3,), ()), ((0,), (0,), (1,))],
}  # fmt: skip

BY_KIND: dict[str, list[DType]] = {
    "f": [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16],
    "i": [dtypes.int8, dtypes.int16, dtypes.int32, dtypes.int64],
    "u": [dtypes.uint8, dtypes.uint16, dtypes.uint32, dtypes.uint64],
    "b": [dtypes.bool_],
}


def draw(rng: np.random.Generator, record: Op, shape: Sequence[int], t: DType) -> Array:
    """Elements of a type from the record's domain."""
    shape = tuple(shape)
    must = record.facts.get("check", {}).get("must")
    if t.kind == "b":
        return rng.integers(must == "nonzero", 2, shape).astype(bool)
    if t.kind in "iu":
        low = -9 if t.kind == "i" else 0
        a = rng.integers(low, 10, shape).astype(t.np)
        if must == "nonzero":
            a = np.where(a == 0, 3, a).astype(t.np)
        return np.absolute(a) if must == "nonnegative" else a
    low, high = record.sample
    a = rng.uniform(low, high, shape).astype(t.np)
    return _bf16(a) if t is dtypes.bfloat16 else a


def _bf16(a: Array) -> Array:
    return (np.asarray(a, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


#: Attributes of records that need some, each row one case.
ATTRS: dict[str, list[dict[str, Any]]] = {
    "cast": [{"dtype": t} for ts in BY_KIND.values() for t in ts],
    "leaky_relu": [{"alpha": 0.25}, {"alpha": 2.0}],
    "leaky_relu_grad": [{"alpha": 0.25}, {"alpha": 2.0}],
    "argmax": [{"axis": a, "dtype": dtypes.int64} for a in (0, 1)],
    "argmin": [{"axis": a, "dtype": dtypes.int32} for a in (0, 1)],
    "cumsum": [{"axis": a, "exclusive": e, "reverse": r}
               for a in (0, 1) for e in (False, True) for r in (False, True)],
    "softmax": [{"axis": 0}, {"axis": 1}],
    "log_softmax": [{"axis": 0}, {"axis": 1}],
    "softmax_cross_entropy": [{"axis": 0}, {"axis": 1}],
    "bias_add": [{"data_format": "NHWC"}, {"data_format": "NCHW"}],
    "fused_batch_norm": [{"epsilon": 0.01, "data_format": f, "is_training": True}
                         for f in ("NHWC", "NCHW")],
    "top_k": [{"k": 0, "sorted": True}, {"k": 3, "sorted": True}],
    "in_top_k": [{"k": 1}, {"k": 2}],
    "take_last": [{"what": "index"}],
    "count": [{"axis": a} for a in ((), (0,), (0, 1))],
}  # fmt: skip
ATTRS["cumprod"] = ATTRS["cumsum"]
REDUCED = [{"axis": a, "keepdims": k} for a in ((), (0,), (1,), (0, 1)) for k in (False, True)]

#: The bitcasts that keep the size.
BITS = [
    (a, b) for ts in BY_KIND.values() for a in ts for us in BY_KIND.values() for b in us
    if a.size == b.size and "b" not in a.kind + b.kind and dtypes.bfloat16 not in (a, b)
]  # fmt: skip


def _floats(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[tuple[Array, ...]]:
    return [tuple(rng.uniform(-2, 2, s) for s in shapes)]


def _xent(rng: np.random.Generator) -> list[tuple[Array, ...]]:
    labels = rng.uniform(0.1, 1, (4, 5))
    return [(rng.uniform(-2, 2, (4, 5)), labels)]


def _sparse(rng: np.random.Generator) -> list[tuple[Array, ...]]:
    logits, labels = rng.uniform(-2, 2, (4, 5)), rng.integers(0, 5, 4)
    return [(logits, labels.astype(t)) for t in (np.int32, np.int64)]


def _rows(rng: np.random.Generator) -> list[tuple[Array, ...]]:
    x, y = rng.uniform(-2, 2, (3, 4)), rng.uniform(-2, 2, (3, 4))
    return [(c, x, y) for c in (np.array(True), np.array([True, False, True]), x > 0)]


def _indices(rng: np.random.Generator) -> list[tuple[Array, ...]]:
    return [(rng.uniform(-2, 2, (3, 6)), rng.integers(0, 6, (3, 2)).astype(np.int32))]


#: Operands of records that do not take arrays of one type and broadcasting shapes.
OPERANDS: dict[str, Any] = {
    "softmax_cross_entropy": _xent,
    "sparse_softmax_cross_entropy": _sparse,
    "select_rows": _rows,
    "bias_add": lambda rng: _floats(rng, (4, 5), (5,)) + _floats(rng, (2, 3, 4, 3), (3,)),
    "fused_batch_norm": lambda rng: _floats(rng, (3, 4, 4, 4), (4,), (4,)),
    "take_last": _indices,
    "add_rows": lambda rng: [
        (rng.uniform(-2, 2, (4, 2)), np.array([3, 0, 3], np.int32), rng.uniform(-2, 2, (3, 2))),
        (np.ones((4, 2)), np.array([[1], [1]], np.int64), rng.uniform(-2, 2, (2, 1, 2))),
    ],
    "scatter_last": lambda rng: [
        (rng.uniform(-2, 2, (3, 2)), np.array([[0, 0], [4, 1], [2, 3]], np.int32), np.zeros((3, 5)))
    ],
    "in_top_k": lambda rng: [
        (rng.uniform(-2, 2, (6, 4)).astype(np.float32), np.array([0, 1, 2, 3, -1, 4], np.int32))
    ],
    "l2_loss": lambda rng: _floats(rng, (4, 5)),
}

#: Reductions take these shapes.
BLOCKS: list[tuple[int, ...]] = [(3, 4), (2, 0), (17, 33), (2, 3, 4)]


def families(*names: str) -> list[Op]:
    """The records of families, by name."""
    return [r for _, r in sorted(OPS.items()) if r.family in names]


for _module in pkgutil.iter_modules(graphc.ops.__path__):  # some are imported when first used
    importlib.import_module(f"graphc.ops.{_module.name}")

#: Records that this table draws for: those whose operands these modules know.
CLOSED = [
    r for r in families("elementwise", "reduction", "composite")
    if r.name in OPERANDS or r.name in ATTRS or r.family in ("elementwise", "reduction")
    or r.name.startswith("reduce_")
] + [OPS[n] for n in ("cumsum", "cumprod", "top_k", "take_last", "count")]  # fmt: skip


def cases(record: Op, kinds: Sequence[DType] | None = None) -> Iterator[Case]:
    """Applications of a record; of floats alone, and without extremes, when `kinds` is given."""
    rng = np.random.default_rng(sum(record.name.encode()))
    if record.name in OPERANDS:
        for arrays in OPERANDS[record.name](rng):
            for attrs in ATTRS.get(record.name, [{}]):
                if attrs.get("data_format") == "NCHW" and arrays[0].ndim == 2 and len(arrays) == 2:
                    continue
                yield from _typed(record, arrays, attrs, kinds)
        return
    types = kinds or [t for k in record.types for t in BY_KIND.get(k, [])]
    if record.name == "bitcast":
        for a, b in BITS:
            yield Case(record, ((draw(rng, record, (9,), a), a),), {"type": b})
        return
    for t in types:
        if t.kind not in record.types:
            continue
        for shapes in _shapes(record):
            for attrs in _attributes(record, shapes):
                operands = [(draw(rng, record, s, t), t) for s in shapes]
                if record.name == "select":
                    operands[0] = (draw(rng, record, shapes[0], dtypes.bool_), dtypes.bool_)
                yield Case(record, tuple(operands), attrs)


def _typed(
    record: Op, arrays: Sequence[Array], attrs: dict[str, Any], kinds: Sequence[DType] | None
) -> Iterator[Case]:
    for t in kinds or (dtypes.float32, dtypes.float64):
        if t.kind == "f":
            operands = [
                (a.astype(t.np), t) if a.dtype == np.float64 else (a, dtypes.as_dtype(a.dtype))
                for a in arrays
            ]
            yield Case(record, tuple(operands), attrs)


def _shapes(record: Op) -> list[tuple[tuple[int, ...], ...]]:
    if record.family in ("reduction", "structured") or record.name.startswith("reduce_"):
        return [(s,) for s in BLOCKS if not record.name.startswith("arg") or 0 not in s]
    if record.name in ATTRS and record.family != "elementwise":
        return [((3, 4),), ((17, 33),)]
    if record.args and record.args[0].startswith("*"):
        return [(s,) * n for n in (2, 3) for s in ((), (0,), (5,), (2, 3))]
    return SHAPES[len(record.args)]


def _attributes(record: Op, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    if record.name in ATTRS:
        rows = ATTRS[record.name]
        return [r for r in rows if r.get("k", 0) <= (shapes[0] or (0,))[-1]]
    if record.family == "reduction" or record.name.startswith("reduce_"):
        return REDUCED
    return [{}]
