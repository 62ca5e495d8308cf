"""What a `Saver` writes: variables, slices of them, and objects that say how to restore them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.checkpoint.slices import spec_text
from graphc.face.elements import Tensor
from graphc.face.variables import Variable
from graphc.ir.dims import is_known
from graphc.ops import shapes, state

__all__ = ["BaseSaverBuilder", "SaveSpec", "SaveableObject", "saveables_of"]


class SaveSpec:
    """One tensor that a saveable object writes.

    Parameters
    ----------
    tensor : tensor, or callable that gives one
    slice_spec : str
        Empty, or shape and extents of a slice.
    name : str
        Its key.
    """

    def __init__(
        self, tensor: Any, slice_spec: str, name: str, dtype: Any = None, device: Any = None
    ) -> None:
        self._tensor = tensor
        self.slice_spec = slice_spec
        self.name = name
        self.dtype = dtype or self.tensor.dtype
        self.device = device

    @property
    def tensor(self) -> Any:
        return self._tensor() if callable(self._tensor) else self._tensor


class SaveableObject:
    """Something to save that is no variable: subclasses say how to restore it.

    Parameters
    ----------
    op : tensor or operation
        What it stands for.
    specs : list of SaveSpec
    name : str
        Its key in ``var_list``.
    """

    def __init__(self, op: Any, specs: Sequence[SaveSpec], name: str) -> None:
        self.op = op
        self.specs = specs
        self.name = name

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Any) -> Any:
        """The operation that puts restored tensors back."""
        raise NotImplementedError("Calling an abstract method.")


class _SaveableVariable(SaveableObject):
    """A variable, whole or a slice of a larger one."""

    def __init__(self, variable: Any, slice_spec: str, name: str) -> None:
        ref = state.reference(variable, "SaveV2")
        spec = SaveSpec(ref, slice_spec, name, dtype=ref.dtype)
        super().__init__(ref, [spec], name)

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Any) -> Any:
        value = restored_tensors[0]
        if restored_shapes is not None:
            value = shapes.reshape(value, restored_shapes[0])
        whole = is_known(self.op.static_shape)
        return state.assign(self.op, value, validate_shape=whole)


class BaseSaverBuilder:
    """The names under which programs find the classes to subclass."""

    SaveSpec = SaveSpec
    SaveableObject = SaveableObject
    VariableSaveable = _SaveableVariable


# --------------------------------------------------------------------- what is saved


def _is_variable(x: Any) -> bool:
    if isinstance(x, Variable):
        return True
    return isinstance(x, Tensor) and x.op.type in ("Variable", "VariableV2")


def _parts(x: Any) -> list[Any] | None:
    """The variables that a partitioned one is made of."""
    hook = getattr(x, "_get_variable_list", None)
    if callable(hook):
        parts: Iterable[Any] = hook()
        return list(parts)
    return list(x) if isinstance(x, list | tuple) else None


def _by_name(var_list: Any) -> dict[str, Any]:
    """Key → variable, list of slices, or saveable object.

    Raises
    ------
    TypeError, ValueError
        When something is no variable, or two have one name.
    """
    if isinstance(var_list, Mapping):
        return dict(var_list)
    if not isinstance(var_list, Iterable):
        raise TypeError(f"Variables to save should be passed in a dict or a list: {var_list}")
    out: dict[str, Any] = {}
    for x in var_list:
        parts = _parts(x)
        if parts is not None:
            name = x.name
            value: Any = parts
        elif isinstance(x, SaveableObject):
            name, value = x.name, x
        elif isinstance(x, Variable) and x._save_slice_info is not None:
            name = x._save_slice_info.full_name
            found = out.setdefault(name, [])
            if not isinstance(found, list):
                raise ValueError(f"Mixing slices and non-slices with the same name: {name}")
            found.append(x)
            continue
        elif _is_variable(x):
            name, value = (x.op.name if isinstance(x, Variable | Tensor) else x.name), x
        else:
            raise TypeError(f"Variable to save is not a Variable: {x}")
        if name in out:
            raise ValueError(f"At least two variables have the same name: {name}")
        out[name] = value
    return out


def saveables_of(var_list: Any) -> list[SaveableObject]:
    """What to write, in the order of the keys.

    Raises
    ------
    TypeError, ValueError
        When something is no variable, or one is given twice.
    """
    named = _by_name(var_list)
    for name in named:
        if not isinstance(name, str):
            raise TypeError(
                "names_to_saveables must be a dict mapping string names to trackable operations. "
                f"Name is not a string: {name}"
            )
    out: list[SaveableObject] = []
    seen: set[Any] = set()
    for name in sorted(named):
        for s in _saveables(name, named[name]):
            if s.op in seen:
                raise ValueError(f"The same saveable will be restored with two names: {name}")
            seen.add(s.op)
            out.append(s)
    return out


def _saveables(name: str, value: Any) -> list[SaveableObject]:
    if isinstance(value, SaveableObject):
        return [value]
    parts = _parts(value)
    if parts is None:
        if not _is_variable(value):
            raise TypeError(
                "names_to_saveables must be a dict mapping string names to Tensors/Variables. "
                f"Not a variable: {value}"
            )
        return [_SaveableVariable(value, "", name)]
    out: list[SaveableObject] = []
    for v in parts:
        info = getattr(v, "_save_slice_info", None)
        if info is None:
            raise ValueError(f"Slices must all be slices: {v}")
        spec = spec_text(info.full_shape, info.var_offset, info.var_shape)
        out.append(_SaveableVariable(v, spec, info.full_name))
    return out
