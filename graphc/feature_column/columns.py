"""Feature columns, as users make them: how raw features become input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.feature_column.kinds import (
    BucketizedColumn,
    CategoricalColumn,
    CrossedColumn,
    EmbeddingColumn,
    FeatureColumn,
    IndicatorColumn,
    KeyColumn,
    NumericColumn,
    SharedEmbeddingColumn,
    WeightedColumn,
    checked_op,
    vocabulary_op,
)
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import fills, math

__all__ = [
    "bucketized_column", "categorical_column_with_hash_bucket",
    "categorical_column_with_identity", "categorical_column_with_vocabulary_file",
    "categorical_column_with_vocabulary_list", "crossed_column", "embedding_column",
    "indicator_column", "make_parse_example_spec", "numeric_column", "shared_embedding_columns",
    "weighted_categorical_column",
]  # fmt: skip


def numeric_column(
    key: str, shape: Any = (1,), default_value: Any = None, dtype: Any = dtypes.float32,
    normalizer_fn: Any = None,
) -> NumericColumn:  # fmt: skip
    """A feature that is a number, or `shape` of them."""
    return NumericColumn(key, shape, default_value, dtype, normalizer_fn)


def bucketized_column(
    source_column: NumericColumn, boundaries: Sequence[float]
) -> BucketizedColumn:
    """In which interval a number lies; `boundaries` are sorted, and belong to what is above."""
    return BucketizedColumn(source_column, boundaries)


def _cast(dtype: DType) -> int:
    """How many operations make int64 of a feature."""
    return int(dtype is dtypes.int32)


def categorical_column_with_identity(
    key: str, num_buckets: int, default_value: int | None = None
) -> KeyColumn:
    """A feature that is an id below `num_buckets`; others are `default_value`, or an error."""
    if num_buckets < 1:
        raise ValueError(f"num_buckets {num_buckets} < 1, column_name {key}")

    def find(x: Any) -> Value:
        ids = math.cast(x, dtypes.int64)
        if default_value is None:
            return build(checked_op, (ids,), {"buckets": int(num_buckets), "key": key}).outputs[0]
        fits = math.logical_and(math.greater_equal(ids, np.int64(0)),
                                math.less(ids, np.int64(num_buckets)))  # fmt: skip
        made: Value = math.select(fits, ids, fills.ones_like(ids) * np.int64(default_value))
        return made

    made = 38 if default_value is None else 12
    return KeyColumn(key, num_buckets, dtypes.int64, find, lambda t: made + _cast(t))


def categorical_column_with_hash_bucket(
    key: str, hash_bucket_size: int, dtype: Any = dtypes.string
) -> KeyColumn:
    """A feature whose values are spread over buckets by a hash."""
    if hash_bucket_size is None or hash_bucket_size < 1:
        raise ValueError(f"hash_bucket_size must be at least 1. hash_bucket_size: "
                         f"{hash_bucket_size}, key: {key}")  # fmt: skip

    def find(x: Any) -> Value:
        import graphc

        text = x if x.dtype is dtypes.string else graphc.as_string(x)
        made: Value = graphc.string_to_hash_bucket_fast(text, hash_bucket_size)
        return made

    return KeyColumn(key, hash_bucket_size, dtype, find, lambda t: 1 + (t.kind != "s"))


def categorical_column_with_vocabulary_list(
    key: str, vocabulary_list: Sequence[Any], dtype: Any = None, default_value: int = -1,
    num_oov_buckets: int = 0,
) -> KeyColumn:  # fmt: skip
    """A feature whose values are in a list; others are `default_value`, or go to extra buckets."""
    if vocabulary_list is None or len(vocabulary_list) < 1:
        raise ValueError(f"vocabulary_list {vocabulary_list} must be non-empty, column_name: {key}")
    if len(set(vocabulary_list)) != len(vocabulary_list):
        raise ValueError(f"Duplicate keys in vocabulary_list {vocabulary_list}, column_name: {key}")
    text = isinstance(vocabulary_list[0], (str, bytes))
    words = tuple([v.encode() if isinstance(v, str) else v for v in vocabulary_list])
    kind = dtypes.string if text else dtypes.int64
    attrs = {"vocabulary": words, "default": int(default_value), "more": int(num_oov_buckets)}

    def find(x: Any) -> Value:
        return build(vocabulary_op, (x,), attrs).outputs[0]

    made = 10 + (not text) + 5 * bool(num_oov_buckets)
    return KeyColumn(
        key, len(words) + num_oov_buckets, dtype or kind, find, lambda t: made + _cast(t)
    )


def categorical_column_with_vocabulary_file(
    key: str, vocabulary_file: str, vocabulary_size: int | None = None, num_oov_buckets: int = 0,
    default_value: int | None = None, dtype: Any = dtypes.string,
) -> KeyColumn:  # fmt: skip
    """A feature whose values are the lines of a file."""
    with open(vocabulary_file, encoding="utf-8") as f:
        words: list[Any] = [line.rstrip("\n") for line in f][:vocabulary_size]
    if as_dtype(dtype).kind != "s":
        words = [int(w) for w in words]
    default = -1 if default_value is None else default_value
    return categorical_column_with_vocabulary_list(key, words, dtype, default, num_oov_buckets)


def weighted_categorical_column(
    categorical_column: CategoricalColumn, weight_feature_key: str, dtype: Any = dtypes.float32
) -> WeightedColumn:
    """Ids with weights, which are another feature."""
    return WeightedColumn(categorical_column, weight_feature_key, dtype)


def crossed_column(
    keys: Sequence[Any], hash_bucket_size: int, hash_key: int | None = None
) -> CrossedColumn:
    """Combinations of categorical features, spread over buckets by a hash."""
    return CrossedColumn(keys, hash_bucket_size, hash_key)


def indicator_column(categorical_column: CategoricalColumn) -> IndicatorColumn:
    """Ids as a vector of ones and zeros (how often each occurs)."""
    return IndicatorColumn(categorical_column)


def embedding_column(
    categorical_column: CategoricalColumn, dimension: int, combiner: str = "mean",
    initializer: Any = None, ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None,
    max_norm: float | None = None, trainable: bool = True,
) -> EmbeddingColumn:  # fmt: skip
    """Ids as learnt vectors, combined by "mean", "sqrtn" or "sum"."""
    return EmbeddingColumn(
        categorical_column, dimension, combiner, initializer, max_norm, trainable,
        _checkpoint(ckpt_to_load_from, tensor_name_in_ckpt),
    )  # fmt: skip


def _checkpoint(path: Any, name: Any) -> tuple[str, str] | None:
    if (path is None) != (name is None):
        raise ValueError(
            "Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them."
        )
    return None if path is None else (path, name)


def shared_embedding_columns(
    categorical_columns: Sequence[Any], dimension: int, combiner: str = "mean",
    initializer: Any = None, shared_embedding_collection_name: str | None = None,
    ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None, max_norm: float | None = None,
    trainable: bool = True,
) -> list[SharedEmbeddingColumn]:  # fmt: skip
    """`embedding_column` of each column, all with one table.

    Parameters
    ----------
    categorical_columns : list
        Of one kind, and with equally many buckets.
    shared_embedding_collection_name : str, optional
        The graph's collection that holds the table, and the scope of its variable; made of the
        columns' names otherwise.

    Raises
    ------
    ValueError
        For columns of different kinds or numbers of buckets.
    """
    checkpoint = _checkpoint(ckpt_to_load_from, tensor_name_in_ckpt)
    ordered = sorted(categorical_columns, key=lambda c: str(c.name))
    first = ordered[0]
    for c in ordered:
        plain = [x.source if isinstance(x, WeightedColumn) else x for x in (first, c)]
        if type(plain[0]) is not type(plain[1]) or not isinstance(plain[1], CategoricalColumn):
            raise ValueError("To use shared_embedding_column, all categorical_columns must have "
                             "the same type, or be weighted_categorical_column of the same type. "
                             f"Given column: {first.name} ({type(first).__name__}) does not match "
                             f"given column: {c.name} ({type(c).__name__})")  # fmt: skip
        if c.buckets != first.buckets:
            raise ValueError("To use shared_embedding_column, all categorical_columns must have "
                             f"the same number of buckets. Given column: {first.name} with "
                             f"buckets: {first.buckets} does not match column: {c.name} with "
                             f"buckets: {c.buckets}")  # fmt: skip
    name = shared_embedding_collection_name
    name = name or "_".join(c.name for c in ordered) + "_shared_embedding"
    rest = (dimension, combiner, initializer, max_norm, trainable, checkpoint)
    return [SharedEmbeddingColumn(name, c, *rest) for c in categorical_columns]


def make_parse_example_spec(feature_columns: Sequence[FeatureColumn]) -> dict[str, Any]:
    """What `parse_example` needs for columns."""
    out: dict[str, Any] = {}
    for c in feature_columns:
        out.update(c._key_types())
    return out
