"""GRAPHC_CHECK=1 finds planted miscompiles, and goes on without what is at fault."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import plants
import pytest

import graphc as tf
from graphc.errors import CompileError
from graphc.see import check


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GRAPHC_CHECK", "1")
    monkeypatch.setenv("GRAPHC_CHECK_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("plant", plants.PLANTS.values(), ids=list(plants.PLANTS))
def test_planted(plant: plants.Plant, monkeypatch: pytest.MonkeyPatch, checked: Path) -> None:
    with tf.Graph().as_default():
        fetches, feeds = plant.program()
        init = tf.global_variables_initializer()
        monkeypatch.setenv("GRAPHC_CHECK", "0")
        with tf.Session() as sess:  # what is right
            sess.run(init)
            want = sess.run(fetches, feeds)
        with plant.fault():
            with tf.Session() as sess:  # the plant does harm
                sess.run(init)
                wrong = sess.run(fetches, feeds)
                assert not np.allclose(wrong, want, equal_nan=True)
            monkeypatch.setenv("GRAPHC_CHECK", "1")
            with tf.Session() as sess:
                sess.run(init)
                if plant.optional:
                    with pytest.warns(RuntimeWarning, match="switched off") as found:
                        got = sess.run(fetches, feeds)
                    np.testing.assert_allclose(got, want, rtol=1e-5)
                    text = str(found[0].message)
                    assert f"{plant.kind} {plant.name!r}" in text
                    np.testing.assert_array_equal(sess.run(fetches, feeds), got)
                    return
                with pytest.raises(CompileError) as e:
                    sess.run(fetches, feeds)
            text = str(e.value)
            assert plant.kind in text
            assert plant.name in text
            assert list(checked.glob("*.py")), text


def test_right_programs_pass() -> None:
    with tf.Graph().as_default(), warnings.catch_warnings():
        warnings.simplefilter("error")
        tf.set_random_seed(1)
        x = tf.placeholder(tf.float32, [None, 8, 8, 1])
        y = tf.placeholder(tf.int32, [None])
        h = tf.layers.conv2d(x, 4, 3, activation=tf.nn.relu, padding="same")
        h = tf.layers.dropout(tf.layers.max_pooling2d(h, 2, 2), 0.5, training=True)
        logits = tf.layers.dense(tf.layers.flatten(h), 10)
        loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
        train = tf.train.AdamOptimizer().minimize(loss)
        hits = tf.reduce_mean(tf.cast(tf.nn.in_top_k(logits, y, 1), tf.float32))
        cell = tf.nn.rnn_cell.LSTMCell(5)
        seq = tf.placeholder(tf.float32, [None, 6, 3])
        out, _ = tf.nn.dynamic_rnn(cell, seq, dtype=tf.float32)
        back = tf.gradients(tf.reduce_sum(out), tf.trainable_variables()[-1])
        noise = tf.while_loop(
            lambda i, v: i < 3, lambda i, v: (i + 1, v + tf.random_normal([3])), [0, tf.zeros([3])]
        )
        rng = np.random.default_rng(0)
        feeds = {
            x: rng.normal(size=(3, 8, 8, 1)), y: [1, 2, 3], seq: rng.normal(size=(2, 6, 3)),
        }  # fmt: skip
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(2):
                sess.run([train, loss, hits, out, back, noise], feeds)


def test_checked_runs_give_the_same() -> None:
    def program(value: str, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
        monkeypatch.setenv("GRAPHC_CHECK", value)
        with tf.Graph().as_default(), tf.Session() as sess:
            tf.set_random_seed(3)
            v = tf.get_variable("v", initializer=tf.ones([4]))
            step = tf.assign_add(v, tf.random_uniform([4]))
            sess.run(tf.global_variables_initializer())
            return [sess.run(step) for _ in range(4)]

    with pytest.MonkeyPatch.context() as m:
        for a, b, c in zip(program("0", m), program("1", m), program("3", m), strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)


def test_script_shows_the_fault(checked: Path) -> None:
    plant = plants.PLANTS["a wrong lowering of an op"]
    with tf.Graph().as_default(), plant.fault(), tf.Session() as sess:
        fetches, feeds = plant.program()
        with pytest.raises(CompileError, match=r"shown by: python .*\.py"):
            sess.run(fetches, feeds)
    (path,) = checked.glob("*.py")
    text = path.read_text()
    names: dict[str, object] = {}
    exec(compile(text, str(path), "exec"), names)
    assert len(text.splitlines()) < 30
    assert "tanh" in str(names["GRAPH"])
    assert "reduce_sum" not in str(names["GRAPH"])
    with plant.fault():
        assert check.replay(names["GRAPH"], names["INPUTS"], names["PASSES"]) == 1  # type: ignore[arg-type]
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=300)
    assert "agrees with numpy" in done.stdout, done.stderr
