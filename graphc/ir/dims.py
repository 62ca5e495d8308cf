"""Sizes as symbols: integer polynomials over unknown sizes, and the facts a plan relies on.

A dimension is a Python int or an `Expr`: a sum of products of atoms, where an atom is a
`Symbol` (an unknown size) or a `Func` (floor division, remainder, max or min of two
expressions). Equal expressions have equal form, so `==` proves equality; what it cannot
prove, `Facts` decides by the sizes at hand and remembers as a guard of the plan.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Union

__all__ = [
    "Dim", "Expr", "Facts", "Func", "Shape", "Symbol", "assuming", "ceildiv", "evaluate", "facts",
    "fresh", "is_known", "maximum", "minimum", "product", "same", "substitute",
]  # fmt: skip

Dim = Union[int, "Expr"]
Shape = tuple[Dim, ...]

_ids = itertools.count()


class Symbol:
    """An unknown size (or loop variable, or index value in a kernel); identity is its name."""

    __slots__ = ("_hash", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._hash = hash(name)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Symbol) and self.name == other.name)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


class Func:
    """`op` applied to two expressions: ``//``, ``%``, ``max`` or ``min``."""

    __slots__ = ("_hash", "_text", "a", "b", "op")

    def __init__(self, op: str, a: Dim, b: Dim) -> None:
        self.op, self.a, self.b = op, a, b
        self._hash = hash((op, a, b))
        self._text = ""

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Func)
            and self._hash == other._hash
            and (self.op, self.a, self.b) == (other.op, other.a, other.b)
        )

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        # kept: sums are sorted by it, and sizes behind several convolutions with steps are deep
        if not self._text:
            self._text = self._written()
        return self._text

    def _written(self) -> str:
        if self.op in ("max", "min"):
            return f"{self.op}({self.a}, {self.b})"
        a = f"({self.a})" if isinstance(self.a, Expr) and not self.a.is_atom else f"{self.a}"
        b = f"({self.b})" if isinstance(self.b, Expr) and not self.b.is_atom else f"{self.b}"
        return f"{a}{self.op}{b}"

    __repr__ = __str__


Atom = Symbol | Func
Monomial = tuple[Atom, ...]


