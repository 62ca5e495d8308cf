"""Models and weights in files: TensorFlow's checkpoints, and Keras's HDF5 (with h5py)."""

from __future__ import annotations

import importlib
import json
import os
from typing import Any

import numpy as np

from graphc.keras import sessions

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]


def _h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise ImportError(
            "Keras's HDF5 files need the package h5py (pip install h5py); save_weights without "
            '".h5" writes a checkpoint without it'
        ) from None


def _is_h5(path: str, save_format: str | None) -> bool:
    if save_format is not None:
        if save_format not in ("h5", "hdf5", "keras", "tf", "tensorflow"):
            raise ValueError(f"Unknown format {save_format!r}.")
        return save_format not in ("tf", "tensorflow")
    return path.endswith((".h5", ".hdf5", ".keras"))


def _names(layer: Any) -> list[str]:
    return [w.name for w in layer.weights]


def _write_layers(group: Any, layers: list[Any]) -> None:
    group.attrs["layer_names"] = [layer.name.encode() for layer in layers]
    group.attrs["backend"] = b"tensorflow"
    group.attrs["keras_version"] = b"2.2.4-tf"
    for layer in layers:
        inner = group.create_group(layer.name)
        values = sessions.batch_get_value(layer.weights)
        inner.attrs["weight_names"] = [n.encode() for n in _names(layer)]
        for name, value in zip(_names(layer), values, strict=True):
            inner.create_dataset(name, data=np.asarray(value))


def _text(x: Any) -> str:
    return x.decode() if isinstance(x, bytes) else str(x)


def _read_layers(group: Any, layers: list[Any], by_name: bool) -> None:
    given = [_text(n) for n in group.attrs["layer_names"]]
    given = [n for n in given if len(group[n].attrs["weight_names"])]
    own = [layer for layer in layers if layer.weights]
    if by_name:
        known = {layer.name: layer for layer in own}
        pairs = [(known[n], n) for n in given if n in known]
    else:
        if len(given) != len(own):
            raise ValueError(
                f"You are trying to load a weight file containing {len(given)} layers into a "
                f"model with {len(own)} layers."
            )
        pairs = list(zip(own, given, strict=True))
    found = []
    for layer, name in pairs:
        inner = group[name]
        values = [np.asarray(inner[_text(n)]) for n in inner.attrs["weight_names"]]
        weights = layer.weights
        if len(values) != len(weights):
            raise ValueError(
                f"Layer {layer.name} expects {len(weights)} weight(s), but the saved weights have "
                f"{len(values)} element(s)."
            )
        for w, v in zip(weights, values, strict=True):
            if list(v.shape) != w.get_shape().as_list():
                raise ValueError(
                    f"weight {w.name} of layer {layer.name} has shape {w.get_shape()}, but the "
                    f"saved weight has shape {v.shape}"
                )
        found += list(zip(weights, values, strict=True))
    sessions.batch_set_value(found)


def save_weights(
    model: Any, filepath: str, overwrite: bool = True, save_format: str | None = None
) -> None:
    """Write the weights of a model."""
    path = os.fspath(filepath)
    h5 = _is_h5(path, save_format)
    if not overwrite and os.path.exists(path if h5 else path + ".index"):
        raise FileExistsError(path)
    if h5:
        with _h5py().File(path, "w") as f:
            _write_layers(f, model.layers)
        return
    from graphc.train import checkpoints, object_checkpoint  # here only: they import much

    object_checkpoint.write_objects(model, path, sessions.get_session())
    checkpoints.write_state(os.path.dirname(path) or ".", path, [path], relative=True)


def load_weights(model: Any, filepath: str, by_name: bool = False) -> Any:
    """Read the weights of a model."""
    path = os.fspath(filepath)
    if os.path.exists(path + ".index"):
        if by_name:
            raise NotImplementedError("weights by name are read from HDF5 files only")
        from graphc.train.object_checkpoint import read_objects  # here only

        status = read_objects(model, path)
        status.assert_nontrivial_match()
        status.run_restore_ops(sessions.get_session())
        return status
    with _h5py().File(path, "r") as f:
        _read_layers(f["model_weights"] if "model_weights" in f else f, model.layers, by_name)
    return None


def save_model(
    model: Any, filepath: str, overwrite: bool = True, include_optimizer: bool = True,
    save_format: str | None = None,
) -> None:  # fmt: skip
    """Write a model with its weights to an HDF5 file."""
    from graphc.keras import optimizers, serialize

    path = os.fspath(filepath)
    if save_format in ("tf", "tensorflow"):
        raise NotImplementedError("graphc writes Keras models as HDF5 files")
    if not overwrite and os.path.exists(path):
        raise FileExistsError(path)
    with _h5py().File(path, "w") as f:
        f.attrs["keras_version"], f.attrs["backend"] = b"2.2.4-tf", b"tensorflow"
        f.attrs["model_config"] = json.dumps(serialize.model_config(model)).encode()
        _write_layers(f.create_group("model_weights"), model.layers)
        if (
            include_optimizer
            and model.optimizer is not None
            and not isinstance(model.optimizer, optimizers.TFOptimizer)
        ):
            asked = {
                "optimizer_config": optimizers.serialize(model.optimizer), "loss": model.loss,
                "metrics": model._asked.get("metrics"), "sample_weight_mode": None,
                "loss_weights": model._asked.get("weights"),
            }  # fmt: skip
            f.attrs["training_config"] = json.dumps(asked, default=_shown).encode()
            held = f.create_group("optimizer_weights")
            held.attrs["weight_names"] = [w.name.encode() for w in model.optimizer.weights]
            for w, v in zip(model.optimizer.weights, model.optimizer.get_weights(), strict=True):
                held.create_dataset(w.name, data=np.asarray(v))


def _shown(x: Any) -> Any:
    if isinstance(x, np.generic):
        return x.item()
    return getattr(x, "__name__", None) or type(x).__name__


def load_model(filepath: str, custom_objects: Any = None, compile: bool = True) -> Any:
    """Read a model from an HDF5 file."""
    from graphc.keras import optimizers, serialize

    if not os.path.exists(filepath):
        raise OSError(f"There is no file of a model at {filepath}")
    with _h5py().File(os.fspath(filepath), "r") as f:
        if "model_config" not in f.attrs:
            raise ValueError("No model found in config file.")
        model = serialize.layer_from(json.loads(_text(f.attrs["model_config"])), custom_objects)
        _read_layers(f["model_weights"], model.layers, False)
        if compile and "training_config" in f.attrs:
            asked = json.loads(_text(f.attrs["training_config"]))
            made = optimizers.deserialize(asked["optimizer_config"], custom_objects)
            model.compile(made, asked["loss"], asked.get("metrics"), asked.get("loss_weights"))
            if "optimizer_weights" in f:
                model._train_op()
                held = f["optimizer_weights"]
                values = [np.asarray(held[_text(n)]) for n in held.attrs["weight_names"]]
                sessions.get_session()
                if len(values) == len(made.weights):
                    made.set_weights(values)
    return model
