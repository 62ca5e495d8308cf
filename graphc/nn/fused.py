"""``tf.contrib.rnn``: nets that take whole sequences, and stacks of nets in both directions."""

from __future__ import annotations

from typing import Any

from graphc.face.scopes import variable_scope
from graphc.layers.base import Layer
from graphc.nn.cells import LSTMStateTuple
from graphc.nn.contrib_cells import LSTMBlockCell
from graphc.nn.looped import bidirectional_dynamic_rnn, dynamic_rnn
from graphc.nn.unrolled import static_bidirectional_rnn, static_rnn
from graphc.ops import arrays, fills, shapes

__all__ = [
    "FusedRNNCell", "FusedRNNCellAdaptor", "LSTMBlockFusedCell", "LSTMBlockWrapper",
    "TimeReversedFusedRNN", "stack_bidirectional_dynamic_rnn", "stack_bidirectional_rnn",
]  # fmt: skip


class LSTMBlockWrapper(Layer):
    """An LSTM net over ``[time, batch, size]``; a subclass says what a step is."""

    @property
    def num_units(self) -> Any:
        """The size of the state."""
        raise NotImplementedError

    def _call_cell(
        self, inputs: Any, initial_cell_state: Any, initial_output: Any, dtype: Any,
        sequence_length: Any,
    ) -> Any:  # fmt: skip
        """``(outputs, final state)``."""
        raise NotImplementedError

    def call(
        self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None
    ) -> Any:
        """Run it over all steps.

        Parameters
        ----------
        inputs : tensor or list of tensors
        initial_state : pair, optional
            Memory and output; zeros of `dtype` by default.
        dtype : DType, optional
        sequence_length : integer vector, optional

        Returns
        -------
        outputs
            Of the form of `inputs`.
        state : LSTMStateTuple
        """
        listed = isinstance(inputs, list)
        x: Any = arrays.stack(inputs) if listed else inputs
        static = x.get_shape().with_rank(3)
        if static[2].value is None:
            raise ValueError(f"Expecting inputs_shape[2] to be set: {static}")
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            rows = static[1].value or shapes.shape(x)[1]
            zeros = fills.zeros(arrays.stack([rows, self.num_units]), dtype)
            initial_state = zeros, zeros
        elif len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        memory, output = initial_state
        outputs, state = self._call_cell(x, memory, output, dtype, sequence_length)
        return arrays.unstack(outputs) if listed else outputs, state


class LSTMBlockFusedCell(LSTMBlockWrapper):
    """An LSTM net over ``[time, batch, size]``.

    Parameters
    ----------
    num_units : int
    forget_bias : float
    cell_clip : float, optional
    use_peephole : bool
    reuse : bool, optional
    dtype : DType, optional
    name : str
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None,
        use_peephole: bool = False, reuse: Any = None, dtype: Any = None,
        name: str = "lstm_fused_cell",
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._step = LSTMBlockCell(num_units, forget_bias, cell_clip, use_peephole)
        self._step.add_weight = self.add_weight  # type: ignore[method-assign]
        self._step.add_variable = self.add_weight  # type: ignore[method-assign]

    @property
    def num_units(self) -> Any:
        return self._step.output_size

    def build(self, input_shape: Any) -> None:
        """Make kernel, bias and peepholes."""
        self._step.build(input_shape)
        self.built = True

    def _call_cell(
        self, inputs: Any, initial_cell_state: Any, initial_output: Any, dtype: Any,
        sequence_length: Any,
    ) -> Any:  # fmt: skip
        before = LSTMStateTuple(initial_cell_state, initial_output)
        return dynamic_rnn(
            _Plain(self._step), inputs, sequence_length, before, dtype, time_major=True
        )


class _Plain:
    """A cell's step without a variable scope of its own."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell
        self.state_size = cell.state_size
        self.output_size = cell.output_size
        self.zero_state = cell.zero_state

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        return self._cell.call(inputs, state)


class FusedRNNCell:
    """A net that takes a whole sequence: ``(inputs, initial_state, dtype, sequence_length)``."""

    def __call__(
        self, inputs: Any, initial_state: Any = None, dtype: Any = None,
        sequence_length: Any = None, scope: Any = None,
    ) -> Any:  # fmt: skip
        """Run it over ``[time, batch, size]`` or a list of steps."""
        raise NotImplementedError


