"""``tf.compat.v2`` as TensorFlow 1.15 has it, and what TensorFlow Probability asks of insides."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as tf
from graphc.face.v2_names import CALLS, DIFFERENT, SPACES, V2_NAMES

pytestmark = pytest.mark.usefixtures("as_tensorflow")


def inside(module: str) -> Any:
    return importlib.import_module(f"tensorflow.{module}")


def v2() -> Any:
    return inside("compat.v2")


def named(path: str) -> Any:
    space, _, name = path.rpartition(".")
    return getattr(inside(space), name)


@pytest.mark.parametrize("path", sorted(V2_NAMES))
def test_each_name_is_there(path: str) -> None:
    assert named(path) is not None


@pytest.mark.parametrize("space", SPACES)
def test_each_space_is_there(space: str) -> None:
    assert inspect.ismodule(inside(f"compat.v2.{space}"))


@pytest.mark.parametrize("path", sorted(DIFFERENT))
def test_what_means_something_else_is_not_taken(path: str) -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        named(path)


SIGNATURES = {
    "reduce_sum": "(input_tensor, axis=None, keepdims=False, name=None)",
    "shape": "(input, out_type=tf.int32, name=None)",
    "argmax": "(input, axis=None, output_type=tf.int64, name=None)",
    "transpose": "(a, perm=None, conjugate=False, name='transpose')",
    "gather": "(params, indices, validate_indices=None, axis=None, batch_dims=0, name=None)",
    "nn.moments": "(x, axes, shift=None, keepdims=False, name=None)",
    "convert_to_tensor": "(value, dtype=None, dtype_hint=None, name=None)",
}


@pytest.mark.parametrize("path", sorted(SIGNATURES))
def test_signatures(path: str) -> None:
    """As TensorFlow 1.15 has them."""
    assert str(inspect.signature(named(f"compat.v2.{path}"))) == SIGNATURES[path]


X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

VALUES: list[tuple[str, Callable[[Any], Any], Any]] = [
    ("reduce_sum", lambda t: t.reduce_sum(X, 1, True), [[3.0], [7.0]]),
    ("reduce_any", lambda t: t.math.reduce_any(X > 3, 0), [False, True]),
    ("argmax", lambda t: t.argmax(X), [1, 1]),
    ("argmin", lambda t: t.math.argmin(X, 1), [0, 0]),
    ("shape", lambda t: t.shape(X, tf.int64), [2, 2]),
    ("transpose", lambda t: t.transpose(X, [1, 0], False), [[1.0, 3.0], [2.0, 4.0]]),
    ("gather", lambda t: t.gather(X, [1], None, 1), [[2.0], [4.0]]),
    ("gather_nd", lambda t: t.gather_nd(X, [[0], [1]], 1), [1.0, 4.0]),
    ("where", lambda t: t.where([True, False], X, 0.0), [[1.0, 0.0], [3.0, 0.0]]),
    ("where_1", lambda t: t.where([True, False, True]), [[0], [2]]),
    ("softmax", lambda t: t.math.softmax(t.zeros([2])), [0.5, 0.5]),
    ("norm", lambda t: t.linalg.norm(X, "euclidean", 1, True), [[5**0.5], [5.0]]),
    ("pad", lambda t: t.pad([1.0], [[1, 0]], "CONSTANT", 7.0), [7.0, 1.0]),
    ("zeros_like", lambda t: t.zeros_like(X, tf.int32), [[0, 0], [0, 0]]),
    ("constant", lambda t: t.constant(3, None, [2]), [3, 3]),
    ("constant_as_it_is", lambda t: t.constant([1, 2], tf.float32), [1.0, 2.0]),
    ("count_nonzero", lambda t: t.math.count_nonzero([0, 3, 1]), 2),
    ("bincount", lambda t: t.math.bincount([0, 2, 2]), [1, 0, 2]),
    ("cond", lambda t: t.cond(t.constant(True), lambda: 1.0, lambda: 2.0), 1.0),
    ("cross", lambda t: t.nn.sparse_softmax_cross_entropy_with_logits([0], [[0.0, 0.0]]),
     [np.log(2)]),
    ("squeeze", lambda t: t.squeeze([[1.0]], 0), [1.0]),
    ("boolean_mask", lambda t: t.boolean_mask(X, [True, False], 1), [[1.0], [3.0]]),
    ("loop", lambda t: t.while_loop(lambda i: i < 3, lambda i: (i + 1,), (0,))[0], 3),
    ("same", lambda t: t.linalg.matmul(X, X), X @ X),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "wanted"), VALUES, ids=[v[0] for v in VALUES])
def test_values(name: str, call: Callable[[Any], Any], wanted: Any) -> None:
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(call(v2())), wanted, rtol=1e-6)


def test_gradients_names_and_checks() -> None:
    t = v2()
    x = tf.placeholder(tf.float32, [2], name="x")
    with t.name_scope("outer") as scope:
        (g,) = t.gradients(x * x, x)
    assert scope == "outer/"
    assert g.name.startswith("outer/gradients/")
    assert t.name_scope("a").name == "a"
    with pytest.raises(ValueError, match="must be a string"):
        t.name_scope(None)
    with pytest.raises(TypeError, match="unsupported shape"):
        t.constant([1, 2], shape=[3])
    with pytest.raises(TypeError):
        t.reduce_sum(X, keep_dims=True)
    with pytest.raises(ValueError, match="both be non-None"):
        t.where([True], x)
    with tf.control_dependencies([t.debugging.assert_equal(x, x, "differ"), t.assert_less(x, 9.0)]):
        checked = tf.identity(g)
    with tf.Session() as sess:
        assert sess.run(checked, {x: [1.0, 2.0]}).tolist() == [2.0, 4.0]


def test_variables() -> None:
    t = v2()
    v = t.Variable([1.0], False, name="v")
    assert isinstance(v, t.Variable)
    assert isinstance(v, tf.Variable)
    assert isinstance(tf.Variable(1.0), t.Variable)
    assert not isinstance(1.0, t.Variable)
    assert v.name == "v:0"
    assert not v.trainable
    with pytest.raises(TypeError, match="does not have"):
        t.Variable(1.0, collections=[])


def test_every_row_of_calls_is_a_signature() -> None:
    for path in CALLS:
        assert inspect.signature(named(f"compat.v2.{path}")).parameters


def test_argspecs_are_those_of_the_functions() -> None:
    """Dispatching and annotations do not show: libraries compare specs."""
    spec = inside("python.util.tf_inspect").getfullargspec
    assert spec(tf.cast) == spec(lambda x, dtype, name=None: x)
    assert spec(tf.logical_not) == spec(lambda x, name=None: x)

    class C:
        def f(self, a: int, *rest: int, b: int = 2, **more: int) -> None:
            pass

    found = spec(C().f)
    assert (found.args, found.varargs, found.varkw) == (["self", "a"], "rest", "more")
    assert (found.kwonlyargs, found.kwonlydefaults) == (["b"], {"b": 2})


def test_variable_creators() -> None:
    made: list[tuple[str, Any]] = []

    def creator(tag: str) -> Callable[..., Any]:
        def create(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
            made.append((tag, kwargs["initial_value"]))
            return next_creator(**{**kwargs, "trainable": False})

        return create

    with tf.variable_creator_scope(creator("outer")), tf.variable_creator_scope(creator("inner")):
        v = tf.Variable(3.0, name="v")
        w = tf.get_variable("w", [2])
        with tf.Graph().as_default():
            tf.Variable(1.0)  # those of another graph are left alone
    tf.Variable(1.0)
    assert [tag for tag, _ in made] == ["inner", "outer", "inner", "outer"]
    assert made[0][1] == 3.0
    assert not v.trainable
    assert not w.trainable


def test_gradients_of_as_many_elements() -> None:
    """TensorFlow 1.15 takes them where the operation reshapes, and refuses them elsewhere."""
    x = tf.constant(X)
    (g,) = tf.gradients(tf.reshape(x * 2, [4, 1]), x, tf.ones([1, 2, 2]))
    with tf.Session() as sess:
        assert sess.run(g).tolist() == [[2.0, 2.0], [2.0, 2.0]]
    with pytest.raises(ValueError, match="shape"):
        tf.gradients(tf.nn.relu(x), x, tf.ones([1, 2, 2]))
    with pytest.raises(ValueError, match="shape"):
        tf.gradients(tf.reshape(x, [4]), x, tf.ones([5]))


def test_collections_by_functions_of_users() -> None:
    pytest.importorskip("tensorboard")
    register = inside("python.framework.ops").register_proto_function

    class Thing:
        def __init__(self, name: str) -> None:
            self.name = name

    def to_proto(x: Thing, export_scope: Any = None) -> Any:
        return tf.train.SaverDef(filename_tensor_name=x.name)

    def from_proto(m: Any, import_scope: Any = None) -> Thing:
        return Thing(m.filename_tensor_name)

    register("things", tf.train.SaverDef, to_proto, from_proto)
    with pytest.raises(TypeError, match="callable"):
        register("others", None, 3)
    tf.add_to_collection("things", Thing("one"))
    tf.constant(1.0)
    meta = tf.train.export_meta_graph()
    tf.reset_default_graph()
    tf.train.import_meta_graph(meta)
    (back,) = tf.get_collection("things")
    assert isinstance(back, Thing)
    assert back.name == "one"


def test_what_is_known_of_a_tensor_of_sizes() -> None:
    known = inside("python.framework.tensor_util").constant_value_as_shape
    assert known(tf.constant([2, -1, 3])).as_list() == [2, None, 3]
    assert known(tf.placeholder(tf.int32, [2])).as_list() == [None, None]
    evaluate = inside("python.pywrap_tensorflow").TF_TryEvaluateConstant_wrapper
    p = tf.placeholder(tf.bool, [])
    assert evaluate(p.graph._c_graph, p._as_tf_output()) is None
    t = tf.constant(True)
    assert evaluate(t.graph._c_graph, t._as_tf_output()) == True  # noqa: E712


def test_lazy_modules_and_types() -> None:
    scope: dict[str, Any] = {}
    loader = inside("python.util.lazy_loader").LazyLoader("deco", scope, "colorsys")
    assert not scope
    assert loader.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    assert "deco" in scope
    composite = inside("python.framework.composite_tensor").CompositeTensor
    assert isinstance(tf.SparseTensor([[0]], [1.0], [2]), composite)
    assert not isinstance(tf.constant(1.0), composite)

    class Mine(composite):  # type: ignore[misc]
        pass

    assert isinstance(Mine(), composite)
    assert not isinstance(tf.SparseTensor([[0]], [1.0], [2]), Mine)


def test_pure_scopes() -> None:
    scopes = inside("python.ops.variable_scope")
    with tf.variable_scope("a") as scope:
        pass
    with scopes._pure_variable_scope(scope):
        assert tf.get_variable("v", []).name == "a/v:0"
        assert tf.constant(1.0).name == "Const:0"
