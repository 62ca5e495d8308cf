"""What TensorFlow 1.15 takes of unknown ranks and sizes, with its values: those of known sizes."""

import numpy as np
import pytest
from thinned import thinned

import graphc as tf

R = np.random.RandomState(0)
PICTURES = R.randn(2, 5, 6, 3).astype(np.float32)
FILTER = R.randn(2, 3, 3).astype(np.float32)
ROWS = R.randn(5, 4).astype(np.float32)
CUBES = np.arange(256.0, dtype=np.float32).reshape(4, 4, 4, 4)
WAVES = R.randn(2, 4, 3, 6).astype(np.float32)
BOXES = np.array([[0.1, 0.2, 0.8, 0.7], [0, 0.1, 1.2, 0.9]], np.float32)
TABLE = [[1, 1], [0, 2]]


def both(f, arrays, unknown):
    """Values and gradients of `f` of the arrays, with known shapes and with those of `unknown`."""
    out = []
    for shapes in ([np.shape(a) for a in arrays], unknown):
        with tf.Graph().as_default():
            xs = [
                tf.placeholder(np.asarray(a).dtype, s) for a, s in zip(arrays, shapes, strict=True)
            ]
            y = f(*xs)
            floats = [x for x in xs if x.dtype.is_floating or x.dtype.is_complex]
            gs = tf.gradients(tf.reduce_sum(tf.square(tf.abs(y))), floats)
            fetches = [y, *[tf.convert_to_tensor(g) for g in gs if g is not None]]
            with tf.Session() as sess:
                out.append((sess.run(fetches, dict(zip(xs, arrays, strict=True))), y, gs))
    for a, b in zip(out[0][0], out[1][0], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    return out[1][1:]


@pytest.mark.parametrize("padding", thinned(["SAME", "VALID"], lambda p: p == "SAME"))
@pytest.mark.parametrize(
    "name", thinned(["dilation2d", "erosion2d"], lambda name: name == "dilation2d")
)
@pytest.mark.parametrize(
    ("unknown", "static"),
    [
        ([None, None], [None] * 4),
        ([[2, None, None, 3], [2, 3, 3]], [2, None, None, 3]),
        ([[None] * 4, [None] * 3], [None] * 4),
    ],
)
def test_morphology(name, unknown, static, padding):
    def f(x, w):
        return getattr(tf.nn, name)(x, w, [1, 2, 1, 1], [1, 1, 2, 1], padding)

    y, _ = both(f, [PICTURES, FILTER], unknown)
    assert y.shape.as_list() == static


def test_dilation_is_one_operation():
    with tf.Graph().as_default() as g:
        x, w = tf.placeholder(tf.float32, [2, 5, 6, 3]), tf.placeholder(tf.float32, [2, 3, 3])
        y = tf.nn.dilation2d(x, w, [1, 1, 1, 1], [1, 1, 1, 1], "SAME")
        assert (y.op.name, g._last_id) == ("Dilation2D", 3)
        tf.gradients(y, [x, w])
        assert g._last_id == 8


@pytest.mark.parametrize("kind", ["add", "sub", "update"])
@pytest.mark.parametrize("at", [[[0], [3], [0]], [[0, 1], [3, 2], [0, 1]]])
@pytest.mark.parametrize("unknown", thinned(["rank", "sizes"], lambda what: what == "rank"))
def test_tensor_scatter(kind, at, unknown):
    updates = R.randn(3, *[4] * (2 - len(at[0]))).astype(np.float32)
    arrays = [ROWS, np.array(at, np.int32), updates]
    shapes = [None if unknown == "rank" else [None] * np.ndim(a) for a in arrays]
    f = getattr(tf, f"tensor_scatter_{kind}")
    y, _ = both(f, arrays, shapes)
    assert y.shape.ndims == (None if unknown == "rank" else 2)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("longer", thinned([False, True], lambda longer: not longer))
def test_real_transforms(axes, longer):
    word = "fft" if axes == 1 else "fft2d"
    sizes = [4, 8][-axes:] if longer else None
    both(lambda x: getattr(tf.signal, "r" + word)(x, sizes), [WAVES], [None])
    half = np.fft.rfft(WAVES).astype(np.complex64)
    both(lambda z: getattr(tf.signal, "ir" + word)(z, sizes), [half], [None])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("shape", [None, [None] * 4, [2, 5, 6, None]])
def test_patches(shape, padding):
    def f(x):
        return tf.image.extract_image_patches(x, [1, 2, 3, 1], [1, 2, 1, 1], [1, 1, 1, 1], padding)

    both(f, [PICTURES], [shape])


@pytest.mark.parametrize("name", ["space_to_batch_nd", "batch_to_space_nd"])
def test_blocks(name):
    y, _ = both(lambda x: getattr(tf, name)(x, [2, 2], TABLE), [CUBES], [None])
    assert y.shape.ndims is None
    assert y.op.name == name.title().replace("_", "").replace("Nd", "ND")
    blocks, table = np.array([2, 2], np.int32), np.array(TABLE, np.int32)
    for unknown in ([[4, 4, 4, 4], [2], [2, 2]], [None, [2], [2, 2]]):
        both(lambda x, b, t: getattr(tf, name)(x, b, t), [CUBES, blocks, table], unknown)
    with pytest.raises(ValueError, match="block_shape must have rank 1"):
        getattr(tf, name)(tf.placeholder(tf.float32), tf.placeholder(tf.int32), TABLE)


@pytest.mark.parametrize("name", ["space_to_batch", "batch_to_space"])
def test_square_blocks(name):
    word = "paddings" if name.startswith("space") else "crops"
    y, _ = both(lambda x: getattr(tf, name)(x, block_size=2, **{word: TABLE}), [CUBES], [None])
    assert y.shape.as_list() == [None] * 4


@pytest.mark.parametrize("name", ["area", "bilinear", "nearest_neighbor", "bicubic"])
def test_resizing(name):
    f = getattr(tf.image, f"resize_{name}")
    y, _ = both(lambda x: f(x, [3, 4]), [PICTURES], [None])
    assert y.shape.as_list() == [None, 3, 4, None]
    y, _ = both(f, [PICTURES, np.array([3, 4], np.int32)], [None, None])
    assert y.shape.as_list() == [None] * 4


def test_gradient_by_boxes_of_nearest_pixels():
    """It is that of mixtures of pixels, as in TensorFlow; the one by the pictures is not."""
    found = {}
    for method in ("nearest", "bilinear"):
        x, boxes = tf.placeholder(tf.float32, [2, 5, 6, 3]), tf.placeholder(tf.float32, [2, 4])
        y = tf.image.crop_and_resize(x, boxes, [1, 0], [3, 4], method=method)
        gs = tf.gradients(y, [x, boxes], grad_ys=tf.ones([2, 3, 4, 3]))
        with tf.Session() as sess:
            found[method] = sess.run([y, *gs], {x: PICTURES, boxes: BOXES})
    np.testing.assert_allclose(found["nearest"][2], found["bilinear"][2], rtol=1e-5)
    assert np.all(np.mod(found["nearest"][1], 1) == 0)
    assert not np.all(np.mod(found["bilinear"][1], 1) == 0)


def test_gradient_by_the_sign_of_a_determinant():
    x = tf.placeholder(tf.float32, [2, 2])
    g = tf.gradients(tf.linalg.slogdet(x).sign, x)[0]
    with tf.Session() as sess:
        assert np.all(sess.run(g, {x: [[1.0, 2.0], [3.0, 4.0]]}) == 0)


def test_gradients_know_what_is_known_of_shapes():
    i = tf.placeholder(tf.int32, [3, None])
    u = tf.placeholder(tf.float32, [3, 4])
    g = tf.gradients(tf.scatter_nd(i, u, [5, 4]), u)[0]
    assert g.shape.as_list() == [3, 4]


@pytest.mark.parametrize("shapes", [[[2, 3], [2, 2]], [[2, 2, 3], [2, 2, 1]]])
def test_gather_along_the_last_axis(shapes):
    x = R.randn(*shapes[0]).astype(np.float32)
    i = R.randint(0, 3, shapes[1]).astype(np.int32)
    both(tf.batch_gather, [x, i], [None, shapes[1]])
    y, _ = both(tf.batch_gather, [x, i], [[None] * x.ndim, shapes[1]])
    assert y.shape.as_list() == shapes[1]


@pytest.mark.parametrize("axis", [0, 1])
def test_repeat_by_a_vector(axis):
    times = np.array([1, 0, 2, 1, 3], np.int32)[: ROWS.shape[axis]]
    both(lambda x, n: tf.repeat(x, n, axis), [ROWS, times], [None, [None]])


def test_einsum_of_one():
    x = WAVES[0]
    both(lambda x: tf.einsum("bij->jb", x), [x], [None])
    with pytest.raises(ValueError, match="known rank"):
        tf.einsum("ij,jk->ik", tf.placeholder(tf.float32), tf.ones([2, 3]))


def test_static_shapes_of_unknown_ranks():
    x, i, n = (tf.placeholder(t) for t in (tf.float32, tf.int32, tf.int32))
    made = {
        (None,): tf.nn.in_top_k(x, i, 2),
        (None, None): tf.eye(n),
        (None, None, None, None): tf.nn.lrn(x),
        (None, 2, 3): tf.keras.layers.Reshape([2, 3])(x),
    }
    assert [tuple(v.shape.as_list()) for v in made.values()] == list(made)
    y = tf.nn.fractional_max_pool(tf.placeholder(tf.float32, [2, None, 9, 3]), [1, 1.5, 1.5, 1])
    assert [v.shape.as_list() for v in y] == [[2, None, 6, 3], [None], [7]]


def test_classes_along_an_axis():
    """Keras' cross entropy takes classes along any axis, and outputs of unknown rank."""
    logits, classes = R.randn(2, 5, 3).astype(np.float32), np.array([[0, 1, 4], [2, 2, 3]])
    K = tf.keras.backend
    with tf.Session() as sess:
        turned = np.transpose(logits, [0, 2, 1])
        want = sess.run(K.sparse_categorical_crossentropy(classes, tf.constant(turned), True))
        y = K.sparse_categorical_crossentropy(classes, tf.constant(logits), True, axis=1)
        np.testing.assert_allclose(sess.run(y), want, rtol=1e-5)
        t, p = tf.placeholder(tf.int32), tf.placeholder(tf.float32)
        y = K.sparse_categorical_crossentropy(t, p, True)
        np.testing.assert_allclose(sess.run(y, {t: classes, p: turned}), want, rtol=1e-5)
    with pytest.raises(ValueError, match="unknown rank"):
        K.sparse_categorical_crossentropy(t, p, True, axis=1)


def test_categorical_of_unknown_rank():
    logits, k = R.randn(4, 3).astype(np.float32), np.array([0, 2, 1, 1], np.int32)
    both(lambda z, k: tf.distributions.Categorical(z).log_prob(k), [logits, k], [None, None])


def test_sign_of_complex_numbers():
    x = tf.placeholder(tf.complex64, [3])
    with tf.Session() as sess:
        got = sess.run(tf.sign(x), {x: [3 + 4j, 0, -2j]})
    np.testing.assert_allclose(got, [0.6 + 0.8j, 0, -1j], rtol=1e-6)


@pytest.mark.parametrize("shape", thinned([None, [None] * 4], lambda shape: shape is not None))
def test_likeness_of_pictures(shape):
    a, b = (R.rand(2, 13, 12, 3).astype(np.float32) for _ in range(2))
    y, _ = both(lambda x, y: tf.image.ssim(x, y, 1.0), [a, b], [shape, shape])
    if shape is not None:
        assert y.shape.as_list() == [None]

    def several(x, y):
        return tf.image.ssim_multiscale(x, y, 1.0, power_factors=(0.5, 0.5), filter_size=3)

    both(several, [a, b], [shape, shape])
