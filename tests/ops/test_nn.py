"""Neural-network ops: TensorFlow 1.15's values, names, signatures and errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import oracle_face as oracle
import pytest

from graphc.errors import InvalidArgumentError
from graphc.ir import build, dtypes
from graphc.ops import convert, math, nn, state
from graphc.ops.record import OPS, InferError
from graphc.runtime.reference import evaluate

ORDER = list(oracle.PROGRAMS)
PROGRAMS = [n for n in ORDER if n.startswith(("nn_", "gradient_nn_"))]
PROGRAMS += ORDER[ORDER.index("softmax") : ORDER.index("convolution")]
PROGRAMS += ["top_k", "gradient_top_k", "in_top_k", "gradient_second_order_softmax"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_agrees_with_tensorflow(name: str) -> None:
    oracle.agree(name)


def value(x: Any, feed: Any = None) -> np.ndarray[Any, Any]:
    return evaluate([x], feed)[0]


SIGNATURES = """
relu (features, name=None)
leaky_relu (features, alpha=0.2, name=None)
crelu (features, name=None, axis=-1)
softmax (logits, axis=None, name=None, dim=None)
log_softmax (logits, axis=None, name=None, dim=None)
softmax_cross_entropy_with_logits (_sentinel=None, labels=None, logits=None, dim=-1, name=None, axis=None)
softmax_cross_entropy_with_logits_v2 (labels, logits, axis=None, name=None, dim=None)
sparse_softmax_cross_entropy_with_logits (_sentinel=None, labels=None, logits=None, name=None)
sigmoid_cross_entropy_with_logits (_sentinel=None, labels=None, logits=None, name=None)
weighted_cross_entropy_with_logits (labels=None, logits=None, pos_weight=None, name=None, targets=None)
l2_loss (t, name=None)
l2_normalize (x, axis=None, epsilon=1e-12, name=None, dim=None)
bias_add (value, bias, data_format=None, name=None)
dropout (x, keep_prob=None, noise_shape=None, seed=None, name=None, rate=None)
moments (x, axes, shift=None, name=None, keep_dims=None, keepdims=None)
batch_normalization (x, mean, variance, offset, scale, variance_epsilon, name=None)
fused_batch_norm (x, scale, offset, mean=None, variance=None, epsilon=0.001, data_format='NHWC', is_training=True, name=None)
weighted_moments (x, axes, frequency_weights, name=None, keep_dims=None, keepdims=None)
embedding_lookup (params, ids, partition_strategy='mod', name=None, validate_indices=True, max_norm=None)
top_k (input, k=1, sorted=True, name=None)
in_top_k (predictions, targets, k, name=None)
xw_plus_b (x, weights, biases, name=None)
relu_layer (x, weights, biases, name=None)
zero_fraction (value, name=None)
normalize_moments (counts, mean_ss, variance_ss, shift, name=None)
sufficient_statistics (x, axes, shift=None, keep_dims=None, name=None, keepdims=None)
log_poisson_loss (targets, log_input, compute_full_loss=False, name=None)
"""  # noqa: E501 - as TensorFlow prints them


@pytest.mark.parametrize("line", SIGNATURES.strip().splitlines(), ids=lambda s: s.split()[0])
def test_signature_is_tensorflows(line: str) -> None:
    name, want = line.split(" ", 1)
    f = getattr(nn, name)
    signature = inspect.signature(getattr(f, "call", f))
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == want


def test_names() -> None:
    with oracle.recording() as graph:
        x = state.placeholder(dtypes.float32, [2, 3], name="x")
        out = [
            nn.relu(x), nn.softmax(x), nn.bias_add(x, [1.0, 2.0, 3.0]), nn.l2_loss(x),
            nn.leaky_relu(x), nn.top_k(x)[0], nn.in_top_k(x, [0, 1], 1),
            nn.sparse_softmax_cross_entropy_with_logits(labels=[0, 1], logits=x),
            nn.softmax_cross_entropy_with_logits_v2(labels=x, logits=x),
            nn.sigmoid_cross_entropy_with_logits(labels=x, logits=x), nn.relu(x, name="act"),
            nn.batch_normalization(x, 0.0, 1.0, 0.0, 1.0, 1e-3), nn.moments(x, [0])[0],
        ]  # fmt: skip
        names = [v.node.name for v in out]
        assert "BiasAdd/bias" in [op.name for op in graph.get_operations()]
    assert names == [
        "Relu", "Softmax", "BiasAdd", "L2Loss", "LeakyRelu", "TopKV2", "in_top_k/InTopKV2",
        "SparseSoftmaxCrossEntropyWithLogits/SparseSoftmaxCrossEntropyWithLogits",
        "softmax_cross_entropy_with_logits/Reshape_2", "logistic_loss", "act", "batchnorm/add",
        "moments/Squeeze",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("f", "kind", "message"),
    [
        (lambda x: nn.sigmoid_cross_entropy_with_logits(x, x), ValueError,
         "Only call `sigmoid_cross_entropy_with_logits` with named arguments"),
        (lambda x: nn.softmax_cross_entropy_with_logits(labels=x), ValueError,
         "Both labels and logits must be provided."),
        (lambda x: nn.sigmoid_cross_entropy_with_logits(labels=x, logits=[1.0]), ValueError,
         "logits and labels must have the same shape ((1,) vs (2, 3))"),
        (lambda x: nn.sparse_softmax_cross_entropy_with_logits(labels=[[1]], logits=x), ValueError,
         "Rank mismatch: Rank of labels (received 2) should equal rank of logits minus 1"),
        (lambda x: nn.sparse_softmax_cross_entropy_with_logits(labels=[1], logits=x), ValueError,
         "Shape mismatch: The shape of labels (received (1,)) should equal the shape of logits"),
        (lambda x: nn.sparse_softmax_cross_entropy_with_logits(labels=0, logits=1.0), ValueError,
         "Logits cannot be scalars - received shape ()."),
        (lambda x: nn.sparse_softmax_cross_entropy_with_logits(labels=[1.0, 0.0], logits=x),
         TypeError, "parameter 'labels' has DataType float32"),
        (lambda x: nn.softmax(x, axis=3), InvalidArgumentError,
         "Dimension (3) must be in the range [-2, 2) where 2 is the number of dimensions"),
        (lambda x: nn.softmax(1.0), ValueError, "at least rank 1 but is rank 0"),
        (lambda x: nn.bias_add(x, [1.0]), ValueError, "Dimensions must be equal, but are 3 and 1"),
        (lambda x: nn.bias_add([1.0], [1.0]), ValueError, "at least rank 2 but is rank 1"),
        (lambda x: nn.bias_add(x, [1.0], "HWC"), ValueError, "data_format must be of the form"),
        (lambda x: nn.dropout(x, 1.5), ValueError, "in the range [0, 1), got -0.5"),
        (lambda x: nn.dropout(x), ValueError, "You must provide a rate to dropout."),
        (lambda x: nn.dropout(x, "a"), ValueError, "keep_prob must be a floating point number"),
        (lambda x: nn.dropout([1], 0.5), ValueError, "x has to be a floating point tensor"),
        (lambda x: nn.dropout(x, 0.5, rate=0.5), ValueError, "Cannot specify both"),
        (lambda x: nn.top_k(x, 4), ValueError, "input must have last dimension >= k = 4 but is 3"),
        (lambda x: nn.top_k(x, -1), ValueError, "Need k >= 0, got -1"),
        (lambda x: nn.fused_batch_norm(x, [1.0], [1.0]), ValueError, "must be rank 4"),
        (lambda x: nn.fused_batch_norm(x, [1.0], [1.0], [1.0], [1.0]), ValueError,
         "must be None if is_training is True."),
        (lambda x: nn.embedding_lookup([], [0]), ValueError, "Need at least one param"),
        (lambda x: nn.embedding_lookup(None, [0]), ValueError, "params must be specified"),
        (lambda x: nn.embedding_lookup([x, x], [0], "no"), ValueError,
         "Unrecognized partition strategy: no"),
        (lambda x: nn.relu(x > 0), TypeError, "parameter 'features' has DataType bool"),
    ],
)  # fmt: skip
def test_errors(f: Any, kind: type[Exception], message: str) -> None:
    with oracle.recording():
        x = convert.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        with pytest.raises(kind) as e:
            f(x)
    assert message in str(e.value)


# ------------------------------------------------------------------------- activations


def test_relu_keeps_nan_and_stops_infinite_gradients() -> None:
    with oracle.recording():
        x = convert.constant([np.nan, -1.0, 0.0, 2.0])
        y = nn.relu(x)
        np.testing.assert_array_equal(value(y), [np.nan, 0, 0, 2])
        (g,) = oracle.gradients(y, x, convert.constant([1.0, np.inf, np.nan, 3.0]))
        np.testing.assert_array_equal(value(g), [0, 0, 0, 3])


@pytest.mark.parametrize("name", ["elu", "selu"])
def test_exponential_units_are_exact_near_zero(name: str) -> None:
    """TensorFlow's float32 elu is exp(x) - 1, 19 % off at -1e-7."""
    x = np.float32([-1e-7, -1e-8])
    slope = 1.0 if name == "elu" else 1.7580993408473768
    np.testing.assert_allclose(value(getattr(nn, name)(x)), slope * x, 1e-6)


