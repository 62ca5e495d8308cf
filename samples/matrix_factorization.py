"""Matrix factorization: predict missing ratings from the few that are known.

The ratings are made up (2,000 people, 500 films, hidden tastes of eight numbers, noise of 0.3),
so the error that no method can beat is known: the noise.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import graphc as tf

PEOPLE, FILMS, TASTES, NOISE = 2000, 500, 8, 0.3


def make_ratings(random, count):
    """Who rated what, and how."""
    people, films = random.randint(PEOPLE, size=count), random.randint(FILMS, size=count)
    taste, style = random.randn(PEOPLE, TASTES), random.randn(FILMS, TASTES)
    likes = (taste[people] * style[films]).sum(1) / np.sqrt(TASTES)
    mood, fame = 0.4 * random.randn(PEOPLE)[people], 0.4 * random.randn(FILMS)[films]
    ratings = 3 + likes + mood + fame + NOISE * random.randn(count)
    return people.astype(np.int32), films.astype(np.int32), ratings.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--steps", type=int, help="stop after so many steps")
    parser.add_argument("--batch", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    random = np.random.RandomState(args.seed)
    table = make_ratings(random, 110_000)
    known, hidden = [t[:100_000] for t in table], [t[100_000:] for t in table]

    tf.set_random_seed(args.seed)
    person = tf.placeholder(tf.int32, [None], name="person")
    film = tf.placeholder(tf.int32, [None], name="film")
    rating = tf.placeholder(tf.float32, [None], name="rating")
    small = tf.random_normal_initializer(stddev=0.1)
    taste = tf.get_variable("taste", [PEOPLE, TASTES], initializer=small)
    style = tf.get_variable("style", [FILMS, TASTES], initializer=small)
    mood = tf.get_variable("mood", [PEOPLE], initializer=tf.zeros_initializer())
    fame = tf.get_variable("fame", [FILMS], initializer=tf.zeros_initializer())
    mean = tf.constant(known[2].mean())
    u, v = tf.nn.embedding_lookup(taste, person), tf.nn.embedding_lookup(style, film)
    guess = mean + tf.gather(mood, person) + tf.gather(fame, film) + tf.reduce_sum(u * v, axis=1)
    error = tf.reduce_mean(tf.squared_difference(guess, rating))
    loss = error + 0.02 * tf.reduce_mean(tf.reduce_sum(u * u + v * v, axis=1))
    train = tf.train.AdamOptimizer(0.01).minimize(loss)

    batches = len(known[0]) // args.batch
    total = min(args.epochs * batches, args.steps or args.epochs * batches)
    curve = []
    with tf.Session() as sess, tqdm(total=total, unit="step") as bar:
        sess.run(tf.global_variables_initializer())
        while bar.n < total:
            order = random.permutation(len(known[0]))
            squares = []
            for start in range(0, min(batches, total - bar.n) * args.batch, args.batch):
                rows = order[start : start + args.batch]
                feed = {k: t[rows] for k, t in zip((person, film, rating), known, strict=True)}
                squares.append(sess.run([train, error], feed)[1])
                bar.update()
            test = sess.run(error, dict(zip((person, film, rating), hidden, strict=True)))
            curve.append(np.sqrt([np.mean(squares), test]))
            bar.set_postfix_str(f"error {curve[-1][1]:.4f}")

    figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
    axes.plot(np.arange(1, len(curve) + 1), curve, label=["known ratings", "hidden ratings"])
    axes.axhline(NOISE, color="gray", linestyle="--", label="noise")
    axes.set(title="Root mean squared error", xlabel="epoch", ylim=(0, None))
    axes.legend()
    picture = args.out / "matrix_factorization.png"
    figure.savefig(picture, dpi=110)

    print(f"picture: {picture}")
    print(f"spread of the hidden ratings {hidden[2].std():.4f}, noise {NOISE}")
    print(f"error on hidden ratings {curve[-1][1]:.4f}")


if __name__ == "__main__":
    main()
