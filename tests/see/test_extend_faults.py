"""What users' functions return and make that does not fit: refused, with the place of the fault."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc import extend
from graphc.errors import CompileError
from graphc.ir.registry import OPS


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    extend.forget()


def run(y: Any, x: Any, **config: Any) -> Any:
    with tf.Session(config=tf.ConfigProto(**config)) as sess:
        return np.asarray(sess.run(y, {x: [1.0, 2.0, 3.0]})).tolist()


@pytest.fixture
def x() -> Any:
    return tf.placeholder(tf.float32, [3], name="x")


# ------------------------------------------------------------------------- gradients


def of_elementwise(g: Any, x: Any) -> Any:
    op = extend.elementwise(
        "mine", numpy=np.sin, scalar=lambda k, x: x, grad=lambda y, dy, x: g(dy)
    )
    return op(x, name="y")


def of_op(g: Any, x: Any) -> Any:
    op = extend.op("mine", numpy=np.sin, expand=tf.sin, grad=lambda y, dy, x: g(dy))
    return op(x, name="y")


def of_custom(g: Any, x: Any) -> Any:
    return tf.custom_gradient(lambda x: (tf.tanh(x), g))(x)


def of_override(g: Any, x: Any) -> Any:
    name = f"G{id(g)}"
    tf.RegisterGradient(name)(lambda op, dy: g(dy))
    with tf.get_default_graph().gradient_override_map({"Tanh": name}):
        return tf.tanh(x, name="y")


KINDS = {f.__name__: f for f in (of_elementwise, of_op, of_custom, of_override)}

#: What a gradient function makes of `dy` → the error, as TensorFlow 1.15 words it for shapes.
WRONG: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "scalar": (
        tf.reduce_sum, ValueError,
        r"Incompatible shapes between op input and calculated input gradient.  Forward operation: "
        r"(y|IdentityN).  Input index: [01]. Original input shape: \(3,\).  Calculated input "
        r"gradient shape: \(\)",
    ),
    "longer": (lambda dy: tf.ones([4]), ValueError, r"\(3,\).  Calculated .* shape: \(4,\)"),
    "rank": (lambda dy: dy[None], ValueError, r"\(3,\).  Calculated .* shape: \(1, 3\)"),
    "number": (lambda dy: 3.0, ValueError, r"\(3,\).  Calculated .* shape: \(\)"),
    "type": (
        lambda dy: tf.cast(dy, tf.float64), TypeError,
        r"gradient for input [01] of operation '(y|IdentityN)' \(\w+\) is float64, but the input "
        r"'x:0' is float32",
    ),
    "many": (lambda dy: (dy, dy), ValueError, "(gradients|Num|values)"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_do_not_fit(x: Any, kind: str, wrong: str) -> None:
    g, error, text = WRONG[wrong]
    y = KINDS[kind](g, x)
    count = len(tf.get_default_graph().get_operations())
    with pytest.raises(error, match=text) as e:
        tf.gradients(y, x)
    if wrong != "many":
        assert "test_extend_faults.py:" in str(e.value)  # where the op is
    assert len(tf.get_default_graph().get_operations()) == count
    assert len(run(y, x)) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_fit(x: Any, kind: str) -> None:
    y = KINDS[kind](lambda dy: 3.0 * dy, x)
    assert run(tf.gradients(y, x)[0], x) == [3.0] * 3
    none = KINDS[kind](lambda dy: None, x)
    assert tf.gradients(none, x) == [None]
    unknown = tf.placeholder(tf.float32)
    later = KINDS[kind](lambda dy: unknown, x)
    assert tf.gradients(later, x)[0].shape.as_list() == [3]  # as TensorFlow has it


def test_broadcast_operands_and_rows(x: Any) -> None:
    """Gradients of the result's shape are summed; rows of a table are a gradient of it."""
    mix = extend.elementwise(
        "mix", args=("a", "b"), numpy=lambda a, b: a * b, scalar=lambda k, a, b: a * b,
        grad=lambda y, dy, a, b: (dy * b, tf.reduce_sum(dy * a)),
    )  # fmt: skip
    b = tf.constant(2.0)
    assert run(tf.gradients(mix(x, b), b)[0], x) == 6.0
    wrong = extend.elementwise(
        "wrong", args=("a", "b"), numpy=lambda a, b: a * b, scalar=lambda k, a, b: a * b,
        grad=lambda y, dy, a, b: (dy * b, tf.zeros([2])),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"Input index: 1. Original input shape: \(\)."):
        tf.gradients(wrong(x, b), b)
    table = tf.ones([5, 2])
    rows = tf.custom_gradient(
        lambda t: (tf.gather(t, [1, 3]), lambda dy: tf.IndexedSlices(dy, [1, 3], [5, 2]))
    )(table)
    assert isinstance(tf.gradients(rows, table)[0], tf.IndexedSlices)


