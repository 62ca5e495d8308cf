"""Heads of classifiers: two classes, several of which one is right, several of which any may be."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from graphc.contrib.lookup import index_table_from_tensor
from graphc.estimator.canned import class_names, named_classes
from graphc.estimator.heads import (
    PlainHead,
    Streamed,
    chosen_keys,
)
from graphc.estimator.inputs import ClassificationOutput, PredictOutput, RegressionOutput
from graphc.face.asserts import assert_less, assert_non_negative
from graphc.face.current import control_dependencies
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.metrics.averages import accuracy, mean
from graphc.metrics.counting import precision, recall
from graphc.metrics.curves import auc, precision_at_thresholds, recall_at_thresholds
from graphc.ops import arrays, fills, math, nn, reduce, shapes, tiling
from graphc.ops.state import identity
from graphc.sparse.ops import sparse_to_indicator
from graphc.sparse.tensor import SparseTensor

__all__ = ["BinaryClassHead", "MultiClassHead", "MultiLabelHead"]


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


class _Classes(PlainHead):
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
        return chosen_keys(found, keys)

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
        return chosen_keys(found, keys)

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
        return chosen_keys({"logits": z, "probabilities": nn.sigmoid(z)}, keys)

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
