"""tf.feature_column: its public names are in `graphc.face.names`."""
