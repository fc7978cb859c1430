"""The arithmetic of a search: the first separating set, partial correlations, bit sets."""
