"""Graphs with control flow and training that TensorFlow 1.15 wrote: they run, and give its values.

``flow/*`` was written by `record_flow.py`, which has the models.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")
DATA = Path(__file__).parent / "flow"
FROZEN = sorted(p.name.split(".")[0] for p in DATA.glob("*.pb.gz"))
TRAINED = sorted(p.name.split(".")[0] for p in DATA.glob("*.meta.gz"))


def parts(arrays, *path):
    """The arrays whose names begin so, by the rest of their names."""
    start = "/".join(path) + "/"
    return {k.removeprefix(start): arrays[k] for k in arrays.files if k.startswith(start)}


@pytest.mark.parametrize("name", FROZEN)
@pytest.mark.parametrize("scope", ["", "s"])
def test_frozen_graphs(name, scope):
    made = tf.GraphDef.FromString(gzip.decompress((DATA / f"{name}.pb.gz").read_bytes()))
    prefix = f"{scope}/" if scope else ""
    with np.load(DATA / f"{name}.npz") as arrays, tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(made, name=scope)
        for i in range(len({k.split("/")[1] for k in arrays.files})):
            expected = parts(arrays, "out", str(i))
            feeds = {prefix + k: a for k, a in parts(arrays, "in", str(i)).items()}
            got = sess.run([prefix + k for k in expected], feeds)
            for a, (k, b) in zip(got, expected.items(), strict=True):
                assert np.allclose(a, b, rtol=1e-5, atol=1e-6), (i, k)


def trains(arrays):
    return sorted({k.split("/")[1] for k in arrays.files if k.startswith("out/")})


@pytest.mark.parametrize("name", TRAINED)
def test_training_graphs(name):
    meta = tf.MetaGraphDef.FromString(gzip.decompress((DATA / f"{name}.meta.gz").read_bytes()))
    with np.load(DATA / f"{name}.npz") as arrays, tf.Graph().as_default(), tf.Session() as sess:
        tf.train.import_meta_graph(meta)
        steps = [parts(arrays, "in", str(i)) for i in range(4) if parts(arrays, "in", str(i))]
        for train in trains(arrays):
            sess.run("init")
            for v in tf.trainable_variables():
                v.load(arrays["var/" + v.name], sess)
            expected = parts(arrays, "out", train)
            got = []
            for feeds in steps:
                got.append(sess.run([*expected], feeds))
                sess.run(train, feeds)
            for j, k in enumerate(expected):
                ours = np.stack([values[j] for values in got])
                assert np.allclose(ours, expected[k], rtol=2e-4, atol=1e-5), (train, k)
