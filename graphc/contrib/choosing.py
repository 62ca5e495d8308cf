"""Training ops of ``tf.contrib.training``, and queues that choose examples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.contrib.slim import learning
from graphc.errors import CancelledError, OutOfRangeError
from graphc.face.control import group
from graphc.face.current import control_dependencies, name_scope
from graphc.face.initializers import Zeros
from graphc.face.scopes import get_local_variable, variable_scope
from graphc.ir import dtypes
from graphc.ops import (
    arrays,
    cumulative,
    fills,
    math,
    random,
    reduce,
    rejection,
    shapes,
    spaced,
    state,
)
from graphc.ops import shapes as shape_ops
from graphc.ops.convert import convert_to_tensor
from graphc.train.averages import assign_moving_average
from graphc.train.input import batch, maybe_batch
from graphc.train.queue_runner import QueueRunner, add_queue_runner

__all__ = [
    "GreedyLoadBalancingStrategy", "RandomStrategy", "bucket", "bucket_by_sequence_length",
    "byte_size_load_fn", "clip_gradient_norms_fn", "create_train_op", "rejection_sample",
    "resample_at_rate", "stratified_sample", "weighted_resample",
]  # fmt: skip

_DEFAULT = 0

# ------------------------------------------------------------------------- training


def clip_gradient_norms_fn(max_norm: float) -> Callable[[Any], Any]:
    """A function that clips each gradient of (gradient, variable) pairs to a norm."""
    return lambda pairs: learning.clip_gradient_norms(pairs, max_norm)


def create_train_op(
    total_loss: Any, optimizer: Any, global_step: Any = _DEFAULT, update_ops: Any = None,
    variables_to_train: Any = None, transform_grads_fn: Callable[[Any], Any] | None = None,
    summarize_gradients: bool = False, gate_gradients: int = 1, aggregation_method: Any = None,
    colocate_gradients_with_ops: bool = False, check_numerics: bool = True,
) -> Any:  # fmt: skip
    """The loss, after update operations and a step of `optimizer`.

    Parameters
    ----------
    transform_grads_fn : callable, optional
        From (gradient, variable) pairs to those that are applied.
    """

    class Changed:
        """The optimizer with changed gradients."""

        @staticmethod
        def compute_gradients(*args: Any, **kwargs: Any) -> Any:
            pairs = optimizer.compute_gradients(*args, **kwargs)
            return pairs if transform_grads_fn is None else transform_grads_fn(pairs)

        apply_gradients = staticmethod(optimizer.apply_gradients)

    return learning.create_train_op(
        total_loss, Changed, global_step, update_ops, variables_to_train, 0, summarize_gradients,
        gate_gradients, aggregation_method, colocate_gradients_with_ops, None, check_numerics,
    )  # fmt: skip


# ------------------------------------------------------------------------- servers


class RandomStrategy:
    """Chooses parameter servers by chance (there are none here: for programs that name them)."""

    def __init__(self, num_ps_tasks: int, seed: int = 0) -> None:
        self._num, self._random = num_ps_tasks, np.random.RandomState(seed)

    def __call__(self, op: Any) -> int:
        """The server of a variable."""
        return int(self._random.randint(0, self._num))


class GreedyLoadBalancingStrategy:
    """Chooses the parameter server with the least load."""

    def __init__(self, num_tasks: int, load_fn: Callable[[Any], float]) -> None:
        self._load_fn = load_fn
        self._loads = np.zeros(num_tasks)

    def __call__(self, op: Any) -> int:
        """The server of a variable, whose load it is from now on."""
        task = int(np.argmin(self._loads))
        self._loads[task] += self._load_fn(op)
        return task


def byte_size_load_fn(op: Any) -> float:
    """How many bytes the output of an operation has.

    Raises
    ------
    ValueError
        Where its shape is not known.
    """
    out = op.outputs[0]
    sizes = out.get_shape()
    sizes.assert_is_fully_defined()
    return float(sizes.num_elements() * out.dtype.size)


# ------------------------------------------------------------------------- choice of examples


def resample_at_rate(
    inputs: Sequence[Any], rates: Any, scope: str | None = None, seed: int | None = None,
    back_prop: bool = False,
) -> list[Any]:  # fmt: skip
    """Rows of the inputs, each as often as chance says, on average by `rates`."""
    with name_scope(scope, "resample_at_rate"):
        r = convert_to_tensor(rates, name="rates")
        counts = math.cast(rejection.random_poisson(r, [], r.dtype, seed=seed), dtypes.int32)
        n = shapes.shape(counts)[0]
        total = reduce.reduce_sum(counts)
        ends = cumulative.cumsum(counts)
        places = spaced.range(total)[:, None]
        at = reduce.reduce_sum(math.cast(places >= ends[None, :], dtypes.int32), 1)
        del n, back_prop  # whole numbers have no gradient
        return [arrays.gather(convert_to_tensor(x), at) for x in inputs]


def weighted_resample(
    inputs: Sequence[Any], weights: Any, overall_rate: Any, scope: str | None = None,
    mean_decay: float = 0.999, seed: int | None = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """`resample_at_rate` by weights, whose moving mean has `overall_rate`; and the rates."""
    w = convert_to_tensor(weights)
    with name_scope(scope, "weighted_resample") as opscope:
        with variable_scope(scope, "estimate_mean", list(inputs)):
            estimated = get_local_variable("estimated_mean", [], w.dtype, Zeros(), trainable=False)
            mean = assign_moving_average(estimated, reduce.reduce_mean(w), mean_decay)
        rates = w * overall_rate / mean
        found = resample_at_rate([rates, *inputs], rates, opscope, seed)
        return found[1:], found[0]


def rejection_sample(
    tensors: Sequence[Any], accept_prob_fn: Callable[[Any], Any], batch_size: Any,
    queue_threads: int = 1, enqueue_many: bool = False, prebatch_capacity: int = 16,
    prebatch_threads: int = 1, runtime_checks: bool = False, name: str | None = None,
) -> list[Any]:  # fmt: skip
    """Batches of examples, each kept with the probability that a function gives it."""
    with variable_scope(name, "rejection_sample", list(tensors)):
        parts = [convert_to_tensor(t) for t in tensors]
        if enqueue_many:
            made = batch(
                parts, 1, num_threads=prebatch_threads, capacity=prebatch_capacity,
                enqueue_many=True,
            )  # fmt: skip
            made = made if isinstance(made, (list, tuple)) else [made]
            parts = [shapes.squeeze(x, [0]) for x in made]
        p: Any = accept_prob_fn(parts)
        if runtime_checks:
            from graphc.face import asserts

            checks = [asserts.assert_less_equal(0.0, p), asserts.assert_less_equal(p, 1.0)]
            with control_dependencies(checks):
                p = state.identity(p, name="prob_with_checks")
        kept = maybe_batch(
            parts, math.less(random.random_uniform([]), p), batch_size, num_threads=queue_threads
        )
        return list(kept) if isinstance(kept, (list, tuple)) else [kept]


def _seen(labels: Any, classes: int, smoothing: float = 10.0) -> Any:
    """The share of each class so far."""
    counts = get_local_variable("class_count", [classes], dtypes.int64, Zeros(), trainable=False)
    new = reduce.reduce_sum(math.cast(fills.one_hot(labels, classes), dtypes.int64), 0)
    updated: Any = state.assign_add(counts, new)
    smoothed = math.cast(updated, dtypes.float32) + smoothing
    return smoothed / reduce.reduce_sum(smoothed)


def stratified_sample(
    tensors: Sequence[Any], labels: Any, target_probs: Any, batch_size: Any,
    init_probs: Any = None, enqueue_many: bool = False, queue_capacity: int = 16,
    threads_per_queue: int = 1, name: str | None = None,
) -> tuple[list[Any], Any]:  # fmt: skip
    """Batches with shares of classes, by leaving out examples.

    Parameters
    ----------
    target_probs : list of float
        The shares.
    init_probs : list of float, optional
        The shares in the data; counted by default.
    """
    with name_scope(name, "stratified_sample"):
        parts = [convert_to_tensor(t) for t in tensors]
        y = math.cast(convert_to_tensor(labels), dtypes.int32)
        target = convert_to_tensor(target_probs, dtypes.float32)
        if not enqueue_many:
            parts, y = [shapes.expand_dims(t, 0) for t in parts], shapes.expand_dims(y, 0)
        if init_probs is None:
            first = _seen(y, int(target.shape[0]))  # type: ignore[attr-defined]
        else:
            first = convert_to_tensor(init_probs, dtypes.float32)
        ratio: Any = target / first
        ratio = math.select(math.is_nan(ratio), fills.zeros_like(ratio), ratio)
        accept = ratio / reduce.reduce_max(ratio)
        single = batch(
            [*parts, y], 1, num_threads=threads_per_queue, capacity=queue_capacity,
            enqueue_many=True,
        )  # fmt: skip
        *values, label = (shapes.squeeze(x, [0]) for x in single)
        keep = math.less(random.random_uniform([]), arrays.gather(accept, label))
        out = maybe_batch([*values, label], keep, batch_size, num_threads=threads_per_queue)
        return list(out[:-1]), out[-1]


# ------------------------------------------------------------------------- buckets


def bucket(
    tensors: Any, which_bucket: Any, batch_size: Any, num_buckets: int, num_threads: int = 1,
    capacity: int = 32, bucket_capacities: Any = None, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, keep_input: Any = True,
    shared_name: str | None = None, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """Batches of examples of one bucket each; the bucket and the tensors.

    Parameters
    ----------
    which_bucket : tensor
        The bucket of the example, from 0 on.
    batch_size : int or list of int
        Of all or of each bucket.
    bucket_capacities : list of int, optional
        How many examples wait in each bucket; `capacity` by default.
    dynamic_pad : bool
        Whether examples of a batch are padded to one shape.
    """
    from graphc.data.queues import FIFOQueue, PaddingFIFOQueue

    words = list(tensors) if isinstance(tensors, dict) else None
    parts = list(tensors.values()) if isinstance(tensors, dict) else (
        list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    )  # fmt: skip
    sizes = batch_size if isinstance(batch_size, (list, tuple)) else [batch_size] * num_buckets
    room = bucket_capacities or [capacity] * num_buckets
    if len(sizes) != num_buckets:
        raise ValueError(f"If batch_size is a list it must have num_buckets elements: {sizes}")
    if len(room) != num_buckets:
        raise ValueError(f"The list bucket_capacities must have exactly num_buckets "
                         f"({num_buckets}) elements: {room}")  # fmt: skip
    with name_scope(name, "bucket"):
        values: list[Any] = [convert_to_tensor(t) for t in parts]
        known = [v.shape for v in values] if shapes is None else list(shapes)
        kinds = [v.dtype for v in values]
        at = math.cast(convert_to_tensor(which_bucket), dtypes.int32)
        make: Any = PaddingFIFOQueue if dynamic_pad else FIFOQueue
        queues = [make(room[i], kinds, known, name=f"bucket_queue_{i}") for i in range(num_buckets)]
        same = len(set(sizes)) == 1 and not allow_smaller_final_batch
        lead = sizes[0] if same and isinstance(sizes[0], int) else None
        from graphc.face.shape import as_shape

        outer = [as_shape([lead]).concatenate(as_shape(s)) for s in known]
        top = PaddingFIFOQueue(
            capacity, [dtypes.int32, *kinds], [as_shape([]), *outer], name="top_queue"
        )
        keep = convert_to_tensor(keep_input)

        def into(i: int) -> Any:
            """One row for the bucket of the example, none for the others."""
            one = math.cast(math.logical_and(keep, math.equal(at, i)), dtypes.int32)
            rows = [shape_ops.expand_dims(v, 0)[:one] for v in values]
            return queues[i].enqueue_many(rows)

        enqueue = group(*[into(i) for i in range(num_buckets)], name="group_enqueues")
        moves = []
        for i, (q, n) in enumerate(zip(queues, sizes, strict=True)):
            take = q.dequeue_up_to if allow_smaller_final_batch else q.dequeue_many
            found = take(n, name=f"read_bucket_{i}")
            found = list(found) if isinstance(found, (list, tuple)) else [found]
            moves.append(
                top.enqueue([convert_to_tensor(i), *found], name=f"enqueue_from_bucket_{i}")
            )
        ended = (OutOfRangeError, CancelledError)
        add_queue_runner(
            QueueRunner(
                queues[0],
                moves,
                close_op=top.close(),
                cancel_op=top.close(cancel_pending_enqueues=True),
                queue_closed_exception_types=ended,
            )
        )
        add_queue_runner(
            QueueRunner(
                top,
                [enqueue] * num_threads,
                close_op=group(*[q.close() for q in queues]),
                cancel_op=group(*[q.close(cancel_pending_enqueues=True) for q in queues]),
                queue_closed_exception_types=ended,
            )
        )
        which, *out = top.dequeue(name="dequeue_top")
        if words is not None:
            return which, dict(zip(words, out, strict=True))
        return which, out if isinstance(tensors, (list, tuple)) else out[0]


def bucket_by_sequence_length(
    input_length: Any, tensors: Any, batch_size: Any, bucket_boundaries: Sequence[int],
    num_threads: int = 1, capacity: int = 32, bucket_capacities: Any = None, shapes: Any = None,
    dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, keep_input: Any = True,
    shared_name: str | None = None, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`bucket` by length: bucket i has the lengths from boundary i - 1 up to boundary i.

    Returns
    -------
    tuple
        The lengths of a batch and its tensors.
    """
    if not isinstance(bucket_boundaries, (list, tuple)) or not bucket_boundaries:
        raise ValueError(f"bucket_boundaries must be a list or tuple: {bucket_boundaries}")
    if any(a >= b for a, b in itertools.pairwise(bucket_boundaries)):
        raise ValueError(f"Buckets must be sorted in increasing order: {bucket_boundaries}")
    words = list(tensors) if isinstance(tensors, dict) else None
    parts = list(tensors.values()) if isinstance(tensors, dict) else (
        list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
    )  # fmt: skip
    with name_scope(name, "bucket_by_sequence_length"):
        length = math.cast(convert_to_tensor(input_length), dtypes.int32)
        past = math.cast(math.less_equal(list(bucket_boundaries), length), dtypes.int32)
        _, out = bucket(
            [length, *parts], reduce.reduce_sum(past), batch_size, len(bucket_boundaries) + 1,
            num_threads, capacity, bucket_capacities, None if shapes is None else [[], *shapes],
            dynamic_pad, allow_smaller_final_batch, keep_input, shared_name,
        )  # fmt: skip
        rest = list(out[1:])
        if words is not None:
            return out[0], dict(zip(words, rest, strict=True))
        return out[0], rest if isinstance(tensors, (list, tuple)) else rest[0]
