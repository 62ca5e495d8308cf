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


START = [[1.0, -2.0], [3.0, 0.5], [-1.5, 2.5], [0.25, -0.75]]
PICKED = [[0, 2, 0], [1], [], [3, 3, 3, 0], [2, 1]]


def rows_trained(tf: Any, np: Any, make: Callable[[], Any], keras: bool = False) -> Any:
    """All variables of an optimizer after steps that look up a table twice."""
    with tf.Graph().as_default():
        v = tf.Variable(np.array(START, np.float32), name="v", use_resource=keras)
        ids = tf.placeholder(tf.int32, [None])
        loss = tf.reduce_sum(tf.square(tf.nn.embedding_lookup(v, ids) - 0.3))
        loss += tf.reduce_sum(tf.sin(tf.gather(v, ids[:2])))
        opt = make()
        train = opt.apply_gradients([(tf.gradients(loss, [v])[0], v)])
        with tf.Session() as s:
            s.run(tf.global_variables_initializer())
            for picked in PICKED:
                s.run(train, {ids: np.array(picked, np.int32)})
            made = [x for x in opt.variables() if x.shape.ndims]
            return [plain(s.run(v)), *[plain(s.run(x)) for x in made]]


@program
def sparse(tf: Any, np: Any, folder: str) -> Any:
    """Repeated and empty indices, two lookups of one table."""
    train, opt = tf.train, tf.contrib.opt
    makers = {
        "descent": lambda: train.GradientDescentOptimizer(0.1),
        "momentum": lambda: train.MomentumOptimizer(0.1, 0.9),
        "nesterov": lambda: train.MomentumOptimizer(0.1, 0.9, use_nesterov=True),
        "adagrad": lambda: train.AdagradOptimizer(0.1),
        "adagrad_da": lambda: train.AdagradDAOptimizer(
            0.1,
            tf.train.get_or_create_global_step(),
            l1_regularization_strength=0.01,
            l2_regularization_strength=0.02,
        ),
        "adadelta": lambda: train.AdadeltaOptimizer(0.5),
        "rmsprop": lambda: train.RMSPropOptimizer(0.1, momentum=0.5),
        "centered": lambda: train.RMSPropOptimizer(0.01, momentum=0.5, centered=True),
        "adam": lambda: train.AdamOptimizer(0.1),
        "ftrl": lambda: train.FtrlOptimizer(
            0.1, l1_regularization_strength=0.05, l2_regularization_strength=0.02
        ),
        "ftrl_power": lambda: train.FtrlOptimizer(0.1, learning_rate_power=-0.6),
        "ftrl_shrinkage": lambda: train.FtrlOptimizer(
            0.1, l2_shrinkage_regularization_strength=0.1
        ),
        "proximal": lambda: train.ProximalGradientDescentOptimizer(0.1, 0.01, 0.02),
        "proximal_adagrad": lambda: train.ProximalAdagradOptimizer(0.1, 0.1, 0.01, 0.02),
        "lazy_adam": lambda: opt.LazyAdamOptimizer(0.1),
        "adamax": lambda: opt.AdaMaxOptimizer(0.1),
        "nadam": lambda: opt.NadamOptimizer(0.1),
        "add_sign": lambda: opt.AddSignOptimizer(0.1),
        "power_sign": lambda: opt.PowerSignOptimizer(0.1),
    }
    return {k: rows_trained(tf, np, m) for k, m in sorted(makers.items())}


@program
def keras_sparse(tf: Any, np: Any, folder: str) -> Any:
    """The same with the optimizers of Keras."""
    made = tf.keras.optimizers
    makers = {
        "sgd": lambda: made.SGD(0.1),
        "momentum": lambda: made.SGD(0.1, momentum=0.9),
        "nesterov": lambda: made.SGD(0.1, momentum=0.9, nesterov=True),
        "adagrad": lambda: made.Adagrad(0.1),
        "adadelta": lambda: made.Adadelta(0.5),
        "rmsprop": lambda: made.RMSprop(0.1),
        "rmsprop_momentum": lambda: made.RMSprop(0.1, momentum=0.5),
        "rmsprop_centered": lambda: made.RMSprop(0.01, momentum=0.5, centered=True),
        "adam": lambda: made.Adam(0.1),
        "amsgrad": lambda: made.Adam(0.1, amsgrad=True),
        "adamax": lambda: made.Adamax(0.1),
        "nadam": lambda: made.Nadam(0.1),
        "ftrl": lambda: made.Ftrl(0.1),
    }
    return {k: rows_trained(tf, np, m, True) for k, m in sorted(makers.items())}
