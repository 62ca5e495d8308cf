"""Configurations of locally connected layers and the convolutional LSTM; what they refuse."""

import pytest

import graphc as tf

L = tf.keras.layers
LAYERS = [
    (L.LocallyConnected2D, (5, 5, 1), {"strides": 2, "activation": "relu"}),
    (L.LocallyConnected1D, (6, 2), {"use_bias": False}),
    (L.ConvLSTM2D, (2, 5, 5, 1), {"padding": "same", "dropout": 0.5, "return_sequences": True}),
]


@pytest.mark.parametrize(("kind", "shape", "options"), LAYERS)
def test_read_back(kind, shape, options):
    tf.keras.backend.clear_session()
    made = kind(2, 3, input_shape=shape, **options)
    model = tf.keras.Sequential([made])
    again = tf.keras.models.model_from_json(model.to_json())
    assert again.output_shape == model.output_shape
    config = made.get_config()
    assert again.layers[0].get_config() == config
    for key, value in options.items():
        assert config[key] in (value, (value,) * 2)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: L.LocallyConnected2D(2, 3, padding="same"), ValueError, "only .valid. is"),
        (lambda: L.LocallyConnected1D(2, 3, implementation=2), NotImplementedError, "another sh"),
        (lambda: L.LocallyConnected1D(2, 3, implementation=7), ValueError, "Unrecognized"),
        (lambda: L.ConvLSTM2D(2, 3, padding="full"), ValueError, "'valid' or 'same'"),
        (lambda: L.LocallyConnected1D(2, 3)(tf.placeholder("float32", [2, None, 3])), ValueError,
         "fully defined"),
    ],
)  # fmt: skip
def test_refused(make, error, text):
    tf.keras.backend.clear_session()
    with pytest.raises(error, match=text):
        make()


def test_dropout_draws_for_each_gate():
    """While training outputs change from run to run; else they do not."""
    tf.keras.backend.clear_session()
    x = tf.ones([2, 3, 4, 4, 1])
    layer = L.ConvLSTM2D(2, 3, dropout=0.5, recurrent_dropout=0.5)
    busy, calm = layer(x, training=True), layer(x, training=False)
    session = tf.keras.backend.get_session()
    session.run(tf.global_variables_initializer())
    assert (session.run(busy) != session.run(busy)).any()
    assert (session.run(calm) == session.run(calm)).all()
