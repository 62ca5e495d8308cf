"""Programs of names that few use: blocks, quantization, partitions, small functions.

See `layer_harness.py`.
"""

from layer_harness import data

PROGRAMS = {}


def program(f):
    assert f.__name__ not in PROGRAMS
    PROGRAMS[f.__name__] = f
    return f


@program
def blocks_of_space(tf, np):
    x = tf.placeholder(tf.float32, [None, 4, 6, 2])
    y = tf.space_to_batch_nd(x, [2, 3], [[0, 0], [0, 0]])
    z = tf.space_to_batch_nd(x, [3, 2], [[1, 1], [0, 0]])
    back = tf.batch_to_space_nd(z, [3, 2], [[1, 1], [0, 2]])
    q = tf.space_to_batch(x, [[0, 0], [1, 1]], 2)
    r = tf.batch_to_space(q, [[0, 0], [1, 1]], 2)
    p, c = tf.required_space_to_batch_paddings([5, 7], [2, 3])
    return {
        "fetch": [y, z, back, q, r, p, c, *tf.gradients([y * y, back * back], x)],
        "feed": {x: data(2, 4, 6, 2)},
    }


@program
def repeated(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    return {
        "fetch": [
            tf.identity(v, name="r" + str(i)) for i, v in enumerate((
                tf.repeat(x, 2), tf.repeat(x, [1, 0, 2], axis=1),
                tf.repeat([1, 2, 3], [3, 0, 1]),
            ))
        ],
        "feed": {x: data(2, 3)},
    }  # fmt: skip


@program
def dilated_pools_and_norms(tf, np):
    x = tf.placeholder(tf.float32, [2, 7, 6, 2])
    a = tf.nn.pool(x, [2, 3], "MAX", "VALID", dilation_rate=[2, 1])
    b = tf.nn.pool(x, [2, 2], "AVG", "VALID", dilation_rate=[2, 2])
    c = tf.nn.pool(x[:, :, 0], [3], "AVG", "VALID", dilation_rate=[2])
    m = tf.reshape(tf.norm(x, ord=2, axis=[1, 2]), [2, 2])
    k = tf.reshape(tf.norm(x, ord=2, axis=[2, 1], keepdims=True), [2, 1, 1, 2])
    out = [a, b, c, m, k, *tf.gradients([a * a, c * c, m], x)]
    return {"fetch": [tf.identity(v, name="v" + str(i)) for i, v in enumerate(out)],
            "feed": {x: data(2, 7, 6, 2)}}  # fmt: skip


@program
def quantized(tf, np):
    x = tf.placeholder(tf.float32, [4, 3])
    low, high = tf.constant(-0.3), tf.constant(0.7)
    lows, highs = tf.constant([-0.5, -0.1, 0.2]), tf.constant([0.5, 0.9, 0.6])
    a = tf.fake_quant_with_min_max_args(x, -0.8, 0.6)
    b = tf.fake_quant_with_min_max_vars(x, low, high, num_bits=4)
    c = tf.fake_quant_with_min_max_vars_per_channel(x, lows, highs, narrow_range=True)
    out = [a, b, c]
    for y, xs in ((a, [x]), (b, [x, low, high]), (c, [x, lows, highs])):
        out += [tf.identity(g) for g in tf.gradients(y * y, xs)]
    out += list(tf.fake_quant_with_min_max_vars_gradient(2.0 * x, x, low, high))
    out += [tf.fake_quant_with_min_max_args_gradient(2.0 * x, x, -0.8, 0.6)]
    out += list(tf.fake_quant_with_min_max_vars_per_channel_gradient(x, x, lows, highs))
    return {"fetch": [tf.identity(v, name="v" + str(i)) for i, v in enumerate(out)],
            "feed": {x: data(4, 3)}}  # fmt: skip


@program
def partitioned_variables(tf, np):
    with tf.variable_scope("a", partitioner=tf.fixed_size_partitioner(3)):
        v = tf.get_variable("w", [7, 2], regularizer=lambda w: tf.reduce_sum(w * w, name="loss"))
        s = tf.get_variable("scalar", [], initializer=tf.zeros_initializer())
    with tf.variable_scope("a", reuse=True, partitioner=tf.fixed_size_partitioner(3)):
        same = tf.get_variable("w", [7, 2]) is v
    with tf.variable_scope("b"):
        u = tf.get_variable("u", initializer=tf.constant(data(5)),
                            partitioner=tf.fixed_size_partitioner(2))  # fmt: skip
        few = tf.get_variable("few", [2, 4], partitioner=tf.fixed_size_partitioner(3))
        one = tf.get_variable("one", [6], partitioner=tf.fixed_size_partitioner(1))
        wide = tf.get_variable("wide", [2, 5], partitioner=tf.fixed_size_partitioner(2, axis=1))
    made = tf.create_partitioned_variables([4, 2], [2, 1], tf.zeros_initializer(), name="pp")
    x = tf.constant(data(3, 7))
    y = tf.matmul(x, v)
    rows = tf.identity(tf.nn.embedding_lookup(v, [0, 3, 6], partition_strategy="div"), "rows")
    step = tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(tf.square(y)))
    said = [v.name, str(v.get_shape()), str(len(v)), str(same), str(v.dtype), s.name]
    said += [p.name for w in (v, u, few, one, wide) for p in w] + [p.name for p in made]
    part = list(v)[1]._get_save_slice_info()
    said += [str((part.full_name, part.full_shape, part.var_offset, part.var_shape))]
    for p in (
        tf.variable_axis_size_partitioner(100),
        tf.min_max_variable_partitioner(max_partitions=4, min_slice_size=64),
        tf.variable_axis_size_partitioner(100, axis=1, max_shards=2),
        tf.variable_axis_size_partitioner(3),
    ):
        said.append(str(p(shape=tf.TensorShape([20, 10]), dtype=tf.float32)))
    whole = [tf.convert_to_tensor(w) for w in (v, u, few, one, wide)]
    return {"fetch": [*whole[:1], y, rows, whole[1], *whole[3:4]], "step": step, "times": 2,
            "said": said}  # fmt: skip


