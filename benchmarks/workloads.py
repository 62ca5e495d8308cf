"""What is measured: each workload once, in terms of a backend's few functions.

A backend (`backends.py`) supplies array functions under one set of names, so that graphc,
TensorFlow, JAX and PyTorch compute the same numbers from the same definition. `Work` counts what
a workload cannot do without: multiply-adds of matrix products and convolutions (training: forward
and both gradients, without the gradient of the network's input), and each large array once for
each necessary read or write.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Work(NamedTuple):
    """Floating point operations and bytes moved in one call."""

    flops: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class Workload:
    """One thing to measure.

    Attributes
    ----------
    name : str
    kind : str
        ``train`` (a step of an optimizer, the loss as a float), ``op`` (inputs stay inside, the
        result comes out as a numpy array) or ``call`` (all inputs are fed each time).
    make : callable
        ``make(rng) -> (parameters, batch)``: for ``op`` the parameters are the inputs.
    compute : callable
        ``compute(backend, parameters, batch) -> loss or result``.
    work : Work
    optimizer : tuple
        Name, learning rate.
    """

    name: str
    kind: str
    make: Callable[[np.random.Generator], tuple[Arrays, Arrays]]
    compute: Callable[[Any, dict[str, Any], dict[str, Any]], Any]
    work: Work = Work(0.0, 0.0)  # noqa: RUF009 - a tuple
    optimizer: tuple[str, float] = ("sgd", 0.1)


WORKLOADS: dict[str, Workload] = {}


def data(w: Workload) -> tuple[Arrays, Arrays]:
    """Parameters and batch of a workload: the same in every process."""
    return w.make(np.random.default_rng(zlib.crc32(w.name.encode())))


def _enter(name: str, kind: str, **facts: Any) -> Callable[[Any], Any]:
    def add(compute: Any) -> Any:
        WORKLOADS[name] = Workload(name, kind, compute=compute, **facts)
        return compute

    return add


# ------------------------------------------------------------------------- parts


def _weights(rng: np.random.Generator, **shapes: tuple[int, ...]) -> Arrays:
    """Normal weights scaled by their fan-in; zeros for vectors."""
    out = {}
    for name, shape in shapes.items():
        scale = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0
        out[name] = (scale * rng.standard_normal(shape)).astype(np.float32)
    return out


def _images(batch: int, *shape: int) -> Callable[[np.random.Generator], Arrays]:
    def make(rng: np.random.Generator) -> Arrays:
        x = rng.random((batch, *shape), dtype=np.float32)
        return {"x": x, "y": rng.integers(0, 10, batch).astype(np.int32)}

    return make


def _with(batch: Callable[[np.random.Generator], Arrays], **shapes: tuple[int, ...]) -> Any:
    return lambda rng: (_weights(rng, **shapes), batch(rng))


def _products(*sizes: tuple[int, int, int]) -> float:
    return sum(2.0 * m * k * n for m, k, n in sizes)


def _dense(x: Any, w: Any, b: Any) -> Any:
    return x @ w + b


def _adam(*shapes: tuple[int, ...]) -> float:
    """Bytes of an update by Adam: parameter, gradient and two slots read, all but one written."""
    return 4.0 * 7 * sum(int(np.prod(s)) for s in shapes)


# ------------------------------------------------------------------------- training


@_enter(
    "mlp_small_train", "train",
    make=_with(_images(32, 64), w1=(64, 32), b1=(32,), w2=(32, 10), b2=(10,)),
    work=Work(2 * _products((32, 64, 32)) + 3 * _products((32, 32, 10))),
)  # fmt: skip
def _mlp_small(k: Any, p: Any, b: Any) -> Any:
    return k.cross_entropy(
        _dense(k.relu(_dense(b["x"], p["w1"], p["b1"])), p["w2"], p["b2"]), b["y"]
    )


_MLP = {"w1": (784, 1024), "b1": (1024,), "w2": (1024, 1024), "b2": (1024,), "w3": (1024, 10),
        "b3": (10,)}  # fmt: skip


def _mlp_logits(k: Any, p: Any, x: Any) -> Any:
    h = k.relu(_dense(x, p["w1"], p["b1"]))
    h = k.relu(_dense(h, p["w2"], p["b2"]))
    return _dense(h, p["w3"], p["b3"])


@_enter(
    "mlp_train", "train", make=_with(_images(128, 784), **_MLP), optimizer=("adam", 1e-4),
    work=Work(
        2 * _products((128, 784, 1024)) + 3 * _products((128, 1024, 1024), (128, 1024, 10)),
        _adam(*_MLP.values()),
    ),
)  # fmt: skip
def _mlp(k: Any, p: Any, b: Any) -> Any:
    return k.cross_entropy(_mlp_logits(k, p, b["x"]), b["y"])


_LENET = {"k1": (5, 5, 1, 32), "c1": (32,), "k2": (5, 5, 32, 64), "c2": (64,),
          "w1": (3136, 1024), "b1": (1024,), "w2": (1024, 10), "b2": (10,)}  # fmt: skip
_CONV_1, _CONV_2 = (784, 25, 32), (196, 25 * 32, 64)  # as matrix products of one image


def _lenet_logits(k: Any, p: Any, x: Any) -> Any:
    h = k.max_pool(k.relu(k.conv(x, p["k1"]) + p["c1"]))
    h = k.max_pool(k.relu(k.conv(h, p["k2"]) + p["c2"]))
    h = k.relu(_dense(k.reshape(h, (-1, 3136)), p["w1"], p["b1"]))
    return _dense(h, p["w2"], p["b2"])


@_enter(
    "lenet_train", "train", make=_with(_images(64, 28, 28, 1), **_LENET), optimizer=("adam", 1e-4),
    work=Work(
        64 * (2 * _products(_CONV_1) + 3 * _products(_CONV_2))
        + 3 * _products((64, 3136, 1024), (64, 1024, 10)),
        _adam(*_LENET.values()),
    ),
)  # fmt: skip
def _lenet(k: Any, p: Any, b: Any) -> Any:
    return k.cross_entropy(_lenet_logits(k, p, b["x"]), b["y"])


_LSTM = {"w": (156, 512), "b": (512,), "wo": (128, 10), "bo": (10,)}


@_enter(
    "lstm_train", "train", make=_with(_images(128, 28, 28), **_LSTM), optimizer=("adam", 1e-3),
    work=Work(
        28 * (2 * _products((128, 28, 512)) + 3 * _products((128, 128, 512)))
        + 3 * _products((128, 128, 10)),
        _adam(*_LSTM.values()),
    ),
)  # fmt: skip
def _lstm(k: Any, p: Any, b: Any) -> Any:
    c = h = k.zeros((128, 128))
    for x in k.unstack(b["x"], 1):
        i, j, f, o = k.split(_dense(k.concat([x, h], 1), p["w"], p["b"]), 4, 1)
        c = c * k.sigmoid(f + 1.0) + k.sigmoid(i) * k.tanh(j)
        h = k.tanh(c) * k.sigmoid(o)
    return k.cross_entropy(_dense(h, p["wo"], p["bo"]), b["y"])


_VAE = {"we": (784, 400), "be": (400,), "wm": (400, 20), "bm": (20,), "wv": (400, 20),
        "bv": (20,), "wd": (20, 400), "bd": (400,), "wr": (400, 784), "br": (784,)}  # fmt: skip


def _noisy(rng: np.random.Generator) -> Arrays:
    x = rng.random((128, 784), dtype=np.float32)
    return {"x": x, "noise": rng.standard_normal((128, 20)).astype(np.float32)}


@_enter(
    "vae_train", "train", make=_with(_noisy, **_VAE), optimizer=("adam", 1e-3),
    work=Work(
        2 * _products((128, 784, 400))
        + 3 * _products((128, 400, 20), (128, 400, 20), (128, 20, 400), (128, 400, 784)),
        _adam(*_VAE.values()),
    ),
)  # fmt: skip
def _vae(k: Any, p: Any, b: Any) -> Any:
    h = k.relu(_dense(b["x"], p["we"], p["be"]))
    mean, spread = _dense(h, p["wm"], p["bm"]), _dense(h, p["wv"], p["bv"])
    z = mean + k.exp(0.5 * spread) * b["noise"]
    logits = _dense(k.relu(_dense(z, p["wd"], p["bd"])), p["wr"], p["br"])
    loss = k.sum(k.sigmoid_cross_entropy(logits, b["x"]), 1)
    loss = loss - 0.5 * k.sum(1.0 + spread - mean * mean - k.exp(spread), 1)
    return k.mean(loss, 0)


_BLOCK = {"g1": (256,), "o1": (256,), "wqkv": (256, 768), "bqkv": (768,), "wo": (256, 256),
          "bo": (256,), "g2": (256,), "o2": (256,), "w1": (256, 1024), "b1": (1024,),
          "w2": (1024, 256), "b2": (256,)}  # fmt: skip


def _tokens(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    p = _weights(rng, **_BLOCK)
    p |= {g: np.ones(256, np.float32) for g in ("g1", "g2")}
    return p, {n: rng.standard_normal((8, 128, 256)).astype(np.float32) for n in ("x", "t")}


def _layer_norm(k: Any, x: Any, gain: Any, bias: Any) -> Any:
    centred = x - k.mean(x, -1, True)
    return centred * k.rsqrt(k.mean(centred * centred, -1, True) + 1e-5) * gain + bias


@_enter(
    "transformer_train", "train", make=_tokens,
    work=Work(
        3 * _products((1024, 256, 768), (1024, 256, 256), (1024, 256, 1024), (1024, 1024, 256))
        + 3 * 32 * _products((128, 64, 128), (128, 128, 64)),
        4.0 * 3 * sum(int(np.prod(s)) for s in _BLOCK.values()),
    ),
)  # fmt: skip
def _transformer(k: Any, p: Any, b: Any) -> Any:
    x = k.reshape(b["x"], (1024, 256))
    qkv = _dense(_layer_norm(k, x, p["g1"], p["o1"]), p["wqkv"], p["bqkv"])
    heads = [k.transpose(k.reshape(t, (8, 128, 4, 64)), (0, 2, 1, 3)) for t in k.split(qkv, 3, 1)]
    attention = k.softmax((heads[0] @ k.transpose(heads[1], (0, 1, 3, 2))) * 0.125)
    mixed = k.reshape(k.transpose(attention @ heads[2], (0, 2, 1, 3)), (1024, 256))
    x = x + _dense(mixed, p["wo"], p["bo"])
    h = _dense(_layer_norm(k, x, p["g2"], p["o2"]), p["w1"], p["b1"])
    h = 0.5 * h * (1.0 + k.tanh(0.7978845608 * (h + 0.044715 * h * h * h)))
    error = x + _dense(h, p["w2"], p["b2"]) - k.reshape(b["t"], (1024, 256))
    return k.mean(k.mean(error * error, 1), 0)


# ------------------------------------------------------------------------- single operations

_ROWS = 4.0 * 8192 * 1024


def _options(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    s = rng.uniform(50, 150, (8192, 1024)).astype(np.float32)
    strike = rng.uniform(80, 120, (1, 1024)).astype(np.float32)
    return {"s": s, "k": strike, "t": rng.uniform(0.25, 2, (8192, 1)).astype(np.float32)}, {}


def _prices(k: Any, p: Any) -> Any:
    """Black-Scholes prices of call options, with the normal distribution's tanh approximation."""

    def cdf(x: Any) -> Any:
        return 0.5 * (1.0 + k.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))

    spread = 0.25 * k.sqrt(p["t"])
    d = (k.log(p["s"] / p["k"]) + 0.06125 * p["t"]) / spread
    return p["s"] * cdf(d) - p["k"] * k.exp(-0.03 * p["t"]) * cdf(d - spread)


