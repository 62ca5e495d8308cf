"""What a graph keeps beside variables and makes itself before it runs: trees, for instance."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

from graphc.face.control import group
from graphc.face.current import get_collection
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.ops import arrays, math
from graphc.ops.convert import constant
from graphc.ops.state import no_op

__all__ = [
    "initialize_resources", "local_resources", "register_resource",
    "report_uninitialized_resources", "shared_resources",
]  # fmt: skip

_Resource = collections.namedtuple("_Resource", ["handle", "create", "is_initialized", "is_shared"])


def register_resource(
    handle: Any, create_op: Any, is_initialized_op: Any, is_shared: bool = True
) -> None:
    """Let a resource be made when a session begins.

    Parameters
    ----------
    handle : tensor or variable
    create_op : Operation
        Makes it.
    is_initialized_op : tensor
        Whether it is made.
    is_shared : bool
        Whether it lives as long as global variables do.
    """
    key = GraphKeys.RESOURCES if is_shared else GraphKeys.LOCAL_RESOURCES
    made = _Resource(handle, create_op, is_initialized_op, is_shared)
    get_default_graph().add_to_collection(key, made)


def shared_resources() -> list[Any]:
    """The resources of the graph that live as long as global variables."""
    return get_collection(GraphKeys.RESOURCES)


def local_resources() -> list[Any]:
    """The resources of the graph that live as long as local variables."""
    return get_collection(GraphKeys.LOCAL_RESOURCES)


def report_uninitialized_resources(
    resource_list: Iterable[Any] | None = None, name: str = "report_uninitialized_resources"
) -> Any:
    """The names of resources that are not made yet: all of the graph by default."""
    found = shared_resources() + local_resources() if resource_list is None else resource_list
    found = list(found)
    if not found:
        return constant([], "string")
    names = constant([r.handle.name for r in found])
    ready = [r.is_initialized for r in found]
    return arrays.boolean_mask(names, math.logical_not(arrays.stack(ready)), name=name)


def initialize_resources(resource_list: Iterable[Any], name: str = "init") -> Any:
    """The operation that makes resources."""
    found = list(resource_list)
    return group(*[r.create for r in found], name=name) if found else no_op(name=name)
