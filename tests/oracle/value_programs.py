"""Small expressions whose values, dtypes and static shapes TensorFlow 1.15 decides.

Every program is a function of `tf` and `np` that builds into the default graph and
returns a list of tensors, or a dictionary with

    fetch   the list of tensors (None where a gradient is None, IndexedSlices are allowed)
    feed    the feed_dict of every run
    step    an operation to run between fetches
    times   how often to run it; the fetch is taken before the first and after every step

Variables are initialised first.  Nothing here is random.  `record.py` writes the
answers to `values.json`.
"""

# The same source must run on Python 3.7, and every lambda below runs where it is written.
# ruff: noqa: B023, B905, RUF017, UP031

PROGRAMS = {}

INF, NAN = float("inf"), float("nan")
ODD = [
    -INF,
    -88.0,
    -2.5,
    -1.5,
    -1.0,
    -0.5,
    -1e-3,
    -0.0,
    0.0,
    1e-3,
    0.3,
    0.5,
    1.0,
    1.5,
    2.5,
    88.0,
    INF,
    NAN,
]
SIGNED = [-7, -6, -5, -1, 0, 1, 5, 6, 7]
A = [[1.0, -2.0, 3.0], [0.5, 4.0, -1.5]]
B = [[2.0, 0.25, -1.0], [-3.0, 1.0, 5.0]]
CUBE = [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[7.0, 8.0, 9.0], [10.0, 11.0, 12.0]]]


def case(name, function):
    """Register a program under a name."""
    assert name not in PROGRAMS, name
    PROGRAMS[name] = function


def program(function):
    """Register a program under its function name."""
    case(function.__name__, function)
    return function


def ramp(tf, *shape):
    """A float32 constant 0, 1, 2, ... of a shape."""
    size = 1
    for n in shape:
        size *= n
    return tf.reshape(tf.constant([float(i) for i in range(size)]), list(shape))


def graded(tf, f, *lists):
    """The value of f on float64 constants and its gradients for all of them."""
    xs = [tf.constant(values, tf.float64) for values in lists]
    y = f(*xs)
    return [y, *tf.gradients(y, xs)]


def weighted(tf, y):
    """A scalar that tells the elements of y apart."""
    n = y.shape.num_elements()
    weights = tf.reshape(tf.constant([1.0 + 0.5 * i for i in range(n)], y.dtype), y.shape)
    return tf.reduce_sum(y * weights)


# ---- elementwise -------------------------------------------------------------------------

UNARY = """
abs negative sign square sqrt rsqrt reciprocal exp expm1 log log1p sin cos tan asin acos atan
sinh cosh tanh asinh acosh atanh erf erfc lgamma digamma floor ceil round rint sigmoid
log_sigmoid is_nan is_inf is_finite
""".split()
for _name in UNARY:
    case(
        "unary_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(tf.constant(ODD)),
            getattr(tf, name)(tf.constant([[0.25, 0.75], [2.0, -3.0]], tf.float64)),
        ],
    )

NN_UNARY = "relu relu6 elu selu leaky_relu softplus softsign swish crelu".split()
for _name in NN_UNARY:
    case(
        "nn_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf.nn, name)(tf.constant(ODD)),
            getattr(tf.nn, name)(tf.constant([[7.0, -1.0]], tf.float64)),
        ],
    )

INSIDE = [-0.9, -0.25, 0.0, 0.5]
POSITIVE = [0.5, 1.0, 1.5, 3.0]
DOMAINS = {
    "asin": INSIDE,
    "acos": INSIDE,
    "atanh": INSIDE,
    "acosh": [1.25, 2.0],
    "log": POSITIVE,
    "sqrt": POSITIVE,
    "rsqrt": POSITIVE,
    "log1p": INSIDE,
    "lgamma": POSITIVE,
    "digamma": POSITIVE,
    "reciprocal": [-2.0, 0.5, 4.0],
}
for _name in """
abs negative sign square sqrt rsqrt reciprocal exp expm1 log log1p sin cos tan asin acos atan
sinh cosh tanh asinh acosh atanh erf erfc lgamma digamma floor ceil round rint sigmoid
log_sigmoid
""".split():
    case(
        "gradient_" + _name,
        lambda tf, np, name=_name: graded(
            tf, getattr(tf, name), DOMAINS.get(name, [-2.5, -1.0, -0.25, 0.0, 0.5, 1.0, 3.0])
        ),
    )
for _name in NN_UNARY:
    case(
        "gradient_nn_" + _name,
        lambda tf, np, name=_name: graded(
            tf, getattr(tf.nn, name), [-7.0, -1.0, -0.0, 0.0, 1.0, 6.0, 7.0]
        ),
    )

for _name in "add subtract multiply divide maximum minimum squared_difference".split():
    case(
        "binary_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(
                tf.constant([1.0, -0.0, INF, NAN, 0.0]), tf.constant([3.0, 0.0, -INF, 1.0, 0.0])
            ),
            getattr(tf, name)(tf.constant(A), tf.constant([[1.0], [2.0]])),
            getattr(tf, name)(tf.constant([1, 2], tf.int32), 5),
            *graded(tf, getattr(tf, name), [[1.0, 2.0], [3.0, -4.0]], [1.0, 3.0]),
        ],
    )
for _name in "equal not_equal less less_equal greater greater_equal".split():
    case(
        "compare_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(
                tf.constant([1.0, NAN, -0.0, INF]), tf.constant([1.0, NAN, 0.0, 1.0])
            ),
            getattr(tf, name)(tf.constant([[1], [2]]), [1, 2]),
        ],
    )
for _name in "floordiv floormod truncatediv truncatemod div mod divide truediv".split():
    case(
        "integer_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(tf.constant(SIGNED), tf.constant(3)),
            getattr(tf, name)(tf.constant(SIGNED, tf.int64), tf.constant(-3, tf.int64)),
        ],
    )
for _name in "floordiv floormod div mod truncatemod".split():
    case(
        "float_" + _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(tf.constant([-7.0, -6.5, -0.5, 0.0, 0.5, 7.0]), tf.constant(3.0)),
            getattr(tf, name)(tf.constant([-7.0, -6.5, -0.5, 0.0, 0.5, 7.0]), tf.constant(-3.0)),
            getattr(tf, name)(
                tf.constant([1.0, -1.0, 0.0, INF]), tf.constant([0.0, 0.0, 0.0, 2.0])
            ),
        ],
    )
