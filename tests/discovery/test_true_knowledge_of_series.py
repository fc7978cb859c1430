"""True knowledge about a series leaves PCMCI+ and refine sound, with correlations of no error."""

import numpy as np
import pytest

from jaxcause import BackgroundKnowledge, partial_correlation_test
from jaxcause.discovery import pcmci_plus, refine
from jaxcause.graph import LaggedGraph, Mark

N, MANY = 4, 10**9


def population(seed):
    """Links of a random structural autoregression of order 1, and its exact correlations."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(N)
        now = np.triu(rng.random((N, N)) < 0.4, 1)[np.ix_(order, order)]
        lagged = (rng.random((N, N)) < 0.35) | np.eye(N, dtype=bool)
        sign = rng.choice([-1, 1], (2, N, N))
        at_once = now * rng.uniform(0.3, 0.7, (N, N)) * sign[0]
        later = lagged * rng.uniform(0.2, 0.45, (N, N)) * sign[1]
        mix = np.linalg.inv(np.eye(N) - at_once.T)
        step = mix @ later.T
        if np.abs(np.linalg.eigvals(step)).max() < 0.95:
            break
    covariance = mix @ mix.T
    for _ in range(400):
        covariance = step @ covariance @ step.T + mix @ mix.T
    by_lag = [covariance, step @ covariance, step @ step @ covariance]
    whole = np.block(
        [[by_lag[b - a] if b >= a else by_lag[a - b].T for b in range(3)] for a in range(3)]
    )
    size = np.sqrt(np.diag(whole))
    return rng, np.stack([now, lagged], axis=2), whole / np.outer(size, size)


def with_both_ends(links):
    both = links.copy()
    both[:, :, 0] |= both[:, :, 0].T
    return both


def check(graph, true, required, impossible):
    directed, adjacent = np.asarray(graph.directed), np.asarray(graph.adjacency)
    if (adjacent == with_both_ends(true)).all():  # else some effects cancel
        assert not (directed & ~true).any()
        assert not (np.asarray(graph.marks) == Mark.CONFLICT).any()
    assert directed[required].all()
    assert not (directed & impossible).any()
    return (adjacent == with_both_ends(true)).all()


@pytest.mark.parametrize("colliders", ["majority", "none"])
def test_pcmci_plus(colliders):
    n_right = 0
    for seed in range(60):
        rng, true, corr = population(seed)
        allowed = true | (rng.random(true.shape) < rng.choice([0.4, 0.8]))
        required = true & (rng.random(true.shape) < 0.25)
        found = pcmci_plus(
            corr,
            MANY,
            n_vars=N,
            pc_alpha=1e-6,
            allowed=allowed,
            required=required,
            colliders=colliders,
        )
        n_right += check(found.graph, true, required, ~allowed)
    assert n_right >= 57


@pytest.mark.parametrize("latents", [False, True])
def test_refine(latents):
    every = np.ones((N, N, 2), bool)
    every[:, :, 0] = False
    n_right = 0
    for seed in range(8):
        rng, true, corr = population(100 + seed)
        impossible = ~true & (rng.random(true.shape) < rng.choice([0.2, 0.6]))
        required = true & (rng.random(true.shape) < 0.25)
        found = refine(
            LaggedGraph.from_mask(every),
            latents=latents,
            contemporaneous=True,
            test=partial_correlation_test(corr, MANY),
            max_cond_size=None,
            n_slices=3,
            knowledge=BackgroundKnowledge.temporal(
                N,
                1,
                contemporaneous=True,
                forbidden_links=impossible,
                required_links=required,
            ),
        )
        n_right += check(found.graph, true, required, impossible)
    assert n_right >= 6
