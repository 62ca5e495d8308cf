"""Readers: records of the files whose names come out of a queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.data.files import lines, open_file, records_of_length
from graphc.data.queues import QueueBase
from graphc.errors import OutOfRangeError, UnimplementedError
from graphc.face.elements import Operation
from graphc.face.graph import get_default_graph
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op, strings

__all__ = [
    "FixedLengthRecordReader", "IdentityReader", "ReaderBase", "TFRecordReader", "TextLineReader",
    "WholeFileReader",
]  # fmt: skip


class ReaderRead(NamedTuple):
    """What ``reader.read`` gives."""

    key: Value
    value: Value


class _Progress:
    """Where a reader is, in a session."""

    def __init__(self, records: Callable[[bytes], Iterator[tuple[bytes, bytes]]]) -> None:
        self.lock = threading.Lock()
        self.records = records
        self.reset()

    def reset(self) -> None:
        self.current: Iterator[tuple[bytes, bytes]] | None = None
        self.produced = 0
        self.units = 0

    def close(self) -> None:
        """The session is closed: let go of the open file, unless a thread is reading."""
        if self.lock.acquire(blocking=False):
            try:
                self.current = None
            finally:
                self.lock.release()

    def next(self, names: Any, wait: bool = True) -> tuple[bytes, bytes] | None:
        """The next record, of the next file where this one has ended."""
        while True:
            if self.current is None:
                name = names.take(1)[0][0]
                self.current = self.records(bytes(np.asarray(name, object)[()]))
            found = next(self.current, None)
            if found is not None:
                self.produced += 1
                return found
            self.current = None
            self.units += 1
            if not wait:
                return None


def _read(host: Any, *, reader: ReaderBase, queue: QueueBase) -> tuple[Any, Any]:
    progress = reader._progress(host)
    with progress.lock:
        found = progress.next(queue._store(host))
    assert found is not None
    return found


def _read_up_to(host: Any, n: Any, *, reader: ReaderBase, queue: QueueBase) -> tuple[Any, Any]:
    progress = reader._progress(host)
    got: list[tuple[bytes, bytes]] = []
    with progress.lock:
        while len(got) < int(n):
            try:
                found = progress.next(queue._store(host), wait=not got)
            except OutOfRangeError:
                if got:
                    break
                raise
            if found is None:
                break
            got.append(found)
    return strings([k for k, _ in got]), strings([v for _, v in got])


def _count(what: str) -> Callable[..., Any]:
    return lambda host, reader: np.int64(getattr(reader._progress(host), what))


_HOST: dict[str, Any] = {
    "types": "fiubs", "stateful": True, "grad": no_grad, "facts": {"effect": True},
}  # fmt: skip


def _two(shape: Any) -> Callable[[Sequence[Value], Attrs], Types]:
    return lambda inputs, attrs: [(dtypes.string, shape()), (dtypes.string, shape())]


def _int64(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.int64, ())]


read_op = op(
    "reader_read", "ReaderReadV2", "host", doc="The next record of a reader.", infer=_two(tuple),
    host=_read, **_HOST,
)  # fmt: skip
read_up_to_op = op(
    "reader_read_up_to", "ReaderReadUpToV2", "host", args=("num_records",), host=_read_up_to,
    doc="The next records of a reader.", infer=_two(lambda: (D.fresh(),)), **_HOST,
)  # fmt: skip
produced_op = op(
    "reader_num_records_produced", "ReaderNumRecordsProducedV2", "host", infer=_int64,
    doc="How many records a reader has given.", host=_count("produced"), **_HOST,
)  # fmt: skip
units_op = op(
    "reader_num_work_units_completed", "ReaderNumWorkUnitsCompletedV2", "host", infer=_int64,
    doc="How many files a reader has finished.", host=_count("units"), **_HOST,
)  # fmt: skip
reset_op = op(
    "reader_reset", "ReaderResetV2", "host", infer=lambda inputs, attrs: [],
    doc="Makes a reader begin anew.", host=lambda host, reader: reader._progress(host).reset(),
    **_HOST,
)  # fmt: skip


def _reference(name: str) -> str:
    """The name of a reader: that of the resource op which TF1 makes."""
    graph = get_default_graph()
    made = graph.unique_name(name) if name[-1:] != "/" else name[:-1]
    graph._last_id += 1
    return made


class ReaderBase:
    """Base of readers: the file names come from a queue, one record comes with each run."""

    def __init__(self, reader_ref: Any, supports_serialize: bool = False) -> None:
        self._ref = reader_ref
        self._supports_serialize = supports_serialize

    @property
    def reader_ref(self) -> Any:
        return self._ref

    @property
    def supports_serialize(self) -> bool:
        return self._supports_serialize

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of one file."""
        raise NotImplementedError(f"{type(self).__name__} reads nothing")

    def _progress(self, host: Any) -> _Progress:
        made: _Progress = host.resource(f"reader/{self._ref}", lambda: _Progress(self._records))
        return made

    def read(self, queue: QueueBase, name: str | None = None) -> ReaderRead:
        """The next record: a pair of string tensors (key, value).

        Raises (in a run)
        -----------------
        OutOfRangeError
            When all files are read and the queue is closed.
        """
        node = build(read_op, (), {"reader": self, "queue": queue}, name or "ReaderReadV2")
        return ReaderRead(*node.outputs)

    def read_up_to(self, queue: QueueBase, num_records: Any, name: str | None = None) -> ReaderRead:
        """The next records, at most `num_records`: two vectors of strings."""
        with current().scope(name, "ReaderReadUpToV2") as scope:
            n = convert_to_tensor(num_records, dtypes.int64, "num_records")
            node = build(read_up_to_op, (n,), {"reader": self, "queue": queue}, scope)
        return ReaderRead(*node.outputs)

    def num_records_produced(self, name: str | None = None) -> Value:
        """How many records were read: an int64 tensor."""
        return build(produced_op, (), {"reader": self}, name).outputs[0]

    def num_work_units_completed(self, name: str | None = None) -> Value:
        """How many files were finished: an int64 tensor."""
        return build(units_op, (), {"reader": self}, name).outputs[0]

    def reset(self, name: str | None = None) -> Operation:
        """An operation that makes the reader begin anew."""
        return build(reset_op, (), {"reader": self}, name)  # type: ignore[return-value]

    def serialize_state(self, name: str | None = None) -> Value:
        """Not supported: graphc keeps a reader's place in the session only."""
        raise UnimplementedError(None, None, "graphc does not serialise the state of readers")

    def restore_state(self, state: Any, name: str | None = None) -> Operation:
        """Not supported: see `serialize_state`."""
        raise UnimplementedError(None, None, "graphc does not serialise the state of readers")


