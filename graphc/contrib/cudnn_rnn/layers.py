"""Layers with the names of cuDNN's: several recurrent layers, in one direction or two.

All weights are in one vector, ``opaque_kernel``: first the matrices of every layer and direction,
those of the inputs before those of the states, then the biases in the same order. In checkpoints
are the matrices of the cells that compute the same (`cells.py`), as TensorFlow writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.face.current import add_to_collection, name_scope
from graphc.face.graph_keys import GraphKeys
from graphc.face.initializers import GlorotUniform, Zeros
from graphc.face.scopes import get_variable_scope
from graphc.ir import dtypes
from graphc.layers.base import Layer
from graphc.nn.cells import LSTMStateTuple, RNNCell
from graphc.nn.looped import dynamic_rnn
from graphc.ops import fills, joining, math, shapes, state, tiling
from graphc.ops.convert import convert_to_tensor
from graphc.ops.linalg import matmul
from graphc.ops.nn import dropout, relu
from graphc.ops.transposing import transpose
from graphc.train.saveables import SaveableObject, SaveSpec

__all__ = ["CudnnGRU", "CudnnLSTM", "CudnnRNNRelu", "CudnnRNNTanh"]

_MODES = ("linear_input", "skip_input", "auto_select")
_DIRECTIONS = ("unidirectional", "bidirectional")


class _Step(RNNCell):
    """One step of a layer whose inputs are multiplied already."""

    def __init__(self, mode: str, units: int, kernel: Any, bias: Any) -> None:
        super().__init__(name=f"cudnn_{mode}_step")
        self._mode, self._units, self._kernel, self._of_state = mode, units, kernel, bias

    @property
    def state_size(self) -> Any:
        n = self._units
        return LSTMStateTuple(n, n) if self._mode == "lstm" else n

    @property
    def output_size(self) -> Any:
        return self._units

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if self._mode == "lstm":
            c, h = state
            gates = inputs + matmul(h, self._kernel, transpose_b=True) + self._of_state
            i, f, new, o = joining.split(gates, 4, 1)
            c = math.sigmoid(f) * c + math.sigmoid(i) * math.tanh(new)
            h = math.sigmoid(o) * math.tanh(c)
            return h, LSTMStateTuple(c, h)
        more = matmul(state, self._kernel, transpose_b=True) + self._of_state
        if self._mode == "gru":
            (r, u, x), (rh, uh, xh) = (joining.split(t, 3, 1) for t in (inputs, more))
            u = math.sigmoid(u + uh)
            h = (1 - u) * math.tanh(x + math.sigmoid(r + rh) * xh) + u * state
            return h, h
        h = (math.tanh if self._mode == "rnn_tanh" else relu)(inputs + more)
        return h, h


class _CudnnRNN(Layer):
    """Recurrent layers on inputs ``[time, batch, depth]``.

    Parameters
    ----------
    num_layers, num_units : int
    input_mode : {"linear_input", "skip_input", "auto_select"}
        Whether the first layer multiplies its inputs.
    direction : {"unidirectional", "bidirectional"}
    dropout : float
        The share of each layer's results that the next one does not see in training.
    seed : int, optional
        Of the dropout.
    dtype : DType
    kernel_initializer, bias_initializer : optional
        Of each matrix and each bias; Glorot's uniform one and zeros by default.
    name : str, optional
    """

    _rnn_mode = ""
    _gates = 1

    def __init__(
        self, num_layers: int, num_units: int, input_mode: str = "linear_input",
        direction: str = "unidirectional", dropout: float = 0.0, seed: int | None = None,
        dtype: Any = dtypes.float32, kernel_initializer: Any = None, bias_initializer: Any = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(dtype=dtype, name=name)
        if direction not in _DIRECTIONS:
            raise ValueError(
                f"Invalid direction: {direction}, expecting {' or '.join(_DIRECTIONS)}"
            )
        if input_mode not in _MODES:
            raise ValueError(
                f"Invalid input_mode: {input_mode}, expect one of ({', '.join(_MODES)})"
            )
        wanted = dtypes.as_dtype(dtype)
        if wanted not in (dtypes.float16, dtypes.float32, dtypes.float64):
            raise ValueError(f"Only support float16, float32, float64, provided {wanted!r}")
        self._plain_dtype = wanted
        self._num_layers, self._num_units = num_layers, num_units
        self._input_mode, self._direction = input_mode, direction
        self._dropout, self._seed = dropout, seed
        self._kernel_initializer = kernel_initializer or GlorotUniform(seed, wanted)
        self._bias_initializer = bias_initializer or Zeros(wanted)
        self._input_size: int | None = None
        self._saveable: Any = None

    # ---- what it is

    @property
    def num_layers(self) -> int:
        return self._num_layers

    @property
    def num_units(self) -> int:
        return self._num_units

    @property
    def input_mode(self) -> str:
        return self._input_mode

    @property
    def input_size(self) -> int:
        if not self._input_size:
            raise ValueError("'input_size' is unknown since layer has not been built.")
        return self._input_size

    @property
    def rnn_mode(self) -> str:
        return self._rnn_mode

    @property
    def direction(self) -> str:
        return self._direction

    @property
    def num_dirs(self) -> int:
        return 1 + (self._direction == "bidirectional")

    @property
    def saveable(self) -> Any:
        return self._saveable

    def _depth(self, layer: int) -> int:
        """How deep the inputs of a layer are."""
        return self.num_units * self.num_dirs if layer else self.input_size

    def _skips(self, layer: int) -> bool:
        """Whether a layer adds its inputs to each gate as they are."""
        same = self.input_size == self.num_units
        mode = self.input_mode
        return layer == 0 and (mode == "skip_input" or (mode == "auto_select" and same))

    def _matrices(self) -> list[tuple[int, int]]:
        """Sizes of the matrices of each layer and direction: of the inputs, of the states."""
        n = self.num_units
        return [
            (0 if self._skips(layer) and not of_state else self._gates * n,
             n if of_state else self._depth(layer))
            for layer in range(self.num_layers)
            for _ in range(self.num_dirs)
            for of_state in (False, True)
        ]  # fmt: skip

    @property
    def canonical_weight_shapes(self) -> list[tuple[int, int]]:
        """Sizes of the matrix of each gate."""
        n = self.num_units
        return [(n, columns) for rows, columns in self._matrices() for _ in range(rows // n)]

    @property
    def canonical_bias_shapes(self) -> list[list[int]]:
        """Sizes of the bias of each gate, once for the inputs and once for the states."""
        return [[self.num_units]] * (self.num_layers * self.num_dirs * self._gates * 2)

    # ---- variables

    def build(self, input_shape: Any) -> None:
        """Make the vector of all weights."""
        sizes = [getattr(d, "value", d) for d in input_shape]
        if len(sizes) != 3:
            raise ValueError(f"Expecting input_shape with 3 dims, got {len(sizes)}")
        if not isinstance(sizes[-1], int):
            raise ValueError("The last dimension of the inputs to `CudnnRNN` should be defined")
        self._input_size = sizes[-1]
        if self._input_mode == "skip_input" and self._input_size != self.num_units:
            raise ValueError(
                f"skip_input needs inputs as deep as the layer: {self._input_size} is not "
                f"num_units = {self.num_units}"
            )
        parts = [
            shapes.reshape(self._kernel_initializer(list(s), self._plain_dtype), [-1])
            for s in self.canonical_weight_shapes
        ]
        parts += [self._bias_initializer(s, self._plain_dtype) for s in self.canonical_bias_shapes]
        start = joining.concat(parts, 0)
        scope = get_variable_scope()
        self.kernel = self._vector(start)
        self._saveable = _Canonical(self, scope.name)
        add_to_collection(GraphKeys.SAVEABLE_OBJECTS, self._saveable)
        self.built = True

    def _vector(self, start: Any) -> Any:
        return self.add_weight(
            "opaque_kernel", start.shape.as_list(), dtype=self._plain_dtype,
            initializer=lambda shape, dtype=None, partition_info=None: start,
        )  # fmt: skip

    def _blocks(self) -> list[tuple[Any, Any, Any, Any]]:
        """Of each layer and direction: matrices of inputs and states, and their biases."""
        kernel, at = self.kernel, 0
        n, out = self.num_units * self._gates, []
        for rows, columns in self._matrices():
            size = rows * columns
            out.append(shapes.reshape(kernel[at : at + size], [rows, columns]))
            at += size
        biases = [kernel[at + k * n : at + (k + 1) * n] for k in range(len(out))]
        pairs = zip(out[::2], out[1::2], biases[::2], biases[1::2], strict=True)
        return list(pairs)

    # ---- calls

    def state_shape(self, batch_size: Any) -> Any:
        """Sizes of each tensor of the state."""
        return ([self.num_layers * self.num_dirs, batch_size, self.num_units],) * (
            2 if self._rnn_mode == "lstm" else 1
        )

    def _zero_state(self, batch: Any) -> Any:
        return tuple(fills.zeros(s, self._plain_dtype) for s in self.state_shape(batch))

    def call(
        self, inputs: Any, initial_state: Any = None, sequence_lengths: Any = None,
        time_major: bool = True, training: bool = True,
    ) -> Any:  # fmt: skip
        """Results of all steps, and the last state of each layer and direction.

        Parameters
        ----------
        inputs : tensor
            ``[time, batch, depth]``, or ``[batch, time, depth]`` where `time_major` is false.
        initial_state : tuple of tensors, optional
            Zeros by default.
        sequence_lengths : tensor, optional
            Of each sequence; behind its end results are zero.
        time_major : bool
        training : bool
            Whether there is dropout.
        """
        if not time_major:
            inputs = transpose(inputs, [1, 0, 2])
        if initial_state is None:
            initial_state = self._zero_state(shapes.shape(inputs)[1])
        elif not isinstance(initial_state, (tuple, list)):
            raise TypeError("Invalid initial_state type: %s, expecting tuple." % initial_state)  # noqa: UP031
        if any(t.dtype is not self._plain_dtype for t in (inputs, *initial_state)):
            raise TypeError(
                f"inputs and initial_state are to be {self._plain_dtype.name} as the layer is"
            )
        ends: list[Any] = []
        y, blocks = inputs, self._blocks()
        for layer in range(self.num_layers):
            if layer and training and self._dropout:
                y = dropout(y, rate=self._dropout, seed=self._seed)
            both = []
            for d in range(self.num_dirs):
                k = layer * self.num_dirs + d
                begin = [s[k] for s in initial_state]
                z, end = self._one(layer, y, blocks[k], begin, sequence_lengths, d == 1)
                both.append(z)
                ends.append(end)
            y = both[0] if len(both) == 1 else joining.concat(both, 2)
        states = tuple(joining.stack([e[i] for e in ends]) for i in range(len(initial_state)))
        return (y if time_major else transpose(y, [1, 0, 2])), states

    def _one(
        self, layer: int, x: Any, block: Any, begin: Sequence[Any], lengths: Any, back: bool
    ) -> tuple[Any, tuple[Any, ...]]:
        """One layer in one direction."""
        of_input, of_state, b_input, b_state = block
        if back:
            x = self._turned(x, lengths)
        if self._skips(layer):
            x = joining.concat([x] * self._gates, 2)
        else:
            sizes = shapes.shape(x)
            flat = matmul(shapes.reshape(x, [-1, self._depth(layer)]), of_input, transpose_b=True)
            x = shapes.reshape(flat, [sizes[0], sizes[1], self._gates * self.num_units])
        step = _Step(self._rnn_mode, self.num_units, of_state, b_state)
        lstm = self._rnn_mode == "lstm"
        y, end = dynamic_rnn(
            step, x + b_input, sequence_length=lengths, time_major=True,
            initial_state=LSTMStateTuple(begin[1], begin[0]) if lstm else begin[0],
        )  # fmt: skip
        if back:
            y = self._turned(y, lengths)
        return y, (end.h, end.c) if lstm else (end,)

    @staticmethod
    def _turned(x: Any, lengths: Any) -> Any:
        if lengths is None:
            return tiling.reverse(x, [0])
        return tiling.reverse_sequence(x, lengths, seq_axis=0, batch_axis=1)


class _Canonical(SaveableObject):
    """Writes and restores the weights as those of the cells that compute the same."""

    def __init__(self, layer: _CudnnRNN, scope: str) -> None:
        self._layer = layer
        prefix = f"{scope}/" if scope else ""
        specs = []
        with name_scope("canonical"):
            for k, block in enumerate(layer._blocks()):
                for name, tensor in self._cell(block).items():
                    specs.append(SaveSpec(tensor, "", prefix + self._place(k) + name))
        super().__init__(specs[0].tensor, specs, prefix + "cudnn_rnn_saveable")

    def _place(self, k: int) -> str:
        """Where the cell of a layer and a direction has its variables."""
        layer = self._layer
        cell = {"lstm": "cudnn_compatible_lstm_cell", "gru": "cudnn_compatible_gru_cell"}.get(
            layer.rnn_mode, "basic_rnn_cell"
        )
        if layer.num_dirs == 1:
            return f"rnn/multi_rnn_cell/cell_{k}/{cell}/"
        way = "bw" if k % 2 else "fw"
        return f"stack_bidirectional_rnn/cell_{k // 2}/bidirectional_rnn/{way}/{cell}/"

    def _cell(self, block: Any) -> dict[str, Any]:
        w, r, b, more = block
        mode, n = self._layer.rnn_mode, self._layer.num_units
        if w.shape[0].value == 0:  # a cell has to add the inputs by a product with ones
            same = convert_to_tensor(np.eye(n, dtype=w.dtype.as_numpy_dtype))
            w = joining.concat([same] * self._layer._gates, 0)
        if mode == "gru":
            gates = transpose(joining.concat([w[: 2 * n], r[: 2 * n]], 1))
            return {
                "gates/kernel": gates,
                "candidate/input_projection/kernel": transpose(w[2 * n :]),
                "candidate/hidden_projection/kernel": transpose(r[2 * n :]),
                "gates/bias": b[: 2 * n] + more[: 2 * n],
                "candidate/input_projection/bias": b[2 * n :],
                "candidate/hidden_projection/bias": more[2 * n :],
            }
        both = joining.concat([w, r], 1)
        total = b + more
        if mode == "lstm":  # cells have the new value before the forget gate
            both, total = (_swapped(t) for t in (both, total))
        return {"kernel": transpose(both), "bias": total}

    def restore(self, restored_tensors: Sequence[Any], restored_shapes: Any) -> Any:
        """Put the weights of cells into the vector."""
        layer = self._layer
        mode = layer.rnn_mode
        each = 6 if mode == "gru" else 2
        matrices, biases = [], []
        for k in range(0, len(restored_tensors), each):
            depth = layer._depth(k // each // layer.num_dirs)
            if mode == "gru":
                gates, x, h, b, bx, bh = restored_tensors[k : k + each]
                gates = transpose(gates)
                matrices += [
                    joining.concat([gates[:, :depth], transpose(x)], 0),
                    joining.concat([gates[:, depth:], transpose(h)], 0),
                ]
                biases += [b, bx, fills.zeros_like(b), bh]
            else:
                kernel, b = restored_tensors[k : k + each]
                kernel = transpose(kernel)
                if mode == "lstm":
                    kernel, b = _swapped(kernel), _swapped(b)
                matrices += [kernel[:, :depth], kernel[:, depth:]]
                biases += [b, fills.zeros_like(b)]
        sizes = layer._matrices()
        flat = [
            shapes.reshape(m, [-1]) for m, (rows, _) in zip(matrices, sizes, strict=True) if rows
        ]
        whole = shapes.reshape(joining.concat([*flat, *biases], 0), layer.kernel.shape.as_list())
        return state.assign(layer.kernel, whole)


def _swapped(t: Any) -> Any:
    """With the second and the third quarter of the rows in each other's place."""
    a, b, c, d = joining.split(t, 4, 0)
    return joining.concat([a, c, b, d], 0)


class CudnnLSTM(_CudnnRNN):
    __doc__ = f"LSTM.\n{_CudnnRNN.__doc__}"
    _rnn_mode, _gates = "lstm", 4


class CudnnGRU(_CudnnRNN):
    __doc__ = f"Gated recurrent units.\n{_CudnnRNN.__doc__}"
    _rnn_mode, _gates = "gru", 3


class CudnnRNNTanh(_CudnnRNN):
    __doc__ = f"Plain recurrent layers with tanh.\n{_CudnnRNN.__doc__}"
    _rnn_mode = "rnn_tanh"


class CudnnRNNRelu(_CudnnRNN):
    __doc__ = f"Plain recurrent layers with relu.\n{_CudnnRNN.__doc__}"
    _rnn_mode = "rnn_relu"
