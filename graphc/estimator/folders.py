"""Folders of exported models."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["copy_extras", "fresh_folder"]


def fresh_folder(base: Any) -> str:
    """A folder named by the time in seconds, as serving wants it, and newer than all there."""
    root = base.decode() if isinstance(base, bytes) else os.fspath(base)
    there = os.listdir(root) if os.path.isdir(root) else []
    newest = max((int(n) for n in there if n.isdigit()), default=0)
    return os.path.join(root, str(max(int(time.time()), newest + 1)))


def copy_extras(folder: str, extras: Mapping[str, str] | None) -> None:
    """Copy files into ``assets.extra`` of `folder`: path there → file."""
    for name, source in (extras or {}).items():
        target = os.path.join(folder, "assets.extra", name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(source, target)
