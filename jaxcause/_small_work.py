"""Small work runs at once; XLA compiles where it pays.

A formula that either array namespace can evaluate (`jaxcause._namespace`) starts in numpy. The
seconds that numpy has spent on a program, by an estimate of the work, are added up. When they
exceed what compiling it costs, it is compiled, and from then on the compiled program runs. In the
worst case the calls together take twice the time that they would have taken had their number been
known before.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import jax
import numpy as np

from jaxcause._namespace import on_host

PATIENCE = 1.0
"""Programs are compiled when numpy has spent so many times their price; with 0 at once."""

_spent: dict[Hashable, float] = {}
"""Estimated seconds that numpy has spent on each program of this process."""

_before: dict[str, float] = {}
"""The same of an earlier process that this one goes on from, by the names of programs."""


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
    spent = _spent.get(program)
    if spent is None:
        spent = _before.pop(_name_of(program), 0.0) if _before else 0.0
        _spent[program] = spent
    if spent < np.inf:
        spent += seconds
        _spent[program] = np.inf if spent >= PATIENCE * price else spent
    return _spent[program] == np.inf


def work_done() -> dict[str, float]:
    """Estimated seconds that numpy has spent on each program, by names that processes share."""
    return _before | {_name_of(program): seconds for program, seconds in _spent.items()}


def go_on_from(work: dict[str, float]) -> None:
    """Go on as the process that has done some work: compile what it would compile, and when.

    Programs of numpy and of XLA round differently, so that a run which is cut in two gives the
    bits of a whole one only if both compile alike.

    Args:
        work: What `work_done` returned there.
    """
    _spent.clear()
    _before.clear()
    _before.update(work)


@functools.lru_cache(4096)
def _name_of(program: Hashable) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(program))


@contextlib.contextmanager
def compiling_at_once() -> Iterator[None]:
    """Compile whatever runs inside, however small, as `jaxcause.warmup` does."""
    global PATIENCE
    before, PATIENCE = PATIENCE, 0.0
    try:
        yield
    finally:
        PATIENCE = before


class TwoEngines:
    """A formula for either namespace, as a function that runs where it is fastest.

    On JAX arrays it is ``jax.jit`` of the formula. On numpy arrays the formula itself runs, until
    it pays to compile it; the results are numpy arrays either way.

    Args:
        formula: The formula.
        work: Estimated seconds of numpy, from the shape of the first argument.
        price: Seconds that XLA takes to compile it.
        static: Names of arguments that change the program.
    """

    def __init__(
        self,
        formula: Callable[..., Any],
        work: Callable[[tuple[int, ...]], float],
        price: float,
        static: tuple[str, ...],
    ) -> None:
        functools.update_wrapper(self, formula)
        self.formula, self.work, self.price, self.static = formula, work, price, static
        self.compiled = jax.jit(formula, static_argnames=static)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run it."""
        if not on_host(args, {k: v for k, v in options.items() if k not in self.static}):
            return self.compiled(*args, **options)
        leaves, structure = jax.tree.flatten((args, options))
        shapes = tuple((np.shape(leaf), getattr(leaf, "dtype", leaf)) for leaf in leaves)
        if not self.pays_to_compile((structure, shapes), seconds=self.work(np.shape(args[0]))):
            return self.formula(*args, **options)
        return jax.tree.map(np.asarray, self.compiled(*args, **options))

    def pays_to_compile(self, shapes: Hashable, *, seconds: float) -> bool:
        """Whether to compile the program of arguments of these shapes."""
        return pays_to_compile((self.formula, shapes), seconds, self.price)


def numpy_or_xla(
    work: Callable[[tuple[int, ...]], float], *, price: float, static: tuple[str, ...] = ()
) -> Callable[[Callable[..., Any]], TwoEngines]:
    """Decorator that makes `TwoEngines` of a formula.

    >>> twice = numpy_or_xla(lambda shape: 1e-9 * shape[0], price=0.1)(lambda x: x + x)
    >>> twice(np.ones(2))
    array([2., 2.])
    """
    return lambda formula: TwoEngines(formula, work, price, static)


def compiled_off_host(
    formula: Callable[..., Any], *, static: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """A formula that numpy computes as fast as a compiled program: XLA is for JAX arrays alone.

    Args:
        formula: The formula, for either namespace.
        static: Names of arguments that change the program.

    >>> compiled_off_host(lambda x: x + x)(np.ones(2))
    array([2., 2.])
    """
    compiled = jax.jit(formula, static_argnames=static)

    @functools.wraps(formula)
    def choose(*args: Any, **options: Any) -> Any:
        dynamic = {name: value for name, value in options.items() if name not in static}
        return (formula if on_host(args, dynamic) else compiled)(*args, **options)

    return choose
