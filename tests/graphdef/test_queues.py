"""Queues in a graph that TensorFlow 1.15 wrote (`record_queues.py`), and in graphs written here."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

import graphc as tf

pytest.importorskip("tensorboard")
DATA = Path(__file__).parent / "text"

#: What TensorFlow's session gave for the queue that mixes.
MIXED = [7, 1, 4, 5, 6, 8, 0, 9, 2, 3]


def stored() -> Any:
    from graphc.proto import message

    return message("MetaGraphDef").FromString(
        gzip.decompress((DATA / "queues.meta.gz").read_bytes())
    )


def work(s: tf.Session, prefix: str) -> None:
    """Every kind of op on every kind of queue."""

    def run(*names: str, **feeds: Any) -> Any:
        return s.run(
            [s.graph.as_graph_element(prefix + n) for n in names],
            {f"{prefix}{k}:0": v for k, v in feeds.items()},
        )

    run("put")
    run("put_rows")
    assert run("size:0", "closed:0") == [3, False]
    one, text = run("one:0", "one:1")
    assert one.tolist() == [1.0, 2.0]
    assert text == b"a"
    rows, texts = run("many:0", "many:1")
    assert rows.tolist() == [[3.0, 4.0], [5.0, 6.0]]
    assert texts.tolist() == [b"b", b"c"]
    run("put_rows")
    run("close")
    assert run("rest:1")[0].tolist() == [b"b", b"c"]
    with pytest.raises(tf.errors.OutOfRangeError, match="_0_shared' is closed"):
        run("one:0")
    run("put_mixed")
    assert run("shuffled:0")[0].tolist() == MIXED
    for n in (1, 3):
        run("put_padded", n=n)
    assert run("wide:0")[0].tolist() == [[1, 0, 0], [1, 1, 1]]
    run("put_first")
    assert run("sorted:1")[0].tolist() == [b"a", b"b", b"c"]


def pipeline(s: tf.Session, prefix: str) -> None:
    """Queue runners of the graph fill the queues in which a batch is collected."""
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(s, coord)
    number, half = (s.graph.get_tensor_by_name(f"{prefix}two:{i}") for i in (0, 1))
    try:
        for want in ([0, 1], [2, 3], [4, 5], [0, 1]):
            got = s.run([number, half])
            assert got[0].tolist() == want
            assert got[1].tolist() == [w / 2 for w in want]
    finally:
        coord.request_stop()
        coord.join(threads)


@pytest.mark.parametrize("scope", [None, "s"])
@pytest.mark.parametrize("rounds", [0, 1])
def test_graphs(scope: str | None, rounds: int) -> None:
    """As TensorFlow wrote it, and as it is written here after it was read."""
    made, prefix = stored(), f"{scope}/" if scope else ""
    for _ in range(rounds):
        with tf.Graph().as_default():
            tf.train.import_meta_graph(made)
            made = tf.train.export_meta_graph()
    with tf.Graph().as_default() as graph, tf.Session() as s:
        tf.train.import_meta_graph(made, import_scope=scope)
        runners = tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
        assert (
            sorted(r.name for r in runners)
            == [f"{prefix}two/fifo_queue", f"{prefix}input_producer"][::-1]
        )
        assert graph.get_operation_by_name(f"{prefix}mixed").type == "RandomShuffleQueueV2"
        assert graph.get_operation_by_name(f"{prefix}rest").type == "QueueDequeueUpToV2"
        work(s, prefix)
        pipeline(s, prefix)


def test_what_is_written_is_tensorflow_s() -> None:
    """Types, inputs and attributes of each node of a queue."""
    with tf.Graph().as_default() as graph:
        tf.train.import_meta_graph(stored())
        got = {n.name: n for n in graph.as_graph_def().node}
    for want in stored().graph_def.node:
        if "Queue" in want.op:
            made = got[want.name]
            assert (made.op, list(made.input)) == (want.op, list(want.input))
            attrs = {k: v for k, v in made.attr.items() if not k.startswith("_")}
            assert attrs == {k: v for k, v in want.attr.items() if not k.startswith("_")}, want.name


def test_a_queue_is_an_operation() -> None:
    with tf.Graph().as_default() as graph, tf.name_scope("in"):
        q = tf.FIFOQueue(3, tf.float32, name="q", shared_name="other")
        assert [(n.name, n.type) for n in graph.get_operations()] == [("in/q", "FIFOQueueV2")]
        assert q.name == "in/q"
        assert q.queue_ref.name == "in/q:0"
        assert q.size().name == "in/q_Size:0"
        with pytest.raises(ValueError, match="fully defined"):
            tf.FIFOQueue(3, tf.float32, shapes=[[None]])
        assert len(graph.get_operations()) == 2  # that of the size


def test_runner_of_a_message() -> None:
    with tf.Graph().as_default():
        q = tf.FIFOQueue(3, tf.float32, name="q")
        runner = tf.train.QueueRunner(
            q,
            [q.enqueue(1.0)] * 2,
            queue_closed_exception_types=(tf.errors.OutOfRangeError, tf.errors.CancelledError),
        )
        made = runner.to_proto()
        assert list(made.queue_closed_exception_types) == [11, 1]
        assert runner.to_proto(export_scope="elsewhere") is None
        again = tf.train.QueueRunner.from_proto(made)
        assert again.name == "q"
        assert again.enqueue_ops == runner.enqueue_ops
        assert again.queue_closed_exception_types == runner.queue_closed_exception_types
        with pytest.raises(ValueError, match="mutually exclusive"):
            tf.train.QueueRunner(q, [q.enqueue(1.0)], queue_runner_def=made)
        with pytest.raises(TypeError, match="QueueRunnerDef"):
            tf.train.QueueRunner(queue_runner_def="q")
        made.queue_name = "gone"
        with pytest.raises(KeyError, match="gone"):
            tf.train.QueueRunner(queue_runner_def=made)
