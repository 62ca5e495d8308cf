"""Seldom used cells of ``tf.contrib.rnn``."""

from __future__ import annotations

from typing import Any

from graphc.face.initializers import Constant, RandomUniform, Zeros
from graphc.face.scopes import get_variable
from graphc.face.shape import TensorShape
from graphc.layers.words import initializer_of
from graphc.nn.cells import LSTMStateTuple, RNNCell, UnitsCell
from graphc.ops import arrays, conv, linalg, math, nn

__all__ = [
    "Conv1DLSTMCell", "Conv2DLSTMCell", "Conv3DLSTMCell", "ConvLSTMCell", "IndyGRUCell",
    "IndyLSTMCell", "NASCell", "SRUCell",
]  # fmt: skip


class NASCell(UnitsCell):
    """The cell that architecture search found (arXiv:1611.01578).

    Parameters
    ----------
    num_units : int
    num_proj : int, optional
        The output is projected to so many units.
    use_bias : bool
    reuse : bool, optional
    """

    def __init__(
        self, num_units: int, num_proj: int | None = None, use_bias: bool = False,
        reuse: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, None, reuse, kwargs.pop("name", None), None, kwargs)
        self.input_spec = None
        self._num_proj = num_proj
        self._use_bias = use_bias

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        return self._num_units if self._num_proj is None else self._num_proj

    def build(self, inputs_shape: Any) -> None:
        """Make kernels, bias and projection."""
        n, depth = self._num_units, self._depth(inputs_shape)
        self._recurrent = self.add_variable("recurrent_kernel", [self.output_size, 8 * n])
        self._kernel = self.add_variable("kernel", [depth, 8 * n])
        if self._use_bias:
            self._bias = self.add_variable("bias", [8 * n], initializer=Zeros())
        if self._num_proj is not None:
            self._projection = self.add_variable("projection_weights", [n, self._num_proj])
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, m = state
        of_state: Any = linalg.matmul(m, self._recurrent)
        if self._use_bias:
            of_state = nn.bias_add(of_state, self._bias)
        x = arrays.split(linalg.matmul(inputs, self._kernel), 8, 1)
        h = arrays.split(of_state, 8, 1)
        one = math.tanh(math.sigmoid(x[0] + h[0]) * nn.relu(x[1] + h[1]))
        two = math.tanh(math.sigmoid(x[2] + h[2]) + nn.relu(x[3] * h[3]))
        three = math.tanh(math.tanh(x[4] + h[4]) * math.sigmoid(x[5] + h[5]))
        four = math.sigmoid(math.tanh(x[6] + h[6]) + math.sigmoid(x[7] + h[7]))
        new_c = math.tanh(one + c) * two
        new_m: Any = math.tanh(new_c * math.tanh(three + four))
        if self._num_proj is not None:
            new_m = linalg.matmul(new_m, self._projection)
        return new_m, LSTMStateTuple(new_c, new_m)


