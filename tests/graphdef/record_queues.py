"""Writes what TensorFlow 1.15 makes of queues: run with an interpreter that has it."""

import gzip
import pathlib

import tensorflow as tf

HERE = pathlib.Path(__file__).parent / "text"


def main():
    numbers = tf.train.range_input_producer(6, shuffle=False).dequeue(name="number")
    tf.train.batch([numbers, tf.cast(numbers, tf.float32) / 2], 2, name="two")
    pairs = tf.FIFOQueue(9, [tf.float32, tf.string], [[2], []], shared_name="shared", name="pairs")
    pairs.enqueue(([1.0, 2.0], "a"), name="put")
    pairs.enqueue_many(([[3.0, 4.0], [5.0, 6.0]], ["b", "c"]), name="put_rows")
    pairs.dequeue(name="one")
    pairs.dequeue_many(2, name="many")
    pairs.dequeue_up_to(5, name="rest")
    pairs.size(name="size")
    pairs.is_closed(name="closed")
    pairs.close(name="close")
    mixed = tf.RandomShuffleQueue(50, 0, tf.int32, [[]], seed=3, name="mixed")
    mixed.enqueue_many([tf.range(10)], name="put_mixed")
    mixed.dequeue_many(10, name="shuffled")
    padded = tf.PaddingFIFOQueue(5, [tf.int32], [[None]], name="padded")
    padded.enqueue(tf.ones([tf.placeholder(tf.int32, [], name="n")], tf.int32), name="put_padded")
    padded.dequeue_many(2, name="wide")
    first = tf.PriorityQueue(5, [tf.string], [[]], name="first")
    first.enqueue_many(([3, 1, 2], ["c", "a", "b"]), name="put_first")
    first.dequeue_many(3, name="sorted")
    HERE.mkdir(exist_ok=True)
    made = tf.train.export_meta_graph(clear_devices=True)
    made.meta_info_def.ClearField("stripped_op_list")
    (HERE / "queues.meta.gz").write_bytes(gzip.compress(made.SerializeToString()))
    with tf.Session() as s:
        s.run("put_mixed")
        print(s.run("shuffled:0").tolist())  # in test_queues.py


if __name__ == "__main__":
    main()
