# ruff: noqa: B905
"""Programs of rare cells and of contrib.training; see `layer_harness.py`."""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


def unrolled(tf, cell, x=None):
    """Two steps of a cell, its variables and the gradient of one of them."""
    x = tf.constant(data(2, 3, 4)) if x is None else x
    inputs = (
        tf.unstack(x, axis=1)
        if not isinstance(x, tuple)
        else list(zip(*[tf.unstack(t, axis=1) for t in x]))
    )
    state = cell.zero_state(2, tf.float32)
    outs = []
    with tf.variable_scope("rnn") as scope:
        for t in inputs:
            out, state = cell(t, state)
            outs.append(out)
            scope.reuse_variables()
    v = tf.trainable_variables()
    flat = state if isinstance(state, tuple) else [state]
    fetch = [*outs, *flat, tf.gradients(outs[-1], v[0])[0]]
    return {"fetch": [tf.identity(t, name="v") for t in fetch], "said": [w.name for w in v]}


@program
def coupled(tf, np):
    return unrolled(
        tf, tf.contrib.rnn.CoupledInputForgetGateLSTMCell(3, True, num_proj=2, proj_clip=0.1)
    )


@program
def coupled_normed(tf, np):
    return unrolled(
        tf, tf.contrib.rnn.CoupledInputForgetGateLSTMCell(3, layer_norm=True, num_unit_shards=2)
    )


@program
def grouped(tf, np):
    return unrolled(tf, tf.contrib.rnn.GLSTMCell(6, number_of_groups=2, num_proj=4))


@program
def intersection(tf, np):
    return unrolled(tf, tf.contrib.rnn.IntersectionRNNCell(3, num_in_proj=3))


@program
def frequencies(tf, np):
    cell = tf.contrib.rnn.TimeFreqLSTMCell(2, use_peepholes=True, feature_size=4, cell_clip=0.3)
    return unrolled(tf, cell)


@program
def phased(tf, np):
    cell = tf.contrib.rnn.PhasedLSTMCell(
        3, use_peepholes=True, period_init_min=1.0, period_init_max=2.0
    )
    times = tf.constant(np.float32([[[0.5], [1.25], [2.0]]] * 2))
    return unrolled(tf, cell, (times, tf.constant(data(2, 3, 4))))


@program
def train_op(tf, np):
    T = tf.contrib.training
    v = tf.get_variable("v", [2], initializer=tf.ones_initializer())
    loss = tf.reduce_sum(tf.square(v) * 10.0)
    op = T.create_train_op(
        loss,
        tf.train.GradientDescentOptimizer(0.1),
        transform_grads_fn=T.clip_gradient_norms_fn(1.0),
    )
    return {
        "fetch": [v, tf.identity(tf.train.get_global_step(), name="s")],
        "step": op,
        "times": 2,
        "load": False,
    }


@program
def sequences(tf, np):
    L = tf.contrib.layers
    x = tf.constant(data(2, 3, 4, 5))
    s = L.images_to_sequence(x)
    out = [s, L.sequence_to_images(s, 3), L.images_to_sequence(x, "NCHW"), L.spatial_softmax(x)]
    out += [L.spatial_softmax(x, 0.5, "mine", data_format="NCHW")]
    return {"fetch": [tf.identity(t, name="v") for t in out], "load": False}


@program
def reversible(tf, np):
    def f(x):
        return tf.layers.dense(x, 3, name="d")

    x = tf.constant(data(2, 6))
    y1, y2 = tf.contrib.layers.rev_block(x[:, :3], x[:, 3:], f, f, 2)
    grads = tf.gradients(tf.reduce_sum(y1 * y2), [x, *tf.trainable_variables()])
    return {
        "fetch": [tf.identity(t, name="v") for t in [y1, y2, *grads]],
        "said": [v.name for v in tf.trainable_variables()],
    }


@program
def tables(tf, np):
    K = tf.contrib.lookup
    k = tf.constant([1, 2, 3, 4], tf.int64)
    t = K.MutableDenseHashTable(tf.int64, tf.float32, -1.0, empty_key=0, deleted_key=-1)
    with tf.control_dependencies([t.insert_or_assign(k[:3], tf.constant([1.0, 2.0, 3.0]))]):
        removed = t.erase(k[1:2])
    with tf.control_dependencies([removed]):
        out = [t.lookup(k), t.size()]
    return {"fetch": [tf.identity(v, name="v") for v in out]}


@program
def structures(tf, np):
    nest = tf.contrib.framework.nest
    deep = {"a": [1, (2, 3)], "b": 4}
    said = [nest.flatten_with_tuple_paths_up_to({"a": 0, "b": 0}, deep)]
    said += [nest.map_structure_with_tuple_paths_up_to({"a": 0, "b": 0}, lambda p, x: (p, x), deep)]
    said += [nest.get_traverse_shallow_structure(lambda s: not isinstance(s, tuple), deep)]
    said += [nest.is_sequence_or_composite([1]), nest.is_sequence_or_composite(1)]
    return {"fetch": [tf.constant(1, name="v")], "said": [str(s) for s in said]}


@program
def metrics(tf, np):
    M = tf.contrib.metrics
    p, t = tf.placeholder(tf.float32, [4]), tf.placeholder(tf.float32, [4])
    w = tf.constant([1.0, 2.0, 0.5, 1.0])
    made = [
        M.streaming_covariance(p, t), M.streaming_covariance(p, t, w),
        M.streaming_pearson_correlation(p, t, w), M.streaming_false_positive_rate(p > 0.5, t > 0.4),
        M.streaming_false_negative_rate(p > 0.5, t > 0.4, w),
        M.streaming_false_positive_rate_at_thresholds(p, t > 0.4, [0.3, 0.6]),
        M.streaming_false_negative_rate_at_thresholds(p, t > 0.4, [0.3, 0.6], w),
        M.cohen_kappa(tf.cast(t * 3, tf.int64), tf.cast(p * 3, tf.int64), 3),
    ]  # fmt: skip
    feeds = [
        {p: [0.25, 0.75, 0.5, 0.9], t: [0.3, 0.9, 0.2, 0.6]},
        {p: [0.9, 0.35, 0.6, 0.1], t: [0.7, 0.1, 0.9, 0.45]},
    ]  # fmt: skip
    return {
        "fetch": [v for v, _ in made], "step": [u for _, u in made], "feed": feeds, "times": 2
    }  # fmt: skip
