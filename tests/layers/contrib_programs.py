"""Programs of tf.contrib.layers, tf.contrib.framework and slim; see `layer_harness.py`."""

from layer_harness import data
from layers_programs import trained

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


@program
def fully_connected(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 4])
    h = L.fully_connected(x, 5, weights_regularizer=L.l2_regularizer(0.1))
    h = L.fully_connected(
        h, 3, activation_fn=tf.tanh, scope="mid", outputs_collections="out",
        variables_collections={"weights": ["weights"], "biases": ["biases"]},
    )  # fmt: skip
    y = L.fully_connected(h, 2, None, biases_initializer=None)
    z = L.linear(h, 2)
    said = [t.name for t in tf.get_collection("out")]
    return trained(tf, x, y + z, data(3, 4), [h, y, z], said=said)


@program
def fully_connected_reuse(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 3, 4])
    a = L.fully_connected(x, 3, scope="fc")
    b = L.fully_connected(x, 3, scope="fc", reuse=True)
    with tf.variable_scope("net") as scope:
        c = L.fully_connected(x, 2)
        scope.reuse_variables()
        d = L.fully_connected(x, 2, scope="fully_connected")
    e = L.fully_connected(x, 2, normalizer_fn=L.batch_norm)
    return {"fetch": [a, b, c, d, e], "feed": {x: data(2, 3, 4)}}


@program
def conv_net(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 8, 8, 2])
    h = L.conv2d(x, 3, 3)
    h = L.max_pool2d(h, 2)
    h = L.conv2d(h, 4, [3, 2], stride=2, padding="VALID", activation_fn=None, scope="second")
    h = L.avg_pool2d(h, [1, 2], 1)
    f = L.flatten(h)
    f = L.dropout(f, 0.5, is_training=False)
    y = L.fully_connected(f, 2, activation_fn=tf.nn.softmax)
    return trained(tf, x, y, data(2, 8, 8, 2), [h, f])


@program
def conv_forms(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 5, 5, 2])
    s = tf.placeholder(tf.float32, [None, 6, 2])
    fetch = [
        L.conv2d(x, 3, 3, rate=2), L.convolution(s, 3, 3), L.conv2d_transpose(x, 2, 3, 2),
        L.separable_conv2d(x, 4, 3), L.separable_conv2d(x, None, 3, 2, scope="deep"),
        L.conv2d(x, 3, 1, normalizer_fn=L.batch_norm, normalizer_params={"is_training": False}),
        L.conv2d_in_plane(x, 3), L.bias_add(x), L.conv3d(tf.expand_dims(x, 1), 2, [1, 2, 2]),
    ]  # fmt: skip
    return {"fetch": fetch, "feed": {x: data(2, 5, 5, 2), s: data(2, 6, 2)}}


@program
def batch_norm_images(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 4, 4, 2])
    y = L.batch_norm(x, decay=0.5, activation_fn=tf.nn.relu)
    z = L.batch_norm(y, is_training=False, scale=True, scope="after")
    return trained(tf, x, z, data(3, 4, 4, 2))


@program
def batch_norm_rows(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 3])
    y = L.batch_norm(x, decay=0.9, scale=True, updates_collections=None)
    z = L.batch_norm(x, decay=0.9, is_training=True, scope="two")
    w = L.batch_norm(x, fused=False, center=False, epsilon=0.1, scope="three")
    got = trained(tf, x, y * 2.0 + z + w, data(5, 3))
    got["fetch"] = list(tf.global_variables())
    return got


@program
def batch_norm_flag(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 3])
    t = tf.placeholder(tf.bool, [])
    y = L.batch_norm(x, decay=0.5, is_training=t, updates_collections=None)
    step = tf.group(y)
    feeds = [{x: data(4, 3), t: True}, {x: data(4, 3), t: True}, {x: data(3, 3), t: False}]
    fetch = list(tf.global_variables())
    return {"fetch": fetch, "feed": feeds, "step": step, "times": 3}


@program
def other_norms(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 4, 4, 4])
    y = L.layer_norm(x)
    z = L.instance_norm(y, epsilon=1e-3)
    w = L.group_norm(z, groups=2)
    v = L.layer_norm(L.flatten(w), center=False, activation_fn=tf.nn.relu)
    return trained(tf, x, w, data(2, 4, 4, 4), [v])


@program
def small_layers(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 4])
    ids = tf.placeholder(tf.int32, [None, 3])
    fetch = [
        L.softmax(x), L.unit_norm(x, 1), L.one_hot_encoding(ids, 5),
        L.embed_sequence(ids, 6, 2), tf.identity(L.bow_encoder(ids, 6, 2), name="bow"),
        tf.identity(L.bow_encoder(ids, 6, 2, sparse_lookup=False), name="mean"),
        L.repeat(x, 2, L.fully_connected, 3), L.stack(x, L.fully_connected, [3, 2], scope="st"),
        L.maxout(x, 2), L.relu(x, 2), L.dropout(x, is_training=False),
    ]  # fmt: skip
    feed = {x: data(2, 4), ids: [[0, 1, 2], [3, 4, 0]]}
    return {"fetch": fetch, "feed": feed}


