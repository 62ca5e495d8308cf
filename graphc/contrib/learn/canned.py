"""Ready-made estimators of ``tf.contrib.learn``: linear models, perceptrons, both together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import graphc
from graphc.contrib.layers.feature_columns import Column
from graphc.contrib.learn import heads
from graphc.contrib.learn.estimator import Estimator
from graphc.contrib.learn.keys import MetricKey, ModeKeys, PredictionKey
from graphc.contrib.learn.metric_spec import MetricSpec
from graphc.contrib.learn.model_fn import ModelFnOps
from graphc.face.partitioned import PartitionedVariable, min_max_variable_partitioner
from graphc.ops.activations import relu

__all__ = [
    "DNNClassifier", "DNNEstimator", "DNNLinearCombinedClassifier", "DNNLinearCombinedEstimator",
    "DNNLinearCombinedRegressor", "DNNRegressor", "LinearClassifier", "LinearEstimator",
    "LinearRegressor", "LogisticRegressor",
]  # fmt: skip

tf: Any = graphc

_DEEP_RATE, _WIDE_RATE = 0.05, 0.2
_ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid"}


def _activation(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if given not in _ACTIVATIONS:
        raise ValueError(f"Activation name should be one of [{', '.join(_ACTIVATIONS)}], you "
                         f"provided {given}.")  # fmt: skip
    return getattr(tf.nn, given)


def _made(optimizer: Any) -> Any:
    """An optimizer, or its name, from what a user gives: that, or a function that makes it."""
    return optimizer() if callable(optimizer) else optimizer


def _named(features: Any) -> Any:
    return features if isinstance(features, dict) else {"": features}


def _ours(columns: Sequence[Any]) -> bool:
    """Whether columns are those of contrib.layers, not those of tf.feature_column."""
    return all(isinstance(c, Column) for c in columns)


def _parts() -> Any:
    """Variables have parts, one each, as TensorFlow's have."""
    return min_max_variable_partitioner(1, min_slice_size=64 << 20)


# ------------------------------------------------------------------------- logits


def _of(collection: str) -> list[Any]:
    """The variables of a collection; of those in parts, the parts."""
    return [p for v in tf.get_collection(collection)
            for p in (v if isinstance(v, PartitionedVariable) else [v])]  # fmt: skip


class _Deep:
    """A perceptron: its settings, its logits, and what trains it."""

    def __init__(
        self, columns: Any, hidden: Any, optimizer: Any, activation: Any, dropout: Any, clip: Any,
        multipliers: Any,
    ) -> None:  # fmt: skip
        self.columns = tuple(columns or ())
        self.hidden, self.activation, self.dropout = hidden, activation, dropout
        self.optimizer = optimizer or "Adagrad"
        self.clip, self.multipliers = clip, multipliers

    def logits(self, features: Any, units: int, mode: Any, together: bool = False) -> Any:
        """The logits; each layer is summarised."""
        layers, f = tf.contrib.layers, _activation(self.activation)
        with tf.variable_scope("input_from_feature_columns", partitioner=_parts()) as scope:
            self._scope = scope.name
            if _ours(self.columns):
                net = layers.input_from_feature_columns(
                    features, self.columns, weight_collections=["dnn"], scope=scope
                )
            else:
                net = tf.feature_column.input_layer(features, self.columns, ["dnn"])
        for i, n in enumerate(self.hidden):
            with tf.variable_scope(f"hiddenlayer_{i}") as scope:
                net = layers.fully_connected(
                    net, n, activation_fn=f, variables_collections=["dnn"], scope=scope
                )
                if self.dropout is not None and mode == ModeKeys.TRAIN:
                    net = layers.dropout(net, keep_prob=1.0 - self.dropout)
            _summarise(net, scope.name, together)
        with tf.variable_scope("logits") as scope:
            out = layers.fully_connected(
                net, units, activation_fn=None, variables_collections=["dnn"], scope=scope
            )
        _summarise(out, scope.name, together)
        return out

    def train(self, loss: Any, **more: Any) -> Any:
        """The operation that trains it."""
        return tf.contrib.layers.optimize_loss(
            loss, tf.train.get_global_step(), _DEEP_RATE, _made(self.optimizer),
            gradient_multipliers=self._multiplied(), clip_gradients=self.clip, name="dnn",
            summaries=[], **more,
        )  # fmt: skip

    def _multiplied(self) -> Any:
        """Factors of gradients by variable, from those by column."""
        if not self.multipliers:
            return None
        out = {}
        for column, factor in self.multipliers.items():
            found = tf.get_collection("dnn", f"{self._scope}/{column.name}")
            if not found:
                raise ValueError(f"Couldn't find a variable for column {column}")
            out.update(dict.fromkeys(found, factor))
        return out


