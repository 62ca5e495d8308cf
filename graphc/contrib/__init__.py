"""tf.contrib: its public names are in `graphc.face.names`."""
