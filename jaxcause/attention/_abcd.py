"""Attention-based causal discovery (ABCD): attention, correlations, a causal graph."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import InputError, check_choice, check_square, is_concrete
from jaxcause._typing import AnyArray
from jaxcause.attention._correlation import correlation
from jaxcause.discovery import SearchResult, icd
from jaxcause.discovery._result import of_first_nodes
from jaxcause.graph import BackgroundKnowledge
from jaxcause.stats import partial_correlation_test, shrink_correlation

NODES_MULTIPLE = 8
"""Numbers of nodes are rounded up to multiples of this; the search compiles for each."""


def abcd(
    attn: Float[AnyArray, "*graphs q k"],
    n_samples: Num[AnyArray, "*#graphs"] | int | float,
    *,
    alpha: float | Float[AnyArray, ""] = 0.01,
    nodes: Sequence[int] | Int[AnyArray, "nodes"] | None = None,
    node_mask: Bool[AnyArray, "*sequences q"] | None = None,
    heads: Literal["separate", "mean"] = "separate",
    order: Literal["causal"] | None = None,
    one_sided: bool = False,
    shrinkage: float | None = None,
    knowledge: BackgroundKnowledge | None = None,
    search: Callable[..., SearchResult] = icd,
    **options: Any,
) -> SearchResult:
    r"""Learn one causal graph over tokens per attention matrix, from attention alone.

    With :math:`Z = A V` read as one draw of a structural equation model over the tokens, the
    correlations of :math:`A A^\top` (see `correlation`) go through Fisher-z tests of partial
    correlation and a causal search. All leading axes, such as layers × sequences × heads, are
    searched in one call, in chunks of bounded memory.

    Tokens are left out *after* A Aᵀ, so that they count as unobserved causes: ``nodes`` makes
    graphs over the named tokens only, ``node_mask`` keeps the others as nodes without edges, which
    lets sequences of several lengths share a batch.

    A causal mask makes correlations that are singular in rounding from about 16 peaked tokens on.
    That raises nothing: such graphs are flagged in ``info.singular``, a test that meets a vanishing
    conditional variance says *dependent*, and the graph is denser than it should be. ``shrinkage``
    conditions them, at the price of p-values that are no longer exact.

    Args:
        attn: Self-attention ``[..., heads, q, k]`` of any framework, in any float type.
        n_samples: Samples that stand behind the correlations: the model's hidden size.
        alpha: Tokens are taken as independent given S iff p > alpha.
        nodes: Tokens to keep, in the order of the graph's nodes.
        node_mask: Which tokens take part, of all positions. Its leading axes are those of ``attn``,
            or, without the axis of heads, of the sequences; fewer axes are repeated.
        heads: ``separate`` searches each head; ``mean`` averages axis -3 of ``attn`` first.
        order: ``causal`` for a model whose tokens see earlier ones only: ordered ICD, where a later
            token never causes an earlier one.
        one_sided: Take partial correlations r ≤ 0 as independent (p = 1).
        shrinkage: Intensity λ in [0, 1] of (1 − λ) R + λ I; none by default.
        knowledge: Tiers, forbidden and required edges, about the nodes kept; not beside ``order``.
        search: `icd`, or any search with its arguments, such as `pc` and `fci`.
        options: Further arguments of the search: ``max_cond_size``, ``selection_bias``, ``sepset``,
            ``caps`` (which let it run inside ``jit``).

    Returns:
        Graphs, separating sets and p-values, with the leading axes of ``attn``.

    Raises:
        InputError: ``attn`` is not square, holds NaN, or a row of zeros where tokens take part;
            ``nodes`` repeats or exceeds the tokens, or comes with another length of ``node_mask``;
            ``heads="mean"`` has no axis of heads; ``order`` comes with ``knowledge``; or what the
            test and the search refuse.

    Source: Rohekar, Gurwicz & Nisimov (2023), arXiv 2310.20307; ordered: Rohekar et al. (2024),
    arXiv 2412.07446.

    >>> import numpy as np
    >>> attn = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]])
    >>> abcd(attn, 384).graph.edges(["heavy", "rain", "fell"])
    [('heavy', 'o->', 'rain'), ('fell', 'o->', 'rain')]
    """
    check_square("attn", attn)
    check_choice("heads", heads, ("separate", "mean"))
    given = _averaged(attn) if heads == "mean" else attn
    mask = _mask_of_graphs(node_mask, attn, given)
    tokens, chosen = given.shape[-1], _chosen(nodes, given.shape[-1])
    takes_part = mask
    if nodes is not None:
        among = np.isin(np.arange(tokens), chosen)
        takes_part = among if mask is None else mask & among
    corr = correlation(given, node_mask=takes_part)
    if nodes is not None:
        corr = corr[..., chosen[:, None], chosen[None, :]]
        mask = None if mask is None else mask[..., chosen]
    if shrinkage is not None:
        corr = shrink_correlation(corr, shrinkage)
    n = corr.shape[-1]
    if is_concrete(corr, mask) and knowledge is None:
        corr, mask, chosen = _rounded_up(np.asarray(corr), mask, chosen)
    found = search(
        partial_correlation_test(corr, n_samples, one_sided=one_sided),
        alpha=alpha,
        knowledge=_ordered(order, knowledge, chosen),
        node_mask=mask,
        **options,
    )
    return found if n == corr.shape[-1] else of_first_nodes(found, n)


def _rounded_up(
    corr: np.ndarray, mask: AnyArray | None, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Correlations, mask and tokens with spare nodes, so that a new length compiles nothing."""
    n = corr.shape[-1]
    spare = -n % NODES_MULTIPLE
    if not spare:
        return corr, None if mask is None else np.asarray(mask), chosen
    wide = np.zeros((*corr.shape[:-2], n + spare, n + spare), corr.dtype)
    wide[...] = np.eye(n + spare, dtype=corr.dtype)
    wide[..., :n, :n] = corr
    there = np.ones(n, bool) if mask is None else np.asarray(mask, bool)
    unused = np.zeros((*there.shape[:-1], spare), bool)
    # Where the spare ones stand in an order does not matter: they have no edge.
    last = np.full(spare, chosen.max(initial=0))
    return wide, np.concatenate([there, unused], axis=-1), np.concatenate([chosen, last])


