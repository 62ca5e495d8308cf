"""Checkpoints of objects: TensorFlow 1.15's files, numbering, what is matched, what is refused."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import sys
from typing import Any

import numpy as np
import pytest

import graphc as tf

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
programs = importlib.import_module("object_programs")
THEIRS = str(HERE / "objects" / "tf115-1")


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_file_of_tensorflow_and_back(tmp_path: pathlib.Path) -> None:
    objects, _ = programs.build(tf)
    checkpoint = tf.train.Checkpoint(**objects)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        programs.fill(tf, session)
        want = programs.values(tf, session)
        programs.fill(tf, session, 5.0)
        status = checkpoint.restore(THEIRS)
        status.assert_consumed()
        status.run_restore_ops(session)
        assert same(programs.values(tf, session), want)
        path = checkpoint.save(str(tmp_path / "ours"), session)
        keys = json.loads((HERE / "objects" / "keys.json").read_text())
        assert dict(tf.train.list_variables(path)) == keys
        programs.fill(tf, session, 5.0)
        tf.train.Saver(programs.variables(tf)).restore(session, THEIRS)  # by the names in it
        assert same(programs.values(tf, session), want)
        programs.fill(tf, session, 5.0)
        again = tf.train.Checkpoint(**objects)
        again.restore(path).assert_consumed().run_restore_ops(session)
        assert same(programs.values(tf, session), want)
        assert session.run(again.save_counter) == 2  # the file of TensorFlow was the first


@pytest.fixture
def two() -> Any:
    tf.reset_default_graph()
    ones = tf.ones_initializer()
    x, y = (tf.get_variable(n, [k], initializer=ones) for n, k in (("x", 2), ("y", 3)))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        yield x, y, session


def test_training_goes_on(tmp_path: pathlib.Path) -> None:
    """A process that stops and one that goes on from its checkpoint make the same numbers."""

    def start() -> Any:
        tf.reset_default_graph()
        v = tf.get_variable("v", [3], initializer=tf.constant_initializer(2.0))
        adam = tf.train.AdamOptimizer(0.1)
        step = adam.minimize(tf.reduce_sum(tf.square(v - [1.0, 2.0, 3.0])))
        return v, step, tf.train.Checkpoint(v=v, adam=adam)

    v, step, checkpoint = start()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step)
        path = checkpoint.save(str(tmp_path / "c"))
        session.run(step)
        want = session.run(v)
    v, step, checkpoint = start()
    with tf.Session() as session:
        checkpoint.restore(path).initialize_or_restore()
        session.run(step)
        np.testing.assert_array_equal(session.run(v), want)


def test_manager(two: Any, tmp_path: pathlib.Path) -> None:
    x, y, _session = two
    checkpoint, folder = tf.train.Checkpoint(x=x, y=y), str(tmp_path / "m")
    manager = tf.train.CheckpointManager(checkpoint, folder, 2)
    assert manager.latest_checkpoint is None
    numbers = [manager.save(), manager.save(), manager.save(7), manager.save()]
    assert [os.path.basename(p) for p in numbers] == ["ckpt-1", "ckpt-2", "ckpt-7", "ckpt-4"]
    assert manager.checkpoints == numbers[2:]
    assert tf.train.latest_checkpoint(folder) == manager.latest_checkpoint == numbers[3]
    held = {f.partition(".")[0] for f in os.listdir(folder)}
    assert held - {""} == {"checkpoint", "ckpt-7", "ckpt-4"}
    other = tf.train.CheckpointManager(checkpoint, folder, 3, checkpoint_name="z")
    assert other.checkpoints == numbers[2:]
    assert os.path.basename(other.save()) == "z-5"
    with pytest.raises(ValueError, match="positive integer"):
        tf.train.CheckpointManager(checkpoint, folder, 0)


def test_what_is_matched(two: Any, tmp_path: pathlib.Path) -> None:
    x, y, session = two
    checkpoint = tf.train.Checkpoint(x=x, y=y)
    path = checkpoint.write(str(tmp_path / "deep" / "w"))
    session.run(x.assign([5.0, 6.0]))
    part = tf.train.Checkpoint(x=x).restore(path)
    with pytest.raises(AssertionError, match=r"Unresolved object in checkpoint \(root\).y"):
        part.assert_consumed()
    part.assert_existing_objects_matched().assert_nontrivial_match().run_restore_ops()
    assert session.run(x).tolist() == [1, 1]
    z = tf.get_variable("z", [2], initializer=tf.constant_initializer(3.0))
    more = tf.train.Checkpoint(x=x, z=z).restore(path)
    with pytest.raises(AssertionError, match="not bound to checkpointed values"):
        more.assert_existing_objects_matched()
    more.initialize_or_restore()
    assert session.run(z).tolist() == [3, 3]
    late = tf.train.Checkpoint(x=x)
    status = late.restore(path)
    late.y = y
    session.run(y.assign([0.0, 0.0, 0.0]))
    status.run_restore_ops()
    assert session.run(y).tolist() == [1, 1, 1]


def test_refused(two: Any, tmp_path: pathlib.Path) -> None:
    x, y, session = two
    checkpoint = tf.train.Checkpoint(x=x, y=y)
    path = checkpoint.write(str(tmp_path / "w"))
    session.run(x.assign([5.0, 6.0]))
    for other, text in (
        (tf.train.Checkpoint(x=y), r"lhs shape= \[3\] rhs shape= \[2\]"),
        (tf.train.Checkpoint(y=y, x=tf.get_variable("d", [2], tf.float64)), "double|float64"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=text):
            other.restore(path).run_restore_ops()
    assert session.run(y).tolist() == [1, 1, 1]
    for wrong in (3, tf.zeros([])):
        with pytest.raises(ValueError, match="expecting a trackable object"):
            tf.train.Checkpoint(a=wrong)
    with pytest.raises(tf.errors.NotFoundError, match="Failed to find any matching files"):
        checkpoint.restore(str(tmp_path / "nothing"))
    with pytest.raises(AssertionError, match="No checkpoint specified"):
        checkpoint.restore(None).run_restore_ops()
    checkpoint.restore(None).initialize_or_restore()
    assert session.run(x).tolist() == [1, 1]
    with pytest.raises(tf.errors.NotFoundError):
        tf.train.Saver([x, tf.get_variable("z", [2])]).restore(session, path)


def test_by_names(two: Any, tmp_path: pathlib.Path) -> None:
    """A file of `Saver` restores by the names of variables."""
    x, y, session = two
    path = tf.train.Saver([x, y]).save(session, str(tmp_path / "names"))
    session.run(x.assign([5.0, 6.0]))
    both = tf.train.Checkpoint(x=x)
    both.other = {"y": y}
    status = both.restore(path)
    status.assert_consumed().run_restore_ops()
    assert session.run(x).tolist() == [1, 1]
    z = tf.get_variable("z", [2])
    lacking = tf.train.Checkpoint(x=x, z=z).restore(path)
    with pytest.raises(tf.errors.NotFoundError, match="z not found"):
        lacking.run_restore_ops()
    lacking.initialize_or_restore()
