"""What a run fetches and is fed: nests and objects of users as tensors, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from graphc.face.elements import InaccessibleTensorError, Operation, Tensor
from graphc.face.graph import Graph
from graphc.face.variables import Variable

__all__ = [
    "ATOMS", "Fetches", "Pack", "expansion", "flattened", "leaves_of",
    "register_session_run_conversion_functions", "signature_of",
]  # fmt: skip

Pack = Callable[[list[Any]], Any]

#: Fetches that are one tensor or operation; lists of nothing else take the quick path too.
ATOMS = frozenset({Tensor, Operation, Variable, str})


# --------------------------------------------------------------------- composite values


class Expansion(NamedTuple):
    """How objects made of several tensors are fetched and fed."""

    kind: type
    fetch: Callable[[Any], tuple[list[Any], Callable[[list[Any]], Any]]]
    feed: Callable[[Any, Any], Iterable[tuple[Any, Any]]] | None
    feed_keys: Callable[[Any], Iterable[Any]] | None


_expansions: list[Expansion] = []


def register_session_run_conversion_functions(
    tensor_type: type,
    fetch_function: Callable[[Any], tuple[list[Any], Callable[[list[Any]], Any]]],
    feed_function: Callable[[Any, Any], Iterable[tuple[Any, Any]]] | None = None,
    feed_function_for_partial_run: Callable[[Any], Iterable[Any]] | None = None,
) -> None:
    """Let objects of a type of yours be fetched and fed.

    Parameters
    ----------
    tensor_type : type
    fetch_function : callable
        ``object -> (list of tensors, list of their values -> result)``.
    feed_function : callable, optional
        ``(object, value) -> [(tensor, value), …]``.
    feed_function_for_partial_run : callable, optional
        ``object -> [tensor, …]``.
    """
    for e in _expansions:
        if issubclass(e.kind, tensor_type):
            raise ValueError(f"{tensor_type} has already been registered so ignore it.")
    made = Expansion(tensor_type, fetch_function, feed_function, feed_function_for_partial_run)
    _expansions.insert(0, made)


def expansion(obj: Any) -> Expansion | None:
    """How an object made of several tensors is fetched and fed; None for all others."""
    for e in _expansions:
        if isinstance(obj, e.kind):
            return e
    return None


# --------------------------------------------------------------------- fetches


def _is_attrs(obj: Any) -> bool:
    return getattr(type(obj), "__attrs_attrs__", None) is not None


class Fetches:
    """The tensors and operations in a fetch structure, and what rebuilds it from their values."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.elements: dict[Tensor | Operation, int] = {}

    def element(self, fetch: Any) -> int:
        """The place of a fetched tensor among the values; -1 for an operation."""
        try:
            e = self.graph.as_graph_element(fetch)
        except TypeError as error:
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)!r}, "
                f"must be a string or Tensor. ({error})"
            ) from None
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({error})"
            ) from None
        if not self.graph.is_fetchable(e):
            name = e.name if isinstance(e, Operation) else e.op.name
            raise InaccessibleTensorError(
                f"Operation {name!r} has been marked as not fetchable. Typically this happens "
                "when it is defined in another function or code block. Use return values,explicit "
                "Python locals or TensorFlow collections to access it."
            )
        place = self.elements.get(e)
        if place is None:
            is_op = isinstance(e, Operation)
            place = -1 if is_op else sum(p >= 0 for p in self.elements.values())
            self.elements[e] = place
        return place

    def whole(self, fetch: Any) -> Pack:
        """What makes the result of everything fetched; values that users see otherwise are wrapped.

        An op says by its fact `fetched` what users get for a value of it.
        """
        pack = self.packer(fetch)
        wraps = [
            (place, e.node.op.facts["fetched"])
            for e, place in self.elements.items()
            if isinstance(e, Tensor) and "fetched" in e.node.op.facts
        ]
        if not wraps:
            return pack

        def wrapped(values: list[Any]) -> Any:
            seen = list(values)
            for place, wrap in wraps:
                seen[place] = wrap(seen[place])
            return pack(seen)

        return wrapped

    def packer(self, fetch: Any) -> Pack:
        """What makes the result of `fetch` from the list of values."""
        if fetch is None:
            raise TypeError(f"Fetch argument {fetch!r} has invalid type {type(fetch)!r}")
        kind = type(fetch)
        if isinstance(fetch, list | tuple):
            if all(type(f) in ATOMS for f in fetch) and kind in (list, tuple):
                return _flat_packer(kind, [self.element(f) for f in fetch])
            parts = [self.packer(f) for f in fetch]
            if issubclass(kind, list):
                return lambda values: [p(values) for p in parts]
            if kind is tuple:
                return lambda values: tuple([p(values) for p in parts])
            return lambda values: kind(*[p(values) for p in parts])
        if isinstance(fetch, Mapping):
            named = [(k, self.packer(v)) for k, v in fetch.items()]
            return lambda values: _mapping(kind, [(k, p(values)) for k, p in named])
        if _is_attrs(fetch):
            parts = [self.packer(getattr(fetch, a.name)) for a in kind.__attrs_attrs__]
            return lambda values: kind(*[p(values) for p in parts])
        e = expansion(fetch)
        if e is not None:
            tensors, contract = e.fetch(fetch)
            places = [self.element(t) for t in tensors]
            return lambda values: contract([None if i < 0 else values[i] for i in places])
        place = self.element(fetch)
        if place < 0:
            return _none
        return itemgetter(place)


