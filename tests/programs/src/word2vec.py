"""Skip-gram with noise-contrastive estimation over given noise words, nearest neighbours."""

import numpy as np
import tensorflow as tf

rng = np.random.RandomState(5)
words = rng.randint(0, 20, 300)
centre, context = words[:-1], words[1:].reshape(-1, 1)
with tf.Graph().as_default():
    inputs = tf.placeholder(tf.int32, shape=[32])
    labels = tf.placeholder(tf.int64, shape=[32, 1])
    embeddings = tf.Variable(rng.uniform(-1, 1, (20, 8)).astype(np.float32))
    embed = tf.nn.embedding_lookup(embeddings, inputs)
    nce_weights = tf.Variable(0.3 * rng.randn(20, 8).astype(np.float32))
    nce_biases = tf.Variable(tf.zeros([20]))
    noise = tf.constant([1, 5, 7, 11], tf.int64)
    sampled = (noise, 0.2 * tf.ones([32, 1]), 0.2 * tf.ones([4]))
    loss = tf.reduce_mean(
        tf.nn.nce_loss(
            weights=nce_weights,
            biases=nce_biases,
            labels=labels,
            inputs=embed,
            num_sampled=4,
            num_classes=20,
            sampled_values=sampled,
        )
    )
    optimizer = tf.train.GradientDescentOptimizer(0.5).minimize(loss)
    norm = tf.sqrt(tf.reduce_sum(tf.square(embeddings), 1, keep_dims=True))
    normalized = embeddings / norm
    near = tf.nn.embedding_lookup(normalized, tf.constant([3, 4], dtype=tf.int32))
    similarity = tf.matmul(near, normalized, transpose_b=True)
    top = tf.nn.top_k(similarity, k=3)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        losses = []
        for i in range(8):
            s = slice(32 * i, 32 * i + 32)
            _, value = session.run([optimizer, loss], {inputs: centre[s], labels: context[s]})
            losses.append(value)
        values, places = session.run(top)
RESULT = {"losses": losses, "values": values, "places": places}
