"""tf.estimator: its public names are in `graphc.face.names`."""