class FusedRNNCellAdaptor(FusedRNNCell):
    """A cell as a net over whole sequences.

    Parameters
    ----------
    cell : RNNCell
    use_dynamic_rnn : bool
        Whether it is a loop or unrolled.
    """

    def __init__(self, cell: Any, use_dynamic_rnn: bool = False) -> None:
        self._cell = cell
        self._use_dynamic_rnn = use_dynamic_rnn

    def __call__(
        self, inputs: Any, initial_state: Any = None, dtype: Any = None,
        sequence_length: Any = None, scope: Any = None,
    ) -> Any:  # fmt: skip
        """Run the cell over all steps."""
        listed = isinstance(inputs, list)
        options = {
            "sequence_length": sequence_length, "initial_state": initial_state, "dtype": dtype,
            "scope": scope,
        }  # fmt: skip
        if self._use_dynamic_rnn:
            x = arrays.stack(inputs) if listed else inputs
            outputs, state = dynamic_rnn(self._cell, x, time_major=True, **options)
            return arrays.unstack(outputs) if listed else outputs, state
        steps = inputs if listed else arrays.unstack(inputs)
        outputs, state = static_rnn(self._cell, steps, **options)
        return outputs if listed else arrays.stack(outputs), state


class TimeReversedFusedRNN(FusedRNNCell):
    """A net that reads backwards.

    Parameters
    ----------
    cell : FusedRNNCell
    """

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    @staticmethod
    def _turned(x: Any, lengths: Any) -> Any:
        listed = isinstance(x, list)
        whole: Any = arrays.stack(x) if listed else x
        if lengths is None:
            whole = arrays.reverse(whole, [0])
        else:
            whole = arrays.reverse_sequence(whole, lengths, seq_axis=0, batch_axis=1)
        return arrays.unstack(whole) if listed else whole

    def __call__(
        self, inputs: Any, initial_state: Any = None, dtype: Any = None,
        sequence_length: Any = None, scope: Any = None,
    ) -> Any:  # fmt: skip
        """Run the inner net from the end of each row."""
        outputs, state = self._cell(
            self._turned(inputs, sequence_length), initial_state, dtype, sequence_length, scope
        )
        return self._turned(outputs, sequence_length), state


# --------------------------------------------------------------------- stacks


def _check_stack(cells_fw: Any, cells_bw: Any, states_fw: Any, states_bw: Any) -> None:
    for what, cells in (("fw", cells_fw), ("bw", cells_bw)):
        if not isinstance(cells, list):
            raise ValueError(f"cells_{what} must be a list of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError("Forward and Backward cells must have the same depth.")
    for what, states, cells in (("fw", states_fw, cells_fw), ("bw", states_bw, cells_bw)):
        if states is not None and (not isinstance(states, list) or len(states) != len(cells)):
            raise ValueError(
                f"initial_states_{what} must be a list of state tensors (one per layer)."
            )


def stack_bidirectional_rnn(
    cells_fw: Any, cells_bw: Any, inputs: Any, initial_states_fw: Any = None,
    initial_states_bw: Any = None, dtype: Any = None, sequence_length: Any = None,
    scope: Any = None,
) -> Any:  # fmt: skip
    """Layers of `static_bidirectional_rnn`, each over the outputs of the one before.

    Returns
    -------
    outputs : list of tensors
    output_states_fw, output_states_bw : tuple
        For each layer.
    """
    _check_stack(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw = [], []
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with variable_scope(f"cell_{i}") as opened:
                inputs, state_fw, state_bw = static_bidirectional_rnn(
                    fw, bw, inputs, initial_states_fw and initial_states_fw[i],
                    initial_states_bw and initial_states_bw[i], dtype, sequence_length, opened,
                )  # fmt: skip
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return inputs, tuple(states_fw), tuple(states_bw)


def stack_bidirectional_dynamic_rnn(
    cells_fw: Any, cells_bw: Any, inputs: Any, initial_states_fw: Any = None,
    initial_states_bw: Any = None, dtype: Any = None, sequence_length: Any = None,
    parallel_iterations: int | None = None, time_major: bool = False, scope: Any = None,
    swap_memory: bool = False,
) -> Any:  # fmt: skip
    """Layers of `bidirectional_dynamic_rnn`, each over the joined outputs of the one before.

    Returns
    -------
    outputs : tensor
    output_states_fw, output_states_bw : tuple
        For each layer.
    """
    _check_stack(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw = [], []
    with variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with variable_scope(f"cell_{i}"):
                outputs, (state_fw, state_bw) = bidirectional_dynamic_rnn(
                    fw, bw, inputs, sequence_length, initial_states_fw and initial_states_fw[i],
                    initial_states_bw and initial_states_bw[i], dtype, parallel_iterations,
                    swap_memory, time_major,
                )  # fmt: skip
                inputs = arrays.concat(outputs, 2)
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return inputs, tuple(states_fw), tuple(states_bw)
