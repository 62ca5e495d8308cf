"""Training: optimizers over several steps, rates, clipping, averages, gradients.

The programs have the form of `value_programs.py`; `record.py train` writes `train.json`.
"""

# The same source must run on Python 3.7.
# ruff: noqa: E731

PROGRAMS = {}

INF = float("inf")


def case(name, function):
    """Register a program under a name."""
    assert name not in PROGRAMS, name
    PROGRAMS[name] = function


def program(function):
    """Register a program under its function name."""
    case(function.__name__, function)
    return function


# ---- optimizers: every state variable over five steps --------------------------------------

OPTIMIZERS = {
    "gradient_descent": lambda t, r: t.GradientDescentOptimizer(r(0.1)),
    "momentum": lambda t, r: t.MomentumOptimizer(r(0.05), r(0.8)),
    "nesterov": lambda t, r: t.MomentumOptimizer(r(0.05), r(0.8), use_nesterov=True),
    "adagrad": lambda t, r: t.AdagradOptimizer(r(0.2), 0.3),
    "adagrad_da": lambda t, r: t.AdagradDAOptimizer(r(0.2), t.get_global_step(), 0.2, 0.01, 0.02),
    "adadelta": lambda t, r: t.AdadeltaOptimizer(r(0.7), r(0.9), r(1e-3)),
    "rmsprop": lambda t, r: t.RMSPropOptimizer(r(0.02), 0.8, 0.3, 1e-4),
    "rmsprop_centered": lambda t, r: t.RMSPropOptimizer(r(0.02), 0.8, 0.3, 1e-4, centered=True),
    "adam": lambda t, r: t.AdamOptimizer(r(0.05), 0.8, 0.95, 1e-3),
    "ftrl": lambda t, r: t.FtrlOptimizer(r(0.3)),
    "ftrl_l1": lambda t, r: t.FtrlOptimizer(r(0.3), l1_regularization_strength=0.3),
    "ftrl_l2": lambda t, r: t.FtrlOptimizer(r(0.3), l2_regularization_strength=0.3),
    "ftrl_shrinkage": lambda t, r: t.FtrlOptimizer(
        r(0.3), l2_shrinkage_regularization_strength=0.3, initial_accumulator_value=0.0
    ),
    "ftrl_power": lambda t, r: t.FtrlOptimizer(
        r(0.3), -0.3, 0.2, 0.01, 0.02, l2_shrinkage_regularization_strength=0.1
    ),
    "proximal_gradient_descent": lambda t, r: t.ProximalGradientDescentOptimizer(r(0.1), 0.3, 0.1),
    "proximal_gradient_descent_plain": lambda t, r: t.ProximalGradientDescentOptimizer(r(0.1)),
    "proximal_adagrad": lambda t, r: t.ProximalAdagradOptimizer(r(0.1), 0.2, 0.3, 0.1),
}


def state(tf):
    """Every variable, in order of creation."""
    return tf.global_variables()


def dense(tf, make, dtype="float32"):
    """Two variables under an optimizer."""
    w = tf.Variable([[1.0, -2.0], [0.0, 0.5]], name="w", dtype=dtype)
    b = tf.Variable(0.25, name="b", dtype=dtype)
    step = tf.train.get_or_create_global_step()
    loss = tf.reduce_sum(tf.square(w) * [[1.0, 2.0], [3.0, 0.5]]) + 3.0 * b
    train = make(tf.train).minimize(loss, global_step=step)
    return {"fetch": [loss, *state(tf)], "step": train, "times": 5}


def sparse(tf, make):
    """Rows of a table, one of them twice and some never."""
    table = tf.Variable([[0.5, 1.0], [1.0, -1.0], [-1.0, 3.0], [2.0, 0.1], [4.0, 4.0]], name="t")
    step = tf.train.get_or_create_global_step()
    rows = tf.nn.embedding_lookup(table, [3, 1, 1, 0])
    loss = tf.reduce_sum(tf.square(rows) * [[1.0], [2.0], [0.5], [-0.5]])
    train = make(tf.train).minimize(loss, global_step=step)
    return {"fetch": [loss, *state(tf)], "step": train, "times": 5}


