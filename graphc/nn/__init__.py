"""tf.nn: its public names are in `graphc.face.names`."""

from graphc.face.lazy import namespace

__getattr__, __dir__ = namespace("nn", __name__)
