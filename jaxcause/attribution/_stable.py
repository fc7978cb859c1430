"""Edges on which the members of an ensemble agree."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float

from jaxcause._checks import InputError
from jaxcause._typing import AnyArray
from jaxcause.attribution._score_test import lagged_edges, score_test
from jaxcause.attribution._select import select_fdr
from jaxcause.graph import LaggedGraph, Mark

Rule = Callable[[Float[AnyArray, "vars vars lags"]], LaggedGraph]
"""Maps the scores of one member to its graph."""


class Stability(NamedTuple):
    """Agreement among the members of an ensemble.

    Args:
        graph: Edges that at least a share ``threshold`` of the members keeps.
        probability: Share of the members that keep each ``[source, target, lag]``.
        mean_selected: Mean number of edges that a member keeps.
        expected_false: Bound on the expected number of false edges in ``graph``; infinite if the
            threshold is at most one half.
    """

    graph: LaggedGraph
    probability: Float[Array, "vars vars lags"]
    mean_selected: Float[Array, ""]
    expected_false: Float[Array, ""]


def select_stable(
    scores_by_member: Float[AnyArray, "members vars vars lags"],
    *,
    threshold: float = 0.75,
    rule: Rule | None = None,
) -> Stability:
    r"""Keep the edges that at least a share ``threshold`` of the members of an ensemble keeps.

    With M candidates, :math:`\bar k` the mean number of edges that a member keeps, and π the
    threshold, the expected number of false edges is at most

    .. math:: E[V] \le \frac{1}{2\pi - 1}\,\frac{\bar k^2}{M}, \qquad \pi > \tfrac12,

    if members are trained on random halves of the data, false edges are exchangeable, and the rule
    is no worse than guessing. Members that share data, such as those fine-tuned from one model on
    block bootstraps, are more alike than members trained on halves. Their common errors then look
    stable, and the bound is only a guide.

    Args:
        scores_by_member: Scores of every member, such as ``info.member_scores`` of
            `jaxcause.discover`; lag 0 is left out.
        threshold: Share of the members that must keep an edge, in (0, 1].
        rule: Maps the scores of one member to its graph; `select_fdr` by default.

    Raises:
        InputError: The shape is wrong, the rule refuses the scores of a member, or the threshold is
            outside (0, 1].

    Source: Meinshausen & Bühlmann (2010), "Stability selection", theorem 1.

    >>> import numpy as np
    >>> scores = np.exp(np.random.default_rng(0).normal(size=(8, 5, 5, 4)))
    >>> scores[:, 0, 1, 2] = 1e6; scores[0, 3, 3, 1] = 1e6
    >>> found = select_stable(scores)
    >>> found.graph.edges(), float(found.probability[3, 3, 1])
    ([('X0', 2, '-->', 'X1')], 0.125)
    """
    if not 0 < threshold <= 1:
        raise InputError(f"threshold={threshold} must lie in (0, 1]; pass a share of the members")
    shape = np.shape(scores_by_member)
    if len(shape) != 4 or shape[0] < 1 or shape[1] != shape[2] or shape[3] < 2:
        raise InputError(
            f"scores_by_member has shape {shape}, but must be [members, vars, vars, max_lag+1]"
        )
    keep = select_fdr if rule is None else rule
    kept = np.stack([_directed(keep(scores)) for scores in scores_by_member])
    return _agreed(kept, threshold)


def _directed(graph: LaggedGraph) -> Bool[np.ndarray, "vars vars lags"]:
    """Which edges at lags 1, 2, … are directed."""
    marks = np.asarray(graph.marks)
    directed = (marks[..., 0] == Mark.TAIL) & (marks[..., 1] == Mark.ARROW)
    directed[..., 0] = False
    return directed


def _agreed(kept: Bool[np.ndarray, "members vars vars lags"], threshold: float) -> Stability:
    """Count votes, and bound the number of false edges among those with enough votes."""
    votes, dtype = kept.sum(axis=0), jnp.result_type(float)
    n_members, n_vars, _, n_lags = kept.shape
    probability = (votes / n_members).astype(dtype)
    n_candidates = n_vars * n_vars * (n_lags - 1)
    mean_selected = dtype.type(votes.sum() / n_members)
    excess = 2 * threshold - 1
    bound = mean_selected**2 / n_candidates / excess if excess > 0 else np.inf
    # The 1e-9 undoes rounding: a share of 0.7 of ten members means seven of them.
    enough = votes >= int(np.ceil(threshold * n_members - 1e-9))
    p_value = 1.0 - enough.astype(dtype)
    return Stability(
        lagged_edges(score_test(p_value), alpha=0.5),
        *(jax.device_put(part) for part in (probability, mean_selected, dtype.type(bound))),
    )
