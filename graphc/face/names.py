"""Which public name is what: the one table to edit when something becomes public.

`EXPORTS` makes public what a module lists in ``__all__``, under the names TF1 has in that
namespace (`graphc.face.tf1`). `NAMES` says the rest, one line each: a path below ``tf``, and
``module:attribute`` or a module.
"""

from __future__ import annotations

__all__ = ["EXPORTS", "NAMES", "PACKAGES"]

_OPS = (
    "graphc.ops.math", "graphc.ops.reduce", "graphc.ops.shapes", "graphc.ops.arrays",
    "graphc.ops.linalg", "graphc.ops.random", "graphc.ops.state", "graphc.ops.nn",
    "graphc.ops.conv", "graphc.ops.pool",
)  # fmt: skip

#: Namespace → modules whose ``__all__`` is public there, as far as TF1 has the name there.
EXPORTS: dict[str, tuple[str, ...]] = {
    "": (
        "graphc.face.graph", "graphc.face.variables", "graphc.face.scopes", "graphc.face.session",
        "graphc.face.config", "graphc.face.shape", "graphc.face.convert", "graphc.face.control",
        "graphc.face.initializers", "graphc.face.compat", "graphc.ops.convert", *_OPS,
        "graphc.face.gradients", "graphc.train.clip",
    ),
    "nn": ("graphc.ops.nn", *_OPS, "graphc.nn"),
    "math": _OPS,
    "linalg": _OPS,
    "random": _OPS,
    "bitwise": ("graphc.ops.math",),
    "manip": _OPS,
    "errors": ("graphc.errors",),
    "initializers": ("graphc.face.initializers",),
    "logging": ("graphc.face.logging",),
    "train": (
        "graphc.train.optimizer", "graphc.train.averages", "graphc.train.decay",
        "graphc.train.steps",
    ),
    "layers": ("graphc.nn.layers",),
    "losses": ("graphc.nn.losses",),
    "summary": ("graphc.train.summary",),
    "test": ("graphc.face.compat",),
}  # fmt: skip

#: Namespaces of TF1 that are real modules of graphc; ``nn`` and ``train`` take their names from
#: these tables too, by two lines in their ``__init__``.
PACKAGES = ("errors", "nn", "train")

_AVERAGES = "python.training.moving_averages."

