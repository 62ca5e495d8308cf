"""Fingerprints: equal code and values, equal text; anything else that is read, another."""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.ir.fingerprint import fingerprint

_GLOBAL = 1.0


class Poly:
    """A user's own class."""

    def __init__(self, *c: float) -> None:
        self.c = list(c)

    def at(self, x: float) -> float:
        return sum(c * x**i for i, c in enumerate(self.c))


def closing(over: Any) -> Callable[..., Any]:
    return lambda x: (x, over)


def inner(n: int) -> Callable[..., Any]:
    def f(x: Any) -> Any:
        return [y * n for y in x]

    return f


def with_global(value: float) -> Callable[..., Any]:
    source = "def f(x):\n    return [x * FACTOR for _ in range(2)]"
    module: dict[str, Any] = {"FACTOR": value, "__name__": "__main__"}
    exec(source, module)
    return module["f"]  # type: ignore[no-any-return]


def with_module(value: float) -> Callable[..., Any]:
    helper = types.ModuleType("a_users_helper")
    exec(f"A = {value}\ndef scale(x):\n    return x * A", vars(helper))
    module: dict[str, Any] = {"helper": helper, "__name__": "__main__"}
    exec("def f(x):\n    return helper.scale(x)", module)
    return module["f"]  # type: ignore[no-any-return]


def changed(power: int) -> type:
    class Local:
        def f(self, x: float) -> float:
            return x**power

    return Local


#: Makers of things from a number: another number, another fingerprint.
MAKERS: dict[str, Callable[[int], Any]] = {
    "number": lambda n: n,
    "closure": lambda n: closing(n),
    "list": lambda n: closing([1, [n]]),
    "dict": lambda n: closing({"a": {"b": n}}),
    "set": lambda n: closing({1.5, float(n)}),
    "array": lambda n: closing(np.array([1.0, n])),
    "object array": lambda n: closing(np.array([1.0, [n]], object)),
    "numpy number": lambda n: closing(np.float32(n)),
    "inner function": lambda n: inner(n),
    "default": lambda n: lambda x, k=n: x * k,
    "keyword default": lambda n: lambda x, *, k=n: x * k,
    "global": with_global,
    "module": with_module,
    "partial": lambda n: functools.partial(math.pow, n),
    "method": lambda n: Poly(1.0, float(n)).at,
    "instance": lambda n: closing(Poly(float(n))),
    "class": changed,
    "ufunc": lambda n: [np.sin, np.cos, np.tan, np.mean, np.sum][n],
}  # fmt: skip


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_read_is_in_it(kind: str) -> None:
    make = MAKERS[kind]
    assert fingerprint(make(2)) == fingerprint(make(2))
    assert fingerprint(make(2)) != fingerprint(make(3))


def test_types_and_order_are_in_it() -> None:
    different = [1, 1.0, True, "1", b"1", (1,), [1], {1}, {1: 1}, None, np.array(1), np.array([1])]
    assert len({fingerprint(x) for x in different}) == len(different)
    assert fingerprint(1, 2) != fingerprint(2, 1)


def test_what_cannot_be_read_is_itself(tmp_path: Any) -> None:
    with open(tmp_path / "f", "w") as a, open(tmp_path / "f", "w") as b:
        assert fingerprint(closing(a)) == fingerprint(closing(a))
        assert fingerprint(closing(a)) != fingerprint(closing(b))


def test_what_holds_itself() -> None:
    held: list[Any] = []
    held.append(closing(held))
    assert fingerprint(held) == fingerprint(held)


def test_code_of_others_is_a_name() -> None:
    """No walk through numpy and graphc: quick, and the same in each version of a session."""
    import graphc as tf

    f = lambda k, x: k.exp(x) + tf.exp(np.mean(x))  # noqa: E731
    assert fingerprint(f) == fingerprint(f)