class WholeFileReader(ReaderBase):
    """Each file is a record: its name and its content."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(_reference(name or "WholeFileReaderV2"), True)

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        with open_file(name) as f:
            yield name, f.read()


class TextLineReader(ReaderBase):
    """Each line is a record; its key is ``file:number``, from 1 on.

    Parameters
    ----------
    skip_header_lines : int, optional
        How many lines to leave out at the beginning of each file.
    """

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        self._skip = skip_header_lines or 0
        super().__init__(_reference(name or "TextLineReaderV2"))

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        with open_file(name) as f:
            for i, line in enumerate(lines(f), 1):
                if i > self._skip:
                    yield b"%s:%d" % (name, i), line


class FixedLengthRecordReader(ReaderBase):
    """Each `record_bytes` bytes are a record; its key is ``file:number``, from 0 on.

    Parameters
    ----------
    record_bytes, header_bytes, footer_bytes : int
        Of each record, and what to leave out at the beginning and end of each file.
    hop_bytes : int, optional
        How far the next record begins behind this one; `record_bytes` by default.
    encoding : {"", "ZLIB", "GZIP"}, optional
    """

    def __init__(
        self, record_bytes: int, header_bytes: int | None = None, footer_bytes: int | None = None,
        hop_bytes: int | None = None, name: str | None = None, encoding: str | None = None,
    ) -> None:  # fmt: skip
        self._sizes = int(record_bytes), int(header_bytes or 0), int(footer_bytes or 0)
        self._hop = int(hop_bytes or 0)
        self._encoding = encoding or ""
        super().__init__(_reference(name or "FixedLengthRecordReaderV2"))

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        size, header, footer = self._sizes
        with open_file(name, self._encoding) as f:
            if not self._hop:
                found = records_of_length(f, size, header, footer, name.decode())
            else:
                data = f.read()
                data = data[header : len(data) - footer]
                found = iter(data[i : i + size] for i in range(0, len(data) - size + 1, self._hop))
            for i, record in enumerate(found):
                yield b"%s:%d" % (name, i), record


class TFRecordReader(ReaderBase):
    """Each record of TFRecord files; its key is ``file:offset``.

    Parameters
    ----------
    options : TFRecordOptions, optional
        How the files are compressed.
    """

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        self._options = options
        super().__init__(_reference(name or "TFRecordReaderV2"))

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        from graphc.checkpoint.records import tf_record_iterator

        offset = 0
        for record in tf_record_iterator(name.decode(), self._options):
            yield b"%s:%d" % (name, offset), record
            offset += len(record) + 16  # length, two checksums


class IdentityReader(ReaderBase):
    """Each name of the queue is a record: key and value."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(_reference(name or "IdentityReaderV2"), True)

    def _records(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        yield name, name
