"""tf.saved_model: graphs with their variables and signatures in one folder, for serving."""
