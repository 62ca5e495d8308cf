"""Ops that are made again under their names, as when a cell of a notebook runs twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import extend
from graphc.ir.registry import OPS
from graphc.ir.text import parse_graphs, print_graph


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    extend.forget()


def cell(factor: float) -> Any:
    """A cell of a notebook: the same code with another number in it."""
    return extend.elementwise(
        "scaled", numpy=lambda x: x * factor, scalar=lambda k, x: x * factor,
        grad=lambda y, dy, x: dy * factor,
    )  # fmt: skip


def run(y: Any, x: Any, **config: Any) -> Any:
    with tf.Session(config=tf.ConfigProto(**config)) as sess:
        return np.asarray(sess.run(y, {x: [1.0, 2.0]})).tolist()


@pytest.fixture
def x() -> Any:
    return tf.placeholder(tf.float32, [None], name="x")


def test_the_same_code_is_the_same_op(x: Any) -> None:
    assert cell(2.0) is cell(2.0)
    assert cell(2.0) is not cell(3.0)
    expanded = [
        extend.op("doubled", numpy=lambda x: x + x, expand=lambda x: x + x, attrs={"n": n})
        for n in (1, 1, 2)
    ]
    assert expanded[0] is expanded[1]
    assert expanded[1] is not expanded[2]


@pytest.mark.parametrize(
    "config", [{}, {"graphc_check": True}, {"graphc_passes": "sizes,expand,fuse"}]
)
def test_graphs_recorded_before_keep_their_op(x: Any, config: Any) -> None:
    old = cell(2.0)(x, name="old")
    assert run(old, x, **config) == [2.0, 4.0]
    new = cell(3.0)(x, name="new")
    newest = cell(5.0)(x, name="newest")
    # not compiled before; one kernel; merged by nothing; with gradients
    both = tf.stack([old * 10.0, new * 10.0, newest * 10.0])
    assert run(both, x, **config) == [[20.0, 40.0], [30.0, 60.0], [50.0, 100.0]]
    slopes = tf.gradients(old + new + newest, x)
    assert run(slopes[0], x, **config) == [10.0, 10.0]
    grads = [tf.gradients(v, x)[0] for v in (old, new, newest)]
    assert run(tf.stack(grads), x, **config) == [[2.0] * 2, [3.0] * 2, [5.0] * 2]


#: Where an op may be in kernels, besides a kernel of its own: around it, and the exact result.
PLACES: dict[str, Callable[[Any, Any], Any]] = {
    "behind a product": lambda op, x: op(tf.matmul(x[:, None], tf.ones([1, 3])))[:, 0],
    "behind a convolution": lambda op, x: op(
        tf.nn.conv2d(x[None, :, None, None], tf.ones([1, 1, 1, 1]), [1] * 4, "SAME")
    )[0, :, 0, 0],
    "in a loop": lambda op, x: tf.while_loop(
        lambda i, v: i < 1, lambda i, v: (i + 1, op(v)), [0, x]
    )[1],
    "in a loop of numbers": lambda op, x: tf.stack([
        tf.while_loop(lambda i, v: i < 1, lambda i, v: (i + 1, op(v)), [0, x[k]])[1]
        for k in (0, 1)
    ]),
    "in a sum": lambda op, x: tf.reduce_sum(op(x[:, None] + tf.zeros([1, 40])), 1) / 40.0,
    "of columns": lambda op, x: tf.reduce_sum(op(x[None] + tf.zeros([40, 1])), 0) / 40.0,
    "in a concat": lambda op, x: tf.concat([op(x[:1]), op(x[1:])], 0),
    "in an array": lambda op, x: tf.map_fn(op, x),
    "in a scatter": lambda op, x: tf.scatter_nd([[0], [1]], op(x), [2]),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_every_kernel_knows_which(x: Any, place: str) -> None:
    make = PLACES[place]
    old = make(cell(2.0), x)
    new = make(cell(3.0), x)
    assert run(tf.stack([old, new]), x) == [[2.0, 4.0], [3.0, 6.0]]
    assert run(new, x) == [3.0, 6.0]


def test_texts_tell_them_apart(x: Any) -> None:
    old = cell(2.0)
    y = old(x) + cell(3.0)(x)
    assert re.fullmatch(r"scaled_\d+", old.name)
    assert OPS[old.name] is old
    text = tf.dump(y, stage="simplify")
    assert f"= {old.name} %x" in text
    assert "= scaled %x" in text
    (back,) = parse_graphs(text)
    assert print_graph(back) == text.rstrip("\n")
    kernels = tf.dump(y, stage="kernels")
    assert len(set(re.findall(r"scaled\w*(?=[ (])", kernels))) >= 2, kernels


def test_forgotten_ops_still_compile(x: Any) -> None:
    old = cell(2.0)
    y = old(x) + 1.0
    extend.forget(old)
    assert run(y, x) == [3.0, 5.0]
    cell(7.0)
    assert run(y + 1.0, x) == [4.0, 6.0]
    assert run(tf.gradients(y, x)[0], x) == [2.0, 2.0]


def test_composites_and_host_ops_too(x: Any) -> None:
    out = []
    for n in (2.0, 3.0):
        composite = extend.op("grown", numpy=lambda x, n=n: x**n, expand=lambda x, n=n: x**n)
        host = extend.op("hosted", numpy=lambda x, n=n: x + np.float32(n))
        out += [composite(x), host(x)]
    assert run(tf.stack(out), x) == [[1.0, 4.0], [3.0, 4.0], [1.0, 8.0], [4.0, 5.0]]


_PROGRAM = """
import helper, graphc as tf
coefficients = [{factor}, {factor}]
op = tf.extend.elementwise(
    "cached", numpy=lambda x: x * coefficients[0] + helper.ADD,
    scalar=lambda k, x: helper.add(x * coefficients[1]),
)
x = tf.placeholder(tf.float32, [None])
with tf.Session() as sess:
    print(sess.run(op(x), {{x: [1.0]}})[0])
"""


def test_the_cache_on_disk_holds_them_apart(tmp_path: Path) -> None:
    """What a list has in it, and what a module beside the script does, is part of the code."""
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # Python's own cache takes two edits in a second for one
    seen = []
    for factor, add in [(2.0, 0.0), (3.0, 0.0), (2.0, 0.0), (2.0, 5.0)]:
        (tmp_path / "helper.py").write_text(f"ADD = {add}\ndef add(x):\n    return x + ADD\n")
        (tmp_path / "program.py").write_text(_PROGRAM.format(factor=factor))
        done = subprocess.run(
            [sys.executable, "program.py"], cwd=tmp_path, env=env, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        seen.append(float(done.stdout))
    assert seen == [2.0, 3.0, 2.0, 7.0]
