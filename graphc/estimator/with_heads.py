"""Ready-made models whose head the user gives, and what is added to estimators and their heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.data.parsing import FixedLenFeature
from graphc.estimator import canned
from graphc.estimator.class_heads import BinaryClassHead, MultiClassHead, MultiLabelHead
from graphc.estimator.estimator import Estimator, arguments_of
from graphc.estimator.heads import Head
from graphc.estimator.multi_head import MultiHead
from graphc.estimator.number_heads import (
    LogisticRegressionHead,
    PoissonRegressionHead,
    RegressionHead,
)
from graphc.estimator.spec import EstimatorSpec, ModeKeys
from graphc.feature_column.columns import make_parse_example_spec
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import nn

__all__ = [
    "BaselineEstimator", "DNNEstimator", "DNNLinearCombinedEstimator", "LinearEstimator",
    "add_metrics", "binary_classification_head", "classifier_parse_example_spec",
    "forward_features", "logistic_regression_head", "multi_class_head", "multi_head",
    "multi_label_head", "poisson_regression_head", "regression_head",
    "regressor_parse_example_spec",
]  # fmt: skip


class _Given(canned.Head):
    """A user's head in the place of a model's own."""

    def __init__(self, head: Head) -> None:
        super().__init__(head.logits_dimension, None, head.loss_reduction)
        self._head = head

    def spec(
        self, features: Any, labels: Any, mode: Any, logits: Value,
        train: Callable[[Value], Any],
    ) -> EstimatorSpec:  # fmt: skip
        return self._head.create_estimator_spec(features, mode, logits, labels, train_op_fn=train)


class DNNEstimator(canned._Dnn):
    """A multi-layer perceptron with a head of the user's.

    Parameters
    ----------
    head : Head
    hidden_units, feature_columns, optimizer, activation_fn, dropout, batch_norm
        As for `DNNClassifier`.
    """

    def __init__(
        self, head: Any, hidden_units: Sequence[int], feature_columns: Any,
        model_dir: str | None = None, optimizer: Any = "Adagrad", activation_fn: Any = nn.relu,
        dropout: Any = None, input_layer_partitioner: Any = None, config: Any = None,
        warm_start_from: Any = None, batch_norm: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            _Given(head), hidden_units, feature_columns, optimizer, activation_fn, dropout,
            batch_norm, input_layer_partitioner, model_dir, config, warm_start_from,
        )  # fmt: skip


class LinearEstimator(canned._Linear):
    """A linear model with a head of the user's: see `DNNEstimator`."""

    def __init__(
        self, head: Any, feature_columns: Any, model_dir: str | None = None,
        optimizer: Any = "Ftrl", config: Any = None, partitioner: Any = None,
        sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        super().__init__(
            _Given(head), feature_columns, optimizer, sparse_combiner, partitioner, model_dir,
            config, None,
        )  # fmt: skip


class BaselineEstimator(canned._Baseline):
    """Logits that are the same for every example, with a head of the user's."""

    def __init__(
        self, head: Any, model_dir: str | None = None, optimizer: Any = "Ftrl", config: Any = None
    ) -> None:
        super().__init__(_Given(head), optimizer, model_dir, config)


class DNNLinearCombinedEstimator(canned._Both):
    """A linear model and a perceptron together, with a head of the user's."""

    def __init__(
        self, head: Any, model_dir: str | None = None, linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = nn.relu, dnn_dropout: Any = None,
        input_layer_partitioner: Any = None, config: Any = None,
        linear_sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        super().__init__(
            _Given(head), linear_feature_columns, linear_optimizer, dnn_feature_columns,
            dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout, False,
            linear_sparse_combiner, input_layer_partitioner, model_dir, config, None,
        )  # fmt: skip


# ------------------------------------------------------------------------- more for estimators


def _around(estimator: Estimator, change: Callable[..., EstimatorSpec]) -> Estimator:
    """The estimator again, whose specs go through ``change(spec, features, labels, mode)``."""
    inner = estimator.model_fn

    def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
        spec = inner(features, labels, mode, config)
        return change(spec, features, labels, mode)

    return Estimator(model_fn, estimator.model_dir, estimator.config)


def add_metrics(estimator: Estimator, metric_fn: Callable[..., Any]) -> Estimator:
    """An estimator like `estimator` whose evaluations have more metrics.

    Parameters
    ----------
    metric_fn : callable
        Takes any of ``predictions``, ``features``, ``labels`` and ``config`` by name; gives metrics
        by name, which replace those of the same name.
    """
    names = arguments_of(metric_fn)
    unknown = names - {"predictions", "features", "labels", "config"}
    if unknown:
        raise ValueError(f"metric_fn has arguments that nobody gives: {sorted(unknown)}")

    def change(spec: EstimatorSpec, features: Any, labels: Any, mode: Any) -> EstimatorSpec:
        if mode != ModeKeys.EVAL:
            return spec
        given = {"predictions": spec.predictions, "features": features, "labels": labels,
                 "config": estimator.config}  # fmt: skip
        more = metric_fn(**{k: v for k, v in given.items() if k in names})
        return spec._replace(eval_metric_ops={**(spec.eval_metric_ops or {}), **more})

    return _around(estimator, change)


def forward_features(
    estimator: Estimator, keys: Any = None, sparse_default_values: Any = None
) -> Estimator:
    """An estimator like `estimator` whose predictions have features beside them.

    Parameters
    ----------
    keys : str or list of str, optional
        Which; all by default.
    sparse_default_values : dict, optional
        What fills rows of sparse features, by key.
    """
    from graphc.sparse.ops import sparse_tensor_to_dense
    from graphc.sparse.tensor import SparseTensor

    wanted = [keys] if isinstance(keys, str) else keys

    def change(spec: EstimatorSpec, features: Any, labels: Any, mode: Any) -> EstimatorSpec:
        if mode != ModeKeys.PREDICT:
            return spec
        if not isinstance(spec.predictions, Mapping):
            raise ValueError("forward_features needs predictions in a dict")
        more = {}
        for key in wanted if wanted is not None else list(features):
            if key not in features:
                raise ValueError(
                    f"keys should be exist in features. Key {key} is not in {list(features)}"
                )
            if key in spec.predictions:
                raise ValueError(f"Cannot forward feature key ({key}): it is a prediction")
            x = features[key]
            if isinstance(x, SparseTensor):
                x = sparse_tensor_to_dense(x, (sparse_default_values or {}).get(key))
            more[key] = x
        return spec._replace(predictions={**spec.predictions, **more})

    return _around(estimator, change)


def _example_spec(columns: Any, label_key: str, label: Any, weight_column: Any) -> dict[str, Any]:
    made = make_parse_example_spec(columns)
    if label_key in made:
        raise ValueError(
            f"label should not be used as feature. label_key: {label_key}, features: {list(made)}"
        )
    made[label_key] = label
    if weight_column is not None:
        key = getattr(weight_column, "key", weight_column)
        if key in made:
            raise ValueError(f"the weight column {key} is a feature or the label too")
        made[key] = FixedLenFeature((1,), dtypes.float32)
    return made


def classifier_parse_example_spec(
    feature_columns: Any, label_key: str, label_dtype: Any = dtypes.int64,
    label_default: Any = None, weight_column: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """How to parse Examples for a classifier: features, the label, and the weight."""
    label = FixedLenFeature((1,), as_dtype(label_dtype), label_default)
    return _example_spec(feature_columns, label_key, label, weight_column)


def regressor_parse_example_spec(
    feature_columns: Any, label_key: str, label_dtype: Any = dtypes.float32,
    label_default: Any = None, label_dimension: int = 1, weight_column: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """How to parse Examples for a regressor: features, the label, and the weight."""
    label = FixedLenFeature((label_dimension,), as_dtype(label_dtype), label_default)
    return _example_spec(feature_columns, label_key, label, weight_column)


# ------------------------------------------------------------------------- contrib.estimator

_MEAN = "weighted_sum_over_batch_size"


def _older(head: Any) -> Head:
    """A head of classes with the curve of precision and recall that contrib has."""
    head.precise = False
    out: Head = head
    return out


def binary_classification_head(
    weight_column: Any = None, thresholds: Any = None, label_vocabulary: Any = None,
    loss_reduction: str = _MEAN, loss_fn: Any = None, name: str | None = None,
) -> Head:  # fmt: skip
    """A `BinaryClassHead`."""
    made = BinaryClassHead(
        weight_column, thresholds, label_vocabulary, loss_reduction, loss_fn, name
    )
    return _older(made)


def multi_class_head(
    n_classes: int, weight_column: Any = None, label_vocabulary: Any = None,
    loss_reduction: str = _MEAN, loss_fn: Any = None, name: str | None = None,
) -> Head:  # fmt: skip
    """A `MultiClassHead`."""
    return MultiClassHead(n_classes, weight_column, label_vocabulary, loss_reduction, loss_fn, name)


def multi_label_head(
    n_classes: int, weight_column: Any = None, thresholds: Any = None,
    label_vocabulary: Any = None, loss_reduction: str = _MEAN, loss_fn: Any = None,
    classes_for_class_based_metrics: Any = None, name: str | None = None,
) -> Head:  # fmt: skip
    """A `MultiLabelHead`."""
    made = MultiLabelHead(
        n_classes, weight_column, thresholds, label_vocabulary, loss_reduction, loss_fn,
        classes_for_class_based_metrics, name,
    )  # fmt: skip
    return _older(made)


def regression_head(
    weight_column: Any = None, label_dimension: int = 1, loss_reduction: str = _MEAN,
    loss_fn: Any = None, inverse_link_fn: Any = None, name: str | None = None,
) -> Head:  # fmt: skip
    """A `RegressionHead`."""
    return RegressionHead(
        label_dimension, weight_column, loss_reduction, loss_fn, inverse_link_fn, name
    )


def poisson_regression_head(
    weight_column: Any = None, label_dimension: int = 1, loss_reduction: str = _MEAN,
    compute_full_loss: bool = True, name: str | None = None,
) -> Head:  # fmt: skip
    """A `PoissonRegressionHead`."""
    return PoissonRegressionHead(
        label_dimension, weight_column, loss_reduction, compute_full_loss, name
    )


def logistic_regression_head(
    weight_column: Any = None, loss_reduction: str = _MEAN, name: str | None = None
) -> Head:
    """A `LogisticRegressionHead`."""
    return LogisticRegressionHead(weight_column, loss_reduction, name)


def multi_head(heads: Sequence[Any], head_weights: Sequence[float] | None = None) -> Head:
    """A `MultiHead`."""
    return MultiHead(heads, head_weights)
