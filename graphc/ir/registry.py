"""Every op record by its name in IR text; `graphc.ops` fills it when it is imported."""

from __future__ import annotations

from typing import Any

__all__ = ["FOREIGN", "OPS", "REGIONS", "SCALARS"]

OPS: dict[str, Any] = {}

#: What kernels know users' elementwise ops by, and what emits them. An op that is made anew gets
#: another name here, so that kernels of graphs from before keep their meaning.
SCALARS: dict[str, Any] = {}

#: The attributes that hold regions (graphs that a node runs), for each op that has any, in the
#: order of its text.
REGIONS: dict[str, tuple[str, ...]] = {"while": ("cond", "body"), "cond": ("then", "orelse")}

#: Names of the ops, rules and passes that were entered and are not graphc's: from then on plans are
#: neither taken from disk nor kept there.
FOREIGN: set[str] = set()
