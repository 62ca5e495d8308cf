"""Cells of ``tf.contrib.rnn``: projections, embeddings, attention windows, normalisation."""

from __future__ import annotations

import math as pymath
from typing import Any

from graphc.face import logging, nest
from graphc.face.current import name_scope
from graphc.face.initializers import Constant, RandomUniform
from graphc.face.scopes import get_variable, get_variable_scope, variable_scope
from graphc.layers.base import InputSpec
from graphc.nn.cells import (
    GRUCell,
    LayerRNNCell,
    LSTMStateTuple,
    OfUnits,
    RNNCell,
    check_cell,
    input_depth,
    linear_parts,
    warn_concatenated,
)
from graphc.ops import arrays, conv, linalg, lookup, math, nn, reduce, shapes
from graphc.ops import state as state_ops

__all__ = [
    "AttentionCellWrapper",
    "EmbeddingWrapper",
    "GRUBlockCell",
    "GRUBlockCellV2",
    "HighwayWrapper",
    "IndRNNCell",
    "InputProjectionWrapper",
    "LSTMBlockCell",
    "LayerNormBasicLSTMCell",
    "Linear",
    "OutputProjectionWrapper",
    "UGRNNCell",
]  # fmt: skip


class Linear:
    """``concat(args) @ kernel + bias``; the variables are made here, in the current scope."""

    def __init__(
        self, args: Any, output_size: int, build_bias: bool, bias_initializer: Any = None,
        kernel_initializer: Any = None,
    ) -> None:  # fmt: skip
        if args is None or (nest.is_sequence(args) and not args):
            raise ValueError("`args` must be specified")
        parts = list(args) if nest.is_sequence(args) else [args]
        rows = 0
        for a in parts:
            static = a.get_shape()
            if static.ndims != 2:
                raise ValueError(f"linear is expecting 2D arguments: {[p.shape for p in parts]}")
            if static[1].value is None:
                raise ValueError(
                    f"linear expects shape[1] to be provided for shape {static}, but saw "
                    f"{static[1]}"
                )
            rows += static[1].value
        dtype = parts[0].dtype
        columns = int(output_size)
        self._kernel = get_variable("kernel", [rows, columns], dtype, kernel_initializer)
        start = Constant(0.0) if bias_initializer is None else bias_initializer
        self._bias = get_variable("bias", [columns], dtype, start) if build_bias else None

    def __call__(self, args: Any) -> Any:
        """The product for other arguments of the same sizes."""
        parts = list(args) if nest.is_sequence(args) else [args]
        x = parts[0] if len(parts) == 1 else arrays.concat(parts, 1)
        out = linalg.matmul(x, self._kernel)
        return out if self._bias is None else nn.bias_add(out, self._bias)


