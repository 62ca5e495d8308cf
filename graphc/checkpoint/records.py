"""Record files (``.tfrecord``, event files): lengths, data and a checksum of each."""

from __future__ import annotations

import contextlib
import gzip
import os
import struct
import weakref
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import IO, Any, cast

from graphc.checkpoint.crc import masked_crc32c, masked_crcs
from graphc.errors import DataLossError, FailedPreconditionError, system_errors

__all__ = [
    "TFRecordCompressionType", "TFRecordOptions", "TFRecordWriter", "encode_record",
    "tf_record_iterator",
]  # fmt: skip

#: A record is read in pieces of this size, so that a damaged length asks for no memory.
_PIECE = 1 << 24
#: What is read at once: at first, and later.
_FIRST, _BLOCK = 1 << 13, 1 << 18


class TFRecordCompressionType:
    """How a record file is compressed."""

    NONE = 0
    ZLIB = 1
    GZIP = 2


_KINDS = {0: "", 1: "ZLIB", 2: "GZIP", "": "", None: "", "ZLIB": "ZLIB", "GZIP": "GZIP"}


class TFRecordOptions:
    """Options of a record file.

    Parameters
    ----------
    compression_type : {"", "GZIP", "ZLIB"} or TFRecordCompressionType, optional
    compression_level : int, optional
        0 to 9; zlib's own choice by default.
    flush_mode, input_buffer_size, output_buffer_size, window_bits, compression_method, mem_level, \
compression_strategy
        Accepted; they change no content.
    """

    compression_type_map = {0: "", 1: "ZLIB", 2: "GZIP"}  # noqa: RUF012

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: int | None = None,
        input_buffer_size: int | None = None,
        output_buffer_size: int | None = None,
        window_bits: int | None = None,
        compression_level: int | None = None,
        compression_method: int | None = None,
        mem_level: int | None = None,
        compression_strategy: int | None = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode = flush_mode
        self.input_buffer_size = input_buffer_size
        self.output_buffer_size = output_buffer_size
        self.window_bits = window_bits
        self.compression_level = compression_level
        self.compression_method = compression_method
        self.mem_level = mem_level
        self.compression_strategy = compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        """``""``, ``"ZLIB"`` or ``"GZIP"`` for options, a name, a number, or None.

        Raises
        ------
        ValueError
            For another name.
        """
        if isinstance(options, TFRecordOptions):
            options = options.compression_type
        if isinstance(options, bytes):
            options = options.decode()
        if not isinstance(options, str | int | None) or options not in _KINDS:
            raise ValueError(f'Not a valid compression_type: "{options}"')
        return _KINDS[options]


def encode_record(data: bytes) -> bytes:
    """One record as it is in a file."""
    length = struct.pack("<Q", len(data))
    head = length + struct.pack("<I", masked_crc32c(length))
    return head + data + struct.pack("<I", masked_crc32c(data))


class _Appended:
    """A file to append to. What the system refuses stays in memory and is tried again.

    So no record is torn by a disk that is full for a while, which would end the file for readers.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with system_errors(path):
            self._raw = open(path, "wb", 0)
        self._kept = bytearray()

    def write(self, data: bytes) -> int:
        self._kept += data
        if len(self._kept) >= _FIRST:
            self.flush()
        return len(data)

    def flush(self) -> None:
        done = 0
        try:
            with memoryview(self._kept) as view, system_errors(self._path):
                while done < len(view):
                    done += self._raw.write(view[done:]) or 0
        finally:
            del self._kept[:done]

    def close(self) -> None:
        try:
            if not self._raw.closed:
                self.flush()
        finally:
            self._raw.close()


class _Deflate:
    """A file to write that is zlib-compressed as a whole."""

    def __init__(self, raw: _Appended, level: int) -> None:
        self.raw = raw
        self.z = zlib.compressobj(level)

    def write(self, data: bytes) -> int:
        self.raw.write(self.z.compress(data))
        return len(data)

    def flush(self) -> None:
        self.raw.write(self.z.flush(zlib.Z_SYNC_FLUSH))
        self.raw.flush()

    def close(self) -> None:
        try:
            self.raw.write(self.z.flush())
        finally:
            self.raw.close()


class _Inflate:
    """A zlib-compressed file to read."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw = raw
        self.z = zlib.decompressobj()
        self.kept = b""

    def read(self, size: int = -1) -> bytes:
        out = bytearray(self.kept[:size])
        self.kept = self.kept[size:]
        while len(out) < size and not self.z.eof:
            more = self.raw.read(1 << 16)
            if not more:
                break
            data = self.z.decompress(more)
            need = size - len(out)
            out += data[:need]
            self.kept = data[need:]
        return bytes(out)

    def close(self) -> None:
        self.raw.close()


