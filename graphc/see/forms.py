"""Graphs as JSON and DOT, and every stage of a compilation in one of the forms of dumps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphc.ir.dtypes import DType
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, reachable, type_text
from graphc.ir.text import ELIDE, attribute_text

__all__ = [
    "FORMATS",
    "check_stages",
    "dot",
    "formatted",
    "graph_data",
    "recorded_data",
    "stage_graphs",
    "wanted",
    "write",
]

FORMATS = ("text", "json", "dot", "python")


# ------------------------------------------------------------------- data


def graph_data(g: Graph) -> dict[str, Any]:
    """A pure graph as numbers, strings, lists and dicts.

    Values are named ``"node:output"`` by the numbers of nodes, as in ``"12:0"``.
    """
    nodes = g.nodes()
    seen = set(nodes)
    nodes = [*(v.node for v in g.inputs if v.node not in seen), *nodes]
    number = {n: i for i, n in enumerate(nodes)}
    return {
        "name": g.name,
        "inputs": [_ref(v, number) for v in g.inputs],
        "outputs": [_ref(v, number) for v in g.outputs],
        "updates": [{"variable": k, "value": _ref(v, number)} for k, v in g.updates],
        "nodes": [_node(n, number) for n in nodes],
    }


def recorded_data(elements: Sequence[Value | Node]) -> dict[str, Any]:
    """The recorded nodes that a run needs, control inputs included, as data."""
    nodes = reachable([e if isinstance(e, Node) else e.node for e in elements])
    number = {n: i for i, n in enumerate(nodes)}
    return {
        "name": "graph",
        "inputs": [_ref(n.outputs[0], number) for n in nodes if n.op.name == "placeholder"],
        "outputs": [_ref(e, number) for e in elements if isinstance(e, Value)],
        "targets": [number[e] for e in elements if isinstance(e, Node)],
        "nodes": [_node(n, number, "?") for n in nodes],
    }


def _ref(v: Value, number: Mapping[Node, int]) -> str:
    return f"{number.get(v.node, -1)}:{v.index}"


def _node(n: Node, number: Mapping[Node, int], unknown: str = "") -> dict[str, Any]:
    """A node; with `unknown`, that is what a size that is no number is called."""
    out: dict[str, Any] = {"id": number[n], "name": n.name, "op": n.op.name}
    out["inputs"] = [_ref(v, number) for v in n.inputs]
    if n.control:
        out["control"] = [number[m] for m in n.control if m in number]
    out["outputs"] = [{"dtype": v.dtype.name, "shape": _shape(v, unknown)} for v in n.outputs]
    attrs = {k: a for k, a in n.attrs.items() if k[:1] != "_"}
    out["attributes"] = {k: _plain(a) for k, a in attrs.items() if not isinstance(a, Graph)}
    regions = {k: graph_data(a) for k, a in attrs.items() if isinstance(a, Graph)}
    if regions:
        out["regions"] = regions
    if n.source:
        out["source"] = [{"file": s.file, "line": s.line, "function": s.function} for s in n.source]
    return out


def _shape(v: Value, unknown: str) -> Any:
    s = v.static_shape
    return None if s is None else [d if type(d) is int else unknown or str(d) for d in s]


def _plain(a: Any) -> Any:
    """An attribute as JSON has it; sizes and types as their text."""
    if a is None or isinstance(a, (bool, int, str)):
        return a
    if isinstance(a, float):
        return a if math.isfinite(a) else str(a)
    if isinstance(a, DType):
        return a.name
    if isinstance(a, (list, tuple)):
        return [_plain(x) for x in a]
    if isinstance(a, Mapping):
        return {str(k): _plain(x) for k, x in a.items()}
    if isinstance(a, np.ndarray):
        if a.size > ELIDE:
            return f"...{a.size} elements"
        flat = [x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in a.flat]
        flat = [_plain(x.item() if isinstance(x, np.generic) else x) for x in flat]
        return flat[0] if a.ndim == 0 else flat
    if isinstance(a, np.generic):
        return _plain(a.item())
    return attribute_text(a)


# ------------------------------------------------------------------- DOT


def dot(graphs: Mapping[str, Graph] | Mapping[str, Sequence[Value | Node]]) -> str:
    """Graphs in the language of graphviz, a ``digraph`` for each."""
    return "\n".join(_digraph(title, g) for title, g in graphs.items())


def _digraph(title: str, g: Any) -> str:
    lines = [
        f"digraph {_quoted(title)} {{",
        "  rankdir=TB",
        '  node [shape=box, style="rounded,filled", fillcolor="#f4f6fa", fontname="sans-serif"]',
        '  edge [fontname="sans-serif", fontsize=9]',
    ]
    if isinstance(g, Graph):
        lines += _inside(g, "n", "  ")
    else:
        nodes = reachable([e if isinstance(e, Node) else e.node for e in g])
        lines += _statements(nodes, "n", "  ")
    return "\n".join([*lines, "}"])


def _inside(g: Graph, prefix: str, pad: str) -> list[str]:
    seen = set(g.nodes())
    nodes = [*(v.node for v in g.inputs if v.node not in seen), *g.nodes()]
    lines = _statements(nodes, prefix, pad)
    number = {n: i for i, n in enumerate(nodes)}
    results = [(f"result {i}", v) for i, v in enumerate(g.outputs)]
    results += [(f"update {k}", v) for k, v in g.updates]
    for i, (label, v) in enumerate(results):
        name = f"{prefix}r{i}"
        lines.append(f'{pad}{name} [label={_quoted(label)}, shape=plaintext, style=""]')
        lines.append(f"{pad}{prefix}{number[v.node]} -> {name}")
    return lines


def _statements(nodes: Sequence[Node], prefix: str, pad: str) -> list[str]:
    number = {n: i for i, n in enumerate(nodes)}
    lines: list[str] = []
    for i, n in enumerate(nodes):
        what = n.op.name if n.op.name == n.name or not n.name else f"{n.name}\n{n.op.name}"
        types = ", ".join(type_text((v.dtype, _known(v))) for v in n.outputs)
        where = f"\n{n.source[0]}" if n.source else ""
        fill = _COLOURS.get(n.op.name) or _COLOURS.get(n.op.family)
        colour = f", fillcolor={_quoted(fill)}" if fill else ""
        name = f"{prefix}{i}"
        lines.append(
            f"{pad}{name} [label={_quoted(what)}, tooltip={_quoted(types + where)}{colour}]"
        )
        for v in n.inputs:
            if v.node in number:
                label = _quoted(type_text((v.dtype, _known(v))))
                lines.append(f"{pad}{prefix}{number[v.node]} -> {name} [label={label}]")
        for m in n.control:
            if m in number:
                lines.append(f"{pad}{prefix}{number[m]} -> {name} [style=dashed]")
        for k, a in n.attrs.items():
            if isinstance(a, Graph):
                lines.append(f"{pad}subgraph cluster_{name}_{k} {{")
                lines.append(f"{pad}  label={_quoted(f'{n.name} {k}')}; color=gray")
                lines += _inside(a, f"{name}_{k}_", pad + "  ")
                lines.append(f"{pad}}}")
    return lines


_COLOURS = {
    "input": "#d8ecd9", "placeholder": "#d8ecd9", "read": "#fdeccb", "variable": "#fdeccb",
    "constant": "#eeeeee", "fused": "#dbe7fb", "contraction": "#f6d9d5", "control": "#e6dcf5",
}  # fmt: skip


def _known(v: Value) -> Any:
    return v.static_shape


def _quoted(text: str) -> str:
    """A string of DOT; line breaks stay, what is not printable is spelled out."""
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    escaped = shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


# ------------------------------------------------------------------- stages


def stage_graphs(c: Any) -> list[tuple[str, Graph]]:
    """The pure graph of a compilation, and the graph after each pass, by the names of stages."""
    from graphc.face.dump import passes_of

    if c is None:
        return []
    return [("pure", c.frozen.graph), *((name, r.graph) for name, r in passes_of(c))]


def wanted(stage: str, known: Sequence[str], form: str) -> list[str]:
    """The stages that are meant: of ``"all"`` those that have the form.

    Raises
    ------
    ValueError
        For one that is not `known`.
    """
    from graphc.face import dump

    names = dump.chosen(stage, known)
    if stage != "all" or form in ("text", "json"):
        return names
    return ["pure"] if form == "python" else [s for s in names if s not in ("kernels", "plan")]


def check_stages(stage: str, form: str) -> None:
    """Refuse stages that have no such form.

    Raises
    ------
    ValueError
    """
    none = {"text": (), "json": ()}.get(form, ("kernels", "plan", "llvm", "optimized", "asm"))
    for s in stage.split(","):
        if s.strip() in none or (none and s.strip() == "everything"):
            raise ValueError(f"stage {s.strip()!r} has no form {form!r}: only graphs have")


def write(folder: Path, item: Any, stage: str, form: str, seeds: Any = None) -> None:
    """One file a stage, as `graphc.see.folders.write` does for text.

    Raises
    ------
    OSError
        When the folder cannot be written to.
    ValueError
        For a stage there is not, or without the form.
    """
    from graphc.face import dump
    from graphc.see.numpy_source import numpy_source

    title, c, elements = item[:3]
    known = [name for name, _ in dump.stages(c, elements)]
    graphs = dict(stage_graphs(c))
    names = wanted(stage, known, form)
    if (stage, form) == ("all", "python"):
        names = [s for s in known if s in graphs or (s == "graph" and elements)]
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        file = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)
        path = folder / f"{known.index(name):02d}_{file}.{_ENDINGS[form]}"
        if form == "python" and name in graphs:
            head = f"A graph of graphc as a numpy program: {title}, stage {name!r}."
            random = {"main": [a for a, _ in c.frozen.random]}
            numpy_source(graphs[name], title=head, beside=True, seeds=seeds, random=random).write(
                path
            )
        else:
            text = formatted([(title, c, elements)], name, form, seeds)
            path.write_text(text + "\n", encoding="utf-8")


_ENDINGS = {"json": "json", "dot": "dot", "python": "py"}


def formatted(
    parts: Iterable[tuple[str, Any, Sequence[Value | Node]]], stage: str, form: str,
    seeds: Callable[[Node], tuple[int, int] | None] | None = None,
) -> str:  # fmt: skip
    """Stages of the parts of a run, as JSON, DOT or a numpy program.

    Parameters
    ----------
    parts : (title, compilation, elements)
    stage : str
        As for `graphc.dump`; ``"all"`` are the graphs, of a program the pure graph alone.
    seeds : callable, optional
        The seeds that a session uses for a recorded random op without seeds of its own.

    Raises
    ------
    ValueError
        For a stage there is not, or one without such a form.
    """
    from graphc.face import dump

    found = []
    for title, c, elements in parts:
        known = [name for name, _ in dump.stages(c, elements) if elements or name != "graph"]
        names = wanted(stage, known, form)
        found.append((title, c, elements, dict(stage_graphs(c)), names))
    if form == "python":
        return _python(found, seeds)
    if form == "dot":
        return "\n".join(_dots(*f) for f in found)
    return json.dumps({"parts": [_data(*f) for f in found]}, indent=1, ensure_ascii=False)


def _python(found: list[Any], seeds: Any) -> str:
    from graphc.see.numpy_source import numpy_source
    from graphc.see.portable import identifier
    from graphc.see.tf_source import tf_source

    programs: dict[str, Graph] = {}
    random: dict[str, list[Node]] = {}
    titles = []
    used: set[str] = set()
    alone = sum(len(f[4]) for f in found) == 1
    for i, (title, c, elements, graphs, names) in enumerate(found):
        for s in names:
            if s == "graph" and alone:
                return tf_source(elements=elements)
            if s not in graphs:
                why = "ask for it alone" if s == "graph" else "only graphs have"
                raise ValueError(f"stage {s!r} has no form 'python' here: {why}")
            name = "main" if alone else f"{s}_part_{i + 1}" if len(found) > 1 else s
            name = identifier(name, used)
            programs[name] = graphs[s]
            random[name] = [a for a, _ in c.frozen.random]
            titles.append(f"stage {s!r}" + (f", {title}" if title else ""))
    head = f"A graph of graphc as a numpy program: {'; '.join(dict.fromkeys(titles))}."
    return numpy_source(programs, title=head, seeds=seeds, random=random).text


def _dots(title: str, c: Any, elements: Any, graphs: Any, names: list[str]) -> str:
    drawn: dict[str, Any] = {}
    for s in names:
        if s != "graph" and s not in graphs:
            raise ValueError(f"stage {s!r} has no form 'dot', only graphs have")
        drawn[f"{title} {s}".strip()] = elements if s == "graph" else graphs[s]
    return dot(drawn)


def _data(title: str, c: Any, elements: Any, graphs: Any, names: list[str]) -> dict[str, Any]:
    from graphc.face import dump

    texts = dict(dump.stages(c, elements))
    stages: dict[str, Any] = {}
    for s in names:
        if s == "graph":
            stages[s] = recorded_data(elements)
        else:
            stages[s] = graph_data(graphs[s]) if s in graphs else texts[s]()
    return {"title": title, "stages": stages}
