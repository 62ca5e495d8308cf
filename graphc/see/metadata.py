"""`RunMetadata` of a run that was traced, as TensorFlow 1 lays it out.

Each event is a ``NodeExecStats``. Its label is read by `graphc.see.timeline` (and by TensorFlow's
own timeline, as far as that goes)::

    loss = reduce_sum(y) // kernel=k2_reduce_sum bytes=260 flops=64 lines=train.py:12 ops=loss

Native steps are on the device of the CPU, a row for each thread that took part; what Python did
(compiling, ops of the host, pauses) is on ``/host:CPU``.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote
from weakref import WeakKeyDictionary

import numpy as np

from graphc.face import config
from graphc.ir import dims as D
from graphc.ir.node import Node
from graphc.proto import MissingExtra, message
from graphc.runtime import deadline, trace
from graphc.runtime.llvm.tracing import give_back
from graphc.runtime.steps import Buf, StepSpec, base
from graphc.runtime.trace import Native, Span, Tracer
from graphc.see.profile import nodes_of, user_lines, work_of

__all__ = ["DEVICE", "HOST", "RunMetadata", "run_with_options", "step_stats"]

DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"
HOST = "/host:CPU"
#: Operations that a label names.
NAMED = 12

RunMetadata: Any
try:
    RunMetadata = message("RunMetadata")
except MissingExtra:
    RunMetadata = config.RunMetadata


def run_with_options(
    session: Any, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any
) -> Any:
    """``session.run`` with options or with metadata to fill.

    Raises
    ------
    AttributeError
        When they are not what they should be (so does TF1).
    """
    if options is not None and not hasattr(options, "trace_level"):
        raise AttributeError(
            f"options must be a tf.RunOptions: {type(options).__name__!r} object has no attribute "
            "'trace_level'"
        )
    if run_metadata is not None and not hasattr(run_metadata, "step_stats"):
        raise AttributeError(
            f"run_metadata must be a tf.RunMetadata: {type(run_metadata).__name__!r} object has no "
            "attribute 'step_stats'"
        )
    executor = session._executor
    run = partial(type(session).run, session, fetches, feed_dict)
    if executor is not None and options is not None and options.timeout_in_ms > 0:
        run = partial(_in_time, executor.state, options.timeout_in_ms / 1000, run)
    if run_metadata is None or executor is None:
        return run()
    if options is not None and options.trace_level:
        with trace.tracing(executor.state) as tracer, tracer.span("run", "Session.run"):
            result = run()
        fill(run_metadata, tracer)
    else:
        result = run()
        run_metadata.CopyFrom(type(run_metadata)())
    if options is not None and options.output_partition_graphs:
        part = _partition(session.graph, fetches)
        run_metadata.MergeFrom(type(run_metadata)(partition_graphs=[part]))
    return result


def _in_time(state: Any, seconds: float, run: Callable[[], Any]) -> Any:
    with deadline.within(state, seconds):
        return run()


def _partition(graph: Any, fetches: Any) -> Any:
    """The part of the graph that a run needs."""
    from graphc.face.dump import _elements
    from graphc.graphdef.util import extract_sub_graph

    names = [e.name if isinstance(e, Node) else e.node.name for e in _elements(fetches, graph)]
    return extract_sub_graph(graph.as_graph_def(), names)


# ------------------------------------------------------------------- the statistics


class Happened(NamedTuple):
    """What happened in a run, and apart from that when.

    Attributes
    ----------
    spans : list of (Span, int)
        What Python did, in the order of beginning, and the number of the thread.
    natives : list of Native
        The programs that ran.
    events : ndarray of int64
        Step, participant, number of the program, 0 and units of each event of native code, in
        order.
    times : ndarray of int64
        Begin and end of all of these in nanoseconds.
    lost : int
        Events for which there was no room.
    """

    spans: list[tuple[Span, int]]
    natives: list[Native]
    events: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    lost: int

    @classmethod
    def of(cls, tracer: Tracer) -> Happened:
        """What a tracer has written down (each call counts: the run has emptied the caches)."""
        shift = time.time_ns() - time.monotonic_ns()
        natives = list(tracer.natives.values())
        logs = [n.log.events for n in natives]
        events = logs[0] if len(logs) == 1 else np.concatenate([_NO_EVENTS, *logs])
        order = events[:, 2].argsort(kind="stable")
        events = events[order]
        spans = sorted(tracer.spans, key=lambda s: (s.begin, -s.end))
        ids = {thread: i for i, thread in enumerate(dict.fromkeys([s.thread for s in spans]))}
        times = np.empty((len(spans) + len(events), 2), np.int64)
        if spans:
            times[: len(spans)] = [(s.begin, s.end) for s in spans]
        times[len(spans) :] = events[:, 2:4]
        times += shift
        events[:, 2:4] = 0
        if len(logs) > 1:
            events[:, 2] = np.repeat(np.arange(len(logs)), [len(a) for a in logs])[order]
        lost = sum([n.log.lost for n in natives])
        return cls([(s, ids[s.thread]) for s in spans], natives, events, times, lost)

    def steps(self) -> list[tuple[Native, int, int, int]]:
        """Program, step, participant and units of each event."""
        return [(self.natives[n], step, who, u) for step, who, n, _, u in self.events.tolist()]


_NO_EVENTS = np.empty((0, 5), np.int64)


def step_stats(what: Happened, times: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """The fields of a ``StepStats`` message, as nested dicts and lists.

    `times` has the fields `_WHEN` for each span and step; all else is as in any such run.
    """
    when = iter(times)
    host = [{**_span(s), "thread_id": t, **next(when)} for s, t in what.spans]
    native = [{**_step_of(*e), **next(when)} for e in what.steps()]
    if what.lost:
        now = time.time_ns()
        text = f"{what.lost} more calls of kernels, for which there was no room"
        label = _label("lost", text, [], {})
        host.append(
            {"node_name": "lost", "timeline_label": label, "thread_id": 0, **_times(now, now)}
        )
    threads = sorted({t for _, t in what.spans})
    participants = sorted(set(what.events[:, 1].tolist()))
    devices = [
        {"device": HOST, "node_stats": host,
         "thread_names": {i: f"Python {i}" if i else "Python" for i in threads}},
        {"device": DEVICE, "node_stats": native,
         "thread_names": {t: f"worker {t}" if t else "caller" for t in participants}},
    ]  # fmt: skip
    return {"dev_stats": devices}


#: The fields for when something was.
_WHEN = (
    "all_start_micros", "scheduled_micros", "op_end_rel_micros", "all_end_rel_micros",
    "all_start_nanos", "scheduled_nanos", "op_end_rel_nanos", "all_end_rel_nanos",
)  # fmt: skip


def _times(begin: int, end: int) -> dict[str, int]:
    """The fields for when something was, in nanoseconds."""
    start, long = begin // 1000, (end - begin) // 1000
    values = start, start, long, long, begin, begin, end - begin, end - begin
    return dict(zip(_WHEN, values, strict=True))


def fill(metadata: Any, tracer: Tracer) -> None:
    """Let `metadata` say what a tracer has written down, and nothing else."""
    what = Happened.of(tracer)
    for n in what.natives:
        give_back(n.log)
    template = Template.of(what, type(metadata))
    if template is not None:
        metadata.ParseFromString(template.at(what.times))
        return
    stats = step_stats(what, (_times(*t) for t in what.times.tolist()))
    metadata.CopyFrom(type(metadata)(step_stats=stats))


def _label(name: str, op: str, inputs: Iterable[str], more: Mapping[str, Any]) -> str:
    """``name = op(inputs) // key=value …``; values are quoted as in addresses."""
    words = [f"{k}={quote(str(v), safe='/:,.-_^')}" for k, v in more.items() if v not in ("", None)]
    return f"{name} = {op}({', '.join(inputs)})" + (" // " + " ".join(words) if words else "")


