"""Batch normalisation of virtual batches, with an adjustment; values recorded from TF 1.15."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as tf

ROWS = ((np.arange(24) * 7 % 11).reshape(6, 4) ** 1.5).astype(np.float32)

RENORMED = [
    -1.2339563369750977, -1.417576789855957, -1.397254228591919, 2.5204946994781494,
    -1.4147257804870605, -1.3831629753112793, 1.2022899389266968, -1.4108991622924805,
    0.04643082618713379, 0.36167144775390625, 0.32300329208374023, -0.7113473415374756,
    0.35617828369140625, 0.29685044288635254, 1.6995106935501099, 0.34883832931518555,
    2.3875253200531006, 2.255904197692871, 2.274251937866211, -0.6091475486755371,
    2.258549690246582, 2.286313772201538, -1.7018011808395386, 2.2620625495910645,
]  # fmt: skip

#: Moving mean, variance, standard deviation; renorm mean and standard deviation after a step.
AVERAGES = [
    [0.09945505857467651, 0.14028708636760712, 0.13833211362361908, 0.12836718559265137],
    [1.0279091596603394, 1.036722183227539, 1.1873526573181152, 1.200052261352539],
    [1.0143516063690186, 1.0186865329742432, 1.0901159048080444, 1.0959253311157227],
    [0.09945505857467651, 0.14028708636760712, 0.13833211362361908, 0.12836718559265137],
    [1.0143516063690186, 1.0186865329742432, 1.0901159048080444, 1.0959253311157227],
]


@pytest.fixture(autouse=True)
def fresh():
    with tf.Graph().as_default():
        yield


def begun(*values, feeds=None):
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        return s.run(list(values), feeds or {})


@pytest.mark.parametrize("fed", [False, True])
def test_groups(fed):
    flag = tf.placeholder_with_default(True, []) if fed else True
    x = tf.constant((np.arange(24).reshape(6, 4) ** 1.5).astype(np.float32))
    y = tf.layers.batch_normalization(x, virtual_batch_size=3, training=flag)
    assert y.name == "batch_normalization/Reshape_1:0"
    assert y.shape == (6, 4)
    assert {tuple(v.shape.as_list()) for v in tf.global_variables()} == {(1, 1, 4)}
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        got = s.run(y)[:, 0]
        s.run(tf.get_collection("update_ops"))
        averages = s.run(tf.global_variables()[2:])
    want = [-1.0897007, -1.1471583, -0.23579866, -0.14267457, 1.325499, 1.2898328]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    moved = [0.37606558, 0.4206323, 0.46848002, 0.51902866]
    np.testing.assert_allclose(averages[0].ravel(), moved, rtol=1e-6)
    moved = [10.085206, 11.129695, 12.140876, 13.138587]
    np.testing.assert_allclose(averages[1].ravel(), moved, rtol=1e-6)


def test_groups_renormalised():
    clip = {"rmax": 1.5, "rmin": 0.5, "dmax": 0.4}
    y = tf.layers.batch_normalization(
        tf.constant(ROWS), virtual_batch_size=3, training=True, renorm=True, renorm_clipping=clip
    )
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        np.testing.assert_allclose(s.run(y).ravel(), RENORMED, rtol=1e-5, atol=1e-6)
        s.run(tf.get_collection("update_ops"))
        averages = [v.ravel() for v in s.run(tf.global_variables()[2:])]
    np.testing.assert_allclose(averages, AVERAGES, rtol=1e-5)


def test_images_in_groups_are_not_fused():
    x = tf.reshape(tf.constant(ROWS), [6, 2, 2, 1])
    y = tf.layers.batch_normalization(x, training=True, virtual_batch_size=2, fused=True)
    assert y.op.type == "Reshape"
    assert tf.global_variables()[0].shape == (1, 1, 1, 1, 1)
    want = [-1.4079922437667847, 0.25590038299560547, -0.9411607980728149, 1.4330532550811768]
    np.testing.assert_allclose(begun(y)[0].ravel()[:4], want, rtol=1e-5)


def test_a_batch_of_another_size():
    x = tf.placeholder(tf.float32, [None, 4])
    flag = tf.placeholder(tf.bool)
    y = tf.layers.batch_normalization(x, virtual_batch_size=3, training=flag)
    got = begun(y, feeds={x: np.full([3, 4], 2.0), flag: False})[0]
    np.testing.assert_allclose(got, np.full([3, 4], 1.9990008), rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"16 values, .*multiple of 12"):
        begun(y, feeds={x: np.ones([4, 4]), flag: True})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"virtual_batch_size": 0}, "must be a positive integer that divides"),
        ({"virtual_batch_size": -1}, "must be a positive integer that divides"),
        ({"virtual_batch_size": 4}, "evenly divisible by 16 but is 24"),
        (
            {"virtual_batch_size": 3, "adjustment": lambda shape: (1.0, 0.0)},
            "When using virtual_batch_size, adjustment cannot be specified",
        ),
    ],
)
def test_refused(options, text):
    with pytest.raises(ValueError, match=text):
        tf.layers.batch_normalization(tf.constant(ROWS), training=True, **options)


def test_adjusted_while_training():
    flag = tf.placeholder(tf.bool)

    def adjustment(shape):
        return tf.fill([1, shape[-1]], 2.0), tf.fill([1, shape[-1]], 0.5)

    y = tf.layers.batch_normalization(tf.constant(ROWS), training=flag, adjustment=adjustment)
    want = [-1.7089145183563232, 1.4819130897521973, -0.9989272952079773, 3.987687349319458]
    np.testing.assert_allclose(begun(y, feeds={flag: True})[0][0], want, rtol=1e-5)
    want = [0.0, 18.51100730895996, 5.193556308746338, 31.606977462768555]
    np.testing.assert_allclose(begun(y, feeds={flag: False})[0][0], want, rtol=1e-6)
