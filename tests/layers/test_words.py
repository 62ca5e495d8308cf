"""Regularizers and initializers by Keras's words and dicts."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as tf

REGULARIZERS: list[tuple[Any, dict[str, float]]] = [
    ("l2", {"l1": 0.0, "l2": 0.01}),
    ("l1_l2", {"l1": 0.01, "l2": 0.01}),
    ({"class_name": "L1L2", "config": {"l1": 0.1, "l2": 0.2}}, {"l1": 0.1, "l2": 0.2}),
    ({"class_name": "l2", "config": {"l": 0.2}}, {"l1": 0.0, "l2": 0.2}),
]


@pytest.mark.parametrize(("word", "config"), REGULARIZERS)
def test_regularizer(word: Any, config: dict[str, float]) -> None:
    made = tf.keras.regularizers.get(word)
    assert {k: pytest.approx(v) for k, v in config.items()} == made.get_config()


def test_initializer_of_a_dict() -> None:
    word = {"class_name": "RandomNormal", "config": {"mean": 1.0, "seed": 3}}
    made = tf.keras.initializers.get(word).get_config()
    assert (made["mean"], made["stddev"], made["seed"]) == (1.0, 0.05, 3)


def test_layer_with_a_described_regularizer() -> None:
    word = {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.5}}
    with tf.Graph().as_default(), tf.Session() as sess:
        layer = tf.keras.layers.Dense(2, kernel_initializer="ones", kernel_regularizer=word)
        layer(tf.zeros([1, 3]))
        sess.run(tf.global_variables_initializer())
        assert sess.run(layer.losses) == [3.0]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("foo", "Unknown regularizer"),
        ({"class_name": "foo", "config": {}}, "Unknown regularizer"),
        ({"name": "l2"}, "Could not interpret regularizer identifier"),
        (5, "Could not interpret regularizer identifier"),
    ],
)
def test_refused(word: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tf.keras.regularizers.get(word)
