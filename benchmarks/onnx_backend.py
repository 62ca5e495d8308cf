"""ONNX Runtime as a backend: a workload's arrays record an ONNX model, a session runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from workloads import Workload, data

OPSET = 17


class Recorded:
    """An array of the model: operators on it add nodes."""

    def __init__(self, model: Onnx, name: str) -> None:
        self.model, self.name = model, name

    def __add__(self, other: Any) -> Recorded:
        return self.model.node("Add", self, other)

    def __radd__(self, other: Any) -> Recorded:
        return self.model.node("Add", other, self)

    def __sub__(self, other: Any) -> Recorded:
        return self.model.node("Sub", self, other)

    def __mul__(self, other: Any) -> Recorded:
        return self.model.node("Mul", self, other)

    def __rmul__(self, other: Any) -> Recorded:
        return self.model.node("Mul", other, self)

    def __truediv__(self, other: Any) -> Recorded:
        return self.model.node("Div", self, other)

    def __matmul__(self, other: Any) -> Recorded:
        return self.model.node("MatMul", self, other)


class Onnx:
    """The functions that workloads use, as nodes of an ONNX model; forward passes only."""

    def __init__(self, threads: int) -> None:
        import onnx
        import onnxruntime

        self.onnx, self.runtime, self.threads = onnx, onnxruntime, threads
        self.version = onnxruntime.__version__
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, op: str, *inputs: Any, **attrs: Any) -> Recorded:
        """A node of one result; numbers and arrays among the inputs become constants."""
        names = [x.name if isinstance(x, Recorded) else self.constant(x).name for x in inputs]
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(op, names, [name], **attrs))
        return Recorded(self, name)

    def constant(self, value: Any, name: str = "") -> Recorded:
        """An array that is part of the model: float32 where it is of floats."""
        a = np.asarray(value)
        a = a.astype(np.float32) if a.dtype.kind == "f" else a
        name = name or f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(a, name))
        return Recorded(self, name)

    def relu(self, x: Recorded) -> Recorded:
        return self.node("Relu", x)

    def tanh(self, x: Recorded) -> Recorded:
        return self.node("Tanh", x)

    def exp(self, x: Recorded) -> Recorded:
        return self.node("Exp", x)

    def log(self, x: Recorded) -> Recorded:
        return self.node("Log", x)

    def sqrt(self, x: Recorded) -> Recorded:
        return self.node("Sqrt", x)

    def rsqrt(self, x: Recorded) -> Recorded:
        return self.node("Reciprocal", self.sqrt(x))

    def softmax(self, x: Recorded) -> Recorded:
        return self.node("Softmax", x, axis=-1)

    def sum(self, x: Recorded, axis: int) -> Recorded:
        return self.node("ReduceSum", x, np.array([axis]), keepdims=0)

    def mean(self, x: Recorded, axis: int, keepdims: bool = False) -> Recorded:
        return self.node("ReduceMean", x, axes=[axis], keepdims=int(keepdims))

    def reshape(self, x: Recorded, shape: Sequence[int]) -> Recorded:
        return self.node("Reshape", x, np.array(shape))

    def transpose(self, x: Recorded, order: Sequence[int]) -> Recorded:
        return self.node("Transpose", x, perm=list(order))

    def conv(self, x: Recorded, kernel: Recorded) -> Recorded:
        image, weights = self.transpose(x, (0, 3, 1, 2)), self.transpose(kernel, (3, 2, 0, 1))
        made = self.node("Conv", image, weights, auto_pad="SAME_UPPER")
        return self.transpose(made, (0, 2, 3, 1))

    def max_pool(self, x: Recorded) -> Recorded:
        image = self.transpose(x, (0, 3, 1, 2))
        made = self.node("MaxPool", image, kernel_shape=[2, 2], strides=[2, 2])
        return self.transpose(made, (0, 2, 3, 1))

    def run(self, w: Workload) -> Callable[[], Any]:
        """A call of the workload: its parameters are constants of the model, its batch is fed.

        A single operation would be computed when the model is loaded, if all it reads were
        constant: its arrays are bound once, as memory that the runtime reads where it is.
        """
        params, batch = data(w)
        if w.kind == "train":
            raise ValueError("ONNX Runtime trains nothing here")
        fixed = {} if w.kind == "op" else params
        fed = {**(params if w.kind == "op" else {}), **batch}
        fed = {n: np.asarray(a) for n, a in fed.items()}
        constants = {n: self.constant(a, n) for n, a in fixed.items()}
        inputs = {n: Recorded(self, n) for n in fed}
        own = {n: (constants | inputs)[n] for n in params}
        result = w.compute(self, own, {n: inputs[n] for n in batch})
        session = self.session(result.name, fed)
        if w.kind != "op":
            return lambda: session.run(None, fed)[0]
        bound = session.io_binding()
        for n, a in fed.items():
            bound.bind_ortvalue_input(n, self.runtime.OrtValue.ortvalue_from_numpy(a))
        bound.bind_output(result.name)

        def call() -> Any:
            session.run_with_iobinding(bound)
            return bound.get_outputs()[0].numpy()

        return call

    def session(self, result: str, fed: dict[str, Any]) -> Any:
        """A session of what was recorded."""
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        made = helper.make_graph(
            self.nodes, "workload",
            [helper.make_tensor_value_info(n, kinds.FLOAT, np.shape(a)) for n, a in fed.items()],
            [helper.make_tensor_value_info(result, kinds.FLOAT, None)], self.constants,
        )  # fmt: skip
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(made, opset_imports=opset, ir_version=8)
        options = self.runtime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = self.threads, 3
        providers = ["CPUExecutionProvider"]
        return self.runtime.InferenceSession(model.SerializeToString(), options, providers)
