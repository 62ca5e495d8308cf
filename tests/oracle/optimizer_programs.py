"""Programs of further optimizers, recorded with TensorFlow 1.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data_programs import error, plain

PROGRAMS: dict[str, Callable[..., Any]] = {}


def program(f: Callable[..., Any]) -> Callable[..., Any]:
    PROGRAMS[f.__name__] = f
    return f


def trained(tf: Any, np: Any, make: Callable[[], Any], sparse: bool) -> Any:
    """All variables after three steps, by name."""
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        v = tf.get_variable(
            "v", initializer=np.array([[1.0, -2.0], [3.0, 0.5], [-1.5, 2.5]], np.float32)
        )
        w = tf.get_variable("w", initializer=np.float32(0.7))
        picked = tf.gather(v, [0, 2, 0]) if sparse else v
        loss = tf.reduce_sum(tf.square(picked) * w) + tf.sin(w)
        train = make().minimize(loss, global_step=tf.train.get_global_step())
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            for _ in range(3):
                s.run(train)
            return {x.op.name: plain(s.run(x)) for x in tf.global_variables()}


@program
def contrib(tf: Any, np: Any, folder: str) -> Any:
    opt = tf.contrib.opt
    makers = {
        "nadam": lambda: opt.NadamOptimizer(0.05),
        "lazy_adam": lambda: opt.LazyAdamOptimizer(0.05),
        "adamax": lambda: opt.AdaMaxOptimizer(0.05),
        "add_sign": lambda: opt.AddSignOptimizer(0.05),
        "power_sign": lambda: opt.PowerSignOptimizer(0.05, 2.0, 0.8),
        "average": lambda: opt.MovingAverageOptimizer(tf.train.GradientDescentOptimizer(0.05), 0.9),
    }
    out: dict[str, Any] = {k: trained(tf, np, m, False) for k, m in sorted(makers.items())}
    out["lars"] = trained(tf, np, lambda: opt.LARSOptimizer(0.5), False)
    for k in ("nadam", "lazy_adam", "add_sign"):
        out[k + "_sparse"] = trained(tf, np, makers[k], True)
    return out


@program
def subclasses(tf: Any, np: Any, folder: str) -> Any:
    """Optimizers of a user's own."""

    class Plain(tf.train.Optimizer):  # type: ignore[misc,name-defined]
        def __init__(self, rate: float, name: str = "Plain") -> None:
            super().__init__(False, name)
            self._rate = rate

        def _prepare(self) -> None:
            self._rate_t = tf.convert_to_tensor(self._rate, name="rate")

        def _create_slots(self, var_list: Any) -> None:
            for v in var_list:
                self._zeros_slot(v, "seen", self._name)
                self._get_or_make_slot(v, tf.ones_like(v.initialized_value()), "one", "one")

        def _apply_dense(self, grad: Any, var: Any) -> Any:
            seen = self.get_slot(var, "seen")
            new = seen.assign(0.5 * seen + tf.abs(grad))
            step = tf.assign_sub(var, self._rate_t * grad / (new + self.get_slot(var, "one")))
            return tf.group(step, new)

        def _apply_sparse(self, grad: Any, var: Any) -> Any:
            dense = tf.convert_to_tensor(grad)
            return tf.assign_sub(var, self._rate_t * dense)

    class Resource(tf.train.GradientDescentOptimizer):  # type: ignore[misc,name-defined]
        def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
            pairs = super().compute_gradients(*args, **kwargs)
            return [(g if g is None else 2.0 * g, v) for g, v in pairs]

    return {
        "dense": trained(tf, np, lambda: Plain(0.1), False),
        "doubled": trained(tf, np, lambda: Resource(0.05), False),
        "missing": error(lambda: trained(tf, np, lambda: tf.train.Optimizer(False, "none"), False))[
            0
        ],
    }
