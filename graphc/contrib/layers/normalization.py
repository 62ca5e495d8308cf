"""Normalisation as tf.contrib.layers has it."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.contrib.framework.variables import model_variable
from graphc.contrib.layers.common import collections_for, finish, getter, into_collections
from graphc.face.current import add_to_collections
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import Ones, Zeros
from graphc.face.scopes import variable_scope
from graphc.ir.node import Value
from graphc.layers.normalization import BatchNormalization
from graphc.layers.words import static_flag
from graphc.ops import math, norm, reduce, shapes, state
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.counting import made
from graphc.train.averages import assign_moving_average

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm"]


@add_arg_scope
def batch_norm(
    inputs: Any, decay: float = 0.999, center: bool = True, scale: bool = False,
    epsilon: float = 0.001, activation_fn: Any = None, param_initializers: Any = None,
    param_regularizers: Any = None, updates_collections: Any = GraphKeys.UPDATE_OPS,
    is_training: Any = True, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, batch_weights: Any = None,
    fused: bool | None = None, data_format: str = "NHWC", zero_debias_moving_mean: bool = False,
    scope: Any = None, renorm: bool = False, renorm_clipping: Any = None,
    renorm_decay: float = 0.99, adjustment: Any = None,
) -> Any:  # fmt: skip
    """Batch normalisation, while training by default.

    Parameters
    ----------
    decay : float
        Of the moving averages.
    center, scale : bool
        Whether there are variables ``beta`` and (not by default) ``gamma``.
    updates_collections : str, list or None
        Where the updates of the averages are added; with None they run with the output.
    is_training : bool or tensor
    batch_weights : tensor, optional
        A weight for each sample.
    zero_debias_moving_mean : bool
        Correct the bias of the average of means, which starts at zero.
    scope : str or VariableScope, optional
        ``BatchNorm`` by default, made unique.
    """
    if data_format not in ("NHWC", "NCHW"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    first = data_format == "NCHW"
    starts, rules = param_initializers or {}, param_regularizers or {}
    with get_default_graph().transaction(), variable_scope(
        scope, "BatchNorm", [inputs], reuse=reuse, custom_getter=getter()
    ) as sc:  # fmt: skip
        x = convert_to_tensor(inputs)
        if x.rank is None:
            raise ValueError(f"Inputs {x.name} has undefined rank")
        use_fused = fused is not False and batch_weights is None and not renorm
        own = updates_collections is None or updates_collections != GraphKeys.UPDATE_OPS
        if batch_weights is None and not zero_debias_moving_mean and not own and (
            x.rank != 2 or not use_fused
        ):  # fmt: skip
            layer = BatchNormalization(
                1 if first else -1, decay, epsilon, center, scale, starts.get("beta", Zeros()),
                starts.get("gamma", Ones()), starts.get("moving_mean", Zeros()),
                starts.get("moving_variance", Ones()), rules.get("beta"), rules.get("gamma"),
                renorm=renorm, renorm_clipping=renorm_clipping, renorm_momentum=renorm_decay,
                fused=None if use_fused else False, trainable=trainable, adjustment=adjustment,
                name=sc.name, _scope=sc, _reuse=reuse,
            )  # fmt: skip
            y = layer(x, training=is_training)
            for name in ("moving_mean", "moving_variance", "beta", "gamma"):
                v = getattr(layer, name)
                if v is not None:
                    into_collections(v, variables_collections, name)
            return finish(y, None, None, activation_fn, outputs_collections, sc.name)
        if renorm:
            raise ValueError("renorm is not supported with batch_weights, updates_collections")
        y = _Norm(
            x, decay, center, scale, epsilon, starts, rules, variables_collections, trainable,
            batch_weights, first, zero_debias_moving_mean, use_fused and x.rank in (2, 4),
        ).apply(is_training, updates_collections)  # fmt: skip
        return finish(y, None, None, activation_fn, outputs_collections, sc.name)


class _Norm:
    """Batch normalisation beyond what the layer does."""

    def __init__(
        self, x: Value, decay: float, center: bool, scale: bool, epsilon: float, starts: Any,
        rules: Any, collections: Any, trainable: bool, weights: Any, first: bool, debias: bool,
        fused: bool,
    ) -> None:  # fmt: skip
        self.x, self.decay, self.epsilon = x, decay, epsilon
        self.weights, self.first, self.debias, self.fused = weights, first, debias, fused
        n = x.shape[1 if first else -1].value  # type: ignore[attr-defined]
        if n is None:
            raise ValueError(
                f"Inputs {x.name} has undefined `C` dimension {x.shape}."  # type: ignore[attr-defined]
            )
        self.kind = x.dtype if x.dtype.name not in ("float16", "bfloat16") else "float32"

        def made(name: str, initializer: Any, train: bool) -> Any:
            return model_variable(
                name, shape=[n], dtype=self.kind, initializer=starts.get(name, initializer),
                regularizer=rules.get(name), trainable=train,
                collections=collections_for(collections, name),
            )  # fmt: skip

        self.beta = made("beta", Zeros(), trainable) if center else None
        self.gamma = made("gamma", Ones(), trainable) if scale else None
        self.mean = made("moving_mean", Zeros(), False)
        self.variance = made("moving_variance", Ones(), False)

    def moments(self) -> tuple[Value, Value, Value]:
        """Mean and variance of the batch, and the variance that is averaged."""
        rank = self.x.rank or 0
        axes = [0, *range(2, rank)] if self.first else list(range(rank - 1))
        x = math.cast(self.x, self.mean.dtype.base_dtype)
        if self.weights is None:
            mean, variance = norm.moments(x, axes)
        else:
            w = convert_to_tensor(self.weights)
            wide = shapes.reshape(w, [-1] + [1] * (rank - 1))
            mean, variance = norm.weighted_moments(x, axes, wide)
        if not self.fused:
            return mean, variance, variance
        size = math.cast(shapes.size(x), x.dtype) / float(mean.shape[0].value)  # type: ignore[attr-defined]
        return mean, variance, variance * (size / math.maximum(size - 1.0, 1.0))

    def apply(self, training: Any, updates: Any) -> Value:
        """The normalised input; the averages are updated where `training` holds."""
        fixed = static_flag(training)
        if self.fused and fixed is not None:
            return self.fused_op(fixed, updates)
        if fixed is False:
            return self.normalised(convert_to_tensor(self.mean), convert_to_tensor(self.variance))
        with get_default_graph().counts_as(self.choosing(updates) if fixed is None else None):
            return self.plain(training, fixed, updates)

    def choosing(self, updates: Any) -> int | None:
        """The operations of two fused ones, of which a cond takes one in TF1."""
        if not self.fused or self.weights is not None:
            return None
        rows = self.x.rank == 2
        most = 47 if rows else 38 if updates is not None else 43
        return most - (self.beta is not None) - (self.gamma is not None)

    def plain(self, training: Any, fixed: bool | None, updates: Any) -> Value:
        """By the moments of the batch, or the averages where `training` does not hold."""
        mean, variance, given = self.moments()
        if fixed is None:
            mean = math.select(training, mean, self.mean)
            variance = math.select(training, variance, self.variance)
            given = math.select(training, given, self.variance)
        y = self.normalised(mean, variance)
        first = self.moved(self.mean, mean, training, fixed, self.debias)
        second = self.moved(self.variance, given, training, fixed, False)
        return self.updated(y, first, second, updates)

    def fused_op(self, training: bool, updates: Any) -> Value:
        """By TF1's one op for images; rows are images of one pixel."""
        x, n = self.x, self.mean.shape[0].value
        if x.rank == 2:
            x = shapes.reshape(x, [-1, n, 1, 1] if self.first else [-1, 1, 1, n])
        gamma = constant(1.0, self.kind, [n]) if self.gamma is None else self.gamma
        beta = constant(0.0, self.kind, [n]) if self.beta is None else self.beta
        given: Any = (None, None) if training else (self.mean, self.variance)
        y, mean, variance = norm.fused_batch_norm(
            x, gamma, beta, given[0], given[1], epsilon=self.epsilon, is_training=training,
            data_format="NCHW" if self.first else "NHWC",
        )  # fmt: skip
        if training:
            first = self.moved(self.mean, mean, training, True, self.debias)
            second = self.moved(self.variance, variance, training, True, False)
            y = self.updated(y, first, second, updates)
        if self.x.rank == 2:
            y = shapes.reshape(y, shapes.shape(self.x))
            y.set_shape(self.x.shape)  # type: ignore[attr-defined]
        return y

    def updated(self, y: Value, first: Any, second: Any, updates: Any) -> Value:
        """`y`, after the updates where they belong to no collection."""
        if updates is None:
            with get_default_graph().control_dependencies([first, second]):
                return state.identity(y)
        add_to_collections(updates, first)
        add_to_collections(updates, second)
        return y

    def moved(self, v: Any, value: Value, training: Any, fixed: Any, debias: bool) -> Any:
        if fixed is not None:
            return assign_moving_average(v, value, self.decay, zero_debias=debias)
        if debias:
            raise NotImplementedError(
                "graphc has no zero_debias_moving_mean with an is_training that is fed"
            )
        step = (convert_to_tensor(v) - value) * (1.0 - self.decay)
        return state.assign_sub(v, math.select(training, step, 0.0))

    def normalised(self, mean: Value, variance: Value) -> Value:
        epsilon = max(self.epsilon, 1.001e-5) if self.fused else self.epsilon
        rank = self.x.rank or 0
        sizes = [1, -1] + [1] * (rank - 2)

        def wide(v: Any) -> Any:
            return v if v is None or not self.first else shapes.reshape(v, sizes)

        y = norm.batch_normalization(
            self.x, wide(mean), wide(variance), wide(self.beta), wide(self.gamma), epsilon
        )
        y.set_shape(self.x.shape)  # type: ignore[attr-defined]
        return y


