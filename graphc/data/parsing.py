"""``tf.parse_example`` and its kin, and bytes as tensors."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.data.examples import (
    Dense,
    Spec,
    example_features,
    parse_batch,
    parse_quickly,
    sequence_features,
)
from graphc.errors import InvalidArgumentError
from graphc.face.current import name_scope
from graphc.face.shape import as_shape
from graphc.ir import dims as D
from graphc.ir import dtypes
from graphc.ir.build import build, current
from graphc.ir.dims import Shape
from graphc.ir.dtypes import DType, as_dtype
from graphc.ir.node import Value
from graphc.ops.convert import constant, convert_to_tensor
from graphc.ops.record import Attrs, InferError, Types, as_value, no_grad, op
from graphc.ops.shapes import reshape
from graphc.proto import library, message

__all__ = [
    "FixedLenFeature", "FixedLenSequenceFeature", "SparseFeature", "VarLenFeature",
    "decode_json_example", "decode_raw", "parse_example", "parse_sequence_example",
    "parse_single_example", "parse_single_sequence_example",
]  # fmt: skip

Array = np.ndarray[Any, Any]


class FixedLenFeature(NamedTuple):
    """A feature of a known shape; without `default_value` each example must have it."""

    shape: Any
    dtype: Any
    default_value: Any = None


class VarLenFeature(NamedTuple):
    """A feature of any length: a `SparseTensor`."""

    dtype: Any


class FixedLenSequenceFeature(NamedTuple):
    """A feature whose first size is as long as its values are; shorter examples are padded."""

    shape: Any
    dtype: Any
    allow_missing: bool = False
    default_value: Any = None


class SparseFeature(NamedTuple):
    """A `SparseTensor` whose indices and values are two features."""

    index_key: Any
    value_key: str
    dtype: Any
    size: Any
    already_sorted: bool = False


# --------------------------------------------------------------------- records


def _spec(attrs: Attrs) -> Spec:
    return _spec_of(*[attrs[k] for k in _SPEC])


#: Attributes that say what to read.
_SPEC = (
    "dense_keys", "dense_types", "dense_shapes", "variable", "sparse_keys", "sparse_types"
)  # fmt: skip


@functools.lru_cache(256)
def _spec_of(keys: Any, types: Any, shapes: Any, variable: Any, sparse: Any, kinds: Any) -> Spec:
    dense = zip(keys, types, shapes, variable, strict=True)
    return Spec(tuple([Dense(*d) for d in dense]), tuple(zip(sparse, kinds, strict=True)))


def _types(attrs: Attrs, batch: tuple[Any, ...], single: bool) -> Types:
    rank = 1 if single else 2
    spec = _spec(attrs)
    counts = [D.fresh() for _ in spec.sparse]
    out: list[tuple[DType, Shape | None]] = [(dtypes.int64, (n, rank)) for n in counts]
    out += [(t, (n,)) for (_, t), n in zip(spec.sparse, counts, strict=True)]
    out += [(dtypes.int64, (rank,)) for _ in spec.sparse]
    for d in spec.dense:
        more = (D.fresh(),) if d.variable else ()
        out.append((d.dtype, (*batch, *more, *d.shape)))
    return out


def _single_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s):
        raise InferError(f"Shape must be rank 0 but is rank {len(s)}")
    return _types(attrs, (), True)


def _batch_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) != 1:
        raise InferError(f"Shape must be rank 1 but is rank {len(s)}")
    return _types(attrs, (D.fresh() if s is None else s[0],), False)


def _features(raw: Any, what: str) -> dict[str, bytes]:
    try:
        return example_features(raw)
    except ValueError:
        raise InvalidArgumentError(None, None, f"{what}Could not parse example input") from None


def _parse_single(serialized: Array, *defaults: Array, **attrs: Any) -> tuple[Array, ...]:
    spec = _spec(attrs)
    made = parse_quickly([bytes(serialized[()])], spec, defaults, single=True)
    if made is None:
        item = _features(serialized[()], "")
        made = parse_batch([item], spec, defaults, single=True)
    return _flat(made)


def _parse_many(
    serialized: Array, names: Array, *defaults: Array, **attrs: Any
) -> tuple[Array, ...]:
    raws, spec = serialized.tolist(), _spec(attrs)
    made = parse_quickly(raws, spec, defaults)
    if made is not None:
        return _flat(made)
    items = [_features(raw, f"Example {i}: ") for i, raw in enumerate(raws)]
    called = [n.decode() if isinstance(n, bytes) else str(n) for n in names.reshape(-1).tolist()]
    return _flat(parse_batch(items, spec, defaults, called))


def _flat(parts: tuple[list[Array], ...]) -> tuple[Array, ...]:
    return tuple([a for part in parts for a in part])


parse_single_op = op(
    "parse_single_example", "ParseSingleExample", "host", doc="Features of one example.",
    args=("serialized", "*dense_defaults"), infer=_single_infer, numpy=_parse_single,
    grad=no_grad, types="fiubs",
)  # fmt: skip
parse_op = op(
    "parse_example", "ParseExample", "host", doc="Features of a batch of examples.",
    args=("serialized", "names", "*dense_defaults"), infer=_batch_infer, numpy=_parse_many,
    grad=no_grad, types="fiubs",
)  # fmt: skip


def _sequence_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    context = _types(attrs["context"], (), True)
    spec = _spec(attrs["lists"])
    counts = [D.fresh() for _ in spec.sparse]
    out: list[tuple[DType, Shape | None]] = [(dtypes.int64, (n, 2)) for n in counts]
    out += [(t, (n,)) for (_, t), n in zip(spec.sparse, counts, strict=True)]
    out += [(dtypes.int64, (2,)) for _ in spec.sparse]
    out += [(d.dtype, (D.fresh(), *d.shape)) for d in spec.dense]
    return [*context, *out]


def _parse_sequence(
    serialized: Array, *defaults: Array, context: Any, lists: Any, name: str = ""
) -> tuple[Array, ...]:
    try:
        raw: Any = serialized[()]
        features, steps = sequence_features(raw)
    except ValueError:
        raise InvalidArgumentError(None, None, "Could not parse example input") from None
    spec = _spec(context)
    for d, default in zip(spec.dense, defaults, strict=True):
        if d.key not in features and not default.size:
            raise InvalidArgumentError(
                None, None,
                f"Name: {name}, Context feature '{d.key}' is required but could not be found.",
            )  # fmt: skip
    out = list(_flat(parse_batch([features], spec, defaults, single=True)))
    wanted = _spec(lists)
    sparse = [
        parse_batch([{key: r} for r in steps.get(key, [])], Spec((), ((key, t),)), ())
        for key, t in wanted.sparse
    ]
    for part in range(3):
        out += [s[part][0] for s in sparse]
    for d, may in zip(wanted.dense, lists["may_miss"], strict=True):
        if d.key not in steps and not may:
            raise InvalidArgumentError(
                None, None,
                f"Name: {name}, Feature list '{d.key}' is required but could not be found.  Did "
                "you mean to include it in feature_list_dense_missing_assumed_empty or "
                "feature_list_dense_defaults?",
            )  # fmt: skip
        items = [{d.key: r} for r in steps.get(d.key, [])]
        empty = np.zeros(0, d.dtype.np)
        fixed = d._replace(variable=False)
        out.append(parse_batch(items, Spec((fixed,), ()), [empty])[3][0])
    return tuple(out)


parse_sequence_op = op(
    "parse_single_sequence_example", "ParseSingleSequenceExample", "host",
    doc="Features and feature lists of one sequence example.",
    args=("serialized", "*context_dense_defaults"), infer=_sequence_infer, numpy=_parse_sequence,
    grad=no_grad, types="fiubs",
)  # fmt: skip


def _many_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    if s is not None and len(s) != 1:
        raise InferError(f"Shape must be rank 1 but is rank {len(s)}")
    n = D.fresh() if s is None else s[0]
    spec = _spec(attrs["lists"])
    counts = [D.fresh() for _ in spec.sparse]
    out: list[tuple[DType, Shape | None]] = [(dtypes.int64, (c, 3)) for c in counts]
    out += [(t, (c,)) for (_, t), c in zip(spec.sparse, counts, strict=True)]
    out += [(dtypes.int64, (3,)) for _ in spec.sparse]
    out += [(d.dtype, (n, D.fresh(), *d.shape)) for d in spec.dense]
    lengths: Types = [(dtypes.int64, (n,)) for _ in spec.dense]
    return [*_types(attrs["context"], (n,), False), *out, *lengths]


def _parse_sequences(
    serialized: Array, names: Array, *defaults: Array, context: Any, lists: Any
) -> tuple[Array, ...]:
    """What `_parse_sequence` gives for each, put together; steps that are missing are zeros."""
    called = [n.decode() if isinstance(n, bytes) else str(n) for n in names.reshape(-1).tolist()]
    rows = [
        _parse_sequence(
            np.array(raw, object), *defaults, context=context, lists=lists,
            name=called[i] if called else "<unknown>",
        )
        for i, raw in enumerate(serialized.tolist())
    ]  # fmt: skip
    outer, inner = _spec(context), _spec(lists)
    split = 3 * len(outer.sparse) + len(outer.dense)
    made = _rows_of([r[:split] for r in rows], outer, 2)
    steps = [r[split:] for r in rows]
    n = 3 * len(inner.sparse)
    made += _rows_of([s[:n] for s in steps], Spec((), inner.sparse), 3)
    lengths = []
    for k, d in enumerate(inner.dense):
        each = [s[n + k] for s in steps]
        lengths.append(np.array([len(a) for a in each], np.int64))
        whole = np.zeros((len(each), max(lengths[-1], default=0), *d.shape), d.dtype.np)
        if d.dtype is dtypes.string:
            whole[...] = b""
        for row, a in zip(whole, each, strict=True):
            row[: len(a)] = a
        made.append(whole)
    return tuple(made + lengths)


def _rows_of(rows: Sequence[Sequence[Array]], spec: Spec, rank: int) -> list[Array]:
    """Features of single examples as those of a batch; `rank`: of sparse ones, batch included."""
    n = len(spec.sparse)
    indices, values, sizes = [], [], []
    for k, (_, dtype) in enumerate(spec.sparse):
        at = [np.insert(r[k], 0, i, 1) for i, r in enumerate(rows)]
        shapes = [r[2 * n + k] for r in rows]
        most = np.max(shapes, axis=0) if rows else np.zeros(rank - 1, np.int64)
        indices.append(np.concatenate(at) if rows else np.zeros((0, rank), np.int64))
        values.append(np.concatenate([r[n + k] for r in rows]) if rows else np.zeros(0, dtype.np))
        sizes.append(np.concatenate([[len(rows)], most]).astype(np.int64))
    dense = [
        np.stack([r[3 * n + k] for r in rows]) if rows else np.zeros((0, *d.shape), d.dtype.np)
        for k, d in enumerate(spec.dense)
    ]
    return [*indices, *values, *sizes, *dense]


parse_sequences_op = op(
    "parse_sequence_example", "ParseSequenceExample", "host",
    doc="Features and feature lists of a batch of sequence examples, and the lists' lengths.",
    args=("serialized", "debug_name", "*context_dense_defaults"), infer=_many_infer,
    numpy=_parse_sequences, grad=no_grad, types="fiubs",
)  # fmt: skip


# --------------------------------------------------------------------- features


_TYPES = (dtypes.float32, dtypes.int64, dtypes.string)


def _checked(dtype: Any) -> DType:
    t = as_dtype(dtype).base_dtype
    if t not in _TYPES:
        raise TypeError(
            f"Value passed to parameter 'dense_defaults' has DataType {t.name} not in list of "
            "allowed values: float32, int64, string"
        )
    return t


class _Wanted:
    """Features as attributes and default values, in the order of their keys."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        self.dense: list[tuple[str, Any, DType, tuple[int, ...], bool]] = []
        self.sparse: list[tuple[str, DType]] = []
        for key in sorted(features):
            self.add(key, features[key])

    def add(self, key: str, f: Any) -> None:
        if isinstance(f, VarLenFeature):
            if not f.dtype:
                raise ValueError(f"Missing type for feature {key}.")
            self.sparsely(key, _checked(f.dtype))
        elif isinstance(f, SparseFeature):
            keys = f.index_key if isinstance(f.index_key, list | tuple) else [f.index_key]
            for k in sorted(keys):
                self.sparsely(k, dtypes.int64)
            self.sparsely(f.value_key, _checked(f.dtype))
        elif isinstance(f, FixedLenFeature | FixedLenSequenceFeature):
            if not f.dtype:
                raise ValueError(f"Missing type for feature {key}.")
            if f.shape is None:
                raise ValueError(f"Missing shape for feature {key}.")
            shape = as_shape(f.shape).as_list()
            if None in shape:
                raise ValueError(
                    f"First dimension of shape for feature {key} unknown. Consider using "
                    "FixedLenSequenceFeature."
                )
            variable = isinstance(f, FixedLenSequenceFeature)
            self.dense.append(
                (
                    key,
                    f.default_value,
                    _checked(f.dtype),
                    tuple([int(n) for n in shape if n is not None]),
                    variable,
                )
            )
        else:
            raise ValueError(f"Invalid feature {key}:{f}.")

    def sparsely(self, key: str, dtype: DType) -> None:
        if (key, dtype) not in self.sparse:
            self.sparse.append((key, dtype))

    def attrs(self) -> dict[str, Any]:
        return {
            "dense_keys": tuple([d[0] for d in self.dense]),
            "dense_types": tuple([d[2] for d in self.dense]),
            "dense_shapes": tuple([d[3] for d in self.dense]),
            "variable": tuple([d[4] for d in self.dense]),
            "sparse_keys": tuple([k for k, _ in self.sparse]),
            "sparse_types": tuple([t for _, t in self.sparse]),
        }

    def defaults(self) -> list[Value]:
        out = []
        for key, value, dtype, shape, variable in self.dense:
            if value is None:
                out.append(constant(np.zeros(0, dtype.np), dtype))
                continue
            made = convert_to_tensor(value, dtype, name="key_" + _name(key))
            if not variable:
                made = reshape(made, shape)
            out.append(made)
        return out

    def results(self, outputs: Sequence[Value], features: Mapping[str, Any]) -> dict[str, Any]:
        n = len(self.sparse)
        dense = {d[0]: v for d, v in zip(self.dense, outputs[3 * n :], strict=True)}
        sparse = {
            key: (outputs[i], outputs[n + i], outputs[2 * n + i])
            for i, (key, _) in enumerate(self.sparse)
        }
        out: dict[str, Any] = {}
        for key, f in features.items():
            if key in dense:
                out[key] = dense[key]
            elif isinstance(f, SparseFeature):
                out[key] = _joined(f, sparse)
            else:
                out[key] = _sparse_tensor(*sparse[key])
        return out


