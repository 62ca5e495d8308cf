"""The report of a profile, as TensorFlow 1.15 prints it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.see.tfprof.model import Entry

__all__ = ["END", "amount", "options_text", "report"]

END = "\n======================End of Report==========================\n"

_TREE = "The nodes in the model graph are organized by their names, which is hierarchical like "
_VIEWS = {
    "scope": f"scope: {_TREE}filesystem.",
    "graph": f"scope: {_TREE}filesystem.",
    "op": (
        "op: The nodes are operation kernel type, such as MatMul, Conv2D. Graph nodes belonging "
        "to the same type are aggregated together."
    ),
    "code": (
        "code: When python trace is available, the nodes are python lines and their are organized "
        "by the python call stack."
    ),
}
_CPU = (
    "cpu execution time: The time from the start to the end of the operation. It's the sum of "
    "actual cpu run time plus the time that it spends waiting if part of computation is launched "
    "asynchronously."
)
_ACCELERATOR = (
    "accelerator execution time: Time spent executing on the accelerator. This is normally "
    "measured by the actual hardware library."
)
_DOCS = {
    "bytes": "requested bytes: The memory requested by the operation, accumulatively.",
    "peak_bytes": (
        "peak bytes: The peak amount of memory that the operation is holding at some point."
    ),
    "residual_bytes": "residual bytes: The memory not de-allocated after the operation finishes.",
    "output_bytes": (
        "output bytes: The memory that is output from the operation (not necessarilty allocated "
        "by the operation)"
    ),
    "micros": (
        "total execution time: Sum of accelerator execution time and cpu execution time.\n"
        f"{_CPU}\n{_ACCELERATOR}"
    ),
    "accelerator_micros": _ACCELERATOR,
    "cpu_micros": _CPU,
    "params": "param: Number of parameters (in the Variable).",
    "float_ops": (
        "flops: Number of float operations. Note: Please read the implementation for the math "
        "behind it."
    ),
    "tensor_value": "tensor_value: Not supported now.",
    "device": "device: which device is placed on.",
    "op_types": (
        "op_types: The attributes of the operation, includes the Kernel name device placed on and "
        "user-defined strings."
    ),
    "occurrence": "occurrence: The number of times it occurs",
    "input_shapes": "input shape: The shape of input tensors",
}

#: Column → (title, figure, unit in the tree, unit in the list of types).
_COLUMNS = {
    "bytes": ("requested bytes", "requested_bytes", "B", ""),
    "peak_bytes": ("peak bytes", "peak_bytes", "B", ""),
    "residual_bytes": ("residual bytes", "residual_bytes", "B", ""),
    "output_bytes": ("output bytes", "output_bytes", "B", ""),
    "micros": ("total execution time", "exec_micros", "us", ""),
    "accelerator_micros": ("accelerator execution time", "accelerator_exec_micros", "us", ""),
    "cpu_micros": ("cpu execution time", "cpu_exec_micros", "us", ""),
    "params": ("# parameters", "parameters", " params", " params"),
    "float_ops": ("# float_ops", "float_ops", " flops", " float_ops"),
}
_HEAD = ["params", "float_ops"]
_MEMORY = ["bytes", "peak_bytes", "residual_bytes", "output_bytes"]
_TIME = ["micros", "accelerator_micros", "cpu_micros"]

_ROWS = (
    "max_depth min_bytes min_peak_bytes min_residual_bytes min_output_bytes min_micros "
    "min_accelerator_micros min_cpu_micros min_params min_float_ops min_occurrence step order_by "
    "account_type_regexes start_name_regexes trim_name_regexes show_name_regexes "
    "hide_name_regexes account_displayed_op_only select output"
).split()


def amount(n: int, unit: str) -> str:
    """A figure with three digits or two after the point."""
    scales = {"B": ("B", "KB", "MB", "GB"), "us": ("us", "ms", "sec", "min")}.get(unit)
    letters = scales or ("", "k", "m", "b")
    power = next((p for p in range(3) if n < 1000 ** (p + 1)), 3)
    number = str(n) if power == 0 else f"{n / 1000**power:.2f}"
    return f"{number}{letters[power]}" + ("" if scales else unit)


def options_text(options: Mapping[str, Any]) -> str:
    """The head of a report: all options."""
    lines = ["", "=========================Options============================="]
    for name in _ROWS:
        value = options[name]
        if name == "select":
            value = ",".join(sorted(set(value)))
        elif isinstance(value, (list, tuple)):
            value = ",".join(value)
        elif isinstance(value, bool):
            value = str(value).lower()
        elif name == "output" and ":" not in value:
            value = f"{value}:"
        lines.append(f"-{name:<27}{value}")
    lines += ["", "==================Model Analysis Report======================"]
    return "\n".join(lines) + "\n"


def _columns(view: str, select: Sequence[str]) -> list[str]:
    order = [*_HEAD, *_MEMORY, *_TIME] if view in ("scope", "graph") else [
        *_MEMORY, *_TIME, *_HEAD
    ]  # fmt: skip
    wanted = set(select) | (set(_TIME) if "micros" in select else set())
    more = [n for n in ("device", "op_types", "occurrence", "input_shapes") if n in select]
    return [n for n in order if n in wanted] + more


def _shape(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))


def _figure(e: Entry, column: str, view: str) -> str:
    _, figure, unit, _ = _COLUMNS[column]
    own = amount(e.figures[figure], unit if unit in ("B", "us") else "") if e.account else "--"
    text = f"{own}/{amount(e.total[figure], unit)}"
    if column == "params" and e.items and e.items[0].shape is not None and e.account:
        return f"{_shape(e.items[0].shape)}, {text}" if view in ("scope", "graph") else text
    return text


def _inputs(e: Entry) -> str:
    shapes = e.items[0].input_shapes if e.items else {}
    return "|".join(f"{i}:{_shape(s)}" for i, s in sorted(shapes.items()))


def _node(e: Entry, view: str, columns: Sequence[str]) -> str:
    out = []
    for c in columns:
        if c in _COLUMNS:
            out.append(_figure(e, c, view))
        elif c == "device":
            if view == "code" or e.devices:
                out.append("|".join(e.devices))
        elif c == "op_types":
            if view != "code" or e.items:
                out.append("|".join(sorted(e.types)))
        elif view == "code":
            out.append(f"{c} N/A in code view")
        elif c == "occurrence":
            pairs = [
                f"{e.figures[f] if e.account else '--'}/{e.total[f]}"
                for f in ("run_count", "definition_count")
            ]
            if e.account and not e.items:
                pairs[1] = f"1/{e.total['definition_count']}"
            out.append("|".join(pairs))
        else:
            out.append(_inputs(e))
    return f"{e.name} ({', '.join(out)})"


def _tree(root: Entry, view: str, columns: Sequence[str]) -> list[str]:
    lines, waiting = [], [(root, 0)]
    while waiting:
        e, depth = waiting.pop()
        lines.append("  " * depth + _node(e, view, columns))
        waiting += [(child, depth + 1) for child in reversed(e.shown)]
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / whole if whole else 0.0:.2f}%"


def _kinds(root: Entry, columns: Sequence[str]) -> list[str]:
    lines = []
    for e in root.shown:
        out = []
        for c in columns:
            if c in _COLUMNS:
                _, figure, tree_unit, unit = _COLUMNS[c]
                n, whole = e.figures[figure], root.total[figure]
                text = amount(n, tree_unit if tree_unit in ("B", "us") else unit)
                out.append(f"{text} ({_share(e.total[figure], whole)}, {_share(n, whole)})")
                out[-1] = f"{out[-1]:>30}"
            elif c == "device":
                out.append("|".join(e.devices))
            elif c == "op_types":
                out.append("|".join(sorted(e.types)))
            elif c == "occurrence":
                pair = f"{e.figures['run_count']}|{e.figures['definition_count']}"
                out.append(f"{pair:>10}")
        lines.append(f"{e.name:<25}" + ", ".join(out))
        if "input_shapes" in columns:
            lines += ["", *_signatures(e)]
    return lines


def _signatures(e: Entry) -> list[str]:
    """The shapes with which a type occurs, the most frequent first."""
    met: dict[str, list[int]] = {}
    for item in e.items:
        text = ",\t".join(f"{i}:{_shape(s)}" for i, s in sorted(item.input_shapes.items()))
        row = met.setdefault(text, [0, 0, 0])
        for k, f in enumerate(("run_count", "definition_count", "exec_micros")):
            row[k] += item.figures[f]
    out = []
    for text, (runs, made, long) in sorted(met.items(), key=lambda r: -r[1][2]):
        counted = f"(run*{runs}|defined*{made})"
        out += [f"input_type: {text}\t{counted}\texec_time: {amount(long, 'us')}", ""]
    return out


def report(root: Entry, view: str, options: Mapping[str, Any]) -> str:
    """The text from the explanation of columns to the end."""
    select = sorted(set(options["select"]))
    columns = _columns(view, select)
    docs = [_DOCS.get(s, f"Unknown select: {s}") for s in select]
    titles = {
        **{n: row[0] for n, row in _COLUMNS.items()},
        "device": "assigned devices", "op_types": "op types",
        "occurrence": f"op {'occurrence' if view == 'op' else 'count'} (run|defined)",
        "input_shapes": "input shapes",
    }  # fmt: skip
    head = "node name | " + " | ".join(titles[c] for c in columns)
    body = _kinds(root, columns) if view == "op" else _tree(root, view, columns)
    text = ["", "Doc:", _VIEWS[view], *(docs or [""]), "", "Profile:", head, *body]
    return "\n".join(text) + "\n"
