"""Writes ``flow/*``: control flow and training of TensorFlow 1.15, run by hand under it.

Each model is a graph with its feeds (``in/``) and what fetches gave with them (``out/``), in turn;
with each ``train`` operation beside them, after ``init`` and with variables set to ``var/``.
"""

import gzip
import os
import sys

import numpy as np
import tensorflow as tf

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "flow")
RANDOM = np.random.RandomState(5)
MODELS = {}


def model(f):
    MODELS[f.__name__] = f
    return f


def data(*shape):
    return RANDOM.uniform(-1, 1, shape).astype("f")


# --------------------------------------------------------------------- frozen graphs


@model
def branches():
    x = tf.placeholder(tf.float32, [None], name="x")
    p = tf.placeholder(tf.bool, [], name="p")
    q = tf.placeholder(tf.bool, [], name="q")
    c = tf.constant([1.0, 2.0, 3.0])
    a, b = tf.cond(p, lambda: (x * 2 + c, tf.reduce_sum(x)), lambda: (x - 1, tf.constant(7.0)))
    inner = tf.cond(q, lambda: tf.cond(p, lambda: a * 3, lambda: c), lambda: tf.reverse(a, [0]))
    checked = tf.Assert(tf.reduce_all(x < 100.0), [x])
    with tf.control_dependencies([checked]):
        last = tf.case([(b > 6.0, lambda: inner + 1), (q, lambda: inner - 1)], lambda: inner * b)
    g = tf.gradients(last, x)[0]
    outs = [a, b, inner, last, g]
    return outs, [{"x:0": data(3), "p:0": i % 2 == 1, "q:0": i > 1} for i in range(4)]


@model
def loops():
    n = tf.placeholder(tf.int32, [], name="n")
    x = tf.placeholder(tf.float32, [None, 2], name="x")
    w = tf.get_variable("w", [2, 2])

    def body(i, y, z):
        y = tf.matmul(y, w) + tf.to_float(i)
        y = tf.cond(tf.equal(i % 2, 0), lambda: tf.tanh(y), lambda: y * 0.5)
        _, k = tf.while_loop(lambda j, _: j < i, lambda j, k: (j + 1, k + y), [0, x])
        return i + 1, y + k, tf.concat([z, y], 0)

    shapes = [tf.TensorShape([]), tf.TensorShape([None, 2]), tf.TensorShape([None, 2])]
    i, y, z = tf.while_loop(lambda i, *_: i < n, body, [1, x, x], shape_invariants=shapes)
    rows = tf.map_fn(lambda r: tf.scan(lambda a, b: a * b + 1, r), x)
    fold = tf.foldl(lambda a, r: a + r * r, x, initializer=tf.zeros([2]))
    ta = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[2])
    _, grown = tf.while_loop(lambda i, _: i < n, lambda i, t: (i + 1, t.write(i, fold)), [0, ta])
    outs = [i, y, z, rows, fold, grown.stack(), grown.size()]
    return outs, [{"x:0": data(3, 2), "n:0": k} for k in (3, 1, 4)]


@model
def recurrent():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    length = tf.placeholder(tf.int32, [None], name="length")
    lstm = tf.nn.rnn_cell.LSTMCell(4, use_peepholes=True)
    out, state = tf.nn.dynamic_rnn(lstm, x, length, dtype=tf.float32)
    gru = tf.nn.rnn_cell.GRUCell(3)
    both, _ = tf.nn.bidirectional_dynamic_rnn(
        gru, tf.nn.rnn_cell.BasicRNNCell(2), x, length, dtype=tf.float32, scope="bi"
    )
    outs = [out, state.c, state.h, *both]
    return outs, [{"x:0": data(k, 4, 3), "length:0": np.arange(k) % 4 + 1} for k in (2, 3)]


# --------------------------------------------------------------------- training graphs


