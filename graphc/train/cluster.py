"""Clusters: described as in TF1, and run in this process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from typing import Any

from graphc.face import logging
from graphc.face.devices import DeviceSpec
from graphc.face.engines import serve
from graphc.proto import message

__all__ = ["ClusterSpec", "Server", "replica_device_setter"]


class ClusterSpec:
    """Which tasks a cluster has: jobs with the addresses of their tasks.

    Parameters
    ----------
    cluster : dict or ClusterSpec
        From the name of a job to a list of addresses, or to a dict from task number to address.
    """

    def __init__(self, cluster: Any) -> None:
        if isinstance(cluster, ClusterSpec):
            self._jobs: dict[str, dict[int, str]] = {k: dict(v) for k, v in cluster._jobs.items()}
            return
        if hasattr(cluster, "job"):  # a ClusterDef
            cluster = {j.name: _listed(dict(j.tasks)) for j in cluster.job}
        if not isinstance(cluster, Mapping):
            raise TypeError("`cluster` must be a dictionary mapping one or more job names to lists "
                            "of network addresses, or a `ClusterDef` protocol buffer")  # fmt: skip
        self._jobs = {}
        for job, tasks in cluster.items():
            if isinstance(tasks, (list, tuple)):
                self._jobs[job] = dict(enumerate(map(str, tasks)))
            elif isinstance(tasks, Mapping):
                self._jobs[job] = {int(i): str(a) for i, a in tasks.items()}
            else:
                raise TypeError(f"The tasks for job {job!r} must be a list or a dictionary.")

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClusterSpec) and self._jobs == other._jobs

    def __hash__(self) -> int:
        return hash(str(self._jobs))

    def __repr__(self) -> str:
        return f"ClusterSpec({self.as_dict()!r})"

    def _job(self, job_name: str) -> dict[int, str]:
        found = self._jobs.get(job_name)
        if found is None:
            raise ValueError(f"No such job in cluster: {job_name!r}")
        return found

    @property
    def jobs(self) -> list[str]:
        return list(self._jobs)

    def as_dict(self) -> dict[str, Any]:
        """Jobs with a list of addresses, or a dict where numbers are left out."""
        return {job: _listed(tasks) for job, tasks in self._jobs.items()}

    def as_cluster_def(self) -> Any:
        """The cluster as a message (`tf.train.ClusterDef`)."""
        made = message("ClusterDef")()
        for name in sorted(self._jobs):
            job = made.job.add(name=name)
            for i, address in sorted(self._jobs[name].items()):
                job.tasks[i] = address
        return made

    def num_tasks(self, job_name: str) -> int:
        """How many tasks a job has."""
        return len(self._job(job_name))

    def task_indices(self, job_name: str) -> list[int]:
        """The numbers of a job's tasks, sorted."""
        return sorted(self._job(job_name))

    def task_address(self, job_name: str, task_index: int) -> str:
        """The address of a task."""
        found = self._job(job_name).get(task_index)
        if found is None:
            raise ValueError(f"No task with index {task_index!r} in job {job_name!r}")
        return found

    def job_tasks(self, job_name: str) -> list[str | None]:
        """The addresses of a job's tasks by number, None where one is left out."""
        tasks = self._job(job_name)
        return [tasks.get(i) for i in range(max(tasks, default=-1) + 1)]


def _listed(tasks: Mapping[int, str]) -> Any:
    """Addresses by task, as a list where no number is left out."""
    numbers = sorted(tasks)
    whole = numbers == list(range(len(tasks)))
    return [tasks[i] for i in numbers] if whole else dict(tasks)