for _name, _make in OPTIMIZERS.items():
    _plain = lambda t, make=_make: make(t, lambda x: x)
    case("dense_" + _name, lambda tf, np, make=_plain: dense(tf, make))
    if "proximal" not in _name and "_da" not in _name:  # TF takes float32 only there
        case("double_" + _name, lambda tf, np, make=_plain: dense(tf, make, "float64"))
    if "_da" not in _name:
        case("sparse_" + _name, lambda tf, np, make=_plain: sparse(tf, make))


@program
def sparse_twice(tf, np):
    """Two lookups with indices of two types, and a dense use."""
    table = tf.Variable([[0.5, 1.0], [1.0, -1.0], [-1.0, 3.0]], name="t")
    a = tf.gather(table, [0, 1])
    b = tf.gather(table, tf.constant([1, 1], tf.int64))
    two = tf.train.AdamOptimizer(0.1).minimize(tf.reduce_sum(a * a) + tf.reduce_sum(b))
    with tf.control_dependencies([two]):
        loss = tf.reduce_sum(tf.gather(table, [2]) ** 2) + tf.reduce_sum(tf.square(table))
        both = tf.train.MomentumOptimizer(0.1, 0.9).minimize(loss)
    return {"fetch": state(tf), "step": both, "times": 3}


@program
def sparse_vector(tf, np):
    v = tf.Variable([1.0, 2.0, 3.0, 4.0], name="v")
    loss = tf.reduce_sum(tf.gather(v, [[0, 2], [2, 3]]) ** 2)
    train = tf.train.AdagradOptimizer(0.5).minimize(loss)
    return {"fetch": state(tf), "step": train, "times": 3}


@program
def fed_rate(tf, np):
    w = tf.Variable([1.0, -2.0], name="w")
    rate = tf.placeholder(tf.float32, [])
    train = tf.train.AdamOptimizer(rate).minimize(tf.reduce_sum(w * w))
    return {"fetch": [w], "step": train, "feed": {rate: 0.3}, "times": 3}


@program
def variable_rate(tf, np):
    w = tf.Variable([1.0, -2.0], name="w")
    rate = tf.Variable(0.1, trainable=False, name="rate")
    train = tf.train.MomentumOptimizer(rate, 0.5).minimize(tf.reduce_sum(w * w))
    with tf.control_dependencies([train]):
        step = rate.assign(rate * 0.5)
    return {"fetch": [w, rate], "step": step, "times": 3}


@program
def double_rate(tf, np):
    w = tf.Variable([1.0, -2.0], name="w")
    train = tf.train.GradientDescentOptimizer(np.float64(0.1)).minimize(tf.reduce_sum(w * w))
    return {"fetch": [w], "step": train, "times": 2}


@program
def constrained(tf, np):
    w = tf.Variable([1.0, -2.0], name="w", constraint=lambda x: tf.clip_by_value(x, -0.5, 0.75))
    train = tf.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(w * w))
    return {"fetch": [w], "step": train, "times": 2}


@program
def chosen_variables(tf, np):
    a, b = tf.Variable(1.0, name="a"), tf.Variable(2.0, name="b")
    loss = a * a * b
    first = tf.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=[a])
    with tf.control_dependencies([first]):
        second = tf.train.MomentumOptimizer(0.1, 0.9).minimize(a * b * b, var_list=[b])
    return {"fetch": [a, b], "step": second, "times": 1}


@program
def scaled_loss(tf, np):
    w = tf.Variable([1.0, 2.0], name="w")
    optimizer = tf.train.GradientDescentOptimizer(0.1)
    train = optimizer.minimize(w * w, grad_loss=tf.constant([1.0, 10.0]))
    return {"fetch": [w], "step": train, "times": 1}


@program
def given_gradients(tf, np):
    a, b = tf.Variable([1.0, 2.0], name="a"), tf.Variable([[1.0], [2.0], [3.0]], name="b")
    slices = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([2, 0, 2]))
    optimizer = tf.train.AdagradOptimizer(0.5)
    train = optimizer.apply_gradients([([0.5, -0.5], a), (slices, b)])
    return {"fetch": state(tf), "step": train, "times": 3}