def _span(s: Span) -> dict[str, Any]:
    """What Python did."""
    name, inputs, more = s.name, [], {"kind": s.kind}
    if s.node is not None:
        name = s.node.name
        inputs = [v.node.name for v in s.node.inputs]
        more["lines"] = ",".join(user_lines((s.node,)))
    return {"node_name": name, "timeline_label": _label(name, s.name, inputs, more)}


class Known:
    """What does not change from one run of a program to the next.

    Attributes
    ----------
    number : int
        No other compilation has it, as long as the process lives.
    steps : dict
        The fields of each step, by sizes.
    templates : dict
        Messages of whole runs, by what happened.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.steps: dict[Any, list[dict[str, Any]]] = {}
        self.templates: dict[Any, Template] = {}


_numbers = itertools.count()
_known: WeakKeyDictionary[Any, Known] = WeakKeyDictionary()


def _known_of(native: Native) -> Known:
    found = _known.get(native.compilation)
    if found is None:
        found = _known.setdefault(native.compilation, Known())
    return found


class Template:
    """The bytes of a message in which only times are left to fill in.

    A run that does the same as the one before needs no message made of Python objects: numbers of
    the length of times are in it, whose places were found once.
    """

    def __init__(self, message: bytes, count: int) -> None:
        self.bytes = np.frombuffer(message, np.uint8)
        places = np.empty(count, np.intp)
        for m in re.finditer(_MARK, message):
            digits = [b & 127 for b in m[0][:3]]
            places[digits[0] | digits[1] << 7 | digits[2] << 14] = m.start()
        self.places = places.reshape(-1, 4, 2)  # each time stands in two fields

    @classmethod
    def of(cls, what: Happened, message: Any) -> Template | None:
        """That of a run; None for one that is too long, or has no native code."""
        count = len(what.times) * len(_WHEN)
        if not len(what.events) or what.lost or count >= 1 << 14:
            return None
        if not hasattr(message, "FromString"):
            return None
        known = _known_of(what.natives[0])
        key = (
            message,
            tuple([(s.kind, s.name, s.node, t) for s, t in what.spans]),
            tuple([(_known_of(n).number, *n.bound.env.values()) for n in what.natives]),
            what.events.tobytes(),
        )
        found = known.templates.get(key)
        if found is None:
            marks = range(_FIRST, _FIRST + count)
            rows = [dict(zip(_WHEN, marks[k : k + 8], strict=True)) for k in range(0, count, 8)]
            made = message(step_stats=step_stats(what, rows)).SerializeToString()
            if len(known.templates) >= TEMPLATES:
                known.templates.clear()
            found = known.templates[key] = cls(made, count)
        return found

    def at(self, times: np.ndarray[Any, Any]) -> bytes:
        """The message with each begin and end of `times`, in the fields `_WHEN`."""
        values = np.empty((len(times), 4), np.int64)
        values[:, 2] = times[:, 0]
        values[:, 3] = times[:, 1] - times[:, 0]
        values[:, :2] = values[:, 2:] // 1000
        out = self.bytes.copy()
        anywhere = np.ndarray(len(out) - 8, _NINE, out, strides=(1,))  # nine bytes from each one
        digits = values[:, :, None] >> _SHIFTS & 127 | _GOES_ON
        anywhere[self.places] = digits.astype(np.uint8).view(_NINE)
        return bytes(out)


#: Templates kept for one compilation.
TEMPLATES = 8
#: Numbers of nine bytes, as protocol buffers have them, and what they look like.
_FIRST = 1 << 62
_MARK = rb"[\x80-\xff]{3}\x80{5}\x40"
_SHIFTS = 7 * np.arange(9)
_GOES_ON = np.array([128] * 8 + [0])
_NINE = np.dtype("V9")


def _fixed(native: Native) -> list[dict[str, Any]]:
    """What does not change from one call to the next, for each step of a program."""
    b = native.bound
    kept = _known_of(native).steps
    found = kept.get(tuple(b.env.values()))
    if found is None:
        live = _live_bytes(native)
        found = [_step(s, phase, b.env, live) for s, phase in zip(b.steps, b.phases, strict=True)]
        kept.clear()  # sizes come and go
        kept[tuple(b.env.values())] = found
    return found


def _step_of(native: Native, row: int, who: int, units: int) -> dict[str, Any]:
    """A step of a program, or units of it, by one participant."""
    fixed, every = _fixed(native)[row], int(native.bound.program.units[row])
    part = "" if units == every else f" units={units}/{every}"
    return {**fixed, "timeline_label": fixed["timeline_label"] + part, "thread_id": who}


def _live_bytes(native: Native) -> dict[StepSpec, int]:
    """Bytes of temporaries that are in use at each step of a plan."""
    steps = native.compilation.plan.steps
    changes = [0] * (len(steps) + 1)
    for b in dict.fromkeys(b for s in steps for b in s.binds if b.kind == "arena"):
        size = _size(b, native.bound.env)
        changes[b.first] += size
        changes[b.last + 1] -= size
    out, now = {}, 0
    for s, change in zip(steps, changes, strict=False):
        now += change
        out[s] = now
    return out


def _size(b: Buf, env: Any) -> int:
    return int(D.evaluate(b.count, env)) * b.dtype.size


def _step(s: StepSpec, phase: str, env: Any, live: Mapping[StepSpec, int]) -> dict[str, Any]:
    """What does not change from one call of a step to the next."""
    nodes, work = nodes_of(s.node), work_of(s, phase, env)
    op = re.sub(r"^k\d+_", "", s.code.name)
    inputs = dict.fromkeys(base(v).node.name for v in s.node.inputs)
    names = list(dict.fromkeys(n.name for n in nodes if n.name))
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"and {len(names) - NAMED + 1} more"]
    more = {
        "kernel": s.code.name, "phase": phase, "bytes": work.bytes, "flops": work.flops,
        "lines": ",".join(user_lines(nodes)), "ops": ",".join(names),
    }  # fmt: skip
    return {
        "node_name": s.node.name or s.code.name,
        "timeline_label": _label(s.node.name or s.code.name, op, inputs, more),
        "output": [_output(i, b, env) for i, b in enumerate(s.writes) if b.kind != "scratch"],
        "memory": [{"allocator_name": "arena", "live_bytes": live.get(s, 0),
                    "allocator_bytes_in_use": live.get(s, 0)}],
    }  # fmt: skip


def _output(slot: int, b: Buf, env: Any) -> dict[str, Any]:
    """A buffer that a step writes."""
    size = _size(b, env)
    return {
        "slot": slot,
        "tensor_description": {
            "dtype": b.dtype.as_datatype_enum,
            "shape": {"dim": [{"size": int(D.evaluate(b.count, env))}]},
            "allocation_description": {"requested_bytes": size, "allocator_name": b.kind},
        },
    }