@model
def mlp():
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.int64, [None], name="y")
    h = tf.layers.dense(x, 5, tf.nn.relu)
    h = tf.layers.dense(h, 4, tf.nn.sigmoid) + tf.layers.dense(h, 4, tf.nn.elu)
    loss = tf.losses.sparse_softmax_cross_entropy(y, tf.layers.dense(h, 3))
    step = tf.train.get_or_create_global_step()
    optimizers = {
        "sgd": tf.train.GradientDescentOptimizer(0.3),
        "momentum": tf.train.MomentumOptimizer(0.2, 0.9),
        "nesterov": tf.train.MomentumOptimizer(0.2, 0.9, use_nesterov=True),
        "adam": tf.train.AdamOptimizer(0.05),
        "adagrad": tf.train.AdagradOptimizer(0.3),
        "adadelta": tf.train.AdadeltaOptimizer(5.0),
        "rmsprop": tf.train.RMSPropOptimizer(0.05, momentum=0.5),
        "centered": tf.train.RMSPropOptimizer(0.05, centered=True),
        "ftrl": tf.train.FtrlOptimizer(0.3, l1_regularization_strength=0.01),
        "proximal": tf.train.ProximalGradientDescentOptimizer(0.3, 0.01, 0.01),
        "proximal_adagrad": tf.train.ProximalAdagradOptimizer(0.3, 0.1, 0.01, 0.01),
        "adagrad_da": tf.train.AdagradDAOptimizer(0.3, step, l1_regularization_strength=0.001),
        "add_sign": tf.contrib.opt.AddSignOptimizer(0.1),
        "power_sign": tf.contrib.opt.PowerSignOptimizer(0.1),
    }
    pairs = optimizers["sgd"].compute_gradients(loss)
    for name, optimizer in optimizers.items():
        optimizer.apply_gradients(pairs, global_step=step, name="train_" + name)
    return [loss], [{"x:0": data(6, 3), "y:0": np.arange(6) % 3} for _ in range(4)]


@model
def cnn():
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    h = tf.layers.conv2d(x, 3, 3, padding="same", activation=tf.nn.relu)
    h = tf.layers.max_pooling2d(h, 2, 2)
    h = tf.layers.batch_normalization(h, training=True)
    h = tf.layers.conv2d(h, 2, 3, strides=2, activation=tf.nn.leaky_relu)
    h = tf.nn.avg_pool(h, [1, 2, 2, 1], [1, 1, 1, 1], "SAME")
    logits = tf.layers.dense(tf.layers.flatten(h), 2)
    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=logits))
    loss += tf.add_n([1e-3 * tf.nn.l2_loss(v) for v in tf.trainable_variables()])
    rate = tf.train.exponential_decay(0.2, tf.train.get_or_create_global_step(), 2, 0.9)
    optimizer = tf.train.MomentumOptimizer(rate, 0.9)
    pairs = optimizer.compute_gradients(loss)
    grads, _ = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        optimizer.apply_gradients(
            [(g, v) for g, (_, v) in zip(grads, pairs)],  # noqa: B905 (Python 3.7)
            global_step=tf.train.get_global_step(), name="train")  # fmt: skip
    return [loss], [{"x:0": data(4, 8, 8, 1), "y:0": np.eye(2, dtype="f")[[0, 1, 1, 0]]}] * 4


@model
def lstm():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    out, _ = tf.nn.dynamic_rnn(cell, x, tf.constant([4, 2, 3]), dtype=tf.float32)
    loss = tf.reduce_mean(tf.square(tf.layers.dense(out[:, -1], 2) - y))
    tf.train.AdamOptimizer(0.1).minimize(loss, name="train")
    return [loss], [{"x:0": data(3, 4, 3), "y:0": data(3, 2)}] * 4


@model
def embedded():
    ids = tf.placeholder(tf.int32, [None], name="ids")
    table = tf.get_variable("table", [7, 3])
    other = tf.get_variable("other", [7, 3])
    loss = tf.reduce_mean(tf.square(tf.nn.embedding_lookup(table, ids) - 1.0))
    loss += tf.reduce_sum(tf.gather(other, ids) ** 2)
    average = tf.train.ExponentialMovingAverage(0.9)
    first = tf.train.AdagradOptimizer(0.3).minimize(loss, var_list=[table])
    second = tf.train.AdamOptimizer(0.1).minimize(loss, var_list=[other])
    with tf.control_dependencies([first, second]):
        tf.group(average.apply([table, other]), name="train")
    return [loss], [{"ids:0": np.array([1, 3, 3, 6])}, {"ids:0": np.array([0, 1])}] * 2


