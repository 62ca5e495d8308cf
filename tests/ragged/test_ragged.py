"""Ragged tensors: each expression gives what it gives in TensorFlow 1.15."""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
answers = __import__("answers")
EXPECTED = json.loads((HERE / "answers.json").read_text(encoding="utf-8"))

#: Errors of another type: recorded here what TensorFlow finds in a run, and operands of other
#: ragged ranks.
ERRORS = {"InvalidArgumentError": {"ValueError"}}
#: Gradients are tensors here.
OTHER = {"tf.gradients(tf.reduce_sum(tf.reduce_sum(f*f,axis=1)),f.flat_values)": [[2.0, 4.0, 7.0]]}


@pytest.fixture(autouse=True)
def _graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def fits(mine: str, theirs: str) -> bool:
    """Whether a static shape is TensorFlow's, or knows more or less of it."""
    a, b = tf.TensorShape(None), tf.TensorShape(None)
    for text in (mine, theirs):
        if text != "<unknown>":
            sizes = [s for s in text.strip("()").replace(" ", "").split(",") if s]
            shape = tf.TensorShape([None if s == "?" else int(s) for s in sizes])
            a, b = b, shape
    return bool(a.is_compatible_with(b))


@pytest.mark.parametrize("expression", answers.EXPRESSIONS)
def test_as_in_tensorflow(expression: str) -> None:
    got = json.loads(json.dumps(answers.answer(tf, expression)))
    want = OTHER.get(expression, EXPECTED[expression])
    if isinstance(want, str) and want.endswith("Error"):
        assert got == want or got in ERRORS.get(want, ())
    elif isinstance(want, list) and len(want) == 3 and isinstance(want[1], str):
        assert got[0] == want[0]
        assert got[2] == want[2]
        assert fits(got[1], want[1])
    else:
        assert got == want


def test_fed_and_trained() -> None:
    """Words of sentences, fed as they are: the mean of their vectors is learnt."""
    words = tf.ragged.placeholder(tf.int32, 1, (), name="words")
    table = tf.get_variable("table", initializer=np.zeros((5, 2), np.float32))
    vectors = tf.gather(table, words)
    means = tf.reduce_mean(vectors, axis=1)
    loss = tf.reduce_sum(tf.square(means - [[1.0, 2.0]]))
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for sentences in ([[0, 1], [2]], [[3], [0, 2, 1], [3, 1]], [[1, 2, 3]]) * 40:
            sess.run(step, {words: tf.ragged.constant_value(sentences, np.int32)})
        value = tf.ragged.constant_value([[0, 1], [3]], np.int32)
        got = sess.run([means, vectors, tf.shape(vectors.to_tensor())], {words: value})
        np.testing.assert_allclose(got[0], [[1.0, 2.0]] * 2, atol=0.02)
        assert got[1].shape == (2, None, 2)
        assert got[2].tolist() == [2, 2, 2]
        assert (sess.run(table)[4] == 0).all()
        with pytest.raises(TypeError, match="RaggedTensorValue"):
            sess.run(means, {words: [[1], [2]]})


def test_value() -> None:
    v = tf.ragged.constant_value([[[1], [2, 3]], []])
    assert v.ragged_rank == 2
    assert v.shape == (2, None, None)
    assert v.flat_values.tolist() == [1, 2, 3]
    assert [s.tolist() for s in v.nested_row_splits] == [[0, 2, 2], [0, 1, 3]]
    assert (
        eval(repr(v), {"tf": tf.ragged, "array": np.array, "int32": np.int32}).to_list()
        == v.to_list()
    )
    assert str(v) == "<tf.RaggedTensorValue [[[1], [2, 3]], []]>"
    with pytest.raises(TypeError, match="row_splits"):
        tf.ragged.RaggedTensorValue(np.arange(3), [0, 3])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda s: tf.RaggedTensor.from_row_splits([1, 2, 3], s), "from_row_splits do not form"),
        (lambda s: tf.RaggedTensor.from_row_lengths([1, 2, 3], s), "from_row_lengths do not form"),
    ],
)
def test_rows_that_do_not_fit_are_found_in_the_run(make: Any, text: str) -> None:
    splits = tf.placeholder(tf.int64, [None])
    x = make(splits) * 1
    with tf.Session() as sess, pytest.raises(tf.errors.InvalidArgumentError, match=text):
        sess.run(x, {splits: [0, 2]})


def test_functions_keep_their_signatures() -> None:
    """Those that take ragged tensors say what they are, and cost nothing without them."""
    import inspect

    from graphc.ops import arrays

    assert inspect.unwrap(tf.concat) is arrays.concat
    assert str(inspect.signature(tf.gather)) == str(inspect.signature(arrays.gather))
    assert tf.manip.gather_nd is tf.gather_nd
    for refused in (tf.reverse, tf.convert_to_tensor):
        with pytest.raises(TypeError, match=r"Consider its method to_tensor\(\)"):
            refused(tf.ragged.constant([[1], []]), *([[0]] if refused is tf.reverse else []))


def test_rows_cut_by_lengths_and_their_sums_count_the_operations_of_tensorflow() -> None:
    with tf.Graph().as_default() as g:
        x, n = tf.placeholder(tf.float32, [None, None, 4]), tf.placeholder(tf.int32, [None])
        marks = [g._last_id]
        rows = tf.RaggedTensor.from_tensor(x, lengths=n)
        marks.append(g._last_id)
        tf.reduce_sum(rows, axis=1)
        marks.append(g._last_id)
        tf.reduce_max(rows, axis=1)
        marks.append(g._last_id)
        mean = tf.reduce_mean(rows, axis=1)
        marks.append(g._last_id)
        assert np.diff(marks).tolist() == [48, 74, 74, 152]
        with tf.Session() as s:
            fed = {x: [[[1.0] * 4, [3.0] * 4], [[5.0] * 4, [7.0] * 4]], n: [2, 1]}
            assert s.run(mean, fed).tolist() == [[2.0] * 4, [5.0] * 4]
