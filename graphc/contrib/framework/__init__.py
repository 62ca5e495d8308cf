"""tf.contrib.framework: its public names are in `graphc.face.names`."""
