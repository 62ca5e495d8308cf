"""Graphs as TensorFlow's messages: ``GraphDef``, ``MetaGraphDef``, and back."""
