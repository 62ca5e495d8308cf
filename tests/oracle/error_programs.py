"""Misuse, and what TensorFlow 1.15 says about it.

Every program is a function of `tf` and `np` that raises, or returns something small
when TensorFlow accepts what looks like a mistake.  `record.py` writes the exceptions to
`errors.json`.
"""

PROGRAMS = {}


def case(name, function):
    """Register a program under a name."""
    assert name not in PROGRAMS, name
    PROGRAMS[name] = function


def program(function):
    """Register a program under its function name."""
    case(function.__name__, function)
    return function


def run(tf, fetch, feed=None, initialise=False):
    """Run one fetch in a new session."""
    with tf.Session() as sess:
        if initialise:
            sess.run(tf.global_variables_initializer())
        return sess.run(fetch, feed)


def enter(context):
    """Enter and leave a context; what it gave."""
    with context as given:
        return getattr(given, "name", given)


def hold(tf, *shape, **more):
    """A float32 placeholder."""
    return tf.placeholder(more.get("dtype", tf.float32), list(shape), name=more.get("name"))


# ---- shapes while building ---------------------------------------------------------------

case("add_shapes", lambda tf, np: hold(tf, 2, 3, name="x") + hold(tf, 2, 4, name="y"))
case(
    "add_shapes_unknown_batch",
    lambda tf, np: hold(tf, None, 3, name="x") * hold(tf, None, 4, name="y"),
)
case(
    "subtract_shapes_constants",
    lambda tf, np: tf.constant([1.0, 2.0]) - tf.constant([1.0, 2.0, 3.0]),
)
case("compare_shapes", lambda tf, np: tf.equal(tf.zeros([2]), tf.zeros([3])))
case("matmul_inner", lambda tf, np: tf.matmul(hold(tf, 2, 3, name="x"), hold(tf, 4, 5, name="w")))
case(
    "matmul_inner_transposed",
    lambda tf, np: tf.matmul(tf.zeros([2, 3]), tf.zeros([3, 2]), transpose_b=True),
)
case("matmul_rank_one", lambda tf, np: tf.matmul(tf.zeros([3]), tf.zeros([3, 2])))
case("matmul_rank_zero", lambda tf, np: tf.matmul(tf.constant(1.0), tf.constant(2.0)))
case("matmul_batch", lambda tf, np: tf.matmul(tf.zeros([2, 3, 4]), tf.zeros([3, 4, 5])))
case("tensordot_axes", lambda tf, np: tf.tensordot(tf.zeros([2, 3]), tf.zeros([4, 5]), 1))
case("einsum_equation", lambda tf, np: tf.einsum("ij,jk->ikz", tf.zeros([2, 3]), tf.zeros([3, 2])))
case("einsum_operands", lambda tf, np: tf.einsum("ij,jk->ik", tf.zeros([2, 3])))
case("einsum_sizes", lambda tf, np: tf.einsum("ij,jk->ik", tf.zeros([2, 3]), tf.zeros([4, 2])))
case("reshape_impossible", lambda tf, np: tf.reshape(tf.zeros([2, 3]), [4, 2]))
case("reshape_minus_one_impossible", lambda tf, np: tf.reshape(tf.zeros([2, 3]), [4, -1]))
case("reshape_two_unknown", lambda tf, np: tf.reshape(tf.zeros([2, 3]), [-1, -1]))
case("reshape_negative", lambda tf, np: tf.reshape(tf.zeros([2, 3]), [-2, -3]))
case("reshape_float_shape", lambda tf, np: tf.reshape(tf.zeros([2, 3]), [3.0, 2.0]))
case("transpose_perm_size", lambda tf, np: tf.transpose(tf.zeros([2, 3]), [0, 1, 2]))
case("transpose_perm_repeated", lambda tf, np: tf.transpose(tf.zeros([2, 3]), [0, 0]))
case("transpose_perm_range", lambda tf, np: tf.transpose(tf.zeros([2, 3]), [0, 2]))
case("expand_dims_axis", lambda tf, np: tf.expand_dims(tf.zeros([2, 3]), 4))
case("squeeze_not_one", lambda tf, np: tf.squeeze(tf.zeros([2, 3]), [0]))
case("squeeze_axis_range", lambda tf, np: tf.squeeze(tf.zeros([1, 3]), [5]))
case("concat_shapes", lambda tf, np: tf.concat([tf.zeros([2, 3]), tf.zeros([3, 4])], 0))
case("concat_ranks", lambda tf, np: tf.concat([tf.zeros([2, 3]), tf.zeros([3])], 0))
case("concat_axis_range", lambda tf, np: tf.concat([tf.zeros([2, 3]), tf.zeros([2, 3])], 2))
case("concat_scalars", lambda tf, np: tf.concat([tf.constant(1.0), tf.constant(2.0)], 0))
case("concat_old_argument_order", lambda tf, np: tf.concat(1, [tf.zeros([2, 3]), tf.zeros([2, 3])]))
case("concat_empty", lambda tf, np: tf.concat([], 0))
case("concat_dtypes", lambda tf, np: tf.concat([tf.zeros([2]), tf.zeros([2], tf.int32)], 0))
case("stack_shapes", lambda tf, np: tf.stack([tf.zeros([2]), tf.zeros([3])]))
case("stack_axis", lambda tf, np: tf.stack([tf.zeros([2]), tf.zeros([2])], 3))
case("stack_dtypes", lambda tf, np: tf.stack([tf.zeros([2]), tf.zeros([2], tf.int32)]))
case("split_uneven", lambda tf, np: tf.split(tf.zeros([2, 5]), 2, 1))
case("split_sizes_sum", lambda tf, np: tf.split(tf.zeros([2, 5]), [2, 2], 1))
case("split_axis_range", lambda tf, np: tf.split(tf.zeros([2, 4]), 2, 3))
case("unstack_unknown", lambda tf, np: tf.unstack(hold(tf, None, 3)))
case("unstack_wrong_number", lambda tf, np: tf.unstack(tf.zeros([2, 3]), 3))
case("unstack_axis", lambda tf, np: tf.unstack(tf.zeros([2, 3]), axis=2))
case("slice_out_of_range", lambda tf, np: tf.slice(tf.zeros([2, 3]), [0, 1], [2, 3]))
case("slice_rank", lambda tf, np: tf.slice(tf.zeros([2, 3]), [0], [2]))
case("index_out_of_range", lambda tf, np: tf.zeros([2, 3])[2])
case("index_too_many", lambda tf, np: tf.zeros([2, 3])[0, 0, 0])
case("index_float", lambda tf, np: tf.zeros([2, 3])[1.0])
case("index_string", lambda tf, np: tf.zeros([2, 3])["a"])
case("index_list", lambda tf, np: tf.zeros([2, 3])[[0, 1]])
case("index_zero_step", lambda tf, np: tf.zeros([2, 3])[::0])
case("index_two_ellipses", lambda tf, np: tf.zeros([2, 3])[..., ...])
case("index_assignment", lambda tf, np: tf.zeros([2, 3]).__setitem__(0, 1.0))
case("index_with_bool_tensor", lambda tf, np: tf.zeros([2])[tf.constant([True, False])])
case("pad_rank", lambda tf, np: tf.pad(tf.zeros([2, 3]), [[1, 1]]))
case(
    "pad_reflect_too_wide",
    lambda tf, np: run(tf, tf.pad(tf.zeros([2, 3]), [[2, 0], [0, 0]], "REFLECT")),
)
case("pad_mode", lambda tf, np: tf.pad(tf.zeros([2]), [[1, 1]], "WRAP"))
case("tile_rank", lambda tf, np: tf.tile(tf.zeros([2, 3]), [2]))
case("reverse_axis", lambda tf, np: tf.reverse(tf.zeros([2, 3]), [2]))
case("reduce_axis_range", lambda tf, np: tf.reduce_sum(tf.zeros([2, 3]), 2))
case("reduce_axis_repeated", lambda tf, np: run(tf, tf.reduce_sum(tf.ones([2, 3]), [0, 0])))
case(
    "reduce_axis_and_indices",
    lambda tf, np: tf.reduce_sum(tf.zeros([2]), axis=0, reduction_indices=[0]),
)
case("argmax_axis_range", lambda tf, np: tf.argmax(tf.zeros([2, 3]), 2))
case("argmax_empty", lambda tf, np: run(tf, tf.argmax(tf.zeros([0, 3]), 0)))
case("cumsum_axis_range", lambda tf, np: run(tf, tf.cumsum(tf.zeros([2, 3]), 2)))
case("gather_axis_range", lambda tf, np: tf.gather(tf.zeros([2, 3]), [0], axis=2))
case("gather_scalar", lambda tf, np: tf.gather(tf.constant(1.0), [0]))
case("gather_nd_depth", lambda tf, np: tf.gather_nd(tf.zeros([2, 3]), [[0, 0, 0]]))
case(
    "where_shapes",
    lambda tf, np: tf.where(tf.constant([True, False]), tf.zeros([3]), tf.zeros([3])),
)
case("where_one_branch", lambda tf, np: tf.where(tf.constant([True]), tf.zeros([1])))
case(
    "where_broadcast_scalar",
    lambda tf, np: tf.where(tf.constant([True, False]), tf.zeros([2]), 0.0),
)
case("where_scalar_indices", lambda tf, np: run(tf, tf.where(True)))
case("boolean_mask_shape", lambda tf, np: tf.boolean_mask(tf.zeros([2, 3]), [True, False, True]))
case("boolean_mask_scalar", lambda tf, np: tf.boolean_mask(tf.zeros([2]), True))
case("softmax_axis", lambda tf, np: tf.nn.softmax(tf.zeros([2, 3]), axis=2))
case("bias_add_size", lambda tf, np: tf.nn.bias_add(tf.zeros([2, 3]), tf.zeros([2])))
case("bias_add_rank", lambda tf, np: tf.nn.bias_add(tf.zeros([3]), tf.zeros([3])))
case("top_k_too_many", lambda tf, np: tf.nn.top_k(tf.zeros([2, 3]), 4))
case(
    "conv2d_channels",
    lambda tf, np: tf.nn.conv2d(
        tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 2, 1]), [1, 1, 1, 1], "SAME"
    ),
)
case(
    "conv2d_too_small",
    lambda tf, np: tf.nn.conv2d(
        tf.zeros([1, 2, 2, 1]), tf.zeros([3, 3, 1, 1]), [1, 1, 1, 1], "VALID"
    ),
)
case(
    "conv2d_padding",
    lambda tf, np: tf.nn.conv2d(
        tf.zeros([1, 4, 4, 1]), tf.zeros([3, 3, 1, 1]), [1, 1, 1, 1], "same"
    ),
)
case("add_n_shapes", lambda tf, np: tf.add_n([tf.zeros([2]), tf.zeros([3])]))
case("add_n_empty", lambda tf, np: tf.add_n([]))
case("range_direction", lambda tf, np: tf.range(3, 1))
case("range_zero_step", lambda tf, np: tf.range(0, 3, 0))
case("set_shape_conflict", lambda tf, np: hold(tf, None, 3, name="x").set_shape([2, 4]))
case("set_shape_rank", lambda tf, np: tf.zeros([2, 3]).set_shape([6]))
case("shape_as_list_unknown", lambda tf, np: tf.placeholder(tf.float32).get_shape().as_list())
case("shape_len_unknown", lambda tf, np: len(tf.placeholder(tf.float32).shape))
case("shape_int_of_unknown", lambda tf, np: int(hold(tf, None, 3).shape[0]))
case("shape_index_unknown_rank", lambda tf, np: tf.placeholder(tf.float32).shape[0])
case("shape_index_out_of_range", lambda tf, np: tf.zeros([2]).shape[1])
case("zeros_of_unknown_dimension", lambda tf, np: tf.zeros(hold(tf, None, 3).shape))
case("zeros_of_none", lambda tf, np: tf.zeros([None, 3]))
case("shape_of_negative", lambda tf, np: tf.placeholder(tf.float32, [-1, 3]))
case("constant_shape_mismatch", lambda tf, np: tf.constant([1, 2, 3], shape=[2]))
case(
    "variable_shape_unknown",
    lambda tf, np: tf.Variable(tf.zeros([tf.placeholder(tf.int32, []), 2])),
)
case("assign_shape", lambda tf, np: tf.Variable(tf.zeros([2]), name="v").assign(tf.zeros([3])))
case("layers_dense_unknown", lambda tf, np: tf.layers.dense(hold(tf, None, None), 2))
case("layers_dense_rank", lambda tf, np: tf.layers.dense(hold(tf, 3), 2))

