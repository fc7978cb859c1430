"""Columns that are nearly equal, and columns that are nearly the past of others."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcause._stored import StoredRows, blocks
from jaxcause.series import SeriesTable, changes, fit_level
from jaxcause.stats import redundant_columns
from jaxcause.stats._definite import NEARLY
from jaxcause.workflows._discover.listing import first_of

FEWEST = 20
"""Rows that hold both columns, below which nothing is told."""
ROUNDING = 1e-9
"""Share of the squares of a column about its mean, up to which what is left is rounding."""
MOST_VALUES = 1 << 19
"""Values that are looked at: those of the first rows."""


class NearCopy(NamedTuple):
    """``later`` is nearly what ``earlier`` was ``lag`` rows before, up to scale and shift."""

    earlier: int
    later: int
    lag: int


def near_copies(table: SeriesTable, max_lag: int, transform: str) -> tuple[NearCopy, ...]:
    """Pairs of columns that are nearly equal at some lag, each at the lag at which they are most.

    Copies at lag 0 are left out. Under a transform of changes, it is these that are compared.

    >>> a = np.random.default_rng(0).normal(size=(60, 2))
    >>> a[1:, 1] = 2 * a[:-1, 0]
    >>> near_copies(SeriesTable(a, ("a", "s"), np.zeros(60, int)), 2, "standardise")
    (NearCopy(earlier=0, later=1, lag=1),)
    """
    square = squared_correlations(table, max_lag, transform)
    for i, j in redundant_columns(_first_rows(table, transform)[0]).copies:
        square[:, i, j] = square[:, j, i] = 0
    both = np.maximum(square, square.transpose(0, 2, 1))
    found = []
    for i, j in np.argwhere(np.triu(both.max(axis=0) > NEARLY, 1)):
        lag = int(both[:, i, j].argmax())
        forth = square[lag, i, j] >= square[lag, j, i]
        found.append(NearCopy(int(i), int(j), lag) if forth else NearCopy(int(j), int(i), lag))
    return tuple(found)


def squared_correlations(
    table: SeriesTable, max_lag: int, transform: str
) -> Float[np.ndarray, "lags vars vars"]:
    """r² of every variable with every one so many rows later, ``[lag, earlier, later]``.

    0 where rows are few. Under a transform of changes, it is these that are compared.

    >>> x = np.arange(60.0)[:, None] * [1.0, -2.0]
    >>> squared_correlations(SeriesTable(x, ("a", "b"), np.zeros(60, int)), 1, "standardise")[1]
    array([[1., 1.],
           [1., 1.]])
    """
    values, segment = _first_rows(table, transform)
    n_vars = values.shape[1]
    square = np.zeros((max_lag + 1, n_vars, n_vars))
    for lag in range(min(max_lag, len(values) - 1) + 1):
        together = segment[lag:] == segment[: len(segment) - lag]
        earlier, later = values[: len(values) - lag][together], values[lag:][together]
        if len(earlier) < FEWEST:
            break
        square[lag] = _squared_correlation(earlier, later)
    return square


def notes_on_near_copies(found: tuple[NearCopy, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    """Which columns nearly say the same, what that does to edges, and what to do."""
    equal = [f"{names[a]} and {names[b]}" for a, b, lag in found if lag == 0]
    past = [f"{names[b]}(t) and {names[a]}(t-{lag})" for a, b, lag in found if lag]
    notes = []
    if equal:
        notes.append(
            f"These columns are nearly equal, up to scale and shift (r² > {NEARLY}): "
            f"{first_of(equal, between='; ')}. A test that is given one of them can hardly see the "
            "other: true edges of both can vanish, and false ones take their place. Leave one out."
        )
    if past:
        notes.append(
            "These columns are, at least nearly, the past of others, up to scale and shift (r² > "
            f"{NEARLY}): {first_of(past, between='; ')}. To every method such two are one value: "
            "their edges cannot be told apart, and true ones can vanish. Leave one column out."
        )
    return tuple(notes)


def _squared_correlation(
    x: Float[np.ndarray, "rows vars"], y: Float[np.ndarray, "rows vars"]
) -> Float[np.ndarray, "vars vars"]:
    """r² of each column of x with each of y over the rows that hold both; 0 where they are few."""
    known_x, known_y = (~np.isnan(part) for part in (x, y))
    if known_x.all() and known_y.all():
        known_x = known_y = np.ones((len(x), 1))
    x, y = (
        np.where(known, part - np.nanmean(part, axis=0), 0.0)
        for part, known in ((x, known_x > 0), (y, known_y > 0))
    )
    held_x, held_y = known_x.astype(float), known_y.astype(float)
    common = np.maximum(held_x.T @ held_y, 1)
    sum_x, sum_y = x.T @ held_y, held_x.T @ y
    spread_x, spread_y = (x**2).T @ held_y, held_x.T @ y**2
    left_x, left_y = spread_x - sum_x**2 / common, spread_y - sum_y**2 / common
    varies = (left_x > ROUNDING * spread_x) & (left_y > ROUNDING * spread_y) & (common >= FEWEST)
    shared = (x.T @ y - sum_x * sum_y / common) ** 2
    return np.divide(shared, left_x * left_y, out=np.zeros(shared.shape), where=varies)


def _first_rows(table: SeriesTable, transform: str) -> tuple[np.ndarray, np.ndarray]:
    """The values, or their changes, and the stretches of the first rows."""
    n_rows = max(FEWEST, MOST_VALUES // max(1, len(table.names)))
    if isinstance(table.values, StoredRows):
        first = next(iter(blocks(table.values)))[:n_rows]
        table = SeriesTable(np.asarray(first), table.names, table.segment[: len(first)])
    moved = changes(table, fit_level(table, transform))
    values = np.asarray(moved.values[:n_rows], np.float64)
    some = ~np.isnan(values).all(axis=0)
    # A column without a value there says nothing.
    return np.where(some, values, 0.0), moved.segment[:n_rows]
