"""What strategies of distribution refuse, and estimators and models under them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf


def test_there_is_one_device() -> None:
    with pytest.raises(ValueError, match="there is no /gpu:0"):
        tf.distribute.MirroredStrategy(["/gpu:0"])
    with pytest.raises(ValueError, match="all its cores"):
        tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    with pytest.raises(ValueError, match="no 2 GPUs"):
        tf.contrib.distribute.MirroredStrategy(num_gpus=2)
    with pytest.raises(ValueError, match="num_gpus_per_worker=1"):
        tf.contrib.distribute.CollectiveAllReduceStrategy(1)
    with pytest.raises(ValueError, match="several"):
        tf.distribute.MirroredStrategy().configure(cluster_spec={"worker": ["a:1", "b:1"]})


def test_scopes_do_not_mix() -> None:
    one, two = tf.distribute.MirroredStrategy(), tf.distribute.OneDeviceStrategy("/cpu:0")
    with one.scope(), one.scope():
        assert tf.distribute.get_strategy() is one
        with pytest.raises(RuntimeError, match="another strategy"), two.scope():
            pass
    with pytest.raises(ValueError, match="valid ReduceOp"):
        one.reduce("middle", tf.zeros([2]), axis=0)
    with pytest.raises(RuntimeError, match="replica context"):
        tf.contrib.distribute.require_replica_context(None)


def test_an_estimator_trains_under_a_strategy(tmp_path: Path) -> None:
    def model(features: Any, labels: Any, mode: str) -> Any:
        loss = tf.losses.mean_squared_error(labels, tf.layers.dense(features, 1))
        train = tf.train.GradientDescentOptimizer(0.1).minimize(
            loss, tf.train.get_or_create_global_step()
        )
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train)

    def rows() -> Any:
        x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
        return tf.data.Dataset.from_tensor_slices((x, 2 * x)).repeat().batch(4)

    config = tf.estimator.RunConfig(
        str(tmp_path), train_distribute=tf.distribute.MirroredStrategy()
    )
    estimator = tf.estimator.Estimator(model, config=config)
    estimator.train(rows, steps=40)
    assert estimator.evaluate(rows, steps=2)["loss"] < 0.1
