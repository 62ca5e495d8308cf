"""Strings cut into bytes, characters or code points, or joined to n-grams: rows of any length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from graphc.errors import InvalidArgumentError
from graphc.face.current import name_scope
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.ragged.tensor import RaggedTensor, is_ragged, ragged_of, splits_of

__all__ = [
    "bytes_split", "ngrams", "unicode_decode", "unicode_decode_with_offsets", "unicode_split",
    "unicode_split_with_offsets",
]  # fmt: skip


def _characters(
    s: bytes, encoding: str, errors: str, char: int, control: bool
) -> Iterator[tuple[int, int]]:
    """Code points of a string with the byte where each begins."""
    at = 0
    while at < len(s):
        try:
            good, bad = s[at:], 0
            text = good.decode(encoding)
        except UnicodeDecodeError as e:
            if errors == "strict":
                raise InvalidArgumentError(
                    None, None, f"Invalid formatting on input string: {s!r}"
                ) from e
            good, bad = s[at : at + e.start], e.end - e.start
            text = good.decode(encoding)
        for c in text:
            if ord(c) >= 32 or not control:
                yield ord(c), at
            elif errors != "ignore":
                yield char, at
            at += len(c.encode(encoding))
        if bad and errors == "replace":
            yield char, at
        at += bad


def _cut(
    x: Any, *, unit: str, encoding: str, errors: str, char: int, control: bool
) -> tuple[Any, Any, Any]:
    rows: list[list[tuple[Any, int]]] = []
    for s in x.tolist():
        if unit == "byte":
            rows.append([(s[i : i + 1], i) for i in range(len(s))])
            continue
        found = _characters(s, encoding, errors, char, control)
        rows.append([(c if unit == "code" else chr(c).encode(encoding), i) for c, i in found])
    flat = [e for row in rows for e, _ in row]
    values = np.array(flat, np.int32) if unit == "code" else np.array(flat, object)
    offsets = np.array([i for row in rows for _, i in row], np.int64)
    return values, np.array([len(row) for row in rows], np.int64), offsets


def _infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s, n = inputs[0].static_shape, D.fresh()
    kind = dtypes.int32 if attrs["unit"] == "code" else dtypes.string
    return [
        (kind, (n,)), (dtypes.int64, (D.fresh() if s is None else s[0],)), (dtypes.int64, (n,))
    ]  # fmt: skip


cut_op = op(
    "cut_string", "UnicodeDecodeWithOffsets", "host", args=("input",), types="s", numpy=_cut,
    doc="Bytes, characters or code points of strings, how many each has, and where they begin.",
    grad=no_grad, infer=_infer,
)  # fmt: skip


def _parts(x: Any, attrs: dict[str, Any]) -> tuple[Any, Any]:
    """The parts of each string as a row (of a scalar, as a vector), and where they begin."""
    if is_ragged(x):
        return tuple(map(x.with_values, _parts(x.values, attrs)))
    if x.rank is None:
        raise ValueError("the rank of input must be known")
    if x.rank > 1:
        return _parts(RaggedTensor.from_tensor(x, ragged_rank=x.rank - 1), attrs)
    flat = shapes.reshape(x, [1]) if x.rank == 0 else x
    values, lengths, offsets = build(cut_op, (flat,), attrs).outputs
    if x.rank == 0:
        return values, offsets
    splits = splits_of(lengths)
    return ragged_of(values, splits), ragged_of(offsets, splits)


def _cut_each(
    x: Any, unit: str, name: str | None, what: str, encoding: str = "", errors: str = "replace",
    char: int = 65533, control: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    attrs = {
        "unit": unit, "encoding": encoding, "errors": errors, "char": char, "control": control
    }  # fmt: skip
    with name_scope(name, what):
        return _parts(_strings(x), attrs)


def _strings(x: Any) -> Any:
    if is_ragged(x):
        return x
    return convert_to_tensor(x, dtype=None if isinstance(x, Value) else dtypes.string)


def bytes_split(input: Any, name: str | None = None) -> Any:
    """Each string's bytes."""
    return _cut_each(input, "byte", name, "StringsByteSplit")[0]


def _encoding(name: str) -> str:
    if name.upper() not in ("UTF-8", "UTF-16-BE", "UTF-32-BE"):
        raise ValueError(f"input_encoding {name} is none of UTF-8, UTF-16-BE, UTF-32-BE")
    return name


