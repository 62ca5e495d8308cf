import collections
import threading
import time
from typing import Any

import numpy as np
import pytest

import graphc as tf

Pair = collections.namedtuple("Pair", "first second")


def test_structures_come_back() -> None:
    a, b = tf.constant(1.0), tf.constant([2, 3])
    op = tf.no_op()
    with tf.Session() as sess:
        assert sess.run(a) == 1.0
        assert type(sess.run(a)) is np.float32
        assert sess.run(op) is None
        got = sess.run([op, a])
        assert got == [None, 1.0]
        assert type(got) is list
        assert sess.run((a, op)) == (1.0, None)
        assert sess.run([a]) == [1.0]
        assert sess.run([op]) == [None]
        assert sess.run([]) == []
        assert sess.run(()) == ()
        assert sess.run([a, a]) == [1.0, 1.0]
        named = sess.run(Pair(a, [op, a]))
        assert named == Pair(1.0, [None, 1.0])
        assert type(named) is Pair
        assert type(sess.run(Pair(a, a))) is Pair
        assert type(sess.run((a, a))) is tuple
        assert type(sess.run(Pair(a, a))) is Pair
        ordered = sess.run(collections.OrderedDict([("z", a), ("y", (op, b))]))
        assert list(ordered) == ["z", "y"]
        assert type(ordered) is collections.OrderedDict
        assert sess.run("Const:0") == 1.0
        assert sess.run({"x": "Const:0", "op": "NoOp"}) == {"x": 1.0, "op": None}
        slices = sess.run(tf.IndexedSlices(b, b))
        assert slices.values.tolist() == [2, 3]
        assert slices.dense_shape is None


def test_attrs_like_classes() -> None:
    class Field:
        def __init__(self, name: str) -> None:
            self.name = name

    class Point:
        __attrs_attrs__ = (Field("x"), Field("y"))

        def __init__(self, x: Any, y: Any) -> None:
            self.x, self.y = x, y

    with tf.Session() as sess:
        p = sess.run(Point(tf.constant(1.0), [tf.constant(2)]))
    assert isinstance(p, Point)
    assert (p.x, p.y) == (1.0, [2])


def test_feeds() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    v = tf.Variable([1.0, 2.0], name="v")
    y = x * v
    c = tf.constant(3.0)
    with tf.Session() as sess:
        sess.run(v.initializer)
        want = [[1.0, 4.0]]
        for key in (x, "x:0"):
            for value in (
                [[1, 2]],
                np.array([[1, 2]]),
                np.array([[1.0, 2.0]], np.float64),
                ([1, 2],),
            ):
                assert sess.run(y, {key: value}).tolist() == want
        assert sess.run(y, {x: [[1, 2]], v: [5, 6]}).tolist() == [[5.0, 12.0]]
        assert sess.run(y, {y: [[9, 9]]}).tolist() == [[9.0, 9.0]]
        assert sess.run(c + 1.0, {c: 10}) == 11.0
        assert sess.run(y, {(x, c): ([[1, 2]], 4.0)}).tolist() == want
        assert sess.run(y, {x: [[1, 2]], "x:0": [[2, 2]]}).tolist() == [[2.0, 4.0]]
        assert sess.run(y, feed_dict={x: np.zeros((0, 2))}).shape == (0, 2)
        assert sess.run([y, v], {x: [[1, 2]]})[1].tolist() == [1.0, 2.0]
        with pytest.raises(ValueError, match="Key had 2 elements, but value had 1"):
            sess.run(y, {(x, c): (1.0,)})


def test_feed_errors_after_a_good_run() -> None:
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    y = x * 2.0
    with tf.Session() as sess:
        for _ in range(2):
            sess.run(y, {x: [[1, 2]]})
            with pytest.raises(
                ValueError, match=r"Cannot feed value of shape \(2,\) for Tensor 'x:0'"
            ):
                sess.run(y, {x: [1, 2]})
            with pytest.raises(TypeError, match=r"cannot be a tf.Tensor object"):
                sess.run(y, {x: tf.ones([1, 2])})
            with pytest.raises(tf.errors.InvalidArgumentError, match="You must feed a value") as e:
                sess.run(y)
            assert e.value.op is x.op


def test_graph_grows_after_runs() -> None:
    x = tf.placeholder(tf.float32, [])
    y = x + 1.0
    with tf.Session() as sess:
        assert sess.run(y, {x: 1}) == 2.0
        z = y * 2.0
        assert sess.run([y, z], {x: 1}) == [2.0, 4.0]
        assert sess.run(y, {x: 2}) == 3.0
        with pytest.raises(ValueError, match="does not exist"):
            sess.run("later:0")
        tf.constant(5.0, name="later")
        assert sess.run("later:0") == 5.0


