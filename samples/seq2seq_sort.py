"""Learn to sort: sequence to sequence with attention.

Ordinary TensorFlow-1 code: an encoder reads digits in any order, a decoder that attends to what was
read writes them in ascending order. It is trained on sequences made up at random, with the right
digits as the decoder's inputs; afterwards it reads its own output. Writes what it attended to
while it sorted one sequence as a picture. The last line is the share of new sequences that it
sorts without a mistake.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import graphc as tf

GO = 10


class Sorter:
    """An encoder, and an unrolled decoder whose inputs are given or its own."""

    def __init__(self, x, y, length, units, own):
        seq2seq = tf.contrib.seq2seq
        table = tf.get_variable("embedding", [11, units])
        with tf.variable_scope("encoder"):
            read = tf.unstack(tf.nn.embedding_lookup(table, x), axis=1)
            outputs, state = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(units), read, dtype=tf.float32)
        memory = tf.stack(outputs, axis=1)
        with tf.variable_scope("decoder") as scope:
            attention = seq2seq.BahdanauAttention(units, memory)
            cell = seq2seq.AttentionWrapper(
                tf.nn.rnn_cell.GRUCell(units), attention, attention_layer_size=units
            )
            state = cell.zero_state(tf.shape(x)[0], tf.float32).clone(cell_state=state)
            w = tf.get_variable("w", [units, 10])
            symbol = tf.fill([tf.shape(x)[0]], GO)
            logits, alignments = [], []
            for i in range(length):
                if i > 0:
                    scope.reuse_variables()
                    symbol = tf.argmax(logits[-1], 1, output_type=tf.int32) if own else y[:, i - 1]
                output, state = cell(tf.nn.embedding_lookup(table, symbol), state)
                logits.append(tf.matmul(output, w))
                alignments.append(state.alignments)
        self.logits = tf.stack(logits, axis=1)
        self.alignments = tf.stack(alignments, axis=1)
        self.loss = seq2seq.sequence_loss(self.logits, y, tf.ones_like(y, tf.float32))
        self.written = tf.argmax(self.logits, 2, output_type=tf.int32)


def draw(digits, written, alignments, path):
    """Which digit was looked at for each digit written."""
    figure, axes = plt.subplots(figsize=(4.5, 4), layout="constrained")
    axes.imshow(alignments, cmap="viridis", vmin=0, vmax=1)
    axes.set_xticks(range(len(digits)), [str(d) for d in digits])
    axes.set_yticks(range(len(written)), [str(d) for d in written])
    axes.set(xlabel="read", ylabel="written", title="attention")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500, help="training steps")
    parser.add_argument("--length", type=int, default=7, help="digits in a sequence")
    parser.add_argument("--units", type=int, default=64, help="size of the states")
    parser.add_argument("--batch", type=int, default=64, help="sequences in a mini-batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    tf.set_random_seed(args.seed)
    x = tf.placeholder(tf.int32, [None, args.length], name="x")
    y = tf.placeholder(tf.int32, [None, args.length], name="y")
    with tf.variable_scope("sorter"):
        trained = Sorter(x, y, args.length, args.units, own=False)
    with tf.variable_scope("sorter", reuse=True):
        sorter = Sorter(x, y, args.length, args.units, own=True)
    train = tf.train.AdamOptimizer(3e-3).minimize(trained.loss)
    right = tf.reduce_all(tf.equal(sorter.written, y), axis=1)
    share = tf.reduce_mean(tf.cast(right, tf.float32))

    random = np.random.RandomState(args.seed)
    with tf.Session() as sess, tqdm(total=args.steps, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        for i in range(args.steps):
            digits = random.randint(0, 10, [args.batch, args.length])
            _, loss = sess.run([train, trained.loss], {x: digits, y: np.sort(digits)})
            if i % 50 == 0:
                bar.set_postfix_str(f"loss {loss:.4f}")
            bar.update()
        digits = random.randint(0, 10, [1000, args.length])
        found = sess.run(share, {x: digits, y: np.sort(digits)})
        one = digits[:1]
        written, seen = sess.run([sorter.written, sorter.alignments], {x: one, y: np.sort(one)})

    picture = args.out / "seq2seq_sort.png"
    draw(one[0], written[0], seen[0], picture)
    print(f"attention: {picture}")
    print(f"{' '.join(map(str, one[0]))} sorted: {' '.join(map(str, written[0]))}")
    print(f"sorted without a mistake {found:.4f}")


if __name__ == "__main__":
    main()
