"""The bytes of RunMetadata are made of templates: they say what the fields would."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import trace
from graphc.see import metadata

pytest.importorskip("tensorboard")

FULL = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)


@pytest.fixture
def sess() -> Any:
    with tf.Graph().as_default(), tf.Session() as sess:
        yield sess


def _traced(sess: Any, fetches: Any, feed: Any = None) -> Any:
    with trace.tracing(sess._executor.state) as tracer, tracer.span("run", "Session.run"):
        sess.run(fetches, feed)
    return tracer


def test_the_bytes_of_a_message_are_those_of_its_fields(sess: Any) -> None:
    """What is made of a template says what a message made of Python objects would."""
    x = tf.placeholder(tf.float32, [None, 300])
    big = tf.matmul(x, tf.ones([300, 300]), name="product")
    odd = tf.py_func(lambda a: a * np.float32(2), [tf.reduce_sum(big)], tf.float32)
    loop = tf.while_loop(lambda i, a: i < 4, lambda i, a: (i + 1, a @ a), [0, big[:300] / 1e3])[1]
    seen = set()
    for fetches in (big, [odd, big], [loop, big], [tf.reduce_sum(loop), odd]):
        for rows in (300, 500, 300):
            feed = {x: np.ones((rows, 300), np.float32)}
            for _ in range(4):
                what = metadata.Happened.of(_traced(sess, fetches, feed))
                template = metadata.Template.of(what, tf.RunMetadata)
                seen.add(id(template))
                fields = metadata.step_stats(
                    what, [metadata._times(*t) for t in what.times.tolist()]
                )
                made = tf.RunMetadata.FromString(template.at(what.times))
                assert made == tf.RunMetadata(step_stats=fields)
                again = tf.RunMetadata.FromString(made.SerializeToString())
                assert again == made
    assert len(seen) > 4


def test_a_run_like_the_last_one_has_its_template(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(tf.exp(x))
    found = []
    for size in (3, 3, 5, 5, 3):
        what = metadata.Happened.of(_traced(sess, y, {x: np.ones(size, np.float32)}))
        found.append((len(what.spans), metadata.Template.of(what, tf.RunMetadata)))
    kinds = [t for n, t in found if n == 2]  # those that did not compile or bind
    assert len(kinds) >= 2
    assert len({id(t) for t in kinds}) <= 2
    a, b = tf.RunMetadata(), tf.RunMetadata()
    for m in (a, b):
        sess.run(y, {x: np.ones(3, np.float32)}, options=FULL, run_metadata=m)
    begin = [m.step_stats.dev_stats[1].node_stats[0].all_start_nanos for m in (a, b)]
    assert 0 < begin[1] - begin[0] < 60e9
    assert abs(begin[1] - time.time_ns()) < 60e9


def test_long_runs_have_messages_of_fields(sess: Any) -> None:
    i = tf.while_loop(lambda i, a: i < 3000, lambda i, a: (i + 1, a @ a), [0, tf.eye(2)])[1]
    what = metadata.Happened.of(_traced(sess, i))
    assert metadata.Template.of(what, tf.RunMetadata) is None
    m = tf.RunMetadata()
    sess.run(i, options=FULL, run_metadata=m)
    assert len(m.step_stats.dev_stats[1].node_stats) > 3000


def test_templates_go_with_what_they_are_of() -> None:
    with tf.Graph().as_default():
        sess = tf.Session()
        y = tf.exp(tf.constant([1.0]))
        sess.run(y, options=FULL, run_metadata=tf.RunMetadata())
        (run,) = sess._executor.prepared.values()
        ((found,),) = run.plans.values()
        kept = weakref.ref(found)
        assert metadata._known[found].templates
        sess.close()
        del run, found, sess, y
    gc.collect()
    assert kept() is None