def _summarise(value: Any, name: str, together: bool) -> None:
    rest = "/%s" if together else "_%s"
    tf.summary.scalar(name + rest % "fraction_of_zero_values", tf.nn.zero_fraction(value))
    tf.summary.histogram(name + rest % "activation", value)


class _Wide:
    """A linear model: its settings, its logits, and what trains it."""

    def __init__(self, columns: Any, optimizer: Any, clip: Any, joint: bool) -> None:
        self.columns = tuple(columns or ())
        self.optimizer, self.clip, self.joint = optimizer, clip, joint

    @property
    def rate(self) -> float:
        return min(_WIDE_RATE, 1.0 / math.sqrt(len(self.columns)))

    def logits(self, features: Any, units: int, scope: Any) -> Any:
        """The logits, in a scope that is open."""
        if not _ours(self.columns):
            return tf.feature_column.linear_model(
                features, self.columns, units, weight_collections=["linear"]
            )
        layers = tf.contrib.layers
        f = (
            layers.joint_weighted_sum_from_feature_columns
            if self.joint
            else layers.weighted_sum_from_feature_columns
        )
        return f(features, self.columns, units, weight_collections=["linear"], scope=scope)[0]

    def train(self, loss: Any) -> Any:
        """The operation that trains it alone."""
        mine = _of("linear")
        grads = tf.gradients(loss, mine)
        if self.clip:
            grads, _ = tf.clip_by_global_norm(grads, self.clip)
        given = self.optimizer or tf.train.FtrlOptimizer(self.rate)
        if isinstance(given, str):
            given = tf.contrib.layers.OPTIMIZER_CLS_NAMES[given](learning_rate=_WIDE_RATE)
        step = tf.train.get_global_step()
        return _made(given).apply_gradients(zip(grads, mine, strict=True), global_step=step)


# ------------------------------------------------------------------------- model functions


def _deep_model(head: Any, deep: _Deep) -> Callable[..., ModelFnOps]:
    def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> ModelFnOps:
        features = _named(features)
        with tf.variable_scope("dnn", partitioner=_parts()):
            logits = deep.logits(features, head.logits_dimension, mode)
            made: ModelFnOps = head.create_model_fn_ops(
                features=features, mode=mode, labels=labels, train_op_fn=deep.train, logits=logits
            )
            return made

    return model_fn


def _wide_model(head: Any, wide: _Wide) -> Callable[..., ModelFnOps]:
    def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> ModelFnOps:
        features = _named(features)
        with tf.variable_scope("linear", partitioner=_parts()) as scope:
            logits = wide.logits(features, head.logits_dimension, scope)
            made: ModelFnOps = head.create_model_fn_ops(
                features=features, mode=mode, labels=labels, train_op_fn=wide.train, logits=logits
            )
            return made

    return model_fn


