"""PCMCI: lagged links, each tested given the parents of both ends."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import check_probability
from jaxcause._options import shows_options
from jaxcause._typing import AnyArray
from jaxcause.discovery._pcmci.links import LaggedLinks, mci_conditions, parents_as_mask
from jaxcause.discovery._pcmci.parents import LaggedParents, select_lagged_parents
from jaxcause.discovery._pcmci.problem import LinkOptions, PcmciProblem, pcmci_problem
from jaxcause.discovery._pcmci.result import PcmciInfo, PcmciResult
from jaxcause.discovery._phase_record import PhaseRecord
from jaxcause.graph import LaggedGraph, Mark
from jaxcause.stats import HoledSamples

PC_ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Levels that ``pc_alpha=None`` chooses from."""

LINKS_PER_BLOCK = 1 << 16
"""Links that are tested together: bounds the memory, and what a killed process has to do again."""


@shows_options(LinkOptions, of=pcmci_problem)
def pcmci(
    corr: Float[AnyArray, "*#targets nodes nodes"] | HoledSamples,
    n_samples: int,
    *,
    n_vars: int,
    pc_alpha: float | Sequence[float] | None = 0.2,
    alpha: float = 0.05,
    **options: Unpack[LinkOptions],
) -> PcmciResult:
    r"""Test every link :math:`X_i(t-\tau) \to X_j(t)` by momentary conditional independence.

    A first phase selects lagged conditions :math:`\hat P(X_j)` with the PC₁ algorithm; then

    .. math:: X_i(t-\tau) \perp X_j(t) \mid
        \hat P(X_j(t)) \setminus \{X_i(t-\tau)\},\ \hat P(X_i(t-\tau))

    is tested for each link, by partial correlation r and Student's t-test of
    :math:`r\sqrt{\nu/(1-r^2)}` with :math:`\nu = N - 2 - |Z|` degrees of freedom. A shifted parent
    reaches back :math:`2\tau_{max}` steps, so all tests rest on the same windows of
    :math:`2\tau_{max}+1` rows. It assumes that no common cause is unobserved; links at lag 0
    stay without orientation (`pcmci_plus` orients them).

    Args:
        corr: Correlations of the lagged variables, node ``lag * n_vars + var``, for lags up to
            twice the longest lag of a link (`lagged_correlation`). Where values are missing, the
            samples instead (`jaxcause.stats.holed_samples`): each test then uses those that hold
            all its nodes. Where samples count differently for each target (as by
            `jaxcause.stats.noise_weights`), one matrix for each.
        n_samples: Number of windows N behind it.
        n_vars: Number of variables.
        pc_alpha: Level of significance of the first phase. Of several levels, each variable takes
            the one with the smallest Akaike criterion; None tries 0.05, 0.1, 0.2, 0.3, 0.4 and 0.5.
        alpha: The graph holds the links with p ≤ alpha.

    Returns:
        Graph, partial correlations, p-values, and how the search went.

    Raises:
        InputError: ``corr`` is no correlation matrix or not of ``(2 * max_lag + 1) * n_vars``
            nodes, or as many matrices as targets; samples with holes are not ``n_samples``; a level
            is outside (0, 1), ``allowed`` or ``required`` has another shape, a
            required link is not allowed, ``mesh`` has several axes, or ``checkpoint`` is damaged or
            belongs to another search.

    Source: Runge, Nowack, Kretschmer, Flaxman & Sejdinovic (2019), "Detecting and quantifying
    causal associations in large nonlinear time series datasets". The definitions, down to ties,
    follow the outputs of the reference implementation, tigramite.

    >>> import numpy as np
    >>> from jaxcause.discovery import lagged_correlation
    >>> x = np.random.default_rng(0).normal(size=(300, 2)); x[2:, 1] += 0.8 * x[:-2, 0]
    >>> corr, n = lagged_correlation(x, np.arange(296), max_lag=2)
    >>> pcmci(corr, n, n_vars=2, alpha=0.001).graph.edges(["rain", "river"])
    [('rain', 2, '-->', 'river')]
    """
    check_probability("alpha", alpha)
    alphas = PC_ALPHAS if pc_alpha is None else pc_alpha
    problem = pcmci_problem(corr, n_samples, n_vars, alphas, **options)
    allowed, record = problem.allowed, problem.record("pcmci")
    parents = select_lagged_parents(problem, record)
    once = allowed.copy()
    once[:, :, 0] = np.triu(once[:, :, 0])
    links = LaggedLinks(*np.nonzero(once))
    statistic, p_value = np.zeros(allowed.shape), np.full(allowed.shape, np.nan)
    statistic[links], p_value[links] = _test_links(problem, parents, links, record)
    for table, empty in ((statistic, 0.0), (p_value, np.nan)):
        below = np.tril_indices(n_vars, -1)
        table[(*below, 0)] = table[below[1], below[0], 0]
        table[~allowed] = empty
    return PcmciResult(
        graph=graph_of_links((allowed & (p_value <= alpha)) | problem.kept, problem.now),
        statistic=statistic,
        p_value=p_value,
        info=PcmciInfo(
            parents=parents_as_mask(parents.order, n_vars, allowed.shape[2]),
            alpha=parents.alpha,
            n_tests=parents.n_tests,
            n_tests_mci=np.array([len(links.lag)]),
            n_conflicts=0,
            n_ambiguous=0,
            n_cyclic=0,
            n_unsupported=int((problem.required & (p_value > alpha)).sum()),
        ),
    )


def _test_links(
    problem: PcmciProblem, parents: LaggedParents, links: LaggedLinks, record: PhaseRecord
) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
    """Statistic and p-value of each link given the parents of both ends, a block at a time."""
    n_vars, n_links = len(problem.allowed), len(links.lag)
    start = np.zeros(n_links), np.ones(n_links)
    done, (statistic, p_value) = record.resumed("links", start)
    for first in range(done, n_links, LINKS_PER_BLOCK):
        block = slice(first, min(n_links, first + LINKS_PER_BLOCK))
        some = LaggedLinks(*(part[block] for part in links))
        cond = mci_conditions(
            parents.order,
            some,
            n_vars,
            problem.test.n_nodes,
            problem.max_target_parents,
            problem.max_source_parents,
        )
        found = problem.test(some.lag * n_vars + some.source, some.target, cond)
        statistic[block], p_value[block] = found
        record.save("links", block.stop, (statistic, p_value))
    return statistic, p_value


def graph_of_links(
    adjacent: Bool[np.ndarray, "vars vars lags"], now: Bool[np.ndarray, "vars vars"]
) -> LaggedGraph:
    """Lagged links point forward in time; those at lag 0 have the one direction that is possible.

    Args:
        adjacent: The links, at lag 0 symmetric.
        now: Which directions are possible at lag 0; where both are, an edge has none.
    """
    marks = np.zeros((*adjacent.shape, 2), np.int8)
    marks[adjacent] = (Mark.TAIL, Mark.ARROW)
    ends = np.where(now & ~now.T, Mark.ARROW, np.where(now.T & ~now, Mark.TAIL, Mark.CIRCLE))
    marks[:, :, 0, 1] = np.where(adjacent[:, :, 0], ends, Mark.NONE)
    marks[:, :, 0, 0] = marks[:, :, 0, 1].T
    return LaggedGraph(marks)