# ---- dtypes while building ---------------------------------------------------------------

case("add_dtypes", lambda tf, np: hold(tf, 2, name="x") + hold(tf, 2, name="i", dtype=tf.int32))
case("add_dtypes_function", lambda tf, np: tf.add(tf.zeros([2]), tf.zeros([2], tf.int32)))
case("multiply_float_double", lambda tf, np: tf.zeros([2]) * tf.zeros([2], tf.float64))
case("int_plus_float_number", lambda tf, np: tf.constant([1, 2]) + 1.5)
case("float_number_minus_int", lambda tf, np: 1.5 - tf.constant([1, 2]))
case("int_times_numpy_float", lambda tf, np: tf.constant([1, 2]) * np.array([1.5, 2.5]))
case("truediv_float_by_int_number", lambda tf, np: tf.truediv(tf.constant([1.0]), 2))
case("truediv_dtypes", lambda tf, np: tf.constant([1.0]) / tf.constant([2]))
case("add_string_number", lambda tf, np: tf.constant(1.0) + "a")
case("matmul_dtypes", lambda tf, np: tf.matmul(tf.zeros([2, 3]), tf.zeros([3, 2], tf.float64)))
case("sigmoid_int", lambda tf, np: tf.sigmoid(tf.constant([1, 2])))
case("sqrt_int", lambda tf, np: tf.sqrt(tf.constant(4)))
case("exp_int", lambda tf, np: tf.exp([1, 2]))
case("relu_bool", lambda tf, np: tf.nn.relu(tf.constant([True])))
case("softmax_int", lambda tf, np: tf.nn.softmax([1, 2]))
case("logical_not_float", lambda tf, np: tf.logical_not(1.0))
case("logical_and_int", lambda tf, np: tf.logical_and([1], [0]))
case("invert_float", lambda tf, np: ~tf.constant([1.0]))
case("and_float", lambda tf, np: tf.constant([1.0]) & tf.constant([1.0]))
case("negative_bool", lambda tf, np: -tf.constant([True]))
case("add_bool", lambda tf, np: run(tf, tf.constant([True]) + tf.constant([True])))
case("reduce_sum_bool", lambda tf, np: tf.reduce_sum(tf.constant([True, False])))
case("reduce_mean_bool", lambda tf, np: tf.reduce_mean(tf.constant([True, False])))
case("reduce_any_float", lambda tf, np: tf.reduce_any(tf.zeros([2])))
case("reduce_logsumexp_int", lambda tf, np: tf.reduce_logsumexp([1, 2]))
case("argmax_bool", lambda tf, np: tf.argmax([True, False]))
case(
    "where_dtypes",
    lambda tf, np: tf.where(tf.constant([True]), tf.zeros([1]), tf.zeros([1], tf.int32)),
)
case("where_condition_int", lambda tf, np: tf.where(tf.constant([1]), tf.zeros([1]), tf.zeros([1])))
case("gather_float_indices", lambda tf, np: tf.gather(tf.zeros([3]), [0.0]))
case("one_hot_float_indices", lambda tf, np: tf.one_hot([0.0, 1.0], 2))
case(
    "one_hot_values_dtypes",
    lambda tf, np: tf.one_hot([0], 2, on_value=1.0, off_value=0, dtype=tf.float32),
)
case("bitwise_float", lambda tf, np: tf.bitwise.bitwise_and(tf.constant([1.0]), tf.constant([1.0])))
case("assign_dtype", lambda tf, np: tf.Variable([1.0], name="v").assign(tf.constant([1])))
case("assign_python_float_to_int", lambda tf, np: tf.Variable(1, name="v").assign(1.5))
case("constant_float_as_int", lambda tf, np: tf.constant(1.5, tf.int32))
case("constant_string_as_float", lambda tf, np: tf.constant("a", tf.float32))
case("constant_int_overflow", lambda tf, np: run(tf, tf.constant(2**40, tf.int32)))
case("constant_huge_int", lambda tf, np: tf.constant(2**70))
case("constant_ragged", lambda tf, np: tf.constant([[1, 2], [3]]))
case("constant_none", lambda tf, np: tf.constant(None))
case("constant_mixed", lambda tf, np: tf.constant([1, "a"]))
case("constant_int_bool", lambda tf, np: tf.constant(1, tf.bool))
case("constant_bool_int", lambda tf, np: run(tf, tf.constant(True, tf.int32)))
case("constant_tensor", lambda tf, np: tf.constant(tf.constant(1.0)))
case("convert_none", lambda tf, np: tf.convert_to_tensor(None))
case(
    "convert_dtype_conflict", lambda tf, np: tf.convert_to_tensor(tf.constant(1), dtype=tf.float32)
)
case("convert_dictionary", lambda tf, np: tf.convert_to_tensor({"a": 1}))
case(
    "convert_list_of_mixed_tensors",
    lambda tf, np: tf.convert_to_tensor([tf.constant(1.0), tf.constant(1)]),
)
case("cast_string", lambda tf, np: run(tf, tf.cast(tf.constant(["1"]), tf.float32)))
case("unknown_dtype_name", lambda tf, np: tf.zeros([2], "flot32"))
case("placeholder_without_dtype", lambda tf, np: tf.placeholder())
case("random_uniform_int_without_maximum", lambda tf, np: tf.random_uniform([2], dtype=tf.int32))
case("random_normal_int", lambda tf, np: tf.random_normal([2], dtype=tf.int32))

