"""More of strings: encodings, scripts, pieces joined by segments."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops.record import Attrs, Types, as_value, no_grad, op

__all__ = ["unicode_encode", "unicode_script", "unicode_transcode", "unsorted_segment_join"]

Array = np.ndarray[Any, Any]
_ENCODINGS = {"UTF-8": "utf-8", "UTF-16-BE": "utf-16-be", "UTF-32-BE": "utf-32-be"}


def _bad(text: str) -> Exception:
    return InvalidArgumentError(None, None, text)


# ------------------------------------------------------------------------- encodings


def _text(s: bytes, encoding: str, errors: str, char: int, control: bool) -> str:
    try:
        name = _ENCODINGS.get(encoding, encoding)
        out, rest = "", s
        while rest:
            try:
                out += rest.decode(name)
                break
            except UnicodeDecodeError as e:
                if errors == "strict":
                    raise _bad("Invalid formatting on input string") from None
                out += rest[: e.start].decode(name)
                out += chr(char) if errors == "replace" else ""
                rest = rest[e.end :]
    except LookupError:
        raise _bad(f"Could not create converter for input encoding: {encoding}") from None
    if control:
        out = "".join(chr(char) if unicodedata.category(c) == "Cc" else c for c in out)
    return out


def _transcode(
    x: Array, *, source: str, target: str, errors: str, char: int, control: bool
) -> Array:
    out = np.empty(x.shape, object)
    flat = out.reshape(-1)
    for i, s in enumerate(x.flat):
        flat[i] = _text(s, source, errors, char, control).encode(_ENCODINGS[target], "replace")
    return out


transcode_op = op(
    "unicode_transcode", "UnicodeTranscode", "host", args=("input",), types="s", numpy=_transcode,
    infer=lambda inputs, attrs: [(dtypes.string, inputs[0].static_shape)], grad=no_grad,
    doc="Strings in another encoding.",
)  # fmt: skip


def _known(encoding: str, what: str = "output_encoding") -> str:
    if encoding not in _ENCODINGS:
        raise ValueError(
            f"Value for attr '{what}' of \"{encoding}\" is not in the list of allowed values: "
            '"UTF-8", "UTF-16-BE", "UTF-32-BE"'
        )
    return encoding


def unicode_transcode(
    input: Any, input_encoding: str, output_encoding: str, errors: str = "replace",
    replacement_char: int = 65533, replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Strings in another encoding.

    Parameters
    ----------
    errors : {"replace", "strict", "ignore"}
        What becomes of bytes that are no text.
    """
    attrs = {
        "source": input_encoding, "target": _known(output_encoding), "errors": errors,
        "char": int(replacement_char), "control": bool(replace_control_characters),
    }  # fmt: skip
    return build(transcode_op, (as_value(input, dtypes.string, "input"),), attrs, name).outputs[0]


def _encode(x: Array, *, target: str, errors: str, char: int) -> Array:
    rows = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(1, -1)
    made = np.empty(len(rows), object)
    for i, row in enumerate(rows):
        text = ""
        for point in row.tolist():
            good = 0 <= point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF
            if good:
                text += chr(point)
            elif errors == "strict":
                raise _bad(f"Code point is out of range for Unicode, or a noncharacter: {point}")
            elif errors == "replace":
                text += chr(char)
        made[i] = text.encode(_ENCODINGS[target])
    out: Array = made.reshape(x.shape[:-1])
    return out


encode_points_op = op(
    "unicode_encode", "UnicodeEncode", "host", args=("input",), types="i", numpy=_encode,
    infer=lambda inputs, attrs: [
        (dtypes.string, None if inputs[0].static_shape is None else inputs[0].static_shape[:-1])
    ],
    grad=no_grad, doc="Strings of code points.",
)  # fmt: skip


