"""Calls of public functions make as many operations as in TensorFlow 1.15: seeds depend on it.

``call_counts.json`` has the numbers, and those of calls that are counted otherwise here.
"""

import json
from pathlib import Path

import call_count_programs as programs

import graphc as tf

VALUES = json.loads((Path(__file__).parent / "call_counts.json").read_text())


def count(text):
    """The number; what was raised where there is no such function."""
    try:
        return programs.counted(tf, text)
    except (AttributeError, NotImplementedError) as e:
        return str(e)


def test_counts():
    got = {text: count(text) for text in VALUES["counts"]}
    assert got == VALUES["counts"]


def test_known_differences():
    """One that is no difference any more belongs to the others."""
    assert [text for text, n in VALUES["different"].items() if count(text) == n] == []
