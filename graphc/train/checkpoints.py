"""Checkpoints on disk: what is there, what it holds, and the ``checkpoint`` file of a folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphc.checkpoint import files
from graphc.checkpoint.bundle import BundleReader, data_name
from graphc.checkpoint.slices import slice_key
from graphc.checkpoint.state import CheckpointState, parse_state
from graphc.checkpoint.stored import Entry
from graphc.checkpoint.tables import TableReader, open_checkpoint, table_files
from graphc.errors import InvalidArgumentError, NotFoundError, UnimplementedError
from graphc.face import logging
from graphc.ir.dtypes import DType

__all__ = [
    "CheckpointReader", "NewCheckpointReader", "checkpoint_exists", "checkpoints_iterator",
    "generate_checkpoint_state_proto", "get_checkpoint_mtimes", "get_checkpoint_state", "last_good",
    "latest_checkpoint", "list_variables", "load_checkpoint", "load_variable", "remove_checkpoint",
    "update_checkpoint_state", "write_state",
]  # fmt: skip


def _path(p: Any) -> str:
    return p.decode() if isinstance(p, bytes) else os.fspath(p)


# --------------------------------------------------------------------- one checkpoint


class CheckpointReader:
    """What a checkpoint holds, by name.

    Parameters
    ----------
    filepattern : str
        The path of the checkpoint without ``.index``.

    Raises
    ------
    InvalidArgumentError
        When there is no such folder.
    NotFoundError
        When there is no such checkpoint in it.
    DataLossError
        When its index is damaged.
    """

    def __init__(self, filepattern: Any) -> None:
        prefix = _path(filepattern)
        folder = os.path.dirname(prefix) or "."
        if not os.path.isdir(folder):
            raise InvalidArgumentError(
                None, None,
                f"Unsuccessful TensorSliceReader constructor: Failed to get matching files on "
                f"{prefix}: Not found: {folder}; No such file or directory",
            )  # fmt: skip
        self._bundle = open_checkpoint(prefix)

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is a tensor of that name."""
        return tensor_str in self._bundle.entries

    def get_tensor(self, tensor_str: str) -> Any:
        """The value of a tensor as an array (bytes for a scalar string).

        Raises
        ------
        NotFoundError
            When there is none of that name.
        DataLossError
            When its bytes are damaged.
        UnimplementedError
            Where a checkpoint of the first format (V1) has it in slices, as in TensorFlow.
        """
        old = isinstance(self._bundle, TableReader)
        if old and self._bundle.entry(tensor_str).slices:
            raise UnimplementedError(None, None, "Sliced checkpoints are not supported")
        value = self._bundle.tensor(tensor_str)
        return value[()] if value.dtype == object and not value.ndim else value

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Name → shape."""
        return {n: list(e.shape) for n, e in self._bundle.entries.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """Name → element type."""
        return {n: e.dtype for n, e in self._bundle.entries.items()}

    def debug_string(self) -> bytes:
        """A line for each stored tensor or slice: name, type, shape."""
        rows: list[tuple[bytes, Entry, Sequence[int]]] = []
        for name, e in self._bundle.entries.items():
            for s in e.slices:
                rows.append((slice_key(name, s), e, [n for _, n in s.resolve(e.shape)]))
            if not e.slices:
                rows.append((name.encode(), e, e.shape))
        return b"".join(
            [
                key + f" ({_ENUMS[e.dtype.name]}) [{','.join(map(str, shape))}]\n".encode()
                for key, e, shape in sorted(rows, key=lambda row: row[0])
            ]
        )


_ENUMS = {
    "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "int32": "DT_INT32", "uint8": "DT_UINT8",
    "int16": "DT_INT16", "int8": "DT_INT8", "string": "DT_STRING", "int64": "DT_INT64",
    "bool": "DT_BOOL", "bfloat16": "DT_BFLOAT16", "uint16": "DT_UINT16", "float16": "DT_HALF",
    "uint32": "DT_UINT32", "uint64": "DT_UINT64",
}  # fmt: skip


def NewCheckpointReader(filepattern: Any) -> CheckpointReader:
    """A `CheckpointReader` of the checkpoint with that path."""
    return CheckpointReader(filepattern)


def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """A reader of a checkpoint, or of the latest one in a folder.

    Raises
    ------
    ValueError
        When the folder has none.
    """
    path = _path(ckpt_dir_or_file)
    found = latest_checkpoint(path) if os.path.isdir(path) else path
    if found is None:
        raise ValueError(
            f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}"
        )
    return CheckpointReader(found)


def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """The value of a variable in a checkpoint; ``:0`` after the name is left out."""
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))


def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """Pairs (name, shape) of what a checkpoint holds, by name."""
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


def checkpoint_exists(checkpoint_prefix: Any) -> bool:
    """Whether there is a checkpoint of that path, in the format of today or the first one.

    Raises
    ------
    NotFoundError
        When there is no such folder.
    """
    prefix = _path(checkpoint_prefix)
    folder = os.path.dirname(prefix) or "."
    if not os.path.isdir(folder):
        raise NotFoundError(None, None, f"{folder}; No such file or directory")
    return os.path.isfile(prefix + ".index") or bool(table_files(prefix))


def get_checkpoint_mtimes(checkpoint_prefixes: Sequence[Any]) -> list[float]:
    """When the checkpoints were written, in seconds since 1970; those that are gone left out."""
    out = []
    for prefix in checkpoint_prefixes:
        path = _path(prefix)
        for name in (path + ".index", *table_files(path)[:1]):
            if os.path.exists(name):
                with contextlib.suppress(OSError):
                    out.append(os.path.getmtime(name))
                break
    return out


def remove_checkpoint(
    checkpoint_prefix: Any, checkpoint_format_version: int = 2, meta_graph_suffix: str = "meta"
) -> None:
    """Remove the files of a checkpoint; those that are not there are no error."""
    prefix = _path(checkpoint_prefix)
    shards = 1
    with contextlib.suppress(Exception):  # a damaged index must not keep the files
        shards = BundleReader(prefix).shards
    # the index first: no index, no checkpoint
    gone = [prefix + ".index", *[data_name(prefix, i, shards) for i in range(shards)]]
    if checkpoint_format_version == 1:
        gone += table_files(prefix)
    for path in [*gone, f"{prefix}.{meta_graph_suffix}"]:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)


# --------------------------------------------------------------------- the state of a folder


def _state_path(folder: str, latest_filename: str | None) -> str:
    return os.path.join(folder, latest_filename or "checkpoint")


def generate_checkpoint_state_proto(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Sequence[Any] | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> CheckpointState:
    """The state of a folder, with paths as it keeps them: relative ones are below the folder.

    Raises
    ------
    ValueError
        When there are timestamps, but not one for each path.
    """
    folder, latest = _path(save_dir), _path(model_checkpoint_path)
    paths = [_path(p) for p in all_model_checkpoint_paths or ()]
    times = all_model_checkpoint_timestamps
    if times and len(times) != len(paths):
        raise ValueError(
            "Checkpoint timestamps, if provided, must match checkpoint paths (given "
            f"{len(paths)} paths and {len(times)} timestamps.)"
        )
    if not paths or paths[-1] != latest:
        paths.append(latest)
    if not os.path.isabs(folder):  # both are then relative to the folder the process is in
        paths = [p if os.path.isabs(p) else os.path.relpath(p, folder) for p in paths]
        latest = latest if os.path.isabs(latest) else os.path.relpath(latest, folder)
    return CheckpointState(latest, paths, list(times or ()), last_preserved_timestamp or 0.0)


def update_checkpoint_state(
    save_dir: Any,
    model_checkpoint_path: Any,
    all_model_checkpoint_paths: Sequence[Any] | None = None,
    latest_filename: str | None = None,
    all_model_checkpoint_timestamps: Sequence[float] | None = None,
    last_preserved_timestamp: float | None = None,
) -> None:
    """Write the ``checkpoint`` file of a folder.

    Raises
    ------
    RuntimeError
        When the file would replace the checkpoint itself.
    """
    write_state(
        save_dir, model_checkpoint_path, all_model_checkpoint_paths, latest_filename,
        all_model_checkpoint_timestamps, last_preserved_timestamp,
    )  # fmt: skip


def write_state(
    save_dir: Any, latest: Any, paths: Sequence[Any] | None = None, filename: str | None = None,
    times: Sequence[float] | None = None, preserved: float | None = None, relative: bool = False,
) -> None:  # fmt: skip
    """`update_checkpoint_state`, where `relative` keeps paths relative to the folder."""
    folder = _path(save_dir)
    target = _state_path(folder, filename)
    if relative:
        latest = _below(folder, latest)
        paths = [_below(folder, p) for p in paths or ()]
    state = generate_checkpoint_state_proto(folder, latest, paths, times, preserved)
    if target == state.model_checkpoint_path:
        raise RuntimeError(
            f"Save path '{_path(latest)}' conflicts with path used for checkpoint state.  Please "
            "use a different save path."
        )
    with files.exclusive(os.path.dirname(target) or "."):
        files.replace(target, str(state).encode())


def _below(folder: str, path: Any) -> str:
    p = _path(path)
    if not os.path.isabs(p) and not os.path.isabs(folder):
        return p
    return os.path.relpath(p, folder) if os.path.isabs(p) else p


def get_checkpoint_state(
    checkpoint_dir: Any, latest_filename: str | None = None
) -> CheckpointState | None:
    """What the ``checkpoint`` file of a folder says, relative paths joined to the folder, or None.

    Without such a file, or with one that says nothing, it is None (a warning tells why).
    """
    folder = _path(checkpoint_dir)
    path = _state_path(folder, latest_filename)
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            state = parse_state(f.read())
    except OSError:
        return None
    except ValueError as e:
        logging.warning("%s: %s: Checkpoint ignored", path, e)
        return None
    if not state.model_checkpoint_path:
        raise ValueError("Invalid checkpoint state loaded from " + folder)

    def join(p: str) -> str:
        return p if os.path.isabs(p) else os.path.join(folder, p)

    state.model_checkpoint_path = join(state.model_checkpoint_path)
    state.all_model_checkpoint_paths = [join(p) for p in state.all_model_checkpoint_paths]
    return state


def latest_checkpoint(checkpoint_dir: Any, latest_filename: str | None = None) -> str | None:
    """The path of the latest checkpoint of a folder, or None where there is none."""
    if checkpoint_dir is None:
        return None
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    if state is None:
        return None
    if checkpoint_exists(state.model_checkpoint_path):
        return state.model_checkpoint_path
    logging.error("Couldn't match files for checkpoint %s", state.model_checkpoint_path)
    return None


def last_good(prefix: str) -> str | None:
    """Of the checkpoints beside `prefix` the newest whose content is whole, or None."""
    folder = os.path.dirname(prefix) or "."
    state = get_checkpoint_state(folder)
    known = state.all_model_checkpoint_paths if state else []
    for path in reversed(known):
        if path == prefix or os.path.abspath(path) == os.path.abspath(prefix):
            continue
        with contextlib.suppress(Exception):
            open_checkpoint(path).verify()
            return path
    return None


def checkpoints_iterator(
    checkpoint_dir: Any,
    min_interval_secs: float = 0,
    timeout: float | None = None,
    timeout_fn: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """New checkpoints of a folder as they appear.

    Parameters
    ----------
    min_interval_secs : float
        Least time between two.
    timeout : float, optional
        How long to wait for the next; without it, for ever.
    timeout_fn : callable, optional
        Called after `timeout`: True ends the iteration.
    """
    last = None
    while True:
        new = _wait(checkpoint_dir, last, timeout)
        if new is None:
            if timeout_fn is None or timeout_fn():
                return
            continue
        began, last = time.time(), new
        yield new
        rest = began + min_interval_secs - time.time()
        if rest > 0:
            time.sleep(rest)


def _wait(folder: Any, last: str | None, timeout: float | None) -> str | None:
    stop = None if timeout is None else time.time() + timeout
    while True:
        path = latest_checkpoint(folder)
        if path is not None and path != last:
            return path
        if stop is not None and time.time() + 0.1 > stop:
            return None
        time.sleep(0.1)
