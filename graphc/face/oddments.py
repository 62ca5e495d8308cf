"""Small names of ``tf``, ``tf.test``, ``tf.debugging`` and ``tf.user_ops``."""

from __future__ import annotations

import os
import re
import socket
from types import SimpleNamespace
from typing import Any

from graphc.errors import NotFoundError, UnimplementedError
from graphc.face.config import ConfigProto
from graphc.ops.convert import constant

__all__ = [
    "assert_equal_graph_def", "benchmark_config", "create_local_cluster",
    "get_log_device_placement", "load_file_system_library", "load_library", "load_op_library",
    "my_fact", "ops_used_by_graph_def", "set_log_device_placement",
]  # fmt: skip

_placement = SimpleNamespace(logged=False)


def get_log_device_placement() -> bool:
    """What `set_log_device_placement` was told."""
    return bool(_placement.logged)


def set_log_device_placement(enabled: bool) -> None:
    """Accepted and kept: all operations are on the one CPU."""
    _placement.logged = bool(enabled)


def my_fact(name: str | None = None) -> Any:
    """The fact that TensorFlow gives as an example of an op of users."""
    return constant("0! == 1", name=name or "Fact")


def ops_used_by_graph_def(graph_def: Any) -> list[str]:
    """The types of the nodes of a ``GraphDef``, and of those in functions that it uses."""
    functions = {f.signature.name: f for f in graph_def.library.function}
    found: dict[str, None] = {}
    waiting = [n.op for n in graph_def.node]
    while waiting:
        op = waiting.pop(0)
        if op not in found:
            found[op] = None
            waiting += [n.op for n in functions[op].node_def] if op in functions else []
    return [op for op in found if op not in functions]


def benchmark_config() -> Any:
    """The configuration of sessions of benchmarks, that of all others here."""
    return ConfigProto()


def create_local_cluster(
    num_workers: int, num_ps: int, protocol: str = "grpc", worker_config: Any = None,
    ps_config: Any = None,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Servers of a cluster in this process: lists of workers and of parameter servers."""
    from graphc.train.cluster import ClusterSpec, Server

    jobs = {
        job: [f"localhost:{_free_port()}" for _ in range(n)]
        for job, n in (("worker", num_workers), ("ps", num_ps))
    }
    cluster = ClusterSpec(jobs)

    def servers(job: str, config: Any) -> list[Any]:
        return [
            Server(cluster, job_name=job, protocol=protocol, task_index=i, config=config)
            for i in range(len(jobs[job]))
        ]

    return servers("worker", worker_config), servers("ps", ps_config)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])


def assert_equal_graph_def(
    actual: Any, expected: Any, checkpoint_v2: bool = False, hash_table_shared_name: bool = False
) -> None:
    """Raise AssertionError where two ``GraphDef`` differ; the order of nodes is no difference.

    Parameters
    ----------
    checkpoint_v2 : bool
        Ignore the random folders that savers write to.
    hash_table_shared_name : bool
        Ignore the names that hash tables share.
    """
    from graphc.proto import GraphDef

    for what, g in (("actual", actual), ("expected", expected)):
        if not isinstance(g, GraphDef):
            raise TypeError(f"Expected tf.GraphDef for {what}, got {type(g).__name__}")
    found, wanted = (
        {n.name: _compared(n, checkpoint_v2, hash_table_shared_name) for n in g.node}
        for g in (actual, expected)
    )
    if set(found) != set(wanted):
        raise AssertionError(
            f"only in actual: {sorted(set(found) - set(wanted))}, "
            f"only in expected: {sorted(set(wanted) - set(found))}"
        )
    for name, node in found.items():
        if node != wanted[name]:
            raise AssertionError(f"Node {name} differs: {node} is not {wanted[name]}")


def _compared(node: Any, checkpoint_v2: bool, hash_table_shared_name: bool) -> Any:
    """A copy of a node without what may differ."""
    made = type(node)()
    made.CopyFrom(node)
    if hash_table_shared_name and made.op in ("HashTableV2", "HashTable"):
        made.attr.pop("shared_name", None)
    if checkpoint_v2 and made.op == "Const":
        text = made.attr["value"].tensor.string_val
        for i, value in enumerate(text):
            text[i] = re.sub(rb"_temp_[0-9a-z]{32}/part", b"", value)
    return made


def _shared_object(path: Any) -> str:
    """The path of a file that is there.

    Raises
    ------
    tf.errors.NotFoundError
        When it is not.
    """
    name = str(os.fspath(path))
    if not os.path.exists(name):
        why = "cannot open shared object file: No such file or directory"
        raise NotFoundError(None, None, f"{name}: {why}")
    if os.path.isdir(name):
        raise NotFoundError(None, None, f"{name}: cannot read file data: Is a directory")
    return name


def load_op_library(library_filename: Any) -> Any:
    """Operations that are compiled for TensorFlow's C++ interface: they cannot run here.

    Raises
    ------
    tf.errors.NotFoundError
        When there is no such file.
    tf.errors.UnimplementedError
        When there is.
    """
    raise UnimplementedError(
        None, None,
        f"{_shared_object(library_filename)}: operations compiled for TensorFlow cannot run in "
        "graphc. graphc.extend adds operations with native code, tf.py_func calls Python.",
    )  # fmt: skip


def load_library(library_location: Any) -> None:
    """As `load_op_library`, for a file or all files ``*.so`` of a folder.

    Raises
    ------
    OSError
        When there is no such file or folder.
    tf.errors.UnimplementedError
        When there is a library.
    """
    name = os.fspath(library_location)
    if not os.path.exists(name):
        raise FileNotFoundError(
            2, "The file or folder to load kernel libraries from does not exist.", name
        )
    found = [name]
    if os.path.isdir(name):
        found = [os.path.join(name, f) for f in sorted(os.listdir(name)) if f.endswith(".so")]
    for library in found:
        load_op_library(library)


def load_file_system_library(library_filename: Any) -> None:
    """A file system for TensorFlow's C++ interface: it cannot be used here.

    Raises
    ------
    tf.errors.NotFoundError
        When there is no such file.
    tf.errors.UnimplementedError
        When there is.
    """
    raise UnimplementedError(
        None, None,
        f"{_shared_object(library_filename)}: file systems compiled for TensorFlow cannot be used "
        "in graphc, which reads local files: mount it.",
    )  # fmt: skip