# ---- Python on tensors -------------------------------------------------------------------


@program
def tensor_as_bool(tf, np):
    return bool(tf.constant(True))


@program
def tensor_in_if(tf, np):
    if tf.constant(1.0) > 0.0:
        return "taken"


@program
def tensor_chained_comparison(tf, np):
    return 0.0 < tf.constant(1.0) < 2.0


@program
def tensor_iteration(tf, np):
    return list(tf.constant([1, 2]))


@program
def tensor_unpacking(tf, np):
    a, b = tf.constant([1, 2])
    return a, b


case("tensor_len", lambda tf, np: len(tf.constant([1, 2])))
case("tensor_float", lambda tf, np: float(tf.constant(1.0)))
case("tensor_int", lambda tf, np: int(tf.constant(1)))
case("tensor_equality_is_identity", lambda tf, np: tf.constant(1) == tf.constant(1))
case("tensor_in_list", lambda tf, np: tf.constant(1) in [tf.constant(1)])
case("tensor_numpy_function", lambda tf, np: np.sin(tf.constant(1.0)))
case("tensor_numpy_array", lambda tf, np: np.array(tf.constant([1.0])).dtype.name)
case("tensor_range", lambda tf, np: range(tf.constant(3)))
case("tensor_format", lambda tf, np: str(tf.constant([1.0], name="c")))
case("tensor_repr", lambda tf, np: repr(hold(tf, None, 3, name="x")))
case("variable_repr", lambda tf, np: repr(tf.Variable([1.0], name="v")))
case("operation_repr", lambda tf, np: repr(tf.no_op(name="n")))
case("variable_iteration", lambda tf, np: list(tf.Variable([1, 2])))
case("variable_bool", lambda tf, np: bool(tf.Variable(1.0)))
case("variable_augmented", lambda tf, np: tf.Variable([1.0], name="v").__add__(1.0).name)
case("tensor_attribute", lambda tf, np: tf.constant(1.0).foo)
case("tensor_numpy_method", lambda tf, np: tf.constant(1.0).numpy())

