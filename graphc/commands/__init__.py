"""The commands of ``python -m graphc``, one module each; `graphc.cli` has the table."""
