"""tf.contrib.layers: its public names are in `graphc.face.names`."""
