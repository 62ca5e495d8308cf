"""Heads: what the logits of a model mean, what its loss and its metrics are."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc.contrib.lookup import index_table_from_tensor
from graphc.estimator.canned import class_names, named_classes
from graphc.estimator.estimator import arguments_of
from graphc.estimator.inputs import ClassificationOutput, PredictOutput, RegressionOutput
from graphc.estimator.spec import EstimatorSpec, ModeKeys
from graphc.face.asserts import assert_less, assert_non_negative
from graphc.face.control import group
from graphc.face.current import control_dependencies, name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.keras.metrics import Metric
from graphc.losses.functions import compute_weighted_loss
from graphc.metrics.averages import accuracy, mean
from graphc.metrics.counting import precision, recall
from graphc.metrics.curves import auc, precision_at_thresholds, recall_at_thresholds
from graphc.ops import arrays, fills, math, nn, reduce, shapes, tiling
from graphc.ops.convert import convert_to_tensor
from graphc.ops.state import identity
from graphc.sparse.ops import sparse_to_indicator
from graphc.sparse.tensor import SparseTensor
from graphc.train.optimizer import Optimizer
from graphc.train.steps import get_global_step

__all__ = [
    "BinaryClassHead", "Head", "LogisticRegressionHead", "MultiClassHead", "MultiHead",
    "MultiLabelHead", "PoissonRegressionHead", "RegressionHead",
]  # fmt: skip

#: What heads call a reduction, and what `tf.losses` calls it.
_REDUCTIONS = {
    "sum_over_batch_size": "weighted_sum_over_batch_size", "sum": "weighted_sum",
    "weighted_sum_over_batch_size": "weighted_sum_over_batch_size",
    "weighted_sum": "weighted_sum", "weighted_mean": "weighted_mean",
    "weighted_sum_by_nonzero_weights": "weighted_sum_by_nonzero_weights",
}  # fmt: skip

#: A metric of labels, predictions and weights: what gives its value and its update.
Streamed = Callable[[Any, dict[str, Any], Any], Any]


class _Streaming(Metric):
    """A metric of `tf.metrics` in the form that Keras has: made when it first sees a batch."""

    def __init__(self, name: str, make: Callable[..., Any]) -> None:
        super().__init__(name)
        self._make = make
        self.pair: Any = None

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """The operation that adds a batch."""
        self.pair = self._make(*args, **kwargs)
        return self.pair[1]

    def result(self) -> Any:
        """The number for all batches so far."""
        if self.pair is None:
            raise ValueError(f"the metric {self.name} has seen no batch")
        return self.pair[0]


class Head(ABC):
    """What a model's last layer means.

    An estimator asks its head how many logits there are, and gives it the logits.
    """

    @property
    @abstractmethod
    def name(self) -> str | None:
        """What the names of its metrics end with."""

    @property
    @abstractmethod
    def logits_dimension(self) -> int:
        """The size of the last axis of logits."""

    @property
    @abstractmethod
    def loss_reduction(self) -> str:
        """How the losses of examples become one."""

    @abstractmethod
    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        """The loss of a batch, a scalar."""

    @abstractmethod
    def predictions(self, logits: Any, keys: Any = None) -> dict[Any, Any]:
        """What the logits say, by name."""

    @abstractmethod
    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        """Metrics by name."""

    @abstractmethod
    def update_metrics(
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        mode: Any = None, regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The metrics, with operations that add a batch."""

    @abstractmethod
    def _outputs(self, predictions: dict[Any, Any]) -> dict[str, Any]:
        """What is served, by name of signature."""

    def create_estimator_spec(
        self, features: Any, mode: Any, logits: Any, labels: Any = None, optimizer: Any = None,
        trainable_variables: Any = None, train_op_fn: Callable[[Any], Any] | None = None,
        update_ops: Any = None, regularization_losses: Any = None,
    ) -> EstimatorSpec:  # fmt: skip
        """What a model function gives.

        Parameters
        ----------
        optimizer : Optimizer, optional
            Of `tf.train` or of Keras; it or `train_op_fn`, which makes the operation of training
            from the loss, is needed to train.
        trainable_variables : list, optional
            What the optimizer changes.
        update_ops : list, optional
            Operations that training runs too.
        regularization_losses : list, optional
            Scalars that are added to the loss.
        """
        with name_scope("head"):
            found = self.predictions(logits)
            if mode == ModeKeys.PREDICT:
                return EstimatorSpec(mode, found, export_outputs=self._outputs(found))
            loss = self.loss(labels, logits, features, mode, regularization_losses)
            if mode == ModeKeys.EVAL:
                made = self.update_metrics(
                    self.metrics(regularization_losses), features, logits, labels,
                    regularization_losses=regularization_losses,
                )  # fmt: skip
                pairs = {k: m.pair for k, m in made.items()}
                return EstimatorSpec(mode, found, loss, eval_metric_ops=pairs)
            step = _training(loss, optimizer, trainable_variables, train_op_fn, update_ops)
            return EstimatorSpec(mode, found, loss, step)


