"""The table of edges as lines of text: effects between variables first, self-edges apart."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped

from jaxcause._checks import check_choice
from jaxcause.workflows._discover.listing import printed_name
from jaxcause.workflows._discover.orders import SORTS

MOST = 20
"""Edges that are listed."""

Rows = Shaped[np.ndarray, "edges"]


class Column(NamedTuple):
    """A column of the printed table: its heading, its cells, and on which side it is even."""

    head: str
    cells: list[str]
    right: bool = False


def edge_lines(
    table: Rows, *, sort: str = "strength", self_edges: bool | None = None, most: int = MOST
) -> list[str]:
    """The table of edges as lines of text.

    Args:
        table: That of a discovery.
        sort: One of `SORTS`: the largest strengths and effects and the smallest p-values first.
        self_edges: Whether edges from a variable to itself are listed, below the others; by default
            if all edges together are at most ``most``.
        most: Rows of each part.

    Raises:
        InputError: ``sort`` is not known.
    """
    check_choice("sort", sort, SORTS)
    own = table["source"] == table["target"]
    cross, loops = _sorted(table[~own], sort), _sorted(table[own], sort)
    if self_edges is None:
        self_edges = len(table) <= most
    parts = [cross[:most], loops[:most] if self_edges else loops[:0]]
    lines = text_table(_columns(np.concatenate(parts)))
    head, rows = lines[0], lines[1:]
    found = [head, *rows[: len(parts[0])]] if len(cross) else ["(no edge between two variables)"]
    if len(cross) > most:
        found.append(f"… and {len(cross) - most} more between two variables, in the table of edges")
    if not len(loops):
        return found
    counted = f"{len(loops)} self-edge{'s' * (len(loops) != 1)} (a variable and its own past)"
    if not self_edges:
        return [*found, f"{counted} not listed; --self-edges (self_edges=True) lists them"]
    found += [f"{counted}:"] + [head] * (not len(cross)) + rows[len(parts[0]) :]
    return found + [f"… and {len(loops) - most} more"] * (len(loops) > most)


def even(values: Iterable[float], digits: int = 3) -> list[str]:
    """Numbers of some digits, with their decimal points below one another; "–" for NaN.

    >>> even([0.25, -12.5, 1000.0])
    ['   0.250', ' -12.5  ', '1000    ']
    """
    parts = [_decimal(value, digits).partition(".") for value in values]
    before = max((len(whole) for whole, _, _ in parts), default=0)
    after = max((len(point + rest) for _, point, rest in parts), default=0)
    return [whole.rjust(before) + (point + rest).ljust(after) for whole, point, rest in parts]


def text_table(columns: Sequence[Column]) -> list[str]:
    """Lines of a table, the headings first; a column without any entry is left out."""
    shown = [column for column in columns if any(cell.strip("– ") for cell in column.cells)]
    shown = shown or list(columns)
    widths = [max(map(len, [column.head, *column.cells])) for column in shown]
    rows = zip(*([column.head, *column.cells] for column in shown), strict=True)
    return [
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, shown, strict=True)
        ).rstrip()
        for row in rows
    ]


def _columns(table: Rows) -> list[Column]:
    tests = [
        Column(name.replace("_", "-"), [_small(value) for value in table[name].tolist()], True)
        for name in ("p_value", "q_value")
    ]
    return [
        Column("source", [printed_name(name) for name in table["source"].tolist()]),
        Column("lag", [str(lag) for lag in table["lag"].tolist()], True),
        Column("edge", table["edge"].tolist()),
        Column("target", [printed_name(name) for name in table["target"].tolist()]),
        *(
            Column(name, even(table[name].tolist()), True)
            for name in ("effect", "low", "high", "strength")
        ),
        *tests,
        *_on_variance(table),
    ]


def _on_variance(table: Rows) -> list[Column]:
    """By how much edges act on the variance of their target, where that was read."""
    if "on_variance" not in (table.dtype.names or ()):
        return []
    shares = table["on_variance"].tolist()
    return [
        Column("on variance", ["–" if share != share else f"{share:.0%}" for share in shares], True)
    ]


def _sorted(table: Rows, sort: str) -> Rows:
    name = sort.replace("-", "_")
    keys = table[name]
    if sort in ("strength", "effect"):
        keys = -np.abs(np.nan_to_num(keys))
    return table[np.argsort(keys, kind="stable")]


def _decimal(value: float, digits: int) -> str:
    """A number of some significant digits without an exponent, where that stays short."""
    if math.isnan(value):
        return "–"
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{places}f}"


def _small(value: float) -> str:
    """A p- or q-value."""
    return "–" if math.isnan(value) else "<1e-99" if value < 1e-99 else f"{value:.2g}"
