"""Dense layers, dropout and flattening."""

from __future__ import annotations

import math as _math
from typing import Any

from graphc.face.initializers import Zeros
from graphc.face.shape import TensorShape, as_shape
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.layers.base import Layer, functional
from graphc.layers.spec import InputSpec
from graphc.layers.words import activation_of, smart_cond
from graphc.ops import linalg, math, nn, shapes, state, transposing
from graphc.ops.convert import convert_to_tensor

__all__ = ["Dense", "Dropout", "Flatten", "dense", "dropout", "flatten"]


class Dense(Layer):
    """``activation(inputs @ kernel + bias)`` over the last axis.

    Parameters
    ----------
    units : int
        Size of the output's last axis.
    activation : callable or str, optional
    use_bias : bool
    kernel_initializer, bias_initializer : callable or str, optional
        The variable scope's initializer, else Glorot's uniform one, and zeros.
    kernel_regularizer, bias_regularizer, activity_regularizer : callable, optional
        Their losses go to ``GraphKeys.REGULARIZATION_LOSSES``.
    kernel_constraint, bias_constraint : callable, optional
        Projections that optimizers apply after updates.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = Zeros(),  # noqa: B008
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        trainable: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            trainable, name, activity_regularizer=activity_regularizer, **kwargs
        )  # fmt: skip
        self.units = int(units)
        self.activation = activation_of(activation)
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.input_spec = InputSpec(min_ndim=2)
        self.kernel: Any = None
        self.bias: Any = None

    def build(self, input_shape: Any) -> None:
        dtype = as_dtype(self.dtype or "float32")
        if not dtype.is_floating:
            raise TypeError(f"Unable to build `Dense` layer with non-floating point dtype {dtype}")
        last = as_shape(input_shape)[-1].value
        if last is None:
            raise ValueError(
                "The last dimension of the inputs to `Dense` should be defined. Found `None`."
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.kernel = self.add_weight(
            "kernel", [last, self.units], dtype, self.kernel_initializer,
            self.kernel_regularizer, True, self.kernel_constraint,
        )  # fmt: skip
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", [self.units], dtype, self.bias_initializer, self.bias_regularizer, True,
                self.bias_constraint,
            )  # fmt: skip
        self.built = True

    def call(self, inputs: Any) -> Any:
        if isinstance(inputs, Value):
            y = self._dense(inputs)
        else:
            from graphc.ops import sparse  # type: ignore[attr-defined, unused-ignore]

            y = sparse.sparse_tensor_dense_matmul(inputs, self.kernel)
        if self.use_bias:
            y = nn.bias_add(y, self.bias)
        return y if self.activation is None else self.activation(y)

    def _dense(self, x: Value) -> Value:
        if x.dtype is not self.kernel.dtype.base_dtype:
            x = math.cast(x, self.kernel.dtype.base_dtype)
        if x.rank == 2:
            return linalg.matmul(x, self.kernel)
        assert x.rank is not None
        return linalg.tensordot(x, self.kernel, [[x.rank - 1], [0]])

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        shape = as_shape(input_shape).with_rank_at_least(2)
        if shape[-1].value is None:
            raise ValueError(
                f"The innermost dimension of input_shape must be defined, but saw: {input_shape}"
            )
        return shape[:-1].concatenate(self.units)  # type: ignore[no-any-return]


dense = functional(Dense, "Call a new `Dense` layer: ``activation(inputs @ kernel + bias)``.")


class Dropout(Layer):
    """Zeroes a share of the elements while training, and scales the others up.

    Parameters
    ----------
    rate : float or tensor
        The share.
    noise_shape : sequence of int or None, optional
        Shape of the mask; it is broadcast. None means the size of the input.
    seed : int, optional
    """

    def __init__(
        self, rate: Any = 0.5, noise_shape: Any = None, seed: int | None = None,
        name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, **kwargs)
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed

    def _noise(self, inputs: Value) -> Any:
        if self.noise_shape is None or isinstance(self.noise_shape, Value):
            return self.noise_shape
        sizes = shapes.shape(inputs)
        return convert_to_tensor(
            [sizes[i] if n is None else n for i, n in enumerate(self.noise_shape)]
        )

    def call(self, inputs: Any, training: Any = False) -> Any:
        return smart_cond(
            training,
            lambda: nn.dropout(
                inputs, noise_shape=self._noise(inputs), seed=self.seed, rate=self.rate
            ),
            lambda: state.identity(inputs),
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


dropout = functional(
    Dropout,
    "Zeroes a share `rate` of the elements where `training` (a bool or a tensor), and scales the "
    "others up.",
    calling=("training",),
)


class Flatten(Layer):
    """Makes ``[batch, all other sizes multiplied]`` of its input."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalized_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        rank = inputs.rank
        if self.data_format == "channels_first" and rank > 1:
            inputs = transposing.transpose(inputs, [0, *range(2, rank), 1])
        batch = inputs.shape[0].value
        y = shapes.reshape(inputs, (shapes.shape(inputs)[0] if batch is None else batch, -1))
        y.set_shape(self.compute_output_shape(inputs.shape))  # type: ignore[attr-defined]
        return y

    def compute_output_shape(self, input_shape: Any) -> TensorShape:
        shape = as_shape(input_shape).as_list()
        rest = shape[1:]
        known = None if None in rest else _math.prod([d for d in rest if d is not None])
        return TensorShape([shape[0], known])


def flatten(inputs: Any, name: str | None = None, data_format: str = "channels_last") -> Any:
    """``[batch, all other sizes multiplied]``."""
    return Flatten(name=name, data_format=data_format)(inputs)


def normalized_format(value: str | None) -> str:
    """The data format in lower case.

    Raises
    ------
    ValueError
    """
    word = "channels_last" if value is None else value.lower()
    if word not in ("channels_first", "channels_last"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return word