def _none(values: list[Any]) -> None:
    return None


def _flat_packer(kind: type, places: list[int]) -> Pack:
    """For a flat list or tuple: places of values, -1 for None."""
    if kind is list and places == list(range(len(places))):
        n = len(places)  # a list in a list: others may follow
        return lambda values: values if len(values) == n else values[:n]
    if len(places) == 1:
        only = places[0]
        return lambda values: kind([None if only < 0 else values[only]])
    if -1 not in places:
        get = itemgetter(*places) if places else tuple
        return get if kind is tuple and places else lambda values: kind(get(values))
    if kind is list and len(places) == 2:  # [train_op, loss]
        first, second = places
        if first < 0 <= second:
            return lambda values: [None, values[second]]
    return lambda values: kind([None if i < 0 else values[i] for i in places])


def _mapping(kind: type, items: list[tuple[Any, Any]]) -> Any:
    out = kind()
    for k, v in items:
        out[k] = v
    return out


def signature_of(fetch: Any) -> Any:
    """A hashable form of a fetch structure that no other structure has.

    Raises
    ------
    TypeError
        When a leaf cannot be hashed.
    """
    kind = type(fetch)
    if isinstance(fetch, list | tuple):
        return (kind, *[signature_of(f) for f in fetch])
    if isinstance(fetch, Mapping):
        return (kind, tuple(fetch), *[signature_of(f) for f in fetch.values()])
    if _is_attrs(fetch):
        return (kind, *[signature_of(getattr(fetch, a.name)) for a in kind.__attrs_attrs__])
    hash(fetch)
    return fetch


# --------------------------------------------------------------------- feeds


def leaves_of(structure: Any) -> list[Any]:
    out: list[Any] = []
    stack = [structure]
    while stack:
        x = stack.pop()
        if isinstance(x, list | tuple):
            stack.extend(reversed(x))
        elif isinstance(x, Mapping):
            stack.extend(x[k] for k in sorted(x, reverse=True))
        else:
            out.append(x)
    return out


def _alike(key: Any, value: Any) -> bool:
    """Whether `value` has one item for each tensor of the flat tuple `key`."""
    if not isinstance(value, list | tuple) or len(value) != len(key):
        return False
    return not any(isinstance(k, list | tuple | Mapping) for k in key)


def flattened(feed_dict: Any) -> list[tuple[Any, Any]]:
    """Pairs (tensor-like, value); tuples of tensors and composite tensors taken apart.

    Raises
    ------
    TypeError
        When `feed_dict` is no mapping.
    ValueError
        When a key and its value have different structures.
    """
    if not isinstance(feed_dict, Mapping):
        raise TypeError("input must be a dictionary")
    flat: dict[Any, Any] = {}
    for key, value in feed_dict.items():
        if isinstance(key, list | tuple):
            keys, values = list(key), value
            if not _alike(key, value):
                keys, values = leaves_of(key), leaves_of(value)
            if len(keys) != len(values):
                raise ValueError(
                    f"Could not flatten dictionary. Key had {len(keys)} elements, but value had "
                    f"{len(values)} elements. Key: {keys!r:.200}, value: {values!r:.200}."
                )
        else:
            keys, values = [key], [value]
        for k, v in zip(keys, values, strict=True):
            if k in flat:
                raise ValueError(f"Could not flatten dictionary: key {k} is not unique.")
            flat[k] = v
    out: list[tuple[Any, Any]] = []
    for key, value in flat.items():
        e = expansion(key)
        if e is None:
            out.append((key, value))
        elif e.feed is None:
            raise TypeError(f"Feed argument {key!r} has invalid type {type(key)!r}")
        else:
            out.extend(e.feed(key, value))
    return out
