"""How many operations TensorFlow 1 makes for feature columns: seeds depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.feature_column import kinds
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.sparse.tensor import SparseTensor

__all__ = ["TOTAL", "Counter"]

#: Making a sparse tensor of a matrix: what is not there is left out; one more for int64.
_SPARSE = 5
#: Of ids a matrix of ones and zeros; of a table and ids combined rows; more with a largest norm.
_INDICATOR, _LOOKUP, _NORM = 18, 64, 17
#: More where ids have weights: for ones and zeros, for rows by the way they are combined.
_WEIGHTED_INDICATOR, _WEIGHTED = 12, {"mean": 48, "sum": 28, "sqrtn": 51}
#: Of numbers a matrix; of intervals ones and zeros, or ids.
_NUMBERS, _INTERVALS, _INTERVAL_IDS = 8, 15, 32
#: In a linear model: a product; a sum of weights of ids, more where these have weights of their
#: own; what is made for the sum of all columns and the bias, without the bias itself.
_PRODUCT, _SUM, _WEIGHTED_SUM, TOTAL = 3, 67, 10, 4


class Unknown(Exception):
    """There is no rule for a column: what is recorded counts."""


class Counter:
    """Counts for the columns of one layer: what is made of a feature is made once.

    Parameters
    ----------
    features : dict
    """

    def __init__(self, features: Mapping[str, Any]) -> None:
        self.features = features
        self.seen: set[Any] = set()

    def ids(self, column: Any) -> int | None:
        """Of the ids that a column has; None where it has none, or there is no rule."""
        source = getattr(column, "source", None)
        try:
            return self._ids(source) if isinstance(source, kinds.CategoricalColumn) else None
        except Unknown:
            return None

    def normalized(self, column: Any) -> int:
        """Of a column of numbers whose normalizer counts as recorded: of shapes."""
        if not isinstance(column, kinds.NumericColumn) or column.normalizer_fn is None:
            return 0
        self.seen.add(column.key)
        return 4

    def rest(self, column: Any, ids: int | None) -> int | None:
        """Of the column besides its ids and variable; None where there is no rule."""
        if isinstance(column, kinds.NumericColumn) and column.normalizer_fn is None:
            return self._known(column, _NUMBERS)
        if isinstance(column, kinds.BucketizedColumn):
            return self._known(column, _INTERVALS)
        if ids is None:
            return None
        weighted = isinstance(column.source, kinds.WeightedColumn)
        if isinstance(column, kinds.IndicatorColumn):
            return _INDICATOR + _WEIGHTED_INDICATOR * weighted
        if isinstance(column, kinds.EmbeddingColumn):
            more = _WEIGHTED[column.combiner] if weighted else 0
            return _LOOKUP + more + _NORM * (column.max_norm is not None)
        return None

    def linear(self, column: Any, combiner: str) -> tuple[int | None, int | None]:
        """In a linear model: before the column's variable, and after it."""
        if not isinstance(column, kinds.CategoricalColumn):
            dense = self.rest(column, self.ids(column))
            if dense is None:
                return 2 * self.normalized(column), None
            return dense, _PRODUCT
        try:
            ids = self._ids(column)
        except Unknown:
            return None, None
        weighted = isinstance(column, kinds.WeightedColumn)
        return ids, _SUM + (_WEIGHTED[combiner] + _WEIGHTED_SUM if weighted else 0)

    def _known(self, column: Any, more: int) -> int | None:
        try:
            return self._transformed(column) + more
        except Unknown:
            return None

    def _ids(self, column: Any) -> int:
        more = _INTERVAL_IDS if isinstance(column, kinds.BucketizedColumn) else 0
        return self._transformed(column) + more

    def _transformed(self, column: Any) -> int:
        key = type(column), column.name
        if key in self.seen:
            return 0
        self.seen.add(key)
        if isinstance(column, kinds.NumericColumn) and column.normalizer_fn is None:
            made, x = self._raw(column.key)
            return made + (x.dtype is not dtypes.float32)
        if isinstance(column, kinds.BucketizedColumn):
            return self._transformed(column.source) + 1
        if isinstance(column, kinds.KeyColumn):
            made = self._sparse(column.key)
            return made + column.operations(self.features[column.key].dtype)
        if isinstance(column, kinds.WeightedColumn):
            return self._ids(column.source) + self._sparse(column.key)
        if isinstance(column, kinds.CrossedColumn):
            # Numbers of intervals are int32 in TF1, and crossed as int64.
            parts = [self._raw(k)[0] if isinstance(k, str)
                     else self._ids(k) + isinstance(k, kinds.BucketizedColumn)
                     for k in column.leaves()]  # fmt: skip
            return sum(parts) + 1
        raise Unknown

    def _sparse(self, key: str) -> int:
        """Of a feature as a sparse tensor."""
        made, x = self._raw(key)
        return made + (_SPARSE + (x.dtype is dtypes.int64) if isinstance(x, Value) else 0)

    def _raw(self, key: str) -> tuple[int, Any]:
        """Of a feature as it is, with an axis of its own; and what it is."""
        x = self.features.get(key)
        if not isinstance(x, Value | SparseTensor):
            raise Unknown
        if key in self.seen or isinstance(x, SparseTensor) or x.rank != 1:
            return 0, x
        self.seen.add(key)
        return 2, x
