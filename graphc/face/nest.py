"""Nested structures: lists, tuples, named tuples and dictionaries, with leaves in a fixed order.

Dictionaries are walked in the order of their sorted keys. Anything else, strings and arrays
included, is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence
from typing import Any

import numpy as np

__all__ = [
    "assert_same_structure", "assert_shallow_structure", "flatten", "flatten_dict_items",
    "flatten_up_to", "flatten_with_joined_string_paths", "flatten_with_tuple_paths",
    "flatten_with_tuple_paths_up_to", "get_traverse_shallow_structure", "is_nested",
    "is_sequence", "is_sequence_or_composite", "map_structure", "map_structure_up_to",
    "map_structure_with_paths", "map_structure_with_tuple_paths",
    "map_structure_with_tuple_paths_up_to", "pack_sequence_as", "yield_flat_paths",
]  # fmt: skip


def is_sequence(o: Any) -> bool:
    """Whether `o` is a structure and not a leaf."""
    if isinstance(o, str | bytes | np.ndarray | np.generic):
        return False
    return isinstance(o, Sequence | Mapping | MappingView)


def is_nested(seq: Any) -> bool:
    """Whether `seq` is a structure and not a leaf."""
    return is_sequence(seq)


def _keys(d: Mapping[Any, Any]) -> list[Any]:
    try:
        return sorted(d)
    except TypeError as e:
        raise TypeError("nest only supports dicts with sortable keys.") from e


def _children(x: Any) -> list[Any]:
    return [x[k] for k in _keys(x)] if isinstance(x, Mapping) else list(x)


def _parts(x: Any) -> list[tuple[Any, Any]]:
    """Keys, field names or positions, with the values."""
    if isinstance(x, Mapping):
        return [(k, x[k]) for k in _keys(x)]
    fields = getattr(x, "_fields", None)
    return list(zip(range(len(x)) if fields is None else fields, x, strict=True))


def _like(instance: Any, children: list[Any]) -> Any:
    """A structure of the kind of `instance` around `children`."""
    if isinstance(instance, Mapping):
        named = dict(zip(_keys(instance), children, strict=True))
        kind: Any = type(instance)
        if kind.__name__ == "defaultdict":
            return kind(instance.default_factory, ((k, named[k]) for k in instance))  # type: ignore[attr-defined]
        return kind((k, named[k]) for k in instance)
    if hasattr(instance, "_fields"):
        return type(instance)(*children)
    if isinstance(instance, range | MappingView):
        return list(children)
    return type(instance)(children)


def _walk(x: Any, out: list[Any]) -> None:
    if is_sequence(x):
        for child in _children(x):
            _walk(child, out)
    else:
        out.append(x)


def flatten(structure: Any, expand_composites: bool = False) -> list[Any]:
    """The leaves of `structure`, from left to right; a leaf is a list of itself.

    `expand_composites` is accepted: sparse tensors stay whole.
    """
    out: list[Any] = []
    _walk(structure, out)
    return out


def pack_sequence_as(
    structure: Any, flat_sequence: Sequence[Any], expand_composites: bool = False
) -> Any:
    """A structure like `structure` with the leaves `flat_sequence`: `flatten` backwards.

    Raises
    ------
    ValueError
        When the number of leaves differs.
    """
    if not is_sequence(flat_sequence):
        raise TypeError("flat_sequence must be a sequence")
    if not is_sequence(structure):
        if len(flat_sequence) != 1:
            raise ValueError(
                f"Structure is a scalar but len(flat_sequence) == {len(flat_sequence)} > 1"
            )
        return flat_sequence[0]
    wanted = len(flatten(structure))
    if wanted != len(flat_sequence):
        raise ValueError(
            f"Could not pack sequence. Structure had {wanted} elements, but flat_sequence had "
            f"{len(flat_sequence)} elements.  Structure: {structure}, flat_sequence: "
            f"{flat_sequence}."
        )
    return _pack(structure, iter(flat_sequence))


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if not is_sequence(structure):
        return next(leaves)
    return _like(structure, [_pack(child, leaves) for child in _children(structure)])


# --------------------------------------------------------------------- comparing


def _shown(x: Any) -> str:
    return f"type={type(x).__name__} str={x}"


def _namedtuple(x: Any) -> bool:
    return isinstance(x, tuple) and hasattr(x, "_fields")


def _same_type(a: Any, b: Any) -> bool:
    if type(a) is type(b) or (isinstance(a, Mapping) and isinstance(b, Mapping)):
        return True
    if _namedtuple(a) and _namedtuple(b):  # made anew somewhere, or a subclass
        return type(a).__name__ == type(b).__name__ and a._fields == b._fields
    return False


def _difference(a: Any, b: Any, check_types: bool) -> tuple[type[Exception], str] | None:
    """What is different first: the kind of error and a sentence."""
    if is_sequence(a) != is_sequence(b):
        outer, inner = (a, b) if is_sequence(a) else (b, a)
        return ValueError, (
            f'Substructure "{_shown(outer)}" is a sequence, while substructure '
            f'"{_shown(inner)}" is not'
        )
    if not is_sequence(a):
        return None
    if check_types and not _same_type(a, b):
        return TypeError, (
            f"The two namedtuples don't have the same sequence type. First structure {_shown(a)} "
            f"has type {type(a).__name__}, while second structure {_shown(b)} has type "
            f"{type(b).__name__}"
        )
    if len(a) != len(b):
        return ValueError, (
            "The two structures don't have the same number of elements. First structure: "
            f"{_shown(a)}. Second structure: {_shown(b)}"
        )
    if isinstance(a, Mapping) and isinstance(b, Mapping) and set(a) != set(b):
        return ValueError, (
            "The two dictionaries don't have the same set of keys. First structure has keys "
            f"{_shown(list(a))}, while second structure has keys {_shown(list(b))}"
        )
    for x, y in zip(_children(a), _children(b), strict=True):
        found = _difference(x, y, check_types)
        if found:
            return found
    return None


def assert_same_structure(
    nest1: Any, nest2: Any, check_types: bool = True, expand_composites: bool = False
) -> None:
    """Raise unless both nest in the same way.

    Raises
    ------
    ValueError
        When lengths, keys or depths differ.
    TypeError
        When the kinds of structures differ, with `check_types`.
    """
    found = _difference(nest1, nest2, check_types)
    if found is None:
        return
    kind, text = found
    dots = [str(map_structure(lambda _: _Dot(), s)) for s in (nest1, nest2)]
    raise kind(
        "The two structures don't have the same nested structure.\n\nFirst structure: "
        f"{_shown(nest1)}\n\nSecond structure: {_shown(nest2)}\n\nMore specifically: {text}\n"
        f"Entire first structure:\n{dots[0]}\nEntire second structure:\n{dots[1]}"
    )


class _Dot:
    def __repr__(self) -> str:
        return "."


def map_structure(func: Callable[..., Any], *structures: Any, **kwargs: Any) -> Any:
    """`func` of the leaves of each place of one or more structures, in a structure like the first.

    Raises
    ------
    ValueError or TypeError
        When they nest differently (see `assert_same_structure`).
    """
    if not callable(func):
        raise TypeError(f"func must be callable, got: {func}")
    if not structures:
        raise ValueError("Must provide at least one structure")
    check_types = kwargs.pop("check_types", True)
    kwargs.pop("expand_composites", None)
    if kwargs:
        raise ValueError(
            "Only valid keyword arguments are `check_types` and `expand_composites`, not: "
            f"`{'`, `'.join(kwargs)}`"
        )
    for other in structures[1:]:
        assert_same_structure(structures[0], other, check_types)
    leaves = zip(*[flatten(s) for s in structures], strict=True)
    return pack_sequence_as(structures[0], [func(*row) for row in leaves])


# --------------------------------------------------------------------- partly


def assert_shallow_structure(
    shallow_tree: Any,
    input_tree: Any,
    check_types: bool = True,
    expand_composites: bool = False,
    check_subtrees_length: bool = True,
) -> None:
    """Raise unless `input_tree` nests like `shallow_tree` as deep as that goes."""
    if not is_sequence(shallow_tree):
        return
    if not is_sequence(input_tree):
        raise TypeError(
            "If shallow structure is a sequence, input must also be a sequence. Input has type: "
            f"{type(input_tree)}."
        )
    if check_types and not _same_type(shallow_tree, input_tree):
        raise TypeError(
            "The two structures don't have the same sequence type. Input structure has type "
            f"{type(input_tree)}, while shallow structure has type {type(shallow_tree)}."
        )
    if check_subtrees_length and len(input_tree) != len(shallow_tree):
        raise ValueError(
            "The two structures don't have the same sequence length. Input structure has length "
            f"{len(input_tree)}, while shallow structure has length {len(shallow_tree)}."
        )
    if isinstance(shallow_tree, Mapping) and check_types and set(shallow_tree) != set(input_tree):
        raise ValueError(
            "The two structures don't have the same keys. Input structure has keys "
            f"{list(input_tree)}, while shallow structure has keys {list(shallow_tree)}."
        )
    for s, x in _pairs(shallow_tree, input_tree):
        assert_shallow_structure(s, x, check_types, False, check_subtrees_length)


def _pairs(shallow: Any, deep: Any) -> Iterator[tuple[Any, Any]]:
    """Children at the same place; `deep` may have more."""
    if isinstance(shallow, Mapping):
        return ((shallow[k], deep[k]) for k in _keys(shallow))
    return zip(_children(shallow), _children(deep), strict=False)


def _walk_up_to(shallow: Any, x: Any, out: list[Any]) -> None:
    if is_sequence(shallow):
        for s, child in _pairs(shallow, x):
            _walk_up_to(s, child, out)
    else:
        out.append(x)


def flatten_up_to(
    shallow_tree: Any,
    input_tree: Any,
    check_types: bool = True,
    expand_composites: bool = False,
    check_subtrees_length: bool = True,
) -> list[Any]:
    """What stands in `input_tree` at the leaves of `shallow_tree`."""
    assert_shallow_structure(shallow_tree, input_tree, check_types, False, check_subtrees_length)
    out: list[Any] = []
    _walk_up_to(shallow_tree, input_tree, out)
    return out


def map_structure_up_to(
    shallow_tree: Any, func: Callable[..., Any], *inputs: Any, **kwargs: Any
) -> Any:
    """`func` of what stands in each of `inputs` at the leaves of `shallow_tree`."""
    if not inputs:
        raise ValueError("Cannot map over no sequences")
    check_types = kwargs.pop("check_types", True)
    lengths = kwargs.pop("check_subtrees_length", True)
    rows = zip(
        *[flatten_up_to(shallow_tree, x, check_types, False, lengths) for x in inputs], strict=True
    )
    return pack_sequence_as(shallow_tree, [func(*row) for row in rows])


# --------------------------------------------------------------------- paths


def _paths(x: Any, before: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if is_sequence(x):
        for key, child in _parts(x):
            yield from _paths(child, (*before, key))
    else:
        yield before


def yield_flat_paths(nest: Any, expand_composites: bool = False) -> Iterator[tuple[Any, ...]]:
    """For each leaf the keys, field names and positions that lead to it."""
    return _paths(nest, ())


def flatten_with_tuple_paths(
    structure: Any, expand_composites: bool = False
) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of path and leaf."""
    return list(zip(_paths(structure, ()), flatten(structure), strict=True))


