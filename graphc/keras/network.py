"""`Network`: layers between inputs and outputs, found by how tensors were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.face import nest
from graphc.ir import build
from graphc.ir.node import Value
from graphc.keras import backend as K
from graphc.keras.engine import History, Layer, Made, history, unique
from graphc.layers.spec import flat_values

__all__ = ["Network"]


class _Operations(Layer):
    """Operations recorded directly on a model's tensors, between two of its layers."""

    def __init__(self, nodes: Sequence[Any], inputs: Sequence[Any], output: Any) -> None:
        super().__init__(name=unique("tf_op_layer_" + output.node.op.tf))
        self.nodes, self.inputs_, self.output_ = list(nodes), list(inputs), output
        self.built = True

    def call(self, inputs: Any) -> Any:
        new = dict(zip(self.inputs_, flat_values(inputs), strict=True))
        for n in self.nodes:
            values = [new.get(v, v) for v in n.inputs]
            copy = build.build(n.op, values, n.attrs, n.name.rpartition("/")[2])
            new.update(zip(n.outputs, copy.outputs, strict=True))
        return new[self.output_]


def _single(tensors: Any) -> Any:
    """The tensor of a list that has one; anything else as it is."""
    flat = flat_values(tensors) if isinstance(tensors, list) else []
    return flat[0] if len(flat) == 1 else tensors


def _adopt(x: Value) -> None:
    """Make a layer of the operations between `x` and the model's tensors it is made of."""
    found: dict[Any, bool] = {}
    tops: list[Value] = []

    def depends(v: Value) -> bool:
        if history(v) is not None:
            if v not in tops:
                tops.append(v)
            return True
        n = v.node
        if n not in found:
            found[n] = False
            each = [depends(i) for i in n.inputs]
            found[n] = any(each)
        return found[n]

    if not depends(x):
        raise ValueError(
            f"Output tensors to a Model must be the output of a TensorFlow `Layer` (thus holding "
            f"past layer metadata). Found: {x}"
        )
    nodes = sorted((n for n, d in found.items() if d), key=lambda n: n.id)
    layer = _Operations(nodes, tops, x)
    given: Any = tops if len(tops) > 1 else tops[0]
    x._keras_history = History(layer, 0, 0)  # type: ignore[attr-defined]
    layer._made.append(Made(layer, given, {}, x))


