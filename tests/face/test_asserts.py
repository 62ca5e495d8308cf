"""The assert family and printing; messages are those TF 1.15 gave."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.counting import counters


@pytest.fixture(autouse=True)
def sess() -> Iterator[Any]:
    tf.reset_default_graph()
    with tf.Session() as s:
        yield s
    tf.reset_default_graph()


def x(shape: Any = None) -> Any:
    return tf.placeholder(tf.float32, shape, name="x")


def did_not(sign: str, shown: str, second: str = " [y ({}/y:0) = ] [2]") -> str:
    return (
        f"assertion failed: [Condition x {sign} y did not hold element-wise:] "
        f"[x (x:0) = ] {shown}{second}"
    )


# name → (assertion, values that fail it, message, values that pass)
RUN: dict[str, tuple[Callable[[Any], Any], Any, str, Any]] = {
    "assert_equal": (
        lambda x: tf.assert_equal(x, 2.0, message="msg"), [1, 2, 3, 4, 5],
        "assertion failed: [msg] [Condition x == y did not hold element-wise:] [x (x:0) = ] "
        "[1 2 3...] [y (assert_equal/y:0) = ] [2]", [2, 2],
    ),
    "assert_none_equal": (
        lambda x: tf.assert_none_equal(x, 2.0), [1, 2], did_not("!=", "[1 2]"), [1],
    ),
    "assert_less": (
        lambda x: tf.assert_less(x, 2.0, data=["dd"], summarize=1), [1, 2],
        "assertion failed: [dd]", [1],
    ),
    "assert_less_equal": (
        lambda x: tf.assert_less_equal(x, 2.0), [1, 3], did_not("<=", "[1 3]"), [2],
    ),
    "assert_greater": (lambda x: tf.assert_greater(x, 2.0), [1, 3], did_not(">", "[1 3]"), [3]),
    "assert_greater_equal": (
        lambda x: tf.assert_greater_equal(x, 2.0), [1, 3], did_not(">=", "[1 3]"), [2],
    ),
    "assert_near": (
        lambda x: tf.assert_near(x, 2.0, rtol=0.1, atol=0.0), [1, 2],
        "[x (x:0) = ] [1 2] [y (assert_near/y:0) = ] [2]", [2, 2.1],
    ),
    "assert_positive": (
        tf.assert_positive, [1, -2],
        "assertion failed: [] [Condition x > 0 did not hold element-wise:] [x (x:0) = ] [1 -2]",
        [1],
    ),
    "assert_negative": (tf.assert_negative, [0], "Condition x < 0 did not hold", [-1]),
    "assert_non_negative": (tf.assert_non_negative, [-1], "x >= 0 did not hold", [0]),
    "assert_non_positive": (tf.assert_non_positive, [1], "x <= 0 did not hold", [0]),
    "assert_rank": (
        lambda x: tf.assert_rank(x, 2), [1, 2],
        "assertion failed: [] [Tensor x:0 must have rank] [2] [Received shape: ] [2]", [[1]],
    ),
    "assert_rank_at_least": (
        lambda x: tf.assert_rank_at_least(x, 2, message="mm"), [1, 2],
        "assertion failed: [mm] [Tensor x:0 must have rank at least] [2] [Received shape: ] [2]",
        [[[1]]],
    ),
    "assert_rank_in": (
        lambda x: tf.assert_rank_in(x, [2, 3]), [1, 2],
        "assertion failed: [] [Tensor x:0 must have rank in] [2] [3] [Received shape: ] [2]",
        [[[1]]],
    ),
    "assert_shapes": (
        lambda x: tf.debugging.assert_shapes([(x, ("n", 3)), (tf.transpose(x), (3, "n"))]),
        np.zeros((2, 4)), "assertion failed: [] [Specified explicitly] [Tensor x:0 dimension] [1] "
        "[must have size] [3] [Received shape: ] [2 4]", np.zeros((2, 3)),
    ),
    "ensure_shape": (
        lambda x: tf.ensure_shape(x, [2, None]), [1, 2],
        "[2] is not compatible with expected shape [2,?].", np.zeros((2, 3)),
    ),
    "check_numerics nan": (
        lambda x: tf.check_numerics(x, "hey"), [1, np.nan], "hey : Tensor had NaN values", [1],
    ),
    "check_numerics inf": (
        lambda x: tf.check_numerics(x, "hey"), [1, np.inf], "hey : Tensor had Inf values", [1],
    ),
    "check_numerics both": (
        lambda x: tf.check_numerics(x, "hey").op, [np.nan, -np.inf],
        "hey : Tensor had Inf and NaN values", [1],
    ),
    "verify_tensor_all_finite": (
        lambda x: tf.verify_tensor_all_finite(x, "hey"), [np.inf], "hey : Tensor had Inf", [1],
    ),
    "add_check_numerics_ops": (
        lambda x: (tf.exp(x), tf.add_check_numerics_ops())[1], [1, 1000],
        "Exp:0 : Tensor had Inf values", [1],
    ),
    "Assert vector": (
        lambda x: tf.Assert(x > 0.0, ["bad"]), [1, 2], "In[0] should be a scalar: [2]", 1.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RUN)
def test_in_a_run(sess: Any, name: str) -> None:
    make, bad, words, good = RUN[name]
    feed = x()
    checked = make(feed)
    words = words.format(name.split()[0])
    for _ in range(2):
        sess.run(checked, {feed: good})
        with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(words)) as e:
            sess.run(checked, {feed: bad})
    assert "test_asserts.py" in str(e.value)


STATIC: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "equal": (
        lambda: tf.assert_equal([1, 2], [1, 3]), tf.errors.InvalidArgumentError,
        "Condition x == y did not hold element-wise:\nx (assert_equal/x:0) = \n[1 2]\n"
        "y (assert_equal/y:0) = \n[1 3]",
    ),
    "data": (
        lambda: tf.assert_equal([1, 2], [1, 3], message="hm", data=["d"]),
        tf.errors.InvalidArgumentError, "hm\nd",
    ),
    "positive": (
        lambda: tf.assert_positive([1.0, -2.0]), tf.errors.InvalidArgumentError,
        "Condition x > 0 did not hold element-wise:",
    ),
    "rank": (
        lambda: tf.assert_rank(x([3]), 2), ValueError,
        ".  Tensor x:0 must have rank 2.  Received rank 1, shape (3,)",
    ),
    "at least": (
        lambda: tf.assert_rank_at_least(x([3]), 2, message="mm"), ValueError,
        "mm.  Tensor x:0 must have rank at least 2.  Received rank 1, shape (3,)",
    ),
    "in": (lambda: tf.assert_rank_in(x([3]), [2, 3]), ValueError, "must have rank in (2, 3)."),
    "type": (
        lambda: tf.assert_type(x(), tf.int32, message="m"), TypeError, "m  x:0 must be of type",
    ),
    "integer": (
        lambda: tf.assert_integer(x()), TypeError,
        '  Expected "x" to be integer type.  Found: x:0 of dtype',
    ),
    "scalar": (
        lambda: tf.assert_scalar(x([3])), ValueError,
        "Expected scalar shape for x:0, saw shape: (3,).",
    ),
    "same float": (
        lambda: tf.assert_same_float_dtype([x([]), tf.constant(1.0, tf.float64)]), ValueError,
        "must be of the same type",
    ),
    "float": (
        lambda: tf.assert_same_float_dtype([tf.constant(1)]), ValueError,
        "Expected floating point type",
    ),
    "iterable": (
        lambda: tf.assert_proper_iterable("abc"), TypeError, 'Expected argument "values" to be',
    ),
    "shapes": (
        lambda: tf.debugging.assert_shapes({x([3, 4]): ("N", "Q"), tf.zeros([2]): ("N",)}),
        ValueError, ".  Specified by tensor x:0 dimension 0.  Tensor zeros:0 dimension 0 must "
        "have size 3.  Received size 2, shape (2,)",
    ),
    "shapes rank": (
        lambda: tf.debugging.assert_shapes([(x([3, 4]), ("N",))]), ValueError,
        "must have rank in (0, 1).  Received rank 2",
    ),
    "ensure": (
        lambda: tf.ensure_shape(x([3]), [2]), ValueError,
        "Dimension 0 in both shapes must be equal",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATIC)
def test_at_once(name: str) -> None:
    make, error, words = STATIC[name]
    with pytest.raises(error, match=re.escape(words)):
        make()


def test_known_to_hold(sess: Any) -> None:
    a = x([3])
    for done in (
        tf.assert_rank(a, 1), tf.assert_type(a, tf.float32), tf.assert_equal([1, 2], [1, 2]),
        tf.assert_integer(tf.constant(1)), tf.debugging.assert_shapes({a: (3,)}),
    ):  # fmt: skip
        assert sess.run(done) is None
    assert tf.assert_scalar(2.0).shape == ()
    assert tf.assert_same_float_dtype([a, tf.constant(1.0)]) is tf.float32
    assert tf.is_numeric_tensor(a)
    assert not tf.is_numeric_tensor([1])
    assert tf.ensure_shape(x([None, 3]), [2, None]).shape.as_list() == [2, 3]


def test_order(sess: Any) -> None:
    got = [
        sess.run([tf.is_non_decreasing(a), tf.is_strictly_increasing(a)])
        for a in ([1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [[1.0, 2.0], [3.0, 4.0]], [1.0])
    ]
    assert got == [[1, 0], [1, 1], [0, 0], [1, 1], [1, 1]]


def test_a_failed_assertion_keeps_updates_back_and_does_not_cut(sess: Any) -> None:
    v = tf.Variable(1.0)
    feed = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.Assert(feed > 0.0, ["feed", feed])]):
        up = tf.assign_add(v, feed)
    sess.run(v.initializer)
    before = counters.plans
    assert sess.run(up, {feed: 2.0}) == 3.0
    assert counters.plans == before + 1
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[feed\] \[-1\]") as e:
        sess.run(up, {feed: -1.0})
    assert e.value.op.name == "Assert/AssertGuard/Assert"
    assert sess.run(v) == 3.0


def test_a_function_after_an_assertion_is_not_called(sess: Any) -> None:
    called: list[int] = []
    feed = tf.placeholder(tf.float32, [])
    with tf.control_dependencies([tf.assert_positive(feed)]):
        y = tf.py_func(lambda a: called.append(1) or a, [tf.identity(feed)], tf.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="x > 0"):
        sess.run(y, {feed: -1.0})
    assert not called
    assert sess.run(y, {feed: 1.0}) == 1.0


def test_an_assertion_on_what_a_function_gives(sess: Any) -> None:
    y = tf.py_func(lambda: np.float32(-1.0), [], tf.float32)
    with tf.control_dependencies([tf.Assert(y > 0.0, ["y"])]):
        z = tf.constant(1.0) * 2.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"assertion failed: \[y\]"):
        sess.run(z)


def test_check_numerics_has_a_gradient_that_is_checked(sess: Any) -> None:
    a = x([2])
    y = tf.reduce_sum(tf.sqrt(tf.check_numerics(a, "forward")))
    g = tf.gradients(y, a)[0]
    np.testing.assert_allclose(sess.run(g, {a: [1.0, 4.0]}), [0.5, 0.25])
    with pytest.raises(tf.errors.InvalidArgumentError, match="detected in gradient"):
        sess.run(g, {a: [1.0, 0.0]})


# ------------------------------------------------------------------------- printing

NUMBERS = {
    "0.333333343": np.float32(1 / 3), "0.33333333333333331": np.float64(1 / 3),
    "1e+10": np.float32(1e10), "123456792": np.float32(123456789), "-0": np.float32(-0.0),
    "0.0999755859": np.float16(0.1), "1": True, '"by\\\'te\\n"': b"by'te\n",
    '"uni\\303\\251"': "uni\u00e9", "inf": np.float32("inf"), "nan": np.float32("nan"),
    "1e+06": np.float32(1e6), "1234567": np.float32(1234567), "-3": np.int64(-3),
}  # fmt: skip


@pytest.mark.parametrize("text", NUMBERS)
def test_one_element(sess: Any, text: str) -> None:
    assert sess.run(tf.strings.format("{}", tf.constant(NUMBERS[text]))).decode() == text


ARRAYS = [
    (np.arange(5), 2, "[0 1 ... 3 4]", "[0 1...]"),
    (np.arange(5), -1, "[0 1 2 3 4]", "[0 1 2 3 4]"),
    (np.arange(6).reshape(2, 3), 2, "[[0 1 2]\n [3 4 5]]", "[[0 1...]...]"),
    (
        np.arange(8).reshape(2, 2, 2), 3, "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]",
        "[[[0 1][2...]]...]",
    ),
    (np.array([["a", "b"], ["c", "d"]]), 3, '[["a" "b"]\n ["c" "d"]]', "[[a b][c...]...]"),
    (np.zeros(0), 3, "[]", "[]"),
    (np.array([True, False]), 2, "[1 0]", "[1 0]"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ARRAYS)))
def test_arrays(sess: Any, capsys: Any, case: int) -> None:
    a, limit, new, old = ARRAYS[case]
    t = tf.constant(a)
    assert sess.run(tf.strings.format("{}", t, summarize=limit)).decode() == new
    sess.run(tf.Print(0, [t], summarize=limit))
    assert capsys.readouterr().err == old + "\n"
    with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape("failed: " + old)):
        sess.run(tf.Assert(False, [t], summarize=limit))


def test_old_print(sess: Any, capsys: Any) -> None:
    a = tf.placeholder(tf.float32, [None])
    y = tf.Print(a * 2.0, [a, "text", tf.shape(a)], "m: ", first_n=2)
    loss = tf.reduce_sum(y * y)
    g = tf.gradients(loss, a)[0]
    for _ in range(3):
        np.testing.assert_array_equal(sess.run([loss, g], {a: [1.0, 2.0]})[1], [8.0, 16.0])
    assert capsys.readouterr().err == "m: [1 2][text][2]\n" * 2


def test_print_as_a_dependency_of_an_update(sess: Any, capsys: Any) -> None:
    v = tf.Variable(1.0)
    with tf.control_dependencies([tf.Print(0, [v], "v = ")]):
        up = tf.assign_add(v, 1.0)
    sess.run(v.initializer)
    sess.run(up)
    sess.run(up)
    assert capsys.readouterr().err == "v = [1]\nv = [2]\n"


def test_new_print(sess: Any, capsys: Any, tmp_path: Any) -> None:
    a = tf.constant([1.0, 2.0, 3.5, 1e-10, 0.1])
    k = tf.constant([[1, 2], [3, 4]])
    op = tf.print("a", a, {"k": k}, [1, tf.constant("s")], summarize=1)
    assert isinstance(op, tf.Operation)
    sess.run(op)
    said = capsys.readouterr().err
    assert said == "a [1 ... 0.1] {'k': [[1 2]\n [3 4]]} [1, \"s\"]\n"
    sess.run(tf.print(tf.range(20), tf.constant(0.1), sep=",", end="|", output_stream=sys.stdout))
    assert capsys.readouterr().out == "[0 1 2 ... 17 18 19],0.1|"
    file = tmp_path / "log.txt"
    sess.run(tf.print("x", output_stream=f"file://{file}"))
    assert file.read_text() == "x\n"
    with pytest.raises(ValueError, match="Output stream"):
        tf.print("x", output_stream=3)
    with pytest.raises(ValueError, match="placeholder"):
        tf.strings.format("{} {}", [a])
