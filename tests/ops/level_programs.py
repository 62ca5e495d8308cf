"""Programs for the ops that have native code and no row in `op_cases`, with more than a vector.

Each is a function of `tf` and `x`, a `Maker` of fed tensors of unknown sizes, and gives a list of
tensors. What gradients and passes make counts as well: `test_levels` says which ops are in none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ops.arrays import broadcast_gradient_args

__all__ = ["PROGRAMS", "Maker"]

#: Elements of rows: one more than a vector of AVX-512 has, and some for a rest of each width.
W = 23


class Maker:
    """Fed tensors, whose sizes graphs do not know, with what is fed."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf
        self.rng = np.random.default_rng(5)
        self.feed: dict[Any, Any] = {}

    def __call__(self, *shape: int, dtype: Any = np.float32, known: bool = False) -> Any:
        """Numbers from -2 to 2."""
        return self.of(self.rng.uniform(-2, 2, shape).astype(dtype), known)

    def of(self, array: Any, known: bool = False) -> Any:
        array = np.asarray(array)
        shape = array.shape if known else [None] * array.ndim
        made = self.tf.placeholder(array.dtype, shape)
        self.feed[made] = array
        return made

    def ints(self, below: int, *shape: int, dtype: Any = np.int32) -> Any:
        return self.of(self.rng.integers(0, below, shape).astype(dtype))

    def definite(self, n: int, batch: int) -> Any:
        """Positive definite matrices, of known sizes."""
        a = self.rng.uniform(-1, 1, (batch, n, n))
        return self.of((a @ a.transpose(0, 2, 1) + n * np.eye(n)).astype(np.float32), known=True)

    def grads(self, y: Any, *xs: Any) -> list[Any]:
        """`y` and the gradients of the sum of its squares."""
        made = self.tf.gradients(self.tf.reduce_sum(y * y), list(xs))
        return [y, *(self.tf.convert_to_tensor(g) for g in made if g is not None)]


Program = Callable[[Any, Maker], list[Any]]
PROGRAMS: dict[str, Program] = {}


def program(f: Program) -> Program:
    PROGRAMS[f.__name__] = f
    return f


# ------------------------------------------------------------------------- views


@program
def shapes_and_places(tf: Any, x: Maker) -> list[Any]:
    a, b, i = x(5, W), x(1, W), x.of(np.int32(2))
    cuts = [a[1:, ::2], a[::-1, i:], a[i, 3:], tf.slice(a, [1, 2], [-1, W - 4])]
    out = [v for c in cuts for v in x.grads(c, a)]
    joined = tf.concat([a, a * 2.0, b], 0)
    out += [*x.grads(joined, a, b), *x.grads(tf.concat([a, a[:, :3]], 1), a)]
    out += [*x.grads(tf.stack([a, a + 1.0], 1), a), *tf.unstack(x(3, W, known=True))]
    out += [*tf.split(x(4, 2 * W, known=True), 2, 1), *tf.split(x(4, 9, known=True), [4, 5], 1)]
    out += [tf.shape(a), tf.size(a), tf.rank(a), *tf.shape_n([a, b]), tf.zeros_like(a)]
    out += [tf.fill(tf.shape(a), x.of(np.float32(3))), tf.range(tf.size(a)), tf.expand_dims(a, 1)]
    out += [tf.squeeze(x(4, 1, W), [1]), tf.reshape(a, [-1, tf.shape(b)[0], W]), tf.reverse(a, [1])]
    out += [tf.linspace(x.of(np.float32(0)), 1.0, 40), *x.grads(tf.tile(a, [2, 3]), a)]
    out += [tf.reverse_sequence(a, x.ints(W, 5), seq_axis=1), tf.roll(a, [1, 5], [0, 1])]
    out += [*x.grads(tf.transpose(a), a), tf.transpose(x(3, 20, 17), [2, 0, 1])]
    return [*out, tf.one_hot(x.ints(W, 6), W), *x.grads(tf.broadcast_to(b, [4, W]), b)]


@program
def padded(tf: Any, x: Maker) -> list[Any]:
    a, n = x(4, W), x.of(np.array([[1, 2], [0, 3]], np.int32))
    out = [*x.grads(tf.pad(a, n), a), tf.pad(a, [[1, 1], [2, 0]], constant_values=a[0, 0])]
    for mode in ("REFLECT", "SYMMETRIC"):
        out += x.grads(tf.pad(a, [[2, 1], [3, 3]], mode), a)
    return out