@_enter("elementwise", "op", make=_options, work=Work(0, 2 * _ROWS))
def _elementwise(k: Any, p: Any, b: Any) -> Any:
    return _prices(k, p)


@_enter("elementwise_mean", "op", make=_options, work=Work(0, _ROWS))
def _elementwise_mean(k: Any, p: Any, b: Any) -> Any:
    return k.mean(k.mean(_prices(k, p), 1), 0)


def _rows(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
    x = (3 * rng.standard_normal((8192, 1024))).astype(np.float32)
    return {"x": x, "gain": np.ones(1024, np.float32), "bias": np.zeros(1024, np.float32)}, {}


@_enter("softmax", "op", make=_rows, work=Work(0, 2 * _ROWS))
def _softmax(k: Any, p: Any, b: Any) -> Any:
    return k.softmax(p["x"])


@_enter("layer_norm", "op", make=_rows, work=Work(0, 2 * _ROWS))
def _norm(k: Any, p: Any, b: Any) -> Any:
    return _layer_norm(k, p["x"], p["gain"], p["bias"])


for _name, _axis in (("sum_rows", 1), ("sum_columns", 0)):
    _enter(_name, "op", make=_rows, work=Work(0, _ROWS))(
        lambda k, p, b, axis=_axis: k.sum(p["x"], axis)
    )


def _square(m: int, k: int, n: int) -> Any:
    def make(rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        a, b = (rng.standard_normal(s).astype(np.float32) for s in ((m, k), (k, n)))
        return {"a": a, "b": b}, {}

    return make


for _m, _k, _n in ((32, 64, 32), (64,) * 3, (256,) * 3, (1024,) * 3, (2048,) * 3, (1, 1024, 1024)):
    _name = f"matmul_{_m}" if _m == _k == _n else f"matmul_{_m}x{_k}x{_n}"
    _traffic = 4.0 * _k * _n if _m == 1 else 0.0
    _enter(_name, "op", make=_square(_m, _k, _n), work=Work(_products((_m, _k, _n)), _traffic))(
        lambda k, p, b: p["a"] @ p["b"]
    )


# ------------------------------------------------------------------------- calls


@_enter("overhead", "call", make=lambda rng: ({"a": np.float32(1.5)}, {"x": np.float32(2)}))
def _overhead(k: Any, p: Any, b: Any) -> Any:
    return p["a"] * b["x"] + 0.25


def _one_image(*shape: int) -> Callable[[np.random.Generator], Arrays]:
    return lambda rng: {"x": rng.random((1, *shape), dtype=np.float32)}


@_enter(
    "infer_mlp", "call", make=_with(_one_image(784), **_MLP),
    work=Work(_products((1, 784, 1024), (1, 1024, 1024), (1, 1024, 10)),
              4.0 * sum(int(np.prod(s)) for s in _MLP.values())),
)  # fmt: skip
def _infer_mlp(k: Any, p: Any, b: Any) -> Any:
    return _mlp_logits(k, p, b["x"])


@_enter(
    "infer_lenet", "call", make=_with(_one_image(28, 28, 1), **_LENET),
    work=Work(_products(_CONV_1, _CONV_2, (1, 3136, 1024), (1, 1024, 10)),
              4.0 * sum(int(np.prod(s)) for s in _LENET.values())),
)  # fmt: skip
def _infer_lenet(k: Any, p: Any, b: Any) -> Any:
    return _lenet_logits(k, p, b["x"])
