"""Writes ``data/*``: graphs and values of TensorFlow 1.15, run by hand under it."""

import os

import numpy as np
import tensorflow as tf

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def frozen(name, build, feeds):
    """A graph for inference with constants in place of variables, and what it gives."""
    with tf.Graph().as_default() as g, tf.Session() as sess:
        tf.set_random_seed(1)
        outputs = build()
        sess.run(tf.global_variables_initializer())
        values = sess.run(outputs, feeds)
        made = tf.graph_util.convert_variables_to_constants(
            sess, g.as_graph_def(), [o.op.name for o in outputs]
        )
    with open(os.path.join(DATA, name + ".pb"), "wb") as f:
        f.write(made.SerializeToString())
    arrays = {"out/" + o.name: v for o, v in zip(outputs, values)}  # noqa: B905 (Python 3.7)
    arrays.update({"in/" + k: v for k, v in feeds.items()})
    np.savez(os.path.join(DATA, name + ".npz"), **arrays)


def conv_net():
    x = tf.placeholder(tf.float32, [None, 12, 12, 1], name="x")
    keep = tf.placeholder_with_default(1.0, [], name="keep")
    h = tf.layers.conv2d(x, 4, 3, padding="same", activation=tf.nn.relu)
    h = tf.layers.max_pooling2d(h, 2, 2)
    h = tf.layers.batch_normalization(h, training=False)
    h = tf.layers.conv2d(h, 3, 3, strides=2, dilation_rate=1)
    h = tf.nn.depthwise_conv2d(h, tf.fill([2, 2, 3, 2], 0.3), [1, 1, 1, 1], "SAME")
    h = tf.nn.avg_pool(tf.nn.lrn(h), [1, 2, 2, 1], [1, 1, 1, 1], "SAME")
    h = tf.nn.dropout(tf.layers.flatten(h), keep)
    y = tf.layers.dense(h, 5, name="logits")
    return [tf.nn.softmax(y, name="prob"), tf.argmax(y, 1, name="best"),
            tf.nn.top_k(y, 2, name="top").values]  # fmt: skip


def mixed():
    x = tf.placeholder(tf.float32, [None, 6], name="x")
    ids = tf.placeholder(tf.int32, [None], name="ids")
    table = tf.get_variable("table", [7, 6])
    e = tf.nn.embedding_lookup(table, ids, name="e")
    both = tf.concat([x, e], 1, name="both")
    parts = tf.split(both, 3, 1)
    s = tf.stack([p * float(i + 1) for i, p in enumerate(parts)], 1)
    n = tf.shape(x)[0]
    r = tf.reshape(s, [n, -1], name="r")
    t = tf.tile(tf.expand_dims(tf.reduce_mean(r, 1), 1), [1, 3])
    u = tf.where(t > 0.0, tf.tanh(t), tf.nn.elu(t), name="u")
    w = tf.matmul(r, tf.get_variable("w", [12, 3])) + tf.get_variable("b", [3])
    z = tf.nn.log_softmax(tf.pad(w, [[0, 0], [1, 1]]), name="z")
    q = tf.squeeze(tf.transpose(z[:, 1:-1, tf.newaxis], [0, 2, 1]), [1], name="q")
    cast = tf.cast(tf.one_hot(ids, 7, dtype=tf.float32) > 0.5, tf.int32, name="cast")
    total = tf.reduce_sum(tf.square(u), keepdims=True) / tf.to_float(n)
    filled = tf.fill(tf.stack([n, 2]), tf.sqrt(total[0, 0]), name="filled")
    clip = tf.clip_by_value(tf.maximum(x, 0.1), 0.2, 0.7, name="clip")
    chosen = tf.gather(both, tf.range(2), axis=0, name="chosen")
    run = tf.cumsum(x, axis=1, reverse=True, name="run")
    batch = tf.matmul(s, s, transpose_b=True, name="batch")
    return [u, z, q, cast, filled, clip, chosen, run, batch]


def trained():
    """A training graph with its checkpoint: Adam, an average, summaries, collections, a loop."""
    with tf.Graph().as_default():
        tf.set_random_seed(2)
        x = tf.placeholder(tf.float32, [None, 3], name="x")
        y = tf.layers.dense(x, 2, tf.nn.relu, name="hidden",
                            kernel_regularizer=tf.keras.regularizers.l2(0.1))  # fmt: skip
        out = tf.layers.dense(y, 1, name="out")
        looped = tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.constant(0)], name="loop")
        loss = tf.reduce_mean(tf.square(out - 1.0)) + tf.losses.get_regularization_loss()
        step = tf.train.get_or_create_global_step()
        train = tf.train.AdamOptimizer(0.1).minimize(loss, global_step=step)
        tf.summary.scalar("loss", loss)
        merged = tf.summary.merge_all()
        tf.add_to_collection("predict", out)
        tf.add_to_collection("train_op", train)
        tf.add_to_collection("numbers", 3)
        saver = tf.train.Saver(max_to_keep=7)
        data = np.random.RandomState(0).rand(4, 3).astype("f")
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(3):
                sess.run([train, looped, merged], {x: data})
            saver.save(sess, os.path.join(DATA, "trained"), strip_default_attrs=True)
            np.savez(os.path.join(DATA, "trained.npz"), x=data, out=sess.run(out, {x: data}))
    os.remove(os.path.join(DATA, "checkpoint"))


if __name__ == "__main__":
    os.makedirs(DATA, exist_ok=True)
    random = np.random.RandomState(3)
    frozen("conv_net", conv_net, {"x:0": random.rand(3, 12, 12, 1).astype("f")})
    frozen("mixed", mixed, {"x:0": random.randn(4, 6).astype("f"),
                            "ids:0": np.array([0, 6, 3, 3], "i")})  # fmt: skip
    trained()
