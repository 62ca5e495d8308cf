"""Metrics of the heads of ``tf.contrib.learn``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import graphc
from graphc.contrib.learn.keys import MetricKey, PredictionKey
from graphc.losses.weighting import broadcast_weights

__all__ = ["auc", "broadcast", "of_class", "of_label", "of_two"]

tf: Any = graphc


def broadcast(weights: Any, values: Any) -> Any:
    """Weights of the shape of `values`."""
    return broadcast_weights(weights, values)


def _part(x: Any, weights: Any, i: int | None) -> tuple[Any, Any]:
    """Values and weights as floats, of one class where `i` is one."""
    x = tf.cast(x, tf.float32)
    if weights is not None:
        weights = broadcast(tf.cast(weights, tf.float32), x)
    if i is None:
        return x, weights
    return x[:, i], None if weights is None else weights[:, i]


def _mean(x: Any, weights: Any, i: int | None = None) -> Any:
    x, weights = _part(x, weights, i)
    return tf.metrics.mean(x, weights)


def _share(ids: Any, weights: Any, i: int) -> Any:
    """How often `ids` are `i`."""
    same = tf.equal(tf.cast(ids, tf.int32), i)
    ones = tf.where(same, tf.ones_like(ids), tf.zeros_like(ids))
    return tf.metrics.mean(ones, weights=weights)


def auc(p: Any, labels: Any, weights: Any, i: int | None = None, curve: str = "ROC") -> Any:
    """The area under a curve, of one class where `i` is one."""
    if labels.dtype.base_dtype != tf.bool:
        labels = tf.cast(labels, tf.bool)
    p, weights = _part(p, weights, i)
    labels = labels if i is None else labels[:, i]
    with warnings.catch_warnings():  # of the trapezoidal rule, which the user did not choose
        warnings.simplefilter("ignore", UserWarning)
        return tf.metrics.auc(labels, p, weights, curve=curve)


def of_two(
    p: Any, classes: Any, labels: Any, weights: Any, thresholds: Sequence[float]
) -> dict[str, Any]:
    """Metrics of two classes, from the probability of the second."""
    k = MetricKey
    out = {
        k.ACCURACY: tf.metrics.accuracy(labels, classes, weights),
        k.PREDICTION_MEAN: _mean(p, weights),
        k.LABEL_MEAN: _mean(labels, weights),
        k.ACCURACY_BASELINE: _mean(labels, weights),
        k.AUC: auc(p, labels, weights),
        k.AUC_PR: auc(p, labels, weights, curve="PR"),
    }
    floats = None if weights is None else tf.cast(weights, tf.float32)
    for t in thresholds:
        there = tf.cast(tf.greater_equal(p, t), tf.float32)
        out[k.ACCURACY_MEAN % t] = tf.metrics.accuracy(labels, there, weights)
        for key, f in ((k.PRECISION_MEAN, tf.metrics.precision_at_thresholds),
                       (k.RECALL_MEAN, tf.metrics.recall_at_thresholds)):  # fmt: skip
            value, update = f(labels, p, [t], floats)
            out[key % t] = tf.squeeze(value), tf.squeeze(update)
    return out


def of_class(predictions: Any, labels: Any, weights: Any, i: int) -> dict[str, Any]:
    """Metrics of one class of several of which one is right."""
    k, p = MetricKey, PredictionKey
    return {
        k.CLASS_PREDICTION_MEAN % i: _share(predictions[p.CLASSES], weights, i),
        k.CLASS_LABEL_MEAN % i: _share(labels, weights, i),
        k.CLASS_PROBABILITY_MEAN % i: _mean(predictions[p.PROBABILITIES], weights, i),
        k.CLASS_LOGITS_MEAN % i: _mean(predictions[p.LOGITS], weights, i),
    }


def of_label(predictions: Any, labels: Any, weights: Any, i: int) -> dict[str, Any]:
    """Metrics of one class of several of which any number is right."""
    k, p = MetricKey, PredictionKey
    probabilities = predictions[p.PROBABILITIES]
    return {
        k.CLASS_PREDICTION_MEAN % i: _mean(predictions[p.CLASSES], weights, i),
        k.CLASS_LABEL_MEAN % i: _mean(labels, weights, i),
        k.CLASS_PROBABILITY_MEAN % i: _mean(probabilities, weights, i),
        k.CLASS_LOGITS_MEAN % i: _mean(predictions[p.LOGITS], weights, i),
        k.CLASS_AUC % i: auc(probabilities, labels, weights, i),
        k.CLASS_AUC_PR % i: auc(probabilities, labels, weights, i, "PR"),
    }
