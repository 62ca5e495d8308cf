"""What `cond`, `case` and `while_loop` record: names, numbers of operations, shapes, errors."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import graphc as tf

Pair = namedtuple("Pair", "a b")


@pytest.fixture(autouse=True)
def graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def floats(shape: Any = None, name: str = "x") -> Any:
    return tf.placeholder(tf.float32, shape, name=name)


def flag() -> Any:
    return tf.placeholder(tf.bool, [], name="p")


# --------------------------------------------------------------------- names as TF 1.15 gives them


def simple_loop() -> Any:
    x = floats([3])
    start = [0, tf.ones([3])]
    return tf.while_loop(lambda i, a: i < 5, lambda i, a: (i + 1, a * x + tf.constant(1.0)), start)


def simple_cond() -> Any:
    x, p = floats([3]), flag()
    return tf.cond(p, lambda: x * 2.0, lambda: x + tf.constant(1.0))


def counted() -> Any:
    return tf.while_loop(lambda i: i < 5, lambda i: i + 1, [0], maximum_iterations=3)


def nested() -> Any:
    def inner(i: Any, j: Any) -> Any:
        return tf.while_loop(lambda a: a < j, lambda a: a + i, [0]), j

    return tf.while_loop(lambda i, j: i < 5, inner, [0, 10])


def cond_in_loop() -> Any:
    def body(i: Any) -> Any:
        return tf.cond(i > 2, lambda: i + 1, lambda: i + 2)

    return tf.while_loop(lambda i: i < 5, body, [0])


def operations() -> Any:
    p, v = flag(), tf.Variable(1.0, name="v")
    return tf.cond(p, lambda: v.assign_add(1.0).op, lambda: tf.no_op())


def outer_values() -> Any:
    p, x = flag(), floats()
    return tf.cond(p, lambda: (x, [x + 1.0]), lambda: (x * 3.0, [x]))


#: Results, the number of operations TF 1.15 counts, and operations among them.
NAMES: dict[Callable[[], Any], tuple[Any, int, str]] = {
    simple_loop: (
        ("while/Exit:0", "while/Exit_1:0"), 24,
        "while/Const while/Merge while/Merge_1 while/Less/y while/Less while/LoopCond "
        "while/Identity while/Identity_1 while/add/y while/add while/mul while/Const_1 while/add_1",
    ),
    simple_cond: (
        "cond/Merge:0", 13, "cond/Switch cond/mul/y cond/mul cond/Const cond/add cond/Merge",
    ),
    counted: (
        "while/Exit_1:0", 25,
        "while/maximum_iterations while/iteration_counter while/Const while/Less while/Less_1 "
        "while/LogicalAnd while/add while/add_1 while/Exit",
    ),
    nested: (
        ("while/Exit:0", "while/Exit_1:0"), 29,
        "while/while/Const while/while/Less while/while/add while/while/Exit",
    ),
    cond_in_loop: (
        "while/Exit:0", 23, "while/cond/add while/cond/add_1 while/cond/Merge while/Greater",
    ),
    operations: (
        "cond/Merge:0", 16,
        "cond/AssignAdd cond/control_dependency cond/NoOp cond/control_dependency_1",
    ),
    outer_values: (("cond/Merge:0", ["cond/Merge_1:0"]), 14, "cond/add cond/mul"),
}  # fmt: skip


@pytest.mark.parametrize("build", NAMES, ids=lambda f: f.__name__)
def test_names(build: Callable[[], Any]) -> None:
    want, count, inner = NAMES[build]
    got = build()
    assert tf.contrib.framework.nest.map_structure(lambda t: t.name, got) == want
    graph = tf.get_default_graph()
    for name in inner.split():
        graph.get_operation_by_name(name)
    assert graph.version == count


def test_static_shapes() -> None:
    p = flag()
    assert str(tf.cond(p, lambda: tf.ones([2]), lambda: tf.ones([3])).shape) == "(?,)"
    assert tf.cond(p, lambda: tf.ones([2]), lambda: floats()).shape.ndims is None
    x = floats([None, 3])
    out = tf.while_loop(lambda a: tf.reduce_sum(a) < 5, lambda a: a + 1.0, [x])
    assert out.shape.as_list() == [None, 3]
    free = [tf.TensorShape([]), tf.TensorShape([None])]
    _, y = tf.while_loop(
        lambda i, a: i < 3, lambda i, a: (i + 1, tf.concat([a, a], 0)), [0, tf.ones([2])], free
    )
    assert y.shape.as_list() == [None]


def test_structures() -> None:
    def loop(test: Any, body: Any, start: Any, **more: Any) -> Any:
        return tf.while_loop(test, body, start, **more)

    got = loop(lambda i: i < 3, lambda i: i + 1, [0], return_same_structure=True)
    assert isinstance(got, list)
    got = loop(lambda i, j: i < 3, lambda i, j: [i + 1, j], (0, 1))
    assert isinstance(got, list)
    got = loop(lambda a, b: a < 3, lambda a, b: Pair(a + 1, b), Pair(0, 1.0))
    assert isinstance(got, Pair)
    got = loop(
        lambda d, e: d["a"] < 3,
        lambda d, e: ({"a": d["a"] + 1, "b": d["b"]}, e),
        [{"a": 0, "b": 1.0}, (1, 2)],
    )
    assert set(got[0]) == {"a", "b"}
    assert isinstance(got[1], tuple)
    p, x = flag(), floats()
    assert isinstance(tf.cond(p, lambda: [x], lambda: [x]), tf.Tensor)
    assert isinstance(tf.cond(p, lambda: [x], lambda: [x], strict=True), list)
    assert set(tf.cond(p, lambda: {"a": 1}, lambda: {"a": 2})) == {"a"}


# --------------------------------------------------------------------- errors as TF 1.15 words them


def one(test: Any, body: Any, start: Any = 0, **more: Any) -> Callable[[], Any]:
    return lambda: tf.while_loop(test, body, [start], **more)


def below(i: Any, *rest: Any) -> Any:
    return i < 3


def doubling(**more: Any) -> Callable[[], Any]:
    return lambda: tf.while_loop(
        below, lambda i, x: (i + 1, tf.concat([x, x], 0)), [0, tf.ones([2])], **more
    )


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: tf.cond(flag(), lambda: None, lambda: 1), ValueError, "true_fn must have a return"),
    (lambda: tf.cond(flag(), lambda: 1, lambda: None), ValueError, "false_fn must have a return"),
    (
        lambda: tf.cond(flag(), lambda: 1.0, lambda: 1), ValueError,
        "Outputs of true_fn and false_fn must have the same type: float32, int32",
    ),
    (
        lambda: tf.cond(flag(), lambda: [1.0, 2.0], lambda: 1.0), ValueError,
        "The two structures don't have the same nested structure",
    ),
    (
        lambda: tf.cond(flag(), lambda: [1.0, 2.0], lambda: (1.0, 2.0)), TypeError,
        "don't have the same sequence type",
    ),
    (lambda: tf.cond(flag(), 1, lambda: 1), TypeError, "true_fn must be callable"),
    (lambda: tf.cond(True, lambda: 1, lambda: 2), TypeError, "pred must not be a Python bool"),
    (
        lambda: tf.cond(floats(), lambda: 1, lambda: 2), TypeError,
        "Input 'pred' of 'Switch' Op has type float32 that does not match expected type of bool",
    ),
    (
        lambda: tf.cond(tf.placeholder(tf.bool, [2]), lambda: 1, lambda: 2), ValueError,
        r"Shape must be rank 0 but is rank 1 for 'cond/Switch' \(op: 'Switch'\) with input shapes: "
        r"\[2\], \[2\]",
    ),
    (
        lambda: tf.cond(flag(), lambda: 1, lambda: 2, fn1=lambda: 3), TypeError,
        "true_fn and fn1 may not be set",
    ),
    (
        one(below, lambda i: tf.concat([i, i], 0), tf.ones([2])), ValueError,
        r"Shape must be rank 0 but is rank 1 for 'while/LoopCond' \(op: 'LoopCond'\)",
    ),
    (
        doubling(), ValueError,
        r"Input tensor 'ones:0' enters the loop with shape \(2,\), but has shape \(4,\) after one "
        "iteration. To allow the shape to vary",
    ),
    (
        lambda: tf.while_loop(below, lambda i, x: (i, floats()), [0, tf.ones([2])]), ValueError,
        "but has shape <unknown> after one iteration",
    ),
    (
        doubling(shape_invariants=[tf.TensorShape([]), tf.TensorShape([3])]), ValueError,
        r"It enters the loop with shape \(2,\), but the specified shape invariant is \(3,\)",
    ),
    (one(below, lambda i: tf.cast(i, tf.float32)), TypeError, "type int32, but float32"),
    (one(below, lambda i: [i, i]), ValueError, "don't have the same number of elements"),
    (one(lambda i: i, lambda i: i + 1), TypeError, "Input 'input' of 'LoopCond' Op has type int32"),
    (one(3, lambda i: i + 1), TypeError, "cond must be callable"),
    (one(below, 3), TypeError, "body must be callable"),
    (lambda: tf.while_loop(below, lambda i: i, []), ValueError, "No loop variables provided"),
    (
        one(below, lambda i: i, parallel_iterations=0), TypeError,
        "parallel_iterations must be a positive integer",
    ),
    (
        one(below, lambda i: i + 1, maximum_iterations=[1, 2]), ValueError,
        r"maximum_iterations must be a scalar, saw shape: \(2,\)",
    ),
    (one(below, lambda i: None), ValueError, "None values not supported"),
    (lambda: tf.case([]), ValueError, "not enough values to unpack"),
    (lambda: tf.case([(True, lambda: 1)]), TypeError, "pred must be a Tensor, got: True"),
    (
        lambda: tf.case([(flag(), lambda: 1)], default=3), TypeError, "default must be callable",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("build", "kind", "text"), ERRORS, ids=range(len(ERRORS)))
def test_errors(build: Callable[[], Any], kind: type[Exception], text: str) -> None:
    graph = tf.get_default_graph()
    with pytest.raises(kind, match=text):
        build()
    assert not [op for op in graph.get_operations() if op.name.startswith(("while", "cond"))]


def leaking() -> Any:
    kept = []

    def body(i: Any) -> Any:
        kept.append(i + 1)
        return kept[0]

    tf.while_loop(lambda i: i < 3, body, [0])
    return kept[0]


def test_values_of_a_loop_stay_inside() -> None:
    inner = leaking()
    with pytest.raises(ValueError, match="Cannot use 'while/add' as input to 'mul' because"):
        inner * 2
    with tf.Session() as s, pytest.raises(ValueError, match="has been marked as not fetchable"):
        s.run(inner)


def test_variables_made_inside_are_outside() -> None:
    def body(i: Any, x: Any) -> Any:
        w = tf.get_variable("w", [2, 2], initializer=tf.ones_initializer())
        return i + 1, tf.matmul(x, w)

    tf.while_loop(lambda i, x: i < 3, body, [0, tf.ones([2, 2])])
    graph = tf.get_default_graph()
    assert [v.name for v in tf.trainable_variables()] == ["w:0"]
    assert graph.get_operation_by_name("w") not in graph.contexts
    assert graph.get_operation_by_name("while/MatMul") in graph.contexts
