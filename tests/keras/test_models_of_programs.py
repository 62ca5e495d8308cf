"""Names that programs give to objects of their own, and models of lists; as TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf

keras: Any = tf.keras


class Threes(keras.initializers.Initializer):  # type: ignore[misc]
    def __init__(self, a: float = 3.0) -> None:
        self.a = a

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return tf.constant(self.a, shape=shape)

    def get_config(self) -> dict[str, float]:
        return {"a": self.a}


class Descent(keras.optimizers.SGD):  # type: ignore[misc]
    """An optimizer under another name."""


def half(w: Any) -> Any:
    return tf.reduce_sum(w) * 0.5


def seven(x: Any) -> Any:
    return x * 7.0


def difference(a: Any, b: Any) -> Any:
    return tf.reduce_sum(a - b)


def total(a: Any, b: Any) -> Any:
    return tf.reduce_sum(a + b)


OWN = {
    "Threes": Threes, "Descent": Descent, "half": half, "seven": seven, "difference": difference,
    "total": total, "relu": seven,
}  # fmt: skip


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    tf.reset_default_graph()
    known = dict(keras.utils.get_custom_objects())
    yield
    keras.utils.get_custom_objects().clear()
    keras.utils.get_custom_objects().update(known)


FOUND: dict[str, tuple[Callable[[], Any], Any]] = {
    "activation": (lambda: keras.activations.get("seven"), seven),
    "loss": (lambda: keras.losses.get("difference"), difference),
    "metric": (lambda: keras.metrics.get("total"), total),
    "regularizer": (lambda: keras.regularizers.get("half"), half),
    "initializer": (lambda: type(keras.initializers.get("Threes")), Threes),
    "configured": (
        lambda: keras.initializers.get({"class_name": "Threes", "config": {"a": 2.0}}).a, 2.0,
    ),
    "optimizer": (lambda: type(keras.optimizers.get("Descent")), Descent),
    "shadowed": (lambda: keras.activations.get("relu"), seven),
    "plain layer": (lambda: tf.layers.Dense(1, activation="seven").activation, seven),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_names_are_found_in_a_scope_and_not_behind_it(what: str) -> None:
    get, expected = FOUND[what]
    with keras.utils.custom_object_scope(OWN):
        assert get() == expected
    if what == "shadowed":
        assert get() is not seven
    else:
        with pytest.raises(ValueError, match="Unknown"):
            get()


def test_a_model_of_named_things_trains_and_comes_back() -> None:
    keras.utils.get_custom_objects().update(OWN)
    layers = [
        keras.layers.Dense(
            2, activation="seven", kernel_initializer="Threes", kernel_regularizer="half",
            input_shape=[3],
        ),
        keras.layers.Activation("seven"),
    ]  # fmt: skip
    model = keras.Sequential(layers)
    model.compile("Descent", "difference", ["total"])
    x = np.ones((1, 3))
    assert model.predict(x).tolist() == [[441.0, 441.0]]
    assert model.evaluate(x, np.ones((1, 2)), verbose=0) == [-871.0, 884.0]
    again = keras.models.model_from_json(model.to_json())
    assert again.predict(x).tolist() == [[441.0, 441.0]]


def test_a_list_of_one_tensor_is_that_tensor() -> None:
    """As in TensorFlow 1.15: what such models give can be sliced and handed on."""
    x = keras.layers.Input([3])
    y = keras.layers.Dense(2)(x)
    for ins, outs in (([x], [y]), (x, [y]), ([x], y)):
        model = keras.models.Model(inputs=ins, outputs=outs)
        assert model.input is x
        assert model.output is y
        assert model.outputs == [y]
        assert model(tf.ones([4, 3])).shape.as_list() == [4, 2]
        assert model.predict(np.ones((1, 3))).shape == (1, 2)
    named = keras.models.Model({"a": x}, {"b": y})
    assert isinstance(named.output, dict)
