"""True knowledge about a series leaves PCMCI+ and refine sound, with correlations of no error."""

import numpy as np
import pytest
from discovery.true_knowledge import ancestors_of, ancestral_graphs

from jaxcause import BackgroundKnowledge, oracle_test, partial_correlation_test
from jaxcause.discovery import pcmci_plus, refine
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.series import link_knowledge

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


def at_every_step(mag, n_slices):
    """A DAG of independent steps, which all have this ancestral graph; hidden nodes come last."""
    bidirected = np.argwhere(np.triu((mag == Mark.ARROW) & (mag.T == Mark.ARROW)))
    directed = (mag == Mark.ARROW) & (mag.T == Mark.TAIL)
    n, size = n_slices * len(mag), n_slices * (len(mag) + len(bidirected))
    dag = np.zeros((size, size), bool)
    for step in range(n_slices):
        own = slice(step * len(mag), (step + 1) * len(mag))
        dag[own, own] = directed
        for k, ends in enumerate(bidirected):
            dag[n + step * len(bidirected) + k, step * len(mag) + ends] = True
    return oracle_test(dag, np.arange(n, dtype=np.int32))


@pytest.mark.parametrize("search", ["near_past", "icd"])
def test_refine_on_every_ancestral_graph_with_tiers_and_one_way_edges(search):
    none = LaggedGraph.from_mask(np.zeros((3, 3, 2), bool))
    orders = [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 0, 1), (1, 0, 0)]
    n_hidden = 0
    for number, mag in enumerate(ancestral_graphs()):
        n_slices = 3 if search == "icd" else 2
        test, joined = at_every_step(mag, n_slices), mag != Mark.NONE
        directed = (mag == Mark.ARROW) & (mag.T == Mark.TAIL)
        against, false = ancestors_of(directed), joined & ~directed
        fitting = [np.array(o) for o in orders if not (against & np.greater.outer(o, o)).any()]
        if not fitting:
            continue
        tiers = fitting[number % len(fitting)]
        at_once = tiers[:, None] == tiers
        one_way = ~false.T | np.triu(false)
        forbidden = np.zeros((3, 3, 2), bool)
        forbidden[:, :, 0] = false & ((tiers[:, None] < tiers) | (at_once & one_way))
        found = refine(
            none,
            latents=True,
            contemporaneous=True,
            alpha=0.5,
            max_cond_size=None,
            search=search,
            test=test,
            knowledge=BackgroundKnowledge.temporal(
                3, 1, contemporaneous=True, forbidden_links=forbidden, tiers=tiers
            ),
        )
        marks = np.asarray(found.graph.marks)[:, :, 0, 1]
        assert ((marks != Mark.NONE) == joined).all(), (mag, tiers)
        assert (marks == mag)[marks != Mark.CIRCLE].all(), (mag, tiers)
        known = forbidden[:, :, 0] | (tiers[:, None] > tiers)
        assert (marks.T == Mark.ARROW)[known & joined].all(), (mag, tiers)
        n_hidden += int((joined & known & known.T).sum())
    assert n_hidden > 20


def test_an_edge_at_lag_0_that_is_forbidden_both_ways_is_left_out():
    mag = next(m for m in ancestral_graphs() if (m == Mark.ARROW).sum() == 6)
    forbidden = np.zeros((3, 3, 2), bool)
    forbidden[[0, 1], [1, 0], 0] = True
    found = refine(
        LaggedGraph.from_mask(np.zeros((3, 3, 2), bool)),
        latents=True,
        contemporaneous=True,
        alpha=0.5,
        test=at_every_step(mag, 2),
        knowledge=BackgroundKnowledge.temporal(
            3, 1, contemporaneous=True, forbidden_links=forbidden, tiers=np.arange(3)
        ),
    )
    joined = np.asarray(found.graph.adjacency)[:, :, 0]
    assert joined.astype(int).tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]


def test_tiers_and_a_forbidden_direction_that_users_write_leave_a_pair_adjacent():
    known = link_knowledge("ab", 1, forbidden=[("a", "b", 0)], tiers=[0, 1], contemporaneous=True)
    assert not known.allowed[:, :, 0].any()
    assert known.against_tiers.astype(int).tolist() == [[0, 0], [1, 0]]
    both = [("a", "b", 0), ("b", "a", 0)]
    known = link_knowledge("ab", 1, forbidden=both, tiers=[0, 1], contemporaneous=True)
    assert not known.against_tiers.any()
