"""tf.contrib.layers: what models make of feature columns: dense input, weighted sums, parsing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphc.contrib.framework.variables import model_variable
from graphc.contrib.layers import feature_columns as columns_
from graphc.contrib.layers.feature_columns import Column, Ids
from graphc.contrib.renamed import safe_embedding_lookup_sparse
from graphc.face.current import add_to_collection, get_collection, name_scope
from graphc.face.initializers import Zeros
from graphc.face.scopes import variable_scope
from graphc.ir import dtypes
from graphc.ops import arrays, fills, linalg, math, nn, reduce, shapes, spaced
from graphc.ops.convert import convert_to_tensor
from graphc.sparse.crosses import sparse_feature_cross
from graphc.sparse.lookup import embedding_lookup_sparse
from graphc.sparse.ops import sparse_fill_empty_rows, sparse_reshape, sparse_tensor_to_dense
from graphc.sparse.tensor import SparseTensor, sparse_of, sparse_placeholder

__all__ = [
    "check_feature_columns", "create_feature_spec_for_parsing", "infer_real_valued_columns",
    "input_from_feature_columns", "joint_weighted_sum_from_feature_columns",
    "make_place_holder_tensors_for_base_features", "parse_feature_columns_from_examples",
    "parse_feature_columns_from_sequence_examples", "scattered_embedding_lookup",
    "scattered_embedding_lookup_sparse", "sequence_input_from_feature_columns",
    "transform_features", "weighted_sum_from_feature_columns",
]  # fmt: skip


#: What rows without values hash instead, in TensorFlow too.
_NO_VALUE = b"6ZxWzWOHxZ"


class _Made:
    """Features by name, and what columns made of them; each column is made once."""

    def __init__(self, features: Mapping[Any, Any]) -> None:
        self.found = dict(features)

    def __call__(self, x: Any) -> Any:
        if x not in self.found:
            if not isinstance(x, Column):
                raise KeyError(x)
            self.found[x] = x.transform(self)
        elif isinstance(x, str) and not isinstance(self.found[x], SparseTensor):
            self.found[x] = convert_to_tensor(self.found[x])
        return self.found[x]


def _ordered(feature_columns: Any) -> list[Any]:
    return sorted(set(feature_columns), key=lambda c: c.key)


def check_feature_columns(feature_columns: Any) -> None:
    """Raise ValueError when two columns are the same."""
    seen: set[str] = set()
    for c in feature_columns:
        if c.key in seen:
            raise ValueError(
                f"Duplicate feature column key found for column: {c.name}. This usually means "
                "that the column is almost identical to another column, and one must be discarded."
            )
        seen.add(c.key)


def _plain(made: Any) -> Any:
    """What a column made, as users see it: ids without weights are a sparse tensor."""
    return made.ids if isinstance(made, Ids) and made.weights is None else made


def transform_features(features: Mapping[str, Any], feature_columns: Any) -> dict[Any, Any]:
    """What each column makes of features, by column."""
    columns = list(feature_columns)
    check_feature_columns(columns)
    get = _Made(features)
    with name_scope("transform_features"):
        return {c: _plain(get(c)) for c in _ordered(columns)}


# ------------------------------------------------------------------------- embeddings


def _variable(name: str, shape: Any, initializer: Any, trainable: bool, collections: Any) -> Any:
    return model_variable(
        name, shape=shape, dtype=dtypes.float32, initializer=initializer, trainable=trainable,
        collections=collections,
    )  # fmt: skip


def _table(c: Any, trainable: bool, collections: Any) -> Any:
    """The table of an embedding; columns that share one find it in a collection."""
    shape = [c.length, c.dimension]
    shared = c.shared_embedding_name
    trained = trainable and c.trainable
    if shared is None:
        table = _variable("weights", shape, c.initializer, trained, collections)
    else:
        key = "SHARED_EMBEDDING_COLLECTION_" + shared.upper()
        held = get_collection(key)
        if held:
            return held[0]
        table = _variable(shared, shape, c.initializer, trained, collections)
        add_to_collection(key, table)
    if c.ckpt_to_load_from is not None:
        from graphc.train.warm import init_from_checkpoint  # here only

        init_from_checkpoint(c.ckpt_to_load_from, {c.tensor_name_in_ckpt: table})
    return table


def _embedded(c: Any, made: Any, rank: int, trainable: bool, collections: Any) -> Any:
    if isinstance(c, columns_._ScatteredEmbeddingColumn):
        table = _variable("weights", [c.size], c.initializer, trainable, collections)
        return scattered_embedding_lookup_sparse(
            table, made, c.dimension, c.combiner, hash_key=c.hash_key
        )
    table = _table(c, trainable, collections)
    ids, weights = made
    last = None
    if rank > 2:  # sequences: a row for each step
        size = ids.dense_shape
        flat = arrays.concat([np.full(1, -1, np.int64), size[-1:]], 0)
        last = arrays.concat([size[:-1], np.array([c.dimension], np.int64)], 0)
        ids = sparse_reshape(ids, flat)
        weights = None if weights is None else sparse_reshape(weights, flat)
    y: Any = safe_embedding_lookup_sparse(
        table, ids, weights, c.combiner, max_norm=c.max_norm, name=c.name + "weights"
    )
    if last is not None:
        y = shapes.reshape(y, last)
    y.set_shape([None] * (rank - 1) + [c.dimension])
    return y


def scattered_embedding_lookup(
    params: Any, values: Any, dimension: int, name: str | None = None, hash_key: int | None = None
) -> Any:
    """For each value `dimension` elements of the vector `params`, picked by hashes."""
    if dimension is None:
        raise ValueError("You must specify dimension.")
    with name_scope(name, "scattered_embedding_lookup"):
        table: Any = convert_to_tensor(params)
        if table.rank != 1:
            raise ValueError("params must be one-dimensional")
        v: Any = convert_to_tensor(values)
        flat = shapes.reshape(v, [-1, 1])
        places = arrays.tile(
            np.arange(dimension, dtype=np.int64).reshape(1, -1),
            arrays.concat([shapes.shape(flat)[:1], np.array([1], np.int32)], 0),
        )
        ids = sparse_feature_cross(
            [places, flat], hashed_output=True, num_buckets=int(table.static_shape[0]),
            hash_key=hash_key,
        )  # fmt: skip
        rows = shapes.reshape(ids.values, [-1, dimension])
        picked = arrays.gather(table, rows)
        size = arrays.concat([shapes.shape(v), np.array([dimension], np.int32)], 0)
        return shapes.reshape(picked, size)


def scattered_embedding_lookup_sparse(
    params: Any, sparse_values: Any, dimension: int, combiner: str | None = None,
    default_value: Any = None, name: str | None = None, hash_key: int | None = None,
) -> Any:  # fmt: skip
    """`scattered_embedding_lookup` of all values of a row, combined."""
    if not isinstance(sparse_values, SparseTensor):
        raise TypeError("sparse_values must be SparseTensor")
    with name_scope(name, "scattered_embedding_lookup_sparse"):
        none = default_value
        if none is None:
            none = _NO_VALUE if sparse_values.dtype is dtypes.string else 1288896567
        filled, _ = sparse_fill_empty_rows(sparse_values, none)
        rows = scattered_embedding_lookup(params, filled.values, dimension, hash_key=hash_key)
        places = spaced.range(shapes.shape(filled.values, out_type=dtypes.int64)[0])
        ids = sparse_of(filled.indices, places, filled.dense_shape)
        y = embedding_lookup_sparse(rows, ids, None, combiner=combiner or "mean")
        y.set_shape([None, dimension])  # type: ignore[attr-defined]
        return y


# ------------------------------------------------------------------------- dense input


def _one_hot(c: Any, made: Any, rank: int) -> Any:
    ids, weights = made
    dense = sparse_tensor_to_dense(ids, -1)
    hot: Any = fills.one_hot(dense, c.length, 1.0, 0.0)
    if weights is not None:
        hot = hot * shapes.expand_dims(sparse_tensor_to_dense(weights, 0.0), -1)
    y: Any = reduce.reduce_sum(hot, [rank - 1])
    y.set_shape([None] * (rank - 1) + [c.length])
    return y


def _numbers(x: Any, rank: int, width: int) -> Any:
    """A feature of numbers as floats, with as many axes as asked for."""
    y = x if x.dtype is dtypes.float32 else math.cast(x, dtypes.float32)
    if y.rank == rank - 1:
        return shapes.expand_dims(y, -1)
    if y.rank != rank:
        size = [-1, width] if rank == 2 else [*[shapes.shape(y)[i] for i in range(rank - 1)], width]
        y = shapes.reshape(y, size)
    return y


def _dense_input(c: Any, made: Any, rank: int, trainable: bool, collections: Any) -> Any:
    if isinstance(c, columns_._EmbeddingColumn | columns_._ScatteredEmbeddingColumn):
        return _embedded(c, made, rank, trainable, collections)
    if isinstance(c, columns_._OneHotColumn):
        return _one_hot(c, made, rank)
    if isinstance(c, columns_._RealValuedColumn):
        return _numbers(made, rank, c.dimension)
    if isinstance(c, columns_._BucketizedColumn):
        width = c.source_column.dimension * c.length
        return _numbers(fills.one_hot(made, c.length, 1.0, 0.0), rank, width)
    kind = type(c).__name__.lstrip("_")
    kind = "SparseColumn" if kind.startswith("SparseColumn") else kind
    more = "" if kind == "CrossedColumn" else " or one_hot_column"
    raise ValueError(
        f"Error creating input layer for column: {c.name}.\n{kind} is not supported in DNN. "
        f"Please use embedding_column{more}. column: {c}"
    )


def _input(
    features: Mapping[Any, Any], feature_columns: Any, weight_collections: Any, trainable: bool,
    scope: Any, outputs: Any, rank: int, default: str,
) -> Any:  # fmt: skip
    columns = list(feature_columns)
    check_feature_columns(columns)
    values = [v for v in features.values() if not isinstance(v, SparseTensor)]
    with variable_scope(scope, default, values):
        get, made = _Made(features), []
        for c in _ordered(columns):
            with variable_scope(None, c.name):
                made.append(_dense_input(c, get(c), rank, trainable, weight_collections))
                if outputs is not None:
                    outputs[c] = made[-1]
        return arrays.concat(made, rank - 1)


def input_from_feature_columns(
    columns_to_tensors: Mapping[Any, Any], feature_columns: Any, weight_collections: Any = None,
    trainable: bool = True, scope: Any = None, cols_to_outs: Any = None,
) -> Any:  # fmt: skip
    """Features as a matrix, a row for each example, for a deep model.

    Parameters
    ----------
    columns_to_tensors : dict
        Features by name; sparse tensors where an example may have any number of values.
    feature_columns : list of columns
    weight_collections : list of str, optional
        Where variables go.
    cols_to_outs : dict, optional
        Receives what each column gave.
    """
    return _input(
        columns_to_tensors, feature_columns, weight_collections, trainable, scope, cols_to_outs, 2,
        "input_from_feature_columns",
    )  # fmt: skip


def sequence_input_from_feature_columns(
    columns_to_tensors: Mapping[Any, Any], feature_columns: Any, weight_collections: Any = None,
    trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """Features of sequences as a tensor ``[examples, steps, numbers]``."""
    columns = list(feature_columns)
    for c in columns:
        if not isinstance(
            c,
            columns_._EmbeddingColumn | columns_._OneHotColumn | columns_._RealValuedColumn,
        ):
            raise ValueError(f"column {c.name} cannot be used for sequences: {c}")
    return _input(
        columns_to_tensors, columns, weight_collections, trainable, scope, None, 3,
        "sequence_input_from_feature_columns",
    )  # fmt: skip


# ------------------------------------------------------------------------- weighted sums


def _wide(c: Any, made: Any) -> tuple[Any, Any, int, str]:
    """Ids, weights, how many ids there are, and how their rows are combined."""
    if isinstance(c, columns_._BucketizedColumn):
        return c.to_sparse(made), None, c.length * c.source_column.dimension, c.combiner
    if isinstance(c, columns_._OneHotColumn):
        raise NotImplementedError(f"No dense tensor representation for column {c}")
    if isinstance(c, columns_._EmbeddingColumn | columns_._ScatteredEmbeddingColumn):
        raise ValueError(
            f"Error creating weighted sum for column: {c.name}.\nColumn {c} is not supported in "
            "linear models. Please use sparse_column."
        )
    return made.ids, made.weights, c.length, c.combiner


def _summed(c: Any, made: Any, n: int, trainable: bool, collections: Any) -> tuple[Any, Any]:
    """What a column gives, and its weights."""
    if isinstance(c, columns_._RealValuedColumn):
        x = _numbers(made, 2, c.dimension)
        w = _variable("weight", [c.dimension, n], Zeros(), trainable, collections)
        return linalg.matmul(x, w, name="matmul"), w
    ids, weights, size, combiner = _wide(c, made)
    w = _variable("weights", [size, n], Zeros(), trainable, collections)
    y: Any = safe_embedding_lookup_sparse(w, ids, weights, combiner, name="weights")
    y.set_shape([None, n])
    return y, w


def _biased(parts: list[Any], n: int, trainable: bool, collections: Any) -> tuple[Any, Any]:
    bias = _variable("bias_weight", [n], Zeros(), trainable, collections)
    return nn.bias_add(math.add_n(parts), bias), bias


def weighted_sum_from_feature_columns(
    columns_to_tensors: Mapping[Any, Any], feature_columns: Any, num_outputs: int,
    weight_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """A linear model of features.

    Returns
    -------
    The sums with a bias, the weights of each column by column, and the bias.
    """
    columns = list(feature_columns)
    check_feature_columns(columns)
    values = [v for v in columns_to_tensors.values() if not isinstance(v, SparseTensor)]
    with variable_scope(scope, "weighted_sum_from_feature_columns", values):
        get, parts, weights = _Made(columns_to_tensors), [], {}
        for c in _ordered(columns):
            with variable_scope(None, c.name):
                y, w = _summed(c, get(c), num_outputs, trainable, weight_collections)
            parts.append(y)
            weights[c] = [w]
        y, bias = _biased(parts, num_outputs, trainable, weight_collections)
        return y, weights, bias


def joint_weighted_sum_from_feature_columns(
    columns_to_tensors: Mapping[Any, Any], feature_columns: Any, num_outputs: int,
    weight_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """`weighted_sum_from_feature_columns` with one variable for all columns.

    Returns
    -------
    The sums with a bias, a list with the variable, and the bias.

    Raises
    ------
    NotImplementedError
        For columns of numbers.
    """
    columns = _ordered(feature_columns)
    check_feature_columns(columns)
    values = [v for v in columns_to_tensors.values() if not isinstance(v, SparseTensor)]
    with variable_scope(scope, "joint_weighted_sum_from_feature_columns", values):
        get, rows = _Made(columns_to_tensors), []
        for c in columns:
            if isinstance(c, columns_._RealValuedColumn):
                raise NotImplementedError(
                    "Real-valued columns are not supported. Use weighted_sum_from_feature_columns "
                    "instead, or bucketize these columns."
                )
            rows.append(_wide(c, get(c)))
        total = sum(size for _, _, size, _ in rows)
        with variable_scope("linear_weights"):
            w = _variable("weights", [total, num_outputs], Zeros(), trainable, weight_collections)
            parts, before = [], 0
            for ids, weights, size, combiner in rows:
                here: Any = w[before : before + size]
                parts.append(safe_embedding_lookup_sparse(here, ids, weights, combiner))
                before += size
        y, bias = _biased(parts, num_outputs, trainable, weight_collections)
        return y, [w], bias


# ------------------------------------------------------------------------- parsing


def create_feature_spec_for_parsing(feature_columns: Any) -> dict[str, Any]:
    """What Examples must have for these columns."""
    out: dict[str, Any] = {}
    for c in feature_columns:
        out.update(c.config)
    return out


def make_place_holder_tensors_for_base_features(feature_columns: Any) -> dict[str, Any]:
    """Placeholders of the features that these columns are made of."""
    from graphc.data.parsing import VarLenFeature  # here only
    from graphc.ops.state import placeholder

    out: dict[str, Any] = {}
    for key, f in create_feature_spec_for_parsing(feature_columns).items():
        name = f"Placeholder_{key}"
        if isinstance(f, VarLenFeature):
            out[key] = sparse_placeholder(f.dtype, name=name)
        else:
            out[key] = placeholder(f.dtype, [None, *f.shape], name=name)
    return out


def parse_feature_columns_from_examples(
    serialized: Any, feature_columns: Any, name: str | None = None, example_names: Any = None
) -> dict[Any, Any]:
    """Examples as features by name, and what columns made of them by column."""
    from graphc.data.parsing import parse_example  # here only

    columns = list(feature_columns)
    check_feature_columns(columns)
    features = parse_example(
        serialized, create_feature_spec_for_parsing(columns), name=name,
        example_names=example_names,
    )  # fmt: skip
    get = _Made(features)
    for c in _ordered(columns):
        get(c)
    return get.found


def parse_feature_columns_from_sequence_examples(
    serialized: Any, context_feature_columns: Any, sequence_feature_columns: Any,
    name: str | None = None, example_name: str | None = None,
) -> Any:  # fmt: skip
    """The context and the sequences of one SequenceExample, each by name.

    What has a fixed number of values an example has it at every step of a sequence.
    """
    from graphc.data.parsing import (  # here only
        FixedLenFeature,
        FixedLenSequenceFeature,
        parse_single_sequence_example,
    )

    context = create_feature_spec_for_parsing(context_feature_columns or ())
    sequence = create_feature_spec_for_parsing(sequence_feature_columns or ())
    for key, f in sequence.items():
        if isinstance(f, FixedLenFeature):
            sequence[key] = FixedLenSequenceFeature(f.shape, f.dtype, f.default_value is not None)
    return parse_single_sequence_example(serialized, context, sequence, example_name, name)


def infer_real_valued_columns(features: Any) -> list[Any]:
    """A column of numbers for each feature.

    Raises
    ------
    ValueError
        For features that are no numbers, or not as many in each example.
    """
    found = features if isinstance(features, Mapping) else {"": features}
    out = []
    for name, t in found.items():
        kind = t.dtype.base_dtype
        if not (kind.is_integer or kind.is_floating):
            raise ValueError(
                "Non integer or non floating types are not supported for auto detection. Please "
                f"define corresponding FeatureColumn for tensor {name} {t}."
            )
        shape = t.get_shape().as_list()
        if None in shape[1:]:
            raise ValueError(f"the size of feature {name} is not known: {shape}")
        width = int(np.prod(shape[1:], dtype=int))
        out.append(columns_.real_valued_column(name, width, dtype=kind))
    return out
