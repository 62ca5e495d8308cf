"""Estimators of ``tf.contrib.learn``: fit, evaluate and predict with a model function."""

from __future__ import annotations

import copy
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import graphc
from graphc.contrib.learn import feeding, serving
from graphc.contrib.learn.config import RunConfig
from graphc.contrib.learn.keys import MetricKey, ModeKeys, NotFittedError
from graphc.contrib.learn.metric_spec import MetricSpec
from graphc.contrib.learn.model_fn import ModelFnOps
from graphc.contrib.learn.monitors import replace_monitors_with_hooks
from graphc.estimator.estimator import Estimator as Core
from graphc.estimator.estimator import chosen_predictions
from graphc.estimator.spec import EstimatorSpec
from graphc.face import logging

__all__ = [
    "BaseEstimator", "Estimator", "Evaluable", "SKCompat", "Trainable",
    "infer_real_valued_columns_from_input", "infer_real_valued_columns_from_input_fn",
]  # fmt: skip

tf: Any = graphc


class Trainable(ABC):
    """What can be trained."""

    @abstractmethod
    def fit(
        self, x: Any = None, y: Any = None, input_fn: Any = None, steps: Any = None,
        batch_size: Any = None, monitors: Any = None, max_steps: Any = None,
    ) -> Any:  # fmt: skip
        """Train."""


class Evaluable(ABC):
    """What can be evaluated."""

    @property
    @abstractmethod
    def model_dir(self) -> str:
        """Where checkpoints are."""

    @abstractmethod
    def evaluate(
        self, x: Any = None, y: Any = None, input_fn: Any = None, feed_fn: Any = None,
        batch_size: Any = None, steps: Any = None, metrics: Any = None, name: Any = None,
        checkpoint_path: Any = None, hooks: Any = None,
    ) -> Any:  # fmt: skip
        """Metrics by name."""


