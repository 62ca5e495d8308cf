"""A Transformer reads the patches of a handwritten digit and says which it is.

Ordinary TensorFlow-1 code: sixteen patches of 2×2 pixels and a token for the answer, learned
places, blocks of multi-head self-attention and a gelu layer, each normalized before and added to
what it read. Draws where the answer's token looks. The last line is the accuracy on digits never
trained on.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import graphc as tf

PATCHES = 16


def gelu(x):
    return 0.5 * x * (1.0 + tf.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * tf.pow(x, 3))))


def normal(x, name):
    """Layer normalization over the last axis."""
    size = x.shape[-1].value
    gain = tf.get_variable(f"{name}/gain", [size], initializer=tf.ones_initializer())
    bias = tf.get_variable(f"{name}/bias", [size], initializer=tf.zeros_initializer())
    mean, variance = tf.nn.moments(x, [-1], keep_dims=True)
    return (x - mean) * tf.rsqrt(variance + 1e-6) * gain + bias


def attention(x, heads):
    """Multi-head self-attention over the tokens of [batch, tokens, size], and its weights."""
    tokens, size = x.shape[1].value, x.shape[2].value

    def split(v):
        return tf.transpose(tf.reshape(v, [-1, tokens, heads, size // heads]), [0, 2, 1, 3])

    query, key, value = (split(tf.layers.dense(x, size, name=n)) for n in "qkv")
    scores = tf.matmul(query, key, transpose_b=True) / np.sqrt(size // heads)
    weights = tf.nn.softmax(scores)
    read = tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [-1, tokens, size])
    return tf.layers.dense(read, size, name="out"), weights


def network(images, size, heads, blocks, keep_prob):
    """Logits, and how much the answer's token looks at each patch, by block and head."""
    patches = tf.space_to_depth(images, 2)  # [batch, 4, 4, 4]
    x = tf.layers.dense(tf.reshape(patches, [-1, PATCHES, 4]), size, name="embed")
    answer = tf.get_variable("answer", [1, 1, size], initializer=tf.zeros_initializer())
    x = tf.concat([tf.tile(answer, [tf.shape(x)[0], 1, 1]), x], axis=1)
    start = tf.random_normal_initializer(stddev=0.02)
    x += tf.get_variable("places", [1, PATCHES + 1, size], initializer=start)
    looks = []
    for b in range(blocks):
        with tf.variable_scope(f"block{b}"):
            read, weights = attention(normal(x, "before_attention"), heads)
            x += tf.nn.dropout(read, keep_prob)
            inner = tf.layers.dense(normal(x, "before_dense"), 4 * size, gelu, name="up")
            x += tf.nn.dropout(tf.layers.dense(inner, size, name="down"), keep_prob)
            looks.append(weights[:, :, 0, 1:])
    logits = tf.layers.dense(normal(x[:, 0], "last"), 10, name="logits")
    return logits, tf.stack(looks, axis=1)


def draw(images, digits, looks, path):
    """Ten digits, and below each where each block looked (the mean of its heads)."""
    blocks = looks.shape[1]
    figure, axes = plt.subplots(
        blocks + 1, 10, figsize=(11, 1.3 * blocks + 1.6), layout="constrained"
    )
    for i in range(10):
        one = np.flatnonzero(digits == i)[0]
        axes[0, i].imshow(images[one, :, :, 0], cmap="gray_r")
        for b in range(blocks):
            axes[b + 1, i].imshow(looks[one, b].mean(0).reshape(4, 4), cmap="magma", vmin=0)
    for a in axes.flat:
        a.set_axis_off()
    figure.suptitle("digits, and which patches the answer reads in each block")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--batch", type=int, default=50, help="digits in a mini-batch")
    parser.add_argument("--size", type=int, default=48, help="numbers in a token")
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    if args.size % args.heads:
        parser.error(f"--size {args.size} must be a multiple of --heads {args.heads}")
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = (images / 16.0).reshape(-1, 8, 8, 1).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.astype(np.int32), test_size=0.2, stratify=digits, random_state=0
    )

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 8, 8, 1], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    keep_prob = tf.placeholder_with_default(1.0, [], name="keep_prob")
    logits, looks = network(x, args.size, args.heads, args.blocks, keep_prob)
    loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
    batches = -(-len(train_x) // args.batch)
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    step = tf.train.get_or_create_global_step()
    warm = tf.minimum(1.0, (tf.cast(step, tf.float32) + 1) / batches)
    rate = warm * tf.train.cosine_decay(2e-3, step, total)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
    right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(right, tf.float32))

    random = np.random.RandomState(args.seed)
    times = []
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(train_x))
            for start in range(0, min(len(order), (total - bar.n) * args.batch), args.batch):
                rows = order[start : start + args.batch]
                shifts = random.randint(-1, 2, [len(rows), 2])
                some = np.stack(
                    [np.roll(i, s, (0, 1)) for i, s in zip(train_x[rows], shifts, strict=True)]
                )
                began = time.perf_counter()
                _, now = sess.run([train, loss], {x: some, y: train_y[rows], keep_prob: 0.9})
                times.append(time.perf_counter() - began)
                bar.update()
            bar.set_postfix_str(f"loss {now:.4f}")
        found, where = sess.run([accuracy, looks], {x: test_x, y: test_y})

    picture = args.out / "transformer_classifier.png"
    draw(test_x, test_y, where, picture)
    print(f"attention: {picture}")
    print(f"first step {1e3 * times[0]:.0f} ms, then {1e3 * np.median(times[1:] or times):.1f} ms")
    print(f"test accuracy {found:.4f}")


if __name__ == "__main__":
    main()
