"""Attention: how a decoder's step weighs the steps of an encoder."""

from __future__ import annotations

import math as pymath
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.face import nest
from graphc.face.current import name_scope
from graphc.face.initializers import Constant, Ones, Zeros
from graphc.face.scopes import get_variable, variable_scope
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.layers.base import Layer
from graphc.layers.core import Dense
from graphc.nn.cells import zero_part
from graphc.ops import (
    arrays,
    convert,
    cumulative,
    fills,
    linalg,
    math,
    nn,
    random,
    reduce,
    shapes,
    transposing,
)
from graphc.ops.counting import made

__all__ = [
    "AttentionMechanism", "BahdanauAttention", "BahdanauMonotonicAttention", "LuongAttention",
    "LuongMonotonicAttention", "hardmax", "monotonic_attention", "safe_cumprod",
]  # fmt: skip


class AttentionMechanism:
    """What `AttentionWrapper` asks for alignments."""

    @property
    def alignments_size(self) -> Any:
        """The number of steps of the memory."""
        raise NotImplementedError

    @property
    def state_size(self) -> Any:
        """The size of what it carries from step to step."""
        raise NotImplementedError


def hardmax(logits: Any, name: str | None = None) -> Value:
    """One where the largest logit of a row is, else zeros."""
    with name_scope(name, "Hardmax", [logits]):
        logits = convert.convert_to_tensor(logits, name="logits")
        depth = logits.get_shape()[-1].value or shapes.shape(logits)[-1]
        return fills.one_hot(reduce.argmax(logits, -1), depth, dtype=logits.dtype)


def _prepared(memory: Any, lengths: Any, check: bool) -> Any:
    """`memory` with zeros past the end of each row."""
    memory = nest.map_structure(lambda m: convert.convert_to_tensor(m, name="memory"), memory)
    if check:
        for m in nest.flatten(memory):
            if not m.get_shape()[2:].is_fully_defined():
                raise ValueError(
                    f"Expected memory {m.name} to have fully defined inner dims, but saw shape: "
                    f"{m.get_shape()}"
                )
    if lengths is None:
        return memory
    first = nest.flatten(memory)[0]
    mask = arrays.sequence_mask(lengths, maxlen=shapes.shape(first)[1], dtype=first.dtype)

    def masked(m: Any) -> Any:
        wide = mask
        with current().counts_as(8):
            for _ in range(m.get_shape().ndims - 2):
                wide = shapes.expand_dims(wide, -1)
            return m * wide

    return nest.map_structure(masked, memory)


