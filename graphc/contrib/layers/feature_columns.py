"""tf.contrib.layers: feature columns, which say what a model makes of raw features.

`feature_column_ops` makes layers of them. A column has ``name``, ``key`` (columns are ordered by
it) and ``config`` (how it is parsed); ``transform`` makes ids or numbers of the features.
"""

from __future__ import annotations

import itertools
import math as pymath
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.contrib.lookup import index_table_from_file, index_table_from_tensor
from graphc.face.initializers import TruncatedNormal
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ops import arrays, math, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.strings import as_string, string_to_hash_bucket_fast
from graphc.sparse.crosses import sparse_feature_cross
from graphc.sparse.tensor import SparseTensor, sparse_of

__all__ = [
    "Column", "Ids", "bucketized_column", "crossed_column", "embedding_column", "one_hot_column",
    "real_valued_column", "scattered_embedding_column", "shared_embedding_columns",
    "sparse_column_with_hash_bucket", "sparse_column_with_integerized_feature",
    "sparse_column_with_keys", "sparse_column_with_vocabulary_file", "weighted_sparse_column",
]  # fmt: skip

#: Ids with weights or None: what a column of categories becomes.
Ids = namedtuple("Ids", ["ids", "weights"])
_SparseIdLookupConfig = namedtuple(
    "_SparseIdLookupConfig",
    ["vocabulary_file", "keys", "num_oov_buckets", "vocab_size", "default_value"],
)


class Column:
    """What all columns have."""

    __slots__ = ()
    _hidden: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Orders columns."""
        if not self._hidden:
            return repr(self)
        shown = [f for f in getattr(self, "_fields", ()) if f not in self._hidden]
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)}' for f in shown)})"

    def transform(self, get: Any) -> Any:
        """What it is made into; `get` gives the feature of a name, or another column made."""
        raise NotImplementedError


def _var_len(key: str, dtype: Any) -> dict[str, Any]:
    from graphc.data.parsing import VarLenFeature  # here only

    return {key: VarLenFeature(dtype)}


def _sparse(x: Any) -> SparseTensor:
    """A feature as a sparse tensor; empty strings and -1 are no values."""
    if isinstance(x, SparseTensor):
        return x
    t: Any = convert_to_tensor(x)
    none: Any = b"" if t.dtype is dtypes.string else t.dtype.as_numpy_dtype(-1)
    at = arrays.where_indices(math.not_equal(t, none))
    return SparseTensor(at, arrays.gather_nd(t, at), shapes.shape(t, out_type=dtypes.int64))


def _of_values(x: SparseTensor, values: Any) -> SparseTensor:
    return sparse_of(x.indices, values, x.dense_shape)


class Sparse(Column):
    """Columns of one feature with ids."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return self.column_name  # type: ignore[attr-defined,no-any-return]

    @property
    def length(self) -> int:
        """How many ids there are."""
        if self.bucket_size is not None:  # type: ignore[attr-defined]
            return int(self.bucket_size)  # type: ignore[attr-defined]
        config = self.lookup_config  # type: ignore[attr-defined]
        if config.vocab_size is None:
            raise ValueError(f"the size of the vocabulary of {self.name} is not known")
        return int(config.vocab_size + config.num_oov_buckets)

    @property
    def config(self) -> dict[str, Any]:
        return _var_len(self.name, self.dtype)  # type: ignore[attr-defined]

    def transform(self, get: Any) -> Ids:
        x = _sparse(get(self.name))
        return Ids(_of_values(x, self.find(x.values)), None)

    def find(self, values: Any) -> Any:
        """Ids of values."""
        raise NotImplementedError


class _SparseColumnIntegerized(
    namedtuple(
        "_SparseColumnIntegerized",
        "column_name is_integerized bucket_size lookup_config combiner dtype",
    ),
    Sparse,
):
    __slots__ = ()

    def find(self, values: Any) -> Any:
        return math.mod(math.cast(values, dtypes.int64), np.int64(self.bucket_size))


class _SparseColumnHashed(
    namedtuple(
        "_SparseColumnHashed", "column_name is_integerized bucket_size lookup_config combiner dtype"
    ),
    Sparse,
):
    __slots__ = ()

    def find(self, values: Any) -> Any:
        texts = values if values.dtype is dtypes.string else as_string(values)
        return string_to_hash_bucket_fast(texts, self.bucket_size)


