"""Weights of Keras layers are drawn from TensorFlow 1.15's seeds: as many operations before."""

import pytest

import graphc as tf

K = tf.keras
L = K.layers


def dense():
    return [L.Dense(8, "relu", input_shape=(4,)), L.Dropout(0.5), L.Dense(3, "softmax")]


def images():
    return [L.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3)), L.MaxPooling2D(),
            L.Conv2D(4, 3), L.Flatten(), L.Dense(10)]  # fmt: skip


def normalized():
    return [L.Conv2D(4, 3, input_shape=(8, 8, 3)), L.BatchNormalization(), L.Activation("relu"),
            L.GlobalAveragePooling2D(), L.Dense(10)]  # fmt: skip


def leaky():
    return [L.Dense(8, input_shape=(4,)), L.LeakyReLU(0.2), L.BatchNormalization(), L.Dense(3)]


def words(layer):
    return [L.Embedding(7, 3, input_length=5), layer, L.Dense(4, "relu"), L.Dense(1)]


def larger():
    return [L.Dense(8, input_shape=(4,)), L.Reshape((2, 2, 2)), L.UpSampling2D(),
            L.Conv2D(2, 3, padding="same"), L.Conv2DTranspose(2, 3), L.LeakyReLU(),
            L.Dense(2)]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "seeds"),
    [
        (dense, [6, 33, 51]),
        (images, [6, 29, 58]),
        (normalized, [6, 96]),
        (leaky, [6, 113]),
        (lambda: words(L.LSTM(3)), [6, 21, 32, 301, 322]),
        (lambda: words(L.GRU(3)), [6, 21, 32, 295, 316]),
        (lambda: words(L.GlobalAveragePooling1D()), [6, 23, 44]),
        (larger, [6, 44, 65, 113]),
    ],
)
def test_seeds(layers, seeds):
    K.backend.clear_session()
    tf.set_random_seed(1)
    K.Sequential(layers())
    made = tf.get_default_graph().get_operations()
    drawn = [o.get_attr("seed2") for o in made
             if o.type in ("RandomUniform", "TruncatedNormal", "RandomStandardNormal")]  # fmt: skip
    assert drawn == seeds
