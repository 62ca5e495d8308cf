"""More names of TensorFlow's insides: Keras, cells, files, and what has no meaning here.

`graphc.face.inside_names` adds this to its table.
"""

from __future__ import annotations

__all__ = ["AUTOGRAPH", "MORE_INSIDE"]

_TENSORS = "graphc.face.inside_tensors:"
_KERAS = "graphc.keras.inside:"
_FILES = "graphc.face.files:"
_REFUSED = "graphc.face.refused:"

_KERAS_UTILS = (
    "deserialize_keras_object get_custom_objects has_arg make_batches object_list_uid "
    "serialize_keras_object slice_arrays to_list to_snake_case"
).split()

_TEST_UTIL = (
    "InstallStackTraceHandler IsMklEnabled deprecated_graph_mode_only is_xla_enabled "
    "run_all_in_graph_and_eager_modes run_deprecated_v1 run_gpu_only run_in_graph_and_eager_modes "
    "run_v1_only run_v2_only use_gpu"
).split()

#: Modules of autograph, for those who import them and need none: they are empty.
AUTOGRAPH = [
    f"python.autograph.{n}"
    for n in (
        "converters.break_statements converters.continue_statements converters.return_statements "
        "core.converter core.naming pyct.anno pyct.compiler pyct.inspect_utils pyct.parser "
        "pyct.qual_names pyct.templates pyct.transformer pyct.common_transformers.anf"
    ).split()
]

