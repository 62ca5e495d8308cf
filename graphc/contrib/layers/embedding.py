"""Embeddings of sequences of words."""

from __future__ import annotations

from typing import Any

from graphc.contrib.framework.variables import model_variable
from graphc.face.scopes import variable_scope
from graphc.ops import math, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.lookup import embedding_lookup

__all__ = ["bow_encoder", "embed_sequence", "embedding_lookup_unique"]


def embedding_lookup_unique(
    params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None
) -> Any:
    """`nn.embedding_lookup`; rows of equal ids share their gradient either way."""
    return embedding_lookup(params, ids, partition_strategy, name)


def embed_sequence(
    ids: Any, vocab_size: int | None = None, embed_dim: int | None = None, unique: bool = False,
    initializer: Any = None, regularizer: Any = None, trainable: bool = True, scope: Any = None,
    reuse: Any = None,
) -> Any:  # fmt: skip
    """Rows of a variable ``embeddings`` for the ids of words.

    Raises
    ------
    ValueError
        Without sizes, unless an existing variable is reused.
    """
    if not (reuse or (vocab_size and embed_dim)):
        raise ValueError(
            "Must specify vocab size and embedding dimension when not reusing. Got vocab_size="
            f"{vocab_size} and embed_dim={embed_dim}"
        )
    with variable_scope(scope, "EmbedSequence", [ids], reuse=reuse):
        shape = [vocab_size, embed_dim] if vocab_size and embed_dim else None
        table = model_variable(
            "embeddings", shape=shape, initializer=initializer, regularizer=regularizer,
            trainable=trainable,
        )  # fmt: skip
        return embedding_lookup(table, ids)


def bow_encoder(
    ids: Any, vocab_size: int, embed_dim: int, sparse_lookup: bool = True, initializer: Any = None,
    regularizer: Any = None, trainable: bool = True, scope: Any = None, reuse: Any = None,
) -> Any:  # fmt: skip
    """The mean of the embeddings of the words of each row; with `sparse_lookup` id 0 is no word."""
    with variable_scope(scope, "bow_encoder", [ids], reuse=reuse):
        table = model_variable(
            "embeddings", shape=[vocab_size, embed_dim], initializer=initializer,
            regularizer=regularizer, trainable=trainable,
        )  # fmt: skip
        if not sparse_lookup:
            return reduce.reduce_mean(embedding_lookup(table, ids), 1)
        v = convert_to_tensor(ids)
        if v.rank == 1:
            v = shapes.expand_dims(v, 0)
        word = math.cast(shapes.expand_dims(math.not_equal(v, 0), -1), table.dtype.base_dtype)
        total = reduce.reduce_sum(embedding_lookup(table, v) * word, 1)
        return math.div_no_nan(total, reduce.reduce_sum(word, 1))
