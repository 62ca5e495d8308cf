"""Names of TensorFlow's insides that libraries import."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import threading
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.inside_names import INSIDE, INSIDE_SPACES, MODULES

pytestmark = pytest.mark.usefixtures("as_tensorflow")


def inside(module: str) -> Any:
    return importlib.import_module(f"tensorflow.{module}")


@pytest.mark.parametrize("path", sorted(INSIDE))
def test_each_name_is_there(path: str) -> None:
    module, _, name = path.rpartition(".")
    assert getattr(inside(module), name) is not None


@pytest.mark.parametrize("path", sorted([*INSIDE_SPACES, *MODULES]))
def test_each_module_is_there(path: str) -> None:
    assert inspect.ismodule(inside(path))


def test_flags() -> None:
    assert inside("python.platform.flags").DEFINE_integer is tf.flags.DEFINE_integer


def test_empty_parts_of_contrib_refuse_by_name() -> None:
    with pytest.raises(AttributeError, match="periodic_resample"):
        _ = inside("contrib.periodic_resample").periodic_resample


SIZES = [
    (("conv_output_length", 10, 3, "valid", 2), 4), (("conv_output_length", 10, 3, "same", 2), 5),
    (("conv_output_length", 10, 3, "full", 1), 12),
    (("conv_output_length", 10, 3, "valid", 1, 2), 6), (("conv_input_length", 5, 3, "same", 2), 9),
    (("conv_input_length", 4, 3, "valid", 2), 9), (("deconv_output_length", 5, 3, "valid", 2), 11),
    (("deconv_output_length", 5, 3, "same", 2), 10), (("deconv_output_length", 5, 3, "full", 2), 7),
    (("conv_output_length", None, 3, "valid", 2), None),
    (("convert_data_format", "channels_first", 4), "NCHW"),
    (("convert_data_format", "channels_last", 3), "NWC"),
    (("normalize_tuple", 2, 3, "k"), (2, 2, 2)),
    (("normalize_padding", "SAME"), "same"), (("constant_value", 1), True),
]  # fmt: skip


@pytest.mark.parametrize(("call", "wanted"), SIZES)
def test_layer_utils(call: Any, wanted: Any) -> None:
    """Values of TensorFlow 1.15's functions."""
    assert getattr(inside("python.layers.utils"), call[0])(*call[1:]) == wanted


def test_wrong_sizes() -> None:
    utils = inside("python.layers.utils")
    calls: list[Any] = [
        ("normalize_tuple", (1, 2), 3, "k"), ("normalize_padding", "full"),
        ("normalize_data_format", "NHWC"), ("convert_data_format", "channels_last", 2),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match=r"argument must be|not supported"):
            getattr(utils, call[0])(*call[1:])


def test_defun() -> None:
    function = inside("python.framework.function")

    @function.Defun(tf.float32, tf.float32)
    def gradient(x: Any, dy: Any) -> Any:
        return dy * 10.0 * x

    @function.Defun(tf.float32, grad_func=gradient)
    def square(x: Any) -> Any:
        return x * x

    @function.Defun(python_grad_func=lambda op, dy: dy * op.outputs[0] * op.inputs[0])
    def double(x: Any) -> Any:
        return x + x

    @function.Defun(tf.float32)
    def scaled(x: Any) -> Any:
        return x * tf.get_variable("scale", initializer=3.0)

    x = tf.constant(2.0)
    ys = [square(x), double(x), scaled(x) + scaled(x)]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        assert sess.run(ys) == [4.0, 4.0, 12.0]
        assert sess.run([tf.gradients(y, x)[0] for y in ys]) == [20.0, 8.0, 6.0]
    assert [v.name for v in tf.global_variables()] == ["scale:0"]
    with pytest.raises(ValueError, match="Expected number of arguments: 1, received: 2"):
        square(x, x)


def test_rows_in_place() -> None:
    ops = inside("python.ops.inplace_ops")
    x = tf.zeros([3, 2])
    with tf.Session() as sess:
        got = sess.run(ops.alias_inplace_update(x, 1, [5.0, 6.0]))
        np.testing.assert_array_equal(got, [[0, 0], [5, 6], [0, 0]])
        got = sess.run(ops.alias_inplace_add(x + 1.0, [0, 2], [[1.0, 1.0], [2.0, 2.0]]))
        np.testing.assert_array_equal(got, [[2, 2], [1, 1], [3, 3]])


def test_no_gradient() -> None:
    y = inside("python.ops.array_ops").prevent_gradient(tf.constant(1.0), "not here")
    assert tf.Session().run(y) == 1.0
    x = tf.constant(1.0)
    with pytest.raises(LookupError, match="not here"):
        tf.gradients(inside("python.ops.array_ops").prevent_gradient(x, "not here"), x)


def test_references() -> None:
    types = inside("python.framework.dtypes")
    assert types.float32_ref.base_dtype is tf.float32
    assert types.float32_ref == tf.Variable(1.0).dtype


def test_shape_of_sparse() -> None:
    s = tf.SparseTensor([[0, 1]], [1.0], [2, 3])
    got = tf.Session().run([tf.shape(s), tf.size(s), tf.rank(s), tf.shape(s, out_type=tf.int64)])
    assert [np.asarray(g).tolist() for g in got] == [[2, 3], 6, 2, [2, 3]]


