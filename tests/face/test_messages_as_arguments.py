"""Types by TensorFlow's numbers, shapes from messages, and messages without native code."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

import graphc as tf


def test_types_by_number() -> None:
    assert tf.DType(1) is tf.float32
    assert tf.DType(101) == tf.float32._as_ref
    assert tf.DType(20) is tf.resource
    for wrong in (0, 99, 199, 200):
        with pytest.raises(TypeError, match="type_enum is not a valid"):
            tf.DType(wrong)
    odd: Any = tf.float32
    with pytest.raises(TypeError):
        tf.DType(odd)
    with pytest.raises(TypeError, match="no tensors of the type resource"):
        tf.as_dtype(20)


def test_shapes_from_messages() -> None:
    pytest.importorskip("tensorboard")
    for dims in ([2, None, 3], [], None):
        shape = tf.TensorShape(dims)
        again = tf.TensorShape(shape.as_proto())
        assert again.as_proto() == shape.as_proto()
        assert str(again) == str(shape)


def test_what_types_of_operations_there_are() -> None:
    from graphc.face.op_defs import get_registered_ops

    known = get_registered_ops()
    sources = {n for n, d in known.items() if d.is_stateful and not d.input_arg}
    assert {"VarHandleOp", "VariableV2", "HashTableV2", "Timestamp"} <= sources
    assert not {"RandomUniform", "MatMul", "QueueDequeueV2", "LookupTableSizeV2"} & sources
    known.clear()
    assert "MatMul" in get_registered_ops()


def test_messages_with_protobuf_written_in_python() -> None:
    """Programs with messages generated in TensorFlow 1's days need this setting."""
    pytest.importorskip("tensorboard")
    code = (
        "import graphc as tf; from graphc.proto import message; "
        "e = tf.train.Example(); e.features.feature['a'].int64_list.value.append(3); "
        "print(tf.train.Example.FromString(e.SerializeToString()) == e, "
        "message('SavedModel')().ByteSize())"
    )
    python = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    done = subprocess.run([sys.executable, "-c", code], env=python, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "0"], done.stderr
