"""The strongest links that are no edges, and how many of them are expected to be false."""

import math
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, Shaped

from jaxcause.graph import LaggedGraph
from jaxcause.stats import benjamini_hochberg
from jaxcause.workflows._discover.listing import printed_name

MOST = 10
"""Candidates that are shown."""


class Candidates(NamedTuple):
    """The strongest links between two variables that are no edges of a graph.

    Args:
        table: A row for each: ``source, target, lag, p_value, q_value, score, strength``.
        links: The same as a mask; a pair at lag 0 is in it in both directions.
        n_false: How many of them are expected to be false; NaN if the method has no p-values.
    """

    table: Shaped[np.ndarray, "candidates"]
    links: Bool[np.ndarray, "vars vars lags"]
    n_false: float

    @property
    def note(self) -> str:
        """What they are, and how many of them to expect false, for a graph without cross edges."""
        n, known = len(self.table), not math.isnan(self.n_false)
        if not n:
            return "No edge joins two variables, and nothing speaks for a link between two."
        by = "smallest p-value" if known else "largest score"
        which = f"{n} links with the {by}s are candidates, not edges"
        if n == 1:
            which = f"link with the {by} is a candidate, not an edge"
        said = f"No edge joins two variables. The {which}"
        if not known:
            return f"{said}; without p-values, how many of them are false is not known."
        n_false = round(self.n_false)
        if n_false >= n:
            return (
                f"{said}: chance alone gives p-values as small, so expect all of them to be false."
            )
        if n_false == 0:
            return f"{said}: of these {n}, fewer than one is expected to be false."
        verb = "is" if n_false == 1 else "are"
        return f"{said}: of these {n}, about {n_false} {verb} expected to be false."

    def lines(self) -> list[str]:
        """The table as lines of text."""
        if not len(self.table):
            return []
        ends = [*self.table["source"], *self.table["target"]]
        width = max(6, *(len(printed_name(name)) for name in ends))
        head = f"{'source':<{width}}  lag  {'target':<{width}}   p-value   q-value  strength"
        rows = [
            f"{printed_name(cause):<{width}}  {lag:>3}  {printed_name(effect):<{width}}  "
            f"{_short(p)}  {_short(q)}  {size:>8.3f}"
            for cause, effect, lag, p, q, _, size in self.table.tolist()
        ]
        return [head, *rows]

    def as_dict(self) -> dict[str, Any]:
        """``note``, and ``links`` as dictionaries."""
        names = self.table.dtype.names or ()
        rows = [dict(zip(names, row, strict=True)) for row in self.table.tolist()]
        return {"note": self.note, "links": rows}


class LinkTests(NamedTuple):
    """p- and q-values of links ``[source, target, lag]``: NaN, and 1, where nothing was tested."""

    p_value: Float[np.ndarray, "vars vars lags"]
    q_value: Float[np.ndarray, "vars vars lags"]


def link_tests(p_value: Float[np.ndarray, "vars vars lags"]) -> LinkTests:
    """q-values by Benjamini and Hochberg; a pair at lag 0 is one test.

    Args:
        p_value: NaN where nothing was tested; symmetric at lag 0.
    """
    with jax.enable_x64(True):
        q_value = np.array(benjamini_hochberg(_each_once(p_value)))
    below = np.tril_indices(len(q_value))
    q_value[(*below, 0)] = q_value[below[1], below[0], 0]
    return LinkTests(p_value, np.where(np.isnan(q_value), 1.0, q_value))


def candidates_of(
    graph: LaggedGraph,
    scores: Any,
    strength: Any,
    tests: tuple[Any, Any],
    names: tuple[str, ...],
) -> Candidates:
    """The links between two variables that come next after the edges.

    They are ordered by their p-values, or else by their scores. If nothing but chance is at work,
    as many of m tests as m times p have a p-value of at most p: so many candidates are false.

    Args:
        graph: The edges.
        scores: What they were chosen by, ``[source, target, lag]``.
        strength: The size of each effect.
        tests: p- and q-values, as arrays, as lists of what was read from a file, or None.
        names: Of the variables.
    """
    p_value, q_value = (_as_array(part, np.shape(scores)) for part in tests)
    size, edge = np.abs(np.asarray(scores, float)), np.asarray(graph.adjacency)
    cross = ~np.eye(len(names), dtype=bool)[:, :, None] & np.ones(size.shape, bool)
    known = np.isfinite(p_value).any()
    possible = cross & (np.isfinite(p_value) if known else size > 0)
    possible &= np.isfinite(_each_once(size))
    free = np.argwhere(possible & ~edge)
    at = tuple(free.T)
    order = np.lexsort((-size[at], p_value[at] if known else -size[at]))[:MOST]
    chosen, at = free[order].tolist(), tuple(free[order].T)
    columns = (p_value, q_value, np.asarray(scores, float), np.asarray(strength, float))
    text = f"U{max(1, *map(len, names))}"
    kinds = [("source", text), ("target", text), ("lag", int)]
    kinds += [(name, float) for name in ("p_value", "q_value", "score", "strength")]
    values = zip(*(column[at].tolist() for column in columns), strict=True)
    rows = [(names[i], names[j], k, *v) for (i, j, k), v in zip(chosen, values, strict=True)]
    links = np.zeros(size.shape, bool)
    links[at] = True
    links[:, :, 0] |= links[:, :, 0].T
    n_false = _expected_false(p_value[at], p_value[possible & edge], int(possible.sum()))
    return Candidates(np.array(rows, dtype=kinds), links, n_false)


def has_cross_edge(graph: LaggedGraph) -> bool:
    """Whether an edge joins two variables."""
    return bool(np.asarray(graph.adjacency)[~np.eye(graph.n_vars, dtype=bool)].any())


def _expected_false(p_value: np.ndarray, of_edges: np.ndarray, n_tests: int) -> float:
    """Tests that chance alone puts between the p-values of the edges and the last candidate's."""
    if not len(p_value) or np.isnan(p_value).any():
        return math.nan
    last = p_value.max()
    before = of_edges[of_edges <= last].max(initial=0.0)
    return float(np.clip(n_tests * (last - before), 0, len(p_value)))


def _each_once(values: Float[np.ndarray, "vars vars lags"]) -> Float[np.ndarray, "vars vars lags"]:
    """The values, NaN at lag 0 for a variable and itself and for the second of two directions."""
    once = np.array(values, float)
    once[(*np.tril_indices(len(once)), 0)] = np.nan
    return once


def _as_array(values: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "vars vars lags"]:
    return np.full(shape, np.nan) if values is None else np.array(values, float)


def _short(value: float) -> str:
    return f"{'-' if math.isnan(value) else format(value, '.2g'):>8}"
