"""Feature columns of dense and of sparse features: indicators, embeddings, linear models."""

import numpy as np
import tensorflow as tf

fc = tf.feature_column
RESULT = {}


def sparse(rows, dtype=None):
    at = [[i, j] for i, row in enumerate(rows) for j in range(len(row))]
    values = tf.constant([x for row in rows for x in row], dtype)
    return tf.SparseTensor(at, values, [len(rows), max(map(len, rows))])


def keep(name, make, features):
    """What `make` does with features: values, and the last size; or the error's type."""
    with tf.Graph().as_default(), tf.Session() as sess:
        try:
            found = make(features())
            parts = list(found) if isinstance(found, tuple) else [found]
            sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
            for v in tf.global_variables():
                if v.op.name.endswith("weights") and "embedding" not in v.op.name:
                    size = v.shape.num_elements()
                    sess.run(v.assign(tf.reshape(tf.range(1.0, size + 1.0), v.shape)))
            RESULT[name] = [[p.shape.as_list()[1:], v.tolist()] for p, v in
                            zip(parts, sess.run(parts))]  # fmt: skip
            RESULT[name].append([v.op.name for v in tf.global_variables()])
        except (ValueError, tf.errors.InvalidArgumentError) as e:
            RESULT[name] = type(e).__name__


table = tf.constant_initializer(np.arange(1.0, 13.0).reshape(6, 2))


def vocabulary(**more):
    return fc.categorical_column_with_vocabulary_list("s", ["x", "y", "z"], **more)