@program
def regularizers(tf, np):
    L = tf.contrib.layers
    with tf.variable_scope("s", regularizer=L.l1_l2_regularizer(0.1, 0.2)):
        a = tf.get_variable("a", [2, 2])
    b = tf.get_variable("b", [3], regularizer=L.l1_regularizer(0.5))
    tf.add_to_collection(tf.GraphKeys.WEIGHTS, a)
    fetch = [
        L.l2_regularizer(0.3)(a), L.l1_regularizer(0.3)(b), L.l1_l2_regularizer(0.1, 0.0)(a),
        L.sum_regularizer([L.l1_regularizer(1.0), L.l2_regularizer(1.0)])(b),
        L.apply_regularization(L.l2_regularizer(0.5)),
        L.apply_regularization(L.l1_regularizer(0.5), [a, b]),
        tf.losses.get_regularization_loss(),
    ]  # fmt: skip
    said = [str(L.l2_regularizer(0.0)(a)), str(L.sum_regularizer([None]))]
    return {"fetch": fetch, "said": said}


@program
def optimize_loss(tf, np):
    L = tf.contrib.layers
    x = tf.placeholder(tf.float32, [None, 3])
    step = tf.train.get_or_create_global_step()
    y = L.batch_norm(L.fully_connected(x, 2, scope="fc"), scope="bn")
    loss = tf.reduce_mean(tf.square(y - 1.0))
    train = L.optimize_loss(
        loss, step, 0.1, "SGD", clip_gradients=0.5, gradient_multipliers={"fc/weights:0": 2.0},
        learning_rate_decay_fn=lambda r, s: tf.train.exponential_decay(r, s, 2, 0.5), summaries=[],
    )  # fmt: skip
    fetch = [loss, *tf.global_variables()]
    return {
        "fetch": fetch, "feed": {x: data(4, 3)}, "step": train, "times": 3, "said": [train.name]
    }  # fmt: skip


@program
def optimize_loss_forms(tf, np):
    L = tf.contrib.layers
    tf.train.create_global_step()
    x = tf.placeholder(tf.float32, [None, 3])
    y = L.fully_connected(x, 2, scope="fc")
    loss = tf.reduce_mean(tf.square(y - 1.0))
    trains = [
        L.optimize_loss(loss, None, 0.1, o, summaries=[], name=n)
        for n, o in [
            ("a", "Adam"), ("b", "Momentum"), ("c", tf.train.AdagradOptimizer),
            ("d", lambda r: tf.train.RMSPropOptimizer(r)),
        ]
    ]  # fmt: skip
    trains.append(
        L.optimize_loss(
            loss,
            None,
            None,
            tf.train.GradientDescentOptimizer(0.1),
            summaries=[],
            clip_gradients=lambda pairs: [(tf.clip_by_norm(g, 0.1), v) for g, v in pairs],
        )
    )
    fetch = [loss, *tf.trainable_variables()]
    return {"fetch": fetch, "feed": {x: data(4, 3)}, "step": trains[4], "times": 2}


@program
def arg_scopes(tf, np):
    slim = tf.contrib.slim
    x = tf.placeholder(tf.float32, [None, 8, 8, 2])
    with slim.arg_scope(
        [slim.conv2d, slim.fully_connected], activation_fn=tf.nn.elu,
        weights_initializer=tf.truncated_normal_initializer(stddev=0.1),
        weights_regularizer=slim.l2_regularizer(0.05),
    ):  # fmt: skip
        with slim.arg_scope([slim.conv2d], stride=2, padding="VALID") as inner:
            a = slim.conv2d(x, 3, [3, 3], scope="a")
            b = slim.conv2d(x, 3, [3, 3], stride=1, padding="SAME", scope="b")
        c = slim.conv2d(x, 3, [3, 3], scope="c")
        with slim.arg_scope(inner):
            d = slim.conv2d(x, 2, [2, 2], scope="d")
    net = slim.flatten(slim.max_pool2d(a, [2, 2]))
    net = slim.dropout(net, 0.7, is_training=False)
    y = slim.fully_connected(net, 2, activation_fn=None, normalizer_fn=slim.batch_norm)
    said = [v.name for v in slim.get_variables()] + [v.name for v in slim.get_model_variables("a")]
    said += [v.name for v in slim.get_variables_by_name("weights")]
    said += [v.name for v in slim.get_variables_to_restore(exclude=["b", "c"])]
    said += [v.name for v in slim.get_variables_by_suffix("biases", "d")]
    return {"fetch": [a, b, c, d, y], "feed": {x: data(1, 8, 8, 2)}, "said": said}


@program
def model_variables(tf, np):
    F = tf.contrib.framework
    a = F.model_variable("a", shape=[2], initializer=tf.ones_initializer())
    b = F.variable("b", shape=[2], regularizer=tf.contrib.layers.l2_regularizer(0.5))
    c = F.local_variable(3.0, name="c")
    d = F.model_variable(
        "s/d", [2], initializer=tf.zeros_initializer(), collections=["mine"], trainable=False
    )
    said = [v.name for v in tf.get_collection("mine")]
    said += [v.name for v in F.get_local_variables()] + [F.get_unique_variable("s/d").name]
    said += [v.name for v in F.filter_variables([a, b, d], include_patterns=["s/"])]
    said.append(F.get_variable_full_name(d))
    return {"fetch": [a, b, c, d], "said": said}
