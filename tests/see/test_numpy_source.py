"""Runnable dumps: the printed program, run, gives what the graph gives."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face import dump
from graphc.ir.build import Rewriter, build, use
from graphc.ir.graph import Graph
from graphc.ir.node import Node, Value
from graphc.ops.pure import input_op
from graphc.ops.record import Op, meaning
from graphc.see.forms import formatted
from graphc.see.numpy_source import numpy_source

OPS_TESTS = Path(__file__).resolve().parent.parent / "ops" / "op_cases.py"
spec = importlib.util.spec_from_file_location("op_cases_of_ops", OPS_TESTS)
assert spec is not None
assert spec.loader is not None
op_cases = importlib.util.module_from_spec(spec)
sys.modules["op_cases_of_ops"] = op_cases
spec.loader.exec_module(op_cases)


@pytest.fixture(autouse=True)
def fresh_graph() -> Iterator[None]:
    tf.reset_default_graph()
    yield
    tf.reset_default_graph()


def program(text: str) -> dict[str, Any]:
    """The names that a program defines."""
    scope: dict[str, Any] = {"__name__": "printed"}
    exec(compile(text, "printed", "exec"), scope)
    return scope


def given(index: int, t: Any, shape: Sequence[int], name: str) -> Value:
    attrs = {"index": index, "dtype": t, "shape": tuple(shape)}
    return Node(input_op, (), attrs, [(t, tuple(shape))], name).outputs[0]


def same(got: Any, want: Any) -> None:
    got, want = np.asarray(got), np.asarray(want)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if want.dtype.kind == "f":
        np.testing.assert_allclose(
            got.astype(float), want.astype(float), rtol=4 * float(np.finfo(want.dtype).eps)
        )
    else:
        assert np.array_equal(got, want)


# ------------------------------------------------------------------- every op


@pytest.mark.parametrize("record", op_cases.CLOSED, ids=lambda r: r.name)
def test_every_op_with_cases(record: Op) -> None:
    """The text of one application of each, in all types and shapes of the ops' own tests."""
    cases = list(op_cases.cases(record))
    if len(cases) > 60:  # types and shapes in turns
        cases = cases[:: len(cases) // 60 + 1]
    graphs, wants = {}, []
    for i, case in enumerate(cases):
        inputs = [given(j, t, a.shape, f"x{j}") for j, (a, t) in enumerate(case.operands)]
        with use(Rewriter()):
            made = build(record, inputs, case.attrs)
        graphs[f"case_{i}"] = Graph(made.outputs, (), tuple(inputs))
        arrays = [a for a, _ in case.operands]
        wants.append(meaning(record, arrays, case.attrs, [v.type for v in made.outputs]))
    text = numpy_source(graphs).text
    assert "OPS[" not in text  # numpy is all it needs
    assert "import graphc" not in text
    assert not re.search(r"np\.bool\b", text)  # a name that NumPy 1 has not
    scope = program(text)
    for i, (case, want) in enumerate(zip(cases, wants, strict=True)):
        got = scope[f"case_{i}"](*[a for a, _ in case.operands])
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)


F = np.float32
X34 = np.arange(12, dtype=F).reshape(3, 4) - 5
X345 = np.random.default_rng(3).normal(size=(3, 4, 5)).astype(F)
PICTURE = np.random.default_rng(4).normal(size=(2, 7, 6, 3)).astype(F)
FILTER = np.random.default_rng(5).normal(size=(3, 2, 3, 4)).astype(F)
IDS = np.array([2, 0, 1, 2], np.int32)

