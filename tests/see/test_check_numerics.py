"""Session(check_numerics=True): the op that made the first bad number is named, nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphc as tf

BIG = np.float32(3e38)


class Case(NamedTuple):
    """A graph of one placeholder, a value that is fine, one that is not, and who is to blame."""

    build: Callable[[Any], Any]
    good: Any
    bad: Any
    guilty: str
    words: str
    dtype: Any = tf.float32


def _elementwise(x: Any) -> Any:
    return tf.log(x, name="guilty") * 2.0 + 1.0


def _behind_others(x: Any) -> Any:
    return tf.reduce_sum(tf.sqrt(x - 1.0, name="guilty") * 3.0 + tf.exp(x), 0)


def _matmul(x: Any) -> Any:
    return tf.nn.relu(tf.matmul(x, tf.transpose(x), name="guilty") - 1.0)


def _conv(x: Any) -> Any:
    y = tf.nn.conv2d(x, tf.ones([3, 3, 2, 5]), [1, 1, 1, 1], "SAME", name="guilty")
    return tf.nn.max_pool(y, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")


def _conv_filter(x: Any) -> Any:
    w = tf.ones([3, 3, 2, 4])
    y = tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")
    return tf.gradients(y, w, name="guilty")[0]


def _depthwise(x: Any) -> Any:
    return tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 2, 2]), [1, 1, 1, 1], "SAME", name="guilty")


def _scalar_loop(x: Any) -> Any:
    step = lambda i, v: (i + 1, tf.multiply(v, v, name="guilty"))  # noqa: E731
    return tf.while_loop(lambda i, v: i < 9, step, [0, x])[1]


def _loop(x: Any) -> Any:
    step = lambda i, v: (i + 1, tf.matmul(v, v, name="guilty"))  # noqa: E731
    return tf.while_loop(lambda i, v: i < 9, step, [0, x])[1]


def _cond(x: Any) -> Any:
    return tf.cond(x[0] > 0.5, lambda: tf.reciprocal(x, name="guilty"), lambda: x)


def _softmax(x: Any) -> Any:
    return tf.nn.softmax(tf.divide(x, tf.reduce_sum(x, 1, keepdims=True), name="guilty"))


def _gather(x: Any) -> Any:
    return tf.segment_sum(x, [0, 0, 1], name="guilty")


def _scan(x: Any) -> Any:
    return tf.cumsum(x, name="guilty")


EYE = np.eye(4)
IMAGE = np.ones((1, 6, 6, 2))
CASES = {
    "elementwise": Case(_elementwise, np.ones(100), np.r_[np.ones(99), 0], "guilty", "Inf"),
    "last of a vector": Case(_elementwise, np.ones(7), np.r_[np.ones(6), -1], "guilty", "NaN"),
    "both": Case(_elementwise, [1.0, 2.0], [0.0, -1.0], "guilty", "Inf and NaN"),
    "inside a kernel": Case(_behind_others, [[2.0]], [[0.5]], "guilty", "NaN"),
    "matmul": Case(_matmul, EYE, EYE * 3e19, "guilty", "Inf"),
    "convolution": Case(_conv, IMAGE, IMAGE * BIG, "guilty", "Inf"),
    "filter gradient": Case(_conv_filter, IMAGE, IMAGE * BIG, "guilty", "Inf"),
    "depthwise": Case(_depthwise, IMAGE, IMAGE * BIG, "guilty", "Inf"),
    "loop in registers": Case(_scalar_loop, 1.0, 1e4, "guilty", "Inf"),
    "loop of kernels": Case(_loop, EYE, np.full((4, 4), 1e3), "guilty", "Inf"),
    "cond": Case(_cond, [1.0, 1.0], [1.0, 0.0], "guilty", "Inf"),
    "row program": Case(_softmax, [[1.0, 2.0]], [[1.0, -1.0]], "guilty", "Inf"),
    "segments": Case(_gather, [1.0, 1.0, 1.0], [BIG, BIG, 1.0], "guilty", "Inf"),
    "scan": Case(_scan, [1.0, 1.0], [BIG, BIG], "guilty", "Inf"),
    "float64": Case(lambda x: tf.square(x, name="guilty"), [1.0], [1e200], "guilty", "Inf",
                    tf.float64),
    "float16": Case(lambda x: tf.square(x, name="guilty"), [1.0] * 9, [6e4] * 9, "guilty", "Inf",
                    tf.float16),
    "bfloat16": Case(lambda x: tf.square(x, name="guilty"), [1.0] * 9, [3e38] * 9, "guilty",
                     "Inf", tf.bfloat16),
    "fed": Case(lambda x: x * 2.0 + 1.0, [1.0], [np.nan], "x", "The value given for x:0 has NaN"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_guilty(case: Case) -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(case.dtype, np.shape(case.good), name="x")
        y = case.build(x)
        assert np.isfinite(np.asarray(sess.run(y, {x: case.good}), np.float64)).all()
        for _ in range(2):  # the second time the plan is there already
            with pytest.raises(tf.errors.InvalidArgumentError, match=case.words) as e:
                sess.run(y, {x: case.bad})
            named = e.value.op.name
            assert case.guilty in named, e.value.message
            assert len(e.value.message.splitlines()) <= 12
        assert np.isfinite(np.asarray(sess.run(y, {x: case.good}), np.float64)).all()


def test_message() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None], name="x")
        y = tf.log(x, name="lg")
        with pytest.raises(tf.errors.InvalidArgumentError) as e:
            sess.run(y + 1.0, {x: [1.0, 0.0, 4.0]})
    text = e.value.message
    assert "lg (log) : Tensor had Inf values" in text
    assert "input x:0: float32[3] min=0 max=4 mean=1.66667 NaN=0 Inf=0" in text
    assert "test_check_numerics.py" in text
    assert e.value.op is y.op


@pytest.mark.parametrize("optimizer", ["GradientDescent", "Adam", "Momentum"])
def test_nothing_is_committed(optimizer: str) -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        w = tf.get_variable("w", [8, 4], initializer=tf.ones_initializer())
        loss = tf.reduce_mean(tf.sqrt(tf.matmul(x, w) - 8.0))
        args = (0.1, 0.9) if optimizer == "Momentum" else (0.1,)
        step = tf.train.get_or_create_global_step()
        train = getattr(tf.train, optimizer + "Optimizer")(*args).minimize(loss, step)
        sess.run(tf.global_variables_initializer())
        everything = tf.global_variables()
        first = sess.run(everything)
        sess.run(train, {x: np.full((3, 8), 2.0)})
        before = sess.run(everything)
        assert any((a != b).any() for a, b in zip(first, before, strict=True))
        with pytest.raises(tf.errors.InvalidArgumentError):
            sess.run(train, {x: np.ones((3, 8))})  # the gradient of sqrt at 0
        for a, b in zip(before, sess.run(everything), strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_update_that_overflows() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        v = tf.Variable([1e38, 1.0])
        other = tf.Variable([1.0])
        grow = tf.group(tf.assign(v, v * 4.0, name="grow"), tf.assign_add(other, [1.0]))
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match="Inf"):
            sess.run(grow)
        np.testing.assert_array_equal(sess.run(v), np.float32([1e38, 1.0]))
        np.testing.assert_array_equal(sess.run(other), [1.0])


def test_a_variable_that_was_bad() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        v = tf.Variable(np.float32([1, np.inf]), name="v")
        sess.run(tf.global_variables_initializer())
        with pytest.raises(tf.errors.InvalidArgumentError, match="Variable v already had Inf"):
            sess.run(v * 2.0)


def test_random_numbers_are_replayed_and_not_used_up() -> None:
    def draws(check: bool) -> tuple[list[Any], str]:
        with tf.Graph().as_default():
            tf.set_random_seed(5)
            limit = tf.placeholder(tf.float32, [])
            r = tf.random_uniform([4000])
            y = tf.log(tf.maximum(r, limit) - limit, name="lg")
            with tf.Session(config=tf.ConfigProto(graphc_check_numerics=check)) as sess:
                out, message = [sess.run(y, {limit: 0.0})], ""
                if check:
                    with pytest.raises(tf.errors.InvalidArgumentError) as e:
                        sess.run(y, {limit: 0.5})
                    message = e.value.message
                return [*out, sess.run(y, {limit: 0.0})], message

    checked, message = draws(True)
    plain, _ = draws(False)
    for a, b in zip(checked, plain, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "lg (log)" in message


def test_bad_numbers_that_are_not_stored_do_no_harm() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None, 300])
        top = [tf.reduce_max(x), tf.reduce_max(x, 0), tf.argmax(x, 1), tf.nn.softmax(x)]
        safe = tf.where(x > 0, x, tf.zeros_like(x)) / (1.0 + tf.exp(x))
        data = np.random.default_rng(0).uniform(-80, 80, (700, 300))
        for a, b in zip(sess.run([*top, safe], {x: data}), [data.max(), data.max(0)], strict=False):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_with_a_limit_of_memory() -> None:
    """A plan that writes variables early, to save memory, writes none before all is well."""
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 64], name="x")
        h = x
        for _ in range(12):
            h = tf.layers.dense(h, 64, tf.nn.tanh)
        train = tf.train.AdamOptimizer().minimize(
            tf.reduce_mean(tf.sqrt(tf.reduce_sum(h, 1) + 100.0))
        )
        with tf.Session(check_numerics=True, memory_limit=3_500_000) as sess:
            sess.run(tf.global_variables_initializer())
            sess.run(train, {x: np.ones((1024, 64))})
            before = sess.run(tf.global_variables())
            with pytest.raises(tf.errors.InvalidArgumentError, match="The value given for x:0"):
                sess.run(train, {x: np.full((1024, 64), np.nan)})
            for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
                np.testing.assert_array_equal(a, b)


def masked(x: Any) -> Any:
    """Scores of which some are out, as attention has them."""
    scores = tf.where(x > 0.0, x, -np.inf * tf.ones_like(x))
    best = tf.reduce_max(scores, 1, keepdims=True)
    return tf.nn.softmax(tf.reshape(tf.subtract(scores, best, name="guilty"), [-1, 3]))


def test_infinities_of_the_program_are_meant() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = masked(x)
        for _ in range(3):
            got = sess.run(y, {x: [[1.0, -1.0, 2.0]]})
            assert got[0, 1] == 0.0
        with pytest.raises(tf.errors.InvalidArgumentError, match="NaN") as e:
            sess.run(y, {x: [[-1.0, -1.0, -2.0]]})  # -inf - -inf
        assert "guilty" in e.value.message


def test_without_the_option_nothing_is_said() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        assert np.isinf(sess.run(tf.log(tf.zeros([3]))))[0]


def _product(x: Any) -> Any:
    return tf.matmul(tf.ones([3, 2]), x)


def _convolution(channels: int) -> Callable[[Any], Any]:
    def build(x: Any) -> Any:
        image = tf.ones([1, 12, 12, channels]) * x[0, 0]
        return tf.nn.conv2d(image, tf.ones([3, 3, channels, 16]), [1, 1, 1, 1], "SAME")

    return build


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    "product",
    [_product, lambda x: tf.matmul(tf.ones([4, 3, 2]), tf.stack([x] * 4)), _convolution(2),
     _convolution(16)],
    ids=["matmul", "batch_matmul", "conv", "winograd"],
)  # fmt: skip
def test_check_behind_a_product(product: Callable[[Any], Any], before: bool, two: bool) -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [2, 5])
        y = tf.check_numerics(tf.sqrt(product(x)), "behind") if before else product(x)
        y = y if before else tf.check_numerics(y + 1.0, "behind")
        fetches = [y * 2.0, tf.reduce_sum(y)] if two else y * 2.0
        sess.run(fetches, {x: np.ones([2, 5])})
        bad = np.full([2, 5], -1.0 if before else np.inf)
        with pytest.raises(tf.errors.InvalidArgumentError, match="behind : Tensor had"):
            sess.run(fetches, {x: bad})


def test_division_by_zero_behind_a_product() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.int32, [2, 2])
        y = tf.constant([[7, 7], [7, 7]]) // tf.matmul(x, x)
        assert sess.run(y, {x: [[1, 1], [1, 1]]}).tolist() == [[3, 3], [3, 3]]
        with pytest.raises(tf.errors.InvalidArgumentError, match="ivision by zero"):
            sess.run(y, {x: np.zeros([2, 2])})
