"""Rules that select edges by their scores.

Every rule turns scores into p-values, or into numbers that serve as p-values, and the shared search
core selects the edges from them.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import (
    InputError,
    check_at_least,
    check_host,
    check_probability,
    numbers,
)
from jaxcause._typing import AnyArray
from jaxcause.attribution._empirical_null import fit_null, half_normal_p_value
from jaxcause.attribution._score_test import lagged_edges, score_test
from jaxcause.graph import LaggedGraph
from jaxcause.stats import benjamini_hochberg, lagged_q_values

UNLIKELY_EDGE = 0.5
"""A candidate with a higher local false-discovery rate is more likely no edge than an edge."""
STANDS_APART = 3.5
"""Separation of edges from non-edges above which the mixture of both alone decides."""
FEW = 100
"""Links between variables below which most may be edges: their bulk says little of chance."""


class EdgeTest(NamedTuple):
    """How unlikely each score is for a non-edge, ``[source, target, lag]``; lag 0 holds 1.

    Args:
        p_value: Probability that the score of a non-edge is at least this large.
        q_value: False-discovery rate if all candidates with at least this score are edges.
        local_fdr: Probability that a candidate with exactly this score is no edge. It is 0 for all
            candidates if no component of edges was found, and p-values alone decide.
        separation: How far the mean of the edges stands from that of the non-edges, in scales of
            the non-edges; 0 if no component of edges was found.
    """

    p_value: Float[np.ndarray, "vars vars lags"]
    q_value: Float[np.ndarray, "vars vars lags"]
    local_fdr: Float[np.ndarray, "vars vars lags"]
    separation: float

    def edges(self, q: float) -> LaggedGraph:
        """The edges of `select_fdr`."""
        likely = np.where(self.local_fdr > UNLIKELY_EDGE, np.ones_like(self.q_value), self.q_value)
        return lagged_edges(score_test(likely), alpha=q)


def empirical_null(
    scores: Float[AnyArray, "vars vars lags"],
    *,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
) -> EdgeTest:
    r"""p- and q-values of scores under a null that is fitted to the scores themselves.

    The logarithms of the scores of non-edges are close to normal or skewed to the left, and those
    of edges lie to the right. :math:`z_{ji\ell} = \tfrac12 \log s_{ji\ell} - b_i` over all
    (source, target, lag ≥ 1) follows

    .. math:: (1 - \pi)\,N(m, \sigma^2) + \pi\,N(m + \delta\sigma, \tau^2), \qquad
        \pi \le \tfrac12,\ \delta \ge 1.75,\ \tfrac12 \le \tau/\sigma \le 3,

    fitted by expectation and maximisation. :math:`b_i`, the mean of a target's non-edges, is
    shrunk towards 0 by the chance variance of such means. Then
    :math:`p = 1 - \Phi((z - m)/\sigma)`, q-values are those of Benjamini and Hochberg, and the
    local false-discovery rate is

    .. math:: (1 - \pi)\,\varphi_{m,\sigma}(z) \,/\, [(1 - \pi)\,\varphi_{m,\sigma}(z) +
        \pi\,\varphi_{m+\delta\sigma,\tau}(z)].

    If the second component does not pay for its parameters (Bayesian information criterion), m is
    the median, σ is a scale of the values below it, and p is a tail of Student's t, since σ is
    uncertain.

    The null is wrong if more than half of all candidates are edges, or if the scores of non-edges
    have a heavier right tail than a normal distribution (hidden common causes, an overfitted
    forecaster). It is rough for fewer than about 50 candidates. It finds too few edges if the tail
    is much lighter than normal, as for the squared coefficients of a linear model: use t-tests
    there. Weak edges that form no component are kept only if each of them stands out.

    Args:
        scores: Non-negative scores; lag 0 is left out. A score of exactly zero is a non-edge. If
            most scores are zero, all others are edges.
        candidates: Which entries may be edges; by default all. The others are not tested, and hold
            1.

    Raises:
        InputError: A score is negative or not finite, or a shape is wrong.

    Source: Efron (2004), "Large-scale simultaneous hypothesis testing: the choice of a null", and
    Efron, Tibshirani, Storey & Tusher (2001) for local rates; the mixture is ours.

    >>> import numpy as np
    >>> scores = np.exp(np.random.default_rng(0).normal(size=(5, 5, 4))); scores[0, 1, 2] = 1e6
    >>> test = empirical_null(scores)
    >>> np.argwhere(test.q_value <= 0.1).tolist()
    [[0, 1, 2]]
    """
    lagged = _lagged(scores)
    tested = np.ones(lagged.shape, bool) if candidates is None else _tested(candidates, lagged)
    null = fit_null(np.asarray(lagged, np.float64), tested)
    q_value = benjamini_hochberg(np.where(tested, null.p_value, np.nan))
    return EdgeTest(
        _with_lag_0(null.p_value, lagged.dtype),
        _with_lag_0(np.where(tested, q_value, 1.0), lagged.dtype),
        _with_lag_0(null.local_fdr, lagged.dtype),
        null.separation,
    )


def evidence_null(
    evidence: Float[AnyArray, "vars vars lags"],
    *,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
    bounded: bool = True,
) -> EdgeTest:
    r"""p- and q-values of evidence that is measured in standard errors, such as \|t\|.

    The `empirical_null` of its square decides where edges stand apart: where the mean of their
    component lies 3.5 scales of the non-edges from theirs. Elsewhere the components overlap, or
    none of edges is found, since the logarithm spreads small scores out and makes large ones alike.
    Evidence that many standard errors speak for is then kept by a half-normal null,

    .. math:: s = \operatorname{median}(e) \,/\, 0.6745, \qquad p = P(|T_{0.37 n}| > e / s),

    with the median over the n links between variables, and Student's T since s is uncertain; or by
    the mixture, if it has a component of edges and its p-value is smaller. The null is cautious
    where many links are edges, as they raise the median. With fewer than 100 links between
    variables, :math:`P(|N(0, 1)| > e / 3)` is taken where it is smaller: in simulated systems the
    tail of evidence without edges was lighter.

    Args:
        evidence: Non-negative evidence ``[source, target, lag]``; lag 0 is left out.
        candidates: Which entries may be edges; by default all.
        bounded: Whether that bound holds for few links. It does not where noise changes over time,
            since evidence is larger there than its standard error says.

    Raises:
        InputError: Evidence is negative or not finite, or a shape is wrong.

    Source: Efron (2004) for nulls fitted to the bulk; the rule between the two was chosen on the
    published series and on generated ones (see ``benchmarks/results/published.md``), the scale of 3
    on simulated systems (see ``python -m benchmarks calibration``).

    >>> import numpy as np
    >>> evidence = np.abs(np.random.default_rng(0).normal(size=(5, 5, 4))); evidence[0, 1, 2] = 9.0
    >>> np.argwhere(evidence_null(evidence).q_value <= 0.1).tolist()
    [[0, 1, 2]]
    """
    lagged = _lagged(evidence)
    tested = np.ones(lagged.shape, bool) if candidates is None else _tested(candidates, lagged)
    mixture = empirical_null(np.asarray(evidence, np.float64) ** 2, candidates=candidates)
    few = bounded and has_few_links(tested)
    # Among few, the own pasts may be all that stands apart.
    if mixture.separation >= STANDS_APART and not few:
        return mixture
    by_scale = half_normal_p_value(np.asarray(lagged, np.float64), _links(tested), bounded=few)
    p_value = np.where(tested, by_scale, 1.0)
    if mixture.separation > 0:
        p_value = np.minimum(p_value, mixture.p_value[:, :, 1:])
    q_value = np.where(tested, lagged_q_values(np.where(tested, p_value, np.nan)), 1.0)
    return EdgeTest(
        _with_lag_0(p_value, lagged.dtype),
        _with_lag_0(q_value, lagged.dtype),
        _with_lag_0(np.where(tested, 0.0, 1.0), lagged.dtype),
        mixture.separation,
    )


def separation_of_links(
    scores: Float[AnyArray, "vars vars lags"],
    *,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
) -> float:
    """How far edges between variables stand apart: the separation of an `empirical_null`.

    A variable's own past is left out. Where variables change slowly, it would stand apart by far,
    whether or not anything else does. Infinite without links, or if most of their scores are zero.
    """
    lagged = _lagged(scores)
    tested = np.ones(lagged.shape, bool) if candidates is None else _tested(candidates, lagged)
    return fit_null(np.asarray(lagged, np.float64), _links(tested)).separation


def has_few_links(candidates: Bool[np.ndarray, "vars vars lags"]) -> bool:
    """Whether so few links between variables are candidates that their bulk says little."""
    return int(_links(candidates).sum()) < FEW


def _links(candidates: Bool[np.ndarray, "vars vars lags"]) -> Bool[np.ndarray, "vars vars lags"]:
    """The candidates that lead from one variable to another."""
    return candidates & ~np.eye(len(candidates), dtype=bool)[:, :, None]


def _with_lag_0(lagged: np.ndarray, dtype: Any) -> Float[np.ndarray, "vars vars lags"]:
    return np.pad(lagged, [(0, 0), (0, 0), (1, 0)], constant_values=1.0).astype(dtype)


def select_fdr(
    scores: Float[AnyArray, "vars vars lags"],
    *,
    q: float = 0.1,
    candidates: Bool[AnyArray, "vars vars lags"] | None = None,
) -> LaggedGraph:
    """Keep the edges that are unlikely under the empirical null: the default rule.

    An edge has a q-value of at most ``q`` and a local false-discovery rate of at most one half, so
    that it is more likely an edge than not. If edges and non-edges are well separated, the second
    condition removes candidates between them, and fewer edges are false than ``q`` allows.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        q: Largest expected share of false edges among those kept.
        candidates: Which entries may be edges; by default all. See `empirical_null`.

    Raises:
        InputError: A score is negative or not finite, a shape is wrong, or ``q`` is outside (0, 1).

    >>> import numpy as np
    >>> scores = np.exp(np.random.default_rng(0).normal(size=(5, 5, 4))); scores[0, 1, 2] = 1e6
    >>> select_fdr(scores, q=0.1).edges()
    [('X0', 2, '-->', 'X1')]
    """
    check_probability("q", q)
    return empirical_null(scores, candidates=candidates).edges(q)


def select_threshold(
    scores: Float[AnyArray, "vars vars lags"], *, threshold: float | None = None
) -> LaggedGraph:
    r"""Keep the edges whose share of their target's scores exceeds a threshold.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        threshold: Smallest share :math:`s_{ji\ell} / \sum_{j\ell} s_{ji\ell}` to keep; by default
            the uniform share 1 / (max_lag · vars).

    Raises:
        InputError: A score is negative or not finite, or ``threshold`` is outside (0, 1).

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, 1, 1], scores[1, 1, 1] = 3.0, 1.0
    >>> select_threshold(scores).edges()
    [('X0', 1, '-->', 'X1')]
    """
    lagged = _lagged(scores)
    n_vars, _, max_lag = lagged.shape
    level = 1.0 / (n_vars * max_lag) if threshold is None else threshold
    if n_vars * max_lag > 1:
        check_probability("threshold", level)
    total = lagged.sum(axis=(0, 2), keepdims=True)
    share = lagged / np.where(total > 0, total, np.ones_like(total))
    return _keep(share > level)


def select_top_k(scores: Float[AnyArray, "vars vars lags"], k: int) -> LaggedGraph:
    """Keep the ``k`` highest-scored lagged parents of every target.

    Ties go to the earlier source, then to the earlier lag.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        k: Parents per target.

    Raises:
        InputError: A score is negative or not finite, or ``k`` is negative.

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, :, 1] = 1.0
    >>> select_top_k(scores, 1).edges()
    [('X0', 1, '-->', 'X0'), ('X0', 1, '-->', 'X1')]
    """
    check_at_least("k", k, 0)
    by_target = np.swapaxes(_lagged(scores), 0, 1)
    ranks = _ranks(by_target.reshape(by_target.shape[0], -1))
    return _keep(np.swapaxes(ranks.reshape(by_target.shape), 0, 1) < k)


def select_global_top_k(scores: Float[AnyArray, "vars vars lags"], k: int) -> LaggedGraph:
    """Keep the ``k`` highest-scored lagged edges.

    Ties go to the earlier source, then to the earlier target, then to the earlier lag.

    Args:
        scores: Non-negative scores ``[source, target, lag]``; lag 0 is left out.
        k: Edges in the graph.

    Raises:
        InputError: A score is negative or not finite, or ``k`` is negative.

    >>> import numpy as np
    >>> scores = np.zeros((2, 2, 2)); scores[0, 1, 1] = 1.0
    >>> select_global_top_k(scores, 1).edges()
    [('X0', 1, '-->', 'X1')]
    """
    check_at_least("k", k, 0)
    lagged = _lagged(scores)
    return _keep(_ranks(lagged.reshape(1, -1)).reshape(lagged.shape) < k)


def _lagged(scores: AnyArray) -> Float[np.ndarray, "vars vars max_lag"]:
    """Check the scores, and return those at lags 1, 2, …, as floats."""
    check_host("scores", scores)
    given = np.asarray(numbers("scores", scores))
    if given.ndim != 3 or given.shape[0] != given.shape[1] or given.shape[2] < 2:
        raise InputError(f"scores has shape {given.shape}, but must be [vars, vars, max_lag+1]")
    if not np.isfinite(given).all() or (given < 0).any():
        raise InputError("scores holds negative values or NaN; pass energies or absolute values")
    return given[:, :, 1:].astype(np.result_type(given.dtype, np.float32))


def _tested(candidates: AnyArray, lagged: np.ndarray) -> np.ndarray:
    """Check the candidates, and return those at lags 1, 2, …."""
    check_host("candidates", candidates)
    given = np.asarray(candidates)
    n_vars, _, max_lag = lagged.shape
    if given.shape != (n_vars, n_vars, max_lag + 1) or given.dtype != bool:
        raise InputError(
            f"candidates has shape {given.shape} and type {given.dtype}, but must be boolean and "
            f"shaped like scores, {(n_vars, n_vars, max_lag + 1)}"
        )
    return given[:, :, 1:]


def _ranks(rows: Float[np.ndarray, "rows candidates"]) -> Int[np.ndarray, "rows candidates"]:
    """Rank of each entry in its row, from 0 for the largest."""
    return np.argsort(np.argsort(-rows, axis=1, stable=True), axis=1)


def _keep(chosen: Bool[np.ndarray, "vars vars max_lag"]) -> LaggedGraph:
    """The graph of the chosen lagged edges, from the search core."""
    at_lag_0 = [(0, 0), (0, 0), (1, 0)]
    p_value = np.pad(1.0 - chosen.astype(np.float32), at_lag_0, constant_values=1.0)
    return lagged_edges(score_test(p_value), alpha=0.5)
