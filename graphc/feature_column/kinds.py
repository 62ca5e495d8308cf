"""Kinds of feature columns: what each makes of the raw features."""

from __future__ import annotations

import math as pymath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.face import initializers
from graphc.face.graph import get_default_graph
from graphc.face.scopes import get_variable
from graphc.ir import dtypes
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.hashing import farm64
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import SparseTensor, sparse_of
from graphc.train.warm import init_from_checkpoint

__all__ = [
    "BucketizedColumn", "CategoricalColumn", "CrossedColumn", "DenseColumn", "EmbeddingColumn",
    "FeatureColumn", "IndicatorColumn", "KeyColumn", "NumericColumn", "SequenceKeyColumn",
    "SharedEmbeddingColumn", "WeightedColumn", "checked_op", "combine", "feature_of", "lengths_of",
    "vocabulary_op",
]  # fmt: skip


# ------------------------------------------------------------------------- ops


def _ids(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.int64, inputs[0].static_shape)]


def _looked_up(x: Any, *, vocabulary: Any, default: int, more: int) -> Any:
    table = {v: i for i, v in enumerate(vocabulary)}
    a = np.asarray(x)
    out = np.empty(a.shape, np.int64)
    flat = out.reshape(-1)
    for i, v in enumerate(a.reshape(-1).tolist()):
        found = table.get(v)
        if found is None:
            word = v if isinstance(v, bytes) else str(v).encode()
            found = len(vocabulary) + farm64(word) % more if more else default
        flat[i] = found
    return out


vocabulary_op = op(
    "vocabulary_lookup", "LookupTableFind", "host", doc="Places of values in a list.", args=("x",),
    infer=_ids, numpy=_looked_up, types="ius", grad=no_grad,
)  # fmt: skip


def _in_range(ids: Any, *, buckets: int, key: str) -> Any:
    bad = ids[(ids < 0) | (ids >= buckets)]
    if bad.size:
        raise InvalidArgumentError(
            None, None,
            f'Bucket index for categorical column "{key}" is outside of its {buckets} buckets: '
            f"{bad[:5].tolist()}",
        )  # fmt: skip
    return ids


checked_op = op(
    "ids_in_range", "Identity", "host", doc="Ids that are below a number.", args=("ids",),
    infer=_ids, numpy=_in_range, types="i", grad=no_grad,
)  # fmt: skip


# ------------------------------------------------------------------------- columns


class FeatureColumn:
    """Base of columns.

    Attributes
    ----------
    name : str
    """

    name: str

    def _key_types(self) -> dict[str, Any]:
        """What Examples must have for it: `make_parse_example_spec`."""
        raise NotImplementedError

    @property
    def parse_example_spec(self) -> dict[str, Any]:
        return self._key_types()


class DenseColumn(FeatureColumn):
    """A column of numbers.

    Attributes
    ----------
    stateful : bool
        Whether a layer makes something of it before anything else.
    """

    stateful = False

    def width(self) -> int:
        """How many numbers an example has."""
        raise NotImplementedError

    def state(self, trainable: bool) -> Any:
        """What a layer makes of it before anything else, such as a table."""
        raise NotImplementedError

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        """A matrix, a row for each example."""
        raise NotImplementedError


def present(ids: Value) -> SparseTensor:
    """The ids of a matrix that are there: -1 stands for none."""
    at = arrays.where_indices(math.greater_equal(ids, np.int64(0)))
    return sparse_of(at, arrays.gather_nd(ids, at), shapes.shape(ids, out_type=dtypes.int64))


def _matrix(at: Any, values: Value, shape: Any, nothing: Any) -> Value:
    """A sparse tensor as a matrix with `nothing` where it has no value."""
    from graphc.sparse.ops import sparse_tensor_to_dense

    return sparse_tensor_to_dense(sparse_of(at, values, shape), nothing, validate_indices=False)


class CategoricalColumn(FeatureColumn):
    """A column of ids; -1 where an example has none."""

    buckets: int

    def ids(self, features: Mapping[str, Any]) -> Value:
        """A matrix of ids, a row for each example."""
        raise NotImplementedError

    def weights(self, features: Mapping[str, Any]) -> Value | None:
        """Weights of the ids, where they have any."""
        return None

    def lengths(self, features: Mapping[str, Any]) -> Value:
        """How many ids each example has, those in no bucket among them."""
        raise ValueError(f"{self.name} is no sequence: {type(self).__name__}")


def feature_of(features: Mapping[str, Any], key: str) -> Any:
    """A feature as a tensor of two axes or more, or as the sparse tensor it is."""
    if key not in features:
        raise ValueError(f"Feature {key} is not in features dictionary.")
    if isinstance(features[key], SparseTensor):
        return features[key]
    t: Any = convert_to_tensor(features[key])
    if t.shape.ndims == 0:
        raise ValueError(f"Feature (key: {key}) cannot have rank 0. Given: {t}")
    return shapes.expand_dims(t, -1) if t.shape.ndims == 1 else t


