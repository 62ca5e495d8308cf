"""Attention of Keras: values weighted by how well their keys fit a query."""

from __future__ import annotations

from typing import Any

from graphc.face.shape import as_shape
from graphc.ir import dtypes
from graphc.keras.engine import Layer
from graphc.ops import linalg, math, nn, reduce, shapes, spaced
from graphc.ops.convert import convert_to_tensor

__all__ = ["AdditiveAttention", "Attention"]


class _Attention(Layer):
    """What the two kinds share: who may look where, and the mean of values."""

    supports_masking = True

    def __init__(self, use_scale: bool, causal: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.use_scale, self.causal = use_scale, causal
        self.scale: Any = None

    def _scores(self, query: Any, key: Any) -> Any:
        """How well each key fits each query: (batch, queries, keys)."""
        raise NotImplementedError

    def call(self, inputs: Any, mask: Any = None) -> Any:
        query, value, *rest = self._checked(inputs)
        asked, there = self._masks(mask)
        scores = self._scores(query, rest[0] if rest else value)
        allowed = None if there is None else shapes.expand_dims(there, 1)
        if self.causal:
            rows, columns = (spaced.range(shapes.shape(scores)[i]) for i in (1, 2))
            past = math.greater_equal(shapes.expand_dims(rows, 1), shapes.expand_dims(columns, 0))
            past = shapes.expand_dims(past, 0)
            allowed = past if allowed is None else math.logical_and(allowed, past)
        if allowed is not None:
            scores = scores - 1e9 * math.cast(math.logical_not(allowed), scores.dtype)
        out = linalg.matmul(nn.softmax(scores), value)
        if asked is not None:
            out = out * math.cast(shapes.expand_dims(asked, -1), out.dtype)
        return out

    def _checked(self, inputs: Any) -> list[Any]:
        name = type(self).__name__
        if not isinstance(inputs, list | tuple):
            raise ValueError(f"{name} layer must be called on a list of inputs, namely [query, "
                             "value] or [query, value, key].")  # fmt: skip
        if len(inputs) not in (2, 3):
            raise ValueError(
                f"{name} layer accepts inputs list of length 2 or 3, namely [query, value] or "
                f"[query, value, key]. Given length: {len(inputs)}"
            )
        return [convert_to_tensor(x) for x in inputs]

    def _masks(self, mask: Any) -> tuple[Any, Any]:
        """Which queries, and which values, there are."""
        if mask is None:
            return None, None
        name = type(self).__name__
        if not isinstance(mask, list | tuple):
            raise ValueError(f"{name} layer mask must be a list, namely [query_mask, value_mask].")
        if len(mask) not in (2, 3):
            raise ValueError(f"{name} layer mask must be a list of length 2, namely [query_mask, "
                             f"value_mask]. Given length: {len(mask)}")  # fmt: skip
        asked, there = (
            None if m is None else math.cast(convert_to_tensor(m), dtypes.bool_) for m in mask[:2]
        )
        return asked, there

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """That of the queries."""
        return convert_to_tensor(mask[0]) if mask and mask[0] is not None else None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "causal": self.causal, "use_scale": self.use_scale}


class Attention(_Attention):
    """Luong's attention: scores are products of queries and keys.

    Parameters
    ----------
    use_scale : bool
        Multiply scores by a learnt number.
    causal : bool
        A query looks at no value behind its own place.

    Call with ``[query, value]`` or ``[query, value, key]``, of shapes (batch, queries, dim),
    (batch, values, dim) and (batch, values, dim), and masks ``[query_mask, value_mask]``.
    """

    def __init__(self, use_scale: bool = False, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(use_scale, causal, **kwargs)

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight("scale", (), None, "ones")
        self.built = True

    def _scores(self, query: Any, key: Any) -> Any:
        made = linalg.matmul(query, key, transpose_b=True)
        return made if self.scale is None else made * convert_to_tensor(self.scale)


class AdditiveAttention(_Attention):
    """Bahdanau's attention: scores are sums of ``scale * tanh(query + key)``.

    Parameters
    ----------
    use_scale : bool
        Learn the scale, a number for each feature; else it is 1.
    causal : bool
        A query looks at no value behind its own place.

    Call as `Attention`.
    """

    def __init__(self, use_scale: bool = True, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(use_scale, causal, **kwargs)

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            size = as_shape(input_shape[1]).as_list()[-1]
            self.scale = self.add_weight("scale", [size], None, "glorot_uniform")
        self.built = True

    def _scores(self, query: Any, key: Any) -> Any:
        both = math.tanh(shapes.expand_dims(query, 2) + shapes.expand_dims(key, 1))
        scaled = both if self.scale is None else convert_to_tensor(self.scale) * both
        return reduce.reduce_sum(scaled, -1)
