"""Optimizers of Keras that programs define: `record.py` writes down what TensorFlow 1.15 says."""

import re

import numpy as np
from keras_programs import pattern
from recorded import plain

PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def observe(tf, f):
    """What a program says: rows of text and of numbers."""
    tf.keras.backend.clear_session()
    tf.reset_default_graph()
    out = []
    f(tf, out.append)
    return [plain(x) for x in out]


def error(f, *args, **kwargs):
    """The type of the error that a call raises, and the first line of its message."""
    try:
        return repr(f(*args, **kwargs))
    except Exception as e:
        return [type(e).__name__, str(e).split("\n")[0]]


def trained(tf, say, optimizer, epochs=3):
    """Fit a small net with rows of a table (some of them twice), and say all it has then."""
    L = tf.keras.layers
    ids = tf.keras.Input((2,), dtype="int32", name="ids")
    h = L.Flatten(name="flat")(L.Embedding(5, 2, name="table")(ids))
    out = L.Dense(1, name="out")(h)
    m = tf.keras.Model(ids, out)
    m.compile(optimizer, "mse")
    m.set_weights([pattern(w.shape, i) for i, w in enumerate(m.get_weights())])
    x = np.array([[0, 1], [1, 1], [3, 0], [3, 3]])
    h = m.fit(x, pattern((4, 1), 9), batch_size=2, epochs=epochs, shuffle=False, verbose=0)
    say(h.history["loss"])
    say(m.get_weights())
    say([w.name for w in optimizer.weights])
    say(optimizer.get_weights())
    return m


def stepped(tf, say, optimizer, steps=4):
    """Steps of `apply_gradients` outside of a model: a vector, and a table by rows."""
    v = tf.Variable([1.0, -2.0, 3.0], name="v", use_resource=True)
    t = tf.Variable(pattern((4, 2), 1).astype("f"), name="t", use_resource=True)
    rows = tf.gather(t, [1, 3, 1])
    loss = tf.reduce_sum(v * v) + tf.reduce_sum(rows * rows * [[1.0, 2.0]])
    op = optimizer.apply_gradients(list(zip(tf.gradients(loss, [v, t]), [v, t])))  # noqa: B905
    say([op.name, [w.name for w in optimizer.weights]])
    say([w.name for w in tf.global_variables()])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(steps):
            sess.run(op)
        say(sess.run([v, t, *optimizer.weights]))


def adamw_class(tf):
    """Adam with weights that fade, written out: dense steps and steps of rows."""

    class AdamW(tf.keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.01, weight_decay=0.1, beta_1=0.9, beta_2=0.99,
                     epsilon=1e-6, skip=(), name="AdamW", **kwargs):  # fmt: skip
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
            self._set_hyper("decay", self._initial_decay)
            self._set_hyper("weight_decay", weight_decay)
            self._set_hyper("beta_1", beta_1)
            self._set_hyper("beta_2", beta_2)
            self.epsilon = epsilon or tf.keras.backend.epsilon()
            self.skip = list(skip)

        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "m")
            for var in var_list:
                self.add_slot(var, "v")

        def _numbers(self, var):
            kind = var.dtype.base_dtype
            step = tf.cast(self.iterations + 1, kind)
            b1, b2 = self._get_hyper("beta_1", kind), self._get_hyper("beta_2", kind)
            rate = self._decayed_lr(kind) * tf.sqrt(1 - tf.pow(b2, step)) / (1 - tf.pow(b1, step))
            return rate, b1, b2

        def _faded(self, var):
            if any(re.search(s, var.name) for s in self.skip):
                return tf.no_op()
            kind = var.dtype.base_dtype
            rate = self._decayed_lr(kind) * self._get_hyper("weight_decay", kind)
            return var.assign_sub(rate * var, use_locking=self._use_locking)

        def _resource_apply_dense(self, grad, var):
            rate, b1, b2 = self._numbers(var)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            with tf.control_dependencies([self._faded(var)]):
                m_t = tf.assign(m, b1 * m + (1 - b1) * grad, use_locking=self._use_locking)
                v_t = tf.assign(v, b2 * v + (1 - b2) * grad * grad, use_locking=self._use_locking)
                done = var.assign_sub(rate * m_t / (tf.sqrt(v_t) + self.epsilon))
            return tf.group(done, m_t, v_t)

        def _resource_apply_sparse(self, grad, var, indices):
            rate, b1, b2 = self._numbers(var)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_t = tf.assign(m, m * b1)
            with tf.control_dependencies([m_t]):
                m_t = self._resource_scatter_add(m, indices, grad * (1 - b1))
            v_t = tf.assign(v, v * b2)
            with tf.control_dependencies([v_t]):
                v_t = self._resource_scatter_add(v, indices, grad * grad * (1 - b2))
            done = tf.assign_sub(var, rate * m_t / (tf.sqrt(v_t) + self.epsilon))
            return tf.group(done, m_t, v_t)

        def get_config(self):
            config = super().get_config()
            for k in ("learning_rate", "decay", "weight_decay", "beta_1", "beta_2"):
                config[k] = self._serialize_hyperparameter(k)
            config.update(epsilon=self.epsilon, skip=self.skip)
            return config

    return AdamW


