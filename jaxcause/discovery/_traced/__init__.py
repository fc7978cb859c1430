"""The same search as one traced program of fixed shapes."""