# ---- names, graphs, scopes ---------------------------------------------------------------


@program
def get_variable_twice(tf, np):
    tf.get_variable("w", [2])
    tf.get_variable("w", [2])


@program
def get_variable_reuse_missing(tf, np):
    with tf.variable_scope("s", reuse=True):
        tf.get_variable("w", [2])


@program
def get_variable_reuse_shape(tf, np):
    tf.get_variable("w", [2])
    with tf.variable_scope("", reuse=True):
        tf.get_variable("w", [3])


@program
def get_variable_reuse_dtype(tf, np):
    tf.get_variable("w", [2])
    with tf.variable_scope("", reuse=tf.AUTO_REUSE):
        tf.get_variable("w", [2], tf.int32)


@program
def get_variable_reuse_of_plain_variable(tf, np):
    tf.Variable([1.0], name="w")
    with tf.variable_scope("", reuse=True):
        tf.get_variable("w", [1])


case("get_variable_without_shape", lambda tf, np: tf.get_variable("w"))
case("get_variable_unknown_shape", lambda tf, np: tf.get_variable("w", [None, 2]))
case(
    "get_variable_initial_and_shape",
    lambda tf, np: tf.get_variable("w", [2], initializer=tf.zeros([2])),
)
case(
    "get_variable_constant_shape",
    lambda tf, np: tf.get_variable("w", [2], initializer=tf.constant_initializer([1.0, 2.0, 3.0])),
)
case("get_variable_bad_name", lambda tf, np: tf.get_variable("a b", [2]))
case("get_variable_string_zeros", lambda tf, np: tf.get_variable("w", [2], tf.string))
case("variable_without_value", lambda tf, np: tf.Variable())
case("variable_none", lambda tf, np: tf.Variable(None))
case("variable_string_in_arithmetic", lambda tf, np: tf.Variable("a") * 2.0)
case("op_name_with_space", lambda tf, np: tf.constant(1.0, name="a b"))
case("op_name_leading_underscore", lambda tf, np: tf.constant(1.0, name="_a"))
case("name_scope_bad", lambda tf, np: enter(tf.name_scope("a b")))
case("name_scope_empty_call", lambda tf, np: enter(tf.name_scope(None, values=None)))
case("variable_scope_none", lambda tf, np: enter(tf.variable_scope(None)))
case("variable_scope_wrong_type", lambda tf, np: enter(tf.variable_scope(3)))
case("variable_scope_int_default", lambda tf, np: enter(tf.variable_scope("s", reuse="yes")))
case("tensor_by_missing_name", lambda tf, np: tf.get_default_graph().get_tensor_by_name("x:0"))
case(
    "tensor_by_op_name",
    lambda tf, np: [tf.no_op(name="x"), tf.get_default_graph().get_tensor_by_name("x")],
)
case(
    "tensor_by_missing_output",
    lambda tf, np: [tf.constant(1.0, name="x"), tf.get_default_graph().get_tensor_by_name("x:1")],
)
case("operation_by_tensor_name", lambda tf, np: tf.get_default_graph().get_operation_by_name("x:0"))
case("operation_by_missing_name", lambda tf, np: tf.get_default_graph().get_operation_by_name("x"))


@program
def foreign_tensor_in_op(tf, np):
    with tf.Graph().as_default():
        a = tf.constant(1.0, name="a")
    with tf.Graph().as_default():
        return a + tf.constant(2.0, name="b")


@program
def foreign_tensor_fetch(tf, np):
    with tf.Graph().as_default():
        a = tf.constant(1.0, name="a")
    return run(tf, a)


@program
def foreign_tensor_feed(tf, np):
    with tf.Graph().as_default():
        a = hold(tf, 2, name="a")
    return run(tf, tf.constant(1.0), {a: [1.0, 2.0]})


@program
def foreign_tensor_after_reset(tf, np):
    a = tf.constant(1.0, name="a")
    tf.reset_default_graph()
    return a + tf.constant(1.0, name="b")


