"""Words of the text of graphs and kernels: what both kinds of text have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from graphc.errors import ParseError
from graphc.ir.dims import Dim, Expr, maximum, minimum
from graphc.ir.dtypes import DTYPES
from graphc.ir.kernel import Attrs

__all__ = ["CODES", "MAX_DEPTH", "Token", "Tokens", "parse_attributes", "parse_dim", "parse_word"]

CODES = {t.code: t for t in DTYPES}
T = TypeVar("T")


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


MAX_DEPTH = 100


def parse_dim(t: Tokens, check: Callable[[Token], None] | None = None, depth: int = 0) -> Dim:
    """An integer expression: ``2*b*(i//4) + max(h, 1) - 1``; `check` sees each symbol."""
    if depth > MAX_DEPTH:
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
    if depth > MAX_DEPTH:
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
    "true": True, "false": False, "none": None, "inf": float("inf"), "nan": float("nan"), **CODES,
}  # fmt: skip


def _attribute(t: Tokens, depth: int = 0) -> Any:
    if t.accept("["):
        if depth > MAX_DEPTH:
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
