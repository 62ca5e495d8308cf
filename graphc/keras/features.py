"""Feature columns as layers of models: ``DenseFeatures`` and ``SequenceFeatures``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.face import asserts
from graphc.face.current import control_dependencies, name_scope
from graphc.face.scopes import pure_variable_scope
from graphc.feature_column.counting import Counter
from graphc.feature_column.custom import StateManager, Written
from graphc.feature_column.kinds import DenseColumn
from graphc.feature_column.layers import dense_columns, listed, part_of, scope_of
from graphc.feature_column.sequence import check_sequence
from graphc.keras.engine import Layer
from graphc.ops import arrays, state

__all__ = ["DenseFeatures", "SequenceFeatures"]


class _Features(Layer):
    """Columns of features given by name; their tables are weights."""

    def __init__(
        self, feature_columns: Any, trainable: bool = True, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._feature_columns = self._checked(feature_columns)
        self._tables: dict[Any, Any] = {}

    def _checked(self, feature_columns: Any) -> list[Any]:
        """The columns in order of their names."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        for c in self._feature_columns:
            if not (isinstance(c, DenseColumn) and c.stateful):
                continue
            with pure_variable_scope(self.name), pure_variable_scope(scope_of(c)):
                made = self._tables[c] = c.state(self.trainable)
            trains = self.trainable and getattr(c, "trainable", True)
            own = self._trainable_weights if trains else self._non_trainable_weights
            for table in made.variables() if isinstance(made, StateManager) else [made]:
                if not any(v is table for v in own):
                    own.append(table)
        self.built = True

    def _named(self, features: Any) -> Mapping[str, Any]:
        if not isinstance(features, Mapping):
            raise ValueError("We expected a dictionary here. Instead we got: ", features)
        return features

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "feature_columns": self._feature_columns}

    @property
    def _width(self) -> int:
        return sum(c.width() for c in self._feature_columns)


class DenseFeatures(_Features):
    """Dense columns beside each other, in order of their names: a matrix.

    Parameters
    ----------
    feature_columns : list
        Numbers, intervals, embeddings and indicators.

    Raises
    ------
    ValueError
        For a categorical column: wrap it in `indicator_column` or `embedding_column`.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.Session() as session:
    ...     layer = tf.keras.layers.DenseFeatures([tf.feature_column.numeric_column("a")])
    ...     print(session.run(layer({"a": [1.0, 2.0]})))
    [[1.]
     [2.]]
    """

    def _checked(self, feature_columns: Any) -> list[Any]:
        columns = dense_columns(feature_columns)
        for c in columns:
            if isinstance(c, Written) and not c.stateful:
                raise ValueError("Items of feature_columns must be a FeatureColumn. Given (type "
                                 f"{type(c)}): {c}.")  # fmt: skip
        return columns

    def call(self, features: Any, cols_to_output_tensors: Any = None) -> Any:
        given = self._named(features)
        count = Counter(given)
        parts = []
        for c in self._feature_columns:
            with name_scope(c.name):
                parts.append(part_of(c, given, self.trainable, self._tables.get(c), count))
            if cols_to_output_tensors is not None:
                cols_to_output_tensors[c] = parts[-1]
        return arrays.concat(parts, 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0], self._width


class SequenceFeatures(_Features):
    """Columns of sequences beside each other, and how long each sequence is.

    Parameters
    ----------
    feature_columns : list
        `sequence_numeric_column`, and embeddings or indicators of
        `sequence_categorical_column_*`.

    Raises
    ------
    ValueError
        For columns that are no sequences.
    InvalidArgumentError
        In a run, when the columns' sequences have different lengths.
    """

    def _checked(self, feature_columns: Any) -> list[Any]:
        columns = listed(feature_columns)
        for c in columns:
            check_sequence(c)
        return columns

    def call(self, features: Any) -> tuple[Any, Any]:
        given = self._named(features)
        parts, lengths = [], []
        for c in self._feature_columns:
            with name_scope(c.name):
                parts.append(c.steps(given, self.trainable, **self._table(c)))
                lengths.append(getattr(c, "source", c).lengths(given))
        checks = [asserts.assert_equal(n, lengths[0]) for n in lengths[1:]]
        with control_dependencies(checks):
            return arrays.concat(parts, -1), state.identity(lengths[0])

    def _table(self, column: Any) -> dict[str, Any]:
        return {"table": self._tables[column]} if column in self._tables else {}

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0], input_shape[1], self._width