@program
def layers_in_parts(tf, np):
    x = tf.constant(data(2, 5))
    with tf.variable_scope("net", partitioner=tf.fixed_size_partitioner(2)):
        y = tf.layers.dense(x, 4, kernel_regularizer=lambda w: tf.reduce_sum(w, name="l"))
    return {"fetch": [y, *tf.get_collection("regularization_losses")],
            "said": [v.name for v in tf.trainable_variables()]}  # fmt: skip


@program
def small_functions(tf, np):
    x = tf.placeholder(tf.float32, [None])
    i = tf.placeholder(tf.int32, [])
    picked = tf.switch_case(i, [lambda: x + 1.0, lambda: x * 2.0], default=lambda: -x)
    same = tf.identity_n([x, tf.constant([1, 2])])
    which = tf.where_v2(x > 0.0, 1.0, x)
    wide = tf.where_v2(tf.constant([[True], [False]]), x, tf.constant(7.0))
    mapped = tf.vectorized_map(lambda e: e * e + 1.0, x)
    f = tf.function(lambda a, b: a * b + 1.0)
    print_ = tf.fingerprint(tf.constant([b"ab", b"c"]))
    flipped = tf.reverse_v2(x, [0])
    said = [
        str(tf.get_static_value(tf.constant([1, 2]))),
        str(tf.get_static_value(x)),
        str(tf.get_static_value(tf.shape(tf.zeros([2, 3])))),
        str(tf.get_static_value(tf.range(3))),
        tf.DeviceSpec(job="w", task=1, device_type="gpu", device_index=0).to_string(),
        str(tf.DeviceSpec.from_string("/job:ps/replica:2/device:CPU:*").device_type),
        str(tf.float32.is_quantized),
        str(tf.GRAPH_DEF_VERSION),
    ]
    return {
        "fetch": [tf.identity(picked, name="p"), *[tf.identity(s, name="s") for s in same],
                  tf.identity(which, name="w"), tf.identity(wide, name="wide"),
                  tf.identity(mapped, name="m"), tf.identity(f(x, x), name="f"), print_, flipped,
                  
                  tf.gradients(same[0] * same[0], x)[0], tf.arg_max(x, 0), tf.arg_min(x, 0)],
        "feed": {x: np.array([0.3, -1.7, 2.2], np.float32), i: 1}, "said": said,
    }  # fmt: skip


