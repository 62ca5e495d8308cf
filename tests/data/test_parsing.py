"""Reading ``tf.train.Example``; outcomes and texts are those of TensorFlow 1.15."""

import random

import numpy as np
import pytest

import graphc as tf
from graphc.checkpoint import wire
from graphc.data.examples import example_features

pytest.importorskip("tensorboard")


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default() as g:
        yield g


def ints(*v):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=v))


def floats(*v):
    return tf.train.Feature(float_list=tf.train.FloatList(value=v))


def texts(*v):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=v))


def example(**features):
    made = tf.train.Example(features=tf.train.Features(feature=features))
    return made.SerializeToString()


FIRST = example(a=ints(1, -2), b=floats(0.5), c=texts(b"x", b"yy"))
SECOND = example(a=ints(3, 2**40), c=texts(b"z"), d=ints(7))
FEATURES = {
    "a": tf.FixedLenFeature([2], tf.int64),
    "b": tf.FixedLenFeature([], tf.float32, default_value=1.5),
    "d": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
}


def run(fetches, feeds=None):
    with tf.Session() as sess:
        return sess.run(fetches, feeds)


def plain(found):
    return {k: v.tolist() for k, v in found.items()}


def test_one_example(graph):
    x = tf.placeholder(tf.string, [], name="x")
    p = tf.parse_single_example(x, FEATURES)
    assert plain(run(p, {x: FIRST})) == {"a": [1, -2], "b": 0.5, "d": []}
    assert plain(run(p, {x: SECOND})) == {"a": [3, 2**40], "b": 1.5, "d": [7]}
    shapes = {k: (t.dtype.name, t.shape.as_list()) for k, t in p.items()}
    assert shapes == {"a": ("int64", [2]), "b": ("float32", []), "d": ("int64", [None])}
    assert p["a"].op.name == "ParseSingleExample/ParseSingleExample"
    assert [o.name for o in graph.get_operations()][:5] == [
        "x", "ParseSingleExample/Const", "ParseSingleExample/key_b",
        "ParseSingleExample/Reshape", "ParseSingleExample/Const_1"
    ]  # fmt: skip


def test_a_batch():
    x = tf.placeholder(tf.string, [None], name="x")
    p = tf.io.parse_example(x, FEATURES)
    assert plain(run(p, {x: [FIRST, SECOND]})) == {
        "a": [[1, -2], [3, 2**40]], "b": [0.5, 1.5], "d": [[0], [7]]
    }  # fmt: skip
    empty = run(p, {x: []})
    assert {k: v.shape for k, v in empty.items()} == {"a": (0, 2), "b": (0,), "d": (0, 0)}
    assert p["a"].shape.as_list() == [None, 2]


@pytest.mark.skipif(not hasattr(tf, "SparseTensor"), reason="no SparseTensor yet")
def test_features_of_any_length():
    features = {"c": tf.VarLenFeature(tf.string), "e": tf.VarLenFeature(tf.int64)}
    one = run(tf.parse_single_example(FIRST, features))["c"]
    assert one.indices.tolist() == [[0], [1]]
    assert one.values.tolist() == [b"x", b"yy"]
    assert one.dense_shape.tolist() == [2]
    got = run(tf.parse_example([FIRST, SECOND], features))
    assert got["c"].indices.tolist() == [[0, 0], [0, 1], [1, 0]]
    assert got["c"].values.tolist() == [b"x", b"yy", b"z"]
    assert got["c"].dense_shape.tolist() == [2, 2]
    assert got["e"].indices.shape == (0, 2)
    assert got["e"].dense_shape.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("raw", "single", "batch"),
    [
        (example(b=floats(1.0)),
         "^Feature: a (data type: int64) is required but could not be found.",
         "^Name: <unknown>, Feature: a (data type: int64) is required but could not be found."),
        (example(a=floats(1.0, 2.0)),
         "^Key: a.  Data types don't match. Data type: float but expected type: int64",
         "^Name: <unknown>, Key: a, Index: 0.  Data types don't match. Data type: float but "
         "expected type: int64"),
        (example(a=ints(1)),
         "^Key: a.  Can't parse serialized Example.",
         "^Name: <unknown>, Key: a, Index: 0.  Number of int64 values != expected.  Values size: "
         "1 but output shape: [2]"),
        (b"\xff junk", "^Could not parse example input",
         "^Example 0: Could not parse example input"),
    ],
)  # fmt: skip
def test_examples_that_do_not_fit(raw, single, batch):
    x = tf.placeholder(tf.string)
    with tf.Session() as sess:
        for f, feed, text in (
            (tf.parse_single_example, raw, single), (tf.parse_example, [raw], batch)
        ):  # fmt: skip
            with pytest.raises(tf.errors.InvalidArgumentError) as e:
                sess.run(f(x, FEATURES), {x: feed})
            assert str(e.value).startswith(text[1:])