def test_default_sessions() -> None:
    c = tf.constant(2.0)
    assert tf.get_default_session() is None
    with tf.Session() as a:
        assert tf.get_default_session() is a
        assert c.eval() == 2.0
        b = tf.Session()
        with b.as_default():
            assert tf.get_default_session() is b
        assert tf.get_default_session() is a
        assert b.run(c) == 2.0
    assert tf.get_default_session() is None
    assert c.eval(session=b) == 2.0
    tf.no_op().run(session=b)
    with tf.Graph().as_default():
        with pytest.raises(ValueError, match="the tensor's graph is different"):
            c.eval(session=tf.Session())
    with pytest.raises(RuntimeError, match="closed Session"):
        a.run(c)
    assert b.sess_str == ""
    assert b.graph is c.graph
    assert b.list_devices()[0].device_type == "CPU"


def test_interactive_session() -> None:
    g = tf.Graph()
    with g.as_default():
        c = tf.constant(2.0)
    sess = tf.InteractiveSession(graph=g)
    try:
        assert tf.get_default_graph() is g
        assert tf.get_default_session() is sess
        assert c.eval() == 2.0
        with pytest.warns(UserWarning, match="already active"):
            tf.InteractiveSession().close()
        assert tf.get_default_session() is sess
    finally:
        sess.close()
    assert tf.get_default_session() is None
    assert tf.get_default_graph() is not g
    sess.close()


def test_sessions_hold_their_own_variables() -> None:
    v = tf.Variable(1.0)
    up = v.assign_add(1.0)
    with tf.Session() as a, tf.Session() as b:
        a.run(v.initializer)
        b.run(v.initializer)
        a.run(up)
        assert (a.run(v), b.run(v)) == (2.0, 1.0)
    with tf.Session() as c, pytest.raises(tf.errors.FailedPreconditionError, match="uninitialized"):
        c.run(v)


def test_make_callable() -> None:
    x, y = tf.placeholder(tf.float32, []), tf.placeholder(tf.float32, [])
    z = x * y
    with tf.Session() as sess:
        f = sess.make_callable(z, [x, y])
        assert f(2.0, 3) == 6.0
        assert sess.make_callable([tf.no_op(), z], [x, y])(2.0, 3.0) == [None, 6.0]
        assert sess.make_callable(tf.constant(1.0))() == 1.0
        assert sess.make_callable(z, [(x, y)])((2.0, 4.0)) == 8.0
        with pytest.raises(TypeError, match="takes 2 values"):
            f(1.0)
        with pytest.raises(TypeError, match="must be a list or tuple"):
            sess.make_callable(z, x)
    with pytest.raises(RuntimeError, match="closed Session"):
        f(2.0, 3.0)


def test_target_that_is_none() -> None:
    for target in ("nonsense", "local", b"nonsense"):
        with pytest.raises(tf.errors.NotFoundError, match="No session factory registered"):
            tf.Session(target)


def test_session_arguments() -> None:
    with pytest.raises(TypeError, match=r"Session\(config=config\)"):
        tf.Session(tf.ConfigProto())
    with pytest.raises(TypeError, match=r"must be a tf.Graph"):
        tf.Session(graph=3)
    with pytest.raises(TypeError, match=r"must be a tf.ConfigProto"):
        tf.Session(config={})


def test_config() -> None:
    config = tf.ConfigProto(
        allow_soft_placement=True, log_device_placement=True, device_count={"GPU": 0},
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=1,
        gpu_options=tf.GPUOptions(allow_growth=True, per_process_gpu_memory_fraction=0.3),
    )  # fmt: skip
    config.gpu_options.allow_growth = False
    config.gpu_options.visible_device_list = "0"
    config.graph_options.optimizer_options.global_jit_level = tf.OptimizerOptions.ON_1
    config.graphc_passes_off.append("fuse")
    assert "allow_growth: False" in str(config)
    other = tf.ConfigProto(graphc_passes_off="cse, fold")
    assert other.graphc_passes_off == ["cse", "fold"]
    other = tf.ConfigProto()
    assert other.graphc_passes_off == []
    other.CopyFrom(config)
    assert other == config
    assert other.HasField("gpu_options")
    with pytest.raises(ValueError, match='has no "nonsense" field'):
        tf.ConfigProto(nonsense=1)
    with pytest.raises(AttributeError, match="Assignment not allowed"):
        config.nonsense = 1
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = config.nonsense
    with tf.Session(config=tf.ConfigProto(graphc_level=0)) as sess:
        assert (
            sess.run(tf.constant(1.0) + 1.0, options=tf.RunOptions(), run_metadata=tf.RunMetadata())
            == 2.0
        )
    assert tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE).trace_level == 3


def test_registered_conversions() -> None:
    class Squared:
        def __init__(self, t: Any) -> None:
            self.t = t

    tf_register = __import__("graphc.face.fetches", fromlist=["x"])
    tf_register.register_session_run_conversion_functions(
        Squared, lambda s: ([s.t], lambda values: values[0] ** 2), lambda s, v: [(s.t, v)]
    )
    try:
        x = tf.placeholder(tf.float32, [])
        with tf.Session() as sess:
            assert sess.run(Squared(x), {x: 3.0}) == 9.0
            s = Squared(x)
            assert sess.run(x + 0.0, {s: 4.0}) == 4.0
            assert sess.run({"a": [Squared(x)]}, {s: 2.0}) == {"a": [4.0]}
    finally:
        tf_register._expansions.pop(0)


