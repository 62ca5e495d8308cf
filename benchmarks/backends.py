"""The backends: array functions under one set of names, and how each runs a workload.

`Tf1` is ordinary TensorFlow 1 code: under graphc and under TensorFlow's compatibility module it is
the same source. JAX jits a functional step with donated buffers; PyTorch runs eagerly, or through
``torch.compile``; ONNX Runtime runs forward passes alone.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from workloads import Workload, data

Run = Callable[[], Any]


class Tf1:
    """graphc or TensorFlow's graphs and sessions."""

    def __init__(self, module: str, threads: int) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        tf = self.tf = importlib.import_module(module)
        if hasattr(tf, "disable_v2_behavior"):
            tf.disable_v2_behavior()
        self.config = tf.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
        )
        self.version = tf.__version__
        self.relu, self.tanh, self.sigmoid = tf.nn.relu, tf.tanh, tf.sigmoid
        self.exp, self.log, self.sqrt, self.rsqrt = tf.exp, tf.log, tf.sqrt, tf.rsqrt
        self.sum, self.mean = tf.reduce_sum, tf.reduce_mean
        self.concat, self.reshape, self.transpose = tf.concat, tf.reshape, tf.transpose
        self.softmax, self.zeros = tf.nn.softmax, tf.zeros

    def split(self, x: Any, parts: int, axis: int) -> Any:
        return self.tf.split(x, parts, axis=axis)

    def unstack(self, x: Any, axis: int) -> Any:
        return self.tf.unstack(x, axis=axis)

    def conv(self, x: Any, kernel: Any) -> Any:
        return self.tf.nn.conv2d(x, kernel, strides=[1, 1, 1, 1], padding="SAME")

    def max_pool(self, x: Any) -> Any:
        return self.tf.nn.max_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        f = self.tf.nn.sparse_softmax_cross_entropy_with_logits
        return self.tf.reduce_mean(f(labels=labels, logits=logits))

    def sigmoid_cross_entropy(self, logits: Any, labels: Any) -> Any:
        return self.tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

    def run(self, w: Workload) -> Run:
        sess, fetch, feed = self.session(w)
        if w.kind == "train":
            return lambda: float(sess.run(fetch, feed)[0])
        return lambda: sess.run(fetch, feed)

    def session(self, w: Workload) -> tuple[Any, Any, dict[Any, Any]]:
        """A session with what a call of a workload fetches and feeds."""
        tf = self.tf
        params, batch = data(w)
        fed = {n: tf.placeholder(a.dtype, a.shape, name=n) for n, a in batch.items()}
        first = {n: tf.placeholder(a.dtype, a.shape) for n, a in params.items()}
        state = {n: tf.Variable(first[n], trainable=w.kind == "train", name=n) for n in params}
        result = w.compute(self, state, fed)
        fetch = result
        if w.kind == "train":
            name, rate = w.optimizer
            make = {"sgd": tf.train.GradientDescentOptimizer, "adam": tf.train.AdamOptimizer}[name]
            fetch = [result, make(rate).minimize(result)]
        sess = tf.Session(config=self.config)
        sess.run(tf.global_variables_initializer(), {first[n]: a for n, a in params.items()})
        return sess, fetch, {fed[n]: a for n, a in batch.items()}


class Jax:
    """jax.jit."""

    def __init__(self, threads: int) -> None:
        import jax
        import jax.numpy as jnp

        self.jax, self.np, self.version = jax, jnp, jax.__version__
        self.relu, self.sigmoid, self.tanh = jax.nn.relu, jax.nn.sigmoid, jnp.tanh
        self.exp, self.log, self.sqrt, self.rsqrt = jnp.exp, jnp.log, jnp.sqrt, jax.lax.rsqrt
        self.sum, self.concat = jnp.sum, jnp.concatenate
        self.reshape, self.transpose, self.split = jnp.reshape, jnp.transpose, jnp.split
        self.softmax, self.zeros = jax.nn.softmax, jnp.zeros

    def mean(self, x: Any, axis: int, keepdims: bool = False) -> Any:
        return self.np.mean(x, axis, keepdims=keepdims)

    def unstack(self, x: Any, axis: int) -> Any:
        return [self.np.take(x, i, axis) for i in range(x.shape[axis])]

    def conv(self, x: Any, kernel: Any) -> Any:
        return self.jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def max_pool(self, x: Any) -> Any:
        window = (1, 2, 2, 1)
        lax = self.jax.lax
        return lax.reduce_window(x, -np.inf, lax.max, window, window, "SAME")

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        rows = self.jax.nn.log_softmax(logits)
        return -self.np.mean(self.np.take_along_axis(rows, labels[:, None], 1))

    def sigmoid_cross_entropy(self, logits: Any, labels: Any) -> Any:
        rest = self.np.log1p(self.np.exp(-self.np.abs(logits)))
        return self.np.maximum(logits, 0) - logits * labels + rest

    def run(self, w: Workload) -> Run:
        jax, jnp = self.jax, self.np
        params, batch = data(w)
        state = {n: jnp.asarray(a) for n, a in params.items()}
        if w.kind != "train":
            f = jax.jit(lambda p, b: w.compute(self, p, b))
            return lambda: np.asarray(f(state, batch))
        name, rate = w.optimizer
        slots: Any = ()
        if name == "adam":
            slots = ({n: jnp.zeros_like(v) for n, v in state.items()},) * 2 + (jnp.zeros(()),)
            slots = jax.tree_util.tree_map(jnp.array, slots)

        def step(p: Any, s: Any, b: Any) -> Any:
            loss, g = jax.value_and_grad(lambda p: w.compute(self, p, b))(p)
            if name == "sgd":
                return {n: p[n] - rate * g[n] for n in p}, s, loss
            m = {n: 0.9 * s[0][n] + 0.1 * g[n] for n in p}
            v = {n: 0.999 * s[1][n] + 0.001 * g[n] ** 2 for n in p}
            t = s[2] + 1
            size = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            return {n: p[n] - size * m[n] / (jnp.sqrt(v[n]) + 1e-8) for n in p}, (m, v, t), loss

        compiled = jax.jit(step, donate_argnums=(0, 1))
        kept = [state, slots]

        def run() -> float:
            kept[0], kept[1], loss = compiled(kept[0], kept[1], batch)
            return float(loss)

        return run