class _SparseColumnKeys(
    namedtuple(
        "_SparseColumnKeys", "column_name is_integerized bucket_size lookup_config combiner dtype"
    ),
    Sparse,
):
    __slots__ = ()

    def find(self, values: Any) -> Any:
        c = self.lookup_config
        table = index_table_from_tensor(
            list(c.keys), default_value=c.default_value, dtype=self.dtype, name="lookup"
        )
        return table.lookup(values)


class _SparseColumnVocabulary(
    namedtuple(
        "_SparseColumnVocabulary",
        "column_name is_integerized bucket_size lookup_config combiner dtype",
    ),
    Sparse,
):
    __slots__ = ()

    def find(self, values: Any) -> Any:
        c = self.lookup_config
        texts = values if values.dtype is dtypes.string else as_string(values)
        return index_table_from_file(
            c.vocabulary_file, c.num_oov_buckets, c.vocab_size, c.default_value,
            name=self.column_name + "_lookup",
        ).lookup(texts)  # fmt: skip


class _WeightedSparseColumn(
    namedtuple("_WeightedSparseColumn", ["sparse_id_column", "weight_column_name", "dtype"]), Column
):
    __slots__ = ()

    @property
    def name(self) -> str:
        return f"{self.sparse_id_column.name}_weighted_by_{self.weight_column_name}"

    @property
    def length(self) -> int:
        return self.sparse_id_column.length  # type: ignore[no-any-return]

    @property
    def combiner(self) -> str:
        return self.sparse_id_column.combiner  # type: ignore[no-any-return]

    @property
    def config(self) -> dict[str, Any]:
        return {**self.sparse_id_column.config, **_var_len(self.weight_column_name, self.dtype)}

    def transform(self, get: Any) -> Ids:
        weights = get(self.weight_column_name)
        if not isinstance(weights, SparseTensor):
            weights = _sparse(weights)
        ids = get(self.sparse_id_column).ids
        return Ids(ids, _of_values(weights, math.cast(weights.values, dtypes.float32)))


class _OfIds(Column):
    """What is made of another column's ids."""

    __slots__ = ()

    @property
    def length(self) -> int:
        return self.sparse_id_column.length  # type: ignore[attr-defined,no-any-return]

    @property
    def config(self) -> dict[str, Any]:
        return self.sparse_id_column.config  # type: ignore[attr-defined,no-any-return]

    def transform(self, get: Any) -> Ids:
        return get(self.sparse_id_column)  # type: ignore[attr-defined,no-any-return]


class _OneHotColumn(namedtuple("_OneHotColumn", ["sparse_id_column"]), _OfIds):
    __slots__ = ()

    @property
    def name(self) -> str:
        return f"{self.sparse_id_column.name}_one_hot"


class _EmbeddingColumn(
    namedtuple(
        "_EmbeddingColumn",
        "sparse_id_column dimension combiner initializer ckpt_to_load_from tensor_name_in_ckpt "
        "shared_embedding_name shared_vocab_size max_norm trainable",
    ),
    _OfIds,
):
    __slots__ = ()
    _hidden = ("initializer",)

    @property
    def name(self) -> str:
        kind = "embedding" if self.shared_embedding_name is None else "shared_embedding"
        return f"{self.sparse_id_column.name}_{kind}"

    @property
    def length(self) -> int:
        if self.shared_vocab_size is not None:
            return int(self.shared_vocab_size)
        return super().length


class _ScatteredEmbeddingColumn(
    namedtuple(
        "_ScatteredEmbeddingColumn", "column_name size dimension hash_key combiner initializer"
    ),
    Column,
):
    __slots__ = ()
    _hidden = ("initializer",)

    @property
    def name(self) -> str:
        return f"{self.column_name}_scattered_embedding"

    @property
    def config(self) -> dict[str, Any]:
        return _var_len(self.column_name, dtypes.string)

    def transform(self, get: Any) -> SparseTensor:
        return _sparse(get(self.column_name))


class _RealValuedColumn(
    namedtuple("_RealValuedColumn", "column_name dimension default_value dtype normalizer"),
    Column,
):
    __slots__ = ()
    _hidden = ("normalizer",)

    @property
    def name(self) -> str:
        return self.column_name  # type: ignore[no-any-return]

    @property
    def config(self) -> dict[str, Any]:
        from graphc.data.parsing import FixedLenFeature  # here only

        given = None if self.default_value is None else list(self.default_value)
        return {self.column_name: FixedLenFeature([self.dimension], self.dtype, given)}

    def transform(self, get: Any) -> Any:
        x = get(self.column_name)
        return x if self.normalizer is None else self.normalizer(x)