@pytest.mark.parametrize(
    ("features", "error", "text"),
    [
        ({"a": 3}, ValueError, "Invalid feature a:3"),
        ({}, ValueError, "Missing features."),
        ({"a": tf.FixedLenFeature(None, tf.int64)}, ValueError, "Missing shape for feature a"),
        ({"a": tf.FixedLenFeature([2], tf.int32)}, TypeError, "has DataType int32 not in list"),
        ({"a": tf.FixedLenFeature([2], tf.int64, 3)}, ValueError, "Cannot reshape a tensor with 1"),
    ],
)
def test_refused_features(graph, features, error, text):
    with pytest.raises(error, match=text):
        tf.parse_single_example(FIRST, features)


def test_lists_that_are_not_packed():
    """Some writers put each number in a field of its own."""
    f = wire.field(2, b"".join([b"\x0d" + np.float32(v).tobytes() for v in (1.5, 2.5)]))
    i = wire.field(3, wire.field(1, 4) + wire.field(1, -5))

    def feature(key, raw):
        return wire.field(1, wire.field(1, key) + wire.field(2, raw))

    raw = wire.field(1, feature(b"f", f) + feature(b"i", i))
    got = run(tf.parse_single_example(raw, {
        "f": tf.FixedLenFeature([2], tf.float32), "i": tf.FixedLenFeature([2], tf.int64),
    }))  # fmt: skip
    assert plain(got) == {"f": [1.5, 2.5], "i": [4, -5]}


def test_damaged_examples():
    rng, raw = random.Random(0), bytearray(FIRST)
    for _ in range(500):
        i, bit = rng.randrange(len(raw)), 1 << rng.randrange(8)
        raw[i] ^= bit
        try:
            example_features(bytes(raw))
        except ValueError:
            pass
        raw[i] ^= bit


def test_sequences():
    s = tf.train.SequenceExample()
    s.context.feature["n"].int64_list.value.append(3)
    for k in (4, 5):
        s.feature_lists.feature_list["w"].feature.add().int64_list.value.append(k)
    x = tf.placeholder(tf.string, [])
    p = tf.parse_single_sequence_example(
        x, {"n": tf.FixedLenFeature([], tf.int64)},
        {"w": tf.FixedLenSequenceFeature([], tf.int64)},
    )  # fmt: skip
    context, lists = run(p, {x: s.SerializeToString()})
    assert (context["n"], lists["w"].tolist()) == (3, [4, 5])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Context feature 'n' is required"):
        run(p, {x: b""})


def test_bytes_as_numbers():
    r = tf.decode_raw(tf.constant([b"\1\2\3\4", b"\5\6\7\x08"]), tf.uint16)
    assert r.shape.as_list() == [2, None]
    assert run(r).tolist() == [[513, 1027], [1541, 2055]]
    assert run(tf.decode_raw(b"\1\2\3\4", tf.int16, little_endian=False)).tolist() == [258, 772]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="length 3 that is not a multiple of 2"
    ):
        run(tf.decode_raw([b"abc"], tf.int16))
    with pytest.raises(tf.errors.InvalidArgumentError, match="element 1 has size 3 != 1"):
        run(tf.decode_raw([b"abc", b"a"], tf.uint8))


def test_tensors_as_bytes():
    t = tf.serialize_tensor(tf.constant([1.0, 2.0]))
    assert run(t) == b'\x08\x01\x12\x04\x12\x02\x08\x02"\x08\x00\x00\x80?\x00\x00\x00@'
    assert run(tf.parse_tensor(t, tf.float32)).tolist() == [1, 2]
    assert run(tf.serialize_tensor(tf.constant(b"ab"))) == b"\x08\x07\x12\x00B\x02ab"
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"parsed tensor \(float\) and dtype \(int32\)"
    ):
        run(tf.parse_tensor(t, tf.int32))
    raw = run(
        tf.io.decode_json_example('{"features":{"feature":{"a":{"int64List":{"value":["1"]}}}}}')
    )
    assert tf.train.Example.FromString(raw) == tf.train.Example.FromString(example(a=ints(1)))
