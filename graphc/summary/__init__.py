"""tf.summary: what to show of a run, and the event files that TensorBoard reads."""