def unicode_split(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Each string's characters, in its encoding.

    Parameters
    ----------
    input : string tensor or RaggedTensor
    input_encoding : {"UTF-8", "UTF-16-BE", "UTF-32-BE"}
    errors : {"replace", "ignore", "strict"}
        What to do with bytes that are no characters; "strict" raises InvalidArgumentError.
    replacement_char : int
        The code point that "replace" puts there.

    Returns
    -------
    RaggedTensor, or a vector for a scalar
        With one axis more than `input`.
    """
    return _cut_each(
        input, "char", name, "UnicodeSplit", _encoding(input_encoding), errors, replacement_char
    )[0]


def unicode_split_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`unicode_split`, and the byte where each character begins (int64)."""
    return _cut_each(
        input, "char", name, "UnicodeSplitWithOffsets", _encoding(input_encoding), errors,
        replacement_char,
    )  # fmt: skip


def unicode_decode(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Each string's code points.

    Parameters
    ----------
    input, input_encoding, errors, replacement_char
        As for `unicode_split`.
    replace_control_characters : bool
        Treat code points below 32 as `errors` says, too.
    """
    return _cut_each(
        input, "code", name, "UnicodeDecode", _encoding(input_encoding), errors, replacement_char,
        replace_control_characters,
    )[0]  # fmt: skip


def unicode_decode_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = 65533,
    replace_control_characters: bool = False, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`unicode_decode`, and the byte where each character begins (int64)."""
    return _cut_each(
        input, "code", name, "UnicodeDecodeWithOffsets", _encoding(input_encoding), errors,
        replacement_char, replace_control_characters,
    )  # fmt: skip


# --------------------------------------------------------------------------- n-grams


def _row_ngrams(
    row: list[bytes], widths: Sequence[int], separator: bytes, pads: tuple[bytes, bytes],
    most: int, short: bool,
) -> list[bytes]:  # fmt: skip
    out: list[bytes] = []
    padded = row
    for n in widths:
        pad = min(n - 1, most)
        padded = [pads[0]] * pad + row + [pads[1]] * pad
        out += [separator.join(padded[i : i + n]) for i in range(len(padded) - n + 1)]
    if short and row and not out:
        out.append(separator.join(padded))
    return out


def _ngrams(
    data: Any, splits: Any, *, widths: tuple[int, ...], separator: bytes,
    pads: tuple[bytes, bytes], most: int, short: bool,
) -> tuple[Any, Any]:  # fmt: skip
    words, at = data.tolist(), splits.tolist()
    rows = [_row_ngrams(words[i:j], widths, separator, pads, most, short) for i, j in pairwise(at)]
    flat = np.array([s for row in rows for s in row], object)
    ends = np.cumsum([0] + [len(row) for row in rows])
    return flat, ends.astype(splits.dtype)


ngrams_op = op(
    "string_ngrams", "StringNGrams", "host", args=("data", "data_splits"), types="si",
    doc="Words of each row that follow one another, joined, and the splits of the new rows.",
    infer=lambda inputs, attrs: [
        (dtypes.string, (D.fresh(),)), (inputs[1].dtype, inputs[1].static_shape)
    ],
    numpy=_ngrams, grad=no_grad,
)  # fmt: skip


def _pads(pad_values: Any) -> tuple[bytes, bytes]:
    given = pad_values if isinstance(pad_values, (list, tuple)) else (pad_values, pad_values)
    if not all(isinstance(p, (str, bytes)) for p in given):
        raise TypeError("pad_values must be a string, tuple of strings, or None.")
    left, right = (p.encode() if isinstance(p, str) else bytes(p) for p in given[:2])
    return left, right


def ngrams(
    data: Any, ngram_width: Any, separator: str = " ", pad_values: Any = None,
    padding_width: int | None = None, preserve_short_sequences: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Words of the last axis that follow one another, joined.

    Parameters
    ----------
    data : string tensor or RaggedTensor
        Of one axis at least.
    ngram_width : int or sequence of int
        How many words; with several widths their n-grams follow each other.
    separator : str
        What stands between words.
    pad_values : str or (str, str), optional
        What stands before and behind the words of a row.
    padding_width : int, optional
        How many of them at most; one less than the width by default.
    preserve_short_sequences : bool
        Join all words of a row that is too short for any n-gram.

    Returns
    -------
    RaggedTensor, or a vector for a vector

    Raises
    ------
    ValueError
        For a scalar, a width or padding below one, padding without `pad_values`.
    """
    widths = tuple(ngram_width) if isinstance(ngram_width, (list, tuple)) else (ngram_width,)
    if any(n < 1 for n in widths):
        raise ValueError(f"All ngram_widths must be greater than 0. Got {ngram_width}")
    if padding_width is not None and padding_width < 1:
        raise ValueError("padding_width must be greater than 0.")
    if padding_width is not None and pad_values is None:
        raise ValueError("pad_values must be provided if padding_width is set.")
    most = 0 if pad_values is None else max(widths) - 1 if padding_width is None else padding_width
    attrs = {
        "widths": widths, "separator": separator.encode(), "most": most,
        "pads": (b"", b"") if pad_values is None else _pads(pad_values),
        "short": bool(preserve_short_sequences),
    }  # fmt: skip
    with name_scope(name, "StringNGrams"):
        x = _strings(data)
        rank = x.get_shape().ndims
        if rank is None or rank == 0:
            raise ValueError("Data must have rank>0")
        if rank == 1 and not is_ragged(x):
            whole = math.cast(shapes.shape(x), dtypes.int64)
            splits = splits_of(whole)
            return build(ngrams_op, (x, splits), attrs).outputs[0]
        rows = x if is_ragged(x) else RaggedTensor.from_tensor(x, ragged_rank=rank - 1)
        return _ngrams_of(rows, attrs)


def _ngrams_of(x: Any, attrs: dict[str, Any]) -> Any:
    if is_ragged(x.values):
        return x.with_values(_ngrams_of(x.values, attrs))
    values, splits = build(ngrams_op, (x.values, x.row_splits), attrs).outputs
    return ragged_of(values, splits)
