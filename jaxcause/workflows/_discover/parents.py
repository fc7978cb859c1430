"""A linear regression of every variable on the parents that a graph gives it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause.graph import LaggedGraph
from jaxcause.workflows._discover.dynamics import LinearModel

DRAWS = 40
"""Linear models whose responses show how uncertain the coefficients leave them."""


class LinearEstimate(NamedTuple):
    """Coefficients with their errors, in transformed units.

    Args:
        coefficients: ``[source, target, lag]``.
        error: Standard errors; NaN where none is known.
        degrees: Degrees of freedom for each target.
    """

    coefficients: Float[np.ndarray, "vars vars lags"]
    error: Float[np.ndarray, "vars vars lags"]
    degrees: Int[np.ndarray, "vars"]


class ParentRegression(NamedTuple):
    """Regressions of all variables on their parents.

    Args:
        model: The model that they make together.
        estimate: Their coefficients with standard errors.
        terms: ``source, lag`` of the parents of each variable.
        covariance: Of the coefficients of each variable, the intercept last.
    """

    model: LinearModel
    estimate: LinearEstimate
    terms: tuple[Int[np.ndarray, "parents 2"], ...]
    covariance: tuple[Float[np.ndarray, "terms terms"], ...]

    def models(self, n_draws: int = DRAWS) -> list[LinearModel]:
        """The model, and others whose coefficients vary as the standard errors say."""
        rng = np.random.default_rng(0)
        coefficients = np.repeat(self.model.coefficients[None], n_draws, axis=0)
        intercept = np.repeat(self.model.intercept[None], n_draws, axis=0)
        for target, (terms, covariance) in enumerate(zip(self.terms, self.covariance, strict=True)):
            root = np.linalg.cholesky(covariance + 1e-15 * np.eye(len(covariance)))
            moved = rng.standard_normal((n_draws, len(covariance))) @ root.T
            coefficients[:, terms[:, 0], target, terms[:, 1]] += moved[:, :-1]
            intercept[:, target] += moved[:, -1]
        drawn = zip(coefficients, intercept, strict=True)
        return [self.model, *(LinearModel(*parts) for parts in drawn)]


def regress_on_parents(
    values: Float[np.ndarray, "time vars"],
    starts: Int[np.ndarray, "windows"],
    graph: LaggedGraph,
) -> ParentRegression:
    """Least squares of each variable on its parents, at lag 0 too, by their directed edges.

    Each regression uses the windows that hold all its values. Its errors are those of a regression
    whose parents were known before: the search for them is not counted.

    Args:
        values: Transformed values; NaN where one is missing.
        starts: First rows of windows of ``max_lag + 1`` rows.
        graph: The graph.
    """
    n_vars, max_lag = graph.n_vars, graph.max_lag
    into = np.asarray(graph.directed)
    coefficients, error = np.zeros(into.shape), np.full(into.shape, np.nan)
    intercept, degrees = np.zeros(n_vars), np.ones(n_vars, int)
    all_terms, covariances = [], []
    for target in range(n_vars):
        terms = np.argwhere(into[:, target])
        columns = [values[starts + max_lag - lag, source] for source, lag in terms.tolist()]
        design = np.stack([*columns, np.ones(len(starts))], axis=1)
        y = values[starts + max_lag, target]
        whole = ~(np.isnan(design).any(axis=1) | np.isnan(y))
        beta, covariance, degrees[target] = _least_squares(design[whole], y[whole])
        at = terms[:, 0], target, terms[:, 1]
        coefficients[at], intercept[target] = beta[:-1], beta[-1]
        error[at] = np.sqrt(np.diag(covariance))[:-1]
        all_terms.append(terms)
        covariances.append(covariance)
    return ParentRegression(
        LinearModel(coefficients, intercept),
        LinearEstimate(coefficients, error, degrees),
        tuple(all_terms),
        tuple(covariances),
    )


def _least_squares(
    design: Float[np.ndarray, "rows terms"], y: Float[np.ndarray, "rows"]
) -> tuple[Float[np.ndarray, "terms"], Float[np.ndarray, "terms terms"], int]:
    """Coefficients, their covariance, and degrees of freedom; copies share their coefficient."""
    inverse = np.linalg.pinv(design.T @ design, hermitian=True, rcond=1e-11)
    beta = inverse @ (design.T @ y)
    degrees = max(len(y) - design.shape[1], 1)
    return beta, inverse * (((y - design @ beta) ** 2).sum() / degrees), degrees
