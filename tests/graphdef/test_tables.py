"""Tables and strings in a graph that TensorFlow 1.15 wrote (`record_tables.py`)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import graphc as tf

pytest.importorskip("tensorboard")
DATA = Path(__file__).parent / "text"


def plain(x: Any) -> Any:
    if isinstance(x, list):
        return [plain(e) for e in x]
    return x.decode() if isinstance(x, bytes) else x


@pytest.mark.parametrize("scope", ["", "s"])
def test_values(scope: str) -> None:
    made = tf.GraphDef.FromString(gzip.decompress((DATA / "tables.pb.gz").read_bytes()))
    stored = json.loads((DATA / "tables.json").read_text())
    prefix = f"{scope}/" if scope else ""
    with tf.Graph().as_default() as graph, tf.Session() as s:
        tf.import_graph_def(made, name=scope)
        with pytest.raises(tf.errors.FailedPreconditionError, match="not initialized"):
            s.run(f"{prefix}size:0")
        for name in ("start", "insert"):
            s.run(graph.get_operation_by_name(prefix + name))
        feeds = {prefix + k: v for k, v in stored["feeds"].items()}
        for name, want in stored["values"].items():
            got = s.run(f"{prefix}{name}:0", feeds)
            assert plain(getattr(got, "tolist", lambda got=got: got)()) == want, name
        again = graph.as_graph_def()
    with tf.Graph().as_default() as graph, tf.Session() as s:
        tf.import_graph_def(again, name="")
        s.run(graph.get_operation_by_name(prefix + "start"))
        assert s.run(f"{prefix}ids:0", feeds).tolist() == stored["values"]["ids"]
