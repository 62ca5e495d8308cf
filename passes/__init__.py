"""graphc.passes: rewriting a graph, level by level."""

if not __name__.startswith("graphc."):
    raise ImportError("import graphc.passes, not passes")
