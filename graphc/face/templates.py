"""Functions whose variables are made once: ``tf.make_template``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphc.face.scopes import VariableScope, pure_variable_scope, unique_scope, variable_scope

__all__ = ["make_template"]


class Template:
    """A function whose variables are made by its first call and shared by all later ones."""

    def __init__(
        self, name: str, f: Callable[..., Any], now: bool, unique: str | None, getter: Any
    ) -> None:
        self._f = f
        self._name = name
        self._unique = unique
        self._getter = getter
        self._called = False
        self._scope: VariableScope | None = None
        if now or unique:
            with pure_variable_scope(unique or unique_scope(name), custom_getter=getter) as scope:
                self._scope = scope

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function in the template's variable scope."""
        if self._scope is not None:
            with variable_scope(self._scope, reuse=True if self._called else None):
                return self._call(args, kwargs)
        with variable_scope(self._unique, self._name, custom_getter=self._getter) as scope:
            self._scope = scope
            return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        out = self._f(*args, **kwargs)
        self._called = True
        return out

    @property
    def name(self) -> str:
        return self._name

    @property
    def func(self) -> Callable[..., Any]:
        return self._f

    @property
    def variable_scope(self) -> VariableScope | None:
        return self._scope

    @property
    def variable_scope_name(self) -> str | None:
        return None if self._scope is None else self._scope.name

    @property
    def global_variables(self) -> list[Any]:
        return [] if self._scope is None else self._scope.global_variables()

    @property
    def trainable_variables(self) -> list[Any]:
        return [] if self._scope is None else self._scope.trainable_variables()

    @property
    def variables(self) -> list[Any]:
        return self.global_variables


def make_template(
    name_: str,
    func_: Callable[..., Any],
    create_scope_now_: bool = False,
    unique_name_: str | None = None,
    custom_getter_: Any = None,
    **kwargs: Any,
) -> Template:
    """A function that shares its variables among all calls.

    Parameters
    ----------
    name_ : str
        Its variable scope, made unique.
    func_ : callable
    create_scope_now_ : bool
        Whether the scope is opened here and not at the first call.
    unique_name_ : str, optional
        A scope name that is not made unique.
    kwargs
        Keyword arguments for `func_`.
    """
    f = functools.partial(func_, **kwargs) if kwargs else func_
    return Template(name_, f, create_scope_now_, unique_name_, custom_getter_)