@program
def adamw(tf, say):
    AdamW = adamw_class(tf)
    made = AdamW(0.05, skip=["bias"], decay=0.1, clipnorm=1.0)
    m = trained(tf, say, made)
    say(made.get_config())
    again = AdamW.from_config(made.get_config())
    say(again.get_config())
    made.lr = 0.5
    made.weight_decay = 0.0
    say([made.get_config(), tf.keras.backend.get_value(made.lr)])
    made.set_weights([w * 0 for w in made.get_weights()])
    say([float(np.sum(w)) for w in made.get_weights()])
    say(m.evaluate(np.array([[0, 1]]), np.array([[1.0]]), verbose=0))


@program
def adamw_alone(tf, say):
    stepped(tf, say, adamw_class(tf)(0.05))


@program
def schedules(tf, say):
    AdamW = adamw_class(tf)
    made = AdamW(tf.keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5))
    stepped(tf, say, made)
    say(made.get_config())
    say(AdamW.from_config(made.get_config()).get_config())


@program
def weight_decay_around(tf, say):
    """A mixin before one of Keras's optimizers, for each of them."""

    def extended(base):
        class WithDecay(base):
            def __init__(self, weight_decay, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self._set_hyper("weight_decay", weight_decay)

            def _fade(self, var):  # behind the gradient: TensorFlow has no order else
                return var.assign_sub(self._get_hyper("weight_decay", var.dtype) * var)

            def _resource_apply_dense(self, grad, var):
                with tf.control_dependencies([grad]):
                    fade = self._fade(var)
                with tf.control_dependencies([fade]):
                    return super()._resource_apply_dense(grad, var)

            def _resource_apply_sparse(self, grad, var, indices):
                with tf.control_dependencies([grad]):
                    fade = self._fade(var)
                with tf.control_dependencies([fade]):
                    return super()._resource_apply_sparse(grad, var, indices)

        return WithDecay

    o = tf.keras.optimizers
    for base, kwargs in (
        (o.SGD, {"momentum": 0.9}), (o.Adam, {"amsgrad": True}), (o.RMSprop, {"centered": True}),
        (o.Adagrad, {}), (o.Adadelta, {}), (o.Adamax, {}), (o.Ftrl, {}),
    ):  # fmt: skip
        tf.reset_default_graph()
        stepped(tf, say, extended(base)(0.01, 0.1, **kwargs), 3)


@program
def what_is_prepared(tf, say):
    """What Keras's optimizers compute once a step, and programs that change it."""
    v = tf.Variable([1.0, 2.0], name="v", use_resource=True)
    for name in "SGD RMSprop Adagrad Adadelta Adam Adamax Nadam Ftrl".split():
        made = getattr(tf.keras.optimizers, name)()
        made.apply_gradients([(tf.ones([2]), v)])
        (found,) = made._prepare([v]).values()
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            got = sess.run({k: x for k, x in found.items() if k != "zero"})
        say([sorted(found), {k: float(x) for k, x in got.items()}, made.get_slot_names()])
        say(made.get_config())

    def halved(base):
        class Halved(base):
            def _prepare_local(self, var_device, var_dtype, apply_state):
                super()._prepare_local(var_device, var_dtype, apply_state)
                apply_state[(var_device, var_dtype)]["lr_t"] *= 0.5

        return Halved

    def warm(base):
        class Warm(base):
            def _decayed_lr(self, var_dtype):
                rate = super()._decayed_lr(var_dtype)
                return rate * tf.minimum(1.0, (tf.cast(self.iterations, var_dtype) + 1) / 4)

        return Warm

    for name in "SGD RMSprop Adagrad Adadelta Adam Adamax Ftrl".split():
        for around in (halved, warm):
            tf.reset_default_graph()
            stepped(tf, say, around(getattr(tf.keras.optimizers, name))(0.1), 2)


@program
def rectified(tf, say):
    """Adam whose first steps are plain (RAdam), with numbers by `_get_hyper` and a warm-up."""

    class RAdam(tf.keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.1, total_steps=0, min_lr=0.0, name="RAdam", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
            self._set_hyper("beta_1", 0.9)
            self._set_hyper("beta_2", 0.9)
            self._set_hyper("decay", self._initial_decay)
            self._set_hyper("total_steps", float(total_steps))
            self._set_hyper("min_lr", min_lr)
            self._initial_total_steps = total_steps

        def _create_slots(self, var_list):
            for name in ("m", "v"):
                for var in var_list:
                    self.add_slot(var, name)

        def set_weights(self, weights):
            super().set_weights(weights[: len(self.weights)])

        def _step(self, grad, var):
            kind = var.dtype.base_dtype
            rate = self._decayed_lr(kind)
            b1, b2 = self._get_hyper("beta_1", kind), self._get_hyper("beta_2", kind)
            step = tf.cast(self.iterations + 1, kind)
            if self._initial_total_steps > 0:
                most = self._get_hyper("total_steps", kind)
                fall = (self._get_hyper("min_lr", kind) - rate) / most
                rate = rate + fall * tf.minimum(step, most)
            limit = 2.0 / (1.0 - b2) - 1.0
            sma = limit - 2.0 * step * tf.pow(b2, step) / (1.0 - tf.pow(b2, step))
            m = self.get_slot(var, "m").assign(b1 * self.get_slot(var, "m") + (1.0 - b1) * grad)
            v = self.get_slot(var, "v").assign(b2 * self.get_slot(var, "v") + (1.0 - b2) * grad**2)
            mean = m / (1.0 - tf.pow(b1, step))
            spread = tf.sqrt(v / (1.0 - tf.pow(b2, step)))
            r = tf.sqrt((sma - 4.0) / (limit - 4.0) * (sma - 2.0) / (limit - 2.0) * limit / sma)
            new = tf.where(sma >= 5.0, r * mean / (spread + 1e-7), mean)
            return tf.group(var.assign_sub(rate * new), m, v)

        def _resource_apply_dense(self, grad, var):
            return self._step(grad, var)

        def _resource_apply_sparse(self, grad, var, indices):
            whole = tf.scatter_nd(indices[:, None], grad, tf.shape(var, out_type=indices.dtype))
            return self._step(whole, var)

        def get_config(self):
            return super().get_config()

    trained(tf, say, RAdam(0.1, total_steps=5, min_lr=0.01), 4)


@program
def lamb(tf, say):
    """Rates by the norms of weights and steps, from what is prepared once."""

    class LAMB(tf.keras.optimizers.Adam):
        def _prepare_local(self, var_device, var_dtype, apply_state):
            super()._prepare_local(var_device, var_dtype, apply_state)
            apply_state[(var_device, var_dtype)]["fade"] = tf.constant(0.01, var_dtype)

        def _resource_apply_dense(self, grad, var, apply_state=None):
            place = (var.device, var.dtype.base_dtype)
            c = (apply_state or {}).get(place) or self._fallback_apply_state(*place)
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            m_t = m.assign(m * c["beta_1_t"] + grad * c["one_minus_beta_1_t"])
            v_t = v.assign(v * c["beta_2_t"] + grad * grad * c["one_minus_beta_2_t"])
            hat = m_t / (1.0 - c["beta_1_power"])
            step = hat / (tf.sqrt(v_t / (1.0 - c["beta_2_power"])) + c["epsilon"])
            step += c["fade"] * var
            w, g = tf.norm(var, ord=2), tf.norm(step, ord=2)
            ratio = tf.where(w > 0, tf.where(g > 0, w / g, tf.ones_like(w)), tf.ones_like(w))
            return tf.group(var.assign_sub(ratio * c["lr_t"] * step), m_t, v_t)

        def _resource_apply_sparse(self, grad, var, indices, apply_state=None):
            whole = tf.IndexedSlices(grad, indices, tf.shape(var, out_type=indices.dtype))
            return self._resource_apply_dense(tf.convert_to_tensor(whole), var, apply_state)

    trained(tf, say, LAMB(0.1, name="LAMB"))


@program
def accumulated(tf, say):
    """Gradients of several batches in one step, in slots."""

    class Accumulating(tf.keras.optimizers.Adam):
        def __init__(self, every, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.every = every

        def _create_slots(self, var_list):
            super()._create_slots(var_list)
            for var in var_list:
                self.add_slot(var, "sum", initializer="zeros")

        def _resource_apply_dense(self, grad, var):
            held = self.get_slot(var, "sum")
            total = held + grad

            def step():
                with tf.control_dependencies(
                    [super(Accumulating, self)._resource_apply_dense(total / self.every, var)]
                ):
                    return tf.group(held.assign(tf.zeros_like(held)))

            due = tf.equal((self.iterations + 1) % self.every, 0)
            return tf.cond(due, step, lambda: tf.group(held.assign(total)))

        def _resource_apply_sparse(self, grad, var, indices):
            whole = tf.scatter_nd(indices[:, None], grad, tf.shape(var, out_type=indices.dtype))
            return self._resource_apply_dense(whole, var)

    trained(tf, say, Accumulating(2, 0.1))


@program
def looking_ahead(tf, say):
    """An optimizer around another: slow weights that follow, and a step back to them."""

    class Lookahead(tf.keras.optimizers.Optimizer):
        def __init__(self, optimizer, every=2, ratio=0.5, name="Lookahead", **kwargs):
            super().__init__(name, **kwargs)
            self._optimizer = tf.keras.optimizers.get(optimizer)
            self._set_hyper("every", every)
            self._set_hyper("ratio", ratio)

        def _create_slots(self, var_list):
            self._optimizer._create_slots(var_list=var_list)
            for var in var_list:
                self.add_slot(var, "slow", initializer=var.initialized_value())

        def _create_hypers(self):
            self._optimizer._create_hypers()
            super()._create_hypers()

        def _prepare(self, var_list):
            return self._optimizer._prepare(var_list=var_list)

        def apply_gradients(self, grads_and_vars, name=None):
            self._optimizer._iterations = self.iterations
            return super().apply_gradients(grads_and_vars, name)

        def _follow(self, op, var):
            kind = var.dtype.base_dtype
            slow = self.get_slot(var, "slow")
            step = tf.cast(self.iterations + 1, tf.int64)
            due = tf.equal(step % self._get_hyper("every", tf.int64), 0)
            with tf.control_dependencies([op]):
                now = var.read_value()
                mean = slow + self._get_hyper("ratio", kind) * (now - slow)
                moved = slow.assign(tf.where(due, mean, slow))
                back = var.assign(tf.where(due, mean, now))
            return tf.group(moved, back)

        def _resource_apply_dense(self, grad, var):
            return self._follow(self._optimizer._resource_apply_dense(grad, var), var)

        def _resource_apply_sparse(self, grad, var, indices):
            apply = self._optimizer._resource_apply_sparse_duplicate_indices
            return self._follow(apply(grad, var, indices), var)

        @property
        def weights(self):
            return self._weights + self._optimizer.weights

        def get_config(self):
            config = super().get_config()
            config["optimizer"] = tf.keras.optimizers.serialize(self._optimizer)
            config["every"] = self._serialize_hyperparameter("every")
            config["ratio"] = self._serialize_hyperparameter("ratio")
            return config

    stepped(tf, say, Lookahead("adam"))
    say(Lookahead(tf.keras.optimizers.SGD(0.1, momentum=0.5)).get_config())
    tf.reset_default_graph()
    stepped(tf, say, Lookahead(tf.keras.optimizers.SGD(0.1, momentum=0.5), 3, 0.8))


@program
def updates_exchanged(tf, say):  # noqa: C901
    """Optimizers around others whose assignments are made by a function of `K` they exchange."""
    K = tf.keras.backend

    class Base(tf.keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.01, name="Base", **kwargs):
            super().__init__(name, **kwargs)
            self._set_hyper("learning_rate", learning_rate)

        def _create_slots(self, var_list):
            for var in var_list:
                self.add_slot(var, "m")
                self.add_slot(var, "v")

        def _resource_apply(self, grad, var, indices=None):
            m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
            rate = self._decayed_lr(var.dtype.base_dtype)
            if indices is None:
                m_t = K.update(m, 0.9 * m + 0.1 * grad)
                v_t = K.update(v, 0.99 * v + 0.01 * grad**2)
            else:
                with tf.control_dependencies([K.update(m, 0.9 * m), K.update(v, 0.99 * v)]):
                    m_t = self._resource_scatter_add(m, indices, 0.1 * grad)
                    v_t = self._resource_scatter_add(v, indices, 0.01 * grad**2)
            with tf.control_dependencies([m_t, v_t]):
                return K.update(var, var - rate * m_t / (K.sqrt(v_t) + 1e-6))

        def _resource_apply_dense(self, grad, var):
            return self._resource_apply(grad, var)

        def _resource_apply_sparse(self, grad, var, indices):
            return self._resource_apply(grad, var, indices)

        def get_config(self):
            config = {"learning_rate": self._serialize_hyperparameter("learning_rate")}
            return dict(list(super().get_config().items()) + list(config.items()))

    def fading(base):
        class Fading(base):
            def _resource_apply(self, grad, var, indices=None):
                old = K.update

                def new(x, value):
                    if x is var and "bias" not in x.name:
                        value = value - self._decayed_lr(x.dtype.base_dtype) * 0.5 * x
                    return old(x, value)

                K.update = new
                op = super()._resource_apply(grad, var, indices)
                K.update = old
                return op

        return Fading

    def gathering(base):
        class Gathering(base):
            def _create_slots(self, var_list):
                super()._create_slots(var_list)
                for var in var_list:
                    self.add_slot(var, "ag")

            def _resource_apply(self, grad, var, indices=None):
                due = K.equal(self.iterations % 2, 0)
                ag, old = self.get_slot(var, "ag"), K.update
                K.update = lambda x, value: old(x, K.switch(due, value, x))
                op = super()._resource_apply(ag / 2, var)
                K.update = old
                with tf.control_dependencies([op]):
                    ag_t = K.switch(due, K.zeros_like(ag), ag)
                    with tf.control_dependencies([K.update(ag, ag_t)]):
                        if indices is None:
                            return K.update(ag, ag + grad)
                        return self._resource_scatter_add(ag, indices, grad)

        return Gathering

    def slower(base):
        class Slower(base):
            def get_updates(self, loss, params):
                updates = super().get_updates(loss, params)
                slow = [K.zeros(K.int_shape(p), dtype=K.dtype(p), name="slow")
                        for p in params]  # fmt: skip
                with tf.control_dependencies(updates):
                    due = K.equal(self.iterations % 2, 0)
                    moved = [K.update(q, K.switch(due, q + 0.5 * (p - q), q))
                             for p, q in zip(params, slow)]  # noqa: B905 # fmt: skip
                    with tf.control_dependencies(moved):
                        return [K.update(p, K.switch(due, q, p))
                                for p, q in zip(params, slow)]  # noqa: B905 # fmt: skip

        return Slower

    def stepwise(base):
        class Stepwise(base):
            def _decayed_lr(self, var_dtype):
                t = K.cast(self.iterations, var_dtype)
                return super()._decayed_lr(var_dtype) * K.switch(t < 2.0, t / 2.0, 1.0 + 0 * t)

        return Stepwise

    for around in (fading, gathering, slower, stepwise):
        K.clear_session()
        trained(tf, say, around(Base)(0.1))
    K.clear_session()
    trained(tf, say, stepwise(gathering(fading(Base)))(0.1))


@program
def wrong_use(tf, say):
    Base = tf.keras.optimizers.Optimizer

    class Bare(Base):
        def get_config(self):
            return super().get_config()

    class Half(Bare):
        def _create_slots(self, var_list):
            pass

    v = tf.Variable([1.0, 2.0], name="v", use_resource=True)
    e = tf.Variable([[1.0, 2.0]], name="e", use_resource=True)
    say([Base.__name__, error(Base, "x")[0], Bare(None)._name, Bare("b").get_config()])
    for kwargs in ({"foo": 1}, {"clipnorm": -1.0}, {"decay": -1.0}, {"lr": -1.0}):
        say(error(Bare, "b", **kwargs))
    b = Bare("b", lr=0.1, decay=0.1, clipnorm=1.0)
    say([b._hyper, b.get_config(), error(lambda: b.lr), error(lambda: b.clipvalue)])
    say(error(b._get_hyper, "foo"))
    say(error(b.apply_gradients, [(tf.ones([2]), v)]))
    say(error(b.apply_gradients, [(None, v), (None, e)])[0])
    say(error(Half("h").apply_gradients, [(tf.ones([2]), v)])[0])
    rows = tf.IndexedSlices(tf.ones([1, 2]), tf.constant([0]), tf.constant([1, 2]))
    say(error(Half("h").apply_gradients, [(rows, e)])[0])
    say(error(b.get_slot, v, "m"))
    a = tf.keras.optimizers.Adam(name="a")
    a.add_slot(v, "one", "ones")
    a.add_slot(v, "two", tf.constant([5.0, 6.0]))
    say([a.get_slot_names(), [w.name for w in a.weights], error(a.get_slot, v, "m")])
    say([a.iterations.name, [w.name for w in a.weights], a.lr.name])
    say([w.name for w in tf.global_variables()])
    say(error(a.set_weights, [1]))
    say(error(a.set_weights, [np.ones(3), np.ones(2), 1]))
    say(error(setattr, a, "iterations", v))
    own = a.add_weight("own", [2], initializer="ones", trainable=False)
    say([own.name, len(a.weights), own.trainable])
    say([tf.keras.backend.get_value(a.get_slot(v, "two")), tf.keras.backend.get_value(own)])
    say(error(a._assert_valid_dtypes, [tf.constant([1], name="c")])[0])
    s = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    say(error(tf.keras.optimizers.Nadam, s))
    x = tf.keras.optimizers.Adam(s)
    say([x.lr is s, x.get_config()])
    x.lr = 0.5
    say([x.lr, x.get_config()["learning_rate"]])
    for rate in (lambda: 0.5, tf.constant(0.5)):
        say(tf.keras.optimizers.Adam(rate).get_config())
    say(tf.keras.optimizers.Adam.from_config({"lr": 0.25, "name": "q"}).get_config())
    say(tf.keras.optimizers.Nadam(0.1, schedule_decay=0.01).get_config())
    say(error(tf.keras.optimizers.SGD, momentum=2.0))
    say(error(tf.keras.optimizers.RMSprop, momentum=2.0))
