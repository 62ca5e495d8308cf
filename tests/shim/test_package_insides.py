"""Insides that kfac, tensorpack, mesh_tensorflow and others import; values of TF 1.15."""

from __future__ import annotations

import importlib
import unittest
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf

pytestmark = pytest.mark.usefixtures("as_tensorflow")


def inside(module: str) -> Any:
    return importlib.import_module(f"tensorflow.{module}")


def _numbers(shape: tuple[int, ...]) -> Any:
    return (np.arange(np.prod(shape)).reshape(shape) % 7 - 3) * 0.2


def _cell(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda layers: tf.keras.layers.RNN(make(layers))


#: Layer → shapes of its weights, its answer.
LAYERS: list[tuple[Callable[[Any], Any], list[tuple[int, ...]], list[list[float]]]] = [
    (lambda k: k.LSTM(2), [(3, 8), (2, 8), (8,)],
     [[-0.109324, 0.027154], [0.129105, 0.053678]]),
    (_cell(lambda k: k.LSTMCell(2)), [(3, 8), (2, 8), (8,)],
     [[-0.109324, 0.027154], [0.129105, 0.053678]]),
    (lambda k: k.GRU(2), [(3, 6), (2, 6), (2, 6)],
     [[0.166233, 0.346116], [0.142703, 0.757216]]),
    (_cell(lambda k: k.GRUCell(2)), [(3, 6), (2, 6), (2, 6)],
     [[0.166233, 0.346116], [0.142703, 0.757216]]),
    (lambda k: k.GRU(2, activation="relu"), [(3, 6), (2, 6), (2, 6)],
     [[0.167786, 0.367578], [0.142601, 1.003629]]),
    (_cell(lambda k: tf.keras.experimental.PeepholeLSTMCell(2)),
     [(3, 8), (2, 8), (8,), (2,), (2,), (2,)],
     [[-0.154695, 0.022361], [0.105995, 0.042163]]),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(LAYERS)))
def test_recurrent_layers_of_compat_v2(i: int) -> None:
    make, sizes, want = LAYERS[i]
    x = np.linspace(-1, 1, 24).reshape(2, 4, 3).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as s:
        layer = make(tf.compat.v2.keras.layers)
        y = layer(tf.constant(x))
        s.run(tf.global_variables_initializer())
        assert [w.shape for w in layer.get_weights()] == sizes
        layer.set_weights([_numbers(n) for n in sizes])
        np.testing.assert_allclose(s.run(y), want, atol=2e-6)


def test_conv3d_backprop_input() -> None:
    f = (np.arange(16) % 5 - 2.0).reshape(2, 2, 2, 1, 2).astype(np.float32)
    dy = (np.arange(54) % 4 - 1.0).reshape(1, 3, 3, 3, 2).astype(np.float32)
    back = inside("python.ops.gen_nn_ops").conv3d_backprop_input_v2
    with tf.Graph().as_default(), tf.Session() as s:
        y = s.run(back([1, 3, 3, 3, 1], f, dy, [1] * 5, "SAME"))
    assert y.shape == (1, 3, 3, 3, 1)
    assert y.ravel()[:12].tolist() == [2, -4, 4, -6, 3, -7, 0, -7, 3, -5, 11, -9]


def test_shards_of_a_tpu() -> None:
    tpu = inside("python.tpu.tpu_function")
    assert tpu.get_tpu_context().number_of_shards is None
    with tpu.tpu_shard_context(4):
        assert tpu.get_tpu_context().number_of_shards == 4
        with pytest.raises(NotImplementedError, match="nested"), tpu.tpu_shard_context(2):
            pass
    assert tpu.get_tpu_context().number_of_shards is None


class _Hook(tf.train.SessionRunHook):
    def __init__(self, fetch: Any, last: float) -> None:
        self.fetch, self.last, self.seen = fetch, last, list[float]()

    def before_run(self, run_context: Any) -> Any:
        return tf.train.SessionRunArgs(self.fetch)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self.seen.append(float(run_values.results))
        if self.seen[-1] >= self.last:
            run_context.request_stop()


