"""What TensorFlow 1.15 refuses of databases (it may crash when its session is closed then)."""

import sqlite3

import pytest

import graphc as tf


@pytest.mark.parametrize(
    ("driver", "file", "query", "types", "error", "text"),
    [
        ("mysql", "x.db", "select 1", (tf.int32,), tf.errors.InvalidArgumentError, "mysql, is not"),
        ("sqlite", "no/x.db", "select 1", (tf.int32,), tf.errors.InvalidArgumentError, "Open"),
        ("sqlite", "x.db", "select 1", (tf.float32,), tf.errors.InvalidArgumentError, "float32"),
        ("sqlite", "x.db", "select a from t", (tf.int32, tf.int32),
         tf.errors.InvalidArgumentError, r"query \(1\) must match .* \(2\)"),
        ("sqlite", "x.db", "select b from t", (tf.int32,), tf.errors.UnknownError, "no such"),
    ],
)  # fmt: skip
def test_refused(tmp_path, driver, file, query, types, error, text):
    with sqlite3.connect(tmp_path / "x.db") as db:
        db.execute("create table t (a integer)")
    db.close()
    with tf.Graph().as_default(), tf.Session() as session:
        d = tf.data.experimental.SqlDataset(driver, str(tmp_path / file), query, types)
        with pytest.raises(error, match=text):
            session.run(d.make_one_shot_iterator().get_next())
