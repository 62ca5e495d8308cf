"""The map file by which sampling profilers know kernels (``GRAPHC_PERF``)."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a thing of POSIX systems")

PROGRAM = """
import os, sys
import graphc as tf
x = tf.placeholder(tf.float32, [None, 64])
y = tf.nn.relu(tf.matmul(x, tf.ones([64, 32])))
with tf.Session() as sess:
    sess.run(y, {x: [[1.0] * 64] * 9})
    print(os.getpid(), flush=True)
    from graphc.runtime.llvm import entry
    run, = sess._executor.prepared.values()
    (c,), = run.plans.values()
    for variants in c.owners.values():
        for owner, address in variants.values():
            print(address, flush=True)
    if sys.argv[1:]:
        child = os.fork()
        if not child:
            print(os.getpid(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
"""


def _run(value, *arguments):
    env = dict(os.environ, GRAPHC_PERF=str(value))
    env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), env.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.split(), done.stderr


def _lines(path):
    text = path.read_text()
    # as perf reads it: hexadecimal without a prefix, one space, and the name to the end of the line
    assert re.fullmatch(r"([0-9a-f]+ [0-9a-f]+ [^\s]+\n)+", text), text
    rows = [line.split(" ", 2) for line in text.splitlines()]
    return [(int(a, 16), int(n, 16), name) for a, n, name in rows]


def test_kernels_have_names():
    (pid, *addresses), said = _run(1)
    path = Path(f"/tmp/perf-{pid}.map")
    try:
        lines = _lines(path)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        path.unlink()
    assert said == ""
    named = {a: name for a, _, name in lines}
    for address in map(int, addresses):
        assert named[address].startswith("graphc:k0_matmul_relu")
    assert any(name == "graphc:runtime:graphc_walk" for name in named.values())
    spans = sorted((a, a + n) for a, n, _ in lines)
    assert all(n > 0 for _, n, _ in lines)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_without_the_variable_nothing_is_written():
    (pid, *_), _ = _run(0)
    assert not Path(f"/tmp/perf-{pid}.map").exists()


def test_a_child_has_a_map_of_its_own(tmp_path):
    (pid, *rest), said = _run(tmp_path, "fork")
    child = rest[-1]
    assert said == ""
    mine, its = (_lines(tmp_path / f"perf-{p}.map") for p in (pid, child))
    assert mine == its


def test_a_folder_that_is_not_there_is_said_once(tmp_path):
    out, said = _run(tmp_path / "nowhere")
    assert len(out) >= 2
    assert said.count("GRAPHC_PERF") == 1
    assert "No such file" in said


@pytest.mark.parametrize("kind", ["link", "second name", "folder", "pipe"])
def test_what_is_not_ours_is_left_alone(tmp_path, monkeypatch, capsys, kind):
    from graphc.runtime.llvm import perf

    monkeypatch.setenv("GRAPHC_PERF", str(tmp_path))
    monkeypatch.setattr(perf, "_map", perf._Map())
    other = tmp_path / "other"
    other.write_text("precious")
    path = Path(perf.path())
    if kind == "link":
        path.symlink_to(other)
    elif kind == "second name":
        path.hardlink_to(other)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert perf.wanted()
    perf._write(["1 1 x\n"])
    assert "GRAPHC_PERF" in capsys.readouterr().err
    assert other.read_text() == "precious"
    assert not perf.wanted()


def test_lines_are_added_to_what_others_wrote(tmp_path, monkeypatch):
    from graphc.runtime.llvm import perf

    monkeypatch.setenv("GRAPHC_PERF", str(tmp_path))
    monkeypatch.setattr(perf, "_map", perf._Map())
    path = Path(perf.path())
    path.write_text("10 10 py::main\n")

    class Code:
        def extents(self):
            return [("kernel", 0x1000, 0x20), ("b", 0x1020, 4)]

    code = Code()
    perf.note(code, "k0 odd\nname")
    perf.note(code, "k0 again")
    assert path.read_text() == (
        "10 10 py::main\n1000 20 graphc:k0_odd_name\n1020 4 graphc:k0_odd_name:b\n"
    )
