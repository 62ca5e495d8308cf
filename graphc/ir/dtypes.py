"""Element types: one object a type, the same in the face, the IR text and native code."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["DTYPES", "QUANTIZED_DTYPES", "DType", "as_dtype"]


class DType:
    """The type of a tensor's elements.

    Parameters
    ----------
    type_enum : int
        TensorFlow's number of the type: ``DType(1)`` is `float32`. There are no others.

    Raises
    ------
    TypeError
        No type has that number.

    Attributes
    ----------
    name : str
        TensorFlow's name, ``"float32"``.
    code : str
        The short name in IR text, ``"f32"``.
    as_numpy_dtype : type
        The numpy scalar type of a fetched value. ``bfloat16`` has no numpy type: it is
        fetched as ``float32`` holding values that bfloat16 represents exactly.
    size : int
        Bytes of one element in memory.
    """

    __slots__ = ("_base", "_ref", "as_numpy_dtype", "code", "enum", "kind", "name", "np", "size")

    name: str
    code: str
    as_numpy_dtype: type[Any]
    np: np.dtype[Any]
    kind: str
    enum: int
    size: int
    _ref: DType | None
    _base: DType

    def __new__(cls, type_enum: Any) -> DType:
        number = int(type_enum)
        found = _BY_ENUM.get(number % 100)
        if found is None or not 0 < number < 200:
            raise TypeError(f"type_enum is not a valid types_pb2.DataType: {number}")
        return found if number < 100 else found._as_ref

    @classmethod
    def _made(cls, name: str, code: str, np_type: type[Any], kind: str, enum: int) -> DType:
        """A type that was not there before: only this module makes any."""
        self = object.__new__(cls)
        self.name = name
        self.code = code
        self.as_numpy_dtype = np_type
        self.np = np.dtype(np_type)
        #: f float, i signed, u unsigned, b bool, s string, c complex; q quantized, r resource
        self.kind = kind
        self.enum = enum
        self.size = 2 if name == "bfloat16" else self.np.itemsize
        self._ref = None
        self._base = self
        return self

    @property
    def is_floating(self) -> bool:
        return self.kind == "f"

    @property
    def is_integer(self) -> bool:
        return self.kind in "iu"

    @property
    def is_unsigned(self) -> bool:
        return self.kind == "u"

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def is_complex(self) -> bool:
        return self.kind == "c"

    @property
    def hosted(self) -> bool:
        """Whether values of the type never enter native code."""
        return self.kind in "sc"

    @property
    def is_quantized(self) -> bool:
        return self.kind == "q"

    @property
    def is_numpy_compatible(self) -> bool:
        return self.kind != "r"

    @property
    def base_dtype(self) -> DType:
        return self._base

    @property
    def real_dtype(self) -> DType:
        if self.kind == "c":
            return float32 if self.size == 8 else float64
        return self._base

    @property
    def as_datatype_enum(self) -> int:
        return self.enum

    @property
    def _is_ref_dtype(self) -> bool:
        return self._base is not self

    @property
    def _as_ref(self) -> DType:
        if self._base is not self:
            return self
        if self._ref is None:
            ref = type(self)._made(
                self.name + "_ref", self.code, self.as_numpy_dtype, self.kind, self.enum + 100
            )
            ref.size = self.size
            ref._base = self
            self._ref = ref
        return self._ref

    @property
    def min(self) -> Any:
        """The lowest value of a numeric type."""
        return self._limit("min")

    @property
    def max(self) -> Any:
        """The highest value of a numeric type."""
        return self._limit("max")

    @property
    def limits(self) -> tuple[Any, Any]:
        return self._limit("min"), self._limit("max")

    def _limit(self, end: str) -> Any:
        if self.kind == "b":
            return end == "max"
        if self.name == "bfloat16":
            return (-1.0 if end == "min" else 1.0) * float(np.uint32(0x7F7F0000).view(np.float32))
        if self.kind == "f":
            return getattr(np.finfo(self.np), end)
        if self.kind in "iu":
            return getattr(np.iinfo(self.np), end)
        raise TypeError(f"Cannot find {end} value of {self.name}.")

    def is_compatible_with(self, other: Any) -> bool:
        other = as_dtype(other)
        same_base = self._base is other._base
        return self is other or (same_base and (self is self._base or other is not self))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other is None:
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.name,)


class _Named(DType):
    """A type of TensorFlow that no tensor has here: to compare with."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other or other == self.name

    __hash__ = DType.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.name,)


