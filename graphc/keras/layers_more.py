"""Convolution, pooling and merging layers."""

from __future__ import annotations

from typing import Any

from graphc.face.shape import as_shape
from graphc.ir.build import current
from graphc.keras import backend as K
from graphc.keras import settings
from graphc.keras.engine import InputSpec, Layer
from graphc.keras.layers_core import _FILTER, wrapped
from graphc.layers import convolutional, pooling
from graphc.layers.core import normalized_format
from graphc.layers.words import sizes_of
from graphc.ops import arrays, depthwise, math, nn, reduce

__all__ = [
    "Add", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D",
    "AvgPool2D", "AvgPool3D", "Concatenate", "Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D",
    "Conv3DTranspose", "Convolution1D", "Convolution2D", "Convolution2DTranspose",
    "Convolution3D", "Convolution3DTranspose", "DepthwiseConv2D", "Dot",
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
    "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D",
    "GlobalMaxPool2D", "GlobalMaxPool3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D",
    "GlobalMaxPooling3D", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "Maximum", "Minimum", "Multiply", "SeparableConv1D", "SeparableConv2D",
    "SeparableConvolution1D", "SeparableConvolution2D", "Subtract", "add", "average",
    "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip

_SPLIT: dict[str, Any] = {
    "depthwise_initializer": "glorot_uniform", "pointwise_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
}  # fmt: skip

Conv1D = Convolution1D = wrapped(convolutional.Conv1D, "Conv1D", _FILTER)
Conv2D = Convolution2D = wrapped(convolutional.Conv2D, "Conv2D", _FILTER)
Conv3D = Convolution3D = wrapped(convolutional.Conv3D, "Conv3D", _FILTER)
Conv2DTranspose = Convolution2DTranspose = wrapped(
    convolutional.Conv2DTranspose, "Conv2DTranspose", _FILTER
)
Conv3DTranspose = Convolution3DTranspose = wrapped(
    convolutional.Conv3DTranspose, "Conv3DTranspose", _FILTER
)
SeparableConv1D = SeparableConvolution1D = wrapped(
    convolutional.SeparableConv1D, "SeparableConv1D", _SPLIT
)
SeparableConv2D = SeparableConvolution2D = wrapped(
    convolutional.SeparableConv2D, "SeparableConv2D", _SPLIT
)


def _pooling(name: str, rank: int) -> Any:
    defaults = {"pool_size": 2 if rank == 1 else (2,) * rank, "strides": None}
    return wrapped(getattr(pooling, name), name, defaults)


MaxPooling1D = MaxPool1D = _pooling("MaxPooling1D", 1)
MaxPooling2D = MaxPool2D = _pooling("MaxPooling2D", 2)
MaxPooling3D = MaxPool3D = _pooling("MaxPooling3D", 3)
AveragePooling1D = AvgPool1D = _pooling("AveragePooling1D", 1)
AveragePooling2D = AvgPool2D = _pooling("AveragePooling2D", 2)
AveragePooling3D = AvgPool3D = _pooling("AveragePooling3D", 3)


class _Global(Layer):
    """The largest or the mean of all places, for each channel."""

    rank = 2
    largest = False

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalized_format(data_format or settings.image_data_format())
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self.supports_masking = self.rank == 1 and not self.largest

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        first = self.data_format == "channels_first"
        axes = [a + 2 if first else a + 1 for a in range(self.rank)]
        if self.largest:
            return reduce.reduce_max(inputs, axes)
        if mask is not None and self.rank == 1:
            weights = math.cast(mask, inputs.dtype)[:, :, None]
            return reduce.reduce_sum(inputs * weights, 1) / reduce.reduce_sum(weights, 1)
        return reduce.reduce_mean(inputs, axes)


def _global(name: str, rank: int, largest: bool) -> Any:
    return type(
        name, (_Global,), {"rank": rank, "largest": largest, "__doc__": _Global.__doc__,
                           "__module__": __name__},
    )  # fmt: skip


GlobalMaxPooling1D = GlobalMaxPool1D = _global("GlobalMaxPooling1D", 1, True)
GlobalMaxPooling2D = GlobalMaxPool2D = _global("GlobalMaxPooling2D", 2, True)
GlobalMaxPooling3D = GlobalMaxPool3D = _global("GlobalMaxPooling3D", 3, True)
GlobalAveragePooling1D = GlobalAvgPool1D = _global("GlobalAveragePooling1D", 1, False)
GlobalAveragePooling2D = GlobalAvgPool2D = _global("GlobalAveragePooling2D", 2, False)
GlobalAveragePooling3D = GlobalAvgPool3D = _global("GlobalAveragePooling3D", 3, False)


class DepthwiseConv2D(Layer):
    """A convolution of each channel of images by itself.

    Parameters
    ----------
    kernel_size, strides, dilation_rate : int or pair of int
    depth_multiplier : int
        Filters for each channel.
    """

    def __init__(
        self, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid",
        depth_multiplier: int = 1, data_format: str | None = None, activation: Any = None,
        use_bias: bool = True, depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros", depthwise_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None,
        depthwise_constraint: Any = None, bias_constraint: Any = None,
        dilation_rate: Any = (1, 1), **kwargs: Any,
    ) -> None:  # fmt: skip
        from graphc.keras.words import activation_of

        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.kernel_size = sizes_of(kernel_size, 2, "kernel_size")
        self.strides = sizes_of(strides, 2, "strides")
        self.dilation_rate = sizes_of(dilation_rate, 2, "dilation_rate")
        self.padding = convolutional.normalized_padding(padding)
        self.depth_multiplier = depth_multiplier
        self.data_format = normalized_format(data_format or settings.image_data_format())
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self.depthwise_initializer, self.bias_initializer = depthwise_initializer, bias_initializer
        self.depthwise_regularizer, self.bias_regularizer = depthwise_regularizer, bias_regularizer
        self.depthwise_constraint, self.bias_constraint = depthwise_constraint, bias_constraint
        self.input_spec = InputSpec(ndim=4)
        self.depthwise_kernel: Any = None
        self.bias: Any = None

    @property
    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def build(self, input_shape: Any) -> None:
        n = as_shape(input_shape).as_list()[1 if self._first else 3]
        if n is None:
            raise ValueError(
                "The channel dimension of the inputs to `DepthwiseConv2D` should be defined. "
                "Found `None`."
            )
        self.depthwise_kernel = self.add_weight(
            "depthwise_kernel", (*self.kernel_size, n, self.depth_multiplier), None,
            self.depthwise_initializer, self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", (n * self.depth_multiplier,), None, self.bias_initializer,
                self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:
        layout = "NCHW" if self._first else "NHWC"
        steps = [1, 1, *self.strides] if self._first else [1, *self.strides, 1]
        y = depthwise.depthwise_conv2d(
            inputs, self.depthwise_kernel, steps, self.padding.upper(), self.dilation_rate,
            data_format=layout,
        )  # fmt: skip
        if self.use_bias:
            y = nn.bias_add(y, self.bias, layout)
        return y if self.activation is None else self.activation(y)


# ------------------------------------------------------------------------- merging


class _Merge(Layer):
    """One of several tensors, broadcast against each other."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, list | tuple) or len(inputs) < 2:
            raise ValueError("A merge layer should be called on a list of at least 2 inputs.")
        return self._merged(list(inputs))

    def _merged(self, xs: list[Any]) -> Any:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        flags = [m for m in mask or () if m is not None]
        if not flags:
            return None
        out = flags[0]
        for m in flags[1:]:
            out = math.logical_and(out, m)
        return out

    def _pairwise(self, f: Any, xs: list[Any]) -> Any:
        y = xs[0]
        for x in xs[1:]:
            y = f(y, x)
        return y


class Add(_Merge):
    """The sum."""

    def _merged(self, xs: list[Any]) -> Any:
        return self._pairwise(math.add, xs)


class Subtract(_Merge):
    """The first less the second."""

    def _merged(self, xs: list[Any]) -> Any:
        if len(xs) != 2:
            raise ValueError("A `Subtract` layer should be called on exactly 2 inputs")
        return xs[0] - xs[1]


class Multiply(_Merge):
    """The product."""

    def _merged(self, xs: list[Any]) -> Any:
        return self._pairwise(math.multiply, xs)


class Average(_Merge):
    """The mean."""

    def _merged(self, xs: list[Any]) -> Any:
        return self._pairwise(math.add, xs) / float(len(xs))


class Maximum(_Merge):
    """The largest."""

    def _merged(self, xs: list[Any]) -> Any:
        return self._pairwise(math.maximum, xs)


class Minimum(_Merge):
    """The smallest."""

    def _merged(self, xs: list[Any]) -> Any:
        return self._pairwise(math.minimum, xs)


class Concatenate(_Merge):
    """One after the other along an axis."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def _merged(self, xs: list[Any]) -> Any:
        return arrays.concat(xs, self.axis)


class Dot(_Merge):
    """Products over an axis of each of two."""

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes, self.normalize = axes, normalize

    def _merged(self, xs: list[Any]) -> Any:
        a, b = xs
        i, j = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        if self.normalize:
            a, b = nn.l2_normalize(a, i), nn.l2_normalize(b, j)
        many = {(2, 2, 1, 1): 5, (3, 3, 2, 2): 1}.get((a.rank, b.rank, i, j))
        with current().counts_as(many):
            return K.batch_dot(a, b, [i, j])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


def _function(layer: Any) -> Any:
    def f(inputs: Any, **kwargs: Any) -> Any:
        return layer(**kwargs)(inputs)

    f.__doc__ = layer.__doc__
    f.__name__ = layer.__name__.lower()
    return f


add, subtract, multiply = _function(Add), _function(Subtract), _function(Multiply)
average, maximum, minimum = _function(Average), _function(Maximum), _function(Minimum)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """Tensors one after the other along an axis."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any, normalize: bool = False, **kwargs: Any) -> Any:
    """Products over an axis of each of two tensors."""
    return Dot(axes=axes, normalize=normalize, **kwargs)(inputs)
