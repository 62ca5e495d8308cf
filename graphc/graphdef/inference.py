"""``optimize_for_inference``: a frozen graph without what training needed."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.graphdef.attributes import encode
from graphc.graphdef.forms import DEFAULTS
from graphc.graphdef.stripping import strip_unused
from graphc.graphdef.tensors import array_of, from_array
from graphc.graphdef.util import remove_training_nodes
from graphc.ir.dtypes import as_dtype
from graphc.proto import message

__all__ = ["ensure_graph_is_valid", "fold_batch_norms", "optimize_for_inference"]


def optimize_for_inference(
    input_graph_def: Any, input_node_names: Sequence[str], output_node_names: Sequence[str],
    placeholder_type_enum: Any, toco_compatible: bool = False,
) -> Any:  # fmt: skip
    """A graph that gives the same outputs with fewer nodes.

    Nodes behind no output, ``Identity`` and ``CheckNumerics`` go, and batch normalisations of
    convolutions are folded into their weights. Resizes, borders and convolutions stay nodes of
    their own: graphc fuses when it compiles.

    Parameters
    ----------
    input_node_names, output_node_names : list of str
    placeholder_type_enum : int or list of int
        The type of the inputs, or of each.
    toco_compatible : bool
        Accepted.
    """
    ensure_graph_is_valid(input_graph_def)
    made = strip_unused(input_graph_def, input_node_names, output_node_names, placeholder_type_enum)
    made = fold_batch_norms(remove_training_nodes(made, output_node_names))
    ensure_graph_is_valid(made)
    return made


def ensure_graph_is_valid(graph_def: Any) -> None:
    """Refuse a graph with two nodes of one name, or with inputs that are no nodes.

    Raises
    ------
    ValueError
        When there is one.
    """
    names: set[str] = set()
    for n in graph_def.node:
        if n.name in names:
            raise ValueError(f"Duplicate node names detected for {n.name}")
        names.add(n.name)
    for n in graph_def.node:
        for i in n.input:
            if _node(i) not in names:
                raise ValueError(f"Input for {n.name} not found: {_node(i)}")


def _node(text: str) -> str:
    return text.removeprefix("^").partition(":")[0]


def _constant(name: str, value: Any) -> Any:
    made = message("NodeDef")(name=name, op="Const")
    dtype = as_dtype(value.dtype)
    made.attr["dtype"].CopyFrom(encode(dtype))
    made.attr["value"].tensor.CopyFrom(from_array(value, dtype))
    return made


def fold_batch_norms(input_graph_def: Any) -> Any:
    """A graph in which ``FusedBatchNorm`` of a convolution is part of its weights.

    Only where the parameters are constants and nothing else reads the convolution or its weights.
    """
    nodes = {n.name: n for n in input_graph_def.node}
    readers = collections.Counter(_node(i) for n in nodes.values() for i in n.input)
    instead: dict[str, list[Any]] = {}
    gone: set[str] = set()
    for n in input_graph_def.node:
        conv = nodes[_node(n.input[0])] if n.op == "FusedBatchNorm" else None
        if conv is None or conv.op not in _CONVOLUTIONS or readers[conv.name] != 1:
            continue
        constants = [nodes[_node(i)] for i in (conv.input[1], *n.input[1:5])]
        if all([c.op == "Const" for c in constants]) and readers[conv.input[1]] == 1:
            instead[n.name] = _folded(n, conv, constants)
            gone.add(conv.name)
            gone |= {c.name for c in constants if readers[c.name] == 1}
    out = message("GraphDef")()
    for n in input_graph_def.node:
        out.node.extend(instead.get(n.name, [] if n.name in gone else [n]))
    out.library.CopyFrom(input_graph_def.library)
    out.versions.CopyFrom(input_graph_def.versions)
    return out


_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")


def _folded(n: Any, conv: Any, constants: Sequence[Any]) -> list[Any]:
    """The convolution with other weights, and a bias under the name of the normalisation."""
    weights, gamma, beta, mean, variance = [array_of(c.attr["value"].tensor)[0] for c in constants]
    epsilon = n.attr["epsilon"].f if "epsilon" in n.attr else DEFAULTS["epsilon"]
    scale = gamma / np.sqrt(variance + epsilon)
    if conv.op == "DepthwiseConv2dNative":
        scaled = weights * scale.reshape(weights.shape[2:])
    else:
        scaled = weights * scale
    filters = _constant(constants[0].name, scaled.astype(weights.dtype))
    offset = _constant(conv.name + "_bn_offset", (beta - mean * scale).astype(weights.dtype))
    bias = message("NodeDef")(name=n.name, op="BiasAdd", input=[conv.name, offset.name])
    bias.attr["T"].CopyFrom(conv.attr["T"])
    bias.attr["data_format"].CopyFrom(conv.attr["data_format"])
    return [filters, conv, offset, bias]
