# ruff: noqa: E501
"""Programs of the less used names of contrib, tf.linalg, tf.math, tf.nn; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def named(tf, out, said=()):
    return {"fetch": [tf.identity(t, name="v") for t in out], "said": [str(s) for s in said]}


@program
def stateless(tf, np):
    S = tf.contrib.stateless
    seed, big = [7, 11], tf.constant([2**40 + 3, -5], tf.int64)
    out = [
        tf.random.stateless_uniform([5], seed), tf.random.stateless_normal([2, 3], seed),
        tf.random.stateless_truncated_normal([7], big, 1.0, 2.0),
        tf.random.stateless_uniform([4], big, -2.0, 3.0, tf.float64),
        tf.random.stateless_uniform([4], seed, 3, 90, tf.int32),
        tf.random.stateless_uniform([4], seed, -3, 2**40, tf.int64),
        tf.random.stateless_categorical([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0]], 6, seed),
        S.stateless_random_uniform([3], seed, dtype=tf.float16),
        S.stateless_random_normal([3], seed, dtype=tf.float64),
        S.stateless_multinomial([[0.0, 1.0]], 5, big, tf.int32),
    ]  # fmt: skip
    return named(tf, out)


@program
def mathematics(tf, np):
    M = tf.math
    x = tf.constant([0.0, 0.5, -1.0, 7.5, 8.5, -30.0])
    out = [M.bessel_i0(x), M.bessel_i0e(x), M.bessel_i1(x), M.bessel_i1e(x)]
    out += [tf.gradients(f(x), x)[0] for f in (M.bessel_i0e, M.bessel_i1e)]
    out += [
        M.polyval([1.0, 2.0, 3.0], x),
        M.is_non_decreasing([1, 1, 2]),
        M.is_strictly_increasing([1, 1]),
    ]
    y = tf.constant(data(3, 5))
    out += [M.cumulative_logsumexp(y, 1), M.cumulative_logsumexp(y, 0, reverse=True)]
    out += [M.cumulative_logsumexp(y, 1, exclusive=True)[:, 1:]]
    out += [tf.gradients(M.cumulative_logsumexp(y, 1), y)[0]]
    return named(tf, out)


@program
def matrices(tf, np):
    L = tf.linalg
    a = tf.constant(data(2, 3, 3))
    low, p = L.lu(a)
    c = np.array([[2.0, 1.0], [0.5, 3.0]])
    logs = L.logm(tf.constant(c, tf.complex128))
    d = tf.constant(np.float32([[1.0, 2.0, 0.0], [4.0, 0.5, 6.0], [0.0, 3.0, 2.0]]))
    b = tf.constant(data(3, 2))
    x = L.tridiagonal_solve(d, b)
    out = [low, p, tf.real(logs), x, L.tridiagonal_matmul(d, b), L.tridiagonal_solve(d, data(3))]
    out += [L.tridiagonal_solve([d[0, :2], d[1], d[2, 1:]], b, "sequence")]
    out += [L.tridiagonal_solve(tf.linalg.diag([1.0, 2.0, 3.0]), b, "matrix")]
    out += tf.gradients(tf.reduce_sum(x * x), [d, b]) + list(L.normalize(a, axis=-1))
    return named(tf, out)


@program
def networks(tf, np):
    x, w = tf.constant(data(1, 5, 6, 2)), tf.constant(data(3, 2, 2))
    rates, strides = [1, 2, 1, 1], [1, 1, 2, 1]
    out = [tf.nn.dilation2d(x, w, strides, rates, p) for p in ("SAME", "VALID")]
    out += [tf.nn.erosion2d(x, w, strides, rates, p) for p in ("SAME", "VALID")]
    out += tf.gradients(tf.reduce_sum(tf.square(out[0])), [x, w])
    flat = tf.nn.collapse_repeated([[1, 1, 2, 2, 1], [3, 3, 3, 4, 4]], [5, 4])
    flat[0].set_shape([2, 3])
    out += flat
    different, places = tf.nn.ctc_unique_labels(tf.constant([[3, 4, 4, 3], [5, 5, 5, 6]]))
    different.set_shape([2, 4])
    places.set_shape([2, 4])
    out += [different[:, :2], places]
    out += [tf.nn.compute_average_loss([1.0, 2.0], [0.5, 1.0], 4)]
    out += [tf.nn.scale_regularization_loss([1.0, 2.0])]
    return named(tf, out)


@program
def contrib_nn(tf, np):
    N = tf.contrib.nn
    tf.set_random_seed(4)
    x = tf.constant(data(3, 4))
    y = tf.constant([[0.0, 1.0, 0.0, 0.0]] * 3)
    out = [
        N.alpha_dropout(x, 0.7, seed=2),
        N.scaled_softplus(x, 0.5),
        N.scaled_softplus(x, 2.0, 1.0),
    ]
    out += [N.nth_element(x, 1), N.nth_element(x, 0, reverse=True)]
    out += [N.deprecated_flipped_softmax_cross_entropy_with_logits(x, y)]
    out += [N.deprecated_flipped_sparse_softmax_cross_entropy_with_logits(x, [1, 2, 0])]
    out += [N.deprecated_flipped_sigmoid_cross_entropy_with_logits(x, y)]
    weights, biases = tf.constant(data(6, 4)), tf.constant(data(6))
    values = (tf.constant([1, 4, 5], tf.int64), tf.fill([3, 1], 0.5), tf.constant([0.5, 0.25, 0.5]))
    labels = tf.constant([[0], [2], [3]], tf.int64)
    out += [N.sampled_sparse_softmax_loss(weights, biases, labels, x, 3, 6, values)]
    out += [
        N.rank_sampled_softmax_loss(weights, biases, labels, x, 3, 2, 6, 1, values, 0.5, True, "div")
    ]  # fmt: skip
    return named(tf, out)


@program
def pictures(tf, np):
    I = tf.contrib.image  # noqa: E741
    x = tf.constant(data(2, 5, 6, 2))
    flat = I.angles_to_projective_transforms([0.3, -0.5], 5.0, 6.0)
    out = [flat, I.compose_transforms(flat, I.translations_to_projective_transforms([1.0, 2.0]))]
    out += [I.rotate(x, [0.3, -0.5], how) for how in ("NEAREST", "BILINEAR")]
    out += [
        I.translate(x, [[1.0, -2.0], [0.5, 0.25]], "BILINEAR"),
        I.translate(x[0, :, :, 0], [1, 2]),
    ]
    out += [I.transform(x, [1.0, 0.2, 0.0, 0.1, 1.0, 0.0, 0.01, 0.02], output_shape=[4, 3])]
    out += [I.matrices_to_flat_transforms(I.flat_transforms_to_matrices(flat))]
    flow = tf.constant(data(2, 5, 6, 2) * 3)
    warped = I.dense_image_warp(x, flow)
    out += [warped, *tf.gradients(tf.reduce_sum(tf.square(warped)), [x, flow])]
    at, to = (
        tf.constant([[[1.0, 1.0], [3.0, 4.0]]] * 2),
        tf.constant([[[1.5, 1.0], [3.0, 3.0]]] * 2),
    )
    out += list(I.sparse_image_warp(x, at, to, num_boundary_points=1))
    points = tf.constant(
        np.abs(data(1, 5, 2)) * np.arange(1.0, 11.0, dtype=np.float32).reshape(1, 5, 2)
    )
    for order in (1, 2, 3):
        out += [I.interpolate_spline(points, data(1, 5, 1), data(1, 3, 2), order)]
    out += [I.connected_components(np.array([[1, 1, 0, 2], [0, 1, 2, 2], [3, 0, 0, 2]]))]
    out += list(I.bipartite_match([[0.5, 0.1, 0.7], [0.2, 0.3, 0.4]], 2))
    return named(tf, out)


@program
def framework(tf, np):
    F = tf.contrib.framework
    x = tf.constant(data(3, 1))
    p, y = F.remove_squeezable_dimensions(x, tf.constant([1.0, 2.0, 3.0]))
    made = F.py_func(
        lambda a, b: {"s": a + b, "d": a - b}, [x], {"b": x * 2.0}, {"s": tf.float32, "d": tf.float32},
        {"s": [3, 1], "d": [3, 1]},
    )  # fmt: skip
    g = tf.placeholder(tf.bool, [])
    out = [p, y, made["s"], made["d"], F.reduce_sum_n([x, x]), F.with_shape([3, 1], x)]
    out += [
        F.with_same_shape(x, x),
        F.smart_case([(g, lambda: x), (False, lambda: -x)], lambda: x * 2),
    ]
    out += [F.convolutional_delta_orthogonal(2.0, seed=3)([3, 3, 2, 4])]
    spec = F.BoundedTensorSpec([2], tf.float32, 0.0, [1.0, 2.0], "s")
    said = [
        spec.minimum,
        spec.maximum,
        F.prepend_name_scope("^a/b", "s"),
        F.strip_name_scope("s/a", "s"),
    ]
    said += [[t.name for t in F.get_placeholders(tf.get_default_graph())]]
    choose = F.VariableDeviceChooser(2)
    said += [choose(None), choose(None), choose(None), F.get_graph_from_inputs([x]) is x.graph]
    got = named(tf, out, said)
    return {**got, "feed": {g: True}}


@program
def texts(tf, np):
    S = tf.strings
    s = tf.constant(["a", "b\u00e9", "c", "d"])
    out = [
        S.unicode_transcode(s, "UTF-8", "UTF-16-BE"),
        S.unicode_script([97, 1046, 8217, 0x4E2D, 12354]),
    ]
    out += [
        S.unicode_transcode(
            tf.constant([b"a\xffb", b"x\x01"]), "UTF-8", "UTF-8", "replace", 63, True
        )
    ]
    out += [S.unicode_encode([[72, 105], [233, 8364]], "UTF-8")]
    out += [
        S.unsorted_segment_join(s[:1], [0], 2, ":"),
        S.unsorted_segment_join([["a", "b"], ["c", "d"]], [1, 1], 2, "-"),
    ]
    return {
        "fetch": [
            tf.strings.length(out[0]),
            out[1],
            tf.strings.length(out[2]),
            *[tf.identity(t, name="v") for t in out[3:]],
        ]
    }
