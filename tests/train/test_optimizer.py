"""Optimizers as programs use them: arguments, slots, names, errors. Values: test_recorded.py."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import numpy as np
import pytest
from train_oracle import ORACLE

import graphc as tf

NAMING = importlib.import_module("naming_programs").PROGRAMS
ERRORS = importlib.import_module("error_programs").PROGRAMS
NAMES = json.loads((ORACLE / "naming.json").read_text())
FACTS = json.loads((ORACLE / "errors.json").read_text())


def names() -> list[str]:
    return [op.name for op in tf.get_default_graph().get_operations()]


def loss_of(*variables: Any) -> Any:
    return tf.add_n([tf.reduce_sum(v * v) for v in variables])


# ------------------------------------------------------------------- as TensorFlow 1.15


@pytest.mark.parametrize(
    "name",
    [n for n in NAMING if n.startswith(("optimizer_", "moving_average")) or n == "global_step"],
)
def test_names(name: str) -> None:
    assert list(NAMING[name](tf, np) or []) == NAMES[name]["said"]


@pytest.mark.parametrize("name", [n for n in NAMING if n.startswith("optimizer_")])
def test_variables_in_order_of_creation(name: str) -> None:
    NAMING[name](tf, np)
    made = [op.name for op in tf.get_default_graph().get_operations() if op.type == "VariableV2"]
    assert made == [n for n, kind in NAMES[name]["ops"] if kind == "VariableV2"]


SAME = """
minimize_without_variables minimize_number minimize_unconnected minimize_int_variable
minimize_with_respect_to_tensor apply_no_gradients apply_all_none apply_bare_gradients
global_step_float piecewise_sizes moving_average_of_placeholder moving_average_of_int
clip_by_global_norm_tensor gradient_of_int gradient_grad_ys_count gradient_without_function
gradient_of_operation gradient_missing
""".split()
#: graphc says more than TensorFlow.
SAME_KIND = """
gradient_grad_ys_shape gradient_grad_ys_dtype gradient_of_bool apply_gradient_shape
decay_without_step
""".split()


def outcome(name: str) -> tuple[str | None, str]:
    try:
        got = ERRORS[name](tf, np)
    except Exception as e:  # every class is compared
        return type(e).__name__, re.sub(r"0x[0-9a-f]{6,}", "0x", str(e).split('\n  File "')[0])
    return None, repr(got)


@pytest.mark.parametrize("name", SAME)
def test_errors(name: str) -> None:
    fact = FACTS[name]
    want = fact["message"] if fact["type"] else fact["returned"]
    assert outcome(name) == (fact["type"], want)


@pytest.mark.parametrize("name", SAME_KIND)
def test_kinds_of_errors(name: str) -> None:
    kind, message = outcome(name)
    assert kind == FACTS[name]["type"]
    assert message
    assert message.count("\n") < 12


# ------------------------------------------------------------------- arguments


def test_lists_of_variables() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b")
    c = tf.Variable(3.0, name="c", trainable=False)
    loss = loss_of(a, b, c)
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    assert [v for _, v in optimizer.compute_gradients(loss)] == [a, b]
    assert [v for _, v in optimizer.compute_gradients(loss, [c, [a]])] == [c, a]
    assert [v for _, v in optimizer.compute_gradients(loss, b)] == [b]
    assert [v for _, v in optimizer.compute_gradients(loss, (b,))] == [b]
    with pytest.raises(NotImplementedError, match="unsupported type"):
        optimizer.compute_gradients(loss, ["a"])
    with pytest.raises(ValueError, match="gate_gradients must be one of"):
        optimizer.compute_gradients(loss, gate_gradients=7)
    with pytest.raises(RuntimeError, match="should be a tensor"):
        optimizer.minimize(lambda: loss)
    with pytest.raises(ValueError, match="Must specify the optimizer name"):
        tf.train.GradientDescentOptimizer(0.1, name="")


def test_variables_without_a_gradient() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b")
    optimizer = tf.train.AdamOptimizer(0.1)
    pairs = optimizer.compute_gradients(a * a)
    assert [g is None for g, _ in pairs] == [False, True]
    optimizer.apply_gradients(pairs)
    assert optimizer.get_slot(a, "m").name == "a/Adam:0"
    assert optimizer.get_slot(b, "m") is None
    assert optimizer.get_slot(a, "nothing") is None


def test_slots() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable([2.0, 1.0], name="b")
    optimizer = tf.train.RMSPropOptimizer(0.1, centered=True)
    optimizer.minimize(loss_of(a, b))
    assert optimizer.get_name() == "RMSProp"
    assert optimizer.get_slot_names() == ["mg", "momentum", "rms"]
    assert [v.op.name for v in optimizer.variables()] == [
        "a/RMSProp", "a/RMSProp_1", "a/RMSProp_2", "b/RMSProp", "b/RMSProp_1", "b/RMSProp_2",
    ]  # fmt: skip
    assert all(v not in tf.trainable_variables() for v in optimizer.variables())
    assert optimizer.get_slot(b, "rms").shape == [2]


def test_a_second_minimize_shares_slots() -> None:
    a, b = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b")
    optimizer = tf.train.AdamOptimizer(0.1)
    optimizer.minimize(loss_of(a))
    count = len(tf.global_variables())
    optimizer.minimize(loss_of(a))
    assert len(tf.global_variables()) == count
    optimizer.minimize(loss_of(b))
    assert len(tf.global_variables()) == count + 2


def test_two_graphs_and_one_optimizer() -> None:
    optimizer = tf.train.AdamOptimizer(0.1)
    for _ in range(2):
        with tf.Graph().as_default(), tf.Session() as session:
            v = tf.Variable(1.0, name="v")
            train = optimizer.minimize(v * v)
            session.run(tf.global_variables_initializer())
            session.run(train)
            assert session.run(v) == pytest.approx(0.9)
            assert len(optimizer.variables()) == 4


def test_the_operation() -> None:
    a = tf.Variable(1.0, name="a")
    step = tf.Variable(0, name="step", trainable=False)
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    first = optimizer.minimize(loss_of(a))
    second = optimizer.minimize(loss_of(a), global_step=step, name="train")
    assert isinstance(first, tf.Operation)
    assert (first.name, second.name) == ("GradientDescent", "train")
    assert tf.get_collection(tf.GraphKeys.TRAIN_OP) == [first, second]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run([first, second]) == [None, None]
        assert session.run(step) == 1


def test_a_failed_minimize_leaves_everything_as_it_was() -> None:
    a = tf.Variable([1.0, 2.0], name="a")
    optimizer = tf.train.AdamOptimizer(0.1)
    loss = loss_of(a)
    before, variables = names(), list(tf.global_variables())
    with pytest.raises(TypeError, match="Failed to convert object of type"):
        optimizer.minimize(loss, global_step=tf.get_default_graph())
    with pytest.raises((TypeError, ValueError)):
        optimizer.apply_gradients([(tf.gradients(loss, a)[0], a), ("no number", a)])
    with pytest.raises(ValueError, match="shape"):
        optimizer.apply_gradients([([1.0, 2.0, 3.0], a)])
    grads = [n for n in names() if n not in before]
    assert all(n.startswith("gradients/") for n in grads)  # only those of the call above
    assert tf.global_variables() == variables
    assert optimizer.variables() == []
    assert optimizer.minimize(loss).name == "Adam"
    assert optimizer.get_slot(a, "m").name == "a/Adam:0"


def test_a_gradient_of_another_type() -> None:
    a = tf.Variable([1.0, 2.0], name="a")
    with pytest.raises((TypeError, ValueError), match="float64"):
        tf.train.MomentumOptimizer(0.1, 0.9).apply_gradients([(np.float64([1.0, 2.0]), a)])


def test_constraints_and_rows() -> None:
    v = tf.Variable([[1.0], [2.0]], name="v", constraint=lambda x: tf.minimum(x, 1.0))
    with pytest.raises(RuntimeError, match="constraint function on a sparse variable"):
        tf.train.AdagradOptimizer(0.1).minimize(tf.reduce_sum(tf.gather(v, [0])))


def test_a_variable_of_unknown_shape() -> None:
    x = tf.placeholder(tf.float32, [None])
    v = tf.Variable(x, name="v", validate_shape=False)
    optimizer = tf.train.AdagradOptimizer(1.0, initial_accumulator_value=3.0)
    train = optimizer.minimize(tf.reduce_sum(v))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer(), {x: [1.0, 2.0]})
        session.run(train)
        assert session.run(optimizer.get_slot(v, "accumulator")).tolist() == [4.0, 4.0]
        assert session.run(v).tolist() == [0.5, 1.5]


def test_rates_that_are_functions_and_placeholders() -> None:
    v = tf.Variable(1.0, name="v")
    rate = tf.placeholder(tf.float32, [])
    fed = tf.train.GradientDescentOptimizer(rate).minimize(v)
    called = tf.train.GradientDescentOptimizer(lambda: 0.25).minimize(v)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(fed, {rate: 0.5})
        assert session.run(v) == 0.5
        session.run(called)
        assert session.run(v) == 0.25
        with pytest.raises(tf.errors.InvalidArgumentError, match="feed a value"):
            session.run(fed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.AdagradOptimizer(0.1, 0.0), "must be positive: 0"),
        (lambda t: t.FtrlOptimizer(0.1, 0.5), "learning_rate_power 0.5 needs"),
        (lambda t: t.FtrlOptimizer(0.1, initial_accumulator_value=-1.0), "needs to be positive"),
        (lambda t: t.FtrlOptimizer(0.1, l1_regularization_strength=-1.0), "needs to be positive"),
        (lambda t: t.AdagradDAOptimizer(0.1, None, 0.0), "must be positive: 0"),
    ],
)
def test_wrong_options(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tf.train)


# ------------------------------------------------------------------- subclasses


def test_a_subclass_without_methods() -> None:
    class Bare(tf.train.Optimizer):
        pass

    v = tf.Variable([1.0, 2.0], name="v")
    before = names()
    with pytest.raises(NotImplementedError, match="Bare gives no _apply_dense"):
        Bare(False, "Bare").apply_gradients([([1.0, 1.0], v)])
    rows = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]), tf.constant([2]))
    with pytest.raises(NotImplementedError, match="Bare gives no _apply_sparse"):
        Bare(False, "Bare").apply_gradients([(rows, v)])
    assert [n for n in names() if n.startswith("Bare")] == []
    assert set(before) <= set(names())


def test_a_subclass_for_resource_variables() -> None:
    class Resource(tf.train.Optimizer):
        def __init__(self) -> None:
            super().__init__(False, "Resource")

        def _resource_apply_dense(self, grad: Any, handle: Any) -> Any:
            return tf.assign_sub(handle, grad)

        def _resource_apply_sparse(self, grad: Any, handle: Any, indices: Any) -> Any:
            rows = tf.unsorted_segment_sum(tf.ones_like(grad), indices, 3)
            return tf.assign_add(handle, rows)

        def _valid_dtypes(self) -> Any:
            return {tf.float32}

    v, w = tf.Variable([3.0], name="v"), tf.Variable([1.0, 1.0, 1.0], name="w")
    train = Resource().minimize(v * 2.0 + tf.reduce_sum(tf.gather(w, [2, 2, 0])))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train)
        assert session.run([v, w])[0].tolist() == [1.0]
        assert session.run(w).tolist() == [2.0, 1.0, 2.0]  # each row once
    with pytest.raises(ValueError, match="Invalid type"):
        Resource().minimize(tf.Variable(tf.ones([], tf.float64)))


# ------------------------------------------------------------------- the global step


def test_global_steps() -> None:
    assert tf.train.get_global_step() is None
    with tf.name_scope("inner"):
        step = tf.train.get_or_create_global_step()
    assert step.name == "global_step:0"
    assert step.dtype.base_dtype is tf.int64
    assert step not in tf.trainable_variables()
    assert tf.train.get_or_create_global_step() is step
    assert tf.train.get_global_step() is step
    with pytest.raises(ValueError, match='"global_step" already exists'):
        tf.train.create_global_step()
    v = tf.Variable(1.0)
    train = tf.train.GradientDescentOptimizer(0.1).minimize(v, global_step=step)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(train)
        assert tf.train.global_step(session, step) == 1
        assert tf.train.global_step(session, "global_step:0") == 1
        assert type(tf.train.global_step(session, step)) is int


def test_global_steps_of_ones_own() -> None:
    other = tf.Graph()
    made = tf.train.create_global_step(other)
    assert made.graph is other
    assert tf.train.get_global_step() is None
    plain = tf.Variable(0, name="global_step", trainable=False)
    assert tf.train.get_global_step().name == plain.name
    for wrong in (tf.constant(1.0), tf.constant([1, 2]), 3):
        with pytest.raises(TypeError, match="global_step"):
            tf.train.assert_global_step(wrong)
    tf.train.assert_global_step(tf.constant(1))


# ------------------------------------------------------------------- averages


def test_names_of_averages() -> None:
    with tf.variable_scope("net"):
        v = tf.get_variable("v", [2])
    w = tf.Variable(1.0, name="w", trainable=False)
    ema = tf.train.ExponentialMovingAverage(0.9)
    assert ema.average(v) is None
    assert ema.average_name(v) == "net/v/ExponentialMovingAverage"
    assert ema.name == "ExponentialMovingAverage"
    ema.apply([v])
    assert ema.average(v).op.name == ema.average_name(v) == "net/v/ExponentialMovingAverage"
    assert tf.moving_average_variables() == [v]
    assert ema.variables_to_restore() == {
        "net/v/ExponentialMovingAverage": v, "w": w,
    }  # fmt: skip
    assert set(ema.variables_to_restore([w])) == {"w/ExponentialMovingAverage", "net/v"} | {
        "net/v/ExponentialMovingAverage"
    }
    second = tf.train.ExponentialMovingAverage(0.9)
    second.apply([v])
    assert second.average_name(v) == "net/v/ExponentialMovingAverage_1"


def test_assign_moving_average() -> None:
    moving_averages = tf.python.training.moving_averages
    v = tf.Variable([0.0, 0.0], name="v", trainable=False)
    plain = moving_averages.assign_moving_average(v, [1.0, 2.0], 0.75, zero_debias=False)
    assert plain.op.name == "AssignMovingAvg"
    w = tf.Variable([0.0, 0.0], name="w", trainable=False)
    debiased = moving_averages.assign_moving_average(w, [1.0, 2.0], 0.75)
    assert [u.op.name for u in tf.global_variables()] == ["v", "w", "w/biased", "w/local_step"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        assert session.run(plain).tolist() == [0.25, 0.5]
        for _ in range(3):
            np.testing.assert_allclose(session.run(debiased), [1.0, 2.0], rtol=1e-6)


# ------------------------------------------------------------------- it learns


@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.GradientDescentOptimizer(0.1),
        lambda t: t.MomentumOptimizer(0.05, 0.8, use_nesterov=True),
        lambda t: t.AdagradOptimizer(0.5),
        lambda t: t.AdadeltaOptimizer(1.0, 0.9, 1e-3),
        lambda t: t.RMSPropOptimizer(0.05),
        lambda t: t.AdamOptimizer(0.1),
        lambda t: t.FtrlOptimizer(0.5),
        lambda t: t.ProximalGradientDescentOptimizer(0.1, l2_regularization_strength=0.001),
    ],
)
def test_a_line_is_found(make: Any) -> None:
    x = np.linspace(-1, 1, 32).astype(np.float32)
    w, b = tf.Variable(0.0), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.square(w * x + b - (2.0 * x + 0.5)))
    train = make(tf.train).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(200):
            session.run(train)
        assert session.run(loss) < 0.02


def test_rows_that_adamax_leaves_alone() -> None:
    rows = tf.Variable(np.arange(6.0, dtype=np.float32).reshape(3, 2))
    ids = tf.placeholder(tf.int32, [None])
    loss = tf.reduce_sum(tf.square(tf.gather(rows, ids)))
    train = tf.contrib.opt.AdaMaxOptimizer(0.5).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for batch in ([0, 2, 2], [2]):
            session.run(train, {ids: batch})
        want = [[0.0, 0.5], [2.0, 3.0], [3.147674083709717, 4.144381046295166]]  # as TensorFlow
        np.testing.assert_allclose(session.run(rows), want, rtol=2e-6)


def test_variables_in_views_of_dictionaries() -> None:
    """``weights.values()``, as many programs have it; dictionaries go by their sorted keys."""
    held = {"b": tf.Variable(1.0, name="v0"), "a": tf.Variable(2.0, name="v1")}
    loss = held["a"] * held["b"]
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    for given, names in ((held.values(), ["v0", "v1"]), (held, ["v1", "v0"])):
        pairs = optimizer.compute_gradients(loss, given)
        assert [v.op.name for _, v in pairs] == names
    train = optimizer.minimize(loss, var_list=held.values())
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(train)
        got = s.run(held)
    np.testing.assert_allclose([got["a"], got["b"]], [1.9, 0.8], rtol=1e-6)


@pytest.mark.parametrize("resource", [False, True])
def test_a_step_is_counted_without_being_read_again(resource: bool) -> None:
    with tf.Graph().as_default() as g:
        with tf.variable_scope("", use_resource=resource):
            step = tf.train.create_global_step()
        w = tf.get_variable("w", [3])
        optimizer = tf.train.AdamOptimizer()
        pairs = optimizer.compute_gradients(tf.reduce_sum(w * w))
        before = g._last_id
        op = optimizer.apply_gradients(pairs, global_step=step)
        assert (g._last_id - before, op.name) == (28, "Adam")
        names = [n.name for n in g.get_operations()]
        assert names[-2] == ("Adam/Const" if resource else "Adam/value")
