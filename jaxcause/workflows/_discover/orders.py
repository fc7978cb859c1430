"""Orders of the printed table of edges; the command line reads them without numpy."""

SORTS = ("strength", "effect", "p-value", "lag", "source", "target")
"""What the printed table can be sorted by."""
