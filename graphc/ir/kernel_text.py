"""Kernels as text: `print_kernel`, `parse_kernel` and the key of equal structures.

Printing is deterministic and `parse_kernel(print_kernel(k)) == k`. A type is written where
the default (that of the last operand) does not hold; comments start with ``#``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from graphc.errors import ParseError
from graphc.ir import dtypes
from graphc.ir.dims import Dim, Expr, Shape, Symbol, maximum, minimum, substitute
from graphc.ir.dtypes import DTYPES, DType
from graphc.ir.kernel import (
    REDUCTIONS,
    SCANS,
    Alloc,
    Attrs,
    Buffer,
    Check,
    Epilogue,
    Kernel,
    KernelError,
    Let,
    Literal,
    Load,
    Loop,
    Operand,
    Reduce,
    Repeat,
    Scan,
    Stmt,
    Store,
    Template,
    Value,
    verify,
)  # fmt: skip

__all__ = [
    "ParseError", "Token", "Tokens", "parse_attributes", "parse_dim", "parse_kernel", "parse_word",
    "print_attributes", "print_kernel", "print_literal", "structure_key", "structure_text",
]  # fmt: skip

_CODES = {t.code: t for t in DTYPES}
T = TypeVar("T")


# ------------------------------------------------------------------- tokens


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is name, value (``%name``, text without %), int, float, string, end, or the sign."""

    kind: str
    text: str
    start: int
    line: int


_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<float>\d+(?:\.\d*(?:[eE][+-]?\d+)?|[eE][+-]?\d+))|(?P<int>\d+)"
    r"|%(?P<value>\w[\w.]*)|(?P<name>[A-Za-z_?][\w.?]*)"
    r"|(?P<sign>->|//|\+=|==|[-+*%/=:;,.{}()\[\]<>|!@&])"
)
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")


class Tokens:
    """The tokens of a text, read on demand (whether ``%`` is a sign depends on the place)."""

    pattern = _TOKEN

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.line = 1
        self._next: Token | None = None
        self.last = Token("end", "", 0, 1)
        self._skip()

    def _skip(self) -> None:
        m = _SPACE.match(self.text, self.pos)
        if m is not None:
            self.line += self.text.count("\n", self.pos, m.end())
            self.pos = m.end()

    def peek(self) -> Token:
        """The next token, which stays next."""
        if self._next is None:
            m = self.pattern.match(self.text, self.pos)
            if self.pos >= len(self.text):
                self._next = Token("end", "the end of the text", self.pos, self.line)
            elif m is None:
                raise self.error_at(f"unexpected character {self.text[self.pos]!r}", self.pos)
            else:
                kind = str(m.lastgroup)
                word = m.group(kind)
                if kind == "int" and len(word) > 1000:
                    raise self.error_at("a number of too many digits", self.pos)
                self._next = Token(word if kind == "sign" else kind, word, self.pos, self.line)
        return self._next

    def next(self) -> Token:
        """The next token, taken."""
        t = self.peek()
        self._take(t, t.start + len(t.text) + (t.kind == "value") if t.kind != "end" else self.pos)
        return t

    def _take(self, t: Token, end: int) -> None:
        self.last = t
        self.pos = end
        self._next = None
        self._skip()

    def accept(self, text: str) -> bool:
        """Take the next token if it is this name or sign."""
        t = self.peek()
        if t.text != text or t.kind not in ("name", text):
            return False
        self.next()
        return True

    def accept_percent(self) -> bool:
        """Take a ``%`` that stands for the remainder, whatever follows it."""
        if not self.text.startswith("%", self.pos):
            return False
        self._take(Token("%", "%", self.pos, self.line), self.pos + 1)
        return True

    def expect(self, text: str) -> Token:
        if not self.accept(text):
            self.fail(f"expected {text!r}, found {self.found()}")
        return self.last

    def take(self, kind: str, what: str) -> str:
        """The text of the next token, which must be of `kind`."""
        if self.peek().kind != kind:
            self.fail(f"expected {what}, found {self.found()}")
        return self.next().text

    def name(self, what: str = "a name") -> str:
        return self.take("name", what)

    def integer(self, what: str = "an integer") -> int:
        return int(self.take("int", what))

    def string(self, what: str = "a string") -> str:
        t = self.peek()
        word = self.take("string", what)
        try:
            return str(json.loads(word))
        except ValueError:
            raise self.error("a string with a bad escape", t) from None

    def found(self) -> str:
        t = self.peek()
        return t.text if t.kind == "end" else repr(("%" if t.kind == "value" else "") + t.text)

    def same_line(self) -> bool:
        """Whether the next token stands on the line of the last one."""
        return self.peek().line == self.last.line and self.peek().kind != "end"

    def error_at(self, message: str, start: int) -> ParseError:
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        return ParseError(message, self.text, line, column)

    def error(self, message: str, token: Token | None = None) -> ParseError:
        """An error at `token`, or at the next token."""
        return self.error_at(message, (token or self.peek()).start)

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        raise self.error(message, token)

    def listed(self, item: Callable[[], T], end: str) -> list[T]:
        """Items with commas between, up to and with the sign `end`."""
        out: list[T] = []
        while not self.accept(end):
            if out:
                self.expect(",")
            out.append(item())
        return out


