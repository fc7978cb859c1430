"""Comparison of a learned graph, or of scores for every edge, with a known graph.

A graph is a `LaggedGraph`, a `CausalGraph`, or an array ``[source, target]`` or ``[source, target,
lag]`` of booleans, or of 0 and 1. All measures are pure functions of masks and scores, and compose
with ``jit`` and ``vmap``. Of numpy arrays and lists, and graphs made of them, they are computed in
numpy.

Scores are numbers of any kind. Only their order counts, so infinite ones are as good as others.
NaN has no place in an order: it is an error, and where scores are traced the measure is NaN. NaN of
lag 0, or of the diagonal where it is left out, does no harm.

An edge in conflict, ``x-x``, is an adjacency whose marks are unlike any other: it is no directed
edge and no ``<->``. It counts as found where adjacencies are compared, as an error of marks where
the truth has other marks, and as missed where directed edges are compared.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import InputError, check_choice, is_concrete, numbers
from jaxcause._namespace import namespace, wide_float
from jaxcause._typing import AnyArray
from jaxcause.graph import CausalGraph, LaggedGraph, Mark, cyclic_edges, dag_to_cpdag

Mask = Bool[AnyArray, "..."] | Num[AnyArray, "..."] | Sequence[Any]
"""Edges, as booleans or as 0 and 1."""

Graph = LaggedGraph | CausalGraph | Mask
Scores = Num[AnyArray, "vars vars *lags"] | Bool[AnyArray, "vars vars *lags"] | Sequence[Any]


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
    return _mask("graph", graph, summary)


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
        _ratio(hits, n_found), _ratio(hits, n_known), _ratio(2 * hits, n_found + n_known)
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
        differs = differs & (diagonal | ~_identity(differs))
        now = np.triu(np.ones(differs.shape[:2], bool))
        lag = np.arange(differs.shape[2])
        return _number(differs & (now[:, :, None] | (lag > 0)))
    else:
        found, known, _ = _comparable(estimate, truth, summary, diagonal)
        differs = found != known
    differs = differs & (diagonal | ~_identity(differs))
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


def auroc(
    scores: Scores,
    truth: Graph,
    *,
    summary: bool = False,
    diagonal: bool = True,
) -> Float[AnyArray, ""]:
    r"""Area under the ROC curve: the probability that an edge outscores a non-edge (ties: ½).

    Lag 0 of lagged scores is left out. Summary scores are the largest over the lags.

    Args:
        scores: Larger means more likely an edge.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> float(auroc(np.array([[0.1, 0.9], [0.4, 0.2]]), np.array([[0, 1], [0, 0]], bool)))
    1.0
    """
    rank, known, counted, dtype = _ranked(scores, truth, summary, diagonal)
    xp, is_edge, is_other = namespace(rank, known), known & counted, ~known & counted
    others = xp.sort(xp.where(is_other, rank, np.int32(rank.size)))
    sides = [xp.searchsorted(others, rank, side=side) for side in ("left", "right")]
    wins = xp.where(is_edge, sides[0] + sides[1], np.int32(0)).astype(dtype)
    n_pairs = is_edge.sum().astype(dtype) * is_other.sum().astype(dtype)
    return _unless_nan(_ratio(wins.sum() / 2, n_pairs), rank)


def auprc(
    scores: Scores,
    truth: Graph,
    *,
    summary: bool = False,
    diagonal: bool = True,
) -> Float[AnyArray, ""]:
    r"""Area under the precision-recall curve as average precision, with ties taken together.

    .. math:: \mathrm{AP} = \sum_k (R_k - R_{k-1})\,P_k

    Args:
        scores: Larger means more likely an edge; lag 0 of lagged scores is left out.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> float(auprc(np.array([[0.1, 0.9], [0.4, 0.2]]), np.array([[0, 1], [0, 0]], bool)))
    1.0
    """
    rank, known, counted, _ = _ranked(scores, truth, summary, diagonal)
    xp = namespace(rank, known)
    from_best = xp.where(counted, -rank, np.int32(1))
    order = xp.argsort(from_best, stable=True)
    descending = from_best[order]
    hits = xp.cumsum((known & counted)[order], dtype=np.int32)
    last_of_tie = xp.searchsorted(descending, descending, side="right")
    precision = _ratio(hits[last_of_tie - 1], last_of_tie)
    is_hit = (known & counted)[order].astype(precision.dtype)
    area = _ratio((precision * is_hit).sum(), (known & counted).sum())
    return _unless_nan(area, rank)


def f1_at_k(scores: Scores, truth: Graph, k: int) -> Float[AnyArray, ""]:
    """F1 of the graph that keeps the ``k`` highest-scored lagged parents of every target.

    Args:
        scores: ``[source, target, lag]``; lag 0 is left out.
        truth: Known graph.
        k: Parents per target.

    >>> import numpy as np
    >>> truth = np.zeros((2, 2, 2), bool); truth[:, 0, 1] = True
    >>> round(float(f1_at_k(truth.astype(float), truth, 2)), 3)
    0.667
    """
    given = numbers("scores", scores)
    if given.ndim != 3 or given.shape[0] != given.shape[1]:
        raise InputError(f"scores have shape {given.shape}, but must be [source, target, lag]")
    rank, _, _, _ = _ranked(given, truth, False, True)
    xp, (n_vars, _, n_lags) = namespace(rank), given.shape
    by_target = xp.swapaxes(rank.reshape(n_vars, n_vars, n_lags - 1), 0, 1).reshape(n_vars, -1)
    place = xp.argsort(xp.argsort(-by_target, axis=1, stable=True), axis=1)
    kept = xp.swapaxes((place < k).reshape(n_vars, n_vars, n_lags - 1), 0, 1)
    f1 = precision_recall(kept, _mask("truth", truth)[:, :, 1:]).f1
    return _unless_nan(f1, rank)


def f1_at_true_number(
    scores: Scores,
    truth: Graph,
    *,
    summary: bool = False,
    diagonal: bool = True,
) -> Float[AnyArray, ""]:
    """F1 of the highest-scored edges, as many as the truth has; precision equals recall there.

    Args:
        scores: Larger means more likely an edge (ties: the earlier source, target and lag); lag 0
            of lagged scores is left out.
        truth: Known graph of the same size.
        summary: Compare summary graphs instead of every lag.
        diagonal: Whether edges from a variable to itself count.

    >>> import numpy as np
    >>> truth = np.array([[0, 1], [1, 0]], bool)
    >>> float(f1_at_true_number(np.array([[0.1, 0.9], [0.4, 0.2]]), truth))
    1.0
    """
    rank, known, counted, _ = _ranked(scores, truth, summary, diagonal)
    xp, edges = namespace(rank, known), known & counted
    order = xp.argsort(xp.where(counted, -rank, np.int32(1)), stable=True)
    first = xp.arange(order.size) < edges.sum()
    return _unless_nan(_ratio((edges[order] & first).sum(), edges.sum()), rank)


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
    return _ratio((found & ~known & counted).sum(), (found & counted).sum())


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
        _ratio(hits, n_found), _ratio(hits, n_known), _ratio(2 * hits, n_found + n_known)
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
    found, known = _mask("estimate", estimate, summary), _mask("truth", truth, summary)
    if found.shape != known.shape:
        raise InputError(
            f"estimate has shape {found.shape} and truth {known.shape}; compare graphs of one "
            "size, or pass summary=True to compare over all lags"
        )
    return found, known, diagonal | ~_identity(known)


def _mask(name: str, graph: Graph, summary: bool = False) -> Bool[AnyArray, "..."]:
    """Directed edges of what a caller gave under this name."""
    if isinstance(graph, LaggedGraph | CausalGraph):
        mask = graph.directed
    else:
        mask = numbers(name, graph)
        if mask.ndim not in (2, 3) or mask.shape[0] != mask.shape[1]:
            raise InputError(
                f"{name} has shape {mask.shape}, but a mask is [source, target] or [source, "
                "target, lag]"
            )
        if mask.dtype != bool:
            if is_concrete(mask):
                values = np.asarray(mask)
                other = values[(values != 0) & (values != 1)]
                if other.size:
                    raise InputError(
                        f"{name} holds {other[0]}, but edges are True and False, or 1 and 0; give "
                        f"{name} != 0 if every other number is an edge"
                    )
            mask = mask != 0
    return namespace(mask).any(mask, axis=-1) if summary and mask.ndim == 3 else mask


def _ranked(
    scores: Scores, truth: Graph, summary: bool, diagonal: bool
) -> tuple[Int[AnyArray, "entries"], Bool[AnyArray, "entries"], Bool[np.ndarray, "entries"], Any]:
    """Ranks of flat scores (from 0, ties share one), truth, which entries count, and a dtype.

    The ranks hold all that measures need of scores, exactly and whatever their dtype; what does not
    count so has a place below or above all others. Where a traced score that counts is NaN, all
    ranks are -1.
    """
    score, known = numbers("scores", scores), _mask("truth", truth)
    if score.ndim == 3:
        score = score[:, :, 1:].max(axis=-1) if summary else score[:, :, 1:]
    if known.ndim == 3:
        known = namespace(known).any(known, axis=-1) if summary else known[:, :, 1:]
    if score.shape != known.shape:
        raise InputError(
            f"scores are about shape {score.shape} and truth about {known.shape}; pass "
            "summary=True to compare over all lags"
        )
    counted = np.broadcast_to(diagonal | ~_identity(known), known.shape).ravel()
    floating = jnp.issubdtype(score.dtype, jnp.floating)
    default = np.float64 if namespace(score, known) is np else np.float32
    dtype = wide_float(score.dtype) if floating else default
    rank, edges = _ranks(score.ravel(), counted), known.ravel()
    return rank, namespace(rank, edges).asarray(edges), counted, dtype


def _ranks(score: AnyArray, counted: Bool[np.ndarray, "entries"]) -> Int[AnyArray, "entries"]:
    """How many scores are smaller than each; -1 everywhere where one that counts is NaN."""
    xp = namespace(score)
    if score.dtype == bool:
        score = score.astype(np.int32)
    if not jnp.issubdtype(score.dtype, jnp.floating):
        return xp.searchsorted(xp.sort(score), score).astype(np.int32)
    score = score.astype(wide_float(score.dtype))
    missing = xp.isnan(score)
    if is_concrete(score) and bool((missing & counted).any()):
        raise InputError(
            f"scores hold NaN {int((missing & counted).sum())} times, which cannot be ranked; give "
            "-inf to what was not scored"
        )
    score = xp.where(missing, xp.asarray(-xp.inf, score.dtype), score)
    rank = xp.searchsorted(xp.sort(score), score).astype(np.int32)
    return xp.where((missing & counted).any(), np.int32(-1), rank)


def _unless_nan(measure: Float[AnyArray, ""], rank: Int[AnyArray, "entries"]) -> AnyArray:
    """The measure, or NaN where a traced score is NaN."""
    xp = namespace(measure, rank)
    return xp.where((rank < 0).any(), xp.asarray(xp.nan, measure.dtype), measure)


def _identity(mask: AnyArray) -> Bool[np.ndarray, "..."]:
    """Which entries join a variable to itself, in a shape that broadcasts against ``mask``."""
    same = np.eye(mask.shape[0], dtype=bool)
    return same.reshape(*same.shape, *([1] * (mask.ndim - 2)))


def _number(mask: Bool[AnyArray, "..."]) -> Int[AnyArray, ""]:
    """How many entries are true."""
    return namespace(mask).asarray(mask.sum(), np.int32)


def _ratio(numerator: Any, denominator: Any) -> Float[AnyArray, "..."]:
    """Floating-point ratio; 0 if the denominator is 0."""
    xp = namespace(numerator, denominator)
    floating = jnp.issubdtype(numerator.dtype, jnp.floating)
    dtype = numerator.dtype if floating else np.float64 if xp is np else np.float32
    top, bottom = numerator.astype(dtype), denominator.astype(dtype)
    return xp.where(bottom > 0, top / xp.where(bottom > 0, bottom, 1), xp.zeros_like(top))
