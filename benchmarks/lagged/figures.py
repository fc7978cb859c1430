"""The figures of one answer of a method."""

from typing import Any

import numpy as np

from benchmarks.lagged.methods import RATES, Answer
from benchmarks.lagged.settings import N_PARENTS, Case
from jaxcause import metrics
from jaxcause.graph import LaggedGraph


def figures(answer: Answer, case: Case) -> dict[str, Any]:
    """How the scores rank the edges, and how good the graphs are.

    Of a summary graph, edges from a variable to itself do not count. Edges within a time step and
    hidden causes count in "F1 marks" alone, where the truth or the graph has some.
    """
    options = {"summary": True, "diagonal": False} if case.summary else {}
    truth = case.truth
    known = truth if case.summary else _lagged(truth)
    scores = np.nan_to_num(np.asarray(answer.scores, np.float64))
    found: dict[str, Any] = {}
    if not case.summary:
        found["F1@3"] = float(metrics.f1_at_k(scores, known, N_PARENTS))
    found["F1 true number"] = float(metrics.f1_at_true_number(scores, known, **options))
    found["AUROC"] = float(metrics.auroc(scores, known, **options))
    found["AUPRC"] = float(metrics.auprc(scores, known, **options))
    for q in RATES:
        graph = _lagged(answer.graphs[q])
        found[f"F1 q={q}"] = float(metrics.precision_recall(graph, known, **options).f1)
        found[f"FDP q={q}"] = float(metrics.false_discovery_proportion(graph, known, **options))
        edges = graph.any(axis=-1) & ~np.eye(len(graph), dtype=bool) if case.summary else graph
        found[f"edges q={q}"] = int(edges.sum())
    found["true edges"] = (
        int((known & (~np.eye(len(known), dtype=bool))).sum())
        if (case.summary)
        else int(known.sum())
    )
    found["SHD"] = int(metrics.shd(_lagged(answer.graphs[RATES[0]]), known, **options))
    return found | _marks(answer.graphs[RATES[0]], truth)


def _lagged(graph: Any) -> np.ndarray:
    """Directed edges at lags of 1 and more."""
    mask = np.array(metrics.edge_mask(graph), bool)
    mask[:, :, 0] = False
    return mask


def _marks(graph: Any, truth: Any) -> dict[str, float]:
    if not isinstance(truth, LaggedGraph):
        return {}
    marks = np.asarray(truth.marks)
    if not (marks[:, :, 0].any() or ((marks == 2).all(axis=-1)).any()):
        return {}
    if not isinstance(graph, LaggedGraph):
        graph = LaggedGraph.from_mask(_lagged(graph))
    both = {"F1 marks": "any", "F1 directed": "directed"}
    return {
        name: float(metrics.marked_precision_recall(graph, truth, kind=kind).f1)
        for name, kind in both.items()
    }
