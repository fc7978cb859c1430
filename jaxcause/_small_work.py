"""Small work runs at once; XLA compiles where it pays.

A formula that either array namespace can evaluate (`jaxcause._namespace`) starts in numpy. The
seconds that numpy has spent on a program, by an estimate of the work, are added up. When they
exceed what compiling it costs, it is compiled, and from then on the compiled program runs. In the
worst case the calls together take twice the time that they would have taken had their number been
known before.
"""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
import numpy as np

from jaxcause._namespace import on_host

_spent: dict[Hashable, float] = {}
"""Estimated seconds that numpy has spent on each program of this process."""


def pays_to_compile(program: Hashable, seconds: float, price: float) -> bool:
    """Whether to compile ``program`` now, or whether it is compiled; else notes the work.

    Args:
        program: What is compiled: a function, its static arguments and the shapes of the others.
        seconds: How long numpy would take for this call, by an estimate that depends on nothing but
            the arguments.
        price: How long XLA takes to compile it.

    >>> [pays_to_compile("doctest", 0.4, price=1.0) for _ in range(4)]
    [False, False, True, True]
    """
    spent = _spent.get(program, 0.0)
    if spent >= price:
        return True
    _spent[program] = spent + seconds
    return _spent[program] >= price


def compile_from_now_on(program: Hashable) -> None:
    """Let `pays_to_compile` say yes: a caller has asked for it, as `jaxcause.warmup` does."""
    _spent[program] = np.inf


def numpy_or_xla(
    work: Callable[..., float], *, price: float, static: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a formula for either namespace, as a function that runs where it is fastest.

    On JAX arrays it is ``jax.jit`` of the formula. On numpy arrays the formula itself runs, until
    it pays to compile it; the results are numpy arrays either way.

    Args:
        work: Estimated seconds of numpy, from the arguments of the formula.
        price: Seconds that XLA takes to compile it.
        static: Names of arguments that change the program.
    """

    def decorate(formula: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(formula, static_argnames=static)

        @functools.wraps(formula)
        def choose(*args: Any, **options: Any) -> Any:
            if not on_host(args, {k: v for k, v in options.items() if k not in static}):
                return compiled(*args, **options)
            leaves, structure = jax.tree.flatten((args, options))
            shapes = tuple((np.shape(leaf), getattr(leaf, "dtype", leaf)) for leaf in leaves)
            program = (formula, structure, shapes)
            if not pays_to_compile(program, work(*args, **options), price):
                return formula(*args, **options)
            return jax.tree.map(np.asarray, compiled(*args, **options))

        return choose

    return decorate
