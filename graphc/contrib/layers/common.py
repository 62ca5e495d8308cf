"""What contrib layers share: variables of models, and collections of outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphc.contrib.framework.variables import model_variable
from graphc.face.current import add_to_collection, add_to_collections, get_collection
from graphc.face.graph import get_default_graph

__all__ = ["aliases_of", "collected", "collections_for", "finish", "getter", "into_collections"]


def getter(renamed: Mapping[str, str] | None = None) -> Callable[..., Any]:
    """A variable getter that makes model variables, under the names of contrib."""

    def get(
        getter: Any, name: str, shape: Any = None, dtype: Any = None, initializer: Any = None,
        regularizer: Any = None, trainable: bool = True, collections: Any = None,
        caching_device: Any = None, partitioner: Any = None, use_resource: Any = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        head, _, last = name.rpartition("/")
        last = (renamed or {}).get(last, last)
        return model_variable(
            f"{head}/{last}" if head else last, shape=shape, dtype=dtype, initializer=initializer,
            regularizer=regularizer, collections=collections, trainable=trainable,
            caching_device=caching_device, partitioner=partitioner, custom_getter=getter,
            use_resource=use_resource,
        )  # fmt: skip

    return get


def collections_for(collections: Any, name: str) -> list[Any]:
    """The collections of one kind of variable: a list for all, or a dictionary by kind."""
    if isinstance(collections, dict):
        found = collections.get(name)
        return list(found) if found else []
    return list(collections or ())


def into_collections(v: Any, collections: Any, name: str) -> None:
    """Add a variable to the collections for its kind."""
    for key in collections_for(collections, name):
        if v not in get_collection(key):
            add_to_collection(key, v)


def collected(collections: Any, alias: str, outputs: Any) -> Any:
    """Add an output to collections; `alias` is its name in `end_points`."""
    if collections:
        names = get_default_graph().extras.setdefault("layer_aliases", {})
        if alias.endswith("/"):
            alias = alias[:-1]
        names.setdefault(outputs, []).append(alias)
        add_to_collections(collections, outputs)
    return outputs


def finish(
    y: Any, normalizer: Any, parameters: Any, activation: Any, collections: Any, alias: str
) -> Any:
    """Normalisation, activation and collections of a layer's output."""
    if normalizer is not None:
        y = normalizer(y, **(parameters or {}))
    if activation is not None:
        y = activation(y)
    return collected(collections, alias, y)


def aliases_of(tensor: Any) -> list[str]:
    """The names that `collected` gave a tensor."""
    names = get_default_graph().extras.get("layer_aliases", {})
    return list(names.get(tensor, ()))
