"""Rows of variables are changed where they are, and only where nothing can tell the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.dump import compile_run

ROWS = np.arange(1.0, 13.0, dtype=np.float32).reshape(4, 3)
IDS = np.array([2, 0, 2])
NEW = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)
TAKES = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "min": np.minimum,
    "max": np.maximum,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def after(old: Any, kind: str, ids: Any = IDS, new: Any = NEW) -> Any:
    out = np.array(old)
    for i, row in zip(ids, new, strict=True):
        out[i] = row if kind == "update" else TAKES[kind](out[i], row)
    return out


def commits(fetches: Any, feeds: Any) -> list[str]:
    """The kernels that change variables."""
    parts = compile_run(fetches, feeds)
    return [s.code.name for p in parts for s in p.compilation.plan.steps if s.commit]


def copies(fetches: Any, feeds: Any) -> int:
    parts = compile_run(fetches, feeds)
    return sum(s.code.name == "copy" for p in parts for s in p.compilation.plan.steps)


class Two:
    """Variables a and b, indices and rows to feed."""

    def __init__(self) -> None:
        self.a = tf.get_variable("a", initializer=ROWS)
        self.b = tf.get_variable("b", initializer=-ROWS)
        self.ids = tf.placeholder(tf.int32, [None])
        self.new = tf.placeholder(tf.float32, [None, 3])
        self.feeds = {self.ids: IDS, self.new: NEW}

    def run(self, fetches: Any, **options: Any) -> tuple[Any, Any, Any]:
        with tf.Session(**options) as sess:
            sess.run([self.a.initializer, self.b.initializer])
            got = sess.run(fetches, self.feeds)
            return got, *sess.run([self.a, self.b])


@pytest.mark.parametrize("kind", ["update", *TAKES])
@pytest.mark.parametrize("many", ["", "nd_"])
def test_one_step_changes_the_variable(kind: str, many: str) -> None:
    if many and kind not in ("update", "add", "sub"):
        pytest.skip("not in TensorFlow 1")
    v = Two()
    ids = tf.expand_dims(v.ids, -1) if many else v.ids
    op = getattr(tf, f"scatter_{many}{kind}")(v.a, ids, v.new).op
    assert commits(op, v.feeds) == ["change_rows"]
    assert copies(op, v.feeds) == 0
    np.testing.assert_array_equal(v.run(op)[1], after(ROWS, kind))
    np.testing.assert_array_equal(v.run(op, check_numerics=True)[1], after(ROWS, kind))


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "uint8", "int32", "int64"])
@pytest.mark.parametrize("kind", ["update", "add", "sub", "mul", "div", "min", "max"])
def test_types(kind: str, dtype: str) -> None:
    start, new = (ROWS + 20).astype(dtype), NEW.astype(dtype)
    a = tf.get_variable("a", initializer=start)
    op = getattr(tf, f"scatter_{kind}")(a, [2, 0, 1], new).op
    with tf.Session() as sess:
        sess.run(a.initializer)
        sess.run(op)
        want = start.copy()
        for i, row in zip([2, 0, 1], new, strict=True):
            old = want[i]
            whole = np.floor_divide if start.dtype.kind in "iu" else np.divide
            f = {**TAKES, "div": whole, "update": lambda x, y: y}[kind]
            with np.errstate(over="ignore"):
                want[i] = f(old, row)
        np.testing.assert_array_equal(sess.run(a), want)


def old_and_new(v: Two) -> Any:
    before = v.a + 0.0
    with tf.control_dependencies([before]):
        return [before, tf.scatter_add(v.a, v.ids, v.new)]


def twice(v: Two) -> Any:
    first = tf.scatter_add(v.a, v.ids, v.new)
    with tf.control_dependencies([first]):
        return tf.scatter_mul(v.a, v.ids, v.new).op


def then_all(v: Two) -> Any:
    with tf.control_dependencies([tf.scatter_add(v.a, v.ids, v.new)]):
        return tf.assign_add(v.a, ROWS).op


def all_then(v: Two) -> Any:
    with tf.control_dependencies([tf.assign_add(v.a, ROWS)]):
        return tf.scatter_add(v.a, v.ids, v.new).op


def each_of_the_other(v: Two) -> Any:
    """Every old row is read before any is changed."""
    from_a, from_b = tf.gather(v.a, v.ids), tf.gather(v.b, v.ids)
    with tf.control_dependencies([from_a, from_b]):
        return [tf.scatter_update(v.a, v.ids, from_b).op, tf.scatter_add(v.b, v.ids, from_a).op]


def whole_other(v: Two) -> Any:
    old_a, old_b = tf.identity(v.a), tf.identity(v.b)
    every = [1, 0, 3, 2]
    with tf.control_dependencies([old_a, old_b]):
        return [tf.scatter_update(v.a, every, old_b).op, tf.scatter_update(v.b, every, old_a).op]


def of_itself(v: Two) -> Any:
    return tf.scatter_update(v.a, [1, 0, 3, 2], tf.identity(v.a)).op


def for_both(v: Two) -> Any:
    new = tf.scatter_add(v.a, v.ids, v.new)
    return tf.assign(v.b, new).op


def one_value_for_both(v: Two) -> Any:
    """What both become is made of the old value of one; it is one node in the end."""
    new, same = v.b + 0.5, v.b + 0.5
    with tf.control_dependencies([new, same]):
        return [tf.assign(v.a, new).op, tf.assign(v.b, same).op]


def new_read(v: Two) -> Any:
    return tf.reduce_sum(tf.scatter_add(v.a, v.ids, v.new) * 2.0)


def in_a_loop(v: Two) -> Any:
    def body(i: Any) -> Any:
        with tf.control_dependencies([tf.scatter_add(v.a, v.ids, v.new)]):
            return i + 1

    return tf.while_loop(lambda i: i < 3, body, [0])


def in_a_branch(v: Two) -> Any:
    yes = tf.reduce_sum(v.new) > 0
    return tf.cond(
        yes, lambda: tf.scatter_sub(v.a, v.ids, v.new) + 0.0, lambda: tf.identity(v.a)
    ).op


def of_other_rows(v: Two) -> Any:
    """Indices and rows are computed from the variables."""
    at = tf.argmin(v.b, axis=0, output_type=tf.int32)
    return tf.scatter_sub(v.a, at, tf.gather(v.a, at) + v.b[:3]).op


ADDED = after(ROWS, "add")
CASES: dict[str, tuple[Callable[[Two], Any], Any, Any, list[str] | None]] = {
    "old and new": (old_and_new, ADDED, -ROWS, ["change_rows"]),
    "twice": (twice, after(ADDED, "mul"), -ROWS, ["change_rows", "change_rows"]),
    "then all": (then_all, ADDED + ROWS, -ROWS, None),
    "all then": (all_then, after(2 * ROWS, "add"), -ROWS, None),
    "each of the other": (
        each_of_the_other, after(ROWS, "update", IDS, -ROWS[IDS]),
        after(-ROWS, "add", IDS, ROWS[IDS]), ["change_rows", "change_rows"],
    ),
    "whole other": (whole_other, -ROWS[[1, 0, 3, 2]], ROWS[[1, 0, 3, 2]], None),
    "of itself": (of_itself, ROWS[[1, 0, 3, 2]], -ROWS, None),
    "for both": (for_both, ADDED, ADDED, None),
    "one value for both": (one_value_for_both, 0.5 - ROWS, 0.5 - ROWS, None),
    "new read": (new_read, ADDED, -ROWS, ["copy"]),
    "in a loop": (in_a_loop, after(after(ADDED, "add"), "add"), -ROWS, ["copy"]),
    "in a branch": (in_a_branch, after(ROWS, "sub"), -ROWS, None),
    "of other rows": (
        of_other_rows, after(ROWS, "sub", [3, 3, 3], ROWS[[3, 3, 3]] - ROWS[:3]), -ROWS,
        ["change_rows"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_reads_and_writes_besides(case: str) -> None:
    make, a, b, steps = CASES[case]
    v = Two()
    fetches = make(v)
    if steps is not None:
        assert commits(fetches, v.feeds) == steps
    for options in ({}, {"check_numerics": True}):
        got, x, y = v.run(fetches, **options)
        np.testing.assert_allclose(x, a, rtol=1e-6)
        np.testing.assert_allclose(y, b, rtol=1e-6)
        if case == "old and new":
            np.testing.assert_array_equal(got[0], ROWS)
            np.testing.assert_array_equal(got[1], ADDED)
        if case == "new read":
            assert got == pytest.approx(2 * ADDED.sum())


def test_what_fails_changes_nothing() -> None:
    v = Two()
    ops = [tf.scatter_add(v.a, v.ids, v.new).op, tf.scatter_update(v.b, v.ids + 1, v.new).op]
    assert commits(ops, v.feeds) == ["change_rows", "change_rows"]
    with tf.Session() as sess:
        sess.run([v.a.initializer, v.b.initializer])
        for bad in ([0, 3, 1], [-1, 0, 0], [0, 1, -2]):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"is not in \[0, 4\)"):
                sess.run(ops, {v.ids: bad, v.new: NEW})
        np.testing.assert_array_equal(sess.run(v.a), ROWS)
        np.testing.assert_array_equal(sess.run(v.b), -ROWS)
        sess.run(ops, {v.ids: np.zeros(0), v.new: np.zeros((0, 3))})
        np.testing.assert_array_equal(sess.run(v.a), ROWS)


def test_gradient_descent_touches_rows_only() -> None:
    v = Two()
    rows = tf.nn.embedding_lookup(v.a, v.ids)
    loss = tf.reduce_sum(tf.square(rows - v.new))
    step = tf.train.GradientDescentOptimizer(0.25).minimize(loss)
    assert commits(step, v.feeds) == ["change_rows"]
    assert copies(step, v.feeds) == 0
    got = v.run([loss, step])
    want = after(ROWS, "sub", IDS, (ROWS[IDS] - NEW) * 0.5)
    assert got[0][0] == pytest.approx(np.square(ROWS[IDS] - NEW).sum())
    np.testing.assert_allclose(got[1], want, rtol=1e-6)
    kinds = [o.type for o in tf.get_default_graph().get_operations() if "update_a" in o.name]
    assert kinds == ["Mul", "ScatterSub"]  # as in TensorFlow 1.15


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2), (1, 3), (5, 1)])
@pytest.mark.parametrize("rows", [False, True])
def test_index_vectors(shape: tuple[int, ...], rows: bool) -> None:
    """Nothing of the variable's size is made, and every axis is checked."""
    start = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    a = tf.get_variable("a", initializer=start)
    depth = len(shape) - rows
    at = tf.placeholder(tf.int32, [None, depth])
    new = tf.placeholder(tf.float32, [None, *shape[depth:]])
    op = tf.scatter_nd_add(a, at, new).op
    rng = np.random.default_rng(5)
    ids = np.stack([rng.integers(0, n, 7) for n in shape[:depth]], -1)
    rng_new = rng.integers(1, 9, (7, *shape[depth:])).astype(np.float32)
    want = start.copy()
    np.add.at(want, tuple(ids.T), rng_new)
    names = [
        s.code.name for p in compile_run(op, {at: ids, new: rng_new})
        for s in p.compilation.plan.steps
    ]  # fmt: skip
    assert not any(n.endswith("_range") for n in names)
    assert names[-1] == "change_rows"
    with tf.Session() as sess:
        sess.run(a.initializer)
        sess.run(op, {at: ids, new: rng_new})
        for axis in range(depth):
            for bad in (-1, shape[axis]):
                wrong = ids.copy()
                wrong[3, axis] = bad
                with pytest.raises(tf.errors.InvalidArgumentError, match="does not index"):
                    sess.run(op, {at: wrong, new: rng_new})
        np.testing.assert_array_equal(sess.run(a), want)
