"""``tensorflow.python.framework.tensor_spec.BoundedTensorSpec``: a spec with bounds of values."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.data.structure import TensorSpec

__all__ = ["BoundedTensorSpec"]


def _broadcast(a: tuple[int, ...], b: tuple[int | None, ...]) -> bool:
    """Whether shapes go together, from the last size on; None is any."""
    pairs = zip(reversed(a), reversed(b), strict=False)
    return all(m == n or 1 in (m, n) or n is None for m, n in pairs)


class BoundedTensorSpec(TensorSpec):
    """A `TensorSpec` with the least and the greatest value of the elements (both may occur).

    Parameters
    ----------
    shape, dtype
    minimum, maximum : number or array
        Of a shape that broadcasts with `shape`.
    name : str, optional

    Raises
    ------
    ValueError
        When a bound is missing, or its shape does not fit.
    """

    __slots__ = ("_maximum", "_minimum")

    def __init__(
        self, shape: Any, dtype: Any, minimum: Any, maximum: Any, name: str | None = None
    ) -> None:
        super().__init__(shape, dtype, name)
        if minimum is None or maximum is None:
            raise ValueError(
                f"minimum and maximum must be provided; but saw '{minimum}' and '{maximum}'"
            )
        self._minimum = self._bound("minimum", minimum)
        self._maximum = self._bound("maximum", maximum)

    def _bound(self, which: str, value: Any) -> Any:
        kind = self.dtype.as_numpy_dtype
        given, sizes = np.shape(value), self.shape
        if sizes.ndims is not None and not _broadcast(given, tuple(sizes.as_list())):
            raise ValueError(
                f"{which} is not compatible with shape: {given} and {sizes} do not broadcast."
            )
        made = np.array(value, dtype=kind)
        made.setflags(write=False)
        return made

    @classmethod
    def from_spec(cls, spec: TensorSpec, name: str | None = None) -> BoundedTensorSpec:
        """A spec with its bounds; without, those of the element type."""
        low = getattr(spec, "minimum", spec.dtype.min)
        high = getattr(spec, "maximum", spec.dtype.max)
        return cls(spec.shape, spec.dtype, low, high, name or spec.name)

    @property
    def minimum(self) -> Any:
        """The least values: an array that cannot be written."""
        return self._minimum

    @property
    def maximum(self) -> Any:
        """The greatest values: an array that cannot be written."""
        return self._maximum

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundedTensorSpec)
            and super().__eq__(other)
            and np.allclose(self.minimum, other.minimum)
            and np.allclose(self.maximum, other.maximum)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"BoundedTensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r}, "
            f"minimum={self.minimum!r}, maximum={self.maximum!r})"
        )

    def __reduce__(self) -> Any:
        _, (shape, dtype, name) = super().__reduce__()
        return type(self), (shape, dtype, self._minimum, self._maximum, name)
