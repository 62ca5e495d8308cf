"""tf.metrics: its public names are in `graphc.face.names`."""
