"""`variable_scope` and `get_variable`: variables shared by name."""

from __future__ import annotations

import enum
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from graphc.face.current import get_collection, graph_of, name_scope
from graphc.face.getting import Variables, get_single, takes
from graphc.face.graph import Graph, get_default_graph
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import VariableAggregation, VariableSynchronization
from graphc.ir import dtypes
from graphc.ir.dtypes import DType
from graphc.ops import convert

__all__ = [
    "AUTO_REUSE", "VariableScope", "get_local_variable", "get_variable", "get_variable_scope",
    "no_regularizer", "pure_variable_scope", "unique_scope", "variable_op_scope", "variable_scope",
]  # fmt: skip


class _ReuseMode(enum.Enum):
    AUTO_REUSE = 1


#: ``reuse`` that makes a variable where there is none yet, and returns it where there is.
AUTO_REUSE = _ReuseMode.AUTO_REUSE


def no_regularizer(_: Any) -> None:
    """A regularizer that does nothing: it stops the one inherited from the scope."""


# --------------------------------------------------------------------- what a graph remembers


class _Scopes(threading.local):
    """The current variable scope of a thread, and how often scopes were opened."""

    def __init__(self) -> None:
        self.current = VariableScope(False)
        self.counts: dict[str, int] = {}

    def open(self, graph: Graph, name: str) -> None:
        graph.log(self.counts, name)
        self.counts[name] = self.counts.get(name, 0) + 1

    def close_below(self, graph: Graph, name: str) -> None:
        prefix = name + "/"
        for key in self.counts:
            if key.startswith(prefix):
                graph.log(self.counts, key)
                self.counts[key] = 0


def _store(graph: Graph) -> Variables:
    found = graph.extras.get("variables")
    if found is None:
        found = graph.extras["variables"] = Variables()
    out: Variables = found
    return out


def _scopes(graph: Graph) -> _Scopes:
    found = graph.extras.get("variable_scopes")
    if found is None:
        found = graph.extras["variable_scopes"] = _Scopes()
    out: _Scopes = found
    return out


def get_variable_scope() -> VariableScope:
    """The current variable scope."""
    return _scopes(get_default_graph()).current


# --------------------------------------------------------------------- VariableScope


