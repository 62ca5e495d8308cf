"""`Layer`: a function with variables of its own, named as TF1 names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from graphc.face import scopes
from graphc.face.current import get_collection, get_collection_ref, name_scope
from graphc.face.default_session import get_default_session
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.partitioned import PartitionedVariable
from graphc.face.shape import TensorShape, as_shape
from graphc.face.variables import VariableAggregation, VariableSynchronization
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.layers.calls import Call, Remembering, own_config
from graphc.layers.spec import InputSpec, check_inputs, flat_values
from graphc.layers.words import initializer_of, regularizer_of
from graphc.ops import math, shapes
from graphc.ops.convert import convert_to_tensor

__all__ = ["Held", "InputSpec", "Layer", "as_shape", "functional", "snake_case"]

_KNOWN = ("activity_regularizer", "input_shape", "batch_input_shape", "batch_size", "weights",
          "autocast", "dynamic")  # fmt: skip


def snake_case(name: str) -> str:
    """``MaxPooling2D`` as ``max_pooling2d``."""
    spaced = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name))
    out = spaced.lower()
    return "private" + out if out.startswith("_") else out


def _unique_name(base: str) -> str:
    """``base_1``, ``base_2``, … counted in the default graph."""
    graph = get_default_graph()
    counts = graph.extras.setdefault("layer_names", {})
    graph.log(counts, base)
    counts[base] = counts.get(base, 0) + 1
    return f"{base}_{counts[base]}"


class Held:
    """What layers hold at a moment: attributes, and the elements of those that are lists."""

    def __init__(self, layers: Iterable[Any]) -> None:
        self._of = [
            (x, dict(vars(x)), {k: list(v) for k, v in vars(x).items() if type(v) is list})
            for x in layers
        ]

    def put_back(self) -> None:
        for layer, values, lists in self._of:
            for k, items in lists.items():
                values[k][:] = items
            vars(layer).clear()
            vars(layer).update(values)


class Layer(Remembering):
    """A function of tensors with variables: `build` makes them at the first call, `call` uses them.

    Parameters
    ----------
    trainable : bool
        Whether its variables are trained.
    name : str, optional
        Its name and, made unique, the variable scope of its variables; by default the name of its
        class.
    dtype : DType, optional
        Of its variables; that of its inputs by default.

    Attributes
    ----------
    name : str
    built : bool
    variables, weights, trainable_variables, trainable_weights, non_trainable_variables, \