def _both_model(head: Any, wide: _Wide, deep: _Deep, once: bool) -> Callable[..., ModelFnOps]:
    if not wide.columns and not deep.columns:
        raise ValueError("Either linear_feature_columns or dnn_feature_columns must be defined.")

    def model_fn(features: Any, labels: Any, mode: Any, config: Any) -> ModelFnOps:
        if deep.columns and not deep.hidden:
            raise ValueError("dnn_hidden_units must be defined when dnn_feature_columns is "
                             "specified.")  # fmt: skip
        features, units = _named(features), head.logits_dimension
        parts = []
        if deep.columns:
            with tf.variable_scope("dnn", partitioner=_parts()):
                parts.append(deep.logits(features, units, mode, True))
        if wide.columns:
            with tf.variable_scope("linear", partitioner=_parts()) as scope:
                parts.append(wide.logits(features, units, scope))
                _summarise(parts[-1], scope.name, True)
        logits = parts[0] if len(parts) == 1 else parts[0] + parts[1]

        def train(loss: Any) -> Any:
            return _train_both(loss, wide, deep, once)

        made: ModelFnOps = head.create_model_fn_ops(
            features=features, mode=mode, labels=labels, train_op_fn=train, logits=logits
        )
        return made

    return model_fn


def _train_both(loss: Any, wide: _Wide, deep: _Deep, once: bool) -> Any:
    """Each part's optimizer; the step is counted by each of them unless `once`."""
    steps = []
    more = {"increment_global_step": not once}
    if deep.columns:
        steps.append(deep.train(loss, variables=_of("dnn"), **more))
    if wide.columns:
        steps.append(
            tf.contrib.layers.optimize_loss(
                loss, tf.train.get_global_step(), wide.rate, _made(wide.optimizer or "Ftrl"),
                clip_gradients=wide.clip, variables=_of("linear"), name="linear",
                summaries=[], **more,
            )
        )  # fmt: skip
    train = tf.group(*steps)
    if not once:
        return train
    with tf.control_dependencies([train]):
        return tf.assign_add(tf.train.get_global_step(), 1).op


# ------------------------------------------------------------------------- what they predict


def _classes(n: int, weights: Any, centred: bool, keys: Any) -> heads.Head:
    """The head that tells `n` classes apart."""
    return heads.multi_class_head(
        n, weight_column_name=weights, enable_centered_bias=centred, label_keys=keys
    )


def _numbers(n: int, weights: Any, centred: bool) -> heads.Head:
    """The head that predicts `n` numbers."""
    return heads.regression_head(
        weight_column_name=weights, label_dimension=n, enable_centered_bias=centred
    )