class _Around(RNNCell):
    """A cell with a variable scope of its own around another cell."""

    def __init__(self, cell: Any, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        check_cell("cell", cell)
        self._cell = cell
        self._linear: Linear | None = None

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """That of the inner cell."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            return self._cell.zero_state(batch_size, dtype)


class EmbeddingWrapper(_Around):
    """A cell whose inputs are indices of rows of a table.

    Parameters
    ----------
    cell : cell
    embedding_classes, embedding_size : int
        The size of the table.
    initializer : optional
        Uniform with variance one by default.
    reuse : bool, optional
    """

    def __init__(
        self, cell: Any, embedding_classes: int, embedding_size: int, initializer: Any = None,
        reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(cell, reuse)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(
                f"Both embedding_classes and embedding_size must be > 0: {embedding_classes}, "
                f"{embedding_size}."
            )
        self._embedding_classes = embedding_classes
        self._embedding_size = embedding_size
        self._initializer = initializer

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        bound = pymath.sqrt(3)
        start = self._initializer or get_variable_scope().initializer
        table = get_variable(
            "embedding", [self._embedding_classes, self._embedding_size],
            initializer=start or RandomUniform(-bound, bound),
            dtype=(state[0] if isinstance(state, tuple) else state).dtype,
        )  # fmt: skip
        embedded = lookup.embedding_lookup(table, shapes.reshape(inputs, [-1]))
        return self._cell(embedded, state)


class InputProjectionWrapper(_Around):
    """A cell whose inputs are projected first.

    Parameters
    ----------
    cell : cell
    num_proj : int
    activation : callable, optional
    input_size : optional
        Not used.
    reuse : bool, optional
    """

    def __init__(
        self, cell: Any, num_proj: int, activation: Any = None, input_size: Any = None,
        reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(cell, reuse)
        if input_size is not None:
            logging.warning("%s: The input_size parameter is deprecated.", self)
        self._num_proj = num_proj
        self._activation = activation

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        self._linear = self._linear or Linear(inputs, self._num_proj, True)
        projected = self._linear(inputs)
        if self._activation:
            projected = self._activation(projected)
        return self._cell(projected, state)


class OutputProjectionWrapper(_Around):
    """A cell whose outputs are projected.

    Parameters
    ----------
    cell : cell
    output_size : int
    activation : callable, optional
    reuse : bool, optional
    """

    def __init__(
        self, cell: Any, output_size: int, activation: Any = None, reuse: Any = None
    ) -> None:
        super().__init__(cell, reuse)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._output_size = output_size
        self._activation = activation

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        output, new_state = self._cell(inputs, state)
        self._linear = self._linear or Linear(output, self._output_size, True)
        projected = self._linear(output)
        return self._activation(projected) if self._activation else projected, new_state


class AttentionCellWrapper(_Around):
    """A cell that attends to its last outputs (arXiv:1601.06733).

    Parameters
    ----------
    cell : cell
    attn_length : int
        How many outputs it sees.
    attn_size, attn_vec_size : int, optional
        Sizes of the attention vector and of what it is computed from; the cell's output size by
        default.
    input_size : int, optional
        To which inputs and attention are projected; the size of the inputs by default.
    state_is_tuple : bool
    reuse : bool, optional
    """

    def __init__(
        self, cell: Any, attn_length: int, attn_size: int | None = None,
        attn_vec_size: int | None = None, input_size: int | None = None,
        state_is_tuple: bool = True, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(cell, reuse)
        if nest.is_sequence(cell.state_size) and not state_is_tuple:
            raise ValueError(
                "Cell returns tuple of states, but the flag state_is_tuple is not set. State size "
                f"is: {cell.state_size}"
            )
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        if not state_is_tuple:
            warn_concatenated(self)
        self._state_is_tuple = state_is_tuple
        self._attn_size = cell.output_size if attn_size is None else attn_size
        self._attn_vec_size = self._attn_size if attn_vec_size is None else attn_vec_size
        self._input_size = input_size
        self._attn_length = attn_length
        self._out_linear: Linear | None = None
        self._query_linear: Linear | None = None

    @property
    def state_size(self) -> Any:
        size = (self._cell.state_size, self._attn_size, self._attn_size * self._attn_length)
        return size if self._state_is_tuple else sum(size)

    zero_state = RNNCell.zero_state

    @property
    def output_size(self) -> Any:
        return self._attn_size

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        length, size = self._attn_length, self._attn_size
        if self._state_is_tuple:
            own, attns, window = state
        else:
            parts = [self._cell.state_size, size, size * length]
            own, attns, window = arrays.split(state, parts, 1)
        window = shapes.reshape(window, [-1, length, size])
        columns = self._input_size or inputs.get_shape()[1].value
        self._linear = self._linear or Linear([inputs, attns], columns, True)
        output, new_own = self._cell(self._linear([inputs, attns]), own)
        query = arrays.concat(nest.flatten(new_own), 1) if self._state_is_tuple else new_own
        new_attns, window = self._attend(query, window)
        with variable_scope("attn_output_projection"):
            both = [output, new_attns]
            self._out_linear = self._out_linear or Linear(both, size, True)
            output = self._out_linear(both)
        window = arrays.concat([window, shapes.expand_dims(output, 1)], 1)
        window = shapes.reshape(window, [-1, length * size])
        new_state = (new_own, new_attns, window)
        return output, new_state if self._state_is_tuple else arrays.concat(list(new_state), 1)

    def _attend(self, query: Any, window: Any) -> tuple[Any, Any]:
        length, size, depth = self._attn_length, self._attn_size, self._attn_vec_size
        with variable_scope("attention"):
            k = get_variable("attn_w", [1, 1, size, depth])
            v = get_variable("attn_v", [depth])
            hidden = shapes.reshape(window, [-1, length, 1, size])
            features = conv.conv2d(hidden, k, [1, 1, 1, 1], "SAME")
            self._query_linear = self._query_linear or Linear(query, depth, True)
            y = shapes.reshape(self._query_linear(query), [-1, 1, 1, depth])
            a = nn.softmax(reduce.reduce_sum(v * math.tanh(features + y), [2, 3]))
            d = reduce.reduce_sum(shapes.reshape(a, [-1, length, 1, 1]) * hidden, [1, 2])
        return shapes.reshape(d, [-1, size]), arrays.slice(window, [0, 1, 0], [-1, -1, -1])


class HighwayWrapper(_Around):
    """A cell whose inputs pass through a gate beside it.

    Parameters
    ----------
    cell : cell
    couple_carry_transform_gates : bool
        Whether one gate is one minus the other.
    carry_bias_init : float
    """

    def __init__(
        self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0
    ) -> None:
        super().__init__(cell)
        self._coupled = couple_carry_transform_gates
        self._carry_bias_init = carry_bias_init

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """One step; the gates are in the scope around it."""
        outputs, new_state = self._cell(inputs, state, scope=scope)
        nest.assert_same_structure(inputs, outputs)
        nest.map_structure(
            lambda x, y: x.get_shape().assert_is_compatible_with(y.get_shape()), inputs, outputs
        )
        return nest.map_structure(self._highway, inputs, outputs), new_state

    def _highway(self, x: Any, out: Any) -> Any:
        n = x.get_shape().with_rank(2)[1].value

        def gate(name: str, bias: float) -> Any:
            w = get_variable(f"{name}_w", [n, n])
            return math.sigmoid(
                nn.xw_plus_b(x, w, get_variable(f"{name}_b", [n], initializer=Constant(bias)))
            )

        carry = gate("carry", self._carry_bias_init)
        transform = 1 - carry if self._coupled else gate("transform", -self._carry_bias_init)
        return x * carry + out * transform


class LayerNormBasicLSTMCell(RNNCell):
    """An LSTM cell with layer normalisation (arXiv:1607.06450) and recurrent dropout.

    Parameters
    ----------
    num_units : int
    forget_bias : float
    input_size : optional
        Not used.
    activation : callable
    layer_norm : bool
    norm_gain, norm_shift : float
        Where scale and shift of the normalisation start.
    dropout_keep_prob : float or scalar tensor
    dropout_prob_seed : int, optional
    reuse : bool, optional
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, input_size: Any = None,
        activation: Any = math.tanh, layer_norm: bool = True, norm_gain: float = 1.0,
        norm_shift: float = 0.0, dropout_keep_prob: Any = 1.0, dropout_prob_seed: Any = None,
        reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        if input_size is not None:
            logging.warning("%s: The input_size parameter is deprecated.", self)
        self._num_units = num_units
        self._activation = activation
        self._forget_bias = forget_bias
        self._keep_prob = dropout_keep_prob
        self._seed = dropout_prob_seed
        self._layer_norm = layer_norm
        self._gain = norm_gain
        self._shift = norm_shift

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _norm(self, x: Any, scope: str) -> Any:
        if not self._layer_norm:
            return x
        shape = x.get_shape()[-1:]
        with variable_scope(scope):
            gamma = get_variable("gamma", shape, x.dtype, Constant(self._gain))
            beta = get_variable("beta", shape, x.dtype, Constant(self._shift))
            mean, variance = nn.moments(x, [1], keep_dims=True)
            return nn.batch_normalization(x, mean, variance, beta, gamma, 1e-12)

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        c, h = state
        x: Any = arrays.concat([inputs, h], 1)
        columns = 4 * self._num_units
        gates: Any = linalg.matmul(
            x, get_variable("kernel", [x.get_shape()[-1], columns], dtype=x.dtype)
        )
        if not self._layer_norm:
            gates = nn.bias_add(gates, get_variable("bias", [columns], dtype=x.dtype))
        i, j, f, o = arrays.split(gates, 4, 1)
        i, j = self._norm(i, "input"), self._norm(j, "transform")
        f, o = self._norm(f, "forget"), self._norm(o, "output")
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = nn.dropout(g, self._keep_prob, seed=self._seed)
        new_c = c * math.sigmoid(f + self._forget_bias) + math.sigmoid(i) * g
        new_c = self._norm(new_c, "state")
        new_h = self._activation(new_c) * math.sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)


