"""`ConfigProto` and its kin: every TF1 field is accepted; graphc's own begin with ``graphc_``."""

from __future__ import annotations

import copy
from typing import Any, ClassVar, TypeVar

from graphc import proto

__all__ = [
    "ConfigProto", "GPUOptions", "GraphOptions", "OptimizerOptions", "RewriterConfig",
    "RunOptions", "ThreadPoolOptionProto",
]  # fmt: skip

M = TypeVar("M", bound="Message")


class Message:
    """A record with known fields, used like a protocol buffer message.

    ``fields`` gives each field's default; a message class is a nested message, made when it is
    first asked for; lists and dicts are copied; a list of one class holds messages of that class.
    """

    fields: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            if name not in self.fields:
                raise ValueError(f'Protocol message {type(self).__name__} has no "{name}" field.')
            self._assign(name, value)

    def _assign(self, name: str, value: Any) -> None:
        kind = self.fields[name]
        if isinstance(kind, type) and isinstance(value, dict):
            value = kind(**value)
        elif isinstance(kind, type) and not isinstance(value, kind):
            raise TypeError(
                f"Parameter to initialize message field must be dict or instance of same class: "
                f"expected {kind.__name__} got {type(value).__name__}."
            )
        elif isinstance(kind, list) and kind:
            value = [kind[0](**v) if isinstance(v, dict) else v for v in value]
        elif isinstance(kind, list | dict) and not isinstance(kind, type):
            value = type(kind)(value)
        elif isinstance(kind, bool):
            value = bool(value)
        elif isinstance(kind, int | float) and not isinstance(value, int | float):
            raise TypeError(
                f"{value!r} has type {type(value).__name__}, but expected a number for {name}."
            )
        self.__dict__[name] = value

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).fields:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        kind = self.fields[name]
        if isinstance(kind, type):
            value = self.__dict__[name] = kind()
        elif isinstance(kind, list | dict):
            value = self.__dict__[name] = type(kind)()
        else:
            value = kind
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.fields:
            raise AttributeError(
                f'Assignment not allowed (no field "{name}" in protocol message object).'
            )
        self._assign(name, value)

    @property
    def DESCRIPTOR(self) -> Any:
        """What ``google.protobuf.text_format`` asks to read text into the message."""
        return proto.message(type(self).__name__).DESCRIPTOR

    def SetInParent(self) -> None:
        """Nothing: a nested message is there once it was asked for."""

    def HasField(self, name: str) -> bool:
        """Whether the field was set."""
        return name in self.__dict__

    def ClearField(self, name: str) -> None:
        """Unset the field."""
        self.__dict__.pop(name, None)

    def CopyFrom(self, other: Any) -> None:
        """Take every field of `other`."""
        self.__dict__.clear()
        self.__dict__.update(copy.deepcopy(other.__dict__))

    def MergeFrom(self, other: Any) -> None:
        """Take the fields that `other` has set: nested messages are merged, lists joined."""
        for name, value in copy.deepcopy(other.__dict__).items():
            mine = self.__dict__.get(name)
            if isinstance(mine, Message) and isinstance(value, Message):
                mine.MergeFrom(value)
            elif isinstance(mine, list):
                mine.extend(value)
            elif isinstance(mine, dict):
                mine.update(value)
            else:
                self.__dict__[name] = value

    def SerializeToString(self) -> bytes:
        """The fields as text."""
        return str(self).encode()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        out = []
        for name in self.fields:
            if name not in self.__dict__:
                continue
            value = self.__dict__[name]
            if isinstance(value, Message):
                inner = "".join(f"  {line}\n" for line in str(value).splitlines())
                out.append(f"{name} {{\n{inner}}}\n")
            else:
                out.append(f"{name}: {value}\n")
        return "".join(out)

    __repr__ = __str__


class GPUOptions(Message):
    """Accepted and ignored: graphc runs on the CPU."""

    fields: ClassVar[dict[str, Any]] = {
        "per_process_gpu_memory_fraction": 0.0, "allow_growth": False, "allocator_type": "",
        "deferred_deletion_bytes": 0, "visible_device_list": "", "polling_active_delay_usecs": 0,
        "polling_inactive_delay_msecs": 0, "force_gpu_compatible": False, "experimental": None,
    }  # fmt: skip


