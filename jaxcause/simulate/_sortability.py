"""Whether variances or R² reveal the causal order of a graph."""

import numpy as np
from jaxtyping import Bool, Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.graph import LaggedGraph


def sortability(
    measure: Float[AnyArray, "vars"], truth: LaggedGraph | Bool[AnyArray, "vars vars"]
) -> float:
    r"""Share of the edges along which a measure increases; ties count half.

    .. math:: \frac{\#\{i \to j : m_i < m_j\} + \tfrac12 \#\{i \to j : m_i = m_j\}}
                   {\#\{i \to j\}}

    Edges are those of the summary graph, without edges from a variable to itself. A value of one
    half means that the measure reveals nothing about the edges. For acyclic graphs, Reisach and
    others count directed paths. A summary graph has cycles, through which paths lead almost
    everywhere, so edges are counted here.

    Args:
        measure: One number for each variable.
        truth: Known graph.

    Raises:
        InputError: The graph has another number of variables, or no edge to count.

    Source: Reisach, Seiler & Weichwald (2021), "Beware of the simulated DAG!".

    >>> import numpy as np
    >>> sortability(np.array([1.0, 2.0, 3.0]), np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], bool))
    0.6666666666666666
    """
    known = truth.summary() if isinstance(truth, LaggedGraph) else truth
    edges = np.array(known, bool)
    if edges.shape[0] != len(measure):
        raise InputError(
            f"truth is about {edges.shape[0]} variables, but there are {len(measure)}; "
            "give the graph of the same series"
        )
    np.fill_diagonal(edges, False)
    source, target = np.nonzero(edges)
    if not len(source):
        raise InputError("truth has no edge between two variables; there is no order to measure")
    low, high = np.asarray(measure)[source], np.asarray(measure)[target]
    return float(((low < high) + 0.5 * (low == high)).mean())


def variance_sortability(series: Float[AnyArray, "time vars"], truth: LaggedGraph) -> float:
    """`sortability` by the variables' variances.

    Args:
        series: Observed series.
        truth: Known graph.

    Source: Reisach, Seiler & Weichwald (2021), "Beware of the simulated DAG!".

    >>> import numpy as np
    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> x = np.random.default_rng(0).normal(size=(100, 2)) * [1.0, 3.0]
    >>> variance_sortability(x, LaggedGraph.from_mask(mask))
    1.0
    """
    return sortability(np.asarray(series, np.float64).var(axis=0), truth)


def r2_sortability(
    series: Float[AnyArray, "time vars"], truth: LaggedGraph, *, max_lag: int | None = None
) -> float:
    r"""`sortability` by :math:`R^2 = 1 - \mathrm{Var}(X_i \mid \text{rest}) / \mathrm{Var}(X_i)`.

    The rest consists of all other variables at the same time and all variables at lags up to
    ``max_lag``. The regression is by least squares, and standardising the series changes nothing.

    Args:
        series: Observed series, longer than the number of regressors.
        truth: Known graph.
        max_lag: Longest lag; by default that of the graph.

    Raises:
        InputError: The series is too short.

    Source: Reisach, Tami, Seiler, Chambaz & Weichwald (2023), "A scale-invariant sorting criterion
    to find a causal order in additive noise models".

    >>> import numpy as np
    >>> mask = np.zeros((2, 2, 2), bool); mask[0, 1, 1] = True
    >>> x = np.random.default_rng(0).normal(size=(300, 2)); x[1:, 1] += 3 * x[:-1, 0]
    >>> r2_sortability(x, LaggedGraph.from_mask(mask))
    1.0
    """
    lags = truth.max_lag if max_lag is None else max_lag
    x = np.asarray(series, np.float64)
    n_rows, n_vars = x.shape
    if n_rows - lags <= n_vars * (lags + 1):
        raise InputError(
            f"series has {n_rows} rows, too few to regress on {n_vars * (lags + 1) - 1} others; "
            "give a longer series or a smaller max_lag"
        )
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    slices = np.concatenate([x[lags - lag : n_rows - lag] for lag in range(lags + 1)], axis=1)
    slices = slices - slices.mean(axis=0)
    covariance = slices.T @ slices / len(slices)
    # The residual variance given all others is one over the diagonal of the precision matrix.
    left = 1 / np.diagonal(np.linalg.inv(covariance))[:n_vars]
    return sortability(1 - left / np.diagonal(covariance)[:n_vars], truth)
