"""Initial values for variables, with TF1's formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.ir import dtypes
from graphc.ir.dtypes import DType, as_dtype
from graphc.ops import convert, diagonal, fills, shapes, transposing

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "Identity", "Initializer", "Ones", "Orthogonal",
    "RandomNormal", "RandomUniform", "TruncatedNormal", "UniformUnitScaling", "VarianceScaling",
    "Zeros", "constant_initializer", "glorot_normal_initializer", "glorot_uniform_initializer",
    "he_normal", "he_uniform", "identity_initializer", "lecun_normal", "lecun_uniform",
    "ones_initializer", "orthogonal_initializer", "random_normal_initializer",
    "random_uniform_initializer", "truncated_normal_initializer",
    "uniform_unit_scaling_initializer", "variance_scaling_initializer", "zeros_initializer",
]  # fmt: skip


def _float(dtype: Any) -> DType:
    out = as_dtype(dtype)
    if not out.is_floating:
        raise ValueError(f"Expected floating point type, got {out}.")
    return out


def _random() -> Any:
    from graphc.ops import random  # many programs draw no random numbers

    return random


class Initializer:
    """Makes a tensor of a given shape and element type."""

    dtype: DType

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        """The initial value: a tensor of `shape`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        out = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        out["dtype"] = self.dtype.name
        return out

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """An initializer from what `get_config` gave."""
        return cls(**config)

    def _type(self, dtype: Any) -> DType:
        return self.dtype if dtype is None else as_dtype(dtype)


class Zeros(Initializer):
    """All elements 0."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return fills.zeros(shape, self._type(dtype))


class Ones(Initializer):
    """All elements 1."""

    def __init__(self, dtype: Any = dtypes.float32) -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return fills.ones(shape, self._type(dtype))


class Constant(Initializer):
    """Given values.

    Parameters
    ----------
    value : number, list or array
        A shorter list is filled up with its last element.
    """

    def __init__(
        self, value: Any = 0, dtype: Any = dtypes.float32, verify_shape: bool = False
    ) -> None:
        if not (np.isscalar(value) or isinstance(value, list | tuple | np.ndarray)):
            raise TypeError(
                f"Invalid type for initial value: {type(value)} (expected Python scalar, list or "
                "tuple of values, or numpy.ndarray)."
            )
        self.value = value
        self.dtype = as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(
        self, shape: Any, dtype: Any = None, partition_info: Any = None, verify_shape: Any = None
    ) -> Any:
        verify = self._verify_shape if verify_shape is None else verify_shape
        return convert.constant(self.value, self._type(dtype), shape, verify_shape=verify)


class RandomUniform(Initializer):
    """Uniform in [`minval`, `maxval`)."""

    def __init__(
        self, minval: Any = 0, maxval: Any = None, seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        self.minval = minval
        self.maxval = maxval
        self.seed = seed
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return _random().random_uniform(
            shape, self.minval, self.maxval, self._type(dtype), seed=self.seed
        )


class RandomNormal(Initializer):
    """Normal with `mean` and `stddev`."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None,
        dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        self.mean = mean
        self.stddev = stddev
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return _random().random_normal(
            shape, self.mean, self.stddev, self._type(dtype), seed=self.seed
        )


class TruncatedNormal(RandomNormal):
    """Normal, drawn again where it is more than two `stddev` from `mean`."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        return _random().truncated_normal(
            shape, self.mean, self.stddev, self._type(dtype), seed=self.seed
        )


class UniformUnitScaling(Initializer):
    """Uniform, so wide that a matrix product keeps the scale of its input, times `factor`."""

    def __init__(
        self, factor: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.factor = factor
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        size = 1.0
        for d in _sizes(shape)[:-1]:
            size *= float(d)
        top = math.sqrt(3 / max(size, 1.0)) * self.factor
        return _random().random_uniform(shape, -top, top, self._type(dtype), seed=self.seed)


class VarianceScaling(Initializer):
    """Random with variance ``scale / n``, n by `mode` the fan in, the fan out or their mean.

    Parameters
    ----------
    scale : float
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "normal", "untruncated_normal", "uniform"}
        ``"normal"`` is ``"truncated_normal"``.
    """

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal",
        seed: int | None = None, dtype: Any = dtypes.float32,
    ) -> None:  # fmt: skip
        if scale <= 0.0:
            raise ValueError("`scale` must be positive float.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("Invalid `mode` argument:", mode)
        distribution = distribution.lower()
        if distribution not in ("normal", "uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError("Invalid `distribution` argument:", distribution)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        fan_in, fan_out = _fans(_sizes(shape))
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        scale = self.scale / max(1.0, n)
        t = self._type(dtype)
        if self.distribution in ("normal", "truncated_normal"):
            stddev = math.sqrt(scale) / 0.87962566103423978  # of the truncated normal itself
            return _random().truncated_normal(shape, 0.0, stddev, t, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return _random().random_normal(shape, 0.0, math.sqrt(scale), t, seed=self.seed)
        limit = math.sqrt(3.0 * scale)
        return _random().random_uniform(shape, -limit, limit, t, seed=self.seed)


class GlorotUniform(VarianceScaling):
    """Glorot's (Xavier's) uniform initializer."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"seed": self.seed, "dtype": self.dtype.name}