class Server:
    """Stands for a server of a cluster; graphc runs everything in this process.

    Parameters
    ----------
    server_or_cluster_def : ClusterSpec, ServerDef, ClusterDef or dict
    job_name : str, optional
    task_index : int, optional
    """

    def __init__(
        self, server_or_cluster_def: Any, job_name: str | None = None,
        task_index: int | None = None, protocol: str | None = None, config: Any = None,
        start: bool = True,
    ) -> None:  # fmt: skip
        given = server_or_cluster_def
        if hasattr(given, "cluster"):  # a ServerDef
            job_name = given.job_name if job_name is None else job_name
            task_index = given.task_index if task_index is None else task_index
            protocol, given = protocol or given.protocol, given.cluster
        self._cluster = ClusterSpec(given)
        self._job_name = job_name
        self._task_index = task_index
        self._protocol = protocol or "grpc"
        jobs = self._cluster._jobs
        if job_name is None and len(jobs) == 1:
            job_name = next(iter(jobs))
        tasks = jobs.get(job_name or "", {})
        own = tasks.get(task_index or 0, "localhost:0")
        others = [a for job in jobs.values() for a in job.values() if not a.endswith(":0")]
        self._address, self._engine = serve(own, others)

    @staticmethod
    def create_local_server(config: Any = None, start: bool = True) -> Server:
        """A server of a cluster of one."""
        return Server({"local": ["localhost:0"]}, "local", 0)

    @property
    def server_def(self) -> Any:
        return message("ServerDef")(
            cluster=self._cluster.as_cluster_def(), job_name=self._job_name or "",
            task_index=self._task_index or 0, protocol=self._protocol,
        )  # fmt: skip

    @property
    def target(self) -> str:
        """What to give to a session, such as ``grpc://localhost:2222``."""
        return f"{self._protocol}://{self._address}"

    def start(self) -> None:
        """Nothing to do."""

    def join(self) -> None:
        """Wait for ever, as a parameter server does."""
        while True:
            threading.Event().wait(3600)


def replica_device_setter(
    ps_tasks: int = 0, ps_device: str = "/job:ps", worker_device: str = "/job:worker",
    merge_devices: bool = True, cluster: Any = None, ps_ops: Any = None, ps_strategy: Any = None,
) -> Any:  # fmt: skip
    """A device function for `tf.device`: variables on the tasks of a job, the rest on a worker.

    Parameters
    ----------
    ps_tasks : int
        How many tasks there are; with `cluster` those of the job of `ps_device`.
    merge_devices : bool
        Whether the device of an operation that says one is added to.
    ps_ops : list of str, optional
        The types of operations on these tasks: variables and tables by default.
    ps_strategy : callable, optional
        From such an operation to the number of its task: one after the other by default.

    Returns
    -------
    callable or None
        None where there are no tasks.

    Raises
    ------
    TypeError
        When `ps_strategy` is no function.
    """
    if cluster is not None:
        name = DeviceSpec.from_string(ps_device).job
        spec = ClusterSpec(cluster)
        ps_tasks = spec.num_tasks(name) if name in spec.jobs else 0
    if not ps_tasks:
        return None
    if not merge_devices:
        logging.warning(
            "DEPRECATION: It is recommended to set merge_devices=true in replica_device_setter"
        )
    kinds = frozenset(_PS_OPS if ps_ops is None else ps_ops)
    turns = itertools.cycle(range(ps_tasks))
    strategy = (lambda op: next(turns)) if ps_strategy is None else ps_strategy
    if not callable(strategy):
        raise TypeError("ps_strategy must be callable")

    def device(op: Any) -> str:
        if op.device and not merge_devices:
            return str(op.device)
        own = DeviceSpec.from_string(op.device)
        if not ps_device or op.type not in kinds:
            return DeviceSpec.from_string(worker_device or "").make_merged_spec(own).to_string()
        on = DeviceSpec.from_string(ps_device)
        if on.job and own.job in (None, "", on.job):
            on.task = strategy(op)
        return on.make_merged_spec(own).to_string()

    return device


#: Operations that hold what all workers read.
_PS_OPS = (
    "AutoReloadVariable", "BoostedTreesEnsembleResourceHandleOp",
    "BoostedTreesQuantileStreamResourceHandleOp", "MutableDenseHashTable",
    "MutableDenseHashTableV2", "MutableHashTable", "MutableHashTableOfTensors",
    "MutableHashTableOfTensorsV2", "MutableHashTableV2", "ResourceConditionalAccumulator",
    "VarHandleOp", "Variable", "VariableV2",
)  # fmt: skip
