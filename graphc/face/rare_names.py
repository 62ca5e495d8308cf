"""Names of ``contrib`` and of corners of TensorFlow that few programs use, by module.

`graphc.face.names` adds this table to its own.
"""

from __future__ import annotations

__all__ = ["RARE_NAMES"]

#: (namespace, module below graphc, names).
_ROWS = (
    ("", "data.type_specs",
     "IndexedSlicesSpec RaggedTensorSpec SparseTensorSpec TensorArraySpec TypeSpec"),
    ("", "ir.dtypes", "QUANTIZED_DTYPES qint16 qint32 qint8 quint16 quint8 resource variant"),
    ("data.experimental", "data.options",
     "DistributeOptions MapVectorizationOptions OptimizationOptions StatsOptions "
     "ThreadingOptions"),
    ("data.experimental", "data.type_specs",
     "RaggedTensorStructure SparseTensorStructure TensorArrayStructure TensorStructure"),
    ("data.experimental", "data.optional", "Optional get_next_as_optional"),
    ("data.experimental", "data.database", "SqlDataset"),
    ("data.experimental", "data.writing", "TFRecordWriter"),
    ("data.experimental", "data.sparse_batches", "dense_to_sparse_batch"),
    ("data.experimental", "data.resampling", "rejection_resample"),
    ("contrib.data", "data.optional", "Optional get_next_as_optional"),
    ("contrib.data", "data.database", "SqlDataset"),
    ("contrib.data", "data.writing", "TFRecordWriter"),
    ("contrib.data", "data.sparse_batches", "dense_to_sparse_batch"),
    ("contrib.data", "data.resampling", "rejection_resample"),
    ("contrib.data", "data.writing", "read_batch_features reduce_dataset"),
    ("", "data.optional", "OptionalSpec"),
    ("contrib.staging", "data.staging", "StagingArea"),
    ("", "face.handles", "delete_session_tensor get_session_handle get_session_tensor"),
    ("debugging", "face.oddments", "get_log_device_placement set_log_device_placement"),
    ("test", "face.oddments", "assert_equal_graph_def benchmark_config create_local_cluster"),
    ("train.experimental", "train.loss_scale",
     "DynamicLossScale FixedLossScale LossScale MixedPrecisionLossScaleOptimizer "
     "disable_mixed_precision_graph_rewrite enable_mixed_precision_graph_rewrite"),
    (
        "keras.backend", "keras.backend_nets",
        "conv2d_transpose conv3d ctc_batch_cost ctc_decode ctc_label_dense_to_sparse local_conv1d "
        "local_conv2d normalize_batch_in_training pool3d resize_volumes separable_conv2d",
    ),
    (
        "keras.backend", "keras.sessions",
        "batch_get_value batch_set_value clear_session eval function get_session get_uid get_value "
        "in_test_phase in_train_phase learning_phase learning_phase_scope "
        "manual_variable_initialization reset_uids set_learning_phase set_session set_value",
    ),
    (
        "keras.backend", "keras.settings",
        "backend cast_to_floatx epsilon floatx image_data_format set_epsilon set_floatx "
        "set_image_data_format",
    ),
    ("keras.estimator", "keras.estimator", "model_to_estimator"),
    ("keras.experimental", "keras.features", "SequenceFeatures"),
    ("keras.layers", "keras.features", "DenseFeatures"),
    ("keras.layers", "keras.own_cells", "AbstractRNNCell"),
    ("keras.utils", "keras.progress", "Progbar"),
    ("keras.wrappers.scikit_learn", "keras.scikit", "KerasClassifier KerasRegressor"),
    ("keras.constraints", "layers.keras_words", "RadialConstraint"),
    ("keras.experimental", "keras.schedules",
     "CosineDecay CosineDecayRestarts LinearCosineDecay NoisyLinearCosineDecay"),
    ("keras.metrics", "keras.rare_metrics",
     "MeanRelativeError MeanTensor SensitivityAtSpecificity SpecificityAtSensitivity"),
    ("nn", "ops.fractional", "fractional_avg_pool fractional_max_pool"),
    ("user_ops", "face.oddments", "my_fact"),
    ("", "face.oddments", "load_file_system_library load_library load_op_library"),
    (
        "contrib.estimator",
        "estimator.with_heads",
        "DNNEstimator DNNLinearCombinedEstimator LinearEstimator add_metrics "
        "binary_classification_head forward_features logistic_regression_head multi_class_head "
        "multi_head multi_label_head poisson_regression_head regression_head",
    ),
    ("contrib.integrate", "contrib.integrate", "odeint odeint_fixed"),
    (
        "quantization",
        "ops.quantize",
        "fake_quant_with_min_max_args fake_quant_with_min_max_args_gradient "
        "fake_quant_with_min_max_vars fake_quant_with_min_max_vars_gradient "
        "fake_quant_with_min_max_vars_per_channel "
        "fake_quant_with_min_max_vars_per_channel_gradient quantize_and_dequantize",
    ),
    (
        "contrib.metrics", "contrib.curve_metrics",
        "auc_with_confidence_intervals precision_recall_at_equal_thresholds recall_at_precision "
        "sparse_recall_at_top_k streaming_concat streaming_curve_points streaming_dynamic_auc "
        "streaming_recall_at_k streaming_sparse_average_precision_at_top_k "
        "streaming_sparse_precision_at_top_k",
    ),
    ("contrib.rnn", "nn.grid_lstm", "BidirectionalGridLSTMCell GridLSTMCell"),
    ("contrib.layers", "contrib.layers.divisive", "GDN gdn"),
    ("contrib.slim", "contrib.layers.divisive", "GDN gdn"),
    ("contrib.layers", "ops.hashing", "SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY"),
    ("contrib.slim", "ops.hashing", "SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY"),
    ("contrib.training", "contrib.training", "parse_values"),
    ("contrib.util", "face.oddments", "ops_used_by_graph_def"),
    ("profiler", "see.tfprof.profiling", "Profiler advise profile write_op_log"),
    ("profiler", "see.tfprof.options", "ProfileOptionBuilder"),
    ("profiler", "proto", "AdviceProto GraphNodeProto MultiGraphNodeProto OpLogProto"),
    ("contrib.tfprof", "see.tfprof.context", "ProfileContext"),
    ("contrib.tfprof.model_analyzer", "see.tfprof.context", "ProfileContext print_model_analysis"),
    ("contrib.tfprof.model_analyzer", "see.tfprof.context",
     "FLOAT_OPS_OPTIONS PRINT_ALL_TIMING_MEMORY TRAINABLE_VARS_PARAMS_STAT_OPTIONS"),
    ("contrib.tfprof.model_analyzer", "see.tfprof.profiling", "ALL_ADVICE Profiler advise"),
    ("contrib.tfprof.tfprof_logger", "see.tfprof.profiling", "write_op_log"),
    ("contrib.cudnn_rnn", "contrib.cudnn_rnn.layers",
     "CudnnGRU CudnnLSTM CudnnRNNRelu CudnnRNNTanh"),
    ("contrib.cudnn_rnn", "contrib.cudnn_rnn.cells",
     "CudnnCompatibleGRUCell CudnnCompatibleLSTMCell"),
    ("contrib.graph_editor", "contrib.graph_editor.lists",
     "ControlOutputs can_be_regex check_cios filter_ops filter_ops_from_regex filter_ts "
     "filter_ts_from_regex get_consuming_ops get_generating_ops get_tensors make_list_of_op "
     "make_list_of_t make_placeholder_from_dtype_and_shape make_placeholder_from_tensor "
     "make_regex ph placeholder_name"),
    ("contrib.graph_editor", "contrib.graph_editor.select",
     "compute_boundary_ts get_backward_walk_ops get_forward_walk_ops get_name_scope_ops "
     "get_ops_ios get_walks_intersection_ops get_walks_union_ops get_within_boundary_ops "
     "select_ops select_ops_and_ts select_ts"),
    ("contrib.graph_editor", "contrib.graph_editor.views",
     "SubGraphView make_view make_view_from_scope sgv sgv_scope"),
    ("contrib.graph_editor", "contrib.graph_editor.transform",
     "Transformer TransformerInfo assign_renamed_collections_handler copy copy_op_handler "
     "copy_with_input_replacements graph_replace keep_t_if_possible_handler "
     "replace_t_with_placeholder_handler transform_op_if_inside_handler"),
    ("contrib.graph_editor", "contrib.graph_editor.edit",
     "add_control_inputs bypass connect detach detach_control_inputs detach_control_outputs "
     "detach_inputs detach_outputs remove_control_inputs reroute_inputs reroute_ios "
     "reroute_outputs reroute_ts swap_inputs swap_ios swap_outputs swap_ts"),
    ("distribute", "strategies.strategy",
     "MirroredStrategy OneDeviceStrategy ReplicaContext Strategy StrategyExtended "
     "experimental_set_strategy get_loss_reduction get_replica_context get_strategy has_strategy "
     "in_cross_replica_context"),
    ("distribute", "strategies.values", "InputContext InputReplicationMode ReduceOp"),
    ("distribute.experimental", "strategies.strategy",
     "CentralStorageStrategy MultiWorkerMirroredStrategy ParameterServerStrategy"),
    ("distribute.experimental", "strategies.values", "CollectiveCommunication"),
    ("distribute", "train.cluster", "Server"),
    ("contrib.distribute", "strategies.contrib",
     "CollectiveAllReduceStrategy DistributeConfig MirroredStrategy OneDeviceStrategy "
     "ParameterServerStrategy get_distribution_strategy has_distribution_strategy"),
    ("contrib.distribute", "strategies.strategy",
     "ReplicaContext get_cross_replica_context get_loss_reduction get_replica_context "
     "get_strategy has_strategy in_cross_replica_context require_replica_context"),
    ("contrib.losses.metric_learning", "contrib.metric_learning",
     "contrastive_loss lifted_struct_loss npairs_loss npairs_loss_multilabel "
     "triplet_semihard_loss"),
    ("contrib.mixed_precision", "contrib.mixed_precision",
     "ExponentialUpdateLossScaleManager FixedLossScaleManager LossScaleManager "
     "LossScaleOptimizer"),
    ("contrib.resampler", "contrib.resampler", "resampler"),
    ("config", "face.settings", "get_soft_device_placement set_soft_device_placement"),
    ("config.experimental", "face.settings",
     "VirtualDeviceConfiguration get_device_policy get_memory_growth get_synchronous_execution "
     "get_virtual_device_configuration get_visible_devices set_device_policy "
     "set_synchronous_execution set_virtual_device_configuration set_visible_devices"),
    ("config.optimizer", "face.settings",
     "get_experimental_options get_jit set_experimental_options set_jit"),
    ("config.threading", "face.settings",
     "get_inter_op_parallelism_threads get_intra_op_parallelism_threads "
     "set_inter_op_parallelism_threads set_intra_op_parallelism_threads"),
    ("contrib.eager", "contrib.eager",
     "ASYNC DEVICE_PLACEMENT_EXPLICIT DEVICE_PLACEMENT_SILENT DEVICE_PLACEMENT_WARN SYNC "
     "ExecutionCallback Saver async_clear_error async_wait clear_execution_callbacks errstate "
     "execution_mode get_optimizer_variables gradients_function implicit_gradients "
     "implicit_value_and_gradients list_devices run run_all_tests_in_graph_and_eager_modes "
     "run_test_in_graph_and_eager_modes set_execution_mode seterr value_and_gradients_function"),
    ("contrib.sparsemax", "contrib.sparsemax", "sparsemax sparsemax_loss"),
)  # fmt: skip

#: Path → where it is, as in `graphc.face.names.NAMES`.
RARE_NAMES: dict[str, str] = {
    f"{space}.{name}".lstrip("."): f"graphc.{module}:{name}"
    for space, module, names in _ROWS
    for name in names.split()
}
RARE_NAMES["keras.optimizers.schedules"] = "graphc.keras.schedules"
RARE_NAMES["data.experimental.OptionalStructure"] = "graphc.data.optional:OptionalSpec"
RARE_NAMES["data.experimental.Structure"] = "graphc.data.type_specs:TypeSpec"
RARE_NAMES["contrib.distribute.DistributionStrategy"] = "graphc.strategies.strategy:Strategy"
RARE_NAMES["contrib.eager.Variable"] = "graphc.face.resource_variable:ResourceVariable"
RARE_NAMES["contrib.eager.Iterator"] = "graphc.contrib.eager:DatasetIterator"
RARE_NAMES["contrib.eager.make_template"] = "graphc.contrib.eager:make_template"
RARE_NAMES["contrib.eager.GradientTape"] = "graphc.face.gradients:GradientTape"
