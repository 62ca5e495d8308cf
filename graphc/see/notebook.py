"""Pictures for notebooks: graphs, kernels and plans as SVG, in layers, without graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import networkx as nx

from graphc.face.graph import Graph as Recorded
from graphc.ir.graph import Graph
from graphc.ir.kernel import Kernel
from graphc.ir.kernel_text import print_kernel
from graphc.ir.node import Node, Value, type_text
from graphc.runtime.plan import Plan

__all__ = ["Picture", "svg"]

#: Boxes that a picture has at most; of larger graphs the name scopes are drawn.
LARGEST = 160
_ROW, _GAP, _HEIGHT, _LETTER = 64, 18, 30, 6.4
_COLOURS = {
    "input": "#d8ecd9", "placeholder": "#d8ecd9", "read": "#fdeccb", "variable": "#fdeccb",
    "constant": "#eeeeee", "fused": "#dbe7fb", "contraction": "#f6d9d5", "control": "#e6dcf5",
    "result": "#ffffff", "scope": "#e8eef9", "step": "#dbe7fb",
}  # fmt: skip


@dataclass
class Picture:
    """Boxes with arrows between them.

    Attributes
    ----------
    boxes : dict
        The label of each box, by any key.
    arrows : dict
        The label of each arrow, by pairs of keys.
    kinds, hints : dict
        What colour a box has, and what is said when the mouse is on it.
    note : str
        What stands below.
    """

    boxes: dict[Any, str] = field(default_factory=dict)
    arrows: dict[tuple[Any, Any], str] = field(default_factory=dict)
    kinds: dict[Any, str] = field(default_factory=dict)
    hints: dict[Any, str] = field(default_factory=dict)
    note: str = ""

    def box(self, key: Any, label: str, kind: str = "", hint: str = "") -> None:
        """Add a box."""
        self.boxes[key], self.kinds[key], self.hints[key] = label, kind, hint

    def arrow(self, a: Any, b: Any, label: str = "") -> None:
        """Add an arrow between two boxes."""
        if a in self.boxes and b in self.boxes and a != b:
            self.arrows.setdefault((a, b), label)


def svg(x: Any) -> str:
    """The picture of a recorded graph, a pure graph, a kernel or a plan.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(x, Kernel):
        return _loops(print_kernel(x))
    if isinstance(x, Plan):
        return drawn(_plan(x))
    if isinstance(x, Graph):
        nodes = list(dict.fromkeys([*(v.node for v in x.inputs), *x.nodes()]))
        results = [(f"result {i}", v) for i, v in enumerate(x.outputs)]
        results += [(f"update {k}", v) for k, v in x.updates]
        return drawn(_graph(nodes, results))
    if isinstance(x, Recorded):
        return drawn(_graph(list(x.get_operations()), []))
    raise TypeError(f"there is no picture of {type(x).__name__}")


# ------------------------------------------------------------------- what is drawn


def _graph(nodes: Sequence[Node], results: Sequence[tuple[str, Value]]) -> Picture:
    if len(nodes) > LARGEST:
        return _scopes(nodes)
    p = Picture()
    for n in nodes:
        label = n.op.name if n.name in ("", n.op.name) else f"{n.name}\n{n.op.name}"
        kind = n.op.name if n.op.name in _COLOURS else n.op.family
        types = ", ".join(type_text(v.type) for v in n.outputs)
        where = f"\n{n.source[0]}" if n.source else ""
        p.box(n, label, kind, f"{n.name}: {types}{where}")
    for n in nodes:
        for v in n.inputs:
            p.arrow(v.node, n, type_text(v.type))
        for m in n.control:
            p.arrow(m, n, "^")
    for name, v in results:
        p.box(name, name, "result")
        p.arrow(v.node, name, type_text(v.type))
    return p


def _scopes(nodes: Sequence[Node]) -> Picture:
    """Name scopes as boxes, at the depth that gives as many as a picture takes."""
    depth = 1
    while depth < 6 and len({_scope(n, depth + 1) for n in nodes}) <= LARGEST:
        depth += 1
    count: dict[str, int] = {}
    for n in nodes:
        count[_scope(n, depth)] = count.get(_scope(n, depth), 0) + 1
    kept = sorted(count, key=lambda s: -count[s])[:LARGEST]
    p = Picture(note=f"{len(nodes)} nodes, drawn by name scope")
    if len(kept) < len(count):
        p.note += f"; the {len(kept)} largest of {len(count)}"
    for s in kept:
        more = f"\n{count[s]} nodes" if count[s] > 1 else ""
        p.box(s, f"{s}{more}", "scope" if count[s] > 1 else "", s)
    seen = set()
    for n in nodes:
        for v in n.inputs:
            a, b = _scope(v.node, depth), _scope(n, depth)
            if (b, a) not in seen:  # what goes both ways is drawn one way
                seen.add((a, b))
                p.arrow(a, b)
    return p


