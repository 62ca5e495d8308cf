"""Seeds that are made of seeds, as TensorFlow derives them."""

from __future__ import annotations

import hashlib
from typing import Any

__all__ = ["SeedStream", "new_seed"]


def new_seed(seed: int | None, salt: str) -> int | None:
    """The seed of another draw of the same sample, as TensorFlow derives it."""
    if seed is None:
        return None
    text = hashlib.md5((str(seed) + salt).encode(), usedforsecurity=False).hexdigest()
    return int(text[:8], 16) & 0x7FFFFFFF


class SeedStream:
    """Seeds for several draws, made of one.

    Parameters
    ----------
    seed : int, None or SeedStream
        With None every seed is None.
    salt : str
        Tells this stream from others of the same seed.
    """

    def __init__(self, seed: Any, salt: str) -> None:
        self._seed = seed.original_seed if isinstance(seed, SeedStream) else seed
        self._salt = salt
        self._count = 0

    def __call__(self) -> int | None:
        """The next seed."""
        self._count += 1
        if self._seed is None:
            return None
        text = str((self._seed, self._count, self._salt)).encode()
        return int(hashlib.sha512(text).hexdigest(), 16)

    @property
    def original_seed(self) -> Any:
        return self._seed

    @property
    def salt(self) -> str:
        return self._salt
