"""``tf.compat.v2`` of TensorFlow 1.15: which names mean something else there, and what they are.

Names that TensorFlow 1.15 has in both with one meaning are looked up in ``tf``. Those that differ
are in `DIFFERENT`: they are what `graphc.face.v2` makes of them, else they are absent. Nothing is
taken from ``tf`` that would mean something else.
"""

from __future__ import annotations

__all__ = ["CALLS", "DIFFERENT", "SPACES", "V2_NAMES"]

#: Namespaces of ``tf.compat.v2`` that have their names from those of ``tf``.
SPACES = (
    "audio bitwise config config.experimental data data.experimental debugging dtypes errors "
    "estimator estimator.export feature_column graph_util image initializers io io.gfile keras "
    "keras.activations keras.backend keras.callbacks keras.constraints keras.datasets "
    "keras.datasets.mnist keras.initializers keras.layers keras.losses keras.metrics keras.models "
    "keras.optimizers keras.preprocessing keras.preprocessing.sequence keras.preprocessing.text "
    "keras.regularizers keras.utils linalg lookup math nest nn queue ragged random saved_model "
    "sets signal sparse strings sysconfig test train version"
).split()

_REDUCE = "input_tensor axis=None keepdims=False name=None"
_ARG = "input axis=None output_type=int64 name=None"
_TWO = "x y message=None summarize=None name=None"
_ONE = "x message=None summarize=None name=None"

#: Name → arguments in the order they have there, with defaults; the function of ``tf`` is called
#: with them by name. ``=name`` first: the function's name in ``tf`` where it is another.
CALLS: dict[str, str] = {
    **{
        f"{space}reduce_{n}": _REDUCE
        for space in ("", "math.")
        for n in ("all", "any", "logsumexp", "max", "mean", "min", "prod", "sum")
    },
    **{f"{space}arg{n}": _ARG for space in ("", "math.") for n in ("max", "min")},
    **{
        f"{space}assert_{n}": _TWO
        for space in ("", "debugging.")
        for n in ("equal", "greater", "less")
    },
    **{f"debugging.assert_{n}": _TWO for n in ("greater_equal", "less_equal", "none_equal")},
    **{
        f"debugging.assert_{n}": _ONE
        for n in ("negative", "non_negative", "non_positive", "positive")
    },
    "boolean_mask": "tensor mask axis=None name='boolean_mask'",
    "cond": "pred true_fn=None false_fn=None name=None",
    "convert_to_tensor": "value dtype=None dtype_hint=None name=None",
    "expand_dims": "input axis name=None",
    "gather": "params indices validate_indices=None axis=None batch_dims=0 name=None",
    "gather_nd": "params indices batch_dims=0 name=None",
    "gradients": (
        "ys xs grad_ys=None name='gradients' gate_gradients=False aggregation_method=None "
        "stop_gradients=None unconnected_gradients"
    ),
    "hessians": "ys xs gate_gradients=False aggregation_method=None name='hessians'",
    "linalg.norm": "=norm tensor ord='euclidean' axis=None keepdims=False name=None",
    "math.bincount": "arr weights=None minlength=None maxlength=None dtype=int32 name=None",
    "math.confusion_matrix": (
        "=confusion_matrix labels predictions num_classes=None weights=None dtype=int32 name=None"
    ),
    "math.count_nonzero": "input axis=None keepdims=False dtype=int64 name=None",
    "math.l2_normalize": "=nn.l2_normalize x axis=None epsilon=1e-12 name=None",
    "nn.l2_normalize": "x axis=None epsilon=1e-12 name=None",
    "linalg.l2_normalize": "=nn.l2_normalize x axis=None epsilon=1e-12 name=None",
    "math.log_softmax": "=nn.log_softmax logits axis=-1 name=None",
    "math.softmax": "=nn.softmax logits axis=-1 name=None",
    "nn.log_softmax": "logits axis=-1 name=None",
    "nn.moments": "x axes shift=None keepdims=False name=None",
    "nn.sigmoid_cross_entropy_with_logits": "labels=None logits=None name=None",
    "nn.softmax": "logits axis=-1 name=None",
    "nn.softmax_cross_entropy_with_logits": (
        "=nn.softmax_cross_entropy_with_logits_v2 labels logits axis=-1 name=None"
    ),
    "nn.sparse_softmax_cross_entropy_with_logits": "labels logits name=None",
    "norm": "tensor ord='euclidean' axis=None keepdims=False name=None",
    "ones_like": "input dtype=None name=None",
    "pad": "tensor paddings mode='CONSTANT' constant_values=0 name=None",
    "reverse_sequence": "input seq_lengths seq_axis=None batch_axis=None name=None",
    "shape": "input out_type=int32 name=None",
    "size": "input out_type=int32 name=None",
    "squeeze": "input axis=None name=None",
    "transpose": "a perm=None conjugate=False name='transpose'",
    "tuple": "tensors control_inputs=None name=None",
    "zeros_like": "input dtype=None name=None",
}


_FUNCTIONS = "graphc.face.v2:"

