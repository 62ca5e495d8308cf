"""``tf.keras.Model`` and ``Sequential``."""

from __future__ import annotations

from typing import Any

from graphc.face.flow import cond
from graphc.keras import sessions
from graphc.keras.engine import Input, InputLayer, unique
from graphc.keras.network import Network
from graphc.keras.serialize import clone_model, model_from_config, model_from_json
from graphc.keras.training import Training
from graphc.layers.base import Held, snake_case
from graphc.layers.spec import flat_values

__all__ = [
    "Model", "Sequential", "clone_model", "load_model", "model_from_config", "model_from_json",
    "save_model",
]  # fmt: skip


class Model(Training, Network):
    """Layers that are trained together.

    Parameters
    ----------
    inputs, outputs : nest of Tensor
        What `Input` gave, and what layers made of it. Subclasses that define `call` give none.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.keras.Input((2,))
    ...     model = tf.keras.Model(x, tf.keras.layers.Dense(1, kernel_initializer="ones")(x))
    ...     print(model.predict(np.array([[1.0, 2.0]])))
    [[3.]]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        inputs = kwargs.pop("inputs", args[0] if args else None)
        outputs = kwargs.pop("outputs", args[1] if len(args) > 1 else None)
        name = kwargs.pop("name", args[2] if len(args) > 2 else None)
        super().__init__(name=name, **kwargs)
        self._init_training()
        self._sequence: Any = None
        self._given_inputs: Any = None
        self._given_outputs: Any = None
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        if inputs is not None:
            self._init_graph(inputs, outputs)

    def _default_name(self) -> str:
        return unique(snake_case(type(self).__name__))

    def _begin(self, arrays: list[Any], keys: list[str] | None = None) -> None:
        """Call a subclass with placeholders for arrays, at its first use.

        It gets a dictionary where the arrays came in one.
        """
        if self.outputs:
            return
        xs = [Input(a.shape[1:], dtype=_float(a)) for a in arrays]
        given: Any = xs[0] if len(xs) == 1 else xs
        if keys is not None:
            given = dict(zip(keys, xs, strict=True))
        made = self._in_either_phase(given)
        self.inputs, self.outputs = xs, flat_values(made)
        self._given_inputs, self._given_outputs = given, made
        self.input_names = keys or [f"input_{i + 1}" for i in range(len(xs))]
        self.output_names = [f"output_{i + 1}" for i in range(len(self.outputs))]

    def _in_either_phase(self, given: Any) -> Any:
        """What `call` makes of inputs while the phase is not known.

        Code that asks for it with ``if`` is called for each phase, in a cond. What its layers add
        (losses, updates) is that of a call for training outside.
        """
        phase = sessions.learning_phase()
        layers = [self, *self._every_layer()]
        before = Held(layers)
        try:
            return self(given, training=phase)
        except TypeError as e:
            if "as a Python `bool`" not in str(e):
                raise
        before.put_back()
        self(given, training=True)
        called = Held(layers)
        made = cond(phase, lambda: self(given, training=True), lambda: self(given, training=False))
        called.put_back()
        return made

    def _every_layer(self) -> list[Any]:
        """The layers inside, at any depth."""
        inner = self._nested()
        return inner + [x for layer in inner for x in getattr(layer, "_every_layer", list)()]

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model as `get_config` says."""
        from graphc.keras import serialize

        return serialize.network_from(cls, config, custom_objects)


def _float(a: Any) -> str:
    """The type of a placeholder for an array."""
    kind = {"f": "float32", "S": "string", "U": "string", "O": "string"}.get(a.dtype.kind)
    return kind or str(a.dtype)


