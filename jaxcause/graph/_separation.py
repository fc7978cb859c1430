"""d-separation in a known DAG, as a conditional independence test."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Int

from jaxcause._checks import InputError, check_square
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex


@pytree_dataclass()
class OracleTest:
    """See `oracle_test`."""

    dag: Bool[AnyArray, "vars vars"]
    ancestors: Bool[AnyArray, "vars vars"]
    observed: Int[AnyArray, "nodes"]

    @property
    def n_nodes(self) -> int:
        """Number of observed nodes."""
        return self.observed.shape[-1]

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S: the p-value is 1 if S d-separates X and Y, and 0 if not."""
        cond = jnp.asarray(cond, jnp.int32)
        within = jnp.where(cond >= 0, self.observed[cond], self.dag.shape[-1])
        given = jnp.zeros(self.dag.shape[-1], bool).at[within].set(True, mode="drop")
        dag, ancestors = jnp.asarray(self.dag), jnp.asarray(self.ancestors)
        separated = d_separated(dag, ancestors, self.observed[x], self.observed[y], given)
        p_value = separated.astype(jnp.float32)
        return CIResult(statistic=1 - p_value, p_value=p_value)


def oracle_test(
    dag: Bool[AnyArray, "vars vars"], observed: Int[AnyArray, "nodes"] | None = None
) -> OracleTest:
    """Conditional independence test that knows the DAG.

    X ⊥ Y | S iff X and Y are not connected in the moral graph of the ancestors of {X, Y} ∪ S once S
    is taken out (Lauritzen et al. 1990).

    Args:
        dag: ``dag[i, j]`` says ``i → j``.
        observed: Which variables are nodes of the search; all by default. The others are latent.

    Raises:
        InputError: The matrix is not square, or has a directed cycle.

    >>> import numpy as np
    >>> chain = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    >>> test = oracle_test(chain)
    >>> float(test(0, 2, np.array([1])).p_value), float(test(0, 2, np.array([-1])).p_value)
    (1.0, 0.0)
    """
    check_square("dag", dag)
    ancestors = ancestor_matrix(np.asarray(dag, bool))
    seen = np.arange(len(ancestors)) if observed is None else np.asarray(observed)
    return OracleTest(
        dag=jnp.asarray(dag, bool),
        ancestors=jnp.asarray(ancestors),
        observed=jnp.asarray(seen, jnp.int32),
    )


def ancestor_matrix(dag: Bool[np.ndarray, "nodes nodes"]) -> Bool[np.ndarray, "nodes nodes"]:
    """Entry ``[i, j]``: i is j or an ancestor of j.

    Raises:
        InputError: The graph has a directed cycle.
    """
    reach = dag.copy()
    while True:
        step = reach | (reach.astype(np.float32) @ reach.astype(np.float32) > 0)
        if (step == reach).all():
            break
        reach = step
    if reach.diagonal().any():
        raise InputError("dag has a directed cycle; remove one of its edges")
    return reach | np.eye(len(dag), dtype=bool)


def d_separated(
    dag: Bool[Array, "vars vars"],
    ancestors: Bool[Array, "vars vars"],
    x: Int[Array, ""],
    y: Int[Array, ""],
    given: Bool[Array, "vars"],
) -> Bool[Array, ""]:
    """Whether the set ``given`` d-separates x and y (pure and jittable)."""
    n = dag.shape[0]
    nodes = jnp.arange(n, dtype=jnp.int32)
    ends = (nodes == x) | (nodes == y)
    relevant = (ancestors & (ends | given)[None, :]).any(axis=1)
    within = dag & relevant[:, None] & relevant[None, :]
    married = within.astype(jnp.float32) @ within.T.astype(jnp.float32) > 0
    free = ~given
    moral = (within | within.T | married) & free[:, None] & free[None, :]

    def grow(_: Array, reached: Array) -> Array:
        return reached | (moral & reached[:, None]).any(axis=0)

    reached = lax.fori_loop(0, n, grow, nodes == x)
    return ~reached[y]