class _BucketizedColumn(namedtuple("_BucketizedColumn", "source_column boundaries"), Column):
    __slots__ = ()
    combiner = "sum"

    @property
    def name(self) -> str:
        return f"{self.source_column.name}_bucketized"

    @property
    def length(self) -> int:
        return len(self.boundaries) + 1

    @property
    def config(self) -> dict[str, Any]:
        return self.source_column.config  # type: ignore[no-any-return]

    def transform(self, get: Any) -> Any:
        x: Any = get(self.source_column)
        return _bucket(math.cast(x, dtypes.float32), self.boundaries)

    def to_sparse(self, made: Any) -> SparseTensor:
        """Ids: those of the i-th number are behind those of the numbers before."""
        n, width = self.length, self.source_column.dimension
        ids = shapes.reshape(made, [-1, width])
        ids = math.cast(ids, dtypes.int64) + np.arange(width, dtype=np.int64) * n
        at = arrays.where_indices(math.greater_equal(ids, np.int64(0)))
        return sparse_of(at, arrays.gather_nd(ids, at), shapes.shape(ids, out_type=dtypes.int64))


def _bucket(x: Any, boundaries: Sequence[float]) -> Any:
    """How many boundaries each number has reached."""
    at = np.asarray(boundaries, np.float32)
    reached = math.greater_equal(shapes.expand_dims(x, -1), at)
    return reduce.reduce_sum(math.cast(reached, dtypes.int32), -1)


class _CrossedColumn(
    namedtuple(
        "_CrossedColumn",
        "columns hash_bucket_size hash_key combiner ckpt_to_load_from tensor_name_in_ckpt",
    ),
    Column,
):
    __slots__ = ()

    @property
    def name(self) -> str:
        return "_X_".join(sorted(c.name for c in self.columns))

    @property
    def length(self) -> int:
        return int(self.hash_bucket_size)

    @property
    def config(self) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for c in self.columns:
            out.update(c.config)
        return out

    def _features(self, get: Any) -> list[Any]:
        found: list[Any] = []
        for c in self.columns:
            if isinstance(c, _CrossedColumn):
                found += c._features(get)
            elif isinstance(c, _BucketizedColumn):
                found.append(c.to_sparse(get(c)))
            else:
                found.append(_sparse(get(c.name)))
        return found

    def transform(self, get: Any) -> Ids:
        made = sparse_feature_cross(
            self._features(get), hashed_output=True, num_buckets=self.hash_bucket_size,
            hash_key=self.hash_key,
        )  # fmt: skip
        return Ids(made, None)


# ------------------------------------------------------------------------- made by users


def _kind(dtype: Any, column_name: str) -> Any:
    kind = as_dtype(dtype)
    if kind is not dtypes.string and not kind.is_integer:
        raise ValueError(
            f"dtype must be string or integer. dtype: {kind}, column_name: {column_name}"
        )
    return kind


def _size(bucket_size: int, column_name: str) -> int:
    if bucket_size is None or bucket_size < 1:
        raise ValueError(
            f"bucket_size must be at least 1. bucket_size: {bucket_size}, column_name: "
            f"{column_name}"
        )
    return bucket_size


def sparse_column_with_integerized_feature(
    column_name: str, bucket_size: int, combiner: str = "sum", dtype: Any = dtypes.int64
) -> Any:
    """Integers as ids, modulo `bucket_size`."""
    kind = as_dtype(dtype)
    if not kind.is_integer:
        raise ValueError(f"dtype must be an integer. dtype: {kind}, column_name: {column_name}")
    size = _size(bucket_size, column_name)
    return _SparseColumnIntegerized(column_name, True, size, None, combiner, kind)


def sparse_column_with_hash_bucket(
    column_name: str, hash_bucket_size: int, combiner: str = "sum", dtype: Any = dtypes.string,
    hash_keys: Any = None,
) -> Any:  # fmt: skip
    """Strings or integers as hashes.

    Raises
    ------
    NotImplementedError
        For `hash_keys`.
    """
    if hash_keys is not None:
        raise NotImplementedError("hash_keys: several hashes of one feature are not supported")
    size = _size(hash_bucket_size, column_name)
    kind = _kind(dtype, column_name)
    return _SparseColumnHashed(column_name, False, size, None, combiner, kind)


