"""Feature columns: how raw features become dense input, or a linear model."""

from __future__ import annotations

import math as pymath
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.face import initializers
from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import get_variable, variable_scope
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import arrays, fills, linalg, math, nn, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.hashing import farm64
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "bucketized_column", "categorical_column_with_hash_bucket",
    "categorical_column_with_identity", "categorical_column_with_vocabulary_file",
    "categorical_column_with_vocabulary_list", "crossed_column", "embedding_column",
    "indicator_column", "input_layer", "linear_model", "make_parse_example_spec",
    "numeric_column", "weighted_categorical_column",
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
        if found is None and v not in (b"", -1):
            word = v if isinstance(v, bytes) else str(v).encode()
            found = len(vocabulary) + farm64(word) % more if more else default
        flat[i] = -1 if found is None else found
    return out


vocabulary_op = op(
    "vocabulary_lookup", "LookupTableFind", "host", doc="Places of values in a list.", args=("x",),
    infer=_ids, numpy=_looked_up, types="ius", grad=no_grad,
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
    """A column of numbers."""

    def width(self) -> int:
        """How many numbers an example has."""
        raise NotImplementedError

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        """A matrix, a row for each example."""
        raise NotImplementedError


def _present(ids: Value) -> SparseTensor:
    """The ids of a matrix that are there: -1 stands for none."""
    at = arrays.where_indices(math.greater_equal(ids, np.int64(0)))
    return sparse_of(at, arrays.gather_nd(ids, at), shapes.shape(ids, out_type=dtypes.int64))


class CategoricalColumn(FeatureColumn):
    """A column of ids; -1 where an example has none."""

    buckets: int

    def ids(self, features: Mapping[str, Any]) -> Value:
        """A matrix of ids, a row for each example."""
        raise NotImplementedError

    def weights(self, features: Mapping[str, Any]) -> Value | None:
        """Weights of the ids, where they have any."""
        return None


def _feature(features: Mapping[str, Any], key: str) -> Any:
    if key not in features:
        raise ValueError(f"Feature {key} is not in features dictionary.")
    t: Any = convert_to_tensor(features[key])
    if t.shape.ndims == 0:
        raise ValueError(f"Feature (key: {key}) cannot have rank 0. Given: {t}")
    return shapes.expand_dims(t, -1) if t.shape.ndims == 1 else t


class NumericColumn(DenseColumn):
    def __init__(
        self, key: str, shape: Any, default_value: Any, dtype: Any, normalizer: Any
    ) -> None:
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
        x = math.cast(_feature(features, self.key), dtypes.float32)
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
        From the feature to ids.
    """

    def __init__(self, key: str, buckets: int, dtype: Any, find: Callable[[Any], Value]) -> None:
        self.key = self.name = key
        self.buckets = int(buckets)
        self.dtype = as_dtype(dtype)
        self.find = find

    def ids(self, features: Mapping[str, Any]) -> Value:
        return self.find(_feature(features, self.key))

    def _key_types(self) -> dict[str, Any]:
        import graphc

        return {self.key: graphc.VarLenFeature(self.dtype)}


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
                parts.append(_present(k.ids(features)))
            elif isinstance(features.get(k), SparseTensor):
                parts.append(features[k])
            else:
                parts.append(_feature(features, k))
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
        made: Value = math.cast(_feature(features, self.key), dtypes.float32)
        return made

    def _key_types(self) -> dict[str, Any]:
        import graphc

        return {**self.source._key_types(), self.key: graphc.VarLenFeature(self.dtype)}


class IndicatorColumn(DenseColumn):
    def __init__(self, source: CategoricalColumn) -> None:
        self.source = source
        self.name = f"{source.name}_indicator"

    def width(self) -> int:
        return self.source.buckets

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        hot = fills.one_hot(self.source.ids(features), self.source.buckets)
        weights = self.source.weights(features)
        if weights is not None:
            hot = hot * shapes.expand_dims(weights, -1)
        made: Value = reduce.reduce_sum(hot, 1)
        made.set_shape([None, self.source.buckets])  # type: ignore[attr-defined]
        return made

    def _key_types(self) -> dict[str, Any]:
        return self.source._key_types()


class EmbeddingColumn(DenseColumn):
    def __init__(
        self, source: CategoricalColumn, dimension: int, combiner: str, initializer: Any,
        max_norm: float | None, trainable: bool,
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
        self.max_norm, self.trainable = max_norm, trainable
        self.name = f"{source.name}_embedding"

    def width(self) -> int:
        return self.dimension

    def dense(self, features: Mapping[str, Any], trainable: bool) -> Value:
        table = get_variable(
            "embedding_weights", [self.source.buckets, self.dimension], dtypes.float32,
            self.initializer, trainable=self.trainable and trainable,
        )  # fmt: skip
        return combine(
            table, self.source.ids(features), self.source.weights(features), self.combiner,
            self.max_norm,
        )  # fmt: skip

    def _key_types(self) -> dict[str, Any]:
        return self.source._key_types()


def combine(
    table: Any, ids: Value, weights: Value | None, combiner: str, max_norm: float | None = None
) -> Value:
    """Rows of a table for ids, combined for each example; -1 counts for nothing."""
    there = math.cast(math.greater_equal(ids, np.int64(0)), dtypes.float32)
    if weights is not None:
        there = there * weights
    rows = arrays.gather(convert_to_tensor(table), math.maximum(ids, np.int64(0)))
    if max_norm is not None:
        norm = math.sqrt(reduce.reduce_sum(rows * rows, -1, True))
        rows = rows * (max_norm / math.maximum(norm, max_norm))
    total = reduce.reduce_sum(rows * shapes.expand_dims(there, -1), 1)
    if combiner == "sum":
        return total  # type: ignore[no-any-return]
    count = reduce.reduce_sum(there if combiner == "mean" else there * there, 1, True)
    scale = count if combiner == "mean" else math.sqrt(count)
    one = fills.ones_like(scale)
    made: Value = total / math.select(math.greater(scale, 0.0), scale, one)
    return made


# ------------------------------------------------------------------------- what users call


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


def categorical_column_with_identity(
    key: str, num_buckets: int, default_value: int | None = None
) -> KeyColumn:
    """A feature that is an id below `num_buckets`; others are `default_value`, or an error."""
    if num_buckets < 1:
        raise ValueError(f"num_buckets {num_buckets} < 1, column_name {key}")

    def find(x: Any) -> Value:
        ids = math.cast(x, dtypes.int64)
        if default_value is None:
            return build(checked_op, (ids,), {"buckets": int(num_buckets)}).outputs[0]
        fits = math.logical_and(math.greater_equal(ids, np.int64(0)),
                                math.less(ids, np.int64(num_buckets)))  # fmt: skip
        made: Value = math.select(fits, ids, fills.ones_like(ids) * np.int64(default_value))
        return made

    return KeyColumn(key, num_buckets, dtypes.int64, find)


def _in_range(ids: Any, *, buckets: int) -> Any:
    if np.size(ids) and (np.min(ids) < -1 or np.max(ids) >= buckets):
        raise ValueError(f"assertion failed: ids must be below {buckets}, got {np.max(ids)}")
    return ids


checked_op = op(
    "ids_in_range", "Identity", "host", doc="Ids that are below a number.", args=("ids",),
    infer=_ids, numpy=_in_range, types="i", grad=no_grad,
)  # fmt: skip


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

    return KeyColumn(key, hash_bucket_size, dtype, find)


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

    return KeyColumn(key, len(words) + num_oov_buckets, dtype or kind, find)


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
    if ckpt_to_load_from is not None or tensor_name_in_ckpt is not None:
        raise NotImplementedError(
            "embedding_column: restore the variable with a Saver instead of ckpt_to_load_from"
        )
    return EmbeddingColumn(
        categorical_column, dimension, combiner, initializer, max_norm, trainable
    )


def make_parse_example_spec(feature_columns: Sequence[FeatureColumn]) -> dict[str, Any]:
    """What `parse_example` needs for columns."""
    out: dict[str, Any] = {}
    for c in feature_columns:
        out.update(c._key_types())
    return out


def _listed(columns: Any) -> list[Any]:
    given = list(columns) if isinstance(columns, (list, tuple, set)) else [columns]
    if not given:
        raise ValueError("feature_columns must not be empty.")
    names = [c.name for c in given]
    if len(set(names)) != len(names):
        raise ValueError(f"Duplicate feature column name found for columns: {sorted(names)}")
    return sorted(given, key=lambda c: str(c.name))


def input_layer(
    features: Mapping[str, Any], feature_columns: Any, weight_collections: Any = None,
    trainable: bool = True, cols_to_vars: Any = None, cols_to_output_tensors: Any = None,
) -> Value:  # fmt: skip
    """A matrix with the dense columns beside each other, in order of their names.

    Raises
    ------
    ValueError
        For a categorical column: wrap it in `indicator_column` or `embedding_column`.
    """
    columns = _listed(feature_columns)
    for c in columns:
        if not isinstance(c, DenseColumn):
            raise ValueError("Items of feature_columns must be a _DenseColumn. You can wrap a "
                             "categorical column with an embedding_column or indicator_column. "
                             f"Given: {c}")  # fmt: skip
    parts = []
    with variable_scope(None, "input_layer"):
        for c in columns:
            before = len(get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES))
            with variable_scope(None, c.name), get_default_graph().counts_as(_count(c, features)):
                part: Any = c.dense(features, trainable)
                part = shapes.reshape(part, [-1, c.width()])
            parts.append(part)
            made = get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
            for name in weight_collections or ():
                for v in made:
                    get_default_graph().add_to_collection(name, v)
            if cols_to_vars is not None:
                cols_to_vars[c] = made
            if cols_to_output_tensors is not None:
                cols_to_output_tensors[c] = part
        return arrays.concat(parts, 1)


def _count(column: DenseColumn, features: Mapping[str, Any]) -> int | None:
    """How many operations TF1 makes for a column of numbers; seeds of later ones depend on it."""
    if not isinstance(column, NumericColumn) or column.normalizer_fn is not None:
        return None
    x = features.get(column.key)
    if not isinstance(x, Value):
        return None
    return 8 + 2 * (x.rank == 1) + (x.dtype is not dtypes.float32)


def linear_model(
    features: Mapping[str, Any], feature_columns: Any, units: int = 1, sparse_combiner: str = "sum",
    weight_collections: Any = None, trainable: bool = True, cols_to_vars: Any = None,
) -> Value:  # fmt: skip
    """``sum of columns * weights + bias``: a matrix with `units` columns."""
    columns = _listed(feature_columns)
    zeros = initializers.Zeros()
    graph = get_default_graph()

    def weights(name: str, shape: Sequence[int], column: Any) -> Any:
        v = get_variable(name, shape, dtypes.float32, zeros, trainable=trainable)
        for c in weight_collections or ():
            graph.add_to_collection(c, v)
        if cols_to_vars is not None:
            cols_to_vars.setdefault(column, []).append(v)
        return v

    parts = []
    with variable_scope(None, "linear_model"):
        for c in columns:
            with variable_scope(None, c.name), name_scope(None, "weighted_sum"):
                if isinstance(c, CategoricalColumn):
                    w = weights("weights", [c.buckets, units], c)
                    parts.append(combine(w, c.ids(features), c.weights(features), sparse_combiner))
                else:
                    w = weights("weights", [c.width(), units], c)
                    parts.append(linalg.matmul(c.dense(features, trainable), w))
        total = parts[0] if len(parts) == 1 else math.add_n(parts)
        bias = weights("bias_weights", [units], "bias")
        return nn.bias_add(total, bias)  # type: ignore[no-any-return]
