"""Attention-based causal discovery (ABCD): attention, correlations, a causal graph."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from jaxcause._checks import (
    InputError,
    check_choice,
    check_mask,
    check_square,
    is_concrete,
    numbers,
)
from jaxcause._typing import AnyArray
from jaxcause.attention._correlation import correlation
from jaxcause.discovery import SearchResult, icd
from jaxcause.discovery._result import of_first_nodes
from jaxcause.graph import BackgroundKnowledge
from jaxcause.stats import partial_correlation_test
from jaxcause.stats._redundant_columns import shrunk_between_others

NODES_MULTIPLE = 8
"""The number of nodes is rounded up to a multiple of this, since each number is compiled anew."""


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
    r"""Learn one causal graph over tokens from each attention matrix.

    :math:`Z = A V` is read as one draw of a structural equation model over the tokens. The
    correlations of :math:`A A^\top` (see `correlation`) enter Fisher-z tests of partial
    correlation, and these tests enter a causal search. All leading axes, such as layers × sequences
    × heads, are searched in one call, in chunks of bounded memory.

    Tokens are left out *after* A Aᵀ, so that they count as unobserved causes. ``nodes`` gives
    graphs over the listed tokens only. ``node_mask`` keeps the other tokens as nodes without edges,
    so that sequences of different lengths can share a batch.

    With a causal mask, correlations become numerically singular from about 16 peaked tokens on.
    This raises no error. Such graphs are flagged in ``info.singular``: a test whose conditional
    variance vanishes reports *dependent*, and the graph has too many edges. ``shrinkage`` makes the
    correlations regular, but p-values are then no longer exact.

    Args:
        attn: Self-attention ``[..., heads, q, k]`` of any framework, in any float type.
        n_samples: Number of samples behind the correlations: the model's hidden size.
        alpha: Significance level: tokens count as independent given S iff p > alpha.
        nodes: Tokens to keep, in the order of the graph's nodes.
        node_mask: Which tokens take part. Its leading axes are those of ``attn``, with or without
            the axis of heads; missing leading axes are broadcast.
        heads: ``separate`` searches each head; ``mean`` averages axis -3 of ``attn`` first.
        order: ``causal`` for a model whose tokens see earlier tokens only. The search is then
            ordered ICD, where a later token never causes an earlier one.
        one_sided: Whether partial correlations r ≤ 0 count as independent (p = 1).
        shrinkage: Intensity λ in [0, 1] of (1 − λ) R + λ I; none by default. Tokens that attend
            alike, so that they cannot be told apart, stay so.
        knowledge: Tiers, forbidden and required edges among the nodes; excludes ``order``.
        search: `icd`, or a search with the same arguments, such as `pc` and `fci`.
        options: Further arguments of the search: ``max_cond_size``, ``selection_bias``, ``sepset``,
            ``caps``, with which it runs inside ``jit``, and ``mesh``, devices that share the work.

    Returns:
        Graphs, separating sets and p-values, with the leading axes of ``attn``.

    Raises:
        InputError: ``attn`` is not square, or a token that takes part has NaN or a row of zeros;
            ``nodes`` repeats a token or names one that does not exist; ``node_mask`` has another
            length; ``heads="mean"`` finds no axis of heads; ``order`` and ``knowledge`` are both
            given; or the test or the search refuses its arguments.

    Source: Rohekar, Gurwicz & Nisimov (2023), arXiv 2310.20307; ordered: Rohekar et al. (2024),
    arXiv 2412.07446.

    >>> import numpy as np
    >>> attn = np.array([[0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9]])
    >>> abcd(attn, 384).graph.edges(["heavy", "rain", "fell"])
    [('heavy', 'o->', 'rain'), ('fell', 'o->', 'rain')]
    """
    attn = numbers("attn", attn)
    check_square("attn", attn)
    if isinstance(shrinkage, str):
        raise InputError(
            f"shrinkage={shrinkage!r} needs samples to estimate an intensity from, and attention "
            "has none; give a number in [0, 1], such as shrinkage=0.1"
        )
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
        corr = shrunk_between_others(corr, shrinkage)
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
    """Add nodes without edges, so that few numbers of nodes are compiled."""
    n = corr.shape[-1]
    spare = -n % NODES_MULTIPLE
    if not spare:
        return corr, None if mask is None else np.asarray(mask), chosen
    wide = np.zeros((*corr.shape[:-2], n + spare, n + spare), corr.dtype)
    wide[...] = np.eye(n + spare, dtype=corr.dtype)
    wide[..., :n, :n] = corr
    there = np.ones(n, bool) if mask is None else np.asarray(mask, bool)
    unused = np.zeros((*there.shape[:-1], spare), bool)
    # The place of spare nodes in the order does not matter, since they have no edges.
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
    check_mask("node_mask", node_mask, given.shape[-1], "token that takes part")
    xp = np if is_concrete(node_mask) else jnp
    mask = xp.asarray(node_mask)
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
    """The background knowledge for the search."""
    if order is None:
        return knowledge
    check_choice("order", order, ("causal",))
    if knowledge is not None:
        raise InputError(
            f"order={order!r} and knowledge are both given; put the order into knowledge as "
            "tiers=np.arange(nodes)"
        )
    return BackgroundKnowledge(tiers=chosen)
