"""The type checker of the import hook, and the tolerances of the precision that tests run in.

A check takes longer than most of the functions that are called often. So of the calls that one test
makes of one function, the first ones are checked, and every so many after them.
"""

import functools
import types
from collections import Counter

import jax
import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import _decorator

FIRST = 32
EVERY = 32

# An int may stand for a float, as everywhere in Python.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))

_calls: Counter = Counter()
_definitions: Counter = Counter()
_check_always = _decorator.jaxtyped


def install():
    """Check the annotations of the library from here on: what is imported later has the checks."""
    jaxtyping.jaxtyped = _decorator.jaxtyped = _check_some
    jaxtyping.install_import_hook("jaxcause", "typechecker.check")


def begin_test():
    """Count calls from nought again, so that no test depends on the calls of tests before it."""
    _calls.clear()
    _definitions.clear()


def _check_some(function=None, *, typechecker=None):
    """As `jaxtyping.jaxtyped`, for some of the calls; inner functions are defined many times."""
    if function is None:
        return functools.partial(_check_some, typechecker=typechecker)
    if not isinstance(function, types.FunctionType):
        return _check_always(function, typechecker=typechecker)
    code = function.__code__
    if not _is_due(_definitions, code):
        return function
    checked = _check_always(function, typechecker=typechecker)

    @functools.wraps(checked)
    def some(*args, **kwargs):
        return (checked if _is_due(_calls, code) else function)(*args, **kwargs)

    return some


def _is_due(counts, code):
    counts[code] += 1
    return counts[code] <= FIRST or counts[code] % EVERY == 0


def tolerance(in_float64, in_float32=1e-4):
    """The tolerance to ask for in the precision of this run."""
    return in_float64 if jax.config.jax_enable_x64 else in_float32