class Torch:
    """PyTorch, eager or compiled."""

    def __init__(self, threads: int, compiled: bool = False) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch, self.compiled, self.version = torch, compiled, torch.__version__
        self.relu, self.tanh, self.sigmoid = torch.relu, torch.tanh, torch.sigmoid
        self.exp, self.log, self.sqrt, self.rsqrt = torch.exp, torch.log, torch.sqrt, torch.rsqrt
        self.sum, self.concat, self.reshape = torch.sum, torch.cat, torch.reshape
        self.transpose, self.zeros = torch.permute, torch.zeros
        self.mean = torch.mean

    def softmax(self, x: Any) -> Any:
        return self.torch.softmax(x, -1)

    def split(self, x: Any, parts: int, axis: int) -> Any:
        return self.torch.chunk(x, parts, axis)

    def unstack(self, x: Any, axis: int) -> Any:
        return self.torch.unbind(x, axis)

    def conv(self, x: Any, kernel: Any) -> Any:
        f = self.torch.nn.functional.conv2d
        made = f(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), padding="same")
        return made.permute(0, 2, 3, 1)

    def max_pool(self, x: Any) -> Any:
        pooled = self.torch.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 2)
        return pooled.permute(0, 2, 3, 1)

    def cross_entropy(self, logits: Any, labels: Any) -> Any:
        return self.torch.nn.functional.cross_entropy(logits, labels.long())

    def sigmoid_cross_entropy(self, logits: Any, labels: Any) -> Any:
        f = self.torch.nn.functional.binary_cross_entropy_with_logits
        return f(logits, labels, reduction="none")

    def run(self, w: Workload) -> Run:
        torch = self.torch
        params, batch = data(w)
        state = {n: torch.as_tensor(a).clone() for n, a in params.items()}

        def compute(p: Any, b: Any) -> Any:
            return w.compute(self, p, b)

        f = torch.compile(compute) if self.compiled else compute
        if w.kind != "train":

            def call() -> Any:
                with torch.no_grad():
                    return f(state, {n: torch.as_tensor(a) for n, a in batch.items()}).numpy()

            return call
        for v in state.values():
            v.requires_grad_(True)
        name, rate = w.optimizer
        make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[name]
        optimizer = make(state.values(), lr=rate)

        def step() -> float:
            optimizer.zero_grad(set_to_none=True)
            loss = f(state, {n: torch.as_tensor(a) for n, a in batch.items()})
            loss.backward()
            optimizer.step()
            return float(loss)

        return step


def _onnx(threads: int) -> Any:
    from onnx_backend import Onnx

    return Onnx(threads)


BACKENDS: dict[str, Callable[[int], Any]] = {
    "graphc": lambda threads: Tf1("graphc", threads),
    "tensorflow": lambda threads: Tf1("tensorflow.compat.v1", threads),
    "jax": Jax,
    "torch": Torch,
    "torch_compile": lambda threads: Torch(threads, compiled=True),
    "onnxruntime": _onnx,
}
#: Those that train nothing.
FORWARD = {"onnxruntime"}
#: The package that must be installed for a backend.
PACKAGES = {"graphc": "graphc", "tensorflow": "tensorflow", "jax": "jax", "torch": "torch",
            "torch_compile": "torch", "onnxruntime": "onnxruntime"}  # fmt: skip


def names(text: Sequence[str]) -> list[str]:
    """Backends by name; raises ValueError for one there is not."""
    for n in text:
        if n not in BACKENDS:
            raise ValueError(f"unknown backend {n!r}; there are {', '.join(BACKENDS)}")
    return list(text)
