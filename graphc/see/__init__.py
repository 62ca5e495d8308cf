"""Seeing what the compiler did, and why: reports, explanations, profiles, other forms of a graph.

One module a feature; nothing is imported before it is asked for.
"""
