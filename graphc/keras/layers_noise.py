"""Layers that add noise, or take channels away, while training."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras import backend as K
from graphc.keras import sessions, settings
from graphc.keras.engine import InputSpec, Layer
from graphc.keras.layers_core import Dropout
from graphc.ops import math, shapes
from graphc.ops.counting import made

__all__ = [
    "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D",
]  # fmt: skip


class GaussianNoise(Layer):
    """Normal noise added while training."""

    supports_masking = True

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev

    def call(self, inputs: Any, training: Any = None) -> Any:
        def noised() -> Any:
            return inputs + K.random_normal(shapes.shape(inputs), 0.0, self.stddev, inputs.dtype)

        return sessions.in_train_phase(noised, inputs, training)


class GaussianDropout(Layer):
    """Normal noise around 1 as a factor while training."""

    supports_masking = True

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not 0 < self.rate < 1:
            return inputs

        def noised() -> Any:
            spread = float(np.sqrt(self.rate / (1.0 - self.rate)))
            return inputs * K.random_normal(shapes.shape(inputs), 1.0, spread, inputs.dtype)

        return sessions.in_train_phase(noised, inputs, training)


class AlphaDropout(Layer):
    """Dropout that keeps mean and variance of selu's outputs."""

    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = None) -> Any:
        if not 0.0 < self.rate < 1.0:
            return inputs
        low = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946

        def dropped() -> Any:
            size = shapes.shape(inputs) if self.noise_shape is None else self.noise_shape
            keep = math.cast(K.random_uniform(size, seed=self.seed) >= self.rate, inputs.dtype)
            a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
            made(1)  # the shift is added to a product of its own
            return a * (inputs * keep + low * (1 - keep)) + -a * low * self.rate

        return sessions.in_train_phase(dropped, inputs, training)


class _SpatialDropout(Dropout):
    rank = 1

    def __init__(self, rate: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = data_format or settings.image_data_format()
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise(self, inputs: Any) -> Any:
        s = shapes.shape(inputs)
        ones = [1] * self.rank
        first = self.data_format == "channels_first"
        return [s[0], s[1], *ones] if first else [s[0], *ones, s[self.rank + 1]]


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of sequences."""

    rank = 1


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images."""

    rank = 2


class SpatialDropout3D(_SpatialDropout):
    """Dropout of whole channels of volumes."""

    rank = 3
