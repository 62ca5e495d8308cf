"""`RunMetadata` of a run that was traced, as TensorFlow 1 lays it out.

Each event is a ``NodeExecStats``. Its label is read by `graphc.see.timeline` (and by TensorFlow's
own timeline, as far as that goes)::

    loss = reduce_sum(y) // kernel=k2_reduce_sum bytes=260 flops=64 lines=train.py:12 ops=loss

Native steps are on the device of the CPU, a row for each thread that took part; what Python did
(compiling, ops of the host, pauses) is on ``/host:CPU``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from graphc.face import config
from graphc.ir import dims as D
from graphc.ir.node import Node
from graphc.proto import MissingExtra, message
from graphc.runtime import deadline, trace
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
    made: dict[str, Any] = {}
    if options is not None and options.trace_level:
        with trace.tracing(executor.state) as tracer, tracer.span("run", "Session.run"):
            result = run()
        made["step_stats"] = step_stats(tracer)
    else:
        result = run()
    if options is not None and options.output_partition_graphs:
        made["partition_graphs"] = [_partition(session.graph, fetches)]
    run_metadata.CopyFrom(type(run_metadata)(**made))
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


def step_stats(tracer: Tracer) -> dict[str, Any]:
    """The fields of a ``StepStats`` message, as nested dicts and lists."""
    shift = time.time_ns() - time.monotonic_ns()
    native = [s for n in tracer.natives.values() for s in _events(n, shift)]
    native.sort(key=lambda s: s["all_start_nanos"])
    threads = sorted({s["thread_id"] for s in native})
    host = [_span(s, shift) for s in sorted(tracer.spans, key=lambda s: (s.begin, -s.end))]
    lost = sum(n.log.lost for n in tracer.natives.values())
    if lost:
        now = time.time_ns()
        label = _label("lost", f"{lost} more calls of kernels, for which there was no room", [], {})
        host.append(
            {"node_name": "lost", "timeline_label": label, "thread_id": host[0]["thread_id"],
             **_times(now, now)}
        )  # fmt: skip
    ids = {thread: i for i, thread in enumerate(dict.fromkeys(s["thread_id"] for s in host))}
    for s in host:
        s["thread_id"] = ids[s["thread_id"]]
    devices = [
        {"device": HOST, "node_stats": host,
         "thread_names": {i: f"Python {i}" if i else "Python" for i in ids.values()}},
        {"device": DEVICE, "node_stats": native,
         "thread_names": {t: f"worker {t}" if t else "caller" for t in threads}},
    ]  # fmt: skip
    return {"dev_stats": devices}


def _times(begin: int, end: int) -> dict[str, int]:
    """The fields for when something was, in nanoseconds."""
    took = end - begin
    return {
        "all_start_micros": begin // 1000, "op_end_rel_micros": took // 1000,
        "all_end_rel_micros": took // 1000, "scheduled_micros": begin // 1000,
        "all_start_nanos": begin, "op_end_rel_nanos": took, "all_end_rel_nanos": took,
        "scheduled_nanos": begin,
    }  # fmt: skip


def _label(name: str, op: str, inputs: Iterable[str], more: Mapping[str, Any]) -> str:
    """``name = op(inputs) // key=value …``; values are quoted as in addresses."""
    words = [f"{k}={quote(str(v), safe='/:,.-_^')}" for k, v in more.items() if v not in ("", None)]
    return f"{name} = {op}({', '.join(inputs)})" + (" // " + " ".join(words) if words else "")


def _span(s: Span, shift: int) -> dict[str, Any]:
    """What Python did."""
    name, inputs, more = s.name, [], {"kind": s.kind}
    if s.node is not None:
        name = s.node.name
        inputs = [v.node.name for v in s.node.inputs]
        more["lines"] = ",".join(user_lines((s.node,)))
    return {
        "node_name": name, "timeline_label": _label(name, s.name, inputs, more),
        "thread_id": s.thread, **_times(s.begin + shift, s.end + shift),
    }  # fmt: skip


#: What does not change from one run of a program to the next, by compilation and sizes.
_known: WeakKeyDictionary[Any, dict[Any, list[dict[str, Any]]]] = WeakKeyDictionary()


def _fixed(native: Native) -> list[dict[str, Any]]:
    """What does not change from one call to the next, for each step of a program."""
    b = native.bound
    kept = _known.setdefault(native.compilation, {})
    found = kept.get(tuple(b.env.values()))
    if found is None:
        live = _live_bytes(native)
        found = [_step(s, phase, b.env, live) for s, phase in zip(b.steps, b.phases, strict=True)]
        kept.clear()  # sizes come and go
        kept[tuple(b.env.values())] = found
    return found


def _events(native: Native, shift: int) -> list[dict[str, Any]]:
    """The steps of a program, as often as they ran."""
    fixed, all_units = _fixed(native), native.bound.program.units.tolist()
    out = []
    for row, who, begin, end, units in native.log.events.tolist():
        label = fixed[row]["timeline_label"]
        if units != all_units[row]:  # a part of the step
            label += f" units={units}/{all_units[row]}"
        out.append(
            {**fixed[row], "timeline_label": label, "thread_id": who,
             **_times(begin + shift, end + shift)}
        )  # fmt: skip
    return out


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
