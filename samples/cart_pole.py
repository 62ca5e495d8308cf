"""A pole on a cart learns to stand: policy gradient, and deep Q-learning with replay.

The cart and its pole are a few lines of mechanics here. An episode ends when the pole has fallen by
twelve degrees, when the cart has left its track, or after 200 steps.
"""

import argparse
from collections import deque
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from tqdm import trange

import graphc as tf


class CartPole:
    """Position and speed of the cart, angle and turning of the pole; two pushes."""

    def __init__(self, random):
        self.random = random

    def reset(self):
        self.state, self.count = self.random.uniform(-0.05, 0.05, 4), 0
        return self.state

    def step(self, action):
        _, v, a, w = self.state
        force, cos, sin = 10.0 if action else -10.0, np.cos(a), np.sin(a)
        push = (force + 0.05 * w * w * sin) / 1.1
        turning = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos * cos / 1.1))
        speeding = push - 0.05 * turning * cos / 1.1
        change = np.array([v, speeding, w, turning])
        self.state = self.state + 0.02 * change
        self.count += 1
        fallen = abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095
        return self.state, 1.0, fallen or self.count == 200, fallen


def network(state, name):
    with tf.variable_scope(name):
        h = tf.layers.dense(state, 64, activation=tf.nn.relu)
        h = tf.layers.dense(h, 64, activation=tf.nn.relu)
        return tf.layers.dense(h, 2)


def policy_gradient(episodes, random):
    """The lengths of episodes while a policy learns from what whole episodes brought."""
    env = CartPole(random)
    state = tf.placeholder(tf.float32, [None, 4])
    action = tf.placeholder(tf.int32, [None])
    gain = tf.placeholder(tf.float32, [None])
    logits = network(state, "policy")
    choice = tf.squeeze(tf.multinomial(logits, 1), 1)
    cost = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=action, logits=logits)
    train = tf.train.AdamOptimizer(5e-3).minimize(tf.reduce_mean(cost * gain))
    lengths = []
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        act = sess.make_callable(choice, [state])
        for _ in trange(episodes, unit="episode", desc="policy gradient"):
            states, actions, done, s = [], [], False, env.reset()
            while not done:
                a = int(act(s[None].astype(np.float32))[0])
                states.append(s)
                actions.append(a)
                s, _, done, _ = env.step(a)
            ahead = (1 - 0.98 ** np.arange(len(states), 0, -1)) / 0.02
            ahead = (ahead - ahead.mean()) / (ahead.std() + 1e-6)
            sess.run(train, {state: states, action: actions, gain: ahead})
            lengths.append(len(states))
    return lengths


def deep_q(episodes, random):
    """The lengths of episodes while a network learns what each push is worth."""
    env = CartPole(random)
    state = tf.placeholder(tf.float32, [None, 4])
    following = tf.placeholder(tf.float32, [None, 4])
    action = tf.placeholder(tf.int32, [None])
    alive = tf.placeholder(tf.float32, [None])
    worth, later = network(state, "online"), network(following, "target")
    best = tf.argmax(worth, 1)
    target = tf.stop_gradient(1.0 + 0.98 * alive * tf.reduce_max(later, 1))
    chosen = tf.reduce_sum(worth * tf.one_hot(action, 2), 1)
    train = tf.train.AdamOptimizer(1e-3).minimize(tf.losses.huber_loss(target, chosen))
    pairs = zip(tf.trainable_variables("target"), tf.trainable_variables("online"), strict=True)
    copy = [tf.assign(t, o) for t, o in pairs]
    memory, lengths, steps = deque(maxlen=20000), [], 0
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(copy)
        act = sess.make_callable(best, [state])
        for episode in trange(episodes, unit="episode", desc="deep Q-learning"):
            done, s = False, env.reset()
            curious = max(0.02, 1 - episode / (0.4 * episodes + 1))
            while not done:
                explore = random.rand() < curious
                a = random.randint(2) if explore else int(act(s[None].astype(np.float32))[0])
                before = s
                s, _, done, fallen = env.step(a)
                memory.append((before, a, s, 0.0 if fallen else 1.0))
                steps += 1
                if len(memory) >= 200:
                    rows = [memory[i] for i in random.randint(len(memory), size=64)]
                    was, did, came, up = map(np.array, zip(*rows, strict=True))
                    sess.run(train, {state: was, action: did, following: came, alive: up})
                if steps % 200 == 0:
                    sess.run(copy)
            lengths.append(env.count)
    return lengths


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=250, help="episodes for each way to learn")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    curves = {}
    for learn in (policy_gradient, deep_q):
        with tf.Graph().as_default():
            tf.set_random_seed(args.seed)
            curves[learn.__name__] = learn(args.steps, np.random.RandomState(args.seed))

    figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
    for name, lengths in curves.items():
        window = max(1, len(lengths) // 25)
        axes.plot(np.convolve(lengths, np.ones(window) / window, "valid"), label=name)
    axes.set(xlabel="episode", ylabel="steps until the pole fell", title="A pole on a cart")
    axes.legend()
    picture = args.out / "cart_pole.png"
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")
    last = {name: np.mean(lengths[-25:]) for name, lengths in curves.items()}
    print("steps of the last episodes: " + ", ".join(f"{n} {v:.0f}" for n, v in last.items()))


if __name__ == "__main__":
    main()
