"""Ready-made estimators: linear models and multi-layer perceptrons."""

from __future__ import annotations

import math as pymath
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.estimator.estimator import Estimator
from graphc.estimator.spec import EstimatorSpec, ModeKeys
from graphc.face.control import group
from graphc.face.current import control_dependencies, name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import Zeros
from graphc.face.partitioned import min_max_variable_partitioner
from graphc.face.scopes import get_variable, variable_scope
from graphc.feature_column.kinds import vocabulary_op
from graphc.feature_column.layers import dense_features, linear_columns
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.layers import core, normalization
from graphc.losses.functions import compute_weighted_loss
from graphc.metrics.averages import accuracy, mean
from graphc.metrics.counting import precision, recall
from graphc.metrics.curves import auc
from graphc.ops import arrays, fills, math, nn, reduce, shapes, tiling
from graphc.ops.convert import constant, convert_to_tensor
from graphc.summary.ops import histogram, scalar
from graphc.train.optimizer import Optimizer
from graphc.train.optimizers import (
    AdagradOptimizer,
    AdamOptimizer,
    FtrlOptimizer,
    GradientDescentOptimizer,
    RMSPropOptimizer,
)
from graphc.train.steps import get_global_step

__all__ = [
    "BaselineClassifier",
    "BaselineRegressor",
    "DNNClassifier",
    "DNNLinearCombinedClassifier",
    "DNNLinearCombinedRegressor",
    "DNNRegressor",
    "LinearClassifier",
    "LinearRegressor",
]

_OPTIMIZERS: dict[str, Callable[[float], Optimizer]] = {
    "Adagrad": AdagradOptimizer, "Adam": AdamOptimizer, "Ftrl": FtrlOptimizer,
    "RMSProp": RMSPropOptimizer, "SGD": GradientDescentOptimizer,
}  # fmt: skip


def _optimizer(given: Any, rate: float) -> Any:
    """An optimizer from what a user gives: itself, its name, a class, or a function."""
    if isinstance(given, str):
        if given not in _OPTIMIZERS:
            raise ValueError(f"Unsupported optimizer name: {given}. Supported names are: "
                             f"{tuple(sorted(_OPTIMIZERS))}")  # fmt: skip
        return _OPTIMIZERS[given](rate)
    if isinstance(given, type):
        return given(rate)
    return given() if callable(given) and not isinstance(given, Optimizer) else given


# ------------------------------------------------------------------------- heads


class Head:
    """What logits mean: loss, predictions, metrics."""

    def __init__(self, units: int, weight_column: Any, reduction: str) -> None:
        self.units = units
        self.weight_column = weight_column
        self.reduction = reduction

    def weights(self, features: Any) -> Any:
        if self.weight_column is None:
            return 1.0
        key = getattr(self.weight_column, "key", self.weight_column)
        w: Any = math.cast(convert_to_tensor(features[key]), dtypes.float32)
        return shapes.expand_dims(w, -1) if w.shape.ndims == 1 else w

    def predictions(self, logits: Value) -> dict[str, Value]:
        raise NotImplementedError

    def losses(self, logits: Value, labels: Value) -> Value:
        """A column: the loss of each example."""
        raise NotImplementedError

    def labels(self, labels: Any) -> Value:
        raise NotImplementedError

    def metrics(
        self, logits: Value, labels: Value, each: Value, weights: Any
    ) -> dict[str, tuple[Value, Value]]:
        raise NotImplementedError

    def spec(
        self, features: Any, labels: Any, mode: Any, logits: Value,
        train: Callable[[Value], Any],
    ) -> EstimatorSpec:  # fmt: skip
        """What the model function gives."""
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions)
        if labels is None:
            raise ValueError("You must provide a labels Tensor. Given: None. Suggested "
                             "troubleshooting steps: Check that your data contain your label "
                             "feature. Check that your input_fn properly parses and returns "
                             "labels.")  # fmt: skip
        wanted = self.labels(labels)
        each = self.losses(logits, wanted)
        weights = self.weights(features)
        loss = compute_weighted_loss(each, weights, reduction=self.reduction)
        if mode == ModeKeys.EVAL:
            found = self.metrics(logits, wanted, each, weights)
            return EstimatorSpec(mode, predictions, loss, eval_metric_ops=found)
        return EstimatorSpec(mode, predictions, loss, train(loss))


