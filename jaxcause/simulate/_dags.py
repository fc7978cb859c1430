"""Random directed acyclic graphs."""

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, PRNGKeyArray

from jaxcause._checks import InputError, check_at_least


def random_dag(key: PRNGKeyArray, n_nodes: int, *, degree: float) -> Bool[Array, "nodes nodes"]:
    """Erdős–Rényi DAG: a random order of nodes, and each forward edge with equal probability.

    Args:
        key: Random key.
        n_nodes: Number of nodes.
        degree: Expected number of neighbours of a node, at most ``n_nodes - 1``.

    Returns:
        ``dag[i, j]`` says ``i → j``.

    Raises:
        InputError: ``degree`` is negative or larger than ``n_nodes - 1``.

    >>> import jax
    >>> dag = random_dag(jax.random.key(0), 5, degree=4)
    >>> int(dag.sum())
    10
    """
    check_at_least("n_nodes", n_nodes, 1)
    if not 0 <= degree <= max(n_nodes - 1, 0):
        raise InputError(f"degree={degree} must lie between 0 and n_nodes-1={n_nodes - 1}")
    edge_key, order_key = jax.random.split(key)
    chance = degree / max(n_nodes - 1, 1)
    forward = jnp.triu(jax.random.uniform(edge_key, (n_nodes, n_nodes), jnp.float32) < chance, 1)
    order = jax.random.permutation(order_key, n_nodes)
    return forward[order][:, order]