case("div_no_nan", lambda tf, np: graded(tf, tf.div_no_nan, [1.0, 0.0, 4.0], [0.0, 0.0, 2.0]))
case(
    "unsigned_wrap",
    lambda tf, np: [tf.constant([250, 5], tf.uint8) + tf.constant([10, 1], tf.uint8)],
)
case(
    "int_wrap",
    lambda tf, np: [
        tf.constant([2147483647]) + 1,
        tf.constant([-2147483648]) - 1,
        tf.square([65536]),
    ],
)
case(
    "int_abs_min",
    lambda tf, np: [tf.abs([-2147483648]), -tf.constant([-2147483648]), tf.sign([-3, 0, 9])],
)
case(
    "pow_float",
    lambda tf, np: [
        tf.pow(
            tf.constant([-2.0, -2.0, 0.0, 0.0, 2.0, 1.0]),
            tf.constant([3.0, 0.5, 0.0, -1.0, 0.5, NAN]),
        ),
        tf.constant([2.0, 3.0]) ** 2,
        2 ** tf.constant([2.0, 3.0]),
    ],
)
case("pow_int", lambda tf, np: [tf.pow([-3, 2, 0], [3, 10, 0]), tf.constant([2, 3]) ** [[1], [2]]])
case("gradient_pow", lambda tf, np: graded(tf, tf.pow, [0.0, 1.0, 2.0, -2.0], [2.0, 3.0, 0.5, 2.0]))
case("gradient_pow_at_zero", lambda tf, np: graded(tf, tf.pow, [0.0, 0.0, 0.0], [0.0, 1.0, 2.0]))
case("atan2", lambda tf, np: graded(tf, tf.atan2, [1.0, -1.0, 0.0, 2.0], [2.0, -1.0, -1.0, 0.0]))
case("gradient_mod", lambda tf, np: graded(tf, tf.floormod, [5.5, -5.5], [2.0, 2.0]))
case("gradient_floordiv", lambda tf, np: graded(tf, tf.floordiv, [5.5, -5.5], [2.0, 2.0]))
case(
    "gradient_maximum_tie", lambda tf, np: graded(tf, tf.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
)
case(
    "gradient_minimum_tie", lambda tf, np: graded(tf, tf.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0])
)
case(
    "maximum_nan",
    lambda tf, np: [
        tf.maximum(tf.constant([NAN, 1.0, -0.0, 0.0]), tf.constant([1.0, NAN, 0.0, -0.0])),
        tf.minimum(tf.constant([NAN, 1.0, -0.0, 0.0]), tf.constant([1.0, NAN, 0.0, -0.0])),
    ],
)
case(
    "add_n",
    lambda tf, np: [
        tf.add_n([tf.constant(A), tf.constant(B), tf.constant(A)]),
        tf.add_n([tf.constant([1, 2])]),
    ],
)
case(
    "logical",
    lambda tf, np: (
        [
            f(tf.constant([True, True, False, False]), tf.constant([True, False, True, False]))
            for f in [tf.logical_and, tf.logical_or, tf.logical_xor]
        ]
        + [tf.logical_not([True, False]), tf.logical_and([[True], [False]], [True, False])]
    ),
)
case(
    "bitwise",
    lambda tf, np: (
        [
            f(tf.constant([12, -5, 7]), tf.constant([10, 3, -1]))
            for f in [tf.bitwise.bitwise_and, tf.bitwise.bitwise_or, tf.bitwise.bitwise_xor]
        ]
        + [
            tf.bitwise.invert(tf.constant([0, -1, 5])),
            tf.bitwise.invert(tf.constant([0, 5], tf.uint8)),
        ]
    ),
)
case(
    "bitwise_shift",
    lambda tf, np: [
        tf.bitwise.left_shift(tf.constant([1, -1, 3]), tf.constant([3, 4, 30])),
        tf.bitwise.right_shift(tf.constant([16, -16, 3]), tf.constant([2, 2, 31])),
        tf.bitwise.right_shift(tf.constant([128], tf.uint8), tf.constant([3], tf.uint8)),
    ],
)
case(
    "operators_mixed",
    lambda tf, np: [
        1 - tf.constant(A),
        2.0 / tf.constant([4.0, 5.0]),
        tf.constant(A) // 2,
        -7 // tf.constant([2, -2]),
        tf.constant([7, -7]) / 2,
        tf.constant([7, -7]) % 3,
        abs(tf.constant(A)),
        tf.constant([1.0]) * np.float64(3.5),
        np.array([1.0, 2.0]) * tf.constant([2.0, 2.0]),
        tf.constant([True]) ^ tf.constant([False]),
    ],
)
case(
    "broadcast_ranks",
    lambda tf, np: [
        tf.constant([1.0, 2.0, 3.0]) + tf.constant(CUBE),
        tf.constant([[[1.0]], [[2.0]]]) * tf.constant([[3.0, 4.0]]),
        tf.zeros([0, 3]) + tf.ones([3]),
        tf.zeros([0]) + tf.ones([1]),
        tf.ones([1, 0]) + tf.ones([2, 1]),
    ],
)
case(
    "round_half",
    lambda tf, np: [
        tf.round(tf.constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997, 8388609.0])),
        tf.round([3, -4]),
        tf.rint(tf.constant([0.5, 1.5], tf.float64)),
    ],
)
case(
    "cast_float_int",
    lambda tf, np: [
        tf.cast(tf.constant([-2.9, -0.5, 0.0, 2.9, 300.7]), d)
        for d in [tf.int32, tf.int64, tf.float64, tf.bool]
    ],
)
case(
    "cast_int",
    lambda tf, np: [
        tf.cast(tf.constant([-1, 0, 255, 256, 300]), d)
        for d in [tf.uint8, tf.int8, tf.int16, tf.float32, tf.bool]
    ],
)
case(
    "cast_bool",
    lambda tf, np: [tf.cast([True, False], d) for d in [tf.float32, tf.int32, tf.uint8, tf.int64]],
)
case(
    "cast_precision",
    lambda tf, np: [
        tf.cast(tf.constant([16777217, 2147483647]), tf.float32),
        tf.cast(tf.constant([0.1, 1e300], tf.float64), tf.float32),
        tf.cast(tf.constant([0.1, 65519.0, 65520.0, 1e-8]), tf.float16),
    ],
)
case(
    "saturate_cast",
    lambda tf, np: [
        tf.saturate_cast(tf.constant([-5.0, 3.7, 300.0]), tf.uint8),
        tf.saturate_cast(tf.constant([-500, 500]), tf.int8),
    ],
)
case(
    "gradient_cast",
    lambda tf, np: graded(
        tf, lambda x: tf.cast(tf.cast(x, tf.float32), tf.float64) * 3.0, [1.0, 2.0]
    ),
)
case(
    "select",
    lambda tf, np: [
        tf.where(
            tf.constant([[True, False, True], [False, False, True]]), tf.constant(A), tf.constant(B)
        ),
        tf.where(tf.constant([True, False]), tf.constant(A), tf.constant(B)),
        tf.where(True, tf.constant(A), tf.constant(B)),
    ],
)
case(
    "select_gradient_nan",
    lambda tf, np: graded(
        tf, lambda x: tf.where(x > 0.0, tf.log(x), tf.zeros_like(x)), [0.0, 1.0, 2.0]
    ),
)
case(
    "select_v2",
    lambda tf, np: [tf.compat.v2.where(tf.constant([True, False, True]), tf.constant(A), 0.0)],
)
case(
    "clip_by_value",
    lambda tf, np: [
        tf.clip_by_value(tf.constant(ODD), -1.0, 1.0),
        tf.clip_by_value(tf.constant([-3, 0, 9]), 0, 5),
        tf.clip_by_value(
            tf.constant(A), tf.constant([0.0, 0.0, 1.0]), tf.constant([1.0, 1.0, 2.0])
        ),
        tf.clip_by_value(tf.constant([0.5]), 2.0, 1.0),
    ],
)
case(
    "gradient_clip_by_value",
    lambda tf, np: graded(
        tf, lambda x: tf.clip_by_value(x, -1.0, 1.0), [-2.0, -1.0, 0.0, 1.0, 2.0]
    ),
)
case(
    "clip_by_norm",
    lambda tf, np: [
        tf.clip_by_norm(tf.constant([3.0, 4.0]), 1.0),
        tf.clip_by_norm(tf.constant([0.3, 0.4]), 1.0),
        tf.clip_by_norm(tf.constant(A), 2.0, axes=[1]),
        tf.clip_by_norm(tf.zeros([2]), 1.0),
    ],
)
case("clip_by_average_norm", lambda tf, np: [tf.clip_by_average_norm(tf.constant([3.0, 4.0]), 1.0)])


@program
def clip_by_global_norm(tf, np):
    clipped, norm = tf.clip_by_global_norm(
        [tf.constant([3.0, 4.0]), None, tf.constant([[12.0]])], 2.0
    )
    free, small = tf.clip_by_global_norm([tf.constant([0.3])], 2.0)
    return [
        *clipped,
        norm,
        *free,
        small,
        tf.clip_by_global_norm([tf.constant([INF, 1.0])], 1.0)[0][0],
    ]


case(
    "gradient_clip_by_norm",
    lambda tf, np: graded(tf, lambda x: weighted(tf, tf.clip_by_norm(x, 1.0)), [3.0, 4.0]),
)
case(
    "norms",
    lambda tf, np: [
        tf.norm(tf.constant(A)),
        tf.norm(tf.constant(A), axis=1),
        tf.norm(tf.constant(A), 1, axis=0, keepdims=True),
        tf.norm(tf.constant(A), np.inf),
        tf.global_norm([tf.constant([3.0]), tf.constant([4.0])]),
        tf.nn.l2_loss(tf.constant([3.0, 4.0])),
        tf.nn.l2_normalize(tf.constant([[3.0, 4.0], [0.0, 0.0]]), 1),
    ],
)
case(
    "gradient_norm",
    lambda tf, np: graded(tf, tf.norm, [3.0, 4.0]) + graded(tf, tf.norm, [0.0, 0.0]),
)
case(
    "gradient_l2",
    lambda tf, np: (
        graded(tf, tf.nn.l2_loss, [3.0, 4.0])
        + graded(tf, lambda x: weighted(tf, tf.nn.l2_normalize(x, 0)), [3.0, 4.0])
    ),
)

# ---- reductions --------------------------------------------------------------------------

for _name in "reduce_sum reduce_mean reduce_max reduce_min reduce_prod reduce_logsumexp".split():
    case(
        _name,
        lambda tf, np, name=_name: [
            getattr(tf, name)(tf.constant(CUBE)),
            getattr(tf, name)(tf.constant(CUBE), 0),
            getattr(tf, name)(tf.constant(CUBE), axis=-1),
            getattr(tf, name)(tf.constant(CUBE), axis=[0, -1]),
            getattr(tf, name)(tf.constant(CUBE), 1, keepdims=True),
            getattr(tf, name)(tf.constant(CUBE), keepdims=True),
            getattr(tf, name)(tf.constant(CUBE), axis=[]),
            getattr(tf, name)(tf.constant(5.0)),
            getattr(tf, name)(tf.constant([1.0, NAN, INF])),
        ],
    )
    case(
        _name + "_empty",
        lambda tf, np, name=_name: [
            getattr(tf, name)(tf.zeros([0])),
            getattr(tf, name)(tf.zeros([0, 3]), 0),
            getattr(tf, name)(tf.zeros([0, 3]), 1),
        ],
    )
    case(
        "gradient_" + _name,
        lambda tf, np, name=_name: graded(
            tf, lambda x: weighted(tf, getattr(tf, name)(x, 1)), [[1.0, 3.0, 3.0], [0.5, -2.0, 4.0]]
        ),
    )
for _name in "reduce_sum reduce_mean reduce_max reduce_min reduce_prod".split():
    case(
        _name + "_int",
        lambda tf, np, name=_name: (
            [
                getattr(tf, name)(tf.constant([[1, -2], [4, 4]])),
                getattr(tf, name)(tf.constant([[1, -2], [4, 4]]), 1),
                getattr(tf, name)(tf.constant([], tf.int32)),
            ]
            if name != "reduce_mean"
            else [
                tf.reduce_mean(tf.constant([[1, -2], [4, 4]])),
                tf.reduce_mean(tf.constant([[1, -2], [4, 4]]), 1),
            ]
        ),
    )
