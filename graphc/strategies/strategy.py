"""Strategies of distribution. There is one device here, so each has one replica."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import graphc as tf
from graphc.data.dataset import Dataset
from graphc.data.iterator import make_initializable_iterator
from graphc.strategies.values import (
    CollectiveCommunication,
    InputContext,
    InputReplicationMode,
    ReduceOp,
)

__all__ = [
    "CentralStorageStrategy", "CollectiveAllReduceStrategy", "MirroredStrategy",
    "MultiWorkerMirroredStrategy", "OneDeviceStrategy", "ParameterServerStrategy",
    "ReplicaContext", "Strategy", "StrategyExtended", "experimental_set_strategy",
    "get_cross_replica_context", "get_loss_reduction", "get_replica_context", "get_strategy",
    "has_strategy", "in_cross_replica_context", "require_replica_context",
]  # fmt: skip

_DEVICE = "/replica:0/task:0/device:CPU:0"


class _Where(threading.local):
    """What is in force in a thread: pairs of a strategy and the context of its replica."""

    def __init__(self) -> None:
        self.stack: list[tuple[Strategy, ReplicaContext | None]] = []


_where = _Where()


def _now() -> tuple[Strategy, ReplicaContext | None]:
    return _where.stack[-1] if _where.stack else (_DEFAULT, _DEFAULT._context)


@contextlib.contextmanager
def _entered(strategy: Strategy, context: ReplicaContext | None) -> Iterator[None]:
    _where.stack.append((strategy, context))
    try:
        yield
    finally:
        _where.stack.pop()


class ReplicaContext:
    """What a function that runs once for each replica may ask for.

    Parameters
    ----------
    strategy : Strategy
    replica_id_in_sync_group : tensor or int
    """

    def __init__(self, strategy: Any, replica_id_in_sync_group: Any) -> None:
        self._strategy, self._id = strategy, replica_id_in_sync_group

    @property
    def strategy(self) -> Any:
        return self._strategy

    @property
    def num_replicas_in_sync(self) -> int:
        return 1

    @property
    def replica_id_in_sync_group(self) -> Any:
        return self._id if self._id is not None else tf.constant(0)

    @property
    def devices(self) -> tuple[str, ...]:
        return (_DEVICE,)

    def merge_call(self, merge_fn: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
        """Call a function once for all replicas, with the strategy before its arguments."""
        with _entered(self._strategy, None):
            return merge_fn(self._strategy, *args, **(kwargs or {}))

    def all_reduce(self, reduce_op: Any, value: Any) -> Any:
        """The sum or the mean of the replicas' values, for each of them."""
        _reduce_op(reduce_op)
        return tf.contrib.framework.nest.map_structure(tf.identity, value)


def _reduce_op(op: Any) -> ReduceOp:
    if isinstance(op, str):
        op = ReduceOp(op.upper())
    if not isinstance(op, ReduceOp):
        raise ValueError(f"`reduce_op` is to be one of tf.distribute.ReduceOp, not {op!r}")
    return op


class _InputIterator:
    """The elements of a dataset, those of one replica."""

    def __init__(self, dataset: Any) -> None:
        self._iterator = make_initializable_iterator(dataset)

    def initialize(self) -> Any:
        """The operation that begins with the first element."""
        return self._iterator.initializer

    @property
    def initializer(self) -> Any:
        return self._iterator.initializer

    def get_next(self, name: str | None = None) -> Any:
        """The next element."""
        return self._iterator.get_next(name)

    @property
    def output_shapes(self) -> Any:
        return self._iterator.output_shapes

    @property
    def output_types(self) -> Any:
        return self._iterator.output_types

    @property
    def output_classes(self) -> Any:
        return self._iterator.output_classes


