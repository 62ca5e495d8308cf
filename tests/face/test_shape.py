import pickle
from typing import Any

import pytest

import graphc as tf

D = tf.Dimension
S = tf.TensorShape


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (D(3) + 4, 7), (4 + D(3), 7), (D(7) - D(2), 5), (9 - D(2), 7), (D(3) * 2, 6), (2 * D(3), 6),
        (D(7) // 2, 3), (7 // D(2), 3), (D(7) % 4, 3), (7 % D(4), 3), (D(None) + 1, None),
        (1 - D(None), None), (D(2) * D(None), None), (D(None) // 2, None), (D(5) % D(None), None),
        (D(3).merge_with(None), 3), (D(None).merge_with(4), 4),
    ],
)  # fmt: skip
def test_dimension_arithmetic(got: Any, want: int | None) -> None:
    assert isinstance(got, D)
    assert got.value == want


def test_dimension_comparison_with_unknown_is_none() -> None:
    a, u = D(3), D(None)
    for answer in (a == u, a != u, a < u, a <= u, a > u, a >= u, u == u):
        assert answer is None
    assert a == 3
    assert a != 4
    assert a < 4
    assert a >= 3
    assert a != "x"
    assert not (a == "x")


def test_dimension_conversions() -> None:
    assert int(D(3)) == 3
    assert list(range(D(2))) == [0, 1]
    assert str(D(None)) == "?"
    assert repr(D(3)) == "Dimension(3)"
    assert {D(3): 1}[D(3)] == 1
    with pytest.raises(ValueError, match="must be >= 0"):
        D(-1)
    with pytest.raises(ValueError, match=r"Ambiguous dimension: 1\.5"):
        D(1.5)
    with pytest.raises(TypeError, match="please use // instead"):
        D(3) / 2
    with pytest.raises(TypeError):
        int(D(None))
    with pytest.raises(ValueError, match="Dimensions 3 and 4 are not compatible"):
        D(3).assert_is_compatible_with(4)


def test_shape_text_and_lists() -> None:
    assert [str(S(x)) for x in (None, [], [2], [None, 3])] == ["<unknown>", "()", "(2,)", "(?, 3)"]
    assert repr(S([None, 3])) == "TensorShape([Dimension(None), Dimension(3)])"
    assert S([None, 3]).as_list() == [None, 3]
    assert S(3).as_list() == [3]
    assert S([2, 3]).num_elements() == 6
    assert S([None, 3]).num_elements() is None
    assert S(None).num_elements() is None
    assert S([]).num_elements() == 1
    assert (S(None).ndims, S(None).rank, S([2]).ndims) == (None, None, 1)
    assert not S(None)
    assert S([])
    assert [d.value for d in S([2, None])] == [2, None]


def test_shape_indexing() -> None:
    s = S([2, 3, None])
    assert s[0].value == 2
    assert s[-1].value is None
    assert s[1:].as_list() == [3, None]
    assert S(None)[2].value is None
    assert S(None)[1:].ndims is None
    assert S(None)[1:3].as_list() == [None, None]
    with pytest.raises(IndexError):
        s[3]


def test_shape_merging() -> None:
    assert S([None, 3]).merge_with([2, None]).as_list() == [2, 3]
    assert S(None).merge_with([2]).as_list() == [2]
    assert S([2]).merge_with(None).as_list() == [2]
    with pytest.raises(ValueError, match=r"Shapes \(2,\) and \(3,\) are not compatible"):
        S([2]).merge_with([3])
    assert S([2]).concatenate([3, None]).as_list() == [2, 3, None]
    more, less = [3], [1]
    assert (S([2]) + more).as_list() == [2, 3]
    assert (less + S([2])).as_list() == [1, 2]
    assert S([2]).concatenate(None).ndims is None
    assert S(None).with_rank(2).as_list() == [None, None]
    assert S([1, 2]).with_rank_at_least(2).ndims == 2
    with pytest.raises(ValueError, match=r"Shape \(1, 2\) must have rank 3"):
        S([1, 2]).with_rank(3)
    with pytest.raises(ValueError, match="rank at most 1"):
        S([1, 2]).with_rank_at_most(1)
    assert S([2, 3]).most_specific_compatible_shape([2, 4]).as_list() == [2, None]


def test_shape_equality() -> None:
    assert S([2, 3]) == [2, 3]
    assert S([2, 3]) == (2, 3)
    assert S([2, 3]) != [2, 4]
    assert S([2]) != [2, 3]
    assert S(None) == S(None)
    assert S([2, 3]).is_compatible_with([None, 3])
    assert not S([2, 3]).is_compatible_with([3])
    with pytest.raises(ValueError, match="undefined"):
        _ = S(None) != S([2])
    assert pickle.loads(pickle.dumps(S([2, None]))).as_list() == [2, None]


def test_shapes_become_tensors() -> None:
    x = tf.placeholder(tf.float32, [2, None])
    assert tf.convert_to_tensor(S([2, 3])).dtype is tf.int32
    assert tf.convert_to_tensor(x.shape[0]).op.attrs["value"] == 2
    assert tf.reshape(x, [x.shape[0], -1]).shape.as_list()[0] == 2
    with pytest.raises(ValueError, match="partially known TensorShape"):
        tf.convert_to_tensor(x.shape)