def _column(labels: Any) -> Any:
    t: Any = convert_to_tensor(labels)
    return shapes.expand_dims(t, -1) if t.shape.ndims == 1 else t


class Regression(Head):
    def predictions(self, logits: Value) -> dict[str, Value]:
        return {"predictions": logits}

    def labels(self, labels: Any) -> Value:
        made: Value = math.cast(_column(labels), dtypes.float32)
        return made

    def losses(self, logits: Value, labels: Value) -> Value:
        made: Value = math.squared_difference(logits, labels)
        return made

    def metrics(self, logits: Value, labels: Value, each: Value, weights: Any) -> dict[str, Any]:
        return {
            "average_loss": mean(each, _like(weights, each)),
            "label/mean": mean(labels, _like(weights, labels)),
            "prediction/mean": mean(logits, _like(weights, logits)),
        }


def _like(weights: Any, values: Value) -> Any:
    return None if isinstance(weights, float) else weights


class Classification(Head):
    """Of two classes by one logit, or of more by a logit for each."""

    def __init__(self, classes: int, vocabulary: Any, weight_column: Any, reduction: str) -> None:
        if classes < 2:
            raise ValueError(f"n_classes must be >= 2: {classes}")
        super().__init__(1 if classes == 2 else classes, weight_column, reduction)
        self.classes = classes
        self.vocabulary = None if vocabulary is None else [
            v.encode() if isinstance(v, str) else bytes(v) for v in vocabulary
        ]  # fmt: skip

    def labels(self, labels: Any) -> Value:
        t = _column(labels)
        if self.vocabulary is not None:
            attrs = {"vocabulary": tuple(self.vocabulary), "default": -1, "more": 0}
            t = build(vocabulary_op, (t,), attrs).outputs[0]
        kind = dtypes.float32 if self.units == 1 else dtypes.int64
        made: Value = math.cast(t, kind)
        return made

    def losses(self, logits: Value, labels: Value) -> Value:
        if self.units == 1:
            return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        flat = shapes.squeeze(labels, [1])
        each = nn.sparse_softmax_cross_entropy_with_logits(labels=flat, logits=logits)
        return shapes.expand_dims(each, 1)

    def _ids(self, logits: Value) -> Value:
        if self.units == 1:
            made: Value = math.cast(math.greater(logits, 0.0), dtypes.int64)
            return made
        return shapes.expand_dims(reduce.argmax(logits, 1), 1)

    def predictions(self, logits: Value) -> dict[str, Value]:
        ids = self._ids(logits)
        out: dict[str, Value] = {"logits": logits}
        if self.units == 1:
            out["logistic"] = nn.sigmoid(logits)
            two = arrays.concat([fills.zeros_like(logits), logits], 1)
            out["probabilities"] = nn.softmax(two)
        else:
            out["probabilities"] = nn.softmax(logits)
        return {**out, **named_classes(logits, ids, self.classes, self.vocabulary)}

    def metrics(self, logits: Value, labels: Value, each: Value, weights: Any) -> dict[str, Any]:
        w = _like(weights, each)
        ids = self._ids(logits)
        out = {
            "average_loss": mean(each, w),
            "accuracy": accuracy(math.cast(labels, dtypes.int64), ids, w),
        }
        if self.units > 1:
            return out
        p = nn.sigmoid(logits)
        mean_label = mean(labels, w)
        out["precision"] = precision(labels, ids, w)
        out["recall"] = recall(labels, ids, w)
        out["prediction/mean"] = mean(p, w)
        out["label/mean"] = mean_label
        base = [math.maximum(t, 1.0 - t) for t in mean_label]
        out["accuracy_baseline"] = (base[0], base[1])
        out["auc"] = auc(labels, p, w)
        with warnings.catch_warnings():  # TensorFlow's classifiers have the trapezoidal sum
            warnings.simplefilter("ignore", UserWarning)
            out["auc_precision_recall"] = auc(labels, p, w, curve="PR")
        return out


def class_names(classes: int, vocabulary: Any) -> Value:
    """The names of all classes: those of the vocabulary, or their numbers."""
    words = vocabulary or [str(i) for i in range(classes)]
    return constant(np.array(words, object), dtypes.string)