case(
    "reduce_logical",
    lambda tf, np: [
        f(x, axis)
        for f in [tf.reduce_any, tf.reduce_all]
        for axis in [None, 0, [1]]
        for x in [tf.constant([[True, False], [True, True]]), tf.zeros([0, 2], tf.bool)]
    ],
)
case(
    "reduce_numpy_axis",
    lambda tf, np: [
        tf.reduce_sum(tf.constant(CUBE), np.int64(1)),
        tf.reduce_sum(tf.constant(CUBE), axis=tf.constant([0, 2])),
        tf.reduce_sum(tf.constant(CUBE), axis=(0, 1)),
        tf.reduce_sum([1, 2, 3]),
        tf.reduce_mean([1.0, 2.0]),
    ],
)
case(
    "reduce_mean_bool_cast",
    lambda tf, np: [tf.reduce_mean(tf.cast(tf.equal([1, 2, 3], [1, 0, 3]), "float"))],
)
case(
    "gradient_reduce_prod_zero",
    lambda tf, np: graded(tf, lambda x: tf.reduce_prod(x), [2.0, 0.0, 3.0]),
)
case(
    "gradient_reduce_max_ties",
    lambda tf, np: graded(tf, lambda x: tf.reduce_max(x), [1.0, 3.0, 3.0, 2.0]),
)
case("gradient_reduce_mean_int_size", lambda tf, np: graded(tf, tf.reduce_mean, [[1.0, 2.0, 3.0]]))
case(
    "argmax",
    lambda tf, np: [
        tf.argmax(tf.constant([[1.0, 3.0, 3.0], [2.0, 2.0, 0.0]]), 1),
        tf.argmax(tf.constant(A)),
        tf.argmax(tf.constant(A), -1),
        tf.argmax(tf.constant([3, 9, 9])),
        tf.argmax(tf.constant(A), 1, output_type=tf.int32),
        tf.argmax(tf.constant([NAN, 1.0, 2.0])),
        tf.argmax(tf.constant([1.0, NAN, 2.0])),
        tf.argmax(tf.constant(CUBE), 2),
    ],
)
case(
    "argmin",
    lambda tf, np: [
        tf.argmin(tf.constant([[1.0, 3.0, 1.0], [2.0, 0.0, 0.0]]), 1),
        tf.argmin(tf.constant(A)),
        tf.argmin([3, 1, 1]),
        tf.argmin(tf.constant([1.0, NAN, 0.0])),
    ],
)
for _name in "cumsum cumprod".split():
    case(
        _name,
        lambda tf, np, name=_name: (
            [
                getattr(tf, name)(tf.constant([1.0, 2.0, 3.0, 4.0]), exclusive=e, reverse=r)
                for e in [False, True]
                for r in [False, True]
            ]
            + [getattr(tf, name)(tf.constant(CUBE), a) for a in [0, 1, -1]]
            + [getattr(tf, name)([1, 2, 3])]
        ),
    )
    case(
        "gradient_" + _name,
        lambda tf, np, name=_name: sum(
            [
                graded(tf, lambda x: weighted(tf, getattr(tf, name)(x, 0, e, r)), [1.0, 2.0, 4.0])
                for e in [False, True]
                for r in [False, True]
            ],
            [],
        ),
    )

# ---- matrices ----------------------------------------------------------------------------

case(
    "matmul",
    lambda tf, np: [
        tf.matmul(tf.constant(A), tf.constant(B), transpose_b=True),
        tf.matmul(tf.constant(A), tf.constant(B), True),
        tf.matmul(tf.constant(A), tf.constant(B), transpose_a=True),
        tf.constant(A) @ tf.transpose(tf.constant(B)),
        tf.matmul([[1, 2], [3, 4]], [[5], [6]]),
        tf.matmul(tf.zeros([2, 0]), tf.zeros([0, 3])),
        tf.matmul(tf.constant([[1.0], [2.0]]), tf.constant(B), transpose_a=True),
    ],
)
case(
    "matmul_both_transposed",
    lambda tf, np: [
        tf.matmul(
            tf.constant(A),
            tf.constant([[1.0, 2.0], [0.0, 1.0]]),
            transpose_a=True,
            transpose_b=True,
        ),
    ],
)
case(
    "matmul_batched",
    lambda tf, np: [
        tf.matmul(tf.constant(CUBE), tf.constant(CUBE), transpose_b=True),
        tf.matmul(tf.constant(CUBE), ramp(tf, 2, 3, 1)),
        tf.matmul(tf.constant(CUBE), tf.constant(CUBE), adjoint_a=True),
        tf.matmul(tf.constant(CUBE), ramp(tf, 3, 2)),
        tf.matmul(ramp(tf, 2, 1, 2, 3), ramp(tf, 3, 3, 2)),
    ],
)
for _ta in [False, True]:
    for _tb in [False, True]:
        case(
            "gradient_matmul_%d%d" % (_ta, _tb),
            lambda tf, np, ta=_ta, tb=_tb: graded(
                tf,
                lambda x, y: weighted(tf, tf.matmul(x, y, transpose_a=ta, transpose_b=tb)),
                [[1.0, 2.0], [3.0, 4.0], [5.0, -6.0]] if ta else A,
                [[1.0, 0.5, 2.0], [0.0, -1.0, 3.0]]
                if tb
                else [[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0]],
            ),
        )
case(
    "gradient_matmul_batched",
    lambda tf, np: graded(
        tf,
        lambda x, y: weighted(tf, tf.matmul(x, y, transpose_b=True)),
        CUBE,
        [[[1.0, 0.0, 2.0]], [[3.0, 1.0, 0.0]]],
    ),
)
case(
    "tensordot",
    lambda tf, np: [
        tf.tensordot(tf.constant(A), tf.constant(B), [[1], [1]]),
        tf.tensordot(tf.constant(CUBE), tf.constant(A), [[1, 2], [0, 1]]),
        tf.tensordot(tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]), 1),
        tf.tensordot(tf.constant(CUBE), tf.constant(A), [[2], [1]]),
        tf.tensordot(tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0]), 0),
    ],
)
case(
    "gradient_tensordot",
    lambda tf, np: graded(tf, lambda x, y: weighted(tf, tf.tensordot(x, y, [[2], [1]])), CUBE, A),
)
for _i, (_equation, _operands) in enumerate(
    [
        ("ij,jk->ik", (A, [[1.0], [2.0], [3.0]])),
        ("ij,kj->ik", (A, B)),
        ("ij->ji", (A,)),
        ("ij->j", (A,)),
        ("ij->", (A,)),
        ("i,j->ij", ([1.0, 2.0], [3.0, 4.0])),
        ("bij,bkj->bik", (CUBE, CUBE)),
        ("ij,ij->", (A, B)),
        ("bij,j->bi", (CUBE, [1.0, 2.0, 3.0])),
        ("ij,ij->ij", (A, B)),
        ("ij,jk", (A, [[1.0], [2.0], [3.0]])),
        ("abc,cd,d->ab", (CUBE, [[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]], [1.0, 2.0])),
    ]
):
    case(
        "einsum_%d" % _i,
        lambda tf, np, e=_equation, o=_operands: [tf.einsum(e, *[tf.constant(x) for x in o])],
    )
case(
    "gradient_einsum",
    lambda tf, np: graded(
        tf, lambda x, y: weighted(tf, tf.einsum("bij,bkj->bik", x, y)), CUBE, CUBE
    ),
)
case(
    "linear_algebra",
    lambda tf, np: [
        tf.diag([1.0, 2.0]),
        tf.diag_part(tf.constant([[1.0, 2.0], [3.0, 4.0]])),
        tf.trace(tf.constant([[1.0, 2.0], [3.0, 4.0]])),
        tf.matrix_inverse(tf.constant([[2.0, 0.0], [1.0, 4.0]])),
        tf.matrix_determinant(tf.constant([[2.0, 1.0], [1.0, 4.0]])),
        tf.cholesky(tf.constant([[4.0, 2.0], [2.0, 3.0]])),
        tf.matrix_solve(tf.constant([[2.0, 0.0], [1.0, 4.0]]), tf.constant([[2.0], [5.0]])),
        tf.matrix_band_part(tf.constant([[1.0, 2.0, 3.0]] * 3), 1, 0),
    ],
)

# ---- shapes ------------------------------------------------------------------------------

