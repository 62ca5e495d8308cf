"""Loops and arrays of strings; the values are TensorFlow 1.15's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphc as tf

A = ["a b", "c", "d e f"]


def grown() -> Any:
    ta = tf.TensorArray(tf.string, size=0, dynamic_size=True)
    return tf.while_loop(
        lambda i, t: i < 4, lambda i, t: (i + 1, t.write(i, tf.as_string(i))), [0, ta]
    )[1].stack()


def written() -> Any:
    ta = tf.TensorArray(tf.string, size=3).write(0, "x").write(2, "y").write(1, "")
    return ta.stack()


CASES: dict[str, tuple[Callable[[], Any], list[bytes]]] = {
    "map": (lambda: tf.map_fn(lambda t: t + "!", tf.constant(A)), [b"a b!", b"c!", b"d e f!"]),
    "from numbers": (
        lambda: tf.map_fn(tf.as_string, tf.constant([1, 2]), dtype=tf.string), [b"1", b"2"]
    ),
    "of strings and numbers": (
        lambda: tf.map_fn(
            lambda t: (t + "1", tf.strings.length(t)), tf.constant(A), dtype=(tf.string, tf.int32)
        )[0],
        [b"a b1", b"c1", b"d e f1"],
    ),
    "vectors": (
        lambda: tf.reshape(tf.map_fn(lambda t: tf.stack([t, t + "?"]), tf.constant(A[:2])), [-1]),
        [b"a b", b"a b?", b"c", b"c?"],
    ),
    "scan": (
        lambda: tf.scan(lambda a, x: tf.string_join([a, x], "-"), tf.constant(A)),
        [b"a b", b"a b-c", b"a b-c-d e f"],
    ),
    "grown": (grown, [b"0", b"1", b"2", b"3"]),
    "written": (written, [b"x", b"", b"y"]),
    "scattered": (
        lambda: tf.TensorArray(tf.string, size=4)
        .scatter([2, 0, 3], tf.constant(["a", "b", "c"]))
        .gather([0, 2, 3]),
        [b"b", b"a", b"c"],
    ),
    "unstacked": (
        lambda: tf.TensorArray(tf.string, size=2).unstack(tf.constant(["p", "q"])).gather([1, 0]),
        [b"q", b"p"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_arrays_of_strings(case: str) -> None:
    make, expected = CASES[case]
    with tf.Graph().as_default(), tf.Session() as sess:
        assert sess.run(make()).tolist() == expected