class StrategyExtended:
    """What libraries ask of a strategy.

    Parameters
    ----------
    container_strategy : Strategy
    """

    def __init__(self, container_strategy: Any) -> None:
        self._strategy = container_strategy

    @property
    def worker_devices(self) -> tuple[str, ...]:
        return (_DEVICE,)

    @property
    def parameter_devices(self) -> tuple[str, ...]:
        return (_DEVICE,)

    @property
    def experimental_between_graph(self) -> bool:
        return False

    @property
    def experimental_require_static_shapes(self) -> bool:
        return False

    @property
    def experimental_should_init(self) -> bool:
        return True

    @property
    def should_checkpoint(self) -> bool:
        return True

    @property
    def should_save_summary(self) -> bool:
        return True

    @property
    def _num_replicas_in_sync(self) -> int:
        return 1

    def variable_created_in_scope(self, v: Any) -> bool:
        """Whether a variable was made under this strategy."""
        return getattr(v, "_distribute_strategy", None) is self._strategy

    def colocate_vars_with(self, colocate_with_variable: Any) -> Any:
        """A block whose variables are where another is: here that is all."""
        return contextlib.nullcontext()

    def call_for_each_replica(
        self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function once for each replica."""
        with _entered(self._strategy, self._strategy._context):
            return fn(*args, **(kwargs or {}))

    def reduce_to(self, reduce_op: Any, value: Any, destinations: Any) -> Any:
        """The sum or the mean of the replicas' values."""
        _reduce_op(reduce_op)
        return value

    def batch_reduce_to(self, reduce_op: Any, value_destination_pairs: Any) -> list[Any]:
        """`reduce_to` of several pairs."""
        _reduce_op(reduce_op)
        return [value for value, _ in value_destination_pairs]

    def broadcast_to(self, tensor: Any, destinations: Any) -> Any:
        """A value for every replica."""
        return tensor

    def update(
        self, var: Any, fn: Callable[..., Any], args: Any = (), kwargs: Any = None,
        group: bool = True,
    ) -> Any:  # fmt: skip
        """Call a function that changes a variable, wherever it is held."""
        result = fn(var, *args, **(kwargs or {}))
        return result if group else (result,)

    def update_non_slot(
        self, colocate_with: Any, fn: Callable[..., Any], args: Any = (), kwargs: Any = None,
        group: bool = True,
    ) -> Any:  # fmt: skip
        """Call a function that changes what belongs to no variable."""
        result = fn(*args, **(kwargs or {}))
        return result if group else (result,)

    def non_slot_devices(self, var_list: Any) -> tuple[str, ...]:
        """Where to hold what belongs to no variable."""
        return (_DEVICE,)

    def read_var(self, v: Any) -> Any:
        """The value of a variable."""
        return tf.identity(v)

    def value_container(self, value: Any) -> Any:
        """What holds a value on every replica: itself."""
        return value

    def experimental_make_numpy_dataset(self, numpy_input: Any, session: Any = None) -> Any:
        """A dataset of the rows of arrays."""
        return Dataset.from_tensor_slices(numpy_input)

    def experimental_run_steps_on_iterator(
        self, fn: Callable[..., Any], iterator: Any, iterations: int = 1,
        initial_loop_values: Any = None,
    ) -> Any:  # fmt: skip
        """Refused: a loop of steps on a device of its own."""
        raise NotImplementedError("one step a run: call experimental_run in a loop of sessions")


class Strategy:
    """How a model is computed on several devices, of which there is one here.

    Parameters
    ----------
    extended : StrategyExtended, optional

    Attributes
    ----------
    num_replicas_in_sync : int
    extended : StrategyExtended
    """

    def __init__(self, extended: Any = None) -> None:
        self._extended = extended or StrategyExtended(self)
        self._context = ReplicaContext(self, None)

    @property
    def extended(self) -> Any:
        return self._extended

    @property
    def num_replicas_in_sync(self) -> int:
        return 1

    @contextlib.contextmanager
    def scope(self) -> Iterator[Strategy]:
        """A block whose variables belong to this strategy; they are resource variables."""

        def owned(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
            kwargs["use_resource"] = True
            made = next_creator(**kwargs)
            with contextlib.suppress(AttributeError):
                made._distribute_strategy = self
            return made

        now = get_strategy()
        if now is not _DEFAULT and now is not self:
            raise RuntimeError(
                "Already entered the scope of another strategy: each is left before the next"
            )
        with _entered(self, None), tf.variable_creator_scope(owned):
            yield self

    def experimental_run_v2(
        self, fn: Callable[..., Any], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call a function once for each replica, with its part of the arguments."""
        return self._extended.call_for_each_replica(fn, args, kwargs)

    def experimental_run(self, fn: Callable[..., Any], input_iterator: Any = None) -> Any:
        """The same with the next element of an iterator as the argument."""
        args = () if input_iterator is None else (input_iterator.get_next(),)
        with self.scope():
            return self.experimental_run_v2(fn, args)

    def reduce(self, reduce_op: Any, value: Any, axis: int | None = None) -> Any:
        """The values of the replicas as one, and that reduced over an axis if it is given."""
        op = _reduce_op(reduce_op)
        if axis is None:
            return value
        return (tf.reduce_sum if op is ReduceOp.SUM else tf.reduce_mean)(value, axis)

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """The value of each replica of this machine."""
        return (value,)

    unwrap = experimental_local_results

    def group(self, value: Any, name: str | None = None) -> Any:
        """An operation that waits for the values of all replicas."""
        return value if name is None else tf.group(value, name=name)

    # ---- input

    def experimental_distribute_dataset(self, dataset: Any) -> Any:
        """The dataset in parts for the replicas: itself."""
        return dataset

    def experimental_distribute_datasets_from_function(self, dataset_fn: Any) -> Any:
        """The dataset of a function that takes an `InputContext`."""
        return dataset_fn(InputContext())

    def experimental_make_numpy_dataset(self, numpy_input: Any, session: Any = None) -> Any:
        """A dataset of the rows of arrays."""
        return self._extended.experimental_make_numpy_dataset(numpy_input, session)

    def make_dataset_iterator(self, dataset: Any) -> Any:
        """An iterator whose elements are parts for the replicas."""
        return _InputIterator(dataset)

    def make_input_fn_iterator(
        self, input_fn: Callable[..., Any],
        replication_mode: Any = InputReplicationMode.PER_WORKER,
    ) -> Any:  # fmt: skip
        """An iterator over the dataset of a function that takes an `InputContext`."""
        return _InputIterator(input_fn(InputContext()))

    # ---- settings

    def configure(
        self, session_config: Any = None, cluster_spec: Any = None, task_type: Any = None,
        task_id: Any = None,
    ) -> None:  # fmt: skip
        """Take over a cluster: there is none to take over."""
        _alone(cluster_spec)

    def update_config_proto(self, config_proto: Any) -> Any:
        """The configuration that sessions need."""
        return config_proto

    def colocate_vars_with(self, colocate_with_variable: Any) -> Any:
        """A block whose variables are where another is."""
        return self._extended.colocate_vars_with(colocate_with_variable)


def _alone(cluster_spec: Any) -> None:
    """Refuse more than one machine."""
    spec = {} if not cluster_spec else getattr(cluster_spec, "as_dict", lambda: cluster_spec)()
    if sum(len(tasks) for tasks in dict(spec).values()) > 1:
        raise ValueError(f"graphc computes on one machine, and the cluster has several: {spec}")


_CPU = re.compile(r"(?i)(.*/)?(device:)?cpu:0?|")


def _only_cpu(devices: Sequence[str] | None) -> None:
    """Refuse devices that are not this one.

    Raises
    ------
    AssertionError
        For one device twice.
    ValueError
        For several, and for one that is not here.
    """
    if not devices:
        return
    named = [str(d) for d in devices]
    if len(set(named)) != len(named):
        raise AssertionError(f"No duplicates allowed in `devices` argument: {named}")
    wrong = [d for d in named if not _CPU.fullmatch(d)]
    if wrong or len(named) > 1:
        raise ValueError(
            f"graphc computes on /cpu:0 with all its cores: there is no {(wrong or named)[-1]}. "
            "Leave the devices out, or give that one."
        )


class MirroredStrategy(Strategy):
    """A replica with a copy of each variable on every device.

    Parameters
    ----------
    devices : list of str, optional
        ``["/cpu:0"]`` is what there is.
    cross_device_ops : object, optional
    """

    def __init__(self, devices: Any = None, cross_device_ops: Any = None) -> None:
        _only_cpu(devices)
        super().__init__()


class OneDeviceStrategy(Strategy):
    """Everything on one device.

    Parameters
    ----------
    device : str
    """

    def __init__(self, device: str) -> None:
        _only_cpu([device])
        super().__init__()


class CentralStorageStrategy(Strategy):
    """Variables in one place, a replica on every device."""

    def __init__(self, compute_devices: Any = None, parameter_device: Any = None) -> None:
        _only_cpu(compute_devices)
        super().__init__()


class ParameterServerStrategy(Strategy):
    """Variables on servers of their own."""

    def __init__(self, cluster_resolver: Any = None) -> None:
        _alone(cluster_resolver.cluster_spec() if hasattr(cluster_resolver, "cluster_spec") else {})
        super().__init__()


class MultiWorkerMirroredStrategy(Strategy):
    """A replica on every device of every machine."""

    def __init__(self, communication: Any = CollectiveCommunication.AUTO) -> None:
        super().__init__()


class CollectiveAllReduceStrategy(Strategy):
    """The name of `MultiWorkerMirroredStrategy` in ``tf.contrib``."""

    def __init__(
        self, num_gpus_per_worker: int = 0, communication: Any = CollectiveCommunication.AUTO
    ) -> None:
        if num_gpus_per_worker:
            raise ValueError(f"there are no GPUs here: num_gpus_per_worker={num_gpus_per_worker}")
        super().__init__()


_DEFAULT = Strategy()


def get_strategy() -> Any:
    """The strategy in force; the default one outside of every scope."""
    return _now()[0]


def has_strategy() -> bool:
    """Whether a strategy was entered or set."""
    return get_strategy() is not _DEFAULT


def get_replica_context() -> Any:
    """The context of the replica, inside of a function that runs for each; else None."""
    return _now()[1]


def get_cross_replica_context() -> Any:
    """The strategy, where one is entered and no replica is running; else None."""
    strategy, context = _now()
    return strategy if context is None else None


def in_cross_replica_context() -> bool:
    """Whether a strategy is entered and no replica is running."""
    return _now()[1] is None


def require_replica_context(replica_ctx: Any) -> None:
    """Check that this is the context in force.

    Raises
    ------
    RuntimeError
        When it is not.
    """
    if not replica_ctx or _now()[1] is not replica_ctx:
        raise RuntimeError("Need to be inside a replica context.")


def experimental_set_strategy(strategy: Any) -> None:
    """Let a strategy be in force from here on; None for the default one.

    Raises
    ------
    RuntimeError
        Inside of the scope of another one.
    """
    if any(s is not strategy for s, _ in _where.stack[1:]):
        raise RuntimeError("Must not be called inside a `tf.distribute.Strategy` scope.")
    _where.stack[:] = [] if strategy is None else [(strategy, None)]


def get_loss_reduction() -> ReduceOp:
    """How losses of replicas are joined."""
    return ReduceOp.SUM
