"""tf.contrib.factorization: its public names are in `graphc.face.names`."""