case(
    "reshape",
    lambda tf, np: (
        [tf.reshape(tf.constant(CUBE), s) for s in ([-1], [3, -1], [2, 1, 6], [12, 1], (4, 3))]
        + [
            tf.reshape([5.0], []),
            tf.reshape(tf.zeros([0, 4]), [2, 0]),
            tf.reshape(tf.zeros([0]), [-1, 3]),
        ]
    ),
)
case(
    "transpose",
    lambda tf, np: [
        tf.transpose(tf.constant(A)),
        tf.transpose(tf.constant(CUBE)),
        tf.transpose(tf.constant(CUBE), [1, 0, 2]),
        tf.transpose(tf.constant(CUBE), [2, 0, 1]),
        tf.transpose([1.0, 2.0]),
        tf.matrix_transpose(tf.constant(CUBE)),
        tf.transpose(tf.constant(3.0)),
    ],
)
case(
    "expand_dims",
    lambda tf, np: (
        [tf.expand_dims(tf.constant(A), i) for i in [0, 1, 2, -1, -3]] + [tf.expand_dims(1.0, 0)]
    ),
)
case(
    "squeeze",
    lambda tf, np: [
        tf.squeeze(ramp(tf, 1, 2, 1, 3)),
        tf.squeeze(ramp(tf, 1, 2, 1, 3), [0]),
        tf.squeeze(ramp(tf, 1, 2, 1, 3), -2),
        tf.squeeze(ramp(tf, 1, 1)),
        tf.squeeze(ramp(tf, 2, 3)),
        tf.squeeze(ramp(tf, 1, 2, 1), squeeze_dims=[2]),
    ],
)
case(
    "concat",
    lambda tf, np: [
        tf.concat([tf.constant(A), tf.constant(B)], 0),
        tf.concat([tf.constant(A), tf.constant(B)], -1),
        tf.concat([tf.constant(A), tf.constant([[9.0], [8.0]])], axis=1),
        tf.concat([tf.zeros([0, 3]), tf.constant(A)], 0),
        tf.concat([[1, 2], [3]], 0),
        tf.concat(tf.constant(A), 0),
    ],
)
case(
    "gradient_concat",
    lambda tf, np: graded(
        tf, lambda x, y: weighted(tf, tf.concat([x, y, x], -1)), A, [[1.0], [2.0]]
    ),
)
case(
    "split",
    lambda tf, np: [
        *tf.split(ramp(tf, 2, 6), 3, 1),
        *tf.split(ramp(tf, 2, 6), [1, 2, 3], -1),
        *tf.split(ramp(tf, 4), 2),
        *tf.split(ramp(tf, 6), [2, -1, 1]),
    ],
)
case(
    "gradient_split",
    lambda tf, np: graded(
        tf,
        lambda x: (
            weighted(tf, tf.split(x, [2, 1], 1)[0]) + weighted(tf, 3.0 * tf.split(x, 3, 1)[2])
        ),
        A,
    ),
)
case(
    "stack",
    lambda tf, np: (
        [tf.stack([tf.constant(A), tf.constant(B)], a) for a in [0, 1, 2, -1, -3]]
        + [tf.stack([1, 2, 3]), tf.stack([tf.constant(1.0)]), tf.stack([[1, 2], [3, 4]], 1)]
    ),
)
case(
    "unstack",
    lambda tf, np: [
        *tf.unstack(tf.constant(A)),
        *tf.unstack(tf.constant(A), axis=1),
        *tf.unstack(tf.constant(CUBE), 3, -1),
    ],
)
case(
    "gradient_stack",
    lambda tf, np: (
        graded(tf, lambda x, y: weighted(tf, tf.stack([x, y, x], 1)), [1.0, 2.0], [3.0, 4.0])
        + graded(tf, lambda x: tf.reduce_sum(tf.unstack(x, axis=1)[1] ** 2), A)
    ),
)
case(
    "slice",
    lambda tf, np: [
        tf.slice(tf.constant(CUBE), [0, 1, 0], [1, 1, 2]),
        tf.slice(tf.constant(CUBE), [1, 0, 1], [-1, 2, -1]),
        tf.slice([1, 2, 3], [1], [0]),
    ],
)
case(
    "strided_slice_basic",
    lambda tf, np: [
        x[i]
        for x in [ramp(tf, 5, 4)]
        for i in [
            0,
            -1,
            slice(1, 3),
            slice(None, None, 2),
            slice(None, None, -1),
            slice(4, 1, -2),
            slice(-3, -1),
            slice(3, 1),
        ]
    ],
)
case(
    "strided_slice_out_of_bounds",
    lambda tf, np: [
        x[i]
        for x in [ramp(tf, 4)]
        for i in [
            slice(1, 100),
            slice(-100, 2),
            slice(9, 12),
            slice(100, None, -1),
            slice(2, -9, -1),
        ]
    ],
)
case(
    "strided_slice_many",
    lambda tf, np: [
        x[i]
        for x in [ramp(tf, 3, 4, 2)]
        for i in [
            (0, 1),
            (slice(None), 2),
            (Ellipsis, 0),
            (0, Ellipsis),
            (slice(1), slice(1, 3), 1),
            (Ellipsis, slice(None, None, -1)),
            (slice(None), slice(1, None), slice(None)),
            (-1, -1, -1),
            (0, Ellipsis, -1),
            Ellipsis,
        ]
    ],
)
case(
    "strided_slice_new_axis",
    lambda tf, np: [
        x[i]
        for x in [ramp(tf, 2, 3)]
        for i in [
            (None, 0),
            (slice(None), None),
            (Ellipsis, None),
            (None, Ellipsis),
            (0, None, 1),
            (None, slice(1), None, slice(2)),
        ]
    ],
)
case(
    "strided_slice_masks",
    lambda tf, np: (
        [
            tf.strided_slice(ramp(tf, 3, 4), [1, 1], [2, 3], [1, 1], **{mask: bits})
            for mask in ["begin_mask", "end_mask", "shrink_axis_mask"]
            for bits in [1, 2, 3]
        ]
        + [
            tf.strided_slice(ramp(tf, 3, 4), [0, 1], [2, 3], [1, 1], ellipsis_mask=1),
            tf.strided_slice(ramp(tf, 3, 4), [0, 1, 0], [0, 2, 3], [1, 1, 1], new_axis_mask=1),
            tf.strided_slice(ramp(tf, 3, 4), [2], [0], [-1]),
            tf.strided_slice(ramp(tf, 3, 4), [-1, -2], [-4, 9], [-1, 1]),
            tf.strided_slice(ramp(tf, 3, 4), [0, 3], [3, 0], [2, -2]),
        ]
    ),
)


@program
def strided_slice_tensor_index(tf, np):
    x, i = ramp(tf, 4, 3), tf.placeholder(tf.int32, [])
    return {"fetch": [x[i], x[:i], x[i:], x[1, i], x[i - 1 : i + 1, ::2]], "feed": {i: 2}}


case(
    "gradient_strided_slice",
    lambda tf, np: sum(
        [
            graded(tf, lambda x: weighted(tf, x[i]), CUBE)
            for i in [
                0,
                (slice(None), slice(None, None, -1), slice(None, None, 2)),
                (Ellipsis, -1),
                (None, slice(None), 1),
            ]
        ],
        [],
    ),
)
case(
    "pad",
    lambda tf, np: [
        tf.pad(tf.constant(A), [[1, 0], [0, 2]]),
        tf.pad(tf.constant(A), [[1, 1], [0, 1]], constant_values=9.0),
        tf.pad(tf.constant(A), [[1, 1], [2, 1]], "REFLECT"),
        tf.pad(tf.constant(A), [[1, 2], [2, 1]], "SYMMETRIC"),
        tf.pad([1, 2], [[0, 1]]),
        tf.pad(tf.constant(A), [[0, 0], [0, 0]]),
    ],
)
case(
    "gradient_pad",
    lambda tf, np: sum(
        [
            graded(tf, lambda x: weighted(tf, tf.pad(x, [[1, 1], [2, 1]], m)), A)
            for m in ["CONSTANT", "REFLECT"]
        ],
        [],
    ),
)
case(
    "tile",
    lambda tf, np: [
        tf.tile(tf.constant(A), [2, 1]),
        tf.tile(tf.constant(A), [1, 2]),
        tf.tile([1, 2], [3]),
        tf.tile([1.0], [0]),
        tf.tile(tf.constant([[1.0], [2.0]]), [2, 3]),
    ],
)
case("gradient_tile", lambda tf, np: graded(tf, lambda x: weighted(tf, tf.tile(x, [2, 3])), A))
case(
    "reverse",
    lambda tf, np: [
        tf.reverse(tf.constant(A), [0]),
        tf.reverse(tf.constant(A), [-1]),
        tf.reverse(tf.constant(CUBE), [0, 2]),
        tf.reverse([1, 2], []),
    ],
)
case(
    "gradient_shape_ops",
    lambda tf, np: graded(
        tf,
        lambda x: weighted(
            tf, tf.reverse(tf.transpose(tf.squeeze(tf.expand_dims(tf.reshape(x, [3, 2]), 1))), [0])
        ),
        A,
    ),
)
case(
    "gather",
    lambda tf, np: [
        tf.gather(tf.constant(A), [1, 0, 1]),
        tf.gather(tf.constant(A), [2, 0], axis=1),
        tf.gather(tf.constant(A), 1),
        tf.gather(tf.constant(A), [[0, 1], [1, 1]]),
        tf.gather(tf.constant(CUBE), [[2, 0]], axis=-1),
        tf.gather(tf.constant(A), tf.constant([], tf.int32)),
        tf.gather([10, 20, 30], tf.constant([2], tf.int64)),
    ],
)
case(
    "gather_batch_dims", lambda tf, np: [tf.gather(tf.constant(A), [[2, 0], [1, 1]], batch_dims=1)]
)
case(
    "gather_nd",
    lambda tf, np: [
        tf.gather_nd(tf.constant(A), [[0, 1], [1, 2]]),
        tf.gather_nd(tf.constant(A), [[1], [0]]),
        tf.gather_nd(tf.constant(CUBE), [[[0, 1], [1, 0]]]),
        tf.gather_nd(tf.constant(A), [1, 1]),
    ],
)
case(
    "gradient_gather_axis",
    lambda tf, np: graded(tf, lambda x: weighted(tf, tf.gather(x, [2, 0, 2], axis=1)), A),
)
case(
    "gradient_gather_nd",
    lambda tf, np: graded(tf, lambda x: weighted(tf, tf.gather_nd(x, [[0, 1], [1, 2], [0, 1]])), A),
)