def _name(key: str) -> str:
    return "".join([c if c.isalnum() or c in "_.\\-/" else "_" for c in key])


def _sparse_tensor(indices: Value, values: Value, shape: Value) -> Any:
    return importlib.import_module("graphc").SparseTensor(indices, values, shape)


def _joined(f: SparseFeature, sparse: Mapping[str, tuple[Value, Value, Value]]) -> Any:
    """A sparse tensor from a feature of indices and one of values."""
    if isinstance(f.index_key, list | tuple) and len(f.index_key) != 1:
        raise ValueError("graphc reads a SparseFeature with one index_key only")
    key = f.index_key[0] if isinstance(f.index_key, list | tuple) else f.index_key
    size = f.size[0] if isinstance(f.size, list | tuple) else f.size
    tf = importlib.import_module("graphc")
    ids, values = _sparse_tensor(*sparse[key]), _sparse_tensor(*sparse[f.value_key])
    return tf.sparse_merge(ids, values, size, already_sorted=f.already_sorted)


def parse_single_example(
    serialized: Any, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """Tensors of the features of one serialized ``tf.train.Example``.

    Parameters
    ----------
    serialized : scalar string tensor
    features : dict
        Name → `FixedLenFeature`, `VarLenFeature`, `FixedLenSequenceFeature` or `SparseFeature`.
    example_names
        Accepted.

    Raises
    ------
    ValueError
        When `features` is empty, or one of them is no feature.

    Examples
    --------
    >>> import graphc as tf
    >>> e = tf.train.Example()
    >>> e.features.feature["a"].int64_list.value.extend([1, 2])
    >>> raw = e.SerializeToString()
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     a = tf.parse_single_example(raw, {"a": tf.FixedLenFeature([2], tf.int64)})["a"]
    ...     print(sess.run(a))
    [1 2]
    """
    if not features:
        raise ValueError("Missing features.")
    with name_scope(name, "ParseSingleExample"):
        wanted = _Wanted(features)
        s = convert_to_tensor(serialized, dtypes.string, "serialized")
        inputs = [s, *wanted.defaults()]
        made = build(parse_single_op, inputs, wanted.attrs())
        return wanted.results(made.outputs, features)


def parse_example(
    serialized: Any, features: Mapping[str, Any], name: str | None = None, example_names: Any = None
) -> dict[str, Any]:
    """Tensors of the features of a batch of serialized ``tf.train.Example``.

    Parameters
    ----------
    serialized : vector of strings
    features : dict
        As for `parse_single_example`.
    example_names : vector of strings, optional
        What messages call the examples.
    """
    if not features:
        raise ValueError("Missing: features was None.")
    with name_scope(name, "ParseExample"):
        wanted = _Wanted(features)
        s = convert_to_tensor(serialized, dtypes.string, "serialized")
        current().reserve(*[f"sparse_keys_{i}" for i in range(len(wanted.sparse))])
        current().reserve(*[f"dense_keys_{i}" for i in range(len(wanted.dense))])
        defaults = wanted.defaults()
        names = convert_to_tensor(
            np.zeros(0, object) if example_names is None else example_names, dtypes.string, "names"
        )
        made = build(parse_op, [s, names, *defaults], wanted.attrs())
        return wanted.results(made.outputs, features)


def parse_single_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_name: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors of the context and of the feature lists of one ``tf.train.SequenceExample``.

    Parameters
    ----------
    context_features, sequence_features : dict, optional
        Name → feature; one of them at least. Lists are `VarLenFeature` or
        `FixedLenSequenceFeature`.
    """
    with name_scope(name, "ParseSingleSequenceExample"):
        s = convert_to_tensor(serialized, dtypes.string, "serialized")
        return _sequences(parse_sequence_op, [s], context_features, sequence_features)[:2]


def parse_sequence_example(
    serialized: Any,
    context_features: Mapping[str, Any] | None = None,
    sequence_features: Mapping[str, Any] | None = None,
    example_names: Any = None,
    name: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Tensors of the contexts and feature lists of a batch of ``tf.train.SequenceExample``.

    Parameters
    ----------
    serialized : vector of strings
    context_features, sequence_features : dict, optional
        As for `parse_single_sequence_example`.
    example_names : vector of strings, optional
        What messages call the examples.

    Returns
    -------
    context, lists, lengths
        Lists of `FixedLenSequenceFeature` have shape (batch, longest, ...), zeros behind the end
        of each; `lengths` says where that is.
    """
    with name_scope(name, "ParseSequenceExample"):
        s = convert_to_tensor(serialized, dtypes.string, "serialized")
        given = np.zeros(0, object) if example_names is None else example_names
        names = convert_to_tensor(given, dtypes.string, "debug_name")
        return _sequences(parse_sequences_op, [s, names], context_features, sequence_features)


def _sequences(
    record: Any, inputs: list[Any], context_features: Mapping[str, Any] | None,
    sequence_features: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:  # fmt: skip
    """Context, lists, and lengths of the lists where the op gives them."""
    if not (context_features or sequence_features):
        raise ValueError("Missing features.")
    outer, inner = context_features or {}, sequence_features or {}
    context, lists = _Wanted(outer), _Wanted(inner)
    for key, f in inner.items():
        if isinstance(f, FixedLenFeature | SparseFeature):
            raise ValueError(f"Invalid feature {key}:{f}.")
    may = tuple([bool(inner[d[0]].allow_missing) for d in lists.dense])
    attrs = {"context": context.attrs(), "lists": {**lists.attrs(), "may_miss": may}}
    made = build(record, [*inputs, *context.defaults()], attrs).outputs
    split = 3 * len(context.sparse) + len(context.dense)
    end = split + 3 * len(lists.sparse) + len(lists.dense)
    lengths = {d[0]: v for d, v in zip(lists.dense, made[end:], strict=False)}
    return context.results(made[:split], outer), lists.results(made[split:end], inner), lengths


# --------------------------------------------------------------------- bytes


def _raw_infer(inputs: Sequence[Value], attrs: Attrs) -> Types:
    s = inputs[0].static_shape
    return [(attrs["out_type"], None if s is None else (*s, D.fresh()))]


def _decode_raw(data: Array, out_type: DType, little_endian: bool) -> Array:
    items: list[bytes] = data.reshape(-1).tolist()
    if not items:
        return np.zeros((*data.shape, 0), out_type.np)
    size = len(items[0])
    for i, item in enumerate(items):
        if len(item) != size:
            raise InvalidArgumentError(
                None, None,
                "DecodeRaw requires input strings to all be the same size, but element "
                f"{i} has size {size} != {len(item)}",
            )  # fmt: skip
    if size % out_type.size:
        raise InvalidArgumentError(
            None, None,
            f"Input to DecodeRaw has length {size} that is not a multiple of {out_type.size}, the "
            f"size of {out_type.name}",
        )  # fmt: skip
    stored = out_type.np.newbyteorder("<" if little_endian else ">")
    out = np.frombuffer(b"".join(items), stored).astype(out_type.np)
    return out.reshape(*data.shape, size // out_type.size)


decode_raw_op = op(
    "decode_raw", "DecodeRaw", "host", doc="The bytes of strings as numbers.", args=("bytes",),
    infer=_raw_infer, numpy=_decode_raw, grad=no_grad, types="s",
)  # fmt: skip


def decode_raw(
    input_bytes: Any = None, out_type: Any = None, little_endian: bool = True,
    name: str | None = None, bytes: Any = None,
) -> Value:  # fmt: skip
    """The bytes of strings as numbers, along a new last axis.

    Parameters
    ----------
    input_bytes : string tensor
        All of one length.
    out_type : DType
    little_endian : bool
        The order of the bytes of a number.
    """
    given = bytes if input_bytes is None else input_bytes
    attrs = {"out_type": as_dtype(out_type).base_dtype, "little_endian": bool(little_endian)}
    return build(decode_raw_op, [as_value(given, dtypes.string)], attrs, name).outputs[0]


def _from_json(texts: Array) -> Array:
    out = np.empty(texts.shape, object)
    for i in np.ndindex(*texts.shape):
        made = message("Example")()
        try:
            library("json_format").Parse(texts[i].decode(), made)
        except (library("json_format").ParseError, ValueError) as e:
            raise InvalidArgumentError(
                None, None, f"Error while parsing JSON: {texts[i]!r:.100}: {e}"
            ) from None
        out[i] = made.SerializeToString()
    return out


decode_json_op = op(
    "decode_json_example", "DecodeJSONExample", "host", doc="Examples as JSON, serialized.",
    args=("json_examples",),
    infer=lambda inputs, attrs: [(dtypes.string, inputs[0].static_shape)], numpy=_from_json,
    grad=no_grad, types="s",
)  # fmt: skip


def decode_json_example(json_examples: Any, name: str | None = None) -> Value:
    """Serialized ``tf.train.Example`` messages from their JSON."""
    message("Example")
    return build(decode_json_op, [as_value(json_examples, dtypes.string)], {}, name).outputs[0]
