"""``tf.keras.preprocessing.sequence``."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Any, maxlen: int | None = None, dtype: Any = "int32", padding: str = "pre",
    truncating: str = "pre", value: Any = 0.0,
) -> Any:  # fmt: skip
    """Sequences cut, or filled with `value`, to one length.

    Parameters
    ----------
    padding, truncating : {"pre", "post"}
        At which end.
    """
    rows = [np.asarray(s) for s in sequences]
    length = maxlen or max((len(r) for r in rows), default=0)
    rest = next((r.shape[1:] for r in rows if len(r)), ())
    out = np.full((len(rows), length, *rest), value, dtype)
    for i, r in enumerate(rows):
        if not len(r):
            continue
        if truncating not in ("pre", "post") or padding not in ("pre", "post"):
            raise ValueError(f"padding and truncating are 'pre' or 'post', not {padding!r}, "
                             f"{truncating!r}")  # fmt: skip
        kept = r[-length:] if truncating == "pre" else r[:length]
        if padding == "post":
            out[i, : len(kept)] = kept
        else:
            out[i, length - len(kept) :] = kept
    return out