@program
def gradient_gather_slices(tf, np):
    x = tf.constant(A, tf.float64)
    y = weighted(tf, tf.gather(x, [1, 0, 1]))
    g = tf.gradients(y, x)[0]
    return [g, tf.convert_to_tensor(g), tf.unsorted_segment_sum(g.values, g.indices, 2)]


@program
def gradient_gather_slices_scaled(tf, np):
    x = tf.constant(A, tf.float64)
    y = weighted(tf, tf.gather(2.0 * x, [1, 1])) + tf.reduce_sum(tf.gather(x, 0)) + tf.reduce_sum(x)
    return [tf.gradients(y, x)[0]]


@program
def embedding_lookup(tf, np):
    table = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    rows = tf.nn.embedding_lookup(table, [[2, 0], [1, 1]])
    parts = tf.nn.embedding_lookup(
        [tf.constant([[1.0], [3.0]]), tf.constant([[2.0], [4.0]])], [0, 1, 2, 3]
    )
    return [
        rows,
        parts,
        tf.nn.embedding_lookup(table, 1),
        tf.nn.embedding_lookup(table, [0, 2], max_norm=1.0),
    ]


case(
    "one_hot",
    lambda tf, np: [
        tf.one_hot([0, 2, -1, 3], 3),
        tf.one_hot([[0, 1], [2, 5]], 3, axis=1),
        tf.one_hot([1, 0], 2, axis=0),
        tf.one_hot(2, 4),
        tf.one_hot([1, 0], 2, on_value=5.0, off_value=-1.0),
        tf.one_hot([1], 3, dtype=tf.int32),
        tf.one_hot([1], 2, True, False),
        tf.one_hot(tf.constant([1], tf.uint8), 2),
        tf.one_hot([0, 1], 0),
        tf.one_hot([1], 2, on_value=7),
    ],
)
case(
    "range",
    lambda tf, np: [
        tf.range(4),
        tf.range(2, 9, 3),
        tf.range(5, 0, -2),
        tf.range(0),
        tf.range(0.0, 1.0, 0.25),
        tf.range(3.0),
        tf.range(1, 4, dtype=tf.float32),
        tf.range(tf.constant(3, tf.int64)),
        tf.range(0, 1.0, 0.3),
    ],
)
case(
    "linspace",
    lambda tf, np: [tf.linspace(0.0, 1.0, 5), tf.lin_space(-1.0, 1.0, 1), tf.linspace(3.0, 1.0, 3)],
)
case(
    "fills",
    lambda tf, np: [
        tf.fill([2, 3], 7),
        tf.fill([], 1.5),
        tf.fill([0, 2], True),
        tf.zeros([2, 2], tf.int64),
        tf.ones([2], tf.bool),
        tf.zeros([]),
        tf.zeros_like([1, 2]),
        tf.ones_like(tf.constant(A)),
        tf.zeros_like(tf.constant(A), dtype=tf.int32),
        tf.ones([1, 0]),
        tf.eye(2),
        tf.eye(2, 3),
        tf.eye(2, batch_shape=[2]),
        tf.eye(1, dtype=tf.int32),
    ],
)
case(
    "shape_size_rank",
    lambda tf, np: [
        tf.shape(tf.constant(CUBE)),
        tf.shape(tf.constant(CUBE), out_type=tf.int64),
        tf.size(tf.constant(CUBE)),
        tf.rank(tf.constant(CUBE)),
        tf.shape(1.0),
        tf.size(tf.zeros([0, 3])),
        tf.rank(1.0),
        tf.size([1, 2], out_type=tf.int64),
    ],
)
case(
    "constants",
    lambda tf, np: [
        tf.constant(1),
        tf.constant(1.0),
        tf.constant(True),
        tf.constant([1, 2.5]),
        tf.constant(np.float64(1)),
        tf.constant(np.arange(2)),
        tf.constant(0.5, shape=[2, 2]),
        tf.constant([1, 2], shape=[3]),
        tf.constant(np.float16(1)),
        tf.constant([[]]),
        tf.constant("ab"),
        tf.constant(False, shape=[0, 2]),
        tf.constant([1, 2, 3, 4], shape=[2, 2]),
        tf.constant(2**40),
        tf.constant(np.int32([1])),
        tf.constant(7, tf.float64),
    ],
)
case(
    "boolean_mask",
    lambda tf, np: [
        tf.boolean_mask(tf.constant(A), [True, False]),
        tf.boolean_mask(tf.constant(A), [[True, False, True], [False, True, False]]),
        tf.boolean_mask(tf.constant(A), [False, True, True], axis=1),
        tf.boolean_mask([1, 2, 3], [False, False, False]),
    ],
)
case(
    "where_indices",
    lambda tf, np: [
        tf.where([True, False, True]),
        tf.where(tf.constant(A) > 0.0),
        tf.where(tf.zeros([2, 2])),
        tf.where([0, 3, 0, 5]),
    ],
)
case("unique", lambda tf, np: [*tf.unique([3, 1, 3, 2, 1]), *tf.unique_with_counts([3, 1, 3])])
case(
    "segments",
    lambda tf, np: [
        tf.unsorted_segment_sum(tf.constant(A), [1, 1], 3),
        tf.unsorted_segment_sum([1, 2, 3, 4], [0, 2, 0, -1], 3),
        tf.segment_sum([1.0, 2.0, 3.0], [0, 0, 2]),
        tf.unsorted_segment_sum(tf.constant(A), [[0, 1, 0], [1, 1, 0]], 2),
        tf.unsorted_segment_max([1.0, 2.0], [1, 1], 2),
        tf.segment_mean([1.0, 2.0, 3.0], [0, 0, 1]),
    ],
)
case(
    "gradient_segment_sum",
    lambda tf, np: graded(
        tf,
        lambda x: weighted(tf, tf.unsorted_segment_sum(x, [1, 0, 1, -1], 2)),
        [1.0, 2.0, 3.0, 4.0],
    ),
)
case(
    "scatter_nd",
    lambda tf, np: [
        tf.scatter_nd([[1], [0], [1]], [1.0, 2.0, 3.0], [3]),
        tf.scatter_nd([[0, 1]], [5], [2, 2]),
        tf.sparse_to_dense([1, 3], [5], 1.0, 0.0),
    ],
)
case(
    "sequence_mask",
    lambda tf, np: [tf.sequence_mask([1, 3, 0]), tf.sequence_mask([1, 2], 4, tf.float32)],
)
case(
    "top_k",
    lambda tf, np: [
        *tf.nn.top_k(tf.constant([[1.0, 3.0, 3.0, 2.0], [4.0, 4.0, 4.0, 5.0]]), 3),
        *tf.nn.top_k([5, 1, 5, 5], 2),
        *tf.nn.top_k([1.0, 2.0]),
        *tf.nn.top_k(tf.constant([1.0, 2.0]), 0),
    ],
)
case(
    "gradient_top_k",
    lambda tf, np: graded(
        tf, lambda x: weighted(tf, tf.nn.top_k(x, 2)[0]), [[1.0, 3.0, 3.0], [0.0, 5.0, 4.0]]
    ),
)
case(
    "in_top_k",
    lambda tf, np: (
        [
            tf.nn.in_top_k([[0.1, 0.6, 0.3], [0.5, 0.5, 0.0], [0.3, 0.3, 0.3]], [1, 1, 2], k)
            for k in [1, 2, 3]
        ]
        + [
            tf.nn.in_top_k([[NAN, 1.0], [1.0, INF]], [1, 1], 1),
            tf.nn.in_top_k([[0.1, 0.9]], [5], 1),
        ]
    ),
)
case(
    "space",
    lambda tf, np: [
        tf.meshgrid([1, 2, 3], [4, 5])[0],
        tf.meshgrid([1, 2, 3], [4, 5], indexing="ij")[1],
        tf.broadcast_to([1, 2], [2, 2]),
        tf.roll([1, 2, 3, 4], 1, 0),
        tf.sort([3, 1, 2]),
        tf.argsort([3.0, 1.0, 2.0]),
        tf.invert_permutation([2, 0, 1]),
    ],
)

# ---- neural networks ---------------------------------------------------------------------

