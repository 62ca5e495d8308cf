"""`Layer` and `Input`: layers that remember how tensors were made, so that models can be found."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.resource_variable import ResourceVariable
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.layers.base import Layer as Base
from graphc.layers.base import snake_case
from graphc.layers.calls import Call
from graphc.layers.spec import InputSpec, check_inputs, flat_values
from graphc.layers.words import initializer_of, regularizer_of
from graphc.ops import state
from graphc.ops.counting import made

__all__ = ["History", "Input", "InputLayer", "InputSpec", "Layer", "Made", "unique"]


class Made(NamedTuple):
    """One call of a layer on tensors of a model."""

    layer: Any
    inputs: Any
    kwargs: dict[str, Any]
    outputs: Any


class History(NamedTuple):
    """How a tensor was made: by which call, as which of its outputs."""

    layer: Any
    node_index: int
    tensor_index: int


def unique(base: str) -> str:
    """``base``, ``base_1``, … counted in the default graph."""
    counts = get_default_graph().extras.setdefault("keras_names", {})
    n = counts[base] = counts.get(base, 0) + 1
    return base if n == 1 else f"{base}_{n - 1}"


def history(x: Any) -> History | None:
    """How `x` was made, if a model's layer made it."""
    return getattr(x, "_keras_history", None)


