"""An image as the variable: content and style (Gram matrices) through fixed filters."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(23)
content = rng.rand(1, 10, 10, 3).astype(np.float32)
style = rng.rand(1, 10, 10, 3).astype(np.float32)
filters = [0.3 * rng.randn(3, 3, 3, 6).astype("f"), 0.3 * rng.randn(3, 3, 6, 8).astype("f")]


def features(image):
    out, h = [], image
    for f in filters:
        h = tf.nn.relu(tf.nn.conv2d(h, tf.constant(f), [1, 1, 1, 1], "SAME"))
        out.append(h)
        h = tf.nn.avg_pool(h, [1, 2, 2, 1], [1, 2, 2, 1], "SAME")
    return out


def gram(x):
    flat = tf.reshape(x, [-1, int(x.get_shape()[3])])
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(tf.size(flat), tf.float32)


image = tf.Variable(content * 0.5 + 0.1, name="image")
wanted = features(tf.constant(content))
loss = tf.nn.l2_loss(features(image)[1] - wanted[1])
for a, b in zip(features(image), features(tf.constant(style))):
    loss += 50 * tf.nn.l2_loss(gram(a) - gram(b))
flat = image[:, 1:, :, :] - image[:, :-1, :, :]
loss += 0.1 * tf.nn.l2_loss(flat)
train = tf.train.AdamOptimizer(0.05).minimize(loss, var_list=[image])
clip = image.assign(tf.clip_by_value(image, 0.0, 1.0))
RESULT = {"loss": []}
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    for _ in range(10):
        RESULT["loss"].append(sess.run([train, loss])[1])
        sess.run(clip)
    RESULT["mean"] = sess.run(tf.reduce_mean(image, [1, 2]))