def test_hooked_session() -> None:
    hooked = inside("python.training.monitored_session")._HookedSession
    with tf.Graph().as_default() as g, tf.Session() as s:
        v = tf.Variable(0.0)
        up = v.assign_add(1.0)
        s.run(v.initializer)
        hook = _Hook(v * 1.0 + tf.placeholder_with_default(0.0, []), 2.0)
        h = hooked(s, [hook])
        assert h.graph is g
        runs = 0
        while not h.should_stop():
            h.run(up.op)
            runs += 1
        assert (runs, hook.seen) == (3, [0.0, 1.0, 2.0])
        with pytest.raises(RuntimeError, match="Run called even after should_stop requested"):
            h.run(up.op)


def test_session_behind_a_monitored_one() -> None:
    with tf.Graph().as_default() as g:
        v = tf.Variable(3.0)
        with tf.train.SingularMonitoredSession() as s:
            inner = s._tf_sess()
            assert isinstance(inner, tf.Session)
            assert inner.graph is g
            assert inner.run(v) == 3.0


def test_functions_that_are_not_to_be_converted() -> None:
    def f(x: int) -> int:
        return x + 1

    mark = tf.autograph.experimental.do_not_convert
    assert mark(f) is f
    assert mark()(f) is f
    assert inside("python.autograph.impl.api").do_not_convert is mark


def test_classes_that_count_as_tensors() -> None:
    ops = inside("python.framework.ops")

    class Like:
        name = property(lambda self: "x")
        dtype = property(lambda self: tf.float32)

    class Unlike:
        name = "x"

    assert not ops.is_dense_tensor_like(Like())
    ops.register_dense_tensor_like_type(Like)
    assert ops.is_dense_tensor_like(Like())
    with pytest.raises(TypeError, match="does not define a `name` property"):
        ops.register_dense_tensor_like_type(Unlike)


def test_static_values_of_what_is_no_tensor() -> None:
    assert tf.get_static_value(2.5) == 2.5
    assert tf.get_static_value([1, 2]) == [1, 2]
    assert tf.get_static_value(tf.Variable(1.0)) is None
    assert tf.get_static_value(tf.SparseTensor([[0]], [1], [2])) is None


def test_decorators_of_tests() -> None:
    util = inside("python.framework.test_util")
    seen: list[str] = []

    class Cases(tf.test.TestCase):
        @util.run_in_graph_and_eager_modes()
        def test_one(self) -> None:
            seen.append(f"one {self.evaluate(tf.constant(2) * 3)}")

        @util.run_deprecated_v1
        def test_two(self) -> None:
            seen.append("two")

        @util.run_v1_only("b/1")
        def test_three(self) -> None:
            seen.append("three")

        @util.run_gpu_only
        def test_four(self) -> None:
            seen.append("four")

    @util.run_all_in_graph_and_eager_modes
    class All(tf.test.TestCase):
        def test_five(self) -> None:
            seen.append(f"five {self.evaluate(tf.constant(5))}")

    result = unittest.TestResult()
    for case in (Cases, All):
        unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert not result.errors
    assert not result.failures
    assert sorted(seen) == ["five 5", "one 6", "three", "two"]
    assert "Test requires GPU" in [why for _, why in result.skipped]
    assert not util.IsMklEnabled()
    assert issubclass(Cases, util.TensorFlowTestCase)
    with pytest.raises(ValueError, match="only supports test methods"):
        util.run_in_graph_and_eager_modes(Cases)


X = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32)

