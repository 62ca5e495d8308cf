"""Learn to write, one character after the other, from a page of text.

Ordinary TensorFlow-1 code: two layers of LSTM cells, unrolled over a piece of text; the state at
the end of a piece is fed back as the state at the start of the next one. Afterwards the same
cells, one step at a time, write text of their own. The last line is the perplexity: among how many
characters the net hesitates.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

import graphc as tf


class Model:
    """A net over `length` characters for `rows` pieces of text at once."""

    def __init__(self, symbols, units, layers, rows, length):
        self.x = tf.placeholder(tf.int32, [rows, length], name="x")
        self.y = tf.placeholder(tf.int32, [rows, length], name="y")
        cells = [tf.contrib.rnn.BasicLSTMCell(units) for _ in range(layers)]
        cell = tf.contrib.rnn.MultiRNNCell(cells)
        self.before = cell.zero_state(rows, tf.float32)
        table = tf.get_variable("embedding", [symbols, units])
        steps = tf.unstack(tf.nn.embedding_lookup(table, self.x), axis=1)
        outputs, self.after = tf.contrib.rnn.static_rnn(cell, steps, initial_state=self.before)
        w = tf.get_variable("w", [units, symbols])
        b = tf.get_variable("b", [symbols], initializer=tf.zeros_initializer())
        read = tf.reshape(tf.stack(outputs, axis=1), [-1, units])
        logits = tf.matmul(read, w) + b
        self.likely = tf.nn.softmax(logits)
        logits = tf.reshape(logits, [rows, length, symbols])
        self.loss = tf.contrib.seq2seq.sequence_loss(logits, self.y, tf.ones([rows, length]))


def pieces(codes, rows, length):
    """Inputs and targets: `rows` readers that go through the text side by side."""
    each = (len(codes) - 1) // rows
    x = codes[: rows * each].reshape(rows, each)
    y = codes[1 : rows * each + 1].reshape(rows, each)
    for start in range(0, each - length + 1, length):
        yield x[:, start : start + length], y[:, start : start + length]


def write(sess, model, alphabet, beginning, count, random):
    """Text that goes on from `beginning`."""
    state = sess.run(model.before)
    text = beginning
    for i in range(len(beginning) + count - 1):
        feed = {model.x: [[alphabet.index(text[i])]], model.before: state}
        likely, state = sess.run([model.likely, model.after], feed)
        if i + 1 == len(text):
            p = np.float64(likely[0]) ** 1.5  # a little bolder than the net itself
            text += alphabet[random.choice(len(alphabet), p=p / p.sum())]
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=24, help="passes over the text")
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--units", type=int, default=128, help="size of the states")
    parser.add_argument("--text", type=Path, default=Path(__file__).parent / "text/harbour.txt")
    parser.add_argument("--write", type=int, default=300, help="characters to write")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    text = args.text.read_text(encoding="utf-8").replace("\n", " ")
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(c) for c in text], np.int32)

    tf.set_random_seed(args.seed)
    rows, length = 8, 25
    with tf.variable_scope("model"):
        model = Model(len(alphabet), args.units, 2, rows, length)
    with tf.variable_scope("model", reuse=True):
        writer = Model(len(alphabet), args.units, 2, 1, 1)
    optimizer = tf.train.AdamOptimizer(4e-3)
    variables = tf.trainable_variables()
    gradients, _ = tf.clip_by_global_norm(tf.gradients(model.loss, variables), 5.0)
    train = optimizer.apply_gradients(zip(gradients, variables, strict=True))

    batches = len(list(pieces(codes, rows, length)))
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    random = np.random.RandomState(args.seed)
    recent = []
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            state = sess.run(model.before)
            for x, y in pieces(codes, rows, length):
                if bar.n == total:
                    break
                feed = {model.x: x, model.y: y, model.before: state}
                _, loss, state = sess.run([train, model.loss, model.after], feed)
                recent = [*recent[-batches + 1 :], loss]
                bar.update()
            bar.set_postfix_str(f"perplexity {np.exp(np.mean(recent)):.2f}")
        written = write(sess, writer, alphabet, "The ", args.write, random)

    path = args.out / "char_rnn.txt"
    path.write_text(written + "\n", encoding="utf-8")
    print(written)
    print(f"perplexity {np.exp(np.mean(recent)):.2f}")


if __name__ == "__main__":
    main()
