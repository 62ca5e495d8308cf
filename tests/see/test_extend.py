"""Ops, rules, passes and gradients of a user, as users have them: in a file somewhere else."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import extend
from graphc.errors import CompileError
from graphc.ops.record import OPS
from graphc.passes.pipeline import PASSES
from graphc.passes.rewrite import RULES
from graphc.see.report.page import unpacked

USERS = Path(__file__).parent / "users"

#: A user's file → what of it must be in what it dumps.
SEEN = {
    "op_elementwise": ["y Softspike", "= softspike %", "gemm("],
    "op_with_loops": ["kernel leaky_sum(x: f64[b, n])", "parallel row in b", "for s in n"],
    "op_of_other_ops": ["= entropy %x", "= reduce_max %x"],
    "rule": ["# log of two exps: 1", "= log1p %", "# even power of abs: 1"],
    "graph_pass": ["# ---- halve_products", "kernel k0_matmul_multiply_relu("],
    "gradient": ["%gradients/IdentityN_grad/LessEqual = less_equal"],
}


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """What a test enters in the tables is taken out again."""
    tf.reset_default_graph()
    yield
    made = extend._ops, extend._passes, extend._rules
    names = [set(table) for table in made]
    extend.forget()
    assert not any(made)
    assert not names[0].intersection(OPS)
    assert not names[1].intersection(PASSES)
    assert not names[2].intersection(r.name for r in RULES)


def test_every_users_file_is_tested() -> None:
    assert {p.stem for p in USERS.glob("*.py")} == set(SEEN)


@pytest.mark.parametrize("name", SEEN)
def test_from_outside(name: str, tmp_path: Path) -> None:
    path = shutil.copy(USERS / f"{name}.py", tmp_path / "mine.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in SEEN[name]:
        assert text in done.stdout


def test_names_are_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the files of users make is shown by name: op, rule, pass, and the user's lines."""
    monkeypatch.syspath_prepend(str(USERS))
    made = [importlib.import_module(name) for name in ("op_elementwise", "rule", "graph_pass")]
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    product = tf.matmul(x, x, transpose_b=True)
    y = made[0].softspike(tf.log(tf.exp(product) + tf.exp(2.0 * product)))
    passes = extend.passes(before={"layout": "halve_products"})
    path = tf.report(y, tmp_path / "step.html", {x: [[1.0, 2.0]]}, passes=passes)
    for m in made:
        del sys.modules[m.__name__]
    assert path is not None
    packed = re.findall(r'type="text/plain"[^>]*>([^<]+)<', path.read_text(encoding="utf-8"))
    text = json.dumps([unpacked(p) for p in packed])
    for word in ("softspike", "log of two exps", "halve_products", "test_extend.py"):
        assert word in text


# ------------------------------------------------------------------------- what is wrong


def run(y: Any, x: Any, **config: Any) -> Any:
    with tf.Session(config=tf.ConfigProto(**config)) as sess:
        return sess.run(y, {x: [1.0, 2.0]})


def ident(k: Any, x: Any) -> Any:
    return x


def with_op(**parts: Any) -> Callable[[Any], Any]:
    def attempt(x: Any) -> Any:
        return run(extend.op("faulty", numpy=lambda x: x, **parts)(x), x)

    return attempt


def with_pass(f: Any) -> Callable[[Any], Any]:
    def attempt(x: Any) -> Any:
        extend.graph_pass(f, name="faulty")
        return run(tf.tanh(x), x, graphc_passes=extend.passes(before={"fuse": "faulty"}))

    return attempt


def tanh_becomes(f: Callable[..., Any]) -> Any:
    return lambda g: g.rebuild(lambda n, inputs: f(*inputs) if n.op.name == "tanh" else None)


def with_scalar(x: Any) -> Any:
    return run(extend.elementwise("faulty", numpy=np.sin, scalar=lambda k, x: k.missing(x))(x), x)


