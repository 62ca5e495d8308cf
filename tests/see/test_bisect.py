"""`graphc.bisect` finds planted miscompiles, to the single application."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import plants
import pytest

import graphc as tf
from graphc.cli import main
from graphc.ir.permit import Permit, granting
from graphc.see import check


def replayed(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What a script says in this process."""
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    more = [names["VARIABLES"]] if "VARIABLES" in names else []
    capsys.readouterr()
    return check.replay(names["GRAPH"], names["INPUTS"], names["PASSES"], *more), names["GRAPH"]


@pytest.mark.parametrize("plant", plants.PLANTS.values(), ids=list(plants.PLANTS))
def test_planted(plant: plants.Plant, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "fault.py"
    with tf.Graph().as_default(), tf.Session() as sess:
        fetches, feeds = plant.program()
        sess.run(tf.global_variables_initializer())
        before = sess.run(tf.global_variables())
        assert not tf.bisect(fetches, feeds, sess)
        with plant.fault():
            found = tf.bisect(fetches, feeds, sess, script=script)
            for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
                np.testing.assert_array_equal(a, b)
            assert found.kind == plant.kind, found
            name = {"rule": found.rule, "pass": found.stage, "kernel": found.op}.get(found.kind, "")
            assert name == plant.name
            assert plant.node in ("", found.node), found
            if plant.kind == "rule" or plant.name in ("fold", "cse") or plant.node:
                assert found.application is not None
                assert 1 <= found.application <= found.total
            assert found.script == script
            status, text = replayed(script, capsys)
            assert status == 1
            assert len(text.splitlines()) < (99 if plant.name == "share" else 30)  # nine kernels
        assert replayed(script, capsys)[0] == 0


def test_the_application_is_the_one(tmp_path: Path) -> None:
    plant = plants.PLANTS["a wrong rule"]
    with tf.Graph().as_default(), plant.fault(), tf.Session() as sess:
        fetches, feeds = plant.program()
        found = tf.bisect(fetches, feeds, script=tmp_path / "fault.py")
        assert found.node == "guilty"
        assert found.tries <= 3 + np.log2(found.total + 1)
        values = []
        for limit in (found.application, (found.application or 0) - 1):
            session = tf.Session()
            session._executor.permit = Permit(limit=limit)
            values.append(session.run(fetches, feeds))
    with tf.Graph().as_default(), tf.Session() as sess:
        fetches, feeds = plant.program()
        want = sess.run(fetches, feeds)
    assert not np.allclose(values[0], want)
    np.testing.assert_allclose(values[1], want, rtol=1e-5)


def test_a_check_of_ones_own(tmp_path: Path) -> None:
    plant = plants.PLANTS["a wrong rule"]
    with tf.Graph().as_default(), tf.Session() as sess:
        fetches, feeds = plant.program()
        want = sess.run(fetches, feeds)
        right = lambda got: np.allclose(got, want)  # noqa: E731
        assert not tf.bisect(fetches, feeds, sess, right)
        with plant.fault():
            found = tf.bisect(fetches, feeds, sess, right, script=tmp_path / "fault.py")
        assert (found.kind, found.rule, found.node) == ("rule", plant.name, "guilty")
        assert "The check fails" in str(found)


def test_what_shrinking_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant = plants.PLANTS["a wrong rule"]
    with tf.Graph().as_default(), plant.fault():
        fetches, feeds = plant.program()
        tf.bisect(fetches, feeds, script=tmp_path / "fault.py")
        _, text = replayed(tmp_path / "fault.py", capsys)
    ops = [line.split(" = ")[1].split()[0] for line in text.splitlines() if " = " in line]
    assert sorted(ops) == ["abs", "abs", "input", "input", "multiply"]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_training_step(parts: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rule spoils the gradient of one step, of which nothing is left behind."""
    plant = plants.PLANTS["a wrong rule"]
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(2)
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        h = tf.layers.dense(x, 4, tf.tanh) + tf.random_normal([4], stddev=0.1)
        if parts == 2:
            h = tf.boolean_mask(h, h[:, 0] > -9.0)
        loss = tf.reduce_mean(tf.multiply(tf.abs(h), tf.abs(1.0 - h), name="guilty"))
        train = tf.train.AdamOptimizer().minimize(loss)
        sess.run(tf.global_variables_initializer())
        feeds = {x: np.random.default_rng(0).normal(size=(5, 3))}
        before = sess.run(tf.global_variables())
        with plant.fault():
            found = tf.bisect([train, loss], feeds, sess, script=tmp_path / "fault.py")
            assert (found.kind, found.rule, found.node) == ("rule", plant.name, "guilty")
            assert replayed(tmp_path / "fault.py", capsys)[0] == 1
        for a, b in zip(before, sess.run(tf.global_variables()), strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_is_permitted() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [3])
        y = tf.identity(x * 1.0) + tf.constant(1.0) * 2.0
        with granting(Permit(limit=0)):
            text = tf.dump(y, stage="fuse")
        assert "multiply" in text
        assert "multiply" not in tf.dump(y, stage="fuse")


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
import plants
import graphc as tf

plant = plants.PLANTS[{name!r}]
with plant.fault(), tf.Session() as sess:
    fetches, feeds = plant.program()
    print(sess.run(fetches, feeds).shape)
"""


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "script.py", tmp_path / "fault.py"
    folder = str(Path(__file__).parent)
    path.write_text(SCRIPT.format(folder=folder, name="a wrong fold"))
    tf.reset_default_graph()
    assert main(["bisect", "--out", str(out), str(path)]) == 1
    text = capsys.readouterr().out
    assert "pass fold" in text
    assert str(out) in text
    done = subprocess.run([sys.executable, out], capture_output=True, text=True, timeout=300)
    assert "agrees with numpy" in done.stdout, done.stderr
    path.write_text("import graphc as tf\nprint(tf.Session().run(tf.constant(1.0) + 1.0))\n")
    tf.reset_default_graph()
    assert main(["bisect", str(path)]) == 0
    assert "nothing is wrong" in capsys.readouterr().out
    path.write_text("raise SystemExit(7)\n")
    assert main(["bisect", str(path)]) == 7
    assert capsys.readouterr().out == ""


def test_rounding_that_adds_up_is_no_fault() -> None:
    x = np.array([[-0.488961786, -0.37992245, 0.25973466], [-1.68134868, -0.916794777, -0.1192241],
                  [-0.44627729, -2.14335537, 0.0100377668]], np.float32)  # fmt: skip
    with tf.Graph().as_default():
        given, dy = tf.placeholder(tf.float32, [3, 3]), tf.placeholder(tf.float32, [3, 3])
        y = tf.nn.softmax(given)
        cancelled = dy - tf.reduce_sum(dy * y, 1, keepdims=True)  # nothing but rounding
        assert not tf.bisect([tf.concat([y, y], 1), cancelled], {given: x, dy: np.ones([3, 3])})


def test_script_that_cannot_be_written(tmp_path: Path) -> None:
    plant = plants.PLANTS["a wrong fold"]
    with tf.Graph().as_default(), plant.fault():
        fetches, feeds = plant.program()
        with pytest.warns(RuntimeWarning, match="cannot write its script"):
            found = tf.bisect(fetches, feeds, script=tmp_path / "absent" / "fault.py")
    assert found.kind == "pass"
    assert found.script is None


def test_closed_session() -> None:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.constant(1.0) + 1.0
    with pytest.raises(RuntimeError, match="closed Session"):
        tf.bisect(x, session=sess)


#: What a user's check may do wrong → the error.
CHECKS: dict[str, tuple[Any, type[Exception], str]] = {
    "array": (lambda y: y > 0, TypeError, r"gave ndarray of shape \(3,\): np.all\(...\) says it"),
    "none": (lambda y: None, TypeError, "True or False, but gave NoneType"),
    "number": (lambda y: 1, TypeError, "True or False, but gave int"),
    "raises": (lambda y: 1 // 0, RuntimeError, "`check` raises ZeroDivisionError: "),
    "asserts": (
        lambda y: np.testing.assert_array_equal(y, 7), RuntimeError, "raises AssertionError",
    ),
    "no function": (True, TypeError, "`check` is a function of a run's results, not True"),
}  # fmt: skip


@pytest.mark.parametrize("what", CHECKS)
def test_checks_that_say_nothing(what: str) -> None:
    check, error, text = CHECKS[what]
    with tf.Graph().as_default():
        y = tf.exp(tf.constant([1.0, 2.0, 3.0])) * 1.0
        with pytest.raises(error, match=text):
            tf.bisect(y, check=check)


def test_checks_that_are_never_content() -> None:
    with tf.Graph().as_default():
        y = tf.exp(tf.constant([1.0, 2.0, 3.0])) * 1.0
        found = tf.bisect(y, check=lambda y: False)
        assert not found
        assert "fails with every rewrite and pass switched off" in str(found)
        found = tf.bisect(y, check=lambda y: np.all(y > 0))  # numpy's bool is one
        assert str(found) == "graphc.bisect: nothing is wrong: the results agree with numpy"
