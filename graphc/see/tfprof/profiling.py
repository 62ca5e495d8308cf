"""``tf.profiler``: ``profile``, ``advise``, ``Profiler``, and logs of operations."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import InvalidArgumentError, NotFoundError, UnimplementedError
from graphc.face.graph import get_default_graph
from graphc.proto import message
from graphc.see.tfprof.flops import UnknownShape, flops_of
from graphc.see.tfprof.model import FIGURES, Entry, Item, items_of, views
from graphc.see.tfprof.options import ProfileOptionBuilder, options_of
from graphc.see.tfprof.report import END, amount, options_text, report

__all__ = ["ALL_ADVICE", "Profiler", "advise", "profile", "write_op_log"]

#: What ``advise`` looks at where nothing else is asked for.
ALL_ADVICE: dict[str, dict[str, Any]] = {
    "ExpensiveOperationChecker": {},
    "AcceleratorUtilizationChecker": {},
    "JobChecker": {},
    "OperationChecker": {},
}
#: The default of TensorFlow's functions; `None` is another name of it.
_DEFAULT = 0
_OUTPUTS = ("file", "none", "pprof", "stdout", "timeline")


def _fill(made: Any, e: Entry, single: bool) -> None:
    """Copy the name and the figures of a node into a message."""
    made.name = e.name
    for f in FIGURES:
        if e.figures[f] and e.account and hasattr(made, f):
            setattr(made, f, e.figures[f])
        if hasattr(made, f"total_{f}"):
            setattr(made, f"total_{f}", e.total[f])
    if not single:
        return
    made.devices.extend(e.devices)
    for item in e.items[:1]:
        for i, sizes in item.input_shapes.items():
            for n in sizes:
                made.input_shapes[i].dim.add(size=n)


def _tree_message(root: Entry) -> Any:
    top = message("GraphNodeProto")()
    waiting = [(top, root)]
    while waiting:
        made, e = waiting.pop()
        _fill(made, e, True)
        for child in e.shown:
            waiting.append((made.children.add(), child))
    return top


def _multi_message(root: Entry, chained: bool) -> Any:
    """The message of the views that gather several operations in a node."""
    top = message("MultiGraphNodeProto")()
    waiting = [(top, root)]
    while waiting:
        made, e = waiting.pop()
        _fill(made, e, False)
        for item in e.items:
            own = made.graph_nodes.add()
            one = Entry(item.name, [item])
            one.total = dict(item.figures)
            _fill(own, one, True)
        if chained and e is root:
            for child in e.shown:  # each type is the child of the one before
                made = made.children.add()
                _fill(made, child, False)
                for item in child.items:
                    one = Entry(item.name, [item])
                    one.total = dict(item.figures)
                    _fill(made.graph_nodes.add(), one, True)
        elif not chained:
            for child in e.shown:
                waiting.append((made.children.add(), child))
    return top


def _timeline(root: Entry, path: str) -> None:
    """A file for Chrome's viewer: each node as long as what is below it."""
    events: list[dict[str, Any]] = []
    waiting = [(root, 0, 0)]
    rows: set[int] = set()
    while waiting:
        e, depth, start = waiting.pop(0)
        if depth not in rows:
            rows.add(depth)
            events.append({"args": {"name": f"Scope:{depth}"}, "name": "process_name",
                           "ph": "M", "pid": depth})  # fmt: skip
        events.append({
            "args": {"name": e.name, "op": e.name}, "cat": "Op", "dur": e.total["exec_micros"],
            "name": e.name, "ph": "X", "pid": depth, "tid": 0, "ts": start,
        })  # fmt: skip
        for child in e.shown:
            waiting.append((child, depth + 1, start))
            start += child.total["exec_micros"]
    with open(path, "w") as f:
        json.dump({"traceEvents": events}, f)
    rule = "*" * 54
    sys.stdout.write(
        f"\n{rule}\nTimeline file is written to {path}.\nOpen a Chrome browser, enter URL "
        f"chrome://tracing and load the timeline file.\n{rule}"
    )


def _write(root: Entry, cmd: str, options: Mapping[str, Any]) -> None:
    """The report, to where the options say."""
    kind, _, rest = options["output"].partition(":")
    path = dict(p.partition("=")[::2] for p in rest.split(",")).get("outfile", "")
    if kind not in _OUTPUTS:
        raise InvalidArgumentError(
            None, None, f"Unknown output type: {kind}, Valid types: {','.join(_OUTPUTS)}"
        )
    if kind == "pprof":
        raise UnimplementedError(
            None,
            None,
            "profiles for pprof are not written here: use with_timeline_output or with_file_output",
        )
    if kind == "timeline":
        _timeline(root, f"{path}_{options['step']}")
    elif kind == "file":
        with open(path, "w") as f:
            f.write(report(root, cmd, options))
    elif kind == "stdout":
        sys.stdout.write(options_text(options) + report(root, cmd, options) + END)


