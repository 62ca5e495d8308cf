"""Names of TensorFlow's insides (``tensorflow.python…``) that libraries import, and what they are.

`graphc.face.names` adds these tables to its own.
"""

from __future__ import annotations

from graphc.face.inside_more import AUTOGRAPH, MORE_INSIDE

__all__ = ["INSIDE", "INSIDE_SPACES", "MODULES"]

_HERE = "graphc.face.insides:"

_REFERENCES = "bool float16 float32 float64 int32 int64 string uint8".split()

_EVALUATION = "graphc.train.evaluation:"

_LAYER_SIZES = (
    "conv_input_length conv_output_length convert_data_format deconv_output_length "
    "normalize_data_format normalize_padding normalize_tuple"
).split()

_SLIM_UTILS = (
    "collect_named_outputs convert_collection_to_dict get_tensor_aliases get_variable_collections "
    "last_dimension n_positive_integers smart_cond two_element_tuple"
).split()

_OLD_LAYERS = (
    "Convolution1D=Conv1D Convolution2D=Conv2D Convolution3D=Conv3D "
    "Convolution2DTranspose=Conv2DTranspose Convolution3DTranspose=Conv3DTranspose "
    "SeparableConvolution2D=SeparableConv2D"
).split()

#: Module of networks → the modules of TensorFlow whose names it has.
_NETS = {
    "plain": "alexnet overfeat vgg",
    "inception": "inception inception_v1 inception_v2 inception_v3",
    "resnet_utils": "resnet_utils",
    "resnet_v1": "resnet_v1",
    "resnet_v2": "resnet_v2",
}

#: The same for slim's data.
_DATA = {
    "decoders": "data_decoder tfexample_decoder",
    "providers": "data_provider dataset dataset_data_provider parallel_reader prefetch_queue",
}

