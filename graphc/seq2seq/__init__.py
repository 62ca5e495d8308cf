"""Sequence to sequence: losses, helpers, decoders, attention, beam search."""