class GlorotNormal(VarianceScaling):
    """Glorot's (Xavier's) normal initializer."""

    def __init__(self, seed: int | None = None, dtype: Any = dtypes.float32) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments it was made with."""
        return {"seed": self.seed, "dtype": self.dtype.name}


class Orthogonal(Initializer):
    """A random matrix with orthonormal rows or columns, times `gain`."""

    def __init__(
        self, gain: float = 1.0, seed: int | None = None, dtype: Any = dtypes.float32
    ) -> None:
        self.gain = gain
        self.seed = seed
        self.dtype = _float(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        from graphc.ops import factor  # only this initializer needs them
        from graphc.ops import math as elementwise

        sizes = _sizes(shape)
        if len(sizes) < 2:
            raise ValueError("The tensor to initialize must be at least two-dimensional")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        flat = (columns, rows) if rows < columns else (rows, columns)
        a = _random().random_normal(flat, dtype=self._type(dtype), seed=self.seed)
        q, r = factor.qr(a, full_matrices=False)
        q *= elementwise.sign(diagonal.diag_part(r))
        if rows < columns:
            q = transposing.matrix_transpose(q)
        return self.gain * shapes.reshape(q, sizes)


class Identity(Initializer):
    """The identity matrix times `gain`."""

    def __init__(self, gain: float = 1.0, dtype: Any = dtypes.float32) -> None:
        self.gain = gain
        self.dtype = _float(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
        sizes = _sizes(shape)
        if len(sizes) != 2:
            raise ValueError("Identity matrix initializer can only be used for 2D matrices.")
        return self.gain * diagonal.eye(sizes[0], sizes[1], dtype=self._type(dtype))


def _sizes(shape: Any) -> list[int]:
    return [int(d) for d in shape]


def _fans(sizes: list[int]) -> tuple[int, int]:
    """How many inputs and outputs a unit of a dense or convolution kernel has."""
    if len(sizes) < 2:
        n = sizes[0] if sizes else 1
        return n, n
    field = math.prod(sizes[:-2])
    return sizes[-2] * field, sizes[-1] * field


zeros_initializer = Zeros
ones_initializer = Ones
constant_initializer = Constant
random_uniform_initializer = RandomUniform
random_normal_initializer = RandomNormal
truncated_normal_initializer = TruncatedNormal
uniform_unit_scaling_initializer = UniformUnitScaling
variance_scaling_initializer = VarianceScaling
glorot_uniform_initializer = GlorotUniform
glorot_normal_initializer = GlorotNormal
orthogonal_initializer = Orthogonal
identity_initializer = Identity


def lecun_normal(seed: int | None = None) -> VarianceScaling:
    """LeCun's normal initializer."""
    return VarianceScaling(1.0, "fan_in", "truncated_normal", seed)


def lecun_uniform(seed: int | None = None) -> VarianceScaling:
    """LeCun's uniform initializer."""
    return VarianceScaling(1.0, "fan_in", "uniform", seed)


def he_normal(seed: int | None = None) -> VarianceScaling:
    """He's normal initializer."""
    return VarianceScaling(2.0, "fan_in", "truncated_normal", seed)


def he_uniform(seed: int | None = None) -> VarianceScaling:
    """He's uniform initializer."""
    return VarianceScaling(2.0, "fan_in", "uniform", seed)
