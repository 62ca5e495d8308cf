"""Helpers: what a decoder reads at each step, and when it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.face.current import name_scope
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.node import Value
from graphc.nn.recurrent import transpose_batch_time
from graphc.ops import arrays, convert, fills, lookup, math, random, reduce, shapes
from graphc.ops.counting import in_loop, made

__all__ = [
    "CustomHelper", "GreedyEmbeddingHelper", "Helper", "InferenceHelper", "SampleEmbeddingHelper",
    "ScheduledEmbeddingTrainingHelper", "ScheduledOutputTrainingHelper", "TrainingHelper",
]  # fmt: skip


class Helper:
    """What `BasicDecoder` asks for inputs and samples."""

    @property
    def batch_size(self) -> Any:
        """The number of rows."""
        raise NotImplementedError("batch_size has not been implemented")

    @property
    def sample_ids_shape(self) -> Any:
        """The shape of a sample of one row."""
        raise NotImplementedError("sample_ids_shape has not been implemented")

    @property
    def sample_ids_dtype(self) -> Any:
        """The element type of samples."""
        raise NotImplementedError("sample_ids_dtype has not been implemented")

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs)``."""
        raise NotImplementedError

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Samples of the outputs of a step."""
        raise NotImplementedError

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        raise NotImplementedError


class _Sampling(Helper):
    """A helper that is told what its samples are."""

    def __init__(self, shape: Any, dtype: Any) -> None:
        self._shape = TensorShape(shape)
        self._dtype = dtype

    @property
    def sample_ids_shape(self) -> Any:
        return self._shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._dtype


class CustomHelper(_Sampling):
    """A helper of three functions.

    Parameters
    ----------
    initialize_fn : callable
        ``() -> (finished, next_inputs)``.
    sample_fn : callable
        ``(time, outputs, state) -> sample_ids``.
    next_inputs_fn : callable
        ``(time, outputs, state, sample_ids) -> (finished, next_inputs, next_state)``.
    sample_ids_shape : optional
        Of a sample; a scalar by default.
    sample_ids_dtype : DType, optional
        int32 by default.
    """

    def __init__(
        self, initialize_fn: Callable[..., Any], sample_fn: Callable[..., Any],
        next_inputs_fn: Callable[..., Any], sample_ids_shape: Any = None,
        sample_ids_dtype: Any = None,
    ) -> None:  # fmt: skip
        self._initialize_fn = initialize_fn
        self._sample_fn = sample_fn
        self._next_inputs_fn = next_inputs_fn
        self._batch_size: Any = None
        super().__init__(sample_ids_shape or [], sample_ids_dtype or dtypes.int32)

    @property
    def batch_size(self) -> Any:
        if self._batch_size is None:
            raise ValueError("batch_size accessed before initialize was called")
        return self._batch_size

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs)``."""
        with name_scope(name, f"{type(self).__name__}Initialize"):
            finished, following = self._initialize_fn()
            if self._batch_size is None:
                self._batch_size = shapes.size(finished)
        return finished, following

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Samples of the outputs of a step."""
        with name_scope(name, f"{type(self).__name__}Sample", [time, outputs]):
            return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        with name_scope(name, f"{type(self).__name__}NextInputs", [time, outputs]):
            return self._next_inputs_fn(
                time=time, outputs=outputs, state=state, sample_ids=sample_ids
            )


class _ScalarSamples(Helper):
    _batch_size: Any

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return TensorShape([])

    @property
    def sample_ids_dtype(self) -> Any:
        return dtypes.int32


class TrainingHelper(_ScalarSamples):
    """Reads given inputs; samples are the likeliest symbols.

    Parameters
    ----------
    inputs : tensor
        ``[batch, time, …]``, or ``[time, batch, …]`` with `time_major`.
    sequence_length : integer vector
        For each row the number of its steps.
    time_major : bool
    name : str, optional

    Raises
    ------
    ValueError
        When `sequence_length` is no vector.
    """

    def __init__(
        self, inputs: Any, sequence_length: Any, time_major: bool = False, name: str | None = None
    ) -> None:
        with name_scope(name, "TrainingHelper", [inputs, sequence_length]):
            self._inputs = convert.convert_to_tensor(inputs, name="inputs")
            self._steps: Any = self._inputs if time_major else transpose_batch_time(self._inputs)
            lengths: Any = convert.convert_to_tensor(sequence_length, name="sequence_length")
            if lengths.rank != 1:
                raise ValueError(
                    "Expected sequence_length to be a vector, but received shape: "
                    f"{lengths.get_shape()}"
                )
            self._sequence_length = lengths
            made(15)  # an array of the steps
            self._zero_inputs: Any = fills.zeros_like(self._steps[0, :])
            self._batch_size = shapes.size(lengths)

    @property
    def inputs(self) -> Any:
        return self._inputs

    @property
    def sequence_length(self) -> Any:
        return self._sequence_length

    def steps(self) -> Any:
        """How many steps a decoder takes: until the longest row is over."""
        return math.cast(reduce.reduce_max(self._sequence_length), dtypes.int32)

    def _read(self, time: Any, over: Any) -> Any:
        """The inputs at `time`, or zeros when all rows are over; a cond in TF1."""
        with current().counts_as(13 if in_loop() else 10):
            last = math.maximum(shapes.shape(self._steps)[0] - 1, 0)
            x: Any = arrays.gather(self._steps, math.minimum(time, last))
            x = math.where(over, self._zero_inputs, x)
        x.set_shape(self._steps.get_shape()[1:])
        return x

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs)``."""
        with name_scope(name, "TrainingHelperInitialize"):
            finished = math.equal(0, self._sequence_length)
            return finished, self._read(0, reduce.reduce_all(finished))

    def sample(  # type: ignore[override]
        self, time: Any, outputs: Any, name: str | None = None, **unused: Any
    ) -> Any:
        """The likeliest symbols."""
        with name_scope(name, "TrainingHelperSample", [time, outputs]):
            return math.cast(reduce.argmax(outputs, axis=-1), dtypes.int32)

    def next_inputs(  # type: ignore[override]
        self, time: Any, outputs: Any, state: Any, name: str | None = None, **unused: Any
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        with name_scope(name, "TrainingHelperNextInputs", [time, outputs]):
            following = time + 1
            finished = math.greater_equal(following, self._sequence_length)
            return finished, self._read(following, reduce.reduce_all(finished)), state


def _embedding_fn(embedding: Any) -> Callable[[Any], Any]:
    return embedding if callable(embedding) else lambda ids: lookup.embedding_lookup(embedding, ids)


def _bernoulli(probability: Any, rows: Any, seed: Any, dtype: Any) -> Any:
    graph: Any = current()
    graph.real(rows, "Enter")
    with graph.counts_as(17):
        shape = arrays.concat([[rows], shapes.shape(probability)], 0)
    drawn = random.random_uniform(shape, seed=seed, dtype=probability.dtype)
    out = math.cast(math.less(drawn, probability), dtype)
    made(8)  # the shape of the result
    return out


def _categorical(logits: Any, seed: Any) -> Any:
    made(24)  # numbers of rows and samples
    with current().counts_as(1):
        drawn = random.multinomial(logits, 1, seed=seed, output_dtype=dtypes.int32)
    with current().counts_as(14):
        return shapes.reshape(drawn, [-1])


def _probability(p: Any) -> Any:
    p = convert.convert_to_tensor(p, name="sampling_probability")
    if p.rank not in (0, 1):
        raise ValueError(
            f"sampling_probability must be either a scalar or a vector. saw shape: {p.get_shape()}"
        )
    return p


class ScheduledEmbeddingTrainingHelper(TrainingHelper):
    """Reads given inputs, or with some probability its own samples, embedded.

    Parameters
    ----------
    inputs, sequence_length, time_major, name
        As for `TrainingHelper`.
    embedding : callable or tensor
        What makes inputs of symbols.
    sampling_probability : scalar
    seed, scheduling_seed : int, optional
        Of the samples, and of the choice between input and sample.
    """

    def __init__(
        self, inputs: Any, sequence_length: Any, embedding: Any, sampling_probability: Any,
        time_major: bool = False, seed: Any = None, scheduling_seed: Any = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        with name_scope(name, "ScheduledEmbeddingSamplingWrapper", [sampling_probability]):
            self._embedding_fn = _embedding_fn(embedding)
            self._sampling_probability = _probability(sampling_probability)
            self._seed = seed
            self._scheduling_seed = scheduling_seed
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(  # type: ignore[override]
        self, time: Any, outputs: Any, state: Any, name: str | None = None
    ) -> Any:
        """Drawn symbols, and -1 where the given input is read."""
        with name_scope(name, "ScheduledEmbeddingTrainingHelperSample", [time, outputs]):
            chosen = _bernoulli(
                self._sampling_probability, self._batch_size, self._scheduling_seed, dtypes.bool_
            )
            drawn = _categorical(outputs, self._seed)
            with current().counts_as(4):
                return math.where(chosen, drawn, fills.fill([self._batch_size], -1))

    def next_inputs(  # type: ignore[override]
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        with name_scope(name, "ScheduledEmbeddingTrainingHelperNextInputs", [time, outputs]):
            finished, base, state = super().next_inputs(time, outputs, state)
            with current().counts_as(19):  # a cond in TF1, which gathers what was sampled
                going = math.logical_not(reduce.reduce_all(finished))
                taken = math.logical_and(sample_ids > -1, going)
                symbols = math.maximum(sample_ids, 0)
            sampled = self._embedding_fn(symbols)
            with current().counts_as(6):
                return finished, math.where(taken, sampled, base), state


class ScheduledOutputTrainingHelper(TrainingHelper):
    """Reads given inputs, or with some probability its own outputs.

    Parameters
    ----------
    inputs, sequence_length, time_major, name
        As for `TrainingHelper`.
    sampling_probability : scalar
    seed : int, optional
    next_inputs_fn : callable, optional
        What makes inputs of outputs.
    auxiliary_inputs : tensor, optional
        Put beside inputs and outputs.
    """

    def __init__(
        self, inputs: Any, sequence_length: Any, sampling_probability: Any,
        time_major: bool = False, seed: Any = None, next_inputs_fn: Any = None,
        auxiliary_inputs: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        with name_scope(name, "ScheduledOutputTrainingHelper", [sampling_probability]):
            self._sampling_probability = _probability(sampling_probability)
            self._auxiliary: Any = None
            if auxiliary_inputs is not None:
                beside = convert.convert_to_tensor(auxiliary_inputs, name="auxiliary_inputs")
                inputs = arrays.concat(
                    [convert.convert_to_tensor(inputs, name="inputs"), beside], -1
                )
                self._auxiliary = beside if time_major else transpose_batch_time(beside)
            self._seed = seed
            self._next_inputs_fn = next_inputs_fn
            super().__init__(inputs, sequence_length, time_major, name)

    def sample(  # type: ignore[override]
        self, time: Any, outputs: Any, state: Any = None, name: str | None = None
    ) -> Any:
        """One where the output is read, else zero."""
        with name_scope(name, "ScheduledOutputTrainingHelperSample", [time, outputs]):
            return _bernoulli(
                self._sampling_probability, self._batch_size, self._seed, dtypes.int32
            )

    def next_inputs(  # type: ignore[override]
        self, time: Any, outputs: Any, state: Any, sample_ids: Any = None, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        with name_scope(name, "ScheduledOutputTrainingHelperNextInputs", [time, outputs]):
            finished, base, state = super().next_inputs(time, outputs, state)
            taken = math.cast(sample_ids, dtypes.bool_)
            with current().counts_as(11):  # whether none is to be taken; a cond of it
                taken = math.logical_and(taken, math.logical_not(reduce.reduce_all(finished)))
            out = outputs if self._next_inputs_fn is None else self._next_inputs_fn(outputs)
            if self._auxiliary is not None:
                last = math.maximum(shapes.shape(self._auxiliary)[0] - 1, 0)
                beside = arrays.gather(self._auxiliary, math.minimum(time + 1, last))
                out = arrays.concat([out, beside], -1)
            with current().counts_as(5):
                return finished, math.where(taken, out, base), state


class GreedyEmbeddingHelper(_ScalarSamples):
    """Reads the likeliest symbol of its last output, embedded.

    Parameters
    ----------
    embedding : callable or tensor
        What makes inputs of symbols.
    start_tokens : int32 vector
    end_token : int32 scalar

    Raises
    ------
    ValueError
        When these have other ranks.
    """

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any) -> None:
        self._embedding_fn = _embedding_fn(embedding)
        self._start_tokens: Any = convert.convert_to_tensor(
            start_tokens, dtypes.int32, name="start_tokens"
        )
        self._end_token: Any = convert.convert_to_tensor(end_token, dtypes.int32, name="end_token")
        if self._start_tokens.rank != 1:
            raise ValueError("start_tokens must be a vector")
        if self._end_token.rank != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size = shapes.size(self._start_tokens)
        self._start_inputs = self._embedding_fn(self._start_tokens)

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs)``."""
        return arrays.tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """The likeliest symbols."""
        return reduce.argmax(_single(outputs), axis=-1, output_type=dtypes.int32)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        finished = math.equal(sample_ids, self._end_token)
        made(2 + 4 + 1 + in_loop())  # whether all are; a cond of it, which reads the start's inputs
        following = self._embedding_fn(sample_ids)
        made(2 + 1)  # what a lookup reads, brought into its branch; the result of the cond
        return finished, following, state


def _single(outputs: Any) -> Any:
    if not isinstance(outputs, Value):
        raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")
    return outputs


class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """Reads a symbol drawn from its last output, embedded.

    Parameters
    ----------
    embedding, start_tokens, end_token
        As for `GreedyEmbeddingHelper`.
    softmax_temperature : float, optional
        What logits are divided by.
    seed : int, optional
    """

    def __init__(
        self, embedding: Any, start_tokens: Any, end_token: Any, softmax_temperature: Any = None,
        seed: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(embedding, start_tokens, end_token)
        self._softmax_temperature = softmax_temperature
        self._seed = seed

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Drawn symbols."""
        logits = _single(outputs)
        if self._softmax_temperature is not None:
            logits = logits / self._softmax_temperature
        return _categorical(logits, self._seed)


class InferenceHelper(_Sampling):
    """Reads what a function makes of its last output.

    Parameters
    ----------
    sample_fn : callable
        ``outputs -> sample_ids``.
    sample_shape, sample_dtype
        Of the sample of a row.
    start_inputs : tensor
    end_fn : callable
        ``sample_ids -> finished``.
    next_inputs_fn : callable, optional
        ``sample_ids -> inputs``.
    """

    def __init__(
        self, sample_fn: Callable[..., Any], sample_shape: Any, sample_dtype: Any,
        start_inputs: Any, end_fn: Callable[..., Any], next_inputs_fn: Any = None,
    ) -> None:  # fmt: skip
        self._sample_fn = sample_fn
        self._end_fn = end_fn
        super().__init__(sample_shape, sample_dtype)
        self._next_inputs_fn = next_inputs_fn
        self._start_inputs = convert.convert_to_tensor(start_inputs, name="start_inputs")
        self._batch_size: Any = shapes.shape(self._start_inputs)[0]

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    def initialize(self, name: str | None = None) -> Any:
        """``(finished, first inputs)``."""
        return arrays.tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        """Samples of the outputs of a step."""
        return self._sample_fn(outputs)

    def next_inputs(
        self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None
    ) -> Any:
        """``(finished, next inputs, next state)``."""
        following = sample_ids if self._next_inputs_fn is None else self._next_inputs_fn(sample_ids)
        return self._end_fn(sample_ids), following, state


def is_plain_training(helper: Any) -> bool:
    """Whether the number of steps of a helper is that of the longest row."""
    plain = (TrainingHelper, ScheduledEmbeddingTrainingHelper, ScheduledOutputTrainingHelper)
    return type(helper) in plain
