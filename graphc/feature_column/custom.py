"""Dense columns that programs write themselves, on TensorFlow's base classes.

A column of the first kind makes its numbers in ``_get_dense_tensor(inputs, …)``, where
``inputs.get(key)`` gives a feature or what another column makes of it. One of the second kind makes
its variables and objects in ``create_state(state_manager)`` and its numbers in
``get_dense_tensor(transformation_cache, state_manager)``. One that is both chooses by
``_is_v2_column`` in estimators and in ``DenseFeatures``; ``input_layer`` and ``linear_model`` take
the first way.
"""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Mapping
from typing import Any

from graphc.face.scopes import get_variable
from graphc.feature_column import kinds
from graphc.ir import dtypes
from graphc.ir.node import Value

__all__ = [
    "FeatureTransformationCache", "OldDenseColumn", "StateManager", "Written", "WrittenDenseColumn",
]  # fmt: skip


class FeatureTransformationCache:
    """Features, and what columns make of them, each made once.

    Parameters
    ----------
    features : dict
    """

    def __init__(self, features: Mapping[Any, Any]) -> None:
        self._features = features
        self._made: dict[Any, Any] = {}

    def get(self, key: Any, state_manager: Any = None) -> Any:
        """The feature of a name, or what a column makes of it.

        Parameters
        ----------
        key : str or FeatureColumn
        state_manager : StateManager, optional
            What columns of the second kind are given.

        Raises
        ------
        ValueError
            There is no such feature.
        """
        if key not in self._made:
            if isinstance(key, str):
                self._made[key] = kinds.feature_of(self._features, key)
            elif not isinstance(key, kinds.FeatureColumn):
                raise TypeError('"key" must be either a "str" or "_FeatureColumn". '
                                f"Provided: {key}")  # fmt: skip
            elif state_manager is not None and hasattr(key, "transform_feature"):
                self._made[key] = key.transform_feature(self, state_manager)
            elif hasattr(key, "_transform_feature"):
                self._made[key] = key._transform_feature(self)
            elif isinstance(key, kinds.NumericColumn):
                self._made[key] = key.numbers(self._features)
            else:
                raise ValueError(f"Column {key.name} is not supported.")
        return self._made[key]


class StateManager:
    """The variables and other objects that columns have made.

    Parameters
    ----------
    layer : object, optional
        Not looked at.
    trainable : bool
        Whether variables are trained that do not say it themselves.
    """

    def __init__(self, layer: Any = None, trainable: bool = True) -> None:
        self._trainable = trainable
        self._variables: dict[Any, dict[str, Any]] = {}
        self._resources: dict[Any, dict[str, Any]] = {}

    def create_variable(
        self, feature_column: Any, name: str, shape: Any, dtype: Any = None, trainable: bool = True,
        use_resource: bool = True, initializer: Any = None,
    ) -> Any:  # fmt: skip
        """Make a variable of a column.

        Raises
        ------
        ValueError
            The column has one of that name.
        """
        own = self._variables.setdefault(feature_column, {})
        if name in own:
            raise ValueError("Variable already exists.")
        own[name] = get_variable(
            name, shape, dtype or dtypes.float32, initializer,
            trainable=self._trainable and trainable, use_resource=use_resource,
        )  # fmt: skip
        return own[name]

    def get_variable(self, feature_column: Any, name: str) -> Any:
        """The variable of that name.

        Raises
        ------
        ValueError
            The column has none.
        """
        own = self._variables.get(feature_column, {})
        if name not in own:
            raise ValueError("Variable does not exist.")
        return own[name]

    def variables(self) -> list[Any]:
        """All variables that were made here."""
        return [v for own in self._variables.values() for v in own.values()]

    def add_resource(self, feature_column: Any, name: str, resource: Any) -> None:
        """Keep an object of a column."""
        self._resources.setdefault(feature_column, {})[name] = resource

    def has_resource(self, feature_column: Any, name: str) -> bool:
        """Whether there is an object of that name."""
        return name in self._resources.get(feature_column, {})

    def get_resource(self, feature_column: Any, name: str) -> Any:
        """The object of that name.

        Raises
        ------
        ValueError
            The column has none.
        """
        if not self.has_resource(feature_column, name):
            raise ValueError("Resource does not exist.")
        return self._resources[feature_column][name]


class Written(kinds.DenseColumn):
    """What the two base classes share: the compiler's view of what a program has written."""

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        """Whether it is of the second kind."""
        return bool(getattr(self, "_is_v2_column", isinstance(self, WrittenDenseColumn)))

    def state(self, trainable: bool) -> StateManager:
        """What a column of the second kind makes."""
        manager = StateManager(None, trainable)
        self.create_state(manager)
        return manager

    def create_state(self, state_manager: Any) -> None:
        """Make variables and other objects: nothing, where a column does not say otherwise."""

    def width(self) -> int:
        both: Any = self
        shape = both._variable_shape if hasattr(self, "_variable_shape") else both.variable_shape
        total = shape.num_elements()
        if total is None:
            raise ValueError(f"The shape of column {self.name} is not fully known: {shape}")
        return int(total)

    def dense(
        self, features: Mapping[str, Any], trainable: bool, table: StateManager | None = None
    ) -> Value:
        cache = FeatureTransformationCache(features)
        both: Any = self
        if table is None and hasattr(self, "_get_dense_tensor"):
            first: Value = both._get_dense_tensor(
                cache, weight_collections=None, trainable=trainable
            )
            return first
        second: Value = both.get_dense_tensor(cache, table or self.state(trainable))
        return second

    def _key_types(self) -> dict[str, Any]:
        both: Any = self
        for name in ("_parse_example_spec", "parse_example_spec"):
            if getattr(type(self), name, None) is not getattr(kinds.FeatureColumn, name, None):
                found: dict[str, Any] = getattr(both, name)
                return found
        raise NotImplementedError(f"Column {self.name} has no parse_example_spec")


class OldDenseColumn(Written, metaclass=ABCMeta):
    """TensorFlow's ``_DenseColumn``: a base class for columns of the first kind."""


class WrittenDenseColumn(Written, metaclass=ABCMeta):
    """TensorFlow's ``DenseColumn``: a base class for columns of the second kind."""


for _base in (OldDenseColumn, WrittenDenseColumn):
    for _kind in (
        kinds.NumericColumn, kinds.BucketizedColumn, kinds.IndicatorColumn, kinds.EmbeddingColumn,
    ):  # fmt: skip
        _base.register(_kind)
