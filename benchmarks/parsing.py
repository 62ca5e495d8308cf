"""What reading costs: examples and lines of files, parsed one at a time and in batches."""

import argparse
import importlib
import os
import tempfile
import time

import numpy as np

COUNT, BATCH = 4000, 32


def files(tf, folder):
    """A file of examples (a picture, a label, eight floats, five ids) and one of lines."""
    rng = np.random.RandomState(0)
    feature, train = tf.train.Feature, tf.train
    records, lines = os.path.join(folder, "r"), os.path.join(folder, "l")
    with tf.io.TFRecordWriter(records) as w:
        for i in range(COUNT):
            f = {
                "image": feature(bytes_list=train.BytesList(value=[rng.bytes(784)])),
                "label": feature(int64_list=train.Int64List(value=[i % 10])),
                "x": feature(float_list=train.FloatList(value=rng.rand(8).tolist())),
                "ids": feature(int64_list=train.Int64List(value=rng.randint(0, 10**6, 5).tolist())),
            }
            made = train.Example(features=train.Features(feature=f))
            w.write(made.SerializeToString())
    with open(lines, "w") as f:
        for i in range(COUNT):
            f.write(",".join([f"{v:.4f}" for v in rng.rand(8)]) + f",{i % 10},name{i}\n")
    return records, lines


def cases(tf, records, lines):
    """Name, dataset, and how many elements of a file are in one of its own."""
    spec = {
        "image": tf.FixedLenFeature([], tf.string), "label": tf.FixedLenFeature([], tf.int64),
        "x": tf.FixedLenFeature([8], tf.float32), "ids": tf.VarLenFeature(tf.int64),
    }  # fmt: skip

    def picture(f, shape):
        raw = tf.reshape(tf.decode_raw(f["image"], tf.uint8), shape)
        return tf.cast(raw, tf.float32) / 255.0, f["label"], f["x"]

    def line(text):
        columns = tf.decode_csv(text, [[0.0]] * 8 + [[0], [""]])
        return tf.stack(columns[:8]), columns[8]

    examples, texts = tf.data.TFRecordDataset(records), tf.data.TextLineDataset(lines)
    one = examples.map(lambda s: picture(tf.parse_single_example(s, spec), [784]))
    yield "parse_single_example", one, 1
    yield "parse_single_example, batch", one.batch(BATCH), BATCH
    many = examples.batch(BATCH).map(lambda s: picture(tf.parse_example(s, spec), [-1, 784]))
    yield "batch, parse_example", many, BATCH
    yield "decode_csv", texts.map(line), 1
    yield "decode_csv, batch", texts.map(line).batch(BATCH), BATCH
    yield "batch, decode_csv", texts.batch(BATCH).map(lambda t: line(t)[1]), BATCH
    yield "string_split", texts.map(lambda t: tf.string_split([t], ",").values), 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", default="graphc", help="or tensorflow, where that is 1.15")
    tf = importlib.import_module(parser.parse_args().module)
    with tempfile.TemporaryDirectory() as folder:
        for name, data, size in cases(tf, *files(tf, folder)):
            element = data.repeat().make_one_shot_iterator().get_next()
            one = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
            with tf.Session(config=one) as sess:
                times = []
                for _ in range(4):
                    began = time.perf_counter()
                    for _ in range(COUNT // size // 4):
                        sess.run(element)
                    times.append((time.perf_counter() - began) / (COUNT // size // 4) / size)
            print(f"{name:30} {min(times) * 1e6:7.1f} us for each")


if __name__ == "__main__":
    main()
