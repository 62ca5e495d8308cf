"""Nasty programs of control flow give what TensorFlow 1.15 gives, or fail with its error."""

from __future__ import annotations

import json
import pathlib
import re

import nasty_programs
import numpy as np
import pytest

import graphc as tf

WANT: dict[str, str] = json.loads(pathlib.Path(__file__).with_name("nasty.json").read_text())
PROGRAMS = nasty_programs.programs(tf, np)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:e[+-]?\d+)?|(?<![\w.])nan")


def test_every_program_has_a_result() -> None:
    assert set(PROGRAMS) == set(WANT)


@pytest.mark.parametrize("name", PROGRAMS)
def test_result(name: str) -> None:
    with tf.Graph().as_default():
        try:
            got = nasty_programs.shown(PROGRAMS[name]())
        except Exception as e:
            got = f"!{type(e).__name__}"
            if got != WANT[name]:
                raise
            return
    want = WANT[name]
    assert NUMBER.sub("#", got) == NUMBER.sub("#", want)
    numbers = [[float(x) for x in NUMBER.findall(text)] for text in (got, want)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=1e-4, atol=2e-4)
