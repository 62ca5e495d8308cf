"""Formulas as text and as LaTeX, with no more parentheses than they need."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from graphc.see.algebra import (
    Call,
    Formula,
    MatMul,
    Num,
    Number,
    Power,
    Product,
    Sum,
    Sym,
    Turned,
    is_number,
)

__all__ = ["latex", "text"]

#: How tightly things hold: conditions, sums, products, minus, powers, names.
_CONDITION, _SUM, _PRODUCT, _MATRIX, _MINUS, _POWER, _ATOM = range(7)
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "and", "or")
_NEGATED = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

Shown = tuple[str, int]


def text(f: Formula) -> str:
    """A formula as one writes it in a text: ``2 * x * exp(-x^2)``, ``X^T @ (X @ w - y)``."""
    return _Text().of(f)[0]


def latex(f: Formula) -> str:
    r"""A formula for LaTeX: ``2 x e^{-x^{2}}``, ``X^{\top} (X w - y)``."""
    return _Latex().of(f)[0]


class _Text:
    """One way of writing; `_Latex` is another."""

    times, matrix_times, no = " * ", " @ ", "not"

    def of(self, f: Formula) -> Shown:
        kind: Callable[..., Shown] = getattr(self, f"of_{type(f).__name__.lower()}")
        return kind(f)

    def inside(self, f: Formula, least: int) -> str:
        """A part that must hold at least so tightly, else it has parentheses."""
        shown, holds = self.of(f)
        return shown if holds >= least else self.parentheses(shown)

    def parentheses(self, shown: str) -> str:
        return f"({shown})"

    def of_num(self, f: Num) -> Shown:
        return self.number(f.value)

    def number(self, x: Number) -> Shown:
        if isinstance(x, Fraction) and x.denominator != 1:
            return f"{x.numerator}/{x.denominator}", _PRODUCT
        shown = (
            repr(int(x))
            if isinstance(x, Fraction)
            else f"{x:.9g}"
            if isinstance(x, float)
            else str(x)
        )
        return shown, _ATOM if x >= 0 else _MINUS

    def of_sym(self, f: Sym) -> Shown:
        return f.name, _ATOM

    def of_sum(self, f: Sum) -> Shown:
        out = ""
        for c, term in f.terms:
            minus = c < 0
            size = -c if minus else c
            if term is None:
                shown = self.number(size)[0]
            elif size == 1:
                shown = self.inside(term, _PRODUCT)
            else:
                shown = self.inside(Product(size, self.factors(term)), _PRODUCT)
            if not out:
                out = f"-{shown}" if minus else shown
            else:
                out += f" {'-' if minus else '+'} {shown}"
        return out, _SUM

    @staticmethod
    def factors(f: Formula) -> tuple[Formula, ...]:
        return f.factors if isinstance(f, Product) and f.coefficient == 1 else (f,)

    def of_product(self, f: Product) -> Shown:
        c = f.coefficient
        sign, c = ("-", -c) if c < 0 else ("", c)
        above, below = [], []
        for x in f.factors:
            if isinstance(x, Power) and x.exponent < 0:
                e = -x.exponent
                below.append(x.base if e == 1 else Power(x.base, e))
            else:
                above.append(x)
        up: list[Formula] = []
        if isinstance(c, Fraction):
            up += [Num(c.numerator)] if c.numerator != 1 else []
            below[:0] = [Num(c.denominator)] if c.denominator != 1 else []
        elif c != 1:
            up.append(Num(c))
        up += above
        shown = self.quotient(up, below) if below else self.row(up)
        return sign + shown, _PRODUCT

    def row(self, factors: list[Formula]) -> str:
        return self.times.join(self.factor(x, factors) for x in factors) or "1"

    def factor(self, x: Formula, factors: list[Formula]) -> str:
        """A factor of a product; a matrix product behind numbers needs no parentheses."""
        plain = isinstance(x, MatMul) and all(f is x or is_number(f) for f in factors)
        return self.inside(x, _MATRIX if plain and x is factors[-1] else _MINUS)

    def quotient(self, above: list[Formula], below: list[Formula]) -> str:
        under = self.row(below)
        if len(below) > 1:
            under = self.parentheses(under)
        elif self.of(below[0])[1] < _MINUS:
            under = self.inside(below[0], _POWER)
        return f"{self.row(above)} / {under}"

    def of_power(self, f: Power) -> Shown:
        e = f.exponent
        if e < 0:
            return self.of_product(Product(1, (f,)))
        if e == Fraction(1, 2):
            return self.of_call(Call("sqrt", (f.base,)))
        shown = self.number(e)[0]
        shown = shown if "/" not in shown and "e" not in shown else f"({shown})"
        return f"{self.inside(f.base, _ATOM)}^{shown}", _POWER

    def of_matmul(self, f: MatMul) -> Shown:
        return self.matrix_times.join(self.inside(x, _MINUS) for x in f.factors), _MATRIX

    def of_turned(self, f: Turned) -> Shown:
        return f"{self.inside(f.of, _ATOM)}^T", _POWER

    def of_call(self, f: Call) -> Shown:
        if f.name in _COMPARISONS:
            return self.comparison(f)
        if f.name == "[]":
            return f"[{self.of(f.args[0])[0]}]", _ATOM
        if f.name == "not":
            return self.negated(f)
        if f.name == "^":
            return f"{self.inside(f.args[0], _ATOM)}^{self.inside(f.args[1], _ATOM)}", _POWER
        if f.name == "slice":
            return f"{self.inside(f.args[0], _ATOM)}{f.words[0][1]}", _ATOM
        if f.name == "abs":
            return f"|{self.of(f.args[0])[0]}|", _ATOM
        words = [self.of(x)[0] for x in f.args] + [f"{k}={v}" for k, v in f.words]
        return f"{f.name}({', '.join(words)})", _ATOM

    def comparison(self, f: Call) -> Shown:
        a, b = (self.inside(x, _SUM) for x in f.args)
        return f"{a} {self.sign(f.name)} {b}", _CONDITION

    def sign(self, name: str) -> str:
        return name

    def negated(self, f: Call) -> Shown:
        x = f.args[0]
        if isinstance(x, Call) and x.name in _NEGATED:
            return self.comparison(Call(_NEGATED[x.name], x.args))
        return f"{self.no} {self.inside(x, _ATOM)}", _SUM


_FUNCTIONS = frozenset(
    "sin cos tan sinh cosh tanh log max min arcsin arccos arctan".split()
)  # of LaTeX
_RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_SIGNS = {"!=": r"\neq", "<=": r"\leq", ">=": r"\geq", "and": r"\wedge", "or": r"\vee"}
_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau"
    " upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega".split()
)


class _Latex(_Text):
    times, matrix_times, no = r" \, ", r" \, ", r"\neg"

    def parentheses(self, shown: str) -> str:
        return rf"\left({shown}\right)"

    def number(self, x: Number) -> Shown:
        if isinstance(x, Fraction) and x.denominator != 1:
            return rf"\frac{{{x.numerator}}}{{{x.denominator}}}", _ATOM
        shown, holds = super().number(x)
        mantissa, e, exponent = shown.partition("e")
        return (rf"{mantissa} \cdot 10^{{{int(exponent)}}}", _MINUS) if e else (shown, holds)

    def of_sym(self, f: Sym) -> Shown:
        return _name(f.name), _ATOM

    def row(self, factors: list[Formula]) -> str:
        out = ""
        for i, x in enumerate(factors):
            if i:  # elements of tensors are multiplied one by one
                both = not is_number(x) and not is_number(factors[i - 1])
                digits = isinstance(x, Num) and isinstance(factors[i - 1], Num)
                out += r" \odot " if both else r" \cdot " if digits else " "
            out += self.factor(x, factors)
        return out or "1"

    def quotient(self, above: list[Formula], below: list[Formula]) -> str:
        return rf"\frac{{{self.whole(above)}}}{{{self.whole(below)}}}"

    def whole(self, factors: list[Formula]) -> str:
        return self.of(factors[0])[0] if len(factors) == 1 else self.row(factors)

    def of_power(self, f: Power) -> Shown:
        e = f.exponent
        if e < 0:
            return self.of_product(Product(1, (f,)))
        if e == Fraction(1, 2):
            return rf"\sqrt{{{self.of(f.base)[0]}}}", _ATOM
        return f"{self.inside(f.base, _ATOM)}^{{{self.number(e)[0]}}}", _POWER

    def of_turned(self, f: Turned) -> Shown:
        return rf"{self.inside(f.of, _ATOM)}^{{\top}}", _POWER

    def sign(self, name: str) -> str:
        return _SIGNS.get(name, name)

    def of_call(self, f: Call) -> Shown:
        if f.name in _COMPARISONS or f.name == "not":
            return super().of_call(f) if f.name != "not" else self.negated(f)
        if f.name == "^":
            return f"{self.inside(f.args[0], _ATOM)}^{{{self.of(f.args[1])[0]}}}", _POWER
        first = self.of(f.args[0])[0] if f.args else ""
        special = {
            "exp": (f"e^{{{first}}}", _POWER), "abs": (rf"\left|{first}\right|", _ATOM),
            "sqrt": (rf"\sqrt{{{first}}}", _ATOM),
            "[]": (rf"\mathbb{{1}}\left[{first}\right]", _ATOM),
        }  # fmt: skip
        if f.name in special:
            return special[f.name]
        if f.name == "slice":
            words = f.words[0][1].replace("[", "").replace("]", "")
            return rf"{self.inside(f.args[0], _ATOM)}_{{[{words}]}}", _ATOM
        if f.name == "sigmoid":
            return rf"\sigma{self.parentheses(first)}", _ATOM
        if f.name == "sum":
            axis = dict(f.words).get("axis")
            under = rf"_{{\mathrm{{axis}}\,{axis}}}" if axis else ""
            return rf"\sum{under} {self.inside(f.args[0], _PRODUCT)}", _PRODUCT
        name = _RENAMED.get(f.name, f.name)
        head = rf"\{name}" if name in _FUNCTIONS else rf"\operatorname{{{_escaped(name)}}}"
        words_ = [self.of(x)[0] for x in f.args]
        words_ += [rf"\mathrm{{{_escaped(k)}={_escaped(v)}}}" for k, v in f.words]
        return f"{head}{self.parentheses(', '.join(words_))}", _ATOM


def _name(name: str) -> str:
    """A name: one letter as it is, digits behind it below it, Greek where it is that."""
    letters = name.rstrip("0123456789")
    digits = name[len(letters) :]
    letters = letters.rstrip("_") if digits else letters
    if len(letters) == 1 and letters.isalpha():
        shown = letters
    elif letters in _GREEK:
        shown = rf"\{letters}"
    elif name[:1] in "([":
        return rf"\mathrm{{{_escaped(name)}}}" if name[:1] == "(" else name
    else:
        return rf"\mathrm{{{_escaped(name)}}}"
    return f"{shown}_{{{digits}}}" if digits else shown


def _escaped(s: str) -> str:
    return "".join(
        {"\\": r"\backslash ", "^": r"\^{}", "~": r"\~{}"}.get(c, f"\\{c}" if c in "_#$%&{}" else c)
        for c in s
    )
