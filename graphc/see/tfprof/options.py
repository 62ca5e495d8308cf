"""What ``tf.profiler.profile`` is to count, show and write: ``ProfileOptionBuilder``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

__all__ = ["ProfileOptionBuilder", "options_of"]

_EVERYTHING: dict[str, Any] = {
    "max_depth": 100,
    "min_bytes": 0,
    "min_micros": 0,
    "min_params": 0,
    "min_float_ops": 0,
    "min_occurrence": 0,
    "order_by": "name",
    "account_type_regexes": [".*"],
    "start_name_regexes": [".*"],
    "trim_name_regexes": [],
    "show_name_regexes": [".*"],
    "hide_name_regexes": [],
    "account_displayed_op_only": False,
    "select": ["micros"],
    "step": -1,
    "output": "stdout",
}


def _made(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(_EVERYTHING), **changes}


class ProfileOptionBuilder:
    """Options for ``tf.profiler.profile``, put together call by call.

    Parameters
    ----------
    options : dict, optional
        Options to start with; else everything is counted and shown.

    Examples
    --------
    >>> import graphc as tf
    >>> builder = tf.profiler.ProfileOptionBuilder
    >>> builder(builder.float_operation()).with_max_depth(3).build()["max_depth"]
    3
    """

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        self._options = _made() if options is None else copy.deepcopy(options)

    @staticmethod
    def trainable_variables_parameter() -> dict[str, Any]:
        """Options that count the parameters of the trainable variables."""
        return _made(
            max_depth=10000, account_type_regexes=["_trainable_variables"],
            account_displayed_op_only=True, select=["params"],
        )  # fmt: skip

    @staticmethod
    def float_operation() -> dict[str, Any]:
        """Options that count float operations, the most costly node first."""
        return _made(
            max_depth=10000, min_float_ops=1, order_by="float_ops",
            account_displayed_op_only=True, select=["float_ops"],
        )  # fmt: skip

    @staticmethod
    def time_and_memory(
        min_micros: int = 1, min_bytes: int = 1, min_accelerator_micros: int = 0,
        min_cpu_micros: int = 0, min_peak_bytes: int = 0, min_residual_bytes: int = 0,
        min_output_bytes: int = 0,
    ) -> dict[str, Any]:  # fmt: skip
        """Options that show times and memory of a traced run, the slowest node first."""
        return _made(
            max_depth=10000, min_bytes=min_bytes, min_peak_bytes=min_peak_bytes,
            min_residual_bytes=min_residual_bytes, min_output_bytes=min_output_bytes,
            min_micros=min_micros, min_accelerator_micros=min_accelerator_micros,
            min_cpu_micros=min_cpu_micros, order_by="micros", account_displayed_op_only=True,
            select=["micros", "bytes"],
        )  # fmt: skip

    def build(self) -> dict[str, Any]:
        """The options as a dict."""
        return copy.deepcopy(self._options)

    def _with(self, **changes: Any) -> ProfileOptionBuilder:
        self._options.update(changes)
        return self

    def with_max_depth(self, max_depth: int) -> ProfileOptionBuilder:
        """Show nodes down to this depth; the root is at 1."""
        return self._with(max_depth=max_depth)

    def with_min_memory(
        self, min_bytes: int = 0, min_peak_bytes: int = 0, min_residual_bytes: int = 0,
        min_output_bytes: int = 0,
    ) -> ProfileOptionBuilder:  # fmt: skip
        """Show nodes that take at least so much memory."""
        return self._with(
            min_bytes=min_bytes, min_peak_bytes=min_peak_bytes,
            min_residual_bytes=min_residual_bytes, min_output_bytes=min_output_bytes,
        )  # fmt: skip

    def with_min_execution_time(
        self, min_micros: int = 0, min_accelerator_micros: int = 0, min_cpu_micros: int = 0
    ) -> ProfileOptionBuilder:
        """Show nodes that take at least so long."""
        return self._with(
            min_micros=min_micros, min_accelerator_micros=min_accelerator_micros,
            min_cpu_micros=min_cpu_micros,
        )  # fmt: skip

    def with_min_parameters(self, min_params: int) -> ProfileOptionBuilder:
        """Show nodes with at least so many parameters."""
        return self._with(min_params=min_params)

    def with_min_occurrence(self, min_occurrence: int) -> ProfileOptionBuilder:
        """Show types (``cmd="op"``) that occur at least so often."""
        return self._with(min_occurrence=min_occurrence)

    def with_min_float_operations(self, min_float_ops: int) -> ProfileOptionBuilder:
        """Show nodes with at least so many float operations."""
        return self._with(min_float_ops=min_float_ops)

    def with_accounted_types(self, account_type_regexes: Sequence[str]) -> ProfileOptionBuilder:
        """Count nodes with a type that one of these expressions matches as a whole."""
        return self._with(account_type_regexes=list(account_type_regexes))

    def with_node_names(
        self, start_name_regexes: Sequence[str] | None = None,
        show_name_regexes: Sequence[str] | None = None,
        hide_name_regexes: Sequence[str] | None = None,
        trim_name_regexes: Sequence[str] | None = None,
    ) -> ProfileOptionBuilder:  # fmt: skip
        """Which names to start from, to show, to hide, and to show nothing below of."""
        given = {
            "start_name_regexes": start_name_regexes, "show_name_regexes": show_name_regexes,
            "hide_name_regexes": hide_name_regexes, "trim_name_regexes": trim_name_regexes,
        }  # fmt: skip
        return self._with(**{k: list(v) for k, v in given.items() if v is not None})

    def account_displayed_op_only(self, is_true: bool) -> ProfileOptionBuilder:
        """Whether sums are of the nodes shown only."""
        return self._with(account_displayed_op_only=is_true)

    def with_empty_output(self) -> ProfileOptionBuilder:
        """Print nothing."""
        return self._with(output="none")

    def with_stdout_output(self) -> ProfileOptionBuilder:
        """Print to the standard output."""
        return self._with(output="stdout")

    def with_file_output(self, outfile: str) -> ProfileOptionBuilder:
        """Write to a file."""
        return self._with(output=f"file:outfile={outfile}")

    def with_timeline_output(self, timeline_file: str) -> ProfileOptionBuilder:
        """Write a timeline for Chrome's viewer of traces."""
        return self._with(output=f"timeline:outfile={timeline_file}")

    def with_pprof_output(self, pprof_file: str) -> ProfileOptionBuilder:
        """Write a profile for pprof; only for the view of code."""
        return self._with(output=f"pprof:outfile={pprof_file}")

    def order_by(self, attribute: str) -> ProfileOptionBuilder:
        """Sort nodes by ``name``, ``bytes``, ``micros``, ``params``, ``float_ops``, …"""
        return self._with(order_by=attribute)

    def select(self, attributes: Sequence[str]) -> ProfileOptionBuilder:
        """Which columns to show."""
        return self._with(select=copy.copy(attributes))

    def with_step(self, step: int) -> ProfileOptionBuilder:
        """Show the run that ``Profiler.add_step`` got under this number; -1 is the mean of all."""
        return self._with(step=step)


def options_of(options: Any) -> dict[str, Any]:
    """A user's options with everything that is not said at its default."""
    options = options or ProfileOptionBuilder.trainable_variables_parameter()
    rest = {
        "min_peak_bytes": 0, "min_residual_bytes": 0, "min_output_bytes": 0,
        "min_accelerator_micros": 0, "min_cpu_micros": 0,
    }  # fmt: skip
    return {**_EVERYTHING, **rest, **options}
