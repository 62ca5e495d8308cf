"""Optimizers of Keras that programs define do what they do in TensorFlow 1.15."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import pytest
from recorded import close

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("own_optimizers_programs")
FACTS: dict[str, Any] = json.loads((HERE / "own_optimizers.json").read_text())


@pytest.mark.parametrize("name", sorted(programs.PROGRAMS))
def test_recorded(name: str) -> None:
    got = programs.observe(tf, programs.PROGRAMS[name])
    close(json.loads(json.dumps(got)), FACTS[name], name)
