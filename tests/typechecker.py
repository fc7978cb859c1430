"""The type checker of the import hook, and the tolerances of the precision that tests run in."""

import jax
from beartype import BeartypeConf, beartype

# An int may stand for a float, as everywhere in Python.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def tolerance(in_float64, in_float32=1e-4):
    """The tolerance to ask for in the precision of this run."""
    return in_float64 if jax.config.jax_enable_x64 else in_float32
