"""What the profiler knows of each node, and the four ways in which it arranges nodes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from graphc.face.graph_keys import GraphKeys
from graphc.face.resource_variable import is_resource_variable
from graphc.see.tfprof.flops import UnknownShape, flops_of, kind_of

__all__ = ["FIGURES", "Entry", "Item", "items_of", "views"]

#: What is counted, by the name of the field of TensorFlow's messages.
FIGURES = (
    "exec_micros", "accelerator_exec_micros", "cpu_exec_micros", "requested_bytes", "peak_bytes",
    "residual_bytes", "output_bytes", "parameters", "float_ops", "run_count", "definition_count",
)  # fmt: skip
ROOT = "_TFProfRoot"

Figures = dict[str, int]


class Item:
    """One operation: its type, its figures, and what it reads."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = name, kind
        self.types: set[str] = {kind}
        self.shape: tuple[int, ...] | None = None
        self.inputs: list[str] = []
        self.input_shapes: dict[int, tuple[int, ...]] = {}
        self.device = ""
        self.trace: tuple[tuple[str, int, str], ...] = ()
        self.figures: Figures = dict.fromkeys(FIGURES, 0)
        self.figures["definition_count"] = 1


def items_of(graph: Any, run_meta: Any = None, op_log: Any = None) -> tuple[list[Item], int]:
    """Every operation of a graph, and of how many the float operations are not known.

    The operations by which an optimizer changes a variable are one here, as in TensorFlow.
    """
    operations = list(graph.get_operations())
    updates = {
        op.name.rpartition("/")[0]
        for op in operations
        if op.name.rpartition("/")[2].startswith("Apply") and "/update_" in "/" + op.name
    }
    resources = {v.op.name for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES)
                 if is_resource_variable(v)}  # fmt: skip
    found: dict[str, Item] = {}
    unknown = 0
    for op in operations:
        scope, _, last = op.name.rpartition("/")
        kind = "VarHandleOp" if op.name in resources else kind_of(op)
        if scope in updates:
            if not last.startswith("Apply"):
                continue
            kind = last.rstrip("_0123456789")
        item = found[op.name] = _item(op, kind)
        if kind.startswith("Apply"):
            continue
        try:
            item.figures["float_ops"] = flops_of(op) or 0
        except UnknownShape:
            unknown += 1
    for v in graph.get_collection(GraphKeys.TRAINABLE_VARIABLES):
        if v.op.name in found:
            found[v.op.name].types.add("_trainable_variables")
    for entry in () if op_log is None else op_log.log_entries:
        if entry.name in found:
            item = found[entry.name]
            item.types.update(entry.types)
            item.figures["float_ops"] = entry.float_ops or item.figures["float_ops"]
    _timed(found, () if run_meta is None else (run_meta,))
    return list(found.values()), unknown


def _item(op: Any, kind: str) -> Item:
    """What an operation is but for its float operations and times."""
    item = Item(op.name, kind)
    item.inputs = [v.node.name for v in op.inputs]
    item.trace = tuple((os.path.basename(f), n, g) for f, n, g, _ in op.traceback)
    for i, v in enumerate(op.inputs):
        if v.shape.is_fully_defined():
            item.input_shapes[i] = tuple(v.shape.as_list()) or (1,)
    if kind in ("VariableV2", "Variable", "VarHandleOp", "Placeholder"):
        shape = op.outputs[0].shape
        if shape.is_fully_defined():
            item.shape = tuple(shape.as_list()) or (1,)
            item.figures["parameters"] = shape.num_elements()
    return item


_SIZE = re.compile(r" bytes=(\d+)")


def _timed(found: Mapping[str, Item], runs: Iterable[Any]) -> None:
    """Add times and memory of traced runs to the operations that their steps are named after."""
    for run in runs:
        for device in run.step_stats.dev_stats:
            for stats in device.node_stats:
                item = found.get(unquote(stats.node_name).split(":")[0])
                if item is None:
                    continue
                item.device = device.device.lower()
                item.types.add(item.device)
                figures = item.figures
                long = stats.op_end_rel_micros - stats.op_start_rel_micros
                figures["exec_micros"] += long
                figures["cpu_exec_micros"] += long
                figures["run_count"] += 1
                held = _SIZE.search(stats.timeline_label)
                size = int(held[1]) if held else sum(
                    m.total_bytes for m in stats.memory
                )  # fmt: skip
                for name in ("requested_bytes", "peak_bytes", "output_bytes"):
                    figures[name] += size


