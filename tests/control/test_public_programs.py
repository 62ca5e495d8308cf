"""What public programs of pictures, detection and generative nets showed; values are TF 1.15's."""

import numpy as np
import pytest

import graphc as tf


@pytest.fixture(autouse=True)
def graph():
    with tf.Graph().as_default():
        yield


def test_lists_of_one_tensor_in_branches():
    p, x, y = tf.placeholder(tf.bool, []), tf.constant(1.0), tf.constant(2.0)

    def of(a, b, strict=False):
        return tf.cond(p, lambda: a, lambda: b, strict=strict)

    for a, b in [([x], y), (x, [y]), ([x], (y,)), ((x,), (y,))]:
        got = of(a, b)
        assert isinstance(got, tf.Tensor)
        with tf.Session() as s:
            assert s.run(got, {p: True}) == 1
            assert s.run(got, {p: False}) == 2
        if a.__class__ is not b.__class__:
            with pytest.raises((TypeError, ValueError), match="same nested structure"):
                of(a, b, strict=True)
    with pytest.raises(ValueError, match="same nested structure"):
        of([[x]], [y])
    assert isinstance(of([[x]], [[y]]), tf.Tensor)
    assert isinstance(of([[[x]]], [[[y]]]), list)  # once in each branch, once in the result
    assert list(of([{"a": x}], {"a": y})) == ["a"]
    assert isinstance(of([x], [y], strict=True), list)


def test_sizes_are_not_followed_into_branches():
    x, p = tf.zeros([15, 60, 40]), tf.placeholder(tf.bool, [])
    new, n = tf.stack([tf.constant(50), tf.constant(100)]), tf.shape(x)[0]
    shapes = []

    def branch():
        shapes.append(tf.reshape(x, [-1, new[0], new[1]]).shape.as_list())
        shapes.append(tf.reshape(x, [n, -1]).shape.as_list())
        shapes.append(tf.fill(new, 1.0).shape.as_list())
        shapes.append(tf.zeros([tf.shape(x)[0], 3]).shape.as_list())
        shapes.append(tf.range(n).shape.as_list())
        shapes.append(tf.transpose(x, tf.stack([n * 0, n * 0 + 2, n * 0 + 1])).shape.as_list())
        with pytest.raises(ValueError, match="Cannot reshape a tensor with 36000 elements"):
            tf.reshape(x, new)
        return tf.constant(0)

    tf.cond(p, branch, lambda: tf.constant(1))
    assert shapes == [[None] * 3, [None, None], [50, 100], [15, 3], [15], [None] * 3]
    shapes.clear()
    tf.while_loop(lambda i: i < 3, lambda i: branch() + i, [0])
    assert shapes == [[None] * 3, [15, 2400], [50, 100], [15, 3], [15], [None] * 3]
    shapes.clear()
    with pytest.raises(ValueError, match="must be evenly divisible by 5000 but is 36000"):
        branch()


def test_branch_for_no_masks_beside_masks():
    """The reshape of the branch that is not taken fits no masks but empty ones."""
    masks = tf.placeholder(tf.float32, [None, 6, 4])
    size = tf.stack([3, 5])
    got = tf.cond(
        tf.shape(masks)[0] > 0,
        lambda: tf.image.resize_nearest_neighbor(masks[..., None], size)[..., 0],
        lambda: tf.reshape(masks, [-1, size[0], size[1]]),
    )
    with tf.Session() as s:
        assert s.run(got, {masks: np.zeros([2, 6, 4])}).shape == (2, 3, 5)
        assert s.run(got, {masks: np.zeros([0, 6, 4])}).shape == (0, 3, 5)


def _seed(tensor):
    op = tensor.op
    while "seed2" not in op.node_def.attr:
        op = op.inputs[0].op
    return op.get_attr("seed2")


@pytest.mark.parametrize("size", ["numbers", "constant", "packed"])
def test_size_in_proportion(size):
    x = tf.cast(tf.reshape(tf.range(60 * 40 * 3) % 251, [60, 40, 3]), tf.float32)
    given = {"numbers": list, "constant": tf.constant, "packed": tf.stack}
    with tf.Session() as s:
        y = tf.image.resize_images(x, given[size]([100, 50]), preserve_aspect_ratio=True)
        assert y.shape.as_list() == [75, 50, 3]
        assert s.run(y).shape == (75, 50, 3)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ([60, 40, 3], 35), ([None, None, 3], 33), ([None, 40, 3], 35), ([2, 60, 40, 3], 32),
        ([None, 60, 40, 3], 34), ([None, None, None, 3], 30),
    ],
)  # fmt: skip
def test_operations_of_a_size_in_proportion(shape, count):
    tf.set_random_seed(1)
    for size in ([100, 50], [60, 40]):
        before = _seed(tf.random_uniform([]))
        y = tf.image.resize_images(
            tf.placeholder(tf.uint8, shape), size, preserve_aspect_ratio=True
        )
        assert _seed(tf.random_uniform([])) - before == count
        assert y.dtype is tf.float32  # also where the size stays


