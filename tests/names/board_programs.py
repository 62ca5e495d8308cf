"""What the TensorBoard callback writes of batches and weights; names of tf.quantization."""

import glob

from families import pattern, started


def _written(tf, folder, **options):
    keras = tf.keras
    model = keras.Sequential([
        keras.layers.Conv1D(2, 2, input_shape=(4, 3), name="c"),
        keras.layers.Flatten(name="f"),
        keras.layers.Dense(2, name="d"),
        keras.layers.Reshape((2, 1, 1), name="r"),
        keras.layers.Conv2D(2, (2, 1), padding="same", name="i"),
        keras.layers.Flatten(name="g"),
    ])  # fmt: skip
    model.set_weights([pattern(*w.shape, k=i) for i, w in enumerate(model.get_weights())])
    model.compile("sgd", "mse")
    board = keras.callbacks.TensorBoard(folder, write_graph=False, **options)
    x, y = pattern(6, 4, 3), pattern(6, 4, k=2.0)
    model.fit(
        x, y, 2, epochs=2, verbose=0, shuffle=False, callbacks=[board], validation_data=(x, y)
    )
    out = []
    for path in sorted(glob.glob(folder + "/**/events*", recursive=True)):
        for event in tf.compat.v1.train.summary_iterator(path):
            out += [(event.step, v) for v in event.summary.value]
    return out


def pictures(tf, say, folder):
    found = _written(tf, folder, histogram_freq=1, write_images=True)
    say(
        sorted(
            [step, v.tag, v.image.height, v.image.width, v.image.colorspace]
            for step, v in found
            if v.HasField("image")
        )
    )


def each_batch(tf, say, folder):
    found = _written(tf, folder, update_freq="batch")
    say([[step, v.tag, v.simple_value] for step, v in found])


def each_four_examples(tf, say, folder):
    found = _written(tf, folder, update_freq=4)
    say([[step, v.tag, v.simple_value] for step, v in found])


def quantization(tf, say, folder):
    q, x = tf.quantization, tf.constant(pattern(3, 4, scale=8.0), tf.float32)
    low, high = tf.constant(-3.0), tf.constant(5.0)
    lows, highs = tf.constant([-1.0, -2, -3, 0]), tf.constant([1.0, 2, 0.5, 6])
    ones = tf.ones([3, 4])
    made = [
        q.fake_quant_with_min_max_args(x),
        q.fake_quant_with_min_max_args(x, -2, 3, num_bits=4, narrow_range=True),
        q.fake_quant_with_min_max_vars(x, low, high),
        q.fake_quant_with_min_max_vars_per_channel(x, lows, highs, num_bits=3),
        q.fake_quant_with_min_max_args_gradient(ones, x),
        q.fake_quant_with_min_max_vars_gradient(ones, x, low, high),
        q.fake_quant_with_min_max_vars_per_channel_gradient(ones, x, lows, highs),
        tf.gradients(tf.square(q.fake_quant_with_min_max_vars(x, low, high)), [x, low, high]),
    ]
    for value in started(tf).run(made):
        say(list(value) if isinstance(value, tuple) else value)
