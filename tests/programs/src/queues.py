"""A queue filled by threads of a coordinator, batches taken from it."""

import numpy as np
import tensorflow as tf

data = np.arange(12, dtype=np.float32).reshape(6, 2)
queue = tf.FIFOQueue(20, [tf.float32], shapes=[[2]])
enqueue = queue.enqueue_many([tf.constant(data)])
batch = queue.dequeue_many(4)
total = tf.reduce_sum(batch, 0)
slow = tf.train.batch([tf.constant([1.0, 2.0])], batch_size=3)
size = queue.size()
with tf.Session() as sess:
    coord = tf.train.Coordinator()
    threads = tf.train.start_queue_runners(coord=coord)
    sess.run(enqueue)
    RESULT = {"size": sess.run(size), "first": sess.run(batch), "slow": sess.run(slow)}
    sess.run(enqueue)
    RESULT["total"] = sess.run(total)
    sess.run(queue.close())
    try:
        sess.run(total)
        sess.run(total)
    except tf.errors.OutOfRangeError:
        RESULT["end"] = True
    coord.request_stop()
    coord.join(threads)
