"""``tf.keras.callbacks``: what is called while a model is fitted."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.face import logging

__all__ = [
    "BaseLogger", "CSVLogger", "Callback", "CallbackList", "EarlyStopping", "History",
    "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "ProgbarLogger",
    "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

Logs = Any


class Callback:
    """Base of callbacks: users override the moments they want.

    Attributes
    ----------
    model : Model
    params : dict
        ``batch_size``, ``epochs``, ``steps``, ``samples``, ``verbose``, ``metrics``.
    """

    def __init__(self) -> None:
        self.model: Any = None
        self.params: dict[str, Any] = {}
        self.validation_data: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """What is known of the fit."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """The model that is fitted."""
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch, with its numbers."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch, with its numbers."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of training."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of training."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before an evaluation."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of a prediction."""


class CallbackList:
    """Callbacks called one after the other."""

    def __init__(self, callbacks: Sequence[Any], model: Any, params: dict[str, Any]) -> None:
        self.callbacks = list(callbacks)
        for c in self.callbacks:
            c.set_model(model)
            c.set_params(params)

    def call(self, moment: str, *args: Any) -> None:
        """Call a moment of each."""
        for c in self.callbacks:
            getattr(c, moment)(*args)


class History(Callback):
    """The numbers of all epochs.

    Attributes
    ----------
    history : dict
        A list for each number.
    epoch : list of int
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for k, v in (logs or {}).items():
            self.history.setdefault(k, []).append(v)


class BaseLogger(Callback):
    """Accepted: epochs have the means of their batches anyway."""

    def __init__(self, stateful_metrics: Any = None) -> None:
        super().__init__()


class TerminateOnNaN(Callback):
    """Stops when the loss is no number."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class ProgbarLogger(Callback):
    """Prints a line for each epoch (and, with verbose 1, a bar)."""

    def __init__(self, count_mode: str = "samples", stateful_metrics: Any = None) -> None:
        super().__init__()
        self.count_mode = count_mode

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epochs = self.params.get("epochs", 1)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        if self.params.get("verbose"):
            print(f"Epoch {epoch + 1}/{self.epochs}")
        self._begun = time.time()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if not self.params.get("verbose"):
            return
        count = self.params.get("samples") or self.params.get("steps")
        took = time.time() - self._begun
        numbers = "".join(f" - {k}: {v:.4f}" for k, v in (logs or {}).items())
        bar = f"{count}/{count} [{'=' * 30}] - " if self.params["verbose"] == 1 else ""
        print(f"{bar}{took:.0f}s{numbers}")
        sys.stdout.flush()


class LambdaCallback(Callback):
    """Functions for moments, by name."""

    def __init__(self, **moments: Callable[..., Any]) -> None:
        super().__init__()
        for name, f in moments.items():
            if f is not None:
                setattr(self, name, f)


def _better(mode: str, monitor: str) -> Callable[[Any, Any], bool]:
    up = mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure")))
    return (lambda a, b: a > b) if up else (lambda a, b: a < b)


class _Monitor(Callback):
    def __init__(self, monitor: str, mode: str) -> None:
        super().__init__()
        self.monitor = monitor
        self.mode = mode if mode in ("auto", "min", "max") else "auto"
        self.better = _better(self.mode, monitor)
        self.worst = -np.inf if self.better(1, 0) else np.inf

    def value(self, logs: Logs) -> Any:
        """The number that is watched."""
        found = (logs or {}).get(self.monitor)
        if found is None:
            logging.warning(
                "%s conditioned on metric `%s` which is not available. Available metrics are: %s",
                type(self).__name__, self.monitor, ",".join(logs or {}),
            )  # fmt: skip
        return found


