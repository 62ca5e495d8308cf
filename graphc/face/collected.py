"""What a face graph knows of collections."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Collected"]


class Collected:
    """The part of `Graph` that is about collections."""

    _collections: dict[Any, list[Any]]
    _journal: list[tuple[Any, Any, Any]] | None

    def add_to_collection(self: Any, name: Any, value: Any) -> None:
        """Append `value` to the collection `name`."""
        self._check_not_finalized()
        items = self._collections.get(name)
        if items is None:
            self.log(self._collections, name)
            items = self._collections[name] = []
        if self._journal is not None:
            self._journal.append((items, len(items), None))
        items.append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        """Append `value` to each of the collections `names` (once to each)."""
        for name in (names,) if isinstance(names, str) else dict.fromkeys(names):
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        """A copy of the collection `name`.

        Parameters
        ----------
        scope : str, optional
            Keep what has a ``name`` that this regular expression matches at its start.
        """
        items = self._collections.get(name)
        if items is None:
            return []
        if scope is None:
            return list(items)
        match = re.compile(scope).match
        return [v for v in items if hasattr(v, "name") and match(v.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        """The collection `name` itself, made when it is missing."""
        return self._collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[str]:
        """Names of all collections."""
        return [k for k in self._collections if isinstance(k, str)]

    def clear_collection(self: Any, name: Any) -> None:
        """Remove the collection `name`."""
        self._check_not_finalized()
        self._collections.pop(name, None)

    @property
    def collections(self) -> list[Any]:
        return list(self._collections)
