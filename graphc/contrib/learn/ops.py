"""``tf.contrib.learn.ops``: small pieces of models that programs before estimators are made of."""

from __future__ import annotations

from typing import Any

from graphc.face.current import name_scope
from graphc.face.graph import get_default_graph
from graphc.face.scopes import get_variable, variable_scope
from graphc.losses.functions import mean_squared_error, softmax_cross_entropy
from graphc.nn.cells import RNNCell
from graphc.nn.unrolled import static_rnn
from graphc.ops import arrays, fills, math, nn, shapes
from graphc.ops.convert import convert_to_tensor

__all__ = [
    "categorical_variable", "embedding_lookup", "mean_squared_error_regressor", "rnn_decoder",
    "rnn_seq2seq", "seq2seq_inputs", "softmax_classifier",
]  # fmt: skip


def embedding_lookup(params: Any, ids: Any, name: str = "embedding_lookup") -> Any:
    """Rows of a matrix for ids of any shape: ``[*ids.shape, width]``."""
    with name_scope(name, "embedding_lookup", [params, ids]):
        matrix, which = convert_to_tensor(params), convert_to_tensor(ids)
        get_default_graph().reserve("Shape", "strided_slice")  # of a size that is known here
        flat = arrays.gather(matrix, shapes.reshape(which, [-1]))
        size = arrays.concat([shapes.shape(which), [-1]], 0)
        made: Any = shapes.reshape(flat, size)
        if which.static_shape is not None and matrix.static_shape is not None:
            made.set_shape([*which.static_shape, matrix.static_shape[1]])
        return made


def categorical_variable(tensor_in: Any, n_classes: int, embedding_size: int, name: str) -> Any:
    """Vectors for the ids of classes, from a variable ``<name>_embeddings`` in a scope `name`."""
    with variable_scope(name):
        table = get_variable(name + "_embeddings", [n_classes, embedding_size])
        return embedding_lookup(table, tensor_in)


def mean_squared_error_regressor(
    tensor_in: Any, labels: Any, weights: Any, biases: Any, name: str | None = None
) -> tuple[Any, Any]:
    """A linear model's predictions and the mean of their squared errors."""
    with name_scope(name, "mean_squared_error_regressor", [tensor_in, labels]):
        found: Any = nn.xw_plus_b(tensor_in, weights, biases)
        wanted: Any = convert_to_tensor(labels)
        if wanted.shape.ndims == 1 and found.shape.ndims == 2:
            found = shapes.squeeze(found, [1])
        return found, mean_squared_error(wanted, found)


def softmax_classifier(
    tensor_in: Any, labels: Any, weights: Any, biases: Any, class_weight: Any = None,
    name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """Probabilities of a linear model and their cross entropy with one-hot labels.

    Parameters
    ----------
    class_weight : list of float, optional
        What the logits of each class are multiplied by.
    """
    with name_scope(name, "softmax_classifier", [tensor_in, labels]):
        logits: Any = nn.xw_plus_b(tensor_in, weights, biases)
        if class_weight is not None:
            logits = math.multiply(logits, class_weight)
        return nn.softmax(logits), softmax_cross_entropy(labels, logits)


def seq2seq_inputs(
    x: Any, y: Any, input_length: int, output_length: int, sentinel: Any = None,
    name: str | None = None,
) -> tuple[list[Any], list[Any], list[Any]]:  # fmt: skip
    """Inputs of an encoder, inputs of a decoder and its outputs, a tensor for each step.

    The decoder's inputs begin with `sentinel`, and its outputs end with it: zeros by default.
    """
    with name_scope(name, "seq2seq_inputs", [x, y]):
        before: Any = arrays.unstack(x, input_length, axis=1)
        after: Any = arrays.unstack(y, output_length, axis=1)
        if sentinel is None:
            with get_default_graph().counts_as(9):  # TensorFlow asks for the size in steps
                sentinel = fills.zeros(shapes.shape(after[0]))
            sentinel.set_shape(after[0].shape)
        return before, [sentinel, *after], [*after, sentinel]


def rnn_decoder(
    decoder_inputs: list[Any], initial_state: Any, cell: RNNCell, scope: Any = None
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """A decoder for training, which reads its inputs, and one that reads what it said before.

    Returns
    -------
    outputs, states, sampling_outputs, sampling_states : lists
    """
    with variable_scope(scope or "dnn_decoder"):
        states: list[Any] = [initial_state]
        said: list[Any] = []
        with variable_scope("rnn") as inner:
            for i, x in enumerate(decoder_inputs):
                if i:
                    inner.reuse_variables()
                out, state = cell(x, states[-1])
                said.append(out)
                states.append(state)
            # its first output is the other's; its second step begins, as TensorFlow's, with the
            # first state again
            free, free_states = said[:1], [initial_state, initial_state]
            for _ in decoder_inputs[1:]:
                out, state = cell(free[-1], free_states[-1])
                free.append(out)
                free_states.append(state)
    return said, states, free, free_states


def rnn_seq2seq(
    encoder_inputs: list[Any], decoder_inputs: list[Any], encoder_cell: RNNCell,
    decoder_cell: RNNCell | None = None, dtype: Any = "float32", scope: Any = None,
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:  # fmt: skip
    """A decoder that begins with the state an encoder ends with: see `rnn_decoder`."""
    with variable_scope(scope or "rnn_seq2seq"):
        _, last = static_rnn(encoder_cell, encoder_inputs, dtype=dtype)
        return rnn_decoder(decoder_inputs, last, decoder_cell or encoder_cell)
