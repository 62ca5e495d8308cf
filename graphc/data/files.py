"""Datasets of what is in files: lines, TFRecords, records of fixed length, columns."""

from __future__ import annotations

import csv
import functools
import gzip
import io
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.function import Context
from graphc.data.streams import Element, Stream, interleave
from graphc.data.structure import TensorSpec, text_of
from graphc.errors import DataLossError, InvalidArgumentError, NotFoundError
from graphc.face.elements import Tensor
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype, int64, string
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import made
from graphc.ops.shapes import reshape

__all__ = [
    "CsvDataset", "FixedLengthRecordDataset", "TFRecordDataset", "TextLineDataset", "lines",
    "open_file", "parse_line", "records_of_length",
]  # fmt: skip


def open_file(name: bytes | str, compression: str = "") -> BinaryIO:
    """A file for reading, decompressed.

    Raises
    ------
    NotFoundError
        When there is no such file.
    InvalidArgumentError
        When the kind of compression is not known.
    """
    path = name.decode() if isinstance(name, bytes) else name
    try:
        if compression == "GZIP":
            return gzip.open(path, "rb")  # type: ignore[return-value]
        if compression == "ZLIB":
            with open(path, "rb") as f:
                return io.BytesIO(zlib.decompress(f.read()))
        if compression:
            raise InvalidArgumentError(None, None, f"Unsupported compression_type: {compression}.")
        return open(path, "rb")
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None
    except zlib.error as e:
        raise DataLossError(None, None, f"{path} is no ZLIB file: {e}") from None


def lines(f: BinaryIO) -> Iterator[bytes]:
    """The lines of a file without their ends; carriage returns are left out, as TF1 does."""
    for line in f:
        yield line.rstrip(b"\n").replace(b"\r", b"")


def records_of_length(
    f: BinaryIO, size: int, header: int, footer: int, name: str
) -> Iterator[bytes]:
    """The records of `size` bytes between the first `header` and the last `footer` bytes.

    Raises
    ------
    InvalidArgumentError
        When what lies between is no whole number of records.
    """
    f.read(header)
    held = b""
    while True:
        part = f.read(max(1 << 16, size + footer))
        held += part
        while len(held) >= size + footer and (part or len(held) - footer >= size):
            yield held[:size]
            held = held[size:]
        if not part:
            break
    if len(held) != footer:
        raise InvalidArgumentError(
            None, None, f"{name}: the body is no whole number of records of {size} bytes: "
            f"{len(held) - footer} bytes are left.",
        )  # fmt: skip