def named_classes(logits: Value, ids: Value, classes: int, vocabulary: Any) -> dict[str, Value]:
    """The best class of each example and all classes, as numbers and as names."""
    names = class_names(classes, vocabulary)
    lead = shapes.shape(logits)[:-1]
    row = arrays.concat([fills.ones_like(lead), [classes]], 0)
    times = arrays.concat([lead, [1]], 0)
    numbers = constant(np.arange(classes, dtype=np.int32))
    return {
        "class_ids": ids, "classes": arrays.gather(names, ids),
        "all_class_ids": tiling.tile(shapes.reshape(numbers, row), times),
        "all_classes": tiling.tile(shapes.reshape(names, row), times),
    }  # fmt: skip


# ------------------------------------------------------------------------- models


def _dnn(
    features: Any, columns: Any, hidden: Sequence[int], units: int, activation: Any, dropout: Any,
    batch_norm: bool, mode: Any,
) -> Value:  # fmt: skip
    training = mode == ModeKeys.TRAIN
    with variable_scope("input_from_feature_columns"):
        net: Any = dense_features(features, columns)
    for i, n in enumerate(hidden):
        with variable_scope(f"hiddenlayer_{i}") as scope:
            net = core.dense(net, n, activation, name=scope)
            if dropout is not None and training:
                net = core.dropout(net, dropout, training=True)
            if batch_norm:
                net = normalization.batch_normalization(
                    net, momentum=0.999, training=training, name=f"batchnorm_{i}"
                )
        _summarise(net, scope.name)
    with variable_scope("logits") as scope:
        out: Value = core.dense(net, units, name=scope)
    _summarise(out, scope.name)
    return out


def _summarise(value: Value, name: str) -> None:
    with get_default_graph().counts_as(30):  # fractions are counted by a cond in TF1
        scalar(name + "/fraction_of_zero_values", nn.zero_fraction(value))
        histogram(name + "/activation", value)


def _scope(name: str, partitioner: Any) -> Any:
    """The scope of a model's variables; they have parts, one each where nobody asks for more.

    So the names in checkpoints are TensorFlow's, which has parts for parameter servers.
    """
    partitioner = partitioner or min_max_variable_partitioner(1, min_slice_size=64 << 20)
    return variable_scope(name, partitioner=partitioner, use_resource=True)


def _trained(optimizer: Any, rate: float) -> Callable[[Value], Any]:
    def train(loss: Value) -> Any:
        step = _optimizer(optimizer, rate).minimize(loss, global_step=get_global_step())
        return group(step, *get_default_graph().get_collection(GraphKeys.UPDATE_OPS))

    return train


class _Dnn(Estimator):
    def __init__(
        self, head: Head, hidden: Sequence[int], columns: Any, optimizer: Any, activation: Any,
        dropout: Any, batch_norm: bool, partitioner: Any, model_dir: Any, config: Any, warm: Any,
    ) -> None:  # fmt: skip
        def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
            with _scope("dnn", partitioner):
                logits = _dnn(
                    features, columns, hidden, head.units, activation, dropout, batch_norm, mode
                )
                with name_scope("head"):
                    return head.spec(features, labels, mode, logits, _trained(optimizer, 0.05))

        super().__init__(model_fn, model_dir, config, None, warm)


class _Linear(Estimator):
    def __init__(
        self, head: Head, columns: Any, optimizer: Any, combiner: str, partitioner: Any,
        model_dir: Any, config: Any, warm: Any,
    ) -> None:  # fmt: skip
        rate = min(0.2, 1.0 / pymath.sqrt(len(columns)))

        def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
            with _scope("linear", partitioner):
                logits: Any = linear_columns(features, columns, head.units, combiner)
                with name_scope("head"):
                    return head.spec(features, labels, mode, logits, _trained(optimizer, rate))

        super().__init__(model_fn, model_dir, config, None, warm)


class _Baseline(Estimator):
    """Logits that are the same for every example."""

    def __init__(
        self, head: Head, optimizer: Any, model_dir: Any, config: Any,
    ) -> None:  # fmt: skip
        def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
            with variable_scope("baseline"):
                bias: Any = get_variable("bias", [head.units], initializer=Zeros())
            many = shapes.shape(next(iter(features.values())))[:1]
            one = shapes.expand_dims(fills.ones(many, dtypes.float32), 1)
            with name_scope("head"):
                return head.spec(features, labels, mode, one * bias, _trained(optimizer, 0.3))

        super().__init__(model_fn, model_dir, config)