@program
def tape(tf, np):
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as t:
        t.watch(x)
        y = x * x * 3.0
        z = tf.stack([x[0] * x[1], tf.sin(x[0])])
    m = tf.constant(data(2, 2))
    with tf.GradientTape() as b:
        b.watch(m)
        w = m * m * m
    out = [t.gradient(y, x), t.jacobian(z, x, experimental_use_pfor=False),
           b.batch_jacobian(w, m, experimental_use_pfor=False)]  # fmt: skip
    return {"fetch": [tf.identity(v, name="t" + str(i)) for i, v in enumerate(out)]}


@program
def sizes_of_distributions(tf, np):
    said = []
    for kind in ("Normal", "Laplace", "Uniform", "Bernoulli", "Beta", "Gamma", "StudentT"):
        made = getattr(tf.distributions, kind).param_static_shapes([2, 3])
        said.append(str(sorted((k, v.as_list()) for k, v in made.items())))
    live = tf.distributions.Normal.param_shapes(tf.constant([4, 5]))
    return {"fetch": [tf.identity(live["loc"], name="loc")], "said": said}


@program
def configurations_of_layers(tf, np):
    said = [
        str(sorted(tf.layers.Dense(3, tf.nn.relu, name="d").get_config().items())),
        str(sorted(tf.layers.Conv2D(3, 2, name="c").get_config().items())),
        str(sorted(tf.layers.MaxPooling2D(2, 2, name="m").get_config().items())),
        str(tf.layers.Dense(4).compute_output_signature(tf.TensorSpec([7, 4], tf.float32))),
        str(tf.layers.Dense(4).submodules), tf.train.AdadeltaOptimizer.__base__.__name__,
        tf.train.FtrlOptimizer.__base__.__name__, tf.train.AdamOptimizer.__base__.__name__,
    ]  # fmt: skip
    return {"fetch": [], "said": said}


@program
def ranks_and_orders_of_the_run(tf, np):
    """What programs of the package gpflow needed."""
    x, y = tf.placeholder(tf.float32), tf.placeholder(tf.float32)
    perm = tf.placeholder(tf.int32, [2])
    a, b = tf.tensordot(x, y, [[-1], [0]]), tf.tensordot(x, y, 1)
    c, d = tf.tensordot(x, x, [[-1], [-1]]), tf.tensordot(x, x, [[0], [0]])
    turned = tf.transpose(x, perm)
    back = tf.reduce_sum(tf.transpose(turned * 2.0, perm), 0)
    v = tf.Variable(data(3, 4))
    picked = [tf.gather(v, [2, 0], axis=1), tf.gather(v, [2, 0]), tf.gather(v, [1], axis=-1),
              tf.gather(v, 1), tf.gather_nd(v, [[1, 2]])]  # fmt: skip
    out = [a, b, c, d, turned, back, *picked, tf.gradients(a * a, x)[0],
           tf.gradients(c * c * c, x)[0]]  # fmt: skip
    return {
        "fetch": [tf.identity(o, name="o" + str(i)) for i, o in enumerate(out)],
        "feed": {x: data(2, 3), y: data(3, 4), perm: [1, 0]},
    }
