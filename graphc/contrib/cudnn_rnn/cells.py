"""Cells that compute what cuDNN's recurrent layers do, with weights in variables of their own."""

from __future__ import annotations

from typing import Any

from graphc.face.initializers import Constant, Zeros
from graphc.nn.cells import GRUCell
from graphc.nn.contrib_cells import LSTMBlockCell
from graphc.ops import joining, math
from graphc.ops.linalg import matmul
from graphc.ops.nn import bias_add

__all__ = ["CudnnCompatibleGRUCell", "CudnnCompatibleLSTMCell"]


class CudnnCompatibleLSTMCell(LSTMBlockCell):
    """An LSTM cell as cuDNN has it: no forget bias, no clipping, no peepholes.

    Parameters
    ----------
    num_units : int
    reuse : bool, optional
    """

    def __init__(self, num_units: int, reuse: Any = None) -> None:
        super().__init__(
            num_units, forget_bias=0.0, cell_clip=None, use_peephole=False, reuse=reuse,
            name="cudnn_compatible_lstm_cell",
        )  # fmt: skip


class CudnnCompatibleGRUCell(GRUCell):
    """A gated recurrent unit as cuDNN has it: the reset gate is on the product of the state.

    Parameters
    ----------
    num_units : int
    reuse : bool, optional
    kernel_initializer : optional
    """

    def __init__(self, num_units: int, reuse: Any = None, kernel_initializer: Any = None) -> None:
        super().__init__(num_units, reuse=reuse, kernel_initializer=kernel_initializer)
        self._base = self._name = "cudnn_compatible_gru_cell"

    def build(self, inputs_shape: Any) -> None:
        """Make kernels and biases of gates, inputs and states."""
        n, depth = self._num_units, self._depth(inputs_shape)
        init = self._kernel_initializer
        add = self.add_variable
        self._gate_kernel = add("gates/kernel", [depth + n, 2 * n], initializer=init)
        self._gate_bias = add(
            "gates/bias", [2 * n], initializer=self._bias_initializer or Constant(1.0)
        )
        for part, rows in ("input", depth), ("hidden", n):
            name = f"candidate/{part}_projection/kernel"
            setattr(self, f"_{part}_kernel", add(name, [rows, n], initializer=init))
        for part in ("input", "hidden"):
            name = f"candidate/{part}_projection/bias"
            start = self._bias_initializer or Zeros()
            setattr(self, f"_{part}_bias", add(name, [n], initializer=start))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        both = matmul(joining.concat([inputs, state], 1), self._gate_kernel)
        r, u = joining.split(math.sigmoid(bias_add(both, self._gate_bias)), 2, 1)
        own: Any = self
        candidate = bias_add(matmul(inputs, own._input_kernel), own._input_bias)
        candidate += r * bias_add(matmul(state, own._hidden_kernel), own._hidden_bias)
        new_h = (1 - u) * self._activation(candidate) + u * state
        return new_h, new_h