class LSTMBlockCell(LayerRNNCell):
    """An LSTM cell under the name of TF's fused one; here every cell is fused.

    Parameters
    ----------
    num_units : int
    forget_bias : float
    cell_clip : float, optional
    use_peephole : bool
    dtype : DType, optional
    reuse : bool, optional
    name : str
    """

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None,
        use_peephole: bool = False, dtype: Any = None, reuse: Any = None, name: str = "lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, dtype=dtype, name=name)
        self._num_units = num_units
        self._forget_bias = forget_bias
        self._cell_clip = cell_clip
        self._use_peephole = use_peephole
        self.input_spec = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        """Make kernel, bias and peepholes."""
        n = self._num_units
        self._kernel = self.add_variable("kernel", [input_depth(inputs_shape) + n, 4 * n])
        self._bias = self.add_variable("bias", [4 * n], initializer=Constant(0.0))
        if self._use_peephole:
            self._diagonals = [self.add_variable(f"w_{g}_diag", [n]) for g in "ifo"]
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        c_prev, h_prev = state
        i, j, f, o = arrays.split(linear_parts(inputs, h_prev, self._kernel, self._bias), 4, 1)
        if self._use_peephole:
            w_i, w_f, w_o = self._diagonals
            i, f = i + w_i * c_prev, f + w_f * c_prev
        c = math.sigmoid(f + self._forget_bias) * c_prev + math.sigmoid(i) * math.tanh(j)
        if self._cell_clip is not None and self._cell_clip > 0:
            # TensorFlow's fused kernel passes gradients as if nothing were clipped
            clipped = math.clip_by_value(c, -self._cell_clip, self._cell_clip)
            c = c + state_ops.stop_gradient(clipped - c)
        if self._use_peephole:
            o = o + w_o * c
        h = math.sigmoid(o) * math.tanh(c)
        return h, LSTMStateTuple(c, h)


