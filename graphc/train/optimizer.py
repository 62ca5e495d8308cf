"""Optimizers: TF1's formulas, slots, names and order of construction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.current import control_dependencies, init_scope, name_scope
from graphc.face.gradients import gradients
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.nest import flatten
from graphc.face.resource_variable import is_resource_variable
from graphc.face.variables import Variable, trainable_variables
from graphc.ir.dtypes import bfloat16, float16, float32, float64
from graphc.ir.node import Node, Value
from graphc.ops import arrays, fills, math, rows, shapes, state
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.counting import as_many
from graphc.ops.indexed import IndexedSlices
from graphc.train.slots import create_slot, create_slot_with_initializer, create_zeros_slot, fill

__all__ = ["Optimizer", "rowwise", "summed"]

Gradient = Any  # a tensor, IndexedSlices or None


class Optimizer:
    """Base of all optimizers; users subclass it as in TF1.

    A subclass gives `_apply_dense(grad, var)` and, for sparse gradients, `_apply_sparse(grad, var)`
    or `_apply_sparse_duplicate_indices(grad, var)`; `_create_slots`, `_prepare` and `_finish` where
    it needs them. Optimizers written for resource variables (`_resource_apply_dense` and
    `_resource_apply_sparse`) work too.

    Parameters
    ----------
    use_locking : bool
        Accepted; runs of one session never overlap an update.
    name : str
        Of the operation that `apply_gradients` makes, and of slots.
    """

    _ids: Any  # of those that are `rowwise`, as the next two
    _old: Any
    _update: Any

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Variable]] = {}
        self._non_slot_dict: dict[tuple[str, Any], Variable] = {}

    def get_name(self) -> str:
        return self._name

    # ---------------------------------------------------------------- the two halves

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Node:
        """An operation that computes the gradients of `loss` and applies them.

        Parameters
        ----------
        loss : Tensor
        global_step : Variable, optional
            Counts one up after the variables are updated.
        var_list : list of Variable, optional
            What to minimise over; by default the trainable variables of the graph.

        Raises
        ------
        ValueError
            When no variable has a gradient.
        """
        with get_default_graph().transaction():
            pairs = self.compute_gradients(
                loss, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops,
                grad_loss,
            )  # fmt: skip
            if not any(g is not None for g, _ in pairs):
                raise ValueError(
                    "No gradients provided for any variable, check your graph for ops that do not "
                    f"support gradients, between variables {[str(v) for _, v in pairs]} and loss "
                    f"{loss}."
                )
            return self.apply_gradients(pairs, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: int | None = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Gradient, Any]]:
        """Pairs (gradient, variable); the gradient is None where `loss` does not depend on it.

        Raises
        ------
        ValueError
            When there are no variables, or loss or a variable is not of a float type.
        """
        if callable(loss) and not isinstance(loss, Value | Variable):
            raise RuntimeError("`loss` passed to Optimizer.compute_gradients should be a tensor: "
                               "a function is for eager execution only.")  # fmt: skip
        if gate_gradients not in (self.GATE_NONE, self.GATE_OP, self.GATE_GRAPH):
            raise ValueError(
                "gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, "
                f"Optimizer.GATE_GRAPH.  Not {gate_gradients}"
            )
        self._assert_valid_dtypes([loss])
        if grad_loss is not None:
            grad_loss = convert_to_tensor(grad_loss, name="grad_loss")
            self._assert_valid_dtypes([grad_loss])
        if var_list is None:
            var_list = trainable_variables() + get_default_graph().get_collection(
                GraphKeys.TRAINABLE_RESOURCE_VARIABLES
            )
        var_list = flatten(var_list)
        for v in var_list:
            if not isinstance(v, Variable | Value):
                raise NotImplementedError(f"Trying to optimize unsupported type {v!r}")
        if not var_list:
            raise ValueError("No variables to optimize.")
        grads = gradients(
            loss,
            var_list,
            grad_ys=grad_loss,
            gate_gradients=gate_gradients == self.GATE_OP,
            aggregation_method=aggregation_method,
        )
        pairs = list(zip(grads, var_list, strict=True))
        self._assert_valid_dtypes([v for g, v in pairs if g is not None])
        return pairs

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Gradient, Any]],
        global_step: Any = None,
        name: str | None = None,
    ) -> Node:
        """An operation that applies gradients to their variables; pairs with None are left out.

        Parameters
        ----------
        grads_and_vars : iterable of (gradient, variable)
            As `compute_gradients` gives them; a gradient is a tensor, what converts to one,
            `IndexedSlices`, or None.
        global_step : Variable, optional
            Counts one up after the variables are updated.

        Raises
        ------
        ValueError
            When there is no gradient, or one has another shape than its variable.
        """
        pairs = tuple(grads_and_vars)
        if not pairs:
            raise ValueError("No variables provided.")
        variables = [v for g, v in pairs if g is not None]
        if not variables:
            raise ValueError(
                f"No gradients provided for any variable: {[str(v) for _, v in pairs]}."
            )
        graph = get_default_graph()
        slots = {k: dict(d) for k, d in self._slots.items()}, dict(self._non_slot_dict)
        try:
            with graph.transaction():
                converted = [(_gradient(g, v), v) for g, v in pairs]
                op = self._apply_all(converted, variables, global_step, name)
                if op not in graph.get_collection(GraphKeys.TRAIN_OP):
                    graph.add_to_collection(GraphKeys.TRAIN_OP, op)
        except BaseException:
            self._slots, self._non_slot_dict = slots
            raise
        return op

    def _apply_all(
        self, pairs: Sequence[tuple[Gradient, Any]], variables: Sequence[Any], global_step: Any,
        name: str | None,
    ) -> Node:  # fmt: skip
        with init_scope():
            self._create_slots(variables)
        updates = []
        graph = get_default_graph()
        with name_scope(name, self._name) as scope:
            self._prepare()
            for g, v in pairs:
                if g is not None:
                    with name_scope("update_" + v.op.name), graph.colocate_with(v):
                        updates.append(self._apply(g, v))
            if global_step is None:
                return _operation(self._finish(updates, scope))
            with (
                control_dependencies([self._finish(updates, "update")]),
                graph.colocate_with(global_step),
            ):
                name = "Const" if getattr(global_step, "_resource", False) else "value"
                one = constant(1, global_step.dtype.base_dtype, name=name)
                step = state.reference(global_step, "AssignAdd")  # TF1 does not read it again
                return _operation(state.assign_add(step, one, name=scope))

    def _apply(self, g: Gradient, v: Any) -> Any:
        if isinstance(v, Value):
            raise NotImplementedError("Trying to update a Tensor ", v)
        constraint = getattr(v, "constraint", None)
        if isinstance(g, IndexedSlices):
            if constraint is not None:
                raise RuntimeError("Cannot use a constraint function on a sparse variable.")
            return self._apply_sparse_duplicate_indices(g, v)
        update = self._apply_dense(g, v)
        if constraint is None:
            return update
        with control_dependencies([update]):
            return v.assign(constraint(v.read_value()))

    # ---------------------------------------------------------------- for subclasses

    def _create_slots(self, var_list: Sequence[Any]) -> None:
        pass

    def _prepare(self) -> None:
        pass

    def _valid_dtypes(self) -> set[Any]:
        return {float16, bfloat16, float32, float64}

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        valid = self._valid_dtypes()
        for t in tensors:
            dtype = t.dtype.base_dtype
            if dtype not in valid:
                raise ValueError(
                    f"Invalid type {dtype!r} for {t.name}, expected: {sorted(map(str, valid))}."
                )

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        return self._resource_apply_dense(grad, var)

    def _resource_apply_dense(self, grad: Any, handle: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} gives no _apply_dense")

    def _apply_sparse_duplicate_indices(self, grad: IndexedSlices, var: Any) -> Any:
        """Sum rows that a sparse gradient names twice, then `_apply_sparse`."""
        ids, places = arrays.unique(grad.indices)
        rows = arrays.unsorted_segment_sum(grad.values, places, shapes.shape(ids)[0])
        return self._apply_sparse(IndexedSlices(rows, ids, grad.dense_shape), var)

    def _apply_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        return self._resource_apply_sparse(grad.values, var, grad.indices)

    def _resource_apply_sparse(self, grad: Any, handle: Any, indices: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} gives no _apply_sparse")

    def _finish(self, update_ops: Sequence[Any], name_scope: str) -> Node:
        return group(*update_ops, name=name_scope)

    def _call_if_callable(self, param: Any) -> Any:
        return param() if callable(param) and not isinstance(param, Value | Variable) else param

    def _called(self, param: Any, name: str) -> Value:
        """A parameter, or what it gives when called, as a tensor."""
        return convert_to_tensor(self._call_if_callable(param), name=name)

    def _hyper(self, value: Any, var: Any) -> Value:
        """A hyper-parameter in the variable's type."""
        v = convert_to_tensor(value)
        dtype = var.dtype.base_dtype
        return v if v.dtype is dtype else math.cast(v, dtype)

    # ---------------------------------------------------------------- slots

    def _slot_dict(self, slot_name: str) -> dict[Any, Variable]:
        return self._slots.setdefault(slot_name, {})

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Variable:
        slots = self._slot_dict(slot_name)
        if _key(var) not in slots:
            slots[_key(var)] = create_slot(var, convert_to_tensor(val), op_name)
        return slots[_key(var)]

    def _get_or_make_slot_with_initializer(
        self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str
    ) -> Variable:
        slots = self._slot_dict(slot_name)
        if _key(var) not in slots:
            slots[_key(var)] = create_slot_with_initializer(var, initializer, shape, dtype, op_name)
        return slots[_key(var)]

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Variable:
        slots = self._slot_dict(slot_name)
        if _key(var) not in slots:
            slots[_key(var)] = create_zeros_slot(var, op_name)
        return slots[_key(var)]

    def _filled_slot(
        self, var: Any, value: float, slot_name: str, op_name: str, initializer: Any = None
    ) -> Variable:
        """A slot that starts with a number everywhere; `initializer` gives that of a shape."""
        shape, dtype = var.get_shape(), var.dtype.base_dtype
        if shape.is_fully_defined():
            return self._get_or_make_slot_with_initializer(
                var, initializer or fill(value), shape, dtype, slot_name, op_name
            )
        like = fills.ones_like(var.initialized_value())
        return self._get_or_make_slot(var, like * constant(value, dtype), slot_name, op_name)

    def _constant_slot(self, var: Any, value: float, slot_name: str, op_name: str) -> Variable:
        """A slot that starts with a tensor, which TF1 makes even where there is the slot."""
        shape, dtype = var.get_shape(), var.dtype.base_dtype
        if not shape.is_fully_defined():
            return self._filled_slot(var, value, slot_name, op_name)
        val = constant(value, dtype, shape)
        return self._get_or_make_slot(var, val, slot_name, op_name)

    def get_slot(self, var: Any, name: str) -> Variable | None:
        """The slot variable called `name` made for `var`, or None."""
        return self._slots.get(name, {}).get(_key(var))

    def get_slot_names(self) -> list[str]:
        """Names of all slots, sorted."""
        return sorted(self._slots)

    def variables(self) -> list[Variable]:
        """All variables that the optimizer made, in order of their names."""
        graph = get_default_graph()
        out = [v for v in self._non_slot_dict.values() if v.graph is graph]
        for slots in self._slots.values():
            out += [v for v in slots.values() if v.graph is graph]
        return sorted(out, key=lambda v: v.name)

    def _create_non_slot_variable(
        self, initial_value: Any, name: str, colocate_with: Any = None
    ) -> Variable:
        key = (name, get_default_graph())
        v = self._non_slot_dict.get(key)
        if v is None:
            with get_default_graph().colocate_with(colocate_with, ignore_existing=True):
                v = self._non_slot_dict[key] = Variable(
                    initial_value, name=name, trainable=False,
                    use_resource=is_resource_variable(colocate_with),
                )  # fmt: skip
        return v

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Variable | None:
        return self._non_slot_dict.get((name, graph or get_default_graph()))


