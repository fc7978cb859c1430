"""Linear regressions of a series on its past."""
