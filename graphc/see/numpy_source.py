"""Runnable dumps: a pure graph after any pass, as a numpy program that computes the same values."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Symbol
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value, shape_text
from graphc.ops import philox, random
from graphc.ops.record import round_bf16
from graphc.see.numpy_forms import FORMS, numpy_type
from graphc.see.portable import NotPortable, Sources, identifier, in_lines, without_quiet

__all__ = ["Program", "numpy_source"]

#: Constants of more elements have a line of their own in the file, of more bytes a place in a file
#: beside it.
INLINE, BESIDE = 32, 1 << 16


class Program(NamedTuple):
    """A graph as a numpy program.

    Attributes
    ----------
    text : str
    arrays : dict of str to array
        Large constants, which `write` puts into an ``.npz`` beside the program. A program that is
        not written has them in its text (`numpy_source` with ``beside=False``).
    """

    text: str
    arrays: dict[str, np.ndarray[Any, Any]]

    def write(self, path: str | Path) -> None:
        """Write the program, and beside it what is large.

        Raises
        ------
        OSError
            When one cannot be written.
        """
        path = Path(path)
        if self.arrays:
            np.savez(path.with_suffix(".npz"), **self.arrays)  # type: ignore[arg-type]
        path.write_text(self.text, encoding="utf-8")


def numpy_source(
    graphs: Graph | Mapping[str, Graph], *, title: str = "", beside: bool = False,
    seeds: Callable[[Node], tuple[int, int] | None] | None = None,
    random: Mapping[str, Sequence[Node]] | None = None,
) -> Program:  # fmt: skip
    """The program of a pure graph, or of several, a function for each.

    Parameters
    ----------
    graphs : Graph, or mapping of str to Graph
        The functions have the names of the mapping; of one graph, ``main``.
    title : str
        What the program says it is.
    beside : bool
        Keep large constants in `Program.arrays` instead of the text.
    seeds : callable, optional
        The seeds that a session uses for a recorded random op without seeds of its own.
    random : mapping of str to sequence of Node, optional
        The recorded random ops of each function, by the attribute `stream` of its nodes.

    Examples
    --------
    >>> from graphc.ir.text import parse_graph
    >>> g = parse_graph('''graph main(b) {
    ...   %x = input {index=0} : f32[b,3]
    ...   %w = read {var="w"} : f32[3,2]
    ...   %y = matmul %x, %w {transpose_a=false, transpose_b=false} : f32[b,2]
    ...   return %y
    ... }''')
    >>> text = numpy_source(g).text
    >>> print(text[text.index("def ") :])
    def main(x, variables):
        with np.errstate(all="ignore"):
            w = variables["w"]
            y = x @ w
            return (y,)
    <BLANKLINE>
    """
    given = {"main": graphs} if isinstance(graphs, Graph) else dict(graphs)
    program = _Program(beside, seeds, random or {}, len(given) > 1)
    functions = [program.function(name, g) for name, g in given.items()]
    return Program(program.text(title, given, functions), program.arrays)


# ------------------------------------------------------------------- the whole


class _Program:
    def __init__(
        self, beside: bool, seeds: Any, random: Mapping[str, Sequence[Node]], several: bool
    ) -> None:
        self.used: set[str] = {"np", "variables", "main", "types", "base64", "OPS"}
        self.sources = Sources(self.used)
        self.beside = beside
        self.seeds = seeds
        self.random = random
        self.several = several
        self.fresh: dict[Node, tuple[int, int]] = {}
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.blobs: list[str] = []
        self.names: dict[int, str] = {}
        self.streams: dict[str, tuple[int, int]] = {}
        self.foreign: dict[str, str] = {}

    def function(self, name: str, g: Graph) -> str:
        return _Function(self, g, name).written()

    def constant(self, a: np.ndarray[Any, Any], dtype: Any, name: str) -> str:
        """Text that is the array: a number, its elements, or a name for it."""
        if a.ndim == 0 and a.dtype != object:
            return _number(a)
        if a.size <= INLINE or a.dtype == object:
            kind = "object" if a.dtype == object else f"np.{a.dtype.name}"
            kind = "np.bool_" if a.dtype == bool else kind
            if not a.size and a.ndim > 1:
                return f"np.zeros({a.shape}, {kind})"
            return f"np.array({_elements(a)}, {kind})"
        if id(a) not in self.names:
            self.names[id(a)] = key = self.sources.named(name).upper()
            self.used.add(key)
            if self.beside and a.nbytes >= BESIDE:
                self.arrays[key.strip("_")] = a
                self.blobs.append(f"{key} = _BESIDE[{key.strip('_')!r}]")
            else:
                data = base64.b64encode(np.ascontiguousarray(a).tobytes()).decode()
                lines = "\n".join(f"    {s!r}" for s in in_lines(data))
                self.sources.imports.add("import base64")
                made = f"np.frombuffer(base64.b64decode(\n{lines}\n), np.{a.dtype.name})"
                made = made.replace("np.bool)", "np.bool_)")
                self.blobs.append(f"{key} = {made}.reshape({a.shape})")
        return self.names[id(a)]

    def stream(self, n: Node, function: str) -> str:
        """The key under which the blocks that a random op has drawn are counted.

        Each function counts its own: parts of a run, and stages, draw the same numbers.
        """
        recorded, stream = self.random.get(function, ()), n.attrs.get("stream")
        node = n if stream is None or stream >= len(recorded) else recorded[stream]
        key = node.name if stream is None or node is not n else f"{n.name} {stream}"
        if self.several:
            key = f"{function}: {key}"
        if key not in self.streams:
            pair = (n.attrs["seed"], n.attrs["seed2"])
            if pair == (0, 0):
                pair = (self.seeds(node) if self.seeds else None) or self.fresh.get(node, pair)
            if pair == (0, 0):
                pair = self.fresh[node] = philox.fresh_seeds()
            self.streams[key] = pair
        return repr(key)

    def text(self, title: str, graphs: Mapping[str, Graph], functions: Sequence[str]) -> str:
        head = [title or "A graph of graphc as a numpy program.", ""]
        for name, g in graphs.items():
            head += _about(name, g)
        if self.sources.lines:
            head += ["", "Functions with an underscore are the meanings of ops that numpy has no"]
            head += ["function for, as graphc defines them."]
        if self.foreign:
            head += [
                "",
                f"Meanings taken from graphc, which must be installed: {', '.join(self.foreign)}.",
            ]
        if self.streams:
            head += ["", "Random ops draw Philox numbers, as in a session: each call goes on where"]
            head += ["the last one stopped (_DRAWN, in blocks)."]
        doc = "\n".join(head).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        parts = [f'"""{doc}\n"""\n']
        parts += sorted(self.sources.imports)
        if self.arrays:
            parts.append("import pathlib")
        parts.append("\nimport numpy as np" if len(parts) > 1 else "import numpy as np")
        if self.foreign:
            modules = sorted({f"import {m}" for m in self.foreign.values()})
            parts.append("\n" + "\n".join([*modules, "from graphc.ir.registry import OPS"]))
        if self.arrays:
            parts.append("\nwith np.load(pathlib.Path(__file__).with_suffix('.npz')) as _file:")
            parts.append("    _BESIDE = dict(_file)")
        parts += self.blobs
        if self.streams:
            seeds = {k: tuple(map(int, v)) for k, v in self.streams.items()}
            parts += [f"\n_SEEDS = {seeds}", "_DRAWN = dict.fromkeys(_SEEDS, 0)", _DRAW]
        parts += ["", *[line + "\n" for line in self.sources.lines]] if self.sources.lines else [""]
        return "\n".join([*parts, "\n\n".join(functions)])


_DRAW = '''

def _draw(stream, blocks):
    """How many blocks an op has drawn; it draws more."""
    before = _DRAWN[stream]
    _DRAWN[stream] += int(blocks)
    return before
'''


def _about(name: str, g: Graph) -> list[str]:
    """What a function takes and gives."""
    params = [_parameter(v) for v in g.inputs]
    names = [*(p for p in params), *(["variables"] if _variables(g) else [])]
    out = [f"{name}({', '.join(names)}) returns a tuple of {len(g.outputs)}"]
    out += [f"    {p}: {_type(v)}" for p, v in zip(params, g.inputs, strict=True)]
    for var, v in _variables(g).items():
        changed = " (changed)" if var in dict(g.updates) else ""
        out.append(f"    variables[{var!r}]: {_type(v)}{changed}")
    return out


def _parameter(v: Value) -> str:
    return v.node.name or "x"


def _type(v: Value) -> str:
    return f"{v.dtype.name}[{shape_text(v.static_shape)}]"


def _variables(g: Graph) -> dict[str, Value]:
    found = {n.attrs["var"]: n.outputs[0] for n in g.nodes() if n.op.name == "read"}
    for var, v in g.updates:
        found.setdefault(var, v)
    return found


def _number(a: Any) -> str:
    """A number of numpy's own type."""
    t = a.dtype.name
    if t == "bool":
        return f"np.bool_({bool(a)})"
    x = a[()]
    text = str(x) if a.dtype.kind in "iu" else np.format_float_positional(x, trim="0")
    if a.dtype.kind == "f":
        text = str(x) if np.isfinite(x) else f"np.{'nan' if x != x else 'inf'}"
        text = f"-{text}" if np.isneginf(x) else text
    return f"np.{t}({text})"


