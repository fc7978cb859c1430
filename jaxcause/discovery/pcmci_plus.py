"""PCMCI+: lagged and contemporaneous links, with orientation."""

from typing import Unpack

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError, check_choice
from jaxcause._options import shows_options
from jaxcause._typing import AnyArray
from jaxcause.discovery._pcmci.links import parents_as_mask
from jaxcause.discovery._pcmci.orientation import by_majority, by_separator, obeying, orient
from jaxcause.discovery._pcmci.parents import LaggedParents, select_lagged_parents
from jaxcause.discovery._pcmci.problem import LinkOptions, pcmci_problem
from jaxcause.discovery._pcmci.result import PcmciInfo, PcmciResult
from jaxcause.discovery._pcmci.skeleton import LaggedSkeleton, MomentaryTest, find_skeleton
from jaxcause.graph import LaggedGraph, Mark, cyclic_edges
from jaxcause.stats import HoledSamples


@shows_options(LinkOptions, of=pcmci_problem)
def pcmci_plus(
    corr: Float[AnyArray, "*#targets nodes nodes"] | HoledSamples,
    n_samples: int,
    *,
    n_vars: int,
    pc_alpha: float = 0.01,
    colliders: str = "majority",
    **options: Unpack[LinkOptions],
) -> PcmciResult:
    r"""Learn lagged and contemporaneous links, and orient the contemporaneous ones.

    PC₁ selects lagged parents :math:`\hat B(X_j)` as in `pcmci`. Then every pair at lag 0 and every
    selected lagged link is tested by

    .. math:: X_i(t-\tau) \perp X_j(t) \mid S,\ \hat B(X_j(t)) \setminus \{X_i(t-\tau)\},\
        \hat B(X_i(t-\tau))

    for sets S of growing size among the contemporaneous neighbours of :math:`X_j(t)`, and removed
    at the first p > pc_alpha. Unshielded triples :math:`X_i(t-\tau) - X_k(t) - X_j(t)` are oriented
    as colliders, then three rules follow. It assumes that no common cause is unobserved.

    Args:
        corr: Correlations of the lagged variables, or samples with holes, as for `pcmci`.
        n_samples: Number of windows behind it.
        n_vars: Number of variables.
        pc_alpha: Level of significance of all tests.
        colliders: ``"majority"`` makes a triple a collider where less than half of all separating
            sets hold its middle, and leaves it open at one half or where none separates; ``"none"``
            where the set that separated its ends lacks the middle.

    Returns:
        Graph (``o-o`` without orientation, ``x-x`` where the rules orient an edge both ways), the
        largest p-value of each link with the partial correlation of that test, and how the search
        went.

    Raises:
        InputError: ``corr`` is no correlation matrix or not of ``(2 * max_lag + 1) * n_vars``
            nodes, or as many matrices as targets; samples with holes are not ``n_samples``;
            ``pc_alpha`` is outside (0, 1), ``colliders`` is not known, ``allowed`` or
            ``required`` has another shape, a required link is not allowed, ``mesh`` has several
            axes, or ``checkpoint`` is damaged or belongs to another search.

    Source: Runge (2020), "Discovering contemporaneous and lagged causal relations in autocorrelated
    nonlinear time series datasets". The definitions follow the outputs of the reference
    implementation, tigramite.

    >>> import numpy as np
    >>> from jaxcause.discovery import lagged_correlation
    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> x[1:, 2] += 0.8 * x[:-1, 0]; x[:, 1] += 0.8 * x[:, 2]
    >>> corr, n = lagged_correlation(x, np.arange(498), max_lag=1)
    >>> pcmci_plus(corr, n, n_vars=3).graph.edges(["rain", "sea", "river"])
    [('rain', 1, '-->', 'river'), ('river', 0, '-->', 'sea')]
    """
    check_choice("colliders", colliders, ("majority", "none"))
    if np.ndim(pc_alpha) > 0:
        raise InputError(f"pc_alpha={pc_alpha!r} must be one level of significance")
    problem = pcmci_problem(corr, n_samples, n_vars, pc_alpha, **options)
    test, allowed, alpha = problem.test, problem.allowed, float(problem.alphas[0])
    record = problem.record("pcmci_plus", colliders)
    parents = select_lagged_parents(problem, record)
    selected = parents_as_mask(parents.order, n_vars, allowed.shape[2])
    momentary = MomentaryTest(test, parents, problem.max_target_parents, problem.max_source_parents)
    start = selected.copy()
    start[:, :, 0] = allowed[:, :, 0]
    state = find_skeleton(momentary, start, alpha, problem.max_cond_size, problem.kept, record)
    n_tests = list(state.n_tests)
    if colliders == "majority":
        found, n_more = by_majority(momentary, state, alpha, problem.max_cond_size, record)
        n_tests.append(n_more)
    else:
        found = by_separator(state, allowed)
    found, n_refuted = obeying(found, problem.now)
    graph = LaggedGraph(orient(state.adjacent, found, problem.now))
    statistic, p_value = _tables(parents, state, start, allowed)
    at_lag_0 = np.asarray(graph.marks)[:, :, 0]
    return PcmciResult(
        graph=graph,
        statistic=statistic,
        p_value=p_value,
        info=PcmciInfo(
            parents=selected,
            alpha=parents.alpha,
            n_tests=parents.n_tests,
            n_tests_mci=np.array(n_tests, np.int64),
            n_conflicts=int((at_lag_0[..., 0] == Mark.CONFLICT).sum()) // 2,
            n_ambiguous=_count_triples(found.ambiguous),
            n_cyclic=int(cyclic_edges(at_lag_0[..., 1]).sum()) // 2,
            n_unsupported=n_refuted + int((problem.required & (p_value > alpha)).sum()),
        ),
    )


def _tables(
    parents: LaggedParents,
    state: LaggedSkeleton,
    tested: Bool[np.ndarray, "vars vars lags"],
    allowed: Bool[np.ndarray, "vars vars lags"],
) -> tuple[Float[np.ndarray, "vars vars lags"], Float[np.ndarray, "vars vars lags"]]:
    """Statistic and p-value of each link; for links that PC₁ removed, those of PC₁."""
    statistic = np.where(tested, state.statistic, parents.statistic)
    p_value = np.where(tested, state.p_value, parents.p_value)
    r, p = statistic[:, :, 0], p_value[:, :, 0]
    statistic[:, :, 0] = np.where(p.T > p, r.T, r)
    p_value[:, :, 0] = np.maximum(p, p.T)
    return np.where(allowed, statistic, 0), np.where(allowed, p_value, np.nan)


def _count_triples(triples: Bool[np.ndarray, "vars vars vars lags"]) -> int:
    """Number of triples; those at lag 0 count once."""
    return int(triples[..., 1:].sum() + triples[..., 0].sum() // 2)
