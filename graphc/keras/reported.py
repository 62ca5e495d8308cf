"""The numbers that a run of batches reports: losses, metrics, what layers added."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.keras import metrics

__all__ = ["Numbers", "show", "show_metric", "show_reported"]


class Numbers:
    """What a run of batches is worth: means by size, and what metrics say at the end."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.sums = np.zeros(len(names))
        self.size = 0

    def add(self, values: list[Any], size: int) -> None:
        self.sums += np.asarray(values, float) * size
        self.size += size

    def now(self) -> list[float]:
        return [float(v) for v in self.sums / max(self.size, 1)]


def show(made: dict[str, Any], name: str | None, value: Any) -> None:
    """Let a number of each batch be reported."""
    made["names"].append(name)
    made["values"].append(value)


def show_metric(made: dict[str, Any], name: str | None, m: Any, update: Any) -> None:
    """Let a metric be reported, what it is after all batches so far."""
    made["stateful"].append((len(made["names"]), m, update, m.result()))
    show(made, name, None)


def show_reported(made: dict[str, Any], reported: list[tuple[Any, Any, Any]]) -> None:
    """Let what layers gave to `add_metric` be reported."""
    for name, value, aggregation in reported:
        if aggregation is None:
            metric = value._metric_obj
            show_metric(made, metric.name, metric, value)
        else:
            mean = metrics.Mean(name)
            show_metric(made, name, mean, mean.update_state(value))