def _elements(a: Any) -> str:
    if a.ndim:
        return "[" + ", ".join(_elements(x) for x in a) + "]"
    x = a.item() if a.dtype.kind not in "f" else a[()]
    if a.dtype.kind == "f" and not np.isfinite(x):
        return "np.nan" if x != x else "-np.inf" if x < 0 else "np.inf"
    return str(x) if a.dtype.kind == "f" else repr(x)


# ------------------------------------------------------------------- a function


@dataclass
class _Scope:
    """What is known at a place of the program."""

    values: dict[Value, str] = field(default_factory=dict)
    sizes: dict[Symbol, Dim] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)

    def inner(self) -> _Scope:
        """A body inside sees sizes, and no values: their names are free."""
        return _Scope({}, dict(self.sizes), set(self.kept), self.kept)


class _Shown(Mapping[str, str]):
    """The attributes of a node as text, each made when it is looked at."""

    def __init__(self, attrs: Mapping[str, Any], literal: Callable[[Any], str]) -> None:
        self.attrs = attrs
        self.literal = literal
        self.texts: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        return self.texts[key] if key in self.texts else self.literal(self.attrs[key])

    def __iter__(self) -> Iterator[str]:
        return iter({**self.attrs, **self.texts})

    def __len__(self) -> int:
        return len({**self.attrs, **self.texts})


