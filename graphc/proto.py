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
    **dict.fromkeys(("ConfigProto", "GPUOptions", "GraphOptions", "OptimizerOptions", "RunOptions",
                     "ThreadPoolOptionProto"), "config"),
    "RewriterConfig": "rewriter_config",
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


_NODE = [
    ("name", 1), ("exec_micros", 2), ("requested_bytes", 3), ("parameters", 4),
    ("total_exec_micros", 6), ("total_requested_bytes", 7), ("total_parameters", 8),
]  # fmt: skip
#: What ``tf.profiler`` gives and takes.
_PROFILES: dict[str, list[tuple[str, int, str]]] = {
    "GraphNodeProto": [
        *[(name, number, "int64" if number > 1 else "string") for name, number in _NODE],
        *[(name, number, "int64") for name, number in [
            ("run_count", 21), ("accelerator_exec_micros", 17), ("cpu_exec_micros", 18),
            ("peak_bytes", 24), ("residual_bytes", 25), ("output_bytes", 26), ("float_ops", 13),
            ("total_definition_count", 23), ("total_run_count", 22),
            ("total_accelerator_exec_micros", 19), ("total_cpu_exec_micros", 20),
            ("total_peak_bytes", 27), ("total_residual_bytes", 28), ("total_output_bytes", 29),
            ("total_float_ops", 14),
        ]],
        ("devices", 10, "string*"),
        ("shapes", 11, "TensorShapeProto*"),
        ("children", 12, "GraphNodeProto*"),
        ("input_shapes", 16, "map32 TensorShapeProto"),
    ],
    "MultiGraphNodeProto": [
        *[(name, number, "int64" if number > 1 else "string") for name, number in _NODE],
        *[(name, number, "int64") for name, number in [
            ("accelerator_exec_micros", 12), ("cpu_exec_micros", 13), ("peak_bytes", 16),
            ("residual_bytes", 17), ("output_bytes", 18), ("float_ops", 5),
            ("total_accelerator_exec_micros", 14), ("total_cpu_exec_micros", 15),
            ("total_peak_bytes", 19), ("total_residual_bytes", 20), ("total_output_bytes", 21),
            ("total_float_ops", 9),
        ]],
        ("graph_nodes", 10, "GraphNodeProto*"),
        ("children", 11, "MultiGraphNodeProto*"),
    ],
    "Checker": [("reports", 2, "string*")],
    "AdviceProto": [("checkers", 1, "map Checker")],
    "CodeTrace": [
        ("file", 1, "string"), ("file_id", 6, "int64"), ("lineno", 2, "int32"),
        ("function", 3, "string"), ("function_id", 7, "int64"), ("line", 4, "string"),
        ("line_id", 8, "int64"), ("func_start_line", 5, "int32"),
    ],
    "CodeDef": [("traces", 1, "CodeTrace*")],
    "OpLogEntry": [
        ("name", 1, "string"),
        ("float_ops", 2, "int64"),
        ("types", 3, "string*"),
        ("code_def", 4, "CodeDef"),
    ],
    "OpLogProto": [("log_entries", 1, "OpLogEntry*")],
    "ProfileNode": [
        ("name", 1, "string"),
        ("op", 9, "string"),
        ("id", 13, "int64"),
        ("shape", 4, "int64*"),
        ("op_types", 5, "string*"),
        ("canonical_device", 6, "string"),
        ("float_ops", 8, "int64"),
        ("trace", 10, "CodeDef"),
    ],
    "ProfileProto": [
        ("nodes", 1, "map64 ProfileNode"),
        ("has_trace", 2, "bool"),
        ("steps", 3, "int64*"),
    ],
}  # fmt: skip
#: All messages that are made here.
_TABLES = {**_EXAMPLE, **_FILES, **_PROFILES}


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
    if name in _TABLES:
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
        others = [importlib.import_module(f"tensorboard.compat.proto.{m}_pb2") for m in _used()]
    except ModuleNotFoundError:
        raise _missing("tf.train.Example") from None
    pool = pools.Default()
    file = pb.FileDescriptorProto(
        name="graphc/messages.proto", package="graphc", syntax="proto3",
        dependency=[m.DESCRIPTOR.name for m in others],
    )  # fmt: skip
    tables = _TABLES
    for name, fields in tables.items():
        _describe(pb, file.message_type.add(name=name), fields, tables)
    pool.AddSerializedFile(file.SerializeToString())
    find = pool.FindMessageTypeByName
    # its name since protobuf 4.22
    of = getattr(factory, "GetMessageClass", None) or factory.MessageFactory(pool).GetPrototype
    return {name: of(find(f"graphc.{name}")) for name in tables}


def _used() -> list[str]:
    """The modules of tensorboard whose messages the tables name.

    Each of them: protobuf written in Python looks no further than what a file depends on.
    """
    words = (w for fields in _TABLES.values() for *_, kind in fields for w in kind.split())
    kinds = {w.rstrip("*").partition("|")[0] for w in words}
    return sorted({_MODULES[k] for k in kinds if k in _MODULES})


def _full(kind: str, tables: dict[str, Any]) -> str:
    return f".graphc.{kind}" if kind in tables else f".tensorboard.{kind}"


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
        if kind.startswith("map"):
            keys, _, kind = kind.partition(" ")
            entry = made.nested_type.add(
                name="".join(p.title() for p in field.split("_")) + "Entry"
            )
            entry.options.map_entry = True
            key = entry.field.add(name="key", number=1, label=kinds.LABEL_OPTIONAL)
            key.type = {
                "map": kinds.TYPE_STRING, "map32": kinds.TYPE_INT32, "map64": kinds.TYPE_INT64,
            }[keys]  # fmt: skip
            value = entry.field.add(name="value", number=2, label=kinds.LABEL_OPTIONAL)
            value.type, value.type_name = kinds.TYPE_MESSAGE, _full(kind, tables)
            f.label, f.type = kinds.LABEL_REPEATED, kinds.TYPE_MESSAGE
            f.type_name = f".graphc.{made.name}.{entry.name}"
        elif kind[0].isupper():
            f.type = kinds.TYPE_MESSAGE
            f.type_name = _full(kind, tables)
        else:
            f.type = getattr(kinds, f"TYPE_{kind.upper()}")


def __getattr__(name: str) -> Any:
    if name in _MODULES or name in _TABLES:
        return message(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
