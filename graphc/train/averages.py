"""Moving averages of variables and tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.graph import GraphKeys, control_dependencies, get_default_graph, name_scope
from graphc.face.variables import Variable, moving_average_variables, trainable_variables
from graphc.ir.node import Node
from graphc.ops import math, state
from graphc.ops.convert import convert_to_tensor

from graphc.train.optimizer import _key, create_slot, fill

__all__ = ["ExponentialMovingAverage"]


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
        self._averages: dict[Any, tuple[Any, Variable]] = {}

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Sequence[Any] | None = None) -> Node:
        """An operation that updates the averages of `var_list` (by default trainable variables).

        Raises
        ------
        TypeError
            For tensors of integers.
        ValueError
            When an average of one of them was made before.
        """
        if var_list is None:
            var_list = trainable_variables()
        debiased: set[Any] = set()
        for v in var_list:
            if v.dtype.base_dtype.kind != "f":
                raise TypeError(f"The variables must be half, float, or double: {v.name}")
            if _key(v) in self._averages:
                raise ValueError(f"Moving average already computed for: {v.name}")
        graph = get_default_graph()
        for v in var_list:
            with control_dependencies(None):
                if isinstance(v, Variable):
                    start = v.initialized_value()
                    shadow = create_slot(v, lambda start=start: start, self._name)
                    graph.add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, v)
                else:
                    shadow = create_slot(
                        v, fill(0.0), self._name, v.get_shape(), v.dtype.base_dtype
                    )
                    if self._zero_debias:
                        debiased.add(_key(v))
                self._averages[_key(v)] = (v, shadow)
        with name_scope(self._name) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                n = math.cast(convert_to_tensor(self._num_updates, name="num_updates"), decay.dtype)
                decay = math.minimum(decay, (1.0 + n) / (10.0 + n))
            updates = []
            for v in var_list:
                shadow = self._averages[_key(v)][1]
                updates.append(
                    self._follow(shadow, convert_to_tensor(v), decay, _key(v) in debiased)
                )
            return group(*updates, name=scope)

    def _follow(self, shadow: Variable, value: Any, decay: Any, debias: bool) -> Any:
        rate = 1.0 - math.cast(decay, shadow.dtype.base_dtype)
        if not debias:
            return state.assign_sub(shadow, (shadow - value) * rate)
        # Kingma and Ba's correction, kept in the shadow itself as TF1 does
        biased = create_slot(
            shadow, fill(0.0), "biased", shadow.get_shape(), shadow.dtype.base_dtype
        )
        steps = create_slot(
            shadow, fill(0.0), "local_step", _scalar_shape(), shadow.dtype.base_dtype
        )
        new = biased - (biased - value) * rate
        count = steps + 1.0
        keep = [state.assign(biased, new), state.assign(steps, count)]
        unbiased = new / (1.0 - math.pow(1.0 - rate, count))
        return group(*keep, state.assign(shadow, unbiased))

    def average(self, var: Any) -> Variable | None:
        """The shadow variable of `var`, or None when `apply` has not seen it."""
        found = self._averages.get(_key(var))
        return None if found is None else found[1]

    def average_name(self, var: Any) -> str:
        """The name of the shadow variable of `var`, whether it exists yet or not."""
        found = self._averages.get(_key(var))
        if found is not None:
            return found[1].op.name
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(
        self, moving_avg_variables: Sequence[Any] | None = None
    ) -> dict[str, Any]:
        """Names to restore from a checkpoint: the average's where there is one."""
        from graphc.face.variables import global_variables

        moving = list(trainable_variables()) + list(moving_average_variables())
        if moving_avg_variables is not None:
            moving = list(moving_avg_variables)
        out: dict[str, Any] = {}
        for v in dict.fromkeys(moving):
            out[self.average_name(v)] = v
        for v in global_variables():
            if v not in moving and v.op.name not in out:
                out[v.op.name] = v
        return out


def _scalar_shape() -> Any:
    from graphc.face.shape import TensorShape

    return TensorShape([])