#: What users write with ops that take attributes and operands of their own.
WRITTEN: dict[str, Any] = {
    "reshape": lambda x: tf.reshape(x, [-1, 2]),
    "transpose": lambda x: tf.transpose(x, [1, 0]),
    "expand": lambda x: tf.expand_dims(x, 1),
    "squeeze": lambda x: tf.squeeze(x[:1], [0]),
    "slices": lambda x: [x[1:, ::2], x[0], x[..., tf.newaxis, 1], x[::-1, -1], x[:, 1:3]],
    "slice": lambda x: tf.slice(x, [1, 0], [2, -1]),
    "sizes": lambda x: [tf.shape(x), tf.size(x), tf.rank(x), tf.shape(x)[0] * 2],
    "fill": lambda x: [tf.fill([2, 3], x[0, 0]), tf.zeros_like(x), tf.ones_like(x)],
    "concat": lambda x: tf.concat([x, x * 2.0], 1),
    "stack": lambda x: [tf.stack([x, x], 2), *tf.unstack(x, axis=1), *tf.split(x, 2, 1)],
    "split_v": lambda x: tf.split(x, [1, 3], 1),
    "pad": lambda x: [tf.pad(x, [[1, 0], [0, 2]]), tf.pad(x, [[1, 1], [2, 2]], "REFLECT")],
    "pad_v2": lambda x: tf.pad(x, [[1, 0], [0, 2]], constant_values=7.0),
    "tile": lambda x: [tf.tile(x, [2, 1]), tf.reverse(x, [1]), tf.roll(x, 1, 0)],
    "gather": lambda x: [tf.gather(x, [2, 0]), tf.gather(x, [1, 1], axis=1)],
    "gather_nd": lambda x: tf.gather_nd(x, [[0, 1], [2, 3]]),
    "one_hot": lambda x: tf.one_hot(tf.constant(IDS), 3, 5.0, -1.0, axis=0),
    "range": lambda x: [tf.range(2, 11, 3), tf.linspace(0.0, 1.0, 5)],
    "scatter": lambda x: tf.scatter_nd([[1], [3]], x[:2], [5, 4]),
    "segments": lambda x: [
        tf.unsorted_segment_sum(x[:, 0], [1, 0, 1], 3), tf.unsorted_segment_max(x, [1, 0, 1], 2),
        tf.segment_mean(x, [0, 0, 1]),
    ],
    "where": lambda x: tf.where(x > 0.0, x, -x),
    "diag": lambda x: [tf.diag(x[0]), tf.matrix_diag(x), tf.matrix_band_part(x, 1, 0)],
    "set_diag": lambda x: tf.matrix_set_diag(x[:, :3], [7.0, 8.0, 9.0]),
    "reduce": lambda x: [
        tf.reduce_sum(x), tf.reduce_mean(x, 0), tf.reduce_max(x, 1, keepdims=True),
        tf.reduce_prod(x, [0, 1]), tf.reduce_logsumexp(x, 1), tf.reduce_any(x > 3.0),
    ],
    "arg": lambda x: [tf.argmax(x, 1), tf.argmin(x, 0, output_type=tf.int32)],
    "scan": lambda x: [tf.cumsum(x, 1, exclusive=True), tf.cumprod(x, 0, reverse=True)],
    "top_k": lambda x: tf.nn.top_k(x, 2),
    "matmul": lambda x: [
        tf.matmul(x, x, transpose_b=True), tf.matmul(x, x, transpose_a=True),
        tf.einsum("ij,kj->ik", x, x), tf.tensordot(x, x, [[0], [0]]),
    ],
    "softmax": lambda x: [tf.nn.softmax(x), tf.nn.log_softmax(x, 0), tf.nn.l2_normalize(x, 1)],
    "losses": lambda x: [
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=tf.nn.softmax(x), logits=x),
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=IDS[:3], logits=x),
        tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.sigmoid(x), logits=x),
    ],
    "activations": lambda x: [
        tf.nn.relu6(x), tf.nn.elu(x), tf.nn.selu(x), tf.nn.softplus(x), tf.nn.leaky_relu(x),
        tf.erf(x), tf.lgamma(tf.abs(x) + 0.5), tf.digamma(tf.abs(x) + 0.5),
    ],
    "casts": lambda x: [
        tf.cast(x, tf.int32), tf.cast(x, tf.bool), tf.cast(x, tf.float64), tf.cast(x, tf.bfloat16)
    ],
    "gradient": lambda x: tf.gradients(tf.reduce_sum(tf.tanh(x) * x[:, ::-1]), x),
    "table": lambda x: x + np.arange(4, dtype=F) * np.float32(0.1),
    "bits": lambda x: [
        tf.bitcast(x, tf.int32), tf.bitwise.left_shift([1, 2], [3, 40]), tf.floormod([-7, 7], 3)
    ],
    "partition": lambda x: tf.dynamic_stitch([[0, 2], [1]], [x[:2], x[2:]]),
}  # fmt: skip