_DEPTH = 100


def parse_dim(t: Tokens, check: Callable[[Token], None] | None = None, depth: int = 0) -> Dim:
    """An integer expression: ``2*b*(i//4) + max(h, 1) - 1``; `check` sees each symbol."""
    if depth > _DEPTH:
        t.fail("an expression nested too deeply")
    out: Dim = _product(t, check, depth)
    while t.peek().kind in ("+", "-"):
        minus = t.next().kind == "-"
        x = _product(t, check, depth)
        out = out - x if minus else out + x
    return out


def _product(t: Tokens, check: Callable[[Token], None] | None, depth: int) -> Dim:
    out = _atom(t, check, depth)
    while True:
        if t.accept("*"):
            out = out * _atom(t, check, depth)
        elif t.accept("//"):
            out = out // _divisor(t, check, depth)
        elif t.pos < len(t.text) and t.same_line() and t.accept_percent():
            out = out % _divisor(t, check, depth)
        else:
            return out


def _divisor(t: Tokens, check: Callable[[Token], None] | None, depth: int) -> Dim:
    at = t.peek()
    out = _atom(t, check, depth)
    if out == 0:
        t.fail("a division by zero", at)
    return out


def _atom(t: Tokens, check: Callable[[Token], None] | None, depth: int) -> Dim:
    if depth > _DEPTH:
        t.fail("an expression nested too deeply")
    if t.accept("-"):
        return -_atom(t, check, depth + 1)
    if t.accept("("):
        out = parse_dim(t, check, depth + 1)
        t.expect(")")
        return out
    k = t.peek()
    if k.kind == "int":
        return int(t.next().text)
    if k.kind not in ("name", "value"):
        t.fail(f"expected a size or an index, found {t.found()}")
    t.next()
    if k.text in ("max", "min") and t.accept("("):
        a = parse_dim(t, check, depth + 1)
        t.expect(",")
        b = parse_dim(t, check, depth + 1)
        t.expect(")")
        return (maximum if k.text == "max" else minimum)(a, b)
    if check is not None:
        check(k)
    return Expr.symbol(("%" if k.kind == "value" else "") + k.text)


def parse_attributes(t: Tokens) -> Attrs:
    """``{axis=1, name="x", perm=[1, 0], to=f32}``, or nothing."""

    def pair() -> tuple[str, Any]:
        name = t.name("an attribute")
        t.expect("=")
        return name, _attribute(t)

    return tuple(t.listed(pair, "}")) if t.accept("{") else ()


