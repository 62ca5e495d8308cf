"""`FileWriter`: what is in the files, and what the real TensorBoard reads from them."""

import os
import subprocess
import sys

import numpy as np
import pytest

import graphc as tf

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing import event_accumulator, event_file_loader


def events(folder):
    out = []
    for name in sorted(os.listdir(folder)):
        out += tf.train.summary_iterator(os.path.join(folder, name))
    return out


def test_what_is_written(tmp_path):
    folder = str(tmp_path / "new" / "run")
    w = tf.summary.FileWriter(folder)
    assert w.get_logdir() == folder
    made = tf.Summary(value=[tf.Summary.Value(tag="loss", simple_value=0.5)])
    w.add_summary(made, 1)
    w.add_summary(made.SerializeToString(), np.int64(2))
    w.add_session_log(tf.SessionLog(status=tf.SessionLog.START), 3)
    w.add_event(tf.Event(wall_time=1.0, step=4))
    w.add_run_metadata(tf.RunMetadata(), "step1", 5)
    with pytest.raises(ValueError, match="already used"):
        w.add_run_metadata(tf.RunMetadata(), "step1", 5)
    w.flush()
    got = events(folder)
    assert [e.WhichOneof("what") for e in got] == [
        "file_version", "summary", "summary", "session_log", None, "tagged_run_metadata"
    ]  # fmt: skip
    assert got[0].file_version == "brain.Event:2"
    assert [e.step for e in got] == [0, 1, 2, 3, 4, 5]
    assert got[2].summary == made
    (name,) = os.listdir(folder)
    assert name.startswith("events.out.tfevents.")
    w.close()
    w.close()
    with pytest.warns(UserWarning, match="closed FileWriter"):
        w.add_summary(made, 6)
    w.reopen()
    w.add_summary(made, 7)
    w.close()
    assert [e.step for e in events(folder) if e.WhichOneof("what") == "summary"] == [1, 2, 7]


def test_a_meta_graph_is_written(tmp_path):
    with tf.Graph().as_default():
        tf.constant(1.0, name="one")
        meta = tf.train.export_meta_graph()
    with tf.summary.FileWriter(str(tmp_path)) as w:
        w.add_meta_graph(meta, 3)
    (event,) = [e for e in events(tmp_path) if e.WhichOneof("what") == "meta_graph_def"]
    assert event.step == 3
    assert tf.MetaGraphDef.FromString(event.meta_graph_def) == meta


def test_metadata_is_written_once_for_each_tag(tmp_path):
    with tf.Graph().as_default(), tf.Session() as sess, tf.summary.FileWriter(str(tmp_path)) as w:
        raw = sess.run(tf.summary.text("words", tf.constant("a")))
        w.add_summary(raw, 1)
        w.add_summary(raw, 2)
    sizes = [e.summary.value[0].metadata.ByteSize() > 0 for e in events(tmp_path)[1:]]
    assert sizes == [True, False]


def test_max_queue(tmp_path):
    w = tf.summary.FileWriter(str(tmp_path), max_queue=3)
    made = tf.Summary(value=[tf.Summary.Value(tag="a", simple_value=1)])
    for i in range(8):
        w.add_summary(made, i)
    assert len(events(tmp_path)) == 9  # the version, and two queues of four
    w.add_summary(made, 9)
    assert len(events(tmp_path)) == 9
    w.close()
    assert len(events(tmp_path)) == 10


def test_a_program_that_never_closes_loses_nothing(tmp_path):
    code = (
        "import sys, graphc as tf\n"
        "w = tf.summary.FileWriter(sys.argv[1])\n"
        "w.add_summary(tf.Summary(value=[tf.Summary.Value(tag='a', simple_value=1)]), 1)\n"
        "print('done')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    assert len(events(tmp_path)) == 2


def test_refusals(tmp_path):
    with tf.summary.FileWriter(str(tmp_path)) as w:
        with pytest.raises(TypeError, match="must be an instance of `Graph`"):
            w.add_graph(3)
        with pytest.raises(ValueError, match="Either graph or graph_def"):
            w.add_graph()
        with pytest.raises(TypeError, match="meta_graph_def must be type MetaGraphDef"):
            w.add_meta_graph(3)


def test_cache(tmp_path):
    a = tf.summary.FileWriterCache.get(str(tmp_path))
    assert tf.summary.FileWriterCache.get(str(tmp_path)) is a
    tf.summary.FileWriterCache.clear()
    b = tf.summary.FileWriterCache.get(str(tmp_path))
    assert b is not a
    tf.summary.FileWriterCache.clear()


def write_run(folder):
    """A small training with all kinds of summaries."""
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
        tf.summary.audio("sound", tf.reshape(w, [1, 12]) / 10, 8000.0)
        merged = tf.summary.merge_all()
        sess.run(tf.global_variables_initializer())
        curve = []
        with tf.summary.FileWriter(folder, g) as writer:
            for i in range(5):
                s, value, _ = sess.run([merged, loss, step], {x: np.ones([2, 4])})
                writer.add_summary(s, i)
                curve.append(float(value))
    return curve


def test_tensorboard_reads_it(tmp_path):
    curve = write_run(str(tmp_path))
    acc = event_accumulator.EventAccumulator(str(tmp_path), {"histograms": 0})
    acc.Reload()
    tags = acc.Tags()
    assert [(s.step, s.value) for s in acc.Scalars("loss")] == list(enumerate(curve))
    assert len(acc.Histograms("weights")) == 5
    assert acc.Images("picture/image/0")[0].encoded_image_string[:4] == b"\x89PNG"
    assert acc.Audio("sound/audio/0")[0].content_type == "audio/wav"
    assert "note" in tags["tensors"]
    assert tags["graph"]
    graph = acc.Graph()
    assert {"layer/w", "layer/y", "mse"} <= {n.name for n in graph.node}
    (name,) = os.listdir(tmp_path)
    assert len(list(event_file_loader.EventFileLoader(str(tmp_path / name)).Load())) >= 7
