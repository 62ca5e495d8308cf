"""Words of tf.distribute: how values are joined, where inputs come from."""

from __future__ import annotations

import enum
from typing import Any

__all__ = ["CollectiveCommunication", "InputContext", "InputReplicationMode", "ReduceOp"]


class ReduceOp(enum.Enum):
    """How the values of replicas become one."""

    SUM = "SUM"
    MEAN = "MEAN"

    @staticmethod
    def from_variable_aggregation(aggregation: Any) -> ReduceOp:
        """The member that the aggregation of a variable asks for."""
        return ReduceOp[getattr(aggregation, "name", str(aggregation))]


class InputReplicationMode(enum.Enum):
    """For what an input function is called."""

    PER_WORKER = "PER_WORKER"


class CollectiveCommunication(enum.Enum):
    """How devices talk with each other; there is one here."""

    AUTO = "AUTO"
    RING = "RING"
    NCCL = "NCCL"


class InputContext:
    """What an input function is told of the replicas that it is for.

    Parameters
    ----------
    num_input_pipelines, input_pipeline_id, num_replicas_in_sync : int
    """

    def __init__(
        self, num_input_pipelines: int = 1, input_pipeline_id: int = 0,
        num_replicas_in_sync: int = 1,
    ) -> None:  # fmt: skip
        self._pipelines, self._id = num_input_pipelines, input_pipeline_id
        self._replicas = num_replicas_in_sync

    @property
    def num_replicas_in_sync(self) -> int:
        return self._replicas

    @property
    def input_pipeline_id(self) -> int:
        return self._id

    @property
    def num_input_pipelines(self) -> int:
        return self._pipelines

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The batch of one replica.

        Raises
        ------
        ValueError
            When the replicas cannot have equal parts of it.
        """
        if global_batch_size % self._replicas:
            raise ValueError(
                f"The `global_batch_size` {global_batch_size!r} is not divisible by "
                f"`num_replicas_in_sync` {self._replicas!r} "
            )
        return global_batch_size // self._replicas
