"""Ragged tensors: rows of different lengths, made of ordinary tensors."""
