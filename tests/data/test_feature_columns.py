"""Feature columns: what programs recorded from TensorFlow do not cover."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf


def test_words_out_of_a_vocabulary_have_tensorflows_buckets():
    """In every process the same: a trained model is of use to the next one."""
    fc = tf.feature_column
    words = fc.categorical_column_with_vocabulary_list("word", ["x", "y"], num_oov_buckets=5)
    numbers = fc.categorical_column_with_vocabulary_list(
        "number", [1, 2], dtype=tf.int64, num_oov_buckets=5
    )
    features = {
        "word": tf.constant([["x"], ["zebra"], ["q"], ["hello"], ["abc"]]),
        "number": tf.constant([[1], [7], [100], [12345], [-5]], tf.int64),
    }
    made = [fc.input_layer(features, [fc.indicator_column(c)]) for c in (words, numbers)]
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        found = [rows.argmax(1).tolist() for rows in sess.run(made)]
    assert found == [[0, 4, 5, 3, 2], [0, 5, 2, 5, 3]]


def test_crosses_have_tensorflows_buckets():
    fc = tf.feature_column
    ages = fc.bucketized_column(fc.numeric_column("age"), [18, 25, 30])
    letters = fc.categorical_column_with_vocabulary_list("letter", ["p", "q", "r"])
    features = {
        "school": tf.constant(["Bachelors", "HS-grad", "11th"]),
        "work": tf.constant(["Sales", "Exec", "Craft"]),
        "age": tf.constant([20, 40, 60]),
        "letter": tf.constant(["p", "q", "r"]),
    }
    columns = {
        fc.crossed_column(["school", "work"], 1000): [230, 249, 586],
        fc.crossed_column(["work", "school"], 1000): [185, 345, 819],
        fc.crossed_column(["school", "letter"], 1000): [166, 447, 500],
        fc.crossed_column([ages, "school", "work"], 1000): [426, 553, 812],
        fc.crossed_column(["school", "letter"], 1000, hash_key=7): [332, 570, 596],
        fc.crossed_column([letters, "school"], 1000): [239, 428, 767],
    }
    made = [fc.input_layer(features, [fc.indicator_column(c)]) for c in columns]
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        for rows, want in zip(sess.run(made), columns.values(), strict=True):
            assert sorted(rows.argmax(1).tolist()) == want
            assert rows.sum(1).tolist() == [1, 1, 1]


def test_what_is_in_no_bucket_is_crossed_with_nothing():
    fc = tf.feature_column
    letters = fc.categorical_column_with_vocabulary_list("letter", ["p", "q"])
    inner = fc.crossed_column([letters, "word"], 50)
    column = fc.indicator_column(fc.crossed_column([inner, "other"], 50))
    assert column.name == "letter_X_other_X_word_indicator"
    features = {
        "letter": tf.constant([["p", "q"], ["p", "?"], ["?", "?"]]),
        "word": tf.constant([["a"], ["a"], ["a"]]),
        "other": tf.constant([["b"], ["b"], ["b"]]),
    }
    rows = fc.input_layer(features, [column])
    with tf.Session() as sess:
        sess.run(tf.tables_initializer())
        assert sess.run(rows).sum(1).tolist() == [2, 1, 0]


def test_a_classifier_is_measured_as_by_tensorflow(tmp_path):
    r = np.random.RandomState(0)
    x = r.randn(60, 2).astype(np.float32)
    y = (x[:, 0] + r.randn(60) > 0).astype(np.int32)

    def examples():
        return {"a": tf.constant(x[:, :1]), "b": tf.constant(x[:, 1:])}, tf.constant(y[:, None])

    columns = [tf.feature_column.numeric_column(k) for k in "ab"]
    model = tf.estimator.LinearClassifier(columns, model_dir=str(tmp_path))
    model.train(examples, steps=5)
    found = model.evaluate(examples, steps=1)
    want = {
        "accuracy": 0.816667, "accuracy_baseline": 0.5, "auc": 0.869444,
        "auc_precision_recall": 0.903798, "average_loss": 0.540248, "label/mean": 0.5,
        "loss": 32.414856, "precision": 0.851852, "prediction/mean": 0.498981,
        "recall": 0.766667, "global_step": 5,
    }  # fmt: skip
    assert found == pytest.approx(want, rel=2e-6)
