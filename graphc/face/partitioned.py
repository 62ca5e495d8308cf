"""Variables in parts: what cuts them, and the parts as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.shape import TensorShape, as_shape
from graphc.face.variables import SaveSliceInfo, Variable
from graphc.ir.dtypes import DType, as_dtype, string
from graphc.ir.node import Value
from graphc.ops import arrays, convert, state

__all__ = [
    "PartitionedVariable", "create_partitioned_variables", "fixed_size_partitioner",
    "min_max_variable_partitioner", "variable_axis_size_partitioner",
]  # fmt: skip

Partitioner = Callable[..., list[int]]


def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Partitioner:
    """A partitioner that cuts `axis` in `num_shards` parts (no more than there are rows)."""

    def partitioner(shape: Any, **unused: Any) -> list[int]:
        sizes: Any = as_shape(shape).as_list()
        out = [1] * len(sizes)
        out[axis] = min(num_shards, sizes[axis])
        return out

    return partitioner


def _bytes(dtype: Any, per_string: int) -> int:
    kind = as_dtype(dtype).base_dtype
    return per_string if kind is string else kind.size


def variable_axis_size_partitioner(
    max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16,
    max_shards: int | None = None,
) -> Partitioner:  # fmt: skip
    """A partitioner that cuts `axis` so that no part has more than `max_shard_bytes`.

    Raises
    ------
    ValueError
        For sizes that are not positive; from the partitioner for shapes that are not known.
    """
    if max_shard_bytes < 1 or bytes_per_string_element < 1:
        raise ValueError(
            "Both max_shard_bytes and bytes_per_string_element must be positive. Currently: "
            f"max_shard_bytes is {max_shard_bytes} and bytes_per_string_element is "
            f"{bytes_per_string_element}"
        )
    if max_shards is not None and max_shards < 1:
        raise ValueError("max_shards must be positive.")

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        sizes = _known(shape)
        cuts = [1] * len(sizes)
        rows = sizes[axis]
        row_bytes = _bytes(dtype, bytes_per_string_element) * math.prod(sizes) // max(rows, 1)
        per_part = max(1, max_shard_bytes // max(row_bytes, 1))
        n = -(-rows // per_part)
        cuts[axis] = max(1, min(n, max_shards) if max_shards else n)
        return cuts

    return partitioner


def min_max_variable_partitioner(
    max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10,
    bytes_per_string_element: int = 16,
) -> Partitioner:  # fmt: skip
    """A partitioner that makes up to `max_partitions` parts of at least `min_slice_size` bytes.

    Raises
    ------
    ValueError
        For sizes that are not positive.
    """
    for what, n in (("max_partitions", max_partitions), ("min_slice_size", min_slice_size),
                    ("bytes_per_string_element", bytes_per_string_element)):  # fmt: skip
        if n < 1:
            raise ValueError(f"{what} must be positive: {n}")

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        sizes = _known(shape)
        cuts = [1] * len(sizes)
        total = _bytes(dtype, bytes_per_string_element) * math.prod(sizes)
        cuts[axis] = min(sizes[axis], max_partitions, max(1, math.ceil(total / min_slice_size)))
        return cuts

    return partitioner


def _known(shape: Any) -> Any:
    static = as_shape(shape)
    if not static.is_fully_defined():
        raise ValueError(f"shape is not fully defined: {static}")
    return static.as_list()


def cut(shape: Sequence[int], cuts: Sequence[int]) -> tuple[int, list[tuple[int, int]]]:
    """The axis that is cut, and where each part begins in it and how long it is.

    Raises
    ------
    ValueError
        For other than one number for each axis, or where more than one axis is cut.
    """
    if len(cuts) != len(shape):
        raise ValueError(
            "Partitioner returned a partition list that does not match shape rank: "
            f"{list(cuts)} vs. {tuple(shape)}"
        )
    if any(c < 1 for c in cuts):
        raise ValueError(f"Partitioner returned zero partitions for some axes: {list(cuts)}")
    axes = [i for i, c in enumerate(cuts) if c > 1]
    if len(axes) > 1:
        raise ValueError(
            "Can only slice a variable along one dimension: "
            f"shape: {tuple(shape)}, partitioning: {list(cuts)}"
        )
    axis = axes[0] if axes else 0
    size, extra = divmod(shape[axis], cuts[axis])
    spans, at = [], 0
    for i in range(cuts[axis]):
        n = size + (i < extra)
        spans.append((at, n))
        at += n
    return axis, spans


class PartitionedVariable:
    """Variables that are one: parts along an axis.

    Parameters
    ----------
    name : str
        Of the whole; parts are ``name/part_0`` and so on.
    shape : sequence of int
        Of the whole.
    dtype : DType
    variable_list : list of Variable
    partitions : list of int
        The number of parts along each axis.
    """

    def __init__(
        self, name: str, shape: Any, dtype: Any, variable_list: Sequence[Variable],
        partitions: Sequence[int],
    ) -> None:  # fmt: skip
        if not isinstance(variable_list, list | tuple):
            raise TypeError(f"variable_list is not a list or tuple: {variable_list}")
        self._name = name
        self._shape = as_shape(shape)
        self._dtype: DType = as_dtype(dtype).base_dtype
        self._variable_list = list(variable_list)
        self._partitions = list(partitions)

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variable_list)

    def __len__(self) -> int:
        return self._partitions[self._partition_axes()[0]]

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return self._shape

    def get_shape(self) -> TensorShape:
        """The shape of the whole."""
        return self._shape

    def _get_variable_list(self) -> list[Variable]:
        return self._variable_list

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _partition_axes(self) -> list[int]:
        axes = [i for i, n in enumerate(self._partitions) if n > 1]
        return axes or [0]

    def as_tensor(self) -> Value:
        """The whole as one tensor, named as the variable."""
        graph = get_default_graph()
        with graph.control_dependencies(None), name_scope(None):
            with name_scope(self._name + "/ConcatPartitions/"):
                parts = [convert.convert_to_tensor(v) for v in self._variable_list]
                whole = parts[0] if len(parts) == 1 else arrays.concat(
                    parts, self._partition_axes()[0]
                )  # fmt: skip
            return state.identity(whole, name=self._name)

    _AsTensor = as_tensor

    def _assigned(self, value: Any, how: str) -> list[Any]:
        axis = self._partition_axes()[0]
        sizes = [v.get_shape().as_list()[axis] for v in self._variable_list]
        if not isinstance(value, list | tuple):
            whole = convert.convert_to_tensor(value, self._dtype)
            value = arrays.split(whole, sizes, axis) if len(sizes) > 1 else [whole]
        return [getattr(v, how)(x) for v, x in zip(self._variable_list, value, strict=True)]

    def assign(
        self, value: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:  # fmt: skip
        """Give the parts new values: `value` cut up, or a list of values."""
        return self._assigned(value, "assign")

    def assign_add(
        self, value: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:  # fmt: skip
        """Add to the parts."""
        return self._assigned(value, "assign_add")

    def assign_sub(
        self, value: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> list[Any]:  # fmt: skip
        """Subtract from the parts."""
        return self._assigned(value, "assign_sub")

    def _as_graph_element(self) -> NoReturn:
        raise NotImplementedError("PartitionedVariable doesn't support being used as a reference.")


def _as_tensor(v: PartitionedVariable, dtype: DType | None, name: str | None) -> Value:
    if dtype is not None and dtype.base_dtype is not v.dtype:
        raise ValueError(
            f"Incompatible type conversion requested to type '{dtype.name}' for variable of type "
            f"'{v.dtype.name}'"
        )
    return v.as_tensor()


convert.register_conversion(PartitionedVariable, _as_tensor, packs=False)


def made_in_parts(
    get_part: Callable[..., Variable], name: str, shape: Sequence[int], cuts: Sequence[int],
    dtype: Any, initializer: Any,
) -> PartitionedVariable:  # fmt: skip
    """A variable whose parts ``get_part(name, shape, initializer)`` makes."""
    axis, spans = cut(shape, cuts)
    parts = []
    for i, (at, n) in enumerate(spans):
        part_shape, offset = list(shape), [0] * len(shape)
        part_shape[axis], offset[axis] = n, at
        given, wanted = initializer, part_shape
        if initializer is not None and not callable(initializer):
            whole = convert.convert_to_tensor(initializer, dtype)
            given = arrays.slice(whole, offset, part_shape)
            wanted = None  # type: ignore[assignment]
        v = get_part(f"{name}/part_{i}", wanted, given)
        v._set_save_slice_info(SaveSliceInfo(name, list(shape), offset, part_shape))
        parts.append(v)
    return PartitionedVariable(name, shape, dtype, parts, cuts)


def create_partitioned_variables(
    shape: Any, slicing: Sequence[int], initializer: Any, dtype: Any = "float32",
    trainable: bool = True, collections: Any = None, name: str | None = None, reuse: Any = None,
) -> list[Variable]:  # fmt: skip
    """Variables that together have `shape`, cut as `slicing` says.

    Raises
    ------
    ValueError
        For a `slicing` of another length, or of more than one axis.
    """
    from graphc.face.scopes import get_variable, variable_scope

    sizes = _known(shape)
    if len(sizes) != len(slicing):
        raise ValueError(
            f"The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: "
            f"{sizes}, slicing: {list(slicing)}"
        )
    with variable_scope(name, "PartitionedVariable", reuse=reuse) as scope:

        def part(full: str, wanted: Any, given: Any) -> Variable:
            v: Variable = get_variable(
                full.rpartition("/")[2], wanted, dtype, given, trainable=trainable,
                collections=collections,
            )  # fmt: skip
            return v

        return list(made_in_parts(part, scope.name, sizes, slicing, dtype, initializer))
