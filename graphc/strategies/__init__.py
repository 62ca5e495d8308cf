"""tf.distribute and tf.contrib.distribute on one device: one replica, which has all the work."""
