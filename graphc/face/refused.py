"""Names that programs import at their top and that nothing here can do: using one is the error.

A name belongs here when importing it is all that most programs do with it.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["REASONS"]

_DUMPS = (
    "graphc writes no dumps of tfdbg; tf_debug.LocalCLIDebugWrapperSession steps through a run, "
    "and python -m graphc dump shows what was compiled"
)

#: Name → why not, and what to do.
REASONS: dict[str, str] = {
    "DumpingDebugWrapperSession": _DUMPS,
    "DumpingDebugHook": _DUMPS,
    "Base": "graphc has no autograph: it cannot rewrite Python functions",
    "EagerTensor": "graphc computes in graphs only: there are no eager tensors",
    "eager_mode": "graphc computes in graphs only: there is no eager mode",
}


def __getattr__(name: str) -> Any:
    reason = REASONS.get(name)
    if reason is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(reason)

    found = type(name, (), {"__init__": refuse, "__doc__": reason, "__module__": __name__})
    globals()[name] = found
    return found