class _Parameters:
    """Parameters by name, as scikit-learn asks for them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Public attributes; of those that have parameters too, theirs as ``name__theirs``."""
        out = {}
        for key, value in vars(self).items():
            if key.startswith("_"):
                continue
            if deep and hasattr(value, "get_params"):
                out.update({f"{key}__{k}": v for k, v in value.get_params().items()})
            out[key] = value
        return out

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``a__b`` is the parameter `b` of the attribute `a`.

        Raises
        ------
        ValueError
            For a name that is no parameter.
        """
        known = self.get_params()
        for key, value in params.items():
            name, _, inner = key.partition("__")
            if name not in known:
                raise ValueError(f"{type(self).__name__} has no parameter {name}")
            if inner:
                known[name].set_params(**{inner: value})
            else:
                setattr(self, name, value)
        return self


def _check_inputs(x: Any, y: Any, input_fn: Any, feed_fn: Any, batch_size: Any) -> None:
    """Refuse data that are given twice, or not at all."""
    if input_fn is not None:
        if x is not None or y is not None:
            raise ValueError("input_fn excludes x and y")
        if batch_size is not None:
            raise ValueError("input_fn excludes batch_size")
        return
    if x is None:
        raise ValueError("x or input_fn has to be given")
    if isinstance(x, (tf.Tensor, tf.SparseTensor)) or isinstance(y, tf.Tensor):
        raise ValueError("x and y are tensors: give an input_fn that makes them")
    if feed_fn is not None:
        raise ValueError("feed_fn excludes x and y")


def _fed(
    x: Any, y: Any, batch_size: Any, shuffle: bool = False, epochs: int | None = 1
) -> tuple[Any, Any]:
    """An input function for arrays, and what feeds it."""
    made = feeding.setup_train_data_feeder(x, y, None, batch_size, shuffle, epochs)
    return made.input_builder, made.get_feed_dict_fn()


def infer_real_valued_columns_from_input_fn(input_fn: Callable[[], Any]) -> list[Any]:
    """Real-valued columns for the features of an input function."""
    with tf.Graph().as_default():
        features, _ = input_fn()
        found: list[Any] = tf.contrib.layers.infer_real_valued_columns(features)
        return found


def infer_real_valued_columns_from_input(x: Any) -> list[Any]:
    """Real-valued columns for an array, or for a dict of arrays."""
    return infer_real_valued_columns_from_input_fn(_fed(x, None, None)[0])


class _Signature:
    """The type and shape that a kind of input has, whatever the size of a batch."""

    def __init__(self, t: Any) -> None:
        self.sparse = isinstance(t, tf.SparseTensor)
        self.dtype = t.dtype
        shape = t.get_shape()
        self.shape = None if shape.ndims is None else [None, *shape.as_list()[1:]]

    def fits(self, t: Any) -> bool:
        if self.sparse != isinstance(t, tf.SparseTensor) or self.dtype != t.dtype:
            return False
        shape = tf.TensorShape(self.shape)
        return self.sparse or bool(t.get_shape().is_compatible_with(shape))

    def placeholder(self) -> Any:
        if self.sparse:
            return tf.sparse_placeholder(self.dtype)
        return tf.placeholder(self.dtype, self.shape)


def _signatures(given: Any) -> Any:
    if isinstance(given, dict):
        return {k: _Signature(v) for k, v in given.items()}
    return None if given is None else _Signature(given)


def _fit(given: Any, signatures: Any) -> bool:
    if isinstance(signatures, dict):
        return isinstance(given, dict) and all(
            k in given and s.fits(given[k]) for k, s in signatures.items()
        )
    return signatures is None or (not isinstance(given, dict) and signatures.fits(given))


class BaseEstimator(_Parameters, Evaluable, Trainable):
    """Trains, evaluates and predicts; a subclass says what the operations are.

    Parameters
    ----------
    model_dir : str, optional
    config : RunConfig, optional
    """

    def __init__(self, model_dir: str | None = None, config: Any = None) -> None:
        config = RunConfig() if config is None else config
        if model_dir is not None and config.model_dir not in (None, model_dir):
            raise ValueError(
                f"model_dir is {model_dir!r}, but that of the RunConfig {config.model_dir!r}"
            )
        self._run = Core(self._spec, model_dir, config)
        self._run._reads_step_first = False
        self._config = self._run.config
        self._model_dir = self._run.model_dir
        self._features_info: Any = None
        self._labels_info: Any = None
        self._metrics: Any = None

    @property
    def config(self) -> Any:
        return copy.copy(self._config)

    @property
    def model_dir(self) -> str:
        return self._model_dir

    @property
    def model_fn(self) -> Callable[..., ModelFnOps]:
        """``(features, labels, mode, config) -> ModelFnOps``."""

        def public(features: Any, labels: Any, mode: Any, config: Any) -> ModelFnOps:
            return self._call_model_fn(features, labels, mode, config=config)

        return public

    # ---- what subclasses say

    def _call_model_fn(
        self, features: Any, labels: Any, mode: Any, metrics: Any = None, config: Any = None
    ) -> ModelFnOps:
        raise NotImplementedError("A subclass says what the model is.")

    @abstractmethod
    def _get_train_ops(self, features: Any, labels: Any) -> ModelFnOps:
        """What trains."""

    @abstractmethod
    def _get_predict_ops(self, features: Any) -> ModelFnOps:
        """What predicts."""

    def _get_eval_ops(self, features: Any, labels: Any, metrics: Any) -> ModelFnOps:
        """What evaluates."""
        raise NotImplementedError("_get_eval_ops not implemented in BaseEstimator")

    # ---- how tf.estimator sees it

    def _spec(self, features: Any, labels: Any, mode: Any) -> EstimatorSpec:
        self._check_signatures(features, labels)
        if mode == ModeKeys.TRAIN:
            made = self._get_train_ops(features, labels)
            tf.losses.add_loss(made.loss)
            return made.estimator_spec()._replace(export_outputs=None)
        made = self._get_eval_ops(features, labels, self._metrics)
        spec = EstimatorSpec(
            ModeKeys.EVAL, made.predictions, made.loss, None, made.eval_metric_ops,
            scaffold=made.scaffold,
        )  # fmt: skip
        return spec

    def _check_signatures(self, features: Any, labels: Any) -> None:
        for what, given, known in (("Features", features, self._features_info),
                                   ("Labels", labels, self._labels_info)):  # fmt: skip
            if known is not None and not _fit(given, known):
                raise ValueError(
                    f"{what} are incompatible with given information. Given {what.lower()}: "
                    f"{given}, required signatures: {known}."
                )
        self._features_info = self._features_info or _signatures(features)
        self._labels_info = self._labels_info or _signatures(labels)

    # ---- training

    def fit(
        self, x: Any = None, y: Any = None, input_fn: Any = None, steps: int | None = None,
        batch_size: int | None = None, monitors: Any = None, max_steps: int | None = None,
    ) -> Any:  # fmt: skip
        """Train with an input function, or with arrays as `SKCompat` does.

        Parameters
        ----------
        monitors : list of SessionRunHook and monitors, optional
        """
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        _check_inputs(x, y, input_fn, None, batch_size)
        if x is not None:
            SKCompat(self).fit(x, y, batch_size, steps, max_steps, monitors)
            return self
        hooks = replace_monitors_with_hooks(monitors, self)
        self._run.train(lambda: input_fn(), hooks, steps, max_steps)
        return self

    def partial_fit(
        self, x: Any = None, y: Any = None, input_fn: Any = None, steps: int | None = 1,
        batch_size: int | None = None, monitors: Any = None,
    ) -> Any:  # fmt: skip
        """`fit` for one step."""
        return self.fit(x, y, input_fn, steps, batch_size, monitors)

    # ---- evaluation

    def evaluate(
        self, x: Any = None, y: Any = None, input_fn: Any = None, feed_fn: Any = None,
        batch_size: int | None = None, steps: int | None = None, metrics: Any = None,
        name: str | None = None, checkpoint_path: str | None = None, hooks: Any = None,
        log_progress: bool = True,
    ) -> Any:  # fmt: skip
        """Metrics over the data, or over `steps` batches.

        Parameters
        ----------
        feed_fn : callable, optional
            Gives what to feed in each step.
        metrics : dict from name to `MetricSpec` or function, optional
            More metrics.

        Raises
        ------
        NotFittedError
            When there is no checkpoint.
        """
        _check_inputs(x, y, input_fn, feed_fn, batch_size)
        if x is not None:
            return SKCompat(self).score(x, y, batch_size, steps, metrics, name)
        _check_metrics(metrics)
        return self._evaluate_model(input_fn, steps, feed_fn, metrics, name, checkpoint_path, hooks)

    def _evaluate_model(
        self, input_fn: Any, steps: Any, feed_fn: Any = None, metrics: Any = None, name: Any = None,
        checkpoint_path: Any = None, hooks: Any = None,
    ) -> Any:  # fmt: skip
        path = checkpoint_path or self._run.latest_checkpoint()
        if path is None:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")
        everything = list(hooks or ())
        if feed_fn is not None:
            everything.append(tf.train.FeedFnHook(feed_fn))
        self._metrics = metrics
        try:
            return self._run.evaluate(lambda: input_fn(), steps, everything, path, name)
        finally:
            self._metrics = None

    # ---- prediction

    def predict(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None,
        outputs: Any = None, as_iterable: bool = True, iterate_batches: bool = False,
    ) -> Any:  # fmt: skip
        """Predictions: a generator of examples, or of batches; or all at once as arrays.

        Parameters
        ----------
        outputs : list of str, optional
            Which of a dict of predictions to give.

        Raises
        ------
        NotFittedError
            When there is no checkpoint.
        """
        _check_inputs(x, None, input_fn, None, batch_size)
        if x is not None and not as_iterable:
            return SKCompat(self).predict(x, batch_size)
        feed_fn = None
        if input_fn is None:
            input_fn, feed_fn = _fed(x, None, batch_size)
        return self._infer_model(input_fn, feed_fn, outputs, as_iterable, iterate_batches)

    def _infer_model(
        self, input_fn: Any, feed_fn: Any = None, outputs: Any = None, as_iterable: bool = True,
        iterate_batches: bool = False,
    ) -> Any:  # fmt: skip
        path = self._run.latest_checkpoint()
        if not path:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")
        with tf.Graph().as_default() as g:
            tf.set_random_seed(self._config.tf_random_seed)
            tf.train.create_global_step(g)
            got = input_fn()
            features = got[0] if isinstance(got, (list, tuple)) else got
            made = self._get_predict_ops(features)
            wanted = chosen_predictions(made.predictions, outputs, "outputs")
            creator = tf.train.ChiefSessionCreator(
                made.scaffold, config=self._config.session_config,
                checkpoint_filename_with_path=path,
            )  # fmt: skip
            session = tf.train.MonitoredSession(creator)
            constant = feed_fn is None and not g.get_collection(tf.GraphKeys.QUEUE_RUNNERS)
        if as_iterable:
            return _predictions(session, wanted, feed_fn, iterate_batches, constant)
        with session as s:
            return s.run(wanted, feed_fn() if feed_fn else None)

    # ---- what was learned

    def get_variable_names(self) -> list[str]:
        """Names of the variables in the newest checkpoint."""
        return [name for name, _ in tf.train.list_variables(self._model_dir)]

    def get_variable_value(self, name: str) -> Any:
        """The value of a variable in the newest checkpoint."""
        return tf.train.load_variable(self._model_dir, name)

    def export(
        self, export_dir: str, input_fn: Any = None, input_feature_key: Any = None,
        use_deprecated_input_fn: bool = True, signature_fn: Any = None, prediction_key: Any = None,
        default_batch_size: int | None = 1, exports_to_keep: int | None = None,
        checkpoint_path: Any = None,
    ) -> Any:  # fmt: skip
        """Refused: session bundles were replaced by `export_savedmodel` in 2017."""
        raise NotImplementedError(
            "graphc writes saved models, no session bundles: use export_savedmodel(export_dir_base,"
            " serving_input_fn), e.g. with tf.contrib.learn.build_parsing_serving_input_fn"
        )


def _check_metrics(metrics: Any) -> None:
    if metrics is not None and not isinstance(metrics, dict):
        raise ValueError(f"Metrics argument should be None or dict. Got {metrics}.")


def _predictions(
    session: Any, wanted: Any, feed_fn: Any, batches: bool, constant: bool
) -> Iterator[Any]:
    """Predictions one after the other; of input that never changes only one batch."""
    with session as s:
        while not s.should_stop():
            got = s.run(wanted, feed_fn() if feed_fn else None)
            if batches:
                yield got
            elif not isinstance(got, dict):
                yield from got
            else:
                for i in range(len(next(iter(got.values())))):
                    yield {k: v[i] for k, v in got.items()}
            if constant:
                return


class Estimator(BaseEstimator):
    """An estimator of a model function.

    Parameters
    ----------
    model_fn : callable
        ``(features, labels)`` and what it names of ``mode``, ``params``, ``config`` and
        ``model_dir``; gives `ModelFnOps`, or predictions, loss and the operation that trains.
    params : dict, optional
    feature_engineering_fn : callable, optional
        From features and labels to those that the model is given.
    """

    def __init__(
        self, model_fn: Any = None, model_dir: str | None = None, config: Any = None,
        params: Mapping[str, Any] | None = None, feature_engineering_fn: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(model_dir, config)
        if model_fn is not None:
            named = "params" in _arguments(model_fn)
            if params is not None and not named:
                raise ValueError(f"Estimator's model_fn ({model_fn}) does not have a params "
                                 f"argument, but params ({params}) were passed to the "
                                 "Estimator's constructor.")  # fmt: skip
            if params is None and named:
                logging.warning("Estimator's model_fn (%s) includes params argument, but params "
                                "are not passed to Estimator.", model_fn)  # fmt: skip
        self._model_fn = model_fn
        self.params = params
        self._engineer = feature_engineering_fn or (lambda features, labels: (features, labels))

    def _call_model_fn(
        self, features: Any, labels: Any, mode: Any, metrics: Any = None, config: Any = None
    ) -> ModelFnOps:
        features, labels = self._engineer(features, labels)
        given = {"mode": mode, "params": self.params, "config": config or self.config,
                 "model_dir": self.model_dir}  # fmt: skip
        names = _arguments(self._model_fn)
        made = self._model_fn(features, labels, **{k: v for k, v in given.items() if k in names})
        if not isinstance(made, ModelFnOps):
            if len(made) != 3:
                raise ValueError("Unrecognized value returned by model_fn, please return "
                                 "ModelFnOps.")  # fmt: skip
            made = ModelFnOps(mode, *made)
        if metrics:
            made.eval_metric_ops.update(_measured(metrics, features, labels, made.predictions))
        return made

    def _get_train_ops(self, features: Any, labels: Any) -> ModelFnOps:
        return self._call_model_fn(features, labels, ModeKeys.TRAIN)

    def _get_eval_ops(self, features: Any, labels: Any, metrics: Any) -> ModelFnOps:
        made = self._call_model_fn(features, labels, ModeKeys.EVAL, metrics)
        if MetricKey.LOSS not in made.eval_metric_ops:
            made.eval_metric_ops[MetricKey.LOSS] = tf.metrics.mean(made.loss)
        return made

    def _get_predict_ops(self, features: Any) -> ModelFnOps:
        known = self._labels_info
        if isinstance(known, dict):
            labels: Any = {k: s.placeholder() for k, s in known.items()}
        else:
            labels = None if known is None else known.placeholder()
        return self._call_model_fn(features, labels, ModeKeys.INFER)

    def export_savedmodel(
        self, export_dir_base: Any, serving_input_fn: Any,
        default_output_alternative_key: Any = None, assets_extra: Any = None, as_text: bool = False,
        checkpoint_path: str | None = None, graph_rewrite_specs: Any = None,
        strip_default_attrs: bool = False,
    ) -> Any:  # fmt: skip
        """Write the model for serving, in a folder named by the time.

        Parameters
        ----------
        serving_input_fn : callable
            Gives `InputFnOps`.
        default_output_alternative_key : str, optional
            Which of several heads answers when nobody asks for one.
        assets_extra : dict, optional
            Path below ``assets.extra`` → the file that is copied there.
        graph_rewrite_specs, strip_default_attrs
            Say how TensorFlow writes its kernels; they mean nothing here.
        """
        if serving_input_fn is None:
            raise ValueError("serving_input_fn must be defined.")
        path = checkpoint_path or self._run.latest_checkpoint()
        if not path:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")

        def build(features: Any) -> ModelFnOps:
            return self._call_model_fn(features, None, ModeKeys.INFER)

        return serving.write(
            export_dir_base, serving_input_fn, build, path, default_output_alternative_key,
            assets_extra, as_text,
        )  # fmt: skip


def _arguments(f: Any) -> Sequence[str]:
    """Names of the arguments of a model function; those that a partial has bound are left out."""
    if isinstance(f, functools.partial):
        return [n for n in list(_arguments(f.func))[len(f.args) :] if n not in f.keywords]
    return list(inspect.signature(f).parameters)


def _measured(
    metrics: Mapping[Any, Any], features: Any, labels: Any, predictions: Any
) -> dict[str, Any]:
    """What a user's metrics make of a model."""
    one = next(iter(labels.values())) if isinstance(labels, dict) and len(labels) == 1 else labels
    out = {}
    for name, metric in sorted(metrics.items(), key=lambda row: str(row[0])):
        if isinstance(metric, MetricSpec):
            out[name] = metric.create_metric_ops(features, labels, predictions)
        elif isinstance(name, tuple):
            if len(name) != 2:
                raise ValueError(f"Invalid metric for {name}. It returned a tuple with len "
                                 f"{len(name)}, expected 2.")  # fmt: skip
            if not isinstance(predictions, dict):
                raise ValueError("Metrics passed provide (name, prediction), but predictions are "
                                 f"not dict. Metrics: {metrics}, Predictions: {predictions}."
                                 )  # fmt: skip
            label = labels[name[1]] if isinstance(labels, dict) and name[1] in labels else one
            out[name[0]] = metric(predictions[name[1]], label)
        elif isinstance(predictions, dict):
            raise ValueError("Metrics passed provide only name, no prediction, but predictions "
                             f"are dict. Metrics: {metrics}, Labels: {one}.")  # fmt: skip
        else:
            out[name] = metric(predictions, one)
    return out