def _joined(path: Iterable[Any], separator: str = "/") -> str:
    return separator.join([str(p) for p in path])


def flatten_with_joined_string_paths(
    structure: Any, separator: str = "/", expand_composites: bool = False
) -> list[tuple[str, Any]]:
    """Pairs of path, joined to a string, and leaf."""
    return [(_joined(p, separator), x) for p, x in flatten_with_tuple_paths(structure)]


def map_structure_with_tuple_paths(
    func: Callable[..., Any], *structures: Any, **kwargs: Any
) -> Any:
    """`map_structure` with the path of each place as first argument."""
    paths = iter(list(_paths(structures[0], ()))) if structures else iter(())
    return map_structure(lambda *leaves: func(next(paths), *leaves), *structures, **kwargs)


def flatten_with_tuple_paths_up_to(
    shallow_tree: Any,
    input_tree: Any,
    check_types: bool = True,
    expand_composites: bool = False,
    check_subtrees_length: bool = True,
) -> list[tuple[tuple[Any, ...], Any]]:
    """Pairs of path and what stands there in `input_tree`, for the leaves of `shallow_tree`."""
    found = flatten_up_to(
        shallow_tree, input_tree, check_types, expand_composites, check_subtrees_length
    )
    return list(zip(_paths(shallow_tree, ()), found, strict=True))