class GRUBlockCell(GRUCell):
    """A GRU cell under the name of TF's fused one; here every cell is fused.

    Parameters
    ----------
    num_units, cell_size : int
        One of them.
    reuse : bool, optional
    name : str
    """

    _NAMES = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(
        self, num_units: int | None = None, cell_size: int | None = None, reuse: Any = None,
        name: str = "gru_cell",
    ) -> None:  # fmt: skip
        units = cell_size if num_units is None else num_units
        if units is None or (cell_size is not None and num_units is not None):
            raise ValueError("Exactly one of num_units or cell_size must be provided.")
        super().__init__(units, reuse=reuse, name=name)

    def build(self, input_shape: Any) -> None:
        """Make kernels and biases."""
        n, rows = self._num_units, input_depth(input_shape) + self._num_units
        w_ru, b_ru, w_c, b_c = self._NAMES
        self._gate_kernel = self.add_variable(w_ru, [rows, 2 * n])
        self._gate_bias = self.add_variable(b_ru, [2 * n], initializer=Constant(1.0))
        self._candidate_kernel = self.add_variable(w_c, [rows, n])
        self._candidate_bias = self.add_variable(b_c, [n], initializer=Constant(0.0))
        self.built = True

    def call(self, inputs: Any, h_prev: Any) -> Any:
        """One step."""
        return super().call(inputs, h_prev)


class GRUBlockCellV2(GRUBlockCell):
    """`GRUBlockCell` with the variables of `GRUCell`."""

    _NAMES = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")


class UGRNNCell(OfUnits, RNNCell):
    """An update gate recurrent cell (arXiv:1611.09913).

    Parameters
    ----------
    num_units : int
    initializer : optional
    forget_bias : float
    activation : callable
    reuse : bool, optional
    """

    def __init__(
        self, num_units: int, initializer: Any = None, forget_bias: float = 1.0,
        activation: Any = math.tanh, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units = num_units
        self._initializer = initializer
        self._forget_bias = forget_bias
        self._activation = activation
        self._linear: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        if inputs.get_shape().with_rank(2)[1].value is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        with variable_scope(get_variable_scope(), initializer=self._initializer):
            both = arrays.concat([inputs, state], 1)
            self._linear = self._linear or Linear(both, 2 * self._num_units, True)
            g, c = arrays.split(self._linear(both), 2, 1)
        g = math.sigmoid(g + self._forget_bias)
        new = g * state + (1.0 - g) * self._activation(c)
        return new, new


class IndRNNCell(OfUnits, LayerRNNCell):
    """A recurrent cell whose units see only themselves (arXiv:1803.04831).

    Parameters
    ----------
    num_units : int
    activation : callable, optional
    reuse, name, dtype
        As for `BasicRNNCell`.
    """

    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=2)
        self._num_units = num_units
        self._activation = activation or math.tanh

    def build(self, inputs_shape: Any) -> None:
        """Make kernels and bias."""
        n = self._num_units
        self._kernel_w = self.add_variable("kernel_w", [input_depth(inputs_shape), n])
        self._kernel_u = self.add_variable("kernel_u", [1, n], initializer=RandomUniform(-1.0, 1.0))
        self._bias = self.add_variable("bias", [n], initializer=Constant(0.0))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:
        """One step."""
        gates = linalg.matmul(inputs, self._kernel_w) + state * self._kernel_u
        out = self._activation(nn.bias_add(gates, self._bias))
        return out, out
