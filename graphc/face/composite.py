"""Values made of several tensors: how functions on tensors get to the functions on them.

A function that is in the table of `graphc.ragged.dispatch` is given to users in a form that looks
for such values. While there are none in the process, that costs one look at a list.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["TYPES", "dispatched"]

#: Classes of such values; empty until the first is imported.
TYPES: list[type] = []

#: Functions that take them: module → names.
_NAMES = {
    "graphc.ops.joining": "concat stack",
    "graphc.ops.tiling": "tile",
    "graphc.ops.gathers": (
        "gather gather_nd unsorted_segment_sum unsorted_segment_prod unsorted_segment_max "
        "unsorted_segment_min unsorted_segment_mean unsorted_segment_sqrt_n"
    ),
    "graphc.ops.shapes": "expand_dims squeeze size rank",
    "graphc.ops.fills": "zeros_like ones_like one_hot",
    "graphc.ops.scatter": "batch_gather",
    "graphc.ops.selecting": "where clip_by_value",
    "graphc.ops.casting": "_cast_call",
    "graphc.ops.division": "truediv floordiv",
    "graphc.ops.reduce": (
        "reduce_sum reduce_prod reduce_max reduce_min reduce_mean reduce_any reduce_all"
    ),
    "graphc.ops.state": "identity",
    "graphc.ops.strings": (
        "as_string string_join string_length substr string_lower string_upper string_strip "
        "regex_replace regex_full_match string_to_number string_to_hash_bucket "
        "string_to_hash_bucket_fast string_to_hash_bucket_strong"
    ),
}
_FUNCTIONS = frozenset(f"{m}:{n}" for m, names in _NAMES.items() for n in names.split())


def dispatched(value: Any) -> Any:
    """A public function, in the form that takes composite values too where it can."""
    name = f"{getattr(value, '__module__', '')}:{getattr(value, '__name__', '')}"
    return _wrapped(value) if name in _FUNCTIONS else value


@functools.cache
def _wrapped(f: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if TYPES and _found(args, kwargs):
            from graphc.ragged.dispatch import TABLE

            return TABLE[f](*args, **kwargs)
        return f(*args, **kwargs)

    return call


def _found(args: Any, kwargs: Any) -> bool:
    kinds = tuple(TYPES)
    for x in (*args, *kwargs.values()):
        if isinstance(x, kinds):
            return True
        if type(x) in (list, tuple) and any(isinstance(y, kinds) for y in x):
            return True
    return False
