"""Small programs whose op names TensorFlow 1.15 decides.

Every program is a function of `tf` and `np`; it builds into the default graph and may
return a list of strings (names of tensors, variables, collections).  `record.py` runs
each one in a fresh graph under TensorFlow 1.15 and writes the name and type of every
op, in creation order, and the returned list to `naming.json`.  The same functions run
under graphc.
"""

# `tensor + list` is an addition here, not a concatenation.
# ruff: noqa: RUF005

PROGRAMS = {}


def program(function):
    """Register a program under its function name."""
    assert function.__name__ not in PROGRAMS, function.__name__
    PROGRAMS[function.__name__] = function
    return function


def names(things):
    """Names of tensors, variables or operations."""
    return [thing.name for thing in things]


# ---- constants, placeholders, conversion -------------------------------------------------


@program
def constants(tf, np):
    a = tf.constant(1.0)
    b = tf.constant([1, 2], name="b")
    c = tf.constant(0.0, shape=[2, 2])
    d = tf.constant(np.ones((2, 2)), dtype=tf.float32, name="b")
    return names([a, b, c, d])


@program
def placeholders(tf, np):
    a = tf.placeholder(tf.float32)
    b = tf.placeholder(tf.float32, [None, 3])
    c = tf.placeholder(tf.int32, [], name="x")
    d = tf.placeholder_with_default(tf.zeros([2]), [None])
    e = tf.placeholder_with_default([1.0, 2.0], [2], name="dflt")
    return names([a, b, c, d, e])


@program
def name_counting(tf, np):
    out = [
        tf.constant(0, name=n) for n in ["a", "a", "a_1", "a_1", "A", "a", "a_1_1", "b.c", "b/c"]
    ]
    return names(out)


@program
def trailing_slash_name(tf, np):
    a = tf.constant(1.0, name="x")
    with tf.name_scope("s"):
        b = tf.identity(a, name="inner/deep")
        c = tf.add(a, a, name="x")
    return names([a, b, c])


@program
def conversions(tf, np):
    a = tf.convert_to_tensor([1.0, 2.0])
    b = tf.convert_to_tensor(3, name="three")
    c = tf.convert_to_tensor([a, a])
    d = tf.convert_to_tensor([[1.0, tf.constant(2.0)], [3.0, 4.0]])
    e = tf.identity([1.0])
    return names([a, b, c, d, e])


