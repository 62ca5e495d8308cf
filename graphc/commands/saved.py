"""Graphs in files of TensorFlow's, for commands that take one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphc.cli import Misuse

__all__ = ["fetched", "read_saved"]

#: Operations whose result nobody asks for by default.
_SOURCES = ("placeholder", "constant", "variable", "no_op", "identity", "assign")


def read_saved(path: str) -> tuple[Any, list[str]]:
    """The graph of a GraphDef, a MetaGraphDef or a SavedModel, and what it is made to compute.

    Raises
    ------
    Misuse
        For a file that is none, or without the package that reads them.
    """
    import graphc as tf

    graph = tf.Graph()
    try:
        with graph.as_default():
            if Path(path).is_dir():
                return graph, _saved_model(path)
            if not Path(path).is_file():
                raise Misuse(f"there is no file {path!r}")
            if path.endswith(".meta"):
                tf.train.import_meta_graph(path)
            else:
                _graph_def(path)
    except Misuse:
        raise
    except ImportError as e:
        raise Misuse(f"cannot read {path!r}: {e}") from None
    except Exception as e:  # whatever is in the file
        raise Misuse(f"cannot read {path!r}: {e or type(e).__name__}", 1) from None
    return graph, []


def _graph_def(path: str) -> None:
    import graphc as tf

    made = tf.GraphDef()
    if path.endswith(".pbtxt"):
        from graphc.proto import library

        library("text_format").Parse(Path(path).read_text(encoding="utf-8"), made)
    else:
        made.ParseFromString(Path(path).read_bytes())
    tf.import_graph_def(made, name="")


def _saved_model(path: str) -> list[str]:
    from graphc.face.graph import get_default_graph
    from graphc.graphdef.meta import import_scoped_meta_graph
    from graphc.saved_model.models import _read

    model = _read(path)
    if not model.meta_graphs:
        raise Misuse(f"{path!r} has no graph", 1)
    meta = model.meta_graphs[0]
    import_scoped_meta_graph(meta)
    graph = get_default_graph()
    names = [t.name for s in meta.signature_def.values() for t in s.outputs.values()]
    return [n for n in dict.fromkeys(names) if n.partition(":")[0] in graph._by_name]


def fetched(graph: Any, names: list[str]) -> list[Any]:
    """What the names say; without names, every tensor that nothing reads.

    Raises
    ------
    Misuse
        For a name there is not, or when nothing is left to fetch.
    """
    try:
        named = [graph.as_graph_element(s.strip()) for s in names]
    except (KeyError, ValueError) as e:
        raise Misuse(str(e.args[0] if e.args else e)) from None
    if named:  # an operation's name stands for its results
        return [v for e in named for v in (getattr(e, "outputs", None) or (e,))]
    nodes = graph.get_operations()
    read = {v.node for n in nodes for v in n.inputs}
    ends = [n for n in nodes if n not in read and n.outputs and n.op.name not in _SOURCES]
    ends = [n for n in ends if n.op.family not in ("host", "control") or n.op.numpy is not None]
    found = [v for n in ends for v in n.outputs]
    if not found:
        raise Misuse("the graph computes nothing that is not read: say --fetch NAMES", 1)
    return found