class BaselineClassifier(_Baseline):
    """Predicts how often each class is among the labels, whatever the features.

    Parameters
    ----------
    n_classes : int
    weight_column : str, optional
        A feature that weighs examples.
    label_vocabulary : list of str, optional
        Where labels are strings.
    optimizer : Optimizer, str or callable
    """

    def __init__(
        self, model_dir: str | None = None, n_classes: int = 2, weight_column: Any = None,
        label_vocabulary: Any = None, optimizer: Any = "Ftrl", config: Any = None,
        loss_reduction: str = "weighted_sum",
    ) -> None:  # fmt: skip
        head = Classification(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(head, optimizer, model_dir, config)


class BaselineRegressor(_Baseline):
    """Predicts the mean of the labels: see `BaselineClassifier`."""

    def __init__(
        self, model_dir: str | None = None, label_dimension: int = 1, weight_column: Any = None,
        optimizer: Any = "Ftrl", config: Any = None, loss_reduction: str = "weighted_sum",
    ) -> None:  # fmt: skip
        head = Regression(label_dimension, weight_column, loss_reduction)
        super().__init__(head, optimizer, model_dir, config)


class DNNClassifier(_Dnn):
    """A multi-layer perceptron that tells classes apart.

    Parameters
    ----------
    hidden_units : list of int
    feature_columns : list
        Dense columns.
    n_classes : int
    weight_column : str, optional
        A feature that weighs examples.
    label_vocabulary : list of str, optional
        Where labels are strings.
    optimizer : Optimizer, str or callable
    activation_fn : callable
    dropout : float, optional
    """

    def __init__(
        self, hidden_units: Sequence[int], feature_columns: Any, model_dir: str | None = None,
        n_classes: int = 2, weight_column: Any = None, label_vocabulary: Any = None,
        optimizer: Any = "Adagrad", activation_fn: Any = nn.relu, dropout: Any = None,
        input_layer_partitioner: Any = None, config: Any = None, warm_start_from: Any = None,
        loss_reduction: str = "weighted_sum", batch_norm: bool = False,
    ) -> None:  # fmt: skip
        head = Classification(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(head, hidden_units, feature_columns, optimizer, activation_fn, dropout,
                         batch_norm, input_layer_partitioner, model_dir, config,
                         warm_start_from)  # fmt: skip


class DNNRegressor(_Dnn):
    """A multi-layer perceptron that predicts numbers: see `DNNClassifier`."""

    def __init__(
        self, hidden_units: Sequence[int], feature_columns: Any, model_dir: str | None = None,
        label_dimension: int = 1, weight_column: Any = None, optimizer: Any = "Adagrad",
        activation_fn: Any = nn.relu, dropout: Any = None, input_layer_partitioner: Any = None,
        config: Any = None, warm_start_from: Any = None, loss_reduction: str = "weighted_sum",
        batch_norm: bool = False,
    ) -> None:  # fmt: skip
        head = Regression(label_dimension, weight_column, loss_reduction)
        super().__init__(head, hidden_units, feature_columns, optimizer, activation_fn, dropout,
                         batch_norm, input_layer_partitioner, model_dir, config,
                         warm_start_from)  # fmt: skip


class LinearClassifier(_Linear):
    """A linear model that tells classes apart: see `DNNClassifier`."""

    def __init__(
        self, feature_columns: Any, model_dir: str | None = None, n_classes: int = 2,
        weight_column: Any = None, label_vocabulary: Any = None, optimizer: Any = "Ftrl",
        config: Any = None, partitioner: Any = None, warm_start_from: Any = None,
        loss_reduction: str = "weighted_sum", sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = Classification(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(head, feature_columns, optimizer, sparse_combiner, partitioner, model_dir,
                         config, warm_start_from)  # fmt: skip


class LinearRegressor(_Linear):
    """A linear model that predicts numbers: see `DNNClassifier`."""

    def __init__(
        self, feature_columns: Any, model_dir: str | None = None, label_dimension: int = 1,
        weight_column: Any = None, optimizer: Any = "Ftrl", config: Any = None,
        partitioner: Any = None, warm_start_from: Any = None,
        loss_reduction: str = "weighted_sum", sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = Regression(label_dimension, weight_column, loss_reduction)
        super().__init__(head, feature_columns, optimizer, sparse_combiner, partitioner, model_dir,
                         config, warm_start_from)  # fmt: skip


class _Both(Estimator):
    """The sum of a linear model and a perceptron, each with an optimizer of its own."""

    def __init__(
        self, head: Head, wide: Any, wide_optimizer: Any, deep: Any, deep_optimizer: Any,
        hidden: Sequence[int] | None, activation: Any, dropout: Any, batch_norm: bool,
        combiner: str, partitioner: Any, model_dir: Any, config: Any, warm: Any,
    ) -> None:  # fmt: skip
        if not wide and not deep:
            raise ValueError("Either linear_feature_columns or dnn_feature_columns must be "
                             "defined.")  # fmt: skip
        if deep and not hidden:
            raise ValueError("dnn_hidden_units must be defined when dnn_feature_columns is "
                             "specified.")  # fmt: skip

        def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> EstimatorSpec:
            parts = []
            if deep:
                with _scope("dnn", partitioner):
                    parts.append(
                        _dnn(features, deep, hidden or (), head.units, activation, dropout,
                             batch_norm, mode)
                    )  # fmt: skip
            if wide:
                with _scope("linear", partitioner):
                    parts.append(linear_columns(features, wide, head.units, combiner))
            logits = parts[0] if len(parts) == 1 else parts[0] + parts[1]

            def train(loss: Value) -> Any:
                steps = []
                for columns, optimizer, scope, rate in (
                    (deep, deep_optimizer, "dnn", 0.001),
                    (wide, wide_optimizer, "linear", _linear_rate(wide)),
                ):
                    if columns:
                        mine = get_default_graph().get_collection(
                            GraphKeys.TRAINABLE_VARIABLES, scope=scope
                        )
                        steps.append(_optimizer(optimizer, rate).minimize(loss, var_list=mine))
                steps += get_default_graph().get_collection(GraphKeys.UPDATE_OPS)
                with control_dependencies(steps):
                    return get_global_step().assign_add(1).op

            with name_scope("head"):
                return head.spec(features, labels, mode, logits, train)

        super().__init__(model_fn, model_dir, config, None, warm)


def _linear_rate(columns: Any) -> float:
    return min(0.005, 1.0 / pymath.sqrt(len(columns))) if columns else 0.005


class DNNLinearCombinedClassifier(_Both):
    """A linear model and a perceptron together that tell classes apart ("wide and deep")."""

    def __init__(
        self, model_dir: str | None = None, linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = nn.relu, dnn_dropout: Any = None, n_classes: int = 2,
        weight_column: Any = None, label_vocabulary: Any = None,
        input_layer_partitioner: Any = None, config: Any = None, warm_start_from: Any = None,
        loss_reduction: str = "weighted_sum", batch_norm: bool = False,
        linear_sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = Classification(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(head, linear_feature_columns, linear_optimizer, dnn_feature_columns,
                         dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
                         batch_norm, linear_sparse_combiner, input_layer_partitioner, model_dir,
                         config, warm_start_from)  # fmt: skip


class DNNLinearCombinedRegressor(_Both):
    """A linear model and a perceptron together that predict numbers."""

    def __init__(
        self, model_dir: str | None = None, linear_feature_columns: Any = None,
        linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = nn.relu, dnn_dropout: Any = None, label_dimension: int = 1,
        weight_column: Any = None, input_layer_partitioner: Any = None, config: Any = None,
        warm_start_from: Any = None, loss_reduction: str = "weighted_sum",
        batch_norm: bool = False, linear_sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = Regression(label_dimension, weight_column, loss_reduction)
        super().__init__(head, linear_feature_columns, linear_optimizer, dnn_feature_columns,
                         dnn_optimizer, dnn_hidden_units, dnn_activation_fn, dnn_dropout,
                         batch_norm, linear_sparse_combiner, input_layer_partitioner, model_dir,
                         config, warm_start_from)  # fmt: skip
