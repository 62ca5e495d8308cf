"""Operations on strings: all on the host, element by element."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.ops import hashing, patterns
from graphc.ops.counting import as_many
from graphc.ops.record import (
    Attrs,
    Op,
    Types,
    as_value,
    axes_of,
    broadcast,
    check_kind,
    no_grad,
    op,
    static_ints,
)

__all__ = [
    "as_string", "decode_base64", "encode_base64", "reduce_join",
    "regex_full_match", "regex_replace", "string_join", "string_length", "string_lower",
    "string_strip", "string_to_hash_bucket", "string_to_hash_bucket_fast",
    "string_to_hash_bucket_strong", "string_to_number", "string_upper", "substr",
   
]  # fmt: skip

Array = np.ndarray[Any, Any]


def _each(f: Callable[..., Any], out: Any = object) -> Callable[..., Array]:
    """A function of one string, on every element."""

    def meaning(x: Array, **attrs: Any) -> Array:
        return _mapped(functools.partial(f, **attrs) if attrs else f, x, out)

    return meaning


def _mapped(f: Callable[[bytes], Any], x: Array, out: Any = object) -> Array:
    """`f` of every string."""
    flat = x.reshape(-1).tolist()
    return _filled(list(map(f, flat)), x.shape, out)


def _filled(items: list[Any], shape: tuple[int, ...], out: Any = object) -> Array:
    """An array with these elements in order."""
    made = np.empty(len(items), out)
    made[:] = items
    return made.reshape(shape)


def _same(dtype: Any) -> Callable[[Sequence[Value], Attrs], Types]:
    return lambda inputs, attrs: [(dtype, inputs[0].static_shape)]


def _unary(name: str, tf: str, doc: str, f: Any) -> Op:
    """An op whose meaning is `f` of each string."""
    return _whole(name, tf, doc, _each(f, object))


def _whole(
    name: str, tf: str, doc: str, meaning: Callable[..., Array], out: Any = dtypes.string
) -> Op:
    """An op whose meaning is that of a whole array of strings."""
    return op(
        name, tf, "host", doc=doc, args=("input",), types="s", grad=no_grad, numpy=meaning,
        infer=_same(out), facts={"late": True},
    )  # fmt: skip


def _string(x: Any, name: str = "input") -> Value:
    v = as_value(x, dtypes.string if not isinstance(x, Value) else None, name)
    if v.dtype is not dtypes.string:
        raise TypeError(
            f"Input '{name}' of Op has type {v.dtype.name} that does not match expected type of "
            "string."
        )
    return v


def _apply(record: Op, x: Any, attrs: Attrs | None, name: str | None) -> Value:
    return build(record, (_string(x),), attrs, name).outputs[0]


# ------------------------------------------------------------------------- case, space, length


def _cased(f: Callable[[str], str], plain: Callable[[bytes], bytes]) -> Callable[..., Array]:
    def decoded(s: bytes) -> bytes:
        return f(s.decode(errors="replace")).encode()

    return lambda x, *, encoding: _mapped(decoded if encoding == "utf-8" else plain, x)


lower_op = _whole("string_lower", "StringLower", "Lower case.", _cased(str.lower, bytes.lower))
upper_op = _whole("string_upper", "StringUpper", "Upper case.", _cased(str.upper, bytes.upper))
strip_op = _unary("string_strip", "StringStrip", "Without white space at the ends.",
                  bytes.strip)  # fmt: skip


def string_lower(input: Any, encoding: str = "", name: str | None = None) -> Value:
    """ASCII letters (all letters with encoding "utf-8") as lower case."""
    return _apply(lower_op, input, {"encoding": encoding}, name)


def string_upper(input: Any, encoding: str = "", name: str | None = None) -> Value:
    """ASCII letters (all letters with encoding "utf-8") as upper case."""
    return _apply(upper_op, input, {"encoding": encoding}, name)


def string_strip(input: Any, name: str | None = None) -> Value:
    """Without white space at both ends."""
    return _apply(strip_op, input, None, name)


#: The bytes that go on with a character.
_CONTINUED = bytes(range(0x80, 0xC0))


def _characters(s: bytes) -> int:
    return len(s.translate(None, _CONTINUED))


length_op = _whole(
    "string_length", "StringLength", "Lengths.",
    lambda x, *, unit: _mapped(len if unit == "BYTE" else _characters, x, np.int32), dtypes.int32,
)  # fmt: skip


def _check_unit(unit: str) -> None:
    if unit not in ("BYTE", "UTF8_CHAR"):
        raise ValueError(f"unit must be BYTE or UTF8_CHAR, not {unit!r}")


def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Value:
    """Lengths in bytes, or in characters with unit "UTF8_CHAR"."""
    _check_unit(unit)
    return _apply(length_op, input, {"unit": unit}, name)


# ------------------------------------------------------------------------- parts


def _substr(x: Array, pos: Array, length: Array, *, unit: str) -> Array:
    shape = np.broadcast_shapes(x.shape, pos.shape, length.shape)
    if unit == "BYTE" and pos.size == length.size == 1 and shape == x.shape:
        p, n = int(pos.item()), int(length.item())
        flat = x.reshape(-1).tolist()
        if min(map(len, flat), default=0) >= abs(p):  # all alike: one slice
            part = slice(p, p + n if n >= 0 and (p >= 0 or n < -p) else None)
            return _filled([s[part] for s in flat], shape)
    made = []
    parts = (np.broadcast_to(a, shape).reshape(-1).tolist() for a in (x, pos, length))
    for i, (s, p, n) in enumerate(zip(*parts, strict=True)):
        text = s if unit == "BYTE" else s.decode(errors="replace")
        start = p + (len(text) if p < 0 else 0)
        backwards = p < 0 and n < 0 and unit != "BYTE"
        if backwards or not 0 <= start <= len(text):
            where = f" at index {i}" if shape else ""
            raise InvalidArgumentError(None, None, f"pos {p} out of range for string {s!r}{where}")
        if unit != "BYTE":
            n = max(n, 0)
        found = text[start : start + n if n >= 0 else None]  # all the rest for a negative length
        made.append(found if isinstance(found, bytes) else found.encode())
    return _filled(made, shape)


def _substr_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    shape = broadcast(inputs[0].static_shape, inputs[1].static_shape)
    return [(dtypes.string, broadcast(shape, inputs[2].static_shape))]


substr_op = op(
    "substr", "Substr", "host", args=("input", "pos", "len"), types="s", numpy=_substr,
    doc="Parts of strings.", infer=_substr_infer, grad=no_grad,
)  # fmt: skip


def substr(input: Any, pos: Any, len: Any, name: str | None = None, unit: str = "BYTE") -> Value:
    """`len` bytes (or characters) from `pos` on; a negative `pos` counts from the end."""
    _check_unit(unit)
    at = as_value(pos, None, "pos")
    n = as_value(len, at.dtype if not isinstance(len, Value) else None, "len")
    return build(substr_op, (_string(input), at, n), {"unit": unit}, name).outputs[0]


def _pattern(s: str | bytes) -> bytes:
    return s.encode() if isinstance(s, str) else bytes(s)


def _replace(x: Array, *rest: Any, pattern: Any, rewrite: Any, whole: bool) -> Array:
    p, r = (rest[0][()], rest[1][()]) if rest else (pattern, rewrite)
    return _filled(patterns.replaced(x.reshape(-1).tolist(), p, r, whole), x.shape)


replace_op = op(
    "regex_replace", "RegexReplace", "host", args=("input", "*rest"), types="s", numpy=_replace,
    doc="Matches of a regular expression replaced.", infer=_same(dtypes.string), grad=no_grad,
    facts={"type": lambda inputs, attrs: (
        "RegexReplace" if len(inputs) > 1 else "StaticRegexReplace")},
)  # fmt: skip


def regex_replace(
    input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None
) -> Value:
    r"""Matches of `pattern` (the first or all) replaced by `rewrite`, where ``\1`` is a group.

    The syntax is RE2's (`graphc.ops.patterns`).
    """
    attrs: dict[str, Any] = {"whole": bool(replace_global), "pattern": None, "rewrite": None}
    if isinstance(pattern, str | bytes) and isinstance(rewrite, str | bytes):
        attrs.update(pattern=_pattern(pattern), rewrite=_pattern(rewrite))
        return build(replace_op, (_string(input),), attrs, name or "StaticRegexReplace").outputs[0]
    values = (_string(input), _string(pattern, "pattern"), _string(rewrite, "rewrite"))
    return build(replace_op, values, attrs, name).outputs[0]


def _match(x: Array, *rest: Any, pattern: Any) -> Array:
    found = patterns.full_matches(x.reshape(-1).tolist(), rest[0][()] if rest else pattern)
    return _filled(found, x.shape, np.bool_)


match_op = op(
    "regex_full_match", "RegexFullMatch", "host", args=("input", "*pattern"), types="s",
    doc="Whether strings match a regular expression.", numpy=_match, infer=_same(dtypes.bool_),
    grad=no_grad, facts={"type": lambda inputs, attrs: (
        "RegexFullMatch" if len(inputs) > 1 else "StaticRegexFullMatch")},
)  # fmt: skip


def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Value:
    """Whether whole strings match `pattern`."""
    if isinstance(pattern, str | bytes):
        return _apply(match_op, input, {"pattern": _pattern(pattern)}, name)
    values = (_string(input), _string(pattern, "pattern"))
    return build(match_op, values, {"pattern": None}, name).outputs[0]


# ------------------------------------------------------------------------- joining


def _join(*xs: Array, separator: bytes) -> Array:
    shapes = {x.shape for x in xs if x.ndim}
    if len(shapes) > 1:
        raise InvalidArgumentError(
            None, None, f"Input shapes do not match: {' vs. '.join(map(str, sorted(shapes)))}"
        )
    shape = next(iter(shapes), ())
    parts = [np.broadcast_to(x, shape).reshape(-1).tolist() for x in xs]
    return _filled(list(map(separator.join, zip(*parts, strict=True))), shape)


def _join_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    found = [v.static_shape for v in inputs if v.rank != 0]
    if not found:
        return [(dtypes.string, ())]
    return [(dtypes.string, next((s for s in found if s is not None), None))]


join_op = op(
    "string_join", "StringJoin", "host", args=("*inputs",), types="s", numpy=_join,
    doc="Strings one after the other.", infer=_join_infer, grad=no_grad, facts={"late": True},
)  # fmt: skip


def string_join(inputs: Sequence[Any], separator: str = "", name: str | None = None) -> Value:
    """Strings of tensors (of one shape, or scalars) joined by `separator`."""
    values = [_string(x, f"inputs_{i}") for i, x in enumerate(inputs)]
    return build(join_op, values, {"separator": _pattern(separator)}, name).outputs[0]


def _reduce_join(
    x: Array, *, axis: tuple[int, ...] | None, keepdims: bool, separator: bytes
) -> Array:
    at = [a % x.ndim for a in axis] if axis is not None else list(range(x.ndim))[::-1]
    for i, a in enumerate(at):
        if a in at[:i]:
            raise InvalidArgumentError(None, None, f"Duplicate reduction dimension {a}")
    kept = [i for i in range(x.ndim) if i not in at]
    turned = np.transpose(x, [*kept, *at[::-1]])  # the axis that is named first is joined first
    shape = turned.shape[: len(kept)]
    rows = turned.reshape(*shape, -1) if x.ndim else x.reshape(1)
    many = int(np.prod(shape, dtype=int))
    joined = list(map(separator.join, rows.reshape(many, -1).tolist() if many else []))
    made = _filled(joined, shape)
    if keepdims:
        return made.reshape([1 if i in at else n for i, n in enumerate(x.shape)])
    return made


def _reduce_join_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, axis = inputs[0].static_shape, attrs["axis"]
    if s is None:
        return [(dtypes.string, None)]
    at = axes_of(axis, len(s))
    if attrs["keepdims"]:
        return [(dtypes.string, tuple([1 if i in at else d for i, d in enumerate(s)]))]
    return [(dtypes.string, tuple([d for i, d in enumerate(s) if i not in at]))]


reduce_join_op = op(
    "reduce_join", "ReduceJoin", "host", args=("inputs",), types="s", numpy=_reduce_join,
    doc="Strings along axes joined.", infer=_reduce_join_infer, grad=no_grad,
)  # fmt: skip


@as_many(lambda inputs, *more, **named: 2 if isinstance(inputs, Value) else None)
def reduce_join(
    inputs: Any, axis: Any = None, keep_dims: bool | None = None, separator: str = "",
    name: str | None = None, reduction_indices: Any = None, keepdims: bool | None = None,
) -> Value:  # fmt: skip
    """Strings along axes (all by default) joined by `separator`, in the order of the axes given."""
    at = reduction_indices if axis is None else axis
    known = None if at is None else static_ints(at)
    if isinstance(known, Value):
        raise ValueError("reduce_join needs a constant axis")
    axes = None if known is None else known if isinstance(known, tuple) else (known,)
    keep = keep_dims if keepdims is None else keepdims
    attrs = {"axis": axes, "keepdims": bool(keep), "separator": _pattern(separator)}
    return _apply(reduce_join_op, inputs, attrs, name)


# ------------------------------------------------------------------------- numbers


def _number(s: bytes, *, dtype: Any) -> Any:
    text = s.strip()
    try:
        if b"_" in text:
            raise ValueError
        if dtype.kind == "i":
            n = int(text)
            if not dtype.min <= n <= dtype.max:
                raise ValueError
            return n
        return float.fromhex(text.decode()) if text[:2].lower() == b"0x" else float(text)
    except (ValueError, OverflowError):
        raise InvalidArgumentError(
            None, None,
            f"StringToNumberOp could not correctly convert string: {s.decode(errors='replace')}",
        ) from None  # fmt: skip


def _to_number(x: Array, *, dtype: Any) -> Array:
    flat = x.reshape(-1).tolist()
    try:  # all at once; where one is not plain, each by itself
        numbers: list[Any] = list(map(float if dtype.kind == "f" else int, flat))
        plain = b"_" not in b"".join(flat)
        if plain and dtype.kind == "i" and numbers:
            plain = dtype.min <= min(numbers) and max(numbers) <= dtype.max
    except ValueError:
        plain = False
    if not plain:
        return _each(_number, dtype.np)(x, dtype=dtype)
    made: Array = np.array(numbers, dtype.np).reshape(x.shape)
    return made


to_number_op = op(
    "string_to_number", "StringToNumber", "host", args=("string_tensor",), types="s",
    doc="Numbers from their decimal form.", numpy=_to_number, grad=no_grad,
    infer=lambda inputs, attrs: [(attrs["dtype"], inputs[0].static_shape)],
)  # fmt: skip


def string_to_number(
    string_tensor: Any = None, out_type: Any = dtypes.float32, name: str | None = None,
    input: Any = None,
) -> Value:  # fmt: skip
    """The numbers that strings say.

    Raises
    ------
    graphc.errors.InvalidArgumentError
        In a run, for a string that is no number of the type.
    """
    dtype = as_dtype(out_type)
    if dtype not in (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64):
        raise TypeError(
            f"string_to_number gives float32, float64, int32 or int64, not {dtype.name}"
        )
    x = input if string_tensor is None else string_tensor
    return _apply(to_number_op, x, {"dtype": dtype}, name)


def _texts(x: Array, *, form: str) -> Array:
    flat = x.reshape(-1)
    made = np.empty(flat.shape, object)
    if x.dtype == np.bool_:
        made[:] = [b"true" if v else b"false" for v in flat.tolist()]
    elif form.endswith("d"):
        made[:] = _printed(form, flat.tolist())
    else:
        made[:] = _printed(form, flat.astype(np.float64).tolist())
        for odd, text in ((np.isnan(flat), b"nan"), (flat == np.inf, b"inf"),
                          (flat == -np.inf, b"-inf")):  # fmt: skip
            made[odd] = text
    shaped: Array = made.reshape(x.shape)
    return shaped


def _printed(form: str, numbers: list[Any]) -> list[bytes]:
    """Each number by `form`, in one piece."""
    whole = (form + "\0") * len(numbers) % tuple(numbers)
    return whole.encode().split(b"\0")[:-1]


as_string_op = op(
    "as_string", "AsString", "host", args=("input",), types="fib", grad=no_grad,
    doc="Numbers in their decimal form.", infer=_same(dtypes.string),
    facts={"late": True},
    numpy=_texts,
)  # fmt: skip


def as_string(
    input: Any, precision: int = -1, scientific: bool = False, shortest: bool = False,
    width: int = -1, fill: str = "", name: str | None = None,
) -> Value:  # fmt: skip
    """Numbers as C's printf writes them: ``%f``, ``%e`` with `scientific`, ``%g`` with `shortest`.

    Parameters
    ----------
    precision, width : int
        As in printf; negative for its defaults.
    fill : {"", " ", "0", "-"}
        What fills the width; "-" fills on the right.
    """
    v = as_value(input, None, "input")
    check_kind(as_string_op, "input", v.dtype, as_string_op.types)
    if scientific and shortest:
        raise ValueError("Cannot select both scientific and shortest notation")
    if len(fill) > 1 or fill not in ("", " ", "0", "-", "+"):
        raise ValueError(f"Fill argument not supported: {fill!r}")
    if v.dtype.kind != "f" and (scientific or shortest or precision >= 0):
        raise ValueError("scientific, shortest and precision are for floats")
    form = "%" + fill + (str(width) if width >= 0 else "")
    if v.dtype.kind == "f":
        form += (f".{precision}" if precision >= 0 else "") + (
            "e" if scientific else "g" if shortest else "f"
        )
    else:
        form += "d"
    return build(as_string_op, (v,), {"form": form}, name).outputs[0]


# ------------------------------------------------------------------------- hashes


def _hash_op(name: str, tf: str, doc: str, f: Callable[..., Array]) -> Op:
    def buckets(x: Array, *, num_buckets: int, **attrs: Any) -> Array:
        found: Array = f(x.reshape(-1).tolist(), **attrs) % np.uint64(num_buckets)
        numbers: Array = found.astype(np.int64).reshape(x.shape)
        return numbers

    return _whole(name, tf, doc, buckets, dtypes.int64)


bucket_op = _hash_op(
    "string_to_hash_bucket", "StringToHashBucket", "Buckets of strings.", hashing.murmur64_of
)
bucket_fast_op = _hash_op(
    "string_to_hash_bucket_fast",
    "StringToHashBucketFast",
    "Buckets of strings by farmhash.",
    hashing.farm64_of,
)
bucket_strong_op = _hash_op(
    "string_to_hash_bucket_strong",
    "StringToHashBucketStrong",
    "Buckets of strings by SipHash.",
    hashing.sip24_of,
)


def _buckets(n: Any) -> int:
    if n is None or int(n) < 1:
        raise ValueError(f"num_buckets must be at least 1, not {n}")
    return int(n)


def string_to_hash_bucket(
    string_tensor: Any = None, num_buckets: Any = None, name: str | None = None, input: Any = None
) -> Value:
    """The bucket of each string, by the hash TF1 used first."""
    x = input if string_tensor is None else string_tensor
    return _apply(bucket_op, x, {"num_buckets": _buckets(num_buckets)}, name)


def string_to_hash_bucket_fast(input: Any, num_buckets: Any, name: str | None = None) -> Value:
    """The bucket of each string, by farmhash's 64-bit fingerprint: TensorFlow's numbers."""
    return _apply(bucket_fast_op, input, {"num_buckets": _buckets(num_buckets)}, name)


def string_to_hash_bucket_strong(
    input: Any, num_buckets: Any, key: Sequence[int], name: str | None = None
) -> Value:
    """The bucket of each string, by SipHash with a key of two numbers."""
    if len(key) != 2:
        raise ValueError("key must have two elements")
    attrs = {"num_buckets": _buckets(num_buckets), "key": (int(key[0]), int(key[1]))}
    return _apply(bucket_strong_op, input, attrs, name)


# ------------------------------------------------------------------------- encodings


def _decode64(s: bytes) -> bytes:
    if re.search(rb"[^A-Za-z0-9_\-=]", s) or len(s.rstrip(b"=")) % 4 == 1:
        raise InvalidArgumentError(None, None, "Invalid character found in base64.")
    return base64.urlsafe_b64decode(s + b"=" * (-len(s) % 4))


def _encode64(s: bytes, *, pad: bool) -> bytes:
    made = base64.urlsafe_b64encode(s)
    return made if pad else made.rstrip(b"=")


decode64_op = _unary("decode_base64", "DecodeBase64", "Bytes from web-safe base64.", _decode64)
encode64_op = _unary("encode_base64", "EncodeBase64", "Web-safe base64 of bytes.", _encode64)


def decode_base64(input: Any, name: str | None = None) -> Value:
    """The bytes that web-safe base64 says."""
    return _apply(decode64_op, input, None, name)


def encode_base64(input: Any, pad: bool = False, name: str | None = None) -> Value:
    """Web-safe base64, with "=" at the end where `pad`."""
    return _apply(encode64_op, input, {"pad": bool(pad)}, name)