def test_leaky_relu_takes_tensors_and_integers() -> None:
    with oracle.recording():
        x = convert.constant([-2.0, 4.0])
        np.testing.assert_array_equal(value(nn.leaky_relu(x, convert.constant(0.5))), [-1, 4])
        assert nn.leaky_relu(convert.constant([-2, 4])).dtype is dtypes.float32


# ------------------------------------------------------------------------- cross entropy


def test_softmax_of_nothing_and_of_unknown_rank() -> None:
    assert value(nn.softmax(np.zeros((2, 0), np.float32))).shape == (2, 0)
    with oracle.recording():
        x = state.placeholder(dtypes.float64)
        a = np.random.default_rng(3).normal(size=(2, 3, 4))
        for axis in (-1, 1):
            got = value(nn.softmax(x, axis), {x: a})
            np.testing.assert_allclose(got.sum(axis), 1, 1e-14)
            (g,) = oracle.gradients(nn.log_softmax(x, axis), x)
            np.testing.assert_allclose(value(g, {x: a}).sum(axis), 0, atol=1e-14)


def test_label_out_of_range() -> None:
    with oracle.recording():
        logits = convert.constant(np.ones((2, 3), np.float32))
        labels = state.placeholder(dtypes.int32, [2])
        loss = nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        made = loss.node.op.expand(logits, labels)
        for bad in (5, -1, 3):
            text = rf"Received a label value of {bad} which is outside the valid range of \[0, 3\)"
            with pytest.raises(InvalidArgumentError, match=text):
                value(loss, {labels: [0, bad]})
            with pytest.raises(InvalidArgumentError, match="outside the valid range"):
                value(made[0], {labels: [0, bad]})


