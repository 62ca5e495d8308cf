"""tf.data: input pipelines; its public names are in `graphc.face.names`."""

from graphc.face.lazy import namespace

__getattr__, __dir__ = namespace("data", __name__)
