"""Parsers, strings, tables and files in graph files, as TensorFlow 1.15 has them.

`record_hosts.py` wrote the graph, its values and what TensorFlow's ops take.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import graphc as tf

pytest.importorskip("tensorboard")
pytest.importorskip("PIL")
DATA = Path(__file__).parent / "text"
STORED = json.loads((DATA / "hosts.json").read_text())
FEEDS = {k: [x.encode("latin-1") for x in v] if isinstance(v, list) else v.encode("latin-1")
         for k, v in STORED["feeds"].items()}  # fmt: skip


def plain(x: Any) -> Any:
    if isinstance(x, list):
        return [plain(e) for e in x]
    return x.decode("latin-1") if isinstance(x, bytes) else x


def hold(graph_def: Any) -> None:
    """Every output of a graph has TensorFlow's value."""
    with tf.Graph().as_default(), tf.Session() as s:
        tf.import_graph_def(graph_def, name="")
        got = s.run({k: f"{k}:0" for k in STORED["values"]}, FEEDS)
    for name, want in STORED["values"].items():
        assert plain(got[name].tolist() if hasattr(got[name], "tolist") else got[name]) == want, (
            name
        )


def as_tensorflow_reads(graph_def: Any) -> Any:
    """A graph without what only graphc reads."""
    for n in graph_def.node:
        for key in [k for k in n.attr if k.startswith("_graphc")]:
            del n.attr[key]
    return graph_def


def fits(n: Any) -> bool:
    """Whether a node has the operands and attributes that TensorFlow's op takes."""
    d = STORED["definitions"][n.op]
    given = {k for k in n.attr if not k.startswith("_")}
    operands = [i for i in n.input if not i.startswith("^")]
    enough = d["operands"] is None or d["operands"] == len(operands)
    return enough and set(d["needs"]) <= given <= {*d["needs"], *d["may"]}


def test_read() -> None:
    hold(tf.GraphDef.FromString(gzip.decompress((DATA / "hosts.pb.gz").read_bytes())))


def test_written_again() -> None:
    made = tf.GraphDef.FromString(gzip.decompress((DATA / "hosts.pb.gz").read_bytes()))
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(made, name="")
        written = graph.as_graph_def()
    unfit = [n for n in written.node if n.op in STORED["definitions"] and not fits(n)]
    assert not unfit
    hold(as_tensorflow_reads(written))


def _tables() -> Any:
    words = tf.placeholder(tf.string, [None])
    fixed = tf.contrib.lookup.index_table_from_tensor(["a", "b"], num_oov_buckets=1)
    back = tf.contrib.lookup.index_to_string_table_from_tensor(["p", "q", "r"], default_value="?")
    lines = tf.contrib.lookup.index_table_from_file("words.txt", vocab_size=2, default_value=7)
    free = tf.contrib.lookup.MutableHashTable(tf.string, tf.float32, 0.5)
    return [back.lookup(fixed.lookup(words)), lines.lookup(words), free.lookup(words),
            free.insert(words, [1.0]), free.remove(words), free.size(), *free.export()]  # fmt: skip


def _strings() -> Any:
    x = tf.placeholder(tf.string, [None])
    return [
        tf.strings.lower(x), tf.strings.upper(x), tf.strings.strip(x), tf.strings.length(x),
        tf.substr(x, 0, 1), tf.regex_replace(x, "a", "b"), tf.strings.regex_full_match(x, "a"),
        tf.regex_replace(x, x[0], "b"), tf.strings.regex_full_match(x, x[0]),
        tf.string_to_number(x), tf.string_to_hash_bucket(x, 5), tf.string_split(x),
        tf.string_to_hash_bucket_fast(x, 5), tf.string_to_hash_bucket_strong(x, 5, [1, 2]),
        tf.decode_base64(tf.encode_base64(x)), tf.decode_raw(x, tf.int16),
        tf.as_string(tf.placeholder(tf.int32, []), width=4),
    ]  # fmt: skip