#: Path → where it is, as in `graphc.face.names.NAMES`.
MORE_INSIDE: dict[str, str] = {
    "python.tools.inspect_checkpoint": "graphc.checkpoint.inspection",
    "python.tools.optimize_for_inference_lib": "graphc.graphdef.inference",
    "python.tools.strip_unused_lib": "graphc.graphdef.stripping",
    "python.framework.ops._TensorLike": _TENSORS + "TensorLike",
    "python.framework.ops._as_graph_element": _TENSORS + "as_graph_element",
    "python.framework.ops.internal_convert_to_tensor": "graphc.face.convert:convert_to_tensor",
    "python.framework.ops.is_dense_tensor_like": _TENSORS + "is_dense_tensor_like",
    "python.framework.tensor_like._TensorLike": _TENSORS + "TensorLike",
    "python.framework.tensor_shape.unknown_shape": _TENSORS + "unknown_shape",
    "python.ops.rnn._transpose_batch_time": "graphc.nn.recurrent:transpose_batch_time",
    "python.ops.rnn_cell_impl._concat": _TENSORS + "concat_sizes",
    "python.ops.rnn_cell_impl._zero_state_tensors": _TENSORS + "zero_state_tensors",
    "python.ops.variables._all_saveable_objects": _TENSORS + "all_saveable_objects",
    "contrib.seq2seq.python.ops.decoder._transpose_batch_time": (
        "graphc.nn.recurrent:transpose_batch_time"
    ),
    "python.framework.ops.EagerTensor": _REFUSED + "EagerTensor",
    "python.framework.tensor_util.constant_value_as_shape": _TENSORS + "constant_value_as_shape",
    "python.pywrap_tensorflow.TF_TryEvaluateConstant_wrapper": _TENSORS + "try_evaluate",
    "python.util.deprecation.silence": "contextlib:nullcontext",
    "python.util.lazy_loader.LazyLoader": "graphc.face.private:LazyLoader",
    "python.util.tf_inspect._inspect": "inspect",
    "python.autograph.pyct.transformer.Base": _REFUSED + "Base",
    **{f"{n}.do_not_convert": "graphc.face.private:do_not_convert"
       for n in ("autograph.experimental", "python.autograph", "python.autograph.impl.api",
                 "compat.v2.autograph.experimental")},
    "python.framework.type_spec.BatchableTypeSpec": _TENSORS + "BatchableTypeSpec",
    "python.framework.type_spec.TypeSpec": _TENSORS + "TypeSpec",
    "python.framework.composite_tensor.CompositeTensor": _TENSORS + "CompositeTensor",
    "python.ops.io_ops.restore_v2": "graphc.checkpoint.ops:restore_v2",
    "python.framework.ops.register_proto_function": (
        "graphc.graphdef.meta:register_proto_function"
    ),
    "python.ops.init_ops.Initializer": "graphc.face.initializers:Initializer",
    "python.ops.variable_scope._pure_variable_scope": (
        "graphc.face.inside_tensors:pure_variable_scope"
    ),
    "python.client.session.register_session_run_conversion_functions": (
        "graphc.face.fetches:register_session_run_conversion_functions"
    ),
    "python.ops.control_flow_util.ENABLE_CONTROL_FLOW_V2": _TENSORS + "ENABLE_CONTROL_FLOW_V2",
    "python.framework.ops.register_dense_tensor_like_type": (
        _TENSORS + "register_dense_tensor_like_type"
    ),
    "python.ops.gen_nn_ops.conv3d_backprop_input_v2": "graphc.ops.conv:conv3d_backprop_input_v2",
    "python.ops.nn_ops.conv3d_backprop_input_v2": "graphc.ops.conv:conv3d_backprop_input_v2",
    "python.training.monitored_session._HookedSession": "graphc.train.hooked:HookedSession",
    **{f"python.tpu.tpu_function.{n}": f"graphc.contrib.tpu_shards:{n}"
       for n in ("TpuContext", "get_tpu_context", "tpu_shard_context")},
    **{f"estimator.tpu.{n}": f"graphc.contrib.tpu:{n}"
       for n in ("InputPipelineConfig", "RunConfig", "TPUConfig", "TPUEstimator",
                 "TPUEstimatorSpec")},
    **{f"python.framework.test_util.{n}": f"graphc.face.test_util:{n}" for n in _TEST_UTIL},
    "python.framework.test_util.TensorFlowTestCase": "graphc.test:TestCase",
    # ---- Keras
    **{f"{space}keras.experimental.PeepholeLSTMCell": "graphc.keras.recurrent_v2:PeepholeLSTMCell"
       for space in ("", "compat.v2.")},
    **{f"compat.v2.keras.layers.{n}": f"graphc.keras.recurrent_v2:{n}"
       for n in ("GRU", "GRUCell", "LSTM", "LSTMCell")},
    "compat.v2.keras.regularizers.Regularizer": "graphc.layers.keras_words:Regularizer",
    "compat.v2.keras.utils.deserialize_keras_object": _KERAS + "deserialize_keras_object",
    "compat.v2.keras.utils.serialize_keras_object": _KERAS + "serialize_keras_object",
    "keras.regularizers.Regularizer": "graphc.layers.keras_words:Regularizer",
    "python.keras.regularizers.Regularizer": "graphc.layers.keras_words:Regularizer",
    "python.keras.backend.get_graph": "graphc.face.graph:get_default_graph",
    "python.keras.utils.tf_utils.constant_value": "graphc.face.insides:constant_flag",
    "python.keras.utils.tf_utils.get_reachable_from_inputs": _TENSORS + "reachable",
    "python.keras.utils.tf_utils.is_tensor_or_variable": _KERAS + "is_tensor_or_variable",
    "python.keras.utils.tf_utils.is_symbolic_tensor": _KERAS + "is_symbolic_tensor",
    "python.keras.utils.tf_utils.register_symbolic_tensor_type": (
        _KERAS + "register_symbolic_tensor_type"
    ),
    "python.keras.utils.tf_utils.shape_type_conversion": _KERAS + "shape_type_conversion",
    "python.keras.utils.tf_utils.smart_cond": "graphc.contrib.framework.variables:smart_cond",
    **{f"python.keras.utils.generic_utils.{n}": _KERAS + n for n in _KERAS_UTILS},
    **{
        f"python.keras.utils.conv_utils.{n}": f"graphc.keras.conv_sizes:{n}"
        for n in (
            "conv_input_length", "conv_output_length", "convert_kernel", "deconv_output_length",
            "normalize_data_format", "normalize_padding",
        )
    },
    "python.keras.utils.conv_utils.convert_data_format": "graphc.face.insides:convert_data_format",
    "python.keras.utils.conv_utils.normalize_tuple": "graphc.face.insides:normalize_tuple",
    "python.keras.utils.generic_utils.CustomObjectScope": "graphc.keras.utils:CustomObjectScope",
    "python.keras.utils.generic_utils.custom_object_scope": (
        "graphc.keras.utils:custom_object_scope"
    ),
    # ---- files
    "python.lib.io.file_io.copy": _FILES + "copy",
    "python.lib.io.file_io.create_dir": _FILES + "mkdir",
    "python.lib.io.file_io.delete_file": _FILES + "remove",
    "python.lib.io.file_io.delete_recursively": _FILES + "rmtree",
    "python.lib.io.file_io.get_matching_files": _FILES + "glob",
    "python.lib.io.file_io.is_directory": _FILES + "isdir",
    "python.lib.io.file_io.list_directory": _FILES + "listdir",
    "python.lib.io.file_io.rename": _FILES + "rename",
    "python.lib.io.file_io.stat": _FILES + "stat",
    "python.lib.io.file_io.walk": _FILES + "Walk",
    "python.pywrap_tensorflow.EventsWriter": "graphc.summary.events:EventsWriter",
    # ---- settings of the machine
    "distribute.Server": "graphc.train:Server",
    "python.framework.device_spec.DeviceSpecV1": "graphc.face.devices:DeviceSpec",
    "python.framework.ops._get_graph_from_inputs": (
        "graphc.contrib.framework.extras:get_graph_from_inputs"
    ),
    "config.experimental_list_devices": "graphc.face.machine:experimental_list_devices",
    "config.experimental.list_physical_devices": "graphc.face.machine:list_physical_devices",
    "config.experimental.list_logical_devices": "graphc.face.machine:list_physical_devices",
    "config.experimental.set_memory_growth": "graphc.face.machine:set_memory_growth",
    "python.eager.context.eager_mode": _REFUSED + "eager_mode",
    "python.eager.context.graph_mode": "contextlib:nullcontext",
    "python.debug.DumpingDebugWrapperSession": _REFUSED + "DumpingDebugWrapperSession",
    "python.debug.DumpingDebugHook": _REFUSED + "DumpingDebugHook",
}  # fmt: skip
