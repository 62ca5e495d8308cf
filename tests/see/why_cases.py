"""Small programs with a decision in them, and what `explain` is to say; see test_why_reasons.py."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as tf

#: Every case by its name.
CASES: dict[str, "Case"] = {}


@dataclass
class Case:
    """A decision, and the change that alters it.

    Attributes
    ----------
    build : callable
        ``build(changed)`` records the program and returns what to explain, what to fetch and,
        perhaps, what to feed; with `changed` the remedy is applied.
    kind, text, remedy : str
        The kind of the reason, and words that it and its remedy have.
    together : tuple of str
        Names of operations that are in one kernel after the change, and not before.
    config : dict
        Of the session with the remedy applied.
    """

    build: Callable[[bool], tuple[Any, ...]]
    kind: str
    text: str
    remedy: str = ""
    together: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)


def case(kind: str, text: str, remedy: str = "", together: str = "", **config: Any) -> Any:
    """Enter the decorated program; its name is the case's."""

    def enter(build: Callable[[bool], tuple[Any, ...]]) -> Callable[[bool], tuple[Any, ...]]:
        CASES[build.__name__] = Case(build, kind, text, remedy, tuple(together.split()), config)
        return build

    return enter


def rows(width: int = 4, name: str = "x") -> Any:
    return tf.placeholder(tf.float32, [None, width], name=name)


def costly(v: Any, name: str | None = None) -> Any:
    return tf.tanh(tf.sin(tf.exp(tf.cos(v))), name=name)


# ------------------------------------------------------------------------- fuse


@case("fuse", "has lost the axes it reduces over", "keepdims=True", "y m")
def keepdims(changed):
    x = rows()
    m = tf.reduce_max(x, axis=0, keepdims=changed, name="m")
    y = tf.subtract(tf.exp(x), m, name="y")
    return m, y


@case("fuse", "gives the same memory another shape", "one side of the reshape", "e y")
def reshaped(changed):
    x = rows()
    if changed:
        e = tf.exp(tf.reshape(x, [-1]), name="e")
        return e, tf.sin(e, name="y")
    e = tf.exp(x, name="e")
    return e, tf.sin(tf.reshape(e, [-1])[1:], name="y")


@case("fuse", "an op with a kernel of its own", "elementwise ops", "e y")
def structured(changed):
    e = tf.exp(rows(), name="e")
    y = tf.sin(e, name="y") if changed else tf.cumsum(e, axis=1, name="y")
    return e, y


@case("fuse", "as many nodes as a kernel may have", "cut the expression")
def too_long(changed):
    v = tf.exp(rows(), name="e")
    for i in range(20 if changed else 60):
        v = tf.abs(v - 5.0 - i)
    return str(v.op.source[0]), v


@case("fuse", "writes as many results", "fetch fewer")
def many_results(changed):
    v = tf.placeholder(tf.int32, [None], name="x")
    d = tf.placeholder(tf.int32, [None], name="d")
    outs = []
    for _ in range(14):
        v = v // d  # can fail: it is not computed again
        outs.append(v)
    return str(v.op.source[0]), outs[-1:] if changed else outs


@case("fuse", "at other places than where it is computed", "to the operands of", "e y")
def view_of_computed(changed):
    x = rows()
    if changed:
        e = tf.exp(tf.reverse(x, [1]), name="e")
        return e, tf.sin(e, name="y")
    e = tf.exp(x, name="e")
    return e, tf.reverse(e, [1], name="y")


@case("fuse", "is wanted elsewhere too", "do not fetch it", "s y")
def view_of_view(changed):
    s = tf.slice(rows(8), [0, 2], [-1, 4], name="s")
    y = tf.reverse(s, [1], name="y")
    return s, [y] if changed else [s, y]


@case("fuse", "puts many tensors side by side", "reduce the operands")
def many_parts(changed):
    x = [tf.placeholder(tf.float32, [None, 4], name=f"x{i}") for i in range(6)]
    if changed:
        s = [tf.reduce_sum(v, axis=0) for v in x]
        return "c", tf.concat(s, axis=0, name="c")
    return "c", tf.reduce_sum(tf.concat(x, axis=1, name="c"), axis=0)


