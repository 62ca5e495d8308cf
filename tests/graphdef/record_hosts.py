"""Writes what TensorFlow 1.15 makes of parsers and files: run with an interpreter that has it."""

import gzip
import json
import pathlib

import tensorflow as tf

HERE = pathlib.Path(__file__).parent / "text"


def example(**features):
    kinds = {int: "int64_list", float: "float_list", bytes: "bytes_list"}
    made = tf.train.Example()
    for key, values in features.items():
        getattr(made.features.feature[key], kinds[type(values[0])]).value.extend(values)
    return made.SerializeToString().decode("latin-1")


FEEDS = {
    "many:0": [
        example(a=[1.0, 2.0], b=[7], c=[1, 2, 3]),
        example(a=[3.0, 4.0], b=[8, 9], d=[b"q"]),
    ],
    "one:0": example(a=[5.0, 6.0], b=[4, 4]),
    "lines:0": ["1,x,2.5", "2,,"],
}  # fmt: skip


def outputs():
    many = tf.placeholder(tf.string, [None], name="many")
    features = {
        "a": tf.FixedLenFeature([2], tf.float32), "b": tf.VarLenFeature(tf.int64),
        "c": tf.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
        "d": tf.FixedLenFeature([], tf.string, default_value="none"),
    }  # fmt: skip
    made = tf.parse_example(many, features)
    one = tf.parse_single_example(
        tf.placeholder(tf.string, [], name="one"),
        {"a": tf.FixedLenFeature([2], tf.float32), "b": tf.VarLenFeature(tf.int64)},
    )
    lines = tf.placeholder(tf.string, [None], name="lines")
    i, word, x = tf.decode_csv(lines, [[0], ["w"], [0.5]])
    pixels = tf.cast(tf.reshape(tf.range(48), [4, 4, 3]), tf.uint8)
    parts = tf.strings.split(word, sep="x", maxsplit=1)
    spread = tf.dynamic_stitch([[0], [1]], [[1.5], [2.5]])
    return {
        "a": made["a"], "b": made["b"].values, "where": made["b"].indices, "c": made["c"],
        "d": made["d"], "one_a": one["a"], "one_b": one["b"].values, "i": i, "word": word, "x": x,
        "picture": tf.image.decode_png(tf.image.encode_png(pixels), channels=3),
        "joined": tf.reduce_join(word, 0, separator="+"), "parts": parts.values,
        "spread": spread, "product": tf.cross([[1.0, 2.0, 3.0]], [[0.0, 1.0, 0.0]]),
        "dense": tf.sparse_to_dense([0, 2], [4], [1.0, 2.0], -1.0),
        "text": tf.as_string(x, precision=2, width=6, fill="0"),
    }  # fmt: skip


def plain(x):
    if isinstance(x, list):
        return [plain(e) for e in x]
    return x.decode("latin-1") if isinstance(x, bytes) else x


def definitions():
    """What TensorFlow's ops take: their number of operands, and all their attributes."""
    from tensorflow.python.framework import op_def_registry

    kinds = (
        "ParseExample ParseSingleExample DecodeCSV DecodeRaw DecodeJpeg DecodePng DecodeGif "
        "DecodeBmp EncodeJpeg EncodePng ReadFile WriteFile MatchingFiles StringToHashBucketFast "
        "StringToHashBucketStrong StringToHashBucket StringSplit StringSplitV2 ReduceJoin Substr "
        "StringLength StringLower StringUpper StringStrip StaticRegexReplace RegexReplace "
        "StaticRegexFullMatch RegexFullMatch StringToNumber AsString DecodeBase64 EncodeBase64 "
        "HashTableV2 InitializeTableV2 LookupTableFindV2 LookupTableSizeV2 LookupTableInsertV2 "
        "LookupTableRemoveV2 LookupTableExportV2 InitializeTableFromTextFileV2 MutableHashTableV2 "
        "DynamicStitch Cross MaxPoolWithArgmax RandomGamma RandomPoissonV2 SparseToDense"
    ).split()
    found = op_def_registry.get_registered_ops()
    out = {}
    for kind in kinds:
        d = found[kind]
        several = any(a.number_attr or a.type_list_attr for a in d.input_arg)
        out[kind] = {
            "operands": None if several else len(d.input_arg),
            "needs": sorted(a.name for a in d.attr if not a.HasField("default_value")),
            "may": sorted(a.name for a in d.attr if a.HasField("default_value")),
        }
    return out


def main():
    made = {k: tf.identity(v, name=k) for k, v in outputs().items()}
    feeds = {k: [x.encode("latin-1") for x in v] if isinstance(v, list) else v.encode("latin-1")
             for k, v in FEEDS.items()}  # fmt: skip
    with tf.Session() as s:
        values = s.run(made, feeds)
    stored = {
        "feeds": FEEDS,
        "values": {k: plain(getattr(v, "tolist", lambda v=v: v)()) for k, v in values.items()},
        "definitions": definitions(),
    }  # fmt: skip
    graph = tf.get_default_graph().as_graph_def().SerializeToString()
    (HERE / "hosts.pb.gz").write_bytes(gzip.compress(graph))
    (HERE / "hosts.json").write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