LOGITS = [[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]]
case(
    "softmax",
    lambda tf, np: [
        tf.nn.softmax(tf.constant(LOGITS)),
        tf.nn.softmax(tf.constant(LOGITS), axis=0),
        tf.nn.softmax(tf.constant(CUBE), 1),
        tf.nn.softmax([1.0, 2.0]),
        tf.nn.softmax(tf.constant([[INF, 1.0], [-INF, -INF], [-INF, 0.0]])),
        tf.nn.softmax(tf.zeros([0, 3])),
    ],
)
case(
    "log_softmax",
    lambda tf, np: [
        tf.nn.log_softmax(tf.constant(LOGITS)),
        tf.nn.log_softmax(tf.constant(LOGITS), axis=0),
        tf.nn.log_softmax(tf.constant(CUBE), dim=-2),
    ],
)
case(
    "gradient_softmax",
    lambda tf, np: (
        graded(tf, lambda x: weighted(tf, tf.nn.softmax(x)), A)
        + graded(tf, lambda x: weighted(tf, tf.nn.log_softmax(x)), A)
        + graded(tf, lambda x: weighted(tf, tf.nn.softmax(x, 0)), A)
    ),
)
case(
    "softmax_xent",
    lambda tf, np: [
        tf.nn.softmax_cross_entropy_with_logits_v2(
            labels=tf.constant([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]]),
            logits=tf.constant(LOGITS),
        ),
        tf.nn.softmax_cross_entropy_with_logits(labels=[[1.0, 1.0]], logits=[[1.0, 2.0]]),
        tf.nn.softmax_cross_entropy_with_logits_v2(
            labels=tf.constant(CUBE), logits=tf.constant(CUBE)
        ),
        tf.nn.softmax_cross_entropy_with_logits_v2(
            labels=tf.constant(A), logits=tf.constant(B), axis=0
        ),
        tf.nn.softmax_cross_entropy_with_logits_v2(
            labels=tf.constant([0.5, 0.5]), logits=tf.constant([1.0, 2.0])
        ),
    ],
)
case(
    "gradient_softmax_xent_v2",
    lambda tf, np: graded(
        tf,
        lambda x, y: weighted(tf, tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=x)),
        A,
        [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]],
    ),
)
case(
    "gradient_softmax_xent_v1",
    lambda tf, np: graded(
        tf,
        lambda x, y: weighted(tf, tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)),
        A,
        [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]],
    ),
)
case(
    "sparse_xent",
    lambda tf, np: [
        tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=[2, 1, 0], logits=tf.constant(LOGITS)
        ),
        tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=tf.constant([[0, 1], [2, 2]], tf.int64), logits=tf.constant(CUBE)
        ),
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=1, logits=[1.0, 2.0]),
    ],
)
case(
    "gradient_sparse_xent",
    lambda tf, np: graded(
        tf,
        lambda x: weighted(
            tf, tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2, 0], logits=x)
        ),
        A,
    ),
)
case(
    "sigmoid_xent",
    lambda tf, np: [
        tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.constant([0.0, 1.0, 0.5, 1.0, 0.0]),
            logits=tf.constant([-100.0, -100.0, 0.0, 2.0, 100.0]),
        ),
        tf.nn.weighted_cross_entropy_with_logits(
            tf.constant([0.0, 1.0, 0.5]), tf.constant([-3.0, 0.0, 2.0]), 2.0
        ),
    ],
)
case(
    "gradient_sigmoid_xent",
    lambda tf, np: (
        graded(
            tf,
            lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x),
            [-3.0, 0.0, 2.0],
            [0.0, 1.0, 0.5],
        )
        + graded(
            tf,
            lambda x, y: tf.nn.weighted_cross_entropy_with_logits(y, x, 2.0),
            [-3.0, 0.0, 2.0],
            [0.0, 1.0, 0.5],
        )
    ),
)
case(
    "bias_add",
    lambda tf, np: [
        tf.nn.bias_add(tf.constant(CUBE), [1.0, 2.0, 3.0]),
        tf.nn.bias_add(ramp(tf, 1, 2, 2, 1), [1.0, 2.0], "NCHW"),
    ],
)
case(
    "gradient_bias_add",
    lambda tf, np: graded(
        tf, lambda x, b: weighted(tf, tf.nn.bias_add(x, b)), CUBE, [1.0, 2.0, 3.0]
    ),
)
case(
    "moments",
    lambda tf, np: [
        *tf.nn.moments(tf.constant(A), [0]),
        *tf.nn.moments(tf.constant(CUBE), [0, 1], keep_dims=True),
        *tf.nn.moments(tf.constant(A), [0, 1]),
        *tf.nn.moments(tf.constant([1, 2, 4]), [0]),
        *tf.nn.moments(tf.constant([1, 2, 4], tf.float16), [0]),
    ],
)
case(
    "gradient_moments",
    lambda tf, np: graded(tf, lambda x: weighted(tf, tf.nn.moments(x, [0])[1]), A),
)
case(
    "batch_normalization",
    lambda tf, np: [
        tf.nn.batch_normalization(tf.constant(A), *tf.nn.moments(tf.constant(A), [0]), o, s, 1e-3)
        for o, s in [
            (None, None),
            (tf.constant([1.0, 2.0, 3.0]), None),
            (tf.constant([1.0, 2.0, 3.0]), tf.constant([2.0, 2.0, 0.5])),
        ]
    ],
)
case(
    "gradient_batch_normalization",
    lambda tf, np: graded(
        tf,
        lambda x, o, s: weighted(
            tf, tf.nn.batch_normalization(x, *tf.nn.moments(x, [0]), o, s, 1e-3)
        ),
        A,
        [1.0, 2.0, 3.0],
        [2.0, 2.0, 0.5],
    ),
)
case(
    "dropout_off",
    lambda tf, np: [tf.nn.dropout(tf.constant(A), 1.0), tf.nn.dropout(tf.constant(A), rate=0.0)],
)
case(
    "convolution",
    lambda tf, np: (
        [
            tf.nn.conv2d(ramp(tf, 1, 4, 4, 1), ramp(tf, 3, 3, 1, 1), [1, s, s, 1], p)
            for s in [1, 2]
            for p in ["SAME", "VALID"]
        ]
        + [
            f(ramp(tf, 1, 5, 5, 1), [1, 2, 2, 1], [1, s, s, 1], p)
            for f in [tf.nn.max_pool, tf.nn.avg_pool]
            for s in [1, 2]
            for p in ["SAME", "VALID"]
        ]
    ),
)
case(
    "gradient_convolution",
    lambda tf, np: sum(
        [
            graded(
                tf,
                lambda x, w: weighted(
                    tf,
                    tf.nn.conv2d(
                        tf.reshape(x, [1, 4, 4, 1]),
                        tf.reshape(w, [3, 3, 1, 1]),
                        [1, s, s, 1],
                        "SAME",
                    ),
                ),
                [float(i) for i in range(16)],
                [float(i % 4) for i in range(9)],
            )
            for s in [1, 2]
        ],
        [],
    ),
)
case(
    "gradient_pool",
    lambda tf, np: sum(
        [
            graded(
                tf,
                lambda x: weighted(
                    tf, f(tf.reshape(x, [1, 3, 3, 1]), [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
                ),
                [1.0, 2.0, 2.0, 0.0, 2.0, 2.0, 5.0, 4.0, 5.0],
            )
            for f in [tf.nn.max_pool, tf.nn.avg_pool]
        ],
        [],
    ),
)
case(
    "losses",
    lambda tf, np: [
        tf.losses.mean_squared_error(tf.constant(A), tf.constant(B)),
        tf.losses.absolute_difference(tf.constant(A), tf.constant(B)),
        tf.losses.mean_squared_error(tf.constant(A), tf.constant(B), weights=[[1.0], [0.0]]),
        tf.losses.log_loss([0.0, 1.0], [0.2, 0.9]),
        tf.losses.huber_loss(tf.constant(A), tf.constant(B)),
        tf.losses.hinge_loss([[0.0, 1.0]], [[0.3, 0.4]]),
        tf.losses.softmax_cross_entropy([[0.0, 1.0]], [[1.0, 2.0]], label_smoothing=0.1),
        tf.losses.sigmoid_cross_entropy([[0.0, 1.0]], [[1.0, 2.0]]),
        tf.losses.sparse_softmax_cross_entropy([1], [[1.0, 2.0]]),
        tf.losses.get_total_loss(),
    ],
)

# ---- gradients ---------------------------------------------------------------------------


@program
def gradient_second_order(tf, np):
    x = tf.constant([0.5, -1.0, 2.0], tf.float64)
    out = []
    for f in [
        tf.exp,
        tf.tanh,
        tf.sigmoid,
        tf.square,
        tf.sin,
        lambda t: t**3,
        tf.nn.softplus,
        tf.nn.elu,
        tf.nn.relu,
    ]:
        (g,) = tf.gradients(f(x), x)
        out += [g, *tf.gradients(g, x)]
    return out


@program
def gradient_third_order(tf, np):
    x = tf.constant([0.5, 2.0], tf.float64)
    y = tf.tanh(x) * x
    for _ in range(3):
        (y,) = tf.gradients(y, x)
    return [y]


@program
def gradient_hessian(tf, np):
    x = tf.constant([1.0, 2.0, 3.0], tf.float64)
    return [tf.hessians(x[0] * x[1] ** 2 + tf.sin(x[2]) * x[0], x)[0]]


@program
def gradient_second_order_matmul(tf, np):
    x = tf.constant(A, tf.float64)
    w = tf.constant([[1.0, 2.0], [0.5, -1.0], [0.0, 1.0]], tf.float64)
    y = tf.reduce_sum(tf.tanh(tf.matmul(x, w)))
    (gx,) = tf.gradients(y, x)
    penalty = tf.reduce_sum(tf.square(tf.sqrt(tf.reduce_sum(tf.square(gx), 1)) - 1.0))
    return [gx, penalty, *tf.gradients(penalty, [w])]


@program
def gradient_second_order_softmax(tf, np):
    x = tf.constant(A, tf.float64)
    y = tf.nn.softmax_cross_entropy_with_logits_v2(
        labels=tf.constant([[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]], tf.float64), logits=x
    )
    (g,) = tf.gradients(y, x)
    return [g, *tf.gradients(weighted(tf, g), x)]


@program
def gradient_unconnected(tf, np):
    x, y = tf.constant(1.0), tf.constant(2.0)
    return [
        *tf.gradients(x * 2.0, [x, y]),
        *tf.gradients(x * 2.0, [x, y], unconnected_gradients="zero"),
    ]


@program
def gradient_of_several(tf, np):
    x, y = tf.constant([1.0, 2.0]), tf.constant(3.0)
    a, b = x * y, tf.reduce_sum(x) * y
    return [
        *tf.gradients([a, b], [x, y]),
        *tf.gradients(a, [x, y], grad_ys=tf.constant([10.0, 1.0])),
        *tf.gradients(x, x),
    ]


@program
def gradient_stopped(tf, np):
    x = tf.constant(3.0)
    y = x * x
    return [
        *tf.gradients(tf.stop_gradient(y) * x, x),
        *tf.gradients(y * x, x, stop_gradients=[y]),
        *tf.gradients(tf.stop_gradient(x), x),
        *tf.gradients(y * x, [x, y]),
    ]


@program
def gradient_not_differentiable(tf, np):
    x = tf.constant([1.5, 2.5])
    return [
        *tf.gradients(tf.cast(tf.argmax(x), tf.float32), x),
        *tf.gradients(tf.cast(tf.cast(x, tf.int32), tf.float32), x),
        *tf.gradients(tf.floor(x), x),
        *tf.gradients(tf.sign(x), x),
        *tf.gradients(tf.cast(x > 2.0, tf.float32), x),
        *tf.gradients(tf.ones_like(x), x),
        *tf.gradients(tf.cast(tf.shape(x), tf.float32), x),
        *tf.gradients(tf.zeros_like(x), x),
    ]


@program
def gradient_broadcast(tf, np):
    x, y, z = tf.constant(CUBE), tf.constant([[1.0], [2.0]]), tf.constant(3.0)
    return tf.gradients(weighted(tf, x * y + z / y), [x, y, z])


@program
def gradient_shared(tf, np):
    x = tf.constant([1.0, 2.0], tf.float64)
    y = x
    for _ in range(5):
        y = y * x + tf.sin(y)
    return [y, *tf.gradients(y, x)]


# ---- unknown sizes -----------------------------------------------------------------------


@program
def unknown_batch(tf, np):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    w = tf.constant([[1.0, 0.0], [2.0, 1.0], [0.0, -1.0]])
    fetch = [
        x,
        x + 1.0,
        x + tf.zeros([1, 3]),
        x * tf.ones([2, 1]),
        tf.matmul(x, w),
        tf.reduce_sum(x),
        tf.reduce_sum(x, 0),
        tf.reduce_mean(x, 1),
        tf.transpose(x),
        tf.reshape(x, [-1]),
        tf.reshape(x, [-1, 1, 3]),
        tf.concat([x, x], 0),
        tf.concat([x, x], 1),
        tf.stack([x, x]),
        x[0],
        x[:, 1],
        x[:1],
        x[1:],
        tf.shape(x),
        tf.shape(x)[0],
        tf.zeros_like(x),
        tf.argmax(x, 1),
        tf.nn.softmax(x),
        tf.tile(x, [2, 1]),
        tf.expand_dims(x, 0),
        tf.gather(x, [1, 0]),
        tf.boolean_mask(x, [True, False]),
        tf.pad(x, [[1, 0], [0, 1]]),
        tf.reshape(x, tf.stack([tf.shape(x)[0], 3, 1])),
        tf.zeros(tf.stack([tf.shape(x)[0], 4])),
        tf.zeros([tf.shape(x)[0], 4]),
        tf.one_hot(tf.argmax(x, 1), 3),
        tf.where(x > 0.0, x, -x),
        tf.where(x > 0.0),
        tf.size(x),
        tf.rank(x),
        tf.unstack(x, axis=1)[0],
        tf.split(x, 3, 1)[0],
        tf.fill(tf.shape(x), 2.0),
        tf.range(tf.shape(x)[0]),
        tf.reverse(x, [0]),
        tf.cumsum(x),
        tf.squeeze(x[:, :1]),
        tf.squeeze(x[:, :1], 1),
        tf.nn.top_k(x, 2)[0],
        tf.reduce_max(x, keepdims=True),
        tf.tensordot(x, w, [[1], [0]]),
        tf.einsum("ij,jk->ik", x, w),
        tf.matmul(x, x, transpose_b=True),
        tf.matmul(x, x, True),
    ]
    return {"fetch": fetch, "feed": {x: A}}


@program
def unknown_rank(tf, np):
    x = tf.placeholder(tf.float32)
    fetch = [
        x,
        x + 1.0,
        tf.reduce_sum(x),
        tf.reduce_sum(x, 0),
        tf.reduce_sum(x, keepdims=True),
        tf.shape(x),
        tf.rank(x),
        tf.size(x),
        tf.transpose(x),
        tf.reshape(x, [3, 2]),
        tf.reshape(x, [-1, 2]),
        tf.expand_dims(x, 0),
        tf.squeeze(x),
        x[0],
        x[..., 0],
        tf.matmul(x, tf.ones([3, 1])),
        tf.nn.softmax(x),
        tf.concat([x, tf.zeros([1, 3])], 0),
        tf.argmax(x, 0),
        tf.nn.relu(x),
        tf.zeros_like(x),
        x * tf.ones([2, 3]),
        tf.cast(x, tf.int32),
        tf.gather(x, [0]),
        tf.stack([x, x]),
        tf.tile(x, [1, 2]),
    ]
    return {"fetch": fetch, "feed": {x: A}}


@program
def unknown_two(tf, np):
    x, y = tf.placeholder(tf.float32, [None, None]), tf.placeholder(tf.float32, [None, 1])
    x.set_shape([None, 3])
    fetch = [
        x,
        x + y,
        tf.matmul(y, x, transpose_a=True),
        tf.concat([x, y], 1),
        tf.reduce_logsumexp(x, 1, keepdims=True),
        x - tf.reduce_mean(x, 0),
    ]
    return {"fetch": fetch, "feed": {x: A, y: [[1.0], [2.0]]}}


@program
def unknown_gradients(tf, np):
    x, y = tf.placeholder(tf.float32, [None, 3]), tf.placeholder(tf.float32)
    loss = tf.reduce_mean(tf.square(tf.nn.relu(x) - y)) + tf.reduce_sum(tf.reduce_mean(x, 0) * y)
    return {"fetch": [loss, *tf.gradients(loss, [x, y])], "feed": {x: A, y: [0.5, 1.0, 2.0]}}


@program
def unknown_empty_batch(tf, np):
    x = tf.placeholder(tf.float32, [None, 3])
    w = tf.ones([3, 2])
    loss = tf.reduce_sum(tf.nn.relu(tf.matmul(x, w)))
    return {
        "fetch": [
            tf.matmul(x, w),
            tf.reduce_mean(x),
            loss,
            *tf.gradients(loss, [w, x]),
            tf.reduce_max(x, 0),
        ],
        "feed": {x: np.zeros([0, 3])},
    }


@program
def fed_values(tf, np):
    x, i, b = (
        tf.placeholder(tf.float32, [None]),
        tf.placeholder(tf.int32, []),
        tf.placeholder(tf.bool),
    )
    c = tf.constant([1.0, 2.0])
    y = c * 2.0
    d = tf.placeholder_with_default([7.0], [None])
    return {
        "fetch": [x, i, b, c, y, y + 1.0, d * 2.0],
        "feed": {x: [1, 2, 3], i: 2.7, b: 1, c: np.float64([5, 6])},
    }


@program
def fed_intermediate(tf, np):
    x = tf.constant([1.0, 2.0])
    y = tf.exp(x)
    z = y * 2.0
    return {"fetch": [x, y, z, *tf.gradients(z, x)], "feed": {y: [10.0, 20.0]}}


# ---- variables, optimizers, schedules ----------------------------------------------------


@program
def assignments(tf, np):
    v = tf.Variable([1.0, 2.0])
    a = v.assign_add([1.0, 1.0])
    with tf.control_dependencies([a]):
        b = tf.assign_sub(v, [0.5, 0.25])
    return {"fetch": [v], "step": b, "times": 2}


@program
def scatter_updates(tf, np):
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    a = tf.scatter_add(v, [0, 0, 2], [[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]])
    with tf.control_dependencies([a]):
        b = tf.scatter_update(v, [1], [[9.0, 9.0]])
    with tf.control_dependencies([b]):
        c = tf.scatter_sub(v, 2, [1.0, 1.0])
    return {"fetch": [v], "step": c, "times": 1}


@program
def variable_metadata(tf, np):
    a = tf.Variable([1, 2])
    b = tf.Variable(2.5)
    c = tf.get_variable("c", [2, 2], initializer=tf.constant_initializer([[1, 2], [3, 4]]))
    d = tf.get_variable("d", [3, 2], initializer=tf.constant_initializer([1.0, 2.0]))
    e = tf.Variable(np.arange(3.0))
    return [
        a,
        b,
        c,
        d,
        e,
        b.initialized_value() * 2.0,
        tf.get_variable("f", [], tf.bool, tf.zeros_initializer()),
    ]


def _train(tf, optimizer, sparse=False):
    w = tf.Variable([1.0, -2.0, 0.5], name="w")
    b = tf.Variable([[0.5], [1.0], [-1.0], [2.0]], name="b")
    loss = tf.reduce_sum(tf.square(w) * tf.constant([1.0, 2.0, 0.1]))
    picked = tf.gather(b, [1, 1, 3]) if sparse else tf.matmul(b, tf.constant([[1.0, -2.0]]))
    loss += tf.reduce_sum(picked * picked)
    step = tf.Variable(0, trainable=False, name="step")
    train = optimizer.minimize(loss, global_step=step)
    return {"fetch": [loss, *tf.global_variables()], "step": train, "times": 3}


OPTIMIZERS = {
    "gradient_descent": lambda tf: tf.train.GradientDescentOptimizer(0.1),
    "momentum": lambda tf: tf.train.MomentumOptimizer(0.1, 0.9),
    "nesterov": lambda tf: tf.train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
    "adagrad": lambda tf: tf.train.AdagradOptimizer(0.1),
    "adadelta": lambda tf: tf.train.AdadeltaOptimizer(0.5),
    "adadelta_default": lambda tf: tf.train.AdadeltaOptimizer(),
    "rmsprop": lambda tf: tf.train.RMSPropOptimizer(0.01),
    "rmsprop_momentum": lambda tf: tf.train.RMSPropOptimizer(0.01, 0.8, 0.9, 1e-3),
    "rmsprop_centered": lambda tf: tf.train.RMSPropOptimizer(0.01, 0.9, 0.5, centered=True),
    "adam": lambda tf: tf.train.AdamOptimizer(0.1),
    "adam_options": lambda tf: tf.train.AdamOptimizer(0.01, 0.5, 0.9, 0.1),
    "ftrl": lambda tf: tf.train.FtrlOptimizer(0.1),
    "ftrl_regularized": lambda tf: tf.train.FtrlOptimizer(
        0.1,
        learning_rate_power=-0.7,
        l1_regularization_strength=0.5,
        l2_regularization_strength=0.2,
        l2_shrinkage_regularization_strength=0.1,
    ),
    "proximal_gradient_descent": lambda tf: tf.train.ProximalGradientDescentOptimizer(
        0.1, 0.2, 0.3
    ),
    "proximal_adagrad": lambda tf: tf.train.ProximalAdagradOptimizer(0.1, 0.1, 0.2, 0.3),
}
for _name, _make in OPTIMIZERS.items():
    case("optimizer_" + _name, lambda tf, np, make=_make: _train(tf, make(tf)))
    case(
        "optimizer_" + _name + "_sparse",
        lambda tf, np, make=_make: _train(tf, make(tf), sparse=True),
    )


@program
def optimizer_clipped_subset(tf, np):
    w, b = tf.Variable([3.0, -4.0], name="w"), tf.Variable(1.0, name="b")
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    pairs = optimizer.compute_gradients(tf.reduce_sum(w * w), [w, b])
    grads, norm = tf.clip_by_global_norm([g for g, _ in pairs], 1.0)
    train = optimizer.apply_gradients(zip(grads, [w, b]))
    return {"fetch": [w, b, norm, pairs[0][0], pairs[1][0]], "step": train, "times": 2}


@program
def optimizer_decaying_rate(tf, np):
    w = tf.Variable([1.0, -2.0], name="w")
    step = tf.Variable(0, trainable=False, name="step")
    rate = tf.train.exponential_decay(0.1, step, 2, 0.5, staircase=True)
    train = tf.train.GradientDescentOptimizer(rate).minimize(tf.reduce_sum(w * w), global_step=step)
    return {"fetch": [w, step, rate], "step": train, "times": 3}


DECAYS = {
    "exponential": lambda t, s: t.exponential_decay(0.1, s, 3, 0.5),
    "exponential_staircase": lambda t, s: t.exponential_decay(0.1, s, 3, 0.5, staircase=True),
    "natural_exp": lambda t, s: t.natural_exp_decay(0.1, s, 3, 0.5),
    "inverse_time": lambda t, s: t.inverse_time_decay(0.1, s, 3, 0.5),
    "inverse_time_staircase": lambda t, s: t.inverse_time_decay(0.1, s, 3, 0.5, staircase=True),
    "polynomial": lambda t, s: t.polynomial_decay(0.1, s, 4, 0.01, power=2.0),
    "polynomial_cycle": lambda t, s: t.polynomial_decay(0.1, s, 4, 0.01, cycle=True),
    "piecewise": lambda t, s: t.piecewise_constant(s, [2, 4], [1.0, 0.5, 0.1]),
    "cosine": lambda t, s: t.cosine_decay(0.1, s, 4, alpha=0.1),
    "cosine_restarts": lambda t, s: t.cosine_decay_restarts(0.1, s, 2),
    "linear_cosine": lambda t, s: t.linear_cosine_decay(0.1, s, 4),
}


def _decay(tf, make):
    step = tf.Variable(0, trainable=False, name="step")
    return {"fetch": [make(tf.train, step)], "step": tf.assign_add(step, 1), "times": 6}


for _name, _decayed in DECAYS.items():
    case("decay_" + _name, lambda tf, np, make=_decayed: _decay(tf, make))


def _average(tf, **options):
    v = tf.Variable([1.0, -2.0], name="v")
    step = tf.Variable(0, trainable=False, name="step")
    if options.pop("steps", False):
        options["num_updates"] = step
    average = tf.train.ExponentialMovingAverage(0.9, **options)
    with tf.control_dependencies([average.apply([v])]):
        move = tf.group(v.assign_add([1.0, 0.5]), step.assign_add(1))
    return {"fetch": [v, average.average(v)], "step": move, "times": 3}


case("moving_average", lambda tf, np: _average(tf))
case("moving_average_num_updates", lambda tf, np: _average(tf, steps=True))
case("moving_average_zero_debias", lambda tf, np: _average(tf, zero_debias=True))


@program
def moving_average_of_tensor(tf, np):
    v = tf.Variable(1.0, name="v")
    t = v * 2.0
    average = tf.train.ExponentialMovingAverage(0.5)
    apply = average.apply([t])
    with tf.control_dependencies([apply]):
        step = v.assign_add(1.0)
    return {"fetch": [v, average.average(t)], "step": step, "times": 3}


@program
def layers_batch_norm_steps(tf, np):
    x = tf.constant(A)
    y = tf.layers.batch_normalization(x, training=True, momentum=0.5)
    z = tf.layers.batch_normalization(x, training=False)
    update = tf.group(*tf.get_collection(tf.GraphKeys.UPDATE_OPS))
    return {"fetch": [y, z, *tf.global_variables()], "step": update, "times": 2}


# ---- control -----------------------------------------------------------------------------


@program
def conditional(tf, np):
    x = tf.placeholder(tf.float32, [])
    y = tf.cond(x > 0.0, lambda: x * 2.0, lambda: x - 1.0)
    z = tf.case(
        [(x > 5.0, lambda: tf.constant(1)), (x > 0.0, lambda: tf.constant(2))],
        default=lambda: tf.constant(3),
    )
    return {"fetch": [y, z, *tf.gradients(y, x)], "feed": {x: 1.5}}


@program
def loops(tf, np):
    x = tf.constant(1.5)
    i, s = tf.while_loop(
        lambda i, s: i < 4, lambda i, s: (i + 1, s * x), [tf.constant(0), tf.constant(1.0)]
    )
    scan = tf.scan(
        lambda a, e: a * 0.5 + e, tf.constant([1.0, 2.0, 3.0]), initializer=tf.constant(0.0)
    )
    plain = tf.scan(lambda a, e: a + e, tf.constant([1.0, 2.0, 3.0]))
    mapped = tf.map_fn(lambda e: e * e, tf.constant([1.0, 2.0, 3.0]))
    folded = tf.foldl(lambda a, e: a - e, tf.constant([1.0, 2.0, 3.0]))
    return [
        i,
        s,
        *tf.gradients(s, x),
        scan,
        plain,
        mapped,
        folded,
        tf.foldr(lambda a, e: a - e, tf.constant([1.0, 2.0, 3.0])),
    ]


@program
def host_function(tf, np):
    y = tf.py_func(lambda a: np.float32(a * 2), [tf.constant([1.0, 2.0])], tf.float32)
    z = tf.py_func(lambda a: np.float32(a * 2), [tf.constant([1.0, 2.0])], [tf.float32])[0]
    z.set_shape([2])
    return [y, z + 1.0]


@program
def strings(tf, np):
    s = tf.constant(["a", "bc"])
    return [
        s,
        tf.string_join([s, s], "-"),
        tf.as_string([1, 2]),
        tf.string_to_number(["1.5", "2"]),
        tf.equal(s, "a"),
    ]
