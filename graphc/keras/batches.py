"""Where the batches that a model is given come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from graphc.ir.node import Value
from graphc.keras import sessions
from graphc.layers.spec import flat_values

__all__ = ["arrays_of", "batches_of", "drawn", "each_of", "fitted_to", "is_data", "is_dataset"]


def is_dataset(x: Any) -> bool:
    from graphc.data.dataset import Dataset

    return isinstance(x, Dataset)


def is_data(x: Any) -> bool:
    """Whether `x` holds arrays, and not batches of them."""
    if isinstance(x, dict | list | tuple):
        return True
    return hasattr(x, "__array__") and not is_dataset(x)


def batches_of(x: Any) -> Any:
    """A function that goes through batches: of a dataset, a `Sequence` or a generator."""
    if is_dataset(x):
        return lambda: _of_dataset(x)
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):

        def each() -> Iterator[Any]:
            for i in range(len(x)):
                yield x[i]
            if hasattr(x, "on_epoch_end"):
                x.on_epoch_end()

        return each
    return lambda: x


def _of_dataset(d: Any) -> Iterator[Any]:
    from graphc.errors import OutOfRangeError

    it = d.make_initializable_iterator() if hasattr(d, "make_initializable_iterator") else None
    session = sessions.get_session()
    if it is None:
        it = d.make_one_shot_iterator()
    else:
        session.run(it.initializer)
    nxt = it.get_next()
    while True:
        try:
            yield session.run(nxt)
        except OutOfRangeError:
            return


def drawn(data: list[Any], steps: int | None, word: str) -> Any:
    """Batches of data tensors (inputs, targets, weights): what they are in each run.

    Data that is no tensor is left alone: the first of `data` comes back.

    Raises
    ------
    ValueError
        Without a number of steps: tensors never end.
    """
    given = [d for d in data if d is not None]
    if not any(isinstance(v, Value) for v in flat_values(given)):
        return data[0]
    if steps is None:
        raise ValueError(
            "When using data tensors as input to a model, you should specify the "
            f"`{word}` argument."
        )

    def batches() -> Iterator[Any]:
        while True:
            yield tuple(sessions.get_session().run(given))

    return batches()


def each_of(x: Any, names: list[str] | None = None) -> list[Any]:
    """What is given for each input, or output, in their order."""
    if x is None:
        return []
    if isinstance(x, dict) and names is not None:
        lacking = [n for n in names if n not in x]
        if lacking:
            raise ValueError(
                f'No data provided for "{lacking[0]}". Need data for each key in: {names}'
            )
        return [x[n] for n in names]
    return list(x) if isinstance(x, list | tuple) else [x]


def arrays_of(x: Any, names: list[str] | None = None) -> list[Any]:
    """The same as arrays."""
    return [np.asarray(a) for a in each_of(x, names)]


def fitted_to(y: Any, t: Any) -> Any:
    """A target with or without a last axis of size 1, as its placeholder has it."""
    if t.rank is not None and y.ndim == t.rank - 1:
        return y[..., None]
    return y
