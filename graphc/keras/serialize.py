"""Models and layers as plain data, and back."""

from __future__ import annotations

import json
from typing import Any

from graphc.face import nest
from graphc.keras.engine import Input, InputLayer, history
from graphc.keras.utils import get_custom_objects
from graphc.layers.spec import flat_values

__all__ = ["clone_model", "layer_from", "model_config", "model_from_config", "model_from_json"]


def _class_of(name: str, custom: Any) -> Any:
    from graphc.keras import layers, models

    found = (custom or {}).get(name) or get_custom_objects().get(name)
    found = found or getattr(layers, name, None) or getattr(models, name, None)
    if found is None:
        raise ValueError(f"Unknown layer: {name}")
    return found


def _words(config: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a layer from their data: initializers and regularizers by class."""
    from graphc.face import initializers
    from graphc.layers import keras_words

    out = {}
    for key, v in config.items():
        if isinstance(v, dict) and set(v) == {"class_name", "config"}:
            name = v["class_name"]
            kind = getattr(keras_words, name, None) or getattr(initializers, name, None)
            if kind is not None:
                v = kind(**v["config"])
        out[key] = tuple(v) if isinstance(v, list) and key != "axis" else v
    return out


def layer_from(config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A layer from ``{"class_name": …, "config": …}``."""
    kind = _class_of(config["class_name"], custom_objects)
    given = dict(config["config"])
    if config["class_name"] in ("Model", "Sequential"):
        return kind.from_config(given, custom_objects)
    if given.get("renorm_clipping") == {}:
        given["renorm_clipping"] = None
    return kind.from_config(_words(given) if "layer" not in given else given)


def _place(x: Any) -> list[Any]:
    h: Any = history(x)
    return [h.layer.name, h.node_index, h.tensor_index]


def _layer_data(layer: Any) -> dict[str, Any]:
    config = layer.get_config()
    shape = getattr(layer, "_batch_input_shape", None)
    if shape is not None and "batch_input_shape" not in config:
        config = {**config, "batch_input_shape": tuple(shape)}
    return {"class_name": type(layer).__name__, "config": config}


def network_config(model: Any) -> dict[str, Any]:
    """What a model is made of."""
    from graphc.keras.models import Sequential

    if isinstance(model, Sequential):
        return {"name": model.name, "layers": [_layer_data(layer) for layer in model.layers]}
    if model._sequence is None:
        raise NotImplementedError("a model of a subclass has no configuration")
    calls: dict[str, list[Any]] = {}
    for made in model._sequence:
        if not isinstance(made.layer, InputLayer):
            each = [[*_place(v), dict(made.kwargs)] for v in flat_values(made.inputs)]
            calls.setdefault(made.layer.name, []).append(each)
    layers = []
    for layer in model.layers:
        layers.append({"name": layer.name, **_layer_data(layer),
                       "inbound_nodes": calls.get(layer.name, [])})  # fmt: skip
    return {
        "name": model.name, "layers": layers,
        "input_layers": [_place(x) for x in model.inputs],
        "output_layers": [_place(x) for x in model.outputs],
    }  # fmt: skip


def model_config(model: Any) -> dict[str, Any]:
    """A model's class and what it is made of."""
    from graphc.version import VERSION

    return {
        "class_name": type(model).__name__, "config": network_config(model),
        "keras_version": "2.2.4-tf", "backend": "tensorflow", "graphc_version": VERSION,
    }  # fmt: skip


def network_from(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A model from what `network_config` gave."""
    from graphc.keras.models import Model, Sequential

    if issubclass(cls, Sequential):
        made = cls(name=config.get("name"))
        for data in config["layers"]:
            made.add(layer_from(data, custom_objects))
        return made
    layers: dict[str, Any] = {}
    waiting: list[tuple[str, list[Any]]] = []
    for data in config["layers"]:
        layers[data["name"]] = layer_from(data, custom_objects)
        waiting += [(data["name"], call) for call in data["inbound_nodes"]]
    first = {name: 0 for name in layers}

    def tensor(name: str, node: int, at: int) -> Any:
        made = layers[name]._made
        return flat_values(made[node].outputs)[at] if node < len(made) else None

    while waiting:
        left = []
        for name, call in waiting:
            values = [tensor(*place[:3]) for place in call]
            if any(v is None for v in values):
                left.append((name, call))
                continue
            more = call[0][3] if len(call[0]) > 3 else {}
            layers[name](values if len(values) > 1 else values[0], **more)
            first[name] += 1
        if len(left) == len(waiting):
            raise ValueError(f"layers whose inputs do not exist: {[n for n, _ in left]}")
        waiting = left
    ins = [tensor(*p) for p in config["input_layers"]]
    outs = [tensor(*p) for p in config["output_layers"]]
    given: Any = ins if len(ins) > 1 else ins[0]
    made_ = outs if len(outs) > 1 else outs[0]
    kind = cls if cls is not None else Model
    return kind(inputs=given, outputs=made_, name=config.get("name"))


def model_from_config(config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A model from its class and configuration."""
    return layer_from(config, custom_objects)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what `to_json` gave."""
    return layer_from(json.loads(json_string), custom_objects)


def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None) -> Any:
    """A model of the same layers with weights of its own.

    Parameters
    ----------
    input_tensors : list of Tensor, optional
        What the new model begins with: results of `tf.keras.Input`, or any others.
    clone_function : callable, optional
        From a layer to the new one.

    Raises
    ------
    ValueError
        For a model of a subclass, or another number of inputs.
    """
    from graphc.keras.models import Model, Sequential

    if model._sequence is None and not isinstance(model, Sequential):
        raise ValueError(
            "Expected `model` argument to be a functional `Model` instance, but got a subclass "
            "model instead."
        )
    if input_tensors is None and clone_function is None:
        return type(model).from_config(network_config(model))
    given = None if input_tensors is None else _begun(model, flat_values(input_tensors))

    def make(layer: Any) -> Any:
        if clone_function is None or isinstance(layer, InputLayer):
            return layer_from(_layer_data(layer))
        return clone_function(layer)

    if isinstance(model, Sequential):
        made = type(model)(name=model.name)
        layers = [x for x in model.layers if not isinstance(x, InputLayer)]
        if given is not None:
            made.add(history(given[0]).layer)  # type: ignore[union-attr]
        for layer in layers:
            made.add(make(layer))
        return made
    copies: dict[int, Any] = {}
    known = dict(zip([id(x) for x in model.inputs], given or (), strict=False))
    for call in model._sequence:
        outs = flat_values(call.outputs)
        if all(id(v) in known for v in outs):
            continue
        if id(call.layer) not in copies:
            copies[id(call.layer)] = make(call.layer)
        copy = copies[id(call.layer)]
        if isinstance(call.layer, InputLayer):
            values = flat_values(copy._made[0].outputs)
        else:
            args = nest.map_structure(lambda v: known[id(v)], call.inputs)
            values = flat_values(copy(args, **call.kwargs))
        known.update((id(v), y) for v, y in zip(outs, values, strict=True))
    ends = (nest.map_structure(lambda v: known[id(v)], x)
            for x in (model._given_inputs, model._given_outputs))  # fmt: skip
    return Model(*ends, name=model.name)


def _begun(model: Any, tensors: list[Any]) -> list[Any]:
    """Inputs of a new model, of those of another one."""
    if len(tensors) != len(model.inputs):
        raise ValueError(
            f"The model has {len(model.inputs)} inputs, but {len(tensors)} tensors were given."
        )
    return [
        x if history(x) is not None else Input(tensor=x, name=f"input_wrapper_for_{name}")
        for x, name in zip(tensors, model.input_names, strict=True)
    ]