class Entry:
    """A node of a view: its own figures, the sums below it, and what of it is shown."""

    def __init__(self, name: str, own: Sequence[Item] = (), parent: str = "") -> None:
        self.name, self.items, self.parent = name, list(own), parent
        self.children: list[Entry] = []
        self.account = True
        self.figures: Figures = {f: sum(i.figures[f] for i in own) for f in FIGURES}
        if not own:
            self.figures["definition_count"] = 1
        self.total: Figures = dict.fromkeys(FIGURES, 0)
        self.shown: list[Entry] = []

    @property
    def types(self) -> set[str]:
        return {t for i in self.items for t in i.types} or {self.parent}

    @property
    def devices(self) -> list[str]:
        return sorted({i.device for i in self.items if i.device})

    def add(self, figures: Figures) -> None:
        for f, n in figures.items():
            self.total[f] += n

    def every(self) -> Iterator[Entry]:
        waiting = [self]
        while waiting:
            entry = waiting.pop()
            yield entry
            waiting.extend(entry.children)


Matches = Callable[[str], bool]


def matching(expressions: Iterable[str]) -> Matches:
    """Whether one of the expressions matches a text as a whole."""
    compiled = [re.compile(e) for e in expressions]
    return lambda text: any(e.fullmatch(text) for e in compiled)


#: Option → the figure of which it asks so much at least.
_AT_LEAST = {
    "min_bytes": "requested_bytes", "min_peak_bytes": "peak_bytes",
    "min_residual_bytes": "residual_bytes", "min_output_bytes": "output_bytes",
    "min_micros": "exec_micros", "min_accelerator_micros": "accelerator_exec_micros",
    "min_cpu_micros": "cpu_exec_micros", "min_params": "parameters", "min_float_ops": "float_ops",
}  # fmt: skip
_ORDER = {
    "bytes": "requested_bytes", "peak_bytes": "peak_bytes", "residual_bytes": "residual_bytes",
    "output_bytes": "output_bytes", "micros": "exec_micros",
    "accelerator_micros": "accelerator_exec_micros", "cpu_micros": "cpu_exec_micros",
    "params": "parameters", "float_ops": "float_ops", "occurrence": "definition_count",
}  # fmt: skip