# ------------------------------------------------------------------------- expansions


def _variable(x: Any) -> Any:
    return tf.get_variable("v", [3]) * x


#: Expansions that need what only recording has → what the error says.
NOT_HELD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "placeholder": (lambda x: tf.placeholder(tf.float32, [3]) * x, "makes the op 'placeholder'"),
    "variable": (_variable, "raises AttributeError"),
    "random": (lambda x: tf.random_uniform([3]) * x, "makes the op 'random_uniform'"),
    "loop": (lambda x: tf.map_fn(tf.sin, x), "a graph that is being rewritten has no 'contexts'"),
    "python": (lambda x: tf.py_func(np.sin, [x], tf.float32), "makes the op 'py_func'"),
    "print": (lambda x: tf.Print(x, [x]), "makes the op 'print'"),
    "shape": (lambda x: x * x.shape[0], "`static_shape` knows"),
}


@pytest.mark.parametrize("what", NOT_HELD)
def test_expansions_that_cannot_be(x: Any, what: str) -> None:
    f, text = NOT_HELD[what]
    y = extend.op("made", numpy=np.sin, expand=f)(x)
    with pytest.raises(CompileError, match=text) as e:
        run(y, x)
    assert "no variables, placeholders" in str(e.value)


HELD: dict[str, Callable[[Any], Any]] = {
    "identity": lambda x: tf.identity(tf.identity(x) * 2.0),
    "itself": tf.identity,
    "stopped": lambda x: tf.stop_gradient(x) * 2.0,
    "constant": lambda x: x * tf.constant([2.0, 2.0, 2.0]),
    "default": lambda x: x * tf.placeholder_with_default(tf.constant([2.0] * 3), [3]),
    "gradient": lambda x: tf.gradients(x * x, x)[0],
    "loop of ops": lambda x: x + sum([x * (1.0 / 4.0)] * 4),
}


@pytest.mark.parametrize("what", HELD)
def test_expansions_that_can(x: Any, what: str) -> None:
    y = extend.op("made", numpy=np.sin, expand=HELD[what])(x)
    assert run(y, x) == ([1.0, 2.0, 3.0] if what == "itself" else [2.0, 4.0, 6.0])


def call(name: str) -> Callable[..., Any]:
    return lambda x, **attrs: OPS[name].call(x, **attrs)