def missing(x: Value) -> Any:
    """Where a dense feature has no value: TF1 writes an empty string, or -1, for none."""
    return math.equal(x, b"" if x.dtype.kind == "s" else np.array(-1, x.dtype.np))


class NumericColumn(DenseColumn):
    def __init__(
        self, key: str, shape: Any, default_value: Any, dtype: Any, normalizer: Any
    ) -> None:
        if not isinstance(key, str):
            raise ValueError(f"key must be a string. Got: type {type(key)}. Given key: {key}.")
        self.key = self.name = key
        self.shape = tuple(shape) if isinstance(shape, (list, tuple)) else (int(shape),)
        self.default_value = default_value
        self.dtype = as_dtype(dtype)
        self.normalizer_fn = normalizer
        if any(not isinstance(n, int) or n <= 0 for n in self.shape):
            raise ValueError(f"shape dimensions must be greater than 0. shape: {shape}")
        if self.dtype.kind not in "fiu":
            raise ValueError(
                f"dtype must be convertible to float. dtype: {self.dtype!r}, key: {key}"
            )
        if normalizer is not None and not callable(normalizer):
            raise TypeError(f"normalizer_fn must be a callable. Given: {normalizer}")

    def width(self) -> int:
        return pymath.prod(self.shape)

    def numbers(self, features: Mapping[str, Any]) -> Value:
        given = feature_of(features, self.key)
        if isinstance(given, SparseTensor):
            raise ValueError("The corresponding Tensor of numerical column must be a Tensor. "
                             f"SparseTensor is not supported. key: {self.key}")  # fmt: skip
        x = math.cast(given, dtypes.float32)
        made: Value = x if self.normalizer_fn is None else self.normalizer_fn(x)
        return made

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        return shapes.reshape(self.numbers(features), [-1, self.width()])

    def _key_types(self) -> dict[str, Any]:
        import graphc

        spec = graphc.FixedLenFeature(list(self.shape), self.dtype, self.default_value)
        return {self.key: spec}


class BucketizedColumn(DenseColumn, CategoricalColumn):
    def __init__(self, source: NumericColumn, boundaries: Sequence[float]) -> None:
        if not isinstance(source, NumericColumn):
            raise ValueError(f"source_column must be a column generated with numeric_column(). "
                             f"Given: {source}")  # fmt: skip
        if len(source.shape) > 1:
            raise ValueError(f"source_column must be one-dimensional column. Given: {source}")
        self.boundaries = list(boundaries)
        if not self.boundaries or sorted(set(self.boundaries)) != self.boundaries:
            raise ValueError("boundaries must be a sorted list.")
        self.source = source
        self.name = f"{source.name}_bucketized"
        self.each = len(self.boundaries) + 1
        self.buckets = self.each * source.width()

    def _bucket(self, features: Mapping[str, Any]) -> Value:
        x = self.source.dense(features, False)
        limits = np.array(self.boundaries, np.float32)
        above = math.greater_equal(shapes.expand_dims(x, -1), limits)
        made: Value = reduce.reduce_sum(math.cast(above, dtypes.int64), -1)
        return made

    def ids(self, features: Mapping[str, Any]) -> Value:
        offsets = np.arange(self.source.width(), dtype=np.int64) * self.each
        made: Value = self._bucket(features) + offsets
        return made

    def width(self) -> int:
        return self.buckets

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        hot = fills.one_hot(self._bucket(features), self.each)
        return shapes.reshape(hot, [-1, self.buckets])

    def _key_types(self) -> dict[str, Any]:
        return self.source._key_types()


class KeyColumn(CategoricalColumn):
    """Ids of one feature.

    Parameters
    ----------
    find : callable
        From values of the feature to ids.
    operations : callable
        From the type of the feature to how many operations TF1 makes for that.
    """

    def __init__(
        self,
        key: str,
        buckets: int,
        dtype: Any,
        find: Callable[[Any], Value],
        operations: Callable[[DType], int],
    ) -> None:
        self.key = self.name = key
        self.operations = operations
        self.buckets = int(buckets)
        self.dtype = as_dtype(dtype)
        self.find = find

    def _given(self, features: Mapping[str, Any]) -> Any:
        x = feature_of(features, self.key)
        if (x.dtype.kind == "s") != (self.dtype.kind == "s") or x.dtype.kind not in "ius":
            raise ValueError(
                f"Column dtype and the feature's dtype must be compatible. key: {self.key}, column "
                f"dtype: {self.dtype!r}, tensor dtype: {x.dtype!r}"
            )
        return x

    def ids(self, features: Mapping[str, Any]) -> Value:
        x = self._given(features)
        if isinstance(x, SparseTensor):
            return _matrix(x.indices, self.find(x.values), x.dense_shape, np.int64(-1))
        none = missing(x)
        some = x if x.dtype.kind == "s" else math.select(none, fills.zeros_like(x), x)
        found = self.find(some)
        made: Value = math.select(none, fills.zeros_like(found) - np.int64(1), found)
        return made

    def lengths(self, features: Mapping[str, Any]) -> Value:
        x = self._given(features)
        if isinstance(x, SparseTensor):
            return lengths_of(x)
        return lengths_of(present(math.cast(math.logical_not(missing(x)), dtypes.int64) - 1))

    def _key_types(self) -> dict[str, Any]:
        import graphc

        return {self.key: graphc.VarLenFeature(self.dtype)}


