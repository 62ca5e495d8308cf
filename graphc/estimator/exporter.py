"""What `train_and_evaluate` exports after evaluations: `LatestExporter` and its kin."""

from __future__ import annotations

import glob
import inspect
import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any

from graphc.face import logging

__all__ = ["BestExporter", "Exporter", "FinalExporter", "LatestExporter"]


class Exporter:
    """Base of exporters: users give `name` and `export`."""

    @property
    def name(self) -> str:
        """The folder below ``export`` of the model's folder; unique among exporters."""
        raise NotImplementedError("an exporter has a name")

    def export(
        self, estimator: Any, export_path: str, checkpoint_path: str | None,
        eval_result: Any, is_the_final_export: bool,
    ) -> Any:  # fmt: skip
        """Write the model; its path, or None when nothing is written."""
        raise NotImplementedError("an exporter says how it exports")


class _Saved(Exporter):
    """Writes models with `Estimator.export_saved_model`."""

    def __init__(self, name: str | None, receiver_fn: Any, assets: Any, as_text: bool) -> None:
        self._name = name
        self._receiver_fn, self._assets, self._as_text = receiver_fn, assets, as_text

    @property
    def name(self) -> str:
        return self._name or ""

    def _write(self, estimator: Any, folder: str, checkpoint: str | None) -> Any:
        return estimator.export_saved_model(
            folder, self._receiver_fn, assets_extra=self._assets, as_text=self._as_text,
            checkpoint_path=checkpoint,
        )  # fmt: skip


class FinalExporter(_Saved):
    """Exports once, when training has reached its last step."""

    def __init__(
        self, name: str, serving_input_receiver_fn: Callable[..., Any], assets_extra: Any = None,
        as_text: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)

    def export(
        self, estimator: Any, export_path: str, checkpoint_path: str | None,
        eval_result: Any, is_the_final_export: bool,
    ) -> Any:  # fmt: skip
        if not is_the_final_export:
            return None
        logging.info("Performing the final export in the end of training.")
        return self._write(estimator, export_path, checkpoint_path)


class LatestExporter(_Saved):
    """Exports after each evaluation and keeps the newest.

    Parameters
    ----------
    exports_to_keep : int, optional
        How many; all with None.
    """

    def __init__(
        self, name: str, serving_input_receiver_fn: Callable[..., Any], assets_extra: Any = None,
        as_text: bool = False, exports_to_keep: int | None = 5,
    ) -> None:  # fmt: skip
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)
        if exports_to_keep is not None and exports_to_keep <= 0:
            raise ValueError("`exports_to_keep`, if provided, must be positive number")
        self._keep = exports_to_keep

    def export(
        self, estimator: Any, export_path: str, checkpoint_path: str | None,
        eval_result: Any, is_the_final_export: bool,
    ) -> Any:  # fmt: skip
        made = self._write(estimator, export_path, checkpoint_path)
        _drop_old(export_path, self._keep)
        return made


def _loss_smaller(best_eval_result: Any, current_eval_result: Any) -> bool:
    """Whether the loss has become smaller."""
    for what, result in (("best_eval_result", best_eval_result),
                         ("current_eval_result", current_eval_result)):  # fmt: skip
        if not result or "loss" not in result:
            raise ValueError(f"{what} cannot be empty or no loss is found in it.")
    return bool(best_eval_result["loss"] > current_eval_result["loss"])


class BestExporter(_Saved):
    """Exports when an evaluation is better than the best so far, and keeps the newest.

    Parameters
    ----------
    event_file_pattern : str, optional
        Event files below the model's folder from which the best result so far is read at the
        first export, so that it survives a restart.  The evaluation that leads to that export is
        among them already: it is exported only if None is given.
    compare_fn : callable
        ``(best_eval_result, current_eval_result)``, true when the second is better.
    exports_to_keep : int, optional
    """

    def __init__(
        self, name: str = "best_exporter",
        serving_input_receiver_fn: Callable[..., Any] | None = None,
        event_file_pattern: str | None = "eval/*.tfevents.*",
        compare_fn: Callable[..., Any] = _loss_smaller, assets_extra: Any = None,
        as_text: bool = False, exports_to_keep: int | None = 5,
    ) -> None:  # fmt: skip
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)
        if compare_fn is None:
            raise ValueError("`compare_fn` must not be None.")
        names = set(inspect.signature(compare_fn).parameters)
        for needed in ("best_eval_result", "current_eval_result"):
            if needed not in names:
                raise ValueError(f"compare_fn ({compare_fn}) must include {needed} argument.")
        if names - {"best_eval_result", "current_eval_result"}:
            unknown = sorted(names - {"best_eval_result", "current_eval_result"})
            raise ValueError(f"compare_fn ({compare_fn}) has following not expected args: "
                             f"{unknown}")  # fmt: skip
        if exports_to_keep is not None and exports_to_keep <= 0:
            raise ValueError("`exports_to_keep`, if provided, must be a positive number. Got "
                             f"{exports_to_keep}")  # fmt: skip
        self._pattern, self._compare, self._keep = event_file_pattern, compare_fn, exports_to_keep
        self._best: Mapping[str, Any] | None = None
        self._begun = False

    def export(
        self, estimator: Any, export_path: str, checkpoint_path: str | None,
        eval_result: Any, is_the_final_export: bool,
    ) -> Any:  # fmt: skip
        if not self._begun and self._pattern:
            self._best = self._read(os.path.join(estimator.model_dir, self._pattern))
        self._begun = True
        if self._best is not None and not self._better(self._best, eval_result):
            return None
        logging.info("Performing best model export.")
        self._best = eval_result
        made = self._write(estimator, export_path, checkpoint_path)
        _drop_old(export_path, self._keep)
        return made

    def _better(self, best: Any, current: Any) -> bool:
        return bool(self._compare(best_eval_result=best, current_eval_result=current))

    def _read(self, pattern: str) -> Mapping[str, Any] | None:
        """The best result in event files."""
        from graphc.summary.writer import summary_iterator

        best: Mapping[str, Any] | None = None
        for path in sorted(glob.glob(pattern)):
            for event in summary_iterator(path):
                found = {
                    v.tag: v.simple_value for v in event.summary.value if v.HasField("simple_value")
                }
                if found and (best is None or self._better(best, found)):
                    best = found
        return best


def _drop_old(folder: str, keep: int | None) -> None:
    """Remove all exports (folders named by a number) but the newest."""
    if keep is None:
        return
    made = sorted((n for n in os.listdir(folder) if n.isdigit()), key=int)
    for name in made[:-keep]:
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
