"""Results as JSON, and beside recorded ones. The recorders run under Python 3.7 too."""

from __future__ import annotations

from typing import Any

import numpy as np


def close(got: Any, want: Any, what: str, rtol: float = 5e-4, atol: float = 2e-5) -> None:
    """Check plain data: floats nearly, all else exactly; `what` is the place in messages."""
    if isinstance(want, list):
        assert len(got) == len(want), f"{what}: {got} instead of {want}"
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            close(g, w, f"{what}[{i}]", rtol, atol)
    elif isinstance(want, dict):
        assert sorted(got) == sorted(want), what
        for k in want:
            close(got[k], want[k], f"{what}[{k}]", rtol, atol)
    elif isinstance(want, float):
        np.testing.assert_allclose(float(got), want, rtol=rtol, atol=atol, err_msg=what)
    else:
        assert got == want, what


def plain(x: Any, digits: int = 7) -> Any:
    """A result as JSON: arrays as nested lists, floats with so many digits."""
    if isinstance(x, dict):
        return {str(k): plain(v, digits) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [plain(v, digits) for v in x]
    if isinstance(x, np.ndarray):
        return plain(x.tolist(), digits)
    if isinstance(x, bytes):
        return x.decode("utf-8", "backslashreplace")
    if x is None or isinstance(x, (bool, str)):
        return x
    if isinstance(x, np.bool_):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    number = float(x)
    return float(f"{number:.{digits}g}") if np.isfinite(number) else str(number)


def compare(got: Any, want: Any, tolerance: float, where: str = "") -> list[str]:
    """Differences between two results, as lines of text."""
    if isinstance(want, dict):
        if not isinstance(got, dict) or set(got) != set(want):
            return [f"{where}: keys {sorted(got)}, not {sorted(want)}"]
        return [d for k in want for d in compare(got[k], want[k], tolerance, f"{where}.{k}")]
    if isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            return [f"{where}: {str(got)[:200]}, not {str(want)[:200]}"]
        pairs = enumerate(zip(got, want, strict=True))
        return [d for i, (g, w) in pairs for d in compare(g, w, tolerance, f"{where}[{i}]")]
    if isinstance(want, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        good = abs(got - want) <= tolerance * max(1.0, abs(want))
        return [] if good else [f"{where}: {got!r}, not {want!r}"]
    return [] if got == want else [f"{where}: {got!r}, not {want!r}"]