class SequenceKeyColumn(KeyColumn):
    """Ids of one feature, whose order counts."""


class CrossedColumn(CategoricalColumn):
    def __init__(self, keys: Sequence[Any], size: int, hash_key: int | None = None) -> None:
        if len(keys) < 2:
            raise ValueError(f"keys must be a list with length > 1. Given: {keys}")
        self.keys = list(keys)
        self.buckets = int(size)
        self.hash_key = hash_key
        self.name = "_X_".join(sorted(k if isinstance(k, str) else k.name for k in self.leaves()))

    def leaves(self) -> list[Any]:
        """The keys and columns that are crossed, those of crosses among them in their place."""
        out: list[Any] = []
        for k in self.keys:
            out += k.leaves() if isinstance(k, CrossedColumn) else [k]
        return out

    def ids(self, features: Mapping[str, Any]) -> Value:
        from graphc.sparse.crosses import cross_hashed
        from graphc.sparse.ops import sparse_tensor_to_dense

        parts = []
        for k in self.leaves():
            if not isinstance(k, str):
                parts.append(present(k.ids(features)))
            elif isinstance(features.get(k), SparseTensor):
                parts.append(features[k])
            else:
                parts.append(feature_of(features, k))
        crossed = cross_hashed(parts, self.buckets, self.hash_key)
        made: Value = sparse_tensor_to_dense(crossed, np.int64(-1), validate_indices=False)
        return made

    def _key_types(self) -> dict[str, Any]:
        import graphc

        out: dict[str, Any] = {}
        for k in self.keys:
            out.update(
                {k: graphc.VarLenFeature(dtypes.string)} if isinstance(k, str) else k._key_types()
            )
        return out


class WeightedColumn(CategoricalColumn):
    def __init__(self, source: CategoricalColumn, key: str, dtype: Any) -> None:
        self.source, self.key, self.dtype = source, key, as_dtype(dtype)
        self.buckets = source.buckets
        self.name = f"{source.name}_weighted_by_{key}"

    def ids(self, features: Mapping[str, Any]) -> Value:
        return self.source.ids(features)

    def weights(self, features: Mapping[str, Any]) -> Value:
        from graphc.sparse.ops import from_dense

        # As in TF1, weights belong to the ids in their order, wherever they stand, and a dense
        # weight of zero is none.
        given = feature_of(features, self.key)
        x = given if isinstance(given, SparseTensor) else from_dense(given)
        key = getattr(self.source, "key", None)
        of = features[key] if isinstance(key, str) else None
        at = of if isinstance(of, SparseTensor) else present(self.source.ids(features))
        values = math.cast(x.values, dtypes.float32)
        return _matrix(at.indices, values, at.dense_shape, np.float32(0))

    def lengths(self, features: Mapping[str, Any]) -> Value:
        return self.source.lengths(features)

    def _key_types(self) -> dict[str, Any]:
        import graphc

        return {**self.source._key_types(), self.key: graphc.VarLenFeature(self.dtype)}


def lengths_of(x: SparseTensor) -> Value:
    """Up to where each row of a sparse tensor has values, int64."""
    rows, columns = x.indices[:, 0], x.indices[:, 1]
    none = fills.zeros([x.dense_shape[0]], dtypes.int64)
    longest = arrays.unsorted_segment_max(columns + 1, rows, x.dense_shape[0])
    made: Value = math.maximum(longest, none)
    return made


class IndicatorColumn(DenseColumn):
    def __init__(self, source: CategoricalColumn) -> None:
        self.source = source
        self.name = f"{source.name}_indicator"

    def width(self) -> int:
        return self.source.buckets

    def steps(self, features: Mapping[str, Any], trainable: bool) -> Value:
        """A vector for each id of each example."""
        hot: Value = fills.one_hot(self.source.ids(features), self.source.buckets)
        weights = self.source.weights(features)
        return hot if weights is None else hot * shapes.expand_dims(weights, -1)

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        _refuse_sequence(self)
        made: Value = reduce.reduce_sum(self.steps(features, trainable), 1)
        made.set_shape([None, self.source.buckets])  # type: ignore[attr-defined]
        return made

    def _key_types(self) -> dict[str, Any]:
        return self.source._key_types()


