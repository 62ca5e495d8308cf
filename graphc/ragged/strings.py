"""Strings cut into bytes, characters or code points: rows of different lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.face.current import name_scope
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.ragged.tensor import is_ragged, ragged_of, splits_of

__all__ = ["bytes_split", "unicode_decode", "unicode_split"]


def _text(s: bytes, encoding: str, errors: str, char: int) -> str:
    try:
        return s.decode(encoding)
    except UnicodeDecodeError as e:
        if errors == "strict":
            raise InvalidArgumentError(
                None, None, f"Invalid formatting on input string: {s!r}"
            ) from e
    if errors == "ignore":
        return s.decode(encoding, "ignore")
    return s.decode(encoding, "replace").replace("\ufffd", chr(char))


def _cut(x: Any, *, unit: str, encoding: str, errors: str, char: int) -> Any:
    rows: list[list[Any]] = []
    for s in x.reshape(-1).tolist():
        if unit == "byte":
            rows.append([s[i : i + 1] for i in range(len(s))])
            continue
        text = _text(s, encoding, errors, char)
        rows.append([ord(c) if unit == "code" else c.encode(encoding) for c in text])
    flat = [e for row in rows for e in row]
    values = np.array(flat, np.int32) if unit == "code" else np.array(flat, object)
    return values, np.array([len(row) for row in rows], np.int64)


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    kind = dtypes.int32 if attrs["unit"] == "code" else dtypes.string
    return [(kind, (D.fresh(),)), (dtypes.int64, (D.fresh() if s is None else D.product(s),))]


cut_op = op(
    "cut_string", "UnicodeDecodeWithOffsets", "host", args=("input",), types="s", numpy=_cut,
    doc="Bytes, characters or code points of strings, and how many each string has.",
    grad=no_grad, infer=_infer,
)  # fmt: skip


def cut(x: Any, unit: str, name: str | None, what: str, **attrs: Any) -> Any:
    """The parts of each string as a row (of a scalar, as a vector)."""
    given = {"encoding": "", "errors": "replace", "char": 65533, **attrs, "unit": unit}
    if is_ragged(x):
        return x.with_values(cut(x.values, unit, name, what, **attrs))
    with name_scope(name, what):
        t: Any = convert_to_tensor(x, dtype=None if isinstance(x, Value) else dtypes.string)
        values, lengths = build(cut_op, (t,), given).outputs
        if t.rank == 0:
            return values
        if t.rank != 1:
            raise ValueError(f"input of rank {t.rank}: rows are made of a vector of strings")
        return ragged_of(values, splits_of(lengths))


def bytes_split(input: Any, name: str | None = None) -> Any:
    """Each string's bytes."""
    return cut(input, "byte", name, "StringsByteSplit")


def _encoding(name: str) -> str:
    if name.upper() not in ("UTF-8", "UTF-16-BE", "UTF-32-BE"):
        raise ValueError(f"input_encoding {name} is none of UTF-8, UTF-16-BE, UTF-32-BE")
    return name


def unicode_split(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Each string's characters, in its encoding."""
    return cut(input, "char", name, "UnicodeSplit", encoding=_encoding(input_encoding),
               errors=errors, char=replacement_char)  # fmt: skip


def unicode_decode(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Each string's code points."""
    if replace_control_characters:
        raise NotImplementedError("unicode_decode with replace_control_characters")
    return cut(input, "code", name, "UnicodeDecode", encoding=_encoding(input_encoding),
               errors=errors, char=replacement_char)  # fmt: skip