def map_structure_with_tuple_paths_up_to(
    shallow_tree: Any, func: Callable[..., Any], *inputs: Any, **kwargs: Any
) -> Any:
    """`map_structure_up_to` with the path of each place as first argument."""
    paths = iter(list(_paths(shallow_tree, ())))
    return map_structure_up_to(
        shallow_tree, lambda *parts: func(next(paths), *parts), *inputs, **kwargs
    )


def get_traverse_shallow_structure(
    traverse_fn: Callable[[Any], Any], structure: Any, expand_composites: bool = False
) -> Any:
    """A structure of bools: how deep `traverse_fn` wants to go into `structure`.

    Raises
    ------
    TypeError
        Where the function gives something else than a bool or a structure of bools.
    """
    wanted = traverse_fn(structure)
    if not is_sequence(structure):
        if not isinstance(wanted, bool):
            raise TypeError(f"traverse_fn returned: {wanted} for a leaf; a bool is needed")
        return wanted
    if isinstance(wanted, bool):
        if not wanted:
            return False
        parts = [
            get_traverse_shallow_structure(traverse_fn, child) for child in _children(structure)
        ]
        return _like(structure, parts)
    assert_shallow_structure(wanted, structure)
    leaves = [
        get_traverse_shallow_structure(traverse_fn, child) if deep else False
        for deep, child in zip(flatten(wanted), flatten_up_to(wanted, structure), strict=True)
    ]
    return pack_sequence_as(wanted, leaves)


