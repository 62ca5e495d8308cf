"""``strip_unused``: what lies between some inputs and some outputs of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.graphdef.attributes import encode
from graphc.graphdef.freezing import parsed
from graphc.graphdef.util import extract_sub_graph
from graphc.ir.dtypes import as_dtype
from graphc.proto import library, message

__all__ = ["strip_unused", "strip_unused_from_files"]


def strip_unused(
    input_graph_def: Any, input_node_names: Sequence[str], output_node_names: Sequence[str],
    placeholder_type_enum: Any,
) -> Any:  # fmt: skip
    """What outputs need of a graph; its inputs become placeholders.

    Parameters
    ----------
    input_node_names, output_node_names : list of str
        Names of nodes, not of tensors.
    placeholder_type_enum : int or list of int
        The type of the placeholders, or of each.

    Raises
    ------
    KeyError
        When the graph lacks an input.
    ValueError
        When a name is that of a tensor.
    """
    for name in input_node_names:
        if ":" in name:
            raise ValueError(f"Name '{name}' appears to refer to a Tensor, not a Operation.")
    missing = set(input_node_names) - {n.name for n in input_graph_def.node}
    if missing:
        raise KeyError(f"The following input nodes were not found: {missing}")
    several = isinstance(placeholder_type_enum, list)
    fed = message("GraphDef")()
    for n in input_graph_def.node:
        made = fed.node.add(name=n.name)
        if n.name not in input_node_names:
            made.CopyFrom(n)
            continue
        kind = placeholder_type_enum
        if several:
            kind = placeholder_type_enum[list(input_node_names).index(n.name)]
        made.op = "Placeholder"
        made.attr["dtype"].CopyFrom(encode(as_dtype(kind)))
        if "_output_shapes" in n.attr:
            made.attr["_output_shapes"].CopyFrom(n.attr["_output_shapes"])
        if "shape" in n.attr:
            made.attr["shape"].CopyFrom(n.attr["shape"])
    out = extract_sub_graph(fed, output_node_names)
    out.library.CopyFrom(input_graph_def.library)
    out.versions.CopyFrom(input_graph_def.versions)
    return out


def strip_unused_from_files(
    input_graph: str, input_binary: bool, output_graph: str, output_binary: bool,
    input_node_names: str, output_node_names: str, placeholder_type_enum: Any,
) -> None:  # fmt: skip
    """As `strip_unused`, from a file to a file; names are separated by commas.

    Raises
    ------
    OSError
        When there is no such file, or no name is given.
    """
    if not output_node_names or not input_node_names:
        raise OSError("You need to supply the names of input and output nodes.")
    given = parsed("GraphDef", input_graph, input_binary, "graph")
    made = strip_unused(
        given, input_node_names.split(","), output_node_names.split(","), placeholder_type_enum
    )
    data = made.SerializeToString()
    if not output_binary:
        data = library("text_format").MessageToString(made).encode()
    with open(output_graph, "wb") as f:
        f.write(data)
