"""`AttentionWrapper`: a cell that attends to a memory."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.errors import InvalidArgumentError
from graphc.face import nest
from graphc.face.current import name_scope
from graphc.face.shape import TensorShape
from graphc.ir import dtypes
from graphc.ir.build import current
from graphc.ir.known import known
from graphc.ir.node import Value
from graphc.layers.core import Dense
from graphc.nn.cells import RNNCell, check_cell, zero_part
from graphc.ops import arrays, fills, linalg, shapes, state
from graphc.ops.counting import made
from graphc.seq2seq.attention import AttentionMechanism

__all__ = ["AttentionWrapper", "AttentionWrapperState"]


class _Fields(NamedTuple):
    cell_state: Any
    attention: Any
    time: Any
    alignments: Any
    alignment_history: Any
    attention_state: Any


class AttentionWrapperState(_Fields):
    """The state of an `AttentionWrapper`."""

    __slots__ = ()

    def clone(self, **kwargs: Any) -> AttentionWrapperState:
        """The same with other fields, of the same shapes.

        Raises
        ------
        ValueError
            When a shape contradicts the old one.
        """

        def same(old: Any, new: Any) -> Any:
            if isinstance(old, Value) and isinstance(new, Value):
                old_shape, new_shape = old.get_shape(), new.get_shape()  # type: ignore[attr-defined]
                new.set_shape(old_shape.merge_with(new_shape))  # type: ignore[attr-defined]
            return new

        out: AttentionWrapperState = nest.map_structure(same, self, self._replace(**kwargs))
        return out


def _attend(mechanism: Any, cell_output: Any, attention_state: Any, layer: Any) -> Any:
    """Attention vector, alignments and next state of one mechanism."""
    alignments, following = mechanism(cell_output, state=attention_state)
    seen: Any = linalg.matmul(shapes.expand_dims(alignments, 1), mechanism.values)
    seen = shapes.squeeze(seen, [1])
    if layer is not None:
        seen = layer(arrays.concat([cell_output, seen], 1))
    return seen, alignments, following


class AttentionWrapper(RNNCell):
    """A cell that attends to one or more memories.

    Parameters
    ----------
    cell : RNNCell
    attention_mechanism : AttentionMechanism or list of them
    attention_layer_size : int or list of int, optional
        Output and context are projected to so many units; else the context is the attention.
    alignment_history : bool
        Whether the state has a TensorArray of all alignments.
    cell_input_fn : callable, optional
        ``(inputs, attention) -> cell inputs``; both side by side by default.
    output_attention : bool
        Whether the attention is the output, or the cell's output.
    initial_cell_state : optional
        What `zero_state` has as the cell's state.
    name : str, optional
    attention_layer : Layer or list of layers, optional
        In place of `attention_layer_size`.
    attention_fn : callable, optional
        ``(mechanism, cell_output, attention_state, layer) -> (attention, alignments, state)``.
    dtype : DType, optional
    """

    def __init__(
        self, cell: Any, attention_mechanism: Any, attention_layer_size: Any = None,
        alignment_history: bool = False, cell_input_fn: Any = None, output_attention: bool = True,
        initial_cell_state: Any = None, name: str | None = None, attention_layer: Any = None,
        attention_fn: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        check_cell("cell", cell)
        self._is_multi = isinstance(attention_mechanism, list | tuple)
        mechanisms = tuple(attention_mechanism) if self._is_multi else (attention_mechanism,)
        for m in mechanisms:
            if not isinstance(m, AttentionMechanism):
                only = (
                    "must be an AttentionMechanism or list of multiple AttentionMechanism instances"
                )
                if self._is_multi:
                    only = "must contain only instances of AttentionMechanism"
                raise TypeError(f"attention_mechanism {only}, saw type: {type(m).__name__}")
        if cell_input_fn is None:
            cell_input_fn = _side_by_side
        elif not callable(cell_input_fn):
            raise TypeError(
                f"cell_input_fn must be callable, saw type: {type(cell_input_fn).__name__}"
            )
        self._cell = cell
        self._attention_mechanisms = mechanisms
        self._cell_input_fn = cell_input_fn
        self._output_attention = output_attention
        self._alignment_history = alignment_history
        self._attention_fn = attention_fn or _attend
        self._set_layers(attention_layer_size, attention_layer)
        self._initial_cell_state = None
        with name_scope(name, "AttentionWrapperInit"):
            if initial_cell_state is not None:
                last = nest.flatten(initial_cell_state)[-1]
                self._check_rows(_rows(last), "When constructing AttentionWrapper")
                self._initial_cell_state = nest.map_structure(
                    lambda s: state.identity(s, name="check_initial_cell_state"),
                    initial_cell_state,
                )

    def _set_layers(self, sizes: Any, layers: Any) -> None:
        if sizes is not None and layers is not None:
            raise ValueError("Only one of attention_layer_size and attention_layer should be set")
        given = "attention_layer_size" if sizes is not None else "attention_layer"
        chosen = sizes if sizes is not None else layers
        depths = [m.values.get_shape()[-1].value for m in self._attention_mechanisms]
        if chosen is None:
            self._attention_layers: Any = (None,) * len(self._attention_mechanisms)
            self._attention_layer_size = sum(depths)
            return
        chosen = tuple(chosen) if isinstance(chosen, list | tuple) else (chosen,)
        if len(chosen) != len(self._attention_mechanisms):
            what = "integer" if sizes is not None else "layer"
            raise ValueError(
                f"If provided, {given} must contain exactly one {what} per attention_mechanism, "
                f"saw: {len(chosen)} vs {len(self._attention_mechanisms)}"
            )
        if sizes is not None:
            self._attention_layers = tuple([
                Dense(n, name="attention_layer", use_bias=False, dtype=m.dtype)
                for n, m in zip(chosen, self._attention_mechanisms, strict=True)
            ])  # fmt: skip
            self._attention_layer_size = sum(chosen)
            return
        self._attention_layers = chosen
        self._attention_layer_size = sum(
            int(layer.compute_output_shape([None, self._cell.output_size + depth])[-1])
            for layer, depth in zip(chosen, depths, strict=True)
        )

    def _check_rows(self, rows: Any, when: str) -> None:
        """Refuse batch sizes that are known to differ; the run finds the others."""
        graph: Any = current()
        given, rows = rows, known(rows) if isinstance(rows, Value) else rows
        for m in self._attention_mechanisms:
            own = known(m.batch_size) if isinstance(m.batch_size, Value) else m.batch_size
            both = [x for x in (given, m.batch_size) if isinstance(x, Value)]
            for x in both:
                graph.real(x, "Enter")
            made(12 + 2 - len(both) if both else 1)  # an assertion of numbers; of none, nothing
            if type(rows) is int and type(own) is int and rows != own:
                raise InvalidArgumentError(
                    None, None,
                    f"{when} {self.name}: Non-matching batch sizes between the memory (encoder "
                    f"output) and the decoder: {own} and {rows}. For a BeamSearchDecoder, tile "
                    "memory and state by tf.contrib.seq2seq.tile_batch with beam_width.",
                )  # fmt: skip

    def _item_or_tuple(self, items: Any) -> Any:
        items = tuple(items)
        return items if self._is_multi else items[0]

    @property
    def output_size(self) -> Any:
        return self._attention_layer_size if self._output_attention else self._cell.output_size

    @property
    def state_size(self) -> Any:
        return AttentionWrapperState(
            cell_state=self._cell.state_size,
            time=TensorShape([]),
            attention=self._attention_layer_size,
            alignments=self._item_or_tuple(m.alignments_size for m in self._attention_mechanisms),
            attention_state=self._item_or_tuple(m.state_size for m in self._attention_mechanisms),
            alignment_history=self._item_or_tuple(
                m.alignments_size if self._alignment_history else ()
                for m in self._attention_mechanisms
            ),
        )

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """The state before the first step."""
        with name_scope(type(self).__name__ + "ZeroState", values=[batch_size]):
            cell_state = self._initial_cell_state
            if cell_state is None:
                cell_state = self._cell.get_initial_state(batch_size=batch_size, dtype=dtype)
            self._check_rows(batch_size, "When calling zero_state of AttentionWrapper")
            cell_state = nest.map_structure(
                lambda s: state.identity(s, name="checked_cell_state"), cell_state
            )
            first = [m.initial_alignments(batch_size, dtype) for m in self._attention_mechanisms]
            return AttentionWrapperState(
                cell_state=cell_state,
                time=fills.zeros([], dtypes.int32),
                attention=zero_part(batch_size, self._attention_layer_size, dtype),
                alignments=self._item_or_tuple(first),
                attention_state=self._item_or_tuple(
                    m.initial_state(batch_size, dtype) for m in self._attention_mechanisms
                ),
                alignment_history=self._item_or_tuple(self._history(a, dtype) for a in first),
            )

    def _history(self, alignments: Any, dtype: Any) -> Any:
        if not self._alignment_history:
            return ()
        from graphc import TensorArray  # only where a history is kept

        return TensorArray(dtype, size=0, dynamic_size=True, element_shape=alignments.get_shape())

    def call(self, inputs: Any, state: Any) -> Any:
        """One step: the cell, then attention with its output as the query."""
        if not isinstance(state, AttentionWrapperState):
            raise TypeError(
                "Expected state to be instance of AttentionWrapperState. Received type "
                f"{type(state)} instead."
            )
        cell_inputs = self._cell_input_fn(inputs, state.attention)
        output, cell_state = self._cell(cell_inputs, state.cell_state)
        self._check_rows(_rows(output), "When applying AttentionWrapper")
        output = _identity(output, "checked_cell_output")
        before = state.attention_state if self._is_multi else [state.attention_state]
        histories = state.alignment_history if self._is_multi else [state.alignment_history]
        seen, alignments, states, written = [], [], [], []
        for m, layer, old, history in zip(
            self._attention_mechanisms, self._attention_layers, before, histories, strict=True
        ):
            vector, weights, new = self._attention_fn(m, output, old, layer)
            seen.append(vector)
            alignments.append(weights)
            states.append(new)
            written.append(history.write(state.time, weights) if self._alignment_history else ())
        attention = arrays.concat(seen, 1)
        new_state = AttentionWrapperState(
            time=state.time + 1,
            cell_state=cell_state,
            attention=attention,
            attention_state=self._item_or_tuple(states),
            alignments=self._item_or_tuple(alignments),
            alignment_history=self._item_or_tuple(written),
        )
        return attention if self._output_attention else output, new_state


def _identity(x: Any, name: str) -> Any:
    return state.identity(x, name=name)


def _rows(x: Any) -> Any:
    return x.get_shape()[0].value or shapes.shape(x)[0]


def _side_by_side(inputs: Any, attention: Any) -> Any:
    return arrays.concat([inputs, attention], -1)