class OptimizerOptions(Message):
    """Levels of optimisation; ``opt_level=L0`` asks graphc for none."""

    L1 = 0
    L0 = -1
    DEFAULT = 0
    OFF = -1
    ON_1 = 1
    ON_2 = 2
    fields: ClassVar[dict[str, Any]] = {
        "do_common_subexpression_elimination": False, "do_constant_folding": False,
        "max_folded_constant_in_bytes": 0, "do_function_inlining": False, "opt_level": 0,
        "global_jit_level": 0,
    }  # fmt: skip


class RewriterConfig(Message):
    """Accepted and ignored."""

    DEFAULT = 0
    ON = 1
    OFF = 2
    AGGRESSIVE = 3
    NO_MEM_OPT = 1
    MANUAL = 2
    fields: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("layout_optimizer", "constant_folding", "shape_optimization", "remapping",
         "arithmetic_optimization", "dependency_optimization", "loop_optimization",
         "function_optimization", "debug_stripper", "scoped_allocator_optimization",
         "pin_to_host_optimization", "implementation_selector", "auto_mixed_precision",
         "meta_optimizer_iterations", "min_graph_nodes", "memory_optimization",
         "meta_optimizer_timeout_ms"), 0
    ) | {"disable_model_pruning": False, "disable_meta_optimizer": False,
         "fail_on_optimizer_errors": False, "memory_optimizer_target_node_name_scope": "",
         "optimizers": [], "custom_optimizers": []}  # fmt: skip


class GraphOptions(Message):
    """How a graph is optimised: see `OptimizerOptions`."""

    fields: ClassVar[dict[str, Any]] = {
        "enable_recv_scheduling": False, "optimizer_options": OptimizerOptions,
        "build_cost_model": 0, "build_cost_model_after": 0, "infer_shapes": False,
        "place_pruned_graph": False, "enable_bfloat16_sendrecv": False, "timeline_step": 0,
        "rewrite_options": RewriterConfig,
    }  # fmt: skip


class ThreadPoolOptionProto(Message):
    """Accepted and ignored."""

    fields: ClassVar[dict[str, Any]] = {"num_threads": 0, "global_name": ""}


class ConfigProto(Message):
    """Options of a session.

    Attributes
    ----------
    intra_op_parallelism_threads : int
        Threads of a run; 0 is one for each core.
    graphc_level : int
        How much graphc optimises: 0, 1 or 2.
    graphc_passes : str
        The pipeline as text, instead of that of the level.
    graphc_passes_off : list of str
        Passes to leave out, also as text with commas.
    graphc_check : bool
        Verify the graph after each pass.
    graphc_check_numerics : bool
        A run that makes an infinity or a NaN raises InvalidArgumentError, which names the op and
        what it was given; nothing is committed.
    graphc_memory_limit : int
        Bytes that the temporaries of a run may take; see `Session`. With a limit no value that is
        made of variables alone is kept from run to run.
    operation_timeout_in_ms : int
        ``RunOptions(timeout_in_ms=…)`` for each run.

    Other fields of TF1 are accepted.

    Examples
    --------
    >>> import graphc as tf
    >>> config = tf.ConfigProto(allow_soft_placement=True, graphc_level=1)
    >>> config.gpu_options.allow_growth = True
    """

    fields: ClassVar[dict[str, Any]] = {
        "device_count": {}, "intra_op_parallelism_threads": 0, "inter_op_parallelism_threads": 0,
        "use_per_session_threads": False, "session_inter_op_thread_pool": [],
        "placement_period": 0, "device_filters": [], "gpu_options": GPUOptions,
        "allow_soft_placement": False, "log_device_placement": False,
        "graph_options": GraphOptions, "operation_timeout_in_ms": 0, "rpc_options": None,
        "cluster_def": None, "isolate_session_state": False,
        "share_cluster_devices_in_session": False, "experimental": None,
        "graphc_level": 2, "graphc_passes": "", "graphc_passes_off": [], "graphc_check": False,
        "graphc_check_numerics": False, "graphc_memory_limit": 0,
    }  # fmt: skip

    def _assign(self, name: str, value: Any) -> None:
        if name == "graphc_passes_off" and isinstance(value, str):
            value = [s.strip() for s in value.split(",")]  # as the pipeline is written
        super()._assign(name, value)