def test_large_logits() -> None:
    x = convert.constant([[1e4, 0.0], [-1e4, 0.0]])
    loss = nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 1], logits=x)
    np.testing.assert_array_equal(value(loss), [1e4, 0])
    loss = nn.sigmoid_cross_entropy_with_logits(labels=x * 0.0, logits=x)
    log2 = np.log(np.float32(2))
    np.testing.assert_array_equal(value(loss), [[1e4, log2], [0, log2]])


def test_second_derivative_of_sparse_cross_entropy() -> None:
    """TensorFlow 1.15 refuses it; it is that of the dense one."""
    with oracle.recording():
        x = convert.constant(np.random.default_rng(5).normal(size=(3, 4)))
        hot = np.eye(4)[[1, 0, 3]]
        seconds = []
        for loss in (
            nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 0, 3], logits=x),
            nn.softmax_cross_entropy_with_logits_v2(hot, x),
        ):
            (g,) = oracle.gradients(loss, x)
            (h,) = oracle.gradients(g * np.arange(12.0).reshape(3, 4), x)
            seconds.append(value(h))
        np.testing.assert_allclose(seconds[0], seconds[1], 1e-12)


def test_old_cross_entropy_stops_at_the_labels() -> None:
    with oracle.recording():
        x, z = convert.constant([[1.0, 2.0]]), convert.constant([[0.0, 1.0]])
        old = nn.softmax_cross_entropy_with_logits(labels=z, logits=x)
        assert oracle.gradients(old, [x, z])[1] is None
        new = nn.softmax_cross_entropy_with_logits_v2(labels=z, logits=x)
        assert oracle.gradients(new, [x, z])[1] is not None


