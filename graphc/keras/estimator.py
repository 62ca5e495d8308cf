"""``tf.keras.estimator``: a compiled model as an `Estimator`."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from graphc.estimator.estimator import Estimator
from graphc.estimator.inputs import PredictOutput
from graphc.estimator.spec import EstimatorSpec, ModeKeys, RunConfig
from graphc.face.graph import Graph
from graphc.face.session import Session
from graphc.face.variables import global_variables
from graphc.keras import optimizers, sessions, settings
from graphc.keras.serialize import clone_model
from graphc.metrics.averages import mean
from graphc.ops import math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.train.checkpoints import load_checkpoint
from graphc.train.saver import Saver
from graphc.train.steps import create_global_step, get_global_step
from graphc.train.warm import init_from_checkpoint

__all__ = ["model_to_estimator"]


def model_to_estimator(
    keras_model: Any = None, keras_model_path: str | None = None, custom_objects: Any = None,
    model_dir: str | None = None, config: Any = None, checkpoint_format: str = "saver",
) -> Estimator:  # fmt: skip
    """A compiled model as an `Estimator`, which begins with the model's weights.

    Parameters
    ----------
    keras_model : Model, optional
    keras_model_path : str, optional
        Of a model in an HDF5 file, instead.
    custom_objects : dict, optional
        Names in that file → classes and functions.
    model_dir : str, optional
        Where checkpoints go; the weights at hand go to its folder ``keras``.
    config : RunConfig, optional
    checkpoint_format : {"saver", "checkpoint"}
        Both write checkpoints whose keys are the names of variables.

    Returns
    -------
    Estimator
        Its features are a tensor, a list, or a dictionary by the names of the model's inputs; its
        predictions a dictionary by the names of the outputs.

    Raises
    ------
    ValueError
        Unless exactly one model is given, and it is compiled.

    Examples
    --------
    >>> import graphc as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))])
    >>> model.compile("sgd", "mse")
    >>> estimator = tf.keras.estimator.model_to_estimator(model)
    >>> data = lambda: tf.data.Dataset.from_tensors(([[1.0, 2.0]], [[3.0]])).repeat(5)
    >>> print(estimator.train(data).evaluate(data)["global_step"])
    5
    """
    if keras_model is None and keras_model_path is None:
        raise ValueError("Either `keras_model` or `keras_model_path` needs to be provided.")
    if keras_model is not None and keras_model_path is not None:
        raise ValueError("Give either `keras_model` or `keras_model_path`, but not both.")
    if checkpoint_format not in ("saver", "checkpoint"):
        raise ValueError(
            f'Checkpoint format must be one of "checkpoint" or "saver". Got {checkpoint_format}'
        )
    if keras_model is None:
        from graphc.keras.files import load_model  # here only: it needs a package

        keras_model = load_model(str(keras_model_path), custom_objects)
    if keras_model.optimizer is None:
        raise ValueError(
            "The given keras model has not been compiled yet. Please compile the model with "
            "`model.compile()` before calling `model_to_estimator()`."
        )
    config = RunConfig() if config is None else config
    maker = _ModelFunction(keras_model)
    made = Estimator(maker.spec, model_dir, config)
    maker.begin_with(os.path.join(made.model_dir, "keras"))
    return made


class _ModelFunction:
    """The model function of a model: copies of it, one for each graph."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.start = ""

    def begin_with(self, folder: str) -> None:
        """Write the weights as they are; copies without a newer checkpoint begin with them."""
        weights = sessions.batch_get_value(self.model.weights)
        with Graph().as_default() as g, Session(graph=g) as session:
            create_global_step(g)
            copied = clone_model(self.model)
            self._compile(copied)
            copied._train_op()
            sessions.initialize(session, g)
            for v, value in zip(copied.weights, weights, strict=True):
                v.load(value, session)
            os.makedirs(folder, exist_ok=True)
            self.start = str(Saver().save(session, os.path.join(folder, "keras_model.ckpt")))

    def spec(self, features: Any, labels: Any, mode: str) -> EstimatorSpec:
        """What TF1 calls a model function."""
        sessions.set_learning_phase(int(mode == ModeKeys.TRAIN))
        model = clone_model(self.model, self._inputs(features))
        outputs = dict(zip(self.model.output_names, model.outputs, strict=True))
        train, loss, values = None, None, None
        if mode != ModeKeys.PREDICT:
            self._compile(model, self._targets(labels))
            made = model._prepare()
            loss = made["loss"]
            train = model._train_op() if mode == ModeKeys.TRAIN else None
            values = _metrics(model, made) if mode == ModeKeys.EVAL else None
        self._begin()
        return EstimatorSpec(
            mode, outputs, loss, train, values,
            export_outputs={"serving_default": PredictOutput(outputs)},
        )  # fmt: skip

    def _begin(self) -> None:
        known = load_checkpoint(self.start).get_variable_to_shape_map()
        here = {v.op.name: v for v in global_variables() if v.op.name in known}
        here.pop("global_step", None)
        init_from_checkpoint(self.start, here)

    def _compile(self, model: Any, targets: Any = None) -> None:
        given, own = self.model._asked, self.model.optimizer
        if isinstance(own, optimizers.TFOptimizer):
            optimizer = optimizers.TFOptimizer(copy.copy(own.optimizer))
        else:
            optimizer = type(own).from_config(own.get_config())
        optimizer.iterations = get_global_step()
        model.compile(
            optimizer, self.model.loss, given["metrics"], given["weights"],
            weighted_metrics=given["weighted"], target_tensors=targets,
        )  # fmt: skip

    def _inputs(self, features: Any) -> list[Any]:
        names = self.model.input_names
        given = _in_order(features, names, "features", "inputs")
        return [math.cast(x, v.dtype) for x, v in zip(given, self.model.inputs, strict=True)]

    def _targets(self, labels: Any) -> list[Any]:
        given = _in_order(labels, self.model.output_names, "labels", "outputs")
        return [
            math.cast(x, settings.floatx()) if convert_to_tensor(x).dtype.is_floating else x
            for x in given
        ]


def _in_order(given: Any, names: list[str], what: str, of: str) -> list[Any]:
    """Tensors in the order of a model's inputs or outputs.

    Raises
    ------
    KeyError
        For other names than the model has.
    ValueError
        For another number of tensors.
    """
    if isinstance(given, Mapping):
        if set(given) != set(names):
            raise KeyError(
                f"The dictionary passed into {what} does not have the expected {of} keys defined "
                f"in the keras model.\n\tExpected keys: {set(names)}\n\t{what} keys: {set(given)}"
                f"\n\tDifference: {set(names) ^ set(given)}"
            )
        return [given[n] for n in names]
    each = list(given) if isinstance(given, list | tuple) else [given]
    if len(each) != len(names):
        raise ValueError(f"the model has {len(names)} {of}, but there are {len(each)} {what}")
    return each


def _metrics(model: Any, made: dict[str, Any]) -> dict[str, Any]:
    """Value and update of each number that the model reports, over all batches."""
    stateful = {at: (result, update) for at, _, update, result in made["stateful"]}
    size = math.cast(shapes.shape(model.outputs[0])[0], "float32")
    losses = 1 + (len(made["lossy"]) if len(model.outputs) > 1 else 0)
    out = {}
    for at, name in enumerate(made["names"][losses:], losses):
        out[name] = stateful[at] if at in stateful else mean(made["values"][at - 1], size)
    return out