@case("fuse", "copies many tensors one after another", "apply exp to the operands")
def many_rows(changed):
    x = [tf.placeholder(tf.float32, [None], name=f"x{i}") for i in range(6)]
    if changed:
        return "c", tf.concat([tf.exp(v, name=f"e{i}") for i, v in enumerate(x)], axis=0, name="c")
    return "c", tf.exp(tf.concat(x, axis=0, name="c"))


@case("fuse", "in kernels that cannot be one", "one shape", "e a b")
def other_axes(changed):
    e = costly(rows(), "e")
    a = tf.reduce_sum(e, axis=1, name="a")
    b = tf.reduce_max(e, axis=1 if changed else 0, name="b")
    return e, [a, b]


@case("fuse", "more instructions than loading")
def again_costs(changed):
    e = (tf.exp if changed else costly)(rows(), name="e")
    return e, [tf.reduce_sum(e, axis=1, name="a"), tf.reduce_max(e, axis=0, name="b")]


@case(
    "fuse", "which runs earlier", "graphc_passes_off=['cse']", graphc_passes_off=["cse"]
)  # fmt: skip
def needs_results(changed):
    x = rows()
    e = costly(x, "e")
    m = tf.reduce_max(e, axis=0, name="m")
    return e, tf.subtract(costly(x) if changed else e, m, name="y")


@case("fuse", "an operand of the matrix product", "after the product")
def product_operand(changed):
    x, w = rows(), tf.ones([4, 3]) * tf.placeholder(tf.float32, [], name="s")
    e = tf.multiply(x, x, name="e")
    return e, tf.matmul(x if changed else e, w, name="p") * 2.0


@case("fuse", "each finish a matrix product")
def two_products(changed):
    x, v = rows(), tf.placeholder(tf.float32, [4, 3], name="v")
    p, q = tf.matmul(x, v, name="p"), tf.matmul(tf.sin(x), v, name="q")
    a, b = tf.tanh(p, name="a"), tf.sin(q, name="b")
    return a, [a, b] if changed else a * b


# ------------------------------------------------------------------------- epilogues


def product(name: str = "p") -> Any:
    return tf.matmul(rows(), tf.placeholder(tf.float32, [4, 3], name="v"), name=name)


@case("epilogue", "nothing in this run reads", "fetch what is computed of it", "p y")
def product_alone(changed):
    p = product()
    y = tf.tanh(p, name="y")
    return p, y if changed else p


@case("epilogue", "in a kernel that reduces", "reduce the operands first")
def product_reduced(changed):
    x, v = rows(), tf.placeholder(tf.float32, [4, 3], name="v")
    if changed:
        p = tf.matmul(x, tf.reduce_sum(v, axis=1, keepdims=True), name="p")
        return p, p * 2.0
    p = tf.matmul(x, v, name="p")
    return p, tf.reduce_sum(p * p, axis=1)


@case("epilogue", "reads through an index map", "of the product's operands", "p y")
def product_reversed(changed):
    x, v = rows(), tf.placeholder(tf.float32, [4, 3], name="v")
    if changed:
        p = tf.matmul(tf.reverse(x, [0]), v, name="p")
        return p, tf.tanh(p, name="y")
    p = tf.matmul(x, v, name="p")
    return p, tf.tanh(tf.reverse(p, [0]), name="y")


@case("epilogue", "has the product's shape", "do what is of another shape afterwards", "p y")
def product_broadcast(changed):
    p = product()
    b = tf.placeholder(tf.float32, [3] if changed else [2, 1, 3], name="b")
    return p, tf.add(p, b, name="y")


@case("epilogue", "an op with a kernel of its own", "elementwise", "p y")
def product_scanned(changed):
    p = product()
    return p, tf.tanh(p, name="y") if changed else tf.cumsum(p, name="y")


# ------------------------------------------------------------------------- fold


@case("fold", "'x', which is fed", "make 'x' a tf.constant")
def fold_fed(changed):
    x = tf.constant([1.0, 2.0], name="x") if changed else tf.placeholder(tf.float32, [2], "x")
    y = tf.exp(x, name="y")
    return y, y


@case("fold", "the variable 'w'", "make 'w' a tf.constant")
def fold_variable(changed):
    w = tf.constant([1.0, 2.0]) if changed else tf.get_variable("w", [2])
    y = tf.exp(w + 1.0, name="y")
    return y, y


@case("fold", "is random", "with numpy")
def fold_random(changed):
    r = tf.constant(np.ones(3, np.float32)) if changed else tf.random_uniform([3], name="r")
    y = tf.exp(r, name="y")
    return y, y