@model
def looped():
    """A net of nested loops and conds, and its gradient."""
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.get_variable("w", [3, 3])
    v = tf.get_variable("v", [3])

    def step(i, h):
        inner = tf.while_loop(lambda j, _: j < i, lambda j, a: (j + 1, tf.tanh(a * v)), [0, h])[1]
        h = tf.cond(tf.reduce_sum(h) > 0, lambda: tf.matmul(inner, w), lambda: inner + h * v)
        return i + 1, h

    _, h = tf.while_loop(lambda i, _: i < 4, step, [0, x])
    rows = tf.map_fn(lambda r: tf.foldl(lambda a, b: a * tf.sin(b), r * v), x)
    loss = tf.reduce_mean(tf.square(h - 0.5)) + tf.reduce_sum(rows)
    g = tf.gradients(loss, [w, v, x])
    tf.train.GradientDescentOptimizer(0.1).minimize(loss, name="train")
    return [loss, *g], [{"x:0": data(2, 3)} for _ in range(3)]


@model
def attention():
    """Sequence to sequence with attention: loops that end when all rows have."""
    seq2seq = tf.contrib.seq2seq
    ids = tf.placeholder(tf.int32, [None, None], name="ids")
    n = tf.placeholder(tf.int32, [None], name="n")
    table = tf.get_variable("table", [11, 3])
    words = tf.nn.embedding_lookup(table, ids)
    read, state = tf.nn.dynamic_rnn(tf.nn.rnn_cell.GRUCell(3), words, n, dtype=tf.float32)
    luong = seq2seq.LuongAttention(3, read, n)
    cell = seq2seq.AttentionWrapper(tf.nn.rnn_cell.GRUCell(3), luong, attention_layer_size=3)
    begin = cell.zero_state(tf.shape(ids)[0], tf.float32).clone(cell_state=state)
    decoder = seq2seq.BasicDecoder(
        cell, seq2seq.TrainingHelper(words, n), begin, tf.layers.Dense(11, use_bias=False)
    )
    out, _, _ = seq2seq.dynamic_decode(decoder)
    mask = tf.sequence_mask(n, tf.shape(ids)[1], dtype=tf.float32)
    loss = seq2seq.sequence_loss(out.rnn_output, ids, mask)
    tf.train.GradientDescentOptimizer(0.5).minimize(loss, name="train")
    given = {"ids:0": np.arange(12).reshape(3, 4) % 11, "n:0": np.array([4, 2, 3])}
    return [loss], [given] * 3


@model
def beam():
    seq2seq = tf.contrib.seq2seq
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    decoder = seq2seq.BeamSearchDecoder(
        tf.nn.rnn_cell.GRUCell(3), tf.get_variable("table", [5, 3]), tf.fill([tf.shape(x)[0]], 1),
        2, seq2seq.tile_batch(x, 2), 2, tf.layers.Dense(5, use_bias=False))  # fmt: skip
    out, state, lengths = seq2seq.dynamic_decode(decoder, maximum_iterations=4)
    return [out.predicted_ids, state.log_probs, lengths], [{"x:0": data(2, 3)}]


@model
def resources():
    x = tf.placeholder(tf.float32, [None, 4, 3], name="x")
    i = tf.constant([0, 2, 2])
    with tf.variable_scope("", use_resource=True):
        y = tf.layers.dense(tf.layers.batch_normalization(x[:, 0], training=True), 4, tf.nn.relu6)
        e = tf.nn.embedding_lookup(tf.get_variable("t", [5, 4]), i)
    z = tf.keras.layers.LSTM(2, recurrent_initializer="zeros")(x)
    loss = tf.reduce_sum(tf.square(y - 1)) + tf.reduce_sum(e**3) + tf.reduce_sum(z)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        tf.train.AdamOptimizer(0.1).minimize(loss, name="train")
    return [loss], [{"x:0": data(4, 4, 3)}] * 3