#: Path → where it is, as in `graphc.face.names.NAMES`.
INSIDE: dict[str, str] = {
    **MORE_INSIDE,
    **{f"python.framework.dtypes.{t}_ref": f"graphc.face.insides:{t}_ref" for t in _REFERENCES},
    **{
        f"{module}.{name}": f"graphc.ops.audio:{name}"
        for module in ("contrib.framework.python.ops.audio_ops", "python.ops.gen_audio_ops")
        for name in ("audio_spectrogram", "mfcc")
    },
    "python.framework.tensor_spec.BoundedTensorSpec": (
        "graphc.data.bounded_spec:BoundedTensorSpec"
    ),
    **{
        f"python.ops.resources.{name}": f"graphc.train.resources:{name}"
        for name in (
            "initialize_resources", "local_resources", "register_resource",
            "report_uninitialized_resources", "shared_resources",
        )
    },
    **{
        f"python.feature_column.{path}": f"graphc.feature_column.custom:{name}"
        for path, name in (
            ("feature_column._DenseColumn", "OldDenseColumn"),
            ("feature_column._LazyBuilder", "FeatureTransformationCache"),
            ("feature_column_v2.DenseColumn", "WrittenDenseColumn"),
            ("feature_column_v2.FeatureTransformationCache", "FeatureTransformationCache"),
            ("feature_column_v2.StateManager", "StateManager"),
        )
    },
    "python.framework.common_shapes.broadcast_shape": "graphc.face.shape:broadcast_static_shape",
    "python.framework.function.Defun": _HERE + "Defun",
    "python.framework.graph_io.write_graph": "graphc.graphdef.meta:write_graph",
    "python.framework.op_def_registry.get_registered_ops": (
        "graphc.face.op_defs:get_registered_ops"
    ),
    "python.framework.ops.strip_name_scope": _HERE + "strip_name_scope",
    "python.framework.ops.uid": _HERE + "uid",
    "python.framework.smart_cond.smart_cond": "graphc.contrib.framework.variables:smart_cond",
    "python.framework.smart_cond.smart_constant_value": _HERE + "constant_flag",
    "python.framework.tensor_shape.as_dimension": "graphc.face.shape:as_dimension",
    "python.framework.tensor_shape.as_shape": "graphc.face.shape:as_shape",
    "python.keras.engine.input_spec.InputSpec": "graphc.layers.spec:InputSpec",
    "python.ops.array_ops.prevent_gradient": _HERE + "prevent_gradient",
    "python.ops.confusion_matrix.remove_squeezable_dimensions": (
        _HERE + "remove_squeezable_dimensions"
    ),
    "python.ops.control_flow_ops.merge": "graphc.face.switching:merge",
    "python.ops.control_flow_ops.switch": "graphc.face.switching:switch",
    "python.ops.control_flow_ops.with_dependencies": "graphc.face.control:with_dependencies",
    "python.ops.custom_gradient.custom_gradient": "graphc.face.gradients:custom_gradient",
    "python.ops.custom_gradient._graph_mode_decorator": _HERE + "with_gradient",
    "python.ops.inplace_ops.alias_inplace_add": _HERE + "alias_inplace_add",
    "python.ops.inplace_ops.alias_inplace_update": _HERE + "alias_inplace_update",
    "python.ops.inplace_ops.inplace_update": _HERE + "alias_inplace_update",
    "python.ops.control_flow_util.GraphOrParentsInXlaContext": _HERE + "in_xla",
    "python.ops.control_flow_util.GetContainingXLAContext": _HERE + "no_context",
    "python.ops.control_flow_util.IsInXLAContext": _HERE + "in_xla",
    "python.ops.map_fn.map_fn": "graphc.face.functional:map_fn",
    "python.ops.metrics_impl.metric_variable": "graphc.metrics.support:metric_variable",
    "python.ops.metrics_impl._remove_squeezable_dimensions": (
        "graphc.face.insides:squeezed_for_metrics"
    ),
    "python.ops.weights_broadcast_ops.assert_broadcastable": (
        "graphc.losses.weighting:assert_broadcastable"
    ),
    "python.ops.weights_broadcast_ops.broadcast_weights": (
        "graphc.losses.weighting:broadcast_weights"
    ),
    "python.tf2.enabled": _HERE + "enabled",
    "python.training.evaluation._StopAfterNEvalsHook": _EVALUATION + "StopAfterNEvalsHook",
    "python.training.evaluation._evaluate_once": _EVALUATION + "evaluate_once",
    "python.training.evaluation._get_or_create_eval_step": (
        _EVALUATION + "get_or_create_eval_step"
    ),
    "python.util.all_util.make_all": _HERE + "nothing_removed",
    "python.util.all_util.remove_undocumented": _HERE + "nothing_removed",
    "python.util.function_utils.fn_args": _HERE + "function_arguments",
    "python.util.tf_inspect.getmro": "inspect:getmro",
    "python.estimator.util.fn_args": _HERE + "function_arguments",
    **{f"python.layers.utils.{n}": _HERE + n for n in _LAYER_SIZES},
    "python.layers.utils.constant_value": _HERE + "constant_flag",
    "python.layers.utils.smart_cond": "graphc.contrib.framework.variables:smart_cond",
    **{f"contrib.layers.python.layers.utils.{n}": f"graphc.contrib.slim.utils:{n}"
       for n in _SLIM_UTILS},
    "contrib.layers.python.layers.utils.channel_dimension": _HERE + "channel_dimension",
    "contrib.layers.python.layers.utils.constant_value": _HERE + "constant_flag",
    "contrib.layers.python.layers.utils.static_cond": (
        "graphc.contrib.framework.variables:smart_cond"
    ),
    **{f"python.layers.convolutional.{old}": f"graphc.layers:{new}"
       for old, _, new in (pair.partition("=") for pair in _OLD_LAYERS)},
}  # fmt: skip

