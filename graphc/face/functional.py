"""Functions applied along the first axis: `map_fn`, `scan`, `foldl`, `foldr`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.face import nest
from graphc.face.array_elements import rows_of
from graphc.face.current import name_scope
from graphc.face.flow import while_loop
from graphc.face.graph import get_default_graph
from graphc.face.shape import from_dims
from graphc.face.tensor_array import TensorArray
from graphc.ir import dims as D
from graphc.ir.node import Value
from graphc.ops.convert import convert_to_tensor

__all__ = ["foldl", "foldr", "map_fn", "scan"]


class _Elements:
    """The arguments of these functions as arrays, one element for each step."""

    def __init__(self, elems: Any) -> None:
        self.structure = elems
        self.flat = [convert_to_tensor(e, name="elem") for e in nest.flatten(elems)]
        for e in self.flat:
            if e.rank == 0:
                raise ValueError("elems must be a 1+ dimensional Tensor, not a scalar")
        self.count = rows_of(self.flat)
        self.arrays = [
            TensorArray(e.dtype, self.count, dynamic_size=False, infer_shape=True).unstack(e)
            for e in self.flat
        ]

    def read(self, i: Any) -> Any:
        """The elements `i`, in the structure that was given."""
        return nest.pack_sequence_as(self.structure, [a.read(i) for a in self.arrays])

    @property
    def static_count(self) -> Any:
        """The number of steps as far as it is known, None if not."""
        sizes = [from_dims(e.static_shape)[:1] for e in self.flat]
        known = sizes[0]
        for s in sizes[1:]:
            known = known.merge_with(s)
        return known.dims[0].value if known.dims else None


def _stacked(arrays: Sequence[TensorArray], count: Any) -> list[Value]:
    out = []
    for a in arrays:
        v = a.stack()
        s = v.static_shape
        if s is not None:
            v.static_shape = (D.fresh() if count is None else count, *s[1:])
        out.append(v)
    return out


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    name: str | None = None,
) -> Any:
    """`fn` of each element of `elems` along the first axis, stacked.

    Parameters
    ----------
    fn : callable
        Gets one element, in the structure of `elems`.
    elems : tensor, or structure of tensors
    dtype : DType or structure, optional
        What `fn` gives; like `elems` where not given.
    parallel_iterations, swap_memory : optional
        Accepted.
    back_prop : bool
        Whether gradients pass.
    infer_shape : bool
        Whether all results have one shape.

    Raises
    ------
    TypeError
        When `fn` is no function.
    ValueError
        When `elems` is a scalar, or `fn` gives another structure than said.
    """
    if not callable(fn):
        raise TypeError("fn must be callable.")
    with get_default_graph().transaction(), name_scope(name, "map", nest.flatten(elems)):
        given = _Elements(elems)
        like = elems if dtype is None else dtype
        kinds = [e.dtype for e in given.flat] if dtype is None else nest.flatten(dtype)
        start = convert_to_tensor(0)
        out = [
            TensorArray(k, given.count, dynamic_size=False, infer_shape=infer_shape).even()
            for k in kinds
        ]

        def step(i: Any, arrays: Any) -> Any:
            made = fn(given.read(i))
            nest.assert_same_structure(like, made)
            flat = nest.flatten(made)
            return i + 1, [a.write(i, x) for a, x in zip(arrays, flat, strict=True)]

        _, arrays = while_loop(
            lambda i, _: i < given.count, step, (start, out),
            parallel_iterations=parallel_iterations or 10, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=given.count,
        )  # fmt: skip
        return nest.pack_sequence_as(like, _stacked(arrays, given.static_count))


def scan(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    reverse: bool = False,
    name: str | None = None,
) -> Any:
    """All results of ``a = fn(a, x)`` over the elements x of `elems` along the first axis.

    Parameters
    ----------
    fn : callable
        Gets what it gave last, in the structure of `initializer`, and an element.
    elems : tensor, or structure of tensors
    initializer : tensor or structure, optional
        The first `a`; the first element where not given (which is then the first result).
    parallel_iterations, swap_memory : optional
        Accepted.
    back_prop : bool
        Whether gradients pass.
    infer_shape : bool
        Whether all results have one shape.
    reverse : bool
        Begin with the last element.

    Raises
    ------
    TypeError
        When `fn` is no function.
    ValueError
        When `elems` is a scalar, or the structures differ.
    """
    if not callable(fn):
        raise TypeError("fn must be callable.")
    with get_default_graph().transaction(), name_scope(name, "scan", nest.flatten(elems)):
        given = _Elements(elems)
        n = given.count
        if initializer is None:
            like, first = elems, [a.read(n - 1 if reverse else 0) for a in given.arrays]
            skipped = 1
        else:
            like, skipped = initializer, 0
            first = [convert_to_tensor(x) for x in nest.flatten(initializer)]
        out = [
            TensorArray(
                a.dtype, n, dynamic_size=False, infer_shape=infer_shape,
                element_shape=from_dims(a.static_shape) if infer_shape else None,
            ).even()
            for a in first
        ]  # fmt: skip
        if skipped:
            out = [t.write(n - 1 if reverse else 0, a) for t, a in zip(out, first, strict=True)]

        def step(i: Any, last: Any, arrays: Any) -> Any:
            made = fn(nest.pack_sequence_as(like, last), given.read(i))
            nest.assert_same_structure(elems if initializer is None else initializer, made)
            flat = [convert_to_tensor(x) for x in nest.flatten(made)]
            written = [t.write(i, x) for t, x in zip(arrays, flat, strict=True)]
            return (i - 1 if reverse else i + 1), flat, written

        begin = n - 1 - skipped if reverse else skipped
        _, _, arrays = while_loop(
            lambda i, *_: i >= 0 if reverse else i < n, step, (begin, first, out),
            parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return nest.pack_sequence_as(like, _stacked(arrays, given.static_count))


def foldl(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last result of ``a = fn(a, x)`` over the elements x of `elems`, from the first on.

    See `scan` for the parameters.
    """
    return _fold(
        fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, "foldl", False
    )


def foldr(
    fn: Callable[..., Any],
    elems: Any,
    initializer: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    name: str | None = None,
) -> Any:
    """The last result of ``a = fn(a, x)`` over the elements x of `elems`, from the last on.

    See `scan` for the parameters.
    """
    return _fold(
        fn, elems, initializer, parallel_iterations, back_prop, swap_memory, name, "foldr", True
    )


def _fold(
    fn: Callable[..., Any], elems: Any, initializer: Any, parallel_iterations: int,
    back_prop: bool, swap_memory: bool, name: str | None, default: str, backwards: bool,
) -> Any:  # fmt: skip
    if not callable(fn):
        raise TypeError("fn must be callable.")
    with get_default_graph().transaction(), name_scope(name, default, nest.flatten(elems)):
        given = _Elements(elems)
        n = given.count
        begin: Any = n if backwards else 0
        first = initializer
        if initializer is None:
            begin = begin - 1 if backwards else begin
            first = given.read(begin)
            begin = begin if backwards else 1
        begin = convert_to_tensor(begin)

        def step(i: Any, a: Any) -> Any:
            if backwards:
                i = i - 1
                return i, fn(a, given.read(i))
            return i + 1, fn(a, given.read(i))

        _, out = while_loop(
            lambda i, _: i > 0 if backwards else i < n, step, (begin, first),
            parallel_iterations=parallel_iterations, back_prop=back_prop,
            swap_memory=swap_memory, maximum_iterations=n,
        )  # fmt: skip
        return out