@program
def diagonals(tf: Any, x: Maker) -> list[Any]:
    a, v = x(3, W, W), x(3, W)
    out = [tf.matrix_diag(v), tf.matrix_diag_part(a), tf.matrix_set_diag(a, v), tf.diag(v[0])]
    out += [tf.diag_part(a[0]), tf.matrix_band_part(a, 2, 5), tf.cross(x(W, 3), x(W, 3))]
    return out


@program
def gathered(tf: Any, x: Maker) -> list[Any]:
    a, i, j = x(19, W), x.ints(19, 7), x.ints(19, 40)
    out = [*x.grads(tf.gather(a, i), a), *x.grads(tf.gather(a, j), a), tf.gather(a, i, axis=1)]
    out += x.grads(tf.gather_nd(a, x.ints(19, 50, 2)), a)
    out += [tf.scatter_nd(x.ints(30, 9, 1), x(9, W), [30, W])]
    out += [*x.grads(tf.batch_gather(a, x.ints(W, 19, 4)), a)]
    return out


@program
def broadcasts_of_unknown_rank(tf: Any, x: Maker) -> list[Any]:
    a, b = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    x.feed.update({a: np.ones([3, W], np.float32), b: np.full([W], 2, np.float32)})
    weights = tf.placeholder(tf.float32)
    x.feed[weights] = np.array([[1], [0.5], [2]], np.float32)
    mean = tf.metrics.mean_absolute_error(a, a * b, weights)[1]
    out = [*x.grads(a * b, a, b), *x.grads(tf.reshape(a, [-1]), a), tf.rank(a), mean]
    shapes = x.of(np.array([3, 1, W], np.int32)), x.of(np.array([4, 1], np.int32))
    return [*out, tf.ensure_shape(a, [None, W]), *broadcast_gradient_args(*shapes)]


@program
def depths_and_patches(tf: Any, x: Maker) -> list[Any]:
    a = x(2, 6, 8, 12, known=True)
    out = [tf.space_to_depth(a, 2), tf.depth_to_space(a, 2)]
    return [*out, tf.extract_image_patches(a, [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 1, 1], "SAME")]


# ------------------------------------------------------------------------- products, images


@program
def products(tf: Any, x: Maker) -> list[Any]:
    a, b, c = x(37, 50), x(50, W), x(W)
    out = x.grads(tf.tanh(tf.matmul(a, b) + c), a, b, c)
    out += [tf.matmul(a, a, transpose_b=True), tf.matmul(a, a, transpose_a=True)]
    out += [tf.matmul(x(1, 50), b), tf.matmul(a, x(50, 1)), tf.matmul(x(3, 5, W), x(3, W, 7))]
    d, e = x(33, 40, dtype=np.float64), x(40, 20, dtype=np.float64)
    h, k = tf.cast(a, tf.float16), tf.cast(b, tf.float16)
    g, w = tf.cast(a, tf.bfloat16), tf.cast(b, tf.bfloat16)
    halves = [tf.cast(tf.matmul(h, k), tf.float32), tf.cast(tf.matmul(g, w), tf.float32)]
    return [*out, tf.matmul(d, e), *halves, tf.matmul(x.ints(9, 12, 8), x.ints(9, 8, 9))]


@program
def steps_of_an_unrolled_net(tf: Any, x: Maker) -> list[Any]:
    steps, w = x(6, 4, 48, known=True), x(48, 48, known=True)
    h = tf.zeros([4, 48])
    for t in range(6):
        h = tf.tanh(tf.matmul(h, w) * 0.1 + steps[t])
    return x.grads(h, steps, w)


@program
def steps_of_a_loop(tf: Any, x: Maker) -> list[Any]:
    steps, w = x(6, 4, 48), x(48, 48)
    end = tf.foldl(lambda h, e: tf.tanh(tf.matmul(h, w) * 0.1 + e), steps, tf.zeros_like(steps[0]))
    return x.grads(end, steps, w)


def _convolved(kind: str, *shape: int) -> Program:
    def f(tf: Any, x: Maker) -> list[Any]:
        out = []
        for c, k, step, padding in ((5, 9, 1, "SAME"), (16, 16, 2, "VALID"), (3, 32, 1, "VALID")):
            images = x(2, *shape, c, known=True)
            n = len(shape)
            last = 2 if kind == "depthwise_conv2d_native" else k
            w = x(*[3] * n, c, last, known=True)
            y = getattr(tf.nn, kind)(images, w, [1, *[step] * n, 1], padding)
            out += x.grads(tf.nn.relu(y) * 0.1, images, w)
        return out

    return f


