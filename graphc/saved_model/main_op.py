"""``tf.saved_model.main_op``: what a loaded model runs first."""

from __future__ import annotations

from typing import Any

from graphc.face.control import group
from graphc.face.current import control_dependencies
from graphc.face.variables import global_variables_initializer, local_variables_initializer

__all__ = ["main_op", "main_op_with_restore"]


def main_op() -> Any:
    """An operation that gives variables and tables their first values."""
    from graphc.contrib.lookup import tables_initializer

    return group(
        global_variables_initializer(), local_variables_initializer(), tables_initializer()
    )


def main_op_with_restore(restore_op_name: Any) -> Any:
    """The same, followed by a restore."""
    with control_dependencies([main_op()]):
        return group(restore_op_name)
