"""Batch normalisation."""

from __future__ import annotations

import math as _math
from collections.abc import Callable
from typing import Any

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.initializers import Ones, Zeros
from graphc.face.shape import as_shape
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.layers.base import Layer, functional
from graphc.layers.spec import InputSpec
from graphc.layers.words import initializer_of, smart_select, static_flag
from graphc.ops import arrays, fills, math, nn, norm, reduce, shapes, state
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.counting import made
from graphc.train.averages import assign_moving_average

__all__ = ["BatchNormalization", "batch_normalization"]


class BatchNormalization(Layer):
    """Normalises by the mean and variance of the batch while training, by their averages after.

    The averages are updated by operations in ``GraphKeys.UPDATE_OPS``, which a training step must
    run.

    Parameters
    ----------
    axis : int or list of int
        The axis of the features.
    momentum : float
        Of the averages.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there are variables ``beta`` (added) and ``gamma`` (a factor).
    fused : bool, optional
        Whether to use `nn.fused_batch_norm`; by default where it fits.
    renorm : bool
        Batch renormalisation (Ioffe, arXiv:1702.03275), with `renorm_clipping` (``rmin``,
        ``rmax``, ``dmax``) and `renorm_momentum`.
    virtual_batch_size : int, optional
        Normalise groups of so many examples, each by its own mean and variance; the averages
        move by the mean over groups.  The variables get an axis for the groups.
    adjustment : callable, optional
        Takes the shape of the inputs and gives a factor and a shift of the normalised values,
        applied while training.
    """

    def __init__(
        self, axis: Any = -1, momentum: Any = 0.99, epsilon: float = 1e-3, center: bool = True,
        scale: bool = True, beta_initializer: Any = Zeros(),  # noqa: B008
        gamma_initializer: Any = Ones(), moving_mean_initializer: Any = Zeros(),  # noqa: B008
        moving_variance_initializer: Any = Ones(), beta_regularizer: Any = None,  # noqa: B008
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None,
        renorm: bool = False, renorm_clipping: Any = None, renorm_momentum: Any = 0.99,
        fused: bool | None = None, trainable: bool = True, virtual_batch_size: int | None = None,
        adjustment: Any = None, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable, name, **kwargs)
        for key in renorm_clipping or {}:
            if key not in ("rmax", "rmin", "dmax"):
                raise ValueError(
                    f"renorm_clipping {renorm_clipping} contains keys not in "
                    "['rmax', 'rmin', 'dmax']"
                )
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = beta_initializer
        self.gamma_initializer = gamma_initializer
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.beta_regularizer = beta_regularizer
        self.gamma_regularizer = gamma_regularizer
        self.beta_constraint = beta_constraint
        self.gamma_constraint = gamma_constraint
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping or {}
        self.renorm_momentum = renorm_momentum
        self.fused = fused
        self.virtual_batch_size = virtual_batch_size
        self.adjustment = adjustment
        self.gamma: Any = None
        self.beta: Any = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    # ---- variables

    def build(self, input_shape: Any) -> None:
        shape = as_shape(input_shape)
        rank = shape.ndims
        if not rank:
            raise ValueError("Input has undefined rank:", shape)
        given = list(self.axis) if isinstance(self.axis, list | tuple) else [self.axis]
        axes = [a + rank if a < 0 else a for a in given]
        for a in axes:
            if not 0 <= a < rank:
                raise ValueError(f"Invalid axis: {a}")
        if len(set(axes)) != len(axes):
            raise ValueError(f"Duplicate axis: {axes}")
        self._check_groups()
        if self.fused is not False:
            self.fused = (
                rank == 4 and axes in ([1], [3]) and not self.renorm
                and self.virtual_batch_size is None and self.adjustment is None
            )  # fmt: skip
        sizes = {a: shape[a].value for a in axes}
        if None in sizes.values():
            raise ValueError("Input has undefined `axis` dimension. Input shape: ", shape)
        self.input_spec = InputSpec(ndim=rank, axes=sizes)
        made: list[Any] = [sizes[a] for a in axes]
        if len(axes) > 1 or self.virtual_batch_size is not None:
            made = [sizes.get(i, 1) for i in range(rank)]
        if self.virtual_batch_size is not None:
            axes = [a + 1 for a in axes]  # as they lie in inputs cut into groups
            made.insert(1, 1)
        self.axis = axes
        self._variables(made)
        self.built = True

    def _check_groups(self) -> None:
        if self.virtual_batch_size is None:
            return
        if self.virtual_batch_size <= 0:
            raise ValueError("virtual_batch_size must be a positive integer that divides the true "
                             "batch size of the input Tensor")  # fmt: skip
        if self.adjustment is not None:
            raise ValueError("When using virtual_batch_size, adjustment cannot be specified")

    def _variables(self, shape: list[Any]) -> None:
        kind = self.dtype or dtypes.float32
        if kind in (dtypes.float16, dtypes.bfloat16):
            kind = dtypes.float32
        if self.scale:
            self.gamma = self.add_weight(
                "gamma", shape, kind, self.gamma_initializer, self.gamma_regularizer, True,
                self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                "beta", shape, kind, self.beta_initializer, self.beta_regularizer, True,
                self.beta_constraint,
            )  # fmt: skip

        def fixed(name: str, size: Any, initializer: Any) -> Any:
            return self.add_weight(name, size, kind, initializer, trainable=False)

        scope = self._scope
        cuts = None if scope is None else scope.partitioner
        if cuts is not None:
            scope.set_partitioner(None)  # averages are assigned as wholes
        try:
            self.moving_mean = fixed("moving_mean", shape, self.moving_mean_initializer)
            self.moving_variance = fixed("moving_variance", shape, self.moving_variance_initializer)
            if self.renorm:
                start = _root_of(self.moving_variance_initializer)
                self.moving_stddev = fixed("moving_stddev", shape, start)
                self.renorm_mean = fixed("renorm_mean", shape, self.moving_mean_initializer)
                self.renorm_stddev = fixed("renorm_stddev", shape, start)
        finally:
            if cuts is not None:
                scope.set_partitioner(cuts)

    # ---- computing

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training is None:
            training = False
        if self.fused:
            return self._fused(inputs, training)
        if self.virtual_batch_size is not None:
            return self._in_groups(inputs, training)
        return self._plain(inputs, training)

    def _in_groups(self, inputs: Any, training: Any) -> Any:
        """Normalised as [virtual batch, groups, ...], every group by itself."""
        sizes = shapes.shape(inputs)
        cut = arrays.concat([[self.virtual_batch_size, -1], sizes[1:]], 0)
        whole: Any = shapes.reshape(inputs, cut)
        whole.set_shape([self.virtual_batch_size, None, *inputs.shape[1:].as_list()])
        y: Any = shapes.reshape(self._plain(whole, training), sizes)
        y.set_shape(inputs.shape)
        return y

    def _fused(self, x: Value, training: Any) -> Value:
        layout = "NCHW" if self.axis == [1] else "NHWC"
        size = self.moving_mean.shape
        kind = self.moving_mean.dtype.base_dtype
        gamma = self.gamma if self.scale else constant(1.0, kind, size)
        beta = self.beta if self.center else constant(0.0, kind, size)
        fixed = static_flag(training)
        options: dict[str, Any] = {"epsilon": self.epsilon, "data_format": layout}
        if fixed is None:
            return self._switched(x, training, gamma, beta, layout)
        if not fixed:
            y, _, _ = norm.fused_batch_norm(
                x, gamma, beta, self.moving_mean, self.moving_variance, is_training=False,
                name="FusedBatchNormV3", **options,
            )  # fmt: skip
            current().reserve("Const")
            return y
        y, mean, variance = norm.fused_batch_norm(
            x, gamma, beta, is_training=True, name="FusedBatchNormV3", **options
        )
        momentum = constant(self.momentum)
        self._average(self.moving_mean, mean, momentum, x)
        self._average(self.moving_variance, variance, momentum, x)
        return y

    def _switched(
        self, x: Value, training: Any, gamma: Any, beta: Any, layout: str
    ) -> Value:  # fmt: skip
        """The statistics are chosen in the run: the normalisation is one, and can be fused."""
        axes = [2, 3] if layout == "NCHW" else [1, 2]
        # TF1: two normalisations in a cond, whose operands are switched into both branches
        operands = [convert_to_tensor(v) for v in (x, gamma, beta)]
        with (
            name_scope("cond"),
            current().counts_as(19, [(1, 2), (6, 3), (6, 5)], [(v, (13, 1)) for v in operands]),
        ):
            wide = math.cast(x, self.moving_mean.dtype.base_dtype)
            mean, variance = norm.moments(wide, [0, *axes])
            mean = math.select(training, mean, self.moving_mean, name="Merge_1")
            batch = math.select(training, variance, self.moving_variance)
            count = math.cast(
                build(reduce.count, (x,), {"axis": (0, *axes)}).outputs[0], variance.dtype
            )
            unbiased = variance * (count / math.maximum(count - 1.0, 1.0))
            given = math.select(training, unbiased, self.moving_variance, name="Merge_2")
            # TF's fused kernel bounds epsilon from below
            epsilon = max(float(self.epsilon), 1.001e-5)
            y = norm.batch_normalization(
                wide, _beside(mean, layout), _beside(batch, layout), _beside(beta, layout),
                _beside(gamma, layout), epsilon,
            )  # fmt: skip
            y = state.identity(math.cast(y, x.dtype), name="Merge")
        with name_scope("cond"), current().counts_as(7):
            momentum = math.select(training, float(self.momentum), 1.0, name="Merge")
        self._average(self.moving_mean, mean, momentum, x)
        self._average(self.moving_variance, given, momentum, x)
        return y

    def _average(self, variable: Any, value: Any, momentum: Any, inputs: Any) -> None:
        update = assign_moving_average(variable, value, momentum, zero_debias=False)
        self.add_update(update, inputs)

    def _plain(self, x: Value, training: Any) -> Value:
        rank = x.rank or 0
        groups = self.virtual_batch_size is not None
        apart = [1, *self.axis] if groups else self.axis
        axes = [i for i in range(rank) if i not in apart]
        sizes = [1] * rank
        if len(self.axis) == 1:
            sizes[self.axis[0]] = x.shape[self.axis[0]].value  # type: ignore[attr-defined]

        def wide(v: Any) -> Any:
            if v is None or len(v.shape) == rank or axes == list(range(rank - 1)):
                return v
            return shapes.reshape(v, sizes)

        gamma, beta = wide(self.gamma), wide(self.beta)
        if static_flag(training) is False:
            mean, variance = convert_to_tensor(self.moving_mean), self.moving_variance
        else:
            kind = self.moving_mean.dtype.base_dtype
            if self.adjustment is not None:
                gamma, beta = self._adjusted(gamma, beta, training, x)
            mean, variance = norm.moments(math.cast(x, kind), axes, keep_dims=len(apart) > 1)
            old_mean, old_variance = self.moving_mean, self.moving_variance
            chosen_mean = self._chosen(training, mean, old_mean)
            chosen_variance = self._chosen(training, variance, old_variance)
            new_mean, new_variance = chosen_mean, chosen_variance
            if groups:
                new_mean = reduce.reduce_mean(chosen_mean, 1, keepdims=True)
                new_variance = reduce.reduce_mean(chosen_variance, 1, keepdims=True)
            if self.renorm:
                r, d = self._renormed(new_mean, new_variance, training, x)
                shift = d if gamma is None else wide(d) * gamma
                gamma = r if gamma is None else gamma * wide(r)
                beta = wide(shift) if beta is None else beta + wide(shift)
            else:
                self._moved(self.moving_mean, new_mean, training, x)
                self._moved(self.moving_variance, new_variance, training, x)
            mean, variance = chosen_mean, chosen_variance
        y = norm.batch_normalization(
            x, wide(mean), wide(convert_to_tensor(variance)), beta, gamma, self.epsilon
        )
        y.set_shape(x.shape)  # type: ignore[attr-defined]
        return y

    def _chosen(self, training: Any, now: Value, before: Any) -> Value:
        """The batch's value while training, else the average."""
        if static_flag(training) is not None:
            return now
        if self.virtual_batch_size is not None:
            before = convert_to_tensor(before) + fills.zeros_like(now)
        with name_scope("cond"), current().counts_as(7, [(1, 2), (6, 1)]):
            chosen: Any = math.select(training, now, before, name="Merge")
        chosen.set_shape(now.static_shape)  # a flag without a shape hides it
        return chosen  # type: ignore[no-any-return]

    def _adjusted(self, gamma: Any, beta: Any, training: Any, x: Value) -> tuple[Any, Any]:
        """The factor and the shift, with those of `adjustment` while training."""
        scale, shift = self.adjustment(shapes.shape(x))
        scale = self._while_training(training, scale, fills.ones_like(scale))
        shift = self._while_training(training, shift, fills.zeros_like(shift))
        if gamma is not None:
            scale, shift = scale * gamma, shift * gamma
        return scale, shift if beta is None else shift + beta

    def _moved(self, variable: Any, value: Value, training: Any, inputs: Value) -> None:
        """Update an average, while training only."""
        if static_flag(training) is not None:
            self._average(variable, value, self.momentum, inputs)
            return
        with name_scope("cond"), current().counts_as(13):
            rate = convert_to_tensor(1.0 - self.momentum, variable.dtype.base_dtype)
            step = math.select(training, (convert_to_tensor(variable) - value) * rate, 0.0)
            self.add_update(state.assign_sub(variable, step, name="Merge"), inputs)

    def _renormed(
        self, mean: Value, variance: Value, training: Any, x: Value
    ) -> tuple[Value, Value]:
        """The factor and the shift of batch renormalisation; the averages are updated."""
        made(1)  # the root of epsilon
        stddev = math.sqrt(variance + self.epsilon)
        least = math.maximum(self.renorm_stddev, _math.sqrt(self.epsilon))
        r = stddev / least
        d = (mean - self.renorm_mean) / least
        clip = self.renorm_clipping
        if "rmin" in clip:
            r = math.maximum(r, clip["rmin"])
        if "rmax" in clip:
            r = math.minimum(r, clip["rmax"])
        if "dmax" in clip:
            d = math.minimum(math.maximum(d, -clip["dmax"]), clip["dmax"])
        r = self._while_training(training, r, fills.ones_like(stddev))
        d = self._while_training(training, d, fills.zeros_like(stddev))
        first = self._smoothed(self.renorm_mean, mean, self.renorm_momentum, training)
        second = self._smoothed(self.renorm_stddev, stddev, self.renorm_momentum, training)
        with get_default_graph().control_dependencies([first, second]):
            mean, variance = state.identity(mean), state.identity(variance)
        self.add_update(self._smoothed(self.moving_mean, mean, self.momentum, training), x)
        now = math.sqrt(variance + self.epsilon)
        new = self._smoothed(self.moving_stddev, now, self.momentum, training)
        target = nn.relu(new * new - self.epsilon)
        kept = self._while_training(training, target, self.moving_variance)
        self.add_update(state.assign(self.moving_variance, kept, name="AssignNewValue"), x)
        return (
            state.stop_gradient(r, name="renorm_r"), state.stop_gradient(d, name="renorm_d")
        )  # fmt: skip

    def _while_training(self, training: Any, yes: Any, no: Any) -> Any:
        return smart_select(training, lambda: yes, lambda: convert_to_tensor(no))

    def _smoothed(self, variable: Any, value: Value, momentum: Any, training: Any) -> Value:
        """The update of an average; none while not training."""
        rate: Any = momentum
        if static_flag(training) is None:
            rate = math.select(training, float(momentum), 1.0)
        return assign_moving_average(variable, value, rate, zero_debias=False)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _beside(v: Any, layout: str) -> Value:
    """A vector of channels as an operand beside images."""
    x = convert_to_tensor(v)
    return x if layout == "NHWC" else shapes.reshape(x, [-1, 1, 1])


def _root_of(initializer: Any) -> Callable[..., Any]:
    """An initializer whose values are the roots of another's."""
    made = initializer_of(initializer)

    def roots(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return math.sqrt(made(shape, dtype=dtype))

    return roots


batch_normalization = functional(
    BatchNormalization,
    "Normalises by the batch's mean and variance where `training` (a bool or a tensor), and by "
    "their moving averages elsewhere; see `BatchNormalization`.",
    calling=("training",),
)
