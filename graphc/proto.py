"""TensorFlow's protocol buffers: those the tensorboard package carries, and ``tf.train.Example``.

All of it needs the extra ``tensorboard``. Checkpoints and record files do without.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

__all__ = ["MissingExtra", "library", "message"]


class MissingExtra(ImportError):
    """A package that graphc uses for one thing only is not installed."""


#: Message → module of ``tensorboard.compat.proto``.
_MODULES = {
    "AttrValue": "attr_value", "NameAttrList": "attr_value",
    "CollectionDef": "meta_graph", "MetaGraphDef": "meta_graph", "SignatureDef": "meta_graph",
    "TensorInfo": "meta_graph", "AssetFileDef": "meta_graph",
    "Event": "event", "LogMessage": "event", "SessionLog": "event", "TaggedRunMetadata": "event",
    "GraphDef": "graph", "NodeDef": "node_def", "FunctionDefLibrary": "function",
    "HistogramProto": "histogram", "OpDef": "op_def", "OpList": "op_def",
    "RunMetadata": "config", "SaverDef": "saver", "SaveSliceInfoDef": "variable",
    "Summary": "summary", "SummaryDescription": "summary", "SummaryMetadata": "summary",
    "TensorProto": "tensor", "TensorShapeProto": "tensor_shape", "VariableDef": "variable",
    "VersionDef": "versions", "StepStats": "step_stats", "ClusterDef": "cluster",
    "JobDef": "cluster",
}  # fmt: skip

#: Messages of ``tf.train.Example``, which tensorboard lacks: fields as (name, number, type).
_EXAMPLE: dict[str, list[tuple[str, int, str]]] = {
    "BytesList": [("value", 1, "bytes*")],
    "FloatList": [("value", 1, "float*")],
    "Int64List": [("value", 1, "int64*")],
    "Feature": [
        ("bytes_list", 1, "BytesList|kind"),
        ("float_list", 2, "FloatList|kind"),
        ("int64_list", 3, "Int64List|kind"),
    ],
    "Features": [("feature", 1, "map Feature")],
    "FeatureList": [("feature", 1, "Feature*")],
    "FeatureLists": [("feature_list", 1, "map FeatureList")],
    "Example": [("features", 1, "Features")],
    "SequenceExample": [("context", 1, "Features"), ("feature_lists", 2, "FeatureLists")],
}
#: Messages of ``saved_model.pb``, servers, hyper-parameters and queue runners (codes: numbers).
_FILES: dict[str, list[tuple[str, int, str]]] = {
    "SavedModel": [
        ("saved_model_schema_version", 1, "int64"),
        ("meta_graphs", 2, "MetaGraphDef*"),
    ],
    "ServerDef": [
        ("cluster", 1, "ClusterDef"),
        ("job_name", 2, "string"),
        ("task_index", 3, "int32"),
        ("default_session_config", 4, "ConfigProto"),
        ("protocol", 5, "string"),
    ],
    "HParamDef": [("hparam", 1, "map HParamType")],
    "HParamType": [
        ("int64_value", 1, "int64|kind"),
        ("float_value", 2, "float|kind"),
        ("bytes_value", 3, "bytes|kind"),
        ("int64_list", 4, "Int64List|kind"),
        ("float_list", 5, "FloatList|kind"),
        ("bytes_list", 6, "BytesList|kind"),
        ("bool_value", 7, "bool|kind"),
        ("bool_list", 8, "BoolList|kind"),
    ],
    "BoolList": [("value", 1, "bool*")],
    "QueueRunnerDef": [
        ("queue_name", 1, "string"),
        ("enqueue_op_name", 2, "string*"),
        ("close_op_name", 3, "string"),
        ("cancel_op_name", 4, "string"),
        ("queue_closed_exception_types", 5, "int32*"),
    ],
}


def _missing(what: str) -> MissingExtra:
    return MissingExtra(
        f"{what} needs the tensorboard package, which carries TensorFlow's protocol buffers: "
        "pip install 'graphc[tensorboard]'"
    )


@functools.cache
def message(name: str) -> Any:
    """The class of the message of that name.

    Raises
    ------
    MissingExtra
        When the tensorboard package is not installed.
    KeyError
        When there is no such message.
    """
    if name in _EXAMPLE or name in _FILES:
        return _built()[name]
    module = f"tensorboard.compat.proto.{_MODULES[name]}_pb2"
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        raise _missing(f"tf.{name}") from None


def library(name: str) -> Any:
    """A module of the protobuf library: ``text_format``, ``json_format``."""
    try:
        return importlib.import_module(f"google.protobuf.{name}")
    except ModuleNotFoundError:
        raise _missing(f"protobuf's {name}") from None


@functools.cache
def _built() -> dict[str, Any]:
    """The messages of the tables above, made by the protobuf library."""
    try:
        pb = importlib.import_module("google.protobuf.descriptor_pb2")
        pools = importlib.import_module("google.protobuf.descriptor_pool")
        factory = importlib.import_module("google.protobuf.message_factory")
        others = [
            importlib.import_module(f"tensorboard.compat.proto.{m}_pb2")
            for m in ("meta_graph", "cluster", "config")
        ]
    except ModuleNotFoundError:
        raise _missing("tf.train.Example") from None
    pool = pools.Default()
    file = pb.FileDescriptorProto(
        name="graphc/messages.proto", package="graphc", syntax="proto3",
        dependency=[m.DESCRIPTOR.name for m in others],
    )  # fmt: skip
    tables = {**_EXAMPLE, **_FILES}
    for name, fields in tables.items():
        _describe(pb, file.message_type.add(name=name), fields, tables)
    pool.AddSerializedFile(file.SerializeToString())
    find = pool.FindMessageTypeByName
    return {name: factory.GetMessageClass(find(f"graphc.{name}")) for name in tables}


def _describe(
    pb: Any, made: Any, fields: list[tuple[str, int, str]], tables: dict[str, Any]
) -> None:
    kinds = pb.FieldDescriptorProto
    for field, number, kind in fields:
        repeated, oneof = kind.endswith("*"), kind.partition("|")[2]
        kind = kind.rstrip("*").partition("|")[0]
        f = made.field.add(name=field, number=number)
        f.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
        if oneof:
            if not made.oneof_decl:
                made.oneof_decl.add(name=oneof)
            f.oneof_index = 0
        if kind.startswith("map "):
            entry = made.nested_type.add(
                name="".join(p.title() for p in field.split("_")) + "Entry"
            )
            entry.options.map_entry = True
            key = entry.field.add(name="key", number=1, label=kinds.LABEL_OPTIONAL)
            key.type = kinds.TYPE_STRING
            value = entry.field.add(name="value", number=2, label=kinds.LABEL_OPTIONAL)
            value.type, value.type_name = kinds.TYPE_MESSAGE, f".graphc.{kind[4:]}"
            f.label, f.type = kinds.LABEL_REPEATED, kinds.TYPE_MESSAGE
            f.type_name = f".graphc.{made.name}.{entry.name}"
        elif kind[0].isupper():
            f.type = kinds.TYPE_MESSAGE
            f.type_name = f".graphc.{kind}" if kind in tables else f".tensorboard.{kind}"
        else:
            f.type = getattr(kinds, f"TYPE_{kind.upper()}")


def __getattr__(name: str) -> Any:
    if name in _MODULES or name in _EXAMPLE or name in _FILES:
        return message(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