class Expr:
    """A polynomial with integer coefficients that is not a plain number.

    Examples
    --------
    >>> b = Expr.symbol("b")
    >>> str((b + 1) * 2 - b), (4 * b) // 4 == b
    ('b + 2', True)
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    @staticmethod
    def symbol(name: str) -> Expr:
        return Expr((((Symbol(name),), 1),))

    @staticmethod
    def atom(a: Atom) -> Expr:
        return Expr((((a,), 1),))

    @property
    def is_atom(self) -> bool:
        return len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Expr) and self._hash == other._hash and self.terms == other.terms
        )

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Dim) -> Dim:
        return _sum((self, other))

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return _sum((self, other * -1))

    def __rsub__(self, other: Dim) -> Dim:
        return _sum((other, self * -1))

    def __mul__(self, other: Dim) -> Dim:
        if type(other) is int:
            if other == 1:
                return self
            return Expr(tuple((m, c * other) for m, c in self.terms)) if other else 0
        acc: dict[Monomial, int] = {}
        for m, c in self.terms:
            for n, d in _terms(other):
                key = tuple(sorted((*m, *n), key=str))
                acc[key] = acc.get(key, 0) + c * d
        return _make(acc)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return _floordiv(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return _floordiv(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return _mod(self, other)

    def __rmod__(self, other: Dim) -> Dim:
        return _mod(other, self)

    def __str__(self) -> str:
        parts = []
        for m, c in self.terms:
            body = "*".join(_factor(a) for a in m)
            mag = abs(c)
            text = str(mag) if not body else body if mag == 1 else f"{mag}*{body}"
            parts.append(("-" if c < 0 else "+", text))
        first = ("-" if parts[0][0] == "-" else "") + parts[0][1]
        return first + "".join(f" {s} {t}" for s, t in parts[1:])

    __repr__ = __str__

    def symbols(self) -> set[Symbol]:
        """Every symbol in the expression."""
        out: set[Symbol] = set()
        stack: list[Dim] = [self]
        while stack:
            e = stack.pop()
            if isinstance(e, Expr):
                for m, _ in e.terms:
                    for a in m:
                        if isinstance(a, Symbol):
                            out.add(a)
                        else:
                            stack += (a.a, a.b)
        return out


def _factor(a: Atom) -> str:
    return f"({a})" if isinstance(a, Func) and a.op in ("//", "%") else str(a)


def _terms(d: Dim) -> tuple[tuple[Monomial, int], ...]:
    return d.terms if isinstance(d, Expr) else (((), int(d)),)


def _make(acc: Mapping[Monomial, int]) -> Dim:
    terms = [(m, c) for m, c in acc.items() if c]
    if not terms:
        return 0
    if len(terms) == 1 and not terms[0][0]:
        return terms[0][1]
    # higher degree first, then by name, the constant last: one form for one polynomial
    terms.sort(key=lambda t: (-len(t[0]), str(t[0])))
    return Expr(tuple(terms))


def _sum(dims: Iterable[Dim]) -> Dim:
    acc: dict[Monomial, int] = {}
    for d in dims:
        for m, c in _terms(d):
            acc[m] = acc.get(m, 0) + c
    return _make(acc)


def _divisible(a: Dim, b: Dim) -> Dim | None:
    """`a / b` where every term of `a` contains the single term `b`, else None."""
    bt = _terms(b)
    if len(bt) != 1:
        return 1 if a == b else None
    (mb, cb) = bt[0]
    acc: dict[Monomial, int] = {}
    for m, c in _terms(a):
        rest = list(m)
        for x in mb:
            if x not in rest:
                return None
            rest.remove(x)
        if cb == 0 or c % cb:
            return None
        acc[tuple(rest)] = c // cb
    return _make(acc)


def _floordiv(a: Dim, b: Dim) -> Dim:
    if type(a) is int and type(b) is int:
        return a // b if b else 0
    exact = _divisible(a, b)
    if exact is not None:
        return exact
    if type(b) is int and isinstance(a, Expr):  # (6*x + 5) // 3 == 2*x + 5 // 3
        whole = {m: c // b for m, c in a.terms if m and c % b == 0}
        if whole and all(m in whole or not m for m, _ in a.terms):
            const = dict(a.terms).get((), 0)
            return _make(whole) + const // b
    return Expr.atom(Func("//", a, b))


def _mod(a: Dim, b: Dim) -> Dim:
    if type(a) is int and type(b) is int:
        return a % b if b else 0
    if _divisible(a, b) is not None:
        return 0
    return Expr.atom(Func("%", a, b))


def maximum(a: Dim, b: Dim) -> Dim:
    if type(a) is int and type(b) is int:
        return max(a, b)
    return a if a == b else Expr.atom(Func("max", a, b))


def minimum(a: Dim, b: Dim) -> Dim:
    if type(a) is int and type(b) is int:
        return min(a, b)
    return a if a == b else Expr.atom(Func("min", a, b))


def ceildiv(a: Dim, b: Dim) -> Dim:
    return (a + b - 1) // b


def product(dims: Iterable[Dim]) -> Dim:
    out: Dim = 1
    for d in dims:
        out = out * d
    return out


def is_multiple(d: Dim, of: int) -> bool:
    """Whether `d` is seen to be a multiple of a number."""
    return all(c % of == 0 for _, c in _terms(d))


def is_known(shape: Sequence[Dim] | None) -> bool:
    """Whether every size is a number."""
    return shape is not None and all(type(d) is int for d in shape)


def fresh() -> Expr:
    """A size of which nothing is known."""
    return Expr.symbol(f"?{next(_ids)}")


_APPLY: dict[str, Callable[[int, int], int]] = {
    "//": lambda a, b: a // b if b else 0,
    "%": lambda a, b: a % b if b else 0,
    "max": max,
    "min": min,
}


def evaluate(d: Dim, env: Mapping[Symbol, int]) -> int:
    """The value of `d` for the sizes in `env`.

    Raises
    ------
    KeyError
        When a symbol has no value.
    """
    if type(d) is int:
        return d
    total = 0
    for m, c in d.terms:  # type: ignore[union-attr]
        for a in m:
            c *= (
                env[a]
                if isinstance(a, Symbol)
                else _APPLY[a.op](evaluate(a.a, env), evaluate(a.b, env))
            )
        total += c
    return total


def substitute(d: Dim, to: Mapping[Symbol, Dim]) -> Dim:
    """`d` with symbols replaced."""
    if type(d) is int:
        return d
    total: Dim = 0
    for m, c in d.terms:  # type: ignore[union-attr]
        term: Dim = c
        for a in m:
            if isinstance(a, Symbol):
                term = term * to.get(a, Expr.atom(a))
            else:
                x, y = substitute(a.a, to), substitute(a.b, to)
                term = term * _REBUILD[a.op](x, y)
        total = total + term
    return total


_REBUILD: dict[str, Callable[[Dim, Dim], Dim]] = {
    "//": _floordiv,
    "%": _mod,
    "max": maximum,
    "min": minimum,
}


class Facts:
    """The sizes a plan is made for, and the questions about them that it depends on.

    A question that the form of the expressions answers costs nothing. Any other is answered
    by the sizes of the run for which the plan is made, and kept: the plan holds for every
    run that gives the same answers (`holds`).
    """

    def __init__(self, env: Mapping[Symbol, int] | None = None) -> None:
        self.env: dict[Symbol, int] = dict(env or {})
        self.guards: dict[tuple[str, Dim, Dim], bool] = {}
        #: What `graphc.ir.known` found out about values of this plan.
        self.known: dict[Any, Any] = {}
        #: Fed values that the plan reads as sizes: input value -> its symbols.
        self.fed: dict[Any, Any] = {}
        #: Inputs of regions, with the value outside that each stands for (None: a loop variable).
        self.inner: dict[Any, Any] = {}
        #: Numbers that values are at most: iterations of loops.
        self.most: dict[Any, Dim] = {}
        #: Gives the fed array of an input value, while the plan is made.
        self.feeds: Callable[[Any], Any] | None = None

    def fed_value(self, v: Any) -> Any:
        """Symbols that stand for the elements of a fed integer scalar or vector."""
        if v in self.fed:
            return self.fed[v]
        if self.feeds is None:
            return None
        a = self.feeds(v)
        if a is None:
            return None
        base = f"v{len(self.fed)}"
        if a.ndim == 0:
            out: Any = Expr.symbol(base)
            self.env[Symbol(base)] = int(a)
        else:
            out = tuple(Expr.symbol(f"{base}_{i}") for i in range(a.shape[0]))
            for i, x in enumerate(a.tolist()):
                self.env[Symbol(f"{base}_{i}")] = int(x)
        self.fed[v] = out
        return out

    def equal(self, a: Dim, b: Dim) -> bool:
        if a is b or a == b:
            return True
        if type(a) is int and type(b) is int:
            return False
        if type(a) is int or ("==", b, a) in self.guards:  # one question, whichever comes first
            a, b = b, a
        return self._ask("==", a, b)

    def less(self, a: Dim, b: Dim) -> bool:
        if type(a) is int and type(b) is int:
            return a < b
        return self._ask("<", a, b)

    def value(self, d: Dim) -> int:
        """The size in the run at hand (not remembered: for messages and choices of speed only)."""
        return evaluate(d, self.env)

    def _ask(self, op: str, a: Dim, b: Dim) -> bool:
        key = (op, a, b)
        known = self.guards.get(key)
        if known is None:
            known = self.guards[key] = self._test(op, a, b, self.env)
        return known

    @staticmethod
    def _test(op: str, a: Dim, b: Dim, env: Mapping[Symbol, int]) -> bool:
        x, y = evaluate(a, env), evaluate(b, env)
        return x == y if op == "==" else x < y

    def holds(self, env: Mapping[Symbol, int]) -> bool:
        """Whether the plan is right for the sizes `env`."""
        return all(self._test(op, a, b, env) == known for (op, a, b), known in self.guards.items())


class _Current(threading.local):
    facts: Facts | None = None


_current = _Current()


def facts() -> Facts | None:
    """The facts of the plan being made, or None while a user's graph is recorded."""
    return _current.facts


@contextmanager
def assuming(f: Facts | None) -> Iterator[None]:
    """Answer questions about sizes from `f` inside the block."""
    before, _current.facts = _current.facts, f
    try:
        yield
    finally:
        _current.facts = before


def repeats(d: Dim, full: Dim) -> bool:
    """Whether an axis of size `d` is repeated along one of size `full`.

    A size that is computed (``b - 1``, or a number that is fed) may be 1 in the run at hand.
    """
    if type(d) is int:
        return d == 1 and full != 1
    return not same(d, full) and bool(same(d, 1))


def same(a: Dim, b: Dim) -> bool | None:
    """Whether two sizes are equal; None when that is not known yet (recording)."""
    if a is b or a == b:
        return True
    if type(a) is int and type(b) is int:
        return False
    f = _current.facts
    return None if f is None else f.equal(a, b)
