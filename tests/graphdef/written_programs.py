"""Calls of which the nodes that graphc writes are held against TensorFlow's."""

CALLS = """
tf.fft(z)
tf.ifft2d(z)
tf.signal.rfft(x)
tf.signal.irfft(z)
tf.complex(x, x)
tf.real(z)
tf.angle(z)
tf.conj(z)
tf.svd(s)
tf.qr(s)
tf.linalg.lu(s)
tf.self_adjoint_eig(s)
tf.matrix_triangular_solve(s, s)
tf.linalg.slogdet(s)
tf.setdiff1d(i, i)
tf.unravel_index(i, [3, 4])
tf.edit_distance(si, si)
tf.random.stateless_uniform([3], [1, 2])
tf.random.stateless_normal([3], [1, 2])
tf.random.stateless_truncated_normal([3], [1, 2])
tf.random.stateless_multinomial(x, 3, [1, 2])
tf.multinomial(x, 4)
tf.nn.log_uniform_candidate_sampler(l, 1, 4, True, 9)
tf.nn.uniform_candidate_sampler(l, 1, 4, True, 9)
tf.nn.learned_unigram_candidate_sampler(l, 1, 3, True, 9)
tf.nn.ctc_loss(lab, lo, [3, 2])
tf.nn.ctc_beam_search_decoder(lo, [3, 2])
tf.nn.ctc_greedy_decoder(lo, [3, 2])
tf.ensure_shape(x, [2, 4])
tf.sparse_reorder(sp)
tf.sparse_reshape(sp, [2, 8])
tf.sparse_fill_empty_rows(sp, 9.0)
tf.sets.set_size(si)
tf.scatter_nd(l, x, [9, 4])
tf.py_func(abs, [x], tf.float32)
tf.Print(x, [x])
tf.strings.format("{}", i)
tf.count_up_to(v, 3)
tf.is_variable_initialized(v)
tf.gradients(tf.nn.max_pool3d(c, 2, 1, "SAME"), c)
tf.gradients(tf.nn.avg_pool3d(c, 2, 1, "SAME"), c)
tf.gradients(tf.nn.conv3d(c, tf.ones([1, 1, 1, 1, 1]), [1] * 5, "SAME"), c)
tf.gradients(tf.pad(x, [[1, 0], [0, 2]], "SYMMETRIC"), x)
tf.Assert(tf.reduce_all(x > 0.0), [x, i])
tf.nn.sparse_softmax_cross_entropy_with_logits(labels=i, logits=x)
tf.nn.softmax(x)
""".strip().splitlines()


def operands(tf):
    x = tf.placeholder(tf.float32, [2, 4], name="x")
    return {
        "tf": tf, "x": x, "z": tf.placeholder(tf.complex64, [4, 6], name="z"),
        "s": tf.placeholder(tf.float32, [3, 3], name="s"),
        "i": tf.placeholder(tf.int32, [2], name="i"),
        "l": tf.placeholder(tf.int64, [2, 1], name="l"),
        "c": tf.placeholder(tf.float32, [1, 2, 2, 2, 1], name="c"),
        "lo": tf.placeholder(tf.float32, [3, 2, 4], name="lo"), "v": tf.Variable(0, name="v"),
        "sp": tf.SparseTensor([[0, 3], [1, 2]], [3.0, 2.0], [4, 4]),
        "si": tf.SparseTensor([[0, 0], [1, 1]], tf.constant([1, 2], tf.int64), [2, 3]),
        "lab": tf.SparseTensor([[0, 0], [1, 0]], tf.constant([0, 1], tf.int32), [2, 2]),
    }  # fmt: skip