@case("fold", "more than the 16,384", "with numpy")
def fold_large(changed):
    y = tf.multiply(tf.fill([100, 10 if changed else 1000], 2.0), 3.0, name="y")
    return y, y


@case("fold", "an error belongs to the run", "does not fail")
def fold_failing(changed):
    y = tf.gather(tf.constant([1.0, 2.0]), tf.constant([0, 1 if changed else 7]), name="y")
    return y, y


@case("fold", "comes from outside of the loop", "from constants")
def fold_loop(changed):
    x = rows()
    inside: list[Any] = []

    def body(i, y):
        s = tf.exp(tf.constant([0.5]) if changed else y[0, :1], name="s")
        inside.append(s)
        return i + 1, y * s + tf.sin(y)

    _, y = tf.while_loop(lambda i, y: i < 3, body, [0, x])
    return inside[0], y


# ------------------------------------------------------------------------- rules


@case(
    "rule", "needs the licence NO_SIGNED_ZERO", "'simplify:NO_SIGNED_ZERO'",
    graphc_passes="sizes,fold,cse,simplify:NO_SIGNED_ZERO,expand,sizes,fuse",
)  # fmt: skip
def rule_licence(changed):
    x = rows()
    y = tf.maximum(x, -x, name="y")
    return y, y


@case("rule", "holds for integers only", "compute in integers")
def rule_kind(changed):
    x = tf.placeholder(tf.int32 if changed else tf.float32, [None], name="x")
    y = tf.maximum(x, -x, name="y")
    return y, y


@case("rule", "the tanh in it is read elsewhere too", "let nothing else read the tanh")
def rule_once(changed):
    t = tf.tanh(rows(), name="t")
    y = tf.add(1.0, t, name="y")
    return y, [y] if changed else [y, t]


@case("rule", "its error would be lost", "cannot fail")
def rule_error(changed):
    x, i = rows(), tf.placeholder(tf.int32, [4], name="i")
    b = tf.placeholder(tf.bool, [4], name="b")
    y = tf.where(b if changed else tf.gather(b, i), x[0], x[0], name="y")
    return y, y + 1.0


# ------------------------------------------------------------------------- loops


def looped(body: Callable[[Any, Any], Any], *shape: int) -> tuple[Any, Any]:
    s = tf.placeholder(tf.float32, shape, name="s")
    _, y = tf.while_loop(lambda i, y: i < 9, lambda i, y: (i + 1, body(i, y)), [0, s], name="l")
    return y, y


@case("loop", "is an array made in the loop", "carry single numbers")
def loop_array(changed):
    return looped(lambda i, y: y * 1.5, *(() if changed else (64,)))


@case("loop", "has more than 200 nodes", "do less in each iteration")
def loop_large(changed):
    def body(i, y):
        for k in range(5 if changed else 250):
            y = tf.abs(y - 5.0 - k)
        return y

    return looped(body)


@case("loop", "needs a kernel of its own", "do it outside of the loop")
def loop_product(changed):
    def body(i, y):
        m = tf.reshape(y, [1, 1])
        return y * 2.0 if changed else tf.reshape(tf.matmul(m, m) + tf.random_uniform([1, 1]), [])

    return looped(body)


@case("loop", "too long to be computed in vain", "tf.where")
def loop_cond(changed):
    def body(i, y):
        if changed:
            return tf.where(y > 0.0, y * 2.0, y)
        return tf.cond(y > 0.0, lambda: costly(costly(costly(y))), lambda: y)

    return looped(body)


@case("buffer", "copied into the array", "elementwise work")
def array_element(changed):
    a = tf.placeholder(tf.float32, [16, 16], name="a")

    def body(i, y, t):
        n = tf.sin(y) + a if changed else tf.matmul(y, a)
        return i + 1, n, t.write(i, n * 2.0 if changed else n)

    t = tf.TensorArray(tf.float32, 9, element_shape=[16, 16])
    t = tf.while_loop(lambda i, y, t: i < 9, body, [0, a, t], name="l")[2]
    return "l/TensorArrayWrite/TensorArrayWriteV3", t.stack()


# ------------------------------------------------------------------------- the host, sizes


@case("host", "done by Python or numpy", "native form")
def host_function(changed):
    x = rows()
    y = tf.exp(x, name="y") if changed else tf.py_func(np.exp, [x], tf.float32, name="y")
    return y, y


