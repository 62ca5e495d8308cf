"""``tf.contrib.summary``: summaries that write themselves when they are run."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from graphc.face.current import get_collection
from graphc.face.default_session import get_default_session
from graphc.face.flow import cond
from graphc.face.graph import get_default_graph
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import math
from graphc.ops.convert import convert_to_tensor
from graphc.ops.script import py_func
from graphc.ops.state import no_op
from graphc.train import steps

__all__ = [
    "SummaryWriter", "all_summary_ops", "always_record_summaries", "audio", "create_file_writer",
    "create_summary_file_writer", "eval_dir", "flush", "generic", "graph", "histogram", "image",
    "import_event", "initialize", "never_record_summaries",
    "record_summaries_every_n_global_steps", "scalar", "should_record_summaries",
    "summary_writer_initializer_op",
]  # fmt: skip

#: Collections of the graph: the operations that write, those that open, and those in charge.
_OPS, _INITIALISERS, _STATE = "_SUMMARY_V2", "_SUMMARY_WRITER_V2", "_SUMMARY_STATE_V2"


class SummaryWriter:
    """Writes to a folder; `create_file_writer` makes it."""

    def __init__(self, logdir: str | None, max_queue: int, secs: float, suffix: str | None) -> None:
        self._arguments = logdir, max_queue, secs, suffix
        self._writer: Any = None
        self._lock = threading.Lock()

    def file(self) -> Any:
        """The writer of events, opened when first needed."""
        from graphc.summary.writer import FileWriter

        with self._lock:
            if self._writer is None and self._arguments[0] is not None:
                folder, queue, secs, suffix = self._arguments
                self._writer = FileWriter(folder, None, queue, secs, None, suffix)
            return self._writer

    def set_as_default(self) -> None:
        """Write the summaries that are made from now on."""
        _state()["writer"] = self

    @contextlib.contextmanager
    def as_default(self) -> Iterator[SummaryWriter]:
        """Write the summaries that are made inside."""
        state = _state()
        before, state["writer"] = state.get("writer"), self
        try:
            yield self
        finally:
            state["writer"] = before
            if self._writer is not None:
                self._writer.flush()

    def _does(self, what: str) -> Any:
        def call() -> Any:
            writer = self.file()
            if writer is not None and what:
                getattr(writer, what)()
            return True

        return py_func(call, [], dtypes.bool_, stateful=True).op

    def init(self) -> Any:
        """An operation that opens the file."""
        return self._does("")

    def flush(self) -> Any:
        """An operation that writes what waits."""
        return self._does("flush")

    def close(self) -> Any:
        """An operation that writes what waits and closes the file."""
        return self._does("close")


def _state() -> dict[str, Any]:
    """Of the default graph: the writer, and whether summaries are recorded."""
    graph = get_default_graph()
    found = graph.get_collection_ref(_STATE)
    if not found:
        found.append({})
    out: dict[str, Any] = found[0]
    return out


# ------------------------------------------------------------------------- whether


def should_record_summaries() -> Any:
    """Whether summaries are recorded: a bool, or a tensor that says so in each run."""
    condition = _state().get("record", False)
    return condition() if callable(condition) else condition


@contextlib.contextmanager
def _recording(condition: Any) -> Iterator[None]:
    state = _state()
    before, state["record"] = state.get("record", False), condition
    try:
        yield
    finally:
        state["record"] = before


def always_record_summaries() -> Any:
    """A context in which summaries are recorded."""
    return _recording(True)


def never_record_summaries() -> Any:
    """A context in which no summaries are recorded."""
    return _recording(False)


def record_summaries_every_n_global_steps(n: int, global_step: Any = None) -> Any:
    """A context in which summaries are recorded when the global step is a multiple of `n`."""
    step = steps.get_or_create_global_step() if global_step is None else global_step

    def due() -> Any:
        return math.equal(math.mod(convert_to_tensor(step), n), 0)

    return _recording(due)


# ------------------------------------------------------------------------- writers


def create_file_writer(
    logdir: str | None, max_queue: int | None = None, flush_millis: int | None = None,
    filename_suffix: str | None = None, name: str | None = None,
) -> SummaryWriter:  # fmt: skip
    """A writer of events into a folder; with None one that writes nothing."""
    secs = 120.0 if flush_millis is None else flush_millis / 1000.0
    made = SummaryWriter(logdir, 10 if max_queue is None else max_queue, secs, filename_suffix)
    get_default_graph().add_to_collection(_INITIALISERS, made.init())
    return made


def create_summary_file_writer(*args: Any, **kwargs: Any) -> SummaryWriter:
    """`create_file_writer`."""
    return create_file_writer(*args, **kwargs)


def all_summary_ops() -> list[Any]:
    """The operations that write the summaries of the graph."""
    return get_collection(_OPS)


def summary_writer_initializer_op() -> list[Any]:
    """The operations that open the files."""
    return get_collection(_INITIALISERS)


def initialize(graph: Any = None, session: Any = None) -> None:
    """Open the files in a session; write `graph`.

    Raises
    ------
    ValueError
        Without a session.
    """
    if _state().get("writer") is None:
        raise RuntimeError("No default tf.contrib.summary.SummaryWriter found")
    if session is None:
        session = get_default_session()
        if session is None:
            raise ValueError("session must be passed if no default session exists")
    session.run(summary_writer_initializer_op())
    if graph is not None:
        writer = _state()["writer"].file()
        if writer is not None:
            writer.add_graph(graph)
            writer.flush()


def flush(writer: Any = None, name: str | None = None) -> Any:
    """An operation that writes what waits; None without a writer."""
    chosen = _state().get("writer") if writer is None else writer
    return None if chosen is None else chosen.flush()


def eval_dir(model_dir: str, name: str | None = None) -> str:
    """The folder of an evaluation's events below that of a model."""
    import os

    return os.path.join(model_dir, f"eval_{name}" if name else "eval")


