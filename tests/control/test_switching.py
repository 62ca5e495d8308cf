"""``control_flow_ops.switch`` and ``merge``; the numbers are TensorFlow 1.15's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.switching import merge, switch


def test_only_what_is_alive_runs() -> None:
    """Each asserts that it is the one; a random op draws, and a variable changes, there only."""
    tf.set_random_seed(1)
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    which = tf.placeholder(tf.int32, [])
    counted = tf.Variable(0.0)
    branches = [
        lambda y: y + 1,
        lambda y: tf.random_uniform([2, 2], seed=3) + y,
        lambda y: y + tf.assign_add(counted, 1.0),
    ]

    def made(case: int) -> Any:
        y = switch(x, tf.equal(which, case))[1]
        nothing = tf.cast(tf.reduce_sum(y * 0), tf.int32)
        with tf.control_dependencies([tf.Assert(tf.equal(which + nothing, case), [which])]):
            return branches[case](y)

    out, place = merge([made(i) for i in range(3)])
    assert out.shape.as_list() == [2, 2]
    assert place.dtype is tf.int32
    first = [[1.7787855863571167, 2.8011977672576904], [3.724374771118164, 4.230894088745117]]
    second = [[1.603150725364685, 2.0614609718322754], [3.7644400596618652, 4.096126079559326]]
    want = [(0, [[2, 3], [4, 5]]), (1, first), (2, [[2, 3], [4, 5]]), (1, second),
            (2, [[3, 4], [5, 6]])]  # fmt: skip
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for case, value in want:
            got = sess.run([out, place], {which: case})
            np.testing.assert_array_equal(got[0], np.float32(value))
            assert got[1] == case


def test_gradient_goes_through_the_side_that_was_taken() -> None:
    taken = tf.placeholder(tf.bool, [])
    w = tf.Variable([1.0, 2.0])
    false, true = switch(w * 2, taken)
    out = merge([true * 3, false * 5])
    slope = tf.gradients(out.output, w)[0]
    with tf.Session() as sess:
        sess.run(w.initializer)
        for side, factor in ((True, 6.0), (False, 10.0)):
            value, place, dw = sess.run([*out, slope], {taken: side})
            assert value.tolist() == [factor, 2 * factor]
            assert place == 1 - side
            assert dw.tolist() == [factor, factor]


def test_a_switch_behind_a_switch() -> None:
    outer, inner = (tf.placeholder(tf.bool, []) for _ in range(2))
    low, high = switch(tf.constant(1.0), outer)
    a, b = switch(high, inner)
    out = merge([low, merge([a * 10, b * 100]).output])[0]
    with tf.Session() as sess:
        got = [sess.run(out, {outer: i, inner: j}) for i in (False, True) for j in (False, True)]
    assert got == [1, 1, 10, 100]


def test_merge_in_a_pipeline_and_what_it_refuses() -> None:
    def f(i: Any) -> Any:
        even = tf.equal(i % 2, 0)
        return merge([switch(i, even)[1] * 10, switch(i, even)[0] * 100]).output

    element = tf.data.Dataset.range(4).map(f).make_one_shot_iterator().get_next()
    with tf.Session() as sess:
        assert [sess.run(element) for _ in range(4)] == [0, 100, 20, 300]
    with pytest.raises(ValueError, match="At least one of the merge inputs is None"):
        merge([switch(tf.constant(1), tf.constant(True))[0], None])


def test_it_counts_as_two_operations() -> None:
    with tf.Graph().as_default() as graph:
        x, p = tf.constant(1.0), tf.placeholder(tf.bool, [])
        assert merge(switch(x, p)).output.name == "Merge:0"
        assert graph.version == 4
