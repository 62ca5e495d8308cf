"""tf.losses: its public names are in `graphc.face.names`."""
