"""The conditional independence tests by which selected edges are refined."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int

from jaxcause._precision import float64_where_asked, outside
from jaxcause._pytree import pytree_dataclass
from jaxcause._typing import AnyArray, CIResult, CITest, NodeIndex
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.stats import PartialCorrelationTest, fisher_z_p_value

ROWS_PER_CALL = 512
"""Tests that are evaluated together where they are not part of a search."""

STRENGTH_WITHIN = "absolute partial correlation given the other parents of both ends"
"""What `strength_within` measures, where the test is one of partial correlations."""


@pytree_dataclass(static=("leave_out",))
class GivenThePast:
    """Test X ⊥ Y given what is selected as their past, changed by the set S of the call.

    The past of a pair is that of its later end, and of both ends where they are simultaneous. A
    search that hands in S tests given past ∪ S; with ``leave_out``, given the symmetric difference
    past △ S, so that small S stay close to what the forecaster has conditioned on.

    Args:
        test: Test over a series unrolled into nodes ``lag * vars + var``.
        past: Nodes of each variable's past at lag 0, padded with -1.
        leave_out: Whether members of the past that are in S are left out.
    """

    test: CITest
    past: Int[AnyArray, "vars width"]
    leave_out: bool = False

    @property
    def n_nodes(self) -> int:
        """Number of lagged variables."""
        return self.test.n_nodes

    def __call__(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        """Test X ⊥ Y given the past and S."""
        if not isinstance(self.test, PartialCorrelationTest):
            return self._evaluate(x, y, cond)
        with float64_where_asked(self.test.corr, x, y, cond):
            result = self._evaluate(x, y, cond)
        return outside(result)

    def _evaluate(self, x: NodeIndex, y: NodeIndex, cond: Int[AnyArray, "k"]) -> CIResult:
        x, y, cond = (jnp.asarray(a, jnp.int32) for a in (x, y, cond))
        past = jnp.asarray(self.past, jnp.int32)
        n_vars = past.shape[0]
        late, early = jnp.minimum(x, y), jnp.maximum(x, y)
        own, other = past[late % n_vars], past[early % n_vars]
        new = (early < n_vars) & ~_among(other, own)
        given = jnp.concatenate([own, jnp.where(new, other, -1)])
        known = _among(cond, given)
        gone = (given == x) | (given == y)
        if self.leave_out:
            gone |= _among(given, cond)
        given = jnp.concatenate([jnp.where(gone, -1, given), jnp.where(known, -1, cond)])
        if isinstance(self.test, PartialCorrelationTest):
            return _partial(self.test, x, y, given)
        return self.test(x, y, given)

    def sets(
        self, found: Bool[np.ndarray, "nodes nodes"], member: Bool[np.ndarray, "nodes nodes nodes"]
    ) -> Bool[np.ndarray, "nodes nodes nodes"]:
        """What separated each pair, where ``member`` is what the search handed in."""
        past, n = np.asarray(self.past), self.n_nodes
        holds = np.zeros((len(past), n + 1), bool)
        np.put_along_axis(holds, past, True, axis=1)
        real = np.zeros_like(member)
        for x, y in np.argwhere(np.triu(found)):
            given = holds[x % len(past), :n].copy()
            if y < len(past):
                given |= holds[y, :n]
            given = given ^ member[x, y] if self.leave_out else given | member[x, y]
            given[[x, y]] = False
            real[x, y] = real[y, x] = given
        return real


def whole_past(n_vars: int, max_lag: int) -> Int[np.ndarray, "vars width"]:
    """All lagged nodes, for every variable."""
    nodes = np.arange(n_vars, n_vars * (max_lag + 1), dtype=np.int32)
    return np.tile(nodes, (n_vars, 1))


def selected_past(
    mask: Bool[np.ndarray, "vars vars lags"], *, within: bool = False
) -> Int[np.ndarray, "vars width"]:
    """Nodes that the lagged links of a mask lead from, for each target, padded with -1.

    With ``within``, those that its links at lag 0 lead from as well.
    """
    n_vars, _, n_lags = mask.shape
    into = mask.transpose(1, 2, 0).reshape(n_vars, n_lags * n_vars).copy()
    into[:, :n_vars] &= within
    width = -(-max(1, int(into.sum(axis=1).max(initial=0))) // 8) * 8
    past = np.full((n_vars, width), -1, np.int32)
    for target in range(n_vars):
        nodes = np.flatnonzero(into[target])
        past[target, : len(nodes)] = nodes
    return past


def p_values(test: GivenThePast, x: np.ndarray, y: np.ndarray) -> Float[np.ndarray, "pairs"]:
    """p-values of some pairs given their past."""
    return _results(test, x, y)[1]


def p_given(
    test: CITest,
    x: Int[np.ndarray, "pairs"],
    y: Int[np.ndarray, "pairs"],
    given: Bool[np.ndarray, "pairs nodes"],
) -> Float[np.ndarray, "pairs"]:
    """p-values of some pairs, each given a set of its own."""
    width = -(-max(1, int(given.sum(axis=1).max(initial=0))) // 8) * 8
    order = np.argsort(~given, axis=1, kind="stable")[:, :width]
    nodes = np.where(np.take_along_axis(given, order, axis=1), order, -1).astype(np.int32)
    return _results(test, x, y, nodes)[1]


def strength_within(test: CITest, graph: LaggedGraph) -> Float[np.ndarray, "vars vars"]:
    """|Statistic| of the edges at lag 0 given the other parents of both ends; symmetric, else 0.

    Parents are what may cause: ends of lagged edges without an arrowhead, and at lag 0 of ``-->``.
    """
    marks, n_vars = np.asarray(graph.marks), graph.n_vars
    causes = (marks[..., 0] != Mark.NONE) & (marks[..., 0] != Mark.ARROW)
    causes[:, :, 0] = np.asarray(graph.directed)[:, :, 0]
    strength = np.zeros((n_vars, n_vars))
    x, y = np.nonzero(np.triu(marks[:, :, 0, 0] != Mark.NONE, 1))
    if x.size:
        given = GivenThePast(test, selected_past(causes, within=True))
        strength[x, y] = strength[y, x] = np.abs(_results(given, x, y)[0])
    return strength


def _results(
    test: CITest, x: np.ndarray, y: np.ndarray, nodes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Statistics and p-values of some pairs, given ``nodes`` (or what the test adds to nothing)."""
    nodes = np.full((len(x), 1), -1, np.int32) if nodes is None else nodes
    extra = -len(x) % ROWS_PER_CALL
    x, y = (np.pad(a, (0, extra), mode="edge").astype(np.int32) for a in (x, y))
    nodes = np.pad(nodes, ((0, extra), (0, 0)), mode="edge")
    parts = []
    with float64_where_asked(test):
        for start in range(0, len(x), ROWS_PER_CALL):
            block = slice(start, start + ROWS_PER_CALL)
            found = _evaluated(test, *(jnp.asarray(a[block]) for a in (x, y, nodes)))
            parts.append([np.asarray(one) for one in found])
    statistic, p_value = (
        np.concatenate(some)[: len(x) - extra] for some in zip(*parts, strict=True)
    )
    return statistic, p_value