class Sequential(Model):
    """Layers one after the other.

    Parameters
    ----------
    layers : list of Layer, optional
    """

    def __init__(self, layers: Any = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self._chain: list[Any] = []
        self._out: Any = None
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Add a layer behind the others.

        Raises
        ------
        TypeError
            For what is no layer.
        """
        if getattr(layer, "_keras_history", None) is not None:
            layer = layer._keras_history.layer
        if not callable(getattr(layer, "call", None)):
            raise TypeError(f"The added layer must be an instance of class Layer. Found: {layer}")
        if not self._chain:
            if isinstance(layer, InputLayer):
                self._chain.append(layer)
                self._out = layer._made[0].outputs
                return
            shape = _first_shape(layer)
            if shape is not None:
                kind = getattr(layer, "dtype", None)
                x = Input(batch_shape=shape, dtype=kind or "float32", name=layer.name + "_input")
                self._chain.append(x._keras_history.layer)
                self._out = x
        self._chain.append(layer)
        if self._chain and isinstance(self._chain[0], InputLayer):
            self._out = layer(self._out)
            begun = self._given_inputs
            self._init_graph(self._chain[0]._made[0].outputs if begun is None else begun, self._out)

    def pop(self) -> None:
        """Remove the last layer."""
        if not self.layers:
            raise TypeError("There are no layers in the model.")
        self._chain.pop()
        if self._chain and isinstance(self._chain[0], InputLayer):
            last = self._chain[-1]
            self._out = last._made[-1].outputs
            self._init_graph(self._given_inputs, self._out)

    @property
    def layers(self) -> list[Any]:
        """Its layers."""
        return [
            layer for layer in self.__dict__.get("_chain", ()) if not isinstance(layer, InputLayer)
        ]

    def _nested(self) -> list[Any]:
        return self.layers

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._sequence is not None:
            return super().call(inputs, training, mask)
        import inspect

        x = inputs
        for layer in self.layers:
            takes = "training" in inspect.signature(layer.call).parameters
            x = layer(x, **({"training": training} if training is not None and takes else {}))
        return x

    def _begin(self, arrays: list[Any], keys: list[str] | None = None) -> None:
        if self._sequence is None:
            if not self._chain:
                raise ValueError("Sequential model cannot be built: model is empty.")
            names: Any = keys or [None]
            xs = [Input(a.shape[1:], dtype=_float(a), name=k)
                  for a, k in zip(arrays, names, strict=False)]  # fmt: skip
            self._start(xs[0] if keys is None else dict(zip(keys, xs, strict=True)))

    def _start(self, given: Any) -> None:
        """Call the layers: the first with an input, or a dictionary of inputs."""
        layers, self._out = self.layers, given
        for layer in layers:
            self._out = layer(self._out)
        begun: Any = flat_values(given)
        self._chain = [*(x._keras_history.layer for x in begun), *layers]
        self._init_graph(given, self._out)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for an input of a shape."""
        if self._sequence is None and input_shape is not None:
            self._start(Input(batch_shape=tuple(input_shape)))
        self.built = True

    def predict_classes(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """The class of each entry."""
        y = self.predict(x, batch_size, verbose)
        return y.argmax(-1) if y.shape[-1] > 1 else (y > 0.5).astype("int32")

    def predict_proba(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        """The outputs."""
        return self.predict(x, batch_size, verbose)


def _first_shape(layer: Any) -> Any:
    shape = getattr(layer, "_batch_input_shape", None)
    if shape is None and isinstance(layer, Network):
        if layer.inputs:
            first: Any = layer.inputs[0]
            return tuple(first.shape.as_list())
        inner = layer.layers
        return _first_shape(inner[0]) if inner else None
    if shape is None and getattr(layer, "layer", None) is not None:
        return _first_shape(layer.layer)
    return shape


def save_model(
    model: Any, filepath: str, overwrite: bool = True, include_optimizer: bool = True,
    save_format: str | None = None, signatures: Any = None,
) -> None:  # fmt: skip
    """Write a model to an HDF5 file."""
    from graphc.keras import files

    files.save_model(model, filepath, overwrite, include_optimizer, save_format)


def load_model(filepath: str, custom_objects: Any = None, compile: bool = True) -> Any:
    """Read a model that `save_model` wrote."""
    from graphc.keras import files

    return files.load_model(filepath, custom_objects, compile)
