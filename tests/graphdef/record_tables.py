"""Writes what TensorFlow 1.15 makes of tables and strings: run with an interpreter that has it."""

import gzip
import json
import pathlib

import tensorflow as tf

HERE = pathlib.Path(__file__).parent / "text"
FEEDS = {
    "words:0": ["a", "c", "q", "v", "z"],
    "texts:0": ["  Hello World", "ab 12", "Zoo keeper "],
}


def tables():
    words = tf.placeholder(tf.string, [None], name="words")
    pairs = tf.constant(["a", "b", "c"]), tf.constant([3, 1, 2], tf.int64)
    fixed = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(*pairs), -1)
    free = tf.contrib.lookup.MutableHashTable(tf.string, tf.float32, 0.5)
    tf.group(free.insert(tf.constant(["u", "v"]), tf.constant([1.0, 2.0])), name="insert")
    pairs = tf.constant(["v", "q"]), tf.constant([0, 1], tf.int64)
    named = tf.lookup.StaticVocabularyTable(tf.lookup.KeyValueTensorInitializer(*pairs), 3)
    back = tf.contrib.lookup.index_to_string_table_from_tensor(["p", "q", "r"], default_value="?")
    tf.tables_initializer("start")
    ids = fixed.lookup(words)
    return {
        "ids": ids, "values": free.lookup(words), "size": fixed.size(),
        "buckets": named.lookup(words), "back": back.lookup(ids),
        "exported": tf.reduce_sum(free.export()[1]),
    }  # fmt: skip


def strings():
    given = tf.placeholder(tf.string, [None], name="texts")
    low = tf.strings.lower(tf.strings.strip(given))
    split = tf.string_split(low, " ")
    numbers = tf.string_to_number(tf.constant(["1.5", "-2"]))
    return {
        "low": low, "up": tf.strings.upper(given), "length": tf.strings.length(given),
        "clean": tf.regex_replace(low, "[^a-z0-9]+", "_"),
        "letters": tf.strings.regex_full_match(low, "[a-z ]+"), "part": tf.substr(low, [1], [2]),
        "tokens": split.values, "at": split.indices, "shape": split.dense_shape,
        "hashed": tf.string_to_hash_bucket_fast(split.values, 1000),
        "strong": tf.string_to_hash_bucket_strong(low, 100, [3, 4]),
        "numbers": tf.as_string(numbers * 2.0, precision=2),
        "same": tf.decode_base64(tf.encode_base64(given)),
    }  # fmt: skip


def plain(x):
    if isinstance(x, list):
        return [plain(e) for e in x]
    return x.decode() if isinstance(x, bytes) else x


def main():
    made = {k: tf.identity(v, name=k) for k, v in {**tables(), **strings()}.items()}
    with tf.Session() as s:
        s.run("start")
        s.run("insert")
        values = {k: plain(getattr(v, "tolist", lambda v=v: v)())
                  for k, v in s.run(made, FEEDS).items()}  # fmt: skip
    HERE.mkdir(exist_ok=True)
    text = json.dumps({"feeds": FEEDS, "values": values}, indent=1)
    (HERE / "tables.json").write_text(text + "\n")
    graph = tf.get_default_graph().as_graph_def().SerializeToString()
    (HERE / "tables.pb.gz").write_bytes(gzip.compress(graph))


if __name__ == "__main__":
    main()
