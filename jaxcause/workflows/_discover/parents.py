"""A linear regression of every variable on the parents that a graph gives it."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcause._stored import AnyRows
from jaxcause.graph import LaggedGraph
from jaxcause.series import blocks_of_windows
from jaxcause.workflows._discover.dynamics import LinearModel

FEW_LEFT = 1e-3
"""Share of the squares of a variable below which what is left of them is summed by itself."""
DETERMINED = 1e-6
"""Part of a parent in what the products of terms do not determine, from which on others do."""
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
        share: By how much R² drops without each parent, the others kept; NaN where there is none.
    """

    model: LinearModel
    estimate: LinearEstimate
    terms: tuple[Int[np.ndarray, "parents 2"], ...]
    covariance: tuple[Float[np.ndarray, "terms terms"], ...]
    share: Float[np.ndarray, "vars vars lags"]

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
    values: Float[AnyRows, "time vars"],
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
    n_vars, length = graph.n_vars, graph.max_lag + 1
    into = np.asarray(graph.directed)
    coefficients, error = np.zeros(into.shape), np.full(into.shape, np.nan)
    share = np.full(into.shape, np.nan)
    intercept, degrees = np.zeros(n_vars), np.ones(n_vars, int)
    sums = [_Regression(np.argwhere(into[:, target]), target) for target in range(n_vars)]
    for windows in blocks_of_windows(values, starts, length):
        for one in sums:
            one.add(windows)
    solved = [one.solved() for one in sums]
    few = [k for k, found in enumerate(solved) if found.left <= FEW_LEFT * sums[k].power]
    if few:  # Where little is left, the difference of sums has lost its digits.
        left = np.zeros(n_vars)
        for windows in blocks_of_windows(values, starts, length):
            left[few] += [sums[k].squares_left(windows, solved[k].beta) for k in few]
        solved = [s._replace(left=left[k]) if k in few else s for k, s in enumerate(solved)]
    covariances = []
    for target, (one, (beta, inverse, rest)) in enumerate(zip(sums, solved, strict=True)):
        degrees[target] = max(one.n_windows - len(beta), 1)
        at = one.terms[:, 0], target, one.terms[:, 1]
        coefficients[at], intercept[target] = beta[:-1], beta[-1]
        covariances.append(inverse * (rest / degrees[target]))
        error[at] = np.sqrt(np.diag(covariances[-1]))[:-1]
        share[at] = one.shares(beta, inverse)
    return ParentRegression(
        LinearModel(coefficients, intercept),
        LinearEstimate(coefficients, error, degrees),
        tuple(one.terms for one in sums),
        tuple(covariances),
        share,
    )


class _Solved(NamedTuple):
    """Coefficients, the intercept last, the inverse of the products of terms, squares left."""

    beta: Float[np.ndarray, "terms"]
    inverse: Float[np.ndarray, "terms terms"]
    left: float


class _Regression:
    """Sums over windows for the regression of one variable on its parents."""

    def __init__(self, terms: Int[np.ndarray, "parents 2"], target: int) -> None:
        self.terms = terms
        self.target = target
        self.n_windows = 0
        self.gram = np.zeros((len(terms) + 1, len(terms) + 1))
        self.cross = np.zeros(len(terms) + 1)
        self.power = 0.0

    def add(self, windows: Float[np.ndarray, "windows time vars"]) -> None:
        """Add a block of windows, of which those count that hold all values."""
        design, y = self._design(windows)
        self.gram += design.T @ design
        self.cross += design.T @ y
        self.power += float(y @ y)
        self.n_windows += len(y)

    def solved(self) -> _Solved:
        """The coefficients; copies share theirs."""
        inverse = np.linalg.pinv(self.gram, hermitian=True, rcond=1e-11)
        beta = inverse @ self.cross
        return _Solved(
            beta, inverse, float(self.power + beta @ (self.gram @ beta - 2 * self.cross))
        )

    def shares(
        self, beta: Float[np.ndarray, "terms"], inverse: Float[np.ndarray, "terms terms"]
    ) -> Float[np.ndarray, "parents"]:
        """By how much R² drops without each parent; by nothing if others determine it."""
        spread = self.power - self.cross[-1] ** 2 / max(self.n_windows, 1)
        if spread <= FEW_LEFT**3 * self.power:
            return np.full(len(self.terms), np.nan)
        alone = 1 - np.diag(inverse @ self.gram) < DETERMINED
        drop = np.where(alone, beta**2 / np.diag(inverse), 0) / spread
        return np.clip(drop[:-1], 0, 1)

    def squares_left(
        self, windows: Float[np.ndarray, "windows time vars"], beta: Float[np.ndarray, "terms"]
    ) -> float:
        """The sum of squares that the regression leaves in a block."""
        design, y = self._design(windows)
        return float(((y - design @ beta) ** 2).sum())

    def _design(
        self, windows: Float[np.ndarray, "windows time vars"]
    ) -> tuple[Float[np.ndarray, "rows terms"], Float[np.ndarray, "rows"]]:
        parents = windows[:, windows.shape[1] - 1 - self.terms[:, 1], self.terms[:, 0]]
        design = np.concatenate([parents, np.ones((len(windows), 1))], axis=1)
        y = windows[:, -1, self.target]
        whole = ~(np.isnan(design).any(axis=1) | np.isnan(y))
        return (design, y) if whole.all() else (design[whole], y[whole])
