"""Feature columns that programs write themselves; values and names are TensorFlow 1.15's."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import pytest

import graphc as tf
from graphc.feature_column.custom import OldDenseColumn, WrittenDenseColumn

NUMBERS = [[2.0, 4.0], [6.0, 8.0]]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


class Half(OldDenseColumn, namedtuple("Half", "key")):
    """A column of the first kind, with a variable."""

    @property
    def name(self) -> str:
        return self.key + "_half"

    @property
    def _parse_example_spec(self) -> Any:
        return {self.key: tf.FixedLenFeature([2], tf.float32)}

    @property
    def _variable_shape(self) -> Any:
        return tf.TensorShape([2])

    def _transform_feature(self, inputs: Any) -> Any:
        return inputs.get(self.key) / 2.0

    def _get_dense_tensor(
        self, inputs: Any, weight_collections: Any = None, trainable: Any = None
    ) -> Any:
        w = tf.get_variable("w", [], initializer=tf.ones_initializer(), trainable=trainable)
        return inputs.get(self) * w


class Both(OldDenseColumn, WrittenDenseColumn, namedtuple("Both", "key")):
    """A column of both kinds; which way is taken shows in its numbers."""

    _is_v2_column = True
    variable_shape = _variable_shape = tf.TensorShape([2])

    @property
    def name(self) -> str:
        return self.key + "_both"

    def transform_feature(self, cache: Any, state: Any) -> Any:
        return cache.get(self.key, state) + 1.0

    def create_state(self, state: Any) -> None:
        three = tf.constant_initializer(3.0)
        state.create_variable(self, "scale", [2], tf.float32, initializer=three)
        state.add_resource(self, "shift", 7.0)

    def get_dense_tensor(self, cache: Any, state: Any) -> Any:
        scale = state.get_variable(self, "scale")
        return cache.get(self, state) * scale + state.get_resource(self, "shift")

    def _transform_feature(self, inputs: Any) -> Any:
        return inputs.get(self.key) + 1.0

    def _get_dense_tensor(
        self, inputs: Any, weight_collections: Any = None, trainable: Any = None
    ) -> Any:
        return inputs.get(self) * 10.0


def _features() -> dict[str, Any]:
    return {"x": tf.constant(NUMBERS)}


def _seen(value: Any) -> tuple[Any, list[str]]:
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(value).tolist(), [v.name for v in tf.global_variables()]


def test_input_layer_takes_the_first_way() -> None:
    plain = tf.feature_column.numeric_column("x", [2])
    found, names = _seen(tf.feature_column.input_layer(_features(), [Half("x"), plain]))
    assert found == [[2.0, 4.0, 1.0, 2.0], [6.0, 8.0, 3.0, 4.0]]
    assert names == ["input_layer/x_half/w:0"]
    tf.reset_default_graph()
    found, names = _seen(tf.feature_column.input_layer(_features(), [Both("x")]))
    assert found == [[30.0, 50.0], [70.0, 90.0]]
    assert names == []


def test_untrained_columns_have_untrained_variables() -> None:
    tf.feature_column.input_layer(_features(), [Half("x")], trainable=False)
    assert len(tf.global_variables()) == 1
    assert tf.trainable_variables() == []


def test_layers_take_the_second_way() -> None:
    plain = tf.feature_column.numeric_column("x", [2])
    layer = tf.keras.layers.DenseFeatures([Both("x"), plain])
    found, names = _seen(layer(_features()))
    assert found == [[2.0, 4.0, 16.0, 22.0], [6.0, 8.0, 28.0, 34.0]]
    assert names == ["dense_features/x_both/scale:0"]
    assert [v.name for v in layer.trainable_weights] == names
    with pytest.raises(ValueError, match="Items of feature_columns must be a FeatureColumn"):
        tf.keras.layers.DenseFeatures([Half("x")])


def test_linear_models() -> None:
    out = tf.feature_column.linear_model(_features(), [Both("x"), Half("x")])
    assert _seen(out) == (
        [[0.0], [0.0]],
        [
            "linear_model/x_both/weights:0", "linear_model/x_half/weights:0",
            "linear_model/x_half/w:0", "linear_model/bias_weights:0",
        ],
    )  # fmt: skip


def test_estimators_keep_what_columns_make() -> None:
    def given() -> Any:
        return _features(), tf.constant([[1.0], [2.0]])

    linear = tf.estimator.LinearRegressor([Both("x")]).train(given, steps=1)
    assert [n for n in linear.get_variable_names() if "Ftrl" not in n] == [
        "global_step", "linear/linear_model/bias_weights", "linear/linear_model/x_both/scale",
        "linear/linear_model/x_both/weights",
    ]  # fmt: skip
    deep = tf.estimator.DNNRegressor([2], [Half("x")]).train(given, steps=1)
    assert "dnn/input_from_feature_columns/input_layer/x_half/w" in deep.get_variable_names()


def test_what_columns_are_and_ask_for() -> None:
    column = tf.feature_column.numeric_column("x")
    ids = tf.feature_column.categorical_column_with_identity("a", 3)
    for base in (OldDenseColumn, WrittenDenseColumn):
        assert isinstance(column, base)
        assert not isinstance(ids, base)
    spec = tf.feature_column.make_parse_example_spec([Half("x")])
    assert spec["x"].shape == [2]
    with pytest.raises(ValueError, match="Feature x is not in features dictionary"):
        tf.feature_column.input_layer({}, [Half("x")])
