"""Feature columns of sequences: a vector for each step of each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face import asserts
from graphc.face.current import control_dependencies
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import variable_scope
from graphc.feature_column import columns
from graphc.feature_column.kinds import (
    EmbeddingColumn,
    FeatureColumn,
    IndicatorColumn,
    KeyColumn,
    NumericColumn,
    SequenceKeyColumn,
    feature_of,
    lengths_of,
)
from graphc.feature_column.layers import listed
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, math, shapes, state
from graphc.sparse.tensor import SparseTensor

__all__ = [
    "check_sequence", "sequence_categorical_column_with_hash_bucket",
    "sequence_categorical_column_with_identity",
    "sequence_categorical_column_with_vocabulary_file",
    "sequence_categorical_column_with_vocabulary_list", "sequence_input_layer",
    "sequence_numeric_column",
]  # fmt: skip


class SequenceNumericColumn(FeatureColumn):
    """Numbers of one feature, `shape` of them a step."""

    def __init__(self, plain: NumericColumn) -> None:
        self.plain = plain
        self.key = self.name = plain.key

    def _given(self, features: Mapping[str, Any]) -> SparseTensor:
        x = feature_of(features, self.key)
        if not isinstance(x, SparseTensor):
            raise ValueError(f"sequence_numeric_column takes a SparseTensor. Given: {x}")
        return x

    def width(self) -> int:
        return self.plain.width()

    def steps(self, features: Mapping[str, Any], trainable: bool) -> Value:
        """A vector for each step of each example."""
        from graphc.sparse.ops import sparse_tensor_to_dense

        x, f = self._given(features), self.plain.normalizer_fn
        if f is not None:
            x = SparseTensor(x.indices, f(x.values), x.dense_shape)
        nothing = np.array(self.plain.default_value, x.dtype.np)
        made = sparse_tensor_to_dense(x, nothing, validate_indices=False)
        made = shapes.reshape(made, [shapes.shape(made)[0], -1, self.width()])
        return math.cast(made, dtypes.float32)  # type: ignore[no-any-return]

    def lengths(self, features: Mapping[str, Any]) -> Value:
        """How many steps each example has."""
        n = np.int64(self.width())
        most: Any = lengths_of(self._given(features))
        made: Value = (most + (n - np.int64(1))) // n
        return made

    def _key_types(self) -> dict[str, Any]:
        import graphc

        return {self.key: graphc.VarLenFeature(self.plain.dtype)}


def _ordered(column: KeyColumn) -> SequenceKeyColumn:
    return SequenceKeyColumn(
        column.key, column.buckets, column.dtype, column.find, column.operations
    )


def sequence_categorical_column_with_identity(
    key: str, num_buckets: int, default_value: int | None = None
) -> SequenceKeyColumn:
    """`categorical_column_with_identity` of a feature whose order counts."""
    return _ordered(columns.categorical_column_with_identity(key, num_buckets, default_value))


def sequence_categorical_column_with_hash_bucket(
    key: str, hash_bucket_size: int, dtype: Any = dtypes.string
) -> SequenceKeyColumn:
    """`categorical_column_with_hash_bucket` of a feature whose order counts."""
    return _ordered(columns.categorical_column_with_hash_bucket(key, hash_bucket_size, dtype))


def sequence_categorical_column_with_vocabulary_list(
    key: str, vocabulary_list: Sequence[Any], dtype: Any = None, default_value: int = -1,
    num_oov_buckets: int = 0,
) -> SequenceKeyColumn:  # fmt: skip
    """`categorical_column_with_vocabulary_list` of a feature whose order counts."""
    made = columns.categorical_column_with_vocabulary_list(
        key, vocabulary_list, dtype, default_value, num_oov_buckets
    )
    return _ordered(made)


def sequence_categorical_column_with_vocabulary_file(
    key: str, vocabulary_file: str, vocabulary_size: int | None = None, num_oov_buckets: int = 0,
    default_value: int | None = None, dtype: Any = dtypes.string,
) -> SequenceKeyColumn:  # fmt: skip
    """`categorical_column_with_vocabulary_file` of a feature whose order counts."""
    made = columns.categorical_column_with_vocabulary_file(
        key, vocabulary_file, vocabulary_size, num_oov_buckets, default_value, dtype
    )
    return _ordered(made)


def sequence_numeric_column(
    key: str, shape: Any = (1,), default_value: float = 0.0, dtype: Any = dtypes.float32,
    normalizer_fn: Any = None,
) -> SequenceNumericColumn:  # fmt: skip
    """A feature that is a number for each step, or `shape` of them.

    Parameters
    ----------
    default_value : float
        Behind the end of shorter examples.
    normalizer_fn : callable, optional
        Applied to the values that are there.
    """
    return SequenceNumericColumn(NumericColumn(key, shape, default_value, dtype, normalizer_fn))


def sequence_input_layer(
    features: Mapping[str, Any], feature_columns: Any, weight_collections: Any = None,
    trainable: bool = True,
) -> tuple[Value, Value]:  # fmt: skip
    """Columns of sequences beside each other, and how long each sequence is.

    Parameters
    ----------
    features : dict
        Name -> `SparseTensor`, a row for each example.
    feature_columns : list
        `sequence_numeric_column`, and embeddings or indicators of `sequence_categorical_column_*`.

    Returns
    -------
    tensor, lengths
        Of shapes (batch, longest, width) and (batch,), float32 and int64.

    Raises
    ------
    ValueError
        For columns that are no sequences.
    InvalidArgumentError
        In a run, when the columns' sequences have different lengths.
    """
    parts, lengths = [], []
    with variable_scope(None, "sequence_input_layer"):
        for c in listed(feature_columns):
            check_sequence(c)
            source = getattr(c, "source", c)
            with variable_scope(None, getattr(c, "scope", c.name)):
                before = len(get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES))
                parts.append(c.steps(features, trainable))
                lengths.append(source.lengths(features))
            made = get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
            for name in weight_collections or ():
                for v in made:
                    get_default_graph().add_to_collection(name, v)
        checks = [asserts.assert_equal(n, lengths[0]) for n in lengths[1:]]
        with control_dependencies(checks):
            return arrays.concat(parts, -1), state.identity(lengths[0])


def check_sequence(column: Any) -> None:
    """Refuse columns that are no sequences."""
    if isinstance(column, EmbeddingColumn | IndicatorColumn):
        source = column.source
        if not isinstance(getattr(source, "source", source), SequenceKeyColumn):
            raise ValueError(
                f"In column: {column.name}. categorical_column must be of type "
                "SequenceCategoricalColumn to be a sequence. Suggested fix: use one of "
                f"sequence_categorical_column_with_*. Given: {source.name} "
                f"({type(source).__name__})"
            )
    elif not isinstance(column, SequenceNumericColumn):
        raise ValueError(
            "All feature_columns must be of type _SequenceDenseColumn. You can wrap a "
            "sequence_categorical_column with an embedding_column or indicator_column. Given "
            f"(type {type(column).__name__}): {column.name}"
        )
