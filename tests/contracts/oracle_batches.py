"""A user's own batch of tests: the oracles of many graphs, which a search takes at once."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxcause import oracle_test
from jaxcause.graph import OracleTest

SHAPE = (500, 15, 8)
"""Graphs, variables and nodes of the batches of random DAGs."""


@partial(jax.tree_util.register_dataclass, data_fields=["each"], meta_fields=["n_graphs"])
@dataclasses.dataclass(frozen=True)
class Oracles:
    """Oracles of as many graphs; the leaves of ``each`` have a leading axis."""

    each: OracleTest
    n_graphs: int

    @property
    def n_nodes(self):
        return self.each.observed.shape[-1]

    @property
    def batch_shape(self):
        return (self.n_graphs,)

    def __getitem__(self, graph):
        return jax.tree.map(lambda leaf: leaf[graph], self.each)

    def __call__(self, x, y, cond):
        raise NotImplementedError("index a graph first")


def stacked_oracles(cases, *, shape=SHAPE):
    """Oracles of (dag, observed, selected) triples, and which of their nodes count.

    All are padded to one number of variables and of nodes, and to ``shape`` at least (graphs,
    variables, nodes), so that several batches may share what they compile.
    """
    n_graphs, n_vars, n_nodes = shape
    nothing = np.zeros((0, 0), bool), np.zeros(0, np.int32), None
    cases = [*cases, *[nothing] * (n_graphs - len(cases))]
    n_nodes = max(n_nodes, *(len(observed) for _, observed, _ in cases))
    n_vars = max(n_vars, *(len(dag) + n_nodes - len(observed) for dag, observed, _ in cases))
    oracles = []
    for dag, observed, selected in cases:
        whole = np.zeros((n_vars, n_vars), bool)
        whole[: len(dag), : len(dag)] = dag
        more = len(dag) + np.arange(n_nodes - len(observed), dtype=np.int32)
        oracles.append(oracle_test(whole, np.concatenate([observed, more]), selected))
    each = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *oracles)
    mask = np.array([np.arange(n_nodes) < len(observed) for _, observed, _ in cases])
    return Oracles(each, len(cases)), mask
