"""Event files: what `FileWriter` writes and TensorBoard reads."""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

from graphc.checkpoint.records import TFRecordWriter, tf_record_iterator
from graphc.errors import AlreadyExistsError, OpError, system_errors
from graphc.face import logging
from graphc.face.files import makedirs
from graphc.face.graph import Graph, get_default_graph
from graphc.proto import message

__all__ = ["FileWriter", "FileWriterCache", "summary_iterator"]


_CLOSED = (
    "Attempting to use a closed FileWriter. The operation will be a noop unless the FileWriter is "
    "explicitly reopened."
)


class EventsFile:
    """A file of events.

    Parameters
    ----------
    logdir : str
        The folder, made when it is missing.
    max_queue : int
        Events kept in memory before they go to the system.
    flush_secs : float
        Seconds after which they go anyway, when the next event comes.
    suffix : str
        Of the file's name.
    """

    def __init__(self, logdir: str, max_queue: int, flush_secs: float, suffix: str) -> None:
        makedirs(logdir)
        self.path = _free_name(logdir, suffix)
        self.max_queue, self.flush_secs = max_queue, flush_secs
        self.waiting, self.flushed = 0, time.time()
        self.file = TFRecordWriter(self.path)
        self.lock = threading.Lock()
        self.failed = False
        self.write(message("Event")(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def write(self, event: Any) -> None:
        """Append an event."""
        with self.lock, self._forgiving():
            self.file.write(event.SerializeToString())
            self.waiting += 1
            if self.waiting > self.max_queue or time.time() - self.flushed > self.flush_secs:
                self._flush()

    def flush(self) -> None:
        """Hand all events to the system."""
        with self.lock, self._forgiving():
            self._flush()

    @contextlib.contextmanager
    def _forgiving(self) -> Iterator[None]:
        """A full disk ends no training, as in TensorFlow: it is said once, and tried again later.

        Events stay in memory until they are written, so none is torn.
        """
        try:
            yield
            self.failed = False
        except OpError as e:
            if not self.failed:
                logging.error("Events could not be written: %s", e.message)
            self.failed = True

    def _flush(self) -> None:
        self.file.flush()
        self.waiting, self.flushed = 0, time.time()

    def close(self) -> None:
        """Finish the file."""
        with self.lock, self._forgiving():
            self.file.close()


def _free_name(logdir: str, suffix: str) -> str:
    """A name that TensorBoard knows as an event file, and that nobody has."""
    base = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
    path, i = os.path.join(logdir, base + suffix), 0
    while True:
        try:
            with system_errors(path):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return path
        except AlreadyExistsError:
            i += 1
            path = os.path.join(logdir, f"{base}.{os.getpid()}.{i}{suffix}")


_open: weakref.WeakSet[FileWriter] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    for w in list(_open):
        if not w._closed:
            with contextlib.suppress(Exception):
                w.flush()


class FileWriter:
    """Writes summaries, graphs and events for TensorBoard.

    Parameters
    ----------
    logdir : str
        The folder of the run.
    graph : Graph, optional
        Written at once.
    max_queue : int
        Events kept in memory before they go to the system.
    flush_secs : int
        Seconds after which they go anyway.
    graph_def : GraphDef, optional
        The older form of `graph`.
    filename_suffix : str, optional
    session
        Accepted: in graphc the writer needs none.

    Raises
    ------
    ImportError
        Without the tensorboard package (extra ``tensorboard``).
    """

    def __init__(
        self,
        logdir: Any,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        message("Event")
        self._logdir = logdir.decode() if isinstance(logdir, bytes) else os.fspath(logdir)
        self._options = (max_queue, flush_secs, filename_suffix or "")
        self._closed = False
        self._seen: set[str] = set()
        self._file = EventsFile(self._logdir, *self._options)
        _open.add(self)
        if graph is not None or graph_def is not None:
            self.add_graph(graph=graph, graph_def=graph_def)

    def get_logdir(self) -> str:
        """The folder."""
        return self._logdir

    @property
    def event_writer(self) -> FileWriter:
        return self

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ---- what is written

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        """Write a summary: the bytes that a run gave, or a ``Summary`` message."""
        if isinstance(summary, bytes):
            summary = message("Summary").FromString(summary)
        for value in summary.value:
            if value.metadata.ByteSize():  # said once for each tag: readers remember it
                if value.tag in self._seen:
                    value.ClearField("metadata")
                else:
                    self._seen.add(value.tag)
        self._add(global_step, summary=summary)

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        """Write a ``SessionLog`` message: START tells TensorBoard that later steps are void."""
        self._add(global_step, session_log=session_log)

    def add_graph(self, graph: Any = None, global_step: Any = None, graph_def: Any = None) -> None:
        """Write a graph.

        Raises
        ------
        ValueError
            When both forms are given, or none.
        TypeError
            When it is no graph.
        """
        if graph is not None and graph_def is not None:
            raise ValueError("Please pass only graph, or graph_def (deprecated), but not both.")
        if isinstance(graph, Graph) or isinstance(graph_def, Graph):
            real = graph if isinstance(graph, Graph) else graph_def
            made: Any = real.as_graph_def(add_shapes=True)
            self._add(global_step, graph_def=made.SerializeToString())
            return
        given = graph if graph is not None else graph_def
        if given is None:
            raise ValueError("Either graph or graph_def must be passed.")
        if not isinstance(given, message("GraphDef")):
            raise TypeError(
                "The passed graph must be an instance of `Graph` or the deprecated `GraphDef`"
            )
        self._add(global_step, graph_def=given.SerializeToString())

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        """Write a ``MetaGraphDef`` message."""
        if not isinstance(meta_graph_def, message("MetaGraphDef")):
            raise TypeError(
                f"meta_graph_def must be type MetaGraphDef, saw type: {type(meta_graph_def)}"
            )
        self._add(global_step, meta_graph_def=meta_graph_def.SerializeToString())

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        """Write what is known of a run, under a tag of its own.

        Raises
        ------
        ValueError
            When the tag was used before.
        """
        key = "run metadata:" + tag
        if key in self._seen:
            raise ValueError("The provided tag was already used for this event type")
        self._seen.add(key)
        hook = getattr(run_metadata, "SerializeToString", None)
        raw = hook() if callable(hook) else b""
        self._add(
            global_step,
            tagged_run_metadata=message("TaggedRunMetadata")(tag=tag, run_metadata=raw),
        )

    def _add(self, step: Any, **what: Any) -> None:
        event = message("Event")(wall_time=time.time(), **what)
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_event(self, event: Any) -> None:
        """Write an ``Event`` message; a closed writer warns and writes nothing."""
        if self._closed:
            warnings.warn(_CLOSED, stacklevel=3)
            return
        self._file.write(event)

    # ---- the file

    def flush(self) -> None:
        """Hand all events to the system, so that TensorBoard sees them."""
        if self._closed:
            warnings.warn(_CLOSED, stacklevel=2)
            return
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        if not self._closed:
            self._file.close()
        self._closed = True

    def reopen(self) -> None:
        """Begin a new file after `close`; does nothing to an open writer."""
        if self._closed:
            self._file = EventsFile(self._logdir, *self._options)
            self._closed = False


class FileWriterCache:
    """One writer for each folder."""

    _cache: ClassVar[dict[str, FileWriter]] = {}
    _lock = threading.RLock()

    @staticmethod
    def get(logdir: Any) -> FileWriter:
        """The writer of a folder, made when there is none, and opened again when it is closed."""
        key = os.fspath(logdir)
        with FileWriterCache._lock:
            found = FileWriterCache._cache.get(key)
            if found is None:
                found = FileWriterCache._cache[key] = FileWriter(key, graph=get_default_graph())
            found.reopen()
            return found

    @staticmethod
    def clear() -> None:
        """Close all writers."""
        with FileWriterCache._lock:
            for w in FileWriterCache._cache.values():
                w.close()
            FileWriterCache._cache.clear()


def summary_iterator(path: Any) -> Iterator[Any]:
    """The ``Event`` messages of an event file.

    Raises
    ------
    NotFoundError
        When there is no such file.
    DataLossError
        Where it is damaged.
    """
    event = message("Event")
    for raw in tf_record_iterator(path):
        yield event.FromString(raw)