class SRUCell(UnitsCell):
    """A simple recurrent unit (arXiv:1709.02755).

    Parameters
    ----------
    num_units : int
    activation, reuse, name
        As for `BasicRNNCell`.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, None, kwargs)

    def build(self, inputs_shape: Any) -> None:
        """Make kernel and bias."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [self._depth(inputs_shape), 4 * n])
        self._bias = self.add_variable("bias", [2 * n], initializer=Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        x, f, r, passed = arrays.split(linalg.matmul(inputs, self._kernel), 4, 1)
        gates = math.sigmoid(nn.bias_add(arrays.concat([f, r], 1), self._bias))
        f, r = arrays.split(gates, 2, 1)
        c = f * state + (1.0 - f) * x
        return r * self._activation(c) + (1.0 - r) * passed, c


class _Indy(UnitsCell):
    """What cells whose units see only themselves have in common (arXiv:1803.04831)."""

    def __init__(
        self, num_units: int, activation: Any, reuse: Any, kernel_initializer: Any,
        bias_initializer: Any, name: str | None, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, {})
        self._kernel_initializer = initializer_of(kernel_initializer)
        self._bias_initializer = initializer_of(bias_initializer)

    def _triple(
        self, prefix: str, depth: int, columns: int, start: Any, kernel: str = "kernel_w"
    ) -> tuple[Any, Any, Any]:
        """Kernel of the inputs, weights of the state, and bias."""
        w = self.add_variable(
            f"{prefix}{kernel}", [depth, columns], initializer=self._kernel_initializer
        )
        u = self.add_variable(
            f"{prefix}kernel_u", [1, columns], initializer=RandomUniform(-1.0, 1.0)
        )
        start = start if self._bias_initializer is None else self._bias_initializer
        return w, u, self.add_variable(f"{prefix}bias", [columns], initializer=start)

    @staticmethod
    def _sum(inputs: Any, state: Any, times: int, triple: tuple[Any, Any, Any]) -> Any:
        w, u, b = triple
        wide = arrays.tile(state, [1, times]) if times > 1 else state
        return nn.bias_add(linalg.matmul(inputs, w) + wide * u, b)


class IndyGRUCell(_Indy):
    """A GRU cell whose units see only themselves.

    Parameters
    ----------
    num_units, activation, reuse, kernel_initializer, bias_initializer, name, dtype
        As for `GRUCell`.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None,
        kernel_initializer: Any = None, bias_initializer: Any = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, activation, reuse, kernel_initializer, bias_initializer, name, dtype
        )

    def build(self, inputs_shape: Any) -> None:
        """Make kernels and biases."""
        n, depth = self._num_units, self._depth(inputs_shape)
        self._gates = self._triple("gates/", depth, 2 * n, Constant(1.0))
        self._candidate = self._triple("candidate/", depth, n, Zeros(), "kernel")
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        r, u = arrays.split(math.sigmoid(self._sum(inputs, state, 2, self._gates)), 2, 1)
        c = self._activation(self._sum(inputs, r * state, 1, self._candidate))
        new = u * state + (1 - u) * c
        return new, new


class IndyLSTMCell(_Indy):
    """An LSTM cell whose units see only themselves.

    Parameters
    ----------
    num_units, forget_bias, activation, reuse, name, dtype
        As for `BasicLSTMCell`.
    kernel_initializer, bias_initializer : optional
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, activation: Any = None, reuse: Any = None,
        kernel_initializer: Any = None, bias_initializer: Any = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, activation, reuse, kernel_initializer, bias_initializer, name, dtype
        )
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        """Make kernels and bias."""
        self._gates = self._triple("", self._depth(inputs_shape), 4 * self._num_units, Zeros())
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        i, j, f, o = arrays.split(self._sum(inputs, h, 4, self._gates), 4, 1)
        new_c = c * math.sigmoid(f + self._forget_bias) + math.sigmoid(i) * self._activation(j)
        new_h = self._activation(new_c) * math.sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)


class ConvLSTMCell(RNNCell):
    """An LSTM cell whose products are convolutions (arXiv:1506.04214).

    Parameters
    ----------
    conv_ndims : int
        1, 2 or 3.
    input_shape : list of int
        Without the batch.
    output_channels : int
    kernel_shape : list of int
    use_bias : bool
    skip_connection : bool
        Whether the inputs are put behind the output.
    forget_bias : float
    initializers : optional
        Not used, as in TensorFlow.
    name : str
    """

    def __init__(
        self, conv_ndims: int, input_shape: Any, output_channels: int, kernel_shape: Any,
        use_bias: bool = True, skip_connection: bool = False, forget_bias: float = 1.0,
        initializers: Any = None, name: str = "conv_lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(name=name)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._ndims = conv_ndims
        self._sizes = list(input_shape)
        self._channels = output_channels
        self._kernel_shape = list(kernel_shape)
        self._use_bias = use_bias
        self._skip_connection = skip_connection
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        shape = TensorShape([*self._sizes[:-1], self._channels])
        return LSTMStateTuple(shape, shape)

    @property
    def output_size(self) -> Any:
        more = self._sizes[-1] if self._skip_connection else 0
        return TensorShape([*self._sizes[:-1], self._channels + more])

    def _conv(self, x: Any) -> Any:
        columns = 4 * self._channels
        depth = x.get_shape()[-1].value
        kernel = get_variable("kernel", [*self._kernel_shape, depth, columns], dtype=x.dtype)
        if self._ndims == 1:
            out: Any = conv.conv1d(x, kernel, 1, padding="SAME")
        else:
            f = conv.conv2d if self._ndims == 2 else conv.conv3d
            out = f(x, kernel, [1] * (self._ndims + 2), padding="SAME")
        if not self._use_bias:
            return out
        return out + get_variable("biases", [columns], x.dtype, Constant(0.0))

    def call(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step."""
        memory, hidden = state
        axis = self._ndims + 1
        gates = self._conv(arrays.concat([inputs, hidden], axis))
        i, j, f, o = arrays.split(gates, 4, axis)
        new = math.sigmoid(f + self._forget_bias) * memory + math.sigmoid(i) * math.tanh(j)
        output = math.tanh(new) * math.sigmoid(o)
        if self._skip_connection:
            output = arrays.concat([output, inputs], -1)
        return output, LSTMStateTuple(new, output)


class Conv1DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` over one axis."""

    def __init__(self, name: str = "conv_1d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=1, name=name, **kwargs)


class Conv2DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` over two axes."""

    def __init__(self, name: str = "conv_2d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=2, name=name, **kwargs)


class Conv3DLSTMCell(ConvLSTMCell):
    """`ConvLSTMCell` over three axes."""

    def __init__(self, name: str = "conv_3d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=3, name=name, **kwargs)
