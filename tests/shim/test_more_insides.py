"""Insides of TensorFlow that Keras 2, CTR models and RL libraries reach into."""

from __future__ import annotations

import glob
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.refused import REASONS

pytestmark = pytest.mark.usefixtures("as_tensorflow")


def inside(module: str) -> Any:
    return importlib.import_module(f"tensorflow.{module}")


def test_kinds_of_tensors() -> None:
    """What TensorFlow 1.15 says of each."""
    ops = inside("python.framework.ops")
    x = tf.placeholder(tf.float32, [None, 3])
    v = tf.Variable(1.0)
    things: list[tuple[Any, bool, bool, bool]] = [
        (x, True, True, False), (v, False, True, True), (x.op, False, False, False),
        (tf.SparseTensor([[0]], [1.0], [2]), True, False, False),
        (tf.IndexedSlices(x, tf.constant([0])), True, True, False), (1.0, False, False, False),
    ]  # fmt: skip
    for thing, like, dense, element in things:
        assert isinstance(thing, ops._TensorLike) is like
        assert ops.is_dense_tensor_like(thing) is dense
        assert (ops._as_graph_element(thing) is not None) is element
    assert issubclass(tf.Tensor, ops._TensorLike)
    assert not issubclass(int, ops._TensorLike)


def test_reachable() -> None:
    reach = inside("python.keras.utils.tf_utils").get_reachable_from_inputs
    w, x = tf.Variable(2.0), tf.placeholder(tf.float32, [3], name="x")
    y = tf.multiply(x, w, name="y")
    z = tf.reduce_sum(y, name="z")
    apart = tf.constant(1.0)
    found = reach([w])
    assert {w, y, y.op, z, z.op} <= found
    assert apart not in found
    assert x not in found
    assert reach([x], targets=[y]) == {x, y, y.op}


def test_reachable_through_a_loop() -> None:
    """A captured value reaches the loop's results."""
    reach = inside("python.keras.utils.tf_utils").get_reachable_from_inputs
    phase = tf.placeholder_with_default(False, [])
    scale = tf.where(phase, tf.constant(2.0), tf.constant(1.0))
    _, out = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * scale), [0, 1.0])
    other = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [0])
    found = reach([phase], targets=[out])
    assert out in found
    assert other not in found


def test_concat_of_sizes() -> None:
    concat = inside("python.ops.rnn_cell_impl")._concat
    n = tf.placeholder(tf.int32, [])
    pair = tf.placeholder(tf.int32, [2])
    with tf.Session() as sess:
        assert sess.run(concat(3, [4, 5])).tolist() == [3, 4, 5]
        assert sess.run(concat(n, 5), {n: 7}).tolist() == [7, 5]
        assert sess.run(concat(pair, [5, 6]), {pair: [1, 2]}).tolist() == [1, 2, 5, 6]
    assert concat(tf.TensorShape([2]), 4, static=True) == [2, 4]
    assert concat(n, 5, static=True) is None
    assert concat(None, 5, static=True) is None
    with pytest.raises(ValueError, match="prefix or suffix of None: None and 5"):
        concat(None, 5)
    with pytest.raises(ValueError, match="scalar or vector"):
        concat(tf.placeholder(tf.int32, [1, 2]), 5)


def test_states_and_shapes() -> None:
    cells = inside("python.ops.rnn_cell_impl")
    a, (b, c) = cells._zero_state_tensors((3, [4, 5]), 2, tf.float32)
    assert [t.shape.as_list() for t in (a, b, c)] == [[2, 3], [2, 4], [2, 5]]
    unknown = inside("python.framework.tensor_shape").unknown_shape
    assert unknown().ndims is None
    assert unknown(2).as_list() == [None, None]
    v = tf.Variable(1.0)
    assert inside("python.ops.variables")._all_saveable_objects() == [v]


