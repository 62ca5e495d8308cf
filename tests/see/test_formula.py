"""`graphc.derive`: the text, and values of the numpy form against differences."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.see.formula_text import latex, text


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def symbols() -> dict[str, Any]:
    f = tf.float64
    return {
        "x": tf.placeholder(f, [], name="x"),
        "y": tf.placeholder(f, [], name="y"),
        "v": tf.placeholder(f, [3], name="v"),
        "u": tf.placeholder(f, [3], name="u"),
        "A": tf.placeholder(f, [None, 4], name="A"),
        "w": tf.get_variable("w", [4, 1], f),
        "b": tf.get_variable("b", [1], f),
        "W": tf.get_variable("dense/W", [4, 3], f),
        "t": tf.placeholder(f, [None, 1], name="t"),
        "labels": tf.placeholder(f, [None, 3], name="labels"),
    }


def mse(s: dict[str, Any]) -> Any:
    return tf.reduce_mean(tf.square(tf.matmul(s["A"], s["w"]) + s["b"] - s["t"]))


#: Function, by what it is derived, the text.
TEXTS: list[tuple[Any, str, str]] = [
    (lambda s: s["x"] * s["x"], "x", "2 * x"),
    (lambda s: s["x"] ** 3 - 2 * s["x"] + 1, "x", "3 * x^2 - 2"),
    (lambda s: tf.exp(-s["x"] * s["x"]), "x", "-2 * x * exp(-x^2)"),
    (lambda s: tf.log(s["x"]) / s["x"], "x", "1 / x^2 - log(x) / x^2"),
    (lambda s: 1 / (1 + s["x"] * s["x"]), "x", "-2 * x / (x^2 + 1)^2"),
    (lambda s: tf.sqrt(s["x"]), "x", "0.5 / sqrt(x)"),
    (lambda s: tf.sigmoid(s["x"]), "x", "sigmoid(x) * (1 - sigmoid(x))"),
    (lambda s: tf.tanh(s["x"] * s["y"]), "x", "y * (1 - tanh(x * y)^2)"),
    (lambda s: tf.sin(s["x"]) * tf.cos(s["y"]), "y", "-sin(x) * sin(y)"),
    (lambda s: tf.nn.relu(s["x"] * s["y"]), "x", "y * [x * y > 0]"),
    (lambda s: tf.abs(s["x"]) * s["y"], "x", "y * sign(x)"),
    (lambda s: s["x"] ** s["y"], "x", "y * x^(y - 1)"),
    (lambda s: tf.where(s["x"] > s["y"], s["x"] * s["x"], s["y"]), "x", "2 * x * [x > y]"),
    (lambda s: tf.maximum(s["x"], s["y"]), "x", "[x >= y]"),
    (lambda s: s["y"] * 2.0, "x", "0"),
    (lambda s: tf.atan(s["x"]), "x", "1 / (x^2 + 1)"),
    (lambda s: (s["x"] + s["y"]) * (s["x"] - s["y"]), "x", "2 * x"),
    (lambda s: tf.exp(s["x"]) / (tf.exp(s["x"]) + 1.0), "y", "0"),
    (lambda s: tf.reduce_sum(s["v"] * s["v"]), "v", "2 * v"),
    (lambda s: tf.reduce_sum(s["v"] * s["u"]), "v", "u"),
    (lambda s: tf.norm(s["v"]), "v", "v / sqrt(sum(v^2))"),
    (
        lambda s: tf.reduce_logsumexp(s["v"]), "v",
        "t / sum(t)\nwhere t = exp(v - [is_finite(max(v))] * max(v))",
    ),
    (lambda s: tf.reduce_prod(s["v"]) * 0.0 + tf.reduce_mean(s["v"]), "u", "0"),
    (lambda s: tf.nn.l2_loss(s["w"]), "w", "w"),
    (mse, "w", "2 * A^T @ (A @ w + b - t) / b_1"),
    (mse, "b", "2 * sum(A @ w + b - t, axis=0) / b_1"),
    (mse, "A", "2 * (A @ w + b - t) @ w^T / b_1"),
    (
        lambda s: tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(
            labels=s["labels"], logits=tf.matmul(s["A"], s["W"]))),
        "W", "A^T @ (softmax(A @ dense_W) - labels) / b",
    ),
    (lambda s: s["v"][1] * s["v"][0], "v", "place(v[0], at=[1]) + place(v[1], at=[0])"),
    (lambda s: tf.gather(s["v"], [0, 2]) * 2.0, "v", "[2, 0, 2]"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "by", "want"), TEXTS)
def test_text(f: Any, by: str, want: str) -> None:
    s = symbols()
    y = f(s)
    count = len(tf.get_default_graph().get_operations())
    assert tf.derive(y, s[by]) == want
    assert len(tf.get_default_graph().get_operations()) == count
    name = tf.identity(y).op.name  # names go on as if nothing had been
    assert name == "Identity"


LATEX: list[tuple[Any, str, str]] = [
    (lambda s: tf.exp(-s["x"] * s["x"]), "x", "-2 x e^{-x^{2}}"),
    (lambda s: 1 / (1 + s["x"] ** 2), "x", r"-\frac{2 x}{\left(x^{2} + 1\right)^{2}}"),
    (lambda s: tf.sqrt(s["x"]), "x", r"\frac{0.5}{\sqrt{x}}"),
    (lambda s: tf.sigmoid(s["x"]), "x",
     r"\sigma\left(x\right) \left(1 - \sigma\left(x\right)\right)"),
    (lambda s: tf.reduce_sum(s["v"] ** 2 * s["u"]), "v", r"2 u \odot v"),
    (lambda s: tf.nn.relu(s["x"]), "x", r"\mathbb{1}\left[x > 0\right]"),
    (mse, "w", r"\frac{2 A^{\top} \, \left(A \, w + b - t\right)}{b_{1}}"),
    (
        lambda s: tf.reduce_sum(tf.matmul(s["labels"], s["W"], transpose_b=True)), "labels",
        r"\operatorname{ones}\left(\mathrm{shape=(b, 4)}\right) \, \mathrm{dense\_W}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("f", "by", "want"), LATEX)
def test_latex(f: Any, by: str, want: str) -> None:
    s = symbols()
    made = tf.derive(f(s), s[by], form="latex")
    assert made == want
    assert made._repr_latex_() == f"$${want}$$"
    assert made.count("{") == made.count("}")


def deep(s: dict[str, Any]) -> Any:
    h = s["A"]
    for i in range(8):
        h = tf.tanh(tf.matmul(h, tf.get_variable(f"w{i}", [4, 4], tf.float64)))
    return tf.reduce_sum(h)


#: Functions whose numpy form is compared with differences, besides those of `TEXTS`.
MORE: dict[str, Any] = {
    "sigmoid_xent": (lambda s: tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.sigmoid(s["t"]), logits=tf.matmul(s["A"], s["w"]))), "w"),
    "softmax": (lambda s: tf.reduce_sum(tf.nn.softmax(s["v"]) * s["u"]), "v"),
    "log_softmax": (lambda s: tf.reduce_sum(tf.nn.log_softmax(s["A"])[:, 1]), "A"),
    "elu": (lambda s: tf.reduce_sum(tf.nn.elu(s["v"] - 1.0) * s["u"]), "v"),
    "erf": (lambda s: tf.reduce_sum(tf.erf(s["v"])), "v"),
    "lgamma": (lambda s: tf.reduce_sum(tf.lgamma(s["v"])), "v"),
    "max": (lambda s: tf.reduce_max(s["v"] * s["u"]), "v"),
    "moments": (lambda s: tf.reduce_sum(tf.nn.moments(s["A"], [0])[1] ** 2), "A"),
    "normed": (lambda s: tf.reduce_sum(tf.nn.l2_normalize(s["A"], 1) ** 3), "A"),
    "concat": (lambda s: tf.reduce_sum(tf.concat([s["v"], s["u"], s["v"]], 0) ** 2), "v"),
    "cumsum": (lambda s: tf.reduce_sum(tf.cumsum(s["v"]) ** 2), "v"),
    "transpose": (lambda s: tf.reduce_sum(tf.matmul(tf.transpose(s["A"]), s["t"]) ** 2), "A"),
    "einsum": (lambda s: tf.reduce_sum(tf.einsum("ij,jk->ik", s["A"], s["W"]) ** 2), "W"),
    "deep": (deep, "A"),
    "pieces": (lambda s: tf.reduce_sum(
        tf.where(s["v"] > s["u"], s["v"] ** 2, tf.exp(s["v"]))), "v"),
    "reshape": (lambda s: tf.reduce_sum(tf.reshape(s["W"], [3, 4]) ** 2 * tf.constant(
        np.arange(12.0).reshape(3, 4))), "W"),
    "slices": (lambda s: s["v"][0] * s["v"][1] + tf.reduce_sum(s["v"][1:] ** 3), "v"),
    "second": (lambda s: tf.gradients(
        tf.reduce_sum(tf.tanh(s["v"]) * s["u"]), s["v"])[0] ** 2, "v"),
}  # fmt: skip
CASES = [(f"{i}", f, by) for i, (f, by, want) in enumerate(TEXTS) if want != "0"]
CASES += [(name, f, by) for name, (f, by) in MORE.items()]


@pytest.mark.parametrize(("f", "by"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_values_against_differences(f: Any, by: str) -> None:
    s = symbols()
    y = f(s)
    code = tf.derive(y, s[by], form="numpy")
    assert "import graphc" not in code
    tf.derive(y, s[by])
    tf.derive(y, s[by], form="latex")
    scope: dict[str, Any] = {}
    exec(code, scope)
    params = list(inspect.signature(scope["derivative"]).parameters)
    rng = np.random.default_rng(3)
    shapes = {"A": [5, 4], "t": [5, 1], "labels": [5, 3]}
    graph = tf.get_default_graph()
    by_param = {p: graph.get_tensor_by_name(_tensor(p) + ":0") for p in params}
    feeds = {}
    for p, v in by_param.items():
        shape = shapes.get(p) or v.shape.as_list()
        feeds[p] = rng.uniform(0.3, 1.4, shape)
    if "labels" in feeds:
        feeds["labels"] /= feeds["labels"].sum(1, keepdims=True)
    got = np.asarray(scope["derivative"](*[feeds[p] for p in params])[0])
    with tf.Session() as session:
        run = session.make_callable(tf.reduce_sum(y), list(by_param.values()))
        at = params[0]
        want = np.zeros(np.shape(feeds[at]))
        for i in np.ndindex(want.shape):
            ends = []
            for step in (1e-5, -1e-5):
                x = feeds[at].copy() if want.ndim else np.array(feeds[at])
                x[i] += step
                ends.append(run(*[x if p == at else feeds[p] for p in params]))
            want[i] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(np.broadcast_to(got, want.shape), want, rtol=1e-5, atol=1e-7)


def _tensor(param: str) -> str:
    return {"dense_W": "dense/W"}.get(param, param)


def test_lists_and_nothing_run() -> None:
    s = symbols()
    y = s["x"] * s["y"]
    assert tf.derive(y, [s["x"], s["y"], "v:0"]) == ["y", "x", "0"]
    assert tf.derive(tf.get_variable("z", [2]) * 2.0, tf.trainable_variables()[-1]) == "2"
    scope: dict[str, Any] = {}
    exec(tf.derive(y, s["v"], form="numpy"), scope)
    assert scope["derivative"]() == (0.0,)


def test_finalized_graphs_are_derived_from() -> None:
    s = symbols()
    y = s["x"] * s["x"]
    graph = tf.get_default_graph()
    graph.finalize()
    assert tf.derive(y, s["x"]) == "2 * x"
    assert graph.finalized


def test_parts_that_come_again_get_names() -> None:
    s = symbols()
    made = tf.derive(tf.reduce_max(s["v"]), s["v"])
    assert made == "t / sum(t)\nwhere t = [v = max(v)]"
    x = s["x"]
    y = x
    for _ in range(200):
        y = tf.sin(y * y + x)
    assert len(tf.derive(y, x)) < 60_000


def test_errors() -> None:
    s = symbols()
    y = s["x"] * 2.0
    with pytest.raises(ValueError, match="form must be one of text, latex, numpy, not 'html'"):
        tf.derive(y, s["x"], form="html")
    with pytest.raises(TypeError, match="y must be a tensor, not float"):
        tf.derive(2.0, s["x"])
    count = len(tf.get_default_graph().get_operations())
    loop = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * s["x"]), [0, y])[1]
    made = len(tf.get_default_graph().get_operations())
    with pytest.raises(ValueError, match=r"has no formula: it goes through '.*', a while"):
        tf.derive(loop, s["x"])
    assert len(tf.get_default_graph().get_operations()) == made > count


def test_signs_and_parentheses() -> None:
    from fractions import Fraction

    from graphc.see import algebra as A

    x, y = A.Sym("x"), A.Sym("y")
    minus = A.Num(-1)
    cases = [
        (A.mul([minus, A.add([x, y])]), "-x - y", "-x - y"),
        (A.mul([A.add([x, y]), A.power(A.mul([x, y]), -1)]), "(x + y) / (x * y)",
         r"\frac{x + y}{x y}"),
        (A.add([x, A.mul([minus, A.mul([A.Num(2), y])])]), "x - 2 * y", "x - 2 y"),
        (A.power(A.mul([minus, x]), 2), "x^2", "x^{2}"),
        (A.mul([A.Num(Fraction(1, 2)), x]), "x / 2", r"\frac{x}{2}"),
        (A.add([x, minus, x]), "2 * x - 1", "2 x - 1"),
        (A.mul([x, A.power(x, -1)]), "1", "1"),
        (A.turned(A.MatMul((x, A.turned(y)))), "y @ x^T", r"y \, x^{\top}"),
        (A.Call("^", (A.add([x, y]), A.mul([A.Num(2), y]))), "(x + y)^(2 * y)",
         r"\left(x + y\right)^{2 y}"),
        (A.mul([A.Num(1e-7), x]), "1e-07 * x", r"1 \cdot 10^{-7} x"),
        (A.Sym("loss_scale"), "loss_scale", r"\mathrm{loss\_scale}"),
        (A.Sym("alpha2"), "alpha2", r"\alpha_{2}"),
    ]  # fmt: skip
    for f, plain, tex in cases:
        assert text(f) == plain
        assert latex(f) == tex


def test_what_python_computes_has_no_known_derivative() -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [], name="x")
        y = tf.py_func(lambda a: a * a, [x], tf.float32, name="square")
        with pytest.raises(ValueError, match="depends on x through 'square'"):
            tf.derive(2.0 * y, x)
        assert str(tf.derive(tf.stop_gradient(x) + 1.0, x)) == "0"
