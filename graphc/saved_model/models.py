"""Writing and reading saved models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.checkpoint import files
from graphc.face.elements import Operation, Tensor
from graphc.face.files import makedirs
from graphc.face.session import BaseSession
from graphc.graphdef.meta import import_meta_graph
from graphc.proto import library, message
from graphc.saved_model import signatures as S
from graphc.train.checkpoints import checkpoint_exists
from graphc.train.saver import Saver

__all__ = ["Builder", "SavedModelBuilder", "load", "simple_save"]


def _path(p: Any) -> str:
    return p.decode() if isinstance(p, bytes) else os.fspath(p)


class Builder:
    """Writes a model: graphs with tags, one set of variables.

    Parameters
    ----------
    export_dir : str
        A folder that does not exist yet, or is empty.

    Raises
    ------
    AssertionError
        When it holds something.
    """

    def __init__(self, export_dir: Any) -> None:
        self._folder = _path(export_dir)
        if os.path.isdir(self._folder) and os.listdir(self._folder):
            raise AssertionError(
                "Export directory already exists, and isn't empty. Please choose a different "
                f"export directory, or delete all the contents of the specified directory: "
                f"{self._folder}"
            )
        makedirs(self._folder)
        self._model = message("SavedModel")(saved_model_schema_version=S.SAVED_MODEL_SCHEMA_VERSION)
        self._has_variables = False

    def add_meta_graph_and_variables(
        self,
        sess: Any,
        tags: Sequence[str],
        signature_def_map: Mapping[str, Any] | None = None,
        assets_collection: Any = None,
        legacy_init_op: Any = None,
        clear_devices: bool = False,
        main_op: Any = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
    ) -> None:
        """Add the session's graph under `tags`, and its variables.

        Parameters
        ----------
        signature_def_map : dict, optional
            Name → ``SignatureDef``.
        assets_collection : list of tensors, optional
            File names as tensors: the files are copied into the model.
        legacy_init_op, main_op : Operation, optional
            Run when the model is loaded.
        saver : Saver, optional
            What writes the variables.

        Raises
        ------
        AssertionError
            When variables were added before.
        """
        if self._has_variables:
            raise AssertionError("Graph state including variables and assets has already been "
                                 "saved. Please invoke `add_meta_graph()` instead.")  # fmt: skip
        with sess.graph.as_default():
            saver = saver or Saver(allow_empty=True)
            folder = os.path.join(self._folder, S.VARIABLES_DIRECTORY)
            makedirs(folder)
            saver.save(
                sess, os.path.join(folder, S.VARIABLES_FILENAME), write_meta_graph=False,
                write_state=False,
            )  # fmt: skip
            self._add(tags, signature_def_map, assets_collection, main_op or legacy_init_op, saver,
                      sess)  # fmt: skip
        self._has_variables = True

    def add_meta_graph(
        self,
        tags: Sequence[str],
        signature_def_map: Mapping[str, Any] | None = None,
        assets_collection: Any = None,
        legacy_init_op: Any = None,
        clear_devices: bool = False,
        main_op: Any = None,
        strip_default_attrs: bool = False,
        saver: Any = None,
    ) -> None:
        """Add the default graph under other tags; it uses the variables that were added.

        Raises
        ------
        AssertionError
            When no variables were added yet.
        """
        if not self._has_variables:
            raise AssertionError("Graph state including variables and assets has not been saved "
                                 "yet. Please invoke `add_meta_graph_and_variables()` "
                                 "first.")  # fmt: skip
        saver = saver or Saver(allow_empty=True)
        self._add(tags, signature_def_map, assets_collection, main_op or legacy_init_op, saver)

    def _add(
        self, tags: Sequence[str], signatures: Mapping[str, Any] | None, assets: Any, init: Any,
        saver: Any, sess: Any = None,
    ) -> None:  # fmt: skip
        made = self._model.meta_graphs.add()
        made.CopyFrom(saver.export_meta_graph())
        made.meta_info_def.tags.extend(tags)
        for key, signature in (signatures or {}).items():
            made.signature_def[key].CopyFrom(signature)
        if init is not None:
            if not isinstance(init, Operation):
                raise TypeError(f"main_op needs to be an Operation: {init}")
            made.collection_def[S.MAIN_OP_KEY].node_list.value.append(init.name)
        for tensor in assets or ():
            self._asset(made, tensor, sess)

    def _asset(self, made: Any, tensor: Tensor, sess: Any) -> None:
        value = tensor.op.attrs.get("value")
        if value is None:
            raise ValueError(f"Asset {tensor.name} is no constant")
        source = _path(value[()])
        folder = os.path.join(self._folder, S.ASSETS_DIRECTORY)
        makedirs(folder)
        name = os.path.basename(source)
        with open(source, "rb") as f:
            files.replace(os.path.join(folder, name), f.read())
        asset = made.asset_file_def.add(filename=name)
        asset.tensor_info.name = tensor.name

    def save(self, as_text: bool = False) -> bytes:
        """Write the model; the path of its file."""
        if as_text:
            path = os.path.join(self._folder, S.SAVED_MODEL_FILENAME_PBTXT)
            data = library("text_format").MessageToString(self._model).encode()
        else:
            path = os.path.join(self._folder, S.SAVED_MODEL_FILENAME_PB)
            data = self._model.SerializeToString()
        files.replace(path, data)
        return path.encode()


SavedModelBuilder = Builder


def simple_save(
    session: Any, export_dir: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any],
    legacy_init_op: Any = None,
) -> None:  # fmt: skip
    """Write a session's graph as a model for serving.

    Parameters
    ----------
    inputs, outputs : dict
        Name → tensor.
    """
    signature = S.predict_signature_def(inputs, outputs)
    builder = Builder(export_dir)
    builder.add_meta_graph_and_variables(
        session, [S.SERVING], {S.DEFAULT_SERVING_SIGNATURE_DEF_KEY: signature},
        main_op=legacy_init_op,
    )  # fmt: skip
    builder.save()


def _read(folder: str) -> Any:
    binary = os.path.join(folder, S.SAVED_MODEL_FILENAME_PB)
    text = os.path.join(folder, S.SAVED_MODEL_FILENAME_PBTXT)
    kind = message("SavedModel")
    try:
        if os.path.exists(binary):
            with open(binary, "rb") as f:
                return kind.FromString(f.read())
        if os.path.exists(text):
            with open(text, encoding="utf-8") as g:
                return library("text_format").Parse(g.read(), kind())
    except (library("message").DecodeError, library("text_format").ParseError) as e:
        raise OSError(f"Cannot parse file {binary}: {str(e) or type(e).__name__}.") from None
    raise OSError(f"SavedModel file does not exist at: {folder}/"
                  f"{{{S.SAVED_MODEL_FILENAME_PBTXT}|{S.SAVED_MODEL_FILENAME_PB}}}")  # fmt: skip


def load(
    sess: Any, tags: Iterable[str], export_dir: Any, import_scope: str | None = None,
    **saver_kwargs: Any,
) -> Any:  # fmt: skip
    """Add a model to a session's graph, with its variables; its ``MetaGraphDef`` message.

    Parameters
    ----------
    sess : Session
    tags : iterable of str
        Exactly those that the graph was saved with.
    export_dir : str
    import_scope : str, optional
        Put before all names.

    Raises
    ------
    OSError
        When there is no model.
    RuntimeError
        When it has no graph with these tags.
    """
    if not isinstance(sess, BaseSession):
        raise TypeError(f"'sess' must be a Session; {sess}")
    folder, wanted = _path(export_dir), set([tags] if isinstance(tags, str) else tags)
    model = _read(folder)
    found = [m for m in model.meta_graphs if set(m.meta_info_def.tags) == wanted]
    if not found:
        there = [sorted(m.meta_info_def.tags) for m in model.meta_graphs]
        raise RuntimeError(
            f"MetaGraphDef associated with tags {sorted(wanted)} could not be found in "
            f"SavedModel {folder}. Its graphs have the tags {there}."
        )
    meta = found[0]
    prefix = f"{import_scope}/" if import_scope else ""
    with sess.graph.as_default():
        saver = import_meta_graph(meta, import_scope=import_scope, **saver_kwargs)
        path = os.path.join(folder, S.VARIABLES_DIRECTORY, S.VARIABLES_FILENAME)
        if saver is not None and checkpoint_exists(path):
            saver.restore(sess, path)
        feeds = {
            prefix + a.tensor_info.name: os.path.join(folder, S.ASSETS_DIRECTORY, a.filename)
            for a in meta.asset_file_def
        }
        for key in (S.MAIN_OP_KEY, S.LEGACY_INIT_OP_KEY):
            for name in (
                meta.collection_def[key].node_list.value if key in meta.collection_def else ()
            ):
                sess.run(sess.graph.get_operation_by_name(prefix + name), feeds)
    return meta