@program
def finalized_graph(tf, np):
    graph = tf.Graph()
    with graph.as_default():
        graph.finalize()
        tf.constant(1.0)


@program
def reset_inside_graph(tf, np):
    with tf.Graph().as_default():
        tf.reset_default_graph()


# ---- sessions ----------------------------------------------------------------------------

case("eval_without_session", lambda tf, np: tf.constant(1.0).eval())
case("run_operation_without_session", lambda tf, np: tf.no_op().run())


@program
def closed_session(tf, np):
    x = tf.constant(1.0)
    sess = tf.Session()
    sess.close()
    return sess.run(x)


@program
def session_on_empty_graph(tf, np):
    with tf.Graph().as_default():
        return run(tf, "x:0")


case("fetch_none", lambda tf, np: [tf.no_op(), run(tf, None)])
case("fetch_list_with_none", lambda tf, np: run(tf, [tf.constant(1.0), None]))
case("fetch_float", lambda tf, np: [tf.no_op(), run(tf, 1.0)])
case("fetch_array", lambda tf, np: [tf.no_op(), run(tf, np.float32([1.0]))])
case("fetch_unknown_name", lambda tf, np: [tf.no_op(), run(tf, "nothing:0")])
case("fetch_bad_name", lambda tf, np: [tf.no_op(), run(tf, "a:b:c")])
case("fetch_empty_list", lambda tf, np: [tf.no_op().name, run(tf, [])])
case(
    "fetch_structure",
    lambda tf, np: run(tf, {"a": (tf.constant(1), [tf.constant(2)]), "b": [tf.no_op()]}),
)
case(
    "fetch_types",
    lambda tf, np: [
        type(v).__name__
        for v in run(
            tf,
            [
                tf.constant(1.0),
                tf.constant([1]),
                tf.constant(True),
                tf.constant("s"),
                tf.constant(["s"]),
            ],
        )
    ],
)
case("missing_feed", lambda tf, np: run(tf, hold(tf, name="x", dtype=tf.float32) + 1.0))
case("missing_feed_shape", lambda tf, np: run(tf, hold(tf, None, 3, name="x") + 1.0))
case("missing_feed_unknown", lambda tf, np: run(tf, tf.placeholder(tf.int32, name="x") + 1))


def _feed(tf, value, *shape, **more):
    x = hold(tf, *shape, name="x", **more)
    return run(tf, x, {x: value})


case("feed_shape", lambda tf, np: _feed(tf, np.zeros([2, 4]), None, 3))
case("feed_rank", lambda tf, np: _feed(tf, [1.0, 2.0, 3.0], None, 3))
case("feed_scalar_for_vector", lambda tf, np: _feed(tf, 1.0, 2))
case("feed_vector_for_scalar", lambda tf, np: _feed(tf, [1.0]))
case("feed_string_for_float", lambda tf, np: _feed(tf, "a"))
case("feed_none", lambda tf, np: _feed(tf, None))
case("feed_ragged", lambda tf, np: _feed(tf, [[1.0, 2.0], [3.0]], None, 2))
case("feed_tensor", lambda tf, np: _feed(tf, tf.constant(1.0)))
case("feed_float_for_int", lambda tf, np: _feed(tf, 2.7, dtype=tf.int32))
case(
    "feed_float_array_for_int", lambda tf, np: _feed(tf, np.float32([2.7, -2.7]), 2, dtype=tf.int32)
)
case("feed_int_overflow", lambda tf, np: _feed(tf, 2**40, dtype=tf.int32))
case("feed_int_overflow_uint8", lambda tf, np: _feed(tf, 300, dtype=tf.uint8))
case("feed_huge_int", lambda tf, np: _feed(tf, 2**70, dtype=tf.int64))
case("feed_int_array_wraps", lambda tf, np: _feed(tf, np.array([2**40 + 5]), 1, dtype=tf.int32))
case("feed_float_for_bool", lambda tf, np: _feed(tf, 0.5, dtype=tf.bool))
case("feed_complex_for_float", lambda tf, np: _feed(tf, 1j))
case("feed_dictionary_key", lambda tf, np: [tf.no_op(), run(tf, tf.constant(1.0), {"x:0": 1.0})])
case("feed_key_number", lambda tf, np: run(tf, tf.constant(1.0), {3: 1.0}))
case("feed_key_operation", lambda tf, np: run(tf, tf.constant(1.0), {tf.no_op(name="n"): 1.0}))
case("feed_key_op_name", lambda tf, np: run(tf, hold(tf, name="x"), {"x": 1.0}))
case("feed_not_a_dictionary", lambda tf, np: run(tf, tf.constant(1.0), [1.0]))
case(
    "feed_variable",
    lambda tf, np: (lambda v: run(tf, v * 2.0, {v: [5.0, 6.0]}, True))(tf.Variable([1.0, 2.0])),
)


@program
def feed_into_shape_mismatch_at_run(tf, np):
    x, y = tf.placeholder(tf.float32, name="x"), tf.placeholder(tf.float32, name="y")
    return run(tf, x + y, {x: [1.0, 2.0], y: [1.0, 2.0, 3.0]})


@program
def unfeedable_tensor(tf, np):
    graph = tf.get_default_graph()
    x = tf.constant(1.0, name="x")
    graph.prevent_feeding(x)
    return run(tf, x, {x: 2.0})


@program
def unfetchable_operation(tf, np):
    graph = tf.get_default_graph()
    x = tf.constant(1.0, name="x")
    graph.prevent_fetching(x.op)
    return run(tf, x)


@program
def uninitialized_variable(tf, np):
    return run(tf, tf.Variable([1.0], name="v") + 1.0)


@program
def uninitialized_variable_read(tf, np):
    return run(tf, tf.Variable([1.0], name="v"))


@program
def uninitialized_variable_update(tf, np):
    return run(tf, tf.Variable([1.0], name="v").assign_add([1.0]))


@program
def uninitialized_optimizer_slot(tf, np):
    w = tf.Variable([1.0], name="w")
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(tf.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(w * w)))


