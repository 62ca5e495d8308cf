"""tf.keras.applications: its public names are in `graphc.face.names`."""
