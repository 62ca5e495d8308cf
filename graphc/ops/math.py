"""Functions on numbers, element by element, from the modules that have them."""

from __future__ import annotations

from graphc.ops.arithmetic import (
    abs,
    accumulate_n,
    add,
    add_n,
    div_no_nan,
    floor_div,
    floormod,
    mod,
    multiply,
    multiply_no_nan,
    negative,
    nextafter,
    realdiv,
    reciprocal,
    sign,
    square,
    squared_difference,
    subtract,
    truncatediv,
    truncatemod,
)
from graphc.ops.bitwise import bitwise_and, bitwise_or, bitwise_xor, invert, left_shift, right_shift
from graphc.ops.casting import (
    bitcast,
    cast,
    saturate_cast,
    to_bfloat16,
    to_double,
    to_float,
    to_int32,
    to_int64,
)
from graphc.ops.comparing import (
    equal,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from graphc.ops.division import div, divide, floordiv, scalar_mul, truediv
from graphc.ops.elementary import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    ceil,
    cos,
    cosh,
    exp,
    expm1,
    floor,
    log,
    log1p,
    log_sigmoid,
    rint,
    round,
    rsqrt,
    sigmoid,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from graphc.ops.gammas import digamma, erf, erfc, lgamma, trigamma
from graphc.ops.powers import pow, xdivy, xlogy
from graphc.ops.selecting import clip_by_value, maximum, minimum, select, where

__all__ = [
    "abs", "accumulate_n", "acos", "acosh", "add", "add_n", "asin", "asinh", "atan", "atan2",
    "atanh", "bitcast", "bitwise_and", "bitwise_or", "bitwise_xor", "cast", "ceil", "clip_by_value",
    "cos", "cosh", "digamma", "div", "div_no_nan", "divide", "equal", "erf",
    "erfc", "exp", "expm1", "floor", "floor_div", "floordiv", "floormod", "greater",
    "greater_equal", "invert", "is_finite", "is_inf", "is_nan", "left_shift", "less", "less_equal",
    "lgamma", "log", "log1p", "log_sigmoid", "logical_and", "logical_not", "logical_or",
    "logical_xor", "maximum", "minimum", "mod", "multiply", "multiply_no_nan", "negative",
    "nextafter", "not_equal", "pow", "realdiv", "reciprocal", "right_shift", "rint", "round",
    "rsqrt", "saturate_cast", "scalar_mul", "select", "sigmoid", "sign", "sin", "sinh", "sqrt",
    "square", "squared_difference", "subtract", "tan", "tanh", "to_bfloat16", "to_double",
    "to_float", "to_int32", "to_int64", "trigamma", "truediv", "truncatediv", "truncatemod",
    "where", "xdivy", "xlogy",
]  # fmt: skip