class BaseAttentionMechanism(AttentionMechanism):
    """A memory with its keys, and how scores become alignments.

    Parameters
    ----------
    query_layer, memory_layer : Layer or None
        What makes queries and keys.
    memory : tensor
        ``[batch, time, …]``.
    probability_fn : callable
        ``(score, previous_alignments) -> alignments``.
    memory_sequence_length : integer vector, optional
        Memory past the end of a row is not seen.
    check_inner_dims_defined : bool
    score_mask_value : float, optional
        The score of what is not seen; minus infinity by default.
    custom_key_value_fn : callable, optional
        ``(keys, values) -> (keys, values)``.
    name : str, optional
    """

    def __init__(
        self, query_layer: Any, memory: Any, probability_fn: Callable[..., Any],
        memory_sequence_length: Any = None, memory_layer: Any = None,
        check_inner_dims_defined: bool = True, score_mask_value: Any = None,
        custom_key_value_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        for what, layer in (("query_layer", query_layer), ("memory_layer", memory_layer)):
            if layer is not None and not isinstance(layer, Layer):
                raise TypeError(f"{what} is not a Layer: {type(layer).__name__}")
        if not callable(probability_fn):
            raise TypeError(
                f"probability_fn must be callable, saw type: {type(probability_fn).__name__}"
            )
        self._query_layer = query_layer
        self._memory_layer = memory_layer
        self.dtype = memory_layer.dtype
        self._lengths = memory_sequence_length
        self._mask_value = -np.inf if score_mask_value is None else score_mask_value
        self._choose = probability_fn
        with name_scope(name, "BaseAttentionMechanismInit", nest.flatten(memory)):
            if self._lengths is not None:
                self._lengths = convert.convert_to_tensor(
                    self._lengths, name="memory_sequence_length"
                )
            self._values = _prepared(memory, self._lengths, check_inner_dims_defined)
            self._keys = memory_layer(self._values) if memory_layer else self._values
            if custom_key_value_fn is not None:
                self._keys, self._values = custom_key_value_fn(self._keys, self._values)
            static = self._keys.get_shape()
            self._batch_size = static[0].value or shapes.shape(self._keys)[0]
            self._alignments_size = static[1].value or shapes.shape(self._keys)[1]

    def _probability_fn(self, score: Any, previous: Any) -> Any:
        if self._lengths is not None:
            made(11)  # an assertion that all of them are positive
            seen = arrays.sequence_mask(self._lengths, maxlen=shapes.shape(score)[1])
            score = math.where(seen, score, self._mask_value * fills.ones_like(score))
        return self._choose(score, previous)

    @property
    def memory_layer(self) -> Any:
        return self._memory_layer

    @property
    def query_layer(self) -> Any:
        return self._query_layer

    @property
    def values(self) -> Any:
        return self._values

    @property
    def keys(self) -> Any:
        return self._keys

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def alignments_size(self) -> Any:
        return self._alignments_size

    @property
    def state_size(self) -> Any:
        return self._alignments_size

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        """Alignments before the first step: zeros."""
        return zero_part(batch_size, self._alignments_size, dtype)

    def initial_state(self, batch_size: Any, dtype: Any) -> Any:
        """What is carried to the first step: the initial alignments."""
        return self.initial_alignments(batch_size, dtype)


def _luong_score(query: Any, keys: Any, scale: Any) -> Any:
    depth, units = query.get_shape()[-1], keys.get_shape()[-1]
    if depth.value != units.value or depth.value is None:
        raise ValueError(
            "Incompatible or unknown inner dimensions between query and keys.  "
            f"Query ({query}) has units: {depth}.  Keys ({keys}) have units: {units}.  Perhaps "
            f"you need to set num_units to the keys' dimension ({units})?"
        )
    score: Any = linalg.matmul(shapes.expand_dims(query, 1), keys, transpose_b=True)
    score = shapes.squeeze(score, [1])
    return score if scale is None else scale * score


def _bahdanau_score(query: Any, keys: Any, v: Any, g: Any, b: Any) -> Any:
    query = shapes.expand_dims(query, 1)
    if g is None:
        return reduce.reduce_sum(v * math.tanh(keys + query), [2])
    v = g * v * math.rsqrt(reduce.reduce_sum(math.square(v)))
    return reduce.reduce_sum(v * math.tanh(keys + query + b), [2])


def _projection(units: int, name: str, dtype: Any) -> Any:
    return Dense(units, name=name, use_bias=False, dtype=dtype)


def _of_score(f: Any) -> Callable[..., Any]:
    f = f or nn.softmax
    if not callable(f):
        raise TypeError(f"probability_fn must be callable, saw type: {type(f).__name__}")
    return lambda score, _: f(score)


class _Luong(BaseAttentionMechanism):
    """Scores by products of query and keys."""

    _scope = "luong_attention"

    def __init__(
        self, num_units: int, memory: Any, probability_fn: Any, scale: bool, dtype: Any,
        bias: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        dtype = as_dtype(dtype or dtypes.float32)
        super().__init__(
            None, memory, probability_fn,
            memory_layer=_projection(num_units, "memory_layer", dtype), **options,
        )  # fmt: skip
        self._num_units = num_units
        self._scale = scale
        self._bias = bias

    def __call__(self, query: Any, state: Any) -> Any:
        """Alignments for a query, and what is carried on."""
        with variable_scope(None, self._scope, [query]):
            g = None
            if self._scale:
                g = get_variable("attention_g", (), query.dtype, Ones())
            score = _with_bias(_luong_score(query, self._keys, g), self._bias, query.dtype)
        alignments = self._probability_fn(score, state)
        return alignments, alignments


class _Bahdanau(BaseAttentionMechanism):
    """Scores by a small net of query and keys."""

    _scope = "bahdanau_attention"

    def __init__(
        self, num_units: int, memory: Any, probability_fn: Any, normalize: bool, dtype: Any,
        bias: float | None = None, **options: Any,
    ) -> None:  # fmt: skip
        dtype = as_dtype(dtype or dtypes.float32)
        super().__init__(
            _projection(num_units, "query_layer", dtype), memory, probability_fn,
            memory_layer=_projection(num_units, "memory_layer", dtype), **options,
        )  # fmt: skip
        self._num_units = num_units
        self._normalize = normalize
        self._bias = bias

    def __call__(self, query: Any, state: Any) -> Any:
        """Alignments for a query, and what is carried on."""
        n = self._num_units
        with variable_scope(None, self._scope, [query]):
            processed = self._query_layer(query) if self._query_layer else query
            v = get_variable("attention_v", [n], query.dtype)
            g = b = None
            if self._normalize:
                g = get_variable("attention_g", (), query.dtype, Constant(pymath.sqrt(1.0 / n)))
                b = get_variable("attention_b", [n], query.dtype, Zeros())
            score = _bahdanau_score(processed, self._keys, v, g, b)
            score = _with_bias(score, self._bias, processed.dtype)
        alignments = self._probability_fn(score, state)
        return alignments, alignments


def _with_bias(score: Any, bias: float | None, dtype: Any) -> Any:
    if bias is None:
        return score
    return score + get_variable("attention_score_bias", (), dtype, Constant(bias))


class LuongAttention(_Luong):
    """Multiplicative attention (arXiv:1508.04025).

    Parameters
    ----------
    num_units : int
        The depth of query and keys.
    memory, memory_sequence_length, score_mask_value, custom_key_value_fn
        See `BaseAttentionMechanism`.
    scale : bool
        Whether scores have a factor that is trained.
    probability_fn : callable, optional
        Of the scores; softmax by default.
    dtype : DType, optional
    name : str
    """

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None,
        scale: bool = False, probability_fn: Any = None, score_mask_value: Any = None,
        dtype: Any = None, custom_key_value_fn: Any = None, name: str = "LuongAttention",
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, memory, _of_score(probability_fn), scale, dtype,
            memory_sequence_length=memory_sequence_length, score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn, name=name,
        )  # fmt: skip


class BahdanauAttention(_Bahdanau):
    """Additive attention (arXiv:1409.0473).

    Parameters
    ----------
    num_units : int
        The depth of query and keys.
    memory, memory_sequence_length, score_mask_value, custom_key_value_fn
        See `BaseAttentionMechanism`.
    normalize : bool
        Whether the weights are normalised (arXiv:1602.07868).
    probability_fn : callable, optional
        Of the scores; softmax by default.
    dtype : DType, optional
    name : str
    """

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None,
        normalize: bool = False, probability_fn: Any = None, score_mask_value: Any = None,
        dtype: Any = None, custom_key_value_fn: Any = None, name: str = "BahdanauAttention",
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, memory, _of_score(probability_fn), normalize, dtype,
            memory_sequence_length=memory_sequence_length, score_mask_value=score_mask_value,
            custom_key_value_fn=custom_key_value_fn, name=name,
        )  # fmt: skip


