"""The families of convolutional networks, small, side by side on real handwritten digits.

VGG (plain 3×3 convolutions), ResNet (blocks that add), Inception (branches side by side), DenseNet
(each layer reads all before it) and MobileNet (depthwise-separable convolutions), each as a short
function of `tf.layers`, with batch normalization, on the digits that ship with scikit-learn,
enlarged to 16×16 and moved by a pixel while training. Draws their learning curves. The last line
has the accuracy of each on digits never trained on.
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import graphc as tf


def normal(x, training):
    """Batch normalization and relu."""
    return tf.nn.relu(tf.layers.batch_normalization(x, momentum=0.9, training=training))


def conv(x, channels, training, size=3, stride=1):
    """A convolution, normalized, and relu."""
    x = tf.layers.conv2d(x, channels, size, stride, padding="same", use_bias=False)
    return normal(x, training)


def vgg(x, training):
    """Two or three equal 3×3 convolutions, then half the size and twice the channels."""
    for channels, times in [(16, 2), (32, 2), (64, 3)]:
        for _ in range(times):
            x = conv(x, channels, training)
        x = tf.layers.max_pooling2d(x, 2, 2)
    return tf.layers.dense(tf.layers.flatten(x), 64, tf.nn.relu)


def resnet(x, training):
    """Blocks that add to what they read; normalization comes before the convolution."""
    x = tf.layers.conv2d(x, 16, 3, padding="same", use_bias=False)
    for channels, stride in [(16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)]:
        before = normal(x, training)
        if stride > 1:
            x = tf.layers.conv2d(before, channels, 1, stride, use_bias=False)
        inner = conv(before, channels, training, stride=stride)
        x += tf.layers.conv2d(inner, channels, 3, padding="same", use_bias=False)
    return tf.reduce_mean(normal(x, training), [1, 2])


def inception(x, training):
    """Branches of different sizes side by side, their channels behind each other."""
    x = conv(x, 16, training)
    for channels in (8, 16):
        for _ in range(2):
            three = conv(conv(x, channels, training, 1), 2 * channels, training)
            five = conv(conv(x, channels // 2, training, 1), channels, training, 5)
            pooled = tf.layers.max_pooling2d(x, 3, 1, padding="same")
            parts = [conv(x, channels, training, 1), three, five]
            x = tf.concat([*parts, conv(pooled, channels, training, 1)], axis=3)
        x = tf.layers.max_pooling2d(x, 3, 2, padding="same")
    return tf.reduce_mean(x, [1, 2])


def densenet(x, training):
    """Each layer reads everything made before it in its block."""
    x = tf.layers.conv2d(x, 16, 3, padding="same", use_bias=False)
    for block in range(3):
        if block:
            squeezed = tf.layers.conv2d(normal(x, training), 32, 1, use_bias=False)
            x = tf.layers.average_pooling2d(squeezed, 2, 2)
        for _ in range(4):
            narrow = conv(normal(x, training), 24, training, 1)
            x = tf.concat([x, tf.layers.conv2d(narrow, 12, 3, padding="same")], axis=3)
    return tf.reduce_mean(normal(x, training), [1, 2])


def mobilenet(x, training):
    """Depthwise 3×3 convolutions, each followed by one across channels."""
    x = conv(x, 16, training)
    for channels, stride in [(32, 1), (64, 2), (64, 1), (128, 2), (128, 1)]:
        x = tf.layers.separable_conv2d(x, channels, 3, stride, padding="same", use_bias=False)
        x = normal(x, training)
    return tf.reduce_mean(x, [1, 2])


NETS = {
    "vgg": vgg, "resnet": resnet, "inception": inception, "densenet": densenet,
    "mobilenet": mobilenet,
}  # fmt: skip


def moved(images, random):
    """Each image moved by up to a pixel."""
    return np.stack([np.roll(i, random.randint(-1, 2, 2), (0, 1)) for i in images])


def train(name, data, args):
    """Train one net: test accuracy after each epoch, milliseconds of a step, number of weights."""
    train_x, test_x, train_y, test_y = data
    random = np.random.RandomState(args.seed)
    batches = -(-len(train_x) // args.batch)
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.set_random_seed(args.seed)
        x = tf.placeholder(tf.float32, [None, 16, 16, 1], name="x")
        y = tf.placeholder(tf.int32, [None], name="y")
        training = tf.placeholder_with_default(False, [], name="training")
        logits = tf.layers.dense(NETS[name](x, training), 10, name="logits")
        loss = tf.losses.sparse_softmax_cross_entropy(y, logits)
        step = tf.train.get_or_create_global_step()
        rate = tf.train.exponential_decay(args.rate, step, 6 * batches, 0.3, staircase=True)
        with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
            update = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
        right = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
        accuracy = tf.reduce_mean(tf.cast(right, tf.float32))
        weights = sum(int(np.prod(v.shape.as_list())) for v in tf.trainable_variables())
        sess.run(tf.global_variables_initializer())
        curve, times = [], []
        with tqdm(total=total, unit="step", desc=name) as bar:
            while bar.n < total:
                order = random.permutation(len(train_x))
                for start in range(0, min(len(order), (total - bar.n) * args.batch), args.batch):
                    rows = order[start : start + args.batch]
                    feed = {x: moved(train_x[rows], random), y: train_y[rows], training: True}
                    began = time.perf_counter()
                    _, value = sess.run([update, loss], feed)
                    times.append(time.perf_counter() - began)
                    bar.update()
                curve.append(sess.run(accuracy, {x: test_x, y: test_y}))
                bar.set_postfix_str(f"loss {value:.4f}, accuracy {curve[-1]:.4f}")
    return curve, 1e3 * np.median(times), weights


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", default=",".join(NETS), help="which, with commas")
    parser.add_argument("--epochs", type=int, default=16, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop each after so many steps")
    parser.add_argument("--batch", type=int, default=50, help="digits in a mini-batch")
    parser.add_argument("--rate", type=float, default=4e-3, help="the first learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    unknown = [n for n in args.nets.split(",") if n not in NETS]
    if unknown:
        parser.error(f"no net is called {unknown[0]!r}; there are {', '.join(NETS)}")
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = load_digits(return_X_y=True)
    images = zoom(images.reshape(-1, 8, 8) / 16.0, (1, 2, 2), order=1)[..., None]
    data = train_test_split(
        images.astype(np.float32), digits.astype(np.int32), test_size=0.2, stratify=digits,
        random_state=0,
    )  # fmt: skip

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    accuracies = []
    for name in args.nets.split(","):
        curve, milliseconds, weights = train(name, data, args)
        axes.plot(range(1, len(curve) + 1), curve, label=f"{name}, {weights:,} weights")
        accuracies.append(f"{name} {curve[-1]:.4f}")
        print(f"{name}: {weights:,} weights, {milliseconds:.1f} ms a step")
    axes.set(xlabel="epoch", ylabel="accuracy on test digits", ylim=(0.9, 1.0))
    axes.legend()
    picture = args.out / "image_nets.png"
    figure.savefig(picture, dpi=110)
    plt.close(figure)
    print(f"learning curves: {picture}")
    print(f"test accuracy {', '.join(accuracies)}")


if __name__ == "__main__":
    main()
