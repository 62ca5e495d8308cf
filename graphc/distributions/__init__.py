"""tf.distributions: its public names are in `graphc.face.names`."""