@program
def subclass(tf, np):
    class Signed(tf.train.Optimizer):
        def __init__(self, rate, name="Signed"):
            super().__init__(False, name)
            self._rate = rate

        def _prepare(self):
            self._rate_t = tf.convert_to_tensor(self._rate, name="rate")

        def _create_slots(self, var_list):
            for v in var_list:
                self._zeros_slot(v, "seen", self._name)
                self._get_or_make_slot(v, tf.ones([2]), "pair", "Pair")

        def _apply_dense(self, grad, var):
            seen = self.get_slot(var, "seen")
            more = tf.assign_add(seen, tf.abs(grad))
            new = tf.assign_sub(var, self._rate_t * tf.sign(grad))
            return tf.group(more, new)

        def _apply_sparse(self, grad, var):
            rows = tf.unsorted_segment_sum(grad.values, grad.indices, tf.shape(var)[0])
            return self._apply_dense(tf.square(rows), var)

        def _finish(self, update_ops, name_scope):
            with tf.control_dependencies(update_ops):
                pair = self.get_slot(tf.trainable_variables()[0], "pair")
                return tf.group(tf.assign_add(pair, [1.0, 2.0]), name=name_scope)

    a, b = tf.Variable([1.0, -2.0], name="a"), tf.Variable([[1.0], [2.0], [3.0]], name="b")
    loss = tf.reduce_sum(a * a) + tf.reduce_sum(tf.gather(b, [2, 2]) * [[0.5], [1.0]])
    train = Signed(0.25).minimize(loss)
    return {"fetch": state(tf), "step": train, "times": 3}


@program
def subclass_of_adam(tf, np):
    class Decayed(tf.train.AdamOptimizer):
        def __init__(self, decay, **options):
            super().__init__(**options)
            self._decay = decay

        def _apply_dense(self, grad, var):
            with tf.control_dependencies([tf.assign(var, var * (1.0 - self._decay))]):
                return super()._apply_dense(tf.identity(grad), var)

    w = tf.Variable([1.0, -2.0], name="w")
    train = Decayed(0.5, learning_rate=0.1).minimize(tf.reduce_sum(w))
    return {"fetch": state(tf), "step": train, "times": 3}


@program
def own_apply_gradients(tf, np):
    class Plain(tf.train.Optimizer):
        def __init__(self):
            super().__init__(False, "Plain")

        def apply_gradients(self, grads_and_vars, global_step=None, name=None):
            done = []
            for grad, v in grads_and_vars:
                if grad is None:
                    continue
                m = tf.get_variable(
                    name=v.op.name + "/own_m",
                    shape=v.shape.as_list(),
                    dtype=tf.float32,
                    trainable=False,
                    initializer=tf.zeros_initializer(),
                )
                new_m = 0.9 * m + 0.1 * grad
                done.extend([v.assign(v - 0.1 * new_m), m.assign(new_m)])
            return tf.group(*done, name=name)

    w = tf.Variable([1.0, -2.0], name="w")
    unused = tf.Variable(1.0, name="unused")
    train = Plain().minimize(tf.reduce_sum(w * w), var_list=[unused, w])
    return {"fetch": state(tf), "step": train, "times": 3}


# ---- rates -----------------------------------------------------------------------------------

RATES = {
    "exponential": lambda t, s: t.exponential_decay(0.1, s, 2, 0.96),
    "exponential_staircase": lambda t, s: t.exponential_decay(0.1, s, 2, 0.96, True),
    "natural_exp_staircase": lambda t, s: t.natural_exp_decay(0.1, s, 2, 0.5, staircase=True),
    "inverse_time": lambda t, s: t.inverse_time_decay(0.1, s, 2, 0.5),
    "polynomial_default": lambda t, s: t.polynomial_decay(0.1, s, 3),
    "polynomial_power": lambda t, s: t.polynomial_decay(0.1, s, 3, 0.01, 0.5),
    "polynomial_cycle": lambda t, s: t.polynomial_decay(0.1, s, 3, 0.01, 2.0, True),
    "piecewise_float": lambda t, s: t.piecewise_constant(s, [1, 3], [1.0, 0.5, 0.25]),
    "piecewise_constant_decay": lambda t, s: t.piecewise_constant_decay(s, [2], [3, 4]),
    "cosine": lambda t, s: t.cosine_decay(0.1, s, 3),
    "cosine_restarts_equal": lambda t, s: t.cosine_decay_restarts(0.1, s, 2, 1.0, 0.5, 0.1),
    "cosine_restarts": lambda t, s: t.cosine_decay_restarts(0.1, s, 1, 1.5, 0.8),
    "linear_cosine": lambda t, s: t.linear_cosine_decay(0.1, s, 3, 1.5, 0.1, 0.01),
}


