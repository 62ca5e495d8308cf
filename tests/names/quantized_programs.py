"""Numbers rounded to what few bits can count."""

from families import error


def there_and_back(tf, say, folder):
    f = tf.quantization.quantize_and_dequantize
    x = tf.constant([-1.3, -0.4, 0.0, 0.37, 0.9, 2.2, -3.0])
    a = tf.constant([0.5, 1.5, 2.5, -0.5, -1.5, 7.0])
    with tf.Session() as session:
        for more in (
            {},
            {"range_given": True},
            {"signed_input": False},
            {"signed_input": False, "range_given": True},
            {"num_bits": 3, "range_given": True},
            {"num_bits": 4, "round_mode": "HALF_UP"},
            {"num_bits": 4, "narrow_range": True},
            {"num_bits": 4, "narrow_range": True, "range_given": True},
        ):
            y = f(x, -1.0, 2.0, **more)
            say(y.name)
            say(session.run([y, tf.gradients(y, [x])[0]]))
        for mode in ("HALF_TO_EVEN", "HALF_UP"):
            say(session.run(f(a, 0.0, 0.0, num_bits=4, round_mode=mode)))
        say(session.run(f(tf.zeros([3]), 0.0, 0.0)))
        say(session.run(tf.random_uniform([2])))
    say(error(f, x, -1.0, 2.0, round_mode="x"))
