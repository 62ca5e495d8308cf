"""`tf.train.Checkpoint`: variables saved and restored by the objects that hold them."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.checkpoint.bundle import Item, write_bundle
from graphc.checkpoint.stored import Stored
from graphc.checkpoint.tables import open_checkpoint
from graphc.errors import InvalidArgumentError, NotFoundError
from graphc.face.default_session import get_default_session
from graphc.face.files import makedirs
from graphc.face.variables import Variable, variables_initializer
from graphc.ir import dtypes
from graphc.train import trackable
from graphc.train.checkpoints import (
    checkpoint_exists,
    get_checkpoint_state,
    remove_checkpoint,
    write_state,
)
from graphc.train.trackable import Collected, Number, StoredNode

__all__ = ["Checkpoint", "CheckpointManager", "object_keys", "read_objects", "write_objects"]


def _session(session: Any) -> Any:
    """The one given, else the default one, else that of Keras."""
    session = session or get_default_session()
    if session is None:
        from graphc.keras import sessions  # here only: it makes a session

        session = sessions.get_session()
    return session


def _graph_of(reader: Stored) -> list[StoredNode] | None:
    if reader.missing([trackable.GRAPH_KEY]):
        return None
    return trackable.decode_graph(reader.tensor(trackable.GRAPH_KEY).item())


def object_keys(prefix: str) -> dict[str, str]:
    """Name of each variable → its key in a checkpoint of objects; empty for one of names."""
    nodes = _graph_of(open_checkpoint(prefix)) or []
    pairs = (n.attributes[trackable.VALUE] for n in nodes if trackable.VALUE in n.attributes)
    return {name: key for name, key in pairs if name}


def write_objects(root: Any, prefix: str, session: Any) -> None:
    """Write a checkpoint of everything that can be reached from `root`."""
    found = trackable.collect(root)
    leaves = {key: found.objects[i] for i, key in found.keys.items()}
    values = session.run({k: v for k, v in leaves.items() if isinstance(v, Variable)})
    items = [
        Item(k, np.asarray(values[k]), leaves[k].dtype.base_dtype)
        if isinstance(leaves[k], Variable)
        else Item(k, np.asarray(leaves[k].value()), dtypes.float32)
        for k in leaves
    ]
    graph = np.array(trackable.encode_graph(found), dtype=object)
    items.append(Item(trackable.GRAPH_KEY, graph, dtypes.string))
    makedirs(os.path.dirname(prefix) or ".")
    write_bundle(prefix, sorted(items, key=lambda item: item.name))


def read_objects(root: Any, path: str) -> Any:
    """What restores a checkpoint into the objects that can be reached from `root`."""
    reader = open_checkpoint(path)
    nodes = _graph_of(reader)
    return _Named(root, reader) if nodes is None else _Loading(root, reader, nodes)


class Checkpoint:
    """Saves and restores variables by the objects that hold them, not by their names.

    Keys are paths of attributes from this object: ``model/layer_with_weights-0/kernel``. Files are
    TensorFlow's.

    Parameters
    ----------
    kwargs
        Objects by name: variables, layers, models, optimizers, modules, other checkpoints.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> import graphc as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> checkpoint = tf.train.Checkpoint(v=v)
    >>> with tf.Session() as session:
    ...     session.run(tf.global_variables_initializer())
    ...     path = checkpoint.save(tf.test.get_temp_dir() + "/c")
    ...     session.run(v.assign([0.0, 0.0]))
    ...     checkpoint.restore(path).assert_consumed().run_restore_ops()
    ...     print(session.run(v))
    array([0., 0.], dtype=float32)
    [1. 2.]
    """

    def __init__(self, **kwargs: Any) -> None:
        self._save_counter: Any = None
        self._increment: Any = None
        for name, value in sorted(kwargs.items()):
            if not trackable.is_trackable(value):
                raise ValueError(
                    "`Checkpoint` was expecting a trackable object (a variable, layer, model, "
                    f"optimizer or another checkpoint), got {value}."
                )
            setattr(self, name, value)

    def _graphc_children(self) -> Iterator[tuple[str, Any]]:
        for name, value in vars(self).items():
            if name not in ("_save_counter", "_increment") and trackable._held(value):
                yield name, value
        if self._save_counter is not None:
            yield "save_counter", self._save_counter

    @property
    def save_counter(self) -> Any:
        """How often `save` was called: a variable, made when first asked for."""
        if self._save_counter is None:
            self._save_counter = Variable(0, trainable=False, name="save_counter", dtype="int64")
        return self._save_counter

    def _counted(self, session: Any) -> int:
        """`save_counter`, one more."""
        new = self._save_counter is None
        counter = self.save_counter
        if new:
            session.run(counter.initializer)
        if self._increment is None:
            self._increment = counter.assign_add(1)
        return int(session.run(self._increment))

    def write(self, file_prefix: str, session: Any = None) -> str:
        """Write a checkpoint of this name; `save` also numbers it and notes it in the folder.

        Returns
        -------
        str
            `file_prefix`.
        """
        session, prefix = _session(session), os.fspath(file_prefix)
        if self._save_counter is None:
            session.run(self.save_counter.initializer)
        write_objects(self, prefix, session)
        return prefix

    def save(self, file_prefix: str, session: Any = None) -> str:
        """Write a checkpoint ``file_prefix-<number>`` and note it as the folder's latest.

        Returns
        -------
        str
            Its path.
        """
        session = _session(session)
        path = self.write(f"{os.fspath(file_prefix)}-{self._counted(session)}", session)
        write_state(os.path.dirname(path) or ".", path, [path], relative=True)
        return path

    def restore(self, save_path: Any) -> Any:
        """What restores a checkpoint: call ``run_restore_ops`` or ``initialize_or_restore`` of it.

        Objects are matched when these are called, so variables may be made after `restore`. A
        checkpoint that `Saver` wrote is restored by the names of variables.

        Raises
        ------
        NotFoundError
            When there is no checkpoint of that path.
        """
        if save_path is None:
            return _Fresh(self)
        path = save_path.decode() if isinstance(save_path, bytes) else os.fspath(save_path)
        if not checkpoint_exists(path):
            raise NotFoundError(
                None, None,
                "Unsuccessful TensorSliceReader constructor: Failed to find any matching files "
                f"for {path}",
            )  # fmt: skip
        if self._save_counter is None:
            self.save_counter  # noqa: B018  # made as TensorFlow makes it, so that it is restored
        return read_objects(self, path)


def _load(session: Any, reader: Stored, leaves: list[tuple[Any, str]]) -> None:
    """Give variables the values of keys: all of them, or after an error none."""
    feeds, numbers = {}, []
    for v, key in leaves:
        a = reader.tensor(key)
        if isinstance(v, Number):
            numbers.append((v, a))
            continue
        have, want = reader.entry(key).dtype, v.dtype.base_dtype
        if have is not want:
            raise InvalidArgumentError(
                None, None,
                f"tensor_name = {key}; expected dtype {want.name} does not equal original dtype "
                f"{have.name}",
            )  # fmt: skip
        if not v.shape.is_compatible_with(a.shape):
            raise InvalidArgumentError(
                None, None,
                f"Assign requires shapes of both tensors to match. lhs shape= {v.shape.as_list()} "
                f"rhs shape= {list(a.shape)} (variable {v.name}, {key} of the checkpoint)",
            )  # fmt: skip
        feeds[v.initializer] = a
    session.run(list(feeds), {op.inputs[1]: a for op, a in feeds.items()})
    for number, a in numbers:
        number.load(a)


def _initialize(session: Any, objects: list[Any]) -> None:
    variables = [x for x in objects if isinstance(x, Variable)]
    if variables:
        session.run(variables_initializer(variables))


class _Loading:
    """The restoring of a checkpoint of objects."""

    def __init__(self, root: Any, reader: Stored, nodes: list[StoredNode]) -> None:
        self._root, self._reader, self._nodes = root, reader, nodes

    def _match(self) -> tuple[Collected, dict[int, int]]:
        """The objects there are, and for nodes of the file which of them they are."""
        found = trackable.collect(self._root)
        bound, queue = {0: 0}, [0]
        for node in queue:
            edges = dict(found.edges[bound[node]])
            for name, to in self._nodes[node].children:
                if to not in bound and name in edges:
                    bound[to] = edges[name]
                    queue.append(to)
        for node, at in list(bound.items()):
            own = {(variable, slot): v for variable, slot, v in found.slots.get(at, ())}
            for variable, slot, v in self._nodes[node].slots:
                match = own.get((bound.get(variable, -1), slot))
                if match is not None:
                    bound[v] = match
        return found, bound

    def _leaves(self) -> tuple[Collected, dict[int, str]]:
        """The objects, and the keys of those that the file has a value for."""
        found, bound = self._match()
        keys = {
            at: self._nodes[node].attributes[trackable.VALUE][1]
            for node, at in bound.items()
            if at in found.keys and trackable.VALUE in self._nodes[node].attributes
        }
        return found, keys

    def assert_consumed(self) -> Any:
        """Raise AssertionError unless everything in the file and here has its counterpart."""
        _, bound = self._match()
        for i, node in enumerate(self._nodes):
            if node.attributes and i not in bound:
                text = ", ".join(key for _, key in node.attributes.values())
                raise AssertionError(f"Unresolved object in checkpoint {self._path(i)}: {text}")
        return self.assert_existing_objects_matched()

    def _path(self, wanted: int) -> str:
        paths, queue = {0: "(root)"}, [0]
        for at in queue:
            for name, to in self._nodes[at].children:
                if to not in paths:
                    paths[to] = f"{paths[at]}.{name}"
                    queue.append(to)
        return paths.get(wanted, "(slot variable)")

    def assert_existing_objects_matched(self) -> Any:
        """Raise AssertionError unless the file has a value for each variable that is here."""
        found, keys = self._leaves()
        missing = [found.objects[i] for i in found.keys if i not in keys]
        if missing:
            raise AssertionError(
                "Some Python objects were not bound to checkpointed values, likely due to changes "
                f"in the Python program: {missing}"
            )
        return self

    def assert_nontrivial_match(self) -> Any:
        """Raise AssertionError when nothing but the root is in both."""
        if len(self._match()[1]) < 2:
            raise AssertionError(
                "Nothing except the root object matched a checkpointed value. Typically this "
                "means that the checkpoint does not match the Python program."
            )
        return self

    def expect_partial(self) -> Any:
        """Nothing is warned of here."""
        return self

    def run_restore_ops(self, session: Any = None) -> None:
        """Give variables that are in the file their values."""
        found, keys = self._leaves()
        _load(_session(session), self._reader, [(found.objects[i], k) for i, k in keys.items()])

    def initialize_or_restore(self, session: Any = None) -> None:
        """Restore variables that are in the file, initialise the others."""
        session = _session(session)
        found, keys = self._leaves()
        self.run_restore_ops(session)
        _initialize(session, [found.objects[i] for i in found.keys if i not in keys])


class _Fresh:
    """``restore(None)``: there is nothing to restore."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def assert_consumed(self) -> Any:
        raise AssertionError("No checkpoint specified (save_path=None); nothing is being restored.")

    assert_existing_objects_matched = assert_nontrivial_match = assert_consumed

    def expect_partial(self) -> Any:
        """Nothing is warned of here."""
        return self

    def run_restore_ops(self, session: Any = None) -> None:
        raise AssertionError(
            "No checkpoint specified, so no restore ops are available (save_path=None to "
            "Saver.restore)."
        )

    def initialize_or_restore(self, session: Any = None) -> None:
        """Initialise all variables."""
        self._root.save_counter  # noqa: B018
        found = trackable.collect(self._root)
        _initialize(_session(session), [found.objects[i] for i in found.keys])


