"""RunOptions, RunMetadata and Timeline: what TF1 programs get of a traced run."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from graphc.python.client import timeline

import graphc as tf
from graphc.face import config

FULL = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
X = np.ones((64, 256), np.float32)
#: What an event of the trace format must have, by phase.
FIELDS = {
    "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
    "M": {"name", "pid", "tid", "args"},
    "C": {"name", "pid", "tid", "ts", "args"},
    "s": {"name", "cat", "pid", "tid", "ts", "id"},
    "f": {"name", "cat", "pid", "tid", "ts", "id", "bp"},
}


@pytest.fixture(autouse=True)
def _graph():
    with tf.Graph().as_default():
        yield


@pytest.fixture(params=["messages of tensorboard", "plain"])
def metadata(request):
    if request.param == "plain":
        return config.RunMetadata()
    pytest.importorskip("tensorboard")
    assert hasattr(tf.RunMetadata(), "ParseFromString")
    return tf.RunMetadata()


def valid(text):
    """The events of a trace that keeps to the format; rows hold nested events only."""
    whole = json.loads(text)
    events = whole["traceEvents"]
    rows, arrows = {}, {}
    for e in events:
        assert set(e) == FIELDS[e["ph"]] | {"ph", "cat"} & set(e), e
        assert isinstance(e["pid"], int)
        assert isinstance(e["tid"], int)
        if e["ph"] != "M":
            assert e["ts"] >= 0
        if e["ph"] == "X":
            assert e["dur"] >= 0
            rows.setdefault((e["pid"], e["tid"]), []).append(e)
        elif e["ph"] in "sf":
            arrows.setdefault(e["id"], []).append(e)
        elif e["ph"] == "C":
            assert all(isinstance(v, int) for v in e["args"].values())
    named = {(e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    assert named == set(rows)
    for start, end in arrows.values():
        assert (start["ph"], end["ph"]) == ("s", "f")
        assert start["ts"] <= end["ts"]
        for e, at in ((start, start["ts"]), (end, end["ts"])):  # each inside of an event
            assert any(
                x["ts"] - 2e-3 <= at <= x["ts"] + x["dur"] + 2e-3 for x in rows[e["pid"], e["tid"]]
            )
    for row in rows.values():
        open_ = []
        for e in sorted(row, key=lambda e: (e["ts"], -e["dur"])):
            while open_ and open_[-1] <= e["ts"] + 1e-3:
                open_.pop()
            assert not open_ or e["ts"] + e["dur"] <= open_[-1] + 1e-3, "events overlap"
            open_.append(e["ts"] + e["dur"])
    return events


def _model():
    x = tf.placeholder(tf.float32, [None, 256], name="x")
    w = tf.get_variable("w", [256, 256], initializer=tf.ones_initializer())
    y = tf.nn.relu(tf.matmul(x, w), name="y")
    return x, tf.reduce_mean(tf.nn.softmax(y), name="loss")


def test_a_traced_run_fills_the_metadata(metadata):
    x, loss = _model()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        plain = sess.run(loss, {x: X})
        assert sess.run(loss, {x: X}, options=FULL, run_metadata=metadata) == plain
    host, cpu = metadata.step_stats.dev_stats
    assert (host.device, cpu.device) == (
        "/host:CPU",
        "/job:localhost/replica:0/task:0/device:CPU:0",
    )
    product = next(s for s in cpu.node_stats if "matmul" in s.timeline_label)
    assert product.node_name == "MatMul"
    assert product.timeline_label.startswith("MatMul = matmul(x, w) // kernel=k")
    assert f"flops={2 * 64 * 256 * 256} " in product.timeline_label
    assert product.all_end_rel_nanos > 0
    assert product.all_start_micros == product.all_start_nanos // 1000
    (out,) = product.output
    assert out.tensor_description.allocation_description.requested_bytes == 4 * 64 * 256
    assert out.tensor_description.dtype == 1
    assert product.memory[0].allocator_bytes_in_use >= 4 * 64 * 256
    assert dict(cpu.thread_names)[0] == "caller"
    assert "Session.run" in {s.node_name for s in host.node_stats}


def test_times_are_microseconds(metadata):
    x, loss = _model()
    later = tf.py_func(lambda a: time.sleep(0.02) or a, [loss], tf.float32, name="later")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(later, {x: X})
        start = time.perf_counter()
        sess.run(later, {x: X}, options=FULL, run_metadata=metadata)
        took = (time.perf_counter() - start) * 1e6
    events = valid(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    slices = [e for e in events if e["ph"] == "X"]
    slept = next(e for e in slices if e["args"].get("kind") == "host")
    assert 20_000 <= slept["dur"] <= took
    assert 20_000 <= max(e["ts"] + e["dur"] for e in slices) - min(e["ts"] for e in slices) <= took


def test_the_trace_keeps_to_the_format(metadata):
    x, loss = _model()
    later = tf.py_func(lambda a: a + 1, [loss], tf.float32, name="later")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(later * 2.0, {x: X}, options=FULL, run_metadata=metadata)
    line = timeline.Timeline(metadata.step_stats)
    events = valid(line.generate_chrome_trace_format(show_memory=True))
    kinds = {e["args"].get("kind") for e in events if e["ph"] == "X"}
    assert kinds >= {"run", "compile", "bind", "native", "host", "pause", None}
    product = next(e for e in events if e["ph"] == "X" and e["args"].get("name") == "MatMul")
    args = product["args"]
    assert (args["input0"], args["input1"], args["ops"]) == ("x", "w", "MatMul")
    assert any(e["args"].get("ops") == "y,Softmax" for e in events if e["ph"] == "X")
    assert args["lines"] == f"{__file__}:{_model.__code__.co_firstlineno + 3}"
    assert args["GFLOP/s"] > 0
    assert args["GB/s"] > 0
    arrows = {e["name"] for e in events if e["ph"] == "s"}
    assert arrows >= {"MatMul", "later"}
    plain = valid(line.generate_chrome_trace_format(show_dataflow=False))
    assert {e["ph"] for e in plain} == {"X", "M"}
    most = line.analyze_step_stats().allocator_maximums["arena"]
    assert most.num_bytes >= 4 * 64 * 256


def test_loops_show_each_iteration(metadata):
    v = tf.while_loop(
        lambda i, v: i < 9, lambda i, v: (i + 1, tf.tanh(tf.matmul(v, v))), [0, tf.ones([32, 32])]
    )[1]
    with tf.Session() as sess:
        sess.run(v, options=FULL, run_metadata=metadata)
    events = valid(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    assert sum("matmul" in e["name"] for e in events if e["ph"] == "X") == 9


def test_threads_have_rows_and_shares(metadata):
    a = tf.placeholder(tf.float32, [700, 700])
    y = tf.matmul(a, a)
    feed = {a: np.ones((700, 700), np.float32)}
    with tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=2)) as sess:
        for _ in range(20):
            sess.run(y, feed, options=FULL, run_metadata=metadata)
            cpu = metadata.step_stats.dev_stats[1]
            if len(cpu.thread_names) == 2:
                break
    assert dict(cpu.thread_names) == {0: "caller", 1: "worker 1"}
    events = valid(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    assert any("/" in str(e["args"].get("units")) for e in events if e["ph"] == "X")


def test_messages_can_be_written_and_read():
    pytest.importorskip("tensorboard")
    x, loss = _model()
    metadata, again = tf.RunMetadata(), tf.RunMetadata()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(loss, {x: X}, options=FULL, run_metadata=metadata)
    again.ParseFromString(metadata.SerializeToString())
    assert again == metadata


def test_event_files_take_them(tmp_path):
    pytest.importorskip("tensorboard")
    x, loss = _model()
    metadata = tf.RunMetadata()
    with tf.Session() as sess, tf.summary.FileWriter(str(tmp_path)) as writer:
        sess.run(tf.global_variables_initializer())
        sess.run(loss, {x: X}, options=FULL, run_metadata=metadata)
        writer.add_run_metadata(metadata, "step 1", 1)
    (file,) = tmp_path.iterdir()
    *_, event = tf.train.summary_iterator(str(file))
    read = tf.RunMetadata.FromString(event.tagged_run_metadata.run_metadata)
    assert read == metadata


def test_without_a_level_the_metadata_is_emptied(metadata):
    c = tf.constant(1.0) + 1.0
    with tf.Session() as sess:
        sess.run(c, options=FULL, run_metadata=metadata)
        assert len(metadata.step_stats.dev_stats) == 2
        sess.run(c, options=tf.RunOptions(), run_metadata=metadata)
        assert len(metadata.step_stats.dev_stats) == 0
        assert sess.run(c, options=FULL) == 2.0
        options = tf.RunOptions(output_partition_graphs=True)
        sess.run(c, options=options, run_metadata=metadata)
        assert [len(g.node) for g in metadata.partition_graphs] == [3]


def test_callables_take_options(metadata):
    x = tf.placeholder(tf.float32, [])
    with tf.Session() as sess:
        double = sess.make_callable(x * 2.0, [x], accept_options=True)
        assert double(2.0, options=FULL, run_metadata=metadata) == 4.0
    assert len(metadata.step_stats.dev_stats) == 2


def test_wrong_options_are_refused():
    c = tf.constant(1.0) + 1.0
    with tf.Session() as sess:
        with pytest.raises(AttributeError, match=r"tf\.RunOptions"):
            sess.run(c, options=3)
        with pytest.raises(AttributeError, match=r"tf\.RunMetadata"):
            sess.run(c, options=FULL, run_metadata="a")
    with pytest.raises(RuntimeError, match="closed"):
        sess.run(c, options=FULL, run_metadata=tf.RunMetadata())
    with pytest.raises(TypeError, match="step_stats"):
        timeline.Timeline(3)


def test_names_of_all_kinds_are_shown(metadata):
    x = tf.placeholder(tf.float32, [None], name="x")
    y = tf.add(x, 1.0, name="a.b-c/d_1")
    with tf.Session() as sess:
        sess.run(y, {x: [1.0]}, options=FULL, run_metadata=metadata)
    events = valid(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())
    assert "a.b-c/d_1" in {e["args"]["name"] for e in events}


def test_hooks_ask_for_traces():
    x, loss = _model()
    tf.train.get_or_create_global_step()
    seen = []

    class Asks(tf.train.SessionRunHook):
        def before_run(self, run_context):
            return tf.train.SessionRunArgs(None, options=FULL)

    class Looks(tf.train.SessionRunHook):
        def after_run(self, run_context, run_values):
            seen.append((run_values.options.trace_level, run_values.run_metadata.step_stats))

    with tf.train.MonitoredSession(hooks=[Asks(), Looks()]) as sess:
        sess.run(loss, {x: X})
    with tf.train.MonitoredSession(hooks=[Looks()]) as sess:
        sess.run(loss, {x: X})
    assert [(level, len(stats.dev_stats)) for level, stats in seen] == [(3, 2), (0, 0)]


def test_programs_find_the_timeline_where_tensorflow_has_it():
    from graphc import shim

    shim.install("tf_of_this_test")
    try:
        from tf_of_this_test.python.client import timeline as found  # type: ignore[import-not-found]
    finally:
        shim.remove("tf_of_this_test")
    assert found.Timeline is timeline.Timeline


def test_what_a_long_loop_leaves_out_is_told(metadata, monkeypatch):
    from graphc.runtime import trace

    monkeypatch.setattr(trace, "EVENTS", 50)
    v = tf.while_loop(lambda i, v: i < 99, lambda i, v: (i + 1, tf.matmul(v, v)), [0, tf.eye(9)])
    with tf.Session() as sess:
        sess.run(v, options=FULL, run_metadata=metadata)
    host, cpu = metadata.step_stats.dev_stats
    assert len(cpu.node_stats) == 50
    (label,) = [s.timeline_label for s in host.node_stats if s.node_name == "lost"]
    assert "more calls of kernels" in label
    valid(timeline.Timeline(metadata.step_stats).generate_chrome_trace_format())


def test_new_sizes_are_told_anew(metadata):
    x = tf.placeholder(tf.float32, [None])
    y = tf.exp(x)
    labels = []
    with tf.Session() as sess:
        for n in (10, 20, 10):
            sess.run(y, {x: np.ones(n)}, options=FULL, run_metadata=metadata)
            (step,) = metadata.step_stats.dev_stats[1].node_stats
            labels.append(step.timeline_label)
    assert labels[0] == labels[2] != labels[1]
    assert ["flops=10 " in labels[0], "flops=20 " in labels[1]] == [True, True]