@case("host", "works on strings", "into numbers")
def host_strings(changed):
    if changed:
        y = tf.identity(tf.placeholder(tf.float32, [2], name="s"), name="y")
    else:
        y = tf.string_to_number(tf.placeholder(tf.string, [2], name="s"), name="y")
    return y, y * 2.0


@case("host", "depends on data", "multiply by the mask")
def host_data(changed):
    x = tf.placeholder(tf.float32, [None], name="x")
    if changed:
        y = tf.where(x > 0.0, x, tf.zeros_like(x), name="y")
    else:
        y = tf.where(x > 0.0, name="y")
    return y, tf.reduce_sum(tf.cast(y, tf.float32))


@case("host", "Python does 'while/f'", "take 'while/f' out of it")
def host_loop(changed):
    x = rows()

    def body(i, y):
        f = tf.exp(y) if changed else tf.py_func(np.exp, [y], tf.float32, name="f")
        return i + 1, tf.reshape(f, tf.shape(y))

    _, y = tf.while_loop(lambda i, y: i < 3, body, [0, x])
    return y, y


@case("host", "changes its type", "same in all iterations")
def host_growing(changed):
    x = rows()

    def body(i, y):
        return i + 1, y + 1.0 if changed else tf.concat([y, x], 0)

    _, y = tf.while_loop(
        lambda i, y: i < 3, body, [0, x],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([None, 4])],
    )  # fmt: skip
    return y, y


@case("host", "its branches give", "both branches")
def host_branches(changed):
    x = rows()
    y = tf.cond(x[0, 0] > 0.0, lambda: x * 2.0, lambda: x if changed else x[:, :2], name="c")
    return y, y


@case("host", "is driven from Python", "take 'l/f' out of it")
def host_inside(changed):
    x = rows()

    def body(i, y):
        s = tf.sin(y, name="s")
        if not changed:
            s += tf.py_func(np.exp, [y], tf.float32, name="f")
        return i + 1, tf.reshape(s, tf.shape(y))

    _, y = tf.while_loop(lambda i, y: i < 3, body, [0, x], name="l")
    return "l/s", y


@case("size", "axis 0 of 'x' is not declared", "a shape with")
def size_placeholder(changed):
    x = tf.placeholder(tf.float32, [7 if changed else None, 4], name="x")
    y = tf.exp(x, name="y")
    return y, y


@case("size", "the integers fed as 'n' decide sizes", "make 'n' a tf.constant")
def size_fed(changed):
    n = tf.constant(3, name="n") if changed else tf.placeholder(tf.int32, [], name="n")
    y = tf.exp(tf.fill(tf.stack([n]), 1.0) * tf.placeholder(tf.float32, [], name="s"), name="y")
    return y, y


@case("size", "are computed in the run", "tf.shape, constants and fed integers")
def size_computed(changed):
    x = tf.placeholder(tf.float32, [], name="x")
    n = tf.constant(3) if changed else tf.cast(tf.exp(x), tf.int32, name="n")
    y = tf.fill(tf.stack([n]), x, name="y")
    return y, y


# ------------------------------------------------------------------------- vectors


@case("vector", "there is no loop", "many elements")
def vector_one(changed):
    y = tf.exp(tf.placeholder(tf.float32, [64] if changed else [], name="x"), name="y")
    return y, y


@case("vector", "its loop has 5 elements", "a multiple of 16")
def vector_short(changed):
    y = tf.exp(tf.placeholder(tf.float32, [32 if changed else 5], name="x"), name="y")
    return y, y


@case("vector", "'x' that one vector needs lie 2 apart", "take no steps")
def vector_steps(changed):
    x = rows(64)
    y = tf.exp(x[:, :32] if changed else x[:, ::2], name="y")
    return y, y


@case("vector", "is computed lane by lane", "whole rows")
def vector_gather(changed):
    x, i = rows(64), tf.placeholder(tf.int32, [32], name="i")
    y = tf.multiply(tf.gather(x, i, axis=0 if changed else 1), 2.0, name="y")
    return y, y


@case("vector", "each needs the one before", "another axis")
def vector_scan(changed):
    y = tf.cumsum(rows(64), axis=0 if changed else 1, name="y")
    return y, y


