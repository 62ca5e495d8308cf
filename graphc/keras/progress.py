"""``tf.keras.utils.Progbar``: how far a loop is, in a line that is written again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["Progbar"]


def _clock(seconds: float) -> str:
    """A time to go, as ``h:mm:ss``, ``m:ss`` or ``12s``."""
    whole = int(seconds)
    if seconds > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if seconds > 60 else f"{whole}s"


class Progbar:
    """Shows how many steps of a loop are done, and means of values.

    Parameters
    ----------
    target : int or None
        How many steps there are, if known.
    width : int
        Of the bar.
    verbose : {0, 1, 2}
        Nothing, a line that grows, or a line at the end.
    interval : float
        The line is written at most so often, in seconds.
    stateful_metrics : list of str, optional
        Values that are shown as they are.
    unit_name : str
        What a step is called.
    """

    def __init__(
        self, target: int | None, width: int = 30, verbose: int = 1, interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None, unit_name: str = "step",
    ) -> None:  # fmt: skip
        self.target, self.width, self.verbose = target, width, verbose
        self.interval, self.unit_name = interval, unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self._shown = 0  # the length of the line
        self._done = 0
        self._values: dict[str, Any] = {}
        self._begun = time.time()
        self._last = 0.0

    def update(self, current: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Say that `current` steps are done, the last ones with these values."""
        new = current - self._done
        for name, value in values or ():
            if name in self.stateful_metrics:
                self._values[name] = [value, 1]
            else:
                total, count = self._values.get(name, (0.0, 0))
                self._values[name] = [total + value * new, count + new]
        self._done = current
        now = time.time()
        ended = self.target is not None and current >= self.target
        if self.verbose == 1 and (ended or now - self._last >= self.interval):
            self._rewrite(current, now - self._begun)
        elif self.verbose == 2 and ended:
            n = len(str(self.target))
            numbers = self._numbers()
            sys.stdout.write(f"{current:{n}d}/{self.target} - {now - self._begun:.0f}s{numbers}\n")
            sys.stdout.flush()
        if self.verbose != 1 or ended or now - self._last >= self.interval:
            self._last = now

    def add(self, n: int, values: Sequence[tuple[str, Any]] | None = None) -> None:
        """Say that `n` more steps are done."""
        self.update(self._done + n, values)

    def _rewrite(self, current: int, past: float) -> None:
        before = self._shown
        line = self._bar(current) + self._time(current, past) + self._numbers()
        self._shown = len(line)
        line += " " * (before - self._shown)
        if self.target is not None and current >= self.target:
            line += "\n"
        sys.stdout.write("\b" * before + "\r" + line)
        sys.stdout.flush()

    def _bar(self, current: int) -> str:
        if self.target is None:
            return f"{current:7d}/Unknown"
        share = int(self.width * current / self.target)
        head = ""
        if share > 0:
            head = "=" * (share - 1) + (">" if current < self.target else "=")
        n = len(str(self.target))
        return f"{current:{n}d}/{self.target} [{head}{'.' * (self.width - share)}]"

    def _time(self, current: int, past: float) -> str:
        each = past / current if current else 0.0
        if self.target is not None and current < self.target:
            return f" - ETA: {_clock(each * (self.target - current))}"
        unit, factor = ("s", 1) if each >= 1 or each == 0 else ("ms", 1e3) if each >= 1e-3 else (
            "us", 1e6)  # fmt: skip
        return f" - {past:.0f}s {each * factor:.0f}{unit}/{self.unit_name}"

    def _numbers(self) -> str:
        parts = []
        for name, (total, count) in self._values.items():
            mean = float(np.mean(total / max(1, count)))
            parts.append(f" - {name}: {mean:.4{'f' if abs(mean) > 1e-3 else 'e'}}")
        return "".join(parts)
