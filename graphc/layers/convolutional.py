"""Convolution layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face.initializers import Zeros
from graphc.face.shape import as_shape
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.layers.base import Layer, functional
from graphc.layers.core import normalized_format
from graphc.layers.spec import InputSpec
from graphc.layers.words import activation_of, sizes_of
from graphc.ops import arrays, conv, depthwise, nn, shapes

__all__ = [
    "Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "SeparableConv1D",
    "SeparableConv2D", "conv1d", "conv2d", "conv2d_transpose", "conv3d", "conv3d_transpose",
    "separable_conv1d", "separable_conv2d",
]  # fmt: skip


def normalized_padding(value: Any) -> str:
    """The padding in lower case.

    Raises
    ------
    ValueError
    """
    word = value.lower() if isinstance(value, str) else value
    if word not in ("valid", "same", "causal"):
        raise ValueError(
            'The `padding` argument must be a list/tuple or one of "valid", "same" (or "causal", '
            f"only for `Conv1D). Received: {value}"
        )
    out: str = word
    return out


class Conv(Layer):
    """What convolution layers share; `rank` axes of space."""

    rank = 2

    def __init__(
        self, rank: int, filters: Any, kernel_size: Any, strides: Any, padding: Any,
        data_format: Any, dilation_rate: Any, activation: Any, use_bias: bool,
        bias_initializer: Any, bias_regularizer: Any, bias_constraint: Any, trainable: bool,
        name: str | None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable, name, **kwargs)
        self.rank = rank
        self.filters = filters
        self.kernel_size = sizes_of(kernel_size, rank, "kernel_size")
        self.strides = sizes_of(strides, rank, "strides")
        self.padding = normalized_padding(padding)
        if self.padding == "causal" and not isinstance(self, Conv1D):
            raise ValueError(
                f"Causal padding is only supported for `Conv1D` and `SeparableConv1D`, not for "
                f"`{type(self).__name__}`."
            )
        self.data_format = normalized_format(data_format)
        self.dilation_rate = sizes_of(dilation_rate, rank, "dilation_rate")
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self.bias_initializer = bias_initializer
        self.bias_regularizer = bias_regularizer
        self.bias_constraint = bias_constraint
        self.input_spec = InputSpec(ndim=rank + 2)
        self.bias: Any = None

    @property
    def _first(self) -> bool:
        return self.data_format == "channels_first"

    @property
    def _channel(self) -> int:
        return 1 if self._first else -1

    @property
    def _layout(self) -> str:
        """The data format as ops name it."""
        space = "DHW"[3 - self.rank :] if self.rank > 1 else "W"
        return f"NC{space}" if self._first else f"N{space}C"

    def _inputs(self, input_shape: Any) -> int:
        """The number of channels of the input."""
        n = as_shape(input_shape)[1 if self._first else -1].value
        if n is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self._channel: n})
        return int(n)

    def _kind(self) -> Any:
        return as_dtype(self.dtype or "float32")

    def _build_bias(self) -> None:
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (self.filters,), self._kind(), self.bias_initializer,
                self.bias_regularizer, True, self.bias_constraint,
            )  # fmt: skip

    def _finish(self, y: Any) -> Any:
        """Bias and activation."""
        if self.use_bias:
            if self._first and self.rank == 1:
                y = y + shapes.reshape(self.bias, (1, self.filters, 1))
            else:
                layout = "NCHW" if self._first else "NHWC"
                y = nn.bias_add(y, self.bias, data_format=layout)
        return y if self.activation is None else self.activation(y)

    def _full(self, steps: Sequence[int]) -> list[int]:
        """Steps of space with those of batch and channels."""
        return [1, 1, *steps] if self._first else [1, *steps, 1]

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes = as_shape(input_shape).as_list()
        space = sizes[2:] if self._first else sizes[1:-1]
        each = zip(space, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        made = [None if n is None else self._length(n, k, s, d) for n, k, s, d in each]
        out = [sizes[0], self.filters, *made] if self._first else [sizes[0], *made, self.filters]
        return as_shape(out)

    def _length(self, n: int, k: int, stride: int, dilation: int) -> int:
        reach = (k - 1) * dilation + 1
        room = n if self.padding in ("same", "causal") else n - reach + 1
        return (room + stride - 1) // stride


class _Plain(Conv):
    """A convolution with one filter."""

    def __init__(
        self, rank: int, filters: Any, kernel_size: Any, strides: Any, padding: Any,
        data_format: Any, dilation_rate: Any, activation: Any, use_bias: bool,
        kernel_initializer: Any, bias_initializer: Any, kernel_regularizer: Any,
        bias_regularizer: Any, activity_regularizer: Any, kernel_constraint: Any,
        bias_constraint: Any, trainable: bool, name: str | None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, bias_initializer, bias_regularizer, bias_constraint, trainable, name,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.kernel_initializer = kernel_initializer
        self.kernel_regularizer = kernel_regularizer
        self.kernel_constraint = kernel_constraint
        self.kernel: Any = None

    def _filter_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, channels, self.filters)

    def build(self, input_shape: Any) -> None:
        shape = self._filter_shape(self._inputs(input_shape))
        self.kernel = self.add_weight(
            "kernel", shape, self._kind(), self.kernel_initializer, self.kernel_regularizer, True,
            self.kernel_constraint,
        )  # fmt: skip
        self._build_bias()
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self._finish(self._convolve(inputs))

    def _convolve(self, x: Any) -> Any:
        padding = self.padding.upper()
        if padding == "CAUSAL":
            left = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            pads = [[0, 0], [0, 0], [left, 0]] if self._first else [[0, 0], [left, 0], [0, 0]]
            x, padding = arrays.pad(x, pads), "VALID"
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        if self.rank == 2 and max(self.dilation_rate) > 1:
            with conv.in_batches(x, padding, self._first):
                return self._convolved(x, padding)
        current().reserve("dilation_rate")
        return self._convolved(x, padding)

    def _convolved(self, x: Any, padding: str) -> Any:
        if self.rank == 1:
            return conv.conv1d(
                x, self.kernel, self.strides[0], padding, data_format=self._layout,
                dilations=self.dilation_rate[0],
            )  # fmt: skip
        made: Any = conv.conv2d if self.rank == 2 else conv.conv3d
        return made(
            x, self.kernel, self._full(self.strides), padding, data_format=self._layout,
            dilations=self._full(self.dilation_rate),
        )  # fmt: skip


_PARAMETERS = """

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides, dilation_rate : int or sequence of int
        For each axis of space.
    padding : {"valid", "same"}
    data_format : {"channels_last", "channels_first"}
    activation : callable or str, optional
    use_bias : bool
    """


class Conv1D(_Plain):
    __doc__ = "A convolution of sequences ``[batch, width, channels]``." + _PARAMETERS

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = 1, activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(), kernel_regularizer: Any = None,  # noqa: B008
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            1, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip


class Conv2D(_Plain):
    __doc__ = "A convolution of images ``[batch, height, width, channels]``." + _PARAMETERS

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = (1, 1), activation: Any = None,
        use_bias: bool = True, kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(), kernel_regularizer: Any = None,  # noqa: B008
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            2, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip


class Conv3D(_Plain):
    __doc__ = "A convolution of volumes ``[batch, depth, height, width, channels]``." + _PARAMETERS

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = (1, 1, 1),
        activation: Any = None, use_bias: bool = True, kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(), kernel_regularizer: Any = None,  # noqa: B008
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        kernel_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            3, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip


class _Transpose(_Plain):
    """The transpose of a convolution: it makes images larger."""

    def _filter_shape(self, channels: int) -> tuple[int, ...]:
        return (*self.kernel_size, self.filters, channels)

    def _length(self, n: int, k: int, stride: int, dilation: int) -> int:
        return n * stride + (max(k - stride, 0) if self.padding == "valid" else 0)

    def _convolve(self, x: Any) -> Any:
        sizes = shapes.shape(x)
        axes = range(2, 2 + self.rank) if self._first else range(1, 1 + self.rank)
        batch = sizes[0]
        space = [sizes[a] for a in axes]
        each = zip(space, self.kernel_size, self.strides, strict=True)
        made: list[Any] = []
        for n, k, s in each:
            size = n * s
            made.append(size + max(k - s, 0) if self.padding == "valid" else size)
        full = [batch, self.filters, *made] if self._first else [batch, *made, self.filters]
        op: Any = conv.conv2d_transpose if self.rank == 2 else conv.conv3d_transpose
        shape: Any = arrays.stack(full)
        if self.rank == 2:
            _ = shape[0]  # TensorFlow looks at it too: seeds of later random ops count it
        y = op(
            x, self.kernel, shape, self._full(self.strides), self.padding.upper(),
            self._layout,
        )  # fmt: skip
        y.set_shape(self.compute_output_shape(x.shape))
        return y


class Conv2DTranspose(_Transpose):
    """The transpose of a convolution of images.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides : int or sequence of int
    padding : {"valid", "same"}
    data_format : {"channels_last", "channels_first"}
    activation : callable or str, optional
    use_bias : bool
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str = "channels_last", activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = None, bias_initializer: Any = Zeros(),  # noqa: B008
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, trainable: bool = True, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            2, filters, kernel_size, strides, padding, data_format, 1, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip


