"""What tf.losses and tf.metrics refuse, with TF 1.15's words; corners of their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def graph() -> Any:
    with tf.Graph().as_default() as made:
        yield made


#: What each loss calls its two operands.
OPERANDS = {
    "absolute_difference": ("labels", "predictions"),
    "hinge_loss": ("labels", "logits"),
    "huber_loss": ("labels", "predictions"),
    "log_loss": ("labels", "predictions"),
    "mean_pairwise_squared_error": ("labels", "predictions"),
    "mean_squared_error": ("labels", "predictions"),
    "sigmoid_cross_entropy": ("multi_class_labels", "logits"),
    "softmax_cross_entropy": ("onehot_labels", "logits"),
    "sparse_softmax_cross_entropy": ("labels", "logits"),
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", OPERANDS)
def test_losses_want_both_operands(name: str, which: int) -> None:
    given: list[Any] = [tf.constant([[1.0, 2.0]])] * 2
    given[which] = None
    with pytest.raises(ValueError, match=f"^{OPERANDS[name][which]} must not be None"):
        getattr(tf.losses, name)(*given)


def test_the_distance_of_cosines_wants_an_axis() -> None:
    with pytest.raises(ValueError, match="You must specify 'axis'"):
        tf.losses.cosine_distance(tf.constant([1.0]), tf.constant([1.0]))


def test_the_small_number_of_log_loss_is_added() -> None:
    loss = tf.losses.log_loss([1.0, 0, 1, 0], [0.9, 0.2, 0.5, 1.0], epsilon=0.125)
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(loss), 0.650679, rtol=2e-6)


@pytest.mark.parametrize("value", [-0.1, 1.1])
@pytest.mark.parametrize(
    ("name", "word"),
    [("specificity_at_sensitivity", "sensitivity"), ("sensitivity_at_specificity", "specificity")],
)
def test_shares_are_between_0_and_1(name: str, word: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"`{word}` must be in the range \[0, 1\]"):
        getattr(tf.metrics, name)(tf.constant([True, False]), tf.constant([0.3, 0.6]), value)


@pytest.mark.parametrize(
    "name",
    ["accuracy", "mean_absolute_error", "mean_squared_error", "root_mean_squared_error"],
)
def test_shapes_that_do_not_fit(name: str) -> None:
    with pytest.raises(ValueError, match=r"Shapes \(3,\) and \(2,\) are incompatible"):
        getattr(tf.metrics, name)([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize("name", [None, "mine"])
def test_relative_errors(name: str | None) -> None:
    value, update = tf.metrics.mean_relative_error([1.0, 2.0], [1.5, 1.0], [2.0, 4.0], name=name)
    scope = name or "mean_relative_error"
    assert [value.name, update.name] == [f"{scope}/value:0", f"{scope}/update_op:0"]
    assert [v.name for v in tf.local_variables()] == [f"{scope}/total:0", f"{scope}/count:0"]
    with tf.Session() as sess:
        sess.run(tf.local_variables_initializer())
        assert sess.run(update) == 0.25


def test_classes_have_an_axis() -> None:
    classes, labels = (tf.constant(v, tf.int64) for v in (1, [[0]]))
    with pytest.raises(ValueError, match="rank of predictions_idx must be at least 1"):
        tf.contrib.metrics.streaming_sparse_average_precision_at_top_k(classes, labels)
