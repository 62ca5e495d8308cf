"""From the user's line to single instructions: loops, LLVM IR and assembly of each kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.runtime.llvm import native_code
from graphc.see.report.gather import gather

X = np.linspace(-1, 1, 48, dtype=np.float32).reshape(6, 8)


def softmax(x: Any) -> Any:
    h = tf.tanh(x) * 2.0
    h = h + tf.exp(x)
    return tf.nn.softmax(h)


def product(x: Any) -> Any:
    return tf.nn.relu(
        tf.matmul(x, tf.ones([8, 4]))
        + 1.0
    )  # fmt: skip


def loop(x: Any) -> Any:
    return tf.while_loop(lambda i, v: i < 5, lambda i, v: (i + 1, tf.sin(v) * 1.5), [0, x[0, 0]])


def picture(x: Any) -> Any:
    return tf.nn.conv2d(x[None, :, :, None], tf.ones([3, 3, 1, 2]), [1, 1, 1, 1], "SAME")


def columns(x: Any) -> Any:
    return tf.gradients(tf.reduce_sum(tf.square(x), 0), x)[0] + tf.cumsum(x, 1)


def gathered(make: Callable[[Any], Any]) -> dict[str, Any]:
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        return gather(make(x), {x: X}, sess, runs=0)


def kernels(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [k for p in data["parts"] for k in p["kernels"]]


def line_text(data: dict[str, Any], i: int) -> str:
    """The text of a user's line; "" where there is none."""
    if i < 0:
        return ""
    file, n, _ = data["lines"][i]
    for first, texts in data["files"][file]["pieces"]:
        if first <= n < first + len(texts):
            return str(texts[n - first])
    return ""


@pytest.mark.parametrize("make", [softmax, product, loop, picture, columns])
def test_every_text_is_followed(make: Callable[[Any], Any]) -> None:
    """With debug locations LLVM makes the same code: each text has its places."""
    for k in kernels(gathered(make)):
        loops = k["loops"].split("\n")
        assert len(k["lines"]) == len(loops)
        for made in k["native"]:
            assert set(made["at"]) == {"llvm", "optimized", "asm"}, (k["name"], made["name"])
            for kind, at in made["at"].items():
                assert len(at) == len(made[kind].split("\n"))
                assert all(0 <= n <= len(loops) for n in at)
                assert any(at), (k["name"], kind)


def test_statements_have_the_users_lines() -> None:
    data = gathered(softmax)
    found = {}
    for k in kernels(data):
        for text, i in zip(k["loops"].split("\n"), k["lines"], strict=True):
            op = re.match(r"\s+%\d+ = (\w+) %", text)
            if op:
                found.setdefault(op[1], set()).add(line_text(data, i).strip())
    assert found["tanh"] == {"h = tf.tanh(x) * 2.0"}
    assert found["multiply"] == {"h = tf.tanh(x) * 2.0"}
    assert found["add"] == {"h = h + tf.exp(x)"}
    assert found["exp"] == {"h = h + tf.exp(x)", "return tf.nn.softmax(h)"}
    assert found["realdiv"] == {"return tf.nn.softmax(h)"}


@pytest.mark.parametrize("kind", ["llvm", "optimized"])
def test_instructions_have_their_statements(kind: str) -> None:
    """Loads and stores of memory are of statements that load and store."""
    data = gathered(softmax)
    k = next(k for k in kernels(data) if "tanh" in k["loops"])
    loops = k["loops"].split("\n")
    made = k["native"][0]
    seen = set()
    for text, n in zip(made[kind].split("\n"), made["at"][kind], strict=True):
        if n and re.search(r"call .*masked\.store|\bstore <\d+ x float>", text):
            assert "store " in loops[n - 1], text
            seen.add(n)
        if n and "fptosi" in text:  # of an exponential or a hyperbolic tangent
            assert re.search(r"= (exp|tanh) ", loops[n - 1]), loops[n - 1]
    assert len(seen) >= 2


def test_a_product_is_of_its_line() -> None:
    data = gathered(product)
    k = next(k for k in kernels(data) if "template gemm" in k["loops"])
    lines = k["loops"].split("\n")
    (template,) = [i for i, text in enumerate(lines) if "template gemm" in text]
    assert "tf.matmul(x" in line_text(data, k["lines"][template])
    for made in k["native"]:
        asm = zip(made["asm"].split("\n"), made["at"]["asm"], strict=True)
        products = [n for text, n in asm if re.search(r"\bv?f(n?m(add|sub)|mul)", text)]
        assert not products or template + 1 in products


def test_nobody_else_pays() -> None:
    """Kernels that run have no debug locations, and no journal means no origins."""
    with tf.Graph().as_default(), tf.Session() as sess:
        x = tf.placeholder(tf.float32, [None, 8])
        y = softmax(x)
        sess.run(y, {x: X})
        (run,) = sess._executor.prepared.values()
        ((c,),) = run.plans.values()
        for i, variants in c.owners.items():
            assert c.plan.steps[i].code.kernel.origins is None
            for owner, _ in variants.values():
                assert "!dbg" not in owner.llvm_ir
                assert "DILocation" not in owner.optimized_ir


def test_a_page_without_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in following instructions takes nothing else from the report."""

    def fail(*args: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(native_code, "emitted", fail)
    for k in kernels(gathered(softmax)):
        assert all(made["at"] == {} and made["asm"] for made in k["native"])


def test_under_check_numerics() -> None:
    with tf.Graph().as_default(), tf.Session(check_numerics=True) as sess:
        x = tf.placeholder(tf.float32, [None, 8], name="x")
        data = gather(softmax(x), {x: X}, sess, runs=0)
    assert all(made["asm"] for k in kernels(data) for made in k["native"])