RAW: list[tuple[str, dict[str, Any], Any]] = [
    ("Add", {"x": X, "y": X}, X + X),
    ("Relu", {"features": X}, np.maximum(X, 0)),
    ("MatMul", {"a": X, "b": X, "transpose_b": True}, X @ X.T),
    ("BatchMatMul", {"x": X[None], "y": X[None], "adj_y": True}, (X @ X.T)[None]),
    ("Sum", {"input": X, "axis": 0, "keep_dims": True}, X.sum(0, keepdims=True)),
    ("Mean", {"input": X, "axis": [1]}, X.mean(1)),
    ("ConcatV2", {"values": [X, X], "axis": 1}, np.concatenate([X, X], 1)),
    ("Split", {"axis": 0, "value": X, "num_split": 2}, [X[:1], X[1:]]),
    (
        "SplitV",
        {"value": X, "size_splits": [1, 1], "axis": 1, "num_split": 2},
        [X[:, :1], X[:, 1:]],
    ),
    ("Squeeze", {"input": X[None], "axis": [0]}, X),
    ("Transpose", {"x": X, "perm": [1, 0]}, X.T),
    ("ExpandDims", {"input": X, "axis": 1}, X[:, None]),
    ("Cast", {"x": X, "DstT": tf.int32}, X.astype(np.int32)),
    ("Pad", {"input": X, "paddings": [[0, 1], [0, 0]]}, np.pad(X, [(0, 1), (0, 0)])),
    ("StridedSlice", {"input": X, "begin": [1], "end": [2], "strides": [1]}, X[1:2]),
    ("Unpack", {"value": X, "num": 2}, [X[0], X[1]]),
    ("ZerosLike", {"x": X}, X * 0),
]


@pytest.mark.parametrize("i", range(len(RAW)))
def test_raw_ops(i: int) -> None:
    name, given, want = RAW[i]
    with tf.Graph().as_default(), tf.Session() as s:
        np.testing.assert_allclose(s.run(getattr(tf.raw_ops, name)(**given)), want)


def test_names_of_raw_ops() -> None:
    assert {"Add", "Rsqrt", "MatMul", "Sum"} <= set(dir(tf.raw_ops))
    for name in dir(tf.raw_ops):
        assert callable(getattr(tf.raw_ops, name))
    with pytest.raises(
        TypeError, match=r"Add only takes keyword args \(possible keys: \['x', 'y', "
    ):
        tf.raw_ops.Add(1, 2)
    with pytest.raises(AttributeError, match="raw_ops"):
        _ = tf.raw_ops.NoSuchOp


def test_message_of_saved_models() -> None:
    pytest.importorskip("tensorboard")
    from tensorflow.core.protobuf import saved_model_pb2  # type: ignore[import-not-found,unused-ignore]

    m = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    m.meta_graphs.add().meta_info_def.tags.append("serve")
    again = saved_model_pb2.SavedModel.FromString(m.SerializeToString())
    assert [list(g.meta_info_def.tags) for g in again.meta_graphs] == [["serve"]]


def test_where_is_recorded() -> None:
    """As libraries ask whether XLA compiles what they record."""
    seen: list[Any] = []
    around = inside("python.ops.control_flow_util").GetContainingXLAContext

    def body(i: Any) -> Any:
        seen.append(tf.get_default_graph()._get_control_flow_context())
        return i + 1

    assert tf.get_default_graph()._get_control_flow_context() is None
    tf.while_loop(lambda i: i < 3, body, [0])
    assert seen[0] is not None
    assert [around(c) for c in (None, *seen)] == [None] * (1 + len(seen))


def test_attention_mechanisms_of_a_wrapper() -> None:
    memory = tf.zeros([2, 5, 4])
    both = [
        tf.contrib.seq2seq.LuongAttention(4, memory),
        tf.contrib.seq2seq.BahdanauAttention(4, memory),
    ]
    cell = tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(4), both)
    assert cell._attention_mechanisms == tuple(both)
    assert cell._item_or_tuple([1, 2]) == (1, 2)
    alone = tf.contrib.seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(4), both[0])
    assert alone._item_or_tuple([1]) == 1
    assert tf.keras.regularizers.Regularizer in type(tf.keras.regularizers.l2(0.1)).__mro__
