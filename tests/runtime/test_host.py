"""Ops that the host applies: order, effects, values after updates, strings, errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patience import LONG

import graphc as tf
from graphc.runtime.counting import counters


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


class Log:
    """A function of arrays that remembers what it was given, and returns its first operand."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def op(self, tag: str, *xs: Any, dtype: Any = tf.float32) -> Any:
        def f(*arrays: Any) -> Any:
            self.calls.append((tag, np.asarray(arrays[0]).tolist()))
            return arrays[0]

        return tf.py_func(f, list(xs), dtype, name=tag)

    @property
    def tags(self) -> str:
        return "".join(t for t, _ in self.calls)


def test_a_function_between_native_parts(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [None])
    log = Log()
    y = log.op("a", x * 2.0)
    z = y + x
    for n in (3, 4, 3):
        a = np.arange(n, dtype=np.float32)
        np.testing.assert_array_equal(sess.run(z, {x: a}), 3 * a)
    assert log.calls == [
        ("a", [0.0, 2.0, 4.0]),
        ("a", [0.0, 2.0, 4.0, 6.0]),
        ("a", [0.0, 2.0, 4.0]),
    ]


def test_chains_branches_and_unused_results_run_once_each_in_order(sess: Any) -> None:
    log = Log()
    a = log.op("a", tf.constant(1.0))
    b = log.op("b", a + 1.0)
    c = log.op("c", tf.constant(3.0))
    d = log.op("d", b * c)
    log.op("e", d)  # nobody asks for it
    assert sess.run([d, a, b + a]) == [6.0, 1.0, 3.0]
    assert log.tags == "abcd"
    sess.run(d.op)
    assert log.tags == "abcdabcd"


def test_targets_and_control_dependencies_run_it(sess: Any) -> None:
    log = Log()
    a = log.op("a", tf.constant(1.0))
    with tf.control_dependencies([a]):
        b = tf.constant(2.0) * 1.0
        c = tf.no_op()
    assert sess.run(b) == 2.0
    sess.run(c)
    sess.run(tf.group(a, c))
    assert log.tags == "aaa"


def test_a_dependency_of_an_update(sess: Any) -> None:
    v = tf.Variable(1.0)
    log = Log()
    seen = log.op("s", v * 10.0)
    with tf.control_dependencies([seen]):
        up = tf.assign_add(v, 1.0)
    sess.run(tf.global_variables_initializer())
    assert [sess.run(up), sess.run(up)] == [2.0, 3.0]
    assert log.calls == [("s", 10.0), ("s", 20.0)]


@pytest.mark.parametrize("how", ["control", "data", "snapshot", "both"])
def test_values_after_updates(sess: Any, how: str) -> None:
    v = tf.Variable(1.0)
    log = Log()
    up = tf.assign_add(v, 1.0)
    if how == "data":
        out = log.op("s", up)
    elif how == "both":
        first = log.op("f", up * 2.0)
        with tf.control_dependencies([first]):
            out = log.op("s", v)
    else:
        with tf.control_dependencies([up]):
            out = log.op("s", v if how == "control" else v.read_value())
    again = tf.assign_add(v, out)
    sess.run(tf.global_variables_initializer())
    assert sess.run([out, again]) == [2.0, 4.0]
    assert sess.run(v) == 4.0


def test_before_an_update_it_sees_the_old_value(sess: Any) -> None:
    v = tf.Variable(1.0)
    old = Log().op("s", v)
    up = tf.assign(v, old + 1.0)
    sess.run(tf.global_variables_initializer())
    assert sess.run([old, up]) == [1.0, 2.0]
    assert sess.run([old, up]) == [2.0, 3.0]


def test_many_independent_ops_are_one_pause(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [None])
    log = Log()
    outs = [log.op("a", tf.reduce_sum(x * float(i))) for i in range(50)]
    text = [tf.as_string(o) for o in outs] if hasattr(tf, "as_string") else outs
    before = counters.plans
    got = sess.run([*outs, *text], {x: [1.0, 2.0]})
    assert got[:50] == [3.0 * i for i in range(50)]
    assert counters.plans - before <= 2
    sess.run(outs, {x: [1.0, 2.0, 5.0]})
    assert counters.plans - before <= 4
    assert len(log.calls) == 100


def test_an_effect_waits_for_those_created_before_it(sess: Any) -> None:
    log = Log()
    a = log.op("a", tf.constant(1.0))
    b = log.op("b", a * 2.0)
    c = log.op("c", tf.constant(1.0))
    sess.run([c, b])
    assert log.tags == "abc"