def _files() -> Any:
    name = tf.placeholder(tf.string, [])
    data = tf.read_file(name)
    pixels = tf.image.decode_jpeg(data, channels=3)
    return [
        tf.write_file(name, data), tf.matching_files(name), tf.image.decode_bmp(data),
        tf.image.decode_gif(data), tf.image.decode_png(data, dtype=tf.uint16),
        tf.image.encode_jpeg(pixels, quality=80), tf.image.encode_png(pixels, compression=3),
    ]  # fmt: skip


def _numbers() -> Any:
    x = tf.placeholder(tf.float32, [2, 4, 4, 1])
    return [tf.nn.max_pool_with_argmax(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
            tf.random_gamma([2], 1.0), tf.random_poisson(2.0, [3])]  # fmt: skip


@pytest.mark.parametrize("record", [_tables, _strings, _files, _numbers])
def test_written(record: Callable[[], Any]) -> None:
    with tf.Graph().as_default() as graph:
        record()
        kinds = {n.type for n in graph.get_operations()} & set(STORED["definitions"])
        written = [n for n in graph.as_graph_def().node if n.op in STORED["definitions"]]
    assert len(kinds) >= 3
    assert {n.op for n in written} >= kinds
    assert not [n for n in written if not fits(n)]


def test_types_of_pictures() -> None:
    with tf.Graph().as_default():
        data = tf.placeholder(tf.string, [])
        made = [getattr(tf.image, f"decode_{k}")(data) for k in ("jpeg", "png", "bmp", "gif")]
        assert [v.op.type for v in made] == ["DecodeJpeg", "DecodePng", "DecodeBmp", "DecodeGif"]


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("scope", ["", "s"])
def test_written_tables_work(ours: bool, scope: str) -> None:
    with tf.Graph().as_default() as graph:
        words = tf.placeholder(tf.string, [None], name="words")
        table = tf.contrib.lookup.index_table_from_tensor(["a", "b"], default_value=9)
        tf.identity(table.lookup(words), name="ids")
        tf.tables_initializer("start")
        written = graph.as_graph_def()
    if not ours:
        as_tensorflow_reads(written)
    prefix = scope + "/" if scope else ""
    with tf.Graph().as_default() as graph, tf.Session() as s:
        other = tf.contrib.lookup.index_table_from_tensor(["x"]) if scope else None
        tf.import_graph_def(written, name=scope)
        s.run(graph.get_operation_by_name(prefix + "start"))
        got = s.run(f"{prefix}ids:0", {f"{prefix}words:0": ["b", "x", "a"]})
        assert got.tolist() == [1, 9, 0]
        if other is not None:  # of the same name as the one in the scope, and not filled
            with pytest.raises(tf.errors.FailedPreconditionError):
                s.run(other.lookup(tf.constant(["x"])))


def test_names_of_features_must_be_known() -> None:
    made = tf.GraphDef.FromString(gzip.decompress((DATA / "hosts.pb.gz").read_bytes()))
    with tf.Graph().as_default():
        key = tf.placeholder(tf.string, [], name="key")
        with pytest.raises(ValueError, match="names are known"):
            tf.import_graph_def(made, {"ParseExample/ParseExample/dense_keys_0": key}, name="")


def test_all_ops_are_known_to_the_reader() -> None:
    """A process that has used no op yet reads graphs with any."""
    code = """
import importlib, pkgutil, graphc
from graphc.graphdef.forms import load_records
from graphc.ir.registry import OPS
load_records()
known = set(OPS)
for m in pkgutil.walk_packages(graphc.__path__, "graphc."):
    if "__main__" not in m.name:
        importlib.import_module(m.name)
print(sorted(set(OPS) - known))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.stdout.split("\n")[0] == "['wildcard']", run.stderr  # of patterns, never in a graph
