"""Families of tf.contrib beside what TensorFlow 1.15 said of them (`record.py`)."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
import warnings

import numpy as np
import pytest
from recorded import close
from thinned import thinned

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
FAMILIES = sorted(p.name[: -len("_programs.py")] for p in HERE.glob("*_programs.py"))
CASES = [
    (family, name)
    for family in FAMILIES
    for name in importlib.import_module(family + "_programs").PROGRAMS
]
#: Long ones beside which others of their family stay quick.
SLOW = {
    ("trees", "pruned"), ("trees", "numbers"), ("trees", "classes"), ("trees", "given_head"),
    ("learn", "deep"), ("learn", "wide"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "name"), thinned(CASES, lambda family, name: (family, name) not in SLOW)
)
def test_recorded(family: str, name: str, tmp_path: pathlib.Path) -> None:
    tf.reset_default_graph()
    facts = json.loads((HERE / f"{family}.json").read_text())
    program = importlib.import_module(family + "_programs").PROGRAMS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        got = json.loads(json.dumps(program(tf, np, str(tmp_path))))
    close(got, facts[name], name)