class _Function:
    """Writes the function of a graph, those of its regions inside it."""

    def __init__(self, program: _Program, g: Graph, name: str) -> None:
        self.program = program
        self.sources = program.sources
        self.graph = g
        self.name = name
        self.facts = g.facts
        self.needed = _sizes_needed(g)

    def written(self) -> str:
        g, scope = self.graph, _Scope(used=set(self.program.used), kept=set(self.program.used))
        self.lines: list[str] = []
        params = [self.param(v, scope) for v in g.inputs]
        if _variables(g):
            params.append("variables")
        self.pad = "        "
        self.learn(g.inputs, scope)
        self.body(g, scope)
        for var, v in g.updates:
            self.say(f"variables[{_quoted(var)}] = {self.of(v, scope)}")
        results = ", ".join(self.of(v, scope) for v in g.outputs)
        self.say(f"return ({results}{',' * (len(g.outputs) == 1)})")
        head = f"def {self.name}({', '.join(params)}):"
        return "\n".join([head, '    with np.errstate(all="ignore"):', *self.lines, ""])

    def say(self, line: str, n: Node | None = None) -> None:
        where = f"  # {_file(n)}" if n is not None and n.source else ""
        self.lines.append(f"{self.pad}{line}{where if len(line) < 160 else ''}")

    def param(self, v: Value, scope: _Scope) -> str:
        scope.values[v] = name = identifier(_parameter(v), scope.used)
        return name

    # ------------------------------------------------------------- sizes

    def learn(self, values: Iterable[Value], scope: _Scope) -> None:
        """Sizes that the shapes of `values` tell."""
        for v in values:
            for i, d in enumerate(v.static_shape or ()):
                if not isinstance(d, Expr) or not d.is_atom:
                    continue
                s = d.terms[0][0][0]
                if isinstance(s, Symbol) and s in self.needed and s not in scope.sizes:
                    name = identifier(s.name, scope.used, "size")
                    scope.kept = {*scope.kept, name}
                    scope.sizes[s] = Expr.symbol(name)
                    self.say(f"{name} = {self.of(v, scope)}.shape[{i}]")

    def size(self, d: Dim, scope: _Scope) -> str:
        if not isinstance(d, Expr):
            return str(d)
        for s in sorted(d.symbols(), key=str):
            if s not in scope.sizes:  # no operand tells it: what it is in this compilation
                scope.sizes[s] = self.facts.value(Expr.atom(s))
        return str(D.substitute(d, scope.sizes))

    # ------------------------------------------------------------- values

    def of(self, v: Value, scope: _Scope) -> str:
        text = scope.values.get(v)
        if text is None:  # a number that stands outside of a fused body
            text = self.constant(v.node, scope)
        return text

    def constant(self, n: Node, scope: _Scope) -> str:
        text = self.program.constant(n.attrs["value"], n.outputs[0].dtype, n.name or "constant")
        if n.attrs["value"].ndim and "(" in text:
            name = identifier(n.name or "constant", scope.used)
            self.say(f"{name} = {text}", n)
            text = name
        scope.values[n.outputs[0]] = text
        return text

    def results(self, n: Node, scope: _Scope) -> str:
        names = []
        for v in n.outputs:
            base = n.name or n.op.name
            if n.op.name == "fused":
                base = n.attrs["body"].outputs[v.index].node.name or base
            elif v.index:
                base = f"{base}_{v.index}"
            scope.values[v] = identifier(base, scope.used)
            names.append(scope.values[v])
        return ", ".join(names)

    def literal(self, x: Any, scope: _Scope) -> str:
        if isinstance(x, Expr):
            return self.size(x, scope)
        if isinstance(x, (tuple, list)):
            inner = ", ".join(self.literal(e, scope) for e in x)
            return f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, np.ndarray):
            return self.program.constant(x, None, "table")
        return self.sources.value(x, "attribute")

    # ------------------------------------------------------------- nodes

    def body(self, g: Graph, scope: _Scope) -> None:
        for n in g.nodes():
            if n.outputs and n.outputs[0] in scope.values:
                continue
            self.node(n, scope)

    def node(self, n: Node, scope: _Scope) -> None:
        op = n.op.name
        if op == "constant":
            self.constant(n, scope)
        elif op == "read":
            name = self.results(n, scope)
            self.say(f"{name} = variables[{_quoted(n.attrs['var'])}]", n)
        elif op == "fused":
            self.fused(n, scope)
        elif op == "cond":
            self.cond(n, scope)
        elif op == "while":
            self.loop(n, scope)
        else:
            self.plain(n, scope)
        self.learn(n.outputs, scope)

    def plain(self, n: Node, scope: _Scope) -> None:
        given = [self.of(v, scope) for v in n.inputs]
        expression = self.meaning(n, given, scope)
        if n.outputs and all(v.dtype is dtypes.bfloat16 for v in n.outputs):
            if n.op.family != "view" and len(n.outputs) == 1:
                rounded = self.sources.function(round_bf16, "bfloat16")
                expression = f"{rounded}({expression})"
        left = self.results(n, scope)
        if len(n.outputs) == 1 and n.op.numpy is not None and n.op.facts.get("tuple"):
            left += ","
        self.say(f"{left} = {expression}" if left else expression, n)

    def meaning(self, n: Node, given: list[str], scope: _Scope) -> str:
        """The expression of a node's results."""
        attrs = dict(n.attrs)
        dynamic = attrs.pop("dynamic", ())
        shown = _Shown(attrs, lambda a: self.literal(a, scope))
        if dynamic:
            given, last = given[: -len(dynamic)], given[-len(dynamic) :]
            ints = self.sources.function(_ints, "ints")
            shown.texts = {k: f"{ints}({a})" for k, a in zip(dynamic, last, strict=True)}
        if n.op.family == "random":
            return self.random(n, given, shown, scope)
        shape, t = n.outputs[0].static_shape if n.outputs else None, n.outputs[0].dtype
        if n.op.name == "array_new" and shape is not None and t.kind != "s":
            return f"np.zeros({self.literal(shape, scope)}, {numpy_type(t)})"  # of no elements yet
        form = FORMS.get(n.op.name)
        if form is not None and not dynamic:
            made = form(n, given, shown)
            if made is not None:
                return str(made)
        return self.call(n, given, shown)

    def call(self, n: Node, given: list[str], shown: _Shown) -> str:
        f = n.op.numpy
        if f is None:
            raise NotPortable(f"op {n.op.name!r} has no meaning in numpy")
        kinds = [numpy_type(v.dtype) for v in n.inputs[: len(given)]]
        short = self.sources.expression(f, given, shown, kinds)
        if short is not None:
            return short
        try:
            name = self.sources.function(f, n.op.name)
        except NotPortable:
            name = f"OPS[{n.op.name!r}].numpy"
            self.program.foreign[n.op.name] = without_quiet(f).__module__
        words = [*given, *(f"{k}={a}" for k, a in shown.items())]
        return f"{name}({', '.join(words)})"

    def random(self, n: Node, given: list[str], shown: _Shown, scope: _Scope) -> str:
        key = self.program.stream(n, self.name)
        blocks = self.size(random.reserved(n), scope)
        seeds = f"*_SEEDS[{key}], _draw({key}, {blocks})"
        draw, t, y = n.op.facts.get("draw"), n.outputs[0].dtype, n.outputs[0]
        if draw:
            shape = shown["shape"]
            count = f"int(np.prod({shape}, dtype=np.int64))"
            if y.static_shape is not None:
                count = self.size(D.product(y.static_shape), scope)
            ends = ""
            if draw == "uniform_int":
                ends = f", int({given[0]}), int({given[1]}), np.{t.np.name}"
            else:
                draw = f"{draw}_{'bf16' if t is dtypes.bfloat16 else t.code}"
            f = self.sources.function(getattr(philox, draw), draw)
            return f"{f}({seeds}, {count}{ends}).reshape({shape})"
        shown.attrs = {k: a for k, a in shown.attrs.items() if k not in ("seed", "seed2", "stream")}
        shown.texts = {
            **shown.texts, "seed": f"_SEEDS[{key}][0]", "seed2": f"_SEEDS[{key}][1]",
            "skip": f"_draw({key}, {blocks})",
        }  # fmt: skip
        return self.call(n, given, shown)

    # ------------------------------------------------------------- bodies

    def define(self, wanted: str, g: Graph, scope: _Scope, sizes: Iterable[str] = ()) -> str:
        """A function of a body, defined here; it sees the sizes that are known here."""
        name = identifier(wanted, scope.used)
        inner = scope.inner()
        params = [self.param(v, inner) for v in g.inputs]
        for s in sizes:
            text = identifier(s, inner.used)
            inner.sizes[Symbol(s)] = Expr.symbol(text)
            params.append(text)
        self.say(f"def {name}({', '.join(params)}):")
        pad, self.pad = self.pad, self.pad + "    "
        self.learn(g.inputs, inner)
        self.body(g, inner)
        self.say(f"return {', '.join(self.of(v, inner) for v in g.outputs) or '()'}")
        self.pad = pad
        return name

    def fused(self, n: Node, scope: _Scope) -> None:
        offsets = n.attrs.get("offsets", {})
        name = self.define(f"fused_{n.name}", n.attrs["body"], scope, offsets)
        given = [self.of(v, scope) for v in n.inputs]
        given += [self.literal(d, scope) for d in offsets.values()]
        self.say(f"{self.results(n, scope)} = {name}({', '.join(given)})", n)

    def cond(self, n: Node, scope: _Scope) -> None:
        then, orelse = (self.define(f"{n.name}_{k}", n.attrs[k], scope) for k in ("then", "orelse"))
        pred, *given = (self.of(v, scope) for v in n.inputs)
        words = ", ".join(given)
        left = self.results(n, scope)
        self.say(f"{left} = {then}({words}) if {pred} else {orelse}({words})", n)

    def loop(self, n: Node, scope: _Scope) -> None:
        cond, body = (self.define(f"{n.name}_{k}", n.attrs[k], scope) for k in ("cond", "body"))
        given = [self.of(v, scope) for v in n.inputs]
        left = self.results(n, scope)
        count = len(n.outputs)
        self.say(f"{left} = {', '.join(given[:count])}", n)
        words = ", ".join([left, *given[count:]])
        self.say(f"while {cond}({words}):")
        self.say(f"    {left} = {body}({words})")


