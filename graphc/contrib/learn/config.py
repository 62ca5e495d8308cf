"""``tf.contrib.learn.RunConfig``: how an estimator runs, with what TF_CONFIG says of a cluster."""

from __future__ import annotations

import json
import os
from typing import Any

import graphc
from graphc.estimator.spec import RunConfig as Core

__all__ = ["Environment", "RunConfig"]

tf: Any = graphc

#: What makes no difference to the work: it is left out of `RunConfig.uid`.
_NO_MATTER = (
    "tf_random_seed", "save_summary_steps", "save_checkpoints_steps", "save_checkpoints_secs",
    "session_config", "keep_checkpoint_max", "keep_checkpoint_every_n_hours",
    "log_step_count_steps",
)  # fmt: skip


class Environment:
    """Where a program runs."""

    LOCAL = "local"
    CLOUD = "cloud"
    GOOGLE = "google"


def _told() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(os.environ.get("TF_CONFIG") or "{}")
    return found


class RunConfig(Core):
    """How an estimator of contrib.learn runs.

    The cluster of TF_CONFIG can be read off; there is one process here.

    Parameters
    ----------
    num_cores, log_device_placement, gpu_memory_fraction
        Kept in `tf_config`.
    tf_random_seed, save_summary_steps, model_dir, session_config, ...
        As in ``tf.estimator.RunConfig``; a checkpoint is saved every 600 seconds by default.
    """

    environment = Environment.LOCAL
    tf_config: Any = None

    def __init__(
        self, master: str | None = None, num_cores: int = 0, log_device_placement: bool = False,
        gpu_memory_fraction: float = 1, tf_random_seed: int | None = None,
        save_summary_steps: int | None = 100, save_checkpoints_secs: Any = 0,
        save_checkpoints_steps: Any = None, keep_checkpoint_max: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000, log_step_count_steps: int | None = 100,
        protocol: Any = None, evaluation_master: str = "", model_dir: str | None = None,
        session_config: Any = None, session_creation_timeout_secs: float = 7200,
    ) -> None:  # fmt: skip
        if save_checkpoints_secs == 0:
            save_checkpoints_secs = 600 if save_checkpoints_steps is None else None
        super().__init__(
            model_dir, tf_random_seed, save_summary_steps, None, None, session_config,
            keep_checkpoint_max, keep_checkpoint_every_n_hours, log_step_count_steps,
            protocol=protocol, session_creation_timeout_secs=session_creation_timeout_secs,
        )  # fmt: skip
        self.save_checkpoints_secs = save_checkpoints_secs
        self.save_checkpoints_steps = save_checkpoints_steps
        self.evaluation_master = evaluation_master or ""
        self.tf_config = tf.ConfigProto(
            log_device_placement=log_device_placement, inter_op_parallelism_threads=num_cores,
            intra_op_parallelism_threads=num_cores,
            gpu_options=tf.GPUOptions(per_process_gpu_memory_fraction=gpu_memory_fraction),
        )  # fmt: skip
        self._join(master)

    def _join(self, master: str | None) -> None:
        """What TF_CONFIG says of the cluster and of this task in it."""
        told = _told()
        task = told.get("task", {})
        jobs = told.get("cluster", {})
        self.cluster_spec: Any = tf.train.ClusterSpec(jobs)
        self.task_type: Any = task.get("type")
        self.task_id = self.get_task_id()
        self.environment = told.get("environment", Environment.LOCAL)
        self.num_ps_replicas = len(jobs.get(TASK_PS, []))
        self.num_worker_replicas = len(jobs.get("worker", [])) + len(jobs.get("master", []))
        if master is None:
            alone = sum(map(len, jobs.values())) <= 1
            master = "" if alone or not self.task_type else (
                "grpc://" + jobs[self.task_type][self.task_id]
            )  # fmt: skip
        self.master = master
        first = self.task_id == 0
        if self.environment == Environment.CLOUD:
            self.is_chief = first and self.task_type == "master"
        elif self.task_type is not None:
            self.is_chief = first and self.task_type == "worker"
        else:
            self.is_chief = first

    @staticmethod
    def get_task_id() -> int:
        """The number of this task, as TF_CONFIG says."""
        return int(_told().get("task", {}).get("index") or 0)

    def uid(self, whitelist: Any = None) -> str:
        """A text of all that matters to the work; two configurations of one text are the same."""
        left_out = _NO_MATTER if whitelist is None else whitelist
        rows = sorted((k, v) for k, v in vars(self).items() if k not in left_out)
        return ", ".join(
            f"_{k}={v.as_dict() if k == 'cluster_spec' else v!r}" for k, v in rows
        )  # fmt: skip


TASK_PS = "ps"
