"""`partial_run`: values and refusals are TensorFlow 1.15's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

INVALID = tf.errors.InvalidArgumentError


@pytest.fixture
def run() -> Iterator[Any]:
    """A session, three placeholders, their sum and product, and a variable that is counted up."""
    with tf.Graph().as_default(), tf.Session() as sess:
        a, b, c = [tf.placeholder(tf.float32, [], n) for n in "abc"]
        total = tf.add(a, b, name="total")
        v = tf.Variable(1.0)
        made = {"a": a, "b": b, "c": c, "total": total, "product": total * c, "v": v}
        sess.run(v.initializer)
        yield sess, made


def test_two_steps(run: Any) -> None:
    sess, t = run
    h = sess.partial_run_setup([t["total"], t["product"]], [t["a"], t["b"], t["c"]])
    first = sess.partial_run(h, t["total"], {t["a"]: 1, t["b"]: 2})
    assert first == 3.0
    assert sess.partial_run(h, {"x": [t["product"]]}, {t["c"]: first + 2}) == {"x": [15.0]}
    with pytest.raises(INVALID, match="Must run 'setup' before"):  # everything was fetched
        sess.partial_run(h, t["product"], {t["c"]: 5})


def test_value_between_is_fed(run: Any) -> None:
    sess, t = run
    h = sess.partial_run_setup(["total:0", t["product"]], [t["c"], t["total"]])
    assert sess.partial_run(h, t["product"], {"total:0": 7, t["c"]: 2}) == 14.0


REFUSED = [
    ("product", {"a": 1, "b": 2}, r"Fetch c:0 can't be computed from the feeds"),
    ("total", {}, r"Fetch a:0 can't be computed"),
    ("total", {"v": 1}, r"was not specified in partial_run_setup"),
    ("v", {"a": 1}, r"was not specified in partial_run_setup"),
]


@pytest.mark.parametrize(("fetch", "fed", "text"), REFUSED)
def test_refused(run: Any, fetch: str, fed: Any, text: str) -> None:
    """And the run goes on as if nothing had been asked."""
    sess, t = run
    h = sess.partial_run_setup([t["total"], t["product"]], [t["a"], t["b"], t["c"]])
    with pytest.raises(INVALID, match=text):
        sess.partial_run(h, t[fetch], {t[k]: x for k, x in fed.items()})
    assert sess.partial_run(h, t["total"], {t["a"]: 1, t["b"]: 2}) == 3.0
    with pytest.raises(INVALID, match="a:0 has already been fed"):
        sess.partial_run(h, t["product"], {t["a"]: 1, t["c"]: 2})
    with pytest.raises(INVALID, match="total:0 has already been fetched"):
        sess.partial_run(h, t["total"])
    with pytest.raises(ValueError, match="Cannot feed value of shape"):
        sess.partial_run(h, t["product"], {t["c"]: [2, 3]})
    assert sess.partial_run(h, t["product"], {t["c"]: 2}) == 6.0


def test_setup_and_handles(run: Any) -> None:
    sess, t = run
    with pytest.raises(INVALID, match="at least one target"):
        sess.partial_run_setup([], [t["a"]])
    with pytest.raises(TypeError, match="Fetch argument None"):
        sess.partial_run_setup(None)
    with pytest.raises(INVALID, match="Must run 'setup'"):
        sess.partial_run("x", t["total"], {t["a"]: 1, t["b"]: 2})
    h = sess.partial_run_setup([t["total"].op, t["product"]], [t["a"], t["b"], t["c"]])
    with pytest.raises(RuntimeError, match="requires empty target_list"):
        sess.partial_run(h, t["total"].op, {t["a"]: 1, t["b"]: 2})
    with tf.Session() as other, pytest.raises(INVALID, match="Must run 'setup'"):
        other.partial_run(h, t["product"])
    sess.close()
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.partial_run_setup([t["total"]])


def test_nothing_runs_twice(run: Any) -> None:
    """A number is drawn once, a variable counted once, also where later steps read them."""
    sess, t = run
    drawn = tf.random_uniform([])
    inner = drawn * 2.0
    up = t["v"].assign_add(1.0)
    h = sess.partial_run_setup([inner, inner + drawn + t["c"], up, up * t["c"]], [t["c"]])
    with pytest.raises(INVALID, match="was not specified"):
        sess.partial_run(h, drawn)
    fetches = [inner, up]
    x, one = sess.partial_run(h, fetches)
    assert one == 2.0
    assert len(sess._partial) == 1
    going = sess._partial[h]
    y, two = sess.partial_run(h, sorted(going.left, key=lambda v: v.op.id), {t["c"]: 4.0})
    np.testing.assert_allclose(y, x * 1.5 + 4.0, rtol=1e-6)
    assert two == 8.0
    assert sess.run(t["v"]) == 2.0


def test_operations_of_the_setup(run: Any) -> None:
    """An operation runs once what it needs was fed, though nobody fetches it."""
    sess, t = run
    new = t["v"].assign(t["c"])
    h = sess.partial_run_setup([new.op, t["total"], t["product"]], [t["a"], t["b"], t["c"]])
    sess.partial_run(h, t["total"], {t["a"]: 1, t["b"]: 2})
    assert sess.run(t["v"]) == 1.0
    sess.partial_run(h, t["product"], {t["c"]: 5})
    assert sess.run(t["v"]) == 5.0


def test_update_by_a_result(run: Any) -> None:
    sess, t = run
    y = t["v"] * t["a"]
    new = t["v"].assign(t["v"] - t["b"])
    h = sess.partial_run_setup([y, new], [t["a"], t["b"]])
    assert sess.partial_run(h, y, {t["a"]: 3.0}) == 3.0
    assert sess.partial_run(h, new, {t["b"]: 3.0}) == -2.0


def test_effect_before_in_an_earlier_step(run: Any) -> None:
    """It would happen again: refused, and the variable stays."""
    sess, t = run
    up = t["v"].assign_add(1.0)
    with tf.control_dependencies([up]):
        late = t["c"] * 2.0
    h = sess.partial_run_setup([up, late], [t["c"]])
    sess.partial_run(h, up)
    with pytest.raises(tf.errors.UnimplementedError, match="fetch both in one step"):
        sess.partial_run(h, late, {t["c"]: 1.0})
    assert sess.run(t["v"]) == 2.0
    h = sess.partial_run_setup([up, late], [t["c"]])
    assert sess.partial_run(h, [up, late], {t["c"]: 1.0}) == [3.0, 2.0]


def test_step_that_fails_ends_the_run(run: Any) -> None:
    sess, t = run
    fails = tf.check_numerics(t["a"], "bad")
    h = sess.partial_run_setup([fails, t["product"]], [t["a"], t["b"], t["c"]])
    with pytest.raises(INVALID, match="bad"):
        sess.partial_run(h, fails, {t["a"]: np.nan})
    with pytest.raises(INVALID, match="Must run 'setup'"):
        sess.partial_run(h, t["product"], {t["b"]: 1, t["c"]: 1})
