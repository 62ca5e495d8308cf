"""Values that may be missing: ``tf.data.experimental.Optional``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.data.arguments import components
from graphc.data.iterator import Iterator, packed, record_attrs, running_of, whole_parts
from graphc.data.structure import flatten
from graphc.data.type_specs import TypeSpec
from graphc.errors import InvalidArgumentError, OutOfRangeError
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.node import Value
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op

__all__ = ["Optional", "OptionalSpec", "get_next_as_optional"]


def _none(types: Any, shapes: Any) -> list[Any]:
    """What stands for the parts of a value that is missing."""
    sizes = [[d if type(d) is int else 0 for d in s or ()] for s in shapes]
    return [
        np.full(s, b"", object) if t.kind == "s" else np.zeros(s, t.np)
        for s, t in zip(sizes, types, strict=True)
    ]


def _flag(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(dtypes.bool_, ())]


def _declared(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return list(zip(attrs["types"], attrs["shapes"], strict=True))


def _flag_and_value(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [*_flag(inputs, attrs), *_declared(inputs, attrs)]


def _get(there: Any, *parts: Any, types: Any, shapes: Any) -> tuple[Any, ...]:
    if not there:
        raise InvalidArgumentError(None, None, "The given optional does not have a value.")
    return parts


def _next(host: Any, *handle: Any, iterator: str, types: Any, shapes: Any) -> tuple[Any, ...]:
    try:
        return np.True_, *whole_parts(running_of(host, handle, iterator).next())
    except OutOfRangeError:
        return np.False_, *_none(types, shapes)


_HOST: dict[str, Any] = {"types": "fiubs", "grad": no_grad}

has_value_op = op(
    "optional_has_value", "OptionalHasValue", "host", doc="Whether there is a value.",
    args=("there",), infer=_flag, numpy=lambda there: there, **_HOST,
)  # fmt: skip
get_value_op = op(
    "optional_get_value", "OptionalGetValue", "host", doc="The value; an error if there is none.",
    args=("there", "*parts"), infer=_declared, numpy=_get, **_HOST,
)  # fmt: skip
get_next_as_optional_op = op(
    "iterator_get_next_as_optional", "IteratorGetNextAsOptional", "host", args=("*handle",),
    doc="The next element of an iterator, if there is one.", infer=_flag_and_value, host=_next,
    facts={"effect": True}, stateful=True, **_HOST,
)  # fmt: skip


class Optional:
    """A value that is there, or not, as a run finds out.

    Attributes
    ----------
    value_structure : nested structure
        A spec for each part of the value.

    Examples
    --------
    >>> import graphc as tf
    >>> data = tf.data.Dataset.range(1).make_one_shot_iterator()
    >>> element = tf.data.experimental.get_next_as_optional(data)
    >>> y = tf.cond(element.has_value(), element.get_value, lambda: tf.constant(-1, tf.int64))
    >>> with tf.Session() as session:
    ...     print(session.run(y), session.run(y))
    0 -1
    """

    def __init__(self, there: Value, parts: Sequence[Value], structure: Any) -> None:
        self._there, self._parts = there, tuple(parts)
        self.value_structure = structure

    @staticmethod
    def from_value(value: Any) -> Optional:
        """An optional with a value: a nested structure of tensors."""
        structure, flat = components(value, "value")
        current().reserve("OptionalFromValue")
        return Optional(_constant(True), flat, structure)

    @staticmethod
    def none_from_structure(value_structure: Any) -> Optional:
        """An optional without a value.

        Parameters
        ----------
        value_structure : nested structure
            A spec for each part of what might be there.
        """
        current().reserve("OptionalNone")
        attrs = record_attrs(flatten(value_structure))
        with current().counts_as(0):
            parts = [constant(v, t) for v, t in zip(_none(**attrs), attrs["types"], strict=True)]
        return Optional(_constant(False), parts, value_structure)

    def has_value(self, name: str | None = None) -> Value:
        """Whether there is a value: a bool tensor."""
        return build(has_value_op, [self._there], {}, name).outputs[0]

    def get_value(self, name: str | None = None) -> Any:
        """The value.

        Raises (in a run)
        -----------------
        InvalidArgumentError
            When there is none.
        """
        attrs = record_attrs(flatten(self.value_structure))
        node = build(get_value_op, [self._there, *self._parts], attrs, name)
        return packed(self.value_structure, node.outputs)


class OptionalSpec(TypeSpec):
    """The spec of an `Optional`.

    Parameters
    ----------
    value_structure : nested structure
        A spec for each part of the value.
    """

    def __init__(self, value_structure: Any) -> None:
        self._value_structure = value_structure

    @property
    def value_type(self) -> Any:
        return Optional

    def _parts(self) -> tuple[Any, ...]:
        return (self._value_structure,)

    @classmethod
    def from_value(cls, value: Any) -> OptionalSpec:
        """The spec of an optional."""
        return cls(value.value_structure)


def _constant(flag: bool) -> Value:
    with current().counts_as(0):
        return convert_to_tensor(flag)


def get_next_as_optional(iterator: Iterator) -> Optional:
    """The next element of an iterator, without a value behind the last one."""
    structure = iterator._structure
    attrs = {**iterator._attrs, **record_attrs(flatten(structure))}
    node = build(get_next_as_optional_op, iterator._inputs, attrs, "IteratorGetNextAsOptional")
    there, *parts = node.outputs
    return Optional(there, parts, structure)