def _named(name: str) -> Any:
    return globals()[name]


float32 = DType._made("float32", "f32", np.float32, "f", 1)
float64 = DType._made("float64", "f64", np.float64, "f", 2)
int32 = DType._made("int32", "i32", np.int32, "i", 3)
uint8 = DType._made("uint8", "u8", np.uint8, "u", 4)
int16 = DType._made("int16", "i16", np.int16, "i", 5)
int8 = DType._made("int8", "i8", np.int8, "i", 6)
string = DType._made("string", "str", np.object_, "s", 7)
complex64 = DType._made("complex64", "c64", np.complex64, "c", 8)
complex128 = DType._made("complex128", "c128", np.complex128, "c", 18)
int64 = DType._made("int64", "i64", np.int64, "i", 9)
bool_ = DType._made("bool", "bool", np.bool_, "b", 10)
bfloat16 = DType._made("bfloat16", "bf16", np.float32, "f", 14)
uint16 = DType._made("uint16", "u16", np.uint16, "u", 17)
float16 = DType._made("float16", "f16", np.float16, "f", 19)
uint32 = DType._made("uint32", "u32", np.uint32, "u", 22)
uint64 = DType._made("uint64", "u64", np.uint64, "u", 23)


def _quantized(name: str, of: str, enum: int) -> DType:
    layout: Any = np.dtype([(name, of)])
    return _Named._made(name, name, layout, "q", enum)


qint8, quint8 = _quantized("qint8", "i1", 11), _quantized("quint8", "u1", 12)
qint16, quint16 = _quantized("qint16", "<i2", 15), _quantized("quint16", "<u2", 16)
qint32 = _quantized("qint32", "<i4", 13)
resource = _Named._made("resource", "resource", np.object_, "r", 20)
variant = _Named._made("variant", "variant", np.object_, "r", 21)

#: The quantized types and their references.
QUANTIZED_DTYPES = frozenset(
    x for t in (qint8, quint8, qint16, quint16, qint32) for x in (t, t._as_ref)
)

DTYPES: tuple[DType, ...] = (
    float32, float64, int32, uint8, int16, int8, string, int64, bool_, bfloat16,
    uint16, float16, uint32, uint64, complex64, complex128,
)  # fmt: skip

_LOOKUP: dict[Any, DType] = {}
_BY_ENUM = {t.enum: t for t in (*DTYPES, qint8, quint8, qint16, quint16, qint32, resource, variant)}
for _t in DTYPES:
    _LOOKUP[_t.name] = _t
    _LOOKUP[_t.code] = _t
    _LOOKUP[_t.name + "_ref"] = _t._as_ref
    if _t is not bfloat16:
        _LOOKUP[_t.np] = _t
        _LOOKUP[_t.as_numpy_dtype] = _t
_LOOKUP.update(
    {float: float32, int: int32, bool: bool_, complex: complex128, str: string, bytes: string,
     "float": float32, "double": float64, "half": float16, "int": int32, object: string}
)  # fmt: skip


def as_dtype(type_value: Any) -> DType:
    """The type meant by a DType, a numpy type, a Python type or a name.

    Raises
    ------
    TypeError
        When `type_value` names no type that graphc has.
    """
    value = type_value
    if isinstance(value, DType):
        if value.kind in "qr":
            raise TypeError(f"graphc makes no tensors of the type {value.name}")
        return value
    if type(value) is int and value in _BY_ENUM:
        return as_dtype(_BY_ENUM[value])
    try:
        found = _LOOKUP.get(value)
    except TypeError:
        found = None
    if found is not None:
        return found
    try:
        dt = None if value is None else np.dtype(value)  # numpy reads None as float64
    except TypeError:
        dt = None
    if dt is not None:
        if dt.kind in "SU":
            return string
        found = _LOOKUP.get(dt.newbyteorder("="))
        if found is not None:
            return found
    raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.")
