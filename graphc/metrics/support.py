"""What metrics share: their variables, weights, and collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.face.current import add_to_collections
from graphc.face.graph_keys import GraphKeys
from graphc.face.scopes import variable_scope
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.losses.weighting import as_float, broadcast_weights, squeezed_with_weights
from graphc.ops import fills, math, reduce, shapes, state
from graphc.ops.counting import made

__all__ = [
    "Both", "as_float", "broadcast_weights", "counted", "finished", "metric_scope",
    "metric_variable", "ratio", "squeezed_with_weights", "weighted_sum_and_count",
]  # fmt: skip


def metric_variable(
    shape: Any, dtype: Any = dtypes.float32, validate_shape: bool = True, name: str | None = None
) -> Variable:
    """A variable of zeros that a metric counts in: local, and in ``METRIC_VARIABLES``."""
    return Variable(
        lambda: fills.zeros(shape, dtype), trainable=False, validate_shape=validate_shape,
        name=name,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES],
    )  # fmt: skip


def metric_scope(name: str | None, default: str, *values: Any) -> variable_scope:
    """The scope of a metric's variables."""
    return variable_scope(name, default, [v for v in values if isinstance(v, Value)])


def finished(value: Any, update: Any, metrics: Any, updates: Any) -> tuple[Any, Any]:
    """Value and update of a metric, added to the collections that were asked for."""
    if metrics:
        add_to_collections(metrics, value)
    if updates:
        add_to_collections(updates, update)
    return value, update


def ratio(total: Any, count: Any, name: str) -> Value:
    """total / count, 0 where the count is not positive."""
    return math.div_no_nan(total, math.maximum(count, 0.0), name=name)  # type: ignore[no-any-return]


def weighted_sum_and_count(values: Value, weights: Any) -> tuple[Value, Value]:
    """Values times weights, and the sum of the weights (the number of values without any)."""
    if weights is None:
        return values, math.cast(shapes.size(values), dtypes.float32)
    _, values, weights = squeezed_with_weights(None, values, weights)
    w = broadcast_weights(as_float(weights), values)
    return math.multiply(values, w), reduce.reduce_sum(w)


def counted(
    condition: Value, weights: Any, metrics: Any, updates: Any
) -> tuple[Any, Any]:  # fmt: skip
    """How often a condition held."""
    count = metric_variable([], name="count")
    made(1)
    values = as_float(condition)
    if weights is not None:
        made(6)
        values = math.multiply(values, as_float(weights))
    value = state.identity(count)
    update = state.assign_add(count, reduce.reduce_sum(values))
    return finished(value, update, metrics, updates)


Both = tuple[Any, Any]
Step = Callable[..., Any]
Names = Sequence[str]