def _scope(n: Node, depth: int) -> str:
    return "/".join(n.name.split("/")[:depth])


def _plan(plan: Plan) -> Picture:
    p = Picture()
    made: dict[Any, Any] = {}
    for v in plan.graph.inputs:
        p.box(v, v.node.name, "input", type_text(v.type))
        made["feed", v.node.name] = v
    for i, s in enumerate(plan.steps):
        if not s.calls:
            what = "label" if s.label else "branch"
            p.box(i, f"{i} {what}", "control")
            continue
        label = f"{i} {s.code.name}" + ("\ncommit" if s.commit else "")
        p.box(i, label, "step", f"{s.node.name}\n{', '.join(map(str, s.node.source[:4]))}")
        for b in s.reads:
            key = _buffer(b)
            if b.kind == "var" and key not in made:
                p.box(key, b.name, "variable", f"variable {b.name}")
                made[key] = key
            if key in made:
                p.arrow(made[key], i, f"{b.dtype.code}[{b.count}]")
        for b in s.writes:
            made[_buffer(b)] = i
    for k, out in enumerate(plan.outputs):
        p.box(("result", k), f"result {k}", "result")
        if _buffer(out) in made:
            p.arrow(made[_buffer(out)], ("result", k))
    return p


def _buffer(b: Any) -> tuple[str, Any]:
    if b.kind == "kept":
        return b.kind, id(b)
    return (b.kind, b.name) if b.kind in ("feed", "var") else (b.kind, b.index)


# ------------------------------------------------------------------- layers


