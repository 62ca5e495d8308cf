"""`compile`, `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from graphc.face.control import group
from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.ir.node import Value
from graphc.keras import callbacks as cbks
from graphc.keras import losses, metrics, optimizers, sessions, settings
from graphc.keras.batches import (
    arrays_of,
    batches_of,
    drawn,
    each_of,
    fitted_to,
    is_data,
    is_dataset,
)
from graphc.keras.reported import Numbers, show, show_metric, show_reported
from graphc.layers.spec import flat_values
from graphc.ops import math, reduce, state
from graphc.ops.counting import made as count_made

__all__ = ["Training"]


class Training:
    """The part of a model that is trained."""

    inputs: list[Any]
    outputs: list[Any]
    input_names: list[str]
    output_names: list[str]
    stop_training: bool

    def _init_training(self) -> None:
        self.optimizer: Any = None
        self.loss: Any = None
        self.stop_training = False
        self.history: Any = None
        self._compiled: dict[str, Any] | None = None
        self._asked: dict[str, Any] = {}

    # ---- compiling

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None,
        loss_weights: Any = None, sample_weight_mode: Any = None, weighted_metrics: Any = None,
        target_tensors: Any = None, distribute: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Say how the model is trained.

        Parameters
        ----------
        optimizer : str, keras or tf.train optimizer
        loss : str, callable, or one for each output
        metrics : list
            Names, functions of targets and outputs, or `Metric`; for several outputs a list of
            lists or a dictionary.
        loss_weights : list or dict, optional
        """
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self._asked = {
            "metrics": metrics, "weighted": weighted_metrics, "weights": loss_weights,
            "targets": target_tensors,
        }  # fmt: skip
        self._compiled = None
        if self.outputs:
            self._prepare()

    def _each_output(self, given: Any) -> list[Any]:
        """What is said for each output."""
        n = len(self.outputs)
        if isinstance(given, dict):
            return [given.get(name) for name in self.output_names]
        if isinstance(given, list | tuple):
            if len(given) != n:
                raise ValueError(
                    f"When passing a list as loss, it should have one entry per model outputs. "
                    f"The model has {n} outputs, but you passed loss={given}"
                )
            return list(given)
        return [given] * n

    def _metrics_of(self, i: int, given: Any) -> list[Any]:
        name = self.output_names[i]
        if given is None:
            return []
        if isinstance(given, dict):
            return each_of(given.get(name))
        if len(given) == len(self.outputs) and all(
            isinstance(m, list | tuple) or m is None for m in given
        ):
            return each_of(given[i])
        return each_of(given)

    def _prepare(self) -> dict[str, Any]:
        """Targets, losses and metrics in the graph."""
        if self._compiled is not None:
            return self._compiled
        if self.optimizer is None:
            raise RuntimeError(
                "You must compile your model before training/testing. Use `model.compile("
                "optimizer, loss)`."
            )
        made: dict[str, Any] = {"targets": [], "weights": [], "names": ["loss"], "values": [],
                                "stateful": [], "lossy": []}  # fmt: skip
        several = len(self.outputs) > 1
        total: Any = None
        weights = self._each_output(1.0 if self._asked["weights"] is None
                                    else self._asked["weights"])  # fmt: skip
        fs = [losses.get(f) for f in self._each_output(self.loss)]
        given_targets = each_of(self._asked["targets"])
        with name_scope("loss"):
            for i, (y, f, name) in enumerate(zip(self.outputs, fs, self.output_names, strict=True)):
                if f is None:
                    made["targets"].append(None)
                    made["weights"].append(None)
                    continue
                t = given_targets[i] if given_targets else self._target(y, f, name)
                w = state.placeholder_with_default(
                    np.ones(1, np.float32), [None], name=f"{name}_sample_weights"
                )
                made["targets"].append(t)
                made["weights"].append(w)
                with name_scope(f"{name}_loss"):
                    each = f.call(t, y) if isinstance(f, losses.Loss) else f(t, y)
                    value = self._averaged(each, w, getattr(f, "reduction", "auto"))
                made["lossy"].append(value)
                if several:
                    count_made(22)  # a mean over batches
                    made["names"].append(f"{name}_loss")
                    made["values"].append(value)
                part = value * float(weights[i] if weights[i] is not None else 1.0)
                total = part if total is None else total + part
            for extra in self.losses:  # type: ignore[attr-defined]
                count_made(14)  # the penalty itself
                part = reduce.reduce_mean(extra)
                total = part if total is None else total + part
        if total is None:
            raise ValueError("The model cannot be compiled because it has no loss to optimize.")
        for i, y in enumerate(self.outputs):
            for key in ("metrics", "weighted"):
                for m in self._metrics_of(i, self._asked[key]):
                    self._add_metric(made, m, i, y, several, key == "weighted")
        show_reported(made, self.reported)  # type: ignore[attr-defined]
        made["loss"] = self.total_loss = total
        self._compiled = made
        self.targets = made["targets"]
        return made

    def _target(self, y: Any, f: Any, name: str) -> Any:
        shape = y.shape.as_list()
        kind = settings.floatx()
        called = getattr(f, "__name__", type(f).__name__)
        if called in ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy"):
            shape = [*shape[:-1], 1]
        elif not isinstance(f, losses.Loss) and getattr(losses, called, None) is not f:
            shape = [None] * len(shape)
        return state.placeholder(kind, shape, name=f"{name}_target")

    def _averaged(self, each: Any, w: Any, how: str) -> Any:
        """The mean over entries of losses times weights."""
        while each.rank is not None and each.rank > 1:
            each = reduce.reduce_mean(each, -1)
        if each.rank == 0:
            count_made(7)
            return each
        count_made(13)  # weights are checked
        weighed = each * math.cast(w, each.dtype)
        return reduce.reduce_sum(weighed) if how == "sum" else reduce.reduce_mean(weighed)

    def _add_metric(
        self, made: dict[str, Any], given: Any, i: int, y: Any, several: bool, weighs: bool
    ) -> None:
        t, w = made["targets"][i], made["weights"][i]
        name, f = self._metric_function(given, i, y)
        if inspect.isclass(f):
            f = f()
        shown = f"{self.output_names[i]}_{name}" if several else name
        shown, base, n = shown, shown, 1
        while shown in made["names"]:
            shown, n = f"{base}_{n}", n + 1
        if isinstance(f, metrics.Metric):
            show_metric(made, shown, f, f.update_state(t, y))
            return
        with name_scope(f"metrics/{shown}"):
            each = f(t, y)
            count_made(20)  # a mean over batches
            value = reduce.reduce_mean(math.cast(each, settings.floatx()))
            if weighs:
                flat = math.cast(each, settings.floatx())
                while flat.rank is not None and flat.rank > 1:
                    flat = reduce.reduce_mean(flat, -1)
                value = math.div_no_nan(
                    reduce.reduce_sum(flat * w), reduce.reduce_sum(w * (flat * 0.0 + 1.0))
                )
        show(made, shown, value)

    def _metric_function(self, given: Any, i: int, y: Any) -> tuple[str, Any]:
        if isinstance(given, metrics.Metric):
            return given.name, given
        if given in ("accuracy", "acc", "crossentropy", "ce"):
            kind = "accuracy" if given in ("accuracy", "acc") else "crossentropy"
            loss = self._each_output(self.loss)[i]
            called = loss if isinstance(loss, str) else getattr(loss, "__name__", type(
                loss).__name__)  # fmt: skip
            sparse = called in ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy")
            last = y.shape[-1].value
            if last == 1 or called in ("binary_crossentropy", "BinaryCrossentropy"):
                found = f"binary_{kind}"
            else:
                found = f"sparse_categorical_{kind}" if sparse else f"categorical_{kind}"
            return ("acc" if kind == "accuracy" else found), getattr(metrics, found)
        f = metrics.get(given)
        name = getattr(f, "__name__", None) or f.name
        return name, f

    @property
    def metrics_names(self) -> list[str]:
        """Names of the numbers that `evaluate` gives."""
        return list(self._prepare()["names"])

    @property
    def metrics(self) -> list[Any]:
        """The metrics that add up over batches."""
        return [m for _, m, _, _ in (self._compiled or {}).get("stateful", ())]

    def add_metric(
        self, value: Any, aggregation: str | None = None, name: str | None = None
    ) -> None:
        """Add a tensor to what the model reports; also to that of a compiled model.

        Parameters
        ----------
        value : tensor
            Made of the model's tensors, or the result of a metric.
        aggregation : {"mean", None}
            None where `value` is the result of a metric.
        """
        if hasattr(value, "_metric_obj") and self.__dict__.get("_sequence") is not None:
            raise ValueError(
                "The result of a `Metric` is for `add_metric` in a layer or model of a subclass: "
                "pass the tensor itself"
            )
        super().add_metric(value, aggregation, name)  # type: ignore[misc]
        if self._compiled is not None:
            show_reported(self._compiled, [(name, value, aggregation)])

    # ---- steps

    #: What sees the feeds of each batch of an evaluation.
    _watching: tuple[Any, ...] = ()

    def _train_op(self) -> Any:
        made = self._prepare()
        if "train" not in made:
            params = self.trainable_weights  # type: ignore[attr-defined]
            with name_scope("training"):
                ops = self.optimizer.get_updates(loss=made["loss"], params=params)
                own = [u for u in self.updates if u is not None]  # type: ignore[attr-defined]
                made["train"] = group(*ops, *own)
            with name_scope("training"):
                pass  # TF1 opens it twice: the next model's is training_2
        return made["train"]

    def _feed(self, xs: list[Any], ys: list[Any], weights: Any, phase: int) -> dict[Any, Any]:
        feed: dict[Any, Any] = dict(zip(self.inputs, xs, strict=True))
        made = self._compiled or {}
        given = [t for t in made.get("targets", ()) if t is not None]
        for t, y in zip(given, ys, strict=False):
            feed[t] = fitted_to(y, t)
        each = each_of(weights)
        live = [w for w in made.get("weights", ()) if w is not None]
        for i, w in enumerate(live):
            value = each[i] if i < len(each) else None
            if value is not None:
                feed[w] = np.asarray(value, np.float32).reshape(len(value), -1).mean(-1)
        flag = get_default_graph().extras.get("keras_phase")
        if isinstance(flag, Value):
            feed[flag] = bool(phase)
        return feed

    def _step(self, xs: Any, ys: Any, weights: Any, train: bool) -> list[Any]:
        """Run a batch; its numbers (of stateful metrics those of all batches so far)."""
        made = self._prepare()
        step = self._train_op() if train else None
        session = sessions.get_session()
        values = [v for v in made["values"] if v is not None]
        ops = [] if step is None else [step]
        ops += [u for _, _, u, _ in made["stateful"]]
        if not train:
            ops += self.state_updates  # type: ignore[attr-defined]
        feed = self._feed(xs, ys, weights, int(train))
        got = session.run([[made["loss"], *values], ops], feed)[0]
        out: list[Any] = [got[0]]
        rest = iter(got[1:])
        out += [0.0 if v is None else next(rest) for v in made["values"]]
        if made["stateful"]:
            results = session.run([r for _, _, _, r in made["stateful"]])
            for (at, _, _, _), r in zip(made["stateful"], results, strict=True):
                out[at] = r
        return out

    def _reset(self) -> None:
        for m in self.metrics:
            m.reset_states()

    def _checked(self, x: Any, y: Any) -> tuple[list[Any], list[Any]]:
        keys = sorted(x) if isinstance(x, dict) else None
        xs = arrays_of(x, getattr(self, "input_names", keys))
        self._begin(xs, keys)  # type: ignore[attr-defined]
        if len(xs) != len(self.inputs):
            raise ValueError(
                "Error when checking model input: the list of Numpy arrays that you are passing to "
                f"your model is not the size the model expected. Expected to see "
                f"{len(self.inputs)} array(s), but instead got {len(xs)}."
            )
        for a, v, name in zip(xs, self.inputs, self.input_names, strict=True):
            want = v.shape.as_list()
            if a.ndim == len(want) - 1 and want[-1] == 1:
                continue
            if a.ndim != len(want) or any(
                n not in (None, m) for n, m in zip(want[1:], a.shape[1:], strict=True)
            ):
                raise ValueError(
                    f"Error when checking input: expected {name} to have shape "
                    f"{tuple(want[1:])} but got array with shape {a.shape[1:]}"
                )
        xs = [a[:, None] if a.ndim == v.rank - 1 else a
              for a, v in zip(xs, self.inputs, strict=True)]  # fmt: skip
        ys = arrays_of(y, getattr(self, "output_names", None))
        sizes = {len(a) for a in [*xs, *ys]}
        if len(sizes) > 1:
            raise ValueError(
                "Input arrays should have the same number of samples as target arrays. Found "
                f"{len(xs[0])} input samples and {len(ys[0])} target samples."
            )
        size = self._known_batch()
        if size and self.stateful and len(xs[0]) % size:  # type: ignore[attr-defined]
            raise ValueError(
                "In a stateful network, you should only pass inputs with a number of samples that "
                f"can be divided by the batch size. Found: {len(xs[0])} samples"
            )
        return xs, ys

    def _known_batch(self) -> int | None:
        """The size of batches, where the first input says it."""
        size: int | None = self.inputs[0].shape.as_list()[0] if self.inputs else None
        return size

    def _batch_size(self, asked: int | None) -> int:
        """The size of batches: that which the first input says, or `asked`, or 32."""
        known = self._known_batch()
        if asked and known and asked != known:
            raise ValueError(
                f"The `batch_size` argument value {asked} is incompatible with the specified batch "
                f"size of your Input Layer: {known}"
            )
        return known or asked or 32

    # ---- fitting

    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1,
        verbose: int = 1, callbacks: Any = None, validation_split: float = 0.0,
        validation_data: Any = None, shuffle: bool = True, class_weight: Any = None,
        sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None,
        validation_steps: int | None = None, validation_freq: int = 1, max_queue_size: int = 10,
        workers: int = 1, use_multiprocessing: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Train on arrays (or on a dataset, generator or `Sequence` of batches).

        Parameters
        ----------
        x, y : array, or a list or dictionary of arrays
        batch_size : int, optional
            32 by default.
        validation_split : float
            The share at the end of the arrays that is not trained on, but evaluated.
        validation_data : tuple, optional
            ``(x, y)`` or ``(x, y, sample_weight)``.
        class_weight : dict, optional
            A factor for the loss of each class.

        Returns
        -------
        History
        """
        epochs = kwargs.pop("nb_epoch", epochs)
        x = drawn([x, y, sample_weight], steps_per_epoch, "steps_per_epoch")
        if not is_data(x):
            return self._fit_batches(
                x, epochs, verbose, callbacks, validation_data, initial_epoch, steps_per_epoch,
                validation_steps, class_weight, shuffle,
            )  # fmt: skip
        xs, ys = self._checked(x, y)
        self._prepare()
        weights = self._weights(ys, sample_weight, class_weight)
        size = self._batch_size(batch_size)
        if validation_split and validation_data is None:
            cut = int(len(xs[0]) * (1.0 - validation_split))
            validation_data = ([a[cut:] for a in xs], [a[cut:] for a in ys],
                               None if weights is None else [w[cut:] for w in weights])  # fmt: skip
            xs, ys = [a[:cut] for a in xs], [a[:cut] for a in ys]
            weights = None if weights is None else [w[:cut] for w in weights]
        n = len(xs[0])

        def batches() -> Iterator[Any]:
            order = np.arange(n)
            if shuffle:
                np.random.shuffle(order)
            for at in range(0, n, size):
                rows = order[at : at + size]
                yield ([a[rows] for a in xs], [a[rows] for a in ys],
                       None if weights is None else [w[rows] for w in weights])  # fmt: skip

        return self._epochs(
            batches, epochs, verbose, callbacks, validation_data, initial_epoch, size, n,
            -(-n // size), validation_steps, validation_freq,
        )  # fmt: skip

    def _fit_batches(
        self, x: Any, epochs: int, verbose: int, callbacks: Any, validation_data: Any,
        initial_epoch: int, steps: int | None, validation_steps: int | None, class_weight: Any,
        shuffle: bool,
    ) -> Any:  # fmt: skip
        source = batches_of(x)
        if steps is None and not hasattr(x, "__len__") and not is_dataset(x):
            raise ValueError("`steps_per_epoch` must be given for a generator")

        def batches() -> Iterator[Any]:
            for k, batch in enumerate(source()):
                if steps is not None and k >= steps:
                    return
                parts = batch if isinstance(batch, list | tuple) else (batch,)
                a, b, w = (*parts, None, None)[:3]
                xs, ys = self._checked(a, b)
                yield xs, ys, self._weights(ys, w, class_weight)
                if steps is not None and k + 1 >= steps:
                    return

        return self._epochs(
            batches, epochs, verbose, callbacks, validation_data, initial_epoch, None, None, steps,
            validation_steps, 1,
        )  # fmt: skip

    def _epochs(
        self, batches: Any, epochs: int, verbose: int, callbacks: Any, validation_data: Any,
        initial_epoch: int, size: int | None, samples: int | None, steps: int | None,
        validation_steps: int | None, every: int,
    ) -> Any:  # fmt: skip
        history = cbks.History()
        self.history = history
        first = None
        if not self.outputs:
            first = next(iter(batches()))
        made = self._prepare()
        del first
        names = made["names"]
        params = {"batch_size": size, "epochs": epochs, "steps": steps, "samples": samples,
                  "verbose": verbose, "do_validation": validation_data is not None,
                  "metrics": names}  # fmt: skip
        listed = cbks.CallbackList(
            [*each_of(callbacks), *([cbks.ProgbarLogger()] if verbose else []), history], self,
            params,
        )  # fmt: skip
        self.stop_training = False
        self._train_op()
        stateful = [at for at, _, _, _ in made["stateful"]]
        listed.call("on_train_begin", {})
        logs: dict[str, Any] = {}
        for epoch in range(initial_epoch, epochs):
            self._reset()
            listed.call("on_epoch_begin", epoch, {})
            numbers, last = Numbers(names), []
            for i, (xs, ys, w) in enumerate(batches()):
                n = len(xs[0])
                listed.call("on_train_batch_begin", i, {"batch": i, "size": n})
                last = self._step(xs, ys, w, True)
                numbers.add(last, n)
                logs = {"batch": i, "size": n, **dict(zip(names, last, strict=True))}
                listed.call("on_train_batch_end", i, logs)
                if self.stop_training:
                    break
            means: list[Any] = numbers.now()
            for at in stateful:
                means[at] = last[at] if last else 0.0
            logs = dict(zip(names, means, strict=True))
            if validation_data is not None and (epoch + 1) % every == 0:
                watching = [c.watcher(epoch) for c in listed.callbacks
                            if isinstance(c, cbks.TensorBoard)]  # fmt: skip
                self._watching = tuple(w for w in watching if w is not None)
                try:
                    found = self._validated(validation_data, size, validation_steps)
                finally:
                    self._watching = ()
                logs.update((f"val_{k}", v) for k, v in zip(names, found, strict=True))
            listed.call("on_epoch_end", epoch, logs)
            if self.stop_training:
                break
        listed.call("on_train_end", logs)
        return history

    def _validated(self, data: Any, size: int | None, steps: int | None) -> list[Any]:
        if not isinstance(data, list | tuple):
            return each_of(self.evaluate(data, verbose=0, steps=steps))
        x, y, w = (*data, None)[:3]
        return each_of(self.evaluate(x, y, size, verbose=0, sample_weight=w))

    def _weights(self, ys: list[Any], sample_weight: Any, class_weight: Any) -> Any:
        each = each_of(sample_weight)
        if not each and not class_weight:
            return None
        out = []
        for i, y in enumerate(ys):
            w = np.ones(len(y), np.float32)
            if i < len(each) and each[i] is not None:
                w = np.asarray(each[i], np.float32)
            if class_weight:
                own = class_weight.get(self.output_names[i], class_weight) if isinstance(
                    class_weight, dict) else class_weight  # fmt: skip
                classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y))
                w = w * np.array([own.get(int(c), 1.0) for c in classes], np.float32)
            out.append(w)
        return out

    # ---- evaluating

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int = 1,
        sample_weight: Any = None, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
    ) -> Any:  # fmt: skip
        """The loss (and metrics) of arrays or batches."""
        x = drawn([x, y, sample_weight], steps, "steps")
        if is_data(x):
            xs, ys = self._checked(x, y)
            weights = self._weights(ys, sample_weight, None)
            size, n = self._batch_size(batch_size), len(xs[0])
            parts: Iterable[Any] = (
                ([a[i : i + size] for a in xs], [a[i : i + size] for a in ys],
                 None if weights is None else [w[i : i + size] for w in weights])
                for i in range(0, n, size)
            )  # fmt: skip
        else:
            parts = self._given(x, steps)
        self._reset()
        numbers: Any = None
        last: list[Any] = []
        for one, other, w in parts:
            for watch in self._watching:
                watch(self._feed(one, other, w, 0))
            last = self._step(one, other, w, False)
            numbers = numbers or Numbers(self._prepare()["names"])
            numbers.add(last, len(one[0]))
        out: list[Any] = numbers.now()
        for at, _, _, _ in self._prepare()["stateful"]:
            out[at] = last[at]
        return out[0] if len(out) == 1 else out

    def _given(self, x: Any, steps: int | None) -> Iterator[Any]:
        for k, batch in enumerate(batches_of(x)()):
            if steps is not None and k >= steps:
                return
            parts = batch if isinstance(batch, list | tuple) else (batch,)
            a, b, w = (*parts, None, None)[:3]
            xs, ys = self._checked(a, b)
            yield xs, ys, self._weights(ys, w, None)

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int = 0, steps: int | None = None,
        callbacks: Any = None, max_queue_size: int = 10, workers: int = 1,
        use_multiprocessing: bool = False,
    ) -> Any:  # fmt: skip
        """The outputs for arrays or batches."""
        x = drawn([x], steps, "steps")
        made: list[list[Any]] = []
        if is_data(x):
            xs, _ = self._checked(x, None)
            size, n = self._batch_size(batch_size), len(xs[0])
            parts: Iterable[Any] = ([a[i : i + size] for a in xs] for i in range(0, n, size))
        else:
            parts = (given for given, _, _ in self._given(x, steps))
        for part in parts:
            made.append(self._predicted(part))
        out = [np.concatenate(vs) for vs in zip(*made, strict=True)]
        return out[0] if len(out) == 1 else out

    def _predicted(self, xs: list[Any]) -> list[Any]:
        session = sessions.get_session()
        feed = dict(zip(self.inputs, xs, strict=True))
        flag = get_default_graph().extras.get("keras_phase")
        if isinstance(flag, Value):
            feed[flag] = False
        fetches = flat_values(self.outputs), self.state_updates  # type: ignore[attr-defined]
        return list(session.run(fetches, feed)[0])

    # ---- single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None,
        reset_metrics: bool = True,
    ) -> Any:  # fmt: skip
        """One step of training; its loss (and metrics)."""
        xs, ys = self._checked(x, y)
        self._prepare()
        if reset_metrics:
            self._reset()
        out = self._step(xs, ys, self._weights(ys, sample_weight, class_weight), True)
        return out[0] if len(out) == 1 else out

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, reset_metrics: bool = True
    ) -> Any:
        """The loss (and metrics) of a batch."""
        xs, ys = self._checked(x, y)
        self._prepare()
        if reset_metrics:
            self._reset()
        out = self._step(xs, ys, self._weights(ys, sample_weight, None), False)
        return out[0] if len(out) == 1 else out

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for a batch."""
        xs, _ = self._checked(x, None)
        out = self._predicted(xs)
        return out[0] if len(out) == 1 else out

    # ---- generators, by their older names

    def fit_generator(
        self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1,
        verbose: int = 1, callbacks: Any = None, validation_data: Any = None,
        validation_steps: int | None = None, validation_freq: int = 1, class_weight: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        shuffle: bool = True, initial_epoch: int = 0,
    ) -> Any:  # fmt: skip
        """`fit` on a generator of batches."""
        return self.fit(
            generator, epochs=epochs, verbose=verbose, callbacks=callbacks,
            validation_data=validation_data, validation_steps=validation_steps,
            class_weight=class_weight, shuffle=shuffle, initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
        )  # fmt: skip

    def evaluate_generator(
        self, generator: Any, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:  # fmt: skip
        """`evaluate` on a generator of batches."""
        return self.evaluate(generator, steps=steps, verbose=verbose)

    def predict_generator(
        self, generator: Any, steps: int | None = None, callbacks: Any = None,
        max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:  # fmt: skip
        """`predict` on a generator of batches."""
        return self.predict(generator, steps=steps, verbose=verbose)

    def save(
        self, filepath: str, overwrite: bool = True, include_optimizer: bool = True,
        save_format: str | None = None, signatures: Any = None,
    ) -> None:  # fmt: skip
        """Write the model to an HDF5 file."""
        from graphc.keras import files

        files.save_model(self, filepath, overwrite, include_optimizer, save_format)
