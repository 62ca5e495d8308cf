"""`SyncReplicasOptimizer`: with one replica, the optimizer it wraps."""

from __future__ import annotations

from typing import Any

from graphc.ops.state import no_op
from graphc.train.optimizer import Optimizer
from graphc.train.session_run_hook import SessionRunHook

__all__ = ["SyncReplicasOptimizer"]


class _Nothing(SessionRunHook):
    """There is nobody to wait for."""


class SyncReplicasOptimizer(Optimizer):
    """Applies the gradients of the one replica there is at once.

    Parameters
    ----------
    opt : Optimizer
    replicas_to_aggregate, total_num_replicas : int
        Accepted; graphc has one replica.
    variable_averages : ExponentialMovingAverage, optional
        Applied to `variables_to_average` after each update.
    """

    def __init__(
        self, opt: Optimizer, replicas_to_aggregate: int, total_num_replicas: int | None = None,
        variable_averages: Any = None, variables_to_average: Any = None, use_locking: bool = False,
        name: str = "sync_replicas",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt = opt
        self._averages = variable_averages
        self._averaged = variables_to_average
        self._applied = False

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        """Those of the wrapped optimizer."""
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(
        self, grads_and_vars: Any, global_step: Any = None, name: Any = None
    ) -> Any:
        """That of the wrapped optimizer.

        Raises
        ------
        ValueError
            Without a global step.
        """
        if not grads_and_vars:
            raise ValueError("Must supply at least one variable")
        if global_step is None:
            raise ValueError("Global step is required to check staleness")
        self._applied = True
        train = self._opt.apply_gradients(grads_and_vars, global_step, name)
        if self._averages is None:
            return train
        from graphc.face.current import control_dependencies

        with control_dependencies([train]):
            return self._averages.apply(self._averaged)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot_names(*args, **kwargs)

    def variables(self) -> Any:
        return self._opt.variables()

    def _check(self, what: str) -> None:
        if not self._applied:
            raise ValueError(f"{what} should be called after apply_gradients().")

    def get_chief_queue_runner(self) -> Any:
        """A runner of a queue that nobody reads: of one replica, none has to wait."""
        from graphc.data.queues import FIFOQueue
        from graphc.train.queue_runner import QueueRunner

        self._check("get_chief_queue_runner")
        q = FIFOQueue(1, "int64", [[]], name="dummy_queue")
        return QueueRunner(q, [q.enqueue(0)])

    def get_init_tokens_op(self, num_tokens: int = -1) -> Any:
        """An operation that does nothing."""
        self._check("get_init_tokens_op")
        return no_op()

    def make_session_run_hook(self, is_chief: bool, num_tokens: int = -1) -> SessionRunHook:
        """A hook that does nothing."""
        return _Nothing()

    @property
    def chief_init_op(self) -> Any:
        return self._nothing()

    @property
    def local_step_init_op(self) -> Any:
        return self._nothing()

    @property
    def ready_for_local_init_op(self) -> Any:
        from graphc.face.variables import global_variables, report_uninitialized_variables

        return report_uninitialized_variables(global_variables())

    def _nothing(self) -> Any:
        return no_op()
