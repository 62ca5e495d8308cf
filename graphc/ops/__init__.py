"""graphc.ops: one record per op. Importing this package fills `OPS`."""

from graphc.ops import (
    arrays,
    broadcasting,
    control,
    conv,
    convert,
    depthwise,
    diagonal,
    fills,
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
    spaced,
    state,
    tensor_arrays,
    transposing,
)
from graphc.ops.record import OPS, InferError, Op

__all__ = [
    "OPS", "InferError", "Op", "arrays", "broadcasting", "control", "conv", "convert", "depthwise",
    "diagonal", "fills", "flow", "linalg", "math", "nn", "operators", "pool", "pure", "random",
    "reduce", "shapes", "spaced", "state", "tensor_arrays", "transposing",
]  # fmt: skip
