"""Graphs with control flow and training that TensorFlow 1.15 wrote: they run, and give its values.

``flow/*`` was written by `record_flow.py`, which has the models.
"""

import gzip
import itertools
from pathlib import Path
from random import Random

import numpy as np
import pytest
from thinned import thinned

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


@pytest.mark.parametrize(
    ("name", "each"),
    thinned(itertools.product(TRAINED, [1, 3]), lambda name, each: each == 3),
)
def test_training_graphs(name, each):
    """Some of the ways in which each graph trains, and all of them."""
    meta = tf.MetaGraphDef.FromString(gzip.decompress((DATA / f"{name}.meta.gz").read_bytes()))
    with np.load(DATA / f"{name}.npz") as arrays, tf.Graph().as_default(), tf.Session() as sess:
        tf.train.import_meta_graph(meta)
        steps = [parts(arrays, "in", str(i)) for i in range(4) if parts(arrays, "in", str(i))]
        for train in trains(arrays)[::each]:
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


def damaged(made, random):
    """Some inputs, types and nodes of a graph changed."""
    nodes = made.node
    flow = [n for n in nodes if n.op in ("Enter", "Switch", "Merge", "Exit", "NextIteration")]
    for _ in range(random.randint(1, 3)):
        n, other = random.choice(flow), random.choice(nodes)
        at = random.randrange(len(n.input)) if n.input else None
        what = random.randrange(6)
        if what == 0 and n in nodes:
            nodes.remove(n)
        elif what == 1:
            n.op = other.op
        elif at is None:
            n.input.append(other.name)
        elif what == 2:
            del n.input[at]
        elif what == 3:
            n.input[at] = other.name
        elif what == 4:
            n.input[at] += ":1"
        else:
            n.input[at] = "^" + other.name


@pytest.mark.parametrize("name", FROZEN)
def test_damaged_graphs_are_refused_and_leave_nothing(name):
    """A graph that cannot be made is an error; one that can is whole, whatever it means."""
    random, raw = Random(name), gzip.decompress((DATA / f"{name}.pb.gz").read_bytes())
    for _ in range(12):
        made = tf.GraphDef.FromString(raw)
        damaged(made, random)
        with tf.Graph().as_default() as g:
            try:
                tf.import_graph_def(made, name="")
            except (ValueError, TypeError):
                assert g.get_operations() == []
            assert g.context is None


def test_a_loop_inside_of_itself():
    made = tf.GraphDef.FromString(gzip.decompress((DATA / "loops.pb.gz").read_bytes()))
    enters = {n.name: n for n in made.node if n.op == "Enter"}
    inner = next(n for n in made.node if n.op == "Merge" and n.input[0] in enters)
    enters[inner.input[0]].input[0] = next(
        n.name
        for n in made.node
        if n.op == "Identity" and n.name.startswith(inner.name.rsplit("/", 1)[0])
    )
    with tf.Graph().as_default(), pytest.raises(ValueError, match=r"loop|cycle"):
        tf.import_graph_def(made, name="")