class VariableScope:
    """A prefix and defaults for `get_variable`.

    Attributes
    ----------
    name : str
        The prefix of variables, without the final slash.
    original_name_scope : str
        The name scope that was opened with it.
    reuse : bool or AUTO_REUSE
    initializer, regularizer, caching_device, partitioner, custom_getter, dtype, use_resource, \
constraint
        Defaults for `get_variable`.
    """

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = dtypes.float32,
        use_resource: bool | None = None,
        constraint: Any = None,
    ) -> None:
        self.name = name
        self.reuse = reuse
        self.initializer = initializer
        self.regularizer = regularizer
        self.caching_device = caching_device
        self.partitioner = partitioner
        self.custom_getter = custom_getter
        self.original_name_scope = name_scope
        self.dtype = dtype
        self.use_resource = use_resource
        self.constraint = constraint

    def reuse_variables(self) -> None:
        """From here on `get_variable` returns existing variables and makes none."""
        self.reuse = True

    def set_initializer(self, initializer: Any) -> None:
        """Set the default initializer."""
        self.initializer = initializer

    def set_regularizer(self, regularizer: Any) -> None:
        """Set the default regularizer."""
        self.regularizer = regularizer

    def set_dtype(self, dtype: Any) -> None:
        """Set the default element type."""
        self.dtype = dtype

    def set_use_resource(self, use_resource: bool | None) -> None:
        """Accepted: graphc has one kind of variable."""
        self.use_resource = use_resource

    def set_caching_device(self, caching_device: Any) -> None:
        """Accepted and ignored."""
        self.caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        """Accepted and ignored: variables are not split."""
        self.partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        """Set what is called in place of the getter."""
        self.custom_getter = custom_getter

    def get_collection(self, name: str) -> list[Any]:
        """What is in a collection under this scope."""
        return get_collection(name, self.name + "/" if self.name else "")

    def trainable_variables(self) -> list[Any]:
        """Trainable variables under this scope."""
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        """Global variables under this scope."""
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        """Local variables under this scope."""
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        var_store: Any,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: bool | None = None,
        custom_getter: Any = None,
        constraint: Any = None,
        synchronization: int = VariableSynchronization.AUTO,
        aggregation: int = VariableAggregation.NONE,
    ) -> Any:
        """An existing variable of this scope, or a new one (see `tf.get_variable`)."""
        getter = self.custom_getter if custom_getter is None else custom_getter
        if getter is not None and not callable(getter):
            raise ValueError(f"Passed a custom_getter which is not callable: {getter}")
        with name_scope(None):
            if dtype is not None and initializer is not None and not callable(initializer):
                given = convert.convert_to_tensor(initializer).dtype
                if given != dtype:
                    raise ValueError(
                        f"Initializer type '{given}' and explicit dtype '{dtype}' don't match."
                    )
            arguments: dict[str, Any] = {
                "name": f"{self.name}/{name}" if self.name else name,
                "shape": shape,
                "dtype": _base(self.dtype if dtype is None else dtype),
                "initializer": self.initializer if initializer is None else initializer,
                "regularizer": self.regularizer if regularizer is None else regularizer,
                "reuse": self.reuse if reuse is None else reuse,
                "trainable": _trainable(trainable, synchronization),
                "collections": collections,
                "caching_device": caching_device or self.caching_device,
                "partitioner": partitioner or self.partitioner,
                "validate_shape": validate_shape,
                "use_resource": self.use_resource if use_resource is None else use_resource,
                "synchronization": synchronization,
                "aggregation": aggregation,
                "constraint": self.constraint if constraint is None else constraint,
            }
            true_getter = functools.partial(get_single, var_store or _store(get_default_graph()))
            if getter is None:
                return true_getter(**arguments)
            if not takes(getter, "constraint"):
                del arguments["constraint"]
            return getter(getter=true_getter, **arguments)


def _base(dtype: Any) -> Any:
    return dtype.base_dtype if isinstance(dtype, DType) else dtype


def _trainable(trainable: bool | None, synchronization: int) -> bool:
    if trainable is None:
        return synchronization != VariableSynchronization.ON_READ
    return trainable


# --------------------------------------------------------------------- making and finding


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: bool | None = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: int = VariableSynchronization.AUTO,
    aggregation: int = VariableAggregation.NONE,
) -> Any:
    """The variable of that name in the current variable scope: an existing one, or a new one.

    Parameters
    ----------
    name : str
        Its name within the scope; name scopes do not matter.
    shape : sequence, optional
        Needed unless `initializer` is a value.
    dtype : DType, optional
        float32, or the scope's.
    initializer : callable, initializer class, or value, optional
        Called with shape and dtype. The scope's by default, then ``glorot_uniform_initializer``
        for floats and zeros for other types.
    regularizer : callable, optional
        Its result for a new variable goes to ``GraphKeys.REGULARIZATION_LOSSES``.

    Raises
    ------
    ValueError
        When it exists and may not be reused, does not exist and must be, or exists with another
        shape or type.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default():
    ...     with tf.variable_scope("layer", reuse=tf.AUTO_REUSE):
    ...         w = tf.get_variable("w", [2, 3])
    ...         print(w.name, tf.get_variable("w", [2, 3]) is w)
    layer/w:0 True
    """
    return get_variable_scope().get_variable(
        None, name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
        trainable=trainable, collections=collections, caching_device=caching_device,
        partitioner=partitioner, validate_shape=validate_shape, use_resource=use_resource,
        custom_getter=custom_getter, constraint=constraint, synchronization=synchronization,
        aggregation=aggregation,
    )  # fmt: skip