_WORDS: dict[str, Any] = {
    "true": True, "false": False, "none": None, "inf": float("inf"), "nan": float("nan"), **_CODES,
}  # fmt: skip


def _attribute(t: Tokens, depth: int = 0) -> Any:
    if t.accept("["):
        if depth > _DEPTH:
            t.fail("an attribute nested too deeply")
        return tuple(t.listed(lambda: _attribute(t, depth + 1), "]"))
    if t.peek().kind == "string":
        return t.string()
    return parse_word(t)


def parse_word(t: Tokens) -> Any:
    """A number, ``true``, ``none``, ``inf``, ``nan`` or an element type."""
    minus = t.accept("-")
    k = t.peek()
    if k.kind in ("int", "float"):
        t.next()
        x: Any = int(k.text) if k.kind == "int" else float(k.text)
        return -x if minus else x
    if k.kind == "name" and k.text in _WORDS and (not minus or k.text == "inf"):
        t.next()
        return -_WORDS[k.text] if minus else _WORDS[k.text]
    t.fail(f"expected an attribute's value, found {t.found()}")


def print_attributes(attrs: Attrs) -> str:
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
    raise KernelError(f"attribute {v!r} has no text")


def print_literal(value: Any, dtype: DType) -> str:
    """The shortest number that gives this constant of `dtype`."""
    return str(value).lower() if dtype.kind == "b" else str(dtype.np.type(value))


def _literal(t: Tokens, dtype: DType) -> Literal:
    first = t.peek()
    if dtype.kind == "b":
        if not (t.accept("true") or t.accept("false")):
            t.fail(f"expected true or false, found {t.found()}")
        return Literal(first.text == "true", dtype)
    minus = t.accept("-")
    k = t.next()
    word = ("-" if minus else "") + k.text
    if dtype.kind == "f" and (k.kind in ("int", "float") or k.text in ("inf", "nan")):
        return Literal(float(word), dtype)
    if k.kind == "int" and dtype.kind in "iu" and dtype.min <= int(word) <= dtype.max:
        return Literal(int(word), dtype)
    t.fail(f"{word!r} is no constant of {dtype.code}", first)


# ------------------------------------------------------------------- printing


def print_kernel(k: Kernel, places: dict[int, int] | None = None) -> str:
    """`k` as text, ending in a newline; `places` learns the line of each statement, by its id."""
    cut = len(k.params)
    while cut and k.params[cut - 1].direction == "out":
        cut -= 1
    head = ", ".join(_direction(p) + _buffer(p) for p in k.params[:cut])
    tail = ", ".join(map(_buffer, k.params[cut:]))
    sizes = "" if k.sizes == _default_sizes(k.params) else f" sizes({', '.join(map(str, k.sizes))})"
    out = _Text([f"kernel {k.name}({head}) -> ({tail}){sizes} {{"])
    out.places = places
    _print_body(k.body, "  ", out)
    return "\n".join([*out, "}", ""])


def _default_sizes(params: tuple[Buffer, ...]) -> tuple[Symbol, ...]:
    found: dict[Symbol, None] = {}
    for p in params:
        for d in p.shape:
            for s in sorted(d.symbols(), key=str) if isinstance(d, Expr) else ():
                found.setdefault(s)
    return tuple(found)


def _direction(p: Buffer) -> str:
    return "" if p.direction == "in" else p.direction + " "


def _buffer(p: Buffer) -> str:
    return f"{p.name}: {p.dtype.code}[{', '.join(map(str, p.shape))}]"


def _operand(o: Operand) -> str:
    return (
        f"%{o.name}"
        if isinstance(o, Value)
        else f"{o.dtype.code} {print_literal(o.value, o.dtype)}"
    )


def _commas(ops: tuple[Operand, ...]) -> str:
    return ", ".join(map(_operand, ops))


def _hints(s: Loop | Reduce) -> str:
    words = [("block", s.block), ("lanes", s.lanes)] if isinstance(s, Loop) else []
    words.append(("unroll", s.unroll))
    return "".join(f" {w} {n}" for w, n in words if n)


