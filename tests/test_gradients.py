"""`tf.gradients` and what belongs to it; recorded values are in tests/oracle/train.json."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def values(*fetches: Any, feed: Any = None) -> list[Any]:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(list(fetches), feed)


def names() -> list[str]:
    return [op.name for op in tf.get_default_graph().get_operations()]


def test_programs_can_walk_a_bias_gradient_as_in_tensorflow() -> None:
    x, w = tf.placeholder(tf.float32, [None, 3]), tf.ones([3, 2])
    b = tf.Variable(tf.zeros([2]))
    y = tf.add(tf.matmul(x, w), b)
    tf.gradients(tf.tanh(y), [w, b], name="g")
    ops = {op.name: op for op in tf.get_default_graph().get_operations()}
    reshaped, summed = ops["g/Add_grad/Reshape_1"], ops["g/Add_grad/Sum"]
    assert [op.type for op in (reshaped, summed)] == ["Reshape", "Sum"]
    assert reshaped.inputs[0].op is summed
    assert summed.inputs[0].name == "g/Tanh_grad/TanhGrad:0"
    assert ops["g/MatMul_grad/MatMul_1"].inputs[1].name == "g/Add_grad/Reshape:0"


# ------------------------------------------------------------------- arguments


def test_one_tensor_or_lists() -> None:
    x, y = tf.constant(3.0), tf.constant(4.0)
    z = x * x * y
    assert values(*tf.gradients(z, x)) == [24.0]
    assert values(*tf.gradients([z], (x, y))) == [24.0, 9.0]
    assert values(*tf.gradients((z, x), [x])) == [25.0]
    assert tf.gradients(z, []) == []


def test_variables_as_xs() -> None:
    v = tf.Variable([1.0, 2.0])
    assert values(*tf.gradients(v * v, v))[0].tolist() == [2.0, 4.0]
    assert values(*tf.gradients(v * v, [v.value()]))[0].tolist() == [2.0, 4.0]
    assert values(*tf.gradients(v, v))[0].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "given", [3.0, [3.0, 3.0], np.array([3.0, 3.0]), [np.float64([3.0, 3.0])]], ids=str
)
def test_grad_ys_of_numbers_and_arrays(given: Any) -> None:
    x = tf.constant([1.0, 2.0])
    given = given if isinstance(given, list) and len(given) == 1 else [given]
    assert values(*tf.gradients(x * x, x, grad_ys=given))[0].tolist() == [6.0, 12.0]


def test_grad_ys_of_one_number_for_a_vector() -> None:
    x = tf.constant([1.0, 2.0])
    assert values(*tf.gradients(x * x, x, grad_ys=tf.constant(0.5)))[0].tolist() == [1.0, 2.0]


def test_grad_ys_of_rows() -> None:
    x = tf.constant([[1.0], [2.0], [3.0]])
    rows = tf.IndexedSlices(tf.constant([[10.0], [1.0]]), tf.constant([2, 2]), tf.constant([3, 1]))
    assert values(*tf.gradients(x * x, x, grad_ys=[rows]))[0].tolist() == [[0.0], [0.0], [66.0]]


def test_wrong_arguments() -> None:
    x = tf.constant([1.0, 2.0])
    y = x * x
    with pytest.raises(ValueError, match="Passed 2 grad_ys for 1 ys"):
        tf.gradients(y, x, grad_ys=[None, None])
    with pytest.raises(ValueError, match=r"has shape \(3,\), but the tensor mul:0 has \(2,\)"):
        tf.gradients(y, x, grad_ys=[[1.0, 2.0, 3.0]])
    with pytest.raises(TypeError, match="Gradient type int32"):
        tf.gradients(y, x, grad_ys=tf.constant([1, 2]))
    with pytest.raises(ValueError, match="unconnected_gradients: 'all'"):
        tf.gradients(y, x, unconnected_gradients="all")
    with pytest.raises(TypeError, match="must be numeric"):
        tf.gradients(x > 1.0, x)
    with pytest.raises(TypeError, match="Can't convert Operation"):
        tf.gradients(tf.no_op(), x)
    tape = tf.GradientTape()
    tape.gradient(x * x, x)
    with pytest.raises(RuntimeError, match="can only be called once"):
        tape.gradient(x * x, x)


def test_integers_are_constants() -> None:
    i, x = tf.constant([1, 2]), tf.constant([1.5, 2.5])
    assert tf.gradients(i * 2, i) == [None]
    assert tf.gradients(tf.cast(i, tf.float32) * x, i) == [None]
    assert tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x) == [None]
    assert values(*tf.gradients([i * 2, x * x], [x]))[0].tolist() == [3.0, 5.0]


def test_unconnected() -> None:
    x, y = tf.constant([1.0, 2.0]), tf.placeholder(tf.float32, [None, 3])
    assert tf.gradients(x * x, [y]) == [None]
    (zero,) = tf.gradients(x * x, [y], unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert values(zero, feed={y: np.ones((2, 3))})[0].tolist() == [[0.0] * 3] * 2


def test_stopped_tensors() -> None:
    a = tf.constant(1.5)
    b = 2.0 * a
    assert values(*tf.gradients(a + b, [a, b], stop_gradients=[a, b])) == [1.0, 1.0]
    assert values(*tf.gradients(a * b, [a], stop_gradients=b)) == [3.0]
    assert values(*tf.gradients(b * b, [b], stop_gradients=[b])) == [6.0]
    assert tf.gradients(b, [a], stop_gradients=[b]) == [None]
    assert tf.gradients(tf.stop_gradient(b), [a]) == [None]


def test_one_result_of_several() -> None:
    x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
    a, b = tf.split(x, 2, axis=1)
    assert values(*tf.gradients(a * 3.0, x))[0].tolist() == [[3.0, 3.0, 0.0, 0.0]]
    got = values(*tf.gradients([a, b * b], x, stop_gradients=[a]))[0]
    assert got.tolist() == [[0.0, 0.0, 6.0, 8.0]]


# ------------------------------------------------------------------- rows of tables


def test_lookups_give_rows() -> None:
    table = tf.Variable(np.arange(8.0).reshape(4, 2), dtype=tf.float32)
    (g,) = tf.gradients(tf.nn.embedding_lookup(table, [3, 1, 3]) * 2.0, table)
    assert isinstance(g, tf.IndexedSlices)
    rows, ids, whole = values(g.values, g.indices, tf.convert_to_tensor(g))
    assert rows.tolist() == [[2.0, 2.0]] * 3
    assert ids.tolist() == [3, 1, 3]
    assert whole.tolist() == [[0.0, 0.0], [2.0, 2.0], [0.0, 0.0], [4.0, 4.0]]


def test_rows_and_a_whole_add_up() -> None:
    table = tf.Variable([[1.0], [2.0]])
    y = tf.reduce_sum(tf.gather(table, [1])) + tf.reduce_sum(table * table)
    (g,) = tf.gradients(y, table)
    assert not isinstance(g, tf.IndexedSlices)
    assert values(g)[0].tolist() == [[2.0], [5.0]]


# ------------------------------------------------------------------- unknown shapes


@pytest.mark.parametrize(
    "shapes", [((4, 3), (4, 3)), ((1, 3), (4, 1)), ((4, 1), (1, 3)), ((4, 3), (1, 1))], ids=str
)
@pytest.mark.parametrize("static", [[None, None], None], ids=str)
def test_broadcasting_both_ways(shapes: Any, static: Any) -> None:
    x, y = tf.placeholder(tf.float64, static), tf.placeholder(tf.float64, static)
    rng = np.random.default_rng(1)
    a, b = (rng.normal(size=s) for s in shapes)
    dx, dy = values(*tf.gradients(tf.sin(x) * y + x, [x, y]), feed={x: a, y: b})
    wide = np.broadcast_shapes(*shapes)

    def summed(g: Any, like: Any) -> Any:
        axes = tuple(i for i in range(2) if like.shape[i] == 1 and wide[i] > 1)
        return np.broadcast_to(g, wide).sum(axes, keepdims=True)

    np.testing.assert_allclose(dx, summed(np.cos(a) * b + 1, a), rtol=1e-12)
    np.testing.assert_allclose(dy, summed(np.sin(a), b), rtol=1e-12)


def test_unknown_ranks() -> None:
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    dx, dy = tf.gradients(x * y, [x, y])
    for a, b in [((), (2, 3)), ((2, 3), (3,)), ((5, 2, 3), (2, 1)), ((0, 3), (1, 3))]:
        got = values(dx, dy, feed={x: np.ones(a), y: np.ones(b)})
        assert [g.shape for g in got] == [a, b]


def test_an_unfed_size_of_one() -> None:
    x = tf.placeholder(tf.float32, [None, 3])
    b = tf.Variable(tf.zeros([3]))
    (g,) = tf.gradients(tf.nn.relu(x + b), b)
    for n in (1, 4, 0):
        assert values(g, feed={x: np.ones((n, 3))})[0].tolist() == [float(n)] * 3


# ------------------------------------------------------------------- higher derivatives


def test_derivatives_up_to_the_fifth() -> None:
    x = tf.constant([0.3, -1.2], tf.float64)
    y = tf.exp(2.0 * x)
    for n in range(1, 6):
        (y,) = tf.gradients(y, x)
        np.testing.assert_allclose(values(y)[0], 2.0**n * np.exp([0.6, -2.4]), rtol=1e-12)


def test_hessians() -> None:
    x, w = tf.constant([1.0, 2.0, 3.0]), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    a, b = tf.hessians(tf.reduce_prod(x) + tf.reduce_sum(w**3), [x, w])
    ha, hb = values(a, b)
    assert ha.tolist() == [[0, 3, 2], [3, 0, 1], [2, 1, 0]]
    assert hb.shape == (2, 2, 2, 2)
    assert np.diag(hb.reshape(4, 4)).tolist() == [6.0, 12.0, 18.0, 24.0]
    with pytest.raises(ValueError, match="has no Hessian"):
        tf.hessians(tf.reduce_sum(w), [x])


def test_hessians_of_unknown_size() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(x * x)
    before = names()
    with pytest.raises(ValueError, match="static shape of Placeholder:0"):
        tf.hessians(y, x)
    assert names() == before


@pytest.mark.parametrize("reduce", [tf.reduce_sum, tf.reduce_mean])
def test_loops_over_what_has_no_rank(reduce: Any) -> None:
    x, w = tf.placeholder(tf.float32, None), tf.placeholder(tf.float32, [])
    r = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, reduce(x * a)), [0, w])[1]
    (g,) = tf.gradients(r, w)
    with tf.Session() as sess:
        fed = sess.run(g, {x: np.full((2, 3), 2.0, np.float32), w: 1.0})
    assert fed == (12.0 if reduce is tf.reduce_sum else 2.0) ** 3


# ------------------------------------------------------------------- gradients of one's own


def test_custom_gradient_of_several_results() -> None:
    @tf.custom_gradient
    def both(x: Any, y: Any) -> Any:
        """Its sum and product."""
        return (x + y, x * y), lambda a, b: (a * 10.0, b * 100.0)

    assert both.__name__ == "both"
    assert both.__doc__ == "Its sum and product."
    x, y = tf.constant(2.0), tf.constant(3.0)
    made = both(x, y)
    assert isinstance(made, tuple)
    assert values(*made) == [5.0, 6.0]
    assert values(*tf.gradients(list(made), [x, y])) == [10.0, 100.0]
    assert values(*tf.gradients(made[0], [x, y])) == [10.0, 0.0]


def test_custom_gradient_with_options_and_variables() -> None:
    @tf.custom_gradient
    def scaled(x: Any, scale: float = 1.0) -> Any:
        w = tf.get_variable("w", [], initializer=tf.constant_initializer(4.0))

        def grad(dy: Any, variables: Any = None) -> Any:
            assert variables == [w]
            return dy * w * scale, [dy * 1000.0]

        return {"y": x * w * scale}, grad

    x = tf.constant(2.0)
    y = scaled(x, scale=2.0)["y"]
    (w,) = tf.trainable_variables()
    assert values(y, *tf.gradients(y, [x, w])) == [16.0, 8.0, 1000.0]


def test_custom_gradient_again() -> None:
    @tf.custom_gradient
    def softplus(x: Any) -> Any:
        e = tf.exp(x)
        return tf.log(1.0 + e), lambda dy: dy * (1.0 - 1.0 / (1.0 + e))

    x = tf.constant([0.5, -2.0], tf.float64)
    (first,) = tf.gradients(softplus(x), x)
    (second,) = tf.gradients(first, x)
    s = 1 / (1 + np.exp([-0.5, 2.0]))
    np.testing.assert_allclose(values(first)[0], s, rtol=1e-12)
    np.testing.assert_allclose(values(second)[0], s * (1 - s), rtol=1e-12)


def test_custom_gradient_refusals() -> None:
    x = tf.constant(1.0)
    v = tf.Variable(1.0)
    before = names()
    with pytest.raises(TypeError, match="must accept a keyword argument 'variables'"):
        tf.custom_gradient(lambda x: (x * v, lambda dy: dy))(x)
    assert names() == before
    y = tf.custom_gradient(lambda x: (x * 2.0, lambda dy: (dy, dy)))(x)
    with pytest.raises(ValueError, match="2 gradients for 1 arguments"):
        tf.gradients(y, x)


def test_overridden_gradients() -> None:
    @tf.RegisterGradient("TestStraight")
    def straight(op: Any, dy: Any) -> Any:
        assert op.type == "Round"
        return dy * op.inputs[0] + op.outputs[0]

    x = tf.constant([1.25, 2.75])
    with tf.get_default_graph().gradient_override_map({"Round": "TestStraight"}):
        y = tf.round(x)
    assert values(*tf.gradients(y, x))[0].tolist() == [2.25, 5.75]
    assert tf.gradients(tf.round(x), x) == [None]
    with tf.get_default_graph().gradient_override_map({"Relu": "TestNobodyMade"}):
        z = tf.nn.relu(x)
    with pytest.raises(LookupError, match=r"'Relu' \(op type: TestNobodyMade\)"):
        tf.gradients(z, x)


def test_names_of_gradients_are_taken_once() -> None:
    tf.RegisterGradient("TestTaken")(lambda op, dy: dy)
    with pytest.raises(KeyError, match="TestTaken"):
        tf.RegisterGradient("TestTaken")(lambda op, dy: dy)
    with pytest.raises(KeyError, match="'Exp'"):
        tf.RegisterGradient("Exp")(lambda op, dy: dy)
    with pytest.raises(TypeError, match="must be a string"):
        tf.RegisterGradient(3)
    with pytest.raises(TypeError, match="must be a string"):
        tf.NotDifferentiable(None)


def test_not_differentiable() -> None:
    tf.NotDifferentiable("TestNone")
    x = tf.constant(2.0)
    with tf.get_default_graph().gradient_override_map({"Exp": "TestNone"}):
        y = tf.exp(x)
    assert tf.gradients(y, x) == [None]


# ------------------------------------------------------------------- failures and size


def test_a_failed_gradient_leaves_the_graph_as_it_was() -> None:
    x = tf.constant([1.0, 2.0])
    y = tf.exp(tf.unique(x)[0] * 2.0)
    before, version = names(), tf.get_default_graph().version
    with pytest.raises(LookupError, match=r"'Unique' \(op type: Unique\)"):
        tf.gradients(tf.get_default_graph().get_tensor_by_name(y.name), x)
    assert names() == before
    assert tf.get_default_graph().version == version
    assert tf.gradients(x * x, x)[0].name.startswith("gradients/")


def test_names() -> None:
    x = tf.constant([1.0, 2.0], name="x")
    y = tf.exp(x, name="y")
    assert tf.gradients(y, x)[0].name == "gradients/y_grad/mul:0"
    assert tf.gradients(y, x)[0].name == "gradients_1/y_grad/mul:0"
    assert tf.gradients(y, x, name="slope")[0].name == "slope/y_grad/mul:0"
    with tf.name_scope("a"):
        assert tf.gradients(y, x)[0].name == "a/gradients/y_grad/mul:0"


@pytest.mark.parametrize("nodes", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_long_chains_take_linear_time_and_no_stack(nodes: int) -> None:
    def seconds(n: int) -> float:
        with tf.Graph().as_default():
            x = tf.constant([1.0, 2.0])
            y = x
            for _ in range(n):
                y = tf.tanh(y)
            limit = sys.getrecursionlimit()
            gc.collect()
            start = time.process_time()
            sys.setrecursionlimit(len_of_stack() + 120)
            try:
                (g,) = tf.gradients(y, x)
            finally:
                sys.setrecursionlimit(limit)
            assert g is not None
            return time.process_time() - start

    def len_of_stack() -> int:
        f, n = sys._getframe(), 0
        while f is not None:
            f, n = f.f_back, n + 1  # type: ignore[assignment]
        return n

    seconds(100)
    small = min(seconds(500) for _ in range(3))
    assert seconds(nodes) < 5 + nodes / 500 * small * 10


def test_gradient_penalty_trains() -> None:
    tf.set_random_seed(3)
    real = np.random.default_rng(0).normal(2.0, 0.5, (64, 2)).astype(np.float32)
    x, z = tf.placeholder(tf.float32, [None, 2]), tf.placeholder(tf.float32, [None, 2])

    def critic(t: Any) -> Any:
        with tf.variable_scope("critic", reuse=tf.AUTO_REUSE):
            w = tf.get_variable("w", [2, 16])
            b = tf.get_variable("b", [16], initializer=tf.zeros_initializer())
            u = tf.get_variable("u", [16, 1])
            return tf.matmul(tf.nn.tanh(tf.matmul(t, w) + b), u)

    mix = tf.random_uniform([tf.shape(x)[0], 1])
    between = mix * x + (1.0 - mix) * z
    slope = tf.sqrt(tf.reduce_sum(tf.square(tf.gradients(critic(between), [between])[0]), 1))
    penalty = tf.reduce_mean(tf.square(slope - 1.0))
    distance = tf.reduce_mean(critic(x)) - tf.reduce_mean(critic(z))
    loss = 10.0 * penalty - distance
    optimizer = tf.train.AdamOptimizer(0.02, beta1=0.5, beta2=0.9)
    train = optimizer.minimize(loss, var_list=tf.trainable_variables("critic"))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        rng = np.random.default_rng(1)
        first = last = 0.0
        for i in range(150):
            feed = {x: real[: 32 + i % 2], z: rng.normal(size=(32 + i % 2, 2))}
            _, last, p = session.run([train, loss, penalty], feed)
            first = first if i else last
    assert last < first - 1.0
    assert p < 0.1