def is_sequence_or_composite(o: Any) -> bool:
    """Whether `o` is a structure, or an object of several tensors."""
    return is_sequence(o) or hasattr(o, "dense_shape")


def map_structure_with_paths(func: Callable[..., Any], *structures: Any, **kwargs: Any) -> Any:
    """`map_structure` with the path of each place, joined by slashes, as first argument."""
    return map_structure_with_tuple_paths(
        lambda path, *leaves: func(_joined(path), *leaves), *structures, **kwargs
    )


def flatten_dict_items(dictionary: Mapping[Any, Any]) -> dict[Any, Any]:
    """A dictionary whose nested keys and values are taken apart together.

    Raises
    ------
    ValueError
        When a key and its value nest differently, or a key comes twice.
    """
    if not isinstance(dictionary, Mapping):
        raise TypeError("input must be a dictionary")
    out: dict[Any, Any] = {}
    for key, value in dictionary.items():
        keys, values = flatten(key), flatten(value)
        if len(keys) != len(values):
            raise ValueError(
                "Could not flatten dictionary. Key had "
                f"{len(keys)} elements, but value had {len(values)} elements. "
                f"Key: {keys}, value: {values}."
            )
        for k, v in zip(keys, values, strict=True):
            if k in out:
                raise ValueError(f"Could not flatten dictionary: key {k} is not unique.")
            out[k] = v
    return out


def _is_namedtuple(instance: Any, strict: bool = False) -> bool:
    """Whether `instance` is a tuple with names; `strict`: of a class that adds nothing."""
    kind = type(instance)
    fields = getattr(kind, "_fields", None)
    if not isinstance(instance, tuple) or not isinstance(fields, tuple):
        return False
    return not strict or kind.__base__ is tuple
