"""What a model function of ``tf.contrib.learn`` gives, and what an input function for serving."""

from __future__ import annotations

from typing import Any, NamedTuple

import graphc
from graphc.contrib.learn.keys import MetricKey, ModeKeys, PredictionKey, ProblemType
from graphc.estimator.spec import EstimatorSpec

__all__ = ["InputFnOps", "ModelFnOps"]

tf: Any = graphc


class InputFnOps(NamedTuple):
    """Features, labels, and the placeholders that are fed when the model serves."""

    features: Any
    labels: Any
    default_inputs: Any


class _Ops(NamedTuple):
    predictions: Any
    loss: Any
    train_op: Any
    eval_metric_ops: Any
    output_alternatives: Any
    training_chief_hooks: Any
    training_hooks: Any
    scaffold: Any
    mode: Any


class ModelFnOps(_Ops):
    """What a model function gives.

    Parameters
    ----------
    mode : one of `ModeKeys`
    predictions : tensor or dict
        Needed to evaluate and to predict.
    loss : scalar tensor
        Needed to train and to evaluate.
    train_op : Operation or tensor
        Needed to train.
    eval_metric_ops : dict from name to (value, update operation), optional
    output_alternatives : dict from name to (one of `ProblemType`, predictions), optional
        What can be served.

    Raises
    ------
    ValueError
        When something needed is missing, or the loss is no scalar.
    """

    __slots__ = ()

    def __new__(
        cls, mode: Any, predictions: Any = None, loss: Any = None, train_op: Any = None,
        eval_metric_ops: Any = None, output_alternatives: Any = None,
        training_chief_hooks: Any = None, training_hooks: Any = None, scaffold: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        ModeKeys.validate(mode)
        if train_op is None:
            if mode == ModeKeys.TRAIN:
                raise ValueError("Missing train_op.")
        elif not isinstance(train_op, tf.Operation):
            train_op = tf.convert_to_tensor(train_op).op
        if loss is None and mode != ModeKeys.INFER:
            raise ValueError("Missing loss.")
        if predictions is None and mode != ModeKeys.TRAIN:
            raise ValueError("Missing predictions.")
        if eval_metric_ops is not None and not isinstance(eval_metric_ops, dict):
            raise ValueError("eval_metric_ops must be a dict.")
        hooks = (list(training_chief_hooks or ()), list(training_hooks or ()))
        for hook in hooks[0] + hooks[1]:
            if not isinstance(hook, tf.train.SessionRunHook):
                raise TypeError("All hooks returned from model_fn must be SessionRunHook "
                                f"instances, got instance of {type(hook)}: {hook}")  # fmt: skip
        return super().__new__(
            cls, _tensors(predictions), _scalar(loss), train_op, dict(eval_metric_ops or {}),
            output_alternatives, *hooks, scaffold, mode,
        )  # fmt: skip

    def estimator_spec(self, default_serving_output_alternative_key: Any = None) -> EstimatorSpec:
        """The same for ``tf.estimator``."""
        served = dict(self.output_alternatives or {})
        if len(served) > 1 and "serving_default" not in served:
            served["serving_default"] = served[default_serving_output_alternative_key]
        outputs = {k: _output(*v) for k, v in served.items()} or None
        return EstimatorSpec(
            self.mode, self.predictions, self.loss, self.train_op,
            {k: v for k, v in self.eval_metric_ops.items() if k != MetricKey.LOSS}, outputs,
            self.training_chief_hooks, self.training_hooks, self.scaffold,
        )  # fmt: skip


def _scalar(loss: Any) -> Any:
    if loss is None:
        return None
    t = tf.convert_to_tensor(loss)
    if t.shape.num_elements() not in (None, 1):
        raise ValueError(f"Loss must be scalar: {t}.")
    return t if t.shape.is_compatible_with([]) else tf.reshape(t, [])


def _tensors(predictions: Any) -> Any:
    if isinstance(predictions, dict):
        return {k: _tensors(v) for k, v in predictions.items()}
    if predictions is None or isinstance(predictions, tf.SparseTensor):
        return predictions
    return tf.convert_to_tensor(predictions)


def _output(problem: int, predictions: Any) -> Any:
    """How a kind of predictions is served."""
    export = tf.estimator.export
    if problem == ProblemType.UNSPECIFIED:
        return export.PredictOutput(predictions)
    scores = predictions.get(PredictionKey.SCORES)
    if scores is None:
        scores = predictions.get(PredictionKey.PROBABILITIES)
    if problem == ProblemType.LINEAR_REGRESSION:
        return export.RegressionOutput(scores)
    classes = predictions.get(PredictionKey.CLASSES)
    if classes is not None and classes.dtype != tf.string:
        classes = None
    return export.ClassificationOutput(scores=scores, classes=classes)
