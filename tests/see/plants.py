"""Faults planted in the compiler, and for each a program that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

import graphc as tf
from graphc.ir import build
from graphc.ir.graph import Graph, copy
from graphc.ir.node import Node, Value
from graphc.ir.registry import SCALARS
from graphc.ops import arrays, math, nn
from graphc.ops.record import OPS
from graphc.passes import cse, fold, hoist, pipeline, rewrite, share, stabilize, trim
from graphc.passes.rewrite import Rule, wild
from graphc.runtime import plan


class Plant(NamedTuple):
    """A fault.

    Attributes
    ----------
    fault : context manager
        Puts it into the compiler.
    program : callable
        Records a program; gives its fetches and feeds.
    kind, name : str
        What is at fault: ``"rule"`` and the rule, ``"pass"`` and the pass, ``"kernel"`` and the op
        ("" where it is not an op's own code), ``"plan"``.
    optional : bool
        Whether a run can do without it.
    node : str
        What the single application of the pass at fault is of; "" where it is not looked at.
    """

    fault: Callable[[], Any]
    program: Callable[[], tuple[Any, dict[Any, Any]]]
    kind: str
    name: str
    optional: bool = True
    node: str = ""


RNG = np.random.default_rng(0)
SQUARE = RNG.uniform(-2, 2, (4, 4)).astype(np.float32)


def _x(data: Any = SQUARE) -> tuple[Any, dict[Any, Any]]:
    data = np.asarray(data, np.float32)
    x = tf.placeholder(tf.float32, [None, *data.shape[1:]], name="x")
    return x, {x: data}


# ------------------------------------------------------------------------- rules


@contextmanager
def _rule(
    table: list[Rule], make: Callable[[Value, Value], tuple[Any, Any]], needs: str = ""
) -> Iterator[None]:
    with build.use(build.Rewriter()):
        left, right = make(wild("x"), wild("y"))
        rewrite.rule(left, right, needs, "f", table)
    table.insert(0, table.pop())
    try:
        yield
    finally:
        del table[0]


def _rule_name(make: Callable[[Value, Value], tuple[Any, Any]]) -> str:
    with build.use(build.Rewriter()):
        return rewrite.pattern_text(make(wild("x"), wild("y"))[0])


def _softsign(x: Value, y: Value) -> tuple[Any, Any]:
    return nn.softsign(x), math.tanh(x)


def _product(x: Value, y: Value) -> tuple[Any, Any]:
    return math.multiply(math.abs(x), math.abs(y)), math.multiply(x, y)


def _log(x: Value, y: Value) -> tuple[Any, Any]:
    return math.log(math.cosh(x)), math.abs(x)


def _minus_itself(x: Value, y: Value) -> tuple[Any, Any]:
    return math.subtract(x, x), lambda x: math.multiply_no_nan(x, 0.0)


def _twice_reversed(x: Value, y: Value) -> tuple[Any, Any]:
    return arrays.reverse(math.exp(x), rewrite.attr("axis")), lambda x: math.exp(x)


def _abs_product() -> Any:
    x, feeds = _x()
    h = tf.nn.relu(x + 0.5)
    for k in range(3):
        h = tf.tanh(h * (k + 1.0)) - x
    return tf.reduce_sum(tf.multiply(tf.abs(h), tf.abs(x), name="guilty") + h, 1), feeds


def _in_a_loop() -> Any:
    x, feeds = _x()
    step = lambda i, v: (i + 1, tf.tanh(tf.multiply(tf.abs(v), tf.abs(x)) - v))  # noqa: E731
    return tf.while_loop(lambda i, v: i < 3, step, [0, x])[1], feeds


def _log_cosh() -> Any:
    x, feeds = _x()
    return tf.reduce_mean(tf.log(tf.cosh(x))), feeds


def _itself() -> Any:
    x, feeds = _x([[1.0, np.inf, np.nan, 2.0]])
    y = x * 2.0
    return (y - y) + 1.0, feeds


# ------------------------------------------------------------------------- passes


@contextmanager
def _fold() -> Iterator[None]:
    meaning = fold.meaning

    def wrong(op: Any, *args: Any, **kwargs: Any) -> Any:
        out = meaning(op, *args, **kwargs)
        return [a + 1 for a in out] if op.name == "multiply" else out

    with mock.patch.object(fold, "meaning", wrong):
        yield


def _folded() -> Any:
    x, feeds = _x()
    return tf.add(x, tf.constant([1.0, 2.0, 3.0, 4.0]) * tf.constant(3.0)), feeds


def _cse() -> Any:
    return mock.patch.object(cse, "attribute_key", return_value="")


def _sums() -> Any:
    x, feeds = _x()
    return tf.reduce_sum(x, 0) * tf.reduce_sum(x, 1), feeds


@contextmanager
def _pass(name: str, change: Callable[[Graph], Graph]) -> Iterator[None]:
    before = pipeline.PASSES[name]

    def wrong(g: Graph, *args: Any) -> Graph:
        return change(before(g, *args))

    with mock.patch.dict(pipeline.PASSES, {name: wrong}):
        yield


def _sum_to_max(g: Graph) -> Graph:
    """Every sum in a fused body becomes a maximum."""

    def inside(n: Node, inputs: tuple[Value, ...]) -> Any:
        return Node(
            OPS["reduce_max"], inputs, {k: n.attrs[k] for k in ("axis", "keepdims")},
            [(v.dtype, v.static_shape) for v in n.outputs], n.name, (), n.source,
        ).outputs  # fmt: skip

    def step(n: Node, inputs: tuple[Value, ...]) -> Any:
        body = n.attrs["body"].rebuild(inside, ops={"reduce_sum"})
        return copy(n, inputs, {**n.attrs, "body": body}).outputs

    return g.rebuild(step, ops={"fused"})


def _softmax_without_sum(g: Graph) -> Graph:
    return g.rebuild(lambda n, inputs: math.multiply(inputs[0], inputs[0]), ops={"realdiv"})


def _softmax() -> Any:
    x, feeds = _x()
    return tf.nn.softmax(x) * 2.0, feeds


def _hoisted_wrongly(g: Graph) -> Graph:
    def step(n: Node, inputs: tuple[Value, ...]) -> Any:
        return copy(n, (inputs[0], *[math.add(v, v) for v in inputs[1:2]], *inputs[2:])).outputs

    return g.rebuild(step, ops={"while"})


# ------------------------------------------------------------------------- single applications


@contextmanager
def _negated(module: Any, name: str, guilty: Callable[..., bool]) -> Iterator[None]:
    """What a function of a pass makes has the other sign where its arguments are `guilty`."""
    before = getattr(module, name)

    def wrong(*args: Any) -> Any:
        made = before(*args)
        if not guilty(*args):
            return made
        if isinstance(made, list):
            return [math.negative(v) for v in made]
        if isinstance(made, Node):
            return math.negative(made.outputs[0]).node
        return made.with_roots(math.negative)

    with mock.patch.object(module, name, wrong):
        yield


def _several_invariants() -> Any:
    x, feeds = _x()

    def step(i: Any, v: Any) -> Any:
        for f in (tf.cos, tf.sin):
            v += f(x)
        return i + 1, v

    return tf.while_loop(lambda i, v: i < 3, step, [0, x], name="loop")[1], feeds


def _several_conds() -> Any:
    x, feeds = _x()
    y = x
    yes = tf.equal(tf.constant(1), 1)
    for name, f in {"first": tf.cos, "guilty": tf.sin, "last": tf.tanh}.items():
        y = tf.cond(yes, lambda y=y, f=f: f(y) + 1.0, lambda y=y: y, name=name) * 2.0
    return y, feeds


def _many_bodies() -> Any:
    h, feeds = _x()
    for i in range(10):
        h = tf.cumsum(h) * (0.25 + i / 64.0)
        h = tf.add(tf.sin(h + i), 1.0, name="guilty" if i == 5 else None)
    return h, feeds


def _has(op: str, name: str = "") -> Callable[..., bool]:
    return lambda g, *_: any(n.op.name == op and name in n.name for n in g.nodes())


# ------------------------------------------------------------------------- code


@contextmanager
def _scalar(name: str, wrong: Callable[..., Any]) -> Iterator[None]:
    SCALARS[name] = wrong
    try:
        yield
    finally:
        del SCALARS[name]


def _tanh() -> Any:
    x, feeds = _x()
    return tf.reduce_sum(tf.tanh(x) * 2.0 + x, 0), feeds


def _body(change: Callable[[Graph], Graph], lower: str) -> Any:
    """Kernels are made of something else than the body they are to compute."""
    before = getattr(plan, lower)
    return mock.patch.object(plan, lower, lambda body, name: before(change(body), name))


def _without_relu(body: Graph) -> Graph:
    return body.rebuild(lambda n, inputs: inputs[0], ops={"relu"})


def _epilogue() -> Any:
    x, feeds = _x()
    return tf.nn.relu(tf.matmul(x, tf.constant(SQUARE.T + 0.5)) + 1.0), feeds


def _columns(body: Graph) -> Graph:
    """A vector that goes along the rows is read backwards."""

    def step(n: Node, inputs: tuple[Value, ...]) -> Any:
        if len(inputs) == 2 and [v.rank for v in inputs] == [2, 1]:
            return BINARY[n.op.name](inputs[0], arrays.reverse(inputs[1], [0]))
        return None

    return body.rebuild(step)


BINARY: dict[str, Callable[..., Any]] = {"multiply": math.multiply, "add": math.add}


def _broadcast() -> Any:
    x = tf.placeholder(tf.float32, [4, 4], name="x")
    feeds = {x: SQUARE}
    return tf.exp(x) * tf.placeholder_with_default(SQUARE[0], [4]), feeds


def _in_place() -> Any:
    return mock.patch.object(plan._Planner, "reads_in_place", return_value=True)


def _reversed_variable() -> Any:
    v = tf.get_variable("v", initializer=np.arange(4096.0, dtype=np.float32))
    return tf.assign(v, tf.reverse(v, [0]) + 1.0), {}


# ------------------------------------------------------------------------- the table

PLANTS: dict[str, Plant] = {
    "a wrong rule": Plant(
        lambda: _rule(rewrite.RULES, _product), _abs_product, "rule", _rule_name(_product)
    ),
    "a wrong rule, in a loop": Plant(
        lambda: _rule(rewrite.RULES, _product), _in_a_loop, "rule", _rule_name(_product)
    ),
    "a wrong formula": Plant(
        lambda: _rule(stabilize.STABLE, _log, "STABLER"), _log_cosh, "rule", _rule_name(_log)
    ),
    "a wrong licence": Plant(
        lambda: _rule(rewrite.RULES, _minus_itself), _itself, "rule", _rule_name(_minus_itself)
    ),
    "a wrong fold": Plant(_fold, _folded, "pass", "fold"),
    "a wrong key of cse": Plant(_cse, _sums, "pass", "cse"),
    "a wrong hoist": Plant(lambda: _pass("hoist", _hoisted_wrongly), _in_a_loop, "pass", "hoist"),
    "one wrong hoist": Plant(
        lambda: _negated(hoist, "copy", lambda n, _: n.op.name == "sin"), _several_invariants,
        "pass", "hoist", True, "loop/Sin",
    ),
    "one wrong trim": Plant(
        lambda: _negated(trim, "_inlined", _has("sin")), _several_conds, "pass", "trim", True,
        "guilty/Switch",
    ),
    "one wrong share": Plant(
        lambda: _negated(share, "_opened", _has("add", "guilty")), _many_bodies,
        "pass", "share", True, "guilty",
    ),
    "a wrong expansion": Plant(
        lambda: _pass("expand", _softmax_without_sum), _softmax, "pass", "expand", False
    ),
    "a wrong fuse of a reduction": Plant(
        lambda: _pass("fuse", _sum_to_max), _tanh, "pass", "fuse", False
    ),
    "a wrong lowering of an op": Plant(
        lambda: _scalar("tanh", lambda k, x: k.tanh(x) * 2.0), _tanh, "kernel", "tanh", False
    ),
    "a wrong epilogue": Plant(
        lambda: _body(_without_relu, "lower_contraction"), _epilogue, "kernel", "", False
    ),
    "a wrong broadcast": Plant(
        lambda: _body(_columns, "lower_body"), _broadcast, "kernel", "multiply", False
    ),
    "written in place too early": Plant(_in_place, _reversed_variable, "plan", "", False),
}  # fmt: skip