class _Text(list[str]):
    """Lines, and where statements are among them, for whoever asks."""

    places: dict[int, int] | None = None


def _print_body(body: tuple[Stmt, ...], pad: str, out: list[str]) -> None:
    places = out.places if isinstance(out, _Text) else None
    for s in body:
        if places is not None:
            places[id(s)] = len(out) + 1
        if isinstance(s, Loop):
            out.append(f"{pad}{s.kind} {s.var} in {s.extent}{_hints(s)} {{")
            _print_body(s.body, pad + "  ", out)
            out.append(pad + "}")
        elif isinstance(s, Reduce):
            names = ", ".join(f"%{n}" for n in s.names)
            kinds = ", ".join(s.kinds)
            out.append(
                f"{pad}{names} = reduce {kinds} {s.kind} {s.var} in {s.extent}{_hints(s)} {{"
            )
            _print_body(s.body, pad + "  ", out)
            out += [f"{pad}  yield {_commas(s.values)}", pad + "}"]
        elif isinstance(s, Scan):
            _print_scan(s, pad, out)
        elif isinstance(s, Repeat):
            _print_repeat(s, pad, out)
        elif isinstance(s, Template):
            _print_template(s, pad, out)
        else:
            out.append(pad + _print_leaf(s))


def _print_scan(s: Scan, pad: str, out: list[str]) -> None:
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


def _print_repeat(s: Repeat, pad: str, out: list[str]) -> None:
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


def _print_template(s: Template, pad: str, out: list[str]) -> None:
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


def _place(s: Load | Store) -> str:
    return f"{s.buf}[{', '.join(map(str, s.index))}]"


def _print_leaf(s: Let | Load | Store | Check | Alloc) -> str:
    if isinstance(s, Let):
        if s.op == "index":
            return f"%{s.name} = index {s.expr}"
        plain = s.args and s.args[-1].dtype is s.dtype
        name = f"%{s.name}" if plain else f"%{s.name}: {s.dtype.code}"
        attrs = print_attributes(s.attrs)
        return " ".join(filter(None, (f"{name} = {s.op}", _commas(s.args), attrs)))
    if isinstance(s, Load):
        where = ""
        if s.where is not None:
            where = f" where {_operand(s.where)} else {print_literal(s.other, s.dtype)}"
        return f"%{s.name} = load {_place(s)}{where}"
    if isinstance(s, Store):
        sign = "=" if s.mode == "set" else "+="
        where = "" if s.where is None else f" where {_operand(s.where)}"
        return f"store {_place(s)} {sign} {_operand(s.value)}{where}" + " stream" * s.stream
    if isinstance(s, Check):
        return f"check {_operand(s.value)} else {s.code} at {s.position}"
    return f"alloc {_buffer(s.buffer)}"


# ------------------------------------------------------------------- parsing


def parse_kernel(text: str | Tokens) -> Kernel:
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


