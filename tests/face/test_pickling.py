"""Copies and pickles of what users hold: as TensorFlow 1.15, or an error that says what to do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.constant(1.0),
        lambda: tf.constant(1.0).op,
        tf.get_default_graph,
        tf.Session,
        lambda: tf.Variable(1.0),
        lambda: tf.get_variable("r", initializer=1.0, use_resource=True),
        lambda: tf.IndexedSlices(tf.constant([1.0]), tf.constant([0])),
        lambda: tf.SparseTensor([[0]], [1.0], [3]),
        lambda: tf.train.Saver([tf.Variable(1.0)]),
        lambda: tf.data.Dataset.range(3),
        lambda: tf.train.SessionRunArgs(tf.constant(1.0)),
    ],
)
def test_what_belongs_to_a_graph_is_not_pickled(make):
    made = make()
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        with pytest.raises(TypeError, match=r"cannot pickle .*(belong to one process|RLock)"):
            pickle.dumps(made, protocol)


def test_copies_of_tensors_and_graphs():
    x = tf.constant(1.0)
    assert copy.copy(x) is x
    assert copy.deepcopy([x])[0] is x
    assert copy.copy(x.graph).get_operations() == [x.op]
    with pytest.raises(TypeError):
        copy.deepcopy(x.graph)
