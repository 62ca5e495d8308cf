"""Kernels as text: `print_kernel` and the text of what kernels have in common.

Printing is deterministic and ``kernel_parse.parse_kernel(print_kernel(k)) == k``. A type is
written where the default (that of the last operand) does not hold; comments start with ``#``.
"""

from __future__ import annotations

import json
from typing import Any

from graphc.ir import kernel as K
from graphc.ir.dims import Dim, Expr, Symbol, substitute
from graphc.ir.dtypes import DType

__all__ = [
    "default_sizes", "print_attributes", "print_kernel", "print_literal",
    "structure_text",
]  # fmt: skip


def print_attributes(attrs: K.Attrs) -> str:
    """``{axis=1}``, or nothing."""
    return "{" + ", ".join(f"{k}={_print_attribute(v)}" for k, v in attrs) + "}" if attrs else ""


def _print_attribute(v: Any) -> str:
    if v is None or isinstance(v, bool):
        return str(v).lower()
    if isinstance(v, str):
        return json.dumps(v)
    if isinstance(v, DType):
        return v.code
    if isinstance(v, tuple):
        return "[" + ", ".join(map(_print_attribute, v)) + "]"
    if isinstance(v, (int, float)):
        return repr(v)
    raise K.KernelError(f"attribute {v!r} has no text")


def print_literal(value: Any, dtype: DType) -> str:
    """The shortest number that gives this constant of `dtype`."""
    return str(value).lower() if dtype.kind == "b" else str(dtype.np.type(value))


# ------------------------------------------------------------------- printing


def print_kernel(k: K.Kernel, places: dict[int, int] | None = None) -> str:
    """`k` as text, ending in a newline; `places` learns the line of each statement, by its id."""
    cut = len(k.params)
    while cut and k.params[cut - 1].direction == "out":
        cut -= 1
    head = ", ".join(_direction(p) + _buffer(p) for p in k.params[:cut])
    tail = ", ".join(map(_buffer, k.params[cut:]))
    sizes = "" if k.sizes == default_sizes(k.params) else f" sizes({', '.join(map(str, k.sizes))})"
    out = _Text([f"kernel {k.name}({head}) -> ({tail}){sizes} {{"])
    out.places = places
    _print_body(k.body, "  ", out)
    return "\n".join([*out, "}", ""])


def default_sizes(params: tuple[K.Buffer, ...]) -> tuple[Symbol, ...]:
    found: dict[Symbol, None] = {}
    for p in params:
        for d in p.shape:
            for s in sorted(d.symbols(), key=str) if isinstance(d, Expr) else ():
                found.setdefault(s)
    return tuple(found)


def _direction(p: K.Buffer) -> str:
    return "" if p.direction == "in" else p.direction + " "


def _buffer(p: K.Buffer) -> str:
    return f"{p.name}: {p.dtype.code}[{', '.join(map(str, p.shape))}]"


def _operand(o: K.Operand) -> str:
    return (
        f"%{o.name}"
        if isinstance(o, K.Value)
        else f"{o.dtype.code} {print_literal(o.value, o.dtype)}"
    )


def _commas(ops: tuple[K.Operand, ...]) -> str:
    return ", ".join(map(_operand, ops))


def _hints(s: K.Loop | K.Reduce) -> str:
    words = [("block", s.block), ("lanes", s.lanes)] if isinstance(s, K.Loop) else []
    words.append(("unroll", s.unroll))
    return "".join(f" {w} {n}" for w, n in words if n)


class _Text(list[str]):
    """Lines, and where statements are among them, for whoever asks."""

    places: dict[int, int] | None = None


def _print_body(body: tuple[K.Stmt, ...], pad: str, out: list[str]) -> None:
    places = out.places if isinstance(out, _Text) else None
    for s in body:
        if places is not None:
            places[id(s)] = len(out) + 1
        if isinstance(s, K.Loop):
            out.append(f"{pad}{s.kind} {s.var} in {s.extent}{_hints(s)} {{")
            _print_body(s.body, pad + "  ", out)
            out.append(pad + "}")
        elif isinstance(s, K.Reduce):
            names = ", ".join(f"%{n}" for n in s.names)
            kinds = ", ".join(s.kinds)
            out.append(
                f"{pad}{names} = reduce {kinds} {s.kind} {s.var} in {s.extent}{_hints(s)} {{"
            )
            _print_body(s.body, pad + "  ", out)
            out += [f"{pad}  yield {_commas(s.values)}", pad + "}"]
        elif isinstance(s, K.Scan):
            _print_scan(s, pad, out)
        elif isinstance(s, K.Repeat):
            _print_repeat(s, pad, out)
        elif isinstance(s, K.Template):
            _print_template(s, pad, out)
        else:
            out.append(pad + _print_leaf(s))


