"""The nodes of all stages of a compilation as columns, each once, and what became what.

Nodes never change, and a pass keeps those it has no business with. So the stages share most of
their nodes, and a stage is the rows in which it differs from the one before: lined up, each with
the rule or the pass that made the difference.
"""

from __future__ import annotations

import linecache
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Expr, Symbol
from graphc.ir.graph import Graph
from graphc.ir.journal import Change
from graphc.ir.node import Node, Source, Value, type_text
from graphc.ir.registry import REGIONS
from graphc.ir.text import attribute_text
from graphc.see.provenance import forward_operation

__all__ = ["Lines", "Rows", "Table"]

#: What attributes say is cut to so many characters.
ATTRIBUTES = 300
#: Lines around those that made something that are kept of a file that is longer than `LONG`.
AROUND, LONG = 20, 4000

#: Why a row has nothing beside it that a body repeats.
AGAIN = "computed here again: cheaper than storing it"

#: Rows of the difference of two stages: how many are the same in both, or lists (before, after) of
#: nodes that read the same, or (before, after, why, the row that stands for it now). A row is a
#: node of the table; -1 where there is none.
Rows = list[Any]


class Lines:
    """The user's lines, numbered, and the files that they are in."""

    def __init__(self) -> None:
        self.of: dict[tuple[str, int], int] = {}
        self.lines: list[list[Any]] = []  # file, line, function
        self.files: dict[str, int] = {}

    def add(self, source: Iterable[Source]) -> list[int]:
        """The numbers of source lines."""
        out = []
        for s in source:
            key = (s.file, s.line)
            i = self.of.get(key)
            if i is None:
                file = self.files.setdefault(s.file, len(self.files))
                i = self.of[key] = len(self.lines)
                self.lines.append([file, s.line, s.function])
            out.append(i)
        return out

    def texts(self) -> list[dict[str, Any]]:
        """Each file with its text: pieces of (number of the first line, lines)."""
        out: list[dict[str, Any]] = []
        for name, i in self.files.items():
            text = [s.rstrip("\r\n") for s in linecache.getlines(name)]
            used = sorted({n for f, n, _ in self.lines if f == i})
            pieces = [[1, text]] if len(text) <= LONG else _around(text, used)
            if not text:
                pieces = [[n, [""]] for n in used]
            out.append({"path": name, "pieces": pieces, "total": len(text)})
        return out


def _around(text: Sequence[str], used: Sequence[int]) -> list[list[Any]]:
    spans: list[list[int]] = []
    for n in used:
        first, last = max(1, n - AROUND), min(len(text), n + AROUND)
        if spans and first <= spans[-1][1] + 1:
            spans[-1][1] = last
        else:
            spans.append([first, last])
    return [[a, list(text[a - 1 : b])] for a, b in spans]


def _exact(v: Value) -> Any:
    return v.static_shape


def _as_seen(v: Value) -> Any:
    """Unknown sizes of recorded values as ``?``."""
    if v.static_shape is None:
        return None
    return tuple(d if type(d) is int else Expr.symbol("?") for d in v.static_shape)