def rate(tf, make, dtype):
    """A rate over six steps."""
    step = tf.Variable(0, trainable=False, dtype=dtype, name="step")
    return {"fetch": [make(tf.train, step)], "step": tf.assign_add(step, 1), "times": 6}


for _name, _rate in RATES.items():
    for _type in ["int32", "int64"]:
        case(
            f"rate_{_name}_{_type}",
            lambda tf, np, make=_rate, dtype=_type: rate(tf, make, dtype),
        )


# ---- clipping --------------------------------------------------------------------------------


@program
def clip_norms(tf, np):
    x = tf.constant([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    slices = tf.IndexedSlices(x, tf.constant([0, 2, 0]), tf.constant([4, 2]))
    clipped = tf.clip_by_norm(slices, 1.0)
    return [
        tf.clip_by_norm(x, 1.0),
        tf.clip_by_norm(x, 1.0, axes=[1]),
        tf.clip_by_norm(x, 1.0, axes=[0]),
        tf.clip_by_norm(x * 0.0, 1.0),
        tf.clip_by_norm(x, 100.0, name="named"),
        clipped,
        tf.clip_by_average_norm(x, 0.1),
        tf.clip_by_value(slices, 0.2, 1.0),
        *tf.gradients(tf.clip_by_norm(x, 1.0), x),
        tf.clip_by_norm(tf.constant([INF, 1.0]), 1.0),
    ]


@program
def clip_global(tf, np):
    x, y = tf.constant([[3.0, 4.0]]), tf.constant([12.0])
    slices = tf.IndexedSlices(tf.constant([[3.0], [4.0]]), tf.constant([1, 1]), tf.constant([2, 1]))
    (a, none, b), norm = tf.clip_by_global_norm([x, None, y], 6.5)
    (c,), small = tf.clip_by_global_norm([x], 6.5)
    (d, e), _ = tf.clip_by_global_norm([slices, x], 1.0)
    (f,), used = tf.clip_by_global_norm([x], 1.0, use_norm=tf.constant(10.0))
    (g, h), bad = tf.clip_by_global_norm([tf.constant([INF, 1.0]), y], 1.0)
    (i,), _ = tf.clip_by_global_norm((x,), tf.constant(2.0), name="other")
    return [
        a,
        none,
        b,
        norm,
        c,
        small,
        d,
        e,
        f,
        used,
        g,
        h,
        bad,
        i,
        tf.global_norm([x, None, slices]),
        *tf.gradients(tf.clip_by_global_norm([x, y], 6.5)[0], [x, y]),
    ]


# ---- averages --------------------------------------------------------------------------------


def average(tf, tensor=False, **options):
    """The average of a variable or of a tensor, over four steps."""
    v = tf.Variable([1.0, -2.0], name="v")
    step = tf.Variable(0, trainable=False, name="step")
    if options.pop("steps", False):
        options["num_updates"] = step
    of = tf.multiply(v, 2.0, name="of") if tensor else v
    ema = tf.train.ExponentialMovingAverage(0.8, **options)
    with tf.control_dependencies([ema.apply([of])]):
        move = tf.group(v.assign_add([1.0, 0.5]), step.assign_add(1))
    return {"fetch": [ema.average(of), *state(tf)], "step": move, "times": 4}


for _name, _options in {
    "variable": {},
    "steps": {"steps": True},
    "named": {"name": "Shadow"},
    "tensor": {"tensor": True},
    "tensor_debiased": {"tensor": True, "zero_debias": True},
    "variable_debiased": {"zero_debias": True},
    "tensor_debiased_steps": {"tensor": True, "zero_debias": True, "steps": True},
}.items():
    case("average_" + _name, lambda tf, np, options=_options: average(tf, **dict(options)))


@program
def average_of_trainables(tf, np):
    a = tf.Variable(1.0, name="a")
    tf.Variable(2.0, name="b", trainable=False)
    ema = tf.train.ExponentialMovingAverage(0.5)
    train = tf.train.GradientDescentOptimizer(0.5).minimize(a * a)
    with tf.control_dependencies([train]):
        op = ema.apply()
    again = ema.apply([a])
    del again
    return {"fetch": state(tf), "step": op, "times": 3}


# ---- gradients -------------------------------------------------------------------------------


@program
def gradient_options(tf, np):
    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    z = x * x * y
    a = x * 2.0
    unused = tf.constant([[1.0, 1.0]])
    return [
        *tf.gradients(z, [x, y]),
        *tf.gradients([z, a], [x]),
        *tf.gradients(z, [x], grad_ys=tf.constant([10.0, 1.0])),
        *tf.gradients([z, a], [x], grad_ys=[None, tf.constant([0.5, 0.25])]),
        *tf.gradients(a * x, [x], stop_gradients=[a]),
        *tf.gradients(a + x, [x, a], stop_gradients=[x, a]),
        *tf.gradients(z, [unused]),
        *tf.gradients(z, [unused], unconnected_gradients="zero"),
        *tf.gradients(z, z),
        *tf.gradients(z, [a, x]),
        *tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32) * x, x),
    ]


