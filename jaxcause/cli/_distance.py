"""Measures that compare two graphs of the same variables."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxcause.graph import CausalGraph, LaggedGraph


def same_lags(
    graph: "LaggedGraph | CausalGraph", truth: "LaggedGraph | CausalGraph"
) -> "tuple[LaggedGraph | CausalGraph, LaggedGraph | CausalGraph]":
    """Both graphs, extended to the longer of their longest lags."""
    marks = [np.asarray(one.marks) for one in (graph, truth)]
    if marks[0].ndim == 4:
        n_lags = max(one.shape[2] for one in marks)
        marks = [np.pad(one, ((0, 0), (0, 0), (0, n_lags - one.shape[2]), (0, 0))) for one in marks]
    return type(graph)(marks[0]), type(truth)(marks[1])


def same_form(
    graph: "LaggedGraph | CausalGraph", truth: "LaggedGraph | CausalGraph"
) -> "tuple[LaggedGraph | CausalGraph, LaggedGraph | CausalGraph, str | None]":
    """Both graphs as CPDAGs if one is a CPDAG and the other a DAG, and which one was the DAG."""
    from jaxcause.graph import CausalGraph
    from jaxcause.metrics import as_cpdags

    if not isinstance(graph, CausalGraph) or not isinstance(truth, CausalGraph):
        return graph, truth, None
    found, known, became = as_cpdags(graph, truth)
    return found, known, "found" if became == "estimate" else became


def measures(
    graph: "LaggedGraph | CausalGraph", truth: "LaggedGraph | CausalGraph"
) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and structural Hamming distance, of arrows and of adjacencies."""
    from jaxcause.metrics import precision_recall, shd

    compared = {
        "arrows": (graph, truth, False),
        "adjacencies": (_joined(graph), _joined(truth), False),
    }
    if np.ndim(graph.marks) == 4:
        compared["arrows, any lag"] = (graph, truth, True)
    found = {}
    for name, (one, other, summary) in compared.items():
        scores = precision_recall(one, other, summary=summary)._asdict()
        found[name] = {key: float(value) for key, value in scores.items()}
        distance = shd(graph, truth, summary=summary)
        found[name]["shd"] = None if name == "adjacencies" else int(distance)
    return found


def _joined(graph: "LaggedGraph | CausalGraph") -> np.ndarray:
    """Which pairs are adjacent; a contemporaneous adjacency occurs once."""
    mask = np.array(graph.adjacency)
    once = np.triu(np.ones(mask.shape[:2], bool))
    if mask.ndim == 2:
        return mask & once
    mask[:, :, 0] &= once
    return mask


def differences(
    graph: "LaggedGraph | CausalGraph", truth: "LaggedGraph | CausalGraph", names: list[str]
) -> dict[str, Any]:
    """Edges of one graph only, and edges with different marks."""
    found, known = (
        {(frozenset((e[0], e[-1])), *_direction(e)): _written(e) for e in one.edges(names)}
        for one in (graph, truth)
    )
    both = sorted((found[k], known[k]) for k in found.keys() & known.keys() if found[k] != known[k])
    return {
        "only found": sorted(found[key] for key in found.keys() - known.keys()),
        "only in truth": sorted(known[key] for key in known.keys() - found.keys()),
        "marked otherwise": [{"found": one, "truth": other} for one, other in both],
    }


def _direction(edge: tuple) -> tuple:
    """What distinguishes edges between the same two variables: the lag and its direction."""
    return () if len(edge) == 3 else (edge[1], edge[0] if edge[1] else None)


def _written(edge: tuple) -> str:
    if len(edge) == 3:
        return f"{edge[0]} {edge[1]} {edge[2]}"
    source, lag, symbol, target = edge
    return f"{source}(t-{lag}) {symbol} {target}(t)" if lag else f"{source}(t) {symbol} {target}(t)"