class _Predicts(Estimator):
    """An estimator that predicts one thing unless `outputs` says what."""

    _main: str

    def predict(  # type: ignore[override]
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        outputs: Any = None, as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """Classes or numbers, or what `outputs` names."""
        if not outputs:
            return self._one(self._main, x, input_fn, batch_size, as_iterable)
        return super().predict(x, input_fn, batch_size, outputs, as_iterable)

    def _one(self, key: str, x: Any, input_fn: Any, batch_size: Any, as_iterable: bool) -> Any:
        found = super().predict(x, input_fn, batch_size, [key], as_iterable)
        if as_iterable:
            return (row[key] for row in found)
        return found[key]

    def export(  # type: ignore[override]
        self, export_dir: str, input_fn: Any = None, input_feature_key: Any = None,
        use_deprecated_input_fn: bool = True, signature_fn: Any = None,
        default_batch_size: int | None = 1, exports_to_keep: int | None = None,
    ) -> Any:  # fmt: skip
        """Refused, see `BaseEstimator.export`."""
        return super().export(export_dir)


class _Classifies(_Predicts):
    _main = PredictionKey.CLASSES

    def predict_classes(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The class of each example."""
        return self._one(PredictionKey.CLASSES, x, input_fn, batch_size, as_iterable)

    def predict_proba(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The probability of each class."""
        return self._one(PredictionKey.PROBABILITIES, x, input_fn, batch_size, as_iterable)


class _Regresses(_Predicts):
    _main = PredictionKey.SCORES

    def predict_scores(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        as_iterable: bool = True,
    ) -> Any:  # fmt: skip
        """The number of each example."""
        return self._one(PredictionKey.SCORES, x, input_fn, batch_size, as_iterable)


class _ScoredRegressor(_Regresses):
    def evaluate(
        self, x: Any = None, y: Any = None, input_fn: Any = None, feed_fn: Any = None,
        batch_size: int | None = None, steps: int | None = None, metrics: Any = None,
        name: str | None = None, checkpoint_path: str | None = None, hooks: Any = None,
        log_progress: bool = True,
    ) -> Any:  # fmt: skip
        """As `Estimator.evaluate`; plain metric functions are given the predicted numbers."""
        own = {
            k if isinstance(f, MetricSpec) or isinstance(k, tuple) else (k, PredictionKey.SCORES): f
            for k, f in (metrics or {}).items()
        }
        return super().evaluate(
            x, y, input_fn, feed_fn, batch_size, steps, own, name, checkpoint_path, hooks
        )


# ------------------------------------------------------------------------- estimators


class DNNClassifier(_Classifies):
    """A perceptron that tells classes apart.

    Parameters
    ----------
    hidden_units : list of int
    feature_columns : list
        Of ``tf.contrib.layers`` or of ``tf.feature_column``.
    n_classes : int
    weight_column_name : str, optional
        The feature that weighs examples.
    optimizer : Optimizer, str or callable, optional
        Adagrad with a rate of 0.05 by default.
    activation_fn : callable or str
    dropout : float, optional
        The share of units that is left out in training.
    gradient_clip_norm : float, optional
    enable_centered_bias : bool
        Whether each class has one more bias, trained alone.
    feature_engineering_fn : callable, optional
    embedding_lr_multipliers : dict from column to float, optional
    input_layer_min_slice_size : int, optional
        Says how variables are spread over servers; it means nothing here.
    label_keys : list of str, optional
        Labels as words, for three classes or more.
    """

    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: str | None = None,
        n_classes: int = 2, weight_column_name: Any = None, optimizer: Any = None,
        activation_fn: Any = relu, dropout: Any = None, gradient_clip_norm: Any = None,
        enable_centered_bias: bool = False, config: Any = None, feature_engineering_fn: Any = None,
        embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None,
        label_keys: Any = None,
    ) -> None:  # fmt: skip
        head = _classes(n_classes, weight_column_name, enable_centered_bias, label_keys)
        deep = _Deep(feature_columns, hidden_units, optimizer, activation_fn, dropout,
                     gradient_clip_norm, embedding_lr_multipliers)  # fmt: skip
        model = _deep_model(head, deep)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class DNNRegressor(_ScoredRegressor):
    """A perceptron that predicts numbers: see `DNNClassifier`."""

    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: str | None = None,
        weight_column_name: Any = None, optimizer: Any = None, activation_fn: Any = relu,
        dropout: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False,
        config: Any = None, feature_engineering_fn: Any = None, label_dimension: int = 1,
        embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None,
    ) -> None:  # fmt: skip
        head = _numbers(label_dimension, weight_column_name, enable_centered_bias)
        deep = _Deep(feature_columns, hidden_units, optimizer, activation_fn, dropout,
                     gradient_clip_norm, embedding_lr_multipliers)  # fmt: skip
        model = _deep_model(head, deep)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class DNNEstimator(Estimator):
    """A perceptron with a head of the user's: see `DNNClassifier`."""

    def __init__(
        self, head: Any, hidden_units: Any, feature_columns: Any, model_dir: str | None = None,
        optimizer: Any = None, activation_fn: Any = relu, dropout: Any = None,
        gradient_clip_norm: Any = None, config: Any = None, feature_engineering_fn: Any = None,
        embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None,
    ) -> None:  # fmt: skip
        deep = _Deep(feature_columns, hidden_units, optimizer, activation_fn, dropout,
                     gradient_clip_norm, embedding_lr_multipliers)  # fmt: skip
        model = _deep_model(head, deep)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