def sparse_column_with_keys(
    column_name: str, keys: Any, default_value: int = -1, combiner: str = "sum",
    dtype: Any = dtypes.string,
) -> Any:  # fmt: skip
    """Places in a list; values that are not in it have `default_value`."""
    keys = tuple(keys)
    found = _SparseIdLookupConfig(None, keys, 0, len(keys), default_value)
    kind = _kind(dtype, column_name)
    return _SparseColumnKeys(column_name, False, None, found, combiner, kind)


def sparse_column_with_vocabulary_file(
    column_name: str, vocabulary_file: str, num_oov_buckets: int = 0,
    vocab_size: int | None = None, default_value: int = -1, combiner: str = "sum",
    dtype: Any = dtypes.string,
) -> Any:  # fmt: skip
    """Numbers of lines of a file."""
    if vocab_size is None:
        raise ValueError(f"vocab_size must be defined. column_name: {column_name}")
    found = _SparseIdLookupConfig(vocabulary_file, None, num_oov_buckets, vocab_size, default_value)
    kind = _kind(dtype, column_name)
    return _SparseColumnVocabulary(column_name, False, None, found, combiner, kind)


def weighted_sparse_column(
    sparse_id_column: Any, weight_column_name: str, dtype: Any = dtypes.float32
) -> Any:
    """Ids with weights from another feature."""
    kind = as_dtype(dtype)
    if not (kind.is_integer or kind.is_floating):
        raise ValueError(f"dtype is not convertible to float. Given {kind}")
    return _WeightedSparseColumn(sparse_id_column, weight_column_name, kind)


def one_hot_column(sparse_id_column: Any) -> Any:
    """Ids as vectors with a one for each."""
    return _OneHotColumn(sparse_id_column)


def _first(initializer: Any, length: int, column: Any) -> Any:
    if initializer is not None and not callable(initializer):
        raise ValueError(
            f"initializer must be callable if specified. Embedding of column_name: {column.name}"
        )
    return initializer or TruncatedNormal(mean=0.0, stddev=1 / pymath.sqrt(length))


