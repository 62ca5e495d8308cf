"""The global step: how many updates a graph has made."""

from __future__ import annotations

from typing import Any

from graphc.face import scopes
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.logging import error
from graphc.face.resource_variable import ResourceVariable
from graphc.face.variables import Variable
from graphc.ir.dtypes import int64
from graphc.ir.node import Value
from graphc.train.slots import fill

__all__ = [
    "assert_global_step", "count_global_step_read", "create_global_step", "get_global_step",
    "get_or_create_global_step", "global_step",
]  # fmt: skip


def global_step(sess: Any, global_step_tensor: Any) -> int:
    """The value of the global step in a session.

    Parameters
    ----------
    global_step_tensor : tensor, variable or str
    """
    return int(sess.run(global_step_tensor))


def get_global_step(graph: Any = None) -> Any:
    """The variable in the collection ``GLOBAL_STEP``, or the tensor ``global_step:0``, or None.

    Raises
    ------
    TypeError
        When it is no integer scalar.
    """
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        error("Multiple tensors in global_step collection.")
        return None
    if found:
        step = found[0]
    else:
        try:
            step = graph.get_tensor_by_name("global_step:0")
        except KeyError:
            return None
    assert_global_step(step)
    return step


def create_global_step(graph: Any = None) -> Variable:
    """A variable that counts updates: an int64 scalar ``global_step`` outside all name scopes.

    Raises
    ------
    ValueError
        When the graph has one.
    """
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        made: Variable = scopes.get_variable(
            GraphKeys.GLOBAL_STEP, shape=[], dtype=int64, initializer=fill(0), trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )  # fmt: skip
        return made


def get_or_create_global_step(graph: Any = None) -> Any:
    """The global step of the graph, made where there is none."""
    graph = graph or get_default_graph()
    step = get_global_step(graph)
    return create_global_step(graph) if step is None else step


def count_global_step_read(graph: Graph) -> None:
    """Go on as after what TF1's estimators read the step with where it may not be initialized.

    It is eleven operations that nothing here has a use for, twelve where the step is a resource;
    the seeds of later ones depend on them.
    """
    with graph.counts_as(12 if isinstance(get_global_step(graph), ResourceVariable) else 11):
        pass


def assert_global_step(global_step_tensor: Any) -> None:
    """Check that something can be a global step.

    Raises
    ------
    TypeError
        Unless it is a scalar of integers.
    """
    t = global_step_tensor
    if not isinstance(t, Variable | Value):
        raise TypeError(f'Existing "global_step" must be a Variable or Tensor: {t}.')
    if t.dtype.base_dtype.kind not in "iu":
        raise TypeError(f'Existing "global_step" does not have integer type: {t.dtype!r}')
    shape = t.get_shape()  # type: ignore[union-attr]
    if shape.ndims != 0 and shape.is_fully_defined():
        raise TypeError(f'Existing "global_step" is not scalar: {shape}')