class Table:
    """Columns of nodes; other rows of a listing (``return``, the edges of a region) are there too.

    Attributes
    ----------
    columns : dict of str to list
        ``name``, ``op``, ``inputs`` (node, result, node, result, …), ``control``, ``attrs``,
        ``types`` (of the results, as text), ``lines``, ``depth``, ``bytes`` (of all results), and
        ``kind``: "" for a node, else ``open``, ``close``, ``return``, ``update``.
    """

    def __init__(self, lines: Lines, env: Mapping[Symbol, int] | None = None) -> None:
        self.lines = lines
        self.env = dict(env or {})
        self.of: dict[Any, int] = {}
        self.columns: dict[str, list[Any]] = {
            c: []
            for c in (
                "name", "op", "inputs", "control", "attrs", "types", "lines", "depth", "bytes",
                "kind",
            )
        }  # fmt: skip
        self._old: set[int] = set()
        self._origin: Mapping[Node, Node] = {}
        self._again: dict[int, str] = {}
        self._come_from: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.columns["op"])

    def _add(self, key: Any, **row: Any) -> int:
        i = self.of[key] = len(self)
        for name, column in self.columns.items():
            column.append(row[name])
        return i

    def node(self, n: Node, depth: int = 0, shape: Callable[[Value], Any] = _exact) -> int:
        """The row of a node."""
        key: Any = n
        i = self.of.get(key)
        if i is not None and self.columns["depth"][i] != depth and n.graph is None:
            key = n, depth  # a body that nodes inside and outside of a loop share
            i = self.of.get(key)
        if i is None:
            i = self._add(
                key, name=n.name or n.op.name, op=n.op.name, inputs=[], control=[],
                attrs=_attributes(n), types=[type_text((v.dtype, shape(v))) for v in n.outputs],
                lines=self.lines.add(n.source), depth=depth, bytes=self.size(n), kind="",
            )  # fmt: skip
            self.columns["inputs"][i] = self._values(n.inputs, depth)
            self.columns["control"][i] = [self.node(m, depth) for m in n.control]
        return i

    def _values(self, values: Iterable[Value], depth: int) -> list[int]:
        out: list[int] = []
        for v in values:
            out += (self.node(v.node, depth), v.index)
        return out

    def size(self, n: Node) -> int:
        """Bytes of all results, as far as their sizes are known."""
        total = 0
        for v in n.outputs:
            try:
                count = D.evaluate(D.product(v.static_shape or ()), self.env)
            except (KeyError, TypeError, ValueError):
                continue
            total += count * v.dtype.size if v.static_shape is not None else 0
        return total

    def _sign(self, kind: str, depth: int, word: str, values: Iterable[Value], owner: Any) -> int:
        inputs = self._values(values, depth)
        key = (kind, owner, word, tuple(inputs))
        i = self.of.get(key)
        if i is None:
            i = self._add(
                key, name=word, op="", inputs=inputs, control=[], attrs="", types=[], lines=[],
                depth=depth, bytes=0, kind=kind,
            )  # fmt: skip
        return i

    def recorded(self, nodes: Iterable[Node]) -> list[int]:
        """The rows of recorded nodes."""
        for n in (ordered := list(nodes)):  # inputs first: nothing recurses deeply
            i = self.node(n, shape=_as_seen)
            of = forward_operation(n)
            if of is not None:  # a gradient belongs to the line of what it is the gradient of too
                own = self.columns["lines"][i]
                self.columns["lines"][i] = list(dict.fromkeys(self.lines.add(of.source) + own))
        return [self.of[n] for n in ordered]

    def listing(self, g: Graph, depth: int = 0, owner: Any = None) -> list[int]:
        """The rows of a graph and of the graphs in it, as they print."""
        out: list[int] = []
        nodes = g.nodes()
        seen = set(nodes)
        for n in [*[v.node for v in g.inputs if v.node not in seen], *nodes]:
            i = self.node(n, depth)
            out.append(i)
            graphs = {k: v for k, v in n.attrs.items() if isinstance(v, Graph)}
            for key in REGIONS.get(n.op.name, graphs):
                out.append(self._sign("open", depth + 1, key, (), n))
                inside = self.listing(graphs[key], depth + 2, (n.name, key))
                out += inside
                out.append(self._sign("close", depth + 1, key, (), n))
                self._holds(i, inside)
        for var, v in g.updates:
            out.append(self._sign("update", depth, var, (v,), owner))
        out.append(self._sign("return", depth, "", g.outputs, owner))
        return out

    def _holds(self, i: int, inside: Iterable[int]) -> None:
        """A node that holds others comes from their lines too."""
        lines = self.columns["lines"]
        lines[i] = sorted({*lines[i], *(x for j in inside for x in lines[j])})

    # ------------------------------------------------------------- differences

    def difference(
        self, before: Sequence[int], after: Sequence[int], changes: Sequence[Change],
        origin: Mapping[Node, Node],
    ) -> Rows:  # fmt: skip
        """What a pass made of the rows `before`, line by line.

        `changes` are those that the journal has of this pass, `origin` is the journal's.
        """
        if list(before) == list(after):
            return [len(after)] if after else []
        old = set(before)
        self._old, self._origin, self._again = old, origin, {}
        why, became = self._explained(changes)
        grouped = self._grouping(old, after)
        rows = (
            self._fused(before, after, became) if grouped else self._aligned(before, after, became)
        )
        out: Rows = []
        for a, b in rows:
            if a == b and not grouped:  # else the old rows are in another order
                if out and type(out[-1]) is int:
                    out[-1] += 1
                else:
                    out.append(1)
                continue
            if a >= 0 and b >= 0 and self._same(a, b):
                out.append([a, b])
                continue
            rule = why.get(a) or why.get(self._come_from.get(b, -1)) or self._again.get(b)
            into = became.get(a, ())[-1:] if b < 0 else ()
            out.append([a, b, rule or "", *into])
        return out

    def _same(self, a: int, b: int) -> bool:
        """Whether two rows read the same, whatever node an operand of that name is."""
        c = self.columns
        if any(c[k][a] != c[k][b] for k in ("op", "attrs", "types", "kind")):
            return False
        x, y, name = c["inputs"][a], c["inputs"][b], c["name"]
        return len(x) == len(y) and all(
            x[i] == y[i] or name[x[i]] == name[y[i]] if i % 2 == 0 else x[i] == y[i]
            for i in range(len(x))
        )

    def _root(self, n: Node) -> int:
        """The old row in whose place a node was built."""
        for _ in range(1000):
            i = self.of.get(n)
            if i in self._old:
                return i if i is not None else -1
            made = self._origin.get(n)
            if made is None:
                break
            n = made
        return -1

    def _explained(self, changes: Sequence[Change]) -> tuple[dict[int, str], dict[int, list[int]]]:
        """The rules that changed a row, and the rows that each row became."""
        column = self.columns
        named = {(column["name"][i], column["op"][i]): i for i in self._old}
        why: dict[int, dict[str, None]] = {}
        became: dict[int, list[int]] = {}
        for c in changes:
            if c.rule:
                for v in (c.old, *c.within):
                    i = self._root(v.node)
                    if i < 0:  # a copy on other operands: it has the name still
                        i = named.get((v.node.name, v.node.op.name), -1)
                    why.setdefault(i, {})[c.rule] = None
            else:
                a, b = self.of.get(c.old.node), self.of.get(c.new.node)
                if a is not None and b is not None and a != b:
                    became.setdefault(a, []).append(b)
        why.pop(-1, None)
        nodes = {i: n for n, i in self.of.items() if isinstance(n, Node)}
        self._come_from = {i: self._root(n) for i, n in nodes.items() if i not in self._old}
        return {i: "; ".join(rules) for i, rules in why.items()}, became

    def _grouping(self, old: set[int], after: Sequence[int]) -> bool:
        """Whether nodes went into bodies (``fuse``): what belongs together is another order."""
        ops = self.columns["op"]
        return any(ops[i] == "fused" for i in after if i not in old) and not any(
            ops[i] == "fused" for i in old
        )

    def _aligned(
        self, before: Sequence[int], after: Sequence[int], became: Mapping[int, Sequence[int]]
    ) -> list[tuple[int, int]]:
        """Pairs of rows in the order of `before`; what is new is where it came from."""
        inside, within = self._items(before), self._items(after)
        kept = set(within) & self._old
        place = {i: p for p, i in enumerate(inside)}
        partner = self._partners(list(inside), list(within), kept, became)
        blocks = self._blocks(list(within), place, partner)
        new_of = {a: b for b, a in partner.items()}
        rows: list[tuple[int, int]] = []

        def new(p: int) -> None:
            for b in blocks.get(p, ()):
                rows.extend((-1, x) for x in (b, *within[b]))

        new(-1)
        for p, i in enumerate(inside):
            new(p)
            b = i if i in kept else new_of.get(i, -1)
            rows.append((i, b))
            if i == b:
                rows += [(x, x) for x in inside[i]]
            elif b < 0:
                rows += [(x, -1) for x in inside[i]]
            else:
                rows += self._aligned(inside[i], within[b], became)
        return rows

    def _items(self, rows: Sequence[int]) -> dict[int, list[int]]:
        """The outermost rows, each with those inside of it."""
        depth = self.columns["depth"]
        out: dict[int, list[int]] = {}
        head = -1
        for i in rows:
            if head < 0 or depth[i] <= depth[head]:
                head = i
                out[head] = []
            else:
                out[head].append(i)
        return out

    def _partners(
        self, before: Sequence[int], after: Sequence[int], kept: set[int],
        became: Mapping[int, Sequence[int]],
    ) -> dict[int, int]:  # fmt: skip
        """For new rows the row that each took the place of."""
        new = set(after) - self._old
        out: dict[int, int] = {}
        free: dict[Any, deque[int]] = {}
        for i in before:
            if i in kept:
                continue
            b = next((b for b in became.get(i, ()) if b in new and b not in out), None)
            if b is not None:
                out[b] = i
            else:
                free.setdefault(self._likeness(i), deque()).append(i)
        for b in after:
            if b in new and b not in out and (same := free.get(self._likeness(b))):
                out[b] = same.popleft()
        return out

    def _likeness(self, i: int) -> tuple[str, str, str, int]:
        c = self.columns
        return c["kind"][i], c["op"][i], c["name"][i], c["depth"][i]

    def _blocks(
        self, after: Sequence[int], place: Mapping[int, int], partner: Mapping[int, int]
    ) -> dict[int, list[int]]:
        """New rows by the place of the old row that they stand before (-1: the start)."""
        out: dict[int, list[int]] = {}
        last = -1
        for b in after:
            if b in place:
                last = place[b] + 1
            elif b in partner:
                last = place[partner[b]] + 1
            else:  # made on the way to what replaced an old row, else behind the row before it
                root = place.get(self._come_from.get(b, -1))
                last = last if root is None else root
                out.setdefault(min(last, len(place) - 1), []).append(b)
        return out

    def _fused(
        self, before: Sequence[int], after: Sequence[int], became: Mapping[int, Sequence[int]]
    ) -> list[tuple[int, int]]:
        """Pairs in the order of `after`: each node beside its place in a body."""
        made_of = {b: a for a, into in became.items() for b in into if a in self._old}
        c = self.columns
        rows: list[tuple[int, int]] = []
        used: set[int] = set()
        for b in after:
            a = b if b in self._old else -1
            if a < 0 and c["op"][b] not in ("fused", "input"):
                a = made_of.get(b, -1)
                if a >= 0 and a in used:
                    a, self._again[b] = -1, AGAIN
            used.add(a)
            rows.append((a, b))
        return rows + [(i, -1) for i in before if i not in used and not c["kind"][i]]


def _attributes(n: Node) -> str:
    skip = {"dtype", "shape"} if n.op.name in _TYPED else set()
    inner = ", ".join(
        f"{k}={attribute_text(v)}"
        for k, v in sorted(n.attrs.items())
        if k not in skip and k[:1] != "_" and not isinstance(v, Graph)
    )
    return inner if len(inner) <= ATTRIBUTES else inner[:ATTRIBUTES] + " …"


_TYPED = frozenset({"input", "read", "constant", "placeholder", "variable"})