def test_snake_case_and_batches() -> None:
    utils = inside("python.keras.utils.generic_utils")
    names = ["FooBar2D", "_Foo", "HTTPThing"]
    assert [utils.to_snake_case(n) for n in names] == ["foo_bar2d", "private__foo", "http_thing"]
    assert utils.make_batches(5, 2) == [(0, 2), (2, 4), (4, 5)]
    assert utils.slice_arrays([np.arange(4), None], 1, 3)[0].tolist() == [1, 2]
    assert utils.slice_arrays(np.arange(4), [0, 3]).tolist() == [0, 3]
    assert utils.to_list(1) == [1]
    assert utils.has_arg(lambda a, **k: 0, "b", accept_all=True)
    assert not utils.has_arg(lambda a: 0, "b")


def test_serialized_objects() -> None:
    utils = inside("python.keras.utils.generic_utils")

    class Thing:
        def __init__(self, n: int) -> None:
            self.n = n

        def get_config(self) -> dict[str, int]:
            return {"n": self.n}

        @classmethod
        def from_config(cls, config: dict[str, int]) -> Thing:
            return cls(**config)

    data = utils.serialize_keras_object(Thing(3))
    assert data == {"class_name": "Thing", "config": {"n": 3}}
    assert utils.deserialize_keras_object(data, custom_objects={"Thing": Thing}).n == 3
    assert utils.deserialize_keras_object("abs", module_objects={"abs": abs}) is abs
    for bad in ({"class_name": "Thing"}, "nobody", 3, data):
        with pytest.raises(ValueError, match=r"Improper|Unknown|Could not"):
            utils.deserialize_keras_object(bad)


def test_shapes_of_layers_as_tuples() -> None:
    convert = inside("python.keras.utils.tf_utils").shape_type_conversion
    seen: list[Any] = []

    class L:
        @convert
        def compute_output_shape(self, input_shape: Any) -> Any:
            seen.append(input_shape)
            return input_shape

    assert L().compute_output_shape(tf.TensorShape([None, 3])).as_list() == [None, 3]
    two = L().compute_output_shape([tf.TensorShape([2]), tf.TensorShape([3])])
    assert seen == [(None, 3), [(2,), (3,)]]
    assert [s.as_list() for s in two] == [[2], [3]]


@pytest.mark.parametrize("name", sorted(REASONS))
def test_what_is_refused_when_used(name: str) -> None:
    from graphc.face import refused

    with pytest.raises(NotImplementedError, match="graphc"):
        getattr(refused, name)(1, a=2)
    with pytest.raises(AttributeError):
        _ = refused.nobody


def test_one_cpu() -> None:
    assert tf.config.experimental_list_devices() == ["/job:localhost/replica:0/task:0/device:CPU:0"]
    assert tf.config.experimental.list_physical_devices("GPU") == []
    (cpu,) = tf.config.experimental.list_physical_devices()
    assert (cpu.name, cpu.device_type) == ("/physical_device:CPU:0", "CPU")


def test_events_writer(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    writer = inside("python.pywrap_tensorflow").EventsWriter(bytes(tmp_path / "events"))
    writer.WriteEvent(tf.Event(step=3, summary=tf.Summary(value=[{"tag": "a", "simple_value": 2}])))
    assert writer.Flush()
    assert writer.FileName().startswith(bytes(tmp_path / "events.out.tfevents."))
    assert writer.Close()
    (path,) = glob.glob(str(tmp_path / "*"))
    first, second = tf.train.summary_iterator(path)
    assert first.file_version == "brain.Event:2"
    assert (second.step, second.summary.value[0].simple_value) == (3, 2.0)


def test_star_import() -> None:
    """``from tensorflow import *`` gives TF1's public names and nothing of graphc's own."""
    found: dict[str, Any] = {}
    exec("from tensorflow import *", found)
    assert found["Session"] is tf.Session
    assert found["nn"] is tf.nn
    assert found["newaxis"] is None
    assert found["float32"] is tf.float32
    assert found["VERSION"] == tf.VERSION
    assert len(found) > 550
    assert not {"dump", "explain", "sys", "_lookup"} & set(found)
    inner: dict[str, Any] = {}
    exec("from tensorflow.compat.v1 import *", inner)
    assert inner["placeholder"] is tf.placeholder
    assert inner["estimator"] is tf.estimator
