"""Pooling layers: the largest or the mean of each window."""

from __future__ import annotations

from typing import Any

from graphc.face.shape import as_shape
from graphc.layers.base import Layer, functional
from graphc.layers.convolutional import normalized_padding
from graphc.layers.core import normalized_format
from graphc.layers.spec import InputSpec
from graphc.layers.words import sizes_of
from graphc.ops import pool, shapes, transposing

__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "MaxPooling1D", "MaxPooling2D",
    "MaxPooling3D", "average_pooling1d", "average_pooling2d", "average_pooling3d",
    "max_pooling1d", "max_pooling2d", "max_pooling3d",
]  # fmt: skip


class _Pooling(Layer):
    """Windows of `pool_size` at every `strides`, over `rank` axes.

    Parameters
    ----------
    pool_size, strides : int or sequence of int
    padding : {"valid", "same"}
    data_format : {"channels_last", "channels_first"}
    """

    rank = 2
    largest = True

    def __init__(
        self, pool_size: Any, strides: Any, padding: str = "valid",
        data_format: str = "channels_last", name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, **kwargs)
        self.pool_size = sizes_of(pool_size, self.rank, "pool_size")
        self.strides = sizes_of(pool_size if strides is None else strides, self.rank, "strides")
        self.padding = normalized_padding(padding)
        self.data_format = normalized_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _first(self) -> bool:
        return self.data_format == "channels_first"

    def _full(self, sizes: tuple[int, ...]) -> list[int]:
        return [1, 1, *sizes] if self._first else [1, *sizes, 1]

    def call(self, inputs: Any) -> Any:
        padding = self.padding.upper()
        flat: Any = pool.max_pool if self.largest else pool.avg_pool
        if self.rank == 2:
            layout = "NCHW" if self._first else "NHWC"
            ksize, strides = self._full(self.pool_size), self._full(self.strides)
            return flat(inputs, ksize, strides, padding, layout)
        if self.rank == 1:
            at = 3 if self._first else 2
            layout = "NCHW" if self._first else "NHWC"
            ksize, strides = [
                [1, 1, n, 1] if self._first else [1, n, 1, 1]
                for (n,) in (self.pool_size, self.strides)
            ]
            wide = shapes.expand_dims(inputs, at)
            return shapes.squeeze(flat(wide, ksize, strides, padding, layout), [at])
        x = transposing.transpose(inputs, (0, 2, 3, 4, 1)) if self._first else inputs
        made: Any = pool.max_pool3d if self.largest else pool.avg_pool3d
        y = made(x, [1, *self.pool_size, 1], [1, *self.strides, 1], padding)
        return transposing.transpose(y, (0, 4, 1, 2, 3)) if self._first else y

    def compute_output_shape(self, input_shape: Any) -> Any:
        sizes = as_shape(input_shape).as_list()
        space = sizes[2:] if self._first else sizes[1:-1]
        made = []
        for n, k, s in zip(space, self.pool_size, self.strides, strict=True):
            room = n if n is None or self.padding == "same" else n - k + 1
            made.append(None if room is None else (room + s - 1) // s)
        ends = (sizes[:2], []) if self._first else (sizes[:1], sizes[-1:])
        return as_shape([*ends[0], *made, *ends[1]])


class AveragePooling1D(_Pooling):
    rank, largest = 1, False
    __doc__ = _Pooling.__doc__


class AveragePooling2D(_Pooling):
    rank, largest = 2, False
    __doc__ = _Pooling.__doc__


class AveragePooling3D(_Pooling):
    rank, largest = 3, False
    __doc__ = _Pooling.__doc__


class MaxPooling1D(_Pooling):
    rank, largest = 1, True
    __doc__ = _Pooling.__doc__


class MaxPooling2D(_Pooling):
    rank, largest = 2, True
    __doc__ = _Pooling.__doc__


class MaxPooling3D(_Pooling):
    rank, largest = 3, True
    __doc__ = _Pooling.__doc__


average_pooling1d = functional(AveragePooling1D, "The mean of each window of sequences.")
average_pooling2d = functional(AveragePooling2D, "The mean of each window of images.")
average_pooling3d = functional(AveragePooling3D, "The mean of each window of volumes.")
max_pooling1d = functional(MaxPooling1D, "The largest element of each window of sequences.")
max_pooling2d = functional(MaxPooling2D, "The largest element of each window of images.")
max_pooling3d = functional(MaxPooling3D, "The largest element of each window of volumes.")
