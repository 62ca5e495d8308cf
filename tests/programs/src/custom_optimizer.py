"""An optimizer of one's own on the base class."""

import tensorflow as tf


class Plain(tf.train.Optimizer):
    def __init__(self, rate, use_locking=False, name="Plain"):
        super(Plain, self).__init__(use_locking, name)
        self._rate = rate

    def _prepare(self):
        self._rate_t = tf.convert_to_tensor(self._rate, name="rate")

    def _create_slots(self, var_list):
        for v in var_list:
            self._zeros_slot(v, "m", self._name)

    def _apply_dense(self, grad, var):
        m = self.get_slot(var, "m")
        m_t = m.assign(0.9 * m + grad)
        return tf.group(tf.assign_sub(var, tf.cast(self._rate_t, var.dtype.base_dtype) * m_t), m_t)


v = tf.Variable([3.0, -1.0], name="v")
loss = tf.reduce_sum(v * v)
train = Plain(0.05).minimize(loss)
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    trace = []
    for _ in range(6):
        sess.run(train)
        trace.append(sess.run(v))
RESULT = {"trace": trace, "names": [x.name for x in tf.global_variables()]}
