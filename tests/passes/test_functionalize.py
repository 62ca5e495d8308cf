"""Variables: what a run reads, what it commits, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.ir import dtypes
from graphc.ir.dims import Facts
from graphc.ir.text import print_graph
from graphc.passes.functionalize import functionalize
from graphc.passes.patterns import pattern
from graphc.runtime import reference


@pytest.fixture(autouse=True)
def fresh() -> Any:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def variable(value: Any = 1.0, name: str = "v") -> Any:
    return tf.Variable(np.float32(value), name=name)


def frozen(*fetches: Any) -> Any:
    """The pure graph of fetches, whose variables are f32 scalars."""
    values = [f for f in fetches if hasattr(f, "node")]
    targets = [f for f in fetches if not hasattr(f, "node")]
    return functionalize(values, targets, {}, lambda name: (dtypes.float32, ()), Facts({})).graph


def outcome(g: Any, **start: float) -> tuple[list[float], dict[str, float]]:
    """Fetched values and committed updates of a pure graph."""
    start_ = {k: np.float32(v) for k, v in start.items()}
    outs = reference.evaluate(list(g.outputs), {}, start_)
    news = reference.evaluate([v for _, v in g.updates], {}, start_)
    return [float(a) for a in outs], {
        n: float(a) for (n, _), a in zip(g.updates, news, strict=True)
    }


def value(x: Any) -> Any:
    return tf.convert_to_tensor(x)


def test_a_read_sees_the_start_of_the_run() -> None:
    v = variable()
    before = value(v) * 1.0
    after = tf.assign_add(v, 5.0)
    g = frozen(before, after)
    assert outcome(g, v=2) == ([2.0, 7.0], {"v": 7.0})


def test_updates_apply_in_creation_order() -> None:
    v = variable()
    a = tf.assign(v, 10.0)
    b = tf.assign_add(v, 1.0)
    c = tf.assign_sub(v, 3.0)
    assert outcome(frozen(a, b, c), v=0)[1] == {"v": 8.0}
    # the order of fetches changes nothing
    assert outcome(frozen(c, a, b), v=0)[1] == {"v": 8.0}


def test_a_read_behind_a_control_dependency_sees_the_update() -> None:
    v = variable()
    a = tf.assign_add(v, 5.0)
    with tf.control_dependencies([a]):
        late = tf.identity(v)
    early = value(v) + 0.0
    assert outcome(frozen(late, early), v=1) == ([6.0, 1.0], {"v": 6.0})


def test_an_update_behind_a_read_uses_what_was_read() -> None:
    v = variable()
    w = variable(name="w")
    old = value(v) * 1.0
    with tf.control_dependencies([tf.assign(v, 100.0)]):
        b = tf.assign(w, old)
    assert outcome(frozen(b), v=3, w=0)[1] == {"v": 100.0, "w": 3.0}


def test_two_variables_swap() -> None:
    v, w = variable(), variable(name="w")
    x, y = value(v) * 1.0, value(w) * 1.0
    g = frozen(tf.assign(v, y), tf.assign(w, x))
    assert outcome(g, v=1, w=2)[1] == {"v": 2.0, "w": 1.0}


def test_what_is_not_fetched_is_not_updated() -> None:
    v = variable()
    tf.assign_add(v, 1.0)
    x = value(v) * 3.0
    g = frozen(x)
    assert g.updates == ()
    assert "update" not in print_graph(g)


def test_equal_unknown_sizes_share_a_symbol_and_1_is_a_constant() -> None:
    shapes, env, key = pattern([((None, 3), (7, 3)), ((None,), (7,)), ((None, None), (1, 9))])
    assert [tuple(map(str, s)) for s in shapes] == [("b", "3"), ("b",), ("1", "n")]
    assert {str(s): n for s, n in env.items()} == {"b": 7, "n": 9}
    assert key != pattern([((None, 3), (7, 3)), ((None,), (8,)), ((None, None), (1, 9))])[2]
    assert key == pattern([((None, 3), (5, 3)), ((None,), (5,)), ((None, None), (1, 4))])[2]


def test_waiting_for_a_placeholder_that_is_fed() -> None:
    import graphc as tf

    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [2])
        v = tf.Variable(1.0)
        with tf.control_dependencies([x]):
            y = tf.assign_add(v, 2.0)
        with tf.Session() as sess:
            sess.run(v.initializer)
            assert sess.run(y, {x: [1.0, 2.0]}) == 3.0
            sess.run(tf.group(y), {x: [1.0, 2.0]})
            assert sess.run(v) == 5.0
            with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value"):
                sess.run(y)
