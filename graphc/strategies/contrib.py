"""The strategies of ``tf.contrib.distribute``, which take numbers of GPUs."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.strategies import strategy as strategies
from graphc.strategies.strategy import CollectiveAllReduceStrategy, has_strategy

__all__ = [
    "CollectiveAllReduceStrategy", "DistributeConfig", "MirroredStrategy", "OneDeviceStrategy",
    "ParameterServerStrategy", "get_distribution_strategy", "has_distribution_strategy",
]  # fmt: skip

get_distribution_strategy = strategies.get_strategy
has_distribution_strategy = has_strategy


class DistributeConfig(NamedTuple):
    """Which strategy trains, which one evaluates, and the cluster."""

    train_distribute: Any = None
    eval_distribute: Any = None
    remote_cluster: Any = None


def _without(num_gpus: int | None) -> None:
    if num_gpus:
        raise ValueError(f"graphc computes on the CPU: there are no {num_gpus} GPUs here")


class MirroredStrategy(strategies.MirroredStrategy):
    """A replica with a copy of each variable on every device.

    Parameters
    ----------
    devices : list of str, optional
    num_gpus, num_gpus_per_worker : int, optional
        There are none.
    cross_device_ops, auto_shard_dataset, cross_tower_ops : optional
        Of no meaning with one device.
    """

    def __init__(
        self, devices: Any = None, num_gpus: int | None = None,
        num_gpus_per_worker: int | None = None, cross_device_ops: Any = None,
        auto_shard_dataset: bool = False, cross_tower_ops: Any = None,
    ) -> None:  # fmt: skip
        _without(num_gpus or num_gpus_per_worker)
        super().__init__(devices)


class OneDeviceStrategy(strategies.OneDeviceStrategy):
    """Everything on one device."""


class ParameterServerStrategy(strategies.ParameterServerStrategy):
    """Variables on servers of their own."""

    def __init__(self, num_gpus_per_worker: int = 0) -> None:
        _without(num_gpus_per_worker)
        super().__init__()
