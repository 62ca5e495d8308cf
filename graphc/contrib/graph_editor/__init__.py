"""tf.contrib.graph_editor: find operations, copy parts of a graph, and wire operations anew."""
