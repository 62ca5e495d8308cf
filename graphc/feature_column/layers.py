"""Feature columns side by side as a matrix, or as a linear model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.face import initializers
from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import get_variable, variable_scope
from graphc.feature_column.kinds import CategoricalColumn, DenseColumn, NumericColumn, combine
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, linalg, math, nn, shapes

__all__ = ["input_layer", "linear_model", "listed"]


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
    columns = listed(feature_columns)
    for c in columns:
        if not isinstance(c, DenseColumn):
            raise ValueError("Items of feature_columns must be a _DenseColumn. You can wrap a "
                             "categorical column with an embedding_column or indicator_column. "
                             f"Given: {c}")  # fmt: skip
    parts = []
    with variable_scope(None, "input_layer"):
        for c in columns:
            before = len(get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES))
            scope = getattr(c, "scope", c.name)
            with variable_scope(None, scope), get_default_graph().counts_as(_count(c, features)):
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
