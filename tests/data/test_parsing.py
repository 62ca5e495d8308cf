"""Reading ``tf.train.Example``; outcomes and texts are those of TensorFlow 1.15."""

import random

import numpy as np
import pytest

import graphc as tf
from graphc.checkpoint import wire
from graphc.data.examples import Dense, Spec, example_features, parse_batch, parse_quickly

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
    """What cannot be read is a ValueError, whatever the damage; all else reads as something."""
    rng, raw, refused = random.Random(0), bytearray(FIRST), 0
    for _ in range(500):
        i, bit = rng.randrange(len(raw)), 1 << rng.randrange(8)
        raw[i] ^= bit
        try:
            example_features(bytes(raw))
        except ValueError:
            refused += 1
        raw[i] ^= bit
    assert 50 < refused < 450


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


def test_a_string_of_each_example():
    """A scalar string of a batch is the string itself, zeros at its end included."""
    raws = [example(s=texts(b"ab\0"), n=ints(k)) for k in range(3)]
    features = {"s": tf.FixedLenFeature([], tf.string), "n": tf.FixedLenFeature([], tf.int64)}
    got = run(tf.parse_example(raws, features))
    assert plain(got) == {"s": [b"ab\0"] * 3, "n": [0, 1, 2]}
    odd = example(s=texts(b"ab\0"), n=ints(7)) + wire.field(9, 1)  # read by the general way
    assert plain(run(tf.parse_example([*raws, odd], features)))["s"] == [b"ab\0"] * 4


def random_example(rng):
    """Features of all kinds, some missing, some empty."""
    made = {
        "i": ints(*[rng.choice([0, 1, 127, 128, -1, 2**62, -(2**63)]) for _ in range(2)]),
        "n": ints(*[rng.randrange(300) for _ in range(rng.choice([0, 1, 3, 90]))]),
        "f": floats(0.5, rng.random(), -1.0),
        "v": floats(*[rng.random() for _ in range(2 * rng.randrange(3))]),
        "s": texts(bytes(rng.randrange(200))),
        "t": texts(*[b"x" * rng.randrange(3) for _ in range(rng.randrange(4))]),
        "j" * 130: ints(1),
    }
    return example(**{k: v for k, v in made.items() if k in "is" or rng.random() < 0.7})


SPEC = Spec(
    (Dense("i", tf.int64, (2,)), Dense("f", tf.float32, (3,)), Dense("s", tf.string, ()),
     Dense("v", tf.float32, (2,), True), Dense("none", tf.int64, (2,), True)),
    (("n", tf.int64), ("t", tf.string), ("f", tf.float32)),
)  # fmt: skip
DEFAULTS = [np.zeros(0, np.int64), np.ones(3, np.float32), np.array([b"d"], object),
            np.zeros(0, np.float32), np.zeros(0, np.int64)]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_one_pass_gives_what_the_general_way_gives(seed):
    """Also of damaged examples: it may give up, but never give something else."""
    rng = random.Random(seed)
    quick = 0
    for count in (1, 1, 4, 20):
        raws = [random_example(rng) for _ in range(count)]
        for damage in (0, 1):
            if damage:
                raw = bytearray(raws[-1])
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
                raws[-1] = bytes(raw)
            got = parse_quickly(raws, SPEC, DEFAULTS)
            try:
                want = parse_batch([example_features(r) for r in raws], SPEC, DEFAULTS)
            except (ValueError, tf.errors.InvalidArgumentError):
                want = None
            if got is None:
                continue
            quick += 1
            for a, b in zip(got, want, strict=True):
                for x, y in zip(a, b, strict=True):
                    assert (x.dtype, x.shape) == (y.dtype, y.shape)
                    assert x.tobytes() == y.tobytes() if x.dtype != object else (x == y).all()
    assert quick >= 3


def test_functions_of_the_host_need_no_parts():
    """What a function parses first is parsed without a run: what native code does comes after."""
    spec = {"s": tf.FixedLenFeature([], tf.string), "a": tf.FixedLenFeature([2], tf.int64)}

    def read(raw):
        f = tf.parse_single_example(raw, spec)
        return tf.cast(tf.decode_raw(f["s"], tf.uint8), tf.float32) / 2.0, f["a"][0], f["s"]

    raws = [example(s=texts(bytes([k, 4])), a=ints(k, 5)) for k in range(4)]
    data = tf.data.Dataset.from_tensor_slices(raws).map(read).batch(2)
    x, a, s = data.make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        got = [sess.run([x, a, s]) for _ in range(2)]
    assert got[1][0].tolist() == [[1.0, 2.0], [1.5, 2.0]]
    assert (got[1][1].tolist(), got[1][2].tolist()) == ([2, 3], [b"\2\4", b"\3\4"])
    bad = tf.data.Dataset.from_tensors(example(s=texts(b""))).map(read)
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match="Feature: a"):
        sess.run(bad.make_one_shot_iterator().get_next())


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        ([b"1,2.5,x", b"-3,1e3,\xc3\xa9"], [[1, -3], [2.5, 1000.0], [b"x", b"\xc3\xa9"]]),
        ([b'1,2.5,"a,b"', b"3,,y"], [[1, 3], [2.5, 0.5], [b"a,b", b"y"]]),
        ([], [[], [], []]),
    ],
)
def test_columns_of_lines(lines, columns):
    x = tf.placeholder(tf.string, [None])
    made = tf.decode_csv(x, [[0], [0.5], [""]])
    assert [c.tolist() for c in run(made, {x: np.array(lines, object)})] == columns


@pytest.mark.parametrize("line", [b"1,2", b"x,1.0,a", b"1,1.0,a,b", b"99999999999,1.0,a"])
def test_lines_that_do_not_fit(line):
    x = tf.placeholder(tf.string, [None])
    with pytest.raises(tf.errors.InvalidArgumentError, match="record 1"):
        run(tf.decode_csv(x, [[0], [0.5], [""]]), {x: np.array([b"1,1.0,a", line], object)})
