"""Operations on the elements of ragged tensors, and Python's operators."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from graphc.face.asserts import assert_equal
from graphc.face.current import control_dependencies
from graphc.ir.node import Value
from graphc.ops import arrays, math, record, shapes, state
from graphc.ops.convert import convert_to_tensor
from graphc.ragged.tensor import RaggedTensor, coordinates, is_ragged

__all__ = ["applied", "map_flat_values", "matched"]


def matched(operands: Sequence[Any]) -> tuple[RaggedTensor, list[Any]]:
    """The ragged operand that gives the rows, and each operand's element for each flat value.

    Raises
    ------
    InvalidArgumentError
        In a run, when two operands have different rows.
    """
    ragged = [x for x in operands if is_ragged(x)]
    first: RaggedTensor = max(ragged, key=lambda x: x.ragged_rank)
    checks = []
    for x in ragged:
        if x.ragged_rank != first.ragged_rank:
            raise ValueError(
                f"ragged tensors of ragged rank {x.ragged_rank} and {first.ragged_rank}"
            )
        pairs = zip(x.nested_row_splits, first.nested_row_splits, strict=True)
        checks += [
            assert_equal(math.cast(a, b.dtype), b, message="ragged operands have different rows")
            for a, b in pairs if a is not b
        ]  # fmt: skip
    out = []
    for x in operands:
        v = x.flat_values if is_ragged(x) else x
        if isinstance(v, Value) and not is_ragged(x) and v.rank:
            v = _spread(v, first)
        out.append(v)
    if checks:
        with control_dependencies(checks):
            out = [state.identity(v) if isinstance(v, Value) else v for v in out]
    return first, out


def _spread(x: Any, like: RaggedTensor) -> Any:
    """The elements of a tensor for each flat value of `like`, as by broadcasting."""
    rank = like.get_shape().ndims
    if x.rank is None or rank is None or x.rank > rank:
        raise ValueError(f"a tensor of rank {x.rank} does not broadcast to a ragged one of {rank}")
    outer = like.ragged_rank + 1
    x = shapes.reshape(x, arrays.concat([[1] * (rank - x.rank), shapes.shape(x)], 0))
    sizes = shapes.shape(x, out_type=like.row_splits.dtype)
    at = []
    for axis, place in enumerate(coordinates(like)):
        wide = math.cast(math.greater(sizes[axis], 1), place.dtype)
        at.append(place * wide)
    return arrays.gather_nd(x, arrays.stack(at[:outer], 1))


def operand(x: Any, like: Any) -> Any:
    """`x` as ragged tensor or tensor, of the type of `like` where it has none of its own."""
    if is_ragged(x) or isinstance(x, Value):
        return x
    return convert_to_tensor(x, dtype=like.dtype)


class _Made(NamedTuple):
    outputs: tuple[Any, ...]


def applied(rec: Any, values: Sequence[Any], attrs: Any, name: str | None) -> _Made:
    """What `graphc.ops.record.apply` gives for ragged operands of an op on elements."""
    if rec.family != "elementwise":
        wrong = next(v for v in values if is_ragged(v))
        convert_to_tensor(wrong)  # raises
    like = next(v for v in values if is_ragged(v))
    rows, flat = matched([operand(v, like) for v in values])
    node = record.apply(rec, flat, attrs, name)
    return _Made(tuple([rows.with_flat_values(v) for v in node.outputs]))


def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`op` of the flat values of ragged arguments, with their rows.

    Raises
    ------
    ValueError
        When the result has another number of values.
    """
    found = [x for x in (*args, *kwargs.values()) if is_ragged(x)]
    found += [y for x in (*args, *kwargs.values()) if isinstance(x, list | tuple)
              for y in x if is_ragged(y)]  # fmt: skip
    if not found:
        return op(*args, **kwargs)
    rows, flat = matched(found)
    new = dict(zip(map(id, found), flat, strict=True))

    def part(x: Any) -> Any:
        if is_ragged(x):
            return new[id(x)]
        return type(x)(map(part, x)) if type(x) in (list, tuple) else x

    made = op(*map(part, args), **{k: part(v) for k, v in kwargs.items()})
    return rows.with_flat_values(made)


# ------------------------------------------------------------------------- operators


def _operators() -> None:
    binary: dict[str, Callable[[Any, Any], Any]] = {
        "add": operator.add, "sub": operator.sub, "mul": operator.mul,
        "truediv": operator.truediv, "floordiv": operator.floordiv, "mod": operator.mod,
        "pow": operator.pow, "and": operator.and_, "or": operator.or_, "xor": operator.xor,
        "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    }  # fmt: skip

    def forward(f: Callable[[Any, Any], Any], swap: bool) -> Callable[[Any, Any], Any]:
        def method(self: RaggedTensor, other: Any) -> Any:
            rows, (x, y) = matched([self, operand(other, self)])
            return rows.with_flat_values(f(y, x) if swap else f(x, y))

        return method

    for name, f in binary.items():
        setattr(RaggedTensor, f"__{name}__", forward(f, False))
        if name not in ("lt", "le", "gt", "ge"):
            setattr(RaggedTensor, f"__r{name}__", forward(f, True))
    for name, unary in (("neg", operator.neg), ("invert", operator.invert), ("abs", abs)):

        def method(self: RaggedTensor, unary: Callable[[Any], Any] = unary) -> Any:
            return self.with_flat_values(unary(self.flat_values))

        setattr(RaggedTensor, f"__{name}__", method)


_operators()