def _averaged(attn: AnyArray) -> AnyArray:
    """The mean over heads."""
    if attn.ndim < 3:
        raise InputError(
            f"heads='mean' needs attn [..., heads, q, k], but its shape is {attn.shape}; leave "
            "heads out for one matrix"
        )
    if is_concrete(attn):
        return np.asarray(attn).astype(np.float64).mean(axis=-3)
    return attn.mean(axis=-3)


def _chosen(nodes: Sequence[int] | AnyArray | None, tokens: int) -> np.ndarray:
    """Indices of the tokens that become nodes."""
    if nodes is None:
        return np.arange(tokens)
    chosen = np.asarray(nodes)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise InputError(
            f"nodes={nodes!r} must list token positions, such as nodes=[1, 2, 3]; use node_mask "
            "for a mask"
        )
    wrong = (chosen < 0) | (chosen >= tokens)
    if wrong.any():
        raise InputError(
            f"nodes holds {chosen[wrong][0]}, but attn has the tokens 0 … {tokens - 1}"
        )
    if np.unique(chosen).size < chosen.size:
        raise InputError(f"nodes={chosen.tolist()} repeats a token; name each once")
    return chosen


def _mask_of_graphs(node_mask: AnyArray | None, attn: AnyArray, given: AnyArray) -> AnyArray | None:
    """The mask with the leading axes of the graphs."""
    if node_mask is None:
        return None
    xp = np if is_concrete(node_mask) else jnp
    mask = xp.asarray(node_mask, bool)
    if mask.ndim == attn.ndim - 1 and mask.ndim > given.ndim - 1:
        raise InputError(
            f"node_mask has shape {mask.shape}, with an axis of heads, but heads='mean' has "
            "averaged them; give one mask per sequence"
        )
    has_heads = given.ndim == attn.ndim and mask.ndim == attn.ndim - 1
    if given.ndim == attn.ndim and mask.ndim > 1 and not has_heads:
        mask = mask[..., None, :]
    try:
        return xp.broadcast_to(mask, given.shape[:-1])
    except ValueError:
        raise InputError(
            f"node_mask has shape {np.shape(node_mask)}, which does not fit attn {attn.shape}; "
            "give [tokens], one per sequence, or one per graph"
        ) from None


def _ordered(
    order: str | None, knowledge: BackgroundKnowledge | None, chosen: np.ndarray
) -> BackgroundKnowledge | None:
    """What is known before the search."""
    if order is None:
        return knowledge
    check_choice("order", order, ("causal",))
    if knowledge is not None:
        raise InputError(
            f"order={order!r} and knowledge are both given; put the order into knowledge as "
            "tiers=np.arange(nodes)"
        )
    return BackgroundKnowledge(tiers=chosen)
