"""Heads of ``tf.contrib.learn``: what the logits of a model mean: loss, predictions, metrics."""

from __future__ import annotations

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import graphc
from graphc.contrib.learn import head_metrics as measured
from graphc.contrib.learn.keys import MetricKey, ModeKeys, PredictionKey, ProblemType
from graphc.contrib.learn.model_fn import ModelFnOps

__all__ = [
    "Head", "binary_svm_head", "loss_only_head", "multi_class_head", "multi_head",
    "multi_label_head", "no_op_train_fn", "poisson_regression_head", "regression_head",
]  # fmt: skip

tf: Any = graphc


class Head(ABC):
    """What the logits of a model mean."""

    @property
    @abstractmethod
    def logits_dimension(self) -> int:
        """How many logits an example has."""

    @abstractmethod
    def create_model_fn_ops(
        self, features: Any, mode: Any, labels: Any = None, train_op_fn: Any = None,
        logits: Any = None, logits_input: Any = None, scope: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        """What a model function gives.

        Parameters
        ----------
        train_op_fn : callable
            From a loss to the operation that trains.
        logits, logits_input : tensor
            One of them: the logits, or what a linear layer makes logits of.
        """


def no_op_train_fn(loss: Any) -> Any:
    """No training."""
    return tf.no_op()


def _key(head: str | None, name: str) -> str:
    return f"{name}/{head}" if head else name


def _checked(mode: Any) -> None:
    if mode not in (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.INFER):
        raise ValueError(f"there is no mode {mode}")


# ------------------------------------------------------------------------- losses


def _weighted(each: Any, weights: Any) -> tuple[Any, Any]:
    """The mean of a batch's losses times weights, and the weighted average."""
    with tf.name_scope("loss") as scope:
        if weights is None:
            loss = tf.reduce_mean(each, name=scope)
            return loss, loss
        weights = measured.broadcast(weights, each)
        with tf.name_scope(None, "weighted_loss") as inner:
            product = tf.multiply(each, weights, name=inner)
        loss = tf.reduce_mean(product, name=scope)
        total = tf.cast(tf.reduce_sum(weights), tf.float32)
        return loss, tf.div(tf.reduce_sum(product), total, name="weighted_average_loss")


def _as_column(x: Any) -> Any:
    return tf.expand_dims(x, 1) if x.shape.ndims == 1 else x


def _regression(f: Callable[..., Any], name: str, labels: Any, logits: Any, weights: Any) -> Any:
    with tf.name_scope(None, name) as scope:
        logits, labels = _as_column(tf.convert_to_tensor(logits)), tf.convert_to_tensor(labels)
        labels = _as_column(labels)
        logits.shape.assert_is_compatible_with(labels.shape)
        return _weighted(f(logits, labels, scope), weights)


_squared = functools.partial(
    _regression,
    lambda x, y, n: tf.squared_difference(x, tf.cast(y, tf.float32), name=n),
    "mean_squared_loss",
)
_poisson = functools.partial(
    _regression,
    lambda x, y, n: tf.nn.log_poisson_loss(y, x, compute_full_loss=True, name=n),
    "_poisson_loss",
)


def _logistic(labels: Any, logits: Any, weights: Any = None) -> Any:
    with tf.name_scope(None, "log_loss_with_two_classes") as scope:
        labels = _as_column(tf.cast(labels, tf.float32))
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name=scope)
        return _weighted(each, weights)


def _softmax(labels: Any, logits: Any, weights: Any = None) -> Any:
    with tf.name_scope(None, "softmax_cross_entropy_loss") as scope:
        labels = tf.convert_to_tensor(labels)
        if not labels.dtype.is_integer:
            raise ValueError(f"labels have to be integers, and are {labels.dtype}")
        column = labels.shape.ndims == 2
        if column:
            labels = tf.squeeze(labels, [1])
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=labels, logits=logits, name=scope
        )
        return _weighted(tf.expand_dims(each, 1) if column else each, weights)


