"""Functions on the default graph: scopes, control dependencies, collections, seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphc.face.elements import Operation, Tensor
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_contexts import Controls, DefaultGraph, GraphNameScope, Nothing, nothing
from graphc.face.placement import Placed

__all__ = [
    "add_to_collection",
    "add_to_collections",
    "colocate_with",
    "container",
    "control_dependencies",
    "device",
    "get_all_collection_keys",
    "get_collection",
    "get_collection_ref",
    "get_name_scope",
    "get_seed",
    "init_scope",
    "name_scope",
    "op_scope",
    "set_random_seed",
]


def graph_of(values: Iterable[Any]) -> Graph:
    """The one graph that `values` belong to, else the default graph.

    Raises
    ------
    ValueError
        When two of them are of different graphs.
    """
    first: Any = None
    for v in values:
        e = v if isinstance(v, Tensor | Operation) else None
        if e is None:
            hook = getattr(v, "_as_graph_element", None)
            e = hook() if callable(hook) else None
        if e is None:
            continue
        if first is None:
            first = e
        elif e.graph is not first.graph:
            raise ValueError(f"{e!s} must be from the same graph as {first!s}.")
    if first is None:
        return get_default_graph()
    graph: Graph = first.graph
    return graph


class name_scope:
    """A context that puts a name before the names of operations made inside.

    Parameters
    ----------
    name : str or None
        The scope; one that ends in ``/`` is re-entered as it is, None (with no `default_name`)
        and '' leave all scopes.
    default_name : str, optional
        Used when `name` is None.
    values : list, optional
        Tensors that must all be of one graph, which becomes the default graph inside.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.name_scope("layer") as scope:
    ...     print(scope, tf.constant(1.0, name="x").name)
    layer/ layer/x:0
    """

    def __init__(
        self, name: str | None, default_name: str | None = None, values: Any = None
    ) -> None:
        if not (default_name is None or isinstance(default_name, str)):
            raise TypeError(
                f"`default_name` type ({type(default_name)}) is not a string type. "
                "You likely meant to pass this into the `values` kwarg."
            )
        self._name = default_name if name is None else name
        self._default_name = default_name
        self._values = values
        self._entered: list[tuple[GraphNameScope, DefaultGraph | None]] = []

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        if self._name is None and self._values is not None:
            raise ValueError(
                f"At least one of name ({self._name}) and default_name ({self._default_name}) "
                "must be provided."
            )
        graph = get_default_graph()
        default = None
        if self._values:
            wanted = graph_of(self._values)
            if wanted is not graph:
                graph, default = wanted, wanted.as_default()
        scope = graph.name_scope(self._name)
        out = scope.__enter__()
        if default is not None:
            default.__enter__()
        self._entered.append((scope, default))
        return out

    def __exit__(self, *exc: Any) -> None:
        scope, default = self._entered.pop()
        scope.__exit__(*exc)
        if default is not None:
            default.__exit__(*exc)


class op_scope(name_scope):
    """`name_scope` with the arguments in their old order."""

    def __init__(self, values: Any, name: str | None, default_name: str | None = None) -> None:
        super().__init__(name, default_name, values)


def control_dependencies(control_inputs: Any) -> Controls:
    """A context whose operations run after `control_inputs`; None clears all of them.

    Parameters
    ----------
    control_inputs : list of Operation, Tensor or Variable, or None
    """
    if callable(control_inputs) and not isinstance(control_inputs, Iterable):
        control_inputs = control_inputs()
    return get_default_graph().control_dependencies(control_inputs)


def device(device_name_or_function: Any) -> Placed:
    """A context whose operations are said to be on a device: `Graph.device` of the default graph.

    All run on the CPU. What `Tensor.device` gives, and what is in a ``GraphDef``, is TensorFlow's.
    """
    return get_default_graph().device(device_name_or_function)


def container(container_name: str) -> Nothing:
    """Accepted and ignored: variables live in the session."""
    return nothing


def colocate_with(op: Any, ignore_existing: bool = False) -> Placed:
    """A context whose operations are where `op` is: `Graph.colocate_with` of the default graph."""
    return get_default_graph().colocate_with(op, ignore_existing)


class init_scope:
    """A context without control dependencies, for making variables."""

    def __enter__(self) -> None:
        self._context = get_default_graph().control_dependencies(None)
        self._context.__enter__()

    def __exit__(self, *exc: Any) -> None:
        self._context.__exit__(*exc)


def get_name_scope() -> str:
    """The current name scope of the default graph, without the final slash."""
    return get_default_graph().get_name_scope()


def add_to_collection(name: Any, value: Any) -> None:
    """Append `value` to a collection of the default graph."""
    get_default_graph().add_to_collection(name, value)


def add_to_collections(names: Any, value: Any) -> None:
    """Append `value` to several collections of the default graph."""
    get_default_graph().add_to_collections(names, value)


def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    """A copy of a collection of the default graph.

    Parameters
    ----------
    scope : str, optional
        Keep what has a ``name`` that this regular expression matches at its start.
    """
    return get_default_graph().get_collection(key, scope)


def get_collection_ref(key: Any) -> list[Any]:
    """A collection of the default graph itself."""
    return get_default_graph().get_collection_ref(key)


def get_all_collection_keys() -> list[str]:
    """Names of all collections of the default graph."""
    return get_default_graph().get_all_collection_keys()


def set_random_seed(seed: int | None) -> None:
    """Set the graph-level seed of the default graph: same seed, same numbers in a new session."""
    get_default_graph().seed = seed


def get_seed(op_seed: int | None) -> tuple[int | None, int | None]:
    """The two seeds of a random op made now, by TF1's rule."""
    graph = get_default_graph()
    if graph.seed is not None:
        seeds: tuple[Any, Any] = graph.seed, graph._last_id if op_seed is None else op_seed
    elif op_seed is not None:
        seeds = 87654321, op_seed
    else:
        return None, None
    first, second = [s % (2**31 - 1) if isinstance(s, int) else s for s in seeds]
    return (0, 2**31 - 1) if (first, second) == (0, 0) else (first, second)
