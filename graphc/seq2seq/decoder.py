"""Decoders and the loop that runs them."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.face import nest
from graphc.face.current import name_scope
from graphc.face.flow import while_loop
from graphc.face.scopes import variable_scope
from graphc.face.shape import TensorShape
from graphc.face.tensor_array import TensorArray
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.layers.base import Layer
from graphc.nn.cells import check_cell, is_array_of_tensors, zero_part
from graphc.nn.recurrent import keep_where, transpose_batch_time
from graphc.ops import convert, fills, math, reduce, shapes
from graphc.ops.counting import made
from graphc.seq2seq.helpers import Helper, is_plain_training

__all__ = ["BasicDecoder", "BasicDecoderOutput", "Decoder", "dynamic_decode"]


class Decoder:
    """What `dynamic_decode` runs step by step."""

    @property
    def batch_size(self) -> Any:
        """The number of rows."""
        raise NotImplementedError

    @property
    def output_size(self) -> Any:
        """Sizes of the output of a step."""
        raise NotImplementedError

    @property
    def output_dtype(self) -> Any:
        """Element types of the output of a step."""
        raise NotImplementedError

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs, first state)``."""
        raise NotImplementedError

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        """``(outputs, next state, next inputs, finished)``."""
        raise NotImplementedError

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        """``(outputs, state)`` from those of all steps."""
        raise NotImplementedError

    @property
    def tracks_own_finished(self) -> bool:
        """Whether `step` says which rows are done, and not only which are done now."""
        return False


class BasicDecoderOutput(NamedTuple):
    """The output of a step of `BasicDecoder`."""

    rnn_output: Any
    sample_id: Any


def output_sizes(cell: Any, layer: Any) -> Any:
    """Sizes of a cell's output after an output layer."""
    size = cell.output_size
    if layer is None:
        return size
    wide = nest.map_structure(lambda s: TensorShape([None]).concatenate(_shape(s)), size)
    made = layer.compute_output_shape(wide)
    return nest.map_structure(lambda s: s[1:], made)


def _shape(size: Any) -> TensorShape:
    return size if isinstance(size, TensorShape) else TensorShape([size])


class BasicDecoder(Decoder):
    """A cell whose inputs come from a helper.

    Parameters
    ----------
    cell : RNNCell
    helper : Helper
    initial_state
        Of the cell.
    output_layer : Layer, optional
        Applied to the cell's outputs before they are sampled.

    Raises
    ------
    TypeError
        When one of them is of another kind.
    """

    def __init__(
        self, cell: Any, helper: Any, initial_state: Any, output_layer: Any = None
    ) -> None:
        check_cell("cell", cell)
        if not isinstance(helper, Helper):
            raise TypeError(f"helper must be a Helper, received: {type(helper)}")
        if output_layer is not None and not isinstance(output_layer, Layer):
            raise TypeError(f"output_layer must be a Layer, received: {type(output_layer)}")
        self._cell = cell
        self._helper: Any = helper
        self._initial_state = initial_state
        self._output_layer = output_layer

    @property
    def batch_size(self) -> Any:
        return self._helper.batch_size

    @property
    def output_size(self) -> Any:
        return BasicDecoderOutput(
            output_sizes(self._cell, self._output_layer), self._helper.sample_ids_shape
        )

    @property
    def output_dtype(self) -> Any:
        dtype = nest.flatten(self._initial_state)[0].dtype
        return BasicDecoderOutput(
            nest.map_structure(lambda _: dtype, output_sizes(self._cell, self._output_layer)),
            self._helper.sample_ids_dtype,
        )

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs, first state)``."""
        return (*self._helper.initialize(), self._initial_state)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        """``(outputs, next state, next inputs, finished)``."""
        with name_scope(name, "BasicDecoderStep", [time]):
            outputs, cell_state = self._cell(inputs, state)
            if self._output_layer is not None:
                outputs = self._output_layer(outputs)
            ids = self._helper.sample(time=time, outputs=outputs, state=cell_state)
            finished, following, state = self._helper.next_inputs(
                time=time, outputs=outputs, state=cell_state, sample_ids=ids
            )
        return BasicDecoderOutput(outputs, ids), state, following, finished


def dynamic_decode(
    decoder: Any, output_time_major: bool = False, impute_finished: bool = False,
    maximum_iterations: Any = None, parallel_iterations: int = 32, swap_memory: bool = False,
    scope: Any = None, **kwargs: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Run a decoder until all rows are done.

    Parameters
    ----------
    decoder : Decoder
    output_time_major : bool
        Whether time is the first axis of the outputs.
    impute_finished : bool
        Whether rows that are done give zeros and keep their state.
    maximum_iterations : int32 scalar, optional
        The largest number of steps.
    parallel_iterations, swap_memory
        Accepted: they change nothing on a CPU.
    scope : str or VariableScope, optional
        ``"decoder"`` by default.

    Returns
    -------
    final_outputs
    final_state
    final_sequence_lengths : int32 vector

    Raises
    ------
    TypeError
        When `decoder` is none.
    ValueError
        When `maximum_iterations` is no scalar.
    """
    if not isinstance(decoder, Decoder):
        raise TypeError(f"Expected decoder to be type Decoder, but saw: {type(decoder)}")
    if kwargs:
        raise TypeError(f"dynamic_decode() got unexpected arguments: {', '.join(kwargs)}")
    with variable_scope(scope, "decoder"):
        limit: Any = maximum_iterations
        if limit is not None:
            limit = convert.convert_to_tensor(limit, dtypes.int32, name="maximum_iterations")
            if limit.rank != 0:
                raise ValueError("maximum_iterations must be a scalar")
        outputs, state, lengths = _run(
            decoder, impute_finished, limit, parallel_iterations, swap_memory
        )
        try:
            outputs, state = decoder.finalize(outputs, state, lengths)
        except NotImplementedError:
            pass
        if not output_time_major:
            outputs = nest.map_structure(transpose_batch_time, outputs)
    return outputs, state, lengths


