"""Variables of models: made, found by name, and set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.contrib.framework.scoping import add_arg_scope
from graphc.face import scopes
from graphc.face.control import group
from graphc.face.current import add_to_collection, get_collection, name_scope
from graphc.face.current import device as on_device
from graphc.face.graph_keys import GraphKeys
from graphc.face.variables import Variable, VariableAggregation, VariableSynchronization
from graphc.ir import dtypes
from graphc.layers.words import static_flag
from graphc.ops import state

__all__ = [
    "add_model_variable", "assign_from_checkpoint", "assign_from_checkpoint_fn",
    "assign_from_values", "assign_from_values_fn", "filter_variables", "get_local_variables",
    "get_model_variables", "get_trainable_variables", "get_unique_variable",
    "get_variable_full_name", "get_variables", "get_variables_by_name", "get_variables_by_suffix",
    "get_variables_to_restore", "global_variable", "local_variable", "model_variable",
    "smart_cond", "smart_constant_value", "variable", "zero_initializer",
]  # fmt: skip


@add_arg_scope
def variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None,
    regularizer: Any = None, trainable: bool = True, collections: Any = None,
    caching_device: Any = None, device: Any = None, partitioner: Any = None,
    custom_getter: Any = None, use_resource: bool | None = None,
    synchronization: int = VariableSynchronization.AUTO,
    aggregation: int = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """`get_variable`, in `collections` (``GLOBAL_VARIABLES`` by default)."""
    keys = list([GraphKeys.GLOBAL_VARIABLES] if collections is None else collections)
    getter = scopes.get_variable if custom_getter is None else custom_getter
    with on_device("" if device is None else device):
        return getter(
            name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
            trainable=trainable, collections=list(dict.fromkeys(keys)),
            caching_device=caching_device, partitioner=partitioner, use_resource=use_resource,
            synchronization=synchronization, aggregation=aggregation,
        )  # fmt: skip


@add_arg_scope
def model_variable(
    name: str, shape: Any = None, dtype: Any = dtypes.float32, initializer: Any = None,
    regularizer: Any = None, trainable: bool = True, collections: Any = None,
    caching_device: Any = None, device: Any = None, partitioner: Any = None,
    custom_getter: Any = None, use_resource: bool | None = None,
    synchronization: int = VariableSynchronization.AUTO,
    aggregation: int = VariableAggregation.NONE,
) -> Any:  # fmt: skip
    """`variable` that is in ``MODEL_VARIABLES`` too."""
    keys = [
        *(collections or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES
    ]  # fmt: skip
    return variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer,
        trainable=trainable, collections=keys, caching_device=caching_device, device=device,
        partitioner=partitioner, custom_getter=custom_getter, use_resource=use_resource,
        synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


def _untrained(initial_value: Any, validate_shape: bool, name: str | None, key: str) -> Variable:
    return Variable(
        initial_value, trainable=False, collections=[key], validate_shape=validate_shape, name=name
    )


def local_variable(
    initial_value: Any, validate_shape: bool = True, name: str | None = None,
    use_resource: bool | None = None,
) -> Variable:  # fmt: skip
    """A variable that is not trained and that no checkpoint holds."""
    return _untrained(initial_value, validate_shape, name, GraphKeys.LOCAL_VARIABLES)


def global_variable(
    initial_value: Any, validate_shape: bool = True, name: str | None = None,
    use_resource: bool | None = None,
) -> Variable:  # fmt: skip
    """A variable that is not trained but is saved."""
    return _untrained(initial_value, validate_shape, name, GraphKeys.GLOBAL_VARIABLES)


def add_model_variable(var: Any) -> None:
    """Add a variable to ``MODEL_VARIABLES`` unless it is there."""
    if var not in get_collection(GraphKeys.MODEL_VARIABLES):
        add_to_collection(GraphKeys.MODEL_VARIABLES, var)


# ------------------------------------------------------------------------- finding


@add_arg_scope
def get_variables(
    scope: Any = None, suffix: str | None = None, collection: str = GraphKeys.GLOBAL_VARIABLES
) -> list[Any]:
    """Variables of a collection under a scope, whose names end in `suffix`."""
    if isinstance(scope, scopes.VariableScope):
        scope = scope.name
    if suffix is not None:
        if ":" not in suffix:
            suffix += ":"
        scope = (scope or "") + ".*" + suffix
    return get_collection(collection, scope)


def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    """`get_variables` of ``MODEL_VARIABLES``."""
    return list(get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES))


def get_local_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    """`get_variables` of ``LOCAL_VARIABLES``."""
    return list(get_variables(scope, suffix, GraphKeys.LOCAL_VARIABLES))


def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    """`get_variables` of ``TRAINABLE_VARIABLES``."""
    return list(get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES))


def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[Any]:
    """Variables whose names end in `suffix`."""
    return list(get_variables(scope=scope, suffix=suffix))


def get_variables_by_name(given_name: str, scope: Any = None) -> list[Any]:
    """Variables of that name under any scope."""
    return get_variables_by_suffix("/" + given_name + ":|^" + given_name + ":", scope)


def get_unique_variable(var_op_name: str) -> Any:
    """The one variable of that full name.

    Raises
    ------
    ValueError
        When there is none, or several.
    """
    found = [v for v in get_variables(scope=var_op_name) if v.op.name == var_op_name]
    if not found:
        raise ValueError(f"Variable {var_op_name} does not match any variable")
    return found[0]


def get_variable_full_name(var: Any) -> str:
    """The name of a variable's operation."""
    name: str = var.op.name
    return name


