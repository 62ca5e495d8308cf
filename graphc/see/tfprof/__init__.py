"""``tf.profiler``: parameters, float operations and times of a graph, and the report of them."""
