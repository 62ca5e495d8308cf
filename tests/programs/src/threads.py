"""Workers of a coordinator share one session and one counter."""

import threading

import tensorflow as tf

counter = tf.Variable(0, name="counter")
x = tf.placeholder(tf.int32, [])
add = tf.assign_add(counter, x, use_locking=True)
twice = x * 2
sess = tf.Session()
sess.run(tf.global_variables_initializer())
coord = tf.train.Coordinator()
seen = []


def work(n):
    for i in range(10):
        if coord.should_stop():
            return
        sess.run(add, {x: n})
        seen.append(int(sess.run(twice, {x: n})))


threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
for t in threads:
    t.start()
coord.join(threads)
RESULT = {"counter": sess.run(counter), "seen": sorted(seen)}
sess.close()
