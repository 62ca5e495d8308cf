"""Input functions of arrays and tables, and what models are exported with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from graphc.data.dataset import Dataset

__all__ = [
    "ClassificationOutput", "ExportOutput", "PredictOutput", "RegressionOutput",
    "ServingInputReceiver", "TensorServingInputReceiver", "build_parsing_serving_input_receiver_fn",
    "build_raw_serving_input_receiver_fn", "numpy_input_fn", "pandas_input_fn",
]  # fmt: skip


def numpy_input_fn(
    x: Any, y: Any = None, batch_size: int = 128, num_epochs: int | None = 1,
    shuffle: bool | None = None, queue_capacity: int = 1000, num_threads: int = 1,
) -> Callable[[], Any]:  # fmt: skip
    """An input function that gives batches of arrays.

    Parameters
    ----------
    x : array or dict of arrays
    y : array or dict of arrays, optional
        Labels.
    num_epochs : int or None
        How often the data comes; for ever with None. Batches run on from one epoch to the next.
    shuffle : bool
        Must be given.
    queue_capacity : int
        From how many rows a row is drawn.

    Raises
    ------
    ValueError
        When `shuffle` is not given, or `x` is empty; in a run, when lengths differ.
    """
    if not isinstance(shuffle, bool):
        raise ValueError("shuffle must be provided and explicitly set as boolean (it is "
                         f"recommended to set it as True for training); got {shuffle}")  # fmt: skip

    def input_fn() -> Any:
        if not isinstance(x, Mapping) and not isinstance(x, np.ndarray):
            raise TypeError(f"x must be a dict or array; got {type(x).__name__}")
        if isinstance(x, Mapping) and not x:
            raise ValueError("x cannot be an empty dict")
        if isinstance(y, Mapping) and not y:
            raise ValueError("y cannot be empty dict, use None instead.")
        _same_length(x, y)
        parts = x if y is None else (x, y)
        d = Dataset.from_tensor_slices(parts)
        if shuffle:
            d = d.shuffle(queue_capacity)
        return d.repeat(num_epochs).batch(batch_size).make_one_shot_iterator().get_next()

    return input_fn


def _same_length(x: Any, y: Any) -> None:
    sizes: dict[str, int] = {}
    for name, part in (("x", x), ("y", y)):
        if isinstance(part, Mapping):
            sizes.update({f"{name}[{k!r}]": len(v) for k, v in part.items()})
        elif part is not None:
            sizes[name] = len(part)
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Length of tensors in x and y is mismatched. All elements in x and y "
                         f"must have the same length. Shapes in x and y: {sizes}")  # fmt: skip


def pandas_input_fn(
    x: Any, y: Any = None, batch_size: int = 128, num_epochs: int | None = 1,
    shuffle: bool | None = None, queue_capacity: int = 1000, num_threads: int = 1,
    target_column: str = "target",
) -> Callable[[], Any]:  # fmt: skip
    """An input function that gives batches of a table's columns: see `numpy_input_fn`.

    Parameters
    ----------
    x : DataFrame
    y : Series or DataFrame, optional
    """
    columns = {str(k): _column(x[k]) for k in x.columns}
    target: Any = None
    if y is not None:
        if hasattr(y, "columns"):
            target = {str(k): _column(y[k]) for k in y.columns}
        else:
            if not np.array_equal(x.index, y.index):
                raise ValueError(f"Index for x and y are mismatched.\nIndex for x: {x.index}\n"
                                 f"Index for y: {y.index}\n")  # fmt: skip
            target = _column(y)
    return numpy_input_fn(
        columns, target, batch_size, num_epochs, shuffle, queue_capacity, num_threads
    )


def _column(series: Any) -> Any:
    a = np.asarray(series)
    return a if a.dtype != object else np.array([str(v) for v in a], object)


class ServingInputReceiver(NamedTuple):
    """What a served model is fed: features, and the tensors that receive them."""

    features: Any
    receiver_tensors: Any
    receiver_tensors_alternatives: Any = None


class TensorServingInputReceiver(ServingInputReceiver):
    """The same, for a model whose features are one tensor."""


class ExportOutput:
    """What of a model is exported; `as_signature_def` says it to a saved model."""

    def as_signature_def(self, receiver_tensors: Any) -> Any:
        """The signature with what the model is fed."""
        raise NotImplementedError


class PredictOutput(ExportOutput):
    """Predictions of any kind, to be exported."""

    def __init__(self, outputs: Any) -> None:
        self.outputs = outputs if isinstance(outputs, Mapping) else {"output": outputs}

    def as_signature_def(self, receiver_tensors: Any) -> Any:
        """A prediction with these outputs."""
        from graphc.saved_model.signatures import predict_signature_def

        return predict_signature_def(receiver_tensors, self.outputs)


class ClassificationOutput(ExportOutput):
    """Scores and classes, to be exported."""

    def __init__(self, scores: Any = None, classes: Any = None) -> None:
        if scores is None and classes is None:
            raise ValueError("Must specify at least one of scores and classes.")
        self.scores, self.classes = scores, classes

    def as_signature_def(self, receiver_tensors: Any) -> Any:
        """A classification of the one serialized example that is fed."""
        from graphc.saved_model.signatures import classification_signature_def

        return classification_signature_def(_one(receiver_tensors), self.classes, self.scores)


class RegressionOutput(ExportOutput):
    """A value, to be exported."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def as_signature_def(self, receiver_tensors: Any) -> Any:
        """A regression of the one serialized example that is fed."""
        from graphc.saved_model.signatures import regression_signature_def

        return regression_signature_def(_one(receiver_tensors), self.value)


def _one(receivers: Any) -> Any:
    if not isinstance(receivers, Mapping):
        return receivers
    if len(receivers) != 1:
        raise ValueError(f"Classification input must be a single string Tensor; got {receivers}")
    return next(iter(receivers.values()))


def build_raw_serving_input_receiver_fn(
    features: Any, default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A function that makes placeholders like `features` (arrays or tensors by name)."""

    def receiver() -> ServingInputReceiver:
        from graphc.ops.state import placeholder

        made = {}
        for name, t in features.items():
            shape = [default_batch_size, *list(np.shape(t) if isinstance(t, np.ndarray) else
                                               t.shape.as_list())[1:]]  # fmt: skip
            made[name] = placeholder(t.dtype, shape, name)
        return ServingInputReceiver(made, made)

    return receiver


def build_parsing_serving_input_receiver_fn(
    feature_spec: Any, default_batch_size: int | None = None
) -> Callable[[], ServingInputReceiver]:
    """A function that makes a placeholder of serialised Examples and parses it."""

    def receiver() -> ServingInputReceiver:
        import graphc
        from graphc.ops.state import placeholder

        given = placeholder("string", [default_batch_size], "input_example_tensor")
        return ServingInputReceiver(graphc.parse_example(given, feature_spec), {"examples": given})

    return receiver