def test_stateless_functions_do_not_wait(sess: Any) -> None:
    tags: list[str] = []

    def pure(tag: str, x: Any) -> Any:
        def f(x: Any) -> Any:
            tags.append(tag)
            return x

        return tf.py_func(f, [x], tf.float32, stateful=False)

    b = pure("b", pure("a", tf.constant(1.0)) * 2.0)
    c = pure("c", tf.constant(1.0))
    sess.run([c, b])
    assert tags == ["a", "c", "b"]


def test_random_numbers_are_the_same_in_all_parts(sess: Any) -> None:
    tf.set_random_seed(1)
    r = tf.random_uniform([4])
    same = tf.py_func(lambda a: a, [r], tf.float32)
    a, b = sess.run([r, same])
    np.testing.assert_array_equal(a, b)
    c, d = sess.run([r, same])
    np.testing.assert_array_equal(c, d)
    assert not np.array_equal(a, c)


def test_a_failing_function_changes_no_variable(sess: Any) -> None:
    v = tf.Variable(1.0)

    def fail(x: Any) -> Any:
        raise ValueError(f"no {x}")

    up = tf.assign_add(v, 1.0)
    bad = tf.py_func(fail, [up], tf.float32, name="bad")
    sess.run(tf.global_variables_initializer())
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"ValueError: no 2\.0") as e:
        sess.run([bad, up])
    assert "[[node bad]]" in str(e.value)
    assert "test_host.py" in str(e.value)
    assert e.value.op is bad.op
    assert sess.run(v) == 1.0
    assert sess.run(up) == 2.0


# what TF 1.15 raises for an exception of the function
@pytest.mark.parametrize(
    ("raised", "error", "words"),
    [
        (ValueError("v"), "InvalidArgumentError", "ValueError: v"),
        (TypeError("t"), "InvalidArgumentError", "TypeError: t"),
        (StopIteration(), "OutOfRangeError", "StopIteration"),
        (NotImplementedError("n"), "UnimplementedError", "NotImplementedError: n"),
        (MemoryError("m"), "ResourceExhaustedError", "MemoryError: m"),
        (KeyError("k"), "UnknownError", "KeyError: 'k'"),
        (IndexError("i"), "UnknownError", "IndexError: i"),
        (ZeroDivisionError("z"), "UnknownError", "ZeroDivisionError: z"),
    ],
)
def test_exceptions(sess: Any, raised: Exception, error: str, words: str) -> None:
    def fail() -> Any:
        raise raised

    y = tf.py_func(fail, [], tf.float32)
    with pytest.raises(getattr(tf.errors, error), match=words):
        sess.run(y)


def test_an_interrupt_is_not_an_error_of_the_op(sess: Any) -> None:
    def stop() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sess.run(tf.py_func(stop, [], tf.float32))


@pytest.mark.parametrize(
    ("got", "dtype", "words"),
    [
        (1.0, tf.float32, "0-th value returned by pyfunc_.* is double, but expects float"),
        (1, tf.int32, "0-th value returned by pyfunc_.* is int64, but expects int32"),
        ((1, 2), [tf.int64], "returns 2 values, but expects to see 1 values"),
        (None, tf.int64, "returns 0 values, but expects to see 1 values"),
        ("text", tf.float32, "is string, but expects float"),
    ],
)
def test_results_must_be_as_declared(sess: Any, got: Any, dtype: Any, words: str) -> None:
    y = tf.py_func(lambda: got, [], dtype)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        sess.run(y)


def test_what_a_function_gets_and_gives(sess: Any) -> None:
    got: list[Any] = []

    def f(*xs: Any) -> Any:
        got.extend(xs)
        return np.float32(1), ["a", b"b"], True

    ys = tf.py_func(f, [1.0, [1, 2], "abc", ["a", "b"], True], [tf.float32, tf.string, tf.bool])
    assert [y.shape.ndims for y in ys] == [None] * 3
    one, text, yes = sess.run(ys)
    assert [type(x) for x in got] == [np.float32, np.ndarray, bytes, np.ndarray, np.bool_]
    assert got[1].dtype == np.int32
    assert got[3].tolist() == [b"a", b"b"]
    assert (one, text.tolist(), yes) == (1.0, [b"a", b"b"], True)


def test_no_outputs_is_an_operation(sess: Any) -> None:
    ran: list[int] = []
    op = tf.py_func(lambda: ran.append(1), [], [])
    assert isinstance(op, tf.Operation)
    assert op.type == "PyFunc"
    assert sess.run(op) is None
    assert ran == [1]
    assert tf.py_func(lambda: 1, [], tf.int64, stateful=False).op.type == "PyFuncStateless"