class _Parser:
    def __init__(self, t: Tokens) -> None:
        self.t = t
        self.types: dict[str, DType] = {}
        self.buffers: dict[str, Buffer] = {}
        self.depth = 0

    def kernel(self) -> Kernel:
        t = self.t
        t.expect("kernel")
        start = t.peek()
        name = t.name("the kernel's name")
        t.expect("(")
        params = t.listed(self.param, ")")
        t.expect("->")
        t.expect("(")
        params += t.listed(lambda: self.buffer("out"), ")")
        sizes = _default_sizes(tuple(params))
        if t.accept("sizes"):
            t.expect("(")
            sizes = tuple(t.listed(lambda: Symbol(t.name("a size")), ")"))
        k = Kernel(name, tuple(params), sizes, self.braces()[0])
        try:
            verify(k)
        except KernelError as e:
            raise t.error(str(e), start) from None
        return k

    def param(self) -> Buffer:
        for d in ("inout", "scratch", "out"):
            if self.t.accept(d):
                return self.buffer(d)
        return self.buffer("in")

    def buffer(self, direction: str) -> Buffer:
        t = self.t
        start = t.peek()
        name = t.name("a buffer's name")
        if name in self.buffers:
            t.fail(f"two buffers are called {name}", start)
        t.expect(":")
        dtype = self.dtype()
        t.expect("[")
        shape: Shape = tuple(t.listed(lambda: parse_dim(t), "]"))
        self.buffers[name] = Buffer(name, dtype, shape, direction)
        return self.buffers[name]

    def dtype(self) -> DType:
        word = self.t.peek()
        if word.kind != "name" or word.text not in _CODES:
            self.t.fail(f"expected an element type, found {self.t.found()}")
        self.t.next()
        return _CODES[word.text]

    # operands

    def operand(self) -> Operand:
        t = self.t
        if t.peek().kind != "value":
            dtype = self.dtype()
            return _literal(t, dtype)
        at = t.peek()
        name = t.next().text
        if name not in self.types:
            t.fail(f"%{name} is not defined here", at)
        return Value(name, self.types[name])

    def operand_list(self) -> tuple[Operand, ...]:
        out: list[Operand] = []
        word = self.t.peek()
        if self.t.same_line() and (word.kind == "value" or word.text in _CODES):
            out.append(self.operand())
            while self.t.accept(","):
                out.append(self.operand())
        return tuple(out)

    def define(self, name: str, dtype: DType, at: Token | None = None) -> Value:
        if name in self.types:
            self.t.fail(f"%{name} is defined twice", at)
        self.types[name] = dtype
        return Value(name, dtype)

    def typed_value(self) -> Value:
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

    def braces(self, end: str = "") -> tuple[tuple[Stmt, ...], tuple[Operand, ...]]:
        """``{ statements }``; with `end`, its operands as well (``yield %a, %b``)."""
        t = self.t
        t.expect("{")
        self.depth += 1
        if self.depth > _DEPTH:
            t.fail("loops nested too deeply")
        out = self.statements(end)
        values: tuple[Operand, ...] = ()
        if end:
            t.expect(end)
            values = self.operand_list()
        t.expect("}")
        self.depth -= 1
        return out, values

    def statements(self, end: str) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        while True:
            k = self.t.peek()
            if k.kind == "}" or (end and k.kind == "name" and k.text == end):
                return tuple(out)
            out.append(self.assignment() if k.kind == "value" else self.command())

    def command(self) -> Stmt:
        t = self.t
        k = t.peek()
        word = t.name("a statement")
        if word in ("parallel", "for", "vector"):
            return self.loop(word)
        known: dict[str, Callable[[], Stmt]] = {
            "store": self.store, "check": self.check, "template": self.template,
            "alloc": lambda: Alloc(self.buffer("scratch")),
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

    def loop(self, kind: str) -> Loop:
        if kind == "parallel" and self.t.accept("vector"):
            kind = "parallel vector"
        var, extent = self.range()
        block, lanes, unroll = self.hints("block", "lanes", "unroll")
        return Loop(kind, var, extent, self.braces()[0], block, lanes, unroll)

    def place(self) -> tuple[Buffer, tuple[Dim, ...]]:
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

    def where(self) -> Operand | None:
        return self.operand() if self.t.accept("where") else None

    def store(self) -> Store:
        b, index = self.place()
        mode = "add" if self.t.accept("+=") else "set"
        if mode == "set":
            self.t.expect("=")
        value = self.operand()
        where = self.where()
        return Store(b.name, index, value, mode, where, self.t.accept("stream"))

    def check(self) -> Check:
        value = self.operand()
        self.t.expect("else")
        code = self.t.integer()
        self.t.expect("at")
        return Check(value, code, self.dim())

    def template(self) -> Template:
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
            epilogue = Epilogue(vars, params, *self.braces("yield"))
        return Template(kind, tuple(buffers), tuple(sizes), attrs, epilogue)

    def assignment(self) -> Stmt:
        t = self.t
        at = t.peek()
        names = [t.take("value", "a value")]
        while t.accept(","):
            names.append(t.take("value", "a value"))
        dtype = self.dtype() if len(names) == 1 and t.accept(":") else None
        t.expect("=")
        op = t.name("an op")
        s: Stmt
        nests: dict[str, Callable[[tuple[str, ...]], Reduce | Scan | Repeat]] = {
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

    def let(self, name: str, op: str, dtype: DType | None, at: Token) -> Let:
        if op == "index":
            return Let(name, op, (), dtypes.int64, (), self.dim())
        args = self.operand_list()
        attrs = parse_attributes(self.t) if self.t.same_line() else ()
        if dtype is None and not args:
            self.t.fail(f"{op} has no operands: write %{name}: type = {op}", at)
        return Let(name, op, args, dtype or args[-1].dtype, attrs)

    def load(self, name: str) -> Load:
        b, index = self.place()
        where = self.where()
        other: Any = Literal(0, b.dtype).value
        if where is not None:
            self.t.expect("else")
            other = _literal(self.t, b.dtype).value
        return Load(name, b.name, index, b.dtype, where, other)

    def kind(self, known: tuple[str, ...]) -> str:
        word = self.t.peek()
        if word.kind != "name" or word.text not in known:
            self.t.fail(f"expected one of {', '.join(known)}, found {self.t.found()}")
        return self.t.next().text

    def reduce(self, names: tuple[str, ...]) -> Reduce:
        t = self.t
        kinds = [self.kind(REDUCTIONS)]
        while t.accept(","):
            kinds.append(self.kind(REDUCTIONS))
        at = t.peek()
        kind = self.kind(("vector", "for"))
        var, extent = self.range()
        (unroll,) = self.hints("unroll")
        body, values = self.braces("yield")
        if not len(names) == len(kinds) == len(values):
            t.fail(f"{len(names)} results, {len(kinds)} kinds and {len(values)} values", at)
        return Reduce(names, tuple(kinds), kind, var, extent, body, values, unroll)

    def scan(self, names: tuple[str, ...]) -> Scan:
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
        return Scan(names, kinds, before, after, var, extent, body, values, tail, init)

    def repeat(self, names: tuple[str, ...]) -> Repeat:
        t = self.t
        at = t.peek()
        before: list[Value] = []
        init: list[Operand] = []
        while not t.accept("limit"):
            if before:
                t.expect(",")
            before.append(self.typed_value())
            t.expect("from")
            init.append(self.operand())
        limit = t.integer("a limit")
        t.expect("{")
        self.depth += 1
        if self.depth > _DEPTH:
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
        return Repeat(
            names[:-1], names[-1], tuple(before), tuple(init), limit, head, cond, body, values
        )

    def carry(self) -> tuple[str, Value, Value, Operand | None]:
        kind = self.kind(SCANS)
        before = self.typed_value()
        self.t.expect("->")
        after = Value(self.t.take("value", "a value"), before.dtype)
        return kind, before, after, self.operand() if self.t.accept("from") else None


# ------------------------------------------------------------------- structure


def structure_text(k: Kernel) -> str:
    """`k` with every name replaced by a number in order of definition."""
    return print_kernel(_Renamer(k).run())


def structure_key(k: Kernel) -> str:
    """Equal for kernels that differ in names only: they need one piece of native code."""
    return hashlib.sha256(structure_text(k).encode()).hexdigest()


class _Renamer:
    def __init__(self, k: Kernel) -> None:
        self.kernel = k
        self.symbols: dict[Symbol, Dim] = {}
        self.values: dict[str, str] = {}
        self.buffers: dict[str, str] = {}
        self.vars = 0
        self.names: dict[str, str] = {}

    def run(self) -> Kernel:
        k = self.kernel
        sizes = tuple(Symbol(f"s{i}") for i in range(len(k.sizes)))
        self.symbols = {a: Expr.symbol(b.name) for a, b in zip(k.sizes, sizes, strict=True)}
        params = tuple(map(self.buffer, k.params))
        return Kernel("k", params, sizes, self.body(k.body))

    def buffer(self, b: Buffer) -> Buffer:
        self.buffers[b.name] = f"b{len(self.buffers)}"
        return Buffer(self.buffers[b.name], b.dtype, tuple(map(self.dim, b.shape)), b.direction)

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

    def value(self, v: Value) -> Value:
        return Value(self.name(v.name), v.dtype)

    def use(self, o: Operand) -> Operand:
        return Value(self.values[o.name], o.dtype) if isinstance(o, Value) else o

    def maybe(self, o: Operand | None) -> Operand | None:
        return None if o is None else self.use(o)

    def uses(self, ops: tuple[Operand, ...]) -> tuple[Operand, ...]:
        return tuple(map(self.use, ops))

    def body(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(map(self.statement, body))

    def statement(self, s: Stmt) -> Stmt:
        if isinstance(s, Loop):
            extent = self.dim(s.extent)
            var = self.var(s.var)
            return Loop(s.kind, var, extent, self.body(s.body), s.block, s.lanes, s.unroll)
        if isinstance(s, Reduce):
            extent = self.dim(s.extent)
            var = self.var(s.var)
            body, values = self.body(s.body), self.uses(s.values)
            names = tuple(map(self.name, s.names))
            return Reduce(names, s.kinds, s.kind, var, extent, body, values, s.unroll)
        if isinstance(s, Scan):
            return self.scan(s)
        if isinstance(s, Repeat):
            return self.repeat(s)
        if isinstance(s, Template):
            return self.template(s)
        return self.leaf(s)

    def leaf(self, s: Let | Load | Store | Check | Alloc) -> Stmt:
        if isinstance(s, Let):
            args, expr = self.uses(s.args), self.dim(s.expr)
            return Let(self.name(s.name), s.op, args, s.dtype, s.attrs, expr)
        if isinstance(s, Load):
            buf, index, where = self.buffers[s.buf], self.dims(s.index), self.maybe(s.where)
            return Load(self.name(s.name), buf, index, s.dtype, where, s.other)
        if isinstance(s, Store):
            buf, index, where = self.buffers[s.buf], self.dims(s.index), self.maybe(s.where)
            return Store(buf, index, self.use(s.value), s.mode, where, s.stream)
        if isinstance(s, Check):
            return Check(self.use(s.value), s.code, self.dim(s.position))
        return Alloc(self.buffer(s.buffer))

    def scan(self, s: Scan) -> Scan:
        extent, init = self.dim(s.extent), tuple(map(self.maybe, s.init))
        var = self.var(s.var)
        before = tuple(map(self.value, s.before))
        body, values = self.body(s.body), self.uses(s.values)
        after = tuple(map(self.value, s.after))
        tail = self.body(s.tail)
        names = tuple(map(self.name, s.names))
        return Scan(names, s.kinds, before, after, var, extent, body, values, tail, init)

    def repeat(self, s: Repeat) -> Repeat:
        init = self.uses(s.init)
        before = tuple(map(self.value, s.before))
        head, cond = self.body(s.head), self.use(s.cond)
        body, values = self.body(s.body), self.uses(s.values)
        names = tuple(map(self.name, s.names))
        go = self.name(s.go)
        return Repeat(names, go, before, init, s.limit, head, cond, body, values)

    def template(self, s: Template) -> Template:
        buffers, sizes = tuple(self.buffers[b] for b in s.buffers), self.dims(s.sizes)
        e = s.epilogue
        if e is not None:
            vars = tuple(map(self.var, e.vars))
            params = tuple(map(self.value, e.params))
            body = self.body(e.body)
            e = Epilogue(vars, params, body, self.uses(e.values))
        return Template(s.kind, buffers, sizes, s.attrs, e)
