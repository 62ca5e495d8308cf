"""Tf.data: slices, map, batch, repeat, an initializable iterator, the end of the data."""

import numpy as np
import tensorflow as tf

features = np.arange(20, dtype=np.float32).reshape(10, 2)
labels = np.arange(10, dtype=np.int32)
dataset = tf.data.Dataset.from_tensor_slices((features, labels))
dataset = dataset.map(lambda f, l: (f * 2.0 + 1.0, l % 3)).filter(lambda f, l: tf.not_equal(l, 1))
dataset = dataset.batch(3).repeat(2)
iterator = dataset.make_initializable_iterator()
f, l = iterator.get_next()
total = tf.reduce_sum(f) + tf.to_float(tf.reduce_sum(l))
RESULT = {"totals": [], "sizes": [], "types": str(dataset.output_types)}
with tf.Session() as sess:
    for epoch in range(2):
        sess.run(iterator.initializer)
        while True:
            try:
                value, batch = sess.run([total, f])
            except tf.errors.OutOfRangeError:
                break
            RESULT["totals"].append(value)
            RESULT["sizes"].append(len(batch))
