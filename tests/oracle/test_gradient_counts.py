"""As many operations as TensorFlow 1.15 makes: what is drawn without a seed of its own counts them.

The counts are in ``gradient_counts.json``, what is counted in `gradient_count_programs`.
"""

import json
from pathlib import Path

import gradient_count_programs as programs
import pytest

import graphc as tf

VALUES = json.loads((Path(__file__).parent / "gradient_counts.json").read_text())
#: What is counted otherwise here.
DIFFERENT = {
    "tf.segment_mean(x,i)",
    "tf.space_to_batch(im,[[0,0],[0,0]],2)",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.tanh(a)),[0,x])[1]",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*s),[0,s])[1]",
    "tf.scan(lambda a,v:a+v,n)",
    "tf.map_fn(tf.tanh,n)",
    "tf.foldl(lambda a,v:a+v,n)",
}


def test_expressions():
    """Of each the operations, those of its gradient, and of its gated gradient."""
    want = VALUES["expressions"]
    got = {text: programs.counts(tf, text) for text in want}
    assert {k: v for k, v in got.items() if v != want[k] and k not in DIFFERENT} == {}


def test_known_differences():
    """One that is no difference any more belongs to the others."""
    want = VALUES["expressions"]
    assert [text for text in DIFFERENT if programs.counts(tf, text) == want[text]] == []


def test_optimizers():
    want = VALUES["optimizers"]
    assert {key: programs.optimized(tf, *key.split()) for key in want} == want


@pytest.mark.parametrize("name", VALUES["programs"])
def test_programs(name):
    assert programs.marks(tf, getattr(programs, name)) == VALUES["programs"][name]
