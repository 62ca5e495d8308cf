"""Recurrent layers as ``tf.compat.v2.keras.layers`` has them, and the cell with peepholes.

They are those of ``tf.keras.layers`` with other defaults: gates are sigmoids, and a `GRU` resets
after the product.
"""

from __future__ import annotations

from typing import Any

from graphc.keras import recurrent

__all__ = ["GRU", "LSTM", "GRUCell", "LSTMCell", "PeepholeLSTMCell"]


class LSTMCell(recurrent.LSTMCell):
    """`tf.keras.layers.LSTMCell` with sigmoids."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        *args: Any, implementation: int = 2, **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs["implementation"] = implementation
        super().__init__(units, activation, recurrent_activation, *args, **kwargs)


class GRUCell(recurrent.GRUCell):
    """`tf.keras.layers.GRUCell` with sigmoids, reset after the product."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        *args: Any, implementation: int = 2, reset_after: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs.update(implementation=implementation, reset_after=reset_after)
        super().__init__(units, activation, recurrent_activation, *args, **kwargs)


class LSTM(recurrent.LSTM):
    """`tf.keras.layers.LSTM` with sigmoids."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        *args: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, recurrent_activation, *args, **kwargs)


class GRU(recurrent.GRU):
    """`tf.keras.layers.GRU` with sigmoids, reset after the product."""

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid",
        *args: Any, reset_after: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        kwargs["reset_after"] = reset_after
        super().__init__(units, activation, recurrent_activation, *args, **kwargs)


class PeepholeLSTMCell(recurrent.LSTMCell):
    """An LSTM cell whose gates see the cell's state, each through weights of its own."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.input_gate_peephole_weights = self._peephole("input")
        self.forget_gate_peephole_weights = self._peephole("forget")
        self.output_gate_peephole_weights = self._peephole("output")

    def _peephole(self, gate: str) -> Any:
        name = f"{gate}_gate_peephole_weights"
        return self.add_weight(name, (self.units,), None, self.kernel_initializer)

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, c = states[0], states[1]
        i, f, g, o = self._before_gates(inputs, h)
        gate = self.recurrent_activation
        kept = gate(f + self.forget_gate_peephole_weights * c) * c
        c = kept + gate(i + self.input_gate_peephole_weights * c) * self.activation(g)
        h = gate(o + self.output_gate_peephole_weights * c) * self.activation(c)
        return h, [h, c]
