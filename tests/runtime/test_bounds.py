"""What `graphc.runtime.bounds` shows of updates: intervals of what kernels make."""

from __future__ import annotations

from itertools import pairwise

import pytest

from graphc.ir import dtypes
from graphc.ir.text import parse_graph
from graphc.runtime.bounds import ANY, LEVELS, Proof, prove, whole
from graphc.runtime.trust import TERMS

S = ANY[1]  # what is small


def shown(lines: str, given: list, news: list | None = None, dtype: str = "f32") -> Proof | None:
    """The proof of a body of vectors `a`, `b`, `c` that returns `y`."""
    names = "abc"[: len(given)]
    inputs = "".join(f"  %{v} = input {{index={i}}} : T[n]\n" for i, v in enumerate(names))
    body = "".join(f"  {line.strip()}\n" for line in lines.splitlines() if line.strip())
    text = f"graph main(n) {{\n{inputs}{body}  return %y\n}}\n"
    return prove(parse_graph(text.replace("T[", f"{dtype}[")), given, news or [None])


def squares(times: int) -> str:
    names = ["a", *(f"s{i}" for i in range(times - 1)), "y"]
    return "\n".join(f"%{new} = multiply %{old}, %{old} : T[n]" for old, new in pairwise(names))


@pytest.mark.parametrize(
    ("dtype", "most"), [("f32", 2), ("bf16", 2), ("f64", 5), ("f16", 0)]
)  # fmt: skip
def test_what_no_number_may_reach(dtype: str, most: int) -> None:
    """Squares of what is below 2**20: 2**40, 2**80, 2**160, ..."""
    for times in range(1, 7):
        proof = shown(squares(times), [ANY], dtype=dtype)
        assert (proof is not None) == (times <= most)
        if proof is not None:
            assert proof.outputs == [(0.0, S ** (2**times))]


def test_a_square_is_of_one_value() -> None:
    product = shown("%y = multiply %a, %b : T[n]", [ANY, ANY])
    assert product is not None
    assert product.outputs == [(-S * S, S * S)]


def test_a_denominator_that_may_be_zero() -> None:
    line = "%y = realdiv %a, %b : T[n]"
    assert shown(line, [ANY, ANY]) is None
    assert shown(line, [ANY, (0.0, 1.0)]) is None
    proof = shown(line, [ANY, (0.5, 1.0)])
    assert proof is not None
    assert proof.outputs == [(-2 * S, 2 * S)]


def test_sums_have_so_many_terms_at_most() -> None:
    """How many there are is told, for the sizes of a run to be compared with."""
    proof = shown("%y = reduce_sum %a {axis=[0], keepdims=false} : T[]", [(-0.5, 2.0)])
    assert proof is not None
    assert proof.outputs == [(-0.5 * TERMS, 2.0 * TERMS)]
    ((elements, results),) = proof.terms
    assert (str(elements), results) == ("n", 1)
    positive = shown("%y = reduce_sum %a {axis=[0], keepdims=false} : T[]", [(1.0, 2.0)])
    assert positive is not None
    assert positive.outputs == [(0.0, 2.0 * TERMS)]


MEAN = """
    %k = constant {value=RATE} : T[]
    %d = subtract %b, %a : T[n]
    %m = multiply %d, %k : T[n]
    %y = add %a, %m : T[n]
"""


@pytest.mark.parametrize("turned", [False, True])
def test_a_moving_mean_lies_between(turned: bool) -> None:
    """With a constant from 0 to 0.99; else as far away as sums and products say."""
    text = MEAN.replace("add %a, %m", "add %m, %a") if turned else MEAN
    given = [(0.0, 8.0), (2.0, 16.0)]
    for rate, wanted in [("0.125", (0.0, 16.0)), ("0.0", (0.0, 16.0)), ("2.0", (-12.0, 40.0)),
                         ("-1.0", (-16.0, 14.0))]:  # fmt: skip
        proof = shown(text.replace("RATE", rate), given)
        assert proof is not None
        assert proof.outputs == [wanted]


SQUARES = MEAN.replace("subtract %b, %a", "subtract %q, %a").replace(
    "%d =", "%q = multiply %b, %b : T[n]\n    %d ="
)


def test_what_is_assumed_of_a_variable_follows_for_its_new_value() -> None:
    """A mean of squares stays where it was; what is moved either way may be anywhere."""
    mean = shown(SQUARES.replace("RATE", "0.1"), ["v", ANY], ["v"])
    assert mean is not None
    assert mean.least == {"v": 0.0}  # not LEVELS[0]: a square may be 0
    assert mean.outputs[0][0] == 0.0
    above = shown("%k = constant {value=1.0} : T[]\n%y = maximum %a, %k : T[n]", ["v"], ["v"])
    assert above is not None
    assert above.least == {"v": LEVELS[0]}
    moved = shown("%y = subtract %a, %b : T[n]", ["v", (-1.0, 1.0)], ["v"])
    assert moved is not None
    assert moved.least == {"v": ANY[0]}
    other = shown("%y = subtract %a, %b : T[n]", ["v", (-1.0, 1.0)], ["w"])
    assert other is not None
    assert other.least == {}  # nothing is known of what is not replaced


def test_a_root_needs_what_follows() -> None:
    """RMSProp's root: of the new mean of squares, whose old value is assumed not to be negative."""
    lines = SQUARES.replace("%y =", "%new =").replace("RATE", "0.1") + "    %y = sqrt %new : T[n]"
    kept = parse_graph(
        "graph main(n) {\n  %a = input {index=0} : f32[n]\n  %b = input {index=1} : f32[n]\n"
        + lines.replace("T[", "f32[")
        + "\n  return %y, %new\n}\n"
    )
    proof = prove(kept, ["v", ANY], [None, "v"])
    assert proof is not None
    assert proof.least == {"v": 0.0}
    assert prove(kept, ["v", ANY], [None, None]) is None  # its old value may be negative


def test_whole_numbers() -> None:
    assert whole(dtypes.int8) == (-128.0, 127.0)
    assert whole(dtypes.uint16) == (0.0, 65535.0)
    assert whole(dtypes.bool_) == (0.0, 1.0)


@pytest.mark.parametrize(("left", "turned"), [("7,5", False), ("5,7", True)])
def test_products_have_as_many_terms_as_columns(left: str, turned: bool) -> None:
    proof = prove(
        parse_graph(
            f"graph main() {{\n  %a = input {{index=0}} : f32[{left}]\n"
            "  %b = input {index=1} : f32[5,3]\n"
            f"  %y = matmul %a, %b {{transpose_a={str(turned).lower()}, transpose_b=false}}"
            " : f32[7,3]\n  return %y\n}\n"
        ),
        [(-1.0, 2.0), (0.0, 3.0)], [None],
    )  # fmt: skip
    assert proof is not None
    assert proof.terms == [(5, 1)]
    assert proof.outputs == [(-3.0 * TERMS, 6.0 * TERMS)]