# ------------------------------------------------------------------------- summaries


def _written(make: Callable[[], Any], step: Any, method: str = "add_summary") -> Any:
    """An operation that writes what `make` gives, when summaries are recorded."""
    writer = _state().get("writer")
    record = should_record_summaries()
    if writer is None or record is False:
        return no_op()
    at = convert_to_tensor(
        steps.get_or_create_global_step() if step is None else step, dtypes.int64
    )

    def write(text: Any, now: Any) -> Any:
        file = writer.file()
        if file is not None:
            data = text if isinstance(text, bytes) else bytes(text)
            if method == "add_summary":
                file.add_summary(data, int(now))
            else:
                from graphc.proto import Event

                file.add_event(Event.FromString(data))
        return True

    text = make()

    def run() -> Any:
        return py_func(write, [text, at], dtypes.bool_, stateful=True)

    if isinstance(record, Value):
        out: Any = cond(record, run, lambda: convert_to_tensor(False))
    else:
        out = run()
    get_default_graph().add_to_collection(_OPS, out)
    return out


def scalar(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Any:
    """A number to plot against the step."""
    from graphc.summary import ops

    return _written(lambda: ops.scalar(name, tensor, [], family), step)


def histogram(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Any:
    """How the elements of a tensor are distributed."""
    from graphc.summary import ops

    return _written(lambda: ops.histogram(name, tensor, [], family), step)


def image(
    name: str, tensor: Any, bad_color: Any = None, max_images: int = 3, family: str | None = None,
    step: Any = None,
) -> Any:  # fmt: skip
    """Images of a batch; `bad_color` is accepted (pixels that are not finite are red)."""
    from graphc.summary import ops

    return _written(lambda: ops.image(name, tensor, max_images, [], family), step)


def audio(
    name: str, tensor: Any, sample_rate: Any, max_outputs: int, family: str | None = None,
    step: Any = None,
) -> Any:  # fmt: skip
    """Sound of a batch."""
    from graphc.summary import ops

    return _written(lambda: ops.audio(name, tensor, sample_rate, max_outputs, [], family), step)


def generic(
    name: str, tensor: Any, metadata: Any = None, family: str | None = None, step: Any = None
) -> Any:
    """A tensor for a plugin of TensorBoard, which `metadata` names."""
    from graphc.summary import ops

    return _written(
        lambda: ops.tensor_summary(name, convert_to_tensor(tensor), None, [], metadata, family),
        step,
    )


def graph(param: Any, step: Any = None, name: str | None = None) -> Any:
    """An operation that writes a graph (a `GraphDef`).

    Raises
    ------
    TypeError
        For a graph that is no message.
    """
    if isinstance(param, Value) or not hasattr(param, "SerializeToString"):
        raise TypeError("graph() needs a tf.GraphDef, e.g. tf.get_default_graph().as_graph_def()")
    from graphc.proto import Event

    event = Event(graph_def=param.SerializeToString())
    return import_event(event.SerializeToString(), name)


def import_event(tensor: Any, name: str | None = None) -> Any:
    """An operation that writes a serialised event."""
    return _written(lambda: convert_to_tensor(tensor, dtypes.string), None, "add_event")
