"""``tf.keras.preprocessing``: what TensorFlow 1.15 gives."""

import json
import pathlib
import sys

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
cases = __import__("preprocessing_cases")
WANTED = json.loads((HERE / "preprocessing.json").read_text(encoding="utf-8"))
FOUND = cases.answers(tf)


@pytest.mark.parametrize("what", sorted(WANTED))
def test_as_in_tensorflow(what):
    assert FOUND[what] == WANTED[what]


def test_tokenizers_are_read_back():
    text = tf.keras.preprocessing.text
    for options in cases.TOKENIZERS:
        made = text.Tokenizer(**options)
        made.fit_on_texts(cases.TEXTS[:2])
        again = text.tokenizer_from_json(made.to_json())
        assert again.get_config() == made.get_config()
        assert again.texts_to_matrix(["the cat"], "tfidf").tolist() == (
            made.texts_to_matrix(["the cat"], "tfidf").tolist()
        )


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda t, s: s.TimeseriesGenerator([1, 2], [1], 1), ValueError, "of same length"),
        (lambda t, s: s.TimeseriesGenerator([1, 2], [1, 2], 5), ValueError, "is disallowed"),
        (lambda t, s: t.Tokenizer().texts_to_matrix(["a"]), ValueError, "Specify a dimension"),
        (lambda t, s: t.Tokenizer(3).texts_to_matrix(["a"], "tfidf"), ValueError, "Fit the"),
        (lambda t, s: t.Tokenizer(3).texts_to_matrix(["a"], "x"), ValueError, "Unknown vector"),
        (lambda t, s: t.Tokenizer(bad=1), TypeError, "Unrecognized keyword"),
    ],
)
def test_refused(make, error, text):
    words, sequence = tf.keras.preprocessing.text, tf.keras.preprocessing.sequence
    with pytest.raises(error, match=text):
        make(words, sequence)


def test_series_are_trained_on():
    """`fit_generator` takes the batches."""
    data = np.sin(np.arange(60) / 3.0)[:, None].astype(np.float32)
    series = tf.keras.preprocessing.sequence.TimeseriesGenerator(data, data, 4, batch_size=16)
    with tf.Graph().as_default():
        model = tf.keras.Sequential(
            [tf.keras.layers.Flatten(input_shape=(4, 1)), tf.keras.layers.Dense(1)]
        )
        model.compile(tf.keras.optimizers.Adam(0.05), "mse")
        history = model.fit_generator(series, epochs=12, verbose=0).history["loss"]
    assert history[-1] < 0.2 * history[0]
