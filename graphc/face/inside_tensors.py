"""Kinds of tensors as ``tensorflow.python…`` tells them apart, and what depends on what.

`graphc.face.inside_names` says under which names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphc.face.convert import convert_to_tensor
from graphc.face.elements import Tensor
from graphc.ir import dtypes

__all__ = [
    "ENABLE_CONTROL_FLOW_V2",
    "BatchableTypeSpec",
    "CompositeTensor",
    "TensorLike",
    "TypeSpec",
    "all_saveable_objects",
    "as_graph_element",
    "concat_sizes",
    "constant_value_as_shape",
    "is_dense_tensor_like",
    "pure_variable_scope",
    "reachable",
    "register_dense_tensor_like_type",
    "try_evaluate",
    "unknown_shape",
    "zero_state_tensors",
]


#: Whether loops and conds are functions, as in TensorFlow 2: no.
ENABLE_CONTROL_FLOW_V2 = False


def _kinds() -> tuple[type, ...]:
    from graphc.ops.indexed import IndexedSlices
    from graphc.sparse.tensor import SparseTensor

    return (Tensor, IndexedSlices, SparseTensor)


class _Kind(type):
    def __instancecheck__(cls, obj: Any) -> bool:
        if cls is not TensorLike:
            return type.__instancecheck__(cls, obj)
        return isinstance(obj, _kinds())

    def __subclasscheck__(cls, kind: type) -> bool:
        if cls is not TensorLike:
            return type.__subclasscheck__(cls, kind)
        return issubclass(kind, _kinds())


class _Composite(type):
    def __instancecheck__(cls, obj: Any) -> bool:
        from graphc.ragged.tensor import RaggedTensor

        if type.__instancecheck__(cls, obj):
            return True
        return cls is CompositeTensor and isinstance(obj, (*_kinds()[1:], RaggedTensor))


class CompositeTensor(metaclass=_Composite):
    """What sparse and ragged tensors and indexed slices are instances of."""


class TypeSpec:
    """Base of users' descriptions of things made of tensors; nothing here asks for them."""


class BatchableTypeSpec(TypeSpec):
    """Base of descriptions of things that batches can be made of."""


class TensorLike(metaclass=_Kind):
    """What tensors, sparse tensors and indexed slices are instances of; variables are not."""


def is_dense_tensor_like(t: Any) -> bool:
    """Whether `t` is a tensor, a variable, or rows of a tensor."""
    from graphc.face.variables import Variable
    from graphc.ops.indexed import IndexedSlices

    return isinstance(t, (Tensor, Variable, IndexedSlices, *_dense))


def as_graph_element(obj: Any) -> Any:
    """The tensor that stands for `obj` in a graph, or None: what a variable is read by."""
    hook = getattr(obj, "_as_graph_element", None)
    return hook() if hook is not None else None


def reachable(inputs: Iterable[Any], targets: Iterable[Any] | None = None) -> set[Any]:
    """Everything that is computed from `inputs`: tensors, their operations, and themselves.

    A loop or a cond counts as one operation: all its results are computed from all it reads.

    Parameters
    ----------
    inputs : list of tensors and variables
    targets : list of tensors, optional
        With these the set holds only what was made before the last of them.
    """
    found: set[Any] = set(inputs)
    tensors = [x if isinstance(x, Tensor) else as_graph_element(x) for x in found]
    found.update(t for t in tensors if t is not None)
    graphs = {t.graph for t in tensors if t is not None}
    last = None
    if targets is not None:
        last = max((t.op.id for t in targets if isinstance(t, Tensor)), default=0)
    for graph in graphs:
        for op in sorted(graph.get_operations(), key=lambda op: op.id):
            if last is not None and op.id > last:
                break
            if any(v in found for v in op.inputs):
                found.update((op, *op.outputs))
    return found


def try_evaluate(graph: Any, output: Any) -> Any:
    """The value of a tensor that depends on no run, or None."""
    from graphc.face.more import constant_value

    return constant_value(output)


