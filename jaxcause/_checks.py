"""Validation of public arguments: every message names the argument, its value and the remedy."""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxcause._errors import InputError as InputError


def is_concrete(*values: Any) -> bool:
    """Whether every array among ``values`` has a value that can be read now (none is traced)."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def check_probability(name: str, value: Any) -> None:
    """Raise unless ``value`` lies strictly between 0 and 1."""
    if is_concrete(value) and not 0.0 < float(value) < 1.0:
        raise InputError(
            f"{name}={float(value):g} must lie strictly between 0 and 1; try {name}=0.05"
        )


def check_at_least(name: str, value: Any, minimum: int) -> None:
    """Raise unless ``value`` is a whole number of at least ``minimum``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < minimum:
        raise InputError(f"{name}={value!r} must be a whole number of at least {minimum}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise InputError(f"{name}={value!r} is not known; choose one of {', '.join(choices)}")


def check_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless the trailing axes of ``value`` are ``shape``."""
    if np.shape(value)[-len(shape) :] != shape:
        raise InputError(
            f"{name} has shape {np.shape(value)}, but its last axes must be {shape}; "
            "check the order of the axes and the number of nodes"
        )


def check_square(name: str, value: Any) -> None:
    """Raise unless the two last axes of ``value`` have one length."""
    shape = np.shape(value)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise InputError(f"{name} has shape {shape}, but must be [..., nodes, nodes]")