def unicode_encode(
    input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Strings of the code points in the last axis."""
    attrs = {
        "target": _known(output_encoding), "errors": errors, "char": int(replacement_char)
    }  # fmt: skip
    v = as_value(input, None, "input")
    if v.rank == 0:
        raise ValueError("input_tensor's rank must be at least 1.")
    return build(encode_points_op, (v,), attrs, name).outputs[0]


# ------------------------------------------------------------------------- scripts


#: Numbers of scripts by the first word of a character's name (ISO 15924 as ICU counts them).
_SCRIPTS = {
    "ARABIC": 2, "ARMENIAN": 3, "BENGALI": 4, "BOPOMOFO": 5, "CHEROKEE": 6, "COPTIC": 7,
    "CYRILLIC": 8, "DESERET": 9, "DEVANAGARI": 10, "ETHIOPIC": 11, "GEORGIAN": 12, "GOTHIC": 13,
    "GREEK": 14, "GUJARATI": 15, "GURMUKHI": 16, "CJK": 17, "HANGUL": 18, "HEBREW": 19,
    "HIRAGANA": 20, "KANNADA": 21, "KATAKANA": 22, "KHMER": 23, "LAO": 24, "LATIN": 25,
    "MALAYALAM": 26, "MONGOLIAN": 27, "MYANMAR": 28, "OGHAM": 29, "ORIYA": 31, "RUNIC": 32,
    "SINHALA": 33, "SYRIAC": 34, "TAMIL": 35, "TELUGU": 36, "THAANA": 37, "THAI": 38,
    "TIBETAN": 39, "YI": 41,
}  # fmt: skip


@functools.cache
def _script(point: int) -> int:
    if not 0 <= point <= 0x10FFFF:
        return -1
    c = chr(point)
    kind = unicodedata.category(c)
    if kind == "Cn":
        return 103  # unknown
    if kind in ("Mn", "Me"):
        return 1  # inherited
    if not kind.startswith(("L", "M")):
        return 0  # common
    name = unicodedata.name(c, "").split(" ")
    return _SCRIPTS.get(name[0], 0)


def _scripts(x: Array) -> Array:
    out: Array = np.array([_script(int(p)) for p in x.flat], np.int32).reshape(x.shape)
    return out


script_op = op(
    "unicode_script", "UnicodeScript", "host", args=("input",), types="i", numpy=_scripts,
    infer=lambda inputs, attrs: [(dtypes.int32, inputs[0].static_shape)], grad=no_grad,
    doc="The number of the script that a code point belongs to.",
)  # fmt: skip


def unicode_script(input: Any, name: str | None = None) -> Any:
    """For each code point the number of its script, -1 for what is no code point."""
    return build(script_op, (as_value(input, dtypes.int32, "input"),), {}, name).outputs[0]


# ------------------------------------------------------------------------- segments


def _join(x: Array, ids: Array, count: Any, *, separator: bytes) -> Array:
    n = int(count)
    if x.shape[: ids.ndim] != ids.shape:
        raise _bad(f"Segment_ids and Inputs must match: {list(x.shape)} and {list(ids.shape)}")
    rest = x.shape[ids.ndim :]
    rows = x.reshape(-1, int(np.prod(rest, dtype=int)))
    out = np.full((n, rows.shape[1]), b"", object)
    seen: list[list[int]] = [[] for _ in range(n)]
    for i, segment in enumerate(ids.reshape(-1).tolist()):
        if segment >= n:
            raise _bad(f"segment_ids value {segment} is out of range [0, {n})")
        if segment >= 0:
            seen[segment].append(i)
    for s, found in enumerate(seen):
        for j in range(rows.shape[1]):
            out[s, j] = separator.join(rows[i, j] for i in found)
    made: Array = out.reshape(n, *rest)
    return made


def _join_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    x, ids, count = inputs
    if x.static_shape is None or ids.static_shape is None:
        return [(dtypes.string, None)]
    n: Any = int(count.node.attrs["value"]) if count.node.op.name == "constant" else D.fresh()
    return [(dtypes.string, (n, *x.static_shape[len(ids.static_shape) :]))]


segment_join_op = op(
    "unsorted_segment_join", "UnsortedSegmentJoin", "host",
    args=("inputs", "segment_ids", "num_segments"), types="is", numpy=_join, infer=_join_infer,
    grad=no_grad, doc="Strings of one segment joined.",
)  # fmt: skip


def unsorted_segment_join(
    inputs: Any, segment_ids: Any, num_segments: Any, separator: str = "",
    name: str | None = None,
) -> Any:  # fmt: skip
    """The strings of each segment joined; those of a negative segment are left out."""
    values = (
        as_value(inputs, dtypes.string, "inputs"), as_value(segment_ids, None, "segment_ids"),
        as_value(num_segments, None, "num_segments"),
    )  # fmt: skip
    glue = separator.encode() if isinstance(separator, str) else separator
    return build(segment_join_op, values, {"separator": glue}, name).outputs[0]