def get_local_variable(name: str, *args: Any, **kwargs: Any) -> Any:
    """`get_variable` for a variable that is not trained and that no checkpoint holds."""
    kwargs["trainable"] = False
    kwargs["collections"] = [*(kwargs.get("collections") or ()), GraphKeys.LOCAL_VARIABLES]
    return get_variable(name, *args, **kwargs)


# --------------------------------------------------------------------- opening scopes

_DEFAULTS = (
    "initializer", "regularizer", "caching_device", "partitioner", "dtype", "use_resource"
)  # fmt: skip


class pure_variable_scope:
    """A variable scope without a name scope (see `variable_scope`)."""

    def __init__(
        self,
        name_or_scope: str | VariableScope,
        reuse: Any = None,
        old_name_scope: str | None = None,
        custom_getter: Any = None,
        constraint: Any = None,
        **defaults: Any,
    ) -> None:
        self._target = name_or_scope
        self._reuse = reuse
        self._old_name_scope = old_name_scope
        self._custom_getter = custom_getter
        self._constraint = constraint
        self._defaults = defaults
        self._graph = get_default_graph()
        self._scopes = _scopes(self._graph)
        self._cached: VariableScope | None = None
        if isinstance(name_or_scope, VariableScope):
            s = name_or_scope
            self._cached = self._derived(s, s.name, reuse or s.reuse, s.original_name_scope)

    def _derived(self, base: VariableScope, name: str, reuse: Any, scope: str) -> VariableScope:
        values = {k: getattr(base, k) for k in _DEFAULTS}
        values.update({k: v for k, v in self._defaults.items() if v is not None})
        getter = base.custom_getter
        if self._custom_getter is not None:
            getter = _wrapped_getter(self._custom_getter, getter)
        return VariableScope(
            reuse, name=name, name_scope=scope, custom_getter=getter, constraint=self._constraint,
            **values,
        )  # fmt: skip

    def __enter__(self) -> VariableScope:
        scopes = self._scopes
        self._old = old = scopes.current
        if self._cached is not None:
            new = self._cached
            scopes.open(self._graph, new.name)
            self._old_counts = dict(scopes.counts)
        else:
            target = str(self._target)
            name = f"{old.name}/{target}" if old.name else target
            self._reuse = self._reuse or old.reuse
            scope = target if self._old_name_scope is None else self._old_name_scope
            new = self._derived(old, name, self._reuse, scope)
            scopes.open(self._graph, name)
        self._name = new.name
        self._last = scopes.current = new
        return new

    def __exit__(self, *exc: object) -> None:
        scopes = self._scopes
        if scopes.current is not self._last:
            raise RuntimeError("Improper nesting of variable_scope.")
        if self._cached is not None:
            scopes.counts.clear()
            scopes.counts.update(self._old_counts)
        else:
            scopes.close_below(self._graph, self._name)
        scopes.current = self._old