def _profiled(items: Sequence[Item], cmd: str, options: Any) -> Any:
    given = options_of(options)
    root = views[cmd](given).root(items)
    _write(root, cmd, given)
    return _tree_message(root) if cmd in ("scope", "graph") else _multi_message(root, cmd == "op")


def _items(graph: Any, run_meta: Any, op_log: Any) -> list[Item]:
    items, unknown = items_of(graph, run_meta, op_log)
    if unknown and run_meta is None:
        sys.stderr.write(f"{unknown} ops no flops stats due to incomplete shapes.\n")
    return items


def profile(
    graph: Any = None, run_meta: Any = None, op_log: Any = None, cmd: str = "scope",
    options: Any = _DEFAULT,
) -> Any:  # fmt: skip
    """Count the parameters, float operations, time or memory of a graph, and print a report.

    Parameters
    ----------
    graph : tf.Graph, optional
        The default graph if not given.
    run_meta : tf.RunMetadata, optional
        Of a traced run: times and memory.
    op_log : OpLogProto, optional
        Types and numbers of operations that are the user's own.
    cmd : {"scope", "graph", "op", "code"}
        How nodes are arranged: by name scopes, by who reads them, by type, by lines of Python.
    options : dict, optional
        From `ProfileOptionBuilder`; parameters of the trainable variables if not given.

    Returns
    -------
    GraphNodeProto or MultiGraphNodeProto
        The root; `total_float_ops`, `total_parameters` and so on are the sums.

    Raises
    ------
    tf.errors.InvalidArgumentError
        For another `cmd` or kind of output.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     product = tf.matmul(tf.ones([2, 3]), tf.ones([3, 4]))
    >>> builder = tf.profiler.ProfileOptionBuilder
    >>> options = builder(builder.float_operation()).with_empty_output().build()
    >>> tf.profiler.profile(g, options=options).total_float_ops
    Parsing Inputs...
    48
    """
    if cmd not in views:
        raise InvalidArgumentError(None, None, f"unknown cmd: {cmd}\n")
    items = _items(graph or get_default_graph(), run_meta, op_log)
    sys.stdout.write("Parsing Inputs...\n")
    return _profiled(items, cmd, options)


def _advice(items: Sequence[Item], options: Mapping[str, Any]) -> Any:
    """What costs most, as text for each checker."""
    made = message("AdviceProto")()
    for name in sorted(options):
        if name not in ALL_ADVICE:
            raise InvalidArgumentError(
                None, None, f"Unknown checker: {name}. Checkers are {', '.join(ALL_ADVICE)}."
            )
        if name == "JobChecker":
            continue
        reports = _expensive(items) if name == "ExpensiveOperationChecker" else []
        made.checkers[name].reports.extend(reports)
        sys.stdout.write("\n".join([f"\n{name}:", *reports]) + "\n")
    return made


def _spent(figures: Mapping[str, int]) -> str:
    cpu, other, both = (
        amount(figures[f], "us")
        for f in ("cpu_exec_micros", "accelerator_exec_micros", "exec_micros")
    )
    return f"cpu: {cpu}, accelerator: {other}, total: {both}"


def _expensive(items: Sequence[Item]) -> list[str]:
    """The types and the nodes that took longest."""
    if not any(i.figures["exec_micros"] for i in items):
        return []
    options = options_of(ProfileOptionBuilder.time_and_memory(min_bytes=0))
    whole = views["op"](options).root(items)
    kinds = [
        f"top {i + 1} operation type: {e.name}, {_spent(e.figures)} "
        f"({100.0 * e.figures['exec_micros'] / whole.total['exec_micros']:.2f}%)"
        for i, e in enumerate(whole.shown[:3])
    ]
    slow = sorted(items, key=lambda i: -i.figures["exec_micros"])
    slow = [i for i in slow if i.figures["exec_micros"]]
    nodes = [
        f"top {i + 1} graph node: {item.name}, {_spent(item.figures)}"
        for i, item in enumerate(slow[:3])
    ]
    return ["\n".join(kinds), "\n".join(nodes)]


def advise(graph: Any = None, run_meta: Any = None, options: Any = _DEFAULT) -> Any:
    """Say what took most of the time of a traced run.

    Parameters
    ----------
    graph : tf.Graph, optional
    run_meta : tf.RunMetadata, optional
    options : dict, optional
        Names of checkers with their options; all of them if not given.

    Returns
    -------
    AdviceProto
        The texts of each checker.
    """
    items = _items(graph or get_default_graph(), run_meta, None)
    sys.stdout.write("Parsing Inputs...\n")
    return _advice(items, options or ALL_ADVICE)


