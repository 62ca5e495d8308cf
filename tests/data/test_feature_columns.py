"""Feature columns: what programs recorded from TensorFlow do not cover."""

from __future__ import annotations

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