PROGRAMS["conv2d"] = _convolved("conv2d", 9, 11)
PROGRAMS["conv2d_winograd"] = _convolved("conv2d", 24, 25)
PROGRAMS["conv3d"] = _convolved("conv3d", 4, 5, 6)
PROGRAMS["depthwise"] = _convolved("depthwise_conv2d_native", 9, 11)


@program
def conv_groups(tf: Any, x: Maker) -> list[Any]:
    out = []
    for each, groups, step in ((4, 6, 1), (8, 3, 1), (4, 5, 2)):
        images = x(2, 9, 11, each * groups, known=True)
        w = x(3, 3, each, each * groups, known=True)
        out += x.grads(tf.nn.conv2d(images, w, step, "SAME") * 0.1, images, w)
    return out


@program
def conv1d(tf: Any, x: Maker) -> list[Any]:
    out = []
    for c, f, step, rate in ((5, 18, 1, 1), (4, 9, 2, 1), (16, 33, 1, 6)):
        rows, w = x(1, 300, c, known=True), x(3, c, f, known=True)
        y = tf.nn.convolution(rows, w, "SAME", strides=[step], dilation_rate=[rate])
        out += x.grads(y * 0.1, rows, w)
    return out


@program
def conv_patches(tf: Any, x: Maker) -> list[Any]:
    images, w = x(1, 4, 5, 64, known=True), x(3, 3, 64, 3648, known=True)
    return x.grads(tf.nn.conv2d(images, w, 1, "SAME") * 0.1, images, w)


@program
def conv_panels(tf: Any, x: Maker) -> list[Any]:
    images, w = x(1, 16, 33, 64, known=True), x(3, 3, 64, 256, known=True)
    return [tf.nn.relu(tf.nn.conv2d(images, w, 1, "SAME") * 0.1)]


@program
def conv_points(tf: Any, x: Maker) -> list[Any]:
    images, w = x(2, 9, 11, 18, known=True), x(1, 1, 18, 33, known=True)
    return x.grads(tf.nn.conv2d(images, w, 2, "SAME") * 0.1, images, w)


@program
def short_rows(tf: Any, x: Maker) -> list[Any]:
    a, b, c = x(3, 20, 19, 3, known=True), x(3, known=True), x(3, 20, 19, 1, known=True)
    planes = x(3, 3, 20, 19, known=True)
    out = [a - b, a * c + b, tf.reverse(a, [2]) * b, tf.transpose(planes, [0, 2, 3, 1]) - b]
    out += [
        tf.reduce_sum(tf.square(a - b), [1, 2, 3]),
        tf.reduce_sum(a * c),
        tf.reduce_max(a[1:] * b),
    ]
    return [*out, tf.tanh(x(700, 10, known=True) + x(10, known=True)), a[:, ::2, 3:15] - b]


@program
def pooled(tf: Any, x: Maker) -> list[Any]:
    a, b = x(2, 7, 9, W, known=True), x(2, 4, 5, 6, 18, known=True)
    out = []
    for y, v in (
        (tf.nn.max_pool(a, [1, 2, 3, 1], [1, 2, 2, 1], "SAME"), a),
        (tf.nn.max_pool(a, [1, 3, 3, 1], [1, 2, 2, 1], "SAME"), a),
        (tf.nn.avg_pool(a, [1, 3, 2, 1], [1, 2, 2, 1], "VALID"), a),
        (tf.nn.max_pool3d(b, [1, 2, 2, 2, 1], [1, 2, 2, 2, 1], "VALID"), b),
        (tf.nn.avg_pool3d(b, [1, 2, 2, 2, 1], [1, 1, 1, 1, 1], "SAME"), b),
    ):
        g = tf.gradients(tf.reduce_sum(y * y), v)[0]
        out += [y, g, *tf.gradients(tf.reduce_sum(g * g), v)]
    return [*out, *tf.nn.max_pool_with_argmax(a, [1, 2, 2, 1], [1, 2, 2, 1], "VALID")]


@program
def normed(tf: Any, x: Maker) -> list[Any]:
    a = x(2, 3, 5, W, known=True)
    return [*x.grads(tf.nn.lrn(a, 3), a), *x.grads(tf.nn.l2_normalize(a, 3), a)]


@program
def resized(tf: Any, x: Maker) -> list[Any]:
    a = x(2, 5, 7, 9, known=True)
    out = []
    for f in (tf.image.resize_bilinear, tf.image.resize_nearest_neighbor, tf.image.resize_bicubic):
        out += x.grads(f(a, [9, 12]), a)
    out.append(tf.image.resize_area(a, [3, 4]))
    boxes = x.of(np.array([[0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9]], np.float32))
    return [*out, *x.grads(tf.image.crop_and_resize(a, boxes, [0, 1], [4, 17]), a)]