class EmbeddingColumn(DenseColumn):
    stateful = True

    def __init__(
        self, source: CategoricalColumn, dimension: int, combiner: str, initializer: Any,
        max_norm: float | None, trainable: bool, checkpoint: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        if dimension is None or dimension < 1:
            raise ValueError(f"Invalid dimension {dimension}.")
        if combiner not in ("mean", "sqrtn", "sum"):
            raise ValueError(f"combiner must be one of mean, sqrtn, sum, not {combiner!r}")
        if initializer is not None and not callable(initializer):
            raise ValueError("initializer must be callable if specified. Embedding of "
                             f"column_name: {source.name}")  # fmt: skip
        self.source, self.dimension, self.combiner = source, int(dimension), combiner
        self.initializer = initializer or initializers.TruncatedNormal(
            mean=0.0, stddev=1 / pymath.sqrt(dimension)
        )
        self.max_norm, self.trainable, self.checkpoint = max_norm, trainable, checkpoint
        self.name = f"{source.name}_embedding"

    def width(self) -> int:
        return self.dimension

    def table(self, trainable: bool) -> Any:
        """The variable with a row for each id; of the checkpoint, where there is one."""
        shape = [self.source.buckets, self.dimension]
        made = get_variable(
            "embedding_weights", shape, dtypes.float32, self.initializer,
            trainable=self.trainable and trainable,
        )  # fmt: skip
        if self.checkpoint is not None:
            path, name = self.checkpoint
            init_from_checkpoint(path, {name: made})
        return made

    def state(self, trainable: bool) -> Any:
        return self.table(trainable)

    def dense(self, features: Mapping[str, Any], trainable: bool, table: Any = None) -> Value:
        _refuse_sequence(self)
        ids, weights = self.source.ids(features), self.source.weights(features)
        rows = self.table(trainable) if table is None else table
        return combine(rows, ids, weights, self.combiner, self.max_norm)

    def steps(self, features: Mapping[str, Any], trainable: bool, table: Any = None) -> Value:
        """A vector for each id of each example."""
        ids, weights = shapes.expand_dims(self.source.ids(features), -1), None
        given = self.source.weights(features)
        if given is not None:
            weights = shapes.expand_dims(given, -1)
        rows = self.table(trainable) if table is None else table
        return combine(rows, ids, weights, self.combiner, self.max_norm)

    def _key_types(self) -> dict[str, Any]:
        return self.source._key_types()


class SharedEmbeddingColumn(EmbeddingColumn):
    """One of several columns whose ids are rows of the same table."""

    def __init__(self, collection: str, *args: Any) -> None:
        super().__init__(*args)
        self.name = f"{self.source.name}_shared_embedding"
        self.scope = collection

    def table(self, trainable: bool) -> Any:
        graph = get_default_graph()
        found = graph.get_collection(self.scope)
        if not found:
            graph.add_to_collection(self.scope, super().table(trainable))
            return graph.get_collection(self.scope)[0]
        shape = [self.source.buckets, self.dimension]
        if len(found) > 1 or found[0].shape.as_list() != shape:
            raise ValueError(
                f"collection {self.scope} holds {found}, not one embedding of shape {shape}: give "
                "another shared_embedding_collection_name"
            )
        return found[0]


def _refuse_sequence(column: Any) -> None:
    if isinstance(column.source, SequenceKeyColumn):
        raise ValueError(
            f"In column: {column.name}. categorical_column must not be of type "
            "SequenceCategoricalColumn. Suggested fix A: use a categorical_column_with_* without "
            f"sequence. Suggested fix B: use sequence_input_layer. Given: {column.source.key}"
        )


def combine(
    table: Any, ids: Value, weights: Value | None, combiner: str, max_norm: float | None = None
) -> Value:
    """Rows of a table for ids, combined along their last axis; -1 counts for nothing."""
    there = math.cast(math.greater_equal(ids, np.int64(0)), dtypes.float32)
    if weights is not None:
        there = there * weights
    rows = arrays.gather(convert_to_tensor(table), math.maximum(ids, np.int64(0)))
    if max_norm is not None:
        norm = math.sqrt(reduce.reduce_sum(rows * rows, -1, True))
        rows = rows * (max_norm / math.maximum(norm, max_norm))
    total = reduce.reduce_sum(rows * shapes.expand_dims(there, -1), -2)
    if combiner == "sum":
        return total  # type: ignore[no-any-return]
    count = reduce.reduce_sum(there if combiner == "mean" else there * there, -1, True)
    scale = count if combiner == "mean" else math.sqrt(count)
    one = fills.ones_like(scale)
    made: Value = total / math.select(math.greater(scale, 0.0), scale, one)
    return made
