"""Generalised divisive normalisation (Ballé et al. 2016, arXiv:1511.06281)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.gradients import custom_gradient
from graphc.face.shape import as_shape
from graphc.layers.base import Layer
from graphc.layers.spec import InputSpec
from graphc.ops import conv, math, nn, shapes, transposing
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many

__all__ = ["GDN", "gdn"]


def _at_least(x: Any, bound: float) -> Any:
    """The larger of both; a gradient that would make `x` larger passes below the bound too."""

    @custom_gradient
    def bounded(v: Any) -> Any:
        def grad(dy: Any) -> Any:
            passes = math.logical_or(v >= bound, dy < 0.0)
            return math.cast(passes, dy.dtype) * dy

        return math.maximum(v, bound), grad

    return bounded(convert_to_tensor(x))


class GDN(Layer):
    """``y[i] = x[i] / sqrt(beta[i] + sum over j of gamma[j, i] * x[j] ** 2)``, over channels.

    Parameters
    ----------
    inverse : bool
        Multiply by the root instead.
    beta_min : float
        The least `beta`.
    gamma_init : float
        What `gamma` has on its diagonal at first; zeros elsewhere.
    reparam_offset : float
        Keeps the gradients of small numbers: variables are ``sqrt(value + reparam_offset ** 2)``.
    data_format : {"channels_last", "channels_first"}
    """

    def __init__(
        self, inverse: bool = False, beta_min: float = 1e-6, gamma_init: float = 0.1,
        reparam_offset: float = 2**-18, data_format: str = "channels_last",
        activity_regularizer: Any = None, trainable: bool = True, name: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable, name, activity_regularizer=activity_regularizer, **kwargs)
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"Unsupported `data_format` for GDN layer: {data_format}.")
        self.inverse, self.data_format = inverse, data_format
        self._beta_min, self._gamma_init = beta_min, gamma_init
        self._offset = float(reparam_offset)
        self.input_spec = InputSpec(min_ndim=3, max_ndim=5)
        self.beta: Any = None
        self.gamma: Any = None

    def build(self, input_shape: Any) -> None:
        shape = as_shape(input_shape)
        n = shape[1 if self.data_format == "channels_first" else -1].value
        if n is None:
            raise ValueError("The channel dimension of the inputs to `GDN` must be defined.")
        self.beta = self._square("beta", np.ones([n]), self._beta_min)
        self.gamma = self._square("gamma", np.eye(n) * self._gamma_init, 0.0)
        self.built = True

    def _square(self, name: str, first: Any, least: float) -> Any:
        """A number that is at least `least`, as the square of a variable."""
        pedestal = self._offset**2
        v = self.add_weight(
            f"reparam_{name}", list(first.shape), self.dtype,
            lambda shape, dtype=None, partition_info=None: convert_to_tensor(
                np.sqrt(first + pedestal), dtype
            ),
        )  # fmt: skip
        return math.square(_at_least(v, (least + pedestal) ** 0.5)) - pedestal

    def call(self, inputs: Any) -> Any:
        x = convert_to_tensor(inputs)
        if self.data_format == "channels_first":
            assert x.rank is not None
            space = range(2, x.rank)
            y = self._normalized(transposing.transpose(x, [0, *space, 1]))
            return transposing.transpose(y, [0, x.rank - 1, *range(1, x.rank - 1)])
        return self._normalized(x)

    def _normalized(self, x: Any) -> Any:
        squares, n = math.square(x), self.gamma.shape[0].value
        window = shapes.reshape(self.gamma, [1] * (x.rank - 2) + [n, n])
        root = math.sqrt(nn.bias_add(conv.convolution(squares, window, "VALID"), self.beta))
        y: Any = x * root if self.inverse else x / root
        y.set_shape(x.get_shape())
        return y


@as_many(33)
def gdn(
    inputs: Any, inverse: bool = False, beta_min: float = 1e-6, gamma_init: float = 0.1,
    reparam_offset: float = 2**-18, data_format: str = "channels_last",
    activity_regularizer: Any = None, trainable: bool = True, name: str | None = None,
    reuse: bool | None = None,
) -> Any:  # fmt: skip
    """`GDN` of a tensor, with variables of the scope it is called in."""
    layer = GDN(
        inverse, beta_min, gamma_init, reparam_offset, data_format, activity_regularizer,
        trainable, name, dtype=inputs.dtype.base_dtype, _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer.apply(inputs)