def test_expansions_without_end(x: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ping = extend.op("ping", numpy=np.sin, expand=lambda x: tf.exp(call("pong")(x) + x))
    pong = extend.op("pong", numpy=np.sin, expand=lambda x: ping(x) * call("pang")(x))
    extend.op("pang", numpy=np.sin, expand=lambda x: pong(x) + pong(x))
    text = "`expand` of op 'ping' makes 'pong', which makes 'ping' again: no end"
    with pytest.raises(CompileError, match=text):
        run(ping(x), x)
    with pytest.raises(CompileError, match=r"op 'pang' makes 'pong', which makes 'p[ai]ng"):
        run(call("pang")(x), x)
    grown = extend.op("grown", numpy=lambda x, n: x, attrs={"n": 0},
                      expand=lambda x, n: tf.exp(call("grown")(x, n=n + 1)))  # fmt: skip
    monkeypatch.setattr(sys.modules["graphc.passes.expand"]._Chains, "LIMIT", 50)
    with pytest.raises(CompileError, match="`expand` of op 'grown' is 51 deep"):
        run(grown(x), x)


def test_expansions_with_an_end(x: Any) -> None:
    """Ops may be made of themselves with other attributes, and of the same op twice."""
    half = extend.op("half", numpy=lambda x: x / 2, expand=lambda x: x * 0.5)
    eighth = extend.op("eighth", numpy=lambda x: x / 8, expand=lambda x: half(half(half(x))))
    power = extend.op(
        "power", numpy=lambda x, n: x**n, attrs={"n": 1},
        expand=lambda x, n: x * call("power")(x, n=n - 1) if n > 1 else x,
    )  # fmt: skip
    assert run(eighth(x) + eighth(eighth(x)), x) == [v / 8 + v / 64 for v in (1, 2, 3)]
    assert run(power(x, n=5), x) == [1.0, 32.0, 243.0]


def test_passes_and_rules_may_make_identities(x: Any) -> None:
    @extend.graph_pass
    def renamed(g: Any) -> Any:
        return g.rebuild(lambda n, i: tf.identity(i[0] * 2.0), ops={"tanh"})

    passes = extend.passes(before={"fuse": "renamed"})
    assert run(tf.tanh(x), x, graphc_passes=passes) == [2.0, 4.0, 6.0]
    extend.rule(lambda x: tf.sinh(tf.asinh(x)), lambda x: tf.identity(x), name="there and back")
    assert run(tf.sinh(tf.asinh(x)), x) == [1.0, 2.0, 3.0]
    extend.rule(lambda x: tf.cosh(tf.acosh(x)), lambda x, result: tf.identity(x), name="back")
    assert run(tf.cosh(tf.acosh(x)), x) == [1.0, 2.0, 3.0]

    @extend.graph_pass
    def feeding(g: Any) -> Any:
        return g.rebuild(lambda n, i: tf.placeholder(tf.float32, [3]), ops={"tanh"})

    with pytest.raises(CompileError, match="pass 'feeding' makes the op 'placeholder'"):
        run(tf.tanh(x), x, graphc_passes=extend.passes(before={"fuse": "feeding"}))


# ------------------------------------------------------------------------- rules


def test_rules_of_another_type_or_shape(x: Any) -> None:
    r = extend.rule(lambda x: tf.sinh(x), lambda x: tf.reduce_max(x), name="less")
    y = tf.sinh(x, name="y")
    text = (
        r"the rule 'less' does not apply to 'y', which is f32\[3\]: its right side would be f32\[\]"
        r"\n  defined at .*test_extend_faults.py:"
    )
    with pytest.warns(UserWarning, match=text):
        got = run(y, x)
    np.testing.assert_allclose(got, np.sinh([1, 2, 3]), rtol=1e-6)
    run(y + 1.0, x)  # told once (a warning would be an error)
    why = str(tf.explain(y))
    assert "the rule less does not apply to 'y': the result would have another type or shape" in why
    scalar = tf.placeholder(tf.float32, [], name="s")
    with tf.Session() as sess:
        assert sess.run(tf.sinh(scalar), {scalar: 2.0}) == 2.0  # where it fits, it applies
    extend.forget(r)


def test_rules_without_end(x: Any) -> None:
    extend.rule(lambda x: tf.sinh(x), lambda x, result: tf.sinh(x + 1.0), name="grows")
    with pytest.raises(
        CompileError, match="the rule 'grows' applies to what it makes of 'Sinh', 200"
    ):
        run(tf.sinh(x), x)
    extend.forget()
    extend.rule(lambda x: tf.tan(x), lambda x, result: tf.atan(x), name="there")
    extend.rule(lambda x: tf.atan(x), lambda x, result: tf.tan(x), name="and back")
    with pytest.raises(CompileError, match=r"the rule '(there|and back)' applies to what it makes"):
        run(tf.tan(x), x)
    extend.forget()
    assert run(tf.round(tf.tan(x) * 0.0), x) == [0.0, -0.0, -0.0]
