"""tf.contrib.opt: its public names are in `graphc.face.names`."""
