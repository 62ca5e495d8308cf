"""Functions that contrib has with other argument names or defaults than ``tf``."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.face.current import add_to_collections, name_scope
from graphc.ir import dtypes
from graphc.ir.node import Value
from graphc.ops import arrays, math, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.sparse import lookup
from graphc.sparse.tensor import SparseTensor
from graphc.train import checkpoints, warm

__all__ = [
    "dense_to_sparse", "init_from_checkpoint", "list_variables", "load_checkpoint",
    "load_variable", "safe_embedding_lookup_sparse",
]  # fmt: skip


def load_checkpoint(filepattern: Any) -> checkpoints.CheckpointReader:
    """A reader of a checkpoint, or of the latest one in a folder."""
    return checkpoints.load_checkpoint(filepattern)


def load_variable(checkpoint_dir: Any, name: str) -> Any:
    """The value of a variable in a checkpoint."""
    return checkpoints.load_variable(checkpoint_dir, name)


def list_variables(checkpoint_dir: Any) -> list[tuple[str, list[int]]]:
    """Pairs (name, shape) of what a checkpoint holds."""
    return checkpoints.list_variables(checkpoint_dir)


def init_from_checkpoint(checkpoint_dir: Any, assignment_map: Any) -> None:
    """Let variables begin with values of a checkpoint."""
    warm.init_from_checkpoint(checkpoint_dir, assignment_map)


def dense_to_sparse(
    tensor: Any, eos_token: int = 0, outputs_collections: Any = None, scope: str | None = None
) -> SparseTensor:
    """The elements of `tensor` that are not `eos_token`."""
    with name_scope(scope, "dense_to_sparse"):
        x = convert_to_tensor(tensor)
        end = convert_to_tensor(np.asarray(eos_token, x.dtype.np), x.dtype)
        at = arrays.where_indices(math.not_equal(x, end))
        made = SparseTensor(at, arrays.gather_nd(x, at), shapes.shape(x, out_type=dtypes.int64))
        add_to_collections(outputs_collections or (), made)
        return made


def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: Any, sparse_weights: Any = None,
    combiner: str | None = None, default_id: Any = None, name: str | None = None,
    partition_strategy: str = "div", max_norm: Any = None,
) -> Value:  # fmt: skip
    """`tf.nn.safe_embedding_lookup_sparse`; without a `combiner` rows are averaged."""
    return lookup.safe_embedding_lookup_sparse(
        embedding_weights, sparse_ids, sparse_weights, combiner or "mean", default_id, name,
        partition_strategy, max_norm,
    )  # fmt: skip
