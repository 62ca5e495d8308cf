"""tf.graph_util: parts of graphs, and graphs for inference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.graphdef.attributes import encode
from graphc.graphdef.tensors import from_array
from graphc.ir.dtypes import as_dtype
from graphc.proto import message

__all__ = [
    "convert_variables_to_constants", "extract_sub_graph", "must_run_on_cpu",
    "remove_training_nodes", "tensor_shape_from_node_def_name",
]  # fmt: skip

_VARIABLES = ("Variable", "VariableV2")


def _source(text: str) -> str:
    return text.removeprefix("^").partition(":")[0]


def _by_name(graph_def: Any, wanted: Iterable[str]) -> dict[str, Any]:
    nodes = {n.name: n for n in graph_def.node}
    for name in wanted:
        if name not in nodes:
            raise ValueError(f"{name} is not in graph")
    return nodes


def extract_sub_graph(graph_def: Any, dest_nodes: Sequence[str]) -> Any:
    """Those nodes of a graph that some nodes need, in their order.

    Raises
    ------
    TypeError
        When an argument is of another type.
    ValueError
        When the graph lacks a node.
    """
    if not isinstance(graph_def, message("GraphDef")):
        raise TypeError("graph_def must be a graph_pb2.GraphDef proto.")
    if isinstance(dest_nodes, str):
        raise TypeError("dest_nodes must be a list.")
    nodes = _by_name(graph_def, dest_nodes)
    needed: set[str] = set()
    stack = list(dest_nodes)
    while stack:
        name = stack.pop()
        if name in needed:
            continue
        needed.add(name)
        stack.extend([_source(i) for i in nodes[name].input if _source(i) in nodes])
    out = message("GraphDef")()
    out.node.extend([n for n in graph_def.node if n.name in needed])
    out.library.CopyFrom(graph_def.library)
    out.versions.CopyFrom(graph_def.versions)
    return out


def convert_variables_to_constants(
    sess: Any,
    input_graph_def: Any,
    output_node_names: Sequence[str],
    variable_names_whitelist: Sequence[str] | None = None,
    variable_names_blacklist: Sequence[str] | None = None,
) -> Any:
    """What some nodes need of a graph, with the values of variables as constants.

    Parameters
    ----------
    sess : Session
        Holds the values.
    input_graph_def : GraphDef
    output_node_names : list of str
    variable_names_whitelist, variable_names_blacklist : list of str, optional
        Variables to convert, by default all; and variables to leave.
    """
    out = extract_sub_graph(input_graph_def, output_node_names)
    only, never = variable_names_whitelist, frozenset(variable_names_blacklist or ())
    found = [
        n for n in out.node
        if n.op in _VARIABLES and n.name not in never and (only is None or n.name in only)
    ]  # fmt: skip
    values = dict(
        zip([n.name for n in found], sess.run([f"{n.name}:0" for n in found]), strict=True)
    )
    for n in found:
        dtype = as_dtype(n.attr["dtype"].type % 100)
        made = message("NodeDef")(name=n.name, op="Const")
        made.attr["dtype"].CopyFrom(encode(dtype))
        made.attr["value"].tensor.CopyFrom(from_array(values[n.name], dtype))
        n.CopyFrom(made)
    return out


def remove_training_nodes(input_graph: Any, protected_nodes: Sequence[str] | None = None) -> Any:
    """A graph without nodes that do nothing in inference: ``Identity`` and ``CheckNumerics``.

    Parameters
    ----------
    protected_nodes : list of str, optional
        Nodes to keep.
    """
    kept = set(protected_nodes or ())
    fed_by_control = {_source(i) for n in input_graph.node for i in n.input if i.startswith("^")}
    read = {_source(i) for n in input_graph.node for i in n.input}
    through: dict[str, str] = {}
    for n in input_graph.node:
        plain = len(n.input) == 1 and not n.input[0].startswith("^")
        if n.op in ("Identity", "CheckNumerics") and plain and n.name in read:
            if n.name not in kept and n.name not in fed_by_control:
                through[n.name] = n.input[0]
    out = message("GraphDef")()
    out.versions.CopyFrom(input_graph.versions)
    out.library.CopyFrom(input_graph.library)
    for n in input_graph.node:
        if n.name in through:
            continue
        made = out.node.add()
        made.CopyFrom(n)
        for i, text in enumerate(made.input):
            made.input[i] = _past(text, through)
    return out


def _past(text: str, through: Mapping[str, str]) -> str:
    while not text.startswith("^") and _source(text) in through:
        text = through[_source(text)]
    return text


def must_run_on_cpu(node: Any, pin_variables_on_cpu: bool = False) -> bool:
    """Whether a node runs on the CPU only: strings, and variables where asked for."""
    d = getattr(node, "node_def", node)
    if pin_variables_on_cpu and d.op in _VARIABLES:
        return True
    if d.op == "Const":
        return bool(d.attr["dtype"].type == as_dtype("string").enum)
    return False


def tensor_shape_from_node_def_name(graph: Any, input_name: str) -> Any:
    """The static shape of the tensor that an input of a node names."""
    name = input_name if ":" in input_name else input_name + ":0"
    return graph.get_tensor_by_name(name).get_shape()