# --------------------------------------------------------------------- monotonic


def safe_cumprod(x: Any, *args: Any, **kwargs: Any) -> Value:
    """`tf.cumprod` of numbers between 0 and 1 by sums of logarithms."""
    with name_scope(None, "SafeCumprod", [x]):
        x = convert.convert_to_tensor(x, name="x")
        tiny = float(np.finfo(x.dtype.as_numpy_dtype).tiny)
        logs = math.log(math.clip_by_value(x, tiny, 1.0))
        out: Value = math.exp(cumulative.cumsum(logs, *args, **kwargs))
        return out


def monotonic_attention(p_choose_i: Any, previous_attention: Any, mode: str) -> Value:
    """Attention that never goes back (arXiv:1704.00784).

    Parameters
    ----------
    p_choose_i, previous_attention : tensor
        ``[batch, time]``: the probability to choose each step, and the last distribution.
    mode : {'recursive', 'parallel', 'hard'}
        Step by step, by a closed form, or for probabilities that are all 0 or 1.

    Raises
    ------
    ValueError
        For another mode.
    """
    p: Any = convert.convert_to_tensor(p_choose_i, name="p_choose_i")
    before: Any = convert.convert_to_tensor(previous_attention, name="previous_attention")
    if mode == "recursive":
        from graphc import scan  # only here

        rows = p.get_shape()[0].value or shapes.shape(p)[0]
        skipped = arrays.concat([fills.ones([rows, 1], p.dtype), 1 - p[:, :-1]], 1)
        q = scan(
            lambda x, yz: shapes.reshape(yz[0] * x + yz[1], [rows]),
            [transposing.transpose(skipped), transposing.transpose(before)],
            fills.zeros([rows], p.dtype),
        )
        out: Value = p * transposing.transpose(q)
        return out
    if mode == "parallel":
        kept = safe_cumprod(1 - p, axis=1, exclusive=True)
        out = p * kept * cumulative.cumsum(before / math.clip_by_value(kept, 1e-10, 1.0), axis=1)
        return out
    if mode == "hard":
        p = p * cumulative.cumsum(before, axis=1)
        out = p * cumulative.cumprod(1 - p, axis=1, exclusive=True)
        return out
    raise ValueError("mode must be 'recursive', 'parallel', or 'hard'.")


