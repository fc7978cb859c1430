"""Notes on columns that say the same as others."""

from jaxcause.series import SeriesTable
from jaxcause.stats import redundant_columns

MOST_NAMED = 5
"""Groups of columns that notes name."""


def notes_on_redundant_columns(table: SeriesTable) -> tuple[str, ...]:
    """Which columns are copies of others, or sums of them, and what that means for the edges."""
    found = redundant_columns(table.values[table.complete])
    names = table.names
    copies = [f"{names[i]} and {names[j]}" for i, j in found.copies]
    sums = [f"{names[group[-1]]} of {_listed(names, group[:-1])}" for group in found.combinations]
    notes = []
    if copies:
        notes.append(
            f"These columns are copies of one another, up to scale and shift: {_some(copies)}. "
            "Their edges cannot be told apart: each may stand for the other. Leave one out."
        )
    if sums:
        notes.append(
            f"These columns are linear combinations of others: {_some(sums)}. Edges of such a "
            "column and of its parts cannot be told apart. Leave it out if the parts are meant."
        )
    return tuple(notes)


def _listed(names: tuple[str, ...], group: tuple[int, ...]) -> str:
    parts = [names[k] for k in group]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _some(groups: list[str]) -> str:
    more = len(groups) - MOST_NAMED
    return "; ".join(groups[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
