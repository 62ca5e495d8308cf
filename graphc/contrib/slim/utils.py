"""tf.contrib.slim.utils: collections of outputs, and sizes."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from graphc.contrib.framework.variables import smart_cond
from graphc.contrib.layers.common import aliases_of, collected, collections_for
from graphc.face.current import get_collection
from graphc.face.graph import get_default_graph
from graphc.face.insides import channel_dimension

__all__ = [
    "collect_named_outputs", "convert_collection_to_dict", "get_tensor_aliases",
    "get_variable_collections", "last_dimension", "n_positive_integers", "smart_cond",
    "two_element_tuple",
]  # fmt: skip


def collect_named_outputs(collections: Any, alias: str, outputs: Any) -> Any:
    """Add a tensor to collections, under a name."""
    return collected(collections, alias, outputs)


def get_tensor_aliases(tensor: Any) -> list[str]:
    """The names a tensor has in collections; its own where it has none."""
    own = tensor.name[:-2] if tensor.name.endswith(":0") else tensor.name
    return aliases_of(tensor) or [own]


def convert_collection_to_dict(collection: str, clear_collection: bool = False) -> Any:
    """The tensors of a collection by name, in order."""
    out = OrderedDict(
        (alias, t) for t in get_collection(collection) for alias in get_tensor_aliases(t)
    )
    if clear_collection:
        get_default_graph().clear_collection(collection)
    return out


def get_variable_collections(variables_collections: Any, name: str) -> Any:
    """The collections for one kind of variable."""
    return collections_for(variables_collections, name)


def last_dimension(shape: Any, min_rank: int = 1) -> Any:
    """The last size of a shape.

    Raises
    ------
    ValueError
        When the rank is too small or not known.
    """
    return channel_dimension(shape, "NHWC", min_rank)


def two_element_tuple(int_or_tuple: Any) -> tuple[int, int]:
    """A pair of a number, or of two."""
    a, b = n_positive_integers(2, int_or_tuple)
    return a, b


def n_positive_integers(n: int, value: Any) -> tuple[int, ...]:
    """`n` whole numbers: `value` repeated, or the numbers in it.

    Raises
    ------
    ValueError
    """
    given = value if isinstance(value, list | tuple) else getattr(value, "as_list", lambda: None)()
    sizes = (int(value),) * n if given is None else tuple([int(v) for v in given])
    if len(sizes) == 1:
        sizes = sizes * n
    if len(sizes) != n or any(s < 1 for s in sizes):
        raise ValueError(f"value must be {n} positive integers, but is {value}")
    return sizes
