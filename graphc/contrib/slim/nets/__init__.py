"""tf.contrib.slim.nets: well-known networks for images; a network is a table of its layers."""
