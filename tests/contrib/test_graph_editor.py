"""What tf.contrib.graph_editor refuses; what it finds and makes is in tests/names/editor.json."""

from __future__ import annotations

import pytest

import graphc as tf

ge = tf.contrib.graph_editor


def test_loops_and_conds_stay_whole() -> None:
    x = tf.placeholder(tf.float32, [2])
    u = x * 1.0
    y = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * u), [0, x])[1]
    c = tf.cond(x[0] > 0, lambda: u * 2.0, lambda: u)
    z = tf.zeros([2])
    for target in (y, c):
        with pytest.raises(NotImplementedError, match="a loop or a cond or inside of one"):
            ge.graph_replace(target, {u: z})
    with pytest.raises(NotImplementedError, match="it stays as it is"):
        ge.reroute_ts([z], [u])
    with tf.Session() as session:
        assert session.run(y, {x: [2.0, 3.0]}).tolist() == [16.0, 81.0]


def test_cycles_and_types() -> None:
    a = tf.constant([1.0, 2.0])
    b = tf.square(a)
    c = tf.negative(b)
    with pytest.raises(ValueError, match="would depend on itself"):
        ge.reroute_ts([c], [a])
    with pytest.raises(ValueError, match=r"cannot read .* of type int32"):
        ge.reroute_ts([tf.constant([1, 2])], [a])
    with pytest.raises(ValueError, match="cannot read these tensors"):
        ge.reroute_ts([tf.zeros([3])], [a], can_modify=[tf.add(a, [1.0, 2.0]).op])
    with tf.Session() as session:
        assert session.run(c).tolist() == [-1.0, -4.0]


def test_what_was_made_later() -> None:
    """Operations that now depend on later ones are computed after them, updates too."""
    v = tf.Variable([1.0, 1.0])
    a = tf.constant([3.0, 4.0])
    b = tf.square(a)
    update = tf.assign(v, b)
    c = update + 1.0
    late = tf.sqrt(tf.constant([4.0, 9.0]))
    assert ge.reroute_ts([late], [a]) == 1
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(c).tolist() == [5.0, 10.0]
        assert session.run(v).tolist() == [4.0, 9.0]
