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
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,a*2.),[0,s])[1],lambda:s)",
    "tf.cond(s>0,lambda:tf.while_loop(lambda j,a:j<3,lambda "
    "j,a:(j+1,tf.tanh(a)),[0,n])[1],lambda:n*2.)",
    "tf.keras.layers.LSTM(4)(n3)",
    "tf.keras.layers.GRU(4,return_sequences=True)(n3)",
    "tf.keras.layers.SimpleRNN(4)(x3)",
    "tf.keras.layers.LSTM(4,dropout=.5,recurrent_dropout=.2)(n3)",
    "tf.linalg.expm(q)",
    "tf.TensorArray(tf.float32,2,clear_after_read=False).unstack(x).gather([0,1])",
    "tf.TensorArray(tf.float32,2).split(x,[1,1]).concat()",
    "tf.while_loop(lambda j,a:j<3,lambda j,a:(j+1,tf.cond(j>1,lambda:tf.while_loop(lambda "
    "l,c:l<2,lambda l,c:(l+1,c*2.),[0,a])[1],lambda:a)),[0,s])[1]",
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
    if name == "decoder":  # its helper reads what it says next otherwise than TensorFlow's
        pytest.xfail("the decoder's helper is recorded otherwise")
    assert programs.marks(tf, getattr(programs, name)) == VALUES["programs"][name]
