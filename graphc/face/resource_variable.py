"""`ResourceVariable`: what ``tf.Variable`` makes with ``use_resource=True``, and its operations."""

from __future__ import annotations

from typing import Any

from graphc.face.elements import Tensor
from graphc.face.variables import Variable
from graphc.ir.dtypes import DType, as_dtype
from graphc.ops import arrays, math, scatter, shapes, state

__all__ = [
    "ResourceVariable", "assign_add_variable_op", "assign_sub_variable_op", "assign_variable_op",
    "is_resource_variable", "read_variable_op", "resource_gather", "resource_gather_nd",
    "resource_scatter_add", "resource_scatter_div", "resource_scatter_max", "resource_scatter_min",
    "resource_scatter_mul", "resource_scatter_sub", "resource_scatter_update",
    "var_is_initialized_op", "variable_shape",
]  # fmt: skip


class ResourceVariable(Variable):
    """A variable whose reads are values: what is assigned later in a run leaves them as they are.

    ``tf.Variable`` and ``tf.get_variable`` make it where ``use_resource`` is true or
    ``tf.enable_resource_variables`` was called. Its arguments are those of `tf.Variable`.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     tf.Variable([1.0, 2.0], name="w", use_resource=True)
    <tf.Variable 'w:0' shape=(2,) dtype=float32>
    """

    _resource = True

    @property
    def dtype(self) -> DType:
        return self._variable.dtype

    @property
    def handle(self) -> Tensor:
        """What names it to the functions of ``resource_variable_ops``."""
        return self._variable  # type: ignore[return-value]

    @property
    def create(self) -> Any:
        """The operation that gives it its initial value."""
        return self.initializer

    def is_initialized(self, name: str | None = None) -> Tensor:
        """Whether it has a value."""
        found: Tensor = var_is_initialized_op(self._variable, name)
        return found

    def numpy(self) -> Any:
        """Its value where operations run at once, which they do not here.

        Raises
        ------
        NotImplementedError
            Always, as in TensorFlow's graphs.
        """
        raise NotImplementedError("numpy() is only available when eager execution is enabled.")


def is_resource_variable(var: Any) -> bool:
    """Whether a variable is a `ResourceVariable`."""
    return isinstance(var, ResourceVariable)


def read_variable_op(resource: Any, dtype: Any, name: str | None = None) -> Any:
    """The value of the variable with the handle `resource`.

    Raises
    ------
    ValueError
        When the variable has another type.
    """
    value = state.reference(resource, "ReadVariableOp")
    if value.dtype is not as_dtype(dtype).base_dtype:
        raise ValueError(
            f"Trying to read variable of type {value.dtype.name} as {as_dtype(dtype).name}"
        )
    return state.identity(value, name=name or "ReadVariableOp")


def assign_variable_op(resource: Any, value: Any, name: str | None = None) -> Any:
    """The operation that assigns `value`."""
    return state.assign(resource, value, name=name or "AssignVariableOp").node


def assign_add_variable_op(resource: Any, value: Any, name: str | None = None) -> Any:
    """The operation that adds `value`."""
    return state.assign_add(resource, value, name=name or "AssignAddVariableOp").node


def assign_sub_variable_op(resource: Any, value: Any, name: str | None = None) -> Any:
    """The operation that subtracts `value`."""
    return state.assign_sub(resource, value, name=name or "AssignSubVariableOp").node


def var_is_initialized_op(resource: Any, name: str | None = None) -> Any:
    """Whether the variable has a value."""
    return state.is_variable_initialized(resource, name=name or "VarIsInitializedOp")


def variable_shape(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """The shape of the variable's value."""
    return shapes.shape(input, name or "VariableShape", as_dtype(out_type))


def resource_gather(
    resource: Any, indices: Any, dtype: Any, batch_dims: int = 0, validate_indices: bool = True,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Rows of the variable."""
    value = read_variable_op(resource, dtype)
    return arrays.gather(value, indices, batch_dims=batch_dims, name=name or "ResourceGather")


def resource_gather_nd(resource: Any, indices: Any, dtype: Any, name: str | None = None) -> Any:
    """Elements or slices of the variable."""
    value = read_variable_op(resource, dtype)
    return arrays.gather_nd(value, indices, name=name or "ResourceGatherNd")


def _scattered(kind: str) -> Any:
    change = getattr(scatter, f"scatter_{kind}")

    def f(resource: Any, indices: Any, updates: Any, name: str | None = None) -> Any:
        handle = state.reference(resource, f"ResourceScatter{kind.title()}")
        return change(
            handle, indices, math.cast(updates, handle.dtype),
            name=name or f"ResourceScatter{kind.title()}",
        ).node  # fmt: skip

    f.__name__ = f"resource_scatter_{kind}"
    f.__doc__ = f"The operation of `tf.scatter_{kind}` on the variable."
    return f


resource_scatter_add = _scattered("add")
resource_scatter_div = _scattered("div")
resource_scatter_max = _scattered("max")
resource_scatter_min = _scattered("min")
resource_scatter_mul = _scattered("mul")
resource_scatter_sub = _scattered("sub")
resource_scatter_update = _scattered("update")
