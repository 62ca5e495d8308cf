"""Users' subclasses of linear operators reach into these methods of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as tf

M = np.array([[2.0, 1.0], [0.0, 3.0]])
X = np.array([[1.0, -1.0], [4.0, 5.0], [0.5, 2.0]])


class _Extras:
    """A product that names, checks and multiplies by itself."""

    def matmul(
        self: Any, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul"
    ) -> Any:
        with self._name_scope(name):
            x = tf.convert_to_tensor(x, name="x")
            self._check_input_dtype(x)
            return self._matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)


class Full(_Extras, tf.linalg.LinearOperatorFullMatrix):  # type: ignore[misc]
    pass


class Diag(_Extras, tf.linalg.LinearOperatorDiag):  # type: ignore[misc]
    pass


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("adjoint_arg", [False, True])
def test_products(adjoint: bool, adjoint_arg: bool) -> None:
    x = X if adjoint_arg else X.T
    with tf.Graph().as_default(), tf.Session() as s:
        for op, dense in ((Full(M), M), (Diag([2.0, 5.0]), np.diag([2.0, 5.0]))):
            given = x.astype(dense.dtype if isinstance(op, Full) else np.float32)
            y = op.matmul(given, adjoint=adjoint, adjoint_arg=adjoint_arg)
            assert "/matmul/" in y.name
            want = (dense.T if adjoint else dense) @ X.T
            np.testing.assert_allclose(s.run(y), want, rtol=1e-6)
            with pytest.raises(TypeError, match="Expected argument to have dtype"):
                op.matmul(np.ones((2, 1), np.int32))