PICTURES: dict[str, Any] = {
    "conv": lambda x: [
        tf.nn.conv2d(x, FILTER, [1, 2, 1, 1], "SAME"), tf.nn.conv2d(x, FILTER, [1] * 4, "VALID"),
        tf.nn.depthwise_conv2d(x, FILTER, [1] * 4, "SAME"),
        tf.nn.conv2d_transpose(x, FILTER.swapaxes(2, 3), [2, 14, 12, 4], [1, 2, 2, 1], "SAME"),
    ],
    "conv gradient": lambda x: tf.gradients(
        tf.reduce_sum(tf.nn.conv2d(x, FILTER, [1] * 4, "SAME") ** 2), x
    ),
    "pool": lambda x: [
        tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME"),
        tf.nn.avg_pool(x, [1, 3, 2, 1], [1, 1, 2, 1], "VALID"),
    ],
    "pool gradient": lambda x: tf.gradients(
        tf.reduce_sum(tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID") ** 2), x
    ),
    "norm": lambda x: tf.nn.fused_batch_norm(x, np.ones(3, F), np.zeros(3, F)),
    "lrn": lambda x: [tf.nn.lrn(x), tf.nn.moments(x, [0, 1, 2])[1]],
    "space": lambda x: tf.space_to_depth(x[:, :6], 2),
}  # fmt: skip


def checked(fetches: Any, feeds: Mapping[Any, Any], session: Any = None) -> str:
    """Compare the programs of every stage with the session; the last program's text."""
    flat = tf.contrib.framework.nest.flatten(fetches)
    own = session or tf.Session()
    parts = dump.compile_run(flat, feeds, own)
    triples = [(p.title, p.compilation, p.elements) for p in parts]
    stages = [name for name, _ in dump.passes_of(parts[0].compilation) if "." not in name]
    text = ""
    values = {v.op.name: own.run(v) for v in tf.global_variables()}
    want = own.run(flat, feeds)
    for stage in ("pure", *stages):
        text = formatted(triples, stage, "python")
        scope = program(text)
        if "main" not in scope:  # in parts: another test
            assert callable(scope[f"{stage}_part_1"])
            continue
        variables = {k: np.copy(v) for k, v in values.items()}
        arrays = [np.asarray(feeds[k], k.dtype.as_numpy_dtype) for k in feeds]
        args = (
            [*arrays, variables]
            if "variables" in text.split("def main(")[1].split(")")[0]
            else arrays
        )
        got = iter(scope["main"](*args))
        for w, f in zip(want, flat, strict=True):
            if w is None:
                continue
            a = np.asarray(next(got))
            assert a.dtype == w.dtype, f
            np.testing.assert_allclose(
                a.astype(float), np.asarray(w).astype(float), rtol=2e-4, atol=2e-5, err_msg=stage
            )
        for v in tf.global_variables():
            now = own.run(v)
            np.testing.assert_allclose(
                variables[v.op.name].astype(float), now.astype(float), rtol=2e-4, atol=2e-5,
            )  # fmt: skip
    return text


@pytest.mark.parametrize("name", WRITTEN)
def test_what_users_write(name: str) -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    checked(WRITTEN[name](x), {x: X34})


@pytest.mark.parametrize("name", PICTURES)
def test_pictures(name: str) -> None:
    x = tf.placeholder(tf.float32, [None, 7, 6, 3], name="x")
    checked(PICTURES[name](x), {x: PICTURE})


# ------------------------------------------------------------------- state, loops, random numbers


def test_a_training_step() -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    w = tf.get_variable("dense/w", initializer=X34.T[:, :3] * F(0.1))
    loss = tf.reduce_mean(tf.square(tf.nn.softmax(tf.matmul(x, w)) - 0.5), name="loss")
    step = tf.train.AdamOptimizer(0.1).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = {v.op.name: session.run(v) for v in tf.global_variables()}
        texts = {
            stage: tf.dump([loss, step], {x: X34}, session, stage, format="python")
            for stage in ("pure", "simplify", "expand", "fuse", "share")
        }
        losses = [session.run([loss, step], {x: X34})[0] for _ in range(3)]
        after = {v.op.name: session.run(v) for v in tf.global_variables()}
    assert 'dense_w = variables["dense/w"]' in texts["pure"]
    assert "def fused_" in texts["fuse"]
    for text in texts.values():
        main, variables = program(text)["main"], {k: np.copy(v) for k, v in values.items()}
        np.testing.assert_allclose([main(X34, variables)[0] for _ in range(3)], losses, rtol=1e-4)
        for k, want in after.items():
            np.testing.assert_allclose(variables[k], want, rtol=1e-3, atol=1e-5, err_msg=k)


def test_loops_and_conds() -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    i, y = tf.while_loop(
        lambda i, y: tf.less(i, n),
        lambda i, y: (i + 1, tf.cond(i > 1, lambda: y * x, lambda: y + x)),
        [tf.constant(0), tf.zeros_like(x)],
    )
    z = tf.cond(n > 2, lambda: tf.reduce_sum(y), lambda: tf.constant(-1.0), name="z")
    g = tf.gradients(tf.reduce_sum(y), x)[0]
    for count in (0, 1, 5):
        text = checked([i, y, z, g], {x: X34, n: count})
        assert "while " in text or "small" in text


def test_a_recurrent_net() -> None:
    x = tf.placeholder(tf.float32, [None, 4, 5], name="x")
    out, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.LSTMCell(3), x, dtype=tf.float32)
    loss = tf.reduce_sum(tf.square(out)) + tf.reduce_sum(state.h)
    grads = tf.gradients(loss, tf.trainable_variables())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        checked([loss, *grads], {x: X345}, session)


