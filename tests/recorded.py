"""Results beside recorded ones."""

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
