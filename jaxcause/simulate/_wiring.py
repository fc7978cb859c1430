"""The parents of every variable and their lags."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least
from jaxcause.graph import LaggedGraph, Mark

CHILDREN = 3
"""Number of observed variables on which a hidden variable acts."""


class Wiring(NamedTuple):
    """Parents of every variable, hidden parents last; in unused places ``active`` is False."""

    source: Int[np.ndarray, "all parents"]
    lag: Int[np.ndarray, "all parents"]
    active: Bool[np.ndarray, "all parents"]
    depth: int
    """Number of edges on the longest contemporaneous path."""


def generator(key: PRNGKeyArray) -> np.random.Generator:
    """A numpy generator seeded by a key."""
    return np.random.default_rng(np.asarray(jax.random.bits(key, (4,), "uint32")))


def draw_wiring(
    key: PRNGKeyArray,
    *,
    n_vars: int,
    max_lag: int,
    n_parents: int,
    n_latents: int,
    instantaneous: float,
) -> Wiring:
    """Draw exactly ``n_parents`` observed parents for each variable, then hidden parents.

    Args:
        key: Random key.
        n_vars: Observed variables.
        max_lag: Longest lag.
        n_parents: Observed parents of each variable, drawn without replacement from all
            (source, lag).
        n_latents: Hidden variables. They act on `CHILDREN` observed variables each, which are
            assigned by turns along a random order, so that all have about equally many.
        instantaneous: Probability that a parent acts within the time step, if an earlier variable
            in the random order is available.
    """
    _check(n_vars, max_lag, n_parents, n_latents, instantaneous)
    rng = generator(key)
    n_children = min(CHILDREN, n_vars)
    extra = -(-n_latents * n_children // n_vars)
    shape = (n_vars + n_latents, n_parents + extra)
    source, lag, active = np.zeros(shape, np.int32), np.ones(shape, np.int32), np.zeros(shape, bool)
    order = rng.permutation(n_vars)
    for place, target in enumerate(order):
        n_now = min(int(rng.binomial(n_parents, instantaneous)), place)
        now = rng.choice(order[:place], n_now, replace=False) if n_now else order[:0]
        before = rng.choice(n_vars * max_lag, n_parents - n_now, replace=False)
        source[target, :n_parents] = np.concatenate([now, before % n_vars])
        lag[target, :n_parents] = np.concatenate([0 * now, before // n_vars + 1])
    active[:n_vars, :n_parents] = True
    children = np.resize(rng.permutation(n_vars), n_latents * n_children)
    for number, child in enumerate(children):
        place = n_parents + number // n_vars
        source[child, place] = n_vars + number // n_children
        lag[child, place] = rng.integers(1, max_lag + 1)
        active[child, place] = True
    return Wiring(source, lag, active, _depth(order, source, lag, active))


def _depth(order: np.ndarray, source: np.ndarray, lag: np.ndarray, active: np.ndarray) -> int:
    depth = np.zeros(len(source), int)
    for target in order:
        now = source[target][active[target] & (lag[target] == 0)]
        depth[target] = max(depth[now] + 1, default=0)
    return int(depth.max())


def true_graph(
    wiring: Wiring, *, n_vars: int, max_lag: int
) -> tuple[LaggedGraph, Bool[np.ndarray, "vars vars lags"]]:
    """Latent projection onto the observed variables, and which pairs share a hidden cause."""
    directed = np.zeros((n_vars, n_vars, max_lag + 1), bool)
    shared = np.zeros_like(directed)
    children: dict[int, list[tuple[int, int]]] = {}
    for target, place in np.argwhere(wiring.active):
        source, lag = int(wiring.source[target, place]), int(wiring.lag[target, place])
        if source < n_vars:
            directed[source, target, lag] = True
        else:
            children.setdefault(source, []).append((int(target), lag))
    for reached in children.values():
        for one, early in reached:
            for other, late in reached:
                if one != other and late >= early:
                    shared[one, other, late - early] = True
    return LaggedGraph(_marks(directed, shared)), shared


def _marks(directed: np.ndarray, shared: np.ndarray) -> np.ndarray:
    marks = np.zeros((*directed.shape, 2), np.int8)
    marks[shared] = Mark.ARROW
    marks[directed] = Mark.TAIL, Mark.ARROW
    now = directed[:, :, 0]
    marks[:, :, 0][now.T] = Mark.ARROW, Mark.TAIL
    return marks


def _check(n_vars: int, max_lag: int, n_parents: int, n_latents: int, instantaneous: float) -> None:
    check_at_least("n_vars", n_vars, 1)
    check_at_least("max_lag", max_lag, 1)
    check_at_least("n_latents", n_latents, 0)
    if not 0 <= n_parents <= n_vars * max_lag:
        raise InputError(
            f"n_parents={n_parents} must lie between 0 and n_vars*max_lag={n_vars * max_lag}"
        )
    if not 0.0 <= instantaneous <= 1.0:
        raise InputError(f"instantaneous={instantaneous} must lie between 0 and 1")
    if n_latents and n_vars < 2:
        raise InputError(
            f"n_latents={n_latents} needs at least 2 observed variables to act on; n_vars={n_vars}"
        )