NAMES: dict[str, str] = {
    # ---- graphc's own
    "dump": "graphc.face.dump:dump",
    "optimize": "graphc.face.dump:optimize",
    # ---- element types
    "DType": "graphc.ir.dtypes:DType",
    "as_dtype": "graphc.ir.dtypes:as_dtype",
    "bfloat16": "graphc.ir.dtypes:bfloat16",
    "bool": "graphc.ir.dtypes:bool_",
    "double": "graphc.ir.dtypes:float64",
    "float16": "graphc.ir.dtypes:float16",
    "float32": "graphc.ir.dtypes:float32",
    "float64": "graphc.ir.dtypes:float64",
    "half": "graphc.ir.dtypes:float16",
    "int16": "graphc.ir.dtypes:int16",
    "int32": "graphc.ir.dtypes:int32",
    "int64": "graphc.ir.dtypes:int64",
    "int8": "graphc.ir.dtypes:int8",
    "string": "graphc.ir.dtypes:string",
    "uint16": "graphc.ir.dtypes:uint16",
    "uint32": "graphc.ir.dtypes:uint32",
    "uint64": "graphc.ir.dtypes:uint64",
    "uint8": "graphc.ir.dtypes:uint8",
    "dtypes.as_dtype": "graphc.ir.dtypes:as_dtype",
    # ---- other spellings in tf
    "GraphDef": "graphc.face.graph:GraphDef",
    "IndexedSlices": "graphc.ops.indexed:IndexedSlices",
    "IndexedSlicesValue": "graphc.face.convert:IndexedSlicesValue",
    "NodeDef": "graphc.face.graph:NodeDef",
    "OpError": "graphc.errors:OpError",
    "Operation": "graphc.face.graph:Operation",
    "Tensor": "graphc.face.graph:Tensor",
    "VariableV1": "graphc.face.variables:Variable",
    "arg_max": "graphc.ops.reduce:argmax",
    "arg_min": "graphc.ops.reduce:argmin",
    "get_seed": "graphc.face.graph:get_seed",
    "init_scope": "graphc.face.graph:init_scope",
    "is_variable_initialized": "graphc.ops.state:is_variable_initialized",
    "logging": "graphc.face.logging",
    "random.get_seed": "graphc.face.graph:get_seed",
    "random.normal": "graphc.ops.random:random_normal",
    "random.set_random_seed": "graphc.face.graph:set_random_seed",
    "random.shuffle": "graphc.ops.random:random_shuffle",
    "random.truncated_normal": "graphc.ops.random:truncated_normal",
    "random.uniform": "graphc.ops.random:random_uniform",
    # ---- before 1.0
    "batch_matmul": "graphc.ops.linalg:matmul",
    "mul": "graphc.ops.math:multiply",
    "neg": "graphc.ops.math:negative",
    "pack": "graphc.ops.shapes:stack",
    "select": "graphc.ops.math:where",
    "sub": "graphc.ops.math:subtract",
    "unpack": "graphc.ops.shapes:unstack",
    # ---- initializers
    "initializers.constant": "graphc.face.initializers:Constant",
    "initializers.glorot_normal": "graphc.face.initializers:GlorotNormal",
    "initializers.glorot_uniform": "graphc.face.initializers:GlorotUniform",
    "initializers.identity": "graphc.face.initializers:Identity",
    "initializers.ones": "graphc.face.initializers:Ones",
    "initializers.orthogonal": "graphc.face.initializers:Orthogonal",
    "initializers.random_normal": "graphc.face.initializers:RandomNormal",
    "initializers.random_uniform": "graphc.face.initializers:RandomUniform",
    "initializers.truncated_normal": "graphc.face.initializers:TruncatedNormal",
    "initializers.uniform_unit_scaling": "graphc.face.initializers:UniformUnitScaling",
    "initializers.variance_scaling": "graphc.face.initializers:VarianceScaling",
    "initializers.zeros": "graphc.face.initializers:Zeros",
    "initializers.global_variables": "graphc.face.variables:global_variables_initializer",
    "initializers.local_variables": "graphc.face.variables:local_variables_initializer",
    "initializers.variables": "graphc.face.variables:variables_initializer",
    "keras.initializers.he_normal": "graphc.face.initializers:he_normal",
    "keras.initializers.he_uniform": "graphc.face.initializers:he_uniform",
    "contrib.layers.xavier_initializer": "graphc.face.compat:xavier_initializer",
    "contrib.layers.xavier_initializer_conv2d": "graphc.face.compat:xavier_initializer",
    "contrib.layers.variance_scaling_initializer": "graphc.face.compat:contrib_variance_scaling",
    # ---- private paths that programs use
    "python.framework.ops.Graph": "graphc.face.graph:Graph",
    "python.framework.ops.GraphKeys": "graphc.face.graph:GraphKeys",
    "python.framework.ops.IndexedSlices": "graphc.ops.indexed:IndexedSlices",
    "python.framework.ops.Tensor": "graphc.face.graph:Tensor",
    "python.framework.ops.Operation": "graphc.face.graph:Operation",
    "python.framework.ops.control_dependencies": "graphc.face.graph:control_dependencies",
    "python.framework.ops.convert_to_tensor": "graphc.face.convert:convert_to_tensor",
    "python.framework.ops.get_default_graph": "graphc.face.graph:get_default_graph",
    "python.framework.ops.name_scope": "graphc.face.graph:name_scope",
    "python.framework.ops.reset_default_graph": "graphc.face.graph:reset_default_graph",
    _AVERAGES + "assign_moving_average": "graphc.train.averages:assign_moving_average",
    "train.piecewise_constant_decay": "graphc.train.decay:piecewise_constant",
    "contrib.framework.assert_global_step": "graphc.train.steps:assert_global_step",
    "contrib.framework.create_global_step": "graphc.train.steps:create_global_step",
    "contrib.framework.get_global_step": "graphc.train.steps:get_global_step",
    "contrib.framework.get_or_create_global_step": "graphc.train.steps:get_or_create_global_step",
    # ---- helpers for programs that run under both
    "compat.as_bytes": "graphc.face.compat:as_bytes",
    "compat.as_str": "graphc.face.compat:as_text",
    "compat.as_str_any": "graphc.face.compat:as_str_any",
    "compat.as_text": "graphc.face.compat:as_text",
    "contrib.framework.get_name_scope": "graphc.face.graph:get_name_scope",
    "test.gpu_device_name": "graphc.face.compat:gpu_device_name",
    "test.is_built_with_cuda": "graphc.face.compat:is_built_with_cuda",
    "test.is_gpu_available": "graphc.face.compat:is_gpu_available",
}
