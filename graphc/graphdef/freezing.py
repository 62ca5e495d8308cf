"""``tensorflow.python.tools.freeze_graph``: a graph and a checkpoint as one graph of constants."""

from __future__ import annotations

from typing import Any

from graphc.face import files
from graphc.face.graph import Graph
from graphc.graphdef.importer import import_graph_def
from graphc.graphdef.meta import import_meta_graph
from graphc.graphdef.util import convert_variables_to_constants
from graphc.proto import library, message
from graphc.train.checkpoints import checkpoint_exists, load_checkpoint
from graphc.train.saver import Saver

__all__ = ["freeze_graph", "freeze_graph_with_def_protos"]


def _listed(names: str) -> list[str]:
    return [n for n in names.replace(" ", "").split(",") if n]


def freeze_graph_with_def_protos(
    input_graph_def: Any, input_saver_def: Any, input_checkpoint: Any, output_node_names: str,
    restore_op_name: str, filename_tensor_name: str, output_graph: str | None,
    clear_devices: bool, initializer_nodes: str | None, variable_names_whitelist: str = "",
    variable_names_blacklist: str = "", input_meta_graph_def: Any = None,
    input_saved_model_dir: str | None = None, saved_model_tags: Any = None,
    checkpoint_version: int = 2,
) -> Any:  # fmt: skip
    """A graph with constants for its variables, as a message.

    Parameters
    ----------
    input_saver_def : SaverDef, optional
        What restores; without one each variable of the checkpoint that the graph has is restored.
    input_checkpoint : str
        The prefix of a checkpoint.
    output_node_names : str
        The nodes to be kept, with commas between.
    restore_op_name, filename_tensor_name
        Unused, as in TF1.
    output_graph : str, optional
        Where to write it.
    initializer_nodes : str, optional
        Operations to run first, with commas between.
    variable_names_whitelist, variable_names_blacklist : str
        Variables that alone become constants, and those that do not.
    input_meta_graph_def, input_saved_model_dir, saved_model_tags
        Other sources of the graph.

    Returns
    -------
    GraphDef

    Raises
    ------
    ValueError
        Where there is no such checkpoint, or no node is named.
    """
    from graphc.face.session import Session  # it imports the runtime

    if not input_saved_model_dir and not checkpoint_exists(input_checkpoint):
        raise ValueError(f"Input checkpoint '{input_checkpoint}' doesn't exist!")
    if not output_node_names:
        raise ValueError("You need to supply the name of a node to --output_node_names.")
    given = input_meta_graph_def.graph_def if input_meta_graph_def else input_graph_def
    graph = Graph()
    with graph.as_default(), Session() as sess:
        if input_meta_graph_def:
            saver: Any = import_meta_graph(input_meta_graph_def, clear_devices=True)
            saver.restore(sess, input_checkpoint)
        elif input_saved_model_dir:
            from graphc.saved_model.models import load

            given = load(sess, saved_model_tags, input_saved_model_dir).graph_def
        else:
            import_graph_def(given, name="")
            if input_saver_def:
                saver = Saver(saver_def=input_saver_def, write_version=checkpoint_version)
            else:
                saver = Saver(var_list=_variables(graph, input_checkpoint))
            saver.restore(sess, input_checkpoint)
        if initializer_nodes:
            sess.run(_listed(initializer_nodes))
        if clear_devices:
            for node in given.node:
                node.device = ""
        frozen = convert_variables_to_constants(
            sess, given, _listed(output_node_names), _listed(variable_names_whitelist) or None,
            _listed(variable_names_blacklist) or None,
        )  # fmt: skip
    if output_graph:
        with files.GFile(output_graph, "wb") as f:
            f.write(frozen.SerializeToString())
    return frozen


def _variables(graph: Graph, checkpoint: Any) -> dict[str, Any]:
    """The tensors of a graph that a checkpoint has values of."""
    nodes = graph._nodes_by_name
    saved = load_checkpoint(checkpoint).get_variable_to_shape_map()
    return {name: nodes[name].outputs[0] for name in saved if name in nodes}


def parsed(kind: str, path: str, binary: bool, what: str) -> Any:
    """The message in a file, as bytes or as text.

    Raises
    ------
    OSError
        When there is no such file, or it holds something else.
    """
    if not files.exists(path):
        raise OSError(f"Input {what} file '{path}' does not exist!")
    with files.GFile(path, "rb" if binary else "r") as f:
        data = f.read()
    try:
        if binary:
            return message(kind).FromString(data)
        return library("text_format").Parse(data, message(kind)())
    except (library("message").DecodeError, library("text_format").ParseError, ValueError) as e:
        raise OSError(f"Cannot parse {what} file '{path}': {e}") from None


def freeze_graph(
    input_graph: str, input_saver: str, input_binary: bool, input_checkpoint: Any,
    output_node_names: str, restore_op_name: str, filename_tensor_name: str,
    output_graph: str, clear_devices: bool, initializer_nodes: str,
    variable_names_whitelist: str = "", variable_names_blacklist: str = "",
    input_meta_graph: str | None = None, input_saved_model_dir: str | None = None,
    saved_model_tags: str = "serve", checkpoint_version: int = 2,
) -> Any:  # fmt: skip
    """`freeze_graph_with_def_protos` of a graph, and maybe a saver, in files.

    Parameters
    ----------
    input_graph : str
        A file of a GraphDef.
    input_saver : str
        A file of a SaverDef, or "".
    input_binary : bool
        Whether files hold bytes, not text.
    input_meta_graph, input_saved_model_dir, saved_model_tags
        Other sources of the graph.

    Raises
    ------
    OSError
        When there is no such file, or it holds something else.
    """

    def read(kind: str, path: str | None, what: str) -> Any:
        return parsed(kind, path, input_binary, what) if path else None

    graph_def = None if input_saved_model_dir else read("GraphDef", input_graph, "graph")
    meta = read("MetaGraphDef", input_meta_graph, "meta graph")
    saver = read("SaverDef", input_saver, "saver")
    return freeze_graph_with_def_protos(
        graph_def, saver, input_checkpoint, output_node_names, restore_op_name,
        filename_tensor_name, output_graph, clear_devices, initializer_nodes,
        variable_names_whitelist, variable_names_blacklist, meta, input_saved_model_dir,
        saved_model_tags.replace(" ", "").split(","), checkpoint_version,
    )  # fmt: skip
