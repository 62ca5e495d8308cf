"""`TensorShape` and `Dimension`: static shapes as TF1 programs see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphc.ir import dims as D
from graphc.ir.dims import Dim, Shape
from graphc.ir.dtypes import DType

__all__ = [
    "Dimension", "TensorShape", "as_dimension", "as_shape", "broadcast_static_shape",
    "dimension_at_index", "dimension_value", "from_dims", "to_dims", "unknown_shape",
]  # fmt: skip


class Dimension:
    """One size of a `TensorShape`; `value` is None when it is not known.

    Arithmetic with an unknown size gives an unknown size; a comparison gives None.

    Examples
    --------
    >>> Dimension(3) + 4, Dimension(None) * 2
    (Dimension(7), Dimension(None))
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value: int | None
        if value is None:
            self._value = None
        elif isinstance(value, Dimension):
            self._value = value._value
        elif isinstance(value, D.Expr):
            self._value = None
        elif isinstance(value, DType):
            raise TypeError(f"Cannot convert {value} to Dimension")
        else:
            n = int(value)
            if not isinstance(value, str | bytes) and n != value:
                raise ValueError(f"Ambiguous dimension: {value}")
            if n < 0:
                raise ValueError(f"Dimension {n} must be >= 0")
            self._value = n

    @property
    def value(self) -> int | None:
        """The size, or None."""
        return self._value

    def __repr__(self) -> str:
        return f"Dimension({self._value!r})"

    def __str__(self) -> str:
        return "?" if self._value is None else str(self._value)

    def __int__(self) -> int:
        return self._value  # type: ignore[return-value]  # Python raises TF1's TypeError

    def __index__(self) -> int:
        return self._value  # type: ignore[return-value]

    def __hash__(self) -> int:
        return hash(self._value)

    def __eq__(self, other: object) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else None if None in pair else pair[0] == pair[1]

    def __ne__(self, other: object) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else None if None in pair else pair[0] != pair[1]

    def __lt__(self, other: Any) -> bool | None:
        b = as_dimension(other)._value
        return None if self._value is None or b is None else self._value < b

    def __le__(self, other: Any) -> bool | None:
        b = as_dimension(other)._value
        return None if self._value is None or b is None else self._value <= b

    def __gt__(self, other: Any) -> bool | None:
        b = as_dimension(other)._value
        return None if self._value is None or b is None else self._value > b

    def __ge__(self, other: Any) -> bool | None:
        b = as_dimension(other)._value
        return None if self._value is None or b is None else self._value >= b

    def is_compatible_with(self, other: Any) -> bool:
        """Whether both sizes can be the same."""
        b = as_dimension(other)._value
        return self._value is None or b is None or self._value == b

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise ValueError unless both sizes can be the same."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Dimensions {self} and {other} are not compatible")

    def merge_with(self, other: Any) -> Dimension:
        """The size that is known of the two."""
        other = as_dimension(other)
        self.assert_is_compatible_with(other)
        return Dimension(other._value if self._value is None else self._value)

    def __add__(self, other: Any) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else _known(pair, lambda a, b: a + b)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else _known(pair, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Dimension:
        return _known((as_dimension(other)._value, self._value), lambda a, b: a - b)

    def __mul__(self, other: Any) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else _known(pair, lambda a, b: a * b)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        pair = _pair(self, other)
        return NotImplemented if pair is None else _known(pair, lambda a, b: a // b)

    def __rfloordiv__(self, other: Any) -> Dimension:
        return _known((as_dimension(other)._value, self._value), lambda a, b: a // b)

    def __truediv__(self, other: Any) -> Dimension:
        raise TypeError(
            f"unsupported operand type(s) for /: 'Dimension' and '{type(other).__name__}', "
            "please use // instead"
        )

    def __rtruediv__(self, other: Any) -> Dimension:
        raise TypeError(
            f"unsupported operand type(s) for /: '{type(other).__name__}' and 'Dimension', "
            "please use // instead"
        )

    def __mod__(self, other: Any) -> Dimension:
        return _known((self._value, as_dimension(other)._value), lambda a, b: a % b)

    def __rmod__(self, other: Any) -> Dimension:
        return _known((as_dimension(other)._value, self._value), lambda a, b: a % b)

    def __reduce__(self) -> tuple[Any, ...]:
        return Dimension, (self._value,)


def _pair(a: Dimension, b: object) -> tuple[int | None, int | None] | None:
    try:
        return a._value, as_dimension(b)._value
    except (TypeError, ValueError):
        return None


def _known(pair: tuple[int | None, int | None], f: Any) -> Dimension:
    a, b = pair
    return Dimension(None if a is None or b is None else f(a, b))


def as_dimension(value: Any) -> Dimension:
    """`value` as a `Dimension`."""
    return value if isinstance(value, Dimension) else Dimension(value)


def dimension_value(dimension: Any) -> Any:
    """The size of a `Dimension`; anything else unchanged."""
    return dimension.value if isinstance(dimension, Dimension) else dimension


def dimension_at_index(shape: TensorShape, index: int) -> Dimension:
    """Size `index` of `shape`, unknown when the rank is."""
    return Dimension(None) if shape.dims is None else shape.dims[index]


def _is_proto(x: Any) -> bool:
    """Whether it is a ``TensorShapeProto``: messages are not imported to ask."""
    return hasattr(x, "unknown_rank") and hasattr(x, "dim")


def _dims_of_proto(proto: Any) -> list[Dimension] | None:
    if proto.unknown_rank:
        return None
    return [Dimension(None if d.size == -1 else d.size) for d in proto.dim]


class TensorShape:
    """The static shape of a tensor: known, partly known, or of unknown rank.

    Examples
    --------
    >>> str(TensorShape([None, 3])), str(TensorShape(None))
    ('(?, 3)', '<unknown>')
    """

    __slots__ = ("_dims",)

    def __init__(self, dims: Any) -> None:
        self._dims: list[Dimension] | None
        if dims is None:
            self._dims = None
        elif isinstance(dims, str | bytes):
            raise TypeError(
                "A string has ambiguous TensorShape, please wrap in a "
                f"list or convert to an int: {dims!s}"
            )
        elif isinstance(dims, TensorShape):
            self._dims = dims._dims
        else:
            try:
                items = iter(dims)
            except TypeError:
                self._dims = _dims_of_proto(dims) if _is_proto(dims) else [as_dimension(dims)]
            else:
                self._dims = [as_dimension(d) for d in items]

    def __repr__(self) -> str:
        return f"TensorShape({self._dims!r})"

    def __str__(self) -> str:
        if self._dims is None:
            return "<unknown>"
        if len(self._dims) == 1:
            return f"({self._dims[0]},)"
        return f"({', '.join([str(d) for d in self._dims])})"

    @property
    def rank(self) -> int | None:
        """Number of dimensions, or None."""
        return None if self._dims is None else len(self._dims)

    @property
    def ndims(self) -> int | None:
        """Number of dimensions, or None."""
        return None if self._dims is None else len(self._dims)

    @property
    def dims(self) -> list[Dimension] | None:
        """The sizes, or None when the rank is unknown."""
        return self._dims

    def __len__(self) -> int:
        if self._dims is None:
            raise ValueError("Cannot take the length of shape with unknown rank.")
        return len(self._dims)

    def __bool__(self) -> bool:
        return self._dims is not None

    def __iter__(self) -> Iterator[Dimension]:
        if self._dims is None:
            raise ValueError("Cannot iterate over a shape with unknown rank.")
        return iter(self._dims)

    def __getitem__(self, key: Any) -> Any:
        if self._dims is not None:
            return TensorShape(self._dims[key]) if isinstance(key, slice) else self._dims[key]
        if not isinstance(key, slice):
            return Dimension(None)
        if key.step is not None:
            raise ValueError("Steps are not yet handled")
        start = 0 if key.start is None else key.start
        if key.stop is None or start < 0 or key.stop < 0:
            return unknown_shape()
        return unknown_shape(key.stop - start)

    def num_elements(self) -> int | None:
        """The product of all sizes, or None when one is unknown."""
        size = 1
        for d in (Dimension(None),) if self._dims is None else self._dims:
            if d.value is None:
                return None
            size *= d.value
        return size

    def merge_with(self, other: Any) -> TensorShape:
        """What is known of the two together.

        Raises
        ------
        ValueError
            When they are not compatible.
        """
        given = as_shape(other)
        if self._dims is None:
            return given
        if given._dims is None:
            return self
        if not self.is_compatible_with(given):
            raise ValueError(f"Shapes {self} and {given} are not compatible")
        return TensorShape([a.merge_with(b) for a, b in zip(self._dims, given._dims, strict=True)])

    def concatenate(self, other: Any) -> TensorShape:
        """The sizes of this shape, then those of `other`."""
        other = as_shape(other)
        if self._dims is None or other._dims is None:
            return unknown_shape()
        return TensorShape(self._dims + other._dims)

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return as_shape(other).concatenate(self)

    def assert_same_rank(self, other: Any) -> None:
        """Raise ValueError when both ranks are known and differ."""
        other = as_shape(other)
        if self._dims is not None and other.dims is not None and self.rank != other.rank:
            raise ValueError(f"Shapes {self} and {other} must have the same rank")

    def assert_has_rank(self, rank: int) -> None:
        """Raise ValueError when the rank is known and not `rank`."""
        if self.rank not in (None, rank):
            raise ValueError(f"Shape {self} must have rank {rank}")

    def with_rank(self, rank: int) -> TensorShape:
        """This shape with its rank known to be `rank`; ValueError when it is another."""
        try:
            return self.merge_with(unknown_shape(rank))
        except ValueError:
            raise ValueError(f"Shape {self} must have rank {rank}") from None

    def with_rank_at_least(self, rank: int) -> TensorShape:
        """This shape; ValueError when its rank is smaller."""
        if self._dims is not None and len(self._dims) < rank:
            raise ValueError(f"Shape {self} must have rank at least {rank}")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        """This shape; ValueError when its rank is larger."""
        if self._dims is not None and len(self._dims) > rank:
            raise ValueError(f"Shape {self} must have rank at most {rank}")
        return self

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a tensor can have both shapes."""
        other = as_shape(other)
        if self._dims is None or other._dims is None:
            return True
        return len(self._dims) == len(other._dims) and all(
            a.is_compatible_with(b) for a, b in zip(self._dims, other._dims, strict=True)
        )

    def assert_is_compatible_with(self, other: Any) -> None:
        """Raise ValueError unless a tensor can have both shapes."""
        if not self.is_compatible_with(other):
            raise ValueError(f"Shapes {self} and {other} are incompatible")

    def most_specific_compatible_shape(self, other: Any) -> TensorShape:
        """The most specific shape that both are instances of."""
        other = as_shape(other)
        if self._dims is None or other._dims is None or self.rank != other.rank:
            return unknown_shape()
        both = zip(self._dims, other._dims, strict=True)
        return TensorShape([a if a == b else None for a, b in both])

    def is_fully_defined(self) -> bool:
        """Whether every size is known."""
        return self._dims is not None and all(d.value is not None for d in self._dims)

    def assert_is_fully_defined(self) -> None:
        """Raise ValueError unless every size is known."""
        if not self.is_fully_defined():
            raise ValueError(f"Shape {self} is not fully defined")

    def as_proto(self) -> Any:
        """The shape as a ``TensorShapeProto`` message."""
        from graphc.proto import TensorShapeProto  # needs the extra

        if self._dims is None:
            return TensorShapeProto(unknown_rank=True)
        sizes = [-1 if d.value is None else d.value for d in self._dims]
        return TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in sizes])

    def as_list(self) -> list[int | None]:
        """The sizes, None for unknown ones; ValueError when the rank is unknown."""
        if self._dims is None:
            raise ValueError("as_list() is not defined on an unknown TensorShape.")
        return [d.value for d in self._dims]

    def __eq__(self, other: object) -> Any:
        try:
            other = as_shape(other)
        except TypeError:
            return NotImplemented
        return self._dims == other._dims

    def __ne__(self, other: object) -> Any:
        try:
            other = as_shape(other)
        except TypeError:
            return NotImplemented
        if self._dims is None or other._dims is None:
            raise ValueError("The inequality of unknown TensorShapes is undefined.")
        return len(self._dims) != len(other._dims) or self._dims != other._dims

    def __hash__(self) -> int:
        return hash(None if self._dims is None else tuple([d.value for d in self._dims]))

    def __reduce__(self) -> tuple[Any, ...]:
        return TensorShape, (None if self._dims is None else self.as_list(),)


def as_shape(shape: Any) -> TensorShape:
    """`shape` as a `TensorShape`."""
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


def unknown_shape(rank: int | None = None) -> TensorShape:
    """A shape of which only the rank is known, or nothing."""
    return TensorShape(None if rank is None else [Dimension(None)] * rank)


def from_dims(shape: Sequence[Dim] | None) -> TensorShape:
    """The face of a static shape of the IR."""
    out = TensorShape.__new__(TensorShape)
    if shape is None:
        out._dims = None
    else:
        out._dims = dims = []
        for d in shape:
            e = Dimension.__new__(Dimension)
            e._value = d if type(d) is int else None
            dims.append(e)
    return out


def to_dims(shape: Any) -> Shape | None:
    """Anything that says a shape, as sizes of the IR; each unknown one becomes a new symbol."""
    dims = as_shape(shape).dims
    if dims is None:
        return None
    return tuple([D.fresh() if d.value is None else d.value for d in dims])


def broadcast_static_shape(shape_x: Any, shape_y: Any) -> TensorShape:
    """The shape of two tensors broadcast against each other, as far as it is known.

    Raises
    ------
    ValueError
        When two sizes differ and neither is 1.
    """
    x, y = TensorShape(shape_x), TensorShape(shape_y)
    if x.ndims is None or y.ndims is None:
        return TensorShape(None)
    a, b = x.as_list(), y.as_list()
    n = max(len(a), len(b))
    out = []
    for i, j in zip([1] * (n - len(a)) + a, [1] * (n - len(b)) + b, strict=True):
        if i == 1 or j == 1:
            out.append(j if i == 1 else i)
        elif i is None or j is None or i == j:
            out.append(j if i is None else i)
        else:
            raise ValueError(f"Incompatible shapes for broadcasting: {x} and {y}")
    return TensorShape(out)
