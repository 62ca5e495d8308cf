"""Convolution and pooling as tf.contrib.layers has them."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.framework.variables import model_variable
from graphc.contrib.layers.common import collections_for, finish, getter, into_collections
from graphc.face.compat import xavier_initializer
from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.initializers import Zeros
from graphc.face.scopes import variable_scope
from graphc.layers import convolutional, pooling
from graphc.layers.words import sizes_of
from graphc.ops import depthwise, nn
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "avg_pool2d", "avg_pool3d", "conv1d", "conv2d", "conv2d_in_plane", "conv2d_transpose",
    "conv3d", "conv3d_transpose", "convolution", "convolution1d", "convolution2d",
    "convolution2d_in_plane", "convolution2d_transpose", "convolution3d",
    "convolution3d_transpose", "max_pool2d", "max_pool3d", "separable_conv2d",
    "separable_convolution2d",
]  # fmt: skip

_LAYERS: dict[int, Any] = {
    3: convolutional.Conv1D, 4: convolutional.Conv2D, 5: convolutional.Conv3D
}  # fmt: skip
_RENAMED = {"bias": "biases", "kernel": "weights"}


def _format(data_format: str | None, allowed: tuple[str, ...]) -> str:
    if data_format not in (None, *allowed):
        raise ValueError(f"Invalid data_format: {data_format!r}")
    first = data_format is not None and data_format.startswith("NC")
    return "channels_first" if first else "channels_last"


@add_arg_scope
def convolution(
    inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME",
    data_format: str | None = None, rate: Any = 1, activation_fn: Any = nn.relu,
    normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = xavier_initializer(),  # noqa: B008
    weights_regularizer: Any = None, biases_initializer: Any = Zeros(),  # noqa: B008
    biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
    conv_dims: int | None = None,
) -> Any:  # fmt: skip
    """A convolution, then biases or `normalizer_fn`, then `activation_fn` (`nn.relu`).

    Parameters
    ----------
    inputs : tensor
        Of rank 3, 4 or 5.
    num_outputs : int
        Channels of the output.
    kernel_size, stride, rate : int or list of int
        For the axes of space; `rate` is the dilation.
    padding : {"SAME", "VALID"}
    data_format : str, optional
        ``NHWC`` or ``NCHW``, and alike for other ranks.
    scope : str or VariableScope, optional
        ``Conv`` by default, made unique.
    """
    layout = _format(data_format, ("NWC", "NCW", "NHWC", "NCHW", "NDHWC", "NCDHW"))
    with get_default_graph().transaction(), variable_scope(
        scope, "Conv", [inputs], reuse=reuse, custom_getter=getter(_RENAMED)
    ) as sc:  # fmt: skip
        x = convert_to_tensor(inputs)
        if conv_dims is not None and x.rank != conv_dims + 2:
            raise ValueError(f"Convolution expects input with rank {conv_dims + 2}, got {x.rank}")
        made = _LAYERS.get(x.rank or 0)
        if made is None:
            raise ValueError("Convolution not supported for input with rank", x.rank)
        layer = made(
            num_outputs, kernel_size, stride, padding, layout, rate, None,
            not normalizer_fn and bool(biases_initializer), weights_initializer,
            biases_initializer, weights_regularizer, biases_regularizer, trainable=trainable,
            name=sc.name, dtype=x.dtype.base_dtype, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        y = layer(x)
        into_collections(layer.kernel, variables_collections, "weights")
        if layer.use_bias:
            into_collections(layer.bias, variables_collections, "biases")
        return finish(
            y, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name
        )


def _of_rank(name: str, dims: int) -> Any:
    """`convolution` for inputs of one rank; an arg_scope function of its own."""

    def f(
        inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME",
        data_format: str | None = None, rate: Any = 1, activation_fn: Any = nn.relu,
        normalizer_fn: Any = None, normalizer_params: Any = None,
        weights_initializer: Any = xavier_initializer(),  # noqa: B008
        weights_regularizer: Any = None, biases_initializer: Any = Zeros(),  # noqa: B008
        biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
        outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
    ) -> Any:  # fmt: skip
        return convolution(
            inputs, num_outputs, kernel_size, stride, padding, data_format, rate, activation_fn,
            normalizer_fn, normalizer_params, weights_initializer, weights_regularizer,
            biases_initializer, biases_regularizer, reuse, variables_collections,
            outputs_collections, trainable, scope, conv_dims=dims,
        )  # fmt: skip

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`convolution` of inputs of rank {dims + 2}."
    return add_arg_scope(f)


convolution1d = conv1d = _of_rank("convolution1d", 1)
convolution2d = conv2d = _of_rank("convolution2d", 2)
convolution3d = conv3d = _of_rank("convolution3d", 3)


def _transposed(name: str, default: str, layer: Any, normal: str) -> Any:
    def f(
        inputs: Any, num_outputs: int, kernel_size: Any, stride: Any = 1, padding: str = "SAME",
        data_format: str = normal, activation_fn: Any = nn.relu, normalizer_fn: Any = None,
        normalizer_params: Any = None,
        weights_initializer: Any = xavier_initializer(),  # noqa: B008
        weights_regularizer: Any = None, biases_initializer: Any = Zeros(),  # noqa: B008
        biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
        outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
    ) -> Any:  # fmt: skip
        layout = _format(data_format, ("NHWC", "NCHW", "NDHWC", "NCDHW"))
        with get_default_graph().transaction(), variable_scope(
            scope, default, [inputs], reuse=reuse, custom_getter=getter(_RENAMED)
        ) as sc:  # fmt: skip
            x = convert_to_tensor(inputs)
            made = layer(
                num_outputs, kernel_size, stride, padding, layout, None,
                not normalizer_fn and bool(biases_initializer), weights_initializer,
                biases_initializer, weights_regularizer, biases_regularizer, trainable=trainable,
                name=sc.name, dtype=x.dtype.base_dtype, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            y = made(x)
            into_collections(made.kernel, variables_collections, "weights")
            if made.bias is not None:
                into_collections(made.bias, variables_collections, "biases")
            return finish(
                y, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name
            )

    f.__name__ = f.__qualname__ = name
    f.__doc__ = "The transpose of a convolution, then biases or `normalizer_fn`, then activation."
    return add_arg_scope(f)


convolution2d_transpose = conv2d_transpose = _transposed(
    "convolution2d_transpose", "Conv2d_transpose", convolutional.Conv2DTranspose, "NHWC"
)
convolution3d_transpose = conv3d_transpose = _transposed(
    "convolution3d_transpose", "Conv3d_transpose", convolutional.Conv3DTranspose, "NDHWC"
)


@add_arg_scope
def separable_convolution2d(
    inputs: Any, num_outputs: int | None, kernel_size: Any, depth_multiplier: int = 1,
    stride: Any = 1, padding: str = "SAME", data_format: str = "NHWC", rate: Any = 1,
    activation_fn: Any = nn.relu, normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = xavier_initializer(),  # noqa: B008
    pointwise_initializer: Any = None, weights_regularizer: Any = None,
    biases_initializer: Any = Zeros(), biases_regularizer: Any = None,  # noqa: B008
    reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """A convolution of each channel, and (with `num_outputs`) one that mixes the channels."""
    layout = _format(data_format, ("NHWC", "NCHW"))
    names = {
        "bias": "biases", "depthwise_kernel": "depthwise_weights",
        "pointwise_kernel": "pointwise_weights",
    }  # fmt: skip
    with get_default_graph().transaction(), variable_scope(
        scope, "SeparableConv2d", [inputs], reuse=reuse, custom_getter=getter(names)
    ) as sc:  # fmt: skip
        x = convert_to_tensor(inputs)
        biased = not normalizer_fn and bool(biases_initializer)
        if num_outputs is not None:
            layer = convolutional.SeparableConv2D(
                num_outputs, kernel_size, stride, padding, layout, sizes_of(rate, 2, "rate"),
                depth_multiplier, None, biased, weights_initializer,
                pointwise_initializer or weights_initializer, biases_initializer,
                weights_regularizer, weights_regularizer, biases_regularizer,
                trainable=trainable, name=sc.name, dtype=x.dtype.base_dtype, _scope=sc,
                _reuse=reuse,
            )  # fmt: skip
            y = layer(x)
            into_collections(layer.depthwise_kernel, variables_collections, "weights")
            into_collections(layer.pointwise_kernel, variables_collections, "weights")
            if biased:
                into_collections(layer.bias, variables_collections, "biases")
        else:
            y = _depthwise(
                x, sizes_of(kernel_size, 2, "kernel_size"), sizes_of(stride, 2, "stride"), padding,
                data_format, sizes_of(rate, 2, "rate"), depth_multiplier, weights_initializer,
                weights_regularizer, trainable, variables_collections,
            )  # fmt: skip
            if biased:
                b = model_variable(
                    "biases", shape=[y.shape[-1 if layout == "channels_last" else 1].value],
                    dtype=x.dtype.base_dtype, initializer=biases_initializer,
                    regularizer=biases_regularizer, trainable=trainable,
                    collections=collections_for(variables_collections, "biases"),
                )  # fmt: skip
                y = nn.bias_add(y, b, data_format=data_format)
        return finish(
            y, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name
        )


separable_conv2d = separable_convolution2d


def _depthwise(
    x: Any, kernel: Any, strides: Any, padding: str, data_format: str, rate: Any, multiplier: int,
    initializer: Any, regularizer: Any, trainable: bool, collections: Any,
) -> Any:  # fmt: skip
    first = data_format.startswith("NC")
    channels = x.shape[1 if first else -1].value
    w = model_variable(
        "depthwise_weights", shape=[*kernel, channels, multiplier], dtype=x.dtype.base_dtype,
        initializer=initializer, regularizer=regularizer, trainable=trainable,
        collections=collections_for(collections, "weights"),
    )  # fmt: skip
    steps = [1, 1, *strides] if first else [1, *strides, 1]
    return depthwise.depthwise_conv2d(x, w, steps, padding, rate=rate, data_format=data_format)


@add_arg_scope
def convolution2d_in_plane(
    inputs: Any, kernel_size: Any, stride: Any = 1, padding: str = "SAME",
    activation_fn: Any = nn.relu, normalizer_fn: Any = None, normalizer_params: Any = None,
    weights_initializer: Any = xavier_initializer(),  # noqa: B008
    weights_regularizer: Any = None, biases_initializer: Any = Zeros(),  # noqa: B008
    biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """The same convolution of each channel by itself."""
    from graphc.ops.arrays import tile  # here only

    with variable_scope(scope, "ConvInPlane", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        channels = x.shape[-1].value  # type: ignore[attr-defined]
        kind = x.dtype.base_dtype
        steps = sizes_of(stride, 2, "stride")
        w = model_variable(
            "weights", shape=[*sizes_of(kernel_size, 2, "kernel_size"), 1, 1], dtype=kind,
            initializer=weights_initializer, regularizer=weights_regularizer, trainable=trainable,
            collections=collections_for(variables_collections, "weights"),
        )  # fmt: skip
        wide = tile(w, [1, 1, channels, 1])
        y = depthwise.depthwise_conv2d(x, wide, [1, *steps, 1], padding)
        if normalizer_fn is None and biases_initializer is not None:
            b = model_variable(
                "biases", shape=[channels], dtype=kind, initializer=biases_initializer,
                regularizer=biases_regularizer, trainable=trainable,
                collections=collections_for(variables_collections, "biases"),
            )  # fmt: skip
            y = nn.bias_add(y, b)
        return finish(
            y, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name
        )


conv2d_in_plane = convolution2d_in_plane

# ------------------------------------------------------------------------- pooling


def _pooling(name: str, default: str, layer: Any, normal: str) -> Any:
    def f(
        inputs: Any, kernel_size: Any, stride: Any = 2, padding: str = "VALID",
        data_format: str = normal, outputs_collections: Any = None, scope: Any = None,
    ) -> Any:  # fmt: skip
        allowed = ("NHWC", "NCHW") if normal == "NHWC" else ("NDHWC", "NCDHW")
        if data_format not in allowed:
            raise ValueError(f"data_format has to be either {' or '.join(allowed[::-1])}.")
        layout = _format(data_format, allowed)
        with name_scope(scope, default, [inputs]) as sc:
            x = convert_to_tensor(inputs)
            y = layer(kernel_size, stride, padding, layout, _scope=sc)(x)
            return finish(y, None, None, None, outputs_collections, sc)

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"`tf.layers.{layer.__name__}`."
    return add_arg_scope(f)


max_pool2d = _pooling("max_pool2d", "MaxPool2D", pooling.MaxPooling2D, "NHWC")
avg_pool2d = _pooling("avg_pool2d", "AvgPool2D", pooling.AveragePooling2D, "NHWC")
max_pool3d = _pooling("max_pool3d", "MaxPool3D", pooling.MaxPooling3D, "NDHWC")
avg_pool3d = _pooling("avg_pool3d", "AvgPool3D", pooling.AveragePooling3D, "NDHWC")
