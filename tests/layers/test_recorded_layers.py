"""Programs of layers, losses and metrics: names, collections, shapes and values of TF 1.15."""

from __future__ import annotations

import importlib
import json
import pathlib
import sys
from typing import Any

import pytest
from recorded import close
from thinned import thinned

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
observe = importlib.import_module("layer_harness").observe

CASES = [
    (what, key)
    for what in (
        "layers",
        "losses",
        "metrics",
        "contrib",
        "distributions",
        "names",
        "signal",
        "linear",
        "random_variables",
        "more_names",
        "rare",
        "nets",
        "columns",
        "decoders",
    )
    if (HERE / f"{what}.json").exists()
    for key in importlib.import_module(f"{what}_programs").PROGRAMS
]
FACTS: dict[str, Any] = {
    what: json.loads((HERE / f"{what}.json").read_text()) for what in {w for w, _ in CASES}
}


def unnamed(facts: list[Any]) -> list[Any]:
    """Without names and static shapes inside gradients, which are graphc's own."""
    return [f and (f[1] if f[0].startswith("gradients") else f) for f in facts]


#: Long ones beside which others like them stay quick.
SLOW = {
    ("nets", "inception_second"), ("nets", "inception_third"), ("nets", "residual_first"),
    ("signal", "fourier_of_reals"),
}  # fmt: skip


@pytest.mark.parametrize(("what", "key"), thinned(CASES, lambda *case: case not in SLOW))
def test_recorded(what: str, key: str) -> None:
    want = FACTS[what][key]
    module = importlib.import_module(f"{what}_programs")
    got = json.loads(json.dumps(observe(tf, module.PROGRAMS[key])))
    assert got["collections"] == want["collections"]
    assert got["said"] == want["said"]
    assert unnamed(got["fetch"]) == unnamed(want["fetch"])
    for i, (one, other) in enumerate(zip(got["values"], want["values"], strict=True)):
        for k, (g, w) in enumerate(zip(one, other, strict=True)):
            names = [f for f in want["fetch"] if f]
            # float32 sums in another order
            close(g, w, f"after {i} steps: {names[k]}", rtol=5e-5, atol=5e-6)
