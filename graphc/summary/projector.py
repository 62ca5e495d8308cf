"""tf.contrib.tensorboard.plugins.projector: embeddings for TensorBoard's projector.

TensorBoard by itself cannot read checkpoints. So each embedding that its configuration names is
also written as a text table beside the checkpoint, now and whenever a `Saver` saves there.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from typing import Any

import numpy as np

from graphc.checkpoint import files
from graphc.errors import OpError
from graphc.proto import MissingExtra, library
from graphc.train.checkpoints import NewCheckpointReader, latest_checkpoint

__all__ = ["CONFIG", "publish", "visualize_embeddings"]

#: The file of a folder that TensorBoard looks for.
CONFIG = "projector_config.pbtxt"
_MARK = ".graphc.tsv"


def _plugin() -> Any:
    try:
        return importlib.import_module("tensorboard.plugins.projector")
    except ModuleNotFoundError:
        raise MissingExtra(
            "the projector needs the tensorboard package: pip install 'graphc[tensorboard]'"
        ) from None


def visualize_embeddings(summary_writer: Any, config: Any) -> None:
    """Write the configuration of the projector into the folder of a writer.

    Parameters
    ----------
    summary_writer : FileWriter or str
        The writer, or its folder.
    config : ProjectorConfig
    """
    _plugin().visualize_embeddings(summary_writer, config)
    get = getattr(summary_writer, "get_logdir", None)
    folder = get() if callable(get) else os.fspath(summary_writer)
    latest = config.model_checkpoint_path or latest_checkpoint(folder)
    if latest:
        with contextlib.suppress(OpError):
            publish(folder, latest)


def publish(folder: str, checkpoint: str) -> None:
    """Write the embeddings that the folder's configuration names as tables, and say where."""
    path = os.path.join(folder, CONFIG)
    config = _plugin().ProjectorConfig()
    with open(path, encoding="utf-8") as f:
        library("text_format").Parse(f.read(), config)
    reader = NewCheckpointReader(checkpoint)
    for e in config.embeddings:
        name = e.tensor_name.removesuffix(":0")
        given = e.tensor_path and not e.tensor_path.endswith(_MARK)
        if given or not reader.has_tensor(name):
            continue
        value = reader.get_tensor(name)
        if value.ndim != 2:
            continue
        e.tensor_path = re.sub(r"[^\w.-]", "_", name) + _MARK
        del e.tensor_shape[:]
        e.tensor_shape.extend(value.shape)
        rows = ["\t".join([repr(float(x)) for x in row]) for row in np.asarray(value)]
        files.replace(os.path.join(folder, e.tensor_path), "\n".join(rows).encode())
    files.replace(path, library("text_format").MessageToString(config).encode())


def __getattr__(name: str) -> Any:
    if name in ("ProjectorConfig", "EmbeddingInfo", "SpriteMetadata"):
        return getattr(_plugin(), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
