"""Graphs with their collections and savers: ``MetaGraphDef`` messages and ``.meta`` files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphc.checkpoint import files
from graphc.face import logging
from graphc.face.elements import Operation, Tensor
from graphc.face.files import makedirs
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.resource_variable import ResourceVariable
from graphc.face.variables import SaveSliceInfo, Variable
from graphc.graphdef.export import export_nodes
from graphc.graphdef.foreign import GIVEN
from graphc.graphdef.importer import import_nodes
from graphc.proto import library, message

__all__ = [
    "add_meta_graph", "export_meta_graph", "import_meta_graph", "import_scoped_meta_graph",
    "register_proto_function", "variable_from_proto", "variable_to_proto", "write_graph",
]  # fmt: skip

VERSION = "1.15.0"
#: Ops of TensorFlow's sharded savers, which only saving would run.
_SHARDS = frozenset({"MergeV2Checkpoints", "ShardedFilename", "StringJoin"})
#: Collections of objects of one process, or of how TensorFlow builds control flow.
_SKIPPED = frozenset({"cond_context", "while_context", "losses_context"})


def write_graph(graph_or_graph_def: Any, logdir: Any, name: str, as_text: bool = True) -> str:
    """Write a graph to a file; the file's path.

    Parameters
    ----------
    graph_or_graph_def : Graph or GraphDef
    logdir : str
        The folder, made when it is missing.
    as_text : bool
        Text or the binary form.
    """
    graph = graph_or_graph_def
    made = graph.as_graph_def() if isinstance(graph, Graph) else graph
    folder = logdir.decode() if isinstance(logdir, bytes) else os.fspath(logdir)
    makedirs(folder or ".")
    return _write(made, os.path.join(folder, name), as_text)


def _write(made: Any, path: str, as_text: bool) -> str:
    if as_text:
        data = library("text_format").MessageToString(made).encode()
    else:
        data = made.SerializeToString()
    files.replace(path, data)
    return path


# --------------------------------------------------------------------- variables


def variable_to_proto(v: Variable, export_scope: str | None = None) -> Any:
    """A variable as a ``VariableDef`` message; None where it is of another scope."""
    prefix = _prefix(export_scope)
    if not v.name.startswith(prefix):
        return None
    out = message("VariableDef")(
        variable_name=v.name.removeprefix(prefix),
        initializer_name=v.initializer.name.removeprefix(prefix),
        snapshot_name=v._snapshot.name.removeprefix(prefix),
        trainable=v.trainable,
    )
    if v._initial_value is not None:
        out.initial_value_name = v._initial_value.name.removeprefix(prefix)
    info = v._save_slice_info
    if info is not None:
        out.save_slice_info_def.full_name = info.full_name or ""
        out.save_slice_info_def.full_shape.extend(info.full_shape)
        out.save_slice_info_def.var_offset.extend(info.var_offset)
        out.save_slice_info_def.var_shape.extend(info.var_shape)
    return out


def variable_from_proto(definition: Any, import_scope: str | None = None) -> Variable:
    """The variable that a ``VariableDef`` message means in the default graph.

    Raises
    ------
    KeyError, ValueError
        When the graph lacks its operations.
    """
    graph, prefix = get_default_graph(), _prefix(import_scope)
    handle: Any = graph.get_tensor_by_name(prefix + definition.variable_name)
    if handle.op.type not in ("VariableV2", "Variable"):
        raise ValueError(f"{definition.variable_name} is no variable of graphc")
    copied = "resource" in handle.node.attrs
    v: Any = object.__new__(ResourceVariable if copied else Variable)
    v._variable, v._copied = handle, copied
    v._initializer_op = graph.get_operation_by_name(prefix + definition.initializer_name)
    v._snapshot = graph.get_tensor_by_name(prefix + definition.snapshot_name)
    v._initial_value = None
    if definition.initial_value_name:
        v._initial_value = graph.get_tensor_by_name(prefix + definition.initial_value_name)
    v._trainable = definition.trainable
    v._constraint = v._caching_device = v._save_slice_info = None
    v._synchronization = definition.synchronization
    v._aggregation = definition.aggregation
    if definition.HasField("save_slice_info_def"):
        v._save_slice_info = SaveSliceInfo(
            save_slice_info_def=definition.save_slice_info_def, import_scope=import_scope
        )
    out: Variable = v
    return out


def _prefix(scope: str | None) -> str:
    return scope.rstrip("/") + "/" if scope else ""


# --------------------------------------------------------------------- collections


def _collection(made: Any, key: str, items: Sequence[Any], scope: str | None) -> None:
    """Write a collection; what has no form in a message is left out, with a note."""
    out = made.collection_def[key]
    for x in items:
        kind, value = _as_message(key, x, scope)
        if kind is None:
            logging.info("Collection %s: %s is not written", key, type(x).__name__)
        elif value is not None:
            getattr(out, kind).value.append(value)
    if out.WhichOneof("kind") is None:
        del made.collection_def[key]


class _Form(NamedTuple):
    """How the items of a collection are messages."""

    proto_type: Any
    to_proto: Any
    from_proto: Any


_registered: dict[str, _Form] = {}


def register_proto_function(
    collection_name: str, proto_type: Any = None, to_proto: Any = None, from_proto: Any = None
) -> None:
    """Write and read the items of a collection in meta graphs by functions of a user's.

    Parameters
    ----------
    collection_name : str
    proto_type : class, optional
        Of messages.
    to_proto : function, optional
        ``to_proto(item, export_scope=None)`` gives the message of an item, or None.
    from_proto : function, optional
        ``from_proto(message, import_scope=None)`` gives the item back.

    Raises
    ------
    TypeError
        When a function is none.
    """
    for what, f in (("to_proto", to_proto), ("from_proto", from_proto)):
        if f is not None and not callable(f):
            raise TypeError(f"{what} must be callable.")
    _registered[collection_name] = _Form(proto_type, to_proto, from_proto)


def _as_message(key: str, x: Any, scope: str | None) -> tuple[str | None, Any]:
    """The kind of list that holds an item, and the item there; None where it is out of scope."""
    form = _registered.get(key)
    if form is not None and form.to_proto is not None:
        proto = form.to_proto(x, export_scope=scope)
        return "bytes_list", None if proto is None else proto.SerializeToString()
    if isinstance(x, Tensor | Operation) or (isinstance(x, Variable) and key not in _VARIABLES):
        prefix = _prefix(scope)
        return "node_list", x.name.removeprefix(prefix) if x.name.startswith(prefix) else None
    if isinstance(x, int):
        return "int64_list", int(x)
    if isinstance(x, float):
        return "float_list", x
    if isinstance(x, str | bytes):
        return "bytes_list", x.encode() if isinstance(x, str) else x
    if callable(getattr(x, "to_proto", None)):
        proto = x.to_proto(export_scope=scope)
        return "bytes_list", None if proto is None else proto.SerializeToString()
    return None, None


def _restore_collection(graph: Graph, key: str, held: Any, scope: str | None) -> None:
    prefix = _prefix(scope)
    kind = held.WhichOneof("kind")
    values = list(getattr(held, kind).value) if kind else []
    items: list[Any] = []
    form = _registered.get(key)
    if form is not None and (form.from_proto is None or form.proto_type is None):
        form = None
    for x in values:
        if form is not None and kind == "bytes_list":
            items.append(form.from_proto(form.proto_type.FromString(x), import_scope=scope))
        elif kind == "node_list":
            element = _named(graph, prefix + x)
            if element is not None:
                items.append(element)
        elif kind == "bytes_list" and key in _VARIABLES:
            v = _variable(key, x, scope)
            if v is not None:
                items.append(v)
        elif kind == "bytes_list" and key == GraphKeys.QUEUE_RUNNERS:
            runner = _runner(x, scope)
            if runner is not None:
                items.append(runner)
        elif kind == "bytes_list" and key == GraphKeys.SAVERS:
            items.append(message("SaverDef").FromString(x))
        else:
            items.append(x)
    for x in _same_objects(graph, items):
        graph.add_to_collection(key, x)


#: Collections that hold variables.
_VARIABLES = frozenset({
    GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES, GraphKeys.MODEL_VARIABLES,
    GraphKeys.TRAINABLE_VARIABLES, GraphKeys.MOVING_AVERAGE_VARIABLES, GraphKeys.METRIC_VARIABLES,
    GraphKeys.CONCATENATED_VARIABLES, GraphKeys.WEIGHTS, GraphKeys.BIASES, GraphKeys.GLOBAL_STEP,
})  # fmt: skip


def _named(graph: Graph, name: str) -> Any:
    try:
        return graph.as_graph_element(name)
    except (KeyError, ValueError):
        return None


def _variable(key: str, raw: bytes, scope: str | None) -> Any:
    try:
        return variable_from_proto(message("VariableDef").FromString(raw), scope)
    except (KeyError, ValueError) as e:
        logging.warning("Collection %s: %s", key, e)
        return None


def _runner(raw: bytes, scope: str | None) -> Any:
    from graphc.train.queue_runner import QueueRunner  # with sessions: for graphs with queues only

    try:
        return QueueRunner.from_proto(message("QueueRunnerDef").FromString(raw), scope)
    except (KeyError, ValueError) as e:
        logging.warning("Collection queue_runners: %s", e)
        return None


def _same_objects(graph: Graph, items: list[Any]) -> list[Any]:
    """One variable is one object in all collections."""
    known = graph.extras.setdefault("imported_variables", {})
    return [known.setdefault(x.name, x) if isinstance(x, Variable) else x for x in items]


# --------------------------------------------------------------------- whole graphs


def export_meta_graph(
    filename: Any = None,
    meta_info_def: Any = None,
    graph_def: Any = None,
    saver_def: Any = None,
    collection_list: Sequence[str] | None = None,
    as_text: bool = False,
    graph: Graph | None = None,
    export_scope: str | None = None,
    clear_devices: bool = False,
    clear_extraneous_savers: bool = False,
    strip_default_attrs: bool = False,
    save_debug_info: bool = False,
    **kwargs: Any,
) -> Any:
    """A graph with its collections as a ``MetaGraphDef`` message, written to a file if named.

    Parameters
    ----------
    graph : Graph, optional
        The default graph by default.
    export_scope : str, optional
        Write only what is in this name scope, without the scope.
    clear_devices : bool
        Write no devices.
    strip_default_attrs, save_debug_info
        Accepted: attributes with default values do no harm.
    """
    if kwargs:
        raise ValueError(f"Unknown keywords in export_meta_graph: {sorted(kwargs)}")
    graph = graph or get_default_graph()
    made = message("MetaGraphDef")()
    if meta_info_def is not None:
        made.meta_info_def.CopyFrom(meta_info_def)
    made.meta_info_def.tensorflow_version = VERSION
    made.meta_info_def.tensorflow_git_version = "graphc"
    made.graph_def.CopyFrom(graph_def if graph_def is not None else _scoped(graph, export_scope))
    if clear_devices:
        _clear(made)
    keys = graph.get_all_collection_keys() if collection_list is None else collection_list
    for key in keys:
        if key not in _SKIPPED and not (clear_extraneous_savers and key == GraphKeys.SAVERS):
            _collection(made, key, graph.get_collection(key), export_scope)
    if saver_def is not None:
        made.saver_def.CopyFrom(saver_def)
    if filename:
        path = filename.decode() if isinstance(filename, bytes) else os.fspath(filename)
        makedirs(os.path.dirname(path) or ".")
        _write(made, path, as_text)
    return made


def _clear(meta: Any) -> None:
    """Take the devices out of a message."""
    for node in meta.graph_def.node:
        node.device = ""


def _scoped(graph: Graph, scope: str | None) -> Any:
    nodes = graph.get_operations()
    if not scope:
        return export_nodes(nodes, add_shapes=True)
    prefix = _prefix(scope)
    inside = [n for n in nodes if n.name.startswith(prefix)]
    for n in inside:
        for v in n.inputs:
            if not v.node.name.startswith(prefix):
                raise ValueError(
                    f"Unbound inputs: {v.name} is outside of the scope {scope!r} to export"
                )
    made = export_nodes(inside, add_shapes=True, prefix=prefix)
    for node in made.node:
        node.name = node.name.removeprefix(prefix)
        for i, text in enumerate(node.input):
            mark = "^" if text.startswith("^") else ""
            node.input[i] = mark + text.removeprefix("^").removeprefix(prefix)
    return made


def _read(meta_graph_or_file: Any) -> Any:
    kind = message("MetaGraphDef")
    if isinstance(meta_graph_or_file, kind):
        return meta_graph_or_file
    given = meta_graph_or_file
    path = given.decode() if isinstance(given, bytes) else os.fspath(given)
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError:
        raise OSError(f"File {path} does not exist.") from None
    decode_error = library("message").DecodeError
    try:
        return kind.FromString(data)
    except decode_error:
        pass
    try:
        return library("text_format").Parse(data.decode(), kind())
    except Exception as e:
        raise OSError(f"Cannot parse file {path}: {str(e) or type(e).__name__}.") from None


def import_scoped_meta_graph(
    meta_graph_or_file: Any, import_scope: str | None = None, clear_devices: bool = False,
    input_map: Mapping[Any, Any] | None = None, return_elements: Sequence[str] | None = None,
) -> tuple[Any, list[Any] | None]:  # fmt: skip
    """Add a ``MetaGraphDef`` to the default graph; the message, and what was asked for."""
    meta = _read(meta_graph_or_file)
    if clear_devices:
        _clear(meta)
    return meta, add_meta_graph(meta, import_scope, input_map, return_elements)[1]


def add_meta_graph(
    meta: Any, import_scope: str | None, input_map: Mapping[Any, Any] | None = None,
    return_elements: Sequence[str] | None = None,
) -> tuple[str, list[Any] | None]:  # fmt: skip
    """Add nodes and collections of a message to the default graph.

    Its names come after the current name scope and `import_scope`, which gets a number where it
    is taken: that prefix, and the elements that were asked for.
    """
    graph = get_default_graph()
    definitions = {d.name: d for d in meta.meta_info_def.stripped_op_list.op}
    scope = import_scope or _prefix(graph.get_name_scope())
    mapped = {k if ":" in k else f"{k}:0": v for k, v in (input_map or {}).items()}
    with graph.transaction(), graph.name_scope(scope) as prefix:
        made = import_nodes(meta.graph_def, graph, prefix, mapped, definitions)
        lacking = sorted(
            {o.attrs["lacks"] for o in made.values() if o.op.name == "foreign"} - _SHARDS - {GIVEN}
        )
        if lacking:
            logging.warning(
                "graphc has no %s: their nodes of this graph are there by name, but cannot be run",
                ", ".join(lacking),
            )
        for key in sorted(meta.collection_def):
            if key not in _SKIPPED:
                _restore_collection(graph, key, meta.collection_def[key], prefix)
    if return_elements is None:
        return prefix, None
    return prefix, [graph.as_graph_element(prefix + e) for e in return_elements]


def import_meta_graph(
    meta_graph_or_file: Any, clear_devices: bool = False, import_scope: str | None = None,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """Add a graph and its collections to the default graph; a `Saver` for it, or None.

    Nodes of types that graphc lacks (training operations of TensorFlow, say) are there by name,
    and are refused only when they are run.

    Parameters
    ----------
    meta_graph_or_file : MetaGraphDef or str
        The message, or the path of a ``.meta`` file, binary or text.
    clear_devices : bool
        Whether operations have none of the devices of the file.
    import_scope : str, optional
        Put before all names, behind the current name scope; a number is added where it is taken.
    **kwargs
        ``input_map`` and ``return_elements`` as in `import_graph_def`.

    Raises
    ------
    OSError
        When there is no such file, or it is no graph.
    """
    from graphc.train.saver import Saver, scoped

    meta = _read(meta_graph_or_file)
    if clear_devices:
        _clear(meta)
    prefix, _ = add_meta_graph(meta, import_scope, **kwargs)
    if meta.HasField("saver_def"):
        return Saver(saver_def=scoped(meta.saver_def, prefix), name=prefix.rstrip("/") or None)
    if get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, prefix or None):
        return Saver()
    return None
