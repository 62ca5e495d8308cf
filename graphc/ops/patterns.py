r"""Regular expressions as TensorFlow has them (RE2's syntax and matches), by way of Python's.

What differs: text is UTF-8, and bytes that are none match nothing but themselves; ``\w``, ``\d``,
``\s``, ``\b`` and ``[[:alpha:]]`` mean ASCII; ``$`` is the very end; what looks around or back is
refused; an empty match does not follow a match.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graphc.errors import InvalidArgumentError

__all__ = ["full_matches", "replaced"]

Ranges = list[tuple[int, int]]

_TOP = 0x10FFFF
#: Bytes that are not UTF-8 are decoded to these.
_SURROGATES = (0xD800, 0xDFFF)

_DIGIT: Ranges = [(0x30, 0x39)]
_UPPER: Ranges = [(0x41, 0x5A)]
_LOWER: Ranges = [(0x61, 0x7A)]
_WORD: Ranges = [*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER]
_SHORT = {"d": _DIGIT, "w": _WORD, "s": [(9, 10), (12, 13), (32, 32)]}
_POSIX: dict[str, Ranges] = {
    "alnum": [*_DIGIT, *_UPPER, *_LOWER], "alpha": [*_UPPER, *_LOWER], "ascii": [(0, 0x7F)],
    "blank": [(9, 9), (32, 32)], "cntrl": [(0, 0x1F), (0x7F, 0x7F)], "digit": _DIGIT,
    "graph": [(0x21, 0x7E)], "lower": _LOWER, "print": [(0x20, 0x7E)],
    "punct": [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)],
    "space": [(9, 13), (32, 32)], "upper": _UPPER, "word": _WORD,
    "xdigit": [*_DIGIT, (0x41, 0x46), (0x61, 0x66)],
}  # fmt: skip
_NAMED = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


class _Bad(ValueError):
    """What is wrong with a pattern."""


def _escape(sequence: str) -> _Bad:
    return _Bad(f"invalid escape sequence: {sequence}")


def _others(ranges: Ranges) -> Ranges:
    """All characters that are not in `ranges`."""
    out, low = [], 0
    for a, b in sorted([*ranges, _SURROGATES]):
        if a > low:
            out.append((low, a - 1))
        low = max(low, b + 1)
    return [*out, (low, _TOP)] if low <= _TOP else out


def _written(code: int) -> str:
    return chr(code) if chr(code).isalnum() and code < 0x80 else f"\\U{code:08x}"


def _class(ranges: Iterable[tuple[int, int]], inverted: bool = False) -> str:
    more = [_SURROGATES] if inverted else []
    items = [_written(a) + (f"-{_written(b)}" if b > a else "") for a, b in [*ranges, *more]]
    return f"[{'^' * inverted}{''.join(items)}]" if items else r"[^\s\S]"


@functools.cache
def _categories() -> dict[str, Ranges]:
    """The characters of each of Unicode's general categories."""
    found: dict[str, Ranges] = {}
    last = ""
    for code in range(_TOP + 1):
        kind = unicodedata.category(chr(code))
        if kind == last:
            found[kind][-1] = (found[kind][-1][0], code)
        else:
            found.setdefault(kind, []).append((code, code))
        last = kind
    return found


def _property(name: str) -> Ranges:
    if name == "Any":
        return _others([])
    if name not in ("Cs", "Cn"):  # RE2 has none of those
        found = [r for kind, ranges in _categories().items() if kind.startswith(name)
                 and kind not in ("Cs", "Cn") for r in ranges]  # fmt: skip
        if found and len(name) <= 2:
            return found
    raise NotImplementedError(f"characters of the script or property {name!r} in a pattern")


class _Level:
    """An open group: which flags hold in it, and groups that flags have opened inside."""

    def __init__(self, flags: frozenset[str]) -> None:
        self.flags = flags
        self.opened: list[str] = []


