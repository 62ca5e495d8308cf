"""What a fetch gives that is a variable, or shares its memory, in a run that changes the variable.

The values are those of TensorFlow 1.15 on a CPU (20 runs each, always the same): results share the
memory of variables until the run is over, and updates write in place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf


def variable(**kwargs: Any) -> Any:
    return tf.Variable(np.float32([1, 2, 3]), **kwargs)


def read(function: Callable[[Any], Any], **kwargs: Any) -> list[Any]:
    w = variable(**kwargs)
    return [function(w), w.assign_add([1.0, 1.0, 1.0])]


def read_twice_updated() -> list[Any]:
    w = variable()
    first = w.assign_add([1.0, 1.0, 1.0])
    with tf.control_dependencies([first]):
        return [w, first, w.assign_add([1.0, 1.0, 1.0])]


def read_between() -> list[Any]:
    w = variable()
    with tf.control_dependencies([w.assign_add([1.0, 1.0, 1.0])]):
        seen, plus = tf.identity(w), w + 0.5
    with tf.control_dependencies([seen, plus]):
        return [seen, plus, w.assign_add([1.0, 1.0, 1.0])]


def other_shape() -> list[Any]:
    w = tf.Variable(np.float32([1, 2, 3]), validate_shape=False)
    return [w, tf.assign(w, [5.0, 6.0], validate_shape=False)]


def trained(optimizer: Any) -> list[Any]:
    w, step = variable(), tf.train.get_or_create_global_step()
    return [optimizer.minimize(tf.reduce_sum(w * w), global_step=step), w, step, step + 0]


def average() -> list[Any]:
    w, ema = variable(), tf.train.ExponentialMovingAverage(0.9)
    total = tf.reduce_sum(w)
    update = ema.apply([total])
    return [ema.average(total), update]


def in_a_branch() -> list[Any]:
    w = variable()
    return [tf.cond(tf.constant(True), lambda: w.assign_add([1.0, 1.0, 1.0]), w.read_value), w]


CASES: dict[str, tuple[Callable[[], list[Any]], list[float | None]]] = {
    "variable": (lambda: read(lambda w: w), [2, 2]),
    "identity": (lambda: read(tf.identity), [2, 2]),
    "value": (lambda: read(lambda w: w.value()), [2, 2]),
    "read_value": (lambda: read(lambda w: w.read_value()), [2, 2]),
    "identity twice": (lambda: read(lambda w: tf.identity(tf.identity(w))), [2, 2]),
    "stop_gradient": (lambda: read(tf.stop_gradient), [2, 2]),
    "reshape": (lambda: read(lambda w: tf.reshape(w, [3, 1])), [2, 2]),
    "expand_dims": (lambda: read(lambda w: tf.expand_dims(w, 0)), [2, 2]),
    "squeeze": (lambda: read(lambda w: tf.squeeze(tf.reshape(w, [1, 3]), 0)), [2, 2]),
    "sum": (lambda: read(lambda w: w + 0.5), [1.5, 2]),
    "resource": (lambda: read(lambda w: w, use_resource=True), [1, 2]),
    "both results": (read_twice_updated, [3, 3, 3]),
    "between": (read_between, [3, 2.5, 3]),
    "other shape": (other_shape, [1, 5]),
    "sgd": (lambda: trained(tf.train.GradientDescentOptimizer(0.1)), [None, 0.8, 1, 0]),
    "adam": (lambda: trained(tf.train.AdamOptimizer(0.1)), [None, 0.9, 1, 0]),
    "moving average": (average, [0.6, None]),
    "in a branch": (in_a_branch, [2, 2]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_fetched_beside_an_update(name: str) -> None:
    build, want = CASES[name]
    fetches = build()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run(fetches)
        for a, b in zip(got, want, strict=True):
            assert (a is None) == (b is None)
            assert b is None or np.ravel(a)[0] == pytest.approx(b, rel=1e-6)


def test_beside_the_host() -> None:
    w = variable()
    doubled = tf.py_func(lambda x: x * np.float32(2), [w], tf.float32)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run([w, w.assign(doubled), tf.identity(w)])
        assert [a.tolist() for a in got] == [[2, 4, 6]] * 3


def test_a_fed_variable_is_what_is_fed() -> None:
    w = variable()
    update = w.assign_add([1.0, 1.0, 1.0])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        got = sess.run([w.value(), update], {w.value(): [7.0, 8.0, 9.0]})
        assert [a.tolist() for a in got] == [[7, 8, 9], [2, 3, 4]]


def test_resources_are_what_is_switched() -> None:
    assert not tf.resource_variables_enabled()
    tf.enable_resource_variables()
    try:
        fetches = read(lambda w: w)
        assert tf.resource_variables_enabled()
    finally:
        tf.disable_resource_variables()
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert [a[0] for a in sess.run(fetches)] == [1, 2]


def test_hooks_see_the_step_before() -> None:
    step = tf.train.get_or_create_global_step()
    train = tf.assign_add(step, 1)
    seen: list[int] = []

    class Saw(tf.train.CheckpointSaverListener):
        def after_save(self, session: Any, global_step_value: int) -> None:
            seen.append(global_step_value)

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        hooks = [
            tf.train.CheckpointSaverHook(folder, save_steps=2, listeners=[Saw()]),
            tf.train.StopAtStepHook(last_step=5),
        ]
        steps = []
        with tf.train.MonitoredSession(hooks=hooks) as sess:
            while not sess.should_stop():
                steps.append(int(sess.run([train, step])[1]))
    assert steps == [1, 2, 3, 4, 5]
    assert seen == [0, 2, 4, 5]