def test_conversion_functions() -> None:
    class Half:
        pass

    tf.register_tensor_conversion_function(
        Half,
        lambda value, dtype=None, name=None, as_ref=False: tf.constant(
            0.5, dtype, name=name or "h"
        ),
    )
    with tf.Session() as sess:
        assert sess.run(tf.convert_to_tensor(Half())) == 0.5
        assert sess.run(tf.constant(1.0) + Half()) == 1.5
        assert sess.run(tf.stack([Half(), 2.0])).tolist() == [0.5, 2.0]


def test_threads_share_a_session() -> None:
    x = tf.placeholder(tf.float32, [None])
    y = tf.reduce_sum(x * 2.0)
    got: dict[int, bool] = {}
    with tf.Session() as sess:

        def work(i: int) -> None:
            got[i] = all(
                sess.run(y, {x: np.full(i + n % 3, 1.0)}) == 2 * (i + n % 3) for n in range(50)
            )

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert all(got[i] for i in range(4))


class Instant:
    """An executor that answers at once: what is left is the session's own time."""

    def prepare(self, fetches: Any, feeds: Any) -> Any:
        answer = np.float32(1.0)
        return lambda *values: [answer]


@pytest.mark.slow
def test_overhead_of_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphc.face.session.make_executor", lambda graph, config: Instant())
    x = tf.placeholder(tf.float32, [])
    y, op = x * 2.0, tf.no_op()
    sess = tf.Session()
    value = np.array(1.0, np.float32)

    def cost(fetch: Any) -> float:
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(20_000):
                sess.run(fetch, feed_dict={x: value})
            best = min(best, (time.perf_counter() - start) / 20_000)
        return best

    assert cost(y) < 50e-6  # measured: 1 µs; no timed test, a guard against a slow route
    assert cost([op, y]) < 50e-6


def test_a_config_is_read_from_text_and_merged_field_by_field() -> None:
    text_format = pytest.importorskip("google.protobuf.text_format")
    pytest.importorskip("tensorboard")
    text = """
        graph_options { rewrite_options { layout_optimizer: OFF optimizers: "x" }
                        optimizer_options { opt_level: L0 } }
        gpu_options { allow_growth: true }
        intra_op_parallelism_threads: 2"""
    read = text_format.Parse(text, tf.ConfigProto())
    assert read.graph_options.rewrite_options.layout_optimizer == 2
    assert read.graph_options.rewrite_options.optimizers == ["x"]
    assert read.graph_options.optimizer_options.opt_level == -1
    config = tf.ConfigProto(inter_op_parallelism_threads=3)
    config.graph_options.place_pruned_graph = True
    config.graph_options.rewrite_options.optimizers.append("y")
    config.MergeFrom(read)
    assert config.graph_options.place_pruned_graph  # what only the first had stays
    assert config.graph_options.rewrite_options.optimizers == ["y", "x"]
    assert (config.gpu_options.allow_growth, config.inter_op_parallelism_threads) == (True, 3)
    assert config.intra_op_parallelism_threads == 2
    with pytest.raises(text_format.ParseError, match="no_field"):
        text_format.Parse("no_field: 3", tf.ConfigProto())


@pytest.mark.parametrize("kind", ["tensor", "fed", "list", "fed list", "dict"])
def test_a_session_closed_while_a_run_is_prepared_is_closed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = tf.placeholder_with_default(1.0, [])
    y = x * 2.0
    fetch: Any = {"tensor": y, "fed": y, "list": [y], "fed list": [y, x], "dict": {"a": y}}[kind]
    feed = {x: 3.0} if "fed" in kind else None
    sess = tf.Session()
    real = sess._executor.prepare

    def closed_meanwhile(*args: Any) -> Any:
        made = real(*args)
        sess.close()
        return made

    monkeypatch.setattr(sess._executor, "prepare", closed_meanwhile)
    sess.run(fetch, feed)  # it had begun
    with pytest.raises(RuntimeError, match="closed Session"):
        sess.run(fetch, feed)


@pytest.mark.parametrize("threads", [-1, -5])
def test_fewer_threads_than_none_are_refused(threads: int) -> None:
    """They made scratch rows of negative size: results were wrong, and memory was damaged."""
    with tf.Graph().as_default():
        with pytest.raises(tf.errors.InvalidArgumentError, match="intra_op_parallelism_threads"):
            tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads))
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        try:
            with pytest.raises(tf.errors.InvalidArgumentError, match=f"is {threads}"):
                tf.Session()
        finally:
            tf.config.threading.set_intra_op_parallelism_threads(0)


@pytest.mark.parametrize("threads", [3, 1000, 2**31 - 1])
def test_more_threads_than_cores_compute_the_same(threads: int) -> None:
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 64])
        y = tf.reduce_sum(tf.tanh(tf.matmul(x, tf.fill([64, 64], 0.01))), 1)
        results = []
        for n in (1, threads):
            config = tf.ConfigProto(intra_op_parallelism_threads=n, inter_op_parallelism_threads=-1)
            with tf.Session(config=config) as s:
                results.append(s.run(y, {x: np.ones((20_000, 64), "f")}))
        assert results[0].tobytes() == results[1].tobytes()
