"""Kernels from their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.ir import dtypes
from graphc.ir import kernel as K
from graphc.ir.dims import Dim, Shape, Symbol
from graphc.ir.dtypes import DType
from graphc.ir.kernel_text import default_sizes
from graphc.ir.kernel_verify import verify
from graphc.ir.tokens import CODES, MAX_DEPTH, Token, Tokens, parse_attributes, parse_dim

__all__ = ["parse_kernel"]


def parse_kernel(text: str | Tokens) -> K.Kernel:
    """The kernel that `text` prints.

    Raises
    ------
    ParseError
        Where the text breaks the grammar, or the kernel a rule of `kernel.verify`.
    """
    t = text if isinstance(text, Tokens) else Tokens(text)
    k = _Parser(t).kernel()
    if not isinstance(text, Tokens) and t.peek().kind != "end":
        t.fail(f"expected the end of the text, found {t.found()}")
    return k


def _literal(t: Tokens, dtype: DType) -> K.Literal:
    first = t.peek()
    if dtype.kind == "b":
        if not (t.accept("true") or t.accept("false")):
            t.fail(f"expected true or false, found {t.found()}")
        return K.Literal(first.text == "true", dtype)
    minus = t.accept("-")
    k = t.next()
    word = ("-" if minus else "") + k.text
    if dtype.kind == "f" and (k.kind in ("int", "float") or k.text in ("inf", "nan")):
        return K.Literal(float(word), dtype)
    if k.kind == "int" and dtype.kind in "iu" and dtype.min <= int(word) <= dtype.max:
        return K.Literal(int(word), dtype)
    t.fail(f"{word!r} is no constant of {dtype.code}", first)


class _Parser:
    def __init__(self, t: Tokens) -> None:
        self.t = t
        self.types: dict[str, DType] = {}
        self.buffers: dict[str, K.Buffer] = {}
        self.depth = 0

    def kernel(self) -> K.Kernel:
        t = self.t
        t.expect("kernel")
        start = t.peek()
        name = t.name("the kernel's name")
        t.expect("(")
        params = t.listed(self.param, ")")
        t.expect("->")
        t.expect("(")
        params += t.listed(lambda: self.buffer("out"), ")")
        sizes = default_sizes(tuple(params))
        if t.accept("sizes"):
            t.expect("(")
            sizes = tuple(t.listed(lambda: Symbol(t.name("a size")), ")"))
        k = K.Kernel(name, tuple(params), sizes, self.braces()[0])
        try:
            verify(k)
        except K.KernelError as e:
            raise t.error(str(e), start) from None
        return k

    def param(self) -> K.Buffer:
        for d in ("inout", "scratch", "out"):
            if self.t.accept(d):
                return self.buffer(d)
        return self.buffer("in")

    def buffer(self, direction: str) -> K.Buffer:
        t = self.t
        start = t.peek()
        name = t.name("a buffer's name")
        if name in self.buffers:
            t.fail(f"two buffers are called {name}", start)
        t.expect(":")
        dtype = self.dtype()
        t.expect("[")
        shape: Shape = tuple(t.listed(lambda: parse_dim(t), "]"))
        self.buffers[name] = K.Buffer(name, dtype, shape, direction)
        return self.buffers[name]

    def dtype(self) -> DType:
        word = self.t.peek()
        if word.kind != "name" or word.text not in CODES:
            self.t.fail(f"expected an element type, found {self.t.found()}")
        self.t.next()
        return CODES[word.text]

    # operands

    def operand(self) -> K.Operand:
        t = self.t
        if t.peek().kind != "value":
            dtype = self.dtype()
            return _literal(t, dtype)
        at = t.peek()
        name = t.next().text
        if name not in self.types:
            t.fail(f"%{name} is not defined here", at)
        return K.Value(name, self.types[name])

    def operand_list(self) -> tuple[K.Operand, ...]:
        out: list[K.Operand] = []
        word = self.t.peek()
        if self.t.same_line() and (word.kind == "value" or word.text in CODES):
            out.append(self.operand())
            while self.t.accept(","):
                out.append(self.operand())
        return tuple(out)

    def define(self, name: str, dtype: DType, at: Token | None = None) -> K.Value:
        if name in self.types:
            self.t.fail(f"%{name} is defined twice", at)
        self.types[name] = dtype
        return K.Value(name, dtype)

    def typed_value(self) -> K.Value:
        at = self.t.peek()
        name = self.t.take("value", "a value")
        self.t.expect(":")
        return self.define(name, self.dtype(), at)

    def dim(self) -> Dim:
        return parse_dim(self.t, self.symbol)

    def symbol(self, k: Token) -> None:
        if k.kind == "value" and self.types.get(k.text) is not dtypes.int64:
            self.t.fail(f"%{k.text} is no i64 value defined here", k)

    # statements

    def braces(self, end: str = "") -> tuple[tuple[K.Stmt, ...], tuple[K.Operand, ...]]:
        """``{ statements }``; with `end`, its operands as well (``yield %a, %b``)."""
        t = self.t
        t.expect("{")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            t.fail("loops nested too deeply")
        out = self.statements(end)
        values: tuple[K.Operand, ...] = ()
        if end:
            t.expect(end)
            values = self.operand_list()
        t.expect("}")
        self.depth -= 1
        return out, values

    def statements(self, end: str) -> tuple[K.Stmt, ...]:
        out: list[K.Stmt] = []
        while True:
            k = self.t.peek()
            if k.kind == "}" or (end and k.kind == "name" and k.text == end):
                return tuple(out)
            out.append(self.assignment() if k.kind == "value" else self.command())

    def command(self) -> K.Stmt:
        t = self.t
        k = t.peek()
        word = t.name("a statement")
        if word in ("parallel", "for", "vector"):
            return self.loop(word)
        known: dict[str, Callable[[], K.Stmt]] = {
            "store": self.store, "check": self.check, "template": self.template,
            "alloc": lambda: K.Alloc(self.buffer("scratch")),
        }  # fmt: skip
        if word not in known:
            t.fail(f"unknown statement {word!r}", k)
        return known[word]()

    def hints(self, *words: str) -> list[int]:
        return [self.t.integer() if self.t.accept(w) else 0 for w in words]

    def range(self) -> tuple[str, Dim]:
        var = self.t.name("a loop variable")
        self.t.expect("in")
        return var, self.dim()

    def loop(self, kind: str) -> K.Loop:
        if kind == "parallel" and self.t.accept("vector"):
            kind = "parallel vector"
        var, extent = self.range()
        block, lanes, unroll = self.hints("block", "lanes", "unroll")
        return K.Loop(kind, var, extent, self.braces()[0], block, lanes, unroll)

    def place(self) -> tuple[K.Buffer, tuple[Dim, ...]]:
        t = self.t
        at = t.peek()
        name = t.name("a buffer")
        if name not in self.buffers:
            t.fail(f"no buffer is called {name}", at)
        t.expect("[")
        index = tuple(t.listed(self.dim, "]"))
        b = self.buffers[name]
        if len(index) != len(b.shape):
            t.fail(f"{name} has {len(b.shape)} axes, not {len(index)}", at)
        return b, index

    def where(self) -> K.Operand | None:
        return self.operand() if self.t.accept("where") else None

    def store(self) -> K.Store:
        b, index = self.place()
        mode = "add" if self.t.accept("+=") else "set"
        if mode == "set":
            self.t.expect("=")
        value = self.operand()
        where = self.where()
        return K.Store(b.name, index, value, mode, where, self.t.accept("stream"))

    def check(self) -> K.Check:
        value = self.operand()
        self.t.expect("else")
        code = self.t.integer()
        self.t.expect("at")
        return K.Check(value, code, self.dim())

    def template(self) -> K.Template:
        t = self.t
        kind = t.name("a template's kind")
        t.expect("(")
        buffers: list[str] = []
        sizes: list[Dim] = []
        while t.peek().kind == "name":
            at = t.peek()
            buffers.append(t.name())
            if buffers[-1] not in self.buffers:
                t.fail(f"no buffer is called {buffers[-1]}", at)
            if not t.accept(","):
                break
        if t.accept(";"):
            sizes = t.listed(self.dim, ")")
        else:
            t.expect(")")
        attrs = parse_attributes(t)
        epilogue = None
        if t.accept("epilogue"):
            t.expect("(")
            vars = tuple(t.listed(t.name, ")"))
            t.expect("(")
            params = tuple(t.listed(self.typed_value, ")"))
            epilogue = K.Epilogue(vars, params, *self.braces("yield"))
        return K.Template(kind, tuple(buffers), tuple(sizes), attrs, epilogue)

    def assignment(self) -> K.Stmt:
        t = self.t
        at = t.peek()
        names = [t.take("value", "a value")]
        while t.accept(","):
            names.append(t.take("value", "a value"))
        dtype = self.dtype() if len(names) == 1 and t.accept(":") else None
        t.expect("=")
        op = t.name("an op")
        s: K.Stmt
        nests: dict[str, Callable[[tuple[str, ...]], K.Reduce | K.Scan | K.Repeat]] = {
            "reduce": self.reduce, "scan": self.scan, "repeat": self.repeat,
        }  # fmt: skip
        if op in nests:
            s = nests[op](tuple(names))
            for v in s.results:
                self.define(v.name, v.dtype, at)
        elif len(names) > 1:
            t.fail(f"{op} has one result", at)
        elif op == "load":
            s = self.load(names[0])
            self.define(s.name, s.dtype, at)
        else:
            s = self.let(names[0], op, dtype, at)
            self.define(s.name, s.dtype, at)
        return s

    def let(self, name: str, op: str, dtype: DType | None, at: Token) -> K.Let:
        if op == "index":
            return K.Let(name, op, (), dtypes.int64, (), self.dim())
        args = self.operand_list()
        attrs = parse_attributes(self.t) if self.t.same_line() else ()
        if dtype is None and not args:
            self.t.fail(f"{op} has no operands: write %{name}: type = {op}", at)
        return K.Let(name, op, args, dtype or args[-1].dtype, attrs)

    def load(self, name: str) -> K.Load:
        b, index = self.place()
        where = self.where()
        other: Any = K.Literal(0, b.dtype).value
        if where is not None:
            self.t.expect("else")
            other = _literal(self.t, b.dtype).value
        return K.Load(name, b.name, index, b.dtype, where, other)

    def kind(self, known: tuple[str, ...]) -> str:
        word = self.t.peek()
        if word.kind != "name" or word.text not in known:
            self.t.fail(f"expected one of {', '.join(known)}, found {self.t.found()}")
        return self.t.next().text

    def reduce(self, names: tuple[str, ...]) -> K.Reduce:
        t = self.t
        kinds = [self.kind(K.REDUCTIONS)]
        while t.accept(","):
            kinds.append(self.kind(K.REDUCTIONS))
        at = t.peek()
        kind = self.kind(("vector", "for"))
        var, extent = self.range()
        (unroll,) = self.hints("unroll")
        body, values = self.braces("yield")
        if not len(names) == len(kinds) == len(values):
            t.fail(f"{len(names)} results, {len(kinds)} kinds and {len(values)} values", at)
        return K.Reduce(names, tuple(kinds), kind, var, extent, body, values, unroll)

    def scan(self, names: tuple[str, ...]) -> K.Scan:
        t = self.t
        at = t.peek()
        carries = [self.carry()]
        while t.accept(","):
            carries.append(self.carry())
        t.expect("for")
        var, extent = self.range()
        t.expect("{")
        body = self.statements("step")
        t.expect("step")
        values = self.operand_list()
        if not len(names) == len(carries) == len(values):
            t.fail(f"{len(names)} results, {len(carries)} carries and {len(values)} values", at)
        kinds, before, after, init = zip(*carries, strict=True)
        for v in after:
            self.define(v.name, v.dtype)
        tail = self.statements("")
        t.expect("}")
        return K.Scan(names, kinds, before, after, var, extent, body, values, tail, init)

    def repeat(self, names: tuple[str, ...]) -> K.Repeat:
        t = self.t
        at = t.peek()
        before: list[K.Value] = []
        init: list[K.Operand] = []
        while not t.accept("limit"):
            if before:
                t.expect(",")
            before.append(self.typed_value())
            t.expect("from")
            init.append(self.operand())
        limit = t.integer("a limit")
        t.expect("{")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            t.fail("loops nested too deeply")
        head = self.statements("test")
        t.expect("test")
        cond = self.operand()
        body = self.statements("next")
        t.expect("next")
        values = self.operand_list()
        t.expect("}")
        self.depth -= 1
        if not len(names) == len(before) + 1 == len(values) + 1:
            t.fail(f"{len(names)} results, {len(before)} carries and {len(values)} values", at)
        return K.Repeat(
            names[:-1], names[-1], tuple(before), tuple(init), limit, head, cond, body, values
        )

    def carry(self) -> tuple[str, K.Value, K.Value, K.Operand | None]:
        kind = self.kind(K.SCANS)
        before = self.typed_value()
        self.t.expect("->")
        after = K.Value(self.t.take("value", "a value"), before.dtype)
        return kind, before, after, self.operand() if self.t.accept("from") else None
