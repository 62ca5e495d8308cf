"""What a layer asks of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value

__all__ = ["InputSpec", "check_inputs", "flat_values"]


class InputSpec:
    """Type, rank and sizes that an input must have.

    Parameters
    ----------
    dtype : DType, optional
    shape : sequence, optional
        None where any size will do.
    ndim, max_ndim, min_ndim : int, optional
    axes : dict, optional
        Sizes by axis.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, Any] | None = None,
    ) -> None:
        self.dtype: DType | None = None if dtype is None else as_dtype(dtype)
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(self.shape or ())
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = {int(k): v for k, v in (axes or {}).items()}
        most = self.ndim if self.ndim is not None else max_ndim
        if self.axes and most is not None and max(self.axes) > most - 1:
            raise ValueError(
                f"Axis {max(self.axes)} is greater than the maximum allowed value: {most - 1}"
            )

    def get_config(self) -> dict[str, Any]:
        """Its arguments."""
        return {
            "dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
            "min_ndim": self.min_ndim, "axes": self.axes,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSpec:
        """What `get_config` says."""
        return cls(**config)

    def __repr__(self) -> str:
        words = {
            "dtype": self.dtype and repr(self.dtype), "shape": self.shape and str(self.shape),
            "ndim": self.ndim, "max_ndim": self.max_ndim, "min_ndim": self.min_ndim,
            "axes": self.axes or None,
        }  # fmt: skip
        return f"InputSpec({', '.join(f'{k}={v}' for k, v in words.items() if v)})"


def flat_values(x: Any) -> list[Value]:
    """The tensors of a nest, in order."""
    if x is None:
        return []
    if isinstance(x, Value):
        return [x]
    if isinstance(x, Mapping):
        return [v for k in sorted(x) for v in flat_values(x[k])]
    if isinstance(x, list | tuple):
        return [v for e in x for v in flat_values(e)]
    return []


def check_inputs(spec: Any, inputs: Any, name: str) -> None:
    """Refuse inputs that a layer's spec does not allow.

    Raises
    ------
    ValueError
    """
    if spec is None:
        return
    specs = list(spec) if isinstance(spec, list | tuple) else [spec]
    flat = flat_values(inputs)
    if len(flat) != len(specs):
        raise ValueError(
            f"Layer {name} expects {len(specs)} inputs, but it received {len(flat)} input "
            f"tensors. Inputs received: {flat}"
        )
    for i, (x, s) in enumerate(zip(flat, specs, strict=True)):
        if s is not None:
            _check(x, s, f"Input {i} of layer {name} is incompatible with the layer: ")


def _check(x: Any, s: InputSpec, start: str) -> None:
    rank = x.shape.ndims
    ranked = s.ndim is not None or s.min_ndim is not None or s.max_ndim is not None
    if ranked and rank is None:
        raise ValueError(f"{start}its rank is undefined, but the layer requires a defined rank.")
    sizes = x.shape.as_list() if rank is not None else None
    got = f"Full shape received: {sizes}"
    if s.ndim is not None and rank != s.ndim:
        raise ValueError(f"{start}expected ndim={s.ndim}, found ndim={rank}. {got}")
    if s.max_ndim is not None and rank > s.max_ndim:
        raise ValueError(f"{start}expected max_ndim={s.max_ndim}, found ndim={rank}")
    if s.min_ndim is not None and rank < s.min_ndim:
        raise ValueError(f"{start}: expected min_ndim={s.min_ndim}, found ndim={rank}. {got}")
    if s.dtype is not None and x.dtype is not s.dtype:
        raise ValueError(f"{start}expected dtype={s.dtype}, found dtype={x.dtype}")
    if sizes is None:
        return
    for axis, value in s.axes.items():
        value = getattr(value, "value", value)
        if value is not None and sizes[axis] not in (value, None):
            raise ValueError(
                f"{start}expected axis {axis} of input shape to have value {value} but received "
                f"input with shape {sizes}"
            )
    for want, size in zip(s.shape or (), sizes, strict=False):
        if want is not None and size is not None and want != size:
            raise ValueError(f"{start}expected shape={s.shape}, found shape={sizes}")