@program
def uninitialized_dependency(tf, np):
    a = tf.Variable(1.0, name="a")
    tf.Variable(a * 2.0, name="b")
    with tf.Session() as sess:
        return sess.run(tf.global_variables()[1].initializer)


@program
def variable_load_shape(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    with tf.Session() as sess:
        sess.run(v.initializer)
        v.load([1.0, 2.0, 3.0], sess)


@program
def sessions_do_not_share(tf, np):
    v = tf.Variable(1.0, name="v")
    with tf.Session() as sess:
        sess.run(v.initializer)
    return run(tf, v)


@program
def report_uninitialized(tf, np):
    tf.Variable(1.0, name="v")
    tf.Variable(1.0, name="w")
    return run(tf, tf.report_uninitialized_variables())


# ---- values while running ----------------------------------------------------------------


@program
def integer_division_by_zero(tf, np):
    x = hold(tf, None, name="x", dtype=tf.int32)
    return run(tf, x // 0, {x: [1, 2]})


@program
def integer_modulo_by_zero(tf, np):
    x = hold(tf, None, name="x", dtype=tf.int32)
    return run(tf, x % 0, {x: [1, 2]})


@program
def integer_true_division_by_zero(tf, np):
    x = hold(tf, None, name="x", dtype=tf.int32)
    return run(tf, x / 0, {x: [1, -2, 0]})


@program
def integer_negative_power(tf, np):
    x = hold(tf, None, name="x", dtype=tf.int32)
    return run(tf, tf.pow(x, -1), {x: [2]})


@program
def gather_out_of_range(tf, np):
    i = hold(tf, None, name="i", dtype=tf.int32)
    return run(tf, tf.gather([1.0, 2.0, 3.0], i), {i: [0, 3]})


@program
def gather_negative(tf, np):
    i = hold(tf, None, name="i", dtype=tf.int32)
    return run(tf, tf.gather([[1.0], [2.0]], i), {i: [-1]})


@program
def gather_constant_out_of_range(tf, np):
    return run(tf, tf.gather([1.0, 2.0], [5]))


@program
def gather_nd_out_of_range(tf, np):
    i = hold(tf, None, 2, name="i", dtype=tf.int32)
    return run(tf, tf.gather_nd([[1.0, 2.0]], i), {i: [[0, 2]]})


@program
def embedding_out_of_range(tf, np):
    table = tf.Variable(tf.zeros([3, 2]), name="table")
    i = hold(tf, None, name="i", dtype=tf.int32)
    return run(tf, tf.nn.embedding_lookup(table, i), {i: [3]}, True)


@program
def segment_sum_out_of_range(tf, np):
    i = hold(tf, 2, name="i", dtype=tf.int32)
    return run(tf, tf.unsorted_segment_sum([1.0, 2.0], i, 2), {i: [0, 2]})


@program
def scatter_out_of_range(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    return run(tf, tf.scatter_add(v, [5], [1.0]), None, True)


@program
def index_out_of_range_at_run(tf, np):
    x, i = hold(tf, None, name="x"), hold(tf, name="i", dtype=tf.int32)
    return run(tf, x[i], {x: [1.0, 2.0], i: 2})


@program
def slice_out_of_range_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.slice(x, [1], [3]), {x: [1.0, 2.0]})


@program
def reshape_impossible_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.reshape(x, [-1, 2]), {x: [1.0, 2.0, 3.0]})


@program
def reshape_wrong_size_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.reshape(x, [2, 2]), {x: [1.0, 2.0, 3.0]})


@program
def broadcast_at_run(tf, np):
    x, y = hold(tf, None, name="x"), hold(tf, None, name="y")
    return run(tf, x * y, {x: [1.0, 2.0], y: [1.0, 2.0, 3.0]})


@program
def matmul_at_run(tf, np):
    x = hold(tf, None, None, name="x")
    return run(tf, tf.matmul(x, tf.ones([3, 2])), {x: [[1.0, 2.0]]})


@program
def concat_at_run(tf, np):
    x = hold(tf, None, None, name="x")
    return run(tf, tf.concat([x, tf.ones([2, 2])], 0), {x: [[1.0, 2.0, 3.0]]})


@program
def stack_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.stack([x, tf.zeros([2])]), {x: [1.0, 2.0, 3.0]})


@program
def squeeze_at_run(tf, np):
    x = hold(tf, None, None, name="x")
    return run(tf, tf.squeeze(x, 0), {x: [[1.0], [2.0]]})


@program
def split_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.split(x, 2), {x: [1.0, 2.0, 3.0]})


@program
def unstack_at_run(tf, np):
    x = tf.placeholder(tf.float32, name="x")
    return run(tf, tf.unstack(x, 2), {x: [1.0, 2.0, 3.0]})


@program
def reduce_axis_at_run(tf, np):
    x = tf.placeholder(tf.float32, name="x")
    return run(tf, tf.reduce_sum(x, 1), {x: [1.0]})


