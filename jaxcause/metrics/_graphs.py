"""A learned graph compared with a known one."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxcause._checks import InputError, check_choice, is_concrete
from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph, Mark, cyclic_edges, dag_to_cpdag
from jaxcause.metrics._given import Graph, edges_of, own_pasts, ratio


class PrecisionRecall(NamedTuple):
    """Precision, recall and their harmonic mean; a measure whose denominator is 0 is 0."""

    precision: Float[AnyArray, ""]
    recall: Float[AnyArray, ""]
    f1: Float[AnyArray, ""]


def edge_mask(graph: Graph, *, summary: bool = False) -> Bool[AnyArray, "..."]:
    """Directed edges of a graph as a mask.

    Args:
        graph: A graph or a mask.
        summary: Whether to reduce a lagged graph to its summary graph, with edges at any lag.

    Raises:
        InputError: A mask is not square, or holds another number than 0 and 1.
    """
    return edges_of("graph", graph, summary)


def precision_recall(
    estimate: Graph, truth: Graph, *, summary: bool = False, diagonal: bool = True
) -> PrecisionRecall:
    r"""Precision TP/(TP+FP), recall TP/(TP+FN) and F1 = 2TP/(2TP+FP+FN) over directed edges.

    Args:
        estimate: Learned graph.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> truth = np.array([[0, 1], [0, 0]], bool)
    >>> [round(float(v), 3) for v in precision_recall(np.array([[1, 1], [0, 0]], bool), truth)]
    [0.5, 1.0, 0.667]
    """
    found, known, counted = _comparable(estimate, truth, summary, diagonal)
    hits = (found & known & counted).sum()
    n_found, n_known = (found & counted).sum(), (known & counted).sum()
    return PrecisionRecall(
        ratio(hits, n_found), ratio(hits, n_known), ratio(2 * hits, n_found + n_known)
    )


def shd(
    estimate: Graph, truth: Graph, *, summary: bool = False, diagonal: bool = True
) -> Int[AnyArray, ""]:
    """Structural Hamming distance: edges to add, remove or change.

    Two graphs with marks differ once per pair with different marks; so does ``x-x`` from every
    other edge. Masks and summaries differ once per pair (or source, target and lag) with a
    different direction. A CPDAG beside a DAG differs in every ``---``; `as_cpdags` gives the
    equivalence classes to compare.

    Args:
        estimate: Learned graph.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> int(shd(np.array([[0, 1], [0, 0]], bool), np.array([[0, 0], [1, 0]], bool)))
    1
    """
    if isinstance(estimate, CausalGraph) and isinstance(truth, CausalGraph):
        differs = estimate.marks != truth.marks
    elif isinstance(estimate, LaggedGraph) and isinstance(truth, LaggedGraph) and not summary:
        differs = (estimate.marks != truth.marks).any(axis=-1)
        differs = differs & (diagonal | ~own_pasts(differs))
        now = np.triu(np.ones(differs.shape[:2], bool))
        lag = np.arange(differs.shape[2])
        return _number(differs & (now[:, :, None] | (lag > 0)))
    else:
        found, known, _ = _comparable(estimate, truth, summary, diagonal)
        differs = found != known
    differs = differs & (diagonal | ~own_pasts(differs))
    if differs.ndim == 3:
        return _number(differs)
    return _number(namespace(differs).triu(differs | differs.T))


def as_cpdags(
    estimate: CausalGraph, truth: CausalGraph
) -> tuple[CausalGraph, CausalGraph, Literal["estimate", "truth"] | None]:
    """Two graphs in one form: where one is a CPDAG and the other a DAG, the CPDAG of that DAG.

    A CPDAG with ``---`` stands for all DAGs of its equivalence class. Beside one of them by their
    marks, each ``---`` counts as an error, even if the class is the right one. What is a CPDAG is
    told by its marks: ``-->``, ``---`` and perhaps ``x-x``, with at least one edge that is not
    directed. A DAG has ``-->`` alone and no cycle.

    Args:
        estimate: Learned graph, without lags.
        truth: Known graph of the same size.

    Returns:
        Both graphs, and which of them became its CPDAG; None if they are compared as they are.

    Raises:
        InputError: A graph is a batch or traced.

    >>> import numpy as np
    >>> dag = CausalGraph.from_dag(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], bool))
    >>> cpdag = CausalGraph(np.array([[0, 3, 0], [3, 0, 3], [0, 3, 0]]))
    >>> int(shd(cpdag, dag)), int(shd(*as_cpdags(cpdag, dag)[:2])), as_cpdags(cpdag, dag)[2]
    (2, 0, 'truth')
    """
    for name, graph in (("estimate", estimate), ("truth", truth)):
        if not is_concrete(graph.marks) or np.ndim(graph.marks) != 2:
            raise InputError(f"{name} is a batch or traced; pass one graph, outside of jit")
    if _is_cpdag(estimate) and _is_dag(truth):
        return estimate, dag_to_cpdag(np.asarray(truth.directed)), "truth"
    if _is_dag(estimate) and _is_cpdag(truth):
        return dag_to_cpdag(np.asarray(estimate.directed)), truth, "estimate"
    return estimate, truth, None


def _is_dag(graph: CausalGraph) -> bool:
    marks, directed = np.asarray(graph.marks), np.asarray(graph.directed)
    all_directed = ((marks != Mark.NONE) == (directed | directed.T)).all()
    return bool(all_directed and not cyclic_edges(marks).any())


def _is_cpdag(graph: CausalGraph) -> bool:
    marks = np.asarray(graph.marks)
    arrow, tail, conflict = (marks == m for m in (Mark.ARROW, Mark.TAIL, Mark.CONFLICT))
    known = (marks == Mark.NONE) | (arrow & tail.T) | tail | conflict
    return bool(known.all() and ((tail & tail.T) | conflict).any())


def false_discovery_proportion(
    estimate: Graph, truth: Graph, *, summary: bool = False, diagonal: bool = True
) -> Float[AnyArray, ""]:
    r"""Share of false edges among those found, :math:`FP / \max(1, TP + FP)`.

    Unlike 1 − precision it is 0 if nothing is found, so that its mean over runs is the
    false-discovery rate.

    Args:
        estimate: Learned graph.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> truth = np.array([[0, 1], [0, 0]], bool)
    >>> float(false_discovery_proportion(np.array([[1, 1], [0, 0]], bool), truth))
    0.5
    """
    found, known, counted = _comparable(estimate, truth, summary, diagonal)
    return ratio((found & ~known & counted).sum(), (found & counted).sum())


def marked_precision_recall(
    estimate: LaggedGraph, truth: LaggedGraph, *, kind: str = "any", lags: str = "all"
) -> PrecisionRecall:
    """`precision_recall` for graphs with contemporaneous edges or hidden causes.

    An edge is correct if the other graph has an edge with the same marks at the same pair and lag.
    A contemporaneous edge counts once.

    Args:
        estimate: Learned graph.
        truth: Known graph of the same size.
        kind: Edges that count: ``directed`` (``-->``), ``bidirected`` (``<->``), ``adjacent`` (all
            edges, whatever their marks) or ``any`` (all edges, and the marks must agree). An edge
            in conflict, ``x-x``, counts in the last two.
        lags: ``all``, ``lagged`` (at least 1) or ``contemporaneous`` (0).

    Raises:
        InputError: The sizes differ, or a name is not known.

    >>> import numpy as np
    >>> marks = np.zeros((2, 2, 2, 2), int); marks[0, 1, 1] = 2, 2; marks[1, 1, 1] = 3, 2
    >>> truth = LaggedGraph(marks)
    >>> marks[0, 1, 1] = 3, 2
    >>> found = LaggedGraph(marks)
    >>> [float(marked_precision_recall(found, truth, kind=k).f1) for k in ("any", "adjacent")]
    [0.5, 1.0]
    """
    check_choice("kind", kind, ("any", "directed", "bidirected", "adjacent"))
    check_choice("lags", lags, ("all", "lagged", "contemporaneous"))
    if estimate.marks.shape != truth.marks.shape:
        raise InputError(
            f"estimate has marks {estimate.marks.shape} and truth {truth.marks.shape}; compare "
            "graphs of one size"
        )
    ours, theirs = estimate.marks, truth.marks
    n_vars, n_lags = ours.shape[0], ours.shape[2]
    lag = np.arange(n_lags)[None, None, :]
    once = (lag > 0) | np.triu(np.ones((n_vars, n_vars), bool))[:, :, None]
    counted = once & {"all": lag >= 0, "lagged": lag > 0, "contemporaneous": lag == 0}[lags]
    found, known = (_of_kind(marks, kind) & counted for marks in (ours, theirs))
    agree = True if kind == "adjacent" else (ours == theirs).all(axis=-1)
    hits = (found & known & agree).sum()
    n_found, n_known = found.sum(), known.sum()
    return PrecisionRecall(
        ratio(hits, n_found), ratio(hits, n_known), ratio(2 * hits, n_found + n_known)
    )


def _of_kind(
    marks: Int[AnyArray, "vars vars lags 2"], kind: str
) -> Bool[AnyArray, "vars vars lags"]:
    left, right = marks[..., 0], marks[..., 1]
    if kind == "bidirected":
        return (left == Mark.ARROW) & (right == Mark.ARROW)
    if kind == "directed":
        forward = (left == Mark.TAIL) & (right == Mark.ARROW)
        return forward | ((left == Mark.ARROW) & (right == Mark.TAIL))
    return left != Mark.NONE


def _comparable(
    estimate: Graph, truth: Graph, summary: bool, diagonal: bool
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Both masks, and which entries count."""
    found, known = edges_of("estimate", estimate, summary), edges_of("truth", truth, summary)
    if found.shape != known.shape:
        raise InputError(
            f"estimate has shape {found.shape} and truth {known.shape}; compare graphs of one "
            "size, or pass summary=True to compare over all lags"
        )
    return found, known, diagonal | ~own_pasts(known)


def _number(mask: Bool[AnyArray, "..."]) -> Int[AnyArray, ""]:
    """How many entries are true."""
    return namespace(mask).asarray(mask.sum(), np.int32)
