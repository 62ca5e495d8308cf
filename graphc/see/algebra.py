"""Formulas: sums, products, powers, calls and matrix products, in a form that prints short.

Products and powers are of elements (numbers, or tensors that broadcast); `matmul` is the product of
matrices. The constructors keep one form: sums of terms with coefficients, products of powers.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

__all__ = [
    "Call", "Formula", "MatMul", "Num", "Power", "Product", "Sum", "Sym", "Turned", "add", "apart",
    "call", "is_number", "mul", "parts", "power", "split", "turned",
]  # fmt: skip

Number = int | float | Fraction


class _One(type):
    """Equal formulas are one object, so that comparing and counting them costs nothing."""

    table: ClassVar[Any] = weakref.WeakValueDictionary()

    def __call__(cls, *args: Any) -> Any:
        key = (cls, *args, *(type(a) for a in args if isinstance(a, (int, float, Fraction))))
        found = _One.table.get(key)
        if found is None:
            found = _One.table[key] = super().__call__(*args)
            object.__setattr__(found, "numeric", _numeric(found))
        return found


@dataclass(frozen=True, eq=False)
class _Node(metaclass=_One):
    """What all formulas have: whether it is one number, as far as names tell."""


@dataclass(frozen=True, eq=False)
class Num(_Node):
    """A number."""

    value: Number


@dataclass(frozen=True, eq=False)
class Sym(_Node):
    """A name; `rank` is 0 for a number, None where it is not known."""

    name: str
    rank: int | None = 0


@dataclass(frozen=True, eq=False)
class Sum(_Node):
    """Terms, each a coefficient and what it multiplies (None in the constant term)."""

    terms: tuple[tuple[Number, Formula | None], ...]


@dataclass(frozen=True, eq=False)
class Product(_Node):
    """Powers, times a coefficient."""

    coefficient: Number
    factors: tuple[Formula, ...]


@dataclass(frozen=True, eq=False)
class Power(_Node):
    """A power with a known exponent, which is not 1."""

    base: Formula
    exponent: Number


@dataclass(frozen=True, eq=False)
class MatMul(_Node):
    """A product of matrices, in order."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True, eq=False)
class Turned(_Node):
    """A matrix transposed."""

    of: Formula


@dataclass(frozen=True, eq=False)
class Call(_Node):
    """A function; `words` are attributes, as text."""

    name: str
    args: tuple[Formula, ...]
    words: tuple[tuple[str, str], ...] = ()


Formula = Num | Sym | Sum | Product | Power | MatMul | Turned | Call


def _plain(x: Number) -> Number:
    """A whole number as an int."""
    if isinstance(x, float) and not math.isfinite(x):
        return x
    return int(x) if abs(float(x)) < 2**53 and x == int(x) else x


def split(f: Formula) -> tuple[Number, Formula | None]:
    """A formula as a coefficient and the rest."""
    if isinstance(f, Num):
        return f.value, None
    if isinstance(f, Product):
        rest = f.factors[0] if len(f.factors) == 1 else Product(1, f.factors)
        return f.coefficient, rest
    return 1, f


def add(terms: Iterable[Formula]) -> Formula:
    """The sum: equal terms together, numbers last."""
    total: dict[Formula | None, Number] = {}
    for f in terms:
        rows = f.terms if isinstance(f, Sum) else (split(f),)
        for c, rest in rows:
            total[rest] = total.get(rest, 0) + c
    rows = tuple((_plain(c), rest) for rest, c in total.items() if c != 0)
    rows = tuple(sorted(rows, key=_order))
    if not rows:
        return Num(0)
    if len(rows) == 1:
        return mul([Num(rows[0][0]), *([rows[0][1]] if rows[0][1] is not None else [])])
    return Sum(rows)


def _order(row: tuple[Number, Formula | None]) -> tuple[bool, bool]:
    """Terms with a minus last, else numbers."""
    return row[0] < 0, row[1] is None


