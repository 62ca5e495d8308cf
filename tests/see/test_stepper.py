"""Stepping through runs: the debugger's prompt, driven through its streams."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.see import tfdbg
from graphc.see.shell import Wrong, sliced


class Program:
    """A run with a product, a logarithm, a loop and an update."""

    def __init__(self) -> None:
        self.x = tf.placeholder(tf.float32, [None], name="x")
        self.w = tf.get_variable("w", initializer=[1.0, 2.0, 3.0])
        self.h = tf.multiply(self.x, self.w, name="h")
        self.y = tf.log(self.h, name="y")
        self.step = tf.assign_add(self.w, self.h)
        self.loop = tf.while_loop(
            lambda i, v: i < 3, lambda i, v: (i + 1, tf.add(v, 1.0, name="inc")), [0, self.h]
        )
        self.feeds = {self.x: [1.0, 0.0, 2.0]}


def _everything(p: Program) -> list[Any]:
    return [p.y, p.step, p.loop]


def debugged(commands: str, fetch: Any = None, runs: int = 1, filters: Any = ()) -> tuple[Any, str]:
    """Results of runs under the debugger, and what it said."""
    out = io.StringIO()
    with tf.Graph().as_default(), tf.Session() as sess:
        p = Program()
        sess.run(tf.global_variables_initializer())
        sess.run([p.y, p.step, p.loop], p.feeds)  # the quick path is there already
        d = tfdbg.LocalCLIDebugWrapperSession(sess, stdin=io.StringIO(commands), stdout=out)
        for name, f in filters:
            d.add_tensor_filter(name, f)
        results = [d.run((fetch or _everything)(p), p.feeds) for _ in range(runs)]
        assert d.run_call_count == runs
    return results, out.getvalue()


def stops(text: str) -> list[str]:
    """The nodes at which a run stood still."""
    return [line.split("--> ")[1].split()[0] for line in text.splitlines() if "--> " in line]


def test_results_are_those_of_plain_runs() -> None:
    (got,), text = debugged("s\ns\ns\ns\nc\nc\n")
    with tf.Graph().as_default(), tf.Session() as sess:
        p = Program()
        sess.run(tf.global_variables_initializer())
        for _ in range(2):
            want = sess.run([p.y, p.step, p.loop], p.feeds)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    np.testing.assert_array_equal(got[2][1], want[2][1])
    assert "run 1: fetch y:0" in text
    assert "; feed x:0" in text
    assert "run 1 is done" in text


COMMANDS = {
    "step": ("s\ns\nc\nc\n", ["h", "y"]),
    "step N": ("s 2\nc\nc\n", ["y"]),
    "into the loop": ("u inc\nu inc\nc\nc\n", ["while/inc", "while/inc"]),
    "until a pattern": ("until .*inc\nuntil .*inc\nuntil .*inc\nc\nc\n", ["while/inc"] * 3),
    "until a filter": ("until has_inf_or_nan\nc\nc\n", ["y"]),
    "run -f": ("run -f has_inf_or_nan\nc\nc\n", ["y"]),
    "break": ("b y\nc\nc\nc\n", ["y"]),
    "break and clear": ("b y\nclear y\nc\nc\n", []),
    "end of input": ("", []),
    "run -n": ("run -n\n", []),
}


@pytest.mark.parametrize(("commands", "want"), COMMANDS.values(), ids=list(COMMANDS))
def test_where_it_stops(commands: str, want: list[str]) -> None:
    _, text = debugged(commands)
    found = stops(text)
    if want == ["while/inc", "while/inc"]:  # `u inc` matches no whole name
        assert found == []
    else:
        assert found == want
    assert "error" not in text


def test_next_stays_outside_of_loops() -> None:
    _, stepping = debugged("s\n" * 40)
    _, going = debugged("n\n" * 40)
    assert "while/inc" in stops(stepping)
    assert "while/inc" not in stops(going)
    assert set(stops(going)) < set(stops(stepping))
    assert "while/LoopCond turn 2" in stepping


LOOKING = {
    "pt h": ["[ 2.  0. 18.]", 'Tensor "h:0": float32[3] min=0 max=18'],
    "pt h[0]": ['Tensor "h:0[0]"', "2."],
    "pt h[1:]": ["[ 0. 18.]"],
    "pt h[1, 1]": ["error: [1,1]: too many indices"],
    "pt h[a]": ["error: 'a' is no index"],
    "pt h -s": ["0: 1  +: 2  total: 3"],
    "pt y": ["-inf"],
    "pt x": ["[1. 0. 2.]"],
    "pt nothing": ["error: tensor 'nothing' has no value (yet)"],
    "lt": ["h:0", "y:0", "Mul", "Log"],
    "lt -n ^h": ["1 tensor(s)"],
    "lt -t Log": ["1 tensor(s)", "y:0"],
    "lt -f has_inf_or_nan": ['1 tensor(s) passing filter "has_inf_or_nan"'],
    "lt -f none": ["error: there is no tensor filter 'none'"],
    "lt -n [": ["error: not a pattern"],
    "ni h -t": ["op: Mul", "inputs: x:0, w/read:0", "recipients: y", "test_stepper.py"],
    "ni nothing": ["error: there is no node 'nothing' in the graph"],
    "ni": ["error: the following arguments are required"],
    "li y": ["(1) h"],
    "li y -r": ["(2) x", "(3) w"],
    "lo h": ["(1) y"],
    "ps": ["test_stepper.py", "->"],
    "ps nowhere.py": ["error: there is no file 'nowhere.py'"],
    'eval "np.sum(`h:0`) + 1"': ["21.0"],
    "eval 1/0": ["error: ZeroDivisionError"],
    "where": ["--> y (log)"],
    "ri": ["fetch y:0"],
    "step -1": ["error: step takes a number from 1, not -1"],
    "step 0": ["error: step takes a number from 1, not 0"],
    "step x": ["error: argument count: invalid int value: 'x'"],
    "until [": ["error: '[' is neither a filter nor a pattern"],
    "run -t 0": ["error: -t takes a number from 1"],
    "bogus": ["error: there is no command 'bogus'"],
    "run -f none": ["error: there is no tensor filter 'none'"],
    "help pt": ["print_tensor (pt) NAME[SLICE]"],
    "help": ["step [N]", "exit: leave the program"],
}


def test_looking() -> None:
    """Every command of the table, at the same place of one run."""
    marks = [f"eval \"'mark {i}'\"" for i in range(len(LOOKING))]
    lines = [x for pair in zip(LOOKING, marks, strict=True) for x in pair]
    _, text = debugged("\n".join(["until y", *lines, "c", "c", ""]))
    for i, (command, want) in enumerate(LOOKING.items()):
        said, _, text = text.partition(f"'mark {i}'")
        for words in want:
            assert words in said, (command, said)


def test_filters_of_ones_own() -> None:
    seen: list[str] = []

    def large(datum: Any, tensor: Any) -> bool:
        seen.append(datum.tensor_name)
        assert datum.node_name == datum.tensor_name.partition(":")[0]
        return tensor is not None and tensor.dtype.kind == "f" and bool((tensor > 18.5).any())

    _, text = debugged("run -f large\nc\nc\n", lambda p: p.loop, filters=[("large", large)])
    assert stops(text) == ["while/inc"]
    assert "h:0" in seen
    with tf.Session() as sess:
        d = tfdbg.LocalCLIDebugWrapperSession(sess)
        with pytest.raises(ValueError, match="cannot be empty"):
            d.add_tensor_filter("", large)
        with pytest.raises(TypeError, match="expected to be str"):
            d.add_tensor_filter(1, large)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="expected to be callable"):
            d.add_tensor_filter("x", 3)  # type: ignore[arg-type]
        assert d.graph is sess.graph
    with pytest.raises(TypeError, match="Expected type"):
        tfdbg.LocalCLIDebugWrapperSession(3)


def test_several_runs() -> None:
    _, text = debugged("run -t 3\ns\nc\nc\n", runs=3)
    assert text.count("--- run") == 3  # the start of the first, start and end of the third
    assert "--- run 3:" in text
    _, text = debugged("run -f has_inf_or_nan\nc\nc\n", fetch=lambda p: p.h, runs=3)
    assert stops(text) == []
    assert text.count("--- run") == 1


def test_a_run_that_fails() -> None:
    out = io.StringIO()
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.int32, [], name="x")
        y = tf.gather([1.0, 2.0], x, name="y")
        d = tfdbg.LocalCLIDebugWrapperSession(sess, stdin=io.StringIO("c\nc\n"), stdout=out)
        with pytest.raises(tf.errors.InvalidArgumentError):
            d.run(y, {x: 7})
        assert sess.run(y, {x: 1}) == 2.0
    assert "--- run 1 failed" in out.getvalue()


def test_exit() -> None:
    with pytest.raises(SystemExit) as e:
        debugged("s\nexit\n")
    assert e.value.code == 1


def test_random_numbers_are_those_of_the_run() -> None:
    out = io.StringIO()
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(7)
        r = tf.random_uniform([2], name="r")
        sess.run(r)
        text = "until r\npt r\nc\nc\n"
        d = tfdbg.LocalCLIDebugWrapperSession(sess, stdin=io.StringIO(text), stdout=out)
        got = d.run(r)
    assert str(got) in out.getvalue()


def test_hook() -> None:
    out = io.StringIO()
    with tf.Graph().as_default():
        x = tf.get_variable("x", initializer=[0.0, 1.0])
        y = tf.log(x, name="y")
        hook = tfdbg.LocalCLIDebugHook(
            stdin=io.StringIO("run -f has_inf_or_nan\npt y\nc\nc\n"), stdout=out
        )
        with tf.train.MonitoredSession(hooks=[hook]) as sess:
            assert sess.run(y)[1] == 0.0
            assert sess.run(y)[1] == 0.0
    assert stops(out.getvalue()) == ["y"]
    assert "[-inf   0.]" in out.getvalue()


def test_tensorflows_names() -> None:
    from graphc.python import debug as tf_debug  # type: ignore[import-not-found, unused-ignore]

    assert tf_debug.LocalCLIDebugWrapperSession is tfdbg.LocalCLIDebugWrapperSession
    values = [np.array([1.0, np.nan]), np.array([np.inf]), np.array([1.0]), np.array([1]), None]
    assert [tf_debug.has_inf_or_nan(None, v) for v in values] == [True, True, False, False, False]
    assert not tf_debug.has_inf_or_nan(None, np.array(["a"]))


@pytest.mark.parametrize(
    ("index", "want"),
    [("[0]", [0, 1, 2]), ("[:, 1]", [1, 4]), ("[..., -1]", [2, 5]), ("[1, ::2]", [3, 5])],
)
def test_slices(index: str, want: list[int]) -> None:
    assert sliced(np.arange(6).reshape(2, 3), index).tolist() == want
    with pytest.raises(Wrong):
        sliced(np.arange(3), "[__import__]")


SCRIPT = """
import tensorflow as tf
x = tf.constant([0.0, 1.0], name="x")
y = tf.log(tf.placeholder_with_default(x, [2]), name="y")
with tf.Session() as sess:
    print("result", sess.run(y))
    print("result", y.eval())
"""


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "graphc", "step", str(path)],
        input="run -f has_inf_or_nan\nl\npt y\nc\nc\n", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert stops(done.stdout) == ["y"]
    assert "->    4  y = tf.log" in done.stdout
    assert done.stdout.count("result [-inf   0.]") == 2
