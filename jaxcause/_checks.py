"""Validation of public arguments: every message names the argument, its value and the remedy.

JAX and numpy are imported by the checks that need them: the command line checks options without.
"""

import os
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from jaxcause._errors import InputError as InputError

SMALLEST = 1e-300
"""Half of a smaller probability loses digits, or is zero."""


def is_concrete(*values: Any) -> bool:
    """Whether every array among ``values`` has a value that can be read now (none is traced)."""
    import jax
    from jax.core import Tracer

    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(values))


def numbers(name: str, value: Any) -> Any:
    """``value`` as an array of real numbers or booleans: arrays as they are, lists as numpy's.

    Raises:
        InputError: It holds something else, or lists of several lengths.

    >>> numbers("scores", [[1, 2], [3, 4]]).shape
    (2, 2)
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    array = value
    if not isinstance(value, jax.Array | np.ndarray):
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"{name} is no array ({error}); give one array of numbers") from None
    real = any(jnp.issubdtype(array.dtype, kind) for kind in (np.integer, np.floating))
    if not (real or array.dtype == bool):
        shown = type(value).__name__ if not array.ndim else f"an array of {array.dtype}"
        raise InputError(f"{name} is {shown}; give an array of real numbers")
    return array


def check_host(name: str, *values: Any) -> None:
    """Raise if a value is traced: what decides on the host cannot be part of a compiled program."""
    if not is_concrete(*values):
        raise InputError(
            f"{name} is traced by jit, vmap or grad, but this function decides on the host what to "
            f"do with it; call it outside of them"
        )


def check_probability(name: str, value: Any) -> None:
    """Raise unless ``value`` lies strictly between 0 and 1."""
    if value is None or isinstance(value, str | bool):
        raise InputError(f"{name}={value!r} must be a number between 0 and 1; try {name}=0.05")
    if not (isinstance(value, float | int) or is_concrete(value)):
        return
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name}={value!r} must be one number; try {name}=0.05") from None
    if not 0.0 < number < 1.0:
        raise InputError(f"{name}={number:g} must lie strictly between 0 and 1; try {name}=0.05")
    if number < SMALLEST:
        raise InputError(
            f"{name}={number:g} cannot be told from 0; give at least {name}={SMALLEST:g}"
        )


def check_at_least(name: str, value: Any, minimum: int) -> None:
    """Raise unless ``value`` is a whole number of at least ``minimum``."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < minimum:
        raise InputError(f"{name}={value!r} must be a whole number of at least {minimum}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise InputError(f"{name}={value!r} is not known; choose one of {', '.join(choices)}")


def check_shape(name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless the trailing axes of ``value`` are ``shape``."""
    import numpy as np

    if np.shape(value)[-len(shape) :] != shape:
        raise InputError(
            f"{name} has shape {np.shape(value)}, but its last axes must be {shape}; "
            "check the order of the axes and the number of nodes"
        )


def check_mask(name: str, mask: Any, n: int, of: str) -> None:
    """Raise unless a mask of ``n`` entries is boolean: numbers may be meant as positions.

    Args:
        name: What the caller named it.
        mask: What was given.
        n: How many entries it has.
        of: What is True, such as "node that takes part".
    """
    import numpy as np

    dtype = mask.dtype if hasattr(mask, "dtype") else np.asarray(mask).dtype
    if dtype.kind != "b":
        many = f"{of.split()[0]}s"
        raise InputError(
            f"{name} holds {dtype}, but must be boolean, True for each {of}; for numbers of {many} "
            f"write {name}=np.isin(np.arange({n}), numbers)"
        )


def checked_flags(name: str, given: Any) -> Any:
    """What was given as booleans, or as 0 and 1, as booleans; a traced array is not looked at.

    >>> checked_flags("allowed", [[0, 1]]).tolist()
    [[False, True]]
    """
    import numpy as np

    if not is_concrete(given):
        return given.astype(bool)
    flags = np.asarray(given)
    if flags.dtype != bool and not np.isin(flags, (0, 1)).all():
        raise InputError(f"{name} holds values other than 0 and 1; give a boolean array")
    return flags.astype(bool)


def check_square(name: str, value: Any) -> None:
    """Raise unless the two last axes of ``value`` have one length."""
    import numpy as np

    shape = np.shape(value)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise InputError(f"{name} has shape {shape}, but must be [..., nodes, nodes]")


def place_in(names: Sequence[Any], given: Any) -> int | None:
    """Place of a variable that is given by its name, or by its place from 0 on.

    Names come first: a number that reads as one of the names is that name, even where it is the
    place of another variable.

    >>> place_in(["2", "1", "rain"], 2), place_in(["2", "1", "rain"], 0)
    (0, 0)
    """
    import numpy as np

    if isinstance(given, bool | np.bool_) or np.ndim(given):
        return None
    whole = isinstance(given, Integral | np.integer)
    if isinstance(names, range):
        return int(given) if whole and given in names else None
    for name in (given, str(given) if isinstance(given, int | float | np.number) else given):
        if name in names:
            return list(names).index(name)
    return int(given) if whole and 0 <= int(given) < len(names) else None


def tiers_in_order(tiers: Any, names: Sequence[Any], place: Callable[[Any], int]) -> list[Any]:
    """The tiers of a mapping, or of a pandas series by its index, in the order of the names.

    Args:
        tiers: From names, or places, to tiers.
        names: All names.
        place: Finds the place of a name, or raises.

    Raises:
        InputError: A name has two tiers, or none.
    """
    of_place: dict[int, Any] = {}
    for name, tier in tiers.items():
        k = place(name)
        if k in of_place and of_place[k] != tier:
            raise InputError(
                f"tiers gives {names[k]!r} the tiers {of_place[k]!r} and {tier!r}; give it one"
            )
        of_place[k] = tier
    missing = [repr(name) for k, name in enumerate(names) if k not in of_place]
    if missing:
        raise InputError(f"tiers lacks {', '.join(missing)}; give each a tier")
    return [of_place[k] for k in range(len(names))]


def check_test_nodes(n_nodes: int, x: Any, y: Any, cond: Any) -> None:
    """Refuse nodes that a test does not know, and a set S that holds X or Y, if they can be read.

    Raises:
        InputError: A node of a test is none of ``0 … n_nodes - 1``, or is tested given itself.
    """
    import numpy as np

    if not is_concrete(x, y, cond):
        return
    given = np.asarray(cond)
    ends = {"x": np.asarray(x), "y": np.asarray(y)}
    for name, nodes, least in (*((k, v, 0) for k, v in ends.items()), ("cond", given, -1)):
        wrong = (nodes < least) | (nodes >= n_nodes)
        if wrong.any():
            padding = ", or -1 where a set is shorter" if name == "cond" else ""
            raise InputError(
                f"{name} holds {nodes[wrong].ravel()[0]}, but the test has the nodes "
                f"0 … {n_nodes - 1}; give one of them{padding}"
            )
    for name, nodes in ends.items():
        inside = (given == nodes[..., None]).any(axis=-1)
        if inside.any():
            raise InputError(
                f"cond holds {np.ravel(nodes)[np.ravel(inside)][0]}, which is {name}; nothing is "
                "tested given itself, so leave it out of the set"
            )


def limit(name: str, default: int) -> int:
    """The largest size of something from outside: the default, or what the environment says.

    Args:
        name: What is limited; ``JAXCAUSE_MAX_`` and the name in capitals is the variable.
        default: The limit where the variable is not set.

    Raises:
        InputError: The variable holds no whole number of at least 1.

    >>> limit("columns", 20_000)
    20000
    """
    variable = f"JAXCAUSE_MAX_{name.upper()}"
    given = os.environ.get(variable, "").strip().replace("_", "")
    if not given:
        return default
    if not given.isdecimal() or int(given) < 1:
        raise InputError(f"{variable}={given!r} must be a whole number of at least 1; correct it")
    return int(given)