class _Named:
    """The restoring of a checkpoint that `Saver` wrote: by names."""

    def __init__(self, root: Any, reader: Stored) -> None:
        self._root, self._reader = root, reader

    def _split(self) -> tuple[list[tuple[Any, str]], list[Any]]:
        found = trackable.collect(self._root)
        variables = [found.objects[i] for i in found.keys]
        variables = [v for v in variables if isinstance(v, Variable)]
        missing = set(self._reader.missing([v.op.name for v in variables]))
        there = [(v, v.op.name) for v in variables if v.op.name not in missing]
        counter = getattr(self._root, "_save_counter", None)
        return there, [v for v in variables if v.op.name in missing and v is not counter]

    def assert_existing_objects_matched(self) -> Any:
        """Raise AssertionError unless each variable is in the file."""
        missing = self._split()[1]
        if missing:
            raise AssertionError(f"Objects not matched in a name-based checkpoint: {missing}")
        return self

    assert_consumed = assert_nontrivial_match = assert_existing_objects_matched

    def expect_partial(self) -> Any:
        """Nothing is warned of here."""
        return self

    def run_restore_ops(self, session: Any = None) -> None:
        """Give all variables their values.

        Raises
        ------
        NotFoundError
            When the file lacks some.
        """
        there, missing = self._split()
        if missing:
            names = ", ".join(v.op.name for v in missing)
            raise NotFoundError(None, None, f"Key {names} not found in checkpoint")
        _load(_session(session), self._reader, there)

    def initialize_or_restore(self, session: Any = None) -> None:
        """Restore variables that are in the file, initialise the others."""
        session = _session(session)
        there, missing = self._split()
        _load(session, self._reader, there)
        _initialize(session, missing)


