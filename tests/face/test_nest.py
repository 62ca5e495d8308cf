"""Nested structures: cases and texts as TensorFlow 1.15 gave them."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

from graphc.face import nest

Pair = namedtuple("Pair", "b a")

FLAT = [
    ({"b": 1, "a": [2, (3, 4)]}, [2, 3, 4, 1]),
    (Pair(1, [2]), [1, 2]),
    ("ab", ["ab"]),
    (None, [None]),
    (OrderedDict([("z", 1), ("a", 2)]), [2, 1]),
    (range(3), [0, 1, 2]),
    ([], []),
    ({1}, [{1}]),
]


@pytest.mark.parametrize(("structure", "flat"), FLAT)
def test_flatten(structure, flat):
    assert nest.flatten(structure) == flat


@pytest.mark.parametrize(
    "structure", [{"b": 1, "a": [2, (3, 4)]}, Pair(1, [2]), OrderedDict([("z", 1), ("a", 2)]), 7]
)
def test_pack_is_flatten_backwards(structure):
    packed = nest.pack_sequence_as(structure, nest.flatten(structure))
    assert packed == structure
    assert type(packed) is type(structure)
    if isinstance(structure, dict):
        assert list(packed) == list(structure)


DIFFERENT = [
    ([1, 2], [1, [2]], ValueError, 'Substructure "type=list str=[2]" is a sequence'),
    ([1, 2], [1], ValueError, "don't have the same number of elements"),
    ([1, 2], (1, 2), TypeError, "First structure type=list str=[1, 2] has type list"),
    ({"a": 1}, {"b": 1}, ValueError, "keys type=list str=['a'], while second structure has keys"),
    (Pair(1, 2), (1, 2), TypeError, "Entire first structure:\nPair(b=., a=.)"),
    (1, [1], ValueError, "Entire first structure:\n.\nEntire second structure:\n[.]"),
]


@pytest.mark.parametrize(("first", "second", "kind", "text"), DIFFERENT)
def test_different_structures(first, second, kind, text):
    with pytest.raises(kind) as caught:
        nest.assert_same_structure(first, second)
    assert text in str(caught.value)
    if kind is TypeError:
        nest.assert_same_structure(first, second, check_types=False)


def test_map_structure():
    assert nest.map_structure(lambda x, y: x + y, {"a": 1}, {"a": 3}) == {"a": 4}
    assert nest.map_structure(lambda x: -x, Pair(1, (2, 3))) == Pair(-1, (-2, -3))
    with pytest.raises(TypeError, match="func must be callable"):
        nest.map_structure(3, [1])
    with pytest.raises(ValueError, match="at least one structure"):
        nest.map_structure(lambda: 1)


def test_up_to():
    assert nest.flatten_up_to([1, [2]], [[3], [(4, 5)]]) == [[3], (4, 5)]
    assert nest.map_structure_up_to([1, 2], lambda *x: x, [3, 4], [[5], 6]) == [(3, [5]), (4, 6)]
    with pytest.raises(ValueError, match="Input structure has length 1, while shallow structure"):
        nest.flatten_up_to([1, 2], [[3]])
    with pytest.raises(TypeError, match="input must also be a sequence"):
        nest.flatten_up_to([1, 2], 3)
    with pytest.raises(TypeError, match="the same sequence type"):
        nest.flatten_up_to([1, 2], (3, 4))


def test_pack_needs_the_right_number():
    with pytest.raises(ValueError, match=r"Structure had 2 elements, but flat_sequence had 3"):
        nest.pack_sequence_as([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"Structure is a scalar but len\(flat_sequence\) == 3"):
        nest.pack_sequence_as(5, [1, 2, 3])
    with pytest.raises(TypeError, match="flat_sequence must be a sequence"):
        nest.pack_sequence_as(5, 1)


def test_paths():
    x = {"a": [1, 2], "b": Pair(3, 4)}
    assert list(nest.yield_flat_paths(x)) == [("a", 0), ("a", 1), ("b", "b"), ("b", "a")]
    assert nest.flatten_with_joined_string_paths(x)[2] == ("b/b", 3)
    assert nest.map_structure_with_paths(lambda p, v: (p, v), {"a": [1]}) == {"a": [("a/0", 1)]}
    assert nest.flatten_dict_items({(1, 2): ("a", "b")}) == {1: "a", 2: "b"}
    with pytest.raises(ValueError, match="not unique"):
        nest.flatten_dict_items({(1, 2): ("a", "b"), 1: "c"})


def test_arrays_and_strings_are_leaves():
    assert not nest.is_sequence(np.zeros(3))
    assert not nest.is_sequence("abc")
    assert nest.is_sequence({})
