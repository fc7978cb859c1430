"""d-separation in a known DAG and m-separation in a MAG, as conditional independence tests."""

from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import check_square, check_test_nodes
from jaxcause._namespace import any_along, fixed_point, namespace
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, Nodes
from jaxcause.graph._ancestral import ancestor_matrix, mag_ancestors, name_variables
from jaxcause.graph._marks import Mark


@pytree_dataclass()
class OracleTest:
    """See `oracle_test`."""

    dag: Bool[AnyArray, "vars vars"]
    ancestors: Bool[AnyArray, "vars vars"]
    observed: Int[AnyArray, "nodes"]
    selected: Bool[AnyArray, "vars"]

    takes_rows: ClassVar[bool] = True

    @property
    def n_nodes(self) -> int:
        """Number of observed nodes."""
        return self.observed.shape[-1]

    def __call__(self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]) -> CIResult:
        """Test X ⊥ Y | S: the p-value is 1 if S d-separates X and Y, and 0 if not."""
        check_test_nodes(self.n_nodes, x, y, cond)
        xp = namespace(self, x, y, cond)
        observed, cond = xp.asarray(self.observed), xp.asarray(cond)
        within = xp.where(cond >= 0, observed[cond], np.int32(-1))
        given = xp.asarray(self.selected) | _members(within, self.dag.shape[-1])
        ends = observed[xp.asarray(x)], observed[xp.asarray(y)]
        return _certain(d_separated(xp.asarray(self.dag), xp.asarray(self.ancestors), *ends, given))


@pytree_dataclass()
class MagOracleTest:
    """See `mag_oracle_test`."""

    steps: Float[AnyArray, "2 nodes 2 nodes"]
    ancestors: Bool[AnyArray, "nodes nodes"]

    takes_rows: ClassVar[bool] = True

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.ancestors.shape[-1]

    def __call__(self, x: Nodes, y: Nodes, cond: Int[AnyArray, "*rows k"]) -> CIResult:
        """Test X ⊥ Y | S: the p-value is 1 if S m-separates X and Y, and 0 if not."""
        check_test_nodes(self.n_nodes, x, y, cond)
        xp = namespace(self, x, y, cond)
        given = _members(xp.asarray(cond), self.n_nodes)
        ends = xp.asarray(x), xp.asarray(y)
        steps, ancestors = xp.asarray(self.steps), xp.asarray(self.ancestors)
        return _certain(m_separated(steps, ancestors, *ends, given))


def _members(nodes: Int[AnyArray, "*rows k"], n: int) -> Bool[AnyArray, "*rows n"]:
    """Which of ``n`` nodes are listed."""
    every = np.arange(n, dtype=nodes.dtype).reshape(*[1] * nodes.ndim, n)
    return (nodes[..., None] == every).any(axis=-2)


def _is(node: Nodes, n: int) -> Bool[AnyArray, "*rows n"]:
    """Which of ``n`` nodes it is."""
    return _members(namespace(node).asarray(node)[..., None], n)


def _certain(separated: Bool[AnyArray, "*rows"]) -> CIResult:
    p_value = namespace(separated).asarray(separated, np.float32)
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
        dag=np.asarray(dag, bool),
        ancestors=ancestors,
        observed=np.asarray(seen, np.int32),
        selected=np.isin(np.arange(len(ancestors)), given),
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
        steps=np.ascontiguousarray(steps.transpose(0, 2, 1, 3), np.float32),
        ancestors=ancestors,
    )


def d_separated(
    dag: Bool[AnyArray, "vars vars"],
    ancestors: Bool[AnyArray, "vars vars"],
    x: Nodes,
    y: Nodes,
    given: Bool[AnyArray, "*rows vars"],
) -> Bool[AnyArray, "*rows"]:
    """Whether the set ``given`` d-separates x and y (pure and jittable)."""
    at_x, at_y = _is(x, len(dag)), _is(y, len(dag))
    relevant = any_along(ancestors & (at_x | at_y | given)[..., None, :], -1)
    within = dag & relevant[..., :, None] & relevant[..., None, :]
    back = within.swapaxes(-1, -2)
    married = within.astype(np.float32) @ back.astype(np.float32) > 0
    free = ~given
    moral = (within | back | married) & free[..., :, None] & free[..., None, :]

    def grow(reached: AnyArray) -> AnyArray:
        return reached | (moral & reached[..., :, None]).any(axis=-2)

    return namespace(at_x).asarray(~(fixed_point(grow, at_x) & at_y).any(axis=-1))


def m_separated(
    steps: Float[AnyArray, "2 nodes 2 nodes"],
    ancestors: Bool[AnyArray, "nodes nodes"],
    x: Nodes,
    y: Nodes,
    given: Bool[AnyArray, "*rows nodes"],
) -> Bool[AnyArray, "*rows"]:
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
    xp, n = namespace(steps, x, y, given), len(ancestors)
    free = ~given
    opened = (ancestors & given[..., None, :]).any(axis=-1)
    onward = steps.reshape(2 * n, 2 * n)

    def grow(reached: AnyArray) -> AnyArray:
        by_tail, by_arrow = reached[..., :n], reached[..., n:]
        leaving = [(by_tail | by_arrow) & free, (by_tail & free) | (by_arrow & opened)]
        return reached | (xp.concatenate(leaving, axis=-1).astype(steps.dtype) @ onward > 0)

    at_x, at_y = _is(x, n), _is(y, n)
    reached = fixed_point(grow, xp.concatenate([at_x, xp.zeros_like(at_x)], axis=-1))
    return xp.asarray(~(reached & xp.concatenate([at_y, at_y], axis=-1)).any(axis=-1))