def embedding_column(
    sparse_id_column: Any, dimension: int, combiner: str = "mean", initializer: Any = None,
    ckpt_to_load_from: str | None = None, tensor_name_in_ckpt: str | None = None,
    max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    """Ids as rows of a table that is learned, combined for each example."""
    if isinstance(sparse_id_column, _WeightedSparseColumn):
        length = sparse_id_column.sparse_id_column.length
    else:
        length = sparse_id_column.length
    return _EmbeddingColumn(
        sparse_id_column, dimension, combiner, _first(initializer, length, sparse_id_column),
        ckpt_to_load_from, tensor_name_in_ckpt, None, None, max_norm, trainable,
    )  # fmt: skip


def shared_embedding_columns(
    sparse_id_columns: Any, dimension: int, combiner: str = "mean",
    shared_embedding_name: str | None = None, initializer: Any = None,
    ckpt_to_load_from: str | None = None, tensor_name_in_ckpt: str | None = None,
    max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    """Embedding columns with one table."""
    if isinstance(sparse_id_columns, str | bytes) or not isinstance(sparse_id_columns, Sequence):
        raise TypeError("sparse_id_columns must be a non-string sequence (ex: list or tuple)")
    columns = list(sparse_id_columns)
    if not columns:
        raise ValueError("The input sparse_id_columns should have at least one element.")
    if any(not isinstance(c, Sparse) for c in columns):
        raise TypeError("Elements of sparse_id_columns must be _SparseColumn")
    if len({(c.bucket_size, c.lookup_config, c.combiner, c.dtype) for c in columns}) > 1:
        raise ValueError("The input sparse id columns are not compatible.")
    first = _first(initializer, columns[0].length, columns[0])
    name = shared_embedding_name
    if name is None:
        names = sorted(c.name for c in columns)
        name = "_".join(names[:3]) + (f"_plus_{len(names) - 3}_others" if len(names) > 3 else "")
        name += "_shared_embedding"
    return [
        _EmbeddingColumn(
            c, dimension, combiner, first, ckpt_to_load_from, tensor_name_in_ckpt, name,
            columns[0].length, max_norm, trainable,
        )
        for c in columns
    ]  # fmt: skip


def scattered_embedding_column(
    column_name: str, size: int, dimension: int, hash_key: int, combiner: str = "mean",
    initializer: Any = None,
) -> Any:  # fmt: skip
    """Embeddings whose numbers are each picked from `size` ones by a hash of the value."""
    if dimension < 1 or size < 1:
        raise ValueError(
            f"dimension and size must be greater than 0. dimension: {dimension}, size: {size}, "
            f"column_name: {column_name}"
        )
    if combiner not in ("mean", "sqrtn", "sum"):
        raise ValueError(
            "Invalid combiner: only 'mean', 'sqrtn', 'sum' are supported. combiner: "
            f"{combiner}, column_name: {column_name}"
        )
    if initializer is not None and not callable(initializer):
        raise ValueError(
            f"initializer must be callable if specified. Embedding of column_name: {column_name}"
        )
    first = initializer or TruncatedNormal(mean=0.0, stddev=0.1)
    return _ScatteredEmbeddingColumn(column_name, size, dimension, hash_key, combiner, first)


def real_valued_column(
    column_name: str, dimension: int = 1, default_value: Any = None, dtype: Any = dtypes.float32,
    normalizer: Any = None,
) -> Any:  # fmt: skip
    """Numbers.

    Parameters
    ----------
    dimension : int
        How many an example has.
    default_value : number or list, optional
        What they are where an example has none.
    normalizer : callable, optional
        From the feature to what is used.
    """
    where = f"dimension: {dimension}, column_name: {column_name}"
    if not isinstance(dimension, int):
        raise TypeError(f"dimension must be an integer. {where}")
    if dimension < 1:
        raise ValueError(f"dimension must be greater than 0. {where}")
    kind = as_dtype(dtype)
    if not (kind.is_integer or kind.is_floating):
        raise ValueError(
            f"dtype must be convertible to float. dtype: {kind}, column_name: {column_name}"
        )
    given = default_value
    if given is not None:
        listed = isinstance(given, list | tuple)
        values = tuple(given) if listed else (given,) * dimension
        if listed and len(values) != dimension:
            raise ValueError(
                "The length of default_value must be equal to dimension. default_value: "
                f"{default_value}, {where}"
            )
        if any(isinstance(v, str | bytes) or not isinstance(v, int | float) for v in values) or (
            kind.is_integer and any(isinstance(v, float) and not v.is_integer() for v in values)
        ):
            raise TypeError(
                f"default_value must be compatible with dtype. default_value: {default_value}, "
                f"dtype: {kind}, column_name: {column_name}"
            )
        cast = int if kind.is_integer else float
        given = tuple([cast(v) for v in values])
    return _RealValuedColumn(column_name, dimension, given, kind, normalizer)


def bucketized_column(source_column: Any, boundaries: Any) -> Any:
    """Numbers as ids of the intervals between `boundaries`."""
    if not isinstance(source_column, _RealValuedColumn):
        raise TypeError(
            f"source_column must be an instance of _RealValuedColumn. source_column: "
            f"{source_column}"
        )
    if not isinstance(boundaries, list | tuple) or not boundaries:
        raise ValueError(f"boundaries must be a non-empty list or tuple. boundaries: {boundaries}")
    if any(a > b for a, b in itertools.pairwise(boundaries)):
        raise ValueError(f"boundaries must be a sorted list. boundaries: {boundaries}")
    kept = [b for i, b in enumerate(boundaries) if i == 0 or b != boundaries[i - 1]]
    return _BucketizedColumn(source_column, tuple(kept))


def crossed_column(
    columns: Any, hash_bucket_size: int, combiner: str = "sum",
    ckpt_to_load_from: str | None = None, tensor_name_in_ckpt: str | None = None,
    hash_key: int | None = None,
) -> Any:  # fmt: skip
    """Combinations of the values of several columns, as hashes."""
    for c in columns:
        if not isinstance(c, Sparse | _CrossedColumn | _BucketizedColumn):
            raise TypeError(
                "columns must be a set of _SparseColumn, _CrossedColumn, or _BucketizedColumn "
                f"instances. (column {c} is a {type(c).__name__})"
            )
    if len(columns) < 2:
        raise ValueError(f"columns must contain at least 2 elements. columns: {columns}")
    if hash_bucket_size < 2:
        raise ValueError(
            f"hash_bucket_size must be at least 2. hash_bucket_size: {hash_bucket_size}"
        )
    ordered = tuple(sorted(columns, key=lambda c: c.name))
    return _CrossedColumn(
        ordered, hash_bucket_size, hash_key, combiner, ckpt_to_load_from, tensor_name_in_ckpt
    )
