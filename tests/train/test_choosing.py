"""Queues that choose examples: buckets by length, shares of classes, rejection, resampling."""

from __future__ import annotations

import numpy as np

import graphc as tf

T = tf.contrib.training


def test_buckets_by_length() -> None:
    with tf.Graph().as_default():
        n = tf.train.range_input_producer(8, num_epochs=1, shuffle=False).dequeue() + 1
        length, out = T.bucket_by_sequence_length(
            n, [tf.range(n)], 2, [3, 6], dynamic_pad=True, allow_smaller_final_batch=True
        )
        found = []
        with tf.train.MonitoredSession() as session:
            while not session.should_stop():
                try:
                    found.append(session.run([length, out[0]]))
                except tf.errors.OutOfRangeError:
                    break
    assert sorted(int(k) for lengths, _ in found for k in lengths) == list(range(1, 9))
    for lengths, rows in found:
        assert {int(np.searchsorted([3, 6], k, side="right")) for k in lengths} != {0, 2}
        assert rows.shape == (len(lengths), max(lengths))
        for k, row in zip(lengths, rows, strict=True):
            np.testing.assert_array_equal(row[:k], np.arange(k))
            assert not row[k:].any()


def test_shares_of_classes() -> None:
    with tf.Graph().as_default():
        tf.set_random_seed(3)
        label = tf.cast(tf.random_uniform([], seed=1) < 0.2, tf.int32)
        (value,), labels = T.stratified_sample(
            [tf.cast(label, tf.float32) * 2.0], label, [0.5, 0.5], 50, [0.8, 0.2]
        )
        with tf.train.MonitoredSession() as session:
            found = [session.run([value, labels]) for _ in range(8)]
    for v, k in found:
        np.testing.assert_array_equal(v, 2.0 * k)
    assert 0.4 < np.mean([k.mean() for _, k in found]) < 0.6


def test_rejection() -> None:
    with tf.Graph().as_default():
        tf.set_random_seed(3)
        x = tf.random_uniform([], seed=1)
        (out,) = T.rejection_sample([x], lambda t: tf.cast(t[0] > 0.5, tf.float32), 20)
        with tf.train.MonitoredSession() as session:
            assert session.run(out).min() > 0.5


def test_resampling() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant([1.0, 2.0, 3.0])
        (rows,) = T.resample_at_rate([x], [0.0, 400.0, 800.0], seed=3)
        got = session.run(rows)
        assert set(got) == {2.0, 3.0}
        assert 1.7 < (got == 3.0).sum() / (got == 2.0).sum() < 2.3
        (again,), rates = T.weighted_resample([x], tf.constant([1.0, 1.0, 2.0]), 3.0, seed=2)
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        out, how = session.run([again, rates])
        assert len(out) == len(how)
        np.testing.assert_allclose(how[out == 3.0], 4.5, rtol=1e-4)


def test_choice_of_servers() -> None:
    with tf.Graph().as_default():
        choose = T.GreedyLoadBalancingStrategy(2, T.byte_size_load_fn)
        x = tf.zeros([4])
        assert [choose(x.op), choose(tf.zeros([9]).op), choose(x.op), choose(x.op)] == [0, 1, 0, 0]
        assert [T.RandomStrategy(5, 3)(None)] == [np.random.RandomState(3).randint(0, 5)]
