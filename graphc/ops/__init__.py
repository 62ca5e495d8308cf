"""graphc.ops: one record per op. Importing this package fills `OPS`."""

from graphc.ops import (
    arrays,
    control,
    conv,
    convert,
    depthwise,
    flow,
    linalg,
    math,
    nn,
    operators,
    pool,
    pure,
    random,
    reduce,
    shapes,
    state,
    tensor_arrays,
)
from graphc.ops.record import OPS, InferError, Op

__all__ = [
    "OPS", "InferError", "Op", "arrays", "control", "conv", "convert", "depthwise",
    "flow", "linalg", "math",
    "nn", "operators", "pool", "pure", "random", "reduce", "shapes", "state", "tensor_arrays",
]  # fmt: skip