class _FileDataset(Dataset):
    """Elements of files, whose names may be a tensor or a dataset of names."""

    def __init__(
        self, filenames: Any, structure: Any, numbers: Sequence[tuple[str, Any]] = (),
        compression_type: Any = None, num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        inputs: tuple[Dataset, ...] = ()
        tensors: list[Value] = []
        if isinstance(filenames, Dataset):
            if filenames.output_types != string:
                raise TypeError("`filenames` must be a `tf.data.Dataset` of `tf.string` elements.")
            inputs = (filenames,)
        else:
            given = convert_to_tensor(filenames, string)
            tensors.append(reshape(given, [-1], name="flat_filenames"))
            current().reserve("TensorSliceDataset")
        self._named = bool(inputs)
        with current().counts_as(0):
            tensors += [convert_to_tensor(x, int64, name) for name, x in numbers]
        kind = compression_type or ""
        with current().counts_as(0):  # constants of a function, in TF1
            tensors.append(convert_to_tensor(kind, string, "compression_type"))
        self._parallel = num_parallel_reads
        current().reserve("FlatMapDataset" if num_parallel_reads is None else "ParallelInterleave")
        made(0 if num_parallel_reads is None else 5)
        super().__init__(structure, inputs, tensors)

    def _open(self, context: Context) -> Stream:
        tensors = list(self._tensors)
        if self._inputs:
            names: Iterator[Any] = (e[0] for e in self._inputs[0]._open(context))
        else:
            names = iter(np.ravel(context.value(tensors.pop(0))).tolist())
        numbers = [context.number(t) for t in tensors[:-1]]
        kind = text_of(context.value(tensors[-1]))
        n = self._parallel
        files = (self._opener(_bytes(name), kind, numbers) for name in names)
        if n is None or isinstance(n, Tensor) or n <= 1:
            return Stream(itertools.chain.from_iterable(f() for f in files))
        return Stream(interleave(files, int(n), 1))

    def _opener(self, name: bytes, kind: str, numbers: list[int]) -> Any:
        return lambda: _Retried(lambda: self._elements(name, kind, *numbers))

    def _elements(self, name: bytes, kind: str, *numbers: int) -> Iterator[Element]:
        with open_file(name, kind) as f:
            for x in self._read(f, name.decode(), *numbers):
                yield (x,)

    def _read(self, f: BinaryIO, name: str, *numbers: int) -> Iterator[Any]:
        raise NotImplementedError


class _Retried(Iterator[Element]):
    """The elements of a file; one that is not there is looked for again at every next element."""

    def __init__(self, make: Callable[[], Iterator[Element]]) -> None:
        self._make = make
        self._items = make()

    def __next__(self) -> Element:
        try:
            return next(self._items)
        except NotFoundError:
            self._items = self._make()
            raise


def _bytes(x: Any) -> bytes:
    made: bytes = x[()] if isinstance(x, np.ndarray) else x  # type: ignore[assignment]
    return made


class _Whole(_FileDataset):
    """What has files and how they are packed for arguments, and strings for elements."""

    def __init__(
        self, filenames: Any, compression_type: Any = None, buffer_size: Any = None,
        num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            filenames, TensorSpec([], string), (), compression_type, num_parallel_reads
        )


class TextLineDataset(_Whole):
    """The lines of text files.

    Parameters
    ----------
    filenames : str, list, tensor or dataset
    compression_type : {"", "GZIP", "ZLIB"}, optional
    buffer_size : int, optional
        Accepted.
    num_parallel_reads : int, optional
        From how many files lines are taken by turns.
    """

    _shown = "TextLineDatasetV1"

    def _read(self, f: BinaryIO, name: str, *numbers: int) -> Iterator[Any]:
        return lines(f)


class TFRecordDataset(_Whole):
    """The records of TFRecord files: byte strings.

    Parameters
    ----------
    filenames : str, list, tensor or dataset
    compression_type : {"", "GZIP", "ZLIB"}, optional
    buffer_size : int, optional
        Accepted.
    num_parallel_reads : int, optional
        From how many files records are taken by turns.
    """

    _shown = "TFRecordDatasetV1"

    def _elements(self, name: bytes, kind: str, *numbers: int) -> Iterator[Element]:
        from graphc.checkpoint.records import TFRecordOptions, tf_record_iterator

        return zip(tf_record_iterator(name.decode(), TFRecordOptions(kind)))


class FixedLengthRecordDataset(_FileDataset):
    """Records of `record_bytes` bytes each.

    Parameters
    ----------
    filenames : str, list, tensor or dataset
    record_bytes, header_bytes, footer_bytes : int
        Of each record, and what to leave out at the beginning and end of each file.
    compression_type : {"", "GZIP", "ZLIB"}, optional
    """

    _shown = "FixedLengthRecordDatasetV1"

    def __init__(
        self, filenames: Any, record_bytes: Any, header_bytes: Any = None, footer_bytes: Any = None,
        buffer_size: Any = None, compression_type: Any = None, num_parallel_reads: Any = None,
    ) -> None:  # fmt: skip
        numbers = (
            ("record_bytes", record_bytes),
            ("header_bytes", 0 if header_bytes is None else header_bytes),
            ("footer_bytes", 0 if footer_bytes is None else footer_bytes),
        )
        spec = TensorSpec([], string)
        super().__init__(filenames, spec, numbers, compression_type, num_parallel_reads)

    def _read(self, f: BinaryIO, name: str, *numbers: int) -> Iterator[Any]:
        size, header, footer = numbers
        return records_of_length(f, size, header, footer, name)


def parse_line(
    fields: Sequence[str], defaults: Sequence[Any], types: Sequence[Any], na: str, line: int
) -> list[Any]:
    """The columns of a line of comma-separated values.

    Parameters
    ----------
    defaults : sequence
        What stands for an empty field; None where a field must not be empty.
    """
    if len(fields) != len(types):
        raise InvalidArgumentError(
            None, None, f"Expect {len(types)} fields but have {len(fields)} in record {line}"
        )
    out: list[Any] = []
    for i, (text, default, dtype) in enumerate(zip(fields, defaults, types, strict=True)):
        if text in ("", na):
            if default is None:
                raise InvalidArgumentError(
                    None, None, f"Field {i} is required but missing in record {line}!"
                )
            out.append(default)
            continue
        try:
            out.append(text.encode() if dtype is string else dtype.np.type(text))
        except (ValueError, OverflowError):
            raise InvalidArgumentError(
                None, None, f"Field {i} in record {line} is not a valid {dtype.name}: {text}"
            ) from None
    return out


class CsvDataset(Dataset):
    """Lines of comma-separated values as tuples of scalars.

    Parameters
    ----------
    filenames : str or list of str
    record_defaults : list
        For each column its default value (a scalar or list of one), or its type: the column is
        required then.
    compression_type : {"", "GZIP", "ZLIB"}, optional
    header : bool
        Leave out the first line of each file.
    field_delim : str
    use_quote_delim : bool
        Whether a quoted field may contain delimiters.
    na_value : str
        Another text for an empty field.
    select_cols : list of int, optional
        Which columns to read, ascending; `record_defaults` is for these.
    """

    def __init__(
        self, filenames: Any, record_defaults: Sequence[Any], compression_type: Any = None,
        buffer_size: Any = None, header: bool = False, field_delim: str = ",",
        use_quote_delim: bool = True, na_value: str = "", select_cols: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        with current().counts_as(0):
            self._types, self._defaults = column_defaults(record_defaults)
        self._rest = (bool(header), field_delim, use_quote_delim, na_value)
        self._columns = None if select_cols is None else list(select_cols)
        if self._columns is not None and len(self._columns) != len(self._types):
            raise ValueError("select_cols and record_defaults must have the same length.")
        names = convert_to_tensor(filenames, string, "filenames")
        self._compression = compression_type or ""
        current().reserve("CsvDataset")
        made(7 + len(self._types))  # what the file is read by
        super().__init__(tuple([TensorSpec([], t) for t in self._types]), (), [names])

    def _open(self, context: Context) -> Stream:
        names = np.ravel(np.asarray(context.value(self._tensors[0]), object)).tolist()
        files = (_Retried(functools.partial(self._rows, name)) for name in names)
        return Stream(itertools.chain.from_iterable(files))

    def _rows(self, name: bytes) -> Iterator[Element]:
        header, delimiter, quotes, na = self._rest
        style: Any = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
        with open_file(name, self._compression) as raw:
            text = io.TextIOWrapper(raw, newline="")
            reader = csv.reader(text, delimiter=delimiter, quoting=style)
            for i, row in enumerate(reader):
                if (header and i == 0) or not row:
                    continue
                if self._columns is not None:
                    row = [row[c] for c in self._columns]
                yield tuple(parse_line(row, self._defaults, self._types, na, i))


def column_defaults(record_defaults: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Types and default values of columns; the default of a required column is None."""
    types: list[Any] = []
    defaults: list[Any] = []
    for d in record_defaults:
        value = d.node.attrs.get("value") if isinstance(d, Value) else d
        try:
            is_type = not isinstance(value, (str, bytes, list, tuple, int, float, np.ndarray))
            dtype = as_dtype(value) if is_type else None
        except TypeError:
            dtype = None
        if dtype is not None:
            types.append(dtype)
            defaults.append(None)
            continue
        t = convert_to_tensor(d)
        a = np.ravel(np.asarray(t.node.attrs["value"]))
        types.append(t.dtype)
        defaults.append(a[0] if a.size else None)
    return types, defaults