identity = fc.categorical_column_with_identity("a", 6)
hashed = fc.categorical_column_with_hash_bucket("s", 6)
columns = {
    "identity": identity,
    "default": fc.categorical_column_with_identity("a", 6, default_value=2),
    "hash": hashed,
    "hash of ints": fc.categorical_column_with_hash_bucket("a", 6, dtype=tf.int64),
    "vocabulary": vocabulary(),
    "vocabulary default": vocabulary(default_value=1),
    "vocabulary more": vocabulary(num_oov_buckets=2),
    "buckets": fc.bucketized_column(fc.numeric_column("n"), [1.0, 2.0]),
    "cross": fc.crossed_column(["s", "a"], 6),
    "cross of ids": fc.crossed_column([identity, "s"], 6),
    "weighted": fc.weighted_categorical_column(identity, "w"),
    "weighted hash": fc.weighted_categorical_column(hashed, "w"),
}
n = [[0.5], [1.5], [3.0]]
features = {
    "vectors": lambda: {
        "a": tf.constant([1, 2, -1], tf.int64), "s": tf.constant(["x", "", "q"]),
        "n": tf.constant(n), "w": tf.constant([1.0, 2.0, 3.0]),
    },
    "matrices": lambda: {
        "a": tf.constant([[1, 2], [2, -1], [-1, -1]], tf.int64), "n": tf.constant(n),
        "s": tf.constant([["x", "y"], ["", "q"], ["", ""]]),
        "w": tf.constant([[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]),
    },
    "sparse": lambda: {
        "a": sparse([[1, 2], [3], []], tf.int64), "s": sparse([["x", "q"], [""], []]),
        "n": tf.constant(n), "w": sparse([[1.0, 2.0], [3.0], []]),
    },
}  # fmt: skip
for case, given in features.items():
    for kind, c in columns.items():
        at = case + " " + kind
        keep(at + " indicator", lambda x: fc.input_layer(x, [fc.indicator_column(c)]), given)
        for combiner in ("mean", "sum", "sqrtn"):
            rows = fc.embedding_column(c, 2, combiner, table)
            keep(at + " " + combiner, lambda x: fc.input_layer(x, [rows]), given)
        short = fc.embedding_column(c, 2, initializer=table, max_norm=2.0)
        keep(at + " norm", lambda x: fc.input_layer(x, [short]), given)
        keep(at + " linear", lambda x: fc.linear_model(x, [c]), given)
        keep(at + " linear mean",
             lambda x: fc.linear_model(x, [c], units=2, sparse_combiner="mean"), given)  # fmt: skip


def hot(c):
    return lambda x: fc.input_layer(x, [fc.indicator_column(c)])


for case, (c, given) in {
    "too large": (identity, lambda: {"a": sparse([[1, 7], [3]], tf.int64)}),
    "negative": (identity, lambda: {"a": sparse([[1, -1], [3]], tf.int64)}),
    "default": (columns["default"], lambda: {"a": sparse([[1, 7], [-1]], tf.int64)}),
    "dense too large": (identity, lambda: {"a": tf.constant([[1], [7], [-3]], tf.int64)}),
    "ints as words": (hashed, lambda: {"s": tf.constant([1, 2])}),
    "words as ints": (identity, lambda: {"a": tf.constant(["1", "2"])}),
    "vocabulary of ints": (vocabulary(), lambda: {"s": tf.constant([1, 2])}),
    "weights elsewhere": (columns["weighted"], lambda: {
        "a": sparse([[1, 2], [3]], tf.int64), "w": sparse([[1.0], [2.0, 3.0]])}),
}.items():  # fmt: skip
    keep(case, hot(c), given)
keep("sparse number", lambda x: fc.input_layer(x, [fc.numeric_column("a")]), features["sparse"])

# ---- tables that columns share, and sequences

contrib = tf.contrib.feature_column


def ids():
    return {"a": sparse([[2], [0, 1], []], tf.int64), "b": sparse([[1], [2, 0], []], tf.int64)}


def other():
    return {"a": ids()["a"], "b": sparse([[1], [2], [0]], tf.int64)}


small = tf.constant_initializer(np.arange(6.0).reshape(3, 2))
plain = [fc.categorical_column_with_identity(k, 3) for k in "ba"]
ordered = [contrib.sequence_categorical_column_with_identity(k, 3) for k in "ba"]


def shared(c, **more):
    return fc.shared_embedding_columns(c, 2, initializer=small, **more)


keep("shared", lambda x: fc.input_layer(x, shared(plain)), other)
keep(
    "shared by name",
    lambda x: fc.input_layer(x, shared(plain, shared_embedding_collection_name="own")),
    other,
)
keep("shared sum", lambda x: fc.input_layer(x, shared(plain, combiner="sum", max_norm=2.0)), other)
steps = contrib.sequence_input_layer
keep("sequences shared", lambda x: steps(x, shared(ordered)), ids)
keep("sequences of different lengths", lambda x: steps(x, shared(ordered)), other)
keep(
    "sequence embedded",
    lambda x: steps(x, [fc.embedding_column(ordered[0], 2, initializer=small)]),
    ids,
)
keep("sequence indicated", lambda x: steps(x, [fc.indicator_column(ordered[1])]), ids)


def words():
    return {"w": sparse([["a", "b"], ["z"]])}


for case, c in {
    "list": contrib.sequence_categorical_column_with_vocabulary_list(
        "w", ["a", "b"], num_oov_buckets=1
    ),
    "unknown": contrib.sequence_categorical_column_with_vocabulary_list("w", ["a", "b"]),
    "hash": contrib.sequence_categorical_column_with_hash_bucket("w", 4),
}.items():
    keep("sequence of words " + case, lambda x: steps(x, [fc.indicator_column(c)]), words)
number = contrib.sequence_numeric_column


def pairs():
    return {"x": sparse([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0]])}


keep("numbers", lambda x: steps(x, [number("x")]), pairs)
doubled = number("x", shape=(2,), default_value=-1.0, normalizer_fn=lambda t: t * 2.0)
keep("numbers by two", lambda x: steps(x, [doubled]), pairs)
keep("no sequence", lambda x: steps(x, [fc.embedding_column(plain[0], 2)]), ids)
keep("no sequence number", lambda x: steps(x, [fc.numeric_column("x")]), pairs)
keep("sequence as one", lambda x: fc.input_layer(x, [fc.embedding_column(ordered[0], 2)]), ids)
for case, make in {
    "kinds": lambda: fc.shared_embedding_columns([plain[0], ordered[1]], 2),
    "buckets": lambda: fc.shared_embedding_columns(
        [plain[0], fc.categorical_column_with_identity("c", 4)], 2
    ),
    "dimension": lambda: fc.shared_embedding_columns(plain, 0),
    "checkpoint": lambda: fc.shared_embedding_columns(plain, 2, ckpt_to_load_from="x"),
}.items():
    try:
        make()
    except ValueError as e:
        RESULT["shared " + case] = type(e).__name__
RESULT["names"] = [c.name for c in (ordered[0], number("x"), fc.indicator_column(ordered[0]),
                                    *fc.shared_embedding_columns(plain, 2))]  # fmt: skip