class CheckpointManager:
    """Keeps the last checkpoints of a folder.

    Parameters
    ----------
    checkpoint : Checkpoint
    directory : str
    max_to_keep : int or None
        How many are kept; None for all.
    keep_checkpoint_every_n_hours : float, optional
        One of so many hours is kept beyond that.
    checkpoint_name : str
        What file names begin with.

    Raises
    ------
    ValueError
        When `max_to_keep` is not positive.
    """

    def __init__(
        self, checkpoint: Checkpoint, directory: str, max_to_keep: int | None,
        keep_checkpoint_every_n_hours: float | None = None, checkpoint_name: str = "ckpt",
    ) -> None:  # fmt: skip
        if max_to_keep is not None and max_to_keep <= 0:
            raise ValueError(
                f"Expected a positive integer or `None` for `max_to_keep`, got {max_to_keep}."
            )
        self._checkpoint, self._directory = checkpoint, os.fspath(directory)
        self._max, self._hours = max_to_keep, keep_checkpoint_every_n_hours
        self._name = checkpoint_name
        self._paths: OrderedDict[str, float] = OrderedDict()
        self._latest: str | None = None
        self._preserved = now = time.time()
        state = get_checkpoint_state(self._directory)
        if state is not None:
            self._latest = state.model_checkpoint_path
            self._preserved = state.last_preserved_timestamp or now
            paths = state.all_model_checkpoint_paths
            times = state.all_model_checkpoint_timestamps
            times = times if len(times) == len(paths) else [now] * len(paths)
            self._paths = OrderedDict(zip(paths, times, strict=True))

    @property
    def latest_checkpoint(self) -> str | None:
        """The path of the last one, or None."""
        return self._latest

    @property
    def checkpoints(self) -> list[str]:
        """Paths of those that are kept, oldest first."""
        return list(self._paths)

    def _record(self) -> None:
        write_state(
            self._directory, self._latest, list(self._paths), times=list(self._paths.values()),
            preserved=self._preserved, relative=True,
        )  # fmt: skip

    def _sweep(self) -> None:
        while self._max is not None and len(self._paths) > self._max:
            path, stamp = self._paths.popitem(last=False)
            if self._hours and stamp - self._hours * 3600.0 >= self._preserved:
                self._preserved = stamp
            else:
                remove_checkpoint(path)

    def save(self, checkpoint_number: Any = None) -> str:
        """Write a checkpoint and remove what is too old.

        Parameters
        ----------
        checkpoint_number : int or variable, optional
            Its number; without it the checkpoint's `save_counter`, which counts every call.

        Returns
        -------
        str
            Its path.
        """
        session = _session(None)
        count = self._checkpoint._counted(session)
        if isinstance(checkpoint_number, Variable):
            checkpoint_number = session.run(checkpoint_number)
        n = count if checkpoint_number is None else int(checkpoint_number)
        prefix = os.path.join(self._directory, self._name)
        path = self._latest = self._checkpoint.write(f"{prefix}-{n}", session)
        self._paths.pop(path, None)
        self._paths[path] = time.time()
        self._record()  # before anything is removed: a crash between leaves a state that is true
        self._sweep()
        self._record()
        return path