def _each_sigmoid(labels: Any, logits: Any, weights: Any = None) -> Any:
    with tf.name_scope(None, "sigmoid_cross_entropy_loss") as scope:
        labels = tf.cast(labels, tf.float32)
        each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name=scope)
        return _weighted(each, weights)


def _hinge(labels: Any, logits: Any, weights: Any = None) -> Any:
    with tf.name_scope(None, "hinge_loss") as scope:
        fits = tf.Assert(
            tf.less_equal(tf.rank(labels), 2),
            ["labels shape should be either [batch_size, 1] or [batch_size]"],
        )
        with tf.control_dependencies([fits]):
            labels = tf.reshape(labels, [-1, 1])
        each = tf.losses.hinge_loss(
            labels=labels, logits=logits, scope=scope, reduction=tf.losses.Reduction.NONE
        )
        return _weighted(each, weights)


def _custom(loss_fn: Any) -> Any:
    """A user's loss as one of these."""
    if loss_fn is None:
        return None
    names = inspect.signature(loss_fn).parameters
    for name in ("labels", "logits", "weights"):
        if name not in names:
            raise ValueError(f"loss_fn takes no argument {name}")

    def loss(labels: Any, logits: Any, weights: Any = None) -> Any:
        made = loss_fn(labels, logits) if weights is None else loss_fn(labels, logits, weights)
        return made, made

    return loss


# ------------------------------------------------------------------------- one head


