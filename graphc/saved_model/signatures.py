"""What a saved model is asked: signatures, tags, and the names of its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from graphc.face.graph import get_default_graph
from graphc.graphdef.tensors import shape_proto
from graphc.proto import message

__all__ = [
    "ASSETS_DIRECTORY", "ASSETS_KEY", "CLASSIFY_INPUTS", "CLASSIFY_METHOD_NAME",
    "CLASSIFY_OUTPUT_CLASSES", "CLASSIFY_OUTPUT_SCORES", "DEFAULT_SERVING_SIGNATURE_DEF_KEY", "GPU",
    "LEGACY_INIT_OP_KEY", "MAIN_OP_KEY", "PREDICT_INPUTS", "PREDICT_METHOD_NAME",
    "PREDICT_OUTPUTS", "REGRESS_INPUTS", "REGRESS_METHOD_NAME", "REGRESS_OUTPUTS",
    "SAVED_MODEL_FILENAME_PB", "SAVED_MODEL_FILENAME_PBTXT", "SAVED_MODEL_SCHEMA_VERSION",
    "SERVING", "TPU", "TRAINING", "VARIABLES_DIRECTORY", "VARIABLES_FILENAME",
    "build_signature_def", "build_tensor_info", "classification_signature_def",
    "contains_saved_model", "get_tensor_from_tensor_info", "is_valid_signature",
    "maybe_saved_model_directory", "predict_signature_def", "regression_signature_def",
]  # fmt: skip

SERVING, TRAINING, GPU, TPU = "serve", "train", "gpu", "tpu"
DEFAULT_SERVING_SIGNATURE_DEF_KEY = "serving_default"
PREDICT_METHOD_NAME = "tensorflow/serving/predict"
PREDICT_INPUTS, PREDICT_OUTPUTS = "inputs", "outputs"
CLASSIFY_METHOD_NAME = "tensorflow/serving/classify"
CLASSIFY_INPUTS = "inputs"
CLASSIFY_OUTPUT_CLASSES, CLASSIFY_OUTPUT_SCORES = "classes", "scores"
REGRESS_METHOD_NAME = "tensorflow/serving/regress"
REGRESS_INPUTS, REGRESS_OUTPUTS = "inputs", "outputs"

ASSETS_DIRECTORY, ASSETS_KEY = "assets", "saved_model_assets"
LEGACY_INIT_OP_KEY, MAIN_OP_KEY = "legacy_init_op", "saved_model_main_op"
SAVED_MODEL_FILENAME_PB = "saved_model.pb"
SAVED_MODEL_FILENAME_PBTXT = "saved_model.pbtxt"
SAVED_MODEL_SCHEMA_VERSION = 1
VARIABLES_DIRECTORY, VARIABLES_FILENAME = "variables", "variables"


def build_tensor_info(tensor: Any) -> Any:
    """Name, element type and shape of a tensor as a ``TensorInfo`` message."""
    return message("TensorInfo")(
        name=tensor.name, dtype=tensor.dtype.base_dtype.enum,
        tensor_shape=shape_proto(tensor.static_shape),
    )  # fmt: skip


def get_tensor_from_tensor_info(
    tensor_info: Any, graph: Any = None, import_scope: str | None = None
) -> Any:
    """The tensor of a graph that a ``TensorInfo`` message means."""
    graph = graph or get_default_graph()
    prefix = f"{import_scope}/" if import_scope else ""
    return graph.get_tensor_by_name(prefix + tensor_info.name)


def build_signature_def(
    inputs: Mapping[str, Any] | None = None, outputs: Mapping[str, Any] | None = None,
    method_name: str | None = None,
) -> Any:  # fmt: skip
    """A ``SignatureDef`` message of ``TensorInfo`` messages by name."""
    out = message("SignatureDef")()
    for key, info in (inputs or {}).items():
        out.inputs[key].CopyFrom(info)
    for key, info in (outputs or {}).items():
        out.outputs[key].CopyFrom(info)
    if method_name is not None:
        out.method_name = method_name
    return out


def _infos(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {k: build_tensor_info(t) for k, t in tensors.items()}


def predict_signature_def(inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    """The signature of a model that gives tensors for tensors."""
    if inputs is None or not inputs:
        raise ValueError("Prediction inputs cannot be None or empty.")
    if outputs is None or not outputs:
        raise ValueError("Prediction outputs cannot be None or empty.")
    return build_signature_def(_infos(inputs), _infos(outputs), PREDICT_METHOD_NAME)


def regression_signature_def(examples: Any, predictions: Any) -> Any:
    """The signature of a model that gives numbers for serialized examples."""
    if examples is None or predictions is None:
        raise ValueError("Regression examples and predictions cannot be None.")
    return build_signature_def(
        _infos({REGRESS_INPUTS: examples}), _infos({REGRESS_OUTPUTS: predictions}),
        REGRESS_METHOD_NAME,
    )  # fmt: skip


def classification_signature_def(examples: Any, classes: Any, scores: Any) -> Any:
    """The signature of a model that gives classes or scores for serialized examples."""
    if examples is None:
        raise ValueError("Classification inputs cannot be None.")
    if classes is None and scores is None:
        raise ValueError("Classification classes and scores cannot both be None.")
    named = {CLASSIFY_OUTPUT_CLASSES: classes, CLASSIFY_OUTPUT_SCORES: scores}
    return build_signature_def(
        _infos({CLASSIFY_INPUTS: examples}),
        _infos({k: t for k, t in named.items() if t is not None}), CLASSIFY_METHOD_NAME,
    )  # fmt: skip


def is_valid_signature(signature_def: Any) -> bool:
    """Whether a signature has inputs, outputs, and a method of the three there are."""
    if signature_def is None:
        return False
    methods = (PREDICT_METHOD_NAME, REGRESS_METHOD_NAME, CLASSIFY_METHOD_NAME)
    known = signature_def.method_name in methods
    return bool(known and signature_def.inputs and signature_def.outputs)


def maybe_saved_model_directory(export_dir: Any) -> bool:
    """Whether a folder holds a saved model."""
    folder = os.fspath(export_dir)
    names = (SAVED_MODEL_FILENAME_PB, SAVED_MODEL_FILENAME_PBTXT)
    return any(os.path.exists(os.path.join(folder, n)) for n in names)


def contains_saved_model(export_dir: Any) -> bool:
    """Whether a folder holds a saved model."""
    return maybe_saved_model_directory(export_dir)
