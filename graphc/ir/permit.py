"""Which rewrites a compilation may apply: all, unless somebody looks for a faulty one.

`current()` is None in ordinary compilations. Inside `granting(permit)` rules and passes ask before
each application; so a rule can be switched off for one graph, and a search for the application
that breaks a program lets the first N of them through (`graphc.bisect`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Application", "Permit", "allowed", "asking", "current", "granting"]


class Application(NamedTuple):
    """One rewrite that was asked for and allowed.

    Attributes
    ----------
    stage : str
        The pass; ``"fold.2"`` is its second time.
    rule : str
        The name of the rule; "" where the pass itself did it.
    node : str
        The node that was rewritten.
    """

    stage: str
    rule: str
    node: str


@dataclass(eq=False)
class Permit:
    """What may be applied.

    Attributes
    ----------
    rules_off : set of str
        Rules that may not, by name.
    passes_off : set of str
        Passes that may not.
    limit : int or None
        How many applications; None for all.
    used : list of Application
        Those that were allowed in the compilation under way.
    compilations : list of list of Application
        The same of all compilations.
    """

    rules_off: set[str] = field(default_factory=set)
    passes_off: set[str] = field(default_factory=set)
    limit: int | None = None
    used: list[Application] = field(default_factory=list)
    compilations: list[list[Application]] = field(default_factory=list)
    stage: str = ""
    #: Whether each node that the pass replaces is an application.
    single: bool = False
    _times: dict[str, int] = field(default_factory=dict)

    def start(self) -> None:
        """A compilation begins."""
        self.used, self._times = [], {}
        self.compilations.append(self.used)

    def begin(self, name: str, single: bool) -> bool:
        """Whether the pass `name` may run; it begins."""
        word = name.partition(":")[0]
        k = self._times[name] = self._times.get(name, 0) + 1
        self.stage = name if k == 1 else f"{name}.{k}"
        self.single = single
        return word not in self.passes_off

    def allows(self, node: Any, rule: str = "") -> bool:
        """Whether `node` may be rewritten, by `rule` or by the pass itself."""
        if rule in self.rules_off and rule:
            return False
        if self.limit is not None and len(self.used) >= self.limit:
            return False
        self.used.append(Application(self.stage, rule, node.name))
        return True


class _Current(threading.local):
    permit: Permit | None = None


_now = _Current()


def current() -> Permit | None:
    """The permit of this thread's compilation; None when everything is allowed."""
    return _now.permit


def allowed(node: Any) -> bool:
    """Whether a pass of several rewrites each may do the one of `node`; it asks before each."""
    granted = _now.permit
    return granted is None or granted.allows(node)


def asking(f: Callable[..., Any]) -> Callable[..., Any]:
    """A pass's function from nodes to what replaces them, which asks before it replaces one."""
    granted = _now.permit
    if granted is None or not granted.single:
        return f

    def step(n: Any, inputs: Any) -> Any:
        made = f(n, inputs)
        return made if made is not None and granted.allows(n) else None

    return step


@contextmanager
def granting(permit: Permit | None) -> Iterator[None]:
    """Compilations of this thread inside the block ask `permit`."""
    was = _now.permit
    _now.permit = permit
    try:
        yield
    finally:
        _now.permit = was