class EarlyStopping(_Monitor):
    """Stops when a number has not become better for `patience` epochs."""

    def __init__(
        self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0,
        mode: str = "auto", baseline: float | None = None, restore_best_weights: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode)
        up = self.better(1, 0)
        self.min_delta = abs(min_delta) if up else -abs(min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights = restore_best_weights
        self.stopped_epoch = 0

    def on_train_begin(self, logs: Logs = None) -> None:
        self.wait, self.stopped_epoch, self.best_weights = 0, 0, None
        self.best: Any = self.worst if self.baseline is None else self.baseline

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        now = self.value(logs)
        if now is None:
            return
        if self.better(now - self.min_delta, self.best):
            self.best, self.wait = now, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.restore_best_weights and self.best_weights is not None:
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")


class ModelCheckpoint(_Monitor):
    """Saves the model after epochs: all, or those that are the best so far."""

    def __init__(
        self, filepath: str, monitor: str = "val_loss", verbose: int = 0,
        save_best_only: bool = False, save_weights_only: bool = False, mode: str = "auto",
        save_freq: Any = "epoch", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode)
        self.filepath, self.verbose = filepath, verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.period = kwargs.get("period", 1)
        self._since = 0
        self.best: Any = self.worst

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self._since += 1
        if self._since < self.period:
            return
        self._since = 0
        if self.save_best_only:
            now = self.value(logs)
            if now is None or not self.better(now, self.best):
                return
            self.best = now
        path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        if self.verbose:
            print(f"\nEpoch {epoch + 1:05d}: saving model to {path}")
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)


class LearningRateScheduler(Callback):
    """Sets the rate before each epoch: ``schedule(epoch)`` or ``schedule(epoch, rate)``."""

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        from graphc.keras import sessions

        rate = float(sessions.get_value(self.model.optimizer.lr))
        try:
            rate = self.schedule(epoch, rate)
        except TypeError:
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.floating):
            raise ValueError('The output of the "schedule" function should be float.')
        sessions.set_value(self.model.optimizer.lr, rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1:05d}: LearningRateScheduler reducing learning rate to "
                  f"{rate}.")  # fmt: skip

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        from graphc.keras import sessions

        if logs is not None:
            logs["lr"] = sessions.get_value(self.model.optimizer.lr)