def _monotonic(noise: float, mode: str, seed: Any) -> Callable[..., Any]:
    def choose(score: Any, previous: Any) -> Any:
        if noise > 0:
            score = score + noise * random.random_normal(
                shapes.shape(score), dtype=score.dtype, seed=seed
            )
        p = math.cast(score > 0, score.dtype) if mode == "hard" else math.sigmoid(score)
        return monotonic_attention(p, previous, mode)

    return choose


class _Monotonic(BaseAttentionMechanism):
    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        """Alignments before the first step: all on the first step of the memory."""
        first = fills.zeros([batch_size], dtypes.int32)
        return fills.one_hot(first, self._alignments_size, dtype=dtype)


class BahdanauMonotonicAttention(_Monotonic, _Bahdanau):
    """Additive attention that never goes back.

    Parameters
    ----------
    num_units, memory, memory_sequence_length, normalize, score_mask_value, dtype, name
        As for `BahdanauAttention`.
    sigmoid_noise : float
        Standard deviation of noise on the scores.
    sigmoid_noise_seed : int, optional
    score_bias_init : float
    mode : {'recursive', 'parallel', 'hard'}
    """

    _scope = "bahdanau_monotonic_attention"

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None,
        normalize: bool = False, score_mask_value: Any = None, sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: Any = None, score_bias_init: float = 0.0, mode: str = "parallel",
        dtype: Any = None, name: str = "BahdanauMonotonicAttention",
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, memory, _monotonic(sigmoid_noise, mode, sigmoid_noise_seed), normalize,
            dtype, bias=score_bias_init, memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value, name=name,
        )  # fmt: skip


class LuongMonotonicAttention(_Monotonic, _Luong):
    """Multiplicative attention that never goes back.

    Parameters
    ----------
    num_units, memory, memory_sequence_length, scale, score_mask_value, dtype, name
        As for `LuongAttention`.
    sigmoid_noise : float
        Standard deviation of noise on the scores.
    sigmoid_noise_seed : int, optional
    score_bias_init : float
    mode : {'recursive', 'parallel', 'hard'}
    """

    _scope = "luong_monotonic_attention"

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None,
        scale: bool = False, score_mask_value: Any = None, sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: Any = None, score_bias_init: float = 0.0, mode: str = "parallel",
        dtype: Any = None, name: str = "LuongMonotonicAttention",
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, memory, _monotonic(sigmoid_noise, mode, sigmoid_noise_seed), scale, dtype,
            bias=score_bias_init, memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
