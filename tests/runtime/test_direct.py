"""Initialisers that only give variables constants run without code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime import counting, direct, stored
from graphc.runtime.llvm import jit


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_PLANS", "1")
    monkeypatch.setattr(stored, "FOREIGN", set())  # ops that other tests have made


CONSTANTS: dict[str, Callable[[], Any]] = {
    "array": lambda: tf.Variable(np.arange(12.0).reshape(3, 4), name="v"),
    "number": lambda: tf.Variable(3, name="v"),
    "zeros": lambda: tf.Variable(tf.zeros([200, 300]), name="v"),
    "ones": lambda: tf.get_variable("v", [7, 2], initializer=tf.ones_initializer()),
    "constant": lambda: tf.get_variable("v", [5], initializer=tf.constant_initializer(0.1)),
    "bool": lambda: tf.Variable([True, False], name="v"),
    "half": lambda: tf.Variable(np.ones(3, np.float16), name="v"),
    "empty": lambda: tf.Variable(np.ones((0, 3), np.float32), name="v"),
    "not finite": lambda: tf.Variable([np.nan, -0.0, np.inf], name="v"),
    "int64": lambda: tf.Variable(np.int64(1 << 40), dtype=tf.int64, name="v"),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "random": lambda: tf.get_variable("v", [3], initializer=tf.random_normal_initializer(seed=1)),
    "computed": lambda: tf.Variable(tf.exp(tf.ones([3])), name="v"),
    "bfloat16": lambda: tf.Variable(tf.constant([1.0, 2.5], tf.bfloat16), name="v"),
}


def started(make: Callable[[], Any], plans: str) -> tuple[Any, int]:
    """The variable's value after its initialiser, and how many runs took no code."""
    before = counting.counters.assigned
    with pytest.MonkeyPatch.context() as m, tf.Graph().as_default(), tf.Session() as s:
        m.setenv("GRAPHC_PLANS", plans)
        v = make()
        assert s.run(tf.global_variables_initializer()) is None
        return s.run(v), counting.counters.assigned - before


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_copied(name: str) -> None:
    value, direct_runs = started(CONSTANTS[name], "1")
    expected, none = started(CONSTANTS[name], "0")
    assert (direct_runs, none) == (1, 0)
    assert value.dtype == expected.dtype
    np.testing.assert_array_equal(value, expected)
    assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize("name", OTHERS)
def test_anything_else_is_compiled(name: str) -> None:
    value, direct_runs = started(OTHERS[name], "1")
    assert direct_runs == 0
    np.testing.assert_array_equal(value, started(OTHERS[name], "0")[0])


def test_nothing_is_compiled() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        a, b = CONSTANTS["array"](), tf.Variable(tf.ones([4]))
        before, plans = jit.stats(), counting.counters.plans
        s.run(tf.global_variables_initializer())
        after = jit.stats()
        assert (after.compiled, after.memory_hits) == (before.compiled, before.memory_hits)
        assert counting.counters.plans == plans
        assert s.run(tf.reduce_sum(a) + tf.cast(tf.reduce_sum(b), tf.float64)) == 70.0


def test_variables_that_have_values_are_initialised_again_by_code() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        v, w = tf.Variable([1.0, 2.0]), tf.Variable(5)
        init = tf.global_variables_initializer()
        s.run(init)
        s.run([v.assign_add([1.0, 1.0]), w.assign(7)])
        before = counting.counters.assigned
        s.run(init)
        assert counting.counters.assigned == before
        assert (s.run(v).tolist(), s.run(w)) == ([1.0, 2.0], 5)
        s.run(init)
        assert s.run(v).tolist() == [1.0, 2.0]


def test_a_fetch_a_draw_or_a_check_besides_is_compiled() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        v, w = tf.Variable([1.0, 2.0]), tf.Variable(5)
        before = counting.counters.assigned
        assert s.run([v.initializer, tf.constant(2.0) * 3.0])[1] == 6.0
        with tf.control_dependencies([tf.Assert(tf.constant(3) > 4, ["no"])]):
            bad = w.assign(6)
        with pytest.raises(tf.errors.InvalidArgumentError):
            s.run(bad)
        with pytest.raises(tf.errors.FailedPreconditionError):
            s.run(w)
        assert counting.counters.assigned == before


def test_an_interrupted_run_has_not_been(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    real, calls = np.copyto, []

    def copy(a: Any, b: Any) -> None:
        calls.append(a)
        if len(calls) == 2:
            raise Stopped
        real(a, b)

    with tf.Graph().as_default(), tf.Session() as s:
        v, w = tf.Variable([1.0, 2.0]), tf.Variable(5)
        init = tf.global_variables_initializer()
        monkeypatch.setattr(direct.np, "copyto", copy)
        with pytest.raises(Stopped):
            s.run(init)
        monkeypatch.undo()
        assert len(s.run(tf.report_uninitialized_variables())) == 2
        s.run(init)
        assert (s.run(v).tolist(), s.run(w)) == ([1.0, 2.0], 5)


def test_its_plan_is_there_for_who_asks() -> None:
    with tf.Graph().as_default(), tf.Session() as s:
        v = CONSTANTS["zeros"]()
        s.run(v.initializer)
        (run,) = s._executor.prepared.values()
        (found,) = run.plans.values()
        assert found[0].core.steps == []
        assert [x.code.name for x in found[0].plan.steps if x.calls]
        s.run(v.initializer)
        assert not s.run(v).any()