def _needed(columns: Any) -> None:
    if not columns:
        raise AssertionError("feature_columns can't be empty.")


class LinearClassifier(_Classifies):
    """A linear model that tells classes apart.

    Parameters
    ----------
    feature_columns : list
    optimizer : Optimizer, str or callable, optional
        Ftrl with a rate of at most 0.2 by default.
    n_classes, weight_column_name, gradient_clip_norm, enable_centered_bias, label_keys
        As in `DNNClassifier`.
    """

    def __init__(
        self, feature_columns: Any, model_dir: str | None = None, n_classes: int = 2,
        weight_column_name: Any = None, optimizer: Any = None, gradient_clip_norm: Any = None,
        enable_centered_bias: bool = False, _joint_weight: bool = False, config: Any = None,
        feature_engineering_fn: Any = None, label_keys: Any = None,
    ) -> None:  # fmt: skip
        _needed(feature_columns)
        head = _classes(n_classes, weight_column_name, enable_centered_bias, label_keys)
        wide = _Wide(feature_columns, optimizer, gradient_clip_norm, _joint_weight)
        model = _wide_model(head, wide)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class LinearRegressor(_Regresses):
    """A linear model that predicts numbers: see `LinearClassifier`."""

    def __init__(
        self, feature_columns: Any, model_dir: str | None = None, weight_column_name: Any = None,
        optimizer: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False,
        label_dimension: int = 1, _joint_weights: bool = False, config: Any = None,
        feature_engineering_fn: Any = None,
    ) -> None:  # fmt: skip
        _needed(feature_columns)
        head = _numbers(label_dimension, weight_column_name, enable_centered_bias)
        wide = _Wide(feature_columns, optimizer, gradient_clip_norm, _joint_weights)
        model = _wide_model(head, wide)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class LinearEstimator(Estimator):
    """A linear model with a head of the user's: see `LinearClassifier`."""

    def __init__(
        self, feature_columns: Any, head: Any, model_dir: str | None = None,
        weight_column_name: Any = None, optimizer: Any = None, gradient_clip_norm: Any = None,
        _joint_weights: bool = False, config: Any = None, feature_engineering_fn: Any = None,
    ) -> None:  # fmt: skip
        _needed(feature_columns)
        wide = _Wide(feature_columns, optimizer, gradient_clip_norm, _joint_weights)
        model = _wide_model(head, wide)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class DNNLinearCombinedEstimator(Estimator):
    """A linear model and a perceptron together, with a head of the user's.

    See `DNNLinearCombinedClassifier`.
    """

    def __init__(
        self, head: Any, model_dir: str | None = None, linear_feature_columns: Any = None,
        linear_optimizer: Any = None, _joint_linear_weights: bool = False,
        dnn_feature_columns: Any = None, dnn_optimizer: Any = None, dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = None, dnn_dropout: Any = None, gradient_clip_norm: Any = None,
        config: Any = None, feature_engineering_fn: Any = None,
        embedding_lr_multipliers: Any = None, fix_global_step_increment_bug: bool = False,
        input_layer_partitioner: Any = None,
    ) -> None:  # fmt: skip
        wide = _Wide(linear_feature_columns, linear_optimizer, gradient_clip_norm,
                     _joint_linear_weights)  # fmt: skip
        deep = _Deep(dnn_feature_columns, dnn_hidden_units, dnn_optimizer,
                     dnn_activation_fn or relu, dnn_dropout, gradient_clip_norm,
                     embedding_lr_multipliers)  # fmt: skip
        model = _both_model(head, wide, deep, fix_global_step_increment_bug)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class DNNLinearCombinedClassifier(_Classifies):
    """A linear model and a perceptron together that tell classes apart ("wide and deep").

    Parameters
    ----------
    linear_feature_columns, dnn_feature_columns : list
        At least one of them.
    linear_optimizer, dnn_optimizer : Optimizer, str or callable, optional
        Ftrl and Adagrad by default.
    fix_global_step_increment_bug : bool
        Whether a step counts once; otherwise each of the two counts it, as in older versions.
    n_classes, weight_column_name, ...
        As in `DNNClassifier`.
    """

    def __init__(
        self, model_dir: str | None = None, n_classes: int = 2, weight_column_name: Any = None,
        linear_feature_columns: Any = None, linear_optimizer: Any = None,
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None,
        dnn_optimizer: Any = None, dnn_hidden_units: Any = None, dnn_activation_fn: Any = relu,
        dnn_dropout: Any = None, gradient_clip_norm: Any = None,
        enable_centered_bias: bool = False, config: Any = None, feature_engineering_fn: Any = None,
        embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None,
        label_keys: Any = None, fix_global_step_increment_bug: bool = False,
    ) -> None:  # fmt: skip
        head = _classes(n_classes, weight_column_name, enable_centered_bias, label_keys)
        wide = _Wide(linear_feature_columns, linear_optimizer, gradient_clip_norm,
                     _joint_linear_weights)  # fmt: skip
        deep = _Deep(dnn_feature_columns, dnn_hidden_units, dnn_optimizer,
                     dnn_activation_fn or relu, dnn_dropout, gradient_clip_norm,
                     embedding_lr_multipliers)  # fmt: skip
        model = _both_model(head, wide, deep, fix_global_step_increment_bug)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


