"""Input pipelines of queues: producers of file names and slices, and batches."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.data.queues import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from graphc.data.text import matching_files
from graphc.errors import FailedPreconditionError, InvalidArgumentError, OutOfRangeError
from graphc.face.current import control_dependencies, name_scope
from graphc.face.graph_keys import GraphKeys
from graphc.face.shape import TensorShape, as_shape
from graphc.face.variables import Variable
from graphc.ir import dtypes
from graphc.ir.build import build
from graphc.ir.node import Value
from graphc.ops import arrays, fills, math, random, spaced, state
from graphc.ops import shapes as shape_ops
from graphc.ops.convert import convert_to_tensor
from graphc.ops.counting import as_many, made
from graphc.ops.record import Attrs, Types, no_grad, op
from graphc.train.queue_runner import QueueRunner, add_queue_runner

__all__ = [
    "batch", "batch_join", "input_producer", "limit_epochs", "match_filenames_once", "maybe_batch",
    "maybe_batch_join", "maybe_shuffle_batch", "maybe_shuffle_batch_join", "range_input_producer",
    "shuffle_batch", "shuffle_batch_join", "slice_input_producer", "string_input_producer",
]  # fmt: skip


# ------------------------------------------------------------------------- producers


def match_filenames_once(pattern: Any, name: str | None = None) -> Variable:
    """A local variable with the names of the files that match `pattern`."""
    with name_scope(name, "matching_filenames", [pattern]) as scope:
        return Variable(
            matching_files(pattern), name=scope, trainable=False, validate_shape=False,
            collections=[GraphKeys.LOCAL_VARIABLES],
        )  # fmt: skip


def _counted(host: Any, count: Any, *, limit: int) -> Any:
    if int(count) >= limit:
        raise OutOfRangeError(None, None, f"Reached limit of {limit}")
    return count


def _same(inputs: Sequence[Value], attrs: Attrs) -> Types:
    return [(inputs[0].dtype, inputs[0].static_shape)]


below_limit_op = op(
    "below_limit", "CountUpTo", "host", doc="A count, unless it has reached a limit.",
    args=("count",), infer=_same, host=_counted, stateful=True, types="i", grad=no_grad,
)  # fmt: skip


@as_many(lambda tensor, num_epochs=None, *more, **named: None if num_epochs is None else 6)
def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Value:
    """`tensor` in `num_epochs` runs; after that OutOfRangeError.

    The count is a local variable: initialise the local variables.
    """
    if num_epochs is None:
        return convert_to_tensor(tensor)
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with name_scope(name, "limit_epochs", [tensor]) as scope:
        epochs = Variable(
            np.int64(0), name="epochs", trainable=False, collections=[GraphKeys.LOCAL_VARIABLES]
        )
        node = build(below_limit_op, (epochs.read_value(),), {"limit": int(num_epochs)})
        counted = state.assign(epochs, node.outputs[0] + 1)
        with control_dependencies([counted]):
            return state.identity(convert_to_tensor(tensor), name=scope)


def _count(host: Any, *, variable: str, limit: int, dtype: Any) -> Any:
    """A step of a count that threads may share: nothing comes between reading and writing."""
    with host.state.lock:
        cell = host.state.cells.get(variable)
        if cell is None or not cell.ready:
            text = f"Attempting to use uninitialized value {variable}"
            raise FailedPreconditionError(None, host.node, text)
        before = cell.array.copy()
        if int(before) >= limit:
            raise OutOfRangeError(None, host.node, f"Reached limit of {limit}")
        cell.array[...] = before + 1
        host.state.wrote()
    return before


count_op = op(
    "count_up_to", "CountUpTo", "host", doc="The value of a variable, and one more for the next.",
    args=(), infer=lambda inputs, attrs: [(attrs["dtype"], ())],
    host=_count, stateful=True, types="i", grad=no_grad, facts={"effect": True},
)  # fmt: skip


def count_up_to(ref: Any, limit: int, name: str | None = None) -> Value:
    """The value of a variable, which is one more afterwards; OutOfRangeError at `limit`.

    Unlike with other updates no run of another thread comes between.
    """
    target = state.reference(ref, "CountUpTo")
    attrs = {
        "variable": target.node.attrs["var"],
        "limit": int(limit),
        "dtype": target.dtype.base_dtype,
    }
    return build(count_op, (), attrs, name or "CountUpTo").outputs[0]


def _full_summary(name: str, value: Value) -> None:
    """A curve of how full a queue is, where summaries can be made."""
    try:
        summary = importlib.import_module("graphc").summary.scalar
    except (AttributeError, ImportError):
        return
    summary(name, value)


def _fullness(queue: QueueBase, name: str, scale: float) -> None:
    _full_summary(name, math.cast(queue.size(), dtypes.float32) * scale)


def input_producer(
    input_tensor: Any, element_shape: Any = None, num_epochs: int | None = None,
    shuffle: bool = True, seed: int | None = None, capacity: int = 32,
    shared_name: str | None = None, summary_name: str | None = None, name: str | None = None,
    cancel_op: Any = None,
) -> QueueBase:  # fmt: skip
    """A queue of the rows of a tensor, over and over, with a runner that fills it.

    Parameters
    ----------
    num_epochs : int, optional
        How often; for ever by default.
    shuffle : bool
        Whether each time in an order of its own.

    Raises
    ------
    ValueError
        When the shape of a row is not known.
    """
    with name_scope(name, "input_producer", [input_tensor]):
        t: Any = convert_to_tensor(input_tensor, name="input_tensor")
        rows: TensorShape = t.shape[1:] if t.shape.ndims is not None else as_shape(None)
        element = rows.merge_with(as_shape(element_shape))
        if not element.is_fully_defined():
            raise ValueError("Either `input_tensor` must have a fully defined shape or "
                             "`element_shape` must be specified")  # fmt: skip
        if shuffle:
            t = random.random_shuffle(t, seed=seed)
        t = limit_epochs(t, num_epochs)
        q = FIFOQueue(capacity, [t.dtype.base_dtype], [element], None, shared_name, _here())
        add_queue_runner(QueueRunner(q, [q.enqueue_many([t])], cancel_op=cancel_op))
        if summary_name is not None:
            _fullness(q, summary_name, 1.0 / capacity)
        return q


def _here() -> str:
    """The current name scope itself, as a name."""
    from graphc.face.graph import get_default_graph

    return get_default_graph().get_name_scope() + "/"


def string_input_producer(
    string_tensor: Any, num_epochs: int | None = None, shuffle: bool = True,
    seed: int | None = None, capacity: int = 32, shared_name: str | None = None,
    name: str | None = None, cancel_op: Any = None,
) -> QueueBase:  # fmt: skip
    """A queue of strings, such as file names: see `input_producer`.

    Raises
    ------
    ValueError
        When the list is empty; in a run InvalidArgumentError when the tensor is.
    """
    if not isinstance(string_tensor, Value | Variable) and not len(string_tensor):
        raise ValueError(_EMPTY)
    with name_scope(name, "input_producer", [string_tensor]) as scope:
        t: Any = convert_to_tensor(string_tensor, dtypes.string)
        made(6)  # that there is an element
        t = build(not_empty_op, (t,), {}).outputs[0]
        return input_producer(
            t, [], num_epochs, shuffle, seed, capacity, shared_name,
            f"fraction_of_{capacity}_full", scope, cancel_op,
        )  # fmt: skip


_EMPTY = "string_input_producer requires a non-null input tensor"


def _not_empty(x: Any) -> Any:
    if not np.size(x):
        raise InvalidArgumentError(None, None, f"assertion failed: [{_EMPTY}]")
    return x


not_empty_op = op(
    "not_empty", "Identity", "host", doc="A tensor that has elements.", args=("x",), infer=_same,
    numpy=_not_empty, types="fiubs", grad=no_grad,
)  # fmt: skip


def range_input_producer(
    limit: Any, num_epochs: int | None = None, shuffle: bool = True, seed: int | None = None,
    capacity: int = 32, shared_name: str | None = None, name: str | None = None,
) -> QueueBase:  # fmt: skip
    """A queue of the numbers below `limit`: see `input_producer`."""
    with name_scope(name, "input_producer", [limit]) as scope:
        numbers = spaced.range(limit)
        return input_producer(
            numbers, [], num_epochs, shuffle, seed, capacity, shared_name,
            f"fraction_of_{capacity}_full", scope,
        )  # fmt: skip


def slice_input_producer(
    tensor_list: Sequence[Any], num_epochs: int | None = None, shuffle: bool = True,
    seed: int | None = None, capacity: int = 32, shared_name: str | None = None,
    name: str | None = None,
) -> list[Value]:  # fmt: skip
    """One row of each of several tensors, over and over: a list of tensors."""
    with name_scope(name, "input_producer", list(tensor_list)):
        tensors: list[Any] = [convert_to_tensor(t) for t in tensor_list]
        if not tensors:
            raise ValueError("Expected at least one tensor in slice_input_producer().")
        rows = shape_ops.shape(tensors[0])[0]
        q = range_input_producer(rows, num_epochs, shuffle, seed, capacity, shared_name)
        i = q.dequeue()
        return [arrays.gather(t, i) for t in tensors]


# ------------------------------------------------------------------------- batches


class _Batcher:
    """What all the functions below have in common."""

    def __init__(
        self, tensors_list: Sequence[Any], shapes: Any, enqueue_many: bool, keep_input: Any
    ) -> None:
        if not tensors_list:
            raise ValueError("Expected at least one set of tensors")
        first = tensors_list[0]
        self.names = sorted(first) if isinstance(first, Mapping) else None
        self.single = not isinstance(first, (Mapping, list, tuple))
        self.lists: list[list[Any]] = [self._flat(t) for t in tensors_list]
        for other in self.lists[1:]:
            if len(other) != len(self.lists[0]):
                raise ValueError("All sets of tensors must have the same number of tensors.")
        self.types = [t.dtype.base_dtype for t in self.lists[0]]
        for other in self.lists[1:]:
            found = [t.dtype.base_dtype for t in other]
            if found != self.types:
                raise TypeError(f"Expected types {self.types}, got {found} in another set.")
        self.many = enqueue_many
        made(not isinstance(keep_input, Value))  # a constant
        self.keep = keep_input
        self.shapes = self._shapes(shapes)

    def _flat(self, tensors: Any) -> list[Any]:
        if self.names is not None:
            return [convert_to_tensor(tensors[k]) for k in self.names]
        if self.single:
            return [convert_to_tensor(tensors)]
        return [convert_to_tensor(t) for t in tensors]

    def _shapes(self, shapes: Any) -> list[TensorShape]:
        if shapes is not None:
            return [as_shape(s) for s in shapes]
        out = []
        for column in zip(*self.lists, strict=True):
            found = [self._element(t.shape) for t in column]
            shape = found[0]
            for s in found[1:]:
                shape = shape.most_specific_compatible_shape(s)
            out.append(shape)
        return out

    def _element(self, s: TensorShape) -> TensorShape:
        if not self.many or s.ndims is None:
            return s
        return s.with_rank_at_least(1)[1:]  # type: ignore[no-any-return]

    def fill(self, queue: QueueBase, threads: int) -> None:
        """Runners that put the tensors in."""
        put = queue.enqueue_many if self.many else queue.enqueue
        ops = []
        for tensors in self.lists:
            if self.keep is True:
                ops.append(put(tensors))
                continue
            kept = convert_to_tensor(self.keep, dtypes.bool_)
            # a row that is not kept is left out of what is put in: none, or some of many
            rows = tensors if self.many else [shape_ops.expand_dims(t, 0) for t in tensors]
            keep = kept if self.many and kept.static_shape != () else fills.fill(
                [shape_ops.shape(rows[0])[0]], kept
            )  # fmt: skip
            ops.append(queue.enqueue_many([arrays.boolean_mask(t, keep) for t in rows]))
        add_queue_runner(QueueRunner(queue, ops * threads))

    def taken(self, queue: QueueBase, n: Any, fewer: bool, scope: str) -> Any:
        """What comes out."""
        take = queue.dequeue_up_to if fewer else queue.dequeue_many
        got = take(n, name=scope)
        flat = got if isinstance(got, list) else [got]
        if self.names is not None:
            return dict(zip(self.names, flat, strict=True))
        return flat[0] if self.single or len(flat) == 1 else flat


def _make(
    tensors_list: Sequence[Any], keep_input: Any, batch_size: Any, threads: int, capacity: int,
    enqueue_many: bool, shapes: Any, dynamic_pad: bool, fewer: bool, shared_name: str | None,
    name: str | None, default: str,
) -> Any:  # fmt: skip
    with name_scope(name, default) as scope:
        b = _Batcher(tensors_list, shapes, enqueue_many, keep_input)
        kind = PaddingFIFOQueue if dynamic_pad else FIFOQueue
        q = kind(capacity, b.types, b.shapes, None, shared_name)
        b.fill(q, threads)
        _fullness(q, f"fraction_of_{capacity}_full", 1.0 / capacity)
        return b.taken(q, batch_size, fewer, scope)


def _make_shuffled(
    tensors_list: Sequence[Any], keep_input: Any, batch_size: Any, capacity: int, least: int,
    threads: int, seed: int | None, enqueue_many: bool, shapes: Any, fewer: bool,
    shared_name: str | None, name: str | None, default: str,
) -> Any:  # fmt: skip
    with name_scope(name, default) as scope:
        b = _Batcher(tensors_list, shapes, enqueue_many, keep_input)
        if capacity <= least:
            raise ValueError(f"capacity {capacity} must be bigger than min_after_dequeue {least}.")
        q = RandomShuffleQueue(capacity, least, b.types, b.shapes, None, seed, shared_name)
        b.fill(q, threads)
        full = math.cast(math.maximum(0, q.size() - least), dtypes.float32) * (
            1.0 / (capacity - least)
        )
        _full_summary(f"fraction_over_{least}_of_{capacity - least}_full", full)
        return b.taken(q, batch_size, fewer, scope)


def batch(
    tensors: Any, batch_size: Any, num_threads: int = 1, capacity: int = 32,
    enqueue_many: bool = False, shapes: Any = None, dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Batches of tensors that change from run to run, through a queue.

    Parameters
    ----------
    tensors : list or dict of tensors
    num_threads : int
        How many threads compute them.
    enqueue_many : bool
        Whether each row of them is an example.
    dynamic_pad : bool
        Whether examples of different sizes are padded.
    allow_smaller_final_batch : bool
        Whether the last batch may have fewer.
    """
    return _make(
        [tensors], True, batch_size, num_threads, capacity, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name, "batch",
    )  # fmt: skip