class Network(Layer):
    """Layers as one layer.

    Attributes
    ----------
    layers : list of Layer
    inputs, outputs : list of Tensor
    """

    def _init_graph(self, inputs: Any, outputs: Any) -> None:
        self._given_inputs, self._given_outputs = _single(inputs), _single(outputs)
        self.inputs = flat_values(inputs)
        self.outputs = flat_values(outputs)
        for x in self.inputs:
            h = history(x)
            if h is None:
                raise ValueError(
                    f"Input tensors to a Model must come from `tf.keras.Input`. Received: {x} "
                    "(missing previous layer metadata)."
                )
        self._sequence = self._ordered()
        self.built = True
        self.input_names = [history(x).layer.name for x in self.inputs]  # type: ignore[union-attr]
        self.output_names = self._names_of_outputs()

    def _names_of_outputs(self) -> list[str]:
        names: list[str] = []
        for y in self.outputs:
            base = history(y).layer.name  # type: ignore[union-attr]
            name, i = base, 1
            while name in names:
                name, i = f"{base}_{i}", i + 1
            names.append(name)
        return names

    def _ordered(self) -> list[Made]:
        """The calls between inputs and outputs: by depth as Keras has them, deepest first."""
        order: list[Made] = []
        state: dict[int, int] = {}
        stop = {id(x) for x in self.inputs}

        def visit(x: Value) -> None:
            if history(x) is None:
                _adopt(x)
            made = _call_of(x)
            if state.get(id(made)):
                return
            state[id(made)] = 1
            if not (id(x) in stop or all(id(v) in stop for v in flat_values(made.outputs))):
                for v in flat_values(made.inputs):
                    visit(v)
            order.append(made)

        for y in self.outputs:
            visit(y)
        depth: dict[int, int] = {}
        for made in reversed(order):
            d = depth.setdefault(id(made), 0)
            if all(id(v) in stop for v in flat_values(made.outputs)):
                continue
            for v in flat_values(made.inputs):
                inner = id(_call_of(v))
                depth[inner] = max(depth.get(inner, 0), d + 1)
        for x in self.inputs:
            made = _call_of(x)
            if id(made) not in state:
                order.append(made)
        place = {id(m): i for i, m in enumerate(order)}
        return sorted(order, key=lambda m: (-depth.get(id(m), 0), place[id(m)]))

    @property
    def layers(self) -> list[Any]:
        """Its layers, first ones first."""
        if getattr(self, "_sequence", None) is not None:
            out: list[Any] = []
            for made in self._sequence:
                if not any(made.layer is one for one in out):
                    out.append(made.layer)
            return out
        return self._nested()

    def _nested(self) -> list[Any]:
        if self.__dict__.get("_sequence") is not None:
            return self.layers
        return super()._nested()

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer by its name or its place."""
        if index is not None:
            if len(self.layers) <= index:
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} but model only has "
                    f"{len(self.layers)} layers."
                )
            return self.layers[index]
        if not name:
            raise ValueError("Provide either a layer name or layer index.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}")

    @property
    def weights(self) -> list[Any]:
        return (
            [w for layer in self.layers for w in layer.weights]
            + self._trainable_weights
            + self._non_trainable_weights
        )

    @property
    def input(self) -> Any:
        return self._given_inputs if self.__dict__.get("_given_inputs") is not None else (
            super().input
        )  # fmt: skip

    @property
    def output(self) -> Any:
        return self._given_outputs if self.__dict__.get("_given_outputs") is not None else (
            super().output
        )  # fmt: skip

    @property
    def input_shape(self) -> Any:
        made = [K.int_shape(x) for x in self.inputs]
        return made[0] if len(made) == 1 else made

    @property
    def output_shape(self) -> Any:
        made = [K.int_shape(x) for x in self.outputs]
        return made[0] if len(made) == 1 else made

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """The layers again, on other tensors."""
        flat = flat_values(inputs)
        if len(flat) != len(self.inputs):
            raise ValueError(f"{self.name} takes {len(self.inputs)} inputs, not {len(flat)}")
        new: dict[int, Any] = {id(x): v for x, v in zip(self.inputs, flat, strict=True)}
        for made in self._sequence:
            outs = flat_values(made.outputs)
            if all(id(v) in new for v in outs):
                continue
            args = nest.map_structure(lambda v: new[id(v)], made.inputs)
            more = dict(made.kwargs)
            if training is not None and _takes(made.layer, "training"):
                more.setdefault("training", training)
            values = flat_values(made.layer(args, **more))
            new.update((id(v), y) for v, y in zip(outs, values, strict=True))
        return nest.map_structure(lambda v: new[id(v)], self._given_outputs)

    # ---- weights in files

    def save_weights(
        self, filepath: str, overwrite: bool = True, save_format: str | None = None
    ) -> None:
        """Write the weights: a checkpoint, or an HDF5 file where the name says so."""
        from graphc.keras import files

        files.save_weights(self, filepath, overwrite, save_format)

    def load_weights(self, filepath: str, by_name: bool = False) -> Any:
        """Read weights that `save_weights` wrote."""
        from graphc.keras import files

        return files.load_weights(self, filepath, by_name)

    def count_params(self) -> int:
        return sum(K.count_params(w) for w in self.weights)

    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None
    ) -> None:
        """Print a line for each layer."""
        say = print_fn or print
        width = line_length or 65
        ends: Any = [int(width * p) if p <= 1 else p for p in (positions or (0.45, 0.85, 1.0))][:3]

        def row(*cells: Any) -> None:
            line = ""
            for i, (text, end) in enumerate(zip(cells, ends, strict=False)):
                if i:
                    line = line[:-1] + " "
                line = f"{line}{text}"[:end]
                line += " " * (end - len(line))
            say(line)

        say(f'Model: "{self.name}"')
        say("_" * width)
        row("Layer (type)", "Output Shape", "Param #")
        say("=" * width)
        layers = self.layers
        for i, layer in enumerate(layers):
            try:
                shape = layer.output_shape
            except (AttributeError, RuntimeError):
                shape = "multiple"
            row(f"{layer.name} ({type(layer).__name__})", shape,
                sum(K.count_params(w) for w in layer.weights))  # fmt: skip
            say(("=" if i == len(layers) - 1 else "_") * width)
        trainable = sum(K.count_params(w) for w in self.trainable_weights)
        fixed = sum(K.count_params(w) for w in self.non_trainable_weights)
        say(f"Total params: {trainable + fixed:,}")
        say(f"Trainable params: {trainable:,}")
        say(f"Non-trainable params: {fixed:,}")
        say("_" * width)

    @property
    def stateful(self) -> bool:  # type: ignore[override]
        return any(layer.stateful for layer in self.layers)

    @property
    def state_updates(self) -> list[Any]:
        return [u for layer in self.layers if layer.stateful for u in layer.updates]

    def get_config(self) -> dict[str, Any]:
        from graphc.keras import serialize

        return serialize.network_config(self)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON."""
        import json

        from graphc.keras import serialize

        return json.dumps(serialize.model_config(self), **kwargs)

    def reset_states(self) -> None:
        """Begin anew in all layers that keep states from batch to batch."""
        for layer in self.layers:
            if layer.stateful and hasattr(layer, "reset_states"):
                layer.reset_states()


def _call_of(x: Any) -> Made:
    h: Any = history(x)
    made: Made = h.layer._made[h.node_index]
    return made


def _takes(layer: Any, name: str) -> bool:
    import inspect

    return name in inspect.signature(layer.call).parameters