def _print_scan(s: K.Scan, pad: str, out: list[str]) -> None:
    carries = []
    for kind, b, a, i in zip(s.kinds, s.before, s.after, s.init, strict=True):
        start = "" if i is None else f" from {_operand(i)}"
        carries.append(f"{kind} %{b.name}: {b.dtype.code} -> %{a.name}{start}")
    names = ", ".join(f"%{n}" for n in s.names)
    out.append(f"{pad}{names} = scan {', '.join(carries)} for {s.var} in {s.extent} {{")
    _print_body(s.body, pad + "  ", out)
    out.append(f"{pad}  step {_commas(s.values)}")
    _print_body(s.tail, pad + "  ", out)
    out.append(pad + "}")


def _print_repeat(s: K.Repeat, pad: str, out: list[str]) -> None:
    carries = ", ".join(
        f"%{b.name}: {b.dtype.code} from {_operand(i)}"
        for b, i in zip(s.before, s.init, strict=True)
    )
    names = ", ".join(f"%{n}" for n in (*s.names, s.go))
    out.append(f"{pad}{names} = repeat {carries} limit {s.limit} {{")
    _print_body(s.head, pad + "  ", out)
    out.append(f"{pad}  test {_operand(s.cond)}")
    _print_body(s.body, pad + "  ", out)
    out += [f"{pad}  next {_commas(s.values)}".rstrip(), pad + "}"]


def _print_template(s: K.Template, pad: str, out: list[str]) -> None:
    args = ", ".join(s.buffers) + ("; " + ", ".join(map(str, s.sizes)) if s.sizes else "")
    attrs = print_attributes(s.attrs)
    head = f"{pad}template {s.kind}({args})" + (" " + attrs if attrs else "")
    e = s.epilogue
    if e is None:
        out.append(head)
        return
    params = ", ".join(f"%{p.name}: {p.dtype.code}" for p in e.params)
    out.append(f"{head} epilogue({', '.join(e.vars)})({params}) {{")
    _print_body(e.body, pad + "  ", out)
    out += [f"{pad}  yield {_commas(e.values)}".rstrip(), pad + "}"]


def _place(s: K.Load | K.Store) -> str:
    return f"{s.buf}[{', '.join(map(str, s.index))}]"


def _print_leaf(s: K.Let | K.Load | K.Store | K.Check | K.Alloc) -> str:
    if isinstance(s, K.Let):
        if s.op == "index":
            return f"%{s.name} = index {s.expr}"
        plain = s.args and s.args[-1].dtype is s.dtype
        name = f"%{s.name}" if plain else f"%{s.name}: {s.dtype.code}"
        attrs = print_attributes(s.attrs)
        return " ".join(filter(None, (f"{name} = {s.op}", _commas(s.args), attrs)))
    if isinstance(s, K.Load):
        where = ""
        if s.where is not None:
            where = f" where {_operand(s.where)} else {print_literal(s.other, s.dtype)}"
        return f"%{s.name} = load {_place(s)}{where}"
    if isinstance(s, K.Store):
        sign = "=" if s.mode == "set" else "+="
        where = "" if s.where is None else f" where {_operand(s.where)}"
        return f"store {_place(s)} {sign} {_operand(s.value)}{where}" + " stream" * s.stream
    if isinstance(s, K.Check):
        return f"check {_operand(s.value)} else {s.code} at {s.position}"
    return f"alloc {_buffer(s.buffer)}"


# ------------------------------------------------------------------- structure


def structure_text(k: K.Kernel) -> str:
    """`k` with numbers for names: equal texts need one piece of native code."""
    return print_kernel(_Renamer(k).run())


