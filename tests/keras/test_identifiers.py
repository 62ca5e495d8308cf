"""Keras' words and configurations: what TensorFlow 1.15 gives for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

K = tf.keras


def test_configurations_and_back() -> None:
    assert K.constraints.serialize(K.constraints.MaxNorm(2)) == {
        "class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}
    }  # fmt: skip
    assert K.constraints.serialize(K.constraints.min_max_norm(rate=0.2)) == {
        "class_name": "MinMaxNorm",
        "config": {"min_value": 0.0, "max_value": 1.0, "rate": 0.2, "axis": 0},
    }
    assert K.initializers.serialize(K.initializers.RandomNormal(seed=1)) == {
        "class_name": "RandomNormal",
        "config": {"mean": 0.0, "stddev": 0.05, "seed": 1, "dtype": "float32"},
    }
    assert K.layers.serialize(K.layers.Flatten(name="f")) == {
        "class_name": "Flatten",
        "config": {
            "name": "f", "trainable": True, "dtype": None, "data_format": "channels_last"
        },
    }  # fmt: skip
    for space, made in {
        "constraints": K.constraints.MinMaxNorm(0.1, axis=1),
        "initializers": K.initializers.VarianceScaling(2.0),
        "regularizers": K.regularizers.l1_l2(0.25, 0.5),
    }.items():
        module = getattr(K, space)
        config = module.serialize(made)
        again = module.deserialize(config)
        assert type(again) is type(made)
        assert module.serialize(again) == config
    layer = K.layers.deserialize({"class_name": "Dense", "config": {"units": 2, "name": "d"}})
    assert (layer.units, layer.name) == (2, "d")


def test_words() -> None:
    assert K.constraints.get(None) is None
    assert K.constraints.get("MaxNorm").get_config() == {"max_value": 2, "axis": 0}
    assert isinstance(K.constraints.deserialize("non_neg"), K.constraints.NonNeg)
    mine = K.constraints.NonNeg()
    assert K.constraints.get(mine) is mine
    for word in ("relu", "linear", "hard_sigmoid", "softmax"):
        f = K.activations.deserialize(word)
        assert K.activations.serialize(f) == word
    assert K.activations.serialize(tf.nn.relu) == "relu"


class Half(K.constraints.Constraint):  # type: ignore[misc, name-defined]
    def __call__(self, w: Any) -> Any:
        return w / 2.0


def test_classes_of_a_users_own() -> None:
    made = K.constraints.deserialize({"class_name": "Half", "config": {}}, {"Half": Half})
    assert isinstance(made, Half)
    assert K.constraints.serialize(made) == {"class_name": "Half", "config": {}}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: K.constraints.get("nope"), "Unknown constraint: nope"),
        (lambda: K.constraints.get(3), "Could not interpret constraint identifier: 3"),
        (lambda: K.constraints.deserialize({"x": 1}), "Improper config format: {'x': 1}"),
        (lambda: K.regularizers.deserialize({"class_name": "No", "config": {}}), "Unknown regul"),
        (lambda: K.initializers.deserialize("nope"), "Unknown initializer"),
        (lambda: K.activations.deserialize("nope"), "Unknown activation function"),
        (lambda: K.layers.deserialize({"class_name": "No", "config": {}}), "Unknown layer: No"),
    ],
)
def test_what_nobody_knows(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_lengths_between_two() -> None:
    w = np.arange(-3, 9, dtype=np.float32).reshape(4, 3)
    with tf.Session() as sess:
        by_rows = sess.run(K.constraints.MinMaxNorm(1.0, 2.0, rate=0.5, axis=1)(tf.constant(w)))
        whole = sess.run(K.constraints.MinMaxNorm()(tf.constant(w)))
    np.testing.assert_allclose(by_rows[1], [0.0, 0.94721, 1.89443], atol=1e-5)
    np.testing.assert_allclose(by_rows[3], [3.49154, 4.07346, 4.65539], atol=1e-5)
    np.testing.assert_allclose(whole[:, 0], [-0.40825, 0.0, 0.40825, 0.8165], atol=1e-5)


def test_where_a_tensor_comes_from() -> None:
    a, b = K.Input((3,), name="a"), K.Input((3,), name="b")
    both = K.layers.Dense(2)(K.layers.concatenate([a, b]))
    one = K.layers.Dense(2)(a)
    sources = K.utils.get_source_inputs
    assert [x is y for x, y in zip(sources(both), [a, b], strict=True)] == [True, True]
    assert [x.name for x in sources(K.layers.add([both, one]))] == [a.name, b.name]
    assert sources(one) == [a]
    assert sources(a) == [a]
    plain = tf.constant(1.0)
    assert sources(plain) is plain


def test_a_network_on_an_input_that_is_there() -> None:
    picture = K.Input((32, 32, 3), name="picture")
    net = K.applications.MobileNet(weights=None, input_tensor=picture, classes=3)
    assert (net.input_names, net.output_shape) == (["picture"], (None, 3))