@pytest.mark.parametrize("seed", [None, 7])
def test_random_numbers_are_the_session_s(seed: int | None) -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    drawn = [
        tf.random_uniform(tf.shape(x), seed=seed, name="u"), tf.random_normal([3], seed=seed),
        tf.truncated_normal([2, 2], seed=seed), tf.random_shuffle(x, seed=seed),
        tf.random_uniform([5], 1, 9, tf.int32, seed=seed), tf.multinomial(x, 3, seed=seed),
        tf.nn.dropout(x, 0.5, seed=seed),
    ]  # fmt: skip
    with tf.Session() as session:
        before = [session.run(drawn, {x: X34}) for _ in range(2)]
        main = program(tf.dump(drawn, {x: X34}, session, "fuse", format="python"))["main"]
    for want in before:
        for a, b in zip(main(X34), want, strict=True):
            assert np.asarray(a).dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-5)


def test_random_ops_that_a_pass_copies_keep_their_seeds() -> None:
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    drawn = [tf.multinomial(tf.exp(x) * 1.0, 3), tf.random_shuffle(x * 1.0)]
    with tf.Session() as session:
        want = session.run(drawn, {x: X34})
        texts = [tf.dump(drawn, {x: X34}, session, s, format="python") for s in ("pure", "fuse")]
        both = tf.dump(drawn, {x: X34}, session, "pure,fuse", format="python")
    mains = [program(text)["main"] for text in texts]
    mains += [program(both)[name] for name in ("pure", "fuse")]
    for main in mains:
        for a, b in zip(main(X34), want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_parts_draw_their_own_random_numbers() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    noisy = x + tf.random_uniform(tf.shape(x), seed=1)
    kept = tf.boolean_mask(noisy, noisy > 0.0, name="kept")
    y = kept + tf.random_uniform(tf.shape(kept), seed=2, name="late")
    given = np.array([1, -2, 3], F)
    with tf.Session() as session:
        want = session.run([noisy, y], {x: given})
        text = tf.dump([noisy, y], {x: given}, session, format="python")
    scope = program(text)
    (positive,) = scope["pure_part_1"](given)
    got = scope["pure_part_2"](given, np.argwhere(positive))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_random_numbers_of_a_loop() -> None:
    total = tf.while_loop(
        lambda i, t: i < 4,
        lambda i, t: (i + 1, t + tf.random_uniform([2], seed=3)),
        [0, tf.zeros([2])],
    )[1]
    with tf.Session() as session:
        want = [session.run(total) for _ in range(2)]
        main = program(tf.dump(total, session=session, stage="fuse", format="python"))["main"]
    np.testing.assert_allclose([main()[0] for _ in range(2)], want, rtol=1e-6)


def test_runs_in_parts() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    kept = tf.boolean_mask(x, x > 0.0, name="kept")
    total = tf.reduce_sum(kept * 2.0, name="total")
    scope = program(tf.dump(total, {x: [1.0, -2.0, 3.0]}, format="python"))
    parts = [f for k, f in scope.items() if k.startswith("pure_part_")]
    assert len(parts) == 2
    (flat,) = parts[0](np.array([1, -2, 3], F))
    assert flat.tolist() == [True, False, True]
    names = list(inspect.signature(parts[1]).parameters)
    given = {"x": np.array([1, -2, 3], F)}
    args = [given.get(k, np.array([[0], [2]])) for k in names]
    assert parts[1](*args)[0] == 8.0


def test_names_of_any_kind() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="lambda")
    y = tf.add(x, 1.0, name="np")
    z = tf.multiply(y, y, name="list")
    v = tf.get_variable("a.b/c-d", initializer=F(2.0))
    out = tf.add(z * v, tf.cast(tf.shape(x)[0], tf.float32), name="b")
    with tf.Session() as session:
        session.run(v.initializer)
        checked(out, {x: X34[:, :2]}, session)
        text = tf.dump(out, {x: X34[:, :2]}, session, format="python")
    assert "np_1 = " in text
    assert "lambda_" in text


