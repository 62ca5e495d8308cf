"""slim's data providers: what threads read of record files, by the names of items."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

import graphc as tf

slim = tf.contrib.slim


def example(i: int) -> bytes:
    ints = tf.train.Feature(int64_list=tf.train.Int64List(value=[i]))
    image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes([i] * 12)]))
    kind = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"raw"]))
    features = {"label": ints, "image/encoded": image, "image/format": kind}
    made: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return made


@pytest.fixture
def dataset(tmp_path: pathlib.Path) -> Any:
    for part in range(2):
        with tf.python_io.TFRecordWriter(str(tmp_path / f"d-{part}")) as writer:
            for i in range(3):
                writer.write(example(part * 3 + i))
    D = slim.tfexample_decoder
    decoder = D.TFExampleDecoder(
        {
            "image/encoded": tf.FixedLenFeature((), tf.string, ""),
            "image/format": tf.FixedLenFeature((), tf.string, "jpeg"),
            "label": tf.FixedLenFeature([1], tf.int64),
        },
        {"image": D.Image(shape=[2, 2, 3]), "label": D.Tensor("label", shape=[])},
    )
    tf.reset_default_graph()
    return slim.dataset.Dataset(
        str(tmp_path / "d-*"), tf.TFRecordReader, decoder, 6, {"label": "a number"}, num_classes=6
    )


@pytest.mark.parametrize("shuffle", [False, True])
def test_provider(dataset: Any, shuffle: bool) -> None:
    provider = slim.dataset_data_provider.DatasetDataProvider(
        dataset, num_epochs=1, shuffle=shuffle, common_queue_min=2
    )
    assert dataset.num_classes == provider.num_samples() == 6
    assert sorted(provider.list_items()) == ["image", "label", "record_key"]
    image, label, key = provider.get(["image", "label", "record_key"])
    key.set_shape([])
    assert image.get_shape().as_list() == [2, 2, 3]
    images, labels, keys = tf.train.batch([image, label, key], 6, capacity=12)
    assert [op.name for op in tf.get_collection(tf.GraphKeys.QUEUE_RUNNERS)]
    with tf.Session() as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        got, numbers, names = session.run([images, labels, keys])
        coordinator.request_stop()
        coordinator.join(threads)
    assert sorted(numbers) == list(range(6))
    if not shuffle:
        assert numbers.tolist() == list(range(6))
    np.testing.assert_array_equal(got[:, 0, 0, 0], numbers)
    assert len(set(names)) == 6


def test_refused(dataset: Any) -> None:
    provider = slim.data_provider.DataProvider({"x": tf.zeros([])}, 1)
    with pytest.raises(ValueError, match=r"\[y\] is invalid or does not exist"):
        provider.get(["y"])
    with pytest.raises(ValueError, match="cannot also be used"):
        slim.dataset_data_provider.DatasetDataProvider(dataset, record_key="label")
    with pytest.raises(ValueError, match="No data files found"):
        slim.parallel_reader.get_data_files(dataset.data_sources + "nothing")
    D = slim.tfexample_decoder
    with pytest.raises(ValueError, match="expects 4 keys"):
        D.BoundingBox(["a"])
    with pytest.raises(ValueError, match="both shape_keys and shape"):
        D.Tensor("a", "b", [1])


def test_prefetch() -> None:
    tf.reset_default_graph()
    n = tf.Variable(0)
    queue = slim.prefetch_queue.prefetch_queue({"b": n.assign_add(1), "a": tf.constant([2.0])}, 4)
    got = queue.dequeue()
    assert sorted(got) == ["a", "b"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        coordinator = tf.train.Coordinator()
        threads = tf.train.start_queue_runners(session, coordinator)
        found = [session.run(got) for _ in range(5)]
        coordinator.request_stop()
        session.run(queue.close(cancel_pending_enqueues=True))
        coordinator.join(threads)
    assert [f["b"] for f in found] == [1, 2, 3, 4, 5]
    assert found[0]["a"].tolist() == [2.0]


def test_where_programs_look() -> None:
    from graphc.contrib.slim.python.slim.data import tfexample_decoder
    from graphc.contrib.slim.python.slim.data.dataset_data_provider import DatasetDataProvider

    assert tfexample_decoder.Image is slim.tfexample_decoder.Image
    assert DatasetDataProvider is slim.dataset_data_provider.DatasetDataProvider


def test_queue_runners_run_as_long_as_the_block() -> None:
    for _ in range(2):  # the first block leaves nothing that keeps the second from running
        with tf.Graph().as_default(), tf.Session() as sess:
            element = tf.train.batch([tf.constant([1.0, 2.0])], 3)
            with slim.queues.QueueRunners(sess):
                assert sess.run(element).shape == (3, 2)
                nested = slim.queues.QueueRunners(sess)
                with pytest.raises(slim.queues.NestedQueueRunnerError), nested:
                    pass
