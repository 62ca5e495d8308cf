"""Summaries of tensors and collections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from graphc.face.current import get_collection
from graphc.face.graph_keys import GraphKeys
from graphc.face.lazy import lookup

__all__ = [
    "summarize_activation", "summarize_activations", "summarize_biases", "summarize_collection",
    "summarize_tensor", "summarize_tensors", "summarize_variables", "summarize_weights",
]  # fmt: skip


def record(kind: str, name: str, value: Any) -> Any:
    """``tf.summary.scalar`` or ``tf.summary.histogram``; nothing where graphc lacks summaries."""
    f = lookup("summary", kind)
    return None if f is None else f(name, value)


def summarize_tensor(tensor: Any, tag: str | None = None) -> Any:
    """A scalar summary of a scalar, a histogram of anything else."""
    rank = tensor.get_shape().ndims
    return record("scalar" if rank == 0 else "histogram", tag or tensor.op.name, tensor)


def summarize_activation(op: Any) -> Any:
    """A histogram of an activation, with the share of zeros where it has many."""
    if op.op.type in ("Relu", "Softplus", "Relu6"):
        from graphc.ops.norm import zero_fraction  # here only

        record("scalar", f"{op.op.name}/zeros", zero_fraction(op))
    if op.op.type == "Relu6":
        from graphc.ops import math, reduce  # here only

        sixes = math.cast(math.equal(op, 6.0), "float32")
        record("scalar", f"{op.op.name}/sixes", reduce.reduce_mean(sixes))
    return record("histogram", f"{op.op.name}/activation", op)


def summarize_tensors(
    tensors: Iterable[Any], summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """A summary of each."""
    return [summarizer(t) for t in tensors]


def summarize_collection(
    collection: str, name_filter: str | None = None,
    summarizer: Callable[[Any], Any] = summarize_tensor,
) -> list[Any]:  # fmt: skip
    """A summary of each tensor of a collection whose name matches."""
    found = [
        t for t in get_collection(collection)
        if name_filter is None or re.match(name_filter, t.op.name)
    ]  # fmt: skip
    return summarize_tensors(found, summarizer)


def summarize_activations(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_activation
) -> list[Any]:
    """Summaries of ``GraphKeys.ACTIVATIONS``."""
    return summarize_collection(GraphKeys.ACTIVATIONS, name_filter, summarizer)


def summarize_variables(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """Summaries of all variables."""
    return summarize_collection(GraphKeys.GLOBAL_VARIABLES, name_filter, summarizer)


def summarize_weights(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """Summaries of ``GraphKeys.WEIGHTS``."""
    return summarize_collection(GraphKeys.WEIGHTS, name_filter, summarizer)


def summarize_biases(
    name_filter: str | None = None, summarizer: Callable[[Any], Any] = summarize_tensor
) -> list[Any]:
    """Summaries of ``GraphKeys.BIASES``."""
    return summarize_collection(GraphKeys.BIASES, name_filter, summarizer)