@program
def gradient_of_rows(tf, np):
    t = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    rows = tf.gather(t, [2, 0, 2])
    both = tf.reduce_sum(rows * rows) + tf.reduce_sum(tf.gather(t, 1) * 3.0)
    first = tf.gradients(both, t)[0]
    whole = tf.convert_to_tensor(first)
    second = tf.gradients(tf.reduce_sum(whole * whole), t)[0]
    return [first, whole, second, *tf.gradients(both + tf.reduce_sum(t), t)]


@program
def gradient_three_times(tf, np):
    x = tf.constant([0.5, -1.5])
    y = tf.tanh(x) * tf.exp(x * 0.5)
    out = [y]
    for _ in range(3):
        y = tf.gradients(y, x)[0]
        out.append(y)
    return out


@program
def gradient_hessians(tf, np):
    x, w = tf.constant([0.5, -1.5]), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    y = tf.reduce_sum(tf.tanh(tf.linalg.matvec(w, x)) ** 2) + tf.reduce_prod(x)
    return [*tf.hessians(y, [x]), tf.gradients(y, w)[0]]


@program
def gradient_penalty(tf, np):
    x = tf.constant([[1.0, -2.0], [0.5, 0.25], [3.0, 1.0]])
    w = tf.Variable([[0.3, -0.1, 0.2], [0.5, 0.7, -0.4]], name="w")
    u = tf.Variable([[1.0], [-0.5], [0.25]], name="u")
    critic = tf.matmul(tf.nn.tanh(tf.matmul(x, w)), u)
    slope = tf.gradients(critic, [x])[0]
    norms = tf.sqrt(tf.reduce_sum(tf.square(slope), axis=1))
    penalty = tf.reduce_mean((norms - 1.0) ** 2)
    loss = tf.reduce_mean(critic) + 10.0 * penalty
    train = tf.train.AdamOptimizer(0.05, beta1=0.5, beta2=0.9).minimize(loss)
    return {"fetch": [loss, penalty, w, u], "step": train, "times": 5}


@program
def gradient_overrides(tf, np):
    x = tf.constant([1.0, -2.0, 3.0])
    name = "Doubled" + str(abs(hash(str(tf.get_default_graph()))))

    @tf.RegisterGradient(name)
    def doubled(op, dy):
        return 2.0 * dy * tf.cast(op.outputs[0] > 0.0, tf.float32) + 0.0 * op.inputs[0]

    with tf.get_default_graph().gradient_override_map({"Relu": name}):
        y = tf.nn.relu(x)
    return [*tf.gradients(y, x), *tf.gradients(tf.nn.relu(x), x)]


@program
def gradient_custom(tf, np):
    @tf.custom_gradient
    def stable(x):
        e = tf.exp(x)
        return tf.log(1.0 + e), lambda dy: dy * (1.0 - 1.0 / (1.0 + e))

    @tf.custom_gradient
    def two(x, y):
        return (x * y, x + y), lambda a, b: (a * 10.0 + b, b * 100.0)

    x, y = tf.constant([100.0, 1.0]), tf.constant([2.0, 3.0])
    s = stable(x)
    first = tf.gradients(s, x)[0]
    p, q = two(x, y)
    return [s, first, p, q, *tf.gradients([p, q], [x, y]), *tf.gradients(q, [x, y])]