class Profiler:
    """Profiles several traced runs of one graph.

    Parameters
    ----------
    graph : tf.Graph, optional
    op_log : OpLogProto, optional

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default() as g:
    ...     v = tf.get_variable("v", [3, 4])
    >>> builder = tf.profiler.ProfileOptionBuilder
    >>> options = builder(builder.trainable_variables_parameter()).with_empty_output().build()
    >>> tf.profiler.Profiler(g).profile_name_scope(options).total_parameters
    12
    """

    def __init__(self, graph: Any = None, op_log: Any = None) -> None:
        self._graph = graph or get_default_graph()
        self._op_log = op_log
        self._runs: dict[int, Any] = {}

    def add_step(self, step: int, run_meta: Any) -> None:
        """Keep a traced run under a number."""
        self._runs[step] = run_meta

    def _of(self, options: Any) -> list[Item]:
        """The operations with the times of the run asked for, or the mean of all."""
        step = options_of(options)["step"]
        if step >= 0 and self._runs and step not in self._runs:
            raise InvalidArgumentError(
                None, None, f"There is no step {step}: add_step got {sorted(self._runs)}"
            )
        if step >= 0 or len(self._runs) < 2:
            run = self._runs.get(step) or next(iter(self._runs.values()), None)
            return _items(self._graph, run, self._op_log)
        each = [_items(self._graph, run, self._op_log) for run in self._runs.values()]
        for same in zip(*each, strict=True):
            for f in FIGURES[:7]:
                same[0].figures[f] = sum(i.figures[f] for i in same) // len(same)
        return each[0]

    def profile_python(self, options: Any) -> Any:
        """By lines of Python."""
        return _profiled(self._of(options), "code", options)

    def profile_operations(self, options: Any) -> Any:
        """By types of operations."""
        return _profiled(self._of(options), "op", options)

    def profile_name_scope(self, options: Any) -> Any:
        """By name scopes."""
        return _profiled(self._of(options), "scope", options)

    def profile_graph(self, options: Any) -> Any:
        """By who reads what."""
        return _profiled(self._of(options), "graph", options)

    def advise(self, options: Any) -> Any:
        """What took most of the time."""
        return _advice(self._of(None), options or ALL_ADVICE)

    def serialize_to_string(self) -> bytes:
        """The graph with its figures as a ``ProfileProto``."""
        made = message("ProfileProto")(steps=sorted(self._runs))
        for i, item in enumerate(self._of(None)):
            node = made.nodes[i]
            node.name, node.op, node.id = item.name, item.kind, i
            node.op_types.extend(sorted(item.types))
            node.shape.extend(item.shape or ())
            node.float_ops = item.figures["float_ops"]
        data: bytes = made.SerializeToString()
        return data


def write_op_log(
    graph: Any, log_dir: Any, op_log: Any = None, run_meta: Any = None, add_trace: bool = True
) -> None:
    """Write what the profiler knows of each operation to the file ``tfprof_log`` of a folder.

    Parameters
    ----------
    graph : tf.Graph or None
    log_dir : str
    op_log : OpLogProto, optional
        Entries to take over.
    run_meta : tf.RunMetadata, optional
    add_trace : bool
        Whether the lines of Python are written too.

    Raises
    ------
    tf.errors.NotFoundError
        When there is no such folder.
    """
    graph = graph or get_default_graph()
    made = message("OpLogProto")()
    entries = {}
    for entry in () if op_log is None else op_log.log_entries:
        entries[entry.name] = made.log_entries.add()
        entries[entry.name].CopyFrom(entry)
    for op in graph.get_operations():
        try:
            count = flops_of(op)
        except UnknownShape:
            count = None
        if not count and not add_trace and op.name not in entries:
            continue
        if op.name not in entries:
            entries[op.name] = made.log_entries.add(name=op.name)
        entries[op.name].float_ops = entries[op.name].float_ops or count or 0
        for file, line, function, text in op.traceback if add_trace else ():
            entries[op.name].code_def.traces.add(
                file=file, lineno=line, function=function, line=text
            )
    for v in graph.get_collection("trainable_variables"):
        if v.op.name not in entries:
            entries[v.op.name] = made.log_entries.add(name=v.op.name)
        entries[v.op.name].types.append("_trainable_variables")
    path = os.path.join(os.fspath(log_dir), "tfprof_log")
    try:
        with open(path, "wb") as f:
            f.write(made.SerializeToString())
    except FileNotFoundError:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from None
