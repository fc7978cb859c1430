"""What speaks against a graph, whatever method found it: sentences for the notes."""

import numpy as np

from jaxcause._stored import StoredRows, column_facts
from jaxcause.graph import LaggedGraph, Mark, cyclic_edges
from jaxcause.series import SeriesTable
from jaxcause.series._lagged_correlation import correlation_of_windows
from jaxcause.stats import RedundantColumns, redundant_columns, redundant_in
from jaxcause.workflows._discover.info import DiscoveryInfo
from jaxcause.workflows._discover.listing import counted
from jaxcause.workflows._discover.methods import Method
from jaxcause.workflows._discover.near_copies import near_copies, notes_on_near_copies

FEW_LEVELS = 10
"""A column with at most as many different values is discrete …"""
REPEATED = 3
"""… if it has at least this many rows for each of them."""
MOST_TOLD = 5
"""Edges or columns that a note lists."""


def remarks_on_data(
    table: SeriesTable, max_lag: int, method: Method, info: DiscoveryInfo, *, read: SeriesTable
) -> tuple[str, ...]:
    """Sentences on redundant and nearly equal columns, and on discrete ones in linear tests.

    Args:
        table: The series that was searched.
        max_lag: Longest lag.
        method: What searched it.
        info: How.
        read: The series as it was read: a discrete column with a season taken out looks like none.
    """
    near = near_copies(table, max_lag, info.transform or "standardise")
    return (
        *_on_redundant_columns(table),
        *notes_on_near_copies(near, table.names),
        *_on_discrete_columns(read, method, info),
    )


def n_cyclic(graph: LaggedGraph) -> int | None:
    """Contemporaneous edges on a cycle; None if the graph has no contemporaneous edge."""
    now = np.asarray(graph.marks)[:, :, 0, 1]
    return int(cyclic_edges(now).sum()) // 2 if now.any() else None


def remarks_on_graph(graph: LaggedGraph, names: tuple[str, ...]) -> tuple[str, ...]:
    """Sentences on contemporaneous edges in conflict, and on those that form a cycle."""
    now = np.asarray(graph.marks)[:, :, 0]
    notes = []
    conflicts, cyclic = now[..., 0] == Mark.CONFLICT, cyclic_edges(now[..., 1])
    if conflicts.any():
        notes.append(
            f"The rules orient {_edges_among(graph, names, conflicts)} both ways. A test erred "
            "there or an assumption fails, such as that no common cause is hidden. Take the "
            "direction as unknown; more rows or a smaller alpha may settle it."
        )
    if cyclic.any():
        notes.append(
            "A directed or almost directed cycle within a time step runs along "
            f"{_edges_among(graph, names, cyclic)}. No acyclic system has one, so a test erred "
            "there or an assumption fails, such as that no common cause is hidden. Take the "
            "directions of these edges as unknown; more rows or a smaller alpha may settle them."
        )
    return tuple(notes)


def _edges_among(graph: LaggedGraph, names: tuple[str, ...], chosen: np.ndarray) -> str:
    """The contemporaneous edges at the chosen pairs: how many, and the first of them."""
    at = {name: i for i, name in enumerate(names)}
    found = [
        f"{source} {symbol} {target}"
        for source, lag, symbol, target in graph.edges(names)
        if lag == 0 and chosen[at[source], at[target]]
    ]
    return (
        f"{counted(len(found), 'contemporaneous edge')} ("
        + ", ".join(found[:MOST_TOLD])
        + ", …" * (len(found) > MOST_TOLD)
        + ")"
    )


def _on_discrete_columns(
    table: SeriesTable, method: Method, info: DiscoveryInfo
) -> tuple[str, ...]:
    if not (method.linear or info.selection == "t-tests" or info.refined):
        return ()
    few = [
        f"{name} ({len(fact.levels)})"
        for name, fact in zip(table.names, column_facts(table.values), strict=True)
        if len(fact.levels) <= FEW_LEVELS and fact.n_known >= REPEATED * len(fact.levels)
    ]
    if not few:
        return ()
    told = ", ".join(few[:MOST_TOLD]) + ", …" * (len(few) > MOST_TOLD)
    return (
        f"Discrete columns (number of values): {told}. The tests take them for numbers with linear "
        "effects: they miss an effect of a combination, such as XOR, and read the codes of "
        "categories as an order. Give one 0/1 column per category, and doubt missing edges.",
    )


def _on_redundant_columns(table: SeriesTable) -> tuple[str, ...]:
    """Which columns are copies of others, or sums of them, and what that means for the edges."""
    found = _redundant(table)
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


def _redundant(table: SeriesTable) -> RedundantColumns:
    if not isinstance(table.values, StoredRows):
        return redundant_columns(table.values)
    corr = correlation_of_windows(table.values, np.flatnonzero(table.complete), 1).corr
    return redundant_in(corr, np.ones(len(corr), bool))


def _listed(names: tuple[str, ...], group: tuple[int, ...]) -> str:
    parts = [names[k] for k in group]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _some(groups: list[str]) -> str:
    more = len(groups) - MOST_TOLD
    return "; ".join(groups[:MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
