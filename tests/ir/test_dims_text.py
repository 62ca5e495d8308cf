"""How sizes are written."""

from __future__ import annotations

from graphc.ir import dims as D


def test_the_text_of_a_deep_size_is_written_once() -> None:
    size: D.Dim = D.Expr.symbol("n")
    for _ in range(3):
        size = (size + 1) // 2
    assert isinstance(size, D.Expr)
    assert str(size) == "((((((n + 1)//2) + 1)//2) + 1)//2)"
    atom = size.terms[0][0][0]
    assert isinstance(atom, D.Func)
    assert str(atom) is str(atom)