class _Renamer:
    def __init__(self, k: K.Kernel) -> None:
        self.kernel = k
        self.symbols: dict[Symbol, Dim] = {}
        self.values: dict[str, str] = {}
        self.buffers: dict[str, str] = {}
        self.vars = 0
        self.names: dict[str, str] = {}

    def run(self) -> K.Kernel:
        k = self.kernel
        sizes = tuple(Symbol(f"s{i}") for i in range(len(k.sizes)))
        self.symbols = {a: Expr.symbol(b.name) for a, b in zip(k.sizes, sizes, strict=True)}
        params = tuple(map(self.buffer, k.params))
        return K.Kernel("k", params, sizes, self.body(k.body))

    def buffer(self, b: K.Buffer) -> K.Buffer:
        self.buffers[b.name] = f"b{len(self.buffers)}"
        return K.Buffer(self.buffers[b.name], b.dtype, tuple(map(self.dim, b.shape)), b.direction)

    def dim(self, d: Dim) -> Dim:
        return substitute(d, self.symbols)

    def dims(self, ds: tuple[Dim, ...]) -> tuple[Dim, ...]:
        return tuple(map(self.dim, ds))

    def name(self, name: str) -> str:
        new = self.values[name] = str(len(self.values))
        self.symbols[Symbol("%" + name)] = Expr.symbol("%" + new)
        return new

    def var(self, name: str) -> str:
        new = f"i{self.vars}"
        self.vars += 1
        self.symbols[Symbol(name)] = Expr.symbol(new)
        return new

    def value(self, v: K.Value) -> K.Value:
        return K.Value(self.name(v.name), v.dtype)

    def use(self, o: K.Operand) -> K.Operand:
        return K.Value(self.values[o.name], o.dtype) if isinstance(o, K.Value) else o

    def maybe(self, o: K.Operand | None) -> K.Operand | None:
        return None if o is None else self.use(o)

    def uses(self, ops: tuple[K.Operand, ...]) -> tuple[K.Operand, ...]:
        return tuple(map(self.use, ops))

    def body(self, body: tuple[K.Stmt, ...]) -> tuple[K.Stmt, ...]:
        return tuple(map(self.statement, body))

    def statement(self, s: K.Stmt) -> K.Stmt:
        if isinstance(s, K.Loop):
            extent = self.dim(s.extent)
            var = self.var(s.var)
            return K.Loop(s.kind, var, extent, self.body(s.body), s.block, s.lanes, s.unroll)
        if isinstance(s, K.Reduce):
            extent = self.dim(s.extent)
            var = self.var(s.var)
            body, values = self.body(s.body), self.uses(s.values)
            names = tuple(map(self.name, s.names))
            return K.Reduce(names, s.kinds, s.kind, var, extent, body, values, s.unroll)
        if isinstance(s, K.Scan):
            return self.scan(s)
        if isinstance(s, K.Repeat):
            return self.repeat(s)
        if isinstance(s, K.Template):
            return self.template(s)
        return self.leaf(s)

    def leaf(self, s: K.Let | K.Load | K.Store | K.Check | K.Alloc) -> K.Stmt:
        if isinstance(s, K.Let):
            args, expr = self.uses(s.args), self.dim(s.expr)
            return K.Let(self.name(s.name), s.op, args, s.dtype, s.attrs, expr)
        if isinstance(s, K.Load):
            buf, index, where = self.buffers[s.buf], self.dims(s.index), self.maybe(s.where)
            return K.Load(self.name(s.name), buf, index, s.dtype, where, s.other)
        if isinstance(s, K.Store):
            buf, index, where = self.buffers[s.buf], self.dims(s.index), self.maybe(s.where)
            return K.Store(buf, index, self.use(s.value), s.mode, where, s.stream)
        if isinstance(s, K.Check):
            return K.Check(self.use(s.value), s.code, self.dim(s.position))
        return K.Alloc(self.buffer(s.buffer))

    def scan(self, s: K.Scan) -> K.Scan:
        extent, init = self.dim(s.extent), tuple(map(self.maybe, s.init))
        var = self.var(s.var)
        before = tuple(map(self.value, s.before))
        body, values = self.body(s.body), self.uses(s.values)
        after = tuple(map(self.value, s.after))
        tail = self.body(s.tail)
        names = tuple(map(self.name, s.names))
        return K.Scan(names, s.kinds, before, after, var, extent, body, values, tail, init)

    def repeat(self, s: K.Repeat) -> K.Repeat:
        init = self.uses(s.init)
        before = tuple(map(self.value, s.before))
        head, cond = self.body(s.head), self.use(s.cond)
        body, values = self.body(s.body), self.uses(s.values)
        names = tuple(map(self.name, s.names))
        go = self.name(s.go)
        return K.Repeat(names, go, before, init, s.limit, head, cond, body, values)

    def template(self, s: K.Template) -> K.Template:
        buffers, sizes = tuple(self.buffers[b] for b in s.buffers), self.dims(s.sizes)
        e = s.epilogue
        if e is not None:
            vars = tuple(map(self.var, e.vars))
            params = tuple(map(self.value, e.params))
            body = self.body(e.body)
            e = K.Epilogue(vars, params, body, self.uses(e.values))
        return K.Template(s.kind, buffers, sizes, s.attrs, e)