class View:
    """How one command arranges nodes: a tree, and which of its figures thresholds are of."""

    of_totals = False

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.start = matching(options["start_name_regexes"])
        self.show = matching(options["show_name_regexes"])
        self.hide = matching(options["hide_name_regexes"])
        self.trim = matching(options["trim_name_regexes"])
        self.counts = matching(options["account_type_regexes"])
        self.only_shown = options["account_displayed_op_only"]

    def counted(self, item: Item) -> bool:
        """Whether one of the types of an operation is to be counted."""
        return any(map(self.counts, item.types))

    def tree(self, items: Sequence[Item]) -> Entry:
        raise NotImplementedError

    def root(self, items: Sequence[Item]) -> Entry:
        """The tree with sums; what is to be shown hangs at ``shown``."""
        top = self.tree(items)
        top.account = False
        top.children = self._counted(top.children)
        if self.only_shown:
            top.add({"definition_count": 1})
        else:
            for child in top.children:
                top.add(child.total)
        top.shown = self._sorted(self._shown(self._starts(top.children), 2))
        if self.only_shown:
            for child in top.shown:
                top.add(child.total)
        return top

    def _starts(self, entries: Sequence[Entry]) -> list[Entry]:
        out: list[Entry] = []
        for e in entries:
            out += [e] if self.start(e.name) else self._starts(e.children)
        return out

    def _counted(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those that count, or have something below that does, with their sums."""
        out = []
        for e in entries:
            e.children = self._counted(e.children)
            e.account = any(map(self.counts, e.types))
            e.total = dict.fromkeys(FIGURES, 0)
            self._add_own(e)
            for child in e.children:
                e.add(child.total)
            if e.account or e.children:
                out.append(e)
        return out

    def _add_own(self, e: Entry) -> None:
        e.add(e.figures if e.account else {"definition_count": e.figures["definition_count"]})

    def visible(self, e: Entry, depth: int) -> bool:
        """Whether a node is to be shown, as the options say."""
        figures = e.total if self.of_totals else e.figures
        if depth > self.options["max_depth"]:
            return False
        if any(figures[f] < self.options[option] for option, f in _AT_LEAST.items()):
            return False
        return self.show(e.name) and not self.hide(e.name)

    def _sorted(self, entries: list[Entry]) -> list[Entry]:
        entries = sorted(entries, key=lambda e: e.name)
        figure = _ORDER.get(self.options["order_by"])
        if figure is not None:
            entries.sort(key=lambda e: -e.total[figure])
        return entries

    def _shown(self, entries: Sequence[Entry], depth: int) -> list[Entry]:
        """The nodes to show; children of a hidden one stand in its place."""
        out: list[Entry] = []
        for e in entries:
            show = self.visible(e, depth)
            below = [] if self.trim(e.name) else self._shown(e.children, depth + 1)
            if not show:
                out += below
                continue
            e.shown = self._sorted(below)
            if self.only_shown:
                e.total = dict.fromkeys(FIGURES, 0)
                self._add_own(e)
                for child in e.shown:
                    e.add(child.total)
            out.append(e)
        return out


class Scopes(View):
    """Nodes in their name scopes."""

    parent = "_kTFScopeParent"

    def tree(self, items: Sequence[Item]) -> Entry:
        top = Entry(ROOT, parent=self.parent)
        made: dict[str, Entry] = {i.name: Entry(i.name, [i]) for i in items}
        for item in items:
            parts = item.name.split("/")
            for k in range(1, len(parts)):
                made.setdefault("/".join(parts[:k]), Entry("/".join(parts[:k]), parent=self.parent))
        for name in sorted(made):
            made.get(name.rpartition("/")[0], top).children.append(made[name])
        return top


class Edges(View):
    """Each node below the first one that reads it."""

    def tree(self, items: Sequence[Item]) -> Entry:
        top = Entry(ROOT, parent="_TFGraphParent")
        made = {i.name: Entry(i.name, [i]) for i in items}
        read = {name for i in items for name in i.inputs}
        for name in sorted(made):
            if name not in read:
                top.children.append(made[name])
        seen: set[str] = set()
        waiting = list(reversed(top.children))
        while waiting:
            e = waiting[-1]
            if e.name not in seen:
                seen.add(e.name)
            rest = [made[n] for n in e.items[0].inputs if n in made and n not in seen]
            if not rest:
                waiting.pop()
                continue
            seen.add(rest[0].name)
            e.children.append(rest[0])
            waiting.append(rest[0])
        return top


class Lines(View):
    """Calls of the user's program, from the outside in; operations count at their innermost."""

    of_totals = True

    def tree(self, items: Sequence[Item]) -> Entry:
        top = Entry(ROOT)
        places: dict[tuple[Any, ...], Entry] = {(): top}
        held: dict[tuple[Any, ...], list[Item]] = {}
        for item in filter(self.counted, items):
            trace = tuple(reversed(item.trace)) if _inside_first(item.trace) else item.trace
            held.setdefault(trace, []).append(item)
        for trace in held:
            for k in range(1, len(trace) + 1):
                if trace[:k] not in places:
                    places[trace[:k]] = e = Entry(_place(trace[k - 1]))
                    places[trace[: k - 1]].children.append(e)
        for trace, own in held.items():
            e = places[trace]
            e.items = own
            e.figures = {f: sum(i.figures[f] for i in own) for f in FIGURES}
        return top


def _inside_first(trace: tuple[tuple[str, int, str], ...]) -> bool:
    return bool(trace) and trace[0][2] != "<module>" and trace[-1][2] == "<module>"


def _place(row: tuple[str, int, str]) -> str:
    file, line, function = row
    short = function if len(function) <= 20 else function[:17] + "..."
    return f"{file}:{line}:{short}"


class Kinds(View):
    """Types of operations, each with the sum of all from it on."""

    of_totals = True

    def tree(self, items: Sequence[Item]) -> Entry:
        top = Entry(ROOT)
        by_kind: dict[str, list[Item]] = {}
        for item in filter(self.counted, items):
            by_kind.setdefault(item.kind, []).append(item)
        top.children = [Entry(kind, own) for kind, own in sorted(by_kind.items())]
        return top

    def root(self, items: Sequence[Item]) -> Entry:
        top = self.tree(items)
        top.account = False
        entries = self._sorted(self._counted(self._starts(top.children)))
        own = {e.name: e.total for e in entries}
        self._accumulate(top, entries, own)
        rare = self.options["min_occurrence"]
        top.shown = [
            e for e in entries
            if self.visible(e, 1) and e.total["definition_count"] >= rare
        ]  # fmt: skip
        if self.only_shown:
            top.total = dict.fromkeys(FIGURES, 0)
            self._accumulate(top, top.shown, own)
        return top

    @staticmethod
    def _accumulate(top: Entry, entries: Sequence[Entry], own: Mapping[str, Figures]) -> None:
        for e in reversed(entries):
            top.add(own[e.name])
            e.total = dict(top.total)


views: dict[str, type[View]] = {"scope": Scopes, "graph": Edges, "code": Lines, "op": Kinds}
