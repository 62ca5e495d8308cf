"""What contrib.layers's feature columns refuse, and columns of vocabularies in files."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

L = tf.contrib.layers
CITY = L.sparse_column_with_hash_bucket("city", 10)
PRICE = L.real_valued_column("price", 2)


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: L.sparse_column_with_hash_bucket("a", 0), ValueError, "at least 1"),
        (lambda: L.sparse_column_with_hash_bucket("a", 3, dtype=tf.float32), ValueError, "string"),
        (lambda: L.sparse_column_with_keys("a", ["b"], dtype=tf.float32), ValueError, "string or"),
        (lambda: L.sparse_column_with_integerized_feature("a", 0), ValueError, "at least 1"),
        (lambda: L.weighted_sparse_column(CITY, "w", dtype=tf.string), ValueError, "float"),
        (lambda: L.real_valued_column("a", 0), ValueError, "greater than 0"),
        (lambda: L.real_valued_column("a", None), TypeError, "must be an integer"),
        (lambda: L.real_valued_column("a", dtype=tf.string), ValueError, "convertible to float"),
        (lambda: L.real_valued_column("a", 2, [1.0]), ValueError, "length of default_value"),
        (lambda: L.bucketized_column(CITY, [1]), TypeError, "_RealValuedColumn"),
        (lambda: L.bucketized_column(PRICE, []), ValueError, "non-empty"),
        (lambda: L.bucketized_column(PRICE, [2, 1]), ValueError, "sorted"),
        (lambda: L.crossed_column([CITY], 3), ValueError, "at least 2 elements"),
        (lambda: L.crossed_column([CITY, PRICE], 3), TypeError, "is a _RealValuedColumn"),
        (lambda: L.check_feature_columns([PRICE, PRICE]), ValueError, "Duplicate feature column"),
        (lambda: L.input_from_feature_columns({}, [PRICE]), KeyError, "price"),
        (lambda: L.infer_real_valued_columns(tf.constant(["a"])), ValueError, "auto detection"),
        (lambda: L.shared_embedding_columns([PRICE], 2), TypeError, "_SparseColumn"),
    ],
)
def test_refused(make: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with tf.Graph().as_default(), pytest.raises(kind, match=text):
        make()


def sparse(*texts: str) -> Any:
    return tf.SparseTensor([[i, 0] for i in range(len(texts))], list(texts), [len(texts), 1])


@pytest.mark.parametrize("column", [CITY, L.crossed_column([CITY, CITY], 5)])
def test_not_for_deep_models(column: Any) -> None:
    with tf.Graph().as_default(), pytest.raises(ValueError, match="not supported in DNN"):
        L.input_from_feature_columns({"city": sparse("x", "y")}, [column])


def test_joint_takes_no_numbers() -> None:
    with tf.Graph().as_default(), pytest.raises(NotImplementedError, match="Real-valued"):
        L.joint_weighted_sum_from_feature_columns({"price": tf.zeros([1, 2])}, [PRICE], 1)


def test_vocabulary_file(tmp_path: pathlib.Path) -> None:
    """Lines are ids; other words share what is behind them. A dense feature may pad with ``""``."""
    path = tmp_path / "words"
    path.write_text("red\ngreen\nblue\n")
    column = L.sparse_column_with_vocabulary_file("c", str(path), num_oov_buckets=1, vocab_size=3)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant([["blue", ""], ["red", "pink"]])
        y = L.input_from_feature_columns({"c": x}, [L.one_hot_column(column)])
        session.run(tf.tables_initializer())
        np.testing.assert_array_equal(session.run(y), [[0, 0, 1, 0], [1, 0, 0, 1]])
