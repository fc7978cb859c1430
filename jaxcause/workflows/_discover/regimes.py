"""What is said of regimes that were found."""

from typing import Any

import numpy as np
from jaxtyping import Int

from jaxcause._checks import InputError
from jaxcause.series import SeriesTable
from jaxcause.workflows._discover.forecaster import TrainedForecaster
from jaxcause.workflows._discover.prepare import Prepared

MOST_TOLD = 6
"""Stretches that a note lists."""


def check_regimes(
    forecaster: TrainedForecaster, domain: Int[np.ndarray, "time"] | None, *, found: bool
) -> None:
    """Raise unless a forecaster was trained on the regimes that it is told.

    Args:
        forecaster: The forecaster.
        domain: The regime of each row; None for one regime.
        found: Whether the regimes were found, and not given.
    """
    told, known = 1 if domain is None else int(domain.max()) + 1, forecaster.config.n_domains
    if told > known or (found and told < known):
        source = "domain='auto' finds" if found else "domain has"
        raise InputError(
            f"forecaster was trained on {known} regime{'s' * (known > 1)}, but {source} {told} "
            "here; number the regimes as in the training with domain=, or train a new one"
        )


def record_of_regimes(data: Prepared) -> dict[str, Any] | None:
    """The regimes that were found, if there are several, for the record of a discovery."""
    found = data.regimes
    if found is None or found.n_regimes == 1:
        return None
    return {
        "number": found.n_regimes,
        "starts": found.starts.tolist(),
        "regime": found.domain[found.starts].tolist(),
        "gain": found.gain,
    }


def notes_on_regimes(table: SeriesTable, data: Prepared) -> tuple[str, ...]:
    """How many regimes were found, when each begins, and what was done about it."""
    found = data.regimes
    if found is None or found.n_regimes == 1:
        return ()
    told = [
        f"{int(found.domain[row])} from {_when(table, int(row))}"
        for row in found.starts[:MOST_TOLD]
    ]
    more = len(found.starts) - len(told)
    return (
        f"The mechanism changes: {found.n_regimes} regimes were found in {len(found.starts)} "
        f"stretches ({', '.join(told)}{f'; and {more} more' if more > 0 else ''}), all of which "
        f"info.regimes lists. Regressions that know them have a {found.gain:.0%} lower held-out "
        "error, so the forecaster was told the regime of each row; one graph holds the edges of "
        "all. domain=None (--domain none) turns this off.",
    )


def _when(table: SeriesTable, row: int) -> str:
    if table.times is None:
        return f"row {row + 1:,}"
    time: Any = table.times.column[row]
    if isinstance(time, np.datetime64):
        return str(time.astype("datetime64[s]")).replace("T00:00:00", "").replace("T", " ")
    return str(time)
