"""Programs of tf.losses and tf.contrib.losses; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def with_gradients(tf, losses, xs, feed):
    out = list(losses)
    for v in losses:
        out += tf.gradients(v, xs)
    return {"fetch": out, "feed": feed}


@program
def plain_losses(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.placeholder(tf.float32, [None, 3])
    p = tf.sigmoid(x)
    with tf.name_scope("outer"):
        losses = [
            tf.losses.absolute_difference(y, x), tf.losses.mean_squared_error(y, x),
            tf.losses.huber_loss(y, 3.0 * x), tf.losses.log_loss(y, p),
            tf.losses.cosine_distance(y, x, axis=1), tf.losses.hinge_loss(y, x),
            tf.losses.mean_pairwise_squared_error(y, x), tf.losses.sigmoid_cross_entropy(y, x),
            tf.losses.softmax_cross_entropy(y, x),
            tf.losses.compute_weighted_loss(x * y),
        ]  # fmt: skip
    y0 = (data(4, 3) > 0).astype(np.float32)
    return with_gradients(tf, losses, [x], {x: data(4, 3), y: y0})


@program
def weighted_losses(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    y = tf.constant([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    w = tf.constant([[1.0], [0.0], [2.0], [0.5]])
    full = tf.constant(data(4, 3))
    flat = tf.constant([1.0, 0.0, 2.0, 0.5])
    losses = [
        tf.losses.mean_squared_error(y, x, w), tf.losses.mean_squared_error(y, x, full),
        tf.losses.mean_squared_error(y, x, 0.0), tf.losses.mean_squared_error(y, x, 2.0),
        tf.losses.absolute_difference(y, x, weights=w, scope="named"),
        tf.losses.softmax_cross_entropy(y, x, flat, label_smoothing=0.1),
        tf.losses.sigmoid_cross_entropy(y, x, w, label_smoothing=0.2),
        tf.losses.sparse_softmax_cross_entropy([0, 2, 1, 1], x, flat),
        tf.losses.sparse_softmax_cross_entropy([[0], [2], [1], [1]], x),
        tf.losses.sparse_softmax_cross_entropy([[0], [2], [1], [1]], x, w),
        tf.losses.mean_pairwise_squared_error(y, x, w),
        tf.losses.huber_loss(y, x, w, delta=0.25), tf.losses.log_loss(y, tf.sigmoid(x), full),
        tf.losses.hinge_loss(y, x, w),
    ]  # fmt: skip
    return with_gradients(tf, losses, [x], {x: data(4, 3)})


@program
def reductions(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.constant([[1.0], [0.0], [2.0], [0.5]])
    R = tf.losses.Reduction
    losses = [
        tf.losses.mean_squared_error(tf.zeros_like(x), x, w, reduction=r)
        for r in (R.NONE, R.SUM, R.MEAN, R.SUM_OVER_BATCH_SIZE, R.SUM_BY_NONZERO_WEIGHTS)
    ]
    losses.append(tf.losses.mean_squared_error(tf.zeros_like(x), x, loss_collection=None))
    losses.append(tf.losses.absolute_difference(tf.zeros_like(x), x, loss_collection="mine"))
    said = [*R.all(), str(len(tf.get_collection("mine")))]
    return {"fetch": losses, "feed": {x: data(4, 3)}, "said": said}


@program
def total_loss(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    h = tf.layers.dense(x, 2, kernel_regularizer=tf.nn.l2_loss)
    with tf.variable_scope("s", regularizer=tf.nn.l2_loss):
        v = tf.get_variable("v", [2])
    tf.losses.mean_squared_error(tf.ones_like(h), h)
    tf.losses.add_loss(tf.reduce_sum(v, name="own"))
    said = [t.name for t in tf.losses.get_losses()]
    said += [t.name for t in tf.losses.get_regularization_losses()]
    said += [t.name for t in tf.losses.get_regularization_losses(scope="s")]
    total = tf.losses.get_total_loss()
    fetch = [
        total, tf.losses.get_total_loss(False, name="t"), tf.losses.get_regularization_loss(),
        tf.losses.get_regularization_loss(scope="none"), h, v,
    ]  # fmt: skip
    step = tf.train.GradientDescentOptimizer(0.1).minimize(total)
    return {"fetch": fetch, "feed": {x: data(4, 3)}, "step": step, "times": 2, "said": said}


@program
def half_precision(tf, np):
    x = tf.constant([[0.5, 1.5]], tf.float64)
    return {
        "fetch": [tf.losses.mean_squared_error([[1, 2]], x), tf.losses.compute_weighted_loss(x)]
    }


@program
def contrib_losses(tf, np):
    C = tf.contrib.losses
    x = tf.placeholder(tf.float32, [4, 3])
    y = tf.constant([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    w = tf.constant([1.0, 0.0, 2.0, 0.5])
    fetch = [
        C.mean_squared_error(x, y), C.absolute_difference(x, y, 2.0),
        C.softmax_cross_entropy(x, y), C.sigmoid_cross_entropy(x, y),
        C.sparse_softmax_cross_entropy(x, [0, 2, 1, 1]), C.log_loss(tf.sigmoid(x), y),
        C.softmax_cross_entropy(x, y, w), C.hinge_loss(x, y), C.compute_weighted_loss(x * x),
        C.cosine_distance(x, y, dim=1), C.get_total_loss(),
    ]  # fmt: skip
    return {"fetch": [t + 0.0 for t in fetch], "feed": {x: data(4, 3)}}


def sampled(tf, np, f, **more):
    tf.set_random_seed(2)
    table = tf.Variable(tf.zeros([12, 3]), name="table")
    w = tf.Variable(tf.zeros([12, 3]), name="w")
    b = tf.Variable(tf.zeros([12]), name="b")
    x = tf.nn.embedding_lookup(table, [1, 5, 2, 1])
    each = f(
        weights=w, biases=b, labels=tf.constant([[3], [0], [7], [1]]), inputs=x, num_sampled=5,
        num_classes=12, **more,
    )  # fmt: skip
    loss = tf.reduce_mean(each)
    step = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    # each run draws anew: the losses of runs of their own are compared
    return {"fetch": [tf.identity(each, name="each"), table, w, b], "step": step, "times": 2}


@program
def noise_contrastive(tf, np):
    draws = tf.nn.log_uniform_candidate_sampler([[3], [0], [7], [1]], 1, 5, True, 12, seed=3)
    return sampled(tf, np, tf.nn.nce_loss, sampled_values=draws)


@program
def noise_contrastive_without_hits(tf, np):
    draws = tf.nn.uniform_candidate_sampler([[3], [0], [7], [1]], 1, 5, True, 12, seed=3)
    return sampled(tf, np, tf.nn.nce_loss, sampled_values=draws, remove_accidental_hits=True)


@program
def sampled_softmax(tf, np):
    return sampled(tf, np, tf.nn.sampled_softmax_loss, seed=3)


@program
def samplers(tf, np):
    true = tf.constant([[3, 1], [7, 7]], tf.int64)
    out = []
    for unique, n, seed in ((True, 6, 1), (False, 7, 2)):
        out += tf.nn.uniform_candidate_sampler(true, 2, n, unique, 20, seed=seed)
        out += tf.nn.log_uniform_candidate_sampler(true, 2, n, unique, 50, seed=seed)
        out += tf.nn.learned_unigram_candidate_sampler(true, 2, n, unique, 20, seed=seed)
        out += tf.nn.fixed_unigram_candidate_sampler(
            true, 2, n, unique, 20, unigrams=list(range(1, 21)), distortion=0.75, seed=seed
        )
    return {"fetch": out, "step": tf.no_op(), "times": 1}


@program
def accidental_hits(tf, np):
    hits = tf.nn.compute_accidental_hits(
        tf.constant([[3, 7], [5, 3]], tf.int64), tf.constant([3, 9, 5], tf.int64), 2
    )
    return {"fetch": list(hits)}


def speech(tf, np):
    x = tf.constant(2.0 * data(6, 4, 5))
    where = [[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 0], [3, 0], [3, 1], [3, 2]]
    labels = tf.SparseTensor(where, tf.constant([1, 1, 0, 2, 3, 2, 0, 0, 1]), [4, 3])
    return x, labels


@program
def ctc(tf, np):
    x, labels = speech(tf, np)
    lengths = [6, 4, 1, 5]
    out = [
        tf.nn.ctc_loss(labels, x, lengths),
        tf.nn.ctc_loss(labels, x, lengths, ctc_merge_repeated=False),
        tf.nn.ctc_loss(labels, x, [6, 6, 6, 6], preprocess_collapse_repeated=True),
        tf.nn.ctc_loss(labels, tf.transpose(x, [1, 0, 2]), lengths, time_major=False),
        tf.nn.ctc_loss(labels, x, [6, 2, 1, 5], ignore_longer_outputs_than_inputs=True),
    ]  # fmt: skip
    weight = tf.constant([1.0, 2.0, -1.0, 0.5])
    out += [tf.gradients(v * weight, x)[0] for v in out]
    return {"fetch": out}


@program
def ctc_dense_labels(tf, np):
    x, labels = speech(tf, np)
    dense = tf.constant([[1, 1, 0], [2, 3, 4], [1, 0, 0], [2, 2, 0]])
    loss = tf.nn.ctc_loss_v2(dense, x, [2, 3, 1, 2], [6, 4, 1, 5])
    last = tf.nn.ctc_loss_v2(labels, x, None, [6, 4, 1, 5], blank_index=-1)
    # behind a row's last step TF 1.15 has a gradient here: the probabilities; graphc has none
    used = tf.transpose(tf.sequence_mask([6, 4, 1, 5], 6, tf.float32))
    out = [loss, tf.gradients(loss, x)[0] * tf.expand_dims(used, -1), last]
    return {"fetch": [tf.identity(v, name="v") for v in out]}


@program
def ctc_decoders(tf, np):
    x, _ = speech(tf, np)
    out = []
    for found, score in (
        tf.nn.ctc_greedy_decoder(x, [6, 4, 1, 5]),
        tf.nn.ctc_greedy_decoder(x, [6, 4, 1, 5], merge_repeated=False),
        tf.nn.ctc_beam_search_decoder(x, [6, 4, 3, 5], beam_width=20, top_paths=3),
        tf.nn.ctc_beam_search_decoder(x, [6, 4, 3, 5], 20, 2, merge_repeated=False),
    ):
        out.append(score)
        for s in found:
            out += [s.indices, s.values, s.dense_shape]
    return {"fetch": [tf.reshape(tf.identity(v), tf.shape(v), name="v") for v in out]}
