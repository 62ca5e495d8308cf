"""What get_variable gives: a variable that is there, a new one, or its parts."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.face import initializers
from graphc.face.current import add_to_collection, name_scope
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.shape import TensorShape, as_shape
from graphc.face.source import source_text
from graphc.face.variables import Variable, VariableAggregation, VariableSynchronization
from graphc.ir import dtypes
from graphc.ir.dtypes import DType, as_dtype
from graphc.ops import convert

__all__ = ["Variables", "get_single", "takes"]


class Variables:
    """The variables that `get_variable` made in a graph."""

    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.partitioned: dict[str, Any] = {}


def takes(f: Callable[..., Any], name: str) -> bool:
    try:
        parameters = inspect.signature(f).parameters
    except (TypeError, ValueError):
        return True
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def get_single(
    store: Variables,
    name: str,
    shape: Any = None,
    dtype: Any = dtypes.float32,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    constraint: Any = None,
    synchronization: int = VariableSynchronization.AUTO,
    aggregation: int = VariableAggregation.NONE,
) -> Any:
    from_value = initializer is not None and not callable(initializer)
    if shape is not None and from_value:
        raise ValueError("If initializer is a constant, do not specify shape.")
    dtype = as_dtype(dtype)
    static = as_shape(shape)
    whole = store.partitioned.get(name)
    if partitioner is not None or whole is not None:
        if whole is not None:
            return _found(name, whole, static, dtype, reuse)
        if from_value:
            static = convert.convert_to_tensor(initializer, dtype).shape  # type: ignore[attr-defined]
        if static.ndims != 0:
            return _get_partitioned(
                store, name, static, dtype, initializer, partitioner, regularizer=regularizer,
                reuse=reuse, trainable=trainable, collections=collections,
                caching_device=caching_device, validate_shape=validate_shape,
                constraint=constraint, synchronization=synchronization, aggregation=aggregation,
                use_resource=use_resource,
            )  # fmt: skip
    found = store.variables.get(name)
    if found is not None:
        return _found(name, found, static, dtype, reuse)
    if reuse is True:
        raise ValueError(
            f"Variable {name} does not exist, or was not created with tf.get_variable(). Did you "
            "mean to set reuse=tf.AUTO_REUSE in VarScope?"
        )
    graph = get_default_graph()
    with graph.transaction():
        value, wanted = _initial(name, initializer, from_value, static, dtype)
        v = Variable(
            initial_value=value, name=name, trainable=trainable, collections=collections,
            caching_device=caching_device, dtype=wanted, validate_shape=validate_shape,
            constraint=constraint, synchronization=synchronization, aggregation=aggregation,
            use_resource=use_resource,
        )  # fmt: skip
        graph.log(store.variables, name)
        store.variables[name] = v
        if regularizer:
            _regularize(graph, name, v, regularizer)
    return v


def _get_partitioned(
    store: Variables, name: str, shape: TensorShape, dtype: DType, initializer: Any,
    partitioner: Any, **options: Any,
) -> Any:  # fmt: skip
    """A new variable in the parts that `partitioner` says."""
    from graphc.face.partitioned import made_in_parts  # few programs cut variables

    if not shape.is_fully_defined():
        raise ValueError(
            f"Shape of a new partitioned variable must be fully defined, but instead was {shape}."
        )
    cuts = partitioner(shape=shape, dtype=dtype)
    if not isinstance(cuts, list | tuple):
        raise ValueError(f"Partitioner must return a sequence, but saw: {cuts}")
    graph = get_default_graph()
    with graph.transaction():
        made = made_in_parts(
            lambda part, wanted, given: get_single(
                store, part, wanted, dtype, given, **options
            ),
            name, shape.as_list(), cuts,  # type: ignore[arg-type]
            dtype, initializer,
        )  # fmt: skip
        graph.log(store.partitioned, name)
        store.partitioned[name] = made
    return made


def _regularize(graph: Graph, name: str, v: Variable, regularizer: Any) -> None:
    with name_scope(name + "/Regularizer/"), graph.control_dependencies(None):
        loss = regularizer(v)
    if loss is not None:
        add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)


def _found(name: str, v: Variable, shape: TensorShape, dtype: DType, reuse: Any) -> Variable:
    if reuse is False:
        where = source_text(v.op.source).lstrip("\n")
        raise ValueError(
            f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or "
            f"reuse=tf.AUTO_REUSE in VarScope? Originally defined at:\n\n{where}\n"
        )
    if not shape.is_compatible_with(v.get_shape()):
        raise ValueError(
            f"Trying to share variable {name}, but specified shape {shape} and found shape "
            f"{v.get_shape()}."
        )
    if not dtype.is_compatible_with(v.dtype):
        raise ValueError(
            f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype "
            f"{v.dtype.name}."
        )
    return v


def _initial(
    name: str, initializer: Any, from_value: bool, shape: TensorShape, dtype: DType
) -> tuple[Any, DType | None]:
    """What to give `Variable` as its initial value, and the element type to ask for."""
    if initializer is None:
        initializer = _default_initializer(dtype)
    if from_value:
        return initializer, None
    if inspect.isclass(initializer):
        initializer = initializer()
    if shape.is_fully_defined():
        sizes = shape.as_list()
        if takes(initializer, "partition_info"):
            return lambda: initializer(sizes, dtype=dtype, partition_info=None), dtype.base_dtype
        return lambda: initializer(sizes, dtype=dtype), dtype.base_dtype
    if _needs_nothing(initializer):
        return initializer, None
    raise ValueError(
        "The initializer passed is not valid. It should be a callable with no arguments and the "
        "shape should not be provided or an instance of `tf.keras.initializers.*' and `shape` "
        "should be fully defined."
    )


def _default_initializer(dtype: DType) -> Any:
    if dtype.is_floating:
        return initializers.glorot_uniform_initializer()
    return initializers.zeros_initializer()


def _needs_nothing(f: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )
