"""Fully connected layers and what is built of them."""

from __future__ import annotations

import functools
from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.framework.variables import model_variable
from graphc.contrib.layers.common import (
    collected,
    collections_for,
    finish,
    getter,
    into_collections,
)
from graphc.face.compat import xavier_initializer
from graphc.face.graph import get_default_graph
from graphc.face.initializers import Zeros
from graphc.face.scopes import variable_scope
from graphc.layers.core import Dense
from graphc.ops import linalg, math, nn, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many

__all__ = [
    "bias_add",
    "elu",
    "fully_connected",
    "legacy_fully_connected",
    "legacy_linear",
    "legacy_relu",
    "linear",
    "maxout",
    "relu",
    "relu6",
    "softmax",
    "unit_norm",
]  # fmt: skip


@add_arg_scope
def fully_connected(
    inputs: Any, num_outputs: int, activation_fn: Any = nn.relu, normalizer_fn: Any = None,
    normalizer_params: Any = None,
    weights_initializer: Any = xavier_initializer(),  # noqa: B008
    weights_regularizer: Any = None, biases_initializer: Any = Zeros(),  # noqa: B008
    biases_regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
) -> Any:  # fmt: skip
    """``activation_fn(normalizer_fn(inputs @ weights + biases))`` over the last axis.

    Parameters
    ----------
    num_outputs : int
    activation_fn : callable, optional
        `nn.relu` unless said otherwise.
    normalizer_fn : callable, optional
        Called with `normalizer_params`; there are no biases then.
    weights_regularizer, biases_regularizer : callable, optional
    variables_collections : list, or dictionary of lists by ``weights`` and ``biases``
    outputs_collections : str or list, optional
    scope : str or VariableScope, optional
        ``fully_connected`` by default, made unique.
    """
    if not isinstance(num_outputs, int):
        raise ValueError(f"num_outputs type should be one of (int,), got {type(num_outputs)}.")
    with get_default_graph().transaction(), variable_scope(
        scope, "fully_connected", [inputs], reuse=reuse,
        custom_getter=getter({"bias": "biases", "kernel": "weights"}),
    ) as sc:  # fmt: skip
        x = convert_to_tensor(inputs)
        layer = Dense(
            num_outputs, use_bias=not normalizer_fn and bool(biases_initializer),
            kernel_initializer=weights_initializer, bias_initializer=biases_initializer,
            kernel_regularizer=weights_regularizer, bias_regularizer=biases_regularizer,
            trainable=trainable, name=sc.name, dtype=x.dtype.base_dtype, _scope=sc, _reuse=reuse,
        )  # fmt: skip
        y = layer(x)
        into_collections(layer.kernel, variables_collections, "weights")
        if layer.bias is not None:
            into_collections(layer.bias, variables_collections, "biases")
        return finish(
            y, normalizer_fn, normalizer_params, activation_fn, outputs_collections, sc.name
        )


linear = functools.partial(fully_connected, activation_fn=None)
relu = functools.partial(fully_connected, activation_fn=nn.relu)
relu6 = functools.partial(fully_connected, activation_fn=nn.relu6)
elu = functools.partial(fully_connected, activation_fn=nn.elu)


@add_arg_scope
def bias_add(
    inputs: Any, activation_fn: Any = None, initializer: Any = Zeros(),  # noqa: B008
    regularizer: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, data_format: str = "NHWC",
    scope: Any = None,
) -> Any:  # fmt: skip
    """Adds a variable ``biases`` to each channel."""
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with variable_scope(scope, "BiasAdd", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError("Dims of shape must be known but is None")
        if rank != 4 and data_format == "NCHW":
            raise ValueError("Data format NCHW only supports 4D Tensor")
        n = x.shape[1 if data_format == "NCHW" else -1].value  # type: ignore[attr-defined]
        if n is None:
            raise ValueError("`C` dimension must be known but is None")
        biases = model_variable(
            "biases", shape=[n], dtype=x.dtype.base_dtype, initializer=initializer,
            regularizer=regularizer, trainable=trainable,
            collections=collections_for(variables_collections, "biases"),
        )  # fmt: skip
        y = nn.bias_add(x, biases, data_format=data_format)
        return finish(y, None, None, activation_fn, outputs_collections, sc.name)


@add_arg_scope
def softmax(logits: Any, scope: Any = None) -> Any:
    """Softmax over the last axis."""
    with variable_scope(scope, "softmax", [logits]):
        z = convert_to_tensor(logits)
        n = z.shape[-1].value  # type: ignore[attr-defined]
        flat = nn.softmax(shapes.reshape(z, [-1, n]))
        y = shapes.reshape(flat, shapes.shape(z))
        y.set_shape(z.shape)  # type: ignore[attr-defined]
        return y


@add_arg_scope
@as_many(19)
def unit_norm(inputs: Any, dim: int, epsilon: float = 1e-7, scope: Any = None) -> Any:
    """`inputs` divided by their length along `dim`."""
    with variable_scope(scope, "UnitNorm", [inputs]):
        x = convert_to_tensor(inputs)
        if x.rank is None:
            raise ValueError("The input rank must be known.")
        if dim < 0 or dim >= x.rank:
            raise ValueError(f"dim must be positive but smaller than the input rank, got {dim}")
        lengths = math.sqrt(epsilon + reduce.reduce_sum(math.square(x), dim, True))
        return math.div(x, lengths)


@add_arg_scope
def maxout(inputs: Any, num_units: int, axis: int = -1, scope: Any = None) -> Any:
    """The largest of each group of channels, so that `num_units` are left (arXiv:1302.4389).

    As in TensorFlow, groups are what lies together in memory: of channels only on the last axis.
    """
    with variable_scope(scope, "MaxOut", [inputs]):
        x = convert_to_tensor(inputs)
        shape = x.shape.as_list()  # type: ignore[attr-defined]
        n = shape[axis]
        if n % num_units:
            raise ValueError(f"number of features({n}) is not a multiple of num_units({num_units})")
        sizes = shapes.shape(x)
        wide = [sizes[i] if d is None else d for i, d in enumerate(shape)]
        wide[axis] = num_units
        return reduce.reduce_max(shapes.reshape(x, [*wide, n // num_units]), -1)


def legacy_fully_connected(
    x: Any, num_output_units: int, activation_fn: Any = None,
    weight_init: Any = xavier_initializer(), bias_init: Any = Zeros(),  # noqa: B008
    name: str | None = None, weight_collections: Any = ("weights",),
    bias_collections: Any = ("biases",), output_collections: Any = ("activations",),
    trainable: bool = True, weight_regularizer: Any = None, bias_regularizer: Any = None,
) -> Any:  # fmt: skip
    """The oldest form of `fully_connected`; its variables are ``weights`` and ``bias``."""
    with variable_scope(name, "fully_connected", [x]):
        v = convert_to_tensor(x)
        n = v.shape[-1].value  # type: ignore[attr-defined]
        kind = v.dtype.base_dtype
        w = _legacy(
            "weights", [n, num_output_units], kind, weight_init, weight_collections,
            weight_regularizer, trainable,
        )  # fmt: skip
        rank = v.rank or 2
        y: Any = v if rank == 2 else shapes.reshape(v, [-1, n])
        y = linalg.matmul(y, w)
        if bias_init is not None:
            b = _legacy(
                "bias", [num_output_units], kind, bias_init, bias_collections, bias_regularizer,
                trainable,
            )  # fmt: skip
            y = nn.bias_add(y, b)
        if rank > 2:
            sizes = shapes.shape(v)
            lead = [sizes[i] for i in range(rank - 1)]
            y = shapes.reshape(y, [*lead, num_output_units])
        if activation_fn is not None:
            y = activation_fn(y)
        return collected(list(output_collections or ()), "", y)


def _legacy(
    name: str, shape: Any, kind: Any, initializer: Any, collections: Any, regularizer: Any,
    trainable: bool,
) -> Any:  # fmt: skip
    from graphc.face.graph_keys import GraphKeys  # here only
    from graphc.face.scopes import get_variable

    keys = [*(collections or ()), GraphKeys.GLOBAL_VARIABLES]
    return get_variable(
        name, shape, kind, initializer, regularizer, trainable=trainable, collections=keys
    )


legacy_linear = functools.partial(legacy_fully_connected, activation_fn=None)
legacy_relu = functools.partial(legacy_fully_connected, activation_fn=nn.relu)
