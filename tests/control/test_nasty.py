"""Nasty programs of control flow give what TensorFlow 1.15 gives, or fail with its error."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

import nasty_programs
import numpy as np
import pytest

import graphc as tf

WANT: dict[str, str] = json.loads(pathlib.Path(__file__).with_name("nasty.json").read_text())
PROGRAMS = nasty_programs.programs(tf, np)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?|(?<![\w.])nan")


def shown(x: Any) -> str:
    """A result as text: type, shape and values."""
    if isinstance(x, (list, tuple)):
        return f"{type(x).__name__}({', '.join(map(shown, x))})"
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in sorted(x.items())) + "}"
    if isinstance(x, (np.ndarray, np.generic)):
        a = np.asarray(x)
        if a.dtype.kind == "f":
            a = np.round(a.astype(np.float64), 4) + 0.0
        return f"{np.asarray(x).dtype}{list(a.shape)} {a.tolist()}"
    return repr(x)


def test_every_program_has_a_result() -> None:
    assert set(PROGRAMS) == set(WANT)


@pytest.mark.parametrize("name", PROGRAMS)
def test_result(name: str) -> None:
    with tf.Graph().as_default():
        try:
            got = shown(PROGRAMS[name]())
        except Exception as e:
            got = f"!{type(e).__name__}"
            if got != WANT[name]:
                raise
            return
    want = WANT[name]
    assert NUMBER.sub("#", got) == NUMBER.sub("#", want)
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (got, want)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-4, atol=2e-4)