def maybe_batch(
    tensors: Any, keep_input: Any, batch_size: Any, num_threads: int = 1, capacity: int = 32,
    enqueue_many: bool = False, shapes: Any = None, dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`batch` of those examples for which the bool `keep_input` is true."""
    return _make(
        [tensors], keep_input, batch_size, num_threads, capacity, enqueue_many, shapes,
        dynamic_pad, allow_smaller_final_batch, shared_name, name, "maybe_batch",
    )  # fmt: skip


def batch_join(
    tensors_list: Sequence[Any], batch_size: Any, capacity: int = 32, enqueue_many: bool = False,
    shapes: Any = None, dynamic_pad: bool = False, allow_smaller_final_batch: bool = False,
    shared_name: str | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`batch` of several sets of tensors, a thread for each."""
    return _make(
        tensors_list, True, batch_size, 1, capacity, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name, "batch_join",
    )  # fmt: skip


def maybe_batch_join(
    tensors_list: Sequence[Any], keep_input: Any, batch_size: Any, capacity: int = 32,
    enqueue_many: bool = False, shapes: Any = None, dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`batch_join` of those examples for which the bool `keep_input` is true."""
    return _make(
        tensors_list, keep_input, batch_size, 1, capacity, enqueue_many, shapes, dynamic_pad,
        allow_smaller_final_batch, shared_name, name, "maybe_batch_join",
    )  # fmt: skip


def shuffle_batch(
    tensors: Any, batch_size: Any, capacity: int, min_after_dequeue: int, num_threads: int = 1,
    seed: int | None = None, enqueue_many: bool = False, shapes: Any = None,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Batches of examples in random order: see `batch` and `RandomShuffleQueue`."""
    return _make_shuffled(
        [tensors], True, batch_size, capacity, min_after_dequeue, num_threads, seed, enqueue_many,
        shapes, allow_smaller_final_batch, shared_name, name, "shuffle_batch",
    )  # fmt: skip


def maybe_shuffle_batch(
    tensors: Any, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any,
    num_threads: int = 1, seed: int | None = None, enqueue_many: bool = False, shapes: Any = None,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch` of those examples for which the bool `keep_input` is true."""
    return _make_shuffled(
        [tensors], keep_input, batch_size, capacity, min_after_dequeue, num_threads, seed,
        enqueue_many, shapes, allow_smaller_final_batch, shared_name, name, "maybe_shuffle_batch",
    )  # fmt: skip


def shuffle_batch_join(
    tensors_list: Sequence[Any], batch_size: Any, capacity: int, min_after_dequeue: int,
    seed: int | None = None, enqueue_many: bool = False, shapes: Any = None,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch` of several sets of tensors, a thread for each."""
    return _make_shuffled(
        tensors_list, True, batch_size, capacity, min_after_dequeue, 1, seed, enqueue_many, shapes,
        allow_smaller_final_batch, shared_name, name, "shuffle_batch_join",
    )  # fmt: skip


def maybe_shuffle_batch_join(
    tensors_list: Sequence[Any], batch_size: Any, capacity: int, min_after_dequeue: int,
    keep_input: Any, seed: int | None = None, enqueue_many: bool = False, shapes: Any = None,
    allow_smaller_final_batch: bool = False, shared_name: str | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """`shuffle_batch_join` of those examples for which the bool `keep_input` is true."""
    return _make_shuffled(
        tensors_list, keep_input, batch_size, capacity, min_after_dequeue, 1, seed, enqueue_many,
        shapes, allow_smaller_final_batch, shared_name, name, "maybe_shuffle_batch_join",
    )  # fmt: skip