def mul(factors: Iterable[Formula]) -> Formula:
    """The product of elements: powers of one base together, the number first."""
    coefficient: Number = 1
    powers: dict[Formula, Number] = {}
    for f in factors:
        if isinstance(f, Num):
            coefficient *= f.value
            continue
        rows: Sequence[Formula] = (f,)
        if isinstance(f, Product):
            coefficient *= f.coefficient
            rows = f.factors
        for r in rows:
            base, e = (r.base, r.exponent) if isinstance(r, Power) else (r, 1)
            powers[base] = powers.get(base, 0) + e
    made = tuple(sorted((_power(b, _plain(e)) for b, e in powers.items() if e != 0), key=_place))
    coefficient = _plain(coefficient)
    if coefficient == 0 or not made:
        return Num(coefficient)
    if len(made) == 1 and coefficient == 1:
        return made[0]
    if len(made) == 1 and isinstance(made[0], Sum) and coefficient == -1:
        return add(
            [Product(_plain(-c), (t,)) if t is not None else Num(-c) for c, t in made[0].terms]
        )
    return Product(coefficient, made)


def _place(f: Formula) -> int:
    """Where a factor stands: names, functions, sums, matrix products."""
    if isinstance(f, Power):
        return _place(f.base)
    return {Sym: 0, Turned: 0, Call: 1, MatMul: 3}.get(type(f), 2)


def _numeric(f: Any) -> bool:
    if isinstance(f, Sym):
        return f.rank == 0
    if isinstance(f, Call):
        if f.name in ("sum", "mean", "max", "min", "prod", "logsumexp") and not f.words:
            return True
        return bool(f.args) and all(map(is_number, f.args))
    return not isinstance(f, (MatMul, Turned)) and all(map(is_number, parts(f)))


def is_number(f: Formula) -> bool:
    """Whether a formula is one number, as far as names tell."""
    return bool(f.numeric)  # type: ignore[union-attr]


def apart(f: Formula) -> tuple[list[Formula], Formula | None]:
    """A formula as factors that are numbers, and the rest."""
    if is_number(f):
        return [f], None
    if not isinstance(f, Product):
        return [], f
    numbers = [Num(f.coefficient), *filter(is_number, f.factors)]
    rest = tuple(x for x in f.factors if not is_number(x))
    return numbers, rest[0] if len(rest) == 1 else Product(1, rest)


def _power(base: Formula, e: Number) -> Formula:
    return base if e == 1 else Power(base, e)


def power(base: Formula, e: Number) -> Formula:
    """A power with a number as exponent."""
    if e == 0:
        return Num(1)
    if isinstance(base, Num) and isinstance(base.value, (int, Fraction)) and e == -1 and base.value:
        return Num(_plain(Fraction(1) / Fraction(base.value)))
    if isinstance(base, Num):
        try:
            return Num(_plain(float(base.value) ** float(e)))
        except (ZeroDivisionError, OverflowError, TypeError):
            return Power(base, e)
    whole = e == int(e)
    if isinstance(base, Power) and whole:
        return _power(base.base, _plain(base.exponent * e))
    if isinstance(base, Product) and whole:
        c = power(Num(base.coefficient), e)
        return mul([c, *(power(f, e) for f in base.factors)])
    if isinstance(base, Call) and base.name == "exp" and whole:
        return call("exp", [mul([Num(e), base.args[0]])])
    return _power(base, e)


def turned(f: Formula) -> Formula:
    """A matrix transposed; of a product the factors, in the other order."""
    if isinstance(f, Turned):
        return f.of
    if isinstance(f, MatMul):
        return MatMul(tuple(turned(x) for x in reversed(f.factors)))
    if isinstance(f, Num):
        return f
    return Turned(f)


def call(name: str, args: Sequence[Formula], words: Sequence[tuple[str, str]] = ()) -> Formula:
    """A function applied; numbers stand before sums."""
    if name in ("sum", "mean") and len(args) == 1 and isinstance(args[0], Product):
        numbers, rest = apart(args[0])
        if rest is not None:
            return mul([*numbers, Call(name, (rest,), tuple(words))])
    return Call(name, tuple(args), tuple(words))


def parts(f: Formula) -> tuple[Formula, ...]:
    """The formulas that a formula is made of."""
    if isinstance(f, Sum):
        return tuple(t for _, t in f.terms if t is not None)
    if isinstance(f, (Product, MatMul)):
        return f.factors
    if isinstance(f, Power):
        return (f.base,)
    if isinstance(f, Turned):
        return (f.of,)
    return f.args if isinstance(f, Call) else ()