#: Modules that are modules of graphc under another name.
MODULES: dict[str, str] = {
    "examples.tutorials.mnist.mnist": "graphc.face.mnist_model",
    "raw_ops": "graphc.face.raw_ops",
    "python.ops.gen_resource_variable_ops": "graphc.face.resource_variable",
    "python.ops.resource_variable_ops": "graphc.face.resource_variable",
    "compat.v2.raw_ops": "graphc.face.raw_ops",
    "python.training.training_ops": "graphc.train.training_ops",
    "python.training.gen_training_ops": "graphc.train.training_ops",
    "python.platform.flags": "graphc.flags",
    "python.keras.preprocessing.image": "graphc.keras.images",
    "python.keras.preprocessing.sequence": "graphc.keras.sequence",
    "python.keras.preprocessing.text": "graphc.keras.text",
    **{f"contrib.slim.{place}{net}": f"graphc.contrib.slim.nets.{module}"
       for module, names in _NETS.items() for net in names.split()
       for place in ("nets.", "python.slim.nets.")},
    **{f"contrib.slim.{place}{part}": f"graphc.contrib.slim.data.{module}"
       for module, names in _DATA.items() for part in names.split()
       for place in ("", "python.slim.data.")},
}  # fmt: skip

#: Where the names of a module inside are public, as in `graphc.face.names.BORROWED`.
INSIDE_SPACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(AUTOGRAPH, ()),
    "python.keras.optimizer_v2": (),
    "python.keras.optimizer_v2.learning_rate_schedule": ("keras.optimizers.schedules",),
    **{f"python.keras.optimizer_v2.{n}": ("keras.optimizers",) for n in (
        "adadelta adagrad adam adamax ftrl gradient_descent nadam optimizer_v2 rmsprop"
    ).split()},
    "contrib.slim.python": (),
    "contrib.slim.python.slim": ("contrib.slim",),
    "contrib.slim.python.slim.data": (),
    "contrib.slim.python.slim.nets": (),
    "python.framework.tensor_spec": ("",),
    "python.framework.test_util": ("test",),
    "python.keras.preprocessing": (),
    "python.layers.utils": (),
    "python.keras.utils.generic_utils": (),
    "python.keras.utils.tf_utils": (),
    "python.pywrap_tensorflow": (),
    "python.ops.confusion_matrix": ("",),
    "python.ops.gradient_checker": ("test",),
    "python.ops.metrics_impl": ("metrics",),
    "python.ops.summary_op_util": (),
    "python.tf2": (),
    "python.training.adadelta": ("train",),
    "python.training.adagrad": ("train",),
    "python.training.device_setter": ("train",),
    "python.training.evaluation": ("contrib.training", "train"),
    "python.training.ftrl": ("train",),
    "python.training.input": ("train",),
    "python.training.momentum": ("train",),
    "python.training.proximal_adagrad": ("train",),
    "python.training.proximal_gradient_descent": ("train",),
    "python.training.queue_runner_impl": ("train",),
    "python.training.rmsprop": ("train",),
    "python.training.session_manager": ("train",),
    "python.training.server_lib": ("train",),
    "python.training.slot_creator": (),
    "python.training.sync_replicas_optimizer": ("train",),
    "python.estimator.estimator": ("estimator",),
    "python.estimator.inputs.numpy_io": ("estimator.inputs",),
    "python.estimator.model_fn": ("estimator",),
    "python.estimator.run_config": ("estimator",),
    "python.estimator.training": ("estimator",),
    # ---- parts of contrib that have no names here: importing them is no error
    **{f"contrib.{n}": () for n in (
        "batching bayesflow checkpoint cloud cluster_resolver compiler constrained_optimization "
        "copy_graph cudnn_rnn distribute factorization feature_column ffmpeg graph_editor "
        "grid_rnn image input_pipeline kernel_methods labeled_tensor linear_optimizer "
        "memory_stats mixed_precision model_pruning optimizer_v2 periodic_resample proto "
        "quantization quantize receptive_field recurrent reduce_slice_ops resampler rpc "
        "saved_model solvers specs staging stateless summary tensor_forest testing "
        "tfprof timeseries autograph distributions.bijectors"
    ).split()},
}  # fmt: skip
