"""Saved models of ``tf.contrib.learn``: inputs for serving, signatures, strategies."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import graphc
from graphc.contrib.learn.keys import PredictionKey, ProblemType
from graphc.contrib.learn.model_fn import InputFnOps, ModelFnOps
from graphc.estimator.estimator import Estimator as Core
from graphc.estimator.folders import copy_extras, fresh_folder

__all__ = ["ExportStrategy", "build_parsing_serving_input_fn", "make_export_strategy", "write"]

tf: Any = graphc

_DEFAULT_INPUT = "default_input_alternative"


def build_parsing_serving_input_fn(
    feature_spec: Mapping[str, Any], default_batch_size: int | None = None
) -> Callable[[], InputFnOps]:
    """An input function for serving that parses serialized examples."""

    def input_fn() -> InputFnOps:
        given = tf.placeholder(tf.string, [default_batch_size], name="input_example_tensor")
        return InputFnOps(tf.parse_example(given, feature_spec), None, {"examples": given})

    return input_fn


def _signature(problem: int, inputs: Mapping[str, Any], outputs: Any) -> Any:
    """How a kind of predictions is asked for."""
    utils = tf.saved_model.signature_def_utils
    if len(inputs) == 1 and problem != ProblemType.UNSPECIFIED:
        (examples,) = inputs.values()
        if problem == ProblemType.LINEAR_REGRESSION:
            scores = outputs.get(PredictionKey.SCORES)
            return utils.regression_signature_def(
                examples, next(iter(outputs.values())) if scores is None else scores
            )
        classes = outputs.get(PredictionKey.CLASSES)
        scores = outputs.get(PredictionKey.SCORES)
        scores = outputs.get(PredictionKey.PROBABILITIES) if scores is None else scores
        if classes is not None and classes.dtype != tf.string:
            classes = None
        if classes is not None or scores is not None:
            return utils.classification_signature_def(examples, classes, scores)
    outputs = outputs if isinstance(outputs, Mapping) else {PredictionKey.GENERIC: outputs}
    return utils.predict_signature_def(dict(inputs), dict(outputs))


def _alternatives(made: ModelFnOps, default: Any) -> tuple[dict[Any, Any], Any]:
    """What can be served, and which of it when nobody asks for one."""
    found = made.output_alternatives
    if not found:
        predictions = made.predictions
        if not isinstance(predictions, Mapping):
            predictions = {PredictionKey.GENERIC: predictions}
        name = default or "default_output_alternative"
        return {name: (ProblemType.UNSPECIFIED, predictions)}, name
    if len(found) == 1:
        (only,) = found
        if default is not None and default != only:
            raise ValueError(f"Requested default_output_alternative_key: {default}, but the only "
                             f"output_alternative is: {only}")  # fmt: skip
        return dict(found), only
    if default is None:
        raise ValueError(f"Please specify a default_output_alternative.  Available "
                         f"output_alternatives are: {list(found)}")  # fmt: skip
    if default not in found:
        raise ValueError(f"Requested default_output_alternative: {default}, but available "
                         f"output_alternatives are: {list(found)}")  # fmt: skip
    return dict(found), default


def write(
    base: Any, serving_input_fn: Any, build: Callable[[Any], ModelFnOps], checkpoint: str,
    default: Any, assets_extra: Any, as_text: bool,
) -> bytes:  # fmt: skip
    """Write a saved model with the variables of a checkpoint."""
    from graphc.saved_model.models import Builder

    folder = fresh_folder(base)
    with tf.Graph().as_default() as g, tf.Session() as s:
        tf.train.create_global_step(g)
        given = serving_input_fn()
        made = build(given.features)
        if not given.features:
            raise ValueError("Features must be defined.")
        inputs = {_DEFAULT_INPUT: given.default_inputs}
        outputs, chosen = _alternatives(made, default)
        signatures = {
            f"{i}:{o or 'None'}": _signature(kind, fed, predictions)
            for i, fed in inputs.items()
            for o, (kind, predictions) in outputs.items()
        }
        signatures["serving_default"] = _signature(
            outputs[chosen][0], given.default_inputs, outputs[chosen][1]
        )
        tf.train.Saver().restore(s, checkpoint)
        builder = Builder(folder)
        builder.add_meta_graph_and_variables(s, ["serve"], signatures)
        copy_extras(folder, assets_extra)
        builder.save(as_text)
    return folder.encode()


class _Strategy(NamedTuple):
    name: str
    export_fn: Any
    strip_default_attrs: Any = None


class ExportStrategy(_Strategy):
    """A name and a function that exports an estimator: what an `Experiment` does at its end."""

    __slots__ = ()

    def export(
        self, estimator: Any, export_path: Any, checkpoint_path: Any = None, eval_result: Any = None
    ) -> Any:
        """Call the function with what it has arguments for.

        Raises
        ------
        ValueError
            When it takes the results of an evaluation but no checkpoint.
        """
        names = inspect.signature(self.export_fn).parameters
        if "eval_result" in names and "checkpoint_path" not in names:
            raise ValueError("An export_fn accepting eval_result must also accept "
                             "checkpoint_path.")  # fmt: skip
        given = {"checkpoint_path": checkpoint_path, "eval_result": eval_result,
                 "strip_default_attrs": self.strip_default_attrs}  # fmt: skip
        return self.export_fn(
            estimator, export_path, **{k: v for k, v in given.items() if k in names}
        )


def make_export_strategy(
    serving_input_fn: Any, default_output_alternative_key: Any = None, assets_extra: Any = None,
    as_text: bool = False, exports_to_keep: int | None = 5, strip_default_attrs: Any = None,
) -> ExportStrategy:  # fmt: skip
    """A strategy, named "Servo", that writes saved models and keeps the newest of them."""

    def export_fn(
        estimator: Any, export_dir_base: Any, checkpoint_path: Any = None,
        strip_default_attrs: Any = False,
    ) -> Any:  # fmt: skip
        more = {"assets_extra": assets_extra, "as_text": as_text,
                "checkpoint_path": checkpoint_path}  # fmt: skip
        if not isinstance(estimator, Core):
            more["default_output_alternative_key"] = default_output_alternative_key
        elif default_output_alternative_key is not None:
            raise ValueError("default_output_alternative_key is not supported in core Estimator. "
                             f"Given: {default_output_alternative_key}")  # fmt: skip
        made = estimator.export_savedmodel(export_dir_base, serving_input_fn, **more)
        _forget(export_dir_base, exports_to_keep)
        return made

    return ExportStrategy("Servo", export_fn, strip_default_attrs)


def _forget(base: Any, keep: int | None) -> None:
    """Remove all exports but the newest `keep`."""
    if keep is None:
        return
    base = os.fsdecode(base)
    names = sorted((n for n in os.listdir(base) if n.isdigit()), key=int)
    for name in names[: len(names) - keep]:
        shutil.rmtree(os.path.join(base, name), ignore_errors=True)
