"""The search as one traced program of fixed shapes; files and names are those of ``_host``."""