class _Translation:
    """One pattern on its way to Python's syntax."""

    def __init__(self, pattern: str) -> None:
        self.p = pattern
        self.i = 0
        self.out: list[str] = []
        self.levels = [_Level(frozenset())]

    def ahead(self, n: int = 1) -> str:
        return self.p[self.i : self.i + n]

    def take(self, n: int = 1) -> str:
        found = self.ahead(n)
        self.i += n
        return found

    def matched(self, expression: str) -> re.Match[str] | None:
        """What follows, taken, if it is of this form."""
        m = re.compile(expression).match(self.p, self.i)
        if m:
            self.i = m.end()
        return m

    def all(self) -> str:
        steps: dict[str, Callable[[], None]] = {
            "(": self.group, ")": self.end, "|": self.choice, "[": self.brackets,
            "\\": self.escaped, "*": self.times, "+": self.times, "?": self.times, "{": self.times,
        }  # fmt: skip
        while self.i < len(self.p):
            c = self.ahead()
            flags = self.levels[-1].flags
            if c in steps:
                steps[c]()
            elif c == ".":
                self.out.append(_class([] if "s" in flags else [(10, 10)], True))
            elif c in "^$":
                self.out.append(f"(?m:{c})" if "m" in flags else {"^": r"\A", "$": r"\Z"}[c])
            else:
                self.out.append(re.escape(c))
            self.i += c not in steps
        if len(self.levels) > 1:
            raise _Bad(f"missing ): {self.p}")
        return "".join(self.out) + ")" * len(self.levels[0].opened)

    # groups and flags

    def group(self) -> None:
        here = self.levels[-1]
        if self.matched(r"\((?!\?)"):
            self.levels.append(_Level(here.flags))
            self.out.append("(")
        elif m := self.matched(r"\(\?P<(\w+)>"):
            self.levels.append(_Level(here.flags))
            self.out.append(f"(?P<{m[1]}>")
        elif m := self.matched(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])"):
            on, off = m[1], m[2] or ""
            if "U" in on + off:
                raise NotImplementedError("a pattern with the flag U (shortest matches)")
            if not set(on + off) <= set("ims") or not (on + off or m[3] == ":"):
                raise _Bad(f"invalid perl operator: {m[0]}")
            flags = (here.flags | set(on)) - set(off)
            case = "i" if "i" in flags else "-i" if "i" in here.flags else ""
            if m[3] == ":":
                self.levels.append(_Level(flags))
                self.out.append(f"(?{case}:")
            else:  # for the rest of this group
                here.flags = flags
                if case:
                    here.opened.append(f"(?{case}:")
                    self.out.append(here.opened[-1])
        else:
            raise _Bad(f"invalid perl operator: {self.ahead(3)}")

    def end(self) -> None:
        if len(self.levels) == 1:
            raise _Bad(f"missing (: {self.p}")
        self.out.append(")" * len(self.levels.pop().opened) + self.take())

    def choice(self) -> None:
        opened = self.levels[-1].opened
        self.out.append(")" * len(opened) + self.take() + "".join(opened))

    def times(self) -> None:
        m = self.matched(r"[*+?]\??|\{(\d+)(?:,(\d*))?\}\??")
        if m is None:  # a brace that counts nothing
            self.out.append(re.escape(self.take()))
            return
        if m[1] and max(int(m[1]), int(m[2] or 0)) > 1000:
            raise _Bad(f"invalid repetition size: {m[0]}")
        again = self.matched(r"[*+?]|\{\d+(?:,\d*)?\}")
        if again:
            raise _Bad(f"bad repetition operator: {m[0]}{again[0]}")
        self.out.append(m[0])

    # characters

    def escaped(self) -> None:
        if m := self.matched(r"(?s)\\Q(.*?)(\\E|\Z)"):
            self.out += map(re.escape, m[1])
        elif m := self.matched(r"\\([AzbB])"):
            self.out.append({"A": r"\A", "z": r"\Z"}.get(m[1], rf"(?a:\{m[1]})"))
        else:
            several = self.set_of()
            self.out.append(_written(self.code()) if several is None else _class(several))

    def set_of(self) -> Ranges | None:
        r"""The characters of ``\d``, ``\pL`` and the like, if one follows."""
        if m := self.matched(r"\\([dwsDWS])"):
            found = _SHORT[m[1].lower()]
            return _others(found) if m[1].isupper() else found
        if m := self.matched(r"\\([pP])(?:\{(\^?)(\w+)\}|(\w))"):
            found = _property(m[3] or m[4])
            return _others(found) if (m[1] == "P") != bool(m[2]) else found
        return None

    def code(self) -> int:
        """The next character, which may be written as an escape."""
        if m := self.matched(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))"):
            code = int(m[1] or m[2], 16)
            if code > _TOP:
                raise _escape(m[0])
            return code
        if m := self.matched(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})"):
            return int(m[1], 8)
        if m := self.matched(r"\\([afnrtv])"):
            return _NAMED[m[1]]
        if m := self.matched(r"\\([^\w])") or self.matched(r"(?s)([^\\])"):
            if m[0][0] == "\\" and ord(m[1]) >= 0x80:
                raise _escape(m[0])
            return ord(m[1])
        if self.ahead(2) == r"\C":
            raise NotImplementedError(r"a pattern with \C, any byte")
        raise _Bad("trailing \\") if self.ahead(2) == "\\" else _escape(self.ahead(2))

    def brackets(self) -> None:
        start = self.i
        self.take()
        inverted = bool(self.matched(r"\^"))
        found: Ranges = []
        first = True
        while first or self.ahead() != "]":
            if not self.ahead():
                raise _Bad(f"missing ]: {self.p[start:]}")
            found += self.item()
            first = False
        self.take()
        self.out.append(_class(found, inverted))

    def item(self) -> Ranges:
        """The characters of the next item in brackets."""
        if m := self.matched(r"\[:(\^?)(\w*):\]"):
            if m[2] not in _POSIX:
                raise _Bad(f"invalid character class range: {m[0]}")
            return _others(_POSIX[m[2]]) if m[1] else _POSIX[m[2]]
        several = self.set_of()
        if several is not None:
            return several
        start = self.i
        low = high = self.code()
        if self.matched(r"-(?!\])"):
            high = self.code()
        if high < low:
            raise _Bad(f"invalid character class range: {self.p[start : self.i]}")
        return [(low, high)]