@program
def suppressed(tf: Any, x: Maker) -> list[Any]:
    corners = x.rng.uniform(0, 1, (60, 2)).astype(np.float32)
    boxes = np.concatenate([corners, corners + 0.4], 1)
    scores = x.rng.permutation(60).astype(np.float32)
    b, s = x.of(boxes), x.of(scores)
    out = [tf.image.non_max_suppression(b, s, 20, 0.3)]
    each, ranks = x.of(boxes.reshape(1, 60, 1, 4)), x.of(scores.reshape(1, 60, 1))
    return [*out, *tf.image.combined_non_max_suppression(each, ranks, 9, 20, 0.3)]


# ------------------------------------------------------------------------- sums, order, matrices


@program
def segments(tf: Any, x: Maker) -> list[Any]:
    a, rows = x(40, W), x.ints(9, 40)
    ends = x.of(np.sort(x.rng.integers(0, 9, 40)).astype(np.int32))
    out = []
    for name in ("sum", "max", "min", "prod"):
        out += x.grads(getattr(tf, f"unsorted_segment_{name}")(a * 0.5, rows, 9), a)
        out.append(getattr(tf, f"segment_{name}")(a, ends))
    out += [*x.grads(tf.segment_mean(a, ends), a), tf.bincount(rows, minlength=9, maxlength=9)]
    wide, parts = x(60, 700), x.ints(3, 60)  # rows that are copied in native code
    places = tf.dynamic_partition(x.of(x.rng.permutation(60).astype(np.int32)), parts, 3)
    out.append(tf.dynamic_stitch(places, tf.dynamic_partition(wide, parts, 3)))
    return [*out, tf.sparse_segment_sum(a, x.ints(40, 12), x.of(np.repeat([0, 1, 4], 4)))]


@program
def ordered(tf: Any, x: Maker) -> list[Any]:
    a = x(6, 50)
    values, places = tf.nn.top_k(a, 7)
    g = tf.gradients(tf.reduce_sum(values * values), a)[0]
    out = [values, places, g, *tf.gradients(tf.reduce_sum(g * g), a), tf.sort(a)]
    line = x.of(np.sort(x.rng.uniform(-2, 2, (6, 50)).astype(np.float32)))
    out += [tf.searchsorted(line, a), tf.searchsorted(line, a, "right"), tf.argsort(a)]
    return [*out, tf.cumsum(a, 1), tf.cumsum(a, 0, reverse=True), tf.cumprod(a, 1, exclusive=True)]


@program
def eliminated(tf: Any, x: Maker) -> list[Any]:
    a, b = x.definite(5, 150), x(150, 5, 4, known=True)
    out = [tf.matrix_inverse(a), tf.matrix_determinant(a), *tf.linalg.slogdet(a), tf.cholesky(a)]
    out += [tf.matrix_solve(a, b), tf.matrix_solve(a, b, adjoint=True)]
    return [*out, tf.matrix_triangular_solve(a, b), tf.matrix_triangular_solve(a, b, lower=False)]


@program
def decomposed(tf: Any, x: Maker) -> list[Any]:
    """Vectors of eigenvalues and columns may have either sign: what they make together."""
    a, b = x.definite(20, 9), x(9, 21, 18, known=True)
    values, vectors = tf.self_adjoint_eig(a)
    q, r = tf.qr(b)
    whole = tf.matmul(vectors * values[:, None], vectors, transpose_b=True)
    return [values, tf.abs(vectors), whole, tf.abs(q), tf.abs(r), tf.matmul(q, r)]


@program
def aligned_losses(tf: Any, x: Maker) -> list[Any]:
    logits = x(12, 2, W, known=True)
    labels = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], [1, 2, 3], [2, 2])
    loss = tf.nn.ctc_loss(labels, logits, [12, 9])
    return [*x.grads(loss, logits)]


# ------------------------------------------------------------------------- variables, loops