@jax.jit
def _evaluated(
    test: CITest,
    x: Int[Array, "rows"],
    y: Int[Array, "rows"],
    nodes: Int[Array, "rows width"],
) -> tuple[Array, Array]:
    def one(a: Array, b: Array, given: Array) -> tuple[Array, Array]:
        if isinstance(test, PartialCorrelationTest):
            found = _partial(test, a, b, given)
        else:
            found = test(a, b, given)
        return jnp.asarray(found.statistic), jnp.asarray(found.p_value)

    return jax.vmap(one)(x, y, nodes)


def _among(some: Array, others: Array) -> Array:
    return (some[:, None] == others[None, :]).any(axis=1) & (some >= 0)


def _partial(test: PartialCorrelationTest, x: Array, y: Array, given: Array) -> CIResult:
    """Partial correlation given a long list, by one factorisation; ±1 where it is singular."""
    corr = jnp.asarray(test.corr)
    real = given >= 0
    identity = jnp.eye(given.shape[0], dtype=corr.dtype)
    among = jnp.where(real[:, None] & real[None, :], corr[given[:, None], given[None, :]], identity)
    ends = jnp.stack([x, y])
    onto = jnp.where(real[:, None], corr[given[:, None], ends[None, :]], 0)
    factor = jnp.linalg.cholesky(among)
    half = jax.scipy.linalg.solve_triangular(factor, onto, lower=True)
    left = corr[ends[:, None], ends[None, :]] - half.T @ half
    scale = left[0, 0] * left[1, 1]
    tolerance = 64 * jnp.finfo(corr.dtype).eps
    regular = (left[0, 0] > tolerance) & (left[1, 1] > tolerance) & jnp.isfinite(scale)
    r = jnp.where(regular, left[0, 1] / jnp.sqrt(jnp.where(regular, scale, 1)), 1)
    size = real.sum(dtype=jnp.int32).astype(corr.dtype)
    degrees = jnp.asarray(test.n_samples, corr.dtype) - size - 3
    return CIResult(statistic=r, p_value=fisher_z_p_value(r, degrees))