def test_shape_set_by_the_user_is_checked(sess: Any) -> None:
    y = tf.py_func(lambda: np.zeros(3, np.float32), [], tf.float32)
    y.set_shape([2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"shape \[2\], but was given \[3\]"):
        sess.run(y + 1.0)


def test_gradient_is_none_unless_overridden(sess: Any) -> None:
    x = tf.constant([1.0, 2.0])
    y = tf.py_func(np.square, [x], tf.float32)
    assert tf.gradients(y, x) == [None]

    @tf.RegisterGradient("HostSquare")
    def _(op: Any, dy: Any) -> Any:
        return dy * 2.0 * op.inputs[0]

    with tf.get_default_graph().gradient_override_map({"PyFunc": "HostSquare"}):
        y = tf.py_func(np.square, [x], tf.float32)
    np.testing.assert_array_equal(sess.run(tf.gradients(y, x)[0]), [2.0, 4.0])


def test_session_inside_a_function(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [])
    inner = x * 3.0
    y = tf.py_func(lambda a: sess.run(inner, {x: a}), [x + 1.0], tf.float32)
    assert sess.run(y + x, {x: 1.0}) == 7.0


def test_a_waiting_function_does_not_hold_up_other_threads(sess: Any) -> None:
    go = threading.Event()
    v = tf.Variable(0.0)
    wait = tf.py_func(lambda: np.bool_(go.wait(LONG)), [], tf.bool)
    sess.run(v.initializer)
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(sess.run(wait)))
    thread.start()
    assert sess.run(tf.assign_add(v, 1.0)) == 1.0
    go.set()
    thread.join(LONG)
    assert got == [True]


# --------------------------------------------------------------------- strings


def test_string_variables(sess: Any) -> None:
    v = tf.Variable(["a", "b"], name="words")
    assert v.dtype.base_dtype == tf.string
    with pytest.raises(tf.errors.FailedPreconditionError, match="words"):
        sess.run(v)
    sess.run(tf.global_variables_initializer())
    assert sess.run(v).tolist() == [b"a", b"b"]
    text = tf.placeholder(tf.string, [2])
    same = tf.identity(v)
    up = tf.assign(v, text)
    with tf.control_dependencies([up]):
        after = v.read_value()
        log = tf.py_func(lambda a: b"".join(a), [v], tf.string)
    got = sess.run([same, after, log], {text: ["c", "d"]})
    assert [np.asarray(g).tolist() for g in got] == [[b"c", b"d"], [b"c", b"d"], b"cd"]
    assert sess.run(v).tolist() == [b"c", b"d"]


def test_string_constants_placeholders_and_comparisons(sess: Any) -> None:
    c = tf.constant(["x", "y"])
    p = tf.placeholder(tf.string, [None])
    assert sess.run(c).tolist() == [b"x", b"y"]
    assert sess.run(tf.equal(c, p), {p: ["x", "z"]}).tolist() == [True, False]
    assert sess.run(tf.not_equal(c, "x")).tolist() == [False, True]
    assert sess.run([tf.identity(p), tf.shape(p)], {p: ["q"]})[0].tolist() == [b"q"]
    assert sess.run(tf.constant("one")) == b"one"


# --------------------------------------------------------------------- after the run


def train_with_text(fails: bool = False) -> tuple[Any, Any, Any]:
    """A variable, an update of it, and a text made of the value before the update."""
    v = tf.Variable(1.0)
    loss = v * 10.0
    with tf.control_dependencies([loss]):
        step = tf.assign_add(v, 1.0)
    text = tf.string_join(["loss ", tf.as_string(loss, precision=1)])
    return v, step, tf.decode_base64(text) if fails else text


def test_texts_at_the_end_do_not_cut_the_run(sess: Any) -> None:
    v, step, text = train_with_text()
    sess.run(v.initializer)
    before = counters.plans
    assert sess.run([step, text, v]) == [2.0, b"loss 10.0", 2.0]
    assert sess.run([step.op, text]) == [None, b"loss 20.0"]
    assert counters.plans - before == 2
    assert sess.run(text) == b"loss 30.0"
    assert sess.run(text.op) is None
    assert sess.run({"a": text, "b": tf.constant("c")}) == {"a": b"loss 30.0", "b": b"c"}


