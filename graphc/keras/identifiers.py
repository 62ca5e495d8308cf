"""What Keras finds by a word or a configuration, and the way back.

A space is a module of `tf.keras`, and the word that messages have for what is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.lazy import lookup
from graphc.keras.inside import deserialize_keras_object, serialize_keras_object
from graphc.layers.spec import flat_values

__all__ = [
    "activation", "activation_word", "constraint", "constraint_of", "get_source_inputs",
    "initializer", "layer", "regularizer",
]  # fmt: skip


class _Named:
    """Names of a space, each looked up when it is asked for."""

    def __init__(self, space: str) -> None:
        self.space = space

    def keys(self) -> list[str]:
        """All names."""
        return [n for n in dir(lookup("keras", self.space)) if not n.startswith("_")]

    def __getitem__(self, name: str) -> Any:
        return getattr(lookup("keras", self.space), name)


def _deserializer(space: str, what: str) -> Callable[..., Any]:
    def deserialize(config: Any, custom_objects: Any = None) -> Any:
        return deserialize_keras_object(config, _Named(space), custom_objects, what)

    deserialize.__doc__ = f"""The {what} of a name, or of ``{{"class_name": …, "config": …}}``.

    Raises
    ------
    ValueError
        For a name that nobody knows, or a dict of another form.
    """
    return deserialize


constraint = _deserializer("constraints", "constraint")
initializer = _deserializer("initializers", "initializer")
layer = _deserializer("layers", "layer")
regularizer = _deserializer("regularizers", "regularizer")


def activation(name: Any, custom_objects: Any = None) -> Any:
    """The activation function of a name.

    Raises
    ------
    ValueError
        For a name that nobody knows.
    """
    return deserialize_keras_object(
        name, _Named("activations"), custom_objects, "activation function"
    )


def activation_word(activation: Any) -> str:
    """The name of an activation function.

    Raises
    ------
    ValueError
        When it has none.
    """
    word: str = serialize_keras_object(activation)
    return word


def constraint_of(identifier: Any) -> Any:
    """The constraint for a callable, or for the name or dict of one; None stays None.

    Raises
    ------
    ValueError
    """
    if identifier is None or callable(identifier):
        return identifier
    if not isinstance(identifier, str | dict):
        raise ValueError(f"Could not interpret constraint identifier: {identifier!s}")
    return constraint(identifier)


def get_source_inputs(tensor: Any, layer: Any = None, node_index: int | None = None) -> Any:
    """A list of the inputs that a tensor of a model is computed from; any other tensor itself.

    Parameters
    ----------
    tensor : Tensor
    layer, node_index : optional
        The layer and its call that made it; found otherwise.
    """
    from graphc.keras.engine import history

    made = history(tensor)
    if made is None:
        return tensor
    by = made.layer if layer is None else layer
    call = by._made[made.node_index if node_index is None else node_index]
    given = flat_values(call.inputs)
    if not given:
        return flat_values(call.outputs)
    found: dict[int, Any] = {}
    for x in given:
        found.update({id(s): s for s in get_source_inputs(x)})
    return list(found.values())
