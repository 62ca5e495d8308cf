"""A small U-net on pictures of other sizes in each step: dilated, separable, transposed convolutions."""

import numpy as np
import tensorflow as tf

x = tf.placeholder(tf.float32, [None, None, None, 2])
wide = tf.layers.conv2d(x, 3, 3, activation=tf.nn.relu, padding="same")
pooled = tf.layers.max_pooling2d(wide, 2, 2, padding="same")
deep = tf.layers.separable_conv2d(pooled, 4, 3, padding="same", activation=tf.nn.elu)
deep = tf.layers.conv2d(deep, 4, 3, padding="same", dilation_rate=2)
up = tf.layers.conv2d_transpose(deep, 3, 2, 2)
up = up[:, : tf.shape(wide)[1], : tf.shape(wide)[2], :]
mask = tf.layers.conv2d(tf.concat([up, wide], 3), 1, 1, activation=tf.sigmoid)
target = x[..., :1]
common = tf.reduce_sum(mask * target)
dice = 1 - 2 * common / (tf.reduce_sum(mask) + tf.reduce_sum(target**2) + 1e-3)
train = tf.train.RMSPropOptimizer(0.01).minimize(dice)

rng = np.random.RandomState(0)
variables = sorted(tf.trainable_variables(), key=lambda v: v.name)
start = [tf.assign(v, rng.randn(*v.shape.as_list()).astype("f") * 0.3) for v in variables]
losses = []
with tf.Session() as sess:
    sess.run(tf.global_variables_initializer())
    sess.run(start)
    for shape in ((2, 6, 6, 2), (1, 7, 5, 2), (3, 4, 8, 2)):
        losses.append(sess.run([dice, train], {x: np.abs(rng.randn(*shape))})[0])
    found = sess.run(mask, {x: np.ones((1, 5, 5, 2))})

RESULT = {
    "losses": losses,
    "found": found,
    "shapes": [str(t.shape) for t in (wide, deep, up, mask)],
}
