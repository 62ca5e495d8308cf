"""The programs beside this file say what TensorFlow 1.15 says of them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
families: Any = importlib.import_module("families")

FACTS: dict[str, dict[str, Any]] = {
    family: json.loads((HERE / f"{family}.json").read_text()) for family in families.families()
}
CASES = [
    (family, name, f)
    for family, module in families.families().items()
    for name, f in families.programs(module).items()
]


def close(got: Any, want: Any, path: str) -> None:
    """Equal, numbers as nearly as float32 gives them."""
    if isinstance(want, list):
        assert isinstance(got, list), (path, got, want)
        assert len(got) == len(want), (path, got, want)
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            close(a, b, f"{path}[{i}]")
    elif isinstance(want, dict):
        assert isinstance(got, dict), (path, got, want)
        assert sorted(got) == sorted(want), (path, got, want)
        for k, b in want.items():
            close(got[k], b, f"{path}[{k!r}]")
    elif isinstance(want, float) and not isinstance(got, bool | str | None):
        np.testing.assert_allclose(got, want, 2e-5, 2e-6, err_msg=path)
    else:
        assert (got, type(got)) == (want, type(want)), path


def test_every_fact_has_a_program() -> None:
    assert sorted((f, n) for f, rows in FACTS.items() for n in rows) == sorted(
        (f, n) for f, n, _ in CASES
    )


@pytest.mark.parametrize(("family", "name", "f"), CASES, ids=[f"{f}-{n}" for f, n, _ in CASES])
def test_program(family: str, name: str, f: Any, tmp_path: Path) -> None:
    got = families.observe(tf, f, tmp_path)
    close(json.loads(json.dumps(got)), FACTS[family][name], name)
