"""TensorFlow's files, with numpy only: checkpoints (tensor bundles) and record files."""
