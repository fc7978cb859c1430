"""Series whose noise is louder at some times than at others: what is done about it, and said."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._stored import AnyRows, StoredRows
from jaxcause.stats import NoiseWeights, noise_weights
from jaxcause.workflows._discover.listing import first_of

FEWEST = 100
"""Windows below which no change of the noise can be told from chance."""
PER_TERM = 2
"""Windows for each term of the regressions, below which residuals say little of the noise."""


def changing_noise(
    values: Float[AnyRows, "time vars"],
    starts: Int[np.ndarray, "windows"],
    *,
    max_lag: int,
    allowed: Bool[np.ndarray, "vars vars lags"] | None,
    asked: str,
) -> NoiseWeights | None:
    """How much each window counts for each target; None if all count alike.

    Args:
        values: The transformed series.
        starts: First row of each window of ``max_lag + 1`` rows.
        max_lag: Longest lag.
        allowed: ``[source, target, lag]``: the terms of the regressions; None for all.
        asked: The option of the method.
    """
    n_terms = values.shape[1] * max_lag
    if asked == "steady" or isinstance(values, StoredRows):
        return None
    if len(starts) < max(FEWEST, PER_TERM * n_terms):
        return None
    found = noise_weights(values, starts, max_lag=max_lag, allowed=allowed)
    return found if found.changes.any() else None


def notes_on_noise(
    noise: NoiseWeights | None, names: tuple[str, ...], *, robust: bool = True
) -> tuple[str, ...]:
    """Whose noise changes, how much, and what was done; nothing if all noise is steady.

    Args:
        noise: The weights of the windows.
        names: Names of the variables.
        robust: Whether the errors of the tests allow for what the weights leave of it.
    """
    if noise is None:
        return ()
    loudest = np.flatnonzero(noise.changes)
    contrast = noise.contrast()
    loudest = loudest[np.argsort(-contrast[loudest], kind="stable")]
    some = first_of([names[k] for k in loudest])
    rest = (
        "whose errors allow for such noise"
        if robust
        else "but noise that changes within some twenty rows can still make edges false"
    )
    most = f"most that of {names[loudest[0]]}, " if len(loudest) > 1 else ""
    return (
        f"The noise of {some} changes over time ({most}by a factor of "
        f"{contrast[loudest[0]]:.1f} between calm and loud stretches). Calm stretches count for "
        f"more in linear tests, {rest}; noise='steady' (--noise steady) turns that off.",
    )


def record_of_noise(noise: NoiseWeights | None, names: tuple[str, ...]) -> dict[str, Any] | None:
    """What `DiscoveryInfo` keeps: for each variable whose noise changes, by which factor."""
    if noise is None:
        return None
    contrast = noise.contrast()
    return {names[k]: float(contrast[k]) for k in np.flatnonzero(noise.changes)}