@program
def assign_shape_at_run(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    x = hold(tf, None, name="x")
    return run(tf, v.assign(x), {x: [1.0, 2.0, 3.0]}, True)


@program
def boolean_mask_at_run(tf, np):
    m = hold(tf, None, name="m", dtype=tf.bool)
    return run(tf, tf.boolean_mask([1.0, 2.0], m), {m: [True, False, True]})


@program
def top_k_at_run(tf, np):
    x = hold(tf, None, name="x")
    return run(tf, tf.nn.top_k(x, 3), {x: [1.0]})


@program
def negative_size_at_run(tf, np):
    n = hold(tf, name="n", dtype=tf.int32)
    return run(tf, tf.zeros(tf.stack([n, 2])), {n: -1})


@program
def range_at_run(tf, np):
    n = hold(tf, name="n", dtype=tf.int32)
    return run(tf, tf.range(3, n), {n: 1})


@program
def one_hot_negative_depth(tf, np):
    return run(tf, tf.one_hot([0], -1))


@program
def check_numerics(tf, np):
    x = hold(tf, name="x")
    return run(tf, tf.check_numerics(x / 0.0, "bad value"), {x: 1.0})


@program
def assertion(tf, np):
    x = hold(tf, name="x")
    return run(tf, tf.Assert(x > 0.0, ["not positive", x]), {x: -1.0})


@program
def assert_equal_static(tf, np):
    return tf.assert_equal(1, 2)


@program
def assert_positive_at_run(tf, np):
    x = hold(tf, None, name="x")
    with tf.control_dependencies([tf.assert_positive(x, message="want positive")]):
        return run(tf, tf.identity(x), {x: [1.0, -1.0]})


@program
def py_func_raises(tf, np):
    def f(x):
        raise KeyError("inside")

    return run(tf, tf.py_func(f, [1.0], tf.float32))


@program
def py_func_wrong_dtype(tf, np):
    return run(tf, tf.py_func(lambda x: np.float64(1.0), [1.0], tf.float32))


# ---- losses, labels ----------------------------------------------------------------------

case(
    "softmax_xent_positional",
    lambda tf, np: tf.nn.softmax_cross_entropy_with_logits(tf.zeros([2, 3]), tf.zeros([2, 3])),
)
case(
    "softmax_xent_shapes",
    lambda tf, np: tf.nn.softmax_cross_entropy_with_logits_v2(
        labels=tf.zeros([2, 3]), logits=tf.zeros([2, 4])
    ),
)
case(
    "softmax_xent_batch",
    lambda tf, np: tf.nn.softmax_cross_entropy_with_logits_v2(
        labels=tf.zeros([3, 3]), logits=tf.zeros([2, 3])
    ),
)
case(
    "softmax_xent_missing",
    lambda tf, np: tf.nn.softmax_cross_entropy_with_logits(logits=tf.zeros([2, 3])),
)
case(
    "softmax_xent_int_labels",
    lambda tf, np: (
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=[[0, 1]], logits=tf.zeros([1, 2])).dtype
    ),
)
case(
    "sparse_xent_positional",
    lambda tf, np: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.zeros([2, 3]), [0, 1]),
)
case(
    "sparse_xent_float_labels",
    lambda tf, np: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=[0.0, 1.0], logits=tf.zeros([2, 3])
    ),
)
case(
    "sparse_xent_rank",
    lambda tf, np: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=[[0], [1]], logits=tf.zeros([2, 3])
    ),
)
case(
    "sparse_xent_sizes",
    lambda tf, np: tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=[0, 1, 2], logits=tf.zeros([2, 3])
    ),
)
case(
    "sigmoid_xent_shapes",
    lambda tf, np: tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.zeros([2, 1]), logits=tf.zeros([2])
    ),
)
case(
    "sigmoid_xent_positional",
    lambda tf, np: tf.nn.sigmoid_cross_entropy_with_logits(tf.zeros([2]), tf.zeros([2])),
)
case(
    "sigmoid_xent_dtypes",
    lambda tf, np: tf.nn.sigmoid_cross_entropy_with_logits(
        labels=tf.constant([1]), logits=tf.constant([1.0])
    ),
)
case(
    "mean_squared_error_shapes",
    lambda tf, np: tf.losses.mean_squared_error(tf.zeros([2, 3]), tf.zeros([2])),
)
case("dropout_rate", lambda tf, np: tf.nn.dropout(tf.zeros([2]), 1.5))
case("dropout_keep_zero", lambda tf, np: tf.nn.dropout(tf.zeros([2]), 0.0))
case("dropout_int", lambda tf, np: tf.nn.dropout(tf.constant([1, 2]), 0.5))
case("dropout_rate_and_keep", lambda tf, np: tf.nn.dropout(tf.zeros([2]), keep_prob=0.5, rate=0.1))


@program
def sparse_xent_label_out_of_range(tf, np):
    y = hold(tf, None, name="y", dtype=tf.int32)
    return run(
        tf,
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=tf.zeros([2, 3])),
        {y: [0, 3]},
    )


@program
def sparse_xent_negative_label(tf, np):
    y = hold(tf, None, name="y", dtype=tf.int32)
    return run(
        tf,
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=tf.zeros([1, 3])),
        {y: [-1]},
    )


@program
def softmax_xent_at_run(tf, np):
    y = hold(tf, None, None, name="y")
    return run(
        tf,
        tf.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=tf.zeros([2, 3])),
        {y: [[1.0, 0.0]]},
    )


# ---- gradients, optimizers ---------------------------------------------------------------

case("gradient_of_int", lambda tf, np: (lambda x: tf.gradients(x * 2, x))(tf.constant(1)))
case(
    "gradient_grad_ys_shape",
    lambda tf, np: (lambda x: [g.name for g in tf.gradients(x * 2.0, x, grad_ys=tf.zeros([3]))])(
        tf.constant([1.0, 2.0])
    ),
)
case(
    "gradient_grad_ys_count",
    lambda tf, np: (lambda x: tf.gradients(x * 2.0, x, grad_ys=[1.0, 2.0]))(tf.constant(1.0)),
)
case(
    "gradient_grad_ys_dtype",
    lambda tf, np: (lambda x: tf.gradients(x * 2.0, x, grad_ys=tf.constant(1)))(tf.constant(1.0)),
)
case("gradient_none_input", lambda tf, np: tf.gradients(tf.constant(1.0), None))
case("gradient_of_operation", lambda tf, np: tf.gradients(tf.no_op(), tf.constant(1.0)))
case(
    "gradient_without_function",
    lambda tf, np: (lambda x: tf.gradients(tf.unique(x)[0], x))(tf.constant([1.0, 2.0])),
)
case(
    "gradient_of_bool",
    lambda tf, np: (lambda x: tf.gradients(tf.nn.in_top_k(x, [0], 1), x))(
        tf.constant([[1.0, 2.0]])
    ),
)
case(
    "gradient_missing",
    lambda tf, np: (lambda x: tf.gradients(tf.bitwise.invert(tf.cast(x, tf.int32)), x))(
        tf.constant([1.0])
    ),
)
case(
    "gradient_py_func",
    lambda tf, np: (lambda x: tf.gradients(tf.py_func(lambda a: a, [x], tf.float32), x))(
        tf.constant(1.0)
    ),
)
case(
    "minimize_without_variables",
    lambda tf, np: tf.train.GradientDescentOptimizer(0.1).minimize(tf.constant(1.0)),
)
case(
    "minimize_number",
    lambda tf, np: [tf.Variable(1.0), tf.train.GradientDescentOptimizer(0.1).minimize(1.0)],
)


