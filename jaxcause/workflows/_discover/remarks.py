"""What speaks against a finished graph, whatever method found it: sentences for the notes."""

import numpy as np

from jaxcause.graph import LaggedGraph, Mark, cyclic_edges
from jaxcause.series import SeriesTable
from jaxcause.workflows._discover.info import DiscoveryInfo
from jaxcause.workflows._discover.methods import Method

FEW_WINDOWS = 10
"""Windows per lagged input below which estimates are unreliable."""
FEW_LEVELS = 10
"""A column with at most as many different values is discrete …"""
REPEATED = 3
"""… if it has at least this many rows for each of them."""
MOST_TOLD = 5
"""Edges or columns that a note lists."""


def remarks_on_data(
    table: SeriesTable, max_lag: int, method: Method, info: DiscoveryInfo, *, n_windows: int
) -> tuple[str, ...]:
    """Sentences on too few windows, and on discrete columns in linear tests."""
    return (
        *_on_few_windows(len(table.names), max_lag, n_windows, at_lag_0=info.contemporaneous),
        *_on_discrete_columns(table, method, info),
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
        f"{len(found)} contemporaneous edge{'s' * (len(found) != 1)} ("
        + ", ".join(found[:MOST_TOLD])
        + ", …" * (len(found) > MOST_TOLD)
        + ")"
    )


def _on_few_windows(
    n_vars: int, max_lag: int, n_windows: int, *, at_lag_0: bool
) -> tuple[str, ...]:
    n_inputs = n_vars * max_lag + (n_vars - 1) * at_lag_0
    if n_windows >= FEW_WINDOWS * n_inputs:
        return ()
    return (
        f"There {'is' if n_windows == 1 else 'are'} {n_windows:,} window{'s' * (n_windows != 1)} "
        f"for {n_inputs:,} inputs of each variable, its own past included. With fewer than "
        f"{FEW_WINDOWS} windows per input, edges can easily be false or missing. Give a longer "
        "series, a smaller max_lag or fewer variables.",
    )


def _on_discrete_columns(
    table: SeriesTable, method: Method, info: DiscoveryInfo
) -> tuple[str, ...]:
    if not (method.linear or info.selection == "t-tests" or info.refined):
        return ()
    levels = {
        name: np.unique(column[~np.isnan(column)]).size
        for name, column in zip(table.names, table.values.T, strict=True)
    }
    known = (~np.isnan(table.values)).sum(axis=0)
    few = [
        f"{name} ({n})"
        for (name, n), n_rows in zip(levels.items(), known, strict=True)
        if n <= FEW_LEVELS and n_rows >= REPEATED * n
    ]
    if not few:
        return ()
    told = ", ".join(few[:MOST_TOLD]) + ", …" * (len(few) > MOST_TOLD)
    return (
        f"Discrete columns (number of values): {told}. The tests take them for numbers with linear "
        "effects: they miss an effect of a combination, such as XOR, and read the codes of "
        "categories as an order. Give one 0/1 column per category, and doubt missing edges.",
    )