def _scale_and_shift(
    center: bool, scale: bool, shape: Any, kind: Any, starts: Any, collections: Any,
    trainable: bool,
) -> tuple[Any, Any]:  # fmt: skip
    """The variables ``beta`` and ``gamma``, None where they are not wanted."""
    out = []
    for name, wanted, initializer in (("beta", center, Zeros()), ("gamma", scale, Ones())):
        out.append(
            model_variable(
                name, shape=shape, dtype=kind, initializer=(starts or {}).get(name, initializer),
                collections=collections_for(collections, name), trainable=trainable,
            )
            if wanted
            else None
        )  # fmt: skip
    return out[0], out[1]


@add_arg_scope
def layer_norm(
    inputs: Any, center: bool = True, scale: bool = True, activation_fn: Any = None,
    reuse: Any = None, variables_collections: Any = None, outputs_collections: Any = None,
    trainable: bool = True, begin_norm_axis: int = 1, begin_params_axis: int = -1,
    scope: Any = None,
) -> Any:  # fmt: skip
    """Normalises each sample over the axes from `begin_norm_axis` on (arXiv:1607.06450)."""
    with variable_scope(scope, "LayerNorm", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError(f"Inputs {x.name} has undefined rank.")
        start = begin_norm_axis + rank if begin_norm_axis < 0 else begin_norm_axis
        if begin_params_axis >= rank or start >= rank:
            raise ValueError(
                f"begin_params_axis ({begin_params_axis}) and begin_norm_axis ({start}) must be "
                f"< rank(inputs) ({rank})"
            )
        shape = x.shape[begin_params_axis:]  # type: ignore[attr-defined]
        if not shape.is_fully_defined():
            raise ValueError(
                f"Inputs {x.name}: shape(inputs)[{begin_params_axis}:] is not fully defined: "
                f"{x.shape}"  # type: ignore[attr-defined]
            )
        beta, gamma = _scale_and_shift(
            center, scale, shape.as_list(), x.dtype, None, variables_collections, trainable
        )
        mean, variance = norm.moments(x, list(range(start, rank)), keep_dims=True)
        epsilon = 1e-12 if x.dtype.name != "float16" else 1e-3
        y = norm.batch_normalization(x, mean, variance, beta, gamma, epsilon)
        y.set_shape(x.shape)  # type: ignore[attr-defined]
        return finish(y, None, None, activation_fn, outputs_collections, sc.name)


@add_arg_scope
def instance_norm(
    inputs: Any, center: bool = True, scale: bool = True, epsilon: float = 1e-6,
    activation_fn: Any = None, param_initializers: Any = None, reuse: Any = None,
    variables_collections: Any = None, outputs_collections: Any = None, trainable: bool = True,
    data_format: str = "NHWC", scope: Any = None,
) -> Any:  # fmt: skip
    """Normalises each channel of each sample."""
    if data_format not in ("NCHW", "NHWC"):
        raise ValueError("data_format has to be either NCHW or NHWC.")
    with variable_scope(scope, "InstanceNorm", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError(f"Inputs {x.name} has undefined rank.")
        at = 1 if data_format == "NCHW" else rank - 1
        n = x.shape[at].value  # type: ignore[attr-defined]
        if n is None:
            raise ValueError(f"Inputs {x.name} has undefined channels dimension {x.shape}.")  # type: ignore[attr-defined]
        axes = [a for a in range(1, rank) if a != at]
        beta, gamma = _scale_and_shift(
            center, scale, [n], x.dtype, param_initializers, variables_collections, trainable
        )
        if data_format == "NCHW":
            sizes = [1, n] + [1] * (rank - 2)
            beta, gamma = [v if v is None else shapes.reshape(v, sizes) for v in (beta, gamma)]
        mean, variance = norm.moments(x, axes, keep_dims=True)
        y = norm.batch_normalization(x, mean, variance, beta, gamma, epsilon, name="instancenorm")
        y.set_shape(x.shape)  # type: ignore[attr-defined]
        return finish(y, None, None, activation_fn, outputs_collections, sc.name)


@add_arg_scope
def group_norm(
    inputs: Any, groups: int = 32, channels_axis: int = -1, reduction_axes: Any = (-3, -2),
    center: bool = True, scale: bool = True, epsilon: float = 1e-6, activation_fn: Any = None,
    param_initializers: Any = None, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, scope: Any = None,
    mean_close_to_zero: bool = False,
) -> Any:  # fmt: skip
    """Normalises groups of channels of each sample (arXiv:1803.08494)."""
    with variable_scope(scope, "GroupNorm", [inputs], reuse=reuse) as sc:
        x = convert_to_tensor(inputs)
        rank = x.rank
        if rank is None:
            raise ValueError(f"Inputs {x.name} has undefined rank.")
        at = channels_axis % rank
        over = [a % rank for a in reduction_axes]
        if at in over:
            raise ValueError("reduction_axes must not contain channels_axis")
        n = x.shape[at].value  # type: ignore[attr-defined]
        if n is None:
            raise ValueError(f"Inputs {x.name} has undefined channel dimension")
        if groups > n or n % groups:
            raise ValueError(f"Invalid groups {groups} for {n} channels.")
        sizes = shapes.shape(x)
        static = x.shape.as_list()  # type: ignore[attr-defined]
        known = [sizes[i] if d is None else d for i, d in enumerate(static)]
        split = [*known[:at], groups, n // groups, *known[at + 1 :]]
        axes = [a if a < at else a + 1 for a in over] + [at + 1]
        beta, gamma = _scale_and_shift(
            center, scale, [n], x.dtype, param_initializers, variables_collections, trainable
        )
        fold = [1] * (rank + 1)
        fold[at : at + 2] = [groups, n // groups]
        beta, gamma = [v if v is None else shapes.reshape(v, fold) for v in (beta, gamma)]
        wide = shapes.reshape(x, split, name="groups")
        if mean_close_to_zero:
            mean = reduce.reduce_mean(wide, axes, keepdims=True)
            variance = reduce.reduce_mean(math.square(wide), axes, keepdims=True) - math.square(
                mean
            )
        else:
            mean, variance = norm.moments(wide, axes, keep_dims=True)
        made(1)  # the shift is a sum of its own
        gain = math.rsqrt(variance + epsilon)
        if gamma is not None:
            gain = gain * gamma
        offset = -mean * gain
        if beta is not None:
            offset = offset + beta
        y = shapes.reshape(wide * gain + offset, known)
        y.set_shape(x.shape)  # type: ignore[attr-defined]
        return finish(y, None, None, activation_fn, outputs_collections, sc.name)
