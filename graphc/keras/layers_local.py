"""Layers with own weights at each place, and the convolutional LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face.shape import as_shape
from graphc.keras import backend as K
from graphc.keras import sessions, settings
from graphc.keras.engine import InputSpec, Layer
from graphc.keras.recurrent import RNN, LSTMCell, _each, _OfCell, _step
from graphc.keras.words import activation_of
from graphc.layers.core import normalized_format
from graphc.layers.words import sizes_of
from graphc.ops import arrays, fills, linalg, math, shapes, transposing
from graphc.ops.convert import convert_to_tensor

__all__ = ["ConvLSTM2D", "LocallyConnected1D", "LocallyConnected2D"]


def _length(n: int | None, kernel: int, padding: str, stride: int, dilation: int = 1) -> int | None:
    """The size of a convolution's output along an axis."""
    if n is None:
        return None
    wide = kernel + (kernel - 1) * (dilation - 1)
    return -(-(n if padding == "same" else n - wide + 1) // stride)


class _Local(Layer):
    """A convolution that shares no weights between places.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides : int or list of int
    padding : str
        Only ``valid``.
    implementation : int
        Only 1: the other two store the same weights otherwise.
    """

    rank = 2

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str | None = None, activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, implementation: int = 1, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if str(padding).lower() != "valid":
            raise ValueError(
                f'Invalid border mode for {type(self).__name__} (only "valid" is supported if '
                f"implementation is 1): {padding}"
            )
        if implementation not in (1, 2, 3):
            raise ValueError(f"Unrecognized implementation mode: {implementation}.")
        if implementation != 1:
            raise NotImplementedError(
                f"{type(self).__name__}: implementation={implementation} keeps the weights of 1 in "
                "another shape; use implementation=1"
            )
        self.filters, self.padding, self.implementation = int(filters), "valid", implementation
        self.kernel_size = tuple(sizes_of(kernel_size, self.rank, "kernel_size"))
        self.strides = tuple(sizes_of(strides, self.rank, "strides"))
        self.data_format = normalized_format(data_format or settings.image_data_format())
        self.activation, self.use_bias = activation_of(activation), use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.bias: Any = None

    @property
    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def build(self, input_shape: Any) -> None:
        shape = as_shape(input_shape).as_list()
        channels, space = (shape[1], shape[2:]) if self._first else (shape[-1], shape[1:-1])
        if channels is None or None in space:
            raise ValueError(
                "The spatial dimensions of the inputs to a LocallyConnected layer should be fully "
                f"defined, but layer received an input shape of {shape}"
            )
        sizes = [
            _length(n, k, "valid", s) or 0
            for n, k, s in zip(space, self.kernel_size, self.strides, strict=True)
        ]
        self.places = tuple(sizes)
        window = int(np.prod(self.kernel_size)) * channels
        self.kernel = self.add_weight(
            "kernel", (int(np.prod(sizes)), window, self.filters), None, self.kernel_initializer,
            self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (*sizes, self.filters), None, self.bias_initializer,
                self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:
        size, strides, first = self.kernel_size, self.strides, self._first
        y = channels_last(
            inputs, first, lambda x: local_conv(x, self.kernel, size, strides, self.places, first)
        )
        if self.bias is not None:
            b = convert_to_tensor(self.bias)
            # TensorFlow takes the numbers in the order in which they are
            y = y + (shapes.reshape(b, [1, self.filters, *self.places]) if first else b)
        return self.activation(y)


def channels_last(x: Any, first: bool, f: Callable[[Any], Any]) -> Any:
    """`f` of `x` with the channels as its last axis, and its result as `x` was."""
    v = convert_to_tensor(x)
    if not first:
        return f(v)
    assert v.rank is not None
    y = f(transposing.transpose(v, [0, *range(2, v.rank), 1]))
    return transposing.transpose(y, [0, v.rank - 1, *range(1, v.rank - 1)])


def local_conv(
    x: Any, kernel: Any, size: Any, strides: Any, places: Any, first: bool = False
) -> Any:
    """Windows of ``x[batch, …, channels]``, each times the kernel of its place.

    A kernel has the elements of a window in order; with `first` the channels are the slowest axis.
    """
    channels = x.shape[-1].value
    parts = []
    for offset in np.ndindex(*size):  # one element of all windows at a time
        at = [slice(None)]
        for o, s, n in zip(offset, strides, places, strict=True):
            at.append(slice(o, o + (n - 1) * s + 1, s))
        parts.append(shapes.expand_dims(x[tuple([*at, slice(None)])], -2))
    windows = arrays.concat(parts, -2) if len(parts) > 1 else parts[0]
    if first:
        windows = transposing.matrix_transpose(windows)
    count = int(np.prod(places))
    flat = shapes.reshape(windows, [-1, count, int(np.prod(size)) * channels])
    y = linalg.matmul(transposing.transpose(flat, [1, 0, 2]), convert_to_tensor(kernel))
    n = kernel.shape[-1].value
    return shapes.reshape(transposing.transpose(y, [1, 0, 2]), [-1, *places, n])


class LocallyConnected2D(_Local):
    __doc__ = _Local.__doc__


class LocallyConnected1D(_Local):
    __doc__ = _Local.__doc__
    rank = 1


# ------------------------------------------------------------------------- convolutional LSTM


class _ConvLSTMCell(LSTMCell):
    """An LSTM whose products are convolutions."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any, padding: str, data_format: str | None,
        dilation_rate: Any, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(filters, **kwargs)
        self.filters = self.units
        self.kernel_size = tuple(sizes_of(kernel_size, 2, "kernel_size"))
        self.strides = tuple(sizes_of(strides, 2, "strides"))
        self.dilation_rate = tuple(sizes_of(dilation_rate, 2, "dilation_rate"))
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f"The `padding` argument must be 'valid' or 'same', not {padding!r}")
        self.data_format = normalized_format(data_format or settings.image_data_format())

    @property
    def _axis(self) -> int:
        return 1 if self.data_format == "channels_first" else -1

    def build(self, input_shape: Any) -> None:
        channels = as_shape(input_shape).as_list()[self._axis]
        if channels is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        width = 4 * self.filters
        self.kernel = self.add_weight(
            "kernel", (*self.kernel_size, channels, width), None, self.kernel_initializer,
            self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", (*self.kernel_size, self.filters, width), None,
            self.recurrent_initializer, self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )  # fmt: skip
        if self.use_bias:
            self._build_bias(width)
        self.built = True

    def draw_masks(self, inputs: Any, training: Any) -> None:
        """Dropout masks for the input and for the state, four each: one for each gate."""
        self._masks = {}
        for key, rate, like in (("x", self.dropout, inputs),
                                ("h", self.recurrent_dropout, self._blank(inputs))):  # fmt: skip
            if rate > 0:
                ones = fills.ones_like(like)
                self._masks[key] = [
                    sessions.in_train_phase(lambda o=ones, r=rate: K.dropout(o, r), ones, training)
                    for _ in range(4)
                ]

    def state_sizes(self, known: list[Any]) -> list[Any]:
        """The shape of a state of an example for inputs of a shape."""
        axes = (2, 3) if self._axis == 1 else (1, 2)
        space = [
            _length(known[a], k, self.padding, s, d)
            for a, k, s, d in zip(
                axes, self.kernel_size, self.strides, self.dilation_rate, strict=True
            )
        ]
        if None in space:
            raise ValueError(f"ConvLSTM2D needs images of known size, not {known}")
        return [self.filters, *space] if self._axis == 1 else [*space, self.filters]

    def _blank(self, x: Any) -> Any:
        """A state of zeros for an input."""
        size = self.state_sizes(x.shape.as_list())
        made: Any = fills.zeros(arrays.stack([shapes.shape(x)[0], *size]), x.dtype)
        made.set_shape([x.shape[0].value, *size])
        return made

    def _gates(self, key: str, x: Any, kernel: Any, **options: Any) -> list[Any]:
        masks = self._masks.get(key)
        whole: Any = convert_to_tensor(kernel)
        if masks is None:
            z = K.conv2d(x, whole, data_format=self.data_format, **options)
            return list(arrays.split(z, 4, self._axis % 4))
        parts = arrays.split(whole, 4, 3)
        return [
            K.conv2d(x * m, w, data_format=self.data_format, **options)
            for m, w in zip(masks, parts, strict=True)
        ]

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, c = states[0], states[1]
        x = self._gates(
            "x", inputs, self.kernel, strides=self.strides, padding=self.padding,
            dilation_rate=self.dilation_rate,
        )  # fmt: skip
        if self.bias is not None:
            x = [
                K.bias_add(z, b, data_format=self.data_format)
                for z, b in zip(x, arrays.split(convert_to_tensor(self.bias), 4, 0), strict=True)
            ]
        r = self._gates("h", h, self.recurrent_kernel, strides=(1, 1), padding="same")
        i, f, g, o = (math.add(a, b) for a, b in zip(x, r, strict=True))
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(g)
        h = gate(o) * self.activation(c)
        return h, [h, c]


class ConvLSTM2D(_OfCell):
    """An LSTM on sequences of images ``[batch, moments, rows, columns, channels]``.

    Parameters
    ----------
    filters : int
        Channels of the state and the output.
    kernel_size, strides, dilation_rate : int or list of int
        Of the convolution of the input; that of the state keeps the size.
    padding : {"valid", "same"}
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str | None = None, dilation_rate: Any = (1, 1), activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True,
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, return_sequences: bool = False, go_backwards: bool = False,
        stateful: bool = False, dropout: float = 0.0, recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        cell = _ConvLSTMCell(
            filters, kernel_size, strides, padding, data_format, dilation_rate,
            activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint,
            dropout=dropout, recurrent_dropout=recurrent_dropout, name="conv_lstm2d_cell",
        )  # fmt: skip
        RNN.__init__(
            self, cell, return_sequences, kwargs.pop("return_state", False), go_backwards, stateful,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.input_spec = InputSpec(ndim=5)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self)  # its arguments, most of which the cell keeps

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        known = as_shape(shape).as_list()
        if not self.cell.built:
            self.cell.build(as_shape([known[0], *known[2:]]))
        self._image = [known[0], *known[2:]]
        self._build_states(known[0])

    def _state_sizes(self) -> list[list[int]]:
        assert isinstance(self.cell, _ConvLSTMCell)
        return [self.cell.state_sizes(self._image)] * 2

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        states = None
        if isinstance(inputs, list | tuple):
            inputs, states = inputs[0], list(inputs[1:])
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        first, cell = inputs[:, 0], self.cell
        assert isinstance(cell, _ConvLSTMCell)
        cell.draw_masks(first, training)
        states = states or self._first_states(lambda _: cell._blank(first))
        last, ys, new = K.rnn(
            lambda x, s: _step(self.cell, x, list(s)), inputs, states, self.go_backwards, mask
        )
        self._keep(new)
        y = ys if self.return_sequences else last
        size = _each(states)[0].shape.as_list()[1:]
        lead = inputs.shape.as_list()[: 2 if self.return_sequences else 1]
        y.set_shape([*lead, *size])
        return [y, *new] if self.return_state else y
