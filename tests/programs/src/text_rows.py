"""Strings cut and joined to rows, tensors and sparse tensors as bytes, batches of sequences."""

import tensorflow as tf

RESULT = {}


def keep(name, made):
    """Values, static shapes and types of what `made` gives, or the error's type."""
    with tf.Graph().as_default(), tf.Session() as sess:
        try:
            found = made()
            parts = list(found) if isinstance(found, (list, tuple)) else [found]
            flat = []
            for t in parts:
                sparse = isinstance(t, tf.SparseTensor)
                flat += [t.indices, t.values, t.dense_shape] if sparse else [t]
            RESULT[name] = [
                [v.to_list() if hasattr(v, "to_list") else v, t.dtype.name, t.shape.ndims]
                for v, t in zip(sess.run(flat), flat)
            ]
        except (ValueError, TypeError, tf.errors.InvalidArgumentError) as e:
            RESULT[name] = type(e).__name__


S = tf.strings
words = ["h\u00e9llo", "ab", ""]
table = [["a", "b\u00e9"], ["c", ""]]
damaged = [b"a\xffb\x07c", b"\xe2\x82", b"ok"]
for cut in (S.unicode_decode, S.unicode_decode_with_offsets, S.unicode_split,
            S.unicode_split_with_offsets):  # fmt: skip
    at = cut.__name__
    for case, given in {"words": words, "one": "h\u00e9y", "table": table}.items():
        keep(at + " " + case, lambda: cut(given, "UTF-8"))
    for errors in ("replace", "ignore", "strict"):
        keep(at + " " + errors, lambda: cut(damaged, "UTF-8", errors=errors, replacement_char=63))
    for code in ("UTF-16-BE", "UTF-32-BE"):
        keep(at + " " + code, lambda: cut(["a\u00e9".encode(code.lower())], code))
for errors in ("replace", "ignore"):
    keep("control " + errors, lambda: S.unicode_decode(
        [bytes(range(1, 34)) + b"\x7f\xc2\x85"], "UTF-8", errors, 63, True))  # fmt: skip
keep("bytes", lambda: S.bytes_split(table))


def rows():
    return tf.ragged.constant([["a", "b", "c"], ["d"], []])


for case, made in {
    "vector": lambda: S.ngrams(["a", "b", "c"], 2),
    "matrix": lambda: S.ngrams([["a", "b", "c"], ["d", "e", "f"]], [1, 2], separator="|"),
    "cube": lambda: S.ngrams([[["a", "b"]], [["c", "d"]]], 2),
    "rows": lambda: S.ngrams(rows(), 2),
    "padded": lambda: S.ngrams(rows()[:2], 3, pad_values="<>"),
    "one pad": lambda: S.ngrams(rows(), 3, pad_values=("<", ">"), padding_width=1),
    "short": lambda: S.ngrams(rows(), (2, 3), preserve_short_sequences=True),
    "short padded": lambda: S.ngrams(rows(), 4, " ", "x", 1, True),
    "short 3": lambda: S.ngrams(rows(), 3, preserve_short_sequences=True),
    "width": lambda: S.ngrams(rows(), 0),
    "padding": lambda: S.ngrams(rows(), 2, padding_width=0, pad_values="x"),
    "no pad": lambda: S.ngrams(rows(), 2, padding_width=2),
    "pad 3": lambda: S.ngrams(rows(), 2, pad_values=3),
    "scalar": lambda: S.ngrams("a", 2),
}.items():
    keep("ngrams " + case, made)


def sparse():
    return tf.SparseTensor([[0, 1], [1, 0], [1, 2]], [1.5, 2.5, 3.5], [3, 4])


def stacked():
    other = tf.SparseTensor([[0, 0]], [9.0], [5, 2])
    return tf.stack([tf.io.serialize_sparse(sparse()), tf.io.serialize_sparse(other)])


many = tf.io.deserialize_many_sparse
for case, made in {
    "one": lambda: tf.io.serialize_sparse(sparse()),
    "many": lambda: tf.io.serialize_many_sparse(sparse()),
    "back": lambda: many(tf.io.serialize_many_sparse(sparse()), tf.float32, rank=2),
    "stacked": lambda: many(stacked(), tf.float32),
    "other type": lambda: many(stacked(), tf.int32),
    "damaged": lambda: many([["x", "y", "z"]], tf.int32),
    "none": lambda: many(tf.zeros([0, 3], tf.string), tf.int32),
    "vector": lambda: tf.io.serialize_many_sparse(tf.SparseTensor([[0]], [1], [2])),
    "dense": lambda: tf.io.serialize_sparse(tf.ones([2])),
}.items():
    keep("sparse " + case, made)


def sequence(context, lists):
    made = tf.train.SequenceExample()
    for k, v in context.items():
        f = made.context.feature[k]
        (f.int64_list if isinstance(v[0], int) else f.float_list).value.extend(v)
    for k, steps in lists.items():
        for step in steps:
            f = made.feature_lists.feature_list[k].feature.add()
            kinds = {bytes: f.bytes_list, int: f.int64_list, float: f.float_list}
            kinds[type(step[0])].value.extend(step)
    return made.SerializeToString()


first = sequence({"n": [3], "v": [1.0, 2.0]}, {"a": [[1], [2], [3]], "b": [[1.0, 2.0], [3.0]]})
second = sequence({"n": [1]}, {"a": [[7]], "b": [[9.0]], "s": [[b"x"]]})
context = {"n": tf.FixedLenFeature([], tf.int64), "v": tf.VarLenFeature(tf.float32)}
steps = {
    "a": tf.FixedLenSequenceFeature([], tf.int64), "b": tf.VarLenFeature(tf.float32),
    "s": tf.FixedLenSequenceFeature([1], tf.string, allow_missing=True),
}  # fmt: skip


def parsed(*args, **kwargs):
    return [d[k] for d in tf.io.parse_sequence_example(*args, **kwargs) for k in sorted(d)]


for case, made in {
    "both": lambda: parsed([first, second], context, steps),
    "lists": lambda: parsed([second], None, steps),
    "context": lambda: parsed([second, first], context),
    "no list": lambda: parsed([first], None, {"z": tf.FixedLenSequenceFeature([], tf.int64)}),
    "no feature": lambda: parsed([first], {"z": tf.FixedLenFeature([], tf.int64)},
                                 example_names=["p"]),
    "nothing": lambda: parsed([first]),
    "scalar": lambda: parsed(first, context),
    "damaged": lambda: parsed(["\n"], context),
}.items():  # fmt: skip
    keep("sequences " + case, made)
