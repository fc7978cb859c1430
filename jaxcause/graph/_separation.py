"""d-separation in a known DAG and m-separation in a MAG, as conditional independence tests."""

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from jaxcause._checks import check_square
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, NodeIndex
from jaxcause.graph._ancestral import ancestor_matrix, mag_ancestors, name_variables
from jaxcause.graph._marks import Mark


@pytree_dataclass()
class OracleTest:
    """See `oracle_test`."""

    dag: Bool[AnyArray, "vars vars"]
    ancestors: Bool[AnyArray, "vars vars"]
    observed: Int[AnyArray, "nodes"]
    selected: Bool[AnyArray, "vars"]

    @property
    def n_nodes(self) -> int:
        """Number of observed nodes."""
        return self.observed.shape[-1]

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S: the p-value is 1 if S d-separates X and Y, and 0 if not."""
        cond = jnp.asarray(cond, jnp.int32)
        observed = jnp.asarray(self.observed)
        within = jnp.where(cond >= 0, observed[cond], self.dag.shape[-1])
        given = jnp.asarray(self.selected).at[within].set(True, mode="drop")
        dag, ancestors = jnp.asarray(self.dag), jnp.asarray(self.ancestors)
        return _certain(d_separated(dag, ancestors, observed[x], observed[y], given))


@pytree_dataclass()
class MagOracleTest:
    """See `mag_oracle_test`."""

    steps: Float[AnyArray, "2 nodes 2 nodes"]
    ancestors: Bool[AnyArray, "nodes nodes"]

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.ancestors.shape[-1]

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y | S: the p-value is 1 if S m-separates X and Y, and 0 if not."""
        cond = jnp.asarray(cond, jnp.int32)
        within = jnp.where(cond >= 0, cond, self.n_nodes)
        given = jnp.zeros(self.n_nodes, bool).at[within].set(True, mode="drop")
        steps, ancestors = jnp.asarray(self.steps), jnp.asarray(self.ancestors)
        return _certain(m_separated(steps, ancestors, jnp.asarray(x), jnp.asarray(y), given))


def _certain(separated: Bool[Array, ""]) -> CIResult:
    p_value = separated.astype(jnp.float32)
    return CIResult(statistic=1 - p_value, p_value=p_value)


def oracle_test(
    dag: Bool[AnyArray, "vars vars"],
    observed: Int[AnyArray, "nodes"] | None = None,
    selected: Int[AnyArray, "selected"] | None = None,
) -> OracleTest:
    """Conditional independence test that knows the DAG.

    X ⊥ Y | S iff X and Y are not connected in the moral graph of the ancestors of {X, Y} ∪ S once S
    is taken out (Lauritzen et al. 1990).

    Args:
        dag: ``dag[i, j]`` says ``i → j``.
        observed: Which variables are nodes of the search; by default all but the selected.
        selected: Variables that decide which samples are seen: they belong to every S. All
            variables named in neither argument are latent.

    Raises:
        InputError: The matrix is not square or has a directed cycle, or a variable is named that
            does not exist or is named twice.

    >>> import numpy as np
    >>> path = np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    >>> test = oracle_test(path)
    >>> float(test(0, 2, np.array([1])).p_value), float(test(0, 2, np.array([-1])).p_value)
    (1.0, 0.0)
    """
    check_square("dag", dag)
    ancestors = ancestor_matrix(np.asarray(dag, bool))
    seen, given = name_variables(len(ancestors), observed, selected)
    return OracleTest(
        dag=jnp.asarray(dag, bool),
        ancestors=jnp.asarray(ancestors),
        observed=jnp.asarray(seen, jnp.int32),
        selected=jnp.zeros(len(ancestors), bool).at[given].set(True),
    )


def mag_oracle_test(marks: Int[AnyArray, "nodes nodes"]) -> MagOracleTest:
    r"""Conditional independence test that knows an ancestral graph, such as a MAG.

    X ⊥ Y | S iff S m-separates them: on every path between X and Y some collider is no ancestor of
    S, or some other inner node is in S (Richardson & Spirtes 2002).

    Args:
        marks: ``marks[i, j]`` is the `Mark` at j on the edge i \*-\* j; no circles, no conflicts.

    Raises:
        InputError: The marks are no mixed graph, hold circles or conflicts, or the graph is not
            ancestral.

    >>> from jaxcause.graph import dag_to_mag
    >>> import numpy as np
    >>> dag = np.zeros((4, 4), bool)
    >>> dag[0, 1] = dag[3, 1] = dag[3, 2] = True  # 0 → 1 ← latent → 2
    >>> test = mag_oracle_test(dag_to_mag(dag, np.array([0, 1, 2])).marks)
    >>> float(test(0, 2, np.array([1])).p_value), float(test(0, 2, np.array([-1])).p_value)
    (0.0, 1.0)
    """
    known = np.asarray(marks)
    ancestors = mag_ancestors("marks", known)
    ends = [known == Mark.TAIL, known == Mark.ARROW]
    steps = np.array([[start.T & end for end in ends] for start in ends])
    return MagOracleTest(
        steps=jnp.asarray(steps.transpose(0, 2, 1, 3), jnp.float32),
        ancestors=jnp.asarray(ancestors),
    )


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


def m_separated(
    steps: Float[Array, "2 nodes 2 nodes"],
    ancestors: Bool[Array, "nodes nodes"],
    x: Int[Array, ""],
    y: Int[Array, ""],
    given: Bool[Array, "nodes"],
) -> Bool[Array, ""]:
    """Whether the set ``given`` m-separates x and y (pure and jittable).

    A walk is followed by its last node and by the mark with which it arrived there: it may pass a
    collider that is an ancestor of ``given`` and any other node outside ``given``, and such walks
    join the same pairs as such paths.

    Args:
        steps: Entry ``[a, v, b, w]`` is 1 if the edge v – w has the mark a at v and b at w, where
            0 is a tail and 1 an arrowhead.
        ancestors: Entry ``[i, j]``: i is j or an ancestor of j.
        x: A node outside ``given``.
        y: Another one.
        given: Which nodes are given.
    """
    n = ancestors.shape[0]
    free = ~given
    opened = (ancestors & given[None, :]).any(axis=1)
    onward = steps.reshape(2 * n, 2 * n)

    def grow(_: Array, reached: Array) -> Array:
        by_tail, by_arrow = reached
        leaving = jnp.stack([(by_tail | by_arrow) & free, (by_tail & free) | (by_arrow & opened)])
        arrived = leaving.reshape(2 * n).astype(steps.dtype) @ onward > 0
        return reached | arrived.reshape(2, n)

    at_x = jnp.arange(n, dtype=jnp.int32) == x
    reached = lax.fori_loop(0, 2 * n, grow, jnp.stack([at_x, jnp.zeros_like(at_x)]))
    return ~reached[:, y].any()