def _key(var: Any) -> Any:
    return (var.op.graph, var.op.name)


def _operation(x: Any) -> Node:
    return x.op if isinstance(x, Value) else x  # type: ignore[attr-defined,no-any-return]


def _gradient(g: Any, v: Any) -> Gradient:
    """What a user gives as the gradient of `v`, as a tensor or `IndexedSlices` that fits it."""
    if g is None or isinstance(g, IndexedSlices):
        return g
    try:
        g = convert_to_tensor(g)
    except TypeError:
        raise TypeError(
            f"Gradient must be convertible to a Tensor or IndexedSlices, or None: {g}"
        ) from None
    if isinstance(v, Variable) and not v.get_shape().is_compatible_with(g.get_shape()):
        raise ValueError(
            f"Gradient of {v.name} has shape {g.get_shape()}, the variable has {v.get_shape()}."
        )
    return g


#: The rows of a sparse gradient with sums where it names one twice: 7 operations in TF1.
summed = as_many(7)(rows.summed)


def _rowwise_sparse_duplicates(self: Any, grad: IndexedSlices, var: Any) -> Any:
    return self._apply_sparse(summed(grad, var), var)


def _rowwise_sparse(self: Any, grad: IndexedSlices, var: Any) -> Any:
    self._ids = grad.indices
    try:
        return self._apply_dense(grad.values, var)
    finally:
        self._ids = None


def _rowwise_old(self: Any, var: Any) -> Any:
    """A variable or slot as it is, or the rows of it that a sparse gradient names."""
    return var if self._ids is None else rows.old_rows(var, self._ids)


def _rowwise_update(self: Any, var: Any, new: Any, name: str | None = None) -> Any:
    """What `_old` gave for `var` becomes `new`."""
    if self._ids is None:
        return state.assign(var, new, name=name)
    return rows.replace_rows(var, self._ids, new, name and f"Sparse{name}")


def rowwise(cls: type[Any]) -> type[Any]:
    """Of those of TF1 that leave rows alone, slots included, which a sparse gradient does not name.

    Their `_apply_dense` reads variables by `_old` and changes them by `_update`; for a sparse
    gradient these mean the rows that it names, and repeated rows are summed before. A decorator and
    not a base: programs ask for ``__base__ is tf.train.Optimizer``.
    """
    cls._ids = None
    cls._apply_sparse_duplicate_indices = _rowwise_sparse_duplicates
    cls._apply_sparse = _rowwise_sparse
    cls._old = _rowwise_old
    cls._update = _rowwise_update
    return cls
