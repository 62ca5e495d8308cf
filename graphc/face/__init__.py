"""The TF1 face."""