def constant_value_as_shape(tensor: Any) -> Any:
    """What is known of a shape that a tensor holds: each -1 is a size that is not."""
    from graphc.face.more import constant_value
    from graphc.face.shape import TensorShape

    value = constant_value(tensor)
    if value is None:
        return unknown_shape(tensor.get_shape()[0].value if tensor.rank == 1 else None)
    return TensorShape([None if n < 0 else int(n) for n in value])


def concat_sizes(prefix: Any, suffix: Any, static: bool = False) -> Any:
    """The sizes `prefix` followed by `suffix`: a tensor, or what is known of them as a list.

    Raises
    ------
    ValueError
        When one of them is neither a number nor a vector, or is None where a tensor is asked for.
    """
    from graphc.face.more import constant_value
    from graphc.face.shape import TensorShape
    from graphc.ops import arrays, shapes

    def part(p: Any, which: str) -> tuple[Any, Any]:
        """The sizes as a vector, and as a shape."""
        if isinstance(p, Tensor):
            known = constant_value(p)
            if p.rank not in (0, 1):
                raise ValueError(
                    f"{which} tensor must be either a scalar or vector, but saw tensor: {p}"
                )
            rank = 1 if p.rank == 0 else p.get_shape()[0].value
            vector = shapes.expand_dims(p, 0) if p.rank == 0 else p
            sizes: Any = None if known is None and p.rank == 0 else [None] * (rank or 0)
            if known is not None:
                sizes = [int(n) for n in np.atleast_1d(known)]
            return vector, TensorShape(sizes)
        shape = (
            TensorShape(p)
            if isinstance(p, list | tuple | TensorShape) or p is None
            else (TensorShape([p]))
        )
        if static or not shape.is_fully_defined():
            return None, shape
        return convert_to_tensor(shape.as_list(), dtypes.int32), shape

    first, known_first = part(prefix, "prefix")
    second, known_second = part(suffix, "suffix")
    if static:
        both = known_first.concatenate(known_second)
        return None if both.ndims is None else both.as_list()
    if first is None or second is None:
        raise ValueError(f"Provided a prefix or suffix of None: {prefix} and {suffix}")
    return arrays.concat((first, second), 0)


def zero_state_tensors(state_size: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros of the structure of `state_size`, ``[batch_size, size]`` each."""
    from graphc.face import nest
    from graphc.nn.cells import zero_part

    return nest.map_structure(lambda s: zero_part(batch_size, s, dtype), state_size)


#: Classes of users' that count as tensors.
_dense: list[type] = []


def register_dense_tensor_like_type(tensor_type: type) -> None:
    """Let `is_dense_tensor_like` know a class.

    Raises
    ------
    TypeError
        When it has no properties ``name`` and ``dtype``.
    """
    for name in ("name", "dtype"):
        if not isinstance(getattr(tensor_type, name, None), property):
            raise TypeError(f"Type {tensor_type.__name__} does not define a `{name}` property")
    _dense.append(tensor_type)


def unknown_shape(rank: int | None = None) -> Any:
    """A shape of which only the rank is known, or nothing."""
    from graphc.face.shape import TensorShape

    return TensorShape(None if rank is None else [None] * rank)


def pure_variable_scope(
    name_or_scope: Any, reuse: Any = None, initializer: Any = None, regularizer: Any = None,
    caching_device: Any = None, partitioner: Any = None, custom_getter: Any = None, *,
    dtype: Any = None, use_resource: Any = None, constraint: Any = None,
) -> Any:  # fmt: skip
    """A variable scope that opens no name scope."""
    from graphc.face.scopes import variable_scope

    return variable_scope(
        name_or_scope, reuse=reuse, initializer=initializer, regularizer=regularizer,
        caching_device=caching_device, partitioner=partitioner, custom_getter=custom_getter,
        use_resource=use_resource, constraint=constraint, auxiliary_name_scope=False,
        **({} if dtype is None else {"dtype": dtype}),
    )  # fmt: skip


def all_saveable_objects(scope: str | None = None) -> Sequence[Any]:
    """The variables and the other objects that a `Saver` saves."""
    from graphc.face.current import get_collection
    from graphc.face.graph_keys import GraphKeys

    return [
        *get_collection(GraphKeys.GLOBAL_VARIABLES, scope),
        *get_collection(GraphKeys.SAVEABLE_OBJECTS, scope),
    ]
