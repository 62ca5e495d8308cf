"""The base of a user's own recurrent cells."""

from __future__ import annotations

from typing import Any

from graphc.keras.engine import Layer
from graphc.keras.recurrent import _Cell

__all__ = ["AbstractRNNCell"]


class AbstractRNNCell(Layer):
    """A cell for `tf.keras.layers.RNN`: subclasses define `call`, `state_size`, `output_size`."""

    def call(self, inputs: Any, states: Any) -> Any:
        """The output of a step and the states after it."""
        raise NotImplementedError("Abstract method")

    @property
    def state_size(self) -> Any:
        """Sizes of the states."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """Size of the output."""
        raise NotImplementedError("Abstract method")

    get_initial_state = _Cell.get_initial_state
