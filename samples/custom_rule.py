"""A rewrite rule of one's own, with its licence: exp(x) / exp(y) is exp(x - y).

One exponential fewer and no division; but it rounds differently and gives a number where the
formula as written overflows to NaN. So the rule says what it assumes, and it runs only where a
session grants that.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from tqdm import trange

import graphc as tf
from graphc.extend import passes, rule

rule(
    lambda x, y: tf.exp(x) / tf.exp(y),
    lambda x, y: tf.exp(x - y),
    needs="REASSOC NO_NAN",
    kinds="f",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    a = tf.placeholder(tf.float32, [None], name="a")
    b = tf.placeholder(tf.float32, [None], name="b")
    odds = tf.identity(tf.exp(a) / tf.exp(b), name="odds")

    random = np.random.RandomState(args.seed)
    feed = {key: random.uniform(-5, 5, 1_000_000).astype(np.float32) for key in (a, b)}
    granted = passes(licences="REASSOC+NO_NAN")
    text, answers = [], []
    for name, pipeline in (("as written", passes()), ("rule granted", granted)):
        with tf.Session(config=tf.ConfigProto(graphc_passes=pipeline)) as sess:
            seconds = []
            for _ in trange(args.steps, desc=name, unit="run"):
                began = time.perf_counter()
                answer = sess.run(odds, feed)
                seconds.append(time.perf_counter() - began)
            large = sess.run(odds, {a: [200.0], b: [199.0]})[0]
            text.append(f"# {name}\n{tf.dump(odds, feed, sess, stage='fuse')}\n")
            answers.append(answer)
            print(f"{name}: {1e3 * np.median(seconds):.2f} ms, exp(200)/exp(199) = {large:.6g}")

    path = args.out / "custom_rule.gc"
    path.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(text))
    wide = {key: value.astype(np.float64) for key, value in feed.items()}
    exact = np.exp(wide[a] - wide[b])
    errors = [np.max(np.abs(answer - exact) / exact) for answer in answers]
    print(f"largest relative error: {errors[0]:.1e} as written, {errors[1]:.1e} with the rule")


if __name__ == "__main__":
    main()
