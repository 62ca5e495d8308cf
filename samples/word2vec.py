"""Skip-gram word vectors with negative sampling, from the text of Python's own manual.

The text is that of ``help()``: the language reference, which comes with every Python.
"""

import argparse
import collections
import re
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import trange

import graphc as tf

ASKED = ("class", "two", "integer", "import", "yield", "bytes", "except", "attribute")


def read_words():
    """The manual as a list of words."""
    return re.findall(r"[a-z]+", " ".join(topics[k] for k in sorted(topics)).lower())


def make_pairs(words, window, random):
    """Numbers of words that stand near each other; frequent words are thinned out."""
    common = collections.Counter(words).most_common(1500)
    number = {word: i for i, (word, _) in enumerate(common)}
    counts = np.array([n for _, n in common], np.float64)
    text = np.array([number[w] for w in words if w in number], np.int32)
    rare = np.minimum(1.0, np.sqrt(1e-3 * len(text) / counts))
    text = text[random.rand(len(text)) < rare[text]]
    pairs = [(text[d:], text[:-d]) for d in range(1, window + 1)]
    centre = np.concatenate([side for a, b in pairs for side in (a, b)])
    context = np.concatenate([side for a, b in pairs for side in (b, a)])
    return [word for word, _ in common], counts, centre, context


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    random = np.random.RandomState(args.seed)
    words = read_words()
    vocabulary, counts, centres, contexts = make_pairs(words, 4, random)
    print(f"{len(words)} words, {len(vocabulary)} kept, {len(centres)} pairs")

    size, negatives = 48, 8
    tf.set_random_seed(args.seed)
    centre = tf.placeholder(tf.int32, [None], name="centre")
    context = tf.placeholder(tf.int32, [None], name="context")
    bound = 0.5 / size
    start = tf.random_uniform([len(vocabulary), size], -bound, bound)
    vectors = tf.Variable(start, name="vectors")
    outputs = tf.Variable(tf.zeros([len(vocabulary), size]), name="outputs")

    # the words beside a word should score high, words drawn by frequency ** 0.75 low
    log_chance = tf.constant((0.75 * np.log(counts))[None].astype(np.float32))
    drawn = tf.multinomial(log_chance, tf.size(centre) * negatives)
    drawn = tf.reshape(drawn, [-1, negatives])
    v = tf.nn.embedding_lookup(vectors, centre)
    near = tf.reduce_sum(v * tf.nn.embedding_lookup(outputs, context), axis=1)
    far = tf.reduce_sum(tf.expand_dims(v, 1) * tf.nn.embedding_lookup(outputs, drawn), axis=2)
    loss = tf.reduce_mean(-tf.log_sigmoid(near) - tf.reduce_sum(tf.log_sigmoid(-far), axis=1))
    train = tf.train.AdamOptimizer(2e-3).minimize(loss)

    unit = tf.nn.l2_normalize(vectors, 1)
    asked = tf.constant([vocabulary.index(w) for w in ASKED])
    likeness = tf.matmul(tf.gather(unit, asked), unit, transpose_b=True)
    nearest = tf.nn.top_k(likeness, 6).indices

    losses = []
    with tf.Session() as sess, trange(args.steps, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        for _ in bar:
            rows = random.randint(len(centres), size=args.batch)
            feed = {centre: centres[rows], context: contexts[rows]}
            losses.append(sess.run([train, loss], feed)[1])
            if len(losses) % 100 == 0:
                bar.set_postfix_str(f"loss {np.mean(losses[-100:]):.4f}")
        found, learned = sess.run([nearest, unit])

    shown = sorted({*found.ravel().tolist(), *range(60)})
    centred = learned[shown] - learned.mean(0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    figure, axes = plt.subplots(figsize=(9, 7), layout="constrained")
    axes.scatter(*plane.T, s=6)
    for place, i in zip(plane, shown, strict=True):
        axes.annotate(vocabulary[i], place, fontsize=8, xytext=(2, 2), textcoords="offset points")
    axes.set(title="Word vectors, two principal directions", xticks=[], yticks=[])
    picture = args.out / "word2vec.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    for word, row in zip(ASKED, found, strict=True):
        print(f"{word:>10}: {', '.join(vocabulary[i] for i in row if vocabulary[i] != word)}")
    print(f"loss {np.mean(losses[:100]):.4f} at first, {np.mean(losses[-100:]):.4f} at last")


if __name__ == "__main__":
    main()
