"""Specs of composite values, element types, options of datasets, loss scales, small names."""

from families import error, started


def specs(tf, say, folder):
    S, R = tf.SparseTensorSpec, tf.RaggedTensorSpec
    I, A = tf.IndexedSlicesSpec, tf.TensorArraySpec  # noqa: E741
    made = [
        S([None, 3], tf.int32), S(), R([None, None], tf.int64), I([None, 3]),
        R([None, 2, None], ragged_rank=1, row_splits_dtype=tf.int32), A([2], tf.int32, True),
        I([3], tf.float64, tf.int32, tf.int32, [3]),
    ]  # fmt: skip
    for x in made:
        say([repr(x), x.value_type.__name__, isinstance(x, tf.TypeSpec), x == made[0]])
        say([repr(x.most_specific_compatible_type(x)), hash(x) == hash(x)])
    say([S([2, 3]) == S([2, 3]), S([2, 3]) == S([2, 4])])
    say([S([2, 3]).is_compatible_with(x) for x in (S([None, 3]), S([2, 3], tf.int32), made[2])])
    merge = S([2, 3]).most_specific_compatible_type
    say([repr(merge(S([4, 3]))), error(merge, S([4, 3], tf.int32)), error(merge, made[2])])
    sparse = tf.SparseTensor([[0, 0]], [1.0], [2, 3])
    say([repr(S.from_value(sparse)), S([None, 3]).is_compatible_with(sparse)])
    say(S([None, 4]).is_compatible_with(sparse))
    ragged = tf.ragged.constant([[1, 2], [3]])
    say([repr(R.from_value(ragged)), R([None, None], tf.int32).is_compatible_with(ragged)])
    array = tf.TensorArray(tf.float32, 2, element_shape=[3])
    say(A([3]).is_compatible_with(array))
    say([error(R, [None, None], ragged_rank=2), error(R), error(tf.TypeSpec)])
    x = tf.data.experimental
    say([
        repr(x.TensorStructure(tf.int32, [2])), repr(x.SparseTensorStructure(tf.int32, [2])),
        repr(x.RaggedTensorStructure(tf.int32, [None, None], 1)),
        repr(x.TensorArrayStructure(tf.int32, [2], True, False)),
        isinstance(tf.TensorSpec([]), tf.TypeSpec), x.Structure is tf.TypeSpec,
    ])  # fmt: skip


def element_types(tf, say, folder):
    for name in "qint8 quint8 qint16 quint16 qint32 resource variant".split():
        d = getattr(tf, name)
        say([repr(d), str(d), d.name, d.as_datatype_enum, d.is_quantized, d.is_integer])
        say([d.is_floating, d.is_numpy_compatible, d == name, d == tf.float32, tf.float32 == d])
        say([isinstance(d, tf.DType), error(lambda d=d: d.min), d.base_dtype is d])
    say(sorted(d.name for d in tf.QUANTIZED_DTYPES))
    say([error(tf.constant, 1, tf.qint8), error(tf.convert_to_tensor, 1.0, tf.variant)])


def options(tf, say, folder):
    x = tf.data.experimental
    for c in (
        x.OptimizationOptions, x.ThreadingOptions, x.DistributeOptions, x.MapVectorizationOptions,
        x.StatsOptions,
    ):  # fmt: skip
        o = c()
        names = sorted(n for n in dir(o) if not n.startswith("_") and n != "map_vectorization")
        say([[n, getattr(o, n)] for n in names])
        say([error(setattr, o, "other", True), o == c()])
    o = x.OptimizationOptions()
    o.map_fusion = True
    o.map_vectorization.enabled = True
    say([o.map_fusion, o.map_vectorization.enabled, o == x.OptimizationOptions()])
    say(error(setattr, o, "map_fusion", "yes"))
    d = tf.data.Options()
    d.experimental_threading.private_threadpool_size = 2
    d.experimental_optimization = o
    say([type(d.experimental_distribute).__name__, type(d.experimental_stats).__name__])
    say(error(setattr, d, "experimental_threading", 3))
    data = tf.data.Dataset.range(3).with_options(d)
    say(started(tf).run(data.make_one_shot_iterator().get_next()))


def loss_scales(tf, say, folder):
    x = tf.train.experimental
    fixed = x.FixedLossScale(8)
    say([fixed.get_config(), fixed.update([tf.constant(1.0)])[1], error(x.FixedLossScale, 0.5)])
    say([error(x.LossScale), type(x.FixedLossScale.from_config({"loss_scale_value": 2})).__name__])
    scale = x.DynamicLossScale(8.0, 2, 4.0)
    say([scale.get_config(), scale.initial_loss_scale, scale.increment_period, scale.multiplier])
    say([v.name for v in tf.global_variables()])
    g = tf.placeholder(tf.float32, [2])
    change, good = scale.update([g, None])
    session = started(tf)
    for row in ([1, 2], [1, float("nan")], [1, 1], [1, 1], [1, 1], [float("inf"), 0], [1e38, 1]):
        say(session.run(good, {g: row}))
        session.run(change, {g: row})
        say(session.run(scale()))


def _scaled(tf, say, loss_scale):
    x = tf.Variable([1.0, 2.0], name="x")
    opt = tf.train.experimental.MixedPrecisionLossScaleOptimizer(
        tf.train.MomentumOptimizer(0.1, 0.9), loss_scale
    )
    p = tf.placeholder(tf.float32, [])
    step = tf.train.get_or_create_global_step()
    pairs = opt.compute_gradients(tf.reduce_sum(x * x) * p)
    train = opt.apply_gradients(pairs, step)
    session = started(tf)
    for value in (1.0, float("inf"), 1.0, 0.5) if loss_scale == "dynamic" else (1.0, 0.5):
        if value < 2:
            say(session.run(pairs[0][0], {p: value}))
        session.run(train, {p: value})
        say(session.run([x, step]))


def scaled_dynamic(tf, say, folder):
    _scaled(tf, say, "dynamic")


def scaled_fixed(tf, say, folder):
    _scaled(tf, say, 16.0)


def rewrite(tf, say, folder):
    x, sgd = tf.train.experimental, tf.train.GradientDescentOptimizer(0.1)
    made = x.enable_mixed_precision_graph_rewrite(sgd)
    say([type(made).__name__, error(x.enable_mixed_precision_graph_rewrite, 3)])
    say(error(x.enable_mixed_precision_graph_rewrite, made))
    x.disable_mixed_precision_graph_rewrite()
    say([error(x.MixedPrecisionLossScaleOptimizer, 3, "dynamic"),
         error(x.MixedPrecisionLossScaleOptimizer, sgd, "other")])  # fmt: skip


def small(tf, say, folder):
    say([started(tf).run(tf.user_ops.my_fact()), tf.debugging.get_log_device_placement()])
    say(type(tf.test.benchmark_config()).__name__)

    def graph(value, name="c"):
        with tf.Graph().as_default() as g:
            tf.constant(value, name=name)
        return g.as_graph_def()

    same = tf.test.assert_equal_graph_def
    say([error(same, graph(1), graph(1)), error(same, graph(1), graph(2))])
    say([error(same, graph(1), graph(1, "d")), error(same, graph(1), 3)])