@functools.lru_cache(maxsize=256)
def _compiled(pattern: bytes) -> tuple[re.Pattern[str], bool]:
    """A pattern for decoded text, and whether it may match nothing."""
    try:
        made = _Translation(pattern.decode()).all()
        found = re.compile(made)
    except UnicodeDecodeError:
        error: Any = "invalid UTF-8"
    except (_Bad, re.error) as e:
        error = e
    else:
        parser = importlib.import_module(
            "re._parser" if sys.version_info >= (3, 11) else "sre_parse"
        )
        return found, parser.parse(made).getwidth()[0] == 0
    text = f"Invalid pattern: {pattern.decode(errors='replace')}, error: {error}"
    raise InvalidArgumentError(None, None, text)


# ------------------------------------------------------------------------- texts


def _decoded(strings: Sequence[bytes]) -> list[str]:
    whole = b"\0".join(strings)
    if whole.count(b"\0") == len(strings) - 1:  # in one piece
        return whole.decode("utf-8", "surrogateescape").split("\0")
    return [s.decode("utf-8", "surrogateescape") for s in strings]


def _encoded(texts: Sequence[str]) -> list[bytes]:
    whole = "\0".join(texts)
    if whole.count("\0") == len(texts) - 1:
        return whole.encode("utf-8", "surrogateescape").split(b"\0")
    return [s.encode("utf-8", "surrogateescape") for s in texts]


def full_matches(strings: Sequence[bytes], pattern: bytes) -> list[bool]:
    """Whether whole strings match."""
    match = _compiled(pattern)[0].fullmatch
    return [match(s) is not None for s in _decoded(strings)]


def _rewriting(rewrite: str, groups: int) -> tuple[str, bool]:
    r"""A rewrite as a template of Python's, and whether it is good to its end.

    A backslash before anything but a digit or a backslash ends it. Groups that the pattern does not
    have are empty.
    """
    out = []
    for m in re.finditer(r"(?s)([^\\]+)|\\([0-9\\])|\\", rewrite):
        text, named = m[1], m[2]
        if text:
            out.append(text)
        elif named == "\\":
            out.append(r"\\")
        elif named is None:
            return "".join(out), False
        elif int(named) <= groups:
            out.append(rf"\g<{named}>")
    return "".join(out), True


def replaced(strings: Sequence[bytes], pattern: bytes, rewrite: bytes, whole: bool) -> list[bytes]:
    """Strings with all matches (or the first, unless `whole`) rewritten.

    A rewrite that is bad changes no first match, and ends where it is bad in all others.
    """
    regex, empty = _compiled(pattern)
    template, good = _rewriting(rewrite.decode("utf-8", "surrogateescape"), regex.groups)
    if not whole and not good:
        return list(strings)
    texts = _decoded(strings)
    if not whole:
        texts = [regex.sub(template, s, 1) for s in texts]
    elif empty:
        texts = [_by_matches(regex, template, s) for s in texts]
    else:
        change = regex.sub
        texts = [change(template, s) for s in texts]
    return _encoded(texts)


def _by_matches(regex: re.Pattern[str], template: str, s: str) -> str:
    """All matches rewritten, where a match may be empty: but for those behind another match."""
    out = []
    at, last = 0, -1
    while m := regex.search(s, at):
        start, end = m.span()
        out.append(s[at:start])
        if start == end == last:
            out.append(s[start : start + 1])
            at = start + 1
            if start == len(s):
                break
        else:
            out.append(m.expand(template))
            at = last = end
    out.append(s[at:])
    return "".join(out)
