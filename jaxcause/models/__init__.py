"""Models in flax.nnx; everything outside sees pure functions over their parameters."""
