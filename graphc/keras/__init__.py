"""Keras as TensorFlow 1.15 has it in graph mode."""

#: What `tf.keras.__version__` says; programs look at its first number.
__version__ = "2.2.4-tf"
