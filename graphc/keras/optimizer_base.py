"""The base of Keras's optimizers: numbers, slots, steps. Programs write subclasses of it."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from graphc.face.control import group
from graphc.face.current import name_scope
from graphc.face.gradients import gradients
from graphc.face.graph import get_default_graph
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.dtypes import as_dtype
from graphc.ir.node import Value
from graphc.keras.schedules import LearningRateSchedule
from graphc.keras.schedules import deserialize as schedule_of
from graphc.keras.schedules import serialize as config_of
from graphc.layers.words import initializer_of
from graphc.ops import arrays, math, reduce, scatter, shapes, state
from graphc.ops.convert import convert_to_tensor
from graphc.ops.indexed import IndexedSlices

__all__ = ["Optimizer", "OptimizerV2"]

_KEYWORDS = ("clipnorm", "clipvalue", "lr", "decay")


def _key(var: Any) -> str:
    """What a variable's slots are found by."""
    name: str = var.op.name
    return name


def _present(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Those of the pairs that have a gradient."""
    given = list(pairs)
    found = [(g, v) for g, v in given if g is not None]
    if given and not found:
        raise ValueError(
            f"No gradients provided for any variable: {[v.name for _, v in given]}. The loss "
            "depends on none of them."
        )
    return found


def _deduplicated(values: Any, indices: Any) -> tuple[Value, Value]:
    """Each index once, with the sum of its rows."""
    once, at = arrays.unique(indices)
    return arrays.unsorted_segment_sum(values, at, shapes.shape(once)[0]), once


class OptimizerV2(abc.ABC):
    """Base of Keras's optimizers, and of those that programs define.

    A subclass says its numbers with ``self._set_hyper(name, value)`` (each becomes a variable, so
    that it can be changed), makes variables beside the trained ones in ``_create_slots(var_list)``
    with `add_slot`, and gives the operations of a step in ``_resource_apply_dense(grad, var)`` and
    ``_resource_apply_sparse(grad, var, indices)``. Both may take ``apply_state``: what
    ``_prepare_local`` computed once for all variables.

    Parameters
    ----------
    name : str
    lr, decay, clipnorm, clipvalue : float, optional
        As keywords: another name of the rate; the rate falls as ``1 / (1 + decay * step)``;
        bounds on the norm and on the elements of each gradient.

    Raises
    ------
    TypeError
        For other keywords.
    ValueError
        For keywords below 0.
    """

    _create_slots: Any  # each subclass has one

    def __init__(self, name: str, **kwargs: Any) -> None:
        for key, value in kwargs.items():
            if key not in _KEYWORDS:
                raise TypeError(f"Unexpected keyword argument passed to optimizer: {key}")
            if value is not None and isinstance(value, int | float) and value < 0:
                raise ValueError(f"Expected {key} >= 0, received: {value}")
        self._use_locking = True
        self._init_set_name(name)
        self._hyper: dict[str, Any] = {}
        self._hypers_created = False
        self._slots: dict[str, dict[str, Variable]] = {}
        self._slot_names: list[str] = []
        self._weights: list[Variable] = []
        self._iterations: Any = None
        self._initial_decay = kwargs.get("decay", 0.0)
        for key in ("clipnorm", "clipvalue"):
            if key in kwargs:
                setattr(self, key, kwargs[key])

    def _init_set_name(self, name: str, zero_based: bool = True) -> None:
        if name:
            self._name = name
            return
        from graphc.keras import sessions

        words = type(self).__name__
        snake = "".join(
            "_" + c.lower() if i and c.isupper() and not words[i - 1].isupper() else c.lower()
            for i, c in enumerate(words)
        )
        count = sessions.get_uid(f"optimizer {snake}") - (1 if zero_based else 0)
        self._name = f"{snake}_{count}" if count else snake

    # ---- numbers

    def _set_hyper(self, name: str, value: Any) -> None:
        """Say a number, or change it: where it is a variable by now, its value."""
        before = self._hyper.get(name)
        if isinstance(before, Variable) and not isinstance(value, LearningRateSchedule):
            from graphc.keras import sessions

            sessions.set_value(before, value)
        else:
            self._hyper[name] = value

    def _get_hyper(self, name: str, dtype: Any = None) -> Any:
        """A number (a variable; what a function gives; or a schedule), cast to `dtype` if given."""
        if not self._hypers_created:
            self._create_hypers()
        value = self._hyper[name]
        if isinstance(value, LearningRateSchedule):
            return value
        if callable(value) and not isinstance(value, Variable):
            value = value()
        return value if dtype is None else math.cast(convert_to_tensor(value), dtype)

    def _create_hypers(self) -> None:
        """Make variables of the numbers."""
        if self._hypers_created:
            return
        for name, value in sorted(self._hyper.items()):
            if not isinstance(value, Value | Variable) and not callable(value):
                # the value of a Python number, as it is when the variable is made
                self._hyper[name] = Variable(
                    float(value), trainable=False, name=name, dtype="float32", use_resource=True
                )
        self._hypers_created = True

    def _serialize_hyperparameter(self, hyperparameter_name: str) -> Any:
        """A number as it is now, for `get_config`."""
        from graphc.keras import sessions

        value = self._hyper[hyperparameter_name]
        if isinstance(value, LearningRateSchedule):
            return config_of(value)
        if isinstance(value, Variable):
            return float(sessions.get_value(value))
        if callable(value):
            return value()
        if isinstance(value, Value):
            return float(sessions.get_session().run(value))
        return value

    def __getattr__(self, name: str) -> Any:
        key = "learning_rate" if name == "lr" else name
        if key in self.__dict__.get("_hyper", {}):
            return self._get_hyper(key)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        key = "learning_rate" if name == "lr" else name
        if key in self.__dict__.get("_hyper", {}):
            self._set_hyper(key, value)
        else:
            object.__setattr__(self, "learning_rate" if name == "lr" else name, value)

    def _decayed_lr(self, var_dtype: Any) -> Any:
        """The rate of this step."""
        rate = self._get_hyper("learning_rate", var_dtype)
        if isinstance(rate, LearningRateSchedule):
            rate = math.cast(rate(math.cast(self.iterations, var_dtype)), var_dtype)
        if self._initial_decay > 0.0:
            step = math.cast(self.iterations, var_dtype)
            rate = rate / (1.0 + self._get_hyper("decay", var_dtype) * step)
        return rate

    def _call_if_callable(self, param: Any) -> Any:
        return param() if callable(param) else param

    # ---- variables

    @property
    def iterations(self) -> Any:
        """How often it was applied: a variable."""
        if self._iterations is None:
            self._iterations = Variable(
                0, trainable=False, name="iter", dtype="int64", use_resource=True
            )
            self._weights.append(self._iterations)
        return self._iterations

    @iterations.setter
    def iterations(self, variable: Any) -> None:
        if self._iterations is not None:
            raise RuntimeError(
                "Cannot set `iterations` to a new Variable after the Optimizer weights have been "
                "created"
            )
        self._iterations = variable
        self._weights.append(variable)

    def add_weight(
        self, name: str, shape: Any, dtype: Any = None, initializer: Any = "zeros",
        trainable: bool | None = None, synchronization: Any = None, aggregation: Any = None,
    ) -> Variable:  # fmt: skip
        """A variable of its own; a subclass adds it to ``_weights`` where it is to be saved.

        Parameters
        ----------
        name : str
        shape : list of ints
        dtype : DType
            float32 if not given.
        initializer : str, callable or number
        trainable : bool
        synchronization, aggregation
            For several devices: without effect.
        """
        kind = as_dtype(dtype or "float32")
        return Variable(
            _initial(initializer, list(shape), kind), dtype=kind, use_resource=True, name=name,
            trainable=True if trainable is None else trainable,
        )  # fmt: skip

    def add_slot(self, var: Any, slot_name: str, initializer: Any = "zeros") -> Variable:
        """A variable beside `var`, of its shape and type.

        Parameters
        ----------
        var : variable
        slot_name : str
        initializer : str, callable or tensor
        """
        if slot_name not in self._slot_names:
            self._slot_names.append(slot_name)
        held = self._slots.setdefault(_key(var), {})
        if slot_name not in held:
            kind = var.dtype.base_dtype
            held[slot_name] = Variable(
                _initial(initializer, var.get_shape().as_list(), kind), trainable=False,
                name=f"{var.op.name}/{slot_name}", dtype=kind, use_resource=True,
            )  # fmt: skip
            self._weights.append(held[slot_name])
        return held[slot_name]

    def get_slot(self, var: Any, slot_name: str) -> Variable:
        """The variable `slot_name` beside `var`."""
        return self._slots[_key(var)][slot_name]

    def get_slot_names(self) -> list[str]:
        """Names of the variables beside each variable."""
        return self._slot_names

    @property
    def weights(self) -> list[Variable]:
        """The variables of its steps, in the order they were made."""
        return self._weights

    def variables(self) -> list[Variable]:
        """The same as `weights`."""
        return self._weights

    def get_weights(self) -> list[Any]:
        """Values of its variables."""
        from graphc.keras import sessions

        return sessions.batch_get_value(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set its variables.

        Raises
        ------
        ValueError
            When their number or a shape is another.
        """
        from graphc.keras import sessions

        own = self.weights
        if len(own) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on optimizer {self._name} with a  weight list "
                f"of length {len(weights)}, but the optimizer was expecting {len(own)} weights. "
                f"Provided weights: {str(weights)[:50]}..."
            )
        for v, x in zip(own, weights, strict=True):
            sizes = tuple(getattr(x, "shape", ()))
            if v.get_shape().as_list() != list(sizes):
                raise ValueError(
                    f"Optimizer weight shape {tuple(v.get_shape().as_list())} not compatible with "
                    f"provided weight shape {sizes}"
                )
        sessions.batch_set_value(list(zip(own, weights, strict=True)))

    # ---- gradients

    def _clipped(self, g: Any) -> Any:
        norm, most = self.__dict__.get("clipnorm"), self.__dict__.get("clipvalue")
        if g is None or (norm is None and most is None):
            return g
        x = g.values if isinstance(g, IndexedSlices) else g
        if norm is not None:
            size = math.sqrt(reduce.reduce_sum(x * x))
            x = x * (norm / math.maximum(size, float(norm)))
        if most is not None:
            x = math.clip_by_value(x, -most, most)
        return IndexedSlices(x, g.indices, g.dense_shape) if isinstance(g, IndexedSlices) else x

    def get_gradients(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Derivatives of `loss`, clipped.

        Raises
        ------
        ValueError
            Where one does not exist.
        """
        made = gradients(loss, list(params))
        for g, p in zip(made, params, strict=True):
            if g is None:
                raise ValueError(
                    f"Variable {p} has `None` for gradient. Please make sure that all of your ops "
                    "have a gradient defined (i.e. are differentiable)."
                )
        return [self._clipped(g) for g in made]

    def _compute_gradients(
        self, loss: Any, var_list: Any, grad_loss: Any = None
    ) -> list[tuple[Any, Any]]:
        """Clipped derivatives with their variables; None where there is no derivative."""
        value = loss() if callable(loss) and not hasattr(loss, "op") else loss
        params = list(var_list() if callable(var_list) else var_list)
        grads = gradients(value, params, grad_loss)
        self._assert_valid_dtypes([p for g, p in zip(grads, params, strict=True) if g is not None])
        return [(self._clipped(g), p) for g, p in zip(grads, params, strict=True)]

    def _assert_valid_dtypes(self, tensors: Iterable[Any]) -> None:
        allowed = self._valid_dtypes()
        for t in tensors:
            kind = t.dtype.base_dtype
            if kind not in allowed:
                names = ", ".join(sorted(f"tf.{d.name}" for d in allowed))
                raise ValueError(f"Invalid type tf.{kind.name} for {t.name}, expected: [{names}].")

    def _valid_dtypes(self) -> set[Any]:
        return {dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64}

    # ---- steps

    def get_updates(self, loss: Any, params: Sequence[Any]) -> list[Any]:
        """Operations of one step."""
        pairs = list(zip(self.get_gradients(loss, params), params, strict=True))
        self._assert_valid_dtypes([v for _, v in pairs])
        return [self.apply_gradients(pairs)]

    def minimize(
        self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None
    ) -> Any:
        """An operation that goes one step down `loss` (a function of none, or a tensor)."""
        pairs = self._compute_gradients(loss, var_list=var_list, grad_loss=grad_loss)
        return self.apply_gradients(pairs, name=name)

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        """An operation that applies gradients.

        Raises
        ------
        ValueError
            When there are none.
        """
        from graphc.strategies.strategy import get_strategy

        pairs = _present(grads_and_vars)
        found = [v for _, v in pairs]
        with name_scope(self._name):
            with get_default_graph().control_dependencies(None):  # made once, for all steps
                _ = self.iterations
                self._create_hypers()
                self._create_slots(found)
            shared = self._prepare(found)
            return self._distributed_apply(get_strategy(), pairs, name, shared)

    def _prepare(self, var_list: Sequence[Any]) -> dict[tuple[str, Any], dict[str, Any]]:
        """What a step computes once for all variables of a device and type."""
        out: dict[tuple[str, Any], dict[str, Any]] = {}
        for place in dict.fromkeys((v.device or "", v.dtype.base_dtype) for v in var_list):
            out[place] = {}
            self._prepare_local(*place, out)
        return out

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        if "learning_rate" in self._hyper:
            rate = state.identity(self._decayed_lr(var_dtype))
            apply_state[(var_device, var_dtype)]["lr_t"] = rate

    def _fallback_apply_state(self, var_device: str, var_dtype: Any) -> dict[str, Any]:
        """What ``_prepare`` gives, for who was given none."""
        shared: dict[tuple[str, Any], dict[str, Any]] = {(var_device, var_dtype): {}}
        self._prepare_local(var_device, var_dtype, shared)
        return shared[(var_device, var_dtype)]

    def _distributed_apply(
        self, distribution: Any, grads_and_vars: Any, name: str | None, apply_state: Any
    ) -> Any:
        with name_scope(name or self._name):
            ops = []
            for g, v in grads_and_vars:
                with name_scope(f"update_{v.op.name}"):
                    ops.append(self._one(g, v, apply_state))
            with get_default_graph().control_dependencies([group(*ops)]):
                return self._iterations.assign_add(1, name="AssignAddVariableOp").op

    def _one(self, grad: Any, var: Any, apply_state: Any) -> Any:
        """The operations of a step for one variable."""
        bound = getattr(var, "constraint", None)
        if isinstance(grad, IndexedSlices):
            if bound is not None:
                raise RuntimeError("Cannot use a constraint function on a sparse variable.")
            given = {"apply_state": apply_state} if "apply_state" in self._sparse_apply_args else {}
            return self._resource_apply_sparse_duplicate_indices(
                grad.values, var, grad.indices, **given
            )
        given = {"apply_state": apply_state} if "apply_state" in self._dense_apply_args else {}
        update = self._resource_apply_dense(convert_to_tensor(grad), var, **given)
        if bound is None:
            return update
        with get_default_graph().control_dependencies([update]):
            return var.assign(bound(var.read_value()))

    @property
    def _dense_apply_args(self) -> list[str]:
        return inspect.getfullargspec(self._resource_apply_dense).args

    @property
    def _sparse_apply_args(self) -> list[str]:
        return inspect.getfullargspec(self._resource_apply_sparse).args

    def _resource_apply_dense(self, grad: Any, handle: Any, apply_state: Any) -> Any:
        """Operations of one step for a variable: each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no _resource_apply_dense")

    def _resource_apply_sparse_duplicate_indices(
        self, grad: Any, handle: Any, indices: Any, **kwargs: Any
    ) -> Any:
        """The step for rows of a variable, some of which may be named twice."""
        total, once = _deduplicated(grad, indices)
        return self._resource_apply_sparse(total, handle, once, **kwargs)

    def _resource_apply_sparse(self, grad: Any, handle: Any, indices: Any, apply_state: Any) -> Any:
        """The step for rows of a variable, each named once: each subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} defines no _resource_apply_sparse")

    def _resource_scatter_add(self, x: Any, i: Any, v: Any) -> Any:
        """Add to rows of a variable, and give it as it is then."""
        with get_default_graph().control_dependencies([scatter.scatter_add(x, i, v)]):
            return x.read_value()

    def _resource_scatter_update(self, x: Any, i: Any, v: Any) -> Any:
        """Set rows of a variable, and give it as it is then."""
        with get_default_graph().control_dependencies([scatter.scatter_update(x, i, v)]):
            return x.read_value()

    # ---- configuration

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """Its arguments, with values as they are now."""
        out: dict[str, Any] = {"name": self._name}
        for key in ("clipnorm", "clipvalue"):
            if hasattr(self, key):
                out[key] = getattr(self, key)
        return out

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """What `get_config` says."""
        given = dict(config)
        if "lr" in given:
            given["learning_rate"] = given.pop("lr")
        if isinstance(given.get("learning_rate"), dict):
            given["learning_rate"] = schedule_of(given["learning_rate"], custom_objects)
        return cls(**given)


Optimizer = OptimizerV2


def _initial(initializer: Any, sizes: list[int], kind: Any) -> Any:
    """The initial value of a variable, or a function that makes it."""
    if not isinstance(initializer, str | dict) and not callable(initializer):
        return initializer
    make: Any = initializer_of(initializer)
    make = make() if inspect.isclass(make) else make
    try:
        typed = "dtype" in inspect.signature(make).parameters
    except (TypeError, ValueError):
        typed = True
    return (lambda: make(sizes, dtype=kind)) if typed else (lambda: make(sizes))
