"""The op records."""