@program
def zeros_ones_fill(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    out = [
        tf.zeros([2, 3]),
        tf.zeros([], tf.int32),
        tf.zeros(3),
        tf.ones([2]),
        tf.ones([2, 3], name="o"),
        tf.fill([2, 2], 7.0),
        tf.zeros(tf.shape(x)),
        tf.ones(tf.stack([tf.shape(x)[0], 4])),
        tf.zeros_like(x),
        tf.ones_like(x),
        tf.zeros_like(tf.constant([1.0])),
        tf.ones_like(tf.constant([1.0])),
        tf.zeros([2000]),
        tf.ones([40, 40]),
        tf.eye(3),
        tf.eye(2, 3),
    ]
    return names(out)


@program
def ranges(tf, np):
    n = tf.placeholder(tf.int32, [])
    return names(
        [
            tf.range(5),
            tf.range(n),
            tf.range(2, 9, 3),
            tf.range(0.0, 1.0, 0.5),
            tf.linspace(0.0, 1.0, 5),
            tf.lin_space(0.0, 1.0, 3, name="L"),
        ]
    )


# ---- variables and scopes ----------------------------------------------------------------


@program
def variable_plain(tf, np):
    v = tf.Variable(1.0)
    w = tf.Variable([1, 2], name="w")
    u = tf.Variable(tf.zeros([2]))
    return names([v, w, u, v.initializer, v.value(), v.read_value()]) + [v.op.name, v.op.type]


@program
def variable_from_random(tf, np):
    w = tf.Variable(tf.random_normal([3, 2], stddev=0.1), name="W")
    b = tf.Variable(tf.zeros([2]), name="b", trainable=False)
    t = tf.Variable(tf.truncated_normal([3, 2], stddev=0.1), dtype=tf.float32)
    u = tf.Variable(tf.random_uniform([3], -1.0, 1.0))
    return names([w, b, t, u]) + names(tf.trainable_variables()) + names(tf.global_variables())


@program
def variable_callable_initial(tf, np):
    v = tf.Variable(lambda: tf.constant(1.0), name="v")
    with tf.name_scope("n"):
        w = tf.Variable(lambda: tf.random_normal([2]), name="w")
    return names([v, w])


@program
def variable_same_name(tf, np):
    out = [tf.Variable(0.0, name="v") for _ in range(3)]
    out.append(tf.Variable(0.0))
    out.append(tf.Variable(0.0))
    return names(out)


@program
def variable_in_name_scope(tf, np):
    with tf.name_scope("layer"):
        w = tf.Variable(0.0, name="w")
        g = tf.get_variable("g", [2])
    with tf.name_scope("layer"):
        v = tf.Variable(0.0, name="w")
    return names([w, g, v])


@program
def variable_in_variable_scope(tf, np):
    with tf.variable_scope("layer"):
        a = tf.Variable(0.0, name="w")
        b = tf.get_variable("w", [])
        c = tf.get_variable("w2", initializer=tf.constant(3.0))
    return names([a, b, c])


@program
def variable_uses(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    out = [
        v + 1.0,
        1.0 * v,
        -v,
        v[0],
        tf.assign(v, [0.0, 0.0]),
        v.assign([3.0, 4.0]),
        v.assign_add([1.0, 1.0]),
        v.assign_sub([1.0, 1.0]),
        tf.assign_add(v, [1.0, 1.0], name="bump"),
        v.initialized_value(),
    ]
    return names(out) + [v.initial_value.name]


@program
def get_variable_initializers(tf, np):
    out = [
        tf.get_variable("a", [2, 3]),
        tf.get_variable("b", [3], initializer=tf.zeros_initializer()),
        tf.get_variable("c", [3], initializer=tf.ones_initializer()),
        tf.get_variable("d", [3], initializer=tf.constant_initializer(0.5)),
        tf.get_variable("e", [3, 2], initializer=tf.random_normal_initializer(0.0, 0.1)),
        tf.get_variable("f", [3, 2], initializer=tf.truncated_normal_initializer(stddev=0.1)),
        tf.get_variable("g", [3, 2], initializer=tf.random_uniform_initializer(-1.0, 1.0)),
        tf.get_variable("h", [3, 2], initializer=tf.glorot_normal_initializer()),
        tf.get_variable("i", [3, 2], initializer=tf.orthogonal_initializer()),
        tf.get_variable("j", initializer=np.float32([1, 2])),
        tf.get_variable("k", initializer=1.5),
        tf.get_variable("l", [2], tf.int32),
        tf.get_variable("m", [3, 2], initializer=tf.variance_scaling_initializer(2.0)),
        tf.get_variable("n", [3, 2], initializer=tf.uniform_unit_scaling_initializer()),
        tf.get_variable("o", [2, 2], initializer=tf.initializers.identity()),
    ]
    return names(out)


@program
def get_variable_regularizer(tf, np):
    with tf.variable_scope("s", regularizer=lambda t: 0.5 * tf.reduce_sum(t * t)):
        a = tf.get_variable("a", [2])
        b = tf.get_variable("b", [2], regularizer=tf.nn.l2_loss)
    return names([a, b]) + names(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES))


@program
def get_variable_reuse(tf, np):
    out = []
    with tf.variable_scope("s"):
        out.append(tf.get_variable("w", [2]))
    with tf.variable_scope("s", reuse=True):
        out.append(tf.get_variable("w", [2]))
        out.append(tf.get_variable("w"))
        out.append(out[0] + 1.0)
    with tf.variable_scope("s") as scope:
        scope.reuse_variables()
        out.append(tf.get_variable("w"))
    with tf.variable_scope("s", reuse=tf.AUTO_REUSE):
        out.append(tf.get_variable("w", [2]))
        out.append(tf.get_variable("x", [2]))
    return names(out) + [str(out[0] is out[1]), str(tf.get_variable_scope().reuse)]


@program
def name_scopes(tf, np):
    with tf.name_scope("a") as a:
        one = tf.constant(1.0)
        with tf.name_scope("b"):
            two = tf.constant(2.0, name="c")
    with tf.name_scope("a") as again:
        three = tf.constant(3.0)
    with tf.name_scope(a):
        four = tf.constant(4.0)
    with tf.name_scope(None) as none:
        five = tf.constant(5.0)
    with tf.name_scope(again):
        with tf.name_scope(""):
            six = tf.constant(6.0)
        with tf.name_scope("b"):
            seven = tf.constant(7.0)
    with tf.name_scope(None, "default", [one]) as d:
        eight = tf.constant(8.0)
    out = names([one, two, three, four, five, six, seven, eight])
    return out + [a, again, none, d]


@program
def name_scope_against_op(tf, np):
    a = tf.constant(1.0, name="a")
    with tf.name_scope("a") as s:
        b = tf.constant(1.0, name="a")
    c = tf.constant(1.0, name="a")
    with tf.name_scope("a") as t:
        pass
    d = tf.constant(1.0, name="a_3")
    e = tf.constant(1.0, name="a")
    return names([a, b, c, d, e]) + [s, t]


@program
def name_scope_with_dots(tf, np):
    with tf.name_scope("layer-1.x") as s:
        a = tf.constant(1.0)
    with tf.name_scope("deep/er") as t:
        b = tf.constant(1.0)
    with tf.name_scope("deep") as u:
        c = tf.constant(1.0)
    return [*names([a, b, c]), s, t, u]


@program
def unique_names(tf, np):
    g = tf.get_default_graph()
    out = [g.unique_name("a"), g.unique_name("a"), g.unique_name("a", mark_as_used=False)]
    with tf.name_scope("s"):
        out += [g.unique_name("a"), g.get_name_scope()]
    out.append(tf.constant(1.0, name="a").name)
    return out


@program
def variable_scopes(tf, np):
    out, said = [], []
    with tf.variable_scope("a") as a:
        out.append(tf.get_variable("v", []))
        out.append(tf.constant(1.0))
        with tf.variable_scope("b") as b:
            out.append(tf.get_variable("v", []))
            out.append(tf.constant(1.0))
    with tf.variable_scope("a"):
        out.append(tf.get_variable("w", []))
        out.append(tf.constant(1.0))
    with tf.variable_scope(a):
        out.append(tf.get_variable("x", []))
        out.append(tf.constant(1.0))
        said.append(tf.get_variable_scope().name)
    with tf.variable_scope("other"):
        with tf.variable_scope(b, reuse=True) as c:
            out.append(tf.get_variable("v", []))
            out.append(tf.constant(1.0))
            said += [c.name, c.original_name_scope]
    said += [a.name, a.original_name_scope, b.name, b.original_name_scope]
    return names(out) + said


@program
def variable_scope_default_name(tf, np):
    out, said = [], []
    for _ in range(3):
        with tf.variable_scope(None, default_name="fc") as s:
            out.append(tf.get_variable("w", []))
            out.append(tf.constant(1.0))
            said.append(s.name)
    with tf.variable_scope("fc"):
        out.append(tf.get_variable("z", []))
        out.append(tf.constant(1.0))
    with tf.variable_scope(None, default_name="fc") as s:
        said.append(s.name)
    return names(out) + said


@program
def variable_scope_reenter_name_scope(tf, np):
    with tf.variable_scope("net") as scope:
        a = tf.constant(1.0)
    with tf.variable_scope(scope, auxiliary_name_scope=False):
        b = tf.constant(1.0)
    with tf.variable_scope(scope, auxiliary_name_scope=False) as inner:
        with tf.name_scope(inner.original_name_scope):
            c = tf.constant(1.0)
    with tf.variable_scope(scope):
        d = tf.constant(1.0)
    return names([a, b, c, d])


@program
def variable_scope_empty(tf, np):
    with tf.variable_scope(""):
        a = tf.get_variable("a", [])
        b = tf.constant(1.0)
    with tf.variable_scope("s"):
        with tf.variable_scope(""):
            c = tf.get_variable("c", [])
            d = tf.constant(1.0)
    with tf.variable_scope(tf.get_variable_scope(), reuse=None):
        e = tf.get_variable("e", [])
        f = tf.constant(1.0)
    return names([a, b, c, d, e, f])


@program
def mixed_scopes(tf, np):
    out = []
    with tf.name_scope("n"):
        with tf.variable_scope("v"):
            out.append(tf.get_variable("w", [2]))
            out.append(tf.Variable(0.0, name="x"))
            out.append(out[0] + 1.0)
            with tf.name_scope("m"):
                out.append(tf.get_variable("y", [2]))
                out.append(tf.constant(1.0))
    with tf.variable_scope("v"):
        out.append(tf.get_variable("z", [2]))
        out.append(tf.constant(1.0))
    return names(out)


@program
def collections(tf, np):
    a = tf.Variable(0.0, name="a")
    b = tf.Variable(0.0, name="b", trainable=False)
    with tf.variable_scope("s"):
        c = tf.get_variable("c", [], collections=[tf.GraphKeys.LOCAL_VARIABLES])
        d = tf.get_variable("d", [])
    tf.add_to_collection("mine", d * 2.0)
    keys = tf.GraphKeys
    out = [a.name, b.name, c.name, d.name]
    for key in [keys.GLOBAL_VARIABLES, keys.TRAINABLE_VARIABLES, keys.LOCAL_VARIABLES, "mine"]:
        out += [key, *names(tf.get_collection(key))]
    out += ["scoped", *names(tf.get_collection(keys.TRAINABLE_VARIABLES, scope="s"))]
    out += ["keys", *sorted(tf.get_default_graph().get_all_collection_keys())]
    return out


@program
def initializers(tf, np):
    a = tf.Variable(0.0)
    tf.get_variable("b", [])
    init = tf.global_variables_initializer()
    local = tf.local_variables_initializer()
    some = tf.variables_initializer([a], name="some")
    old = tf.initialize_all_variables()
    return names([init, local, some, old])


# ---- operators ---------------------------------------------------------------------------


@program
def operators(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    y = tf.placeholder(tf.float32, [2], name="y")
    out = [
        x + y,
        x - y,
        x * y,
        x / y,
        x // y,
        x % y,
        x**y,
        -x,
        abs(x),
        x < y,
        x <= y,
        x > y,
        x >= y,
    ]
    return names(out)


@program
def operators_with_numbers(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    out = [
        x + 1,
        1 + x,
        x - 1,
        1 - x,
        x * 2,
        2 * x,
        x / 2,
        2 / x,
        x**2,
        2**x,
        x % 2,
        x > 0,
        x + [1, 2],
    ]
    out += [np.float64(2) * x, np.ones(2) + x]
    return names(out)


@program
def operators_int(tf, np):
    x = tf.placeholder(tf.int32, [2], name="x")
    y = tf.placeholder(tf.int32, [2], name="y")
    return names([x / y, x // y, x % y, x + 1, x**2, x / 2])


@program
def operators_bool(tf, np):
    p = tf.placeholder(tf.bool, [2], name="p")
    q = tf.placeholder(tf.bool, [2], name="q")
    return names(
        [p & q, p | q, p ^ q, ~p, tf.logical_and(p, q), tf.logical_not(p), tf.logical_xor(p, q)]
    )


@program
def operators_nested(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    w = tf.Variable(2.0, name="w")
    b = tf.Variable(1.0, name="b")
    with tf.name_scope("model"):
        y = x * w + b
    loss = tf.reduce_mean(tf.square(y - 1.0))
    return names([y, loss])


@program
def named_binary_functions(tf, np):
    x = tf.placeholder(tf.float32, [2])
    out = [
        tf.add(x, 1),
        tf.subtract(x, 1),
        tf.multiply(x, 2),
        tf.divide(x, 2),
        tf.div(x, 2),
        tf.truediv(x, 2.0),
        tf.floordiv(x, 2),
        tf.realdiv(x, 2),
        tf.mod(x, 2),
        tf.floormod(x, 2),
        tf.pow(x, 2),
        tf.maximum(x, 0),
        tf.minimum(x, 0),
        tf.squared_difference(x, 1),
        tf.atan2(x, 1.0),
        tf.equal(x, 0),
        tf.not_equal(x, 0),
        tf.greater(x, 0),
        tf.less_equal(x, 0),
        tf.add(x, x, name="named"),
        tf.divide(x, 2.0, name="named"),
        tf.add_n([x, x]),
        tf.div_no_nan(x, x),
        tf.scalar_mul(2.0, x),
    ]
    return names(out)


@program
def unary_functions(tf, np):
    x = tf.placeholder(tf.float32, [2])
    functions = [
        tf.abs,
        tf.negative,
        tf.sign,
        tf.square,
        tf.sqrt,
        tf.rsqrt,
        tf.exp,
        tf.expm1,
        tf.log,
        tf.log1p,
        tf.sin,
        tf.cos,
        tf.tan,
        tf.asin,
        tf.acos,
        tf.atan,
        tf.sinh,
        tf.cosh,
        tf.tanh,
        tf.asinh,
        tf.acosh,
        tf.atanh,
        tf.erf,
        tf.erfc,
        tf.lgamma,
        tf.digamma,
        tf.floor,
        tf.ceil,
        tf.round,
        tf.rint,
        tf.reciprocal,
        tf.sigmoid,
        tf.identity,
        tf.stop_gradient,
        tf.is_nan,
        tf.is_inf,
        tf.is_finite,
        tf.log_sigmoid,
        tf.to_float,
        tf.to_int32,
        tf.to_int64,
        tf.to_double,
    ]
    return names([f(x) for f in functions])


@program
def casts(tf, np):
    x = tf.placeholder(tf.float32, [2])
    i = tf.placeholder(tf.int32, [2])
    out = [tf.cast(x, tf.int32), tf.cast(x, tf.float32), tf.cast(i, tf.float32, name="c")]
    out += [
        tf.to_float(i),
        tf.to_float(x),
        tf.cast([1, 2], tf.float32),
        tf.saturate_cast(x, tf.uint8),
    ]
    return names(out)


# ---- reductions and shapes ---------------------------------------------------------------


@program
def reductions(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    out = [
        tf.reduce_sum(x),
        tf.reduce_mean(x),
        tf.reduce_max(x, 1),
        tf.reduce_min(x, axis=[0, 1]),
        tf.reduce_prod(x, axis=0, keepdims=True),
        tf.reduce_sum(x, reduction_indices=[1]),
        tf.reduce_logsumexp(x),
        tf.reduce_any(x > 0),
        tf.reduce_all(x > 0, name="every"),
        tf.reduce_sum(tf.constant(1.0)),
        tf.reduce_mean(x, name="m"),
    ]
    return names(out)


@program
def reductions_unknown_rank(tf, np):
    x = tf.placeholder(tf.float32)
    return names([tf.reduce_sum(x), tf.reduce_mean(x), tf.reduce_logsumexp(x)])


@program
def arg_and_cumulative(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    out = [tf.argmax(x, 1), tf.argmin(x, axis=0), tf.arg_max(x, 1), tf.argmax(x, 1, name="pred")]
    out += [tf.cumsum(x), tf.cumsum(x, 1, exclusive=True), tf.cumprod(x)]
    return names(out)


@program
def accuracy(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="logits")
    y = tf.placeholder(tf.float32, [None, 3], name="labels")
    correct = tf.equal(tf.argmax(x, 1), tf.argmax(y, 1))
    return names([correct, tf.reduce_mean(tf.cast(correct, tf.float32))])


@program
def slicing(tf, np):
    x = tf.placeholder(tf.float32, [4, 5, 6], name="x")
    n = tf.placeholder(tf.int32, [], name="n")
    out = [
        x[0],
        x[1:3],
        x[:, 2],
        x[..., -1],
        x[:, tf.newaxis],
        x[::2, 1:],
        x[n],
        x[:n],
        x[-1, :, n],
    ]
    out += [tf.slice(x, [0, 0, 0], [1, -1, 2]), tf.strided_slice(x, [0], [2])]
    return names(out)


@program
def shapes(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    y = tf.placeholder(tf.float32, [None, 3])
    out = [
        tf.shape(x),
        tf.shape(y),
        tf.size(x),
        tf.size(y),
        tf.rank(x),
        tf.rank(tf.placeholder(tf.float32)),
    ]
    out += [tf.shape(y)[0], tf.shape(y, out_type=tf.int64), tf.shape_n([y])[0]]
    return names(out)


@program
def reshaping(tf, np):
    x = tf.placeholder(tf.float32, [None, 6])
    out = [
        tf.reshape(x, [-1, 2, 3]),
        tf.reshape(x, [-1], name="flat"),
        tf.reshape(x, tf.stack([tf.shape(x)[0], 6])),
        tf.reshape(x, [tf.shape(x)[0], 6]),
        tf.expand_dims(x, 1),
        tf.expand_dims(x, -1),
        tf.squeeze(tf.expand_dims(x, 0), [0]),
        tf.transpose(x),
        tf.transpose(x, [1, 0]),
        tf.transpose(x, perm=[1, 0], name="T"),
        tf.matrix_transpose(x),
        tf.tile(x, [2, 1]),
        tf.pad(x, [[1, 1], [0, 0]]),
        tf.pad(x, [[1, 1], [0, 0]], constant_values=1.0),
        tf.pad(x, [[0, 0], [1, 1]], "REFLECT"),
        tf.reverse(x, [1]),
    ]
    return names(out)


@program
def joining(tf, np):
    x = tf.placeholder(tf.float32, [2, 6])
    out = [tf.concat([x, x], 0), tf.concat([x, x], axis=1, name="cat"), tf.concat([x], 0)]
    out += [
        *tf.split(x, 2, 1),
        *tf.split(x, [1, 2, 3], 1)[:2],
        *tf.split(value=x, num_or_size_splits=3, axis=1),
    ]
    out += [
        tf.stack([x, x]),
        tf.stack([x, x], axis=1),
        tf.stack([1, 2]),
        tf.stack([x, x], name="st"),
    ]
    out += [*tf.unstack(x), *tf.unstack(x, axis=1)[:2]]
    return names(out)


@program
def gathering(tf, np):
    x = tf.placeholder(tf.float32, [4, 3])
    i = tf.placeholder(tf.int32, [None])
    out = [
        tf.gather(x, i),
        tf.gather(x, [0, 2], axis=1),
        tf.gather_nd(x, [[0, 1]]),
        tf.nn.embedding_lookup(x, i),
        tf.one_hot(i, 3),
        tf.one_hot([0, 1], 3, 5.0, -1.0),
        tf.where(x > 0.0, x, -x),
        tf.where(x > 0.0),
        tf.boolean_mask(x, [True, False, True, True]),
        tf.unsorted_segment_sum(x, [0, 1, 0, 1], 2),
        tf.nn.top_k(x, 2)[0],
        tf.nn.in_top_k(x, [0, 1, 2, 0], 1),
        tf.scatter_nd([[0]], [1.0], [3]),
    ]
    return names(out)


@program
def matmuls(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    b = tf.placeholder(tf.float32, [5, 2, 3])
    out = [
        tf.matmul(x, x, transpose_b=True),
        tf.matmul(b, b, transpose_a=True),
        tf.matmul(x, x, False, True, name="mm"),
        tf.tensordot(x, x, [[1], [1]]),
        tf.tensordot(x, x, 0),
        tf.einsum("ij,kj->ik", x, x),
        tf.einsum("bij,bkj->bik", b, b),
        tf.nn.xw_plus_b(x, tf.zeros([3, 2]), tf.zeros([2])),
    ]
    return names(out)


@program
def clipping(tf, np):
    x = tf.placeholder(tf.float32, [2])
    a, norm = tf.clip_by_global_norm([x, 2.0 * x], 1.0)
    out = [tf.clip_by_value(x, 0.0, 1.0), tf.clip_by_norm(x, 1.0), *a, norm]
    out += [tf.clip_by_average_norm(x, 1.0), tf.global_norm([x]), tf.norm(x)]
    return names(out)


# ---- nn ----------------------------------------------------------------------------------


@program
def activations(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    out = [
        tf.nn.relu(x),
        tf.nn.relu6(x),
        tf.nn.elu(x),
        tf.nn.selu(x),
        tf.nn.crelu(x),
        tf.nn.leaky_relu(x),
        tf.nn.leaky_relu(x, alpha=0.1, name="leak"),
        tf.nn.softplus(x),
        tf.nn.softsign(x),
        tf.nn.sigmoid(x),
        tf.nn.tanh(x),
        tf.nn.softmax(x),
        tf.nn.softmax(x, axis=0),
        tf.nn.log_softmax(x),
        tf.nn.swish(x),
        tf.nn.l2_normalize(x, 1),
        tf.nn.relu(x, name="act"),
    ]
    return names(out)


@program
def biases_and_losses(tf, np):
    x = tf.placeholder(tf.float32, [2, 3])
    out = [
        tf.nn.bias_add(x, tf.zeros([3])),
        tf.nn.l2_loss(x),
        tf.losses.mean_squared_error(tf.zeros([2, 3]), x),
        tf.losses.softmax_cross_entropy(tf.ones([2, 3]), x),
        tf.losses.sparse_softmax_cross_entropy([0, 1], x),
        tf.losses.sigmoid_cross_entropy(tf.ones([2, 3]), x),
        tf.losses.absolute_difference(tf.zeros([2, 3]), x),
        tf.losses.get_total_loss(),
    ]
    return names(out) + names(tf.get_collection(tf.GraphKeys.LOSSES))


@program
def cross_entropies(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.float32, [None, 3], name="y")
    i = tf.placeholder(tf.int32, [None], name="i")
    out = [
        tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x),
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=x),
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=i, logits=x),
        tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
        tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0),
        tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x, name="xent"),
    ]
    return names(out)


@program
def cross_entropy_static(tf, np):
    x = tf.placeholder(tf.float32, [4, 3], name="x")
    y = tf.placeholder(tf.float32, [4, 3], name="y")
    v1 = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)
    v2 = tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=x)
    return names([v1, v2])


@program
def dropouts(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    keep = tf.placeholder(tf.float32, name="keep")
    out = [tf.nn.dropout(x, 0.5), tf.nn.dropout(x, keep), tf.nn.dropout(x, rate=0.5)]
    out += [tf.nn.dropout(x, keep_prob=1.0), tf.nn.dropout(tf.zeros([2, 3]), keep_prob=0.5)]
    return names(out)


@program
def randoms(tf, np):
    tf.set_random_seed(1)
    out = [
        tf.random_normal([2]),
        tf.random_uniform([2]),
        tf.random_uniform([2], 0, 10, tf.int32),
        tf.truncated_normal([2]),
        tf.random_uniform([], -1.0, 1.0, name="u"),
        tf.random_shuffle(tf.range(3)),
        tf.multinomial([[1.0, 2.0]], 3),
        tf.random_gamma([2], 1.0),
    ]
    return names(out)


@program
def normalisation(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    mean, variance = tf.nn.moments(x, [0])
    out = [
        mean,
        variance,
        tf.nn.batch_normalization(x, mean, variance, tf.zeros([3]), tf.ones([3]), 1e-3),
    ]
    out.append(tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3, name="bn"))
    return names([*out, *tf.nn.moments(x, [0], keep_dims=True)])


@program
def convolutions(tf, np):
    x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
    w = tf.Variable(tf.zeros([3, 3, 3, 4]), name="w")
    h = tf.nn.conv2d(x, w, [1, 1, 1, 1], "SAME")
    out = [h, tf.nn.max_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")]
    out += [tf.nn.avg_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "VALID"), tf.nn.relu(h + tf.zeros([4]))]
    return names(out)


@program
def layers_dense(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    a = tf.layers.dense(x, 4, activation=tf.nn.relu)
    b = tf.layers.dense(a, 2)
    c = tf.layers.dense(b, 2, name="out", use_bias=False)
    d = tf.layers.dense(b, 2, name="out", use_bias=False, reuse=True)
    e = tf.layers.dropout(c, 0.5, training=True)
    f = tf.layers.flatten(tf.zeros([2, 3, 4]))
    return names([a, b, c, d, e, f]) + names(tf.global_variables())


@program
def layers_in_scope(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    with tf.variable_scope("net") as s:
        a = tf.layers.dense(x, 2)
        b = tf.layers.dense(x, 2, name="fc")
    with tf.variable_scope(s, reuse=True):
        c = tf.layers.dense(x, 2)
        d = tf.layers.dense(x, 2, name="fc")
    return names([a, b, c, d]) + names(tf.global_variables())


@program
def layers_batch_norm(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.layers.batch_normalization(x, training=True)
    z = tf.layers.batch_normalization(x, training=False)
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
    return names([y, z]) + names(tf.global_variables()) + names(updates)


@program
def layers_conv(tf, np):
    x = tf.placeholder(tf.float32, [None, 8, 8, 3], name="x")
    a = tf.layers.conv2d(x, 4, 3, padding="same", activation=tf.nn.relu)
    b = tf.layers.max_pooling2d(a, 2, 2)
    c = tf.layers.conv2d(b, 2, 1, name="c")
    return names([a, b, c]) + names(tf.global_variables())


# ---- control -----------------------------------------------------------------------------


@program
def grouping(tf, np):
    v = tf.Variable(0.0, name="v")
    a = tf.assign(v, 1.0)
    g = tf.group(a, tf.no_op())
    h = tf.group(a, a.op, name="both")
    t = tf.tuple([a, tf.constant(1.0)])
    with tf.control_dependencies([g]):
        i = tf.identity(v)
        j = tf.no_op(name="after")
    e = tf.group()
    return names([g, h, *t, i, j, e])


@program
def conditions(tf, np):
    x = tf.placeholder(tf.float32, [], name="x")
    y = tf.cond(x > 0.0, lambda: x * 2.0, lambda: x + 1.0)
    z = tf.cond(tf.constant(True), lambda: [x, -x], lambda: [x, x], name="pick")
    return names([y, *z])


@program
def loops(tf, np):
    i = tf.constant(0)
    r = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s * 2.0), [i, tf.constant(1.0)])
    return names(r)


@program
def asserts_and_prints(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    out = [tf.Assert(True, [x]), tf.Print(x, [x]), tf.check_numerics(x, "bad")]
    out.append(tf.py_func(lambda a: a, [x], tf.float32))
    return names(out)


@program
def summaries(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    with tf.name_scope("sum"):
        s = tf.summary.scalar("loss", x[0])
        h = tf.summary.histogram("x values", x)
    t = tf.summary.scalar("loss", x[0])
    u = tf.summary.scalar("loss", x[0])
    m = tf.summary.merge_all()
    return names([s, h, t, u, m])


# ---- gradients and optimizers ------------------------------------------------------------


@program
def gradient_simple(tf, np):
    x = tf.placeholder(tf.float32, [], name="x")
    y = x * x
    (g,) = tf.gradients(y, x)
    (h,) = tf.gradients(g, x)
    return names([y, g, h])


@program
def gradient_linear_model(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.placeholder(tf.float32, [None, 2], name="y")
    w = tf.Variable(tf.zeros([3, 2]), name="w")
    b = tf.Variable(tf.zeros([2]), name="b")
    out = tf.matmul(x, w) + b
    loss = tf.reduce_mean(tf.square(out - y))
    return names([out, loss, *tf.gradients(loss, [w, b])])


@program
def gradient_named_and_scoped(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    with tf.name_scope("f"):
        y = tf.exp(x)
    a = tf.gradients(y, x, name="dydx")
    with tf.name_scope("scope"):
        b = tf.gradients(y, x)
    c = tf.gradients(y, x, grad_ys=tf.ones([2]))
    d = tf.gradients([y, 2.0 * y], [x])
    return names([*a, *b, *c, *d])


@program
def gradient_unary(tf, np):
    x = tf.placeholder(tf.float32, [2], name="x")
    y = tf.tanh(tf.sigmoid(tf.nn.relu(tf.exp(tf.log(tf.sqrt(x))))))
    return names(tf.gradients(y, x))


@program
def gradient_shapes(tf, np):
    x = tf.placeholder(tf.float32, [2, 3], name="x")
    y = tf.concat([tf.reshape(x, [3, 2]), tf.transpose(x)], 1)
    z = tf.stack([y[0], y[1]])
    return names(tf.gradients(z, x))


@program
def gradient_softmax_classifier(tf, np):
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    y = tf.placeholder(tf.float32, [None, 3], name="y")
    w = tf.Variable(tf.zeros([4, 3]), name="w")
    b = tf.Variable(tf.zeros([3]), name="b")
    logits = tf.matmul(x, w) + b
    entropy = tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=logits)
    loss = tf.reduce_mean(entropy)
    train = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    return names([logits, entropy, loss, train])


@program
def gradient_log_likelihood(tf, np):
    x = tf.placeholder(tf.float32, [None, 4], name="x")
    y = tf.placeholder(tf.float32, [None, 3], name="y")
    w = tf.Variable(tf.zeros([4, 3]), name="w")
    p = tf.nn.softmax(tf.matmul(x, w))
    loss = -tf.reduce_sum(y * tf.log(tf.clip_by_value(p, 1e-10, 1.0)))
    return names([loss, *tf.gradients(loss, [w])])


@program
def gradient_embedding(tf, np):
    table = tf.Variable(tf.zeros([5, 2]), name="table")
    rows = tf.nn.embedding_lookup(table, [0, 3])
    loss = tf.reduce_sum(rows)
    (g,) = tf.gradients(loss, table)
    return names([rows, loss]) + [
        type(g).__name__,
        g.values.name,
        g.indices.name,
        g.dense_shape.name,
    ]


def _optimizer(tf, make, twice=False, step=False):
    w = tf.Variable([1.0, 2.0], name="W")
    with tf.variable_scope("s"):
        b = tf.get_variable("b", [2], initializer=tf.zeros_initializer())
    loss = tf.reduce_sum(tf.square(w + b), name="loss")
    counter = tf.Variable(0, name="global_step", trainable=False) if step else None
    train = make().minimize(loss, global_step=counter)
    out = [train]
    if twice:
        out.append(make().minimize(loss, var_list=[w]))
    return names(out) + names(tf.global_variables())


@program
def optimizer_gradient_descent(tf, np):
    return _optimizer(tf, lambda: tf.train.GradientDescentOptimizer(0.1))


@program
def optimizer_gradient_descent_step(tf, np):
    return _optimizer(tf, lambda: tf.train.GradientDescentOptimizer(0.1), step=True)


@program
def optimizer_momentum(tf, np):
    return _optimizer(tf, lambda: tf.train.MomentumOptimizer(0.1, 0.9), step=True)


@program
def optimizer_adagrad(tf, np):
    return _optimizer(tf, lambda: tf.train.AdagradOptimizer(0.1))


@program
def optimizer_adadelta(tf, np):
    return _optimizer(tf, lambda: tf.train.AdadeltaOptimizer(0.1))


@program
def optimizer_rmsprop(tf, np):
    return _optimizer(tf, lambda: tf.train.RMSPropOptimizer(0.1))


@program
def optimizer_rmsprop_centered(tf, np):
    return _optimizer(tf, lambda: tf.train.RMSPropOptimizer(0.1, centered=True))


@program
def optimizer_adam(tf, np):
    return _optimizer(tf, lambda: tf.train.AdamOptimizer(), step=True)


@program
def optimizer_adam_twice(tf, np):
    return _optimizer(tf, lambda: tf.train.AdamOptimizer(0.1), twice=True)


@program
def optimizer_ftrl(tf, np):
    return _optimizer(tf, lambda: tf.train.FtrlOptimizer(0.1))


@program
def optimizer_proximal(tf, np):
    return _optimizer(tf, lambda: tf.train.ProximalGradientDescentOptimizer(0.1))


@program
def optimizer_in_name_scope(tf, np):
    w = tf.Variable([1.0, 2.0], name="W")
    with tf.name_scope("train"):
        train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(w * w))
    return names([train]) + names(tf.global_variables())


@program
def optimizer_in_variable_scope(tf, np):
    with tf.variable_scope("model"):
        w = tf.get_variable("W", [2])
        train = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(w * w))
    return names([train]) + names(tf.global_variables())


@program
def optimizer_clipped(tf, np):
    w = tf.Variable([1.0, 2.0], name="W")
    optimizer = tf.train.AdamOptimizer(0.1, name="Opt")
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w))
    clipped = [(tf.clip_by_value(g, -1.0, 1.0), v) for g, v in pairs]
    train = optimizer.apply_gradients(clipped, name="go")
    return names([train]) + names(tf.global_variables()) + optimizer.get_slot_names()


@program
def optimizer_sparse(tf, np):
    table = tf.Variable(tf.zeros([5, 2]), name="table")
    loss = tf.reduce_sum(tf.square(tf.gather(table, [1, 1, 3])))
    a = tf.train.AdamOptimizer(0.1).minimize(loss)
    b = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    return names([a, b]) + names(tf.global_variables())


@program
def optimizer_tensor_rate(tf, np):
    rate = tf.placeholder(tf.float32, [], name="rate")
    w = tf.Variable([1.0, 2.0], name="W")
    a = tf.train.GradientDescentOptimizer(rate).minimize(tf.reduce_sum(w * w))
    return names([a])


@program
def rate_decays(tf, np):
    step = tf.Variable(0, trainable=False, name="step")
    out = [
        tf.train.exponential_decay(0.1, step, 100, 0.96),
        tf.train.exponential_decay(0.1, step, 100, 0.96, staircase=True),
        tf.train.inverse_time_decay(0.1, step, 10, 0.5),
        tf.train.natural_exp_decay(0.1, step, 10, 0.5),
        tf.train.polynomial_decay(0.1, step, 10),
        tf.train.piecewise_constant(step, [10, 20], [0.1, 0.01, 0.001]),
        tf.train.cosine_decay(0.1, step, 10),
    ]
    return names(out)


@program
def moving_average(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    with tf.variable_scope("s"):
        w = tf.get_variable("w", [])
    average = tf.train.ExponentialMovingAverage(0.9)
    op = average.apply([v, w])
    out = [op, average.average(v), average.average(w)]
    return names(out) + [average.average_name(v)] + names(tf.global_variables())


@program
def moving_average_steps_and_tensor(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    step = tf.Variable(0, trainable=False, name="step")
    t = tf.reduce_sum(v, name="total")
    average = tf.train.ExponentialMovingAverage(0.9, num_updates=step)
    op = average.apply([v, t])
    out = [op, average.average(v), average.average(t)]
    return names(out) + sorted(average.variables_to_restore())


@program
def global_step(tf, np):
    a = tf.train.get_or_create_global_step()
    b = tf.train.get_global_step()
    return names([a, b]) + names(tf.get_collection(tf.GraphKeys.GLOBAL_STEP))


@program
def saver(tf, np):
    tf.Variable([1.0, 2.0], name="v")
    tf.Variable(0, name="step")
    tf.train.Saver()
    return []


@program
def recurrent_cells(tf, np):
    x = tf.placeholder(tf.float32, [None, 5, 3], name="x")
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    out, state = tf.nn.static_rnn(cell, tf.unstack(x, 5, 1)[:2], dtype=tf.float32)
    return [out[-1].name, state.c.name, state.h.name, *names(tf.global_variables())]


@program
def two_layer_network(tf, np):
    x = tf.placeholder(tf.float32, [None, 4], name="input")
    y = tf.placeholder(tf.int64, [None], name="label")
    h = x
    for i, width in enumerate([8, 3]):
        with tf.variable_scope(f"layer{i}"):
            w = tf.get_variable("w", [h.shape[1], width])
            b = tf.get_variable("b", [width], initializer=tf.zeros_initializer())
            h = tf.matmul(h, w) + b
            if i == 0:
                h = tf.nn.relu(h)
    with tf.name_scope("loss"):
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=h)
        loss = tf.reduce_mean(entropy)
    train = tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True).minimize(loss)
    right = tf.reduce_mean(tf.cast(tf.equal(tf.argmax(h, 1), y), tf.float32), name="accuracy")
    return names([h, loss, train, right]) + names(tf.global_variables())
