"""graphc.runtime: planning and running a compiled graph."""

if not __name__.startswith("graphc."):
    raise ImportError("import graphc.runtime, not runtime")
