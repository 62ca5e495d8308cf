"""Every op record by its name in IR text; `graphc.ops` fills it when it is imported."""

from __future__ import annotations

from typing import Any

__all__ = ["OPS"]

OPS: dict[str, Any] = {}
