"""What the recorded programs of this folder share."""

from __future__ import annotations

from typing import Any


def rounded(x: Any) -> Any:
    """Values as plain data, floats with five digits."""
    if isinstance(x, dict):
        return {str(k): rounded(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [rounded(v) for v in x]
    if hasattr(x, "tolist"):
        return rounded(x.tolist())
    if isinstance(x, bytes):
        return x.decode()
    return float(f"{x:.5g}") if isinstance(x, float) else x


def error(f: Any) -> list[str]:
    """The type and the words of what a call raises."""
    try:
        f()
    except Exception as e:
        return [type(e).__name__, str(e).partition("\n")[0]]
    return ["nothing", ""]
