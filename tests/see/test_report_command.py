"""``python -m graphc report``."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

import graphc as tf
from graphc.cli import main
from graphc.see.report import _replace
from graphc.see.report.page import unpacked

SCRIPT = """\
import sys
import tensorflow as tf
x = tf.placeholder(tf.float32, [None, 8], name="x")
w = tf.get_variable("w", [8, 4])
y = tf.nn.relu(tf.matmul(x, w), name="y")
loss = tf.reduce_mean(tf.square(y), name="loss")
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for n in (4, 4, 4):
        sess.run([train, loss], {x: [[1.0] * 8] * n})
    print("argument", *sys.argv[1:])
    sess.run(y, {x: [[1.0] * 8]})
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "step.py"
    path.write_text(SCRIPT)
    with tf.Graph().as_default():
        yield path


def data_of(file):
    return unpacked(re.search(r'id="data">([^<]*)<', file.read_text())[1])


def test_a_script_is_run_and_its_largest_run_shown(script, tmp_path, capsys) -> None:
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out), "--runs", "3", str(script), "--its", "own"]) == 0
    said = capsys.readouterr()
    assert said.out == "argument --its own\n"
    assert "the page is about compilation 1 of 3, the largest" in said.err
    assert f"written: {out}" in said.err
    data = data_of(out)
    (part,) = data["parts"]
    assert data["title"] == "step.py"
    assert part["sizes"] == {"b": 4}
    assert data["runs"] == 3
    assert part["stages"][1]["name"] == "pure"
    assert [s["name"] for s in part["stages"]].count("simplify") == 1
    called = [s for s in part["steps"] if s["kernel"] >= 0]
    assert all(s["ns"] for s in called)
    (line,) = [x for x in data["lines"] if x[1] == 5]
    assert data["files"][line[0]]["path"] == str(script)


def test_another_run_can_be_chosen(script, tmp_path) -> None:
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out), "--run", "2", "--runs", "0", str(script)]) == 0
    data = data_of(out)
    assert data["parts"][0]["sizes"] == {}
    assert data["untimed"] == "There are no times: --runs 0."


def test_what_is_wrong_is_said_in_a_line(script, tmp_path, capsys) -> None:
    assert main(["report", "--runs", "-1", str(script)]) == 2
    assert capsys.readouterr().err == "graphc: --runs takes a number from 0, not -1\n"
    assert main(["report", str(tmp_path / "none.py")]) == 2
    assert "there is no file" in capsys.readouterr().err
    out = tmp_path / "no" / "page.html"
    assert main(["report", "--out", str(out), str(script)]) == 2
    assert "there is no folder" in capsys.readouterr().err
    empty = tmp_path / "empty.py"
    empty.write_text("pass\n")
    assert main(["report", "--out", str(tmp_path / "p.html"), str(empty)]) == 1
    assert "compiled nothing" in capsys.readouterr().err


def test_a_script_that_fails_later_has_its_report(script, tmp_path, capsys) -> None:
    script.write_text(SCRIPT + "raise ValueError('after all')\n")
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out), "--runs", "1", str(script)]) == 1
    assert "after all" in capsys.readouterr().err
    assert data_of(out)["parts"][0]["steps"]


def test_a_script_whose_run_does_not_compile(script, tmp_path, capsys, monkeypatch) -> None:
    from graphc.passes import pipeline

    def fail(*args):
        raise RuntimeError("a fault of the compiler")

    monkeypatch.setitem(pipeline.PASSES, "layout", fail)
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out), str(script)]) == 1
    assert "a fault of the compiler" in capsys.readouterr().err
    data = data_of(out)
    assert [s["name"] for s in data["parts"][0]["stages"]][-1] == "fold.2"
    assert data["error"]["message"].startswith("a fault of the compiler")


def test_a_script_whose_feeds_do_not_fit_its_graph(script, tmp_path, capsys) -> None:
    script.write_text(
        "import tensorflow as tf\n"
        "x = tf.placeholder(tf.float32, None, name='x')\n"
        "y = tf.matmul(tf.exp(x), tf.ones([4, 2]), name='y')\n"
        "with tf.Session() as sess:\n"
        "    try: sess.run(y, {x: [[1.0] * 5]})\n"
        "    except tf.errors.InvalidArgumentError: pass\n"
        "    sess.run(y, {x: [[1.0] * 3]})\n"
    )
    out = tmp_path / "page.html"
    assert main(["report", "--out", str(out), str(script)]) == 1
    assert "InvalidArgumentError: Matrix size-incompatible" in capsys.readouterr().err
    data = data_of(out)
    assert [s["name"] for s in data["parts"][0]["stages"]] == ["recorded"]
    assert "[1,3], In[1]: [4,2]" in data["error"]["message"]


def test_a_link_is_followed(script, tmp_path) -> None:
    target, link = tmp_path / "target.html", tmp_path / "link.html"
    target.write_text("old")
    link.symlink_to(target)
    assert main(["report", "--runs", "0", "--out", str(link), str(script)]) == 0
    assert link.is_symlink()
    assert data_of(target)["parts"]


def test_a_device_is_written_to_and_not_replaced(script, tmp_path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR)  # so that opening it to write does not wait
    try:
        with ThreadPoolExecutor(1) as pool:
            text = pool.submit(os.read, end, 9)
            _replace(pipe, "<!doctype")
            assert text.result(10) == b"<!doctype"
    finally:
        os.close(end)
    assert pipe.is_fifo()