@case("vector", "rounds come one after another", "ops on whole arrays")
def vector_repeat(changed):
    s = tf.placeholder(tf.float32, [64] if changed else [], name="s")
    if changed:
        y = tf.exp(s, name="y")
    else:
        _, y = tf.while_loop(lambda i, y: i < 9, lambda i, y: (i + 1, y * 1.5), [0, s], name="l")
    return y, y


# ------------------------------------------------------------------------- buffers


def updated(value: Callable[[Any], Any], *more: Any) -> tuple[Any, Any]:
    w = tf.get_variable("w", [4, 4])
    u = tf.assign(w, value(w), name="u")
    return u, [u.op, *more]


@case("buffer", "at other places than the one it writes", "element by element")
def buffer_places(changed):
    a = tf.placeholder(tf.float32, [4, 4], name="a")
    return updated(lambda w: w * a if changed else tf.matmul(w, a))


@case("buffer", "makes it alone", "compute it in this run")
def buffer_fed(changed):
    a = tf.placeholder(tf.float32, [4, 4], name="a")
    return updated(lambda w: a * 1.5 if changed else a)


@case("buffer", "a check in its kernel can fail", "in another run")
def buffer_check(changed):
    a = tf.placeholder(tf.float32, [9, 4], name="a")
    i = tf.placeholder(tf.int32, [4], name="i")
    return updated(lambda w: w + (a[:4] if changed else tf.gather(a, i)))


@case("buffer", "other kernels read what its kernel makes", "let nothing read")
def buffer_read(changed):
    w = tf.get_variable("w", [4, 4])
    u = tf.assign_add(w, tf.ones([4, 4]) * tf.placeholder(tf.float32, [], name="s"), name="u")
    if changed:
        return u, [u.op]
    return u, [tf.matmul(u, u, name="p")]


@case("buffer", "made of the old value of this one", "in a run of its own")
def buffer_circle(changed):
    v, w = tf.get_variable("v", [4, 4]), tf.get_variable("w", [4, 4])
    u, t = tf.assign(v, tf.sin(w), name="u"), tf.assign(w, tf.cos(w if changed else v), name="t")
    return str(u.op.source[0]), [u.op, t.op]


@case("buffer", "not change 'x' in place, but a copy")
def buffer_copy(changed):
    x = rows()
    y = x * 2.0 if changed else x
    _, z = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.sin(y) + x), [0, y], name="l")
    return z, z


@case("buffer", "bytes of new memory")
def buffer_new(changed):
    x = tf.placeholder(tf.float32, [64, 64], name="x")
    a = tf.matmul(x, x, name="a")
    if changed:
        return a, a
    b = tf.matmul(a, a, name="b")
    return b, tf.matmul(a, b, name="c")


# ------------------------------------------------------------------------- in each iteration


def iterated(body: Callable[[Any], Any]) -> Any:
    x = rows(8)
    return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, body(y)), [0, x], name="l")[1]


@case("hoist", "depends on 'l/Merge_1'", "in an operation of its own")
def hoist_varies(changed):
    w = tf.placeholder(tf.float32, [8, 8], name="w")
    z = iterated(lambda y: tf.matmul(y, tf.tanh(w if changed else w + y[0], name="t")))
    return "l/t", z


@case("hoist", "it can fail, and a loop may make no iteration", "before the loop")
def hoist_fails(changed):
    w = tf.placeholder(tf.float32, [8, 8], name="w")
    k = tf.placeholder(tf.int32, [8], name="k")
    before = tf.gather(w, k, name="g") if changed else None
    z = iterated(lambda y: tf.matmul(y, before if changed else tf.gather(w, k, name="g")))
    return "g" if changed else "l/g", z


@case("hoist", "it draws new random numbers", "before the loop")
def hoist_draws(changed):
    before = tf.random_uniform([8, 8], name="r") if changed else None
    z = iterated(lambda y: tf.matmul(y, before if changed else tf.random_uniform([8, 8], name="r")))
    return "r/RandomUniform" if changed else "l/r/RandomUniform", z


@case("hoist", "depends on 'l/r/RandomUniform'")
def hoist_behind(changed):
    before = tf.random_uniform([8, 8], name="r") if changed else None

    def body(y):
        r = before if changed else tf.random_uniform([8, 8], name="r")
        return tf.matmul(y, tf.tanh(r, name="t"))

    return "l/t", iterated(body)