def test_constants(tmp_path: Path) -> None:
    small = np.array([[np.nan, -np.inf], [1e-45, -0.0]], F)
    table = np.arange(1000, dtype=F)
    large = np.arange(40000, dtype=np.float64)
    words = np.array([True, False] * 20)
    x = tf.placeholder(tf.float32, [], name="x")
    out = [
        x + small, x * table, tf.cast(x, tf.float64) + large,
        tf.where(words, x + tf.zeros([40]), tf.ones([40])),
        x + np.zeros([0, 3], F), tf.constant(3, tf.int8) + tf.cast(x, tf.int8),
    ]  # fmt: skip
    text = tf.dump(out, {x: 2.0}, format="python")
    wants = [
        F(2) + small,
        F(2) * table,
        2.0 + large,
        np.where(words, F(2), F(1)),
        np.zeros([0, 3], F),
        np.int8(5),
    ]
    for a, b in zip(program(text)["main"](F(2)), wants, strict=True):
        same(a, b)
    (part,) = dump.compile_run(out, {x: 2.0})
    made = numpy_source(part.compilation.frozen.graph, beside=True)
    assert [a.size for a in made.arrays.values()] == [40000]
    made.write(tmp_path / "program.py")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["program.npz", "program.py"]
    spec = importlib.util.spec_from_file_location("program", tmp_path / "program.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for a, b in zip(module.main(F(2)), wants, strict=True):
        same(a, b)
    assert len(text) > 400_000 > len(made.text)


def test_errors_stay_errors() -> None:
    x = tf.placeholder(tf.int32, [None], name="x")
    main = program(tf.dump(7 // x, {x: [1]}, format="python"))["main"]
    assert main(np.array([2, 3], np.int32))[0].tolist() == [3, 2]
    with pytest.raises(Exception, match="Integer division by zero"):
        main(np.array([2, 0], np.int32))


def test_what_has_no_program() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    with pytest.raises(ValueError, match="stage 'plan' has no form 'python' here: only graphs"):
        tf.dump(x + 1.0, stage="plan", format="python")
    with pytest.raises(
        ValueError, match="unknown format 'xml'; there are: text, json, dot, python"
    ):
        tf.dump(x + 1.0, format="xml")
    with pytest.raises(ValueError, match="unknown stage 'nope'"):
        tf.dump(x + 1.0, stage="nope", format="python")


def test_several_stages_in_one_program() -> None:
    x = tf.placeholder(tf.float32, [None], name="x")
    scope = program(tf.dump(tf.nn.relu(x * 1.0), stage="pure,simplify,fuse", format="python"))
    for name in ("pure", "simplify", "fuse"):
        assert scope[name](np.array([-1, 2], F))[0].tolist() == [0.0, 2.0]


def test_equal_steps_with_pieces_of_their_own() -> None:
    """Bodies that are one but for where their slices begin: functions with that as a parameter."""
    x = tf.placeholder(tf.float32, [3, 40], name="x")
    h = tf.zeros([3, 2])
    for i, part in enumerate(tf.split(x, 20, 1)):
        h = tf.cumsum(h) + part - x[:, i, None]
    text = checked([h], {x: np.random.RandomState(0).randn(3, 40).astype("f")})
    assert "o0" in text
