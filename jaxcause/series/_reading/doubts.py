"""What looks wrong in a column of numbers: values that may stand for missing ones, no variation."""

from collections.abc import Sequence

from jaxcause._stored import ColumnFacts

_KNOWN = frozenset(
    sign * value
    for sign in (1.0, -1.0)
    for value in (99.0, 999.0, 9999.0, 99999.0, 999999.0, 99.9, 999.9, 9999.9, 888.0, 8888.0, 777.0)
) | {-32768.0, 32767.0, 1e20, 1e30, -1e30, 1e36, 9.969209968386869e36, -2147483648.0}
_FEWEST_OTHERS = 5
_FAR, _FAR_IF_KNOWN = 10.0, 0.5
_MOST_VALUES = 3


def notes_on_suspects(names: Sequence[str], facts: Sequence[ColumnFacts]) -> tuple[str, ...]:
    """A note for each value that is far outside of its column and may stand for a missing one.

    >>> import numpy as np
    >>> from jaxcause._stored import column_facts
    >>> column = np.array([3.1, 2.0, -9999.0, 2.5, 4.0, -9999.0, 3.3])
    >>> notes_on_suspects(["river"], column_facts(column[:, None]))[0][:54]
    "Column 'river' holds -9999 2 times, far outside of the"
    """
    return tuple(
        f"Column {name!r} holds {value:.10g} {count} time{'s' * (count != 1)}, far outside of the "
        f"rest ({low:.4g} to {high:.4g}): if it stands for a missing value, pass "
        f"missing_value={value:.10g} (--missing-value {value:.10g})."
        for name, fact in zip(names, facts, strict=True)
        for value, count, low, high in suspects(fact)
    )


def suspects(column: ColumnFacts) -> list[tuple[float, int, float, float]]:
    """Values far outside of the rest, how often they occur, and the range of the rest."""
    levels, counts = column.levels, column.counts
    found = []
    while len(levels) > _FEWEST_OTHERS and len(found) < _MOST_VALUES:
        ends = [(levels[1] - levels[0], 0), (levels[-1] - levels[-2], -1)]
        far, end = max(ends)
        rest = levels[1:] if end == 0 else levels[:-1]
        spread = rest[-1] - rest[0]
        value, count = float(levels[end]), int(counts[end])
        enough = 2 if value not in _KNOWN or abs(value) < 100 else 1
        reach = _FAR_IF_KNOWN if value in _KNOWN else _FAR
        if count < enough or far <= reach * spread:
            break
        found.append((value, count, end))
        keep = slice(1, None) if end == 0 else slice(None, -1)
        levels, counts = levels[keep], counts[keep]
    return [(v, n, float(levels[0]), float(levels[-1])) for v, n, _ in found]


def without_variation(column: ColumnFacts) -> str:
    """Why a column is no variable; nothing if it is one."""
    if column.n_known == 0:
        return "has no values"
    return f"is constant ({column.first:g})" if len(column.levels) == 1 else ""