non_trainable_weights, losses, updates : list
    input, output, input_shape, output_shape
        Of its only call.
    """

    def __init__(
        self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        scope = kwargs.pop("_scope", None)
        self._reuse = kwargs.pop("_reuse", None)
        for key in kwargs:
            if key not in _KNOWN:
                raise TypeError("Keyword argument not understood:", key)
        self.trainable = trainable
        self.built = False
        self.input_spec: Any = None
        self._activity_regularizer = kwargs.get("activity_regularizer")
        self._dtype = None if dtype is None else as_dtype(dtype)
        self._base = name or snake_case(type(self).__name__)
        self._name = name or self._default_name()
        self._graph: Graph | None = None
        self._trainable_weights: list[Any] = []
        self._non_trainable_weights: list[Any] = []
        self._own_losses: list[tuple[Any, list[Any]]] = []
        self._own_updates: list[tuple[Any, list[Any]]] = []
        self._calls = []
        self._outbound = []
        self._own_metrics: list[tuple[str | None, Any, str | None]] = []
        self._again: Any = None
        self._scope: Any = None
        self._current: Any = None
        if scope:
            with scopes.variable_scope(scope) as captured:
                self._scope = captured

    def _default_name(self) -> str:
        return _unique_name(self._base)

    # ---- what it is

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def graph(self) -> Any:
        return self._graph

    @property
    def scope_name(self) -> str:
        if not self._scope:
            raise ValueError(
                f'No name available for layer scope because the layer "{self._name}" has not '
                "been used yet. The scope name is determined the first time the layer instance is "
                "called. You must therefore call the layer before querying `scope_name`."
            )
        name: str = self._scope.name
        return name

    @property
    def activity_regularizer(self) -> Any:
        return self._activity_regularizer

    @property
    def trainable_weights(self) -> list[Any]:
        return list(self._trainable_weights) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        return (
            list(self._non_trainable_weights)
            if self.trainable
            else self._trainable_weights + self._non_trainable_weights
        )

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    @property
    def variables(self) -> list[Any]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return self.non_trainable_weights

    @property
    def updates(self) -> list[Any]:
        kept = self.trainable or getattr(self, "stateful", False)
        return [u for u, _ in self._own_updates] if kept else []

    @property
    def losses(self) -> list[Any]:
        return [v for v, _ in self._own_losses]

    def _of_inputs(self, pairs: Sequence[tuple[Any, list[Any]]], inputs: Any) -> list[Any]:
        if inputs is None:
            return [x for x, given in pairs if not given]
        reachable = flat_values(inputs)
        return [x for x, given in pairs if any(v in reachable for v in given)]

    def get_updates_for(self, inputs: Any) -> list[Any]:
        """Updates that depend on `inputs`; with None those that depend on none."""
        return self._of_inputs(self._own_updates, inputs) if self.trainable else []

    def get_losses_for(self, inputs: Any) -> list[Any]:
        """Losses that depend on `inputs`; with None those that depend on none."""
        return self._of_inputs(self._own_losses, inputs)

    def count_params(self) -> int:
        """How many numbers its variables hold.

        Raises
        ------
        ValueError
            Before it is built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. You "
                f"can build it manually via: `{self.name}.build(batch_input_shape)`."
            )
        return int(sum(int(np.prod(w.get_shape().as_list())) for w in self.weights))

    def get_weights(self) -> list[Any]:
        """Values of its variables in the default session."""
        session = get_default_session()
        if session is None:
            raise ValueError("get_weights() needs a default session.")
        values: list[Any] = session.run(self.weights)
        return values

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set its variables in the default session.

        Raises
        ------
        ValueError
            For another number of values, or a value of another shape.
        """
        own = self.weights
        if len(own) != len(weights):
            raise ValueError(
                f'You called `set_weights(weights)` on layer "{self.name}" with a  weight list of '
                f"length {len(weights)}, but the layer was expecting {len(own)} weights."
            )
        for v, value in zip(own, weights, strict=True):
            if list(np.shape(value)) != v.get_shape().as_list():
                raise ValueError(
                    f"Layer weight shape {v.get_shape()} not compatible with provided weight "
                    f"shape {np.shape(value)}"
                )
        for v, value in zip(own, weights, strict=True):
            v.load(value)

    def get_config(self) -> dict[str, Any]:
        """Its name, whether it trains, its element type, and the arguments of graphc's own class.

        Functions and objects are given by name and configuration, as Keras does.
        """
        kind = None if self._dtype is None else self._dtype.name
        out = {"name": self.name, "trainable": self.trainable, "dtype": kind}
        return out | own_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made as `get_config` says."""
        return cls(**config)

    @property
    def name_scope(self) -> str:
        """Of its variables and operations."""
        return self._name if self._scope is None else str(self._scope.original_name_scope)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """What mask the output has: that of the input."""
        return mask

    @property
    def dynamic(self) -> bool:
        return False

    @property
    def metrics(self) -> list[Any]:
        return [value for _, value, _ in self._own_metrics]

    def compute_output_signature(self, input_signature: Any) -> Any:
        """The shape and type of the output for those of the input."""
        from graphc.data.structure import TensorSpec  # seldom

        if isinstance(input_signature, list | tuple):
            shape = self.compute_output_shape([s.shape for s in input_signature])
            return TensorSpec(shape, self._dtype or input_signature[0].dtype)
        shape = self.compute_output_shape(input_signature.shape)
        return TensorSpec(shape, self._dtype or input_signature.dtype)

    # ---- what subclasses define

    def build(self, input_shape: Any) -> None:
        """Make the variables."""
        self.built = True

    def _echo(self, inputs: Any) -> Any:
        """What the layer computes."""
        return inputs

    call: Any = _echo  # subclasses take any arguments

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for that of the input."""
        raise NotImplementedError(f"{type(self).__name__} has no compute_output_shape")

    # ---- variables, losses and updates

    def add_weight(
        self,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        trainable: bool | None = None,
        constraint: Any = None,
        use_resource: bool | None = None,
        synchronization: int = VariableSynchronization.AUTO,
        aggregation: int = VariableAggregation.NONE,
        partitioner: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A variable in the layer's scope, made or found; its regularizer's loss is collected."""
        for key in kwargs:
            if key not in ("getter", "collections", "experimental_autocast"):
                raise TypeError("Unknown keyword argument:", key)
        if trainable is None:
            trainable = synchronization != VariableSynchronization.ON_READ
        if dtype is None:
            dtype = self.dtype or dtypes.float32
        self._set_scope(None)
        before = set(get_collection(GraphKeys.GLOBAL_VARIABLES))
        reuse = self.built or self._reuse
        with scopes.variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as scope:
            self._current = scope
            with name_scope(scope.original_name_scope):
                v = scopes.get_variable(
                    name, shape, dtype, initializer_of(initializer) or scope.initializer,
                    trainable=trainable and self.trainable, constraint=constraint,
                    partitioner=partitioner, use_resource=use_resource,
                    synchronization=synchronization, aggregation=aggregation,
                    collections=kwargs.get("collections"),
                )  # fmt: skip
                regularizer = regularizer_of(regularizer)
                parts = list(v) if isinstance(v, PartitionedVariable) else [v]
                for part in parts:
                    if regularizer is not None and part not in before:
                        with name_scope(f"{name}/Regularizer"):
                            loss = regularizer(part)
                        if loss is not None:
                            self.add_loss(loss)
        own = self._trainable_weights if trainable else self._non_trainable_weights
        own.extend(parts)
        return v

    add_variable = add_weight

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Add losses: to the layer, and to ``GraphKeys.REGULARIZATION_LOSSES``."""
        if callable(losses):
            losses = losses()
        made = list(losses) if isinstance(losses, list | tuple) else [losses]
        self._own_losses += [(v, flat_values(inputs)) for v in made if v is not None]
        _collect(made, GraphKeys.REGULARIZATION_LOSSES)

    def add_metric(
        self, value: Any, aggregation: str | None = None, name: str | None = None
    ) -> None:
        """Add a tensor to what models report of the layer.

        Parameters
        ----------
        aggregation : {"mean", None}
            None where `value` is the result of a metric.

        Raises
        ------
        ValueError
            For another aggregation, none of a tensor that is no metric's result, or no name.
        """
        if aggregation not in (None, "mean"):
            raise ValueError(
                "We currently support only `mean` sample-wise metric aggregation. You provided "
                f"aggregation={aggregation}"
            )
        if not hasattr(value, "_metric_obj"):
            if name is None:
                raise ValueError(
                    "A metric needs a name: `add_metric(tensor, name='…', aggregation='mean')`"
                )
            if aggregation is None:
                raise ValueError(
                    "A tensor that no `tf.keras.metrics.Metric` gave has no state that could be "
                    "reset after an epoch: use `aggregation='mean'`, or pass a metric's result"
                )
        self._own_metrics.append((name, value, aggregation))

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Add update operations: to the layer, and (when it is called) to ``UPDATE_OPS``."""
        if callable(updates):
            updates = updates()
        made = list(updates) if isinstance(updates, list | tuple) else [updates]
        given = flat_values(inputs)
        ops = [u if not isinstance(u, Value) else u.node for u in made if u is not None]
        self._own_updates += [(u, given) for u in ops]

    # ---- calling it

    def _set_scope(self, scope: Any) -> None:
        if self._scope is not None:
            return
        given: Any = scope
        if self._reuse:
            with scopes.variable_scope(given if given is not None else self._base) as captured:
                self._scope = captured
        else:
            with scopes.variable_scope(given, default_name=self._base) as captured:
                self._scope = captured

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return self(inputs, *args, **kwargs)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Build it when this is the first call, then compute its output.

        An error leaves graph and layer as they were.
        """
        before = Held([self])
        try:
            with get_default_graph().transaction():
                return self._called(inputs, args, kwargs)
        except BaseException:
            before.put_back()
            raise

    def _called(self, inputs: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        self._set_scope(kwargs.pop("scope", None))
        if self.built:
            if self._again is None:
                self._again = scopes.variable_scope(
                    self._scope, reuse=True, auxiliary_name_scope=False
                )
            context = self._again
        else:
            context = scopes.variable_scope(
                self._scope, reuse=self._reuse, auxiliary_name_scope=False
            )
        with context as scope:
            self._current = scope
            outputs = self._compute(inputs, args, kwargs)
        get_collection_ref(GraphKeys.UPDATE_OPS)
        _collect(self.updates, GraphKeys.UPDATE_OPS)
        return outputs

    def _compute(self, inputs: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        inputs = _converted(inputs)
        check_inputs(self.input_spec, inputs, self.name)
        with name_scope(self._current.original_name_scope):
            if not self.built:
                self._build(inputs)
                check_inputs(self.input_spec, inputs, self.name)
            outputs = self.call(inputs, *args, **kwargs)
            if self._activity_regularizer is not None:
                self._regularize_activity(inputs, outputs)
        self._remember(Call(self, inputs, outputs))
        return outputs

    def _remember(self, call: Call) -> None:
        self._calls.append(call)
        makers = self._graph.extras.setdefault("layer_calls", {}) if self._graph else {}
        for v in flat_values(call.input_tensors):
            maker = makers.get(v)
            if maker is not None:
                maker._outbound.append(call)
        makers.update(dict.fromkeys(flat_values(call.output_tensors), self))

    def _build(self, inputs: Any) -> None:
        flat = flat_values(inputs)
        self._graph = get_default_graph()
        if self._dtype is None and flat:
            self._dtype = flat[0].dtype.base_dtype
        shape: Any = TensorShape(None)
        if len(flat) == 1 and not isinstance(inputs, list | tuple | dict):
            shape = flat[0].shape  # type: ignore[attr-defined]
        elif flat:
            shape = [v.shape for v in flat]  # type: ignore[attr-defined]
        self.build(shape)
        self.built = True

    def _regularize_activity(self, inputs: Any, outputs: Any) -> None:
        regularizer = regularizer_of(self._activity_regularizer)
        with name_scope("ActivityRegularizer"):
            for y in flat_values(outputs):
                loss = convert_to_tensor(regularizer(y))
                batch = math.cast(shapes.shape(y)[0], loss.dtype)
                self.add_loss(loss / batch, inputs)

    def __deepcopy__(self, memo: Any) -> Layer:
        import copy  # seldom

        out = type(self).__new__(type(self))
        memo[id(self)] = out
        for key, value in vars(self).items():
            shared = key in ("_graph", "_scope", "_again", "_current", "_calls", "_outbound")
            setattr(out, key, value if shared else copy.deepcopy(value, memo))
        return out


def _converted(inputs: Any) -> Any:
    """Arrays and numbers as tensors; nests stay."""
    if isinstance(inputs, np.ndarray | float | int | np.generic):
        return convert_to_tensor(inputs)
    if isinstance(inputs, list):
        return [_converted(v) for v in inputs]
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return tuple([_converted(v) for v in inputs])
    if isinstance(inputs, dict):
        return {k: _converted(v) for k, v in inputs.items()}
    if callable(getattr(inputs, "_AsTensor", None)):
        return convert_to_tensor(inputs)
    return inputs


def _collect(things: Iterable[Any], key: str) -> None:
    """Add to a collection what is not in it yet."""
    graph = get_default_graph()
    known = {id(x) for x in graph.get_collection(key)}
    for x in things:
        if x is not None and id(x) not in known:
            graph.add_to_collection(key, x)


def functional(layer: type[Layer], doc: str, calling: Sequence[str] = ()) -> Callable[..., Any]:
    """The function of a layer's class: it makes a layer and calls it once.

    Parameters
    ----------
    calling : sequence of str
        Parameters that are arguments of the call and not of the class.
    """
    import inspect  # once for each function

    of_class = list(inspect.signature(layer.__init__).parameters.values())[1:]
    named = [p for p in of_class if p.kind is not p.VAR_KEYWORD and p.name != "name"]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    reusable = any(p.name == "trainable" for p in named)
    defaults = {"training": False}
    parameters = [inspect.Parameter("inputs", kind)]
    trainable = [p for p in named if p.name == "trainable"]
    parameters += [p for p in named if p.name != "trainable"]
    parameters += [inspect.Parameter(c, kind, default=defaults[c]) for c in calling]
    parameters += trainable
    parameters.append(inspect.Parameter("name", kind, default=None))
    if reusable:
        parameters.append(inspect.Parameter("reuse", kind, default=None))
    signature = inspect.Signature(_ordered(parameters))

    def f(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs).arguments
        inputs = bound.pop("inputs")
        called = {k: bound.pop(k) for k in calling if k in bound}
        name = bound.pop("name", None)
        if reusable:
            bound["_reuse"] = bound.pop("reuse", None)
            bound["_scope"] = name
        dtype = getattr(inputs, "dtype", None)
        if reusable and isinstance(dtype, dtypes.DType):
            bound["dtype"] = dtype.base_dtype
        with get_default_graph().transaction():
            return layer(name=name, **bound)(inputs, **called)

    f.__signature__ = signature  # type: ignore[attr-defined]
    f.__name__ = f.__qualname__ = snake_case(layer.__name__)
    f.__doc__ = doc
    return f


def _ordered(parameters: list[Any]) -> list[Any]:
    """TF1 puts ``renorm`` and what follows it behind ``reuse``."""
    names = [p.name for p in parameters]
    if "renorm" not in names:
        return parameters
    late = ("renorm", "renorm_clipping", "renorm_momentum", "fused", "virtual_batch_size",
            "adjustment")  # fmt: skip
    return [p for p in parameters if p.name not in late] + [
        next(p for p in parameters if p.name == n) for n in late
    ]