def filter_variables(
    var_list: Sequence[Any], include_patterns: Any = None, exclude_patterns: Any = None,
    reg_search: bool = True,
) -> list[Any]:  # fmt: skip
    """Variables whose names match one of the patterns, without those that match an excluded one."""
    find = re.search if reg_search else re.match
    kept = list(var_list)
    if include_patterns is not None:
        kept = [v for v in kept if any(find(p, v.op.name) for p in include_patterns)]
    if exclude_patterns is not None:
        kept = [v for v in kept if not any(find(p, v.op.name) for p in exclude_patterns)]
    return kept


def get_variables_to_restore(include: Any = None, exclude: Any = None) -> list[Any]:
    """Global variables under the scopes `include`, without those under `exclude`."""
    chosen: list[Any] = []
    if include is None:
        chosen = list(get_variables())
    else:
        if not isinstance(include, list | tuple):
            raise TypeError("include is provided but is not a list or a tuple.")
        for scope in include:
            chosen += get_variables(scope)
    if exclude is None:
        return chosen
    if not isinstance(exclude, list | tuple):
        raise TypeError("exclude is provided but is not a list or a tuple.")
    gone = {v for scope in exclude for v in get_variables(scope)}
    return [v for v in chosen if v not in gone]


# ------------------------------------------------------------------------- setting


def assign_from_values(var_names_to_values: Mapping[str, Any]) -> tuple[Any, dict[Any, Any]]:
    """An operation that sets variables by name, and what to feed it."""
    feeds: dict[Any, Any] = {}
    assigns = []
    for name, value in var_names_to_values.items():
        v = get_unique_variable(name)
        held = state.placeholder(v.dtype.base_dtype, np.shape(value), name=f"placeholder/{name}")
        assigns.append(state.assign(v, held))
        feeds[held] = np.reshape(value, v.get_shape().as_list())
    return group(*assigns), feeds


def assign_from_values_fn(var_names_to_values: Mapping[str, Any]) -> Callable[[Any], Any]:
    """A function of a session that sets variables by name."""
    op, feeds = assign_from_values(var_names_to_values)
    return lambda session: session.run(op, feeds)


def assign_from_checkpoint(
    model_path: str, var_list: Any, ignore_missing_vars: bool = False
) -> tuple[Any, dict[Any, Any]]:
    """An operation that sets variables from a checkpoint, and what to feed it.

    Parameters
    ----------
    var_list : list of variables, or dictionary
        By their names in the checkpoint.
    ignore_missing_vars : bool
        Leave out what the checkpoint has not.

    Raises
    ------
    ValueError
        For a variable that the checkpoint has not, or has in another shape.
    """
    from graphc.face.lazy import lookup  # checkpoints are a part of their own

    named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    reader = lookup("train", "NewCheckpointReader")(model_path)
    feeds: dict[Any, Any] = {}
    assigns = []
    for name, v in named.items():
        if not reader.has_tensor(name):
            if ignore_missing_vars:
                continue
            raise ValueError(
                f"Checkpoint is missing variable [{name}] for variable [{v.op.name}] ({model_path})"
            )
        value = reader.get_tensor(name)
        shape = v.get_shape().as_list()
        if list(np.shape(value)) != shape and np.size(value) != int(np.prod(shape)):
            raise ValueError(
                f"Total size of new array must be unchanged for {name} lh_shape: "
                f"[{np.shape(value)}], rh_shape: [{shape}]"
            )
        held = state.placeholder(v.dtype.base_dtype, shape, name=f"placeholder/{v.op.name}")
        assigns.append(state.assign(v, held))
        feeds[held] = np.reshape(value, shape)
    return group(*assigns), feeds


def assign_from_checkpoint_fn(
    model_path: str, var_list: Any, ignore_missing_vars: bool = False,
    reshape_variables: bool = False,
) -> Callable[[Any], Any] | None:  # fmt: skip
    """A function of a session that restores variables from a checkpoint."""
    from graphc.face.lazy import lookup  # checkpoints are a part of their own

    if not var_list:
        raise ValueError("var_list cannot be empty")
    named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
    if ignore_missing_vars:
        reader = lookup("train", "NewCheckpointReader")(model_path)
        named = {k: v for k, v in named.items() if reader.has_tensor(k)}
    if not named:
        return None
    saver = lookup("train", "Saver")(named, reshape=reshape_variables)
    return lambda session: saver.restore(session, model_path)


def zero_initializer(ref: Any, use_locking: bool = True, name: str = "zero_initializer") -> Any:
    """An operation that sets a variable to zeros."""
    with name_scope(name):
        return state.assign(ref, np.zeros(ref.get_shape().as_list(), ref.dtype.base_dtype.np))


# ------------------------------------------------------------------------- choosing


def smart_constant_value(pred: Any) -> bool | None:
    """Whether `pred` is known to hold, or not to; None where only a run tells."""
    return static_flag(pred)


def smart_cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: Any = None) -> Any:
    """`tf.cond`, decided here where `pred` is known."""
    if not callable(true_fn) or not callable(false_fn):
        raise TypeError("`true_fn` and `false_fn` must be callable.")
    fixed = static_flag(pred)
    if fixed is not None:
        return true_fn() if fixed else false_fn()
    from graphc.face.lazy import lookup  # control flow is a part of its own

    cond = lookup("", "cond")
    return cond(pred, true_fn=true_fn, false_fn=false_fn, name=name)
