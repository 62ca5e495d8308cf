"""Moving averages of variables and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face import scopes
from graphc.face.control import group
from graphc.face.current import init_scope, name_scope
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import (
    Variable,
    global_variables,
    moving_average_variables,
    trainable_variables,
)
from graphc.ir.dtypes import float32
from graphc.ir.node import Node, Value
from graphc.ops import math, state
from graphc.ops.convert import convert_to_tensor
from graphc.train.slots import create_slot, create_zeros_slot, fill

__all__ = ["ExponentialMovingAverage"]


def assign_moving_average(
    variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None
) -> Value:
    """Update a moving average: ``variable -= (1 - decay) * (variable - value)``.

    Parameters
    ----------
    zero_debias : bool
        Divide by ``1 - decay**updates``, for a variable that starts at zero.
    """
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        rate = convert_to_tensor(1.0 - decay, name="decay")
        dtype = variable.dtype.base_dtype
        if rate.dtype is not dtype:
            rate = math.cast(rate, dtype)
        value = convert_to_tensor(value)
        if zero_debias:
            return _zero_debias(variable, value, rate)
        delta = (convert_to_tensor(variable) - value) * rate
        out: Value = variable.assign_sub(delta, name=scope)
        return out


def _zero_debias(unbiased: Any, value: Value, rate: Value) -> Value:
    """Kingma and Ba's correction (arXiv:1412.6980): the biased average is kept beside."""
    dtype = unbiased.dtype.base_dtype
    with scopes.variable_scope(unbiased.op.name, values=[unbiased, value, rate]) as scope:
        taken = {v.op.name for v in scope.global_variables()}

        def unused(name: str) -> str:
            made, k = name, 0
            while not scope.reuse and f"{scope.name}/{made}" in taken:
                k += 1
                made = f"{name}_{k}"
            return made

        biased = scopes.get_variable(
            unused("biased"), unbiased.get_shape(), dtype, fill(0.0), trainable=False
        )
        steps = scopes.get_variable(unused("local_step"), [], dtype, fill(0.0), trainable=False)
        new = state.assign_sub(biased, (convert_to_tensor(biased) - value) * rate)
        count = state.assign_add(steps, 1)
        made = new / (1 - math.pow(1.0 - rate, count))
        return state.assign(unbiased, made, name=get_default_graph().get_name_scope() + "/")


class ExponentialMovingAverage:
    """Shadow variables that follow others: ``shadow -= (1 - decay) * (shadow - variable)``.

    Parameters
    ----------
    decay : float or tensor
    num_updates : int or tensor, optional
        With it the decay is ``min(decay, (1 + num_updates) / (10 + num_updates))``.
    zero_debias : bool
        Correct the bias of averages of tensors, which start at zero.
    name : str
        Of the shadow variables.
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False,
        name: str = "ExponentialMovingAverage",
    ) -> None:  # fmt: skip
        self._decay = decay
        self._num_updates = num_updates
        self._zero_debias = zero_debias
        self._name = name
        self._averages: dict[Any, Variable] = {}

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Sequence[Any] | None = None) -> Node:
        """An operation that updates the averages of `var_list` (by default trainable variables).

        Raises
        ------
        TypeError
            For tensors of integers.
        """
        if var_list is None:
            var_list = trainable_variables()
        for v in var_list:
            if v.dtype.base_dtype.kind != "f":
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
        averages = dict(self._averages)
        graph = get_default_graph()
        with graph.transaction():
            debiased = set()
            for v in var_list:
                if _key(v) not in averages:
                    averages[_key(v)] = self._shadow(v)
                    if self._zero_debias and not isinstance(v, Variable):
                        debiased.add(_key(v))
            with name_scope(self._name) as scope:
                decay = convert_to_tensor(self._decay, name="decay")
                if self._num_updates is not None:
                    n = math.cast(self._num_updates, float32, name="num_updates")
                    decay = math.minimum(decay, (1.0 + n) / (10.0 + n))
                updates = [
                    assign_moving_average(averages[_key(v)], v, decay, _key(v) in debiased)
                    for v in var_list
                ]
                made = group(*updates, name=scope)
        self._averages = averages
        return made

    def _shadow(self, v: Any) -> Variable:
        with init_scope():
            if isinstance(v, Variable):
                made = create_slot(v, v.initialized_value(), self._name)
                get_default_graph().add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, v)
                return made
            return create_zeros_slot(v, self._name)

    def average(self, var: Any) -> Variable | None:
        """The shadow variable of `var`, or None when `apply` has not seen it."""
        return self._averages.get(_key(var))

    def average_name(self, var: Any) -> str:
        """The name of the shadow variable of `var`, whether it exists yet or not."""
        found = self._averages.get(_key(var))
        if found is not None:
            return found.op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(
        self, moving_avg_variables: Sequence[Any] | None = None
    ) -> dict[str, Any]:
        """Names to restore from a checkpoint: the average's where there is one."""
        if moving_avg_variables is None:
            moving_avg_variables = trainable_variables() + moving_average_variables()
        moving = list(dict.fromkeys(moving_avg_variables))
        out = {self.average_name(v): v for v in moving}
        names = {v.name for v in moving}
        for v in global_variables():
            if v.name not in names and v.op.name not in out:
                out[v.op.name] = v
        return out


def _key(var: Any) -> Any:
    return (var.op.graph, var.op.name)
