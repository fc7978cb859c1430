"""Scores of every edge compared with a known graph."""

import numpy as np
from jaxtyping import Float

from jaxcause._checks import InputError, numbers
from jaxcause._namespace import namespace
from jaxcause._typing import AnyArray
from jaxcause.metrics._given import Graph, Scores, edges_of, ranked, ratio, unless_nan
from jaxcause.metrics._graphs import precision_recall


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
    rank, known, counted, dtype = ranked(scores, truth, summary, diagonal)
    xp, is_edge, is_other = namespace(rank, known), known & counted, ~known & counted
    others = xp.sort(xp.where(is_other, rank, np.int32(rank.size)))
    sides = [xp.searchsorted(others, rank, side=side) for side in ("left", "right")]
    wins = xp.where(is_edge, sides[0] + sides[1], np.int32(0)).astype(dtype)
    n_pairs = is_edge.sum().astype(dtype) * is_other.sum().astype(dtype)
    return unless_nan(ratio(wins.sum() / 2, n_pairs), rank)


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
    rank, known, counted, _ = ranked(scores, truth, summary, diagonal)
    xp = namespace(rank, known)
    from_best = xp.where(counted, -rank, np.int32(1))
    order = xp.argsort(from_best, stable=True)
    descending = from_best[order]
    hits = xp.cumsum((known & counted)[order], dtype=np.int32)
    last_of_tie = xp.searchsorted(descending, descending, side="right")
    precision = ratio(hits[last_of_tie - 1], last_of_tie)
    is_hit = (known & counted)[order].astype(precision.dtype)
    area = ratio((precision * is_hit).sum(), (known & counted).sum())
    return unless_nan(area, rank)


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
    rank, _, _, _ = ranked(given, truth, False, True)
    xp, (n_vars, _, n_lags) = namespace(rank), given.shape
    by_target = xp.swapaxes(rank.reshape(n_vars, n_vars, n_lags - 1), 0, 1).reshape(n_vars, -1)
    place = xp.argsort(xp.argsort(-by_target, axis=1, stable=True), axis=1)
    kept = xp.swapaxes((place < k).reshape(n_vars, n_vars, n_lags - 1), 0, 1)
    f1 = precision_recall(kept, edges_of("truth", truth)[:, :, 1:]).f1
    return unless_nan(f1, rank)


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
    rank, known, counted, _ = ranked(scores, truth, summary, diagonal)
    xp, edges = namespace(rank, known), known & counted
    order = xp.argsort(xp.where(counted, -rank, np.int32(1)), stable=True)
    first = xp.arange(order.size) < edges.sum()
    return unless_nan(ratio((edges[order] & first).sum(), edges.sum()), rank)