V2_NAMES: dict[str, str] = {
    "compat.v2.Variable": _FUNCTIONS + "Variable",
    "compat.v2.constant": _FUNCTIONS + "constant",
    "compat.v2.device": "graphc.face.current:device",
    "compat.v2.keras.backend.name_scope": "graphc.face.current:name_scope",
    "compat.v2.keras.initializers.Initializer": "graphc.face.initializers:Initializer",
    "compat.v2.keras.losses.Reduction": "graphc.keras.losses:ReductionV2",
    "compat.v2.losses.Reduction": "graphc.keras.losses:ReductionV2",
    "compat.v2.name_scope": _FUNCTIONS + "name_scope",
    "compat.v2.random.poisson": _FUNCTIONS + "poisson",
    "compat.v2.scalar_mul": "graphc.ops.math:scalar_mul",
    "compat.v2.math.scalar_mul": "graphc.ops.math:scalar_mul",
    "compat.v2.random.set_seed": "graphc.face.current:set_random_seed",
    "compat.v2.where": _FUNCTIONS + "where",
    "compat.v2.while_loop": _FUNCTIONS + "while_loop",
    "compat.v2.ones_initializer": "graphc.face.initializers:Ones",
    "compat.v2.zeros_initializer": "graphc.face.initializers:Zeros",
    **{f"compat.v2.{n}": _FUNCTIONS + n.replace(".", "_") for n in CALLS},
}

_NN = (
    "avg_pool avg_pool2d batch_norm_with_global_normalization conv1d conv2d conv2d_transpose "
    "conv3d conv3d_transpose convolution crelu ctc_beam_search_decoder ctc_loss depth_to_space "
    "depthwise_conv2d dilation2d dropout embedding_lookup embedding_lookup_sparse erosion2d "
    "fractional_avg_pool fractional_max_pool in_top_k max_pool max_pool_with_argmax nce_loss pool "
    "safe_embedding_lookup_sparse sampled_softmax_loss separable_conv2d space_to_batch "
    "space_to_depth sufficient_statistics weighted_cross_entropy_with_logits weighted_moments"
).split()

_ESTIMATORS = (
    "BaselineClassifier BaselineEstimator BaselineRegressor DNNClassifier DNNEstimator "
    "DNNLinearCombinedClassifier DNNLinearCombinedEstimator DNNLinearCombinedRegressor "
    "DNNRegressor Estimator LinearClassifier LinearEstimator LinearRegressor "
    "classifier_parse_example_spec regressor_parse_example_spec"
).split()

_REST = (
    "DeviceSpec VariableAggregation assert_rank batch_to_space case constant_initializer "
    "data.Dataset data.FixedLengthRecordDataset data.TFRecordDataset data.TextLineDataset "
    "data.experimental.Counter data.experimental.CsvDataset data.experimental.RandomDataset "
    "data.experimental.SqlDataset data.experimental.StatsAggregator "
    "data.experimental.choose_from_datasets data.experimental.make_batched_features_dataset "
    "data.experimental.make_csv_dataset data.experimental.sample_from_datasets "
    "debugging.assert_all_finite debugging.assert_integer debugging.assert_near "
    "debugging.assert_rank debugging.assert_rank_at_least debugging.assert_rank_in "
    "debugging.assert_scalar debugging.assert_shapes debugging.assert_type "
    "feature_column.categorical_column_with_vocabulary_file "
    "feature_column.make_parse_example_spec image.ResizeMethod image.crop_and_resize "
    "image.draw_bounding_boxes image.extract_glimpse image.resize "
    "image.sample_distorted_bounding_box initializers.constant initializers.glorot_normal "
    "initializers.glorot_uniform initializers.he_normal initializers.he_uniform "
    "initializers.identity initializers.lecun_normal initializers.lecun_uniform "
    "initializers.ones initializers.orthogonal initializers.zeros io.decode_csv io.decode_raw "
    "io.parse_example io.parse_single_example io.serialize_many_sparse io.serialize_sparse "
    "keras.callbacks.TensorBoard keras.layers.DenseFeatures "
    "lookup.StaticHashTable "
    "lookup.StaticVocabularyTable math.in_top_k random_normal_initializer "
    "random_uniform_initializer saved_model.contains_saved_model saved_model.load space_to_batch "
    "sparse.add sparse.concat sparse.reduce_max sparse.reduce_sum sparse.segment_mean "
    "sparse.segment_sqrt_n sparse.segment_sum sparse.split strings.length strings.reduce_join "
    "strings.split strings.substr strings.to_hash_bucket strings.to_number "
    "test.assert_equal_graph_def test.compute_gradient train.Checkpoint variable_creator_scope"
).split()

#: Paths below ``tf.compat.v2`` that are not what ``tf`` has under them.
DIFFERENT: frozenset[str] = frozenset(
    [f"compat.v2.{n}" for n in _REST]
    + [f"compat.v2.keras.{n}" for n in _REST if n.startswith("initializers.")]
    + [f"compat.v2.nn.{n}" for n in _NN]
    + [f"compat.v2.estimator.{n}" for n in _ESTIMATORS]
)
