"""TensorFlow's classic convolutional network, on 28×28 images made from real handwritten digits.

Two 5×5 convolutions with 32 and 64 channels, each with max pooling, 1024 units with dropout, and
a softmax. The images are the digits that ship with scikit-learn, enlarged, and moved by a pixel or
two while training. Draws kernels, feature maps and saliency maps. The last line is the accuracy on
digits never trained on.
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


def weight_variable(shape, name):
    return tf.Variable(tf.truncated_normal(shape, stddev=0.1), name=name)


def bias_variable(shape, name):
    return tf.Variable(tf.constant(0.1, shape=shape), name=name)


def conv2d(x, w):
    return tf.nn.conv2d(x, w, strides=[1, 1, 1, 1], padding="SAME")


def max_pool_2x2(x):
    return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")


def network(x, keep_prob):
    """Logits, the kernels of the first layer and the feature maps of both."""
    w_conv1 = weight_variable([5, 5, 1, 32], "conv1/kernel")
    h_conv1 = tf.nn.relu(conv2d(x, w_conv1) + bias_variable([32], "conv1/bias"))
    h_pool1 = max_pool_2x2(h_conv1)
    w_conv2 = weight_variable([5, 5, 32, 64], "conv2/kernel")
    h_conv2 = tf.nn.relu(conv2d(h_pool1, w_conv2) + bias_variable([64], "conv2/bias"))
    h_pool2 = tf.reshape(max_pool_2x2(h_conv2), [-1, 7 * 7 * 64])
    w_fc1 = weight_variable([7 * 7 * 64, 1024], "fc1/kernel")
    h_fc1 = tf.nn.relu(tf.matmul(h_pool2, w_fc1) + bias_variable([1024], "fc1/bias"))
    h_drop = tf.nn.dropout(h_fc1, keep_prob)
    logits = tf.matmul(h_drop, weight_variable([1024, 10], "fc2/kernel"))
    return logits + bias_variable([10], "fc2/bias"), w_conv1, h_conv1, h_conv2


def digits_28():
    """Images [n, 28, 28, 1] from 0 to 1 and their digits."""
    images, digits = load_digits(return_X_y=True)
    images = zoom(images.reshape(-1, 8, 8) / 16.0, (1, 3.5, 3.5), order=1)
    return images[..., None].astype(np.float32), digits.astype(np.int32)


def moved(images, random):
    """Each image moved by up to two pixels."""
    out = np.empty_like(images)
    for image, into in zip(images, out, strict=True):
        into[:] = np.roll(image, random.randint(-2, 3, 2), (0, 1))
    return out


def grid(axes, images, title, columns=8):
    """Small images beside each other, each in its own range."""
    rows = -(-len(images) // columns)
    height, width = images.shape[1:]
    whole = np.ones((rows * (height + 1), columns * (width + 1)))
    for i, image in enumerate(images):
        top, left = (height + 1) * (i // columns), (width + 1) * (i % columns)
        spread = np.ptp(image) or 1
        whole[top : top + height, left : left + width] = (image - image.min()) / spread
    axes.imshow(whole, cmap="gray", interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def draw(path, kernels, maps1, maps2, images, saliency):
    """Kernels, feature maps of one digit, and what decides about eight digits."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 8), layout="constrained")
    grid(axes[0, 0], kernels[:, :, 0].transpose(2, 0, 1), "kernels of the first layer")
    grid(axes[0, 1], maps1.transpose(2, 0, 1), "feature maps of the first layer")
    grid(axes[1, 0], maps2.transpose(2, 0, 1), "feature maps of the second layer")
    pairs = np.concatenate([images, np.abs(saliency)])[..., 0]
    grid(axes[1, 1], pairs, "test digits; how much each pixel moves the winning logit")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=25, help="passes over the training digits")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--batch", type=int, default=50, help="digits in a mini-batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--report", type=Path, help="write what a step is compiled to as a page")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    images, digits = digits_28()
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits, test_size=0.2, stratify=digits, random_state=0
    )
    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.float32, [None, 28, 28, 1], name="x")
    y = tf.placeholder(tf.int32, [None], name="y")
    keep_prob = tf.placeholder_with_default(1.0, [], name="keep_prob")
    logits, kernels, maps1, maps2 = network(x, keep_prob)
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits), name="loss"
    )
    step = tf.train.get_or_create_global_step()
    batches = -(-len(train_x) // args.batch)
    rate = tf.train.exponential_decay(1e-3, step, 8 * batches, 0.4, staircase=True)
    train = tf.train.AdamOptimizer(rate).minimize(loss, global_step=step)
    correct = tf.equal(tf.argmax(logits, 1, output_type=tf.int32), y)
    accuracy = tf.reduce_mean(tf.cast(correct, tf.float32), name="accuracy")
    (saliency,) = tf.gradients(tf.reduce_max(logits, 1), x)

    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    random = np.random.RandomState(args.seed)
    times = []
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(train_x))
            for start in range(0, min(len(order), (total - bar.n) * args.batch), args.batch):
                rows = order[start : start + args.batch]
                feed = {x: moved(train_x[rows], random), y: train_y[rows], keep_prob: 0.5}
                began = time.perf_counter()
                _, value = sess.run([train, loss], feed)
                times.append(time.perf_counter() - began)
                bar.update()
            test_accuracy = sess.run(accuracy, {x: test_x, y: test_y})
            bar.set_postfix_str(f"loss {value:.4f}, accuracy {test_accuracy:.4f}")
        if args.report:
            tf.report([train, loss], args.report, feed)
        shown = test_x[:8]
        found = sess.run([kernels, maps1, maps2, saliency], {x: shown})

    picture = args.out / "mnist_cnn.png"
    draw(picture, found[0], found[1][0], found[2][0], shown, found[3])
    print(f"kernels, feature maps and saliency: {picture}")
    print(f"first step {1e3 * times[0]:.0f} ms, then {1e3 * np.median(times[1:] or times):.1f} ms")
    print(f"test accuracy {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
