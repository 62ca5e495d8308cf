"""The real TensorBoard opens a log of ours; what it serves is looked at."""

import json
import time
import urllib.parse
import urllib.request
import warnings

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")


def write(folder):
    """A small training with summaries, its graph, a checkpoint and an embedding."""
    with tf.Graph().as_default() as g, tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 4], name="x")
        with tf.name_scope("layer"):
            w = tf.Variable(tf.ones([4, 3]), name="w")
            y = tf.nn.relu(x @ w, name="y")
        loss = tf.reduce_mean(tf.square(y - 1), name="mse")
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        tf.summary.scalar("loss", loss)
        tf.summary.histogram("weights", w)
        tf.summary.image("picture", tf.reshape(w, [1, 4, 3, 1]))
        tf.summary.text("note", tf.constant("hello"))
        merged = tf.summary.merge_all()
        sess.run(tf.global_variables_initializer())
        saver = tf.train.Saver()
        curve = []
        with tf.summary.FileWriter(folder, g) as writer:
            projector = tf.contrib.tensorboard.plugins.projector
            config = projector.ProjectorConfig()
            config.embeddings.add().tensor_name = w.name
            projector.visualize_embeddings(writer, config)
            for i in range(5):
                s, value, _ = sess.run([merged, loss, step], {x: np.ones([2, 4])})
                writer.add_summary(s, i)
                curve.append(float(value))
            saver.save(sess, f"{folder}/model", global_step=5)
        return curve, sess.run(w)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("log"))
    made = write(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard import default, program

        board = program.TensorBoard(plugins=default.get_plugins())
        board.configure(
            argv=["tensorboard", "--logdir", folder, "--load_fast=false", "--port", "0",
                  "--host", "127.0.0.1", "--reload_interval", "3600"]
        )  # fmt: skip
        url = board.launch()
        yield url, made


def get(url, path, **query):
    full = f"{url}data/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(full, timeout=300) as f:
        return f.read()


def test_what_tensorboard_serves(served):
    url, (curve, embedding) = served
    for _ in range(1000):  # it reads the log in a thread of its own
        runs = json.loads(get(url, "runs"))
        tags = json.loads(get(url, "plugin/scalars/tags"))
        if tags.get("."):
            break
        time.sleep(0.1)
    assert runs == ["."]
    points = json.loads(get(url, "plugin/scalars/scalars", run=".", tag="loss"))
    assert [(s, v) for _, s, v in points] == list(enumerate(curve))
    histograms = json.loads(get(url, "plugin/histograms/histograms", run=".", tag="weights"))
    assert len(histograms) == 5
    (image,) = json.loads(
        get(url, "plugin/images/images", run=".", tag="picture/image/0", sample=0)
    )[-1:]
    png = get(url, f"plugin/images/individualImage?{image['query']}".split("?")[0],
              **dict(urllib.parse.parse_qsl(image["query"])))  # fmt: skip
    assert png.startswith(b"\x89PNG")
    texts = json.loads(get(url, "plugin/text/text", run=".", tag="note"))
    assert "hello" in texts[0]["text"]
    graph = get(url, "plugin/graphs/graph", run=".").decode()
    for name in ("layer/w", "layer/y", "mse"):
        assert f'name: "{name}"' in graph
    (info,) = json.loads(get(url, "plugin/projector/info", run="."))["embeddings"]
    assert info["tensorName"] == "layer/w"
    raw = get(url, "plugin/projector/tensor", run=".", name="layer/w")
    assert np.array_equal(np.frombuffer(raw, "f").reshape(4, 3), embedding)