@program
def minimize_unconnected(tf, np):
    tf.Variable(1.0, name="v")
    tf.train.GradientDescentOptimizer(0.1).minimize(tf.constant(1.0) * 2.0)


@program
def minimize_int_variable(tf, np):
    v = tf.Variable(1, name="v")
    tf.train.GradientDescentOptimizer(0.1).minimize(tf.cast(v, tf.float32) * 2.0, var_list=[v])


@program
def minimize_with_respect_to_tensor(tf, np):
    x = tf.constant(1.0)
    tf.train.GradientDescentOptimizer(0.1).minimize(x * x, var_list=[x])


@program
def minimize_string_rate(tf, np):
    v = tf.Variable(1.0, name="v")
    tf.train.GradientDescentOptimizer("fast").minimize(v * v)


@program
def apply_no_gradients(tf, np):
    tf.train.GradientDescentOptimizer(0.1).apply_gradients([])


@program
def apply_all_none(tf, np):
    v = tf.Variable(1.0, name="v")
    tf.train.GradientDescentOptimizer(0.1).apply_gradients([(None, v)])


@program
def apply_bare_gradients(tf, np):
    v = tf.Variable(1.0, name="v")
    tf.train.GradientDescentOptimizer(0.1).apply_gradients(tf.gradients(v * v, v))


@program
def apply_gradient_shape(tf, np):
    v = tf.Variable([1.0, 2.0], name="v")
    tf.train.GradientDescentOptimizer(0.1).apply_gradients([(tf.zeros([3]), v)])


@program
def global_step_float(tf, np):
    v, step = tf.Variable(1.0, name="v"), tf.Variable(0.0, name="step", trainable=False)
    tf.train.GradientDescentOptimizer(0.1).minimize(v * v, global_step=step)
    return "accepted"


case("decay_without_step", lambda tf, np: tf.train.exponential_decay(0.1, None, 10, 0.9))
case(
    "piecewise_sizes",
    lambda tf, np: tf.train.piecewise_constant(tf.Variable(0), [1, 2], [0.1, 0.2]),
)
case(
    "moving_average_of_placeholder",
    lambda tf, np: tf.train.ExponentialMovingAverage(0.9).apply([hold(tf, None)]),
)
case(
    "moving_average_of_int",
    lambda tf, np: tf.train.ExponentialMovingAverage(0.9).apply([tf.Variable(1, name="v")]),
)
case("saver_without_variables", lambda tf, np: tf.train.Saver())
case(
    "saver_restore_missing",
    lambda tf, np: [tf.Variable(1.0), tf.train.Saver().restore(tf.Session(), "missing.ckpt")],
)
case("clip_by_global_norm_tensor", lambda tf, np: tf.clip_by_global_norm(tf.constant([1.0]), 1.0))

# ---- control -----------------------------------------------------------------------------

case("cond_python_bool", lambda tf, np: tf.cond(True, lambda: 1, lambda: 2))
case(
    "cond_branch_structure",
    lambda tf, np: tf.cond(
        tf.constant(True), lambda: tf.constant(1.0), lambda: [tf.constant(1.0), tf.constant(2.0)]
    ),
)
case(
    "cond_branch_dtypes",
    lambda tf, np: tf.cond(tf.constant(True), lambda: tf.constant(1.0), lambda: tf.constant(1)),
)
case(
    "cond_not_callable",
    lambda tf, np: tf.cond(tf.constant(True), tf.constant(1.0), lambda: tf.constant(1.0)),
)
case(
    "while_shape_changes",
    lambda tf, np: tf.while_loop(lambda x: True, lambda x: tf.concat([x, x], 0), [tf.zeros([1])]),
)
case(
    "while_structure",
    lambda tf, np: tf.while_loop(
        lambda i, x: i < 3, lambda i, x: i + 1, [tf.constant(0), tf.constant(1.0)]
    ),
)
case(
    "while_dtype_changes",
    lambda tf, np: tf.while_loop(
        lambda i: i < 3, lambda i: tf.cast(i, tf.float32), [tf.constant(0)]
    ),
)
case("control_dependencies_number", lambda tf, np: enter(tf.control_dependencies([1.0])))
case("group_number", lambda tf, np: tf.group(1.0))
case("linspace_ints", lambda tf, np: tf.linspace(0, 1, 5))
case("diag_scalar", lambda tf, np: tf.diag(tf.zeros([])))
case("placeholder_dtype_none", lambda tf, np: tf.placeholder(None))
case("add_none", lambda tf, np: tf.add(tf.zeros([2]), None))
case("identity_none", lambda tf, np: tf.identity(None))
case("argmax_axis_string", lambda tf, np: tf.argmax(tf.zeros([2]), axis="a"))
case("decode_csv_no_columns", lambda tf, np: tf.decode_csv("a,b", []))
case("queue_capacity_string", lambda tf, np: tf.FIFOQueue("a", tf.int32))
case("numeric_column_key", lambda tf, np: tf.feature_column.numeric_column(5))
case(
    "image_patches_ksizes",
    lambda tf, np: tf.image.extract_image_patches(
        tf.zeros([1, 4, 4, 1]), [1, 2, 2], [1, 1, 1, 1], [1, 1, 1, 1], "SAME"
    ),
)
case(
    "dataset_map_number",
    lambda tf, np: tf.data.Dataset.from_tensors([1]).map(5),
)
case("load_model_missing", lambda tf, np: tf.keras.models.load_model("nothing.h5"))