def _wrapped_getter(new: Callable[..., Any], old: Callable[..., Any] | None) -> Callable[..., Any]:
    if old is None:
        return new

    def getter(getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return new(functools.partial(old, getter), *args, **kwargs)

    return getter


def unique_scope(prefix: str) -> str:
    """`prefix`, numbered where the current variable scope has one of that name open or closed."""
    scopes = _scopes(get_default_graph())
    current = scopes.current.name
    name = f"{current}/{prefix}" if current else prefix
    if not scopes.counts.get(name):
        return prefix
    i = 1
    while scopes.counts.get(f"{name}_{i}"):
        i += 1
    return f"{prefix}_{i}"


class variable_scope:
    """A context for `get_variable`: a prefix for names, and defaults; it opens a name scope too.

    Parameters
    ----------
    name_or_scope : str, VariableScope or None
        The scope to open or to open again.
    default_name : str, optional
        Used, made unique, when `name_or_scope` is None.
    values : list, optional
        Tensors that must all be of one graph.
    initializer, regularizer, caching_device, partitioner, custom_getter, dtype, use_resource, \
constraint
        Defaults for variables in the scope.
    reuse : bool or AUTO_REUSE, optional
        True: `get_variable` only returns existing variables. None: as the outer scope.
    auxiliary_name_scope : bool
        Whether to open a name scope.

    Examples
    --------
    >>> import graphc as tf
    >>> with tf.Graph().as_default(), tf.variable_scope("a"), tf.variable_scope("b"):
    ...     print(tf.get_variable("w", [1]).name)
    a/b/w:0
    """

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: bool | None = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        if reuse is False:
            reuse = None
        if not (reuse is True or reuse is None or reuse is AUTO_REUSE):
            raise ValueError("The reuse parameter must be True or False or None.")
        if not isinstance(auxiliary_name_scope, bool):
            raise TypeError(
                "The auxiliary_name_scope must be `True` or `False`, while get "
                f"{auxiliary_name_scope}"
            )
        self._name_or_scope = name_or_scope
        self._default_name = default_name
        self._reuse = reuse
        self._graph = graph_of(values or ())
        self._auxiliary = auxiliary_name_scope
        self._options = {
            "initializer": initializer, "regularizer": regularizer,
            "caching_device": caching_device, "partitioner": partitioner, "dtype": dtype,
            "use_resource": use_resource, "custom_getter": custom_getter, "constraint": constraint,
        }  # fmt: skip
        self._pure: pure_variable_scope | None = None
        self._name_scope: name_scope | None = None
        self._contexts: list[Any] = []

    def __enter__(self) -> VariableScope:
        default = self._graph.as_default()
        default.__enter__()
        try:
            if self._pure is None:
                self._pure = self._make()
            elif self._name_scope is not None:
                self._name_scope.__enter__()
            out = self._pure.__enter__()
        except BaseException:
            if self._name_scope is not None and self._name_scope._entered:
                self._name_scope.__exit__(*sys.exc_info())
            default.__exit__(*sys.exc_info())
            raise
        self._contexts.append(default)
        return out

    def _make(self) -> pure_variable_scope:
        """The scope to enter; its name scope is entered already."""
        target = self._name_or_scope
        entered: name_scope | None = None
        if not self._auxiliary:
            here = get_default_graph().get_name_scope()
            entered = name_scope(here + "/" if here else here)
        if target is None:
            if self._reuse:
                raise ValueError("reuse=True cannot be used without a name_or_scope")
            entered = entered or name_scope(self._default_name)
            self._name_scope = entered
            old = entered.__enter__()
            unique = unique_scope(str(self._default_name))
            return pure_variable_scope(unique, old_name_scope=old, **self._options)
        if not isinstance(target, str | VariableScope):
            raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
        again = target if isinstance(target, VariableScope) else None
        last = str(target) if again is None else again.name.split("/")[-1]
        if not last and entered is None:  # the root scope
            return pure_variable_scope(target, self._reuse, **self._options)
        entered = entered or name_scope(last)
        self._name_scope = entered
        old = entered.__enter__()
        if again is not None:
            old = again.original_name_scope
        return pure_variable_scope(target, self._reuse, old, **self._options)

    def __exit__(self, *exc: Any) -> None:
        default = self._contexts.pop()
        try:
            if self._pure is not None:
                self._pure.__exit__(*exc)
        finally:
            if self._name_scope is not None:
                self._name_scope.__exit__(*exc)
            default.__exit__(*exc)


@contextmanager
def variable_op_scope(
    values: Any, name_or_scope: Any, default_name: str | None = None, initializer: Any = None,
    regularizer: Any = None, caching_device: Any = None, partitioner: Any = None,
    custom_getter: Any = None, reuse: Any = None, dtype: Any = None, use_resource: Any = None,
    constraint: Any = None,
) -> Iterator[VariableScope]:  # fmt: skip
    """`variable_scope` with the arguments in their old order."""
    with variable_scope(
        name_or_scope, default_name, values, initializer, regularizer, caching_device, partitioner,
        custom_getter, reuse, dtype, use_resource, constraint,
    ) as scope:  # fmt: skip
        yield scope
