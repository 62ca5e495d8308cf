"""Elements are left out and repeated until classes have the shares that one wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.data.dataset import Dataset
from graphc.data.experimental import sample_from_datasets, scan
from graphc.face.lazy import lookup
from graphc.face.more import constant_value
from graphc.ir.dtypes import float32, int64
from graphc.ops import arrays, fills, math, random, reduce, shapes
from graphc.ops.convert import convert_to_tensor
from graphc.ops.printing import Print

__all__ = ["rejection_resample"]

#: Classes are counted in batches of so many; each counts as seen so often before.
_BATCH, _SEEN = 32, 10


def rejection_resample(
    class_func: Callable[..., Any], target_dist: Any, initial_dist: Any = None,
    seed: int | None = None,
) -> Callable[[Dataset], Dataset]:  # fmt: skip
    """Elements so that their classes have given shares, as pairs (class, element).

    Parameters
    ----------
    class_func : callable
        From an element to its class, an int32 scalar.
    target_dist : tensor
        The share of each class that is wanted.
    initial_dist : tensor, optional
        The share that each has; counted while elements come if not given.
    seed : int, optional
    """

    def apply(d: Dataset) -> Dataset:
        target: Any = convert_to_tensor(target_dist, name="target_dist")
        classes = d.map(class_func)
        if initial_dist is None:
            initial = _counted(target, classes)
        else:
            given = convert_to_tensor(initial_dist, name="initial_dist")
            initial = Dataset.from_tensors(given).repeat()
        acceptance = initial.map(lambda shares: _acceptance(shares, target))
        accepted = acceptance.map(lambda accept, _: accept)
        original = acceptance.map(lambda _, share: share)
        kept = _kept(d, accepted, initial, classes, seed)
        pairs = Dataset.zip((classes, d))
        share = None if initial_dist is None else _known_share(given, target)
        if share == 1:  # the other would be waited for, for ever
            return pairs
        if share == 0:
            return kept
        weights = original.map(lambda share: arrays.stack([share, 1.0 - share]))
        return sample_from_datasets([pairs, kept], weights, seed)

    return apply


def _counted(target: Any, classes: Dataset) -> Dataset:
    """The shares of classes so far, as often as there are elements."""
    n = target.shape[0].value or shapes.shape(target)[0]
    seen = fills.fill([n], np.int64(_SEEN))

    def step(counts: Any, batch: Any) -> Any:
        counts = counts + reduce.reduce_sum(fills.one_hot(batch, n, dtype=int64), 0)
        shares = math.cast(math.divide(counts, reduce.reduce_sum(counts)), float32)
        return counts, arrays.tile(shapes.expand_dims(shares, 0), [_BATCH, 1])

    return classes.batch(_BATCH).apply(scan(seen, step)).unbatch()


def _acceptance(initial: Any, target: Any) -> Any:
    """How often an element of each class is taken, and how many are taken in any case.

    By a mixture: the fewer are left out, the more elements come from the input as it is.
    """
    ratio = math.cast(target, initial.dtype) / (initial + np.finfo(initial.dtype.np).tiny)
    most, least = reduce.reduce_max(ratio), reduce.reduce_min(ratio)
    return (ratio - least) / (most - least), least


def _known_share(initial: Any, target: Any) -> float | None:
    """How many are taken in any case, where both are constants."""
    shares = [constant_value(v) for v in (initial, target)]
    if shares[0] is None or shares[1] is None:
        return None
    with np.errstate(all="ignore"):
        return float(np.min(shares[1] / shares[0]))


def _kept(d: Dataset, accepted: Dataset, initial: Dataset, classes: Dataset, seed: Any) -> Dataset:
    """The elements that are taken, by the class of each."""

    def warned(accept: Any, shares: Any) -> Any:
        rejected = reduce.reduce_sum((1.0 - accept) * shares)
        return lookup("", "cond")(
            math.less(rejected, 0.5),
            lambda: accept,
            lambda: Print(
                accept, [rejected, shares, accept],
                "Proportion of examples rejected by sampler is high: ", first_n=10,
            ),
        )  # fmt: skip

    checked = Dataset.zip((accepted, initial)).map(warned)
    chances = Dataset.zip((checked, classes)).map(arrays.gather)

    def drawn(_: Any, chance: Any, *element: Any) -> Any:
        return random.random_uniform([], seed=seed, dtype=float32) < chance

    filtered = Dataset.zip((classes, chances, d)).filter(drawn)
    return filtered.map(lambda label, _, *element: (
        label, element[0] if len(element) == 1 else element
    ))  # fmt: skip