@program
def rows_of_variables(tf: Any, x: Maker) -> list[Any]:
    out, before = [], []
    places, some = x.ints(11, 9), x(9, W)
    for name in ("update", "add", "sub", "mul", "div", "min", "max"):
        v = tf.Variable(tf.ones([11, W]))
        rows = tf.range(9) if name == "update" else places
        out.append(getattr(tf, f"scatter_{name}")(v, rows, some + 3.0))
        before.append(v)
    for name in ("update", "add", "sub"):
        v = tf.Variable(tf.ones([11, W]))
        rows = tf.range(9) if name == "update" else places
        out.append(getattr(tf, f"scatter_nd_{name}")(v, rows[:, None], some))
    v = tf.Variable(tf.ones([11, W]))
    out.append(v[2:9, ::2].assign(some[:7, : (W + 1) // 2]))
    return out


@program
def trained_rows(tf: Any, x: Maker) -> list[Any]:
    out, rows = [], x.ints(11, 30)
    for opt in (
        tf.train.AdamOptimizer(0.1), tf.train.GradientDescentOptimizer(0.1),
        tf.train.AdagradOptimizer(0.1), tf.train.MomentumOptimizer(0.1, 0.9),
        tf.train.RMSPropOptimizer(0.1), tf.train.FtrlOptimizer(0.1),
    ):  # fmt: skip
        v = tf.Variable(tf.ones([11, W]))
        loss = tf.reduce_sum(tf.square(tf.gather(v, rows) - 3.0))
        with tf.control_dependencies([opt.minimize(loss, var_list=[v])]):
            out.append(v.read_value())
    return out


@program
def drawn(tf: Any, x: Maker) -> list[Any]:
    n = [3, 50]
    out = [
        tf.random_uniform(n, seed=1),
        tf.random_normal(n, seed=2),
        tf.truncated_normal(n, seed=3),
    ]
    out += [tf.random_uniform(n, 0, 99, tf.int32, seed=4), tf.random_shuffle(x(40, 3), seed=5)]
    own = x.of(np.array([3, 4], np.int64))
    out += [tf.random.stateless_uniform(n, own), tf.random.stateless_normal([70], own)]
    out += [tf.random.stateless_truncated_normal(n, own, dtype=tf.float64)]
    out += [tf.random.stateless_uniform(n, own, 0, 99, tf.int64)]
    rates = x.of(np.array([0.0, 0.3, 1.0, 4.0, 9.9, 10.0, 80.0, 1e4], np.float32))
    out += [tf.random_gamma([21], rates, seed=6), tf.random_poisson(rates, [21], seed=7)]
    true = tf.cast(x.ints(99, 4, 2), tf.int64)
    for draw in (tf.nn.uniform_candidate_sampler, tf.nn.log_uniform_candidate_sampler):
        out += draw(true, 2, 20, True, 99, seed=7)
    return [*out, tf.multinomial(x(4, W), 30, seed=6)]


@program
def arrays_of_loops(tf: Any, x: Maker) -> list[Any]:
    a = x(9, W)
    mapped = tf.map_fn(lambda e: tf.tanh(e) * e, a)
    scanned = tf.scan(lambda s, e: s * 0.5 + e, a)
    array = tf.TensorArray(tf.float32, 12, clear_after_read=False).scatter([5, 0, 7], a[:3])
    array = array.write(3, array.read(0) * 3.0)
    read = array.stack()
    some = tf.TensorArray(tf.float32, 4).scatter([2, 0], a[:2])
    grow = tf.TensorArray(tf.float32, 1, dynamic_size=True, element_shape=[])
    grow = tf.while_loop(
        lambda i, t: i < 9, lambda i, t: (i + 1, t.write(i, a[i, 0])), [0, grow]
    )[1]  # fmt: skip
    chosen = tf.cond(a[0, 0] > 0.0, lambda: a * 2.0, lambda: -a)
    out = [v for y in (mapped, scanned, read, chosen) for v in x.grads(y, a)]
    taught = tf.TensorArray(tf.float32, 3, clear_after_read=False).unstack(a[:3])
    taught = taught.grad("loss").unstack(a[3:6]).write(0, a[6])
    return [*out, taught.stack(), *x.grads(some.read(0) * some.read(2), a), grow.stack()]


@program
def elements_of_several_shapes(tf: Any, x: Maker) -> list[Any]:
    a = x(9, W)
    packed = tf.TensorArray(tf.float32, 2, infer_shape=False).write(0, a).write(1, a[:3])
    longer = tf.while_loop(
        lambda v: tf.size(v) < 99, lambda v: tf.concat([v, v * v], 0), [a[0]],
        [tf.TensorShape([None])],
    )  # fmt: skip
    return [*x.grads(packed.concat(), a), *x.grads(longer * 0.1, a)]


@program
def rows_read_in_loops(tf: Any, x: Maker) -> list[Any]:
    table, ids = x(17, W), x.ints(17, 6, 5)
    end = tf.while_loop(
        lambda i, h: i < 5, lambda i, h: (i + 1, tf.tanh(h) + tf.gather(table, ids[:, i])),
        [0, tf.gather(table, ids[:, 0])],
    )[1]  # fmt: skip
    return x.grads(end, table)
