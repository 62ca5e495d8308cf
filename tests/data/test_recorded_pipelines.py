"""Input pipelines against what TensorFlow 1.15 gave for the same programs."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import numpy as np
import pytest
from thinned import thinned

import graphc as tf

ORACLE = pathlib.Path(__file__).resolve().parents[1] / "oracle"
sys.path.insert(0, str(ORACLE))
CASES = [
    (module, name)
    for module in ("data", "queue", "session", "estimator", "optimizer")
    for name in sorted(importlib.import_module(f"{module}_programs").PROGRAMS)
]


def differences(got: Any, want: Any, where: str = "") -> list[str]:
    """What differs, floats beyond rounding."""
    if isinstance(want, dict) and isinstance(got, dict) and sorted(got) == sorted(want):
        return [d for k in want for d in differences(got[k], want[k], f"{where}.{k}")]
    if isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        return [
            d
            for i, (a, b) in enumerate(zip(got, want, strict=True))
            for d in differences(a, b, f"{where}[{i}]")
        ]
    if isinstance(want, float) and isinstance(got, float):
        return [] if np.isclose(got, want, rtol=1e-5, atol=1e-7) else [f"{where}: {got} {want}"]
    return [] if got == want else [f"{where}: {got!r:.300} is not {want!r:.300}"]


#: Long ones beside which other estimators and optimizers stay quick.
SLOW = {
    ("estimator", "checkpoints"), ("estimator", "first_weights"), ("optimizer", "keras_sparse"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name"),
    thinned(CASES, lambda *case: case not in SLOW),
    ids=[f"{m}-{n}" for m, n in CASES],
)
def test_recorded(module: str, name: str, tmp_path: pathlib.Path) -> None:
    program = importlib.import_module(f"{module}_programs").PROGRAMS[name]
    want = json.loads((ORACLE / f"{module}.json").read_text())[name]
    with tf.Graph().as_default():
        got = json.loads(json.dumps(program(tf, np, str(tmp_path))))
    found = differences(got, want)
    assert not found, "\n".join(found)
