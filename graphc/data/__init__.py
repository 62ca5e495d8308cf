"""tf.data: input pipelines; its public names are in `graphc.face.names`."""
