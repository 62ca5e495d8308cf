"""Ops on files and lines: `read_file`, `write_file`, `matching_files`, `decode_csv`."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.data.files import column_defaults, parse_line
from graphc.data.structure import text_of
from graphc.errors import NotFoundError, system_errors
from graphc.face.elements import Operation
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op, strings

__all__ = ["decode_csv", "matching_files", "read_file", "write_file"]

_HOST: dict[str, Any] = {"types": "fiubs", "stateful": True, "grad": no_grad}


def _content(host: Any, filename: Any) -> bytes:
    path = text_of(filename)
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None


read_file_op = op(
    "read_file", "ReadFile", "host", doc="The content of a file.", args=("filename",),
    infer=lambda inputs, attrs: [(dtypes.string, ())], host=_content, **_HOST,
)  # fmt: skip


def _write(host: Any, filename: Any, contents: Any) -> None:
    path = text_of(filename)
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with system_errors(path), open(path, "wb") as f:
        f.write(bytes(np.asarray(contents, object)[()]))


write_file_op = op(
    "write_file", "WriteFile", "host", doc="Writes a file.", args=("filename", "contents"),
    infer=lambda inputs, attrs: [], host=_write, facts={"effect": True}, **_HOST,
)  # fmt: skip


def _matching(host: Any, pattern: Any) -> Any:
    patterns = [bytes(p).decode() for p in np.ravel(np.asarray(pattern, object))]
    return strings(sorted(os.fsencode(f) for p in patterns for f in glob.glob(p)))


matching_files_op = op(
    "matching_files", "MatchingFiles", "host", doc="Names of files that match a pattern.",
    args=("pattern",), infer=lambda inputs, attrs: [(dtypes.string, (D.fresh(),))],
    host=_matching, **_HOST,
)  # fmt: skip


def _decoded(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(t, inputs[0].static_shape) for t in attrs["types"]]


def _decode(
    records: Any, *, types: Any, defaults: Any, delimiter: str, quotes: bool, na: str, columns: Any
) -> tuple[Any, ...]:
    a = np.asarray(records, object)
    quick = _columns(a.reshape(-1).tolist(), types, delimiter, na, columns)
    if quick is not None:
        return tuple([c.reshape(a.shape) for c in quick])
    out = [np.empty(a.shape, t.np) for t in types]
    style: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    for i, record in enumerate(a.reshape(-1)):
        text = io.StringIO(bytes(record).decode())
        row = next(csv.reader(text, delimiter=delimiter, quoting=style), [""])
        if columns is not None:
            row = [row[c] for c in columns]
        for column, x in zip(out, parse_line(row, defaults, types, na, i), strict=True):
            column.reshape(-1)[i] = x
    return tuple(out)


def _columns(
    lines: list[bytes], types: Any, delimiter: str, na: str, columns: Any
) -> list[Any] | None:
    """The columns of lines without quotes in which no field is missing or wrong; else None."""
    try:
        text = b"\n".join(lines).decode()
        if '"' in text or "\r" in text or text.count("\n") != len(lines) - 1:
            return None
        rows = [line.split(delimiter) for line in text.split("\n")]
        if columns is not None:
            rows = [[row[c] for c in columns] for row in rows]
        if any([len(row) != len(types) for row in rows]):
            return None
        made = []
        for column, t in zip(zip(*rows, strict=True), types, strict=True):
            if "" in column or na in column:
                return None
            made.append(_typed(column, t))
    except (ValueError, IndexError, OverflowError):
        return None
    return made


def _typed(column: Sequence[str], t: Any) -> Any:
    if t is not dtypes.string:
        return np.array(list(map(float if t.kind == "f" else int, column)), t.np)
    out = np.empty(len(column), object)
    out[:] = [x.encode() for x in column]
    return out


decode_csv_op = op(
    "decode_csv", "DecodeCSV", "host", doc="Columns of comma-separated values.", args=("records",),
    infer=_decoded, numpy=_decode, types="s", grad=no_grad,
)  # fmt: skip


def read_file(filename: Any, name: str | None = None) -> Value:
    """The content of a file: a string tensor.

    Raises (in a run)
    -----------------
    NotFoundError
        When there is no such file.
    """
    with current().scope(name, "ReadFile") as scope:
        path = convert_to_tensor(filename, dtypes.string, "filename")
        return build(read_file_op, (path,), {}, scope).outputs[0]


def write_file(filename: Any, contents: Any, name: str | None = None) -> Operation:
    """An operation that writes a string to a file, making its folder."""
    with current().scope(name, "WriteFile") as scope:
        path = convert_to_tensor(filename, dtypes.string, "filename")
        data = convert_to_tensor(contents, dtypes.string, "contents")
        return build(write_file_op, (path, data), {}, scope)  # type: ignore[return-value]


def matching_files(pattern: Any, name: str | None = None) -> Value:
    """Names of the files that match one or more patterns, sorted: a vector of strings."""
    with current().scope(name, "MatchingFiles") as scope:
        patterns = convert_to_tensor(pattern, dtypes.string, "pattern")
        return build(matching_files_op, (patterns,), {}, scope).outputs[0]


def decode_csv(
    records: Any, record_defaults: Sequence[Any], field_delim: str = ",",
    use_quote_delim: bool = True, name: str | None = None, na_value: str = "",
    select_cols: Sequence[int] | None = None,
) -> list[Value]:  # fmt: skip
    """The columns of lines of comma-separated values: a tensor for each.

    Parameters
    ----------
    records : string tensor
    record_defaults : list
        A list of one default value for each column, whose type is the column's; an empty list of
        a type (``tf.constant([], tf.int32)``) where a value is required.
    select_cols : list of int, optional
        Which columns to take.

    Raises (in a run)
    -----------------
    InvalidArgumentError
        When a line has another number of fields, or a field is no number.
    """
    with current().scope(name, "DecodeCSV") as scope:
        lines = convert_to_tensor(records, dtypes.string, "records")
        with current().counts_as(0):
            types, defaults = column_defaults(record_defaults)
        if not types:
            raise ValueError("record_defaults needs the default value of at least one column")
        for i, given in enumerate(record_defaults):
            if not isinstance(given, Value):
                current().reserve(f"record_defaults_{i}")
        if select_cols is not None and len(select_cols) != len(types):
            raise ValueError("Length of select_cols and record_defaults do not match.")
        attrs = {
            "types": tuple(types), "defaults": tuple(defaults), "delimiter": field_delim,
            "quotes": use_quote_delim, "na": na_value,
            "columns": None if select_cols is None else tuple(select_cols),
        }  # fmt: skip
        return list(build(decode_csv_op, (lines,), attrs, scope).outputs)
