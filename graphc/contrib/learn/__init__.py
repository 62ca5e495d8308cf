"""tf.contrib.learn: its public names are in `graphc.face.names`."""