class _Single(Head):
    """A head of its own logits."""

    word = ""
    problem = ProblemType.UNSPECIFIED

    def __init__(
        self, units: int, label_name: Any, weight_column_name: Any, enable_centered_bias: bool,
        head_name: str | None, loss_fn: Any, thresholds: Any = None, class_ids: Any = None,
    ) -> None:  # fmt: skip
        if units is None or units < 1:
            raise ValueError(f"logits_dimension is {units}")
        self._units = units
        self.label_name = label_name
        self.weight_column_name = weight_column_name
        self.head_name = head_name
        self._centered = enable_centered_bias
        self._loss = loss_fn
        self._thresholds = thresholds or (0.5,)
        self._class_ids = tuple(class_ids or ())
        for i in self._class_ids:
            if i < 0 or i >= units:
                raise ValueError(f"class {i} is outside [0, {units})")

    @property
    def logits_dimension(self) -> int:
        return self._units

    def create_model_fn_ops(
        self, features: Any, mode: Any, labels: Any = None, train_op_fn: Any = None,
        logits: Any = None, logits_input: Any = None, scope: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        with tf.variable_scope(scope, default_name=self.head_name or self.word):
            known = mode != ModeKeys.INFER and labels is not None
            labels = self._transformed(labels) if known else None
            logits = self._logits(logits_input, logits)
            _checked(mode)
            bias = None
            if self._centered:
                bias = self._bias()
                logits = tf.nn.bias_add(logits, bias)
            predictions = self._predictions(logits)
            if not known:
                return ModelFnOps(
                    mode, predictions, output_alternatives=self._alternatives(predictions)
                )
            return self._known(features, mode, labels, train_op_fn, logits, bias, predictions)

    def _known(
        self, features: Any, mode: Any, labels: Any, train_op_fn: Any, logits: Any, bias: Any,
        predictions: Any,
    ) -> ModelFnOps:  # fmt: skip
        """What there is where there are labels."""
        weights = self._weights(features)
        loss, average = self._loss_of(labels, logits, weights)
        with tf.name_scope(""):
            tf.summary.scalar(_key(self.head_name, MetricKey.LOSS), tf.identity(average))
        train = None
        if mode == ModeKeys.TRAIN:
            if train_op_fn is None:
                raise ValueError("training asks for a train_op_fn, which is None")
            many = tf.shape(logits)[0]
            step = None if bias is None else self._bias_step(bias, many, labels, weights)
            with tf.name_scope(None, "train_op"):
                train = train_op_fn(loss)
                if step is not None:
                    train = tf.group(train, step)
        with tf.name_scope("metrics"):
            found = {MetricKey.LOSS: tf.metrics.mean(average)}
            found.update(self._metrics(predictions, labels, weights))
        metrics = {_key(self.head_name, k): v for k, v in found.items()}
        return ModelFnOps(mode, predictions, loss, train, metrics, self._alternatives(predictions))

    # ---- inputs

    def _transformed(self, labels: Any) -> Any:
        labels = labels[self.label_name] if isinstance(labels, dict) else labels
        if isinstance(labels, tf.SparseTensor):
            return self._of_sparse(labels)
        return tf.convert_to_tensor(labels)

    def _of_sparse(self, labels: Any) -> Any:
        raise ValueError("sparse labels are not taken here")

    def _logits(self, given: Any, logits: Any) -> Any:
        if logits is None:
            if given is None:
                raise ValueError("one of logits and logits_input has to be given")
            return tf.contrib.layers.linear(given, self._units, scope="logits")
        if given is not None:
            raise ValueError("logits and logits_input exclude each other")
        logits = tf.convert_to_tensor(logits, name="logits")
        if logits.shape.ndims is not None:
            logits.shape.dims[-1].assert_is_compatible_with(self._units)
        return logits

    def _weights(self, features: Any) -> Any:
        name = self.weight_column_name
        if not name:
            return None
        if name not in features:
            raise ValueError(f"the features have no weights {name}")
        with tf.name_scope(None, "weight_tensor"):
            made = tf.cast(features[name], tf.float32)
            return tf.reshape(made, [-1, 1]) if made.shape.ndims == 1 else made

    # ---- a bias of its own

    def _bias(self) -> Any:
        bias = tf.Variable(tf.zeros([self._units]), name="centered_bias_weight")
        for i in range(self._units):
            tf.summary.scalar(_key(self.head_name, f"centered_bias/bias_{i}"), bias[i])
        return bias

    def _bias_step(self, bias: Any, many: Any, labels: Any, weights: Any) -> Any:
        with tf.name_scope(None, "centered_bias_step") as scope:
            units = tf.shape(bias)[0]
            logits = tf.reshape(tf.tile(bias, [many]), [many, units])
            with tf.name_scope(None, "centered_bias"):
                losses = self._loss_of(labels, logits, weights)
                loss = tf.reduce_mean(losses, name="training_loss")
        return tf.train.AdagradOptimizer(0.1).minimize(loss, var_list=[bias], name=scope)

    # ---- what kinds of heads differ in

    def _loss_of(self, labels: Any, logits: Any, weights: Any) -> Any:
        return self._loss(labels, logits, weights)

    def _predictions(self, logits: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _metrics(self, predictions: Any, labels: Any, weights: Any) -> dict[str, Any]:
        return {}

    def _alternatives(self, predictions: Any) -> Any:
        return {self.head_name: (self.problem, predictions)}


class _Regression(_Single):
    word = "regression_head"
    problem = ProblemType.LINEAR_REGRESSION
    link: Any = staticmethod(tf.identity)

    def _predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions"):
            if self._units == 1:
                logits = tf.squeeze(logits, [1], name=PredictionKey.SCORES)
            return {PredictionKey.SCORES: self.link(logits)}


class _Served(_Single):
    """A head whose probabilities are served beside the names of all classes."""

    label_keys: Any = None

    def _alternatives(self, predictions: Any) -> Any:
        p = predictions[PredictionKey.PROBABILITIES]
        with tf.name_scope(None, "_classification_output_alternatives"):
            many = tf.shape(p)[0]
            if self.label_keys:
                row: Any = tf.expand_dims(tf.constant(list(self.label_keys)), 0)
                classes = tf.tile(row, [many, 1], name="classes_tensor")
            else:
                row = tf.expand_dims(tf.range(tf.shape(p)[1]), 0)
                classes = tf.as_string(tf.tile(row, [many, 1]), name="classes_tensor")
        found = {PredictionKey.PROBABILITIES: p, PredictionKey.CLASSES: classes}
        return {self.head_name: (self.problem, found)}


def _two(logits: Any) -> Any:
    """Logits of two classes from one."""
    return tf.concat([tf.zeros_like(logits), logits], 1)


class _Binary(_Served):
    word = "binary_logistic_head"
    problem = ProblemType.LOGISTIC_REGRESSION

    def _predictions(self, logits: Any) -> dict[str, Any]:
        k = PredictionKey
        with tf.name_scope(None, "predictions"):
            both = _two(logits)
            return {
                k.LOGITS: logits,
                k.LOGISTIC: tf.sigmoid(logits, name=k.LOGISTIC),
                k.PROBABILITIES: tf.nn.softmax(both, name=k.PROBABILITIES),
                k.CLASSES: tf.argmax(both, 1, name=k.CLASSES),
            }

    def _metrics(self, predictions: Any, labels: Any, weights: Any) -> dict[str, Any]:
        p = predictions[PredictionKey.LOGISTIC]
        classes = predictions[PredictionKey.CLASSES]
        return measured.of_two(p, classes, labels, weights, self._thresholds)


class _Svm(_Single):
    word = "binary_svm_head"
    problem = ProblemType.LOGISTIC_REGRESSION

    def _predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions"):
            classes = tf.argmax(_two(logits), 1, name=PredictionKey.CLASSES)
            return {PredictionKey.LOGITS: logits, PredictionKey.CLASSES: classes}

    def _metrics(self, predictions: Any, labels: Any, weights: Any) -> dict[str, Any]:
        classes = predictions[PredictionKey.CLASSES]
        return {MetricKey.ACCURACY: tf.metrics.accuracy(labels, classes, weights)}


class _MultiClass(_Served):
    word = "multi_class_head"
    problem = ProblemType.CLASSIFICATION

    def _transformed(self, labels: Any) -> Any:
        labels = super()._transformed(labels)
        if not self.label_keys:
            return labels, labels
        table = tf.contrib.lookup.index_table_from_tensor(self.label_keys, name="label_id_lookup")
        return labels, table.lookup(labels)

    def _loss_of(self, labels: Any, logits: Any, weights: Any) -> Any:
        return self._loss(labels[1], logits, weights)

    def _predictions(self, logits: Any) -> dict[str, Any]:
        k = PredictionKey
        with tf.name_scope(None, "predictions"):
            classes = tf.argmax(logits, 1, name=k.CLASSES)
            if self.label_keys:
                table = tf.contrib.lookup.index_to_string_table_from_tensor(
                    self.label_keys, name="class_string_lookup"
                )
                classes = table.lookup(classes)
            p = tf.nn.softmax(logits, name=k.PROBABILITIES)
            return {k.LOGITS: logits, k.PROBABILITIES: p, k.CLASSES: classes}

    def _metrics(self, predictions: Any, labels: Any, weights: Any) -> dict[str, Any]:
        classes = predictions[PredictionKey.CLASSES]
        out = {MetricKey.ACCURACY: tf.metrics.accuracy(labels[0], classes, weights)}
        if not self.label_keys:
            for i in self._class_ids:
                out.update(measured.of_class(predictions, labels[1], weights, i))
        return out


class _MultiLabel(_Served):
    word = "multi_label_head"
    problem = ProblemType.CLASSIFICATION

    def _of_sparse(self, labels: Any) -> Any:
        return tf.cast(tf.sparse_to_indicator(labels, self._units), tf.int64)

    def _predictions(self, logits: Any) -> dict[str, Any]:
        k = PredictionKey
        with tf.name_scope(None, "predictions"):
            return {
                k.LOGITS: logits,
                k.PROBABILITIES: tf.sigmoid(logits, name=k.PROBABILITIES),
                k.CLASSES: tf.cast(tf.greater(logits, 0), tf.int64, name=k.CLASSES),
            }

    def _metrics(self, predictions: Any, labels: Any, weights: Any) -> dict[str, Any]:
        p = predictions[PredictionKey.PROBABILITIES]
        classes = predictions[PredictionKey.CLASSES]
        out = {MetricKey.ACCURACY: tf.metrics.accuracy(labels, classes, weights)}
        out[MetricKey.AUC] = measured.auc(p, labels, weights)
        out[MetricKey.AUC_PR] = measured.auc(p, labels, weights, curve="PR")
        for i in self._class_ids:
            out.update(measured.of_label(predictions, labels, weights, i))
        return out


class _LossOnly(Head):
    """A loss that needs no logits."""

    def __init__(self, loss_fn: Any, head_name: str | None = None) -> None:
        self._loss = loss_fn
        self.head_name = head_name or "loss_only_head"

    @property
    def logits_dimension(self) -> int:
        return 0

    def create_model_fn_ops(
        self, features: Any, mode: Any, labels: Any = None, train_op_fn: Any = None,
        logits: Any = None, logits_input: Any = None, scope: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        _checked(mode)
        if mode == ModeKeys.INFER:
            return ModelFnOps(mode, {}, eval_metric_ops={})
        train = None
        with tf.variable_scope(scope, default_name=self.head_name):
            loss = self._loss()
            loss = tf.add_n(loss) if isinstance(loss, list) else loss
            with tf.name_scope(""):
                tf.summary.scalar(_key(self.head_name, MetricKey.LOSS), tf.identity(loss))
            if mode == ModeKeys.TRAIN:
                if train_op_fn is None:
                    raise ValueError("training asks for a train_op_fn, which is None")
                with tf.name_scope(None, "train_op"):
                    train = train_op_fn(loss)
        return ModelFnOps(mode, {}, loss, train, {})


# ------------------------------------------------------------------------- several heads


class _Several(Head):
    """Heads that have each a part of the logits; their losses are added."""

    def __init__(self, heads: Sequence[Any], weights: Sequence[float] | None) -> None:
        if any(not h.head_name for h in heads):
            raise ValueError("each head of several needs a name")
        self._heads, self._loss_weights = heads, weights

    @property
    def logits_dimension(self) -> int:
        return sum(h.logits_dimension for h in self._heads)

    def create_model_fn_ops(
        self, features: Any, mode: Any, labels: Any = None, train_op_fn: Any = None,
        logits: Any = None, logits_input: Any = None, scope: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        _checked(mode)
        parts = self._parts(logits)
        made = [
            h.create_model_fn_ops(
                features=features, mode=mode, labels=labels, train_op_fn=no_op_train_fn,
                logits=part, logits_input=logits_input if logits is None else None, scope=scope,
            )
            for h, part in zip(self._heads, parts, strict=True)
        ]  # fmt: skip
        metrics = {k: v for m in made for k, v in m.eval_metric_ops.items()}
        if mode == ModeKeys.TRAIN:
            if train_op_fn is None:
                raise ValueError("training asks for a train_op_fn, which is None")
            loss = self._added(made)
            train = tf.group(train_op_fn(loss), *[m.train_op for m in made])
            return ModelFnOps(mode, loss=loss, train_op=train, eval_metric_ops=metrics)
        named = list(zip(self._heads, made, strict=True))
        predictions = {(h.head_name, k): v for h, m in named for k, v in m.predictions.items()}
        if mode == ModeKeys.EVAL:
            return ModelFnOps(mode, predictions, self._added(made), eval_metric_ops=metrics)
        served = {
            h.head_name: m.output_alternatives[h.head_name]
            for h, m in named
            if not isinstance(h, _LossOnly)
        }
        return ModelFnOps(mode, predictions, output_alternatives=served)

    def _parts(self, logits: Any) -> list[Any]:
        if logits is None:
            return [None] * len(self._heads)
        if isinstance(logits, dict):
            return [None if isinstance(h, _LossOnly) else logits[h.head_name] for h in self._heads]
        out, at = [], 0
        for h in self._heads:
            n = h.logits_dimension
            out.append(tf.slice(logits, [0, at], [-1, n]))
            at += n
        return out

    def _added(self, made: Sequence[ModelFnOps]) -> Any:
        losses = [m.loss for m in made]
        if self._loss_weights:
            pairs = zip(losses, self._loss_weights, strict=True)
            losses = [tf.multiply(loss, w) for loss, w in pairs]
        return tf.add_n(losses)


# ------------------------------------------------------------------------- what users call


def regression_head(
    label_name: Any = None, weight_column_name: Any = None, label_dimension: int = 1,
    enable_centered_bias: bool = False, head_name: str | None = None, link_fn: Any = None,
) -> Head:  # fmt: skip
    """A head of numbers, with the mean squared error; `link_fn` makes predictions of logits."""
    head = _Regression(label_dimension, label_name, weight_column_name, enable_centered_bias,
                       head_name, _squared)  # fmt: skip
    head.link = link_fn or tf.identity
    return head


def poisson_regression_head(
    label_name: Any = None, weight_column_name: Any = None, label_dimension: int = 1,
    enable_centered_bias: bool = False, head_name: str | None = None,
) -> Head:  # fmt: skip
    """A head of counts: logits are logarithms of expected values."""
    head = _Regression(label_dimension, label_name, weight_column_name, enable_centered_bias,
                       head_name, _poisson)  # fmt: skip
    head.link = tf.exp
    return head


def multi_class_head(
    n_classes: int, label_name: Any = None, weight_column_name: Any = None,
    enable_centered_bias: bool = False, head_name: str | None = None, thresholds: Any = None,
    metric_class_ids: Any = None, loss_fn: Any = None, label_keys: Any = None,
) -> Head:  # fmt: skip
    """A head of classes, of which one is right.

    Two classes have one logit, more have one each.

    Raises
    ------
    ValueError
        For less than two classes, or arguments that two classes have no use for.
    """
    if n_classes is None or n_classes < 2:
        raise ValueError(f"a classification has two classes at least, not {n_classes}")
    loss = _custom(loss_fn)
    common = label_name, weight_column_name, enable_centered_bias, head_name
    if n_classes == 2:
        if metric_class_ids:
            raise ValueError("metric_class_ids are for more than two classes")
        if label_keys:
            raise ValueError("label_keys are for more than two classes")
        return _Binary(1, *common, loss or _logistic, thresholds)
    if label_keys and len(label_keys) != n_classes:
        raise ValueError("as many label_keys are needed as there are classes")
    head = _MultiClass(n_classes, *common, loss or _softmax, thresholds, metric_class_ids)
    head.label_keys = label_keys
    return head


def binary_svm_head(
    label_name: Any = None, weight_column_name: Any = None, enable_centered_bias: bool = False,
    head_name: str | None = None, thresholds: Any = None,
) -> Head:  # fmt: skip
    """A head of two classes with the hinge loss."""
    return _Svm(1, label_name, weight_column_name, enable_centered_bias, head_name, _hinge,
                thresholds)  # fmt: skip


def multi_label_head(
    n_classes: int, label_name: Any = None, weight_column_name: Any = None,
    enable_centered_bias: bool = False, head_name: str | None = None, thresholds: Any = None,
    metric_class_ids: Any = None, loss_fn: Any = None,
) -> Head:  # fmt: skip
    """A head of classes of which any number is right.

    Raises
    ------
    ValueError
        For less than two classes.
    """
    if n_classes < 2:
        raise ValueError("a classification has two classes at least")
    return _MultiLabel(n_classes, label_name, weight_column_name, enable_centered_bias, head_name,
                       _custom(loss_fn) or _each_sigmoid, thresholds, metric_class_ids)  # fmt: skip


def loss_only_head(loss_fn: Any, head_name: str | None = None) -> Head:
    """A head that is only a loss: a function without arguments."""
    return _LossOnly(loss_fn, head_name)


def multi_head(heads: Sequence[Any], loss_weights: Any = None) -> Head:
    """Several heads on one model, each with a part of its logits.

    Raises
    ------
    ValueError
        When there are not as many weights as heads, or a head has no name.
    """
    if loss_weights and len(loss_weights) != len(heads):
        raise ValueError("as many loss_weights are needed as there are heads")
    return _Several(heads, loss_weights)
