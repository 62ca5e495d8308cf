"""`Timeline`: what a traced run wrote down, for Chrome's trace viewer and Perfetto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

__all__ = ["AllocationMaximum", "StepStatsAnalysis", "Timeline"]

_LABEL = re.compile(r"(?s)(.*?) = ([^(]*)\((.*?)\)(?: // (.*))?$")


class AllocationMaximum(NamedTuple):
    """When an allocator held the most.

    Attributes
    ----------
    timestamp : int
        Microseconds.
    num_bytes : int
    tensors : tuple of str
        What ran then.
    """

    timestamp: int
    num_bytes: int
    tensors: Sequence[str]


class StepStatsAnalysis(NamedTuple):
    """The trace, and the most that each allocator held."""

    chrome_trace: _Trace
    allocator_maximums: dict[str, AllocationMaximum]


class _Trace:
    """Events of the trace format.

    Its times are microseconds since `began` (nanoseconds of the epoch), so that no digit is lost.
    """

    def __init__(self, began: int) -> None:
        self.began = began
        self.head: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    def format_to_string(self, pretty: bool = False) -> str:
        """The trace as JSON."""
        whole: dict[str, Any] = {
            "traceEvents": [*self.head, *self.events], "displayTimeUnit": "ns",
            "otherData": {"began": self.began},
        }  # fmt: skip
        return json.dumps(whole, indent=4 if pretty else None, separators=(",", ": "))


class _Event(NamedTuple):
    """A ``NodeExecStats``, read."""

    name: str
    op: str
    inputs: list[str]
    args: dict[str, Any]
    begin: float  # microseconds since the trace began
    took: float
    thread: int
    stats: Any


def _start(stats: Any) -> int:
    """When a step began, in nanoseconds."""
    return int(getattr(stats, "all_start_nanos", 0) or 0) or 1000 * int(stats.all_start_micros)


def _read(stats: Any, began: int) -> _Event:
    """What one message says."""
    label = str(stats.timeline_label)
    found = _LABEL.match(label)
    name, op, inputs, more = (str(stats.node_name), str(stats.node_name), "", "")
    if found:
        name, op, inputs, more = found[1], found[2], found[3], found[4] or ""
    args: dict[str, Any] = {}
    for word in more.split():
        key, _, value = word.partition("=")
        args[key] = int(value) if value.isdigit() else unquote(value)
    took = (getattr(stats, "all_end_rel_nanos", 0) or 1000 * stats.all_end_rel_micros) / 1000
    begin = (_start(stats) - began) / 1000
    names = [i for i in inputs.split(", ") if i]
    return _Event(name, op, names, args, begin, took, int(stats.thread_id), stats)


class Timeline:
    """Turns the statistics of a run into a trace.

    Parameters
    ----------
    step_stats : StepStats
        ``run_metadata.step_stats``.
    graph : Graph, optional
        Accepted; the statistics say what ran.

    Examples
    --------
    >>> import graphc as tf
    >>> from graphc.python.client import timeline
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     x = tf.random_uniform([100, 100])
    ...     options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    ...     metadata = tf.RunMetadata()
    ...     _ = sess.run(tf.matmul(x, x), options=options, run_metadata=metadata)
    >>> text = timeline.Timeline(metadata.step_stats).generate_chrome_trace_format()
    >>> text[:16]
    '{"traceEvents": '
    """

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        if not hasattr(step_stats, "dev_stats"):
            raise TypeError(
                "step_stats must be the step_stats of a tf.RunMetadata, "
                f"but got {type(step_stats).__name__}"
            )
        self._stats = step_stats
        self._graph = graph

    def analyze_step_stats(
        self, show_dataflow: bool = True, show_memory: bool = True
    ) -> StepStatsAnalysis:
        """The trace, and the most memory that temporaries took.

        Parameters
        ----------
        show_dataflow : bool
            Arrows from each step to those that read its results.
        show_memory : bool
            A counter of the bytes of temporaries in use.
        """
        starts = [_start(s) for d in self._stats.dev_stats for s in d.node_stats]
        trace = _Trace(min(starts, default=0))
        events: list[tuple[int, _Event]] = []
        for pid, device in enumerate(self._stats.dev_stats, 1):
            found = [_read(s, trace.began) for s in device.node_stats]
            trace.head.append(_named("process_name", pid, 0, f"{device.device} Compute"))
            for tid in sorted({e.thread for e in found}):
                name = dict(device.thread_names).get(tid, f"thread {tid}")
                trace.head.append(_named("thread_name", pid, tid, name))
            events += [(pid, e) for e in found]
        events.sort(key=lambda p: (p[1].begin, -p[1].took))
        trace.events += [_complete(pid, e) for pid, e in events]
        if show_dataflow:
            trace.events += _flows(events)
        most = _maximums(events)
        if show_memory:
            trace.head.append(_named("process_name", 0, 0, "Allocators"))
            trace.events += _counters(events)
        return StepStatsAnalysis(trace, most)

    def generate_chrome_trace_format(
        self, show_dataflow: bool = True, show_memory: bool = False
    ) -> str:
        """The trace as JSON, for ``chrome://tracing`` and https://ui.perfetto.dev.

        Each kernel is an event on the row of its thread; its arguments say the user's lines,
        bytes and flops, and the rates.
        """
        return self.analyze_step_stats(show_dataflow, show_memory).chrome_trace.format_to_string()


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    """What a row is called."""
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}


def _complete(pid: int, e: _Event) -> dict[str, Any]:
    """An event with its duration."""
    args: dict[str, Any] = {"name": e.name, "op": e.op, **e.args}
    args.update((f"input{i}", name) for i, name in enumerate(e.inputs))
    share = 1.0
    done, slash, units = str(e.args.get("units", "")).partition("/")
    if slash:
        share = int(done) / int(units)
    if e.took:
        if e.args.get("bytes"):
            args["GB/s"] = round(share * e.args["bytes"] / e.took / 1e3, 3)
        if e.args.get("flops"):
            args["GFLOP/s"] = round(share * e.args["flops"] / e.took / 1e3, 3)
    return {
        "ph": "X", "cat": "Op", "name": e.op, "pid": pid, "tid": e.thread, "ts": e.begin,
        "dur": e.took, "args": args,
    }  # fmt: skip


def _flows(events: Sequence[tuple[int, _Event]]) -> Iterator[dict[str, Any]]:
    """Arrows: from where a value was made last to its first readers since."""
    made: dict[str, tuple[int, _Event]] = {}
    number = 0
    for pid, e in events:
        if "kind" in e.args and e.args["kind"] != "host":
            continue
        for name in e.inputs:
            source = made.get(name)
            if source is None or source[1].begin > e.begin:
                continue
            number += 1
            start, maker = source
            common = {"cat": "DataFlow", "name": name, "id": number}
            # an arrow belongs to the event around its end; clocks of two threads differ a little
            inside = min(maker.begin + 0.99 * maker.took, e.begin)
            yield {"ph": "s", "pid": start, "tid": maker.thread, "ts": inside, **common}
            yield {"ph": "f", "bp": "e", "pid": pid, "tid": e.thread, "ts": e.begin, **common}
        made[e.name] = pid, e


def _uses(events: Sequence[tuple[int, _Event]]) -> Iterator[tuple[_Event, str, int]]:
    """What each event says of an allocator."""
    for _, e in events:
        for m in e.stats.memory:
            yield e, str(m.allocator_name), int(m.allocator_bytes_in_use)


def _counters(events: Sequence[tuple[int, _Event]]) -> Iterator[dict[str, Any]]:
    last: dict[str, int] = {}
    for e, name, size in _uses(events):
        if last.get(name) == size:
            continue
        last[name] = size
        yield {
            "ph": "C", "cat": "Memory", "name": name, "pid": 0, "tid": 0, "ts": e.begin,
            "args": {name: size},
        }  # fmt: skip


def _maximums(events: Sequence[tuple[int, _Event]]) -> dict[str, AllocationMaximum]:
    out: dict[str, AllocationMaximum] = {}
    for e, name, size in _uses(events):
        if name not in out or size > out[name].num_bytes:
            out[name] = AllocationMaximum(_start(e.stats) // 1000, size, (e.name,))
    return out