def with_rule(x: Any) -> Any:
    extend.rule(tf.sinh, lambda x, result: 1 // 0, name="faulty")
    return run(tf.sinh(x), x)


COMPILING = {
    "scalar": (with_scalar, "`scalar` of op 'faulty' raises AttributeError"),
    "lower raises": (with_op(lower=lambda n, s: s.missing), "`lower` of op 'faulty' raises Attr"),
    "lower writes nothing": (with_op(lower=lambda n, s: None), "no kernel writes result 0"),
    "expand": (with_op(expand=tf.reduce_sum), r"gives f32\[\], but it infers f32\[b\]"),
    "expand raises": (with_op(expand=lambda x: 1 // 0), "raises ZeroDivisionError"),
    "pass None": (with_pass(lambda g: None), "pass 'faulty' gives NoneType, not a graph"),
    "pass raises": (with_pass(lambda g: g.missing), "pass 'faulty' raises AttributeError"),
    "pass gives a number": (with_pass(tanh_becomes(lambda x: 3)), "pass 'faulty' raises TypeError"),
    "pass changes a type": (
        with_pass(tanh_becomes(tf.reduce_sum)), r"changes the results from f32\[b\] to f32\[\]",
    ),
    "rule raises": (with_rule, "the rule 'faulty' raises ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("what", COMPILING)
def test_faults_are_said_with_their_name(what: str) -> None:
    attempt, text = COMPILING[what]
    x = tf.placeholder(tf.float32, [None], name="x")
    with pytest.raises(CompileError, match=text):
        attempt(x)
    extend.forget()
    np.testing.assert_allclose(run(tf.tanh(tf.sinh(x)), x), np.tanh(np.sinh([1, 2])), rtol=1e-6)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "grows": (lambda: extend.rule(tf.sin, lambda x: tf.sin(x) + 0.0), "must weigh less"),
    "same": (lambda: extend.rule(tf.sin, tf.sin), "must weigh less"),
    "strange": (lambda: extend.rule(tf.sin, lambda y: y), "y on the right side, but the left .* x"),
    "strange when": (
        lambda: extend.rule(tf.sin, lambda x: x, when=lambda q: True), "q on the right side",
    ),
    "licence": (lambda: extend.rule(tf.sin, lambda x: x, needs="FAST"), "unknown licence 'FAST'"),
    "no op": (lambda: extend.rule(lambda x: x, lambda x: x), "expression of its parameters"),
    "unused": (lambda: extend.rule(lambda x, y: tf.sin(x), lambda x: x), "does not use its y"),
    "types": (lambda: extend.rule(lambda x, y: x < y, lambda x: x), "left .* bool, .* float32"),
    "taken": (lambda: extend.elementwise("tanh", numpy=np.tanh, scalar=ident), "op 'tanh' already"),
    "name": (lambda: extend.op("two words", numpy=np.tanh), "name that Python could have"),
    "forms": (lambda: extend.op("o", numpy=np.tanh, lower=min, expand=max), "one of lower"),
    "pass taken": (lambda: extend.graph_pass(lambda g: g, name="fuse"), "a pass 'fuse' already"),
    "pass name": (lambda: extend.graph_pass(lambda g: g), "letters, digits and underscores"),
    "level": (lambda: extend.passes(7), "level must be 0, 1 or 2, not 7"),
    "place": (lambda: extend.passes(before={"nowhere": "cse"}), "has no nowhere; it is sizes,"),
    "second": (lambda: extend.passes(after={"fuse.2": "cse"}), r"has no fuse\.2"),
    "pass": (lambda: extend.passes(before={"fuse": "nothing"}), "unknown pass 'nothing'"),
    "licences": (lambda: extend.passes(licences="FAST"), "unknown licence 'FAST'"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    attempt, text = REFUSED[what]
    with pytest.raises(ValueError, match=text):
        attempt()


def test_what_was_not_made_here_stays() -> None:
    with pytest.raises(KeyError, match="was not made with"):
        extend.forget("tanh")


def test_gradients_that_cannot_be() -> None:
    x = tf.placeholder(tf.float32, [None])
    two = extend.elementwise("two", numpy=np.sin, scalar=ident, grad=lambda y, dy, x: (dy, dy))
    with pytest.raises(ValueError, match="gives 2 values, but it has 1 operands"):
        tf.gradients(two(x), x)
    none = extend.elementwise("none", numpy=np.sin, scalar=ident)
    with pytest.raises(LookupError, match="No gradient defined for operation 'None'"):
        tf.gradients(none(x), x)
    stop = extend.elementwise("stop", numpy=np.sin, scalar=ident, grad=extend.no_gradient)
    assert tf.gradients(stop(x), x) == [None]


def test_attributes_are_not_tensors() -> None:
    scaled = extend.op("scaled", attrs={"by": 2.0}, numpy=lambda x, by: x * by,
                       expand=lambda x, by: x * by)  # fmt: skip
    x = tf.placeholder(tf.float32, [None])
    np.testing.assert_array_equal(run(scaled(x), x), [2, 4])
    np.testing.assert_array_equal(run(scaled(x, by=np.float32(3.0)), x), [3, 6])
    with pytest.raises(TypeError, match="known when the graph is built"):
        scaled(x, by=x)
    with pytest.raises(TypeError, match="unexpected keyword argument 'bye'"):
        scaled(x, bye=1)
    with pytest.raises(TypeError, match="DataType int32 not in list"):
        scaled([1, 2])


# ------------------------------------------------------------------------- made again


def test_made_again_as_in_a_notebook() -> None:
    x = tf.placeholder(tf.float32, [None])
    for factor in (2.0, 3.0):  # the code differs in a constant that it reads
        op = extend.elementwise(
            "again",
            numpy=lambda x, f=factor: x * f,
            scalar=lambda k, x, f=factor: x * f,
            grad=lambda y, dy, x, f=factor: dy * f,
        )
        np.testing.assert_array_equal(run(op(x), x), [factor, 2 * factor])
        np.testing.assert_array_equal(run(tf.gradients(op(x), x)[0], x), [factor] * 2)
    for count in (1, 2):
        extend.graph_pass(tanh_becomes(lambda x, n=count: x * float(n)), name="again")
        config = extend.passes(before={"fuse": "again"})
        np.testing.assert_array_equal(run(tf.tanh(x), x, graphc_passes=config), [count, 2 * count])
    rules = len(RULES)
    for _ in range(2):
        extend.rule(lambda x: tf.sin(tf.cos(x)), lambda x: tf.cos(x))
    assert len(RULES) == rules + 1


def test_ops_in_loops_and_without_operands() -> None:
    seven = extend.op("seven", args=(), infer=lambda i, a: [(tf.float32, ())],
                      numpy=lambda: np.float32(7), expand=lambda: tf.constant(7.0))  # fmt: skip
    twice = extend.elementwise("twice", numpy=lambda x: 2 * x, scalar=lambda k, x: x + x,
                               grad=lambda y, dy, x: 2.0 * dy)  # fmt: skip
    x = tf.placeholder(tf.float32, [])
    y = tf.while_loop(lambda i, v: i < 5, lambda i, v: (i + 1, twice(v)), [0, x])[1]
    with tf.Session() as sess:
        assert sess.run([y, tf.gradients(y, x)[0], seven()], {x: 3.0}) == [96.0, 32.0, 7.0]


def test_several_results_and_broadcasting() -> None:
    ends = extend.op(
        "ends", infer=lambda i, a: [(i[0].dtype, i[0].static_shape[:-1])] * 2,
        numpy=lambda x: (x[..., 0], x[..., -1]), expand=lambda x: (x[..., 0], x[..., -1]),
        grad=lambda ys, dys, x: tf.concat(
            [tf.expand_dims(dys[0], -1), tf.zeros_like(x[..., 2:]), tf.expand_dims(dys[1], -1)], -1
        ),
    )  # fmt: skip
    mix = extend.elementwise("mix", args=("a", "b"), numpy=lambda a, b: a * b + a,
                             scalar=lambda k, a, b: a * b + a,
                             grad=lambda y, dy, a, b: (dy * (b + 1.0), dy * a))  # fmt: skip
    x = tf.placeholder(tf.float32, [None, None])
    first, last = ends(x)
    y = mix(x, last[0])
    fed = np.arange(6, dtype=np.float32).reshape(2, 3)
    with tf.Session() as sess:
        got = sess.run([first, y, *tf.gradients(first + 2.0 * last, x)], {x: fed})
        slope = sess.run(tf.gradients(mix(1.0, x), x)[0], {x: fed})
    np.testing.assert_array_equal(got[0], [0, 3])
    np.testing.assert_array_equal(got[1], fed * 2 + fed)
    np.testing.assert_array_equal(got[2], [[1, 0, 2]] * 2)
    np.testing.assert_array_equal(slope, np.ones((2, 3)))


def test_rules_with_attributes_and_element_types() -> None:
    turn = extend.rule(
        lambda x, p=extend.attribute: extend.ops.transpose(extend.ops.exp(x), perm=p),
        lambda x, p, result: extend.ops.exp(x),
        when=lambda p, result: p == (0, 1) and result.dtype is tf.float32,
        kinds="f",
    )
    flip = extend.rule(
        lambda p=tf.bool, x=tf.int32: extend.ops.select(tf.logical_not(p), x, x),
        lambda x: x, kinds="i",
    )  # fmt: skip
    assert turn.takes == ("x", "p", "result")
    assert flip.name == "select(logical_not(p), x, x)"


def test_pipelines() -> None:
    assert extend.passes(0) == "sizes,expand,sizes,fuse"
    extend.graph_pass(lambda g: g, name="mine")
    text = extend.passes(1, before={"sizes": "mine", "sizes.2": ["mine", "cse"]}, licences="NO_NAN")
    assert text == "mine,sizes,fold,expand,mine,cse,sizes,fold,cse,fuse,share"
    text = extend.passes(licences="REASSOC", off="cse").split(",")
    assert text.count("simplify:REASSOC") == 2
    assert "cse" not in text


def test_an_op_made_of_itself() -> None:
    made: list[Any] = []

    def power(x: Any, n: int) -> Any:
        return x * made[0](x, n=n - 1) if n > 1 else x

    made.append(extend.op("own_power", numpy=lambda x, n: x**n, attrs={"n": 2}, expand=power))
    x = tf.placeholder(tf.float32, [None], name="x")
    np.testing.assert_allclose(run(made[0](x, n=4), x), [1.0, 16.0])
    endless = extend.op("endless", numpy=np.sin, expand=lambda x: tf.exp(OPS["endless"].call(x)))
    with pytest.raises(CompileError, match="`expand` of op 'endless' makes 'endless' again"):
        run(endless(x), x)


@pytest.mark.parametrize("result", [None, 1.0, "x"])
def test_an_element_that_is_no_value(result: Any) -> None:
    wrong = extend.elementwise("no_value", numpy=np.sin, scalar=lambda k, x: result)
    x = tf.placeholder(tf.float32, [None], name="x")
    with pytest.raises(CompileError, match=r"`scalar` of op 'no_value' gives .*, not a value"):
        run(wrong(x), x)