def placed(p: Picture) -> dict[Any, tuple[float, float, float]]:
    """The left end, the top and the width of each box."""
    g: Any = nx.DiGraph()
    g.add_nodes_from(p.boxes)
    g.add_edges_from(p.arrows)
    while not nx.is_directed_acyclic_graph(g):  # a loop of scopes: one arrow less
        g.remove_edge(*nx.find_cycle(g)[-1][:2])
    level = {k: i for i, layer in enumerate(nx.topological_generations(g)) for k in layer}
    for k in p.boxes:  # what is read late is drawn late
        after = [level[m] for m in g.successors(k)]
        if after and not level[k]:
            level[k] = min(after) - 1
    layers: list[list[Any]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for k in p.boxes:
        layers[level[k]].append(k)
    rank: dict[Any, float] = {}
    for _ in range(3):  # boxes go where those are that they are connected with
        for order, near in ((layers, g.predecessors), (layers[::-1], g.successors)):
            for layer in order:
                _sort(layer, near, rank)
    out: dict[Any, tuple[float, float, float]] = {}
    width = {k: _width(label) for k, label in p.boxes.items()}
    rows = [sum(width[k] + _GAP for k in layer) - _GAP for layer in layers]
    whole = max(rows, default=0)
    for i, layer in enumerate(layers):
        x = (whole - rows[i]) / 2
        for k in layer:
            out[k] = (x, float(i * _ROW), width[k])
            x += width[k] + _GAP
    return out


def _sort(layer: list[Any], near: Any, rank: dict[Any, float]) -> None:
    """Order a layer by the middle of what each box is connected with."""
    key = {}
    for i, k in enumerate(layer):
        places = [rank[m] for m in near(k) if m in rank]
        key[k] = sum(places) / len(places) if places else rank.get(k, (i + 0.5) / len(layer))
    layer.sort(key=lambda k: key[k])
    rank.update((k, (i + 0.5) / len(layer)) for i, k in enumerate(layer))


def _width(label: str) -> float:
    return max(46.0, 14 + _LETTER * max(len(s) for s in _lines(label)))


def _lines(label: str) -> list[str]:
    """At most two lines, each cut where it is long; what cannot be printed is spelled out."""
    shown = []
    for s in label.split("\n")[:2]:
        s = "".join(c if c.isprintable() else repr(c)[1:-1] for c in s)
        shown.append(s if len(s) <= 34 else f"{s[:16]}…{s[-16:]}")
    return shown


def drawn(p: Picture) -> str:
    """A picture as SVG."""
    at = placed(p)
    whole = max((x + w for x, _, w in at.values()), default=0) + 2
    high = max((y for _, y, _ in at.values()), default=0) + _HEIGHT + 2
    high += 20 if p.note else 0
    parts = []
    for (a, b), label in p.arrows.items():
        (xa, ya, wa), (xb, yb, wb) = at[a], at[b]
        x1, y1, x2, y2 = xa + wa / 2, ya + _HEIGHT, xb + wb / 2, yb
        if yb <= ya:  # an arrow that was left out of the layers
            y1, y2 = ya, yb + _HEIGHT
        bend = (y2 - y1) / 2
        dash = ' stroke-dasharray="4 3"' if label == "^" else ""
        path = f"M{x1:.0f},{y1:.0f}C{x1:.0f},{y1 + bend:.0f} {x2:.0f},{y2 - bend:.0f} "
        parts.append(
            f'<path d="{path}{x2:.0f},{y2:.0f}"{dash}><title>{escape(label)}</title></path>'
        )
    lines = [f'<g fill="none" stroke="#8a94a6">{"".join(parts)}</g>']
    for k, (x, y, w) in at.items():
        lines.append(_box(p, k, x, y, w))
    if p.note:
        lines.append(f'<text x="2" y="{high - 6:.0f}" fill="#5b6475">{escape(p.note)}</text>')
    return _page(whole, high, lines)


def _box(p: Picture, k: Any, x: float, y: float, w: float) -> str:
    fill = _COLOURS.get(p.kinds[k], "#f4f6fa")
    rows = _lines(p.boxes[k])
    texts = "".join(
        f'<text x="{x + w / 2:.0f}" y="{y + (19 if len(rows) == 1 else 13 + 12 * i):.0f}" '
        f'text-anchor="middle">{escape(s)}</text>'
        for i, s in enumerate(rows)
    )
    hint = _printable(p.hints.get(k, ""))
    return (
        f'<g><title>{escape(hint)}</title><rect x="{x:.0f}" y="{y:.0f}" width="{w:.0f}" '
        f'height="{_HEIGHT}" rx="5" fill="{fill}" stroke="#b6bfcc"/>{texts}</g>'
    )


def _printable(s: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in s)


def _page(width: float, height: float, lines: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="-1 -1 {width + 1:.0f} {height + 1:.0f}" font-family="sans-serif" '
        f'font-size="10">{"".join(lines)}</svg>'
    )


# ------------------------------------------------------------------- loops

_LOOPS: Mapping[str, str] = {
    "kernel": "#f4f6fa", "parallel": "#dbe7fb", "vector": "#d8ecd9", "for": "#fdeccb",
    "reduce": "#f6d9d5",
}  # fmt: skip


def _loops(text: str) -> str:
    """A kernel: each loop a box around what it repeats."""
    rows = text.splitlines()
    boxes: list[tuple[int, int, int, str]] = []  # first row, last row, depth, first word
    stack: list[tuple[int, str]] = []
    for i, row in enumerate(rows):
        if row.strip().startswith("}") and stack:
            first, word = stack.pop()
            boxes.append((first, i, len(stack), word))
        if row.rstrip().endswith("{"):
            stack.append((i, next((w for w in row.split() if w in _LOOPS), "")))
    wide = max((len(r) for r in rows), default=0) * _LETTER + 40
    lines = []
    for first, last, depth, word in sorted(boxes, key=lambda b: b[2]):
        x, y = 2 + depth * 10, first * 15 + 2
        fill = _LOOPS.get(word, "#eef0f4")
        lines.append(
            f'<rect x="{x}" y="{y}" width="{wide - 20 * depth:.0f}" '
            f'height="{(last - first + 1) * 15}" rx="5" fill="{fill}" stroke="#b6bfcc"/>'
        )
    for i, row in enumerate(rows):
        shown = _printable(row.rstrip(" {").rstrip())
        if shown.strip() in ("", "}"):
            continue
        x = 10 + (len(row) - len(row.lstrip())) * 5
        mono = 'font-family="monospace" xml:space="preserve"'
        lines.append(f'<text x="{x}" y="{i * 15 + 14}" {mono}>{escape(shown.strip())}</text>')
    return _page(wide + 4, len(rows) * 15 + 6, lines)