def test_a_failing_text_puts_variables_back(sess: Any) -> None:
    v, step, text = train_with_text(fails=True)
    r = tf.random_uniform([], seed=1)
    w = tf.Variable(5.0)
    start = tf.assign(w, 7.0)
    sess.run(v.initializer)
    for _ in range(2):
        with pytest.raises(tf.errors.InvalidArgumentError, match="base64"):
            sess.run([step, text, start, r])
    assert sess.run(v) == 1.0
    assert not sess.run(tf.is_variable_initialized(w))
    first = sess.run(r)
    with tf.Session() as other:
        assert other.run(r) == first


def test_a_text_that_others_wait_for_comes_before_them(sess: Any) -> None:
    v, _, text = train_with_text()
    log = Log()
    with tf.control_dependencies([log.op("a", text, dtype=tf.string)]):
        up = tf.assign(v, 0.0)
    with tf.control_dependencies([text]):
        last = tf.assign(v, 3.0)
    sess.run(v.initializer)
    assert sess.run([up, last, text]) == [3.0, 3.0, b"loss 10.0"]
    assert log.calls == [("a", b"loss 10.0")]


def test_texts_of_fed_and_of_updated_values(sess: Any) -> None:
    v, step, _ = train_with_text()
    p = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([step]):
        after = tf.as_string(v.read_value(), precision=0)
    fed = tf.as_string(p, precision=0)
    words = tf.placeholder(tf.string, [])
    sess.run(v.initializer)
    got = sess.run([after, fed, tf.string_join([words, fed]), v], {p: 4, words: "n="})
    assert got == [b"2", b"4", b"n=4", 2.0]


def test_zero_bytes_at_the_end_are_kept(sess: Any) -> None:
    odd = tf.py_func(lambda: b"a\0\0", [], tf.string)
    p = tf.placeholder(tf.string, [])
    joined = tf.string_join([odd, p])
    same = tf.py_func(lambda a: a, [p], tf.string)
    assert sess.run([joined, same, p], {p: b"b\0"}) == [b"a\0\0b\0", b"b\0", b"b\0"]


# --------------------------------------------------------------------- inside loops and branches


def test_in_the_branch_that_is_taken(sess: Any) -> None:
    p, x = tf.placeholder(tf.bool, []), tf.placeholder(tf.float32, [])
    log = Log()

    def branch() -> Any:
        with tf.control_dependencies([tf.Assert(x > 0.0, ["bad"])]):
            return log.op("a", tf.identity(x))

    y = tf.cond(p, branch, lambda: x * 2.0)
    assert sess.run(y, {p: False, x: -1.0}) == -2.0
    assert log.tags == ""
    assert sess.run(y, {p: True, x: 3.0}) == 3.0
    assert log.tags == "a"
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        sess.run(y, {p: True, x: -1.0})
    text = tf.cond(p, lambda: tf.constant("yes"), lambda: tf.string_join(["n", "o"]))
    assert [sess.run(text, {p: v}) for v in (True, False)] == [b"yes", b"no"]


def test_in_each_iteration(sess: Any) -> None:
    n = tf.placeholder(tf.float32, [])

    def body(i: Any, a: Any) -> Any:
        with tf.control_dependencies([tf.assert_less(i, 5.0)]):
            return i + 1.0, a * 2.0

    native = tf.while_loop(lambda i, a: i < n, body, [0.0, 1.0])
    assert sess.run(native, {n: 4.0}) == (4.0, 16.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
        sess.run(native, {n: 7.0})
    log = Log()
    scalar = tf.TensorShape([])
    driven = tf.while_loop(
        lambda i, t, a: i < n,
        lambda i, t, a: (i + 1.0, tf.string_join([t, "x"]), tf.reshape(log.op("b", a * 2.0), [])),
        [0.0, "s", 1.0], shape_invariants=[scalar] * 3,
    )  # fmt: skip
    assert sess.run(driven, {n: 3.0}) == (3.0, b"sxxx", 8.0)
    assert log.calls == [("b", 2.0), ("b", 4.0), ("b", 8.0)]


def test_threads_share_a_run_in_parts(sess: Any) -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.py_func(lambda a: a * 2.0, [x + 1.0], tf.float32)
    z = tf.reduce_sum(tf.py_func(lambda a: a + 1.0, [y * 3.0], tf.float32))
    wrong: list[Any] = []

    def work(k: int) -> None:
        for n in range(1, 9):
            a = np.full(n, float(k), np.float32)
            got = sess.run(z, {x: a})
            if got != n * ((k + 1) * 6 + 1):
                wrong.append((k, n, got))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(LONG)
    assert not wrong