def test_blocks_by_keyword():
    x = tf.constant(np.arange(4.0).reshape(4, 1, 1, 1))
    y = tf.batch_to_space_nd(x, block_shape=[2, 2], crops=[[0, 0], [0, 0]])
    z = tf.space_to_batch_nd(input=y, block_shape=[2, 2], paddings=[[0, 0], [0, 0]], name="a")
    with tf.Session() as s:
        assert s.run(y).ravel().tolist() == [0, 1, 2, 3]
        assert s.run(z).ravel().tolist() == [0, 1, 2, 3]
    assert z.name == "a:0"


def test_mapped_inputs_that_nothing_reads():
    with tf.Graph().as_default() as g:
        tf.placeholder(tf.float32, [2], name="x")
        tf.split(tf.identity(tf.placeholder(tf.float32, [2], name="z"), name="y"), 2, name="sp")
    v, graph_def = tf.constant([1.0, 2.0]), g.as_graph_def()
    for key in ("x:0", "x", "sp:1", "z:0", "^x", "y"):
        got = tf.import_graph_def(graph_def, {key: v}, return_elements=["y:0"])[0]
        assert got.shape.as_list() == [2]
    for key in ("x:1", "w:0", "sp:2", "^w"):
        with pytest.raises(ValueError, match="inputs that were not found in graph_def"):
            tf.import_graph_def(graph_def, {key: v}, return_elements=["y:0"])


def test_noise_of_optimize_loss_is_cut_off_where_tensorflow_cuts_it():
    tf.set_random_seed(42)
    x = tf.placeholder(tf.float32, [])
    var = tf.get_variable("test", [], initializer=tf.constant_initializer(10))
    train = tf.contrib.layers.optimize_loss(
        tf.abs(var * x), tf.train.get_or_create_global_step(), learning_rate=0.1,
        optimizer="SGD", gradient_noise_scale=10.0,
    )  # fmt: skip
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(train, {x: 5})
        assert s.run(var) == pytest.approx(9.869121, abs=1e-6)
    drawn = tf.get_default_graph().get_operation_by_name(
        "OptimizeLoss/truncated_normal/TruncatedNormal"
    )
    assert drawn.get_attr("seed2") == 28


def test_arguments_that_count_operations_by_name():
    labels = tf.constant([[1], [2]], tf.int64)
    predictions = tf.constant([[0.1, 0.7, 0.2], [0.3, 0.3, 0.4]])
    value, update = tf.metrics.precision_at_k(k=1, predictions=predictions, labels=labels)
    with tf.Session() as s:
        s.run(tf.local_variables_initializer())
        assert s.run(update) == 1
        assert s.run(value) == 1


def _grown(v, p, old, n, where):
    """`v` with room for `n` numbers, of which the first are `old`, as streaming metrics do it."""

    def grow():
        before = old(v)
        with tf.control_dependencies([before]):
            moved = tf.assign(v, tf.zeros([n]) * tf.cast(p, tf.float32), validate_shape=False)
        with tf.control_dependencies([moved]):
            copied = v[:3].assign(before[:3])
        with tf.control_dependencies([copied]):
            return tf.no_op()

    return grow() if where == "run" else tf.cond(p, grow, tf.no_op)


@pytest.mark.parametrize("where", ["run", "cond"])
@pytest.mark.parametrize("old", [lambda v: v.value(), tf.identity, lambda v: v + 0])
def test_what_an_array_held_before_it_got_another_shape(where, old):
    """The snapshot of a variable stays with the memory it was taken of (lost before)."""
    v, p = tf.Variable([1.0, 2.0, 3.0], validate_shape=False), tf.placeholder(tf.bool, [])
    op = _grown(v, p, old, 6, where)
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        s.run(op, {p: True})
        assert s.run(v).tolist() == [1, 2, 3, 0, 0, 0]