class RunOptions(Message):
    """Options of a run.

    Attributes
    ----------
    trace_level : int
        Anything but ``NO_TRACE`` has the run write down when each step began and ended, into the
        `RunMetadata` given beside it.
    output_partition_graphs : bool
        Put the part of the graph that the run needs into the metadata.
    timeout_in_ms : int
        Where it is positive and the run takes longer, it ends with DeadlineExceededError, and
        variables stay as they were. What Python does (a ``py_func``) is not interrupted.

    Other fields of TF1 are accepted.
    """

    NO_TRACE = 0
    SOFTWARE_TRACE = 1
    HARDWARE_TRACE = 2
    FULL_TRACE = 3
    fields: ClassVar[dict[str, Any]] = {
        "trace_level": 0, "timeout_in_ms": 0, "inter_op_thread_pool": 0,
        "output_partition_graphs": False, "debug_options": None,
        "report_tensor_allocations_upon_oom": False, "experimental": None,
    }  # fmt: skip


class AllocatorMemoryUsed(Message):
    """What an allocator holds."""

    fields: ClassVar[dict[str, Any]] = {
        "allocator_name": "", "total_bytes": 0, "peak_bytes": 0, "live_bytes": 0,
        "allocation_records": [], "allocator_bytes_in_use": 0,
    }  # fmt: skip


class _Dim(Message):
    fields: ClassVar[dict[str, Any]] = {"size": 0, "name": ""}


class _Shape(Message):
    fields: ClassVar[dict[str, Any]] = {"dim": [_Dim], "unknown_rank": False}


class _Allocation(Message):
    fields: ClassVar[dict[str, Any]] = {
        "requested_bytes": 0, "allocated_bytes": 0, "allocator_name": "", "allocation_id": 0,
        "has_single_reference": False, "ptr": 0,
    }  # fmt: skip


class _Tensor(Message):
    fields: ClassVar[dict[str, Any]] = {
        "dtype": 0, "shape": _Shape, "allocation_description": _Allocation,
    }  # fmt: skip


class NodeOutput(Message):
    """A result of a step."""

    fields: ClassVar[dict[str, Any]] = {"slot": 0, "tensor_description": _Tensor}


class NodeExecStats(Message):
    """One step, once."""

    fields: ClassVar[dict[str, Any]] = {
        "node_name": "", "all_start_micros": 0, "op_start_rel_micros": 0, "op_end_rel_micros": 0,
        "all_end_rel_micros": 0, "memory": [AllocatorMemoryUsed], "output": [NodeOutput],
        "timeline_label": "", "scheduled_micros": 0, "thread_id": 0, "referenced_tensor": [],
        "memory_stats": None, "all_start_nanos": 0, "op_start_rel_nanos": 0,
        "op_end_rel_nanos": 0, "all_end_rel_nanos": 0, "scheduled_nanos": 0,
    }  # fmt: skip


class DeviceStepStats(Message):
    """The steps on a device."""

    fields: ClassVar[dict[str, Any]] = {
        "device": "", "node_stats": [NodeExecStats], "thread_names": {},
    }  # fmt: skip


class StepStats(Message):
    """The steps of a run."""

    fields: ClassVar[dict[str, Any]] = {"dev_stats": [DeviceStepStats]}


class RunMetadata(Message):
    """What a run reports, where the tensorboard package with TensorFlow's message is missing.

    See `graphc.see.metadata`.
    """

    fields: ClassVar[dict[str, Any]] = {
        "step_stats": StepStats, "cost_graph": None, "partition_graphs": [], "function_graphs": [],
    }  # fmt: skip