class Layer(Base):
    """A layer of models: subclasses define `build` (with `add_weight`) and `call`.

    Parameters
    ----------
    trainable : bool
    name : str, optional
        By default that of the class, numbered.
    dtype : DType, optional
    input_shape, batch_input_shape, batch_size, weights, activity_regularizer : optional
        As keywords: what a first layer of a `Sequential` says of its input, and initial weights.
    """

    #: Whether it keeps states from batch to batch.
    stateful = False

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        keep = self._keras_keywords(kwargs)
        super().__init__(trainable, name, dtype, **kwargs)
        self._finish_keywords(keep)

    @staticmethod
    def _keras_keywords(kwargs: dict[str, Any]) -> dict[str, Any]:
        words = ("input_shape", "batch_input_shape", "batch_size", "weights", "input_dim",
                 "input_length")  # fmt: skip
        return {k: kwargs.pop(k) for k in words if k in kwargs}

    def _finish_keywords(self, given: dict[str, Any]) -> None:
        shape = given.get("batch_input_shape")
        if shape is None and given.get("input_dim") is not None and "input_shape" not in given:
            given["input_shape"] = (given["input_dim"],)
        if shape is None and given.get("input_shape") is not None:
            shape = (given.get("batch_size"), *given["input_shape"])
        self._batch_input_shape = shape
        self._initial_weights = given.get("weights")
        self._made: list[Made] = []
        self.supports_masking = getattr(self, "supports_masking", False)

    def _default_name(self) -> str:
        return unique(snake_case(type(self).__name__))

    # ---- weights

    def add_weight(  # type: ignore[override]
        self, name: str | None = None, shape: Any = (), dtype: Any = None, initializer: Any = None,
        regularizer: Any = None, trainable: bool | None = None, constraint: Any = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """A variable named below the layer; a regularizer's loss is one of the layer's."""
        kind = as_dtype(dtype or self._dtype or "float32")
        if isinstance(shape, int):
            shape = (shape,)
        sizes = [getattr(d, "value", d) for d in (shape or ())]
        if initializer is None:
            initializer = "glorot_uniform" if kind.is_floating else "zeros"
        make: Any = initializer_of(initializer)
        make = make() if inspect.isclass(make) else make
        trains = True if trainable is None else trainable

        def initial() -> Any:
            if "dtype" in inspect.signature(make.__call__ if not inspect.isfunction(make)
                                            else make).parameters:  # fmt: skip
                return make(sizes, dtype=kind)
            return make(sizes)

        v = ResourceVariable(  # its reads need no copies: assignments come after all of them
            initial, trainable=trains, name=name, dtype=kind, constraint=constraint,
            use_resource=False,
        )  # fmt: skip
        v._counts_reads = True  # one operation more in TF1
        made(1)
        (self._trainable_weights if trains else self._non_trainable_weights).append(v)
        penalty = regularizer_of(regularizer)
        if penalty is not None:
            # TF1 makes it when a model is compiled
            with name_scope(f"{name}/Regularizer"), current().counts_as(0):
                self.add_loss(penalty(v))
        return v

    add_variable: Any = add_weight

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Add losses to what a model of the layer minimises."""
        if callable(losses):
            losses = losses()
        made = list(losses) if isinstance(losses, list | tuple) else [losses]
        self._own_losses += [(v, flat_values(inputs)) for v in made if v is not None]

    def _nested(self) -> list[Any]:
        """Layers that are attributes of this one."""
        found: list[Any] = []
        for key, v in vars(self).items():
            if key in ("_calls", "_outbound", "_made", "_sequence"):
                continue
            for x in v if type(v) in (list, tuple) else v.values() if type(v) is dict else [v]:
                if isinstance(x, Base) and x is not self and not any(x is f for f in found):
                    found.append(x)
        return found

    @property
    def trainable_weights(self) -> list[Any]:
        if not self.trainable:
            return []
        return self._trainable_weights + [
            w for layer in self._nested() for w in layer.trainable_weights
        ]

    @property
    def non_trainable_weights(self) -> list[Any]:
        inner = self._nested()
        if not self.trainable:
            return (self._trainable_weights + self._non_trainable_weights
                    + [w for layer in inner for w in layer.weights])  # fmt: skip
        return self._non_trainable_weights + [
            w for layer in inner for w in layer.non_trainable_weights
        ]

    @property
    def losses(self) -> list[Any]:
        return super().losses + [v for layer in self._nested() for v in layer.losses]

    @property
    def reported(self) -> list[tuple[str | None, Any, str | None]]:
        """What `add_metric` was told, here and in the layers inside: name, value, aggregation."""
        return self._own_metrics + [m for layer in self._nested() for m in layer.reported]

    @property
    def updates(self) -> list[Any]:
        return super().updates + [v for layer in self._nested() for v in layer.updates]

    def get_weights(self) -> list[Any]:
        """Values of the weights."""
        from graphc.keras import sessions

        return sessions.batch_get_value(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the weights.

        Raises
        ------
        ValueError
            For another number of values, or another shape.
        """
        from graphc.keras import sessions

        with sessions.get_session().as_default():
            super().set_weights(weights)

    # ---- calls

    def _called(self, inputs: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        inputs = _converted(inputs)
        check_inputs(self.input_spec, inputs, self.name)
        accepted = inspect.signature(self.call).parameters
        given = dict(kwargs)
        if "training" in given and not self._takes_training():
            del given["training"]
        masks = [getattr(v, "_keras_mask", None) for v in flat_values(inputs)]
        mask: Any = masks if isinstance(inputs, list | tuple) else (masks or [None])[0]
        wanted = any(m is not None for m in masks)
        if wanted and "mask" in accepted and given.get("mask") is None:
            given["mask"] = mask
        with name_scope(self._name):
            if not self.built:
                self._build(inputs)
                if self._initial_weights is not None:
                    self.set_weights(self._initial_weights)
                check_inputs(self.input_spec, inputs, self.name)
            outputs = self.call(inputs, *args, **given)
            if isinstance(outputs, Value) and any(outputs is v for v in flat_values(inputs)):
                outputs = state.identity(outputs)
            if self._activity_regularizer is not None:
                self._regularize_activity(inputs, outputs)
        if wanted or given.get("mask") is not None or self._starts_mask:
            out_mask = self.compute_mask(inputs, given.get("mask", mask))
            flat = flat_values(outputs)
            each = out_mask if isinstance(out_mask, list | tuple) else [out_mask] * len(flat)
            for v, m in zip(flat, each, strict=False):
                v._keras_mask = m  # type: ignore[attr-defined]
        self._record(inputs, {**kwargs, **_named(self.call, args)}, outputs)
        return outputs

    def _takes_training(self) -> bool:
        """Whether `call` can be told the phase."""
        accepted = inspect.signature(self.call).parameters
        kinds = [p.kind for p in accepted.values()]
        return "training" in accepted or inspect.Parameter.VAR_KEYWORD in kinds

    _starts_mask = False

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """What mask the output has: none, but that of the input where masks are understood."""
        return mask if self.supports_masking else None

    def _record(self, inputs: Any, kwargs: dict[str, Any], outputs: Any) -> None:
        self._remember(Call(self, inputs, outputs))
        if any(history(v) is not None for v in flat_values(inputs)):
            made = Made(self, inputs, kwargs, outputs)
            for i, v in enumerate(flat_values(outputs)):
                v._keras_history = History(self, len(self._made), i)  # type: ignore[attr-defined]
            self._made.append(made)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, found by calling the layer on a placeholder."""
        try:
            return super().compute_output_shape(input_shape)
        except NotImplementedError:
            pass
        graph = get_default_graph()
        several = isinstance(input_shape, list)
        with graph.transaction():
            given = input_shape if several else [input_shape]
            xs = [state.placeholder(self._dtype or dtypes.float32, s) for s in given]
            return self(xs if several else xs[0]).shape


def _named(call: Any, args: Sequence[Any]) -> dict[str, Any]:
    if not args:
        return {}
    names = list(inspect.signature(call).parameters)[1:]
    return dict(zip(names, args, strict=False))


def _converted(inputs: Any) -> Any:
    from graphc.layers.base import _converted as plain

    return plain(inputs)


def _input_name() -> str:
    """``input_1``, ``input_2``, …"""
    counts = get_default_graph().extras.setdefault("keras_names", {})
    counts["input"] = counts.get("input", 0) + 1
    return f"input_{counts['input']}"


class InputLayer(Layer):
    """The place of a model's input: a placeholder.

    Parameters
    ----------
    input_shape : tuple, optional
        Without the batch.
    batch_size : int, optional
    dtype : DType, optional
    input_tensor : Tensor, optional
        To use instead of a new placeholder.
    """

    def __init__(
        self, input_shape: Any = None, batch_size: int | None = None, dtype: Any = None,
        input_tensor: Any = None, sparse: bool = False, name: str | None = None,
        ragged: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        if sparse or ragged:
            raise ValueError("graphc's models take dense inputs")
        shape = kwargs.pop("batch_input_shape", None)
        if shape is None and input_shape is not None:
            shape = (batch_size, *tuple(input_shape))
        super().__init__(name=name or _input_name(), dtype=dtype or "float32", **kwargs)
        self._batch_input_shape = shape
        self.is_placeholder = input_tensor is None
        self.built = True
        x: Any = input_tensor
        if x is None:
            x = state.placeholder(as_dtype(dtype or "float32"), shape, name=self._name)
        x._keras_history = History(self, 0, 0)
        self._made.append(Made(self, [], {}, x))
        self._remember(Call(self, x, x))

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self._batch_input_shape,
            "dtype": as_dtype(self.dtype).name, "sparse": False, "ragged": False,
            "name": self.name,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = dict(config)
        if given.get("batch_input_shape"):
            given["batch_input_shape"] = tuple(given["batch_input_shape"])
        return cls(**given)


def Input(
    shape: Any = None, batch_size: int | None = None, name: str | None = None, dtype: Any = None,
    sparse: bool = False, tensor: Any = None, ragged: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """A placeholder that models begin with.

    Parameters
    ----------
    shape : tuple
        Without the batch.
    batch_size : int, optional
    tensor : Tensor, optional
        To use instead of a new placeholder.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     x = tf.keras.Input((3,))
    ...     print(tf.keras.Model(x, tf.keras.layers.Dense(2)(x)).output_shape)
    (None, 2)
    """
    full = kwargs.pop("batch_shape", None)
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {list(kwargs)}")
    if shape is None and full is None and tensor is None:
        raise ValueError("Please provide to Input either a `shape` or a `tensor` argument.")
    if isinstance(shape, int):
        shape = (shape,)
    more: dict[str, Any] = {} if full is None else {"batch_input_shape": tuple(full)}
    layer = InputLayer(
        input_shape=shape, batch_size=batch_size, dtype=dtype, input_tensor=tensor, sparse=sparse,
        name=name, ragged=ragged,
        **more,
    )  # fmt: skip
    return layer._made[0].outputs