def _training(
    loss: Any, optimizer: Any, variables: Any, train_op_fn: Any, update_ops: Any
) -> Any:  # fmt: skip
    if optimizer is not None and train_op_fn is not None:
        raise ValueError("train_op_fn and optimizer cannot both be set.")
    if train_op_fn is not None:
        step = train_op_fn(loss)
    elif isinstance(optimizer, Optimizer):
        step = optimizer.minimize(loss, get_global_step(), variables)
    elif optimizer is not None:
        step = group(*optimizer.get_updates(loss, variables))
    else:
        raise ValueError("train_op_fn and optimizer cannot both be None.")
    return step if not update_ops else group(step, *update_ops)


def _chosen(found: dict[str, Any], keys: Any) -> dict[str, Any]:
    return found if keys is None else {k: found[k] for k in keys}


class _Plain(Head):
    """A head of one kind of logits."""

    def __init__(
        self, units: int, weight_column: Any, loss_reduction: str, loss_fn: Any, name: str | None
    ) -> None:
        if loss_reduction not in _REDUCTIONS:
            raise ValueError(
                f"Invalid loss_reduction: {loss_reduction}. See `tf.losses.Reduction` for valid "
                "options."
            )
        self._taken: set[str] = arguments_of(loss_fn) if loss_fn is not None else set()
        for word in ("labels", "logits"):
            if loss_fn is not None and word not in self._taken:
                raise ValueError(
                    f"loss_fn must contain argument: {word}. Given arguments: "
                    f"{tuple(sorted(self._taken))}"
                )
        self._units, self._weight_column, self._name = units, weight_column, name
        self._reduction, self._loss_fn = loss_reduction, loss_fn

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def logits_dimension(self) -> int:
        return self._units

    @property
    def loss_reduction(self) -> str:
        return self._reduction

    @abstractmethod
    def _losses(self, labels: Value, logits: Value) -> Value:
        """The loss of each example, ``[..., 1]`` or as logits."""

    @abstractmethod
    def _wanted(self, labels: Any, logits: Value) -> Value:
        """Labels as the loss takes them."""

    @abstractmethod
    def _streams(self) -> dict[str, Streamed]:
        """Metrics by name, beside the mean of losses."""

    def _checked(self, logits: Any) -> Value:
        t = math.cast(convert_to_tensor(logits), dtypes.float32)
        shape = t.static_shape
        if shape is not None and (not shape or shape[-1] not in (self._units, None)):
            known = type(shape[-1]) is int if shape else True
            if known:
                raise ValueError(
                    "logits shape must be [D0, D1, ... DN, logits_dimension], got "
                    f"{tuple(logits.shape.as_list())}."
                )
        return t  # type: ignore[no-any-return]

    def _given(self, labels: Any, logits: Value, units: int) -> Value:
        """Dense labels with a last axis of size `units`."""
        if labels is None:
            raise ValueError(
                "You must provide a labels Tensor. Given: None. Check that your data contains "
                "your label feature, and that your input_fn returns labels."
            )
        if isinstance(labels, SparseTensor):
            raise ValueError("SparseTensor labels are not supported by this head: give dense ones")
        t: Any = convert_to_tensor(labels)
        if t.rank is not None and logits.rank is not None and t.rank == logits.rank - 1:
            t = shapes.expand_dims(t, -1)
        last = t.shape.as_list()[-1] if t.rank else None
        if last is not None and last != units:
            raise ValueError(
                f"Mismatched label shape. Expected labels dimension={units}.  Received {last}. "
                "Check the shape of your label, and the head's number of classes or dimensions."
            )
        made: Value = t
        return made

    def _weights(self, features: Any, logits: Value) -> Any:
        if self._weight_column is None:
            return 1.0
        key = getattr(self._weight_column, "key", self._weight_column)
        w: Any = math.cast(convert_to_tensor(features[key]), dtypes.float32)
        if logits.rank is not None and w.rank == logits.rank - 1:
            w = shapes.expand_dims(w, -1)
        return w

    def _unreduced(
        self, labels: Any, logits: Value, features: Any
    ) -> tuple[Value, Value]:  # fmt: skip
        wanted = self._wanted(labels, logits)
        if self._loss_fn is None:
            return wanted, self._losses(wanted, logits)
        more = {"features": features, "loss_reduction": self._reduction}
        given = {k: v for k, v in more.items() if k in self._taken}
        return wanted, self._loss_fn(labels=wanted, logits=logits, **given)

    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        z = self._checked(logits)
        _, each = self._unreduced(labels, z, features)
        loss = compute_weighted_loss(
            each, self._weights(features, z), reduction=_REDUCTIONS[self._reduction]
        )
        if regularization_losses:
            loss = loss + math.add_n(regularization_losses)
        return loss

    def _key(self, metric: str) -> str:
        return metric if self._name is None else f"{metric}/{self._name}"

    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        rows: dict[str, Callable[..., Any]] = {
            "average_loss": lambda labels, predictions, weights, each: mean(each, weights),
        }
        for name, f in self._streams().items():
            rows[name] = lambda labels, predictions, weights, each, f=f: f(
                labels, predictions, weights
            )
        made = {self._key(n): _Streaming(n, f) for n, f in rows.items()}
        if regularization_losses is not None:
            key = "regularization_loss"
            made[self._key(key)] = _Streaming(
                key, lambda *_: mean(math.add_n(list(regularization_losses)))
            )
        return made

    def update_metrics(  # type: ignore[override]
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        z = self._checked(logits)
        wanted, each = self._unreduced(labels, z, features)
        weights = self._weights(features, z)
        found = self.predictions(z)
        for m in eval_metrics.values():
            m.update_state(wanted, found, None if isinstance(weights, float) else weights, each)
        return eval_metrics


# ------------------------------------------------------------------------- classes


def _curves(labels: Any, p: Any, weights: Any, curve: str, precise: bool) -> Any:
    """The area under a curve; `precise` is how that of precision and recall is interpolated."""
    kind = "careful_interpolation" if curve == "PR" and precise else "trapezoidal"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return auc(labels, p, weights, curve=curve, summation_method=kind)


def _per_label(weights: Any, like: Any) -> Any:
    """Weights of examples as weights of all entries."""
    return None if weights is None else weights * fills.ones_like(like)


def _at(thresholds: Sequence[float], key: str) -> dict[str, Streamed]:
    """Accuracy, precision and recall of the probabilities `key` at thresholds."""
    rows: dict[str, Streamed] = {}
    for t in thresholds:

        def right(y: Any, p: dict[str, Any], w: Any, t: float = t) -> Any:
            says = math.cast(math.greater_equal(p[key], t), dtypes.int64)
            return accuracy(math.cast(y, dtypes.int64), says, _per_label(w, p[key]))

        def exact(y: Any, p: dict[str, Any], w: Any, t: float = t) -> Any:
            pair = precision_at_thresholds(y, p[key], [t], _per_label(w, p[key]))
            return [shapes.squeeze(x) for x in pair]

        def complete(y: Any, p: dict[str, Any], w: Any, t: float = t) -> Any:
            pair = recall_at_thresholds(y, p[key], [t], _per_label(w, p[key]))
            return [shapes.squeeze(x) for x in pair]

        for metric, f in (("accuracy", right), ("precision", exact), ("recall", complete)):
            rows[f"{metric}/positive_threshold_{t:g}"] = lambda *a, f=f: tuple(f(*a))
    return rows


def _thresholds(given: Any) -> tuple[float, ...]:
    thresholds = tuple(given or ())
    if any(not 0.0 < t < 1.0 for t in thresholds):
        raise ValueError(f"thresholds not in (0, 1): {(thresholds,)}.")
    return thresholds


class _Classes(_Plain):
    """A head of classes, whose names labels may be."""

    #: Whether the curve of precision and recall is interpolated as it should be.
    precise = True

    def _area(self, labels: Any, p: Any, weights: Any, curve: str) -> Any:
        return _curves(labels, p, _per_label(weights, p), curve, self.precise)

    def __init__(
        self, classes: int, units: int, weight_column: Any, label_vocabulary: Any,
        loss_reduction: str, loss_fn: Any, name: str | None,
    ) -> None:  # fmt: skip
        super().__init__(units, weight_column, loss_reduction, loss_fn, name)
        self._classes = classes
        if label_vocabulary is not None and not isinstance(label_vocabulary, list | tuple):
            raise ValueError(
                f"label_vocabulary should be a list or a tuple. Given type: "
                f"{type(label_vocabulary)}"
            )
        self._vocabulary = label_vocabulary

    def _numbers(self, labels: Any) -> Any:
        """Class numbers, where labels are names."""
        if self._vocabulary is not None:
            table = index_table_from_tensor(self._vocabulary, name="class_id_lookup")
            return table.lookup(labels)
        kind = labels.dtype
        if not (kind.is_integer or (kind.is_floating and self._units == 1)):
            raise ValueError(f"Labels dtype should be integer. Instead got {kind}.")
        return labels

    def _in_range(self, labels: Any) -> Any:
        checks = [
            assert_less(
                labels, math.cast(self._classes, labels.dtype),
                message=f"Labels must be <= {self._classes} - 1",
            ),
            assert_non_negative(labels, message="Labels must be >= 0"),
        ]  # fmt: skip
        with control_dependencies(checks):
            return identity(labels)

    def _outputs(self, predictions: dict[str, Any]) -> dict[str, Any]:
        p = predictions["probabilities"]
        row = class_names(self._classes, self._vocabulary)
        classes = tiling.tile(shapes.expand_dims(row, 0), arrays.stack([shapes.shape(p)[0], 1]))
        served = ClassificationOutput(p, classes)
        return {
            "serving_default": served, "classification": served,
            "predict": PredictOutput(predictions),
        }  # fmt: skip


class BinaryClassHead(_Classes):
    """Two classes, by one logit.

    Parameters
    ----------
    weight_column : str, optional
        A feature that weighs examples.
    thresholds : list of float, optional
        For which there are metrics.
    label_vocabulary : list of str, optional
        Where labels are strings.
    loss_reduction : str
    loss_fn : callable, optional
        ``loss_fn(labels, logits)``, the loss of each example; the cross entropy by default.
    name : str, optional
        What names of metrics end with.
    """

    def __init__(
        self, weight_column: Any = None, thresholds: Any = None, label_vocabulary: Any = None,
        loss_reduction: str = "sum_over_batch_size", loss_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(2, 1, weight_column, label_vocabulary, loss_reduction, loss_fn, name)
        self._at = _thresholds(thresholds)

    def _wanted(self, labels: Any, logits: Value) -> Value:
        given = self._numbers(self._given(labels, logits, 1))
        made: Value = self._in_range(math.cast(given, dtypes.float32))
        return made

    def _losses(self, labels: Value, logits: Value) -> Value:
        return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

    def predictions(self, logits: Any, keys: Any = None) -> dict[str, Any]:
        z = self._checked(logits)
        two = arrays.concat([fills.zeros_like(z), z], -1)
        ids = shapes.expand_dims(reduce.argmax(two, -1), -1)
        found = {
            "logits": z, "logistic": nn.sigmoid(z), "probabilities": nn.softmax(two),
            **named_classes(z, ids, self._classes, self._vocabulary),
        }  # fmt: skip
        return _chosen(found, keys)

    def _streams(self) -> dict[str, Streamed]:
        def baseline(y: Any, p: Any, w: Any) -> Any:
            return tuple(math.maximum(x, 1.0 - x) for x in mean(y, w))

        rows: dict[str, Streamed] = {
            "accuracy": lambda y, p, w: accuracy(math.cast(y, dtypes.int64), p["class_ids"], w),
            "precision": lambda y, p, w: precision(y, p["class_ids"], w),
            "recall": lambda y, p, w: recall(y, p["class_ids"], w),
            "prediction/mean": lambda y, p, w: mean(p["logistic"], w),
            "label/mean": lambda y, p, w: mean(y, w),
            "accuracy_baseline": baseline,
            "auc": lambda y, p, w: self._area(y, p["logistic"], w, "ROC"),
            "auc_precision_recall": lambda y, p, w: self._area(y, p["logistic"], w, "PR"),
        }
        return {**rows, **_at(self._at, "logistic")}

    def _outputs(self, predictions: dict[str, Any]) -> dict[str, Any]:
        made = super()._outputs(predictions)
        predict = made.pop("predict")
        return {**made, "regression": RegressionOutput(predictions["logistic"]),
                "predict": predict}  # fmt: skip


class MultiClassHead(_Classes):
    """More than two classes, by a logit for each: see `BinaryClassHead`."""

    def __init__(
        self, n_classes: int, weight_column: Any = None, label_vocabulary: Any = None,
        loss_reduction: str = "sum_over_batch_size", loss_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if n_classes is None or n_classes <= 2:
            raise ValueError(f"n_classes must be > 2: {n_classes}.")
        super().__init__(
            n_classes, n_classes, weight_column, label_vocabulary, loss_reduction, loss_fn, name
        )

    def _wanted(self, labels: Any, logits: Value) -> Value:
        given = self._numbers(self._given(labels, logits, 1))
        made: Value = self._in_range(math.cast(given, dtypes.int64))
        return made

    def _losses(self, labels: Value, logits: Value) -> Value:
        flat = shapes.squeeze(labels, [-1])
        each = nn.sparse_softmax_cross_entropy_with_logits(labels=flat, logits=logits)
        return shapes.expand_dims(each, -1)

    def predictions(self, logits: Any, keys: Any = None) -> dict[str, Any]:
        z = self._checked(logits)
        ids = shapes.expand_dims(reduce.argmax(z, -1), -1)
        found = {
            "logits": z,
            "probabilities": nn.softmax(z),
            **named_classes(z, ids, self._classes, self._vocabulary),
        }
        return _chosen(found, keys)

    def _streams(self) -> dict[str, Streamed]:
        return {"accuracy": lambda y, p, w: accuracy(y, p["class_ids"], w)}


class MultiLabelHead(_Classes):
    """Any number of classes for an example, by a logit for each: see `BinaryClassHead`.

    Labels are rows of zeros and ones, or sparse rows of classes.

    Parameters
    ----------
    classes_for_class_based_metrics : list, optional
        Classes, by number or name, that get metrics of their own.
    """

    def __init__(
        self, n_classes: int, weight_column: Any = None, thresholds: Any = None,
        label_vocabulary: Any = None, loss_reduction: str = "sum_over_batch_size",
        loss_fn: Any = None, classes_for_class_based_metrics: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if n_classes is None or n_classes < 2:
            raise ValueError(
                f"n_classes must be > 1 for multi-label classification. Given: {n_classes}"
            )
        super().__init__(
            n_classes, n_classes, weight_column, label_vocabulary, loss_reduction, loss_fn, name
        )
        self._at = _thresholds(thresholds)
        self._own: dict[str, int] = {}
        for c in classes_for_class_based_metrics or ():
            i = list(label_vocabulary).index(c) if isinstance(c, str) else c
            if not 0 <= i < n_classes:
                raise ValueError(
                    "All classes_for_class_based_metrics must be in range "
                    f"[0, {n_classes - 1}]. Given: {c}"
                )
            self._own[c if isinstance(c, str) else f"class{c}"] = i

    def _wanted(self, labels: Any, logits: Value) -> Value:
        if isinstance(labels, SparseTensor):
            ids = self._numbers(labels)
            hot = sparse_to_indicator(
                SparseTensor(
                    ids.indices, self._in_range(math.cast(ids.values, dtypes.int64)),
                    ids.dense_shape,
                ),
                self._classes,
            )  # fmt: skip
        else:
            hot = self._given(labels, logits, self._classes)
        made: Value = math.cast(hot, dtypes.float32)
        return made

    def _losses(self, labels: Value, logits: Value) -> Value:
        each = nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        made: Value = reduce.reduce_mean(each, -1, keepdims=True)
        return made

    def predictions(self, logits: Any, keys: Any = None) -> dict[str, Any]:
        z = self._checked(logits)
        return _chosen({"logits": z, "probabilities": nn.sigmoid(z)}, keys)

    def _streams(self) -> dict[str, Streamed]:
        key = "probabilities"
        rows: dict[str, Streamed] = {
            "auc": lambda y, p, w: self._area(y, p[key], w, "ROC"),
            "auc_precision_recall": lambda y, p, w: self._area(y, p[key], w, "PR"),
            **_at(self._at, key),
        }
        for name, i in self._own.items():
            rows.update(self._streams_of(name, i))
        return rows

    def _streams_of(self, name: str, i: int) -> dict[str, Streamed]:
        """The metrics of one class."""

        def part(x: Any) -> Any:
            return x[..., i : i + 1]

        key = "probabilities"
        return {
            f"probability_mean/{name}": lambda y, p, w: mean(part(p[key]), w),
            f"auc/{name}": lambda y, p, w: self._area(part(y), part(p[key]), w, "ROC"),
            f"auc_precision_recall/{name}": lambda y, p, w: self._area(
                part(y), part(p[key]), w, "PR"
            ),
        }


# ------------------------------------------------------------------------- numbers


class RegressionHead(_Plain):
    """Numbers; the loss is the squared difference.

    Parameters
    ----------
    label_dimension : int
        How many for an example.
    weight_column, loss_reduction, name : optional
        As for `BinaryClassHead`.
    loss_fn : callable, optional
        ``loss_fn(labels, logits)``.
    inverse_link_fn : callable, optional
        What makes predictions of logits.
    """

    def __init__(
        self, label_dimension: int = 1, weight_column: Any = None,
        loss_reduction: str = "sum_over_batch_size", loss_fn: Any = None,
        inverse_link_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if label_dimension < 1:
            raise ValueError(f"Invalid label_dimension {label_dimension}.")
        super().__init__(label_dimension, weight_column, loss_reduction, loss_fn, name)
        self._link = inverse_link_fn

    def _wanted(self, labels: Any, logits: Value) -> Value:
        made: Value = math.cast(self._given(labels, logits, self._units), dtypes.float32)
        return made

    def _losses(self, labels: Value, logits: Value) -> Value:
        made: Value = math.squared_difference(labels, logits)
        return made

    def predictions(self, logits: Any, keys: Any = None) -> dict[str, Any]:
        z = self._checked(logits)
        if self._link is None:
            return _chosen({"predictions": z}, keys)
        return _chosen({"predictions": self._link(z), "logits": z}, keys)

    def _streams(self) -> dict[str, Streamed]:
        return {
            "prediction/mean": lambda y, p, w: mean(p["predictions"], w),
            "label/mean": lambda y, p, w: mean(y, w),
        }

    def _outputs(self, predictions: dict[str, Any]) -> dict[str, Any]:
        served = RegressionOutput(predictions["predictions"])
        return {"serving_default": served, "regression": served,
                "predict": PredictOutput(predictions)}  # fmt: skip


class PoissonRegressionHead(RegressionHead):
    """Counts: the exponential of the logits is the rate.

    Parameters
    ----------
    compute_full_loss : bool
        Whether the loss has the term that only labels change (Stirling's).
    """

    def __init__(
        self, label_dimension: int = 1, weight_column: Any = None,
        loss_reduction: str = "sum_over_batch_size", compute_full_loss: bool = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        def loss(labels: Any, logits: Any) -> Any:
            return nn.log_poisson_loss(labels, logits, compute_full_loss)

        super().__init__(label_dimension, weight_column, loss_reduction, loss, math.exp, name)


class LogisticRegressionHead(RegressionHead):
    """Probabilities: labels are numbers from 0 to 1, the loss is the cross entropy."""

    def __init__(
        self, weight_column: Any = None, loss_reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:  # fmt: skip
        def loss(labels: Any, logits: Any) -> Any:
            return nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

        super().__init__(1, weight_column, loss_reduction, loss, nn.sigmoid, name)


# ------------------------------------------------------------------------- several


class MultiHead(Head):
    """Several heads, each with its logits and labels; the losses are added.

    Parameters
    ----------
    heads : list of Head
        With names: those of their logits and labels.
    head_weights : list of float, optional
        What each loss is multiplied by.
    """

    def __init__(self, heads: Sequence[Head], head_weights: Sequence[float] | None = None) -> None:
        if not heads:
            raise ValueError(f"Must specify heads. Given: {heads}")
        if head_weights and len(head_weights) != len(heads):
            raise ValueError(
                "heads and head_weights must have the same size. Given len(heads): "
                f"{len(heads)}. Given len(head_weights): {len(head_weights)}."
            )
        for h in heads:
            if h.name is None:
                raise ValueError(f"All given heads must have name specified. Given: {h}")
        self._heads = list(heads)
        self._weights = tuple(head_weights or (1.0,) * len(heads))
        reductions = {h.loss_reduction for h in heads}
        if len(reductions) > 1:
            raise ValueError(
                "The loss_reduction must be the same for different heads. Given: "
                f"{[h.loss_reduction for h in heads]}"
            )

    @property
    def name(self) -> str:
        return "_".join(str(h.name) for h in self._heads)

    @property
    def logits_dimension(self) -> int:
        return sum(h.logits_dimension for h in self._heads)

    @property
    def loss_reduction(self) -> str:
        return self._heads[0].loss_reduction

    def _parts(self, logits: Any) -> Mapping[Any, Any]:
        """The logits of each head."""
        if isinstance(logits, Mapping):
            missing = [h.name for h in self._heads if h.name not in logits]
            if missing:
                raise ValueError(f"logits has missing values for head(s): {missing}.")
            return logits
        sizes = [h.logits_dimension for h in self._heads]
        given = convert_to_tensor(logits)
        parts = arrays.split(given, sizes, -1)
        return {h.name: p for h, p in zip(self._heads, parts, strict=True)}

    def _loss_of(self, head: Head, labels: Any, logits: Any, features: Any, mode: Any) -> Any:
        return head.loss(labels[head.name], self._parts(logits)[head.name], features, mode)

    def loss(
        self, labels: Any, logits: Any, features: Any = None, mode: Any = None,
        regularization_losses: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(labels, Mapping):
            raise ValueError(f"labels must be a dict of a tensor for each head. Given: {labels}")
        each = [
            w * self._loss_of(h, labels, logits, features, mode)
            for h, w in zip(self._heads, self._weights, strict=True)
        ]
        return math.add_n([*each, *(regularization_losses or ())])

    def predictions(self, logits: Any, keys: Any = None) -> dict[Any, Any]:
        parts = self._parts(logits)
        found = {
            (h.name, k): v for h in self._heads for k, v in h.predictions(parts[h.name]).items()
        }
        return found if keys is None else {k: found[k] for k in keys}

    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if regularization_losses is not None:
            made[f"regularization_loss/{self.name}"] = _Streaming(
                "regularization_loss", lambda: mean(math.add_n(list(regularization_losses)))
            )
        for h in self._heads:
            made[f"loss/{h.name}"] = _Streaming("loss", mean)
        return made

    def update_metrics(  # type: ignore[override]
        self, eval_metrics: dict[str, Any], features: Any, logits: Any, labels: Any,
        regularization_losses: Any = None,
    ) -> dict[str, Any]:  # fmt: skip
        parts = self._parts(logits)
        if regularization_losses is not None:
            eval_metrics[f"regularization_loss/{self.name}"].update_state()
        for h in self._heads:
            eval_metrics[f"loss/{h.name}"].update_state(
                self._loss_of(h, labels, logits, features, ModeKeys.EVAL)
            )
            own = h.update_metrics(h.metrics(), features, parts[h.name], labels[h.name])
            eval_metrics.update(own)
        return eval_metrics

    def _outputs(self, predictions: dict[Any, Any]) -> dict[str, Any]:
        served: dict[str, Any] = {}
        for h in self._heads:
            own = {k: v for (head, k), v in predictions.items() if head == h.name}
            made = h._outputs(own)
            default = made.pop("serving_default")
            served.setdefault("serving_default", default)
            served[str(h.name)] = default
            served.update((f"{h.name}/{k}", v) for k, v in made.items())
        flat = {f"{head}/{k}": v for (head, k), v in predictions.items()}
        return {**served, "predict": PredictOutput(flat)}