def _most_steps(decoder: Any, limit: Any) -> tuple[Any, bool]:
    """A bound for the number of steps, or None; and whether it is that number."""
    helper = getattr(decoder, "_helper", None)
    if type(decoder) is not BasicDecoder or not is_plain_training(helper):
        return limit, False
    with current().counts_as(0):  # TF1 grows its arrays
        steps = decoder._helper.steps()
        return steps if limit is None else math.minimum(steps, limit), True


def _run(
    decoder: Any, impute: bool, limit: Any, parallel_iterations: int, swap_memory: bool
) -> tuple[Any, Any, Any]:
    finished, inputs, first = decoder.initialize()
    rows = decoder.batch_size
    sizes, kinds = decoder.output_size, decoder.output_dtype
    zeros = nest.map_structure(lambda s, d: zero_part(rows, s, d), sizes, kinds)
    if limit is not None:
        finished = math.logical_or(finished, 0 >= limit)
    lengths = fills.zeros_like(finished, dtype=dtypes.int32)
    most, exact = _most_steps(decoder, limit)
    static = known(rows) if isinstance(rows, Value) else rows
    batch = TensorShape([static if type(static) is int else None])

    def array(size: Any, dtype: Any) -> TensorArray:
        made(most is not None)  # the size, a constant in TF1
        return TensorArray(
            dtype=dtype, size=0 if most is None else most, dynamic_size=most is None,
            element_shape=batch.concatenate(_shape(size)),
        )  # fmt: skip

    def body(time: Any, written: Any, at: Any, x: Any, done: Any, count: Any) -> Any:
        out, new, following, now = decoder.step(time, x, at)
        ended = now if decoder.tracks_own_finished else math.logical_or(now, done)
        count = math.where(math.logical_not(done), fills.fill(shapes.shape(count), time + 1), count)
        nest.assert_same_structure(at, new)
        nest.assert_same_structure(written, out)
        nest.assert_same_structure(x, following)
        if impute:
            out = nest.map_structure(keep_where(done), zeros, out)
            new = nest.map_structure(_kept(done), at, new)
        written = nest.map_structure(lambda a, y: a.write(time, y), written, out)
        return time + 1, written, new, following, ended, count

    def go_on(time: Any, written: Any, at: Any, x: Any, done: Any, count: Any) -> Any:
        left = math.logical_not(reduce.reduce_all(done))
        if limit is not None or not exact:
            return left
        with current().counts_as(0):
            return math.logical_and(time < most, left)

    time, written, state, _, _, lengths = while_loop(
        go_on,
        body,
        loop_vars=(
            convert.constant(0, dtypes.int32), nest.map_structure(array, sizes, kinds), first,
            inputs, finished, lengths,
        ),
        parallel_iterations=parallel_iterations,
        maximum_iterations=None if limit is None else most,
        swap_memory=swap_memory,
    )  # fmt: skip
    outputs = nest.map_structure(lambda a: a.stack(), written)
    if most is not None and not exact:  # rows past the last step were never written
        with current().counts_as(0):
            outputs = nest.map_structure(lambda y: _first(y, time), outputs)
    return outputs, state, lengths


def _first(y: Any, count: Any) -> Any:
    out = y[:count]
    out.set_shape(TensorShape([None]).concatenate(y.get_shape()[1:]))
    return out


def _kept(done: Any) -> Any:
    keep = keep_where(done)

    def f(old: Any, new: Any) -> Any:
        if not is_array_of_tensors(old):
            new.set_shape(old.get_shape())
        return keep(old, new)

    return f
