"""Errors of forecasts that correlate within a time step: a sign of what the model leaves out."""

from statistics import NormalDist
from typing import Any

import numpy as np
from jaxtyping import Float

LEVEL = 1e-3
"""Chance that some pair of unrelated errors is called correlated."""
SMALLEST = 0.05
"""Correlations below this are not told of: any misfit of a model may leave them."""
FEWEST = 30


def simultaneous_errors(
    residuals: Float[np.ndarray, "windows vars"], names: tuple[str, ...]
) -> dict[str, Any] | None:
    """The largest correlation between errors of the same step, and how many pairs correlate.

    Errors of the right model are independent of one another. Where a hidden cause reaches two
    variables in the same step, one variable acts on the other within it, or the mechanism changes
    unseen, they correlate. (A hidden cause with two different delays leaves no such trace: nothing
    found proves nothing.)

    Args:
        residuals: Held-out values less their forecasts; rows with NaN are left out.
        names: Of the variables.

    Returns:
        ``correlation``, ``pair``, ``n_pairs`` and ``n_tested``; None where no pair correlates
        (at a level of 0.001 for all pairs together), or there are too few rows.

    >>> rng = np.random.default_rng(0)
    >>> errors = rng.normal(size=(500, 3)); errors[:, 2] += errors[:, 0]
    >>> simultaneous_errors(errors, ("a", "b", "c"))["pair"]
    ['a', 'c']
    """
    whole = residuals[~np.isnan(residuals).any(axis=1)]
    n_vars = whole.shape[1]
    if len(whole) < FEWEST or n_vars < 2:
        return None
    spread = whole.std(axis=0)
    scaled = (whole - whole.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    first, second = np.triu_indices(n_vars, 1)
    size = (scaled.T @ scaled / len(whole))[first, second]
    limit = NormalDist().inv_cdf(1 - LEVEL / (2 * size.size)) / np.sqrt(len(whole) - 3)
    correlated = np.abs(size) > max(float(np.tanh(limit)), SMALLEST)
    if not correlated.any():
        return None
    largest = int(np.abs(size).argmax())
    return {
        "correlation": float(size[largest]),
        "pair": [names[first[largest]], names[second[largest]]],
        "n_pairs": int(correlated.sum()),
        "n_tested": size.size,
    }


def told(found: dict[str, Any]) -> str:
    """The same as a sentence."""
    a, b = found["pair"]
    return (
        f"Errors of the forecasts of {a} and {b} in the same step correlate most "
        f"(r = {found['correlation']:.2f}; {found['n_pairs']} of {found['n_tested']} pairs do): "
        "something hidden acts on both, one acts on the other within a step, or the mechanism "
        "changes."
    )
