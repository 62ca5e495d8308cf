"""The normal equations, a solve, a determinant, eigenvalues, PCA by SVD."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(35)
a = rng.randn(12, 3)
b = rng.randn(12, 1)
A, B = tf.constant(a), tf.constant(b)
tA = tf.transpose(A)
normal = tf.matmul(tf.matmul(tf.matrix_inverse(tf.matmul(tA, A)), tA), B)
solved = tf.matrix_solve(tf.matmul(tA, A), tf.matmul(tA, B))
chol = tf.cholesky(tf.matmul(tA, A))
back = tf.matrix_triangular_solve(
    tf.transpose(chol), tf.matrix_triangular_solve(chol, tf.matmul(tA, B)), lower=False
)
det = tf.matrix_determinant(tf.matmul(tA, A))
values = tf.self_adjoint_eig(tf.matmul(tA, A))[0]
s, u, v = tf.svd(A - tf.reduce_mean(A, 0, keepdims=True))
part = tf.diag([1.0, 2.0])
with tf.Session() as sess:
    RESULT = dict(
        zip(
            ["normal", "solved", "back", "det", "values", "s", "part"],
            sess.run([normal, solved, back, det, values, s, part]),
        )
    )
    rebuilt = sess.run(tf.matmul(u * s, v, adjoint_b=True))
RESULT["close"] = bool(np.allclose(rebuilt, a - a.mean(0)))