def test_snapshots_follow_updates_of_one_shape_only():
    v, p = tf.Variable([1.0, 2.0, 3.0], validate_shape=False), tf.placeholder(tf.float32, [])

    def assigned(x):
        return tf.assign(v, x * p, validate_shape=False)

    def after(op):
        with tf.control_dependencies([op]):
            return v * 2, v.read_value(), op + 1

    with tf.Session() as s:

        def run(fetches):
            s.run(tf.global_variables_initializer())
            return [a.tolist() for a in s.run(fetches, {p: 1})]

        assert run(after(assigned(tf.zeros([6])))) == [[2, 4, 6], [0] * 6, [1] * 6]
        assert run(after(assigned(tf.zeros([3])))) == [[0] * 3, [0] * 3, [1] * 3]
        with tf.control_dependencies([assigned(tf.ones([3]))]):
            second = assigned(tf.ones([2]))
        with tf.control_dependencies([second]):
            third = assigned(tf.ones([3]) * 5)
        assert run(after(third)) == [[2] * 3, [5] * 3, [6] * 3]
        grown = tf.cond(p > 0, lambda: tf.group(assigned(tf.zeros([6]))), tf.no_op)
        same = tf.cond(
            p > 0, lambda: [assigned(tf.zeros([6]))][:1], lambda: [assigned(tf.ones([6]))]
        )
        for op in (grown, same):
            with tf.control_dependencies([op]):
                reads = [v * 2, v.read_value()]
            assert run(reads) == [[2, 4, 6], [0] * 6]


def test_graphs_imported_into_loops():
    """Nodes of a graph that is imported in a loop's body may read what the body made."""
    with tf.Graph().as_default() as g:
        out = tf.placeholder(tf.float32, [None, 1], name="input") * 2
    graph_def = g.as_graph_def()

    def doubled(x):
        y = tf.reshape(x * 3, [-1, 1])
        return tf.import_graph_def(graph_def, {"input:0": y}, [out.name], name="part")[0]

    p, x = tf.placeholder(tf.bool, []), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    y, z = tf.map_fn(doubled, x), tf.cond(p, lambda: doubled(x), lambda: tf.zeros([4, 1]))
    with tf.Session() as s:
        assert s.run(y).tolist() == [[[6], [12]], [[18], [24]]]
        assert s.run(z, {p: True}).ravel().tolist() == [6, 12, 18, 24]
        assert s.run(z, {p: False}).ravel().tolist() == [0] * 4


@pytest.mark.parametrize("rank", [0, 1])
def test_rows_of_labels_beside_rows_of_predictions(rank):
    zeros = tf.zeros([1] * rank, tf.int64)
    for labels in ([1], [1, 1], [1, 1, 1]):
        words = "at least rank 2" if rank == len(labels) else "Unexpected labels shape"
        with pytest.raises(ValueError, match=words):
            tf.metrics.precision_at_top_k(tf.zeros(labels, tf.int64), zeros, k=1)
    with pytest.raises(ValueError, match=r"labels shape \(1,\) for predictions shape \(1, 1, 1\)"):
        tf.metrics.recall_at_k(tf.zeros([1], tf.int64), tf.zeros([1, 1, 3]), k=1)
    tf.metrics.average_precision_at_k(tf.zeros([1], tf.int64), tf.zeros([3]), k=1)


@pytest.mark.parametrize("read", [lambda v: v.value(), tf.identity, lambda v: v.read_value()])
@pytest.mark.parametrize("resource", [False, True])
def test_identities_of_variables_share_their_memory(read, resource):
    """Samplers make a model once and step its variables in a loop; resources are copied."""
    v = tf.get_variable("v", initializer=[1.0, 2.0], use_resource=resource)
    p, old = tf.placeholder(tf.float32, []), read(v)
    with tf.control_dependencies([old]):
        added = v.assign_add(tf.ones([2]) * p)
    with tf.control_dependencies([added]):
        after = old * 2

    def body(i, total):
        with tf.control_dependencies([v.assign_add(tf.ones([2]))]):
            return i + 1, total + old

    total = tf.while_loop(lambda i, _: i < 3, body, [0, tf.zeros([2])])[1]
    with tf.Session() as s:
        s.run(tf.global_variables_initializer())
        assert s.run(after, {p: 10}).tolist() == ([2, 4] if resource else [22, 24])
        if not resource:  # one of the orders that TensorFlow allows
            s.run(tf.global_variables_initializer())
            assert s.run(total).tolist() == [9, 12]
            assert s.run(v).tolist() == [4, 5]
