"""Linear operators count TensorFlow 1.15's operations where it knows their shapes."""

from __future__ import annotations

from typing import Any

import pytest

import graphc as tf

KINDS = {
    "identity": (lambda: tf.linalg.LinearOperatorIdentity(2), 1),
    "scaled": (lambda: tf.linalg.LinearOperatorScaledIdentity(2, tf.constant(2.0)), 4),
    "diag": (lambda: tf.linalg.LinearOperatorDiag([[1.0, 2.0]] * 3), 1),
    "lower": (lambda: tf.linalg.LinearOperatorLowerTriangular([[1.0, 2.0], [3.0, 4.0]]), 1),
}
VALUES = {"batch_shape_tensor": [], "range_dimension_tensor": 2, "tensor_rank_tensor": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_that_are_known_are_one_constant(kind: str) -> None:
    make, expected = KINDS[kind]
    with tf.Graph().as_default() as graph, tf.Session() as session:
        operator: Any = make()
        assert graph.version == expected
        names = [*VALUES, "domain_dimension_tensor", "shape_tensor"]
        sizes = {name: getattr(operator, name)() for name in names}
        assert graph.version == expected + len(sizes)
        if kind != "diag":
            assert {n: session.run(sizes[n]).tolist() for n in VALUES} == VALUES