class DNNLinearCombinedRegressor(_ScoredRegressor):
    """A linear model and a perceptron together that predict numbers.

    See `DNNLinearCombinedClassifier`.
    """

    def __init__(
        self, model_dir: str | None = None, weight_column_name: Any = None,
        linear_feature_columns: Any = None, linear_optimizer: Any = None,
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None,
        dnn_optimizer: Any = None, dnn_hidden_units: Any = None, dnn_activation_fn: Any = relu,
        dnn_dropout: Any = None, gradient_clip_norm: Any = None,
        enable_centered_bias: bool = False, label_dimension: int = 1, config: Any = None,
        feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None,
        input_layer_min_slice_size: Any = None, fix_global_step_increment_bug: bool = False,
    ) -> None:  # fmt: skip
        head = _numbers(label_dimension, weight_column_name, enable_centered_bias)
        wide = _Wide(linear_feature_columns, linear_optimizer, gradient_clip_norm,
                     _joint_linear_weights)  # fmt: skip
        deep = _Deep(dnn_feature_columns, dnn_hidden_units, dnn_optimizer,
                     dnn_activation_fn or relu, dnn_dropout, gradient_clip_norm,
                     embedding_lr_multipliers)  # fmt: skip
        model = _both_model(head, wide, deep, fix_global_step_increment_bug)
        super().__init__(model, model_dir, config, None, feature_engineering_fn)


def LogisticRegressor(
    model_fn: Callable[..., Any], thresholds: Any = None, model_dir: str | None = None,
    config: Any = None, feature_engineering_fn: Any = None,
) -> Estimator:  # fmt: skip
    """An estimator of a function that gives probabilities, a loss and what trains.

    Its evaluations have the metrics of two classes at each of `thresholds` (0.5 by default).
    """
    from graphc.contrib.learn import head_metrics

    def model(features: Any, labels: Any, mode: Any, params: Any) -> ModelFnOps:
        names = model_fn.__code__.co_varnames[: model_fn.__code__.co_argcount]
        given = {"mode": mode, "params": params}
        found = model_fn(features, labels, **{k: v for k, v in given.items() if k in names})
        p, loss, train = found
        if mode == ModeKeys.EVAL:
            classes = tf.cast(tf.greater(p, 0.5), tf.float32)
            metrics = head_metrics.of_two(p, classes, labels, None, thresholds or (0.5,))
            metrics.pop(MetricKey.ACCURACY)
        else:
            metrics = {}
        return ModelFnOps(mode, p, loss, train, metrics)

    return Estimator(model, model_dir, config, None, feature_engineering_fn)