class SKCompat(_Parameters):
    """An estimator that is called as scikit-learn's are: with arrays.

    Parameters
    ----------
    estimator : BaseEstimator
    """

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def fit(
        self, x: Any, y: Any, batch_size: int | None = 128, steps: int | None = None,
        max_steps: int | None = None, monitors: Any = None,
    ) -> SKCompat:  # fmt: skip
        """Train with batches in random order, for ever if no number of steps is given."""
        input_fn, feed_fn = _fed(x, y, batch_size, shuffle=True, epochs=None)
        everything = [tf.train.FeedFnHook(feed_fn), *(monitors or ())]
        self._estimator.fit(
            input_fn=input_fn, steps=steps, max_steps=max_steps, monitors=everything
        )
        return self

    def score(
        self, x: Any, y: Any, batch_size: int | None = 128, steps: int | None = None,
        metrics: Any = None, name: str | None = None,
    ) -> Any:  # fmt: skip
        """Metrics of the data."""
        input_fn, feed_fn = _fed(x, y, batch_size)
        _check_metrics(metrics)
        return self._estimator._evaluate_model(input_fn, steps, feed_fn, metrics, name)

    def predict(self, x: Any, batch_size: int | None = 128, outputs: Any = None) -> Any:
        """Predictions for all of `x`: an array, or a dict of them."""
        input_fn, feed_fn = _fed(x, None, batch_size)
        rows = list(self._estimator._infer_model(input_fn, feed_fn, outputs, True, True))
        if not isinstance(rows[0], dict):
            return np.concatenate(rows)
        return {k: np.concatenate([r[k] for r in rows]) for k in rows[0]}