def test_half_precision_cross_entropy_is_computed_in_single() -> None:
    x = math.cast([[1.0, 2.0]], dtypes.float16)
    loss = nn.softmax_cross_entropy_with_logits_v2(x, x)
    assert loss.dtype is dtypes.float16
    assert loss.node.op.name == "cast"


# ------------------------------------------------------------------------- batch norm


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("training", [True, False])
def test_fused_batch_norm(layout: str, training: bool) -> None:
    """Value and gradients of the record are those of its expansion."""
    rng = np.random.default_rng(9)
    a = rng.normal(size=(3, 4, 5, 2) if layout == "NHWC" else (3, 2, 4, 5))
    s, o, m, v = rng.uniform(0.5, 1.5, (4, 2))
    with oracle.recording():
        xs = [convert.constant(e) for e in (a, s, o)]
        given = () if training else (m, v)
        y, mean, variance = nn.fused_batch_norm(
            *xs, *given, epsilon=0.01, data_format=layout, is_training=training
        )
        made = y.node.op.expand(*y.node.inputs, **y.node.attrs)
        weights = rng.normal(size=a.shape)
        fused = oracle.gradients(y * weights, xs)
        plain = oracle.gradients(made[0] * weights, xs)
        got = evaluate([y, mean, variance, *fused])
        want = evaluate([*made, *plain])
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other, 1e-9, 1e-10)
        over = (0, 1, 2) if layout == "NHWC" else (0, 2, 3)
        if training:
            np.testing.assert_allclose(got[1], a.mean(over), 1e-12)
            np.testing.assert_allclose(got[2], a.var(over, ddof=1), 1e-12)


def test_statistics() -> None:
    x = np.random.default_rng(2).normal(size=(5, 3))
    n, total, squares, shift = nn.sufficient_statistics(x, [0])
    assert shift is None
    mean, variance = nn.normalize_moments(n, total, squares, shift)
    np.testing.assert_allclose(value(mean), x.mean(0), 1e-12)
    np.testing.assert_allclose(value(variance), x.var(0), 1e-9)
    mean, variance = nn.weighted_moments(x, [0], 2.0)
    np.testing.assert_allclose(value(variance), x.var(0), 1e-9)
    assert value(nn.zero_fraction([0.0, 1.0])) == 0.5


# ------------------------------------------------------------------------- lookups


def test_top_k_orders_ties_by_place() -> None:
    values, places = evaluate(list(nn.top_k([[1.0, 3.0, 3.0, 2.0]], 3)))
    np.testing.assert_array_equal(values, [[3, 3, 2]])
    np.testing.assert_array_equal(places, [[1, 2, 3]])
    with oracle.recording():
        k = state.placeholder(dtypes.int32, [])
        assert value(nn.top_k([5, 1, 7], k).indices, {k: 2}).tolist() == [2, 0]


def test_in_top_k_needs_finite_rows() -> None:
    rows = np.float32([[1, 3, 3, 2], [1, 3, np.nan, 2], [1, 3, np.inf, 2]])
    np.testing.assert_array_equal(value(nn.in_top_k(rows, [2, 1, 2], 1)), [True, False, False])


def test_take_last_checks_its_indices() -> None:
    x, at = convert.constant([[1.0, 2.0]]), convert.constant([[2]])
    taken = build.build(OPS["take_last"], (x, at), {"what": "index"}).outputs[0]
    with pytest.raises(InvalidArgumentError, match=r"range of \[0, 2\)"):
        value(taken)


@pytest.mark.parametrize("strategy", ["mod", "div"])
def test_embedding_of_parts(strategy: str) -> None:
    rows = np.arange(10.0).reshape(5, 2)
    parts = [rows[0::2], rows[1::2]] if strategy == "mod" else [rows[:3], rows[3:]]
    got = value(nn.embedding_lookup(parts, [[4, 1], [0, 3]], strategy))
    np.testing.assert_array_equal(got, rows[[[4, 1], [0, 3]]])


def test_embedding_max_norm() -> None:
    rows = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    got = value(nn.embedding_lookup(rows, [0, 1, 2], max_norm=1.0))
    np.testing.assert_allclose(got, [[0.6, 0.8], [0.3, 0.4], [0, 0]], 1e-6)


def test_infer_errors_are_value_errors() -> None:
    assert issubclass(InferError, ValueError)