class TFRecordWriter:
    """Writes records to a file.

    Parameters
    ----------
    path : str
        Replaced when it exists.
    options : TFRecordOptions or str, optional

    Examples
    --------
    >>> import graphc as tf, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.tfrecord")
    >>> with tf.python_io.TFRecordWriter(path) as w:
    ...     w.write(b"one")
    >>> list(tf.python_io.tf_record_iterator(path))
    [b'one']
    """

    def __init__(self, path: Any, options: Any = None) -> None:
        kind = TFRecordOptions.get_compression_type_string(options)
        level = getattr(options, "compression_level", None)
        level = -1 if level is None else level
        self._path = os.fspath(path) if not isinstance(path, bytes) else path.decode()
        self._raw: _Appended | None = None
        raw = _Appended(self._path)
        if kind == "GZIP":
            self._raw = raw
            self._file: Any = gzip.GzipFile(
                "", "wb", 9 if level < 0 else level, fileobj=cast("IO[bytes]", raw), mtime=0
            )
        else:
            self._file = _Deflate(raw, level) if kind else raw
        # where the garbage collector meets writer and file together, the writer comes first
        self._lost = weakref.finalize(self, _finish, self._file, self._raw)

    def write(self, record: bytes) -> None:
        """Append a record.

        Raises
        ------
        TypeError
            When it is no bytes.
        FailedPreconditionError
            When the writer is closed.
        ResourceExhaustedError
            When the disk is full. The record is kept, and goes there with the next one.
        """
        if not isinstance(record, bytes | bytearray | memoryview):
            raise TypeError(f"expected bytes, {type(record).__name__} found")
        if self._file is None:
            message = "Writer not initialized or previously closed"
            raise FailedPreconditionError(None, None, message)
        self._file.write(encode_record(bytes(record)))

    def flush(self) -> None:
        """Hand what was written to the system."""
        if self._file is not None:
            self._file.flush()
            if self._raw is not None:
                self._raw.flush()

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        file, self._file = self._file, None
        try:
            if file is not None:
                self._lost.detach()
                file.close()
        finally:
            if self._raw is not None:
                self._raw.close()

    def __enter__(self) -> TFRecordWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _finish(*files: Any) -> None:
    """Close the files of a writer that nobody closed."""
    for f in files:
        if f is not None:
            with contextlib.suppress(Exception):
                f.close()


def tf_record_iterator(path: Any, options: Any = None) -> Iterator[bytes]:
    """The records of a file, one after the other.

    Raises
    ------
    NotFoundError
        When there is no such file.
    DataLossError
        At a record that is damaged or cut short.
    """
    kind = TFRecordOptions.get_compression_type_string(options)
    path = os.fspath(path) if not isinstance(path, bytes) else path.decode()
    with system_errors(path):
        raw = open(path, "rb")
    with raw:
        file: Any = raw
        if kind:
            file = gzip.GzipFile(fileobj=raw) if kind == "GZIP" else _Inflate(raw)
        try:
            yield from _records(file, path)
        except (zlib.error, gzip.BadGzipFile, EOFError) as e:
            raise DataLossError(None, None, f"{path}: {e}") from None


def _records(file: Any, path: str) -> Iterator[bytes]:
    """The records of an open file; sums of checks are made for a block of it at once."""
    read = getattr(file, "read1", file.read)
    rest, at, wanted = b"", 0, _FIRST
    while True:
        block = read(wanted)
        wanted = min(2 * wanted, _BLOCK)
        rest += block
        heads, bodies, used = _split(rest)
        if bodies:
            yield from _checked(heads, bodies, at, path)
            rest, at = rest[used:], at + used
            continue
        if len(rest) >= 12:
            data = _long(rest, file, at, path)
            yield data
            rest, at = b"", at + 16 + len(data)
        elif not block:
            return  # as TensorFlow: a file that is still being written ends here


def _split(block: bytes) -> tuple[list[bytes], list[bytes], int]:
    """Of the records that are whole in `block` the lengths, the data with its sum, and the end."""
    heads, bodies = [], []
    at, end = 0, len(block)
    while at + 16 <= end:
        size = int.from_bytes(block[at : at + 8], "little")
        if at + 16 + size > end:
            break
        heads.append(block[at : at + 12])
        bodies.append(block[at + 12 : at + 16 + size])
        at += 16 + size
    return heads, bodies, at


def _checked(heads: list[bytes], bodies: list[bytes], at: int, path: str) -> Iterator[bytes]:
    """The data of records whose sums are right."""
    alike = {h: masked_crc32c(h[:8]) == int.from_bytes(h[8:], "little") for h in set(heads)}
    data = [b[:-4] for b in bodies]
    for h, b, d, crc in zip(heads, bodies, data, masked_crcs(data), strict=True):
        if not alike[h]:
            raise DataLossError(None, None, f"corrupted record at {at} in {path}")
        if crc != int.from_bytes(b[-4:], "little"):
            raise DataLossError(None, None, f"corrupted record at {at + 12} in {path}")
        yield d
        at += 12 + len(b)


def _long(begun: bytes, file: Any, at: int, path: str) -> bytes:
    """A record that is not whole yet: the rest of it is read."""
    head, begun = begun[:12], begun[12:]
    length, stored = struct.unpack("<QI", head)
    if masked_crc32c(head[:8]) != stored:
        raise DataLossError(None, None, f"corrupted record at {at} in {path}")
    body = begun + _read(file, length + 4 - len(begun))
    if len(body) < length + 4:
        raise DataLossError(None, None, f"truncated record at {at} in {path}")
    return next(_checked([head], [body], at, path))


def _read(file: Any, size: int) -> bytes:
    """So many bytes, or fewer at the end: a damaged length asks for no memory."""
    pieces = []
    while size > 0:
        piece = file.read(min(size, _PIECE))
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
