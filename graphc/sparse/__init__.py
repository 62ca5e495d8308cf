"""``tf.sparse``: tensors given by the places and values of their elements that are not zero."""
