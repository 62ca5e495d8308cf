"""tf.contrib.slim: its public names are in `graphc.face.names`."""
