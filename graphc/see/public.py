"""What users call an op."""

from __future__ import annotations

import functools
from typing import Any

__all__ = ["public_name"]

_PLACES = (
    "", "nn.", "math.", "linalg.", "random.", "bitwise.", "strings.", "sparse.", "image.", "sets.",
)  # fmt: skip


@functools.cache
def public_name(r: Any) -> str:
    """The name of the public function that records an op: ``"tf.nn.relu"``; "" without one."""
    import graphc as tf

    for place in _PLACES:
        where: Any = tf
        for part in place.rstrip(".").split(".") if place else ():
            where = getattr(where, part, None)
        for name in (r.name, getattr(r.call, "__name__", "")):
            found = getattr(where, name, None) if name.isidentifier() else None
            if found is not None and (found is r or found is r.call):
                return f"tf.{place}{name}"
    return ""
