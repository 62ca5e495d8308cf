"""tf.image: its public names are in `graphc.face.names`."""
