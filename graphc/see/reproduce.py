"""From a fault in a large run to a short script: the graph cut down, its data with it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.ir import build, dims
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ir.text import print_graph
from graphc.ops.pure import input_op
from graphc.runtime import reference
from graphc.see import native
from graphc.see.compare import Memo

if TYPE_CHECKING:
    from graphc.see.check import Fault

__all__ = ["Small", "saved", "script", "shrink"]

Array = np.ndarray[Any, Any]
#: A graph of inputs and nothing else that a session holds, with the arrays of its inputs.
Small = tuple[Graph, list[Array]]
#: What shrinking may take, in seconds.
SECONDS = 20.0
_SOURCES = ("input", "read")


def induced(
    nodes: Sequence[Node],
    keep: Collection[Node],
    memo: Memo,
    smaller: Mapping[int, int] | None = None,
) -> Small:
    """The nodes `keep` by themselves, every size a number; what they read beside is an input.

    With `smaller`, sizes in shapes are replaced: arrays are cut.
    """
    return _Induced(memo, smaller or {}).graph([n for n in nodes if n in keep])


class _Induced:
    def __init__(self, memo: Memo, smaller: Mapping[int, int]) -> None:
        self.memo = memo
        self.smaller = smaller
        self.new: dict[Value, Value] = {}
        self.inputs: list[Value] = []
        self.arrays: list[Array] = []

    def graph(self, nodes: Sequence[Node]) -> Small:
        read = {v for n in nodes for v in n.inputs}
        with build.use(build.Rewriter()), dims.assuming(dims.Facts(dict(self.memo.env))):
            for n in nodes:
                made = self.remade(n, [self.given(v) for v in n.inputs])
                self.new.update(zip(n.outputs, made.outputs, strict=True))
        ends = [v for n in nodes if n.op.name != "constant" for v in n.outputs if v not in read]
        return Graph(tuple(self.new[v] for v in ends), (), tuple(self.inputs)), self.arrays

    def given(self, v: Value) -> Value:
        """What stands for an operand: made before, or an input."""
        if v not in self.new:
            a = np.array(self.cut(self.memo.of(v)))
            number = len(self.inputs)
            self.new[v] = self.input(number, v.dtype, tuple(a.shape), f"x{number}")
            self.inputs.append(self.new[v])
            self.arrays.append(a)
        return self.new[v]

    @staticmethod
    def input(index: int, dtype: Any, shape: Any, name: str) -> Value:
        attrs = {"index": index, "dtype": dtype, "shape": shape}
        return Node(input_op, (), attrs, [(dtype, shape)], name).outputs[0]

    def cut(self, a: Array) -> Array:
        return a[tuple(slice(self.smaller.get(n, n)) for n in a.shape)]

    def remade(self, n: Node, ins: Sequence[Value]) -> Node:
        """A node on other operands, its types inferred anew."""
        outer = ins[1:] if n.op.name == "cond" else ins
        attrs = {
            k: self.region(x, outer) if isinstance(x, Graph) else self.attribute(k, x)
            for k, x in n.attrs.items()
        }
        return Node(n.op, ins, attrs, n.op.infer(ins, attrs), n.name, (), n.source)

    def region(self, g: Graph, outer: Sequence[Value]) -> Graph:
        """A region whose inputs have the types of these values."""
        inner = {
            v: self.input(v.node.attrs["index"], o.dtype, o.static_shape, v.node.name)
            for v, o in zip(g.inputs, outer, strict=True)
        }
        for n in g.nodes():
            if n.op.name != "input":
                made = self.remade(n, [inner[v] for v in n.inputs])
                inner.update(zip(n.outputs, made.outputs, strict=True))
        outs, ins = (tuple(inner[v] for v in vs) for vs in (g.outputs, g.inputs))
        return Graph(outs, (), ins, g.name)

    def attribute(self, name: str, x: Any) -> Any:
        x = reference.resolve(x, self.memo.env)
        if name == "value":
            return self.cut(x)
        if name in ("shape", "size", "sizes") and isinstance(x, tuple):
            return tuple(self.smaller.get(n, n) if type(n) is int else n for n in x)
        return x


def shrink(part: native.Part, bad: Callable[[Graph, list[Array]], bool], name: str) -> Small | None:
    """A small graph for which `bad` still holds, near the node `name` if it can be.

    None where even the whole graph does not show it by itself (random numbers in loops).
    """
    g = part.compilation.frozen.graph
    args = part.env, part.variables, part.streams(), dict(zip(g.inputs, part.given, strict=True))
    memo = Memo(*args)
    memo.all(g.roots)
    nodes = [n for n in g.nodes() if n.op.name not in _SOURCES]
    until = time.monotonic() + SECONDS

    def shows(keep: Collection[Node], smaller: Mapping[int, int] | None = None) -> bool:
        if not keep or time.monotonic() > until:
            return False
        whole = {*keep, *(v.node for n in keep for v in n.inputs if v.node.op.name == "constant")}
        try:
            small, arrays = induced(nodes, whole, memo, smaller)
            return bool(small.outputs) and bad(small, arrays)
        except Exception:  # a graph that cannot be by itself
            return False

    loose = [n for n in nodes if n.op.family != "random" and n.op.name != "constant"]
    keep = next((near for near in neighbourhoods(loose, name) if shows(near)), None)
    if keep is None:
        if not shows(loose):
            return None
        keep = set(loose)
    keep = set(minimal([n for n in loose if n in keep], shows))
    smaller: dict[int, int] = {}
    sizes = {s for n in keep for v in (*n.inputs, *n.outputs) for s in memo.of(v).shape}
    for s in sorted(sizes, reverse=True):
        for to in (1, 2, 3):
            if s > to and shows(keep, {**smaller, s: to}):
                smaller[s] = to
                break
    whole = {*keep, *(v.node for n in keep for v in n.inputs if v.node.op.name == "constant")}
    return induced(nodes, whole, memo, smaller)


def neighbourhoods(nodes: Sequence[Node], name: str) -> list[set[Node]]:
    """Sets of nodes around the one of a name: what it reads, then who reads it as well."""
    of_name = {n for n in nodes if n.name == name}
    if not of_name:
        return []
    users: dict[Node, list[Node]] = {}
    for n in nodes:
        for v in n.inputs:
            users.setdefault(v.node, []).append(n)
    known = set(nodes)
    out, near = [], set(of_name)
    for depth in range(6):
        out.append(set(near))
        near |= {v.node for n in near for v in n.inputs if v.node in known}
        if depth >= 2:
            near |= {u for n in near for u in users.get(n, ())}
    return out


def minimal(keep: list[Node], shows: Callable[[Collection[Node]], bool]) -> list[Node]:
    """Delta debugging: fewer and fewer nodes, while the fault shows."""
    pieces = 2
    while len(keep) > 1:
        size = -(-len(keep) // pieces)
        for i in range(0, len(keep), size):
            rest = keep[:i] + keep[i + size :]
            if shows(rest):
                keep, pieces = rest, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(keep), 2 * pieces)
    return keep


# ------------------------------------------------------------------------- the script


def array_text(a: Array) -> str:
    """An array as Python."""
    kind = "np.bool_" if a.dtype.kind == "b" else f"np.{a.dtype.name}"
    flat = a.reshape(-1).tolist()
    if a.size > 64 and len(set(flat)) == 1 and flat[0] == flat[0]:
        return f"np.full({a.shape}, {flat[0]!r}, {kind})"
    if (
        a.size > 64
        and a.dtype.kind in "fi"
        and flat == list(range(int(flat[0]), int(flat[0]) + a.size))
    ):
        return f"np.arange({flat[0]!r}, {flat[-1] + 1!r}, dtype={kind}).reshape({a.shape})"
    items = ", ".join(repr(x) for x in flat)
    items = items.replace("nan", "np.nan").replace("inf", "np.inf")
    shape = "" if a.ndim == 1 else f".reshape({a.shape})"
    return f"np.array([{items}], {kind}){shape}"


def script(
    small: Small, title: str, passes: Sequence[str], variables: Mapping[str, Array] | None = None
) -> str:
    """A program that compiles the graph, computes it on numpy, and says what is wrong."""
    g, arrays = small
    lines = "\n".join(f"# {line}" for line in title.splitlines())
    inputs = "".join(f"    {array_text(a)},\n" for a in arrays)
    held = "".join(f"    {name!r}: {array_text(a)},\n" for name, a in (variables or {}).items())
    more, last = (f"VARIABLES = {{\n{held}}}\n", ", VARIABLES") if held else ("", "")
    text = print_graph(g, full=True).rstrip().replace("\\", "\\\\")
    return (
        f"{lines}\nimport numpy as np\n\nfrom graphc.see.check import replay\n\n"
        f'GRAPH = """\n{text}\n"""\n'
        f"INPUTS = [\n{inputs}]\nPASSES = {','.join(passes)!r}\n{more}\n"
        f'if __name__ == "__main__":\n    raise SystemExit(replay(GRAPH, INPUTS, PASSES{last}))\n'
    )


def saved(part: native.Part, fault: Fault) -> str:
    """Write a script that shows a fault; where it is, as the end of a message."""
    from graphc.see.check import showing

    passes = part.run.executor.passes
    try:
        variables: dict[str, Array] = {}
        small = shrink(part, showing(fault, passes), fault.node.name)
        if small is None:  # it takes variables to show it
            small, variables = (part.compilation.frozen.graph, part.given), part.variables
        folder = Path(
            os.environ.get("GRAPHC_CHECK_DIR") or tempfile.mkdtemp(prefix="graphc_check_")
        )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{fault.kind}_{fault.word or 'plan'}.py"
        path.write_text(script(small, str(fault), passes, variables), encoding="utf-8")
    except Exception as e:  # the fault itself is what matters
        return f"\n  (no script could be written: {e})"
    return f"\n  shown by: python {path}"
