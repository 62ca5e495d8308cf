"""Feature columns side by side as a matrix, or as a linear model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.face import initializers
from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import get_variable, pure_variable_scope, variable_scope
from graphc.feature_column.counting import TOTAL, Counter
from graphc.feature_column.custom import Written
from graphc.feature_column.kinds import CategoricalColumn, DenseColumn, EmbeddingColumn, combine
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, linalg, math, nn, shapes
from graphc.ops.counting import made

__all__ = [
    "dense_columns", "dense_features", "input_layer", "linear_columns", "linear_model", "listed",
    "part_of", "scope_of",
]  # fmt: skip


def listed(columns: Any) -> list[Any]:
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
    with variable_scope(None, "input_layer"):
        return _joined(
            features, dense_columns(feature_columns), trainable, {}, weight_collections or (),
            cols_to_vars, cols_to_output_tensors,
        )  # fmt: skip


def dense_features(features: Mapping[str, Any], feature_columns: Any) -> Value:
    """As `input_layer`, but all variables are made before anything else."""
    columns = dense_columns(feature_columns)
    with variable_scope(None, "input_layer"):
        return _joined(features, columns, True, _tables(columns, True))


def dense_columns(feature_columns: Any) -> list[Any]:
    """The columns in order of their names; only dense ones."""
    columns = listed(feature_columns)
    for c in columns:
        if not isinstance(c, DenseColumn):
            raise ValueError("Items of feature_columns must be a _DenseColumn. You can wrap a "
                             "categorical column with an embedding_column or indicator_column. "
                             f"Given: {c}")  # fmt: skip
    return columns


def _joined(
    features: Mapping[str, Any], columns: Sequence[Any], trainable: bool,
    tables: Mapping[Any, Any], collections: Sequence[str] = (), cols_to_vars: Any = None,
    cols_to_output_tensors: Any = None,
) -> Value:  # fmt: skip
    parts = []
    graph = get_default_graph()
    count = Counter(features)
    for c in columns:
        before = len(graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
        with variable_scope(None, scope_of(c)):
            part = part_of(c, features, trainable, tables.get(c), count)
        parts.append(part)
        variables = graph.get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
        for name in collections:
            for v in variables:
                graph.add_to_collection(name, v)
        if cols_to_vars is not None:
            cols_to_vars[c] = variables
        if cols_to_output_tensors is not None:
            cols_to_output_tensors[c] = part
    return arrays.concat(parts, 1)


def _kept(column: Any) -> bool:
    """Whether a column that a program has written keeps something in a layer."""
    return isinstance(column, Written) and column.stateful


def scope_of(column: Any) -> str:
    """The scope of a column's variables."""
    name: str = getattr(column, "scope", column.name)
    return name


def _tables(columns: Sequence[Any], trainable: bool) -> dict[Any, Any]:
    """The variables of columns, made before anything else."""
    tables: dict[Any, Any] = {}
    for c in columns:
        if c.stateful:
            with pure_variable_scope(scope_of(c)):
                tables[c] = c.state(trainable)
    return tables


def part_of(
    column: Any, features: Mapping[str, Any], trainable: bool, table: Any, count: Counter
) -> Value:
    """The matrix of one column, counted as TF1 makes it: ids, a variable, what is left."""
    ids = count.ids(column)
    made((ids or 0) + count.normalized(column))
    more = {}
    if isinstance(column, EmbeddingColumn) or table is not None:
        more["table"] = column.table(trainable) if table is None else table
    with get_default_graph().counts_as(count.rest(column, ids)):
        return shapes.reshape(column.dense(features, trainable, **more), [-1, column.width()])


def linear_model(
    features: Mapping[str, Any], feature_columns: Any, units: int = 1, sparse_combiner: str = "sum",
    weight_collections: Any = None, trainable: bool = True, cols_to_vars: Any = None,
) -> Value:  # fmt: skip
    """``sum of columns * weights + bias``: a matrix with `units` columns."""
    return linear_columns(features, feature_columns, units, sparse_combiner, weight_collections,
                          trainable, cols_to_vars, states=False)  # fmt: skip


def linear_columns(
    features: Mapping[str, Any], feature_columns: Any, units: int = 1, sparse_combiner: str = "sum",
    weight_collections: Any = None, trainable: bool = True, cols_to_vars: Any = None,
    states: bool = True,
) -> Value:  # fmt: skip
    """`linear_model`; with `states` columns that programs write make what they keep, as a layer's.

    Estimators' linear models are layers; ``tf.feature_column.linear_model`` is none.
    """
    columns = listed(feature_columns)
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
    count = Counter(features)
    with variable_scope(None, "linear_model"):
        for c in columns:
            ids = isinstance(c, CategoricalColumn)
            before, rest = count.linear(c, sparse_combiner)
            with variable_scope(None, c.name), name_scope(None, "weighted_sum"):
                made(before or 0)
                more = {"table": c.state(trainable)} if states and _kept(c) else {}
                w = weights("weights", [c.buckets if ids else c.width(), units], c)
                with graph.counts_as(rest):
                    if ids:
                        rows = combine(w, c.ids(features), c.weights(features), sparse_combiner)
                    else:
                        rows = linalg.matmul(c.dense(features, trainable, **more), w)
                parts.append(rows)
        bias = weights("bias_weights", [units], "bias")
        with graph.counts_as(TOTAL):
            total = parts[0] if len(parts) == 1 else math.add_n(parts)
            return nn.bias_add(total, bias)  # type: ignore[no-any-return]