@model
def operators():
    """A policy gradient, and the gradients of many ops."""
    s = tf.placeholder(tf.float32, [None, 4], name="s")
    a = tf.placeholder(tf.int32, [None], name="a")
    y = tf.layers.dense(s, 3)
    p = tf.nn.softmax(y)
    chosen = tf.gather_nd(p, tf.stack([tf.range(tf.shape(a)[0]), a], 1))
    parts = [
        tf.log(tf.clip_by_value(chosen, 1e-6, 1.0)), p * tf.log(p + 1e-6), tf.reduce_max(y, 1),
        tf.reduce_prod(tf.reduce_mean(y, 0)), tf.nn.l2_normalize(y, 1)[:, ::2],
        tf.reduce_logsumexp(y), tf.tile(y, [2, 3]), tf.pad(y, [[0, 0], [1, 1]]), tf.cumsum(y, 1),
        tf.nn.top_k(y, 2)[0], tf.one_hot(a, 3) * y, tf.norm(y), tf.where(y > 0, y, y * 2),
        tf.transpose(tf.concat([y, p], 1)), tf.stack(tf.unstack(y, axis=1), 1) ** 2,
        tf.matmul(y, p, transpose_b=True), tf.segment_sum(y, tf.range(tf.shape(a)[0]) // 2),
        tf.nn.selu(y), tf.nn.softplus(y), tf.nn.softsign(y), tf.sqrt(tf.abs(y)), tf.rsqrt(p),
    ]  # fmt: skip
    image = tf.reshape(y, [-1, 1, 3, 1])
    parts.append(tf.image.resize_bilinear(image, [2, 5]))
    parts.append(tf.image.resize_nearest_neighbor(image, [3, 4]))
    parts.append(tf.nn.lrn(tf.reshape(p, [-1, 1, 1, 3]), 1))
    parts.append(tf.pad(y, [[0, 0], [1, 1]], "REFLECT"))
    loss = tf.add_n([tf.reduce_mean(t) for t in parts])
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    pairs = optimizer.compute_gradients(loss)
    optimizer.apply_gradients([(tf.clip_by_norm(g, 5.0), v) for g, v in pairs], name="train")
    outs = [loss, tf.multinomial(y, 1, seed=4), tf.random_uniform([2], 0, 9, tf.int32, seed=5)]
    return outs, [{"s:0": data(5, 4), "a:0": np.array([0, 1, 2, 1, 0])}] * 3


@model
def pictures():
    """Layers that train and predict differently, by a switch; random numbers."""
    x = tf.placeholder(tf.float32, [None, 6, 6, 2], name="x")
    t = tf.placeholder_with_default(True, [], name="t")
    h = tf.layers.batch_normalization(tf.layers.conv2d(x, 3, 3), training=t)
    h = tf.layers.separable_conv2d(h, 4, 3, padding="same")
    h = tf.layers.conv2d_transpose(tf.layers.dropout(h, 0.5, training=t, seed=1), 2, 3, 2)
    h = tf.reduce_max(h + tf.random_normal(tf.shape(h), stddev=0.1, seed=2), [1, 2])
    loss = tf.losses.huber_loss(tf.zeros_like(h), h) + tf.losses.get_regularization_loss()
    average = tf.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
        step = tf.train.MomentumOptimizer(0.05, 0.9).minimize(loss)
    with tf.control_dependencies([step]):
        tf.group(average.apply(tf.trainable_variables()), name="train")
    given = data(2, 6, 6, 2)
    return [loss], [{"x:0": given}, {"x:0": given, "t:0": False}, {"x:0": given}]


# --------------------------------------------------------------------- writing


def write(name, f):
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.set_random_seed(3)
        outputs, feeds = f()
        trains = [
            o.name
            for o in g.get_operations()
            if o.name.split("_")[0] == "train" and "/" not in o.name
        ]
        init = tf.global_variables_initializer()
        sess.run(init)
        variables = tf.trainable_variables()
        values = sess.run(variables)
        arrays = {"var/" + v.name: a for v, a in zip(variables, values) if trains}  # noqa: B905
        for i, feed in enumerate(feeds):
            arrays.update({f"in/{i}/{k}": a for k, a in feed.items()})
        for train in trains or [None]:
            sess.run(init)
            for v, a in zip(variables, values):  # noqa: B905
                v.load(a, sess)
            fetched = []
            for feed in feeds:  # first the values: what runs beside `train` may see its updates
                fetched.append(sess.run(outputs, feed))
                if train:
                    sess.run(train, feed)
            for j, o in enumerate(outputs):
                if train:
                    arrays[f"out/{train}/{o.name}"] = np.stack([values[j] for values in fetched])
                else:
                    arrays.update({f"out/{i}/{o.name}": a[j] for i, a in enumerate(fetched)})
        if trains:
            made = tf.train.export_meta_graph(
                strip_default_attrs=True, clear_devices=True
            ).SerializeToString()
        else:
            made = tf.graph_util.convert_variables_to_constants(
                sess, g.as_graph_def(), [o.op.name for o in outputs]
            ).SerializeToString()
    path = os.path.join(DATA, name + (".meta" if trains else ".pb") + ".gz")
    with gzip.GzipFile(path, "wb", 9, mtime=0) as file:
        file.write(made)
    np.savez_compressed(os.path.join(DATA, name + ".npz"), **arrays)


if __name__ == "__main__":
    os.makedirs(DATA, exist_ok=True)
    for _name in sys.argv[1:] or MODELS:
        write(_name, MODELS[_name])
