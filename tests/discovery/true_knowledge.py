"""Random causal systems, true knowledge about them, and brute force over all that fits both."""

import dataclasses
import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcause import BackgroundKnowledge, CausalGraph
from jaxcause._typing import CIResult
from jaxcause.graph import Mark, dag_to_mag


@partial(jax.tree_util.register_dataclass, data_fields=["p_value"], meta_fields=[])
@dataclasses.dataclass(frozen=True)
class TableTest:
    """A test that looks its answers up: ``p_value[x, y, set as a number]``."""

    p_value: np.ndarray

    @property
    def n_nodes(self):
        return self.p_value.shape[0]

    def __call__(self, x, y, cond):
        cond = jnp.asarray(cond)
        bits = jnp.where(cond >= 0, jnp.int32(1) << jnp.maximum(cond, 0), jnp.int32(0))
        p = jnp.asarray(self.p_value)[x, y, bits.sum(dtype=jnp.int32)]
        return CIResult(1 - p, p)


class System(NamedTuple):
    """A DAG, the variables that are observed, and the ancestral graph of those."""

    dag: np.ndarray
    observed: np.ndarray
    mag: np.ndarray

    @property
    def n(self):
        return len(self.observed)

    @property
    def directed(self):
        """Entry ``[i, j]``: i → j."""
        return (self.mag == Mark.ARROW) & (self.mag.T == Mark.TAIL)

    @property
    def is_dag(self):
        return len(self.dag) == self.n


def random_system(rng, *, latents):
    """A DAG over 4 to 6 observed variables, and one or two latent ones if ``latents``."""
    n, hidden = int(rng.integers(4, 7)), int(rng.integers(1, 3)) if latents else 0
    size = n + hidden
    order = rng.permutation(size)
    dag = np.triu(rng.random((size, size)) < rng.uniform(0.25, 0.65), 1)[np.ix_(order, order)]
    # A latent variable that has children only confounds; one with parents mediates.
    observed = np.sort(rng.permutation(size)[:n]).astype(np.int32)
    return System(dag, observed, np.asarray(dag_to_mag(dag, observed).marks))


def ancestors_of(dag):
    reach = dag | np.eye(len(dag), dtype=bool)
    for _ in range(len(dag)):
        reach = reach | (reach.astype(int) @ reach.astype(int) > 0)
    return reach


def ancestral_graphs():
    """Marks of all ancestral graphs of ``-->`` and ``<->`` over three nodes; all are maximal."""
    pairs, n = [(0, 1), (0, 2), (1, 2)], 3
    tail, arrow = int(Mark.TAIL), int(Mark.ARROW)
    for ends in itertools.product([(0, 0), (tail, arrow), (arrow, tail), (arrow,) * 2], repeat=3):
        marks = np.zeros((n, n), np.int8)
        for (i, j), (at_i, at_j) in zip(pairs, ends, strict=True):
            marks[j, i], marks[i, j] = at_i, at_j
        reach = ancestors_of((marks == arrow) & (marks.T == tail))
        if not (reach.T & (marks == arrow)).any():
            yield marks


def table_test(system):
    """All answers, by separation in the moral graph of the ancestors."""
    n, reach = system.n, ancestors_of(system.dag)
    p = np.zeros((n, n, 1 << n), np.float32)
    for number in range(1 << n):
        given = system.observed[[k for k in range(n) if number >> k & 1]]
        for x, y in itertools.combinations(range(n), 2):
            ends = system.observed[[x, y]]
            if not set(ends) & set(given):
                p[x, y, number] = p[y, x, number] = _separated(system.dag, reach, ends, given)
    return TableTest(p)


def _separated(dag, reach, ends, given):
    kept = reach[:, [*ends, *given]].any(axis=1)
    inside = dag & kept[:, None] & kept
    moral = inside | inside.T | (inside.astype(int) @ inside.T.astype(int) > 0)
    free = kept.copy()
    free[given] = False
    reached = np.arange(len(dag)) == ends[0]
    for _ in range(len(dag)):
        reached = reached | ((moral & reached[:, None]).any(axis=0) & free)
    return not reached[ends[1]]


def true_knowledge(rng, system):
    """Some of all that is true: tiers, required edges, edges forbidden one way and both ways."""
    n, directed, absent = system.n, system.directed, system.mag == Mark.NONE
    kinds = rng.random(4) < 0.5
    kinds[rng.integers(4)] = True
    forbidden = np.zeros((n, n), bool)
    if kinds[0]:
        forbidden |= ~directed & (rng.random((n, n)) < rng.choice([0.1, 0.4]))
    if kinds[1]:
        pairs = np.triu(absent & (rng.random((n, n)) < 0.5), 1)
        forbidden |= pairs | pairs.T
    # Two forbidden directions leave an edge out, which is true of pairs without an edge alone.
    both = forbidden & forbidden.T & ~absent
    forbidden &= ~np.triu(both, 1)
    np.fill_diagonal(forbidden, False)
    given = {"forbidden": forbidden}
    if kinds[2]:
        given["required"] = directed & (rng.random((n, n)) < 0.3)
    if kinds[3]:
        reach = ancestors_of(system.dag)[np.ix_(system.observed, system.observed)]
        depth = np.argsort(np.argsort(reach.sum(axis=0) + rng.uniform(0, 0.9, n)))
        given["tiers"] = np.searchsorted(np.sort(rng.integers(1, n, 2)), depth, side="right")
        # Tiers and the other direction forbidden leave <->.
        hidden = (system.mag == Mark.ARROW) & (system.mag.T == Mark.ARROW)
        earlier = given["tiers"][:, None] < given["tiers"]
        given["forbidden"] = forbidden | (hidden & earlier & ~forbidden.T)
    return BackgroundKnowledge(**given)


def fits(marks, knowledge):
    """Whether a graph without circles agrees with what is known."""
    directed = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
    cannot = knowledge.cannot_cause
    return (
        not (directed & cannot).any()
        and directed[np.asarray(knowledge.required)].all()
        and not (marks != Mark.NONE)[cannot & cannot.T].any()
    )


def dags_that_fit(system, knowledge):
    """All DAGs with the same separations as the system, that agree with the knowledge."""
    edges = np.argwhere(np.triu(system.directed | system.directed.T, 1))
    colliders = _unshielded_colliders(system.directed)
    for flips in itertools.product([False, True], repeat=len(edges)):
        dag = np.zeros((system.n, system.n), bool)
        for (i, j), flip in zip(edges, flips, strict=True):
            dag[(j, i) if flip else (i, j)] = True
        if ancestors_of(dag)[dag.T].any() or _unshielded_colliders(dag) != colliders:
            continue
        marks = np.asarray(CausalGraph.from_dag(dag).marks)
        if fits(marks, knowledge):
            yield dag


def _unshielded_colliders(dag):
    return {
        (a, b, c)
        for b in range(len(dag))
        for a, c in itertools.combinations(np.flatnonzero(dag[:, b]).tolist(), 2)
        if not dag[a, c] and not dag[c, a]
    }
