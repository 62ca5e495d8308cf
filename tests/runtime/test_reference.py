"""The numpy interpreter."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.face.graph import Graph
from graphc.ir import build, dtypes
from graphc.ops import broadcasting, convert, math, nn, record, reduce, state
from graphc.runtime.reference import evaluate


@pytest.fixture(autouse=True)
def _graph():
    with build.use(Graph()):
        yield


def test_feeds_stand_for_any_value() -> None:
    x = state.placeholder(dtypes.float32, [None])
    y = math.exp(x)
    z = y * 2.0
    np.testing.assert_array_equal(evaluate([z], {y: [1.0, 3.0]})[0], [2, 6])
    np.testing.assert_array_equal(evaluate([x, y], {x: [0.0], y: [5.0]})[1], [5])


def test_one_output_of_several_may_be_fed() -> None:
    x = state.placeholder(dtypes.float32, [4])
    values, places = nn.top_k(x, 2)
    got = evaluate([values, places], {x: [1, 4, 3, 2], values: [9.0, 9.0]})
    np.testing.assert_array_equal(got[0], [9, 9])
    np.testing.assert_array_equal(got[1], [1, 2])


def test_a_missing_feed_names_the_placeholder() -> None:
    x = state.placeholder(dtypes.float32, [2], name="images")
    with pytest.raises(KeyError, match="images"):
        evaluate([x + 1.0])


def test_a_feed_of_another_shape_is_refused() -> None:
    x = state.placeholder(dtypes.float32, [None, 3])
    with pytest.raises(ValueError, match="was given"):
        evaluate([x], {x: np.zeros((2, 4))})
    with pytest.raises(ValueError, match="was given"):
        evaluate([x], {x: np.zeros(3)})


def test_bfloat16_is_rounded_after_each_op() -> None:
    x = math.cast([1.0, 3.0], dtypes.bfloat16)
    third = evaluate([x / math.cast(3.0, dtypes.bfloat16)])[0]
    assert third.dtype == np.float32
    np.testing.assert_array_equal(third, record.round_bf16(np.float32([1 / 3, 1.0])))
    assert third[0] != np.float32(1 / 3)


def test_deep_graphs_need_no_recursion() -> None:
    x = convert.constant(0.0)
    for _ in range(20_000):
        x = x + 1.0
    assert evaluate([x])[0] == 20_000


def test_check_finds_a_meaning_that_is_not_as_inferred() -> None:
    wrong = record.Op(
        name="wrong", tf="Wrong", family="elementwise", numpy=lambda x: x.astype(np.float64),
        infer=lambda inputs, attrs: [inputs[0].type],
    )  # fmt: skip
    y = build.build(wrong, (convert.constant([1.0]),)).outputs[0]
    with pytest.raises(AssertionError, match="wrong gives float64, inferred float32"):
        evaluate([y])
    assert evaluate([y], check=False)[0].dtype == np.float32


def test_sizes_in_attributes_are_resolved() -> None:
    x = state.placeholder(dtypes.float32, [None, 3])
    y = broadcasting.broadcast_like(reduce.reduce_sum(x), x)
    np.testing.assert_array_equal(evaluate([y], {x: np.ones((2, 3))})[0], np.full((2, 3), 6))
