"""Command-line flags and tf.app.run."""

import sys

import tensorflow as tf

flags = tf.app.flags
flags.DEFINE_integer("prog_steps", 5, "Number of steps.")
flags.DEFINE_float("prog_rate", 0.1, "Learning rate.")
flags.DEFINE_string("prog_dir", "/tmp/none", "Folder.")
flags.DEFINE_boolean("prog_wide", False, "Wide.")
FLAGS = flags.FLAGS
RESULT = {}


def main(_):
    x = tf.Variable(2.0)
    train = tf.train.GradientDescentOptimizer(FLAGS.prog_rate).minimize(tf.square(x))
    with tf.Session(config=tf.ConfigProto(allow_soft_placement=True)) as sess:
        sess.run(tf.global_variables_initializer())
        for _ in range(FLAGS.prog_steps):
            sess.run(train)
        RESULT["x"] = sess.run(x)
    RESULT["wide"] = FLAGS.prog_wide


if __name__ == "__main__":
    try:
        tf.app.run(main, ["prog", "--prog_steps=7", "--prog_wide"])
    except SystemExit as e:
        RESULT["exit"] = e.code
    for name in ("prog_steps", "prog_rate", "prog_dir", "prog_wide"):
        delattr(FLAGS, name)
