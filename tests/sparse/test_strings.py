"""Strings and lookup tables: values and errors recorded from TF 1.15."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

lookup = tf.contrib.lookup


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


LONG = [
    "a", "hello", "", "x" * 100, "abcdefgh", "0123456789abcdef0", "q" * 33, "w" * 64, "e" * 65,
    "r" * 200,
]  # fmt: skip

VALUES: dict[str, tuple[Callable[[], Any], Any]] = {
    "hash": (lambda: tf.string_to_hash_bucket(LONG[:4], 1000), [868, 938, 899, 807]),
    "hash fast": (
        lambda: tf.string_to_hash_bucket_fast(LONG, 2**40),
        [436859794915, 726675229928, 254201053263, 791688940063, 178522695945, 775780673801,
         588190230371, 429738887162, 69198242544, 903556241177],
    ),
    "hash strong": (
        lambda: tf.string_to_hash_bucket_strong(LONG[:4], 1000, key=[1, 2]), [646, 622, 435, 463],
    ),
    "join": (lambda: tf.string_join(["a", ["b", "c"]], "-"), ["a-b", "a-c"]),
    "number": (lambda: tf.string_to_number(["1.5", "-2e3", " 7 "]), [1.5, -2000, 7]),
    "number int": (lambda: tf.string_to_number(["15", "-2"], tf.int32), [15, -2]),
    "substr": (lambda: tf.substr(["hello", "world"], 1, 3), ["ell", "orl"]),
    "substr from the end": (lambda: tf.substr("hello", -3, 2), "ll"),
    "substr each": (lambda: tf.substr(["hello", "world"], [0, 1], [2, 3]), ["he", "orl"]),
    "replace": (lambda: tf.regex_replace(["aXbX"], "X", "<\\0>"), ["a<X>b<X>"]),
    "replace first": (
        lambda: tf.regex_replace(["aXbX"], "(X)(b?)", "\\2-\\1", replace_global=False), ["ab-XX"],
    ),
    "match": (lambda: tf.strings.regex_full_match(["abc", "ab"], "a.c"), [True, False]),
    "strip": (lambda: tf.string_strip(["  a b \n"]), ["a b"]),
    "reduce_join": (lambda: tf.reduce_join([["a", "b"], ["c", "d"]], 0), ["ac", "bd"]),
    "reduce_join both": (lambda: tf.reduce_join([["a", "b"], ["c", "d"]], [0, 1]), "acbd"),
    "reduce_join last first": (lambda: tf.reduce_join([["a", "b"], ["c", "d"]], [1, 0]), "abcd"),
    "reduce_join all": (lambda: tf.reduce_join([["a", "b"], ["c", "d"]]), "abcd"),
    "reduce_join keep": (
        lambda: tf.reduce_join([["a", "b"], ["c", "d"]], [1], separator=",", keep_dims=True),
        [["a,b"], ["c,d"]],
    ),
    "reduce_join empty": (lambda: tf.reduce_join(tf.zeros([2, 0], tf.string), 1), ["", ""]),
    "base64": (lambda: tf.encode_base64(["hello?>"]), ["aGVsbG8_Pg"]),
    "base64 back": (lambda: tf.decode_base64(["aGVsbG8_Pg"]), ["hello?>"]),
    "base64 pad": (lambda: tf.encode_base64("a", pad=True), "YQ=="),
    "length": (lambda: tf.strings.length(["abc", "\u00e9"]), [3, 2]),
    "length utf8": (lambda: tf.strings.length(["abc", "\u00e9"], unit="UTF8_CHAR"), [3, 1]),
    "lower": (lambda: tf.strings.lower(["ABc"]), ["abc"]),
    "upper": (lambda: tf.strings.upper(["abC"]), ["ABC"]),
    "as_string": (lambda: tf.as_string([1.5, 2.25]), ["1.500000", "2.250000"]),
    "as_string precision": (lambda: tf.as_string([1.5], precision=3), ["1.500"]),
    "as_string e": (lambda: tf.as_string([1500.5], scientific=True), ["1.500500e+03"]),
    "as_string g": (lambda: tf.as_string([1.5, 1e10], shortest=True), ["1.5", "1e+10"]),
    "as_string width": (lambda: tf.as_string([7], width=4), ["   7"]),
    "as_string zeros": (lambda: tf.as_string([7], width=4, fill="0"), ["0007"]),
    "as_string left": (lambda: tf.as_string([7], width=4, fill="-"), ["7   "]),
    "as_string bool": (lambda: tf.as_string([True, False]), ["true", "false"]),
    "as_string all": (lambda: tf.as_string([1.5], precision=2, width=8), ["    1.50"]),
    "as_string odd": (
        lambda: tf.as_string(np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)),
        ["nan", "inf", "-inf", "-0.000000"],
    ),
    "code points": (lambda: tf.strings.unicode_decode("a\u00e9", "UTF-8"), [97, 233]),
    "raw": (lambda: tf.decode_raw([b"\1\0\2\0"], tf.int16), [[1, 2]]),
    "raw big": (
        lambda: tf.decode_raw([b"\1\0\2\0"], tf.int16, little_endian=False), [[256, 512]],
    ),
    "index": (
        lambda: lookup.index_table_from_tensor(["a", "b", "c"]).lookup(tf.constant(["b", "z"])),
        [1, -1],
    ),
    "index buckets": (
        lambda: lookup.index_table_from_tensor(["a", "b", "c"], num_oov_buckets=3).lookup(
            tf.constant(["b", "z", "y", "x"])
        ),
        [1, 4, 5, 5],
    ),
    "index size": (
        lambda: lookup.index_table_from_tensor(["a", "b", "c"], num_oov_buckets=3).size(), 6,
    ),
    "index default": (
        lambda: lookup.index_table_from_tensor(["a", "b"], default_value=7).lookup(
            tf.constant(["b", "z"])
        ),
        [1, 7],
    ),
    "index ints": (
        lambda: lookup.index_table_from_tensor([5, 7, 9], dtype=tf.int64, num_oov_buckets=2).lookup(
            tf.constant([7, 8, 10], tf.int64)
        ),
        [1, 4, 3],
    ),
    "strings": (
        lambda: lookup.index_to_string_table_from_tensor(["a", "b"]).lookup(
            tf.constant([1, 5], tf.int64)
        ),
        ["b", "UNK"],
    ),
    "hash table": (
        lambda: lookup.HashTable(
            lookup.KeyValueTensorInitializer(["a", "b"], [10, 20]), -1
        ).lookup(tf.constant([["b", "c"]])),
        [[20, -1]],
    ),
    "string_to_index": (
        lambda: lookup.string_to_index(tf.constant(["b"]), tf.constant(["a", "b"])), [1],
    ),
    "static": (
        lambda: tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer([1, 2], ["x", "y"], key_dtype=tf.int64), "?"
        ).lookup(tf.constant([2, 3], tf.int64)),
        ["y", "?"],
    ),
}  # fmt: skip


def plain(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return [plain(e) for e in x]
    return x.decode() if isinstance(x, bytes) else x


@pytest.mark.parametrize("name", VALUES)
def test_values(sess: Any, name: str) -> None:
    make, want = VALUES[name]
    made = make()
    sess.run(tf.tables_initializer())
    assert plain(sess.run(made)) == want


def test_parts_are_sparse(sess: Any) -> None:
    cases: list[tuple[Any, Any, Any, Any]] = [
        (tf.string_split(["a b  c", "", "d"]), [[0, 0], [0, 1], [0, 2], [2, 0]], "abcd", [3, 3]),
        (tf.string_split(["a,b;c"], ",;"), [[0, 0], [0, 1], [0, 2]], "abc", [1, 3]),
        (
            tf.string_split(["a,,b"], ",", skip_empty=False), [[0, 0], [0, 1], [0, 2]],
            ["a", "", "b"], [1, 3],
        ),
        (tf.string_split(["abc"], ""), [[0, 0], [0, 1], [0, 2]], "abc", [1, 3]),
        (tf.strings.split(["a b  c", " "]), [[0, 0], [0, 1], [0, 2]], "abc", [2, 3]),
        (tf.strings.split(["a--b-c"], sep="--"), [[0, 0], [0, 1]], ["a", "b-c"], [1, 2]),
    ]  # fmt: skip
    for made, indices, values, shape in cases:
        got = sess.run(made)
        assert got.indices.tolist() == indices
        assert [v.decode() for v in got.values] == list(values)
        assert got.dense_shape.tolist() == shape
    dense = tf.sparse_tensor_to_dense(tf.string_split(["a b", "c"]), "")
    assert sess.run(dense).tolist() == [[b"a", b"b"], [b"c", b""]]


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "number": (
        lambda: tf.string_to_number(["x"]), tf.errors.InvalidArgumentError,
        "StringToNumberOp could not correctly convert string: x",
    ),
    "range": (
        lambda: tf.string_to_number(["3000000000"], tf.int32), tf.errors.InvalidArgumentError,
        "could not correctly convert string: 3000000000",
    ),
    "substr": (
        lambda: tf.substr(["hi"], 5, 3), tf.errors.InvalidArgumentError,
        "pos 5 out of range for string b'hi' at index 0",
    ),
    "pattern": (
        lambda: tf.regex_replace(["a"], "(", ""), tf.errors.InvalidArgumentError,
        "Invalid pattern: (",
    ),
    "raw": (
        lambda: tf.decode_raw(["abc"], tf.int16), tf.errors.InvalidArgumentError,
        "length 3 that is not a multiple of 2",
    ),
    "base64": (
        lambda: tf.decode_base64(["a+b="]), tf.errors.InvalidArgumentError, "Invalid character",
    ),
    "type": (lambda: tf.string_strip(tf.constant([1])), TypeError, "expected type of string"),
    "as_string": (lambda: tf.as_string(["a"]), TypeError, "not in list of allowed values"),
    "no table": (
        lambda: lookup.index_table_from_tensor(["a"]).lookup(tf.constant(["a"])),
        tf.errors.FailedPreconditionError, "Table not initialized.",
    ),
    "twice": (
        lambda: lookup.HashTable(
            lookup.KeyValueTensorInitializer(["a", "a"], [10, 20]), -1
        ).initializer,
        tf.errors.FailedPreconditionError,
        "HashTable has different value for same key. Key a has 10 and trying to add value 20",
    ),
    "no file": (
        lambda: lookup.index_table_from_file("nowhere.txt").initializer, tf.errors.NotFoundError,
        "nowhere.txt",
    ),
    "keys": (
        lambda: lookup.index_table_from_tensor(["a"]).lookup(tf.constant([1])), TypeError,
        "Signature mismatch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_errors(sess: Any, name: str) -> None:
    make, error, words = ERRORS[name]
    with pytest.raises(error, match=re.escape(words)):
        sess.run(make())


def test_tables_from_files(sess: Any, tmp_path: Any) -> None:
    file = tmp_path / "words.txt"
    file.write_text("x\ny\nz\n")
    made = [
        lookup.index_table_from_file(str(file), num_oov_buckets=1).lookup(
            tf.constant(["y", "z", "w"])
        ),
        lookup.index_to_string_table_from_file(str(file)).lookup(tf.constant([0, 9], tf.int64)),
        lookup.index_table_from_file(str(file), vocab_size=2).lookup(tf.constant(["y", "z"])),
    ]
    sess.run(tf.tables_initializer())
    assert [plain(g) for g in sess.run(made)] == [[1, 2, 3], ["x", "UNK"], [1, -1]]
    table = tmp_path / "table.csv"
    table.write_text("a,1\nb,2\n")
    init = lookup.TextFileInitializer(str(table), tf.string, 0, tf.int64, 1, delimiter=",")
    found = lookup.HashTable(init, 0)
    sess.run(found.initializer)
    assert sess.run(found.lookup(tf.constant(["b", "c"]))).tolist() == [2, 0]


def test_mutable_tables(sess: Any) -> None:
    table = lookup.MutableHashTable(tf.string, tf.int64, -1)
    keys = tf.constant(["a", "q"])
    assert sess.run(table.lookup(keys)).tolist() == [-1, -1]
    insert = table.insert(["a", "b"], tf.constant([1, 2], tf.int64))
    with tf.control_dependencies([insert]):
        after = [table.lookup(keys), table.size()]
    found, n = sess.run(after)
    assert (found.tolist(), n) == ([1, -1], 2)
    names, values = sess.run(table.export())
    assert sorted(zip(names.tolist(), values.tolist(), strict=True)) == [(b"a", 1), (b"b", 2)]
    sess.run(table.remove(["a"]))
    assert sess.run(table.size()) == 1
    with tf.Session() as other:
        assert other.run(table.size()) == 0


@pytest.mark.parametrize(
    ("more", "use", "text"),
    [
        ({}, lambda t: t.insert([1, 0], [1.0, 2.0]), "Using the empty_key as a table key"),
        ({}, lambda t: t.insert_or_assign([-1], [1.0]), "Using the deleted_key as a table key"),
        ({}, lambda t: t.lookup([3, 0]), "Using the empty_key as a table key is not allowed"),
        ({}, lambda t: t.erase([-1]), "Using the deleted_key as a table key is not allowed"),
        ({"deleted_key": 0}, lambda t: t.lookup([3]), "Empty and deleted keys cannot be equal"),
        ({"initial_num_buckets": 3}, lambda t: t.lookup([3]),
         "Number of buckets must be at least 4 and a power of 2, got: 3"),
    ],
)  # fmt: skip
def test_dense_tables_refuse_their_unused_keys(sess: Any, more: Any, use: Any, text: str) -> None:
    given = {"empty_key": 0, "deleted_key": -1, **more}
    table = lookup.MutableDenseHashTable(tf.int64, tf.float32, -1.0, **given)
    other = lookup.MutableDenseHashTable(tf.int64, tf.float32, -1.0, 0, -1, 8)
    sess.run(other.insert([5], [2.0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        sess.run(use(table))
    assert sess.run([table.size(), other.size()]) == [0, 1]
    assert sess.run(other.lookup(tf.constant([5, 7], tf.int64))).tolist() == [2.0, -1.0]


def test_dense_tables_of_vectors(sess: Any) -> None:
    with pytest.raises(tf.errors.UnimplementedError, match="keys of a table are single ones"):
        lookup.MutableDenseHashTable(tf.int64, tf.int64, -1, [0, 0], [-1, -1])


def test_names_and_sparse_keys(sess: Any) -> None:
    table = lookup.index_table_from_tensor(["a", "b", "c"])
    assert tf.get_collection(tf.GraphKeys.TABLE_INITIALIZERS) == [table.initializer]
    assert table.lookup(tf.constant(["a"])).name == "hash_table_Lookup/LookupTableFindV2:0"
    sess.run(tf.tables_initializer())
    got = sess.run(table.lookup(tf.SparseTensor([[0, 0]], ["c"], [1, 1])))
    assert (got.values.tolist(), got.values.dtype) == ([2], np.int64)
    rows = tf.Variable(np.eye(3, dtype=np.float32))
    sess.run(rows.initializer)
    picked = tf.nn.embedding_lookup(rows, table.lookup(tf.constant(["c", "a"])))
    assert sess.run(picked).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_many_whole_numbers(sess: Any, dtype: str, step: int) -> None:
    """Keys that are close to each other, and keys that are not; before and after changes."""
    keys = np.arange(-20, 60) * step
    values = np.arange(80) * 2.0
    table = lookup.MutableHashTable(tf.as_dtype(dtype), tf.float32, -7.0)
    ask, key, value = (
        tf.placeholder(dtype, [None, None]),
        *(tf.placeholder(t) for t in (dtype, "f")),
    )
    found, add, drop = table.lookup(ask), table.insert(key, value), table.remove(key)
    top = np.iinfo(dtype)
    asked = np.array([[top.min, top.max, 61 * step, -21 * step], *keys.reshape(-1, 4)], dtype)
    held: dict[int, float] = {}

    def check() -> None:
        want = [[held.get(k, -7.0) for k in row] for row in asked.tolist()]
        assert sess.run(found, {ask: asked}).tolist() == want

    check()
    sess.run(add, {key: keys.astype(dtype), value: values.astype("f")})
    held.update(zip(keys.tolist(), values.tolist(), strict=True))
    check()
    sess.run(add, {key: keys[:3].astype(dtype), value: np.ones(3, "f")})
    held.update(dict.fromkeys(keys[:3].tolist(), 1.0))
    check()
    sess.run(drop, {key: keys[5:9].astype(dtype)})
    for k in keys[5:9].tolist():
        del held[k]
    check()
