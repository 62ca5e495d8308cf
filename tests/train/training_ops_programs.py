"""Steps of optimizers as single operations: `record_training_ops.py` asks TensorFlow 1.15."""

import inspect

import numpy as np

DENSE = (
    "ada_max adadelta adagrad adagrad_da adagrad_v2 adam adam_with_amsgrad add_sign "
    "centered_rms_prop ftrl ftrl_v2 gradient_descent keras_momentum momentum power_sign "
    "proximal_adagrad proximal_gradient_descent rms_prop"
).split()
SPARSE = (
    "adadelta adagrad adagrad_da adagrad_v2 centered_rms_prop ftrl ftrl_v2 keras_momentum "
    "momentum proximal_adagrad proximal_gradient_descent rms_prop"
).split()
NAMES = ["resource_apply_" + n for n in DENSE] + ["resource_sparse_apply_" + n for n in SPARSE]
NAMES += ["apply_adam", "apply_momentum", "sparse_apply_adagrad"]

#: Inputs of each kind: variables beside the trained one, and numbers.
SLOTS = (
    "m v vhat accum accum_update gradient_accumulator gradient_squared_accumulator mg ms mom linear"
).split()
NUMBERS = {
    "beta1_power": 0.81, "beta2_power": 0.98, "lr": 0.1, "beta1": 0.9, "beta2": 0.99,
    "epsilon": 1e-3, "rho": 0.9, "l1": 0.01, "l2": 0.1, "global_step": 3, "alpha": 0.2,
    "sign_decay": 0.5, "beta": 0.9, "momentum": 0.8, "lr_power": -0.5, "l2_shrinkage": 0.05,
    "logbase": 0.7,
}  # fmt: skip


def observe(tf, module, name, args):
    """The variables after two steps; with the option of the operation also the other way."""
    out = []
    for option in [{}] + [{k: v} for k, v in (("use_nesterov", True), ("update_slots", False))
                          if k in args]:  # fmt: skip
        tf.reset_default_graph()
        resource = name.startswith("resource")
        var = tf.Variable([[1.0, -2.0], [0.5, 3.0], [-0.3, 0.2]], name="var", use_resource=resource)
        held, given = [var], {}
        grad = np.array([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.6]], "f")
        for a in args:
            if a in SLOTS:
                held.append(tf.Variable(tf.fill([3, 2], 0.1 * len(held)), name=a,
                                        use_resource=resource))  # fmt: skip
        left = iter(held)
        for a in args:
            if a == "var" or a in SLOTS:
                v = next(left)
                given[a] = v.handle if resource else v._ref()
            elif a in NUMBERS:
                given[a] = NUMBERS[a]
            elif a == "indices":
                given[a] = [2, 0]
            elif a in ("grad", "delta"):
                given[a] = grad[:2] if "indices" in args else grad
        given.update(option)
        done = getattr(module, name)(name="step", **given)
        assert isinstance(done, tf.Operation) == resource
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(2):
                sess.run(done)
            out.append([sess.run(v).tolist() for v in held])
        out.append(getattr(done, "name", None))
    return out


def arguments(module, name):
    """Names of a function's arguments, as TensorFlow's function has them."""
    return list(inspect.signature(getattr(module, name)).parameters)