class Conv3DTranspose(_Transpose):
    """The transpose of a convolution of volumes (see `Conv2DTranspose`)."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1, 1), padding: str = "valid",
        data_format: str = "channels_last", activation: Any = None, use_bias: bool = True,
        kernel_initializer: Any = None, bias_initializer: Any = Zeros(),  # noqa: B008
        kernel_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, kernel_constraint: Any = None,
        bias_constraint: Any = None, trainable: bool = True, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            3, filters, kernel_size, strides, padding, data_format, 1, activation, use_bias,
            kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, trainable, name, **kwargs,
        )  # fmt: skip


class _Separable(Conv):
    """A convolution of each channel, and then one that mixes them."""

    def __init__(
        self, rank: int, filters: Any, kernel_size: Any, strides: Any, padding: Any,
        data_format: Any, dilation_rate: Any, depth_multiplier: int, activation: Any,
        use_bias: bool, initializers: tuple[Any, Any, Any], regularizers: tuple[Any, Any, Any],
        activity_regularizer: Any, constraints: tuple[Any, Any, Any], trainable: bool,
        name: str | None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            rank, filters, kernel_size, strides, padding, data_format, dilation_rate, activation,
            use_bias, initializers[2], regularizers[2], constraints[2], trainable, name,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = depth_multiplier
        self.depthwise_initializer, self.pointwise_initializer = initializers[:2]
        self.depthwise_regularizer, self.pointwise_regularizer = regularizers[:2]
        self.depthwise_constraint, self.pointwise_constraint = constraints[:2]
        self.depthwise_kernel: Any = None
        self.pointwise_kernel: Any = None

    def build(self, input_shape: Any) -> None:
        channels = self._inputs(input_shape)
        ones = (1,) * self.rank
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier),
            self._kind(), self.depthwise_initializer, self.depthwise_regularizer, True,
            self.depthwise_constraint,
        )  # fmt: skip
        self.pointwise_kernel = self.add_weight(
            "pointwise_kernel", (*ones, self.depth_multiplier * channels, self.filters),
            self._kind(), self.pointwise_initializer, self.pointwise_regularizer, True,
            self.pointwise_constraint,
        )  # fmt: skip
        self._build_bias()
        self.built = True


class SeparableConv1D(_Separable):
    """A convolution of each channel of sequences, and then one that mixes the channels."""

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = 1, padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = 1, depth_multiplier: int = 1,
        activation: Any = None, use_bias: bool = True, depthwise_initializer: Any = None,
        pointwise_initializer: Any = None, bias_initializer: Any = Zeros(),  # noqa: B008
        depthwise_regularizer: Any = None, pointwise_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, pointwise_constraint: Any = None,
        bias_constraint: Any = None, trainable: bool = True, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            1, filters, kernel_size, strides, padding, data_format, dilation_rate,
            depth_multiplier, activation, use_bias,
            (depthwise_initializer, pointwise_initializer, bias_initializer),
            (depthwise_regularizer, pointwise_regularizer, bias_regularizer),
            activity_regularizer,
            (depthwise_constraint, pointwise_constraint, bias_constraint), trainable, name,
            **kwargs,
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        at = 2 if self._first else 1
        layout = "NCHW" if self._first else "NHWC"
        wide = self.strides * 2
        strides = (1, 1, *wide) if self._first else (1, *wide, 1)
        x = shapes.expand_dims(inputs, at)
        deep = shapes.expand_dims(self.depthwise_kernel, 0)
        point = shapes.expand_dims(self.pointwise_kernel, 0)
        y = depthwise.separable_conv2d(
            x, deep, point, strides, self.padding.upper(), rate=(1, *self.dilation_rate),
            data_format=layout,
        )  # fmt: skip
        if self.use_bias:
            y = nn.bias_add(y, self.bias, data_format=layout)
        y = shapes.squeeze(y, [at])
        return y if self.activation is None else self.activation(y)


class SeparableConv2D(_Separable):
    """A convolution of each channel of images, and then one that mixes the channels.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size, strides, dilation_rate : int or sequence of int
    padding : {"valid", "same"}
    depth_multiplier : int
        Filters for each channel of the input.
    """

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        data_format: str = "channels_last", dilation_rate: Any = (1, 1),
        depth_multiplier: int = 1, activation: Any = None, use_bias: bool = True,
        depthwise_initializer: Any = None, pointwise_initializer: Any = None,
        bias_initializer: Any = Zeros(), depthwise_regularizer: Any = None,  # noqa: B008
        pointwise_regularizer: Any = None, bias_regularizer: Any = None,
        activity_regularizer: Any = None, depthwise_constraint: Any = None,
        pointwise_constraint: Any = None, bias_constraint: Any = None, trainable: bool = True,
        name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            2, filters, kernel_size, strides, padding, data_format, dilation_rate,
            depth_multiplier, activation, use_bias,
            (depthwise_initializer, pointwise_initializer, bias_initializer),
            (depthwise_regularizer, pointwise_regularizer, bias_regularizer),
            activity_regularizer,
            (depthwise_constraint, pointwise_constraint, bias_constraint), trainable, name,
            **kwargs,
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        y = depthwise.separable_conv2d(
            inputs, self.depthwise_kernel, self.pointwise_kernel, self._full(self.strides),
            self.padding.upper(), rate=self.dilation_rate, data_format=self._layout,
        )  # fmt: skip
        return self._finish(y)


conv1d = functional(Conv1D, "Call a new `Conv1D` layer.")
conv2d = functional(Conv2D, "Call a new `Conv2D` layer.")
conv3d = functional(Conv3D, "Call a new `Conv3D` layer.")
conv2d_transpose = functional(Conv2DTranspose, "Call a new `Conv2DTranspose` layer.")
conv3d_transpose = functional(Conv3DTranspose, "Call a new `Conv3DTranspose` layer.")
separable_conv1d = functional(SeparableConv1D, "Call a new `SeparableConv1D` layer.")
separable_conv2d = functional(SeparableConv2D, "Call a new `SeparableConv2D` layer.")