def _quoted(s: str) -> str:
    text = repr(s)
    return text if '"' in text or "\\'" in text else f'"{text[1:-1]}"'


def _ints(a: Any) -> Any:
    """Numbers as Python's own, in tuples."""
    a = np.asarray(a).tolist()
    return tuple([_ints(x) for x in a]) if isinstance(a, list) else a


def _file(n: Node) -> str:
    s = n.source[0]
    text = f"{Path(s.file).name}:{s.line}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _sizes_needed(g: Graph) -> set[Symbol]:
    """Every symbol that some attribute says, or a random op counts with."""
    out: set[Symbol] = set()
    stack = [g]
    while stack:
        for n in stack.pop().nodes():
            if n.op.name in ("input", "read", "constant"):
                continue
            if n.op.family == "random":
                out |= _symbols(random.reserved(n))
            own = {Symbol(k) for k in n.attrs.get("offsets", ())}
            for a in n.attrs.values():
                if not isinstance(a, Graph):
                    out |= _symbols(a)
                elif own:
                    out |= _sizes_needed(a) - own
                else:
                    stack.append(a)
    return out


def _symbols(x: Any) -> set[Symbol]:
    if isinstance(x, Expr):
        return x.symbols()
    if isinstance(x, Mapping):
        x = tuple(x.values())
    return set().union(*map(_symbols, x)) if isinstance(x, (tuple, list)) else set()
