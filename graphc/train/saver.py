"""`Saver`: checkpoints of a session's variables, in TensorFlow's files."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.checkpoint import files
from graphc.checkpoint.ops import restore_v2, save_v2
from graphc.errors import DataLossError, InvalidArgumentError, NotFoundError, system_errors
from graphc.face import logging
from graphc.face.control import group
from graphc.face.current import name_scope
from graphc.face.elements import Operation, Tensor
from graphc.face.graph import get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.session import BaseSession
from graphc.face.variables import Variable
from graphc.ir.dims import is_known
from graphc.ir.node import Value
from graphc.ops import shapes, state
from graphc.train import checkpoints
from graphc.train.checkpoints import checkpoint_exists, last_good, remove_checkpoint, write_state
from graphc.train.saveables import SaveableObject, saveables_of

__all__ = ["Saver", "SaverDefinition", "note_once", "scoped"]


@dataclass
class SaverDefinition:
    """What a saver is: names of its operations, and which checkpoints it keeps (``SaverDef``)."""

    filename_tensor_name: str = ""
    save_tensor_name: str = ""
    restore_op_name: str = ""
    max_to_keep: int = 0
    sharded: bool = False
    keep_checkpoint_every_n_hours: float = 0.0
    version: int = 2

    V1 = 1
    V2 = 2

    @staticmethod
    def of(definition: Any) -> SaverDefinition:
        """The same from a ``SaverDef`` message."""
        names = SaverDefinition.__dataclass_fields__
        return SaverDefinition(**{n: getattr(definition, n) for n in names})


# --------------------------------------------------------------------- the saver


class Saver:
    """Saves and restores variables.

    Parameters
    ----------
    var_list : list or dict, optional
        Variables, or name in the checkpoint → variable; all global variables by default. A list
        of slices of one variable stands for the whole.
    reshape : bool
        Whether a variable may be restored from a tensor of another shape with as many elements.
    sharded : bool
        Accepted: one device has one shard.
    max_to_keep : int or None
        Checkpoints to keep; older ones are removed. None or 0 keeps all.
    keep_checkpoint_every_n_hours : float
        One checkpoint for each such time is kept for good.
    name : str, optional
        Prefix of its operations.
    restore_sequentially : bool
        Whether variables are assigned one after the other.
    saver_def : SaverDef, optional
        Operations that exist already.
    builder
        Accepted.
    defer_build : bool
        Leave making the operations to `build`.
    allow_empty : bool
        Whether there may be nothing to save.
    write_version : int
        2: that is the one format written.
    pad_step_number : bool
        Write the step with eight digits, so that names sort.
    save_relative_paths : bool
        Keep relative paths in the ``checkpoint`` file, so that the folder can be moved.
    filename : str, optional
        The default path of the operations.

    Notes
    -----
    A checkpoint is written under another name, then renamed: it is there whole or not at all, also
    when the one before has the same name. Graphs are written (``.meta``) where the tensorboard
    package is installed; without it a note says so once.

    Examples
    --------
    >>> import graphc as tf, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "model")
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     v = tf.Variable(1.0)
    ...     saver = tf.train.Saver()
    ...     v.load(3.0)
    ...     _ = saver.save(sess, path)
    ...     v.load(5.0)
    ...     saver.restore(sess, path)
    ...     print(v.eval())
    3.0
    """

    def __init__(
        self,
        var_list: Any = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        keep_checkpoint_every_n_hours: float = 10000.0,
        name: str | None = None,
        restore_sequentially: bool = False,
        saver_def: Any = None,
        builder: Any = None,
        defer_build: bool = False,
        allow_empty: bool = False,
        write_version: int = 2,
        pad_step_number: bool = False,
        save_relative_paths: bool = False,
        filename: str | None = None,
    ) -> None:
        if defer_build and var_list is not None:
            raise ValueError(
                "If `var_list` is provided then build cannot be deferred. Either set "
                "defer_build=False or var_list=None."
            )
        if write_version == 1:
            logging.warning("graphc writes checkpoints of format V2 only.")
        self._var_list = var_list
        self._reshape = reshape
        self._sharded = sharded
        self._max_to_keep = max_to_keep
        self._keep_hours = keep_checkpoint_every_n_hours
        self._name = name
        self._sequential = restore_sequentially
        self._allow_empty = allow_empty
        self._pad = pad_step_number
        self._relative = save_relative_paths
        self._filename = filename
        self._is_empty = False
        self._built = False
        self._saveables: list[SaveableObject] = []
        self._lock = threading.RLock()
        self.saver_def: Any = None
        self._last: list[tuple[str, float]] = []
        self._doomed: list[tuple[str, float]] = []
        self._next_kept = 0.0
        #: The graph as it was last written, and what it was made of.
        self._written: tuple[Any, bytes] | None = None
        if saver_def is not None:
            self.saver_def = SaverDefinition.of(saver_def)
            self._name = name or self._prefix()
            self._ready()
        elif not defer_build:
            self.build()

    def _prefix(self) -> str:
        return str(self.saver_def.restore_op_name).rpartition("/")[0]

    def _ready(self) -> None:
        d = self.saver_def
        if not (d.filename_tensor_name and d.save_tensor_name and d.restore_op_name):
            raise ValueError(
                f"saver_def must name filename tensor, save tensor and restore op: {d}"
            )
        self._next_kept = time.time() + d.keep_checkpoint_every_n_hours * 3600
        self._built = True

    # ---- the operations

    def build(self) -> None:
        """Make the operations, unless they exist."""
        if self._built:
            return
        var_list = self._var_list
        if var_list is None:
            graph = get_default_graph()
            var_list = [
                *graph.get_collection(GraphKeys.GLOBAL_VARIABLES),
                *graph.get_collection(GraphKeys.SAVEABLE_OBJECTS),
            ]
        if not isinstance(var_list, Mapping | Iterable):
            raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
        var_list = var_list if isinstance(var_list, Mapping) else list(var_list)
        if not var_list:
            self._built = True
            if not self._allow_empty:
                raise ValueError("No variables to save")
            self._is_empty = True
            return
        saveables = self._saveables = saveables_of(var_list)
        with get_default_graph().transaction():
            names = self._record(saveables)
        self.saver_def = SaverDefinition(
            *names, self._max_to_keep or 0, self._sharded, self._keep_hours, 2
        )
        self._ready()

    def _record(self, saveables: Sequence[SaveableObject]) -> tuple[str, str, str]:
        specs = [spec for s in saveables for spec in s.specs]
        keys = [spec.name for spec in specs]
        slices = [spec.slice_spec for spec in specs]
        graph = get_default_graph()
        with name_scope(self._name, "save", [s.op for s in saveables]):
            default = state.placeholder_with_default(self._filename or "model", (), "filename")
            prefix = state.placeholder_with_default(default, (), name="Const")
            saving = save_v2(prefix, keys, slices, [spec.tensor for spec in specs])
            with graph.control_dependencies([saving]):
                saved = state.identity(prefix, name="control_dependency")
            restored = iter(restore_v2(prefix, keys, slices, [spec.dtype for spec in specs]))
            assigned: list[Any] = []
            for s in saveables:
                tensors = [next(restored) for _ in s.specs]
                known = None
                if self._reshape:
                    known = [_shape_of(spec.tensor) for spec in s.specs]
                before = assigned[-1:] if self._sequential else []
                with graph.control_dependencies([_operation(a) for a in before]):
                    assigned.append(s.restore(tensors, known))
            done = group(*[_operation(a) for a in assigned], name="restore_all")
        return prefix.name, saved.name, done.name

    # ---- saving

    def save(
        self,
        sess: Any,
        save_path: Any,
        global_step: Any = None,
        latest_filename: str | None = None,
        meta_graph_suffix: str = "meta",
        write_meta_graph: bool = True,
        write_state: bool = True,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> str | None:
        """Write a checkpoint and return its path, for `restore`.

        Parameters
        ----------
        sess : Session
        save_path : str
            The path; with `global_step` it gets ``-step`` after it.
        global_step : int, tensor or variable, optional
        latest_filename : str, optional
            Name of the file that lists the checkpoints of the folder: ``checkpoint``.
        meta_graph_suffix : str
        write_meta_graph : bool
            Whether to write the graph too.
        write_state : bool
            Whether to update the list of checkpoints, and remove those beyond `max_to_keep`.
        strip_default_attrs, save_debug_info
            Accepted; attributes with default values do no harm.

        Raises
        ------
        RuntimeError
            Before `build`.
        ValueError
            When the folder does not exist.
        FailedPreconditionError
            When a variable has no value.
        """
        if not self._built and not self._is_empty:
            raise RuntimeError("`build()` should be called before save if defer_build==True")
        latest_filename = latest_filename or "checkpoint"
        if os.path.split(latest_filename)[0]:
            raise ValueError("'latest_filename' must not contain path components")
        save_path = save_path.decode() if isinstance(save_path, bytes) else os.fspath(save_path)
        if not isinstance(sess, BaseSession):
            raise TypeError(f"'sess' must be a Session; {sess}")
        if os.path.basename(save_path) == latest_filename and not global_step:
            raise ValueError(
                f"'latest_filename' collides with 'save_path': '{latest_filename}' and "
                f"'{save_path}'"
            )
        folder = os.path.dirname(save_path)
        with self._lock:  # of threads that share the saver the last one's checkpoint is the latest
            path = self._numbered(sess, save_path, global_step)
            saved = None if self._is_empty else self._write(sess, path, folder)
            if saved is not None and write_state:
                self._remember(saved)
            if write_meta_graph:
                self._write_graph(sess, f"{path}.{meta_graph_suffix}")
            if saved is not None and write_state:
                self._list(folder, saved, latest_filename)
                self._remove_old(meta_graph_suffix)
        if saved is not None and os.path.exists(os.path.join(folder, "projector_config.pbtxt")):
            importlib.import_module("graphc.summary.projector").publish(folder, saved)
        return saved

    def _numbered(self, sess: Any, path: str, step: Any) -> str:
        if step is None:
            return path
        if not isinstance(step, int):
            hook = isinstance(step, Tensor | Variable | Operation | str)
            step = sess.run(step) if hook else step
        return f"{path}-{int(step):08d}" if self._pad else f"{path}-{int(step)}"

    def _write(self, sess: Any, path: str, folder: str) -> str:
        d = self.saver_def
        if folder and not os.path.isdir(folder):
            try:
                with system_errors(folder):
                    os.mkdir(folder)  # one level, as TF1's files of this version
            except NotFoundError:
                raise ValueError(f"Parent directory of {path} doesn't exist, can't save.") from None
        written = sess.run(d.save_tensor_name, {d.filename_tensor_name: path})
        return str(written.decode() if isinstance(written, bytes) else written)

    def _write_graph(self, sess: Any, path: str) -> None:
        graph = sess.graph
        sizes = [(k, len(graph.get_collection(k))) for k in graph.get_all_collection_keys()]
        key = (graph, len(graph.get_operations()), sizes)
        if self._written is None or self._written[0] != key:
            with graph.as_default():
                try:
                    made = self.export_meta_graph()
                except ImportError as e:
                    note_once(f"{path} is not written: {e}")
                    return
            self._written = (key, made.SerializeToString())
        files.replace(path, self._written[1])

    def _remember(self, path: str) -> None:
        if not self.saver_def.max_to_keep:
            return
        self._last = [entry for entry in self._last if entry[0] != path]
        self._last.append((path, time.time()))
        if len(self._last) > self.saver_def.max_to_keep:
            self._doomed.append(self._last.pop(0))

    def _list(self, folder: str, latest: str, filename: str) -> None:
        write_state(folder, latest, self.last_checkpoints, filename, relative=self._relative)

    def _remove_old(self, suffix: str) -> None:
        while self._doomed:
            path, when = self._doomed.pop(0)
            if when > self._next_kept:
                self._next_kept += self.saver_def.keep_checkpoint_every_n_hours * 3600
                continue
            try:
                remove_checkpoint(path, meta_graph_suffix=suffix)
            except OSError as e:
                logging.warning("Ignoring: %s", e)

    # ---- restoring

    def restore(self, sess: Any, save_path: Any) -> None:
        """Give variables the values of a checkpoint; they need no initialisation.

        Raises
        ------
        ValueError
            When there is no checkpoint of that path.
        NotFoundError
            When it lacks variables: all of them are named.
        InvalidArgumentError
            When a shape or an element type differs.
        DataLossError
            When it is damaged; the message says which checkpoint is whole.
        """
        if self._is_empty:
            return
        if save_path is None:
            raise ValueError("Can't load save_path when it is None.")
        path = save_path.decode() if isinstance(save_path, bytes) else os.fspath(save_path)
        if not checkpoint_exists(path):
            raise ValueError("The passed save_path is not a valid checkpoint: " + path)
        logging.info("Restoring parameters from %s", path)
        d = self.saver_def
        if d is None:
            raise RuntimeError("`build()` should be called before restore if defer_build==True")
        try:
            sess.run(d.restore_op_name, {d.filename_tensor_name: path})
        except NotFoundError as e:
            if self._restore_objects(sess, path):
                return
            raise _explained(e, "a Variable name or other graph key that is missing from the "
                                "checkpoint") from e  # fmt: skip
        except InvalidArgumentError as e:
            raise _explained(e, "a mismatch between the current graph and the graph from the "
                                "checkpoint") from e  # fmt: skip
        except DataLossError as e:
            whole = last_good(path)
            says = "no other checkpoint there is whole" if whole is None else (
                f"the last checkpoint that is whole is {whole}"
            )  # fmt: skip
            raise DataLossError(e.node_def, e.op, f"{e.message}\n{says}") from e

    def _restore_objects(self, sess: Any, path: str) -> bool:
        """Restore from a checkpoint of objects, which also says the names of variables."""
        from graphc.train.object_checkpoint import object_keys  # it imports what imports this

        keys = object_keys(path)
        wanted = {s.name: s.op for s in self._saveables if len(s.specs) == 1}
        if not wanted or not wanted.keys() <= keys.keys() or len(wanted) < len(self._saveables):
            return False
        with sess.graph.as_default():
            again = Saver({keys[name]: op for name, op in wanted.items()})
        sess.run(again.saver_def.restore_op_name, {again.saver_def.filename_tensor_name: path})
        return True

    # ---- which there are

    @property
    def last_checkpoints(self) -> list[str]:
        """Paths of the checkpoints it keeps, oldest first."""
        return [p for p, _ in self._last]

    def set_last_checkpoints(self, last_checkpoints: Sequence[str]) -> None:
        """Say which checkpoints there are, oldest first; their times are not known."""
        self._last = [(p, float("inf")) for p in last_checkpoints]

    def set_last_checkpoints_with_time(
        self, last_checkpoints_with_time: Sequence[tuple[str, float]]
    ) -> None:
        """Say which checkpoints there are, as pairs of path and time, oldest first."""
        self._last = list(last_checkpoints_with_time)

    def recover_last_checkpoints(self, checkpoint_paths: Sequence[str]) -> None:
        """Take over checkpoints of an earlier process, those that exist."""
        found = [p for p in checkpoint_paths if checkpoint_exists(p)]
        times = checkpoints.get_checkpoint_mtimes(found)
        self._last = list(zip(found, times, strict=True))

    # ---- as messages

    def as_saver_def(self) -> Any:
        """What it is, as a ``SaverDef`` message."""
        from graphc.proto import message

        if self.saver_def is None:
            return message("SaverDef")()
        return message("SaverDef")(**vars(self.saver_def))

    def to_proto(self, export_scope: str | None = None) -> Any:
        """The same without a scope before its names; None where it is of another scope."""
        made = self.as_saver_def()
        if not export_scope:
            return made
        prefix = export_scope.rstrip("/") + "/"
        if not (self._name or "").startswith(prefix):
            return None
        for field in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
            setattr(made, field, getattr(made, field).removeprefix(prefix))
        return made

    @staticmethod
    def from_proto(saver_def: Any, import_scope: str | None = None) -> Saver:
        """A saver of operations that exist already."""
        return Saver(saver_def=scoped(saver_def, import_scope), name=import_scope)

    def export_meta_graph(
        self,
        filename: str | None = None,
        collection_list: Sequence[str] | None = None,
        as_text: bool = False,
        export_scope: str | None = None,
        clear_devices: bool = False,
        clear_extraneous_savers: bool = False,
        strip_default_attrs: bool = False,
        save_debug_info: bool = False,
    ) -> Any:
        """The graph with this saver, as a ``MetaGraphDef`` message, written to a file if named."""
        meta = importlib.import_module("graphc.graphdef.meta")  # needs the extra
        return meta.export_meta_graph(
            filename, saver_def=None if self.saver_def is None else self.as_saver_def(),
            collection_list=collection_list, as_text=as_text, export_scope=export_scope,
            clear_extraneous_savers=clear_extraneous_savers,
        )  # fmt: skip


def scoped(saver_def: Any, scope: str | None) -> SaverDefinition:
    """A definition with a scope before its names."""
    d = SaverDefinition.of(saver_def)
    if scope:
        prefix = scope.rstrip("/") + "/"
        d.filename_tensor_name = prefix + d.filename_tensor_name
        d.save_tensor_name = prefix + d.save_tensor_name
        d.restore_op_name = prefix + d.restore_op_name
    return d


def _operation(a: Any) -> Any:
    return a.node if isinstance(a, Value) else a


def _shape_of(tensor: Any) -> Any:
    static: Any = getattr(tensor, "static_shape", None)
    return list(static) if is_known(static) else shapes.shape(tensor)


def _explained(e: Any, cause: str) -> Any:
    return type(e)(
        e.node_def, e.op,
        f"Restoring from checkpoint failed. This is most likely due to {cause}. Please ensure that "
        f"you have not altered the graph expected based on the checkpoint. Original error:\n\n"
        f"{e.message}",
    )  # fmt: skip


_noted: set[str] = set()


def note_once(text: str) -> None:
    if not _noted:
        _noted.add(text)
        logging.warning("%s", text)