def test_a_count_is_nobody_elses() -> None:
    """Threads that count get each number once (count_up_to)."""
    v = tf.Variable(0)
    queue = tf.FIFOQueue(200, [tf.int32], [[]])
    put = queue.enqueue(v.count_up_to(60))
    with tf.Session() as sess:
        sess.run(v.initializer)

        def work() -> None:
            with contextlib.suppress(tf.errors.OutOfRangeError):
                while True:
                    sess.run(put)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(sess.run(queue.dequeue_many(60))) == list(range(60))
        assert sess.run([queue.size(), v]) == [0, 60]


def test_variables_of_a_tape() -> None:
    a, b = tf.Variable(1.0), tf.Variable(2.0)
    before = a * 2.0
    with tf.GradientTape() as tape:
        before + b * 1.0
    assert tape.watched_variables() == (b,)


def test_an_iterator_is_found_by_name() -> None:
    made = tf.data.Dataset.range(3).make_initializable_iterator()
    name = made._iterator_resource.name
    assert tf.get_default_graph().get_tensor_by_name(name) is made._iterator_resource


def test_modules_of_keras_optimizers() -> None:
    made, own = "python.keras.optimizer_v2.", tf.keras.optimizers
    assert inside(made + "optimizer_v2").OptimizerV2 is own.Optimizer
    assert inside(made + "adam").Adam is own.Adam
    assert inside(made + "gradient_descent").SGD is own.SGD
    schedule = inside(made + "learning_rate_schedule").LearningRateSchedule
    assert schedule is own.schedules.LearningRateSchedule


def test_specs_with_bounds() -> None:
    """As TensorFlow 1.15 has them: bounds are cast and cannot be written."""
    import pickle

    spec = inside("python.framework.tensor_spec")
    assert spec.TensorSpec is tf.TensorSpec
    made = spec.BoundedTensorSpec((3, 5), "float32", 0, (5, 5, 5, 5, 7), name="b")
    assert isinstance(made, tf.TensorSpec)
    assert repr(made) == (
        "BoundedTensorSpec(shape=(3, 5), dtype=tf.float32, name='b', minimum=array(0., "
        "dtype=float32), maximum=array([5., 5., 5., 5., 7.], dtype=float32))"
    )
    assert made.minimum.dtype == "float32"
    assert not made.maximum.flags.writeable
    assert spec.BoundedTensorSpec.from_spec(made) == pickle.loads(pickle.dumps(made)) == made
    assert made != spec.BoundedTensorSpec((3, 5), "float32", 0, 4, name="b")
    plain = tf.TensorSpec((3, 5), "float32", "b")
    assert made != plain
    assert plain != made
    ints = spec.BoundedTensorSpec.from_spec(tf.TensorSpec([2], "int32", "k"))
    assert (ints.minimum, ints.maximum, ints.name) == (-(2**31), 2**31 - 1, "k")
    cut = spec.BoundedTensorSpec([None, 2], "int32", -3.7, [[1.5], [2]])
    assert (cut.minimum, cut.maximum.tolist()) == (-3, [[1], [2]])
    assert spec.BoundedTensorSpec(None, "float32", 0, 1).shape.ndims is None
    for low, high, said in (
        (None, 1, "must be provided; but saw 'None' and '1'"), ([1, 2], 1, "minimum is not"),
        (1, [1, 2], "maximum is not compatible with shape"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            spec.BoundedTensorSpec((3,), "float32", low, high)
    with pytest.raises(TypeError):
        hash(made)


def test_old_names_of_inspect() -> None:
    from graphc.face import period

    spec = period._getargspec(lambda a, b=1, *c, **d: a)
    assert spec == (["a", "b"], "c", "d", (1,))
    assert period._getargspec(test_layer_utils).args == ["call", "wanted"]


def test_the_network_of_the_digits() -> None:
    """``mnist.py`` of the tutorials: names, sizes and values of TensorFlow 1.15's."""
    mnist = inside("examples.tutorials.mnist.mnist")
    assert (mnist.IMAGE_SIZE, mnist.IMAGE_PIXELS, mnist.NUM_CLASSES) == (28, 784, 10)
    tf.set_random_seed(5)
    x = tf.reshape(tf.range(2 * 784, dtype=tf.float32) / 2000, [2, 784])
    labels = tf.constant([3, 1])
    logits = mnist.inference(x, 8, 4)
    loss = mnist.loss(logits, labels)
    train, right = mnist.training(loss, 0.1), mnist.evaluation(logits, labels)
    assert [v.op.name for v in tf.global_variables()] == [
        f"{layer}/{v}"
        for layer in ("hidden1", "hidden2", "softmax_linear")
        for v in ("weights", "biases")
    ] + ["global_step"]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        before, count = s.run([loss, right])
        s.run(train)
        after = s.run(loss)
    np.testing.assert_allclose([before, after], [2.2670555, 2.0610192], rtol=1e-5)
    assert count == 0
    assert len(tf.get_collection(tf.GraphKeys.SUMMARIES)) == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [("contrib.image.python.ops.image_ops", "bipartite_match"),
     ("contrib.training.python.training.training", "create_train_op"),
     ("contrib.losses.python.losses.loss_ops", "softmax_cross_entropy")],
)  # fmt: skip
def test_modules_inside_parts_of_contrib(module: str, name: str) -> None:
    package, _, last = module.rpartition(".")
    scope: dict[str, Any] = {}
    exec(f"from tensorflow.{package} import {last} as found", scope)
    assert getattr(scope["found"], name) is getattr(inside(module), name)
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        inside("contrib.image.nonsense")
