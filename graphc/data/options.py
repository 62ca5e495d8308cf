"""Groups of ``tf.data.Options``: kept and checked; they change nothing that a run computes."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = [
    "DistributeOptions", "MapVectorizationOptions", "OptimizationOptions", "StatsOptions",
    "ThreadingOptions",
]  # fmt: skip


class _Group:
    """Properties of fixed names and types, None or what `_defaults` says until they are set."""

    _types: ClassVar[dict[str, type]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        for name in self._types:
            object.__setattr__(self, name, self._defaults.get(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._types:
            raise AttributeError(f"Cannot set the property {name} on {type(self).__name__}.")
        kind = self._types[name]
        if not isinstance(value, kind):
            raise TypeError(
                f'Property "{name}" must be of type {kind}, got: {value!r} (type: {type(value)})'
            )
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = object.__hash__


class DistributeOptions(_Group):
    """How datasets are divided among workers."""

    auto_shard: Any
    num_devices: Any

    _types: ClassVar = {"auto_shard": bool, "num_devices": int}
    _defaults: ClassVar = {"auto_shard": True}


class MapVectorizationOptions(_Group):
    """Whether maps run on whole batches."""

    enabled: Any
    use_choose_fastest: Any

    _types: ClassVar = {"enabled": bool, "use_choose_fastest": bool}


class OptimizationOptions(_Group):
    """Which rewrites a pipeline goes through."""

    apply_default_optimizations: Any
    autotune: Any
    autotune_algorithm: Any
    autotune_buffers: Any
    autotune_cpu_budget: Any
    filter_fusion: Any
    filter_with_random_uniform_fusion: Any
    hoist_random_uniform: Any
    map_and_batch_fusion: Any
    map_and_filter_fusion: Any
    map_fusion: Any
    map_parallelization: Any
    map_vectorization: Any
    noop_elimination: Any
    parallel_batch: Any
    shuffle_and_repeat_fusion: Any

    _types: ClassVar = {
        **dict.fromkeys(
            "apply_default_optimizations autotune autotune_buffers filter_fusion "
            "filter_with_random_uniform_fusion hoist_random_uniform map_and_batch_fusion "
            "map_and_filter_fusion map_fusion map_parallelization noop_elimination parallel_batch "
            "shuffle_and_repeat_fusion".split(), bool,
        ),
        "autotune_algorithm": int, "autotune_cpu_budget": int,
        "map_vectorization": MapVectorizationOptions,
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.map_vectorization = MapVectorizationOptions()


class StatsOptions(_Group):
    """What is counted while a pipeline runs."""

    aggregator: Any
    counter_prefix: Any
    latency_all_edges: Any
    prefix: Any

    _types: ClassVar = {"aggregator": object, "counter_prefix": str, "latency_all_edges": bool,
                        "prefix": str}  # fmt: skip
    _defaults: ClassVar = {"counter_prefix": "", "prefix": ""}


class ThreadingOptions(_Group):
    """How many threads a pipeline may use."""

    max_intra_op_parallelism: Any
    private_threadpool_size: Any

    _types: ClassVar = {"max_intra_op_parallelism": int, "private_threadpool_size": int}
