"""``tf.keras.utils``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.layers.named import OBJECTS

__all__ = [
    "CustomObjectScope", "Sequence", "custom_object_scope", "get_custom_objects", "normalize",
    "to_categorical",
]  # fmt: skip


def get_custom_objects() -> dict[str, Any]:
    """Objects of users by name."""
    return OBJECTS


@contextlib.contextmanager
def custom_object_scope(*args: dict[str, Any]) -> Iterator[None]:
    """Objects of users that are known by name in a block."""
    before = dict(OBJECTS)
    for a in args:
        OBJECTS.update(a)
    try:
        yield
    finally:
        OBJECTS.clear()
        OBJECTS.update(before)


CustomObjectScope = custom_object_scope


def to_categorical(y: Any, num_classes: int | None = None, dtype: Any = "float32") -> Any:
    """Class numbers as vectors with one 1."""
    given = np.asarray(y, dtype=int)
    shape = given.shape[:-1] if given.ndim > 1 and given.shape[-1] == 1 else given.shape
    flat = given.ravel()
    n = num_classes or int(flat.max()) + 1
    out = np.zeros((flat.size, n), dtype)
    out[np.arange(flat.size), flat] = 1
    return out.reshape(*shape, n)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Vectors of length 1."""
    size = np.atleast_1d(np.linalg.norm(x, order, axis))
    size[size == 0] = 1
    return x / np.expand_dims(size, axis)


class Sequence:
    """Batches by number: users define ``__getitem__`` and ``__len__``."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def __iter__(self) -> Iterator[Any]:
        for i in range(len(self)):
            yield self[i]