class ReduceLROnPlateau(_Monitor):
    """A smaller rate when a number has not become better for `patience` epochs."""

    def __init__(
        self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0,
        mode: str = "auto", min_delta: float = 1e-4, cooldown: int = 0, min_lr: float = 0,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(monitor, mode)
        if factor >= 1.0:
            raise ValueError("ReduceLROnPlateau does not support a factor >= 1.0.")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        delta = kwargs.get("epsilon", min_delta)
        self.min_delta = delta if self.better(1, 0) else -delta

    def on_train_begin(self, logs: Logs = None) -> None:
        self.best, self.wait, self.resting = self.worst, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        from graphc.keras import sessions

        old = float(sessions.get_value(self.model.optimizer.lr))
        if logs is not None:
            logs["lr"] = old
        now = self.value(logs)
        if now is None:
            return
        if self.resting > 0:
            self.resting -= 1
            self.wait = 0
        if self.better(now - self.min_delta, self.best):
            self.best, self.wait = now, 0
        elif self.resting <= 0:
            self.wait += 1
            if self.wait >= self.patience and old > self.min_lr:
                new = max(old * self.factor, self.min_lr)
                sessions.set_value(self.model.optimizer.lr, new)
                if self.verbose:
                    print(f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to "
                          f"{new}.")  # fmt: skip
                self.resting, self.wait = self.cooldown, 0


class CSVLogger(Callback):
    """Writes the numbers of epochs to a file of comma-separated values."""

    def __init__(self, filename: str, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.separator, self.append = filename, separator, append
        self._keys: list[str] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        if not self.append or not os.path.exists(self.filename):
            with open(self.filename, "w"):
                pass
            self._keys = None

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        found = dict(logs or {})
        fresh = self._keys is None and os.path.getsize(self.filename) == 0
        if self._keys is None:
            self._keys = sorted(found)
        with open(self.filename, "a", newline="") as f:
            out = csv.writer(f, delimiter=self.separator)
            if fresh:
                out.writerow(["epoch", *self._keys])
            out.writerow([epoch, *[found.get(k, "NA") for k in self._keys]])


class TensorBoard(Callback):
    """Writes the numbers of epochs, and the graph, for TensorBoard.

    Parameters
    ----------
    log_dir : str
    histogram_freq : int
        Every how many epochs to write how weights and what layers give are distributed, at each
        batch of the validation data; without such data nothing is written.
    write_graph : bool
    write_grads : bool
        Whether to write the distribution of gradients with the histograms.
    write_images : bool
        Whether to write weights as pictures with the histograms.
    update_freq : {"epoch", "batch"} or int
        Write numbers of batches too: of each, or whenever so many examples were seen.
    embeddings_freq
        Nothing is written for it, which a warning says.
    """

    def __init__(
        self, log_dir: str = "./logs", histogram_freq: int = 0, batch_size: int = 32,
        write_graph: bool = True, write_grads: bool = False, write_images: bool = False,
        embeddings_freq: int = 0, embeddings_layer_names: Any = None,
        embeddings_metadata: Any = None, embeddings_data: Any = None,
        update_freq: Any = "epoch", profile_batch: int = 2, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.log_dir, self.write_graph = log_dir, write_graph
        self.histogram_freq, self.write_grads = histogram_freq, write_grads
        self.writer: Any = None
        self._merged: Any = None
        self._batches = 0
        self.write_images = write_images
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self._trained = self._samples = self._written = 0
        if embeddings_freq:
            logging.warning("graphc's TensorBoard callback writes nothing for embeddings_freq")

    def watcher(self, epoch: int) -> Callable[[Any], None] | None:
        """What sees the feeds of each batch of validation data, in epochs with histograms."""
        if not self.histogram_freq or epoch % self.histogram_freq:
            return None
        if self._merged is None:
            self._merged = self._histograms()
        return self._write_histograms

    def _histograms(self) -> Any:
        """Summaries of weights, perhaps of their gradients, and of what layers give."""
        from graphc.face.current import name_scope
        from graphc.face.gradients import gradients
        from graphc.summary.ops import histogram, image, merge

        made = []
        with name_scope(None):
            for layer in self.model.layers:
                for w in layer.weights:
                    name = w.op.name + "_0"
                    made.append(histogram(name, w))
                    picture = _picture(w) if self.write_images else None
                    if picture is not None:
                        made.append(image(name, picture))
                    if self.write_grads and any(w is t for t in layer.trainable_weights):
                        grad = gradients(self.model.total_loss, w)[0]
                        if grad is not None:
                            made.append(histogram(name + "_grad", grad))
                outputs = layer.output
                outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
                for i, t in enumerate(outputs):
                    made.append(histogram(f"{layer.name}_out" + (f"_{i}" if i else ""), t))
        return merge(made)

    def _write_histograms(self, feeds: Any) -> None:
        from graphc.keras import sessions

        self.writer.add_summary(sessions.get_session().run(self._merged, feeds), self._batches)
        self._batches += 1

    def on_train_begin(self, logs: Logs = None) -> None:
        from graphc.face.graph import get_default_graph
        from graphc.summary.writer import FileWriter

        self.writer = FileWriter(self.log_dir, get_default_graph() if self.write_graph else None)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        found = dict(logs or {})
        self._samples += found.pop("size", 1)
        if self.update_freq != "epoch" and self._samples - self._written >= self.update_freq:
            found.pop("batch", None)
            self._write_numbers("batch", found, self._trained)
            self._written = self._samples
        self._trained += 1

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        step = epoch if self.update_freq == "epoch" else self._samples
        self._write_numbers("epoch", logs or {}, step)

    def _write_numbers(self, kind: str, logs: dict[str, Any], step: int) -> None:
        from graphc.proto import Summary

        for k, v in logs.items():
            entry = Summary(value=[Summary.Value(tag=f"{kind}_{k}", simple_value=float(v))])
            self.writer.add_summary(entry, step)
        self.writer.flush()

    def on_train_end(self, logs: Logs = None) -> None:
        self.writer.close()


def _picture(weight: Any) -> Any:
    """A weight as grey images; None where it has more axes than they have."""
    from graphc.ops import shapes, transposing
    from graphc.ops.convert import convert_to_tensor

    flat: Any = shapes.squeeze(convert_to_tensor(weight))
    sizes = flat.shape.as_list()
    if len(sizes) not in (1, 2, 3):
        return None
    if len(sizes) == 3:
        rows, columns, many = sizes
        flat = transposing.transpose(flat, [2, 0, 1])
        return shapes.reshape(flat, [many, rows, columns, 1])
    if len(sizes) == 1:
        return shapes.reshape(flat, [1, sizes[0], 1, 1])
    if sizes[0] > sizes[1]:
        flat = transposing.transpose(flat)
        sizes.reverse()
    return shapes.reshape(flat, [1, *sizes, 1])
